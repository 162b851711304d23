//! PAGES. The one place for lists in parts, after the Relay connection specification: arguments, edges, page info.
//!
//! Objects whose fields have little to wait for are `serial`, here and in the nouns: a field that is polled with others
//! costs twice as much, and a page has thousands. What does not live here: how each list is read; every noun's file does
//! that from a [`Window`].

use async_graphql::{ContainerType, Context, Object, OutputType, SimpleObject, TypeName};
use std::borrow::Cow;
use uuid::Uuid;

use super::context::ContextExt;
use super::error::{Failure, Result};
use crate::directory::{AccountQuery, DiffQuery, IdRange, Range};
use crate::value::{GlobalId, shorten};
use entity::{IntegrationAccountId, IntegrationId, OrgUnitId};

/// The most nodes of one page.
const LARGEST: i32 = 100;
/// The nodes of a page where neither `first` nor `last` is given.
const DEFAULT: usize = 25;

/// The arguments of a list, as given.
#[derive(Clone, Debug, Default)]
pub(crate) struct Paging {
    /// The most nodes, from the start.
    pub first: Option<i32>,
    /// Only what stands after this cursor.
    pub after: Option<String>,
    /// The most nodes, from the end.
    pub last: Option<i32>,
    /// Only what stands before this cursor.
    pub before: Option<String>,
}

/// Which part of a list, checked.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Window<C> {
    /// Only what stands after this place.
    pub after: Option<C>,
    /// Only what stands before this place.
    pub before: Option<C>,
    /// The most nodes; 1 to 100.
    pub limit: usize,
    /// Whether to take the last nodes rather than the first.
    pub from_end: bool,
}

impl Paging {
    /// Checks the arguments; `read` reads a cursor.
    ///
    /// # Errors
    /// `Invalid`, where `first` and `last` are both given or out of bounds, or a cursor is none of this list.
    pub(super) fn window<C>(&self, read: impl Fn(&str) -> Option<C>) -> Result<Window<C>> {
        let size = |path: &str, size: i32| {
            usize::try_from(size).ok().filter(|_| (1..=LARGEST).contains(&size)).ok_or_else(|| {
                Failure::invalid(path, "OUT_OF_BOUNDS", format!("a page has 1 to {LARGEST} nodes, not {size}"))
            })
        };
        let cursor = |path: &str, cursor: &Option<String>| match cursor {
            None => Ok(None),
            Some(text) => read(text).map(Some).ok_or_else(|| {
                Failure::invalid(path, "NOT_A_CURSOR", format!("`{}` is not a cursor of this list", shorten(text)))
            }),
        };
        let (limit, from_end) = match (self.first, self.last) {
            (Some(_), Some(_)) => {
                return Err(Failure::invalid("last", "CONTRADICTION", "give `first` or `last`, not both"));
            }
            (Some(first), None) => (size("first", first)?, false),
            (None, Some(last)) => (size("last", last)?, true),
            (None, None) => (DEFAULT, false),
        };
        Ok(Window { after: cursor("after", &self.after)?, before: cursor("before", &self.before)?, limit, from_end })
    }

    /// Checks the arguments of a list whose cursors are numbers.
    ///
    /// # Errors
    /// As [`Paging::window`].
    pub(super) fn numbers(&self) -> Result<Range> {
        let window = self.window(|cursor| cursor.parse().ok())?;
        Ok(Range { after: window.after, before: window.before, limit: window.limit as u64, from_end: window.from_end })
    }

    /// Checks the arguments of a list whose cursors are ids of records of any noun.
    ///
    /// # Errors
    /// As [`Paging::window`].
    pub(super) fn records(&self) -> Result<Range<Uuid>> {
        let window = self.window(|cursor| Uuid::try_parse(cursor).ok())?;
        Ok(Range { after: window.after, before: window.before, limit: window.limit as u64, from_end: window.from_end })
    }

    /// Checks the arguments of a list; `read` reads a cursor.
    ///
    /// # Errors
    /// As [`Paging::window`].
    pub(super) fn range<C>(&self, read: impl Fn(&str) -> Option<C>) -> Result<Range<C>> {
        let window = self.window(read)?;
        Ok(Range { after: window.after, before: window.before, limit: window.limit as u64, from_end: window.from_end })
    }

    /// Checks the arguments of a list whose cursors are ids of one noun.
    ///
    /// # Errors
    /// As [`Paging::window`].
    pub(super) fn ids<I: GlobalId>(&self) -> Result<Range<I>> {
        self.range(|cursor| I::parse(cursor).ok())
    }

    /// Checks the arguments of a list whose cursors are account ids.
    ///
    /// # Errors
    /// As [`Paging::window`].
    pub(super) fn accounts(&self) -> Result<IdRange> {
        let window = self.window(|cursor| IntegrationAccountId::parse(cursor).ok())?;
        Ok(IdRange {
            after: window.after,
            before: window.before,
            limit: window.limit as u64,
            from_end: window.from_end,
        })
    }
}

impl<C: PartialEq> Window<C> {
    /// The part of a whole list that is at hand; `cursor` tells the cursor of an item. A cursor whose item has gone
    /// gives an empty page.
    pub(super) fn cut<T>(&self, all: Vec<T>, cursor: impl Fn(&T) -> C) -> Slice<T> {
        let place =
            |wanted: &Option<C>| wanted.as_ref().map(|wanted| all.iter().position(|item| cursor(item) == *wanted));
        let start = match place(&self.after) {
            None => 0,
            Some(place) => place.map_or(all.len(), |place| place + 1),
        };
        let end = place(&self.before).map_or(all.len(), Option::unwrap_or_default).max(start);
        let (start, end, len) = if self.from_end {
            (end.saturating_sub(self.limit).max(start), end, all.len())
        } else {
            (start, end.min(start + self.limit), all.len())
        };
        Slice {
            items: all.into_iter().skip(start).take(end - start).collect(),
            has_previous: start > 0,
            has_next: end < len,
        }
    }
}

/// A part of a list.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Slice<T> {
    /// What is in the part, in order.
    pub items: Vec<T>,
    /// Whether more stands before it.
    pub has_previous: bool,
    /// Whether more stands after it.
    pub has_next: bool,
}

impl<T> Slice<T> {
    /// The slice with each item turned into another, or left out.
    pub(super) fn filter_map<U>(self, map: impl FnMut(T) -> Option<U>) -> Slice<U> {
        let items = self.items.into_iter().filter_map(map).collect();
        Slice { items, has_previous: self.has_previous, has_next: self.has_next }
    }
}

/// How a connection comes by its total, which is only read where it is selected.
#[derive(Clone, Debug)]
pub(crate) enum Total {
    /// It is known.
    Known(u64),
    /// As many as these accounts.
    Accounts(AccountQuery),
    /// As many as the changes of this record.
    History(Uuid),
    /// As many as the records that differ.
    Diff(DiffQuery),
    /// As many as the changesets that changed the members of this org unit, from one version to another.
    Members(OrgUnitId, i64, i64),
    /// As many as there are tokens.
    Tokens,
    /// As many as the runs of this integration.
    Runs(IntegrationId),
}

/// A page of a list; `M` is what else such a list tells.
#[derive(Debug)]
pub(crate) struct Connection<N: OutputType, M = Nothing> {
    pub(super) edges: Vec<Edge<N>>,
    pub(super) has_previous: bool,
    pub(super) has_next: bool,
    pub(super) total: Total,
    pub(super) version: i64,
    more: M,
}

/// What a list tells that is a list and nothing else.
#[derive(Debug, SimpleObject)]
#[graphql(fake)]
pub(crate) struct Nothing;

impl<N: OutputType> Connection<N> {
    /// A page of `slice`, each item as an edge.
    pub(super) fn new<T>(slice: Slice<T>, total: Total, version: i64, edge: impl FnMut(T) -> Edge<N>) -> Self {
        let Slice { items, has_previous, has_next } = slice;
        Self { edges: items.into_iter().map(edge).collect(), has_previous, has_next, total, version, more: Nothing }
    }

    /// The page, with what else such a list tells.
    pub(super) fn with<M>(self, more: M) -> Connection<N, M> {
        let Self { edges, has_previous, has_next, total, version, more: Nothing } = self;
        Connection { edges, has_previous, has_next, total, version, more }
    }
}

impl<N: OutputType, M: Send + Sync> TypeName for Connection<N, M> {
    fn type_name() -> Cow<'static, str> {
        format!("{}Connection", N::type_name()).into()
    }
}

/// One page of a list, after the Relay connection specification.
#[Object(name_type, serial)]
impl<N: OutputType, M: OutputType + ContainerType> Connection<N, M> {
    /// The nodes of the page, each with its cursor.
    async fn edges(&self) -> &[Edge<N>] {
        &self.edges
    }

    /// What stands before and after the page.
    async fn page_info(&self) -> PageInfo {
        PageInfo {
            has_previous_page: self.has_previous,
            has_next_page: self.has_next,
            start_cursor: self.edges.first().map(|edge| edge.cursor.clone()),
            end_cursor: self.edges.last().map(|edge| edge.cursor.clone()),
        }
    }

    /// How many nodes the whole list has. Counted only when selected.
    async fn total_count(&self, ctx: &Context<'_>) -> Result<u64> {
        match &self.total {
            Total::Known(total) => Ok(*total),
            Total::Accounts(query) => Ok(ctx.directory()?.count_accounts(query).await?),
            Total::Diff(query) => Ok(ctx.directory()?.count_diff(*query).await?),
            Total::Members(unit, from, to) => {
                Ok(ctx.directory()?.members_changes(*unit, *from, *to, u64::MAX).await?.rows.len() as u64)
            }
            Total::Tokens => Ok(ctx.directory()?.count_tokens().await?),
            Total::Runs(integration) => Ok(ctx.directory()?.count_runs(*integration).await?),
            Total::History(record) => Ok(ctx.directory()?.count_history(*record).await?),
        }
    }

    /// The version of the directory that the page was read at, or a later one.
    async fn version(&self) -> i64 {
        self.version
    }

    /// What else such a list tells.
    #[graphql(flatten)]
    async fn more(&self) -> &M {
        &self.more
    }
}

/// A node of a page, with its place in the list.
#[derive(Debug, SimpleObject)]
#[graphql(name_type, serial)]
pub(crate) struct Edge<N: OutputType> {
    /// The node's place, for `after` and `before`. It stays right when nodes before it come or go.
    pub(super) cursor: String,
    /// The node.
    pub(super) node: N,
}

impl<N: OutputType> TypeName for Edge<N> {
    fn type_name() -> Cow<'static, str> {
        format!("{}Edge", N::type_name()).into()
    }
}

/// Where a page stands in its list.
#[derive(Clone, Debug, SimpleObject)]
#[graphql(serial)]
pub(crate) struct PageInfo {
    /// Whether there are nodes before the page.
    has_previous_page: bool,
    /// Whether there are nodes after the page.
    has_next_page: bool,
    /// The cursor of the first node; none for an empty page.
    start_cursor: Option<String>,
    /// The cursor of the last node; none for an empty page.
    end_cursor: Option<String>,
}

#[cfg(test)]
mod tests;
