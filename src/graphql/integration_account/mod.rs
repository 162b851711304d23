//! ACCOUNTS of integrations in the API. What does not live here: looking many up by what tools know (`resolve`), and
//! changes (`mutation`).

mod mutation;
mod resolve;

pub(crate) use mutation::{IntegrationAccountMutation, LinkIntegrationAccountInput, UnlinkIntegrationAccountInput};
pub(crate) use resolve::ResolveQuery;

use std::sync::Arc;

use async_graphql::{Context, Description, Enum, ID, InputObject, Object};
use entity::{IntegrationAccountId, integration_account};

use super::as_of::At;
use super::changeset::{Change, history};
use super::context::ContextExt;
use super::error::{Failure, Result};
use super::integration::Integration;
use super::page::{Connection, Edge, Paging, Slice, Total};
use super::scalar::{DateTime, to_id};
use super::user::User;
use crate::directory::AccountQuery;
use crate::value::GlobalId;

/// What is known of an account's existence in its tool.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Enum)]
#[graphql(remote = "entity::integration_account::AccountStatus")]
pub(crate) enum AccountStatus {
    /// The tool has it.
    Active,
    /// A person or an import named it before the tool reported it.
    Claimed,
    /// The tool had it once and no longer does.
    Gone,
}

/// Why an account is with its user, or with nobody.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Enum)]
#[graphql(remote = "entity::integration_account::AssociationRule")]
pub(crate) enum AssociationRule {
    /// No rule applies, so nobody has it.
    Unmatched,
    /// Its email is one of the user's.
    Email,
    /// The user was made from it.
    Detected,
    /// A person said so, or said that it is nobody's; automation leaves it alone.
    Manual,
    /// An import said so; automation leaves it alone.
    Import,
}

/// An identity in one integration. It belongs to at most one user; without one it is unmatched.
#[derive(Clone, Debug, Description)]
pub(crate) struct IntegrationAccount(pub Arc<integration_account::Model>, pub At);

impl IntegrationAccount {
    /// An account of now.
    pub(super) fn new(row: Arc<integration_account::Model>) -> Self {
        Self(row, At::Now)
    }

    /// The account of an id, gathered with the other accounts the document asks for.
    pub(super) async fn find(ctx: &Context<'_>, id: IntegrationAccountId) -> Result<Option<Self>> {
        Ok(ctx.load(id).await?.map(Self::new))
    }
}

#[Object(use_type_description, serial)]
impl IntegrationAccount {
    /// The account's id.
    pub(super) async fn id(&self) -> ID {
        to_id(self.0.id)
    }

    /// The integration it is in.
    async fn integration(&self, ctx: &Context<'_>) -> Result<Integration> {
        let id = self.0.integration_id;
        let found = self.1.index(ctx).await?.integration(id).cloned();
        found.map(|row| Integration(row, self.1)).ok_or_else(|| Failure::missing(id))
    }

    /// The tool's own key for it; null while it is only claimed.
    async fn external_id(&self) -> Option<&str> {
        self.0.external_id.as_deref()
    }

    /// The login, as the tool writes it.
    async fn username(&self) -> Option<&str> {
        self.0.username.as_deref()
    }

    /// The email, where the tool shows it.
    async fn email(&self) -> Option<&str> {
        self.0.email.as_deref()
    }

    /// The name that the tool shows.
    async fn display_name(&self) -> Option<&str> {
        self.0.display_name.as_deref()
    }

    /// Whether a program uses it. No user is made from such an account.
    async fn is_bot(&self) -> bool {
        self.0.is_bot
    }

    /// Whether the tool has it.
    async fn status(&self) -> AccountStatus {
        self.0.status.into()
    }

    /// Whose it is; null while it is unmatched.
    async fn user(&self, ctx: &Context<'_>) -> Result<Option<User>> {
        match self.0.user_id {
            Some(id) => User::find_at(ctx, self.1, id).await,
            None => Ok(None),
        }
    }

    /// Why it is theirs, or nobody's.
    async fn rule(&self) -> AssociationRule {
        self.0.rule.into()
    }

    /// The email that decided, in its normal form: that of the user, or the one that the user was made from. Null where a
    /// person or a file said so, where nobody has it, and for what was associated before evidence was kept.
    async fn evidence(&self) -> Option<&str> {
        self.0.evidence.as_deref()
    }

    /// Who associated it.
    async fn associated_by(&self) -> &str {
        &self.0.associated_by
    }

    /// When it was associated.
    async fn associated_at(&self) -> DateTime {
        DateTime(self.0.associated_at)
    }

    /// What became of the account at any time, newest change first.
    async fn history(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "The most nodes, from the start; 1 to 100. 25 if `last` is not given either.")] first: Option<
            i32,
        >,
        #[graphql(desc = "Only nodes after this cursor.")] after: Option<String>,
        #[graphql(desc = "The most nodes, from the end; 1 to 100. Not together with `first`.")] last: Option<i32>,
        #[graphql(desc = "Only nodes before this cursor.")] before: Option<String>,
    ) -> Result<Connection<Change>> {
        history(ctx, self.0.id, &Paging { first, after, last, before }).await
    }

    /// The version of the directory at which it last changed; for `expectedVersion`.
    async fn version(&self) -> i64 {
        self.0.version
    }

    /// When it was first seen or claimed.
    async fn created_at(&self) -> DateTime {
        DateTime(self.0.created_at)
    }

    /// When it last changed.
    async fn updated_at(&self) -> DateTime {
        DateTime(self.0.updated_at)
    }
}

/// Which accounts to list. What is left out is not asked; of `{}` all are listed.
#[derive(Debug, Default, InputObject)]
pub(crate) struct IntegrationAccountFilterInput {
    /// Of this integration, by name or id.
    integration: Option<String>,
    /// With a user (true), or with nobody (false).
    is_matched: Option<bool>,
    /// Used by a program (true), or by a person (false).
    is_bot: Option<bool>,
    /// With this status.
    status: Option<AccountStatus>,
}

/// Queries about accounts.
#[derive(Debug, Default)]
pub(crate) struct IntegrationAccountQuery;

#[Object]
impl IntegrationAccountQuery {
    /// Accounts, in the order in which they came.
    async fn integration_accounts(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "Which accounts to list; all if left out.")] filter: Option<IntegrationAccountFilterInput>,
        #[graphql(desc = "The most nodes, from the start; 1 to 100. 25 if `last` is not given either.")] first: Option<
            i32,
        >,
        #[graphql(desc = "Only nodes after this cursor.")] after: Option<String>,
        #[graphql(desc = "The most nodes, from the end; 1 to 100. Not together with `first`.")] last: Option<i32>,
        #[graphql(desc = "Only nodes before this cursor.")] before: Option<String>,
    ) -> Result<Connection<IntegrationAccount>> {
        let filter = filter.unwrap_or_default();
        let integration = match &filter.integration {
            Some(reference) => Some(ctx.directory()?.find_integration(reference)?),
            None => None,
        };
        let query = AccountQuery {
            integration,
            is_matched: filter.is_matched,
            is_bot: filter.is_bot,
            status: filter.status.map(Into::into),
        };
        page(ctx, query, &Paging { first, after, last, before }).await
    }
}

/// A page of accounts.
///
/// # Errors
/// `Invalid`, for the paging; where the database cannot be read.
pub(crate) async fn page(
    ctx: &Context<'_>,
    query: AccountQuery,
    paging: &Paging,
) -> Result<Connection<IntegrationAccount>> {
    let directory = ctx.directory()?;
    let range = paging.accounts()?;
    let page = directory.list_accounts(&query, range).await?;
    let slice = Slice { items: page.rows, has_previous: page.has_previous, has_next: page.has_next };
    Ok(Connection::new(slice, Total::Accounts(query), directory.version(), |row| Edge {
        cursor: row.id.to_global(),
        node: IntegrationAccount::new(Arc::new(row)),
    }))
}
