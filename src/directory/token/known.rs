//! Tokens that were found to work a moment ago, so that not every request asks the database.
//!
//! Only tokens that work are kept, so nobody fills this with texts that he makes up.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use chrono::{DateTime, TimeDelta, Utc};
use entity::{TokenId, token};

use crate::access::secret::TokenHash;

/// How long what was read is taken for what is, from when it began to be read: less than the second in which a token that is
/// revoked has to be refused.
const FRESH: Duration = Duration::from_millis(500);
/// The most tokens that are kept.
const MOST: usize = 1_000;

/// Tokens that were found to work.
#[derive(Default)]
pub(in crate::directory) struct Known(Mutex<Tokens>);

#[derive(Default)]
struct Tokens {
    entries: HashMap<TokenHash, Entry>,
    /// When this process last revoked a token: what began to be read before may not know of it.
    revoked_at: Option<Instant>,
}

struct Entry {
    token: Arc<token::Model>,
    /// When it began to be read.
    read_at: Instant,
    /// When it was last written down, or tried to, that it is in use.
    noted_at: Option<DateTime<Utc>>,
}

impl Known {
    /// The token of this hash, if what is known of it is fresh.
    pub(super) fn find(&self, hash: &TokenHash) -> Option<Arc<token::Model>> {
        let entries = &self.lock().entries;
        entries.get(hash).filter(|entry| entry.read_at.elapsed() < FRESH).map(|entry| entry.token.clone())
    }

    /// Keeps a token that was read, beginning at `read_at`, if there is room. Tells whether it is to be written down that it
    /// is in use, which is so where that has not been done for as long as `every`.
    pub(super) fn keep(
        &self,
        hash: TokenHash,
        (token, read_at): (token::Model, Instant),
        now: DateTime<Utc>,
        every: TimeDelta,
    ) -> bool {
        let Tokens { entries, revoked_at } = &mut *self.lock();
        let noted_at = entries.get(&hash).and_then(|entry| entry.noted_at).max(token.last_used_at);
        let is_due = noted_at.is_none_or(|at| now - at >= every);
        if entries.len() >= MOST {
            entries.retain(|_, entry| entry.read_at.elapsed() < FRESH);
        }
        let is_current = revoked_at.is_none_or(|at| at < read_at);
        if is_current && (entries.len() < MOST || entries.contains_key(&hash)) {
            let noted_at = if is_due { Some(now) } else { noted_at };
            entries.insert(hash, Entry { token: Arc::new(token), read_at, noted_at });
        }
        is_due
    }

    /// Forgets a token that was just revoked.
    pub(super) fn forget(&self, id: TokenId) {
        let mut tokens = self.lock();
        tokens.entries.retain(|_, entry| entry.token.id != id);
        tokens.revoked_at = Some(Instant::now());
    }

    fn lock(&self) -> MutexGuard<'_, Tokens> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use entity::token::Role;
    use uuid::Uuid;

    use super::*;
    use crate::access::secret::TokenSecret;

    #[test]
    fn what_was_read_counts_from_when_it_began_to_be_read_and_not_past_a_revocation() {
        let known = Known::default();
        let id = TokenId(Uuid::from_u128(1));
        let hash = TokenHash::of(TokenSecret::generate().unwrap().expose()).unwrap();
        let now = DateTime::UNIX_EPOCH;
        let token = token::Model {
            id,
            name: "ci".to_owned(),
            role: Role::Reader,
            hash: hash.as_bytes().to_vec(),
            created_by: "me".to_owned(),
            created_at: now,
            expires_at: None,
            revoked_at: None,
            revoked_by: None,
            last_used_at: None,
        };
        let keep = |read_at| known.keep(hash, (token.clone(), read_at), now, TimeDelta::minutes(1));
        let begun = Instant::now();
        assert!(keep(begun) && known.find(&hash).is_some());
        assert!(!keep(begun.checked_sub(FRESH).unwrap()), "it has just been noted");
        assert!(known.find(&hash).is_none(), "reading it took as long as it is fresh");
        let begun = Instant::now();
        keep(begun);
        known.forget(id);
        assert!(known.find(&hash).is_none());
        keep(begun);
        assert!(known.find(&hash).is_none(), "what was read may be from before it was revoked");
    }
}
