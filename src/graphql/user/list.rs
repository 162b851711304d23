//! Pages of users: chosen and ordered by the index, then read by one call for the whole page.

use std::collections::HashMap;
use std::sync::Arc;

use async_graphql::{Context, Enum, InputObject, QueryPathSegment};
use entity::{OrgUnitId, UserId, integration_account};

use super::User;
use crate::directory::{Directory, Error, Moment, members, select};
use crate::filter::Filter;
use crate::graphql::as_of::At;
use crate::graphql::context::ContextExt;
use crate::graphql::error::{Failure, Result};
use crate::graphql::facet::UserFacets;
use crate::graphql::page::{Connection, Edge, Paging, Slice, Total, Window};
use crate::index::{self, Cursor, Index, Members, OrderBy, PageError};
use crate::record::UserRecord;
use crate::value::fold;

/// In which order users are listed. Users who are alike in it follow by id.
#[derive(Clone, Debug, InputObject)]
pub(crate) struct UserOrder {
    /// By what.
    by: UserOrderBy,
    /// With `ATTRIBUTE`: the key of the attribute. Users without a value come last in ascending order.
    attribute: Option<String>,
    /// In which direction.
    #[graphql(default_with = "OrderDirection::Asc")]
    direction: OrderDirection,
}

/// By what users are ordered.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Enum)]
pub(crate) enum UserOrderBy {
    /// By name, ignoring case.
    Name,
    /// By primary email.
    Email,
    /// By when the record was made.
    CreatedAt,
    /// By the value of a custom attribute.
    Attribute,
}

/// In which direction a list is ordered.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Enum)]
pub(crate) enum OrderDirection {
    /// From the least or earliest up.
    Asc,
    /// From the greatest or latest down.
    Desc,
}

/// A page of users, which can tell how many of all of them have each value of an attribute.
pub(crate) type UserConnection = Connection<User, UserFacets>;

/// Which users a page is of.
#[derive(Clone, Debug)]
pub(crate) enum Users {
    /// Those whom a filter selects; without one everybody.
    Selected(Option<Filter>),
    /// Those of them who are locked or not, and reviewed or not.
    Marked { filter: Option<Filter>, is_locked: Option<bool>, is_reviewed: Option<bool> },
    /// The members of an org unit.
    MembersOf(OrgUnitId),
    /// Those who report to a manager by the USER attribute of this key; so many levels of them, if that is given.
    ReportingTo(String, UserId, Option<u32>),
    /// A set that was selected before.
    Set(Members),
}

impl Users {
    fn select(&self, index: &Index) -> Result<Members> {
        Ok(match self {
            Self::Selected(filter) => select(index, filter.as_ref())?,
            Self::Marked { filter, is_locked, is_reviewed } => {
                index.marked(&select(index, filter.as_ref())?, *is_locked, *is_reviewed)
            }
            Self::MembersOf(unit) => members(index, *unit)?,
            Self::ReportingTo(key, manager, depth) => index.reports_of(key, *manager, *depth),
            Self::Set(members) => members.clone(),
        })
    }
}

impl UserOrder {
    pub(super) fn to_order(order: Option<Self>) -> Result<index::Order> {
        let Some(Self { by, attribute, direction }) = order else {
            return Ok(index::Order { by: OrderBy::Name, descending: false });
        };
        let by = match (by, attribute) {
            (UserOrderBy::Name, None) => OrderBy::Name,
            (UserOrderBy::Email, None) => OrderBy::Email,
            (UserOrderBy::CreatedAt, None) => OrderBy::Created,
            (UserOrderBy::Attribute, Some(key)) => OrderBy::Attribute(fold(&key)),
            (UserOrderBy::Attribute, None) => {
                return Err(Failure::invalid("orderBy.attribute", "MISSING", "give the attribute to order by"));
            }
            (_, Some(_)) => {
                let message = "leave it out, or order by `ATTRIBUTE`";
                return Err(Failure::invalid("orderBy.attribute", "CONTRADICTION", message));
            }
        };
        Ok(index::Order { by, descending: direction == OrderDirection::Desc })
    }
}

/// A page of users.
///
/// # Errors
/// `Invalid`, for the filter, the order or the paging; `NotFound` for the org unit.
pub(crate) async fn page(
    ctx: &Context<'_>,
    users: &Users,
    order: Option<UserOrder>,
    paging: &Paging,
) -> Result<UserConnection> {
    let directory = ctx.directory()?;
    let order = UserOrder::to_order(order)?;
    let window = paging.window(|cursor| Cursor::decode(cursor, &order).ok())?;
    let is_counted = ctx.look_ahead().field("facets").exists();
    if !reads_nodes(ctx) {
        let index = directory.index();
        let members = users.select(&index)?;
        let nothing = Slice { items: Vec::new(), has_previous: false, has_next: false };
        let page = Connection::new(nothing, Total::Known(members.len()), members.version(), |edge| edge);
        return Ok(page.with(UserFacets::new(At::Now, is_counted.then(|| (index.clone(), members)))));
    }
    let (page, members, counted) = find(directory, users, &order, &stretch(&window), is_counted)?;
    let items = read(ctx, At::Now, page.ids).await?;
    let slice = Slice { items, has_previous: page.has_previous, has_next: page.has_next };
    let edge = |(node, cursor): (User, Cursor)| Edge { cursor: cursor.encode(), node };
    let page = Connection::new(slice, Total::Known(members.len()), members.version(), edge);
    Ok(page.with(UserFacets::new(At::Now, counted.map(|index| (index, members)))))
}

/// The users of a page, each with its cursor. A user who was deleted since the index was asked is left out.
pub(super) async fn read<C>(ctx: &Context<'_>, at: At, ids: Vec<(UserId, C)>) -> Result<Vec<(User, C)>> {
    let wanted: Vec<UserId> = ids.iter().map(|(id, _)| *id).collect();
    let directory = ctx.directory()?;
    let (mut rows, mut accounts): (HashMap<UserId, Arc<UserRecord>>, _) = match at {
        _ if is_one_of_many(ctx) => {
            let rows = at.users(ctx, wanted).await?;
            (rows.into_iter().map(|record| (record.row.id, record)).collect(), None)
        }
        At::Now => {
            let (rows, accounts) = tokio::try_join!(directory.find_users(&wanted), accounts(ctx, directory, &wanted))?;
            (rows.into_iter().map(|(id, record)| (id, Arc::new(record))).collect(), accounts)
        }
        At::Then(Moment { version, .. }) => {
            let wanted: Vec<(i64, UserId)> = wanted.into_iter().map(|id| (version, id)).collect();
            let rows = directory.users_at(&wanted).await?;
            (rows.into_iter().map(|((_, id), record)| (id, Arc::new(record))).collect(), None)
        }
    };
    let items = ids.into_iter().filter_map(|(id, cursor)| {
        let record = rows.remove(&id)?;
        let accounts = accounts.as_mut().map(|all| all.remove(&id).unwrap_or_default());
        let accounts = accounts.map(|all| all.into_iter().map(Arc::new).collect());
        Some((User { record, accounts, at }, cursor))
    });
    Ok(items.collect())
}

/// Whether the page is that of one node of a list: then its users are gathered with those of the other nodes.
fn is_one_of_many(ctx: &Context<'_>) -> bool {
    std::iter::successors(ctx.path_node.as_ref(), |node| node.parent)
        .any(|node| matches!(node.segment, QueryPathSegment::Index(_)))
}

/// The accounts of the users of a page, where the document selects them: one read at once, rather than one that each
/// user waits to be gathered into.
async fn accounts(
    ctx: &Context<'_>,
    directory: &Directory,
    ids: &[UserId],
) -> std::result::Result<Option<HashMap<UserId, Vec<integration_account::Model>>>, Error> {
    if !ctx.look_ahead().field("edges").field("node").field("accounts").exists() {
        return Ok(None);
    }
    directory.accounts_of(ids).await.map(Some)
}

/// The part of a list that the index is asked for.
pub(super) fn stretch(window: &Window<Cursor>) -> index::Window<'_> {
    index::Window {
        first: (!window.from_end).then_some(window.limit),
        last: window.from_end.then_some(window.limit),
        after: window.after.as_ref(),
        before: window.before.as_ref(),
    }
}

/// Whether the document selects what is on the page; the total alone needs no page, and is asked of many org units.
pub(super) fn reads_nodes(ctx: &Context<'_>) -> bool {
    let selected = ctx.look_ahead();
    selected.field("edges").exists() || selected.field("pageInfo").exists()
}

/// Selects the users and finds the page among them, both at one version; with the index of that version where values
/// are to be counted by it.
fn find(
    directory: &Directory,
    users: &Users,
    order: &index::Order,
    window: &index::Window<'_>,
    is_counted: bool,
) -> Result<(index::Page, Members, Option<Index>)> {
    let index = directory.index();
    let members = users.select(&index)?;
    let page = index.page(&members, order, window).map_err(|error| refused(&error))?;
    Ok((page, members, is_counted.then(|| index.clone())))
}

/// What a client is told where there is no page.
pub(super) fn refused(error: &PageError) -> Failure {
    match error {
        // A set that was selected before, from an index that has been replaced since.
        PageError::OtherEpoch(error) => Failure(Error::Unavailable(Arc::new(*error))),
        PageError::UnknownAttribute(_) | PageError::NotSortable(_) => {
            Failure::invalid("orderBy.attribute", "NOT_SORTABLE", error.to_string())
        }
        PageError::Cursor(why) => Failure::invalid("after", "NOT_A_CURSOR", why.to_string()),
    }
}
