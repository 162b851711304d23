//! Chains of items by key, in two flat vectors.

use super::codes::Codes;

/// Which items each key has: one chain a key, an item in at most one chain.
#[derive(Clone, Default)]
pub(super) struct Links {
    /// One more than the first item of each key; 0 for none.
    heads: Codes,
    /// One more than the item after each; 0 at the end.
    next: Codes,
}

impl Links {
    pub(super) fn reserve(&mut self, keys: usize, items: usize) {
        self.heads.reserve(keys);
        self.next.reserve(items);
    }

    pub(super) fn shrink(&mut self) {
        self.heads.shrink();
        self.next.shrink();
    }

    pub(super) fn add(&mut self, key: u32, item: u32) {
        self.next.set(item, self.heads.code(key));
        self.heads.set(key, item + 1);
    }

    /// The items of a key, the latest first.
    pub(super) fn items(&self, key: u32) -> impl Iterator<Item = u32> + '_ {
        std::iter::successors(self.heads.code(key).checked_sub(1), |&item| self.next.code(item).checked_sub(1))
    }

    /// Takes items out of their chains: `(key, item)` pairs. Each chain is walked once, however many go.
    pub(super) fn remove_all(&mut self, mut gone: Vec<(u32, u32)>) {
        gone.sort_unstable();
        for group in gone.chunk_by(|a, b| a.0 == b.0) {
            let key = group[0].0;
            let kept: Vec<u32> = self.items(key).filter(|&item| group.binary_search(&(key, item)).is_err()).collect();
            self.heads.set(key, kept.first().map_or(0, |first| first + 1));
            for (place, &item) in kept.iter().enumerate() {
                self.next.set(item, kept.get(place + 1).map_or(0, |next| next + 1));
            }
            for &(_, item) in group {
                self.next.set(item, 0);
            }
        }
    }
}
