//! Attributes, integrations and org units: which there will be after the undo, and whether the directory takes them.

use std::collections::{HashMap, HashSet};
use std::sync::Arc;

use entity::{IntegrationId, OrgUnitId, UserId, attribute, integration};

use super::Undo;
use super::plan::{Block, Plan, blocking, few};
use crate::directory::attribute::{ATTRIBUTES, check_tightening, find_circles, heading_is_free_among};
use crate::directory::changeset::Changeset;
use crate::directory::error::{Error, Result};
use crate::directory::org_unit::{ORG_UNITS, Tree};
use crate::filter::{Catalogue, Filter, check};
use crate::index::Index;
use crate::record::{OrgUnitRecord, Record, RecordId};
use crate::value::GlobalId;

/// The attributes, integrations and org units that there will be.
#[derive(Default)]
pub(super) struct World {
    /// All attributes, in their order.
    pub(super) attributes: Vec<Arc<attribute::Model>>,
    /// All integrations.
    pub(super) integrations: Vec<Arc<integration::Model>>,
    /// What stands in place of stored org units; none for one that is gone.
    units: HashMap<OrgUnitId, Option<OrgUnitRecord>>,
    /// What becomes of the records of all three nouns that go back.
    pub(super) plans: Vec<Plan>,
}

impl World {
    fn new(index: &Index, plans: Vec<Plan>) -> Self {
        let mut world = Self {
            attributes: index.attributes().to_vec(),
            integrations: index.integrations(),
            units: HashMap::new(),
            plans: Vec::new(),
        };
        for plan in &plans {
            match plan.id {
                RecordId::Attribute(id) => world.attributes.retain(|row| row.id != id),
                RecordId::Integration(id) => world.integrations.retain(|row| row.id != id),
                RecordId::OrgUnit(id) => {
                    world.units.insert(id, None);
                }
                RecordId::User(_) | RecordId::IntegrationAccount(_) | RecordId::AssociationRules(_) => {}
            }
            match &plan.then {
                Some(Record::Attribute(row)) => world.attributes.push(Arc::new(row.clone())),
                Some(Record::Integration(row)) => world.integrations.push(Arc::new(row.clone())),
                Some(Record::OrgUnit(unit)) => {
                    world.units.insert(unit.row.id, Some(unit.clone()));
                }
                _ => {}
            }
        }
        // One that comes back takes its old place, before the one that has it now.
        world.attributes.sort_by_key(|row| (row.position, index.attributes().iter().any(|known| known.id == row.id)));
        for (position, row) in (0..).zip(&mut world.attributes) {
            if row.position != position {
                Arc::make_mut(row).position = position;
            }
        }
        world.plans = plans;
        world
    }

    /// The attribute of a key.
    pub(super) fn attribute(&self, key: &str) -> Option<&Arc<attribute::Model>> {
        self.attributes.iter().find(|attribute| attribute.key == key)
    }

    pub(super) fn has_integration(&self, id: IntegrationId) -> bool {
        self.integrations.iter().any(|integration| integration.id == id)
    }

    /// The org unit that there will be.
    pub(super) fn unit<'a>(&'a self, index: &'a Index, id: OrgUnitId) -> Option<&'a OrgUnitRecord> {
        match self.units.get(&id) {
            Some(unit) => unit.as_ref(),
            None => index.org_unit(id).map(Arc::as_ref),
        }
    }

    /// What blocks a record that the filters of `units` ask about, if they stay as they are.
    pub(super) fn named_by(&self, index: &Index, mut units: Vec<OrgUnitId>) -> Option<Block> {
        let filter = |unit: Option<&OrgUnitRecord>| unit.and_then(|unit| unit.row.filter.clone());
        units.retain(|id| filter(self.unit(index, *id)) == filter(index.org_unit(*id).map(Arc::as_ref)));
        let by = units.iter().filter_map(|unit| index.org_unit(*unit)).map(|unit| unit.row.version).max()?;
        let names: Vec<String> = units.iter().map(|unit| format!("`{}`", index.path(*unit))).collect();
        Some(Block::new("IN_USE", format!("it is used by the filter of {}", names.join(", ")), Some(by)))
    }

    fn check_attribute(&self, index: &Index, plan: &Plan) -> Result<Option<Block>> {
        let (now, then) = match (&plan.now, &plan.then) {
            (Some(Record::Attribute(now)), None) => {
                return Ok(self.named_by(index, index.org_units_naming_attribute(&now.key)));
            }
            (None, Some(Record::Attribute(then))) => (None, then),
            (Some(Record::Attribute(now)), Some(Record::Attribute(then))) => (Some(now), then),
            _ => return Ok(None),
        };
        if now.is_none() && self.attributes.len() > ATTRIBUTES {
            let error = Error::LimitExceeded { what: "the number of attributes", limit: ATTRIBUTES as u64 };
            return blocking(Err(error));
        }
        let others = || self.attributes.iter().filter(|row| row.id != then.id);
        blocking(match now {
            None => [&then.key, &then.title]
                .into_iter()
                .try_for_each(|heading| heading_is_free_among(others(), &self.integrations, heading)),
            Some(now) => {
                // Who has no value of one that becomes required is looked at when all users have been.
                let then_filled = attribute::Model { is_required: false, ..then.clone() };
                heading_is_free_among(others(), &self.integrations, &then.title)
                    .and_then(|()| check_tightening(index, now, &then_filled))
            }
        })
    }

    fn check_integration(&self, index: &Index, plan: &Plan) -> Result<Option<Block>> {
        match (&plan.now, &plan.then) {
            (Some(Record::Integration(now)), None) => {
                Ok(self.named_by(index, index.org_units_naming_integration(now.id)))
            }
            (_, Some(Record::Integration(then))) => {
                let others = self.integrations.iter().filter(|row| row.id != then.id);
                blocking(heading_is_free_among(&self.attributes, others, &then.name))
            }
            _ => Ok(None),
        }
    }

    /// `naming` has the units whose filters ask about each unit.
    fn check_unit(
        &self,
        index: &Index,
        tree: &Tree<'_>,
        naming: &HashMap<OrgUnitId, Vec<OrgUnitId>>,
        id: OrgUnitId,
    ) -> Result<Option<Block>> {
        if let Some(unit) = self.unit(index, id) {
            let is_new = index.org_unit(id).is_none();
            if is_new && index.org_units().len() >= ORG_UNITS {
                let error = Error::LimitExceeded { what: "the number of org units", limit: ORG_UNITS as u64 };
                return blocking(Err(error));
            }
            return blocking(tree.check(unit));
        }
        let below = tree.children(Some(id)).map(|unit| unit.row.version).max();
        if let Some(by) = below {
            return Ok(Some(Block::new("IN_USE", "units stand below it", Some(by))));
        }
        Ok(self.named_by(index, naming.get(&id).cloned().unwrap_or_default()))
    }
}

impl Undo {
    /// Works out the attributes, integrations and org units that there will be, and checks those that go back, until no
    /// more are blocked.
    pub(super) fn check_few(&mut self, index: &Index) -> Result<()> {
        loop {
            let blocked = self.blocks.ids.len();
            let mut plans = Vec::with_capacity(self.few.len());
            for logged in &self.few {
                if self.blocks.has(logged.id) {
                    continue;
                }
                let now = few(index, logged.id);
                match self.plan_one(index, logged, now)? {
                    Ok(plan) => plans.push(plan),
                    Err((label, block)) => self.blocks.add(logged.id, label, block),
                }
            }
            self.world = World::new(index, plans);
            for (id, label, block) in self.blocked_of_few(index)? {
                self.blocks.add(id, label, block);
            }
            if self.blocks.ids.len() == blocked {
                return Ok(());
            }
        }
    }

    fn blocked_of_few(&self, index: &Index) -> Result<Vec<(RecordId, String, Block)>> {
        let world = &self.world;
        let catalogue = Catalogue {
            attributes: &world.attributes,
            integrations: &world.integrations,
            has_org_unit: &|id| world.unit(index, id).is_some(),
            find_user: &|reference| match UserId::parse(reference) {
                Ok(id) => Some(id).filter(|id| self.has_user(index, *id)),
                Err(_) => index.find_user(reference),
            },
            today: index.today(),
        };
        let check = |_: &Index, filter: &Filter| check(filter, &catalogue).map_err(Error::Invalid);
        let place = |unit: &OrgUnitRecord| {
            let row = &unit.row;
            (row.parent_id, row.name_key.clone(), row.scope, row.filter.clone())
        };
        // Pins have no place in the tree, and many units may have lost some at once.
        let mut moved = world.units.clone();
        moved.retain(|id, unit| unit.as_ref().map(place) != index.org_unit(*id).map(|unit| place(unit)));
        let tree = Tree::with(index, moved.clone(), &check);
        let mut naming: HashMap<OrgUnitId, Vec<OrgUnitId>> = HashMap::new();
        let mut units: Vec<OrgUnitId> = index.org_units().map(|unit| unit.row.id).collect();
        units.sort_unstable();
        for unit in units {
            for (named, _) in index.org_unit_filter(unit).into_iter().flat_map(|filter| filter.org_units()) {
                naming.entry(named).or_default().push(unit);
            }
        }
        let mut blocked = Vec::new();
        for plan in world.plans.iter().filter(|plan| plan.is_change()) {
            let block = match plan.id {
                RecordId::OrgUnit(id) if moved.contains_key(&id) => world.check_unit(index, &tree, &naming, id)?,
                RecordId::Attribute(_) => world.check_attribute(index, plan)?,
                RecordId::Integration(_) => world.check_integration(index, plan)?,
                RecordId::OrgUnit(_)
                | RecordId::User(_)
                | RecordId::IntegrationAccount(_)
                | RecordId::AssociationRules(_) => None,
            };
            blocked.extend(block.map(|block| (plan.id, plan.label().to_owned(), block)));
        }
        Ok(blocked)
    }

    /// Whether a user who is known to a person will have no value of an attribute that becomes required, and had one
    /// before the changeset, or was not there. Those who had none are as they were.
    async fn has_newly_missing(&self, changeset: &Changeset, attribute: &attribute::Model) -> Result<bool> {
        let missing: Vec<UserId> = {
            let index = changeset.directory().index();
            let with_value: HashSet<UserId> = index.users_with(&attribute.key).into_iter().collect();
            let filled = self.tally.filled.get(&attribute.key);
            let has = |user: &UserId| with_value.contains(user) || filled.is_some_and(|filled| filled.contains(user));
            index.user_ids().filter(|user| !has(user)).collect()
        };
        for some in missing.chunks(1_000) {
            let users = changeset.users(some).await?;
            let known = users.values().filter(|user| !user.row.is_automatic);
            let ids: Vec<RecordId> = known.map(|user| RecordId::User(user.row.id)).collect();
            let before = self.states_before(changeset, &ids).await?;
            let had_none = |id| match before.get(id) {
                Some(Record::User(user)) => user.row.attributes.get(&attribute.key).is_none(),
                _ => false,
            };
            if !ids.iter().all(had_none) {
                return Ok(true);
            }
        }
        Ok(false)
    }

    /// Checks what can only be said when all records have been looked at.
    pub(super) async fn check_totals(&mut self, changeset: &Changeset) -> Result<()> {
        let directory = changeset.directory();
        let mut integrations = Vec::new();
        let mut blocked = Vec::new();
        {
            let index = directory.index();
            let counted = |counts: &HashMap<String, u64>, key: &str| counts.get(key).copied().unwrap_or_default();
            for plan in &self.world.plans {
                let block = match (&plan.now, &plan.then) {
                    (Some(Record::Attribute(now)), None) => {
                        let left = index.users_with(&now.key).len() as u64 - counted(&self.tally.released, &now.key);
                        (left > 0).then(|| Block::new("IN_USE", format!("users who have a value: {left}"), None))
                    }
                    (Some(Record::Integration(now)), None) => {
                        integrations.push(now.id);
                        None
                    }
                    _ => None,
                };
                blocked.extend(block.map(|block| (plan.id, plan.label().to_owned(), block)));
            }
            for (key, changed) in &self.tally.references {
                let label = |user: UserId| index.email_of(user).map_or_else(|| user.to_global(), str::to_owned);
                for circle in find_circles(&index, key, changed.keys().copied(), |user| changed.get(&user).copied()) {
                    let message = circle.message(key, label);
                    for user in circle.users().filter(|user| changed.contains_key(user)) {
                        let block = Block::new("CYCLE", message.clone(), None);
                        blocked.push((RecordId::User(user), label(user), block));
                    }
                }
            }
        }
        for plan in &self.world.plans {
            if let Some(row) = plan.becomes_required()
                && self.has_newly_missing(changeset, row).await?
            {
                let message = "it was required, and users have been made without a value since, or have lost it";
                blocked.push((plan.id, plan.label().to_owned(), Block::new("VALUES_MISSING", message, None)));
            }
        }
        let counts = directory.account_counts(&integrations).await?;
        for plan in &self.world.plans {
            let RecordId::Integration(id) = plan.id else { continue };
            let gone = self.tally.accounts_gone.get(&id).copied().unwrap_or_default();
            let left = counts.get(&id).copied().unwrap_or_default().saturating_sub(gone);
            if left > 0 {
                blocked.push((
                    plan.id,
                    plan.label().to_owned(),
                    Block::new("IN_USE", format!("accounts that belong to it: {left}"), None),
                ));
            }
        }
        for (id, label, block) in blocked {
            self.blocks.add(id, label, block);
        }
        Ok(())
    }
}
