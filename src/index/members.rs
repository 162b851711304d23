//! A set of users, as an answer.

use roaring::RoaringBitmap;

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

/// The users of the set were numbered by another build of the index; select them again.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the set of users was selected from an index that is no longer current; select it again")]
pub struct OtherEpoch;
