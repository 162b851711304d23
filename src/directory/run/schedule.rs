//! Runs that nobody asks for: those that are due, and those that other processes have left.
//!
//! A due run is started by one process alone: whoever moves the time of the next one, in the same transaction.

use chrono::{DateTime, TimeDelta, Utc};
use entity::integration_run::{Column, RunState};
use entity::integration_state::{self, Column as StateColumn};
use entity::{IntegrationId, IntegrationRunId, integration_run};
use sea_orm::sea_query::{Expr, ExprTrait, OnConflict};
use sea_orm::{ColumnTrait, ConnectionTrait, EntityTrait, IntoActiveModel, QueryFilter};

use super::store::{self, Update};
use super::{Failure, RunOptions};
use crate::directory::lease::{ATTEMPTS, LEASE};
use crate::directory::{Actor, Directory, Error, Result};

/// Who starts scheduled runs, as the log names them.
const SCHEDULE: &str = "schedule";
/// How long a scheduled run that failed for what may pass waits at first; twice as long each time that it fails again.
const BACK_OFF_MINUTES: i64 = 1;

impl Directory {
    /// Takes over the runs that other processes have left, starts those that are due, and removes old ones. To be called
    /// every few seconds by whoever serves.
    ///
    /// # Errors
    /// Where the database is busy or away.
    pub async fn tend_runs(&self) -> Result<()> {
        self.refresh().await?;
        let now = self.clock().now();
        for run in store::abandoned(self.database(), now).await? {
            self.take_over(run, now).await?;
        }
        let scheduled: Vec<(IntegrationId, i32)> = self
            .index()
            .integrations()
            .iter()
            .filter_map(|integration| Some((integration.id, integration.schedule_minutes?)))
            .collect();
        let ids: Vec<IntegrationId> = scheduled.iter().map(|(id, _)| *id).collect();
        let states = if ids.is_empty() { Vec::new() } else { store::states(self.database().readers(), &ids).await? };
        for (id, minutes) in scheduled {
            let state = states.iter().find(|state| state.integration_id == id);
            let next_at = state.filter(|state| state.schedule_minutes == Some(minutes)).and_then(|state| state.next_at);
            if next_at.is_none_or(|next_at| next_at <= now) {
                self.start_due(id, minutes, now).await?;
            }
        }
        store::expire(self.database(), now).await
    }

    /// Takes over one run, if its process has left it.
    ///
    /// # Errors
    /// Where the database is busy or away.
    pub async fn tend_run(&self, id: IntegrationRunId) -> Result<()> {
        let now = self.clock().now();
        let abandoned = store::abandoned(self.database(), now).await?;
        match abandoned.into_iter().find(|run| run.id == id) {
            Some(run) => self.take_over(run, now).await,
            None => Ok(()),
        }
    }

    async fn take_over(&self, run: integration_run::Model, now: DateTime<Utc>) -> Result<()> {
        if self.runs().find(run.id).is_some() {
            return Ok(());
        }
        let update = Update::of_any(run.id, &store::ACTIVE).not_leased(now);
        if run.attempts >= ATTEMPTS {
            let why = "the servers that ran it stopped again and again; nothing was changed, so run it once more";
            let update = update.state(RunState::Interrupted, now).set(Column::Waiting, None::<String>);
            update.set(Column::Message, Some(why.to_owned())).commit(self.database()).await?;
            return Ok(());
        }
        let update = update
            .state(RunState::Queued, now)
            .lease(self.worker(), now + LEASE)
            .set(Column::Attempts, run.attempts + 1)
            .set(Column::Waiting, None::<String>)
            .set(Column::AccountsRead, 0_i64);
        if update.commit(self.database()).await? {
            self.begin_run(run.id);
        }
        Ok(())
    }

    /// Starts the run of an integration that is due, if no other process has.
    async fn start_due(&self, id: IntegrationId, minutes: i32, now: DateTime<Utc>) -> Result<()> {
        let transaction = self.database().begin_side_write().await?;
        let next_at = now + TimeDelta::minutes(minutes.into());
        let is_claimed = match claim(&transaction, id, (minutes, next_at), now).await {
            // The integration has just been deleted.
            Err(Error::InUse { .. }) => false,
            claimed => claimed?,
        };
        if !is_claimed {
            transaction.rollback().await?;
            return Ok(());
        }
        if store::active(&transaction, id).await?.is_some() {
            // It is being read just now.
            return Ok(self.database().commit(transaction).await?);
        }
        let row = self.new_run(id, &Actor(SCHEDULE.to_owned()), RunOptions::default(), true);
        store::insert(&transaction, &row).await?;
        self.database().commit(transaction).await?;
        self.begin_run(row.id);
        Ok(())
    }

    /// Gives up the runs that this process works on, for others to go on with at once. To be called before it ends.
    ///
    /// # Errors
    /// Where the database is busy or away.
    pub async fn leave_runs(&self) -> Result<()> {
        if self.runs().cancel_all() {
            store::leave(self.database(), self.worker()).await?;
        }
        Ok(())
    }
}

/// Moves the time of the next run on, if it has come; whether this is who did.
async fn claim(
    connection: &impl ConnectionTrait,
    id: IntegrationId,
    (minutes, next_at): (i32, DateTime<Utc>),
    now: DateTime<Utc>,
) -> Result<bool> {
    let new = integration_state::Model {
        schedule_minutes: Some(minutes),
        // One that is scheduled for the first time, or otherwise than before, is due at once.
        next_at: Some(now),
        ..store::unread(id)
    };
    let nothing = OnConflict::column(StateColumn::IntegrationId).do_nothing().to_owned();
    integration_state::Entity::insert(new.into_active_model())
        .on_conflict(nothing)
        .exec_without_returning(connection)
        .await?;
    let moved = integration_state::Entity::update_many()
        .col_expr(StateColumn::NextAt, Expr::value(Some(next_at)))
        .col_expr(StateColumn::ScheduleMinutes, Expr::value(Some(minutes)))
        .filter(StateColumn::IntegrationId.eq(id))
        .filter(
            StateColumn::NextAt
                .lte(now)
                .or(StateColumn::NextAt.is_null())
                .or(StateColumn::ScheduleMinutes.ne(minutes))
                .or(StateColumn::ScheduleMinutes.is_null()),
        )
        .exec(connection)
        .await?;
    Ok(moved.rows_affected > 0)
}

/// Has a scheduled run that failed for what may pass tried again before its next time.
pub(super) async fn back_off(
    connection: &impl ConnectionTrait,
    run: &integration_run::Model,
    failure: &Failure,
    now: DateTime<Utc>,
) -> Result<()> {
    if !run.is_scheduled || !failure.is_retryable {
        return Ok(());
    }
    let Some(state) = store::states(connection, &[run.integration_id]).await?.pop() else { return Ok(()) };
    let wait = BACK_OFF_MINUTES << state.failures.clamp(0, 20);
    integration_state::Entity::update_many()
        .col_expr(StateColumn::Failures, Expr::value(state.failures.saturating_add(1)))
        .col_expr(
            StateColumn::NextAt,
            Expr::value(state.next_at.map(|next| std::cmp::min(next, now + TimeDelta::minutes(wait)))),
        )
        .filter(StateColumn::IntegrationId.eq(run.integration_id))
        .exec(connection)
        .await?;
    Ok(())
}
