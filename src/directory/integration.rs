//! Integrations: which tools are connected.

use entity::changeset::ChangesetKind;
use entity::integration::{self, IntegrationKind};
use entity::{IntegrationId, integration_account};
use sea_orm::{ColumnTrait, Condition, ConnectionTrait, EntityTrait, QueryOrder};

use super::attribute::{LONGEST_TITLE, check_text, heading_is_free};
use super::error::{Error, Result};
use super::user::refuse;
use super::{Actor, Directory, expect_version, missing};
use crate::record::Record;
use crate::value::{GlobalId, fold};

/// An integration to be made.
#[derive(Clone, Debug)]
pub struct NewIntegration {
    /// Which tool it is.
    pub kind: IntegrationKind,
    /// Its name, which also heads its CSV column.
    pub name: String,
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
}

impl Directory {
    /// Makes an integration.
    ///
    /// # Errors
    /// `Invalid`; `AlreadyExists` where an attribute or integration has the name.
    pub async fn create_integration(&self, actor: &Actor, new: NewIntegration) -> Result<IntegrationId> {
        let mut changeset = self.begin(ChangesetKind::Integration, actor).await?;
        let name = check_name(&new.name)?;
        heading_is_free(&self.index(), &name, None)?;
        let id: IntegrationId = self.clock().id();
        let row = integration::Model {
            id,
            kind: new.kind,
            name_key: fold(&name),
            name,
            version: changeset.number(),
            created_at: changeset.now(),
            updated_at: changeset.now(),
        };
        changeset.put(None, Some(Record::Integration(row)));
        changeset.commit().await?;
        Ok(id)
    }

    /// Changes an integration.
    ///
    /// # Errors
    /// `NotFound`; `Conflict`; `Invalid`; `AlreadyExists` where an attribute or integration has the name.
    pub async fn update_integration(&self, actor: &Actor, id: IntegrationId, change: IntegrationChange) -> Result<()> {
        let mut changeset = self.begin(ChangesetKind::Integration, actor).await?;
        let before = self.index().integration(id).cloned().ok_or_else(|| missing(id))?;
        expect_version(id, change.expected_version, before.version)?;
        let mut after = before.as_ref().clone();
        if let Some(name) = &change.name {
            after.name = check_name(name)?;
            after.name_key = fold(&after.name);
            if after.name_key != before.name_key {
                heading_is_free(&self.index(), &after.name, None)?;
            }
        }
        after.kind = change.kind.unwrap_or(after.kind);
        changeset.put(Some(Record::Integration(before.as_ref().clone())), Some(Record::Integration(after)));
        changeset.commit().await?;
        Ok(())
    }

    /// Deletes an integration with its accounts. Automatic users that lose their last account go, too.
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
            changeset.associate(&mut left, None, integration_account::AssociationRule::Unmatched);
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

fn check_name(name: &str) -> Result<String> {
    let mut violations = Vec::new();
    let name = check_text(name, "name", 1, LONGEST_TITLE, &mut violations);
    refuse(violations)?;
    Ok(name)
}

/// All integrations, by name.
pub(super) async fn load_all(connection: &impl ConnectionTrait) -> Result<Vec<integration::Model>> {
    Ok(integration::Entity::find().order_by_asc(integration::Column::NameKey).all(connection).await?)
}
