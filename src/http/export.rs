//! Downloads: CSV files as they are written. See `spool` for how a slow reader holds nothing up.
//!
//! What does not live here: what is in them, which is the backend's.

use axum::Extension;
use axum::extract::{Query, State};
use axum::response::{IntoResponse, Response};
use http::StatusCode;
use http::header::{CONTENT_DISPOSITION, CONTENT_TYPE, RETRY_AFTER};
use serde::Deserialize;

use super::{AppState, Begin, reply, spool};
use crate::telemetry::RequestId;

/// What the address of a download says.
#[derive(Deserialize)]
pub(super) struct Wanted {
    /// A filter, as JSON.
    filter: Option<String>,
}

/// The users that the filter selects, or all.
pub(super) async fn users(
    State(state): State<AppState>,
    Extension(id): Extension<RequestId>,
    Query(wanted): Query<Wanted>,
) -> Response {
    let begin = state.0.backend.users_csv.clone();
    download(&state, &id, "attachment; filename=\"users.csv\"", &begin, wanted.filter).await
}

/// A file to start from.
pub(super) async fn sample(State(state): State<AppState>, Extension(id): Extension<RequestId>) -> Response {
    let begin = state.0.backend.sample_csv.clone();
    download(&state, &id, "attachment; filename=\"sample.csv\"", &begin, None).await
}

async fn download(
    state: &AppState,
    id: &RequestId,
    disposition: &'static str,
    begin: &Begin,
    filter: Option<String>,
) -> Response {
    let Ok(permit) = state.0.exports.clone().try_acquire_owned() else {
        let busy = reply::plain(StatusCode::TOO_MANY_REQUESTS, "UNAVAILABLE", "too many exports; try again", id);
        return ([(RETRY_AFTER, "1")], busy).into_response();
    };
    let produce = match begin(filter).await {
        Ok(produce) => produce,
        Err(refused) => {
            let status = match refused.code {
                "UNAVAILABLE" => StatusCode::SERVICE_UNAVAILABLE,
                "INTERNAL" => StatusCode::INTERNAL_SERVER_ERROR,
                _ => StatusCode::BAD_REQUEST,
            };
            return reply::plain(status, refused.code, &refused.message, id);
        }
    };
    match spool::follow(&state.0.spool_dir, state.0.http.max_export, permit, produce).await {
        Ok(body) => {
            let headers =
                [(CONTENT_TYPE, "text/csv; charset=utf-8; header=present"), (CONTENT_DISPOSITION, disposition)];
            (headers, body).into_response()
        }
        Err(error) => {
            tracing::error!(%error, "an export cannot begin");
            reply::plain(StatusCode::SERVICE_UNAVAILABLE, "UNAVAILABLE", "no room for the export; try again", id)
        }
    }
}
