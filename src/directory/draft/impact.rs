//! What a draft would do to the members of org units.

use entity::import_draft::ImportKind;
use entity::{OrgUnitId, UserId};
use serde::{Deserialize, Serialize};

use crate::directory::{Error, Result};
use crate::index::{Follower, Index, UnitDifference};
use crate::record::{Change, Record};

/// Changes that are followed at a time.
const BATCH: usize = 20_000;

/// How many of those who would join or leave a unit are named.
const WHO: usize = 25;

/// Whom an org unit has as members, and would have.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Impact {
    /// The unit; none for one that the draft makes.
    pub org_unit: Option<OrgUnitId>,
    /// Its path afterwards; of one that goes, the path it has.
    pub path: String,
    /// Members now; none for a unit that the draft makes.
    pub before: Option<u64>,
    /// Members afterwards; none for a unit that the draft removes.
    pub after: Option<u64>,
    /// How many would join.
    #[serde(default)]
    pub joined_count: u64,
    /// How many would leave.
    #[serde(default)]
    pub left_count: u64,
    /// The first of those who would join.
    #[serde(default)]
    pub joined: Vec<Mover>,
    /// The first of those who would leave.
    #[serde(default)]
    pub left: Vec<Mover>,
}

/// A user who would join or leave an org unit.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Mover {
    /// The user; one that the draft makes will have another id.
    pub user: UserId,
    /// The primary email: of one who would join as it would be, of one who would leave as it is.
    pub email: String,
}

/// The directory as it would be: a copy of the index that follows what a comparison finds.
pub(super) struct WhatIf {
    before: Index,
    after: Option<Follower>,
    pending: Vec<Change>,
}

impl WhatIf {
    /// Before anything was found in a file of some kind.
    pub(super) fn new(index: Index, kind: ImportKind) -> Self {
        let has_units = index.org_units().len() > 0 || kind == ImportKind::OrgUnits;
        Self { after: has_units.then(|| Follower::new(index.clone())), before: index, pending: Vec::new() }
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

    /// The units that come, go, or whose members change, by their paths.
    pub(super) async fn finish(mut self) -> Result<Vec<Impact>> {
        self.follow().await?;
        let Some(after) = self.after else { return Ok(Vec::new()) };
        let before = self.before;
        let compare = move || {
            let Some(after) = after.finish(before.version()) else { return Vec::new() };
            let movers = |index: &Index, users: Vec<UserId>| {
                let mover = |user| Mover { user, email: index.email_of(user).unwrap_or_default().to_owned() };
                users.into_iter().map(mover).collect()
            };
            let impact = |found: UnitDifference| Impact {
                org_unit: found.before.map(|_| found.org_unit),
                path: found.after.map_or(&before, |_| &after).path(found.org_unit),
                before: found.before,
                after: found.after,
                joined_count: found.joined_count,
                left_count: found.left_count,
                joined: movers(&after, found.joined),
                left: movers(&before, found.left),
            };
            let mut impact: Vec<Impact> = before.compare_units(&after, WHO).into_iter().map(impact).collect();
            impact.sort_by(|one, other| one.path.cmp(&other.path));
            impact
        };
        tokio::task::spawn_blocking(compare).await.map_err(Error::internal)
    }
}
