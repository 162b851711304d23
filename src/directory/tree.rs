//! Questions about many org units at once. They are worked out on a snapshot and a thread of their own: thousands of
//! units take a second, in which others read and write.

use entity::OrgUnitId;
use tokio::task::spawn_blocking;

use super::error::{Error, Result};
use super::{Directory, members, missing};
use crate::index::{CountedUnit, Index, Members, SiblingOverlaps};

/// The org units with their counts, all of one version.
#[derive(Clone, Debug)]
pub struct OrgUnitTree {
    /// The version.
    pub version: i64,
    /// The units, each before those below it and siblings by name.
    pub units: Vec<CountedUnit>,
}

/// Whom two org units share.
#[derive(Clone, Debug)]
pub struct OrgUnitOverlap {
    /// The members of both.
    pub common: Members,
    /// Those of the first alone.
    pub only_a: Members,
    /// Those of the second alone.
    pub only_b: Members,
}

impl Directory {
    /// An org unit and all below it, or without one all, each with its counts.
    ///
    /// # Errors
    /// `NotFound`.
    pub async fn org_unit_tree(&self, root: Option<OrgUnitId>) -> Result<OrgUnitTree> {
        let count = move |index: &Index| OrgUnitTree { version: index.version(), units: index.org_unit_tree(root) };
        self.over_units(root, count).await
    }

    /// The users who are in no org unit; of a unit, its members who are in no unit below it.
    ///
    /// # Errors
    /// `NotFound`.
    pub async fn unassigned(&self, unit: Option<OrgUnitId>) -> Result<Members> {
        self.over_units(unit, move |index| index.unassigned(unit)).await
    }

    /// Whom the units right below one, or the roots, share.
    ///
    /// # Errors
    /// `NotFound`.
    pub async fn sibling_overlaps(&self, parent: Option<OrgUnitId>) -> Result<SiblingOverlaps> {
        self.over_units(parent, move |index| index.sibling_overlaps(parent)).await
    }

    /// Whom two org units share, and whom not.
    ///
    /// # Errors
    /// `NotFound`.
    pub fn overlap(&self, a: OrgUnitId, b: OrgUnitId) -> Result<OrgUnitOverlap> {
        let index = self.index();
        let (a, b) = (members(&index, a)?, members(&index, b)?);
        Ok(OrgUnitOverlap {
            common: a.intersection(&b).map_err(Error::internal)?,
            only_a: a.difference(&b).map_err(Error::internal)?,
            only_b: b.difference(&a).map_err(Error::internal)?,
        })
    }

    async fn over_units<T: Send + 'static>(
        &self,
        unit: Option<OrgUnitId>,
        work: impl FnOnce(&Index) -> T + Send + 'static,
    ) -> Result<T> {
        let index = self.snapshot();
        if let Some(unit) = unit {
            index.org_unit(unit).ok_or_else(|| missing(unit))?;
        }
        spawn_blocking(move || work(&index)).await.map_err(Error::internal)
    }
}
