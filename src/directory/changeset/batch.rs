//! The tables' side of a changeset: from records before and after to rows inserted, updated and deleted.

use std::collections::{BTreeSet, HashSet};

use entity::{AssociationRulesId, AttributeId, IntegrationAccountId, IntegrationId, OrgUnitId, UserId};
use entity::{
    association_rules, attribute, integration, integration_account, org_unit, org_unit_pin, user, user_email,
    user_merged_id,
};
use sea_orm::{
    ColumnTrait, DbBackend, DeleteMany, EntityTrait, IdenStatic, Iterable, ModelTrait, PrimaryKeyToColumn, QueryFilter,
    QueryTrait, Statement,
};

use super::writer::Entry;
use crate::record::{OrgUnitRecord, Record, UserRecord};

/// Rows in one statement: enough that the statement's own cost no longer shows, few enough for either database's
/// limit on bound values.
pub(super) const ROWS: usize = 200;

/// The rows of some records, by what must be done with them.
#[derive(Default)]
pub(super) struct Batch<'a> {
    attributes: Sorted<'a, attribute::Model, AttributeId>,
    integrations: Sorted<'a, integration::Model, IntegrationId>,
    users: Sorted<'a, user::Model, UserId>,
    emails_gone: Vec<(&'a str, UserId)>,
    emails_new: Vec<user_email::Model>,
    merged_gone: Vec<(UserId, UserId)>,
    merged_new: Vec<user_merged_id::Model>,
    accounts: Sorted<'a, integration_account::Model, IntegrationAccountId>,
    org_units: Sorted<'a, org_unit::Model, OrgUnitId>,
    /// Of org units that come, go, or change their place.
    org_units_apart: Vec<org_unit::Model>,
    pins_gone: Vec<(OrgUnitId, UserId)>,
    pins_new: Vec<org_unit_pin::Model>,
    rules: Sorted<'a, association_rules::Model, AssociationRulesId>,
}

/// Rows of one table.
struct Sorted<'a, R, I> {
    created: Vec<&'a R>,
    updated: Vec<&'a R>,
    deleted: Vec<I>,
}

impl<R, I> Default for Sorted<'_, R, I> {
    fn default() -> Self {
        Self { created: Vec::new(), updated: Vec::new(), deleted: Vec::new() }
    }
}

impl<'a, R, I> Sorted<'a, R, I> {
    /// Puts the states of one record where they belong: created, updated or deleted.
    fn add(&mut self, before: Option<&'a R>, after: Option<&'a R>, id: impl FnOnce(&R) -> I) {
        match (before, after) {
            (None, Some(after)) => self.created.push(after),
            (Some(_), Some(after)) => self.updated.push(after),
            (Some(before), None) => self.deleted.push(id(before)),
            (None, None) => {}
        }
    }
}

impl<'a> Batch<'a> {
    /// Sorts in what must be done with one record.
    pub(super) fn add(&mut self, entry: &'a Entry) {
        let (before, after) = (entry.before.as_ref(), entry.after.as_ref());
        match before.or(after) {
            Some(Record::Attribute(_)) => {
                self.attributes.add(as_attribute(before), as_attribute(after), |row| row.id);
            }
            Some(Record::Integration(_)) => {
                self.integrations.add(as_integration(before), as_integration(after), |row| row.id);
            }
            Some(Record::AssociationRules(_)) => {
                self.rules.add(as_rules(before), as_rules(after), |row| row.id);
            }
            Some(Record::IntegrationAccount(_)) => {
                self.accounts.add(as_account(before), as_account(after), |row| row.id);
            }
            Some(Record::User(_)) => {
                let (before, after) = (as_user(before), as_user(after));
                self.users.add(before.map(|user| &user.row), after.map(|user| &user.row), |row| row.id);
                let old = before.into_iter().flat_map(email_rows);
                self.emails_gone
                    .extend(old.filter(|row| !has_email(after, *row)).map(|(email, user, _)| (email, user)));
                let new = after.into_iter().flat_map(email_rows).filter(|row| !has_email(before, *row));
                self.emails_new.extend(new.map(|(email, user_id, is_primary)| user_email::Model {
                    email: email.to_owned(),
                    user_id,
                    is_primary,
                }));
                self.add_merged(before, after);
            }
            Some(Record::OrgUnit(_)) => {
                let (before, after) = (as_unit(before), as_unit(after));
                let (old, new) = (before.map(|unit| &unit.row), after.map(|unit| &unit.row));
                if place(old) != place(new) {
                    self.org_units_apart.extend(old.or(new).map(apart));
                }
                self.org_units.add(old, new, |row| row.id);
                let old = before.map(pin_rows).unwrap_or_default();
                let new = after.map(pin_rows).unwrap_or_default();
                let pins = |rows: &[org_unit_pin::Model]| -> HashSet<_> {
                    rows.iter().map(|row| (row.org_unit_id, row.user_id, row.is_member)).collect()
                };
                let (had, has) = (pins(&old), pins(&new));
                let is_in = |pins: &HashSet<_>, row: &org_unit_pin::Model| {
                    pins.contains(&(row.org_unit_id, row.user_id, row.is_member))
                };
                let gone = old.iter().filter(|row| !is_in(&has, row));
                self.pins_gone.extend(gone.map(|row| (row.org_unit_id, row.user_id)));
                self.pins_new.extend(new.into_iter().filter(|row| !is_in(&had, row)));
            }
            None => {}
        }
    }

    fn add_merged(&mut self, before: Option<&UserRecord>, after: Option<&UserRecord>) {
        let has = |user: Option<&UserRecord>, id: &UserId| user.is_some_and(|user| user.merged_ids.contains(id));
        if let Some(before) = before {
            let gone = before.merged_ids.iter().filter(|id| !has(after, id));
            self.merged_gone.extend(gone.map(|id| (*id, before.row.id)));
        }
        if let Some(after) = after {
            let new = after.merged_ids.iter().filter(|id| !has(before, id));
            self.merged_new.extend(new.map(|id| user_merged_id::Model { merged_id: *id, user_id: after.row.id }));
        }
    }

    /// The statements that write all this. What others refer to is made first and deleted last; what must be unique is
    /// freed before it is taken.
    pub(super) fn statements(self, backend: DbBackend) -> Vec<Statement> {
        let mut to = Statements { backend, list: Vec::new() };
        for some in self.emails_gone.chunks(ROWS) {
            // An email that another user has taken in an earlier batch stays: hence the users.
            to.delete(
                &user_email::Entity::delete_many()
                    .filter(user_email::Column::Email.is_in(some.iter().map(|(email, _)| *email)))
                    .filter(user_email::Column::UserId.is_in(some.iter().map(|(_, user)| *user))),
            );
        }
        for (id, user) in self.merged_gone {
            // Another user may have got it in an earlier batch, as an email.
            to.delete(
                &user_merged_id::Entity::delete_many()
                    .filter(user_merged_id::Column::MergedId.eq(id))
                    .filter(user_merged_id::Column::UserId.eq(user)),
            );
        }
        for (unit, user) in self.pins_gone {
            to.delete(
                &org_unit_pin::Entity::delete_many()
                    .filter(org_unit_pin::Column::OrgUnitId.eq(unit))
                    .filter(org_unit_pin::Column::UserId.eq(user)),
            );
        }
        to.delete_by::<attribute::Entity, _>(attribute::Column::Id, &self.attributes.deleted);
        to.insert::<attribute::Entity>(self.attributes.created);
        to.upsert::<attribute::Entity>(self.attributes.updated);
        to.insert::<integration::Entity>(self.integrations.created);
        to.upsert::<integration::Entity>(self.integrations.updated);
        to.delete_by::<association_rules::Entity, _>(association_rules::Column::Id, &self.rules.deleted);
        to.upsert::<association_rules::Entity>([self.rules.created, self.rules.updated].concat());
        to.insert::<user::Entity>(self.users.created);
        to.upsert::<user::Entity>(self.users.updated);
        to.insert::<user_email::Entity>(&self.emails_new);
        to.upsert::<user_merged_id::Entity>(&self.merged_new);
        to.delete_by::<integration_account::Entity, _>(integration_account::Column::Id, &self.accounts.deleted);
        to.insert::<integration_account::Entity>(self.accounts.created);
        to.upsert::<integration_account::Entity>(self.accounts.updated);
        // Of one unit alone the place is free.
        if self.org_units_apart.len() > 1 {
            to.upsert::<org_unit::Entity>(&self.org_units_apart);
        }
        to.upsert::<org_unit::Entity>([self.org_units.created, self.org_units.updated].concat());
        to.insert::<org_unit_pin::Entity>(&self.pins_new);
        to.delete_by::<org_unit::Entity, _>(org_unit::Column::Id, &self.org_units.deleted);
        to.delete_by::<user::Entity, _>(user::Column::Id, &self.users.deleted);
        to.delete_by::<integration::Entity, _>(integration::Column::Id, &self.integrations.deleted);
        to.list
    }
}

/// Statements in their order.
pub(in crate::directory) struct Statements {
    pub(in crate::directory) backend: DbBackend,
    pub(in crate::directory) list: Vec<Statement>,
}

impl Statements {
    /// Inserts rows, many a statement.
    pub(in crate::directory) fn insert<'a, E: EntityTrait>(&mut self, rows: impl IntoIterator<Item = &'a E::Model>) {
        self.write::<E>(rows, "");
    }

    /// Writes rows over those with the same primary key, many a statement.
    fn upsert<'a, E: EntityTrait>(&mut self, rows: impl IntoIterator<Item = &'a E::Model>) {
        let keys: Vec<String> = E::PrimaryKey::iter().map(|key| quoted(&key.into_column())).collect();
        let columns = E::Column::iter().map(|column| quoted(&column));
        let values: Vec<String> = columns.map(|column| format!("{column} = excluded.{column}")).collect();
        self.write::<E>(rows, &format!(" ON CONFLICT ({}) DO UPDATE SET {}", keys.join(", "), values.join(", ")));
    }

    /// The text is made here and not by the query builder: of a million rows that is a noticeable part of an import.
    fn write<'a, E: EntityTrait>(&mut self, rows: impl IntoIterator<Item = &'a E::Model>, conflict: &str) {
        let rows: Vec<&E::Model> = rows.into_iter().collect();
        let columns: Vec<E::Column> = E::Column::iter().collect();
        let names: Vec<String> = columns.iter().map(quoted).collect();
        for some in rows.chunks(ROWS) {
            let places: Vec<String> =
                (0..some.len()).map(|row| self.places(row * columns.len(), columns.len())).collect();
            let (table, names, places) = (quoted(&E::default()), names.join(", "), places.join(", "));
            let sql = format!("INSERT INTO {table} ({names}) VALUES {places}{conflict}");
            let values = some.iter().flat_map(|row| columns.iter().map(|column| row.get(*column)));
            self.list.push(Statement::from_sql_and_values(self.backend, sql, values));
        }
    }

    /// The places of one row's values, of which the first is the one after `from`.
    fn places(&self, from: usize, count: usize) -> String {
        let place = |at: usize| if self.backend == DbBackend::Postgres { format!("${at}") } else { "?".to_owned() };
        format!("({})", (from + 1..=from + count).map(place).collect::<Vec<_>>().join(", "))
    }

    fn delete<E: EntityTrait>(&mut self, rows: &DeleteMany<E>) {
        self.list.push(rows.build(self.backend));
    }

    fn delete_by<E: EntityTrait, I>(&mut self, key: E::Column, ids: &[I])
    where
        I: Copy + Into<sea_orm::Value>,
    {
        for some in ids.chunks(ROWS) {
            self.delete(&E::delete_many().filter(key.is_in(some.iter().copied())));
        }
    }
}

fn quoted(name: &impl IdenStatic) -> String {
    format!("\"{}\"", name.as_str())
}

fn as_attribute(record: Option<&Record>) -> Option<&attribute::Model> {
    match record {
        Some(Record::Attribute(row)) => Some(row),
        _ => None,
    }
}

fn as_integration(record: Option<&Record>) -> Option<&integration::Model> {
    match record {
        Some(Record::Integration(row)) => Some(row),
        _ => None,
    }
}

fn as_rules(record: Option<&Record>) -> Option<&association_rules::Model> {
    match record {
        Some(Record::AssociationRules(row)) => Some(row),
        _ => None,
    }
}

fn as_account(record: Option<&Record>) -> Option<&integration_account::Model> {
    match record {
        Some(Record::IntegrationAccount(row)) => Some(row),
        _ => None,
    }
}

/// The user that a record is, if it is one.
pub(in crate::directory) fn as_user(record: Option<&Record>) -> Option<&UserRecord> {
    match record {
        Some(Record::User(user)) => Some(user),
        _ => None,
    }
}

fn as_unit(record: Option<&Record>) -> Option<&OrgUnitRecord> {
    match record {
        Some(Record::OrgUnit(unit)) => Some(unit),
        _ => None,
    }
}

/// What no two org units share.
fn place(row: Option<&org_unit::Model>) -> Option<(Option<OrgUnitId>, &str)> {
    row.map(|row| (row.parent_id, row.name_key.as_str()))
}

/// An org unit on its way from one place to another, in nobody's way: a root of a name that none can have, since names
/// do not begin with a blank.
fn apart(row: &org_unit::Model) -> org_unit::Model {
    org_unit::Model { parent_id: None, name_key: format!(" {}", row.id.0), ..row.clone() }
}

/// The emails of a user, and whether each is the primary one.
fn email_rows(user: &UserRecord) -> impl Iterator<Item = (&str, UserId, bool)> {
    user.emails().map(|email| (email, user.row.id, email == user.row.email))
}

fn has_email(user: Option<&UserRecord>, row: (&str, UserId, bool)) -> bool {
    user.is_some_and(|user| email_rows(user).any(|own| own == row))
}

fn pin_rows(unit: &OrgUnitRecord) -> Vec<org_unit_pin::Model> {
    let rows = |users: &BTreeSet<UserId>, is_member| {
        users
            .iter()
            .map(|user| org_unit_pin::Model { org_unit_id: unit.row.id, user_id: *user, is_member })
            .collect::<Vec<_>>()
    };
    [rows(&unit.pinned, true), rows(&unit.excluded, false)].concat()
}
