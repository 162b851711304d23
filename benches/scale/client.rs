//! A client that keeps some connections busy, as cheaply as can be: it shares the machine with what it measures.

use std::path::Path;
use std::time::{Duration, Instant};

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

/// How many connections ask at a time.
const CONNECTIONS: usize = 32;

/// What a server did under load.
#[derive(Clone, Copy)]
pub(crate) struct Load {
    /// Answers a second.
    pub(crate) rate: f64,
    /// Milliseconds of half of them, at the most.
    pub(crate) p50: f64,
    /// Milliseconds of nearly all of them, at the most.
    pub(crate) p99: f64,
}

impl std::fmt::Display for Load {
    fn fmt(&self, to: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(to, "{:.0} requests/s (p50 {:.1} ms, p99 {:.1} ms)", self.rate, self.p50, self.p99)
    }
}

/// One connection that is kept open.
struct Connection {
    stream: TcpStream,
    received: Vec<u8>,
}

impl Connection {
    async fn open(port: u16) -> std::io::Result<Self> {
        let stream = TcpStream::connect(("127.0.0.1", port)).await?;
        stream.set_nodelay(true)?;
        Ok(Self { stream, received: Vec::new() })
    }

    /// Asks, and gives the status and the body of the answer.
    async fn ask(&mut self, request: &[u8]) -> std::io::Result<(u16, &[u8])> {
        self.stream.write_all(request).await?;
        self.received.clear();
        loop {
            if self.stream.read_buf(&mut self.received).await? == 0 {
                return Err(std::io::ErrorKind::UnexpectedEof.into());
            }
            let Some(head) = memchr::memmem::find(&self.received, b"\r\n\r\n") else { continue };
            let text = String::from_utf8_lossy(&self.received[..head]).to_lowercase();
            let status = text.split(' ').nth(1).and_then(|status| status.parse().ok()).unwrap_or(0);
            let length = text.lines().find_map(|line| line.strip_prefix("content-length:")?.trim().parse().ok());
            let end = head + 4 + length.unwrap_or(0_usize);
            while self.received.len() < end {
                if self.stream.read_buf(&mut self.received).await? == 0 {
                    return Err(std::io::ErrorKind::UnexpectedEof.into());
                }
            }
            return Ok((status, &self.received[head + 4..end]));
        }
    }
}

/// Waits until a GET of `path` gets an answer, for at most two minutes. Gives the seconds it took.
pub(crate) async fn wait_for(port: u16, path: &str) -> f64 {
    let begun = Instant::now();
    let request = format!("GET {path} HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n");
    while begun.elapsed() < Duration::from_secs(120) {
        if let Ok(mut connection) = Connection::open(port).await
            && let Ok((status, _)) = connection.ask(request.as_bytes()).await
            && status < 500
        {
            return begun.elapsed().as_secs_f64();
        }
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    panic!("no answer on port {port}");
}

fn request(body: &serde_json::Value) -> Vec<u8> {
    let body = body.to_string();
    let length = body.len();
    format!(
        "POST /graphql HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Type: application/json\r\nAccept: application/json\r\n\
         Content-Length: {length}\r\n\r\n{body}"
    )
    .into_bytes()
}

/// Asks once.
pub(crate) async fn ask(port: u16, body: &serde_json::Value) -> serde_json::Value {
    let mut connection = Connection::open(port).await.unwrap();
    let (_, answer) = connection.ask(&request(body)).await.unwrap();
    serde_json::from_slice(answer).unwrap()
}

/// Uploads a file to an operation that takes it as `file`.
pub(crate) async fn upload(port: u16, query: &str, file: &Path) -> serde_json::Value {
    let operations = serde_json::json!({"query": query, "variables": {"file": null}}).to_string();
    let part =
        |name: &str, more: &str| format!("--part\r\nContent-Disposition: form-data; name=\"{name}\"{more}\r\n\r\n");
    let (first, second) = (part("operations", ""), part("map", ""));
    let third = part("0", "; filename=\"users.csv\"\r\nContent-Type: text/csv");
    let begin = format!("{first}{operations}\r\n{second}{{\"0\":[\"variables.file\"]}}\r\n{third}");
    let end = "\r\n--part--\r\n";
    let mut file = tokio::fs::File::open(file).await.unwrap();
    let length = begin.len() as u64 + file.metadata().await.unwrap().len() + end.len() as u64;
    let head = format!(
        "POST /graphql HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Type: multipart/form-data; boundary=part\r\n\
         Accept: application/json\r\ngraphql-require-preflight: 1\r\nContent-Length: {length}\r\n\r\n"
    );
    let mut connection = Connection::open(port).await.unwrap();
    connection.stream.write_all(head.as_bytes()).await.unwrap();
    connection.stream.write_all(begin.as_bytes()).await.unwrap();
    tokio::io::copy(&mut file, &mut connection.stream).await.unwrap();
    let (_, answer) = connection.ask(end.as_bytes()).await.unwrap();
    serde_json::from_slice(answer).unwrap()
}

/// Asks one after the other of some requests, fifty times a second, while `work` goes on. Gives the milliseconds of each
/// answer in ascending order, from the moment at which it should have been asked, and what the work came to.
pub(crate) async fn pace<T>(port: u16, bodies: &[serde_json::Value], work: impl Future<Output = T>) -> (Vec<f64>, T) {
    const PERIOD: Duration = Duration::from_millis(20);
    let requests: Vec<Vec<u8>> = bodies.iter().map(request).collect();
    let (stop, stopped) = tokio::sync::watch::channel(false);
    let asking = tokio::spawn(async move {
        let mut connection = Connection::open(port).await.unwrap();
        let (begun, mut times) = (Instant::now(), Vec::new());
        for (number, request) in (0_u32..).zip(requests.iter().cycle()) {
            if *stopped.borrow() {
                break;
            }
            let due = begun + PERIOD * number;
            tokio::time::sleep_until(due.into()).await;
            let (status, _) = connection.ask(request).await.unwrap();
            assert_eq!(status, 200, "every answer is one");
            times.push(due.elapsed().as_secs_f64() * 1e3);
        }
        times.sort_by(f64::total_cmp);
        times
    });
    let done = work.await;
    stop.send(true).unwrap();
    (asking.await.unwrap(), done)
}

/// Asks the same on 32 connections for some time, after a second to warm up.
pub(crate) async fn load(port: u16, body: &serde_json::Value, seconds: u64) -> Load {
    let request = request(body);
    let begun = Instant::now() + Duration::from_secs(1);
    let end = begun + Duration::from_secs(seconds);
    let busy = (0..CONNECTIONS).map(|_| {
        let request = request.clone();
        tokio::spawn(async move {
            let mut connection = Connection::open(port).await.unwrap();
            let mut times = Vec::new();
            while Instant::now() < end {
                let at = Instant::now();
                let (status, _) = connection.ask(&request).await.unwrap();
                assert_eq!(status, 200, "every answer is one");
                if at >= begun {
                    times.push(at.elapsed().as_secs_f64() * 1e3);
                }
            }
            times
        })
    });
    let busy: Vec<_> = busy.collect();
    let mut times = Vec::new();
    for connection in busy {
        times.extend(connection.await.unwrap());
    }
    let took = begun.elapsed().as_secs_f64();
    times.sort_by(f64::total_cmp);
    #[expect(clippy::cast_precision_loss, reason = "a rate")]
    let rate = times.len() as f64 / took;
    let place = |hundredth: usize| times.get(times.len() * hundredth / 100).copied().unwrap_or(f64::NAN);
    Load { rate, p50: place(50), p99: place(99) }
}
