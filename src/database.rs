//! The database: SQLite or PostgreSQL, its connections and their settings, its schema's version.
//!
//! What does not live here: any statement about users; see the directory.

mod bounded;
mod connect;
mod scrub;

use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, AtomicU64, Ordering};
use std::time::{Duration, Instant};

use futures_util::FutureExt;
use migration::{Migrator, MigratorTrait};
use sea_orm::{
    AccessMode, ConnectOptions, ConnectionTrait, DatabaseConnection, DbBackend, DbErr, IsolationLevel, RuntimeErr,
    SqliteTransactionMode, SqlxError, Statement, TransactionOptions, TransactionTrait,
};

pub use bounded::{Readers, Transaction};
pub use scrub::set_scrub_due;

use bounded::within;
use connect::{Access, postgres, sqlite};

/// The connections to one database. Cheap to clone.
#[derive(Clone, Debug)]
pub struct Database {
    writer: DatabaseConnection,
    readers: Readers,
    statements: Arc<AtomicU64>,
    patience: Duration,
    /// How long a statement may go without an answer, if there is a limit.
    silence: Option<Duration>,
    /// The last changeset that took something out before SQLite's file was written anew.
    rewritten: Arc<AtomicI64>,
}

/// How to connect.
#[derive(Clone, Debug)]
pub struct Options {
    /// `sqlite:path` or `postgres://…`.
    pub url: String,
    /// How many connections read at a time.
    pub readers: u32,
    /// How long a write waits for the one before it, and a request for a connection.
    pub patience: Duration,
    /// How long PostgreSQL may take for one statement, and wait for the next one of a transaction. A statement that is not
    /// answered `patience` later is given up as lost.
    pub statement_timeout: Duration,
}

impl Options {
    /// As commands do: a while for another process that writes, one connection for what is read, and one that an export
    /// keeps for itself.
    #[must_use]
    pub fn to(url: impl Into<String>) -> Self {
        let (patience, statement_timeout) = (Duration::from_secs(30), Duration::from_mins(1));
        Self { url: url.into(), readers: 2, patience, statement_timeout }
    }

    fn is_sqlite(&self) -> bool {
        self.url.starts_with("sqlite:")
    }

    fn is_postgres(&self) -> bool {
        ["postgres:", "postgresql:"].iter().any(|kind| self.url.starts_with(kind))
    }

    /// How long a statement may go without an answer; SQLite is no further away than its file.
    fn silence(&self) -> Option<Duration> {
        self.is_postgres().then(|| self.statement_timeout + self.patience)
    }
}

/// Why a database cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum OpenError {
    /// The address is of no known kind.
    #[error("`{0}` is not a database Roster knows; write sqlite:PATH or postgres://USER@HOST/NAME")]
    UnknownKind(String),
    /// It cannot be reached or opened.
    #[error("cannot open the database {url}: {}", why(.cause))]
    Unreachable {
        /// The address without its password.
        url: String,
        /// What the driver says. It is part of the message, so it is no source, which would be told again.
        cause: DbErr,
    },
    /// An older Roster made its schema, and it is only to be read.
    #[error("the database's schema is not up to date; run roster migrate first")]
    Older,
    /// A newer Roster made its schema.
    #[error("the database has schema steps that this version of Roster does not know ({0}); use a newer version")]
    Newer(String),
    /// The schema could not be brought up to date.
    #[error("cannot bring the database's schema up to date: {0}")]
    Migration(DbErr),
}

/// The key of the advisory lock that every writer of one PostgreSQL database takes.
const WRITER_LOCK: i64 = 0x0000_726f_7374_6572;

/// How long a start waits for another process that brings the schema up to date, which takes a minute for millions of users.
const MIGRATION_PATIENCE: Duration = Duration::from_secs(600);

impl Database {
    /// Connects, and brings the schema up to date. Two processes that start together take turns.
    ///
    /// # Errors
    /// Where the address is unknown, the database unreachable, or its schema newer than this binary.
    pub async fn open(options: &Options) -> Result<Self, OpenError> {
        let statements = Arc::new(AtomicU64::new(0));
        let connect = async |configured: ConnectOptions| {
            let mut connection = sea_orm::Database::connect(configured)
                .await
                .map_err(|cause| OpenError::Unreachable { url: without_password(&options.url), cause })?;
            let count = statements.clone();
            connection.set_metric_callback(move |_| {
                count.fetch_add(1, Ordering::Relaxed);
            });
            Ok::<_, OpenError>(connection)
        };
        let (writer, readers) = if options.is_sqlite() {
            // The writer comes first: it makes the file and switches it to WAL, which a query-only reader cannot.
            let writer = connect(sqlite(options, 1, Access::Write)).await?;
            (writer, connect(sqlite(options, options.readers, Access::Read)).await?)
        } else if options.is_postgres() {
            // One connection of its own for the writer: writers that wait for the lock must not keep readers waiting.
            (connect(postgres(options, 1)).await?, connect(postgres(options, options.readers)).await?)
        } else {
            return Err(OpenError::UnknownKind(without_password(&options.url)));
        };
        let database = Self { statements, ..Self::of(options, writer, readers) };
        database.migrate().await?;
        Ok(database)
    }

    /// Connects to read, beside whoever else uses the database. Nothing is made or changed.
    ///
    /// # Errors
    /// Where the address is unknown, the database unreachable or not there, or its schema not that of this binary.
    pub async fn open_to_read(options: &Options) -> Result<Self, OpenError> {
        let configured = if options.is_sqlite() {
            sqlite(options, options.readers, Access::File)
        } else if options.is_postgres() {
            postgres(options, options.readers)
        } else {
            return Err(OpenError::UnknownKind(without_password(&options.url)));
        };
        let readers = sea_orm::Database::connect(configured)
            .await
            .map_err(|cause| OpenError::Unreachable { url: without_password(&options.url), cause })?;
        let database = Self::of(options, readers.clone(), readers);
        if missing(&applied(&database.readers).await.map_err(|_| OpenError::Older)?)? > 0 {
            return Err(OpenError::Older);
        }
        Ok(database)
    }

    fn of(options: &Options, writer: DatabaseConnection, readers: DatabaseConnection) -> Self {
        let (patience, silence) = (options.patience, options.silence());
        let readers = Readers::new(readers, silence);
        Self { writer, readers, statements: Arc::default(), patience, silence, rewritten: Arc::default() }
    }

    async fn migrate(&self) -> Result<(), OpenError> {
        // Where nothing is to be done, nobody who writes is waited for.
        if let Ok(applied) = applied(&self.readers).await
            && missing(&applied)? == 0
        {
            return Ok(());
        }
        let until = Instant::now() + MIGRATION_PATIENCE;
        let transaction = loop {
            match self.begin_write().await {
                Err(error) if is_busy(&error) && Instant::now() < until => {
                    tracing::info!("the schema is to be brought up to date; waiting for another write to end");
                }
                begun => break begun.map_err(OpenError::Migration)?,
            }
        };
        Migrator::install(&transaction.inner).await.map_err(OpenError::Migration)?;
        missing(&applied(&transaction).await.map_err(OpenError::Migration)?)?;
        Migrator::up(&transaction.inner, None).await.map_err(OpenError::Migration)?;
        self.commit(transaction).await.map_err(OpenError::Migration)
    }

    /// Whether anybody is connected to the database; nobody is where there is none.
    ///
    /// # Errors
    /// Where that cannot be found out.
    pub async fn is_in_use(options: &Options) -> Result<bool, OpenError> {
        let unreachable = |cause| OpenError::Unreachable { url: without_password(&options.url), cause };
        let mut configured = ConnectOptions::new(&options.url);
        configured.max_connections(1).connect_timeout(options.patience).sqlx_logging(false);
        if options.is_sqlite() {
            configured.map_sqlx_sqlite_opts(|settings| {
                settings.create_if_missing(false).busy_timeout(Duration::ZERO).foreign_keys(true)
            });
            // Without a file nobody uses it.
            let Ok(connection) = sea_orm::Database::connect(configured).await else { return Ok(false) };
            // Only the one who is alone with the file can leave the WAL; whoever comes next takes it up again.
            let left = connection.execute_unprepared("PRAGMA journal_mode = DELETE").await;
            connection.close().await.map_err(unreachable)?;
            return Ok(left.is_err());
        }
        configured.set_application_name("roster restore");
        let connection = sea_orm::Database::connect(configured).await.map_err(unreachable)?;
        let sql = "SELECT 1 FROM pg_stat_activity WHERE datname = current_database() AND application_name = 'roster'";
        let mut used = Ok(None);
        // Whoever has just ended stands there for a moment more.
        for _ in 0..10 {
            used = connection.query_one_raw(Statement::from_string(DbBackend::Postgres, sql)).await;
            if !matches!(used, Ok(Some(_))) {
                break;
            }
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
        connection.close().await.map_err(unreachable)?;
        Ok(used.map_err(unreachable)?.is_some())
    }

    /// Writes one state of a SQLite database, whatever is written meanwhile, to an empty file or a new one.
    ///
    /// # Errors
    /// Where the file cannot be written.
    pub async fn vacuum_into(&self, path: &Path) -> Result<(), DbErr> {
        let sql =
            Statement::from_sql_and_values(DbBackend::Sqlite, "VACUUM INTO ?", [path.display().to_string().into()]);
        self.writer.execute_raw(sql).await?;
        Ok(())
    }

    /// The connections that read.
    #[must_use]
    pub fn readers(&self) -> &Readers {
        &self.readers
    }

    /// How long a write waits for the one before it.
    #[must_use]
    pub fn patience(&self) -> Duration {
        self.patience
    }

    /// Which database it is.
    #[must_use]
    pub fn backend(&self) -> DbBackend {
        self.readers.get_database_backend()
    }

    /// How many statements have been sent since the database was opened.
    #[must_use]
    pub fn statement_count(&self) -> u64 {
        self.statements.load(Ordering::Relaxed)
    }

    /// Begins the one write at a time; waits for the one before it, for a bounded time.
    ///
    /// # Errors
    /// Where the wait is over, or the database away.
    pub async fn begin_write(&self) -> Result<Transaction, DbErr> {
        let options = TransactionOptions {
            sqlite_transaction_mode: Some(SqliteTransactionMode::Immediate),
            ..TransactionOptions::default()
        };
        let transaction = self.begin(&self.writer, options).await?;
        if self.backend() == DbBackend::Postgres {
            transaction.execute_unprepared(&format!("SELECT pg_advisory_xact_lock({WRITER_LOCK})")).await?;
        }
        Ok(transaction)
    }

    /// Makes a write last.
    ///
    /// Where the disk fails as SQLite makes sure of a commit, it is undone for everybody, and yet stands in the WAL as a
    /// whole: after a crash it would be taken for done. So it is written over before it is told that nothing was changed.
    ///
    /// # Errors
    /// Where the database cannot commit: nothing was changed. Where it is away: nobody knows.
    pub async fn commit(&self, transaction: Transaction) -> Result<(), DbErr> {
        let committed = transaction.commit().await;
        if committed.as_ref().is_err_and(is_unsynced) {
            // This writes the first page, whatever stands there.
            self.writer.execute_unprepared("PRAGMA application_id = 0").await.map_err(|cause| {
                let cause = std::io::Error::other(format!("after a restart, what has failed may be there: {cause}"));
                DbErr::Conn(RuntimeErr::SqlxError(Arc::new(SqlxError::Io(cause))))
            })?;
        }
        committed
    }

    /// Tidies up after a long write: PostgreSQL is told anew how large the tables are, so that it plans for what they
    /// hold now; SQLite plans without, and gives back the pages that its writer has kept in memory.
    ///
    /// # Errors
    /// Where the database is busy or away.
    pub async fn settle(&self) -> Result<(), DbErr> {
        match self.backend() {
            DbBackend::Postgres => {
                self.readers.execute_unprepared("ANALYZE \"user\", user_email, integration_account, change").await?;
            }
            _ => {
                self.writer.execute_unprepared("PRAGMA shrink_memory").await?;
            }
        }
        Ok(())
    }

    /// Begins a short write of what is beside the directory, such as an import's progress: it takes no turn with the
    /// changesets where the database can write in several places at once.
    ///
    /// # Errors
    /// Where the database is busy or away.
    pub async fn begin_side_write(&self) -> Result<Transaction, DbErr> {
        match self.backend() {
            DbBackend::Postgres => self.begin(&self.readers.inner, TransactionOptions::default()).await,
            _ => self.begin_write().await,
        }
    }

    /// Begins a reading of one state of the database, whatever is written meanwhile.
    ///
    /// # Errors
    /// Where the database is away.
    pub async fn begin_read(&self) -> Result<Transaction, DbErr> {
        let postgres = self.backend() == DbBackend::Postgres;
        let options = TransactionOptions {
            isolation_level: postgres.then_some(IsolationLevel::RepeatableRead),
            access_mode: postgres.then_some(AccessMode::ReadOnly),
            sqlite_transaction_mode: None,
        };
        self.begin(&self.readers.inner, options).await
    }

    /// Begins a transaction in a task of its own. Whoever is dropped while it waits would otherwise give the connection
    /// back inside a transaction, as sqlx 0.9.0 does on PostgreSQL (its issue 4385).
    async fn begin(&self, on: &DatabaseConnection, options: TransactionOptions) -> Result<Transaction, DbErr> {
        let on = on.clone();
        let begun = tokio::spawn(async move { on.begin_with_options(options).await });
        // The task goes on where it is not waited for, and what it begins then is undone.
        let begun = begun.map(|ended| ended.map_err(|error| DbErr::Custom(error.to_string()))?);
        Ok(Transaction::new(within(self.silence, begun).await?, self.silence))
    }

    /// Asks the database for a sign of life.
    ///
    /// # Errors
    /// Where none comes.
    pub async fn ping(&self) -> Result<(), DbErr> {
        within(self.silence, self.readers.inner.ping()).await
    }

    /// Closes all connections.
    ///
    /// # Errors
    /// Where the database objects.
    pub async fn close(self) -> Result<(), DbErr> {
        let closed = async {
            self.readers.inner.close().await?;
            self.writer.close().await
        };
        match self.silence {
            // One that is lost never says that it is closed.
            Some(_) => tokio::time::timeout(self.patience, closed).await.unwrap_or(Ok(())),
            None => closed.await,
        }
    }
}

/// The code that the database gives of an error: five characters of PostgreSQL, a number of SQLite.
fn code_of(error: &DbErr) -> Option<String> {
    let (DbErr::Conn(cause) | DbErr::Exec(cause) | DbErr::Query(cause)) = error else { return None };
    let RuntimeErr::SqlxError(cause) = cause else { return None };
    Some(cause.as_database_error()?.code()?.into_owned())
}

/// Whether SQLite has written something and could not make sure of it: `SQLITE_IOERR_FSYNC`, `SQLITE_IOERR_DIR_FSYNC`.
fn is_unsynced(error: &DbErr) -> bool {
    code_of(error).is_some_and(|code| ["1034", "1290"].contains(&code.as_str()))
}

/// Whether another write did not end in time: `SQLITE_BUSY`, `lock_not_available`.
fn is_busy(error: &DbErr) -> bool {
    code_of(error).is_some_and(|code| ["5", "55P03"].contains(&code.as_str()))
}

/// What SQLite finds wrong, as `connection` sees it; PostgreSQL does not look.
///
/// # Errors
/// Where the database is away.
pub async fn own_check(connection: &impl ConnectionTrait) -> Result<Vec<String>, DbErr> {
    if connection.get_database_backend() != DbBackend::Sqlite {
        return Ok(Vec::new());
    }
    let check = Statement::from_string(DbBackend::Sqlite, "PRAGMA integrity_check(100)");
    let said = connection.query_all_raw(check).await?;
    let said: Vec<String> = said.iter().map(|row| row.try_get_by_index(0)).collect::<Result<_, _>>()?;
    Ok(said.into_iter().filter(|line| line != "ok").collect())
}

/// Lets a transaction of PostgreSQL take as long as it takes.
///
/// # Errors
/// Where the database is away.
pub async fn without_timeout(transaction: &Transaction) -> Result<(), DbErr> {
    if ConnectionTrait::get_database_backend(transaction) == DbBackend::Postgres {
        transaction.execute_unprepared("SET LOCAL statement_timeout = 0").await?;
        transaction.lift();
    }
    Ok(())
}

/// The steps of the schema that were taken.
async fn applied(connection: &impl ConnectionTrait) -> Result<Vec<String>, DbErr> {
    Ok(Migrator::get_migration_models(connection).await?.into_iter().map(|step| step.version).collect())
}

/// How many steps are still to be taken.
fn missing(applied: &[String]) -> Result<usize, OpenError> {
    let known: Vec<String> = Migrator::migrations().iter().map(|step| step.name().to_owned()).collect();
    let unknown: Vec<&str> = applied.iter().filter(|step| !known.contains(step)).map(String::as_str).collect();
    if unknown.is_empty() { Ok(known.len() - applied.len()) } else { Err(OpenError::Newer(unknown.join(", "))) }
}

/// What to tell of a failed connection. The pool tries anew while nobody answers, and then only says that time is up.
fn why(cause: &DbErr) -> String {
    match cause {
        DbErr::Conn(RuntimeErr::SqlxError(error)) if matches!(**error, SqlxError::PoolTimedOut) => {
            "it cannot be reached, or does not let in more connections".to_owned()
        }
        other => other.to_string(),
    }
}

/// `url` as it may stand in a message.
fn without_password(url: &str) -> String {
    match (url.find("://"), url.rfind('@')) {
        (Some(start), Some(at)) if start + 3 < at => {
            let user = url[start + 3..at].split(':').next().unwrap_or_default();
            format!("{}{user}{}", &url[..start + 3], &url[at..])
        }
        _ => url.to_owned(),
    }
}
