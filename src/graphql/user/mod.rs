//! USERS in the API: the record and the queries. What does not live here: values (`value`), pages (`list`), changes
//! (`mutation`).

mod list;
mod mutation;
mod value;

pub(crate) use list::UserOrder;
pub(crate) use list::{Users, page};
pub(crate) use mutation::UserMutation;
pub(crate) use value::AttributeValue;

use std::sync::Arc;

use async_graphql::{Context, Description, ID, Object};
use entity::{UserId, integration_account};

use super::changeset::{Change, history};
use super::context::ContextExt;
use super::error::{Failure, Result};
use super::filter::UserFilter;
use super::integration_account::IntegrationAccount;
use super::loader::{AccountsOf, OrgUnitsOf};
use super::org_unit::OrgUnit;
use super::page::{Connection, Paging};
use super::scalar::{DateTime, parse_id, to_id};
use crate::record::UserRecord;
use crate::value::{fold, nearest, shorten};

/// A person's record. Being in the directory grants nobody access to anything.
#[derive(Clone, Debug, Description)]
pub(crate) struct User {
    record: Arc<UserRecord>,
    /// The accounts, where they were read together with those of the other users on a page.
    accounts: Option<Arc<[Arc<integration_account::Model>]>>,
}

impl User {
    /// A user of whom nothing but the record is at hand.
    pub(super) fn new(record: Arc<UserRecord>) -> Self {
        Self { record, accounts: None }
    }

    /// The user of an id, gathered with the other users the document asks for.
    pub(super) async fn find(ctx: &Context<'_>, id: UserId) -> Result<Option<Self>> {
        Ok(ctx.load(id).await?.map(Self::new))
    }
}

#[Object(use_type_description)]
impl User {
    /// The user's id.
    pub(super) async fn id(&self) -> ID {
        to_id(self.record.row.id)
    }

    /// The name as people write it.
    async fn name(&self) -> &str {
        &self.record.row.name
    }

    /// The primary email. It names one user.
    async fn email(&self) -> &str {
        &self.record.row.email
    }

    /// Further emails of the user. Accounts with one of them are associated with this user, too.
    async fn further_emails(&self) -> Vec<&str> {
        self.record.further_emails.iter().map(String::as_str).collect()
    }

    /// Whether the record was made from an account and no person or import has changed it since.
    async fn is_automatic(&self) -> bool {
        self.record.row.is_automatic
    }

    /// The values of custom attributes, in the order of the attributes, empty ones included.
    async fn attributes(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "Only the attributes of these keys, in this order. An unknown key is an error.")] keys: Option<
            Vec<String>,
        >,
    ) -> Result<Vec<AttributeValue>> {
        let index = ctx.directory()?.index();
        let value = |attribute: &Arc<entity::attribute::Model>| AttributeValue::of(&index, attribute, &self.record);
        let Some(keys) = keys else {
            return Ok(index.attributes().iter().filter(|attribute| !attribute.is_built_in).map(value).collect());
        };
        let mut values = Vec::with_capacity(keys.len().min(index.attributes().len()));
        for (at, key) in keys.iter().enumerate() {
            let known = index.attribute(&fold(key)).filter(|attribute| !attribute.is_built_in).ok_or_else(|| {
                let known = index.attributes().iter().filter(|attribute| !attribute.is_built_in);
                let hint = match nearest(key, known.map(|attribute| attribute.key.as_str())) {
                    Some(near) => format!("; did you mean `{near}`?"),
                    None => String::new(),
                };
                let message = format!("there is no custom attribute `{}`{hint}", shorten(key));
                Failure::invalid(format!("keys[{at}]"), "UNKNOWN_ATTRIBUTE", message)
            })?;
            values.push(value(known));
        }
        Ok(values)
    }

    /// The value of one custom attribute; null where there is no such attribute.
    async fn attribute(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "The attribute's key, such as `department`.")] key: String,
    ) -> Result<Option<AttributeValue>> {
        let index = ctx.directory()?.index();
        let known = index.attribute(&fold(&key)).filter(|attribute| !attribute.is_built_in);
        Ok(known.map(|attribute| AttributeValue::of(&index, attribute, &self.record)))
    }

    /// The user's accounts, in order of their integrations.
    async fn accounts(&self, ctx: &Context<'_>) -> Result<Vec<IntegrationAccount>> {
        let accounts = match &self.accounts {
            Some(accounts) => Some(accounts.clone()),
            None => ctx.load(AccountsOf(self.record.row.id)).await?,
        };
        Ok(accounts.iter().flat_map(|accounts| accounts.iter()).cloned().map(IntegrationAccount).collect())
    }

    /// The org units that the user is a member of, in order of their paths.
    async fn org_units(&self, ctx: &Context<'_>) -> Result<Vec<OrgUnit>> {
        let units = ctx.load(OrgUnitsOf(self.record.row.id)).await?;
        Ok(units.iter().flat_map(|units| units.iter()).cloned().map(OrgUnit).collect())
    }

    /// What became of the record, newest change first.
    async fn history(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "The most nodes, from the start; 1 to 100. 25 if `last` is not given either.")] first: Option<
            i32,
        >,
        #[graphql(desc = "Only nodes after this cursor.")] after: Option<String>,
        #[graphql(desc = "The most nodes, from the end; 1 to 100. Not together with `first`.")] last: Option<i32>,
        #[graphql(desc = "Only nodes before this cursor.")] before: Option<String>,
    ) -> Result<Connection<Change>> {
        history(ctx, self.record.row.id, &Paging { first, after, last, before }).await
    }

    /// The version of the directory at which the record last changed; for `expectedVersion`.
    async fn version(&self) -> i64 {
        self.record.row.version
    }

    /// When the record was made.
    async fn created_at(&self) -> DateTime {
        DateTime(self.record.row.created_at)
    }

    /// When the record last changed.
    async fn updated_at(&self) -> DateTime {
        DateTime(self.record.row.updated_at)
    }
}

/// Queries about users.
#[derive(Debug, Default)]
pub(crate) struct UserQuery;

#[Object]
impl UserQuery {
    /// The user of an id, or with an email; null where there is none. Exactly one of the arguments is given.
    async fn user(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "The user's id.")] id: Option<ID>,
        #[graphql(desc = "Any of the user's emails, ignoring case.")] email: Option<String>,
    ) -> Result<Option<User>> {
        let found = match (id, email) {
            (Some(id), None) => Some(parse_id(&id, "id")?),
            (None, Some(email)) => {
                let email =
                    crate::value::Email::parse(&email).map_err(|why| Failure::invalid("email", "NOT_AN_EMAIL", why))?;
                ctx.directory()?.index().user_with_email(email.as_str())
            }
            _ => return Err(Failure::invalid("id", "EXACTLY_ONE", "give exactly one of `id` and `email`")),
        };
        match found {
            Some(id) => User::find(ctx, id).await,
            None => Ok(None),
        }
    }

    /// The users that a filter selects; without a filter everybody.
    #[expect(clippy::too_many_arguments, reason = "they are the field's arguments")]
    async fn users(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "Whom to select.")] filter: Option<UserFilter>,
        #[graphql(desc = "In which order; by name if left out.")] order_by: Option<UserOrder>,
        #[graphql(desc = "The most nodes, from the start; 1 to 100. 25 if `last` is not given either.")] first: Option<
            i32,
        >,
        #[graphql(desc = "Only nodes after this cursor.")] after: Option<String>,
        #[graphql(desc = "The most nodes, from the end; 1 to 100. Not together with `first`.")] last: Option<i32>,
        #[graphql(desc = "Only nodes before this cursor.")] before: Option<String>,
    ) -> Result<Connection<User>> {
        let filter = filter.map(Into::into);
        page(ctx, &Users::Selected(filter), order_by, &Paging { first, after, last, before }).await
    }
}
