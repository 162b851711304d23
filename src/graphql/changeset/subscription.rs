//! The log as it grows.

use async_graphql::{Context, Description, Object, Subscription};
use futures_util::Stream;

use super::Changeset;
use crate::graphql::context::ContextExt;
use crate::graphql::error::{Failure, Result};
use crate::graphql::subscription::events;

/// A change to the directory that has just been made, or is caught up with.
#[derive(Clone, Debug, Description)]
pub(crate) struct DirectoryChange(Changeset);

#[Object(use_type_description)]
impl DirectoryChange {
    /// The version of the directory after it: the number of the changeset. To go on after a break, give it as
    /// `afterVersion`.
    async fn version(&self) -> i64 {
        self.0.0.number
    }

    /// What was done.
    async fn changeset(&self) -> &Changeset {
        &self.0
    }
}

/// Subscriptions to the log.
#[derive(Debug, Default)]
pub(crate) struct ChangesetSubscription;

#[Subscription]
impl ChangesetSubscription {
    /// Each changeset, whoever makes it: none is left out, none comes twice, and they come in their order. A query that
    /// is sent after an event sees the directory as the event left it, or newer.
    async fn directory_changed(
        &self,
        ctx: &Context<'_>,
        #[graphql(
            desc = "Begin with the changesets after this version, for a client that has seen everything up to it. \
                          Without it, with the next one that is made."
        )]
        after_version: Option<i64>,
    ) -> Result<impl Stream<Item = Result<DirectoryChange>>> {
        let directory = ctx.directory()?;
        let version = directory.version();
        let after = after_version.unwrap_or(version);
        if !(0..=version).contains(&after) {
            let message = format!("the directory is at version {version}, and has never been at {after}");
            return Err(Failure::invalid("afterVersion", "OUT_OF_BOUNDS", message));
        }
        Ok(events(directory.changesets_after(after), |changeset| DirectoryChange(Changeset(changeset))))
    }
}
