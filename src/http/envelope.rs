//! The JSON around a GraphQL document: `query` or `documentId`, `operationName`, `variables`, `extensions`; and the query
//! string of GET.
//!
//! What does not live here: what the document says.

use async_graphql::{Request, Variables};
use serde::Deserialize;
use serde_json::value::RawValue;

use super::State;
use super::reply::Refusal;

/// What may stand in the JSON. Other keys are left alone, as the specification asks.
#[derive(Deserialize)]
struct Envelope<'a> {
    #[serde(borrow, default)]
    query: Option<&'a RawValue>,
    #[serde(borrow, default, rename = "documentId")]
    document_id: Option<&'a RawValue>,
    #[serde(borrow, default, rename = "operationName")]
    operation_name: Option<&'a RawValue>,
    #[serde(borrow, default)]
    variables: Option<&'a RawValue>,
    #[serde(borrow, default)]
    extensions: Option<&'a RawValue>,
}

/// Reads the body of a POST, or the part `operations` of an upload.
pub(super) fn from_json(json: &[u8], state: &State) -> Result<Request, Refusal> {
    match json.trim_ascii_start().first() {
        Some(b'{') => {}
        Some(b'[') => return Err(Refusal::bad_request("batches are not supported: send one operation a request")),
        _ => return Err(Refusal::bad_request("the request has to be a JSON object")),
    }
    let envelope: Envelope<'_> = serde_json::from_slice(json)
        .map_err(|error| Refusal::bad_request(format!("the request is not JSON as it should be: {error}")))?;
    let query = envelope.query.map(|query| read(query, "`query` has to be a string")).transpose()?;
    let id = envelope.document_id.map(|id| read(id, "`documentId` has to be a string")).transpose()?;
    let name = envelope.operation_name.map(|name| read(name, "`operationName` has to be a string")).transpose()?;
    let id = match envelope.extensions {
        Some(extensions) => id.or(persisted(extensions)?),
        None => id,
    };
    request((query, id), name, envelope.variables.map(RawValue::get), state)
}

/// The query string of a GET.
#[derive(Deserialize)]
struct Parameters {
    query: Option<String>,
    #[serde(rename = "documentId")]
    document_id: Option<String>,
    #[serde(rename = "operationName")]
    operation_name: Option<String>,
    variables: Option<String>,
}

/// Reads the query string of a GET.
pub(super) fn from_query_string(uri: &http::Uri, state: &State) -> Result<Request, Refusal> {
    let axum::extract::Query(parameters) = axum::extract::Query::<Parameters>::try_from_uri(uri)
        .map_err(|_| Refusal::bad_request("the query string cannot be read"))?;
    let name = parameters.operation_name.filter(|name| !name.is_empty());
    let variables = parameters.variables.as_deref().filter(|variables| !variables.is_empty());
    request((parameters.query, parameters.document_id), name, variables, state)
}

fn request(
    (query, id): (Option<String>, Option<String>),
    operation_name: Option<String>,
    variables: Option<&str>,
    state: &State,
) -> Result<Request, Refusal> {
    let limits = &state.http;
    let query = match (&state.trusted, query) {
        (Some(trusted), query) => trusted.document(id.as_deref(), query)?,
        (None, Some(query)) => query,
        (None, None) if id.is_some() => {
            return Err(Refusal::bad_request("`query` is missing: this server has no documents of its own"));
        }
        (None, None) => return Err(Refusal::bad_request("`query` is missing")),
    };
    if query.len() as u64 > limits.max_query {
        let (limit, actual) = (limits.max_query, query.len());
        return Err(Refusal::too_large(format!("the document is limited to {limit} bytes; it has {actual}")));
    }
    let mut request = Request::new(query);
    request.operation_name = operation_name;
    if let Some(variables) = variables {
        if variables.len() as u64 > limits.max_variables {
            let (limit, actual) = (limits.max_variables, variables.len());
            return Err(Refusal::too_large(format!("the variables are limited to {limit} bytes; they have {actual}")));
        }
        request.variables = serde_json::from_str::<Variables>(variables)
            .map_err(|_| Refusal::bad_request("`variables` has to be a JSON object"))?;
    }
    Ok(request)
}

fn read(value: &RawValue, otherwise: &'static str) -> Result<String, Refusal> {
    serde_json::from_str(value.get()).map_err(|_| Refusal::bad_request(otherwise))
}

/// The id of a document as clients of another making send it: `{"persistedQuery": {"sha256Hash": "…"}}`.
fn persisted(extensions: &RawValue) -> Result<Option<String>, Refusal> {
    #[derive(Deserialize)]
    struct Extensions {
        #[serde(rename = "persistedQuery")]
        persisted_query: Option<Persisted>,
    }
    #[derive(Deserialize)]
    struct Persisted {
        #[serde(rename = "sha256Hash")]
        sha256_hash: String,
    }
    if !extensions.get().starts_with('{') {
        return Err(Refusal::bad_request("`extensions` has to be an object"));
    }
    // Whatever else stands there is between others.
    let read = serde_json::from_str::<Extensions>(extensions.get()).ok();
    Ok(read.and_then(|read| read.persisted_query).map(|persisted| persisted.sha256_hash))
}
