//! Places of which nobody has more than a share. What does not live here: who counts as one, and what is done in a place.

use std::collections::HashMap;
use std::hash::Hash;
use std::sync::{Arc, Mutex, PoisonError};

/// Places, by who has them.
#[derive(Debug)]
pub(super) struct Shares<K> {
    places: usize,
    share: usize,
    taken: Mutex<HashMap<K, usize>>,
}

/// A place, which is free again when this is dropped.
#[derive(Debug)]
pub(super) struct Share<K: Eq + Hash> {
    of: Arc<Shares<K>>,
    key: K,
}

impl<K: Eq + Hash + Clone> Shares<K> {
    /// So many places, of which each has at most a `share`.
    pub(super) fn new(places: usize, share: usize) -> Self {
        Self { places, share, taken: Mutex::default() }
    }

    /// How many places are taken.
    #[cfg(test)]
    pub(super) fn taken(&self) -> usize {
        self.taken.lock().unwrap_or_else(PoisonError::into_inner).values().sum()
    }

    /// A place, unless all are taken, or the share of `key` is.
    pub(super) fn take(self: &Arc<Self>, key: K) -> Option<Share<K>> {
        let mut taken = self.taken.lock().unwrap_or_else(PoisonError::into_inner);
        let own = taken.get(&key).copied().unwrap_or_default();
        if own >= self.share || taken.values().sum::<usize>() >= self.places {
            return None;
        }
        taken.insert(key.clone(), own + 1);
        Some(Share { of: self.clone(), key })
    }
}

impl<K: Eq + Hash> Drop for Share<K> {
    fn drop(&mut self) {
        let mut taken = self.of.taken.lock().unwrap_or_else(PoisonError::into_inner);
        match taken.get_mut(&self.key) {
            Some(own) if *own > 1 => *own -= 1,
            _ => drop(taken.remove(&self.key)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nobody_has_more_than_a_share_nor_all_more_than_there_is() {
        let shares = Arc::new(Shares::new(5, 2));
        let mut of_a: Vec<_> = (0..4).filter_map(|_| shares.take('a')).collect();
        let _of_b: Vec<_> = (0..4).filter_map(|_| shares.take('b')).collect();
        let of_c: Vec<_> = (0..4).filter_map(|_| shares.take('c')).collect();
        assert_eq!((of_a.len(), of_c.len(), shares.taken()), (2, 1, 5));
        of_a.pop();
        assert_eq!(shares.taken(), 4);
        assert!(shares.take('a').is_some_and(|_| shares.taken() == 5));
        drop((of_a, of_c));
        assert_eq!((shares.taken(), shares.taken.lock().unwrap().len()), (2, 1), "who has none is not counted");
    }
}
