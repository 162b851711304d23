//! Files that say whose unmatched accounts are. What does not live here: reading and comparing them, which the directory
//! does.

use async_graphql::{Context, InputObject, Object, SimpleObject, Upload};

use crate::directory::Error;
use crate::directory::csv::{ImportOptions, Mapping, Problem};
use crate::graphql::context::ContextExt;
use crate::graphql::error::{Failure, Result};
use crate::graphql::import::{ImportEncoding, ImportProblem, delimiter};

/// A CSV file of accounts, as `/export/unmatched-accounts.csv` gives it, with the column `User` filled in.
#[derive(Debug, InputObject)]
pub(crate) struct ImportAccountLinksInput {
    /// The file. In `User` stands the email or id of the user whose the account is; where it is empty, the account stays as it
    /// is. The other columns must be as they were exported.
    file: Upload,
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
    /// Whether values are as they stand, as in an export with `raw`: no `'` before a formula is taken away.
    #[graphql(default)]
    raw: bool,
}

/// What an import of links did, or with `dryRun` would do. Mistakes in the file are data here, and if there is one, nothing
/// was applied.
#[derive(Debug, SimpleObject)]
pub(crate) struct ImportAccountLinksPayload {
    /// Whether the directory is now as the file says.
    applied: bool,
    /// Whether something is wrong with the file as a whole.
    is_refused: bool,
    /// The version of the directory after the import.
    version: i64,
    /// How many rows were read.
    rows: u64,
    /// How many accounts were linked.
    linked: u64,
    /// How many rows say what is so already, or have nobody filled in.
    unchanged: u64,
    /// What is wrong with the file: the first 1,000 mistakes.
    errors: Vec<ImportProblem>,
    /// How many mistakes there are.
    error_count: u64,
}

/// Mutations that take files of links.
#[derive(Debug, Default)]
pub(crate) struct AccountLinksMutation;

#[Object]
impl AccountLinksMutation {
    /// Links accounts to the users that a CSV file names: all of them in one changeset, or nothing. The same file again
    /// changes nothing. The file comes as the multipart request of the GraphQL multipart specification.
    async fn import_account_links(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "The file, and how to read it.")] input: ImportAccountLinksInput,
    ) -> Result<ImportAccountLinksPayload> {
        let options = ImportOptions {
            dry_run: input.dry_run,
            mapping: Mapping { ignore_unknown: input.ignore_unknown_columns, ..Mapping::default() },
            encoding: input.encoding.map(Into::into),
            delimiter: input.delimiter.as_deref().map(delimiter).transpose()?,
            raw: input.raw,
            ..ImportOptions::default()
        };
        let file = input.file.value(ctx).map_err(|cause| Failure(Error::internal(cause)))?.content;
        let report = ctx.directory()?.import_account_links(&ctx.actor(), file, options).await?;
        let problems = |problems: Vec<Problem>| problems.into_iter().map(ImportProblem).collect();
        Ok(ImportAccountLinksPayload {
            applied: report.applied,
            is_refused: report.is_refused,
            version: report.version,
            rows: report.rows,
            linked: report.updated,
            unchanged: report.unchanged,
            error_count: report.errors.count,
            errors: problems(report.errors.listed),
        })
    }
}
