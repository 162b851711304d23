//! What the evidence in two identities weighs. docs/association.md has the table of these weights.
//!
//! Each piece of evidence is as sure as it would be by itself, less where others in the book have as much in common by
//! chance. Names, handles, and names with handles are each taken at their best; a second kind adds half of what it is worth,
//! since the kinds often say the same twice. Names that contradict each other take most of it away.

mod handles;
mod mails;
mod names;

use std::cell::RefCell;

use rustc_hash::FxHashMap;

use super::book::Book;
use super::profile::Profile;
use super::reason::{Evidence, Reason};
use super::symbols::Symbol;

/// What is left of the score where emails at one domain differ by a number alone.
const NUMBERED: f32 = 0.5;

/// What was found in two identities, and what it comes to.
#[derive(Debug)]
pub(super) struct Weight {
    pub(super) score: f32,
    found: Vec<Found>,
}

#[derive(Clone, Debug)]
struct Found {
    evidence: Evidence,
    weight: f32,
    value: Vec<Symbol>,
    is_rare: bool,
}

/// Weighs the identities of one book.
#[derive(Debug)]
pub(super) struct Scale<'a, K> {
    pub(super) book: &'a Book<K>,
    /// Of a handle or an email, how many people's it seems to be.
    pub(super) holders: RefCell<FxHashMap<(Symbol, bool), usize>>,
    /// Of a full name, whether two people have it.
    pub(super) namesakes: RefCell<FxHashMap<Vec<Symbol>, bool>>,
    /// Of a word, what else is known of each of the people who have it in their names.
    pub(super) named: RefCell<FxHashMap<Symbol, Vec<Vec<Symbol>>>>,
}

impl<'a, K: Copy + Ord> Scale<'a, K> {
    pub(super) fn new(book: &'a Book<K>) -> Self {
        Self { book, holders: RefCell::default(), namesakes: RefCell::default(), named: RefCell::default() }
    }

    /// Keeps what it looked up from growing without end.
    pub(super) fn forget(&mut self) {
        if self.holders.borrow().len() > 100_000 {
            self.holders.borrow_mut().clear();
        }
        if self.namesakes.borrow().len() > 100_000 {
            self.namesakes.borrow_mut().clear();
        }
        if self.named.borrow().len() > 1_000 {
            self.named.borrow_mut().clear();
        }
    }

    /// What `a` and `b` come to; `None` where they cannot be one, or have nothing in common.
    pub(super) fn weigh(&self, a: &Profile, b: &Profile) -> Option<Weight> {
        if a.is_bot != b.is_bot || a.excludes(b) {
            return None;
        }
        let mail = self.mails(a, b);
        if let Some(found) = mail.iter().find(|found| found.evidence == Evidence::SameEmail) {
            return Some(Weight { score: 1.0, found: vec![found.clone()] });
        }
        if a.is_bot {
            return self.bots(a, b);
        }
        let mut found: Vec<Found> = Vec::new();
        let (names, conflict) = self.names(a, b);
        let groups = [mail, names, self.handles(a, b, conflict), self.made(a, b), self.singles(a, b)];
        let mut best: Vec<f32> = Vec::new();
        for group in groups {
            let Some(of_group) = group.into_iter().max_by(|x, y| x.weight.total_cmp(&y.weight)) else { continue };
            // A word that is a name and a handle, too, says it once.
            if of_group.evidence == Evidence::PartOfName && found.iter().any(|other| other.value == of_group.value) {
                continue;
            }
            best.push(of_group.weight);
            found.push(of_group);
        }
        best.sort_by(|x, y| y.total_cmp(x));
        let mut doubt = 1.0;
        for (at, weight) in best.iter().enumerate() {
            doubt *= 1.0 - weight * [1.0, 0.5, 0.3][at.min(2)];
        }
        let strongest = best.first().copied()?;
        if let Some(domain) = self.domain(a, b) {
            doubt *= 1.0 - domain.weight;
            found.push(domain);
        }
        let mut score = 1.0 - doubt;
        let numbered = self.numbered(a, b);
        found.sort_by(|x, y| y.weight.total_cmp(&x.weight).then_with(|| x.evidence.cmp(&y.evidence)));
        if let Some(relation) = conflict {
            let (evidence, left) = self.contradiction(relation, &found, strongest);
            score *= left;
            found.push(Found { evidence, weight: left, value: Vec::new(), is_rare: false });
        }
        if let Some(mail) = numbered {
            score *= NUMBERED;
            found.push(Found { evidence: Evidence::NumberedEmails, weight: NUMBERED, value: mail, is_rare: false });
        }
        Some(Weight { score, found })
    }

    /// Whether the full names of `a` and `b` cannot be one person's.
    pub(super) fn contradict(&self, a: &Profile, b: &Profile) -> bool {
        self.names(a, b).1.is_some()
    }

    pub(super) fn reasons(&self, a: &Profile, b: &Profile, weight: &Weight) -> Vec<Reason> {
        let is_romanised = a.is_romanised || b.is_romanised;
        let text = |found: &Found| {
            if is_romanised && found.evidence.is_of_names() {
                return String::new();
            }
            found.value.iter().map(|word| self.book.symbols.text(*word)).collect::<Vec<_>>().join(" ")
        };
        weight
            .found
            .iter()
            .map(|found| Reason {
                evidence: found.evidence,
                value: text(found),
                weight: found.weight,
                is_rare: found.is_rare,
            })
            .collect()
    }
}

fn found(evidence: Evidence, weight: f32, value: &[Symbol]) -> Found {
    Found { evidence, weight, value: value.to_vec(), is_rare: false }
}

/// Bots are one by exact evidence alone.
impl<K: Copy + Ord> Scale<'_, K> {
    fn bots(&self, a: &Profile, b: &Profile) -> Option<Weight> {
        let handles = a.handles.iter().filter(|mine| b.handles.iter().any(|theirs| theirs.0 == mine.0));
        let handle = handles.map(|(handle, _)| found(Evidence::SameLogin, 0.95, &[*handle])).next();
        let name = || {
            let same = a.full_names().find(|mine| b.full_names().any(|theirs| theirs == *mine))?;
            Some(found(Evidence::SameName, 0.9, same))
        };
        let found = handle.or_else(name)?;
        Some(Weight { score: found.weight, found: vec![found] })
    }
}
