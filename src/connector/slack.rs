//! SLACK: the members of a workspace, by `users.list`.
//!
//! Slack answers with status 200 whatever happens; `ok` and `error` say what did.

use http::header::AUTHORIZATION;
use serde::{Deserialize, Serialize};
use serde_json::Value as Json;

use super::Account;
use super::error::{Error, ErrorKind};
use super::http::Reply;
use super::session::{Manners, Session};
use super::settings::{BaseUrl, Fields};

const MANNERS: Manners = Manners {
    name: "Slack",
    unauthenticated: "set a token (xoxb-… or xoxp-…) that is valid",
    forbidden: "the token needs the scopes users:read and users:read.email",
    not_found: "check `settings.baseUrl`",
    is_limited,
};

/// How many members are asked for at a time; Slack recommends no more.
const PAGE: &str = "200";
/// The member that is Slack itself.
const SLACKBOT: &str = "USLACKBOT";

/// What to read of Slack.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct SlackSettings {
    #[serde(skip_serializing_if = "Option::is_none")]
    team: Option<String>,
    include_guests: bool,
    pub(super) base_url: BaseUrl,
}

impl SlackSettings {
    pub(super) fn read(fields: &mut Fields<'_>) -> Option<Self> {
        let base_url = fields.base_url(Some("https://slack.com/api"), "https://slack.com/api");
        let team = fields.text("team");
        if team.as_ref().is_some_and(|team| !team.bytes().all(|byte| byte.is_ascii_alphanumeric())) {
            fields.violation("team", "NOT_A_NAME", "this is the workspace's id, such as T0123ABCD");
        }
        Some(Self { team, include_guests: fields.flag("includeGuests", true), base_url: base_url? })
    }
}

#[derive(Deserialize)]
struct Answer {
    ok: bool,
    #[serde(default)]
    error: String,
    needed: Option<String>,
    #[serde(default)]
    members: Vec<Member>,
    #[serde(default)]
    response_metadata: Metadata,
}

#[derive(Deserialize, Default)]
struct Metadata {
    #[serde(default)]
    next_cursor: String,
}

#[derive(Deserialize)]
struct Member {
    id: String,
    name: Option<String>,
    real_name: Option<String>,
    #[serde(default)]
    deleted: bool,
    #[serde(default)]
    is_bot: bool,
    #[serde(default)]
    is_restricted: bool,
    #[serde(default)]
    is_ultra_restricted: bool,
    /// Somebody of another organisation, who merely shares a channel.
    #[serde(default)]
    is_stranger: bool,
    #[serde(default)]
    profile: Profile,
}

#[derive(Deserialize, Default)]
struct Profile {
    email: Option<String>,
    real_name: Option<String>,
    display_name: Option<String>,
}

pub(super) async fn read(settings: &SlackSettings, session: &mut Session<'_>) -> Result<(), Error> {
    session.open(&settings.base_url.0, &MANNERS, AUTHORIZATION, |token| format!("Bearer {token}"))?;
    let mut cursor = String::new();
    loop {
        let mut query = vec![("limit", PAGE)];
        query.extend(settings.team.as_deref().map(|team| ("team_id", team)));
        if !cursor.is_empty() {
            query.push(("cursor", &cursor));
        }
        let url = session.url("users.list", &query)?;
        let answer = session.get::<Answer>(&url).await?.data;
        if !answer.ok {
            return Err(refused(&answer, session).at(&http::Method::GET, &url));
        }
        let members = answer.members.into_iter();
        session.accounts_of(members.map(|member| (settings.wants(&member), Account::from(member)))).await?;
        cursor = answer.response_metadata.next_cursor;
        if cursor.is_empty() {
            return Ok(());
        }
        session.turn(&cursor)?;
    }
}

impl SlackSettings {
    fn wants(&self, member: &Member) -> bool {
        let is_guest = member.is_restricted || member.is_ultra_restricted;
        !member.is_stranger && (self.include_guests || !is_guest)
    }
}

fn refused(answer: &Answer, session: &Session<'_>) -> Error {
    let error = session.scrub(&answer.error);
    let (kind, mend) = match answer.error.as_str() {
        "invalid_auth"
        | "not_authed"
        | "account_inactive"
        | "token_revoked"
        | "token_expired"
        | "no_permission"
        | "not_allowed_token_type" => (ErrorKind::Unauthenticated, MANNERS.unauthenticated.to_owned()),
        "missing_scope" => {
            let scope = answer.needed.as_deref().map_or_else(|| "users:read".to_owned(), |scope| session.scrub(scope));
            (ErrorKind::Forbidden, format!("the token needs the scope {scope}"))
        }
        "team_access_not_granted" | "missing_argument" | "team_not_found" | "invalid_arguments" => (
            ErrorKind::NotFound,
            "the token is of an organisation; set `settings.team` to a workspace it may see".to_owned(),
        ),
        "internal_error" | "fatal_error" | "service_unavailable" | "request_timeout" => {
            (ErrorKind::Unavailable, "try again later".to_owned())
        }
        _ => (ErrorKind::Refused, "look the word up in Slack's description of `users.list`".to_owned()),
    };
    Error::new(kind, format!("Slack answers `{error}`"), mend)
}

impl From<Member> for Account {
    fn from(member: Member) -> Self {
        let Profile { email, real_name, display_name } = member.profile;
        let named = |name: &Option<String>| name.as_ref().is_some_and(|name| !name.trim().is_empty());
        Self {
            is_bot: member.is_bot || member.id == SLACKBOT,
            external_id: member.id,
            username: member.name,
            email,
            display_name: [real_name, member.real_name, display_name].into_iter().find(named).flatten(),
            is_gone: member.deleted,
        }
    }
}

fn is_limited(reply: &Reply) -> bool {
    // Only short replies are errors; pages of members are not read twice.
    reply.body.len() < 4096
        && serde_json::from_slice::<Json>(&reply.body)
            .is_ok_and(|body| body["ok"] == false && body["error"] == "ratelimited")
}
