//! What comes of a merge, part by part, and what stands in its way.

use std::collections::{HashMap, HashSet};
use std::sync::Arc;

use entity::attribute::AttributeType;
use entity::integration_account::{self, AccountStatus};
use entity::{IntegrationAccountId, IntegrationId, OrgUnitId, UserId};
use sea_orm::{ColumnTrait, Condition};

use super::values::Keep;
use super::{Merge, MergePart, MergePin, MergePlan, SharedIntegration, violation};
use crate::directory::attribute::find_circles;
use crate::directory::changeset::Changeset;
use crate::directory::error::Result;
use crate::directory::repoint::{Repoint, sources};
use crate::directory::{Directory, Subject};
use crate::filter::Violation;
use crate::index::Index;
use crate::record::{OrgUnitRecord, UserRecord};
use crate::value::{GlobalId, Value};

impl Directory {
    /// What comes of a merge of `users`, the survivor first.
    pub(super) async fn plan_merge(
        &self,
        changeset: &Changeset,
        merge: &Merge,
        users: Vec<UserRecord>,
        unmatched: &[IntegrationAccountId],
        violations: &mut Vec<Violation>,
    ) -> Result<MergePlan> {
        let (seen, index) = (self.snapshot(), self.whole().snapshot());
        let survivor = users[0].row.id;
        let gone: HashSet<UserId> = users[1..].iter().map(|user| user.row.id).collect();
        let all: HashSet<UserId> = users.iter().map(|user| user.row.id).collect();
        self.check_locks(merge, &users, violations);
        let choices = find_choices(merge, &all, &seen, violations);
        let mut accounts = changeset.accounts_of(&all).await?;
        let with_these = integration_account::Column::Id.is_in(unmatched.iter().copied());
        let linked = changeset.accounts(Condition::all().add(with_these)).await?;
        let shared = shared_integrations(accounts.iter().chain(&linked));
        accounts.retain(|account| account.user_id != Some(survivor));
        let (after, mut fields) = Keep { index: &index, users: &users, choices: &choices }.record(violations);
        fields.retain(|field| field.attribute.as_ref().is_none_or(|attribute| seen.sees(attribute)));
        let (units, pins) = change_units(&index, survivor, &users, &choices, violations)?;
        let mut referring = index.referring_to(&gone);
        referring.retain(|user| !all.contains(user));
        referring.sort_unstable();
        check_circles(&index, &after, &gone, &referring, violations);
        let mut filters: Vec<OrgUnitId> =
            index.org_units_naming_users(&gone).into_iter().map(|(_, unit)| unit).collect();
        filters.sort_unstable();
        filters.dedup();
        Ok(MergePlan {
            users: users.into_iter().map(Arc::new).collect(),
            after,
            fields,
            accounts: accounts.into_iter().map(Arc::new).collect(),
            linked: linked.into_iter().map(Arc::new).collect(),
            shared,
            pins,
            referring,
            filters,
            units,
        })
    }

    fn check_locks(&self, merge: &Merge, users: &[UserRecord], violations: &mut Vec<Violation>) {
        for user in users.iter().filter(|user| user.row.is_locked) {
            let id = Subject::User(user.row.id);
            let is_named = merge.survivor.is_some() && user.row.id == users[0].row.id;
            let place = merge.subjects.iter().position(|subject| self.standing(*subject).ok() == Some(id));
            let path = match place.filter(|_| !is_named) {
                Some(at) => format!("ids[{at}]"),
                None => "survivorId".to_owned(),
            };
            let message = format!("{} is locked; unlock this user first", user.row.email);
            violations.push(violation(path, "LOCKED", message));
        }
    }
}

/// The choices that can be meant, by their parts.
fn find_choices(
    merge: &Merge,
    all: &HashSet<UserId>,
    index: &Index,
    violations: &mut Vec<Violation>,
) -> HashMap<MergePart, UserId> {
    let mut choices = HashMap::with_capacity(merge.choices.len());
    for (at, choice) in merge.choices.iter().enumerate() {
        let path = |field: &str| format!("choices[{at}].{field}");
        let mut part = choice.part.clone();
        match &mut part {
            MergePart::Attribute(key) => {
                let wanted = crate::value::fold(key);
                match index.attribute(&wanted) {
                    Some(known) if !known.is_built_in => *key = wanted,
                    Some(_) => {
                        let message = format!("`{key}` is built in; choose it by `field`");
                        violations.push(violation(path("attribute"), "BUILT_IN_ATTRIBUTE", message));
                    }
                    None => {
                        let known = index.attributes().iter().map(|attribute| attribute.key.as_str());
                        let near = crate::value::nearest(key, known);
                        let hint = near.map(|near| format!("; did you mean `{near}`?")).unwrap_or_default();
                        let message = format!("there is no attribute `{}`{hint}", crate::value::shorten(key));
                        violations.push(violation(path("attribute"), "UNKNOWN_ATTRIBUTE", message));
                    }
                }
            }
            MergePart::OrgUnit(unit) if index.org_unit(*unit).is_none() => {
                let message = format!("there is no org unit {}", unit.to_global());
                violations.push(violation(path("orgUnitId"), "UNKNOWN_ORG_UNIT", message));
            }
            MergePart::OrgUnit(_) | MergePart::Name | MergePart::Email => {}
        }
        let Some(from) = index.current_user(choice.from).filter(|from| all.contains(from)) else {
            let message = format!("{} is not one of the users to be merged", choice.from.to_global());
            violations.push(violation(path("from"), "UNKNOWN_USER", message));
            continue;
        };
        // By an id that stands for the survivor already, a part can no longer be told from the survivor's.
        if choices.insert(part, from).is_some_and(|other| other != from) {
            violations.push(violation(format!("choices[{at}]"), "DUPLICATE", "this part is chosen twice"));
        }
    }
    choices
}

/// The integrations in which several of the users have an account that the tool knows of.
fn shared_integrations<'a>(accounts: impl Iterator<Item = &'a integration_account::Model>) -> Vec<SharedIntegration> {
    let mut found: Vec<(IntegrationId, Vec<&integration_account::Model>)> = Vec::new();
    for account in accounts.filter(|account| account.status != AccountStatus::Gone) {
        match found.iter_mut().find(|(integration, _)| *integration == account.integration_id) {
            Some((_, known)) => known.push(account),
            None => found.push((account.integration_id, vec![account])),
        }
    }
    let of_several = |accounts: &[&integration_account::Model]| {
        // Accounts that are nobody's are each its own person's.
        accounts.iter().map(|account| account.user_id.ok_or(account.id)).collect::<HashSet<_>>().len() > 1
    };
    found
        .into_iter()
        .filter(|(_, accounts)| of_several(accounts))
        .map(|(integration, accounts)| SharedIntegration {
            integration,
            accounts: accounts.into_iter().cloned().map(Arc::new).collect(),
        })
        .collect()
}

type Units = Vec<(OrgUnitRecord, OrgUnitRecord)>;

/// The org units that change, and those that pin or exclude any of the users.
fn change_units(
    index: &Index,
    survivor: UserId,
    users: &[UserRecord],
    choices: &HashMap<MergePart, UserId>,
    violations: &mut Vec<Violation>,
) -> Result<(Units, Vec<MergePin>)> {
    let ids: Vec<UserId> = users.iter().map(|user| user.row.id).collect();
    let to = Repoint::new(index, |named| if ids.contains(&named) { survivor } else { named });
    let mut sources = sources(index.org_units().map(Arc::as_ref));
    let all: HashSet<UserId> = ids.iter().copied().collect();
    let named: HashSet<OrgUnitId> = index.org_units_naming_users(&all).into_iter().map(|(_, unit)| unit).collect();
    // There may be thousands of units, and reading a filter takes its time. One that no longer passes the check may name
    // anybody.
    let may_change = |unit: &&Arc<OrgUnitRecord>| {
        unit.pinned.iter().chain(&unit.excluded).any(|user| all.contains(user))
            || named.contains(&unit.row.id)
            || unit.row.origin.is_some()
            || (unit.row.filter.is_some() && index.org_unit_filter(unit.row.id).is_none())
    };
    let mut units: Vec<&Arc<OrgUnitRecord>> = index.org_units().filter(may_change).collect();
    units.sort_by_key(|unit| unit.row.id);
    let (mut changed, mut pins) = (Vec::new(), Vec::new());
    for before in units {
        let mut after = before.as_ref().clone();
        let of = |set: &std::collections::BTreeSet<UserId>| -> Vec<UserId> {
            ids.iter().copied().filter(|id| set.contains(id)).collect()
        };
        let (pinned, excluded) = (of(&before.pinned), of(&before.excluded));
        if !pinned.is_empty() || !excluded.is_empty() {
            let chosen = choices.get(&MergePart::OrgUnit(before.row.id));
            let (is_pinned, is_excluded) = match chosen {
                Some(from) => (pinned.contains(from), excluded.contains(from)),
                None => (!pinned.is_empty(), !excluded.is_empty()),
            };
            let is_conflict = is_pinned && is_excluded;
            if is_conflict {
                let message = format!(
                    "`{}` pins one of these users and excludes another; choose by `orgUnitId` whose place is kept",
                    index.path(before.row.id)
                );
                violations.push(violation("choices", "CONTRADICTION", message));
            }
            after.pinned.retain(|id| !ids.contains(id));
            after.excluded.retain(|id| !ids.contains(id));
            if is_pinned {
                after.pinned.insert(survivor);
            }
            if is_excluded && !is_conflict {
                after.excluded.insert(survivor);
            }
            pins.push(MergePin { unit: before.row.id, pinned, excluded, is_pinned, is_excluded, is_conflict });
        }
        to.unit(&mut after, &mut sources)?;
        if after != **before {
            changed.push((before.as_ref().clone(), after));
        }
    }
    Ok((changed, pins))
}

/// Refuses users who would come to report to themselves.
fn check_circles(
    index: &Index,
    after: &UserRecord,
    gone: &HashSet<UserId>,
    referring: &[UserId],
    violations: &mut Vec<Violation>,
) {
    let survivor = after.row.id;
    for attribute in index.attributes().iter().filter(|attribute| attribute.r#type == AttributeType::User) {
        let own = after.row.attributes.get(&attribute.key);
        let own = match own.and_then(|stored| Value::from_stored(attribute.r#type, stored)) {
            Some(Value::User(named)) => Some(named),
            _ => None,
        };
        let now = |user: UserId| index.refers_to(&attribute.key, user);
        let changed = |user: UserId| match () {
            () if user == survivor => Some(own),
            () if gone.contains(&user) => Some(None),
            () if now(user).is_some_and(|named| gone.contains(&named)) => Some(Some(survivor)),
            () => None,
        };
        let starts = std::iter::once(survivor).chain(referring.iter().copied());
        for circle in find_circles(index, &attribute.key, starts, changed) {
            let email = |user| index.email_of(user).unwrap_or_default().to_owned();
            let message = circle.message(&attribute.key, email);
            let message = format!("{message}, as by a choice of `{}` from another of these users", attribute.key);
            violations.push(violation("choices", "CYCLE", message));
        }
    }
}
