//! What one row makes of its user.

use std::collections::HashMap;
use std::sync::Arc;

use entity::attribute::{self, AttributeType};
use entity::{IntegrationId, UserId, user};

use super::cell::{Token, restore, split_tokens};
use super::import::{ImportMode, ImportReport};
use super::rows::Rows;
use super::{Columns, Problem, Row, Target};
use crate::directory::Directory;
use crate::directory::changeset::Changeset;
use crate::directory::user::check_name;
use crate::index::Index;
use crate::record::UserRecord;
use crate::value::{Email, GlobalId, Key, Value, parse};

/// A row's user as it is and as the row wants it, and the accounts that its cells name.
pub(super) struct Planned {
    pub(super) line: u64,
    pub(super) before: Option<UserRecord>,
    pub(super) after: UserRecord,
    pub(super) accounts: Vec<NamedAccounts>,
}

/// The cell of one integration.
pub(super) struct NamedAccounts {
    pub(super) integration: IntegrationId,
    /// The title of its column.
    pub(super) title: Option<String>,
    pub(super) tokens: Vec<Token>,
}

/// Makes plans of rows, and remembers what must be compared between rows.
pub(super) struct Planner<'a> {
    directory: &'a Directory,
    columns: &'a Columns,
    rows: &'a Rows,
    mode: ImportMode,
    attributes: Vec<Arc<attribute::Model>>,
    /// By the key of a USER attribute, whom its users name from now on.
    references: HashMap<String, HashMap<UserId, Option<UserId>>>,
    /// Where each value of an attribute with unique values stands.
    unique: HashMap<(usize, Key), u64>,
    has_accounts: bool,
}

impl<'a> Planner<'a> {
    pub(super) fn new(directory: &'a Directory, columns: &'a Columns, rows: &'a Rows, mode: ImportMode) -> Self {
        Self {
            directory,
            columns,
            rows,
            mode,
            attributes: directory.index().attributes().to_vec(),
            references: HashMap::new(),
            unique: HashMap::new(),
            has_accounts: columns.targets().any(|target| matches!(target, Target::Accounts(_))),
        }
    }

    /// Whether the file has a column of accounts.
    pub(super) fn has_accounts(&self) -> bool {
        self.has_accounts
    }

    /// Whom users name from now on, by the key of the attribute.
    pub(super) fn take_references(&mut self) -> Vec<(String, HashMap<UserId, Option<UserId>>)> {
        std::mem::take(&mut self.references).into_iter().collect()
    }

    /// What the row makes of its user; none where it has problems, which go to the report.
    pub(super) fn plan(
        &mut self,
        row: &Row,
        user: UserId,
        before: Option<UserRecord>,
        changeset: &Changeset,
        report: &mut ImportReport,
    ) -> Option<Planned> {
        let errors = report.errors.count;
        let mut after = before.clone().unwrap_or_else(|| new_user(user, changeset));
        let is_new = before.is_none();
        let mut accounts = Vec::new();
        let directory = self.directory;
        let index = directory.index();
        for (place, target) in self.columns.targets().enumerate() {
            let cell = restore(row.get(place).unwrap_or_default());
            let problem = match target {
                Target::Id | Target::Ignored => None,
                Target::Name => self.name(cell, &mut after),
                Target::Email => {
                    self.email(cell, &mut after);
                    None
                }
                Target::Attribute { index: at, dates } => {
                    let attribute = self.attributes[*at].clone();
                    let value = parse(&attribute, cell, dates, |reference| {
                        self.find_user(&index, reference).filter(|user| !changeset.has_removed(*user))
                    });
                    match value {
                        Ok(value) => self.value(*at, &attribute, value.as_ref(), row.line(), &index, &mut after),
                        Err((code, message)) => Some((code, message)),
                    }
                }
                Target::Accounts(integration) => match split_tokens(cell) {
                    Ok(tokens) => {
                        let title = self.columns.title(place).map(str::to_owned);
                        accounts.push(NamedAccounts { integration: *integration, title, tokens });
                        None
                    }
                    Err((code, message)) => Some((code, message)),
                },
            };
            if let Some((code, message)) = problem {
                let problem = Problem::new(row.line(), code, message).in_column(self.columns.title(place));
                report.errors.error(problem.of_value(cell));
            }
        }
        if is_new {
            // Columns that are there have spoken for themselves.
            for (at, attribute) in self.attributes.iter().enumerate() {
                let is_there = self
                    .columns
                    .targets()
                    .any(|target| matches!(target, Target::Attribute { index, .. } if *index == at));
                if attribute.is_required && !attribute.is_built_in && !is_there {
                    let message = format!("a new user needs a value of `{}`; add the column", attribute.title);
                    report.errors.error(Problem::new(row.line(), "REQUIRED", message));
                }
            }
        }
        if report.errors.count > errors {
            return None;
        }
        Some(Planned { line: row.line(), before, after, accounts })
    }

    fn name(&self, cell: &str, after: &mut UserRecord) -> Option<(&'static str, String)> {
        let mut violations = Vec::new();
        after.row.name = check_name(cell, "name", &mut violations);
        violations.pop().map(|violation| (violation.code, violation.message))
    }

    fn email(&self, cell: &str, after: &mut UserRecord) {
        // The first reading has refused rows without an email.
        let Ok(email) = Email::parse(cell) else { return };
        if after.row.email.is_empty() {
            after.row.email = email.into_string();
        } else {
            after.set_email(email.into_string());
        }
        let id = after.row.id;
        after.further_emails.retain(|email| self.rows.emails.get(email).is_none_or(|owner| *owner == id));
    }

    fn value(
        &mut self,
        at: usize,
        attribute: &attribute::Model,
        value: Option<&Value>,
        line: u64,
        index: &Index,
        after: &mut UserRecord,
    ) -> Option<(&'static str, String)> {
        let user = after.row.id;
        if value.is_none() && attribute.is_required {
            return Some(("REQUIRED", format!("`{}` must have a value", attribute.title)));
        }
        if attribute.is_unique {
            for key in value.into_iter().flat_map(Value::keys) {
                let others = index.other_holders(&attribute.key, &key, user);
                // Users of the file have their own cell compared instead of what they had.
                if others.iter().any(|other| self.is_untouched(*other)) {
                    return Some(("NOT_UNIQUE", "another user has this value, and values are unique".to_owned()));
                }
                if let Some(first) = self.unique.insert((at, key), line) {
                    return Some(("NOT_UNIQUE", format!("line {first} has the same value, and values are unique")));
                }
            }
        }
        let document = after.row.attributes.as_object_mut()?;
        let stored = value.map(Value::to_stored);
        if document.get(&attribute.key) == stored.as_ref() {
            return None;
        }
        if attribute.r#type == AttributeType::User {
            let named = match value {
                Some(Value::User(named)) => Some(*named),
                _ => None,
            };
            self.references.entry(attribute.key.clone()).or_default().insert(user, named);
        }
        match stored {
            Some(stored) => document.insert(attribute.key.clone(), stored),
            None => document.remove(&attribute.key),
        };
        None
    }

    /// The user that a value names, in the file or in the directory.
    fn find_user(&self, index: &Index, reference: &str) -> Option<UserId> {
        let user = match UserId::parse(reference) {
            Ok(id) => index.has_user(id).then_some(id)?,
            Err(_) => {
                let email = Email::parse(reference).ok()?.into_string();
                match self.rows.emails.get(&email) {
                    Some(user) => *user,
                    None => index.user_with_email(&email)?,
                }
            }
        };
        (self.rows.lines.contains_key(&user) || self.is_untouched(user)).then_some(user)
    }

    /// Whether a user is not in the file and stays as it is.
    fn is_untouched(&self, user: UserId) -> bool {
        self.mode == ImportMode::Merge && !self.rows.lines.contains_key(&user)
    }

    /// A row by a further email of a user that has a row of its own may only repeat what that user has.
    pub(super) fn compare_leftover(
        &mut self,
        row: &Row,
        user: UserId,
        record: &UserRecord,
        changeset: &Changeset,
        report: &mut ImportReport,
    ) {
        let own = self.rows.lines.get(&user).copied().unwrap_or_default();
        let mut aside = ImportReport::default();
        let plan = Self::new(self.directory, self.columns, self.rows, self.mode).plan(
            row,
            user,
            Some(record.clone()),
            changeset,
            &mut aside,
        );
        let repeats = plan.is_some_and(|plan| {
            let stored = plan.after.row.attributes.as_object().into_iter().flatten();
            let index = self.directory.index();
            let is_own = |named: &NamedAccounts, token: &Token| {
                let found = index.find_accounts(named.integration, token.as_ref());
                !found.is_empty() && found.iter().all(|account| index.owner_of(*account) == Some(user))
            };
            stored.into_iter().all(|(key, value)| record.row.attributes.get(key) == Some(value))
                && plan.accounts.iter().all(|named| named.tokens.iter().all(|token| is_own(named, token)))
        });
        let email = &record.row.email;
        if repeats {
            let message = format!("this record is part of {email} now, which is on line {own}; the row was skipped");
            report.warnings.error(Problem::new(row.line(), "PART_OF_ANOTHER", message));
            report.unchanged += 1;
        } else {
            let message = format!("line {own} is of the same user ({email}); keep one of the two rows");
            report.errors.error(Problem::new(row.line(), "DUPLICATE_USER", message));
        }
    }
}

fn new_user(id: UserId, changeset: &Changeset) -> UserRecord {
    UserRecord {
        row: user::Model {
            id,
            name: String::new(),
            email: String::new(),
            attributes: serde_json::json!({}),
            is_automatic: false,
            version: changeset.number(),
            created_at: changeset.now(),
            updated_at: changeset.now(),
        },
        further_emails: std::collections::BTreeSet::new(),
    }
}
