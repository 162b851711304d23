//! The users themselves: ordinals, names, emails, and the orders by them.
//!
//! What does not live here: custom attributes (`column`) and accounts.

use std::cmp::Ordering;

use entity::UserId;
use roaring::RoaringBitmap;
use rustc_hash::FxHashMap;

use super::column::{Column, sort_codes};
use super::dictionary::Dictionary;
use super::ids::Ids;
use super::{NONE, orders, ordinal};
use crate::value::fold;

/// Every user by ordinal. A deleted user's ordinal leaves `live` and is not used again.
#[derive(Clone)]
pub(super) struct Users {
    pub(super) ids: Ids,
    pub(super) live: RoaringBitmap,
    /// The folded names; its dictionary has the accounts' display names too.
    pub(super) names: Column,
    /// All emails of users and accounts.
    pub(super) emails: Dictionary,
    /// The code of the primary email.
    email: Vec<u32>,
    further: FxHashMap<u32, Vec<u32>>,
    /// Whose an email is, by its code.
    owner: Vec<u32>,
    pub(super) by_name: Vec<u32>,
    pub(super) by_email: Vec<u32>,
    pub(super) by_created: Vec<u32>,
}

/// What changes of one user, beside the custom attributes.
pub(super) struct Entry<'a> {
    pub(super) id: UserId,
    pub(super) name: &'a str,
    pub(super) email: &'a str,
    pub(super) further: Vec<&'a str>,
}

impl Users {
    pub(super) fn new() -> Self {
        Self {
            ids: Ids::default(),
            live: RoaringBitmap::new(),
            names: Column::new(false),
            emails: Dictionary::default(),
            email: Vec::new(),
            further: FxHashMap::default(),
            owner: Vec::new(),
            by_name: Vec::new(),
            by_email: Vec::new(),
            by_created: Vec::new(),
        }
    }

    pub(super) fn reserve(&mut self, more: usize) {
        self.ids.reserve(more);
        self.names.codes.reserve(more);
        self.email.reserve_exact(more);
    }

    /// The ordinal of a user who is not deleted.
    pub(super) fn find(&self, id: UserId) -> Option<u32> {
        self.ids.find(id.0).filter(|&found| self.live.contains(found))
    }

    pub(super) fn id(&self, at: u32) -> UserId {
        UserId(self.ids.id(at))
    }

    /// The folded name.
    pub(super) fn name(&self, at: u32) -> &[u8] {
        self.names.value(at).unwrap_or_default()
    }

    /// The primary email.
    pub(super) fn email(&self, at: u32) -> &[u8] {
        self.emails.value(self.email.get(at as usize).copied().unwrap_or(0))
    }

    /// All emails, the primary one first.
    pub(super) fn all_emails(&self, at: u32) -> impl Iterator<Item = &[u8]> {
        let further = self.further.get(&at).into_iter().flatten().map(|&code| self.emails.value(code));
        std::iter::once(self.email(at)).chain(further)
    }

    /// The user who has an email, by the email's code.
    pub(super) fn owner(&self, code: u32) -> Option<u32> {
        self.owner.get(code as usize).copied().filter(|&owner| owner != NONE)
    }

    /// Adds a user at the end, without a place in the orders.
    pub(super) fn add(&mut self, entry: &Entry<'_>) -> u32 {
        let at = self.ids.add(entry.id.0);
        self.live.insert(at);
        self.set_name(at, entry.name);
        self.set_emails(at, entry);
        at
    }

    fn set_name(&mut self, at: u32, name: &str) {
        self.names.set(at, Some(fold(name).as_bytes()));
    }

    fn set_emails(&mut self, at: u32, entry: &Entry<'_>) {
        let mut own = |emails: &mut Dictionary, email: &str| {
            let code = emails.intern(email.as_bytes());
            if self.owner.len() <= code as usize {
                self.owner.resize(code as usize + 1, NONE);
            }
            self.owner[code as usize] = at;
            code
        };
        let primary = own(&mut self.emails, entry.email);
        let further: Vec<u32> = entry.further.iter().map(|email| own(&mut self.emails, email)).collect();
        if self.email.len() <= at as usize {
            self.email.resize(at as usize + 1, 0);
        }
        self.email[at as usize] = primary;
        if !further.is_empty() {
            self.further.insert(at, further);
        }
    }

    fn disown_emails(&mut self, at: u32) {
        let primary = std::mem::take(&mut self.email[at as usize]);
        for code in self.further.remove(&at).into_iter().flatten().chain([primary]) {
            if self.owner.get(code as usize) == Some(&at) {
                self.owner[code as usize] = NONE;
            }
        }
    }

    /// Follows changes; gives the ordinal of each entry. Their order does not matter: an email may go from one user to
    /// another.
    pub(super) fn change(&mut self, gone: &[u32], entries: &[Entry<'_>]) -> Vec<u32> {
        let mut renamed: RoaringBitmap = gone.iter().collect();
        let mut readdressed = renamed.clone();
        let mut regrouped = readdressed.clone();
        let known: Vec<Option<u32>> = entries.iter().map(|entry| self.find(entry.id)).collect();
        for (entry, at) in entries.iter().zip(&known) {
            let Some(at) = *at else { continue };
            if self.name(at) != fold(entry.name).as_bytes() {
                renamed.insert(at);
            }
            if self.email(at) != entry.email.as_bytes() {
                readdressed.insert(at);
            }
            let further = self.further.get(&at).map(Vec::as_slice).unwrap_or_default();
            let same = further.len() == entry.further.len()
                && further.iter().zip(&entry.further).all(|(&code, email)| self.emails.value(code) == email.as_bytes());
            if !same || readdressed.contains(at) {
                regrouped.insert(at);
            }
        }
        // While names and emails are as the lists are sorted by.
        for (list, gone, by) in [
            (std::mem::take(&mut self.by_name), &renamed, By::Name),
            (std::mem::take(&mut self.by_email), &readdressed, By::Email),
            (std::mem::take(&mut self.by_created), &gone.iter().collect(), By::Created),
        ] {
            let mut list = list;
            orders::remove(&mut list, gone, |a, b| self.compare(by, a, b));
            *self.list(by) = list;
        }
        for at in &regrouped {
            self.disown_emails(at);
        }
        for &at in gone {
            self.live.remove(at);
            self.names.set(at, None);
            renamed.remove(at);
            readdressed.remove(at);
        }
        let mut fresh = RoaringBitmap::new();
        let mut places = Vec::with_capacity(entries.len());
        for (entry, at) in entries.iter().zip(known) {
            places.push(match at {
                None => {
                    let at = self.add(entry);
                    fresh.insert(at);
                    at
                }
                Some(at) => {
                    if renamed.contains(at) {
                        self.set_name(at, entry.name);
                    }
                    if regrouped.contains(at) {
                        self.set_emails(at, entry);
                    }
                    at
                }
            });
        }
        self.place(By::Name, &(&renamed | &fresh));
        self.place(By::Email, &(&readdressed | &fresh));
        self.place(By::Created, &fresh);
        self.names.settle();
        places
    }

    /// Puts users who are in no place of an order into it.
    fn place(&mut self, by: By, fresh: &RoaringBitmap) {
        if fresh.is_empty() {
            return;
        }
        let list = std::mem::take(self.list(by));
        let mut fresh: Vec<u32> = fresh.iter().collect();
        fresh.sort_unstable_by(|&a, &b| self.compare(by, a, b));
        *self.list(by) = orders::merge(list, &fresh, |a, b| self.compare(by, a, b));
    }

    /// Sorts everybody, after loading.
    pub(super) fn sort(&mut self) {
        let all: Vec<u32> = self.live.iter().collect();
        // Sorting the distinct names and then numbers is several times cheaper than sorting users by their names.
        let rank_names = ranks(&self.names.values);
        let rank_emails = ranks(&self.emails);
        let mut list = all.clone();
        list.sort_unstable_by(|&a, &b| {
            let rank = |at| rank_names[self.names.codes.code(at) as usize];
            rank(a).cmp(&rank(b)).then_with(|| self.ids.id(a).cmp(&self.ids.id(b)))
        });
        self.by_name = list;
        let mut list = all.clone();
        list.sort_unstable_by_key(|&at| rank_emails[self.email[at as usize] as usize]);
        self.by_email = list;
        let mut list = all;
        list.sort_by_key(|&at| self.ids.id(at));
        self.by_created = list;
        self.names.settle();
        self.names.shrink();
        self.emails.shrink();
        self.owner.shrink_to_fit();
    }

    fn list(&mut self, by: By) -> &mut Vec<u32> {
        match by {
            By::Name => &mut self.by_name,
            By::Email => &mut self.by_email,
            By::Created => &mut self.by_created,
        }
    }

    fn compare(&self, by: By, a: u32, b: u32) -> Ordering {
        match by {
            By::Name => self.name(a).cmp(self.name(b)),
            By::Email => self.email(a).cmp(self.email(b)),
            By::Created => Ordering::Equal,
        }
        .then_with(|| self.ids.id(a).cmp(&self.ids.id(b)))
    }
}

/// The orders that are kept.
#[derive(Clone, Copy)]
enum By {
    Name,
    Email,
    Created,
}

/// The place of every code in the order of the values.
pub(super) fn ranks(values: &Dictionary) -> Vec<u32> {
    let mut ranks = vec![0; values.len()];
    for (rank, code) in (1..).zip(sort_codes(values, (1..ordinal(values.len())).collect())) {
        ranks[code as usize] = rank;
    }
    ranks
}
