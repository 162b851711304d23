//! Counts by the minute: how much each caller has used of what there is for each.
//!
//! There is a bound on how many callers are counted, so nobody fills the memory with names; where there is no room, the
//! count that ends soonest goes. What does not live here: what is counted, and what becomes of who has used it all.

use std::collections::HashMap;
use std::hash::Hash;
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

/// How long a count runs.
pub(super) const WINDOW: Duration = Duration::from_mins(1);
/// The most callers that are counted.
const MOST: usize = 10_000;

/// Counts, by caller.
pub(super) struct Windows<K> {
    limit: u64,
    counts: Mutex<HashMap<K, Count>>,
}

#[derive(Clone, Copy)]
struct Count {
    used: u64,
    ends: Instant,
}

/// What a caller has left.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Left {
    /// How much of the limit.
    pub(super) remaining: u64,
    /// Whole seconds until all of it is there again.
    pub(super) reset: u64,
}

impl<K: Eq + Hash + Clone> Windows<K> {
    /// Counts up to `limit` a minute.
    pub(super) fn new(limit: u64) -> Self {
        Self { limit, counts: Mutex::default() }
    }

    /// The limit.
    pub(super) fn limit(&self) -> u64 {
        self.limit
    }

    /// What a caller has left.
    pub(super) fn left(&self, key: &K, now: Instant) -> Left {
        self.left_of(self.counts.lock().unwrap_or_else(PoisonError::into_inner).get(key), now)
    }

    /// Counts something a caller uses, unless they have nothing left: of those who come at once, no more get something
    /// than there is for.
    ///
    /// # Errors
    /// What they have left, which is nothing, and for how long.
    pub(super) fn take(&self, key: &K, points: u64, now: Instant) -> Result<(), Left> {
        let mut counts = self.counts.lock().unwrap_or_else(PoisonError::into_inner);
        let left = self.left_of(counts.get(key), now);
        if left.remaining == 0 {
            return Err(left);
        }
        count(&mut counts, key, points, now);
        Ok(())
    }

    /// Counts something more that a caller uses, who may use a bit more than there is left.
    pub(super) fn spend(&self, key: &K, points: u64, now: Instant) {
        count(&mut self.counts.lock().unwrap_or_else(PoisonError::into_inner), key, points, now);
    }

    fn left_of(&self, count: Option<&Count>, now: Instant) -> Left {
        let (used, ends) =
            count.filter(|count| now < count.ends).map_or((0, now + WINDOW), |count| (count.used, count.ends));
        let reset = ends.saturating_duration_since(now).as_secs_f64().ceil();
        #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "it is 0 to 60")]
        Left { remaining: self.limit.saturating_sub(used), reset: reset as u64 }
    }
}

fn count<K: Eq + Hash + Clone>(counts: &mut HashMap<K, Count>, key: &K, points: u64, now: Instant) {
    match counts.get_mut(key) {
        Some(count) if now < count.ends => count.used = count.used.saturating_add(points),
        _ => {
            if counts.len() >= MOST {
                make_room(counts, now);
            }
            counts.insert(key.clone(), Count { used: points, ends: now + WINDOW });
        }
    }
}

fn make_room<K: Eq + Hash + Clone>(counts: &mut HashMap<K, Count>, now: Instant) {
    counts.retain(|_, count| now < count.ends);
    if counts.len() >= MOST {
        let soonest = counts.iter().min_by_key(|(_, count)| count.ends).map(|(key, _)| key.clone());
        if let Some(key) = soonest {
            counts.remove(&key);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_count_runs_a_minute_for_each_caller_alone() {
        let (windows, now) = (Windows::new(3), Instant::now());
        let left = |key, seconds| windows.left(&key, now + Duration::from_secs(seconds));
        assert_eq!(left('a', 0), Left { remaining: 3, reset: 60 });
        windows.spend(&'a', 2, now);
        windows.spend(&'a', 5, now + Duration::from_secs(10));
        assert_eq!(left('a', 10), Left { remaining: 0, reset: 50 });
        assert_eq!(left('a', 59), Left { remaining: 0, reset: 1 });
        assert_eq!(left('b', 10), Left { remaining: 3, reset: 60 });
        assert_eq!(left('a', 60), Left { remaining: 3, reset: 60 });
        windows.spend(&'a', 1, now + Duration::from_secs(70));
        assert_eq!(left('a', 70), Left { remaining: 2, reset: 60 });
    }

    #[test]
    fn of_those_who_come_at_once_no_more_take_than_there_is() {
        let (windows, now) = (Windows::new(20), Instant::now());
        let taken = std::thread::scope(|scope| {
            let take = || scope.spawn(|| (0..100).filter(|_| windows.take(&'a', 1, now).is_ok()).count());
            let all: Vec<_> = std::iter::repeat_with(take).take(8).collect();
            all.into_iter().map(|one| one.join().unwrap()).sum::<usize>()
        });
        assert_eq!(taken, 20);
        assert_eq!(windows.take(&'a', 1, now), Err(Left { remaining: 0, reset: 60 }));
        assert_eq!(windows.take(&'a', 30, now + WINDOW), Ok(()), "the last may be more than is left");
    }

    #[test]
    fn no_more_than_so_many_callers_are_counted() {
        let (windows, now) = (Windows::new(1), Instant::now());
        for caller in 0..3 * MOST {
            windows.spend(&caller, 1, now + Duration::from_micros(caller as u64));
        }
        assert_eq!(windows.counts.lock().unwrap().len(), MOST);
        assert_eq!(windows.left(&(3 * MOST - 1), now).remaining, 0, "the last is counted");
        windows.spend(&0, 1, now + 2 * WINDOW);
        assert_eq!(windows.counts.lock().unwrap().len(), 1, "counts that have ended go");
    }
}
