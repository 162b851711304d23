//! Runs: an integration's tool is read, and the directory takes what it says, all of it in one changeset or nothing.
//!
//! A run is a row beside the directory, so that any process can go on with it: which one works on it is a lease.
//! Whatever stops a process, the directory has all of a run or nothing. What does not live here: how a tool is read
//! (`connector`), and what becomes of accounts (`integration_account`, `association`).

mod apply;
mod job;
mod schedule;
mod store;

pub(super) use job::Jobs;
pub use job::RunProgress;

use std::collections::HashMap;
use std::sync::Arc;

use entity::integration_run::{self, Column, RunState};
use entity::{IntegrationId, IntegrationRunId, integration, integration_state};
use serde::{Deserialize, Serialize};

use super::history::{ChangePage, Range};
use super::lease::LEASE;
use super::{Actor, Directory, Error, Result, missing};
use crate::connector::{self, Settings};
use crate::filter::Violation;
use crate::value::GlobalId;
use store::Update;

/// How a run is to be done.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct RunOptions {
    /// How many accounts may be marked as gone, where that is more than is usual.
    pub confirm_gone: Option<u64>,
}

/// What a run did.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct RunReport {
    /// Whether the tool told of all its accounts, so that others are gone.
    pub is_full: bool,
    /// Accounts that the tool told of.
    pub seen: u64,
    /// Accounts seen for the first time.
    pub created: u64,
    /// Accounts that differ from before.
    pub updated: u64,
    /// Accounts that are as before.
    pub unchanged: u64,
    /// Accounts that the tool no longer has, or has deactivated.
    pub gone: u64,
    /// Users made from accounts.
    pub users_created: u64,
    /// Automatic users that lost their last account and went.
    pub users_removed: u64,
    /// How many accounts were left out, in whole or in part.
    pub warning_count: u64,
    /// The first of them.
    pub warnings: Vec<RunWarning>,
}

/// An account that was left out, or something of it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct RunWarning {
    /// Which account, and what of it.
    pub path: String,
    /// What kind of mistake.
    pub code: String,
    /// What is wrong.
    pub message: String,
}

/// A run with what is known of its work.
#[derive(Clone, Debug)]
pub struct Run {
    /// The row.
    pub row: integration_run::Model,
    /// What it did; none before it has succeeded.
    pub report: Option<Arc<RunReport>>,
}

/// Why a run changed nothing.
#[derive(Clone, Debug)]
pub(super) struct Failure {
    /// What kind of failure, in capitals; stable.
    code: &'static str,
    /// For people: what is wrong, and the mend.
    message: String,
    /// Whether the same run may succeed later.
    is_retryable: bool,
    /// The number of accounts to confirm.
    gone_to_confirm: Option<u64>,
}

impl Failure {
    /// One that does not pass by itself.
    pub(super) fn new(code: &'static str, message: impl Into<String>) -> Self {
        Self { code, message: message.into(), is_retryable: false, gone_to_confirm: None }
    }
}

impl From<Error> for Failure {
    fn from(error: Error) -> Self {
        if let Error::Internal(_) = &error {
            tracing::error!(?error, "a run has met a fault");
        }
        Self { is_retryable: error.is_retryable(), ..Self::new(error.code(), error.to_string()) }
    }
}

impl From<connector::Error> for Failure {
    fn from(error: connector::Error) -> Self {
        Self { is_retryable: error.is_retryable(), ..Self::new(error.code(), error.to_string()) }
    }
}

impl From<Vec<Violation>> for Failure {
    fn from(violations: Vec<Violation>) -> Self {
        Self::from(Error::Invalid(violations))
    }
}

impl Run {
    fn new(row: integration_run::Model) -> Result<Self> {
        let report = row.report.as_deref().map(serde_json::from_str).transpose().map_err(Error::internal)?;
        Ok(Self { row, report: report.map(Arc::new) })
    }

    /// Whether it waits or is being worked on.
    #[must_use]
    pub fn is_active(&self) -> bool {
        matches!(self.row.state, RunState::Queued | RunState::Running)
    }
}

impl Directory {
    /// Begins to read an integration's tool. Where a run of it is under way, that one is given.
    ///
    /// # Errors
    /// `NotFound`; `Invalid` where there is nothing to read, or a credential is missing; where the database is busy.
    pub async fn run_integration(
        &self,
        actor: &Actor,
        id: IntegrationId,
        options: RunOptions,
    ) -> Result<IntegrationRunId> {
        let integration = self.index().integration(id).cloned().ok_or_else(|| missing(id))?;
        self.check_connected(&integration).await?;
        loop {
            if let Some(active) = store::active(self.database().readers(), id).await? {
                return Ok(active.id);
            }
            let row = self.new_run(id, actor, options, false);
            let transaction = self.database().begin_side_write().await?;
            match store::insert(&transaction, &row).await {
                Ok(()) => {
                    self.database().commit(transaction).await?;
                    self.begin_run(row.id);
                    return Ok(row.id);
                }
                // Somebody else has just begun one.
                Err(Error::AlreadyExists { .. }) => transaction.rollback().await?,
                // It has just been deleted.
                Err(Error::InUse { .. }) => return Err(missing(id)),
                Err(error) => return Err(error),
            }
        }
    }

    /// Refuses a run that cannot succeed.
    async fn check_connected(&self, integration: &integration::Model) -> Result<()> {
        let not_connected = |message: &str| Err(Error::invalid("id", "NOT_CONNECTED", message));
        let Some(settings) = &integration.settings else {
            return not_connected("it has no settings, so there is nothing to read; give them with updateIntegration");
        };
        let settings =
            Settings::parse(integration.kind, settings, &self.connectors().policy).map_err(Error::Invalid)?;
        if settings.needs_credential() && !self.credentials_of(&[integration.id]).await?.contains_key(&integration.id) {
            return not_connected("its tool asks for a credential; give one with updateIntegration");
        }
        Ok(())
    }

    fn new_run(
        &self,
        id: IntegrationId,
        actor: &Actor,
        options: RunOptions,
        scheduled: bool,
    ) -> integration_run::Model {
        let now = self.clock().now();
        integration_run::Model {
            id: self.clock().id(),
            integration_id: id,
            state: RunState::Queued,
            actor: actor.0.clone(),
            is_scheduled: scheduled,
            confirm_gone: options.confirm_gone.map(|gone| i64::try_from(gone).unwrap_or(i64::MAX)),
            accounts_read: 0,
            accounts_total: None,
            requests: 0,
            waits: 0,
            waiting: None,
            report: None,
            changeset_number: None,
            code: None,
            message: None,
            is_retryable: false,
            gone_to_confirm: None,
            worker: Some(self.worker()),
            leased_until: Some(now + LEASE),
            attempts: 1,
            created_at: now,
            started_at: None,
            updated_at: now,
        }
    }

    /// Ends a run, whichever process works on it, unless the directory has what it read.
    ///
    /// # Errors
    /// `NotFound`; `Invalid` where it has ended; where the database is busy or away.
    pub async fn cancel_run(&self, actor: &Actor, id: IntegrationRunId) -> Result<()> {
        if self.run(id).await?.row.state == RunState::Cancelled {
            return Ok(());
        }
        let update = Update::of_any(id, &store::ACTIVE)
            .state(RunState::Cancelled, self.clock().now())
            .set(Column::Waiting, None::<String>)
            .set(Column::Message, Some(format!("cancelled by {}", actor.0)));
        let is_ended = update.commit(self.database()).await?;
        if let Some(job) = self.runs().find(id) {
            job.cancel();
        }
        let run = self.run(id).await?;
        if is_ended || run.row.state == RunState::Cancelled {
            return Ok(());
        }
        let is = match run.row.state {
            RunState::Succeeded => "has succeeded; undo its changeset instead",
            RunState::Failed => "has failed, and changed nothing",
            RunState::Interrupted => "was interrupted, and changed nothing",
            RunState::Queued | RunState::Running | RunState::Cancelled => "has just been taken up by somebody else",
        };
        Err(Error::invalid("id", "WRONG_STATE", format!("the run {is}")))
    }

    /// A run.
    ///
    /// # Errors
    /// `NotFound`; where the database cannot be read.
    pub async fn run(&self, id: IntegrationRunId) -> Result<Run> {
        Run::new(store::find(self.database(), id).await?.ok_or_else(|| missing(id))?)
    }

    /// A page of an integration's runs, newest first.
    ///
    /// # Errors
    /// Where the database cannot be read.
    pub async fn list_runs(&self, of: IntegrationId, range: Range<IntegrationRunId>) -> Result<ChangePage<Run>> {
        let ChangePage { rows, has_next, has_previous } = store::list(self.database(), of, range).await?;
        Ok(ChangePage { rows: rows.into_iter().map(Run::new).collect::<Result<_>>()?, has_next, has_previous })
    }

    /// How many runs of an integration are kept.
    ///
    /// # Errors
    /// Where the database cannot be read.
    pub async fn count_runs(&self, of: IntegrationId) -> Result<u64> {
        store::count(self.database(), of).await
    }

    /// The last run of each integration, and when the next one is due; those without either are left out. Two statements.
    ///
    /// # Errors
    /// Where the database cannot be read.
    pub async fn run_states(
        &self,
        ids: &[IntegrationId],
    ) -> Result<HashMap<IntegrationId, (integration_state::Model, Option<Run>)>> {
        let states = store::states(self.database().readers(), ids).await?;
        let last: Vec<IntegrationRunId> = states.iter().filter_map(|state| state.last_run_id).collect();
        let mut runs = store::find_many(self.database(), &last).await?;
        let mut found = HashMap::with_capacity(states.len());
        for state in states {
            let run = state.last_run_id.and_then(|id| runs.remove(&id)).map(Run::new).transpose()?;
            found.insert(state.integration_id, (state, run));
        }
        Ok(found)
    }

    pub(super) fn runs(&self) -> &Jobs {
        &self.0.runs
    }

    fn name_of(&self, id: IntegrationId) -> String {
        self.index().integration(id).map_or_else(|| id.to_global(), |integration| integration.name.clone())
    }
}
