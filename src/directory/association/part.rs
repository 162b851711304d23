//! A part of a list that the index gives in no order: the first or last items around a place, without sorting the rest.

use std::collections::BTreeSet;

use crate::directory::history::Range;

/// Part of a list, in order, and how long the list is.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Part<T> {
    /// The items.
    pub items: Vec<T>,
    /// Whether more stand before them.
    pub has_previous: bool,
    /// Whether more stand after them.
    pub has_next: bool,
    /// How many there are in all.
    pub total: u64,
}

/// The part of `all` that a range asks for; `key` is the place of an item.
pub(in crate::directory) fn part<T: Ord, K: Ord>(
    all: impl Iterator<Item = T>,
    key: impl Fn(&T) -> K,
    range: &Range<K>,
) -> Part<T> {
    let wanted = usize::try_from(range.limit).unwrap_or(usize::MAX).saturating_add(1);
    let mut total = 0;
    let mut kept: BTreeSet<T> = BTreeSet::new();
    for item in all {
        total += 1;
        let is_full = kept.len() >= wanted;
        let is_better = match if range.from_end { kept.first() } else { kept.last() } {
            Some(worst) if range.from_end => item > *worst,
            Some(worst) => item < *worst,
            None => true,
        };
        let place = key(&item);
        let is_within = range.after.as_ref().is_none_or(|after| place > *after)
            && range.before.as_ref().is_none_or(|before| place < *before);
        if is_within && (is_better || !is_full) {
            kept.insert(item);
            if kept.len() > wanted {
                if range.from_end {
                    kept.pop_first()
                } else {
                    kept.pop_last()
                };
            }
        }
    }
    let more = kept.len() >= wanted;
    if more {
        if range.from_end {
            kept.pop_first()
        } else {
            kept.pop_last()
        };
    }
    let (has_previous, has_next) =
        if range.from_end { (more, range.before.is_some()) } else { (range.after.is_some(), more) };
    Part { items: kept.into_iter().collect(), has_previous, has_next, total }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_part_is_what_sorting_the_whole_list_gives() {
        let all = [7, 3, 9, 1, 5, 8, 2];
        let of = |after, before, limit, from_end| {
            let range = Range { after, before, limit, from_end };
            let part = part(all.into_iter(), |item| *item, &range);
            assert_eq!(part.total, 7);
            (part.items, part.has_previous, part.has_next)
        };
        assert_eq!(of(None, None, 3, false), (vec![1, 2, 3], false, true));
        assert_eq!(of(Some(3), None, 2, false), (vec![5, 7], true, true));
        assert_eq!(of(Some(7), None, 3, false), (vec![8, 9], true, false));
        assert_eq!(of(None, None, 3, true), (vec![7, 8, 9], true, false));
        assert_eq!(of(None, Some(3), 3, true), (vec![1, 2], false, true));
        assert_eq!(of(None, None, 7, false), (vec![1, 2, 3, 5, 7, 8, 9], false, false));
    }
}
