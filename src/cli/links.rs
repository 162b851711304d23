//! `roster links`: accounts that are with nobody leave as a file, and come back with whose they are.

use std::path::PathBuf;

use anyhow::Context;
use clap::{Args, Subcommand};

use super::export::Sink;
use super::import::{EncodingName, delimiter, open};
use super::report::{count, json, text};
use super::{EXIT_CODES, Outcome, Setup, actor, note, open_directory, print};
use crate::directory::UnmatchedQuery;
use crate::directory::csv::{Delimiter, ImportOptions, Mapping, Style};

/// What `--help` says of exit codes.
const IMPORT_EXIT_CODES: &str = "Exit codes:
  0  the accounts are with the users that the file names; with --dry-run: the file has no errors
  1  the file has errors, and nothing was changed
  2  wrong usage; the file or the database cannot be read or written, and nothing was changed";

/// Which way.
#[derive(Clone, Debug, Subcommand)]
pub enum LinksCommand {
    /// Write the accounts that are with nobody as a CSV file, with the column `User` to fill in.
    Export(LinksExportArgs),
    /// Link accounts to the users that such a file names: all of it, or nothing.
    Import(LinksImportArgs),
}

/// Which accounts to write, and where to.
#[derive(Args, Clone, Debug)]
#[command(after_help = EXIT_CODES)]
pub struct LinksExportArgs {
    /// The file; `-` is standard output.
    #[arg(value_name = "FILE", default_value = "-")]
    pub file: PathBuf,

    /// Only accounts of this integration: its name or id.
    #[arg(long, value_name = "NAME")]
    pub integration: Option<String>,

    /// Only accounts whose username, email or display name contains this, or whose external id it is.
    #[arg(long, value_name = "TEXT")]
    pub search: Option<String>,

    /// No accounts that tools call bots.
    #[arg(long)]
    pub no_bots: bool,

    /// Cells that a spreadsheet would run as formulas as they are. For programs only.
    #[arg(long)]
    pub raw: bool,

    /// What stands between cells: `,`, `;` or `tab`.
    #[arg(long, value_name = "SIGN", default_value = ",")]
    pub delimiter: Delimiter,

    /// Begin the file with a byte-order mark, by which Excel knows UTF-8.
    #[arg(long)]
    pub bom: bool,
}

/// Which file to import, and how.
#[derive(Args, Clone, Debug)]
#[command(after_help = IMPORT_EXIT_CODES)]
pub struct LinksImportArgs {
    /// The file; `-` is standard input.
    #[arg(value_name = "FILE")]
    pub file: PathBuf,

    /// Only say what the import would do.
    #[arg(long)]
    pub dry_run: bool,

    /// Skip columns that match nothing, rather than refuse the file.
    #[arg(long)]
    pub ignore_unknown_columns: bool,

    /// How characters are written, where the file does not begin with a byte-order mark [default: utf-8].
    #[arg(long, value_enum)]
    pub encoding: Option<EncodingName>,

    /// What stands between cells: one ASCII character, or `tab`. Found by the header if left out.
    #[arg(long, value_name = "CHARACTER", value_parser = delimiter)]
    pub delimiter: Option<u8>,

    /// Take values as they stand, as `links export --raw` writes them: no `'` before a formula is taken away.
    #[arg(long)]
    pub raw: bool,

    /// Print the report as JSON.
    #[arg(long)]
    pub json: bool,
}

pub(super) async fn run(command: LinksCommand, setup: &Setup<'_>) -> anyhow::Result<Outcome> {
    match command {
        LinksCommand::Export(args) => export(args, setup).await,
        LinksCommand::Import(args) => import(args, setup).await,
    }
}

async fn export(args: LinksExportArgs, setup: &Setup<'_>) -> anyhow::Result<Outcome> {
    let name = args.file.display().to_string();
    let directory = open_directory(setup).await?;
    let query = UnmatchedQuery {
        integration: args.integration.as_deref().map(|name| directory.find_integration(name)).transpose()?,
        search: args.search,
        is_bot: args.no_bots.then_some(false),
        ..UnmatchedQuery::default()
    };
    let style = Style { raw: args.raw, mark: args.bom, delimiter: args.delimiter };
    let mut export = directory.export_account_links(query, style).await?;
    let mut sink = Sink::open(&args.file).with_context(|| name.clone())?;
    while let Some(piece) = export.next().await? {
        sink.write(&piece)?;
    }
    sink.finish(&args.file).with_context(|| name.clone())?;
    note(&format!("{name}: {}, of version {}", count(export.total() as u64, "account"), export.version()));
    Ok(Outcome::Done)
}

async fn import(args: LinksImportArgs, setup: &Setup<'_>) -> anyhow::Result<Outcome> {
    let name = if args.file.as_os_str() == "-" { "standard input".to_owned() } else { args.file.display().to_string() };
    let options = ImportOptions {
        dry_run: args.dry_run,
        mapping: Mapping { ignore_unknown: args.ignore_unknown_columns, ..Mapping::default() },
        encoding: args.encoding.map(Into::into),
        delimiter: args.delimiter,
        raw: args.raw,
        ..ImportOptions::default()
    };
    let file = open(&args.file, &setup.spool(), options.limits.bytes).await.with_context(|| name.clone())?;
    let directory = open_directory(setup).await?;
    let report = directory.import_account_links(&actor(), file, options).await?;
    print(&if args.json { json(&report, args.dry_run)? } else { text(&report, "Links", &name, args.dry_run) })?;
    Ok(if report.errors.is_empty() { Outcome::Done } else { Outcome::Refused })
}
