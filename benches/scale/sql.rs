//! The same work left to PostgreSQL: counting over `jsonb`, and taking in the file.

use std::path::Path;
use std::time::Instant;

use sea_orm::sqlx::postgres::{PgPool, PgPoolCopyExt, PgPoolOptions};
use sea_orm::sqlx::sqlite::{SqliteConnectOptions, SqliteJournalMode};
use sea_orm::sqlx::{AssertSqlSafe, ConnectOptions, Connection, query, query_scalar};

use crate::answers::Answers;
use crate::data::{ATTRIBUTES, broad_roles, keys, three_values, unit_values};
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

/// The same on SQLite: reads the file and inserts its rows, many a statement, in one transaction. Gives the seconds.
pub(crate) async fn insert(folder: &Path, file: &Path) -> f64 {
    const ROWS: usize = 200;
    let path = folder.join("plain.db");
    let options =
        SqliteConnectOptions::new().filename(&path).create_if_missing(true).journal_mode(SqliteJournalMode::Wal);
    let mut connection = options.connect().await.unwrap();
    let columns = ATTRIBUTES.map(|(title, _)| format!("\"{title}\" text")).join(", ");
    query(AssertSqlSafe(format!("CREATE TABLE plain (name text, email text, {columns})")))
        .execute(&mut connection)
        .await
        .unwrap();
    let at = Instant::now();
    let mut transaction = connection.begin().await.unwrap();
    let mut reader = csv::Reader::from_path(file).unwrap();
    let width = reader.headers().unwrap().len();
    let mut records = reader.records().map(Result::unwrap);
    loop {
        let rows: Vec<csv::StringRecord> = records.by_ref().take(ROWS).collect();
        if rows.is_empty() {
            break;
        }
        let row = format!("({})", vec!["?"; width].join(", "));
        let mut insert = query(AssertSqlSafe(format!("INSERT INTO plain VALUES {}", vec![row; rows.len()].join(", "))));
        for cell in rows.iter().flat_map(csv::StringRecord::iter) {
            insert = insert.bind(cell.to_owned());
        }
        insert.execute(&mut *transaction).await.unwrap();
    }
    transaction.commit().await.unwrap();
    let seconds = at.elapsed().as_secs_f64();
    connection.close().await.unwrap();
    std::fs::remove_file(path).unwrap();
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

fn unit(number: u64) -> String {
    let (role, locations, team) = unit_values(number);
    format!(
        "attributes->>'role' = '{role}' AND attributes->>'location' IN ({}) \
         AND attributes->>'team' IS DISTINCT FROM '{team}'",
        quoted(&locations)
    )
}

fn count(condition: &str) -> String {
    format!("SELECT count(*) FROM \"user\" WHERE {condition}")
}

/// The values of every attribute, the most frequent first.
fn facets(condition: &str) -> Vec<String> {
    let of = |key: String| {
        format!(
            "SELECT max(n) FROM (SELECT attributes->>'{key}' AS value, count(*) AS n FROM \"user\" \
             WHERE {condition} GROUP BY 1 ORDER BY n DESC, value LIMIT 25) AS facet"
        )
    };
    keys().map(of).to_vec()
}

/// The whole filter, each of its conditions alone, and what would be selected without it.
fn conditions(number: u64) -> Vec<String> {
    let all = three_conditions(number);
    let each: Vec<&str> = all.split(" AND ").collect();
    let mut counts = vec![count(&all)];
    for (at, condition) in each.iter().enumerate() {
        let others: Vec<&str> =
            each.iter().enumerate().filter(|(other, _)| *other != at).map(|(_, condition)| *condition).collect();
        counts.extend([count(condition), count(&others.join(" AND "))]);
    }
    counts
}

/// The values that begin with a text.
fn values(key: &str, prefix: &str) -> String {
    format!(
        "SELECT count(*) FROM (SELECT DISTINCT attributes->>'{key}' FROM \"user\" \
         WHERE attributes->>'{key}' LIKE '{prefix}%' LIMIT 25) AS offered"
    )
}

/// A question that both answer.
struct Question {
    /// What the table calls it.
    what: &'static str,
    /// Our median, in milliseconds.
    ours: f64,
    /// The statements of each run.
    runs: Vec<Vec<String>>,
    /// How often a run is in the question.
    times: f64,
}

impl Question {
    fn new(what: &'static str, ours: f64, runs: Vec<Vec<String>>) -> Self {
        Self { what, ours, runs, times: 1.0 }
    }

    /// Median milliseconds of the question in SQL.
    async fn ask(&self, pool: &PgPool) -> f64 {
        let mut times = Vec::new();
        for statements in &self.runs {
            let at = Instant::now();
            for sql in statements {
                let _: Option<i64> = query_scalar(AssertSqlSafe(sql.clone())).fetch_one(pool).await.unwrap();
            }
            times.push(at.elapsed().as_secs_f64() * 1e3);
        }
        times.sort_by(f64::total_cmp);
        times[times.len() / 2] * self.times
    }
}

/// The indexes that may help, each beside those before it.
const INDEXES: [(&str, &[&str]); 4] = [
    ("no index", &[]),
    (
        "an index an attribute",
        &[
            "CREATE INDEX b1 ON \"user\" ((attributes->>'department'))",
            "CREATE INDEX b2 ON \"user\" ((attributes->>'role'))",
            "CREATE INDEX b3 ON \"user\" ((attributes->>'location'))",
        ],
    ),
    (
        "one index over the three",
        &[
            "CREATE INDEX b4 ON \"user\" ((attributes->>'department'), (attributes->>'role'), (attributes->>'location'))",
        ],
    ),
    (
        "one index over role, location and team",
        &["CREATE INDEX b5 ON \"user\" ((attributes->>'role'), (attributes->>'location'), (attributes->>'team'))"],
    ),
];

/// Asks PostgreSQL what the index was asked, with each kind of index that may help, and compares the best.
pub(crate) async fn compare(table: &mut Table, url: &str, answers: &Answers) {
    let broad = format!("attributes->>'role' IN ({})", quoted(&broad_roles()));
    let questions = [
        Question::new(
            "preview of three conditions against SQL count",
            answers.median("preview"),
            (0..20).map(|number| vec![count(&three_conditions(number))]).collect(),
        ),
        Question::new(
            "the same preview with a number beside each condition, against as many SQL counts",
            answers.median("conditions"),
            (0..7).map(|number| conditions(number * 5)).collect(),
        ),
        Question::new(
            "completion of a value against SQL DISTINCT",
            answers.median("completion"),
            (0..7).map(|number| vec![values("role", &format!("Role 1{number}"))]).collect(),
        ),
        Question::new(
            "count of a filter that a third of the users pass against SQL count",
            answers.median("broad"),
            vec![vec![count(&broad)]; 7],
        ),
        Question {
            times: 1_000.0,
            ..Question::new(
                "member counts of 1,000 org units against as many SQL counts, from 50 of them",
                answers.median("units"),
                (0..50).map(|number| vec![count(&unit(number * 20))]).collect(),
            )
        },
        Question::new(
            "facets of 8 attributes under three conditions against SQL GROUP BY",
            answers.median("facets"),
            vec![facets(&three_conditions(1)); 5],
        ),
        Question::new(
            "facets of 8 attributes under a filter that a third of the users pass against SQL GROUP BY",
            answers.median("facets of many"),
            vec![facets(&broad); 3],
        ),
    ];
    let pool = connect(url).await;
    let mut best = questions.each_ref().map(|_| (f64::MAX, ""));
    for (name, indexes) in INDEXES {
        for index in indexes {
            query(AssertSqlSafe(*index)).execute(&pool).await.unwrap();
        }
        query("VACUUM (ANALYZE) \"user\"").execute(&pool).await.unwrap();
        for (question, best) in questions.iter().zip(&mut best) {
            let found = question.ask(&pool).await;
            println!("{}, with {name}: {found:.1} ms", question.what);
            *best = if found < best.0 { (found, name) } else { *best };
        }
    }
    pool.close().await;
    for (Question { what, ours, .. }, (sql, index)) in questions.iter().zip(best) {
        table.row(
            format!("{what} over jsonb, PostgreSQL"),
            ">= 100x",
            format!("{:.0}x ({ours:.2} ms against {sql:.1} ms, {index})", sql / ours),
            sql / ours >= 100.0,
        );
    }
}
