//! Downloads over a socket: what a client can know of a file, and when it knows that it has none.

use std::collections::BTreeMap;
use std::net::SocketAddr;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use clap::Parser;
use entity::attribute::AttributeType;
use roster::config::Config;
use roster::database::{Database, Options};
use roster::directory::csv::{ExportOptions, ImportOptions};
use roster::directory::{Clock, Directory, UserChange};
use roster::http::AppState;
use roster::http::server::{bind, serve};
use roster::serve::backend;
use sea_orm::ConnectionTrait;
use serde_json::{Value as Json, json};
use sha2::{Digest, Sha256};
use tempfile::TempDir;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpSocket, TcpStream};

use crate::support::{Site, attribute, cast, export, import, me, on_both, on_each, on_places};

/// A directory served on a socket.
struct Socket {
    address: SocketAddr,
    _folder: TempDir,
}

#[derive(Parser)]
struct Flags {
    #[command(flatten)]
    config: Config,
}

impl Socket {
    async fn open(directory: &Directory) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let config = Flags::parse_from(["roster", "--auth", "none"]).config;
        let state = AppState::new(backend(directory, &config).unwrap(), &config, folder.path().join("spool")).unwrap();
        let listener = bind("127.0.0.1:0".parse().unwrap(), config.sign_in.auth).await.unwrap();
        let address = listener.local_addr().unwrap();
        tokio::spawn(serve(listener, state, std::future::pending()));
        Self { address, _folder: folder }
    }

    /// All that comes back for a request on a connection of its own. `line` is path and version.
    async fn get(&self, line: &str, headers: &str) -> Raw {
        let mut stream = TcpStream::connect(self.address).await.unwrap();
        stream.write_all(request(line, headers).as_bytes()).await.unwrap();
        let mut bytes = Vec::new();
        stream.read_to_end(&mut bytes).await.unwrap();
        Raw::read(&bytes)
    }
}

fn request(line: &str, headers: &str) -> String {
    format!("GET {line}\r\nHost: localhost\r\n{headers}Connection: close\r\n\r\n")
}

/// A reply as it comes over the wire.
struct Raw {
    status: String,
    headers: BTreeMap<String, String>,
    body: Vec<u8>,
    /// What came after the last chunk; none where no last chunk came.
    trailers: Option<BTreeMap<String, String>>,
}

impl Raw {
    fn read(bytes: &[u8]) -> Self {
        let (head, mut rest) = split(bytes, b"\r\n\r\n").unwrap();
        let head = std::str::from_utf8(head).unwrap();
        let (status, head) = head.split_once("\r\n").unwrap();
        let mut reply = Self { status: status.to_owned(), headers: fields(head), body: Vec::new(), trailers: None };
        if reply.headers.get("transfer-encoding").is_none_or(|coding| coding != "chunked") {
            reply.body = rest.to_vec();
            return reply;
        }
        while let Some((size, after)) = split(rest, b"\r\n") {
            let size = usize::from_str_radix(std::str::from_utf8(size).unwrap(), 16).unwrap();
            if size == 0 {
                let end = std::str::from_utf8(after).unwrap();
                reply.trailers = Some(fields(end.strip_suffix("\r\n").unwrap()));
                break;
            }
            reply.body.extend_from_slice(&after[..size.min(after.len())]);
            rest = after.get(size + 2..).unwrap_or_default();
        }
        reply
    }

    fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name).map(String::as_str)
    }

    fn trailer(&self, name: &str) -> Option<&str> {
        self.trailers.as_ref()?.get(name).map(String::as_str)
    }

    /// The digest that the body has.
    fn digest(&self) -> String {
        format!("sha-256=:{}:", STANDARD.encode(Sha256::digest(&self.body)))
    }
}

fn split<'a>(bytes: &'a [u8], by: &[u8]) -> Option<(&'a [u8], &'a [u8])> {
    let at = bytes.windows(by.len()).position(|window| window == by)?;
    Some((&bytes[..at], &bytes[at + by.len()..]))
}

fn fields(text: &str) -> BTreeMap<String, String> {
    let fields = text.split("\r\n").filter_map(|line| line.split_once(": "));
    fields.map(|(name, value)| (name.to_ascii_lowercase(), value.to_owned())).collect()
}

const FILE: &str = "/export/users.csv HTTP/1.1";
const TRAILERS: &str = "TE: trailers\r\n";

#[test]
fn a_download_says_beforehand_and_afterwards_what_a_whole_file_is() {
    on_both(async |site: &Site| {
        cast(site).await;
        let (text, version) = (export(site).await, site.version().to_string());
        let socket = Socket::open(site).await;
        let reply = socket.get(FILE, TRAILERS).await;
        assert_eq!((reply.status.as_str(), reply.body.as_slice()), ("HTTP/1.1 200 OK", text.as_bytes()));
        assert_eq!((reply.header("roster-row-count"), reply.header("roster-version")), (Some("8"), Some(&*version)));
        assert_eq!(reply.header("trailer"), Some("Repr-Digest, Roster-Row-Count"));
        assert_eq!(reply.header("cache-control"), Some("no-store, no-transform"));
        assert_eq!(
            (reply.trailer("repr-digest"), reply.trailer("roster-row-count")),
            (Some(&*reply.digest()), Some("8"))
        );

        // Whoever does not say that it takes trailers gets none.
        let plain = socket.get(FILE, "").await;
        assert_eq!((&plain.body, plain.trailers), (&reply.body, Some(BTreeMap::new())));
        // A client of HTTP/1.0 knows by the length.
        let old = socket.get("/export/users.csv HTTP/1.0", "").await;
        assert_eq!(old.header("content-length"), Some(&*text.len().to_string()));
        assert_eq!((old.header("repr-digest"), old.header("trailer")), (Some(&*reply.digest()), None));
        assert_eq!((old.header("transfer-encoding"), &old.body), (None, &reply.body));

        let sample = socket.get("/export/sample.csv?delimiter=tab HTTP/1.1", TRAILERS).await;
        assert_eq!((sample.header("roster-row-count"), sample.trailer("roster-row-count")), (Some("2"), Some("2")));
        let asked = socket.get("/export/users.csv?template=true&delimiter=%09 HTTP/1.1", TRAILERS).await;
        assert_eq!((asked.trailer("repr-digest"), &asked.body), (Some(&*sample.digest()), &sample.body));
    });
}

#[test]
fn parameters_of_a_download_that_are_wrong_are_told_with_a_status_and_a_code() {
    on_both(async |site: &Site| {
        cast(site).await;
        let socket = Socket::open(site).await;
        for (parameters, status, code) in [
            ("columns=Nme", "400 Bad Request", "INVALID_INPUT"),
            ("orgUnit=Nowhere", "404 Not Found", "NOT_FOUND"),
            ("filter=%7B", "400 Bad Request", "INVALID_INPUT"),
            ("colums=Name", "400 Bad Request", "INVALID_INPUT"),
        ] {
            let reply = socket.get(&format!("/export/users.csv?{parameters} HTTP/1.1"), TRAILERS).await;
            let error: Json = serde_json::from_slice(&reply.body).unwrap();
            assert_eq!((reply.status, &error["error"]["code"]), (format!("HTTP/1.1 {status}"), &json!(code)));
            assert_eq!(reply.headers.get("roster-row-count"), None);
        }
    });
}

#[test]
fn an_export_that_the_database_fails_is_a_broken_transfer_and_no_file() {
    on_places(async |url: &str| {
        let options = Options { readers: 4, ..Options::to(url) };
        let directory = Directory::open(Database::open(&options).await.unwrap(), Clock::stepped()).await.unwrap();
        let rows: String = (0..2_500).map(|n| format!("User {n:05},u{n}@corp.example\n")).collect();
        import(&directory, format!("Name,Email\n{rows}"), ImportOptions::default()).await;
        // Behind the directory's back, so that the third piece of the export cannot be made.
        let fault = "DELETE FROM user_email WHERE email = 'u2200@corp.example';
            DELETE FROM \"user\" WHERE email = 'u2200@corp.example'";
        sea_orm::Database::connect(url).await.unwrap().execute_unprepared(fault).await.unwrap();

        let mut export = directory.export_users(&ExportOptions::default()).await.unwrap();
        let mut pieces = 0;
        let error = loop {
            match export.next().await {
                Ok(piece) => pieces += usize::from(piece.is_some()),
                Err(error) => break error,
            }
            assert!(pieces < 4, "the export does not end");
        };
        assert_eq!((error.code(), pieces), ("INTERNAL", 3));
        assert!(export.next().await.is_err(), "it does not look whole afterwards");

        let socket = Socket::open(&directory).await;
        let reply = socket.get(FILE, TRAILERS).await;
        assert_eq!((reply.status.as_str(), reply.header("roster-row-count")), ("HTTP/1.1 200 OK", Some("2500")));
        assert!(reply.body.starts_with(b"\"ID\",\"Name\",\"Email\"\n"));
        assert_eq!(reply.trailers, None, "the last chunk never comes");
        let old = socket.get("/export/users.csv HTTP/1.0", "").await;
        assert_eq!(old.status, "HTTP/1.0 500 Internal Server Error");
        assert!(!String::from_utf8_lossy(&old.body).contains("u1@corp.example"));
    });
}

#[test]
fn a_reader_that_pauses_holds_no_write_up_and_gets_the_version_that_it_asked_for() {
    on_each(async |site: &Site| {
        attribute(site, "Note", AttributeType::Text, &[]).await;
        // More than the buffers of a connection hold.
        let note = "x".repeat(30_000);
        let rows: String = (0..700).map(|n| format!("User {n:03},u{n}@corp.example,{note}\n")).collect();
        import(site, format!("Name,Email,Note\n{rows}"), ImportOptions::default()).await;
        let (text, version) = (export(site).await, site.version());
        let socket = Socket::open(site).await;
        let client = TcpSocket::new_v4().unwrap();
        client.set_recv_buffer_size(16 << 10).unwrap();
        let mut stream = client.connect(socket.address).await.unwrap();
        stream.write_all(request(FILE, TRAILERS).as_bytes()).await.unwrap();
        let mut bytes = vec![0; 1_000];
        stream.read_exact(&mut bytes).await.unwrap();
        for n in 0..100 {
            let old = site.find_user(&format!("u{n}@corp.example")).unwrap();
            if n % 2 == 0 {
                site.delete_user(&me(), old, None).await.unwrap();
            } else {
                let change = UserChange { name: Some("Renamed".into()), ..UserChange::default() };
                site.update_user(&me(), old, change).await.unwrap();
            }
        }
        assert_eq!(site.version(), version + 100);
        stream.read_to_end(&mut bytes).await.unwrap();
        let reply = Raw::read(&bytes);
        assert_eq!(reply.header("roster-version"), Some(&*version.to_string()));
        assert_eq!((reply.body.len(), reply.body == text.as_bytes()), (text.len(), true));
        assert_eq!(reply.trailer("repr-digest"), Some(&*reply.digest()));
    });
}
