//! TRANSPORT. Sockets, HTTP and the GraphQL-over-HTTP protocol; knows axum, and nothing of users.
//!
//! A request comes in through [`server`] (connections, time limits, draining), passes the layers and the table of routes
//! in [`router`], and reaches one handler: `graphql`, `export` or `probes`. What the handlers need of the rooms behind
//! them is a [`Backend`] of a few functions, so this room can be tested alone. What does not live here: what an
//! operation means, and which errors the directory has.

mod body;
mod envelope;
mod export;
mod gate;
mod graphql;
mod multipart;
mod probes;
mod reply;
mod request_id;
pub mod router;
pub mod server;
pub mod spool;
mod stall;
#[cfg(test)]
mod tests;

use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use async_graphql::{Request, Response};
use futures_util::future::BoxFuture;
use tokio::sync::Semaphore;
use tokio_util::task::TaskTracker;

use crate::config::{Config, Http, Limits};
use crate::telemetry::RequestId;

/// Runs one GraphQL request that has passed the guard.
pub type Execute = Arc<dyn Fn(Request, RequestId) -> BoxFuture<'static, Response> + Send + Sync>;

/// Whether requests can be answered now: the database answers and the index is loaded.
pub type Ready = Arc<dyn Fn() -> BoxFuture<'static, bool> + Send + Sync>;

/// Writes one file for download.
pub type Produce = Box<dyn FnOnce(spool::Writer) -> BoxFuture<'static, std::io::Result<()>> + Send>;

/// Begins a file for download: of the users that a filter, as JSON, selects; without one, of all.
pub type Begin = Arc<dyn Fn(Option<String>) -> BoxFuture<'static, Result<Produce, Refused>> + Send + Sync>;

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
    /// Runs a GraphQL request.
    pub execute: Execute,
    /// Tells whether requests can be answered.
    pub ready: Ready,
    /// Begins a CSV file of users.
    pub users_csv: Begin,
    /// Begins the sample CSV file; takes no filter.
    pub sample_csv: Begin,
}

/// What every handler holds; cheap to clone.
#[derive(Clone)]
pub struct AppState(Arc<State>);

/// What [`AppState`] points to.
struct State {
    backend: Backend,
    http: Http,
    limits: Limits,
    spool_dir: PathBuf,
    /// One permit an upload under way.
    uploads: Semaphore,
    /// One permit an export under way.
    exports: Arc<Semaphore>,
    /// Mutations under way: they outlive the connections that asked for them.
    mutations: TaskTracker,
    draining: AtomicBool,
}

impl AppState {
    /// The state of a server set up by `config`, with `backend` behind it and uploads and exports under way in
    /// `spool_dir`.
    ///
    /// # Errors
    ///
    /// When the folder for uploads and exports cannot be created.
    pub fn new(backend: Backend, config: &Config, spool_dir: PathBuf) -> std::io::Result<Self> {
        std::fs::create_dir_all(&spool_dir)?;
        let transfers = config.http.max_transfers as usize;
        Ok(Self(Arc::new(State {
            backend,
            http: config.http.clone(),
            limits: config.limits.clone(),
            spool_dir,
            uploads: Semaphore::new(transfers),
            exports: Arc::new(Semaphore::new(transfers)),
            mutations: TaskTracker::new(),
            draining: AtomicBool::new(false),
        })))
    }

    /// From now on the server is not ready, and takes no new work.
    fn drain(&self) {
        self.0.draining.store(true, Ordering::Release);
        self.0.mutations.close();
    }

    fn is_draining(&self) -> bool {
        self.0.draining.load(Ordering::Acquire)
    }
}
