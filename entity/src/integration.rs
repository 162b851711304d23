//! A connected tool.

use sea_orm::entity::prelude::*;
use serde::{Deserialize, Serialize};

use crate::IntegrationId;

/// Which tool an integration connects.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, EnumIter, DeriveActiveEnum, Serialize, Deserialize)]
#[sea_orm(rs_type = "String", db_type = "Text", rename_all = "SCREAMING_SNAKE_CASE")]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub enum IntegrationKind {
    /// Jira Cloud or Data Center.
    Jira,
    /// GitHub, or a GitHub Enterprise Server.
    #[sea_orm(string_value = "GITHUB")]
    #[serde(rename = "GITHUB")]
    GitHub,
    /// Slack.
    Slack,
    /// Harness.
    Harness,
    /// GitLab.
    #[sea_orm(string_value = "GITLAB")]
    #[serde(rename = "GITLAB")]
    GitLab,
    /// Authors and committers of a git repository.
    Git,
    /// Bitbucket.
    Bitbucket,
    /// Azure `DevOps`.
    #[sea_orm(string_value = "AZURE_DEVOPS")]
    #[serde(rename = "AZURE_DEVOPS")]
    AzureDevOps,
    /// `PagerDuty`.
    #[sea_orm(string_value = "PAGERDUTY")]
    #[serde(rename = "PAGERDUTY")]
    PagerDuty,
    /// `ServiceNow`.
    #[sea_orm(string_value = "SERVICENOW")]
    #[serde(rename = "SERVICENOW")]
    ServiceNow,
    /// Any other tool.
    Other,
}

/// A row of `integration`.
#[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel, Serialize, Deserialize)]
#[sea_orm(table_name = "integration")]
pub struct Model {
    /// Time-ordered id.
    #[sea_orm(primary_key, auto_increment = false)]
    pub id: IntegrationId,
    /// Which tool it is.
    pub kind: IntegrationKind,
    /// Its name, which also heads its CSV column.
    pub name: String,
    /// The folded name, unique.
    #[sea_orm(unique)]
    pub name_key: String,
    /// What is read of the tool, and where, as the connector of its kind takes it; none where accounts are only reported.
    #[sea_orm(column_type = "JsonBinary", nullable)]
    #[serde(default, skip_serializing_if = "Option::is_none", serialize_with = "crate::sorted::option")]
    pub settings: Option<Json>,
    /// The minutes from one run to the next; none where runs are started by hand.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub schedule_minutes: Option<i32>,
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
