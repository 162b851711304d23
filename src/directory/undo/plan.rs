//! What one record is, and what it goes back to.

use std::collections::HashMap;

use entity::{IntegrationAccountId, UserId, attribute};

use super::Undo;
use super::log::Logged;
use super::merge::{Changed, merge};
use crate::directory::changeset::{Changeset, as_user};
use crate::directory::error::{Error, Result};
use crate::directory::fetch;
use crate::index::Index;
use crate::record::{Record, RecordId, UserRecord};
use crate::value::{DateFormat, Value, parse, show};

/// The code of a block by whoever has deleted the record.
pub(super) const DELETED: &str = "DELETED_SINCE";

/// A record as it is and as it goes back.
pub(super) struct Plan {
    pub(super) id: RecordId,
    pub(super) now: Option<Record>,
    pub(super) then: Option<Record>,
    /// Values that are left out.
    pub(super) dropped_values: u64,
}

/// What stands in the way of a record.
pub(super) struct Block {
    pub(super) code: &'static str,
    pub(super) message: String,
    pub(super) by: Option<i64>,
}

impl Block {
    pub(super) fn new(code: &'static str, message: impl Into<String>, by: Option<i64>) -> Self {
        Self { code, message: message.into(), by }
    }
}

/// What a check says, as a block.
///
/// # Errors
/// Those that are no saying of the check's.
pub(super) fn blocking(checked: Result<()>) -> Result<Option<Block>> {
    match checked {
        Ok(()) => Ok(None),
        Err(error @ (Error::Internal(_) | Error::Unavailable(_) | Error::DiskFull(_))) => Err(error),
        Err(Error::Invalid(violations)) if !violations.is_empty() => {
            Ok(violations.into_iter().next().map(|first| Block::new(first.code, first.message, None)))
        }
        Err(error) => Ok(Some(Block::new(error.code(), error.to_string(), None))),
    }
}

impl Plan {
    /// Whether the record changes at all.
    pub(super) fn is_change(&self) -> bool {
        match (&self.now, &self.then) {
            (None, None) => false,
            (Some(now), Some(then)) => !now.same_content(then),
            _ => true,
        }
    }

    /// The attribute that will be required and is not now.
    pub(super) fn becomes_required(&self) -> Option<&attribute::Model> {
        match (&self.now, &self.then) {
            (Some(Record::Attribute(now)), _) if now.is_required => None,
            (_, Some(Record::Attribute(then))) if then.is_required => Some(then),
            _ => None,
        }
    }

    /// What people know the record by.
    pub(super) fn label(&self) -> &str {
        self.now.as_ref().or(self.then.as_ref()).map(Record::label).unwrap_or_default()
    }

    /// The user as it is, and as it goes back.
    pub(super) fn users(&self) -> (Option<&UserRecord>, Option<&UserRecord>) {
        (as_user(self.now.as_ref()), as_user(self.then.as_ref()))
    }
}

impl Undo {
    /// Makes plans of what the log has; what is blocked already, or by itself, is left out and noted.
    pub(super) async fn plan(&mut self, changeset: &Changeset, mut logged: Vec<Logged>) -> Result<Vec<Plan>> {
        logged.retain(|logged| !self.blocks.has(logged.id));
        let mut now = self.now(changeset, &logged).await?;
        let mut plans = Vec::with_capacity(logged.len());
        for logged in logged {
            let now = self.take_now(&mut now, &logged)?;
            match self.plan_one(&changeset.directory().index(), &logged, now)? {
                Ok(plan) => plans.push(plan),
                Err((label, block)) => self.blocks.add(logged.id, label, block),
            }
        }
        Ok(plans)
    }

    /// Records as they are that later changesets have changed; the log itself says what the others are.
    async fn now(&self, changeset: &Changeset, logged: &[Logged]) -> Result<HashMap<RecordId, Record>> {
        let ids = logged.iter().map(|logged| logged.id).filter(|id| self.log.is_changed_later(*id));
        current(changeset, &ids.collect::<Vec<_>>()).await
    }

    fn take_now(&self, now: &mut HashMap<RecordId, Record>, logged: &Logged) -> Result<Option<Record>> {
        if self.log.is_changed_later(logged.id) { Ok(now.remove(&logged.id)) } else { logged.after() }
    }

    /// What becomes of one record that stands at `now`; or its label and what is in the way.
    pub(super) fn plan_one(
        &self,
        index: &Index,
        logged: &Logged,
        now: Option<Record>,
    ) -> Result<Result<Plan, (String, Block)>> {
        let id = logged.id;
        let before = logged.before()?;
        let is_untouched = match &now {
            Some(now) => now.version() == self.number || logged.after()?.is_some_and(|after| after.same_content(now)),
            None => logged.is_deleted(),
        };
        let block = |record: &Record, block| Ok(Err((record.label().to_owned(), block)));
        let then = match (before, &now) {
            (None, None) => None,
            (before, _) if is_untouched => before,
            (Some(before), None) => {
                return block(&before, Block::new(DELETED, "it has been deleted since", None));
            }
            (Some(before), Some(now)) if before.same_content(now) => Some(now.clone()),
            (Some(before), Some(now)) => {
                let Some(after) = logged.after()? else {
                    let message = "it has been made again since, and otherwise";
                    return block(now, Block::new("CHANGED_SINCE", message, Some(now.version())));
                };
                let attribute = |key: &str| {
                    let found = self.world.attribute(key).or_else(|| index.attribute(key));
                    found.map(|attribute| attribute.r#type)
                };
                match merge(before, &after, now.clone(), attribute, |user| self.has_user(index, user)) {
                    Ok(then) => Some(then),
                    Err(Changed(part)) => {
                        let message = format!("`{part}` has been changed since");
                        return block(now, Block::new("CHANGED_SINCE", message, Some(now.version())));
                    }
                }
            }
            (None, Some(now)) => {
                let message = "it has been changed since it was made";
                return block(now, Block::new("CHANGED_SINCE", message, Some(now.version())));
            }
        };
        let mut plan = Plan { id, now, then, dropped_values: 0 };
        match (&plan.now, &mut plan.then) {
            (now, Some(Record::User(user))) => match self.fit(index, user, as_user(now.as_ref())) {
                Ok(dropped) => plan.dropped_values = dropped,
                Err(block) => return Ok(Err((user.row.email.clone(), block))),
            },
            (_, Some(Record::OrgUnit(unit))) => {
                unit.pinned.retain(|user| self.has_user(index, *user));
                unit.excluded.retain(|user| self.has_user(index, *user));
            }
            _ => {}
        }
        Ok(Ok(plan))
    }

    /// Writes the values that come back as their attributes have them by then, and leaves out those of attributes that
    /// are not there any more. Gives how many those are.
    fn fit(&self, index: &Index, user: &mut UserRecord, now: Option<&UserRecord>) -> Result<u64, Block> {
        let Some(document) = user.row.attributes.as_object_mut() else { return Ok(0) };
        let mut dropped = 0;
        let coming: Vec<String> = document
            .iter()
            .filter(|(key, stored)| now.is_none_or(|now| now.row.attributes.get(key.as_str()) != Some(stored)))
            .map(|(key, _)| key.clone())
            .collect();
        for key in coming {
            let attribute = self.world.attribute(&key);
            let value = attribute
                .zip(document.get(&key))
                .and_then(|(attribute, stored)| Some((attribute, Value::from_stored(attribute.r#type, stored)?)));
            match value {
                None => {
                    document.shift_remove(&key);
                    dropped += 1;
                }
                Some((_, Value::User(named))) => {
                    // Whoever it named may have become part of another since.
                    if let Some(holder) = index.merged_into(named).filter(|_| !self.has_user(index, named)) {
                        document.insert(key, Value::User(holder).to_stored());
                    }
                }
                Some((attribute, value)) => {
                    match parse(attribute, &show(&value, |_| None), &DateFormat::default(), |_| None) {
                        Ok(Some(value)) => {
                            document.insert(key, value.to_stored());
                        }
                        Ok(None) => {}
                        Err((code, message)) => {
                            let by = Some(attribute.version);
                            return Err(Block::new(code, format!("`{}`: {message}", attribute.title), by));
                        }
                    }
                }
            }
        }
        Ok(dropped)
    }

    /// The states that records will have after the undo, as far as is known; of those that there will not be, none.
    pub(super) async fn states(
        &self,
        changeset: &Changeset,
        ids: &[RecordId],
    ) -> Result<HashMap<RecordId, Option<Record>>> {
        let mut now = current(changeset, ids).await?;
        let mut states = HashMap::with_capacity(ids.len());
        let mut logged = self.log.find(changeset.transaction(), ids).await?;
        logged.retain(|logged| !self.blocks.has(logged.id));
        for logged in logged {
            let state = now.get(&logged.id).cloned();
            if let Ok(plan) = self.plan_one(&changeset.directory().index(), &logged, state)? {
                now.remove(&logged.id);
                states.insert(logged.id, plan.then);
            }
        }
        states.extend(now.into_iter().map(|(id, record)| (id, Some(record))));
        Ok(states)
    }
}

impl Undo {
    /// The states that records had before the changeset; those that there were not are left out.
    pub(super) async fn states_before(
        &self,
        changeset: &Changeset,
        ids: &[RecordId],
    ) -> Result<HashMap<RecordId, Record>> {
        let from = changeset.transaction();
        let mut states = current(changeset, ids).await?;
        for (id, state) in self.log.before_later(from, ids).await? {
            states.remove(&id);
            states.extend(state.map(|state| (id, state)));
        }
        for logged in self.log.find(from, ids).await? {
            states.remove(&logged.id);
            states.extend(logged.before()?.map(|state| (logged.id, state)));
        }
        Ok(states)
    }
}

/// Records as they are.
async fn current(changeset: &Changeset, ids: &[RecordId]) -> Result<HashMap<RecordId, Record>> {
    let mut users: Vec<UserId> = Vec::new();
    let mut accounts: Vec<IntegrationAccountId> = Vec::new();
    let mut found = HashMap::with_capacity(ids.len());
    for id in ids {
        match id {
            RecordId::User(id) => users.push(*id),
            RecordId::IntegrationAccount(id) => accounts.push(*id),
            RecordId::Attribute(_)
            | RecordId::Integration(_)
            | RecordId::OrgUnit(_)
            | RecordId::AssociationRules(_) => {
                found.extend(few(&changeset.directory().index(), *id).map(|record| (*id, record)));
            }
        }
    }
    for (id, user) in changeset.users(&users).await? {
        found.insert(RecordId::User(id), Record::User(user));
    }
    for row in fetch::accounts(changeset.transaction(), &accounts).await? {
        found.insert(RecordId::IntegrationAccount(row.id), Record::IntegrationAccount(row));
    }
    Ok(found)
}

/// An attribute, integration or org unit as it is.
pub(super) fn few(index: &Index, id: RecordId) -> Option<Record> {
    match id {
        RecordId::Attribute(id) => {
            let found = index.attributes().iter().find(|row| row.id == id);
            found.map(|row| Record::Attribute(row.as_ref().clone()))
        }
        RecordId::Integration(id) => index.integration(id).map(|row| Record::Integration(row.as_ref().clone())),
        RecordId::OrgUnit(id) => index.org_unit(id).map(|unit| Record::OrgUnit(unit.as_ref().clone())),
        RecordId::AssociationRules(_) => {
            index.association_rules().map(|row| Record::AssociationRules(row.as_ref().clone()))
        }
        RecordId::User(_) | RecordId::IntegrationAccount(_) => None,
    }
}
