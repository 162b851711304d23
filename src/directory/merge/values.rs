//! Which name, email and values are kept: the survivor's, or what it lacks from the others.

use std::collections::{BTreeSet, HashMap, HashSet};
use std::sync::Arc;

use entity::UserId;
use entity::attribute::{self, AttributeType};

use super::{MergeField, MergePart, violation};
use crate::filter::Violation;
use crate::index::Index;
use crate::record::UserRecord;
use crate::value::{DateFormat, Key, Value, fold, parse, show};

/// Users, of whose parts one record is made.
pub(super) struct Keep<'a> {
    pub(super) index: &'a Index,
    /// The survivor first.
    pub(super) users: &'a [UserRecord],
    pub(super) choices: &'a HashMap<MergePart, UserId>,
}

impl Keep<'_> {
    /// The record, and how each of its parts came to be.
    pub(super) fn record(&self, violations: &mut Vec<Violation>) -> (UserRecord, Vec<MergeField>) {
        let mut after = self.users[0].clone();
        let mut fields = Vec::new();
        let texts = |part: MergePart, of: fn(&UserRecord) -> &str| {
            let chosen = self.choices.get(&part).and_then(|from| self.user(*from));
            let kept = of(chosen.unwrap_or(&self.users[0])).to_owned();
            let candidates: Vec<(UserId, String)> =
                self.users.iter().map(|user| (user.row.id, of(user).to_owned())).collect();
            let is_conflict = chosen.is_none()
                && part == MergePart::Name
                && candidates.iter().any(|(_, name)| fold(name) != fold(&kept));
            MergeField { part, attribute: None, candidates, kept: Some(kept), is_conflict }
        };
        for field in [texts(MergePart::Name, |user| &user.row.name), texts(MergePart::Email, |user| &user.row.email)] {
            let kept = field.kept.clone().unwrap_or_default();
            if field.part == MergePart::Name {
                after.row.name = kept;
            } else {
                after.row.email = kept;
            }
            fields.push(field);
        }
        after.further_emails = self.users.iter().flat_map(UserRecord::emails).map(str::to_owned).collect();
        after.further_emails.remove(&after.row.email);
        for user in &self.users[1..] {
            after.merged_ids.insert(user.row.id);
            after.merged_ids.extend(&user.merged_ids);
        }
        after.row.is_automatic = false;
        for attribute in self.index.attributes().iter().filter(|attribute| !attribute.is_built_in) {
            let (value, field) = self.value(attribute);
            if let Some(document) = after.row.attributes.as_object_mut() {
                match &value {
                    Some(value) => drop(document.insert(attribute.key.clone(), value.to_stored())),
                    None => drop(document.shift_remove(&attribute.key)),
                }
            }
            if attribute.is_required && value.is_none() && !field.candidates.is_empty() {
                let message = format!("`{}` must have a value; choose it from somebody who has one", attribute.key);
                violations.push(violation("choices", "REQUIRED", message));
            }
            fields.push(field);
        }
        (after, fields)
    }

    fn user(&self, id: UserId) -> Option<&UserRecord> {
        self.users.iter().find(|user| user.row.id == id)
    }

    /// The value that is kept of an attribute.
    fn value(&self, attribute: &Arc<attribute::Model>) -> (Option<Value>, MergeField) {
        let part = MergePart::Attribute(attribute.key.clone());
        let values: Vec<(UserId, Value)> = self
            .by_precedence()
            .into_iter()
            .filter_map(|user| Some((user.row.id, self.value_of(attribute, user)?)))
            .collect();
        let distinct: HashSet<BTreeSet<Key>> =
            values.iter().map(|(_, value)| value.keys().into_iter().collect()).collect();
        let chosen = self.choices.get(&part);
        let kept = match chosen {
            Some(from) => values.iter().find(|(user, _)| user == from).map(|(_, value)| value.clone()),
            None if attribute.r#type == AttributeType::MultiSelect => {
                union(attribute, values.iter().map(|(_, value)| value))
            }
            None => values.first().map(|(_, value)| value.clone()),
        };
        let shown = |value: &Value| show(value, |user| self.index.email_of(user).map(str::to_owned));
        let is_conflict = chosen.is_none() && attribute.r#type != AttributeType::MultiSelect && distinct.len() > 1;
        let candidates = values.iter().map(|(user, value)| (*user, shown(value))).collect();
        let kept_text = kept.as_ref().map(shown);
        let field = MergeField { part, attribute: Some(attribute.clone()), candidates, kept: kept_text, is_conflict };
        (kept, field)
    }

    /// The survivor, then the others: who was changed last comes first.
    fn by_precedence(&self) -> Vec<&UserRecord> {
        let mut users: Vec<&UserRecord> = self.users.iter().collect();
        users[1..].sort_by_key(|user| std::cmp::Reverse((user.row.updated_at, user.row.version, user.row.id)));
        users
    }

    /// What a user has of an attribute. Whoever names one of those who become one would name itself, which says nothing.
    fn value_of(&self, attribute: &attribute::Model, user: &UserRecord) -> Option<Value> {
        let value = Value::from_stored(attribute.r#type, user.row.attributes.get(&attribute.key)?)?;
        match value {
            Value::User(named) if self.user(named).is_some() => None,
            value => Some(value),
        }
    }
}

/// All options that several values have.
pub(in crate::directory) fn union<'a>(
    attribute: &attribute::Model,
    values: impl Iterator<Item = &'a Value>,
) -> Option<Value> {
    let options: Vec<String> = values
        .flat_map(|value| match value {
            Value::Options(options) => options.clone(),
            _ => Vec::new(),
        })
        .collect();
    // The reader of values puts options in their order, each once.
    parse(attribute, &options.join(";"), &DateFormat::default(), |_| None).ok().flatten()
}
