//! CORS. Which pages of other origins may call: those that are listed, to the letter; by default none.

use std::time::Duration;

use http::header::{AUTHORIZATION, CONTENT_DISPOSITION, CONTENT_TYPE, RETRY_AFTER};
use http::{HeaderName, HeaderValue, Method};
use tower_http::cors::{AllowOrigin, CorsLayer};
use url::{Origin, Url};

use super::export::VERSION;
use super::graphql::PREFLIGHT;
use super::guest::{RATE_LIMIT, RATE_LIMIT_POLICY};
use super::request_id::X_REQUEST_ID;
use super::server::Error;
use super::spool::ROWS;

/// How long a browser may keep what it was told.
const KEPT: Duration = Duration::from_mins(10);

/// Reads the list of origins.
///
/// # Errors
/// One that names the setting, and the origin at fault.
pub(super) fn origins(given: &[String]) -> Result<Vec<HeaderValue>, Error> {
    let read = |text: &String| {
        // Compared as browsers send it: no path, no `/` at the end, no port that goes without saying.
        let is_origin = Url::parse(text).is_ok_and(|url| match url.origin() {
            Origin::Tuple(..) => url.origin().ascii_serialization() == *text && !text.contains('*'),
            Origin::Opaque(_) => false,
        });
        let value = HeaderValue::from_str(text).ok().filter(|_| is_origin);
        value.ok_or_else(|| {
            Error::setting("ROSTER_CORS_ORIGINS", format!("`{text}` is no origin such as `https://app.example`"))
        })
    };
    given.iter().filter(|text| !text.is_empty()).map(read).collect()
}

/// Tells browsers that pages of these origins may call. They bring a token; cookies are no part of it.
pub(super) fn layer(origins: Vec<HeaderValue>) -> CorsLayer {
    let asked = [AUTHORIZATION, CONTENT_TYPE].into_iter().chain(PREFLIGHT.map(HeaderName::from_static));
    let told = [CONTENT_DISPOSITION, RETRY_AFTER, RATE_LIMIT, RATE_LIMIT_POLICY, X_REQUEST_ID, ROWS, VERSION];
    CorsLayer::new()
        .allow_origin(AllowOrigin::list(origins))
        .allow_methods([Method::GET, Method::POST])
        .allow_headers(asked.collect::<Vec<_>>())
        .expose_headers(told)
        .max_age(KEPT)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_origin_is_written_as_browsers_send_it() {
        let read = |text: &str| origins(&[text.to_owned()]).is_ok();
        for right in ["https://app.example", "http://localhost:3000", "https://xn--bcher-kva.example"] {
            assert!(read(right), "{right}");
        }
        for wrong in [
            "*",
            "null",
            "app.example",
            "https://app.example/",
            "https://app.example:443",
            "https://*.example",
            "HTTPS://app.example",
            "https://a@app.example",
            "file:///x",
            "https://app.example/x",
        ] {
            assert!(!read(wrong), "{wrong}");
        }
        assert!(origins(&[String::new()]).unwrap_or_default().is_empty());
    }
}
