//! Clients that send and read one byte after the other: they go, and nobody else waits for them.

use std::io::{Read, Write};
use std::net::TcpStream;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::{scope, sleep};
use std::time::{Duration, Instant};

use serde_json::{Value as Json, json};
use tokio::net::TcpSocket;

use crate::support::{Client, Home, Served};

/// The longest that slow clients may stay.
const PATIENCE: Duration = Duration::from_secs(60);
/// What a server may open meanwhile for others: connections to the database, and those of the good client.
const OTHERS: usize = 16;
const LONG: &str = "{ users(first: 100) { edges { node { attributes { text } } } } }";

/// What is slow.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Pace {
    Headers,
    Body,
    Reply,
}

/// What came of it.
#[derive(Debug)]
pub(crate) struct Siege {
    pub(crate) pace: Pace,
    /// How long it took until the last slow client was gone.
    pub(crate) gone: Duration,
    /// How often the good client was answered, and how long that took at the 99th percentile.
    pub(crate) answers: usize,
    pub(crate) p99: Duration,
}

/// A connection that takes in as little as it can.
fn connect(server: &Served) -> TcpStream {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_io().build().unwrap();
    let stream = runtime.block_on(async {
        let socket = TcpSocket::new_v4().unwrap();
        socket.set_recv_buffer_size(4_096).unwrap();
        socket.connect(server.address()).await.unwrap().into_std().unwrap()
    });
    stream.set_nonblocking(true).unwrap();
    stream
}

/// What a slow client sends: all at once, and byte by byte.
fn sends(server: &Served, pace: Pace) -> (Vec<u8>, Vec<u8>) {
    let request = server.operation(LONG, Json::Null);
    let at = match pace {
        Pace::Headers => 0,
        Pace::Body => request.windows(4).position(|four| four == b"\r\n\r\n").unwrap() + 4,
        Pace::Reply => request.len(),
    };
    (request[..at].to_vec(), request[at..].to_vec())
}

/// Asks until it is told to stop; gives how long each answer took.
fn good_client(server: &Served, is_over: &AtomicBool) -> Vec<Duration> {
    let mut client = Client::new(server.address());
    let mut took = Vec::new();
    // Where the siege fails there is nobody to tell.
    let until = Instant::now() + 2 * PATIENCE;
    while !is_over.load(Ordering::Relaxed) && Instant::now() < until {
        let begun = Instant::now();
        let answer = client.ask("{ users(first: 10) { edges { node { name email } } } }", Json::Null).unwrap();
        took.push(begun.elapsed());
        let said: Json = serde_json::from_slice(&answer.body).unwrap();
        assert_eq!(said["data"]["users"]["edges"].as_array().map(Vec::len), Some(10), "{said}");
        sleep(Duration::from_millis(10));
    }
    took.sort();
    took
}

/// How many files, connections among them, the server has open.
pub(crate) fn open_files(server: &Served) -> usize {
    std::fs::read_dir(format!("/proc/{}/fd", server.id())).unwrap().count()
}

/// A server with much to read.
pub(crate) fn begin(home: &Home, settings: &[&str]) -> Served {
    let server = Served::start(home.command(&[&["serve", "--listen", "127.0.0.1:0"], settings].concat()));
    server.ask("mutation { createAttribute(input: {title: \"About\", type: TEXT}) { attribute { id } } }", Json::Null);
    let create = "mutation($name: String!, $email: String!, $about: AttributeInputValue!) {
        createUser(input: {name: $name, email: $email, attributes: [{key: \"about\", value: $about}]}) { version } }";
    for user in 0..100 {
        let (name, email) = (format!("User {user}"), format!("user{user}@corp.example"));
        server.ask(create, json!({ "name": name, "email": email, "about": "about ".repeat(1_500) }));
    }
    server
}

/// So many clients at once, each slow in the same way, beside a good one.
pub(crate) fn besiege(server: &Served, pace: Pace, clients: usize) -> Siege {
    let before = open_files(server);
    let is_over = AtomicBool::new(false);
    scope(|threads| {
        let good = threads.spawn(|| good_client(server, &is_over));
        let begun = Instant::now();
        let (at_once, slowly) = sends(server, pace);
        let mut streams: Vec<TcpStream> = (0..clients).map(|_| connect(server)).collect();
        for stream in &mut streams {
            stream.write_all(&at_once).unwrap();
        }
        while open_files(server) < before + clients / 2 {
            assert!(begun.elapsed() < PATIENCE, "nobody comes");
            sleep(Duration::from_millis(5));
        }
        for byte in slowly.iter().map(Some).chain(std::iter::repeat(None)) {
            sleep(Duration::from_secs(1));
            if open_files(server) <= before + OTHERS {
                break;
            }
            assert!(begun.elapsed() < PATIENCE, "slow clients ({pace:?}) are still there: {}", open_files(server));
            for stream in &mut streams {
                // Who is gone already hears of it here.
                let _ = byte.map(|byte| stream.write(&[*byte]));
                let _ = stream.read(&mut [0]);
            }
        }
        let gone = begun.elapsed();
        is_over.store(true, Ordering::Relaxed);
        let took = good.join().unwrap();
        Siege { pace, gone, answers: took.len(), p99: took[took.len() * 99 / 100] }
    })
}

pub(crate) const PACES: [Pace; 3] = [Pace::Headers, Pace::Body, Pace::Reply];

#[test]
fn slow_clients_go_and_nobody_else_waits_for_them() {
    let home = Home::new();
    let server = begin(&home, &["--header-timeout", "2s", "--stall-timeout", "2s"]);
    for pace in PACES {
        let siege = besiege(&server, pace, 50);
        assert!(siege.answers > 0, "{siege:?}");
    }
}
