//! Accounts that are with nobody: the list of them, and linking many at once.

use async_graphql::{Context, ID, InputObject, Object, SimpleObject};
use entity::integration_account::AccountStatus as Status;

use crate::directory::{self, AccountLink};
use crate::filter::Violation;
use crate::graphql::context::ContextExt;
use crate::graphql::error::{Failure, Result};
use crate::graphql::integration::IntegrationKind;
use crate::graphql::integration_account::{AccountStatus, IntegrationAccount};
use crate::graphql::page::{Connection, Edge, Paging, Slice, Total};
use crate::graphql::scalar::parse_id;
use crate::value::GlobalId;

/// Which unmatched accounts to list. What is left out is not asked.
#[derive(Debug, Default, InputObject)]
pub(crate) struct UnmatchedAccountsFilterInput {
    /// Of this integration, by name or id.
    integration: Option<String>,
    /// Of integrations of this kind.
    kind: Option<IntegrationKind>,
    /// Whose username, email or display name contains this, ignoring case, or whose external id it is.
    search: Option<String>,
    /// Used by a program, as the tool says (true), or by a person (false).
    is_bot: Option<bool>,
    /// With this status. None of them is `CLAIMED`: what is claimed is a user's.
    status: Option<AccountStatus>,
    /// Whether the tool shows its email.
    has_email: Option<bool>,
}

/// Queries about accounts that are with nobody.
#[derive(Debug, Default)]
pub(crate) struct UnmatchedQuery;

#[Object]
impl UnmatchedQuery {
    /// Accounts that are with nobody, in the order in which they came.
    async fn unmatched_accounts(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "Which of them to list; all if left out.")] filter: Option<UnmatchedAccountsFilterInput>,
        #[graphql(desc = "The most nodes, from the start; 1 to 100. 25 if `last` is not given either.")] first: Option<
            i32,
        >,
        #[graphql(desc = "Only nodes after this cursor.")] after: Option<String>,
        #[graphql(desc = "The most nodes, from the end; 1 to 100. Not together with `first`.")] last: Option<i32>,
        #[graphql(desc = "Only nodes before this cursor.")] before: Option<String>,
    ) -> Result<Connection<IntegrationAccount>> {
        let directory = ctx.directory()?;
        let range = Paging { first, after, last, before }.ids()?;
        let filter = filter.unwrap_or_default();
        let integration = filter.integration.as_deref().map(|name| directory.find_integration(name)).transpose()?;
        let status: Option<Status> = filter.status.map(Into::into);
        let version = directory.version();
        if status == Some(Status::Claimed) {
            let slice: Slice<_> = Slice { items: Vec::new(), has_previous: false, has_next: false };
            return Ok(Connection::new(slice, Total::Known(0), version, edge));
        }
        let query = directory::UnmatchedQuery {
            integration,
            kind: filter.kind.map(Into::into),
            search: filter.search,
            is_bot: filter.is_bot,
            is_gone: status.map(|status| status == Status::Gone),
            has_email: filter.has_email,
        };
        let found = directory.unmatched_accounts(query, range).await?;
        let rows = ctx.load_all(found.items).await?;
        let slice = Slice { items: rows, has_previous: found.has_previous, has_next: found.has_next };
        Ok(Connection::new(slice, Total::Known(found.total), version, edge))
    }
}

fn edge(row: std::sync::Arc<entity::integration_account::Model>) -> Edge<IntegrationAccount> {
    Edge { cursor: row.id.to_global(), node: IntegrationAccount::new(row) }
}

/// Whose an account is to be.
#[derive(Debug, InputObject)]
pub(crate) struct LinkIntegrationAccountsInput {
    /// The account's id.
    account_id: ID,
    /// The id of the user who is to have it.
    user_id: ID,
    /// The version of the account that you read. If it has changed since, the link is refused.
    expected_version: Option<i64>,
}

/// What became of many links. With one that cannot be made, none is.
#[derive(Debug, SimpleObject)]
pub(crate) struct LinkIntegrationAccountsPayload {
    /// Whether the accounts are the users' now.
    applied: bool,
    /// The version of the directory after the change.
    version: i64,
    /// How many accounts were linked.
    linked: u64,
    /// How many were linked just so already.
    unchanged: u64,
    /// The links that cannot be made.
    errors: Vec<LinkIntegrationAccountsError>,
}

/// A link that cannot be made.
#[derive(Debug, SimpleObject)]
pub(crate) struct LinkIntegrationAccountsError {
    /// The place of the link in the input, from 0.
    index: usize,
    /// Where in the input, such as `input[17].userId`.
    path: String,
    /// What kind of mistake, in capitals. It does not change.
    code: &'static str,
    /// What is wrong.
    message: String,
}

/// Mutations of many accounts.
#[derive(Debug, Default)]
pub(crate) struct LinkAccountsMutation;

#[Object]
impl LinkAccountsMutation {
    /// Gives accounts to users, all of them in one changeset, or none. Automation leaves them there.
    async fn link_integration_accounts(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "Which accounts, and whose each is; at most 10,000.")] input: Vec<
            LinkIntegrationAccountsInput,
        >,
    ) -> Result<LinkIntegrationAccountsPayload> {
        let mut violations = Vec::new();
        let mut links = Vec::with_capacity(input.len());
        for (at, link) in input.iter().enumerate() {
            let account = parse_id(&link.account_id, &format!("input[{at}].accountId"));
            let user = parse_id(&link.user_id, &format!("input[{at}].userId"));
            match (account, user) {
                (Ok(account), Ok(user)) => {
                    links.push(AccountLink { account, user, expected_version: link.expected_version });
                }
                (account, user) => {
                    let wrong = [account.err(), user.err()].into_iter().flatten();
                    violations.extend(wrong.flat_map(|Failure(error)| match error {
                        directory::Error::Invalid(violations) => violations,
                        other => vec![Violation::new(format!("input[{at}]"), "WRONG_ID", other.to_string())],
                    }));
                }
            }
        }
        if !violations.is_empty() {
            return Err(Failure(directory::Error::Invalid(violations)));
        }
        let report = ctx.directory()?.link_accounts(&ctx.actor(), links).await?;
        let error = |refusal: directory::LinkRefusal| {
            let (code, message) = match refusal.error {
                directory::Error::Invalid(violations) => violations
                    .into_iter()
                    .next()
                    .map_or(("DUPLICATE", String::new()), |first| (first.code, first.message)),
                other => (other.code(), other.to_string()),
            };
            let path = format!("input[{}].{}", refusal.index, refusal.field);
            LinkIntegrationAccountsError { index: refusal.index, path, code, message }
        };
        Ok(LinkIntegrationAccountsPayload {
            applied: report.applied,
            version: report.version,
            linked: report.linked,
            unchanged: report.unchanged,
            errors: report.refusals.into_iter().map(error).collect(),
        })
    }
}
