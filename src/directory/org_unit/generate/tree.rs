//! The tree of org units as it will stand once a generation is done.

use std::collections::HashMap;
use std::sync::Arc;

use entity::OrgUnitId;

use super::Action;
use super::settle::Node;
use crate::directory::org_unit::DEPTH;
use crate::index::Index;
use crate::record::OrgUnitRecord;

/// The units as they will stand.
pub(super) struct Tree<'a> {
    index: &'a Index,
    /// Those that are made, changed or left as they are; none for one that goes.
    settled: HashMap<OrgUnitId, Option<&'a OrgUnitRecord>>,
    below: HashMap<OrgUnitId, OrgUnitId>,
}

impl<'a> Tree<'a> {
    pub(super) fn new(index: &'a Index, nodes: &'a [Node]) -> Self {
        let state = |node: &'a Node| match node.action {
            Action::Remove => None,
            Action::Skip if node.before.is_none() => None,
            _ => Some(&node.after),
        };
        let settled = nodes.iter().map(|node| (node.after.row.id, state(node))).collect();
        let mut tree = Self { index, settled, below: HashMap::new() };
        let below = tree.units().filter_map(|unit| Some((unit.row.parent_id?, unit.row.id))).collect();
        tree.below = below;
        tree
    }

    fn units(&self) -> impl Iterator<Item = &'a OrgUnitRecord> {
        let stored = self.index.org_units().map(Arc::as_ref).filter(|unit| !self.settled.contains_key(&unit.row.id));
        stored.chain(self.settled.values().copied().flatten())
    }

    fn unit(&self, id: OrgUnitId) -> Option<&'a OrgUnitRecord> {
        match self.settled.get(&id) {
            Some(settled) => *settled,
            None => self.index.org_unit(id).map(Arc::as_ref),
        }
    }

    pub(super) fn is_gone(&self, id: OrgUnitId) -> bool {
        self.unit(id).is_none()
    }

    /// A unit right below one.
    pub(super) fn below(&self, id: OrgUnitId) -> Option<&'a OrgUnitRecord> {
        self.unit(*self.below.get(&id)?)
    }

    /// A unit and those above it; no more than the tree may be deep, by far.
    pub(super) fn upwards(&self, from: Option<OrgUnitId>) -> impl Iterator<Item = &'a OrgUnitRecord> {
        let unit = |id: Option<OrgUnitId>| id.and_then(|id| self.unit(id));
        std::iter::successors(unit(from), move |unit_below| unit(unit_below.row.parent_id)).take(2 * DEPTH)
    }

    /// The units by what no two of them share.
    pub(super) fn names(&self) -> HashMap<(Option<OrgUnitId>, &'a str), Vec<OrgUnitId>> {
        let mut names: HashMap<(Option<OrgUnitId>, &'a str), Vec<OrgUnitId>> = HashMap::new();
        for unit in self.units() {
            names.entry((unit.row.parent_id, unit.row.name_key.as_str())).or_default().push(unit.row.id);
        }
        names
    }
}
