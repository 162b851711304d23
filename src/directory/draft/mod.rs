//! Drafts: imports that are read and compared first, looked at, and then applied.
//!
//! A draft and its file are rows beside the directory, so that any process can go on with it: which one works on it is
//! a lease. Whatever stops a process, the draft is as it was before its last step, and nothing else is left behind.
//! What does not live here: the comparison itself (`csv`).

mod apply;
mod impact;
mod job;
mod mapping;
mod store;

pub use apply::{ApplyOptions, Moved};
pub use impact::{Impact, Mover};
pub use job::Progress;
pub use mapping::ColumnMapping;
pub use store::DraftPage;

use std::collections::HashMap;
use std::fs::File;
use std::io::Seek;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use entity::ImportDraftId;
use entity::import_draft::{self, DraftState, ImportKind};
use serde::{Deserialize, Serialize};

use super::csv::{ChangeKind, Detected, ImportOptions, ImportReport, write_error_rows};
use super::{Actor, Directory, Error, Range, Result};
use crate::value::GlobalId;

/// Days after which a draft is removed.
const KEPT_DAYS: i64 = 7;

/// The most drafts that wait or are ready at a time.
const OPEN: u64 = 100;

/// Problems that are read at a time.
const PAGE: u64 = 5_000;

/// An import that is to be drafted.
#[derive(Debug)]
pub struct NewDraft {
    /// The file.
    pub file: File,
    /// What its rows are.
    pub kind: ImportKind,
    /// What it is called.
    pub file_name: String,
    /// How to read and compare it.
    pub options: ImportOptions,
    /// What the client calls its request: the same again, with the same file, gives the same draft.
    pub client_mutation_id: Option<String>,
    /// The name of a remembered mapping of columns to begin with, and under which this one is remembered.
    pub mapping: Option<String>,
}

/// What the comparison of a draft found.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub struct DraftReport {
    /// How the file is written; none where it cannot be read at all.
    pub detected: Option<Detected>,
    /// Each column's title, and what it holds.
    pub columns: Vec<(String, String)>,
    /// Rows read.
    pub rows: u64,
    /// Records made.
    pub created: u64,
    /// Records changed; users themselves or in their accounts.
    pub updated: u64,
    /// Rows that say what is so already.
    pub unchanged: u64,
    /// Records removed because the file does not have them.
    pub removed: u64,
    /// How many removals must be confirmed.
    pub removals_to_confirm: Option<u64>,
    /// Automatic users that become part of another.
    pub absorbed: u64,
    /// Accounts that come to another user, or to a user at all.
    pub accounts_moved: u64,
    /// Accounts named that no integration has reported yet.
    pub accounts_claimed: u64,
    /// Accounts that their user no longer has.
    pub accounts_unlinked: u64,
    /// How many problems there are for which rows cannot be imported.
    pub errors: u64,
    /// How many places are worth a look.
    pub warnings: u64,
    /// Rows that cannot be imported.
    pub bad_rows: u64,
    /// Whether something is wrong with the file as a whole, so that leaving rows out does not help.
    pub is_refused: bool,
    /// The org units that come, go, or whose number of members changes, by their paths.
    pub impact: Vec<Impact>,
    /// The first rows that would do something else, when the draft was last refused for that.
    pub moved: Vec<Moved>,
    /// The lines of rows that cannot be imported.
    bad: Lines,
    /// The lines of rows that change something.
    changed: Lines,
    /// What tells whether another comparison finds the same.
    digest: String,
}

/// A set of lines, as runs of first line and length.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
struct Lines(Vec<(u32, u32)>);

/// A draft with what is known of its work.
#[derive(Clone, Debug)]
pub struct Draft {
    /// The row.
    pub row: import_draft::Model,
    /// What the comparison found; none before it is done.
    pub report: Option<Arc<DraftReport>>,
}

/// The work that this process does on drafts.
#[derive(Default)]
pub(super) struct Jobs {
    running: Mutex<HashMap<ImportDraftId, Arc<job::Job>>>,
}

impl Jobs {
    fn lock(&self) -> MutexGuard<'_, HashMap<ImportDraftId, Arc<job::Job>>> {
        self.running.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Directory {
    /// Takes in a file and begins to compare it. What the client called its request before gives the draft of then.
    ///
    /// # Errors
    /// `Forbidden` where that takes an ADMIN; `Invalid` where the same request came with another file, or a remembered
    /// mapping is not known and none is given; `LimitExceeded` where too many drafts are open; where the database is busy or away.
    pub async fn create_draft(&self, actor: &Actor, new: NewDraft) -> Result<ImportDraftId> {
        let NewDraft { file, kind, file_name, options, client_mutation_id, mapping } = new;
        self.permit_import(kind, &options)?;
        let mut options = self.made_here(options);
        if let Some(name) = &mapping {
            self.remember_mapping(name, &mut options.mapping).await?;
        }
        let file = Arc::new(file);
        let (bytes, sha256) = store::measure(file.clone()).await?;
        let options = serde_json::to_string(&options).map_err(Error::internal)?;
        if let Some(id) = &client_mutation_id
            && let Some(known) = store::by_client_id(self.database(), id).await?
        {
            return same_request(&known, kind, &sha256, &options);
        }
        if store::count_open(self.database()).await? >= OPEN {
            return Err(Error::LimitExceeded { what: "the number of open import drafts", limit: OPEN });
        }
        let now = self.clock().now();
        let row = import_draft::Model {
            id: self.clock().id(),
            kind,
            state: DraftState::Comparing,
            actor: actor.0.clone(),
            client_mutation_id: client_mutation_id.clone(),
            file_name,
            file_bytes: i64::try_from(bytes).unwrap_or(i64::MAX),
            file_sha256: sha256.clone(),
            options: options.clone(),
            report: None,
            message: None,
            base_version: None,
            applied_version: None,
            rows_done: 0,
            rows_total: 0,
            worker: Some(self.worker()),
            leased_until: Some(now + super::lease::LEASE),
            attempts: 1,
            created_at: now,
            updated_at: now,
        };
        let id = row.id;
        match store::insert(self, row, file.clone()).await {
            Ok(true) => self.begin_job(id, Some(file)),
            // It was cancelled meanwhile, or this process was silent for so long that another one found it incomplete.
            Ok(false) => {}
            // The same request came twice at once.
            Err(Error::AlreadyExists { .. }) if client_mutation_id.is_some() => {
                let known = store::by_client_id(self.database(), client_mutation_id.as_deref().unwrap_or_default());
                let known = known.await?.ok_or_else(|| super::missing(id))?;
                return same_request(&known, kind, &sha256, &options);
            }
            Err(error) => return Err(error),
        }
        Ok(id)
    }

    /// A draft. One of somebody who sees more is not there.
    ///
    /// # Errors
    /// `NotFound`; where the database cannot be read.
    pub async fn draft(&self, id: ImportDraftId) -> Result<Draft> {
        let row = store::find(self.database(), id).await?.ok_or_else(|| super::missing(id))?;
        let draft = Draft::read(row)?;
        if self.sees_import(&draft.options()?) { Ok(draft) } else { Err(super::missing(id)) }
    }

    /// A draft that something is to be done with.
    ///
    /// # Errors
    /// As [`Directory::draft`]; `Forbidden` where that takes an ADMIN.
    async fn draft_to_change(&self, id: ImportDraftId) -> Result<Draft> {
        let draft = self.draft(id).await?;
        self.permit_import(draft.row.kind, &draft.options()?)?;
        Ok(draft)
    }

    /// Compares a draft again with the directory as it is now, and with other options if they are given.
    ///
    /// # Errors
    /// `NotFound`; `Forbidden` where that takes an ADMIN; `Invalid` where it is being compared or applied, or is done with; where the database is busy or away.
    pub async fn rebase_draft(&self, id: ImportDraftId, options: Option<ImportOptions>) -> Result<()> {
        let draft = self.draft_to_change(id).await?;
        if let Some(options) = &options {
            self.permit_import(draft.row.kind, options)?;
        }
        if !matches!(draft.row.state, DraftState::Ready | DraftState::Interrupted) {
            return Err(not_now(&draft.row, "compared again"));
        }
        let options = options.map(|options| self.made_here(options));
        let options = options.map(|options| serde_json::to_string(&options)).transpose().map_err(Error::internal)?;
        store::begin_again(self.database(), &draft.row, options, self.worker(), self.clock().now()).await?;
        self.begin_job(id, None);
        Ok(())
    }

    /// Gives a draft up, whatever is being done with it, unless it is being applied.
    ///
    /// # Errors
    /// `NotFound`; `Forbidden` where that takes an ADMIN; `Invalid` where it is being applied, or is; where the database is busy or away.
    pub async fn cancel_draft(&self, id: ImportDraftId) -> Result<()> {
        let draft = self.draft_to_change(id).await?;
        match draft.row.state {
            DraftState::Cancelled => return Ok(()),
            DraftState::Applying | DraftState::Applied => return Err(not_now(&draft.row, "cancelled")),
            DraftState::Comparing | DraftState::Ready | DraftState::Interrupted => {}
        }
        store::cancel(self.database(), &draft.row, self.clock().now()).await?;
        if let Some(job) = self.jobs().lock().get(&id) {
            job.cancel();
        }
        store::empty(self.database(), id).await
    }

    /// The rows of a draft, given by its global id, that cannot be imported, each with what is wrong with it, as a CSV file without a name; and
    /// how many they are.
    ///
    /// # Errors
    /// `NotFound`; `Invalid` where the draft has not been compared, its file is gone, or cannot be read as a whole; where
    /// the database cannot be read.
    pub async fn draft_error_rows(&self, id: &str) -> Result<(File, u64)> {
        let id = ImportDraftId::parse(id).map_err(|why| Error::invalid("draft", "WRONG_ID", why))?;
        let draft = self.draft(id).await?;
        let Some(report) = draft.report.clone().filter(|report| !report.is_refused) else {
            return Err(not_now(&draft.row, "written row by row"));
        };
        let mut problems = Vec::new();
        let mut range = Range { limit: PAGE, ..Range::default() };
        loop {
            let page = self.list_draft_problems(id, true, range).await?;
            range.after = page.rows.last().map(|(position, _)| *position);
            problems.extend(page.rows.into_iter().map(|(_, problem)| problem));
            if !page.has_next {
                break;
            }
        }
        let file = store::file(self.database(), &draft.row, self.spool()).await?;
        let file = file.ok_or_else(|| not_now(&draft.row, "written row by row"))?;
        let options = options(&draft.row)?;
        let spool = self.spool().to_owned();
        let write = move || {
            let sink = std::io::BufWriter::new(tempfile::tempfile_in(spool)?);
            let (sink, rows) = write_error_rows(&file, &options, &report.bad.bitmap(), problems, sink)?;
            let mut written = sink.into_inner().map_err(std::io::IntoInnerError::into_error)?;
            written.rewind()?;
            Ok::<_, std::io::Error>((written, rows))
        };
        Ok(tokio::task::spawn_blocking(write).await.map_err(Error::internal)??)
    }

    pub(super) fn jobs(&self) -> &Jobs {
        &self.0.jobs
    }
}

/// The draft that a request made when it came before.
fn same_request(known: &import_draft::Model, kind: ImportKind, sha256: &str, options: &str) -> Result<ImportDraftId> {
    if known.kind == kind && known.file_sha256 == sha256 && known.options == options {
        return Ok(known.id);
    }
    Err(Error::invalid(
        "clientMutationId",
        "IDEMPOTENCY_MISMATCH",
        "this id came before with another file or other options; give every import an id of its own",
    ))
}

impl Draft {
    fn read(row: import_draft::Model) -> Result<Self> {
        let report = row.report.as_deref().map(serde_json::from_str).transpose().map_err(Error::internal)?;
        Ok(Self { row, report: report.map(Arc::new) })
    }

    /// How its file is read and compared.
    ///
    /// # Errors
    /// `Internal`, where that cannot be read.
    pub fn options(&self) -> Result<ImportOptions> {
        options(&self.row)
    }
}

/// How the file of a draft is read and compared.
fn options(draft: &import_draft::Model) -> Result<ImportOptions> {
    let options: ImportOptions = serde_json::from_str(&draft.options).map_err(Error::internal)?;
    Ok(options.limited(draft.kind))
}

fn not_now(draft: &import_draft::Model, what: &str) -> Error {
    let is = match draft.state {
        DraftState::Comparing => "being compared",
        DraftState::Ready => "ready",
        DraftState::Applying => "being applied",
        DraftState::Applied => "applied",
        DraftState::Cancelled => "cancelled",
        DraftState::Interrupted => "interrupted",
    };
    let message = format!("{} is {is}, and cannot be {what}", draft.id.to_global());
    Error::invalid("id", "WRONG_STATE", message)
}

impl DraftReport {
    /// How many changes there are, of one kind or of all.
    #[must_use]
    pub fn changes(&self, kind: Option<ChangeKind>) -> u64 {
        match kind {
            Some(ChangeKind::Created) => self.created,
            Some(ChangeKind::Updated) => self.updated,
            Some(ChangeKind::Removed) => self.removed,
            Some(ChangeKind::Absorbed) => self.absorbed,
            None => self.created + self.updated + self.removed + self.absorbed,
        }
    }

    fn of(report: &ImportReport) -> Self {
        Self {
            detected: report.detected,
            columns: report.columns.clone(),
            rows: report.rows,
            created: report.created,
            updated: report.updated,
            unchanged: report.unchanged,
            removed: report.removed,
            removals_to_confirm: report.removals_to_confirm,
            absorbed: report.absorbed,
            accounts_moved: report.accounts_moved,
            accounts_claimed: report.accounts_claimed,
            accounts_unlinked: report.accounts_unlinked,
            ..Self::default()
        }
    }
}

impl From<&roaring::RoaringBitmap> for Lines {
    fn from(lines: &roaring::RoaringBitmap) -> Self {
        let mut runs: Vec<(u32, u32)> = Vec::new();
        for line in lines {
            match runs.last_mut() {
                Some((first, length)) if *first + *length == line => *length += 1,
                _ => runs.push((line, 1)),
            }
        }
        Self(runs)
    }
}

impl Lines {
    fn bitmap(&self) -> roaring::RoaringBitmap {
        self.0.iter().flat_map(|(first, length)| *first..*first + *length).collect()
    }
}
