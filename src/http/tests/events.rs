use serde_json::json;
use tokio::io::{AsyncBufReadExt, BufReader};
use tokio::net::TcpStream;
use tokio::time::timeout;

use super::sockets::{connect, rest, start};
use super::*;

const ACCEPT: &str = "text/event-stream";

fn subscribe(accept: &str, query: &str) -> String {
    let body = json!({ "query": query }).to_string();
    format!(
        "POST /graphql HTTP/1.1\r\nHost: localhost\r\nAccept: {accept}\r\nAccept-Encoding: gzip\r\n\
         Content-Type: application/json\r\nContent-Length: {}\r\n\r\n{body}",
        body.len()
    )
}

/// The lines of an event stream, as they come.
struct Lines(BufReader<TcpStream>);

impl Lines {
    async fn begin(address: SocketAddr, query: &str) -> Self {
        Self(BufReader::new(connect(address, &subscribe(ACCEPT, query)).await))
    }

    /// Reads on to the line that begins so, and gives the rest of it.
    async fn after(&mut self, beginning: &str) -> String {
        loop {
            let mut line = String::new();
            assert_ne!(self.0.read_line(&mut line).await.unwrap(), 0, "the stream ends before `{beginning}`");
            if let Some(rest) = line.strip_prefix(beginning) {
                return rest.trim_end().to_owned();
            }
        }
    }
}

fn next(payload: &Value) -> String {
    format!("event: next\ndata: {payload}\n\n")
}

const COMPLETE: &str = "event: complete\ndata:\n\n";

impl Toy {
    /// The whole of an event stream, after its first comment.
    async fn events(&self, query: &str) -> String {
        let reply = self.json_accepting(ACCEPT, json!({ "query": query }).to_string()).await;
        assert_eq!(
            (reply.status, reply.header("content-type")),
            (StatusCode::OK, Some("text/event-stream; charset=utf-8"))
        );
        String::from_utf8(reply.body).unwrap().strip_prefix(":\n\n").unwrap().to_owned()
    }
}

#[tokio::test]
async fn every_kind_of_operation_can_be_answered_by_events() {
    let toy = Toy::new("");
    let numbers = toy.events("subscription { numbers(to: 2) }").await;
    let number = |number| next(&json!({ "data": { "numbers": number } }));
    assert_eq!(numbers, number(1) + &number(2) + COMPLETE);
    let hello = toy.events("{ hello(name: \"\\n\") }").await;
    assert_eq!(hello, next(&json!({ "data": { "hello": "hello \n" } })) + COMPLETE);
    assert_eq!(toy.events("mutation { count }").await, next(&json!({ "data": { "count": 1 } })) + COMPLETE);
    toy.running.are(0).await;
    assert_eq!(toy.state.0.streams.available_permits(), 256);
}

#[tokio::test]
async fn a_get_may_subscribe_but_not_mutate() {
    let toy = Toy::new("");
    let get = |query: &str| Request::get(format!("/graphql?query={query}")).header("accept", ACCEPT);
    let reply = toy.send(get("subscription%7Bnumbers(to:1)%7D").body(Body::empty()).unwrap()).await;
    let text = String::from_utf8(reply.body).unwrap();
    assert_eq!(text, ":\n\n".to_owned() + &next(&json!({ "data": { "numbers": 1 } })) + COMPLETE);
    let reply = toy.send(get("mutation%7Bcount%7D").body(Body::empty()).unwrap()).await;
    assert_eq!(
        (reply.status, reply.header("allow"), toy.done.times()),
        (StatusCode::METHOD_NOT_ALLOWED, Some("POST"), 0)
    );
}

#[tokio::test]
async fn what_is_wrong_with_a_document_is_an_event_and_with_the_request_a_plain_reply() {
    let toy = Toy::new("--max-body 1KiB");
    for (query, message) in [
        ("subscription { unknown }", "Unknown field"),
        ("subscription {", ""),
        ("subscription { a: numbers b: numbers }", "a subscription has exactly one field"),
        ("{ panics }", "internal error"),
        ("subscription { panicsLater }", "internal error"),
        ("subscription { failing }", "it cannot begin"),
    ] {
        let events = toy.events(query).await;
        let (results, end) = events.split_at(events.len() - COMPLETE.len());
        assert_eq!(end, COMPLETE, "{query}");
        let last = results.trim_end().rsplit("\n\n").next().unwrap();
        let json: Value = serde_json::from_str(last.strip_prefix("event: next\ndata: ").unwrap()).unwrap();
        let error = &json["errors"][0];
        assert!(error["message"].as_str().unwrap().starts_with(message), "{query}: {error}");
        assert!(error["extensions"]["code"].is_string() && error["extensions"]["requestId"].is_string(), "{error}");
        assert!(!events.contains("secret"), "{events}");
    }
    for (body, status) in [
        (json!({ "query": 1 }).to_string(), 400),
        ("[]".to_owned(), 400),
        (json!({ "query": "x".repeat(2_000) }).to_string(), 413),
    ] {
        let reply = toy.json_accepting(ACCEPT, body).await;
        assert_eq!(reply.status.as_u16(), status);
        assert_eq!(reply.header("content-type"), Some("application/json; charset=utf-8"));
        reply.code();
    }
}

#[tokio::test]
async fn a_subscription_needs_a_client_that_takes_events() {
    let toy = Toy::new("");
    let body = || json!({ "query": "subscription { numbers(to: 1) }" }).to_string();
    for accept in ["application/json", "*/*", "", "application/json, text/event-stream;q=0"] {
        let reply = toy.json_accepting(accept, body()).await;
        assert_eq!((reply.status, reply.code().as_str()), (StatusCode::NOT_ACCEPTABLE, "BAD_REQUEST"), "{accept}");
    }
    let lists = "application/graphql-response+json, application/json, text/event-stream;q=0.5, multipart/mixed";
    for accept in [ACCEPT, "Text/Event-Stream", lists] {
        let reply = toy.json_accepting(accept, body()).await;
        assert_eq!(reply.header("content-type"), Some("text/event-stream; charset=utf-8"), "{accept}");
    }
    let reply = toy.json_accepting(lists, json!({ "query": "{ hello }" }).to_string()).await;
    assert_eq!(reply.header("content-type"), Some("application/graphql-response+json; charset=utf-8"));
}

#[tokio::test]
async fn events_come_at_once_uncompressed_and_with_signs_of_life_between() {
    let toy = Toy::new("--ping-interval 50ms");
    let (address, _stop, _server) = start(&toy).await;
    let mut lines = Lines::begin(address, "subscription { numbers }").await;
    assert_eq!(lines.after("HTTP/1.1 ").await, "200 OK");
    let mut head = Vec::new();
    loop {
        let mut line = String::new();
        lines.0.read_line(&mut line).await.unwrap();
        if line == "\r\n" {
            break;
        }
        head.push(line.trim_end().to_owned());
    }
    for header in ["content-type: text/event-stream; charset=utf-8", "cache-control: no-store", "x-accel-buffering: no"]
    {
        assert!(head.iter().any(|line| line == header), "{head:?}");
    }
    assert!(!head.iter().any(|line| line.starts_with("content-encoding")), "{head:?}");
    assert_eq!(lines.after("data: ").await, r#"{"data":{"numbers":1}}"#);
    for _ in 0..3 {
        assert_eq!(lines.after(":").await, "");
    }
}

#[tokio::test]
async fn a_client_that_leaves_its_events_stops_them() {
    let toy = Toy::new("");
    let (address, _stop, _server) = start(&toy).await;
    let mut lines = Lines::begin(address, "subscription { numbers }").await;
    lines.after("event: next").await;
    toy.running.are(1).await;
    drop(lines);
    toy.running.are(0).await;
    while toy.state.0.streams.available_permits() < 256 {
        tokio::time::sleep(Duration::from_millis(1)).await;
    }
}

#[tokio::test]
async fn a_server_has_so_many_event_streams() {
    let toy = Toy::new("--max-streams 1");
    let (address, _stop, _server) = start(&toy).await;
    let mut lines = Lines::begin(address, "subscription { numbers }").await;
    lines.after("event: next").await;
    let reply = toy.json_accepting(ACCEPT, json!({ "query": "{ hello }" }).to_string()).await;
    assert_eq!((reply.status, reply.code().as_str()), (StatusCode::TOO_MANY_REQUESTS, "UNAVAILABLE"));
    assert_eq!(reply.header("retry-after"), Some("1"));
    assert_eq!(toy.query("{ hello }").await.status, StatusCode::OK);
}

#[tokio::test]
async fn a_reader_of_events_that_stalls_is_let_go() {
    let toy = Toy::new("--stall-timeout 100ms");
    let (address, _stop, _server) = start(&toy).await;
    let _stalled = Lines::begin(address, "subscription { long(length: 1000000) }").await;
    toy.running.are(1).await;
    toy.running.are(0).await;
}

#[tokio::test]
async fn stopping_breaks_off_events_so_that_clients_come_back() {
    let toy = Toy::new("");
    let (address, stop, server) = start(&toy).await;
    let mut lines = Lines::begin(address, "subscription { numbers }").await;
    lines.after("event: next").await;
    let mut slow = connect(address, &subscribe(ACCEPT, "mutation { countSlowly(ms: 200) }")).await;
    while toy.state.0.mutations.is_empty() {
        tokio::time::sleep(Duration::from_millis(1)).await;
    }
    stop.send(()).unwrap();
    let left = rest(lines.0.get_mut()).await;
    assert!(!left.contains("complete"), "{left}");
    let left = rest(&mut slow).await;
    assert!(left.contains("countSlowly\":1") && left.contains("event: complete"), "{left}");
    timeout(Duration::from_secs(5), server).await.expect("it does not stop").unwrap();
}
