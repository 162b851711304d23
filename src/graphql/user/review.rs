//! What people say of users as a whole: that automation leaves one alone, and that records are right.

use async_graphql::{Context, ID, InputObject, Object, SimpleObject};

use super::User;
use super::mutation::read;
use crate::graphql::context::ContextExt;
use crate::graphql::error::Result;
use crate::graphql::scalar::{parse_id, to_id};

/// Which user to lock, or unlock.
#[derive(Debug, InputObject)]
pub(crate) struct LockUserInput {
    /// The user's id.
    id: ID,
    /// Whether automation is to leave the user alone.
    is_locked: bool,
    /// The version of the user that you read. If the user has changed since, the change is refused with `CONFLICT`.
    expected_version: Option<i64>,
}

/// The user after the change.
#[derive(Debug, SimpleObject)]
pub(crate) struct LockUserPayload {
    /// The user.
    user: User,
    /// The version of the directory after the change.
    version: i64,
}

/// Whose records are right.
#[derive(Debug, InputObject)]
pub(crate) struct MarkUsersReviewedInput {
    /// The ids of the users, at most 10,000.
    ids: Vec<ID>,
    /// Whether they have been reviewed; false takes the mark away.
    #[graphql(default = true)]
    is_reviewed: bool,
}

/// The users who were marked.
#[derive(Debug, SimpleObject)]
pub(crate) struct MarkUsersReviewedPayload {
    /// Their ids, each once.
    user_ids: Vec<ID>,
    /// The version of the directory after the change.
    version: i64,
}

/// Mutations that say something of users as a whole.
#[derive(Debug, Default)]
pub(crate) struct ReviewMutation;

#[Object]
impl ReviewMutation {
    /// Locks a user, or unlocks it. Automation neither gives a locked user accounts nor takes any, and the user neither
    /// goes nor becomes part of another. People and imports change a locked user as any other.
    async fn lock_user(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "Whom to lock.")] input: LockUserInput,
    ) -> Result<LockUserPayload> {
        let directory = ctx.directory()?;
        let id = parse_id(&input.id, "id")?;
        let id = directory.lock_user(&ctx.actor(), id, input.is_locked, input.expected_version).await?;
        Ok(LockUserPayload { user: read(directory, id).await?, version: directory.version() })
    }

    /// Notes that the records of users are right, now and by whom.
    async fn mark_users_reviewed(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "Whose records are right.")] input: MarkUsersReviewedInput,
    ) -> Result<MarkUsersReviewedPayload> {
        let directory = ctx.directory()?;
        let ids = input.ids.iter().enumerate().map(|(at, id)| parse_id(id, &format!("ids[{at}]")));
        let ids = ids.collect::<Result<Vec<_>>>()?;
        let ids = directory.mark_reviewed(&ctx.actor(), &ids, input.is_reviewed).await?;
        Ok(MarkUsersReviewedPayload { user_ids: ids.into_iter().map(to_id).collect(), version: directory.version() })
    }
}
