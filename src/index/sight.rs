//! An index as somebody sees it: without the attributes that are private to others.
//!
//! What it holds is the same, so that org units have the members that they have for everybody; what names are looked up
//! in is not. What does not live here: who sees it, which is the directory's to know.

use std::sync::Arc;

use entity::AttributeId;
use entity::attribute;
use entity::token::Role;
use serde_json::Value as Json;

use super::Index;
use crate::record::OrgUnitRecord;

/// As whom an index is seen.
#[derive(Clone)]
pub(super) struct Sight {
    role: Role,
    /// Attributes that are hidden even where their rows do not say so.
    hidden: Arc<[AttributeId]>,
}

impl Default for Sight {
    fn default() -> Self {
        Self { role: Role::Admin, hidden: Arc::default() }
    }
}

impl Sight {
    pub(super) fn sees(&self, row: &attribute::Model) -> bool {
        row.is_readable_by(self.role) && !self.hidden.contains(&row.id)
    }
}

impl Index {
    /// The index as `role` sees it, without the attributes that the role may not read, and without `hidden`. It is of the
    /// same epoch.
    #[must_use]
    pub fn seen_by(&self, role: Role, hidden: &[AttributeId]) -> Self {
        let mut seen = self.clone();
        seen.attributes.see_as(Sight { role, hidden: hidden.into() });
        seen
    }

    /// The attributes that a role may not read.
    #[must_use]
    pub fn hidden_from(&self, role: Role) -> Vec<AttributeId> {
        let all = self.attributes.all().iter();
        all.filter(|row| !row.is_readable_by(role)).map(|row| row.id).collect()
    }

    /// Whether an attribute may be shown, as it is or as it was at another time.
    #[must_use]
    pub fn sees(&self, row: &attribute::Model) -> bool {
        self.attributes.sight().sees(row)
            && self.attributes.all().iter().all(|known| known.id != row.id || self.attributes.sight().sees(known))
    }

    /// Whether how an org unit chooses its members is hidden here, since its filter, or what it was generated from, names
    /// an attribute that is.
    #[must_use]
    pub fn conceals(&self, unit: &OrgUnitRecord) -> bool {
        self.attributes.is_partial() && self.names_unseen(unit)
    }

    /// Whether an org unit, as it is or as it was at another time, names an attribute that is not to be found here.
    #[must_use]
    pub fn names_unseen(&self, unit: &OrgUnitRecord) -> bool {
        let stored = [&unit.row.filter, &unit.row.origin];
        stored.into_iter().flatten().any(|json| names(json, &|key| self.attribute(key).is_none()))
    }
}

/// Whether `is_meant` holds of the key of any attribute that a stored filter or origin names.
fn names(json: &Json, is_meant: &dyn Fn(&str) -> bool) -> bool {
    match json {
        Json::Object(members) => {
            let named = members.get("attribute").and_then(|named| named.get("key").unwrap_or(named).as_str());
            named.is_some_and(is_meant) || members.values().any(|member| names(member, is_meant))
        }
        Json::Array(items) => items.iter().any(|item| names(item, is_meant)),
        Json::Null | Json::Bool(_) | Json::Number(_) | Json::String(_) => false,
    }
}
