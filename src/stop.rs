//! STOP. How a process learns that it is to end: by SIGTERM or SIGINT.

use std::io;

use tokio::signal::unix::{SignalKind, signal};

/// A future that ends with the first SIGTERM or SIGINT. Signals are watched from the call on.
///
/// # Errors
///
/// When the system refuses to report signals.
pub fn stop_signal() -> io::Result<impl Future<Output = ()>> {
    let mut terminate = signal(SignalKind::terminate())?;
    let mut interrupt = signal(SignalKind::interrupt())?;
    Ok(async move {
        tokio::select! {
            _ = terminate.recv() => tracing::info!("SIGTERM: stopping"),
            _ = interrupt.recv() => tracing::info!("SIGINT: stopping"),
        }
    })
}
