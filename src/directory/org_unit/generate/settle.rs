//! What becomes of each unit: those that a generation asks for beside those that there are. What a person has changed
//! of a generated unit stays as it is; everything else follows.

use std::collections::{HashMap, HashSet};
use std::sync::Arc;

use entity::attribute::AttributeType;
use entity::org_unit::{self, OrgUnitScope};
use entity::{OrgUnitId, UserId};

use super::call::Called;
use super::origin::{Made, Origin, Source};
use super::outline::{Outline, Wanted, too_deep};
use super::tree::Tree;
use super::{Action, GeneratedUnit, Generation};
use crate::directory::association::Stamp;
use crate::directory::clock::Clock;
use crate::directory::error::{Error, Result};
use crate::directory::org_unit::{DEPTH, ORG_UNITS, read_stored};
use crate::filter::{AttributeFilter, Checked, Condition, Filter, Scalar, Stored};
use crate::index::{Index, OrgUnitShape};
use crate::record::{OrgUnitRecord, Record, UserRecord};
use crate::value::{GlobalId, Value, fold, join_path, split_path};

/// What a generation comes to.
pub(super) struct Settled {
    pub(super) units: Vec<GeneratedUnit>,
    /// Units before and after.
    pub(super) changes: Vec<(Option<OrgUnitRecord>, Option<OrgUnitRecord>)>,
    /// The first thing in the way.
    pub(super) block: Option<Error>,
}

/// One unit on its way.
pub(super) struct Node {
    pub(super) before: Option<Arc<OrgUnitRecord>>,
    /// As it will be; of one that goes, as it is.
    pub(super) after: OrgUnitRecord,
    source: Source,
    pub(super) action: Action,
    count: u64,
    note: Option<String>,
    block: Option<Error>,
}

/// A generation being settled.
pub(super) struct Settling<'a> {
    index: &'a Index,
    generation: &'a Generation,
    stamp: &'a Stamp,
    clock: &'a Clock,
    /// The generated units that there are, by source.
    pub(super) known: HashMap<Source, Arc<OrgUnitRecord>>,
    /// Users whose records say how values are written.
    pub(super) examples: HashMap<UserId, UserRecord>,
    /// All units by where they stand.
    places: HashMap<(Option<OrgUnitId>, &'a str), &'a Arc<OrgUnitRecord>>,
}

impl<'a> Settling<'a> {
    pub(super) fn new(
        index: &'a Index,
        generation: &'a Generation,
        (stamp, clock): (&'a Stamp, &'a Clock),
        known: HashMap<Source, Arc<OrgUnitRecord>>,
        examples: HashMap<UserId, UserRecord>,
    ) -> Self {
        let place = |unit: &'a Arc<OrgUnitRecord>| ((unit.row.parent_id, unit.row.name_key.as_str()), unit);
        let places = index.org_units().map(place).collect();
        Self { index, generation, stamp, clock, known, examples, places }
    }

    pub(super) fn settle(mut self, outline: &Outline) -> Result<Settled> {
        let called = self.call(&outline.wanted);
        let base = self.generation.filter.clone().map(|filter| self.index.normalise(filter));
        let mut nodes: Vec<Node> = Vec::with_capacity(outline.wanted.len());
        for (wanted, called) in outline.wanted.iter().zip(called) {
            let node = self.node(wanted, called, base.as_ref(), &nodes)?;
            nodes.push(node);
        }
        let gone = self.gone();
        let order = in_order(&outline.wanted, &nodes);
        let wanted = nodes.len();
        nodes.extend(gone);
        let paths = self.skip(&outline.wanted, &mut nodes)?;
        self.check(&mut nodes, outline, &paths)?;
        let mut nodes: Vec<Option<Node>> = nodes.into_iter().map(Some).collect();
        let order: Vec<usize> = order.into_iter().chain(wanted..nodes.len()).collect();
        let mut settled = Settled { units: Vec::with_capacity(order.len()), changes: Vec::new(), block: None };
        for at in order {
            let Some(mut node) = nodes[at].take() else { continue };
            settled.units.push(show_unit(&node, paths[at].clone())?);
            settled.block = settled.block.or(node.block.take());
            let before = node.before.map(|before| before.as_ref().clone());
            match node.action {
                Action::Create | Action::Update => settled.changes.push((before, Some(node.after))),
                Action::Remove => settled.changes.push((before, None)),
                Action::Keep | Action::Vanished | Action::Skip | Action::Blocked => {}
            }
        }
        Ok(settled)
    }

    /// A wanted unit beside the one that there is, if there is one.
    fn node(&mut self, wanted: &Wanted, called: Called, base: Option<&Filter>, nodes: &[Node]) -> Result<Node> {
        let Called { source, name, note } = called;
        let (parent_id, scope) = match wanted.parent {
            Some(parent) => (Some(nodes[parent].after.row.id), OrgUnitScope::Parent),
            None => (self.generation.parent_id, self.generation.scope),
        };
        let own = condition(wanted, &source);
        let filter = match (wanted.parent, base) {
            (None, Some(base)) => Filter::All(vec![base.clone(), own]),
            _ => own,
        };
        let filter = serde_json::to_value(Stored { v: 1, filter }).map_err(Error::internal)?;
        let made = Made { name, parent_id, scope, filter, pinned: wanted.pinned };
        let found = self.known.remove(&wanted.source).or_else(|| self.alike(&made));
        let mut after = match &found {
            Some(found) => found.as_ref().clone(),
            None => self.new_unit(&made),
        };
        let origin = match Origin::of(&after) {
            Some(origin) => Origin { source: source.clone(), made: follow(&mut after, &origin.made, &made), ..origin },
            None => Origin { under: self.generation.parent_id, source: source.clone(), made },
        };
        after.row.origin = Some(serde_json::to_value(origin).map_err(Error::internal)?);
        let action = match &found {
            None => Action::Create,
            Some(found) if same(found, &after) => Action::Keep,
            Some(_) => Action::Update,
        };
        Ok(Node { before: found, after, source, action, count: wanted.count, note, block: None })
    }

    /// A unit that a person has made exactly as it would be generated.
    fn alike(&self, made: &Made) -> Option<Arc<OrgUnitRecord>> {
        let unit = *self.places.get(&(made.parent_id, fold(&made.name).as_str()))?;
        let row = &unit.row;
        let is_alike = row.origin.is_none() && row.scope == made.scope && row.filter.as_ref() == Some(&made.filter);
        is_alike.then(|| unit.clone())
    }

    fn new_unit(&self, made: &Made) -> OrgUnitRecord {
        OrgUnitRecord {
            row: org_unit::Model {
                id: self.clock.id(),
                parent_id: made.parent_id,
                name: made.name.clone(),
                name_key: fold(&made.name),
                description: String::new(),
                scope: made.scope,
                filter: Some(made.filter.clone()),
                origin: None,
                version: self.stamp.number,
                created_at: self.stamp.now,
                updated_at: self.stamp.now,
            },
            pinned: made.pinned.into_iter().collect(),
            excluded: Default::default(),
        }
    }

    /// The units whose source is gone, in the order of their paths.
    fn gone(&mut self) -> Vec<Node> {
        let action = if self.generation.remove_vanished { Action::Remove } else { Action::Vanished };
        let mut left: Vec<(Source, Arc<OrgUnitRecord>)> = std::mem::take(&mut self.known).into_iter().collect();
        left.sort_by_cached_key(|(_, unit)| (fold(&self.index.path(unit.row.id)), unit.row.id));
        let ids: Vec<OrgUnitId> = left.iter().map(|(_, unit)| unit.row.id).collect();
        let node = |((source, unit), count): ((Source, Arc<OrgUnitRecord>), u64)| {
            let source = Origin::of(&unit).map_or(source, |origin| origin.source);
            let after = unit.as_ref().clone();
            Node { before: Some(unit), after, source, action, count, note: None, block: None }
        };
        left.into_iter().zip(self.index.member_counts(&ids)).map(node).collect()
    }

    /// Leaves out the units that the reviewer does not want, and those below them that are not there yet. Gives the
    /// paths of all.
    fn skip(&self, wanted: &[Wanted], nodes: &mut [Node]) -> Result<Vec<String>> {
        let fold_path = |path: &str| {
            let names: Vec<String> = split_path(path).iter().map(|name| fold(name)).collect();
            join_path(names.iter().map(String::as_str))
        };
        let mut left: HashMap<String, usize> =
            self.generation.skip.iter().enumerate().map(|(at, path)| (fold_path(path), at)).collect();
        let skipped: HashSet<String> = left.keys().cloned().collect();
        let asked = self.paths(wanted.len(), nodes);
        for at in 0..nodes.len() {
            let path = fold_path(&asked[at]);
            left.remove(&path);
            let parent = wanted.get(at).and_then(|wanted| wanted.parent);
            let is_below =
                parent.is_some_and(|parent| nodes[parent].before.is_none() && nodes[parent].action == Action::Skip);
            let node = &mut nodes[at];
            if is_below || skipped.contains(&path) {
                node.action = Action::Skip;
                if let Some(before) = &node.before {
                    node.after = before.as_ref().clone();
                }
            }
        }
        if let Some(at) = left.into_values().min() {
            let message = "no unit of this generation has this path; write the paths as the preview does";
            return Err(Error::invalid(format!("skip[{at}]"), "UNKNOWN_ORG_UNIT", message));
        }
        let mut paths = self.paths(wanted.len(), nodes);
        for ((path, asked), node) in paths.iter_mut().zip(asked).zip(nodes) {
            // What is not made stands nowhere.
            if node.action == Action::Skip && node.before.is_none() {
                *path = asked;
            }
        }
        Ok(paths)
    }

    /// The path of each unit: of the first ones, which are wanted, as they will stand; of the others as they stand.
    fn paths(&self, wanted: usize, nodes: &[Node]) -> Vec<String> {
        let tree = Tree::new(self.index, nodes);
        let path = |(at, node): (usize, &Node)| {
            if at >= wanted {
                return self.index.path(node.after.row.id);
            }
            let mut names: Vec<&str> =
                tree.upwards(node.after.row.parent_id).map(|unit| unit.row.name.as_str()).collect();
            names.reverse();
            names.push(&node.after.row.name);
            join_path(names)
        };
        nodes.iter().enumerate().map(path).collect()
    }

    /// Finds what is in the way of each unit that changes.
    fn check(&self, nodes: &mut [Node], outline: &Outline, paths: &[String]) -> Result<()> {
        let blocks = self.blocks(nodes, paths);
        for (at, block) in blocks {
            nodes[at].note = Some(block.to_string());
            nodes[at].action = Action::Blocked;
            nodes[at].block = Some(block);
        }
        let count = |action: Action| nodes.iter().filter(|node| node.action == action).count();
        if self.index.org_units().count() + count(Action::Create) > ORG_UNITS + count(Action::Remove) {
            return Err(Error::LimitExceeded { what: "the number of org units", limit: ORG_UNITS as u64 });
        }
        // The values of users ask for no unit; a filter that narrows them all may.
        let base: Vec<(OrgUnitId, bool)> = outline.filter.iter().flat_map(Checked::org_units).collect();
        let shape = |(at, node): (usize, &Node)| {
            let row = &node.after.row;
            let is_stored = node.before.as_ref().is_some_and(|before| before.row.filter == row.filter);
            let asks = match (is_stored, outline.wanted.get(at).and_then(|wanted| wanted.parent)) {
                (true, _) => self.index.org_unit_filter(row.id).iter().flat_map(|filter| filter.org_units()).collect(),
                (false, None) => base.clone(),
                (false, Some(_)) => Vec::new(),
            };
            OrgUnitShape { id: row.id, parent_id: row.parent_id, scope: row.scope, asks }
        };
        let changes = |node: &Node| matches!(node.action, Action::Create | Action::Update);
        let shapes: Vec<OrgUnitShape> = nodes.iter().enumerate().filter(|(_, node)| changes(node)).map(shape).collect();
        let circle = if shapes.is_empty() { Vec::new() } else { self.index.org_unit_cycle(&shapes) };
        if !circle.is_empty() {
            let path = |id: &OrgUnitId| match nodes.iter().position(|node| node.after.row.id == *id) {
                Some(at) => format!("`{}`", paths[at]),
                None => format!("`{}`", self.index.path(*id)),
            };
            let names: Vec<String> = circle.iter().take(10).map(path).collect();
            let message = format!("the members of {} would depend on themselves", names.join(", "));
            return Err(Error::invalid("filter", "CYCLE", message));
        }
        Ok(())
    }

    fn blocks(&self, nodes: &[Node], paths: &[String]) -> Vec<(usize, Error)> {
        let tree = Tree::new(self.index, nodes);
        let names = tree.names();
        let mut leaning: HashMap<OrgUnitId, Vec<OrgUnitId>> = HashMap::new();
        for unit in self.index.org_units().map(|unit| unit.row.id).filter(|id| !tree.is_gone(*id)) {
            for (asked, _) in self.index.org_unit_filter(unit).iter().flat_map(|filter| filter.org_units()) {
                leaning.entry(asked).or_default().push(unit);
            }
        }
        let block = |(at, node): (usize, &Node)| {
            let (id, row) = (node.after.row.id, &node.after.row);
            let in_use = |by| Error::InUse { noun: OrgUnitId::NOUN, key: paths[at].clone(), by };
            match node.action {
                Action::Create | Action::Update => {
                    let alike = names.get(&(row.parent_id, row.name_key.as_str()));
                    if alike.is_some_and(|units| units.len() > 1) {
                        let hint = ": it is another unit; rename it, or skip this one".to_owned();
                        return Some(Error::AlreadyExists { noun: OrgUnitId::NOUN, key: paths[at].clone(), hint });
                    }
                    let above = tree.upwards(row.parent_id).take(DEPTH + 1).count();
                    if tree.upwards(row.parent_id).take(DEPTH + 1).any(|unit| unit.row.id == id) {
                        return Some(Error::invalid("parentId", "CYCLE", "an org unit cannot stand below itself"));
                    }
                    if row.parent_id.is_none() && row.scope == OrgUnitScope::Parent {
                        let message = "a root has no parent to select among; use ALL";
                        return Some(Error::invalid("scope", "NO_PARENT", message));
                    }
                    (above >= DEPTH).then(too_deep)
                }
                Action::Remove => {
                    if let Some(below) = tree.below(id) {
                        return Some(in_use(format!("the unit below it: `{}`", below.row.name)));
                    }
                    let by: Vec<String> =
                        leaning.get(&id)?.iter().map(|unit| format!("`{}`", self.index.path(*unit))).collect();
                    Some(in_use(format!("the filter of {}", by.join(", "))))
                }
                Action::Keep | Action::Vanished | Action::Skip | Action::Blocked => None,
            }
        };
        nodes.iter().enumerate().filter_map(|(at, node)| Some((at, block((at, node))?))).collect()
    }
}

/// Brings a unit into step where no person has changed it; gives as what it is generated now.
fn follow(unit: &mut OrgUnitRecord, made: &Made, wanted: &Made) -> Made {
    let mut now = made.clone();
    if unit.row.name == made.name {
        now.name.clone_from(&wanted.name);
        unit.row.name.clone_from(&wanted.name);
        unit.row.name_key = fold(&wanted.name);
    }
    if unit.row.parent_id == made.parent_id {
        (now.parent_id, unit.row.parent_id) = (wanted.parent_id, wanted.parent_id);
    }
    if unit.row.scope == made.scope {
        (now.scope, unit.row.scope) = (wanted.scope, wanted.scope);
    }
    if unit.row.filter.as_ref() == Some(&made.filter) {
        now.filter.clone_from(&wanted.filter);
        unit.row.filter = Some(wanted.filter.clone());
    }
    if made.pinned != wanted.pinned {
        now.pinned = wanted.pinned;
        if let Some(old) = made.pinned {
            unit.pinned.remove(&old);
        }
        unit.pinned.extend(wanted.pinned.filter(|user| !unit.excluded.contains(user)));
    }
    now
}

/// The condition that selects a unit's members among those of the unit above.
fn condition(wanted: &Wanted, source: &Source) -> Filter {
    let (key, is) = match (source, &wanted.value) {
        (Source::Supervisor { attribute, user }, _) => (attribute.clone(), Condition::ReportsTo(user.to_global())),
        (Source::Values(values), value) => {
            let spelt = values.last().map(|last| last.value.clone()).unwrap_or_default();
            let is = match value {
                Some((attribute, _)) if attribute.r#type == AttributeType::MultiSelect => {
                    Condition::HasAny(vec![spelt])
                }
                Some((_, Value::Number(number))) => Condition::Equals(Scalar::Number(*number)),
                Some((_, Value::Boolean(truth))) => Condition::Equals(Scalar::Boolean(*truth)),
                _ => Condition::Equals(Scalar::Text(spelt)),
            };
            (values.last().map(|last| last.attribute.clone()).unwrap_or_default(), is)
        }
    };
    Filter::Attribute(AttributeFilter { key, is })
}

fn same(before: &Arc<OrgUnitRecord>, after: &OrgUnitRecord) -> bool {
    Record::OrgUnit(before.as_ref().clone()).same_content(&Record::OrgUnit(after.clone()))
}

/// The places of wanted units, each right after the one above it, siblings by name.
fn in_order(wanted: &[Wanted], nodes: &[Node]) -> Vec<usize> {
    let mut below: HashMap<Option<usize>, Vec<usize>> = HashMap::new();
    for (at, wanted) in wanted.iter().enumerate() {
        below.entry(wanted.parent).or_default().push(at);
    }
    for places in below.values_mut() {
        places.sort_by(|a, b| (&nodes[*b].after.row.name_key, b).cmp(&(&nodes[*a].after.row.name_key, a)));
    }
    let mut order = Vec::with_capacity(wanted.len());
    let mut open = below.remove(&None).unwrap_or_default();
    while let Some(at) = open.pop() {
        order.push(at);
        open.extend(below.remove(&Some(at)).unwrap_or_default());
    }
    order
}

/// A unit as the reviewer sees it.
fn show_unit(node: &Node, path: String) -> Result<GeneratedUnit> {
    let (after, before) = (&node.after, node.before.as_ref());
    let mut changes = Vec::new();
    if let Some(before) = before.filter(|_| node.action == Action::Update) {
        let parts = [
            ("name", before.row.name != after.row.name),
            ("parentId", before.row.parent_id != after.row.parent_id),
            ("scope", before.row.scope != after.row.scope),
            ("filter", before.row.filter != after.row.filter),
            ("pinned", before.pinned != after.pinned),
            ("generatedFrom", before.row.origin != after.row.origin),
        ];
        changes.extend(parts.into_iter().filter(|(_, differs)| *differs).map(|(name, _)| name));
    }
    Ok(GeneratedUnit {
        action: node.action,
        id: after.row.id,
        name: after.row.name.clone(),
        depth: split_path(&path).len(),
        path,
        scope: after.row.scope,
        filter: after.row.filter.clone().map(read_stored).transpose()?,
        count: node.count,
        source: node.source.clone(),
        changes,
        note: node.note.clone(),
    })
}
