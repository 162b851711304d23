use tokio::io::AsyncReadExt;
use tokio::net::TcpStream;
use tokio::sync::oneshot;
use tokio::task::JoinHandle;
use tokio::time::{Instant, timeout};

use super::*;
use crate::config::Auth;
use crate::http::server::{Error, bind, serve};

/// A server on a free port, and what stops it.
pub(super) async fn start(toy: &Toy) -> (SocketAddr, oneshot::Sender<()>, JoinHandle<()>) {
    let listener = bind("127.0.0.1:0".parse().unwrap(), toy.state.0.sign_in.auth).await.unwrap();
    let address = listener.local_addr().unwrap();
    let (stop, stopped) = oneshot::channel::<()>();
    let server = serve(listener, toy.state.clone(), async move {
        let _ = stopped.await;
    });
    (address, stop, tokio::spawn(server))
}

pub(super) async fn connect(address: SocketAddr, sent: &str) -> TcpStream {
    let mut stream = TcpStream::connect(address).await.unwrap();
    stream.write_all(sent.as_bytes()).await.unwrap();
    stream
}

/// All that comes until the server closes the connection.
pub(super) async fn rest(stream: &mut TcpStream) -> String {
    let mut all = Vec::new();
    // A reset is an end as well.
    let _ = timeout(Duration::from_secs(10), stream.read_to_end(&mut all)).await.expect("it stays open");
    String::from_utf8_lossy(&all).into_owned()
}

fn post(query: &str) -> String {
    let body = format!(r#"{{"query":"{query}"}}"#);
    format!(
        "POST /graphql HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\nContent-Length: {}\r\n\r\n{body}",
        body.len()
    )
}

#[tokio::test]
async fn half_a_header_and_an_idle_connection_are_closed_after_a_while() {
    let toy = Toy::new("--header-timeout 100ms");
    let (address, _stop, _server) = start(&toy).await;
    for sent in ["", "GET /livez HTTP/1.1\r\nHost: local", "GET /livez HTTP/1.1\r\nHost: localhost\r\n\r\n"] {
        let mut stream = connect(address, sent).await;
        let begun = Instant::now();
        let reply = rest(&mut stream).await;
        assert_eq!(reply.ends_with("ok"), sent.ends_with("\r\n\r\n"), "{sent:?}: {reply}");
        assert!(begun.elapsed() >= Duration::from_millis(90), "{sent:?}");
        assert!(begun.elapsed() < Duration::from_secs(5), "{sent:?}");
    }
}

#[tokio::test]
async fn a_client_that_is_still_sending_sees_why_it_is_refused() {
    let toy = Toy::new("");
    let (address, _stop, _server) = start(&toy).await;
    for _ in 0..10 {
        let head =
            "POST /graphql HTTP/1.1\r\nHost: localhost\r\nContent-Type: text/plain\r\nContent-Length: 4000000\r\n\r\n";
        let mut stream = connect(address, head).await;
        stream.write_all(&vec![b'x'; 4_000_000]).await.expect("the connection is broken off");
        let mut reply = [0; 12];
        stream.read_exact(&mut reply).await.unwrap();
        assert_eq!(&reply, b"HTTP/1.1 415");
    }
}

#[tokio::test]
async fn an_upload_that_is_broken_off_leaves_nothing() {
    let toy = Toy::new("");
    let (address, _stop, _server) = start(&toy).await;
    let body = uploads::parts(&[
        ("operations", "", r#"{"query":"mutation($f: Upload!) { upload(file: $f) }","variables":{"f":null}}"#),
        ("map", "", r#"{"0":["variables.f"]}"#),
        ("0", "a.csv", &"text".repeat(1_000)),
    ]);
    let head = format!(
        "POST /graphql HTTP/1.1\r\nHost: localhost\r\nGraphQL-Require-Preflight: 1\r\n\
         Content-Type: multipart/form-data; boundary=B\r\nContent-Length: {}\r\n\r\n",
        body.len()
    );
    for at in (0..body.len()).step_by(97) {
        drop(connect(address, &format!("{head}{}", &body[..at])).await);
    }
    while toy.state.0.uploads.available_permits() < 4 {
        tokio::time::sleep(Duration::from_millis(1)).await;
    }
    assert_eq!((toy.done.times(), toy.spooled()), (0, 0));
}

#[tokio::test]
async fn stopping_finishes_what_is_under_way_and_tells_probes_at_once() {
    let toy = Toy::new("");
    let (address, stop, server) = start(&toy).await;
    let mut idle = connect(address, "GET /readyz HTTP/1.1\r\nHost: localhost\r\n\r\n").await;
    let mut first = [0; 15];
    idle.read_exact(&mut first).await.unwrap();
    assert_eq!(&first, b"HTTP/1.1 200 OK");
    let mut waiting = connect(address, &post("mutation { countSlowly(ms: 400) }")).await;
    let leaving = connect(address, &post("mutation { countSlowly(ms: 500) }")).await;
    while toy.state.0.mutations.len() < 2 {
        tokio::time::sleep(Duration::from_millis(1)).await;
    }
    drop(leaving);
    stop.send(()).unwrap();
    rest(&mut idle).await;
    let probe = rest(&mut connect(address, "GET /readyz HTTP/1.1\r\nHost: localhost\r\n\r\n").await).await;
    assert!(probe.starts_with("HTTP/1.1 503"), "{probe}");
    let live = rest(&mut connect(address, "GET /livez HTTP/1.1\r\nHost: localhost\r\n\r\n").await).await;
    assert!(live.starts_with("HTTP/1.1 200"), "{live}");
    let late = rest(&mut connect(address, &post("mutation { count }")).await).await;
    assert!(late.starts_with("HTTP/1.1 503") && late.contains("UNAVAILABLE"), "{late}");
    let reply = rest(&mut waiting).await;
    assert!(reply.contains("countSlowly"), "{reply}");
    timeout(Duration::from_secs(5), server).await.expect("it does not stop").unwrap();
    assert_eq!(toy.done.times(), 2, "the one whose client went away, too");
}

#[tokio::test]
async fn stopping_waits_only_so_long() {
    let toy = Toy::new("--drain-timeout 100ms");
    let (address, stop, server) = start(&toy).await;
    let _slow = connect(address, &post("{ slow }")).await;
    let _half = connect(address, "GET /livez HTT").await;
    stop.send(()).unwrap();
    timeout(Duration::from_secs(5), server).await.expect("it does not stop").unwrap();
}

#[tokio::test]
async fn at_the_most_connections_further_ones_wait() {
    let toy = Toy::new("--max-connections 1");
    let (address, _stop, _server) = start(&toy).await;
    let first = connect(address, "").await;
    // The first is accepted before the second, as both go through one queue.
    let mut second = connect(address, "GET /livez HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n").await;
    let mut byte = [0];
    assert!(timeout(Duration::from_millis(100), second.read(&mut byte)).await.is_err());
    drop(first);
    assert!(rest(&mut second).await.ends_with("ok"));
}

#[tokio::test]
async fn a_reader_that_stalls_is_let_go() {
    let toy = Toy::new("--stall-timeout 100ms --max-connections 1");
    let (address, _stop, _server) = start(&toy).await;
    let _stalled = connect(address, &post("{ long(length: 10000000) }")).await;
    let mut next = connect(address, "GET /livez HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n").await;
    assert!(rest(&mut next).await.ends_with("ok"));
}

fn download(parameters: &str) -> String {
    format!("GET /export/users.csv?{parameters} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n")
}

#[tokio::test]
async fn a_download_that_fails_half_way_never_looks_whole() {
    let toy = Toy::new("");
    let (address, _stop, _server) = start(&toy).await;
    let whole = rest(&mut connect(address, &download("")).await).await;
    assert!(whole.starts_with("HTTP/1.1 200") && whole.ends_with("\r\n0\r\n\r\n"), "{whole}");
    let broken = rest(&mut connect(address, &download("broken=")).await).await;
    assert!(broken.starts_with("HTTP/1.1 200") && !broken.contains("\r\n0\r\n"), "{broken}");
    // Without chunks there is no end to miss, so nothing is sent before all is there.
    let old = |parameters| download(parameters).replace("HTTP/1.1", "HTTP/1.0");
    let whole = rest(&mut connect(address, &old("")).await).await;
    assert!(whole.contains("\r\ncontent-length: 8000\r\n") && whole.ends_with("ID,Name\n"), "{whole}");
    let broken = rest(&mut connect(address, &old("broken=")).await).await;
    assert!(broken.starts_with("HTTP/1.0 500") && broken.contains("INTERNAL"), "{broken}");
    assert!(!broken.contains("ID,Name") && !broken.contains("secret"), "{broken}");
}

#[tokio::test]
async fn a_download_whose_reader_stalls_is_broken_off_and_makes_room_for_another() {
    let toy = Toy::new("--stall-timeout 100ms --max-transfers 1");
    let (address, _stop, _server) = start(&toy).await;
    let mut stalled = connect(address, &download("large=")).await;
    let mut first = [0; 15];
    stalled.read_exact(&mut first).await.unwrap();
    assert_eq!(&first, b"HTTP/1.1 200 OK");
    let second = rest(&mut connect(address, &download("")).await).await;
    assert!(second.starts_with("HTTP/1.1 429") && second.contains("\r\nretry-after: 1\r\n"), "{second}");
    while toy.state.0.exports.available_permits() == 0 {
        tokio::time::sleep(Duration::from_millis(1)).await;
    }
    assert_eq!(toy.spooled(), 0);
    let late = rest(&mut connect(address, &download("")).await).await;
    assert!(late.starts_with("HTTP/1.1 200"), "{late}");
    assert!(!rest(&mut stalled).await.contains("\r\n0\r\n"), "it looks whole");
}

#[tokio::test]
async fn an_address_that_others_can_reach_is_refused_and_so_is_one_in_use() {
    for address in ["0.0.0.0:0", "[::]:0", "192.0.2.1:80", "[::ffff:10.0.0.1]:80"] {
        let error = bind(address.parse().unwrap(), Auth::None).await.unwrap_err();
        assert!(matches!(error, Error::NotLoopback(_)), "{error}");
    }
    let taken = bind("127.0.0.1:0".parse().unwrap(), Auth::Tokens).await.unwrap();
    let error = bind(taken.local_addr().unwrap(), Auth::Tokens).await.unwrap_err();
    assert!(matches!(error, Error::InUse(_)));
    assert!(error.to_string().starts_with("ROSTER_LISTEN: 127.0.0.1:"), "{error}");
    assert!(!error.to_string().contains('\n'));
}
