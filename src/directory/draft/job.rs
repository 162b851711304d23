//! The work on drafts: comparing them in the background, and taking over what others have left.

use std::collections::hash_map::Entry;
use std::fs::File;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use entity::ImportDraftId;
use entity::import_draft::{self, Column, DraftState, ImportKind};
use futures_util::{Stream, stream};
use roaring::RoaringBitmap;
use sha2::{Digest, Sha256};
use tokio_util::sync::CancellationToken;
use uuid::Uuid;

use super::impact::WhatIf;
use super::store::{self, Update};
use super::{Draft, DraftReport, Lines, options};
use crate::directory::csv::{Outcome, Output, RowChange, Source, Step, settle};
use crate::directory::lease::{ATTEMPTS, BEAT, LEASE};
use crate::directory::{Actor, Directory, Error, Result};
use crate::index::Index;
use crate::value::{GlobalId, hex};

/// The most problems of one kind that are kept of one file.
const KEPT: usize = 100_000;
/// Changes that are kept in memory before they are stored.
const BATCH: usize = 2_000;

/// How often somebody who follows a draft looks at it.
const LOOK: Duration = Duration::from_millis(250);

/// What is seen of a draft that is followed: how far it is, and how many rows are done.
type Seen = (DraftState, u64);

/// The work of this process on one draft.
#[derive(Debug)]
pub(super) struct Job {
    done: Arc<AtomicU64>,
    total: Arc<AtomicU64>,
    begun: Instant,
    stop: CancellationToken,
}

/// How far the comparison of a draft is.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Progress {
    /// Rows compared.
    pub rows_done: u64,
    /// Rows in the file; none as long as they are not known.
    pub rows_total: Option<u64>,
    /// Rows compared in a second; none where this process is not at it.
    pub rows_per_second: Option<f64>,
}

impl Progress {
    /// How much of the work is done, from 0 to 100.
    #[must_use]
    pub fn percent(&self) -> u64 {
        self.rows_total.map_or(0, |total| (self.rows_done * 100).checked_div(total).unwrap_or(100).min(100))
    }
}

impl Job {
    fn new() -> Self {
        let (done, total) = (Arc::default(), Arc::default());
        Self { done, total, begun: Instant::now(), stop: CancellationToken::new() }
    }

    /// Ends the work.
    pub(super) fn cancel(&self) {
        self.stop.cancel();
    }

    fn rows(&self) -> (i64, i64) {
        let read = |count: &AtomicU64| i64::try_from(count.load(Ordering::Relaxed)).unwrap_or(i64::MAX);
        (read(&self.done), read(&self.total))
    }
}

impl Directory {
    /// How far the comparison of a draft is.
    #[must_use]
    pub fn draft_progress(&self, draft: &import_draft::Model) -> Progress {
        let job = self.jobs().lock().get(&draft.id).cloned();
        let is_compared = !matches!(draft.state, DraftState::Comparing);
        let (done, total) = match &job {
            Some(job) if !is_compared => job.rows(),
            _ => (draft.rows_done, draft.rows_total),
        };
        let seconds = job.as_ref().map(|job| job.begun.elapsed().as_secs_f64()).filter(|seconds| *seconds > 0.0);
        Progress {
            rows_done: done.unsigned_abs(),
            rows_total: (total > 0 || is_compared).then_some(total.unsigned_abs()),
            #[expect(clippy::cast_precision_loss, reason = "a rate for people")]
            rows_per_second: seconds.filter(|_| !is_compared).map(|seconds| done as f64 / seconds),
        }
    }

    /// A draft as it is, and again each time it is found to have moved on, until nothing is being done with it.
    pub fn follow_draft(&self, id: ImportDraftId) -> impl Stream<Item = Result<Draft>> + Send + use<> {
        let directory = self.clone();
        stream::try_unfold(Some(None), move |last: Option<Option<Seen>>| {
            let directory = directory.clone();
            async move {
                let Some(mut last) = last else { return Ok(None) };
                loop {
                    let draft = directory.draft(id).await?;
                    let seen = (draft.row.state, directory.draft_progress(&draft.row).rows_done);
                    let is_at_work = matches!(draft.row.state, DraftState::Comparing | DraftState::Applying);
                    if last != Some(seen) {
                        return Ok(Some((draft, is_at_work.then_some(Some(seen)))));
                    }
                    last = Some(seen);
                    tokio::time::sleep(LOOK).await;
                }
            }
        })
    }

    /// Waits until the work of this process on a draft is done, if it is at it.
    pub async fn finish_draft(&self, id: ImportDraftId) {
        loop {
            let done = self.0.job_done.notified();
            if !self.jobs().lock().contains_key(&id) {
                return;
            }
            done.await;
        }
    }

    /// Begins to compare a draft of which this process has the lease.
    pub(super) fn begin_job(&self, id: ImportDraftId, file: Option<Arc<File>>) {
        let job = Arc::new(Job::new());
        if let Some(before) = self.jobs().lock().insert(id, job.clone()) {
            // Its draft was compared, or taken away; it just has not come to its end.
            before.cancel();
        }
        let directory = self.clone();
        tokio::spawn(async move {
            let (worker, of) = (directory.clone(), job.clone());
            let work = tokio::spawn(async move { Box::pin(worker.work(id, file, &of)).await });
            // A draft whose comparison fails is left as it is, for whoever finds its lease run out.
            if let Err(error) = work.await.unwrap_or_else(|panic| Err(Error::internal(panic))) {
                tracing::warn!(?error, draft = id.to_global(), "a draft could not be compared");
            }
            if let Entry::Occupied(entry) = directory.jobs().lock().entry(id)
                && Arc::ptr_eq(entry.get(), &job)
            {
                entry.remove();
            }
            directory.0.job_done.notify_waiters();
        });
    }

    async fn work(&self, id: ImportDraftId, file: Option<Arc<File>>, job: &Job) -> Result<()> {
        let beats = async {
            loop {
                tokio::time::sleep(BEAT).await;
                if !self.beat(id, job).await {
                    return;
                }
            }
        };
        let compared = async {
            let _turn = self.0.comparisons.acquire().await.map_err(Error::internal)?;
            self.compare_draft(id, file, job).await
        };
        tokio::select! {
            () = beats => Ok(()),
            () = job.stop.cancelled() => Ok(()),
            compared = compared => compared,
        }
    }

    /// Says how far the work is; whether it is still wanted of this process.
    async fn beat(&self, id: ImportDraftId, job: &Job) -> bool {
        let (done, total) = job.rows();
        let update = Update::of(id, DraftState::Comparing)
            .leased_by(self.worker())
            .lease(self.worker(), self.clock().look() + LEASE)
            .set(Column::RowsDone, done)
            .set(Column::RowsTotal, total);
        // Where the database is busy, it is said later.
        update.commit(self.database()).await.unwrap_or(true)
    }

    async fn compare_draft(&self, id: ImportDraftId, file: Option<Arc<File>>, job: &Job) -> Result<()> {
        let database = self.database();
        let Some(row) = store::find(database, id).await? else { return Ok(()) };
        let file = match file {
            Some(file) => file,
            None => match store::file(database, &row, self.spool()).await? {
                Some(file) => Arc::new(file),
                None => return self.give_back(id).await,
            },
        };
        if !store::start_over(database, (id, self.worker())).await? {
            return Ok(());
        }
        let mut options = options(&row)?;
        (options.progress, options.total) = (job.done.clone(), job.total.clone());
        let (connection, index) = self.as_importer(&options).begin_read_at().await?;
        let base = index.version();
        let mut source = Source { guards_removals: false, ..Source::new(file, row.kind, options) };
        let stamp = self.stamp(&index, &Actor(row.actor.clone()));
        let mut output = Found::new(self, id, (index.clone(), row.kind));
        let compared = settle(self, (index, stamp), &connection, &mut source, KEPT, &mut output).await;
        connection.rollback().await?;
        let Outcome { report, findings } = compared?;
        let (changed, digest, impact) = output.finish().await?;
        let report = DraftReport {
            errors: findings.errors.count,
            warnings: findings.warnings.count,
            bad_rows: source.skip.len(),
            is_refused: findings.is_refused,
            bad: Lines::from(&source.skip),
            changed,
            digest,
            impact,
            ..DraftReport::of(&report)
        };
        let json = serde_json::to_string(&report).map_err(Error::internal)?;
        let transaction = database.begin_side_write().await?;
        store::add_problems(&transaction, id, true, &findings.errors.listed).await?;
        store::add_problems(&transaction, id, false, &findings.warnings.listed).await?;
        let (done, total) = (i64::try_from(report.rows).unwrap_or(i64::MAX), job.rows().1);
        let update = Update::of(id, DraftState::Comparing)
            .leased_by(self.worker())
            .state(DraftState::Ready, self.clock().now())
            .set(Column::BaseVersion, Some(base))
            .set(Column::Report, Some(json))
            .set(Column::RowsDone, done)
            .set(Column::RowsTotal, done.max(total));
        if update.run(&transaction).await? {
            database.commit(transaction).await?;
        } else {
            transaction.rollback().await?;
        }
        Ok(())
    }

    /// Asks for the file of a draft anew. The same request may come again then, and makes another draft.
    async fn give_back(&self, id: ImportDraftId) -> Result<()> {
        let update = self
            .interrupt(id, "the file did not arrive as a whole; send it again")
            .leased_by(self.worker())
            .set(Column::ClientMutationId, None::<String>);
        if update.commit(self.database()).await? {
            store::forget_file(self.database(), id).await?;
        }
        Ok(())
    }

    fn interrupt(&self, id: ImportDraftId, why: &str) -> Update {
        Update::of(id, DraftState::Comparing)
            .state(DraftState::Interrupted, self.clock().now())
            .set(Column::Message, Some(why.to_owned()))
    }

    /// Takes over the drafts that other processes have left, and removes old ones. To be called every few seconds by
    /// whoever serves.
    ///
    /// # Errors
    /// Where the database is busy or away.
    pub async fn tend_drafts(&self) -> Result<()> {
        let (database, now) = (self.database(), self.clock().now());
        for draft in store::abandoned(database, now).await? {
            if self.jobs().lock().contains_key(&draft.id) {
                continue;
            }
            let id = draft.id;
            if draft.state == DraftState::Applying {
                // The one transaction that would have applied it was rolled back.
                let message =
                    "the server stopped while the draft was being applied; nothing was applied, so do it again";
                let update = Update::of(id, DraftState::Applying)
                    .not_leased(now)
                    .state(DraftState::Ready, now)
                    .set(Column::Message, Some(message.to_owned()));
                update.commit(database).await?;
            } else if draft.attempts >= ATTEMPTS {
                let why = "the comparison stopped again and again; have it compared once more";
                self.interrupt(id, why).not_leased(now).commit(database).await?;
            } else {
                let update = Update::of(id, DraftState::Comparing)
                    .not_leased(now)
                    .lease(self.worker(), now + LEASE)
                    .set(Column::Attempts, draft.attempts + 1);
                if update.commit(database).await? {
                    self.begin_job(id, None);
                }
            }
        }
        store::expire(database, now).await
    }
}

/// What a comparison finds, on its way to the tables.
struct Found<'a> {
    directory: &'a Directory,
    draft: (ImportDraftId, Uuid),
    pending: Vec<RowChange>,
    stored: i64,
    changed: RoaringBitmap,
    digest: Fingerprint,
    what_if: WhatIf,
    /// What it all begins with, should it begin again.
    base: (Index, ImportKind),
}

/// Tells whether two comparisons find the same.
#[derive(Default)]
pub(super) struct Fingerprint(Sha256);

impl Fingerprint {
    pub(super) fn add(&mut self, changes: &[RowChange]) -> Result<()> {
        for change in changes {
            self.0.update(serde_json::to_vec(change).map_err(Error::internal)?);
            self.0.update(b"\n");
        }
        Ok(())
    }

    pub(super) fn finish(self) -> String {
        hex(&self.0.finalize())
    }
}

fn taken_away() -> Error {
    Error::internal("the draft was taken over or cancelled")
}

impl<'a> Found<'a> {
    fn new(directory: &'a Directory, id: ImportDraftId, base: (Index, ImportKind)) -> Self {
        Self {
            directory,
            draft: (id, directory.worker()),
            pending: Vec::new(),
            stored: 0,
            changed: RoaringBitmap::new(),
            digest: Fingerprint::default(),
            what_if: WhatIf::new(base.0.clone(), base.1),
            base,
        }
    }

    async fn store(&mut self) -> Result<()> {
        let changes = std::mem::take(&mut self.pending);
        if changes.is_empty() {
            return Ok(());
        }
        let database = self.directory.database();
        if !store::add_changes(database, self.draft, self.stored, &changes).await? {
            return Err(taken_away());
        }
        self.stored += i64::try_from(changes.len()).unwrap_or(i64::MAX);
        Ok(())
    }

    async fn finish(mut self) -> Result<(Lines, String, Vec<super::Impact>)> {
        self.store().await?;
        let impact = self.what_if.finish().await?;
        Ok((Lines::from(&self.changed), self.digest.finish(), impact))
    }
}

impl Output for Found<'_> {
    const TELLS: bool = true;

    async fn free_emails(&mut self, _: Vec<String>) -> Result<()> {
        Ok(())
    }

    async fn take(&mut self, step: Step) -> Result<()> {
        self.digest.add(&step.changes)?;
        self.changed.extend(step.changes.iter().filter_map(|change| u32::try_from(change.line?).ok()));
        self.pending.extend(step.changes);
        if self.pending.len() >= BATCH {
            self.store().await?;
        }
        self.what_if.take(step.records).await
    }

    async fn begin_again(&mut self) -> Result<()> {
        let (id, _) = self.draft;
        if !store::start_over(self.directory.database(), self.draft).await? {
            return Err(taken_away());
        }
        *self = Self::new(self.directory, id, self.base.clone());
        Ok(())
    }
}
