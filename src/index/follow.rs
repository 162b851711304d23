//! Following the log: one changeset at a time, or a long one in parts; whatever the order of its changes.

use std::sync::Arc;

use entity::{IntegrationAccountId, UserId, integration, integration_account};
use rustc_hash::FxHashSet;
use uuid::Uuid;

use super::Index;
use super::accounts::AccountRow;
use super::marks::Mark;
use super::users::Entry;
use crate::record::{Change, Record, RecordId, UserRecord};

/// Follows a long run of changes part by part, on a copy of an index, and gives that when all have come: what must be
/// sorted is sorted once, at the end.
pub struct Follower {
    index: Index,
    changes_units: bool,
    has_users: bool,
    is_whole: bool,
}

impl Follower {
    /// One that starts from `index`.
    #[must_use]
    pub fn new(index: Index) -> Self {
        Self { index, changes_units: false, has_users: false, is_whole: true }
    }

    /// Follows some more changes.
    ///
    /// A run may be cut into parts anywhere, except that an attribute that is new, or of another type, must not come in
    /// a later part than users do: their values of it would be lost.
    pub fn follow(&mut self, changes: Vec<Change>) {
        let attributes = &self.index.attributes;
        let is_late = |change: &Change| matches!(&change.after, Some(Record::Attribute(row)) if !attributes.has(row));
        self.is_whole &= !(self.has_users && changes.iter().any(is_late));
        self.has_users |= changes.iter().any(|change| matches!(change.after, Some(Record::User(_))));
        if self.is_whole {
            self.changes_units |= self.index.take(changes);
        }
    }

    /// The index of `version`; none where an attribute came after users, so that it must be loaded.
    #[must_use]
    pub fn finish(self, version: i64) -> Option<Index> {
        let Self { mut index, changes_units, is_whole, .. } = self;
        if !is_whole {
            return None;
        }
        index.settle(changes_units);
        index.shrink();
        index.version = version;
        Some(index)
    }
}

impl Index {
    /// Follows the changes of the changeset `version`, or of several up to it.
    ///
    /// Their order does not matter, except that of several changes of one record the last one counts: accounts may
    /// refer to users that come after them. The changes of one changeset may come in several calls, too; then
    /// attributes must not come later than users who have values of them.
    pub fn apply(&mut self, version: i64, changes: Vec<Change>) {
        let changes_units = self.take(changes);
        self.settle(changes_units);
        self.version = version;
    }

    /// Follows changes; what is sorted is behind until [`Self::settle`]. Says whether org units, or what their filters
    /// may name, are among them.
    fn take(&mut self, changes: Vec<Change>) -> bool {
        self.epoch.part();
        let mut seen = FxHashSet::default();
        let all = std::mem::take(&mut self.waiting).into_iter().chain(changes);
        let mut latest: Vec<Change> = all.rev().filter(|change| seen.insert(change.id)).collect();
        latest.reverse();

        let mut changes_units = false;
        let (mut users, mut gone_users) = (Vec::new(), Vec::new());
        let (mut accounts, mut gone_accounts) = (Vec::new(), Vec::new());
        let mut gone_integrations = Vec::new();
        for Change { id, after } in latest {
            changes_units |=
                !matches!(id, RecordId::User(_) | RecordId::IntegrationAccount(_) | RecordId::AssociationRules(_));
            match (id, after) {
                (RecordId::User(id), None) => gone_users.push(id),
                (RecordId::IntegrationAccount(id), None) => gone_accounts.push(id),
                (RecordId::Attribute(id), None) => self.attributes.remove(id),
                (RecordId::Integration(id), None) => gone_integrations.push(id),
                (RecordId::OrgUnit(id), None) => Arc::make_mut(&mut self.units).remove(id),
                (RecordId::AssociationRules(_), None) => self.put_rules(None),
                (_, Some(Record::User(record))) => users.push(record),
                (_, Some(Record::IntegrationAccount(row))) => accounts.push(row),
                (_, Some(Record::Attribute(row))) => self.attributes.put(row),
                (_, Some(Record::Integration(row))) => self.put_integration(row),
                (_, Some(Record::OrgUnit(record))) => Arc::make_mut(&mut self.units).put(record),
                (_, Some(Record::AssociationRules(row))) => self.put_rules(Some(row)),
            }
        }
        // A stored filter may name a user by an id that stands for another from here on.
        changes_units |= users.iter().any(|user| !self.has_merged_ids(user));
        self.take_users(&gone_users, &users);
        self.take_accounts(&gone_accounts, &accounts);
        for id in gone_integrations {
            if let Some(number) = self.integration_number(id) {
                self.integrations[usize::from(number)] = None;
            }
        }
        changes_units
    }

    fn take_users(&mut self, gone: &[UserId], users: &[UserRecord]) {
        let gone_places: Vec<u32> = gone.iter().filter_map(|id| self.users.find(*id)).collect();
        let merged: Vec<Vec<Uuid>> = users.iter().map(|user| user.merged_ids.iter().map(|id| id.0).collect()).collect();
        let entries: Vec<Entry<'_>> = users
            .iter()
            .zip(&merged)
            .map(|(UserRecord { row, further_emails, .. }, merged_ids)| Entry {
                id: row.id,
                name: &row.name,
                email: &row.email,
                further: further_emails.iter().map(String::as_str).collect(),
                mark: Mark { is_locked: row.is_locked, is_reviewed: row.reviewed_at.is_some(), merged_ids },
            })
            .collect();
        let mut came_or_went = gone.to_vec();
        came_or_went.extend(entries.iter().map(|entry| entry.id).filter(|id| self.users.find(*id).is_none()));
        for &at in &gone_places {
            self.attributes.clear(at);
        }
        // Their accounts have changes of their own in the same changeset; should one not, it is nobody's now.
        self.accounts.orphan(&gone_places);
        let places = self.users.change(&gone_places, &entries);
        for (record, at) in users.iter().zip(places) {
            self.attributes.set(at, &record.row.attributes);
        }
        self.attributes.meet(&self.users, &came_or_went);
    }

    fn take_accounts(&mut self, gone: &[IntegrationAccountId], accounts: &[integration_account::Model]) {
        let rows: Vec<(AccountRow<'_>, u16)> = accounts
            .iter()
            .filter_map(|row| Some((AccountRow::from(row), self.integration_number(row.integration_id)?)))
            .collect();
        self.accounts.change(gone, &rows, &mut self.users);
        let is_early = |row: &&integration_account::Model| {
            self.integration_number(row.integration_id).is_none() || row.user_id.is_some_and(|id| !self.has_user(id))
        };
        let early = accounts.iter().filter(is_early).cloned().map(Record::IntegrationAccount);
        self.waiting = early.map(|record| Change { id: record.id(), after: Some(record) }).collect();
    }

    /// Brings up to date what [`Self::take`] leaves behind.
    pub(super) fn settle(&mut self, changes_units: bool) {
        self.users.settle();
        self.attributes.settle();
        if changes_units {
            self.settle_units();
        }
    }

    /// Gives back what was reserved for growth, of what no clone shares.
    pub(super) fn shrink(&mut self) {
        self.users.shrink();
        self.attributes.shrink();
        self.accounts.shrink();
    }

    pub(super) fn put_integration(&mut self, row: integration::Model) {
        match self.integration_number(row.id) {
            Some(number) => self.integrations[usize::from(number)] = Some(Arc::new(row)),
            None => self.integrations.push(Some(Arc::new(row))),
        }
    }
}
