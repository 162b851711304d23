//! Tokens that programs and people call the API with. They are beside the directory: no changeset logs them.

use sea_orm::entity::prelude::*;
use serde::{Deserialize, Serialize};

use crate::TokenId;

/// What whoever asks may do.
#[derive(
    Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, EnumIter, DeriveActiveEnum, Serialize, Deserialize,
)]
#[sea_orm(rs_type = "String", db_type = "Text", rename_all = "SCREAMING_SNAKE_CASE")]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub enum Role {
    /// Tells whose an account is and which org units they are in; sees no emails.
    Resolver,
    /// Reads everything that is not private.
    Reader,
    /// Changes users, accounts and imports, too.
    Editor,
    /// Everything.
    Admin,
}

impl Role {
    /// All roles; each may what those before it may, and more.
    pub const ALL: [Self; 4] = [Self::Resolver, Self::Reader, Self::Editor, Self::Admin];

    /// The name that clients know it by.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Resolver => "RESOLVER",
            Self::Reader => "READER",
            Self::Editor => "EDITOR",
            Self::Admin => "ADMIN",
        }
    }
}

/// A row of `token`.
#[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "token")]
pub struct Model {
    /// Time-ordered id.
    #[sea_orm(primary_key, auto_increment = false)]
    pub id: TokenId,
    /// What the log calls whoever uses it.
    pub name: String,
    /// What may be done with it.
    pub role: Role,
    /// The SHA-256 of the secret, 32 bytes. The secret itself is kept nowhere.
    #[sea_orm(unique)]
    pub hash: Vec<u8>,
    /// Who made it.
    pub created_by: String,
    /// When it was made.
    pub created_at: DateTimeUtc,
    /// From when on it is refused; none where it does not expire.
    pub expires_at: Option<DateTimeUtc>,
    /// From when on it is refused, since somebody has revoked it.
    pub revoked_at: Option<DateTimeUtc>,
    /// Who has revoked it.
    pub revoked_by: Option<String>,
    /// When it was last used, to the minute or so.
    pub last_used_at: Option<DateTimeUtc>,
}

/// No relations are declared: reads are by key, in sets.
#[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
pub enum Relation {}

impl ActiveModelBehavior for ActiveModel {}
