//! An import that was read and compared, and not yet applied. It is beside the directory: no changeset logs it.

use sea_orm::entity::prelude::*;

use crate::ImportDraftId;

/// What the rows of an import's file are.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, EnumIter, DeriveActiveEnum)]
#[sea_orm(rs_type = "String", db_type = "Text", rename_all = "SCREAMING_SNAKE_CASE")]
pub enum ImportKind {
    /// Users.
    #[default]
    Users,
    /// Org units.
    OrgUnits,
}

/// How far a draft is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, EnumIter, DeriveActiveEnum)]
#[sea_orm(rs_type = "String", db_type = "Text", rename_all = "SCREAMING_SNAKE_CASE")]
pub enum DraftState {
    /// Its file is being read and compared, or waits for that.
    Comparing,
    /// It can be looked at and applied.
    Ready,
    /// It is being applied.
    Applying,
    /// The directory has it.
    Applied,
    /// Somebody has given it up.
    Cancelled,
    /// The comparison could not be brought to its end.
    Interrupted,
}

/// A row of `import_draft`.
#[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "import_draft")]
pub struct Model {
    /// The id.
    #[sea_orm(primary_key, auto_increment = false)]
    pub id: ImportDraftId,
    /// What the rows of its file are.
    pub kind: ImportKind,
    /// How far it is.
    pub state: DraftState,
    /// Who made it.
    pub actor: String,
    /// What the client calls its request, so that repeating it gives the same draft.
    pub client_mutation_id: Option<String>,
    /// What the file is called.
    pub file_name: String,
    /// How many bytes it has.
    pub file_bytes: i64,
    /// The SHA-256 of its bytes, in hex.
    pub file_sha256: String,
    /// How it is to be read and compared, as JSON text.
    pub options: String,
    /// What the comparison found, as JSON text; none before it is done.
    pub report: Option<String>,
    /// A sentence for people: why it was interrupted, or what stood in the way of applying it.
    pub message: Option<String>,
    /// The version of the directory that it was compared with.
    pub base_version: Option<i64>,
    /// The version of the directory that has it applied.
    pub applied_version: Option<i64>,
    /// Rows compared so far.
    pub rows_done: i64,
    /// Rows in the file, as far as they are known.
    pub rows_total: i64,
    /// The process that works on it.
    pub worker: Option<Uuid>,
    /// Until when nobody else takes the work over.
    pub leased_until: Option<DateTimeUtc>,
    /// How often its comparison has been begun.
    pub attempts: i32,
    /// When it was made.
    pub created_at: DateTimeUtc,
    /// When its state last changed.
    pub updated_at: DateTimeUtc,
}

/// No relations are declared: reads are by key, in sets.
#[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
pub enum Relation {}

impl ActiveModelBehavior for ActiveModel {}
