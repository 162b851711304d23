//! Counts and overlaps of org units, against the plain evaluator.

use std::collections::{BTreeMap, BTreeSet};

use entity::org_unit::OrgUnitScope;
use entity::{OrgUnitId, UserId};
use proptest::prelude::*;

use super::directory::*;
use super::laws::{changesets, follow, ids};
use crate::record::Record;

impl Directory {
    /// The units right below one, or the roots, by name.
    fn children(&self, parent: Option<OrgUnitId>) -> Vec<OrgUnitId> {
        let mut below: Vec<_> = self.units.values().filter(|unit| unit.row.parent_id == parent).collect();
        below.sort_by_key(|unit| &unit.row.name_key);
        below.into_iter().map(|unit| unit.row.id).collect()
    }

    /// A unit and those below it, each before those below it, with its depth.
    fn walk(&self, unit: OrgUnitId, depth: usize) -> Vec<(OrgUnitId, usize)> {
        let below = self.children(Some(unit)).into_iter().flat_map(|child| self.walk(child, depth + 1));
        std::iter::once((unit, depth)).chain(below).collect()
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(192))]

    #[test]
    fn the_whole_tree_counts_as_the_plain_evaluator_does(changesets in changesets()) {
        let (directory, index) = follow(&changesets);
        let members: BTreeMap<OrgUnitId, BTreeSet<UserId>> = directory
            .units
            .keys()
            .map(|unit| (*unit, directory.users.keys().copied().filter(|id| directory.is_member(&index, *unit, *id)).collect()))
            .collect();
        let together = |units: &[OrgUnitId]| units.iter().flat_map(|unit| members[unit].clone()).collect::<BTreeSet<_>>();
        let order: Vec<_> = directory.children(None).into_iter().flat_map(|root| directory.walk(root, 0)).collect();
        let tree = index.org_unit_tree(None);
        prop_assert_eq!(tree.iter().map(|unit| (unit.record.row.id, unit.depth)).collect::<Vec<_>>(), order);
        prop_assert_eq!(tree.len(), directory.units.len());
        for unit in &tree {
            let id = unit.record.row.id;
            let subtree: Vec<OrgUnitId> = directory.walk(id, 0).into_iter().map(|(id, _)| id).collect();
            prop_assert_eq!(unit.members, members[&id].len() as u64);
            prop_assert_eq!(unit.members_of_subtree, together(&subtree).len() as u64);
            prop_assert_eq!((unit.children, unit.descendants), (directory.children(Some(id)).len(), subtree.len() - 1));

            let part = index.org_unit_tree(Some(id));
            let counts = |unit: &crate::index::CountedUnit| (unit.record.row.id, unit.depth, unit.members, unit.members_of_subtree);
            prop_assert_eq!(
                part.iter().map(counts).collect::<Vec<_>>(),
                tree.iter().filter(|unit| subtree.contains(&unit.record.row.id)).map(counts).collect::<Vec<_>>()
            );
            let left: Vec<UserId> = members[&id].difference(&together(&subtree[1..])).copied().collect();
            prop_assert_eq!(ids(&index, &index.unassigned(Some(id))), left);
        }
        let assigned = together(&directory.units.keys().copied().collect::<Vec<_>>());
        let left: Vec<UserId> = directory.users.keys().copied().filter(|id| !assigned.contains(id)).collect();
        prop_assert_eq!(ids(&index, &index.unassigned(None)), left);
    }

    #[test]
    fn siblings_overlap_as_the_plain_evaluator_says(changesets in changesets()) {
        let (directory, index) = follow(&changesets);
        let is_member = |unit: &OrgUnitId, id: &UserId| directory.is_member(&index, *unit, *id);
        for parent in std::iter::once(None).chain(directory.units.keys().copied().map(Some)) {
            let siblings = directory.children(parent);
            let units_of = |id: &UserId| siblings.iter().filter(|unit| is_member(unit, id)).count();
            let overlaps = index.sibling_overlaps(parent);
            let several: Vec<UserId> = directory.users.keys().copied().filter(|id| units_of(id) > 1).collect();
            prop_assert_eq!(ids(&index, &overlaps.users), several);
            let mut pairs = Vec::new();
            for (at, a) in siblings.iter().enumerate() {
                for b in &siblings[at + 1..] {
                    let shared = directory.users.keys().filter(|id| is_member(a, id) && is_member(b, id)).count() as u64;
                    pairs.push((*a, *b, shared));
                }
            }
            pairs.retain(|(.., shared)| *shared > 0);
            pairs.sort_by_key(|(.., shared)| std::cmp::Reverse(*shared));
            let sharing: BTreeSet<OrgUnitId> = pairs.iter().flat_map(|(a, b, _)| [*a, *b]).collect();
            if sharing.len() > 4 {
                // Only those that share the most are compared, so some pairs may be left out.
                prop_assert!(overlaps.pairs.iter().all(|pair| pairs.contains(pair)));
                prop_assert!(overlaps.pairs.len() <= 6);
            } else {
                prop_assert_eq!(overlaps.pairs, pairs);
            }
        }
    }
}

#[test]
fn the_order_below_a_unit_ends_where_parents_go_round_in_a_circle() {
    let units = [(0, Some(1)), (1, Some(0)), (2, Some(1))];
    let record = |(number, parent)| Record::OrgUnit(unit(number, parent, OrgUnitScope::All, None));
    let index = Directory::of(units.map(record)).index();
    let order: Vec<OrgUnitId> = index.org_unit_order(Some(unit_id(0))).into_iter().map(|(id, _)| id).collect();
    assert_eq!(order, [unit_id(0), unit_id(1), unit_id(2)]);
}
