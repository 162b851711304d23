//! The server as clients meet it, without a socket.

use std::sync::Arc;

use axum::Router;
use axum::body::Body;
use clap::Parser;
use http::header::AUTHORIZATION;
use http::{HeaderMap, Request, StatusCode};
use http_body_util::BodyExt;
use roster::access::{Admitted, Principal, Role};
use roster::config::{Config, Limits};
use roster::directory::Directory;
use roster::http::router::router;
use roster::http::{AppState, Authenticate, Backend};
use roster::serve::backend;
use serde_json::{Value as Json, json};
use tempfile::TempDir;
use tower::ServiceExt;

/// A server on a directory.
pub(crate) struct Server {
    router: Router,
    directory: Directory,
    token: Option<String>,
    _folder: TempDir,
}

/// What came of one request.
pub(crate) struct Reply {
    pub(crate) status: StatusCode,
    pub(crate) headers: HeaderMap,
    pub(crate) body: String,
    /// How many statements were sent to the database for it.
    pub(crate) statements: u64,
}

#[derive(Parser)]
struct Flags {
    #[command(flatten)]
    config: Config,
}

fn config(settings: &[&str]) -> Config {
    Flags::parse_from([&["roster"], settings].concat()).config
}

/// What a document may ask where nothing is set.
pub(crate) fn limits() -> Limits {
    config(&[]).limits
}

impl Server {
    pub(crate) fn new(directory: &Directory) -> Self {
        Self::with(directory, &[])
    }

    /// The same, with settings as on the command line. Nobody is asked who they are.
    pub(crate) fn with(directory: &Directory, settings: &[&str]) -> Self {
        Self::set_up(directory, &[&["--auth", "none"], settings].concat())
    }

    /// One that asks for tokens.
    pub(crate) fn with_tokens(directory: &Directory, settings: &[&str]) -> Self {
        Self::set_up(directory, settings)
    }

    fn set_up(directory: &Directory, settings: &[&str]) -> Self {
        Self::behind(directory, settings, backend(directory, &config(settings)).unwrap())
    }

    /// The same, for somebody who has a role.
    pub(crate) fn signed_in(directory: &Directory, settings: &[&str], role: Role) -> Self {
        let principal = Principal { name: role.name().to_lowercase(), role };
        let authenticate: Authenticate = Arc::new(move |_| {
            let admitted = Admitted { principal: principal.clone(), account: "test".into() };
            Box::pin(async move { Ok(admitted) })
        });
        let settings = [&["--auth", "tokens", "--rate-limit", "0"], settings].concat();
        let backend = Backend { authenticate, ..backend(directory, &config(&settings)).unwrap() };
        Self { token: Some("known".to_owned()), ..Self::behind(directory, &settings, backend) }
    }

    fn behind(directory: &Directory, settings: &[&str], backend: Backend) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let state = AppState::new(backend, &config(settings), folder.path().join("spool")).unwrap();
        Self { router: router(state), directory: directory.clone(), token: None, _folder: folder }
    }

    /// Sends this token with every request from now on.
    pub(crate) fn set_token(&mut self, token: Option<&str>) {
        self.token = token.map(str::to_owned);
    }

    /// Sends a GraphQL operation as JSON, or with a file as the multipart request that files come in; the file is then
    /// the variable `file`.
    pub(crate) async fn execute(&self, query: &str, mut variables: Json, file: Option<&str>) -> Reply {
        let request = Request::post("/graphql").header("graphql-require-preflight", "1");
        let request = match file {
            None => {
                let body = json!({ "query": query, "variables": variables }).to_string();
                request.header("content-type", "application/json").body(Body::from(body))
            }
            Some(file) => {
                variables["file"] = Json::Null;
                let operations = json!({ "query": query, "variables": variables }).to_string();
                let map = json!({ "0": ["variables.file"] }).to_string();
                let part = |name: &str, content: &str| {
                    format!("--part\r\ncontent-disposition: form-data; {name}\r\n\r\n{content}\r\n")
                };
                let body = [
                    part("name=\"operations\"", &operations),
                    part("name=\"map\"", &map),
                    part("name=\"0\"; filename=\"users.csv\"", file),
                    "--part--\r\n".to_owned(),
                ];
                request.header("content-type", "multipart/form-data; boundary=part").body(Body::from(body.concat()))
            }
        };
        self.send(request.unwrap()).await
    }

    /// Sends any request.
    pub(crate) async fn send(&self, request: Request<Body>) -> Reply {
        let before = self.directory.database().statement_count();
        let response = self.router.clone().oneshot(self.with_token(request)).await.unwrap();
        let (head, body) = response.into_parts();
        let body = String::from_utf8(body.collect().await.unwrap().to_bytes().to_vec()).unwrap();
        let statements = self.directory.database().statement_count() - before;
        Reply { status: head.status, headers: head.headers, body, statements }
    }
}

impl Server {
    fn with_token(&self, mut request: Request<Body>) -> Request<Body> {
        if let Some(token) = &self.token {
            request.headers_mut().insert(AUTHORIZATION, format!("Bearer {token}").parse().unwrap());
        }
        request
    }

    /// Begins a subscription, answered by server-sent events.
    pub(crate) async fn subscribe(&self, query: &str, variables: Json) -> Events {
        let body = json!({ "query": query, "variables": variables }).to_string();
        let request = Request::post("/graphql").header("content-type", "application/json");
        let request = request.header("accept", "text/event-stream").body(Body::from(body)).unwrap();
        let response = self.router.clone().oneshot(self.with_token(request)).await.unwrap();
        assert_eq!(response.status(), StatusCode::OK);
        Events { body: response.into_body(), text: String::new() }
    }
}

/// What a subscription gives. Nothing is read before it is asked for; dropping it ends the subscription.
pub(crate) struct Events {
    body: Body,
    text: String,
}

impl Events {
    /// The next result; none after the last.
    pub(crate) async fn next(&mut self) -> Option<Json> {
        loop {
            while let Some((event, rest)) = self.text.split_once("\n\n") {
                let (event, rest) = (event.to_owned(), rest.to_owned());
                self.text = rest;
                match event.split_once("\ndata:") {
                    Some(("event: next", json)) => return Some(serde_json::from_str(json).unwrap()),
                    Some(("event: complete", "")) => return None,
                    other => assert_eq!((other, event.as_str()), (None, ":"), "a comment"),
                }
            }
            let Some(frame) = self.body.frame().await else { panic!("the stream breaks off") };
            let frame = frame.unwrap();
            self.text.push_str(std::str::from_utf8(&frame.into_data().unwrap()).unwrap());
        }
    }
}

impl Reply {
    /// The body, having checked that every error has a code and tells no secrets, without the requests' random ids.
    pub(crate) fn json(&self) -> Json {
        let mut json: Json = serde_json::from_str(&self.body).unwrap();
        for word in ["SELECT \\\"", "UNIQUE constraint", "sqlx", "DbErr", "/src/", "panicked", "RUST_BACKTRACE"] {
            assert!(!self.body.contains(word), "{word} in {}", self.body);
        }
        for error in json.get_mut("errors").and_then(Json::as_array_mut).into_iter().flatten() {
            let extensions = error["extensions"].as_object_mut().unwrap();
            assert!(extensions["code"].is_string(), "an error without a code");
            let id = extensions.remove("requestId").unwrap();
            assert_eq!(id.as_str(), self.headers["x-request-id"].to_str().ok(), "the request's id");
        }
        json
    }
}
