//! Which automatic users become part of others: they lose their last account or an email to a row, and nothing else
//! holds them.
//!
//! This is known before any row is compared, so that every record is written once.

use std::collections::{BTreeMap, HashMap, HashSet};

use entity::attribute::AttributeType;
use entity::{OrgUnitId, UserId};

use super::claim::Claims;
use super::problem::Findings;
use super::rows::{Match, Rows};
use super::{Columns, ImportMode, Problem, Target};
use crate::index::Index;
use crate::record::UserRecord;

/// A user that may become part of another.
#[derive(Clone, Debug)]
pub(super) struct Candidate {
    /// Whose it would become part of.
    pub(super) heir: UserId,
    /// The line that gives the heir an email of the user, if it is for that.
    pub(super) for_email: Option<(u64, String)>,
}

/// Users that may become part of others, and in the end those that do.
#[derive(Default)]
pub(super) struct Heirs {
    candidates: BTreeMap<UserId, Candidate>,
    absorbed: HashMap<UserId, Vec<UserId>>,
    /// The title of the column of emails.
    email_column: Option<String>,
}

impl Heirs {
    /// Finds the users that lose their last account to a row, or an email.
    pub(super) fn find(
        index: &Index,
        columns: &Columns,
        rows: &Rows,
        claims: &Claims,
        findings: &mut Findings,
    ) -> Self {
        let mut candidates = BTreeMap::new();
        let email_column = columns.place_of(&Target::Email).and_then(|place| columns.title(place)).map(str::to_owned);
        for (row, account) in claims.taken() {
            let (Some(loser), Some(heir)) = (index.owner_of(*account), rows.found(*row).subject()) else { continue };
            // Whose row cannot be imported stays as it is.
            let is_touched = rows
                .row_of(loser)
                .is_some_and(|own| claims.touches(own) || matches!(rows.found(own), Match::Untouched(_)));
            let keeps_one = || index.accounts_of(loser).into_iter().any(|own| !claims.is_taken(own));
            if !candidates.contains_key(&loser) && !is_touched && !keeps_one() {
                candidates.insert(loser, Candidate { heir, for_email: None });
            }
        }
        for take in rows.takes() {
            let Some(heir) = rows.found(take.row).subject() else { continue };
            let line = rows.line(take.row);
            match rows.row_of(take.owner).map(|row| rows.found(row)) {
                // Its own row gives it another email.
                Some(Match::Known(_)) if index.email_of(take.owner) == Some(&take.email) => {}
                Some(_) => {
                    let problem = taken(line, &take.email, index, take.owner, KEPT);
                    findings.error(problem.in_column(email_column.as_deref()));
                }
                None => {
                    let for_email = Some((line, take.email.clone()));
                    candidates.insert(take.owner, Candidate { heir, for_email });
                }
            }
        }
        Self { candidates, absorbed: HashMap::new(), email_column }
    }

    /// The users that may become part of others.
    pub(super) fn candidates(&self) -> Vec<UserId> {
        self.candidates.keys().copied().collect()
    }

    /// Keeps only automatic users that the directory does not hold.
    pub(super) fn keep_loose(
        &mut self,
        index: &Index,
        records: &HashMap<UserId, UserRecord>,
        mode: ImportMode,
        findings: &mut Findings,
    ) {
        let all: HashSet<UserId> = self.candidates.keys().copied().collect();
        let mut held: HashSet<UserId> = HashSet::new();
        for unit in index.org_units_pinning(&all) {
            held.extend(unit.pinned.iter().chain(&unit.excluded).filter(|user| all.contains(user)));
        }
        held.extend(index.org_units_naming_users(&all).into_iter().map(|(user, _): (UserId, OrgUnitId)| user));
        held.extend(all.iter().filter(|user| index.is_referred_to(**user)));
        for user in all {
            if !records.get(&user).is_some_and(|record| record.row.is_automatic) {
                self.keep(user, index, mode, KEPT, findings);
            } else if held.contains(&user) {
                self.keep(user, index, mode, HELD, findings);
            }
        }
    }

    /// A value in the file names this user, or its row changes it: it stays.
    pub(super) fn hold(&mut self, user: UserId, index: &Index, mode: ImportMode, findings: &mut Findings) {
        self.keep(user, index, mode, HELD, findings);
    }

    fn keep(&mut self, user: UserId, index: &Index, mode: ImportMode, why: &str, findings: &mut Findings) {
        let Some(candidate) = self.candidates.remove(&user) else { return };
        // A candidate for an email has no row: in `REPLACE` mode it goes, and gives its emails up.
        if let Some((line, email)) = candidate.for_email.filter(|_| mode == ImportMode::Merge) {
            findings.error(taken(line, &email, index, user, why).in_column(self.email_column.as_deref()));
        }
    }

    /// Says that those that are left become part of others.
    pub(super) fn settle(&mut self) {
        for (user, candidate) in &self.candidates {
            self.absorbed.entry(candidate.heir).or_default().push(*user);
        }
    }

    /// Whether a user becomes part of another.
    pub(super) fn is_absorbed(&self, user: UserId) -> bool {
        self.candidates.contains_key(&user)
    }

    /// The users that become part of others, in the order of their ids.
    pub(super) fn absorbed(&self) -> Vec<UserId> {
        self.candidates()
    }

    /// The users that become part of `heir`.
    pub(super) fn absorbed_by(&self, heir: UserId) -> &[UserId] {
        self.absorbed.get(&heir).map(Vec::as_slice).unwrap_or_default()
    }

    /// The emails that users of the file get from others, who give them up in the same changeset.
    pub(super) fn freed_emails(&self, index: &Index, rows: &Rows) -> Vec<String> {
        let taken = rows.takes().iter().map(|take| take.email.clone());
        let inherited = self.candidates.keys().flat_map(|user| index.emails_of(*user)).map(str::to_owned);
        taken.chain(inherited).collect()
    }
}

const KEPT: &str = "; use another one, or give that user another one in a row with its `ID`";
const HELD: &str = ", which others refer to; link its accounts instead";

fn taken(line: u64, email: &str, index: &Index, owner: UserId, why: &str) -> Problem {
    let of = index.email_of(owner).unwrap_or_default();
    let message = format!("`{email}` is an email of another user ({of}){why}");
    Problem::new(line, "EMAIL_TAKEN", message).of_value(email)
}

/// The places of the columns whose cells name users.
pub(super) fn user_columns(columns: &Columns, types: impl Fn(usize) -> Option<AttributeType>) -> Vec<usize> {
    let targets = columns.targets().enumerate();
    let names = |target: &Target| match target {
        Target::Attribute { index, .. } => types(*index) == Some(AttributeType::User),
        _ => false,
    };
    targets.filter(|(_, target)| names(target)).map(|(place, _)| place).collect()
}
