//! THE DIRECTORY as a whole, in the API: its version and how much is in it.

use async_graphql::{Context, Description, Object};

use super::as_of::{AsOf, At};
use super::context::ContextExt;
use super::error::Result;
use super::scalar::Date;

/// The directory as a whole.
#[derive(Clone, Copy, Debug, Default, Description)]
pub(crate) struct Directory(At);

#[Object(use_type_description)]
impl Directory {
    /// The version: the number of the last changeset.
    async fn version(&self, ctx: &Context<'_>) -> Result<i64> {
        Ok(self.0.index(ctx).await?.version())
    }

    /// The day in UTC that it is, or was at the point in time that was asked; of a version, when its changeset was made.
    async fn day(&self, ctx: &Context<'_>) -> Result<Date> {
        Ok(Date(match self.0 {
            At::Now => ctx.directory()?.clock().now().date_naive(),
            At::Then(moment) => moment.day,
        }))
    }

    /// How many users there are.
    async fn user_count(&self, ctx: &Context<'_>) -> Result<u64> {
        Ok(self.0.index(ctx).await?.user_count())
    }

    /// How many attributes there are, built-in ones included.
    async fn attribute_count(&self, ctx: &Context<'_>) -> Result<usize> {
        Ok(self.0.index(ctx).await?.attributes().len())
    }

    /// How many integrations there are.
    async fn integration_count(&self, ctx: &Context<'_>) -> Result<usize> {
        Ok(self.0.index(ctx).await?.integrations().len())
    }

    /// How many accounts there are, matched or not.
    async fn integration_account_count(&self, ctx: &Context<'_>) -> Result<u64> {
        Ok(self.0.index(ctx).await?.account_counts().0)
    }

    /// How many org units there are.
    async fn org_unit_count(&self, ctx: &Context<'_>) -> Result<usize> {
        Ok(self.0.index(ctx).await?.org_units().count())
    }
}

/// Queries about the directory as a whole.
#[derive(Debug, Default)]
pub(crate) struct DirectoryQuery;

#[Object]
impl DirectoryQuery {
    /// The directory as a whole: its version and how much is in it.
    async fn directory(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "As it was then; as it is now if left out.")] as_of: Option<AsOf>,
    ) -> Result<Directory> {
        Ok(Directory(At::of(ctx, as_of, "asOf").await?))
    }
}
