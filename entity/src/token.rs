//! Tokens that programs and people call the API with.

use sea_orm::entity::prelude::*;
use serde::{Deserialize, Serialize};

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
