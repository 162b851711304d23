//! What can be done with import drafts.

use std::pin::pin;
use std::time::Duration;

use async_graphql::{Context, ID, InputObject, Object, SimpleObject, Upload};
use entity::ImportDraftId;
use entity::import_draft::DraftState;

use super::ImportDraft;
use crate::directory::{self, ApplyOptions, Error, NewDraft};
use crate::graphql::context::ContextExt;
use crate::graphql::error::{Failure, Result};
use crate::graphql::import::{ImportKind, ImportOptionsInput, ImportRows};
use crate::graphql::scalar::parse_id;

/// The longest that a client waits for a draft to be applied before it gets the draft as it is by then.
const PATIENCE: Duration = Duration::from_secs(10);

/// A file to draft an import of.
#[derive(Debug, InputObject)]
pub(crate) struct CreateImportDraftInput {
    /// The file, whose first row names its columns: of users by titles or keys of attributes, or names of integrations; of
    /// org units by some of `ID`, `Path`, `Name`, `Parent`, `Description`, `Scope`, `Filter`, `Pinned` and `Excluded`.
    file: Upload,
    /// What its rows are.
    #[graphql(default_with = "ImportKind::Users")]
    kind: ImportKind,
    /// How to read it.
    options: Option<ImportOptionsInput>,
    /// The name of a remembered column mapping. What it says of columns that the file has holds where `options` says
    /// nothing; what `options` says of columns is remembered under the name.
    mapping: Option<String>,
    /// What you call this request, such as a UUID: repeated with the same file and options, it gives the same draft.
    client_mutation_id: Option<String>,
}

/// How to apply a draft.
#[derive(Debug, InputObject)]
pub(crate) struct ApplyImportDraftInput {
    /// The draft.
    id: ID,
    /// Whether rows that cannot be imported keep the others from it.
    #[graphql(default_with = "ImportRows::AllOrNothing")]
    rows: ImportRows,
    /// How many users, or org units, may be removed. Needed where the draft says so.
    confirm_removals: Option<u64>,
}

/// How to compare a draft again.
#[derive(Debug, InputObject)]
pub(crate) struct RebaseImportDraftInput {
    /// The draft.
    id: ID,
    /// How to read its file from now on; as before if left out.
    options: Option<ImportOptionsInput>,
}

/// A draft after what was done to it.
#[derive(Debug, SimpleObject)]
pub(crate) struct ImportDraftPayload {
    /// The draft.
    draft: ImportDraft,
    /// What the client called the request that made it.
    client_mutation_id: Option<String>,
}

impl ImportDraftPayload {
    fn new(draft: directory::Draft) -> Self {
        Self { client_mutation_id: draft.row.client_mutation_id.clone(), draft: ImportDraft(draft) }
    }
}

/// Mutations of import drafts.
#[derive(Debug, Default)]
pub(crate) struct ImportDraftMutation;

#[Object]
impl ImportDraftMutation {
    /// Takes in a CSV file of users, or of org units, and begins to compare it with the directory. Answers at once; nothing changes until
    /// the draft is applied. The file comes as the multipart request of the GraphQL multipart specification.
    async fn create_import_draft(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "The file, and how to read it.")] input: CreateImportDraftInput,
    ) -> Result<ImportDraftPayload> {
        let options = input.options.map(ImportOptionsInput::read).transpose()?.unwrap_or_default();
        let directory = ctx.directory()?;
        let upload = input.file.value(ctx).map_err(|cause| Failure(Error::internal(cause)))?;
        let new = NewDraft {
            file: upload.content,
            kind: input.kind.into(),
            file_name: upload.filename,
            options,
            client_mutation_id: input.client_mutation_id,
            mapping: input.mapping,
        };
        let id = directory.create_draft(&ctx.actor(), new).await?;
        Ok(ImportDraftPayload::new(directory.draft(id).await?))
    }

    /// Applies a draft: all of it in one changeset, or nothing. Refused with `CONFLICT` if the directory has moved in a
    /// way that changes what the draft does; `moved` tells how then, and it can be rebased. Answers when it is applied,
    /// or after ten seconds, and before the deadline of a request, with a draft that is still `APPLYING`.
    async fn apply_import_draft(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "Which draft, and how.")] input: ApplyImportDraftInput,
    ) -> Result<ImportDraftPayload> {
        let id: ImportDraftId = parse_id(&input.id, "id")?;
        let directory = ctx.directory()?;
        let options =
            ApplyOptions { valid_rows: input.rows == ImportRows::ValidRows, confirm_removals: input.confirm_removals };
        let actor = ctx.actor();
        let mut applied = pin!(directory.apply_draft(&actor, id, options));
        let draft = match tokio::time::timeout(ctx.time_left().min(PATIENCE), &mut applied).await {
            Ok(applied) => applied?,
            Err(_) => match directory.draft(id).await? {
                draft if matches!(draft.row.state, DraftState::Applying | DraftState::Applied) => draft,
                // It still waits for others to write.
                _ => applied.await?,
            },
        };
        Ok(ImportDraftPayload::new(draft))
    }

    /// Compares a draft again with the directory as it is now, or with other options. Answers at once.
    async fn rebase_import_draft(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "Which draft, and how.")] input: RebaseImportDraftInput,
    ) -> Result<ImportDraftPayload> {
        let id: ImportDraftId = parse_id(&input.id, "id")?;
        let directory = ctx.directory()?;
        let options = input.options.map(ImportOptionsInput::read).transpose()?;
        directory.rebase_draft(id, options).await?;
        Ok(ImportDraftPayload::new(directory.draft(id).await?))
    }

    /// Gives a draft up: it is no longer compared, and its file is removed.
    async fn cancel_import_draft(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "The draft.")] id: ID,
    ) -> Result<ImportDraftPayload> {
        let id: ImportDraftId = parse_id(&id, "id")?;
        let directory = ctx.directory()?;
        directory.cancel_draft(id).await?;
        Ok(ImportDraftPayload::new(directory.draft(id).await?))
    }

    /// Forgets a column mapping.
    async fn delete_column_mapping(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "Its name.")] name: String,
    ) -> Result<bool> {
        ctx.directory()?.delete_column_mapping(&name).await?;
        Ok(true)
    }
}
