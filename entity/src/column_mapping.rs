//! What the columns of files hold, remembered under a name.

use sea_orm::entity::prelude::*;

/// A row of `column_mapping`.
#[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "column_mapping")]
pub struct Model {
    /// The name, folded.
    #[sea_orm(primary_key, auto_increment = false)]
    pub name_key: String,
    /// The name.
    pub name: String,
    /// What the columns hold, as JSON text.
    pub mapping: String,
    /// When it was last saved.
    pub updated_at: DateTimeUtc,
}

/// No relations are declared: reads are by key, in sets.
#[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
pub enum Relation {}

impl ActiveModelBehavior for ActiveModel {}
