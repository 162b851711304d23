//! The tables' side of a changeset: from records before and after to rows inserted, updated and deleted.

use std::collections::BTreeSet;

use entity::{AttributeId, IntegrationAccountId, IntegrationId, OrgUnitId, UserId};
use entity::{attribute, integration, integration_account, org_unit, org_unit_pin, user, user_email};
use sea_orm::sea_query::OnConflict;
use sea_orm::{
    ActiveModelTrait, ColumnTrait, DatabaseTransaction, EntityTrait, IntoActiveModel, Iterable, PrimaryKeyToColumn,
    QueryFilter,
};

use super::{Entry, ROWS};
use crate::directory::error::Result;
use crate::record::{OrgUnitRecord, Record, UserRecord};

/// The rows of some records, by what must be done with them.
#[derive(Default)]
pub(super) struct Batch {
    attributes: (Vec<attribute::Model>, Vec<attribute::Model>, Vec<AttributeId>),
    integrations: (Vec<integration::Model>, Vec<integration::Model>, Vec<IntegrationId>),
    users: (Vec<user::Model>, Vec<user::Model>, Vec<UserId>),
    emails_gone: Vec<(String, UserId)>,
    emails_new: Vec<user_email::Model>,
    accounts: (Vec<integration_account::Model>, Vec<integration_account::Model>, Vec<IntegrationAccountId>),
    org_units: (Vec<org_unit::Model>, Vec<org_unit::Model>, Vec<OrgUnitId>),
    /// Of org units that come, go, or change their place.
    org_units_apart: Vec<org_unit::Model>,
    pins_gone: Vec<(OrgUnitId, UserId)>,
    pins_new: Vec<org_unit_pin::Model>,
}

/// Puts the states of one record where they belong: created, updated or deleted.
fn sort<R: Clone, D>(
    into: &mut (Vec<R>, Vec<R>, Vec<D>),
    before: Option<&R>,
    after: Option<&R>,
    deleted: impl FnOnce(&R) -> D,
) {
    match (before, after) {
        (None, Some(after)) => into.0.push(after.clone()),
        (Some(_), Some(after)) => into.1.push(after.clone()),
        (Some(before), None) => into.2.push(deleted(before)),
        (None, None) => {}
    }
}

impl Batch {
    /// Sorts in what must be done with one record.
    pub(super) fn add(&mut self, entry: &Entry) {
        let (before, after) = (entry.before.as_ref(), entry.after.as_ref());
        match before.or(after) {
            Some(Record::Attribute(_)) => {
                sort(&mut self.attributes, as_attribute(before), as_attribute(after), |row| row.id);
            }
            Some(Record::Integration(_)) => {
                sort(&mut self.integrations, as_integration(before), as_integration(after), |row| row.id);
            }
            Some(Record::IntegrationAccount(_)) => {
                sort(&mut self.accounts, as_account(before), as_account(after), |row| row.id);
            }
            Some(Record::User(_)) => {
                let (before, after) = (as_user(before), as_user(after));
                sort(&mut self.users, before.map(|user| &user.row), after.map(|user| &user.row), |row| row.id);
                let old = before.map(email_rows).unwrap_or_default();
                let new = after.map(email_rows).unwrap_or_default();
                self.emails_gone
                    .extend(old.iter().filter(|row| !new.contains(row)).map(|row| (row.email.clone(), row.user_id)));
                self.emails_new.extend(new.into_iter().filter(|row| !old.contains(row)));
            }
            Some(Record::OrgUnit(_)) => {
                let (before, after) = (as_unit(before), as_unit(after));
                let (old, new) = (before.map(|unit| &unit.row), after.map(|unit| &unit.row));
                if place(old) != place(new) {
                    self.org_units_apart.extend(old.or(new).map(apart));
                }
                sort(&mut self.org_units, old, new, |row| row.id);
                let old = before.map(pin_rows).unwrap_or_default();
                let new = after.map(pin_rows).unwrap_or_default();
                self.pins_gone
                    .extend(old.iter().filter(|row| !new.contains(row)).map(|row| (row.org_unit_id, row.user_id)));
                self.pins_new.extend(new.into_iter().filter(|row| !old.contains(row)));
            }
            None => {}
        }
    }

    /// What others refer to is made first and deleted last; what must be unique is freed before it is taken.
    pub(super) async fn write(self, to: &DatabaseTransaction) -> Result<()> {
        for some in self.emails_gone.chunks(ROWS) {
            // An email that another user has taken in an earlier batch stays: hence the users.
            user_email::Entity::delete_many()
                .filter(user_email::Column::Email.is_in(some.iter().map(|(email, _)| email)))
                .filter(user_email::Column::UserId.is_in(some.iter().map(|(_, user)| *user)))
                .exec(to)
                .await?;
        }
        for (unit, user) in self.pins_gone {
            org_unit_pin::Entity::delete_by_id((unit, user)).exec(to).await?;
        }
        let (created, updated, deleted) = self.attributes;
        for id in deleted {
            attribute::Entity::delete_by_id(id).exec(to).await?;
        }
        insert::<attribute::Entity, _>(to, created).await?;
        upsert::<attribute::Entity, _>(to, updated).await?;
        let (created, updated, integrations_gone) = self.integrations;
        insert::<integration::Entity, _>(to, created).await?;
        upsert::<integration::Entity, _>(to, updated).await?;
        let (created, updated, users_gone) = self.users;
        insert::<user::Entity, _>(to, created).await?;
        upsert::<user::Entity, _>(to, updated).await?;
        insert::<user_email::Entity, _>(to, self.emails_new).await?;
        let (created, updated, deleted) = self.accounts;
        for some in deleted.chunks(ROWS) {
            integration_account::Entity::delete_many()
                .filter(integration_account::Column::Id.is_in(some.iter().copied()))
                .exec(to)
                .await?;
        }
        insert::<integration_account::Entity, _>(to, created).await?;
        upsert::<integration_account::Entity, _>(to, updated).await?;
        let (created, updated, deleted) = self.org_units;
        // Of one unit alone the place is free.
        if self.org_units_apart.len() > 1 {
            upsert::<org_unit::Entity, _>(to, self.org_units_apart).await?;
        }
        upsert::<org_unit::Entity, _>(to, [created, updated].concat()).await?;
        insert::<org_unit_pin::Entity, _>(to, self.pins_new).await?;
        for some in deleted.chunks(ROWS) {
            org_unit::Entity::delete_many().filter(org_unit::Column::Id.is_in(some.iter().copied())).exec(to).await?;
        }
        for some in users_gone.chunks(ROWS) {
            user::Entity::delete_many().filter(user::Column::Id.is_in(some.iter().copied())).exec(to).await?;
        }
        for id in integrations_gone {
            integration::Entity::delete_by_id(id).exec(to).await?;
        }
        Ok(())
    }
}

/// Inserts rows, many a statement.
pub(super) async fn insert<E, A>(to: &DatabaseTransaction, rows: Vec<E::Model>) -> Result<()>
where
    E: EntityTrait,
    E::Model: IntoActiveModel<A>,
    A: ActiveModelTrait<Entity = E> + Send,
{
    write::<E, A>(to, rows, None).await
}

/// Writes rows over those with the same primary key, many a statement.
async fn upsert<E, A>(to: &DatabaseTransaction, rows: Vec<E::Model>) -> Result<()>
where
    E: EntityTrait,
    E::Model: IntoActiveModel<A>,
    A: ActiveModelTrait<Entity = E> + Send,
{
    let keys: Vec<E::Column> = E::PrimaryKey::iter().map(PrimaryKeyToColumn::into_column).collect();
    let conflict = OnConflict::columns(keys).update_columns(E::Column::iter()).to_owned();
    write::<E, A>(to, rows, Some(conflict)).await
}

async fn write<E, A>(to: &DatabaseTransaction, rows: Vec<E::Model>, conflict: Option<OnConflict>) -> Result<()>
where
    E: EntityTrait,
    E::Model: IntoActiveModel<A>,
    A: ActiveModelTrait<Entity = E> + Send,
{
    let mut rows = rows.into_iter().peekable();
    while rows.peek().is_some() {
        let models = rows.by_ref().take(ROWS).map(IntoActiveModel::into_active_model);
        let mut insert = E::insert_many(models);
        if let Some(conflict) = &conflict {
            insert = insert.on_conflict(conflict.clone());
        }
        insert.exec_without_returning(to).await?;
    }
    Ok(())
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

fn email_rows(user: &UserRecord) -> Vec<user_email::Model> {
    user.emails()
        .map(|email| user_email::Model {
            email: email.to_owned(),
            user_id: user.row.id,
            is_primary: email == user.row.email,
        })
        .collect()
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
