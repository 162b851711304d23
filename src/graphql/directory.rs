//! THE DIRECTORY as a whole, in the API: its version and how much is in it.

use async_graphql::{Context, Description, Object};

use super::context::ContextExt;
use super::error::Result;

/// The directory as a whole.
#[derive(Clone, Copy, Debug, Default, Description)]
pub(crate) struct Directory;

#[Object(use_type_description)]
impl Directory {
    /// The version: the number of the last changeset.
    async fn version(&self, ctx: &Context<'_>) -> Result<i64> {
        Ok(ctx.directory()?.version())
    }

    /// How many users there are.
    async fn user_count(&self, ctx: &Context<'_>) -> Result<u64> {
        Ok(ctx.directory()?.index().user_count())
    }

    /// How many attributes there are, built-in ones included.
    async fn attribute_count(&self, ctx: &Context<'_>) -> Result<usize> {
        Ok(ctx.directory()?.index().attributes().len())
    }

    /// How many integrations there are.
    async fn integration_count(&self, ctx: &Context<'_>) -> Result<usize> {
        Ok(ctx.directory()?.index().integrations().len())
    }

    /// How many accounts there are, matched or not.
    async fn integration_account_count(&self, ctx: &Context<'_>) -> Result<u64> {
        Ok(ctx.directory()?.index().account_counts().0)
    }

    /// How many org units there are.
    async fn org_unit_count(&self, ctx: &Context<'_>) -> Result<usize> {
        Ok(ctx.directory()?.index().org_units().count())
    }
}

/// Queries about the directory as a whole.
#[derive(Debug, Default)]
pub(crate) struct DirectoryQuery;

#[Object]
impl DirectoryQuery {
    /// The directory as a whole: its version and how much is in it.
    async fn directory(&self) -> Directory {
        Directory
    }
}
