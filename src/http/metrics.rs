//! METRICS. What is counted of requests, and how the server and the directory are at the moment, as text.
//!
//! What does not live here: how the directory is, which is the backend's to tell, and what each number means for whoever
//! is on duty (docs/operations.md).

use std::sync::atomic::AtomicU64;
use std::time::{Instant, SystemTime, UNIX_EPOCH};

use async_graphql::parser::types::OperationType;
use axum::Extension;
use axum::extract::{Request, State};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use http::StatusCode;
use http::header::CONTENT_TYPE;
use prometheus_client::encoding::EncodeLabelSet;
use prometheus_client::encoding::text::{encode_eof, encode_registry};
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::{ConstGauge, Gauge as Atomic};
use prometheus_client::metrics::histogram::Histogram;
use prometheus_client::registry::Registry;

use super::{AppState, graphql, probes, reply};
use crate::access::matrix;
use crate::telemetry::RequestId;

/// Where they are.
pub(super) const PATH: &str = "/metrics";
/// What all names begin with, but for those that every process has.
const PREFIX: &str = "roster";
/// Seconds up to which requests are told apart.
const BUCKETS: [f64; 12] = [0.002, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0];

/// A number as it is at the moment.
#[derive(Clone, Debug)]
pub struct Gauge {
    name: &'static str,
    help: &'static str,
    numbers: Numbers,
}

#[derive(Clone, Debug)]
enum Numbers {
    One(f64),
    /// One for each value of a label.
    Each(&'static str, Vec<(String, f64)>),
}

impl Gauge {
    /// A number with its name, before which comes what all names begin with, and a sentence on what it says.
    #[must_use]
    pub fn of(name: &'static str, help: &'static str, number: f64) -> Self {
        Self { name, help, numbers: Numbers::One(number) }
    }

    /// A number for each value of a label.
    #[must_use]
    pub fn each(
        name: &'static str,
        help: &'static str,
        label: &'static str,
        numbers: impl IntoIterator<Item = (String, f64)>,
    ) -> Self {
        Self { name, help, numbers: Numbers::Each(label, numbers.into_iter().collect()) }
    }

    fn register(self, registry: &mut Registry) {
        match self.numbers {
            Numbers::One(number) => registry.register(self.name, self.help, ConstGauge::new(number)),
            Numbers::Each(label, numbers) => {
                let family = Family::<[(&'static str, String); 1], Atomic<f64, AtomicU64>>::default();
                for (value, number) in numbers {
                    family.get_or_create(&[(label, value)]).set(number);
                }
                registry.register(self.name, self.help, family);
            }
        }
    }
}

/// What is counted from the start on.
pub(super) struct Metrics {
    registry: Registry,
    requests: Family<Answered, Counter>,
    seconds: Family<Asked, Histogram>,
    started: SystemTime,
}

/// What was asked for: the route, and of GraphQL which operation.
#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct Asked {
    route: String,
    operation: &'static str,
}

/// What was asked for, and how it was answered. The code is that of the first error, and empty without one.
#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct Answered {
    route: String,
    operation: &'static str,
    status: u16,
    code: String,
}

/// Which operation a reply answers, in its extensions.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Operation(&'static str);

impl Operation {
    pub(super) fn new(kind: OperationType, has_file: bool) -> Self {
        Self(match kind {
            _ if has_file => "upload",
            OperationType::Query => "query",
            OperationType::Mutation => "mutation",
            OperationType::Subscription => "subscription",
        })
    }
}

impl Metrics {
    pub(super) fn new() -> Self {
        let mut registry = Registry::with_prefix(PREFIX);
        let requests = Family::default();
        let seconds = Family::new_with_constructor(timed as fn() -> Histogram);
        registry.register("http_requests", "Requests answered, with the code of their first error", requests.clone());
        registry.register("http_request_duration_seconds", "Time until a reply began", seconds.clone());
        Self { registry, requests, seconds, started: SystemTime::now() }
    }

    /// All that is counted, and these numbers, as text.
    fn write(&self, gauges: Vec<Gauge>) -> Result<String, std::fmt::Error> {
        let mut now = Registry::with_prefix(PREFIX);
        gauges.into_iter().for_each(|gauge| gauge.register(&mut now));
        let mut process = Registry::default();
        self.process().into_iter().for_each(|gauge| gauge.register(&mut process));
        let mut text = String::new();
        for registry in [&self.registry, &now, &process] {
            encode_registry(&mut text, registry)?;
        }
        encode_eof(&mut text)?;
        Ok(text)
    }

    /// What every process tells under these names, as far as the system says.
    fn process(&self) -> Vec<Gauge> {
        let started = self.started.duration_since(UNIX_EPOCH).unwrap_or_default();
        let mut gauges =
            vec![Gauge::of("process_start_time_seconds", "When the process started", started.as_secs_f64())];
        let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
        let resident = status.lines().find_map(|line| line.strip_prefix("VmRSS:")?.trim().strip_suffix(" kB"));
        if let Some(resident) = resident.and_then(|kib| kib.parse::<f64>().ok()) {
            gauges.push(Gauge::of("process_resident_memory_bytes", "Memory in use", resident * 1024.0));
        }
        if let Ok(open) = std::fs::read_dir("/proc/self/fd") {
            gauges.push(Gauge::of("process_open_fds", "Open files and connections", count(open.count())));
        }
        gauges
    }
}

fn timed() -> Histogram {
    Histogram::new(BUCKETS)
}

/// Counts a request with how it was answered.
pub(super) async fn measure(State(state): State<AppState>, request: Request, next: Next) -> Response {
    let route = route(request.uri().path()).to_owned();
    let begun = Instant::now();
    let response = next.run(request).await;
    let Operation(operation) = response.extensions().get().copied().unwrap_or_default();
    let code = response.extensions().get().map(|reply::Code(code)| code.clone()).unwrap_or_default();
    let metrics = &state.0.metrics;
    let status = response.status().as_u16();
    metrics.requests.get_or_create(&Answered { route: route.clone(), operation, status, code }).inc();
    metrics.seconds.get_or_create(&Asked { route, operation }).observe(begun.elapsed().as_secs_f64());
    response
}

/// The path, if it is one of ours: what others make up is not counted apart.
fn route(path: &str) -> &str {
    let is_ours = path == graphql::PATH || probes::PATHS.contains(&path) || matrix::is_place(path);
    if is_ours { path } else { "other" }
}

/// Answers with the text.
pub(super) async fn metrics(State(state): State<AppState>, Extension(id): Extension<RequestId>) -> Response {
    let mut gauges = state.gauges();
    let directory = tokio::time::timeout(probes::PATIENCE, (state.0.backend.measure)()).await.ok().flatten();
    let is_ready = directory.is_some() && !state.is_draining();
    gauges.push(Gauge::of("ready", "Whether requests can be answered, as /readyz says", f64::from(u8::from(is_ready))));
    gauges.extend(directory.into_iter().flatten());
    match state.0.metrics.write(gauges) {
        Ok(text) => {
            ([(CONTENT_TYPE, "application/openmetrics-text; version=1.0.0; charset=utf-8")], text).into_response()
        }
        Err(error) => {
            tracing::error!(%error, "the metrics cannot be written");
            reply::plain(StatusCode::INTERNAL_SERVER_ERROR, "INTERNAL", "internal error", &id)
        }
    }
}

impl AppState {
    /// What is under way, beside what there may be.
    fn gauges(&self) -> Vec<Gauge> {
        let http = &self.0.http;
        let (connections, streams) = (http.max_connections as usize, http.max_streams as usize);
        let transfers = http.max_transfers as usize;
        let all = [
            ("connections", connections - self.0.connections.available_permits(), connections),
            ("exports", transfers - self.0.exports.available_permits(), transfers),
            ("streams", streams - self.0.streams.available_permits(), streams),
            ("uploads", transfers - self.0.uploads.available_permits(), transfers),
        ];
        let each = |of: fn(&(&str, usize, usize)) -> usize| all.map(|what| (what.0.to_owned(), count(of(&what))));
        vec![
            Gauge::each("http_in_use", "What is open or under way", "what", each(|what| what.1)),
            Gauge::each("http_limit", "How many of it there may be", "what", each(|what| what.2)),
            Gauge::of("mutations_under_way", "Mutations under way", count(self.0.mutations.len())),
        ]
    }
}

#[expect(clippy::cast_precision_loss, reason = "nothing here is counted to 2^53")]
fn count(number: usize) -> f64 {
    number as f64
}
