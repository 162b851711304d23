//! THE GUARD. What one document may ask, checked before anything runs; needs no schema.
//!
//! The library has limits of its own, but applies them after walks that expand every spread of a fragment, so that a
//! kilobyte of fragments that spread each other keeps a processor busy for minutes. Here a fragment is measured once
//! and its measure is added wherever it is spread; the work is linear in the length of the document. All operations are
//! measured, not only the one to run, because the library walks all of them.
//!
//! What does not live here: whether the fields exist and the arguments fit. That is validation, which comes after.

mod measure;
#[cfg(test)]
mod tests;

use async_graphql::parser::types::{DocumentOperations, ExecutableDocument, OperationDefinition, Selection};
use async_graphql::{ServerError, Value, Variables};

use crate::config::{Limits, Switch};
pub use measure::Measure;
use measure::Walk;

/// The deepest nesting of selection sets, through fragments too. Above what `max_depth` lets through, and low enough
/// that no walk can exhaust a thread's stack.
const NESTING: u32 = 32;
/// The deepest nesting of fields below `__schema` and `__type`: the standard query of GraphQL tools has 13 to 15.
const INTROSPECTION_DEPTH: u32 = 20;
/// The most fields below `__schema` and `__type`: the standard query has about 350.
const INTROSPECTION_FIELDS: u32 = 1_000;
/// How many lists of the schema may stand in each other (`fields { type { fields`). Each multiplies the reply by the
/// size of the schema; the standard query has one in another.
const INTROSPECTION_LISTS: u32 = 2;

/// What the library puts in the place of an uploaded file; it panics on one that it did not put there.
const UPLOAD_MARK: &str = "#__graphql_file__:";

/// Why a document is refused.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Refusal {
    /// It asks for more than it may.
    #[error("the request's {what} is limited to {limit}; it is {actual}")]
    Limit {
        /// What is limited.
        what: &'static str,
        /// The most that it may be.
        limit: u32,
        /// What it is; stops counting at the largest `u32`.
        actual: u32,
    },
    /// A fragment spreads itself, directly or through others.
    #[error("the fragment `{name}` spreads itself")]
    Cycle {
        /// The fragment's name.
        name: String,
    },
    /// It asks for the schema, where that is switched off.
    #[error("this server does not tell its schema")]
    Introspection,
    /// A text poses as an uploaded file.
    #[error("no text may begin with `{UPLOAD_MARK}`")]
    ForgedUpload,
}

impl From<Refusal> for ServerError {
    fn from(refusal: Refusal) -> Self {
        let mut error = ServerError::new(refusal.to_string(), None);
        let extensions = error.extensions.get_or_insert_default();
        match refusal {
            Refusal::Limit { what, limit, actual } => {
                extensions.set("code", "LIMIT_EXCEEDED");
                extensions.set("what", what);
                extensions.set("limit", limit);
                extensions.set("actual", actual);
            }
            Refusal::Introspection => extensions.set("code", "FORBIDDEN"),
            Refusal::Cycle { .. } | Refusal::ForgedUpload => extensions.set("code", "BAD_REQUEST"),
        }
        error
    }
}

/// Checks what `document` asks against `limits`, and that no text in it or in `variables` poses as an uploaded file.
/// Call it before uploads are put into the variables.
///
/// # Errors
///
/// Every limit that is exceeded, with its numbers.
pub fn check(document: &ExecutableDocument, variables: &Variables, limits: &Limits) -> Result<Measure, Vec<Refusal>> {
    let definitions = u32::try_from(document.operations.iter().len() + document.fragments.len()).unwrap_or(u32::MAX);
    if definitions > limits.max_definitions {
        // Before the walk: its recursion is bounded by the number of fragments.
        return Err(vec![Refusal::Limit {
            what: "number of operations and fragments",
            limit: limits.max_definitions,
            actual: definitions,
        }]);
    }
    if variables.values().any(poses_as_upload) {
        return Err(vec![Refusal::ForgedUpload]);
    }
    let measure = Walk::new(document, variables, limits).run().map_err(|refusal| vec![refusal])?;
    if limits.introspection == Switch::Off && measure.introspection.fields > 0 {
        return Err(vec![Refusal::Introspection]);
    }
    let refusals: Vec<Refusal> = [
        ("depth", limits.max_depth, measure.depth),
        ("number of fields", limits.max_fields, measure.fields),
        ("number of fragment spreads", limits.max_fields, measure.spreads),
        ("number of aliases", limits.max_aliases, measure.aliases),
        ("number of directives", limits.max_directives, measure.directives),
        ("number of root fields", limits.max_root_fields, measure.root_fields),
        ("cost", limits.max_cost, measure.cost),
        ("depth of introspection", INTROSPECTION_DEPTH, measure.introspection.depth),
        ("number of introspection fields", INTROSPECTION_FIELDS, measure.introspection.fields),
        ("nesting of introspection lists", INTROSPECTION_LISTS, measure.introspection.lists),
    ]
    .into_iter()
    .filter(|(_, limit, actual)| actual > limit)
    .map(|(what, limit, actual)| Refusal::Limit { what, limit, actual })
    .collect();
    if refusals.is_empty() { Ok(measure) } else { Err(refusals) }
}

/// The operation that would run: the one of that name, or the only one.
#[must_use]
pub fn operation<'d>(document: &'d ExecutableDocument, name: Option<&str>) -> Option<&'d OperationDefinition> {
    match (&document.operations, name) {
        (DocumentOperations::Single(operation), None) => Some(&operation.node),
        (DocumentOperations::Single(_), Some(_)) => None,
        (DocumentOperations::Multiple(operations), Some(name)) => operations.get(name).map(|found| &found.node),
        (DocumentOperations::Multiple(operations), None) if operations.len() == 1 => {
            operations.values().next().map(|found| &found.node)
        }
        (DocumentOperations::Multiple(_), None) => None,
    }
}

/// Whether a subscription is of one stream of events: it selects one field, which is none of introspection, and nothing
/// on the way to it may leave it out. The library runs a subscription of several fields, or of none, as if it were one.
#[must_use]
pub fn has_one_event(subscription: &OperationDefinition) -> bool {
    let [item] = subscription.selection_set.node.items.as_slice() else { return false };
    let Selection::Field(field) = &item.node else { return false };
    let is_conditional = |name: &str| matches!(name, "skip" | "include");
    !field.node.name.node.starts_with("__")
        && !field.node.directives.iter().any(|directive| is_conditional(&directive.node.name.node))
}

/// Whether a text anywhere in `value` looks like the mark of an uploaded file.
fn poses_as_upload(value: &Value) -> bool {
    match value {
        Value::String(text) => text.starts_with(UPLOAD_MARK),
        Value::List(items) => items.iter().any(poses_as_upload),
        Value::Object(fields) => fields.values().any(poses_as_upload),
        Value::Null | Value::Number(_) | Value::Boolean(_) | Value::Binary(_) | Value::Enum(_) => false,
    }
}
