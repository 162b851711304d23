//! Downloads: CSV files as they are written. See `spool` for how a slow reader holds nothing up.
//!
//! A client can tell a whole file from one that broke off: the chunks of HTTP/1.1 have an end, and after it come trailers
//! for those who ask for them. HTTP/1.0 has no chunks, so there the length is said beforehand. A download breaks off, too,
//! when whoever asked is let in no longer. What does not live here: what is in the files, which is the backend's.

use axum::Extension;
use axum::extract::{Query, State};
use axum::response::{IntoResponse, Response};
use futures_util::FutureExt;
use http::header::{CACHE_CONTROL, CONTENT_DISPOSITION, CONTENT_LENGTH, CONTENT_TYPE, TRAILER};
use http::{HeaderMap, HeaderName, HeaderValue, StatusCode, Version};

use super::guest::Guest;
use super::reply::{self, Media};
use super::{AppState, Begin, Refused, spool};
use crate::telemetry::RequestId;

/// The version of the directory that a file shows.
pub(super) const VERSION: HeaderName = HeaderName::from_static("roster-version");

/// What the address of a download says, by the names of its parameters.
type Parameters = Query<Vec<(String, String)>>;

/// Users, as the parameters say.
pub(super) async fn users(
    State(state): State<AppState>,
    Extension(id): Extension<RequestId>,
    Extension(guest): Extension<Guest>,
    version: Version,
    Query(parameters): Parameters,
) -> Response {
    let begin = state.0.backend.users_csv.clone();
    download(&state, &id, (guest, version), "attachment; filename=\"users.csv\"", &begin, parameters).await
}

/// The org units.
pub(super) async fn org_units(
    State(state): State<AppState>,
    Extension(id): Extension<RequestId>,
    Extension(guest): Extension<Guest>,
    version: Version,
    Query(parameters): Parameters,
) -> Response {
    let begin = state.0.backend.org_units_csv.clone();
    download(&state, &id, (guest, version), "attachment; filename=\"org-units.csv\"", &begin, parameters).await
}

/// The rows of an import draft that cannot be imported.
pub(super) async fn import_errors(
    State(state): State<AppState>,
    Extension(id): Extension<RequestId>,
    Extension(guest): Extension<Guest>,
    version: Version,
    Query(parameters): Parameters,
) -> Response {
    let begin = state.0.backend.import_errors_csv.clone();
    download(&state, &id, (guest, version), "attachment; filename=\"import-errors.csv\"", &begin, parameters).await
}

/// The accounts that are with nobody, to be filled in.
pub(super) async fn unmatched_accounts(
    State(state): State<AppState>,
    Extension(id): Extension<RequestId>,
    Extension(guest): Extension<Guest>,
    version: Version,
    Query(parameters): Parameters,
) -> Response {
    let begin = state.0.backend.unmatched_accounts_csv.clone();
    download(&state, &id, (guest, version), "attachment; filename=\"unmatched-accounts.csv\"", &begin, parameters).await
}

/// A file to start from.
pub(super) async fn sample(
    State(state): State<AppState>,
    Extension(id): Extension<RequestId>,
    Extension(guest): Extension<Guest>,
    version: Version,
    Query(mut parameters): Parameters,
) -> Response {
    parameters.push(("template".to_owned(), "true".to_owned()));
    let begin = state.0.backend.users_csv.clone();
    download(&state, &id, (guest, version), "attachment; filename=\"sample.csv\"", &begin, parameters).await
}

async fn download(
    state: &AppState,
    id: &RequestId,
    (guest, version): (Guest, Version),
    disposition: &'static str,
    begin: &Begin,
    parameters: Vec<(String, String)>,
) -> Response {
    let Ok(permit) = state.0.exports.clone().try_acquire_owned() else {
        return reply::plain(StatusCode::TOO_MANY_REQUESTS, "UNAVAILABLE", "too many exports; try again", id);
    };
    let download = match begin(parameters, guest.principal.role).await {
        Ok(download) => download,
        Err(refused) => return refuse(&refused, id),
    };
    let mut headers = HeaderMap::from_iter([
        (CONTENT_TYPE, HeaderValue::from_static("text/csv; charset=utf-8; header=present")),
        (CONTENT_DISPOSITION, HeaderValue::from_static(disposition)),
        // The digest is of the file as it is sent from here.
        (CACHE_CONTROL, HeaderValue::from_static("no-store, no-transform")),
        (spool::ROWS, HeaderValue::from(download.rows)),
        (VERSION, HeaderValue::from(download.version)),
    ]);
    let spooled = spool::follow(&state.0.spool_dir, state.0.http.max_export, permit, download.produce).await;
    let mut reader = match spooled {
        Ok(reader) => reader,
        Err(error) => {
            tracing::error!(%error, "an export cannot begin");
            let message = "no room for the export; try again";
            return reply::plain(StatusCode::SERVICE_UNAVAILABLE, "UNAVAILABLE", message, id);
        }
    };
    let mut leaves = guest.leaves_beside(state.clone()).boxed();
    if version >= Version::HTTP_11 {
        headers.insert(TRAILER, HeaderValue::from_static("Repr-Digest, Roster-Row-Count"));
    } else {
        let whole = tokio::select! {
            refusal = &mut leaves => return reply::refuse(Media::Json, id, refusal),
            whole = reader.whole() => whole,
        };
        let Ok((length, whole)) = whole else {
            return reply::plain(StatusCode::INTERNAL_SERVER_ERROR, "INTERNAL", "internal error", id);
        };
        headers.extend(whole);
        headers.insert(CONTENT_LENGTH, HeaderValue::from(length));
    }
    let ends = leaves.map(|refusal| tracing::info!(reason = refusal.message(), "a download is broken off"));
    (headers, reader.into_body(ends)).into_response()
}

fn refuse(refused: &Refused, id: &RequestId) -> Response {
    let status = match refused.code {
        "UNAVAILABLE" => StatusCode::SERVICE_UNAVAILABLE,
        "INTERNAL" => StatusCode::INTERNAL_SERVER_ERROR,
        "NOT_FOUND" => StatusCode::NOT_FOUND,
        _ => StatusCode::BAD_REQUEST,
    };
    reply::plain(status, refused.code, &refused.message, id)
}
