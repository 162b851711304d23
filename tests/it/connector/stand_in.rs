//! A server that speaks as the tools do, with made-up people, and servers that do everything wrong.

use std::collections::HashMap;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use axum::body::{Body, to_bytes};
use axum::extract::{Path, Query, Request, State};
use axum::http::{HeaderMap, HeaderValue, StatusCode};
use axum::middleware::{Next, from_fn_with_state};
use axum::response::{IntoResponse, Response};
use axum::routing::{any, get, post};
use axum::{Json, Router};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use roster::connector::{Client, Credential, Error, Event, Outcome, Policy, Settings, read};
use serde_json::{Value, json};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::mpsc;

use entity::integration::IntegrationKind;
use roster::connector::Account;

/// The token that the tools take.
pub(super) const TOKEN: &str = "s3cr3t-t0ken-of-tests";
/// The email that goes with it at Jira Cloud.
pub(super) const EMAIL: &str = "reader@corp.example";
/// How many people each tool has.
pub(super) const PEOPLE: usize = 450;

/// A request that a stand-in got.
#[derive(Clone, Debug)]
pub(super) struct Seen {
    pub(super) method: String,
    pub(super) uri: String,
    pub(super) headers: HeaderMap,
    pub(super) body: String,
}

/// A reply given instead of the tool's.
#[derive(Clone, Debug)]
pub(super) struct Instead {
    pub(super) status: u16,
    pub(super) headers: Vec<(&'static str, String)>,
    pub(super) body: String,
}

#[derive(Clone, Default)]
struct Shared {
    seen: Arc<Mutex<Vec<Seen>>>,
    /// What is answered instead, first to last; `None` lets the tool answer.
    instead: Arc<Mutex<Vec<Option<Instead>>>>,
}

/// All tools in one server, each below a path of its own.
pub(super) struct StandIn {
    pub(super) address: SocketAddr,
    shared: Shared,
}

impl StandIn {
    pub(super) async fn start() -> Self {
        let shared = Shared::default();
        let router = Router::new()
            .route("/github/api/graphql", post(github))
            .route("/jira/rest/api/3/users/search", get(jira_cloud))
            .route("/jira-dc/rest/api/2/user/list", get(jira_list))
            .route("/jira-9/rest/api/2/user/search", get(jira_search))
            .route("/jira-capped/rest/api/2/user/search", get(jira_capped))
            .route("/slack/users.list", any(slack))
            .route("/harness/ng/api/user/aggregate", post(harness))
            .route("/gitlab/api/v4/users", get(gitlab_users))
            .route("/gitlab/api/v4/groups/{group}/members/all", get(gitlab_members))
            .route("/seen", get(show_seen))
            .fallback(|| async { (StatusCode::NOT_FOUND, Json(json!({ "message": "Not Found" }))) })
            .layer(from_fn_with_state(shared.clone(), watch))
            .with_state(shared.clone());
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        #[expect(clippy::disallowed_methods, reason = "a stand-in ends with its test")]
        tokio::spawn(async move { axum::serve(listener, router).await });
        Self { address, shared }
    }

    /// Where a tool is.
    pub(super) fn url(&self, path: &str) -> String {
        format!("http://{}/{path}", self.address)
    }

    /// Answers the next requests so, one after the other; `None` is the tool's own answer.
    pub(super) fn instead(&self, replies: impl IntoIterator<Item = Option<Instead>>) {
        let mut replies: Vec<_> = replies.into_iter().collect();
        replies.reverse();
        *self.shared.instead.lock().unwrap() = replies;
    }

    pub(super) fn seen(&self) -> Vec<Seen> {
        self.shared.seen.lock().unwrap().clone()
    }
}

pub(super) fn instead(status: u16, headers: &[(&'static str, &str)], body: impl Into<String>) -> Option<Instead> {
    let headers = headers.iter().map(|(name, value)| (*name, (*value).to_owned())).collect();
    Some(Instead { status, headers, body: body.into() })
}

/// Notes a request, and answers it in the tool's place where that was asked for.
async fn watch(State(shared): State<Shared>, request: Request, next: Next) -> Response {
    if request.uri().path() == "/seen" {
        return next.run(request).await;
    }
    let (head, body) = request.into_parts();
    let body = to_bytes(body, 1 << 20).await.unwrap();
    shared.seen.lock().unwrap().push(Seen {
        method: head.method.to_string(),
        uri: head.uri.to_string(),
        headers: head.headers.clone(),
        body: String::from_utf8(body.to_vec()).unwrap(),
    });
    let instead = shared.instead.lock().unwrap().pop().flatten();
    let Some(instead) = instead else { return next.run(Request::from_parts(head, Body::from(body))).await };
    let mut response = Response::builder().status(instead.status).header("content-type", "application/json");
    for (name, value) in instead.headers {
        response = response.header(name, value);
    }
    response.body(Body::from(instead.body)).unwrap()
}

async fn show_seen(State(shared): State<Shared>) -> Json<Value> {
    let seen = shared.seen.lock().unwrap();
    Json(seen.iter().map(|seen| json!({ "method": seen.method, "uri": seen.uri, "body": seen.body })).collect())
}

fn has(headers: &HeaderMap, name: &str, value: &str) -> bool {
    headers.get(name).is_some_and(|given| given == value)
}

fn number(query: &HashMap<String, String>, name: &str, default: usize) -> usize {
    query.get(name).map_or(default, |value| value.parse().unwrap())
}

/// Somebody made up: given name, surname and a number that tells them apart.
pub(super) fn person(at: usize) -> (String, String) {
    const GIVEN: [&str; 7] = ["Ann", "Ben", "Cem", "Dörte", "Eve", "Farid", "Gül"];
    const SURNAMES: [&str; 5] = ["Abel", "Brook", "Demir", "O'Hara", "Özil"];
    let (given, surname) = (GIVEN[at % GIVEN.len()], SURNAMES[at / GIVEN.len() % SURNAMES.len()]);
    (format!("{given} {surname}"), format!("person-{at}"))
}

type Queried = Query<HashMap<String, String>>;

/// As GitHub's GraphQL answers `organization { membersWithRole }`.
async fn github(headers: HeaderMap, Json(body): Json<Value>) -> Response {
    if !has(&headers, "authorization", &format!("Bearer {TOKEN}")) {
        let body = json!({ "message": "Bad credentials", "documentation_url": "https://docs.github.com/graphql",
                           "status": "401" });
        return (StatusCode::UNAUTHORIZED, Json(body)).into_response();
    }
    let (query, variables) = (body["query"].as_str().unwrap(), &body["variables"]);
    let login = variables["organization"].as_str().unwrap();
    if login != "acme" {
        let message = format!("Could not resolve to an Organization with the login of '{login}'.");
        return Json(json!({
            "data": { "organization": null },
            "errors": [{ "type": "NOT_FOUND", "path": ["organization"], "locations": [{ "line": 1, "column": 49 }],
                         "message": message }]
        }))
        .into_response();
    }
    let from = variables["after"].as_str().map_or(0, |cursor| {
        String::from_utf8(STANDARD.decode(cursor).unwrap())
            .unwrap()
            .strip_prefix("cursor:v2:")
            .unwrap()
            .parse()
            .unwrap()
    });
    let to = PEOPLE.min(from + 100);
    let nodes: Vec<Value> = (from..to)
        .map(|at| {
            let (name, login) = person(at);
            let mut node = json!({
                "databaseId": 583_000 + at,
                "login": if at == 7 { "build[bot]".to_owned() } else { login.clone() },
                "name": if at % 3 == 0 { Value::Null } else { name.into() },
                "email": if at % 5 == 0 { format!("{login}@home.example") } else { String::new() },
            });
            if query.contains("organizationVerifiedDomainEmails") {
                let emails: Vec<String> = (at % 2 == 0).then(|| format!("{login}@corp.example")).into_iter().collect();
                node["organizationVerifiedDomainEmails"] = json!(emails);
            }
            node
        })
        .collect();
    let page_info = json!({ "hasNextPage": to < PEOPLE, "endCursor": STANDARD.encode(format!("cursor:v2:{to}")) });
    let members = json!({ "totalCount": PEOPLE, "pageInfo": page_info, "nodes": nodes });
    Json(json!({ "data": { "organization": { "membersWithRole": members } } })).into_response()
}

fn avatars(at: usize) -> Value {
    let sizes = ["16x16", "24x24", "32x32", "48x48"];
    sizes.iter().map(|size| ((*size).to_owned(), json!(format!("https://avatars.example/{at}/{size}")))).collect()
}

/// As Jira Cloud answers `GET /rest/api/3/users/search`. One in 50 is not shown, but counts.
async fn jira_cloud(headers: HeaderMap, Query(query): Queried) -> Response {
    let basic = STANDARD.encode(format!("{EMAIL}:{TOKEN}"));
    if !has(&headers, "authorization", &format!("Basic {basic}")) {
        let body = "Client must be authenticated to access this resource.";
        return (StatusCode::UNAUTHORIZED, [("content-type", "text/plain")], body).into_response();
    }
    let from = number(&query, "startAt", 0);
    let to = PEOPLE.min(from + number(&query, "maxResults", 50));
    let users: Vec<Value> = (from..to)
        .filter(|at| at % 50 != 49)
        .map(|at| {
            let (name, login) = person(at);
            let id = format!("712020:{at:08}-aaaa-bbbb-cccc-0123456789ab");
            let kind = ["atlassian", "app", "customer"][match at % 20 {
                18 => 1,
                19 => 2,
                _ => 0,
            }];
            let mut user = json!({
                "self": format!("https://acme.atlassian.net/rest/api/3/user?accountId={id}"),
                "accountId": id, "accountType": kind, "avatarUrls": avatars(at), "displayName": name,
                "active": at % 11 != 10, "locale": "en_GB"
            });
            if at % 15 == 0 {
                user["emailAddress"] = format!("{login}@corp.example").into();
            }
            user
        })
        .collect();
    Json(users).into_response()
}

/// A user as Jira Data Center has them.
fn server_user(at: usize) -> Value {
    let (name, login) = person(at);
    json!({
        "self": format!("https://jira.corp.example/rest/api/2/user?username={login}"),
        "key": format!("JIRAUSER{}", 10_000 + at), "name": login, "emailAddress": format!("{login}@corp.example"),
        "avatarUrls": avatars(at), "displayName": name, "active": at % 11 != 10, "deleted": false,
        "timeZone": "Europe/Berlin", "locale": "en_GB"
    })
}

/// What Jira Data Center says to whoever has no token of its own.
fn jira_refuses(headers: &HeaderMap) -> Option<Response> {
    if has(headers, "authorization", &format!("Bearer {TOKEN}")) {
        return None;
    }
    let body = json!({ "message": "Client must be authenticated to access this resource.", "status-code": 401 });
    Some((StatusCode::UNAUTHORIZED, Json(body)).into_response())
}

/// As Jira Data Center answers `GET /rest/api/2/user/list` since 10.3.
async fn jira_list(headers: HeaderMap, Query(query): Queried) -> Response {
    if let Some(refused) = jira_refuses(&headers) {
        return refused;
    }
    let (from, most) = (number(&query, "cursor", 0), number(&query, "maxResults", 2000));
    let to = PEOPLE.min(from + most);
    let base = "https://jira.corp.example/rest/api/2/user/list";
    let mut page = json!({
        "self": format!("{base}?maxResults={most}&cursor={from}"), "maxResults": most, "isLast": to == PEOPLE,
        "values": (from..to).map(server_user).collect::<Vec<_>>()
    });
    if to < PEOPLE {
        page["nextCursor"] = to.to_string().into();
        page["nextPage"] = format!("{base}?maxResults={most}&cursor={to}").into();
    }
    Json(page).into_response()
}

/// As Jira Data Center 9 answers `GET /rest/api/2/user/search`.
async fn jira_search(headers: HeaderMap, Query(query): Queried) -> Response {
    search(&headers, &query, PEOPLE)
}

/// The same of 10.0, which shows the first hundred.
async fn jira_capped(headers: HeaderMap, Query(query): Queried) -> Response {
    search(&headers, &query, 100)
}

fn search(headers: &HeaderMap, query: &HashMap<String, String>, cap: usize) -> Response {
    if let Some(refused) = jira_refuses(headers) {
        return refused;
    }
    assert_eq!((query["username"].as_str(), query["includeInactive"].as_str()), (".", "true"));
    let from = number(query, "startAt", 0);
    let to = cap.min(from + number(query, "maxResults", 50));
    Json((from..to.max(from)).map(server_user).collect::<Vec<_>>()).into_response()
}

/// As Slack answers `users.list`, asked by GET or by a form.
async fn slack(headers: HeaderMap, Query(mut query): Queried, body: String) -> Response {
    for pair in body.split('&').filter_map(|pair| pair.split_once('=')) {
        query.insert(pair.0.to_owned(), pair.1.replace("%3D", "="));
    }
    if !has(&headers, "authorization", &format!("Bearer {TOKEN}")) {
        return Json(json!({ "ok": false, "error": "invalid_auth" })).into_response();
    }
    let cursor = query.get("cursor").filter(|cursor| !cursor.is_empty());
    let from: usize = cursor.map_or(0, |cursor| {
        String::from_utf8(STANDARD.decode(cursor).unwrap()).unwrap().strip_prefix("user:").unwrap().parse().unwrap()
    });
    let to = PEOPLE.min(from + number(&query, "limit", 0));
    let member = |at: usize| {
        let (name, login) = person(at);
        let id = if at == 0 { "USLACKBOT".to_owned() } else { format!("U{:08}", at) };
        let is_bot = at % 40 == 39;
        let mut profile = json!({
            "real_name": name, "real_name_normalized": name, "display_name": "", "display_name_normalized": "",
            "avatar_hash": "g0123456789a", "status_text": "", "status_emoji": "", "team": "T0000001",
            "image_72": "https://avatars.example/72.png"
        });
        if !is_bot && at > 0 {
            profile["email"] = format!("{login}@corp.example").into();
        }
        json!({
            "id": id, "team_id": "T0000001", "name": login, "deleted": at % 11 == 10, "color": "9f69e7",
            "real_name": name, "tz": "Europe/Berlin", "tz_label": "Central European Time", "tz_offset": 3600,
            "profile": profile, "is_admin": false, "is_owner": false, "is_primary_owner": false,
            "is_restricted": at % 25 == 24, "is_ultra_restricted": at % 50 == 49, "is_bot": is_bot,
            "is_app_user": false, "updated": 1_767_225_600, "is_email_confirmed": true,
            "who_can_share_contact_card": "EVERYONE"
        })
    };
    let next = if to < PEOPLE { STANDARD.encode(format!("user:{to}")) } else { String::new() };
    Json(json!({
        "ok": true, "members": (from..to).map(member).collect::<Vec<_>>(), "cache_ts": 1_767_225_600,
        "response_metadata": { "next_cursor": next }
    }))
    .into_response()
}

/// As Harness answers `POST /ng/api/user/aggregate`.
async fn harness(headers: HeaderMap, Query(query): Queried, Json(filter): Json<Value>) -> Response {
    if !has(&headers, "x-api-key", TOKEN) {
        let body = json!({ "status": "ERROR", "code": "INVALID_TOKEN", "message": "Token is not valid.",
                           "correlationId": "c0", "responseMessages": [] });
        return (StatusCode::UNAUTHORIZED, Json(body)).into_response();
    }
    assert_eq!((query["accountIdentifier"].as_str(), &filter), ("acc-1", &json!({})));
    let (index, size) = (number(&query, "pageIndex", 0), number(&query, "pageSize", 50));
    let (from, to) = (PEOPLE.min(index * size), PEOPLE.min((index + 1) * size));
    let role = json!({
        "identifier": "role_assignment_1", "roleIdentifier": "_account_viewer", "roleName": "Account Viewer",
        "roleScopeLevel": "account", "resourceGroupIdentifier": "_all_account_level_resources",
        "resourceGroupName": "All Account Level Resources", "managedRole": true, "managedRoleAssignment": true
    });
    let content: Vec<Value> = (from..to)
        .map(|at| {
            let (name, login) = person(at);
            let user = json!({ "name": name, "email": format!("{login}@corp.example"), "uuid": format!("uuid{at:018}"),
                "locked": false, "disabled": at % 11 == 10, "externallyManaged": false,
                "twoFactorAuthenticationEnabled": true });
            json!({ "user": user, "roleAssignmentMetadata": [role] })
        })
        .collect();
    Json(json!({
        "status": "SUCCESS",
        "data": { "totalPages": PEOPLE.div_ceil(size), "totalItems": PEOPLE, "pageItemCount": content.len(),
                  "pageSize": size, "content": content, "pageIndex": index, "empty": content.is_empty() },
        "metaData": {}, "correlationId": "c1"
    }))
    .into_response()
}

fn gitlab_refuses(headers: &HeaderMap) -> Option<Response> {
    let is_known = has(headers, "private-token", TOKEN);
    (!is_known).then(|| (StatusCode::UNAUTHORIZED, Json(json!({ "message": "401 Unauthorized" }))).into_response())
}

/// As GitLab answers an administrator's `GET /api/v4/users`, paged by key.
async fn gitlab_users(headers: HeaderMap, Query(query): Queried) -> Response {
    if let Some(refused) = gitlab_refuses(&headers) {
        return refused;
    }
    let host = headers["host"].to_str().unwrap();
    let (from, size) = (number(&query, "id_after", 0), number(&query, "per_page", 20));
    let to = PEOPLE.min(from + size);
    let user = |at: usize| {
        let (name, login) = person(at);
        let email = format!("{login}@corp.example");
        json!({
            "id": at + 1, "username": login, "name": name, "state": if at % 11 == 10 { "blocked" } else { "active" },
            "locked": false, "avatar_url": "https://avatars.example/1.png",
            "web_url": format!("https://gitlab.corp.example/{login}"), "created_at": "2026-01-01T00:00:00.000Z",
            "bio": "", "bot": at % 30 == 29, "location": null, "public_email": null, "skype": "", "linkedin": "",
            "twitter": "", "discord": "", "website_url": "", "organization": null, "job_title": "", "pronouns": null,
            "work_information": null, "followers": 0, "following": 0, "local_time": null, "is_followed": false,
            "last_sign_in_at": "2026-01-01T00:00:00.000Z", "confirmed_at": "2026-01-01T00:00:00.000Z",
            "last_activity_on": "2026-01-01", "email": email, "theme_id": 3, "color_scheme_id": 1,
            "projects_limit": 100, "current_sign_in_at": null, "note": null, "identities": [],
            "can_create_group": true, "can_create_project": true, "two_factor_enabled": true, "external": false,
            "private_profile": null, "namespace_id": at + 1, "created_by": null, "is_admin": false
        })
    };
    let mut response = Json((from..to).map(user).collect::<Vec<_>>()).into_response();
    if to < PEOPLE {
        let link = format!(
            "<http://{host}/gitlab/api/v4/users?id_after={to}&order_by=id&pagination=keyset&per_page={size}&sort=asc>; \
             rel=\"next\""
        );
        response.headers_mut().insert("link", HeaderValue::from_str(&link).unwrap());
    }
    response
}

/// As GitLab answers `GET /api/v4/groups/:id/members/all`, paged by number.
async fn gitlab_members(headers: HeaderMap, Path(group): Path<String>, Query(query): Queried) -> Response {
    if let Some(refused) = gitlab_refuses(&headers) {
        return refused;
    }
    if group != "acme/platform" {
        return (StatusCode::NOT_FOUND, Json(json!({ "message": "404 Group Not Found" }))).into_response();
    }
    let host = headers["host"].to_str().unwrap();
    let (page, size) = (number(&query, "page", 1), number(&query, "per_page", 20));
    let (from, to) = (PEOPLE.min((page - 1) * size), PEOPLE.min(page * size));
    let member = |at: usize| {
        let (name, login) = person(at);
        let login = if at == 29 { "group_12_bot_0a1b2c".to_owned() } else { login };
        json!({
            "id": at + 1, "username": login, "name": name, "state": if at % 11 == 10 { "blocked" } else { "active" },
            "avatar_url": "https://avatars.example/1.png", "web_url": format!("https://gitlab.corp.example/{login}"),
            "access_level": 30, "created_at": "2026-01-01T00:00:00.000Z", "expires_at": null, "locked": false,
            "membership_state": "active"
        })
    };
    let mut response = Json((from..to).map(member).collect::<Vec<_>>()).into_response();
    let pages = PEOPLE.div_ceil(size);
    let at = |page: usize| {
        format!(
            "<http://{host}/gitlab/api/v4/groups/acme%2Fplatform/members/all?id=acme%2Fplatform&page={page}&per_page={size}>"
        )
    };
    let mut links = vec![];
    if page > 1 {
        links.push(format!("{}; rel=\"prev\"", at(page - 1)));
    }
    if page < pages {
        links.push(format!("{}; rel=\"next\"", at(page + 1)));
    }
    links.extend([format!("{}; rel=\"first\"", at(1)), format!("{}; rel=\"last\"", at(pages))]);
    let next = if page < pages { (page + 1).to_string() } else { String::new() };
    let pairs = [
        ("link", links.join(", ")),
        ("x-next-page", next),
        ("x-page", page.to_string()),
        ("x-per-page", size.to_string()),
        ("x-total", PEOPLE.to_string()),
        ("x-total-pages", pages.to_string()),
    ];
    for (name, value) in pairs {
        response.headers_mut().insert(name, HeaderValue::from_str(&value).unwrap());
    }
    response
}

/// What a reading came to.
pub(super) struct Reading {
    pub(super) accounts: Vec<Account>,
    pub(super) total: Option<u64>,
    pub(super) waits: Vec<(Duration, String)>,
    pub(super) outcome: Result<Outcome, Error>,
}

impl Reading {
    #[track_caller]
    pub(super) fn error(&self) -> &Error {
        self.outcome.as_ref().unwrap_err()
    }

    /// Of accounts that are not bots or gone: the id, the login, the email and the name.
    pub(super) fn account(&self, id: &str) -> &Account {
        self.accounts.iter().find(|account| account.external_id == id).unwrap()
    }
}

/// A policy that opens this machine and does not wait for long.
pub(super) fn policy() -> Policy {
    Policy {
        allowed_hosts: vec!["127.0.0.1".into()],
        first_backoff: Duration::from_millis(1),
        silence_timeout: Duration::from_millis(600),
        request_timeout: Duration::from_secs(3),
        ..Policy::default()
    }
}

/// Reads a tool with the right token.
pub(super) async fn reading(kind: IntegrationKind, settings: Value) -> Reading {
    reading_as(policy(), kind, settings, TOKEN, None).await
}

/// Reads a tool with any policy, token and cursor.
pub(super) async fn reading_as(
    policy: Policy,
    kind: IntegrationKind,
    settings: Value,
    token: &str,
    cursor: Option<&str>,
) -> Reading {
    let settings = Settings::parse(kind, &settings, &policy).unwrap();
    let client = Client::new(policy);
    let credential = Credential::new(token.to_owned());
    let (tell, mut told) = mpsc::channel(4);
    let read = async {
        let outcome = read(&client, &settings, Some(&credential), cursor, &tell).await;
        drop(tell);
        outcome
    };
    let gather = async {
        let (mut accounts, mut total, mut waits) = (Vec::new(), None, Vec::new());
        while let Some(event) = told.recv().await {
            match event {
                Event::Accounts(some) => accounts.extend(some),
                Event::Total(some) => total = Some(some),
                Event::Waiting { for_, why } => waits.push((for_, why)),
            }
        }
        (accounts, total, waits)
    };
    let (outcome, (accounts, total, waits)) = tokio::join!(read, gather);
    Reading { accounts, total, waits, outcome }
}

/// A server that reads a request's head and then does what `answer` does with the connection.
pub(super) async fn raw<A, F>(answer: A) -> SocketAddr
where
    A: Fn(TcpStream, usize) -> F + Send + Sync + 'static,
    F: Future<Output = ()> + Send + 'static,
{
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    tokio::spawn(async move {
        let mut count = 0;
        while let Ok((mut stream, _)) = listener.accept().await {
            let mut head = Vec::new();
            while !head.windows(4).any(|four| four == b"\r\n\r\n") {
                let Ok(byte) = stream.read_u8().await else { break };
                head.push(byte);
            }
            tokio::spawn(answer(stream, count));
            count += 1;
        }
    });
    address
}

/// Writes all of it, as far as the other side takes it.
pub(super) async fn write(stream: &mut TcpStream, bytes: &[u8]) {
    let _ = stream.write_all(bytes).await;
    let _ = stream.flush().await;
}
