//! Managers and reports of a user, by the tree that a USER attribute makes.

use std::sync::Arc;

use async_graphql::Context;
use entity::UserId;
use entity::attribute::{self, AttributeType};

use super::list::read;
use super::{User, UserConnection, UserOrder, Users, page_at};
use crate::directory::manager_attribute;
use crate::filter::Filter;
use crate::graphql::as_of::At;
use crate::graphql::error::{Failure, Result};
use crate::graphql::facet::UserFacets;
use crate::graphql::page::{Connection, Edge, Paging, Slice, Total};
use crate::index::Index;
use crate::value::GlobalId;

/// The attribute that says who reports to whom; none where no attribute names users, so that nobody has a manager.
fn tree(index: &Index, key: Option<&str>) -> Result<Option<Arc<attribute::Model>>> {
    let names_users = |attribute: &Arc<attribute::Model>| attribute.r#type == AttributeType::User;
    if key.is_none() && !index.attributes().iter().any(names_users) {
        return Ok(None);
    }
    Ok(Some(manager_attribute(index, key, "attribute")?))
}

/// The manager of a user.
pub(super) async fn manager(
    ctx: &Context<'_>,
    at: At,
    user: UserId,
    attribute: Option<String>,
) -> Result<Option<User>> {
    let manager = {
        let index = at.index(ctx).await?;
        tree(&index, attribute.as_deref())?.and_then(|attribute| index.refers_to(&attribute.key, user))
    };
    match manager {
        Some(manager) => User::find_at(ctx, at, manager).await,
        None => Ok(None),
    }
}

/// The managers of a user, the nearest first.
pub(super) async fn managers(
    ctx: &Context<'_>,
    at: At,
    user: UserId,
    attribute: Option<String>,
    paging: &Paging,
) -> Result<UserConnection> {
    let window = paging.window(|cursor| UserId::parse(cursor).ok())?;
    let is_counted = ctx.look_ahead().field("facets").exists();
    let (all, version, facets) = {
        let index = at.index(ctx).await?;
        let attribute = tree(&index, attribute.as_deref())?;
        let all = attribute.map(|attribute| index.managers_of(&attribute.key, user)).unwrap_or_default();
        let facets = UserFacets::new(at, is_counted.then(|| (index.clone(), index.these(&all))));
        (all, index.version(), facets)
    };
    let total = Total::Known(all.len() as u64);
    let Slice { items, has_previous, has_next } = window.cut(all, |id| *id);
    let items = read(ctx, at, items.into_iter().map(|id| (id, id)).collect()).await?;
    let slice = Slice { items, has_previous, has_next };
    let edge = |(node, id): (User, UserId)| Edge { cursor: id.to_global(), node };
    Ok(Connection::new(slice, total, version, edge).with(facets))
}

/// Those who report to a user: so many levels of them, if `depth` is given.
pub(super) async fn reports(
    ctx: &Context<'_>,
    at: At,
    user: UserId,
    (attribute, depth): (Option<String>, Option<i32>),
    order: Option<UserOrder>,
    paging: &Paging,
) -> Result<UserConnection> {
    let depth = match depth {
        None => None,
        Some(depth) => Some(u32::try_from(depth).ok().filter(|depth| *depth > 0).ok_or_else(|| {
            Failure::invalid("depth", "OUT_OF_BOUNDS", format!("give 1 or more levels, not {depth}"))
        })?),
    };
    let users = match tree(&*at.index(ctx).await?, attribute.as_deref())? {
        Some(attribute) => Users::ReportingTo(attribute.key.clone(), user, depth),
        None => Users::Selected(Some(Filter::Any(Vec::new()))),
    };
    page_at(ctx, at, &users, order, paging).await
}
