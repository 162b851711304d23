//! Chance, for tests that try many things.

use std::hash::{BuildHasher, Hasher, RandomState};

/// Random numbers.
pub(crate) struct Random(u64);

impl Random {
    /// Numbers that nobody foresees.
    pub(crate) fn new() -> Self {
        Self(RandomState::new().build_hasher().finish() | 1)
    }

    /// The same numbers each time.
    pub(crate) fn of_seed(seed: usize) -> Self {
        // Seeds that follow each other shall not give numbers that do.
        Self((seed as u64 + 1).wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1)
    }

    /// One from 0 up to `bound`, without it.
    pub(crate) fn below(&mut self, bound: usize) -> usize {
        // xorshift64.
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        (self.0 % bound.max(1) as u64) as usize
    }

    /// Whether what happens once in so many times happens.
    pub(crate) fn one_in(&mut self, times: usize) -> bool {
        self.below(times) == 0
    }

    /// One of several things.
    pub(crate) fn choose<'a, T>(&mut self, from: &'a [T]) -> &'a T {
        &from[self.below(from.len())]
    }
}
