//! An import of org units, applied as one changeset, all of it or nothing.

use std::fs::File;

use entity::changeset::ChangesetKind;

use super::compare::compare_units;
use crate::directory::changeset::Changeset;
use crate::directory::csv::compare::{Outcome, Source};
use crate::directory::csv::import::{ImportOptions, ImportReport, Listing};
use crate::directory::csv::problem::LISTED;
use crate::directory::{Actor, Directory, Result};

impl Directory {
    /// Imports a file of org units: makes, changes and moves the units that it has, and in `REPLACE` mode removes those
    /// that it does not have. All in one changeset, or nothing.
    ///
    /// What is wrong with the file is data in the report, not an error.
    ///
    /// # Errors
    /// Where the database is busy or away.
    pub async fn import_org_units(&self, actor: &Actor, file: File, options: ImportOptions) -> Result<ImportReport> {
        let dry_run = options.dry_run;
        let source = Source::new(file, options);
        if dry_run {
            self.refresh().await?;
            let index = self.snapshot();
            let stamp = self.stamp(&index, actor);
            let mut listing = Listing { most: source.options.list_changes, changes: Vec::new() };
            let outcome = compare_units(self, (index, stamp), &source, LISTED, &mut listing).await?;
            return Ok(ImportReport { changes: listing.changes, ..outcome.into_report() });
        }
        let mut changeset = self.begin(ChangesetKind::Import, actor).await?;
        let outcome = changeset.import_org_units(&source).await?;
        let is_applied = outcome.findings.errors.is_empty();
        let mut report = outcome.into_report();
        if is_applied {
            report.version = changeset.commit().await?;
            report.applied = true;
        }
        Ok(report)
    }
}

impl Changeset {
    /// Compares a file of org units with the directory and puts what it changes; to be committed only if nothing is
    /// wrong.
    pub(in crate::directory::csv) async fn import_org_units(&mut self, source: &Source) -> Result<Outcome> {
        let (directory, stamp) = (self.directory().clone(), self.stamp());
        let index = directory.snapshot();
        compare_units(&directory, (index, stamp), source, LISTED, self).await
    }
}
