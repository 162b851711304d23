//! Applying a draft: the same comparison once more, under the writer lock, and only if it finds the same.

use std::collections::HashMap;
use std::fs::File;
use std::hash::{BuildHasher, RandomState};
use std::sync::Arc;

use entity::ImportDraftId;
use entity::changeset::ChangesetKind;
use entity::import_draft::{Column, DraftState, ImportKind};
use serde::{Deserialize, Serialize};

use super::job::Fingerprint;
use super::store::{self, Update};
use super::{Draft, DraftReport, not_now, options};
use crate::directory::changeset::Changeset;
use crate::directory::csv::{ImportOptions, Outcome, Output, RowChange, Source, Step, compare_file};
use crate::directory::history::Range;
use crate::directory::lease::LEASE;
use crate::directory::{Actor, Directory, Error, Result};
use crate::value::GlobalId;

/// The most rows that are told of when a draft no longer does what it says.
const TOLD: usize = 100;
/// Stored changes that are read at a time.
const PAGE: u64 = 2_000;

/// How a draft is applied.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct ApplyOptions {
    /// Whether to apply the rows that can be, if others cannot.
    pub valid_rows: bool,
    /// How many users, or org units, may be removed, where that is more than a tenth of all.
    pub confirm_removals: Option<u64>,
}

/// A row that would do something else than a draft says, since the directory has moved.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Moved {
    /// The line of the row; none where it is about a record that the file does not have.
    pub line: Option<u64>,
    /// What it is about: a user's email, or an org unit's path.
    pub detail: String,
    /// What is different.
    pub message: String,
}

impl Directory {
    /// Applies a draft: one changeset, or nothing. Goes on to its end even if nobody waits for it.
    ///
    /// One that is applied already stays as it is.
    ///
    /// # Errors
    /// `NotFound`; `Forbidden` where that takes an ADMIN; `Invalid` where it is not ready, its file has errors, or removals are not confirmed; `Moved` where
    /// the directory has moved in a way that changes what the draft does; where the database is busy or away.
    pub async fn apply_draft(&self, actor: &Actor, id: ImportDraftId, options: ApplyOptions) -> Result<Draft> {
        let draft = self.draft_to_change(id).await?;
        if draft.row.state == DraftState::Applied {
            return Ok(draft);
        }
        let Some(report) = draft.report.clone().filter(|_| draft.row.state == DraftState::Ready) else {
            return Err(not_now(&draft.row, "applied"));
        };
        check(draft.row.kind, &report, options)?;
        let begin = store::change(&draft.row, DraftState::Ready)
            .state(DraftState::Applying, self.clock().now())
            .lease(self.worker(), self.clock().now() + LEASE)
            .set(Column::Message, None::<String>);
        if !begin.commit(self.database()).await? {
            return Err(not_now(&self.draft(id).await?.row, "applied"));
        }
        let (directory, actor) = (self.clone(), actor.clone());
        let applied = tokio::spawn(async move {
            let work = Box::pin(directory.apply_ready(&actor, &draft, &report, options));
            let applied = directory.keep_lease(|| Update::of(id, DraftState::Applying), work).await;
            if let Err(error) = &applied {
                directory.stay_ready(&draft, &report, error).await;
            }
            applied
        });
        applied.await.map_err(Error::internal)??;
        self.draft(id).await
    }

    /// A draft that could not be applied can be again.
    async fn stay_ready(&self, draft: &Draft, report: &DraftReport, error: &Error) {
        let mut update = Update::of(draft.row.id, DraftState::Applying)
            .leased_by(self.worker())
            .state(DraftState::Ready, self.clock().now())
            .set(Column::Message, Some(error.to_string()));
        if let Error::Moved { moved, .. } = error {
            let report = DraftReport { moved: moved.clone(), ..report.clone() };
            update = update.set(Column::Report, serde_json::to_string(&report).ok());
        }
        if let Err(error) = update.commit(self.database()).await {
            tracing::warn!(?error, draft = draft.row.id.to_global(), "a draft stays marked as being applied");
        }
    }

    async fn apply_ready(
        &self,
        actor: &Actor,
        draft: &Draft,
        report: &DraftReport,
        options: ApplyOptions,
    ) -> Result<()> {
        let (database, id) = (self.database(), draft.row.id);
        let file = store::file(database, &draft.row, self.spool()).await?;
        let file = file.ok_or_else(|| Error::internal("the draft's file is not complete"))?;
        let mut changeset = self.begin(ChangesetKind::Import, actor).await?;
        let has_moved = Some(changeset.number() - 1) != draft.row.base_version;
        let source = source(file, draft, report, options, has_moved)?;
        let index = self.as_importer(&source.options).snapshot();
        let (stamp, transaction) = (changeset.stamp(), changeset.share());
        let compared = if has_moved {
            let mut output = Same { changeset: &mut changeset, fingerprint: Fingerprint::default() };
            let state = (index, stamp);
            let outcome = compare_file(self, state, transaction.as_ref(), &source, TOLD, &mut output).await?;
            let is_same = output.fingerprint.finish() == report.digest && outcome.findings.errors.is_empty();
            is_same.then_some(outcome)
        } else {
            let state = (index, stamp);
            let outcome = compare_file(self, state, transaction.as_ref(), &source, TOLD, &mut changeset).await?;
            outcome.findings.errors.is_empty().then_some(outcome)
        };
        drop(transaction);
        if compared.is_none() {
            drop(changeset);
            return Err(self.moved(draft, source).await?);
        }
        let number = changeset.number();
        changeset.flush().await?;
        let applied = |version: i64| {
            Update::of(id, DraftState::Applying)
                .leased_by(self.worker())
                .state(DraftState::Applied, self.clock().now())
                .set(Column::AppliedVersion, Some(version))
        };
        // In the same transaction: the draft is applied if and only if the directory has it.
        if !changeset.is_empty() && !applied(number).run(changeset.transaction()).await? {
            return Err(Error::internal("the draft was taken over while it was being applied"));
        }
        let version = changeset.commit().await?;
        if version < number {
            applied(version).commit(database).await?;
        }
        // Rows that were left out can still be fetched with what is wrong with them, and for that the file is needed.
        // What is committed is done; at the latest the file goes with the draft.
        if report.bad_rows == 0
            && let Err(error) = store::forget_file(database, id).await
        {
            tracing::warn!(?error, draft.id = id.to_global(), "the file of an applied draft is still kept");
        }
        Ok(())
    }

    /// What is different now from what a draft says.
    async fn moved(&self, draft: &Draft, mut source: Source) -> Result<Error> {
        let id = draft.row.id;
        let mut output =
            Differences { expected: HashMap::new(), hasher: RandomState::new(), moved: Vec::new(), count: 0 };
        let mut range = Range { limit: PAGE, ..Range::default() };
        loop {
            let found = self.list_draft_changes(id, None, range).await?;
            for (position, change) in &found.rows {
                let hash = output.hash(change)?;
                output.expected.insert(key(change), (hash, change.detail.clone()));
                range.after = Some(*position);
            }
            if !found.has_next {
                break;
            }
        }
        let (connection, index) = self.as_importer(&source.options).begin_read_at().await?;
        let version = index.version();
        let stamp = self.stamp(&index, &Actor(draft.row.actor.clone()));
        (source.only, source.guards_removals) = (None, false);
        let state = (index, stamp);
        let Outcome { findings, .. } = compare_file(self, state, &connection, &source, TOLD, &mut output).await?;
        connection.rollback().await?;
        for problem in findings.errors.listed {
            output.tell(Some(problem.line), problem.value.clone().unwrap_or_default(), problem.message);
        }
        let left: Vec<_> = std::mem::take(&mut output.expected).into_iter().collect();
        for ((line, _), (_, detail)) in left {
            output.tell(line, detail, "would not change anything any more".to_owned());
        }
        output.moved.sort_by_key(|moved| moved.line);
        Ok(Error::Moved {
            draft: id.to_global(),
            base: draft.row.base_version.unwrap_or_default(),
            actual: version,
            count: output.count,
            moved: output.moved,
        })
    }
}

fn check(kind: ImportKind, report: &DraftReport, options: ApplyOptions) -> Result<()> {
    if report.is_refused {
        let message =
            "the file cannot be imported as it is; look at the draft's errors, mend the file and send it again";
        return Err(Error::invalid("id", "HAS_ERRORS", message));
    }
    if report.bad_rows > 0 && !options.valid_rows {
        let message = format!(
            "{} of {} rows cannot be imported; mend the file and send it again, or apply with VALID_ROWS",
            report.bad_rows, report.rows
        );
        return Err(Error::invalid("rows", "HAS_ERRORS", message));
    }
    match report.removals_to_confirm {
        Some(count) if options.confirm_removals != Some(count) => {
            let what = match kind {
                ImportKind::Users => "users",
                ImportKind::OrgUnits => "org units",
            };
            let message = format!("{count} {what} would be removed; if that is meant, confirm the number: {count}");
            Err(Error::invalid("confirmRemovals", "REMOVALS_NOT_CONFIRMED", message))
        }
        _ => Ok(()),
    }
}

fn source(file: File, draft: &Draft, report: &DraftReport, how: ApplyOptions, has_moved: bool) -> Result<Source> {
    let options = ImportOptions { confirm_removals: how.confirm_removals, ..options(&draft.row)? };
    Ok(Source {
        skip: report.bad.bitmap(),
        only: (!has_moved).then(|| report.changed.bitmap()),
        guards_removals: !has_moved,
        ..Source::new(Arc::new(file), draft.row.kind, options)
    })
}

/// Puts what a comparison finds into a changeset, and tells whether that is what another one found.
struct Same<'a> {
    changeset: &'a mut Changeset,
    fingerprint: Fingerprint,
}

impl Output for Same<'_> {
    const TELLS: bool = true;

    async fn free_emails(&mut self, emails: Vec<String>) -> Result<()> {
        Output::free_emails(self.changeset, emails).await
    }

    async fn take(&mut self, step: Step) -> Result<()> {
        self.fingerprint.add(&step.changes)?;
        Output::take(self.changeset, step).await
    }

    async fn begin_again(&mut self) -> Result<()> {
        self.changeset.begin_again().await
    }
}

/// Finds the rows for which another comparison found something else.
struct Differences {
    expected: HashMap<Key, (u64, String)>,
    hasher: RandomState,
    moved: Vec<Moved>,
    count: u64,
}

/// What tells the changes of one comparison apart: the line, or the record that the file does not have.
type Key = (Option<u64>, String);

fn key(change: &RowChange) -> Key {
    let record = change.record.clone().filter(|_| change.line.is_none());
    (change.line, record.unwrap_or_default())
}

impl Differences {
    fn hash(&self, change: &RowChange) -> Result<u64> {
        Ok(self.hasher.hash_one(serde_json::to_vec(change).map_err(Error::internal)?))
    }

    fn tell(&mut self, line: Option<u64>, detail: String, message: String) {
        self.count += 1;
        if self.moved.len() < TOLD {
            self.moved.push(Moved { line, detail, message });
        }
    }
}

impl Output for Differences {
    const TELLS: bool = true;

    async fn free_emails(&mut self, _: Vec<String>) -> Result<()> {
        Ok(())
    }

    async fn take(&mut self, step: Step) -> Result<()> {
        for change in step.changes {
            let hash = self.hash(&change)?;
            match self.expected.remove(&key(&change)) {
                Some((expected, _)) if expected == hash => {}
                Some(_) => self.tell(change.line, change.detail, "would change something else".to_owned()),
                None => self.tell(change.line, change.detail, "would change, and did not before".to_owned()),
            }
        }
        Ok(())
    }

    async fn begin_again(&mut self) -> Result<()> {
        Ok(())
    }
}
