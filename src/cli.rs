//! COMMAND LINE. The subcommands of `roster` other than `serve`: one process, one piece of work, one exit code.
//!
//! What is asked for goes to standard output; progress, notes and errors go to standard error.
//!
//! What does not live here: settings and the environment ([`Setup`] has what the caller read from them), the server,
//! what the verbs of the directory do.

mod backup;
mod column;
mod demo;
mod diff;
mod erase;
mod export;
mod import;
mod links;
mod progress;
mod report;
mod restore;
mod run;
mod scratch;
mod token;
mod undo;
mod verify;

pub use backup::BackupArgs;
pub use column::Column;
pub use demo::DemoArgs;
pub use diff::DiffArgs;
pub use erase::{EraseArgs, SubjectArgs};
pub use export::ExportArgs;
pub use import::{EncodingName, ImportArgs, ModeName};
pub use links::LinksCommand;
pub use restore::RestoreArgs;
pub use run::RunArgs;
pub use token::TokenCommand;
pub use undo::UndoArgs;
pub use verify::VerifyArgs;

use std::io::{self, ErrorKind, Write};
use std::path::Path;
use std::process::ExitCode;

use anyhow::{Context, bail};
use clap::Subcommand;

use crate::database::{Database, Options};
use crate::directory::{Actor, Clock, Connectors, Directory};
use crate::stop::stop_signal;

/// What `--help` says of exit codes; `import`, `undo` and `run` have one more, and so have those of [`EXIT_CODES_LEFT`].
const EXIT_CODES: &str =
    "Exit codes:\n  0  it is done\n  2  wrong usage; a file or the database cannot be read or written";

/// The same of `backup`, `restore` and `erase`.
const EXIT_CODES_LEFT: &str = "Exit codes:
  0  it is done
  2  wrong usage; a file or the database cannot be read or written
  3  it is done, and something is left to do, which standard error says";

/// What to do.
#[derive(Clone, Debug, Subcommand)]
pub enum Command {
    /// Bring the schema of the database up to date. Every other command does so, too, before its work.
    #[command(after_help = EXIT_CODES)]
    Migrate,
    /// Print the GraphQL schema.
    #[command(after_help = EXIT_CODES)]
    Schema,
    /// Fill an empty directory with a made-up organisation.
    Demo(DemoArgs),
    /// Import users from a CSV file: all of it, or nothing.
    Import(ImportArgs),
    /// Export users as a CSV file.
    Export(Box<ExportArgs>),
    /// Accounts that are with nobody, as a file to fill in.
    #[command(subcommand, after_help = EXIT_CODES)]
    Links(LinksCommand),
    /// Tokens that programs and people call the API with.
    #[command(subcommand, after_help = EXIT_CODES)]
    Token(TokenCommand),
    /// Undo a changeset: every record that it changed goes back to what it was.
    Undo(UndoArgs),
    /// Print the records that differ between two versions of the directory.
    Diff(DiffArgs),
    /// Erase a user for good: accounts, history and all.
    Erase(EraseArgs),
    /// Print all that is held on a user, as JSON.
    Subject(SubjectArgs),
    /// Look whether the database holds a sound directory, beside a running server. Nothing is changed.
    Verify(VerifyArgs),
    /// Write the whole directory to one file, beside a running server.
    Backup(BackupArgs),
    /// Fill an empty database with a backup, of either kind of database: all of it, or nothing.
    Restore(RestoreArgs),
}

/// What commands need to know from outside.
#[derive(Clone, Copy, Debug)]
pub struct Setup<'a> {
    /// The database: `sqlite:PATH` or `postgres://…`.
    pub database_url: &'a str,
    /// The folder for the database, where that is a file, and for files under way.
    pub data_dir: &'a Path,
    /// Gives the GraphQL schema in its definition language.
    pub sdl: fn() -> String,
}

/// How a command ended that could do its work.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Outcome {
    /// It is done.
    Done,
    /// The file has errors, records are blocked, or a run failed, and nothing was changed.
    Refused,
    /// The directory is not sound.
    Broken,
    /// It is done, and something is left for whoever keeps the directory, which has been told.
    Left,
}

/// Nobody reads standard output any more, as after `| head`; there is nothing to say, and nobody to say it to.
#[derive(Debug, thiserror::Error)]
#[error("nobody reads standard output")]
struct ReaderGone;

/// Runs a command. Errors are written to standard error; the code says how it ended: 0 done, 1 the file to import has
/// errors, or records of an undo are blocked, and nothing was changed, 3 done with something left to do, 2 anything else.
pub async fn run(command: Command, setup: &Setup<'_>) -> ExitCode {
    exit_code(dispatch(command, setup).await)
}

/// Runs an integration, as `roster run` does; the code says how it ended, as that of [`run`].
pub async fn run_integration(args: RunArgs, connectors: Connectors, setup: &Setup<'_>) -> ExitCode {
    exit_code(Box::pin(run::run(args, connectors, setup)).await)
}

fn exit_code(ended: anyhow::Result<Outcome>) -> ExitCode {
    match ended {
        Ok(Outcome::Done) => ExitCode::SUCCESS,
        Ok(Outcome::Refused) => ExitCode::from(1),
        Ok(Outcome::Broken) => ExitCode::from(2),
        Ok(Outcome::Left) => ExitCode::from(3),
        Err(error) if error.is::<ReaderGone>() => ExitCode::SUCCESS,
        Err(error) => {
            note(&format!("roster: {error:#}"));
            ExitCode::from(2)
        }
    }
}

async fn dispatch(command: Command, setup: &Setup<'_>) -> anyhow::Result<Outcome> {
    match command {
        Command::Schema => {
            print(&(setup.sdl)())?;
            Ok(Outcome::Done)
        }
        Command::Migrate => {
            open_database(setup).await?.close().await?;
            note("the schema of the database is up to date");
            Ok(Outcome::Done)
        }
        Command::Demo(args) => Box::pin(demo::run(args, setup)).await,
        Command::Import(args) => Box::pin(import::run(args, setup)).await,
        Command::Export(args) => Box::pin(export::run(*args, setup)).await,
        Command::Links(command) => Box::pin(links::run(command, setup)).await,
        Command::Token(command) => token::run(command, setup).await,
        Command::Undo(args) => Box::pin(undo::run(args, setup)).await,
        Command::Diff(args) => Box::pin(diff::run(args, setup)).await,
        Command::Erase(args) => Box::pin(erase::run(args, setup)).await,
        Command::Subject(args) => Box::pin(erase::subject(args, setup)).await,
        Command::Verify(args) => Box::pin(verify::run(args, setup)).await,
        Command::Backup(args) => Box::pin(backup::run(args, setup)).await,
        Command::Restore(args) => Box::pin(restore::run(args, setup)).await,
    }
}

impl Setup<'_> {
    /// The folder for files under way, as the server has it.
    fn spool(&self) -> std::path::PathBuf {
        self.data_dir.join("spool")
    }
}

/// Connects to read alone.
async fn read_database(setup: &Setup<'_>) -> anyhow::Result<Database> {
    Ok(Database::open_to_read(&Options::to(setup.database_url)).await?)
}

async fn open_database(setup: &Setup<'_>) -> anyhow::Result<Database> {
    if setup.database_url.starts_with("sqlite:") {
        // The file stands there unless the caller says otherwise, and SQLite makes no folders.
        std::fs::create_dir_all(setup.data_dir)?;
    }
    Ok(Database::open(&Options::to(setup.database_url)).await?)
}

async fn open_directory(setup: &Setup<'_>) -> anyhow::Result<Directory> {
    Ok(Directory::open(open_database(setup).await?, Clock::System).await?)
}

/// Waits for `work`, unless SIGTERM or SIGINT comes first: then the work is dropped where it stands, and whoever called
/// removes what it had begun by leaving.
async fn unless_stopped<T>(work: impl Future<Output = T>, undone: &str) -> anyhow::Result<T> {
    let stop = stop_signal().context("cannot listen to signals")?;
    tokio::select! {
        done = Box::pin(work) => Ok(done),
        () = stop => bail!("stopped before {undone}"),
    }
}

/// Who makes the changes, as the log names them.
fn actor() -> Actor {
    Actor("cli".to_owned())
}

/// Writes to standard output.
fn print(text: &str) -> anyhow::Result<()> {
    print_bytes(text.as_bytes())
}

fn print_bytes(bytes: &[u8]) -> anyhow::Result<()> {
    let mut out = io::stdout().lock();
    match out.write_all(bytes).and_then(|()| out.flush()) {
        Err(error) if error.kind() == ErrorKind::BrokenPipe => Err(ReaderGone.into()),
        other => Ok(other?),
    }
}

/// Writes a line to standard error.
fn note(line: &str) {
    // Where even that cannot be written, the exit code has to do.
    let _ = writeln!(io::stderr().lock(), "{line}");
}

#[cfg(test)]
mod tests;
