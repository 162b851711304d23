use std::net::{IpAddr, SocketAddr};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpListener;

use super::address::is_public;
use super::*;

fn reply(headers: &[(&'static str, &str)]) -> Reply {
    let mut all = HeaderMap::new();
    for (name, value) in headers {
        all.append(*name, HeaderValue::from_str(value).unwrap());
    }
    Reply { status: StatusCode::OK, headers: all, body: Vec::new() }
}

#[test]
fn the_next_page_is_found_in_any_link_header() {
    let next = |link: &str| reply(&[("link", link)]).next_link();
    assert_eq!(next("<https://a.example/?page=2>; rel=\"next\""), Some("https://a.example/?page=2".into()));
    assert_eq!(next("</a?x=1,2;3>; rel=next, </b>; rel=prev"), Some("/a?x=1,2;3".into()));
    assert_eq!(next("</a>; rel=\"prev\", </b>; title=\"x\"; REL=\"last NEXT\""), Some("/b".into()));
    assert_eq!(next("</a>; rel=\"prev\", </b>; rel=\"last\""), None);
    assert_eq!(next("</a>; title=\"rel=next\""), None);
    assert_eq!(next("garbage"), None);
    assert_eq!(next("<unclosed; rel=\"next\""), None);
    assert_eq!(reply(&[("link", "</a>; rel=prev"), ("link", "</b>; rel=next")]).next_link(), Some("/b".into()));
    assert_eq!(reply(&[]).next_link(), None);
}

#[test]
fn only_addresses_of_the_public_internet_are_public() {
    let public = [
        "1.1.1.1",
        "8.8.8.8",
        "140.82.112.3",
        "172.15.0.1",
        "172.32.0.1",
        "100.63.0.1",
        "100.128.0.1",
        "192.0.1.1",
        "223.255.255.255",
        "2606:4700::1111",
        "2a00:1450::1",
        "2001:4860:4860::8888",
    ];
    let others = [
        "0.0.0.0",
        "0.1.2.3",
        "10.1.2.3",
        "100.64.0.1",
        "100.127.255.255",
        "127.0.0.1",
        "127.255.0.1",
        "169.254.0.1",
        "172.16.0.1",
        "172.31.255.255",
        "192.0.0.1",
        "192.0.2.1",
        "192.88.99.1",
        "192.168.0.1",
        "198.18.0.1",
        "198.19.0.1",
        "198.51.100.1",
        "203.0.113.1",
        "224.0.0.1",
        "240.0.0.1",
        "255.255.255.255",
        "::",
        "::1",
        "::127.0.0.1",
        "::ffff:8.8.8.8",
        "64:ff9b::808:808",
        "100::1",
        "2001::1",
        "2001:20::1",
        "2001:db8::1",
        "2002:808:808::1",
        "3fff::1",
        "fc00::1",
        "fdff::1",
        "fe80::1",
        "fec0::1",
        "ff02::1",
        "4000::1",
    ];
    for address in public {
        assert!(is_public(address.parse().unwrap()), "{address}");
    }
    for address in others {
        assert!(!is_public(address.parse().unwrap()), "{address}");
    }
}

#[test]
fn what_is_allowed_is_names_addresses_and_networks() {
    let allowed = |entries: &[&str]| Allowed::new(&entries.iter().map(|entry| (*entry).to_owned()).collect::<Vec<_>>());
    let may = |allowed: &Allowed, address: &str| allowed.address(address.parse().unwrap());
    let some = allowed(&[
        "10.2.0.0/16",
        " fd00::/8 ",
        "192.168.7.7",
        "[fe80::7]",
        "git.corp.example",
        "127.0.0.0/33",
        "1.2.3/8",
    ]);
    for address in
        ["10.2.0.1", "10.2.255.255", "fd12::1", "192.168.7.7", "fe80::7", "::ffff:10.2.0.1", "64:ff9b::10.2.0.1"]
    {
        assert!(may(&some, address), "{address}");
    }
    // What stands for a public address by NAT64 is one, what is mapped is what it is.
    assert!(may(&some, "64:ff9b::8.8.8.8") && may(&some, "::ffff:8.8.8.8"));
    for address in ["10.3.0.1", "192.168.7.8", "fe80::8", "127.0.0.1", "::1", "::ffff:127.0.0.1", "64:ff9b::127.0.0.1"]
    {
        assert!(!may(&some, address), "{address}");
    }
    assert!(some.name("GIT.corp.example.") && !some.name("x.git.corp.example") && !some.name("corp.example"));
    let all = allowed(&["0.0.0.0/0", "::/0"]);
    assert!(may(&all, "127.0.0.1") && may(&all, "::1"));
}

#[test]
fn a_wait_is_read_as_seconds_or_as_a_date_by_the_clock_of_the_tool() {
    let date = ("date", "Sun, 22 Nov 2026 10:00:00 GMT");
    let after = |value: &str| reply(&[date, ("retry-after", value)]).retry_after();
    assert_eq!(after("120"), Some(Duration::from_secs(120)));
    assert_eq!(after("Sun, 22 Nov 2026 10:01:30 GMT"), Some(Duration::from_secs(90)));
    assert_eq!(after("Sun, 22 Nov 2026 09:00:00 GMT"), Some(Duration::ZERO));
    for nonsense in ["-1", "soon", "1.5", ""] {
        assert_eq!(after(nonsense), None, "{nonsense}");
    }
    // 2026-11-22T10:00:00Z is 1795341600.
    let reset = |remaining: &str, at: &str| {
        let headers = [date, ("x-ratelimit-remaining", remaining), ("x-ratelimit-reset", at)];
        Reply { status: StatusCode::FORBIDDEN, ..reply(&headers) }.asks_to_wait(false).map(|(wait, _)| wait)
    };
    assert_eq!(reset("0", "1795341660"), Some(Some(Duration::from_secs(61))));
    assert_eq!(reset("0", "1"), Some(Some(Duration::ZERO)));
    assert_eq!(reset("0", "9223372036854775807").flatten().map(|wait| wait > Duration::from_secs(1 << 40)), Some(true));
    assert_eq!(reset("12", "1795341660"), None);
    let unsaid = Reply { status: StatusCode::TOO_MANY_REQUESTS, ..reply(&[]) };
    assert_eq!(unsaid.asks_to_wait(false).map(|(wait, _)| wait), Some(None));
    assert_eq!(show_wait(Duration::from_millis(500)), "500 ms");
    assert_eq!(show_wait(Duration::from_secs(90)), "90 s");
    assert_eq!(show_wait(Duration::from_secs(3_601)), "61 min");
}

/// A server on this machine that counts who connects.
async fn counting() -> (SocketAddr, Arc<AtomicUsize>) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let (address, count) = (listener.local_addr().unwrap(), Arc::new(AtomicUsize::new(0)));
    let counted = count.clone();
    tokio::spawn(async move {
        while let Ok((mut stream, _)) = listener.accept().await {
            counted.fetch_add(1, Ordering::SeqCst);
            let mut some = [0; 4096];
            let _ = stream.read(&mut some).await;
            let _ = stream.write_all(b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\nconnection: close\r\n\r\n[]").await;
        }
    });
    (address, count)
}

fn request(url: &str) -> Request {
    Request { method: Method::GET, url: Url::parse(url).unwrap(), headers: HeaderMap::new(), body: None }
}

#[tokio::test]
async fn a_name_is_connected_to_at_no_address_but_a_public_one_whenever_its_answer_changes() {
    let (server, connected) = counting().await;
    // First public and private, of which the public one is kept; from then on private alone.
    let asked = Arc::new(AtomicUsize::new(0));
    let answers: LookUp = {
        let asked = asked.clone();
        Arc::new(move |name| {
            let first = asked.fetch_add(1, Ordering::SeqCst) == 0;
            Box::pin(async move {
                assert_eq!(name, "rebinding.example");
                let local: IpAddr = "127.0.0.1".parse().unwrap();
                Ok(if first { vec!["::ffff:127.0.0.1".parse().unwrap(), local] } else { vec![local] })
            })
        })
    };
    let patience = Duration::from_millis(300);
    let policy = Policy { connect_timeout: patience, request_timeout: patience, ..Policy::default() };
    let client = Client::with_look_up(policy, answers.clone());
    for _ in 0..3 {
        let url = format!("https://rebinding.example:{}/", server.port());
        let Err(failed) = client.send(&request(&url)).await else { panic!("it was asked") };
        assert_eq!((failed.error.kind(), failed.is_passing), (ErrorKind::AddressRefused, false), "{}", failed.error);
    }
    assert_eq!((asked.load(Ordering::SeqCst), connected.load(Ordering::SeqCst)), (3, 0));

    // A name that is allowed may be anywhere; an address is looked at by itself.
    let policy = Policy { allowed_hosts: vec!["rebinding.example".into()], ..Policy::default() };
    let client = Client::with_look_up(policy, answers);
    let url = format!("http://rebinding.example:{}/", server.port());
    assert!(client.send(&request(&url)).await.is_ok_and(|reply| reply.body == b"[]"));
    let by_address = request(&format!("http://{server}/"));
    assert!(client.send(&by_address).await.is_err_and(|failed| failed.error.kind() == ErrorKind::AddressRefused));
    assert_eq!(connected.load(Ordering::SeqCst), 1);
}

#[tokio::test]
async fn a_request_never_carries_a_user_in_its_url() {
    let client = Client::new(Policy { allowed_hosts: vec!["127.0.0.1".into()], ..Policy::default() });
    let (server, connected) = counting().await;
    assert!(client.send(&request(&format!("http://user:pass@{server}/"))).await.is_err());
    assert_eq!(connected.load(Ordering::SeqCst), 0);
}

#[test]
fn nothing_shows_a_credential() {
    let client = Client::new(Policy::default());
    let credential = crate::connector::Credential::new("  s3cr3t  ".into());
    assert_eq!((format!("{credential:?}").as_str(), credential.expose()), ("…", "s3cr3t"));
    assert!(format!("{client:?}").contains("policy"));
}
