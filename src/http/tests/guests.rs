//! Who is let in, how often they may try, and how much they may ask.

use std::net::IpAddr;
use std::time::Instant;

use http::header::{AUTHORIZATION, RETRY_AFTER, WWW_AUTHENTICATE};
use serde_json::json;

use super::*;
use crate::http::peer::Peer;

const ME: &str = "/graphql?query=%7Bme%7D";

fn get(path: &str, token: &str) -> Request<Body> {
    Request::get(path).header(AUTHORIZATION, format!("Bearer {token}")).body(Body::empty()).unwrap()
}

fn from(address: &str, mut request: Request<Body>) -> Request<Body> {
    request.extensions_mut().insert(Peer(address.parse::<IpAddr>().unwrap()));
    request
}

fn with_tokens(flags: &str) -> Toy {
    let toy = Toy::new(&format!("--auth tokens {flags}"));
    toy.tokens.add("ann");
    toy.tokens.add("ben");
    toy
}

impl Toy {
    /// An operation as JSON.
    async fn ask(&self, token: &str, query: &str) -> Reply {
        let body = json!({ "query": query }).to_string();
        let request = Request::post("/graphql").header("content-type", "application/json");
        self.send(request.header(AUTHORIZATION, format!("Bearer {token}")).body(Body::from(body)).unwrap()).await
    }
}

#[tokio::test]
async fn everything_but_the_probes_asks_who_it_is_before_it_looks_at_the_request() {
    let toy = with_tokens("");
    for path in ["/livez", "/readyz"] {
        assert_eq!(toy.send(Request::get(path).body(Body::empty()).unwrap()).await.status, 200, "{path}");
    }
    let exports = ["users", "sample", "org-units", "import-errors", "unmatched-accounts"];
    let mut paths: Vec<String> = exports.iter().map(|name| format!("/export/{name}.csv")).collect();
    paths.extend([ME, "/graphql", "/metrics", "/", "/nothing"].map(str::to_owned));
    for path in &paths {
        for method in ["GET", "POST", "PUT", "OPTIONS"] {
            for (accept, upgrade) in
                [("application/json", "h2c"), ("text/event-stream", "TLS/1.0"), ("*/*", "websocket")]
            {
                if path.starts_with("/graphql") && upgrade == "websocket" {
                    // It may say later who it is.
                    continue;
                }
                let request = Request::builder().method(method).uri(path);
                let request = request.header("accept", accept).header("upgrade", upgrade);
                let reply = toy.send(request.body("this is no JSON".into()).unwrap()).await;
                assert_eq!(reply.status, 401, "{method} {path}");
                assert_eq!(reply.header(WWW_AUTHENTICATE.as_str()), Some("Bearer"));
                assert_eq!(reply.code(), "UNAUTHENTICATED");
            }
        }
    }
    for header in ["", "ann", "Basic ann", "Bearer", "Bearer ann ben", "Bearer anne"] {
        let request = Request::get(ME).header(AUTHORIZATION, header).body(Body::empty()).unwrap();
        let reply = toy.send(request).await;
        assert_eq!((reply.status.as_u16(), reply.code().as_str()), (401, "UNAUTHENTICATED"), "{header}");
    }
    let twice = Request::get(ME).header(AUTHORIZATION, "Bearer ann").header(AUTHORIZATION, "Bearer ben");
    assert_eq!(toy.send(twice.body(Body::empty()).unwrap()).await.status, 401);
    let reply = toy.send(get(ME, "ann")).await;
    assert_eq!((reply.status.as_u16(), &reply.json()["data"]["me"]), (200, &json!("ann, Reader")));
    assert_eq!(toy.send(get("/export/users.csv", "ann")).await.status, 200);
    assert_eq!(toy.send(get("/nothing", "ann")).await.status, 404);
}

#[tokio::test]
async fn where_nobody_is_asked_everybody_may_do_everything_whatever_they_bring() {
    let toy = Toy::new("");
    for token in ["", "nonsense"] {
        let reply = toy.send(get(ME, token)).await;
        assert_eq!((reply.header("ratelimit"), &reply.json()["data"]["me"]), (None, &json!("api, Admin")));
    }
}

#[tokio::test]
async fn an_address_has_twenty_wrong_attempts_a_minute_whatever_it_says_of_itself() {
    let toy = with_tokens("--trusted-proxies 10.0.0.0/8");
    let mut seen = Vec::new();
    for attempt in 0..25 {
        let mut request = get(ME, &format!("wrong{attempt}"));
        request.headers_mut().insert("x-forwarded-for", format!("198.51.100.{attempt}").parse().unwrap());
        seen.push(toy.send(from("192.0.2.1", request)).await.status.as_u16());
    }
    assert_eq!(seen, [[401; 20].as_slice(), &[429; 5]].concat());
    assert_eq!(toy.send(from("192.0.2.1", get(ME, "ann"))).await.status, 200, "a right token, from the same address");
    let nothing = Request::get(ME).body(Body::empty()).unwrap();
    assert_eq!(toy.send(from("192.0.2.1", nothing)).await.status, 401, "to bring none is no attempt");
    let locked_out = toy.send(from("192.0.2.1", get(ME, "wrong"))).await;
    let seconds: u64 = locked_out.header(RETRY_AFTER.as_str()).unwrap().parse().unwrap();
    assert!((1..=60).contains(&seconds), "{seconds}");
    assert_eq!((locked_out.status.as_u16(), locked_out.code().as_str()), (429, "LIMIT_EXCEEDED"));
    assert_eq!(locked_out.json()["errors"][0]["extensions"]["retryable"], true);
    assert_eq!(toy.send(from("192.0.2.2", get(ME, "wrong"))).await.status, 401, "a neighbour");
    for (forwarded, status) in [("192.0.2.1", 429), ("192.0.2.3", 401), ("192.0.2.3, 192.0.2.1", 429)] {
        let mut request = get(ME, "wrong");
        request.headers_mut().insert("x-forwarded-for", forwarded.parse().unwrap());
        assert_eq!(toy.send(from("10.0.0.1", request)).await.status, status, "{forwarded}, by a trusted proxy");
    }
}

#[tokio::test]
async fn of_attempts_that_come_at_once_no_more_than_twenty_are_told_why() {
    let toy = with_tokens("");
    let attempts =
        (0..100).map(|attempt| toy.send(from("192.0.2.1", get(ME, if attempt % 4 == 0 { "ann" } else { "wrong" }))));
    let statuses = futures_util::future::join_all(attempts).await.into_iter().map(|reply| reply.status.as_u16());
    let mut counts = std::collections::BTreeMap::new();
    statuses.for_each(|status| *counts.entry(status).or_insert(0) += 1);
    assert_eq!(counts.into_iter().collect::<Vec<_>>(), [(200, 25), (401, 20), (429, 55)]);
}

#[tokio::test]
async fn nobody_is_shut_out_for_bringing_nothing_or_for_being_right() {
    let toy = with_tokens("");
    for _ in 0..30 {
        assert_eq!(toy.send(Request::get(ME).body(Body::empty()).unwrap()).await.status, 401);
        assert_eq!(toy.send(get(ME, "ann")).await.status, 200);
    }
}

#[tokio::test]
async fn points_are_counted_for_each_token_alone_and_told() {
    let toy = with_tokens("--rate-limit 112");
    let left = |reply: &Reply| {
        assert_eq!(reply.header("ratelimit-policy"), Some("\"points\";q=112;w=60"));
        let (points, seconds) = reply.header("ratelimit").unwrap().split_once(";t=").unwrap();
        assert!((1..=60).contains(&seconds.parse::<u64>().unwrap()), "{seconds}");
        points.strip_prefix("\"points\";r=").unwrap().parse::<u64>().unwrap()
    };
    let steps = [
        (toy.ask("ann", "{ me }").await, 200, 111),
        (toy.ask("ann", "mutation { count }").await, 200, 106),
        (toy.ask("ann", "{").await, 200, 105),
        (toy.send(get("/graphql", "ann")).await, 400, 104),
        (toy.send(get("/nothing", "ann")).await, 404, 103),
        (toy.send(get("/export/users.csv", "ann")).await, 200, 3),
        (toy.ask("ann", "mutation { count }").await, 200, 0),
        (toy.ask("ann", "{ me }").await, 429, 0),
        (toy.send(get("/export/users.csv", "ann")).await, 429, 0),
        (toy.ask("ben", "{ me }").await, 200, 111),
    ];
    for (at, (reply, status, points)) in steps.iter().enumerate() {
        assert_eq!((reply.status.as_u16(), left(reply)), (*status, *points), "step {at}");
    }
    let refused = &steps[7].0;
    assert_eq!(refused.code(), "LIMIT_EXCEEDED");
    assert_eq!(refused.json()["errors"][0]["extensions"]["retryable"], true);
    assert!(refused.header(RETRY_AFTER.as_str()).unwrap().parse::<u64>().unwrap() >= 1);
    assert_eq!(toy.done.times(), 2);
    let free = with_tokens("--rate-limit 0");
    assert_eq!(free.ask("ann", "{ me }").await.header("ratelimit"), None);
}

#[tokio::test]
async fn an_upload_takes_a_hundred_points_before_it_arrives() {
    let toy = with_tokens("--rate-limit 50");
    let upload = |token: &str| {
        let body = uploads::parts(&[
            ("operations", "", r#"{"query":"mutation($f: Upload!) { upload(file: $f) }","variables":{"f":null}}"#),
            ("map", "", r#"{"0":["variables.f"]}"#),
            ("0", "a.csv", "text"),
        ]);
        let request = Request::post("/graphql").header("content-type", "multipart/form-data; boundary=B");
        let request = request.header("graphql-require-preflight", "1").header(AUTHORIZATION, format!("Bearer {token}"));
        request.body(body.into()).unwrap()
    };
    let reply = toy.send(upload("ann")).await;
    assert_eq!((reply.status.as_u16(), reply.header("ratelimit").unwrap().starts_with("\"points\";r=0;")), (200, true));
    assert_eq!(toy.send(upload("ann")).await.status, 429);
    assert_eq!(toy.send(upload("nobody")).await.status, 401);
    assert_eq!((toy.done.times(), toy.spooled()), (1, 0));
}

#[tokio::test]
async fn what_is_refused_takes_points_too() {
    let toy = with_tokens("--rate-limit 4");
    let upload = |operations: &str| {
        let body = uploads::parts(&[("operations", "", operations), ("map", "", "{}")]);
        let request = Request::post("/graphql").header("content-type", "multipart/form-data; boundary=B");
        request.header("graphql-require-preflight", "1").header(AUTHORIZATION, "Bearer ann").body(body.into()).unwrap()
    };
    for (request, status) in [
        (upload(r#"{"query":"mutation($f: Upload!) { upload(file: $f) }","variables":{"f":null}}"#), 400),
        (upload("no JSON"), 400),
        (get("/graphql?query=%7B&query=%7B", "ann"), 400),
        (Request::post("/graphql").header(AUTHORIZATION, "Bearer ann").body(Body::empty()).unwrap(), 415),
    ] {
        let reply = toy.send(request).await;
        assert_eq!((reply.status.as_u16(), reply.code() == "LIMIT_EXCEEDED"), (status, false));
    }
    assert_eq!(toy.send(get(ME, "ann")).await.code(), "LIMIT_EXCEEDED");
}

/// The events of a subscription that is under way while something happens.
async fn events_while(toy: &Toy, happens: impl FnOnce()) -> String {
    let body = json!({ "query": "subscription { numbers }" }).to_string();
    let request = Request::post("/graphql").header("content-type", "application/json");
    let request = request.header("accept", "text/event-stream").header(AUTHORIZATION, "Bearer ann");
    let response = router(toy.state.clone()).oneshot(request.body(Body::from(body)).unwrap()).await.unwrap();
    let reading = tokio::spawn(async { response.into_body().collect().await.unwrap().to_bytes() });
    toy.running.are(1).await;
    happens();
    let events = String::from_utf8(reading.await.unwrap().to_vec()).unwrap();
    assert!(events.contains(r#"{"data":{"numbers":1}}"#), "{events}");
    assert!(events.ends_with("event: complete\ndata:\n\n"), "{events}");
    toy.running.are(0).await;
    events
}

#[tokio::test]
async fn an_event_stream_ends_when_its_token_is_revoked_or_cannot_be_looked_up_for_a_second() {
    let toy = with_tokens("");
    let events = events_while(&toy, || toy.tokens.revoke("ann")).await;
    assert!(events.contains(r#""code":"UNAUTHENTICATED""#), "{events}");
    toy.tokens.add("ann");
    let begun = Instant::now();
    let events = events_while(&toy, || toy.tokens.are_lost()).await;
    assert!(events.contains(r#""code":"UNAVAILABLE""#), "{events}");
    let took = begun.elapsed();
    assert!(took >= Duration::from_millis(750) && took < Duration::from_secs(5), "{took:?}");
}

#[tokio::test]
async fn a_request_that_is_still_arriving_when_its_token_is_revoked_is_not_run() {
    let toy = with_tokens("");
    let upload = uploads::parts(&[
        ("operations", "", r#"{"query":"mutation($f: Upload!) { upload(file: $f) }","variables":{"f":null}}"#),
        ("map", "", r#"{"0":["variables.f"]}"#),
        ("0", "a.csv", &"text".repeat(1_000)),
    ]);
    for (media, body, status) in [
        ("application/json", json!({ "query": "mutation { count }" }).to_string(), 200),
        ("multipart/form-data; boundary=B", upload.clone(), 200),
        ("application/json", json!({ "query": "mutation { count }" }).to_string(), 401),
        ("multipart/form-data; boundary=B", upload, 401),
    ] {
        let (first, rest) = body.as_bytes().split_at(body.len() - 30);
        let (say, body) = by_and_by(first.to_vec(), rest.to_vec());
        let request = Request::post("/graphql").header("content-type", media).header("graphql-require-preflight", "1");
        let request = request.header(AUTHORIZATION, "Bearer ann").body(body).unwrap();
        let telling = async {
            tokio::time::sleep(Duration::from_millis(100)).await;
            if status == 401 {
                toy.tokens.revoke("ann");
                tokio::time::sleep(Duration::from_secs(1)).await;
            }
            // Whoever is refused hears no more.
            let _ = say.send(());
        };
        let (reply, ()) = tokio::join!(toy.send(request), telling);
        assert_eq!(reply.status, status, "{media}");
        if status == 401 {
            toy.tokens.add("ann");
        }
    }
    assert_eq!((toy.done.times(), toy.spooled()), (2, 0));
}

#[tokio::test]
async fn a_download_is_whole_however_long_its_reader_pauses() {
    let toy = with_tokens("");
    let response = router(toy.state.clone()).oneshot(get("/export/users.csv?large=true", "ann")).await.unwrap();
    let mut body = response.into_body().into_data_stream();
    let mut length = body.next().await.unwrap().unwrap().len();
    tokio::time::sleep(Duration::from_millis(1_500)).await;
    while let Some(more) = body.next().await {
        length += more.expect("it breaks off").len();
    }
    assert_eq!(length, 4_000 * 1_000 * "ID,Name\n".len());
}

#[tokio::test]
async fn a_download_breaks_off_when_its_token_is_revoked() {
    let toy = with_tokens("");
    for version in [http::Version::HTTP_11, http::Version::HTTP_10] {
        let mut request = get("/export/users.csv?large=true", "ann");
        *request.version_mut() = version;
        let response = router(toy.state.clone()).oneshot(request).await.unwrap();
        assert_eq!(response.status(), 200);
        let mut body = response.into_body().into_data_stream();
        assert!(body.next().await.unwrap().is_ok());
        toy.tokens.revoke("ann");
        // A reader that takes its time.
        tokio::time::sleep(Duration::from_millis(900)).await;
        let end = loop {
            match body.next().await {
                Some(Ok(_)) => tokio::time::sleep(Duration::from_millis(10)).await,
                end => break end,
            }
        };
        assert!(end.unwrap().is_err(), "it seems to be whole");
        while toy.state.0.exports.available_permits() < 4 {
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
        toy.tokens.add("ann");
    }
}

#[tokio::test]
async fn other_host_names_are_answered_where_tokens_are_asked_for_unless_some_are_set() {
    for (flags, status) in [("", 200), ("--allowed-hosts roster.example", 421)] {
        let mut request = get(ME, "ann");
        request.headers_mut().insert("host", "other.example".parse().unwrap());
        assert_eq!(with_tokens(flags).send(request).await.status, status, "{flags}");
    }
}
