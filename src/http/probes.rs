//! Probes: `/livez` (the process answers) and `/readyz` (it can answer requests, and is not stopping).
//!
//! What does not live here: what readiness takes, which is the backend's to tell.

use std::time::Duration;

use axum::Extension;
use axum::extract::State;
use axum::response::{IntoResponse, Response};
use http::StatusCode;

use super::{AppState, reply};
use crate::telemetry::RequestId;

/// The paths of the probes: they are answered while the server is stopping.
pub(super) const PATHS: [&str; 2] = ["/livez", "/readyz"];

/// How long the backend may take to say that it is ready.
pub(super) const PATIENCE: Duration = Duration::from_millis(900);

pub(super) async fn live() -> &'static str {
    "ok"
}

pub(super) async fn ready(State(state): State<AppState>, Extension(id): Extension<RequestId>) -> Response {
    let not_ready = |why| reply::plain(StatusCode::SERVICE_UNAVAILABLE, "UNAVAILABLE", why, &id);
    if state.is_draining() {
        return not_ready("the server is stopping");
    }
    match tokio::time::timeout(PATIENCE, (state.0.backend.ready)()).await {
        Ok(true) => "ok".into_response(),
        Ok(false) | Err(_) => not_ready("the directory cannot be reached"),
    }
}
