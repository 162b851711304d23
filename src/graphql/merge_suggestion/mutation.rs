//! What can be decided of a suggested merge.

use async_graphql::{Context, ID, InputObject, Object, SimpleObject};

use super::MergeSuggestion;
use crate::directory::{Actor, Directory, Merge, Merged, Subject};
use crate::graphql::context::ContextExt;
use crate::graphql::error::{Failure, Result};
use crate::graphql::scalar::parse_id;
use crate::graphql::user::{MergeChoiceInput, User, choices, subjects};

/// Users and accounts that are one person.
#[derive(Debug, InputObject)]
pub(crate) struct AcceptMergeSuggestionInput {
    /// The ids of users, and of accounts that are nobody's: the two of a suggestion, or all of a cluster; at most 100. One
    /// of them is a user.
    ids: Vec<ID>,
    /// The id of the user who stays. If left out, it is one whom a person knows before an automatic one, then the one with
    /// the most values and accounts, then the oldest.
    survivor_id: Option<ID>,
    /// Whose part of the record is kept, where that is not to be the survivor's.
    #[graphql(default)]
    choices: Vec<MergeChoiceInput>,
}

/// The user that was made of them.
#[derive(Debug, SimpleObject)]
pub(crate) struct AcceptMergeSuggestionPayload {
    /// The user.
    user: User,
    /// The version of the directory after the change.
    version: i64,
    /// The changeset, for `undoChangeset`; null where all were one user already.
    changeset_number: Option<i64>,
}

/// Two who are two persons.
#[derive(Debug, InputObject)]
pub(crate) struct RejectMergeSuggestionInput {
    /// The ids of the two: users, or accounts.
    ids: Vec<ID>,
}

/// What was decided.
#[derive(Debug, SimpleObject)]
pub(crate) struct RejectMergeSuggestionPayload {
    /// The suggestion, rejected.
    suggestion: MergeSuggestion,
}

/// Two who may be one person after all.
#[derive(Debug, InputObject)]
pub(crate) struct ReopenMergeSuggestionInput {
    /// The ids of the two, or of what they have become part of.
    ids: Vec<ID>,
}

/// Whether there was anything to take back.
#[derive(Debug, SimpleObject)]
pub(crate) struct ReopenMergeSuggestionPayload {
    /// Whether the two had been rejected.
    was_rejected: bool,
}

/// Mutations of suggested merges.
#[derive(Debug, Default)]
pub(crate) struct MergeSuggestionMutation;

#[Object]
impl MergeSuggestionMutation {
    /// Makes one user of users and accounts that are nobody's, as `mergeUsers` does; the accounts are the user's because a
    /// person said so. One changeset. Refused where somebody said that two of them are two persons.
    async fn accept_merge_suggestion(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "Who are one person.")] input: AcceptMergeSuggestionInput,
    ) -> Result<AcceptMergeSuggestionPayload> {
        let directory = ctx.directory()?;
        let merged = input.make(directory, &ctx.actor()).await?;
        let user = User::find(ctx, merged.survivor).await?.ok_or_else(|| Failure::missing(merged.survivor))?;
        Ok(AcceptMergeSuggestionPayload { user, version: merged.version, changeset_number: merged.changeset })
    }

    /// Says that two are two persons: they are not suggested again, nor what they become part of.
    async fn reject_merge_suggestion(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "Who are two persons.")] input: RejectMergeSuggestionInput,
    ) -> Result<RejectMergeSuggestionPayload> {
        let decided = ctx.directory()?.reject_suggestion(&ctx.actor(), two(&input.ids)?).await?;
        Ok(RejectMergeSuggestionPayload { suggestion: MergeSuggestion::decided(decided) })
    }

    /// Takes back that two are two persons.
    async fn reopen_merge_suggestion(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "Of whom to take it back.")] input: ReopenMergeSuggestionInput,
    ) -> Result<ReopenMergeSuggestionPayload> {
        let was_rejected = ctx.directory()?.reopen_suggestion(two(&input.ids)?).await?;
        Ok(ReopenMergeSuggestionPayload { was_rejected })
    }
}

impl AcceptMergeSuggestionInput {
    /// Makes the change.
    pub(crate) async fn make(self, directory: &Directory, actor: &Actor) -> Result<Merged> {
        let survivor = self.survivor_id.as_ref().map(|id| parse_id(id, "survivorId")).transpose()?;
        let (subjects, choices) = (subjects(&self.ids)?, choices(self.choices)?);
        let merge = Merge { survivor, subjects, choices, expected_versions: Vec::new(), is_suggested: true };
        Ok(directory.merge_users(actor, &merge).await?)
    }
}

fn two(ids: &[ID]) -> Result<[Subject; 2]> {
    subjects(ids)?
        .try_into()
        .map_err(|_| Failure::invalid("ids", "OUT_OF_BOUNDS", format!("give two ids, not {}", ids.len())))
}
