//! Record ids and the dense ordinals that stand for them.
//!
//! Ids are time-ordered and loaded in order, so most are found by binary search in the ids themselves; a hash table
//! holds the few that came out of order.

use rustc_hash::FxHashMap;
use uuid::Uuid;

/// Ordinals by id and ids by ordinal. An id that is added again gets a new ordinal.
#[derive(Clone, Default)]
pub(super) struct Ids {
    ids: Vec<Uuid>,
    /// So many of the first ids ascend.
    ascending: usize,
    others: FxHashMap<Uuid, u32>,
}

impl Ids {
    pub(super) fn len(&self) -> usize {
        self.ids.len()
    }

    pub(super) fn reserve(&mut self, more: usize) {
        self.ids.reserve_exact(more);
    }

    pub(super) fn shrink(&mut self) {
        self.ids.shrink_to_fit();
    }

    pub(super) fn id(&self, ordinal: u32) -> Uuid {
        self.ids.get(ordinal as usize).copied().unwrap_or_default()
    }

    /// The latest ordinal of an id; its record may be deleted.
    pub(super) fn find(&self, id: Uuid) -> Option<u32> {
        if let Some(&ordinal) = self.others.get(&id) {
            return Some(ordinal);
        }
        self.ids[..self.ascending].binary_search(&id).ok().map(super::ordinal)
    }

    pub(super) fn add(&mut self, id: Uuid) -> u32 {
        let at = self.ids.len();
        let ordinal = super::ordinal(at);
        if self.ascending == at && self.ids.last().is_none_or(|last| *last < id) {
            self.ascending += 1;
        } else {
            self.others.insert(id, ordinal);
        }
        self.ids.push(id);
        ordinal
    }
}
