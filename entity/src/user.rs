//! One developer's record.

use sea_orm::entity::prelude::*;
use serde::{Deserialize, Serialize};

use crate::UserId;

/// A row of `user`.
#[derive(Clone, Debug, PartialEq, DeriveEntityModel, Serialize, Deserialize)]
#[sea_orm(table_name = "user")]
pub struct Model {
    /// Time-ordered id.
    #[sea_orm(primary_key, auto_increment = false)]
    pub id: UserId,
    /// The name as people write it; never empty.
    pub name: String,
    /// The primary email in its normal form; also the user's primary row in `user_email`.
    pub email: String,
    /// Custom values by attribute key, each in its attribute's canonical form; no nulls.
    #[sea_orm(column_type = "JsonBinary")]
    #[serde(serialize_with = "crate::sorted::json")]
    pub attributes: Json,
    /// Made from an account, and not changed by a person or an import since.
    pub is_automatic: bool,
    /// Whether automation leaves the user and the user's accounts as they are.
    #[serde(default, skip_serializing_if = "is_false")]
    pub is_locked: bool,
    /// When a person last said that the record is right; none if nobody has.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reviewed_at: Option<DateTimeUtc>,
    /// Who said so.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reviewed_by: Option<String>,
    /// The number of the changeset that last changed this user.
    pub version: i64,
    /// When the user was made.
    pub created_at: DateTimeUtc,
    /// When the user was last changed.
    pub updated_at: DateTimeUtc,
}

/// No relations are declared: reads are by key, in sets.
#[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
pub enum Relation {}

impl ActiveModelBehavior for ActiveModel {}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde gives a reference")]
fn is_false(truth: &bool) -> bool {
    !truth
}
