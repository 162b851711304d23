//! Many accounts looked up at once by what tools know of them: who is behind each.

use async_graphql::{Context, Description, Enum, InputObject, Object};
use entity::{IntegrationAccountId, UserId};

use super::IntegrationAccount;
use crate::directory::{Directory, Error};
use crate::graphql::context::ContextExt;
use crate::graphql::error::{Failure, Result};
use crate::graphql::user::User;
use crate::index::AccountBy;
use crate::value::Email;

/// The most accounts in one call.
const REFERENCES: usize = 1_000;

/// An account as a tool names it: an integration, and exactly one of `externalId`, `username` and `email`.
#[derive(Debug, InputObject)]
pub(crate) struct AccountReference {
    /// The integration, by name or id.
    integration: String,
    /// The tool's own key for the account.
    external_id: Option<String>,
    /// The login, ignoring case.
    username: Option<String>,
    /// The account's email, ignoring case.
    email: Option<String>,
}

/// Whether an account was found.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Enum)]
pub(crate) enum AccountResolution {
    /// Exactly one account answers to the reference.
    Found,
    /// Several accounts answer to it; none of them is given.
    Ambiguous,
    /// No account answers to it.
    NotFound,
    /// There is no such integration.
    UnknownIntegration,
}

/// What is known of one reference.
#[derive(Clone, Copy, Debug, Description)]
pub(crate) struct ResolvedAccount {
    status: AccountResolution,
    account: Option<IntegrationAccountId>,
    user: Option<UserId>,
}

#[Object(use_type_description)]
impl ResolvedAccount {
    /// Whether an account was found.
    async fn status(&self) -> AccountResolution {
        self.status
    }

    /// The account, where exactly one was found.
    async fn account(&self, ctx: &Context<'_>) -> Result<Option<IntegrationAccount>> {
        match self.account {
            Some(id) => IntegrationAccount::find(ctx, id).await,
            None => Ok(None),
        }
    }

    /// Whose it is; null while it is unmatched, and where no account was found.
    async fn user(&self, ctx: &Context<'_>) -> Result<Option<User>> {
        match self.user {
            Some(id) => User::find(ctx, id).await,
            None => Ok(None),
        }
    }
}

/// Looking accounts up.
#[derive(Debug, Default)]
pub(crate) struct ResolveQuery;

#[Object]
impl ResolveQuery {
    /// Who is behind each of these accounts, in the same order. An account that is not known is an answer, not an
    /// error.
    async fn resolve_accounts(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "The accounts, at most 1,000.")] accounts: Vec<AccountReference>,
    ) -> Result<Vec<ResolvedAccount>> {
        if accounts.len() > REFERENCES {
            let what = "the number of accounts in one call";
            return Err(Failure(Error::LimitExceeded { what, limit: REFERENCES as u64 }));
        }
        let directory = ctx.directory()?;
        accounts.iter().enumerate().map(|(at, reference)| resolve(directory, at, reference)).collect()
    }
}

fn resolve(directory: &Directory, at: usize, reference: &AccountReference) -> Result<ResolvedAccount> {
    let nothing = |status| ResolvedAccount { status, account: None, user: None };
    let email;
    let by = match (&reference.external_id, &reference.username, &reference.email) {
        (Some(id), None, None) => AccountBy::ExternalId(id),
        (None, Some(username), None) => AccountBy::Username(username),
        (None, None, Some(text)) => match Email::parse(text) {
            Ok(parsed) => {
                email = parsed;
                AccountBy::Email(email.as_str())
            }
            // What is no email is nobody's email.
            Err(_) => return Ok(nothing(AccountResolution::NotFound)),
        },
        _ => {
            let message = "give exactly one of `externalId`, `username` and `email`";
            return Err(Failure::invalid(format!("accounts[{at}]"), "EXACTLY_ONE", message));
        }
    };
    let Ok(integration) = directory.find_integration(&reference.integration) else {
        return Ok(nothing(AccountResolution::UnknownIntegration));
    };
    Ok(match directory.index().resolve(integration, by) {
        None => nothing(AccountResolution::NotFound),
        Some(found) if found.ambiguous => nothing(AccountResolution::Ambiguous),
        Some(found) => {
            ResolvedAccount { status: AccountResolution::Found, account: Some(found.account), user: found.owner }
        }
    })
}
