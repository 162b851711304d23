//! Whose an account is, by what tools know of it.

use entity::{IntegrationAccountId, IntegrationId, UserId};

use super::Index;

/// What an account is looked up by, within one integration.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum AccountBy<'a> {
    /// The tool's own key for it.
    ExternalId(&'a str),
    /// The login, ignoring case.
    Username(&'a str),
    /// The email in its normal form.
    Email(&'a str),
}

/// An account that was found.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Resolved {
    /// The account; of several the earliest.
    pub account: IntegrationAccountId,
    /// Whose it is; none if it is unmatched.
    pub owner: Option<UserId>,
    /// Whether more than one account answers to this.
    pub ambiguous: bool,
}

impl Index {
    /// The account that answers to `by` in an integration.
    #[must_use]
    pub fn resolve(&self, integration: IntegrationId, by: AccountBy<'_>) -> Option<Resolved> {
        let mut found = self.accounts_by(integration, by);
        found.sort_unstable_by_key(|at| self.accounts.ids.id(*at));
        let account = *found.first()?;
        Some(Resolved {
            account: IntegrationAccountId(self.accounts.ids.id(account)),
            owner: self.owner_at(account),
            ambiguous: found.len() > 1,
        })
    }

    /// Whether there is such an account.
    #[must_use]
    pub fn has_account(&self, id: IntegrationAccountId) -> bool {
        self.accounts.find(id).is_some()
    }

    /// Whose an account is; none also where there is no such account.
    #[must_use]
    pub fn owner_of(&self, id: IntegrationAccountId) -> Option<UserId> {
        self.owner_at(self.accounts.find(id)?)
    }

    /// The accounts of a user, in no order.
    #[must_use]
    pub fn accounts_of(&self, id: UserId) -> Vec<IntegrationAccountId> {
        let accounts = self.users.find(id).into_iter().flat_map(|at| self.accounts.owners.of_user.items(at));
        accounts.map(|at| IntegrationAccountId(self.accounts.ids.id(at))).collect()
    }

    /// The accounts of a user in one integration, in no order.
    #[must_use]
    pub fn accounts_in(&self, id: UserId, integration: IntegrationId) -> Vec<IntegrationAccountId> {
        let Some(number) = self.integration_number(integration) else { return Vec::new() };
        let accounts = self.users.find(id).into_iter().flat_map(|at| self.accounts.owners.of_user.items(at));
        let there = accounts.filter(|at| self.accounts.identities.integration[*at as usize] == number);
        there.map(|at| IntegrationAccountId(self.accounts.ids.id(at))).collect()
    }

    /// The accounts that are with nobody and have an email that is one with this, given in its normal form; in no order.
    #[must_use]
    pub fn unmatched_with_email(&self, email: &str) -> Vec<IntegrationAccountId> {
        let emails = &self.users.emails;
        let codes = emails.with_key(&emails.keys().key(email)).collect::<Vec<_>>();
        let accounts = codes.into_iter().flat_map(|code| self.accounts.identities.by_email.items(code));
        let unmatched = accounts.filter(|at| self.owner_at(*at).is_none());
        unmatched.map(|at| IntegrationAccountId(self.accounts.ids.id(at))).collect()
    }

    pub(super) fn accounts_by(&self, integration: IntegrationId, by: AccountBy<'_>) -> Vec<u32> {
        let Some(integration) = self.integration_number(integration) else { return Vec::new() };
        match by {
            AccountBy::ExternalId(id) => self.accounts.by_external_id(integration, id).collect(),
            AccountBy::Username(username) => self.accounts.by_username(integration, username).collect(),
            AccountBy::Email(email) => {
                let code = self.users.emails.values.find(email.as_bytes());
                self.accounts.by_email(integration, code).collect()
            }
        }
    }

    pub(super) fn owner_at(&self, account: u32) -> Option<UserId> {
        let owner = self.accounts.owner(account)?;
        self.users.live.contains(owner).then(|| self.users.id(owner))
    }
}
