//! IMPORT of org units from a CSV file. What does not live here: reading the file and comparing it, which the directory
//! does.

use async_graphql::{Context, InputObject, Object, SimpleObject, Upload};

use super::context::ContextExt;
use super::error::{Failure, Result};
use super::import::{ImportEncoding, ImportMode, ImportProblem, ImportRows, delimiter};
use crate::directory::Error;
use crate::directory::csv::{ImportOptions, Mapping, Problem};

/// A CSV file of org units, and how to read it. A row is matched by `ID` if the file has that column, else by `Path`. A
/// column that is in the file is the truth for what it has, an empty cell included; what has no column is left alone.
#[derive(Debug, InputObject)]
pub(crate) struct ImportOrgUnitsInput {
    /// The file, with some of the columns `ID`, `Path`, `Name`, `Parent`, `Description`, `Scope`, `Filter`, `Pinned` and
    /// `Excluded`.
    file: Upload,
    /// What becomes of org units that the file does not have.
    #[graphql(default_with = "ImportMode::Merge")]
    mode: ImportMode,
    /// Whether to only say what the import would do.
    #[graphql(default)]
    dry_run: bool,
    /// Whether a column that matches nothing is skipped rather than an error.
    #[graphql(default)]
    ignore_unknown_columns: bool,
    /// How the file is written; by its byte-order mark, else UTF-8, if left out.
    encoding: Option<ImportEncoding>,
    /// What stands between cells, one ASCII character; found by the header if left out.
    delimiter: Option<String>,
    /// Whether values are as they stand, as in an export with `--raw`: no `'` before a formula is taken away.
    #[graphql(default)]
    raw: bool,
    /// Whether rows that cannot be imported keep the others from it.
    #[graphql(default_with = "ImportRows::AllOrNothing")]
    rows: ImportRows,
    /// With `REPLACE`: how many org units may be removed. Needed where that is more than a tenth of all org units.
    confirm_removals: Option<u32>,
}

/// What an import did, or with `dryRun` would do. Mistakes in the file are data here, and if there is one, nothing was
/// applied.
#[derive(Debug, SimpleObject)]
pub(crate) struct ImportOrgUnitsPayload {
    /// Whether the directory is now as the file says, apart from rows that were left out with `VALID_ROWS`.
    applied: bool,
    /// The version of the directory after the import.
    version: i64,
    /// How many rows were read.
    rows: u64,
    /// How many org units were made.
    created: u64,
    /// How many org units changed or moved.
    updated: u64,
    /// How many rows say what is so already.
    unchanged: u64,
    /// How many org units were removed because the file does not have them.
    removed: u64,
    /// What is wrong with the file: the first 1,000 mistakes.
    errors: Vec<ImportProblem>,
    /// How many mistakes there are.
    error_count: u64,
    /// What is worth a look: the first 1,000 places.
    warnings: Vec<ImportProblem>,
    /// How many such places there are.
    warning_count: u64,
}

/// Mutations that take files of org units.
#[derive(Debug, Default)]
pub(crate) struct ImportOrgUnitsMutation;

#[Object]
impl ImportOrgUnitsMutation {
    /// Imports org units from a CSV file: all of it in one changeset, or nothing. The file comes as the multipart request
    /// of the GraphQL multipart specification.
    async fn import_org_units(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "The file, and how to read it.")] input: ImportOrgUnitsInput,
    ) -> Result<ImportOrgUnitsPayload> {
        let options = ImportOptions {
            mode: input.mode.into(),
            dry_run: input.dry_run,
            valid_rows: input.rows == ImportRows::ValidRows,
            mapping: Mapping { ignore_unknown: input.ignore_unknown_columns, ..Mapping::default() },
            encoding: input.encoding.map(Into::into),
            delimiter: input.delimiter.as_deref().map(delimiter).transpose()?,
            raw: input.raw,
            confirm_removals: input.confirm_removals.map(u64::from),
            ..ImportOptions::default()
        };
        let file = input.file.value(ctx).map_err(|cause| Failure(Error::internal(cause)))?.content;
        let report = ctx.directory()?.import_org_units(&ctx.actor(), file, options).await?;
        let problems = |problems: Vec<Problem>| problems.into_iter().map(ImportProblem).collect();
        Ok(ImportOrgUnitsPayload {
            applied: report.applied,
            version: report.version,
            rows: report.rows,
            created: report.created,
            updated: report.updated,
            unchanged: report.unchanged,
            removed: report.removed,
            error_count: report.errors.count,
            errors: problems(report.errors.listed),
            warning_count: report.warnings.count,
            warnings: problems(report.warnings.listed),
        })
    }
}
