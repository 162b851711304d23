//! Three states of a record made into one: what a changeset changed goes back, what others have changed since stays.
//!
//! A record has parts that go back each for itself. What does not live here: whether the directory has room for the
//! outcome.

use std::collections::BTreeSet;

use entity::attribute::{self, AttributeType};
use entity::{UserId, association_rules, integration, integration_account};
use serde_json::Value as Json;

use crate::record::{OrgUnitRecord, Record, UserRecord};
use crate::value::Key;

/// The part of a record that was changed since, as the API names it.
pub(super) struct Changed(pub(super) String);

/// What a part becomes.
fn part<T: PartialEq>(name: &str, before: T, after: &T, now: T) -> Result<T, Changed> {
    if before == *after || now == before {
        Ok(now)
    } else if now == *after {
        Ok(before)
    } else {
        Err(Changed(name.to_owned()))
    }
}

/// What a record that was changed `before` → `after` and stands at `now` becomes. `attribute` tells the type of an
/// attribute's values, and `is_user` who there is: what names others has nothing to go back to.
pub(super) fn merge(
    before: Record,
    after: &Record,
    now: Record,
    attribute: impl Fn(&str) -> Option<AttributeType>,
    is_user: impl Fn(UserId) -> bool,
) -> Result<Record, Changed> {
    match (before, after, now) {
        (Record::Attribute(before), Record::Attribute(after), Record::Attribute(now)) => {
            merge_attributes(before, after, now).map(Record::Attribute)
        }
        (Record::Integration(before), Record::Integration(after), Record::Integration(now)) => {
            merge_integrations(&before, after, &now).map(Record::Integration)
        }
        (Record::User(before), Record::User(after), Record::User(now)) => {
            merge_users(&before, after, now, attribute).map(Record::User)
        }
        (Record::IntegrationAccount(before), Record::IntegrationAccount(after), Record::IntegrationAccount(now)) => {
            merge_accounts(before, after, now).map(Record::IntegrationAccount)
        }
        (Record::OrgUnit(before), Record::OrgUnit(after), Record::OrgUnit(now)) => {
            merge_units(before, after, now, is_user).map(Record::OrgUnit)
        }
        (Record::AssociationRules(before), Record::AssociationRules(after), Record::AssociationRules(now)) => {
            merge_rules(before, &after.rules, now).map(Record::AssociationRules)
        }
        // An id is of one noun for ever.
        (_, _, now) => Ok(now),
    }
}

fn merge_attributes(
    before: attribute::Model,
    after: &attribute::Model,
    now: attribute::Model,
) -> Result<attribute::Model, Changed> {
    let title = |row: &attribute::Model| (row.title.clone(), row.title_key.clone());
    let (title, title_key) = part("title", title(&before), &title(after), title(&now))?;
    Ok(attribute::Model {
        title,
        title_key,
        description: part("description", before.description, &after.description, now.description)?,
        options: part("options", before.options, &after.options, now.options)?,
        is_required: part("isRequired", before.is_required, &after.is_required, now.is_required)?,
        is_unique: part("isUnique", before.is_unique, &after.is_unique, now.is_unique)?,
        // Places are given anew afterwards, so none stands in the way.
        position: if now.position == after.position { before.position } else { now.position },
        ..now
    })
}

fn merge_integrations(
    before: &integration::Model,
    after: &integration::Model,
    now: &integration::Model,
) -> Result<integration::Model, Changed> {
    let name = |row: &integration::Model| (row.name.clone(), row.name_key.clone());
    let (name, name_key) = part("name", name(before), &name(after), name(now))?;
    let settings = |row: &integration::Model| row.settings.clone();
    let schedule = part("scheduleMinutes", before.schedule_minutes, &after.schedule_minutes, now.schedule_minutes)?;
    Ok(integration::Model {
        name,
        name_key,
        kind: part("kind", before.kind, &after.kind, now.kind)?,
        settings: part("settings", settings(before), &settings(after), settings(now))?,
        schedule_minutes: schedule,
        ..now.clone()
    })
}

fn merge_users(
    before: &UserRecord,
    after: &UserRecord,
    now: UserRecord,
    attribute: impl Fn(&str) -> Option<AttributeType>,
) -> Result<UserRecord, Changed> {
    let emails = |user: &UserRecord| (user.row.email.clone(), user.further_emails.clone());
    let (email, further_emails) = part("email", emails(before), &emails(after), emails(&now))?;
    let mut row = now.row;
    row.email = email;
    row.name = part("name", before.row.name.clone(), &after.row.name, row.name)?;
    // Who was changed since is known to a person, and does not become automatic again.
    row.is_automatic &= part("isAutomatic", before.row.is_automatic, &after.row.is_automatic, row.is_automatic)?;
    row.is_locked = part("isLocked", before.row.is_locked, &after.row.is_locked, row.is_locked)?;
    let review = |row: &entity::user::Model| (row.reviewed_at, row.reviewed_by.clone());
    (row.reviewed_at, row.reviewed_by) = part("reviewedAt", review(&before.row), &review(&after.row), review(&row))?;
    row.attributes = merge_values(&before.row.attributes, &after.row.attributes, row.attributes, attribute)?;
    let mut merged_ids = now.merged_ids;
    for id in before.merged_ids.symmetric_difference(&after.merged_ids) {
        // Each id is a part, that either is there or is not: nobody can have changed it to anything else.
        if before.merged_ids.contains(id) {
            merged_ids.insert(*id);
        } else {
            merged_ids.remove(id);
        }
    }
    Ok(UserRecord { row, further_emails, merged_ids })
}

/// Each value is a part. Those of attributes that are not there any more are left alone.
fn merge_values(
    before: &Json,
    after: &Json,
    mut now: Json,
    attribute: impl Fn(&str) -> Option<AttributeType>,
) -> Result<Json, Changed> {
    let keys: BTreeSet<&String> =
        [before, after].into_iter().filter_map(Json::as_object).flat_map(|document| document.keys()).collect();
    let Some(document) = now.as_object_mut() else { return Ok(now) };
    for key in keys {
        let Some(r#type) = attribute(key) else { continue };
        let value = |document: &Json| document.get(key).map(|stored| Compared { r#type, stored: stored.clone() });
        let current = document.get(key).map(|stored| Compared { r#type, stored: stored.clone() });
        match part(&format!("attributes.{key}"), value(before), &value(after), current)? {
            Some(value) => document.insert(key.clone(), value.stored),
            None => document.shift_remove(key),
        };
    }
    Ok(now)
}

/// A value that equals another also where only the attribute's options have been written otherwise in between.
struct Compared {
    r#type: AttributeType,
    stored: Json,
}

impl PartialEq for Compared {
    fn eq(&self, other: &Self) -> bool {
        if self.stored == other.stored {
            return true;
        }
        let keys = |stored| Key::of_stored(self.r#type, stored).into_iter().collect::<BTreeSet<Key>>();
        matches!(self.r#type, AttributeType::Select | AttributeType::MultiSelect)
            && keys(&self.stored) == keys(&other.stored)
    }
}

fn merge_accounts(
    before: integration_account::Model,
    after: &integration_account::Model,
    now: integration_account::Model,
) -> Result<integration_account::Model, Changed> {
    type Row = integration_account::Model;
    let whose = |row: &Row| (row.user_id, row.rule);
    let what = |row: &Row| {
        (row.external_id.clone(), row.username.clone(), row.email.clone(), row.display_name.clone(), row.is_bot)
    };
    let (user_id, rule) = part("userId", whose(&before), &whose(after), whose(&now))?;
    let (external_id, username, email, display_name, is_bot) =
        part("username", what(&before), &what(after), what(&now))?;
    let status = part("status", before.status, &after.status, now.status)?;
    let goes_back = whose(&now) != (user_id, rule);
    let (evidence, associated_by, associated_at) = if goes_back {
        (before.evidence, before.associated_by, before.associated_at)
    } else {
        (now.evidence, now.associated_by, now.associated_at)
    };
    Ok(Row {
        user_id,
        rule,
        evidence,
        associated_by,
        associated_at,
        external_id,
        username,
        email,
        display_name,
        is_bot,
        status,
        ..now
    })
}

fn merge_rules(
    before: association_rules::Model,
    after: &association_rules::Rules,
    now: association_rules::Model,
) -> Result<association_rules::Model, Changed> {
    let (before, rules) = (before.rules, now.rules);
    let rules = association_rules::Rules {
        email: part("email", before.email, &after.email, rules.email)?,
        detected: part("detected", before.detected, &after.detected, rules.detected)?,
        ignores_plus_tags: part(
            "ignorePlusTags",
            before.ignores_plus_tags,
            &after.ignores_plus_tags,
            rules.ignores_plus_tags,
        )?,
        alias_domains: part("aliasDomains", before.alias_domains, &after.alias_domains, rules.alias_domains)?,
        excluded_emails: part("excludedEmails", before.excluded_emails, &after.excluded_emails, rules.excluded_emails)?,
        excluded_names: part("excludedNames", before.excluded_names, &after.excluded_names, rules.excluded_names)?,
        bot_names: part("botNames", before.bot_names, &after.bot_names, rules.bot_names)?,
        integrations: part("integrations", before.integrations, &after.integrations, rules.integrations)?,
    };
    Ok(association_rules::Model { rules, ..now })
}

fn merge_units(
    before: OrgUnitRecord,
    after: &OrgUnitRecord,
    now: OrgUnitRecord,
    is_user: impl Fn(UserId) -> bool,
) -> Result<OrgUnitRecord, Changed> {
    let OrgUnitRecord { mut row, mut pinned, mut excluded } = now;
    let touched = [&before.pinned, &before.excluded, &after.pinned, &after.excluded].into_iter().flatten();
    for user in touched.copied().filter(|user| is_user(*user)).collect::<BTreeSet<UserId>>() {
        let pin =
            |pinned: &BTreeSet<UserId>, excluded: &BTreeSet<UserId>| (pinned.contains(&user), excluded.contains(&user));
        let current = pin(&pinned, &excluded);
        let goes_back =
            part("pinned", pin(&before.pinned, &before.excluded), &pin(&after.pinned, &after.excluded), current)?;
        if goes_back != current {
            pinned.remove(&user);
            excluded.remove(&user);
            if goes_back.0 {
                pinned.insert(user);
            }
            if goes_back.1 {
                excluded.insert(user);
            }
        }
    }
    let name = |row: &entity::org_unit::Model| (row.name.clone(), row.name_key.clone());
    (row.name, row.name_key) = part("name", name(&before.row), &name(&after.row), name(&row))?;
    row.parent_id = part("parentId", before.row.parent_id, &after.row.parent_id, row.parent_id)?;
    row.description = part("description", before.row.description, &after.row.description, row.description)?;
    row.scope = part("scope", before.row.scope, &after.row.scope, row.scope)?;
    row.filter = part("filter", before.row.filter, &after.row.filter, row.filter)?;
    row.origin = part("generatedFrom", before.row.origin, &after.row.origin, row.origin)?;
    Ok(OrgUnitRecord { row, pinned, excluded })
}
