//! The http room with a toy schema behind it, through its router and, for what only a socket shows, over TCP.

pub(super) mod edge;
mod events;
mod guests;
mod guests_on_sockets;
mod metrics;
mod requests;
mod sockets;
mod uploads;
mod websockets;

use std::convert::Infallible;
use std::net::SocketAddr;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use async_graphql::{Context, Object, Schema, Subscription, Upload};
use axum::body::Body;
use clap::Parser;
use futures_util::{Stream, StreamExt, stream};
use http::{HeaderMap, Request, StatusCode};
use http_body_util::BodyExt;
use serde_json::Value;
use tempfile::TempDir;
use tokio::io::AsyncWriteExt;
use tokio::sync::oneshot;
use tower::ServiceExt;

use super::router::router;
use super::{AppState, Backend, Download, Gauge, Refused};
use crate::access::{Admitted, Bearer, Denied, Principal, Role};
use crate::config::Config;
use crate::http::Produce;

/// How often the toy's mutations have run to their ends.
#[derive(Clone, Default)]
struct Done(Arc<AtomicUsize>);

impl Done {
    fn times(&self) -> usize {
        self.0.load(Ordering::SeqCst)
    }

    fn again(&self) -> usize {
        self.0.fetch_add(1, Ordering::SeqCst) + 1
    }
}

struct Query;

#[Object]
impl Query {
    async fn hello(&self, name: Option<String>) -> String {
        format!("hello {}", name.unwrap_or_default())
    }

    async fn me(&self, ctx: &Context<'_>) -> String {
        let Principal { name, role } = ctx.data().unwrap();
        format!("{name}, {role:?}")
    }

    async fn slow(&self) -> bool {
        tokio::time::sleep(Duration::from_hours(1)).await;
        true
    }

    async fn panics(&self) -> bool {
        fault()
    }

    async fn fails(&self, times: usize, length: usize) -> Vec<Failing> {
        std::iter::repeat_with(|| Failing(length)).take(times).collect()
    }

    async fn long(&self, length: usize) -> String {
        "x".repeat(length)
    }
}

fn fault() -> bool {
    panic!("a secret of the program")
}

struct Failing(usize);

#[Object]
impl Failing {
    async fn name(&self) -> async_graphql::Result<Option<String>> {
        Err("é".repeat(self.0).into())
    }
}

struct Mutation;

#[Object]
impl Mutation {
    async fn count(&self, ctx: &Context<'_>) -> usize {
        ctx.data::<Done>().unwrap().again()
    }

    async fn count_slowly(&self, ctx: &Context<'_>, ms: u64) -> usize {
        tokio::time::sleep(Duration::from_millis(ms)).await;
        ctx.data::<Done>().unwrap().again()
    }

    async fn upload(&self, ctx: &Context<'_>, file: Upload) -> async_graphql::Result<String> {
        ctx.data::<Done>().unwrap().again();
        let value = file.value(ctx)?;
        let name = value.filename.clone();
        Ok(format!("{name}: {}", std::io::read_to_string(value.content)?))
    }

    async fn panics_late(&self, _ctx: &Context<'_>) -> bool {
        fault()
    }
}

/// A file of a thousand rows; with the parameter `template` a panic, with `broken` a file that breaks off, and with `large`
/// more than the buffers of a connection hold.
async fn users_csv(parameters: Vec<(String, String)>) -> Result<Download, Refused> {
    let is_asked = |wanted: &str| parameters.iter().any(|(name, _)| name == wanted);
    assert!(!is_asked("template"), "a secret of the program");
    let (is_broken, times) = (is_asked("broken"), if is_asked("large") { 4_000 } else { 1 });
    let produce: Produce = Box::new(move |mut writer| {
        Box::pin(async move {
            for _ in 0..times {
                writer.append("ID,Name\n".repeat(1_000)).await?;
            }
            if is_broken { Err(std::io::Error::other("a secret of the database")) } else { Ok(1_000) }
        })
    });
    Ok(Download { rows: 1_000, version: 7, produce })
}

/// How many of the toy's subscriptions are running.
#[derive(Clone, Default)]
struct Running(Arc<AtomicUsize>);

impl Running {
    /// One more, until what this gives is dropped.
    fn begin(&self) -> impl Drop + use<> {
        struct End(Arc<AtomicUsize>);
        impl Drop for End {
            fn drop(&mut self) {
                self.0.fetch_sub(1, Ordering::SeqCst);
            }
        }
        self.0.fetch_add(1, Ordering::SeqCst);
        End(self.0.clone())
    }

    /// Returns once so many are running.
    async fn are(&self, number: usize) {
        while self.0.load(Ordering::SeqCst) != number {
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
    }
}

struct Events;

#[Subscription]
impl Events {
    /// The numbers up to `to`; without it, one and then nothing more, without end.
    async fn numbers(&self, ctx: &Context<'_>, to: Option<i32>) -> impl Stream<Item = i32> {
        let running = ctx.data::<Running>().unwrap().begin();
        let numbers = stream::iter(1..=to.unwrap_or(1));
        let rest = stream::pending().take(if to.is_some() { 0 } else { 1 });
        numbers.chain(rest).map(move |number| {
            let _running = &running;
            number
        })
    }

    /// Events of so many bytes, without end.
    async fn long(&self, ctx: &Context<'_>, length: usize) -> impl Stream<Item = String> {
        let running = ctx.data::<Running>().unwrap().begin();
        stream::repeat_with(move || {
            let _running = &running;
            "x".repeat(length)
        })
    }

    async fn failing(&self) -> async_graphql::Result<impl Stream<Item = i32>> {
        if true { Err("it cannot begin".into()) } else { Ok(stream::empty()) }
    }

    async fn fails_later(&self) -> impl Stream<Item = async_graphql::Result<i32>> {
        stream::iter([Ok(1), Err("it cannot go on".into()), Ok(3)])
    }

    async fn panics_later(&self) -> impl Stream<Item = bool> {
        stream::iter([true, false]).map(|first| first || fault())
    }
}

/// The names of those whom a token of that text lets in; each may read. None where that cannot be found out.
#[derive(Clone)]
struct Tokens(Arc<Mutex<Option<Vec<String>>>>);

impl Default for Tokens {
    fn default() -> Self {
        Self(Arc::new(Mutex::new(Some(Vec::new()))))
    }
}

impl Tokens {
    fn add(&self, name: &str) {
        self.0.lock().unwrap().as_mut().unwrap().push(name.to_owned());
    }

    fn revoke(&self, name: &str) {
        self.0.lock().unwrap().as_mut().unwrap().retain(|known| known != name);
    }

    fn are_lost(&self) {
        *self.0.lock().unwrap() = None;
    }

    fn admit(&self, bearer: &Bearer) -> Result<Admitted, Denied> {
        let known = self.0.lock().unwrap();
        let Some(known) = &*known else { return Err(Denied::Unavailable("the tokens cannot be read".to_owned())) };
        let name = known.iter().find(|name| *name == bearer.expose());
        let name = name.cloned().ok_or_else(|| Denied::unauthenticated("it is not known"))?;
        Ok(Admitted { account: name.as_str().into(), principal: Principal { name, role: Role::Reader } })
    }
}

/// A server without a socket.
struct Toy {
    state: AppState,
    tokens: Tokens,
    done: Done,
    running: Running,
    folder: TempDir,
}

/// A reply, read whole.
#[derive(Debug)]
struct Reply {
    status: StatusCode,
    headers: HeaderMap,
    body: Vec<u8>,
}

#[derive(Parser)]
struct Flags {
    #[command(flatten)]
    config: Config,
}

impl Toy {
    /// Set up by `flags` (`--deadline 100ms`), and by defaults. It asks nobody who they are, unless the flags say so.
    fn new(flags: &str) -> Self {
        Self::try_new(flags).unwrap_or_else(|error| panic!("{error}"))
    }

    fn try_new(flags: &str) -> Result<Self, crate::http::server::Error> {
        let folder = tempfile::tempdir().unwrap();
        let auth = if flags.contains("--auth") { "" } else { "--auth none" };
        let flags = format!("toy {auth} {flags}");
        let config = Flags::parse_from(flags.split_whitespace()).config;
        let tokens = Tokens::default();
        let known = tokens.clone();
        let (done, running) = (Done::default(), Running::default());
        let schema = Schema::build(Query, Mutation, Events).data(done.clone()).data(running.clone()).finish();
        let streaming = schema.clone();
        let backend = Backend {
            authenticate: Arc::new(move |bearer| {
                let known = known.clone();
                Box::pin(async move {
                    // As where a database is asked.
                    tokio::task::yield_now().await;
                    known.admit(&bearer)
                })
            }),
            permit: Arc::new(|_, _, _| Ok(())),
            execute: Arc::new(move |request, _| {
                let schema = schema.clone();
                Box::pin(async move { schema.execute(request).await })
            }),
            subscribe: Arc::new(move |request, _| streaming.execute_stream(request)),
            ready: Arc::new(|| Box::pin(async { true })),
            measure: Arc::new(|| Box::pin(async { Some(vec![Gauge::of("users", "Users", 3.0)]) })),
            users_csv: Arc::new(|parameters, _| Box::pin(users_csv(parameters))),
            org_units_csv: Arc::new(|parameters, _| Box::pin(users_csv(parameters))),
            import_errors_csv: Arc::new(|parameters, _| Box::pin(users_csv(parameters))),
            unmatched_accounts_csv: Arc::new(|parameters, _| Box::pin(users_csv(parameters))),
        };
        let state = AppState::new(backend, &config, folder.path().join("spool"))?;
        Ok(Self { state, tokens, done, running, folder })
    }

    async fn send(&self, request: Request<Body>) -> Reply {
        let response = router(self.state.clone()).oneshot(request).await.unwrap();
        let (head, body) = response.into_parts();
        let body = body.collect().await.unwrap().to_bytes().to_vec();
        Reply { status: head.status, headers: head.headers, body }
    }

    async fn json(&self, body: impl Into<Body>) -> Reply {
        self.json_accepting("application/json", body).await
    }

    async fn json_accepting(&self, accept: &str, body: impl Into<Body>) -> Reply {
        let request = Request::post("/graphql").header("content-type", "application/json").header("accept", accept);
        self.send(request.body(body.into()).unwrap()).await
    }

    async fn query(&self, query: &str) -> Reply {
        self.json(serde_json::json!({ "query": query }).to_string()).await
    }

    /// How many files there are for uploads and exports under way.
    fn spooled(&self) -> usize {
        std::fs::read_dir(self.folder.path().join("spool")).unwrap().count()
    }
}

/// A body of which `rest` comes when it is said to, or never.
fn by_and_by(first: Vec<u8>, rest: Vec<u8>) -> (oneshot::Sender<()>, Body) {
    let (say, said) = oneshot::channel::<()>();
    let rest = async move {
        if said.await.is_err() {
            std::future::pending::<()>().await;
        }
        Ok::<_, Infallible>(rest)
    };
    (say, Body::from_stream(stream::iter([Ok(first)]).chain(stream::once(rest))))
}

impl Reply {
    #[track_caller]
    fn json(&self) -> Value {
        serde_json::from_slice(&self.body).unwrap()
    }

    /// The code of the first error, having checked that each has a code and the request's id, and tells no secrets.
    #[track_caller]
    fn code(&self) -> String {
        let text = String::from_utf8_lossy(&self.body);
        assert!(!text.contains("secret") && !text.contains("src/") && !text.contains("panicked"), "{text}");
        let json = self.json();
        for error in json["errors"].as_array().expect("no errors") {
            assert!(error["extensions"]["code"].is_string(), "{error}");
            assert_eq!(error["extensions"]["requestId"].as_str(), self.header("x-request-id"));
        }
        json["errors"][0]["extensions"]["code"].as_str().unwrap().to_owned()
    }

    fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name).map(|value| value.to_str().unwrap())
    }
}
