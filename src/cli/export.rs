//! `roster export`.

use std::fs::{self, File};
use std::io::{self, Write};
use std::path::{Path, PathBuf};

use anyhow::Context;
use clap::Args;
use serde::Serialize;
use sha2::{Digest, Sha256};
use tempfile::NamedTempFile;

use super::progress::{BAR, bar};
use super::report::grouped;
use super::{EXIT_CODES, Outcome, Setup, note, open_directory, print, print_bytes, unless_stopped};
use crate::directory::Directory;
use crate::directory::csv::{Delimiter, ExportOptions, Style, split_columns};
use crate::filter::Filter;
use crate::value::hex;

/// Whom to export, and where to.
#[derive(Args, Clone, Debug)]
#[command(after_help = EXIT_CODES)]
pub struct ExportArgs {
    /// The file; `-` is standard output. What is written stands beside it until it is whole, and then takes its place.
    #[arg(value_name = "FILE", default_value = "-")]
    pub file: PathBuf,

    /// Only users that pass this filter, as text or JSON: `department eq "Data"` or
    /// `{"attribute":{"key":"department","is":{"equals":"Data"}}}`.
    #[arg(long, value_name = "FILTER")]
    pub filter: Option<Filter>,

    /// Only members of this org unit: its id, or its path, such as `Engineering/Platform`.
    #[arg(long, value_name = "UNIT")]
    pub org_unit: Option<String>,

    /// With `--org-unit`: members of the units below it, too.
    #[arg(long, requires = "org_unit")]
    pub descendants: bool,

    /// The columns, in their order: `ID`, titles or keys of attributes, names of integrations, with `,` between them. All
    /// if left out.
    #[arg(long, value_name = "COLUMN,…")]
    pub columns: Option<String>,

    /// No columns of accounts.
    #[arg(long)]
    pub no_accounts: bool,

    /// A file to fill in: the columns, and made-up users that show what their cells take.
    #[arg(long, alias = "sample", conflicts_with_all = ["filter", "org_unit"])]
    pub template: bool,

    /// The org units rather than users.
    #[arg(long, conflicts_with_all = ["filter", "org_unit", "columns", "no_accounts", "template"])]
    pub org_units: bool,

    /// Cells that a spreadsheet would run as formulas as they are. For programs only.
    #[arg(long)]
    pub raw: bool,

    /// What stands between cells: `,`, `;` or `tab`.
    #[arg(long, value_name = "SIGN", default_value = ",")]
    pub delimiter: Delimiter,

    /// Begin the file with a byte-order mark, by which Excel knows UTF-8.
    #[arg(long)]
    pub bom: bool,

    /// Report as JSON: on standard output, or on standard error where the file goes to standard output.
    #[arg(long)]
    pub json: bool,
}

pub(super) async fn run(args: ExportArgs, setup: &Setup<'_>) -> anyhow::Result<Outcome> {
    let directory = open_directory(setup).await?;
    let mut sink = Sink::open(&args.file).with_context(|| args.name())?;
    let report = unless_stopped(write(&directory, &args, &mut sink), "the export was whole").await??;
    let is_standard_output = matches!(sink, Sink::StandardOutput);
    sink.finish(&args.file).with_context(|| args.name())?;
    let text = if args.json { serde_json::to_string(&report)? } else { report.text() };
    if args.json && !is_standard_output {
        print(&format!("{text}\n"))?;
    } else {
        note(&text);
    }
    Ok(Outcome::Done)
}

impl ExportArgs {
    /// The file as messages name it.
    fn name(&self) -> String {
        if self.file == Path::new("-") { "standard output".to_owned() } else { self.file.display().to_string() }
    }

    fn options(&self) -> ExportOptions {
        ExportOptions {
            filter: self.filter.clone(),
            org_unit: self.org_unit.clone(),
            descendants: self.descendants,
            columns: self.columns.as_deref().map(split_columns),
            without_accounts: self.no_accounts,
            template: self.template,
            style: Style { raw: self.raw, mark: self.bom, delimiter: self.delimiter },
        }
    }
}

/// What was written: by this a file can be known again.
#[derive(Serialize)]
struct Report {
    file: String,
    version: i64,
    rows: u64,
    bytes: u64,
    sha256: String,
    /// What the rows are.
    #[serde(skip)]
    nouns: &'static str,
}

impl Report {
    fn text(&self) -> String {
        let Self { file, version, rows, bytes, sha256, nouns } = self;
        let (rows, bytes) = (grouped(*rows), grouped(*bytes));
        format!("{file}: {rows} {nouns}, {bytes} bytes, sha256 {sha256}, of version {version}")
    }
}

/// Writes the users and gives what has been written.
async fn write(directory: &Directory, args: &ExportArgs, sink: &mut Sink) -> anyhow::Result<Report> {
    if args.org_units {
        return write_org_units(directory, args, sink).await;
    }
    let mut export = Box::pin(directory.export_users(&args.options())).await?;
    let bar = bar(Some(export.total() as u64), BAR);
    bar.set_message("users");
    let (mut bytes, mut digest) = (0, Sha256::new());
    let end = loop {
        match export.next().await {
            Ok(Some(piece)) => match sink.write(&piece) {
                Ok(()) => {
                    bytes += piece.len() as u64;
                    digest.update(&piece);
                    bar.set_position(export.rows() as u64);
                }
                Err(error) => break Err(error),
            },
            Ok(None) => break Ok(()),
            Err(error) => break Err(error.into()),
        }
    };
    bar.finish_and_clear();
    end?;
    let sha256 = hex(&digest.finalize());
    Ok(Report {
        file: args.name(),
        version: export.version(),
        rows: export.rows() as u64,
        bytes,
        sha256,
        nouns: "users",
    })
}

/// Writes the org units and gives what has been written.
async fn write_org_units(directory: &Directory, args: &ExportArgs, sink: &mut Sink) -> anyhow::Result<Report> {
    directory.refresh().await?;
    let (version, rows) = {
        let index = directory.index();
        (index.version(), index.org_units().count() as u64)
    };
    let file = directory.export_org_units(args.options().style).await?;
    sink.write(&file)?;
    let sha256 = hex(&Sha256::digest(&file));
    Ok(Report { file: args.name(), version, rows, bytes: file.len() as u64, sha256, nouns: "org units" })
}

/// Where an export goes.
pub(super) enum Sink {
    StandardOutput,
    /// Something that is no file, such as a pipe, and cannot be replaced.
    Direct(File),
    /// A file beside the one that it will replace.
    Beside(NamedTempFile),
}

impl Sink {
    pub(super) fn open(path: &Path) -> io::Result<Self> {
        if path == Path::new("-") {
            return Ok(Self::StandardOutput);
        }
        match fs::metadata(path) {
            Ok(about) if !about.is_file() => Ok(Self::Direct(File::options().write(true).open(path)?)),
            // A file that is replaced keeps its permissions.
            Ok(about) => {
                let file = NamedTempFile::new_in(folder(&path.canonicalize()?))?;
                file.as_file().set_permissions(about.permissions())?;
                Ok(Self::Beside(file))
            }
            // A new one is for the user who made it alone, since it holds names and emails.
            Err(error) if error.kind() == io::ErrorKind::NotFound => {
                Ok(Self::Beside(NamedTempFile::new_in(folder(path))?))
            }
            Err(error) => Err(error),
        }
    }

    pub(super) fn write(&mut self, bytes: &[u8]) -> anyhow::Result<()> {
        match self {
            Self::StandardOutput => print_bytes(bytes),
            Self::Direct(file) => Ok(file.write_all(bytes)?),
            Self::Beside(file) => Ok(file.write_all(bytes)?),
        }
    }

    /// Puts a whole file in its place.
    pub(super) fn finish(self, path: &Path) -> io::Result<()> {
        match self {
            Self::StandardOutput | Self::Direct(_) => Ok(()),
            Self::Beside(file) => {
                file.as_file().sync_all()?;
                keep(file, path)
            }
        }
    }
}

/// Puts a file that is on the disk in its place.
pub(super) fn keep(file: NamedTempFile, path: &Path) -> io::Result<()> {
    // A link stays, and what it points to is replaced.
    let target = path.canonicalize().unwrap_or_else(|_| path.to_owned());
    file.persist(&target).map_err(|error| error.error)?;
    // The name is on the disk when the folder is.
    File::open(folder(&target))?.sync_all()
}

/// The folder that a file is in.
pub(super) fn folder(path: &Path) -> &Path {
    path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or_else(|| Path::new("."))
}
