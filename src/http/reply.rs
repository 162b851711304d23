//! Replies: media type, status, and errors that are always small, coded and named by the request's id.
//!
//! What does not live here: when to refuse. A handler decides, and says so with a [`Refusal`].

use std::collections::BTreeMap;

use async_graphql::{Response as Answer, ServerError, Value};
use async_graphql_axum::GraphQLResponse;
use axum::Extension;
use axum::body::{Body, HttpBody};
use axum::response::{IntoResponse, Response};
use http::header::{ACCEPT, ALLOW, CONTENT_TYPE, RETRY_AFTER, VARY, WWW_AUTHENTICATE};
use http::{HeaderMap, HeaderValue, StatusCode};
use serde::Serialize;
use serde_json::json;

use crate::telemetry::RequestId;

/// The most errors in a reply.
const ERRORS: usize = 20;
/// The longest message, in bytes.
const MESSAGE: usize = 1024;
/// The most bytes of one error, and of all together.
const ERROR_BYTES: usize = 8 << 10;
const ALL_ERRORS_BYTES: usize = 30 << 10;
/// The largest reply.
const REPLY_BYTES: usize = 10 << 20;

/// The media types of answers: the two of GraphQL over HTTP, which differ in the status of what is not executed (the
/// older one says 200), and that of results that come by and by.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Media {
    Json,
    GraphqlResponse,
    EventStream,
}

impl Media {
    /// The one that the client prefers; the older one if it does not say, or can take none.
    pub(super) fn of(headers: &HeaderMap) -> Self {
        let mut best = (0.0, Self::Json);
        for (media, weight) in Self::taken(headers) {
            // At the same weight the first wins.
            if weight > best.0 {
                best = (weight, media);
            }
        }
        best.1
    }

    /// The one for a subscription, which can only be answered by and by: whether the client takes events at all.
    pub(super) fn takes_events(headers: &HeaderMap) -> bool {
        Self::taken(headers).any(|(media, weight)| media == Self::EventStream && weight > 0.0)
    }

    /// Those that the client names, with their weights.
    fn taken(headers: &HeaderMap) -> impl Iterator<Item = (Self, f32)> {
        let ranges = headers.get_all(ACCEPT).iter().filter_map(|value| value.to_str().ok());
        ranges.flat_map(|value| value.split(',')).filter_map(|range| {
            let mut parts = range.split(';').map(str::trim);
            let media = match parts.next().unwrap_or_default().to_ascii_lowercase().as_str() {
                "application/graphql-response+json" => Self::GraphqlResponse,
                "application/json" | "application/*" | "*/*" => Self::Json,
                "text/event-stream" => Self::EventStream,
                _ => return None,
            };
            let weight = parts.find_map(|part| part.strip_prefix("q=")).map_or(1.0, |q| q.parse().unwrap_or(0.0));
            Some((media, weight))
        })
    }

    fn content_type(self) -> HeaderValue {
        HeaderValue::from_static(match self {
            // What is refused before there are events is plain JSON.
            Self::Json | Self::EventStream => "application/json; charset=utf-8",
            Self::GraphqlResponse => "application/graphql-response+json; charset=utf-8",
        })
    }
}

/// Why a request is not executed, or gave nothing.
#[derive(Debug)]
pub(super) struct Refusal {
    /// The status whatever the media type; without one the document is at fault, and the media type decides.
    status: Option<StatusCode>,
    errors: Vec<ServerError>,
    allow: Option<&'static str>,
    /// After how many seconds to try again, where it is of any use.
    retry_after: u64,
}

impl Refusal {
    /// A refusal of the request as HTTP.
    pub(super) fn new(status: StatusCode, code: &'static str, message: impl Into<String>) -> Self {
        let mut error = ServerError::new(message, None);
        error.extensions.get_or_insert_default().set("code", code);
        Self { status: Some(status), errors: vec![error], allow: None, retry_after: 1 }
    }

    /// A refusal of a request that is not formed as it has to be.
    pub(super) fn bad_request(message: impl Into<String>) -> Self {
        Self::new(StatusCode::BAD_REQUEST, "BAD_REQUEST", message)
    }

    /// A refusal of something too large.
    pub(super) fn too_large(message: impl Into<String>) -> Self {
        Self::new(StatusCode::PAYLOAD_TOO_LARGE, "LIMIT_EXCEEDED", message)
    }

    /// A refusal of whoever has used up what there is for each, until so many seconds have passed.
    pub(super) fn limited(message: impl Into<String>, retry_after: u64) -> Self {
        let mut refusal = Self::new(StatusCode::TOO_MANY_REQUESTS, "LIMIT_EXCEEDED", message);
        for error in &mut refusal.errors {
            error.extensions.get_or_insert_default().set("retryable", true);
        }
        Self { retry_after, ..refusal }
    }

    /// A refusal of the document: it does not parse, asks too much, or does not fit the schema.
    pub(super) fn document(errors: impl IntoIterator<Item = ServerError>) -> Self {
        Self { status: None, errors: errors.into_iter().collect(), allow: None, retry_after: 1 }
    }

    /// A refusal of what was not executed: the document is at fault, or the server.
    fn unexecuted(errors: Vec<ServerError>) -> Self {
        let refusal = Self::document(errors);
        let status = match refusal.summary().1 {
            "UNAVAILABLE" => Some(StatusCode::SERVICE_UNAVAILABLE),
            "INTERNAL" => Some(StatusCode::INTERNAL_SERVER_ERROR),
            _ => None,
        };
        Self { status, ..refusal }
    }

    /// A refusal since something inside panicked, which the panic hook has logged.
    pub(super) fn panicked() -> Self {
        Self::new(StatusCode::INTERNAL_SERVER_ERROR, "INTERNAL", "internal error")
    }

    /// Whether the document is at fault, rather than the request around it.
    pub(super) fn is_of_document(&self) -> bool {
        self.status.is_none()
    }

    /// Whether the request around the document is not formed as it has to be.
    pub(super) fn is_malformed(&self) -> bool {
        self.status == Some(StatusCode::BAD_REQUEST)
    }

    /// Whether it may be otherwise in a moment.
    pub(super) fn is_unavailable(&self) -> bool {
        self.status == Some(StatusCode::SERVICE_UNAVAILABLE)
    }

    /// The message of the first error.
    pub(super) fn message(&self) -> &str {
        self.errors.first().map(|error| error.message.as_str()).unwrap_or_default()
    }

    /// For the log: the status, if it is fixed, and the code of the first error. Messages quote what clients send.
    pub(super) fn summary(&self) -> (Option<u16>, &str) {
        let first = self.errors.first().and_then(|error| error.extensions.as_ref()?.get("code"));
        let code = if let Some(Value::String(code)) = first { code } else { "BAD_REQUEST" };
        (self.status.map(|status| status.as_u16()), code)
    }

    /// A refusal of the method, when these are allowed.
    pub(super) fn method(allow: &'static str, message: impl Into<String>) -> Self {
        Self { allow: Some(allow), ..Self::new(StatusCode::METHOD_NOT_ALLOWED, "BAD_REQUEST", message) }
    }
}

/// The code of the first error of a reply, in its extensions.
#[derive(Clone, Debug)]
pub(super) struct Code(pub(super) String);

impl Code {
    fn of(errors: &[ServerError]) -> Option<Self> {
        match errors.first()?.extensions.as_ref()?.get("code")? {
            Value::String(code) => Some(Self(code.clone())),
            _ => None,
        }
    }
}

/// The GraphQL reply to a request that was not executed: it has no `data`.
pub(super) fn refuse(media: Media, id: &RequestId, refusal: Refusal) -> Response {
    let status = refusal.status.unwrap_or(match media {
        Media::Json | Media::EventStream => StatusCode::OK,
        Media::GraphqlResponse if refusal.summary().1 == "FORBIDDEN" => StatusCode::FORBIDDEN,
        Media::GraphqlResponse => StatusCode::BAD_REQUEST,
    });
    let (errors, omitted) = fit(refusal.errors, "BAD_REQUEST", id);
    let code = Code::of(&errors);
    let json = write(&Wire { errors, extensions: extensions(omitted) });
    let mut response = head(media, status, code, Response::new(Body::from(json)));
    if let Some(allow) = refusal.allow {
        response.headers_mut().insert(ALLOW, HeaderValue::from_static(allow));
    }
    if status == StatusCode::UNAUTHORIZED {
        response.headers_mut().insert(WWW_AUTHENTICATE, HeaderValue::from_static("Bearer"));
    }
    if status == StatusCode::SERVICE_UNAVAILABLE || status == StatusCode::TOO_MANY_REQUESTS {
        response.headers_mut().insert(RETRY_AFTER, HeaderValue::from(refusal.retry_after));
    }
    response
}

/// The GraphQL reply to a request that was handed to the library.
pub(super) fn answer(media: Media, id: &RequestId, answer: Answer) -> Response {
    let answer = match executed(id, answer) {
        Ok(answer) => answer,
        Err(refusal) => return refuse(media, id, refusal),
    };
    let code = Code::of(&answer.errors);
    let response = GraphQLResponse::from(answer).into_response();
    if response.body().size_hint().lower() > REPLY_BYTES as u64 {
        let code = Some(Code("LIMIT_EXCEEDED".to_owned()));
        return head(media, StatusCode::OK, code, Response::new(Body::from(LARGE)));
    }
    head(media, StatusCode::OK, code, response)
}

/// The JSON of what an operation gave.
///
/// # Errors
/// Where it was not executed, since it does not fit the schema.
pub(super) fn result(id: &RequestId, answer: Answer) -> Result<String, Refusal> {
    let json = write(&executed(id, answer)?);
    Ok(if json.len() > REPLY_BYTES { LARGE.to_owned() } else { json })
}

/// What an operation gave, with its errors as clients see them.
fn executed(id: &RequestId, mut answer: Answer) -> Result<Answer, Refusal> {
    let was_executed = answer.data != Value::Null || answer.errors.iter().any(|error| !error.path.is_empty());
    if !was_executed && !answer.errors.is_empty() {
        return Err(Refusal::unexecuted(answer.errors));
    }
    // An error of a field that comes without a code is the library's, about an argument that it could not read.
    let (errors, omitted) = fit(answer.errors, "INVALID_INPUT", id);
    answer.errors = errors;
    answer.extensions.extend(extensions(omitted));
    Ok(answer)
}

/// The errors of what was not executed, as a list in JSON.
pub(super) fn errors(id: &RequestId, refusal: Refusal) -> String {
    write(&fit(refusal.errors, "BAD_REQUEST", id).0)
}

/// The plain JSON reply to a request that is not GraphQL's.
pub(super) fn plain(status: StatusCode, code: &str, message: &str, id: &RequestId) -> Response {
    let body = json!({ "error": { "code": code, "message": message, "requestId": id.as_str() } });
    let said = Extension(Code(code.to_owned()));
    let mut response = (status, said, [(CONTENT_TYPE, Media::Json.content_type())], body.to_string()).into_response();
    if code == "UNAVAILABLE" {
        response.headers_mut().insert(RETRY_AFTER, HeaderValue::from_static("1"));
    }
    response
}

/// A reply without `data`, which the library's own always has.
#[derive(Serialize)]
struct Wire {
    errors: Vec<ServerError>,
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    extensions: BTreeMap<String, Value>,
}

/// Gives a reply its status and media type, and says what it tells.
fn head(media: Media, status: StatusCode, code: Option<Code>, mut response: Response) -> Response {
    *response.status_mut() = status;
    if let Some(code) = code {
        response.extensions_mut().insert(code);
    }
    response.headers_mut().insert(CONTENT_TYPE, media.content_type());
    response.headers_mut().insert(VARY, HeaderValue::from_static("accept"));
    response
}

fn write(wire: &impl Serialize) -> String {
    serde_json::to_string(wire).unwrap_or_else(|error| {
        tracing::error!(%error, "a reply cannot be written as JSON");
        UNWRITABLE.to_owned()
    })
}

const LARGE: &str = r#"{"errors":[{"message":"the reply would be larger than 10 MiB; what was asked to be done is done","extensions":{"code":"LIMIT_EXCEEDED"}}],"data":null}"#;
const UNWRITABLE: &str = r#"{"errors":[{"message":"internal error","extensions":{"code":"INTERNAL"}}]}"#;

/// Makes errors fit to be sent: few, short, with a code and the request's id. Also how many were left out.
fn fit(errors: Vec<ServerError>, code: &str, id: &RequestId) -> (Vec<ServerError>, usize) {
    let all = errors.len();
    let mut kept = Vec::with_capacity(all.min(ERRORS));
    let mut bytes = 0;
    for mut error in errors.into_iter().take(ERRORS) {
        shorten(&mut error.message);
        error.locations.truncate(4);
        let extensions = error.extensions.get_or_insert_default();
        if extensions.get("code").is_none() {
            extensions.set("code", code);
        }
        extensions.set("requestId", id.as_str());
        if length(&error) > ERROR_BYTES {
            // Names in the path are the client's own, and can be as long as the document.
            error.path.clear();
        }
        if length(&error) > ERROR_BYTES {
            let mut short = ServerError::new(std::mem::take(&mut error.message), None);
            let code = error.extensions.as_ref().and_then(|all| all.get("code")).cloned().unwrap_or_default();
            let extensions = short.extensions.get_or_insert_default();
            extensions.set("code", code);
            extensions.set("requestId", id.as_str());
            error = short;
        }
        bytes += length(&error);
        if bytes > ALL_ERRORS_BYTES {
            break;
        }
        kept.push(error);
    }
    let omitted = all - kept.len();
    (kept, omitted)
}

fn extensions(omitted: usize) -> BTreeMap<String, Value> {
    (omitted > 0).then(|| ("errorsOmitted".to_owned(), Value::from(omitted))).into_iter().collect()
}

fn length(error: &ServerError) -> usize {
    serde_json::to_vec(error).map_or(usize::MAX, |json| json.len())
}

fn shorten(message: &mut String) {
    if message.len() > MESSAGE {
        message.truncate(message.floor_char_boundary(MESSAGE - '…'.len_utf8()));
        message.push('…');
    }
}
