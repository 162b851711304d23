//! WebSockets, by the protocol graphql-transport-ws: opening one, and the messages on it.
//!
//! One task a socket reads, runs and writes, so nothing is queued: while the client does not read, its operations stand
//! still, and `stall` ends that after a while. What does not live here: what a message asks, which is a request like any
//! other (`envelope`, `graphql`).

use std::collections::HashMap;
use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

use async_graphql::parser::types::OperationType;
use axum::extract::ws::rejection::WebSocketUpgradeRejection;
use axum::extract::ws::{CloseFrame, Message, WebSocket, WebSocketUpgrade, close_code};
use axum::response::Response;
use futures_util::future::{self, BoxFuture};
use futures_util::stream::{self, BoxStream, SelectAll};
use futures_util::{FutureExt, StreamExt};
use http::header::{ORIGIN, UPGRADE};
use http::{HeaderMap, StatusCode};
use serde::Deserialize;
use serde_json::value::RawValue;
use tokio::sync::{OwnedSemaphorePermit, oneshot};
use tokio_tungstenite::tungstenite::Error;
use tokio_tungstenite::tungstenite::error::ProtocolError;
use tracing::Instrument;

use super::{place, results, strange_place, ticks};
use crate::config::Auth;
use crate::http::graphql::prepare;
use crate::http::guest::{Guest, attempted, nobody};
use crate::http::intake::Intake;
use crate::http::peer::Origin;
use crate::http::reply::{self, Refusal};
use crate::http::share::Share;
use crate::http::{AppState, envelope, gate};
use crate::telemetry::RequestId;

const PROTOCOL: &str = "graphql-transport-ws";

/// The most WebSockets at a time whose clients have yet to say who they are. They take no place of those who have.
pub(in crate::http) const STRANGERS: usize = 64;
/// The most of these from one origin, so that no one keeps all others out.
pub(in crate::http) const STRANGERS_OF_ONE: usize = 16;
/// How much such a client may send.
const INTRODUCTION: usize = 16 << 10;
/// Where reading begins; a longer message gets more.
const BUFFER: usize = 16 << 10;
/// The longest id of an operation, in bytes: it stands in every message about it.
const LONGEST_ID: usize = 256;
/// The longest reason for closing that fits into its frame, in bytes.
const LONGEST_REASON: usize = 123;
/// How long a client may take to close, too, so that it learns why.
const FAREWELL: Duration = Duration::from_secs(2);

/// Whether a request to `/graphql` asks for a WebSocket.
pub(in crate::http) fn is_handshake(headers: &HeaderMap) -> bool {
    headers.get(UPGRADE).is_some_and(|to| to.as_bytes().eq_ignore_ascii_case(b"websocket"))
}

/// Opens a WebSocket.
pub(in crate::http) fn socket(
    state: &AppState,
    id: &RequestId,
    headers: &HeaderMap,
    (origin, guest, intake): (Origin, Option<Guest>, Option<Intake>),
    upgrade: Result<WebSocketUpgrade, WebSocketUpgradeRejection>,
) -> Result<Response, Refusal> {
    let is_listed = headers.get(ORIGIN).is_some_and(|origin| state.0.origins.contains(origin));
    if !is_listed && !gate::is_of_our_pages(headers) {
        let message = "pages of other origins may not open a WebSocket here";
        return Err(Refusal::new(StatusCode::FORBIDDEN, "BAD_REQUEST", message));
    }
    let upgrade = upgrade.map_err(|rejection| Refusal::bad_request(rejection.body_text()))?.protocols([PROTOCOL]);
    if upgrade.selected_protocol().is_none() {
        return Err(Refusal::bad_request(format!("`Sec-WebSocket-Protocol` has to name {PROTOCOL}")));
    }
    let place = match guest {
        Some(_) => Place::Known(place(state)?),
        None => Place::Stranger(strange_place(state, origin)?),
    };
    let intake = intake.unwrap_or_default();
    let open = state.0.sockets.token();
    let largest = usize::try_from(state.0.http.max_body).unwrap_or(usize::MAX);
    let (state, id) = (state.clone(), id.clone());
    let span = tracing::Span::current();
    Ok(upgrade.read_buffer_size(BUFFER).max_message_size(largest).max_frame_size(largest).on_upgrade(move |socket| {
        async move {
            if guest.is_none() {
                intake.limit(INTRODUCTION);
            }
            converse(socket, Conversation::new(state, id, (origin, guest), (place, intake))).await;
            drop(open);
        }
        .instrument(span)
    }))
}

/// The place that a WebSocket takes.
enum Place {
    /// Of a client that has yet to say who it is.
    Stranger(#[expect(dead_code, reason = "it is held")] Share<Origin>),
    /// Of one that is known.
    Known(#[expect(dead_code, reason = "it is held")] OwnedSemaphorePermit),
}

/// Keeps to the protocol until one side closes, and sees to it that the client learns why.
async fn converse(mut socket: WebSocket, conversation: Conversation) {
    let (closing, _place) = conversation.run(&mut socket).await;
    let farewell = async {
        if let Some(Close(code, mut reason)) = closing {
            tracing::debug!(code, reason, "closing a WebSocket");
            reason.truncate(reason.floor_char_boundary(LONGEST_REASON));
            let frame = CloseFrame { code, reason: reason.into() };
            if socket.send(Message::Close(Some(frame))).await.is_err() {
                return;
            }
        }
        // Dropped with something unread, the connection would be reset, and the client might never see the close.
        while let Some(message) = socket.recv().await {
            match message.map_err(broken) {
                Ok(_) => {}
                Err(None) => return,
                // There is no reading on. It may still be sending.
                Err(Some(_)) => std::future::pending().await,
            }
        }
    };
    if tokio::time::timeout(FAREWELL, farewell).await.is_err() {
        tracing::debug!("a client leaves a WebSocket half closed");
    }
}

/// Why this side closes.
struct Close(u16, String);

impl Close {
    /// A message that the protocol does not have.
    fn invalid(reason: impl Into<String>) -> Self {
        Self(4400, reason.into())
    }

    /// The client proves nothing, or nothing any more, or that cannot be found out now.
    fn unproven(refusal: &Refusal) -> Self {
        tracing::info!(reason = refusal.message(), "let nobody in");
        if refusal.is_unavailable() {
            return Self(close_code::AGAIN, refusal.message().to_owned());
        }
        Self(4403, "Forbidden".to_owned())
    }
}

/// A message of the client, of whatever type.
#[derive(Deserialize)]
struct Incoming<'a> {
    r#type: String,
    id: Option<String>,
    #[serde(borrow)]
    payload: Option<&'a RawValue>,
}

/// What a client may say of itself in its first message, beside anything else.
#[derive(Deserialize)]
struct Introduction {
    #[serde(alias = "Authorization")]
    authorization: Option<String>,
}

/// A message about one operation.
struct Outgoing {
    id: Arc<str>,
    text: String,
    is_last: bool,
}

/// An operation under way.
struct UnderWay {
    kind: OperationType,
    /// Stops the operation when it is dropped.
    _stop: oneshot::Sender<()>,
}

/// What one socket is at.
struct Conversation {
    state: AppState,
    /// The id of the request that opened the socket. Each operation has it with its number.
    id: RequestId,
    origin: Origin,
    /// That of one who is known, or of one who is not yet.
    place: Place,
    intake: Intake,
    /// Who the client is, as far as it has said.
    guest: Option<Guest>,
    count: u64,
    is_acknowledged: bool,
    under_way: HashMap<Arc<str>, UnderWay>,
    messages: SelectAll<BoxStream<'static, Outgoing>>,
}

impl Conversation {
    fn new(
        state: AppState,
        id: RequestId,
        (origin, guest): (Origin, Option<Guest>),
        (place, intake): (Place, Intake),
    ) -> Self {
        let (under_way, messages) = (HashMap::new(), SelectAll::new());
        Self { state, id, origin, place, intake, guest, count: 0, is_acknowledged: false, under_way, messages }
    }

    /// Ends when the client proves nothing any more.
    fn leaves(&self) -> BoxFuture<'static, Refusal> {
        self.guest.clone().map_or_else(|| future::pending().boxed(), |guest| guest.leaves(self.state.clone()).boxed())
    }

    /// Until the client has gone, or there is a reason to close. Gives its place back, too, which is taken until the end.
    async fn run(mut self, socket: &mut WebSocket) -> (Option<Close>, Place) {
        (self.talk(socket).await, self.place)
    }

    async fn talk(&mut self, socket: &mut WebSocket) -> Option<Close> {
        let draining = self.state.0.draining.clone();
        let mut is_draining = false;
        let mut late = pin!(tokio::time::sleep(self.state.0.http.header_timeout));
        let mut ticks = ticks(&self.state);
        let mut is_alive = true;
        let mut leaves = self.leaves();
        loop {
            if is_draining && self.under_way.is_empty() {
                return Some(Close(close_code::AWAY, "the server is stopping".to_owned()));
            }
            let message = tokio::select! {
                received = socket.recv() => {
                    is_alive = true;
                    match received? {
                        Ok(Message::Text(text)) => {
                            let was_acknowledged = self.is_acknowledged;
                            match self.take(&text).await {
                                Ok(answer) => {
                                    if self.is_acknowledged != was_acknowledged {
                                        leaves = self.leaves();
                                    }
                                    answer
                                }
                                Err(close) => return Some(close),
                            }
                        }
                        Ok(Message::Binary(_)) => return Some(Close::invalid("messages are text")),
                        Ok(Message::Close(_)) => return None,
                        Ok(Message::Ping(_) | Message::Pong(_)) => None,
                        Err(error) => return broken(error),
                    }
                }
                Some(message) = self.messages.next() => {
                    if message.is_last {
                        self.under_way.remove(&message.id);
                    }
                    Some(Message::text(message.text))
                }
                refusal = &mut leaves => return Some(Close::unproven(&refusal)),
                () = &mut late, if !self.is_acknowledged => {
                    return Some(Close(4408, "Connection initialisation timeout".to_owned()));
                }
                _ = ticks.tick() => {
                    if !std::mem::take(&mut is_alive) {
                        return None;
                    }
                    Some(Message::Ping(axum::body::Bytes::new()))
                }
                () = draining.cancelled(), if !is_draining => {
                    is_draining = true;
                    self.under_way.retain(|_, operation| operation.kind != OperationType::Subscription);
                    None
                }
            };
            if let Some(message) = message {
                // Whoever reads slowly is asked who they are meanwhile, too.
                tokio::select! {
                    sent = socket.send(message) => sent.ok()?,
                    refusal = &mut leaves => return Some(Close::unproven(&refusal)),
                }
            }
        }
    }

    /// Takes a message of the client; gives what is answered at once.
    async fn take(&mut self, text: &str) -> Result<Option<Message>, Close> {
        let message: Incoming<'_> = serde_json::from_str(text)
            .map_err(|error| Close::invalid(format!("the message is not JSON as it has to be: {error}")))?;
        let payload = message.payload.map(RawValue::get).filter(|payload| *payload != "null");
        let is_object = payload.is_none_or(|payload| payload.starts_with('{'));
        match message.r#type.as_str() {
            "connection_init" | "ping" | "pong" if !is_object => Err(Close::invalid("`payload` has to be an object")),
            "connection_init" if self.is_acknowledged => {
                Err(Close(4429, "Too many initialisation requests".to_owned()))
            }
            "connection_init" => {
                self.recognise(payload).await?;
                self.is_acknowledged = true;
                Ok(Some(Message::text(r#"{"type":"connection_ack"}"#)))
            }
            "ping" => {
                let payload = payload.map(|payload| format!(",\"payload\":{payload}")).unwrap_or_default();
                Ok(Some(Message::text(format!("{{\"type\":\"pong\"{payload}}}"))))
            }
            "pong" => Ok(None),
            "subscribe" => {
                let payload = payload.ok_or_else(|| Close::invalid("`payload` is missing"))?;
                self.begin(name(message.id)?, payload)
            }
            "complete" => {
                self.under_way.remove(&name(message.id)?);
                Ok(None)
            }
            _ => Err(Close::invalid("a client sends no messages of this `type`")),
        }
    }

    /// Finds out who the client is. What it says in its first message counts, and else what the request said that opened
    /// the socket.
    async fn recognise(&mut self, payload: Option<&str>) -> Result<(), Close> {
        let said: Option<Introduction> = payload.map(serde_json::from_str).transpose().map_err(|error| {
            attempted(&self.state, self.origin, "the first message cannot be read");
            Close::invalid(format!("`payload` cannot be read: {error}"))
        })?;
        let proven = match (said.and_then(|said| said.authorization), self.guest.take()) {
            (Some(authorization), _) if self.state.0.sign_in.auth == Auth::Tokens => {
                Guest::proven(&self.state, self.origin, &authorization).await
            }
            (_, Some(guest)) => guest.again(&self.state).await,
            (_, None) => Err(nobody()),
        };
        self.guest = Some(proven.map_err(|refusal| Close::unproven(&refusal))?);
        if matches!(self.place, Place::Stranger(_)) {
            let place = place(&self.state);
            self.place = Place::Known(place.map_err(|refusal| Close(close_code::AGAIN, refusal.message().to_owned()))?);
        }
        self.intake.lift();
        Ok(())
    }

    /// Begins an operation. What is wrong with it alone is answered with a message about it.
    fn begin(&mut self, id: Arc<str>, payload: &str) -> Result<Option<Message>, Close> {
        let Some(guest) = self.guest.clone().filter(|_| self.is_acknowledged) else {
            return Err(Close(4401, "Unauthorized".to_owned()));
        };
        if self.under_way.contains_key(&id) {
            return Err(Close(4409, format!("Subscriber for {id} already exists")));
        }
        self.count += 1;
        let request = RequestId::from(format!("{}.{}", self.id, self.count));
        let quoted: Arc<str> = serde_json::Value::from(&*id).to_string().into();
        let asked = guest.pay(&self.state).and_then(|()| envelope::from_json(payload.as_bytes(), &self.state.0));
        let operation = match asked {
            Err(refusal) if refusal.is_malformed() => return Err(Close::invalid(refusal.message())),
            asked => self.room().and(asked).and_then(|asked| prepare(&self.state, &guest, asked)),
        };
        let operation = match operation {
            Ok(operation) => operation,
            Err(refusal) => return Ok(Some(Message::text(error(&quoted, &request, refusal)))),
        };
        let (stop, stopped) = oneshot::channel();
        self.under_way.insert(id.clone(), UnderWay { kind: operation.kind, _stop: stop });
        let span = tracing::info_span!("operation", id = request.as_str());
        let results = results(&self.state, &request, operation);
        let messages = stream::unfold(Some(results), move |results| {
            let (id, quoted, request) = (id.clone(), quoted.clone(), request.clone());
            let next = async move {
                let mut results = results?;
                let (text, rest) = match results.next().await {
                    Some(Ok(json)) => (format!(r#"{{"id":{quoted},"type":"next","payload":{json}}}"#), Some(results)),
                    Some(Err(refusal)) => (error(&quoted, &request, refusal), None),
                    None => (format!(r#"{{"id":{quoted},"type":"complete"}}"#), None),
                };
                Some((Outgoing { id, text, is_last: rest.is_none() }, rest))
            };
            next.instrument(span.clone())
        });
        self.messages.push(messages.take_until(stopped).boxed());
        Ok(None)
    }

    /// Whether there is room for one more operation.
    fn room(&self) -> Result<(), Refusal> {
        let limit = self.state.0.http.max_operations;
        if self.state.is_draining() {
            let message = "the server is stopping; try again";
            return Err(Refusal::new(StatusCode::SERVICE_UNAVAILABLE, "UNAVAILABLE", message));
        }
        if self.under_way.len() >= limit as usize {
            let message = format!("the operations under way on one WebSocket are limited to {limit}");
            return Err(Refusal::new(StatusCode::TOO_MANY_REQUESTS, "LIMIT_EXCEEDED", message));
        }
        Ok(())
    }
}

/// The message that an operation cannot run, or on.
fn error(quoted: &str, request: &RequestId, refusal: Refusal) -> String {
    format!(r#"{{"id":{quoted},"type":"error","payload":{}}}"#, reply::errors(request, refusal))
}

/// The id of an operation.
fn name(id: Option<String>) -> Result<Arc<str>, Close> {
    match id {
        Some(id) if (1..=LONGEST_ID).contains(&id.len()) => Ok(id.into()),
        _ => Err(Close::invalid(format!("`id` has to be a string of 1 to {LONGEST_ID} bytes"))),
    }
}

/// What there is to say when reading fails. Most often the client is gone.
fn broken(error: axum::Error) -> Option<Close> {
    match error.into_inner().downcast_ref()? {
        Error::Protocol(ProtocolError::ResetWithoutClosingHandshake) => None,
        Error::Io(error) if error.kind() == std::io::ErrorKind::FileTooLarge => {
            Some(Close(close_code::SIZE, "this is too much before it is said who sends it".to_owned()))
        }
        Error::Capacity(_) => Some(Close(close_code::SIZE, "the message is too large".to_owned())),
        Error::Protocol(_) => Some(Close(close_code::PROTOCOL, "the frame is not as it has to be".to_owned())),
        Error::Utf8(_) => Some(Close(close_code::INVALID, "messages are in UTF-8".to_owned())),
        _ => None,
    }
}
