//! How the directory is, in numbers, for whoever watches the process.

use std::collections::HashMap;

use chrono::{DateTime, Utc};
use entity::integration_run::{self, RunState};
use entity::{IntegrationId, integration_state};
use sea_orm::{ColumnTrait, EntityTrait, QueryFilter, QuerySelect};

use super::{Directory, Result};

/// How the directory is.
#[derive(Clone, Debug)]
pub struct Measures {
    /// The number of its last changeset.
    pub version: i64,
    /// How many users there are.
    pub users: u64,
    /// How many org units there are.
    pub org_units: u64,
    /// Each integration, in the order of their names.
    pub integrations: Vec<IntegrationMeasures>,
}

/// How an integration is.
#[derive(Clone, Debug)]
pub struct IntegrationMeasures {
    /// Its name.
    pub name: String,
    /// How many accounts it has, with those that are gone.
    pub accounts: u64,
    /// How many scheduled runs have failed since the last one that did not.
    pub failures: u32,
    /// When the last run that succeeded ended, if there is one.
    pub succeeded_at: Option<DateTime<Utc>>,
}

impl Directory {
    /// How the directory is at the moment.
    ///
    /// # Errors
    /// `Unavailable` where the database does not answer.
    pub async fn measure(&self) -> Result<Measures> {
        self.refresh().await?;
        let readers = self.database().readers();
        let failures: HashMap<IntegrationId, i32> = integration_state::Entity::find()
            .select_only()
            .columns([integration_state::Column::IntegrationId, integration_state::Column::Failures])
            .into_tuple()
            .all(readers)
            .await?
            .into_iter()
            .collect();
        let succeeded: HashMap<IntegrationId, Option<DateTime<Utc>>> = integration_run::Entity::find()
            .select_only()
            .column(integration_run::Column::IntegrationId)
            .column_as(integration_run::Column::UpdatedAt.max(), "succeeded_at")
            .filter(integration_run::Column::State.eq(RunState::Succeeded))
            .group_by(integration_run::Column::IntegrationId)
            .into_tuple()
            .all(readers)
            .await?
            .into_iter()
            .collect();
        let index = self.snapshot();
        let accounts = index.count_accounts();
        let integrations = index.integrations().into_iter().map(|integration| IntegrationMeasures {
            name: integration.name.clone(),
            accounts: accounts.get(&integration.id).copied().unwrap_or_default(),
            failures: failures.get(&integration.id).map_or(0, |failures| failures.unsigned_abs()),
            succeeded_at: succeeded.get(&integration.id).copied().flatten(),
        });
        Ok(Measures {
            version: index.version(),
            users: index.user_count(),
            org_units: index.org_units().len() as u64,
            integrations: integrations.collect(),
        })
    }
}
