//! One reading of an integration's tool. It is beside the directory: no changeset logs it.

use sea_orm::entity::prelude::*;

use crate::{IntegrationId, IntegrationRunId};

/// How far a run is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, EnumIter, DeriveActiveEnum)]
#[sea_orm(rs_type = "String", db_type = "Text", rename_all = "SCREAMING_SNAKE_CASE")]
pub enum RunState {
    /// It waits for others.
    Queued,
    /// The tool is being read, or what it said is being applied.
    Running,
    /// The directory has what the tool said.
    Succeeded,
    /// Nothing was changed; the message says why.
    Failed,
    /// Somebody has ended it; nothing was changed.
    Cancelled,
    /// Its processes stopped again and again; nothing was changed.
    Interrupted,
}

/// A row of `integration_run`.
#[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "integration_run")]
pub struct Model {
    /// Time-ordered id.
    #[sea_orm(primary_key, auto_increment = false)]
    pub id: IntegrationRunId,
    /// What is read.
    pub integration_id: IntegrationId,
    /// How far it is.
    pub state: RunState,
    /// Who started it.
    pub actor: String,
    /// Whether the schedule did.
    pub is_scheduled: bool,
    /// How many accounts may be marked as gone, where that is more than is usual.
    pub confirm_gone: Option<i64>,
    /// Accounts read so far.
    pub accounts_read: i64,
    /// Accounts that the tool says it has.
    pub accounts_total: Option<i64>,
    /// Requests sent to the tool.
    pub requests: i64,
    /// How often the tool asked to wait.
    pub waits: i64,
    /// What it waits for just now, in words.
    pub waiting: Option<String>,
    /// What it did, as JSON text; none before it is done.
    pub report: Option<String>,
    /// The changeset that it made; none where nothing was different.
    pub changeset_number: Option<i64>,
    /// What kind of failure, in capitals.
    pub code: Option<String>,
    /// A sentence for people: why it failed, and the mend.
    pub message: Option<String>,
    /// Whether the same run may succeed later.
    pub is_retryable: bool,
    /// The number to confirm, where the run was refused for the accounts that it would mark as gone.
    pub gone_to_confirm: Option<i64>,
    /// The process that works on it.
    pub worker: Option<Uuid>,
    /// Until when nobody else takes the work over.
    pub leased_until: Option<DateTimeUtc>,
    /// How often it has been begun.
    pub attempts: i32,
    /// When it was asked for.
    pub created_at: DateTimeUtc,
    /// When the tool was first asked.
    pub started_at: Option<DateTimeUtc>,
    /// When its state last changed.
    pub updated_at: DateTimeUtc,
}

/// No relations are declared: reads are by key, in sets.
#[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
pub enum Relation {}

impl ActiveModelBehavior for ActiveModel {}
