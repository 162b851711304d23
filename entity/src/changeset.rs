//! One atomic change to the directory.

use sea_orm::entity::prelude::*;
use serde::{Deserialize, Serialize};

/// What was done.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, EnumIter, DeriveActiveEnum, Serialize, Deserialize)]
#[sea_orm(rs_type = "String", db_type = "Text", rename_all = "SCREAMING_SNAKE_CASE")]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub enum ChangesetKind {
    /// The built-in attributes were made.
    Initialize,
    /// A user was created, updated or deleted.
    User,
    /// An attribute was created, updated, moved or deleted.
    Attribute,
    /// An integration was created, updated or deleted.
    Integration,
    /// An account was linked to a user, or unlinked.
    Association,
    /// An integration reported its accounts.
    Sync,
    /// An org unit was created, updated, moved or deleted.
    OrgUnit,
    /// A CSV file was imported.
    Import,
    /// What another changeset had changed was put back.
    Undo,
    /// Org units were made of the values that users have, or brought into step with them.
    Generate,
    /// Users were merged into one.
    Merge,
    /// A part of a user became a user of its own.
    Split,
    /// A user was locked or unlocked, or users were marked as reviewed.
    Review,
    /// The rules of association were changed, and accounts and users with them.
    AssociationRules,
    /// A person was erased: user, accounts, and what the log said of them.
    Erase,
}

/// A row of `changeset`.
#[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel, Serialize, Deserialize)]
#[sea_orm(table_name = "changeset")]
pub struct Model {
    /// Its place in the one serial order, from 1, without gaps.
    #[sea_orm(primary_key, auto_increment = false)]
    pub number: i64,
    /// What was done.
    pub kind: ChangesetKind,
    /// Who did it.
    pub actor: String,
    /// How many records changed.
    pub change_count: i64,
    /// The number of the changeset that it undid; none of every other kind.
    pub undoes: Option<i64>,
    /// When it was made.
    pub created_at: DateTimeUtc,
    /// The digest of the changeset before it, of what is said here, and of its changes.
    #[serde(skip)]
    pub digest: Vec<u8>,
}

/// No relations are declared: reads are by key, in sets.
#[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
pub enum Relation {}

impl ActiveModelBehavior for ActiveModel {}
