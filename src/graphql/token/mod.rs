//! TOKENS in the API. Who has the role ADMIN sees all of them and makes and revokes them; of secrets, each is given once.

use async_graphql::{Context, Description, ID, InputObject, Object, SimpleObject};
use entity::{TokenId, token};

use super::context::ContextExt;
use super::error::Result;
use super::page::{Connection, Edge, Paging, Slice, Total};
use super::role::Role;
use super::scalar::{DateTime, parse_id, to_id};
use crate::directory::NewToken;
use crate::value::GlobalId;

/// What a program or a person calls the API with. Its secret is kept nowhere.
#[derive(Clone, Debug, Description)]
pub(crate) struct Token(token::Model);

#[Object(use_type_description)]
impl Token {
    /// The token's id. It is no secret.
    async fn id(&self) -> ID {
        to_id(self.0.id)
    }

    /// What the log calls whoever uses it.
    async fn name(&self) -> &str {
        &self.0.name
    }

    /// What may be done with it.
    async fn role(&self) -> Role {
        self.0.role.into()
    }

    /// Who made it.
    async fn created_by(&self) -> &str {
        &self.0.created_by
    }

    /// When it was made.
    async fn created_at(&self) -> DateTime {
        DateTime(self.0.created_at)
    }

    /// From when on it is refused; null where it does not expire.
    async fn expires_at(&self) -> Option<DateTime> {
        self.0.expires_at.map(DateTime)
    }

    /// From when on it is refused, since somebody has revoked it; null where nobody has.
    async fn revoked_at(&self) -> Option<DateTime> {
        self.0.revoked_at.map(DateTime)
    }

    /// Who has revoked it; null where nobody has.
    async fn revoked_by(&self) -> Option<&str> {
        self.0.revoked_by.as_deref()
    }

    /// When it was last used, to the minute; null where it never was.
    async fn last_used_at(&self) -> Option<DateTime> {
        self.0.last_used_at.map(DateTime)
    }
}

/// Queries for tokens.
#[derive(Debug, Default)]
pub(crate) struct TokenQuery;

#[Object]
impl TokenQuery {
    /// Tokens, newest first, also those that work no longer. For the role ADMIN.
    async fn tokens(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "The most nodes, from the start; 1 to 100. 25 if `last` is not given either.")] first: Option<
            i32,
        >,
        #[graphql(desc = "Only nodes after this cursor.")] after: Option<String>,
        #[graphql(desc = "The most nodes, from the end; 1 to 100. Not together with `first`.")] last: Option<i32>,
        #[graphql(desc = "Only nodes before this cursor.")] before: Option<String>,
    ) -> Result<Connection<Token>> {
        let range = Paging { first, after, last, before }.ids::<TokenId>()?;
        let directory = ctx.directory()?;
        let page = directory.list_tokens(range).await?;
        let slice = Slice { items: page.rows, has_previous: page.has_previous, has_next: page.has_next };
        Ok(Connection::new(slice, Total::Tokens, directory.version(), |row: token::Model| Edge {
            cursor: row.id.to_global(),
            node: Token(row),
        }))
    }
}

/// A token to make.
#[derive(Debug, InputObject)]
pub(crate) struct CreateTokenInput {
    /// What the log calls whoever uses it: at most 100 characters.
    name: String,
    /// What may be done with it.
    role: Role,
    /// From when on it is refused. Without it, it does not expire.
    expires_at: Option<DateTime>,
}

/// A token that was made.
#[derive(SimpleObject)]
pub(crate) struct CreateTokenPayload {
    /// The token.
    token: Token,
    /// What to send as `Authorization: Bearer …`. It is shown here, and never again.
    secret: String,
}

/// Which token to revoke.
#[derive(Debug, InputObject)]
pub(crate) struct RevokeTokenInput {
    /// The token's id.
    id: ID,
}

/// A token after it was revoked.
#[derive(Debug, SimpleObject)]
pub(crate) struct RevokeTokenPayload {
    /// The token.
    token: Token,
}

/// Mutations of tokens.
#[derive(Debug, Default)]
pub(crate) struct TokenMutation;

#[Object]
impl TokenMutation {
    /// Makes a token. For the role ADMIN.
    async fn create_token(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "What to make.")] input: CreateTokenInput,
    ) -> Result<CreateTokenPayload> {
        let CreateTokenInput { name, role, expires_at } = input;
        let new = NewToken { name, role: role.into(), expires_at: expires_at.map(|at| at.0) };
        let (row, secret) = ctx.directory()?.create_token(&ctx.actor(), new).await?;
        Ok(CreateTokenPayload { token: Token(row), secret: secret.expose().to_owned() })
    }

    /// Revokes a token: every server refuses it within a second, and subscriptions with it end. One that is revoked
    /// already stays so. The last one with the role ADMIN that works is not revoked, unless people can sign in otherwise.
    /// For the role ADMIN.
    async fn revoke_token(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "Which token.")] input: RevokeTokenInput,
    ) -> Result<RevokeTokenPayload> {
        let id: TokenId = parse_id(&input.id, "id")?;
        let row = ctx.directory()?.revoke_token(&ctx.actor(), id, ctx.has_other_sign_in()).await?;
        Ok(RevokeTokenPayload { token: Token(row) })
    }
}
