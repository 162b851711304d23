//! Databases that cannot be used, and starts that collide: what is said, and that nothing is harmed.

use std::time::Duration;

use roster::database::{Database, OpenError, Options};
use roster::directory::{Clock, Directory};
use sea_orm::{ConnectionTrait, DbBackend, Statement};

use crate::support::on_places;

fn options(url: &str) -> Options {
    Options::to(url)
}

#[test]
fn a_database_that_a_newer_roster_has_migrated_is_left_alone() {
    on_places(async |url| {
        let database = Database::open(&options(url)).await.unwrap();
        let write = database.begin_write().await.unwrap();
        write
            .execute_unprepared(
                "INSERT INTO seaql_migrations (version, applied_at) VALUES ('m29991231_000001_later', 1)",
            )
            .await
            .unwrap();
        database.commit(write).await.unwrap();
        database.close().await.unwrap();
        for _ in 0..2 {
            let error = Database::open(&options(url)).await.unwrap_err();
            assert!(matches!(&error, OpenError::Newer(step) if step == "m29991231_000001_later"), "{error:?}");
            assert!(error.to_string().ends_with("(m29991231_000001_later); use a newer version"), "{error}");
        }
    });
}

#[test]
fn an_address_of_no_known_kind_is_refused_by_name_and_without_its_password() {
    on_places(async |_| {
        for (url, shown) in
            [("mysql://ann:secret@db/roster", "mysql://ann@db/roster"), ("roster.db", "roster.db"), ("", "")]
        {
            let error = Database::open(&options(url)).await.unwrap_err();
            assert!(matches!(&error, OpenError::UnknownKind(named) if named == shown), "{error:?}");
            assert!(!format!("{error} {error:?}").contains("secret"));
        }
    });
}

#[test]
fn a_database_that_cannot_be_reached_is_named_without_its_password() {
    on_places(async |_| {
        let folder = tempfile::tempdir().unwrap();
        let missing = format!("sqlite:{}/no/such/folder/roster.db", folder.path().display());
        // Port 1 is never a database.
        for url in [missing.as_str(), "postgres://ann:secret@127.0.0.1:1/roster"] {
            let patience = Duration::from_secs(2);
            let error = Database::open(&Options { patience, ..options(url) }).await.unwrap_err();
            assert!(matches!(error, OpenError::Unreachable { .. }), "{error:?}");
            assert!(!error.to_string().contains("secret"), "{error}");
        }
    });
}

#[test]
fn processes_that_start_together_on_an_empty_database_agree() {
    on_places(async |url| {
        let database = Database::open(&options(url)).await.unwrap();
        let write = database.begin_write().await.unwrap();
        for table in [
            "token",
            "erased_change",
            "erased_record",
            "merge_decision",
            "association_rules",
            "user_merged_id",
            "integration_run",
            "integration_state",
            "integration_credential",
            "import_draft_chunk",
            "import_draft_change",
            "import_draft_problem",
            "import_draft",
            "column_mapping",
            "org_unit_pin",
            "org_unit",
            "integration_account",
            "integration",
            "user_email",
            "\"user\"",
            "attribute",
            "change",
            "changeset",
            "seaql_migrations",
        ] {
            write.execute_unprepared(&format!("DROP TABLE {table}")).await.unwrap();
        }
        database.commit(write).await.unwrap();
        database.close().await.unwrap();

        let mut starts = tokio::task::JoinSet::new();
        for _ in 0..6 {
            let options = options(url);
            starts.spawn(async move {
                let database = Database::open(&options).await.unwrap();
                Directory::open(database, Clock::default()).await.unwrap()
            });
        }
        for directory in starts.join_all().await {
            directory.refresh().await.unwrap();
            assert_eq!(directory.version(), 1);
            let keys: Vec<String> = directory.index().attributes().iter().map(|row| row.key.clone()).collect();
            assert_eq!(keys, ["name", "email", "integration"]);
            directory.database().clone().close().await.unwrap();
        }
    });
}

#[test]
fn a_sqlite_database_is_durable_and_checks_its_references() {
    on_places(async |url| {
        let database = Database::open(&options(url)).await.unwrap();
        if url.starts_with("sqlite:") {
            let write = database.begin_write().await.unwrap();
            for (pragma, value) in [("journal_mode", "wal"), ("synchronous", "2"), ("foreign_keys", "1")] {
                let sql = format!("SELECT CAST({pragma} AS TEXT) AS value FROM pragma_{pragma}");
                let statement = Statement::from_string(database.backend(), sql);
                let row = write.query_one_raw(statement).await.unwrap().unwrap();
                assert_eq!(row.try_get::<String>("", "value").unwrap(), value, "{pragma}");
            }
            write.rollback().await.unwrap();
            let refusal = database.readers().execute_unprepared("DELETE FROM changeset").await;
            assert!(refusal.is_err(), "readers cannot write");
        }
        database.close().await.unwrap();
    });
}

/// What sqlx 0.9.0 does not see to by itself on PostgreSQL: its issue 4385.
#[test]
fn a_write_that_was_given_up_while_it_began_leaves_no_transaction_open() {
    on_places(async |url| {
        let database = Database::open(&options(url)).await.unwrap();
        let other = Database::open(&options(url)).await.unwrap();
        for micros in 0..200 {
            // It is given up at some moment of its beginning, or begins and is rolled back.
            let patience = Duration::from_micros(10 * micros);
            let _ = tokio::time::timeout(patience, database.begin_side_write()).await;
            let mut looks = 0;
            while has_open_transactions(&other).await {
                looks += 1;
                assert!(looks < 100, "given up after {patience:?}");
                tokio::time::sleep(Duration::from_millis(20)).await;
            }
        }
        for database in [database, other] {
            database.begin_write().await.unwrap().rollback().await.unwrap();
            database.close().await.unwrap();
        }
    });
}

/// Whether a connection of somebody else does nothing within a transaction.
async fn has_open_transactions(database: &Database) -> bool {
    if database.backend() != DbBackend::Postgres {
        return false;
    }
    let sql = "SELECT pid FROM pg_stat_activity WHERE datname = current_database() AND state = 'idle in transaction'";
    let statement = Statement::from_string(DbBackend::Postgres, sql);
    database.readers().query_one_raw(statement).await.unwrap().is_some()
}
