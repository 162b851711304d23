//! More clients than a server can answer at once, and clients that ask for a long time.

use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::{scope, sleep};
use std::time::{Duration, Instant};

use serde_json::{Value as Json, json};

use super::memory::{memory, threads};
use super::{kind, row, wanted};
use crate::kill::many_users;
use crate::slow::open_files;
use crate::support::{Answer, Client, Home, Served, in_each_home};

const USERS: usize = 2_000;
/// How many clients ask one after the other, to see how much a server can answer.
const CLIENTS: [usize; 3] = [8, 16, 32];
/// Megabytes that a server may take in more than before, whatever it is asked.
const GROWN: f64 = 64.0;
/// Megabytes that the WAL of SQLite may have.
const WAL: f64 = 64.0;
/// What a server may have opened that it had not before: connections to its database.
const OPENED: usize = 16;

const READ: &str = "query($search: String!) { users(first: 20, filter: {name: {contains: $search}}) { totalCount
    edges { node { id name email accounts { id } orgUnits { id } } } } }";
const OWN: &str = "query($email: String!) { user(email: $email) { id } }";
const WRITE: &str =
    "mutation($id: ID!, $name: String!) { updateUser(input: {id: $id, name: $name}) { user { name } } }";

/// What clients have seen.
#[derive(Default)]
struct Seen {
    /// How long each right answer took.
    took: Vec<Duration>,
    /// How many were told to try again, and how many of them when.
    refused: usize,
    told_when: usize,
    seconds: f64,
}

impl Seen {
    fn per_second(&self) -> f64 {
        self.took.len() as f64 / self.seconds
    }

    /// The longest that an answer took, but for one in a hundred.
    fn p99(&self) -> Duration {
        let mut took = self.took.clone();
        took.sort();
        took[took.len() * 99 / 100]
    }

    /// Takes in an answer that has to be `wanted` at `pointer`, or says that it is to be tried again.
    fn take(&mut self, answer: &Answer, took: Duration, (pointer, wanted): (&str, &Json)) {
        let said: Json = serde_json::from_slice(&answer.body).unwrap();
        if said.get("errors").is_none() {
            assert_eq!((answer.status, said.pointer(pointer)), (200, Some(wanted)), "{said}");
            self.took.push(took);
            return;
        }
        assert_eq!(said.pointer("/errors/0/extensions/code"), Some(&json!("UNAVAILABLE")), "{said}");
        self.refused += 1;
        self.told_when += usize::from(answer.head.contains("\r\nretry-after: "));
    }
}

/// Reads and, now and then, changes a user of its own, until it is told to stop.
fn ask(server: &Served, client: usize, is_over: &AtomicBool) -> Seen {
    let (mut seen, mut connection) = (Seen::default(), Client::new(server.address()));
    let own = server.ask(OWN, json!({ "email": format!("user{client}@corp.example") }))["user"]["id"].take();
    for number in 0.. {
        if is_over.load(Ordering::Relaxed) {
            break;
        }
        let begun = Instant::now();
        if number % 10 == 0 {
            let name = json!(format!("Client {client} for the time number {number}"));
            let answer = connection.ask(WRITE, json!({ "id": own, "name": name })).unwrap();
            seen.take(&answer, begun.elapsed(), ("/data/updateUser/user/name", &name));
        } else {
            // No client has changed these.
            let user = USERS / 2 + number % (USERS / 2);
            let answer = connection.ask(READ, json!({ "search": format!("user {user}") })).unwrap();
            seen.take(&answer, begun.elapsed(), ("/data/users/totalCount", &json!(1)));
        }
    }
    seen
}

/// What so many clients see at once in so many seconds.
fn load(server: &Served, clients: usize, seconds: f64) -> Seen {
    let is_over = AtomicBool::new(false);
    scope(|threads| {
        let all: Vec<_> = (0..clients)
            .map(|client| {
                threads.spawn({
                    let is_over = &is_over;
                    move || ask(server, client, is_over)
                })
            })
            .collect();
        sleep(Duration::from_secs_f64(seconds));
        is_over.store(true, Ordering::Relaxed);
        let mut sum = Seen { seconds, ..Seen::default() };
        for seen in all.into_iter().map(|client| client.join().unwrap()) {
            sum.took.extend(seen.took);
            sum.refused += seen.refused;
            sum.told_when += seen.told_when;
        }
        sum
    })
}

fn begin(home: &Home) -> Served {
    assert_eq!(home.run_with(&["import", "-"], &many_users(USERS)).code, Some(0));
    home.serve()
}

#[test]
fn more_clients_than_can_be_answered_at_once() {
    let Some(seconds) = wanted("SOAK_SECONDS") else { return };
    in_each_home(|home| {
        let server = begin(home);
        let each = seconds as f64 / CLIENTS.len() as f64;
        let tried = CLIENTS.map(|clients| (clients, load(&server, clients, each)));
        let (clients, peak) = tried.iter().max_by(|a, b| a.1.per_second().total_cmp(&b.1.per_second())).unwrap();
        let before = memory(&server).0;
        let much = load(&server, 4 * CLIENTS[2], seconds as f64);
        let grown = memory(&server).1 - before;
        let begun = Instant::now();
        let after = load(&server, 1, 1.0);
        assert!(!after.took.is_empty() && after.refused == 0, "the server does not recover");
        let outcome = format!(
            "{:.0} answers/s of {:.0} with {clients} ({:.0} %), {} refused, {} of them with Retry-After",
            much.per_second(),
            peak.per_second(),
            100.0 * much.per_second() / peak.per_second(),
            much.refused,
            much.told_when,
        );
        let times = format!("p99 {:.1?}, of one client afterwards {:.1?}", much.p99(), after.p99());
        let what = format!("{} clients for {seconds} s, {}", 4 * CLIENTS[2], kind(home));
        row(&[&what, &outcome, &times, &format!("{grown:.0} MB more"), &format!("{:.1?}", begun.elapsed())]);
        assert!(grown <= GROWN, "{grown} MB more than before");
        assert_eq!(server.stop().0, Some(0));
    });
}

/// Megabytes of the WAL; none where there is none.
fn wal(home: &Home) -> f64 {
    let file: PathBuf = home.data_dir().join("roster.db-wal");
    std::fs::metadata(file).map_or(0.0, |file| file.len() as f64 / f64::from(1 << 20))
}

#[test]
fn clients_that_ask_for_a_long_time() {
    let Some(seconds) = wanted("SOAK_SECONDS") else { return };
    in_each_home(|home| {
        let server = begin(home);
        // By then all connections are open, and the caches are as large as they become.
        load(&server, CLIENTS[0], seconds as f64 / 4.0);
        let (files, tasks) = (open_files(&server), threads(&server));
        let (mut answers, mut taken, mut longest) = (0, vec![memory(&server).0], 0.0_f64);
        for _ in 0..10 {
            let seen = load(&server, CLIENTS[0], seconds as f64 / 10.0);
            assert_eq!(seen.refused, 0, "nobody is told to try again");
            answers += seen.took.len();
            taken.push(memory(&server).0);
            longest = longest.max(wal(home));
        }
        let grown = taken[10] - taken[0];
        let now = (open_files(&server), threads(&server));
        let what = format!("{} clients for {seconds} s, {}", CLIENTS[0], kind(home));
        let outcome = format!("{answers} answers, {:.0} MB, {grown:+.1} MB since a quarter of the time", taken[10]);
        let opened = format!("{} files and {} threads, {files} and {tasks} before", now.0, now.1);
        row(&[&what, &outcome, &opened, &format!("WAL of {longest:.0} MB")]);
        assert!(now.0 <= files + OPENED && now.1 <= tasks + OPENED, "{opened}");
        assert!(grown <= GROWN && longest <= WAL, "{grown} MB more, a WAL of {longest} MB");
        assert_eq!(server.stop().0, Some(0));
    });
}
