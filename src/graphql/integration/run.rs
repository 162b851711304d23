//! RUNS in the API: an integration's tool is read, and the directory takes what it says.

use async_graphql::{Context, Description, Enum, ID, InputObject, Object, SimpleObject, Subscription};
use entity::{IntegrationId, IntegrationRunId};
use futures_util::Stream;

use super::Integration;
use crate::directory::{self, Error, RunOptions, RunReport};
use crate::graphql::changeset::Changeset;
use crate::graphql::context::ContextExt;
use crate::graphql::error::Result;
use crate::graphql::scalar::{DateTime, parse_id, to_id};
use crate::graphql::subscription::events;

/// How far a run is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Enum)]
#[graphql(remote = "entity::integration_run::RunState")]
pub(crate) enum IntegrationRunState {
    /// It waits for other runs.
    Queued,
    /// The tool is being read, or what it said is being applied.
    Running,
    /// The directory has what the tool said.
    Succeeded,
    /// Nothing was changed; `message` says why.
    Failed,
    /// Somebody has ended it; nothing was changed.
    Cancelled,
    /// The servers that ran it stopped again and again; nothing was changed.
    Interrupted,
}

/// One reading of an integration's tool. All that it changes is one changeset, or nothing is. Runs are kept for 90 days.
#[derive(Clone, Debug, Description)]
pub(crate) struct IntegrationRun(pub directory::Run);

/// How far the reading of a tool is.
#[derive(Clone, Debug, SimpleObject)]
pub(crate) struct IntegrationRunProgress {
    /// Accounts read.
    accounts_read: u64,
    /// Accounts that the tool says it has; null as long as it does not say.
    accounts_total: Option<u64>,
    /// What is waited for just now, such as a rate limit; null where nothing is.
    waiting: Option<String>,
}

/// An account that was left out, or something of it.
#[derive(Clone, Debug, SimpleObject)]
pub(crate) struct IntegrationRunWarning {
    /// Which account, and what of it.
    path: String,
    /// What kind of mistake, in capitals. It does not change.
    code: String,
    /// What is wrong.
    message: String,
}

impl IntegrationRun {
    fn count(&self, of: impl Fn(&RunReport) -> u64) -> u64 {
        self.0.report.as_deref().map(of).unwrap_or_default()
    }
}

#[Object(use_type_description)]
impl IntegrationRun {
    /// The run's id.
    async fn id(&self) -> ID {
        to_id(self.0.row.id)
    }

    /// The integration that is read, as it is now; null once it is deleted.
    async fn integration(&self, ctx: &Context<'_>) -> Result<Option<Integration>> {
        Ok(ctx.directory()?.index().integration(self.0.row.integration_id).cloned().map(Integration::new))
    }

    /// How far it is.
    async fn state(&self) -> IntegrationRunState {
        self.0.row.state.into()
    }

    /// Who started it; `schedule` where the schedule did.
    async fn started_by(&self) -> &str {
        &self.0.row.actor
    }

    /// Whether the schedule started it.
    async fn is_scheduled(&self) -> bool {
        self.0.row.is_scheduled
    }

    /// How far the reading is.
    async fn progress(&self, ctx: &Context<'_>) -> Result<IntegrationRunProgress> {
        let directory::RunProgress { accounts_read, accounts_total, waiting, .. } =
            ctx.directory()?.run_progress(&self.0.row);
        Ok(IntegrationRunProgress { accounts_read, accounts_total, waiting })
    }

    /// Whether the tool told of all its accounts; null before that is known. Those that it did not tell of are marked as
    /// gone then. Otherwise it told of what has changed since the run before.
    async fn is_full(&self) -> Option<bool> {
        self.0.report.as_ref().map(|report| report.is_full)
    }

    /// How many accounts the tool told of.
    async fn seen(&self) -> u64 {
        self.count(|report| report.seen)
    }

    /// How many accounts were seen for the first time.
    async fn created(&self) -> u64 {
        self.count(|report| report.created)
    }

    /// How many accounts differ from before.
    async fn updated(&self) -> u64 {
        self.count(|report| report.updated)
    }

    /// How many accounts are as before.
    async fn unchanged(&self) -> u64 {
        self.count(|report| report.unchanged)
    }

    /// How many accounts the tool no longer has, or has deactivated. They are marked, not deleted.
    async fn gone(&self) -> u64 {
        self.count(|report| report.gone)
    }

    /// How many users were made from accounts.
    async fn users_created(&self) -> u64 {
        self.count(|report| report.users_created)
    }

    /// How many automatically made users lost their last account and went.
    async fn users_removed(&self) -> u64 {
        self.count(|report| report.users_removed)
    }

    /// How many accounts were left out, in whole or in part.
    async fn warning_count(&self) -> u64 {
        self.count(|report| report.warning_count)
    }

    /// The first hundred of them.
    async fn warnings(&self) -> Vec<IntegrationRunWarning> {
        let warnings = self.0.report.as_ref().map(|report| report.warnings.clone()).unwrap_or_default();
        let show = |directory::RunWarning { path, code, message }| IntegrationRunWarning { path, code, message };
        warnings.into_iter().map(show).collect()
    }

    /// How many requests were sent to the tool; 0 before the run has succeeded.
    async fn requests(&self) -> i64 {
        self.0.row.requests
    }

    /// How often the tool asked to wait.
    async fn rate_limit_waits(&self, ctx: &Context<'_>) -> Result<u64> {
        Ok(ctx.directory()?.run_progress(&self.0.row).waits)
    }

    /// What kind of failure it is, in capitals; null where there is none. It does not change, the message may.
    async fn code(&self) -> Option<&str> {
        self.0.row.code.as_deref()
    }

    /// Why it failed, and the mend; null where it did not.
    async fn message(&self) -> Option<&str> {
        self.0.row.message.as_deref()
    }

    /// Whether the same run may succeed later.
    async fn is_retryable(&self) -> bool {
        self.0.row.is_retryable
    }

    /// How many accounts would be marked as gone, where the run was refused for that; null where it was not. If it is
    /// meant, give the number as `confirmGone`.
    async fn gone_to_confirm(&self) -> Option<i64> {
        self.0.row.gone_to_confirm
    }

    /// The changeset that it made; null where nothing was different, or it has not succeeded.
    async fn changeset(&self, ctx: &Context<'_>) -> Result<Option<Changeset>> {
        match self.0.row.changeset_number {
            Some(number) => Ok(ctx.directory()?.find_changeset(number).await?.map(Changeset)),
            None => Ok(None),
        }
    }

    /// When it was asked for.
    async fn created_at(&self) -> DateTime {
        DateTime(self.0.row.created_at)
    }

    /// When the reading began; null before.
    async fn started_at(&self) -> Option<DateTime> {
        self.0.row.started_at.map(DateTime)
    }

    /// When it ended; null before.
    async fn finished_at(&self) -> Option<DateTime> {
        (!self.0.is_active()).then_some(DateTime(self.0.row.updated_at))
    }
}

/// Which integration to read.
#[derive(Debug, InputObject)]
pub(crate) struct RunIntegrationInput {
    /// The integration's id.
    id: ID,
    /// How many accounts may be marked as gone. Needed where a run was refused for that, and says the number.
    confirm_gone: Option<u64>,
}

/// The run that was begun, or the one that is under way.
#[derive(Debug, SimpleObject)]
pub(crate) struct RunIntegrationPayload {
    /// The run.
    run: IntegrationRun,
}

/// The run after it was ended.
#[derive(Debug, SimpleObject)]
pub(crate) struct CancelIntegrationRunPayload {
    /// The run.
    run: IntegrationRun,
}

/// Queries for runs.
#[derive(Debug, Default)]
pub(crate) struct IntegrationRunQuery;

#[Object]
impl IntegrationRunQuery {
    /// A run; null where there is none of this id.
    async fn integration_run(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "Its id.")] id: ID,
    ) -> Result<Option<IntegrationRun>> {
        let id: IntegrationRunId = parse_id(&id, "id")?;
        match ctx.directory()?.run(id).await {
            Ok(run) => Ok(Some(IntegrationRun(run))),
            Err(Error::NotFound { .. }) => Ok(None),
            Err(error) => Err(error.into()),
        }
    }
}

/// Mutations of runs.
#[derive(Debug, Default)]
pub(crate) struct IntegrationRunMutation;

#[Object]
impl IntegrationRunMutation {
    /// Begins to read an integration's tool, as its settings say. Answers at once. Where a run of it is under way, the
    /// answer is that one.
    async fn run_integration(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "Which integration.")] input: RunIntegrationInput,
    ) -> Result<RunIntegrationPayload> {
        let id: IntegrationId = parse_id(&input.id, "id")?;
        let directory = ctx.directory()?;
        let options = RunOptions { confirm_gone: input.confirm_gone };
        let run = directory.run_integration(&ctx.actor(), id, options).await?;
        Ok(RunIntegrationPayload { run: IntegrationRun(directory.run(run).await?) })
    }

    /// Ends a run, whichever server works on it; nothing is changed then. One that is cancelled already stays so. Refused
    /// where it has ended otherwise.
    async fn cancel_integration_run(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "The run.")] id: ID,
    ) -> Result<CancelIntegrationRunPayload> {
        let id: IntegrationRunId = parse_id(&id, "id")?;
        let directory = ctx.directory()?;
        directory.cancel_run(&ctx.actor(), id).await?;
        Ok(CancelIntegrationRunPayload { run: IntegrationRun(directory.run(id).await?) })
    }
}

/// Subscriptions to runs.
#[derive(Debug, Default)]
pub(crate) struct IntegrationRunSubscription;

#[Subscription]
impl IntegrationRunSubscription {
    /// A run, and again each time its progress or its state has moved on, until it is over.
    async fn integration_run(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "The run's id.")] id: ID,
    ) -> Result<impl Stream<Item = Result<IntegrationRun>>> {
        let id: IntegrationRunId = parse_id(&id, "id")?;
        let directory = ctx.directory()?;
        directory.run(id).await?;
        Ok(events(directory.follow_run(id), IntegrationRun))
    }
}
