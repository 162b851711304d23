//! `roster backup`.

use std::path::{Path, PathBuf};

use anyhow::{Context, bail};
use clap::Args;
use serde::Serialize;
use tempfile::NamedTempFile;

use super::export::{folder, keep};
use super::report::count;
use super::{EXIT_CODES, Outcome, Setup, note, print, read_database};
use crate::directory::Directory;

/// Where to write.
#[derive(Args, Clone, Debug)]
#[command(after_help = EXIT_CODES)]
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
struct Report {
    file: String,
    users: u64,
    head: Option<String>,
}

pub(super) async fn run(args: BackupArgs, setup: &Setup<'_>) -> anyhow::Result<Outcome> {
    let name = args.file.display().to_string();
    let is_there = || args.file.symlink_metadata().is_ok();
    if is_there() && !args.force {
        bail!("{name} is there already; --force replaces it");
    }
    let database = read_database(setup).await?;
    let beside = folder(&args.file);
    let copy = NamedTempFile::new_in(beside).with_context(|| name.clone())?;
    let scratch = tempfile::tempdir_in(beside).with_context(|| name.clone())?;
    let made = Box::pin(Directory::back_up(&database, copy.path(), scratch.path())).await;
    let made = made.with_context(|| name.clone())?;
    database.close().await?;
    put(copy, &args.file, args.force).with_context(|| name.clone())?;
    let report = Report { file: name, users: made.users, head: made.head.map(|head| head.to_string()) };
    if args.json {
        print(&format!("{}\n", serde_json::to_string(&report)?))?;
    } else {
        let head = report.head.as_deref().unwrap_or("none");
        note(&format!("{}: {}, head {head}", report.file, count(report.users, "user")));
    }
    Ok(Outcome::Done)
}

/// Puts a whole file in its place, where nobody has put one meanwhile.
fn put(copy: NamedTempFile, path: &Path, force: bool) -> std::io::Result<()> {
    if force {
        return keep(copy, path);
    }
    copy.persist_noclobber(path).map_err(|error| error.error)?;
    std::fs::File::open(folder(path))?.sync_all()
}
