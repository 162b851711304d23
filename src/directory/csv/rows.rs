//! The first reading of a file: which user each row is of, before anything is compared.
//!
//! A row may name users that stand further down, and two rows may be of one user; so every row finds its user first.
//! What is kept of a row is a few dozen bytes, so that a million rows fit beside the index.

use std::fs::File;
use std::hash::{BuildHasher, RandomState};
use std::io::{Seek, SeekFrom};

use entity::UserId;
use hashbrown::HashTable;
use roaring::RoaringBitmap;

use super::import::ImportOptions;
use super::problem::Findings;
use super::{Columns, Options, Problem, Reader, Row, Target};
use crate::directory::Clock;
use crate::index::Index;
use crate::value::{Email, GlobalId};

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
    /// A user of the directory whose row cannot be imported, and who therefore stays as it is.
    Untouched(UserId),
    /// None: the row has a problem that says why.
    Nobody,
}

impl Match {
    /// The user that the row makes or changes.
    pub(super) fn subject(self) -> Option<UserId> {
        match self {
            Self::Known(user) | Self::New(user) => Some(user),
            Self::Leftover(_) | Self::Untouched(_) | Self::Nobody => None,
        }
    }

    /// The user whose row it is, also of one that stays as it is.
    fn user(self) -> Option<UserId> {
        match self {
            Self::Known(user) | Self::New(user) | Self::Untouched(user) => Some(user),
            Self::Leftover(_) | Self::Nobody => None,
        }
    }
}

/// An email that a row gives its user, and that another user has.
pub(super) struct Take {
    pub(super) row: u32,
    pub(super) email: String,
    pub(super) owner: UserId,
}

/// By what a row finds its user.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum By {
    /// Its `ID`.
    Id,
    /// Its email, since it has no `ID`.
    Email,
    /// Its email, since there is no user of its `ID` any more.
    EmailAlone,
}

struct Place {
    line: u32,
    by: By,
    /// Whether the row is the user's own: it did not come by an email that is only one of the user's further ones.
    is_own: bool,
    found: Match,
}

/// What the first reading finds. Rows are numbered from 0, those without cells left out.
#[derive(Default)]
pub(super) struct Rows {
    places: Vec<Place>,
    /// A keyed 64-bit hash of the email that each row gives its user. That two of a few million emails share one is
    /// less likely than a flipped bit.
    emails: Vec<u64>,
    /// Rows by their user.
    by_user: HashTable<u32>,
    /// Rows by the email that they give.
    by_email: HashTable<u32>,
    takes: Vec<Take>,
    renamed: Renamed,
    hasher: RandomState,
}

/// The emails of users of the directory that get another one, by their rows.
#[derive(Default)]
struct Renamed {
    text: String,
    /// Rows in their order, and where in `text` the email of each ends.
    ends: Vec<(u32, usize)>,
}

impl Renamed {
    fn add(&mut self, row: u32, email: &str) {
        self.text.push_str(email);
        self.ends.push((row, self.text.len()));
    }

    fn find(&self, row: u32) -> Option<&str> {
        let at = self.ends.binary_search_by_key(&row, |(row, _)| *row).ok()?;
        let begin = at.checked_sub(1).map_or(0, |before| self.ends[before].1);
        Some(&self.text[begin..self.ends[at].1])
    }
}

/// Opens the file from its beginning.
pub(super) fn open(file: &File, options: &ImportOptions) -> Result<Reader, Problem> {
    let unreadable = |error: std::io::Error| Problem::new(1, "UNREADABLE", format!("the file cannot be read: {error}"));
    let mut file = file.try_clone().map_err(unreadable)?;
    file.seek(SeekFrom::Start(0)).map_err(unreadable)?;
    let options =
        Options { encoding: options.encoding, delimiter: options.delimiter, raw: options.raw, limits: options.limits };
    Reader::open(file, options)
}

/// Reads the file once and matches every row but those on the lines to `skip`; problems of syntax are noted here and
/// in no later reading.
pub(super) fn match_rows(
    reader: &mut Reader,
    columns: &Columns,
    index: &Index,
    clock: &Clock,
    skip: &RoaringBitmap,
    findings: &mut Findings,
) -> Rows {
    let mut rows = Rows::default();
    let mut row = Row::default();
    let search = Search { columns, index, clock };
    loop {
        match reader.next(&mut row) {
            Ok(false) => break,
            Ok(true) if is_in(skip, row.line()) => {
                search.leave(&row, &mut rows, findings);
            }
            Ok(true) => {
                if let Err(problem) = search.place(&row, &mut rows) {
                    search.leave(&row, &mut rows, findings);
                    findings.error(problem);
                }
            }
            Err(problem) if reader.is_broken() => {
                findings.refuse(problem);
                break;
            }
            Err(problem) => {
                if !is_in(skip, problem.line) {
                    findings.error(problem);
                }
                // Its cells are there, though perhaps too many or too few: whose row it is can be told, so that it stays.
                search.leave(&row, &mut rows, findings);
            }
        }
    }
    reader.warning().into_iter().for_each(|warning| findings.warn(warning));
    rows.takes.retain(|take| rows.places[take.row as usize].found.subject().is_some());
    rows
}

/// Reads the file once more: every row with its number; none for one with a problem of syntax. Stops where `take` says
/// so.
pub(super) fn each_row(reader: &mut Reader, mut take: impl FnMut(u32, Option<&Row>) -> bool) {
    let mut row = Row::default();
    let mut number = 0;
    loop {
        let wants_more = match reader.next(&mut row) {
            Ok(false) => return,
            Ok(true) => take(number, Some(&row)),
            Err(_) if reader.is_broken() => return,
            Err(_) => take(number, None),
        };
        if !wants_more {
            return;
        }
        number += 1;
    }
}

fn is_in(lines: &RoaringBitmap, line: u64) -> bool {
    u32::try_from(line).is_ok_and(|line| lines.contains(line))
}

struct Search<'a> {
    columns: &'a Columns,
    index: &'a Index,
    clock: &'a Clock,
}

impl Search<'_> {
    fn cell<'a>(&self, row: &'a Row, target: &Target) -> &'a str {
        self.columns.place_of(target).and_then(|place| row.get(place)).unwrap_or_default()
    }

    fn title(&self, target: &Target) -> Option<&str> {
        self.columns.place_of(target).and_then(|place| self.columns.title(place))
    }

    /// The user of the directory whose id, or the id of somebody who became part of it, stands in the row.
    fn named(&self, row: &Row) -> Option<UserId> {
        self.index.current_user(UserId::parse(self.cell(row, &Target::Id).trim()).ok()?)
    }

    /// The user of the directory that a row with a problem names.
    fn known(&self, row: &Row) -> Option<UserId> {
        let by_id = self.named(row);
        by_id.or_else(|| {
            let email = Email::parse(self.cell(row, &Target::Email)).ok()?;
            self.index.user_with_email(email.as_str())
        })
    }

    /// Leaves out a row that cannot be imported: its user, if there is one, stays as it is. An email that the row would
    /// have given up stays, too, so that no other row is of whoever gets it.
    fn leave(&self, row: &Row, rows: &mut Rows, findings: &mut Findings) {
        let Some(user) = self.known(row) else {
            rows.push(row.line(), By::EmailAlone, Match::Nobody, 0);
            return;
        };
        let email = self.index.email_of(user).unwrap_or_default();
        let gives_up = self.named(row) == Some(user)
            && Email::parse(self.cell(row, &Target::Email)).is_ok_and(|new| new.as_str() != email);
        let by_email = rows.row_of(user).filter(|other| gives_up && rows.is_by_email(*other));
        if let Some(other) = by_email.filter(|other| rows.found(*other) == Match::Known(user)) {
            let message = format!("line {}, which cannot be imported, is of the user who has this email", row.line());
            let problem = Problem::new(rows.line(other), "DUPLICATE_USER", message).of_value(email);
            findings.error(problem.in_column(self.title(&Target::Email)));
            rows.forget(other);
            rows.places[other as usize].found = Match::Nobody;
        }
        rows.push(row.line(), By::Id, Match::Untouched(user), 0);
    }

    fn place(&self, row: &Row, rows: &mut Rows) -> Result<(), Problem> {
        let cell = self.cell(row, &Target::Email);
        let email = Email::parse(cell).map(Email::into_string).map_err(|why| {
            let (code, message) = match cell.trim() {
                "" => ("REQUIRED", "a user needs an email; fill the cell, or take the row out".to_owned()),
                _ => ("NOT_AN_EMAIL", why),
            };
            Problem::new(row.line(), code, message).in_column(self.title(&Target::Email)).of_value(cell)
        })?;
        let owner = self.index.user_with_email(&email);
        let id = self.cell(row, &Target::Id);
        let mut by = By::EmailAlone;
        let found = match id.trim() {
            "" => {
                by = By::Email;
                let known = owner.filter(|user| !rows.gives_up(*user, &email, self.index));
                Ok(known.map_or_else(|| Match::New(self.clock.id()), Match::Known))
            }
            text => match UserId::parse(text) {
                Ok(id) if let Some(user) = self.index.current_user(id) => {
                    by = By::Id;
                    Ok(Match::Known(user))
                }
                // The record behind an id may have become part of another, which its email then finds.
                Ok(_) => owner.map(Match::Known).ok_or_else(|| {
                    "there is no user with this id; empty the cell to add the row as a new user".to_owned()
                }),
                Err(why) => Err(format!("{why}; write the user's id, or nothing for a new user")),
            },
        };
        let found = found.map_err(|message| {
            Problem::new(row.line(), "UNKNOWN_ID", message).in_column(self.title(&Target::Id)).of_value(id)
        })?;
        let found = match found {
            // The first of two rows with one new email makes the user; the second is found to be a double below.
            Match::New(new) => rows.with_email(&email).map_or(Match::New(new), Match::Known),
            found => found,
        };
        rows.place((found, by), row.line(), &email, owner, self).map_err(|(target, code, message)| {
            Problem::new(row.line(), code, message).in_column(self.title(&target)).of_value(self.cell(row, &target))
        })
    }
}

impl Rows {
    fn place(
        &mut self,
        (found, by): (Match, By),
        line: u64,
        email: &str,
        owner: Option<UserId>,
        search: &Search<'_>,
    ) -> Result<(), (Target, &'static str, String)> {
        let index = search.index;
        let Some(user) = found.subject() else { return Ok(()) };
        let is_own = owner != Some(user) || index.email_of(user) == Some(email);
        if is_own && let Some(other) = self.with_email(email).filter(|other| *other != user) {
            let first = self.line_of(other).unwrap_or_default();
            let message = format!(
                "line {first} gives this email to another user; an email is one user's, so change one of the two"
            );
            return Err((Target::Email, "DUPLICATE_EMAIL", message));
        }
        let found = match self.row_of(user) {
            None => found,
            Some(first) if by == By::Id && self.makes_way(first, email) => {
                self.renew(first, search.clock.id(), user, index);
                found
            }
            Some(first) => {
                let (first_line, first_is_own) = {
                    let place = &self.places[first as usize];
                    (place.line, place.is_own)
                };
                let is_untouched = matches!(self.found(first), Match::Untouched(_));
                if is_own == first_is_own || is_untouched {
                    let message = if is_untouched {
                        format!("line {first_line}, which cannot be imported, is of the same user; mend that one first")
                    } else {
                        format!("line {first_line} is of the same user; keep one of the two rows")
                    };
                    let target = if by == By::Id { Target::Id } else { Target::Email };
                    return Err((target, "DUPLICATE_USER", message));
                }
                if first_is_own {
                    self.push(line, by, Match::Leftover(user), 0);
                    return Ok(());
                }
                self.forget(first);
                self.places[first as usize].found = Match::Leftover(user);
                Match::Known(user)
            }
        };
        let row = self.push(line, by, found, self.hash(email));
        if matches!(found, Match::Known(_)) && index.email_of(user) != Some(email) {
            self.renamed.add(row, email);
        }
        self.places[row as usize].is_own = is_own;
        if let Some(owner) = owner.filter(|owner| *owner != user) {
            self.takes.push(Take { row, email: email.to_owned(), owner });
        }
        Ok(())
    }

    /// Whether the row of a user, which its `ID` finds, gives it another email than this, which it has.
    fn gives_up(&self, user: UserId, email: &str, index: &Index) -> bool {
        let is_another = |row: u32| {
            let (place, hash) = (&self.places[row as usize], self.emails[row as usize]);
            place.by == By::Id && matches!(place.found, Match::Known(_)) && hash != self.hash(email)
        };
        index.email_of(user) == Some(email) && self.row_of(user).is_some_and(is_another)
    }

    /// Whether a row that was found by the email that its user has is of a new one, since a row with the `ID` of that user
    /// gives it this email.
    fn makes_way(&self, row: u32, email: &str) -> bool {
        let place = &self.places[row as usize];
        let is_another = self.emails[row as usize] != self.hash(email);
        place.by == By::Email && place.is_own && matches!(place.found, Match::Known(_)) && is_another
    }

    /// Has a row make a new user, who gets the email that the user has whom it was found to be of.
    fn renew(&mut self, row: u32, new: UserId, before: UserId, index: &Index) {
        self.take_out(row, before);
        self.places[row as usize].found = Match::New(new);
        self.put_in(row, new);
        let email = index.email_of(before).unwrap_or_default().to_owned();
        self.takes.push(Take { row, email, owner: before });
    }

    fn push(&mut self, line: u64, by: By, found: Match, email: u64) -> u32 {
        let row = u32::try_from(self.places.len()).unwrap_or(u32::MAX);
        self.places.push(Place { line: u32::try_from(line).unwrap_or(u32::MAX), by, is_own: false, found });
        self.emails.push(email);
        let is_first = found.user().is_some_and(|user| self.row_of(user).is_none());
        if let Some(user) = found.user().filter(|_| is_first) {
            self.put_in(row, user);
        }
        if email != 0 {
            let emails = &self.emails;
            self.by_email.insert_unique(email, row, |row| emails[*row as usize]);
        }
        row
    }

    /// Puts a row into the look-up by users.
    fn put_in(&mut self, row: u32, user: UserId) {
        let (places, hasher) = (&self.places, &self.hasher);
        let hash_of = |row: &u32| places[*row as usize].found.user().map_or(0, |user| hasher.hash_one(user));
        self.by_user.insert_unique(hasher.hash_one(user), row, hash_of);
    }

    /// Takes a row out of the look-up by users.
    fn take_out(&mut self, row: u32, user: UserId) {
        if let Ok(entry) = self.by_user.find_entry(self.hasher.hash_one(user), |known| *known == row) {
            entry.remove();
        }
    }

    /// Takes a row out of both look-ups.
    fn forget(&mut self, row: u32) {
        let email = std::mem::take(&mut self.emails[row as usize]);
        if let Ok(entry) = self.by_email.find_entry(email, |known| *known == row) {
            entry.remove();
        }
        if let Some(user) = self.found(row).user() {
            self.take_out(row, user);
        }
    }

    fn hash(&self, email: &str) -> u64 {
        // Zero says that there is none.
        self.hasher.hash_one(email).max(1)
    }

    /// How many rows there are.
    pub(super) fn len(&self) -> usize {
        self.places.len()
    }

    /// Whose a row is.
    pub(super) fn found(&self, row: u32) -> Match {
        self.places.get(row as usize).map_or(Match::Nobody, |place| place.found)
    }

    /// The user of a row, also of one that stays as it is.
    pub(super) fn user(&self, row: u32) -> Option<UserId> {
        self.found(row).user()
    }

    /// Whether a row was found by its email, since it has no `ID`.
    pub(super) fn is_by_email(&self, row: u32) -> bool {
        self.places.get(row as usize).is_some_and(|place| place.by == By::Email)
    }

    /// Whether users of the directory were found by their emails.
    pub(super) fn finds_by_email(&self) -> bool {
        self.places.iter().any(|place| place.by == By::Email && matches!(place.found, Match::Known(_)))
    }

    /// The line of a row.
    pub(super) fn line(&self, row: u32) -> u64 {
        self.places.get(row as usize).map_or(0, |place| u64::from(place.line))
    }

    /// The row of a user, also of one that stays as it is.
    pub(super) fn row_of(&self, user: UserId) -> Option<u32> {
        let is_of = |row: &u32| self.places[*row as usize].found.user() == Some(user);
        self.by_user.find(self.hasher.hash_one(user), is_of).copied()
    }

    /// The line of a user's row.
    pub(super) fn line_of(&self, user: UserId) -> Option<u64> {
        self.row_of(user).map(|row| self.line(row))
    }

    /// Whether a row on one of these lines is of nobody who is known.
    pub(super) fn has_stranger(&self, lines: &RoaringBitmap) -> bool {
        let mut places = (0..).zip(&self.places).filter(|(_, place)| place.found == Match::Nobody);
        places.any(|(row, _)| is_in(lines, self.line(row)))
    }

    /// Whether the file makes or changes a user.
    pub(super) fn changes(&self, user: UserId) -> bool {
        self.row_of(user).is_some_and(|row| self.found(row).subject().is_some())
    }

    /// The email that the file gives a user of the directory who has another one.
    pub(super) fn new_email_of(&self, user: UserId) -> Option<&str> {
        self.renamed.find(self.row_of(user)?)
    }

    /// Whom the file gives an email as the primary one.
    pub(super) fn with_email(&self, email: &str) -> Option<UserId> {
        let hash = self.hash(email);
        let row = self.by_email.find(hash, |row| self.emails[*row as usize] == hash)?;
        self.found(*row).subject()
    }

    /// The emails that rows give their users and that other users have.
    pub(super) fn takes(&self) -> &[Take] {
        &self.takes
    }

    /// Whether any row is what is left of a record that became part of another.
    pub(super) fn has_leftovers(&self) -> bool {
        self.places.iter().any(|place| matches!(place.found, Match::Leftover(_)))
    }
}
