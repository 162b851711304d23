//! Connections: accepting, time limits, and stopping without breaking off what is under way.
//!
//! `axum::serve` sets no timer, so half a header would hold a connection for ever, and it waits without end when it
//! stops. What does not live here: what is answered.

use std::io;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::body::Body;
use http::Request;
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper_util::rt::{TokioIo, TokioTimer};
use hyper_util::service::TowerToHyperService;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::Semaphore;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;
use tower::ServiceExt;

use super::AppState;
use super::intake::{Intake, Metered};
use super::peer::Peer;
use super::router::router;
use super::stall::Stalling;
use crate::config::{Auth, Http};

/// The most headers in a request.
const MAX_HEADERS: usize = 100;
/// The most bytes of headers, and of what is buffered of a body.
const MAX_BUFFER: usize = 64 << 10;

/// Why the server cannot start. Each says what to change.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The address can be reached from other machines.
    #[error(
        "ROSTER_LISTEN: {0} can be reached from other machines, and ROSTER_AUTH=none lets everybody do everything; \
         use 127.0.0.1 or [::1], or tokens"
    )]
    NotLoopback(SocketAddr),
    /// Another process listens there.
    #[error("ROSTER_LISTEN: {0} is in use by another process")]
    InUse(SocketAddr),
    /// The system refuses.
    #[error("ROSTER_LISTEN: cannot listen on {0}: {1}")]
    Listen(SocketAddr, io::Error),
    /// A setting cannot be used.
    #[error("{setting}: {why}")]
    Setting {
        /// The environment's variable.
        setting: &'static str,
        /// What is wrong, and where.
        why: String,
    },
    /// The folder for uploads and exports cannot be made.
    #[error("cannot make the folder for uploads and exports {0}: {1} (--data-dir)")]
    Spool(PathBuf, io::Error),
}

impl Error {
    pub(super) fn setting(setting: &'static str, why: impl Into<String>) -> Self {
        Self::Setting { setting, why: why.into() }
    }
}

/// Listens on `address`, which has to be a loopback one where nobody is asked who they are.
///
/// # Errors
///
/// When others could reach it then, or it cannot be had.
pub async fn bind(address: SocketAddr, auth: Auth) -> Result<TcpListener, Error> {
    if auth == Auth::None && !address.ip().to_canonical().is_loopback() {
        return Err(Error::NotLoopback(address));
    }
    TcpListener::bind(address).await.map_err(|error| match error.kind() {
        io::ErrorKind::AddrInUse => Error::InUse(address),
        _ => Error::Listen(address, error),
    })
}

/// Serves `state` on `listener` until `stop` ends, then finishes what is under way, for as long as it may take.
/// Meanwhile probes are still answered, and anything else new is told to come back.
pub async fn serve(listener: TcpListener, state: AppState, stop: impl Future<Output = ()>) {
    let http = state.0.http.clone();
    let front = Front {
        router: router(state.clone()),
        permits: state.0.connections.clone(),
        http,
        state: state.clone(),
        open: TaskTracker::new(),
        stopping: state.0.draining.clone(),
    };
    tokio::select! {
        () = front.accept(&listener, true) => {}
        () = stop => {}
    }
    front.open.close();
    state.drain();
    let drain_timeout = front.http.drain_timeout;
    let (connections, sockets, mutations) = (front.open.len(), state.0.sockets.len(), state.0.mutations.len());
    tracing::info!(connections, sockets, mutations, "finishing what is under way");
    let finish = async {
        tokio::join!(front.open.wait(), state.0.sockets.wait(), state.0.mutations.wait());
    };
    let late = Front { open: TaskTracker::new(), stopping: CancellationToken::new(), ..front.clone() };
    tokio::select! {
        outcome = tokio::time::timeout(drain_timeout, finish) => match outcome {
            Ok(()) => tracing::info!("stopped"),
            Err(_) => tracing::warn!(mutations = state.0.mutations.len(), "stopped with work under way"),
        },
        () = late.accept(&listener, false) => {}
    }
}

/// What accepting needs.
#[derive(Clone)]
struct Front {
    router: Router,
    permits: Arc<Semaphore>,
    http: Http,
    state: AppState,
    /// The connections that speak HTTP; a WebSocket is one no longer.
    open: TaskTracker,
    /// From then on, a connection ends with the answer that it is at.
    stopping: CancellationToken,
}

impl Front {
    /// Accepts connections for ever. At the most that there may be, further ones wait in the system's queue.
    async fn accept(&self, listener: &TcpListener, keep_alive: bool) {
        loop {
            // The semaphore is never closed.
            let Ok(permit) = self.permits.clone().acquire_owned().await else { return };
            match listener.accept().await {
                Ok((stream, peer)) => {
                    let front = self.clone();
                    self.open.spawn(async move {
                        front.converse(stream, Peer(peer.ip()), keep_alive).await;
                        drop(permit);
                    });
                }
                Err(error) if is_of_one_connection(&error) => {}
                Err(error) => {
                    // Most likely no descriptors are left; connections that end will give some back.
                    tracing::error!(%error, "cannot accept connections");
                    tokio::time::sleep(Duration::from_millis(100)).await;
                }
            }
        }
    }

    /// Answers the requests of one connection. The time for headers is also that between two requests.
    async fn converse(self, stream: TcpStream, peer: Peer, keep_alive: bool) {
        if let Err(error) = stream.set_nodelay(true) {
            tracing::debug!(%error, "cannot set TCP_NODELAY");
        }
        let stream = Stalling::new(stream, self.http.stall_timeout);
        let Some(tls) = &self.state.0.tls else { return self.speak(stream, peer, keep_alive).await };
        // The handshake is a part of what comes before a request.
        match tokio::time::timeout(self.http.header_timeout, tls.acceptor().accept(stream)).await {
            Ok(Ok(stream)) => self.speak(stream, peer, keep_alive).await,
            Ok(Err(error)) => tracing::debug!(%error, "a client and this server agree on no TLS"),
            Err(_) => tracing::debug!("a client has taken too long for its handshake"),
        }
    }

    /// Speaks HTTP.
    async fn speak(self, stream: impl AsyncRead + AsyncWrite + Unpin + Send + 'static, peer: Peer, keep_alive: bool) {
        let intake = Intake::default();
        let io = TokioIo::new(Metered::new(stream, intake.clone()));
        let service = self.router.map_request(move |mut request: Request<Incoming>| {
            request.extensions_mut().insert(peer);
            request.extensions_mut().insert(intake.clone());
            request.map(Body::new)
        });
        let connection = http1::Builder::new()
            .timer(TokioTimer::new())
            .header_read_timeout(self.http.header_timeout)
            .max_headers(MAX_HEADERS)
            .max_buf_size(MAX_BUFFER)
            .keep_alive(keep_alive)
            .serve_connection(io, TowerToHyperService::new(service))
            .with_upgrades();
        let mut connection = pin!(connection);
        let outcome = tokio::select! {
            outcome = connection.as_mut() => outcome,
            () = self.stopping.cancelled() => {
                connection.as_mut().graceful_shutdown();
                connection.await
            }
        };
        if let Err(error) = outcome {
            tracing::debug!(%error, "a connection ended early");
        }
    }
}

fn is_of_one_connection(error: &io::Error) -> bool {
    matches!(
        error.kind(),
        io::ErrorKind::ConnectionAborted | io::ErrorKind::ConnectionReset | io::ErrorKind::ConnectionRefused
    )
}
