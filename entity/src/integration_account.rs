//! An identity in one integration.

use sea_orm::entity::prelude::*;
use serde::{Deserialize, Serialize};

use crate::{IntegrationAccountId, IntegrationId, UserId};

/// What is known of an account's existence in its tool.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, EnumIter, DeriveActiveEnum, Serialize, Deserialize)]
#[sea_orm(rs_type = "String", db_type = "Text", rename_all = "SCREAMING_SNAKE_CASE")]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub enum AccountStatus {
    /// The tool has it.
    Active,
    /// A person or an import named it before the tool reported it; it has no external id yet.
    Claimed,
    /// The tool had it once and no longer does.
    Gone,
}

/// Why an account is with its user, or with nobody.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, EnumIter, DeriveActiveEnum, Serialize, Deserialize)]
#[sea_orm(rs_type = "String", db_type = "Text", rename_all = "SCREAMING_SNAKE_CASE")]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub enum AssociationRule {
    /// No rule applies, so nobody has it.
    Unmatched,
    /// Its email is one of the user's.
    Email,
    /// The user was made from it.
    Detected,
    /// A person said so; automation leaves it alone, also where the person said "nobody".
    Manual,
    /// An import said so; automation leaves it alone.
    Import,
}

/// A row of `integration_account`.
#[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel, Serialize, Deserialize)]
#[sea_orm(table_name = "integration_account")]
pub struct Model {
    /// Time-ordered id.
    #[sea_orm(primary_key, auto_increment = false)]
    pub id: IntegrationAccountId,
    /// The tool it is in.
    pub integration_id: IntegrationId,
    /// The tool's own key for it, unique in the integration; none while it is only claimed.
    pub external_id: Option<String>,
    /// The login, as the tool writes it.
    pub username: Option<String>,
    /// The email in its normal form.
    pub email: Option<String>,
    /// The name that the tool shows.
    pub display_name: Option<String>,
    /// Whether a program uses it.
    pub is_bot: bool,
    /// Whether the tool has it.
    pub status: AccountStatus,
    /// Whose it is; none is *unmatched*.
    pub user_id: Option<UserId>,
    /// Why it is theirs.
    pub rule: AssociationRule,
    /// The email that decided, in its normal form; none where a person or a file did, and where nobody has it.
    #[serde(default)]
    pub evidence: Option<String>,
    /// Who associated it.
    pub associated_by: String,
    /// When it was associated.
    pub associated_at: DateTimeUtc,
    /// The number of the changeset that last changed it.
    pub version: i64,
    /// When it was first seen or claimed.
    pub created_at: DateTimeUtc,
    /// When it was last changed.
    pub updated_at: DateTimeUtc,
}

/// No relations are declared: reads are by key, in sets.
#[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
pub enum Relation {}

impl ActiveModelBehavior for ActiveModel {}
