//! The emails: which there are, who has which, and whose each is.

use std::hash::{BuildHasher, RandomState};

use hashbrown::HashTable;
use rustc_hash::FxHashMap;

use super::NONE;
use super::dictionary::Dictionary;
use crate::value::EmailKeys;

/// All emails of users and accounts, and the emails of each user.
#[derive(Clone, Default)]
pub(super) struct Emails {
    pub(super) values: Dictionary,
    /// The code of each user's primary email.
    primary: Vec<u32>,
    further: FxHashMap<u32, Vec<u32>>,
    /// Whose an email is, by its code.
    owner: Vec<u32>,
    keys: EmailKeys,
    /// The codes of emails that are not their own keys, by those keys. Under the usual rules there are none.
    by_key: HashTable<u32>,
    hasher: RandomState,
}

impl Emails {
    pub(super) fn reserve(&mut self, users: usize) {
        self.primary.reserve_exact(users);
    }

    pub(super) fn shrink(&mut self) {
        self.values.shrink();
        self.primary.shrink_to_fit();
        self.owner.shrink_to_fit();
    }

    /// The code of an email, which is added if it is new.
    pub(super) fn intern(&mut self, email: &str) -> u32 {
        let known = self.values.len();
        let code = self.values.intern(email.as_bytes());
        if code as usize >= known {
            self.note_key(code);
        }
        code
    }

    /// Compares emails by other keys from here on.
    pub(super) fn compare_by(&mut self, keys: EmailKeys) {
        self.keys = keys;
        self.by_key = HashTable::new();
        if !self.keys.is_plain() {
            (1..super::ordinal(self.values.len())).for_each(|code| self.note_key(code));
        }
    }

    pub(super) fn keys(&self) -> &EmailKeys {
        &self.keys
    }

    fn text(&self, code: u32) -> &str {
        std::str::from_utf8(self.values.value(code)).unwrap_or_default()
    }

    fn note_key(&mut self, code: u32) {
        if self.keys.is_plain() {
            return;
        }
        let (values, keys, hasher) = (&self.values, &self.keys, &self.hasher);
        let hash = |code: u32| {
            let email = std::str::from_utf8(values.value(code)).unwrap_or_default();
            hasher.hash_one(keys.key(email).as_ref())
        };
        let email = std::str::from_utf8(values.value(code)).unwrap_or_default();
        if keys.key(email) != email {
            self.by_key.insert_unique(hash(code), code, |&code| hash(code));
        }
    }

    /// The emails of a key that are known, of users and accounts, by code.
    pub(super) fn with_key(&self, key: &str) -> impl Iterator<Item = u32> {
        let own = self.values.find(key.as_bytes());
        let others = self.by_key.iter_hash(self.hasher.hash_one(key)).copied();
        own.into_iter().chain(others.filter(move |&code| self.keys.key(self.text(code)) == key))
    }

    /// The emails that are not their own keys, by code.
    pub(super) fn with_other_key(&self) -> impl Iterator<Item = u32> {
        self.by_key.iter().copied()
    }

    /// The code of a user's primary email.
    pub(super) fn primary(&self, user: u32) -> u32 {
        self.primary.get(user as usize).copied().unwrap_or(0)
    }

    /// The codes of a user's further emails.
    pub(super) fn further(&self, user: u32) -> &[u32] {
        self.further.get(&user).map(Vec::as_slice).unwrap_or_default()
    }

    /// The user who has an email, by the email's code.
    pub(super) fn owner(&self, code: u32) -> Option<u32> {
        self.owner.get(code as usize).copied().filter(|&owner| owner != NONE)
    }

    /// Whether a user's emails are these.
    pub(super) fn are(&self, user: u32, primary: &str, further: &[&str]) -> bool {
        let is = |code: u32, email: &str| self.values.value(code) == email.as_bytes();
        let codes = self.further(user);
        is(self.primary(user), primary)
            && codes.len() == further.len()
            && codes.iter().zip(further).all(|(&code, email)| is(code, email))
    }

    /// Gives a user these emails, whoever had them.
    pub(super) fn give(&mut self, user: u32, primary: &str, further: &[&str]) {
        let primary = self.own(user, primary);
        let further: Vec<u32> = further.iter().map(|email| self.own(user, email)).collect();
        if self.primary.len() <= user as usize {
            self.primary.resize(user as usize + 1, 0);
        }
        self.primary[user as usize] = primary;
        if !further.is_empty() {
            self.further.insert(user, further);
        }
    }

    fn own(&mut self, user: u32, email: &str) -> u32 {
        let code = self.intern(email);
        if self.owner.len() <= code as usize {
            self.owner.resize(code as usize + 1, NONE);
        }
        self.owner[code as usize] = user;
        code
    }

    /// Takes a user's emails away, but for those that are another's by now.
    pub(super) fn take(&mut self, user: u32) {
        let primary = std::mem::take(&mut self.primary[user as usize]);
        for code in self.further.remove(&user).into_iter().flatten().chain([primary]) {
            if self.owner.get(code as usize) == Some(&user) {
                self.owner[code as usize] = NONE;
            }
        }
    }
}
