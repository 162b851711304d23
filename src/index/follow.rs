//! Following the log: one changeset at a time, whatever the order of its changes.

use std::sync::Arc;

use entity::{UserId, integration};
use rustc_hash::FxHashSet;

use super::Index;
use super::accounts::AccountRow;
use super::users::Entry;
use crate::record::{Change, Record, RecordId, UserRecord};

impl Index {
    /// Follows the changes of the changeset `version`, or of several up to it.
    ///
    /// Their order does not matter, except that of several changes of one record the last one counts: accounts may
    /// refer to users that come after them.
    pub fn apply(&mut self, version: i64, changes: Vec<Change>) {
        let mut seen = FxHashSet::default();
        let mut latest: Vec<Change> = changes.into_iter().rev().filter(|change| seen.insert(change.id)).collect();
        latest.reverse();

        let mut changes_units = false;
        let (mut users, mut gone_users) = (Vec::new(), Vec::new());
        let (mut accounts, mut touched_accounts) = (Vec::new(), Vec::new());
        let mut gone_integrations = Vec::new();
        for Change { id, after } in latest {
            changes_units |= !matches!(id, RecordId::User(_) | RecordId::IntegrationAccount(_));
            match (id, after) {
                (RecordId::User(id), None) => gone_users.push(id),
                (RecordId::IntegrationAccount(id), None) => touched_accounts.extend(self.accounts.find(id)),
                (RecordId::Attribute(id), None) => self.attributes.remove(id),
                (RecordId::Integration(id), None) => gone_integrations.push(id),
                (RecordId::OrgUnit(id), None) => self.units.remove(id),
                (_, Some(Record::User(record))) => users.push(record),
                (_, Some(Record::IntegrationAccount(row))) => {
                    touched_accounts.extend(self.accounts.find(row.id));
                    accounts.push(row);
                }
                (_, Some(Record::Attribute(row))) => self.attributes.put(row),
                (_, Some(Record::Integration(row))) => self.put_integration(row),
                (_, Some(Record::OrgUnit(record))) => self.units.put(record),
            }
        }
        // Accounts first leave their places, while those still say where they stand.
        self.accounts.take_out(&touched_accounts);
        self.apply_users(&gone_users, &users);
        for row in &accounts {
            if let Some(integration) = self.integration_number(row.integration_id) {
                self.accounts.put(&AccountRow::from(row), integration, &mut self.users);
            }
        }
        for id in gone_integrations {
            if let Some(number) = self.integration_number(id) {
                self.integrations[usize::from(number)] = None;
            }
        }
        if changes_units {
            self.settle_units();
        }
        self.version = version;
    }

    fn apply_users(&mut self, gone: &[UserId], users: &[UserRecord]) {
        let gone_places: Vec<u32> = gone.iter().filter_map(|id| self.users.find(*id)).collect();
        let entries: Vec<Entry<'_>> = users
            .iter()
            .map(|UserRecord { row, further_emails }| Entry {
                id: row.id,
                name: &row.name,
                email: &row.email,
                further: further_emails.iter().map(String::as_str).collect(),
            })
            .collect();
        let mut came_or_went = gone.to_vec();
        came_or_went.extend(entries.iter().map(|entry| entry.id).filter(|id| self.users.find(*id).is_none()));
        for &at in &gone_places {
            self.attributes.clear(at);
            // Their accounts have changes of their own in the same changeset; should one not, it is nobody's now.
            self.accounts.orphan(at);
        }
        let places = self.users.change(&gone_places, &entries);
        for (record, at) in users.iter().zip(places) {
            self.attributes.set(at, &record.row.attributes);
        }
        self.attributes.settle(&self.users, &came_or_went);
    }

    pub(super) fn put_integration(&mut self, row: integration::Model) {
        match self.integration_number(row.id) {
            Some(number) => self.integrations[usize::from(number)] = Some(Arc::new(row)),
            None => self.integrations.push(Some(Arc::new(row))),
        }
    }
}
