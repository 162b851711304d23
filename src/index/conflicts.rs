//! What does not go together: users who share an email, claims that name several accounts, users with several accounts in
//! one tool. Each is found in one pass.
//!
//! What does not live here: what is to be done about it (`directory`).

use entity::integration::IntegrationKind;
use entity::{IntegrationAccountId, IntegrationId, UserId};

use super::{AccountBy, Index};
use crate::value::Email;

impl Index {
    /// The keys that emails of several users have, each once. Under the usual rules there are none.
    pub fn shared_keys(&self) -> impl Iterator<Item = String> {
        let emails = &self.users.emails;
        emails.with_other_key().filter_map(|code| {
            emails.owner(code)?;
            let email = std::str::from_utf8(emails.values.value(code)).ok()?;
            let key = emails.keys().key(email);
            let mut is_shared = false;
            for like in emails.with_key(&key) {
                let owner = emails.owner(like);
                // Each key is told by the first of the emails that have it and are not the key itself.
                let is_other = emails.values.value(like) != key.as_bytes();
                if owner.is_some() && is_other && like < code {
                    return None;
                }
                is_shared |= owner.is_some() && owner != emails.owner(code);
            }
            is_shared.then(|| key.into_owned())
        })
    }

    /// The accounts that are only claimed, by a name.
    pub fn claims(&self) -> impl Iterator<Item = IntegrationAccountId> {
        let places = self.accounts.ordinals().filter(|at| self.accounts.is_live(*at));
        let claimed = places.filter(|at| !self.accounts.has_external_id(*at) && self.owner_at(*at).is_some());
        claimed.map(|at| IntegrationAccountId(self.accounts.ids.id(at)))
    }

    /// The other accounts of its integration that answer to what a claim names, those that the tool has reported first.
    #[must_use]
    pub fn claimed_by(&self, claim: IntegrationAccountId) -> Vec<(IntegrationAccountId, bool)> {
        let Some(at) = self.account_place(claim) else { return Vec::new() };
        let Some(identity) = self.account_identity(at) else { return Vec::new() };
        let mut found = Vec::new();
        if let Some(username) = identity.username {
            found.extend(self.accounts_by(identity.integration_id, AccountBy::Username(username)));
        }
        // A username that could be an email is taken for one, too.
        let email = identity.email.map(str::to_owned);
        let email = email.or_else(|| Some(Email::parse(identity.username?).ok()?.into_string()));
        if let Some(email) = &email {
            found.extend(self.accounts_by(identity.integration_id, AccountBy::Email(email)));
            found.extend(self.accounts_by(identity.integration_id, AccountBy::Username(email)));
        }
        found.retain(|other| *other != at);
        found.sort_unstable();
        found.dedup();
        let mut found: Vec<(IntegrationAccountId, bool)> = found
            .into_iter()
            .map(|at| (IntegrationAccountId(self.accounts.ids.id(at)), self.accounts.has_external_id(at)))
            .collect();
        found.sort_unstable_by_key(|(id, is_reported)| (!is_reported, *id));
        found
    }

    /// The users with several accounts in one integration, each with that integration. What is only claimed does not count,
    /// nor what its tool no longer has; and in a repository one person may well have several emails.
    pub fn users_with_several_accounts(&self) -> impl Iterator<Item = (UserId, IntegrationId)> {
        let known = &self.accounts.identities;
        let of_git: Vec<bool> = self
            .integrations
            .iter()
            .map(|row| row.as_ref().is_some_and(|row| row.kind == IntegrationKind::Git))
            .collect();
        self.users.live.iter().flat_map(move |user| {
            let own = self.accounts.owners.of_user.items(user);
            let counts = |at: &u32| self.accounts.has_external_id(*at) && !known.gone.contains(*at);
            let mut numbers: Vec<u16> = own.filter(counts).map(|at| known.integration[at as usize]).collect();
            numbers.sort_unstable();
            let several = numbers.chunk_by(|a, b| a == b).filter(|same| same.len() > 1).map(|same| same[0]);
            let several = several.filter(|number| !of_git.get(usize::from(*number)).copied().unwrap_or_default());
            let id = self.users.id(user);
            let integration = |number: u16| self.integrations.get(usize::from(number))?.as_ref().map(|row| row.id);
            several.filter_map(integration).map(|integration| (id, integration)).collect::<Vec<_>>()
        })
    }
}
