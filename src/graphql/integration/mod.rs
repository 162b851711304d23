//! INTEGRATIONS in the API. What does not live here: their accounts (`integration_account`).

mod credential;
mod mutation;
mod run;

pub(crate) use mutation::{DeleteIntegrationInput, IntegrationMutation};
pub(crate) use run::{IntegrationRunMutation, IntegrationRunQuery, IntegrationRunSubscription};

use std::sync::Arc;

use async_graphql::{Context, Description, Enum, ID, Object};
use entity::{IntegrationAccountId, integration};

use super::as_of::{AsOf, At};
use super::context::ContextExt;
use super::error::Result;
use super::integration_account::{IntegrationAccount, page};
use super::loader::{AccountCountOf, CredentialOf, RunStateOf, Then};
use super::page::{Connection, Edge, Paging, Slice, Total};
use super::scalar::{DateTime, Json, to_id};
use crate::directory::{AccountQuery, Moment};
use crate::value::GlobalId;
use credential::IntegrationCredential;
use run::IntegrationRun;

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
    pub(in crate::graphql) fn new(row: Arc<integration::Model>) -> Self {
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

    /// What is read of the tool, and where; null where its accounts are only reported.
    async fn settings(&self) -> Option<Json> {
        self.0.settings.clone().map(Json)
    }

    /// The minutes from one run to the next; null where runs are started by hand.
    async fn schedule_minutes(&self) -> Option<i32> {
        self.0.schedule_minutes
    }

    /// What may be told of its credential, as it is now; null where it has none.
    async fn credential(&self, ctx: &Context<'_>) -> Result<Option<IntegrationCredential>> {
        Ok(ctx.load(CredentialOf(self.0.id)).await?.map(IntegrationCredential::from))
    }

    /// The run that was begun last, whatever came of it; null before the first.
    async fn last_run(&self, ctx: &Context<'_>) -> Result<Option<IntegrationRun>> {
        Ok(ctx.load(RunStateOf(self.0.id)).await?.and_then(|(_, run)| run).map(IntegrationRun))
    }

    /// When the next run is due; null without a schedule, and where it is new.
    async fn next_run_at(&self, ctx: &Context<'_>) -> Result<Option<DateTime>> {
        let Some(minutes) = self.0.schedule_minutes else { return Ok(None) };
        let state = ctx.load(RunStateOf(self.0.id)).await?.map(|(state, _)| state);
        let state = state.filter(|state| state.schedule_minutes == Some(minutes));
        Ok(state.and_then(|state| state.next_at).map(DateTime))
    }

    /// Its runs of the last 90 days, newest first, as they are now.
    async fn runs(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "The most nodes, from the start; 1 to 100. 25 if `last` is not given either.")] first: Option<
            i32,
        >,
        #[graphql(desc = "Only nodes after this cursor.")] after: Option<String>,
        #[graphql(desc = "The most nodes, from the end; 1 to 100. Not together with `first`.")] last: Option<i32>,
        #[graphql(desc = "Only nodes before this cursor.")] before: Option<String>,
    ) -> Result<Connection<IntegrationRun>> {
        let range = Paging { first, after, last, before }.ids()?;
        let directory = ctx.directory()?;
        let page = directory.list_runs(self.0.id, range).await?;
        let slice = Slice { items: page.rows, has_previous: page.has_previous, has_next: page.has_next };
        Ok(Connection::new(slice, Total::Runs(self.0.id), directory.version(), |run| Edge {
            cursor: run.row.id.to_global(),
            node: IntegrationRun(run),
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
