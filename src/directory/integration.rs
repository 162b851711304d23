//! Integrations: which tools are connected, what is read of them, and when.
//!
//! What does not live here: how a tool is read (`connector`), runs (`run`), and accounts (`integration_account`).

mod credential;
mod keys;

pub use credential::{NewCredential, VARIABLES};
pub use keys::{KeyError, Keys, Secret};

use entity::changeset::ChangesetKind;
use entity::integration::{self, IntegrationKind};
use entity::{IntegrationId, integration_account};
use sea_orm::{ColumnTrait, Condition, ConnectionTrait, EntityTrait, QueryOrder};
use serde_json::Value as Json;

use super::attribute::{LONGEST_TITLE, check_text, heading_is_free};
use super::error::{Error, Result};
use super::user::refuse;
use super::{Actor, Directory, expect_version, missing};
use crate::connector::Settings;
use crate::filter::Violation;
use crate::record::Record;
use crate::value::{GlobalId, fold};

/// The shortest time between two scheduled runs, in minutes.
const SHORTEST: i32 = 5;
/// The longest time between two scheduled runs, in minutes: 31 days.
const LONGEST: i32 = 31 * 24 * 60;

/// An integration to be made.
#[derive(Clone, Debug)]
pub struct NewIntegration {
    /// Which tool it is.
    pub kind: IntegrationKind,
    /// Its name, which also heads its CSV column.
    pub name: String,
}

/// How an integration's tool is read. What is `None` is not so: accounts are only reported, runs are started by hand,
/// the tool asks for no credential.
#[derive(Clone, Debug, Default)]
pub struct IntegrationSetup {
    /// What is read, and where, as the connector of its kind takes it.
    pub settings: Option<Json>,
    /// The minutes from one run to the next.
    pub schedule_minutes: Option<i32>,
    /// What proves that the tool may be read.
    pub credential: Option<NewCredential>,
}

/// What is to change of an integration; what is `None` stays.
#[derive(Clone, Debug, Default)]
pub struct IntegrationChange {
    /// The version that the client read.
    pub expected_version: Option<i64>,
    /// Its name.
    pub name: Option<String>,
    /// Which tool it is.
    pub kind: Option<IntegrationKind>,
    /// What is read, or that nothing is.
    pub settings: Option<Option<Json>>,
    /// The minutes from one run to the next, or that runs are started by hand.
    pub schedule_minutes: Option<Option<i32>>,
    /// The credential, or that there is none any more.
    pub credential: Option<Option<NewCredential>>,
}

impl Directory {
    /// Makes an integration whose accounts are reported.
    ///
    /// # Errors
    /// As [`Directory::connect_integration`].
    pub async fn create_integration(&self, actor: &Actor, new: NewIntegration) -> Result<IntegrationId> {
        self.connect_integration(actor, new, IntegrationSetup::default()).await
    }

    /// Makes an integration, and says how its tool is read.
    ///
    /// # Errors
    /// `Invalid`; `AlreadyExists` where an attribute or integration has the name.
    pub async fn connect_integration(
        &self,
        actor: &Actor,
        new: NewIntegration,
        setup: IntegrationSetup,
    ) -> Result<IntegrationId> {
        let IntegrationSetup { settings, schedule_minutes, credential } = setup;
        let mut changeset = self.begin(ChangesetKind::Integration, actor).await?;
        let mut violations = Vec::new();
        let name = check_text(&new.name, "name", 1, LONGEST_TITLE, &mut violations);
        let id: IntegrationId = self.clock().id();
        let row = integration::Model {
            id,
            kind: new.kind,
            name_key: fold(&name),
            name: name.clone(),
            settings,
            schedule_minutes,
            version: changeset.number(),
            created_at: changeset.now(),
            updated_at: changeset.now(),
        };
        self.check_setup(&row, credential.as_ref(), &mut violations);
        refuse(violations)?;
        heading_is_free(&self.index(), &name, None)?;
        let credential =
            credential.map(|credential| credential.seal(self, &row, (actor, changeset.now()))).transpose()?;
        changeset.put(None, Some(Record::Integration(row)));
        if let Some(credential) = credential {
            changeset.flush().await?;
            credential::put(changeset.transaction(), credential).await?;
        }
        changeset.commit().await?;
        Ok(id)
    }

    /// Changes an integration. A credential alone makes no changeset.
    ///
    /// # Errors
    /// `NotFound`; `Conflict`; `Invalid`; `AlreadyExists` where an attribute or integration has the name.
    pub async fn update_integration(&self, actor: &Actor, id: IntegrationId, change: IntegrationChange) -> Result<()> {
        let mut changeset = self.begin(ChangesetKind::Integration, actor).await?;
        let before = self.index().integration(id).cloned().ok_or_else(|| missing(id))?;
        expect_version(id, change.expected_version, before.version)?;
        let mut after = before.as_ref().clone();
        let mut violations = Vec::new();
        if let Some(name) = &change.name {
            after.name = check_text(name, "name", 1, LONGEST_TITLE, &mut violations);
            after.name_key = fold(&after.name);
        }
        after.kind = change.kind.unwrap_or(after.kind);
        after.settings = change.settings.unwrap_or(after.settings);
        after.schedule_minutes = change.schedule_minutes.unwrap_or(after.schedule_minutes);
        // What is only taken away needs no settings that are still right.
        let is_new = (after.kind, &after.settings) != (before.kind, &before.settings)
            || (after.schedule_minutes.is_some() && after.schedule_minutes != before.schedule_minutes);
        if is_new || matches!(change.credential, Some(Some(_))) {
            self.check_setup(&after, change.credential.as_ref().and_then(Option::as_ref), &mut violations);
        }
        if change.credential.is_none()
            && credential::address(&after) != credential::address(&before)
            && self.credentials_of(&[id]).await?.contains_key(&id)
        {
            let message = "the stored credential is for the kind and address as they were; give it again, or null to \
                           go on without one";
            violations.push(Violation::new("credential", "REQUIRED", message));
        }
        refuse(violations)?;
        if after.name_key != before.name_key {
            heading_is_free(&self.index(), &after.name, None)?;
        }
        let seal = |new: NewCredential| new.seal(self, &after, (actor, changeset.now()));
        let credential = match change.credential {
            Some(new) => Some(new.map(seal).transpose()?),
            None => None,
        };
        changeset.put(Some(Record::Integration(before.as_ref().clone())), Some(Record::Integration(after)));
        changeset.flush().await?;
        let Some(credential) = credential else {
            changeset.commit().await?;
            return Ok(());
        };
        if !changeset.is_empty() {
            write_credential(changeset.transaction(), id, credential).await?;
            changeset.commit().await?;
            return Ok(());
        }
        drop(changeset);
        let transaction = self.database().begin_side_write().await?;
        write_credential(&transaction, id, credential).await?;
        Ok(self.database().commit(transaction).await?)
    }

    /// Checks what an integration says of how its tool is read.
    fn check_setup(
        &self,
        row: &integration::Model,
        credential: Option<&NewCredential>,
        violations: &mut Vec<Violation>,
    ) {
        match &row.settings {
            Some(settings) => {
                if let Err(wrong) = Settings::parse(row.kind, settings, &self.connectors().policy) {
                    violations.extend(wrong);
                }
            }
            None if row.schedule_minutes.is_some() || credential.is_some() => {
                let message =
                    "without settings nothing is read; say what to read, or leave schedule and credential out";
                violations.push(Violation::new("settings", "REQUIRED", message));
            }
            None => {}
        }
        if let Some(minutes) = row.schedule_minutes.filter(|minutes| !(SHORTEST..=LONGEST).contains(minutes)) {
            let message = format!("runs are {SHORTEST} to {LONGEST} minutes apart, not {minutes}");
            violations.push(Violation::new("scheduleMinutes", "OUT_OF_BOUNDS", message));
        }
        if let Some(credential) = credential {
            credential.check(self, violations);
        }
    }

    /// Deletes an integration with its accounts, its credential and the history of its runs. Automatic users that lose
    /// their last account go, too.
    ///
    /// # Errors
    /// `NotFound`; `Conflict`; `InUse` where org units' filters name it.
    pub async fn delete_integration(&self, actor: &Actor, id: IntegrationId, expected: Option<i64>) -> Result<()> {
        let mut changeset = self.begin(ChangesetKind::Integration, actor).await?;
        let before = self.index().integration(id).cloned().ok_or_else(|| missing(id))?;
        expect_version(id, expected, before.version)?;
        {
            let index = self.index();
            let units: Vec<String> =
                index.org_units_naming_integration(id).iter().map(|unit| format!("`{}`", index.path(*unit))).collect();
            if !units.is_empty() {
                return Err(Error::InUse {
                    noun: IntegrationId::NOUN,
                    key: before.name.clone(),
                    by: format!("the filter of {}", units.join(", ")),
                });
            }
        }
        let condition = Condition::all().add(integration_account::Column::IntegrationId.eq(id));
        for account in changeset.accounts(condition).await? {
            let mut left = account.clone();
            changeset.associate(&mut left, None, integration_account::AssociationRule::Unmatched, None);
            changeset.put(Some(Record::IntegrationAccount(account)), None);
            changeset.flush_if_large().await?;
        }
        changeset.put(Some(Record::Integration(before.as_ref().clone())), None);
        changeset.settle().await?;
        changeset.commit().await?;
        Ok(())
    }

    /// The integration that a client names by id or name.
    ///
    /// # Errors
    /// `NotFound`, with the nearest name.
    pub fn find_integration(&self, reference: &str) -> Result<IntegrationId> {
        let index = self.index();
        if let Ok(id) = IntegrationId::parse(reference) {
            return index.integration(id).map(|integration| integration.id).ok_or_else(|| missing(id));
        }
        let folded = fold(reference);
        if let Some(integration) = index.integrations().into_iter().find(|integration| integration.name_key == folded) {
            return Ok(integration.id);
        }
        let integrations = index.integrations();
        let names = integrations.iter().map(|integration| integration.name.as_str());
        Err(Error::unknown(IntegrationId::NOUN, reference, names))
    }
}

async fn write_credential(
    connection: &impl ConnectionTrait,
    id: IntegrationId,
    credential: Option<entity::integration_credential::Model>,
) -> Result<()> {
    match credential {
        Some(row) => credential::put(connection, row).await,
        None => credential::delete(connection, id).await,
    }
}

/// All integrations, by name.
pub(super) async fn load_all(connection: &impl ConnectionTrait) -> Result<Vec<integration::Model>> {
    Ok(integration::Entity::find().order_by_asc(integration::Column::NameKey).all(connection).await?)
}
