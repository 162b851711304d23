//! Server-sent events: one operation a request, its results in the reply as they come.
//!
//! The frames are written by hand: each `complete` has a line of data, though an empty one, since browsers dispatch no
//! event without. What does not live here: when a client gets events rather than one reply, which is `graphql`'s.

use std::convert::Infallible;

use async_graphql::parser::types::OperationType;
use axum::body::Body;
use axum::response::{IntoResponse, Response};
use futures_util::{FutureExt, StreamExt, stream};
use http::HeaderName;
use http::header::{CONTENT_TYPE, VARY};
use tracing::Instrument;

use super::{Results, place, results, ticks};
use crate::http::AppState;
use crate::http::graphql::Operation;
use crate::http::guest::Guest;
use crate::http::reply::{self, Refusal};
use crate::telemetry::RequestId;

/// Asks nginx and its like to pass on each event as it comes.
const X_ACCEL_BUFFERING: HeaderName = HeaderName::from_static("x-accel-buffering");
/// A line that clients pass over. The first one lets the head of the reply go out at once.
const COMMENT: &str = ":\n\n";
const COMPLETE: &str = "event: complete\ndata:\n\n";

/// The reply to an operation, or to a document that cannot be one: the protocol wants its errors as an event.
pub(in crate::http) fn events(
    state: &AppState,
    id: &RequestId,
    guest: Guest,
    operation: Result<Operation, Refusal>,
) -> Result<Response, Refusal> {
    let place = place(state)?;
    let is_endless = operation.as_ref().is_ok_and(|operation| operation.kind == OperationType::Subscription);
    let results: Results = match operation {
        Ok(operation) => results(state, id, operation),
        Err(refusal) => stream::once(async { Err(refusal) }).boxed(),
    };
    let (draining, id, span) = (state.0.draining.clone(), id.clone(), tracing::Span::current());
    let held = (ticks(state), guest.leaves_beside(state.clone()).boxed(), place);
    let frames = stream::unfold((Some(results), held), move |(results, (mut ticks, mut leaves, place))| {
        let (draining, id) = (draining.clone(), id.clone());
        let next = async move {
            let mut results = results?;
            let last = |refusal| next(&format!("{{\"errors\":{}}}", reply::errors(&id, refusal))) + COMPLETE;
            let (frame, results) = tokio::select! {
                biased;
                refusal = &mut leaves => (last(refusal), None),
                result = results.next() => match result {
                    Some(Ok(json)) => (next(&json), Some(results)),
                    Some(Err(refusal)) => (last(refusal), None),
                    None => (COMPLETE.to_owned(), None),
                },
                _ = ticks.tick() => (COMMENT.to_owned(), Some(results)),
                // Without `complete` a client knows that it has not seen the end, and comes back.
                () = draining.cancelled(), if is_endless => return None,
            };
            Some((frame, (results, (ticks, leaves, place))))
        };
        next.instrument(span.clone()).boxed()
    });
    let frames = stream::once(async { COMMENT.to_owned() }).chain(frames).map(Ok::<_, Infallible>);
    let headers = [(CONTENT_TYPE, "text/event-stream; charset=utf-8"), (VARY, "accept"), (X_ACCEL_BUFFERING, "no")];
    Ok((headers, Body::from_stream(frames)).into_response())
}

/// One result. JSON has no line breaks.
fn next(json: &str) -> String {
    format!("event: next\ndata: {json}\n\n")
}
