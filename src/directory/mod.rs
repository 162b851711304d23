//! DOMAIN. The directory and its verbs: everything that can be asked of it and done to it.
//!
//! A verb reads the index, or is one changeset. What does not live here: GraphQL, HTTP, how a filter is evaluated.

mod association;
mod attribute;
mod backup;
mod changeset;
mod clock;
mod complete;
mod connectors;
pub mod csv;
mod diff;
mod draft;
mod erase;
mod error;
mod explain;
mod fetch;
mod follow;
mod history;
mod integration;
mod integration_account;
mod lease;
mod live;
mod lock;
mod manager;
mod measure;
mod merge;
mod org_unit;
mod past;
mod preview;
mod rehearsal;
mod repoint;
mod run;
mod scan;
mod show;
mod sight;
mod split;
mod suggestion;
mod token;
mod tree;
mod undo;
mod user;
mod verify;

pub use association::{
    AccountLink, AssociationChange, AssociationConflict, ConflictKind, ConflictPlace, IntegrationChoice, LinkRefusal,
    LinkReport, Outcome as RuleOutcome, Part, RulesChange, RulesOutcome, Simulation, Tried, UnmatchedQuery,
    WhyAssociated,
};
pub use attribute::{AttributeChange, NewAttribute, Renamed, Retype, Retyped, ValueRename};
pub use backup::{
    BackupError, BackupReport, ErasedSince, NotWhole, RestoreOptions, RestoreReport, Since, backup_tables,
};
pub use clock::{Clock, Stepped};
pub use connectors::{Connectors, Environment};
pub use diff::{DiffKind, DiffQuery, FieldChange, RecordDiff};
pub use draft::{ApplyOptions, ColumnMapping, Draft, DraftPage, DraftReport, Impact, Moved, Mover, NewDraft, Progress};
pub use erase::{ERASED, Erased};
pub use error::{Error, Result, Source};
pub use explain::ExplainedBy;
pub use history::{ChangePage, HistoryEntry, Range};
pub use integration::{
    IntegrationChange, IntegrationSetup, KeyError, Keys, NewCredential, NewIntegration, Secret, VARIABLES,
};
pub use integration_account::{AccountQuery, IdRange, SyncMode, SyncOutcome, SyncedAccount};
pub(crate) use manager::manager_attribute;
pub use measure::{IntegrationMeasures, Measures};
pub use merge::{
    Merge, MergeChoice, MergeField, MergePart, MergePin, MergePlan, MergePreview, Merged, SharedIntegration,
};
pub use org_unit::generate;
pub use org_unit::{NewOrgUnit, OrgUnitChange};
pub(crate) use org_unit::{members, read_stored, select};
pub use past::{AsOf, MembersChange, Moment, Moved as MovedMembers, NAMED as NAMED_MEMBERS};
pub use preview::{ConditionCount, OrgUnitDraft, OrgUnitPreview, Warning, WarningKind};
pub use rehearsal::{ChangeCount, Rehearsal};
pub use run::{Run, RunOptions, RunProgress, RunReport, RunWarning};
pub use sight::Seen;
pub use split::{Split, SplitOutcome, SplitPlan, SplitPreview, SplitSide};
pub use suggestion::{
    ACCEPT, ClusterPage, Decided, DecisionPlace, MergeCluster, SUGGEST, Subject, Suggestion, SuggestionPage,
    SuggestionPlace, SuggestionQuery,
};
pub use token::NewToken;
pub use tree::{OrgUnitOverlap, OrgUnitTree};
pub use undo::{Blocked, UndoOptions, UndoReport};
pub use user::{NewUser, UserChange};
pub use verify::{Finding, Head, Verification};

use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, OnceLock, RwLock};

use entity::change;
use sea_orm::{ColumnTrait, ConnectionTrait, EntityTrait, QuerySelect};

use crate::access::Role;
use crate::database::{Database, Transaction};
use crate::index::Index;
use crate::record::{Change, Record, RecordId};
use crate::value::GlobalId;
use changeset::Changeset;

/// Who makes a change, as the log names them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Actor(pub String);

/// The people directory: one handle to its database and its index, as whoever has a role sees it. Cheap to clone.
#[derive(Clone)]
pub struct Directory(Arc<Inner>, Role);

struct Inner {
    database: Database,
    index: RwLock<Index>,
    /// Held while the index follows the log, so that two requests do not both apply the same changes.
    following: tokio::sync::Mutex<()>,
    clock: Clock,
    /// This process, as it stands in leases.
    worker: uuid::Uuid,
    /// Where files without names are kept.
    spool: OnceLock<PathBuf>,
    jobs: draft::Jobs,
    /// Told each time that work on a draft or a run ends.
    job_done: tokio::sync::Notify,
    /// How many drafts are compared at a time.
    comparisons: tokio::sync::Semaphore,
    /// Whose turn it is to try something out.
    turns: Arc<tokio::sync::Semaphore>,
    /// How tools are reached.
    connectors: OnceLock<Connectors>,
    runs: run::Jobs,
    versions: live::Versions,
    past: past::Past,
    /// The book of identities, for suggestions.
    keeper: suggestion::Keeper,
    /// Tokens that worked a moment ago.
    tokens: token::Known,
    /// Of a rehearsal: what its change begins from, and how much it changes.
    stage: Option<Mutex<rehearsal::Stage>>,
}

/// How many drafts one process compares at a time.
const COMPARISONS: usize = 2;

impl Directory {
    /// Opens the directory in `database`: makes the built-in attributes where there are none, and loads the index.
    ///
    /// # Errors
    /// Where the database cannot be read or written.
    pub async fn open(database: Database, clock: Clock) -> Result<Self> {
        let mut index = scan::load(&database).await?;
        index.begin_day(clock.today());
        let directory = Self::of(database, clock, index, None);
        if directory.version() == 0 {
            directory.create_built_in_attributes().await?;
        }
        Ok(directory)
    }

    fn of(database: Database, clock: Clock, index: Index, stage: Option<rehearsal::Stage>) -> Self {
        let inner = Arc::new(Inner {
            database,
            versions: live::Versions::new(index.version()),
            index: RwLock::new(index),
            following: tokio::sync::Mutex::new(()),
            clock,
            worker: clock::process_id(),
            spool: OnceLock::new(),
            jobs: draft::Jobs::default(),
            job_done: tokio::sync::Notify::new(),
            comparisons: tokio::sync::Semaphore::new(COMPARISONS),
            turns: Arc::new(tokio::sync::Semaphore::new(1)),
            connectors: OnceLock::new(),
            runs: run::Jobs::default(),
            past: past::Past::new(),
            keeper: suggestion::Keeper::default(),
            tokens: token::Known::default(),
            stage: stage.map(Mutex::new),
        });
        Self(inner, Role::Admin)
    }

    /// The database.
    #[must_use]
    pub fn database(&self) -> &Database {
        &self.0.database
    }

    /// Keeps files without names in `folder` from now on, rather than where the system keeps such files.
    #[must_use]
    pub fn spooling_in(self, folder: PathBuf) -> Self {
        // Whoever opens the directory says it once.
        let _ = self.0.spool.set(folder);
        self
    }

    fn spool(&self) -> &Path {
        self.0.spool.get_or_init(std::env::temp_dir)
    }

    /// The time, as everything in the directory reckons it.
    #[must_use]
    pub fn now(&self) -> chrono::DateTime<chrono::Utc> {
        self.clock().look()
    }

    pub(crate) fn clock(&self) -> &Clock {
        &self.0.clock
    }

    /// The index as it is now, to be kept for as long as it is needed: for long work, such as the comparison of an import
    /// or an export, that must see one version while others write, and for finding out what changes would lead to, which
    /// a snapshot can [follow](Index::apply). It costs next to nothing; what changes while there is a snapshot is copied.
    #[must_use]
    pub fn snapshot(&self) -> Index {
        self.index().clone()
    }

    /// Begins a reading of one state of the database, with the index of the same version.
    async fn begin_read_at(&self) -> Result<(Transaction, Index)> {
        loop {
            let transaction = self.database().begin_read().await?;
            let version = self.follow(&transaction).await?;
            let index = self.snapshot();
            // Somebody else may have brought the index further meanwhile.
            if index.version() == version && last_number(&transaction).await? == version {
                return Ok((transaction, index));
            }
        }
    }

    /// The version of the index: the number of the last changeset it has followed.
    #[must_use]
    pub fn version(&self) -> i64 {
        self.index().version()
    }

    /// Brings the index to the database's version, so that what any process has written before this call is seen
    /// after it, and to the day that it is. Gives the version.
    ///
    /// # Errors
    /// Where the database cannot be read.
    pub async fn refresh(&self) -> Result<i64> {
        self.keep_day();
        let version = last_number(self.database().readers()).await?;
        if version <= self.version() {
            return Ok(self.version());
        }
        self.follow(self.database().readers()).await
    }

    async fn begin(&self, kind: entity::changeset::ChangesetKind, actor: &Actor) -> Result<Changeset> {
        Changeset::begin(self, kind, actor.clone()).await
    }
}

/// The number of the last changeset in the database; 0 before the first.
async fn last_number(connection: &impl ConnectionTrait) -> Result<i64> {
    let number: Option<Option<i64>> = entity::changeset::Entity::find()
        .select_only()
        .column_as(entity::changeset::Column::Number.max(), "number")
        .into_tuple()
        .one(connection)
        .await?;
    Ok(number.flatten().unwrap_or(0))
}

fn read_change(row: &change::Model) -> Result<Change> {
    let after = row.after.as_deref().map(|json| Record::from_json(row.noun, json)).transpose();
    Ok(Change { id: RecordId::new(row.noun, row.record_id), after: after.map_err(Error::internal)? })
}

/// The error that there is no record with this id.
fn missing<I: GlobalId>(id: I) -> Error {
    Error::not_found(I::NOUN, id.to_global())
}

/// Refuses a change to a record that has moved on since the client read it.
fn expect_version<I: GlobalId>(id: I, expected: Option<i64>, actual: i64) -> Result<()> {
    match expected {
        Some(expected) if expected != actual => {
            Err(Error::Conflict { noun: I::NOUN, key: id.to_global(), expected, actual })
        }
        _ => Ok(()),
    }
}
