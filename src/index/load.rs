//! Building an index from the tables, in bulk: everything is taken in first, and sorted once.

use std::sync::Arc;

use chrono::NaiveDate;
use entity::{UserId, association_rules, attribute, integration};
use serde_json::Value;

use super::Index;
use super::accounts::{AccountRow, Accounts};
use super::attributes::Attributes;
use super::marks::Mark;
use super::members::Epoch;
use super::users::{Entry, Users};
use crate::record::OrgUnitRecord;

/// A user as the index takes it in.
#[derive(Clone, Debug)]
pub struct UserRow<'a> {
    /// The id.
    pub id: UserId,
    /// The name as people write it.
    pub name: &'a str,
    /// The primary email in its normal form.
    pub email: &'a str,
    /// The further emails, in their normal form.
    pub further_emails: &'a [&'a str],
    /// The stored document of custom values, as JSON text.
    pub attributes: &'a str,
}

/// Takes in the tables and gives an [`Index`].
///
/// Attributes and integrations are known from the start; then come all users and then all accounts, each best in the
/// order of their ids (any other works, for more memory and time).
pub struct Loader {
    index: Index,
}

impl Loader {
    /// A loader of the directory at `version`. Which [day](Index::begin_day) it is must be told of what it gives.
    #[must_use]
    pub fn new(version: i64, attributes: Vec<attribute::Model>, integrations: Vec<integration::Model>) -> Self {
        let mut index = Index {
            version,
            today: NaiveDate::default(),
            epoch: Epoch::new(),
            attributes: Attributes::default(),
            integrations: Vec::new(),
            users: Users::new(),
            accounts: Accounts::default(),
            units: Arc::default(),
            rules: None,
            waiting: Vec::new(),
        };
        for row in attributes {
            index.attributes.put(row);
        }
        for row in integrations {
            index.put_integration(row);
        }
        Self { index }
    }

    /// Has emails compared by these rules.
    #[must_use]
    pub fn with_rules(mut self, rules: Option<association_rules::Model>) -> Self {
        self.index.put_rules(rules);
        self
    }

    /// Makes room for so many users and accounts.
    pub fn reserve(&mut self, users: usize, accounts: usize) {
        self.index.users.reserve(users);
        self.index.attributes.reserve(users);
        self.index.accounts.reserve(users, accounts);
    }

    /// Takes in a user.
    ///
    /// # Errors
    /// Where the document of custom values is not JSON.
    pub fn user(&mut self, row: &UserRow<'_>) -> serde_json::Result<()> {
        let document: Value = serde_json::from_str(row.attributes)?;
        let further = row.further_emails.to_vec();
        let at = self.index.users.add(&Entry {
            id: row.id,
            name: row.name,
            email: row.email,
            further,
            mark: Mark::default(),
        });
        self.index.attributes.set(at, &document);
        Ok(())
    }

    /// Takes in who of those taken in before is locked or reviewed.
    pub fn mark(&mut self, id: UserId, is_locked: bool, is_reviewed: bool) {
        if let Some(at) = self.index.users.find(id) {
            let mark = Mark { is_locked, is_reviewed, merged_ids: &[] };
            Arc::make_mut(&mut self.index.users.marks).give(at, &mark);
        }
    }

    /// Takes in an id that stands for a user who was taken in before; those of one user in their order.
    pub fn merged_id(&mut self, id: UserId, user: UserId) {
        if let Some(at) = self.index.users.find(user) {
            Arc::make_mut(&mut self.index.users.marks).merge(at, id.0);
        }
    }

    /// Takes in an account; all users must have been taken in before. One of an integration that there is not is left
    /// out.
    pub fn account(&mut self, row: &AccountRow<'_>) {
        if let Some(integration) = self.index.integration_number(row.integration_id) {
            self.index.accounts.add(row, integration, &mut self.index.users);
        }
    }

    /// Takes in the org units and gives the index.
    #[must_use]
    pub fn finish(self, units: Vec<OrgUnitRecord>) -> Index {
        let mut index = self.index;
        index.attributes.meet(&index.users, &[]);
        for record in units {
            Arc::make_mut(&mut index.units).put(record);
        }
        index.settle(true);
        index.shrink();
        index
    }
}
