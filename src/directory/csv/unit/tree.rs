//! Where every unit stands once the file is imported.
//!
//! A path in the file is one of the tree as it will be, so that rows may name parents that stand further down, and swap
//! names. Where nothing will stand at a path, it is read as one of the tree as it was: whoever renames a unit in one row
//! need not touch the rows of those below it.

use std::collections::{HashMap, HashSet};

use entity::OrgUnitId;

use super::header::{Column, Columns};
use super::path::{Key, Keys, TOP};
use super::rows::{Above, Kind, Node, Rows};
use crate::directory::Clock;
use crate::directory::csv::ImportMode;
use crate::directory::csv::problem::Findings;
use crate::index::Index;
use crate::value::{join_path, split_path};

/// The columns that may say what stands above a unit.
const ABOVE: [Column; 3] = [Column::Path, Column::Parent, Column::Id];

/// The tree as it will be.
pub(super) struct Tree {
    /// Every unit of the file and the directory, each once; those that are removed are not among them.
    nodes: Vec<Node>,
    by_number: Vec<Option<usize>>,
    by_unit: HashMap<OrgUnitId, usize>,
    /// The unit above each one that has one.
    parents: HashMap<OrgUnitId, OrgUnitId>,
    /// The units that the file does not have, where that removes them; in the order of their ids.
    pub(super) removed: Vec<OrgUnitId>,
    keys: Keys,
    before: HashMap<Key, OrgUnitId>,
    after: HashMap<Key, OrgUnitId>,
}

impl Tree {
    /// Finds the units of the rows that have no `ID`, and what stands above each.
    pub(super) fn settle(
        rows: Rows,
        (columns, index, clock): (&Columns, &Index, &Clock),
        mode: ImportMode,
        findings: &mut Findings,
    ) -> Self {
        let Rows { mut nodes, by_number, mut by_unit, mut keys, before } = rows;
        let mut absent: Vec<_> = index.org_units().filter(|unit| !by_unit.contains_key(&unit.row.id)).collect();
        absent.sort_by_key(|unit| unit.row.id);
        for unit in absent {
            by_unit.insert(unit.row.id, nodes.len());
            nodes.push(Node::standing(Kind::Absent, 0, unit));
        }
        let follows = follow(&mut nodes, &by_unit, &before, &mut keys);
        let places = places(&nodes, &by_unit, &mut keys);
        let mut settler = Settler { columns, nodes, places, by_unit, removed: Vec::new(), findings };
        settler.match_by_place(clock);
        settler.drop_absent(mode);
        let mut after = settler.taken();
        let parents = settler.parents(&mut after);
        let Settler { nodes, by_unit, removed, findings, .. } = settler;
        let tree = Self { nodes, by_number, by_unit, parents, removed, keys, before, after };
        for (at, unit) in follows.into_iter().filter(|(_, unit)| tree.has(*unit)) {
            let node = &tree.nodes[at];
            let message = format!(
                "nothing stands at the path above this one any more; the unit stays below `{}`: write that path",
                tree.path(unit)
            );
            findings.warn(columns.problem(node.line, &ABOVE, ("OLD_PATH", message), &node.said));
        }
        tree
    }

    /// The node of a row.
    pub(super) fn of_row(&self, number: u32) -> Option<&Node> {
        self.nodes.get((*self.by_number.get(number as usize)?)?)
    }

    /// Every unit there will be.
    pub(super) fn nodes(&self) -> impl Iterator<Item = (OrgUnitId, &Node)> {
        self.nodes.iter().filter_map(|node| Some((node.id?, node)))
    }

    /// How many units there will be.
    pub(super) fn len(&self) -> usize {
        self.by_unit.len()
    }

    /// Whether there will be a unit.
    pub(super) fn has(&self, id: OrgUnitId) -> bool {
        self.by_unit.contains_key(&id)
    }

    /// What will stand above a unit.
    pub(super) fn parent(&self, id: OrgUnitId) -> Option<OrgUnitId> {
        self.parents.get(&id).copied()
    }

    /// The line of a unit's row; none for one that the file does not have.
    pub(super) fn line(&self, id: OrgUnitId) -> Option<u64> {
        let node = self.nodes.get(*self.by_unit.get(&id)?)?;
        (node.kind != Kind::Absent).then_some(node.line)
    }

    /// The name that a unit will have.
    pub(super) fn name(&self, id: OrgUnitId) -> Option<&str> {
        self.nodes.get(*self.by_unit.get(&id)?).map(|node| node.name.as_str())
    }

    /// The units from one up to its root, as they will stand; of a circle each once.
    pub(super) fn upward(&self, id: OrgUnitId) -> Vec<OrgUnitId> {
        let mut seen = HashSet::new();
        std::iter::successors(Some(id), |id| self.parent(*id)).take_while(|id| seen.insert(*id)).collect()
    }

    /// The path at which a unit will stand.
    pub(super) fn path(&self, id: OrgUnitId) -> String {
        join_path(self.upward(id).into_iter().rev().filter_map(|id| self.name(id)))
    }

    /// The path at which a unit will stand; none where it will not be there.
    pub(super) fn path_of(&self, id: OrgUnitId) -> Option<String> {
        self.has(id).then(|| self.path(id))
    }

    /// The unit that will stand at a path or, where none will, that stands there now; and whether it is one of now.
    pub(super) fn at(&self, path: &str) -> Option<(OrgUnitId, bool)> {
        let key = self.keys.find(&split_path(path))?;
        let after = self.after.get(&key).map(|unit| (*unit, false));
        after.or_else(|| self.before.get(&key).map(|unit| (*unit, true)))
    }
}

/// Lets paths at which nothing will stand be those of the tree as it was, until no more change. Gives the nodes that do
/// so, each with the unit above.
fn follow(
    nodes: &mut [Node],
    by_unit: &HashMap<OrgUnitId, usize>,
    before: &HashMap<Key, OrgUnitId>,
    keys: &mut Keys,
) -> Vec<(usize, OrgUnitId)> {
    let mut follows = Vec::new();
    loop {
        let there: HashSet<Key> = places(nodes, by_unit, keys).into_iter().flatten().collect();
        let known = follows.len();
        for (at, node) in nodes.iter_mut().enumerate() {
            if let Above::Path(path) = node.above
                && !there.contains(&path)
                && let Some(unit) = before.get(&path)
            {
                node.above = Above::Unit(*unit);
                follows.push((at, *unit));
            }
        }
        if follows.len() == known {
            follows.sort_unstable();
            return follows;
        }
    }
}

/// Where each node will stand; none of those in a circle, and below one.
fn places(nodes: &[Node], by_unit: &HashMap<OrgUnitId, usize>, keys: &mut Keys) -> Vec<Option<Key>> {
    let mut places = vec![None; nodes.len()];
    let mut is_known = vec![false; nodes.len()];
    for start in 0..nodes.len() {
        let mut chain = Vec::new();
        let mut next = Some(start);
        let mut place = None;
        while let Some(at) = next.take() {
            if is_known[at] {
                place = places[at];
                break;
            }
            is_known[at] = true;
            chain.push(at);
            match nodes[at].above {
                Above::Top => place = Some(TOP),
                Above::Path(path) => place = Some(path),
                Above::Unit(unit) => next = by_unit.get(&unit).copied(),
            }
        }
        for at in chain.into_iter().rev() {
            place = place.map(|above| keys.below(above, &nodes[at].name));
            places[at] = place;
        }
    }
    places
}

/// The tree while its units are found.
struct Settler<'a> {
    columns: &'a Columns,
    nodes: Vec<Node>,
    /// Where each node will stand.
    places: Vec<Option<Key>>,
    by_unit: HashMap<OrgUnitId, usize>,
    removed: Vec<OrgUnitId>,
    findings: &'a mut Findings,
}

impl Settler<'_> {
    /// Gives each row without a unit the one that stands where the row says and has no row of its own, or a new one.
    fn match_by_place(&mut self, clock: &Clock) {
        let absent = self.nodes.iter().zip(&self.places).filter(|(node, _)| node.kind == Kind::Absent);
        let mut absent: HashMap<Key, OrgUnitId> =
            absent.filter_map(|(node, place)| Some(((*place)?, node.id?))).collect();
        for (at, node) in self.nodes.iter_mut().enumerate().filter(|(_, node)| node.id.is_none()) {
            let found = self.places[at].and_then(|place| absent.remove(&place));
            if let (None, Some(stale)) = (found, &node.stale_id) {
                let message = "there is no org unit with this id, and none at this place; empty the cell to make one";
                let about = ("UNKNOWN_ID", message.to_owned());
                self.findings.error(self.columns.problem(node.line, &[Column::Id], about, stale));
            }
            let id = found.unwrap_or_else(|| clock.id());
            node.id = Some(id);
            self.by_unit.insert(id, at);
        }
    }

    /// Leaves out the units that no row has named by `ID` and one has found by its place, and those that go.
    fn drop_absent(&mut self, mode: ImportMode) {
        let nodes = std::mem::take(&mut self.nodes);
        let places = std::mem::take(&mut self.places);
        for (at, (node, place)) in nodes.into_iter().zip(places).enumerate() {
            if node.kind == Kind::Absent {
                let Some(id) = node.id.filter(|id| self.by_unit.get(id) == Some(&at)) else { continue };
                if mode == ImportMode::Replace {
                    self.by_unit.remove(&id);
                    self.removed.push(id);
                    continue;
                }
                self.by_unit.insert(id, self.nodes.len());
            }
            self.nodes.push(node);
            self.places.push(place);
        }
    }

    /// Which unit will stand where. Two at one place are refused.
    fn taken(&mut self) -> HashMap<Key, OrgUnitId> {
        let mut taken: HashMap<Key, usize> = HashMap::new();
        // Those that stay as they are come first, so that it is the other that is wrong.
        let (first, second): (Vec<usize>, Vec<usize>) =
            (0..self.nodes.len()).partition(|at| matches!(self.nodes[*at].kind, Kind::Untouched | Kind::Absent));
        for at in first.into_iter().chain(second) {
            let Some(place) = self.places[at] else { continue };
            let Some(other) = taken.get(&place).map(|other| &self.nodes[*other]) else {
                taken.insert(place, at);
                continue;
            };
            let node = &self.nodes[at];
            let about = match (other.kind, node.kind) {
                (Kind::Row, Kind::Row) => {
                    ("DUPLICATE_UNIT", format!("line {} is of the same unit; keep one of the two rows", other.line))
                }
                (Kind::Absent, _) => {
                    let message = "another unit stands at this path, which the file does not have; names are unique \
                                   among siblings, ignoring case: use another, or add a row that moves that unit";
                    ("DUPLICATE_NAME", message.to_owned())
                }
                _ => {
                    let message = format!(
                        "line {} puts another unit at this path; names are unique among siblings, ignoring case",
                        other.line
                    );
                    ("DUPLICATE_NAME", message)
                }
            };
            let value = if self.columns.has(Column::Path) { &node.said } else { &node.name };
            let columns = [Column::Path, Column::Name, Column::Parent, Column::Id];
            self.findings.error(self.columns.problem(node.line, &columns, about, value));
        }
        taken.into_iter().filter_map(|(place, at)| Some((place, self.nodes[at].id?))).collect()
    }

    /// What stands above each unit. Refuses rows that name what is not there, and removals of units with others below.
    /// Where such a row would put its unit, and what stands below it, nothing stands.
    fn parents(&mut self, after: &mut HashMap<Key, OrgUnitId>) -> HashMap<OrgUnitId, OrgUnitId> {
        let mut parents = HashMap::new();
        let mut below: HashMap<OrgUnitId, Vec<usize>> = HashMap::new();
        let mut fallen = Vec::new();
        for (at, node) in self.nodes.iter().enumerate() {
            let above = match node.above {
                Above::Top => continue,
                Above::Unit(unit) => Some(unit),
                Above::Path(path) => after.get(&path).copied(),
            };
            if let (Some(id), Some(above)) = (node.id, above.filter(|above| self.by_unit.contains_key(above))) {
                parents.insert(id, above);
                below.entry(above).or_default().push(at);
            } else if node.said.is_empty() {
                let message = "the file lacks the unit above this one, and REPLACE removes it; add a row for it, or move \
                               this unit";
                let about = ("IN_USE", message.to_owned());
                self.findings.refuse(self.columns.problem(node.line, &ABOVE, about, &node.name));
            } else {
                fallen.push((at, true));
            }
        }
        while let Some((at, is_wrong)) = fallen.pop() {
            let node = &self.nodes[at];
            if is_wrong {
                let message = "no org unit stands at the path above this one once the file is imported; correct the path, \
                               or add a row for that unit";
                let about = ("UNKNOWN_PARENT", message.to_owned());
                self.findings.error(self.columns.problem(node.line, &ABOVE, about, &node.said));
            }
            let is_here = |id: &OrgUnitId| node.id == Some(*id);
            if let Some(place) = self.places[at].filter(|place| after.get(place).is_some_and(is_here)) {
                after.remove(&place);
            }
            let below = node.id.and_then(|id| below.remove(&id)).into_iter().flatten();
            // Who names the unit above by its id follows it wherever it is.
            fallen.extend(below.map(|at| (at, matches!(self.nodes[at].above, Above::Path(_)))));
        }
        parents
    }
}
