//! Leases: which process works on a job that is a row, for as long as it shows that it is alive.
//!
//! A job is taken, kept and ended by one statement each, that changes its row only if it is as it has to be. What does
//! not live here: what the work is, and what becomes of a job that its process has left.

use std::time::Duration;

use chrono::{DateTime, Utc};
use sea_orm::sea_query::Expr;
use sea_orm::{ColumnTrait, ConnectionTrait, EntityTrait, QueryFilter, UpdateMany, Value};
use uuid::Uuid;

use super::{Directory, Result};
use crate::database::Database;

/// How long a process that works on a job may be silent before another one takes over.
pub(super) const LEASE: chrono::Duration = chrono::Duration::seconds(15);
/// How often a process says that it is still at work, and how far.
pub(super) const BEAT: Duration = Duration::from_secs(1);
/// How often a job is begun before it is given up.
pub(super) const ATTEMPTS: i32 = 3;

/// A table of jobs.
pub(super) trait Job: EntityTrait {
    /// The id of a job.
    type Id: Into<Value>;
    /// How far a job is.
    type State: Into<Value> + Copy;
    /// The column of ids.
    const ID: Self::Column;
    /// The column that says how far a job is.
    const STATE: Self::Column;
    /// The column with the process that works on a job.
    const WORKER: Self::Column;
    /// The column with the time until when nobody else takes it over.
    const LEASED_UNTIL: Self::Column;
    /// The column with the time at which its state last changed.
    const UPDATED_AT: Self::Column;
}

/// A change to a job's row.
pub(super) struct Update<J: Job>(UpdateMany<J>);

impl<J: Job> Update<J> {
    /// Of one job, if it is in this state.
    pub(super) fn of(id: J::Id, state: J::State) -> Self {
        Self::of_any(id, &[state])
    }

    /// Of one job, if it is in one of these states.
    pub(super) fn of_any(id: J::Id, states: &[J::State]) -> Self {
        Self(J::update_many().filter(J::ID.eq(id)).filter(J::STATE.is_in(states.iter().copied())))
    }

    /// If a column of it still has this value.
    pub(super) fn having(self, column: J::Column, value: impl Into<Value>) -> Self {
        Self(self.0.filter(column.eq(value.into())))
    }

    /// If this process has the lease.
    pub(super) fn leased_by(self, worker: Uuid) -> Self {
        Self(self.0.filter(J::WORKER.eq(worker)))
    }

    /// If nobody has a lease that holds at `now`.
    pub(super) fn not_leased(self, now: DateTime<Utc>) -> Self {
        Self(self.0.filter(J::LEASED_UNTIL.lt(now)))
    }

    pub(super) fn set(self, column: J::Column, value: impl Into<Value>) -> Self {
        Self(self.0.col_expr(column, Expr::value(value)))
    }

    pub(super) fn state(self, state: J::State, now: DateTime<Utc>) -> Self {
        self.set(J::STATE, state).set(J::UPDATED_AT, now)
    }

    pub(super) fn lease(self, worker: Uuid, until: DateTime<Utc>) -> Self {
        self.set(J::WORKER, worker).set(J::LEASED_UNTIL, until)
    }

    /// Whether the job was as required, and is changed now.
    pub(super) async fn run(self, connection: &impl ConnectionTrait) -> Result<bool> {
        Ok(self.0.exec(connection).await?.rows_affected > 0)
    }

    /// The same, in a transaction of its own.
    pub(super) async fn commit(self, database: &Database) -> Result<bool> {
        let transaction = database.begin_side_write().await?;
        let is_changed = self.run(&transaction).await?;
        database.commit(transaction).await?;
        Ok(is_changed)
    }
}

impl Directory {
    /// Does some work on a job, and keeps its lease meanwhile; `job` begins the change of its row.
    pub(super) async fn keep_lease<J: Job, T>(&self, job: impl Fn() -> Update<J>, work: impl Future<Output = T>) -> T {
        let beats = async {
            loop {
                tokio::time::sleep(BEAT).await;
                let until = self.clock().look() + LEASE;
                let update = job().leased_by(self.worker()).lease(self.worker(), until);
                // Where the database is busy, nobody else can take the job over either.
                let _ = update.commit(self.database()).await;
            }
        };
        tokio::select! {
            never = beats => never,
            done = work => done,
        }
    }

    /// This process, as leases name it.
    pub(super) fn worker(&self) -> Uuid {
        self.0.worker
    }
}
