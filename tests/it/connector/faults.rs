//! What tools and networks do wrong: each ends in a reading that is right, or in an error that says what it was.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use entity::integration::IntegrationKind::{GitHub, GitLab, Jira, Slack};
use roster::connector::{Client, Credential, ErrorKind, Policy, Settings, read};
use serde_json::{Value, json};
use tokio::io::AsyncReadExt;
use tokio::sync::mpsc;

use super::stand_in::{PEOPLE, Reading, StandIn, TOKEN, instead, policy, raw, reading, reading_as, write};

const USERS: &[u8] = b"HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: 99\r\n\r\n\
                       [{\"id\":1,\"username\":\"ann\",\"state\":\"";

fn github(tools: &StandIn) -> Value {
    json!({ "baseUrl": tools.url("github"), "organization": "acme" })
}

async fn gitlab_at(address: std::net::SocketAddr, policy: Policy) -> Reading {
    reading_as(policy, GitLab, json!({ "baseUrl": format!("http://{address}") }), TOKEN, None).await
}

fn users(body: &str) -> Vec<u8> {
    let length = body.len();
    format!("HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: {length}\r\nconnection: close\r\n\r\n{body}")
        .into_bytes()
}

#[tokio::test]
async fn a_tool_that_fails_now_and_then_is_read_to_the_end() {
    let tools = StandIn::start().await;
    let failed = || instead(502, &[], "<html>Bad Gateway</html>");
    tools.instead([
        None,
        failed(),
        failed(),
        None,
        instead(503, &[("retry-after", "0")], ""),
        failed(),
        None,
        failed(),
    ]);
    let read = reading(GitHub, github(&tools)).await;
    let outcome = read.outcome.as_ref().unwrap();
    assert_eq!((read.accounts.len(), outcome.waits, outcome.requests), (PEOPLE, 5, 10));
    // Each wait is twice the one before it, without any chance in it.
    let waits: Vec<u64> = read.waits.iter().map(|(wait, _)| u64::try_from(wait.as_millis()).unwrap()).collect();
    assert_eq!(waits, [1, 2, 1, 2, 1]);
    assert_eq!(read.waits[0].1, "GitHub answers with status 502");

    tools.instead((0..4).map(|_| instead(500, &[], r#"{"message":"it is on fire"}"#)));
    let read = reading(GitHub, github(&tools)).await;
    assert_eq!((read.error().kind(), read.error().is_retryable()), (ErrorKind::Unavailable, true));
    assert!(read.error().message().ends_with("status 500 and says: it is on fire"), "{}", read.error());
}

/// A status, headers and a body that ask to wait, and how long.
type Told<'a> = (u16, &'a [(&'static str, &'a str)], &'a str, Duration);

#[tokio::test]
async fn a_rate_limit_is_waited_for_however_it_is_told() {
    let tools = StandIn::start().await;
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_secs();
    let (date, later) = ("Sun, 01 Nov 2026 08:49:37 GMT", "Sun, 01 Nov 2026 08:49:38 GMT");
    let second = Duration::from_secs(1);
    let reset = (now - 1).to_string();
    let limit = [("x-ratelimit-remaining", "0"), ("x-ratelimit-limit", "5000"), ("x-ratelimit-reset", reset.as_str())];
    let graphql = json!({ "errors": [{ "type": "RATE_LIMITED", "message": "API rate limit exceeded" }] }).to_string();
    let secondary =
        json!({ "message": "You have exceeded a secondary rate limit. Please wait a few minutes." }).to_string();
    let told: [Told<'_>; 6] = [
        (429, &[("retry-after", "1")], "{}", second),
        // By the tool's own clock, which is weeks behind ours.
        (429, &[("date", date), ("retry-after", later)], "{}", second),
        (429, &[("date", later), ("retry-after", date)], "{}", Duration::from_millis(1)),
        (403, &limit, "{}", Duration::from_millis(1)),
        (403, &[("retry-after", "0")], &secondary, Duration::from_millis(1)),
        (200, &limit, &graphql, Duration::from_millis(1)),
    ];
    for (status, headers, body, wait) in told {
        tools.instead([None, instead(status, headers, body)]);
        let begun = Instant::now();
        let read = reading(GitHub, github(&tools)).await;
        assert_eq!(read.accounts.len(), PEOPLE, "{headers:?}: {:?}", read.outcome);
        assert_eq!(read.waits.len(), 1);
        assert_eq!(read.waits[0].0, wait, "{headers:?}");
        assert!(begun.elapsed() >= wait && read.waits[0].1.contains("rate limit"), "{:?}", read.waits);
    }
    // A refusal is no limit.
    tools.instead([instead(403, &[("x-ratelimit-remaining", "4999")], r#"{"message":"Must have admin rights"}"#)]);
    let read = reading(GitHub, github(&tools)).await;
    assert_eq!((read.error().kind(), read.waits.len()), (ErrorKind::Forbidden, 0));
}

#[tokio::test]
async fn a_storm_of_429_ends_after_eight_and_a_wait_that_is_too_long_at_once() {
    let tools = StandIn::start().await;
    let slack = json!({ "baseUrl": tools.url("slack") });
    let storm = || instead(429, &[("retry-after", "0")], r#"{"ok":false,"error":"ratelimited"}"#);
    tools.instead((0..1000).map(|_| storm()));
    let read = reading(Slack, slack.clone()).await;
    assert_eq!((read.error().kind(), read.error().is_retryable()), (ErrorKind::RateLimited, true));
    assert_eq!((tools.seen().len(), read.waits.len()), (8, 7));

    tools.instead([instead(429, &[("retry-after", "3600")], "{}")]);
    let read = reading(Slack, slack.clone()).await;
    assert_eq!((read.error().kind(), read.waits.len()), (ErrorKind::RateLimited, 0));
    assert!(read.error().message().contains("60 min"), "{}", read.error());
    tools.instead([instead(429, &[("retry-after", "99999999999999999999")], "{}")]);
    assert_eq!(reading(Slack, slack.clone()).await.error().kind(), ErrorKind::RateLimited);
    tools.instead([instead(429, &[("retry-after", "18446744073709551615")], "{}")]);
    assert_eq!(reading(Slack, slack).await.error().kind(), ErrorKind::RateLimited);
}

#[tokio::test]
async fn a_cut_connection_is_tried_again_and_told() {
    // The first reply breaks off in its middle, the second before its beginning; then it is whole.
    let address = raw(|mut stream, count| async move {
        match count {
            0 => write(&mut stream, USERS).await,
            1 => {}
            _ => write(&mut stream, &users(r#"[{"id":1,"username":"ann","state":"active"}]"#)).await,
        }
    })
    .await;
    let read = gitlab_at(address, policy()).await;
    assert_eq!((read.accounts.len(), read.waits.len()), (1, 2), "{:?}", read.outcome);

    let always = raw(|mut stream, _| async move { write(&mut stream, USERS).await }).await;
    let read = gitlab_at(always, policy()).await;
    assert_eq!((read.error().kind(), read.error().is_retryable()), (ErrorKind::Unreachable, true));
    assert!(read.error().message().contains("broke off"), "{}", read.error());

    let closed = { std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap() };
    let read = gitlab_at(closed, policy()).await;
    assert_eq!((read.error().kind(), read.waits.len()), (ErrorKind::Unreachable, 3));
    assert_eq!(read.error().request(), Some(format!("GET {closed}/api/v4/users").as_str()));
}

#[tokio::test]
async fn a_reply_that_never_ends_is_given_up() {
    // Nothing at all, a byte at a time, and a byte now and then for longer than a request may take.
    let patient = |silence: u64, request: u64| Policy {
        silence_timeout: Duration::from_millis(silence),
        request_timeout: Duration::from_millis(request),
        max_waiting: Duration::ZERO,
        ..policy()
    };
    let silent = raw(|mut stream, _| async move {
        let _ = stream.read_u8().await;
    })
    .await;
    let dripping = raw(|mut stream, _| async move {
        write(&mut stream, b"HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ntransfer-encoding: chunked\r\n\r\n")
            .await;
        loop {
            if tokio::io::AsyncWriteExt::write_all(&mut stream, b"1\r\n \r\n").await.is_err() {
                return;
            }
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    })
    .await;
    for (address, policy, longest) in [(silent, patient(200, 5_000), 2), (dripping, patient(1_000, 500), 3)] {
        let begun = Instant::now();
        let read = gitlab_at(address, policy).await;
        assert_eq!(read.error().kind(), ErrorKind::Unreachable, "{}", read.error());
        assert!(read.error().message().contains("in time"), "{}", read.error());
        assert!(begun.elapsed() < Duration::from_secs(longest), "{:?}", begun.elapsed());
    }
}

#[tokio::test]
async fn a_reply_that_is_too_large_or_packed_is_read_no_further() {
    let small = Policy { max_reply: 64 * 1024, ..policy() };
    // By its length, and by what comes although no length was given.
    let sent = Arc::new(AtomicUsize::new(0));
    let counted = sent.clone();
    let address = raw(move |mut stream, _| {
        let counted = counted.clone();
        async move {
            write(&mut stream, b"HTTP/1.1 200 OK\r\ncontent-type: application/json\r\n\r\n[").await;
            while tokio::io::AsyncWriteExt::write_all(&mut stream, &[b' '; 4096]).await.is_ok() {
                counted.fetch_add(4096, Ordering::Relaxed);
            }
        }
    })
    .await;
    let read = gitlab_at(address, small.clone()).await;
    assert_eq!((read.error().kind(), read.error().is_retryable()), (ErrorKind::TooLarge, false));
    assert!(read.error().message().contains("64 KiB"), "{}", read.error());
    tokio::time::sleep(Duration::from_millis(100)).await;
    assert!(sent.load(Ordering::Relaxed) < 8 << 20, "the rest stays where it is");

    let long = raw(|mut stream, _| async move {
        write(&mut stream, b"HTTP/1.1 200 OK\r\ncontent-length: 99999999999\r\n\r\n").await;
    })
    .await;
    assert_eq!(gitlab_at(long, small).await.error().kind(), ErrorKind::TooLarge);

    let packed = raw(|mut stream, _| async move {
        let head = b"HTTP/1.1 200 OK\r\ncontent-encoding: gzip\r\ncontent-length: 4\r\n\r\n\x1f\x8b\x08\x00";
        write(&mut stream, head).await;
    })
    .await;
    let read = gitlab_at(packed, policy()).await;
    assert!(read.error().message().contains("compressed"), "{}", read.error());
}

#[tokio::test]
async fn a_malformed_page_is_told_and_ends_the_reading() {
    let tools = StandIn::start().await;
    let gitlab = json!({ "baseUrl": tools.url("gitlab") });
    for (body, part) in [
        ("", "EOF while parsing"),
        ("[{\"id\":1", "EOF while parsing"),
        ("{\"message\":\"hello\"}", "expected a sequence"),
        ("[{\"id\":\"one\",\"username\":\"ann\"}]", "expected u64"),
        ("[{\"username\":\"ann\"}]", "missing field `id`"),
        ("[1,2", "invalid type"),
        ("\u{0}\u{1}", "expected value"),
    ] {
        tools.instead([None, instead(200, &[], body)]);
        let read = reading(GitLab, gitlab.clone()).await;
        // What came before it was told; nobody is gone for what did not come.
        assert_eq!((read.accounts.len(), read.error().kind()), (100, ErrorKind::Malformed), "{body}");
        assert!(read.error().message().contains(part), "{body}: {}", read.error());
        assert!(read.error().message().len() < 200, "{}", read.error());
        assert!(!read.error().is_retryable());
    }
    let deep = "[".repeat(100_000);
    tools.instead([instead(200, &[], deep)]);
    assert_eq!(reading(GitLab, gitlab.clone()).await.error().kind(), ErrorKind::Malformed);
    let page = raw(|mut stream, _| async move {
        write(
            &mut stream,
            b"HTTP/1.1 200 OK\r\ncontent-type: text/html; charset=utf-8\r\ncontent-length: 15\r\n\r\n<h1>Sign in</h1",
        )
        .await;
    })
    .await;
    let read = gitlab_at(page, policy()).await;
    assert!(read.error().message().contains("web page"), "{}", read.error());
    // A GraphQL reply that says neither who there is nor why not.
    for body in ["{}", r#"{"data":null}"#, r#"{"data":{"organization":null}}"#] {
        tools.instead([instead(200, &[], body)]);
        assert_eq!(reading(GitHub, github(&tools)).await.error().kind(), ErrorKind::Malformed, "{body}");
    }
}

#[tokio::test]
async fn pages_that_go_round_in_a_circle_end() {
    let tools = StandIn::start().await;
    // The same page whatever was asked for.
    let page =
        json!([{ "accountId": "1", "accountType": "atlassian", "displayName": "Ann", "active": true }]).to_string();
    tools.instead((0..1000).map(|_| instead(200, &[], page.clone())));
    let jira = json!({ "baseUrl": tools.url("jira"), "deployment": "CLOUD", "email": "a@corp.example" });
    let read = reading(Jira, jira).await;
    assert_eq!((read.accounts.len(), read.error().kind()), (1, ErrorKind::Endless));
    assert_eq!(tools.seen().len(), 6, "the page, and five more that have nothing new");
    // A cursor that was there before.
    let page = |id: u32| {
        json!({ "ok": true, "members": [{ "id": format!("U{id}"), "name": "ann" }],
                "response_metadata": { "next_cursor": "again" } })
        .to_string()
    };
    tools.instead((0..1000).map(|at| instead(200, &[], page(at))));
    let read = reading(Slack, json!({ "baseUrl": tools.url("slack") })).await;
    assert_eq!((read.accounts.len(), read.error().kind()), (2, ErrorKind::Endless));
    // A link to the same page.
    let address = raw(|mut stream, _| async move {
        let reply = users(r#"[{"id":1,"username":"ann"}]"#);
        let reply =
            String::from_utf8(reply).unwrap().replacen("\r\n", "\r\nlink: </api/v4/users?page=2>; rel=\"next\"\r\n", 1);
        write(&mut stream, reply.as_bytes()).await;
    })
    .await;
    assert_eq!(gitlab_at(address, policy()).await.error().kind(), ErrorKind::Endless);
    // New pages without end.
    let address = raw(|mut stream, count| async move {
        let reply = String::from_utf8(users(&format!(r#"[{{"id":{count},"username":"ann"}}]"#))).unwrap();
        let link = format!("\r\nlink: </api/v4/users?page={count}>; rel=\"next\"\r\n");
        write(&mut stream, reply.replacen("\r\n", &link, 1).as_bytes()).await;
    })
    .await;
    let read = gitlab_at(address, Policy { max_pages: 50, ..policy() }).await;
    assert_eq!((read.accounts.len(), read.error().kind()), (50, ErrorKind::TooLarge));
}

#[tokio::test]
async fn nothing_leads_elsewhere_and_the_token_goes_nowhere_else() {
    let (tools, other) = (StandIn::start().await, StandIn::start().await);
    // Redirects are not followed, whether to a private address, another host or the same one.
    for to in [
        "http://169.254.169.254/latest/meta-data",
        "http://127.0.0.1:1/",
        &other.url("gitlab/api/v4/users"),
        "/elsewhere",
    ] {
        for status in [301, 302, 303, 307, 308] {
            tools.instead([instead(status, &[("location", to)], "")]);
            let read = reading(GitLab, json!({ "baseUrl": tools.url("gitlab") })).await;
            assert_eq!((read.error().kind(), read.waits.len()), (ErrorKind::Refused, 0), "{status} {to}");
            assert!(read.error().message().starts_with("GitLab redirects"), "{}", read.error());
        }
    }
    // Links to further pages stay at the tool.
    let elsewhere = [
        other.url("gitlab/api/v4/users?page=2"),
        format!("https://{}/gitlab/api/v4/users", tools.address),
        format!("http://user:pass@{}/gitlab/api/v4/users", tools.address),
        "//169.254.169.254/api".to_owned(),
        "file:///etc/passwd".to_owned(),
        "http://[::ffff:127.0.0.1]/".to_owned(),
    ];
    for link in elsewhere {
        let link = format!("<{link}>; rel=\"next\"");
        tools.instead([instead(200, &[("link", &link)], r#"[{"id":1,"username":"ann"}]"#)]);
        let read = reading(GitLab, json!({ "baseUrl": tools.url("gitlab") })).await;
        assert_eq!(read.error().kind(), ErrorKind::AddressRefused, "{link}");
        assert!(read.error().message().starts_with("the link to the next page"), "{}", read.error());
    }
    assert_eq!(other.seen().len(), 0, "the other server was asked");
}

#[tokio::test]
async fn addresses_that_are_not_public_are_refused_unless_they_are_allowed() {
    let closed = Policy::default();
    let hosts = [
        "127.0.0.1",
        "127.1",
        "2130706433",
        "0x7f.1",
        "0177.0.0.1",
        "0.0.0.0",
        "0",
        "10.0.0.1",
        "172.16.0.1",
        "192.168.1.1",
        "169.254.169.254",
        "100.64.0.1",
        "[::1]",
        "[::]",
        "[fc00::1]",
        "[fd12::1]",
        "[fe80::1]",
        "[::ffff:127.0.0.1]",
        "[::ffff:a9fe:a9fe]",
        "[64:ff9b::7f00:1]",
        "[64:ff9b::10.0.0.1]",
        "[64:ff9b:1::1]",
        "[2002:7f00:1::]",
        "localhost",
        "LOCALHOST.",
        "x.localhost",
        "metadata.google.internal",
        "printer.local",
    ];
    for host in hosts {
        let settings = json!({ "baseUrl": format!("https://{host}/") });
        let violations = Settings::parse(GitLab, &settings, &closed).unwrap_err();
        assert_eq!(
            (violations[0].path.as_str(), violations[0].code),
            ("settings.baseUrl", "ADDRESS_REFUSED"),
            "{host}"
        );
        assert!(violations[0].message.contains("--connector-allow"), "{}", violations[0].message);
    }
    // Settings that were read when more was allowed are refused when they are used.
    let tools = StandIn::start().await;
    let settings = Settings::parse(GitLab, &json!({ "baseUrl": tools.url("gitlab") }), &policy()).unwrap();
    let (tell, _told) = mpsc::channel(1);
    let credential = Credential::new(TOKEN.into());
    let refused = read(&Client::new(closed), &settings, Some(&credential), None, &tell).await.unwrap_err();
    assert_eq!((refused.kind(), refused.is_retryable()), (ErrorKind::AddressRefused, false));
    assert_eq!(tools.seen().len(), 0);
    // Allowed by address, by network, by name; and what is allowed is no more than that.
    let port = tools.address.port();
    for (allowed, host) in [
        ("127.0.0.0/8", "127.0.0.1"),
        ("127.0.0.1/32", "127.1"),
        ("localhost", "localhost"),
        ("LOCALHOST.", "localhost"),
    ] {
        let policy = Policy { allowed_hosts: vec![allowed.into()], ..policy() };
        let settings = json!({ "baseUrl": format!("http://{host}:{port}/gitlab") });
        let read = reading_as(policy.clone(), GitLab, settings, TOKEN, None).await;
        assert_eq!(read.accounts.len(), PEOPLE, "{allowed}: {:?}", read.outcome);
        assert!(Settings::parse(GitLab, &json!({ "baseUrl": "http://10.0.0.1/" }), &policy).is_err());
    }
    // A public host is not asked without encryption.
    assert!(Settings::parse(GitLab, &json!({ "baseUrl": "http://gitlab.example" }), &policy()).is_err());
    assert!(Settings::parse(GitLab, &json!({ "baseUrl": "https://gitlab.example" }), &policy()).is_ok());
}

#[tokio::test]
async fn a_tool_that_shows_nobody_leaves_everybody_there() {
    let tools = StandIn::start().await;
    tools.instead([instead(200, &[], "[]")]);
    let read = reading(GitLab, json!({ "baseUrl": tools.url("gitlab") })).await;
    assert_eq!(read.error().kind(), ErrorKind::Forbidden);
    assert!(read.error().message().contains("no account at all"), "{}", read.error());
}

#[tokio::test]
async fn a_reading_ends_when_nobody_listens() {
    let tools = StandIn::start().await;
    let policy = policy();
    let settings = Settings::parse(GitHub, &github(&tools), &policy).unwrap();
    let (tell, told) = mpsc::channel(1);
    drop(told);
    let credential = Credential::new(TOKEN.into());
    let ended = read(&Client::new(policy), &settings, Some(&credential), None, &tell).await.unwrap_err();
    assert_eq!((ended.kind(), tools.seen().len()), (ErrorKind::Stopped, 1));
}
