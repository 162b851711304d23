//! `roster export`.

use std::fs::{self, File};
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::str::FromStr;

use anyhow::{Context, bail};
use clap::Args;
use tempfile::NamedTempFile;

use super::progress::{BAR, bar};
use super::report::grouped;
use super::{EXIT_CODES, Outcome, Setup, note, open_directory, print_bytes};
use crate::directory::Directory;
use crate::directory::csv::Style;
use crate::filter::Filter;

/// Whom to export, and where to.
#[derive(Args, Clone, Debug)]
#[command(after_help = EXIT_CODES)]
pub struct ExportArgs {
    /// The file; `-` is standard output. What is written stands beside it until it is whole, and then takes its place.
    #[arg(value_name = "FILE", default_value = "-")]
    pub file: PathBuf,

    /// Only users that pass this filter, such as
    /// `{"attribute":{"key":"department","is":{"equals":"Data"}}}`.
    #[arg(long, value_name = "JSON", value_parser = filter)]
    pub filter: Option<Filter>,

    /// Two made-up users with the columns that an import takes, instead of the directory's.
    #[arg(long, conflicts_with = "filter")]
    pub sample: bool,

    /// Cells that a spreadsheet would run as formulas as they are. For programs only.
    #[arg(long)]
    pub raw: bool,
}

pub(super) async fn run(args: ExportArgs, setup: &Setup<'_>) -> anyhow::Result<Outcome> {
    let directory = open_directory(setup).await?;
    let mut sink = Sink::open(&args.file).with_context(|| args.file.display().to_string())?;
    // Whoever stops the command finds no half file afterwards: leaving this function removes it.
    let users = tokio::select! {
        users = write(&directory, &args, &mut sink) => users?,
        stop = tokio::signal::ctrl_c() => {
            stop?;
            bail!("stopped before the export was whole");
        }
    };
    let is_standard_output = matches!(sink, Sink::StandardOutput);
    sink.finish(&args.file).with_context(|| args.file.display().to_string())?;
    if !is_standard_output {
        note(&format!("{}: {} users", args.file.display(), grouped(users)));
    }
    Ok(Outcome::Done)
}

/// Writes the users and gives how many there are.
async fn write(directory: &Directory, args: &ExportArgs, sink: &mut Sink) -> anyhow::Result<u64> {
    let style = Style { raw: args.raw, ..Style::default() };
    if args.sample {
        sink.write(&directory.sample_csv(style)?)?;
        return Ok(2);
    }
    let mut export = directory.export_users(args.filter.as_ref(), style).await?;
    let bar = bar(Some(export.total() as u64), BAR);
    bar.set_message("users");
    let done = loop {
        match export.next().await {
            Ok(Some(piece)) => match sink.write(&piece) {
                Ok(()) => bar.set_position(export.rows() as u64),
                Err(error) => break Err(error),
            },
            Ok(None) => break Ok(export.rows() as u64),
            Err(error) => break Err(error.into()),
        }
    };
    bar.finish_and_clear();
    done
}

/// Where an export goes.
enum Sink {
    StandardOutput,
    /// Something that is no file, such as a pipe, and cannot be replaced.
    Direct(File),
    /// A file beside the one that it will replace.
    Beside(NamedTempFile),
}

impl Sink {
    fn open(path: &Path) -> io::Result<Self> {
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

    fn write(&mut self, bytes: &[u8]) -> anyhow::Result<()> {
        match self {
            Self::StandardOutput => print_bytes(bytes),
            Self::Direct(file) => Ok(file.write_all(bytes)?),
            Self::Beside(file) => Ok(file.write_all(bytes)?),
        }
    }

    /// Puts a whole file in its place.
    fn finish(self, path: &Path) -> io::Result<()> {
        match self {
            Self::StandardOutput | Self::Direct(_) => Ok(()),
            Self::Beside(file) => {
                file.as_file().sync_all()?;
                // A link stays, and what it points to is replaced.
                let target = path.canonicalize().unwrap_or_else(|_| path.to_owned());
                file.persist(target).map(drop).map_err(|error| error.error)
            }
        }
    }
}

fn folder(path: &Path) -> &Path {
    path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or_else(|| Path::new("."))
}

fn filter(text: &str) -> Result<Filter, String> {
    let value = serde_json::Value::from_str(text).map_err(|why| format!("it is not JSON: {why}"))?;
    serde_json::from_value(value).map_err(|why| {
        format!(
            "it is not a filter: {why}; write one such as \
             {{\"attribute\":{{\"key\":\"department\",\"is\":{{\"equals\":\"Data\"}}}}}}"
        )
    })
}
