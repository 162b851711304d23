//! Pages of users as they were: chosen by the index of then, and read from what has not changed since, or the log.

use async_graphql::Context;

use super::list::{Users, read, reads_nodes, refused, stretch};
use super::{User, UserConnection, UserOrder, page};
use crate::directory::Error;
use crate::filter::Filter;
use crate::graphql::as_of::At;
use crate::graphql::context::ContextExt;
use crate::graphql::error::{Failure, Result};
use crate::graphql::facet::UserFacets;
use crate::graphql::page::{Connection, Edge, Paging, Slice, Total};
use crate::index::{Cursor, Index, Members};

/// A page of users as they are or were.
///
/// # Errors
/// As [`page`], but that an org unit that there was not has no members; `LimitExceeded`, where the answer would be made
/// of too many versions.
pub(crate) async fn page_at(
    ctx: &Context<'_>,
    at: At,
    users: &Users,
    order: Option<UserOrder>,
    paging: &Paging,
) -> Result<UserConnection> {
    let At::Then(moment) = at else { return page(ctx, users, order, paging).await };
    let order = UserOrder::to_order(order)?;
    let window = paging.window(|cursor| Cursor::decode(cursor, &order).ok())?;
    let index = ctx.versions()?.index(ctx.directory()?, moment).await?;
    let version = moment.version;
    let members = select(&index, users)?;
    let total = Total::Known(members.len());
    let is_counted = ctx.look_ahead().field("facets").exists();
    let facets = UserFacets::new(at, is_counted.then(|| (index.as_ref().clone(), members.clone())));
    if !reads_nodes(ctx) {
        let nothing = Slice { items: Vec::new(), has_previous: false, has_next: false };
        return Ok(Connection::new(nothing, total, version, |edge| edge).with(facets));
    }
    let page = index.page(&members, &order, &stretch(&window)).map_err(|error| refused(&error))?;
    let items = read(ctx, at, page.ids).await?;
    let slice = Slice { items, has_previous: page.has_previous, has_next: page.has_next };
    let edge = |(node, cursor): (User, Cursor)| Edge { cursor: cursor.encode(), node };
    Ok(Connection::new(slice, total, version, edge).with(facets))
}

fn select(index: &Index, users: &Users) -> Result<Members> {
    Ok(match users {
        Users::Selected(filter) => selected(index, filter.as_ref())?,
        Users::Marked { filter, is_locked, is_reviewed } => {
            index.marked(&selected(index, filter.as_ref())?, *is_locked, *is_reviewed)
        }
        Users::MembersOf(unit) => index.members_of_unit(*unit),
        Users::ReportingTo(key, manager, depth) => index.reports_of(key, *manager, *depth),
        Users::Set(members) => members.clone(),
    })
}

fn selected(index: &Index, filter: Option<&Filter>) -> Result<Members> {
    let Some(filter) = filter else { return Ok(index.everybody()) };
    Ok(index.select(&index.check(filter).map_err(|violations| Failure(Error::Invalid(violations)))?))
}
