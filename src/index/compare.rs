//! Two versions of the directory beside each other: whose members differ.
//!
//! Two indexes may give the same number to different users; ids are the same in all.

use std::collections::BTreeMap;

use entity::{OrgUnitId, UserId};
use roaring::RoaringBitmap;

use super::evaluate::Evaluation;
use super::ordinal;
use super::{Index, Members};

/// An org unit whose members differ between two versions of the directory.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct UnitDifference {
    /// The unit.
    pub org_unit: OrgUnitId,
    /// How many members it has before; none where it does not exist yet.
    pub before: Option<u64>,
    /// How many members it has after; none where it no longer exists.
    pub after: Option<u64>,
    /// How many members it has after and not before.
    pub joined_count: u64,
    /// How many members it has before and not after.
    pub left_count: u64,
    /// The first of those who join, the longest known first.
    pub joined: Vec<UserId>,
    /// The first of those who leave, the longest known first.
    pub left: Vec<UserId>,
}

impl Index {
    /// The org units that this index or a later one has, and that come, go, or differ in their members, by their paths;
    /// of those who join and leave a unit the first `who` each.
    #[must_use]
    pub fn compare_units(&self, later: &Self, who: usize) -> Vec<UnitDifference> {
        let (here, there) = (Evaluation::new(self, None), Evaluation::new(later, None));
        let shared = self.shared_ordinals(later);
        let mut found = BTreeMap::new();
        let mut compare = |unit: OrgUnitId, path: String| {
            let before = self.org_unit(unit).map(|_| here.unit(unit));
            let after = later.org_unit(unit).map(|_| there.unit(unit));
            let (counts, empty) = (
                (before.as_ref().map(RoaringBitmap::len), after.as_ref().map(RoaringBitmap::len)),
                RoaringBitmap::new(),
            );
            let (before, after) = (before.as_ref().unwrap_or(&empty), after.as_ref().unwrap_or(&empty));
            let left = self.missing_in(before, later, after, shared);
            let joined = later.missing_in(after, self, before, shared);
            if left.is_empty() && joined.is_empty() && counts.0.is_some() == counts.1.is_some() {
                return;
            }
            let first =
                |index: &Self, users: &RoaringBitmap| users.iter().take(who).map(|at| index.users.id(at)).collect();
            let difference = UnitDifference {
                org_unit: unit,
                before: counts.0,
                after: counts.1,
                joined_count: joined.len(),
                left_count: left.len(),
                joined: first(later, &joined),
                left: first(self, &left),
            };
            found.insert((path, unit), difference);
        };
        for unit in self.org_units() {
            compare(unit.row.id, self.path(unit.row.id));
        }
        for unit in later.org_units().filter(|unit| self.org_unit(unit.row.id).is_none()) {
            compare(unit.row.id, later.path(unit.row.id));
        }
        found.into_values().collect()
    }

    /// Those of `members`, who are of this index, that are not among `others`, who are of the index `other`.
    #[must_use]
    pub fn without(&self, members: &Members, other: &Self, others: &Members) -> Members {
        let shared = if members.epoch == others.epoch { u32::MAX } else { self.shared_ordinals(other) };
        self.members(self.missing_in(&members.bitmap, other, &others.bitmap, shared))
    }

    /// Up to which ordinal both indexes number users in the same way: all of the older one, where one is a copy of the
    /// other that has followed changes.
    fn shared_ordinals(&self, other: &Self) -> u32 {
        let most = ordinal(self.users.ids.len().min(other.users.ids.len()));
        (0..most).find(|at| self.users.id(*at) != other.users.id(*at)).unwrap_or(most)
    }

    /// Those of `users` who are not among `others`, whom another index numbers, the same way below `shared`.
    fn missing_in(&self, users: &RoaringBitmap, other: &Self, others: &RoaringBitmap, shared: u32) -> RoaringBitmap {
        let mut same = others.clone();
        same.remove_range(shared..);
        let mut missing = users - same;
        // What is left is few, unless the two number users differently: these are looked up one by one.
        let is_there = |at: u32| other.users.find(self.users.id(at)).is_some_and(|at| others.contains(at));
        let found: RoaringBitmap = missing.iter().filter(|at| is_there(*at)).collect();
        missing -= found;
        missing
    }
}
