//! Migrations that are killed, and servers that start together on an older schema.

use std::process::Stdio;
use std::thread::{scope, sleep};
use std::time::{Duration, Instant};

use migration::{Migrator, MigratorTrait};
use roster::database::{Database, Options};
use serde_json::Value as Json;

use crate::support::{Home, Random, Served, check_log, in_each_home, query_sql, run_sql};

use super::many_users;

/// All columns of all tables, and the steps that were taken.
fn schema(home: &Home) -> Vec<String> {
    let url = home.database_url();
    let columns = if url.starts_with("sqlite:") {
        "SELECT t.name || '.' || c.name FROM sqlite_master t, pragma_table_info(t.name) c WHERE t.type = 'table' ORDER BY 1"
    } else {
        "SELECT table_name || '.' || column_name FROM information_schema.columns WHERE table_schema = 'public' ORDER BY 1"
    };
    [query_sql(&url, columns), query_sql(&url, "SELECT version FROM seaql_migrations ORDER BY 1")].concat()
}

/// Takes back the step that makes the chain of the log, and what came after it.
fn make_older(home: &Home) {
    let url = home.database_url();
    run_sql(&url, "DROP TABLE erased_change; DROP TABLE erased_record");
    run_sql(&url, "DELETE FROM seaql_migrations WHERE version > 'm20261122_000013'");
    tokio::runtime::Runtime::new().unwrap().block_on(async {
        let database = sea_orm::Database::connect(url).await.unwrap();
        Migrator::down(&database, Some(1)).await.unwrap();
        database.close().await.unwrap();
    });
}

fn user_count(server: &Served) -> Json {
    server.ask("{ users(first: 1) { totalCount } }", Json::Null)["users"]["totalCount"].take()
}

/// Kills the migration of a directory of so many users at so many random moments. Gives after how many of them the
/// schema was the new one.
pub(crate) fn kill_migrations(home: &Home, users: usize, kills: usize) -> usize {
    assert_eq!(home.run_with(&["import", "-"], &many_users(users)).code, Some(0));
    let new = schema(home);
    make_older(home);
    let old = schema(home);
    assert_ne!(old, new);
    let begun = Instant::now();
    assert_eq!(home.run(&["migrate"]).code, Some(0));
    let duration = begun.elapsed();
    assert_eq!(schema(home), new);
    make_older(home);
    let (mut random, mut done) = (Random::new(), 0);
    for _ in 0..kills {
        let mut migrate = home.command(&["migrate"]).stderr(Stdio::null()).spawn().unwrap();
        sleep(Duration::from_micros(random.below(duration.as_micros() as usize * 11 / 10) as u64));
        migrate.kill().unwrap();
        migrate.wait().unwrap();
        let found = schema(home);
        assert!(found == old || found == new, "neither the old schema nor the new one: {found:?}");
        if found == new {
            done += 1;
            make_older(home);
        }
    }
    scope(|threads| {
        let both = [(); 2].map(|()| threads.spawn(|| home.serve()));
        for server in both.map(|server| server.join().unwrap()) {
            assert_eq!(user_count(&server), users);
        }
    });
    assert_eq!(schema(home), new);
    assert!(home.output_of(&["verify"]).starts_with("Sound: "));
    check_log(&home.database_url());
    done
}

#[test]
fn a_killed_migration_leaves_the_old_schema_or_the_new_one_and_two_servers_can_start_on_either() {
    in_each_home(|home| {
        kill_migrations(home, 1_000, 5);
    });
}

#[test]
fn a_start_waits_for_whoever_writes_where_the_schema_is_older_and_only_there() {
    in_each_home(|home| {
        drop(home.serve());
        let runtime = tokio::runtime::Runtime::new().unwrap();
        let _entered = runtime.enter();
        let options = Options { readers: 1, ..Options::to(home.database_url()) };
        let database = runtime.block_on(Database::open(&options)).unwrap();
        let writing = runtime.block_on(database.begin_write()).unwrap();
        assert_eq!(home.exported(&[]), "\"ID\",\"Name\",\"Email\"\n");
        runtime.block_on(writing.rollback()).unwrap();
        let new = schema(home);
        make_older(home);
        let writing = runtime.block_on(database.begin_write()).unwrap();
        scope(|threads| {
            let migrating = threads.spawn(|| home.run(&["migrate"]));
            // Longer than anything else waits.
            sleep(Duration::from_secs(5));
            assert!(!migrating.is_finished());
            runtime.block_on(writing.rollback()).unwrap();
            assert_eq!(migrating.join().unwrap().code, Some(0));
        });
        assert_eq!(schema(home), new);
        runtime.block_on(database.close()).unwrap();
    });
}

#[test]
fn an_older_program_says_that_it_is_and_leaves_the_schema_alone() {
    in_each_home(|home| {
        drop(home.serve());
        let later = "INSERT INTO seaql_migrations (version, applied_at) VALUES ('m29991231_000001_later', 1)";
        run_sql(&home.database_url(), later);
        let before = schema(home);
        let message = "roster: the database has schema steps that this version of Roster does not know \
                       (m29991231_000001_later); use a newer version\n";
        for command in [&["migrate"][..], &["serve", "--listen", "127.0.0.1:0"], &["export"]] {
            let ended = home.run(command);
            assert!(ended.code == Some(2) && ended.error.ends_with(message), "{command:?}: {ended:?}");
        }
        assert_eq!(schema(home), before);
    });
}
