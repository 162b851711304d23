//! ORG UNITS in the API. What does not live here: units that are not saved (`preview`), units made of values (`generate`),
//! many at once (`tree`), why somebody is a member (`explain`), how members changed (`members`), and changes (`mutation`).

mod explain;
mod generate;
mod members;
mod mutation;
mod preview;
mod tree;

pub(crate) use explain::{ExplainQuery, Membership};
pub(crate) use generate::{GenerateMutation, GenerateQuery};
pub(crate) use members::OrgUnitSubscription;
pub(crate) use mutation::{DeleteOrgUnitInput, MoveOrgUnitInput, OrgUnitMutation, UpdateOrgUnitInput};
pub(crate) use preview::PreviewQuery;
use tree::OrgUnitFilterViolation;
pub(crate) use tree::TreeQuery;

use std::collections::BTreeSet;
use std::sync::Arc;

use async_graphql::{Context, Description, Enum, ID, Object};
use entity::{OrgUnitId, UserId};

use super::as_of::{AsOf, At};
use super::changeset::{Change, history};
use super::error::{Failure, Result};
use super::page::{Connection, Edge, Paging, Total};
use super::scalar::{DateTime, Filter, parse_id, to_id};
use super::user::{User, UserConnection, UserOrder, Users, page_at};
use crate::directory::generate::Origin;
use crate::directory::read_stored;
use crate::record::OrgUnitRecord;
use crate::value::GlobalId;
use generate::OrgUnitOrigin;
use members::OrgUnitMembershipChanges;

/// Among whom an org unit's filter selects.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Enum)]
#[graphql(remote = "entity::org_unit::OrgUnitScope")]
pub(crate) enum OrgUnitScope {
    /// All users.
    All,
    /// The members of the parent.
    Parent,
}

/// A node of the tree of org units. Its members are those whom its filter selects, plus the pinned users, minus the
/// excluded ones; they follow the directory as it changes.
#[derive(Clone, Debug, Description)]
pub(crate) struct OrgUnit(pub Arc<OrgUnitRecord>, pub At);

impl OrgUnit {
    /// An org unit of now.
    pub(super) fn new(record: Arc<OrgUnitRecord>) -> Self {
        Self(record, At::Now)
    }
}

#[Object(use_type_description)]
impl OrgUnit {
    /// The org unit's id.
    pub(super) async fn id(&self) -> ID {
        to_id(self.0.row.id)
    }

    /// Its name, unique among its siblings.
    async fn name(&self) -> &str {
        &self.0.row.name
    }

    /// The names from the root down to it, with `/` between: `Engineering/Platform`.
    async fn path(&self, ctx: &Context<'_>) -> Result<String> {
        Ok(self.1.index(ctx).await?.path(self.0.row.id))
    }

    /// What it is for.
    async fn description(&self) -> &str {
        &self.0.row.description
    }

    /// Among whom its filter selects.
    async fn scope(&self) -> OrgUnitScope {
        self.0.row.scope.into()
    }

    /// Its filter, in the shape of the input `UserFilter`; null where only pinned users are members, and where it is
    /// hidden.
    async fn filter(&self, ctx: &Context<'_>) -> Result<Option<Filter>> {
        match self.0.row.filter.clone() {
            Some(_) if self.1.index(ctx).await?.conceals(&self.0) => Ok(None),
            Some(stored) => Ok(Some(Filter(read_stored(stored)?))),
            None => Ok(None),
        }
    }

    /// Its filter as text, with the names of users, integrations and org units; null without a filter, and where the text would be longer than 64 KiB.
    async fn filter_text(&self, ctx: &Context<'_>) -> Result<Option<String>> {
        match self.0.row.filter.clone() {
            Some(_) if self.1.index(ctx).await?.conceals(&self.0) => Ok(None),
            Some(stored) => Ok(self.1.index(ctx).await?.filter_text(&read_stored(stored)?)),
            None => Ok(None),
        }
    }

    /// Whether its filter, and what it was generated from, is hidden, since it names an attribute that is private. Its members
    /// are the same for everybody.
    async fn is_filter_hidden(&self, ctx: &Context<'_>) -> Result<bool> {
        Ok(self.1.index(ctx).await?.conceals(&self.0))
    }

    /// What is wrong with its filter, since it was saved: it asks for something that there is no more. The filter selects
    /// nobody then, and only pinned users are members.
    async fn filter_violations(&self, ctx: &Context<'_>) -> Result<Vec<OrgUnitFilterViolation>> {
        let index = self.1.index(ctx).await?;
        if index.conceals(&self.0) {
            return Ok(Vec::new());
        }
        Ok(index.org_unit_violations(self.0.row.id).iter().map(Into::into).collect())
    }

    /// The unit above; null for a root.
    async fn parent(&self, ctx: &Context<'_>) -> Result<Option<OrgUnit>> {
        let Some(parent) = self.0.row.parent_id else { return Ok(None) };
        Ok(self.1.index(ctx).await?.org_unit(parent).map(|record| Self(record.clone(), self.1)))
    }

    /// The units right below it, by name.
    async fn children(&self, ctx: &Context<'_>) -> Result<Vec<OrgUnit>> {
        let index = self.1.index(ctx).await?;
        let children = index.org_unit_children(Some(self.0.row.id));
        let children = children.iter().filter_map(|id| index.org_unit(*id));
        Ok(children.map(|record| Self(record.clone(), self.1)).collect())
    }

    /// Its members. `members { totalCount }` alone reads no user records. With `asOf` those whom it had then, by the
    /// definition that it had then; where there was no such unit, nobody.
    #[expect(clippy::too_many_arguments, reason = "they are the field's arguments")]
    async fn members(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "In which order; by name if left out.")] order_by: Option<UserOrder>,
        #[graphql(
            desc = "Those of then, as they were, down to everything below; of the version that the org unit itself \
                          is shown at if left out."
        )]
        as_of: Option<AsOf>,
        #[graphql(desc = "The most nodes, from the start; 1 to 100. 25 if `last` is not given either.")] first: Option<
            i32,
        >,
        #[graphql(desc = "Only nodes after this cursor.")] after: Option<String>,
        #[graphql(desc = "The most nodes, from the end; 1 to 100. Not together with `first`.")] last: Option<i32>,
        #[graphql(desc = "Only nodes before this cursor.")] before: Option<String>,
    ) -> Result<UserConnection> {
        let at = self.1.or(ctx, as_of, "asOf").await?;
        page_at(ctx, at, &Users::MembersOf(self.0.row.id), order_by, &Paging { first, after, last, before }).await
    }

    /// How its members changed from one point in time to another, wherever the unit itself is shown at.
    async fn membership_changes(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "From when on.")] from: AsOf,
        #[graphql(desc = "Until when; until now if left out.")] to: Option<AsOf>,
    ) -> Result<OrgUnitMembershipChanges> {
        OrgUnitMembershipChanges::find(ctx, self.0.row.id, from, to).await
    }

    /// The users who are members whatever the filter says.
    async fn pinned_users(&self, ctx: &Context<'_>) -> Result<Vec<User>> {
        users(ctx, self.1, &self.0.pinned).await
    }

    /// The users who are never members.
    async fn excluded_users(&self, ctx: &Context<'_>) -> Result<Vec<User>> {
        users(ctx, self.1, &self.0.excluded).await
    }

    /// What it was generated from; null for a unit that a person has made, and where it is hidden.
    async fn generated_from(&self, ctx: &Context<'_>) -> Result<Option<OrgUnitOrigin>> {
        if self.1.index(ctx).await?.conceals(&self.0) {
            return Ok(None);
        }
        Ok(Origin::of(&self.0).map(|origin| OrgUnitOrigin { source: origin.source, at: self.1 }))
    }

    /// What became of the org unit at any time, newest change first.
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
        history(ctx, self.0.row.id, &Paging { first, after, last, before }).await
    }

    /// The version of the directory at which it last changed; for `expectedVersion`.
    async fn version(&self) -> i64 {
        self.0.row.version
    }

    /// When it was made.
    async fn created_at(&self) -> DateTime {
        DateTime(self.0.row.created_at)
    }

    /// When it last changed. That its members change does not count.
    async fn updated_at(&self) -> DateTime {
        DateTime(self.0.row.updated_at)
    }
}

async fn users(ctx: &Context<'_>, at: At, ids: &BTreeSet<UserId>) -> Result<Vec<User>> {
    Ok(at.users(ctx, ids.iter().copied()).await?.into_iter().map(|record| User::at(at, record)).collect())
}

/// Queries about org units.
#[derive(Debug, Default)]
pub(crate) struct OrgUnitQuery;

#[Object]
impl OrgUnitQuery {
    /// The org unit of an id, or at a path; null where there is none. Exactly one of the arguments is given.
    async fn org_unit(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "The org unit's id.")] id: Option<ID>,
        #[graphql(
            desc = "The names from the root down, with `/` between, ignoring case: `Engineering/Platform`. A `/` within a name is \
                          written as `\\/`."
        )]
        path: Option<String>,
        #[graphql(desc = "As it was then, down to everything below; as it is now if left out.")] as_of: Option<AsOf>,
    ) -> Result<Option<OrgUnit>> {
        let at = At::of(ctx, as_of, "asOf").await?;
        let index = at.index(ctx).await?;
        let found = match (id, path) {
            (Some(id), None) => index.org_unit(parse_id(&id, "id")?),
            (None, Some(path)) => index.find_org_unit(&path),
            _ => return Err(Failure::invalid("id", "EXACTLY_ONE", "give exactly one of `id` and `path`")),
        };
        Ok(found.map(|record| OrgUnit(record.clone(), at)))
    }

    /// Org units: all of them in order of their paths, or those right below one, or the roots.
    #[expect(clippy::too_many_arguments, reason = "they are the field's arguments")]
    async fn org_units(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "Only the units right below this one.")] parent_id: Option<ID>,
        #[graphql(desc = "Only the roots. Not together with `parentId`.", default)] roots_only: bool,
        #[graphql(desc = "As they were then, down to everything below; as they are now if left out.")] as_of: Option<
            AsOf,
        >,
        #[graphql(desc = "The most nodes, from the start; 1 to 100. 25 if `last` is not given either.")] first: Option<
            i32,
        >,
        #[graphql(desc = "Only nodes after this cursor.")] after: Option<String>,
        #[graphql(desc = "The most nodes, from the end; 1 to 100. Not together with `first`.")] last: Option<i32>,
        #[graphql(desc = "Only nodes before this cursor.")] before: Option<String>,
    ) -> Result<Connection<OrgUnit>> {
        let window = Paging { first, after, last, before }.window(|cursor| OrgUnitId::parse(cursor).ok())?;
        let at = At::of(ctx, as_of, "asOf").await?;
        let index = at.index(ctx).await?;
        let ids = match (parent_id, roots_only) {
            (Some(_), true) => {
                return Err(Failure::invalid("rootsOnly", "CONTRADICTION", "give `parentId` or `rootsOnly`, not both"));
            }
            (Some(parent), false) => {
                let parent = parse_id(&parent, "parentId")?;
                index.org_unit(parent).ok_or_else(|| Failure::missing(parent))?;
                index.org_unit_children(Some(parent)).to_vec()
            }
            (None, true) => index.org_unit_children(None).to_vec(),
            (None, false) => index.org_unit_order(None).into_iter().map(|(id, _)| id).collect(),
        };
        let total = Total::Known(ids.len() as u64);
        let slice = window.cut(ids, |id| *id).filter_map(|id| index.org_unit(id).cloned());
        Ok(Connection::new(slice, total, index.version(), |record| Edge {
            cursor: record.row.id.to_global(),
            node: OrgUnit(record, at),
        }))
    }
}
