//! A hash table of codes that is as large as its content asks for, and not the next power of two.
//!
//! What does not live here: the values, which are hashed and compared by the one who asks.

/// Bits of a code; the rest of a slot is a piece of the hash, which spares most looks at a value.
const CODE_BITS: u32 = 27;
const CODE: u32 = (1 << CODE_BITS) - 1;
/// The most codes, code 0 included.
pub(super) const CODES: usize = 1 << CODE_BITS;

/// Codes by hash, with open addressing. A slot of 0 is free, as code 0 is "no value".
#[derive(Clone, Default)]
pub(super) struct Slots {
    slots: Vec<u32>,
    taken: usize,
}

impl Slots {
    /// The code with this hash of which `is_wanted` holds.
    pub(super) fn find(&self, hash: u64, is_wanted: impl Fn(u32) -> bool) -> Option<u32> {
        if self.slots.is_empty() {
            return None;
        }
        let mut at = self.home(hash);
        loop {
            let slot = self.slots[at];
            if slot == 0 {
                return None;
            }
            let code = slot & CODE;
            if slot >> CODE_BITS == tag(hash) && is_wanted(code) {
                return Some(code);
            }
            at = if at + 1 == self.slots.len() { 0 } else { at + 1 };
        }
    }

    /// Adds a code that is not there; below [`CODES`] and not 0.
    pub(super) fn insert(&mut self, hash: u64, code: u32, hash_of: impl Fn(u32) -> u64) {
        if (self.taken + 1) * 8 > self.slots.len() * 7 {
            self.rebuild((self.slots.len() * 2).max(16), hash_of);
        }
        self.put(hash, code);
        self.taken += 1;
    }

    /// Gives back the room for more codes than a few.
    pub(super) fn shrink(&mut self, hash_of: impl Fn(u32) -> u64) {
        let enough = (self.taken + self.taken / 4).max(16);
        if enough < self.slots.len() {
            self.rebuild(enough, hash_of);
        }
    }

    fn rebuild(&mut self, len: usize, hash_of: impl Fn(u32) -> u64) {
        let old = std::mem::replace(&mut self.slots, vec![0; len]);
        for slot in old.into_iter().filter(|&slot| slot != 0) {
            let code = slot & CODE;
            self.put(hash_of(code), code);
        }
    }

    fn put(&mut self, hash: u64, code: u32) {
        let mut at = self.home(hash);
        while self.slots[at] != 0 {
            at = if at + 1 == self.slots.len() { 0 } else { at + 1 };
        }
        self.slots[at] = tag(hash) << CODE_BITS | code;
    }

    /// Where the search begins: the hash's place among all hashes, as a place among the slots.
    fn home(&self, hash: u64) -> usize {
        let spread = hash.wrapping_mul(0x9e37_79b9_7f4a_7c15);
        usize::try_from((u128::from(spread) * self.slots.len() as u128) >> 64).unwrap_or(0)
    }
}

fn tag(hash: u64) -> u32 {
    (hash & ((1 << (u32::BITS - CODE_BITS)) - 1)) as u32
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_code_is_found_and_no_other() {
        // Hashes of few bits make crowds.
        for bits in [64, 10] {
            let hash_of = |code: u32| (u64::from(code)).wrapping_mul(0xbf58_476d_1ce4_e5b9) >> (64 - bits);
            let mut slots = Slots::default();
            for code in 1..2_000 {
                assert_eq!(slots.find(hash_of(code), |known| known == code), None);
                slots.insert(hash_of(code), code, hash_of);
            }
            slots.shrink(hash_of);
            slots.insert(hash_of(2_000), 2_000, hash_of);
            for code in 1..=2_000 {
                assert_eq!(slots.find(hash_of(code), |known| known == code), Some(code));
            }
        }
    }
}
