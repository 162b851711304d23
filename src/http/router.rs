//! The table of routes, and the layers around all of them.
//!
//! What does not live here: what a route does.

use axum::extract::{Request, State};
use axum::middleware::{from_fn, from_fn_with_state, map_response_with_state};
use axum::response::Response;
use axum::routing::{any, get};
use axum::{Extension, Router};
use http::header::{
    CACHE_CONTROL, CONTENT_SECURITY_POLICY, CONTENT_TYPE, REFERRER_POLICY, STRICT_TRANSPORT_SECURITY,
    X_CONTENT_TYPE_OPTIONS,
};
use http::{Extensions, HeaderMap, HeaderName, HeaderValue, StatusCode, Version};
use tower::util::option_layer;
use tower_http::CompressionLevel;
use tower_http::compression::CompressionLayer;
use tower_http::compression::predicate::{Predicate, SizeAbove};

use super::{AppState, cors, export, gate, graphql, guest, metrics, probes, reply, request_id};
use crate::telemetry::RequestId;

/// Smaller replies fit into one packet as they are.
const WORTH_COMPRESSING: u64 = 860;

/// What every reply says, unless a handler has said otherwise: nothing here is a page, or is to be kept.
const HEADERS: [(HeaderName, &str); 6] = [
    (X_CONTENT_TYPE_OPTIONS, "nosniff"),
    (CACHE_CONTROL, "no-store"),
    (CONTENT_SECURITY_POLICY, "default-src 'none'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"),
    (REFERRER_POLICY, "no-referrer"),
    (HeaderName::from_static("cross-origin-opener-policy"), "same-origin"),
    (HeaderName::from_static("cross-origin-resource-policy"), "same-origin"),
];

/// Everything that the server answers.
pub fn router(state: AppState) -> Router {
    let json_only = |_: StatusCode, _: Version, headers: &HeaderMap, _: &Extensions| is_json(headers);
    let compression = CompressionLayer::new()
        .quality(CompressionLevel::Fastest)
        .compress_when(Predicate::and(SizeAbove::new(WORTH_COMPRESSING), json_only));
    let origins = state.0.origins.clone();
    let cors = (!origins.is_empty()).then(|| cors::layer(origins));
    let exports = Router::new()
        .route("/export/users.csv", get(export::users))
        .route("/export/sample.csv", get(export::sample))
        .route("/export/org-units.csv", get(export::org_units))
        .route("/export/import-errors.csv", get(export::import_errors))
        .route("/export/unmatched-accounts.csv", get(export::unmatched_accounts))
        .route_layer(from_fn_with_state(state.clone(), guest::charge_for_export))
        .route_layer(from_fn(gate::permit));
    let metrics = Router::new().route(metrics::PATH, get(metrics::metrics)).route_layer(from_fn(gate::permit));
    Router::new()
        .route(graphql::PATH, any(graphql::graphql))
        .route("/livez", get(probes::live))
        .route("/readyz", get(probes::ready))
        .merge(exports)
        .merge(metrics)
        .fallback(not_found)
        .method_not_allowed_fallback(not_allowed)
        // The last is the outermost.
        .layer(compression)
        .layer(from_fn_with_state(state.clone(), guest::recognise))
        .layer(option_layer(cors))
        .layer(from_fn_with_state(state.clone(), gate::admit))
        .layer(from_fn(gate::catch_panics))
        .layer(from_fn_with_state(state.clone(), metrics::measure))
        .layer(map_response_with_state(state.clone(), add_headers))
        .layer(from_fn(request_id::name))
        .with_state(state)
}

async fn not_found(Extension(id): Extension<RequestId>) -> Response {
    reply::plain(StatusCode::NOT_FOUND, "NOT_FOUND", "there is nothing here; the API is at /graphql", &id)
}

async fn not_allowed(Extension(id): Extension<RequestId>, request: Request) -> Response {
    let message = format!("{} does not take {}", request.uri().path(), request.method());
    reply::plain(StatusCode::METHOD_NOT_ALLOWED, "BAD_REQUEST", &message, &id)
}

async fn add_headers(State(state): State<AppState>, mut response: Response) -> Response {
    if state.0.tls.is_some() {
        response.headers_mut().insert(STRICT_TRANSPORT_SECURITY, HeaderValue::from_static("max-age=31536000"));
    }
    for (name, value) in HEADERS {
        response.headers_mut().entry(name).or_insert(HeaderValue::from_static(value));
    }
    response
}

fn is_json(headers: &HeaderMap) -> bool {
    headers.get(CONTENT_TYPE).is_some_and(|value| {
        let value = value.as_bytes();
        value.starts_with(b"application/json") || value.starts_with(b"application/graphql-response+json")
    })
}
