//! The one way out: sends one request and takes one reply, within the policy.
//!
//! Redirects are not followed, nothing is unpacked, a reply is read no further than the policy allows, and no address but
//! a public or an allowed one is connected to. What does not live here: retries and waits (`session`), what a tool says.

mod address;
#[cfg(test)]
mod tests;
mod wait;

use std::fmt;
use std::sync::Arc;

use bytes::BytesMut;
use http::header::{CONTENT_ENCODING, CONTENT_TYPE};
use http::{HeaderMap, HeaderValue, Method, StatusCode};
use reqwest::redirect;
use url::Url;

pub(super) use self::address::Allowed;
use self::address::{Guard, LookUp, NotPublic, system};
pub(super) use self::wait::show as show_wait;
use super::error::{Error, ErrorKind};
use super::{Policy, settings};
use crate::value::shorten;

/// How Roster names itself to tools.
const USER_AGENT: &str = concat!("roster/", env!("CARGO_PKG_VERSION"));

/// What all readings of a process share: connections and the policy. A clone is the same client.
#[derive(Clone)]
pub struct Client(Arc<Inner>);

struct Inner {
    http: Result<reqwest::Client, String>,
    policy: Policy,
    allowed: Allowed,
}

impl fmt::Debug for Client {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Client").field("policy", &self.0.policy).finish_non_exhaustive()
    }
}

/// A request to a tool.
#[derive(Clone)]
pub(super) struct Request {
    pub(super) method: Method,
    pub(super) url: Url,
    pub(super) headers: HeaderMap,
    pub(super) body: Option<Vec<u8>>,
}

/// A reply, whole.
pub(super) struct Reply {
    pub(super) status: StatusCode,
    pub(super) headers: HeaderMap,
    pub(super) body: Vec<u8>,
}

/// A request that brought no reply.
pub(super) struct Failed {
    pub(super) error: Error,
    /// Whether the next try may go better.
    pub(super) is_passing: bool,
}

impl Client {
    /// A client that keeps to this policy.
    #[must_use]
    pub fn new(policy: Policy) -> Self {
        Self::with_look_up(policy, system())
    }

    fn with_look_up(policy: Policy, look_up: LookUp) -> Self {
        let allowed = Allowed::new(&policy.allowed_hosts);
        let guard = Guard { allowed: allowed.clone(), look_up };
        let http = build(&policy, guard);
        Self(Arc::new(Inner { http, policy, allowed }))
    }

    /// The policy that it keeps to.
    #[must_use]
    pub fn policy(&self) -> &Policy {
        &self.0.policy
    }

    /// What stands at an address: the body of the reply to one GET, which has to say 200.
    ///
    /// # Errors
    /// Whatever the network, the policy or the one who answers has against it.
    pub async fn get(&self, url: &Url) -> Result<Vec<u8>, Error> {
        let request = Request { method: Method::GET, url: url.clone(), headers: HeaderMap::new(), body: None };
        let reply = self.send(&request).await.map_err(|failed| failed.error)?;
        if reply.status != StatusCode::OK {
            let message = format!("the answer is {}", reply.status);
            return Err(Error::new(ErrorKind::Unavailable, message, "").at(&request.method, url));
        }
        Ok(reply.body)
    }

    /// Sends a request once.
    pub(super) async fn send(&self, request: &Request) -> Result<Reply, Failed> {
        let here = |error: Error, is_passing| Failed { error: error.at(&request.method, &request.url), is_passing };
        let not_public = || here(settings::not_public(&request.url), false);
        let is_allowed = self.0.allowed.url(&request.url)
            && settings::is_scheme_allowed(&request.url, &self.0.allowed)
            && request.url.username().is_empty()
            && request.url.password().is_none();
        if !is_allowed {
            return Err(not_public());
        }
        let http = self.0.http.as_ref().map_err(|why| {
            here(Error::new(ErrorKind::Unreachable, format!("no connection can be made: {why}"), ""), false)
        })?;
        let mut builder = http.request(request.method.clone(), request.url.clone()).headers(request.headers.clone());
        if let Some(body) = &request.body {
            builder = builder.header(CONTENT_TYPE, HeaderValue::from_static("application/json")).body(body.clone());
        }
        let refuse = |error: reqwest::Error| {
            let (error, is_passing) = explain(&error, &request.url);
            here(error, is_passing)
        };
        let mut reply = builder.send().await.map_err(refuse)?;
        let is_expected = |address| self.0.allowed.address(address) || self.is_opened_by_name(&request.url);
        if !reply.remote_addr().is_none_or(|address| is_expected(address.ip())) {
            return Err(not_public());
        }
        if reply.headers().get(CONTENT_ENCODING).is_some_and(|encoding| encoding != "identity") {
            let message = "the reply is compressed, which was not asked for";
            let error = Error::new(ErrorKind::Malformed, message, "look whether a proxy in between compresses replies");
            return Err(here(error, false));
        }
        let most = self.0.policy.max_reply;
        let too_large = || {
            let message = format!("the reply is larger than {} KiB", most / 1024);
            here(Error::new(ErrorKind::TooLarge, message, "check that `settings.baseUrl` is the tool's"), false)
        };
        if reply.content_length().is_some_and(|length| length > most as u64) {
            return Err(too_large());
        }
        let mut body = BytesMut::new();
        while let Some(part) = reply.chunk().await.map_err(refuse)? {
            if body.len() + part.len() > most {
                return Err(too_large());
            }
            body.extend_from_slice(&part);
        }
        Ok(Reply { status: reply.status(), headers: reply.headers().clone(), body: body.into() })
    }

    fn is_opened_by_name(&self, url: &Url) -> bool {
        url.domain().is_some_and(|name| self.0.allowed.name(name))
    }
}

impl Reply {
    /// How long the tool asks to wait, and why, if it does.
    pub(super) fn asks_to_wait(&self, says_so: bool) -> Option<(Option<std::time::Duration>, String)> {
        wait::asked(self.status, &self.headers, says_so)
    }

    /// What `Retry-After` says.
    pub(super) fn retry_after(&self) -> Option<std::time::Duration> {
        wait::retry_after(&self.headers)
    }

    /// A header, if it is text.
    pub(super) fn header(&self, name: &str) -> Option<&str> {
        wait::text(&self.headers, name)
    }

    /// Whether it is a web page rather than data.
    pub(super) fn is_page(&self) -> bool {
        self.header("content-type").is_some_and(|r#type| r#type.to_ascii_lowercase().starts_with("text/html"))
    }

    /// Where the next page is: the `Link` header's `rel="next"` (RFC 8288).
    pub(super) fn next_link(&self) -> Option<String> {
        let links = self.headers.get_all("link").into_iter().filter_map(|value| value.to_str().ok());
        links.flat_map(|links| links.split('<').skip(1)).find_map(|link| {
            let (target, parameters) = link.split_once('>')?;
            let is_next = parameters.split(';').any(|parameter| {
                let Some((name, value)) = parameter.trim().trim_end_matches(',').split_once('=') else { return false };
                let value = value.trim().trim_end_matches(',').trim().trim_matches('"');
                name.trim().eq_ignore_ascii_case("rel")
                    && value.split_ascii_whitespace().any(|relation| relation.eq_ignore_ascii_case("next"))
            });
            is_next.then(|| target.to_owned())
        })
    }
}

fn build(policy: &Policy, guard: Guard) -> Result<reqwest::Client, String> {
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let mut roots = rustls::RootCertStore { roots: webpki_roots::TLS_SERVER_ROOTS.to_vec() };
    // What the machine trusts besides, such as an authority of the organisation's own. A machine may have nothing.
    roots.add_parsable_certificates(rustls_native_certs::load_native_certs().certs);
    let tls = rustls::ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .map_err(|error| error.to_string())?
        .with_root_certificates(roots)
        .with_no_client_auth();
    reqwest::Client::builder()
        .tls_backend_preconfigured(tls)
        .dns_resolver(guard)
        .redirect(redirect::Policy::none())
        .referer(false)
        .retry(reqwest::retry::never())
        .no_proxy()
        .user_agent(USER_AGENT)
        .connect_timeout(policy.connect_timeout)
        .read_timeout(policy.silence_timeout)
        .timeout(policy.request_timeout)
        .build()
        .map_err(|error| error.without_url().to_string())
}

/// What an error of the network says, and whether the next try may go better.
fn explain(error: &reqwest::Error, url: &Url) -> (Error, bool) {
    let mut cause: &dyn std::error::Error = error;
    loop {
        if cause.is::<NotPublic>() {
            return (settings::not_public(url), false);
        }
        match cause.source() {
            Some(source) => cause = source,
            None => break,
        }
    }
    let root = shorten(&cause.to_string());
    let new = |message: String, mend: &str| Error::new(ErrorKind::Unreachable, message, mend);
    if error.is_timeout() {
        return (new("the tool does not answer in time".to_owned(), "try again later"), true);
    }
    if error.is_connect() {
        let message = format!("no connection can be made: {root}");
        if root.contains("certificate") {
            let mend = "have the machine trust the authority that issued the tool's certificate";
            return (new(message, mend), false);
        }
        return (new(message, "check `settings.baseUrl`, and that this machine may reach it"), true);
    }
    (new(format!("the connection broke off: {root}"), "try again later"), true)
}
