//! Scripts for Node with packages from npm.

use std::process::Command;

use super::{Ended, Home, Served, ended, has, repository};

/// Runs a script of tests/audit against a server; gives nothing where there is no Node.
pub(crate) fn node(home: &Home, script: &str, server: &Served) -> Option<Ended> {
    node_in(home, "tests/audit", script, &[&format!("http://{}/graphql", server.address())])
}

/// Runs a script of a folder that has a package.json; gives nothing where there is no Node.
pub(crate) fn node_in(home: &Home, from: &str, script: &str, arguments: &[&str]) -> Option<Ended> {
    if !has(&["node", "npm"], "REQUIRE_NODE") {
        return None;
    }
    let folder = home.path("node");
    std::fs::create_dir(&folder).unwrap();
    for file in ["package.json", "package-lock.json", ".npmrc", script] {
        std::fs::copy(repository(from).join(file), folder.join(file)).unwrap();
    }
    let lock = std::fs::read_to_string(folder.join("package-lock.json")).unwrap();
    assert!(!lock.contains("\"resolved\""), "a lock that names a registry binds everybody to it");
    let run = |program: &str, arguments: &[&str]| {
        let mut command = Command::new(program);
        command.args(arguments).current_dir(&folder);
        ended(command, b"")
    };
    let installed = run("npm", &["ci", "--no-audit", "--no-fund"]);
    assert_eq!(installed.code, Some(0), "{installed:?}");
    Some(run("node", &[&[script], arguments].concat()))
}
