//! A small directory held as plain records, and every answer worked out from them the slow way.

use std::collections::{BTreeMap, BTreeSet};

use chrono::{DateTime, Utc};
use entity::attribute::AttributeType;
use entity::integration::IntegrationKind;
use entity::integration_account::{self, AccountStatus, AssociationRule};
use entity::org_unit::{self, OrgUnitScope};
use entity::{AttributeId, IntegrationAccountId, IntegrationId, OrgUnitId, UserId, attribute, integration, user};
use serde_json::{Value as Json, json};
use uuid::Uuid;

use crate::filter::{Checked, Facts, Filter, Node, Stored, node_matches};
use crate::index::{AccountRow, Index, Loader, UserRow};
use crate::record::{Change, OrgUnitRecord, Record, RecordId, UserRecord};
use crate::value::{Key, fold};

pub(super) fn uuid(noun: u128, number: usize) -> Uuid {
    Uuid::from_u128(noun << 64 | number as u128)
}

pub(super) fn user_id(number: usize) -> UserId {
    UserId(uuid(1, number))
}

pub(super) fn unit_id(number: usize) -> OrgUnitId {
    OrgUnitId(uuid(2, number))
}

pub(super) fn integration_id(number: usize) -> IntegrationId {
    IntegrationId(uuid(3, number))
}

pub(super) fn attribute_id(number: usize) -> AttributeId {
    AttributeId(uuid(4, number))
}

pub(super) fn account_id(number: usize) -> IntegrationAccountId {
    IntegrationAccountId(uuid(5, number))
}

fn then() -> DateTime<Utc> {
    DateTime::UNIX_EPOCH
}

pub(super) fn attribute(number: usize, key: &str, r#type: AttributeType, options: &[&str]) -> attribute::Model {
    attribute::Model {
        id: attribute_id(number),
        key: key.to_owned(),
        title: key.to_owned(),
        title_key: key.to_owned(),
        description: String::new(),
        r#type,
        options: json!(options),
        is_required: false,
        is_unique: false,
        is_built_in: ["name", "email", "integration"].contains(&key),
        readable_by: None,
        position: i32::try_from(number).unwrap(),
        version: 1,
        created_at: then(),
        updated_at: then(),
    }
}

pub(super) fn integration(number: usize, name: &str, kind: IntegrationKind) -> integration::Model {
    integration::Model {
        id: integration_id(number),
        kind,
        name: name.to_owned(),
        name_key: fold(name),
        settings: None,
        schedule_minutes: None,
        version: 1,
        created_at: then(),
        updated_at: then(),
    }
}

pub(super) fn user(number: usize, name: &str, email: &str, further: &[&str], attributes: Json) -> UserRecord {
    UserRecord {
        row: user::Model {
            id: user_id(number),
            name: name.to_owned(),
            email: email.to_owned(),
            attributes,
            is_automatic: false,
            is_locked: false,
            reviewed_at: None,
            reviewed_by: None,
            version: 1,
            created_at: then(),
            updated_at: then(),
        },
        further_emails: further.iter().map(|email| (*email).to_owned()).collect(),
        merged_ids: BTreeSet::new(),
    }
}

pub(super) fn account(number: usize, integration: usize, owner: Option<usize>) -> integration_account::Model {
    integration_account::Model {
        id: account_id(number),
        integration_id: integration_id(integration),
        external_id: Some(format!("x{number}")),
        username: None,
        email: None,
        display_name: None,
        is_bot: false,
        status: AccountStatus::Active,
        user_id: owner.map(user_id),
        rule: AssociationRule::Manual,
        evidence: None,
        associated_by: "test".to_owned(),
        associated_at: then(),
        version: 1,
        created_at: then(),
        updated_at: then(),
    }
}

pub(super) fn unit(number: usize, parent: Option<usize>, scope: OrgUnitScope, filter: Option<Filter>) -> OrgUnitRecord {
    OrgUnitRecord {
        row: org_unit::Model {
            id: unit_id(number),
            parent_id: parent.map(unit_id),
            name: format!("Unit {number}"),
            name_key: format!("unit {number}"),
            description: String::new(),
            scope,
            filter: filter.map(|filter| serde_json::to_value(Stored { v: 1, filter }).unwrap()),
            origin: None,
            version: 1,
            created_at: then(),
            updated_at: then(),
        },
        pinned: BTreeSet::new(),
        excluded: BTreeSet::new(),
    }
}

/// The directory's records.
#[derive(Clone, Debug, Default)]
pub(super) struct Directory {
    pub(super) attributes: BTreeMap<AttributeId, attribute::Model>,
    pub(super) integrations: BTreeMap<IntegrationId, integration::Model>,
    pub(super) users: BTreeMap<UserId, UserRecord>,
    pub(super) accounts: BTreeMap<IntegrationAccountId, integration_account::Model>,
    pub(super) units: BTreeMap<OrgUnitId, OrgUnitRecord>,
    pub(super) rules: Option<entity::association_rules::Model>,
}

impl Directory {
    pub(super) fn of(records: impl IntoIterator<Item = Record>) -> Self {
        let mut directory = Self::default();
        for record in records {
            directory.change(&Change { id: record.id(), after: Some(record) });
        }
        directory
    }

    pub(super) fn change(&mut self, change: &Change) {
        match (change.id, change.after.clone()) {
            (RecordId::Attribute(id), None) => drop(self.attributes.remove(&id)),
            (RecordId::Integration(id), None) => drop(self.integrations.remove(&id)),
            (RecordId::User(id), None) => drop(self.users.remove(&id)),
            (RecordId::IntegrationAccount(id), None) => drop(self.accounts.remove(&id)),
            (RecordId::OrgUnit(id), None) => drop(self.units.remove(&id)),
            (RecordId::AssociationRules(_), None) => self.rules = None,
            (_, Some(Record::AssociationRules(row))) => self.rules = Some(row),
            (_, Some(Record::Attribute(row))) => drop(self.attributes.insert(row.id, row)),
            (_, Some(Record::Integration(row))) => drop(self.integrations.insert(row.id, row)),
            (_, Some(Record::User(record))) => drop(self.users.insert(record.row.id, record)),
            (_, Some(Record::IntegrationAccount(row))) => drop(self.accounts.insert(row.id, row)),
            (_, Some(Record::OrgUnit(record))) => drop(self.units.insert(record.row.id, record)),
        }
    }

    /// An index of it, built afresh.
    pub(super) fn index(&self) -> Index {
        let attributes = self.attributes.values().cloned().collect();
        let integrations = self.integrations.values().cloned().collect();
        let mut loader = Loader::new(0, attributes, integrations).with_rules(self.rules.clone());
        loader.reserve(self.users.len(), self.accounts.len());
        for UserRecord { row, further_emails, .. } in self.users.values() {
            let further: Vec<&str> = further_emails.iter().map(String::as_str).collect();
            let attributes = row.attributes.to_string();
            let row = UserRow {
                id: row.id,
                name: &row.name,
                email: &row.email,
                further_emails: &further,
                attributes: &attributes,
            };
            loader.user(&row).unwrap();
        }
        for UserRecord { row, merged_ids, .. } in self.users.values() {
            loader.mark(row.id, row.is_locked, row.reviewed_at.is_some());
            merged_ids.iter().for_each(|id| loader.merged_id(*id, row.id));
        }
        for row in self.accounts.values() {
            loader.account(&AccountRow::from(row));
        }
        loader.finish(self.units.values().cloned().collect())
    }

    /// Whether a filter selects a user, by the plain evaluator. `index` only supplies the units' checked filters.
    pub(super) fn selects(&self, index: &Index, filter: &Checked, id: UserId) -> bool {
        self.node_selects(index, filter.root(), id)
    }

    /// The accounts of a user.
    pub(super) fn accounts_of(&self, id: UserId) -> Vec<&integration_account::Model> {
        self.accounts.values().filter(|account| account.user_id == Some(id)).collect()
    }

    /// Whether one node of a filter selects a user, by the plain evaluator.
    pub(super) fn node_selects(&self, index: &Index, node: &Node, id: UserId) -> bool {
        let accounts: Vec<_> = self
            .accounts_of(id)
            .into_iter()
            .filter_map(|account| Some((self.integrations.get(&account.integration_id)?.kind, account.clone())))
            .collect();
        let facts = Facts {
            record: &self.users[&id],
            accounts: &accounts,
            reports_to: &|key, manager| self.reports_to(key, id, manager),
            is_member: &|unit, descendants| {
                let units = if descendants { self.subtree(unit) } else { BTreeSet::from([unit]) };
                units.into_iter().any(|unit| self.is_member(index, unit, id))
            },
        };
        node_matches(node, &facts)
    }

    pub(super) fn selected(&self, index: &Index, filter: &Checked) -> BTreeSet<UserId> {
        self.users.keys().copied().filter(|id| self.selects(index, filter, *id)).collect()
    }

    fn reports_to(&self, key: &str, id: UserId, manager: UserId) -> bool {
        let mut seen = BTreeSet::new();
        let mut at = id;
        while seen.insert(at) {
            let Some(record) = self.users.get(&at) else { return false };
            let Some(stored) = record.row.attributes.get(key) else { return false };
            let keys = Key::of_stored(AttributeType::User, stored);
            let Some(next) = keys.first().and_then(|key| Uuid::from_slice(key.as_bytes()).ok()) else { return false };
            if next == manager.0 {
                return true;
            }
            at = UserId(next);
        }
        false
    }

    fn subtree(&self, id: OrgUnitId) -> BTreeSet<OrgUnitId> {
        let mut found = BTreeSet::from([id]);
        loop {
            let before = found.len();
            for unit in self.units.values() {
                if unit.row.parent_id.is_some_and(|parent| found.contains(&parent)) {
                    found.insert(unit.row.id);
                }
            }
            if found.len() == before {
                return found;
            }
        }
    }

    /// Whether following what the unit leans on comes to a circle.
    pub(super) fn is_circular(&self, index: &Index, id: OrgUnitId, path: &mut Vec<OrgUnitId>) -> bool {
        if path.contains(&id) {
            return true;
        }
        let Some(record) = self.units.get(&id) else { return false };
        let mut on = BTreeSet::new();
        if record.row.scope == OrgUnitScope::Parent {
            on.extend(record.row.parent_id);
        }
        for (asked, descendants) in index.org_unit_filter(id).iter().flat_map(|filter| filter.org_units()) {
            on.extend(if descendants { self.subtree(asked) } else { BTreeSet::from([asked]) });
        }
        path.push(id);
        let is_circular = on.into_iter().any(|other| self.is_circular(index, other, path));
        path.pop();
        is_circular
    }

    pub(super) fn is_member(&self, index: &Index, unit: OrgUnitId, id: UserId) -> bool {
        let Some(record) = self.units.get(&unit) else { return false };
        if self.is_circular(index, unit, &mut Vec::new()) || record.excluded.contains(&id) {
            return false;
        }
        let in_scope = match (record.row.scope, record.row.parent_id) {
            (OrgUnitScope::Parent, Some(parent)) => self.is_member(index, parent, id),
            _ => true,
        };
        record.pinned.contains(&id)
            || in_scope && index.org_unit_filter(unit).is_some_and(|filter| self.selects(index, filter, id))
    }
}
