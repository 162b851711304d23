//! TRANSPORT. Sockets, HTTP and the GraphQL-over-HTTP protocol; knows axum, and nothing of users.
//!
//! A request comes in through [`server`] (connections, time limits, draining), passes the layers and the table of routes
//! in [`router`], of which `guest` finds out who asks, and reaches one handler: `graphql`, `export`, `metrics` or
//! `probes`. `graphql` hands what is answered by and by to `live`. What the handlers need of the rooms behind them is a
//! [`Backend`] of a few functions, so this room can be tested alone. What does not live here: what an operation means, and
//! which errors the directory has.

mod body;
mod cors;
mod envelope;
mod export;
mod gate;
mod graphql;
mod guest;
mod intake;
mod live;
mod metrics;
mod multipart;
mod peer;
mod probes;
mod reply;
mod request_id;
pub mod router;
pub mod server;
mod share;
pub mod spool;
mod stall;
#[cfg(test)]
mod tests;
mod tls;
mod trusted;
mod window;

use std::path::PathBuf;
use std::sync::Arc;

use async_graphql::parser::types::{ExecutableDocument, OperationDefinition};
use async_graphql::{Request, Response};
use futures_util::future::BoxFuture;
use futures_util::stream::BoxStream;
use http::HeaderValue;
use tokio::sync::Semaphore;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use crate::access::{Admitted, Bearer, Denied, Role};
use crate::config::{Config, Http, Limits, SignIn};
use crate::graphql::permission;
use crate::telemetry::RequestId;
pub use metrics::Gauge;
use metrics::Metrics;
use peer::Origin;
use share::Shares;
use tls::Tls;
use trusted::Trusted;
use window::Windows;

/// Finds out who brings this.
pub type Authenticate = Arc<dyn Fn(Bearer) -> BoxFuture<'static, Result<Admitted, Denied>> + Send + Sync>;

/// Checks that everything that an operation, which is one of the document, asks for is for the role.
pub type Permit =
    Arc<dyn Fn(&ExecutableDocument, &OperationDefinition, Role) -> Result<(), permission::Denied> + Send + Sync>;

/// Runs one GraphQL query or mutation that has passed the guard.
pub type Execute = Arc<dyn Fn(Request, RequestId) -> BoxFuture<'static, Response> + Send + Sync>;

/// Runs one GraphQL subscription that has passed the guard: a response for each event, until the stream is dropped.
pub type Subscribe = Arc<dyn Fn(Request, RequestId) -> BoxStream<'static, Response> + Send + Sync>;

/// Whether requests can be answered now: the database answers and the index is loaded.
pub type Ready = Arc<dyn Fn() -> BoxFuture<'static, bool> + Send + Sync>;

/// Says how the directory is; nothing where that cannot be found out.
pub type Measure = Arc<dyn Fn() -> BoxFuture<'static, Option<Vec<Gauge>>> + Send + Sync>;

/// Writes one file for download, and gives how many rows it has written.
pub type Produce = Box<dyn FnOnce(spool::Writer) -> BoxFuture<'static, std::io::Result<u64>> + Send>;

/// Begins a file for download, as the parameters of its address say and the role sees the directory.
pub type Begin =
    Arc<dyn Fn(Vec<(String, String)>, Role) -> BoxFuture<'static, Result<Download, Refused>> + Send + Sync>;

/// A file for download that is about to be written.
pub struct Download {
    /// How many rows it will have, beside its header.
    pub rows: u64,
    /// The version of the directory that it shows.
    pub version: i64,
    /// Writes it.
    pub produce: Produce,
}

/// Why there is no file.
#[derive(Clone, Debug)]
pub struct Refused {
    /// The stable code.
    pub code: &'static str,
    /// A sentence that clients may see.
    pub message: String,
}

/// The rooms behind this one, as what is asked of them.
#[derive(Clone)]
pub struct Backend {
    /// Finds out who brings a token.
    pub authenticate: Authenticate,
    /// Checks what an operation asks for.
    pub permit: Permit,
    /// Runs a GraphQL query or mutation.
    pub execute: Execute,
    /// Runs a GraphQL subscription.
    pub subscribe: Subscribe,
    /// Tells whether requests can be answered.
    pub ready: Ready,
    /// Tells how the directory is.
    pub measure: Measure,
    /// Begins a CSV file of users.
    pub users_csv: Begin,
    /// Begins an export of org units.
    pub org_units_csv: Begin,
    /// Begins a file of the rows of an import draft that cannot be imported; `draft` names it.
    pub import_errors_csv: Begin,
    /// Begins a CSV file of the accounts that are with nobody.
    pub unmatched_accounts_csv: Begin,
}

/// What every handler holds; cheap to clone.
#[derive(Clone)]
pub struct AppState(Arc<State>);

/// What [`AppState`] points to.
struct State {
    backend: Backend,
    http: Http,
    limits: Limits,
    sign_in: SignIn,
    /// Attempts to sign in that failed.
    attempts: Windows<Origin>,
    /// Points that were used.
    points: Windows<Arc<str>>,
    /// The only documents that run, where there is a list of them.
    trusted: Option<Trusted>,
    /// The certificate, where TLS is spoken.
    tls: Option<Tls>,
    /// Origins whose pages may call.
    origins: Vec<HeaderValue>,
    spool_dir: PathBuf,
    /// What is counted.
    metrics: Metrics,
    /// One permit a connection.
    connections: Arc<Semaphore>,
    /// One permit an upload under way.
    uploads: Arc<Semaphore>,
    /// One permit an export under way.
    exports: Arc<Semaphore>,
    /// Mutations under way: they outlive the connections that asked for them.
    mutations: TaskTracker,
    /// One permit an operation that is carried out.
    requests: Arc<Semaphore>,
    /// One permit a large body that is arriving.
    large_bodies: Semaphore,
    /// One permit a WebSocket or event stream of somebody who is known.
    streams: Arc<Semaphore>,
    /// One place a WebSocket whose client has yet to say who it is.
    strangers: Arc<Shares<Origin>>,
    /// Open WebSockets.
    sockets: TaskTracker,
    /// From then on no new work is taken.
    draining: CancellationToken,
}

impl AppState {
    /// The state of a server set up by `config`, with `backend` behind it and uploads and exports under way in
    /// `spool_dir`.
    ///
    /// # Errors
    ///
    /// When the folder for uploads and exports cannot be created, or a setting cannot be used.
    pub fn new(backend: Backend, config: &Config, spool_dir: PathBuf) -> Result<Self, server::Error> {
        std::fs::create_dir_all(&spool_dir).map_err(|error| server::Error::Spool(spool_dir.clone(), error))?;
        let transfers = config.http.max_transfers as usize;
        Ok(Self(Arc::new(State {
            backend,
            http: config.http.clone(),
            limits: config.limits.clone(),
            sign_in: config.sign_in.clone(),
            attempts: Windows::new(guest::ATTEMPTS),
            points: Windows::new(config.sign_in.rate_limit),
            trusted: config.http.trusted_documents.as_deref().map(Trusted::open).transpose()?,
            tls: Tls::open(&config.http)?,
            origins: cors::origins(&config.http.cors_origins)?,
            spool_dir,
            metrics: Metrics::new(),
            connections: Arc::new(Semaphore::new(config.http.max_connections as usize)),
            uploads: Arc::new(Semaphore::new(transfers)),
            exports: Arc::new(Semaphore::new(transfers)),
            mutations: TaskTracker::new(),
            requests: Arc::new(Semaphore::new(config.http.max_requests as usize)),
            large_bodies: Semaphore::new(body::LARGE_BODIES),
            streams: Arc::new(Semaphore::new(config.http.max_streams as usize)),
            strangers: Arc::new(Shares::new(live::STRANGERS, live::STRANGERS_OF_ONE)),
            sockets: TaskTracker::new(),
            draining: CancellationToken::new(),
        })))
    }

    /// From now on the server is not ready, and takes no new work.
    fn drain(&self) {
        self.0.draining.cancel();
        self.0.mutations.close();
        self.0.sockets.close();
    }

    fn is_draining(&self) -> bool {
        self.0.draining.is_cancelled()
    }
}
