//! The work on runs: reading a tool, and saying how far that is.

use std::collections::HashMap;
use std::collections::hash_map::Entry;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use entity::integration_run::{self, Column, RunState};
use entity::{IntegrationRunId, integration};
use futures_util::{Stream, stream};
use sha2::{Digest, Sha256};
use tokio::sync::{Semaphore, mpsc};
use tokio_util::sync::CancellationToken;

use super::schedule::back_off;
use super::store::{self, ACTIVE, Update};
use super::{Failure, Run};
use crate::connector::{self, Credential, Event, Settings};
use crate::directory::lease::{BEAT, LEASE};
use crate::directory::{Directory, Error, Result, SyncedAccount};
use crate::value::{GlobalId, hex};

/// The most accounts of one run.
const ACCOUNTS: usize = 1_000_000;
/// The longest that a tool is read.
const LONGEST: Duration = Duration::from_hours(24);
/// How many tools one process reads at a time.
const AT_A_TIME: usize = 4;
/// How often somebody who follows a run looks at it.
const LOOK: Duration = Duration::from_millis(250);

/// The runs that this process works on.
pub(in crate::directory) struct Jobs {
    running: Mutex<HashMap<IntegrationRunId, Arc<Job>>>,
    turns: Semaphore,
}

impl Default for Jobs {
    fn default() -> Self {
        Self { running: Mutex::default(), turns: Semaphore::new(AT_A_TIME) }
    }
}

impl Jobs {
    fn lock(&self) -> MutexGuard<'_, HashMap<IntegrationRunId, Arc<Job>>> {
        self.running.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn find(&self, id: IntegrationRunId) -> Option<Arc<Job>> {
        self.lock().get(&id).cloned()
    }

    /// Ends the work on all runs; whether there was any.
    pub(super) fn cancel_all(&self) -> bool {
        let running = self.lock();
        running.values().for_each(|job| job.cancel());
        !running.is_empty()
    }
}

/// The work of this process on one run.
#[derive(Default)]
pub(super) struct Job {
    progress: Mutex<RunProgress>,
    stop: CancellationToken,
}

/// How far a run is.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct RunProgress {
    /// Accounts read.
    pub accounts_read: u64,
    /// Accounts that the tool says it has; none as long as it does not say.
    pub accounts_total: Option<u64>,
    /// How often the tool asked to wait.
    pub waits: u64,
    /// What is waited for just now.
    pub waiting: Option<String>,
}

impl Job {
    /// Ends the work.
    pub(super) fn cancel(&self) {
        self.stop.cancel();
    }

    fn progress(&self) -> MutexGuard<'_, RunProgress> {
        self.progress.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// A change of a run's row, with how far it is.
    fn note(&self, update: Update) -> Update {
        let progress = self.progress().clone();
        let number = |count: u64| i64::try_from(count).unwrap_or(i64::MAX);
        update
            .set(Column::AccountsRead, number(progress.accounts_read))
            .set(Column::AccountsTotal, progress.accounts_total.map(number))
            .set(Column::Waits, number(progress.waits))
            .set(Column::Waiting, progress.waiting)
    }
}

/// What a tool has said.
pub(super) struct Reading {
    pub(super) accounts: Vec<SyncedAccount>,
    pub(super) outcome: connector::Outcome,
    /// The fingerprint of the settings it was asked with.
    pub(super) settings: String,
}

impl Directory {
    /// How far a run is.
    #[must_use]
    pub fn run_progress(&self, run: &integration_run::Model) -> RunProgress {
        match self.runs().find(run.id) {
            Some(job) if ACTIVE.contains(&run.state) => job.progress().clone(),
            _ => RunProgress {
                accounts_read: run.accounts_read.unsigned_abs(),
                accounts_total: run.accounts_total.map(i64::unsigned_abs),
                waits: run.waits.unsigned_abs(),
                waiting: run.waiting.clone(),
            },
        }
    }

    /// A run as it is, and again each time it is found to have moved on, until it is over.
    pub fn follow_run(&self, id: IntegrationRunId) -> impl Stream<Item = Result<Run>> + Send + use<> {
        let directory = self.clone();
        stream::try_unfold(Some(None), move |last: Option<Option<(RunState, RunProgress)>>| {
            let directory = directory.clone();
            async move {
                let Some(last) = last else { return Ok(None) };
                loop {
                    let run = directory.run(id).await?;
                    let seen = Some((run.row.state, directory.run_progress(&run.row)));
                    if last != seen {
                        let is_active = run.is_active();
                        return Ok(Some((run, is_active.then_some(seen))));
                    }
                    tokio::time::sleep(LOOK).await;
                }
            }
        })
    }

    /// Waits until the work of this process on a run is done, if it is at it.
    pub async fn finish_run(&self, id: IntegrationRunId) {
        loop {
            let done = self.0.job_done.notified();
            if self.runs().find(id).is_none() {
                return;
            }
            done.await;
        }
    }

    /// Begins to work on a run of which this process has the lease.
    pub(super) fn begin_run(&self, id: IntegrationRunId) {
        let job = Arc::new(Job::default());
        self.runs().lock().insert(id, job.clone());
        let directory = self.clone();
        tokio::spawn(async move {
            let (worker, of) = (directory.clone(), job.clone());
            let work = tokio::spawn(async move { Box::pin(worker.work_on_run(id, &of)).await });
            let ended = work.await.unwrap_or_else(|panic| Err(Error::internal(panic)));
            if let Err(error) = ended {
                tracing::warn!(?error, run = id.to_global(), "a run could not be brought to its end");
                // Where even that cannot be written, whoever finds its lease run out begins it again.
                let _ = directory.end_run(id, &Failure::from(error), &job).await;
            }
            if let Entry::Occupied(entry) = directory.runs().lock().entry(id)
                && Arc::ptr_eq(entry.get(), &job)
            {
                entry.remove();
            }
            directory.0.job_done.notify_waiters();
        });
    }

    async fn work_on_run(&self, id: IntegrationRunId, job: &Job) -> Result<()> {
        let beats = async {
            loop {
                tokio::time::sleep(BEAT).await;
                let lease = Update::of_any(id, &ACTIVE).leased_by(self.worker());
                let lease = job.note(lease.lease(self.worker(), self.clock().look() + LEASE));
                // Where the database is busy, it is said later.
                if !lease.commit(self.database()).await.unwrap_or(true) {
                    return;
                }
            }
        };
        let work = async {
            let _turn = self.runs().turns.acquire().await.map_err(Error::internal)?;
            let now = self.clock().now();
            let begin = Update::of(id, RunState::Queued).leased_by(self.worker()).state(RunState::Running, now);
            if !begin.set(Column::StartedAt, Some(now)).commit(self.database()).await? {
                return Ok(());
            }
            let Some(row) = store::find(self.database(), id).await? else { return Ok(()) };
            tracing::info!(run = id.to_global(), integration = self.name_of(row.integration_id), "a run begins");
            let done = match self.read_tool(&row, job).await {
                Ok(reading) => self.apply_run(row, reading).await,
                Err(failure) => Err(failure),
            };
            match done {
                Ok(()) => Ok(()),
                Err(failure) => self.end_run(id, &failure, job).await,
            }
        };
        tokio::select! {
            () = beats => Ok(()),
            () = job.stop.cancelled() => Ok(()),
            done = work => done,
        }
    }

    /// Reads what an integration's tool has.
    async fn read_tool(&self, run: &integration_run::Model, job: &Job) -> Result<Reading, Failure> {
        self.refresh().await?;
        let found = self.index().integration(run.integration_id).cloned();
        let integration = found.ok_or_else(|| Failure::new("NOT_FOUND", "the integration was deleted"))?;
        let connectors = self.connectors();
        let settings = integration
            .settings
            .as_ref()
            .ok_or_else(|| Failure::new("NOT_CONNECTED", "the integration has no settings"))?;
        let settings = Settings::parse(integration.kind, settings, &connectors.policy)?;
        let credential = self.secret_of(&integration, settings.host()).await?;
        if credential.is_none() && settings.needs_credential() {
            return Err(Failure::new(
                "NOT_CONNECTED",
                "the integration has no credential, and its tool asks for one; set it",
            ));
        }
        let credential = credential.map(|secret| Credential::new(secret.expose().to_owned()));
        let fingerprint = fingerprint(&integration);
        let cursor = self.cursor(&integration, &fingerprint).await?;
        let (tell, told) = mpsc::channel(16);
        let read = async {
            let read = connector::read(&connectors.client, &settings, credential.as_ref(), cursor.as_deref(), &tell);
            let outcome = read.await.map_err(Failure::from);
            drop(tell);
            outcome
        };
        let both = async { tokio::try_join!(read, gather(told, job)) };
        let (outcome, accounts) = tokio::time::timeout(LONGEST, both).await.map_err(|_| Failure {
            is_retryable: true,
            ..Failure::new(
                "TIMED_OUT",
                format!("the tool was read for {} hours, and was not at its end", LONGEST.as_secs() / 3_600),
            )
        })??;
        {
            let mut progress = job.progress();
            progress.accounts_total = Some(accounts.len() as u64);
            progress.waits = outcome.waits.into();
            progress.waiting = None;
        }
        Ok(Reading { accounts, outcome, settings: fingerprint })
    }

    /// Where to go on: where the last run came to, unless it was with other settings, or what it did may be undone.
    async fn cursor(&self, of: &integration::Model, fingerprint: &str) -> Result<Option<String>> {
        let readers = self.database().readers();
        let Some(state) = store::states(readers, &[of.id]).await?.pop() else { return Ok(None) };
        let is_same = state.cursor_of.as_deref() == Some(fingerprint);
        if state.cursor.is_none() || !is_same || store::is_undone_since(readers, state.cursor_version).await? {
            return Ok(None);
        }
        Ok(state.cursor)
    }

    /// Notes that a run has failed, if it is still this process's.
    async fn end_run(&self, id: IntegrationRunId, failure: &Failure, job: &Job) -> Result<()> {
        let Some(row) = store::find(self.database(), id).await? else { return Ok(()) };
        job.progress().waiting = None;
        let now = self.clock().now();
        let confirm = failure.gone_to_confirm.map(|gone| i64::try_from(gone).unwrap_or(i64::MAX));
        let failed = Update::of_any(id, &ACTIVE)
            .leased_by(self.worker())
            .state(RunState::Failed, now)
            .set(Column::Code, Some(failure.code))
            .set(Column::Message, Some(failure.message.clone()))
            .set(Column::IsRetryable, failure.is_retryable)
            .set(Column::GoneToConfirm, confirm);
        let transaction = self.database().begin_side_write().await?;
        if !job.note(failed).run(&transaction).await? {
            return Ok(transaction.rollback().await?);
        }
        back_off(&transaction, &row, failure, now).await?;
        self.database().commit(transaction).await?;
        let integration = self.name_of(row.integration_id);
        tracing::warn!(run = id.to_global(), integration, code = failure.code, "a run has failed: {}", failure.message);
        Ok(())
    }
}

/// Takes in what is told while a tool is read.
async fn gather(mut told: mpsc::Receiver<Event>, job: &Job) -> Result<Vec<SyncedAccount>, Failure> {
    let mut accounts = Vec::new();
    let mut until: Option<Instant> = None;
    while let Some(event) = told.recv().await {
        let mut progress = job.progress();
        if until.is_some_and(|until| until <= Instant::now()) || !matches!(event, Event::Waiting { .. }) {
            (progress.waiting, until) = (None, None);
        }
        match event {
            Event::Accounts(some) => {
                accounts.extend(some.into_iter().map(SyncedAccount::from));
                progress.accounts_read = accounts.len() as u64;
            }
            Event::Waiting { for_, why } => {
                until = Some(Instant::now() + for_);
                progress.waits += 1;
                progress.waiting = Some(format!("{} s: {why}", for_.as_secs_f64().ceil()));
            }
            Event::Total(total) => progress.accounts_total = Some(total),
        }
        if accounts.len() > ACCOUNTS {
            let message = format!(
                "the tool has more than {ACCOUNTS} accounts, which is the most that one run takes; read it in parts, as \
                 several integrations"
            );
            return Err(Failure::new("LIMIT_EXCEEDED", message));
        }
    }
    Ok(accounts)
}

impl From<connector::Account> for SyncedAccount {
    fn from(account: connector::Account) -> Self {
        let connector::Account { external_id, username, email, display_name, is_bot, is_gone } = account;
        Self { external_id, username, email, display_name, is_bot, is_gone }
    }
}

/// Tells whether the settings of an integration are the same.
pub(super) fn fingerprint(of: &integration::Model) -> String {
    let settings = of.settings.as_ref().map(|settings| sorted(settings).to_string()).unwrap_or_default();
    let digest = Sha256::digest(format!("{:?} {settings}", of.kind));
    hex(&digest)
}

/// The same JSON with the members of its objects in order, which not every database keeps.
fn sorted(json: &serde_json::Value) -> serde_json::Value {
    use serde_json::Value;
    match json {
        Value::Object(members) => {
            let mut members: Vec<(&String, &Value)> = members.iter().collect();
            members.sort_by_key(|(name, _)| *name);
            Value::Object(members.into_iter().map(|(name, value)| (name.clone(), sorted(value))).collect())
        }
        Value::Array(items) => Value::Array(items.iter().map(sorted).collect()),
        other => other.clone(),
    }
}
