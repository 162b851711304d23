//! Evaluating a filter: which part first, within whom, and the members of org units.
//!
//! What does not live here: single conditions (`leaves`).

use std::borrow::Cow;
use std::cell::RefCell;

use entity::org_unit::OrgUnitScope;
use entity::{OrgUnitId, UserId};
use roaring::RoaringBitmap;
use rustc_hash::{FxHashMap, FxHashSet};

use super::units::Unit;
use super::{Index, Members, OtherEpoch, Reason};
use crate::filter::{Checked, Node};

/// One evaluation: all its answers are within one set of users.
pub(super) struct Evaluation<'a> {
    pub(super) index: &'a Index,
    /// Within whom; none is everybody, which saves cutting every answer down.
    universe: Option<&'a RoaringBitmap>,
    /// The members of units that others lean on, so that each is worked out once.
    units: RefCell<FxHashMap<OrgUnitId, RoaringBitmap>>,
}

impl Index {
    /// The users whom a filter selects.
    #[must_use]
    pub fn select(&self, filter: &Checked) -> Members {
        self.members(Evaluation::new(self, None).node(filter.root(), None).into_owned())
    }

    /// Everybody.
    #[must_use]
    pub fn everybody(&self) -> Members {
        self.members(self.users.live.as_ref().clone())
    }

    /// The users of these ids, as far as there are such users.
    #[must_use]
    pub fn these(&self, ids: &[UserId]) -> Members {
        self.members(ids.iter().filter_map(|id| self.users.find(*id)).collect())
    }

    /// The members of an org unit that need not be stored: by filter within scope, pins and exclusions.
    ///
    /// Of an unknown unit nobody.
    #[must_use]
    pub fn members_of_unit(&self, id: OrgUnitId) -> Members {
        self.members(Evaluation::new(self, None).unit(id))
    }

    /// The members of an org unit or of any unit below it.
    #[must_use]
    pub fn members_of_subtree(&self, id: OrgUnitId) -> Members {
        self.members(Evaluation::new(self, None).subtree(id))
    }

    /// Whom a filter (none selects nobody) selects among the members of a unit (none: among everybody).
    #[must_use]
    pub fn select_within(&self, filter: Option<&Checked>, within: Option<OrgUnitId>) -> Members {
        let evaluation = Evaluation::new(self, None);
        let within = within.map(|id| evaluation.unit(id));
        let chosen = filter.map(|filter| evaluation.node(filter.root(), within.as_ref()).into_owned());
        self.members(chosen.unwrap_or_default())
    }

    /// Which of `users` are among the members.
    ///
    /// # Errors
    /// [`OtherEpoch`] where the members were selected from another build of the index.
    pub fn those_among(&self, users: &[UserId], members: &Members) -> Result<Vec<UserId>, OtherEpoch> {
        let bitmap = self.same(members)?;
        let is_among = |id: &UserId| self.users.find(*id).is_some_and(|at| bitmap.contains(at));
        Ok(users.iter().copied().filter(is_among).collect())
    }

    /// How many members each unit has.
    #[must_use]
    pub fn member_counts(&self, ids: &[OrgUnitId]) -> Vec<u64> {
        let evaluation = Evaluation::new(self, None);
        ids.iter().map(|id| evaluation.unit(*id).len()).collect()
    }

    /// How many of the members each unit has, too.
    ///
    /// # Errors
    /// [`OtherEpoch`] where the members were selected from another build of the index.
    pub fn overlap_counts(&self, members: &Members, units: &[OrgUnitId]) -> Result<Vec<u64>, OtherEpoch> {
        let evaluation = Evaluation::new(self, Some(self.same(members)?));
        Ok(units.iter().map(|id| evaluation.unit(*id).len()).collect())
    }

    /// Those of the members who are members of no unit but `except`.
    ///
    /// # Errors
    /// [`OtherEpoch`] where the members were selected from another build of the index.
    pub fn in_no_unit_but(&self, members: &Members, except: Option<OrgUnitId>) -> Result<Members, OtherEpoch> {
        let universe = self.same(members)?;
        let evaluation = Evaluation::new(self, Some(universe));
        let mut left = universe.clone();
        let others = self.units.iter().map(|unit| unit.record.row.id).filter(|id| Some(*id) != except);
        for id in others {
            if left.is_empty() {
                break;
            }
            left -= evaluation.unit(id);
        }
        Ok(self.members(left))
    }

    fn same<'a>(&self, members: &'a Members) -> Result<&'a RoaringBitmap, OtherEpoch> {
        if members.epoch == self.epoch() { Ok(&members.bitmap) } else { Err(OtherEpoch) }
    }

    /// The units that each user is a member of, in the order of their ids.
    #[must_use]
    pub fn org_units_of(&self, ids: &[UserId]) -> Vec<Vec<OrgUnitId>> {
        let units = |memberships: Vec<(OrgUnitId, Reason)>| memberships.into_iter().map(|(unit, _)| unit).collect();
        self.memberships_of(ids).into_iter().map(units).collect()
    }

    /// The units that each user is a member of, in the order of their ids, and why: by the filter, or pinned.
    #[must_use]
    pub fn memberships_of(&self, ids: &[UserId]) -> Vec<Vec<(OrgUnitId, Reason)>> {
        let places: Vec<Option<u32>> = ids.iter().map(|id| self.users.find(*id)).collect();
        let universe: RoaringBitmap = places.iter().flatten().collect();
        let evaluation = Evaluation::new(self, Some(&universe));
        let mut found: FxHashMap<u32, Vec<(OrgUnitId, Reason)>> = FxHashMap::default();
        for unit in self.units.iter() {
            let id = unit.record.row.id;
            let members = evaluation.unit(id);
            let mut pinned: RoaringBitmap = unit
                .record
                .pinned
                .iter()
                .filter_map(|id| self.users.find(*id))
                .filter(|at| members.contains(*at))
                .collect();
            if !pinned.is_empty() {
                pinned -= evaluation.chosen(unit);
            }
            for at in members {
                let reason = if pinned.contains(at) { Reason::Pinned } else { Reason::Filter };
                found.entry(at).or_default().push((id, reason));
            }
        }
        for units in found.values_mut() {
            units.sort_unstable_by_key(|(unit, _)| *unit);
        }
        places.iter().map(|at| at.and_then(|at| found.get(&at).cloned()).unwrap_or_default()).collect()
    }

    pub(super) fn members(&self, bitmap: RoaringBitmap) -> Members {
        Members::new(bitmap, self.epoch(), self.version)
    }
}

impl<'a> Evaluation<'a> {
    pub(super) fn new(index: &'a Index, universe: Option<&'a RoaringBitmap>) -> Self {
        Self { index, universe, units: RefCell::default() }
    }

    /// The users within `within` (none: the universe) whom a node selects.
    pub(super) fn node<'b>(&'b self, node: &Node, within: Option<&RoaringBitmap>) -> Cow<'b, RoaringBitmap> {
        match node {
            Node::All(parts) => {
                // The rarest first; what comes later is only asked of those who are left.
                let mut parts: Vec<(u64, &Node)> = parts.iter().map(|part| (self.estimate(part), part)).collect();
                parts.sort_by_key(|(estimate, _)| *estimate);
                let mut left: Option<Cow<'b, RoaringBitmap>> = None;
                for (_, part) in parts {
                    let next = self.node(part, left.as_deref().or(within));
                    let is_empty = next.is_empty();
                    left = Some(next);
                    if is_empty {
                        break;
                    }
                }
                left.unwrap_or_else(|| self.all(within))
            }
            Node::Any(parts) => {
                let mut found = RoaringBitmap::new();
                for part in parts {
                    found |= &*self.node(part, within);
                }
                Cow::Owned(found)
            }
            Node::Not(part) => {
                let chosen = self.node(part, within);
                Cow::Owned(within.unwrap_or_else(|| self.everybody()) - &*chosen)
            }
            Node::OrgUnit { id, descendants } => {
                let members = if *descendants { self.subtree(*id) } else { self.unit(*id) };
                Self::cut(Cow::Owned(members), within)
            }
            Node::Name(_) | Node::Email(_) | Node::Attribute { .. } | Node::Account(_) => {
                self.leaf(node, within.or(self.universe))
            }
        }
    }

    pub(super) fn everybody(&self) -> &'a RoaringBitmap {
        self.universe.unwrap_or(&self.index.users.live)
    }

    fn all(&self, within: Option<&RoaringBitmap>) -> Cow<'a, RoaringBitmap> {
        match within {
            Some(within) => Cow::Owned(within.clone()),
            None => Cow::Borrowed(self.everybody()),
        }
    }

    /// An answer, cut down to `within`.
    pub(super) fn cut<'b>(found: Cow<'b, RoaringBitmap>, within: Option<&RoaringBitmap>) -> Cow<'b, RoaringBitmap> {
        match (within, found) {
            (None, found) => found,
            (Some(within), Cow::Borrowed(found)) => Cow::Owned(found & within),
            (Some(within), Cow::Owned(found)) => Cow::Owned(found & within),
        }
    }

    /// The members of a unit and of all units below it.
    fn subtree(&self, id: OrgUnitId) -> RoaringBitmap {
        let mut members = RoaringBitmap::new();
        for unit in self.index.units.subtree(id) {
            members |= self.unit(unit);
        }
        members
    }

    /// The members of a unit. What it leans on is worked out before it, in order, so that a long chain of units needs
    /// no deep stack, and a circle of units has nobody.
    pub(super) fn unit(&self, id: OrgUnitId) -> RoaringBitmap {
        let units = &self.index.units;
        if units.place(id).is_none() {
            return RoaringBitmap::new();
        }
        if let Some(known) = self.units.borrow().get(&id) {
            return known.clone();
        }
        let mut wanted = Vec::new();
        let mut seen: FxHashSet<OrgUnitId> = FxHashSet::default();
        let mut open = units.leans_on(id);
        while let Some(other) = open.pop() {
            if seen.insert(other) && !self.units.borrow().contains_key(&other) {
                wanted.push(other);
                open.extend(units.leans_on(other));
            }
        }
        wanted.sort_by_key(|other| units.place(*other));
        for other in wanted {
            let members = self.work_out(other);
            self.units.borrow_mut().insert(other, members);
        }
        let members = self.work_out(id);
        if units.is_leaned_on(id) {
            self.units.borrow_mut().insert(id, members.clone());
        }
        members
    }

    fn work_out(&self, id: OrgUnitId) -> RoaringBitmap {
        let Some(unit) = self.index.units.unit(id) else { return RoaringBitmap::new() };
        let record = &unit.record;
        let mut members = self.chosen(unit);
        let in_universe = |at: &u32| self.universe.is_none_or(|universe| universe.contains(*at));
        let place = |id: &UserId| self.index.users.find(*id);
        members.extend(record.pinned.iter().filter_map(place).filter(in_universe));
        for at in record.excluded.iter().filter_map(place) {
            members.remove(at);
        }
        members
    }

    /// Whom the filter of a unit selects within its scope.
    fn chosen(&self, unit: &Unit) -> RoaringBitmap {
        let row = &unit.record.row;
        let within = match row.scope {
            OrgUnitScope::Parent => row.parent_id.map(|parent| self.unit(parent)),
            OrgUnitScope::All => None,
        };
        match &unit.filter {
            Some(filter) => self.node(filter.root(), within.as_ref()).into_owned(),
            None => RoaringBitmap::new(),
        }
    }
}
