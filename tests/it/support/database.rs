//! A database for each test: a copy of a template that is migrated once a run, behind real pools.

use std::fmt::Debug;
use std::future::Future;
use std::hash::{BuildHasher, Hasher, RandomState};
use std::io::Write;
use std::ops::Deref;
use std::process::{Command, Stdio};
use std::sync::LazyLock;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use chrono::TimeDelta;
use roster::database::{Database, Options};
use roster::directory::{Clock, Directory, Stepped};
use sea_orm::{ConnectOptions, ConnectionTrait, DatabaseConnection, DbBackend, Statement};
use tempfile::TempDir;
use tokio::runtime::Runtime;

use super::{invariants, tables};

/// A directory on a database of its own.
pub(crate) struct Site {
    directory: Directory,
    url: String,
    clock: Clock,
}

impl Deref for Site {
    type Target = Directory;

    fn deref(&self) -> &Directory {
        &self.directory
    }
}

impl Site {
    async fn open(url: String) -> Self {
        let clock = Clock::stepped();
        let directory = Directory::open(connect(&url).await, clock.clone()).await.unwrap();
        Self { directory, url, clock }
    }

    /// The directory as another process has it: connections and an index of its own.
    pub(crate) async fn another_process(&self) -> Directory {
        Directory::open(connect(&self.url).await, self.clock.clone()).await.unwrap()
    }

    /// Lets time pass, for every process.
    pub(crate) fn pass(&self, time: TimeDelta) {
        self.stepped().pass(time);
    }

    /// The clock of every process.
    pub(crate) fn stepped(&self) -> &Stepped {
        let Clock::Stepped(clock) = &self.clock else { panic!("the clock of a test is stepped") };
        clock
    }

    /// Where the database is.
    pub(crate) fn url(&self) -> &str {
        &self.url
    }
}

async fn connect(url: &str) -> Database {
    Database::open(&Options { readers: 4, ..Options::to(url) }).await.unwrap()
}

/// Runs `test` on both databases; all that it gives, and all that it leaves in the tables, must be equal.
#[track_caller]
pub(crate) fn on_both<T: PartialEq + Debug>(test: impl AsyncFn(&Site) -> T) -> T {
    let (given, left) = on_sqlite_with_tables(&test);
    if let Some(place) = Place::postgres() {
        eprintln!("on PostgreSQL:");
        let (given_there, left_there) = run_site(&place, &test);
        assert_eq!(given, given_there, "what the test gives on SQLite, and on PostgreSQL");
        similar_text(&left, &left_there);
    }
    given
}

/// Runs `test` on both databases; what it gives and leaves may differ, as where tasks race.
pub(crate) fn on_each(test: impl AsyncFn(&Site)) {
    on_sqlite_with_tables(&test);
    if let Some(place) = Place::postgres() {
        eprintln!("on PostgreSQL:");
        run_site(&place, &test);
    }
}

/// Runs `test` on SQLite alone, for what needs many runs and no database in particular.
pub(crate) fn on_sqlite<T>(test: impl AsyncFn(&Site) -> T) -> T {
    on_sqlite_with_tables(&test).0
}

/// Runs `test` on a migrated database of each kind, given its address, for what no directory is open on.
pub(crate) fn on_places(test: impl AsyncFn(&str)) {
    for place in [Some(Place::sqlite()), Place::postgres()].into_iter().flatten() {
        eprintln!("on {}:", place.url);
        runtime().block_on(test(&place.url));
    }
}

/// Runs `test` for each kind of database with nothing in it: the address of one on the server, and none for SQLite, whose
/// file the program makes where it is started.
pub(crate) fn on_empty_places(test: impl Fn(Option<&str>)) {
    eprintln!("on SQLite:");
    test(None);
    if let Some(place) = Place::empty_postgres() {
        eprintln!("on PostgreSQL:");
        test(Some(&place.url));
    }
}

fn on_sqlite_with_tables<T>(test: &impl AsyncFn(&Site) -> T) -> (T, String) {
    eprintln!("on SQLite:");
    run_site(&Place::sqlite(), test)
}

/// Runs `test`, and checks what must hold of every directory at any time.
fn run_site<T>(place: &Place, test: &impl AsyncFn(&Site) -> T) -> (T, String) {
    runtime().block_on(async {
        let site = Site::open(place.url.clone()).await;
        let given = test(&site).await;
        site.refresh().await.unwrap();
        invariants::check(&site).await;
        let said = Directory::verify(site.database(), site.clock.look(), None).await.unwrap();
        assert!(said.is_sound(), "{:#?}", said.findings);
        let left = tables(&site).await;
        site.database().clone().close().await.unwrap();
        (given, left)
    })
}

/// Checks that the log of the directory at `url` is whole and tells how its tables came to be.
pub(crate) fn check_log(url: &str) {
    runtime().block_on(async {
        let site = Site::open(url.to_owned()).await;
        invariants::log_is_whole(&site).await;
        site.database().clone().close().await.unwrap();
    });
}

/// Checks that SQLite finds nothing wrong with the database at `url`.
pub(crate) fn check_sqlite(url: &str) {
    runtime().block_on(async {
        let database = sea_orm::Database::connect(ConnectOptions::new(url)).await.unwrap();
        for (pragma, fine) in [("integrity_check", vec!["ok"]), ("foreign_key_check", vec![])] {
            let statement = Statement::from_string(DbBackend::Sqlite, format!("PRAGMA {pragma}"));
            let rows = database.query_all_raw(statement).await.unwrap();
            let said: Vec<String> = rows.iter().map(|row| row.try_get_by_index(0).unwrap()).collect();
            assert_eq!(said, fine, "PRAGMA {pragma}");
        }
        database.close().await.unwrap();
    });
}

/// Runs a statement in the database at `url`, past whoever keeps it, and gives how many rows it changed.
pub(crate) fn run_sql(url: &str, sql: &str) -> u64 {
    runtime().block_on(async {
        let database = sea_orm::Database::connect(ConnectOptions::new(url)).await.unwrap();
        let changed = database.execute_unprepared(sql).await.unwrap().rows_affected();
        database.close().await.unwrap();
        changed
    })
}

/// The first column of what a query gives in the database at `url`, past whoever keeps it: a text in each row.
pub(crate) fn query_sql(url: &str, sql: &str) -> Vec<String> {
    runtime().block_on(async {
        let database = sea_orm::Database::connect(ConnectOptions::new(url)).await.unwrap();
        let statement = Statement::from_string(database.get_database_backend(), sql);
        let rows = database.query_all_raw(statement).await.unwrap();
        database.close().await.unwrap();
        rows.iter().map(|row| row.try_get_by_index(0).unwrap()).collect()
    })
}

fn similar_text(sqlite: &str, postgres: &str) {
    for (a, b) in sqlite.lines().zip(postgres.lines()) {
        assert_eq!(a, b, "a row on SQLite, and on PostgreSQL");
    }
    assert_eq!(sqlite.lines().count(), postgres.lines().count(), "rows on SQLite, and on PostgreSQL");
}

fn runtime() -> Runtime {
    tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap()
}

/// A migrated database that goes when this is dropped.
struct Place {
    url: String,
    _home: Home,
}

enum Home {
    Folder { _folder: TempDir },
    Server { database: String },
}

impl Place {
    fn sqlite() -> Self {
        static TEMPLATE: LazyLock<Vec<u8>> = LazyLock::new(|| {
            let folder = tempfile::tempdir().unwrap();
            let path = folder.path().join("template.db");
            migrate(format!("sqlite:{}", path.display()));
            std::fs::read(path).unwrap()
        });
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("roster.db");
        std::fs::write(&path, TEMPLATE.as_slice()).unwrap();
        Self { url: format!("sqlite:{}", path.display()), _home: Home::Folder { _folder: folder } }
    }

    /// None without a server to test on.
    fn postgres() -> Option<Self> {
        let server = SERVER.as_ref()?;
        Some(Self::copy_of(&format!("{}template", server.prefix), server))
    }

    /// Without a schema. None without a server to test on.
    fn empty_postgres() -> Option<Self> {
        Some(Self::copy_of("template0", SERVER.as_ref()?))
    }

    fn copy_of(template: &str, server: &Server) -> Self {
        static NUMBER: AtomicU32 = AtomicU32::new(1);
        let database = format!("{}{}", server.prefix, NUMBER.fetch_add(1, Ordering::Relaxed));
        server.run(&format!("CREATE DATABASE {database} TEMPLATE {template}"));
        Self { url: url_of(&server.url, &database), _home: Home::Server { database } }
    }
}

impl Drop for Home {
    fn drop(&mut self) {
        if let (Self::Server { database }, Some(server)) = (self, SERVER.as_ref()) {
            server.run(&format!("DROP DATABASE {database} WITH (FORCE)"));
        }
    }
}

/// Brings an empty database up to date, and leaves it closed, so that it can be copied.
fn migrate(url: String) {
    runtime().block_on(async { connect(&url).await.close().await.unwrap() });
}

/// The PostgreSQL server that tests run on.
struct Server {
    url: String,
    /// What the names of this run's databases begin with.
    prefix: String,
    /// A runtime of its own, since a connection lives and dies with the runtime it was made in.
    runtime: Runtime,
    /// One connection, which holds the lock that says that this run is alive.
    connection: DatabaseConnection,
}

#[expect(clippy::disallowed_methods, reason = "a test's settings are not the server's")]
fn variable(name: &str) -> Option<String> {
    std::env::var(name).ok()
}

/// Whether the environment says that what tests may skip is not to be skipped.
fn is_required(name: &str) -> bool {
    variable(name).is_some_and(|value| value == "1")
}

/// Whether these programs are at hand, which they have to be where the environment sets `required` to 1.
#[track_caller]
pub(crate) fn has(programs: &[&str], required: &str) -> bool {
    // It says its version, or that it knows no such option.
    let starts = |program: &&str| {
        Command::new(program).arg("--version").stdout(Stdio::null()).stderr(Stdio::null()).status().is_ok()
    };
    goes_on(programs.iter().all(starts), &programs.join(" and "), required)
}

/// Whether a test goes on, as what it takes `is_there`; it has to be where the environment sets `required` to 1.
#[track_caller]
pub(crate) fn goes_on(is_there: bool, what: &str, required: &str) -> bool {
    assert!(is_there || !is_required(required), "this takes {what}");
    if !is_there {
        say_skipped(what);
    }
    is_there
}

/// How large the environment says that something is to be.
pub(crate) fn size(name: &str) -> Option<usize> {
    variable(name).map(|size| size.parse().unwrap())
}

/// Says what is not tested, on the real standard error: what `eprintln!` writes is hidden where the test passes.
pub(crate) fn say_skipped(what: &str) {
    std::io::stderr().write_all(format!("skipped: {what}\n").as_bytes()).unwrap();
}

/// The class of the advisory locks that runs hold on their number.
const RUNS: i32 = 0x726f;

static SERVER: LazyLock<Option<Server>> = LazyLock::new(|| {
    let Some(url) = variable("TEST_POSTGRES_URL").filter(|url| !url.is_empty()) else {
        assert!(!is_required("REQUIRE_POSTGRES"), "set TEST_POSTGRES_URL");
        say_skipped("PostgreSQL (set TEST_POSTGRES_URL)");
        return None;
    };
    let runtime = runtime();
    let mut options = ConnectOptions::new(&url);
    options.max_connections(1).idle_timeout(None::<Duration>).max_lifetime(None::<Duration>).sqlx_logging(false);
    let connection = runtime.block_on(sea_orm::Database::connect(options)).unwrap();
    let number = RandomState::new().build_hasher().finish() as u32;
    let server = Server { url, prefix: format!("t_{number:08x}_"), runtime, connection };
    server.run(&format!("SELECT pg_advisory_lock({RUNS}, {})", number.cast_signed()));
    server.sweep();
    let template = format!("{}template", server.prefix);
    server.run(&format!("CREATE DATABASE {template}"));
    migrate(url_of(&server.url, &template));
    Some(server)
});

impl Server {
    fn run(&self, sql: &str) {
        self.wait(self.connection.execute_unprepared(sql)).unwrap();
    }

    fn wait<T>(&self, future: impl Future<Output = T>) -> T {
        self.runtime.block_on(future)
    }

    /// Drops what runs have left that ended before they could: those whose lock can be had.
    fn sweep(&self) {
        let rows = |sql: String| {
            self.wait(self.connection.query_all_raw(Statement::from_string(DbBackend::Postgres, sql))).unwrap()
        };
        for row in rows("SELECT datname FROM pg_database WHERE datname ~ '^t_[0-9a-f]{8}_'".to_owned()) {
            let database: String = row.try_get("", "datname").unwrap();
            let lock = format!("({RUNS}, {})", u32::from_str_radix(&database[2..10], 16).unwrap().cast_signed());
            let locked = rows(format!("SELECT pg_try_advisory_lock{lock} AS is_dead"));
            if locked[0].try_get("", "is_dead").unwrap() {
                self.run(&format!("DROP DATABASE IF EXISTS {database} WITH (FORCE)"));
                rows(format!("SELECT pg_advisory_unlock{lock}"));
            }
        }
    }
}

/// The address of another database on the same server.
fn url_of(url: &str, database: &str) -> String {
    let (address, settings) = url.split_once('?').unwrap_or((url, ""));
    let server = address.rsplit_once('/').map_or(address, |(server, _)| server);
    if settings.is_empty() { format!("{server}/{database}") } else { format!("{server}/{database}?{settings}") }
}
