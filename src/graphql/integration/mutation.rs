//! What can be done to integrations.

use async_graphql::{Context, ID, InputObject, Object, SimpleObject};
use entity::IntegrationId;

use super::{Integration, IntegrationKind};
use crate::directory::{Actor, Directory, IntegrationChange, NewIntegration};
use crate::graphql::context::ContextExt;
use crate::graphql::error::{Failure, Result};
use crate::graphql::scalar::{parse_id, to_id};

/// An integration to make.
#[derive(Debug, InputObject)]
pub(crate) struct CreateIntegrationInput {
    /// Which tool it is.
    kind: IntegrationKind,
    /// Its name; 1 to 100 characters, unique ignoring case, also among the titles of attributes.
    name: String,
}

/// The integration that was made.
#[derive(Debug, SimpleObject)]
pub(crate) struct CreateIntegrationPayload {
    /// The integration.
    integration: Integration,
    /// The version of the directory after the change.
    version: i64,
}

/// What is to change of an integration. What is left out, or null, stays.
#[derive(Debug, InputObject)]
pub(crate) struct UpdateIntegrationInput {
    /// The integration's id.
    id: ID,
    /// The version of the integration that you read. If it has changed since, the update is refused with `CONFLICT`.
    expected_version: Option<i64>,
    /// Its name.
    name: Option<String>,
    /// Which tool it is.
    kind: Option<IntegrationKind>,
}

/// The integration after the change.
#[derive(Debug, SimpleObject)]
pub(crate) struct UpdateIntegrationPayload {
    /// The integration.
    integration: Integration,
    /// The version of the directory after the change.
    version: i64,
}

/// Which integration to delete.
#[derive(Debug, InputObject)]
pub(crate) struct DeleteIntegrationInput {
    /// The integration's id.
    id: ID,
    /// The version of the integration that you read. If it has changed since, the deletion is refused with `CONFLICT`.
    expected_version: Option<i64>,
}

/// Which integration was deleted.
#[derive(Debug, SimpleObject)]
pub(crate) struct DeleteIntegrationPayload {
    /// The id it had.
    deleted_integration_id: ID,
    /// The version of the directory after the change.
    version: i64,
}

/// Mutations of integrations.
#[derive(Debug, Default)]
pub(crate) struct IntegrationMutation;

#[Object]
impl IntegrationMutation {
    /// Makes an integration. Its accounts come by `syncIntegrationAccounts`.
    async fn create_integration(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "What to make.")] input: CreateIntegrationInput,
    ) -> Result<CreateIntegrationPayload> {
        let directory = ctx.directory()?;
        let new = NewIntegration { kind: input.kind.into(), name: input.name };
        let id = directory.create_integration(&ctx.actor(), new).await?;
        Ok(CreateIntegrationPayload { integration: read(directory, id)?, version: directory.version() })
    }

    /// Changes an integration.
    async fn update_integration(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "What to change.")] input: UpdateIntegrationInput,
    ) -> Result<UpdateIntegrationPayload> {
        let directory = ctx.directory()?;
        let id = parse_id(&input.id, "id")?;
        let change = IntegrationChange {
            expected_version: input.expected_version,
            name: input.name,
            kind: input.kind.map(Into::into),
        };
        directory.update_integration(&ctx.actor(), id, change).await?;
        Ok(UpdateIntegrationPayload { integration: read(directory, id)?, version: directory.version() })
    }

    /// Deletes an integration with all its accounts. Automatically made users who lose their last account go, too.
    /// Refused with `IN_USE` while the filter of an org unit names it.
    async fn delete_integration(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "What to delete.")] input: DeleteIntegrationInput,
    ) -> Result<DeleteIntegrationPayload> {
        let directory = ctx.directory()?;
        let id = input.make(directory, &ctx.actor()).await?;
        Ok(DeleteIntegrationPayload { deleted_integration_id: to_id(id), version: directory.version() })
    }
}

impl DeleteIntegrationInput {
    /// Makes the change.
    pub(crate) async fn make(self, directory: &Directory, actor: &Actor) -> Result<IntegrationId> {
        let id = parse_id(&self.id, "id")?;
        directory.delete_integration(actor, id, self.expected_version).await?;
        Ok(id)
    }
}

/// The integration as it is now.
fn read(directory: &Directory, id: IntegrationId) -> Result<Integration> {
    directory.index().integration(id).cloned().map(Integration::new).ok_or_else(|| Failure::missing(id))
}
