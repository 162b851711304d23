//! SCALARS. Values that GraphQL has no type for, and how ids are read and shown.
//!
//! What does not live here: whether a value fits its attribute; the directory checks that.

use std::collections::BTreeSet;

use async_graphql::{ID, InputValueError, InputValueResult, Scalar, ScalarType, Value, from_value, to_value};
use chrono::{NaiveDate, SecondsFormat, Utc};

use super::error::{Failure, Result};
use crate::directory::Error;
use crate::filter;
use crate::value::GlobalId;

/// The most ids in one list of an input.
const IDS: usize = 10_000;

/// An id as clients see it.
pub(crate) fn to_id(id: impl GlobalId) -> ID {
    ID(id.to_global())
}

/// Reads an id that stands in the argument or input field `path`.
///
/// # Errors
/// `Invalid`, where it is no id or one of another noun.
pub(crate) fn parse_id<I: GlobalId>(id: &ID, path: &str) -> Result<I> {
    I::parse(id).map_err(|why| Failure::invalid(path, "WRONG_ID", why))
}

/// Reads a list of ids that stands in the input field `path`.
///
/// # Errors
/// `LimitExceeded`; `Invalid` for each that is no id or one of another noun.
pub(crate) fn parse_ids<I: GlobalId + Ord>(ids: &[ID], path: &'static str) -> Result<BTreeSet<I>> {
    if ids.len() > IDS {
        return Err(Failure(Error::LimitExceeded { what: "the number of ids in one list", limit: IDS as u64 }));
    }
    let mut violations = Vec::new();
    let mut parsed = BTreeSet::new();
    for (at, id) in ids.iter().enumerate() {
        match I::parse(id) {
            Ok(id) => {
                parsed.insert(id);
            }
            Err(message) => {
                violations.push(filter::Violation::new(format!("{path}[{at}]"), "WRONG_ID", message));
            }
        }
    }
    if violations.is_empty() { Ok(parsed) } else { Err(Failure(Error::Invalid(violations))) }
}

/// A moment in UTC, as RFC 3339 writes it: `2026-11-22T13:45:00.123Z`.
#[derive(Clone, Copy, Debug)]
pub(crate) struct DateTime(pub chrono::DateTime<Utc>);

/// A moment in UTC, as RFC 3339 writes it: `2026-11-22T13:45:00.123Z`.
#[Scalar(specified_by_url = "https://www.rfc-editor.org/rfc/rfc3339#section-5.6")]
impl ScalarType for DateTime {
    fn parse(value: Value) -> InputValueResult<Self> {
        match &value {
            Value::String(text) => Ok(Self(chrono::DateTime::parse_from_rfc3339(text)?.to_utc())),
            _ => Err(InputValueError::expected_type(value)),
        }
    }

    fn to_value(&self) -> Value {
        Value::String(self.0.to_rfc3339_opts(SecondsFormat::AutoSi, true))
    }
}

/// A calendar day, as RFC 3339 writes a full date: `2026-11-22`.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Date(pub NaiveDate);

/// A calendar day, as RFC 3339 writes a full date: `2026-11-22`.
#[Scalar(specified_by_url = "https://www.rfc-editor.org/rfc/rfc3339#section-5.6")]
impl ScalarType for Date {
    fn parse(value: Value) -> InputValueResult<Self> {
        match &value {
            Value::String(text) => Ok(Self(text.parse()?)),
            _ => Err(InputValueError::expected_type(value)),
        }
    }

    fn to_value(&self) -> Value {
        Value::String(self.0.to_string())
    }
}

/// Any JSON value.
#[derive(Clone, Debug)]
pub(crate) struct Json(pub serde_json::Value);

/// Any JSON value.
#[Scalar(name = "JSON", specified_by_url = "https://www.rfc-editor.org/rfc/rfc8259")]
impl ScalarType for Json {
    fn parse(value: Value) -> InputValueResult<Self> {
        Ok(Self(value.into_json()?))
    }

    fn to_value(&self) -> Value {
        to_value(&self.0).unwrap_or_default()
    }
}

/// The value of a custom attribute, as its type asks for it.
#[derive(Clone, Debug)]
pub(crate) struct AttributeInputValue(pub serde_json::Value);

/// The value of a custom attribute. What it may be depends on the attribute's type: TEXT, SELECT, EMAIL and URL take
/// text; NUMBER a number; BOOLEAN true or false; DATE text such as `2026-11-22`; `MULTI_SELECT` a list of texts; USER the
/// id or an email of a user. `null` empties the attribute. Text is read as a cell of a CSV file is, whatever the type.
#[Scalar]
impl ScalarType for AttributeInputValue {
    fn parse(value: Value) -> InputValueResult<Self> {
        let fits = match &value {
            Value::Null | Value::String(_) | Value::Number(_) | Value::Boolean(_) => true,
            Value::List(items) => items.iter().all(|item| matches!(item, Value::String(_))),
            Value::Binary(_) | Value::Enum(_) | Value::Object(_) => false,
        };
        if fits { Ok(Self(value.into_json()?)) } else { Err(InputValueError::expected_type(value)) }
    }

    fn to_value(&self) -> Value {
        to_value(&self.0).unwrap_or_default()
    }
}

/// A value in a filter's condition.
#[derive(Clone, Debug)]
pub(crate) struct FilterValue(pub filter::Scalar);

/// A value to compare with: text, a number, or true or false, as the attribute's type asks for. A day is text such as
/// `2026-11-22`, or relative to today: `now`, `now-90d`, `now+2w`, `now-6m`, `now-1y`; a user is an id or an email.
#[Scalar]
impl ScalarType for FilterValue {
    fn parse(value: Value) -> InputValueResult<Self> {
        match &value {
            Value::String(_) | Value::Number(_) | Value::Boolean(_) => Ok(Self(from_value(value)?)),
            _ => Err(InputValueError::expected_type(value)),
        }
    }

    fn to_value(&self) -> Value {
        to_value(&self.0).unwrap_or_default()
    }
}

/// A filter as it is kept.
#[derive(Clone, Debug)]
pub(crate) struct Filter(pub filter::Filter);

/// A filter as JSON of exactly the shape that the input `UserFilter` takes, so that one that was read can be edited and
/// sent back in a variable. Attributes stand in it by key; org units, integrations and users by id.
#[Scalar]
impl ScalarType for Filter {
    fn parse(value: Value) -> InputValueResult<Self> {
        Ok(Self(from_value(value)?))
    }

    fn to_value(&self) -> Value {
        to_value(&self.0).unwrap_or_default()
    }
}
