//! One column: for every user the code of a value, and for every value who has it.
//!
//! What does not live here: what an attribute means, and conditions over several columns.

use std::ops::Bound;
use std::sync::OnceLock;

use entity::attribute::AttributeType;
use roaring::RoaringBitmap;
use rustc_hash::FxHashMap;

use super::codes::Codes;
use super::dictionary::Dictionary;
use super::{orders, ordinal};
use crate::filter::Test;
use crate::value::Key;

/// Values that more users than this have get a bitmap; rarer ones are found by a scan of the codes.
const RARE: u32 = if cfg!(test) { 2 } else { 256 };
/// A union of more bitmaps than this costs more than a scan.
const MANY: usize = if cfg!(test) { 2 } else { 96 };
/// Stands between the options of one `MULTI_SELECT` value; no UTF-8 text has this byte.
const BETWEEN_OPTIONS: u8 = 0xfe;

/// Values by code, a code per user.
///
/// A `MULTI_SELECT` value is its whole set of options: a set is one value, with one code.
#[derive(Clone)]
pub(super) struct Column {
    pub(super) values: Dictionary,
    pub(super) codes: Codes,
    counts: Vec<u32>,
    bitmaps: FxHashMap<u32, RoaringBitmap>,
    /// The codes in the order of their values, without those that came after the last [`Self::settle`].
    sorted: Option<Vec<u32>>,
    /// Codes that became frequent since the last [`Self::settle`].
    grown: Vec<u32>,
    /// By code, a user who has it: made when it is first asked for, and gone when anything changes.
    holders: OnceLock<Vec<u32>>,
}

impl Column {
    /// An empty column; `is_sorted` if values are to be had in order.
    pub(super) fn new(is_sorted: bool) -> Self {
        Self {
            values: Dictionary::default(),
            codes: Codes::default(),
            counts: vec![0],
            bitmaps: FxHashMap::default(),
            sorted: is_sorted.then(Vec::new),
            grown: Vec::new(),
            holders: OnceLock::new(),
        }
    }

    /// The value of a user; none without one.
    pub(super) fn value(&self, ordinal: u32) -> Option<&[u8]> {
        match self.codes.code(ordinal) {
            0 => None,
            code => Some(self.values.value(code)),
        }
    }

    /// How many users have the value of a code.
    pub(super) fn count(&self, code: u32) -> u64 {
        self.counts.get(code as usize).copied().unwrap_or(0).into()
    }

    /// The codes in the order of their values.
    pub(super) fn sorted(&self) -> &[u32] {
        self.sorted.as_deref().unwrap_or_default()
    }

    /// Gives a user a value, or none.
    pub(super) fn set(&mut self, ordinal: u32, value: Option<&[u8]>) {
        let old = self.codes.code(ordinal);
        let new = value.map_or(0, |value| self.values.intern(value));
        if old == new {
            return;
        }
        self.holders.take();
        self.counts.resize(self.values.len(), 0);
        if old != 0 {
            self.counts[old as usize] -= 1;
            if let Some(bitmap) = self.bitmaps.get_mut(&old) {
                bitmap.remove(ordinal);
            }
        }
        if new != 0 {
            let count = &mut self.counts[new as usize];
            *count += 1;
            if let Some(bitmap) = self.bitmaps.get_mut(&new) {
                bitmap.insert(ordinal);
            } else if *count == RARE + 1 {
                self.grown.push(new);
            }
        }
        self.codes.set(ordinal, new);
    }

    /// Whether order and bitmaps are up to date.
    pub(super) fn is_settled(&self) -> bool {
        self.grown.is_empty() && self.sorted.as_ref().is_none_or(|sorted| sorted.len() + 1 == self.values.len())
    }

    /// Brings order and bitmaps up to date after changes.
    pub(super) fn settle(&mut self) {
        if let Some(sorted) = &mut self.sorted {
            let values = &self.values;
            if orders::is_much((values.len() - 1 - sorted.len()) as u64, sorted.len()) {
                sorted.clear();
            }
            let fresh = sort_codes(values, (ordinal(sorted.len() + 1)..ordinal(values.len())).collect());
            orders::merge(sorted, &fresh, |a, b| values.value(a).cmp(values.value(b)));
        }
        if !self.grown.is_empty() {
            let mut slots = vec![usize::MAX; self.values.len()];
            let mut found: Vec<(u32, Vec<u32>)> = Vec::new();
            for code in std::mem::take(&mut self.grown) {
                if slots[code as usize] == usize::MAX && self.count(code) > RARE.into() {
                    slots[code as usize] = found.len();
                    found.push((code, Vec::with_capacity(self.counts[code as usize] as usize)));
                }
            }
            self.codes.for_each(|ordinal, code| {
                if let Some((_, ordinals)) = found.get_mut(slots[code as usize]) {
                    ordinals.push(ordinal);
                }
            });
            for (code, ordinals) in found {
                let bitmap = RoaringBitmap::from_sorted_iter(ordinals).unwrap_or_default();
                // A clone has no room to spare, unlike a bitmap that has grown.
                self.bitmaps.insert(code, bitmap.clone());
            }
        }
    }

    pub(super) fn shrink(&mut self) {
        self.values.shrink();
        self.codes.shrink();
        self.counts.shrink_to_fit();
        self.sorted.iter_mut().for_each(Vec::shrink_to_fit);
    }

    /// The codes whose value passes a test, and how many users have one of them. Not for `IsEmpty` and `ReportsTo`.
    pub(super) fn passing(&self, test: &Test, r#type: AttributeType) -> (Vec<u32>, u64) {
        let codes = match test {
            Test::In(keys) if r#type != AttributeType::MultiSelect => {
                keys.iter().filter_map(|key| self.values.find(key.as_bytes())).collect()
            }
            Test::Contains(pattern) => self.values.containing(pattern),
            Test::StartsWith(pattern) => self.values.starting(pattern),
            Test::EndsWith(pattern) => self.values.ending(pattern),
            Test::Range { from, to } => {
                let sorted = self.sorted();
                let below = |bound: &Bound<Key>, is_lower: bool| match bound {
                    Bound::Unbounded => {
                        if is_lower {
                            0
                        } else {
                            sorted.len()
                        }
                    }
                    Bound::Included(key) | Bound::Excluded(key) => {
                        let keep_equal = matches!(bound, Bound::Excluded(_)) == is_lower;
                        sorted.partition_point(|&code| {
                            let order = self.values.value(code).cmp(key.as_bytes());
                            order.is_lt() || (keep_equal && order.is_eq())
                        })
                    }
                };
                sorted.get(below(from, true)..below(to, false)).unwrap_or_default().to_vec()
            }
            Test::In(_) | Test::HasAny(_) | Test::HasAll(_) => (1..ordinal(self.values.len()))
                .filter(|&code| self.count(code) > 0 && holds(test, self.values.value(code)))
                .collect(),
            Test::IsEmpty(_) | Test::ReportsTo(_) => Vec::new(),
        };
        let users = codes.iter().map(|&code| self.count(code)).sum();
        (codes, users)
    }

    /// The users who have one of the codes.
    pub(super) fn users(&self, codes: &[u32]) -> RoaringBitmap {
        let codes: Vec<u32> = codes.iter().copied().filter(|&code| self.count(code) > 0).collect();
        match codes.as_slice() {
            [] => RoaringBitmap::new(),
            [code] => self.bitmaps.get(code).cloned().unwrap_or_else(|| self.codes.scan_one(*code)),
            _ => {
                let bitmaps: Option<Vec<&RoaringBitmap>> =
                    if codes.len() <= MANY { codes.iter().map(|code| self.bitmaps.get(code)).collect() } else { None };
                match bitmaps {
                    Some(bitmaps) => roaring::MultiOps::union(bitmaps.into_iter()),
                    None => self.codes.scan(&self.table(&codes)),
                }
            }
        }
    }

    /// How many of `members` have each code; how many have none is not told. All of them are among `live`.
    pub(super) fn tally(&self, members: &RoaringBitmap, live: &RoaringBitmap) -> Vec<u32> {
        let (inside, outside) = (members.len(), live.len() - members.len());
        let mut counts = vec![0; self.values.len()];
        if self.cost_of_bitmaps().is_some_and(|cost| cost < 2 * inside.min(outside)) {
            for (code, bitmap) in &self.bitmaps {
                let both = usize::try_from(bitmap.intersection_len(members));
                counts[*code as usize] = ordinal(both.unwrap_or(usize::MAX));
            }
        } else if inside <= outside {
            self.codes.tally(members, &mut counts);
        } else {
            // Everybody, less those outside.
            if outside > 0 {
                self.codes.tally(&(live - members), &mut counts);
            }
            for (count, all) in counts.iter_mut().zip(&self.counts) {
                *count = all.saturating_sub(*count);
            }
        }
        counts
    }

    /// About how many steps it takes to intersect the bitmaps of all values; none where a value has none.
    fn cost_of_bitmaps(&self) -> Option<u64> {
        // A dense bitmap is intersected by words.
        let words = self.codes.len() as u64 / 64 + 1;
        let of_code = |(code, count): (u32, &u32)| match self.bitmaps.contains_key(&code) {
            true => Some(words.min(u64::from(*count))),
            false => None,
        };
        (0..).zip(&self.counts).skip(1).filter(|(_, count)| **count > 0).map(of_code).sum()
    }

    /// The users who have a code, for many codes one after the other that few users have: of unique values.
    pub(super) fn holders(&self, code: u32) -> Vec<u32> {
        if self.count(code) != 1 {
            return self.users(&[code]).into_iter().collect();
        }
        let holders = self.holders.get_or_init(|| {
            let mut holders = vec![0; self.values.len()];
            self.codes.for_each(|ordinal, code| holders[code as usize] = ordinal);
            holders
        });
        vec![holders[code as usize]]
    }

    /// The bitmap of a code, where it has one.
    pub(super) fn bitmap(&self, code: u32) -> Option<&RoaringBitmap> {
        self.bitmaps.get(&code)
    }

    /// Whether many users have the value of a code.
    pub(super) fn is_frequent(&self, code: u32) -> bool {
        self.count(code) > RARE.into()
    }

    /// The codes whose values many users have, in no order.
    pub(super) fn frequent(&self) -> impl Iterator<Item = u32> {
        self.bitmaps.keys().copied().filter(|code| self.is_frequent(*code))
    }

    /// The users who have a value.
    pub(super) fn present(&self) -> RoaringBitmap {
        let mut table = vec![true; self.values.len()];
        table[0] = false;
        self.codes.scan(&table)
    }

    /// How many users have a value.
    pub(super) fn present_count(&self) -> u64 {
        self.counts.iter().map(|&count| u64::from(count)).sum()
    }

    fn table(&self, codes: &[u32]) -> Vec<bool> {
        let mut table = vec![false; self.values.len()];
        for &code in codes {
            table[code as usize] = true;
        }
        table
    }
}

/// Codes in the order of their values.
pub(super) fn sort_codes(values: &Dictionary, codes: Vec<u32>) -> Vec<u32> {
    // The first bytes decide nearly every comparison, without a look at the arena.
    let mut keyed: Vec<(u64, u32)> = codes.into_iter().map(|code| (prefix(values.value(code)), code)).collect();
    keyed.sort_unstable_by(|a, b| a.0.cmp(&b.0).then_with(|| values.value(a.1).cmp(values.value(b.1))));
    keyed.into_iter().map(|(_, code)| code).collect()
}

fn prefix(value: &[u8]) -> u64 {
    let mut bytes = [0; 8];
    let len = value.len().min(8);
    bytes[..len].copy_from_slice(&value[..len]);
    u64::from_be_bytes(bytes)
}

/// The bytes that a value has in its column; none without a value.
pub(super) fn encode(r#type: AttributeType, stored: &serde_json::Value) -> Option<Vec<u8>> {
    let mut keys = Key::of_stored(r#type, stored);
    if r#type != AttributeType::MultiSelect {
        return keys.pop().map(|key| key.as_bytes().to_vec());
    }
    keys.sort();
    keys.dedup();
    let parts: Vec<&[u8]> = keys.iter().map(Key::as_bytes).collect();
    (!parts.is_empty()).then(|| parts.join(&BETWEEN_OPTIONS))
}

/// The options of a `MULTI_SELECT` value.
pub(super) fn options(value: &[u8]) -> impl Iterator<Item = &[u8]> {
    value.split(|&byte| byte == BETWEEN_OPTIONS)
}

/// Whether a test holds of a value. Not for `ReportsTo`.
pub(super) fn holds(test: &Test, value: &[u8]) -> bool {
    let is_one_of = |keys: &[Key], value: &[u8]| keys.binary_search_by(|key| key.as_bytes().cmp(value)).is_ok();
    match test {
        Test::IsEmpty(truth) => !*truth,
        Test::In(keys) => is_one_of(keys, value),
        Test::Contains(pattern) => memchr::memmem::find(value, pattern.as_bytes()).is_some(),
        Test::StartsWith(pattern) => value.starts_with(pattern.as_bytes()),
        Test::EndsWith(pattern) => value.ends_with(pattern.as_bytes()),
        Test::Range { from, to } => {
            let above = match from {
                Bound::Included(from) => value >= from.as_bytes(),
                Bound::Excluded(from) => value > from.as_bytes(),
                Bound::Unbounded => true,
            };
            let below = match to {
                Bound::Included(to) => value <= to.as_bytes(),
                Bound::Excluded(to) => value < to.as_bytes(),
                Bound::Unbounded => true,
            };
            above && below
        }
        Test::HasAny(keys) => options(value).any(|option| is_one_of(keys, option)),
        Test::HasAll(keys) => keys.iter().all(|key| options(value).any(|option| option == key.as_bytes())),
        Test::ReportsTo(_) => false,
    }
}
