//! Nothing is half applied and nothing is left behind, whatever stops the process.

mod journal;
mod migration;
mod rig;

use std::io::{Read, Write};
use std::net::{Shutdown, TcpStream};
use std::process::Command;

use serde_json::{Value as Json, json};

use crate::support::{Home, Random, Served, check_log, check_sqlite, goes_on, has, in_each_home};
pub(crate) use journal::keep_journals;
pub(crate) use migration::kill_migrations;
pub(crate) use rig::{APPLY, CREATE, FAULTS, FULL, Figures, IMPORT, Rig, WAYS, settled};
use rig::{CREATE_UNITS, draft_of};

#[test]
fn a_killed_import_is_applied_as_a_whole_or_not_at_all() {
    in_each_home(|home| {
        let mut rig = Rig::begin(home, 5_000);
        for kill in 0..20 {
            rig.kill(WAYS[kill % WAYS.len()]);
        }
        let figures = rig.end();
        assert_eq!((figures.kills, figures.before + figures.after), (20, 20));
        check_log(&home.database_url());
    });
}

/// Whether other processes can be traced, which Linux may let nobody but root do. `.ci/run` requires it.
pub(crate) fn can_trace() -> bool {
    if !has(&["strace"], "REQUIRE_STRACE") {
        return false;
    }
    let mut other = Command::new("sleep").arg("1").spawn().unwrap();
    let traced = Command::new("strace").args(["-o", "/dev/null", "-p", &other.id().to_string()]).output().unwrap();
    other.wait().unwrap();
    goes_on(traced.status.success(), "leave to trace other processes", "REQUIRE_STRACE")
}

#[test]
fn a_disk_that_fails_at_any_point_changes_nothing_and_needs_no_restart() {
    if !can_trace() {
        return;
    }
    for fault in FAULTS {
        let home = Home::new();
        let mut rig = Rig::begin(&home, 500);
        let mut number = 1;
        while rig.fail_at(fault, number, false) && rig.fail_at(fault, number, true) {
            check_sqlite(&home.database_url());
            number *= 2;
        }
        assert!(rig.end().before > 1, "none failed of {fault:?}");
        check_log(&home.database_url());
    }
}

#[test]
fn a_draft_that_a_killed_server_left_goes_on_by_itself() {
    in_each_home(|home| {
        let server = home.serve();
        let made = server.upload(CREATE, json!({ "id": "1" }), &many_users(5_000));
        let id = made["createImportDraft"]["draft"]["id"].clone();
        drop(server);
        let server = home.serve();
        assert_eq!(draft_of(&server, &id)["state"], "COMPARING");
        let draft = settled(&server, &id);
        assert_eq!([&draft["state"], &draft["created"]], [&json!("READY"), &json!(5_000)]);
        assert_eq!(version(&server), 1);
    });
}

#[test]
fn a_draft_of_org_units_that_a_killed_server_left_goes_on_by_itself() {
    in_each_home(|home| {
        let server = home.serve();
        let units: String = (0..5_000).map(|unit| format!("Unit {unit}\n")).collect();
        let made = server.upload(CREATE_UNITS, json!({}), format!("Name\n{units}").as_bytes());
        let id = made["createImportDraft"]["draft"]["id"].clone();
        drop(server);
        let server = home.serve();
        let draft = settled(&server, &id);
        assert_eq!([&draft["state"], &draft["created"]], [&json!("READY"), &json!(5_000)]);
        assert_eq!(version(&server), 1);
        server.ask(APPLY, json!({ "id": id }));
        assert_eq!(settled(&server, &id)["state"], "APPLIED");
        assert_eq!(version(&server), 2);
    });
}

/// A file of users nobody has.
pub(crate) fn many_users(count: usize) -> Vec<u8> {
    let rows = (0..count).map(|user| format!("User {user},user{user}@corp.example\n"));
    std::iter::once("Name,Email\n".to_owned()).chain(rows).collect::<String>().into_bytes()
}

fn version(server: &Served) -> Json {
    server.ask("{ directory { version } }", Json::Null)["directory"]["version"].take()
}

/// Sends some bytes and no more, and waits until the server ends the connection, too.
fn send(server: &Served, bytes: &[u8]) {
    let mut stream = TcpStream::connect(server.address()).unwrap();
    // The server may refuse before it has read everything.
    let sent = stream.write_all(bytes).and_then(|()| stream.shutdown(Shutdown::Write));
    let _ = sent.and_then(|()| stream.read_to_end(&mut Vec::new()));
}

#[test]
fn an_upload_that_does_not_arrive_as_a_whole_leaves_no_draft_no_file_and_no_user() {
    in_each_home(|home| {
        let server = home.serve();
        let mut random = Random::new();
        let file = many_users(5_000);
        for query in [IMPORT, CREATE] {
            let whole = server.upload_request(query, json!({ "id": Json::Null }), &file);
            for _ in 0..25 {
                // The last line break says nothing: without the four bytes before the end, the end has not come.
                send(&server, &whole[..random.below(whole.len() - 4)]);
            }
            let text = String::from_utf8(whole).unwrap();
            let says = text.lines().find(|line| line.starts_with("Content-Length: ")).unwrap();
            let length: usize = says.split(' ').nth(1).unwrap().parse().unwrap();
            for wrong in [length - 4, length / 2, 0] {
                send(&server, text.replacen(says, &format!("Content-Length: {wrong}"), 1).as_bytes());
            }
            let more = text.replacen(says, &format!("Content-Length: {}", 2 * length), 1);
            send(&server, &more.as_bytes()[..more.len() - 4]);
        }
        nothing_is_left(home, server);
    });
}

/// Lets the server finish what it is at, and looks for traces.
fn nothing_is_left(home: &Home, server: Served) {
    assert_eq!(server.stop().0, Some(0));
    rig::no_file_is_left(home);
    let server = home.serve();
    assert_eq!(server.ask("{ importDrafts { id } }", Json::Null)["importDrafts"], json!([]));
    assert_eq!(version(&server), 1);
}

#[test]
fn an_empty_file_changes_nothing_and_its_draft_says_what_is_wrong() {
    in_each_home(|home| {
        let server = home.serve();
        let report = server.upload(IMPORT, json!({}), b"")["importUsers"].take();
        assert_eq!([&report["applied"], &report["errorCount"]], [&json!(false), &json!(1)]);
        let made = server.upload(CREATE, json!({ "id": "1" }), b"");
        let draft = settled(&server, &made["createImportDraft"]["draft"]["id"]);
        assert_eq!([&draft["state"], &draft["isRefused"]], [&json!("READY"), &json!(true)]);
        assert_eq!(version(&server), 1);
        assert_eq!(server.stop().0, Some(0));
        rig::no_file_is_left(home);
    });
}
