//! SUBSCRIPTIONS. All that can be followed, from the files of the nouns.
//!
//! A field is a method that gives a stream; [`events`] makes one of a verb of the directory that gives a stream. A query
//! of the same noun should give the same thing, so that a client can look before it listens.

use async_graphql::MergedSubscription;
use futures_util::{Stream, StreamExt};

use super::changeset::ChangesetSubscription;
use super::error::{Failure, Result};
use super::import_draft::ImportDraftSubscription;
use super::integration::IntegrationRunSubscription;
use super::org_unit::OrgUnitSubscription;
use crate::directory;

/// What can be followed. Each subscription has one field, and gives an answer for each event.
#[derive(Debug, Default, MergedSubscription)]
pub struct Subscription(
    ChangesetSubscription,
    ImportDraftSubscription,
    IntegrationRunSubscription,
    OrgUnitSubscription,
);

/// A stream of the directory as a field gives it, with each item as `show` shows it.
pub(crate) fn events<T, U>(
    stream: impl Stream<Item = directory::Result<T>> + Send + 'static,
    show: impl Fn(T) -> U + Send + 'static,
) -> impl Stream<Item = Result<U>> + Send {
    stream.map(move |item| item.map(&show).map_err(Failure))
}
