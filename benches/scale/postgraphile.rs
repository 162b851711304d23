//! The same pages from `PostGraphile`, on the same tables and in the same run.

use std::path::Path;
use std::process::{Command, Stdio};

use serde_json::{Value, json};

use crate::client::{ask, load, wait_for};
use crate::data::broad_roles;
use crate::pages::{Rates, Running, SECONDS, free_port};
use crate::sql;
use crate::table::Table;

const VERSION: &str = "postgraphile@4.14.1";

fn page(list: &str, arguments: &str, total: &str) -> Value {
    let query = format!(
        "{{ {list}(first: 50{arguments}) {{ {total}
            edges {{ cursor node {{ id name email attributes
                integrationAccountsByUserId {{ nodes {{
                    integrationByIntegrationId {{ name }} username email displayName }} }} }} }}
            pageInfo {{ hasNextPage endCursor }} }} }}"
    );
    json!({"query": query})
}

fn install(folder: &Path) -> bool {
    let mut npm = Command::new("npm");
    npm.args(["install", "--prefix", ".", "--no-audit", "--no-fund", VERSION]).current_dir(folder);
    npm.stdout(Stdio::null()).stderr(Stdio::null()).status().is_ok_and(|status| status.success())
}

/// Serves the tables at `url` and compares.
pub(crate) async fn compare(table: &mut Table, url: &str, ours: &Rates) {
    const WORK: &str = "against PostGraphile";
    let folder = tempfile::tempdir().unwrap();
    if !install(folder.path()) {
        return table.skip(WORK, "npm cannot install PostGraphile here");
    }
    // What its pages need: the order by name as an index, and the broad filter as a function, which PostgreSQL inlines.
    let statements = [
        "CREATE INDEX bench_name ON \"user\" (name, id)".to_owned(),
        "CREATE FUNCTION users_in(roles text[]) RETURNS SETOF \"user\" LANGUAGE sql STABLE AS \
         $$ SELECT * FROM \"user\" WHERE attributes->>'role' = ANY (roles) ORDER BY name, id $$"
            .to_owned(),
        "ANALYZE".to_owned(),
    ];
    sql::run(url, &statements).await;
    let port = free_port();
    let process = Command::new(folder.path().join("node_modules/.bin/postgraphile"))
        .args(["--connection", url, "--schema", "public", "--host", "127.0.0.1", "--port", &port.to_string()])
        .args([
            "--disable-query-log",
            "--disable-graphiql",
            "--disable-default-mutations",
            "--cluster-workers",
            "2",
            "--no-setof-functions-contain-nulls",
        ])
        .envs([("NODE_ENV", "production"), ("GRAPHILE_ENV", "production")])
        .current_dir(folder.path())
        .stdout(Stdio::null())
        .spawn();
    let _running = Running(process.unwrap());
    wait_for(port, "/").await;
    let first = page("allUsers", ", orderBy: [NAME_ASC, ID_ASC]", "");
    let roles = serde_json::to_string(&broad_roles()).unwrap();
    let total = page("usersIn", &format!(", roles: {roles}"), "totalCount");
    for (list, query) in [("allUsers", &first), ("usersIn", &total)] {
        let answer = ask(port, query).await;
        let nodes = answer["data"][list]["edges"].as_array().map_or(0, Vec::len);
        assert_eq!(nodes, 50, "a whole page: {}", answer["errors"]);
    }
    let (page, total) = (load(port, &first, SECONDS).await, load(port, &total, 2 * SECONDS).await);
    for (what, target, least, ours, theirs) in [
        ("page of 50 users with attributes and accounts", ">= 3x", 3.0, ours.page, page),
        ("the same with totalCount of a filter that a third pass", ">= 100x", 100.0, ours.total, total),
    ] {
        let ratio = ours.rate / theirs.rate;
        table.row(
            format!("{what}, {WORK}, both on PostgreSQL"),
            target,
            format!("{ratio:.1}x ({:.0} against {:.1} requests/s)", ours.rate, theirs.rate),
            ratio >= least,
        );
    }
}
