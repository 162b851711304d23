//! Somebody who became part of a user, as the log has it: what the merge changed, and what of that goes back.
//!
//! What has been changed since the merge stays as it is.

use std::collections::{BTreeSet, HashSet};

use entity::change::Noun;
use entity::{IntegrationAccountId, UserId};
use serde_json::Value as Json;

use crate::directory::Directory;
use crate::directory::error::{Error, Result};
use crate::directory::history::Range;
use crate::directory::merge::union;
use crate::directory::repoint::Repoint;
use crate::index::Index;
use crate::record::{OrgUnitRecord, Record, UserRecord};
use crate::value::{GlobalId, Value};
use entity::attribute::{self, AttributeType};

/// Changes that are read at a time.
const CHANGES: u64 = 1_000;

/// What a merge did, as far as one of those who went is concerned.
pub(super) struct Restore {
    /// Who went, as it was.
    pub(super) record: UserRecord,
    /// The survivor before and after, if that is the user who holds the id now.
    survivor: Option<(UserRecord, UserRecord)>,
    /// The others who went with it and are still part of the same user, as they were.
    others: Vec<UserRecord>,
    /// Its accounts.
    pub(super) accounts: BTreeSet<IntegrationAccountId>,
    /// Who named it, as they were.
    pub(super) referring: Vec<UserRecord>,
    /// Those of them who went with it, and have come back.
    pub(super) fellows: HashSet<UserId>,
    /// Org units that changed, before and after.
    pub(super) units: Vec<(OrgUnitRecord, OrgUnitRecord)>,
}

/// Whether a unit pins and excludes a user.
type Place = (bool, bool);

impl Directory {
    /// What the log has of the merge by which `id` became part of `holder`.
    pub(super) async fn read_merge(&self, index: &Index, holder: UserId, id: UserId) -> Result<Restore> {
        let lost = || Error::internal(format!("the log does not tell how {} was merged", id.to_global()));
        let last = Range { limit: 1, ..Range::default() };
        let history = self.list_history(id.0, last, true).await?;
        let entry = history.rows.into_iter().next().filter(|entry| entry.change.after.is_none()).ok_or_else(lost)?;
        let read = |json: &str, noun| Record::from_json(noun, json).map_err(Error::internal);
        let record = match entry.change.before.as_deref().map(|json| read(json, Noun::User)).transpose()? {
            Some(Record::User(record)) => record,
            _ => return Err(lost()),
        };
        let mut restore = Restore {
            record,
            survivor: None,
            others: Vec::new(),
            accounts: BTreeSet::new(),
            referring: Vec::new(),
            fellows: HashSet::new(),
            units: Vec::new(),
        };
        let mut range = Range { limit: CHANGES, ..Range::default() };
        loop {
            let page = self.list_changes(entry.changeset.number, range, true).await?;
            range.after = page.rows.last().map(|change| change.position);
            for change in page.rows {
                let state = |json: Option<String>| json.map(|json| read(&json, change.noun)).transpose();
                restore.note(index, holder, state(change.before)?, state(change.after)?);
            }
            if !page.has_next {
                // In the order in which the merge looked for what the survivor lacked.
                restore.others.sort_by_key(precedence);
                return Ok(restore);
            }
        }
    }
}

impl Restore {
    fn note(&mut self, index: &Index, holder: UserId, before: Option<Record>, after: Option<Record>) {
        let id = self.record.row.id;
        match (before, after) {
            (Some(Record::User(before)), None) if before.row.id != id => {
                if index.merged_into(before.row.id) == Some(holder) {
                    self.others.push(before);
                } else {
                    self.fellows.insert(before.row.id);
                    self.referring.push(before);
                }
            }
            (Some(Record::User(before)), Some(Record::User(after))) => {
                if after.merged_ids.contains(&id) {
                    self.survivor = Some((before, after)).filter(|(before, _)| before.row.id == holder);
                } else {
                    self.referring.push(before);
                }
            }
            (Some(Record::IntegrationAccount(before)), Some(_)) if before.user_id == Some(id) => {
                self.accounts.insert(before.id);
            }
            (Some(Record::OrgUnit(before)), Some(Record::OrgUnit(after))) => self.units.push((before, after)),
            _ => {}
        }
    }

    /// The values of the one who comes back: those who have become part of others since are named as that.
    pub(super) fn values(&self, index: &Index) -> Json {
        let id = self.record.row.id;
        let mut document = self.record.row.attributes.clone();
        Repoint::new(index, |named| if named == id { id } else { index.current_user(named).unwrap_or(named) })
            .values(&mut document);
        for attribute in index.attributes().iter() {
            let value = document.get(&attribute.key).and_then(|stored| Value::from_stored(attribute.r#type, stored));
            if matches!(value, Some(Value::User(named)) if !index.has_user(named))
                && let Some(document) = document.as_object_mut()
            {
                document.shift_remove(&attribute.key);
            }
        }
        // Of attributes that there are no more, nothing comes back.
        if let Some(document) = document.as_object_mut() {
            document.retain(|key, _| index.attribute(key).is_some());
        }
        document
    }

    /// Gives back what the holder got by the merge and nobody has changed since: name, and values.
    pub(super) fn give_back(&self, index: &Index, holder: &mut UserRecord) {
        let Some((before, after)) = &self.survivor else { return };
        let is_of_others = |name: &str| self.others.iter().any(|other| other.row.name == name);
        if holder.row.name == after.row.name && before.row.name != after.row.name && !is_of_others(&after.row.name) {
            holder.row.name.clone_from(&before.row.name);
        }
        let mut all: Vec<&UserRecord> = self.others.iter().chain([&self.record]).collect();
        all.sort_by_key(|user| precedence(user));
        let rest: Vec<&UserRecord> = self.others.iter().collect();
        for attribute in index.attributes().iter().filter(|attribute| !attribute.is_built_in) {
            let of = |user: &UserRecord| user.row.attributes.get(&attribute.key).cloned();
            let now = of(holder);
            if (now != of(after) && now != kept(attribute, before, &all)) || of(before) == now {
                continue;
            }
            // A value that somebody else has, too, may have been chosen.
            let is_of_others = attribute.r#type != AttributeType::MultiSelect
                && now.is_some()
                && rest.iter().any(|other| of(other) == now);
            let value = if is_of_others { now } else { kept(attribute, before, &rest) };
            let Some(document) = holder.row.attributes.as_object_mut() else { continue };
            match value {
                Some(value) => drop(document.insert(attribute.key.clone(), value)),
                None => drop(document.shift_remove(&attribute.key)),
            }
        }
        let id = self.record.row.id;
        Repoint::new(index, |named| if named == id { id } else { index.current_user(named).unwrap_or(named) })
            .values(&mut holder.row.attributes);
    }

    /// Makes the holder automatic again, if it is as it was before the merge.
    pub(super) fn forget_person(&self, holder: &mut UserRecord) {
        let Some((before, _)) = &self.survivor else { return };
        let known = UserRecord {
            row: entity::user::Model { is_automatic: holder.row.is_automatic, ..before.row.clone() },
            ..before.clone()
        };
        if Record::User(known).same_content(&Record::User(holder.clone())) {
            holder.row.is_automatic = before.row.is_automatic;
        }
    }

    /// The primary email that the holder had before the merge.
    pub(super) fn email_before(&self) -> Option<&str> {
        self.survivor.as_ref().map(|(before, _)| before.row.email.as_str())
    }

    /// A unit as it is to be, where the merge has changed it.
    pub(super) fn unit(
        &self,
        index: &Index,
        holder: UserId,
        (before, after): &(OrgUnitRecord, OrgUnitRecord),
        now: &OrgUnitRecord,
    ) -> Result<OrgUnitRecord> {
        let id = self.record.row.id;
        let current = |user: UserId| index.current_user(user).unwrap_or(user);
        let (mut expected, mut wanted) = (before.clone(), before.clone());
        Repoint::new(index, current).unit(&mut expected, &mut Default::default())?;
        let to = Repoint::new(index, |user| if user == id { id } else { current(user) });
        to.unit(&mut wanted, &mut Default::default())?;
        let mut unit = now.clone();
        if unit.row.filter == expected.row.filter || unit.row.filter == after.row.filter {
            unit.row.filter = wanted.row.filter;
        }
        if unit.row.origin == expected.row.origin || unit.row.origin == after.row.origin {
            unit.row.origin = wanted.row.origin;
        }
        self.restore_pins(holder, before, after, &mut unit);
        Ok(unit)
    }

    fn restore_pins(&self, holder: UserId, before: &OrgUnitRecord, after: &OrgUnitRecord, unit: &mut OrgUnitRecord) {
        let place = |unit: &OrgUnitRecord, user: UserId| -> Place {
            (unit.pinned.contains(&user), unit.excluded.contains(&user))
        };
        let was = place(before, self.record.row.id);
        let now = place(unit, holder);
        match &self.survivor {
            Some(_) if now == place(after, holder) => {
                let rest = self.others.iter().map(|other| place(before, other.row.id));
                let rest = rest.fold(place(before, holder), |a, b| (a.0 || b.0, a.1 || b.1));
                // Where those who stay together were in both, somebody has chosen.
                let rest = if rest == (true, true) { now } else { rest };
                set_place(unit, holder, rest);
                set_place(unit, self.record.row.id, was);
            }
            None if now == was => set_place(unit, self.record.row.id, was),
            _ => {}
        }
    }
}

fn set_place(unit: &mut OrgUnitRecord, user: UserId, (is_pinned, is_excluded): Place) {
    unit.pinned.remove(&user);
    unit.excluded.remove(&user);
    if is_pinned {
        unit.pinned.insert(user);
    } else if is_excluded {
        unit.excluded.insert(user);
    }
}

/// Whose values a merge looked at first.
fn precedence(user: &UserRecord) -> impl Ord + use<> {
    std::cmp::Reverse((user.row.updated_at, user.row.version, user.row.id))
}

/// The value that a merge of others into `survivor` keeps where nobody chooses. Whoever names one of them says nothing.
fn kept(attribute: &attribute::Model, survivor: &UserRecord, others: &[&UserRecord]) -> Option<Json> {
    let all = || std::iter::once(&survivor).chain(others);
    let is_one = |stored: &&Json| match Value::from_stored(attribute.r#type, stored) {
        Some(Value::User(named)) => all().any(|user| user.row.id == named),
        _ => false,
    };
    let mut values = all().filter_map(|user| user.row.attributes.get(&attribute.key)).filter(|stored| !is_one(stored));
    if attribute.r#type != AttributeType::MultiSelect {
        return values.next().cloned();
    }
    let values: Vec<&Json> = values.collect();
    if let [only] = values.as_slice() {
        return Some((*only).clone());
    }
    let values: Vec<Value> =
        values.into_iter().filter_map(|stored| Value::from_stored(attribute.r#type, stored)).collect();
    union(attribute, values.iter()).map(|value| value.to_stored())
}
