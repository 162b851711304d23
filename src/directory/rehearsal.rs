//! What a change would lead to: it is made by its own verb, on a copy of the directory that takes back what it writes
//! and keeps the outcome in memory.
//!
//! So whatever the verb would refuse is refused here too, by the database as well. It takes its turn with those who
//! write. What does not live here: imports, which are compared part by part (`draft`), and undo, which has a dry run of
//! its own.

use std::collections::BTreeMap;
use std::sync::{Arc, MutexGuard, PoisonError};

use entity::change::Noun;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use super::{Directory, Error, Result};
use crate::index::{Index, UnitDifference};
use crate::record::Record;

/// How many records of one noun a change makes, changes and deletes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct ChangeCount {
    /// Records that would be made.
    pub created: u64,
    /// Records that would change.
    pub updated: u64,
    /// Records that would be deleted.
    pub deleted: u64,
}

/// What a directory that takes back what it writes keeps of its last changeset.
pub(super) struct Stage {
    /// The index from which the changeset began.
    base: Index,
    counts: BTreeMap<Noun, ChangeCount>,
    /// Whose turn it is: one at a time, so that nobody who writes waits for more than one.
    turns: Arc<Semaphore>,
}

/// A change that is tried out.
pub struct Rehearsal(Directory);

impl std::fmt::Debug for Rehearsal {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Rehearsal").field("version", &self.version()).finish_non_exhaustive()
    }
}

impl Rehearsal {
    /// Begins with the directory as it is now.
    #[must_use]
    pub fn begin(directory: &Directory) -> Self {
        let index = directory.whole().snapshot();
        let stage = Stage { base: index.clone(), counts: BTreeMap::new(), turns: directory.0.turns.clone() };
        let stage = Directory::of(directory.database().clone(), directory.clock().clone(), index, Some(stage));
        Self(stage.seen_by(directory.role()))
    }

    /// The directory in which the change is to be made, by one call of the verb that would make it.
    #[must_use]
    pub fn directory(&self) -> &Directory {
        &self.0
    }

    /// How many records the change touches, by noun.
    #[must_use]
    pub fn counts(&self) -> Vec<(Noun, ChangeCount)> {
        self.0
            .stage()
            .map(|stage| stage.counts.iter().map(|(noun, count)| (*noun, *count)).collect())
            .unwrap_or_default()
    }

    /// The version of the directory from which the change began.
    #[must_use]
    pub fn version(&self) -> i64 {
        self.0.stage().map_or(0, |stage| stage.base.version())
    }

    /// The index from which the change began, and the one that it led to.
    pub(super) fn indexes(&self) -> (Index, Index) {
        let after = self.0.snapshot();
        (self.0.stage().map_or_else(|| after.clone(), |stage| stage.base.clone()), after)
    }

    /// The org units whose members change, with those that come and go, by their paths. Of whom they gain and lose, the
    /// first `who` each.
    ///
    /// # Errors
    /// Where the comparison fails, which is a fault of the server.
    pub async fn impact(&self, who: usize) -> Result<Vec<UnitDifference>> {
        let Some(before) = self.0.stage().map(|stage| stage.base.clone()) else { return Ok(Vec::new()) };
        let after = self.0.snapshot();
        let compare = move || before.compare_units(&after, who);
        tokio::task::spawn_blocking(compare).await.map_err(Error::internal)
    }
}

impl Directory {
    /// Whether what is written is taken back.
    pub(super) fn is_rehearsal(&self) -> bool {
        self.0.stage.is_some()
    }

    fn stage(&self) -> Option<MutexGuard<'_, Stage>> {
        self.0.stage.as_ref().map(|stage| stage.lock().unwrap_or_else(PoisonError::into_inner))
    }

    /// A turn at writing, if this is a rehearsal; waits for those before it, for a bounded time.
    pub(super) async fn turn(&self) -> Result<Option<OwnedSemaphorePermit>> {
        let Some(turns) = self.stage().map(|stage| stage.turns.clone()) else { return Ok(None) };
        let turn = tokio::time::timeout(self.database().patience(), turns.acquire_owned()).await;
        turn.map_err(|late| Error::Unavailable(Arc::new(late)))?.map(Some).map_err(Error::internal)
    }

    /// Notes what a changeset begins from, if this is a rehearsal.
    pub(super) fn note_base(&self) {
        let index = self.snapshot();
        if let Some(mut stage) = self.stage() {
            stage.base = index;
            stage.counts.clear();
        }
    }

    /// Notes records before and after, if this is a rehearsal.
    pub(super) fn note_changes<'a>(&self, changes: impl Iterator<Item = (&'a Option<Record>, &'a Option<Record>)>) {
        let Some(mut stage) = self.stage() else { return };
        for (before, after) in changes {
            let Some(id) = before.as_ref().or(after.as_ref()).map(Record::id) else { continue };
            let count = stage.counts.entry(id.noun()).or_default();
            match (before, after) {
                (None, _) => count.created += 1,
                (Some(_), Some(_)) => count.updated += 1,
                (Some(_), None) => count.deleted += 1,
            }
        }
    }
}
