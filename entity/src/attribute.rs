//! A column that user records have.

use sea_orm::entity::prelude::*;
use serde::{Deserialize, Serialize};

use crate::AttributeId;
use crate::token::Role;

/// What values an attribute holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, EnumIter, DeriveActiveEnum, Serialize, Deserialize)]
#[sea_orm(rs_type = "String", db_type = "Text", rename_all = "SCREAMING_SNAKE_CASE")]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub enum AttributeType {
    /// Any text.
    Text,
    /// A finite number.
    Number,
    /// True or false.
    Boolean,
    /// A calendar day.
    Date,
    /// One of the attribute's options.
    Select,
    /// Some of the attribute's options.
    MultiSelect,
    /// Another user, such as a supervisor.
    User,
    /// An email address that belongs to nobody's record.
    Email,
    /// A web address.
    Url,
    /// The accounts of a user, one CSV column per integration; only the built-in `integration` has it.
    Integration,
}

/// A row of `attribute`.
#[derive(Clone, Debug, PartialEq, DeriveEntityModel, Serialize, Deserialize)]
#[sea_orm(table_name = "attribute")]
pub struct Model {
    /// Time-ordered id.
    #[sea_orm(primary_key, auto_increment = false)]
    pub id: AttributeId,
    /// The name in filters, documents and the API; folded; never changes.
    #[sea_orm(unique)]
    pub key: String,
    /// The heading that people see.
    pub title: String,
    /// The folded title, unique.
    #[sea_orm(unique)]
    pub title_key: String,
    /// Where its values come from.
    pub description: String,
    /// What its values are.
    pub r#type: AttributeType,
    /// The options of SELECT and `MULTI_SELECT`, an array of strings in their order; else empty.
    #[sea_orm(column_type = "JsonBinary")]
    pub options: Json,
    /// Whether every user must have a value.
    pub is_required: bool,
    /// Whether no two users may have the same value.
    pub is_unique: bool,
    /// Whether it is one of `name`, `email` and `integration`.
    pub is_built_in: bool,
    /// The roles that may read it, an array of their names; none where everybody may who reads attributes.
    #[sea_orm(column_type = "JsonBinary", nullable)]
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub readable_by: Option<Json>,
    /// Its place among the attributes, from 0.
    pub position: i32,
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

impl Model {
    /// Whether whoever has a role may know of it. ADMIN may.
    #[must_use]
    pub fn is_readable_by(&self, role: Role) -> bool {
        let names_role = |names: &Json| names.as_array().into_iter().flatten().any(|name| name == role.name());
        role == Role::Admin || self.readable_by.as_ref().is_none_or(names_role)
    }
}
