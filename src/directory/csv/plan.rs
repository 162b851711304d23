//! What one row makes of its user and of accounts.

use std::collections::{BTreeSet, HashMap, HashSet};
use std::sync::Arc;

use entity::attribute::AttributeType;
use entity::integration_account::{self, AccountStatus, AssociationRule};
use entity::{IntegrationAccountId, UserId, user};

use super::cell::split_tokens;
use super::change::{CellChange, ChangeKind, RowChange, account_cells, cells, token};
use super::import::{ImportMode, ImportReport};
use super::known::Known;
use super::problem::Findings;
use super::reference::References;
use super::rename::Renames;
use super::spelling::Spellings;
use super::{Columns, Problem, Row, Target};
use crate::directory::association::{Stamp, associate};
use crate::directory::user::check_name;
use crate::index::AccountIdentity;
use crate::record::{Record, UserRecord};
use crate::value::{Email, GlobalId, Key, Value, parse};

/// The records that some rows change, as they are.
#[derive(Default)]
pub(super) struct Fetched {
    pub(super) users: HashMap<UserId, UserRecord>,
    pub(super) accounts: HashMap<IntegrationAccountId, integration_account::Model>,
}

/// Records before and after, and what that is for people.
#[derive(Default)]
pub(in crate::directory) struct Step {
    pub(in crate::directory) records: Vec<(Option<Record>, Option<Record>)>,
    pub(in crate::directory) changes: Vec<RowChange>,
}

/// Compares rows, and remembers what must be compared between them.
pub(super) struct Planner {
    known: Arc<Known>,
    /// Whether to say what changes.
    tells: bool,
    /// By the place of a USER attribute, whom users name from now on.
    pub(super) references: HashMap<usize, References>,
    /// Where each value of an attribute with unique values stands.
    unique: HashMap<(usize, Key), u64>,
    pub(super) spellings: Spellings,
    pub(super) renames: Renames,
}

impl Planner {
    pub(super) fn new(known: Arc<Known>, tells: bool) -> Self {
        let (spellings, renames) = (Spellings::default(), Renames::new(known.rows.finds_by_email()));
        Self { known, tells, references: HashMap::new(), unique: HashMap::new(), spellings, renames }
    }

    /// What the readings before have found.
    pub(super) fn known(&self) -> &Arc<Known> {
        &self.known
    }

    /// Compares one row with its user, who is new without `before`.
    pub(super) fn compare(
        &mut self,
        (number, row): (u32, &Row),
        (user, before): (UserId, Option<UserRecord>),
        fetched: &Fetched,
        report: &mut ImportReport,
        findings: &mut Findings,
        step: &mut Step,
    ) {
        let Some(mut after) = self.plan(number, row, user, before.as_ref(), findings) else { return };
        if findings.is_bad(row.line()) {
            return;
        }
        let known = self.known.clone();
        if known.heirs.is_absorbed(user) {
            report.unchanged += 1;
            return;
        }
        let is_touched = known.claims.touches(number);
        let is_same = before.as_ref() == Some(&after);
        if is_same && !is_touched {
            report.unchanged += 1;
            return;
        }
        after.row.is_automatic = false;
        let mut accounts = Vec::new();
        self.accounts((number, row), &after, before.as_ref(), fetched, &mut accounts, report);
        match &before {
            None => self.renames.make(row.line(), &after.row.name),
            Some(before) if known.rows.is_by_email(number) => {
                self.renames.give(row.line(), &after.row.email, &before.row.name, &after.row.name);
            }
            Some(_) => {}
        }
        let kind = match before {
            None => ChangeKind::Created,
            Some(_) => ChangeKind::Updated,
        };
        match kind {
            ChangeKind::Created => report.created += 1,
            _ => report.updated += 1,
        }
        if self.tells {
            step.changes.push(self.tell(row, kind, before.as_ref(), &after, &accounts, fetched));
        }
        step.records.push((before.map(Record::User), Some(Record::User(after))));
        let accounts = accounts
            .into_iter()
            .map(|(before, after)| (before.map(Record::IntegrationAccount), after.map(Record::IntegrationAccount)));
        step.records.extend(accounts);
    }

    /// The user as the row wants it; none where the row has problems.
    pub(super) fn plan(
        &mut self,
        number: u32,
        row: &Row,
        user: UserId,
        before: Option<&UserRecord>,
        findings: &mut Findings,
    ) -> Option<UserRecord> {
        let known = self.known.clone();
        let errors = findings.errors.count;
        let mut after = before.cloned().unwrap_or_else(|| new_user(user, &known.stamp));
        let mut name = Vec::new();
        for (place, target) in known.columns.targets().enumerate() {
            let cell = row.get(place).unwrap_or_default();
            let problem = match target {
                // Of accounts the reading before has spoken.
                Target::Id | Target::Ignored | Target::Accounts(_) => None,
                Target::Name(part) => {
                    name.push((*part, place, cell));
                    None
                }
                Target::Email => {
                    self.email(cell, &mut after);
                    None
                }
                Target::Attribute { index: at, dates } => {
                    let attribute = &known.attributes[*at];
                    let find_user = |reference: &str| known.named(reference).filter(|user| known.stays(*user));
                    match parse(attribute, cell, dates, find_user) {
                        Ok(value) => self.value(*at, number, row.line(), value.as_ref(), &mut after, findings),
                        Err(problem) => Some(problem),
                    }
                }
            };
            if let Some((code, message)) = problem {
                let problem = Problem::new(row.line(), code, message).in_column(known.columns.title(place));
                findings.error(problem.of_value(cell));
            }
        }
        set_name(name, &known.columns, row.line(), &mut after, findings);
        if before.is_none() {
            self.check_required(row.line(), findings);
        }
        self.drop_references(row.line(), &mut after, findings);
        (findings.errors.count == errors).then_some(after)
    }

    /// A new user needs values of required attributes. Columns that are there have spoken for themselves.
    fn check_required(&self, line: u64, findings: &mut Findings) {
        let columns = &self.known.columns;
        let has = |at: usize| {
            columns.targets().any(|target| matches!(target, Target::Attribute { index, .. } if *index == at))
        };
        for (at, attribute) in self.known.attributes.iter().enumerate() {
            if attribute.is_required && !attribute.is_built_in && !has(at) {
                let message = format!("a new user needs a value of `{}`; add the column", attribute.title);
                findings.error(Problem::new(line, "REQUIRED", message));
            }
        }
    }

    /// Empties values, in columns that the file does not have, that name users who are removed.
    fn drop_references(&self, line: u64, after: &mut UserRecord, findings: &mut Findings) {
        if self.known.mode == ImportMode::Merge {
            return;
        }
        let Some(document) = after.row.attributes.as_object_mut() else { return };
        for attribute in self.known.attributes.iter().filter(|attribute| attribute.r#type == AttributeType::User) {
            let stored = document.get(&attribute.key);
            let Some(Value::User(named)) = stored.and_then(|stored| Value::from_stored(attribute.r#type, stored))
            else {
                continue;
            };
            if self.known.stays(named) {
                continue;
            }
            if attribute.is_required {
                let of = self.known.index.email_of(named).unwrap_or_default().to_owned();
                let message =
                    format!("`{}` must have a value, and the file removes the user it names", attribute.title);
                findings.error(Problem::new(line, "IN_USE", message).of_value(&of));
            }
            document.remove(&attribute.key);
        }
    }

    fn email(&self, cell: &str, after: &mut UserRecord) {
        // The first reading has refused rows without an email.
        let Ok(email) = Email::parse(cell) else { return };
        after.set_email(email.into_string());
        let (id, known) = (after.row.id, &self.known);
        for absorbed in known.heirs.absorbed_by(id) {
            after.further_emails.extend(known.index.emails_of(*absorbed).into_iter().map(str::to_owned));
        }
        // An email that another row gives to another user is that user's.
        let is_kept = |email: &String| {
            known.rows.with_email(email).is_none_or(|owner| owner == id || known.heirs.is_absorbed(owner))
        };
        after.further_emails.retain(is_kept);
        after.further_emails.remove(&after.row.email);
    }

    fn value(
        &mut self,
        at: usize,
        number: u32,
        line: u64,
        value: Option<&Value>,
        after: &mut UserRecord,
        findings: &mut Findings,
    ) -> Option<(&'static str, String)> {
        let known = self.known.clone();
        let attribute = &known.attributes[at];
        if value.is_none() && attribute.is_required {
            return Some(("REQUIRED", format!("`{}` must have a value", attribute.title)));
        }
        if attribute.is_unique {
            for key in value.into_iter().flat_map(Value::keys) {
                let others = known.index.other_holders(&attribute.key, &key, after.row.id);
                // Users of the file have their own cell compared instead of what they had.
                if let Some(other) = others.iter().find(|other| known.is_untouched(**other)) {
                    let email = known.index.email_of(*other).unwrap_or_default();
                    let message = format!("{email} has this value, and values are unique; change one of the two");
                    return Some(("NOT_UNIQUE", message));
                }
                if let Some(first) = self.unique.insert((at, key), line) {
                    let message =
                        format!("line {first} has the same value, and values are unique; change one of the two");
                    return Some(("NOT_UNIQUE", message));
                }
            }
        }
        let document = after.row.attributes.as_object_mut()?;
        let stored = value.map(Value::to_stored);
        let is_new = document.get(&attribute.key) != stored.as_ref();
        if let Some(Value::Text(text)) = value.filter(|_| attribute.r#type == AttributeType::Text)
            && let Some((line, message)) = self.spellings.note(at, text, line, is_new)
        {
            findings.warn(Problem::new(line, "OTHER_SPELLING", message).in_column(Some(&attribute.title)));
        }
        if !is_new {
            return None;
        }
        if attribute.r#type == AttributeType::User {
            let named = match value {
                Some(Value::User(named)) => Some(*named),
                _ => None,
            };
            self.references.entry(at).or_default().set(number, named, &known.rows);
        }
        match stored {
            Some(stored) => document.insert(attribute.key.clone(), stored),
            None => document.remove(&attribute.key),
        };
        None
    }

    /// What becomes of the accounts that the row's user gets and gives up.
    fn accounts(
        &self,
        (number, row): (u32, &Row),
        after: &UserRecord,
        before: Option<&UserRecord>,
        fetched: &Fetched,
        into: &mut Vec<(Option<integration_account::Model>, Option<integration_account::Model>)>,
        report: &mut ImportReport,
    ) {
        let known = &self.known;
        let user = after.row.id;
        let of = |id: IntegrationAccountId| fetched.accounts.get(&id).cloned();
        let give = |account: integration_account::Model, rule| {
            let mut given = account.clone();
            let own = account.email.as_deref().filter(|email| after.emails().any(|own| own == *email));
            let evidence = Some(own.unwrap_or(&after.row.email)).filter(|_| rule == AssociationRule::Email);
            associate(&mut given, Some(user), rule, evidence, &known.stamp);
            (Some(account), Some(given))
        };
        for account in known.claims.taken_by(number).filter_map(of) {
            report.accounts_moved += 1;
            into.push(give(account, AssociationRule::Import));
        }
        for account in known.along(user).filter_map(of) {
            report.accounts_moved += 1;
            let by_email = account
                .email
                .as_ref()
                .is_some_and(|email| after.further_emails.contains(email) || *email == after.row.email);
            into.push(give(account, if by_email { AssociationRule::Email } else { AssociationRule::Import }));
        }
        if before.is_none_or(|before| before.row.email != after.row.email) {
            let unmatched = known.index.unmatched_with_email(&after.row.email).into_iter();
            let is_shared = known.index.owners_like(&after.row.email).into_keys().any(|owner| owner != user);
            let may_come = |account: &integration_account::Model| {
                (!is_shared || account.email.as_deref() == Some(&after.row.email))
                    && known.rules_of_association.email_obstacle(&AccountIdentity::from(account)).is_none()
            };
            for account in unmatched.filter(|id| !known.claims.is_taken(*id)).filter_map(of).filter(may_come) {
                into.push(give(account, AssociationRule::Email));
            }
        }
        for account in known.claims.left_by(number).filter_map(of) {
            report.accounts_unlinked += 1;
            let mut left = account.clone();
            associate(&mut left, None, AssociationRule::Import, None, &known.stamp);
            // A claim goes: nobody but the claim has ever said that there is such an account.
            let left = (account.status != AccountStatus::Claimed).then_some(left);
            into.push((Some(account), left));
        }
        for (place, target) in known.columns.targets().enumerate() {
            let Target::Accounts(integration) = target else { continue };
            let tokens = split_tokens(row.get(place).unwrap_or_default()).unwrap_or_default();
            let mut made = HashSet::new();
            for token in tokens {
                if known.index.find_accounts(*integration, token.as_ref()).is_empty() && made.insert(token.key()) {
                    report.accounts_claimed += 1;
                    into.push((None, Some(known.claimed(&token, *integration, user))));
                }
            }
        }
    }

    fn tell(
        &self,
        row: &Row,
        kind: ChangeKind,
        before: Option<&UserRecord>,
        after: &UserRecord,
        accounts: &[(Option<integration_account::Model>, Option<integration_account::Model>)],
        fetched: &Fetched,
    ) -> RowChange {
        let known = &self.known;
        let user = after.row.id;
        let email_before = |id: UserId| known.index.email_of(id).map(str::to_owned);
        let email_after = |id: UserId| known.email_after(id).map(str::to_owned).or_else(|| known.email_in(row, id));
        let mut changed: Vec<CellChange> = cells(before, Some(after), &known.attributes, [&email_before, &email_after]);
        let own: Vec<IntegrationAccountId> = before.map(|_| known.index.accounts_of(user)).unwrap_or_default();
        let had: Vec<_> = own.iter().filter_map(|id| fetched.accounts.get(id)).collect();
        let moved: HashSet<IntegrationAccountId> =
            accounts.iter().filter_map(|(before, _)| before.as_ref().map(|account| account.id)).collect();
        let stays =
            |account: &&&integration_account::Model| !moved.contains(&account.id) && !known.claims.is_taken(account.id);
        let mut has: Vec<_> = had.iter().filter(stays).copied().collect();
        has.extend(
            accounts.iter().filter_map(|(_, after)| after.as_ref().filter(|account| account.user_id == Some(user))),
        );
        changed.extend(account_cells(&had, &has, &known.index));
        let mut notes = Vec::new();
        for (before, _) in accounts {
            let Some(account) = before.as_ref().filter(|account| account.user_id.is_some_and(|owner| owner != user))
            else {
                continue;
            };
            let from = account.user_id.and_then(|owner| known.index.email_of(owner)).unwrap_or_default();
            notes.push(format!("the account `{}` comes from {from}", token(account, &known.index).text()));
        }
        for absorbed in known.heirs.absorbed_by(user) {
            notes.push(format!("{} becomes part of this user", known.index.email_of(*absorbed).unwrap_or_default()));
        }
        RowChange {
            line: Some(row.line()),
            kind,
            record: before.map(|_| user.to_global()),
            label: after.row.name.clone(),
            detail: after.row.email.clone(),
            cells: changed,
            notes,
        }
    }

    /// Whether a row by a further email of a user that has a row of its own only repeats what that user has; a warning
    /// says so, or an error that it does not.
    pub(super) fn compare_leftover(&mut self, number: u32, row: &Row, record: &UserRecord, findings: &mut Findings) {
        let known = self.known.clone();
        let user = record.row.id;
        let own = known.rows.line_of(user).unwrap_or_default();
        let plan = self.plan(number, row, user, Some(record), &mut Findings::default());
        let repeats = plan.is_some_and(|plan| {
            let stored = plan.row.attributes.as_object().into_iter().flatten();
            stored.into_iter().all(|(key, value)| record.row.attributes.get(key) == Some(value))
                && known.repeats_accounts(row, user)
        });
        let email = &record.row.email;
        if repeats {
            let message = format!("this record is part of {email} now, which is on line {own}; the row was skipped");
            findings.warn(Problem::new(row.line(), "PART_OF_ANOTHER", message));
        } else {
            let message = format!("line {own} is of the same user ({email}); keep one of the two rows");
            findings.error(Problem::new(row.line(), "DUPLICATE_USER", message));
        }
    }
}

/// Joins the parts of a name in their order, those that are empty left out.
fn set_name(
    mut parts: Vec<(usize, usize, &str)>,
    columns: &Columns,
    line: u64,
    after: &mut UserRecord,
    findings: &mut Findings,
) {
    parts.sort_unstable();
    let Some((_, first, _)) = parts.first().copied() else { return };
    let texts: Vec<&str> = parts.iter().map(|(_, _, cell)| cell.trim()).filter(|cell| !cell.is_empty()).collect();
    let mut violations = Vec::new();
    let name = match parts.as_slice() {
        [(_, _, cell)] => check_name(cell, "name", &mut violations),
        _ => check_name(&texts.join(" "), "name", &mut violations),
    };
    match violations.pop() {
        None => after.row.name = name,
        Some(violation) => {
            let problem = Problem::new(line, violation.code, violation.message).in_column(columns.title(first));
            findings.error(problem.of_value(&texts.join(" ")));
        }
    }
}

fn new_user(id: UserId, stamp: &Stamp) -> UserRecord {
    UserRecord {
        row: user::Model {
            id,
            name: String::new(),
            email: String::new(),
            attributes: serde_json::json!({}),
            is_automatic: false,
            is_locked: false,
            reviewed_at: None,
            reviewed_by: None,
            version: stamp.number,
            created_at: stamp.now,
            updated_at: stamp.now,
        },
        further_emails: BTreeSet::new(),
        merged_ids: BTreeSet::new(),
    }
}
