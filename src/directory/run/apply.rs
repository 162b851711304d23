//! Applying a run: one changeset with all that the tool has said, or none.

use std::sync::Arc;
use std::time::{Duration, Instant};

use entity::changeset::ChangesetKind;
use entity::integration_run::{self, Column, RunState};

use super::job::{Reading, fingerprint};
use super::store::{self, Update};
use super::{Failure, RunReport, RunWarning};
use crate::directory::integration_account::{Checked, check};
use crate::directory::{Actor, Directory, Error, Result, SyncMode, SyncOutcome};
use crate::filter::Violation;
use crate::value::{GlobalId, shorten};

/// Below this number of accounts any number may be gone.
const FEW: u64 = 10;
/// The most warnings that are kept of one run.
const WARNINGS: usize = 100;
/// How long a run that was read waits for others who write.
const PATIENCE: Duration = Duration::from_mins(5);
/// How long it waits before it tries again.
const PAUSE: Duration = Duration::from_secs(1);

impl Directory {
    /// Has the directory take what a tool has said. Goes on to its end even if nobody waits for it.
    pub(super) async fn apply_run(&self, row: integration_run::Model, reading: Reading) -> Result<(), Failure> {
        let directory = self.clone();
        let applied = tokio::spawn(async move { Box::pin(directory.apply_patiently(&row, reading)).await });
        applied.await.map_err(|panic| Failure::from(Error::internal(panic)))?
    }

    /// What was read for an hour is not given up for an import that holds the lock for a minute.
    async fn apply_patiently(&self, row: &integration_run::Model, mut reading: Reading) -> Result<(), Failure> {
        let accounts = std::mem::take(&mut reading.accounts);
        let checked = move || check(accounts, |_, id| format!("account `{}`", shorten(id)));
        let checked = Arc::new(tokio::task::spawn_blocking(checked).await.map_err(Error::internal)?);
        let begun = Instant::now();
        loop {
            match Box::pin(self.apply_once(row, &reading, &checked)).await {
                Err(failure) if failure.is_retryable && begun.elapsed() < PATIENCE => {
                    tokio::time::sleep(PAUSE).await;
                }
                done => return done,
            }
        }
    }

    async fn apply_once(
        &self,
        row: &integration_run::Model,
        reading: &Reading,
        checked: &Checked,
    ) -> Result<(), Failure> {
        let of = row.integration_id;
        let mode = if reading.outcome.is_full { SyncMode::Full } else { SyncMode::Delta };
        let mut changeset = self.begin(ChangesetKind::Sync, &Actor(row.actor.clone())).await?;
        let now = self.index().integration(of).map(|integration| fingerprint(integration));
        match now {
            None => return Err(Failure::new("NOT_FOUND", "the integration was deleted while it was read")),
            Some(now) if now != reading.settings => {
                let message = "the integration's settings were changed while it was read; run it again";
                return Err(Failure::new("SETTINGS_CHANGED", message));
            }
            Some(_) => {}
        }
        let active = changeset.count_active(of).await?;
        let mut outcome = SyncOutcome::default();
        changeset.take_accounts(of, checked, mode, &mut outcome).await?;
        if mode == SyncMode::Full {
            guard(row, (active, checked.seen), outcome.gone)?;
        }
        changeset.flush().await?;
        let report = serde_json::to_string(&report(reading, checked, &outcome)).map_err(Error::internal)?;
        let number = changeset.number();
        let is_empty = changeset.is_empty();
        let succeeded = Update::of(row.id, RunState::Running)
            .leased_by(self.worker())
            .state(RunState::Succeeded, self.clock().now())
            .set(Column::Report, Some(report))
            .set(Column::ChangesetNumber, (!is_empty).then_some(number))
            .set(Column::AccountsRead, i64::try_from(checked.seen).unwrap_or(i64::MAX))
            .set(Column::AccountsTotal, Some(i64::try_from(checked.seen).unwrap_or(i64::MAX)))
            .set(Column::Requests, i64::from(reading.outcome.requests))
            .set(Column::Waits, i64::from(reading.outcome.waits))
            .set(Column::Waiting, None::<String>);
        let taken_over = || Failure::new("WRONG_STATE", "the run was ended or taken over while it was being applied");
        let version = if is_empty { number - 1 } else { number };
        let cursor = (reading.outcome.cursor.clone(), (reading.settings.clone(), version));
        if is_empty {
            drop(changeset);
            let transaction = self.database().begin_side_write().await.map_err(Error::from)?;
            if !succeeded.run(&transaction).await? {
                return Err(taken_over());
            }
            store::keep_cursor(&transaction, of, cursor.0, cursor.1).await?;
            self.database().commit(transaction).await.map_err(Error::from)?;
        } else {
            // In the same transaction: the run has succeeded if and only if the directory has it.
            if !succeeded.run(changeset.transaction()).await? {
                return Err(taken_over());
            }
            store::keep_cursor(changeset.transaction(), of, cursor.0, cursor.1).await?;
            changeset.commit().await?;
        }
        let (run, integration) = (row.id.to_global(), self.name_of(of));
        let (created, gone) = (outcome.created, outcome.gone);
        tracing::info!(run, integration, version, seen = checked.seen, created, gone, "a run has succeeded");
        Ok(())
    }
}

/// Refuses a run that would mark so many accounts as gone that the tool has more likely not said all.
fn guard(row: &integration_run::Model, (active, seen): (u64, u64), gone: u64) -> Result<(), Failure> {
    let is_much = gone > 0 && (seen == 0 || (active >= FEW && gone * 2 > active));
    if !is_much || row.confirm_gone.map(i64::unsigned_abs) == Some(gone) {
        return Ok(());
    }
    let message = format!(
        "{gone} of {active} accounts would be marked as gone, so nothing was changed; look at what the credential may \
         see, and if that is meant, run it with confirmGone: {gone}"
    );
    Err(Failure { gone_to_confirm: Some(gone), ..Failure::new("GONE_NOT_CONFIRMED", message) })
}

fn report(reading: &Reading, checked: &Checked, outcome: &SyncOutcome) -> RunReport {
    let warnings = || checked.left_out().chain(&checked.warnings);
    let warning = |Violation { path, code, message, .. }: &Violation| RunWarning {
        path: path.clone(),
        code: (*code).to_owned(),
        message: message.clone(),
    };
    RunReport {
        is_full: reading.outcome.is_full,
        seen: checked.seen,
        created: outcome.created,
        updated: outcome.updated,
        unchanged: outcome.unchanged,
        gone: outcome.gone,
        users_created: outcome.users_created,
        users_removed: outcome.users_removed,
        warning_count: warnings().count() as u64,
        warnings: warnings().take(WARNINGS).map(warning).collect(),
    }
}

impl Checked {
    /// What stands in the way of accounts. One that was told of twice is not left out: lists move while they are read.
    fn left_out(&self) -> impl Iterator<Item = &Violation> {
        self.violations.iter().filter(|violation| violation.code != "DUPLICATE")
    }
}
