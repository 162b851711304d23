//! The numbers beside the lines of a filter, held to counting users one by one.

use std::collections::BTreeSet;

use entity::{OrgUnitId, UserId};
use proptest::prelude::*;

use super::directory::*;
use super::draw::filter;
use super::laws::{changesets, follow, ids};
use crate::filter::{Filter, outline};
use crate::index::{Index, NodeTally};

/// The filter without the node that a path of parts leads to: what stands in a `not` goes together with it, and of the
/// whole filter nothing is left, which is everybody.
fn without(filter: &Filter, path: &[usize]) -> Filter {
    /// None where the node itself goes.
    fn left(filter: &Filter, path: &[usize]) -> Option<Filter> {
        let (first, rest) = path.split_first()?;
        let list = |parts: &[Filter]| -> Vec<Filter> {
            let part = |(at, part): (usize, &Filter)| if at == *first { left(part, rest) } else { Some(part.clone()) };
            parts.iter().enumerate().filter_map(part).collect()
        };
        match filter {
            Filter::All(parts) => Some(Filter::All(list(parts))),
            Filter::Any(parts) => Some(Filter::Any(list(parts))),
            Filter::Not(part) => left(part, rest).map(|part| Filter::Not(part.into())),
            _ => None,
        }
    }
    left(filter, path).unwrap_or(Filter::All(Vec::new()))
}

/// The way from the root to each node, in the order in which they are read.
fn paths(filter: &Filter) -> Vec<Vec<usize>> {
    let below = |(at, part): (usize, &Filter)| {
        paths(part).into_iter().map(move |rest| [vec![at], rest].concat()).collect::<Vec<_>>()
    };
    let parts: Vec<Vec<usize>> = match filter {
        Filter::All(parts) | Filter::Any(parts) => parts.iter().enumerate().flat_map(below).collect(),
        Filter::Not(part) => below((0, part)),
        _ => Vec::new(),
    };
    [vec![Vec::new()], parts].concat()
}

/// The members of a unit that is not stored, one user at a time.
fn members(
    directory: &Directory,
    index: &Index,
    filter: &Filter,
    within: Option<OrgUnitId>,
    pins: [&BTreeSet<UserId>; 2],
) -> BTreeSet<UserId> {
    let checked = index.check(filter).unwrap();
    let in_scope = |id: &UserId| within.is_none_or(|unit| directory.is_member(index, unit, *id));
    let users = || directory.users.keys().copied();
    let chosen = users().filter(in_scope).filter(|id| directory.selects(index, &checked, *id));
    let [pinned, excluded] = pins;
    chosen.chain(users().filter(|id| pinned.contains(id))).filter(|id| !excluded.contains(id)).collect()
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(192))]

    #[test]
    fn the_numbers_beside_each_condition_are_those_of_counting_users_one_by_one(
        changesets in changesets(),
        filters in prop::collection::vec(filter(), 4),
        within in prop::option::of(0..5_usize),
        pinned in prop::collection::btree_set(0..12_usize, 0..3),
        excluded in prop::collection::btree_set(0..12_usize, 0..3),
    ) {
        let (directory, index) = follow(&changesets);
        let within = within.map(unit_id);
        let users = |numbers: &BTreeSet<usize>| -> BTreeSet<UserId> { numbers.iter().copied().map(user_id).collect() };
        let (pinned, excluded) = (users(&pinned), users(&excluded));
        let list = |users: &BTreeSet<UserId>| users.iter().copied().collect::<Vec<_>>();
        let scope: Vec<UserId> = directory
            .users
            .keys()
            .copied()
            .filter(|id| within.is_none_or(|unit| directory.is_member(&index, unit, *id)))
            .collect();
        for filter in filters {
            let Ok(checked) = index.check(&filter) else { continue };
            let tally = index.tally(&checked, within, &list(&pinned), &list(&excluded));
            prop_assert_eq!(tally.in_scope, scope.len() as u64);
            let lines = outline(&filter, &checked);
            let paths = paths(&filter);
            prop_assert_eq!(lines.len(), paths.len());
            let now = members(&directory, &index, &filter, within, [&pinned, &excluded]);
            for (at, (line, path)) in lines.iter().zip(&paths).enumerate() {
                prop_assert_eq!(line.depth, path.len());
                let then = members(&directory, &index, &without(&filter, path), within, [&pinned, &excluded]);
                let selects = |id: &&UserId| directory.node_selects(&index, line.node, **id);
                let expected = NodeTally {
                    selects: scope.iter().filter(selects).count() as u64,
                    excludes: then.difference(&now).count() as u64,
                    adds: now.difference(&then).count() as u64,
                };
                prop_assert_eq!(tally.nodes[at], expected, "{} of {:?}", line.path, filter);
            }
            let unique: BTreeSet<&str> = lines.iter().map(|line| line.path.as_str()).collect();
            prop_assert_eq!(unique.len(), lines.len());
            let mut disjoint = Vec::new();
            for line in &lines {
                if matches!(line.filter, Filter::All(_)) {
                    for (place, second) in line.parts.iter().enumerate() {
                        disjoint.extend(line.parts[..place].iter().map(|first| (*first, *second)));
                    }
                }
            }
            let chosen = |at: usize| -> BTreeSet<UserId> {
                let selects = |id: &UserId| directory.node_selects(&index, lines[at].node, *id);
                scope.iter().copied().filter(selects).collect()
            };
            disjoint.retain(|(first, second)| {
                let (first, second) = (chosen(*first), chosen(*second));
                !first.is_empty() && !second.is_empty() && first.is_disjoint(&second)
            });
            prop_assert_eq!(tally.disjoint, disjoint);
        }
    }

    #[test]
    fn overlaps_with_units_are_those_of_counting_users_one_by_one(changesets in changesets(), filter in filter()) {
        let (directory, index) = follow(&changesets);
        let chosen = index.check(&filter).map_or_else(|_| index.everybody(), |checked| index.select(&checked));
        let units: Vec<OrgUnitId> = directory.units.keys().copied().collect();
        let members = ids(&index, &chosen);
        let is_member = |unit: OrgUnitId, id: UserId| directory.is_member(&index, unit, id);
        let expected: Vec<u64> =
            units.iter().map(|unit| members.iter().filter(|id| is_member(*unit, **id)).count() as u64).collect();
        prop_assert_eq!(index.overlap_counts(&chosen, &units), Ok(expected));
        for except in units.iter().copied().map(Some).chain([None]) {
            let others: Vec<OrgUnitId> = units.iter().copied().filter(|unit| Some(*unit) != except).collect();
            let in_none = |id: &UserId| !others.iter().any(|unit| is_member(*unit, *id));
            let expected: Vec<UserId> = members.iter().copied().filter(in_none).collect();
            prop_assert_eq!(ids(&index, &index.in_no_unit_but(&chosen, except).unwrap()), expected);
        }
    }
}
