//! Names of two identities, and whether they contradict each other.

use super::{Found, Scale, found};
use crate::identity::digest::NameFrom;
use crate::identity::name::{Likeness, Relation, relate};
use crate::identity::profile::Profile;
use crate::identity::reason::Evidence;
use crate::identity::symbols::Symbol;

impl<K: Copy + Ord> Scale<'_, K> {
    /// What the names have in common, and how they contradict each other, if they do.
    pub(super) fn names(&self, a: &Profile, b: &Profile) -> (Vec<Found>, Option<Relation>) {
        let (mut all, mut closest): (Vec<Found>, Option<Relation>) = (Vec::new(), None);
        let frequency = self.book.frequency();
        for mine in a.names() {
            for theirs in b.names() {
                let Some(sure) = comparable(mine.from, theirs.from) else { continue };
                let likeness = relate(frequency, mine.words, theirs.words);
                if mine.from <= NameFrom::Spelling && theirs.from <= NameFrom::Spelling {
                    closest = Some(closest.map_or(likeness.relation, |so_far| so_far.min(likeness.relation)));
                }
                let shorter = if mine.words.len() <= theirs.words.len() { mine.words } else { theirs.words };
                all.extend(self.name(likeness, sure, shorter));
            }
        }
        (all, closest.filter(|relation| *relation >= Relation::Shared))
    }

    fn name(&self, likeness: Likeness, sure: f32, words: &[Symbol]) -> Option<Found> {
        let frequency = self.book.frequency();
        let (evidence, weight, doubt) = match likeness.relation {
            Relation::Same => (Evidence::SameName, 0.97, 0.25),
            Relation::Fewer => (Evidence::FewerNames, 0.94, 0.5),
            Relation::Part => (Evidence::FewerNames, 0.86, 1.0),
            Relation::Sound => (Evidence::SimilarName, 0.88, 1.0),
            Relation::ShortForm => (Evidence::SimilarName, 0.86, 3.0),
            Relation::Similar => (Evidence::SimilarName, 0.78, 2.0),
            Relation::Initials => (Evidence::NameWithInitials, 0.72, 2.0),
            Relation::Shared | Relation::Different => return None,
        };
        let mut weight = sure * weight / (1.0 + doubt * likeness.chance);
        if likeness.relation == Relation::Part {
            // What is left when a name is cut short may be what half of a country is called.
            let commonest = words.iter().map(|word| frequency.share(*word)).fold(0.0, f32::max);
            weight /= 1.0 + 20.0 * commonest;
        }
        if likeness.relation <= Relation::Part && self.has_namesakes(words) {
            weight *= 0.6;
        }
        Some(Found { evidence, weight, value: words.to_vec(), is_rare: likeness.chance < 0.02 })
    }

    /// A name of one word that is a word of the other's full name.
    pub(super) fn singles(&self, a: &Profile, b: &Profile) -> Vec<Found> {
        self.single(a, b).into_iter().chain(self.single(b, a)).collect()
    }

    /// A name of one word of `b` that is a word of a full name of `a`.
    fn single(&self, a: &Profile, b: &Profile) -> Option<Found> {
        let mut singles = b.names().filter(|name| name.from == NameFrom::Single).map(|name| name.words[0]);
        let single = singles.find(|single| a.full_names().any(|words| words.contains(single)))?;
        if self.book.symbols.text(single).len() < 3 {
            return None;
        }
        Some(found(Evidence::PartOfName, 0.5 / (1.0 + 0.5 * self.others_named(single, a, b)), &[single]))
    }

    /// How much is left of the score where full names contradict each other.
    pub(super) fn contradiction(&self, relation: Relation, found: &[Found], strongest: f32) -> (Evidence, f32) {
        let by_rare_handle = found.first().is_some_and(|first| {
            is_same_handle(first.evidence)
                && first.weight >= strongest
                && first
                    .value
                    .iter()
                    .all(|handle| self.book.symbols.text(*handle).len() > 5 && self.book.symbols.names(*handle) == 0)
        });
        // `cleo.jane.doe` is both Jane and Cleo Doe.
        let by_local = found.first().is_some_and(|first| {
            first.weight > 0.8 && matches!(first.evidence, Evidence::SameName | Evidence::FewerNames)
        });
        match relation {
            Relation::Shared if by_local => (Evidence::OtherGivenName, 1.0),
            Relation::Shared if by_rare_handle => (Evidence::OtherGivenName, 0.92),
            Relation::Shared => (Evidence::OtherGivenName, 0.6),
            _ if by_rare_handle => (Evidence::DifferentNames, 0.88),
            _ => (Evidence::DifferentNames, 0.4),
        }
    }
}

/// How sure names are that were read there; `None` where comparing them says nothing.
fn comparable(a: NameFrom, b: NameFrom) -> Option<f32> {
    use NameFrom::{Domain, Full, Local, Login, Spelling};
    match (a.min(b), a.max(b)) {
        (Full | Spelling, Full | Spelling) => Some(1.0),
        (Full | Spelling, Login | Local) => Some(0.97),
        (Full | Spelling, Domain) => Some(0.9),
        (Login | Local, Login | Local) => Some(0.88),
        _ => None,
    }
}

fn is_same_handle(evidence: Evidence) -> bool {
    matches!(
        evidence,
        Evidence::NoReplyLogin
            | Evidence::LocalPartIsLogin
            | Evidence::SameLogin
            | Evidence::SameLocalPart
            | Evidence::NameIsHandle
    )
}
