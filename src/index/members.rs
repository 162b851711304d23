//! A set of users, as an answer.

use std::borrow::Cow;
use std::sync::atomic::{AtomicU64, Ordering};

use roaring::RoaringBitmap;

use super::Index;

/// Which numbering of users an index has: each index that is loaded has one of its own, and each copy from its first
/// change on, since the same number may then stand for different users in the copy and in the original.
#[derive(Debug)]
pub(super) struct Epoch {
    number: u64,
    is_copied: bool,
}

impl Epoch {
    pub(super) fn new() -> Self {
        static NEXT: AtomicU64 = AtomicU64::new(1);
        Self { number: NEXT.fetch_add(1, Ordering::Relaxed), is_copied: false }
    }

    pub(super) fn number(&self) -> u64 {
        self.number
    }

    /// To be called before users are numbered.
    pub(super) fn part(&mut self) {
        if self.is_copied {
            *self = Self::new();
        }
    }
}

impl Clone for Epoch {
    fn clone(&self) -> Self {
        Self { number: self.number, is_copied: true }
    }
}

/// The users that a filter selects, at one version of the directory.
#[derive(Clone, Debug, PartialEq)]
pub struct Members {
    pub(super) bitmap: RoaringBitmap,
    pub(super) epoch: u64,
    version: i64,
}

impl Members {
    pub(super) fn new(bitmap: RoaringBitmap, epoch: u64, version: i64) -> Self {
        Self { bitmap, epoch, version }
    }

    /// How many users they are.
    #[must_use]
    pub fn len(&self) -> u64 {
        self.bitmap.len()
    }

    /// Whether they are nobody.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.bitmap.is_empty()
    }

    /// Which build of the index they are of.
    #[must_use]
    pub fn epoch(&self) -> u64 {
        self.epoch
    }

    /// The version of the directory that they were selected at.
    #[must_use]
    pub fn version(&self) -> i64 {
        self.version
    }

    /// Those who are in both.
    ///
    /// # Errors
    /// [`OtherEpoch`] where the two come from indexes that number users differently.
    pub fn intersection(&self, other: &Self) -> Result<Self, OtherEpoch> {
        self.combine(other, |a, b| a & b)
    }

    /// Those who are in either.
    ///
    /// # Errors
    /// [`OtherEpoch`] where the two come from indexes that number users differently.
    pub fn union(&self, other: &Self) -> Result<Self, OtherEpoch> {
        self.combine(other, |a, b| a | b)
    }

    /// Those who are in this set and not in the other.
    ///
    /// # Errors
    /// [`OtherEpoch`] where the two come from indexes that number users differently.
    pub fn difference(&self, other: &Self) -> Result<Self, OtherEpoch> {
        self.combine(other, |a, b| a - b)
    }

    fn combine(
        &self,
        other: &Self,
        combine: impl FnOnce(&RoaringBitmap, &RoaringBitmap) -> RoaringBitmap,
    ) -> Result<Self, OtherEpoch> {
        if self.epoch != other.epoch {
            return Err(OtherEpoch);
        }
        Ok(Self::new(combine(&self.bitmap, &other.bitmap), self.epoch, self.version.min(other.version)))
    }
}

impl Index {
    /// The members, without those who were deleted since the set was selected.
    pub(super) fn living<'a>(&self, members: &'a Members) -> Result<Cow<'a, RoaringBitmap>, OtherEpoch> {
        if members.epoch != self.epoch() {
            return Err(OtherEpoch);
        }
        Ok(match members.version() == self.version {
            true => Cow::Borrowed(&members.bitmap),
            false => Cow::Owned(&members.bitmap & &*self.users.live),
        })
    }
}

/// The users of the set were numbered by another build of the index; select them again.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the set of users was selected from an index that is no longer current; select it again")]
pub struct OtherEpoch;
