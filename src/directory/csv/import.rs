//! An import: a file of users or org units, compared with the directory and applied as one changeset, all of it or nothing.
//!
//! What does not live here: the comparisons ([`super::compare`], [`super::unit`]).

use std::fs::File;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use entity::AttributeId;
use entity::changeset::ChangesetKind;
use entity::import_draft::ImportKind;
use roaring::RoaringBitmap;
use sea_orm::ConnectionTrait;
use serde::{Deserialize, Serialize};

use super::compare::{Outcome, Output, Source, compare};
use super::plan::Step;
use super::problem::{Findings, LISTED};
use super::unit::{compare_units, unit_limits};
use super::{Detected, Encoding, Limits, Mapping, Problem, Problems, RowChange};
use crate::access::Role;
use crate::directory::association::Stamp;
use crate::directory::changeset::Changeset;
use crate::directory::{Actor, Directory, Error, NewAttribute, Result};
use crate::index::Index;

/// What becomes of users, or org units, that the file does not have.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub enum ImportMode {
    /// They stay as they are.
    #[default]
    Merge,
    /// They are removed.
    Replace,
}

/// How a file is imported.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub struct ImportOptions {
    /// What becomes of users that the file does not have.
    pub mode: ImportMode,
    /// Whether to only say what the import would do.
    #[serde(skip)]
    pub dry_run: bool,
    /// Whether to import the rows that can be, if others cannot.
    #[serde(skip)]
    pub valid_rows: bool,
    /// What the caller says of the columns.
    pub mapping: Mapping,
    /// Attributes to be made for columns of the file, each with the column's header.
    pub new_attributes: Vec<(String, NewAttribute)>,
    /// The encoding, where the file does not say.
    pub encoding: Option<Encoding>,
    /// The delimiter, where the header does not say.
    pub delimiter: Option<u8>,
    /// Whether values are as they stand, as in a raw export, with no `'` put before formulas.
    #[serde(default)]
    pub raw: bool,
    /// As whom the file is read: an attribute that is private to others is an unknown column. ADMIN where it is none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub role: Option<Role>,
    /// Which attributes were private to that role when it was made.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub hidden: Vec<AttributeId>,
    /// What a file may be at most.
    #[serde(skip)]
    pub limits: Limits,
    /// How many users may be removed, where that is more than a tenth of all.
    #[serde(skip)]
    pub confirm_removals: Option<u64>,
    /// How many changes the report of a dry run lists.
    #[serde(skip)]
    pub list_changes: usize,
    /// How many problems of a kind the report lists, if not a thousand.
    #[serde(skip)]
    pub list_problems: Option<usize>,
    /// Counts the rows that are compared.
    #[serde(skip)]
    pub progress: Arc<AtomicU64>,
    /// How many rows there are, once the file has been read for the first time.
    #[serde(skip)]
    pub total: Arc<AtomicU64>,
}

/// What an import did, or would do.
#[derive(Clone, Debug, Default)]
pub struct ImportReport {
    /// Whether the directory is as the file says.
    pub applied: bool,
    /// The directory's version after it.
    pub version: i64,
    /// How the file is written; none where it cannot be read at all.
    pub detected: Option<Detected>,
    /// What each column holds, as it was found.
    pub columns: Vec<(String, String)>,
    /// Rows read.
    pub rows: u64,
    /// Users made.
    pub created: u64,
    /// Users changed, themselves or in their accounts.
    pub updated: u64,
    /// Rows that say what is so already.
    pub unchanged: u64,
    /// Users removed because the file does not have them.
    pub removed: u64,
    /// How many removals must be confirmed, since they are more than a tenth of all users.
    pub removals_to_confirm: Option<u64>,
    /// Automatic users that became part of another user, which got their last account or an email of theirs.
    pub absorbed: u64,
    /// Accounts that came to another user, or to a user at all.
    pub accounts_moved: u64,
    /// Accounts named that no integration has reported yet.
    pub accounts_claimed: u64,
    /// Accounts that their user no longer has.
    pub accounts_unlinked: u64,
    /// The first changes of a dry run, as many as were asked for.
    pub changes: Vec<RowChange>,
    /// Whether something is wrong with the file as a whole, so that leaving rows out does not help. Then nothing is counted
    /// of a file that breaks off.
    pub is_refused: bool,
    /// The lines of rows that cannot be imported.
    pub bad_lines: RoaringBitmap,
    /// What is wrong; where there is anything, nothing was applied, apart from valid rows where those were asked for.
    pub errors: Problems,
    /// What is worth a look.
    pub warnings: Problems,
}

impl ImportOptions {
    /// The same, within what a file of this kind may be at most.
    #[must_use]
    pub fn limited(self, kind: ImportKind) -> Self {
        match kind {
            ImportKind::Users => self,
            ImportKind::OrgUnits => Self { limits: unit_limits(self.limits), ..self },
        }
    }

    fn kept(&self) -> usize {
        self.list_problems.unwrap_or(LISTED)
    }
}

impl Directory {
    /// Imports a file of users: makes and changes the users that it has, in `REPLACE` mode removes those that it does
    /// not have, and gives accounts to the users whose cells name them. All in one changeset, or nothing.
    ///
    /// What is wrong with the file is data in the report, not an error.
    ///
    /// # Errors
    /// `Forbidden` where that takes an ADMIN; where the database is busy or away.
    pub async fn import_users(&self, actor: &Actor, file: File, options: ImportOptions) -> Result<ImportReport> {
        self.import_file(actor, (file, ImportKind::Users), options).await
    }

    /// Imports a file of org units: makes, changes and moves the units that it has, and in `REPLACE` mode removes those
    /// that it does not have. All in one changeset, or nothing.
    ///
    /// What is wrong with the file is data in the report, not an error.
    ///
    /// # Errors
    /// `Forbidden` where that takes an ADMIN; where the database is busy or away.
    pub async fn import_org_units(&self, actor: &Actor, file: File, options: ImportOptions) -> Result<ImportReport> {
        self.import_file(actor, (file, ImportKind::OrgUnits), options).await
    }

    async fn import_file(
        &self,
        actor: &Actor,
        (file, kind): (File, ImportKind),
        options: ImportOptions,
    ) -> Result<ImportReport> {
        self.permit_import(kind, &options)?;
        let (dry_run, valid_rows, kept) = (options.dry_run, options.valid_rows, options.kept());
        let mut source = Source::new(Arc::new(file), kind, options);
        if dry_run {
            let (connection, index) = self.begin_read_at().await?;
            let stamp = self.stamp(&index, actor);
            let mut listing = Listing { most: source.options.list_changes, changes: Vec::new() };
            let outcome = if valid_rows {
                Box::pin(settle(self, (index, stamp), &connection, &mut source, kept, &mut listing)).await?
            } else {
                Box::pin(compare_file(self, (index, stamp), &connection, &source, kept, &mut listing)).await?
            };
            return Ok(ImportReport { changes: listing.changes, ..outcome.into_report() });
        }
        let mut changeset = self.begin(ChangesetKind::Import, actor).await?;
        let (is_complete, mut report) = Box::pin(self.import(&mut changeset, source, valid_rows)).await?;
        if is_complete {
            report.version = changeset.commit().await?;
            report.applied = true;
        }
        Ok(report)
    }

    /// Puts what a file changes into a changeset; whether it is to be committed, and what there is to say.
    async fn import(
        &self,
        changeset: &mut Changeset,
        mut source: Source,
        valid_rows: bool,
    ) -> Result<(bool, ImportReport)> {
        let (index, stamp, transaction) = (self.snapshot(), changeset.stamp(), changeset.share());
        let transaction = transaction.as_ref();
        let (mut refused, kept) = (None, source.options.kept());
        if valid_rows {
            let state = (index.clone(), stamp.clone());
            let mut nothing = Listing { most: 0, changes: Vec::new() };
            let outcome = settle(self, state, transaction, &mut source, kept, &mut nothing).await?;
            if outcome.findings.is_refused {
                return Ok((false, outcome.into_report()));
            }
            source.options.progress.store(0, Ordering::Relaxed);
            refused = Some(outcome);
        }
        let outcome = compare_file(self, (index, stamp), transaction, &source, kept, changeset).await?;
        let is_complete = outcome.findings.errors.is_empty();
        // What is wrong with rows that were left out was found before.
        let outcome = refused.filter(|_| is_complete).unwrap_or(outcome);
        Ok((is_complete, outcome.into_report()))
    }

    /// What the records of the changeset after `index` are marked with, were it made now.
    pub(in crate::directory) fn stamp(&self, index: &Index, actor: &Actor) -> Stamp {
        Stamp { number: index.version() + 1, now: self.clock().now(), actor: actor.clone() }
    }
}

/// Compares a file with the directory as `index` and `connection` have it; both are of one version.
///
/// What is wrong with the file is data in the findings, not an error.
pub(in crate::directory) async fn compare_file<C: ConnectionTrait, O: Output>(
    directory: &Directory,
    state: (Index, Stamp),
    connection: &C,
    source: &Source,
    kept: usize,
    output: &mut O,
) -> Result<Outcome> {
    match source.kind {
        ImportKind::Users => compare(directory, state, connection, source, kept, output).await,
        ImportKind::OrgUnits => compare_units(directory, state, source, kept, output).await,
    }
}

/// How often a comparison is repeated without the rows that the one before found fault with.
const ROUNDS: usize = 10;

/// Compares a file without the rows that cannot be imported; a row that leans on one of those cannot be imported
/// either. What is wrong with all of them is in the findings, and their lines are those that `source` skips afterwards.
pub(in crate::directory) async fn settle<C: ConnectionTrait, O: Output>(
    directory: &Directory,
    (index, stamp): (Index, Stamp),
    connection: &C,
    source: &mut Source,
    kept: usize,
    output: &mut O,
) -> Result<Outcome> {
    let mut found = Findings::keeping(kept);
    for _ in 0..ROUNDS {
        let state = (index.clone(), stamp.clone());
        let Outcome { report, findings } = compare_file(directory, state, connection, source, kept, output).await?;
        let is_done = findings.is_refused || findings.bad.is_empty();
        source.skip |= &findings.bad;
        found.join(findings);
        if is_done {
            return Ok(Outcome { report, findings: found });
        }
        source.options.progress.store(0, Ordering::Relaxed);
        output.begin_again().await?;
    }
    let message = "rows lean on others that cannot be imported, over and over; mend those that are listed first";
    found.refuse(Problem::new(1, "TOO_MANY_ERRORS", message));
    Ok(Outcome { report: ImportReport::default(), findings: found })
}

impl Output for Changeset {
    const TELLS: bool = false;

    async fn free_emails(&mut self, emails: Vec<String>) -> Result<()> {
        Changeset::free_emails(self, &emails).await
    }

    async fn take(&mut self, step: Step) -> Result<()> {
        self.append(step.records).await
    }

    async fn begin_again(&mut self) -> Result<()> {
        Err(Error::internal("what a changeset has put cannot be taken back"))
    }
}

/// Keeps the first changes.
pub(super) struct Listing {
    pub(super) most: usize,
    pub(super) changes: Vec<RowChange>,
}

impl Output for Listing {
    const TELLS: bool = true;

    async fn free_emails(&mut self, _: Vec<String>) -> Result<()> {
        Ok(())
    }

    async fn take(&mut self, step: Step) -> Result<()> {
        let wanted = self.most - self.changes.len();
        self.changes.extend(step.changes.into_iter().take(wanted));
        Ok(())
    }

    async fn begin_again(&mut self) -> Result<()> {
        self.changes.clear();
        Ok(())
    }
}

impl Outcome {
    /// The report with what is wrong and what is worth a look.
    pub(in crate::directory) fn into_report(self) -> ImportReport {
        let Findings { errors, warnings, bad, is_refused } = self.findings;
        ImportReport { errors, warnings, bad_lines: bad, is_refused, ..self.report }
    }
}
