//! GUESTS. Who a request is from: asked before anything of its body is read, and again for as long as its answer lasts.
//!
//! What does not live here: what proves who somebody is (the backend's [`Authenticate`](super::Authenticate)), and what
//! they may do.

use std::sync::Arc;
use std::time::{Duration, Instant};

use axum::Extension;
use axum::extract::{Request, State};
use axum::middleware::Next;
use axum::response::Response;
use http::header::AUTHORIZATION;
use http::{HeaderMap, HeaderName, HeaderValue, StatusCode};
use tokio_util::task::AbortOnDropHandle;

use super::body::Incoming;
use super::peer::Origin;
use super::reply::{self, Media, Refusal};
use super::window::WINDOW;
use super::{AppState, graphql, live, probes};
use crate::access::{Admitted, Bearer, Denied, Principal, Role};
use crate::config::Auth;
use crate::telemetry::RequestId;

/// How often whoever is being answered by and by is asked again. With the time for which tokens that work are not looked
/// up (`directory::token`), it is less than a second.
const AGAIN: Duration = Duration::from_millis(250);
/// How long somebody is still let in where it cannot be found out whether they are: as long as it may take until a token
/// that was revoked is refused.
const UNPROVEN: Duration = Duration::from_secs(1);
/// How many attempts with what proves nothing an origin has a minute.
pub(super) const ATTEMPTS: u64 = 20;

/// The points of any request and of any operation on a WebSocket, taken before anything is done for it.
pub(super) const QUERY: u64 = 1;
/// The points of a mutation.
pub(super) const MUTATION: u64 = 5;
/// The points of an operation with a file, and of an export.
pub(super) const TRANSFER: u64 = 100;

pub(super) const RATE_LIMIT: HeaderName = HeaderName::from_static("ratelimit");
pub(super) const RATE_LIMIT_POLICY: HeaderName = HeaderName::from_static("ratelimit-policy");

/// Who a request is from.
#[derive(Clone, Debug)]
pub(super) struct Guest {
    /// Who it is, and what they may.
    pub(super) principal: Principal,
    /// What proves it, and what their requests are counted under; nothing where nobody is asked.
    proof: Option<(Bearer, Arc<str>)>,
}

/// Lets in whoever proves who they are, and notes it in the request's extensions. A WebSocket may prove it later.
pub(super) async fn recognise(
    State(state): State<AppState>,
    Extension(id): Extension<RequestId>,
    mut request: Request,
    next: Next,
) -> Response {
    if probes::PATHS.contains(&request.uri().path()) {
        return next.run(request).await;
    }
    let origin = Origin::of(request.extensions(), request.headers(), &state.0.sign_in.trusted_proxies);
    request.extensions_mut().insert(origin);
    let says_later = request.uri().path() == graphql::PATH && live::is_handshake(request.headers());
    let guest = match enter(&state, origin, request.headers(), says_later).await {
        Ok(guest) => guest,
        Err(refusal) => {
            let (status, code) = refusal.summary();
            tracing::info!(status, code, "let nobody in");
            return refuse(&state, &id, request, refusal);
        }
    };
    let Some(guest) = guest else { return next.run(request).await };
    request.extensions_mut().insert(guest.principal.clone());
    request.extensions_mut().insert(guest.clone());
    let mut response = match guest.pay(&state) {
        Ok(()) => next.run(request).await,
        Err(refusal) => refuse(&state, &id, request, refusal),
    };
    guest.tell_points(&state, response.headers_mut());
    response
}

/// Refuses a request of which nothing was read. Its body is drained, so that a client that is still sending sees why.
fn refuse(state: &AppState, id: &RequestId, request: Request, refusal: Refusal) -> Response {
    let media = Media::of(request.headers());
    drop(Incoming::new(request.into_body(), state.0.http.stall_timeout));
    reply::refuse(media, id, refusal)
}

/// Takes the further points of an export from whoever asks for it.
pub(super) async fn charge_for_export(
    State(state): State<AppState>,
    Extension(guest): Extension<Guest>,
    request: Request,
    next: Next,
) -> Response {
    guest.charge(&state, TRANSFER);
    next.run(request).await
}

/// Who a request with these headers is from; none for a WebSocket that has yet to say.
async fn enter(
    state: &AppState,
    origin: Origin,
    headers: &HeaderMap,
    says_later: bool,
) -> Result<Option<Guest>, Refusal> {
    if state.0.sign_in.auth == Auth::None {
        return Ok(Some(Guest::anybody()));
    }
    let mut given = headers.get_all(AUTHORIZATION).iter();
    match (given.next(), given.next()) {
        (Some(one), None) => Guest::proven(state, origin, one.to_str().unwrap_or_default()).await.map(Some),
        (None, _) if says_later => Ok(None),
        (None, _) => Err(nobody()),
        (Some(_), Some(_)) => Err(unauthenticated("there is more than one header `Authorization`")),
    }
}

/// Refuses what proves nothing. An origin that has tried too often is not told why: of what is right nothing is counted,
/// so whoever shares an address with somebody who tries is let in.
pub(super) fn attempted(state: &AppState, origin: Origin, why: impl Into<String>) -> Refusal {
    state.0.attempts.take(&origin, 1, Instant::now()).map_or_else(
        |left| {
            let message = format!(
                "too many attempts with tokens that are not valid from this address; try again in {} s",
                left.reset
            );
            Refusal::limited(message, left.reset)
        },
        |()| unauthenticated(why),
    )
}

/// Refuses whoever brings nothing.
pub(super) fn nobody() -> Refusal {
    unauthenticated("sign in: send the header `Authorization: Bearer TOKEN`")
}

fn unauthenticated(message: impl Into<String>) -> Refusal {
    Refusal::new(StatusCode::UNAUTHORIZED, "UNAUTHENTICATED", message)
}

impl From<Denied> for Refusal {
    fn from(denied: Denied) -> Self {
        match denied {
            Denied::Unauthenticated(message) => unauthenticated(message),
            Denied::Forbidden(message) => Self::new(StatusCode::FORBIDDEN, "FORBIDDEN", message),
            Denied::Unavailable(message) => Self::new(StatusCode::SERVICE_UNAVAILABLE, "UNAVAILABLE", message),
        }
    }
}

impl Guest {
    /// Whoever calls where nobody is asked who they are.
    fn anybody() -> Self {
        Self { principal: Principal { name: "api".to_owned(), role: Role::Admin }, proof: None }
    }

    /// Whom this proves, which stands in the header `Authorization` or in the payload of a WebSocket's first message.
    pub(super) async fn proven(state: &AppState, origin: Origin, authorization: &str) -> Result<Self, Refusal> {
        let Some(bearer) = Bearer::read(authorization) else {
            return Err(attempted(state, origin, "the header `Authorization` has to say `Bearer TOKEN`"));
        };
        match (state.0.backend.authenticate)(bearer.clone()).await {
            Ok(Admitted { principal, account }) => Ok(Self { principal, proof: Some((bearer, account)) }),
            Err(Denied::Unauthenticated(why)) => Err(attempted(state, origin, why)),
            Err(denied) => Err(denied.into()),
        }
    }

    /// Ends with the reason when what proves who it is does so no longer, or when it cannot be found out for a while.
    pub(super) async fn leaves(self, state: AppState) -> Refusal {
        let Some((bearer, _)) = self.proof else { return std::future::pending().await };
        let mut proven_at = Instant::now();
        loop {
            tokio::time::sleep(AGAIN).await;
            let asked_at = Instant::now();
            let until = tokio::time::Instant::from_std(proven_at + UNPROVEN);
            match tokio::time::timeout_at(until, (state.0.backend.authenticate)(bearer.clone())).await {
                Ok(Ok(_)) => proven_at = asked_at,
                Ok(Err(Denied::Unavailable(_))) if proven_at.elapsed() < UNPROVEN => {}
                Ok(Err(denied)) => return denied.into(),
                Err(_) => {
                    return Denied::Unavailable("it cannot be found out whether the token still works".to_owned())
                        .into();
                }
            }
        }
    }

    /// The same for an answer that its client reads by and by: it is asked also while nothing is read.
    pub(super) fn leaves_beside(self, state: AppState) -> impl Future<Output = Refusal> + Send + 'static {
        let watch = AbortOnDropHandle::new(tokio::spawn(self.leaves(state)));
        async move { watch.await.unwrap_or_else(|_| Refusal::panicked()) }
    }

    /// The same guest, if what proves who it is still does.
    ///
    /// # Errors
    /// Why they are let in no longer.
    pub(super) async fn again(self, state: &AppState) -> Result<Self, Refusal> {
        if let Some((bearer, _)) = &self.proof {
            (state.0.backend.authenticate)(bearer.clone()).await?;
        }
        Ok(self)
    }

    /// What `work` gives, unless what proves who it is does so no longer before that: whoever sends their request by and by
    /// is let in at its end as at its beginning.
    ///
    /// # Errors
    /// Those of the work, and why they are let in no longer.
    pub(super) async fn stays<T>(
        &self,
        state: &AppState,
        work: impl Future<Output = Result<T, Refusal>>,
    ) -> Result<T, Refusal> {
        tokio::select! {
            biased;
            refusal = self.clone().leaves(state.clone()) => Err(refusal),
            done = work => done,
        }
    }

    /// Takes the points of a request, or of an operation on a WebSocket, before anything is done for it.
    pub(super) fn pay(&self, state: &AppState) -> Result<(), Refusal> {
        let Some(account) = self.account(state) else { return Ok(()) };
        state.0.points.take(account, QUERY, Instant::now()).map_err(|left| {
            let limit = state.0.points.limit();
            let message =
                format!("a token has {limit} points a minute, and these are used up; try again in {} s", left.reset);
            Refusal::limited(message, left.reset)
        })
    }

    /// Takes the further points of what is known by now to take so many.
    pub(super) fn charge(&self, state: &AppState, points: u64) {
        if let Some(account) = self.account(state) {
            state.0.points.spend(account, points - QUERY, Instant::now());
        }
    }

    /// Says in a reply how many points are left.
    fn tell_points(&self, state: &AppState, headers: &mut HeaderMap) {
        let Some(account) = self.account(state) else { return };
        let (limit, left) = (state.0.points.limit(), state.0.points.left(account, Instant::now()));
        let policy = format!("\"points\";q={limit};w={}", WINDOW.as_secs());
        let now = format!("\"points\";r={};t={}", left.remaining, left.reset);
        for (name, text) in [(RATE_LIMIT_POLICY, policy), (RATE_LIMIT, now)] {
            // Digits and signs are always a header value.
            headers.extend(HeaderValue::try_from(text).map(|value| (name, value)));
        }
    }

    /// What their points are counted under, if they are.
    fn account(&self, state: &AppState) -> Option<&Arc<str>> {
        self.proof.as_ref().map(|(_, account)| account).filter(|_| state.0.points.limit() > 0)
    }
}
