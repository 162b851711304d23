//! A node of the tree of org units.

use sea_orm::entity::prelude::*;
use serde::{Deserialize, Serialize};

use crate::OrgUnitId;

/// Among whom an org unit's filter selects.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, EnumIter, DeriveActiveEnum, Serialize, Deserialize)]
#[sea_orm(rs_type = "String", db_type = "Text", rename_all = "SCREAMING_SNAKE_CASE")]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub enum OrgUnitScope {
    /// All users.
    All,
    /// The members of the parent.
    Parent,
}

/// A row of `org_unit`.
#[derive(Clone, Debug, PartialEq, DeriveEntityModel, Serialize, Deserialize)]
#[sea_orm(table_name = "org_unit")]
pub struct Model {
    /// Time-ordered id.
    #[sea_orm(primary_key, auto_increment = false)]
    pub id: OrgUnitId,
    /// The unit above; none at the root.
    pub parent_id: Option<OrgUnitId>,
    /// Its name, unique among its siblings.
    pub name: String,
    /// The folded name.
    pub name_key: String,
    /// What it is for.
    pub description: String,
    /// Among whom its filter selects.
    pub scope: OrgUnitScope,
    /// Its filter in the stored form, `{"v":1,"filter":…}`; none selects nobody.
    #[sea_orm(column_type = "JsonBinary", nullable)]
    #[serde(serialize_with = "crate::sorted::option")]
    pub filter: Option<Json>,
    /// What it was generated from, and as what; none of units that a person has made.
    #[sea_orm(column_type = "JsonBinary", nullable)]
    #[serde(default, skip_serializing_if = "Option::is_none", serialize_with = "crate::sorted::option")]
    pub origin: Option<Json>,
    /// The number of the changeset that last changed it.
    pub version: i64,
    /// When it was made.
    pub created_at: DateTimeUtc,
    /// When it was last changed.
    pub updated_at: DateTimeUtc,
}

/// No relations are declared: reads are by key, in sets.
#[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
pub enum Relation {}

impl ActiveModelBehavior for ActiveModel {}
