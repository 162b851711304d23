//! Users that seem to have got a new email, in a file that does not say so: one row gives the user of the old email another
//! name, and another row makes a user of the name before.

use std::hash::{BuildHasher, RandomState};

use super::Problem;
use super::problem::{Findings, LISTED};
use crate::value::fold;

/// What rows without an `ID` do to names.
pub(super) struct Renames {
    /// Whether there are rows that could have been found wrongly; in a file of new users there are not.
    watches: bool,
    /// A hash of the name of each user that the file makes, and the line.
    made: Vec<(u64, u32)>,
    given: Vec<Given>,
    hasher: RandomState,
}

/// A user that gets another name.
struct Given {
    line: u64,
    email: String,
    before: String,
    after: String,
}

impl Renames {
    pub(super) fn new(watches: bool) -> Self {
        Self { watches, made: Vec::new(), given: Vec::new(), hasher: RandomState::new() }
    }

    /// Notes that a row makes a user.
    pub(super) fn make(&mut self, line: u64, name: &str) {
        if self.watches {
            self.made.push((self.hasher.hash_one(fold(name)), u32::try_from(line).unwrap_or(u32::MAX)));
        }
    }

    /// Notes that a row gives the user of an email another name.
    pub(super) fn give(&mut self, line: u64, email: &str, before: &str, after: &str) {
        if before != after && self.given.len() < LISTED {
            let [email, before, after] = [email, before, after].map(str::to_owned);
            self.given.push(Given { line, email, before, after });
        }
    }

    /// Warns of each pair of such rows.
    pub(super) fn warn(&mut self, title: Option<&str>, findings: &mut Findings) {
        self.made.sort_unstable();
        for Given { line, email, before, after } in &self.given {
            let hash = self.hasher.hash_one(fold(before));
            let at = self.made.partition_point(|(other, _)| *other < hash);
            if let Some((_, other)) = self.made.get(at).filter(|(other, _)| *other == hash) {
                let message = format!(
                    "the user of {email} is called `{before}` so far, as the new user on line {other} is; if that is the \
                     same user with a new email, put the user's id there, in a column `ID`"
                );
                findings.warn(Problem::new(*line, "SAME_NAME", message).in_column(title).of_value(after));
            }
        }
    }
}
