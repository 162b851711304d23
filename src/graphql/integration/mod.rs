//! INTEGRATIONS in the API. What does not live here: their accounts (`integration_account`).

mod mutation;

pub(crate) use mutation::{DeleteIntegrationInput, IntegrationMutation};

use std::sync::Arc;

use async_graphql::{Context, Description, Enum, ID, Object};
use entity::{IntegrationAccountId, integration};

use super::as_of::{AsOf, At};
use super::context::ContextExt;
use super::error::Result;
use super::integration_account::{IntegrationAccount, page};
use super::loader::{AccountCountOf, Then};
use super::page::{Connection, Edge, Paging, Slice, Total};
use super::scalar::{DateTime, to_id};
use crate::directory::{AccountQuery, Moment};
use crate::value::GlobalId;

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
pub(crate) struct Integration(pub Arc<integration::Model>, pub At);

impl Integration {
    /// An integration of now.
    pub(super) fn new(row: Arc<integration::Model>) -> Self {
        Self(row, At::Now)
    }
}

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
        Ok(ctx.load(AccountCountOf(self.0.id, self.1)).await?.unwrap_or_default())
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
        let paging = Paging { first, after, last, before };
        let At::Then(Moment { version, .. }) = self.1 else {
            let query = AccountQuery { integration: Some(self.0.id), ..AccountQuery::default() };
            return page(ctx, query, &paging).await;
        };
        let window = paging.window(|cursor| IntegrationAccountId::parse(cursor).ok())?;
        let ids = self.1.index(ctx).await?.accounts_of_integration(self.0.id);
        let total = Total::Known(ids.len() as u64);
        let slice = window.cut(ids, |id| *id);
        let rows = ctx.load_all(slice.items.iter().map(|&id| Then { version, id }).collect::<Vec<_>>()).await?;
        let slice = Slice { items: rows, has_previous: slice.has_previous, has_next: slice.has_next };
        Ok(Connection::new(slice, total, version, |row| Edge {
            cursor: row.id.to_global(),
            node: IntegrationAccount(row, self.1),
        }))
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
    async fn integrations(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "As they were then, down to everything below; as they are now if left out.")] as_of: Option<
            AsOf,
        >,
    ) -> Result<Vec<Integration>> {
        let at = At::of(ctx, as_of, "asOf").await?;
        Ok(at.index(ctx).await?.integrations().into_iter().map(|row| Integration(row, at)).collect())
    }
}
