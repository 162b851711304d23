//! The load run: every row of the targets, measured in one go on made-up data, as one table.
//!
//! `ROSTER_BENCH_USERS` sets the size (1,000,000). `ROSTER_BENCH_POSTGRES_URL` names a PostgreSQL server on which a
//! database may be made and dropped again; without it the rows that need one are skipped. Where `npm` is found,
//! `PostGraphile` is installed into a temporary folder and serves the same data for comparison.
//!
//! What must be weighed alone runs in a process of its own: this program again, with the name of the work.
#![expect(
    clippy::unwrap_used,
    clippy::panic,
    clippy::print_stdout,
    clippy::disallowed_methods,
    reason = "a bench fails loudly, reads its own settings, and prints what it measured"
)]

mod answers;
mod client;
mod data;
mod pages;
mod postgraphile;
mod process;
mod sql;
mod table;
mod transfer;

use std::path::Path;

use sea_orm::ConnectionTrait;
use table::Table;

#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

/// Where the directory that is measured is kept.
struct Place {
    /// What the table calls it.
    name: &'static str,
    url: String,
}

fn main() {
    let arguments: Vec<String> = std::env::args().skip(1).filter(|argument| argument != "--bench").collect();
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build().unwrap();
    match arguments.iter().map(String::as_str).collect::<Vec<_>>().as_slice() {
        ["import", url, file] => runtime.block_on(transfer::import(url, Path::new(file))),
        ["undo", url, file, next] => runtime.block_on(transfer::undo(url, Path::new(file), Path::new(next))),
        ["export", url] => runtime.block_on(transfer::export(url)),
        ["fill", url] => runtime.block_on(data::fill(url)),
        ["answers", url] => runtime.block_on(answers::measure(url)),
        _ => runtime.block_on(everything()),
    }
}

async fn everything() {
    let users: u64 = std::env::var("ROSTER_BENCH_USERS").ok().and_then(|users| users.parse().ok()).unwrap_or(1_000_000);
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("users.csv");
    data::write_csv(users, &file, false);
    let next = folder.path().join("next.csv");
    data::write_csv(users, &next, true);
    let files = (file.as_path(), next.as_path());
    let mut table = Table::new(users);

    let sqlite = Place { name: "SQLite", url: format!("sqlite:{}", folder.path().join("roster.db").display()) };
    let imported = transfer::measure(&mut table, &sqlite, &file, users);
    let plain = sql::insert(folder.path(), &file).await;
    table.against_plain(&sqlite, "INSERT", imported, plain);
    let scratch = folder.path().join("scratch.db");
    let undone = Place { name: sqlite.name, url: format!("sqlite:{}", scratch.display()) };
    transfer::measure_undo(&mut table, &undone, files, users);
    for file in ["scratch.db", "scratch.db-wal", "scratch.db-shm"] {
        std::fs::remove_file(folder.path().join(file)).ok();
    }
    process::run(&["fill", &sqlite.url]);
    transfer::measure_export(&mut table, &sqlite, users, "3 accounts each");
    let answers = answers::tell(&mut table, &sqlite);
    pages::measure(&mut table, &sqlite, &answers.deep_cursor, (folder.path(), &next)).await;

    let Ok(server) = std::env::var("ROSTER_BENCH_POSTGRES_URL") else {
        table.skip("everything on PostgreSQL, and against it", "ROSTER_BENCH_POSTGRES_URL is not set");
        table.print();
        return;
    };
    let admin = sea_orm::Database::connect(&server).await.unwrap();
    let base = server.rsplit_once('/').map_or(server.as_str(), |(before, _)| before);
    let create = async |what: &str| {
        let name = format!("roster_{what}_{}", std::process::id());
        admin.execute_unprepared(&format!("CREATE DATABASE {name}")).await.unwrap();
        (Place { name: "PostgreSQL", url: format!("{base}/{name}") }, name)
    };
    let drop = async |name: String| {
        admin.execute_unprepared(&format!("DROP DATABASE {name} WITH (FORCE)")).await.unwrap();
    };
    let (postgres, name) = create("bench").await;
    let imported = transfer::measure(&mut table, &postgres, &file, users);
    let plain = sql::copy(&postgres.url, &file).await;
    table.against_plain(&postgres, "COPY", imported, plain);
    let (undone, scratch) = create("undo").await;
    transfer::measure_undo(&mut table, &undone, files, users);
    drop(scratch).await;
    process::run(&["fill", &postgres.url]);
    transfer::measure_export(&mut table, &postgres, users, "3 accounts each");
    let ours = pages::measure(&mut table, &postgres, &answers.deep_cursor, (folder.path(), &next)).await;
    sql::compare(&mut table, &postgres.url, &answers).await;
    postgraphile::compare(&mut table, &postgres.url, &ours).await;
    drop(name).await;
    table.print();
}
