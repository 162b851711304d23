//! Pages of users: chosen and ordered by the index, then read by one call for the whole page.

use std::collections::HashMap;
use std::sync::Arc;

use async_graphql::{Context, Enum, InputObject};
use entity::{OrgUnitId, UserId, integration_account};

use super::User;
use crate::directory::{Directory, Error};
use crate::filter::Filter;
use crate::graphql::context::ContextExt;
use crate::graphql::error::{Failure, Result};
use crate::graphql::page::{Connection, Edge, Paging, Slice, Total};
use crate::index::{self, Cursor, Members, OrderBy, PageError};
use crate::value::fold;

/// How often a set of users is selected anew where the index is replaced between selecting and paging.
const ATTEMPTS: usize = 3;

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

/// Which users a page is of.
#[derive(Clone, Debug)]
pub(crate) enum Users {
    /// Those whom a filter selects; without one everybody.
    Selected(Option<Filter>),
    /// The members of an org unit.
    MembersOf(OrgUnitId),
    /// A set that was selected before.
    Set(Members),
}

impl Users {
    fn select(&self, directory: &Directory) -> Result<Members> {
        Ok(match self {
            Self::Selected(filter) => directory.select(filter.as_ref())?,
            Self::MembersOf(unit) => directory.members(*unit)?,
            Self::Set(members) => members.clone(),
        })
    }
}

impl UserOrder {
    fn to_order(order: Option<Self>) -> Result<index::Order> {
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
) -> Result<Connection<User>> {
    let directory = ctx.directory()?;
    let order = UserOrder::to_order(order)?;
    let window = paging.window(|cursor| Cursor::decode(cursor, &order).ok())?;
    if !reads_nodes(ctx) {
        let members = users.select(directory)?;
        let nothing = Slice { items: Vec::new(), has_previous: false, has_next: false };
        return Ok(Connection::new(nothing, Total::Known(members.len()), members.version(), |edge| edge));
    }
    let window = index::Window {
        first: (!window.from_end).then_some(window.limit),
        last: window.from_end.then_some(window.limit),
        after: window.after.as_ref(),
        before: window.before.as_ref(),
    };
    let (page, members) = find(directory, users, &order, &window)?;
    let ids: Vec<UserId> = page.ids.iter().map(|(id, _)| *id).collect();
    let (mut rows, mut accounts) = tokio::try_join!(directory.find_users(&ids), accounts(ctx, directory, &ids))?;
    // A user who was deleted since the index was asked is left out.
    let items = page.ids.into_iter().filter_map(|(id, cursor)| {
        let record = Arc::new(rows.remove(&id)?);
        let accounts = accounts.as_mut().map(|all| all.remove(&id).unwrap_or_default());
        let accounts = accounts.map(|all| all.into_iter().map(Arc::new).collect());
        Some((User { record, accounts }, cursor))
    });
    let items = items.collect();
    let slice = Slice { items, has_previous: page.has_previous, has_next: page.has_next };
    Ok(Connection::new(slice, Total::Known(members.len()), members.version(), |(node, cursor)| Edge {
        cursor: cursor.encode(),
        node,
    }))
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

/// Whether the document selects what is on the page; the total alone needs no page, and is asked of many org units.
fn reads_nodes(ctx: &Context<'_>) -> bool {
    let selected = ctx.look_ahead();
    selected.field("edges").exists() || selected.field("pageInfo").exists()
}

/// Selects the users and finds the page among them, on one build of the index.
fn find(
    directory: &Directory,
    users: &Users,
    order: &index::Order,
    window: &index::Window<'_>,
) -> Result<(index::Page, Members)> {
    for _ in 0..ATTEMPTS {
        let members = users.select(directory)?;
        match directory.index().page(&members, order, window) {
            Ok(page) => return Ok((page, members)),
            Err(PageError::OtherEpoch(_)) => {}
            Err(error @ (PageError::UnknownAttribute(_) | PageError::NotSortable(_))) => {
                return Err(Failure::invalid("orderBy.attribute", "NOT_SORTABLE", error.to_string()));
            }
            Err(PageError::Cursor(why)) => return Err(Failure::invalid("after", "NOT_A_CURSOR", why.to_string())),
        }
    }
    let cause = "the index was replaced while a page was read";
    Err(Failure(Error::Unavailable(Arc::from(Box::<dyn std::error::Error + Send + Sync>::from(cause)))))
}
