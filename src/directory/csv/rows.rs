//! The first reading of a file: which user each row is of, before any row is applied.
//!
//! A row may name users that stand further down, and two rows may be of one user; so every row finds its user first.

use std::collections::HashMap;
use std::collections::hash_map::Entry;
use std::fs::File;
use std::io::{Seek, SeekFrom};

use entity::UserId;

use super::import::{ImportOptions, Problems};
use super::{Columns, Options, Problem, Reader, Row, Target};
use crate::directory::Clock;
use crate::index::Index;
use crate::value::{Email, GlobalId, shorten};

/// The user that a row is of.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Match {
    /// A user of the directory.
    Known(UserId),
    /// A user that this row makes.
    New(UserId),
    /// A user that another row is of, too, found by a further email: what is left of a record that became part of
    /// another. It may only repeat what that user has.
    Leftover(UserId),
    /// None: the row has a problem that says why.
    Nobody,
}

/// What the first reading finds.
pub(super) struct Rows {
    /// One per row that has cells, in the file's order.
    pub(super) matches: Vec<Match>,
    /// Whose the emails are that the rows give as primary ones.
    pub(super) emails: HashMap<String, UserId>,
    /// The line of each user's row.
    pub(super) lines: HashMap<UserId, u64>,
}

/// Opens the file from its beginning.
pub(super) fn open(file: &File, options: &ImportOptions) -> Result<Reader, Problem> {
    let unreadable = |error: std::io::Error| Problem::new(1, "UNREADABLE", format!("the file cannot be read: {error}"));
    let mut file = file.try_clone().map_err(unreadable)?;
    file.seek(SeekFrom::Start(0)).map_err(unreadable)?;
    Reader::open(file, Options { encoding: options.encoding, delimiter: options.delimiter, limits: options.limits })
}

/// Reads the file once and matches every row; problems of syntax are noted here and not again.
pub(super) fn match_rows(
    reader: &mut Reader,
    columns: &Columns,
    index: &Index,
    clock: &Clock,
    problems: &mut Problems,
) -> Rows {
    let mut rows = Rows { matches: Vec::new(), emails: HashMap::new(), lines: HashMap::new() };
    let mut by_user: HashMap<UserId, (usize, u64, bool)> = HashMap::new();
    let (id, email) = (columns.place_of(&Target::Id), columns.place_of(&Target::Email));
    let mut row = Row::default();
    loop {
        match reader.next(&mut row) {
            Ok(false) => break,
            Ok(true) => {}
            Err(problem) => {
                problems.error(problem);
                if reader.is_broken() {
                    break;
                }
                rows.matches.push(Match::Nobody);
                continue;
            }
        }
        let cell = |place: Option<usize>| place.and_then(|place| row.get(place)).unwrap_or_default();
        let email = match Email::parse(super::cell::restore(cell(email))) {
            Ok(email) => email.into_string(),
            Err(why) => {
                let at = columns.place_of(&Target::Email).and_then(|place| columns.title(place));
                let (code, message) = match cell(email).trim() {
                    "" => ("REQUIRED", "a user needs an email; fill the cell, or take the row out".to_owned()),
                    _ => ("NOT_AN_EMAIL", why),
                };
                problems.error(Problem::new(row.line(), code, message).in_column(at).of_value(cell(email)));
                rows.matches.push(Match::Nobody);
                continue;
            }
        };
        let by_email = index.user_with_email(&email);
        let found = match cell(id).trim() {
            "" => by_email.map_or_else(|| Ok(Match::New(clock.id())), |user| Ok(Match::Known(user))),
            text => match UserId::parse(text) {
                Ok(user) if index.has_user(user) => Ok(Match::Known(user)),
                // The record behind an id may have become part of another, which its email then finds.
                Ok(_) => by_email.map(Match::Known).ok_or_else(|| {
                    "there is no user with this id; empty the cell to add the row as a new user".to_owned()
                }),
                Err(why) => Err(why),
            },
        };
        let found = match found {
            Ok(found) => found,
            Err(message) => {
                let at = columns.place_of(&Target::Id).and_then(|place| columns.title(place));
                problems.error(Problem::new(row.line(), "UNKNOWN_ID", message).in_column(at).of_value(cell(id)));
                rows.matches.push(Match::Nobody);
                continue;
            }
        };
        let found = match found {
            // The first of two rows with one new email makes the user; the second is found to be a double below.
            Match::New(new) => match rows.emails.get(&email) {
                Some(first) => Match::Known(*first),
                None => Match::New(new),
            },
            found => found,
        };
        rows.place(found, row.line(), &email, index, &mut by_user, problems);
    }
    rows
}

impl Rows {
    fn place(
        &mut self,
        found: Match,
        line: u64,
        email: &str,
        index: &Index,
        by_user: &mut HashMap<UserId, (usize, u64, bool)>,
        problems: &mut Problems,
    ) {
        let (Match::Known(user) | Match::New(user) | Match::Leftover(user)) = found else { return };
        // A row is a user's own unless it came by an email that is only one of the user's further ones.
        let is_own =
            index.email_of(user).is_none_or(|primary| primary == email) || index.user_with_email(email) != Some(user);
        if is_own && let Some(other) = self.emails.get(email).filter(|other| **other != user) {
            let first = self.lines.get(other).copied().unwrap_or_default();
            let message = format!("line {first} gives this email to another user; an email is one user's");
            problems.error(Problem::new(line, "DUPLICATE_EMAIL", message).of_value(&shorten(email)));
            self.matches.push(Match::Nobody);
            return;
        }
        let place = self.matches.len();
        match by_user.entry(user) {
            Entry::Vacant(entry) => {
                entry.insert((place, line, is_own));
                self.lines.insert(user, line);
                self.emails.insert(email.to_owned(), user);
                self.matches.push(found);
            }
            Entry::Occupied(mut entry) => {
                let (first, first_line, first_is_own) = *entry.get();
                if is_own && !first_is_own {
                    self.matches[first] = Match::Leftover(user);
                    entry.insert((place, line, true));
                    self.lines.insert(user, line);
                    self.emails.retain(|_, owner| *owner != user);
                    self.emails.insert(email.to_owned(), user);
                    self.matches.push(Match::Known(user));
                } else if !is_own && first_is_own {
                    self.matches.push(Match::Leftover(user));
                } else {
                    self.matches.push(Match::Nobody);
                    let message = format!("line {first_line} is of the same user; keep one of the two rows");
                    problems.error(Problem::new(line, "DUPLICATE_USER", message).of_value(&shorten(email)));
                }
            }
        }
    }
}
