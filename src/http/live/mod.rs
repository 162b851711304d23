//! Results that come by and by: over a WebSocket, by the protocol graphql-transport-ws, or as server-sent events, by the
//! protocol GraphQL over SSE in its mode of distinct connections.
//!
//! All kinds of operations are taken on both, and held to what holds for every request: the guard, the limits, the form
//! of errors. A subscription runs for as long as its client stays, and no further than the client reads: the next event
//! is asked for when the last is sent. What does not live here: which events there are.

mod events;
mod websocket;

pub(super) use events::events;
pub(super) use websocket::{STRANGERS, STRANGERS_OF_ONE, is_handshake, socket};

use std::panic::AssertUnwindSafe;
use std::time::Duration;

use async_graphql::parser::types::OperationType;
use futures_util::StreamExt;
use futures_util::stream::{self, BoxStream};
use http::StatusCode;
use tokio::sync::OwnedSemaphorePermit;
use tokio::time::{Instant, Interval, MissedTickBehavior, interval_at};

use super::AppState;
use super::graphql::{Operation, run};
use super::peer::Origin;
use super::reply::{self, Refusal};
use super::share::Share;
use crate::telemetry::RequestId;

/// What an operation gives: results as JSON, up to the first that is none.
type Results = BoxStream<'static, Result<String, Refusal>>;

/// The results of an operation: those of a subscription as its events come, else one.
fn results(state: &AppState, id: &RequestId, operation: Operation) -> Results {
    let (state, id) = (state.clone(), id.clone());
    if operation.kind != OperationType::Subscription {
        let result = async move { run(&state, &id, operation).await.and_then(|answer| reply::result(&id, answer)) };
        return stream::once(result).boxed();
    }
    let answers = (state.0.backend.subscribe)(operation.request, id.clone());
    AssertUnwindSafe(answers)
        .catch_unwind()
        .map(move |answer| answer.map_err(|_| Refusal::panicked()).and_then(|answer| reply::result(&id, answer)))
        .boxed()
}

/// The place of one WebSocket or event stream among those that there may be.
fn place(state: &AppState) -> Result<OwnedSemaphorePermit, Refusal> {
    let taken = state.0.streams.clone().try_acquire_owned();
    taken.map_err(|_| too_many("too many WebSockets and event streams; try again"))
}

/// The place of one WebSocket among those whose clients have yet to say who they are.
fn strange_place(state: &AppState, origin: Origin) -> Result<Share<Origin>, Refusal> {
    let taken = state.0.strangers.take(origin);
    taken.ok_or_else(|| too_many("too many WebSockets whose clients have not said who they are; try again"))
}

fn too_many(message: &str) -> Refusal {
    Refusal::new(StatusCode::TOO_MANY_REQUESTS, "UNAVAILABLE", message)
}

/// When to show signs of life.
fn ticks(state: &AppState) -> Interval {
    let period = state.0.http.ping_interval.max(Duration::from_millis(1));
    let mut ticks = interval_at(Instant::now() + period, period);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    ticks
}
