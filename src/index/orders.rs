//! Sorted lists that follow changes: one pass for many, a binary search for few.

use std::cmp::Ordering;

use roaring::RoaringBitmap;

/// So few changes are placed one by one.
const FEW: usize = if cfg!(test) { 2 } else { 16 };

/// Two sorted lists as one. Each fresh item's place is searched for, so that the old list, which is long, is moved in
/// blocks and hardly looked at.
pub(super) fn merge(old: Vec<u32>, fresh: &[u32], compare: impl Fn(u32, u32) -> Ordering) -> Vec<u32> {
    if old.is_empty() {
        return fresh.to_vec();
    }
    let mut merged = old;
    let mut end = merged.len();
    merged.resize(end + fresh.len(), 0);
    // From the back, so that the list grows where it stands.
    for (before, &item) in fresh.iter().enumerate().rev() {
        let at = merged[..end].partition_point(|&known| compare(known, item).is_lt());
        merged.copy_within(at..end, at + before + 1);
        merged[at + before] = item;
        end = at;
    }
    merged
}

/// Takes items out of a list that is still sorted by what `compare` says.
pub(super) fn remove(list: &mut Vec<u32>, gone: &RoaringBitmap, compare: impl Fn(u32, u32) -> Ordering) {
    if gone.len() > FEW as u64 {
        list.retain(|&item| !gone.contains(item));
        return;
    }
    for item in gone {
        let at = list.partition_point(|&known| compare(known, item).is_lt());
        if list.get(at) == Some(&item) {
            list.remove(at);
        }
    }
}
