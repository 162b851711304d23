//! What can be done to integrations.

use async_graphql::{Context, ID, InputObject, MaybeUndefined, Object, SimpleObject};
use entity::IntegrationId;

use super::credential::{IntegrationCredentialInput, Untold};
use super::{Integration, IntegrationKind};
use crate::directory::{Actor, Directory, IntegrationChange, IntegrationSetup, NewCredential, NewIntegration};
use crate::graphql::context::ContextExt;
use crate::graphql::error::{Failure, Result};
use crate::graphql::scalar::{Json, parse_id, to_id};

/// An integration to make.
#[derive(Debug, InputObject)]
pub(crate) struct CreateIntegrationInput {
    /// Which tool it is.
    kind: IntegrationKind,
    /// Its name; 1 to 100 characters, unique ignoring case, also among the titles of attributes.
    name: String,
    /// What to read of the tool, and where: an object, whose members depend on the kind. Without it nothing is read, and
    /// accounts come by `syncIntegrationAccounts`.
    settings: Option<Json>,
    /// The minutes from one run to the next, from 5 to 44,640, which is 31 days. The first run begins at once. Without it
    /// runs are begun by `runIntegration`.
    schedule_minutes: Option<i32>,
    /// What proves that the tool may be read.
    credential: Option<Untold<IntegrationCredentialInput>>,
}

/// The integration that was made.
#[derive(Debug, SimpleObject)]
pub(crate) struct CreateIntegrationPayload {
    /// The integration.
    integration: Integration,
    /// The version of the directory after the change.
    version: i64,
}

/// What is to change of an integration. What is left out stays; null does the same in `name` and `kind`.
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
    /// What to read of the tool, as a whole. Null: nothing more is read, and accounts are only reported.
    settings: MaybeUndefined<Json>,
    /// The minutes from one run to the next. Null: runs are begun by hand. A run begins at once where this is new.
    schedule_minutes: MaybeUndefined<i32>,
    /// What proves that the tool may be read; it takes the place of the one before. Null removes that. It has to be given
    /// again where the kind or the address of the tool changes.
    credential: MaybeUndefined<Untold<IntegrationCredentialInput>>,
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
    /// Makes an integration. Its accounts come by runs, which its settings are for, or by `syncIntegrationAccounts`.
    async fn create_integration(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "What to make.")] input: CreateIntegrationInput,
    ) -> Result<CreateIntegrationPayload> {
        let directory = ctx.directory()?;
        let new = NewIntegration { kind: input.kind.into(), name: input.name };
        let setup = IntegrationSetup {
            settings: input.settings.map(|Json(settings)| settings),
            schedule_minutes: input.schedule_minutes,
            credential: input.credential.map(Into::into),
        };
        let id = directory.connect_integration(&ctx.actor(), new, setup).await?;
        Ok(CreateIntegrationPayload { integration: read(directory, id)?, version: directory.version() })
    }

    /// Changes an integration. A credential is no part of the log: to set one makes no changeset, and no undo brings one
    /// back.
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
            settings: given(input.settings).map(|settings| settings.map(|Json(settings)| settings)),
            schedule_minutes: given(input.schedule_minutes),
            credential: given(input.credential).map(|credential| credential.map(NewCredential::from)),
        };
        directory.update_integration(&ctx.actor(), id, change).await?;
        Ok(UpdateIntegrationPayload { integration: read(directory, id)?, version: directory.version() })
    }

    /// Deletes an integration with all its accounts, its credential and the history of its runs. Automatically made users who lose their last account go, too.
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

/// What an input says, if it is not left out.
fn given<T>(input: MaybeUndefined<T>) -> Option<Option<T>> {
    match input {
        MaybeUndefined::Undefined => None,
        MaybeUndefined::Null => Some(None),
        MaybeUndefined::Value(value) => Some(Some(value)),
    }
}

/// The integration as it is now.
fn read(directory: &Directory, id: IntegrationId) -> Result<Integration> {
    directory.index().integration(id).cloned().map(Integration::new).ok_or_else(|| Failure::missing(id))
}
