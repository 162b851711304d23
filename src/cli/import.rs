//! `roster import`.

use std::fs::File;
use std::io::{self, Read};
use std::path::{Path, PathBuf};

use anyhow::{Context, bail};
use clap::{Args, ValueEnum};
use entity::import_draft::ImportKind;

use super::column::{Column, NewColumn};
use super::progress::{COUNTER, bar};
use super::report::{json, text};
use super::{Outcome, Setup, actor, open_directory, print};
use crate::demo::watch;
use crate::directory::csv::{Encoding, ImportMode, ImportOptions, ImportReport, Mapping, write_error_rows};

/// What `--help` says of exit codes.
const EXIT_CODES: &str = "Exit codes:
  0  the directory is as the file says; with --dry-run: the file has no errors; with --rows valid: as its valid rows say
  1  the file has errors, and nothing was changed
  2  wrong usage; the file or the database cannot be read or written, and nothing was changed";

/// The most problems that are written to a file of errors.
const WRITTEN: usize = 100_000;

/// Which file to import, and how.
#[derive(Args, Clone, Debug)]
#[command(after_help = EXIT_CODES)]
pub struct ImportArgs {
    /// The file; `-` is standard input.
    #[arg(value_name = "FILE")]
    pub file: PathBuf,

    /// The file has org units rather than users.
    #[arg(long, conflicts_with = "columns")]
    pub org_units: bool,

    /// What becomes of users, or org units, that the file does not have.
    #[arg(long, value_enum, default_value_t = ModeName::Merge)]
    pub mode: ModeName,

    /// Only say what the import would do.
    #[arg(long)]
    pub dry_run: bool,

    /// With `--mode replace`: how many users, or org units, may be removed. Needed where that is more than a tenth of all.
    #[arg(long, value_name = "N")]
    pub confirm_removals: Option<u64>,

    /// Skip columns that match nothing, rather than refuse the file.
    #[arg(long)]
    pub ignore_unknown_columns: bool,

    /// What a column holds where its header does not say: `HEADER=attribute:KEY`, with `:DATEFORMAT` after it for days
    /// such as `DD/MM/YYYY`; `HEADER=integration:NAME`; `HEADER=id`; `HEADER=ignore`. Once for each such column.
    #[arg(long = "column", value_name = "HEADER=…")]
    pub columns: Vec<Column>,

    /// How characters are written, where the file does not begin with a byte-order mark [default: utf-8].
    #[arg(long, value_enum)]
    pub encoding: Option<EncodingName>,

    /// What stands between cells: one ASCII character, or `tab`. Found by the header if left out.
    #[arg(long, value_name = "CHARACTER", value_parser = delimiter)]
    pub delimiter: Option<u8>,

    /// Take values as they stand, as `export --raw` writes them: no `'` before a formula is taken away.
    #[arg(long)]
    pub raw: bool,

    /// Whether rows that cannot be imported keep the others from it.
    #[arg(long, value_enum, default_value_t = RowsName::All)]
    pub rows: RowsName,

    /// Write the rows that cannot be imported to this file, each with what is wrong with it, to be mended and imported.
    #[arg(long, value_name = "FILE")]
    pub errors_to: Option<PathBuf>,

    /// With `--dry-run`: list this many of the changes, column by column.
    #[arg(long, value_name = "N", default_value_t = 0)]
    pub changes: usize,

    /// Make an attribute for a column, in the same changeset: `HEADER=TYPE`, such as `Grade=number`. Once for each such
    /// column. Options of `select` and `multi-select` follow after `:`, with `;` between them.
    #[arg(long = "new-attribute", value_name = "HEADER=TYPE")]
    pub new_attributes: Vec<NewColumn>,

    /// Print the report as JSON.
    #[arg(long)]
    pub json: bool,
}

/// What becomes of users, or org units, that the file does not have.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum ModeName {
    /// They stay as they are.
    Merge,
    /// They are removed.
    Replace,
}

/// Which rows are imported.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum RowsName {
    /// All of them, or none.
    All,
    /// Those that can be, and that lean on no row that cannot.
    Valid,
}

/// How characters are written.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum EncodingName {
    /// UTF-8.
    #[value(name = "utf-8")]
    Utf8,
    /// UTF-16, little end first, as spreadsheets save "Unicode text".
    #[value(name = "utf-16le")]
    Utf16Le,
    /// UTF-16, big end first.
    #[value(name = "utf-16be")]
    Utf16Be,
    /// Windows-1252, which also reads Latin-1.
    #[value(name = "windows-1252")]
    Windows1252,
}

pub(super) async fn run(args: ImportArgs, setup: &Setup<'_>) -> anyhow::Result<Outcome> {
    let options = args.options()?;
    let name = args.name();
    let file = open(&args.file, &setup.spool(), options.limits.bytes).await.with_context(|| name.clone())?;
    let directory = open_directory(setup).await?;
    let bar = bar(None, COUNTER);
    let show = |rows| {
        bar.set_message(if rows == 0 { "rows: reading the file" } else { "rows" });
        bar.set_position(rows);
        bar.tick();
    };
    let (actor, rows, how) = (actor(), options.progress.clone(), options.clone());
    let copy = file.try_clone().with_context(|| name.clone())?;
    let import = async {
        match args.org_units {
            true => directory.import_org_units(&actor, file, options).await,
            false => directory.import_users(&actor, file, options).await,
        }
    };
    let report = watch(Box::pin(import), &rows, show).await;
    bar.finish_and_clear();
    let report = report?;
    if let Some(path) = args.errors_to.as_deref().filter(|_| !report.bad_lines.is_empty()) {
        write_errors(&copy, &how, &report, path).with_context(|| path.display().to_string())?;
    }
    print(&if args.json { json(&report, args.dry_run)? } else { text(&report, args.noun(), &name, args.dry_run) })?;
    let is_done = report.errors.is_empty() || (report.applied && args.rows == RowsName::Valid);
    Ok(if is_done { Outcome::Done } else { Outcome::Refused })
}

impl ImportArgs {
    /// The file as messages name it.
    fn name(&self) -> String {
        if self.is_standard_input() { "standard input".to_owned() } else { self.file.display().to_string() }
    }

    /// What the rows of the file are, in words.
    fn noun(&self) -> &'static str {
        if self.org_units { "Org units" } else { "Users" }
    }

    fn is_standard_input(&self) -> bool {
        self.file == Path::new("-")
    }

    pub(super) fn options(&self) -> anyhow::Result<ImportOptions> {
        if self.confirm_removals.is_some() && self.mode == ModeName::Merge {
            bail!("--confirm-removals goes with --mode replace; --mode merge removes nobody");
        }
        Ok(ImportOptions {
            mode: match self.mode {
                ModeName::Merge => ImportMode::Merge,
                ModeName::Replace => ImportMode::Replace,
            },
            dry_run: self.dry_run,
            valid_rows: self.rows == RowsName::Valid,
            new_attributes: self
                .new_attributes
                .iter()
                .map(|NewColumn(header, new)| (header.clone(), new.clone()))
                .collect(),
            list_changes: self.changes,
            list_problems: self.errors_to.as_ref().map(|_| WRITTEN),
            mapping: Mapping {
                columns: self.columns.iter().map(|Column(header, source)| (header.clone(), source.clone())).collect(),
                ignore_unknown: self.ignore_unknown_columns,
                ..Mapping::default()
            },
            encoding: self.encoding.map(Into::into),
            delimiter: self.delimiter,
            raw: self.raw,
            confirm_removals: self.confirm_removals,
            ..ImportOptions::default()
        }
        .limited(if self.org_units { ImportKind::OrgUnits } else { ImportKind::Users }))
    }
}

impl From<EncodingName> for Encoding {
    fn from(encoding: EncodingName) -> Self {
        match encoding {
            EncodingName::Utf8 => Self::Utf8,
            EncodingName::Utf16Le => Self::Utf16Le,
            EncodingName::Utf16Be => Self::Utf16Be,
            EncodingName::Windows1252 => Self::Windows1252,
        }
    }
}

/// Writes the rows that cannot be imported.
fn write_errors(file: &File, options: &ImportOptions, report: &ImportReport, path: &Path) -> io::Result<()> {
    let sink = io::BufWriter::new(File::create(path)?);
    let (sink, _) = write_error_rows(file, options, &report.bad_lines, report.errors.listed.iter().cloned(), sink)?;
    sink.into_inner().map_err(io::IntoInnerError::into_error)?.sync_all()
}

/// Opens a file that can be read twice: the file itself, or what comes from standard input or a pipe in a file without a
/// name.
pub(super) async fn open(path: &Path, spool: &Path, limit: u64) -> io::Result<File> {
    if path == Path::new("-") {
        return spooled(io::stdin(), spool, limit).await;
    }
    let file = File::open(path)?;
    let about = file.metadata()?;
    if about.is_file() {
        Ok(file)
    } else if about.is_dir() {
        Err(io::ErrorKind::IsADirectory.into())
    } else {
        spooled(file, spool, limit).await
    }
}

/// Copies what `from` gives; of more than `limit` only so much that the import sees that it is too large.
async fn spooled(from: impl Read + Send + 'static, folder: &Path, limit: u64) -> io::Result<File> {
    let folder = folder.to_owned();
    let copy = move || {
        std::fs::create_dir_all(&folder)?;
        let mut to = tempfile::tempfile_in(&folder)?;
        io::copy(&mut from.take(limit.saturating_add(1)), &mut to)?;
        Ok(to)
    };
    let (send, receive) = tokio::sync::oneshot::channel();
    // A thread of its own: the end of the process does not wait for somebody to type more.
    std::thread::spawn(move || send.send(copy()));
    receive.await.map_err(io::Error::other)?
}

pub(super) fn delimiter(text: &str) -> Result<u8, String> {
    match text.as_bytes() {
        [byte] if byte.is_ascii() && !byte.is_ascii_alphanumeric() && !matches!(byte, b'"' | b'\n' | b'\r') => {
            Ok(*byte)
        }
        b"tab" | br"\t" => Ok(b'\t'),
        _ => Err("a delimiter is one ASCII sign such as `;` or `|`, or the word `tab`".to_owned()),
    }
}
