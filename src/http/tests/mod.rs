//! The http room with a toy schema behind it, through its router and, for what only a socket shows, over TCP.

mod requests;
mod sockets;
mod uploads;

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use async_graphql::{Context, EmptySubscription, Object, Schema, Upload};
use axum::body::Body;
use clap::Parser;
use http::{HeaderMap, Request, StatusCode};
use http_body_util::BodyExt;
use serde_json::Value;
use tempfile::TempDir;
use tower::ServiceExt;

use super::router::router;
use super::{AppState, Backend};
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

/// A server without a socket.
struct Toy {
    state: AppState,
    done: Done,
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
    /// Set up by `flags` (`--deadline 100ms`), and by defaults.
    fn new(flags: &str) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let config = Flags::parse_from(std::iter::once("toy").chain(flags.split_whitespace())).config;
        let done = Done::default();
        let schema = Schema::build(Query, Mutation, EmptySubscription).data(done.clone()).finish();
        let backend = Backend {
            execute: Arc::new(move |request, _| {
                let schema = schema.clone();
                Box::pin(async move { schema.execute(request).await })
            }),
            ready: Arc::new(|| Box::pin(async { true })),
            users_csv: Arc::new(|_| {
                Box::pin(async {
                    let produce: Produce =
                        Box::new(|mut writer| Box::pin(async move { writer.append("ID,Name\n".repeat(1_000)).await }));
                    Ok(produce)
                })
            }),
            sample_csv: Arc::new(|_| panic!("a secret of the program")),
        };
        Self { state: AppState::new(backend, &config, folder.path().join("spool")).unwrap(), done, folder }
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
