//! An org unit as somebody edits it: whom it would have, and what saving it would change.

use async_graphql::{Context, Description, ID, InputObject, MaybeUndefined, Object};
use entity::OrgUnitId;

use super::OrgUnitScope;
use crate::directory::{self, OrgUnitDraft};
use crate::graphql::context::ContextExt;
use crate::graphql::error::Result;
use crate::graphql::filter::{UserFilter, told};
use crate::graphql::page::{Connection, Paging};
use crate::graphql::scalar::{parse_id, parse_ids};
use crate::graphql::user::{User, UserOrder, Users, page};

/// An org unit that is not saved. With `id` it is a change to a saved one, and what is left out is as it is there.
#[derive(Debug, InputObject)]
pub(crate) struct PreviewOrgUnitInput {
    /// The saved unit that it would change; left out for a new one.
    id: Option<ID>,
    /// The unit above; null for a root.
    parent_id: MaybeUndefined<ID>,
    /// Among whom its filter selects; `ALL` for a new unit if left out.
    scope: Option<OrgUnitScope>,
    /// Its filter; null for none.
    filter: MaybeUndefined<UserFilter>,
    /// The ids of all pinned users, at most 10,000.
    pinned: Option<Vec<ID>>,
    /// The ids of all excluded users, at most 10,000.
    excluded: Option<Vec<ID>>,
}

/// Whom an org unit that is not saved would have.
#[derive(Debug, Description)]
pub(crate) struct OrgUnitPreview(directory::OrgUnitPreview);

#[Object(use_type_description)]
impl OrgUnitPreview {
    /// The members it would have.
    async fn members(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "In which order; by name if left out.")] order_by: Option<UserOrder>,
        #[graphql(desc = "The most nodes, from the start; 1 to 100. 25 if `last` is not given either.")] first: Option<
            i32,
        >,
        #[graphql(desc = "Only nodes after this cursor.")] after: Option<String>,
        #[graphql(desc = "The most nodes, from the end; 1 to 100. Not together with `first`.")] last: Option<i32>,
        #[graphql(desc = "Only nodes before this cursor.")] before: Option<String>,
    ) -> Result<Connection<User>> {
        let users = Users::Set(self.0.members.clone());
        page(ctx, &users, order_by, &Paging { first, after, last, before }).await
    }

    /// Those of them whom the saved unit does not have; of a new unit all.
    async fn added(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "In which order; by name if left out.")] order_by: Option<UserOrder>,
        #[graphql(desc = "The most nodes, from the start; 1 to 100. 25 if `last` is not given either.")] first: Option<
            i32,
        >,
        #[graphql(desc = "Only nodes after this cursor.")] after: Option<String>,
        #[graphql(desc = "The most nodes, from the end; 1 to 100. Not together with `first`.")] last: Option<i32>,
        #[graphql(desc = "Only nodes before this cursor.")] before: Option<String>,
    ) -> Result<Connection<User>> {
        let users = Users::Set(self.0.added.clone());
        page(ctx, &users, order_by, &Paging { first, after, last, before }).await
    }

    /// The members of the saved unit whom it would not have.
    async fn removed(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "In which order; by name if left out.")] order_by: Option<UserOrder>,
        #[graphql(desc = "The most nodes, from the start; 1 to 100. 25 if `last` is not given either.")] first: Option<
            i32,
        >,
        #[graphql(desc = "Only nodes after this cursor.")] after: Option<String>,
        #[graphql(desc = "The most nodes, from the end; 1 to 100. Not together with `first`.")] last: Option<i32>,
        #[graphql(desc = "Only nodes before this cursor.")] before: Option<String>,
    ) -> Result<Connection<User>> {
        let users = Users::Set(self.0.removed.clone());
        page(ctx, &users, order_by, &Paging { first, after, last, before }).await
    }
}

/// Trying org units out.
#[derive(Debug, Default)]
pub(crate) struct PreviewQuery;

#[Object]
impl PreviewQuery {
    /// Whom an org unit would have if it were saved so. Nothing is saved.
    async fn preview_org_unit(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "The org unit as it would be saved.")] input: PreviewOrgUnitInput,
    ) -> Result<OrgUnitPreview> {
        let ids = |ids: Option<Vec<ID>>, path| ids.map(|ids| parse_ids(&ids, path)).transpose();
        let parent: Option<Option<OrgUnitId>> = match told(input.parent_id) {
            Some(Some(parent)) => Some(Some(parse_id(&parent, "parentId")?)),
            Some(None) => Some(None),
            None => None,
        };
        let draft = OrgUnitDraft {
            id: input.id.map(|id| parse_id(&id, "id")).transpose()?,
            parent_id: parent,
            scope: input.scope.map(Into::into),
            filter: told(input.filter).map(|filter| filter.map(Into::into)),
            pinned: ids(input.pinned, "pinned")?,
            excluded: ids(input.excluded, "excluded")?,
        };
        Ok(OrgUnitPreview(ctx.directory()?.preview_org_unit(draft)?))
    }
}
