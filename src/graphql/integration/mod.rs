//! INTEGRATIONS in the API. What does not live here: their accounts (`integration_account`).

mod mutation;

pub(crate) use mutation::IntegrationMutation;

use std::sync::Arc;

use async_graphql::{Context, Description, Enum, ID, Object};
use entity::integration;

use super::context::ContextExt;
use super::error::Result;
use super::integration_account::{IntegrationAccount, page};
use super::loader::AccountCountOf;
use super::page::{Connection, Paging};
use super::scalar::{DateTime, to_id};
use crate::directory::AccountQuery;

/// Which tool an integration connects.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Enum)]
#[graphql(remote = "entity::integration::IntegrationKind")]
pub(crate) enum IntegrationKind {
    /// Jira, in the cloud or in a data center.
    Jira,
    /// GitHub, or a GitHub Enterprise Server.
    #[graphql(name = "GITHUB")]
    GitHub,
    /// Slack.
    Slack,
    /// Harness.
    Harness,
    /// GitLab.
    #[graphql(name = "GITLAB")]
    GitLab,
    /// The authors and committers of a git repository.
    Git,
    /// Bitbucket.
    Bitbucket,
    /// Azure `DevOps`.
    #[graphql(name = "AZURE_DEVOPS")]
    AzureDevOps,
    /// The tool `PagerDuty`.
    #[graphql(name = "PAGERDUTY")]
    PagerDuty,
    /// The tool `ServiceNow`.
    #[graphql(name = "SERVICENOW")]
    ServiceNow,
    /// Any other tool.
    Other,
}

/// A connected tool. Two organisations on GitHub are two integrations.
#[derive(Clone, Debug, Description)]
pub(crate) struct Integration(pub Arc<integration::Model>);

#[Object(use_type_description, serial)]
impl Integration {
    /// The integration's id.
    pub(super) async fn id(&self) -> ID {
        to_id(self.0.id)
    }

    /// Which tool it is.
    async fn kind(&self) -> IntegrationKind {
        self.0.kind.into()
    }

    /// Its name, unique ignoring case. It also heads a column of CSV files.
    async fn name(&self) -> &str {
        &self.0.name
    }

    /// How many accounts it has, matched or not.
    async fn account_count(&self, ctx: &Context<'_>) -> Result<u64> {
        Ok(ctx.load(AccountCountOf(self.0.id)).await?.unwrap_or_default())
    }

    /// Its accounts, in the order in which they came.
    async fn accounts(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "The most nodes, from the start; 1 to 100. 25 if `last` is not given either.")] first: Option<
            i32,
        >,
        #[graphql(desc = "Only nodes after this cursor.")] after: Option<String>,
        #[graphql(desc = "The most nodes, from the end; 1 to 100. Not together with `first`.")] last: Option<i32>,
        #[graphql(desc = "Only nodes before this cursor.")] before: Option<String>,
    ) -> Result<Connection<IntegrationAccount>> {
        let query = AccountQuery { integration: Some(self.0.id), ..AccountQuery::default() };
        page(ctx, query, &Paging { first, after, last, before }).await
    }

    /// The version of the directory at which it last changed; for `expectedVersion`.
    async fn version(&self) -> i64 {
        self.0.version
    }

    /// When it was connected.
    async fn created_at(&self) -> DateTime {
        DateTime(self.0.created_at)
    }

    /// When it last changed. Its accounts have times of their own.
    async fn updated_at(&self) -> DateTime {
        DateTime(self.0.updated_at)
    }
}

/// Queries about integrations.
#[derive(Debug, Default)]
pub(crate) struct IntegrationQuery;

#[Object]
impl IntegrationQuery {
    /// All integrations, by name.
    async fn integrations(&self, ctx: &Context<'_>) -> Result<Vec<Integration>> {
        Ok(ctx.directory()?.index().integrations().iter().cloned().map(Integration).collect())
    }
}
