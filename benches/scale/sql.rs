//! The same work left to PostgreSQL: counting a filter over `jsonb`, and taking in the file.

use std::path::Path;
use std::time::Instant;

use sea_orm::sqlx::postgres::{PgPool, PgPoolCopyExt, PgPoolOptions};
use sea_orm::sqlx::{AssertSqlSafe, query, query_scalar};

use crate::answers::Answers;
use crate::data::{ATTRIBUTES, broad_roles, three_values};
use crate::table::Table;

async fn connect(url: &str) -> PgPool {
    PgPoolOptions::new().max_connections(1).connect(url).await.unwrap()
}

/// Runs statements.
pub(crate) async fn run(url: &str, statements: &[String]) {
    let pool = connect(url).await;
    for statement in statements {
        query(AssertSqlSafe(statement.clone())).execute(&pool).await.unwrap();
    }
    pool.close().await;
}

/// Takes the file into one plain table, which is dropped again. Gives the seconds.
pub(crate) async fn copy(url: &str, file: &Path) -> f64 {
    let pool = connect(url).await;
    let columns = ATTRIBUTES.map(|(title, _)| format!("\"{title}\" text")).join(", ");
    let table = format!("CREATE TABLE plain (name text, email text, {columns})");
    query(AssertSqlSafe(table)).execute(&pool).await.unwrap();
    let at = Instant::now();
    let mut copy = pool.copy_in_raw("COPY plain FROM STDIN (FORMAT csv, HEADER)").await.unwrap();
    copy.read_from(tokio::fs::File::open(file).await.unwrap()).await.unwrap();
    copy.finish().await.unwrap();
    let seconds = at.elapsed().as_secs_f64();
    query("DROP TABLE plain").execute(&pool).await.unwrap();
    pool.close().await;
    seconds
}

fn quoted(values: &[String]) -> String {
    values.iter().map(|value| format!("'{value}'")).collect::<Vec<_>>().join(", ")
}

fn three_conditions(number: u64) -> String {
    let (departments, roles, location) = three_values(number);
    format!(
        "attributes->>'department' IN ({}) AND attributes->>'role' IN ({}) \
         AND attributes->>'location' IS DISTINCT FROM '{location}'",
        quoted(&departments),
        quoted(&roles)
    )
}

/// Median milliseconds of counting each of some filters.
async fn median(pool: &PgPool, conditions: impl Iterator<Item = String>) -> f64 {
    let mut times = Vec::new();
    for condition in conditions {
        let sql = format!("SELECT count(*) FROM \"user\" WHERE {condition}");
        let at = Instant::now();
        let _: i64 = query_scalar(AssertSqlSafe(sql)).fetch_one(pool).await.unwrap();
        times.push(at.elapsed().as_secs_f64() * 1e3);
    }
    times.sort_by(f64::total_cmp);
    times[times.len() / 2]
}

/// Counts the filters of the previews, with each kind of index that helps, and compares the best.
pub(crate) async fn count(table: &mut Table, url: &str, answers: &Answers) {
    let pool = connect(url).await;
    let broad = format!("attributes->>'role' IN ({})", quoted(&broad_roles()));
    let indexes = [
        ("no index", String::new()),
        (
            "an index an attribute",
            "CREATE INDEX b1 ON \"user\" ((attributes->>'department')); \
             CREATE INDEX b2 ON \"user\" ((attributes->>'role')); \
             CREATE INDEX b3 ON \"user\" ((attributes->>'location'))"
                .to_owned(),
        ),
        (
            "one index over the three",
            "CREATE INDEX b4 ON \"user\" ((attributes->>'department'), (attributes->>'role'), \
             (attributes->>'location'))"
                .to_owned(),
        ),
    ];
    let (mut best, mut best_broad) = ((f64::MAX, ""), (f64::MAX, ""));
    for (name, index) in indexes {
        for statement in index.split(';').filter(|statement| !statement.is_empty()) {
            query(AssertSqlSafe(statement.to_owned())).execute(&pool).await.unwrap();
        }
        query("VACUUM (ANALYZE) \"user\"").execute(&pool).await.unwrap();
        let found = median(&pool, (0..20).map(three_conditions)).await;
        let found_broad = median(&pool, (0..7).map(|_| broad.clone())).await;
        println!("SQL count with {name}: {found:.1} ms, broad {found_broad:.1} ms");
        best = if found < best.0 { (found, name) } else { best };
        best_broad = if found_broad < best_broad.0 { (found_broad, name) } else { best_broad };
    }
    pool.close().await;
    for (what, ours, (sql, index)) in [
        ("preview of three conditions", answers.preview, best),
        ("count of a filter that a third of the users pass", answers.broad, best_broad),
    ] {
        table.row(
            format!("{what} against SQL count over jsonb, PostgreSQL"),
            ">= 100x",
            format!("{:.0}x ({ours:.2} ms against {sql:.1} ms, {index})", sql / ours),
            sql / ours >= 100.0,
        );
    }
}
