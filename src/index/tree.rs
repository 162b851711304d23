//! Questions about many org units at once: each unit is worked out once for all of them.
//!
//! What does not live here: who the members of one unit are (`evaluate`).

use std::cmp::Reverse;
use std::sync::Arc;

use entity::OrgUnitId;
use roaring::RoaringBitmap;
use rustc_hash::{FxHashMap, FxHashSet};

use super::evaluate::Evaluation;
use super::{Index, Members};
use crate::record::OrgUnitRecord;

/// Of so many siblings, those that share the most users, each is compared with each other.
const COMPARED: usize = if cfg!(test) { 4 } else { 100 };

/// An org unit in a tree, with its counts.
#[derive(Clone, Debug)]
pub struct CountedUnit {
    /// The unit.
    pub record: Arc<OrgUnitRecord>,
    /// How many units are above it; 0 for a root.
    pub depth: usize,
    /// How many members it has.
    pub members: u64,
    /// How many users are members of it or of any unit below it, each counted once.
    pub members_of_subtree: u64,
    /// How many units are right below it.
    pub children: usize,
    /// How many units are below it.
    pub descendants: usize,
}

/// Users who are members of several units with one parent.
#[derive(Clone, Debug)]
pub struct SiblingOverlaps {
    /// The users.
    pub users: Members,
    /// Pairs of units that share members, with how many; the most first, then in the order of the units.
    pub pairs: Vec<(OrgUnitId, OrgUnitId, u64)>,
}

impl Index {
    /// A unit and all below it, or without one all units, each before those below it and siblings by name, with how
    /// many units are above each.
    #[must_use]
    pub fn org_unit_order(&self, root: Option<OrgUnitId>) -> Vec<(OrgUnitId, usize)> {
        let depth = root.map_or(0, |root| self.org_unit_path(root).len().saturating_sub(1));
        let roots = match &root {
            Some(root) => std::slice::from_ref(root),
            None => self.org_unit_children(None),
        };
        let mut waiting: Vec<(OrgUnitId, usize)> = roots.iter().rev().map(|root| (*root, depth)).collect();
        let mut ordered = Vec::new();
        // Each unit comes once, even where stored parents go round in a circle.
        let mut seen: FxHashSet<OrgUnitId> = FxHashSet::default();
        while let Some((id, depth)) = waiting.pop() {
            if !seen.insert(id) {
                continue;
            }
            ordered.push((id, depth));
            waiting.extend(self.org_unit_children(Some(id)).iter().rev().map(|child| (*child, depth + 1)));
        }
        ordered
    }

    /// The units in [that order](Self::org_unit_order), each with its counts.
    #[must_use]
    pub fn org_unit_tree(&self, root: Option<OrgUnitId>) -> Vec<CountedUnit> {
        let evaluation = Evaluation::new(self, None);
        // What the units below a unit have together, and how many they are, until it is the unit's turn.
        let mut below: FxHashMap<OrgUnitId, (RoaringBitmap, usize)> = FxHashMap::default();
        let mut units = Vec::new();
        // From the end, so that every unit comes after those below it.
        for (id, depth) in self.org_unit_order(root).into_iter().rev() {
            let Some(record) = self.org_unit(id) else { continue };
            let own = evaluation.unit(id);
            let members = own.len();
            let (mut subtree, descendants) = below.remove(&id).unwrap_or_default();
            subtree |= own;
            units.push(CountedUnit {
                record: Arc::clone(record),
                depth,
                members,
                members_of_subtree: subtree.len(),
                children: self.org_unit_children(Some(id)).len(),
                descendants,
            });
            if let Some(parent) = record.row.parent_id {
                let (users, units) = below.entry(parent).or_default();
                *users |= subtree;
                *units += descendants + 1;
            }
        }
        units.reverse();
        units
    }

    /// The users who are in no unit; of a unit, its members who are in no unit below it.
    #[must_use]
    pub fn unassigned(&self, unit: Option<OrgUnitId>) -> Members {
        let evaluation = Evaluation::new(self, None);
        let mut left = match unit {
            Some(unit) => evaluation.unit(unit),
            None => self.users.live.as_ref().clone(),
        };
        for (id, _) in self.org_unit_order(unit).into_iter().filter(|(id, _)| Some(*id) != unit) {
            if left.is_empty() {
                break;
            }
            left -= evaluation.unit(id);
        }
        self.members(left)
    }

    /// The users who are members of more than one of the units right below a unit, or of the roots, and which of these
    /// share them.
    ///
    /// Where more than a hundred share users, the pairs are those among the hundred that share the most.
    #[must_use]
    pub fn sibling_overlaps(&self, parent: Option<OrgUnitId>) -> SiblingOverlaps {
        let siblings = self.org_unit_children(parent);
        let evaluation = Evaluation::new(self, None);
        let (mut once, mut often) = (RoaringBitmap::new(), RoaringBitmap::new());
        for id in siblings {
            let members = evaluation.unit(*id);
            often |= &once & &members;
            once |= members;
        }
        // Worked out again rather than kept: there may be thousands of them.
        let mut shared: Vec<(usize, RoaringBitmap)> = Vec::new();
        for (at, id) in siblings.iter().enumerate().filter(|_| !often.is_empty()) {
            shared.push((at, evaluation.unit(*id) & &often));
            if shared.len() > COMPARED {
                shared.sort_by_key(|(at, users)| (Reverse(users.len()), *at));
                shared.truncate(COMPARED);
            }
        }
        shared.sort_by_key(|(at, _)| *at);
        let mut pairs = Vec::new();
        for (place, (a, users)) in shared.iter().enumerate() {
            for (b, others) in &shared[place + 1..] {
                let count = users.intersection_len(others);
                if count > 0 {
                    pairs.push((siblings[*a], siblings[*b], count));
                }
            }
        }
        // A stable sort, which leaves the order of the units to those that share as many.
        pairs.sort_by_key(|(.., count)| Reverse(*count));
        SiblingOverlaps { users: self.members(often), pairs }
    }
}
