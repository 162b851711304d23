//! Who has which blocking key.

use hashbrown::HashMap;
use hashbrown::hash_map::Entry;
use rustc_hash::FxBuildHasher;

use super::keys::Key;

/// A place in a book's list of identities.
pub(super) type Ordinal = u32;

/// Who has which blocking key. Most keys are one identity's, which takes no list.
#[derive(Debug, Default)]
pub(super) struct Blocks {
    by_key: HashMap<Key, u32, FxBuildHasher>,
    lists: Vec<Vec<Ordinal>>,
    free: Vec<u32>,
}

/// Marks a number as the place of a list, and not an ordinal.
const LIST: u32 = 1 << 31;

impl Blocks {
    pub(super) fn insert(&mut self, key: Key, ordinal: Ordinal) {
        match self.by_key.entry(key) {
            Entry::Vacant(vacant) => {
                vacant.insert(ordinal);
            }
            Entry::Occupied(mut occupied) => {
                let held = *occupied.get();
                if held & LIST != 0 {
                    self.lists[(held & !LIST) as usize].push(ordinal);
                    return;
                }
                let list = vec![held, ordinal];
                let at = match self.free.pop() {
                    Some(at) => {
                        self.lists[at as usize] = list;
                        at
                    }
                    None => {
                        self.lists.push(list);
                        u32::try_from(self.lists.len() - 1).unwrap_or_default()
                    }
                };
                occupied.insert(at | LIST);
            }
        }
    }

    pub(super) fn remove(&mut self, key: Key, ordinal: Ordinal) {
        let Entry::Occupied(mut occupied) = self.by_key.entry(key) else { return };
        let held = *occupied.get();
        if held & LIST == 0 {
            if held == ordinal {
                occupied.remove();
            }
            return;
        }
        let at = held & !LIST;
        let list = &mut self.lists[at as usize];
        list.retain(|other| *other != ordinal);
        if let [last] = list[..] {
            occupied.insert(last);
            self.lists[at as usize] = Vec::new();
            self.free.push(at);
        }
    }

    /// Whoever has `key`.
    pub(super) fn of(&self, key: Key) -> Members<'_> {
        match self.by_key.get(&key) {
            None => Members::None,
            Some(held) if held & LIST == 0 => Members::One(*held),
            Some(held) => Members::Many(&self.lists[(held & !LIST) as usize]),
        }
    }

    /// How many keys there are.
    pub(super) fn len(&self) -> usize {
        self.by_key.len()
    }
}

/// Whoever has one key.
#[derive(Clone, Copy, Debug)]
pub(super) enum Members<'a> {
    None,
    One(Ordinal),
    Many(&'a [Ordinal]),
}

impl Members<'_> {
    pub(super) fn len(self) -> usize {
        match self {
            Self::None => 0,
            Self::One(_) => 1,
            Self::Many(list) => list.len(),
        }
    }

    pub(super) fn for_each(self, mut each: impl FnMut(Ordinal)) {
        match self {
            Self::None => {}
            Self::One(ordinal) => each(ordinal),
            Self::Many(list) => list.iter().copied().for_each(each),
        }
    }
}
