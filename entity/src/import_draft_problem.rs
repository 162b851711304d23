//! Something in a draft's file that is wrong, or worth a look.

use sea_orm::entity::prelude::*;

use crate::ImportDraftId;

/// A row of `import_draft_problem`.
#[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "import_draft_problem")]
pub struct Model {
    /// The draft.
    #[sea_orm(primary_key, auto_increment = false)]
    pub draft_id: ImportDraftId,
    /// Whether the row cannot be imported for it.
    #[sea_orm(primary_key, auto_increment = false)]
    pub is_error: bool,
    /// Its place among the draft's problems of this kind, from 0, by line.
    #[sea_orm(primary_key, auto_increment = false)]
    pub position: i64,
    /// The line.
    pub line: i64,
    /// The problem, as JSON text.
    pub problem: String,
}

/// No relations are declared: reads are by key, in sets.
#[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
pub enum Relation {}

impl ActiveModelBehavior for ActiveModel {}
