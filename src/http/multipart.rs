//! Uploads, by the GraphQL multipart request specification: `operations`, then `map`, then one file.
//!
//! The library's reader holds whole parts in memory, searches endless headers anew with each piece, and takes any number
//! of files; so this one lets 128 KiB through before the file begins, and after the file no more than an ending. The
//! file goes to a file without a name, which is gone with its last reader, whatever happens. What does not live here:
//! what is in the file.

use std::path::Path;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::task::{Context, Poll};

use async_graphql::{Request, UploadValue, Value, Variables};
use bytes::{Bytes, BytesMut};
use futures_util::{Stream, StreamExt};
use http::StatusCode;
use multer::{Constraints, Field, Multipart, SizeLimit};
use tokio::io::{AsyncSeekExt, AsyncWriteExt};

use super::State;
use super::body::{Error as BodyError, Incoming};
use super::envelope;
use super::reply::Refusal;

const OPERATIONS_BYTES: u64 = 64 << 10;
const MAP_BYTES: u64 = 4 << 10;
/// All that may come before the file's first byte: both parts, headers, boundaries.
const HEAD_BYTES: u64 = 128 << 10;
/// All that may come after the file's last byte.
const TAIL_BYTES: u64 = 4 << 10;
/// How much is handed to the reader at a time. It takes all it can get before it looks at any.
const SLICE: usize = 16 << 10;
/// How much of the file is written at a time.
const WRITE: usize = 256 << 10;
/// The longest name of the file's part, and the longest name of the file.
const PART_NAME: usize = 64;
const FILE_NAME: usize = 255;

/// An upload of which everything before the file has been read.
pub(super) struct Upload {
    request: Request,
    /// The name of the file's part.
    part: String,
    /// Where the file goes: `variables.…`.
    path: String,
    max_upload: u64,
    multipart: Multipart<'static>,
    budget: Budget,
}

/// Reads `operations` and `map`.
pub(super) async fn open(
    body: Incoming,
    boundary: String,
    announced: Option<u64>,
    state: &State,
) -> Result<Upload, Refusal> {
    let max_upload = state.http.max_upload;
    if announced.is_some_and(|length| length > max_upload.saturating_add(HEAD_BYTES + TAIL_BYTES)) {
        return Err(file_too_large(max_upload));
    }
    let budget = Budget::new(HEAD_BYTES);
    let sizes = SizeLimit::new().for_field("operations", OPERATIONS_BYTES).for_field("map", MAP_BYTES);
    let mut multipart = Multipart::with_constraints(
        Slices { body, rest: Bytes::new(), yielded: false, budget: budget.clone() },
        boundary,
        Constraints::new().size_limit(sizes),
    );
    let operations = part(&mut multipart, "operations").await?;
    let request = envelope::from_json(&operations, state)?;
    let map = part(&mut multipart, "map").await?;
    let (part, path) = one_file(&map)?;
    if !is_null_at(&request.variables, &path) {
        return Err(Refusal::bad_request("`map` has to point to a null in `variables`, where the file goes"));
    }
    Ok(Upload { request, part, path, max_upload, multipart, budget })
}

impl Upload {
    /// The request, with a null where the file goes.
    pub(super) fn request(&mut self) -> &mut Request {
        &mut self.request
    }

    /// Receives the file into `folder`, and gives the request with the file in its place.
    pub(super) async fn receive(mut self, folder: &Path) -> Result<Request, Refusal> {
        let next = self.multipart.next_field().await?;
        let mut field = next.ok_or_else(|| Refusal::bad_request("the file is missing"))?;
        if field.name() != Some(self.part.as_str()) {
            return Err(Refusal::bad_request("the part after `map` has to be the file that `map` names"));
        }
        let Some(name) = field.file_name() else {
            return Err(Refusal::bad_request("the file's part has to have a filename"));
        };
        let filename: String = name.chars().filter(|c| !c.is_control()).take(FILE_NAME).collect();
        let content_type = field.content_type().map(ToString::to_string);
        self.budget.allow(self.max_upload.saturating_add(TAIL_BYTES));
        let content = spool(&mut field, folder, self.max_upload).await?;
        drop(field);
        self.budget.allow(TAIL_BYTES);
        if self.multipart.next_field().await?.is_some() {
            return Err(Refusal::bad_request("an upload has one file, and it comes last"));
        }
        self.request.set_upload(&self.path, UploadValue { filename, content_type, content });
        Ok(self.request)
    }
}

/// Reads a small part whole.
async fn part(multipart: &mut Multipart<'static>, name: &str) -> Result<Bytes, Refusal> {
    let missing = || Refusal::bad_request("an upload has the parts `operations`, `map` and the file, in this order");
    let field = multipart.next_field().await?.ok_or_else(missing)?;
    if field.name() != Some(name) {
        return Err(missing());
    }
    if let Some(found) = field.content_type()
        && !matches!(found.essence_str(), "application/json" | "text/plain")
    {
        return Err(Refusal::bad_request(format!("`{name}` has to be JSON")));
    }
    Ok(field.bytes().await?)
}

/// Reads `map`: the file's part, and the one path where the file goes.
fn one_file(map: &[u8]) -> Result<(String, String), Refusal> {
    let shape =
        || Refusal::bad_request("`map` has to be {\"PART\": [\"variables.…\"]}: one file, and one place for it");
    let map: serde_json::Map<String, serde_json::Value> = serde_json::from_slice(map).map_err(|_| shape())?;
    let mut files = map.into_iter();
    let (Some((part, serde_json::Value::Array(mut paths))), None) = (files.next(), files.next()) else {
        return Err(shape());
    };
    match (paths.pop(), paths.is_empty()) {
        (Some(serde_json::Value::String(path)), true)
            if (1..=PART_NAME).contains(&part.len()) && !matches!(part.as_str(), "operations" | "map") =>
        {
            Ok((part, path))
        }
        _ => Err(shape()),
    }
}

/// Whether there is a null at `path`. Follows it as `Request::set_upload` does, which says nothing when it finds none.
fn is_null_at(variables: &Variables, path: &str) -> bool {
    let Some(path) = path.strip_prefix("variables.") else { return false };
    let mut parts = path.split('.');
    let first = parts.next().and_then(|name| variables.get(name));
    let found = parts.try_fold(first, |value, part| match value {
        Some(Value::List(items)) => part.parse::<u32>().ok().map(|at| items.get(at as usize)),
        Some(Value::Object(fields)) => Some(fields.get(part)),
        _ => None,
    });
    found.flatten() == Some(&Value::Null)
}

/// Writes the file into a file without a name.
async fn spool(field: &mut Field<'static>, folder: &Path, limit: u64) -> Result<std::fs::File, Refusal> {
    let folder = folder.to_owned();
    let file = tokio::task::spawn_blocking(move || tempfile::tempfile_in(folder)).await;
    let mut file = tokio::fs::File::from_std(file.map_err(std::io::Error::from).flatten().map_err(no_room)?);
    let (mut size, mut buffer) = (0_u64, BytesMut::with_capacity(WRITE));
    while let Some(chunk) = field.chunk().await? {
        size += chunk.len() as u64;
        if size > limit {
            return Err(file_too_large(limit));
        }
        buffer.extend_from_slice(&chunk);
        if buffer.len() >= WRITE {
            file.write_all(&buffer).await.map_err(no_room)?;
            buffer.clear();
        }
    }
    file.write_all(&buffer).await.map_err(no_room)?;
    file.flush().await.map_err(no_room)?;
    file.rewind().await.map_err(no_room)?;
    Ok(file.into_std().await)
}

#[expect(clippy::needless_pass_by_value, reason = "it is what map_err hands over")]
fn no_room(error: std::io::Error) -> Refusal {
    tracing::error!(%error, "an upload cannot be kept");
    Refusal::new(StatusCode::SERVICE_UNAVAILABLE, "UNAVAILABLE", "the file cannot be kept at the moment; try again")
}

fn file_too_large(limit: u64) -> Refusal {
    Refusal::too_large(format!("the file is limited to {limit} bytes"))
}

/// How many bytes may still come; shared with the stream that counts them.
#[derive(Clone)]
struct Budget(Arc<AtomicU64>);

impl Budget {
    fn new(bytes: u64) -> Self {
        Self(Arc::new(AtomicU64::new(bytes)))
    }

    fn allow(&self, bytes: u64) {
        self.0.store(bytes, Ordering::Relaxed);
    }

    /// Takes `bytes` off; whether there were as many.
    fn spend(&self, bytes: u64) -> bool {
        let left = self.0.load(Ordering::Relaxed).checked_sub(bytes);
        self.0.store(left.unwrap_or(0), Ordering::Relaxed);
        left.is_some()
    }
}

/// The body in small pieces, with a pause after each in which the reader looks at what it has, within the budget.
struct Slices {
    body: Incoming,
    rest: Bytes,
    yielded: bool,
    budget: Budget,
}

/// More came than the budget has.
#[derive(Debug, thiserror::Error)]
#[error("too much around the file")]
struct Spent;

impl Stream for Slices {
    type Item = Result<Bytes, Box<dyn std::error::Error + Send + Sync>>;

    fn poll_next(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        if std::mem::take(&mut self.yielded) {
            context.waker().wake_by_ref();
            return Poll::Pending;
        }
        if self.rest.is_empty() {
            match self.body.poll_next_unpin(context) {
                Poll::Ready(Some(Ok(chunk))) => self.rest = chunk,
                Poll::Ready(Some(Err(error))) => return Poll::Ready(Some(Err(error.into()))),
                Poll::Ready(None) => return Poll::Ready(None),
                Poll::Pending => return Poll::Pending,
            }
        }
        let slice = self.rest.len().min(SLICE);
        let slice = self.rest.split_to(slice);
        self.yielded = true;
        if self.budget.spend(slice.len() as u64) {
            Poll::Ready(Some(Ok(slice)))
        } else {
            Poll::Ready(Some(Err(Spent.into())))
        }
    }
}

impl From<multer::Error> for Refusal {
    fn from(error: multer::Error) -> Self {
        match error {
            multer::Error::FieldSizeExceeded { limit, field_name } => {
                let name = field_name.unwrap_or_default();
                Self::too_large(format!("the part `{name}` is limited to {limit} bytes"))
            }
            multer::Error::StreamReadFailed(cause) => match cause.downcast::<BodyError>() {
                Ok(error) => Self::from(*error),
                Err(_) => Self::too_large(format!("all parts but the file are limited to {HEAD_BYTES} bytes")),
            },
            other => Self::bad_request(format!("the multipart body cannot be read: {other}")),
        }
    }
}
