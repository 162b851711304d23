//! That what was taken out of the rows is gone from the database's files, too.

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use sea_orm::sqlx::{Connection, Executor};
use sea_orm::{ConnectionTrait, DbBackend, DbErr, RuntimeErr, SqlxError, Statement};

use super::{Database, Transaction};

impl Database {
    /// Has the database give up what is no longer in its rows: SQLite writes its file anew and empties the WAL, which takes
    /// about as long as a backup; PostgreSQL frees what rows were. Gives whether it could: it waits for others only for a
    /// while.
    ///
    /// # Errors
    /// Where the database is busy or away.
    pub async fn scrub(&self) -> Result<bool, DbErr> {
        // In a task of its own: whoever is dropped while it waits would leave the connection with other settings.
        let database = self.clone();
        let scrubbed = tokio::spawn(async move {
            match database.backend() {
                DbBackend::Postgres => database.vacuum().await.map(|()| true).map_err(exec_error),
                _ => database.rewrite_file().await,
            }
        });
        scrubbed.await.map_err(|error| DbErr::Custom(error.to_string()))?
    }

    /// Frees what rows were, on a connection of its own, which ends with it: it may take as long as it takes.
    async fn vacuum(&self) -> Result<(), SqlxError> {
        let mut connection = self.readers.inner.get_postgres_connection_pool().acquire().await?.detach();
        connection.execute("SET statement_timeout = 0").await?;
        connection
            .execute(
                "VACUUM \"user\", user_email, user_merged_id, integration_account, org_unit, org_unit_pin, change, \
                 merge_decision, integration_run, import_draft, import_draft_chunk, import_draft_change, \
                 import_draft_problem",
            )
            .await?;
        connection.close().await
    }

    async fn rewrite_file(&self) -> Result<bool, DbErr> {
        let due = self.scrub_due().await?;
        // While somebody reads from the WAL it can only grow.
        if !self.empty_wal().await? {
            return Ok(false);
        }
        // What was written anew, and only the WAL could not be emptied, is not written anew each time.
        if self.rewritten.load(Ordering::Acquire) != due {
            // A copy of all of it does not belong into memory.
            self.writer.execute_unprepared("PRAGMA temp_store = FILE").await?;
            let written = self.writer.execute_unprepared("VACUUM").await;
            self.writer.execute_unprepared("PRAGMA temp_store = MEMORY").await?;
            written?;
            self.rewritten.store(due, Ordering::Release);
            if !self.empty_wal().await? {
                return Ok(false);
            }
        }
        let transaction = self.begin_write().await?;
        // Another process may have erased something meanwhile.
        if scrub_due(&transaction).await? == due {
            set_scrub_due(&transaction, 0).await?;
        }
        self.commit(transaction).await?;
        Ok(true)
    }

    /// Folds SQLite's WAL into the file and empties it, unless somebody reads from it for seconds.
    async fn empty_wal(&self) -> Result<bool, DbErr> {
        let patience = self.patience.as_millis();
        for _ in 0..20 {
            // The writer is not to be kept from others by whoever reads, nor to be impatient for others.
            self.writer.execute_unprepared("PRAGMA busy_timeout = 100").await?;
            let truncate = Statement::from_string(DbBackend::Sqlite, "PRAGMA wal_checkpoint(TRUNCATE)");
            let row = self.writer.query_one_raw(truncate).await;
            self.writer.execute_unprepared(&format!("PRAGMA busy_timeout = {patience}")).await?;
            if row?.map(|row| row.try_get_by_index::<i32>(0)).transpose()? == Some(0) {
                return Ok(true);
            }
            tokio::time::sleep(Duration::from_millis(250)).await;
        }
        Ok(false)
    }

    /// The last changeset that took out what SQLite's files still hold; 0 where they hold nothing of the kind. PostgreSQL
    /// frees what rows were by itself.
    ///
    /// # Errors
    /// Where the database is away.
    pub async fn scrub_due(&self) -> Result<i64, DbErr> {
        scrub_due(&self.readers).await
    }
}

async fn scrub_due(connection: &impl ConnectionTrait) -> Result<i64, DbErr> {
    if connection.get_database_backend() != DbBackend::Sqlite {
        return Ok(0);
    }
    let row = connection.query_one_raw(Statement::from_string(DbBackend::Sqlite, "PRAGMA user_version")).await?;
    Ok(row.map(|row| row.try_get_by_index(0)).transpose()?.unwrap_or_default())
}

/// Notes in a transaction that what changeset `number` takes out is to go from SQLite's files, too. The note stands in the
/// file's header, so it is there for whichever process comes next.
///
/// # Errors
/// Where the database is busy or away.
pub async fn set_scrub_due(transaction: &Transaction, number: i64) -> Result<(), DbErr> {
    if transaction.get_database_backend() == DbBackend::Sqlite {
        let number = i32::try_from(number).unwrap_or(i32::MAX);
        transaction.execute_unprepared(&format!("PRAGMA user_version = {number}")).await?;
    }
    Ok(())
}

fn exec_error(error: SqlxError) -> DbErr {
    DbErr::Exec(RuntimeErr::SqlxError(Arc::new(error)))
}
