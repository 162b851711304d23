//! What an integration proves with that it may read its tool. It is beside the directory: no changeset logs it.

use sea_orm::entity::prelude::*;

use crate::IntegrationId;

/// A row of `integration_credential`. Either it names a variable of the environment, or it holds a sealed secret.
#[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "integration_credential")]
pub struct Model {
    /// Whose it is.
    #[sea_orm(primary_key, auto_increment = false)]
    pub integration_id: IntegrationId,
    /// Where it may be sent: the kind and the address that the integration had when it was set.
    pub address: String,
    /// The variable of the server's environment that holds the secret.
    pub environment: Option<String>,
    /// Which key the secret is sealed with.
    pub key_id: Option<String>,
    /// The secret, encrypted and authenticated: nonce, text, tag.
    pub sealed: Option<Vec<u8>>,
    /// Who set it.
    pub set_by: String,
    /// When it was set.
    pub set_at: DateTimeUtc,
}

/// No relations are declared: reads are by key, in sets.
#[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
pub enum Relation {}

impl ActiveModelBehavior for ActiveModel {}
