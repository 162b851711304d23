//! What can go wrong while a tool is read.
//!
//! All of it may be shown: no credential stands in it, and of what a tool said at most a short part.

use std::fmt;

use reqwest::Method;
use url::Url;

use crate::value::shorten;

/// What kind of error it is: one for each thing that is done differently about it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum ErrorKind {
    /// The tool does not take the credential, or there is none.
    Unauthenticated,
    /// The credential may not see what is asked for.
    Forbidden,
    /// What the settings name is not there.
    NotFound,
    /// The tool refuses the request.
    Refused,
    /// The policy has no such address, or not yet.
    AddressRefused,
    /// The tool asks to wait longer than one reading may.
    RateLimited,
    /// The tool is not reached, or breaks off, or takes too long.
    Unreachable,
    /// The tool says that it has a fault.
    Unavailable,
    /// The reply is not what the tool's API describes.
    Malformed,
    /// A reply, or the number of replies, is larger than a reading takes.
    TooLarge,
    /// The pages go round in a circle.
    Endless,
    /// The repository cannot be read.
    Repository,
    /// Nobody listens any more.
    Stopped,
}

/// What went wrong while a tool was read, at which request, and the mend.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Error {
    kind: ErrorKind,
    message: String,
    request: Option<String>,
    mend: String,
}

impl Error {
    pub(super) fn new(kind: ErrorKind, message: impl Into<String>, mend: impl Into<String>) -> Self {
        Self { kind, message: message.into(), request: None, mend: mend.into() }
    }

    /// At this request, unless another is named already.
    #[must_use]
    pub(super) fn at(mut self, method: &Method, url: &Url) -> Self {
        self.request.get_or_insert_with(|| describe(method, url));
        self
    }

    /// What kind of error it is.
    #[must_use]
    pub fn kind(&self) -> ErrorKind {
        self.kind
    }

    /// What went wrong, in words.
    #[must_use]
    pub fn message(&self) -> &str {
        &self.message
    }

    /// Which request it was: the method, the host and the path.
    #[must_use]
    pub fn request(&self) -> Option<&str> {
        self.request.as_deref()
    }

    /// What to do about it.
    #[must_use]
    pub fn mend(&self) -> &str {
        &self.mend
    }

    /// Its stable code, in capitals.
    #[must_use]
    pub fn code(&self) -> &'static str {
        match self.kind {
            ErrorKind::Unauthenticated => "CREDENTIAL_REFUSED",
            ErrorKind::Forbidden => "NOT_ALLOWED",
            ErrorKind::NotFound => "NOT_THERE",
            ErrorKind::Refused => "REQUEST_REFUSED",
            ErrorKind::AddressRefused => "ADDRESS_REFUSED",
            ErrorKind::RateLimited => "RATE_LIMITED",
            ErrorKind::Unreachable => "UNREACHABLE",
            ErrorKind::Unavailable => "TOOL_FAILED",
            ErrorKind::Malformed => "MALFORMED_REPLY",
            ErrorKind::TooLarge => "TOO_LARGE",
            ErrorKind::Endless => "ENDLESS_PAGES",
            ErrorKind::Repository => "REPOSITORY_UNREADABLE",
            ErrorKind::Stopped => "STOPPED",
        }
    }

    /// Whether the same reading may go well later without anybody mending anything.
    #[must_use]
    pub fn is_retryable(&self) -> bool {
        matches!(
            self.kind,
            ErrorKind::RateLimited | ErrorKind::Unreachable | ErrorKind::Unavailable | ErrorKind::Stopped
        )
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)?;
        if let Some(request) = &self.request {
            write!(f, " ({request})")?;
        }
        if !self.mend.is_empty() {
            write!(f, "; {}", self.mend)?;
        }
        Ok(())
    }
}

impl std::error::Error for Error {}

/// A request without its query, in which there may be more than should be shown.
fn describe(method: &Method, url: &Url) -> String {
    let port = url.port().map(|port| format!(":{port}")).unwrap_or_default();
    format!("{method} {}{port}{}", url.host_str().unwrap_or_default(), shorten(url.path()))
}
