//! TOKENS: with which programs and people call the API. They are beside the directory: no changeset logs them, and each
//! says who made and who revoked it.
//!
//! What does not live here: how secrets are made (`access`), who may make a token, how a request brings one.

mod known;

pub(super) use known::Known;

use std::time::Instant;

use chrono::{DateTime, TimeDelta, Utc};
use entity::TokenId;
use entity::token::{self, Column, Role};
use sea_orm::sea_query::{Condition, Expr};
use sea_orm::{
    ColumnTrait, ConnectionTrait, EntityTrait, IntoActiveModel, Order, PaginatorTrait, QueryFilter, QueryOrder,
    QuerySelect,
};

use super::attribute::{LONGEST_TITLE, check_text};
use super::history::{ChangePage, Range, page};
use super::{Actor, Directory, Error, Result, missing};
use crate::access::secret::{TokenHash, TokenSecret};
use crate::access::{Admitted, Denied, Principal};
use crate::filter::Violation;
use crate::value::GlobalId;

/// How often it is written down that a token is in use.
const NOTED_EVERY: TimeDelta = TimeDelta::minutes(1);

/// A token to make.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NewToken {
    /// What the log calls whoever uses it.
    pub name: String,
    /// What may be done with it.
    pub role: Role,
    /// From when on it is refused; none where it does not expire.
    pub expires_at: Option<DateTime<Utc>>,
}

impl Directory {
    /// Makes a token. Its secret is given here, and never again.
    ///
    /// # Errors
    /// `Invalid`; where the database is busy or away.
    pub async fn create_token(&self, actor: &Actor, new: NewToken) -> Result<(token::Model, TokenSecret)> {
        let mut violations = Vec::new();
        let name = check_text(&new.name, "name", 1, LONGEST_TITLE, &mut violations);
        let now = self.clock().now();
        if new.expires_at.is_some_and(|at| at <= now) {
            violations.push(Violation::new("expiresAt", "OUT_OF_BOUNDS", "this has to be in the future"));
        }
        if !violations.is_empty() {
            return Err(Error::Invalid(violations));
        }
        let (row, secret) = self.new_token(actor, NewToken { name, ..new }, now)?;
        let transaction = self.database().begin_side_write().await?;
        insert(&transaction, &row).await?;
        self.database().commit(transaction).await?;
        tracing::info!(token.id = row.id.to_global(), token.role = ?row.role, by = actor.0, "a token was made");
        Ok((row, secret))
    }

    /// Makes a token with the role ADMIN where there has never been a token; gives its secret, and none otherwise. Of
    /// processes that start together one makes it.
    ///
    /// # Errors
    /// Where the database is busy or away.
    pub async fn create_first_token(&self) -> Result<Option<TokenSecret>> {
        let transaction = self.database().begin_write().await?;
        if token::Entity::find().one(&transaction).await?.is_some() {
            return Ok(None);
        }
        let new = NewToken { name: "first".to_owned(), role: Role::Admin, expires_at: None };
        let (row, secret) = self.new_token(&Actor("roster".to_owned()), new, self.clock().now())?;
        insert(&transaction, &row).await?;
        self.database().commit(transaction).await?;
        Ok(Some(secret))
    }

    fn new_token(&self, actor: &Actor, new: NewToken, now: DateTime<Utc>) -> Result<(token::Model, TokenSecret)> {
        let secret = TokenSecret::generate().map_err(Error::internal)?;
        let hash = TokenHash::of(secret.expose()).ok_or_else(|| Error::internal("a secret that is none was made"))?;
        let row = token::Model {
            id: self.clock().id(),
            name: new.name,
            role: new.role,
            hash: hash.as_bytes().to_vec(),
            created_by: actor.0.clone(),
            created_at: now,
            expires_at: new.expires_at,
            revoked_at: None,
            revoked_by: None,
            last_used_at: None,
        };
        Ok((row, secret))
    }

    /// Tokens, newest first, also those that work no longer.
    ///
    /// # Errors
    /// Where the database cannot be read.
    pub async fn list_tokens(&self, range: Range<TokenId>) -> Result<ChangePage<token::Model>> {
        let mut query = token::Entity::find();
        if let Some(after) = range.after {
            query = query.filter(Column::Id.lt(after));
        }
        if let Some(before) = range.before {
            query = query.filter(Column::Id.gt(before));
        }
        let order = if range.from_end { Order::Asc } else { Order::Desc };
        let rows = query.order_by(Column::Id, order).limit(range.limit + 1).all(self.database().readers()).await?;
        Ok(page(rows, &range))
    }

    /// How many tokens there are.
    ///
    /// # Errors
    /// Where the database cannot be read.
    pub async fn count_tokens(&self) -> Result<u64> {
        Ok(token::Entity::find().count(self.database().readers()).await?)
    }

    /// Revokes a token: every process refuses it within a second. One that is revoked already stays so. The last one with
    /// the role ADMIN that works is only revoked if `also_the_last`.
    ///
    /// # Errors
    /// `NotFound`; `Invalid` for the last one; where the database is busy or away.
    pub async fn revoke_token(&self, actor: &Actor, id: TokenId, also_the_last: bool) -> Result<token::Model> {
        let now = self.clock().now();
        let transaction = self.database().begin_write().await?;
        let mut row = token::Entity::find_by_id(id).one(&transaction).await?.ok_or_else(|| missing(id))?;
        if row.revoked_at.is_some() {
            return Ok(row);
        }
        if !also_the_last && row.role == Role::Admin && works(&row, now).is_ok() {
            let others = token::Entity::find()
                .filter(Column::Id.ne(id))
                .filter(Column::Role.eq(Role::Admin))
                .filter(Column::RevokedAt.is_null())
                .filter(Condition::any().add(Column::ExpiresAt.is_null()).add(Column::ExpiresAt.gt(now)));
            if others.count(&transaction).await? == 0 {
                let message = "this is the last token with the role ADMIN that works; make another one first";
                return Err(Error::invalid("id", "LAST_ADMIN", message));
            }
        }
        (row.revoked_at, row.revoked_by) = (Some(now), Some(actor.0.clone()));
        token::Entity::update_many()
            .col_expr(Column::RevokedAt, Expr::value(row.revoked_at))
            .col_expr(Column::RevokedBy, Expr::value(row.revoked_by.clone()))
            .filter(Column::Id.eq(id))
            .exec(&transaction)
            .await?;
        self.database().commit(transaction).await?;
        self.0.tokens.forget(id);
        tracing::info!(token.id = id.to_global(), by = actor.0, "a token was revoked");
        Ok(row)
    }

    /// Lets in whoever has a token with a secret of this hash. What is known of tokens that work is half a second old at
    /// most, and of one that was revoked here nothing; nothing is kept of others.
    ///
    /// # Errors
    /// Why they are not let in.
    pub async fn admit(&self, hash: &TokenHash) -> Result<Admitted, Denied> {
        let now = self.now();
        let known = &self.0.tokens;
        if let Some(token) = known.find(hash) {
            return works(&token, now);
        }
        let read_at = Instant::now();
        let query = token::Entity::find().filter(Column::Hash.eq(hash.as_bytes()));
        let found = query.one(self.database().readers()).await.map_err(|error| {
            tracing::warn!(%error, "a token cannot be looked for");
            Denied::Unavailable(Error::from(error).to_string())
        })?;
        let row = found.filter(|row| hash.is(&row.hash)).ok_or_else(|| Denied::unauthenticated(UNKNOWN))?;
        let admitted = works(&row, now)?;
        let id = row.id;
        if known.keep(*hash, (row, read_at), now, NOTED_EVERY) {
            let directory = self.clone();
            tokio::spawn(async move {
                if let Err(error) = directory.note_use(id, now).await {
                    tracing::debug!(?error, "it cannot be noted that a token is in use");
                }
            });
        }
        Ok(admitted)
    }

    /// Writes down that a token is in use, unless another process has just done so.
    async fn note_use(&self, id: TokenId, now: DateTime<Utc>) -> Result<()> {
        let transaction = self.database().begin_side_write().await?;
        token::Entity::update_many()
            .col_expr(Column::LastUsedAt, Expr::value(Some(now)))
            .filter(Column::Id.eq(id))
            .filter(Condition::any().add(Column::LastUsedAt.is_null()).add(Column::LastUsedAt.lte(now - NOTED_EVERY)))
            .exec(&transaction)
            .await?;
        Ok(self.database().commit(transaction).await?)
    }
}

/// What is said of a token that there is not.
const UNKNOWN: &str = "the token is not known here";

/// Who a token lets in, if it works.
fn works(token: &token::Model, now: DateTime<Utc>) -> Result<Admitted, Denied> {
    if token.revoked_at.is_some() {
        return Err(Denied::unauthenticated("the token has been revoked"));
    }
    if token.expires_at.is_some_and(|at| at <= now) {
        return Err(Denied::unauthenticated("the token has expired"));
    }
    let principal = Principal { name: token.name.clone(), role: token.role };
    Ok(Admitted { principal, account: token.id.to_global().into() })
}

async fn insert(connection: &impl ConnectionTrait, row: &token::Model) -> Result<()> {
    token::Entity::insert(row.clone().into_active_model()).exec_without_returning(connection).await?;
    Ok(())
}
