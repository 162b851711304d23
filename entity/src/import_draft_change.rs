//! What a draft would make of one record.

use sea_orm::entity::prelude::*;

use crate::ImportDraftId;

/// A row of `import_draft_change`.
#[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "import_draft_change")]
pub struct Model {
    /// The draft.
    #[sea_orm(primary_key, auto_increment = false)]
    pub draft_id: ImportDraftId,
    /// Its place among the changes, from 0.
    #[sea_orm(primary_key, auto_increment = false)]
    pub position: i64,
    /// What becomes of the record.
    pub kind: String,
    /// The change, as JSON text.
    pub change: String,
}

/// No relations are declared: reads are by key, in sets.
#[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
pub enum Relation {}

impl ActiveModelBehavior for ActiveModel {}
