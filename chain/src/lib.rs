//! THE CHAIN. What the digests of the log are made of: SHA-256 over each change, and over each changeset with the digest
//! of the one before it.
//!
//! This form is frozen, as the steps of `migration` are: digests that are written stay. Every text and number goes in with
//! its length, so that no two different logs have the same bytes. What does not live here: where the log is kept, who
//! writes it, who checks it.

use ring::digest::{Context, SHA256, digest};
use ring::error::Unspecified;
use ring::rand::{SecureRandom, SystemRandom};

/// A SHA-256.
pub type Digest = [u8; 32];

/// The bytes of a salt. It is drawn for each change and goes with what it salts, so that nobody can find out by trying
/// what a digest was made of.
pub const SALT: usize = 16;

/// What the first changeset has for the digest of the one before it.
pub const START: Digest = [0; 32];

/// One row of the log.
#[derive(Clone, Copy, Debug)]
pub struct Change<'a> {
    /// The changeset that it is part of.
    pub changeset: i64,
    /// Its place there, from 0.
    pub position: i64,
    /// What kind of record changed, as the row says it.
    pub noun: &'a str,
    /// The id of the record.
    pub record: &'a [u8; 16],
    /// What was drawn for it.
    pub salt: &'a [u8],
    /// The record before, as the row has it.
    pub before: Option<&'a str>,
    /// The record after, as the row has it.
    pub after: Option<&'a str>,
}

impl Change<'_> {
    /// The change's digest.
    #[must_use]
    pub fn digest(&self) -> Digest {
        let mut to = Input::new("change");
        to.number(self.changeset);
        to.number(self.position);
        to.bytes(self.noun.as_bytes());
        to.bytes(self.record);
        to.bytes(self.salt);
        to.option(self.before.map(str::as_bytes));
        to.option(self.after.map(str::as_bytes));
        to.finish()
    }
}

/// What a changeset says of itself, beside its changes.
#[derive(Clone, Copy, Debug)]
pub struct Changeset<'a> {
    /// Its number.
    pub number: i64,
    /// What was done, as the row says it.
    pub kind: &'a str,
    /// Who did it.
    pub actor: &'a str,
    /// When, in microseconds after 1970-01-01T00:00:00Z.
    pub created_at: i64,
    /// How many records changed.
    pub change_count: i64,
    /// The changeset that it undid.
    pub undoes: Option<i64>,
    /// The digest of what it took out of the log, where it erased somebody.
    pub erased: Option<&'a [u8]>,
}

/// The digests of some rows, in their order: of the changes of a changeset as they are written, or of what was erased.
#[derive(Clone)]
pub struct Rows(Input);

impl std::fmt::Debug for Rows {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Rows").finish_non_exhaustive()
    }
}

impl Default for Rows {
    fn default() -> Self {
        Self(Input::new("rows"))
    }
}

impl Rows {
    /// Adds the digest of the next row.
    pub fn add(&mut self, digest: &[u8]) {
        self.0.bytes(digest);
    }

    /// The digest of all rows.
    #[must_use]
    pub fn finish(self) -> Digest {
        self.0.finish()
    }

    /// The digest of a changeset that has these changes and follows one of the digest `before`.
    #[must_use]
    pub fn seal(self, before: &[u8], changeset: &Changeset<'_>) -> Digest {
        let changes = self.finish();
        let mut to = Input::new("changeset");
        to.bytes(before);
        to.number(changeset.number);
        to.bytes(changeset.kind.as_bytes());
        to.bytes(changeset.actor.as_bytes());
        to.number(changeset.created_at);
        to.number(changeset.change_count);
        to.option(changeset.undoes.map(i64::to_be_bytes).as_ref().map(<[u8; 8]>::as_slice));
        to.option(changeset.erased);
        to.bytes(&changes);
        to.finish()
    }
}

/// What an erasure left of one row of the log: which row, and the digest that the row has since.
#[must_use]
pub fn erased(changeset: i64, position: i64, digest: &[u8]) -> Digest {
    let mut to = Input::new("erased");
    to.number(changeset);
    to.number(position);
    to.bytes(digest);
    to.finish()
}

/// The SHA-256 of `bytes`.
#[must_use]
pub fn of(bytes: &[u8]) -> Digest {
    array(digest(&SHA256, bytes))
}

/// Salts for so many changes, one after the other.
///
/// # Errors
/// Where the system gives no randomness.
pub fn salts(count: usize) -> Result<Vec<u8>, Unspecified> {
    let mut salts = vec![0; count * SALT];
    SystemRandom::new().fill(&mut salts)?;
    Ok(salts)
}

/// A digest in the making.
#[derive(Clone)]
struct Input(Context);

impl Input {
    /// `what` keeps digests of one kind from standing for another.
    fn new(what: &str) -> Self {
        let mut input = Self(Context::new(&SHA256));
        input.bytes(b"roster 1");
        input.bytes(what.as_bytes());
        input
    }

    fn number(&mut self, number: i64) {
        self.0.update(&number.to_be_bytes());
    }

    fn bytes(&mut self, bytes: &[u8]) {
        self.0.update(&(bytes.len() as u64).to_be_bytes());
        self.0.update(bytes);
    }

    fn option(&mut self, bytes: Option<&[u8]>) {
        match bytes {
            None => self.0.update(&[0]),
            Some(bytes) => {
                self.0.update(&[1]);
                self.bytes(bytes);
            }
        }
    }

    fn finish(self) -> Digest {
        array(self.0.finish())
    }
}

fn array(digest: ring::digest::Digest) -> Digest {
    let mut array = START;
    array.copy_from_slice(digest.as_ref());
    array
}

#[cfg(test)]
mod tests {
    use super::*;

    const CHANGE: Change<'_> = Change {
        changeset: 7,
        position: 0,
        noun: "USER",
        record: &[1; 16],
        salt: &[2; SALT],
        before: None,
        after: Some("{}"),
    };

    const CHANGESET: Changeset<'_> =
        Changeset { number: 7, kind: "USER", actor: "ann", created_at: 1, change_count: 1, undoes: None, erased: None };

    fn hex(digest: Digest) -> String {
        digest.iter().map(|byte| format!("{byte:02x}")).collect()
    }

    #[test]
    fn what_is_digested_stays_what_it_is() {
        assert_eq!(hex(CHANGE.digest()), "9c19eff516e59c05c6977eb3fd0b8dbce4627bc05a1d58a1e034540e0a1f90da");
        let mut changes = Rows::default();
        changes.add(&CHANGE.digest());
        assert_eq!(
            hex(changes.seal(&START, &CHANGESET)),
            "1be596beb8fb608f16e00e4a919428edea35544db630e22a5ef92f4a5950b394"
        );
    }

    #[test]
    fn every_part_of_a_change_counts() {
        let others = [
            Change { changeset: 8, ..CHANGE },
            Change { position: 1, ..CHANGE },
            Change { noun: "USE", ..CHANGE },
            Change { record: &[3; 16], ..CHANGE },
            Change { salt: &[3; SALT], ..CHANGE },
            Change { before: Some(""), ..CHANGE },
            Change { before: Some("{}"), after: None, ..CHANGE },
            Change { after: None, ..CHANGE },
            Change { after: Some("{} "), ..CHANGE },
        ];
        let mut digests: Vec<_> = others.iter().map(Change::digest).chain([CHANGE.digest()]).collect();
        digests.sort_unstable();
        digests.dedup();
        assert_eq!(digests.len(), others.len() + 1);
    }

    #[test]
    fn every_part_of_a_changeset_counts() {
        let others = [
            Changeset { number: 8, ..CHANGESET },
            Changeset { kind: "SYNC", ..CHANGESET },
            Changeset { actor: "bob", ..CHANGESET },
            Changeset { created_at: 2, ..CHANGESET },
            Changeset { change_count: 2, ..CHANGESET },
            Changeset { undoes: Some(6), ..CHANGESET },
            Changeset { erased: Some(&[]), ..CHANGESET },
            CHANGESET,
        ];
        let seal = |before: &[u8], changes: &[Digest], changeset: &Changeset<'_>| {
            let mut rows = Rows::default();
            changes.iter().for_each(|digest| rows.add(digest));
            rows.seal(before, changeset)
        };
        let mut digests: Vec<_> = others.iter().map(|other| seal(&START, &[[5; 32]], other)).collect();
        digests.push(seal(&[1; 32], &[[5; 32]], &CHANGESET));
        digests.push(seal(&START, &[[6; 32]], &CHANGESET));
        digests.push(seal(&START, &[[5; 32], [6; 32]], &CHANGESET));
        digests.push(seal(&START, &[[6; 32], [5; 32]], &CHANGESET));
        digests.push(seal(&START, &[], &CHANGESET));
        let all = digests.len();
        digests.sort_unstable();
        digests.dedup();
        assert_eq!(digests.len(), all);
    }
}
