//! Telling now and then how far something is that counts as it goes.

use std::future::Future;
use std::pin::pin;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

/// How often it is told.
const PERIOD: Duration = Duration::from_millis(100);

/// Does `work`, and tells now and then, and at the end, what `counter` says.
pub(crate) async fn watch<T>(work: impl Future<Output = T>, counter: &AtomicU64, mut tell: impl FnMut(u64)) -> T {
    let mut work = pin!(work);
    let mut ticks = tokio::time::interval(PERIOD);
    loop {
        tokio::select! {
            result = &mut work => {
                tell(counter.load(Ordering::Relaxed));
                return result;
            }
            _ = ticks.tick() => tell(counter.load(Ordering::Relaxed)),
        }
    }
}
