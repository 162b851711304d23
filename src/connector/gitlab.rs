//! GITLAB: the users of a server, or the members of a group and of those above it.
//!
//! Users are paged by key where the server can, members by number; the `Link` header leads from page to page either way.

use http::HeaderName;
use serde::{Deserialize, Serialize};
use url::Url;

use super::Account;
use super::error::Error;
use super::http::Reply;
use super::session::{Manners, Session};
use super::settings::{BaseUrl, Fields};

const MANNERS: Manners = Manners {
    name: "GitLab",
    unauthenticated: "set an access token that has not expired",
    forbidden: "the token needs the scope read_api",
    not_found: "check `settings.group` and `settings.baseUrl`, and that the token may see the group",
    is_limited: |_| false,
};

/// What to read of GitLab.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct GitLabSettings {
    #[serde(skip_serializing_if = "Option::is_none")]
    group: Option<String>,
    pub(super) base_url: BaseUrl,
}

impl GitLabSettings {
    pub(super) fn read(fields: &mut Fields<'_>) -> Option<Self> {
        let base_url = fields.base_url(Some("https://gitlab.com"), "https://gitlab.com");
        let group = fields.text("group").map(|group| group.trim_matches('/').to_owned());
        if group.is_none() && base_url.as_ref().is_some_and(|base| base.is_host("gitlab.com")) {
            let message =
                "gitlab.com has everybody's users; name the group whose members to read, such as acme/platform";
            fields.violation("group", "REQUIRED", message);
        }
        if group
            .as_ref()
            .is_some_and(|group| group.split('/').any(|part| part.is_empty() || part == "." || part == ".."))
        {
            fields.violation("group", "NOT_A_NAME", "this is a group's path, such as acme/platform, or its number");
        }
        Some(Self { group, base_url: base_url? })
    }
}

/// A user, or a member: what both have, and what only some may see.
#[derive(Deserialize)]
struct User {
    id: u64,
    username: String,
    name: Option<String>,
    #[serde(default)]
    state: String,
    bot: Option<bool>,
    email: Option<String>,
    public_email: Option<String>,
}

pub(super) async fn read(settings: &GitLabSettings, session: &mut Session<'_>) -> Result<(), Error> {
    session.open(&settings.base_url.0, &MANNERS, HeaderName::from_static("private-token"), str::to_owned)?;
    let mut url = settings.first(session)?;
    loop {
        let page = session.get::<Vec<User>>(&url).await?;
        if let Some(total) = page.reply.header("x-total").and_then(|total| total.parse().ok())
            && session.seen() == 0
        {
            session.total(total).await?;
        }
        let is_empty = page.data.is_empty();
        session.accounts(page.data.into_iter().map(Account::from).collect()).await?;
        match next(&url, &page.reply) {
            Some(link) if !is_empty => url = session.follow(&url, &link)?,
            _ => return Ok(()),
        }
    }
}

impl GitLabSettings {
    fn first(&self, session: &Session<'_>) -> Result<Url, Error> {
        let Some(group) = &self.group else {
            let by_key = [("pagination", "keyset"), ("order_by", "id"), ("sort", "asc")];
            let query = [by_key.as_slice(), &[("per_page", "100"), ("exclude_internal", "true")]].concat();
            return session.url("api/v4/users", &query);
        };
        // In the path the group is one part, whatever it has in it.
        let mut url = session.url("api/v4/groups/", &[])?;
        if let Ok(mut parts) = url.path_segments_mut() {
            parts.pop_if_empty().extend([group, "members", "all"]);
        }
        url.query_pairs_mut().append_pair("per_page", "100");
        Ok(url)
    }
}

/// The next page: what the reply links to, else the page whose number it gives.
fn next(url: &Url, reply: &Reply) -> Option<String> {
    reply.next_link().or_else(|| {
        let number = reply.header("x-next-page").filter(|number| !number.is_empty())?;
        let mut next = url.clone();
        let others = url.query_pairs().filter(|(name, _)| name != "page");
        next.query_pairs_mut().clear().extend_pairs(others).append_pair("page", number);
        Some(next.into())
    })
}

impl From<User> for Account {
    fn from(user: User) -> Self {
        let email = user.email.filter(|email| !email.is_empty()).or(user.public_email);
        Self {
            external_id: user.id.to_string(),
            is_bot: user.bot.unwrap_or_else(|| is_token(&user.username)),
            username: Some(user.username),
            email,
            display_name: user.name,
            is_gone: !matches!(user.state.as_str(), "active" | ""),
        }
    }
}

/// Whether a login is one that GitLab makes for the token of a project or a group, or for a service account.
fn is_token(login: &str) -> bool {
    let of_token = ["project_", "group_"].iter().any(|kind| {
        let Some((number, rest)) = login.strip_prefix(kind).and_then(|rest| rest.split_once('_')) else { return false };
        number.bytes().all(|byte| byte.is_ascii_digit()) && (rest == "bot" || rest.starts_with("bot_"))
    });
    of_token || login.starts_with("service_account_")
}
