//! Whose an email is while a changeset is being made, as the rules compare emails; and users that turn out to be one.
//!
//! Of users that share a key, those that are automatic and that nothing else holds become part of the one that stays.
//! Two that people know are never put together here: that is a conflict, and waits for a person.

use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};
use std::sync::Arc;

use entity::integration_account::AssociationRule;
use entity::{IntegrationAccountId, UserId};

use super::is_sticky;
use super::rules::{Owner, Rules};
use crate::directory::changeset::Changeset;
use crate::directory::error::Result;
use crate::index::Index;
use crate::record::{Record, UserRecord};

/// What a changeset knows while it associates accounts.
pub(in crate::directory) struct Ongoing {
    /// The rules, which may be new.
    pub(super) rules: Arc<Rules>,
    /// An index that compares emails by these rules, where they are new.
    pub(super) comparing: Option<Index>,
    /// By their keys, the emails that the changeset has brought. Empty where every email is its own key.
    keyed: HashMap<String, BTreeSet<String>>,
    /// Keys that several users were found to share.
    pub(super) contested: BTreeSet<String>,
    /// Users that go, since no account would make them any more.
    pub(super) going: HashSet<UserId>,
    /// Accounts that users are made from by the new rules, though these were made from others.
    pub(super) makers: HashMap<IntegrationAccountId, UserId>,
}

impl Ongoing {
    pub(in crate::directory) fn begin(index: &Index) -> Self {
        Self {
            rules: Arc::new(Rules::of(index)),
            comparing: None,
            keyed: HashMap::new(),
            contested: BTreeSet::new(),
            going: HashSet::new(),
            makers: HashMap::new(),
        }
    }
}

impl Index {
    /// The users who have an email that is one with `email`, each with such an email: the one that is the key, or the first.
    pub(in crate::directory) fn owners_like(&self, email: &str) -> BTreeMap<UserId, String> {
        let mut owned: Vec<(UserId, &str)> =
            self.emails_like(email).into_iter().filter_map(|like| Some((self.user_with_email(like)?, like))).collect();
        let key = self.email_keys().key(email);
        owned.sort_unstable_by_key(|(owner, like)| (*owner, *like != key, *like));
        owned.dedup_by_key(|(owner, _)| *owner);
        owned.into_iter().map(|(owner, like)| (owner, like.to_owned())).collect()
    }

    /// Whose `email` is, as emails are compared.
    pub(in crate::directory) fn owner_of_email(&self, email: &str) -> Owner {
        match self.user_with_email(email) {
            Some(user) => Owner::User(user, email.to_owned()),
            None => only(self.owners_like(email)),
        }
    }
}

pub(super) fn only(owners: BTreeMap<UserId, String>) -> Owner {
    let mut all = owners.into_iter();
    match (all.next(), all.len()) {
        (None, _) => Owner::Nobody,
        (Some((user, email)), 0) => Owner::User(user, email),
        (Some((user, _)), _) => Owner::Several(std::iter::once(user).chain(all.map(|(user, _)| user)).collect()),
    }
}

impl Changeset {
    /// Whose `email` is, as the rules compare emails, with what this changeset has done so far. Whoever has just this
    /// email comes before those who have one like it.
    pub(super) fn owner_of_email(&mut self, email: &str) -> Owner {
        let exact = self.find_owner(email).map(|user| Owner::User(user, email.to_owned()));
        if self.ongoing.rules.keys.is_plain() {
            return exact.unwrap_or(Owner::Nobody);
        }
        let owners = self.owners_like(email);
        if owners.len() > 1 {
            self.ongoing.contested.insert(self.ongoing.rules.keys.key(email).into_owned());
        }
        exact.unwrap_or_else(|| only(owners))
    }

    /// Whose just this email is, but for users that go.
    pub(super) fn find_owner(&self, email: &str) -> Option<UserId> {
        self.find_email(email).filter(|user| !self.ongoing.going.contains(user))
    }

    fn owners_like(&self, email: &str) -> BTreeMap<UserId, String> {
        let key = self.ongoing.rules.keys.key(email);
        let mut owners: BTreeMap<UserId, String> = BTreeMap::new();
        for like in self.emails_like(email) {
            if let Some(owner) = self.find_owner(&like) {
                let known = owners.entry(owner).or_insert_with(|| like.clone());
                if like == key {
                    *known = like;
                }
            }
        }
        owners
    }

    /// All emails that are one with `email`, of users and accounts, with those that this changeset has brought.
    pub(super) fn emails_like(&self, email: &str) -> BTreeSet<String> {
        if self.ongoing.rules.keys.is_plain() {
            return BTreeSet::from([email.to_owned()]);
        }
        let key = self.ongoing.rules.keys.key(email);
        let own = self.ongoing.keyed.get(key.as_ref()).into_iter().flatten().cloned();
        let mut like: BTreeSet<String> = own.collect();
        match &self.ongoing.comparing {
            Some(index) => like.extend(index.emails_like(email).into_iter().map(str::to_owned)),
            None => like.extend(self.directory().index().emails_like(email).into_iter().map(str::to_owned)),
        }
        like
    }

    /// Notes an email that users or accounts have from now on, so that those who have one like it are found.
    pub(in crate::directory) fn note_email(&mut self, email: &str) {
        if !self.ongoing.rules.keys.is_plain() {
            let key = self.ongoing.rules.keys.key(email).into_owned();
            self.ongoing.keyed.entry(key).or_default().insert(email.to_owned());
        }
    }

    /// Has users that come to share a key with `email` looked at before the changeset ends.
    pub(super) fn note_contested(&mut self, email: &str) {
        if !self.ongoing.rules.keys.is_plain() && self.owners_like(email).len() > 1 {
            self.ongoing.contested.insert(self.ongoing.rules.keys.key(email).into_owned());
        }
    }

    /// Puts together the users that share a key and of whom at most one is known to a person, or held by others.
    pub(super) async fn settle_contested(&mut self) -> Result<usize> {
        let mut absorbed = 0;
        while let Some(key) = self.ongoing.contested.pop_first() {
            let owners: Vec<UserId> = self.owners_like(&key).into_keys().collect();
            if owners.len() < 2 {
                continue;
            }
            let held = self.held(&owners).await?;
            let users = self.users(&owners).await?;
            let stays = |user: &UserRecord| !user.row.is_automatic || held.contains(&user.row.id);
            let mut staying = owners.iter().filter(|id| users.get(id).is_some_and(stays));
            let heir = match (staying.next(), staying.next()) {
                (Some(_), Some(_)) => continue,
                (Some(one), None) => *one,
                // The one that was made first.
                (None, _) => owners[0],
            };
            if self.directory().index().is_locked(heir) {
                continue;
            }
            let Some(before) = users.get(&heir).cloned() else { continue };
            let mut after = before.clone();
            for id in owners.iter().filter(|id| **id != heir) {
                let Some(user) = users.get(id).cloned() else { continue };
                let taken = self.absorb(user, heir, AssociationRule::Email, &BTreeSet::new()).await?;
                after.further_emails.extend(taken);
                absorbed += 1;
            }
            after.further_emails.remove(&after.row.email);
            self.put(Some(Record::User(before)), Some(Record::User(after)));
            // What was nobody's because it might have been either's.
            self.associate_unmatched(&[key], |account| !is_sticky(account.rule)).await?;
            self.flush_if_large().await?;
        }
        Ok(absorbed)
    }

    /// Makes an automatic user part of another: its accounts come along, by email where their email is one of the user's or
    /// of `known`, and it goes. Gives its emails, which are the other's from now on.
    pub(super) async fn absorb(
        &mut self,
        record: UserRecord,
        heir: UserId,
        rule: AssociationRule,
        known: &BTreeSet<String>,
    ) -> Result<BTreeSet<String>> {
        let owner = record.row.id;
        let taken: BTreeSet<String> = record.emails().map(str::to_owned).collect();
        for before in self.accounts_of(&HashSet::from([owner])).await? {
            let mut after = before.clone();
            let email = after.email.clone().filter(|theirs| taken.contains(theirs) || known.contains(theirs));
            let rule = if email.is_some() { AssociationRule::Email } else { rule };
            self.associate(&mut after, Some(heir), rule, email.as_deref());
            self.put_account(Some(before), after);
        }
        self.left.remove(&owner);
        self.put(Some(Record::User(record)), None);
        Ok(taken)
    }
}
