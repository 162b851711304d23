//! The one GraphQL handler: which requests may run, and running them.
//!
//! A page on another site can make a browser send any request that needs no preflight, so none of those reaches a
//! mutation: GET runs no mutations, JSON needs its content type, and a multipart body needs a header that a form cannot
//! set. What does not live here: what a document may ask (`graphql::guard`), what replies look like (`reply`), results
//! that come by and by (`live`).

use std::panic::AssertUnwindSafe;
use std::time::Duration;

use async_graphql::parser::parse_query;
use async_graphql::parser::types::{ExecutableDocument, OperationDefinition, OperationType};
use async_graphql::{Request, Response as Answer, ServerError};
use axum::Extension;
use axum::body::Body;
use axum::extract::State;
use axum::extract::ws::WebSocketUpgrade;
use axum::extract::ws::rejection::WebSocketUpgradeRejection;
use axum::response::Response;
use futures_util::FutureExt;
use http::header::{CONTENT_ENCODING, CONTENT_LENGTH, CONTENT_TYPE};
use http::{HeaderMap, Method, StatusCode, Uri};
use tokio::sync::OwnedSemaphorePermit;
use tracing::Instrument;

use super::body::{Error as BodyError, Incoming};
use super::guest::{self, Guest};
use super::intake::Intake;
use super::peer::Origin;
use super::reply::{self, Media, Refusal};
use super::{AppState, envelope, live, metrics, multipart};
use crate::access::Principal;
use crate::config::Switch;
use crate::graphql::{Deadline, guard, permission};
use crate::telemetry::RequestId;

/// Where it is.
pub(super) const PATH: &str = "/graphql";

/// Headers that a page on another site cannot set without asking first. Any one will do.
pub(super) const PREFLIGHT: [&str; 3] =
    ["graphql-require-preflight", "apollo-require-preflight", "x-apollo-operation-name"];

/// What the body of a POST is.
enum Content {
    Json,
    Multipart(String),
}

/// What will run: a request that has passed the guard.
pub(super) struct Operation {
    pub(super) request: Request,
    pub(super) kind: OperationType,
    deadline: Duration,
    /// Where it brings a file.
    upload: Option<OwnedSemaphorePermit>,
}

/// Answers every request to `/graphql`.
pub(super) async fn graphql(
    State(state): State<AppState>,
    Extension(id): Extension<RequestId>,
    Extension(origin): Extension<Origin>,
    (guest, intake): (Option<Extension<Guest>>, Option<Extension<Intake>>),
    (method, uri, headers): (Method, Uri, HeaderMap),
    upgrade: Result<WebSocketUpgrade, WebSocketUpgradeRejection>,
    body: Body,
) -> Response {
    let media = Media::of(&headers);
    let guest = guest.map(|Extension(guest)| guest);
    let mut asked = metrics::Operation::default();
    let outcome = if live::is_handshake(&headers) {
        live::socket(&state, &id, &headers, (origin, guest, intake.map(|Extension(intake)| intake)), upgrade)
    } else if let Some(guest) = guest {
        let body = Incoming::new(body, state.0.http.stall_timeout);
        let operation = match method {
            Method::POST => guest.stays(&state, post(&state, &guest, &headers, body)).await,
            Method::GET => get(&state, &guest, &uri),
            _ => Err(Refusal::method("GET, POST", "use POST, or GET for queries")),
        };
        if let Ok(operation) = &operation {
            asked = metrics::Operation::new(operation.kind, operation.upload.is_some());
        }
        answer(&state, &id, guest, &headers, operation).await
    } else {
        Err(guest::nobody())
    };
    let mut response = outcome.unwrap_or_else(|refusal| {
        let (status, code) = refusal.summary();
        tracing::info!(status, code, "refused a GraphQL request");
        reply::refuse(media, &id, refusal)
    });
    response.extensions_mut().insert(asked);
    response
}

/// Answers in the media type that the client prefers, which the kind of the operation may decide.
async fn answer(
    state: &AppState,
    id: &RequestId,
    guest: Guest,
    headers: &HeaderMap,
    operation: Result<Operation, Refusal>,
) -> Result<Response, Refusal> {
    let media = Media::of(headers);
    match operation {
        Ok(operation) if operation.kind == OperationType::Subscription => {
            if Media::takes_events(headers) {
                return live::events(state, id, guest, Ok(operation));
            }
            let message = "a subscription needs `Accept: text/event-stream`, or a WebSocket";
            Err(Refusal::new(StatusCode::NOT_ACCEPTABLE, "BAD_REQUEST", message))
        }
        Ok(operation) if media == Media::EventStream => live::events(state, id, guest, Ok(operation)),
        Ok(operation) => Ok(reply::answer(media, id, run(state, id, operation).await?)),
        Err(refusal) if media == Media::EventStream && refusal.is_of_document() => {
            live::events(state, id, guest, Err(refusal))
        }
        Err(refusal) => Err(refusal),
    }
}

fn get(state: &AppState, guest: &Guest, uri: &Uri) -> Result<Operation, Refusal> {
    let operation = prepare(state, guest, envelope::from_query_string(uri, &state.0)?)?;
    if operation.kind == OperationType::Mutation {
        return Err(Refusal::method("POST", "a mutation needs POST"));
    }
    Ok(operation)
}

async fn post(state: &AppState, guest: &Guest, headers: &HeaderMap, body: Incoming) -> Result<Operation, Refusal> {
    match content(headers)? {
        Content::Json => {
            let limit = state.0.http.max_body;
            if announced(headers).is_some_and(|length| length > limit) {
                return Err(BodyError::TooLarge { limit }.into());
            }
            let json = body.read(limit, &state.0.large_bodies).await?;
            prepare(state, guest, envelope::from_json(&json, &state.0)?)
        }
        Content::Multipart(boundary) => {
            if !PREFLIGHT.iter().any(|name| headers.contains_key(*name)) {
                let message = format!("a multipart request needs one of the headers {}", PREFLIGHT.join(", "));
                return Err(Refusal::bad_request(message));
            }
            let limits = &state.0.http;
            // The document is checked before the file arrives, so that nobody uploads for nothing.
            let mut upload = multipart::open(body, boundary, announced(headers), &state.0).await?;
            let kind = check(state, &guest.principal, upload.request())?;
            let Ok(permit) = state.0.uploads.clone().try_acquire_owned() else {
                return Err(Refusal::new(StatusCode::TOO_MANY_REQUESTS, "UNAVAILABLE", "too many uploads; try again"));
            };
            guest.charge(state, guest::TRANSFER);
            let request = upload.receive(&state.0.spool_dir).await?.data(guest.principal.clone());
            Ok(Operation { request, kind, deadline: limits.upload_deadline, upload: Some(permit) })
        }
    }
}

/// What the body claims to be.
fn content(headers: &HeaderMap) -> Result<Content, Refusal> {
    let unsupported = |message: &str| Err(Refusal::new(StatusCode::UNSUPPORTED_MEDIA_TYPE, "BAD_REQUEST", message));
    if headers.contains_key(CONTENT_ENCODING) {
        return unsupported("compressed bodies are not supported");
    }
    let mut types = headers.get_all(CONTENT_TYPE).iter();
    let (Some(value), None) = (types.next(), types.next()) else {
        return unsupported("the request needs one Content-Type: application/json");
    };
    let Ok(text) = value.to_str() else { return unsupported("the Content-Type cannot be read") };
    let mut parts = text.split(';').map(str::trim);
    let essence = parts.next().unwrap_or_default();
    if essence.eq_ignore_ascii_case("application/json") {
        let mut charsets = parts.filter_map(|part| {
            let (name, value) = part.split_once('=')?;
            name.trim().eq_ignore_ascii_case("charset").then(|| value.trim().trim_matches('"'))
        });
        if charsets.any(|charset| !charset.eq_ignore_ascii_case("utf-8") && !charset.eq_ignore_ascii_case("utf8")) {
            return unsupported("JSON has to be in UTF-8");
        }
        Ok(Content::Json)
    } else if essence.eq_ignore_ascii_case("multipart/form-data") {
        match multer::parse_boundary(text) {
            // The longest boundary that RFC 2046 has.
            Ok(boundary) if (1..=70).contains(&boundary.len()) => Ok(Content::Multipart(boundary)),
            _ => Err(Refusal::bad_request("the Content-Type needs a boundary of 1 to 70 characters")),
        }
    } else {
        unsupported("use application/json, or multipart/form-data for an upload")
    }
}

fn announced(headers: &HeaderMap) -> Option<u64> {
    headers.get(CONTENT_LENGTH)?.to_str().ok()?.parse().ok()
}

/// Makes of a guest's request without a file what will run.
pub(super) fn prepare(state: &AppState, guest: &Guest, mut request: Request) -> Result<Operation, Refusal> {
    let kind = check(state, &guest.principal, &mut request)?;
    if kind == OperationType::Mutation {
        guest.charge(state, guest::MUTATION);
    }
    let request = request.data(guest.principal.clone());
    Ok(Operation { request, kind, deadline: state.0.http.deadline, upload: None })
}

/// Parses the document, once for all, and checks what it asks, and that whoever asks may.
fn check(state: &AppState, principal: &Principal, request: &mut Request) -> Result<OperationType, Refusal> {
    let document = parse_query(&request.query).map_err(|error| Refusal::document([ServerError::from(error)]))?;
    let measure = guard::check(&document, &request.variables, &state.0.limits)
        .map_err(|refusals| Refusal::document(refusals.into_iter().map(ServerError::from)))?;
    tracing::debug!(?measure, "measured a document");
    let operation = guard::operation(&document, request.operation_name.as_deref()).ok_or_else(|| {
        Refusal::document([ServerError::new("`operationName` has to name one of the document's operations", None)])
    })?;
    // The library would find a missing variable only where it is used, and answer as if it had executed.
    for definition in &operation.variable_definitions {
        let name = &definition.node.name.node;
        let is_required = !definition.node.var_type.node.nullable && definition.node.default_value.is_none();
        if is_required && !request.variables.contains_key(name) {
            let message = format!("the variable `${name}` is required, and the request does not give it");
            return Err(Refusal::document([ServerError::new(message, Some(definition.pos))]));
        }
    }
    let kind = operation.ty;
    if kind == OperationType::Subscription && !guard::has_one_event(operation) {
        let message = "a subscription has exactly one field, and at its root neither fragments nor `@skip`, `@include`";
        return Err(Refusal::document([ServerError::new(message, Some(operation.selection_set.pos))]));
    }
    permit(state, principal, &document, operation)?;
    request.set_parsed_query(document);
    Ok(kind)
}

/// Refuses what is not for whoever asks.
fn permit(
    state: &AppState,
    principal: &Principal,
    document: &ExecutableDocument,
    operation: &OperationDefinition,
) -> Result<(), Refusal> {
    (state.0.backend.permit)(document, operation, principal.role).map_err(|denied| {
        let (who, role) = (&principal.name, principal.role.name());
        let listed = denied.fields.iter().filter_map(|denied| Some((&denied.field, denied.least?)));
        for (field, least) in listed.take(permission::LISTED) {
            tracing::info!(who, role, field, least = least.name(), "denied");
        }
        let tells_schema = state.0.limits.introspection == Switch::On;
        Refusal::document([if tells_schema { ServerError::from(denied) } else { denied.without_schema() }])
    })
}

/// Runs a query or mutation, for as long as it may take, unless as many run as may: those that wait are answered too late
/// for anybody. A query stops when the client goes away. A mutation does not: stopped between two of its statements it
/// would be half done.
pub(super) async fn run(state: &AppState, id: &RequestId, operation: Operation) -> Result<Answer, Refusal> {
    let Operation { request, kind, deadline, upload } = operation;
    let Ok(place) = state.0.requests.clone().try_acquire_owned() else {
        let message = "the server has too much to do; try again";
        return Err(Refusal::new(StatusCode::SERVICE_UNAVAILABLE, "UNAVAILABLE", message));
    };
    let places = (place, upload);
    let is_mutation = kind == OperationType::Mutation;
    let (execute, id) = (state.0.backend.execute.clone(), id.clone());
    let request = request.data(Deadline::within(deadline));
    let work = AssertUnwindSafe(async move {
        let answer = execute(request, id).await;
        drop(places);
        answer
    })
    .catch_unwind();
    let outcome = if is_mutation {
        let task = state.0.mutations.spawn(work.in_current_span());
        tokio::time::timeout(deadline, task).await.map(|joined| joined.unwrap_or_else(|error| Err(Box::new(error))))
    } else {
        tokio::time::timeout(deadline, work).await
    };
    match outcome {
        Ok(Ok(answer)) => Ok(answer),
        Ok(Err(_)) => Err(Refusal::panicked()),
        Err(_) => {
            let more = if is_mutation { "; it goes on, and may still be done" } else { "" };
            let message = format!("the deadline of {} ms has passed{more}", deadline.as_millis());
            Err(Refusal::new(StatusCode::GATEWAY_TIMEOUT, "UNAVAILABLE", message))
        }
    }
}

impl From<BodyError> for Refusal {
    fn from(error: BodyError) -> Self {
        match error {
            BodyError::TooLarge { .. } => Self::too_large(error.to_string()),
            BodyError::TooSlow => Self::new(StatusCode::REQUEST_TIMEOUT, "BAD_REQUEST", error.to_string()),
            BodyError::Broken => Self::bad_request(error.to_string()),
            BodyError::Crowded => Self::new(StatusCode::SERVICE_UNAVAILABLE, "UNAVAILABLE", error.to_string()),
        }
    }
}
