//! The id of a request: a client's own if it is fit to be logged, else a new one.
//!
//! What does not live here: where it is shown. The log has it in the request's span, a reply in `x-request-id`, an error
//! in `extensions.requestId`.

use std::hash::{BuildHasher, RandomState};
use std::sync::LazyLock;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Instant;

use axum::extract::Request;
use axum::middleware::Next;
use axum::response::Response;
use http::{HeaderMap, HeaderName, HeaderValue};
use tracing::Instrument;

use crate::telemetry::RequestId;

pub(super) const X_REQUEST_ID: HeaderName = HeaderName::from_static("x-request-id");

/// The longest id that is taken from a client.
const LONGEST: usize = 64;

/// Names the request, runs it in a span of that name, and names the reply.
pub(super) async fn name(mut request: Request, next: Next) -> Response {
    let id = from_client(request.headers()).unwrap_or_else(new);
    let span = tracing::info_span!(
        "request",
        id = id.as_str(),
        method = request.method().as_str(),
        path = request.uri().path()
    );
    request.extensions_mut().insert(id.clone());
    let begun = Instant::now();
    let mut response = next.run(request).instrument(span.clone()).await;
    let elapsed_ms = u64::try_from(begun.elapsed().as_millis()).unwrap_or(u64::MAX);
    span.in_scope(|| tracing::debug!(status = response.status().as_u16(), elapsed_ms, "answered"));
    // Both kinds of ids are visible ASCII, which is always a header value.
    if let Ok(value) = HeaderValue::from_str(id.as_str()) {
        response.headers_mut().insert(X_REQUEST_ID, value);
    }
    response
}

/// A client's id goes into logs and replies, so it is taken only if it is short and plain.
fn from_client(headers: &HeaderMap) -> Option<RequestId> {
    let id = headers.get(X_REQUEST_ID)?.to_str().ok()?;
    let is_plain = id.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-_.".contains(&byte));
    (is_plain && (1..=LONGEST).contains(&id.len())).then(|| id.to_owned().into())
}

/// A new id. It has to differ from others in the same log, and need not be a secret.
fn new() -> RequestId {
    static KEY: LazyLock<RandomState> = LazyLock::new(RandomState::new);
    static COUNT: AtomicU64 = AtomicU64::new(0);
    format!("{:016x}", KEY.hash_one(COUNT.fetch_add(1, Ordering::Relaxed))).into()
}
