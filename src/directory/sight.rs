//! SIGHT. As whom the directory is asked.
//!
//! There is one rule. What somebody names is looked up in the index as they see it, and a value is shown only under a name
//! that was looked up there: an attribute that is private to others does not exist. What is written is worked out by an
//! index that sees everything, as changesets do, so what is hidden is kept. What does not live here: who asks, and which
//! fields of the API they may ask for.

use std::ops::Deref;
use std::sync::{Arc, PoisonError, RwLockReadGuard};

use entity::import_draft::ImportKind;

use super::csv::ImportOptions;
use super::{Directory, Error, Result};
use crate::access::Role;
use crate::index::Index;

/// The index as somebody sees it.
pub enum Seen<'a> {
    /// All of it.
    Whole(RwLockReadGuard<'a, Index>),
    /// Without the attributes that they may not read.
    Part(Box<Index>),
}

impl Deref for Seen<'_> {
    type Target = Index;

    fn deref(&self) -> &Index {
        match self {
            Self::Whole(index) => index,
            Self::Part(index) => index,
        }
    }
}

impl Directory {
    /// The directory as `role` sees it.
    #[must_use]
    pub fn seen_by(&self, role: Role) -> Self {
        Self(self.0.clone(), role)
    }

    /// The directory as it is.
    pub(super) fn whole(&self) -> Self {
        self.seen_by(Role::Admin)
    }

    /// As whom it is seen.
    #[must_use]
    pub fn role(&self) -> Role {
        self.1
    }

    /// The index, of the version that the last [`Directory::refresh`] brought. Not to be held across an await.
    #[must_use]
    pub fn index(&self) -> Seen<'_> {
        let index = self.0.index.read().unwrap_or_else(PoisonError::into_inner);
        let hidden = index.hidden_from(self.1);
        if hidden.is_empty() { Seen::Whole(index) } else { Seen::Part(Box::new(index.seen_by(self.1, &hidden))) }
    }

    /// The index of another version as it is seen here: what is private now, or was then, is hidden.
    pub(super) fn see(&self, index: Arc<Index>) -> Arc<Index> {
        let hidden = self.whole().index().hidden_from(self.1);
        if hidden.is_empty() && index.hidden_from(self.1).is_empty() {
            return index;
        }
        Arc::new(index.seen_by(self.1, &hidden))
    }

    /// An import with these options that is made here and now.
    pub(super) fn made_here(&self, options: ImportOptions) -> ImportOptions {
        let role = Some(self.1).filter(|role| *role != Role::Admin);
        ImportOptions { role, hidden: self.whole().index().hidden_from(self.1), ..options }
    }

    /// Refuses what a file may bring only if an ADMIN has it brought: org units, and attributes for its columns.
    ///
    /// # Errors
    /// `Forbidden`.
    pub(super) fn permit_import(&self, kind: ImportKind, options: &ImportOptions) -> Result<()> {
        match (self.1, kind) {
            (Role::Admin, _) => Ok(()),
            (_, ImportKind::OrgUnits) => Err(Error::Forbidden("an import of org units needs the role ADMIN")),
            (_, ImportKind::Users) if options.new_attributes.is_empty() => Ok(()),
            (_, ImportKind::Users) => Err(Error::Forbidden("an import that makes attributes needs the role ADMIN")),
        }
    }

    /// The directory as whoever made an import sees it.
    pub(super) fn as_importer(&self, options: &ImportOptions) -> Self {
        self.seen_by(options.role.unwrap_or(Role::Admin))
    }

    /// Whether an import was made by somebody who saw no more then than is seen here now. The file and all that was found in it
    /// is hidden from others.
    pub(super) fn sees_import(&self, options: &ImportOptions) -> bool {
        self.whole().index().hidden_from(self.1).iter().all(|hidden| options.hidden.contains(hidden))
    }
}
