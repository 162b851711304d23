//! The custom attributes: each with its column, and for USER attributes who reports to whom.

use std::sync::Arc;

use entity::attribute::{self, AttributeType};
use entity::{AttributeId, UserId};
use uuid::Uuid;

use super::NONE;
use super::column::{Column, encode};
use super::users::Users;
use crate::value::Key;

/// The attributes and the columns of the custom ones.
#[derive(Clone, Default)]
pub(super) struct Attributes {
    rows: Vec<Arc<attribute::Model>>,
    pub(super) columns: Vec<AttributeColumn>,
}

/// The column of one custom attribute.
#[derive(Clone)]
pub(super) struct AttributeColumn {
    pub(super) row: Arc<attribute::Model>,
    pub(super) column: Column,
    /// Of USER: the ordinal of the user that each code names.
    people: Vec<u32>,
}

impl Attributes {
    pub(super) fn rows(&self) -> &[Arc<attribute::Model>] {
        &self.rows
    }

    pub(super) fn find(&self, key: &str) -> Option<&AttributeColumn> {
        self.columns.iter().find(|column| column.row.key == key)
    }

    /// Takes in an attribute that is new or has changed.
    pub(super) fn put(&mut self, row: attribute::Model) {
        let row = Arc::new(row);
        match self.rows.iter_mut().find(|known| known.id == row.id) {
            Some(known) => *known = Arc::clone(&row),
            None => self.rows.push(Arc::clone(&row)),
        }
        self.rows.sort_by_key(|row| (row.position, row.id));
        if row.is_built_in {
            return;
        }
        match self.columns.iter_mut().find(|known| known.row.id == row.id) {
            Some(known) => {
                if known.row.r#type != row.r#type {
                    known.column = retype(&known.column, known.row.r#type, row.r#type);
                    known.people.clear();
                }
                known.row = row;
            }
            None => self.columns.push(AttributeColumn { row, column: Column::new(true), people: Vec::new() }),
        }
    }

    pub(super) fn remove(&mut self, id: AttributeId) {
        self.rows.retain(|row| row.id != id);
        self.columns.retain(|column| column.row.id != id);
    }

    /// Gives a user the values of a stored document.
    pub(super) fn set(&mut self, at: u32, document: &serde_json::Value) {
        for AttributeColumn { row, column, .. } in &mut self.columns {
            let value = document.get(&row.key).and_then(|stored| encode(row.r#type, stored));
            column.set(at, value.as_deref());
        }
    }

    pub(super) fn clear(&mut self, at: u32) {
        for column in &mut self.columns {
            column.column.set(at, None);
        }
    }

    /// Brings the columns up to date after changes; `users` with the ids of those who came or went.
    pub(super) fn settle(&mut self, users: &Users, came_or_went: &[UserId]) {
        for AttributeColumn { row, column, people } in &mut self.columns {
            column.settle();
            if row.r#type != AttributeType::User {
                continue;
            }
            for code in super::ordinal(people.len())..super::ordinal(column.values.len()) {
                let id = Uuid::from_slice(column.values.value(code)).ok();
                people.push(id.and_then(|id| users.find(UserId(id))).unwrap_or(NONE));
            }
            for id in came_or_went {
                if let Some(code) = column.values.find(id.0.as_bytes()) {
                    people[code as usize] = users.find(*id).unwrap_or(NONE);
                }
            }
        }
    }

    pub(super) fn reserve(&mut self, users: usize) {
        for column in &mut self.columns {
            column.column.codes.reserve(users);
        }
    }

    pub(super) fn shrink(&mut self) {
        for column in &mut self.columns {
            column.column.shrink();
            column.people.shrink_to_fit();
        }
    }
}

impl AttributeColumn {
    /// The codes of the users who are `manager` or report to them: whoever has one of these values reports to
    /// `manager`. Each code is looked at once, however the chains run, circles included.
    pub(super) fn below(&self, manager: UserId) -> Vec<u32> {
        let Some(top) = self.column.values.find(manager.0.as_bytes()) else { return Vec::new() };
        let mut below: Vec<Option<bool>> = vec![None; self.column.values.len()];
        let mut path = Vec::new();
        below[0] = Some(false);
        below[top as usize] = Some(true);
        for start in 1..super::ordinal(self.column.values.len()) {
            let mut code = start;
            // Counting a code as outside while its chain is followed ends a circle; the walk sets it right.
            while below[code as usize].is_none() {
                below[code as usize] = Some(false);
                path.push(code);
                code = self.above(code);
            }
            let outcome = below[code as usize];
            for code in path.drain(..) {
                below[code as usize] = outcome;
            }
        }
        (0..).zip(below).filter(|(_, is_below)| *is_below == Some(true)).map(|(code, _)| code).collect()
    }

    /// The code of the manager of the manager that a code names; 0 where the chain ends.
    fn above(&self, code: u32) -> u32 {
        match self.people.get(code as usize) {
            Some(&person) if person != NONE => self.column.codes.code(person),
            _ => 0,
        }
    }

    /// Whether a user reports to the manager of a code, directly or through others.
    pub(super) fn reports_to(&self, at: u32, manager: u32) -> bool {
        let mut code = self.column.codes.code(at);
        // Brent's way of noticing a circle: the mark moves on at every power of two.
        let (mut mark, mut steps, mut limit) = (code, 0_u32, 1_u32);
        while code != 0 {
            if code == manager {
                return true;
            }
            code = self.above(code);
            if code == mark {
                return false;
            }
            steps += 1;
            if steps == limit {
                (mark, steps, limit) = (code, 0, limit.saturating_mul(2));
            }
        }
        false
    }
}

/// A column as a fresh index would have it after the attribute's type alone has changed: the documents of users whose
/// stored value is the same text in both types need no change of their own.
fn retype(old: &Column, from: AttributeType, to: AttributeType) -> Column {
    let mut column = Column::new(true);
    let values: Vec<Option<Vec<u8>>> = (0..super::ordinal(old.values.len()))
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
