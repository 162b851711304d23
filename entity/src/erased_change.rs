//! A row of the log that an erasure has rewritten.

use sea_orm::entity::prelude::*;

/// A row of `erased_change`.
#[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "erased_change")]
pub struct Model {
    /// The changeset that erased.
    #[sea_orm(primary_key, auto_increment = false)]
    pub erasure: i64,
    /// The changeset that the row is of.
    #[sea_orm(primary_key, auto_increment = false)]
    pub changeset_number: i64,
    /// Its place there.
    #[sea_orm(primary_key, auto_increment = false)]
    pub position: i64,
    /// The digest of what the row has said since.
    pub digest: Vec<u8>,
}

/// No relations are declared: reads are by key, in sets.
#[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
pub enum Relation {}

impl ActiveModelBehavior for ActiveModel {}
