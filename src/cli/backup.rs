//! `roster backup`.

use std::path::{Path, PathBuf};

use anyhow::{Context, bail};
use clap::Args;
use serde::Serialize;
use tempfile::NamedTempFile;

use super::export::{folder, keep};
use super::report::count;
use super::scratch::Scratch;
use super::verify::findings;
use super::{EXIT_CODES_LEFT, Outcome, Setup, note, print, read_database, unless_stopped};
use crate::directory::{Clock, Directory};

/// Where to write.
#[derive(Args, Clone, Debug)]
#[command(after_help = EXIT_CODES_LEFT)]
pub struct BackupArgs {
    /// The file, which only its owner may read. It stands beside its place until it is whole.
    #[arg(value_name = "FILE")]
    pub file: PathBuf,

    /// Replace a file that is there.
    #[arg(long)]
    pub force: bool,

    /// Report as JSON.
    #[arg(long)]
    pub json: bool,
}

/// What was written.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Report {
    file: String,
    users: u64,
    head: Option<String>,
    finding_count: u64,
}

pub(super) async fn run(args: BackupArgs, setup: &Setup<'_>) -> anyhow::Result<Outcome> {
    let name = args.file.display().to_string();
    let is_there = || args.file.symlink_metadata().is_ok();
    if is_there() && !args.force {
        bail!("{name} is there already; --force replaces it");
    }
    let database = read_database(setup).await?;
    let beside = folder(&args.file);
    let scratch = Scratch::new_in(beside).with_context(|| name.clone())?;
    let copy = NamedTempFile::new_in(scratch.path()).with_context(|| name.clone())?;
    let made = Directory::back_up(&database, copy.path(), scratch.path(), Clock::System.look());
    let made = unless_stopped(made, "the backup was whole").await?.with_context(|| name.clone())?;
    database.close().await?;
    put(copy, &args.file, args.force).with_context(|| name.clone())?;
    let head = made.said.head.as_ref().map(ToString::to_string);
    let report = Report { file: name, users: made.users, head, finding_count: made.said.finding_count };
    if args.json {
        print(&format!("{}\n", serde_json::to_string(&report)?))?;
    } else {
        let head = report.head.as_deref().unwrap_or("none");
        note(&format!("{}: {}, head {head}", report.file, count(report.users, "user")));
    }
    if made.said.is_sound() {
        return Ok(Outcome::Done);
    }
    let wrong = count(made.said.finding_count, "finding");
    note(&format!("{}: the directory is not sound: {wrong}\n{}", report.file, findings(&made.said).trim_end()));
    Ok(Outcome::Left)
}

/// Puts a whole file in its place, where nobody has put one meanwhile.
fn put(copy: NamedTempFile, path: &Path, force: bool) -> std::io::Result<()> {
    if force {
        return keep(copy, path);
    }
    copy.persist_noclobber(path).map_err(|error| error.error)?;
    std::fs::File::open(folder(path))?.sync_all()
}
