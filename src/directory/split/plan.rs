//! What comes of a split, and what stands in its way.

use std::collections::{BTreeSet, HashMap, HashSet};
use std::sync::Arc;

use entity::attribute::{self, AttributeType};
use entity::integration_account::{self, AssociationRule};
use entity::{IntegrationAccountId, UserId, user};
use serde_json::Value as Json;

use super::restore::Restore;
use super::{Split, SplitPlan, SplitSide};
use crate::directory::Directory;
use crate::directory::association::{associate, is_sticky};
use crate::directory::attribute::{Circle, find_circles};
use crate::directory::changeset::Changeset;
use crate::directory::error::{Error, Result};
use crate::directory::user::{check_email, check_name};
use crate::filter::Violation;
use crate::index::Index;
use crate::record::{OrgUnitRecord, Record, UserRecord};
use crate::value::{GlobalId, Key, Value, fold, is_blank, nearest, shorten, show};

impl Directory {
    /// What comes of a split of `before`.
    pub(super) async fn plan_split(
        &self,
        changeset: &Changeset,
        split: &Split,
        before: UserRecord,
        violations: &mut Vec<Violation>,
    ) -> Result<SplitPlan> {
        let (seen, index) = (self.snapshot(), self.whole().snapshot());
        let restore = match split.merged_id {
            Some(id) if before.merged_ids.contains(&id) => Some(self.read_merge(&index, before.row.id, id).await?),
            Some(id) => {
                let message = format!("{} is not part of this user", id.to_global());
                violations.push(Violation::new("mergedId", "UNKNOWN_USER", message));
                None
            }
            None => None,
        };
        if before.row.is_locked {
            let message = format!("{} is locked; unlock this user first", before.row.email);
            violations.push(Violation::new("userId", "LOCKED", message));
        }
        if split.merged_id.is_none() && split.accounts.is_empty() && split.emails.is_empty() {
            let message = "say what goes: accounts, emails, or who is to be given back";
            violations.push(Violation::new("accountIds", "REQUIRED", message));
        }
        let own: Vec<integration_account::Model> = changeset.accounts_of(&HashSet::from([before.row.id])).await?;
        let emails = moved_emails(split, restore.as_ref(), &before, violations);
        let (mut rest, mut new) = (before.clone(), self.new_record(changeset, restore.as_ref(), &index));
        if let Some(restore) = &restore {
            restore.give_back(&index, &mut rest);
            rest.merged_ids.remove(&new.row.id);
            new.merged_ids.retain(|id| rest.merged_ids.remove(id));
        } else {
            rest.row.is_automatic = false;
        }
        let moved = moved_accounts(split, restore.as_ref(), &own, &emails, violations);
        take_emails(&mut rest, &mut new, (&emails, split.email.is_some()), restore.as_ref(), violations);
        name(split, &mut new, own.iter().filter(|account| moved.contains(&account.id)), violations);
        move_values(split, &seen, &mut rest, &mut new, violations);
        if let Some(restore) = &restore {
            restore.forget_person(&mut rest);
        }
        self.check_values(&split.attributes, violations).apply(&mut new.row.attributes);
        let users = match &restore {
            Some(restore) => named_again(changeset, restore, &before, &index).await?,
            None => Vec::new(),
        };
        if restore.is_some() {
            leave_out_circles(&index, &rest, &mut new, &users);
        }
        check_circles(&index, [&rest, &new], &users, violations);
        self.check_both(&index, &before, &rest, &new, restore.as_ref(), violations);

        let mut changes = vec![
            (Some(Record::User(before.clone())), Some(Record::User(rest.clone()))),
            (None, Some(Record::User(new.clone()))),
        ];
        let (mut staying, mut going) = (Vec::new(), Vec::new());
        for account in own {
            let side = if moved.contains(&account.id) { &mut going } else { &mut staying };
            side.push(Arc::new(account));
        }
        for account in &going {
            let mut after = account.as_ref().clone();
            if restore.as_ref().is_some_and(|restore| restore.accounts.contains(&account.id)) {
                after.user_id = Some(new.row.id);
            } else {
                let by_email = !is_sticky(account.rule)
                    && account.email.as_deref().is_some_and(|email| new.emails().any(|own| own == email));
                let rule = if by_email { AssociationRule::Email } else { AssociationRule::Manual };
                let evidence = account.email.as_deref().filter(|_| by_email);
                associate(&mut after, Some(new.row.id), rule, evidence, &changeset.stamp());
            }
            changes.push((
                Some(Record::IntegrationAccount(account.as_ref().clone())),
                Some(Record::IntegrationAccount(after)),
            ));
        }
        let units = restored_units(&index, restore.as_ref(), before.row.id)?;
        let is_seen = |before: &UserRecord, after: &UserRecord| {
            let value = |user: &UserRecord, key: &str| user.row.attributes.get(key).cloned();
            seen.attributes().iter().any(|row| value(before, &row.key) != value(after, &row.key))
        };
        Ok(SplitPlan {
            referring: users
                .iter()
                .filter(|(before, after)| is_seen(before, after))
                .map(|(_, after)| after.row.id)
                .collect(),
            org_units: units.iter().map(|(_, after)| after.row.id).collect(),
            rest: SplitSide { record: rest, accounts: staying },
            new: SplitSide { record: new, accounts: going },
            changes,
            users,
            units,
        })
    }

    /// The new user, without emails: as it was before the merge, or empty.
    fn new_record(&self, changeset: &Changeset, restore: Option<&Restore>, index: &Index) -> UserRecord {
        if let Some(restore) = restore {
            let mut record = restore.record.clone();
            record.row.attributes = restore.values(index);
            return record;
        }
        UserRecord {
            row: user::Model {
                id: self.clock().id(),
                name: String::new(),
                email: String::new(),
                attributes: Json::Object(serde_json::Map::new()),
                is_automatic: false,
                is_locked: false,
                reviewed_at: None,
                reviewed_by: None,
                version: changeset.number(),
                created_at: changeset.now(),
                updated_at: changeset.now(),
            },
            further_emails: BTreeSet::new(),
            merged_ids: BTreeSet::new(),
        }
    }

    /// Refuses users who would lack what they must have.
    fn check_both(
        &self,
        index: &Index,
        before: &UserRecord,
        rest: &UserRecord,
        new: &UserRecord,
        restore: Option<&Restore>,
        violations: &mut Vec<Violation>,
    ) {
        let has = |user: &UserRecord, key: &str| user.row.attributes.get(key).is_some();
        for attribute in index.attributes().iter().filter(|row| row.is_required && !row.is_built_in) {
            let key = attribute.key.as_str();
            if has(before, key) && !has(rest, key) {
                let message = format!("`{key}` must have a value; copy it rather than move it");
                violations.push(Violation::new("moveAttributes", "REQUIRED", message));
            }
            // Accounts make users without values, and such a one may come back as it was.
            if !has(new, key) && restore.is_none_or(|restore| has(&restore.record, key)) {
                let message = format!("`{key}` must have a value; copy it, or give another");
                violations.push(Violation::new("attributes", "REQUIRED", message));
            }
        }
    }

    /// Refuses a new user whose email or unique values others have.
    pub(super) fn check_free(&self, plan: &SplitPlan) -> Result<()> {
        let index = self.index();
        let (rest, new) = (&plan.rest.record, &plan.new.record);
        for attribute in index.attributes().iter().filter(|attribute| attribute.is_unique) {
            let stored = |user: &UserRecord| user.row.attributes.get(&attribute.key).cloned();
            let Some(value) = stored(new).and_then(|stored| Value::from_stored(attribute.r#type, &stored)) else {
                continue;
            };
            let kept: Vec<Key> =
                stored(rest).map(|stored| Key::of_stored(attribute.r#type, &stored)).into_iter().flatten().collect();
            for key in value.keys() {
                let mut holders = index.other_holders(&attribute.key, &key, new.row.id);
                holders.retain(|holder| *holder != rest.row.id || kept.contains(&key));
                if !holders.is_empty() {
                    return Err(Error::AlreadyExists {
                        noun: "value",
                        key: shorten(&show(&value, |id| index.email_of(id).map(str::to_owned))),
                        hint: format!(
                            ": another user has it as `{}`, whose values are unique; move it, or leave it out",
                            attribute.title
                        ),
                    });
                }
            }
        }
        for email in new.emails() {
            if let Some(owner) = index.user_with_email(email).filter(|owner| *owner != rest.row.id) {
                return Err(Error::AlreadyExists {
                    noun: UserId::NOUN,
                    key: email.to_owned(),
                    hint: format!(": it is an email of {}", owner.to_global()),
                });
            }
        }
        Ok(())
    }
}

/// The emails that go, in the order in which they are given.
fn moved_emails(
    split: &Split,
    restore: Option<&Restore>,
    before: &UserRecord,
    violations: &mut Vec<Violation>,
) -> Vec<String> {
    let is_own = |email: &str| before.emails().any(|own| own == email);
    let mut moved: Vec<String> = Vec::new();
    if let Some(email) = &split.email {
        moved.push(check_email(email, "email", violations));
    }
    for (at, email) in split.emails.iter().enumerate() {
        let path = format!("emails[{at}]");
        let email = check_email(email, &path, violations);
        if !email.is_empty() && !is_own(&email) {
            let message = format!("`{email}` is no email of this user; a new one is given as `email`");
            violations.push(Violation::new(path, "NOT_THEIRS", message));
        } else if !moved.contains(&email) {
            moved.push(email);
        }
    }
    let back = restore.into_iter().flat_map(|restore| restore.record.emails()).filter(|email| is_own(email));
    for email in back {
        if !moved.iter().any(|known| known == email) {
            moved.push(email.to_owned());
        }
    }
    moved.retain(|email| !email.is_empty());
    if moved.is_empty() {
        let message = "the new user needs an email; give one that goes, or a new one as `email`";
        violations.push(Violation::new("email", "REQUIRED", message));
    }
    moved
}

/// The accounts that go: those that are named, those that come back, and those that are the user's by an email that goes.
fn moved_accounts(
    split: &Split,
    restore: Option<&Restore>,
    own: &[integration_account::Model],
    emails: &[String],
    violations: &mut Vec<Violation>,
) -> HashSet<IntegrationAccountId> {
    for (at, id) in split.accounts.iter().enumerate() {
        if !own.iter().any(|account| account.id == *id) {
            let message = format!("{} is no account of this user", id.to_global());
            violations.push(Violation::new(format!("accountIds[{at}]"), "NOT_THEIRS", message));
        }
    }
    let by_email = |account: &integration_account::Model| {
        !is_sticky(account.rule) && account.email.as_ref().is_some_and(|email| emails.contains(email))
    };
    let goes = |account: &&integration_account::Model| {
        split.accounts.contains(&account.id)
            || restore.is_some_and(|restore| restore.accounts.contains(&account.id))
            || by_email(account)
    };
    own.iter().filter(goes).map(|account| account.id).collect()
}

/// Shares the emails out, and chooses the primary one of both. Where it is said which one the new user is to have, that is
/// the first that goes; else whoever comes back has its own.
fn take_emails(
    rest: &mut UserRecord,
    new: &mut UserRecord,
    (moved, is_said): (&[String], bool),
    restore: Option<&Restore>,
    violations: &mut Vec<Violation>,
) {
    let staying: BTreeSet<String> =
        rest.emails().filter(|own| !moved.iter().any(|email| email == own)).map(str::to_owned).collect();
    if staying.is_empty() {
        let message = "the user would be left without an email; leave one";
        violations.push(Violation::new("emails", "REQUIRED", message));
    } else {
        if !staying.contains(&rest.row.email) {
            let before = restore.and_then(Restore::email_before).filter(|email| staying.contains(*email));
            rest.row.email = before.or(staying.first().map(String::as_str)).unwrap_or_default().to_owned();
        }
        rest.further_emails = staying;
        rest.further_emails.remove(&rest.row.email);
    }
    let own = restore.map(|restore| restore.record.row.email.clone()).filter(|own| !is_said && moved.contains(own));
    new.row.email = own.or_else(|| moved.first().cloned()).unwrap_or_default();
    new.further_emails = moved.iter().filter(|email| **email != new.row.email).cloned().collect();
}

/// Names the new user: as it is said, as it was, or as its accounts are called.
fn name<'a>(
    split: &Split,
    new: &mut UserRecord,
    accounts: impl Iterator<Item = &'a integration_account::Model> + Clone,
    violations: &mut Vec<Violation>,
) {
    if let Some(name) = &split.name {
        new.row.name = check_name(name, "name", violations);
        return;
    }
    if !new.row.name.is_empty() {
        return;
    }
    let shown = accounts.clone().filter_map(|account| account.display_name.as_deref());
    let logins = accounts.filter_map(|account| account.username.as_deref());
    let local_part = new.row.email.split('@').next().unwrap_or_default();
    let name = shown.chain(logins).find(|name| !is_blank(name)).unwrap_or(local_part);
    new.row.name = name.chars().take(200).collect();
}

/// Moves and copies values.
fn move_values(
    split: &Split,
    index: &Index,
    rest: &mut UserRecord,
    new: &mut UserRecord,
    violations: &mut Vec<Violation>,
) {
    let lists = [("moveAttributes", &split.moved, true), ("copyAttributes", &split.copied, false)];
    for (field, keys, is_moved) in lists {
        for (at, key) in keys.iter().enumerate() {
            let wanted = fold(key);
            let custom = || index.attributes().iter().filter(|attribute| !attribute.is_built_in);
            let Some(attribute) = custom().find(|attribute| attribute.key == wanted) else {
                let near = nearest(key, custom().map(|attribute| attribute.key.as_str()));
                let hint = near.map(|near| format!("; did you mean `{near}`?")).unwrap_or_default();
                let message = format!("there is no custom attribute `{}`{hint}", shorten(key));
                violations.push(Violation::new(format!("{field}[{at}]"), "UNKNOWN_ATTRIBUTE", message));
                continue;
            };
            let Some(stored) = rest.row.attributes.get(&attribute.key).cloned() else { continue };
            if let Some(document) = new.row.attributes.as_object_mut() {
                document.insert(attribute.key.clone(), stored);
            }
            if let Some(document) = rest.row.attributes.as_object_mut().filter(|_| is_moved) {
                document.shift_remove(&attribute.key);
            }
        }
    }
}

/// Those who named the one who comes back, and name the user now: before and after.
async fn named_again(
    changeset: &Changeset,
    restore: &Restore,
    holder: &UserRecord,
    index: &Index,
) -> Result<Vec<(UserRecord, UserRecord)>> {
    let id = restore.record.row.id;
    let of_users: Vec<&str> = index
        .attributes()
        .iter()
        .filter(|attribute| attribute.r#type == AttributeType::User)
        .map(|attribute| attribute.key.as_str())
        .collect();
    let stored = |user: UserId| Value::User(user).to_stored();
    let mut found = Vec::new();
    for some in restore.referring.chunks(1_000) {
        let ids: Vec<UserId> = some.iter().map(|user| user.row.id).filter(|user| *user != holder.row.id).collect();
        let users = changeset.users(&ids).await?;
        for was in some {
            let Some(now) = users.get(&was.row.id) else { continue };
            let mut after = now.clone();
            for key in &of_users {
                let named = after.row.attributes.get(*key);
                // One who came back before may have had to leave the value out.
                let is_left_out = named.is_none() && restore.fellows.contains(&was.row.id);
                if was.row.attributes.get(*key) == Some(&stored(id))
                    && (named == Some(&stored(holder.row.id)) || is_left_out)
                    && let Some(document) = after.row.attributes.as_object_mut()
                {
                    document.insert((*key).to_owned(), stored(id));
                }
            }
            if after != *now {
                found.push((now.clone(), after));
            }
        }
    }
    Ok(found)
}

fn restored_units(
    index: &Index,
    restore: Option<&Restore>,
    holder: UserId,
) -> Result<Vec<(OrgUnitRecord, OrgUnitRecord)>> {
    let mut units = Vec::new();
    let Some(restore) = restore else { return Ok(units) };
    for logged in &restore.units {
        let Some(now) = index.org_unit(logged.0.row.id) else { continue };
        let after = restore.unit(index, holder, logged, now)?;
        if after != **now {
            units.push((now.as_ref().clone(), after));
        }
    }
    Ok(units)
}

/// Leaves out whom the one who comes back names, where that is the user whose part it was: it may have named another who is
/// part of that user, so that both would name each other.
fn leave_out_circles(index: &Index, rest: &UserRecord, new: &mut UserRecord, referring: &[(UserRecord, UserRecord)]) {
    for attribute in index.attributes().iter().filter(|attribute| attribute.r#type == AttributeType::User) {
        let names_rest = new.row.attributes.get(&attribute.key) == Some(&Value::User(rest.row.id).to_stored());
        let is_in_circle = |circle: &Circle| circle.users().any(|user| user == new.row.id);
        if names_rest
            && circles(index, attribute, [rest, new], referring).iter().any(is_in_circle)
            && let Some(document) = new.row.attributes.as_object_mut()
        {
            document.shift_remove(&attribute.key);
        }
    }
}

fn circles(
    index: &Index,
    attribute: &attribute::Model,
    both: [&UserRecord; 2],
    referring: &[(UserRecord, UserRecord)],
) -> Vec<Circle> {
    let named = |user: &UserRecord| {
        let stored = user.row.attributes.get(&attribute.key)?;
        match Value::from_stored(attribute.r#type, stored) {
            Some(Value::User(named)) => Some(named),
            _ => None,
        }
    };
    let changed: HashMap<UserId, Option<UserId>> = both
        .into_iter()
        .chain(referring.iter().map(|(_, after)| after))
        .map(|user| (user.row.id, named(user)))
        .collect();
    find_circles(index, &attribute.key, changed.keys().copied(), |user| changed.get(&user).copied())
}

/// Refuses users who would come to report to themselves.
fn check_circles(
    index: &Index,
    both: [&UserRecord; 2],
    referring: &[(UserRecord, UserRecord)],
    violations: &mut Vec<Violation>,
) {
    for attribute in index.attributes().iter().filter(|attribute| attribute.r#type == AttributeType::User) {
        for circle in circles(index, attribute, both, referring) {
            let email = |user: UserId| {
                let of_both = both.into_iter().find(|side| side.row.id == user).map(|side| side.row.email.clone());
                of_both.unwrap_or_else(|| index.email_of(user).unwrap_or_default().to_owned())
            };
            violations.push(Violation::new("attributes", "CYCLE", circle.message(&attribute.key, email)));
        }
    }
}
