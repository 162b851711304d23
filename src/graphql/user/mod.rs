//! USERS in the API: the record and the queries. What does not live here: values (`value`), pages (`list`), managers and
//! reports (`manager`), changes (`mutation`).

mod erase;
mod list;
mod manager;
mod merge;
mod mutation;
mod review;
mod split;
mod then;
mod value;

pub(crate) use erase::{EraseMutation, SubjectQuery};
pub(crate) use list::{UserConnection, UserOrder, Users, page};
pub(crate) use merge::{MergeChoiceInput, MergeMutation, MergeQuery, MergeUsersInput, choices, subjects};
pub(crate) use mutation::{DeleteUserInput, UpdateUserInput, UserMutation};
pub(crate) use review::ReviewMutation;
pub(crate) use split::{SplitMutation, SplitQuery, SplitUserInput};
pub(crate) use then::page_at;
pub(crate) use value::AttributeValue;

use std::sync::Arc;

use async_graphql::{Context, Description, ID, Object};
use entity::{UserId, integration_account};

use super::as_of::{AsOf, At};
use super::attribute;
use super::changeset::{Change, history};
use super::context::ContextExt;
use super::error::{Failure, Result};
use super::filter::UserFilter;
use super::integration_account::IntegrationAccount;
use super::loader::MembershipsOf;
use super::org_unit::{Membership, OrgUnit};
use super::page::{Connection, Paging};
use super::scalar::{DateTime, parse_id, to_id};
use crate::index::Reason;
use crate::record::{OrgUnitRecord, UserRecord};
use crate::value::fold;

/// A person's record. Being in the directory grants nobody access to anything.
#[derive(Clone, Debug, Description)]
pub(crate) struct User {
    record: Arc<UserRecord>,
    /// The accounts, where they were read together with those of the other users on a page.
    accounts: Option<Arc<[Arc<integration_account::Model>]>>,
    at: At,
}

impl User {
    /// A user of now, of whom nothing but the record is at hand.
    pub(super) fn new(record: Arc<UserRecord>) -> Self {
        Self::at(At::Now, record)
    }

    /// A user of whom nothing but the record is at hand.
    pub(super) fn at(at: At, record: Arc<UserRecord>) -> Self {
        Self { record, accounts: None, at }
    }

    /// The user of an id, gathered with the other users the document asks for.
    pub(super) async fn find(ctx: &Context<'_>, id: UserId) -> Result<Option<Self>> {
        Self::find_at(ctx, At::Now, id).await
    }

    /// The user of an id as it was, gathered likewise. An id stands for whoever its user has become part of.
    pub(super) async fn find_at(ctx: &Context<'_>, at: At, id: UserId) -> Result<Option<Self>> {
        if let Some(record) = at.user(ctx, id).await? {
            return Ok(Some(Self::at(at, record)));
        }
        let holder = at.index(ctx).await?.merged_into(id);
        match holder {
            Some(holder) => Ok(at.user(ctx, holder).await?.map(|record| Self::at(at, record))),
            None => Ok(None),
        }
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

    /// Whether automation leaves the user and the user's accounts as they are.
    async fn is_locked(&self) -> bool {
        self.record.row.is_locked
    }

    /// Whether a person has said that the record is right.
    async fn is_reviewed(&self) -> bool {
        self.record.row.reviewed_at.is_some()
    }

    /// When a person last said that the record is right. It may have changed since: compare `updatedAt`.
    async fn reviewed_at(&self) -> Option<DateTime> {
        self.record.row.reviewed_at.map(DateTime)
    }

    /// Who last said that the record is right.
    async fn reviewed_by(&self) -> Option<&str> {
        self.record.row.reviewed_by.as_deref()
    }

    /// The ids of users who became part of this one. Each stands for this user wherever an id is asked for.
    async fn merged_ids(&self) -> Vec<ID> {
        self.record.merged_ids.iter().map(|id| to_id(*id)).collect()
    }

    /// The values of custom attributes, in the order of the attributes, empty ones included.
    async fn attributes(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "Only the attributes of these keys, in this order. An unknown key is an error.")] keys: Option<
            Vec<String>,
        >,
    ) -> Result<Vec<AttributeValue>> {
        let index = self.at.index(ctx).await?;
        let value =
            |attribute: &Arc<entity::attribute::Model>| AttributeValue::of(self.at, &index, attribute, &self.record);
        let Some(keys) = keys else {
            return Ok(index.attributes().iter().filter(|attribute| !attribute.is_built_in).map(value).collect());
        };
        let mut values = Vec::with_capacity(keys.len().min(index.attributes().len()));
        for (at, key) in keys.iter().enumerate() {
            let custom = index.attributes().iter().filter(|attribute| !attribute.is_built_in);
            let known = attribute::find(custom, "custom attribute", key, format!("keys[{at}]"))?;
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
        let index = self.at.index(ctx).await?;
        let known = index.attribute(&fold(&key)).filter(|attribute| !attribute.is_built_in);
        Ok(known.map(|attribute| AttributeValue::of(self.at, &index, attribute, &self.record)))
    }

    /// The user's accounts, in order of their integrations.
    async fn accounts(&self, ctx: &Context<'_>) -> Result<Vec<IntegrationAccount>> {
        let accounts = match &self.accounts {
            Some(accounts) => accounts.clone(),
            None => self.at.accounts_of(ctx, self.record.row.id).await?,
        };
        Ok(accounts.iter().map(|account| IntegrationAccount(account.clone(), self.at)).collect())
    }

    /// The org units that the user is a member of, in order of their paths.
    async fn org_units(&self, ctx: &Context<'_>) -> Result<Vec<OrgUnit>> {
        let units = ctx.load(MembershipsOf(self.record.row.id, self.at)).await?;
        let unit = |(unit, _): &(Arc<OrgUnitRecord>, Reason)| OrgUnit(unit.clone(), self.at);
        Ok(units.iter().flat_map(|units| units.iter()).map(unit).collect())
    }

    /// The org units that the user is a member of, in order of their paths, each with why.
    async fn memberships(&self, ctx: &Context<'_>) -> Result<Vec<Membership>> {
        let units = ctx.load(MembershipsOf(self.record.row.id, self.at)).await?;
        let membership = |(unit, reason): &(Arc<OrgUnitRecord>, Reason)| {
            Membership::new(self.at, self.record.clone(), unit.clone(), *reason)
        };
        Ok(units.iter().flat_map(|units| units.iter()).map(membership).collect())
    }

    /// Whom the user names as manager.
    async fn manager(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "The key of the USER attribute that names managers; may be left out where there is one.")]
        attribute: Option<String>,
    ) -> Result<Option<User>> {
        manager::manager(ctx, self.at, self.record.row.id, attribute).await
    }

    /// The user's manager, the manager's manager, and so on up to the top.
    async fn managers(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "The key of the USER attribute that names managers; may be left out where there is one.")]
        attribute: Option<String>,
        #[graphql(desc = "The most nodes, from the start; 1 to 100. 25 if `last` is not given either.")] first: Option<
            i32,
        >,
        #[graphql(desc = "Only nodes after this cursor.")] after: Option<String>,
        #[graphql(desc = "The most nodes, from the end; 1 to 100. Not together with `first`.")] last: Option<i32>,
        #[graphql(desc = "Only nodes before this cursor.")] before: Option<String>,
    ) -> Result<UserConnection> {
        manager::managers(ctx, self.at, self.record.row.id, attribute, &Paging { first, after, last, before }).await
    }

    /// Those who name the user as manager. `directReports { totalCount }` alone reads no user records.
    #[expect(clippy::too_many_arguments, reason = "they are the field's arguments")]
    async fn direct_reports(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "The key of the USER attribute that names managers; may be left out where there is one.")]
        attribute: Option<String>,
        #[graphql(desc = "In which order; by name if left out.")] order_by: Option<UserOrder>,
        #[graphql(desc = "The most nodes, from the start; 1 to 100. 25 if `last` is not given either.")] first: Option<
            i32,
        >,
        #[graphql(desc = "Only nodes after this cursor.")] after: Option<String>,
        #[graphql(desc = "The most nodes, from the end; 1 to 100. Not together with `first`.")] last: Option<i32>,
        #[graphql(desc = "Only nodes before this cursor.")] before: Option<String>,
    ) -> Result<UserConnection> {
        let paging = Paging { first, after, last, before };
        manager::reports(ctx, self.at, self.record.row.id, (attribute, Some(1)), order_by, &paging).await
    }

    /// Those who report to the user, directly or through others: whom `reportsTo` selects in a filter.
    /// `reports { totalCount }` alone reads no user records.
    #[expect(clippy::too_many_arguments, reason = "they are the field's arguments")]
    async fn reports(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "The key of the USER attribute that names managers; may be left out where there is one.")]
        attribute: Option<String>,
        #[graphql(desc = "At most so many levels: 1 is those who name the user themselves. All if left out.")]
        depth: Option<i32>,
        #[graphql(desc = "In which order; by name if left out.")] order_by: Option<UserOrder>,
        #[graphql(desc = "The most nodes, from the start; 1 to 100. 25 if `last` is not given either.")] first: Option<
            i32,
        >,
        #[graphql(desc = "Only nodes after this cursor.")] after: Option<String>,
        #[graphql(desc = "The most nodes, from the end; 1 to 100. Not together with `first`.")] last: Option<i32>,
        #[graphql(desc = "Only nodes before this cursor.")] before: Option<String>,
    ) -> Result<UserConnection> {
        let paging = Paging { first, after, last, before };
        manager::reports(ctx, self.at, self.record.row.id, (attribute, depth), order_by, &paging).await
    }

    /// What became of the record at any time, newest change first.
    async fn history(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "One of `mergedIds`: what became of the record that had this id, up to the merge.")]
        merged_id: Option<ID>,
        #[graphql(desc = "The most nodes, from the start; 1 to 100. 25 if `last` is not given either.")] first: Option<
            i32,
        >,
        #[graphql(desc = "Only nodes after this cursor.")] after: Option<String>,
        #[graphql(desc = "The most nodes, from the end; 1 to 100. Not together with `first`.")] last: Option<i32>,
        #[graphql(desc = "Only nodes before this cursor.")] before: Option<String>,
    ) -> Result<Connection<Change>> {
        let id = match merged_id {
            None => self.record.row.id,
            Some(id) => {
                let known = parse_id(&id, "mergedId")?;
                if !self.record.merged_ids.contains(&known) {
                    let message = "this id is not one of the user's `mergedIds`";
                    return Err(Failure::invalid("mergedId", "UNKNOWN_USER", message));
                }
                known
            }
        };
        history(ctx, id, &Paging { first, after, last, before }).await
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
        #[graphql(desc = "As it was then, down to everything below; as it is now if left out.")] as_of: Option<AsOf>,
    ) -> Result<Option<User>> {
        let at = At::of(ctx, as_of, "asOf").await?;
        let found = match (id, email) {
            (Some(id), None) => Some(parse_id(&id, "id")?),
            (None, Some(email)) => {
                let email =
                    crate::value::Email::parse(&email).map_err(|why| Failure::invalid("email", "NOT_AN_EMAIL", why))?;
                at.index(ctx).await?.user_with_email(email.as_str())
            }
            _ => return Err(Failure::invalid("id", "EXACTLY_ONE", "give exactly one of `id` and `email`")),
        };
        match found {
            Some(id) => User::find_at(ctx, at, id).await,
            None => Ok(None),
        }
    }

    /// The users that a filter selects; without a filter everybody. With `asOf` the filter is of then, too: it may ask
    /// about the attributes, options, integrations and org units that there were, with what they were.
    #[expect(clippy::too_many_arguments, reason = "they are the field's arguments")]
    async fn users(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "Whom to select.")] filter: Option<UserFilter>,
        #[graphql(desc = "Of those, only users who are locked (true), or who are not (false).")] is_locked: Option<
            bool,
        >,
        #[graphql(desc = "Of those, only users whom a person has reviewed (true), or nobody has (false).")]
        is_reviewed: Option<bool>,
        #[graphql(desc = "In which order; by name if left out.")] order_by: Option<UserOrder>,
        #[graphql(desc = "As they were then, down to everything below; as they are now if left out.")] as_of: Option<
            AsOf,
        >,
        #[graphql(desc = "The most nodes, from the start; 1 to 100. 25 if `last` is not given either.")] first: Option<
            i32,
        >,
        #[graphql(desc = "Only nodes after this cursor.")] after: Option<String>,
        #[graphql(desc = "The most nodes, from the end; 1 to 100. Not together with `first`.")] last: Option<i32>,
        #[graphql(desc = "Only nodes before this cursor.")] before: Option<String>,
    ) -> Result<UserConnection> {
        let filter = filter.map(Into::into);
        let at = At::of(ctx, as_of, "asOf").await?;
        let users = match (is_locked, is_reviewed) {
            (None, None) => Users::Selected(filter),
            _ => Users::Marked { filter, is_locked, is_reviewed },
        };
        page_at(ctx, at, &users, order_by, &Paging { first, after, last, before }).await
    }
}
