//! How much a connection may send: without end, but for a WebSocket whose client has yet to say who it is.
//!
//! The protocol of WebSockets has one limit for as long as a socket is open, and a message may be large once it is known
//! who sends it. What does not live here: when a limit is set and lifted, which is `live`'s.

use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::task::{Context, Poll};

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

/// Without a limit.
const ENDLESS: usize = usize::MAX;

/// How many bytes a connection may still send; shared with the connection.
#[derive(Clone, Debug)]
pub(super) struct Intake(Arc<AtomicUsize>);

impl Intake {
    /// Takes so many more bytes, give or take what is read at a time.
    pub(super) fn limit(&self, bytes: usize) {
        self.0.store(bytes, Ordering::Relaxed);
    }

    /// Takes whatever comes.
    pub(super) fn lift(&self) {
        self.limit(ENDLESS);
    }
}

impl Default for Intake {
    fn default() -> Self {
        Self(Arc::new(AtomicUsize::new(ENDLESS)))
    }
}

/// A connection that fails when more comes than it may send.
pub(super) struct Metered<I> {
    inner: I,
    intake: Intake,
}

impl<I> Metered<I> {
    pub(super) fn new(inner: I, intake: Intake) -> Self {
        Self { inner, intake }
    }
}

impl<I: AsyncRead + Unpin> AsyncRead for Metered<I> {
    fn poll_read(mut self: Pin<&mut Self>, context: &mut Context<'_>, into: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        let left = self.intake.0.load(Ordering::Relaxed);
        if left == 0 {
            return Poll::Ready(Err(io::Error::new(io::ErrorKind::FileTooLarge, "more comes than may be sent")));
        }
        let before = into.filled().len();
        let outcome = Pin::new(&mut self.inner).poll_read(context, into);
        if left != ENDLESS {
            self.intake.limit(left.saturating_sub(into.filled().len() - before));
        }
        outcome
    }
}

impl<I: AsyncWrite + Unpin> AsyncWrite for Metered<I> {
    fn poll_write(mut self: Pin<&mut Self>, context: &mut Context<'_>, from: &[u8]) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.inner).poll_write(context, from)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        from: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.inner).poll_write_vectored(context, from)
    }

    fn is_write_vectored(&self) -> bool {
        self.inner.is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.inner).poll_flush(context)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.inner).poll_shutdown(context)
    }
}
