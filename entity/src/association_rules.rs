//! By which rules accounts are associated with users: one row, or none while nobody has changed them.

use sea_orm::FromJsonQueryResult;
use sea_orm::entity::prelude::*;
use serde::{Deserialize, Serialize};

use crate::{AssociationRulesId, IntegrationId};

/// The rules that can be chosen. What an older row does not have is as in the default.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, FromJsonQueryResult)]
#[serde(default)]
pub struct Rules {
    /// Whether an account whose email is a user's comes to that user, where its integration says nothing else.
    pub email: bool,
    /// Whether a user is made from an account whose email nobody has, where its integration says nothing else.
    pub detected: bool,
    /// Whether `ann+git@corp.example` and `ann@corp.example` are one.
    pub ignores_plus_tags: bool,
    /// Groups of domains that mean the same, in IDNA's ASCII form. The first of each group stands for all.
    pub alias_domains: Vec<Vec<String>>,
    /// Patterns of emails that several people share, so that they say nothing of whose an account is.
    pub excluded_emails: Vec<String>,
    /// Patterns of usernames and display names that several people share.
    pub excluded_names: Vec<String>,
    /// Patterns of usernames and display names of programs.
    pub bot_names: Vec<String>,
    /// What differs in single integrations, at most one entry each.
    pub integrations: Vec<IntegrationRules>,
}

impl Default for Rules {
    fn default() -> Self {
        Self {
            email: true,
            detected: true,
            ignores_plus_tags: false,
            alias_domains: Vec::new(),
            excluded_emails: Vec::new(),
            excluded_names: Vec::new(),
            bot_names: Vec::new(),
            integrations: Vec::new(),
        }
    }
}

/// What differs in one integration.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct IntegrationRules {
    /// Which one. It may have been deleted since.
    pub integration_id: IntegrationId,
    /// As [`Rules::email`]; none is as it is everywhere.
    #[serde(default)]
    pub email: Option<bool>,
    /// As [`Rules::detected`]; none is as it is everywhere.
    #[serde(default)]
    pub detected: Option<bool>,
    /// Whether its emails are those of the people behind the accounts.
    pub is_trusted: bool,
}

/// A row of `association_rules`.
#[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel, Serialize, Deserialize)]
#[sea_orm(table_name = "association_rules")]
pub struct Model {
    /// The one id that there is.
    #[sea_orm(primary_key, auto_increment = false)]
    pub id: AssociationRulesId,
    /// The rules.
    #[sea_orm(column_type = "JsonBinary")]
    pub rules: Rules,
    /// The number of the changeset that last changed it.
    pub version: i64,
    /// When it was made.
    pub created_at: DateTimeUtc,
    /// When it was last changed.
    pub updated_at: DateTimeUtc,
}

/// No relations are declared: reads are by key, in sets.
#[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
pub enum Relation {}

impl ActiveModelBehavior for ActiveModel {}
