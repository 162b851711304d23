//! What tools know of accounts and whose they are, account by account: what the rules of association look at, and the
//! lists of accounts that want looking at.
//!
//! What does not live here: the rules (`directory`), one account by what it is called (`resolve`).

use entity::association_rules::{self, Rules};
use entity::{IntegrationAccountId, IntegrationId, UserId, integration_account};
use std::sync::Arc;

use super::Index;
use crate::value::EmailKeys;

/// What a tool knows of an account, and whose it is. Names are folded where the index tells them.
#[derive(Clone, Copy, Debug)]
pub struct AccountIdentity<'a> {
    /// The account.
    pub id: IntegrationAccountId,
    /// The integration it is in.
    pub integration_id: IntegrationId,
    /// The login.
    pub username: Option<&'a str>,
    /// The email in its normal form.
    pub email: Option<&'a str>,
    /// The name that the tool shows.
    pub display_name: Option<&'a str>,
    /// Whether the tool says that a program uses it.
    pub is_bot: bool,
    /// Whether its tool no longer has it.
    pub is_gone: bool,
    /// Whose it is.
    pub owner: Option<UserId>,
}

impl<'a> From<&'a integration_account::Model> for AccountIdentity<'a> {
    fn from(row: &'a integration_account::Model) -> Self {
        Self {
            id: row.id,
            integration_id: row.integration_id,
            username: row.username.as_deref(),
            email: row.email.as_deref(),
            display_name: row.display_name.as_deref(),
            is_bot: row.is_bot,
            is_gone: row.status == integration_account::AccountStatus::Gone,
            owner: row.user_id,
        }
    }
}

/// An account that is another's than it was, as two versions of the index have it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct MovedAccount {
    /// The account.
    pub account: IntegrationAccountId,
    /// Whose it was.
    pub from: Option<UserId>,
    /// Whose it is.
    pub to: Option<UserId>,
}

impl Index {
    /// The rules of association, as they are chosen; none while nobody has changed them.
    #[must_use]
    pub fn association_rules(&self) -> Option<&Arc<association_rules::Model>> {
        self.rules.as_ref()
    }

    /// How emails are compared.
    #[must_use]
    pub fn email_keys(&self) -> &EmailKeys {
        self.users.emails.keys()
    }

    pub(super) fn put_rules(&mut self, row: Option<association_rules::Model>) {
        let default = Rules::default();
        let rules = row.as_ref().map_or(&default, |row| &row.rules);
        self.compare_emails_by(EmailKeys::new(rules.ignores_plus_tags, &rules.alias_domains));
        self.rules = row.map(Arc::new);
    }

    /// Compares emails by other keys, which takes a look at each of them.
    pub fn compare_emails_by(&mut self, keys: EmailKeys) {
        if keys != *self.email_keys() {
            Arc::make_mut(&mut self.users.emails).compare_by(keys);
        }
    }

    /// The emails, of users and accounts, that are one with `email`.
    #[must_use]
    pub fn emails_like(&self, email: &str) -> Vec<&str> {
        let emails = &self.users.emails;
        let key = emails.keys().key(email);
        let codes = emails.with_key(&key);
        codes.map(|code| std::str::from_utf8(emails.values.value(code)).unwrap_or_default()).collect()
    }

    /// How many places accounts have; [`Self::account_identity`] takes each.
    #[must_use]
    pub fn account_places(&self) -> u32 {
        self.accounts.ordinals().end
    }

    /// The place of an account. It stays while the index follows changes.
    #[must_use]
    pub fn account_place(&self, id: IntegrationAccountId) -> Option<u32> {
        self.accounts.find(id)
    }

    /// The place of a user. It stays while the index follows changes.
    #[must_use]
    pub fn user_place(&self, id: UserId) -> Option<u32> {
        self.users.find(id)
    }

    /// The user at a place.
    #[must_use]
    pub fn user_at(&self, place: u32) -> Option<UserId> {
        self.users.live.contains(place).then(|| self.users.id(place))
    }

    /// The account at a place; none where it is deleted.
    #[must_use]
    pub fn account_identity(&self, place: u32) -> Option<AccountIdentity<'_>> {
        if !self.accounts.is_live(place) {
            return None;
        }
        let known = &self.accounts.identities;
        let integration = self.integrations.get(usize::from(known.integration[place as usize]))?.as_ref()?;
        fn text(bytes: &[u8]) -> Option<&str> {
            std::str::from_utf8(bytes).ok().filter(|text| !text.is_empty())
        }
        Some(AccountIdentity {
            id: IntegrationAccountId(self.accounts.ids.id(place)),
            integration_id: integration.id,
            username: text(known.usernames.value(known.username.code(place))),
            email: text(self.users.emails.values.value(known.email.code(place))),
            display_name: text(self.users.names.values.value(known.display_name.code(place))),
            is_bot: known.bots.contains(place),
            is_gone: known.gone.contains(place),
            owner: self.owner_at(place),
        })
    }

    /// The accounts that are another's, or nobody's, in `later`, a copy of this index that has followed changes.
    pub fn moved_accounts<'a>(&'a self, later: &'a Self) -> impl Iterator<Item = MovedAccount> + 'a {
        self.accounts.ordinals().filter(|at| self.accounts.is_live(*at)).filter_map(|at| {
            let account = IntegrationAccountId(self.accounts.ids.id(at));
            let moved = MovedAccount { account, from: self.owner_at(at), to: later.owner_of(account) };
            (moved.from != moved.to).then_some(moved)
        })
    }

    /// The users that `later`, a copy of this index that has followed changes, does not have.
    pub fn users_gone<'a>(&'a self, later: &'a Self) -> impl Iterator<Item = UserId> + 'a {
        self.user_ids().filter(|id| !later.has_user(*id))
    }
}
