//! Credentials: what integrations prove with that they may read their tools. Rows beside the directory, that no
//! changeset logs and nothing gives back.
//!
//! A credential is for one address: whoever sends an integration elsewhere has to give it anew, so that nobody who can
//! change an integration comes to see its secret. A secret of the environment nobody gives: which host it is for stands
//! beside it.

use std::collections::HashMap;

use chrono::{DateTime, Utc};
use entity::IntegrationId;
use entity::integration::{self, IntegrationKind};
use entity::integration_credential::{self, Column};
use sea_orm::sea_query::{Expr, OnConflict};
use sea_orm::{ColumnTrait, ConnectionTrait, EntityTrait, IntoActiveModel, QueryFilter};
use serde_json::Value as Json;

use super::keys::{Secret, Shut};
use crate::directory::run::Failure;
use crate::directory::{Actor, Directory, Error, Result};
use crate::filter::Violation;

/// What the names of environment variables begin with that clients may name.
pub const VARIABLES: &str = "ROSTER_CREDENTIAL_";
/// What the name of a variable ends with that says for which host the secret of the one before that is.
const HOST: &str = "_HOST";
/// The longest secret, and the longest name of a variable, in bytes.
const LONGEST: usize = 16_384;

/// A credential as it is given.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum NewCredential {
    /// A secret, to be stored.
    Secret(Secret),
    /// The name of a variable in the server's environment.
    Environment(String),
}

impl NewCredential {
    pub(super) fn check(&self, directory: &Directory, violations: &mut Vec<Violation>) {
        let mut refuse = |field: &str, code, message: String| {
            violations.push(Violation::new(format!("credential.{field}"), code, message));
        };
        match self {
            Self::Secret(secret) => match secret.expose().trim() {
                "" => refuse("secret", "REQUIRED", "this must not be empty".to_owned()),
                text if text.len() > LONGEST => {
                    refuse("secret", "TOO_LONG", format!("this has at most {LONGEST} bytes"));
                }
                text if text.contains('\0') => {
                    refuse("secret", "NOT_TEXT", "this cannot hold the character NUL".to_owned());
                }
                _ if !directory.connectors().keys.can_seal() => refuse(
                    "secret",
                    "NO_SECRET_KEY",
                    "the server has no key to encrypt it with; set ROSTER_SECRET_KEY (docs/integrations.md), or name a \
                     variable of the server's environment"
                        .to_owned(),
                ),
                _ => {}
            },
            Self::Environment(name) => {
                let is_name = |rest: &str| {
                    let is_sign = |byte: u8| byte.is_ascii_uppercase() || byte.is_ascii_digit() || byte == b'_';
                    !rest.is_empty() && rest.len() <= 200 && rest.bytes().all(is_sign)
                };
                if !name.strip_prefix(VARIABLES).is_some_and(is_name) {
                    let message = format!(
                        "this names a variable that begins with `{VARIABLES}`, and has capitals, digits and `_` after it"
                    );
                    refuse("environment", "NOT_A_VARIABLE", message);
                }
            }
        }
    }

    /// The row of it.
    pub(super) fn seal(
        &self,
        directory: &Directory,
        of: &integration::Model,
        (actor, now): (&Actor, DateTime<Utc>),
    ) -> Result<integration_credential::Model> {
        let address = address(of);
        let mut row = integration_credential::Model {
            integration_id: of.id,
            address: address.clone(),
            environment: None,
            key_id: None,
            sealed: None,
            set_by: actor.0.clone(),
            set_at: now,
        };
        match self {
            Self::Secret(secret) => {
                let secret = Secret::new(secret.expose().trim());
                let sealed = directory.connectors().keys.seal(of.id, &address, &secret)?;
                let sealed = sealed.ok_or_else(|| Error::internal("there is no key to seal with"))?;
                (row.key_id, row.sealed) = (Some(sealed.key_id), Some(sealed.bytes));
            }
            Self::Environment(name) => row.environment = Some(name.clone()),
        }
        Ok(row)
    }
}

/// Where a credential is sent, as far as settings tell: it is given anew for every other place.
pub(super) fn address(integration: &integration::Model) -> String {
    address_of(integration.kind, integration.settings.as_ref())
}

fn address_of(kind: IntegrationKind, settings: Option<&Json>) -> String {
    let base = settings.and_then(|settings| settings.get("baseUrl")).and_then(Json::as_str).unwrap_or_default();
    format!("{kind:?} {}", base.trim_end_matches('/').to_lowercase())
}

/// Writes a credential over the one that there is.
pub(super) async fn put(connection: &impl ConnectionTrait, row: integration_credential::Model) -> Result<()> {
    let columns = [Column::Address, Column::Environment, Column::KeyId, Column::Sealed, Column::SetBy, Column::SetAt];
    let over = OnConflict::column(Column::IntegrationId).update_columns(columns).to_owned();
    integration_credential::Entity::insert(row.into_active_model())
        .on_conflict(over)
        .exec_without_returning(connection)
        .await?;
    Ok(())
}

pub(super) async fn delete(connection: &impl ConnectionTrait, id: IntegrationId) -> Result<()> {
    integration_credential::Entity::delete_by_id(id).exec(connection).await?;
    Ok(())
}

impl Directory {
    /// The credentials of integrations, as far as they may be told. One statement.
    ///
    /// # Errors
    /// Where the database cannot be read.
    pub async fn credentials_of(
        &self,
        ids: &[IntegrationId],
    ) -> Result<HashMap<IntegrationId, integration_credential::Model>> {
        let rows = integration_credential::Entity::find()
            .filter(Column::IntegrationId.is_in(ids.iter().copied()))
            .all(self.database().readers())
            .await?;
        Ok(rows.into_iter().map(|row| (row.integration_id, row)).collect())
    }

    /// The secret with which an integration is read at `host`; none where it has no credential.
    pub(in crate::directory) async fn secret_of(
        &self,
        of: &integration::Model,
        host: Option<&str>,
    ) -> Result<Option<Secret>, Failure> {
        let found = self.credentials_of(&[of.id]).await.map_err(Failure::from)?.remove(&of.id);
        let Some(row) = found else { return Ok(None) };
        if row.address != address(of) {
            return Err(Failure::new(
                "CREDENTIAL_UNREADABLE",
                "the integration's kind or address has changed since its credential was set; set the credential again",
            ));
        }
        if let Some(name) = &row.environment {
            return self.secret_in(name, host).map(Some).map_err(|mend| {
                let message = format!("the environment of the server that ran it {mend}, and start the server again");
                Failure::new("CREDENTIAL_UNREADABLE", message)
            });
        }
        self.open_sealed(&row).map(Some).map_err(|shut| {
            let message = match shut {
                Shut::NoKey => {
                    "the credential was encrypted with a key that the server does not have; add that key to \
                     ROSTER_SECRET_KEY, or set the credential again"
                }
                Shut::Changed => "the stored credential has been damaged; set it again",
            };
            Failure::new("CREDENTIAL_UNREADABLE", message)
        })
    }

    /// The secret of the environment that is in a variable of this name and for this host; otherwise what is to be mended.
    fn secret_in(&self, name: &str, host: Option<&str>) -> Result<Secret, String> {
        let read = |name: &str| {
            let found = (self.connectors().environment)(name)?;
            Some(Secret::new(found.expose().trim())).filter(|secret| !secret.expose().is_empty())
        };
        let secret = read(name).ok_or_else(|| format!("has no variable {name}; set it"))?;
        let host = host.unwrap_or_default();
        match read(&format!("{name}{HOST}")) {
            Some(known) if known.expose().eq_ignore_ascii_case(host) => Ok(secret),
            _ => Err(format!("does not say that {name} is for `{host}`; set {name}{HOST} to that host if it is")),
        }
    }

    fn open_sealed(&self, row: &integration_credential::Model) -> Result<Secret, Shut> {
        let (Some(key_id), Some(sealed)) = (&row.key_id, &row.sealed) else { return Err(Shut::Changed) };
        self.connectors().keys.open(row.integration_id, &row.address, (key_id, sealed))
    }

    /// Seals stored credentials with the first key that were sealed with another one. Gives the names of the integrations
    /// whose credentials no key opens.
    ///
    /// # Errors
    /// Where the database is busy or away.
    pub async fn renew_credentials(&self) -> Result<Vec<String>> {
        let rows = integration_credential::Entity::find()
            .filter(Column::Sealed.is_not_null())
            .all(self.database().readers())
            .await?;
        let mut shut = Vec::new();
        for row in rows {
            let keys = &self.connectors().keys;
            match self.open_sealed(&row) {
                Ok(_) if row.key_id.as_deref().is_some_and(|id| keys.is_first(id)) => {}
                Ok(secret) => {
                    if let Some(sealed) = keys.seal(row.integration_id, &row.address, &secret)? {
                        self.replace_sealed(&row, sealed.key_id, sealed.bytes).await?;
                    }
                }
                Err(_) => {
                    let name = self.index().integration(row.integration_id).map(|found| found.name.clone());
                    shut.extend(name);
                }
            }
        }
        shut.sort();
        Ok(shut)
    }

    /// Replaces a sealed secret, unless somebody has set another one meanwhile.
    async fn replace_sealed(&self, row: &integration_credential::Model, key_id: String, sealed: Vec<u8>) -> Result<()> {
        let transaction = self.database().begin_side_write().await?;
        integration_credential::Entity::update_many()
            .col_expr(Column::KeyId, Expr::value(Some(key_id)))
            .col_expr(Column::Sealed, Expr::value(Some(sealed)))
            .filter(Column::IntegrationId.eq(row.integration_id))
            .filter(Column::Sealed.eq(row.sealed.clone()))
            .exec(&transaction)
            .await?;
        Ok(self.database().commit(transaction).await?)
    }
}
