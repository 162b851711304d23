//! THE LANGUAGE. A condition tree over attributes, accounts and org units that selects users.
//!
//! A filter has three states: as written ([`Filter`], whose serde form is what GraphQL takes and, without texts, what is
//! stored), checked against the catalogue ([`Checked`]), and evaluated (by the index, or one user at a time by
//! [`matches()`]). Only a checked one can run.

mod check;
mod condition;
mod contradict;
mod day;
mod matches;
mod normalise;
mod outline;
pub mod text;

pub use check::{Account, Catalogue, Checked, Node, Test, Violation, check, check_with_texts};
pub use contradict::contradict;
pub use matches::{Facts, matches, node_matches};
pub use normalise::normalise;
pub use outline::{Line, outline};

use std::str::FromStr;

use entity::integration::IntegrationKind;
use serde::{Deserialize, Serialize, Serializer};

use crate::value::Value;

/// The deepest nesting of a filter.
pub const DEPTH: usize = 12;
/// The most conditions in a filter.
pub const CONDITIONS: usize = 200;
/// The most values in one list.
pub const VALUES: usize = 1_000;

/// A filter as written.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub enum Filter {
    /// Every one of them holds; of none: everybody.
    All(Vec<Filter>),
    /// At least one of them holds; of none: nobody.
    Any(Vec<Filter>),
    /// The exact complement.
    Not(Box<Filter>),
    /// About the name.
    Name(Condition),
    /// About any of the emails.
    Email(Condition),
    /// About one custom attribute.
    Attribute(AttributeFilter),
    /// Has an account for which all of this holds.
    Account(AccountFilter),
    /// Is a member of an org unit.
    OrgUnit(OrgUnitFilter),
    /// What a text says, which stands for its tree: never in a filter that is stored.
    Text(String),
}

/// Either form in one text: the tree as JSON, which begins with `{`, or the text form, which cannot.
impl FromStr for Filter {
    type Err = String;

    fn from_str(written: &str) -> Result<Self, Self::Err> {
        if !written.trim_start().starts_with('{') {
            return Ok(Self::Text(written.to_owned()));
        }
        serde_json::from_str(written).map_err(|why| {
            let example = r#"{"attribute":{"key":"department","is":{"equals":"Data"}}}"#;
            format!("this is not a filter: {why}; write one such as {example} or department eq \"Data\"")
        })
    }
}

/// A condition on one custom attribute.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct AttributeFilter {
    /// The attribute's key.
    pub key: String,
    /// What must hold of the value.
    pub is: Condition,
}

/// Conditions on one and the same account; what is left out is not asked.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
pub struct AccountFilter {
    /// The integration, by name or id.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub integration: Option<String>,
    /// The integration's kind.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub kind: Option<IntegrationKind>,
    /// About its username.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub username: Option<Condition>,
    /// About its email.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub email: Option<Condition>,
    /// About its display name.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub display_name: Option<Condition>,
    /// Whether a program uses it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub is_bot: Option<bool>,
}

/// Membership in an org unit.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct OrgUnitFilter {
    /// The org unit's id (`org_…`).
    pub id: String,
    /// Whether a member of a unit below it counts too.
    #[serde(default)]
    pub descendants: bool,
}

/// What must hold of one value. Which of these an attribute takes depends on its type.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub enum Condition {
    /// Is this value. Text compares folded.
    Equals(Scalar),
    /// Is one of these values.
    In(Vec<Scalar>),
    /// Text: this stands in it somewhere.
    Contains(String),
    /// Text: begins so.
    StartsWith(String),
    /// Text: ends so.
    EndsWith(String),
    /// Whether there is no value.
    IsEmpty(bool),
    /// Number or date: less than, earlier than.
    LessThan(Scalar),
    /// Number or date: at most.
    AtMost(Scalar),
    /// Number or date: greater than, later than.
    GreaterThan(Scalar),
    /// Number or date: at least.
    AtLeast(Scalar),
    /// Number or date: from one to the other, both included.
    Between(Between),
    /// `MULTI_SELECT`: has at least one of these.
    HasAny(Vec<String>),
    /// `MULTI_SELECT`: has each of these.
    HasAll(Vec<String>),
    /// USER: this user (id or email), directly or through others.
    ReportsTo(String),
}

/// The two ends of a range, both included.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Between {
    /// The least value.
    pub from: Scalar,
    /// The greatest value.
    pub to: Scalar,
}

/// A value as a client writes it; a date is text `YYYY-MM-DD` or relative to today as `now-90d`, a user an id or an email.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(untagged)]
pub enum Scalar {
    /// true or false.
    Boolean(bool),
    /// A number.
    Number(#[serde(serialize_with = "plain")] f64),
    /// Text.
    Text(String),
}

/// Writes a whole number without fraction and exponent, as it comes back from every database.
fn plain<S: Serializer>(number: &f64, serializer: S) -> Result<S::Ok, S::Error> {
    Value::Number(*number).to_stored().serialize(serializer)
}

/// A filter as it is stored, with the version of its form.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Stored {
    /// The version of the form: 1.
    pub v: u32,
    /// The filter.
    pub filter: Filter,
}

#[cfg(test)]
mod tests;
