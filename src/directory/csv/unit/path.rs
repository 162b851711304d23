//! Paths by number: two that differ in case alone are one.

use std::collections::HashMap;

use crate::value::fold;

/// A path by number, which two paths that differ in case alone share.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) struct Key(usize);

/// Above all roots.
pub(super) const TOP: Key = Key(0);

/// The numbers of paths.
#[derive(Default)]
pub(super) struct Keys(HashMap<(Key, String), Key>);

impl Keys {
    /// The number of the path one name further down.
    pub(super) fn below(&mut self, above: Key, name: &str) -> Key {
        let next = Key(self.0.len() + 1);
        *self.0.entry((above, fold(name))).or_insert(next)
    }

    /// The number of a path that has one.
    pub(super) fn find(&self, names: &[String]) -> Option<Key> {
        names.iter().try_fold(TOP, |above, name| self.0.get(&(above, fold(name))).copied())
    }
}
