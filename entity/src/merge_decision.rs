//! What people decided of suggested merges.

use sea_orm::entity::prelude::*;

/// What became of a suggestion.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, EnumIter, DeriveActiveEnum)]
#[sea_orm(rs_type = "String", db_type = "Text", rename_all = "SCREAMING_SNAKE_CASE")]
pub enum Decision {
    /// The two are one person, and have been merged.
    Accepted,
    /// The two are two persons.
    Rejected,
}

/// A row of `merge_decision`. A record is named by its id as clients see it, which tells its noun.
#[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "merge_decision")]
pub struct Model {
    /// One of the two, the lesser id.
    #[sea_orm(primary_key, auto_increment = false)]
    pub low: String,
    /// The other.
    #[sea_orm(primary_key, auto_increment = false)]
    pub high: String,
    /// What was decided.
    pub decision: Decision,
    /// Who decided.
    pub decided_by: String,
    /// When.
    pub decided_at: DateTimeUtc,
    /// The changeset that merged them; none of a rejection.
    pub changeset_number: Option<i64>,
}

/// No relations are declared: reads are by key, in sets.
#[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
pub enum Relation {}

impl ActiveModelBehavior for ActiveModel {}
