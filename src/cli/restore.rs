//! `roster restore`.

use std::path::PathBuf;

use anyhow::{Context, bail};
use clap::Args;

use super::report::count;
use super::{EXIT_CODES, Outcome, Setup, note, open_database};
use crate::database::Database;
use crate::directory::{BackupError, Clock, Directory};

/// What to restore, and over what.
#[derive(Args, Clone, Debug)]
#[command(after_help = EXIT_CODES)]
pub struct RestoreArgs {
    /// A file that `roster backup` has written, of either kind of database.
    #[arg(value_name = "FILE")]
    pub file: PathBuf,

    /// Restore over what the database holds, which goes. Takes `--yes`, too.
    #[arg(long, requires = "yes")]
    pub replace: bool,

    /// Say that what the database holds may go.
    #[arg(long)]
    pub yes: bool,
}

pub(super) async fn run(args: RestoreArgs, setup: &Setup<'_>) -> anyhow::Result<Outcome> {
    let name = args.file.display().to_string();
    // Before anything is made.
    std::fs::File::open(&args.file).with_context(|| name.clone())?;
    if Database::is_in_use(&super::options(setup)).await? {
        bail!("a server or another command uses the database; stop it first");
    }
    std::fs::create_dir_all(setup.data_dir)?;
    let scratch = tempfile::tempdir_in(setup.data_dir)?;
    let database = open_database(setup).await?;
    let now = Clock::System.look();
    let restored = Box::pin(Directory::restore(&database, &args.file, scratch.path(), args.replace, now)).await;
    let report = match restored {
        Ok(report) => report,
        Err(held @ BackupError::NotEmpty { .. }) => bail!("{held}, which would go; --replace --yes restores over them"),
        Err(error) => return Err(anyhow::Error::from(error).context(name)),
    };
    database.close().await?;
    let head = report.head.map_or_else(|| "none".to_owned(), |head| head.to_string());
    note(&format!("restored {}, head {head}", count(report.users, "user")));
    Ok(Outcome::Done)
}
