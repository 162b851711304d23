//! What can be done to accounts: reporting them, and saying whose they are.

use std::sync::Arc;

use async_graphql::{Context, Enum, ID, InputObject, Object, SimpleObject};
use entity::IntegrationAccountId;

use super::IntegrationAccount;
use crate::directory::{Actor, Directory, SyncedAccount};
use crate::graphql::context::ContextExt;
use crate::graphql::error::{Failure, Result};
use crate::graphql::scalar::parse_id;

/// Whether the accounts of one call are all that there are.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Enum)]
#[graphql(remote = "crate::directory::SyncMode")]
pub(crate) enum SyncMode {
    /// Accounts that are not in the call stay as they are.
    Delta,
    /// The call has all accounts: others are marked as gone.
    Full,
}

/// What an integration reports of its accounts.
#[derive(Debug, InputObject)]
pub(crate) struct SyncIntegrationAccountsInput {
    /// The integration, by name or id.
    integration: String,
    /// The accounts, at most 50,000. More go in several calls with mode `DELTA`.
    accounts: Vec<SyncedAccountInput>,
    /// Whether these are all accounts that there are.
    #[graphql(default_with = "SyncMode::Delta")]
    mode: SyncMode,
}

/// One account, as the tool reports it. What is left out, or null, the tool does not show.
#[derive(Debug, InputObject)]
pub(crate) struct SyncedAccountInput {
    /// The tool's own key for the account, which never changes.
    external_id: String,
    /// The login.
    username: Option<String>,
    /// The email. One that is none is left out, with a warning.
    email: Option<String>,
    /// The name that the tool shows.
    display_name: Option<String>,
    /// Whether a program uses the account. No user is made from such an account.
    #[graphql(default)]
    is_bot: bool,
    /// Whether the tool has deactivated the account. It is `GONE` then: it stays with its user, and no user is made from
    /// it.
    #[graphql(default)]
    is_gone: bool,
}

/// What a report changed. The same report again changes nothing.
#[derive(Debug, SimpleObject)]
pub(crate) struct SyncIntegrationAccountsPayload {
    /// The version of the directory after the report.
    version: i64,
    /// How many accounts were seen for the first time.
    created: u64,
    /// How many accounts differ from before.
    updated: u64,
    /// How many accounts are as before.
    unchanged: u64,
    /// How many accounts the tool no longer has, or has deactivated.
    gone: u64,
    /// How many users were made from accounts.
    users_created: u64,
    /// How many automatically made users lost their last account and went.
    users_removed: u64,
    /// What was left out of accounts that are otherwise taken.
    warnings: Vec<SyncWarning>,
}

/// Something of a reported account that was left out.
#[derive(Debug, SimpleObject)]
pub(crate) struct SyncWarning {
    /// Where in the input, such as `accounts[17].email`.
    path: String,
    /// What kind of mistake, in capitals. It does not change.
    code: &'static str,
    /// What is wrong and what would be right.
    message: String,
}

/// Whose an account is.
#[derive(Debug, InputObject)]
pub(crate) struct LinkIntegrationAccountInput {
    /// The account's id.
    account_id: ID,
    /// The id of the user who is to have it.
    user_id: ID,
    /// The version of the account that you read. If it has changed since, the link is refused with `CONFLICT`.
    expected_version: Option<i64>,
}

/// The account after the change.
#[derive(Debug, SimpleObject)]
pub(crate) struct LinkIntegrationAccountPayload {
    /// The account.
    account: IntegrationAccount,
    /// The version of the directory after the change.
    version: i64,
}

/// An account that is to be nobody's.
#[derive(Debug, InputObject)]
pub(crate) struct UnlinkIntegrationAccountInput {
    /// The account's id.
    account_id: ID,
    /// The version of the account that you read. If it has changed since, the change is refused with `CONFLICT`.
    expected_version: Option<i64>,
}

/// The account after the change.
#[derive(Debug, SimpleObject)]
pub(crate) struct UnlinkIntegrationAccountPayload {
    /// The account.
    account: IntegrationAccount,
    /// The version of the directory after the change.
    version: i64,
}

/// Mutations of accounts.
#[derive(Debug, Default)]
pub(crate) struct IntegrationAccountMutation;

#[Object]
impl IntegrationAccountMutation {
    /// Takes what an integration reports of its accounts, associates them with users by email, and makes users from
    /// those that have an email, no user, and no program behind them. What a person or an import said stays.
    async fn sync_integration_accounts(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "What the integration reports.")] input: SyncIntegrationAccountsInput,
    ) -> Result<SyncIntegrationAccountsPayload> {
        let directory = ctx.directory()?;
        let integration = directory.find_integration(&input.integration)?;
        let accounts = input
            .accounts
            .into_iter()
            .map(|account| SyncedAccount {
                external_id: account.external_id,
                username: account.username,
                email: account.email,
                display_name: account.display_name,
                is_bot: account.is_bot,
                is_gone: account.is_gone,
            })
            .collect();
        let outcome = directory.sync_accounts(&ctx.actor(), integration, accounts, input.mode.into()).await?;
        let warning = |warning: crate::filter::Violation| SyncWarning {
            path: warning.path,
            code: warning.code,
            message: warning.message,
        };
        Ok(SyncIntegrationAccountsPayload {
            version: outcome.version,
            created: outcome.created,
            updated: outcome.updated,
            unchanged: outcome.unchanged,
            gone: outcome.gone,
            users_created: outcome.users_created,
            users_removed: outcome.users_removed,
            warnings: outcome.warnings.into_iter().map(warning).collect(),
        })
    }

    /// Gives an account to a user. Automation leaves it there.
    async fn link_integration_account(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "Which account, and whose it is.")] input: LinkIntegrationAccountInput,
    ) -> Result<LinkIntegrationAccountPayload> {
        let directory = ctx.directory()?;
        let id = input.make(directory, &ctx.actor()).await?;
        Ok(LinkIntegrationAccountPayload { account: read(directory, id).await?, version: directory.version() })
    }

    /// Takes an account from its user. Automation does not give it to anybody again.
    async fn unlink_integration_account(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "Which account.")] input: UnlinkIntegrationAccountInput,
    ) -> Result<UnlinkIntegrationAccountPayload> {
        let directory = ctx.directory()?;
        let id = input.make(directory, &ctx.actor()).await?;
        Ok(UnlinkIntegrationAccountPayload { account: read(directory, id).await?, version: directory.version() })
    }
}

impl LinkIntegrationAccountInput {
    /// Makes the change.
    pub(crate) async fn make(self, directory: &Directory, actor: &Actor) -> Result<IntegrationAccountId> {
        let id = parse_id(&self.account_id, "accountId")?;
        let user = parse_id(&self.user_id, "userId")?;
        directory.link_account(actor, id, user, self.expected_version).await?;
        Ok(id)
    }
}

impl UnlinkIntegrationAccountInput {
    /// Makes the change.
    pub(crate) async fn make(self, directory: &Directory, actor: &Actor) -> Result<IntegrationAccountId> {
        let id = parse_id(&self.account_id, "accountId")?;
        directory.unlink_account(actor, id, self.expected_version).await?;
        Ok(id)
    }
}

/// The account as it is now.
async fn read(directory: &Directory, id: IntegrationAccountId) -> Result<IntegrationAccount> {
    let found = directory.find_accounts(&[id]).await?.remove(&id);
    found.map(|row| IntegrationAccount::new(Arc::new(row))).ok_or_else(|| Failure::missing(id))
}
