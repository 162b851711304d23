//! The server: how soon it is ready, what it weighs, and how many pages it answers over HTTP.

use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use serde_json::{Value, json};

use crate::Place;
use crate::client::{Load, ask, load, pace, upload, wait_for};
use crate::data::{broad_roles, is};
use crate::process::memory;
use crate::table::Table;

/// How long each load lasts, in seconds.
pub(crate) const SECONDS: u64 = 10;

/// Rates of the server, for comparison.
pub(crate) struct Rates {
    /// Of the first page.
    pub(crate) page: Load,
    /// Of the first page with the total of a broad filter.
    pub(crate) total: Load,
}

/// A program that ends with this.
pub(crate) struct Running(pub(crate) Child);

impl Drop for Running {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// A port that nobody listens on.
pub(crate) fn free_port() -> u16 {
    std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port()
}

fn page(after: Option<&str>, filter: Option<&Value>, total: &str) -> Value {
    let query = format!(
        "query($after: String, $filter: UserFilter) {{ users(first: 50, after: $after, filter: $filter) {{ {total}
            edges {{ cursor node {{ id name email attributes {{ attribute {{ key }} text }}
                accounts {{ integration {{ name }} username email displayName }} }} }}
            pageInfo {{ hasNextPage endCursor }} }} }}"
    );
    json!({"query": query, "variables": {"after": after, "filter": filter}})
}

/// Starts the server on a directory and measures it.
pub(crate) async fn measure(
    table: &mut Table,
    place: &Place,
    deep_cursor: &str,
    (folder, next): (&Path, &Path),
) -> Rates {
    let port = free_port();
    let server = Command::new(env!("CARGO_BIN_EXE_roster"))
        .args([
            "serve",
            "--database-url",
            &place.url,
            "--listen",
            &format!("127.0.0.1:{port}"),
            "--log",
            "warn",
            "--auth",
            "none",
        ])
        .arg("--data-dir")
        .arg(folder)
        .env_remove("ROSTER_BENCH_USERS")
        .env_remove("ROSTER_BENCH_POSTGRES_URL")
        .stdout(Stdio::null())
        .spawn()
        .unwrap();
    let server = Running(server);
    let ready = wait_for(port, "/readyz").await;
    let process = server.0.id().to_string();
    let (now, peak) = (memory(&process, "VmRSS"), memory(&process, "VmHWM"));
    table.row(
        format!("start, {}", place.name),
        "ready <= 10 s; RSS <= 400 MB",
        format!("ready after {ready:.1} s; RSS {now:.0} MB, at most {peak:.0} MB"),
        ready <= 10.0 && now <= 400.0,
    );

    let first = page(None, None, "");
    let answer = ask(port, &first).await;
    let nodes = answer["data"]["users"]["edges"].as_array().map_or(0, Vec::len);
    assert_eq!((answer.get("errors"), nodes), (None, 50), "a whole page");
    let rate = load(port, &first, SECONDS).await;
    let deep = load(port, &page(Some(deep_cursor), None, ""), SECONDS).await;
    let filter = is("role", &json!({"in": broad_roles()}));
    let total = load(port, &page(None, Some(&filter), "totalCount"), SECONDS).await;
    table.note(
        format!("page of 50 users with attributes and accounts over HTTP, 32 connections, {}", place.name),
        rate.to_string(),
    );
    table.row(
        format!("page 10,000 by cursor, {}", place.name),
        "as fast as page 1",
        format!("{deep}, {:.2} of page 1", deep.rate / rate.rate),
        deep.rate >= 0.9 * rate.rate,
    );
    table.note(format!("page 1 with totalCount of a filter that a third pass, {}", place.name), total.to_string());
    table.note(format!("RSS after that, {}", place.name), format!("{:.0} MB", memory(&process, "VmRSS")));
    during_import(table, place, port, next).await;
    Rates { page: rate, total }
}

/// Asks for a page under a filter and for a preview, at leisure, alone and while a file is imported that changes one row
/// in a hundred.
async fn during_import(table: &mut Table, place: &Place, port: u16, next: &Path) {
    let filter = is("role", &json!({"in": broad_roles()}));
    let preview = json!({
        "query": "query($filter: UserFilter) { previewOrgUnit(input: {filter: $filter}) {
            members(first: 50) { totalCount edges { node { id name email } } } } }",
        "variables": {"filter": filter},
    });
    let bodies = [page(None, Some(&filter), "totalCount"), preview];
    for body in &bodies {
        assert_eq!(ask(port, body).await.get("errors"), None);
    }
    let (alone, ()) = pace(port, &bodies, tokio::time::sleep(Duration::from_secs(SECONDS))).await;
    let import = "mutation($file: Upload!) { importUsers(input: {file: $file}) { applied } }";
    let (during, answer) = pace(port, &bodies, upload(port, import, next)).await;
    assert_eq!(answer["data"]["importUsers"]["applied"], json!(true), "{answer}");
    let at = |times: &[f64], hundredth: usize| times[times.len() * hundredth / 100];
    let ratio = at(&during, 99) / at(&alone, 99);
    table.row(
        format!("page of 50 under a filter, and preview, while a file is imported, {}", place.name),
        "p99 <= 2x of when nothing else is done",
        format!(
            "{ratio:.1}x (p99 {:.1} ms, p50 {:.1} ms; alone {:.1} and {:.1} ms)",
            at(&during, 99),
            at(&during, 50),
            at(&alone, 99),
            at(&alone, 50)
        ),
        ratio <= 2.0,
    );
}
