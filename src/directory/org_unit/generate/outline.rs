//! The outline of a generation: which units the values of users ask for, before it is known which of them there are.

use std::collections::{HashMap, HashSet};
use std::sync::Arc;

use entity::attribute::{self, AttributeType};
use entity::org_unit::OrgUnitScope;
use entity::{OrgUnitId, UserId};

use super::origin::{Source, SourceValue};
use super::{Basis, Generation, KEYS, UNITS};
use crate::directory::attribute::option_texts;
use crate::directory::error::{Error, Result};
use crate::directory::manager::manager_attribute;
use crate::directory::missing;
use crate::directory::org_unit::{DEPTH, check};
use crate::filter::{Checked, Condition, Filter};
use crate::index::{Index, Members};
use crate::value::{Value, fold, nearest, shorten, show};

/// What a generation asks for.
pub(super) struct Outline {
    /// Units, each after the one above it.
    pub(super) wanted: Vec<Wanted>,
    /// The filter that narrows the users, checked.
    pub(super) filter: Option<Checked>,
    /// How many users are in no unit.
    pub(super) unplaced: u64,
}

/// A unit that the values of users ask for.
pub(super) struct Wanted {
    /// The place of the unit above, where that is one of these.
    pub(super) parent: Option<usize>,
    /// What it is generated from; text is folded.
    pub(super) source: Source,
    /// The value that tells it from its siblings; none by supervisor.
    pub(super) value: Option<(Arc<attribute::Model>, Value)>,
    /// A user whose record says how the value is written; by supervisor the supervisor.
    pub(super) example: UserId,
    /// The supervisor, where that is to be pinned.
    pub(super) pinned: Option<UserId>,
    /// How many users it is for.
    pub(super) count: u64,
}

impl Wanted {
    /// Whether only the records of users say how its value is written.
    pub(super) fn is_spelt_by_users(&self) -> bool {
        let value = self.value.as_ref();
        value.is_some_and(|(attribute, value)| {
            matches!(value, Value::Text(_)) && option_texts(&attribute.options).next().is_none()
        })
    }
}

/// Works out what a generation asks for. Units of `known` sources are asked for however few users they are for.
pub(super) fn outline(index: &Index, generation: &Generation, known: &HashSet<Source>) -> Result<Outline> {
    if let Some(parent) = generation.parent_id {
        index.org_unit(parent).ok_or_else(|| missing(parent))?;
    }
    let filter = generation.filter.as_ref().map(|filter| check(index, filter)).transpose()?;
    if let Some(filter) = &generation.filter {
        // Beside the condition of a unit it must still be within what a filter may be.
        check(index, &Filter::All(vec![filter.clone(), Filter::Email(Condition::IsEmpty(false))]))?;
    }
    let mut universe = match (generation.scope, generation.parent_id) {
        (OrgUnitScope::All, _) => index.everybody(),
        (OrgUnitScope::Parent, Some(parent)) => index.members_of_unit(parent),
        (OrgUnitScope::Parent, None) => {
            return Err(Error::invalid("scope", "NO_PARENT", "a root has no parent to select among; use ALL"));
        }
    };
    if let Some(filter) = &filter {
        universe = universe.intersection(&index.select(filter)).map_err(Error::internal)?;
    }
    let levels = DEPTH - depth(index, generation.parent_id).min(DEPTH);
    let asks =
        |source: &Source, count: u64| count >= if known.contains(source) { 1 } else { generation.min_members.max(1) };
    let (wanted, placed) = match &generation.basis {
        Basis::Values(keys) => {
            let attributes = attributes(index, keys)?;
            if attributes.len() > levels {
                return Err(too_deep());
            }
            by_values(index, &attributes, &universe, asks)?
        }
        Basis::Supervisor { attribute, depth, includes_supervisor } => {
            let attribute = manager_attribute(index, attribute.as_deref(), "bySupervisor.attribute")?;
            let depth = depth.map(|depth| depth as usize);
            let of = Supervised { index, key: &attribute.key, universe: &universe, pins: *includes_supervisor };
            of.units(levels, depth, asks)?
        }
    };
    let unplaced = universe.difference(&placed).map_err(Error::internal)?.len();
    Ok(Outline { wanted, filter, unplaced })
}

/// How many units stand from the root down to one.
fn depth(index: &Index, unit: Option<OrgUnitId>) -> usize {
    unit.map_or(0, |unit| index.org_unit_path(unit).len())
}

pub(super) fn too_deep() -> Error {
    Error::LimitExceeded { what: "the depth of the tree of org units", limit: DEPTH as u64 }
}

fn too_many(count: usize) -> Error {
    let message = format!(
        "there would be at least {count} units, and at most {UNITS} are generated at once; raise `minMembers`, narrow \
         `filter`, or generate fewer levels"
    );
    Error::invalid("minMembers", "LIMIT_EXCEEDED", message)
}

/// The attributes of the levels.
fn attributes(index: &Index, keys: &[String]) -> Result<Vec<Arc<attribute::Model>>> {
    if keys.is_empty() {
        return Err(Error::invalid("by", "REQUIRED", "give the key of an attribute for each level"));
    }
    if keys.len() > KEYS {
        let message = format!("there are at most {KEYS} levels, not {}", keys.len());
        return Err(Error::invalid("by", "LIMIT_EXCEEDED", message));
    }
    let mut found: Vec<Arc<attribute::Model>> = Vec::with_capacity(keys.len());
    for (at, key) in keys.iter().enumerate() {
        let refuse = |code, message| Err(Error::invalid(format!("by[{at}]"), code, message));
        let custom = || index.attributes().iter().filter(|attribute| !attribute.is_built_in);
        let Some(attribute) = custom().find(|attribute| attribute.key == fold(key)) else {
            let near = nearest(key, custom().map(|attribute| attribute.key.as_str()));
            let hint = near.map(|near| format!("; did you mean `{near}`?")).unwrap_or_default();
            let message = format!("there is no custom attribute `{}`{hint}", shorten(key));
            return refuse("UNKNOWN_ATTRIBUTE", message);
        };
        if attribute.r#type == AttributeType::User {
            let message = format!("`{}` names users; generate units by it with `bySupervisor`", attribute.key);
            return refuse("WRONG_TYPE", message);
        }
        if found.contains(attribute) {
            return refuse("DUPLICATE", format!("`{}` is given twice", attribute.key));
        }
        found.push(attribute.clone());
    }
    Ok(found)
}

/// A unit for each value, and within it one for each value of the next attribute; and who is in one of them.
fn by_values(
    index: &Index,
    attributes: &[Arc<attribute::Model>],
    universe: &Members,
    asks: impl Fn(&Source, u64) -> bool,
) -> Result<(Vec<Wanted>, Members)> {
    let mut wanted: Vec<Wanted> = Vec::new();
    let mut placed = index.these(&[]);
    let mut level: Vec<(Option<usize>, Vec<SourceValue>, Members)> = vec![(None, Vec::new(), universe.clone())];
    for attribute in attributes {
        let of_one = match attribute.r#type {
            AttributeType::MultiSelect => AttributeType::Select,
            other => other,
        };
        let mut next = Vec::new();
        for (parent, values, members) in level {
            for group in index.groups(&members, &attribute.key).map_err(Error::internal)? {
                let Some(value) = Value::from_stored(of_one, &group.value) else { continue };
                let mut values = values.clone();
                values.push(SourceValue { attribute: attribute.key.clone(), value: fold(&show(&value, |_| None)) });
                let source = Source::Values(values.clone());
                let count = group.members.len();
                if !asks(&source, count) {
                    continue;
                }
                if parent.is_none() {
                    placed = placed.union(&group.members).map_err(Error::internal)?;
                }
                next.push((Some(wanted.len()), values, group.members));
                let value = Some((attribute.clone(), value));
                wanted.push(Wanted { parent, source, value, example: group.example, pinned: None, count });
            }
            if wanted.len() > UNITS {
                return Err(too_many(wanted.len()));
            }
        }
        level = next;
    }
    Ok((wanted, placed))
}

/// Users by those whom they report to.
struct Supervised<'a> {
    index: &'a Index,
    key: &'a str,
    universe: &'a Members,
    pins: bool,
}

impl Supervised<'_> {
    /// A unit for each who has reports among the users, below that of whom they report to; and who is in one of them.
    fn units(
        &self,
        levels: usize,
        depth: Option<usize>,
        asks: impl Fn(&Source, u64) -> bool,
    ) -> Result<(Vec<Wanted>, Members)> {
        let mut wanted: Vec<Wanted> = Vec::new();
        let mut placed = self.index.these(&[]);
        // By supervisor the nearest unit upwards, and how deep it is.
        let mut nearest: HashMap<UserId, (Option<usize>, usize)> = HashMap::new();
        for (user, above) in self.index.managers(self.key, depth.unwrap_or(levels + 1)) {
            let (parent, depth) = above.and_then(|above| nearest.get(&above).copied()).unwrap_or_default();
            let source = Source::Supervisor { attribute: self.key.to_owned(), user };
            let reports = self.index.reports_of(self.key, user, None);
            let mut members = reports.intersection(self.universe).map_err(Error::internal)?;
            if !asks(&source, members.len()) {
                nearest.insert(user, (parent, depth));
                continue;
            }
            if depth >= levels {
                return Err(too_deep());
            }
            let own = self.index.these(&[user]).intersection(self.universe).map_err(Error::internal)?;
            let pinned = (self.pins && !own.is_empty()).then_some(user);
            if pinned.is_some() {
                members = members.union(&own).map_err(Error::internal)?;
            }
            if parent.is_none() {
                placed = placed.union(&members).map_err(Error::internal)?;
            }
            nearest.insert(user, (Some(wanted.len()), depth + 1));
            wanted.push(Wanted { parent, source, value: None, example: user, pinned, count: members.len() });
            if wanted.len() > UNITS {
                return Err(too_many(wanted.len()));
            }
        }
        Ok((wanted, placed))
    }
}
