//! What stands beside the users themselves: the ids that stand for them since others became part of them, and whom people
//! have locked or reviewed.

use std::collections::BTreeSet;

use entity::UserId;
use roaring::RoaringBitmap;
use rustc_hash::FxHashMap;
use uuid::Uuid;

use super::{Index, Members};
use crate::record::UserRecord;

/// Merged ids, and the users who are marked, by ordinal. All of it is of few users.
#[derive(Clone, Default)]
pub(super) struct Marks {
    /// Whose a merged id is.
    owner: FxHashMap<Uuid, u32>,
    merged: FxHashMap<u32, Vec<Uuid>>,
    locked: RoaringBitmap,
    reviewed: RoaringBitmap,
}

/// What is marked of one user.
#[derive(Clone, Copy, Debug, Default)]
pub struct Mark<'a> {
    /// Whether automation leaves the user as it is.
    pub is_locked: bool,
    /// Whether a person has said that the record is right.
    pub is_reviewed: bool,
    /// The ids of those who became part of the user.
    pub merged_ids: &'a [Uuid],
}

impl Mark<'_> {
    fn is_empty(&self) -> bool {
        !self.is_locked && !self.is_reviewed && self.merged_ids.is_empty()
    }
}

impl Marks {
    /// Whether so little is known of a user that giving it this changes nothing.
    pub(super) fn are(&self, user: u32, mark: &Mark<'_>) -> bool {
        self.locked.contains(user) == mark.is_locked
            && self.reviewed.contains(user) == mark.is_reviewed
            && self.merged(user) == mark.merged_ids
    }

    fn merged(&self, user: u32) -> &[Uuid] {
        self.merged.get(&user).map(Vec::as_slice).unwrap_or_default()
    }

    /// Marks a user, whoever had the merged ids.
    pub(super) fn give(&mut self, user: u32, mark: &Mark<'_>) {
        if mark.is_empty() {
            return;
        }
        if mark.is_locked {
            self.locked.insert(user);
        }
        if mark.is_reviewed {
            self.reviewed.insert(user);
        }
        if !mark.merged_ids.is_empty() {
            self.owner.extend(mark.merged_ids.iter().map(|id| (*id, user)));
            self.merged.insert(user, mark.merged_ids.to_vec());
        }
    }

    /// Gives a user one more merged id.
    pub(super) fn merge(&mut self, user: u32, id: Uuid) {
        self.owner.insert(id, user);
        self.merged.entry(user).or_default().push(id);
    }

    /// Takes the marks of a user away, but for the merged ids that are another's by now.
    pub(super) fn take(&mut self, user: u32) {
        self.locked.remove(user);
        self.reviewed.remove(user);
        for id in self.merged.remove(&user).into_iter().flatten() {
            if self.owner.get(&id) == Some(&user) {
                self.owner.remove(&id);
            }
        }
    }

    /// Whether a user has merged ids, or is marked.
    pub(super) fn has(&self, user: u32) -> bool {
        self.locked.contains(user) || self.reviewed.contains(user) || self.merged.contains_key(&user)
    }
}

impl Index {
    /// The user that an id stands for: the user of this id, or the one that it has been merged into.
    #[must_use]
    pub fn current_user(&self, id: UserId) -> Option<UserId> {
        if self.has_user(id) { Some(id) } else { self.merged_into(id) }
    }

    /// The users that ids stand for; an id that stands for none stays.
    #[must_use]
    pub fn current_users(&self, ids: BTreeSet<UserId>) -> BTreeSet<UserId> {
        ids.into_iter().map(|id| self.current_user(id).unwrap_or(id)).collect()
    }

    /// The user that the user of this id has become part of.
    #[must_use]
    pub fn merged_into(&self, id: UserId) -> Option<UserId> {
        self.users.marks.owner.get(&id.0).map(|at| self.users.id(*at))
    }

    /// Whether the ids that stand for a user here are those of its record.
    pub(super) fn has_merged_ids(&self, record: &UserRecord) -> bool {
        if record.merged_ids.is_empty() && self.users.marks.merged.is_empty() {
            return true;
        }
        let known = self.users.find(record.row.id).map(|at| self.users.marks.merged(at)).unwrap_or_default();
        known.iter().copied().eq(record.merged_ids.iter().map(|id| id.0))
    }

    /// Whether automation leaves a user as it is.
    #[must_use]
    pub fn is_locked(&self, id: UserId) -> bool {
        self.users.find(id).is_some_and(|at| self.users.marks.locked.contains(at))
    }

    /// Those of `members`, of this build of the index, who are locked or not, and reviewed or not; of `None` both.
    #[must_use]
    pub fn marked(&self, members: &Members, is_locked: Option<bool>, is_reviewed: Option<bool>) -> Members {
        let marks = &self.users.marks;
        let mut bitmap = members.bitmap.clone();
        for (wanted, marked) in [(is_locked, &marks.locked), (is_reviewed, &marks.reviewed)] {
            match wanted {
                Some(true) => bitmap &= marked,
                Some(false) => bitmap -= marked,
                None => {}
            }
        }
        Members::new(bitmap, self.epoch(), self.version)
    }
}
