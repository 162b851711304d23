//! FILTERS. The input that mirrors the filter tree, and how it becomes that tree.
//!
//! The tree's JSON and this input have one shape, so that a stored filter is also valid input. Any part may stand as text
//! instead. What does not live here:
//! what is right in a filter; the directory checks that and names the place of each mistake.

use async_graphql::{InputObject, MaybeUndefined, OneofObject};

use super::integration::IntegrationKind;
use super::scalar::FilterValue;
use crate::filter::{self, Filter};

/// Selects users: exactly one condition, or a combination of filters. Text compares ignoring case. A filter nests at
/// most 12 deep and has at most 200 conditions.
#[derive(Clone, Debug, OneofObject)]
pub(crate) enum UserFilter {
    /// Every one of these holds. An empty list holds for everybody.
    All(Vec<UserFilter>),
    /// At least one of these holds. An empty list holds for nobody.
    Any(Vec<UserFilter>),
    /// This does not hold. A user without a value is not equal to "x", so `not` of that holds for the user.
    Not(Box<UserFilter>),
    /// What must hold of the name.
    Name(Condition),
    /// What must hold of any of the user's emails.
    Email(Condition),
    /// What must hold of a custom attribute.
    Attribute(AttributeFilter),
    /// The user has an account for which all of this holds.
    Account(AccountFilter),
    /// The user is a member of an org unit.
    OrgUnit(OrgUnitFilter),
    /// The filter as text, in the grammar of RFC 7644, section 3.4.2.2, such as `department eq "Data"`; at most 64 KiB. It
    /// stands for the tree that it says.
    Text(String),
}

/// A condition on one custom attribute.
#[derive(Clone, Debug, InputObject)]
pub(crate) struct AttributeFilter {
    /// The attribute's key, such as `department`.
    key: String,
    /// What must hold of the value.
    is: Condition,
}

/// Conditions that one and the same account meets. What is left out is not asked; of `{}` any account will do.
#[derive(Clone, Debug, InputObject)]
pub(crate) struct AccountFilter {
    /// The integration, by name or id.
    integration: Option<String>,
    /// Which tool the integration connects.
    kind: Option<IntegrationKind>,
    /// What must hold of the username.
    username: Option<Condition>,
    /// What must hold of the account's email.
    email: Option<Condition>,
    /// What must hold of the name that the tool shows.
    display_name: Option<Condition>,
    /// Whether a program uses the account.
    is_bot: Option<bool>,
}

/// Membership in an org unit.
#[derive(Clone, Debug, InputObject)]
pub(crate) struct OrgUnitFilter {
    /// The org unit's id.
    id: String,
    /// Whether a member of a unit below it counts, too.
    #[graphql(default)]
    descendants: bool,
}

/// What must hold of one value: exactly one of these. Which ones fit depends on the attribute's type; without a value
/// only `isEmpty: true` holds.
#[derive(Clone, Debug, OneofObject)]
pub(crate) enum Condition {
    /// It is this value.
    Equals(FilterValue),
    /// It is one of these values, at most 1,000.
    In(Vec<FilterValue>),
    /// Text: this stands somewhere in it.
    Contains(String),
    /// Text: it begins with this.
    StartsWith(String),
    /// Text: it ends with this.
    EndsWith(String),
    /// Whether there is no value.
    IsEmpty(bool),
    /// Number or day: less or earlier than this.
    LessThan(FilterValue),
    /// Number or day: this, or less or earlier.
    AtMost(FilterValue),
    /// Number or day: greater or later than this.
    GreaterThan(FilterValue),
    /// Number or day: this, or greater or later.
    AtLeast(FilterValue),
    /// Number or day: from one to the other, both included.
    Between(Between),
    /// `MULTI_SELECT`: at least one of these options is chosen.
    HasAny(Vec<String>),
    /// `MULTI_SELECT`: each of these options is chosen.
    HasAll(Vec<String>),
    /// USER: it is this user (id or email), or somebody who reports to this user, directly or through others.
    ReportsTo(String),
}

/// The two ends of a range, both included.
#[derive(Clone, Debug, InputObject)]
pub(crate) struct Between {
    /// The least value.
    from: FilterValue,
    /// The greatest value.
    to: FilterValue,
}

impl From<UserFilter> for Filter {
    fn from(input: UserFilter) -> Self {
        let list = |filters: Vec<UserFilter>| filters.into_iter().map(Self::from).collect();
        match input {
            UserFilter::All(filters) => Self::All(list(filters)),
            UserFilter::Any(filters) => Self::Any(list(filters)),
            UserFilter::Not(filter) => Self::Not(Box::new((*filter).into())),
            UserFilter::Name(condition) => Self::Name(condition.into()),
            UserFilter::Email(condition) => Self::Email(condition.into()),
            UserFilter::Attribute(AttributeFilter { key, is }) => {
                Self::Attribute(filter::AttributeFilter { key, is: is.into() })
            }
            UserFilter::Account(account) => Self::Account(filter::AccountFilter {
                integration: account.integration,
                kind: account.kind.map(Into::into),
                username: account.username.map(Into::into),
                email: account.email.map(Into::into),
                display_name: account.display_name.map(Into::into),
                is_bot: account.is_bot,
            }),
            UserFilter::OrgUnit(OrgUnitFilter { id, descendants }) => {
                Self::OrgUnit(filter::OrgUnitFilter { id, descendants })
            }
            UserFilter::Text(text) => Self::Text(text),
        }
    }
}

impl From<Condition> for filter::Condition {
    fn from(input: Condition) -> Self {
        match input {
            Condition::Equals(value) => Self::Equals(value.0),
            Condition::In(values) => Self::In(values.into_iter().map(|value| value.0).collect()),
            Condition::Contains(text) => Self::Contains(text),
            Condition::StartsWith(text) => Self::StartsWith(text),
            Condition::EndsWith(text) => Self::EndsWith(text),
            Condition::IsEmpty(truth) => Self::IsEmpty(truth),
            Condition::LessThan(value) => Self::LessThan(value.0),
            Condition::AtMost(value) => Self::AtMost(value.0),
            Condition::GreaterThan(value) => Self::GreaterThan(value.0),
            Condition::AtLeast(value) => Self::AtLeast(value.0),
            Condition::Between(Between { from, to }) => Self::Between(filter::Between { from: from.0, to: to.0 }),
            Condition::HasAny(options) => Self::HasAny(options),
            Condition::HasAll(options) => Self::HasAll(options),
            Condition::ReportsTo(user) => Self::ReportsTo(user),
        }
    }
}

/// What a nullable input field says: nothing, "none", or a value.
pub(crate) fn told<T>(field: MaybeUndefined<T>) -> Option<Option<T>> {
    match field {
        MaybeUndefined::Undefined => None,
        MaybeUndefined::Null => Some(None),
        MaybeUndefined::Value(value) => Some(Some(value)),
    }
}
