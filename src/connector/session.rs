//! One reading of a tool: what it may still wait and ask, what it has seen, and to whom it tells it.
//!
//! Retries are here and nowhere else, and so is what stops a reading that would not end. What does not live here: what a
//! tool is asked (its own file), how a request is sent (`http`).

use std::collections::HashSet;
use std::hash::{BuildHasher, RandomState};
use std::time::Duration;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use http::header::ACCEPT;
use http::{HeaderMap, HeaderName, HeaderValue, Method, StatusCode};
use serde::de::DeserializeOwned;
use serde_json::Value as Json;
use tokio::sync::mpsc;
use url::Url;

use super::error::{Error, ErrorKind};
use super::http::{Client, Reply, Request, show_wait};
use super::{Account, Credential, Event, Outcome};
use crate::value::shorten;

/// How often a request is sent while the tool or the network has a fault.
const TRIES: u32 = 4;
/// How often a request is sent while the tool's rate limit is used up.
const LIMITED: u32 = 8;
/// How many pages in a row may bring nothing new.
const STALE: u32 = 5;
/// How long to wait where a tool does not say how long.
const UNSAID: Duration = Duration::from_mins(1);
/// The longest text of an account, in bytes.
const LONGEST: usize = 500;

/// What is particular to a tool: its name, and what to do about its refusals.
pub(super) struct Manners {
    pub(super) name: &'static str,
    pub(super) unauthenticated: &'static str,
    pub(super) forbidden: &'static str,
    pub(super) not_found: &'static str,
    /// Whether a reply says in its body that the rate limit is used up.
    pub(super) is_limited: fn(&Reply) -> bool,
}

/// A page: the accounts' data, and the reply that it came with.
pub(super) struct Page<T> {
    pub(super) data: T,
    pub(super) reply: Reply,
}

pub(super) struct Session<'a> {
    pub(super) client: &'a Client,
    credential: Option<&'a Credential>,
    tell: &'a mpsc::Sender<Event>,
    /// What is asked, once it is known; nothing else gets the credential.
    base: Option<Url>,
    headers: HeaderMap,
    manners: Option<&'static Manners>,
    outcome: Outcome,
    waited: Duration,
    pages: u32,
    /// How many pages in a row brought nothing new.
    stale: u32,
    hasher: RandomState,
    seen: HashSet<u64>,
    cursors: HashSet<u64>,
}

impl<'a> Session<'a> {
    pub(super) fn new(client: &'a Client, credential: Option<&'a Credential>, tell: &'a mpsc::Sender<Event>) -> Self {
        Self {
            client,
            credential,
            tell,
            base: None,
            headers: HeaderMap::new(),
            manners: None,
            outcome: Outcome { is_full: true, ..Outcome::default() },
            waited: Duration::ZERO,
            pages: 0,
            stale: 0,
            hasher: RandomState::new(),
            seen: HashSet::new(),
            cursors: HashSet::new(),
        }
    }

    /// Begins to read the tool at `base`, with the credential in a header.
    pub(super) fn open(
        &mut self,
        base: &Url,
        manners: &'static Manners,
        header: HeaderName,
        write: impl FnOnce(&str) -> String,
    ) -> Result<(), Error> {
        let missing = |message: &str| Error::new(ErrorKind::Unauthenticated, message, manners.unauthenticated);
        let secret = self.credential.map(Credential::expose).filter(|secret| !secret.is_empty());
        let secret = secret.ok_or_else(|| missing("there is no credential"))?;
        let mut value = HeaderValue::try_from(write(secret))
            .map_err(|_| missing("the credential has characters that no credential has"))?;
        value.set_sensitive(true);
        self.headers.insert(header, value);
        self.headers.insert(ACCEPT, HeaderValue::from_static("application/json"));
        self.base = Some(base.clone());
        self.manners = Some(manners);
        Ok(())
    }

    /// A URL below the base: `path` without a `/` before it.
    pub(super) fn url(&self, path: &str, query: &[(&str, &str)]) -> Result<Url, Error> {
        let no_url = || Error::new(ErrorKind::Refused, "this makes no URL", "check `settings.baseUrl`");
        let base = self.base.as_ref().ok_or_else(no_url)?;
        let mut url = Url::parse(&format!("{}/{path}", base.as_str().trim_end_matches('/'))).map_err(|_| no_url())?;
        if !query.is_empty() {
            url.query_pairs_mut().extend_pairs(query);
        }
        Ok(url)
    }

    /// A link to a further page, which may lead nowhere but to the tool itself.
    pub(super) fn follow(&mut self, from: &Url, link: &str) -> Result<Url, Error> {
        let refuse = |message: String| {
            let mend = "have the tool, or the proxy before it, know its own address, and set `settings.baseUrl` to it";
            Error::new(ErrorKind::AddressRefused, message, mend).at(&Method::GET, from)
        };
        let next = from.join(link).map_err(|_| refuse("the link to the next page is no URL".to_owned()))?;
        if next.origin() != from.origin() || !next.username().is_empty() || next.password().is_some() {
            let elsewhere = next.host_str().unwrap_or("nowhere");
            return Err(refuse(format!("the link to the next page leads to {}", shorten(elsewhere))));
        }
        self.turn(next.as_str()).map_err(|error| error.at(&Method::GET, from))?;
        Ok(next)
    }

    /// Notes the cursor of a further page, which no page before may have had.
    pub(super) fn turn(&mut self, cursor: &str) -> Result<(), Error> {
        if self.cursors.insert(self.hasher.hash_one(cursor)) { Ok(()) } else { Err(endless()) }
    }

    pub(super) async fn get<T: DeserializeOwned>(&mut self, url: &Url) -> Result<Page<T>, Error> {
        self.ask(Method::GET, url, None).await
    }

    pub(super) async fn post<T: DeserializeOwned>(&mut self, url: &Url, body: &Json) -> Result<Page<T>, Error> {
        self.ask(Method::POST, url, Some(body.to_string().into_bytes())).await
    }

    async fn ask<T: DeserializeOwned>(
        &mut self,
        method: Method,
        url: &Url,
        body: Option<Vec<u8>>,
    ) -> Result<Page<T>, Error> {
        if self.pages >= self.client.policy().max_pages {
            let message = format!("there are more than {} pages", self.pages);
            return Err(Error::new(ErrorKind::TooLarge, message, "report these accounts by `syncIntegrationAccounts`"));
        }
        self.pages += 1;
        let request = Request { method, url: url.clone(), headers: self.headers.clone(), body };
        let reply = self.send(&request).await.map_err(|error| error.at(&request.method, url))?;
        let data = self.read(&reply).map_err(|error| error.at(&request.method, url))?;
        Ok(Page { data, reply })
    }

    /// Sends a request until it is answered, or there is no more to hope for.
    async fn send(&mut self, request: &Request) -> Result<Reply, Error> {
        let (mut tries, mut limited) = (0, 0);
        loop {
            self.outcome.requests += 1;
            let (error, wait, why) = match self.client.send(request).await {
                Err(failed) => {
                    if !failed.is_passing {
                        return Err(failed.error);
                    }
                    let why = failed.error.message().to_owned();
                    (failed.error, None, why)
                }
                Ok(reply) => {
                    let says_so = self.manners.is_some_and(|manners| (manners.is_limited)(&reply));
                    if let Some((wait, why)) = reply.asks_to_wait(says_so) {
                        let wait = wait.unwrap_or(UNSAID.saturating_mul(1 << limited));
                        limited += 1;
                        let message = format!("{why} and it asks to wait {}", show_wait(wait));
                        let mend = "start again later, or use a credential that nothing else uses";
                        let error = Error::new(ErrorKind::RateLimited, message, mend);
                        if limited >= LIMITED {
                            return Err(error);
                        }
                        self.wait(wait, why, error).await?;
                        continue;
                    }
                    if !is_fault(reply.status) {
                        return self.accept(reply);
                    }
                    let why = format!("{} answers with status {}", self.name(), reply.status.as_u16());
                    let said = self.said(&reply);
                    let error = Error::new(ErrorKind::Unavailable, format!("{why}{said}"), "try again later");
                    (error, reply.retry_after(), why)
                }
            };
            tries += 1;
            if tries >= TRIES {
                return Err(error);
            }
            let backoff = self.client.policy().first_backoff.saturating_mul(1 << (tries - 1));
            self.wait(wait.unwrap_or(backoff), why, error).await?;
        }
    }

    /// Waits, or fails with `otherwise` where that would be longer than a reading may wait.
    async fn wait(&mut self, wait: Duration, why: String, otherwise: Error) -> Result<(), Error> {
        // A tool that asks to wait no time at all is not asked again at once.
        let wait = wait.max(self.client.policy().first_backoff);
        self.waited = self.waited.saturating_add(wait);
        if self.waited > self.client.policy().max_waiting {
            return Err(otherwise);
        }
        self.outcome.waits += 1;
        self.tell(Event::Waiting { for_: wait, why }).await?;
        tokio::time::sleep(wait).await;
        Ok(())
    }

    fn name(&self) -> &'static str {
        self.manners.map_or("the tool", |manners| manners.name)
    }

    /// Takes a reply that is no fault and asks for no wait: a success, or the error that it is.
    fn accept(&self, reply: Reply) -> Result<Reply, Error> {
        let (status, name) = (reply.status, self.name());
        if status.is_success() {
            return Ok(reply);
        }
        let Some(manners) = self.manners else { return Ok(reply) };
        let said = self.said(&reply);
        let new = |kind, message: String, mend: &str| Err(Error::new(kind, message + &said, mend));
        match status {
            StatusCode::UNAUTHORIZED => {
                new(ErrorKind::Unauthenticated, format!("{name} does not take the credential"), manners.unauthenticated)
            }
            StatusCode::FORBIDDEN => {
                new(ErrorKind::Forbidden, format!("{name} does not let the credential see this"), manners.forbidden)
            }
            StatusCode::NOT_FOUND => new(ErrorKind::NotFound, format!("{name} has no such thing"), manners.not_found),
            status if status.is_redirection() => {
                let to = reply.header("location").and_then(|to| Url::parse(to).ok());
                let to =
                    to.as_ref().and_then(Url::host_str).map_or(String::new(), |host| format!(" to {}", shorten(host)));
                let mend = "redirects are not followed; set `settings.baseUrl` to where the API is, and look whether the \
                            tool asks for a sign-in";
                Err(Error::new(ErrorKind::Refused, format!("{name} redirects{to}"), mend))
            }
            _ => new(
                ErrorKind::Refused,
                format!("{name} refuses the request with status {}", status.as_u16()),
                "check the settings",
            ),
        }
    }

    /// Reads a reply's JSON.
    fn read<T: DeserializeOwned>(&self, reply: &Reply) -> Result<T, Error> {
        let mend = "check that `settings.baseUrl` is where the tool's API is, with no sign-in page before it";
        if reply.is_page() {
            return Err(Error::new(ErrorKind::Malformed, "the reply is a web page", mend));
        }
        serde_json::from_slice(&reply.body).map_err(|error| {
            let error = self.scrub(&error.to_string());
            Error::new(ErrorKind::Malformed, format!("the reply is not what {} sends: {error}", self.name()), mend)
        })
    }

    /// What a refusal says about itself: ` (…)`, or nothing.
    fn said(&self, reply: &Reply) -> String {
        let Ok(body) = serde_json::from_slice::<Json>(&reply.body) else { return String::new() };
        let texts = [&body["message"], &body["error_description"], &body["error"], &body["errorMessages"][0]];
        match texts.into_iter().chain([&body["errors"][0]["message"]]).find_map(Json::as_str) {
            Some(text) if !text.trim().is_empty() => format!(" and says: {}", self.scrub(text)),
            _ => String::new(),
        }
    }

    /// A short text of the tool's without anything of the credential.
    pub(super) fn scrub(&self, text: &str) -> String {
        let mut text: String = text.chars().map(|c| if c.is_control() { ' ' } else { c }).collect();
        if let Some(secret) = self.credential.map(Credential::expose).filter(|secret| !secret.is_empty()) {
            text = text.replace(secret, "…").replace(&STANDARD.encode(secret), "…");
        }
        for value in self.headers.values().filter(|value| value.is_sensitive()) {
            let parts = value.to_str().unwrap_or_default().split_ascii_whitespace();
            for part in parts.filter(|part| part.len() > 6) {
                text = text.replace(part, "…");
            }
        }
        shorten(text.trim())
    }

    async fn tell(&self, event: Event) -> Result<(), Error> {
        let stopped = |_| Error::new(ErrorKind::Stopped, "the reading was stopped", "");
        self.tell.send(event).await.map_err(stopped)
    }

    /// Tells how many accounts there are.
    pub(super) async fn total(&self, total: u64) -> Result<(), Error> {
        self.tell(Event::Total(total)).await
    }

    /// Tells the accounts of a page that no page before had. A row of pages with nothing new ends the reading.
    pub(super) async fn accounts(&mut self, accounts: Vec<Account>) -> Result<(), Error> {
        self.accounts_of(accounts.into_iter().map(|account| (true, account))).await
    }

    /// The same with accounts that are not wanted, and not told.
    pub(super) async fn accounts_of(&mut self, accounts: impl Iterator<Item = (bool, Account)>) -> Result<(), Error> {
        let (mut new, before) = (Vec::new(), self.seen.len());
        for (is_wanted, mut account) in accounts {
            account.external_id = account.external_id.trim().to_owned();
            let id = &account.external_id;
            if id.is_empty() || id.len() > LONGEST || id.contains(char::is_control) {
                let message = "an account has no id, or one that is no id";
                return Err(Error::new(ErrorKind::Malformed, message, "report this to the tool's maker"));
            }
            if self.seen.insert(self.hasher.hash_one(account.external_id.as_str())) && is_wanted {
                for text in [&mut account.username, &mut account.email, &mut account.display_name] {
                    tidy(text);
                }
                new.push(account);
            }
        }
        if self.seen.len() == before {
            self.stale += 1;
            return if self.stale >= STALE { Err(endless()) } else { Ok(()) };
        }
        self.stale = 0;
        if new.is_empty() { Ok(()) } else { self.tell(Event::Accounts(new)).await }
    }

    /// How many accounts were seen.
    pub(super) fn seen(&self) -> usize {
        self.seen.len()
    }

    /// Ends a reading of all accounts. A tool without any is one that shows none: its accounts are not gone for that.
    pub(super) fn finish(self) -> Result<Outcome, Error> {
        if self.seen.is_empty() {
            let mend = self.manners.map_or("", |manners| manners.forbidden);
            return Err(Error::new(ErrorKind::Forbidden, format!("{} shows no account at all", self.name()), mend));
        }
        Ok(self.outcome)
    }

    /// Ends a reading that goes on from `cursor` next time.
    pub(super) fn finish_at(self, cursor: String, is_full: bool) -> Outcome {
        Outcome { cursor: Some(cursor), is_full, ..self.outcome }
    }
}

fn endless() -> Error {
    let mend = "report this to the tool's maker, or look whether a proxy in between keeps old replies";
    Error::new(ErrorKind::Endless, "the pages go round in a circle", mend)
}

fn is_fault(status: StatusCode) -> bool {
    status.is_server_error() || status == StatusCode::REQUEST_TIMEOUT
}

/// Leaves a text out where there is nothing in it, and cuts what is longer than any name.
fn tidy(text: &mut Option<String>) {
    let Some(given) = text.take() else { return };
    let given: String = given.chars().filter(|c| !c.is_control()).collect();
    let given = given.trim();
    let end = (0..=LONGEST.min(given.len())).rev().find(|at| given.is_char_boundary(*at)).unwrap_or(0);
    *text = Some(given[..end].trim_end().to_owned()).filter(|text| !text.is_empty());
}
