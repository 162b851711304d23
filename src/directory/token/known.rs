//! Tokens that were found to work a moment ago, so that not every request asks the database.
//!
//! Only tokens that work are kept, so nobody fills this with texts that he makes up.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use chrono::{DateTime, TimeDelta, Utc};
use entity::token;

use crate::access::secret::TokenHash;

/// How long what was read is taken for what is: with the time to read it, less than the second in which a token that is
/// revoked has to be refused.
const FRESH: Duration = Duration::from_millis(500);
/// The most tokens that are kept.
const MOST: usize = 1_000;

/// Tokens that were found to work, by their hashes.
#[derive(Default)]
pub(in crate::directory) struct Known(Mutex<HashMap<TokenHash, Entry>>);

struct Entry {
    token: Arc<token::Model>,
    read_at: Instant,
    /// When it was last written down, or tried to, that it is in use.
    noted_at: Option<DateTime<Utc>>,
}

impl Known {
    /// The token of this hash, if what is known of it is fresh.
    pub(super) fn find(&self, hash: &TokenHash) -> Option<Arc<token::Model>> {
        let entries = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        entries.get(hash).filter(|entry| entry.read_at.elapsed() < FRESH).map(|entry| entry.token.clone())
    }

    /// Keeps a token that was just read, if there is room. Tells whether it is to be written down that it is in use, which
    /// is so where that has not been done for as long as `every`.
    pub(super) fn keep(&self, hash: TokenHash, token: token::Model, now: DateTime<Utc>, every: TimeDelta) -> bool {
        let mut entries = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let noted_at = entries.get(&hash).and_then(|entry| entry.noted_at).max(token.last_used_at);
        let is_due = noted_at.is_none_or(|at| now - at >= every);
        if entries.len() >= MOST {
            entries.retain(|_, entry| entry.read_at.elapsed() < FRESH);
        }
        if entries.len() < MOST || entries.contains_key(&hash) {
            let noted_at = if is_due { Some(now) } else { noted_at };
            entries.insert(hash, Entry { token: Arc::new(token), read_at: Instant::now(), noted_at });
        }
        is_due
    }
}
