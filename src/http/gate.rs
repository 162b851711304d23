//! Who is let in: requests for this host, while the server is not stopping; and what happens when a handler panics.
//!
//! What does not live here: which methods and media types a handler takes.

use std::net::IpAddr;
use std::panic::AssertUnwindSafe;

use axum::Extension;
use axum::extract::{Request, State};
use axum::middleware::Next;
use axum::response::Response;
use futures_util::FutureExt;
use http::header::{CONNECTION, HOST, ORIGIN};
use http::{HeaderMap, HeaderValue, StatusCode};

use super::{AppState, probes, reply};
use crate::access::{Principal, matrix};
use crate::config::Auth;
use crate::telemetry::RequestId;

/// Refuses names that are not this server's, and new work while draining.
///
/// Where nobody is asked who they are, the address is a loopback one. A web page can make its own name point there, and is
/// then free to send any header; but the browser still says the name that it believes in. A page knows no token, so with
/// tokens names are only looked at where some are set.
pub(super) async fn admit(
    State(state): State<AppState>,
    Extension(id): Extension<RequestId>,
    request: Request,
    next: Next,
) -> Response {
    let looks_at_names = state.0.sign_in.auth == Auth::None || !state.0.http.allowed_hosts.is_empty();
    if let Some(host) = host_of(&request).filter(|_| looks_at_names)
        && !is_ours(host, &state.0.http.allowed_hosts)
    {
        let message = "this server does not answer to that host name; see ROSTER_ALLOWED_HOSTS";
        return reply::plain(StatusCode::MISDIRECTED_REQUEST, "BAD_REQUEST", message, &id);
    }
    if state.is_draining() && !probes::PATHS.contains(&request.uri().path()) {
        let message = "the server is stopping; try again";
        let mut response = reply::plain(StatusCode::SERVICE_UNAVAILABLE, "UNAVAILABLE", message, &id);
        response.headers_mut().insert(CONNECTION, HeaderValue::from_static("close"));
        return response;
    }
    next.run(request).await
}

/// Refuses a file that is not for whoever asks.
pub(super) async fn permit(
    Extension(id): Extension<RequestId>,
    Extension(Principal { name, role }): Extension<Principal>,
    request: Request,
    next: Next,
) -> Response {
    let path = request.uri().path();
    let least = matrix::least(path);
    if role < least {
        let (role, least) = (role.name(), least.name());
        tracing::info!(who = name, role, path, least, "denied");
        let message = format!("`{path}` needs the role {least}; yours is {role}");
        return reply::plain(StatusCode::FORBIDDEN, "FORBIDDEN", &message, &id);
    }
    next.run(request).await
}

/// Whether a request comes from no web page, or from one of this very server. A page of another site cannot read what it
/// is answered, and cannot send JSON; a browser leaves it to the server to hold a WebSocket to the same.
pub(super) fn is_of_our_pages(headers: &HeaderMap) -> bool {
    let Some(origin) = headers.get(ORIGIN) else { return true };
    let page = origin.to_str().ok().and_then(|origin| origin.split_once("://"));
    let host = headers.get(HOST).and_then(|host| host.to_str().ok());
    page.zip(host)
        .is_some_and(|((scheme, page), host)| matches!(scheme, "http" | "https") && page.eq_ignore_ascii_case(host))
}

/// Turns a panic into a reply that tells nothing but the request's id. The panic hook has logged it.
pub(super) async fn catch_panics(Extension(id): Extension<RequestId>, request: Request, next: Next) -> Response {
    AssertUnwindSafe(next.run(request))
        .catch_unwind()
        .await
        .unwrap_or_else(|_| reply::plain(StatusCode::INTERNAL_SERVER_ERROR, "INTERNAL", "internal error", &id))
}

/// The host that the client means. Browsers always say one.
fn host_of(request: &Request) -> Option<&str> {
    match request.headers().get(HOST) {
        // A name that is not text is none of ours.
        Some(host) => Some(host.to_str().unwrap_or("?")),
        None => request.uri().authority().map(http::uri::Authority::as_str),
    }
}

fn is_ours(host: &str, allowed: &[String]) -> bool {
    let name = match host.rsplit_once(':') {
        Some((name, port)) if port.bytes().all(|byte| byte.is_ascii_digit()) => name,
        _ => host,
    };
    let bare = name.strip_prefix('[').and_then(|name| name.strip_suffix(']')).unwrap_or(name);
    name.eq_ignore_ascii_case("localhost")
        || bare.parse::<IpAddr>().is_ok_and(|address| address.to_canonical().is_loopback())
        || allowed.iter().any(|ours| ours.eq_ignore_ascii_case(name))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_our_own_names_are_answered_to() {
        let allowed = ["roster.example".to_owned()];
        for host in ["localhost", "LOCALHOST:8000", "127.0.0.1:80", "[::1]:8000", "roster.example:443"] {
            assert!(is_ours(host, &allowed), "{host}");
        }
        for host in ["evil.example", "localhost.evil.example", "127.0.0.1.evil.example", "10.0.0.1", "", "?", ":80"] {
            assert!(!is_ours(host, &allowed), "{host}");
        }
    }
    #[test]
    fn a_page_of_another_origin_is_told_from_our_own() {
        let headers = |origin: &'static str| {
            let headers = [(HOST, "localhost:8000"), (ORIGIN, origin)];
            HeaderMap::from_iter(headers.map(|(name, value)| (name, HeaderValue::from_static(value))))
        };
        assert!(is_of_our_pages(&HeaderMap::new()), "no page at all");
        for ours in ["http://localhost:8000", "https://LOCALHOST:8000"] {
            assert!(is_of_our_pages(&headers(ours)), "{ours}");
        }
        for other in [
            "null",
            "",
            "localhost:8000",
            "http://localhost",
            "http://localhost:8001",
            "http://127.0.0.1:8000",
            "http://localhost:8000.evil.example",
            "http://evil.example",
            "file://localhost:8000",
        ] {
            assert!(!is_of_our_pages(&headers(other)), "{other}");
        }
    }
}
