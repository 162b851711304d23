//! Sorted lists that follow changes: one pass for many, a binary search for few, sorting anew for most.

use std::cmp::Ordering;
use std::sync::Arc;

use roaring::RoaringBitmap;

/// So few changes are placed one by one.
const FEW: u64 = if cfg!(test) { 2 } else { 16 };
/// Sorting everything anew is less work where more than one in so many is fresh.
const MANY: usize = if cfg!(test) { 2 } else { 8 };

/// Users in an order. Between a change and [`Self::settle`] it is behind.
#[derive(Clone, Default)]
pub(super) struct Sorted {
    list: Arc<Vec<u32>>,
    /// Those whose places are void. While they are few they are out of the list already.
    void: RoaringBitmap,
    /// Those who have no place yet.
    fresh: RoaringBitmap,
}

impl Sorted {
    /// The users in order.
    pub(super) fn list(&self) -> &[u32] {
        &self.list
    }

    /// Takes users out, while what they are sorted by is still as it was: `compare` says how.
    pub(super) fn leave(&mut self, users: &RoaringBitmap, compare: impl Fn(u32, u32) -> Ordering) {
        if users.is_empty() {
            return;
        }
        self.fresh -= users;
        self.void |= users;
        if self.void.len() > FEW {
            return;
        }
        for user in users {
            let at = self.list.partition_point(|&known| compare(known, user).is_lt());
            if self.list.get(at) == Some(&user) {
                Arc::make_mut(&mut self.list).remove(at);
            }
        }
    }

    /// Notes that a user who is not in the list belongs there.
    pub(super) fn join(&mut self, user: u32) {
        self.fresh.insert(user);
    }

    /// Gives back what was reserved for growth, if no copy shares it.
    pub(super) fn shrink(&mut self) {
        if let Some(list) = Arc::get_mut(&mut self.list) {
            list.shrink_to_fit();
        }
    }

    /// Brings the list up to date; `sort` gives all users in order, from scratch.
    pub(super) fn settle(&mut self, compare: impl Fn(u32, u32) -> Ordering, sort: impl FnOnce() -> Vec<u32>) {
        let (void, fresh) = (std::mem::take(&mut self.void), std::mem::take(&mut self.fresh));
        if is_much(fresh.len(), self.list.len()) {
            self.list = Arc::new(sort());
            return;
        }
        if void.len() > FEW {
            Arc::make_mut(&mut self.list).retain(|&user| !void.contains(user));
        }
        if !fresh.is_empty() {
            let mut fresh: Vec<u32> = fresh.iter().collect();
            fresh.sort_unstable_by(|&a, &b| compare(a, b));
            merge(Arc::make_mut(&mut self.list), &fresh, compare);
        }
    }
}

/// Whether so many fresh items come to a sorted list that sorting anew is less work than merging.
pub(super) fn is_much(fresh: u64, old: usize) -> bool {
    fresh * MANY as u64 > old as u64
}

/// Merges a sorted list into another. Each fresh item's place is searched for, so that the old list, which is long, is
/// moved in blocks and hardly looked at.
pub(super) fn merge(list: &mut Vec<u32>, fresh: &[u32], compare: impl Fn(u32, u32) -> Ordering) {
    let mut end = list.len();
    list.resize(end + fresh.len(), 0);
    // From the back, so that the list grows where it stands.
    for (before, &item) in fresh.iter().enumerate().rev() {
        let at = list[..end].partition_point(|&known| compare(known, item).is_lt());
        list.copy_within(at..end, at + before + 1);
        list[at + before] = item;
        end = at;
    }
}
