//! An org unit as somebody edits it: whom it would have, and what each part of it does.
//!
//! What does not live here: what is worth a warning (`warnings`), and counting, which is the index's.

mod warnings;

pub use warnings::{Warning, WarningKind};

use std::collections::BTreeSet;
use std::sync::{Arc, OnceLock};

use entity::org_unit::OrgUnitScope;
use entity::{OrgUnitId, UserId};
use tokio::task::spawn_blocking;

use super::error::{Error, Result};
use super::org_unit::{Tree, check, check_pins, read_stored};
use super::{Directory, missing};
use crate::filter::{Checked, Filter, outline};
use crate::index::{Index, Members, NodeTally, Tally};
use crate::record::OrgUnitRecord;

/// An org unit as somebody edits it, not saved.
#[derive(Clone, Debug, Default)]
pub struct OrgUnitDraft {
    /// The saved unit that it would change; what is `None` below is as it is there.
    pub id: Option<OrgUnitId>,
    /// The unit above; `Some(None)` for a root.
    pub parent_id: Option<Option<OrgUnitId>>,
    /// Among whom its filter selects.
    pub scope: Option<OrgUnitScope>,
    /// Its filter; `Some(None)` for none.
    pub filter: Option<Option<Filter>>,
    /// All pinned users.
    pub pinned: Option<BTreeSet<UserId>>,
    /// All excluded users.
    pub excluded: Option<BTreeSet<UserId>>,
}

/// An unsaved org unit beside the saved ones, all at one version. What is asked of it is worked out when it is asked.
pub struct OrgUnitPreview {
    index: Index,
    id: Option<OrgUnitId>,
    parent_id: Option<OrgUnitId>,
    /// The unit among whose members the filter selects.
    within: Option<OrgUnitId>,
    filter: Option<(Filter, Checked)>,
    pinned: Vec<UserId>,
    excluded: Vec<UserId>,
    /// Whom the filter selects in scope.
    chosen: Members,
    tally: OnceLock<Tally>,
}

/// A node of a filter, and what it does.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ConditionCount {
    /// Where it stands, as in violations.
    pub path: String,
    /// How many nodes it stands in.
    pub depth: usize,
    /// What it says, as text; none where that would be too long.
    pub text: Option<String>,
    /// Its numbers.
    pub tally: NodeTally,
}

impl Directory {
    /// An org unit as it would be if it were saved so.
    ///
    /// # Errors
    /// `NotFound`; `Invalid` for the filter, or where units would depend on themselves.
    pub fn preview_org_unit(&self, draft: OrgUnitDraft) -> Result<OrgUnitPreview> {
        let index = self.snapshot();
        let saved = match draft.id {
            Some(id) => Some(index.org_unit(id).ok_or_else(|| missing(id))?.clone()),
            None => None,
        };
        let filter = match draft.filter {
            Some(filter) => filter,
            None if saved.as_ref().is_some_and(|saved| index.conceals(saved)) => {
                let message = "the filter of this org unit names a private attribute; give one of your own";
                return Err(Error::invalid("filter", "HIDDEN", message));
            }
            None => match saved.as_ref().and_then(|saved| saved.row.filter.clone()) {
                Some(stored) => Some(read_stored(stored)?),
                None => None,
            },
        };
        let saved = saved.as_deref();
        let parent_id = draft.parent_id.unwrap_or_else(|| saved.and_then(|saved| saved.row.parent_id));
        let scope = draft.scope.unwrap_or_else(|| saved.map_or(OrgUnitScope::All, |saved| saved.row.scope));
        let pinned = draft.pinned.or_else(|| saved.map(|saved| saved.pinned.clone())).unwrap_or_default();
        let excluded = draft.excluded.or_else(|| saved.map(|saved| saved.excluded.clone())).unwrap_or_default();
        let checked = filter.as_ref().map(|filter| check(&index, filter)).transpose()?;
        let (pinned, excluded) = (index.current_users(pinned), index.current_users(excluded));
        check_pins(&index, &pinned, &excluded)?;
        let id = draft.id.unwrap_or_else(|| self.clock().id());
        Tree::stored(&index).check_ties(id, parent_id, scope, checked.as_ref())?;
        let within = parent_id.filter(|_| scope == OrgUnitScope::Parent);
        let chosen = index.select_within(checked.as_ref(), within);
        let filter = filter.map(|filter| index.normalise(filter)).zip(checked);
        let (pinned, excluded) = (pinned.into_iter().collect(), excluded.into_iter().collect());
        let tally = OnceLock::new();
        Ok(OrgUnitPreview { index, id: draft.id, parent_id, within, filter, pinned, excluded, chosen, tally })
    }
}

impl OrgUnitPreview {
    /// The members it would have.
    ///
    /// # Errors
    /// `Internal`; never, as long as all sets are of its one index.
    pub fn members(&self) -> Result<Members> {
        let (pinned, excluded) = (self.index.these(&self.pinned), self.index.these(&self.excluded));
        let all = self.chosen.union(&pinned).map_err(Error::internal)?;
        all.difference(&excluded).map_err(Error::internal)
    }

    /// Those of them that the saved unit does not have.
    ///
    /// # Errors
    /// As [`Self::members`].
    pub fn added(&self) -> Result<Members> {
        self.members()?.difference(&self.saved()).map_err(Error::internal)
    }

    /// Members of the saved unit that it would not have.
    ///
    /// # Errors
    /// As [`Self::members`].
    pub fn removed(&self) -> Result<Members> {
        self.saved().difference(&self.members()?).map_err(Error::internal)
    }

    fn saved(&self) -> Members {
        match self.id {
            Some(id) => self.index.members_of_unit(id),
            None => self.index.these(&[]),
        }
    }

    /// The siblings that it would share members with, each with how many: most first, then by name.
    ///
    /// # Errors
    /// As [`Self::members`].
    pub fn overlaps(&self) -> Result<Vec<(Arc<OrgUnitRecord>, u64)>> {
        let below = self.index.org_unit_children(self.parent_id).iter().copied();
        let siblings: Vec<OrgUnitId> = below.filter(|id| Some(*id) != self.id).collect();
        let counts = self.index.overlap_counts(&self.members()?, &siblings).map_err(Error::internal)?;
        let mut overlaps: Vec<(Arc<OrgUnitRecord>, u64)> = siblings
            .iter()
            .zip(counts)
            .filter(|(_, count)| *count > 0)
            .filter_map(|(id, count)| Some((self.index.org_unit(*id)?.clone(), count)))
            .collect();
        // Siblings come by name, and a stable sort leaves those of one count so.
        overlaps.sort_by_key(|(_, count)| std::cmp::Reverse(*count));
        Ok(overlaps)
    }

    /// The members it would have who are members of no other unit. Every unit is worked out, on a thread of its own.
    ///
    /// # Errors
    /// As [`Self::members`].
    pub async fn in_no_other_unit(&self) -> Result<Members> {
        let (index, members, id) = (self.index.clone(), self.members()?, self.id);
        let alone = spawn_blocking(move || index.in_no_unit_but(&members, id)).await;
        alone.map_err(Error::internal)?.map_err(Error::internal)
    }

    /// The nodes of the filter in the order in which they are read, with what each does; none without a filter.
    #[must_use]
    pub fn conditions(&self) -> Vec<ConditionCount> {
        let Some((filter, checked)) = &self.filter else { return Vec::new() };
        let lines = outline(filter, checked).into_iter().zip(&self.tally(checked).nodes);
        lines
            .map(|(line, tally)| ConditionCount {
                text: self.index.filter_text(line.filter),
                path: line.path,
                depth: line.depth,
                tally: *tally,
            })
            .collect()
    }

    /// What is probably not meant so; at most 100 warnings.
    ///
    /// # Errors
    /// As [`Self::members`].
    pub fn warnings(&self) -> Result<Vec<Warning>> {
        warnings::of(self)
    }

    fn tally(&self, checked: &Checked) -> &Tally {
        self.tally.get_or_init(|| self.index.tally(checked, self.within, &self.pinned, &self.excluded))
    }

    /// The version of the directory that it is held against.
    #[must_use]
    pub fn version(&self) -> i64 {
        self.index.version()
    }
}
