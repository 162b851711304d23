//! Request bodies: read at a bearable pace, within a limit, and drained when they are refused.
//!
//! What does not live here: what is in them.

use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;

use axum::body::{Body, BodyDataStream};
use bytes::{Bytes, BytesMut};
use futures_util::{Stream, StreamExt};
use tokio::sync::Semaphore;
use tokio::time::{Instant, Sleep};

/// The slowest average, in bytes a second, once the time for a first pause is over.
const SLOWEST: u64 = 1024;
/// The same for a large body.
const SLOWEST_OF_LARGE: u64 = 32 << 10;
/// From how many bytes on a body is large, and how many of these may arrive at a time: what has arrived is in memory.
const LARGE: usize = 64 << 10;
pub(super) const LARGE_BODIES: usize = 64;
/// How much of a refused body is read and thrown away, so that a client that is still sending sees the reply rather than
/// a broken connection.
const DRAINED: usize = 8 << 20;
/// How long draining may take.
const DRAINING: Duration = Duration::from_secs(2);

/// Why a body cannot be read.
#[derive(Debug, thiserror::Error)]
pub(super) enum Error {
    #[error("the body is limited to {limit} bytes")]
    TooLarge { limit: u64 },
    #[error("the body arrives too slowly")]
    TooSlow,
    #[error("the body was cut off")]
    Broken,
    #[error("too many large requests are arriving; try again")]
    Crowded,
}

/// A body as it arrives.
pub(super) struct Incoming {
    data: Option<BodyDataStream>,
    stall: Duration,
    slowest: u64,
    started: Instant,
    last: Instant,
    received: u64,
    timer: Pin<Box<Sleep>>,
}

impl Incoming {
    /// `body`, which may stall for `stall` at a time.
    pub(super) fn new(body: Body, stall: Duration) -> Self {
        let now = Instant::now();
        Self {
            data: Some(body.into_data_stream()),
            stall,
            slowest: SLOWEST,
            started: now,
            last: now,
            received: 0,
            timer: Box::pin(tokio::time::sleep_until(now + stall)),
        }
    }

    /// All of it. If it is large it takes one of the places for `large` ones while it arrives.
    pub(super) async fn read(mut self, limit: u64, large: &Semaphore) -> Result<Bytes, Error> {
        let (mut whole, mut place) = (BytesMut::new(), None);
        while let Some(chunk) = self.next().await {
            let chunk = chunk?;
            if (whole.len() + chunk.len()) as u64 > limit {
                return Err(Error::TooLarge { limit });
            }
            if place.is_none() && whole.len() + chunk.len() > LARGE {
                place = Some(large.try_acquire().map_err(|_| Error::Crowded)?);
                self.slowest = SLOWEST_OF_LARGE;
            }
            whole.extend_from_slice(&chunk);
        }
        Ok(whole.freeze())
    }

    /// When the next bytes have to be here: neither a long pause nor a slow average is borne.
    fn due(&self) -> Instant {
        let average = self.started + self.stall + Duration::from_secs(self.received / self.slowest);
        average.min(self.last + self.stall)
    }
}

impl Stream for Incoming {
    type Item = Result<Bytes, Error>;

    fn poll_next(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        let this = &mut *self;
        let Some(data) = &mut this.data else { return Poll::Ready(None) };
        match data.poll_next_unpin(context) {
            Poll::Ready(Some(Ok(chunk))) => {
                this.received += chunk.len() as u64;
                this.last = Instant::now();
                Poll::Ready(Some(Ok(chunk)))
            }
            Poll::Ready(Some(Err(error))) => {
                tracing::debug!(error = %error, "a body was cut off");
                this.data = None;
                Poll::Ready(Some(Err(Error::Broken)))
            }
            Poll::Ready(None) => {
                this.data = None;
                Poll::Ready(None)
            }
            Poll::Pending => {
                let due = this.due();
                this.timer.as_mut().reset(due);
                match this.timer.as_mut().poll(context) {
                    Poll::Ready(()) => {
                        this.data = None;
                        Poll::Ready(Some(Err(Error::TooSlow)))
                    }
                    Poll::Pending => Poll::Pending,
                }
            }
        }
    }
}

impl Drop for Incoming {
    /// What was not read is drained beside the reply.
    fn drop(&mut self) {
        let (Some(mut data), Ok(runtime)) = (self.data.take(), tokio::runtime::Handle::try_current()) else { return };
        runtime.spawn(tokio::time::timeout(DRAINING, async move {
            let mut drained = 0;
            while let Some(Ok(chunk)) = data.next().await {
                drained += chunk.len();
                if drained > DRAINED {
                    break;
                }
            }
        }));
    }
}
