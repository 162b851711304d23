//! `roster import`.

use std::fs::File;
use std::io::{self, Read};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::AtomicU64;

use anyhow::{Context, bail};
use clap::{Args, ValueEnum};

use super::column::Column;
use super::progress::{COUNTER, bar};
use super::report::{json, text};
use super::{Outcome, Setup, actor, open_directory, print};
use crate::demo::watch;
use crate::directory::csv::{Encoding, ImportMode, ImportOptions, Limits, Mapping};

/// What `--help` says of exit codes.
const EXIT_CODES: &str = "Exit codes:
  0  the directory is as the file says; with --dry-run: the file has no errors
  1  the file has errors, and nothing was changed
  2  wrong usage; the file or the database cannot be read or written, and nothing was changed";

/// Which file to import, and how.
#[derive(Args, Clone, Debug)]
#[command(after_help = EXIT_CODES)]
pub struct ImportArgs {
    /// The file; `-` is standard input.
    #[arg(value_name = "FILE")]
    pub file: PathBuf,

    /// What becomes of users that the file does not have.
    #[arg(long, value_enum, default_value_t = ModeName::Merge)]
    pub mode: ModeName,

    /// Only say what the import would do.
    #[arg(long)]
    pub dry_run: bool,

    /// With `--mode replace`: how many users may be removed. Needed where that is more than a tenth of all.
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

    /// Print the report as JSON.
    #[arg(long)]
    pub json: bool,
}

/// What becomes of users that the file does not have.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum ModeName {
    /// They stay as they are.
    Merge,
    /// They are removed.
    Replace,
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
    let (actor, rows) = (actor(), options.progress.clone());
    let report = watch(Box::pin(directory.import_users(&actor, file, options)), &rows, show).await;
    bar.finish_and_clear();
    let report = report?;
    print(&if args.json { json(&report, args.dry_run)? } else { text(&report, &name, args.dry_run) })?;
    Ok(if report.errors.is_empty() { Outcome::Done } else { Outcome::Refused })
}

impl ImportArgs {
    /// The file as messages name it.
    fn name(&self) -> String {
        if self.is_standard_input() { "standard input".to_owned() } else { self.file.display().to_string() }
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
            mapping: Mapping {
                columns: self.columns.iter().map(|Column(header, source)| (header.clone(), source.clone())).collect(),
                ignore_unknown: self.ignore_unknown_columns,
            },
            encoding: self.encoding.map(|encoding| match encoding {
                EncodingName::Utf8 => Encoding::Utf8,
                EncodingName::Utf16Le => Encoding::Utf16Le,
                EncodingName::Utf16Be => Encoding::Utf16Be,
                EncodingName::Windows1252 => Encoding::Windows1252,
            }),
            delimiter: self.delimiter,
            limits: Limits::default(),
            confirm_removals: self.confirm_removals,
            progress: Arc::new(AtomicU64::new(0)),
        })
    }
}

/// Opens a file that can be read twice: the file itself, or what comes from standard input or a pipe in a file without a
/// name.
async fn open(path: &Path, spool: &Path, limit: u64) -> io::Result<File> {
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

fn delimiter(text: &str) -> Result<u8, String> {
    match text.as_bytes() {
        [byte] if byte.is_ascii() && !byte.is_ascii_alphanumeric() && !matches!(byte, b'"' | b'\n' | b'\r') => {
            Ok(*byte)
        }
        b"tab" | br"\t" => Ok(b'\t'),
        _ => Err("a delimiter is one ASCII sign such as `;` or `|`, or the word `tab`".to_owned()),
    }
}
