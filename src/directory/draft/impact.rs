//! What a draft would do to the members of org units.

use entity::OrgUnitId;
use serde::{Deserialize, Serialize};

use crate::directory::{Error, Result};
use crate::index::{Follower, Index};
use crate::record::{Change, Record};

/// Changes that are followed at a time.
const BATCH: usize = 20_000;

/// How many members an org unit has, and would have.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Impact {
    /// The unit.
    pub org_unit: OrgUnitId,
    /// Members now.
    pub before: u64,
    /// Members afterwards.
    pub after: u64,
}

/// The directory as it would be: a copy of the index that follows what a comparison finds.
pub(super) struct WhatIf {
    before: Index,
    after: Option<Follower>,
    pending: Vec<Change>,
}

impl WhatIf {
    /// Before anything was found.
    pub(super) fn new(index: Index) -> Self {
        let has_units = index.org_units().next().is_some();
        Self { after: has_units.then(|| Follower::new(index.clone())), before: index, pending: Vec::new() }
    }

    /// The same, before anything was found.
    pub(super) fn again(&self) -> Self {
        Self::new(self.before.clone())
    }

    /// Follows records that would change.
    pub(super) async fn take(&mut self, records: Vec<(Option<Record>, Option<Record>)>) -> Result<()> {
        if self.after.is_none() {
            return Ok(());
        }
        self.pending.extend(records.into_iter().filter_map(|(before, after)| {
            let id = before.as_ref().or(after.as_ref()).map(Record::id)?;
            Some(Change { id, after })
        }));
        if self.pending.len() >= BATCH { self.follow().await } else { Ok(()) }
    }

    async fn follow(&mut self) -> Result<()> {
        let (Some(mut after), changes) = (self.after.take(), std::mem::take(&mut self.pending)) else { return Ok(()) };
        let followed = tokio::task::spawn_blocking(move || {
            after.follow(changes);
            after
        });
        self.after = Some(followed.await.map_err(Error::internal)?);
        Ok(())
    }

    /// The units whose number of members changes, by their paths.
    pub(super) async fn finish(mut self) -> Result<Vec<Impact>> {
        self.follow().await?;
        let Some(after) = self.after else { return Ok(Vec::new()) };
        let before = self.before;
        let compare = move || {
            let Some(after) = after.finish(before.version()) else { return Vec::new() };
            let mut units: Vec<OrgUnitId> = before.org_units().map(|unit| unit.row.id).collect();
            units.sort_by_cached_key(|unit| before.path(*unit));
            let counts = before.member_counts(&units).into_iter().zip(after.member_counts(&units));
            let all = units.iter().zip(counts);
            all.filter(|(_, (before, after))| before != after)
                .map(|(unit, (before, after))| Impact { org_unit: *unit, before, after })
                .collect()
        };
        tokio::task::spawn_blocking(compare).await.map_err(Error::internal)
    }
}
