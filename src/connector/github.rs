//! GITHUB: the members of an organisation, at github.com, GHE.com or a server of one's own.
//!
//! One GraphQL query gives logins, names and emails, a hundred members a page. An account's id is the number that GitHub
//! gives it for good, which also stands in no-reply addresses (`583231+octocat@users.noreply.github.com`).

use http::header::AUTHORIZATION;
use serde::{Deserialize, Serialize};
use serde_json::{Value as Json, json};
use url::Url;

use super::Account;
use super::error::{Error, ErrorKind};
use super::http::Reply;
use super::session::{Manners, Session};
use super::settings::{BaseUrl, Fields};

const MANNERS: Manners = Manners {
    name: "GitHub",
    unauthenticated: "set a token that is valid; its scope is read:org",
    forbidden: "the token needs the scope read:org (a fine-grained one: Members, read), and where the organisation has \
                single sign-on, has to be authorised for it",
    not_found: "check `settings.baseUrl`",
    is_limited,
};

/// What is asked for each page.
const MEMBERS: &str = "query($organization:String!,$after:String){organization(login:$organization){\
    membersWithRole(first:100,after:$after){totalCount pageInfo{hasNextPage endCursor}\
    nodes{databaseId login name email organizationVerifiedDomainEmails(login:$organization)}}}}";
/// The part that old servers do not have, and that not every token may see.
const VERIFIED: &str = " organizationVerifiedDomainEmails(login:$organization)";

/// What to read of GitHub.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct GitHubSettings {
    organization: String,
    pub(super) base_url: BaseUrl,
}

impl GitHubSettings {
    pub(super) fn read(fields: &mut Fields<'_>) -> Option<Self> {
        let base_url = fields.base_url(Some("https://github.com"), "https://github.com");
        let organization = fields.required("organization", "the organisation's login, such as acme")?;
        if !organization.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-_.".contains(&byte)) {
            let message = "an organisation's login has letters, digits and `-`; it is what stands after github.com/";
            fields.violation("organization", "NOT_A_NAME", message);
            return None;
        }
        Some(Self { organization, base_url: base_url? })
    }

    /// Where GraphQL is asked.
    fn endpoint(&self) -> Result<Url, Error> {
        let base = &self.base_url;
        let text = if base.is_host("github.com") || base.is_host("www.github.com") || base.is_host("api.github.com") {
            "https://api.github.com/graphql".to_owned()
        } else if base.is_below("ghe.com") {
            let host = base.0.host_str().unwrap_or_default();
            format!("https://api.{}/graphql", host.trim_start_matches("api."))
        } else {
            // People copy `/api/v3` from the documentation of REST.
            let base = base.0.as_str().trim_end_matches('/').trim_end_matches("/api/v3");
            format!("{}/api/graphql", base.trim_end_matches("/api"))
        };
        let wrong = |_| Error::new(ErrorKind::Refused, "this makes no URL", "check `settings.baseUrl`");
        Url::parse(&text).map_err(wrong)
    }
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Answer {
    data: Option<Data>,
    #[serde(default)]
    errors: Vec<Fault>,
}

#[derive(Deserialize)]
struct Data {
    organization: Option<Organization>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Organization {
    members_with_role: Members,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Members {
    total_count: u64,
    page_info: PageInfo,
    nodes: Vec<Option<Member>>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct PageInfo {
    has_next_page: bool,
    end_cursor: Option<String>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Member {
    database_id: Option<u64>,
    login: String,
    name: Option<String>,
    email: Option<String>,
    #[serde(default)]
    organization_verified_domain_emails: Vec<String>,
}

#[derive(Deserialize)]
struct Fault {
    #[serde(default)]
    r#type: String,
    #[serde(default)]
    message: String,
    #[serde(default)]
    extensions: Json,
    #[serde(default)]
    path: Vec<Json>,
}

pub(super) async fn read(settings: &GitHubSettings, session: &mut Session<'_>) -> Result<(), Error> {
    let url = settings.endpoint()?;
    session.open(&url, &MANNERS, AUTHORIZATION, |token| format!("Bearer {token}"))?;
    let (mut after, mut query) = (None::<String>, MEMBERS.to_owned());
    loop {
        let variables = json!({ "organization": settings.organization, "after": after });
        let page = session.post::<Answer>(&url, &json!({ "query": query, "variables": variables })).await?;
        if query == MEMBERS && page.data.errors.iter().any(is_of_verified_emails) {
            query = MEMBERS.replace(VERIFIED, "");
            continue;
        }
        let members = take(page.data, settings, session).map_err(|error| error.at(&http::Method::POST, &url))?;
        if after.is_none() {
            session.total(members.total_count).await?;
        }
        session.accounts(members.nodes.into_iter().flatten().map(Account::from).collect()).await?;
        match members.page_info {
            PageInfo { has_next_page: true, end_cursor: Some(cursor) } => {
                session.turn(&cursor)?;
                after = Some(cursor);
            }
            PageInfo { .. } => return Ok(()),
        }
    }
}

/// The members of an answer, or the error that it is.
fn take(answer: Answer, settings: &GitHubSettings, session: &Session<'_>) -> Result<Members, Error> {
    if let Some(fault) = answer.errors.first() {
        let (kind, mend) = match fault.r#type.as_str() {
            "NOT_FOUND" => (
                ErrorKind::NotFound,
                format!("check `settings.organization` (`{}`), and that the token may see it", settings.organization),
            ),
            "FORBIDDEN" | "INSUFFICIENT_SCOPES" => (ErrorKind::Forbidden, MANNERS.forbidden.to_owned()),
            _ => (ErrorKind::Refused, "check the settings and the token".to_owned()),
        };
        return Err(Error::new(kind, format!("GitHub says: {}", session.scrub(&fault.message)), mend));
    }
    let organization = answer.data.and_then(|data| data.organization).ok_or_else(|| {
        Error::new(ErrorKind::Malformed, "the reply has neither members nor errors", "check `settings.baseUrl`")
    })?;
    Ok(organization.members_with_role)
}

/// Whether it is the emails of verified domains that the server does not have, or does not show to this token.
fn is_of_verified_emails(fault: &Fault) -> bool {
    fault.extensions["code"] == "undefinedField"
        || fault.path.iter().any(|part| part == "organizationVerifiedDomainEmails")
}

impl From<Member> for Account {
    fn from(member: Member) -> Self {
        let verified = member.organization_verified_domain_emails.into_iter().next();
        Self {
            external_id: member.database_id.map_or_else(|| member.login.clone(), |id| id.to_string()),
            email: verified.or(member.email),
            display_name: member.name,
            is_bot: member.login.ends_with("[bot]"),
            username: Some(member.login),
            is_gone: false,
        }
    }
}

/// GraphQL's limit is told with status 200, the secondary one with 403 and words.
fn is_limited(reply: &Reply) -> bool {
    let Ok(body) = serde_json::from_slice::<Json>(&reply.body) else { return false };
    let is_limit = |fault: &Json| fault["type"] == "RATE_LIMITED" || fault["type"] == "RATE_LIMIT";
    let says = |text: &str| body["message"].as_str().is_some_and(|message| message.to_ascii_lowercase().contains(text));
    body["errors"].as_array().is_some_and(|errors| errors.iter().any(is_limit))
        || (reply.status == http::StatusCode::FORBIDDEN && says("rate limit"))
}
