//! The book: identities by the caller's keys, what they have in common, and how common it is.

use std::collections::BTreeMap;
use std::hash::BuildHasher;
use std::ops::Bound;

use hashbrown::HashMap;
use rustc_hash::FxBuildHasher;

use super::block::{Blocks, Members, Ordinal};
use super::digest::digest;
use super::keys::{self, Key};
use super::name::Frequency;
use super::profile::Profile;
use super::reason::Reason;
use super::symbols::{Symbol, Symbols};
use super::weigh::{Scale, Weight};
use super::{Evidence, Identity};

/// How many identities may share a blocking key that is followed. What more have is no evidence.
const LARGEST_BLOCK: usize = 256;

/// Identities by a key of the caller's, ready to say who is probably one person.
///
/// What it answers depends on what is in it and on nothing else: not on the order in which it came, nor on what was
/// there and went.
#[derive(Debug)]
pub struct Book<K> {
    ordinals: BTreeMap<K, Ordinal>,
    entries: Vec<Option<Entry<K>>>,
    free: Vec<Ordinal>,
    pub(super) symbols: Symbols,
    blocks: Blocks,
    /// Full names by the hash of their words in order, and how many identities have each.
    full_names: HashMap<u64, u32, FxBuildHasher>,
}

#[derive(Debug)]
struct Entry<K> {
    key: K,
    profile: Profile,
    blocks: Box<[Key]>,
}

/// Two identities that are probably one person.
#[derive(Clone, Debug, PartialEq)]
pub struct Pair<K> {
    /// The identity with the lesser key.
    pub a: K,
    /// The other.
    pub b: K,
    /// How sure it is, 0 to 1.
    pub score: f32,
    /// What was found, the weightiest first; what stands against it last.
    pub reasons: Vec<Reason>,
}

impl<K> Pair<K> {
    /// Whether both have the same email, which is nobody else's: then nobody needs to look.
    #[must_use]
    pub fn is_certain(&self) -> bool {
        self.reasons.iter().any(|reason| reason.evidence == Evidence::SameEmail)
    }
}

/// How much a book holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Size {
    /// Identities.
    pub identities: usize,
    /// Different texts: words, handles, emails, domains.
    pub texts: usize,
    /// Blocking keys.
    pub keys: usize,
    /// Different full names.
    pub full_names: usize,
}

impl<K> Default for Book<K> {
    fn default() -> Self {
        Self {
            ordinals: BTreeMap::new(),
            entries: Vec::new(),
            free: Vec::new(),
            symbols: Symbols::default(),
            blocks: Blocks::default(),
            full_names: HashMap::default(),
        }
    }
}

impl<K: Copy + Ord> Book<K> {
    /// A book with nobody in it.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Puts `identity` in, in place of what `key` had before.
    pub fn insert(&mut self, key: K, identity: &Identity) {
        self.remove(key);
        let digest = digest(identity);
        let profile = Profile::new(&digest, &mut self.symbols);
        let keys = keys::of(&digest);
        self.count_names(&profile);
        let ordinal = match self.free.pop() {
            Some(ordinal) => ordinal,
            None => {
                self.entries.push(None);
                Ordinal::try_from(self.entries.len() - 1).unwrap_or(Ordinal::MAX)
            }
        };
        for key in &keys {
            self.blocks.insert(*key, ordinal);
        }
        self.entries[ordinal as usize] = Some(Entry { key, profile, blocks: keys.into() });
        self.ordinals.insert(key, ordinal);
    }

    /// Takes out what `key` has; false if it had nothing.
    pub fn remove(&mut self, key: K) -> bool {
        let Some(ordinal) = self.ordinals.remove(&key) else { return false };
        let Some(entry) = self.entries[ordinal as usize].take() else { return false };
        for key in &entry.blocks {
            self.blocks.remove(*key, ordinal);
        }
        self.uncount_names(&entry.profile);
        entry.profile.release(&mut self.symbols);
        self.free.push(ordinal);
        true
    }
}

/// What a book answers.
impl<K: Copy + Ord> Book<K> {
    /// Whether `key` has an identity in it.
    #[must_use]
    pub fn contains(&self, key: K) -> bool {
        self.ordinals.contains_key(&key)
    }

    /// How many identities are in it.
    #[must_use]
    pub fn len(&self) -> usize {
        self.ordinals.len()
    }

    /// Whether nobody is in it.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.ordinals.is_empty()
    }

    /// How much it holds.
    #[must_use]
    pub fn size(&self) -> Size {
        Size {
            identities: self.ordinals.len(),
            texts: self.symbols.len(),
            keys: self.blocks.len(),
            full_names: self.full_names.len(),
        }
    }

    /// Who is probably the same person as `key`, with a score of `above` or more; the likeliest first, and where two are as
    /// likely, the lesser key.
    #[must_use]
    pub fn suggestions(&self, key: K, above: f32) -> Vec<Pair<K>> {
        let Some(ordinal) = self.ordinals.get(&key) else { return Vec::new() };
        let mut scale = Scale::new(self);
        let mut found: Vec<Pair<K>> =
            self.near(*ordinal).into_iter().filter_map(|other| self.pair(&mut scale, *ordinal, other, above)).collect();
        found.sort_by(|x, y| y.score.total_cmp(&x.score).then_with(|| (x.a, x.b).cmp(&(y.a, y.b))));
        found
    }

    /// Who is compared with `key`: whoever shares a blocking key that few have.
    #[must_use]
    pub fn candidates(&self, key: K) -> Vec<K> {
        let Some(ordinal) = self.ordinals.get(&key) else { return Vec::new() };
        let mut keys: Vec<K> =
            self.near(*ordinal).into_iter().filter_map(|other| Some(self.entry(other)?.key)).collect();
        keys.sort_unstable();
        keys
    }

    /// What speaks for one person in `a` and `b`, and against it. `None` where one is not in the book, where they have
    /// different accounts in one integration, or where one is a bot and the other not.
    #[must_use]
    pub fn compare(&self, a: K, b: K) -> Option<Pair<K>> {
        let (a, b) = (*self.ordinals.get(&a)?, *self.ordinals.get(&b)?);
        self.pair(&mut Scale::new(self), a, b, 0.0)
    }

    /// All pairs with a score of `above` or more, each once: by their lesser key from `from` on, then by the other. They
    /// are found as they are asked for.
    pub fn pairs(&self, from: Bound<K>, above: f32) -> impl Iterator<Item = Pair<K>> {
        let mut scale = Scale::new(self);
        self.ordinals.range((from, Bound::Unbounded)).flat_map(move |(key, ordinal)| {
            let mut found: Vec<Pair<K>> = self
                .near(*ordinal)
                .into_iter()
                .filter(|other| self.entry(*other).is_some_and(|other| other.key > *key))
                .filter_map(|other| self.pair(&mut scale, *ordinal, other, above))
                .collect();
            found.sort_unstable_by_key(|pair| pair.b);
            scale.forget();
            found
        })
    }

    fn pair(&self, scale: &mut Scale<'_, K>, a: Ordinal, b: Ordinal, above: f32) -> Option<Pair<K>> {
        let (a, b) = (self.entry(a)?, self.entry(b)?);
        let (a, b) = if a.key <= b.key { (a, b) } else { (b, a) };
        let weight = scale.weigh(&a.profile, &b.profile)?;
        (weight.score >= above && a.key != b.key).then(|| Pair {
            a: a.key,
            b: b.key,
            score: weight.score,
            reasons: scale.reasons(&a.profile, &b.profile, &weight),
        })
    }
}

/// What its neighbours in this room ask a book.
impl<K: Copy + Ord> Book<K> {
    fn entry(&self, ordinal: Ordinal) -> Option<&Entry<K>> {
        self.entries.get(ordinal as usize)?.as_ref()
    }

    pub(super) fn profile(&self, ordinal: Ordinal) -> Option<&Profile> {
        self.entry(ordinal).map(|entry| &entry.profile)
    }

    pub(super) fn ordinal(&self, key: K) -> Option<Ordinal> {
        self.ordinals.get(&key).copied()
    }

    pub(super) fn key(&self, ordinal: Ordinal) -> Option<K> {
        self.entry(ordinal).map(|entry| entry.key)
    }

    pub(super) fn ordinals(&self) -> impl Iterator<Item = Ordinal> {
        self.ordinals.values().copied()
    }

    pub(super) fn frequency(&self) -> Frequency<'_> {
        Frequency { symbols: &self.symbols, names: u32::try_from(self.full_names.len()).unwrap_or(u32::MAX) }
    }

    /// Whoever has `key`; `None` where more have it than are looked at.
    pub(super) fn block(&self, key: Key) -> Option<Members<'_>> {
        Some(self.blocks.of(key)).filter(|members| members.len() <= LARGEST_BLOCK)
    }

    /// Whoever shares a blocking key with `ordinal`, each once.
    pub(super) fn near(&self, ordinal: Ordinal) -> Vec<Ordinal> {
        let Some(entry) = self.entry(ordinal) else { return Vec::new() };
        let mut near = Vec::new();
        for members in entry.blocks.iter().filter_map(|key| self.block(*key)) {
            members.for_each(|other| near.push(other));
        }
        near.sort_unstable();
        near.dedup();
        near.retain(|other| *other != ordinal);
        near
    }

    /// How `a` and `b` weigh, the lesser key first.
    pub(super) fn weigh(&self, scale: &mut Scale<'_, K>, a: Ordinal, b: Ordinal) -> Option<Weight> {
        let (a, b) = (self.entry(a)?, self.entry(b)?);
        let (a, b) = if a.key <= b.key { (a, b) } else { (b, a) };
        scale.weigh(&a.profile, &b.profile)
    }

    fn count_names(&mut self, profile: &Profile) {
        for words in profile.full_names() {
            let (hash, words) = self.words_of(words);
            let identities = self.full_names.entry(hash).or_insert(0);
            *identities += 1;
            if *identities == 1 {
                words.into_iter().for_each(|word| self.symbols.count_name(word, true));
            }
        }
    }

    fn uncount_names(&mut self, profile: &Profile) {
        for words in profile.full_names() {
            let (hash, words) = self.words_of(words);
            let Some(identities) = self.full_names.get_mut(&hash) else { continue };
            *identities -= 1;
            if *identities == 0 {
                self.full_names.remove(&hash);
                words.into_iter().for_each(|word| self.symbols.count_name(word, false));
            }
        }
    }

    /// The words of a full name in order, each once, and their hash.
    fn words_of(&self, words: &[Symbol]) -> (u64, Vec<Symbol>) {
        let mut words = words.to_vec();
        words.sort_unstable_by_key(|word| self.symbols.text(*word));
        words.dedup();
        let texts: Vec<&str> = words.iter().map(|word| self.symbols.text(*word)).collect();
        (FxBuildHasher.hash_one(texts), words)
    }
}
