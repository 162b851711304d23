//! `roster restore`.

use std::path::PathBuf;

use anyhow::{Context, bail};
use clap::Args;
use entity::change::Noun;

use super::report::count;
use super::scratch::Scratch;
use super::{EXIT_CODES_LEFT, Outcome, Setup, note, open_database, unless_stopped};
use crate::database::{Database, Options};
use crate::directory::{BackupError, Clock, Directory, RestoreOptions};

/// What to restore, and over what.
#[derive(Args, Clone, Debug)]
#[command(after_help = EXIT_CODES_LEFT)]
pub struct RestoreArgs {
    /// A file that `roster backup` has written, of either kind of database.
    #[arg(value_name = "FILE")]
    pub file: PathBuf,

    /// Restore over what the database holds, which goes. Tokens that are revoked in it stay so, and whoever was erased from
    /// it is erased from what is restored. Takes `--yes`, too.
    #[arg(long, requires = "yes")]
    pub replace: bool,

    /// Say that what the database holds may go.
    #[arg(long)]
    pub yes: bool,

    /// Restore a backup of a directory that is not sound, too, with all that is wrong in it.
    #[arg(long)]
    pub unsound: bool,
}

pub(super) async fn run(args: RestoreArgs, setup: &Setup<'_>) -> anyhow::Result<Outcome> {
    let name = args.file.display().to_string();
    // Before anything is made.
    std::fs::File::open(&args.file).with_context(|| name.clone())?;
    if Database::is_in_use(&Options::to(setup.database_url)).await? {
        bail!("a server or another command uses the database; stop it first");
    }
    std::fs::create_dir_all(setup.data_dir)?;
    let database = open_database(setup).await?;
    let scratch = Scratch::new_in(setup.data_dir)?;
    let options = RestoreOptions { replace: args.replace, unsound: args.unsound };
    let restored = Directory::restore(&database, &args.file, scratch.path(), options, Clock::System);
    let undone = "it was known whether the backup is restored: all of it is, or nothing";
    let report = match unless_stopped(restored, undone).await? {
        Ok(report) => report,
        Err(held @ BackupError::NotEmpty { .. }) => bail!("{held}, which would go; --replace --yes restores over them"),
        Err(error) => return Err(anyhow::Error::from(error).context(name)),
    };
    database.close().await?;
    let head = report.head.map_or_else(|| "none".to_owned(), |head| head.to_string());
    note(&format!("restored {}, head {head}", count(report.users, "user")));
    if report.since.revoked > 0 {
        note(&format!("revoked {} again, as the directory before had it", count(report.since.revoked, "token")));
    }
    let mut outcome = Outcome::Done;
    if report.findings > 0 {
        note(&format!("the directory is not sound: {}; roster verify tells", count(report.findings, "finding")));
        outcome = Outcome::Left;
    }
    for erased in report.since.erased {
        let id = erased.id.to_global();
        match erased.refusal {
            None => note(&format!("erased {id} again, as it was after the backup was made")),
            Some(why) => {
                let mend = if erased.id.noun() == Noun::User {
                    format!("; then use roster erase {id}")
                } else {
                    String::new()
                };
                note(&format!("{id} was erased after the backup was made, and is there again: {why}{mend}"));
                outcome = Outcome::Left;
            }
        }
    }
    Ok(outcome)
}
