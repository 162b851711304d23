//! Org units: a tree whose nodes select users by a filter, with pinned and excluded users.

use std::cell::OnceCell;
use std::collections::{BTreeSet, HashMap};
use std::sync::Arc;

use entity::changeset::ChangesetKind;
use entity::org_unit::{self, OrgUnitScope};
use entity::{OrgUnitId, UserId, org_unit_pin};
use sea_orm::{ConnectionTrait, EntityTrait, QueryOrder};

use super::attribute::{LONGEST_DESCRIPTION, LONGEST_TITLE, check_text};
use super::error::{Error, Result};
use super::user::refuse;
use super::{Actor, Directory, expect_version, missing};
use crate::filter::{self, Checked, Filter, Stored};
use crate::index::{Index, Members, OrgUnitShape};
use crate::record::{OrgUnitRecord, Record};
use crate::value::{GlobalId, fold};

pub mod generate;

/// The most org units.
pub(super) const ORG_UNITS: usize = 20_000;
/// The deepest nesting of org units.
pub(super) const DEPTH: usize = 32;

/// An org unit to be made.
#[derive(Clone, Debug)]
pub struct NewOrgUnit {
    /// The unit above; none for a root.
    pub parent_id: Option<OrgUnitId>,
    /// Its name, unique among its siblings.
    pub name: String,
    /// What it is for.
    pub description: String,
    /// Among whom its filter selects.
    pub scope: OrgUnitScope,
    /// Its filter; none selects nobody.
    pub filter: Option<Filter>,
    /// Members whatever the filter says.
    pub pinned: BTreeSet<UserId>,
    /// Never members.
    pub excluded: BTreeSet<UserId>,
}

/// What is to change of an org unit; what is `None` stays.
#[derive(Clone, Debug, Default)]
pub struct OrgUnitChange {
    /// The version that the client read.
    pub expected_version: Option<i64>,
    /// Its name.
    pub name: Option<String>,
    /// What it is for.
    pub description: Option<String>,
    /// Among whom its filter selects.
    pub scope: Option<OrgUnitScope>,
    /// Its filter; `Some(None)` takes it away.
    pub filter: Option<Option<Filter>>,
    /// All pinned users.
    pub pinned: Option<BTreeSet<UserId>>,
    /// All excluded users.
    pub excluded: Option<BTreeSet<UserId>>,
}

impl Directory {
    /// Makes an org unit.
    ///
    /// # Errors
    /// `NotFound` for the parent or a pinned user; `Invalid` for the filter; `AlreadyExists` for the name.
    pub async fn create_org_unit(&self, actor: &Actor, new: NewOrgUnit) -> Result<OrgUnitId> {
        let mut changeset = self.begin(ChangesetKind::OrgUnit, actor).await?;
        let id: OrgUnitId = self.clock().id();
        let record = {
            let index = self.index();
            if index.org_units().len() >= ORG_UNITS {
                return Err(Error::LimitExceeded { what: "the number of org units", limit: ORG_UNITS as u64 });
            }
            let mut violations = Vec::new();
            let name = check_name(&new.name, &mut violations);
            let description = check_text(&new.description, "description", 0, LONGEST_DESCRIPTION, &mut violations);
            refuse(violations)?;
            let record = OrgUnitRecord {
                row: org_unit::Model {
                    id,
                    parent_id: new.parent_id,
                    name_key: fold(&name),
                    name,
                    description,
                    scope: new.scope,
                    filter: store(&index, new.filter)?,
                    origin: None,
                    version: changeset.number(),
                    created_at: changeset.now(),
                    updated_at: changeset.now(),
                },
                pinned: index.current_users(new.pinned),
                excluded: index.current_users(new.excluded),
            };
            check_place(&index, &record)?;
            record
        };
        changeset.put(None, Some(Record::OrgUnit(record)));
        changeset.commit().await?;
        Ok(id)
    }

    /// Changes an org unit where it stands.
    ///
    /// # Errors
    /// As [`Directory::create_org_unit`], and `Conflict`.
    pub async fn update_org_unit(&self, actor: &Actor, id: OrgUnitId, change: OrgUnitChange) -> Result<()> {
        let mut changeset = self.begin(ChangesetKind::OrgUnit, actor).await?;
        let (before, after) = {
            // What it has by now stands, whoever sees it.
            let (seen, whole) = (self.snapshot(), self.whole());
            let index = whole.index();
            let before = index.org_unit(id).ok_or_else(|| missing(id))?.as_ref().clone();
            expect_version(id, change.expected_version, before.row.version)?;
            let mut after = before.clone();
            let mut violations = Vec::new();
            if let Some(name) = &change.name {
                after.row.name = check_name(name, &mut violations);
                after.row.name_key = fold(&after.row.name);
            }
            if let Some(description) = &change.description {
                after.row.description = check_text(description, "description", 0, LONGEST_DESCRIPTION, &mut violations);
            }
            refuse(violations)?;
            if let Some(filter) = change.filter {
                after.row.filter = store(&seen, filter)?;
            }
            after.row.scope = change.scope.unwrap_or(after.row.scope);
            after.pinned = change.pinned.map_or(after.pinned, |users| index.current_users(users));
            after.excluded = change.excluded.map_or(after.excluded, |users| index.current_users(users));
            check_place(&index, &after)?;
            (before, after)
        };
        changeset.put(Some(Record::OrgUnit(before)), Some(Record::OrgUnit(after)));
        changeset.commit().await?;
        Ok(())
    }

    /// Moves an org unit, with everything below it, under another parent or to the root.
    ///
    /// # Errors
    /// `NotFound`; `Conflict`; `AlreadyExists` where a new sibling has its name; `Invalid` where it would come to
    /// stand below itself, or its members to depend on themselves.
    pub async fn move_org_unit(
        &self,
        actor: &Actor,
        id: OrgUnitId,
        parent_id: Option<OrgUnitId>,
        expected_version: Option<i64>,
    ) -> Result<()> {
        let mut changeset = self.begin(ChangesetKind::OrgUnit, actor).await?;
        let whole = self.whole();
        let (before, after) = {
            let index = whole.index();
            let before = index.org_unit(id).ok_or_else(|| missing(id))?.as_ref().clone();
            expect_version(id, expected_version, before.row.version)?;
            let mut after = before.clone();
            after.row.parent_id = parent_id;
            check_place(&index, &after)?;
            (before, after)
        };
        changeset.put(Some(Record::OrgUnit(before)), Some(Record::OrgUnit(after)));
        changeset.commit().await?;
        Ok(())
    }

    /// Deletes an org unit that has nothing below it.
    ///
    /// # Errors
    /// `NotFound`; `Conflict`; `InUse` where units stand below it or filters name it.
    pub async fn delete_org_unit(&self, actor: &Actor, id: OrgUnitId, expected_version: Option<i64>) -> Result<()> {
        let mut changeset = self.begin(ChangesetKind::OrgUnit, actor).await?;
        let before = {
            let index = self.index();
            let before = index.org_unit(id).ok_or_else(|| missing(id))?.as_ref().clone();
            expect_version(id, expected_version, before.row.version)?;
            let below = index.org_unit_children(Some(id));
            let naming = index.org_units_naming_unit(id);
            let names = |units: &[OrgUnitId]| {
                units.iter().map(|unit| format!("`{}`", index.path(*unit))).collect::<Vec<_>>().join(", ")
            };
            let by = match (below.is_empty(), naming.is_empty()) {
                (true, true) => None,
                (false, _) => Some(format!("the units below it: {}", names(below))),
                (true, false) => Some(format!("the filter of {}", names(&naming))),
            };
            if let Some(by) = by {
                return Err(Error::InUse { noun: OrgUnitId::NOUN, key: index.path(id), by });
            }
            before
        };
        changeset.put(Some(Record::OrgUnit(before)), None);
        changeset.commit().await?;
        Ok(())
    }

    /// The members of an org unit.
    ///
    /// # Errors
    /// `NotFound`.
    pub fn members(&self, id: OrgUnitId) -> Result<Members> {
        members(&self.index(), id)
    }

    /// The users that a filter selects; without one, everybody.
    ///
    /// # Errors
    /// `Invalid`, with every violation of the filter.
    pub fn select(&self, filter: Option<&Filter>) -> Result<Members> {
        select(&self.index(), filter)
    }
}

/// The members of an org unit by an index, of which more is asked than them.
pub(crate) fn members(index: &Index, id: OrgUnitId) -> Result<Members> {
    index.org_unit(id).ok_or_else(|| missing(id))?;
    Ok(index.members_of_unit(id))
}

/// The users that a filter selects by an index, of which more is asked than them; without a filter, everybody.
pub(crate) fn select(index: &Index, filter: Option<&Filter>) -> Result<Members> {
    match filter {
        None => Ok(index.everybody()),
        Some(filter) => Ok(index.select(&check(index, filter)?)),
    }
}

pub(super) fn check(index: &Index, filter: &Filter) -> Result<Checked> {
    index.check(filter).map_err(Error::Invalid)
}

/// A filter in the form it is stored, checked, its references by id.
fn store(index: &Index, filter: Option<Filter>) -> Result<Option<serde_json::Value>> {
    let Some(filter) = filter else { return Ok(None) };
    check(index, &filter)?;
    let stored = Stored { v: 1, filter: index.normalise(filter) };
    serde_json::to_value(stored).map(Some).map_err(Error::internal)
}

/// Reads a filter in the form it is stored.
pub(crate) fn read_stored(stored: serde_json::Value) -> Result<Filter> {
    serde_json::from_value::<Stored>(stored).map(|stored| stored.filter).map_err(Error::internal)
}

pub(super) fn check_name(name: &str, violations: &mut Vec<filter::Violation>) -> String {
    check_text(name, "name", 1, LONGEST_TITLE, violations)
}

/// Refuses a unit that the tree has no place for.
fn check_place(index: &Index, unit: &OrgUnitRecord) -> Result<()> {
    check_pins(index, &unit.pinned, &unit.excluded)?;
    Tree::stored(index).check(unit)
}

/// The org units as they are stored, or would be with some of them changed.
pub(super) struct Tree<'a> {
    index: &'a Index,
    /// What stands in place of stored units; none for one that is gone.
    changed: HashMap<OrgUnitId, Option<OrgUnitRecord>>,
    /// The changed units below each one, or the roots among them.
    below: HashMap<Option<OrgUnitId>, Vec<OrgUnitId>>,
    /// The units of one circle that the changed units make, once it was looked for.
    circle: OnceCell<Vec<OrgUnitId>>,
    check: &'a dyn Fn(&Index, &Filter) -> Result<Checked>,
}

impl<'a> Tree<'a> {
    /// The units as they are stored.
    pub(super) fn stored(index: &'a Index) -> Self {
        Self::with(index, HashMap::new(), &check)
    }

    /// The units with others in place of some, and with filters that `check` finds right.
    pub(super) fn with(
        index: &'a Index,
        changed: HashMap<OrgUnitId, Option<OrgUnitRecord>>,
        check: &'a dyn Fn(&Index, &Filter) -> Result<Checked>,
    ) -> Self {
        let mut below: HashMap<_, Vec<_>> = HashMap::new();
        for unit in changed.values().flatten() {
            below.entry(unit.row.parent_id).or_default().push(unit.row.id);
        }
        Self { index, changed, below, circle: OnceCell::new(), check }
    }

    fn unit(&self, id: OrgUnitId) -> Option<&OrgUnitRecord> {
        match self.changed.get(&id) {
            Some(changed) => changed.as_ref(),
            None => self.index.org_unit(id).map(Arc::as_ref),
        }
    }

    /// The units right below one, or the roots.
    pub(super) fn children(&self, parent: Option<OrgUnitId>) -> impl Iterator<Item = &OrgUnitRecord> {
        let stored = self.index.org_unit_children(parent).iter().filter(|id| !self.changed.contains_key(id));
        let changed = self.below.get(&parent).into_iter().flatten();
        stored.chain(changed).filter_map(|id| self.unit(*id))
    }

    /// How many levels stand below a unit; of more than `most` no further ones are counted.
    fn levels_below(&self, id: OrgUnitId, most: usize) -> usize {
        let mut level = vec![id];
        for levels in 0..=most {
            level = level.iter().flat_map(|id| self.children(Some(*id))).map(|unit| unit.row.id).collect();
            if level.is_empty() {
                return levels;
            }
        }
        most + 1
    }

    /// Refuses a unit that the tree has no place for, whoever is pinned to it.
    pub(super) fn check(&self, unit: &OrgUnitRecord) -> Result<()> {
        let parent = unit.row.parent_id;
        let is_same =
            |sibling: &&OrgUnitRecord| sibling.row.id != unit.row.id && sibling.row.name_key == unit.row.name_key;
        if let Some(sibling) = self.children(parent).find(is_same) {
            return Err(Error::AlreadyExists {
                noun: OrgUnitId::NOUN,
                key: self.index.path(sibling.row.id),
                hint: ": names are unique among siblings".into(),
            });
        }
        let filter = self.filter(unit)?;
        self.check_ties(unit.row.id, parent, unit.row.scope, filter.as_ref())
    }

    fn filter(&self, unit: &OrgUnitRecord) -> Result<Option<Checked>> {
        let stored = unit.row.filter.clone().map(read_stored).transpose()?;
        stored.map(|filter| (self.check)(self.index, &filter)).transpose()
    }

    /// Refuses a unit below itself, one by which the tree would be too deep, and one whose members would depend on
    /// themselves.
    pub(super) fn check_ties(
        &self,
        id: OrgUnitId,
        parent_id: Option<OrgUnitId>,
        scope: OrgUnitScope,
        filter: Option<&Checked>,
    ) -> Result<()> {
        let mut above = parent_id;
        let mut depth = 0;
        while let Some(unit) = above {
            if unit == id {
                return Err(Error::invalid("parentId", "CYCLE", "an org unit cannot stand below itself"));
            }
            depth += 1;
            if depth >= DEPTH {
                return Err(too_deep());
            }
            above = self.unit(unit).ok_or_else(|| missing(unit))?.row.parent_id;
        }
        let room = DEPTH - depth - 1;
        if self.levels_below(id, room) > room {
            return Err(too_deep());
        }
        if parent_id.is_none() && scope == OrgUnitScope::Parent {
            return Err(Error::invalid("scope", "NO_PARENT", "a root has no parent to select among; use ALL"));
        }
        let one;
        let circle = if self.changed.contains_key(&id) {
            self.circle.get_or_init(|| self.find_circle())
        } else {
            let asks = filter.iter().flat_map(|filter| filter.org_units()).collect();
            one = self.index.org_unit_cycle(&[OrgUnitShape { id, parent_id, scope, asks }]);
            &one
        };
        if !circle.is_empty() {
            let names: Vec<String> = circle.iter().map(|unit| format!("`{}`", self.index.path(*unit))).collect();
            return Err(Error::invalid(
                "filter",
                "CYCLE",
                format!("the members of {} would depend on themselves", names.join(", ")),
            ));
        }
        Ok(())
    }

    /// The units of one circle that the changed units would make; one that is gone leans on none.
    fn find_circle(&self) -> Vec<OrgUnitId> {
        let shape = |(id, unit): (&OrgUnitId, &Option<OrgUnitRecord>)| {
            let row = unit.as_ref().map(|unit| &unit.row);
            let filter = unit.as_ref().and_then(|unit| self.filter(unit).ok().flatten());
            OrgUnitShape {
                id: *id,
                parent_id: row.and_then(|row| row.parent_id),
                scope: row.map_or(OrgUnitScope::All, |row| row.scope),
                asks: filter.iter().flat_map(Checked::org_units).collect(),
            }
        };
        self.index.org_unit_cycle(&self.changed.iter().map(shape).collect::<Vec<_>>())
    }
}

fn too_deep() -> Error {
    Error::LimitExceeded { what: "the depth of the tree of org units", limit: DEPTH as u64 }
}

pub(super) fn check_pins(index: &Index, pinned: &BTreeSet<UserId>, excluded: &BTreeSet<UserId>) -> Result<()> {
    check_users(index, pinned, "pinned")?;
    check_users(index, excluded, "excluded")?;
    match pinned.intersection(excluded).next() {
        None => Ok(()),
        Some(both) => {
            let message = format!("{} cannot be pinned and excluded", both.to_global());
            Err(Error::invalid("excluded", "CONTRADICTION", message))
        }
    }
}

fn check_users(index: &Index, users: &BTreeSet<UserId>, path: &str) -> Result<()> {
    match users.iter().find(|user| !index.has_user(**user)) {
        None => Ok(()),
        Some(user) => Err(Error::invalid(path, "UNKNOWN_USER", format!("there is no user {}", user.to_global()))),
    }
}

/// All org units with their pins.
pub(super) async fn load_all(connection: &impl ConnectionTrait) -> Result<Vec<OrgUnitRecord>> {
    let rows = org_unit::Entity::find().order_by_asc(org_unit::Column::Id).all(connection).await?;
    let mut units: std::collections::BTreeMap<OrgUnitId, OrgUnitRecord> = rows
        .into_iter()
        .map(|row| (row.id, OrgUnitRecord { row, pinned: BTreeSet::new(), excluded: BTreeSet::new() }))
        .collect();
    for pin in org_unit_pin::Entity::find().all(connection).await? {
        if let Some(unit) = units.get_mut(&pin.org_unit_id) {
            if pin.is_member {
                unit.pinned.insert(pin.user_id)
            } else {
                unit.excluded.insert(pin.user_id)
            };
        }
    }
    Ok(units.into_values().collect())
}
