//! What the tree must hold to as a whole: no circles, neither of units nor of their members; depth, number, removals.

use std::collections::{BTreeSet, HashMap, HashSet};

use entity::OrgUnitId;
use entity::org_unit::OrgUnitScope;

use super::header::{Column, Columns};
use super::tree::Tree;
use crate::directory::csv::Problem;
use crate::directory::csv::import::ImportReport;
use crate::directory::csv::problem::Findings;
use crate::directory::org_unit::{DEPTH, ORG_UNITS};
use crate::index::{Index, OrgUnitShape};
use crate::value::shorten;

/// The most circles of members that are told at once.
const CIRCLES: usize = 20;

/// The columns that say where a unit stands.
const PLACE: [Column; 4] = [Column::Path, Column::Parent, Column::Name, Column::Id];

/// Refuses units that would stand below themselves or too deep, too many of them, and units whose members would depend on
/// themselves. `shapes` are those of the rows.
pub(super) fn check_tree(
    tree: &Tree,
    index: &Index,
    columns: &Columns,
    mut shapes: Vec<OrgUnitShape>,
    findings: &mut Findings,
) {
    if tree.len() > ORG_UNITS && tree.len() > index.org_units().len() {
        let message = format!("there are at most {ORG_UNITS} org units; this would make {}", tree.len());
        findings.refuse(Problem::new(1, "LIMIT_EXCEEDED", message));
    }
    let circling = find_circles(tree, index, columns, findings);
    find_deep(tree, index, columns, &circling, findings);
    keep_named(tree, index, columns, &shapes, findings);
    if circling.is_empty() {
        shapes.extend(tree.removed.iter().map(|id| alone(*id)));
        find_circles_of_members(tree, index, columns, shapes, findings);
    }
}

/// A unit that leans on no other.
fn alone(id: OrgUnitId) -> OrgUnitShape {
    OrgUnitShape { id, parent_id: None, scope: OrgUnitScope::All, asks: Vec::new() }
}

/// Whether a unit is new, or stands below another one than before.
fn is_moved(tree: &Tree, index: &Index, id: OrgUnitId) -> bool {
    index.org_unit(id).is_none_or(|unit| unit.row.parent_id != tree.parent(id))
}

/// Refuses the rows by which units would come to stand below themselves; gives those units.
fn find_circles(tree: &Tree, index: &Index, columns: &Columns, findings: &mut Findings) -> HashSet<OrgUnitId> {
    // Of each unit that was looked at, from which one.
    let mut seen: HashMap<OrgUnitId, OrgUnitId> = HashMap::new();
    let mut circling = HashSet::new();
    for (start, _) in tree.nodes() {
        let mut at = Some(start);
        while let Some(id) = at.filter(|id| !seen.contains_key(id)) {
            seen.insert(id, start);
            at = tree.parent(id);
        }
        if let Some(id) = at.filter(|id| seen.get(id) == Some(&start)) {
            circling.extend(tree.upward(id));
        }
    }
    for (id, node) in tree.nodes().filter(|(id, _)| circling.contains(id) && is_moved(tree, index, *id)) {
        let names: Vec<String> =
            tree.upward(id).into_iter().filter_map(|id| tree.name(id)).map(|name| format!("`{name}`")).collect();
        let message =
            format!("an org unit cannot stand below itself, and these would: {}; move one of them", names.join(", "));
        findings.error(columns.problem(node.line, &PLACE, ("CYCLE", message), &node.said));
    }
    circling
}

/// Refuses the rows by which units would come to stand deeper than they may.
fn find_deep(tree: &Tree, index: &Index, columns: &Columns, circling: &HashSet<OrgUnitId>, findings: &mut Findings) {
    let mut depths: HashMap<OrgUnitId, usize> = HashMap::new();
    let mut told = BTreeSet::new();
    for (start, _) in tree.nodes() {
        let mut chain = Vec::new();
        let mut at = Some(start);
        while let Some(id) = at.filter(|id| !depths.contains_key(id) && !circling.contains(id)) {
            chain.push(id);
            at = tree.parent(id);
        }
        let above = at.and_then(|id| depths.get(&id)).copied().unwrap_or_default();
        for (below, id) in (1..).zip(chain.into_iter().rev()) {
            let depth = above + below;
            depths.insert(id, depth);
            if depth > DEPTH && depth > index.org_unit_path(id).len() {
                told.extend(tree.upward(id).into_iter().find(|above| is_moved(tree, index, *above)));
            }
        }
    }
    for (_, node) in tree.nodes().filter(|(id, _)| told.contains(id)) {
        let message = format!("org units nest at most {DEPTH} deep; by this row there would be one that stands deeper");
        findings.error(columns.problem(node.line, &PLACE, ("LIMIT_EXCEEDED", message), &node.said));
    }
}

/// Refuses to remove units that filters of others name, which stay.
fn keep_named(tree: &Tree, index: &Index, columns: &Columns, shapes: &[OrgUnitShape], findings: &mut Findings) {
    if tree.removed.is_empty() {
        return;
    }
    let of_rows: HashMap<OrgUnitId, &OrgUnitShape> = shapes.iter().map(|shape| (shape.id, shape)).collect();
    for (id, node) in tree.nodes() {
        let asks: Vec<(OrgUnitId, bool)> = match of_rows.get(&id) {
            Some(shape) => shape.asks.clone(),
            None => index.org_unit_filter(id).into_iter().flat_map(|filter| filter.org_units()).collect(),
        };
        for (asked, _) in asks.into_iter().filter(|(asked, _)| tree.removed.binary_search(asked).is_ok()) {
            let path = index.path(asked);
            let message = format!(
                "`{}` is not in the file and cannot be removed: the filter of `{}` names it; change the filter, or add a \
                 row for that unit",
                shorten(&path),
                tree.path(id)
            );
            let at = [Column::Filter, Column::Path, Column::Id];
            findings.refuse(columns.problem(node.line, &at, ("IN_USE", message), &path));
        }
    }
}

/// Refuses the rows by which the members of units would depend on themselves.
fn find_circles_of_members(
    tree: &Tree,
    index: &Index,
    columns: &Columns,
    mut shapes: Vec<OrgUnitShape>,
    findings: &mut Findings,
) {
    for _ in 0..CIRCLES {
        let circle: BTreeSet<OrgUnitId> = index.org_unit_cycle(&shapes).into_iter().collect();
        let Some((line, said)) = circle.iter().find_map(|id| Some((tree.line(*id)?, tree.path(*id)))) else { return };
        let names: Vec<String> = circle.iter().map(|id| format!("`{}`", tree.path(*id))).collect();
        let message = format!(
            "the members of {} would depend on themselves; change the filter or the scope of one of them",
            names.join(", ")
        );
        let at = [Column::Filter, Column::Scope, Column::Path, Column::Parent, Column::Id];
        findings.error(columns.problem(line, &at, ("CYCLE", message), &said));
        shapes.retain(|shape| !circle.contains(&shape.id));
        shapes.extend(circle.into_iter().map(alone));
    }
}

/// Counts what goes, and says whether it may.
pub(super) fn remove(
    tree: &Tree,
    index: &Index,
    confirmed: Option<u64>,
    guards: bool,
    report: &mut ImportReport,
    findings: &mut Findings,
) -> bool {
    let (count, all) = (tree.removed.len() as u64, index.org_units().len() as u64);
    report.removed = count;
    if count * 10 <= all || confirmed == Some(count) {
        return !findings.is_refused;
    }
    report.removals_to_confirm = Some(count);
    if guards {
        let message = format!(
            "the file lacks {count} of {all} org units, and REPLACE removes them; if that is meant, confirm the number \
             of removals: {count}"
        );
        findings.refuse(Problem::new(1, "REMOVALS_NOT_CONFIRMED", message));
    }
    !findings.is_refused
}
