//! TELEMETRY. How the process tells what it does: the log, the panic hook, and the id that names a request everywhere.
//!
//! What does not live here: what is logged. Each room logs its own events, once, where they are handled.

use std::fmt;
use std::panic;
use std::sync::Arc;

use tracing_subscriber::EnvFilter;

use crate::config::{Log, LogFormat};

/// The id of one request: in the log, in the reply's `x-request-id` and in each error.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RequestId(Arc<str>);

impl RequestId {
    /// The id as text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl From<String> for RequestId {
    fn from(id: String) -> Self {
        Self(id.into())
    }
}

impl fmt::Display for RequestId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// The library of WebSockets would log each message whole, and so the tokens that stand in the first ones.
const NO_MESSAGES: &str = "tungstenite=info";

/// Why the log could not be set up.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The setting `ROSTER_LOG` cannot be read.
    #[error("ROSTER_LOG: {0}")]
    Directives(tracing_subscriber::filter::ParseError),
    /// Something else has already set one up.
    #[error("the log is set up already")]
    Twice,
}

/// Starts the log, on standard error, and logs panics from then on.
///
/// # Errors
///
/// When the directives cannot be read, or when it is called twice.
pub fn start(settings: &Log) -> Result<(), Error> {
    let filter = EnvFilter::builder().parse(&settings.log).map_err(Error::Directives)?;
    let filter = filter.add_directive(NO_MESSAGES.parse().map_err(Error::Directives)?);
    let builder = tracing_subscriber::fmt().with_env_filter(filter).with_writer(std::io::stderr);
    match settings.log_format {
        LogFormat::Text => builder.with_ansi(false).try_init(),
        LogFormat::Json => builder.json().flatten_event(true).try_init(),
    }
    .map_err(|_| Error::Twice)?;
    log_panics();
    Ok(())
}

/// A panic is a fault in this program: it is logged with its place, inside the span of the request that met it. What
/// the client gets is the business of whoever catches it.
fn log_panics() {
    panic::set_hook(Box::new(|info| {
        let message = info.payload_as_str().unwrap_or("a value that is not text");
        let place = info.location().map(ToString::to_string).unwrap_or_default();
        tracing::error!(panic.message = message, panic.place = place, "panicked at {place}: {message}");
    }));
}
