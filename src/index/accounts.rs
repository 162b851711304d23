//! The accounts: whose each is, what it is found by, and what filters ask of it.

use std::hash::{BuildHasher, RandomState};
use std::sync::Arc;

use entity::integration_account::{self, AccountStatus};
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
    /// Whether its tool no longer has it.
    pub is_gone: bool,
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
            is_gone: row.status == AccountStatus::Gone,
            user_id: row.user_id,
        }
    }
}

/// Every account by ordinal; a deleted account's ordinal is not used again.
#[derive(Clone, Default)]
pub(super) struct Accounts {
    pub(super) ids: Arc<Ids>,
    pub(super) identities: Arc<Identities>,
    pub(super) owners: Arc<Owners>,
    hasher: RandomState,
}

/// What tools know of the accounts, and the accounts by it.
#[derive(Clone, Default)]
pub(super) struct Identities {
    /// The number of the integration of each.
    pub(super) integration: Vec<u16>,
    /// A keyed 64-bit hash of integration and external id, in place of the text: nothing but the look-up needs it, and
    /// that two of a few million accounts share one is less likely than a flipped bit.
    external: Vec<u64>,
    pub(super) username: Codes,
    pub(super) email: Codes,
    pub(super) display_name: Codes,
    pub(super) bots: RoaringBitmap,
    pub(super) gone: RoaringBitmap,
    pub(super) usernames: Dictionary,
    by_external: HashTable<u32>,
    pub(super) by_username: Links,
    pub(super) by_email: Links,
}

/// What tools know of one account, by code.
#[derive(Clone, Copy, PartialEq)]
struct Identity {
    integration: u16,
    external: u64,
    username: u32,
    email: u32,
    display_name: u32,
    is_bot: bool,
    is_gone: bool,
}

/// Whose the accounts are.
#[derive(Clone, Default)]
pub(super) struct Owners {
    /// One more than the ordinal of the user whose each is; 0 for nobody's.
    owner: Codes,
    pub(super) of_user: Links,
    /// The users who have an account in each integration.
    pub(super) by_integration: Vec<RoaringBitmap>,
}

impl Accounts {
    pub(super) fn reserve(&mut self, users: usize, more: usize) {
        Arc::make_mut(&mut self.ids).reserve(more);
        Arc::make_mut(&mut self.identities).reserve(more);
        let owners = Arc::make_mut(&mut self.owners);
        owners.owner.reserve(more);
        owners.of_user.reserve(users, more);
    }

    /// Gives back what was reserved for growth, of what no copy shares.
    pub(super) fn shrink(&mut self) {
        if let Some(ids) = Arc::get_mut(&mut self.ids) {
            ids.shrink();
        }
        if let Some(identities) = Arc::get_mut(&mut self.identities) {
            identities.shrink();
        }
        if let Some(owners) = Arc::get_mut(&mut self.owners) {
            owners.shrink();
        }
    }

    pub(super) fn is_live(&self, at: u32) -> bool {
        self.identities.integration.get(at as usize).is_some_and(|&integration| integration != GONE)
    }

    pub(super) fn find(&self, id: IntegrationAccountId) -> Option<u32> {
        self.ids.find(id.0).filter(|&at| self.is_live(at))
    }

    /// Whose an account is.
    pub(super) fn owner(&self, at: u32) -> Option<u32> {
        self.owners.owner.code(at).checked_sub(1)
    }

    /// All accounts by ordinal, deleted ones included.
    pub(super) fn ordinals(&self) -> std::ops::Range<u32> {
        0..ordinal(self.identities.integration.len())
    }

    fn fingerprint(&self, integration: u16, external_id: &str) -> u64 {
        // Zero says that there is none.
        self.hasher.hash_one((integration, external_id)).max(1)
    }

    /// Whether an account has an id in its tool; without one it is only claimed.
    pub(super) fn has_external_id(&self, at: u32) -> bool {
        self.identities.external.get(at as usize).is_some_and(|&fingerprint| fingerprint != 0)
    }

    pub(super) fn by_external_id(&self, integration: u16, external_id: &str) -> impl Iterator<Item = u32> {
        let (known, wanted) = (&self.identities, self.fingerprint(integration, external_id));
        known
            .by_external
            .iter_hash(wanted)
            .copied()
            .filter(move |&at| known.external[at as usize] == wanted && known.integration[at as usize] == integration)
    }

    /// The accounts of an integration with a username, ignoring case.
    pub(super) fn by_username(&self, integration: u16, username: &str) -> impl Iterator<Item = u32> {
        let code = self.identities.usernames.find(fold(username).as_bytes());
        code.into_iter()
            .flat_map(|code| self.identities.by_username.items(code))
            .filter(move |&at| self.identities.integration[at as usize] == integration)
    }

    /// The accounts of an integration with an email, by the email's code.
    pub(super) fn by_email(&self, integration: u16, email: Option<u32>) -> impl Iterator<Item = u32> {
        email
            .into_iter()
            .flat_map(|code| self.identities.by_email.items(code))
            .filter(move |&at| self.identities.integration[at as usize] == integration)
    }

    /// Takes in an account that is new; `integration` is the number of its integration.
    pub(super) fn add(&mut self, row: &AccountRow<'_>, integration: u16, users: &mut Users) {
        let identity = self.identity(row, integration, users);
        self.put(row, identity, users);
    }

    /// Follows changes: accounts that go, and accounts as they are now, each with the number of its integration.
    pub(super) fn change(&mut self, gone: &[IntegrationAccountId], rows: &[(AccountRow<'_>, u16)], users: &mut Users) {
        let mut renamed: Vec<u32> = gone.iter().filter_map(|id| self.find(*id)).collect();
        let mut moved = renamed.clone();
        let identities: Vec<Identity> =
            rows.iter().map(|(row, integration)| self.identity(row, *integration, users)).collect();
        for ((row, _), identity) in rows.iter().zip(&identities) {
            let Some(at) = self.find(row.id) else { continue };
            if self.identities.identity(at) != *identity {
                renamed.push(at);
                moved.push(at);
            } else if self.owner(at) != row.user_id.and_then(|id| users.find(id)) {
                moved.push(at);
            }
        }
        // They leave their places while those still say where they stand.
        self.release(&moved);
        if !renamed.is_empty() {
            Arc::make_mut(&mut self.identities).remove(&renamed);
        }
        for ((row, _), identity) in rows.iter().zip(identities) {
            self.put(row, identity, users);
        }
    }

    fn identity(&mut self, row: &AccountRow<'_>, integration: u16, users: &mut Users) -> Identity {
        Identity {
            integration,
            external: row.external_id.map_or(0, |id| self.fingerprint(integration, id)),
            username: row.username.map_or(0, |name| self.username_code(&fold(name))),
            email: row.email.map_or(0, |email| users.email_code(email)),
            display_name: row.display_name.map_or(0, |name| users.name_code(&fold(name))),
            is_bot: row.is_bot,
            is_gone: row.is_gone,
        }
    }

    fn username_code(&mut self, folded: &str) -> u32 {
        let known = self.identities.usernames.find(folded.as_bytes());
        known.unwrap_or_else(|| Arc::make_mut(&mut self.identities).usernames.intern(folded.as_bytes()))
    }

    /// Puts an account where it belongs, as far as it has no place there.
    fn put(&mut self, row: &AccountRow<'_>, identity: Identity, users: &Users) {
        let at = self.ids.find(row.id.0).unwrap_or_else(|| Arc::make_mut(&mut self.ids).add(row.id.0));
        if !self.is_live(at) {
            Arc::make_mut(&mut self.identities).put(at, identity);
        }
        if let Some(owner) = row.user_id.and_then(|id| users.find(id))
            && self.owner(at).is_none()
        {
            Arc::make_mut(&mut self.owners).put(at, owner, identity.integration);
        }
    }

    /// Makes the accounts of users nobody's.
    pub(super) fn orphan(&mut self, users: &[u32]) {
        let owned: Vec<u32> = users.iter().flat_map(|&user| self.owners.of_user.items(user)).collect();
        self.release(&owned);
    }

    /// Makes accounts nobody's.
    fn release(&mut self, accounts: &[u32]) {
        let owned: Vec<(u32, u32)> = accounts.iter().filter_map(|&at| Some((self.owner(at)?, at))).collect();
        if !owned.is_empty() {
            Arc::make_mut(&mut self.owners).remove(owned, &self.identities.integration);
        }
    }
}

impl Identities {
    fn reserve(&mut self, more: usize) {
        self.integration.reserve_exact(more);
        self.external.reserve_exact(more);
        self.username.reserve(more);
        self.email.reserve(more);
        self.display_name.reserve(more);
        self.by_username.reserve(0, more);
        self.by_email.reserve(0, more);
        let external = &self.external;
        self.by_external.reserve(more, |&at| external[at as usize]);
    }

    fn shrink(&mut self) {
        self.integration.shrink_to_fit();
        self.external.shrink_to_fit();
        self.usernames.shrink();
        for codes in [&mut self.username, &mut self.email, &mut self.display_name] {
            codes.shrink();
        }
        for links in [&mut self.by_username, &mut self.by_email] {
            links.shrink();
        }
    }

    fn identity(&self, at: u32) -> Identity {
        Identity {
            integration: self.integration[at as usize],
            external: self.external[at as usize],
            username: self.username.code(at),
            email: self.email.code(at),
            display_name: self.display_name.code(at),
            is_bot: self.bots.contains(at),
            is_gone: self.gone.contains(at),
        }
    }

    /// Puts an account that is in no place.
    fn put(&mut self, at: u32, identity: Identity) {
        let place = at as usize;
        if self.integration.len() <= place {
            self.integration.resize(place + 1, GONE);
            self.external.resize(place + 1, 0);
        }
        self.integration[place] = identity.integration;
        self.external[place] = identity.external;
        self.username.set(at, identity.username);
        self.email.set(at, identity.email);
        self.display_name.set(at, identity.display_name);
        if identity.is_bot {
            self.bots.insert(at);
        }
        if identity.is_gone {
            self.gone.insert(at);
        }
        if identity.username != 0 {
            self.by_username.add(identity.username, at);
        }
        if identity.email != 0 {
            self.by_email.add(identity.email, at);
        }
        if identity.external != 0 {
            let external = &self.external;
            self.by_external.insert_unique(identity.external, at, |&at| external[at as usize]);
        }
    }

    /// Takes accounts out of every look-up, and so deletes those that are not [put](Self::put) back.
    fn remove(&mut self, gone: &[u32]) {
        let pairs = |keys: &Codes| -> Vec<(u32, u32)> {
            gone.iter().map(|&at| (keys.code(at), at)).filter(|&(key, _)| key != 0).collect()
        };
        self.by_username.remove_all(pairs(&self.username));
        self.by_email.remove_all(pairs(&self.email));
        for &at in gone {
            let place = at as usize;
            let fingerprint = std::mem::take(&mut self.external[place]);
            if let Ok(entry) = self.by_external.find_entry(fingerprint, |&known| known == at) {
                entry.remove();
            }
            self.integration[place] = GONE;
            self.bots.remove(at);
            self.gone.remove(at);
        }
    }
}

impl Owners {
    fn shrink(&mut self) {
        self.owner.shrink();
        self.of_user.shrink();
        // A clone has no room to spare, unlike a bitmap that has grown.
        self.by_integration = self.by_integration.clone();
    }

    /// Gives an account that is nobody's to a user.
    fn put(&mut self, at: u32, owner: u32, integration: u16) {
        self.owner.set(at, owner + 1);
        self.of_user.add(owner, at);
        if self.by_integration.len() <= usize::from(integration) {
            self.by_integration.resize_with(usize::from(integration) + 1, RoaringBitmap::new);
        }
        self.by_integration[usize::from(integration)].insert(owner);
    }

    /// Takes accounts from their owners: `(owner, account)` pairs, with the integrations of all accounts.
    fn remove(&mut self, owned: Vec<(u32, u32)>, integrations: &[u16]) {
        let mut had: Vec<(u32, u16)> = owned.iter().map(|&(owner, at)| (owner, integrations[at as usize])).collect();
        for &(_, at) in &owned {
            self.owner.set(at, 0);
        }
        self.of_user.remove_all(owned);
        had.sort_unstable();
        had.dedup();
        for (owner, integration) in had {
            let still = self.of_user.items(owner).any(|at| integrations[at as usize] == integration);
            if let Some(owners) = self.by_integration.get_mut(usize::from(integration)).filter(|_| !still) {
                owners.remove(owner);
            }
        }
    }
}
