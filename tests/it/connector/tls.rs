//! Certificates: a server that the machine trusts is asked, and any other is refused before it hears anything.

use std::io::{BufRead, BufReader};
use std::process::{Command, Stdio};

use entity::integration::IntegrationKind::GitLab;
use roster::connector::ErrorKind;
use serde_json::json;

use super::stand_in::{Reading, reading};
use crate::support::{ended, has, size};

/// The variable by which this program, called anew, learns which port to ask.
const PORT: &str = "ROSTER_TLS_PORT";

async fn ask(port: usize) -> Reading {
    reading(GitLab, json!({ "baseUrl": format!("https://127.0.0.1:{port}") })).await
}

#[test]
fn a_certificate_is_checked_against_what_the_machine_trusts() {
    if !has(&["openssl"], "REQUIRE_CURL") {
        return;
    }
    let folder = tempfile::tempdir().unwrap();
    let path = |name: &str| folder.path().join(name).display().to_string();
    let make = "req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -days 2 -subj /CN=stand-in \
                -addext subjectAltName=IP:127.0.0.1 -addext basicConstraints=critical,CA:FALSE";
    let mut openssl = Command::new("openssl");
    openssl.args(make.split_whitespace()).args(["-keyout", &path("key.pem"), "-out", &path("cert.pem")]);
    let made = ended(openssl, b"");
    assert_eq!(made.code, Some(0), "{made:?}");
    let port = { std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port() };
    let mut server = Command::new("openssl")
        .args(["s_server", "-www", "-accept", &format!("127.0.0.1:{port}")])
        .args(["-cert", &path("cert.pem"), "-key", &path("key.pem")])
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    let said = BufReader::new(server.stdout.take().unwrap()).lines().map_while(Result::ok);
    assert!(said.into_iter().any(|line| line == "ACCEPT"), "it does not listen");

    // What a machine trusts is read from its environment, so each machine is a process.
    let machine = |trusted: &str| {
        let mut command = Command::new(std::env::current_exe().unwrap());
        command.args(["--exact", "connector::tls::what_another_machine_says", "--nocapture"]);
        command.env(PORT, port.to_string()).env("SSL_CERT_FILE", trusted).env_remove("SSL_CERT_DIR");
        ended(command, b"").output
    };
    let (trusting, other) = (machine(&path("cert.pem")), machine("/dev/null"));
    server.kill().unwrap();
    server.wait().unwrap();
    // The server shows a page about the connection, which is no reply of GitLab's.
    assert!(trusting.contains("says: Malformed, 0 waits: the reply is a web page"), "{trusting}");
    assert!(
        other.contains("says: Unreachable, 0 waits: no connection can be made: invalid peer certificate"),
        "{other}"
    );
    assert!(other.contains("trust the authority"), "{other}");
}

/// Of use when it is called by the test above; else nothing is asked.
#[tokio::test]
async fn what_another_machine_says() {
    let Some(port) = size(PORT) else { return };
    let read = ask(port).await;
    let kind: ErrorKind = read.error().kind();
    println!("says: {kind:?}, {} waits: {}", read.waits.len(), read.error());
}
