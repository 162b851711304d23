//! A disk that is full: what is told, that nothing is half done, and that all goes on when there is room again.

use std::process::Command;

use roster::directory::csv::ImportOptions;
use roster::directory::{Directory, Error};
use sea_orm::ConnectionTrait;
use serde_json::{Value as Json, json};

use crate::kill::{APPLY, CREATE, FULL, IMPORT, settled};
use crate::support::{Home, Served, Site, export, file, import, me, on_each, on_sqlite, say_skipped, tables, user};

/// A file of users nobody has.
fn users(count: usize) -> String {
    let rows = (0..count).map(|user| format!("User {user},user{user}@corp.example\n"));
    std::iter::once("Name,Email\n".to_owned()).chain(rows).collect()
}

#[track_caller]
fn check(error: &Error) {
    assert_eq!((error.code(), error.is_retryable(), error.to_string().as_str()), ("UNAVAILABLE", true, FULL));
}

async fn import_fails(directory: &Directory) {
    check(&directory.import_users(&me(), file(users(5_000)), ImportOptions::default()).await.unwrap_err());
}

/// How many pages the database file may have, as long as the connection that writes is the same.
async fn may_have(site: &Site, pages: u32) {
    let write = site.database().begin_write().await.unwrap();
    write.execute_unprepared(&format!("PRAGMA max_page_count = {pages}")).await.unwrap();
    site.database().commit(write).await.unwrap();
}

#[test]
fn a_transaction_that_the_database_ends_by_itself_keeps_nobody_from_writing() {
    on_each(async |site: &Site| {
        let write = site.database().begin_write().await.unwrap();
        // As SQLite does where a statement finds no room.
        write.execute_unprepared("ROLLBACK").await.unwrap();
        drop(write);
        user(site, "Ann", "ann@corp.example", json!({})).await;
        assert_eq!(site.version(), 2);
    });
}

#[test]
fn a_database_that_may_not_grow_changes_nothing_and_the_same_import_succeeds_when_it_may() {
    on_sqlite(async |site: &Site| {
        user(site, "Ann", "ann@corp.example", json!({})).await;
        let before = (site.version(), export(site).await, tables(site).await);
        may_have(site, 100).await;
        import_fails(site).await;
        import_fails(site).await;
        assert_eq!((site.version(), export(site).await, tables(site).await), before);
        may_have(site, u32::MAX - 1).await;
        assert_eq!(import(site, users(5_000), ImportOptions::default()).await.created, 5_000);
    });
}

#[test]
fn a_database_that_says_that_its_disk_is_full_changes_nothing_and_the_same_import_succeeds_later() {
    on_each(async |site: &Site| {
        if site.url().starts_with("sqlite:") {
            return;
        }
        user(site, "Ann", "ann@corp.example", json!({})).await;
        let before = (site.version(), export(site).await, tables(site).await);
        for code in ["53100", "58030"] {
            let full = format!(
                "CREATE FUNCTION full_disk() RETURNS trigger LANGUAGE plpgsql AS \
                 $$ BEGIN RAISE EXCEPTION 'could not extend file' USING ERRCODE = '{code}'; END $$; \
                 CREATE TRIGGER full_disk BEFORE INSERT ON user_email FOR EACH STATEMENT EXECUTE FUNCTION full_disk();"
            );
            site.database().readers().execute_unprepared(&full).await.unwrap();
            import_fails(site).await;
            assert_eq!((site.version(), export(site).await, tables(site).await), before);
            let room = "DROP TRIGGER full_disk ON user_email; DROP FUNCTION full_disk();";
            site.database().readers().execute_unprepared(room).await.unwrap();
        }
        assert_eq!(import(site, users(5_000), ImportOptions::default()).await.created, 5_000);
    });
}

/// The largest file that a process may write from now on.
fn limit(server: &Served, bytes: &str) -> bool {
    let id = server.id().to_string();
    Command::new("prlimit").args(["--pid", &id, &format!("--fsize={bytes}")]).status().is_ok_and(|done| done.success())
}

fn version(server: &Served) -> Json {
    server.ask("{ directory { version } users(first: 1) { totalCount } }", Json::Null)
}

#[test]
fn a_server_whose_files_may_not_grow_reads_on_and_writes_again_without_a_restart() {
    let home = Home::new();
    let serve = home.command(&["serve", "--listen", "127.0.0.1:0"]);
    // Without this, the first write beyond the limit ends the process.
    let mut patient = Command::new("sh");
    patient.args(["-c", "trap '' XFSZ; exec \"$0\" \"$@\""]).arg(serve.get_program()).args(serve.get_args());
    patient.env_clear().envs(serve.get_envs().filter_map(|(name, value)| Some((name, value?))));
    let server = Served::start(patient);
    let (few, many) = (users(10), users(20_000));
    assert_eq!(server.upload(IMPORT, json!({}), few.as_bytes())["importUsers"]["applied"], true);
    let drafted =
        server.upload(CREATE, json!({ "id": "1" }), many.as_bytes())["createImportDraft"]["draft"]["id"].take();
    assert_eq!(settled(&server, &drafted)["state"], "READY");
    let before = version(&server);

    if !limit(&server, "4194304:") {
        say_skipped("a limit on the size of files (install prlimit)");
        return;
    }
    for request in [
        server.upload_request(IMPORT, json!({}), many.as_bytes()),
        server.operation(APPLY, json!({ "id": drafted })),
        server.upload_request(IMPORT, json!({}), many.as_bytes()),
    ] {
        let error = server.refusal(&request);
        assert_eq!([&error["message"], &error["extensions"]["code"]], [&json!(FULL), &json!("UNAVAILABLE")]);
        assert_eq!(error["extensions"]["retryable"], true);
        assert_eq!(version(&server), before, "reads go on, and nothing is half applied");
        assert_eq!(server.get("/readyz").status, 200);
    }

    assert!(limit(&server, "unlimited:"));
    assert_eq!(settled(&server, &drafted)["state"], "READY");
    server.ask(APPLY, json!({ "id": drafted }));
    assert_eq!(settled(&server, &drafted)["state"], "APPLIED");
    let report = server.upload(IMPORT, json!({}), many.as_bytes())["importUsers"].take();
    assert_eq!([&report["applied"], &report["errorCount"]], [&json!(true), &json!(0)]);
    assert_eq!(version(&server)["users"]["totalCount"], 20_000);
    let restarted = (server.stop().0, version(&home.serve()));
    assert_eq!((restarted.0, &restarted.1["users"]["totalCount"]), (Some(0), &json!(20_000)));
    crate::support::check_sqlite(&home.database_url());
    crate::support::check_log(&home.database_url());
}
