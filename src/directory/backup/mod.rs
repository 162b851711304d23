//! BACKUP. The whole directory as one file, and back from it, beside a running server and across both kinds of database.
//!
//! A backup is a SQLite database of its own with a last line that tells whether it is whole (`file`), so it can also be
//! looked at, and verified, as any directory. SQLite copies itself; of PostgreSQL one state is copied row by row (`copy`).
//! Either is restored row by row, in one transaction, with what must not come back (`since`). What does not live here:
//! questions to whoever restores.

mod copy;
mod file;
mod since;

use std::path::Path;

use chrono::{DateTime, Utc};
use sea_orm::{DbBackend, EntityTrait, PaginatorTrait};

use super::error::Error;
use super::verify::Head;
use super::{Clock, Directory, Verification};
use crate::database::{Database, OpenError, Options};

pub use file::NotWhole;
pub use since::{ErasedSince, Since};

/// Why a backup cannot be made or restored.
#[derive(Debug, thiserror::Error)]
pub enum BackupError {
    /// The file is no whole backup.
    #[error(transparent)]
    NotWhole(#[from] NotWhole),
    /// A file cannot be read or written.
    #[error(transparent)]
    Io(#[from] std::io::Error),
    /// What is in the file, or was made of it, is no sound directory.
    #[error(
        "it holds {0} things that are wrong; look at them with roster --database-url sqlite:FILE verify; --unsound restores \
         it all the same"
    )]
    Unsound(u64),
    /// There is something in the database that would go.
    #[error("the database holds {users} users and {changesets} changesets")]
    NotEmpty {
        /// Its users.
        users: u64,
        /// Its changesets.
        changesets: u64,
    },
    /// A database cannot be opened.
    #[error(transparent)]
    Open(#[from] OpenError),
    /// A database cannot be read or written.
    #[error(transparent)]
    Directory(#[from] Error),
}

impl From<sea_orm::DbErr> for BackupError {
    fn from(error: sea_orm::DbErr) -> Self {
        Self::Directory(error.into())
    }
}

/// The tables that stand in a backup.
#[must_use]
pub fn backup_tables() -> Vec<&'static str> {
    copy::names()
}

/// What stands in a backup.
#[derive(Clone, Debug)]
pub struct BackupReport {
    /// Its users.
    pub users: u64,
    /// What `verify` says of it.
    pub said: Verification,
}

/// What was restored.
#[derive(Clone, Debug)]
pub struct RestoreReport {
    /// The head of the log.
    pub head: Option<Head>,
    /// The users.
    pub users: u64,
    /// What is wrong with it, where it was restored all the same.
    pub findings: u64,
    /// What was taken over from the directory that it replaces.
    pub since: Since,
}

/// How to restore.
#[derive(Clone, Copy, Debug, Default)]
pub struct RestoreOptions {
    /// What there is may go.
    pub replace: bool,
    /// A backup of a directory that is not sound is restored, too.
    pub unsound: bool,
}

impl Directory {
    /// Writes the state of `database` to the empty file at `path`, whatever is written meanwhile, and looks whether the copy
    /// is sound at `now`; where it is not, the file is whole all the same. Scratch files stand in `scratch`.
    ///
    /// # Errors
    /// Where the database cannot be read, or the file not be written.
    pub async fn back_up(
        database: &Database,
        path: &Path,
        scratch: &Path,
        now: DateTime<Utc>,
    ) -> std::result::Result<BackupReport, BackupError> {
        if database.backend() == DbBackend::Sqlite {
            database.vacuum_into(path).await?;
        } else {
            let between = open(&scratch.join("copy.db")).await?;
            let (from, to) = (database.begin_read().await?, between.begin_write().await?);
            copy::all(&from, &to).await?;
            from.rollback().await?;
            between.commit(to).await?;
            between.vacuum_into(path).await?;
            between.close().await?;
        }
        let copy = Database::open_to_read(&at(path)).await?;
        let said = Self::verify(&copy, now, None).await?;
        let users = entity::user::Entity::find().count(copy.readers()).await?;
        copy.close().await?;
        file::seal(path)?;
        Ok(BackupReport { users, said })
    }

    /// Puts what stands in the backup at `path` in the place of all that is in `database`: all of it, or nothing. Tokens that
    /// are revoked there stay so, and whoever was erased there is erased from what is restored. Nobody else may use the
    /// database meanwhile. Scratch files stand in `scratch`.
    ///
    /// # Errors
    /// Where the file is not a whole backup of a sound directory; `NotEmpty`, unless the options say that what there is may
    /// go.
    pub async fn restore(
        database: &Database,
        path: &Path,
        scratch: &Path,
        options: RestoreOptions,
        clock: Clock,
    ) -> std::result::Result<RestoreReport, BackupError> {
        let bare = scratch.join("restored.db");
        file::unseal(path, &bare)?;
        // An older Roster may have made it.
        let from = open(&bare).await?;
        let findings = Self::verify(&from, clock.look(), None).await?.finding_count;
        if findings > 0 && !options.unsound {
            return Err(BackupError::Unsound(findings));
        }
        let since = since::take_over(database, &from, &clock).await?;
        let to = database.begin_write().await?;
        let users = entity::user::Entity::find().count(&to).await?;
        let changesets = entity::changeset::Entity::find().count(&to).await?;
        // A directory that was only ever opened has the changeset that made the built-in attributes.
        if !options.replace && (users > 0 || changesets > 1) {
            return Err(BackupError::NotEmpty { users, changesets });
        }
        let source = from.begin_read().await?;
        copy::clear(&to).await?;
        copy::all(&source, &to).await?;
        source.rollback().await?;
        from.close().await?;
        // What was wrong in the file may be so still, and nothing else.
        let (said, to) = Self::verify_in(to, clock.look(), None).await?;
        if said.finding_count > findings {
            return Err(BackupError::Unsound(said.finding_count));
        }
        let users = entity::user::Entity::find().count(&to).await?;
        database.commit(to).await?;
        database.settle().await?;
        Ok(RestoreReport { head: said.head, users, findings: said.finding_count, since })
    }
}

fn at(path: &Path) -> Options {
    Options::to(format!("sqlite:{}", path.display()))
}

async fn open(path: &Path) -> std::result::Result<Database, OpenError> {
    let mut options = at(path);
    options.url.push_str("?mode=rwc");
    Database::open(&options).await
}
