//! The org units: their tree, their checked filters, and the order in which they lean on each other.
//!
//! What does not live here: who their members are (`evaluate`).

use std::sync::Arc;

use entity::OrgUnitId;
use entity::org_unit::OrgUnitScope;
use rustc_hash::{FxHashMap, FxHashSet};

use crate::filter::{Catalogue, Checked, Stored, Violation, check};
use crate::record::OrgUnitRecord;
use crate::value::fold;

/// One org unit.
#[derive(Clone)]
pub(super) struct Unit {
    pub(super) record: Arc<OrgUnitRecord>,
    /// None without a filter, and where the filter no longer passes the check.
    pub(super) filter: Option<Arc<Checked>>,
    pub(super) violations: Vec<Violation>,
}

/// All org units.
#[derive(Clone, Default)]
pub(super) struct Units {
    units: FxHashMap<OrgUnitId, Unit>,
    /// The units below each one, in the order of their names; of none: the roots.
    children: FxHashMap<Option<OrgUnitId>, Vec<OrgUnitId>>,
    /// The place of each unit in an order in which it comes after all that it leans on. Units that go round in a
    /// circle, and those that lean on them, have none.
    places: FxHashMap<OrgUnitId, u32>,
    /// The units that others lean on.
    leaned_on: FxHashSet<OrgUnitId>,
}

/// What the question of a circle needs of one unit, stored or not.
#[derive(Clone, Debug)]
pub struct OrgUnitShape {
    /// The unit.
    pub id: OrgUnitId,
    /// The unit above.
    pub parent_id: Option<OrgUnitId>,
    /// Among whom its filter selects.
    pub scope: OrgUnitScope,
    /// The units its filter asks about, each with whether those below count too.
    pub asks: Vec<(OrgUnitId, bool)>,
}

impl Units {
    pub(super) fn unit(&self, id: OrgUnitId) -> Option<&Unit> {
        self.units.get(&id)
    }

    pub(super) fn iter(&self) -> impl ExactSizeIterator<Item = &Unit> {
        self.units.values()
    }

    pub(super) fn len(&self) -> usize {
        self.units.len()
    }

    pub(super) fn children(&self, id: Option<OrgUnitId>) -> &[OrgUnitId] {
        self.children.get(&id).map(Vec::as_slice).unwrap_or_default()
    }

    pub(super) fn place(&self, id: OrgUnitId) -> Option<u32> {
        self.places.get(&id).copied()
    }

    pub(super) fn is_leaned_on(&self, id: OrgUnitId) -> bool {
        self.leaned_on.contains(&id)
    }

    pub(super) fn put(&mut self, record: OrgUnitRecord) {
        let unit = Unit { record: Arc::new(record), filter: None, violations: Vec::new() };
        self.units.insert(unit.record.row.id, unit);
    }

    pub(super) fn remove(&mut self, id: OrgUnitId) {
        self.units.remove(&id);
    }

    /// A unit and all below it, each once, parents first.
    pub(super) fn subtree(&self, id: OrgUnitId) -> Vec<OrgUnitId> {
        let mut found = vec![id];
        let mut seen: FxHashSet<OrgUnitId> = found.iter().copied().collect();
        let mut at = 0;
        while let Some(&unit) = found.get(at) {
            found.extend(self.children(Some(unit)).iter().filter(|child| seen.insert(**child)));
            at += 1;
        }
        found
    }

    /// The unit at a path of names from a root down, ignoring case.
    pub(super) fn at_path(&self, names: &[&str]) -> Option<&Unit> {
        let mut found: Option<&Unit> = None;
        for name in names {
            let wanted = fold(name);
            let above = found.map(|unit| unit.record.row.id);
            let below = self.children(above);
            // They stand in the order of their names.
            let key = |id: &OrgUnitId| self.unit(*id).map(|unit| unit.record.row.name_key.as_str());
            let at = below.binary_search_by(|id| key(id).cmp(&Some(&wanted))).ok()?;
            found = Some(self.unit(below[at])?);
        }
        found
    }

    /// Checks every filter anew and rebuilds tree and order, after units or what they can refer to have changed.
    pub(super) fn settle(&mut self, catalogue: &Catalogue<'_>) {
        self.children.clear();
        for unit in self.units.values_mut() {
            (unit.filter, unit.violations) = match &unit.record.row.filter {
                None => (None, Vec::new()),
                Some(stored) => match read(stored, catalogue) {
                    Ok(filter) => (Some(Arc::new(filter)), Vec::new()),
                    Err(violations) => (None, violations),
                },
            };
            self.children.entry(unit.record.row.parent_id).or_default().push(unit.record.row.id);
        }
        for children in self.children.values_mut() {
            children.sort_by_key(|id| (self.units.get(id).map(|unit| &unit.record.row.name_key), *id));
        }
        self.leaned_on.clear();
        let leans: FxHashMap<OrgUnitId, Vec<OrgUnitId>> =
            self.units.keys().map(|&id| (id, self.leans_on(id))).collect();
        let mut waiting: FxHashMap<OrgUnitId, usize> = FxHashMap::default();
        let mut followers: FxHashMap<OrgUnitId, Vec<OrgUnitId>> = FxHashMap::default();
        for (&id, on) in &leans {
            waiting.insert(id, on.len());
            for &other in on {
                self.leaned_on.insert(other);
                followers.entry(other).or_default().push(id);
            }
        }
        self.places.clear();
        let mut ready: Vec<OrgUnitId> = waiting.iter().filter(|(_, on)| **on == 0).map(|(id, _)| *id).collect();
        while let Some(id) = ready.pop() {
            self.places.insert(id, super::ordinal(self.places.len()));
            for follower in followers.get(&id).into_iter().flatten() {
                if let Some(left) = waiting.get_mut(follower) {
                    *left -= 1;
                    if *left == 0 {
                        ready.push(*follower);
                    }
                }
            }
        }
    }

    /// The units that must be known before this one, each once.
    pub(super) fn leans_on(&self, id: OrgUnitId) -> Vec<OrgUnitId> {
        let Some(unit) = self.units.get(&id) else { return Vec::new() };
        let mut on: FxHashSet<OrgUnitId> = FxHashSet::default();
        if unit.record.row.scope == OrgUnitScope::Parent {
            on.extend(unit.record.row.parent_id);
        }
        for (asked, descendants) in unit.filter.iter().flat_map(|filter| filter.org_units()) {
            if descendants {
                on.extend(self.subtree(asked));
            } else {
                on.insert(asked);
            }
        }
        on.retain(|other| self.units.contains_key(other));
        on.into_iter().collect()
    }

    /// The shape of a unit as it is stored.
    fn shape(&self, unit: &Unit) -> OrgUnitShape {
        let row = &unit.record.row;
        let asks = unit.filter.iter().flat_map(|filter| filter.org_units()).collect();
        OrgUnitShape { id: row.id, parent_id: row.parent_id, scope: row.scope, asks }
    }

    /// The units of one circle that there would be if `changed` stood in place of the stored ones; empty without one.
    pub(super) fn cycle(&self, changed: &[OrgUnitShape]) -> Vec<OrgUnitId> {
        let mut shapes: FxHashMap<OrgUnitId, OrgUnitShape> =
            self.units.values().map(|unit| (unit.record.row.id, self.shape(unit))).collect();
        shapes.extend(changed.iter().map(|shape| (shape.id, shape.clone())));
        let mut children: FxHashMap<OrgUnitId, Vec<OrgUnitId>> = FxHashMap::default();
        for shape in shapes.values() {
            if let Some(parent) = shape.parent_id {
                children.entry(parent).or_default().push(shape.id);
            }
        }
        let next = |id: OrgUnitId| -> Vec<OrgUnitId> {
            let Some(shape) = shapes.get(&id) else { return Vec::new() };
            let mut on: Vec<OrgUnitId> = match shape.scope {
                OrgUnitScope::Parent => shape.parent_id.into_iter().collect(),
                OrgUnitScope::All => Vec::new(),
            };
            for &(asked, descendants) in &shape.asks {
                let from = on.len();
                on.push(asked);
                let mut seen: FxHashSet<OrgUnitId> = FxHashSet::from_iter([asked]);
                let mut at = from;
                while descendants && let Some(&unit) = on.get(at) {
                    on.extend(children.get(&unit).into_iter().flatten().filter(|child| seen.insert(**child)));
                    at += 1;
                }
            }
            on
        };
        // Only a changed unit can close a circle that was not there; but any is worth naming.
        let mut done: FxHashSet<OrgUnitId> = FxHashSet::default();
        let starts = changed.iter().map(|shape| shape.id).chain(shapes.keys().copied());
        for start in starts {
            let mut path: Vec<(OrgUnitId, Vec<OrgUnitId>)> = Vec::new();
            if done.insert(start) {
                path.push((start, next(start)));
            }
            while let Some((_, left)) = path.last_mut() {
                let Some(id) = left.pop() else {
                    path.pop();
                    continue;
                };
                if let Some(at) = path.iter().position(|(on_path, _)| *on_path == id) {
                    return path[at..].iter().map(|(id, _)| *id).collect();
                }
                if done.insert(id) {
                    path.push((id, next(id)));
                }
            }
        }
        Vec::new()
    }
}

fn read(stored: &serde_json::Value, catalogue: &Catalogue<'_>) -> Result<Checked, Vec<Violation>> {
    match serde_json::from_value::<Stored>(stored.clone()) {
        Ok(Stored { v: 1, filter }) => check(&filter, catalogue),
        Ok(Stored { v, .. }) => Err(vec![unreadable(format!("the filter is of form {v}, which is not known"))]),
        Err(_) => Err(vec![unreadable("the stored filter cannot be read".to_owned())]),
    }
}

fn unreadable(message: String) -> Violation {
    Violation::new("filter", "UNREADABLE", message)
}
