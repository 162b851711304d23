//! Backups: made while others write, whole or refused, and restored on either database as what they were.

use std::collections::BTreeSet;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::process::{Command, Output, Stdio};
use std::time::{Duration, Instant};

use roster::database::{Database, Options};
use sea_orm::{ConnectionTrait, Statement};
use serde_json::{Value as Json, json};

use crate::support::{Ended, Home, Served, in_each_home, on_places, query_sql, run_sql};

fn text(path: &Path) -> String {
    path.display().to_string()
}

/// Checks that a command failed, and gives why.
#[track_caller]
fn refused(ended: &Ended) -> &str {
    assert_eq!((ended.code, ended.output.as_str()), (Some(2), ""), "{}", ended.error);
    &ended.error
}

const CREATE: &str = "mutation Create($name: String!, $email: String!) {
    createUser(input: { name: $name, email: $email }) { user { id } }
}";

/// All that can be exported: users, org units, and accounts that are with nobody.
fn exports(home: &Home) -> Vec<String> {
    let users = home.exported(&[]);
    vec![users, home.exported(&["--org-units"]), home.run(&["links", "export"]).output]
}

#[test]
fn a_backup_is_restored_on_the_other_kind_of_database_and_back_as_what_it_was() {
    let (sqlite, again) = (Home::new(), Home::new());
    sqlite.run(&["demo", "--users", "80"]);
    let first = text(&sqlite.path("first.backup"));
    let said = sqlite.run(&["backup", &first]);
    assert_eq!((said.code, said.output.as_str()), (Some(0), ""), "{}", said.error);
    let whole = exports(&sqlite);
    in_each_home(|other| {
        let restored = other.run(&["restore", &first]);
        assert_eq!(restored.code, Some(0), "{}", restored.error);
        assert_eq!(exports(other), whole);
        assert!(other.output_of(&["verify"]).starts_with("Sound: "));
        let second = text(&other.path("second.backup"));
        assert_eq!(other.run(&["backup", &second]).code, Some(0));
        let restored = again.run(&["restore", &second, "--replace", "--yes"]);
        assert_eq!(restored.code, Some(0), "{}", restored.error);
        assert_eq!(exports(&again), whole);
        assert_eq!(again.output_of(&["verify"]), sqlite.output_of(&["verify"]));
    });
}

#[test]
fn backups_that_are_made_while_others_write_are_sound() {
    in_each_home(|home| {
        home.run(&["demo", "--users", "50"]);
        let server = home.serve();
        let until = Instant::now() + Duration::from_secs(6);
        let writer = std::thread::spawn(move || {
            let mut written = 0;
            while Instant::now() < until {
                let (name, email) = (format!("Writer {written}"), format!("w{written}@corp.example"));
                server.ask(CREATE, json!({ "name": name, "email": email }));
                written += 1;
            }
            (server, written)
        });
        let mut heads = Vec::new();
        while Instant::now() < until {
            let file = text(&home.path(&format!("{}.backup", heads.len())));
            let made: Json = serde_json::from_str(&home.output_of(&["backup", &file, "--json"])).unwrap();
            heads.push((file, made["head"].as_str().unwrap().to_owned()));
        }
        let (server, written) = writer.join().unwrap();
        assert!(written > 0);
        for (file, head) in heads {
            let other = Home::new();
            let restored = other.run(&["restore", &file]);
            assert!(restored.error.ends_with(&format!(", head {head}\n")), "{}", restored.error);
            assert!(other.output_of(&["verify", "--head", &head]).starts_with("Sound: "));
            // What was there once is there still.
            assert!(home.output_of(&["verify", "--head", &head]).starts_with("Sound: "));
        }
        assert_eq!(server.stop().0, Some(0));
    });
}

#[test]
fn a_backup_that_is_not_whole_is_refused_and_nothing_is_changed() {
    in_each_home(|home| {
        home.run(&["demo", "--users", "10"]);
        let file = home.path("whole.backup");
        assert_eq!(home.run(&["backup", &text(&file)]).code, Some(0));
        let bytes = std::fs::read(&file).unwrap();
        let broken = home.path("broken.backup");
        let name = text(&broken);
        let before = home.output_of(&["verify"]);
        let try_with = |bytes: &[u8], says: &str| {
            std::fs::write(&broken, bytes).unwrap();
            for over in [&["restore", &*name][..], &["restore", &*name, "--replace", "--yes"]] {
                assert_eq!(refused(&home.run(over)), format!("roster: {name}: {says}\n"));
            }
            assert_eq!(home.output_of(&["verify"]), before);
        };
        let cut = "it does not end as a backup of Roster does: it was cut off, or is none";
        let altered = "its bytes are not those that were written: its SHA-256 is not the one in its last line";
        for length in [0, 1, 100, bytes.len() / 2, bytes.len() - 1] {
            try_with(&bytes[..length], cut);
        }
        let flipped = |at: usize| {
            let mut bytes = bytes.clone();
            bytes[at] ^= 1;
            bytes
        };
        for nth in 0..10 {
            try_with(&flipped(nth * (bytes.len() - 200) / 10 + 20), altered);
        }
        try_with(&flipped(bytes.len() - 80), cut);
        try_with(&flipped(bytes.len() - 10), altered);
        try_with(&[&bytes[..4096], &bytes[8192..]].concat(), altered);
        std::fs::remove_file(&broken).unwrap();
        let ended = home.run(&["restore", &name]);
        assert!(refused(&ended).ends_with("broken.backup: No such file or directory (os error 2)\n"), "{ended:?}");
    });
}

#[test]
fn a_backup_of_a_draft_that_was_at_work_is_restored_later() {
    in_each_home(|home| {
        home.run(&["demo", "--users", "10"]);
        let id = match home.database_url().starts_with("sqlite:") {
            true => "x'0000000000000000000000000000beef'",
            false => "'00000000-0000-0000-0000-00000000beef'",
        };
        let then = "'2020-01-01 00:00:00+00:00'";
        let draft = format!(
            "INSERT INTO import_draft (id, kind, state, actor, file_name, file_bytes, file_sha256, options, rows_done, \
             rows_total, leased_until, attempts, created_at, updated_at) VALUES ({id}, 'USERS', 'APPLYING', 'x', 'x', 0, \
             'x', '{{}}', 0, 0, {then}, 1, {then}, {then})"
        );
        assert_eq!(run_sql(&home.database_url(), &draft), 1);
        let file = text(&home.path("at_work.backup"));
        assert_eq!(home.run(&["backup", &file]).code, Some(0));
        let other = Home::new();
        let restored = other.run(&["restore", &file]);
        assert_eq!(restored.code, Some(0), "{}", restored.error);
        assert!(other.output_of(&["verify"]).starts_with("Sound: "));
    });
}

#[test]
fn a_backup_of_what_is_not_sound_is_kept_and_restored_where_somebody_says_so() {
    in_each_home(|home| {
        home.run(&["demo", "--users", "10"]);
        let edit = "UPDATE change SET after = after || ' ' WHERE changeset_number = 2 AND position = 0";
        assert_eq!(run_sql(&home.database_url(), edit), 1);
        let file = text(&home.path("unsound.backup"));
        let made = home.run(&["backup", &file, "--json"]);
        let says: Json = serde_json::from_str(&made.output).unwrap();
        assert_eq!((made.code, &says["findingCount"]), (Some(3), &json!(1)));
        let found = format!("{file}: the directory is not sound: 1 finding\nchange 2/0: EDITED ");
        assert!(made.error.starts_with(&found), "{}", made.error);
        let other = Home::new();
        let says = format!("roster: {file}: it holds 1 things that are wrong; ");
        let ended = other.run(&["restore", &file]);
        assert!(refused(&ended).starts_with(&says), "{ended:?}");
        let ended = other.run(&["restore", &file, "--unsound"]);
        assert_eq!(ended.code, Some(3));
        assert!(
            ended.error.ends_with("the directory is not sound: 1 finding; roster verify tells\n"),
            "{}",
            ended.error
        );
        assert_eq!(other.run(&["verify"]).output, home.run(&["verify"]).output);
        assert_eq!(exports(&other), exports(home));
    });
}

#[test]
fn what_was_revoked_and_who_was_erased_since_a_backup_do_not_come_back_with_it() {
    in_each_home(|home| {
        home.run(&["demo", "--users", "30"]);
        let made = home.output_of(&["token", "create", "--name", "ops", "--role", "admin", "--json"]);
        let token: Json = serde_json::from_str(&made).unwrap();
        let token = token["id"].as_str().unwrap();
        let server = home.serve();
        let users = server.ask("{ users(first: 2) { edges { node { id email } } } }", Json::Null);
        let [one, named] = [0, 1].map(|at| {
            let user = &users["users"]["edges"][at]["node"];
            ["id", "email"].map(|field| user[field].as_str().unwrap().to_owned())
        });
        let unit = server.ask(
            "mutation($input: CreateOrgUnitInput!) { createOrgUnit(input: $input) { orgUnit { id } } }",
            json!({ "input": { "name": "Named", "filter": { "email": { "equals": named[1] } } } }),
        );
        let file = text(&home.path("before.backup"));
        assert_eq!(home.run(&["backup", &file]).code, Some(0));
        server.ask(
            "mutation($id: ID!) { deleteOrgUnit(input: { id: $id }) { deletedOrgUnitId } }",
            json!({ "id": unit["createOrgUnit"]["orgUnit"]["id"] }),
        );
        assert_eq!(server.stop().0, Some(0));
        home.output_of(&["token", "revoke", token]);
        for [id, email] in [&one, &named] {
            home.output_of(&["erase", id, "--confirm", email]);
        }

        let restored = home.run(&["restore", &file, "--replace", "--yes"]);

        assert_eq!(restored.code, Some(3), "{}", restored.error);
        let lines: Vec<&str> = restored.error.lines().collect();
        assert_eq!(lines[1], "revoked 1 token again, as the directory before had it");
        let again = format!("erased {} again, as it was after the backup was made", one[0]);
        assert!(lines[2..].contains(&&*again), "{}", restored.error);
        let there = format!("{} was erased after the backup was made, and is there again: ", named[0]);
        assert!(lines[2..].iter().any(|line| line.starts_with(&there)), "{}", restored.error);
        let ops: Json = serde_json::from_str(&home.output_of(&["token", "list", "--json"])).unwrap();
        assert!(ops["id"] == token && ops["revokedAt"].is_string(), "{ops}");
        assert!(!exports(home).concat().contains(&one[1]));
        assert!(exports(home).concat().contains(&named[1]));
        assert!(home.output_of(&["verify"]).starts_with("Sound: "));
    });
}

#[test]
fn of_backups_that_are_restored_in_a_row_none_brings_anybody_back() {
    in_each_home(|home| {
        let [first, second] = ["first.backup", "second.backup"].map(|name| text(&home.path(name)));
        let server = home.serve();
        let ask = |server: &Served, operation: &str| server.ask(operation, Json::Null);
        ask(&server, "mutation { createIntegration(input: { kind: GITHUB, name: \"GitHub\" }) { version } }");
        let create =
            "mutation($email: String!) { createUser(input: { name: \"Perdita\", email: $email }) { user { id } } }";
        let create = |server: &Served, email: &str| {
            let made = server.ask(create, json!({ "email": email }));
            made["createUser"]["user"]["id"].as_str().unwrap().to_owned()
        };
        create(&server, "ann@corp.example");
        assert_eq!(home.run(&["backup", &first]).code, Some(0));
        // Perdita, whose account is not known to be hers yet, and one who is in the log alone.
        let hers = create(&server, "one@quill.example");
        ask(
            &server,
            "mutation { syncIntegrationAccounts(input: { integration: \"GitHub\", accounts: [{ externalId: \"7\", \
             username: \"quill77\" }] }) { version } }",
        );
        let gone = create(&server, "two@quill.example");
        let delete = "mutation($id: ID!) { deleteUser(input: { id: $id }) { version } }";
        let deleted = server.ask(delete, json!({ "id": gone }))["deleteUser"]["version"].clone();
        let made = home.output_of(&["token", "create", "--name", "ops", "--role", "admin", "--json"]);
        let token: Json = serde_json::from_str(&made).unwrap();
        assert_eq!(home.run(&["backup", &second]).code, Some(0));
        let link = "mutation($user: ID!, $account: ID!) { linkIntegrationAccount(input: { userId: $user, accountId: \
                    $account }) { version } }";
        let account = ask(
            &server,
            "{ resolveAccounts(accounts: [{ integration: \"GitHub\", externalId: \"7\" }]) { account { id } } }",
        );
        let account = &account["resolveAccounts"][0]["account"]["id"];
        server.ask(link, json!({ "user": hers, "account": account }));
        let undo = "mutation($number: Int!) { undoChangeset(input: { number: $number }) { applied } }";
        assert_eq!(server.ask(undo, json!({ "number": deleted }))["undoChangeset"]["applied"], true);
        assert_eq!(server.stop().0, Some(0));
        home.output_of(&["token", "revoke", token["id"].as_str().unwrap()]);
        home.output_of(&["erase", &hers, "--confirm", "one@quill.example"]);
        home.output_of(&["erase", &gone, "--confirm", "two@quill.example"]);

        for file in [&first, &second] {
            let restored = home.run(&["restore", file, "--replace", "--yes"]);
            assert_eq!(restored.code, Some(0), "{}", restored.error);
        }

        let tokens: Json = serde_json::from_str(&home.output_of(&["token", "list", "--json"])).unwrap();
        assert!(tokens["id"] == token["id"] && tokens["revokedAt"].is_string(), "{tokens}");
        let url = home.database_url();
        let log = "SELECT coalesce(before, '') || coalesce(after, '') FROM change";
        let log = query_sql(&url, log).concat();
        assert!(log.contains("ann@corp.example") && !log.contains("quill"), "{log}");
        assert_eq!(run_sql(&url, "UPDATE integration_account SET version = version"), 0);
        assert_eq!(run_sql(&url, "UPDATE \"user\" SET version = version"), 1);
        assert!(home.output_of(&["verify"]).starts_with("Sound: "));
    });
}

#[test]
fn nothing_that_is_there_goes_unless_somebody_says_so() {
    in_each_home(|home| {
        home.run(&["demo", "--users", "10"]);
        let file = home.path("a.backup");
        let name = text(&file);
        assert_eq!(home.run(&["backup", &name]).code, Some(0));
        let mode = std::fs::metadata(&file).unwrap().permissions().mode();
        assert_eq!(mode & 0o777, 0o600);
        let bytes = std::fs::read(&file).unwrap();
        let again = home.run(&["backup", &name]);
        assert_eq!(refused(&again), format!("roster: {name} is there already; --force replaces it\n"));
        assert_eq!(std::fs::read(&file).unwrap(), bytes);
        assert_eq!(home.run(&["backup", &name, "--force"]).code, Some(0));
        let held = home.run(&["restore", &name]);
        let says = refused(&held);
        assert!(says.starts_with("roster: the database holds "), "{says}");
        assert!(says.ends_with(" changesets, which would go; --replace --yes restores over them\n"), "{says}");
        assert_eq!(home.run(&["restore", &name, "--replace"]).code, Some(2));
        let server = home.serve();
        let used = home.run(&["restore", &name, "--replace", "--yes"]);
        assert_eq!(refused(&used), "roster: a server or another command uses the database; stop it first\n");
        assert_eq!(server.stop().0, Some(0));
        assert_eq!(home.run(&["restore", &name, "--replace", "--yes"]).code, Some(0));
    });
}

#[test]
fn a_backup_has_every_table() {
    on_places(async |url| {
        let options = Options::to(url);
        let database = Database::open(&options).await.unwrap();
        let from = database.readers();
        let sql = if url.starts_with("sqlite:") {
            "SELECT name FROM sqlite_master WHERE type = 'table' AND name NOT LIKE 'sqlite_%'"
        } else {
            "SELECT table_name::text AS name FROM information_schema.tables WHERE table_schema = 'public'"
        };
        let rows = from.query_all_raw(Statement::from_string(database.backend(), sql)).await.unwrap();
        let mut there: Vec<String> = rows.iter().map(|row| row.try_get("", "name").unwrap()).collect();
        there.retain(|name| name != "seaql_migrations");
        there.sort_unstable();
        let mut copied = roster::directory::backup_tables();
        copied.sort_unstable();
        assert_eq!(copied, there, "each table has its line in src/directory/backup/copy.rs");
        database.close().await.unwrap();
    });
}

/// What stands in a folder, but for what SQLite keeps beside the directory, which comes and goes.
fn entries(folder: &Path) -> BTreeSet<String> {
    let names = std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().file_name().into_string().unwrap());
    names.filter(|name| !name.starts_with("roster.db-")).collect()
}

/// Runs a command, and sends it a signal when something stands in a scratch folder in `folder`.
fn stopped(home: &Home, arguments: &[&str], folder: &Path, signal: &str) -> Output {
    let mut command = home.command(arguments);
    let child = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    let begun = || {
        let scratch = entries(folder).into_iter().find(|name| name.starts_with(".tmp"));
        let files = scratch.and_then(|name| std::fs::read_dir(folder.join(name)).ok()).into_iter().flatten();
        files.filter_map(|file| file.ok()?.metadata().ok()).any(|file| file.len() > 0)
    };
    let asked = Instant::now();
    while !begun() {
        assert!(asked.elapsed() < Duration::from_secs(60), "{arguments:?} writes nothing");
    }
    assert!(Command::new("kill").args([signal, &child.id().to_string()]).status().unwrap().success());
    child.wait_with_output().unwrap()
}

#[test]
fn a_command_that_is_stopped_leaves_no_copy_of_the_directory_behind() {
    in_each_home(|home| {
        home.run(&["demo", "--users", "1000"]);
        let kept = text(&home.path("kept.backup"));
        assert_eq!(home.run(&["backup", &kept]).code, Some(0));
        let users = home.exported(&[]);
        let both = || (entries(&home.path("")), entries(&home.data_dir()));
        let before = both();
        let backed_up = "stopped before the backup was whole";
        let restored = "stopped before it was known whether the backup is restored: all of it is, or nothing";
        for (arguments, folder, signal, why) in [
            (&["backup", "new.backup"][..], home.path(""), "-TERM", backed_up),
            (&["backup", "kept.backup", "--force"], home.path(""), "-INT", backed_up),
            (&["restore", "kept.backup", "--replace", "--yes"], home.data_dir(), "-TERM", restored),
            (&["restore", "kept.backup", "--replace", "--yes"], home.data_dir(), "-INT", restored),
        ] {
            let ended = stopped(home, arguments, &folder, signal);
            let said = String::from_utf8(ended.stderr).unwrap();
            assert_eq!((ended.status.code(), ended.stdout.as_slice()), (Some(2), &b""[..]), "{said}");
            assert!(said.contains(why), "{said}");
            assert_eq!(both(), before, "{arguments:?}");
        }
        assert_eq!(home.exported(&[]), users);
        let restored = home.run(&["restore", &kept, "--replace", "--yes"]);
        assert_eq!(restored.code, Some(0), "{}", restored.error);
    });
}
