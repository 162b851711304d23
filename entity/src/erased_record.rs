//! A user or an account that was erased in a directory whose place a backup has taken. Its id alone is kept, so that a later
//! backup does not bring it back.

use sea_orm::entity::prelude::*;

use crate::change::Noun;

/// A row of `erased_record`.
#[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "erased_record")]
pub struct Model {
    /// What it was.
    #[sea_orm(primary_key, auto_increment = false)]
    pub noun: Noun,
    /// Its id.
    #[sea_orm(primary_key, auto_increment = false)]
    pub record_id: Uuid,
}

/// No relations are declared: all rows are read at once.
#[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
pub enum Relation {}

impl ActiveModelBehavior for ActiveModel {}
