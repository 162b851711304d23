//! How far an integration has been read, and when it is to be read again. It is beside the directory: no changeset logs it.

use sea_orm::entity::prelude::*;

use crate::{IntegrationId, IntegrationRunId};

/// A row of `integration_state`.
#[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "integration_state")]
pub struct Model {
    /// The integration.
    #[sea_orm(primary_key, auto_increment = false)]
    pub integration_id: IntegrationId,
    /// The run that was started last.
    pub last_run_id: Option<IntegrationRunId>,
    /// Where the next run goes on, if the tool allows that.
    pub cursor: Option<String>,
    /// The fingerprint of the settings that the cursor is of.
    pub cursor_of: Option<String>,
    /// The version of the directory that has everything up to the cursor.
    pub cursor_version: i64,
    /// The schedule that `next_at` follows.
    pub schedule_minutes: Option<i32>,
    /// When the next run is due.
    pub next_at: Option<DateTimeUtc>,
    /// How many scheduled runs have failed, one after the other, in ways that may pass.
    pub failures: i32,
}

/// No relations are declared: reads are by key, in sets.
#[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
pub enum Relation {}

impl ActiveModelBehavior for ActiveModel {}
