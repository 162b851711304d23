//! A database that says nothing for a while, or on the connections that there were: what is told, and that all goes on
//! without a restart when it answers again.

use std::io::{Read, Write};
use std::net::{Shutdown, TcpListener, TcpStream};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use roster::database::{Database, Options};
use roster::directory::{Clock, Directory};
use serde_json::{Value as Json, json};

use crate::support::{Home, Served, on_empty_places};

/// A line to a database, which can be held.
#[derive(Clone, Default)]
struct Line {
    is_held: Arc<AtomicBool>,
    /// How many connections there have been.
    opened: Arc<AtomicUsize>,
    /// Of the connections before this one nothing arrives any more, on either side.
    lost_before: Arc<AtomicUsize>,
}

impl Line {
    /// Begins to pass on what comes for a database. Gives the address at which it does.
    fn to(&self, url: &str) -> String {
        let (user, host_and_name) = url.split_once('@').unwrap();
        let (host, name) = host_and_name.split_once('/').unwrap();
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let url = format!("{user}@{}/{name}", listener.local_addr().unwrap());
        let (line, host) = (self.clone(), host.to_owned());
        std::thread::spawn(move || {
            for near in listener.incoming().map_while(Result::ok) {
                let number = line.opened.fetch_add(1, Ordering::Relaxed);
                let far = TcpStream::connect(&host).unwrap();
                for (from, to) in [(&near, &far), (&far, &near)] {
                    let (line, from, to) = (line.clone(), from.try_clone().unwrap(), to.try_clone().unwrap());
                    std::thread::spawn(move || line.pass(number, from, to));
                }
            }
        });
        url
    }

    fn pass(&self, number: usize, mut from: TcpStream, mut to: TcpStream) {
        let mut bytes = [0; 16 << 10];
        loop {
            let read = from.read(&mut bytes).unwrap_or(0);
            while self.is_held.load(Ordering::Relaxed) || number < self.lost_before.load(Ordering::Relaxed) {
                std::thread::sleep(Duration::from_millis(10));
            }
            if read == 0 || to.write_all(&bytes[..read]).is_err() {
                // The other direction may have ended it already.
                let _ = to.shutdown(Shutdown::Both);
                return;
            }
        }
    }

    fn hold(&self, is_held: bool) {
        self.is_held.store(is_held, Ordering::Relaxed);
    }

    fn lose(&self) {
        self.lost_before.store(self.opened.load(Ordering::Relaxed), Ordering::Relaxed);
    }
}

fn create(server: &Served, email: &str) -> Vec<u8> {
    let mutation = "mutation($email: String!) { createUser(input: { name: \"A\", email: $email }) { version } }";
    server.operation(mutation, json!({ "email": email }))
}

/// Something that is read from the database each time.
fn read(server: &Served) -> Vec<u8> {
    server.operation("{ users(first: 100) { edges { node { name } } } changesets { totalCount } }", Json::Null)
}

/// Whether a request was answered as ever; where it was not, that has to be told.
#[track_caller]
fn is_answered(server: &Served, request: &[u8]) -> bool {
    let answer = server.exchange(request);
    let json: Json = serde_json::from_slice(&answer.body).unwrap();
    let Some(errors) = json["errors"].as_array() else { return true };
    for error in errors {
        assert_eq!(error["extensions"]["code"], "UNAVAILABLE", "{error}");
    }
    false
}

/// Whether something is so again after a while, which may be long.
fn comes_back(is_so: impl Fn() -> bool) -> bool {
    let begun = Instant::now();
    while begun.elapsed() < Duration::from_secs(60) {
        if is_so() {
            return true;
        }
        std::thread::sleep(Duration::from_millis(20));
    }
    false
}

/// Whether the server is as it has to be while its database says nothing.
#[track_caller]
fn check_alive(server: &Served, is_ready: bool) {
    assert_eq!([server.get("/livez").status, server.get("/readyz").status], [200, if is_ready { 200 } else { 503 }]);
    assert_eq!(
        [is_answered(server, &read(server)), is_answered(server, &create(server, "b@x.example"))],
        [is_ready, false]
    );
}

#[test]
fn a_database_that_says_nothing_for_a_while_is_told_of_and_needs_no_restart() {
    on_empty_places(|url| {
        let line = Line::default();
        let home = url.map_or_else(Home::new, |url| Home::at(&line.to(url)));
        let server = home.serve();
        assert!(is_answered(&server, &create(&server, "a@x.example")));
        if url.is_some() {
            line.hold(true);
            (0..3).for_each(|_| check_alive(&server, false));
            line.hold(false);
        } else {
            // Another process that writes.
            let runtime = tokio::runtime::Runtime::new().unwrap();
            runtime.block_on(async {
                let database = Database::open(&Options::to(home.database_url())).await.unwrap();
                let write = database.begin_write().await.unwrap();
                tokio::task::block_in_place(|| (0..3).for_each(|_| check_alive(&server, true)));
                write.rollback().await.unwrap();
                database.close().await.unwrap();
            });
        }
        let writes = || is_answered(&server, &create(&server, "c@x.example"));
        assert!(comes_back(|| server.get("/readyz").status == 200 && writes()));
        assert!(is_answered(&server, &read(&server)));
        assert_eq!(server.stop().0, Some(0));
    });
}

#[test]
fn connections_that_are_lost_in_the_midst_of_statements_are_given_up() {
    on_empty_places(|url| {
        // SQLite is no further away than its file.
        let Some(url) = url else { return };
        let line = Line::default();
        let home = Home::at(&line.to(url));
        let settings = ["--statement-timeout", "1s", "--pool-timeout", "1s", "--deadline", "500ms", "--pool-size", "4"];
        let server = Served::start(home.command(&[&["serve", "--listen", "127.0.0.1:0"], &settings[..]].concat()));
        let (is_over, written) = (AtomicBool::new(false), AtomicUsize::new(0));
        let write = &|writer: usize| {
            let emails = (0..).map(|number| format!("w{writer}.{number}@x.example"));
            let emails = emails.take_while(|_| !is_over.load(Ordering::Relaxed));
            let done = emails.filter(|email| {
                let is_done = is_answered(&server, &create(&server, email));
                written.fetch_add(usize::from(is_done), Ordering::Relaxed);
                is_done
            });
            done.collect::<Vec<_>>()
        };
        let keep_reading = &|| {
            while !is_over.load(Ordering::Relaxed) {
                is_answered(&server, &read(&server));
            }
        };
        let emails: Vec<String> = std::thread::scope(|scope| {
            let writers: Vec<_> = (0..4).map(|writer| scope.spawn(move || write(writer))).collect();
            (0..12).for_each(|_| drop(scope.spawn(keep_reading)));
            let mut losses = 0;
            for loss in 1..=3 {
                let before = written.load(Ordering::Relaxed);
                // Each writer may have been answered in the moment before.
                let is_written = || written.load(Ordering::Relaxed) > before + 8;
                if !comes_back(|| is_written() && server.get("/readyz").status == 200) {
                    break;
                }
                line.lose();
                losses = loss;
            }
            let before = written.load(Ordering::Relaxed);
            let is_back = comes_back(|| written.load(Ordering::Relaxed) > before + 8);
            is_over.store(true, Ordering::Relaxed);
            let emails = writers.into_iter().flat_map(|writer| writer.join().unwrap()).collect();
            assert!(is_back && losses == 3, "after {losses} losses nobody writes");
            emails
        });
        // Those who read have got all their connections back, too.
        assert!(comes_back(|| (0..8).all(|_| is_answered(&server, &read(&server)))));
        assert_eq!(server.stop().0, Some(0));
        let runtime = tokio::runtime::Runtime::new().unwrap();
        runtime.block_on(async {
            let database = Database::open(&Options::to(url)).await.unwrap();
            let directory = Directory::open(database, Clock::System).await.unwrap();
            for email in &emails {
                assert!(directory.find_user(email).is_ok(), "{email} was acknowledged, and is not there");
            }
            assert!(Directory::verify(directory.database(), directory.now(), None).await.unwrap().is_sound());
            directory.database().clone().close().await.unwrap();
        });
    });
}
