//! Each text once, however many identities have it, with how many names it is a word of.

use std::hash::BuildHasher;

use hashbrown::HashTable;
use rustc_hash::FxBuildHasher;

use super::text::sound;

/// A text that [`Symbols`] keeps.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(super) struct Symbol(u32);

/// The texts of a book.
#[derive(Debug, Default)]
pub(super) struct Symbols {
    entries: Vec<Entry>,
    by_text: HashTable<u32>,
    free: Vec<u32>,
}

#[derive(Debug, Default)]
struct Entry {
    text: Box<str>,
    /// How often it is kept.
    uses: u32,
    /// How many different full names it is a word of.
    names: u32,
    /// A hash of how it sounds.
    sound: u32,
}

fn hash(text: &str) -> u64 {
    FxBuildHasher.hash_one(text)
}

impl Symbols {
    /// Keeps `text` once more.
    pub(super) fn keep(&mut self, text: &str) -> Symbol {
        if let Some(at) = self.find(text) {
            self.entries[at.0 as usize].uses += 1;
            return at;
        }
        let sound = u32::try_from(hash(&sound(text)) >> 32).unwrap_or_default();
        let entry = Entry { text: text.into(), uses: 1, names: 0, sound };
        let at = match self.free.pop() {
            Some(at) => {
                self.entries[at as usize] = entry;
                at
            }
            None => {
                self.entries.push(entry);
                u32::try_from(self.entries.len() - 1).unwrap_or(u32::MAX)
            }
        };
        let entries = &self.entries;
        self.by_text.insert_unique(hash(text), at, |at| hash(&entries[*at as usize].text));
        Symbol(at)
    }

    /// Takes one keeping of `symbol` back.
    pub(super) fn drop(&mut self, symbol: Symbol) {
        let at = symbol.0;
        let entry = &mut self.entries[at as usize];
        entry.uses -= 1;
        if entry.uses == 0 {
            let found = self.by_text.find_entry(hash(&entry.text), |other| *other == at);
            if let Ok(found) = found {
                found.remove();
            }
            self.entries[at as usize] = Entry::default();
            self.free.push(at);
        }
    }

    pub(super) fn find(&self, text: &str) -> Option<Symbol> {
        self.by_text.find(hash(text), |at| &*self.entries[*at as usize].text == text).map(|at| Symbol(*at))
    }

    pub(super) fn text(&self, symbol: Symbol) -> &str {
        &self.entries[symbol.0 as usize].text
    }

    /// How many different full names it is a word of.
    pub(super) fn names(&self, symbol: Symbol) -> u32 {
        self.entries[symbol.0 as usize].names
    }

    /// Whether the words sound alike.
    pub(super) fn sound_alike(&self, a: Symbol, b: Symbol) -> bool {
        self.entries[a.0 as usize].sound == self.entries[b.0 as usize].sound
    }

    /// How often it is kept.
    pub(super) fn uses(&self, symbol: Symbol) -> u32 {
        self.entries[symbol.0 as usize].uses
    }

    /// Counts a full name with the word more, or less.
    pub(super) fn count_name(&mut self, word: Symbol, is_more: bool) {
        let names = &mut self.entries[word.0 as usize].names;
        *names = if is_more { *names + 1 } else { *names - 1 };
    }

    /// How many texts are kept.
    pub(super) fn len(&self) -> usize {
        self.entries.len() - self.free.len()
    }
}
