//! The users themselves: ordinals, names, emails, and the orders by them.
//!
//! What does not live here: custom attributes (`column`) and accounts.

use std::cmp::Ordering;
use std::sync::Arc;

use entity::UserId;
use roaring::RoaringBitmap;

use super::column::{Column, sort_codes};
use super::dictionary::Dictionary;
use super::emails::Emails;
use super::ids::Ids;
use super::marks::{Mark, Marks};
use super::orders::Sorted;
use super::ordinal;
use crate::value::fold;

/// Every user by ordinal. A deleted user's ordinal leaves `live` and is not used again.
#[derive(Clone)]
pub(super) struct Users {
    pub(super) ids: Arc<Ids>,
    pub(super) live: Arc<RoaringBitmap>,
    /// The folded names; its dictionary has the accounts' display names too.
    pub(super) names: Arc<Column>,
    pub(super) emails: Arc<Emails>,
    pub(super) marks: Arc<Marks>,
    pub(super) by_name: Sorted,
    pub(super) by_email: Sorted,
    pub(super) by_created: Sorted,
}

/// What changes of one user, beside the custom attributes.
pub(super) struct Entry<'a> {
    pub(super) id: UserId,
    pub(super) name: &'a str,
    pub(super) email: &'a str,
    pub(super) further: Vec<&'a str>,
    pub(super) mark: Mark<'a>,
}

impl Users {
    pub(super) fn new() -> Self {
        Self {
            ids: Arc::default(),
            live: Arc::default(),
            names: Arc::new(Column::new(false)),
            emails: Arc::default(),
            marks: Arc::default(),
            by_name: Sorted::default(),
            by_email: Sorted::default(),
            by_created: Sorted::default(),
        }
    }

    pub(super) fn reserve(&mut self, more: usize) {
        Arc::make_mut(&mut self.ids).reserve(more);
        Arc::make_mut(&mut self.names).codes.reserve(more);
        Arc::make_mut(&mut self.emails).reserve(more);
    }

    /// Gives back what was reserved for growth, of what no copy shares.
    pub(super) fn shrink(&mut self) {
        if let Some(ids) = Arc::get_mut(&mut self.ids) {
            ids.shrink();
        }
        if let Some(names) = Arc::get_mut(&mut self.names) {
            names.shrink();
        }
        if let Some(emails) = Arc::get_mut(&mut self.emails) {
            emails.shrink();
        }
        for order in [&mut self.by_name, &mut self.by_email, &mut self.by_created] {
            order.shrink();
        }
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
        self.emails.values.value(self.emails.primary(at))
    }

    /// All emails, the primary one first.
    pub(super) fn all_emails(&self, at: u32) -> impl Iterator<Item = &[u8]> {
        let further = self.emails.further(at).iter().map(|&code| self.emails.values.value(code));
        std::iter::once(self.email(at)).chain(further)
    }

    /// The code of an account's email.
    pub(super) fn email_code(&mut self, email: &str) -> u32 {
        let known = self.emails.values.find(email.as_bytes());
        known.unwrap_or_else(|| Arc::make_mut(&mut self.emails).intern(email))
    }

    /// The code of an account's display name.
    pub(super) fn name_code(&mut self, folded: &str) -> u32 {
        let known = self.names.values.find(folded.as_bytes());
        known.unwrap_or_else(|| Arc::make_mut(&mut self.names).values.intern(folded.as_bytes()))
    }

    /// Adds a user at the end.
    pub(super) fn add(&mut self, entry: &Entry<'_>) -> u32 {
        let at = Arc::make_mut(&mut self.ids).add(entry.id.0);
        Arc::make_mut(&mut self.live).insert(at);
        self.set_name(at, entry.name);
        self.set_emails(at, entry);
        self.set_mark(at, &entry.mark);
        for order in [&mut self.by_name, &mut self.by_email, &mut self.by_created] {
            order.join(at);
        }
        at
    }

    fn set_name(&mut self, at: u32, name: &str) {
        Arc::make_mut(&mut self.names).set(at, Some(fold(name).as_bytes()));
    }

    fn set_emails(&mut self, at: u32, entry: &Entry<'_>) {
        Arc::make_mut(&mut self.emails).give(at, entry.email, &entry.further);
    }

    fn set_mark(&mut self, at: u32, mark: &Mark<'_>) {
        if !self.marks.are(at, mark) {
            let marks = Arc::make_mut(&mut self.marks);
            marks.take(at);
            marks.give(at, mark);
        }
    }

    /// Follows changes; gives the ordinal of each entry. Their order does not matter: an email may go from one user to
    /// another. The orders are behind until [`Self::settle`].
    pub(super) fn change(&mut self, gone: &[u32], entries: &[Entry<'_>]) -> Vec<u32> {
        let gone: RoaringBitmap = gone.iter().collect();
        let (mut renamed, mut readdressed, mut regrouped) = (gone.clone(), gone.clone(), gone.clone());
        let known: Vec<Option<u32>> = entries.iter().map(|entry| self.find(entry.id)).collect();
        for (entry, at) in entries.iter().zip(&known) {
            let Some(at) = *at else { continue };
            if self.name(at) != fold(entry.name).as_bytes() {
                renamed.insert(at);
            }
            if self.email(at) != entry.email.as_bytes() {
                readdressed.insert(at);
            }
            if !self.emails.are(at, entry.email, &entry.further) {
                regrouped.insert(at);
            }
        }
        // While names and emails are as the lists are sorted by.
        for (by, users) in [(By::Name, &renamed), (By::Email, &readdressed), (By::Created, &gone)] {
            let mut order = std::mem::take(self.order(by));
            order.leave(users, |a, b| self.compare(by, a, b));
            *self.order(by) = order;
        }
        for at in &regrouped {
            Arc::make_mut(&mut self.emails).take(at);
        }
        for at in &gone {
            Arc::make_mut(&mut self.live).remove(at);
            Arc::make_mut(&mut self.names).set(at, None);
            if self.marks.has(at) {
                Arc::make_mut(&mut self.marks).take(at);
            }
        }
        let mut places = Vec::with_capacity(entries.len());
        for (entry, at) in entries.iter().zip(known) {
            let Some(at) = at else {
                places.push(self.add(entry));
                continue;
            };
            if renamed.contains(at) {
                self.set_name(at, entry.name);
                self.by_name.join(at);
            }
            if readdressed.contains(at) {
                self.by_email.join(at);
            }
            if regrouped.contains(at) {
                self.set_emails(at, entry);
            }
            self.set_mark(at, &entry.mark);
            places.push(at);
        }
        places
    }

    /// Brings the orders up to date after changes.
    pub(super) fn settle(&mut self) {
        for by in [By::Name, By::Email, By::Created] {
            let mut order = std::mem::take(self.order(by));
            order.settle(|a, b| self.compare(by, a, b), || self.sort(by));
            *self.order(by) = order;
        }
        if !self.names.is_settled() {
            Arc::make_mut(&mut self.names).settle();
        }
    }

    /// Everybody in an order. Sorting the distinct values and then numbers is several times cheaper than sorting users
    /// by their values.
    fn sort(&self, by: By) -> Vec<u32> {
        let mut all: Vec<u32> = self.live.iter().collect();
        match by {
            By::Name => {
                let ranks = ranks(&self.names.values);
                all.sort_unstable_by(|&a, &b| {
                    let rank = |at| ranks[self.names.codes.code(at) as usize];
                    rank(a).cmp(&rank(b)).then_with(|| self.ids.id(a).cmp(&self.ids.id(b)))
                });
            }
            By::Email => {
                let ranks = ranks(&self.emails.values);
                all.sort_unstable_by(|&a, &b| {
                    let rank = |at| ranks[self.emails.primary(at) as usize];
                    rank(a).cmp(&rank(b)).then_with(|| self.ids.id(a).cmp(&self.ids.id(b)))
                });
            }
            By::Created => all.sort_by_key(|&at| self.ids.id(at)),
        }
        all
    }

    fn order(&mut self, by: By) -> &mut Sorted {
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
