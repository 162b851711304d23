//! A server that is stopped in the midst of all kinds of work.

use std::io::{Read, Write};
use std::net::TcpStream;
use std::thread::{sleep, spawn};
use std::time::Duration;

use serde_json::{Value as Json, json};

use crate::kill::many_users;
use crate::support::{Answer, Home, Served, check_log, in_each_home};

const IMPORT: &str = "mutation($file: Upload!) { importUsers(input: {file: $file}) { applied } }";
const QUERY: &str = "{ users(first: 100) { totalCount edges { node { name email } } } }";

/// A connection on which so much of a request was sent.
fn sent(server: &Served, bytes: &[u8]) -> TcpStream {
    let mut stream = TcpStream::connect(server.address()).unwrap();
    stream.set_read_timeout(Some(Duration::from_secs(60))).unwrap();
    stream.write_all(bytes).unwrap();
    stream
}

/// The answer to a request of which this is the rest.
fn answer(mut stream: TcpStream, rest: &[u8]) -> Answer {
    stream.write_all(rest).unwrap();
    let mut bytes = Vec::new();
    stream.read_to_end(&mut bytes).unwrap();
    Answer::read(&bytes)
}

/// One that has been answered, and may be used again.
fn idle(server: &Served) -> TcpStream {
    let mut stream = sent(server, b"GET /livez HTTP/1.1\r\nHost: localhost\r\n\r\n");
    let mut first = [0; 15];
    stream.read_exact(&mut first).unwrap();
    assert_eq!(&first, b"HTTP/1.1 200 OK");
    stream
}

fn stop_in_the_midst(home: &Home) {
    let server = home.serve();
    let applied = server.upload(IMPORT, json!({}), &many_users(500))["importUsers"]["applied"].take();
    assert_eq!(applied, true);
    let idle: Vec<_> = (0..100).map(|_| idle(&server)).collect();
    let half: Vec<_> = (0..10).map(|_| sent(&server, b"GET /livez HTTP/1.1\r\nHost: localhost\r\n")).collect();
    let halved = |request: Vec<u8>| {
        let (first, rest) = request.split_at(request.len() - 20);
        (sent(&server, first), rest.to_vec())
    };
    let mut answers: Vec<_> = (0..50).map(|_| halved(server.operation(QUERY, Json::Null))).collect();
    answers.push(halved(server.upload_request(IMPORT, json!({}), &many_users(1_000))));
    let export = sent(&server, b"GET /export/users.csv HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n");
    // The server has read what was sent of each, and is at it.
    sleep(Duration::from_millis(500));
    let begun = server.begin(server.upload_request(IMPORT, json!({}), &many_users(2_000)));
    let answered: Vec<_> = answers
        .into_iter()
        .map(|(stream, rest)| {
            spawn(move || {
                sleep(Duration::from_millis(300));
                answer(stream, &rest)
            })
        })
        .collect();
    let (code, time) = server.stop();
    assert_eq!(code, Some(0));
    assert!(time < Duration::from_secs(30), "{time:?}");
    let mut answered: Vec<Answer> = answered.into_iter().map(|one| one.join().unwrap()).collect();
    let import = answered.pop().unwrap();
    for query in answered {
        let json: Json = serde_json::from_slice(&query.body).unwrap();
        assert_eq!((query.status, json["data"]["users"]["edges"].as_array().map(Vec::len)), (200, Some(100)), "{json}");
    }
    let import: Json = serde_json::from_slice(&import.body).unwrap();
    assert_eq!(import["data"]["importUsers"]["applied"], true, "{import}");
    let export = answer(export, b"");
    let rows = export.text().lines().count() - 1;
    assert_eq!((export.status, rows), (200, 500));
    begun.join().unwrap();
    drop((idle, half));

    let server = home.serve();
    let count = server.ask("{ users { totalCount } }", Json::Null)["users"]["totalCount"].as_u64().unwrap();
    assert!([1_000, 2_000].contains(&count), "{count}");
    check_log(&home.database_url());
}

#[test]
fn a_server_that_is_stopped_answers_all_that_it_has_begun_to_read() {
    in_each_home(stop_in_the_midst);
}
