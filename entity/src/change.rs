//! The log: one record's state before and after a changeset.

use sea_orm::entity::prelude::*;
use serde::{Deserialize, Serialize};

/// What kind of record a change is of.
#[derive(
    Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, EnumIter, DeriveActiveEnum, Serialize, Deserialize,
)]
#[sea_orm(rs_type = "String", db_type = "Text", rename_all = "SCREAMING_SNAKE_CASE")]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub enum Noun {
    /// An attribute.
    Attribute,
    /// An integration.
    Integration,
    /// A user, with all emails.
    User,
    /// An account of an integration.
    IntegrationAccount,
    /// An org unit, with its pinned and excluded users.
    OrgUnit,
    /// The rules of association, of which there is one set.
    AssociationRules,
}

/// A row of `change`.
#[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "change")]
pub struct Model {
    /// The changeset it belongs to.
    #[sea_orm(primary_key, auto_increment = false)]
    pub changeset_number: i64,
    /// Its place in the changeset, from 0.
    #[sea_orm(primary_key, auto_increment = false)]
    pub position: i64,
    /// What kind of record changed.
    pub noun: Noun,
    /// Which one.
    pub record_id: Uuid,
    /// The record before, as JSON text; none if it was created.
    pub before: Option<String>,
    /// The record after, as JSON text; none if it was deleted.
    pub after: Option<String>,
    /// What was drawn for the digest, and goes with what it salts.
    pub salt: Vec<u8>,
    /// The digest of the change as it was written, which stays where what it was made of is erased.
    pub digest: Vec<u8>,
}

/// No relations are declared: reads are by key, in sets.
#[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
pub enum Relation {}

impl ActiveModelBehavior for ActiveModel {}
