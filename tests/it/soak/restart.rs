//! PostgreSQL that is stopped and started under load: what was acknowledged is there afterwards, and what was not was refused
//! as what can be done again.

use std::net::TcpListener;
use std::path::PathBuf;
use std::process::{Command, Stdio};
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use roster::database::{Database, Options};
use roster::directory::{Clock, Directory, Error, NewUser};
use tempfile::TempDir;

use super::{row, wanted};
use crate::support::me;

/// Those who write at a time, and as many read.
const WRITERS: usize = 4;
/// How long it may take until something is written again.
const READY: Duration = Duration::from_secs(3);

/// A PostgreSQL of its own, which ends when this is dropped.
struct Cluster {
    folder: TempDir,
    programs: PathBuf,
    port: u16,
}

impl Cluster {
    fn start() -> Self {
        let versions = std::fs::read_dir("/usr/lib/postgresql").unwrap().map(|entry| entry.unwrap().path().join("bin"));
        let programs = versions.filter(|folder| folder.join("initdb").exists()).max().unwrap();
        let port = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
        let cluster = Self { folder: tempfile::tempdir().unwrap(), programs, port };
        if is_root() {
            assert!(Command::new("chown").arg("postgres:").arg(cluster.folder.path()).status().unwrap().success());
        }
        cluster.run("initdb", &["--username", "postgres", "--auth", "trust", "--encoding", "UTF8"]);
        let folder = cluster.folder.path().display();
        let options = format!("-c listen_addresses=127.0.0.1 -c port={port} -c unix_socket_directories={folder}");
        cluster.run("pg_ctl", &["--wait", "--options", &options, "start"]);
        cluster
    }

    /// Runs one of its programs, as a user that PostgreSQL does not refuse.
    fn run(&self, program: &str, arguments: &[&str]) {
        let program = self.programs.join(program);
        let mut command = Command::new("runuser");
        command.args(["-u", "postgres", "--"]).arg(&program);
        if !is_root() {
            command = Command::new(&program);
        }
        command.arg("--pgdata").arg(self.folder.path().join("data")).args(arguments).current_dir("/");
        let done = command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null()).status().unwrap();
        assert!(done.success(), "{command:?}");
    }
}

impl Drop for Cluster {
    fn drop(&mut self) {
        self.run("pg_ctl", &["--mode", "immediate", "stop"]);
    }
}

fn is_root() -> bool {
    Command::new("id").arg("-u").output().unwrap().stdout == b"0\n"
}

#[test]
fn a_database_that_restarts_under_load() {
    let Some(restarts) = wanted("SOAK_RESTARTS") else { return };
    let cluster = Cluster::start();
    let url = format!("postgres://postgres@127.0.0.1:{}/postgres", cluster.port);
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap();
    let options = Options { readers: 4, patience: Duration::from_secs(10), ..Options::to(url) };
    let database = runtime.block_on(Database::open(&options)).unwrap();
    let directory = runtime.block_on(Directory::open(database, Clock::System)).unwrap();
    let (is_over, written, refused) = (AtomicBool::new(false), AtomicUsize::new(0), AtomicUsize::new(0));
    let may_be_done_again = |error: &Error| {
        assert!(matches!(error, Error::Unavailable(_)) && error.is_retryable(), "{error:?}");
        refused.fetch_add(1, Ordering::Relaxed);
        std::thread::sleep(Duration::from_millis(20));
    };
    let write = |writer: usize| {
        let mut emails = Vec::new();
        for number in 0.. {
            if is_over.load(Ordering::Relaxed) {
                break;
            }
            let email = format!("w{writer}.{number}@corp.example");
            let new = NewUser {
                name: "Written".into(),
                email: email.clone(),
                further_emails: Vec::new(),
                attributes: Vec::new(),
            };
            match runtime.block_on(directory.create_user(&me(), new)) {
                Ok(_) => {
                    emails.push(email);
                    written.fetch_add(1, Ordering::Relaxed);
                }
                Err(error) => may_be_done_again(&error),
            }
        }
        emails
    };
    let read = || {
        while !is_over.load(Ordering::Relaxed) {
            let least = written.load(Ordering::Relaxed);
            match runtime.block_on(directory.refresh()) {
                Ok(_) => assert!(directory.index().user_count() >= least as u64),
                Err(error) => may_be_done_again(&error),
            }
        }
    };
    let mut longest = Duration::ZERO;
    let emails: Vec<String> = std::thread::scope(|scope| {
        let writers: Vec<_> = (0..WRITERS).map(|writer| scope.spawn(move || write(writer))).collect();
        (0..WRITERS).for_each(|_| drop(scope.spawn(read)));
        for restart in 0..restarts {
            std::thread::sleep(Duration::from_secs(1));
            let mode = ["fast", "immediate"][restart % 2];
            cluster.run("pg_ctl", &["--wait", "--mode", mode, "restart"]);
            let (begun, before) = (Instant::now(), written.load(Ordering::Relaxed));
            // Every writer may have been answered in the moment before.
            while written.load(Ordering::Relaxed) <= before + WRITERS && begun.elapsed() < 2 * READY {
                std::thread::sleep(Duration::from_millis(5));
            }
            longest = longest.max(begun.elapsed());
        }
        is_over.store(true, Ordering::Relaxed);
        writers.into_iter().flat_map(|writer| writer.join().unwrap()).collect()
    });
    assert!(longest <= READY, "{longest:?}");
    runtime.block_on(async {
        let again = Directory::open(Database::open(&options).await.unwrap(), Clock::System).await.unwrap();
        for email in &emails {
            assert!(again.find_user(email).is_ok(), "{email} was acknowledged, and is not there");
        }
        let said = Directory::verify(again.database(), again.now(), None).await.unwrap();
        assert!(said.is_sound(), "{:#?}", said.findings);
        again.database().clone().close().await.unwrap();
        directory.database().clone().close().await.unwrap();
    });
    let outcome = format!("{} of {} written, all there", emails.len(), emails.len() + refused.into_inner());
    row(&[&format!("{restarts} restarts of PostgreSQL"), &outcome, &format!("written again within {longest:.1?}")]);
}
