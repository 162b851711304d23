//! FACETS. How many of some users have each value of an attribute.
//!
//! The index counts, and knows text folded; how people write a value is read from one record of each that is shown.

use std::collections::HashMap;
use std::sync::Arc;

use async_graphql::{Context, Description, Object};
use entity::attribute::{self, AttributeType};
use entity::{UserId, integration};

use super::as_of::At;
use super::attribute::{Attribute, find};
use super::context::ContextExt;
use super::error::{Failure, Result};
use super::filter::UserFilter;
use super::page::{Connection, Edge, Paging, Slice, Total};
use super::scalar::Filter;
use super::user::AttributeValue;
use crate::directory::{Error, select};
use crate::filter::{self, AccountFilter, AttributeFilter, Condition, Scalar};
use crate::index::{Facet, FacetCursor, FacetWindow, Facets, Index, Members};
use crate::record::UserRecord;
use crate::value::{GlobalId, Value, fold, show};

/// The most attributes that are counted by at once.
const KEYS: usize = 20;

/// A page of values, with how many users were counted.
type AttributeValueConnection = Connection<AttributeValueCount, Counted>;

/// Users who are counted, and the index of the version that they were selected at.
#[derive(Clone)]
struct Users {
    at: At,
    index: Index,
    members: Members,
}

/// What a page of users tells of all users in its list.
pub(crate) struct UserFacets(Option<Arc<Users>>);

impl UserFacets {
    /// Counts among `members` as `index` knows them; without them nothing is asked for.
    pub(crate) fn new(at: At, counted: Option<(Index, Members)>) -> Self {
        Self(counted.map(|(index, members)| Arc::new(Users { at, index, members })))
    }
}

#[Object]
impl UserFacets {
    /// How many of all users in the list, on whatever page, have each value of some attributes.
    async fn facets(
        &self,
        #[graphql(desc = "The keys of the attributes, at most 20; also `name`, `email` and `integration`.")] keys: Vec<
            String,
        >,
    ) -> Result<Vec<AttributeFacet>> {
        if keys.len() > KEYS {
            return Err(Failure(Error::LimitExceeded {
                what: "the number of attributes in one call",
                limit: KEYS as u64,
            }));
        }
        let users = self.0.as_ref().ok_or_else(|| Failure(Error::internal("the list was read without its facets")))?;
        let facet = |(at, key): (usize, &String)| {
            let attribute = find(users.index.attributes().iter(), "attribute", key, format!("keys[{at}]"))?;
            Ok(AttributeFacet { attribute: Arc::clone(attribute), users: Arc::clone(users) })
        };
        keys.iter().enumerate().map(facet).collect()
    }
}

/// How many of some users have each value of an attribute.
#[derive(Description)]
pub(crate) struct AttributeFacet {
    attribute: Arc<attribute::Model>,
    users: Arc<Users>,
}

#[Object(use_type_description)]
impl AttributeFacet {
    /// The attribute.
    async fn attribute(&self) -> Attribute {
        Attribute(Arc::clone(&self.attribute))
    }

    /// The values, the most frequent first; those that are as frequent in their own order, users in that of their
    /// emails.
    async fn values(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "Only values in which this stands, ignoring case; of a user, name and email.")] search: Option<
            String,
        >,
        #[graphql(desc = "The most nodes, from the start; 1 to 100. 25 if `last` is not given either.")] first: Option<
            i32,
        >,
        #[graphql(desc = "Only nodes after this cursor.")] after: Option<String>,
        #[graphql(desc = "The most nodes, from the end; 1 to 100. Not together with `first`.")] last: Option<i32>,
        #[graphql(desc = "Only nodes before this cursor.")] before: Option<String>,
    ) -> Result<AttributeValueConnection> {
        let paging = Paging { first, after, last, before };
        count(ctx, &self.users, &self.attribute, search.as_deref(), &paging).await
    }
}

/// A value of an attribute, and how many users have it.
#[derive(Debug, Description)]
pub(crate) struct AttributeValueCount {
    value: AttributeValue,
    count: u64,
    filter: filter::Filter,
}

#[Object(use_type_description, serial)]
impl AttributeValueCount {
    /// The value, as one of these users has it written: values that differ in case alone are one. Of `MULTI_SELECT` one
    /// option; of `integration` the name of one integration.
    async fn value(&self) -> &AttributeValue {
        &self.value
    }

    /// How many of the users have it.
    async fn count(&self) -> u64 {
        self.count
    }

    /// A filter that selects all users who have it, to be combined with the one by which was counted.
    async fn filter(&self) -> Filter {
        Filter(self.filter.clone())
    }
}

/// What a page of values tells of the users.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Counted {
    users: u64,
    without: u64,
}

#[Object(serial)]
impl Counted {
    /// How many users were counted, with a value or without.
    async fn user_count(&self) -> u64 {
        self.users
    }

    /// How many of them have no value.
    async fn empty_count(&self) -> u64 {
        self.without
    }
}

/// A page of the values of an attribute among users.
async fn count(
    ctx: &Context<'_>,
    Users { at, index, members }: &Users,
    attribute: &Arc<attribute::Model>,
    search: Option<&str>,
    paging: &Paging,
) -> Result<AttributeValueConnection> {
    let window = paging.window(|cursor| FacetCursor::decode(cursor, &attribute.key))?;
    let window = FacetWindow {
        search,
        after: window.after.as_ref(),
        before: window.before.as_ref(),
        limit: window.limit,
        from_end: window.from_end,
    };
    let replaced = |error| Failure(Error::Unavailable(Arc::new(error)));
    let facets = index.facets(members, &attribute.key, &window).map_err(replaced)?;
    let Some(facets) = facets else {
        return Err(Failure(Error::internal("the attribute is not in the index that it was taken from")));
    };
    let Facets { values, has_next, has_previous, distinct, members, without } = facets;
    let examples = at.users(ctx, values.iter().filter_map(|facet| facet.example)).await?;
    let examples: HashMap<UserId, Arc<UserRecord>> = examples.into_iter().map(|user| (user.row.id, user)).collect();
    let node = |facet: Facet| {
        let example = facet.example.and_then(|id| examples.get(&id));
        let value = spelled(index, attribute, &facet, example.map(Arc::as_ref))?;
        let filter = having(attribute, &value);
        let value = AttributeValue::new(*at, index, attribute, Some(value));
        Some((facet.cursor, AttributeValueCount { value, count: facet.count, filter }))
    };
    let slice = Slice { items: values, has_previous, has_next }.filter_map(node);
    let counted = Counted { users: members, without };
    let edge = |(cursor, node): (FacetCursor, _)| Edge { cursor: cursor.encode(), node };
    Ok(Connection::new(slice, Total::Known(distinct), index.version(), edge).with(counted))
}

/// A value as people write it: as the attribute spells its options, an integration its name, and else the example.
fn spelled(index: &Index, attribute: &attribute::Model, facet: &Facet, example: Option<&UserRecord>) -> Option<Value> {
    if attribute.r#type == AttributeType::Integration {
        let name = |integration: &Arc<integration::Model>| Value::Text(integration.name.clone());
        return index.integration(facet.integration()?).map(name);
    }
    let folded = facet.value(attribute.r#type)?;
    let example = example.and_then(|user| match attribute.key.as_str() {
        "name" => Some(user.row.name.as_str()),
        key => user.row.attributes.get(key)?.as_str(),
    });
    let options = attribute.options.as_array().into_iter().flatten().filter_map(serde_json::Value::as_str);
    // A record may have moved on since it was counted.
    let as_written = |text: &str| options.chain(example).find(|written| fold(written) == text).map(str::to_owned);
    Some(match folded {
        Value::Text(text) => Value::Text(as_written(&text).unwrap_or(text)),
        Value::Options(mut options) => {
            let option = options.pop()?;
            Value::Options(vec![as_written(&option).unwrap_or(option)])
        }
        other => other,
    })
}

/// The filter that selects the users who have a value.
fn having(attribute: &attribute::Model, value: &Value) -> filter::Filter {
    let equals = |text: &str| Condition::Equals(Scalar::Text(text.to_owned()));
    let is = match value {
        Value::Text(text) => match (attribute.key.as_str(), attribute.r#type) {
            (_, AttributeType::Integration) => {
                let account = AccountFilter { integration: Some(text.clone()), ..AccountFilter::default() };
                return filter::Filter::Account(account);
            }
            ("name", _) => return filter::Filter::Name(equals(text)),
            ("email", _) => return filter::Filter::Email(equals(text)),
            _ => equals(text),
        },
        Value::Number(number) => Condition::Equals(Scalar::Number(*number)),
        Value::Boolean(truth) => Condition::Equals(Scalar::Boolean(*truth)),
        Value::Date(_) => equals(&show(value, |_| None)),
        Value::Options(options) => Condition::HasAny(options.clone()),
        Value::User(user) => equals(&user.to_global()),
    };
    filter::Filter::Attribute(AttributeFilter { key: attribute.key.clone(), is })
}

/// Queries about values.
#[derive(Debug, Default)]
pub(crate) struct FacetQuery;

#[Object]
impl FacetQuery {
    /// The values that users have of an attribute, the most frequent first, each with how many have it.
    #[expect(clippy::too_many_arguments, reason = "they are the field's arguments")]
    async fn attribute_values(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "The attribute's key, such as `department`; also `name`, `email` and `integration`.")]
        key: String,
        #[graphql(desc = "Among whom to count; everybody if left out.")] filter: Option<UserFilter>,
        #[graphql(desc = "Only values in which this stands, ignoring case; of a user, name and email.")] search: Option<
            String,
        >,
        #[graphql(desc = "The most nodes, from the start; 1 to 100. 25 if `last` is not given either.")] first: Option<
            i32,
        >,
        #[graphql(desc = "Only nodes after this cursor.")] after: Option<String>,
        #[graphql(desc = "The most nodes, from the end; 1 to 100. Not together with `first`.")] last: Option<i32>,
        #[graphql(desc = "Only nodes before this cursor.")] before: Option<String>,
    ) -> Result<AttributeValueConnection> {
        let index = ctx.directory()?.snapshot();
        let attribute = Arc::clone(find(index.attributes().iter(), "attribute", &key, "key")?);
        let members = select(&index, filter.map(Into::into).as_ref())?;
        let paging = Paging { first, after, last, before };
        count(ctx, &Users { at: At::Now, index, members }, &attribute, search.as_deref(), &paging).await
    }
}
