//! BACKUP. The whole directory as one file, and back from it, beside a running server and across both kinds of database.
//!
//! A backup is a SQLite database of its own with a last line that tells whether it is whole (`file`), so it can also be
//! looked at, and verified, as any directory. SQLite copies itself; of PostgreSQL one state is copied row by row (`copy`).
//! Either is restored row by row, in one transaction. What does not live here: questions to whoever restores.

mod copy;
mod file;

use std::path::Path;

use chrono::{DateTime, Utc};
use sea_orm::{ConnectionTrait, DatabaseTransaction, DbBackend, EntityTrait, PaginatorTrait};

use super::error::{Error, Result};
use super::verify::Head;
use super::{Directory, Verification};
use crate::database::{Database, OpenError, Options};
use crate::value::hex;

pub use file::NotWhole;

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
    #[error("it holds {0} things that are wrong; look at them with roster --database-url sqlite:FILE verify")]
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
    /// The head of its log.
    pub head: Option<Head>,
    /// Its users.
    pub users: u64,
}

impl Directory {
    /// Writes the state of `database` to the empty file at `path`, whatever is written meanwhile, and has the copy look at
    /// itself. Scratch files stand in `scratch`.
    ///
    /// # Errors
    /// Where the database cannot be read, or the file not be written.
    pub async fn back_up(
        database: &Database,
        path: &Path,
        scratch: &Path,
    ) -> std::result::Result<BackupReport, BackupError> {
        if database.backend() == DbBackend::Sqlite {
            database.vacuum_into(path).await?;
        } else {
            let between = open(&scratch.join("copy.db")).await?;
            let (from, to) = (database.begin_read().await?, between.begin_write().await?);
            copy::all(&from, &to).await?;
            from.rollback().await?;
            to.commit().await?;
            between.vacuum_into(path).await?;
            between.close().await?;
        }
        let copy = Database::open_to_read(&at(path)).await?;
        let damage = copy.own_check().await?;
        if !damage.is_empty() {
            return Err(BackupError::Unsound(damage.len() as u64));
        }
        let report = report(copy.readers()).await?;
        copy.close().await?;
        file::seal(path)?;
        Ok(report)
    }

    /// Puts what stands in the backup at `path` in the place of all that is in `database`: all of it, or nothing. Nobody
    /// else may use the database meanwhile. Scratch files stand in `scratch`.
    ///
    /// # Errors
    /// Where the file is not a whole backup of a sound directory; `NotEmpty`, unless `replace` says that what there is may
    /// go.
    pub async fn restore(
        database: &Database,
        path: &Path,
        scratch: &Path,
        replace: bool,
        now: DateTime<Utc>,
    ) -> std::result::Result<BackupReport, BackupError> {
        let bare = scratch.join("restored.db");
        file::unseal(path, &bare)?;
        // An older Roster may have made it.
        let from = open(&bare).await?;
        refuse_unsound(&Self::verify(&from, now, None).await?)?;
        let to = database.begin_write().await?;
        let users = entity::user::Entity::find().count(&to).await?;
        let changesets = entity::changeset::Entity::find().count(&to).await?;
        // A directory that was only ever opened has the changeset that made the built-in attributes.
        if !replace && (users > 0 || changesets > 1) {
            return Err(BackupError::NotEmpty { users, changesets });
        }
        let source = from.begin_read().await?;
        copy::clear(&to).await?;
        copy::all(&source, &to).await?;
        source.rollback().await?;
        from.close().await?;
        let (said, to) = Self::verify_in(to, now, None).await?;
        refuse_unsound(&said)?;
        let report = report(&to).await?;
        to.commit().await?;
        database.settle().await?;
        Ok(report)
    }
}

fn refuse_unsound(said: &Verification) -> std::result::Result<(), BackupError> {
    if said.is_sound() { Ok(()) } else { Err(BackupError::Unsound(said.finding_count)) }
}

fn at(path: &Path) -> Options {
    Options { url: format!("sqlite:{}", path.display()), readers: 2, patience: std::time::Duration::from_secs(30) }
}

async fn open(path: &Path) -> std::result::Result<Database, OpenError> {
    let mut options = at(path);
    options.url.push_str("?mode=rwc");
    Database::open(&options).await
}

async fn report(from: &impl ConnectionTrait) -> Result<BackupReport> {
    use sea_orm::QueryOrder;
    let last = entity::changeset::Entity::find().order_by_desc(entity::changeset::Column::Number).one(from).await?;
    let head = last.map(|row| Head { number: row.number, digest: hex(&row.digest) });
    Ok(BackupReport { head, users: entity::user::Entity::find().count(from).await? })
}

/// Lets a transaction of PostgreSQL take as long as it takes.
async fn without_timeout(transaction: &DatabaseTransaction) -> Result<()> {
    if transaction.get_database_backend() == DbBackend::Postgres {
        transaction.execute_unprepared("SET LOCAL statement_timeout = 0").await?;
    }
    Ok(())
}
