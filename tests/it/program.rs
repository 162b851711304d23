//! The program itself: what it says, what it takes, and how it ends.

use std::io::{BufRead, BufReader, Read};
use std::net::{TcpListener, TcpStream};
use std::process::Stdio;
use std::time::Duration;

use serde_json::{Value as Json, json};

use crate::support::{Ended, Home, Served, ended, in_each_home, node, repository};

/// Checks that a command failed: nothing on standard output, and these lines on standard error.
#[track_caller]
fn failed(ended: &Ended, says: &str) {
    assert_eq!((ended.code, ended.output.as_str(), ended.error.as_str()), (Some(2), "", says));
}

#[test]
fn a_port_in_use_is_told_in_one_line_before_anything_is_made() {
    let home = Home::new();
    let taken = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = taken.local_addr().unwrap().to_string();
    let says = format!("roster: ROSTER_LISTEN: {address} is in use by another process\n");
    failed(&home.run(&["serve", "--listen", &address]), &says);
    assert!(!home.data_dir().exists());
}

#[test]
fn an_address_that_others_can_reach_is_refused_where_nobody_is_asked_who_they_are() {
    let home = Home::new();
    for address in ["0.0.0.0:0", "[::]:0", "192.0.2.1:80"] {
        let says = format!(
            "roster: ROSTER_LISTEN: {address} can be reached from other machines, and ROSTER_AUTH=none lets everybody do \
             everything; use 127.0.0.1 or [::1], or tokens\n"
        );
        failed(&home.run(&["serve", "--listen", address]), &says);
    }
}

#[test]
fn a_database_that_cannot_be_used_is_named_in_one_line_without_its_password() {
    let home = Home::new();
    let nowhere = format!("sqlite:{}/roster.db", home.path("no/such/folder").display());
    // Port 1 is never a database.
    let cases = [
        (
            "mysql://ann:secret@db/roster",
            "`mysql://ann@db/roster` is not a database Roster knows; write sqlite:PATH or postgres://USER@HOST/NAME",
        ),
        (
            "postgres://ann:secret@127.0.0.1:1/roster",
            "cannot open the database postgres://ann@127.0.0.1:1/roster: it cannot be reached, or does not let in more \
             connections",
        ),
        (
            &nowhere,
            &format!(
                "cannot open the database {nowhere}: Connection Error: error returned from database: (code: 14) unable \
                 to open database file"
            ),
        ),
    ];
    for (url, says) in cases {
        let serve = ["serve", "--listen", "127.0.0.1:0", "--pool-timeout", "200ms", "--database-url", url];
        failed(&home.run(&serve), &format!("roster: {says}\n"));
    }
    failed(
        &home.run(&["export", "--database-url", "x"]),
        &format!("roster: {}\n", cases[0].1.replace("mysql://ann@db/roster", "x")),
    );
}

#[test]
fn a_stop_signal_ends_the_server_in_good_time_whoever_is_connected() {
    in_each_home(|home| {
        let server = home.serve();
        let idle = TcpStream::connect(server.address()).unwrap();
        assert_eq!(server.get("/livez").status, 200);
        let (code, time) = server.stop();
        assert_eq!(code, Some(0));
        assert!(time < Duration::from_secs(10), "{time:?}");
        drop(idle);
    });
}

#[test]
fn without_a_command_it_serves_and_says_which_variables_mean_nothing() {
    let home = Home::new();
    let mut command = home.command(&[]);
    command.env("ROSTER_LISTEN", "127.0.0.1:0");
    let server = Served::start(command);
    assert_eq!(server.ask("{ directory { version } }", Json::Null)["directory"]["version"], 1);
    assert!(home.path("data/roster.db").exists());
    assert_eq!(server.stop().0, Some(0));
    let mut command = home.command(&["serve", "--listen", "0.0.0.0:0"]);
    command.env("ROSTER_LISTNE", "x");
    let said = ended(command, b"").error;
    assert!(said.starts_with("roster: ROSTER_LISTNE is no setting; see roster serve --help\n"), "{said}");
}

#[test]
fn where_the_directory_is_may_stand_before_or_after_the_command() {
    let home = Home::new();
    let elsewhere = home.path("elsewhere").display().to_string();
    home.output_of(&["--data-dir", &elsewhere, "demo", "--users", "3"]);
    assert!(home.path("elsewhere/roster.db").exists() && !home.data_dir().exists());
    let url = format!("sqlite://{elsewhere}/roster.db");
    assert_eq!(home.exported(&["--database-url", &url]), home.exported(&["--data-dir", &elsewhere]));
    assert!(home.exported(&["--data-dir", &elsewhere]).lines().count() > 3);
}

const FILE: &str = "Name,Email\nAnn Abel,ann@corp.example\nBen Brook,ben@corp.example\n";

#[test]
fn an_import_ends_with_0_when_it_is_done_1_for_a_wrong_file_and_2_for_a_wrong_command() {
    in_each_home(|home| {
        let (good, wrong) = (home.path("good.csv"), home.path("wrong.csv"));
        std::fs::write(&good, FILE).unwrap();
        std::fs::write(&wrong, FILE.replace("ben@corp.example", "ben")).unwrap();
        let (good, wrong) = (good.display().to_string(), wrong.display().to_string());

        let refused = home.run(&["import", &wrong]);
        assert_eq!((refused.code, refused.error.as_str()), (Some(1), ""));
        assert!(
            refused.output.starts_with(&format!(
                "{wrong}: 2 rows (UTF-8, `,` between cells)\n1 error, so nothing was changed.\n\
                 line 3, Email: NOT_AN_EMAIL "
            )),
            "{}",
            refused.output
        );

        let tried = home.run(&["import", &good, "--dry-run"]);
        assert_eq!((tried.code, tried.error.as_str()), (Some(0), ""));
        assert_eq!(
            tried.output,
            format!(
                "{good}: 2 rows (UTF-8, `,` between cells)\n\
                 A dry run: nothing was changed. This is what the import would do.\n\
                 Users: 2 created, 0 updated, 0 removed; 0 unchanged.\n"
            )
        );
        assert_eq!(home.exported(&[]).lines().count(), 1);

        let done = home.run_with(&["import", "-", "--json"], FILE.as_bytes());
        assert_eq!((done.code, done.error.as_str()), (Some(0), ""));
        let report: Json = serde_json::from_str(&done.output).unwrap();
        assert_eq!(
            ["applied", "dryRun", "version", "rows", "created", "unchanged", "errorCount"].map(|name| &report[name]),
            [&json!(true), &json!(false), &json!(2), &json!(2), &json!(2), &json!(0), &json!(0)]
        );
        let again = home.run_with(&["import", "-", "--mode", "replace"], FILE.as_bytes());
        assert!(again.output.starts_with("standard input: 2 rows"), "{}", again.output);
        assert!(again.output.ends_with("Users: 0 created, 0 updated, 0 removed; 2 unchanged.\n"), "{}", again.output);
        let half = FILE.split_inclusive('\n').take(2).collect::<String>();
        let guarded = home.run_with(&["import", "-", "--mode", "replace"], half.as_bytes());
        assert_eq!(guarded.code, Some(1));
        assert!(guarded.output.contains("REMOVALS_NOT_CONFIRMED"), "{}", guarded.output);
        let confirmed =
            home.run_with(&["import", "-", "--mode", "replace", "--confirm-removals", "1"], half.as_bytes());
        assert_eq!(confirmed.code, Some(0), "{}", confirmed.output);

        let missing = home.path("missing.csv").display().to_string();
        failed(
            &home.run(&["import", &missing]),
            &format!("roster: {missing}: No such file or directory (os error 2)\n"),
        );
        failed(
            &home.run(&["import", &good, "--confirm-removals", "1"]),
            "roster: --confirm-removals goes with --mode replace; --mode merge removes nobody\n",
        );
        assert_eq!(home.run(&["import"]).code, Some(2));
        assert_eq!(home.run(&["import", &good, "--mode", "sideways"]).code, Some(2));
    });
}

#[test]
fn an_export_whose_reader_has_seen_enough_ends_quietly() {
    let home = Home::new();
    home.output_of(&["demo", "--users", "1000"]);
    let mut command = home.command(&["export"]);
    let mut export = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    let mut first = String::new();
    // What is left is more than a pipe holds, so the program writes to a pipe that nobody reads.
    BufReader::with_capacity(16, export.stdout.take().unwrap()).read_line(&mut first).unwrap();
    assert!(first.starts_with("\"ID\",\"Name\",\"Email\",\"Department\""), "{first}");
    let mut said = String::new();
    export.stderr.take().unwrap().read_to_string(&mut said).unwrap();
    assert_eq!((export.wait().unwrap().code(), said.as_str()), (Some(0), ""));
}

#[test]
fn an_export_goes_to_a_file_and_what_it_selects_is_what_the_server_selects() {
    in_each_home(|home| {
        home.output_of(&["demo", "--users", "60"]);
        let file = home.path("users.csv");
        let name = file.display().to_string();
        let filter = r#"{"attribute":{"key":"level","is":{"atLeast":3}}}"#;
        let written = home.run(&["export", &name, "--filter", filter]);
        let text = std::fs::read_to_string(&file).unwrap();
        let rows = text.lines().count() - 1;
        assert!((5..60).contains(&rows));
        assert_eq!((written.code, written.output.as_str()), (Some(0), ""));
        assert!(written.error.starts_with(&format!("{name}: {rows} users, ")), "{}", written.error);
        assert_eq!(text, home.exported(&["--filter", filter]));
        let server = home.serve();
        let encoded: String = filter.bytes().map(|byte| format!("%{byte:02x}")).collect();
        assert_eq!(text, server.download(&format!("/export/users.csv?filter={encoded}")));
        assert_eq!(server.download("/export/sample.csv"), home.exported(&["--template"]));
        let wrong = home.run(&["export", "--filter", "{\"level\":3}"]);
        assert_eq!((wrong.code, wrong.output.as_str()), (Some(2), ""));
    });
}

#[test]
fn what_another_process_imports_is_in_the_next_answer_of_the_server() {
    in_each_home(|home| {
        let server = home.serve();
        let ask = || server.ask("{ directory { version } users { totalCount edges { node { name } } } }", Json::Null);
        assert_eq!(ask(), json!({ "directory": { "version": 1 }, "users": { "totalCount": 0, "edges": [] } }));
        assert_eq!(home.run_with(&["import", "-"], FILE.as_bytes()).code, Some(0));
        let names = json!([{ "node": { "name": "Ann Abel" } }, { "node": { "name": "Ben Brook" } }]);
        assert_eq!(ask(), json!({ "directory": { "version": 2 }, "users": { "totalCount": 2, "edges": names } }));
        server.ask(
            "mutation { createUser(input: {name: \"Cem\", email: \"cem@corp.example\"}) { version } }",
            Json::Null,
        );
        assert!(home.exported(&[]).contains(",Cem,cem@corp.example"));
        let refused = home.run(&["demo"]);
        assert_eq!(refused.code, Some(2), "the demo fills an empty directory only");
        assert_eq!(ask()["directory"]["version"], 3);
    });
}

#[test]
fn the_schema_is_printed_without_a_database_and_migrating_twice_does_no_harm() {
    let home = Home::new();
    let written = std::fs::read_to_string(repository("schema.graphql")).unwrap();
    assert_eq!(home.output_of(&["schema", "--database-url", "postgres://127.0.0.1:1/none"]), written);
    assert!(!home.data_dir().exists());
    for _ in 0..2 {
        let migrated = home.run(&["migrate"]);
        assert_eq!(
            (migrated.code, migrated.output.as_str(), migrated.error.as_str()),
            (Some(0), "", "the schema of the database is up to date\n")
        );
    }
}

/// The audit is that of the library `graphql-http`, which the authors of the GraphQL-over-HTTP draft keep.
#[test]
fn the_audit_of_graphql_over_http_has_nothing_to_complain_of() {
    let home = Home::new();
    let server = home.serve();
    let Some(audited) = node(&home, "audit.mjs", &server) else { return };
    assert_eq!((audited.code, audited.output.as_str()), (Some(0), "61 passed, 0 failed\n"), "{}", audited.error);
}

#[test]
fn a_changeset_is_undone_and_versions_are_compared_from_the_shell() {
    in_each_home(|home| {
        let (first, second) = (home.path("first.csv"), home.path("second.csv"));
        std::fs::write(&first, "Name,Email\nAnn,ann@corp.example\nBen,ben@corp.example\n").unwrap();
        std::fs::write(&second, "Name,Email\nAnna,ann@corp.example\n").unwrap();
        for file in [&first, &second] {
            home.output_of(&["import", &file.display().to_string()]);
        }
        let without_ids = |text: &str| {
            let line = |line: &str| line.split_once(" (usr_").map_or(line, |(start, _)| start).to_owned();
            text.lines().map(line).collect::<Vec<_>>()
        };
        assert_eq!(
            without_ids(&home.output_of(&["diff", "2"])),
            ["~ user ann@corp.example", "    name: \"Ann\" -> \"Anna\""]
        );
        let refused = home.run(&["undo", "2"]);
        assert_eq!((refused.code, refused.error.as_str()), (Some(1), ""));
        assert_eq!(
            without_ids(&refused.output),
            [
                "Nothing was changed. 1 record could go back, with --skip-blocked.",
                "Blocked: 1 record.",
                "user ann@corp.example"
            ]
        );
        assert!(refused.output.ends_with(": CHANGED_SINCE it has been changed since it was made, by changeset 3\n"));
        assert_eq!(
            home.output_of(&["undo", "3", "--dry-run"]),
            "A dry run: nothing was changed. 1 record would go back.\n"
        );
        let undone: Json = serde_json::from_str(&home.output_of(&["undo", "3", "--json"])).unwrap();
        assert_eq!(
            undone,
            json!({ "applied": true, "dryRun": false, "changeset": 4, "version": 4, "undoneCount": 1,
                    "droppedValueCount": 0, "blockedCount": 0, "blocked": [] })
        );
        assert_eq!(home.output_of(&["diff", "2"]), "", "all is as it was");
        assert_eq!(home.output_of(&["undo", "2"]), "Undone; 2 records went back, in changeset 5.\n");
        assert_eq!(home.output_of(&["undo", "2"]), "Nothing to undo; everything is as it was before.\n");
        let lines = home.output_of(&["diff", "1", "2", "--json"]);
        let made: Vec<Json> = lines.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
        assert_eq!(made.len(), 2);
        assert_eq!(made[0]["changes"][0], json!({ "path": "name", "before": null, "after": "Ann" }));
        assert_eq!((&made[1]["kind"], &made[1]["label"]), (&json!("CREATED"), &json!("ben@corp.example")));
        failed(&home.run(&["undo", "9"]), "roster: changeset `9` does not exist\n");
    });
}
