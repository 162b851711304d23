//! The custom attributes: each with its column, and for USER attributes who reports to whom.

use std::sync::{Arc, OnceLock};

use entity::attribute::{self, AttributeType};
use entity::{AttributeId, UserId};
use uuid::Uuid;

use super::column::{Column, encode};
use super::reports::Reports;
use super::sight::Sight;
use super::users::Users;
use super::{NONE, ordinal};
use crate::value::Key;

/// The attributes and the columns of the custom ones.
#[derive(Clone, Default)]
pub(super) struct Attributes {
    rows: Vec<Arc<attribute::Model>>,
    /// Those of them that are seen.
    seen: Vec<Arc<attribute::Model>>,
    sight: Sight,
    pub(super) columns: Vec<AttributeColumn>,
}

/// The column of one custom attribute.
#[derive(Clone)]
pub(super) struct AttributeColumn {
    pub(super) row: Arc<attribute::Model>,
    pub(super) column: Arc<Column>,
    /// Of USER: the ordinal of the user that each code names.
    people: Arc<Vec<u32>>,
    /// Of USER: who reports to whom, once somebody has asked since the last change.
    reports: OnceLock<Arc<Reports>>,
}

impl Attributes {
    /// Those that are seen.
    pub(super) fn seen(&self) -> &[Arc<attribute::Model>] {
        &self.seen
    }

    pub(super) fn all(&self) -> &[Arc<attribute::Model>] {
        &self.rows
    }

    pub(super) fn sight(&self) -> &Sight {
        &self.sight
    }

    pub(super) fn is_partial(&self) -> bool {
        self.seen.len() < self.rows.len()
    }

    pub(super) fn see_as(&mut self, sight: Sight) {
        self.sight = sight;
        self.look();
    }

    fn look(&mut self) {
        self.seen = self.rows.iter().filter(|row| self.sight.sees(row)).cloned().collect();
    }

    pub(super) fn find(&self, key: &str) -> Option<&AttributeColumn> {
        self.columns.iter().find(|column| column.row.key == key)
    }

    /// Whether values of an attribute, as it is given here, have been taken in all along; built-in ones have none.
    pub(super) fn has(&self, row: &attribute::Model) -> bool {
        let is_same = |known: &AttributeColumn| known.row.id == row.id && known.row.r#type == row.r#type;
        row.is_built_in || self.columns.iter().any(is_same)
    }

    /// Takes in an attribute that is new or has changed.
    pub(super) fn put(&mut self, row: attribute::Model) {
        let row = Arc::new(row);
        match self.rows.iter_mut().find(|known| known.id == row.id) {
            Some(known) => *known = Arc::clone(&row),
            None => self.rows.push(Arc::clone(&row)),
        }
        self.rows.sort_by_key(|row| (row.position, row.id));
        self.look();
        if row.is_built_in {
            return;
        }
        match self.columns.iter_mut().find(|known| known.row.id == row.id) {
            Some(known) => {
                if known.row.r#type != row.r#type {
                    known.column = Arc::new(retype(&known.column, known.row.r#type, row.r#type));
                    known.people = Arc::default();
                    known.reports = OnceLock::new();
                }
                known.row = row;
            }
            None => {
                let column = Arc::new(Column::new(true));
                self.columns.push(AttributeColumn { row, column, people: Arc::default(), reports: OnceLock::new() });
            }
        }
    }

    pub(super) fn remove(&mut self, id: AttributeId) {
        self.rows.retain(|row| row.id != id);
        self.look();
        self.columns.retain(|column| column.row.id != id);
    }

    /// Gives a user the values of a stored document.
    pub(super) fn set(&mut self, at: u32, document: &serde_json::Value) {
        for AttributeColumn { row, column, reports, .. } in &mut self.columns {
            let value = document.get(&row.key).and_then(|stored| encode(row.r#type, stored));
            if column.value(at) != value.as_deref() {
                Arc::make_mut(column).set(at, value.as_deref());
                *reports = OnceLock::new();
            }
        }
    }

    pub(super) fn clear(&mut self, at: u32) {
        for AttributeColumn { column, reports, .. } in &mut self.columns {
            if column.value(at).is_some() {
                Arc::make_mut(column).set(at, None);
                *reports = OnceLock::new();
            }
        }
    }

    /// Brings up to date whom values name, after changes; `users` with the ids of those who came or went.
    pub(super) fn meet(&mut self, users: &Users, came_or_went: &[UserId]) {
        for AttributeColumn { row, column, people, reports } in &mut self.columns {
            if row.r#type != AttributeType::User {
                continue;
            }
            let place = |id: UserId| users.find(id).unwrap_or(NONE);
            for code in ordinal(people.len())..ordinal(column.values.len()) {
                let id = Uuid::from_slice(column.values.value(code)).ok();
                Arc::make_mut(people).push(id.map_or(NONE, |id| place(UserId(id))));
                *reports = OnceLock::new();
            }
            for id in came_or_went {
                if let Some(code) = column.values.find(id.0.as_bytes())
                    && people[code as usize] != place(*id)
                {
                    Arc::make_mut(people)[code as usize] = place(*id);
                    *reports = OnceLock::new();
                }
            }
        }
    }

    /// Brings the columns up to date after changes.
    pub(super) fn settle(&mut self) {
        for AttributeColumn { column, .. } in &mut self.columns {
            if !column.is_settled() {
                Arc::make_mut(column).settle();
            }
        }
    }

    pub(super) fn reserve(&mut self, users: usize) {
        for AttributeColumn { column, .. } in &mut self.columns {
            Arc::make_mut(column).codes.reserve(users);
        }
    }

    /// Gives back what was reserved for growth, of what no copy shares.
    pub(super) fn shrink(&mut self) {
        for AttributeColumn { column, people, .. } in &mut self.columns {
            if let Some(column) = Arc::get_mut(column) {
                column.shrink();
            }
            if let Some(people) = Arc::get_mut(people) {
                people.shrink_to_fit();
            }
        }
    }
}

impl AttributeColumn {
    /// Who reports to whom; worked out when it is first asked for after a change.
    pub(super) fn tree(&self) -> &Reports {
        self.reports.get_or_init(|| Arc::new(Reports::new(self)))
    }

    /// The manager that a code names; none where there is no such user.
    pub(super) fn manager(&self, code: u32) -> Option<u32> {
        self.people.get(code as usize).copied().filter(|person| *person != NONE)
    }

    /// The code of the manager of the manager that a code names; 0 where the chain ends.
    pub(super) fn above(&self, code: u32) -> u32 {
        self.manager(code).map_or(0, |person| self.column.codes.code(person))
    }
}

/// A column as a fresh index would have it after the attribute's type alone has changed: the documents of users whose
/// stored value is the same text in both types need no change of their own.
fn retype(old: &Column, from: AttributeType, to: AttributeType) -> Column {
    let mut column = Column::new(true);
    let values: Vec<Option<Vec<u8>>> = (0..ordinal(old.values.len()))
        .map(|code| {
            stored_form(from, old.values.value(code)).filter(|_| code != 0).and_then(|stored| encode(to, &stored))
        })
        .collect();
    old.codes.for_each(|at, code| {
        if let Some(value) = values.get(code as usize).and_then(Option::as_deref) {
            column.set(at, Some(value));
        }
    });
    column.settle();
    column
}

/// What a document holds for a value of a column, as far as its folded form tells.
pub(super) fn stored_form(r#type: AttributeType, value: &[u8]) -> Option<serde_json::Value> {
    let text = || std::str::from_utf8(value).ok().map(str::to_owned);
    Some(match r#type {
        AttributeType::Text | AttributeType::Select | AttributeType::Email | AttributeType::Url => text()?.into(),
        AttributeType::Date => Key::verbatim(value).to_date()?.to_string().into(),
        AttributeType::Number => Key::verbatim(value).to_number()?.into(),
        AttributeType::Boolean => (value == [1]).into(),
        AttributeType::User => Uuid::from_slice(value).ok()?.simple().to_string().into(),
        AttributeType::MultiSelect => super::column::options(value)
            .map(|option| std::str::from_utf8(option).unwrap_or_default())
            .collect::<Vec<_>>()
            .into(),
        AttributeType::Integration => return None,
    })
}
