//! Handles of two identities, and handles that are made of the other's name.

use super::{Found, Scale, found};
use crate::identity::digest::{HandleFrom, NameFrom};
use crate::identity::handle::{Made, made_of};
use crate::identity::keys;
use crate::identity::name::Relation;
use crate::identity::nickname::is_given_name;
use crate::identity::profile::Profile;
use crate::identity::reason::Evidence;
use crate::identity::symbols::Symbol;
use crate::identity::text::is_typo;

impl<K: Copy + Ord> Scale<'_, K> {
    pub(super) fn handles(&self, a: &Profile, b: &Profile, conflict: Option<Relation>) -> Vec<Found> {
        let mut all = Vec::new();
        for mine in &a.handles {
            for theirs in &b.handles {
                if mine.0 == theirs.0 {
                    all.push(self.same_handle(mine.0, mine.1, theirs.1, a, b, conflict));
                } else {
                    all.extend(self.near_handle(mine.0, theirs.0));
                }
            }
        }
        all
    }

    fn same_handle(
        &self,
        handle: Symbol,
        mine: HandleFrom,
        theirs: HandleFrom,
        a: &Profile,
        b: &Profile,
        conflict: Option<Relation>,
    ) -> Found {
        use HandleFrom::{Domain, Local, Login, NoReply, Single};
        let (evidence, most) = match (mine.min(theirs), mine.max(theirs)) {
            (Login, NoReply) => (Evidence::NoReplyLogin, 0.97),
            (Login, Login) => (Evidence::SameLogin, 0.95),
            (Login, Local) => (Evidence::LocalPartIsLogin, 0.95),
            (NoReply, NoReply) => (Evidence::SameMailbox, 0.97),
            (NoReply, Local) => (Evidence::NoReplyLogin, 0.95),
            (Local, Local) => (Evidence::SameLocalPart, 0.93),
            (Single, Single) => (Evidence::SameSingleName, 0.9),
            (Domain, _) | (_, Domain) => (Evidence::DomainIsHandle, 0.9),
            _ => (Evidence::NameIsHandle, 0.93),
        };
        let text = self.book.symbols.text(handle);
        let letters = text.len();
        let has_digit = text.contains(|c: char| c.is_ascii_digit());
        let likely = if evidence == Evidence::SameSingleName && !has_digit && letters < 8 { 0.92 } else { 1.0 };
        let given = match [a, b].iter().any(|profile| profile.has_given(handle)) {
            _ if is_given_name(text) => 0.55,
            true if letters > 6 => 0.85,
            true => 0.55,
            false => 1.0,
        };
        // People with the handle for a name, but for themselves.
        let others = self.others_named(handle, a, b);
        let mut weight = most * likely * given / (1.0 + 0.6 * others + 0.12 * self.by_chance(letters));
        let holders = self.holders_of_handle(handle);
        let theirs = if conflict.is_some() { 2 } else { 1 };
        if holders > theirs {
            weight *= 0.5;
        }
        Found { evidence, weight, value: vec![handle], is_rare: others < 1.0 && letters > 4 }
    }

    /// How many others in the book have a handle of so many letters by chance.
    fn by_chance(&self, letters: usize) -> f32 {
        // Of the letters of an alphabet, about so many are as frequent as they would be if all were.
        const LETTERS: f32 = 14.0;
        // What a small book lacks, others have.
        const ELSEWHERE: f32 = 500.0;
        (self.book.len() as f32 + ELSEWHERE) / LETTERS.powi(i32::try_from(letters).unwrap_or(i32::MAX))
    }

    /// Two handles that differ by digits at their ends, or by a slip of the pen.
    fn near_handle(&self, mine: Symbol, theirs: Symbol) -> Option<Found> {
        let (x, y) = (self.book.symbols.text(mine), self.book.symbols.text(theirs));
        let (letters, others) = (keys::without_digits(x), keys::without_digits(y));
        if letters == others && letters.len() > 3 {
            let named = self.book.symbols.find(letters).map_or(0, |word| self.book.symbols.names(word));
            let one_has_none = letters == x || letters == y;
            let most = match (one_has_none, letters.len()) {
                (true, 6..) => 0.78,
                (true, _) => 0.6,
                _ => 0.45,
            };
            let weight = most / (1.0 + named as f32);
            return Some(found(Evidence::HandleBesideDigits, weight, &[mine]));
        }
        let long = letters.len().min(others.len());
        (long > 6 && is_typo(letters, others, false))
            .then(|| found(Evidence::SimilarHandle, if long > 8 { 0.6 } else { 0.4 }, &[mine, theirs]))
    }

    /// A handle of one that could be made of the full name of the other.
    pub(super) fn made(&self, a: &Profile, b: &Profile) -> Vec<Found> {
        let mut all = Vec::new();
        for (named, handled) in [(a, b), (b, a)] {
            for name in named.names() {
                let sure = match name.from {
                    NameFrom::Full | NameFrom::Spelling => 1.0,
                    NameFrom::Local if handled.full_names().next().is_none() => 0.95,
                    _ => continue,
                };
                // What is made of its owner's name says no more than that name.
                for handle in &handled.own_handles {
                    let Some(mut found) = self.making(*handle, name.words) else { continue };
                    found.weight *= sure;
                    if found.evidence == Evidence::HandleIsWord && !self.is_all_of(handled, *handle) {
                        found.weight *= 0.6;
                    }
                    all.push(found);
                }
            }
        }
        all
    }

    /// Whether `handle` is all by which machines know `profile`, but for digits.
    fn is_all_of(&self, profile: &Profile, handle: Symbol) -> bool {
        let letters = |handle: Symbol| keys::without_digits(self.book.symbols.text(handle));
        profile.handles.iter().all(|(other, _)| letters(*other) == letters(handle))
    }

    fn making(&self, handle: Symbol, words: &[Symbol]) -> Option<Found> {
        let making = made_of(self.book.frequency(), self.book.symbols.text(handle), words)?;
        let (evidence, most, doubt, expected) = match making.made {
            Made::Whole => (Evidence::HandleIsName, 0.93, 0.25, 0.0),
            Made::Initials => (Evidence::HandleOfInitials, 0.86, 1.5, 0.08),
            Made::Parts => (Evidence::HandleOfParts, 0.86, 1.5, 0.08),
            Made::Last => (Evidence::HandleIsWord, 0.82, 0.7, 1.0),
            Made::Given if making.letters > 5 => (Evidence::HandleOfInitials, 0.82, 3.0, 0.08),
            Made::Given => (Evidence::HandleOfInitials, 0.55, 1.5, 0.08),
            Made::Word => (Evidence::HandleIsWord, 0.45, 0.7, 1.0),
        };
        let mut weight = most / (1.0 + doubt * (making.chance - expected).max(0.0));
        weight *= match (making.made, making.letters) {
            (Made::Whole, 0..=4) | (_, 0..=3) => 0.5,
            (Made::Whole, _) | (_, 7..) => 1.0,
            (Made::Last, 6) => 1.0,
            (Made::Last, _) => 0.7,
            (Made::Parts, 0..=6) => 0.85,
            (_, 4) => 0.7,
            (_, _) => 0.95,
        };
        // A given name for a family name is many people's.
        if making.made == Made::Last && is_given_name(self.book.symbols.text(handle)) {
            weight *= 0.6;
        }
        if making.has_digits {
            weight *= 0.95;
        }
        if self.holders_of_handle(handle) > 1 {
            weight *= 0.6;
        }
        Some(found(evidence, weight, &[handle]))
    }
}
