//! What is held on a person, and that it goes.

use async_graphql::{Context, ID, InputObject, Object, SimpleObject};

use crate::graphql::context::ContextExt;
use crate::graphql::error::Result;
use crate::graphql::integration::Integration;
use crate::graphql::scalar::{Json, parse_id, to_id};

/// Whom to erase.
#[derive(Debug, InputObject)]
pub(crate) struct EraseUserInput {
    /// The user's id.
    id: ID,
    /// One of the user's emails, so that nobody is erased by a slip. There is no undo.
    confirm_email: String,
}

/// What was erased.
#[derive(Debug, SimpleObject)]
pub(crate) struct EraseUserPayload {
    /// The id of the user, whom there is no more.
    erased_user_id: ID,
    /// The version of the directory after it, which is also the number of the changeset.
    version: i64,
    /// How many accounts went with the user.
    account_count: u64,
    /// How many rows of the log were rewritten.
    change_count: u64,
    /// How many import drafts went, since their files or rows named the person.
    import_draft_count: u64,
    /// Integrations whose tools had an account of the person when they were last read. Where the tool still has it, the next
    /// sync makes a user of it again: erase there, too.
    reported_by: Vec<Integration>,
    /// Whether the database has given up what stood in its files. Where it has not, since somebody was reading, the server
    /// has it do so as soon as nobody is.
    is_scrubbed: bool,
}

/// Queries about what is held on a person.
#[derive(Debug, Default)]
pub(crate) struct SubjectQuery;

#[Object]
impl SubjectQuery {
    /// All that is held on a user, as one document: the record, the accounts, the org units and why, the history of all of
    /// these, what was decided of them, and which drafts and other records name them.
    async fn personal_data(&self, ctx: &Context<'_>, #[graphql(desc = "The user's id.")] user_id: ID) -> Result<Json> {
        Ok(Json(ctx.directory()?.personal_data(parse_id(&user_id, "userId")?).await?))
    }
}

/// Mutations that take people out for good.
#[derive(Debug, Default)]
pub(crate) struct EraseMutation;

#[Object]
impl EraseMutation {
    /// Erases a user for good: the record, the accounts, what the log, drafts and decisions say of them, and their emails
    /// where others have them. The chain of the log still holds. Refused with `IN_USE` while a filter names the user or an
    /// email of theirs. Nothing brings an erased user back.
    async fn erase_user(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "Whom to erase.")] input: EraseUserInput,
    ) -> Result<EraseUserPayload> {
        let directory = ctx.directory()?;
        let id = directory.current_user(parse_id(&input.id, "id")?);
        let erased = Box::pin(directory.erase_user(&ctx.actor(), id, &input.confirm_email)).await?;
        Ok(EraseUserPayload {
            erased_user_id: to_id(id),
            version: erased.version,
            account_count: erased.accounts,
            change_count: erased.changes,
            import_draft_count: erased.drafts,
            reported_by: erased.reported_by.into_iter().map(Integration::new).collect(),
            is_scrubbed: erased.is_scrubbed,
        })
    }
}
