//! The settings of connections: what each may do, how long it waits, and when it is given up.

use std::time::Duration;

use sea_orm::ConnectOptions;
use sea_orm::SqlxError;
use sea_orm::sqlx::Connection;

use super::Options;

/// How much of the database SQLite's writer keeps in memory, in kB: rows come in the order of their ids, but emails in
/// none, and a page of theirs that was put aside must be read again for the next.
const WRITER_CACHE: &str = "-65536";

fn common(options: &Options, connections: u32) -> ConnectOptions {
    let mut configured = ConnectOptions::new(&options.url);
    configured
        .max_connections(connections)
        .acquire_timeout(options.patience)
        .connect_timeout(options.patience)
        .sqlx_logging(false)
        .record_stmt_in_spans(false);
    configured
}

/// What a connection to SQLite may do.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Access {
    /// Make the file, and write to it.
    Write,
    /// Read.
    Read,
    /// Read, and change nothing of the file, not even where the WAL is folded into it.
    File,
}

pub(super) fn sqlite(options: &Options, connections: u32, access: Access) -> ConnectOptions {
    let mut configured = common(options, connections);
    let patience = options.patience;
    configured.map_sqlx_sqlite_opts(move |settings| {
        let settings = settings
            .create_if_missing(access == Access::Write)
            .read_only(access == Access::File)
            .foreign_keys(true)
            .busy_timeout(patience)
            .pragma("synchronous", "FULL")
            .pragma("temp_store", "MEMORY")
            .pragma("cache_size", if access == Access::Write { WRITER_CACHE } else { "-16384" })
            .pragma("journal_size_limit", "67108864")
            .statement_cache_capacity(200);
        match access {
            Access::Write => settings.pragma("journal_mode", "WAL"),
            Access::Read => settings.pragma("query_only", "ON"),
            Access::File => settings,
        }
    });
    // Where its disk is full SQLite ends a transaction by itself. sqlx 0.9.0 then takes the connection for one that still
    // is in it, and begins no other; it gives way to a new one.
    configured
        .map_sqlx_sqlite_before_acquire(|connection, _| Box::pin(async move { Ok(!connection.is_in_transaction()) }));
    // A connection that is closed when idle would drop its cache, and the last one would fold the WAL away.
    configured.idle_timeout(None::<Duration>).max_lifetime(None::<Duration>).min_connections(1);
    configured
}

pub(super) fn postgres(options: &Options, connections: u32) -> ConnectOptions {
    let mut configured = common(options, connections);
    let in_milliseconds = |time: Duration| format!("{}ms", time.as_millis());
    let (statement_timeout, lock_timeout) =
        (in_milliseconds(options.statement_timeout), in_milliseconds(options.patience));
    configured.map_sqlx_postgres_opts(move |settings| {
        settings.options([
            ("statement_timeout", statement_timeout.as_str()),
            ("lock_timeout", lock_timeout.as_str()),
            ("idle_in_transaction_session_timeout", statement_timeout.as_str()),
        ])
    });
    configured.set_application_name("roster");
    // Whoever goes away in the midst of a statement leaves its answer to be read by the pool, which would wait for it
    // without end, and let nobody have the connection, nor another in its place.
    let silence = options.statement_timeout + options.patience;
    configured.map_sqlx_postgres_pool_opts(move |pool| {
        pool.after_release(move |connection, _| {
            Box::pin(async move {
                let answered = tokio::time::timeout(silence, connection.ping()).await;
                answered.unwrap_or(Err(SqlxError::PoolTimedOut)).map(|()| true)
            })
        })
    });
    configured
}
