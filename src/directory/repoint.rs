//! Pointing what names one user at another: values, the filters of org units, and what generated units remember.
//!
//! What does not live here: pins, of which a unit has one for each user, and accounts.

use std::collections::HashSet;

use entity::UserId;
use entity::attribute::AttributeType;
use serde_json::Value as Json;

use super::error::{Error, Result};
use super::org_unit::generate::{Origin, Source};
use super::org_unit::read_stored;
use crate::filter::{Condition, Filter, Scalar, Stored};
use crate::index::Index;
use crate::record::OrgUnitRecord;
use crate::value::{GlobalId, Value};

/// Says for each user who is to be named instead.
pub(super) struct Repoint<'a> {
    /// The keys of the attributes whose values name users.
    keys: Vec<String>,
    to: Box<dyn Fn(UserId) -> UserId + Send + Sync + 'a>,
}

impl<'a> Repoint<'a> {
    pub(super) fn new(index: &Index, to: impl Fn(UserId) -> UserId + Send + Sync + 'a) -> Self {
        let of_users = index.attributes().iter().filter(|attribute| attribute.r#type == AttributeType::User);
        Self { keys: of_users.map(|attribute| attribute.key.clone()).collect(), to: Box::new(to) }
    }

    /// Who is named instead of a user.
    pub(super) fn user(&self, user: UserId) -> UserId {
        (self.to)(user)
    }

    /// Repoints the values of a user.
    pub(super) fn values(&self, document: &mut Json) {
        for key in &self.keys {
            if let Some(stored) = document.get_mut(key)
                && let Some(Value::User(named)) = Value::from_stored(AttributeType::User, stored)
                && self.user(named) != named
            {
                *stored = Value::User(self.user(named)).to_stored();
            }
        }
    }

    /// Repoints the filter of a unit, and what it was generated from, unless another unit is generated from that: those
    /// that are, are in `sources`.
    pub(super) fn unit(&self, unit: &mut OrgUnitRecord, sources: &mut HashSet<Source>) -> Result<()> {
        if let Some(stored) = unit.row.filter.take() {
            unit.row.filter = Some(self.stored(stored)?);
        }
        let Some(old) = Origin::of(unit) else { return Ok(()) };
        let mut new = old.clone();
        if let Source::Supervisor { user, .. } = &mut new.source {
            *user = self.user(*user);
        }
        if new.source != old.source && !sources.insert(new.source.clone()) {
            new.source = old.source.clone();
        }
        new.made.pinned = new.made.pinned.map(|user| self.user(user));
        new.made.filter = self.stored(new.made.filter)?;
        if new != old {
            unit.row.origin = Some(serde_json::to_value(new).map_err(Error::internal)?);
        }
        Ok(())
    }

    /// Repoints a filter in the form it is stored.
    pub(super) fn stored(&self, stored: Json) -> Result<Json> {
        let old = read_stored(stored.clone())?;
        let mut new = old.clone();
        self.filter(&mut new);
        if new == old {
            return Ok(stored);
        }
        serde_json::to_value(Stored { v: 1, filter: new }).map_err(Error::internal)
    }

    fn filter(&self, filter: &mut Filter) {
        match filter {
            Filter::All(parts) | Filter::Any(parts) => parts.iter_mut().for_each(|part| self.filter(part)),
            Filter::Not(part) => self.filter(part),
            Filter::Attribute(named) if self.keys.contains(&named.key) => match &mut named.is {
                Condition::Equals(Scalar::Text(text)) | Condition::ReportsTo(text) => self.text(text),
                Condition::In(values) => {
                    let before = values.clone();
                    for value in values.iter_mut() {
                        if let Scalar::Text(text) = value {
                            self.text(text);
                        }
                    }
                    if *values != before {
                        let mut seen = HashSet::new();
                        values.retain(|value| !matches!(value, Scalar::Text(text) if !seen.insert(text.clone())));
                    }
                }
                _ => {}
            },
            _ => {}
        }
    }

    fn text(&self, text: &mut String) {
        if let Ok(user) = UserId::parse(text)
            && self.user(user) != user
        {
            *text = self.user(user).to_global();
        }
    }
}

/// What units are generated from.
pub(super) fn sources<'a>(units: impl Iterator<Item = &'a OrgUnitRecord>) -> HashSet<Source> {
    units.filter_map(|unit| Some(Origin::of(unit)?.source)).collect()
}
