//! Attributes: which columns user records have, and what their values must keep to.

use std::collections::HashSet;
use std::sync::Arc;

use entity::attribute::{self, AttributeType};
use entity::changeset::ChangesetKind;
use entity::{AttributeId, UserId, integration};
use sea_orm::{ConnectionTrait, EntityTrait, QueryOrder, QuerySelect};
use serde::{Deserialize, Serialize};
use serde_json::Value as Json;

use super::changeset::Changeset;
use super::error::{Error, Result};
use super::user::refuse;
use super::{Actor, Directory, expect_version, missing, user};
use crate::access::Role;
use crate::filter::Violation;
use crate::index::Index;
use crate::record::Record;
use crate::value::{DateFormat, GlobalId, Key, Value, fold, is_blank, nfc, parse, shorten, show};

mod circle;
mod make;
mod rename;
mod retype;
mod values;

pub(super) use circle::{Circle, find_circles};
pub(super) use make::new_attribute;
pub use rename::{Renamed, ValueRename};
pub use retype::{Retype, Retyped};
pub(super) use values::Values;

/// The most custom attributes.
pub(super) const ATTRIBUTES: usize = 200;
/// The most options of one attribute.
const OPTIONS: usize = 1_000;
/// The longest title, key, option or name, in characters.
pub(super) const LONGEST_TITLE: usize = 100;
/// The longest description, in characters.
pub(super) const LONGEST_DESCRIPTION: usize = 2_000;

/// An attribute to be made.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct NewAttribute {
    /// The heading.
    pub title: String,
    /// The key; made from the title where there is none.
    pub key: Option<String>,
    /// What its values are.
    pub r#type: AttributeType,
    /// Where its values come from.
    pub description: String,
    /// The options of SELECT and `MULTI_SELECT`.
    pub options: Vec<String>,
    /// Whether every user must have a value.
    pub is_required: bool,
    /// Whether no two users may have the same value.
    pub is_unique: bool,
    /// The roles that may read it, beside ADMIN; none where everybody may who reads attributes.
    #[serde(default)]
    pub readable_by: Option<Vec<Role>>,
    /// Its place among the attributes, from 0; the last where there is none.
    pub position: Option<usize>,
}

/// What is to change of an attribute; what is `None` stays.
#[derive(Clone, Debug, Default)]
pub struct AttributeChange {
    /// The version that the client read.
    pub expected_version: Option<i64>,
    /// The heading.
    pub title: Option<String>,
    /// Where its values come from.
    pub description: Option<String>,
    /// All options, in their order. One that users have, or a filter names, cannot go.
    pub options: Option<Vec<String>>,
    /// Whether every user must have a value.
    pub is_required: Option<bool>,
    /// Whether no two users may have the same value.
    pub is_unique: Option<bool>,
    /// The roles that may read it, beside ADMIN; `Some(None)` where everybody may who reads attributes.
    pub readable_by: Option<Option<Vec<Role>>>,
    /// Its place among the attributes, from 0.
    pub position: Option<usize>,
}

impl Directory {
    /// Makes a custom attribute.
    ///
    /// # Errors
    /// `Invalid` with every violation; `AlreadyExists` where its key or title is taken.
    pub async fn create_attribute(&self, actor: &Actor, new: NewAttribute) -> Result<AttributeId> {
        let mut changeset = self.begin(ChangesetKind::Attribute, actor).await?;
        let existing = self.index().attributes().to_vec();
        let position = new.position.unwrap_or(existing.len()).min(existing.len());
        let row = new_attribute(&self.index(), &new, &changeset.stamp(), self.clock())?;
        let id = row.id;
        let mut order: Vec<(Option<attribute::Model>, attribute::Model)> =
            existing.iter().map(|row| (Some(row.as_ref().clone()), row.as_ref().clone())).collect();
        order.insert(position, (None, row));
        put_in_order(&mut changeset, order);
        changeset.commit().await?;
        Ok(id)
    }

    /// Changes an attribute: its title, description, options, place, and whether it is required or unique.
    ///
    /// # Errors
    /// `NotFound`; `Conflict`; `Invalid`; `AlreadyExists` where the title is taken; `InUse` where users have, or a
    /// filter names, an option that would go.
    pub async fn update_attribute(&self, actor: &Actor, id: AttributeId, change: AttributeChange) -> Result<()> {
        let mut changeset = self.begin(ChangesetKind::Attribute, actor).await?;
        let existing = self.index().attributes().to_vec();
        let before = existing.iter().find(|row| row.id == id).cloned().ok_or_else(|| missing(id))?;
        expect_version(id, change.expected_version, before.version)?;
        let mut after = before.as_ref().clone();
        let mut violations = Vec::new();
        if let Some(title) = &change.title {
            after.title = check_text(title, "title", 1, LONGEST_TITLE, &mut violations);
            after.title_key = fold(&after.title);
        }
        if let Some(description) = &change.description {
            after.description = check_text(description, "description", 0, LONGEST_DESCRIPTION, &mut violations);
        }
        if let Some(options) = &change.options {
            after.options = check_options(before.r#type, options, &mut violations).into();
        }
        let built_in = before.is_built_in
            && (change.is_required.is_some_and(|flag| flag != before.is_required)
                || change.is_unique.is_some_and(|flag| flag != before.is_unique)
                || change.readable_by.as_ref().is_some_and(Option::is_some));
        if built_in {
            violations.push(Violation::new(
                "isRequired",
                "NOT_POSSIBLE",
                format!("`{}` is built in; only its title, description and place change", before.title),
            ));
        }
        after.is_required = change.is_required.unwrap_or(before.is_required);
        after.is_unique = change.is_unique.unwrap_or(before.is_unique);
        if let Some(readers) = &change.readable_by {
            after.readable_by = readers.as_deref().map(names);
        }
        let readers = Role::ALL.into_iter().filter(|role| after.is_readable_by(*role)).collect::<Vec<_>>();
        check_readers(after.is_required, after.readable_by.is_some().then_some(&readers[..]), &mut violations);
        refuse(violations)?;
        heading_is_free(&self.index(), &after.title, Some(id))?;
        check_tightening(&self.index(), &before, &after)?;
        let mut order: Vec<(Option<attribute::Model>, attribute::Model)> = existing
            .iter()
            .filter(|row| row.id != id)
            .map(|row| (Some(row.as_ref().clone()), row.as_ref().clone()))
            .collect();
        let place = existing.iter().position(|row| row.id == id).unwrap_or_default();
        let place = change.position.unwrap_or(place).min(order.len());
        if is_respelt(&before.options, &after.options) {
            respell(&mut changeset, &before, &after).await?;
        }
        order.insert(place, (Some(before.as_ref().clone()), after));
        put_in_order(&mut changeset, order);
        changeset.commit().await?;
        Ok(())
    }

    /// Deletes a custom attribute with all its values.
    ///
    /// # Errors
    /// `NotFound`; `Conflict`; `InUse` where org units' filters name it; `Invalid` where it is built in.
    pub async fn delete_attribute(&self, actor: &Actor, id: AttributeId, expected_version: Option<i64>) -> Result<()> {
        let mut changeset = self.begin(ChangesetKind::Attribute, actor).await?;
        let existing = self.index().attributes().to_vec();
        let before = existing.iter().find(|row| row.id == id).cloned().ok_or_else(|| missing(id))?;
        expect_version(id, expected_version, before.version)?;
        if before.is_built_in {
            return Err(Error::invalid(
                "id",
                "NOT_POSSIBLE",
                format!("`{}` is built in and cannot be deleted", before.title),
            ));
        }
        refuse_if_named(&self.index(), &before)?;
        let with_value = self.index().users_with(&before.key);
        for ids in with_value.chunks(1_000) {
            for (_, old) in changeset.users(ids).await? {
                let mut new = old.clone();
                if let Some(document) = new.row.attributes.as_object_mut() {
                    document.remove(&before.key);
                }
                changeset.put(Some(Record::User(old)), Some(Record::User(new)));
            }
            changeset.flush_if_large().await?;
        }
        let order = existing
            .iter()
            .filter(|row| row.id != id)
            .map(|row| (Some(row.as_ref().clone()), row.as_ref().clone()))
            .collect();
        put_in_order(&mut changeset, order);
        changeset.put(Some(Record::Attribute(before.as_ref().clone())), None);
        changeset.commit().await?;
        Ok(())
    }
}

/// Roles as the row holds them.
fn names(roles: &[Role]) -> Json {
    roles.iter().map(|role| role.name()).collect()
}

/// A required attribute, and so a built-in one, cannot be private to those who make users.
fn check_readers(is_required: bool, readers: Option<&[Role]>, violations: &mut Vec<Violation>) {
    if is_required && readers.is_some_and(|readers| !readers.contains(&Role::Editor)) {
        let message = "every user must have a value, so whoever makes users has to see it: add EDITOR";
        violations.push(Violation::new("readableBy", "CONTRADICTION", message));
    }
}

/// Refuses what an attribute cannot undergo while filters of org units name it.
fn refuse_if_named(index: &Index, attribute: &attribute::Model) -> Result<()> {
    let units = index.org_units_naming_attribute(&attribute.key);
    if units.is_empty() {
        return Ok(());
    }
    let units: Vec<String> = units.iter().map(|unit| format!("`{}`", index.path(*unit))).collect();
    let by = format!("the filter of {}", units.join(", "));
    Err(Error::InUse { noun: AttributeId::NOUN, key: attribute.key.clone(), by })
}

/// Refuses a change of an attribute that the values users have, or the filters of org units, stand against.
pub(super) fn check_tightening(index: &Index, before: &attribute::Model, after: &attribute::Model) -> Result<()> {
    let kept: HashSet<String> = option_texts(&after.options).map(fold).collect();
    for option in option_texts(&before.options).filter(|option| !kept.contains(&fold(option))) {
        let users = index.count_with(&before.key, &Key::text(option));
        let units = index.org_units_naming_option(&before.key, option);
        if users > 0 || !units.is_empty() {
            let mut by: Vec<String> = units.iter().map(|unit| format!("`{}`", index.path(*unit))).collect();
            if users > 0 {
                by.push(format!("{users} users"));
            }
            return Err(Error::InUse { noun: "option", key: option.to_owned(), by: by.join(", ") });
        }
    }
    if after.is_required && !before.is_required {
        let without = index.count_without(&before.key);
        if without > 0 {
            return Err(Error::invalid(
                "isRequired",
                "VALUES_MISSING",
                format!("{without} users have no value; fill it first"),
            ));
        }
    }
    if after.is_unique && !before.is_unique && index.has_duplicates(&before.key) {
        return Err(Error::invalid(
            "isUnique",
            "VALUES_NOT_UNIQUE",
            "there are users with the same value; change those first",
        ));
    }
    Ok(())
}

/// Whether options that stay are spelt otherwise, or stand in another order.
pub(super) fn is_respelt(before: &Json, after: &Json) -> bool {
    let common = |these, others| -> Vec<&str> {
        let others: HashSet<String> = option_texts(others).map(fold).collect();
        option_texts(these).filter(|option| others.contains(&fold(option))).collect()
    };
    common(before, after) != common(after, before)
}

/// Writes the values that users have as the attribute spells and orders its options now.
pub(super) async fn respell(
    changeset: &mut Changeset,
    before: &attribute::Model,
    after: &attribute::Model,
) -> Result<()> {
    let with_value = changeset.directory().index().users_with(&before.key);
    for ids in with_value.chunks(1_000) {
        for (_, old) in changeset.users(ids).await? {
            let stored = old.row.attributes.get(&before.key);
            let Some(value) = stored.and_then(|stored| Value::from_stored(before.r#type, stored)) else { continue };
            let Ok(Some(value)) = parse(after, &show(&value, |_| None), &DateFormat::default(), |_| None) else {
                continue;
            };
            let mut new = old.clone();
            new.row.attributes[&before.key] = value.to_stored();
            changeset.put(Some(Record::User(old)), Some(Record::User(new)));
        }
        changeset.flush_if_large().await?;
    }
    Ok(())
}

pub(super) fn option_texts(options: &Json) -> impl Iterator<Item = &str> {
    options.as_array().into_iter().flatten().filter_map(Json::as_str)
}

/// Puts attributes with the positions that their order gives them.
fn put_in_order(changeset: &mut Changeset, order: Vec<(Option<attribute::Model>, attribute::Model)>) {
    for (position, (before, mut after)) in (0..).zip(order) {
        after.position = position;
        changeset.put(before.map(Record::Attribute), Some(Record::Attribute(after)));
    }
}

/// Refuses a heading that a CSV file could not tell from another: keys and titles of attributes and names of
/// integrations share one space, with `id`.
pub(super) fn heading_is_free(index: &Index, heading: &str, owner: Option<AttributeId>) -> Result<()> {
    let attributes = index.attributes().iter().filter(|attribute| Some(attribute.id) != owner);
    heading_is_free_among(attributes, &index.integrations(), heading)
}

/// Refuses a heading that one of these attributes or integrations has.
pub(super) fn heading_is_free_among<'a>(
    attributes: impl IntoIterator<Item = &'a Arc<attribute::Model>>,
    integrations: impl IntoIterator<Item = &'a Arc<integration::Model>>,
    heading: &str,
) -> Result<()> {
    let folded = fold(heading);
    let taken = |noun, name: &str| {
        let hint = format!(": {noun} `{name}` has it, and both head CSV columns");
        Err(Error::AlreadyExists { noun: "heading", key: shorten(heading), hint })
    };
    if folded == "id" {
        return taken("the column", "ID");
    }
    for attribute in attributes {
        if attribute.key == folded || attribute.title_key == folded {
            return taken("the attribute", &attribute.title);
        }
    }
    for integration in integrations {
        if integration.name_key == folded {
            return taken("the integration", &integration.name);
        }
    }
    Ok(())
}

/// Text of `least` to `most` characters, in the form it is stored; what is wrong becomes a violation.
pub(super) fn check_text(text: &str, path: &str, least: usize, most: usize, violations: &mut Vec<Violation>) -> String {
    let text = nfc(text.trim());
    let length = text.chars().count();
    let problem = if least > 0 && is_blank(&text) {
        Some(("REQUIRED", "this must not be empty".to_owned()))
    } else if length > most {
        Some(("TOO_LONG", format!("this has at most {most} characters, not {length}")))
    } else if text.chars().any(|c| c.is_control() && (most == LONGEST_TITLE || !matches!(c, '\n' | '\t'))) {
        Some(("NOT_TEXT", "this cannot hold control characters".to_owned()))
    } else {
        None
    };
    if let Some((code, message)) = problem {
        violations.push(Violation::new(path, code, message));
    }
    text
}

/// The key given, or made from the title: folded letters and digits, and `_` for everything else.
fn check_key(given: Option<&str>, title: &str, violations: &mut Vec<Violation>) -> String {
    match given {
        None => {
            let mut key = String::new();
            for part in fold(title).split(|c: char| !c.is_alphanumeric()).filter(|part| !part.is_empty()) {
                if !key.is_empty() {
                    key.push('_');
                }
                key.push_str(part);
            }
            if key.is_empty() && !title.is_empty() {
                violations.push(Violation::new(
                    "key",
                    "REQUIRED",
                    "the title has no letters to make a key of; give one",
                ));
            }
            key
        }
        Some(key) => {
            let key = check_text(&fold(key), "key", 1, LONGEST_TITLE, violations);
            if key.chars().any(|c| !c.is_alphanumeric() && !matches!(c, '_' | '-')) {
                violations.push(Violation::new("key", "NOT_A_KEY", "a key has letters, digits, `_` and `-`"));
            }
            key
        }
    }
}

fn check_options(r#type: AttributeType, options: &[String], violations: &mut Vec<Violation>) -> Vec<String> {
    let has_options = matches!(r#type, AttributeType::Select | AttributeType::MultiSelect);
    let mut refuse = |path: String, code, message: &str| {
        violations.push(Violation::new(path, code, message));
    };
    if has_options && options.is_empty() {
        refuse("options".into(), "REQUIRED", "an attribute of this type needs options");
    }
    if !has_options && !options.is_empty() {
        refuse("options".into(), "NOT_POSSIBLE", "only SELECT and MULTI_SELECT have options");
    }
    if options.len() > OPTIONS {
        refuse("options".into(), "LIMIT_EXCEEDED", "an attribute has at most 1000 options");
        return Vec::new();
    }
    let mut seen = HashSet::new();
    let mut checked = Vec::with_capacity(options.len());
    for (at, option) in options.iter().enumerate() {
        let path = format!("options[{at}]");
        if option.contains(';') {
            violations.push(Violation::new(
                path.clone(),
                "NOT_AN_OPTION",
                "an option cannot hold `;`, which stands between options in CSV",
            ));
        }
        let option = check_text(option, &path, 1, LONGEST_TITLE, violations);
        if !seen.insert(fold(&option)) {
            violations.push(Violation::new(path, "DUPLICATE", format!("`{option}` is given twice")));
        }
        checked.push(option);
    }
    checked
}

/// All attributes in their order.
pub(super) async fn load_all(connection: &impl ConnectionTrait) -> Result<Vec<attribute::Model>> {
    Ok(attribute::Entity::find().order_by_asc(attribute::Column::Position).limit(1_000).all(connection).await?)
}

impl Directory {
    /// The email of a user, from the index.
    #[must_use]
    pub fn email_of(&self, user: UserId) -> Option<String> {
        self.index().email_of(user).map(str::to_owned)
    }

    /// The attribute with this key.
    ///
    /// # Errors
    /// `NotFound`, with the nearest key.
    pub fn attribute(&self, key: &str) -> Result<Arc<attribute::Model>> {
        let index = self.index();
        index.attribute(key).cloned().ok_or_else(|| user::unknown_attribute(&index, key))
    }
}
