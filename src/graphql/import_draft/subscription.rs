//! Import drafts as they move on.

use async_graphql::{Context, ID, Subscription};
use entity::ImportDraftId;
use futures_util::Stream;

use super::ImportDraft;
use crate::graphql::context::ContextExt;
use crate::graphql::error::Result;
use crate::graphql::scalar::parse_id;
use crate::graphql::subscription::events;

/// Subscriptions to import drafts.
#[derive(Debug, Default)]
pub(crate) struct ImportDraftSubscription;

#[Subscription]
impl ImportDraftSubscription {
    /// An import draft, and again each time its progress or its state has moved on, until it is neither being compared
    /// nor applied.
    async fn import_draft(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "The draft's id.")] id: ID,
    ) -> Result<impl Stream<Item = Result<ImportDraft>>> {
        let id: ImportDraftId = parse_id(&id, "id")?;
        let directory = ctx.directory()?;
        directory.draft(id).await?;
        Ok(events(directory.follow_draft(id), ImportDraft))
    }
}
