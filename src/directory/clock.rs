//! The one place that reads the time and makes ids, so that tests can step both.

use std::sync::Arc;
use std::sync::atomic::{AtomicI64, AtomicU64, Ordering};

use chrono::{DateTime, NaiveDate, SubsecRound, TimeDelta, Utc};
use uuid::Uuid;

use super::error::{Error, Result};
use crate::value::GlobalId;

/// Where times and ids come from.
#[derive(Clone, Debug, Default)]
pub enum Clock {
    /// The machine's time, and random ids.
    #[default]
    System,
    /// A time that moves a millisecond each time it is read, ids that count, and no salt: for tests.
    Stepped(Arc<Stepped>),
}

/// What tells this process, or this directory of a test, from others: never stepped.
#[expect(clippy::disallowed_methods, reason = "this is the one place")]
pub(super) fn process_id() -> Uuid {
    Uuid::now_v7()
}

/// The state of a stepped clock.
#[derive(Debug)]
pub struct Stepped {
    millis: AtomicI64,
    count: AtomicU64,
    breaks_at: AtomicU64,
}

impl Clock {
    /// A stepped clock that starts at 2026-01-01T00:00:00Z.
    #[must_use]
    pub fn stepped() -> Self {
        Self::Stepped(Arc::new(Stepped {
            millis: AtomicI64::new(1_767_225_600_000),
            count: AtomicU64::new(0),
            breaks_at: AtomicU64::new(u64::MAX),
        }))
    }

    /// The time, to the microsecond, which is what both databases keep.
    #[must_use]
    #[expect(clippy::disallowed_methods, reason = "this is the one place")]
    pub fn now(&self) -> DateTime<Utc> {
        match self {
            Self::System => Utc::now().trunc_subsecs(6),
            Self::Stepped(state) => {
                state.hold(state.count());
                DateTime::from_timestamp_millis(state.millis.fetch_add(1, Ordering::Relaxed)).unwrap_or_default()
            }
        }
    }

    /// The time, for what happens at no foreseeable moment, such as a sign of life: to look at it moves no clock.
    #[must_use]
    #[expect(clippy::disallowed_methods, reason = "this is the one place")]
    pub fn look(&self) -> DateTime<Utc> {
        match self {
            Self::System => Utc::now().trunc_subsecs(6),
            Self::Stepped(state) => {
                DateTime::from_timestamp_millis(state.millis.load(Ordering::Relaxed)).unwrap_or_default()
            }
        }
    }

    /// The day in UTC. To look at it moves no clock.
    #[must_use]
    pub fn today(&self) -> NaiveDate {
        self.look().date_naive()
    }

    /// Salts for so many changes of the log, one after the other.
    ///
    /// # Errors
    /// Where the system gives no randomness.
    pub(super) fn salts(&self, count: usize) -> Result<Vec<u8>> {
        match self {
            Self::System => chain::salts(count).map_err(|_| Error::internal("the system gives no randomness")),
            Self::Stepped(_) => Ok(vec![0; count * chain::SALT]),
        }
    }

    /// A new id, later than all before it in this process.
    #[must_use]
    #[expect(clippy::disallowed_methods, reason = "this is the one place")]
    pub fn id<I: GlobalId>(&self) -> I {
        I::from_uuid(match self {
            Self::System => Uuid::now_v7(),
            Self::Stepped(state) => {
                let count = state.count.fetch_add(1, Ordering::Relaxed) + 1;
                state.hold(count);
                // Version 7 and variant 1, a fixed time, and the count where the random bits would be.
                Uuid::from_u128(0x019b_7600_0000_7000_8000_0000_0000_0000 | u128::from(count))
            }
        })
    }
}

impl Stepped {
    /// Lets time pass.
    pub fn pass(&self, time: TimeDelta) {
        self.millis.fetch_add(time.num_milliseconds(), Ordering::Relaxed);
    }

    /// How many ids it has made.
    #[must_use]
    pub fn count(&self) -> u64 {
        self.count.load(Ordering::Relaxed)
    }

    /// Has whoever asks for the id of this number, or for an id or the time after it, panic.
    pub fn break_at(&self, count: u64) {
        self.breaks_at.store(count, Ordering::Relaxed);
    }

    fn hold(&self, count: u64) {
        assert!(count < self.breaks_at.load(Ordering::Relaxed), "the clock is broken");
    }
}
