//! Associations that do not go together.

use async_graphql::{Context, Description, Enum, ID, Object};

use crate::directory::{self, ConflictPlace};
use crate::graphql::context::ContextExt;
use crate::graphql::error::Result;
use crate::graphql::integration::Integration;
use crate::graphql::integration_account::IntegrationAccount;
use crate::graphql::page::{Connection, Edge, Paging, Slice, Total};
use crate::graphql::user::User;

/// What kind of conflict.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Enum)]
#[graphql(remote = "crate::directory::ConflictKind")]
pub(crate) enum AssociationConflictKind {
    /// Several users have emails that are one, as the rules compare them.
    SharedEmail,
    /// Two users claim one account, or one claims what a person has given to nobody.
    ClaimedTwice,
    /// A claim names several accounts.
    AmbiguousClaim,
    /// A user has several accounts in one integration. Nothing need be wrong with that, and in integrations of the kind `GIT`
    /// it is no conflict.
    SeveralAccounts,
    /// A bot belongs to a user.
    BotOfUser,
}

/// Something about whose accounts are that a person has to look at. It goes from the list when it is mended.
#[derive(Clone, Debug, Description)]
pub(crate) struct AssociationConflict(directory::AssociationConflict);

#[Object(use_type_description)]
impl AssociationConflict {
    /// What it is known by while it lasts.
    async fn id(&self) -> ID {
        ID(self.0.place.to_string())
    }

    /// What kind of conflict.
    async fn kind(&self) -> AssociationConflictKind {
        self.0.place.kind().into()
    }

    /// The users involved, at most 100.
    async fn users(&self, ctx: &Context<'_>) -> Result<Vec<User>> {
        Ok(ctx.load_all(self.0.users.iter().copied()).await?.into_iter().map(User::new).collect())
    }

    /// The accounts involved, at most 100.
    async fn accounts(&self, ctx: &Context<'_>) -> Result<Vec<IntegrationAccount>> {
        let accounts = ctx.load_all(self.0.accounts.iter().copied()).await?;
        Ok(accounts.into_iter().map(IntegrationAccount::new).collect())
    }

    /// The integration that it is in; null where it is about emails of users.
    async fn integration(&self, ctx: &Context<'_>) -> Result<Option<Integration>> {
        let directory = ctx.directory()?;
        let found = self.0.integration.and_then(|id| directory.index().integration(id).cloned());
        Ok(found.map(Integration::new))
    }

    /// The email or name that it is about.
    async fn value(&self) -> Option<&str> {
        self.0.value.as_deref()
    }

    /// What does not go together.
    async fn message(&self) -> &str {
        &self.0.message
    }

    /// What to do about it.
    async fn mend(&self) -> &str {
        &self.0.mend
    }
}

/// Queries about conflicts.
#[derive(Debug, Default)]
pub(crate) struct ConflictQuery;

#[Object]
impl ConflictQuery {
    /// Associations that do not go together, by kind.
    async fn association_conflicts(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "Only conflicts of this kind.")] kind: Option<AssociationConflictKind>,
        #[graphql(desc = "The most nodes, from the start; 1 to 100. 25 if `last` is not given either.")] first: Option<
            i32,
        >,
        #[graphql(desc = "Only nodes after this cursor.")] after: Option<String>,
        #[graphql(desc = "The most nodes, from the end; 1 to 100. Not together with `first`.")] last: Option<i32>,
        #[graphql(desc = "Only nodes before this cursor.")] before: Option<String>,
    ) -> Result<Connection<AssociationConflict>> {
        let directory = ctx.directory()?;
        let range = Paging { first, after, last, before }.range(|cursor| cursor.parse::<ConflictPlace>().ok())?;
        let version = directory.version();
        let found = directory.association_conflicts(kind.map(Into::into), range).await?;
        let slice = Slice { items: found.items, has_previous: found.has_previous, has_next: found.has_next };
        Ok(Connection::new(slice, Total::Known(found.total), version, |conflict: directory::AssociationConflict| {
            Edge { cursor: conflict.place.to_string(), node: AssociationConflict(conflict) }
        }))
    }
}
