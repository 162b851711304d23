//! The accounts: whose each is, what it is found by, and what filters ask of it.

use std::hash::{BuildHasher, RandomState};

use entity::integration_account;
use entity::{IntegrationAccountId, IntegrationId, UserId};
use hashbrown::HashTable;
use roaring::RoaringBitmap;

use super::codes::Codes;
use super::dictionary::Dictionary;
use super::ids::Ids;
use super::links::Links;
use super::ordinal;
use super::users::Users;
use crate::value::fold;

/// The integration of an account that is deleted.
const GONE: u16 = u16::MAX;

/// An account as the index takes it in.
#[derive(Clone, Copy, Debug)]
pub struct AccountRow<'a> {
    /// Its id.
    pub id: IntegrationAccountId,
    /// The integration it is in.
    pub integration_id: IntegrationId,
    /// The tool's own key for it.
    pub external_id: Option<&'a str>,
    /// The login, as the tool writes it.
    pub username: Option<&'a str>,
    /// The email in its normal form.
    pub email: Option<&'a str>,
    /// The name that the tool shows.
    pub display_name: Option<&'a str>,
    /// Whether a program uses it.
    pub is_bot: bool,
    /// Whose it is.
    pub user_id: Option<UserId>,
}

impl<'a> From<&'a integration_account::Model> for AccountRow<'a> {
    fn from(row: &'a integration_account::Model) -> Self {
        Self {
            id: row.id,
            integration_id: row.integration_id,
            external_id: row.external_id.as_deref(),
            username: row.username.as_deref(),
            email: row.email.as_deref(),
            display_name: row.display_name.as_deref(),
            is_bot: row.is_bot,
            user_id: row.user_id,
        }
    }
}

/// Every account by ordinal; a deleted account's ordinal is not used again.
#[derive(Clone, Default)]
pub(super) struct Accounts {
    pub(super) ids: Ids,
    pub(super) integration: Vec<u16>,
    /// One more than the ordinal of the user whose it is; 0 for nobody's.
    owner: Codes,
    /// A keyed 64-bit hash of integration and external id, in place of the text: nothing but the look-up needs it, and
    /// that two of a few million accounts share one is less likely than a flipped bit.
    external: Vec<u64>,
    pub(super) username: Codes,
    pub(super) email: Codes,
    pub(super) display_name: Codes,
    pub(super) bots: RoaringBitmap,
    pub(super) usernames: Dictionary,
    by_external: HashTable<u32>,
    pub(super) by_username: Links,
    pub(super) by_email: Links,
    pub(super) of_user: Links,
    /// The users who have an account in each integration.
    pub(super) owners: Vec<RoaringBitmap>,
    hasher: RandomState,
}

impl Accounts {
    pub(super) fn reserve(&mut self, users: usize, more: usize) {
        self.ids.reserve(more);
        self.integration.reserve_exact(more);
        self.owner.reserve(more);
        self.external.reserve_exact(more);
        self.username.reserve(more);
        self.email.reserve(more);
        self.display_name.reserve(more);
        self.by_username.reserve(0, more);
        self.by_email.reserve(0, more);
        self.of_user.reserve(users, more);
        let external = &self.external;
        self.by_external.reserve(more, |&at| external[at as usize]);
    }

    pub(super) fn is_live(&self, at: u32) -> bool {
        self.integration.get(at as usize).is_some_and(|&integration| integration != GONE)
    }

    pub(super) fn find(&self, id: IntegrationAccountId) -> Option<u32> {
        self.ids.find(id.0).filter(|&at| self.is_live(at))
    }

    /// Whose an account is.
    pub(super) fn owner(&self, at: u32) -> Option<u32> {
        self.owner.code(at).checked_sub(1)
    }

    fn fingerprint(&self, integration: u16, external_id: &str) -> u64 {
        // Zero says that there is none.
        self.hasher.hash_one((integration, external_id)).max(1)
    }

    pub(super) fn by_external_id(&self, integration: u16, external_id: &str) -> impl Iterator<Item = u32> {
        let wanted = self.fingerprint(integration, external_id);
        self.by_external
            .iter_hash(wanted)
            .copied()
            .filter(move |&at| self.external[at as usize] == wanted && self.integration[at as usize] == integration)
    }

    /// Adds an account, or gives one that was [taken out](Self::take_out) its new state.
    pub(super) fn put(&mut self, row: &AccountRow<'_>, integration: u16, users: &mut Users) {
        let at = match self.ids.find(row.id.0) {
            Some(at) => at,
            None => {
                let at = self.ids.add(row.id.0);
                self.integration.push(GONE);
                self.external.push(0);
                at
            }
        };
        let place = at as usize;
        self.integration[place] = integration;
        let username = row.username.map_or(0, |text| self.usernames.intern(fold(text).as_bytes()));
        let email = row.email.map_or(0, |text| users.emails.intern(text.as_bytes()));
        let display_name = row.display_name.map_or(0, |text| users.names.values.intern(fold(text).as_bytes()));
        self.username.set(at, username);
        self.email.set(at, email);
        self.display_name.set(at, display_name);
        if row.is_bot {
            self.bots.insert(at);
        } else {
            self.bots.remove(at);
        }
        if username != 0 {
            self.by_username.add(username, at);
        }
        if email != 0 {
            self.by_email.add(email, at);
        }
        if let Some(external_id) = row.external_id {
            let fingerprint = self.fingerprint(integration, external_id);
            self.external[place] = fingerprint;
            let external = &self.external;
            self.by_external.insert_unique(fingerprint, at, |&at| external[at as usize]);
        }
        let owner = row.user_id.and_then(|id| users.find(id));
        self.owner.set(at, owner.map_or(0, |owner| owner + 1));
        if let Some(owner) = owner {
            self.of_user.add(owner, at);
            if self.owners.len() <= usize::from(integration) {
                self.owners.resize_with(usize::from(integration) + 1, RoaringBitmap::new);
            }
            self.owners[usize::from(integration)].insert(owner);
        }
    }

    /// Takes accounts out of every look-up, and so deletes those that are not [put](Self::put) back.
    pub(super) fn take_out(&mut self, gone: &[u32]) {
        let pairs = |keys: &Codes| -> Vec<(u32, u32)> {
            gone.iter().map(|&at| (keys.code(at), at)).filter(|&(key, _)| key != 0).collect()
        };
        self.by_username.remove_all(pairs(&self.username));
        self.by_email.remove_all(pairs(&self.email));
        let owned: Vec<(u32, u32)> = gone.iter().filter_map(|&at| Some((self.owner(at)?, at))).collect();
        let mut had: Vec<(u32, u16)> =
            owned.iter().map(|&(owner, at)| (owner, self.integration[at as usize])).collect();
        self.of_user.remove_all(owned);
        had.sort_unstable();
        had.dedup();
        for (owner, integration) in had {
            let still = self.of_user.items(owner).any(|at| self.integration[at as usize] == integration);
            if let Some(owners) = self.owners.get_mut(usize::from(integration)).filter(|_| !still) {
                owners.remove(owner);
            }
        }
        for &at in gone {
            let place = at as usize;
            let fingerprint = std::mem::take(&mut self.external[place]);
            if let Ok(entry) = self.by_external.find_entry(fingerprint, |&known| known == at) {
                entry.remove();
            }
            self.integration[place] = GONE;
            self.owner.set(at, 0);
            self.bots.remove(at);
        }
    }

    /// Makes the accounts of a user nobody's.
    pub(super) fn orphan(&mut self, user: u32) {
        let owned: Vec<(u32, u32)> = self.of_user.items(user).map(|at| (user, at)).collect();
        for &(_, at) in &owned {
            self.owner.set(at, 0);
            if let Some(owners) = self.owners.get_mut(usize::from(self.integration[at as usize])) {
                owners.remove(user);
            }
        }
        self.of_user.remove_all(owned);
    }

    /// The accounts of an integration with a username, ignoring case.
    pub(super) fn by_username(&self, integration: u16, username: &str) -> impl Iterator<Item = u32> {
        let code = self.usernames.find(fold(username).as_bytes());
        code.into_iter()
            .flat_map(|code| self.by_username.items(code))
            .filter(move |&at| self.integration[at as usize] == integration)
    }

    /// The accounts of an integration with an email, by the email's code.
    pub(super) fn by_email(&self, integration: u16, email: Option<u32>) -> impl Iterator<Item = u32> {
        email
            .into_iter()
            .flat_map(|code| self.by_email.items(code))
            .filter(move |&at| self.integration[at as usize] == integration)
    }

    /// All accounts by ordinal, deleted ones included.
    pub(super) fn ordinals(&self) -> std::ops::Range<u32> {
        0..ordinal(self.integration.len())
    }

    pub(super) fn shrink(&mut self) {
        self.usernames.shrink();
        for codes in [&mut self.owner, &mut self.username, &mut self.email, &mut self.display_name] {
            codes.shrink();
        }
        for links in [&mut self.by_username, &mut self.by_email, &mut self.of_user] {
            links.shrink();
        }
        // A clone has no room to spare, unlike a bitmap that has grown.
        self.owners = self.owners.clone();
    }
}
