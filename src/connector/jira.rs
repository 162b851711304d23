//! JIRA: the users of a site, Cloud or Data Center.
//!
//! Cloud shows people, apps and customers of service desks, few of them with an email. Data Center lists all users since
//! 10.3; what is before that is searched, and shows at most so many.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use http::header::AUTHORIZATION;
use serde::{Deserialize, Serialize};

use super::Account;
use super::error::{Error, ErrorKind};
use super::session::{Manners, Page, Session};
use super::settings::{BaseUrl, Fields};

const CLOUD: Manners = Manners {
    name: "Jira",
    unauthenticated: "the credential is an API token of the user whose email is `settings.email`",
    forbidden: "the user needs the global permission to browse users and groups",
    not_found: "check `settings.baseUrl`; it is the site, such as https://acme.atlassian.net",
    is_limited: |_| false,
};
const DATA_CENTER: Manners = Manners {
    name: "Jira",
    unauthenticated: "the credential is a personal access token that has not expired",
    forbidden: "the token's user needs the global permission to browse users",
    not_found: "check `settings.baseUrl`; it is where Jira's pages begin, such as https://corp.example/jira",
    is_limited: |_| false,
};

/// How many users are asked for at a time.
const PAGE: &str = "200";
/// How many users versions of Data Center show by their search, and no more.
const CAPS: [usize; 2] = [100, 1000];

/// Which Jira it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub enum JiraDeployment {
    /// Atlassian's own.
    Cloud,
    /// A server of one's own.
    DataCenter,
}

/// What to read of Jira.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct JiraSettings {
    pub(super) base_url: BaseUrl,
    deployment: JiraDeployment,
    #[serde(skip_serializing_if = "Option::is_none")]
    email: Option<String>,
    include_customers: bool,
}

impl JiraSettings {
    pub(super) fn read(fields: &mut Fields<'_>) -> Option<Self> {
        let base_url = fields.base_url(None, "https://acme.atlassian.net");
        let is_atlassian =
            base_url.as_ref().is_some_and(|base| base.is_below("atlassian.net") || base.is_host("api.atlassian.com"));
        let deployment = match fields.text("deployment").as_deref() {
            Some("CLOUD") => JiraDeployment::Cloud,
            Some("DATA_CENTER") => JiraDeployment::DataCenter,
            None if is_atlassian => JiraDeployment::Cloud,
            None => JiraDeployment::DataCenter,
            Some(_) => {
                fields.violation("deployment", "NOT_AN_OPTION", "this is CLOUD or DATA_CENTER");
                return None;
            }
        };
        let email = match deployment {
            JiraDeployment::Cloud => Some(fields.required("email", "the email of the user whose API token is used")?),
            JiraDeployment::DataCenter => {
                if fields.text("email").is_some() {
                    let message = "Data Center is asked with a personal access token alone; leave the email out";
                    fields.violation("email", "NOT_FOR_THIS", message);
                }
                None
            }
        };
        if email.as_ref().is_some_and(|email| email.contains(':')) {
            fields.violation("email", "NOT_AN_EMAIL", "an email has no `:`");
        }
        Some(Self { include_customers: fields.flag("includeCustomers", false), base_url: base_url?, deployment, email })
    }
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct CloudUser {
    account_id: String,
    #[serde(default)]
    account_type: String,
    email_address: Option<String>,
    display_name: Option<String>,
    active: bool,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct ServerUser {
    key: String,
    name: String,
    email_address: Option<String>,
    display_name: Option<String>,
    active: bool,
    #[serde(default)]
    deleted: bool,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct UserList {
    values: Vec<ServerUser>,
    #[serde(default)]
    is_last: bool,
    next_cursor: Option<String>,
}

pub(super) async fn read(settings: &JiraSettings, session: &mut Session<'_>) -> Result<(), Error> {
    let base = &settings.base_url.0;
    match &settings.email {
        Some(email) => {
            let basic = |token: &str| format!("Basic {}", STANDARD.encode(format!("{email}:{token}")));
            session.open(base, &CLOUD, AUTHORIZATION, basic)?;
            read_cloud(settings, session).await
        }
        None => {
            session.open(base, &DATA_CENTER, AUTHORIZATION, |token| format!("Bearer {token}"))?;
            read_list(session).await
        }
    }
}

/// All users of a site. Jira takes out of a page whom it does not show, so only an empty page is the last.
async fn read_cloud(settings: &JiraSettings, session: &mut Session<'_>) -> Result<(), Error> {
    let mut start = 0;
    loop {
        let query = [("startAt", start.to_string()), ("maxResults", PAGE.to_owned())];
        let query = query.each_ref().map(|(name, value)| (*name, value.as_str()));
        let url = session.url("rest/api/3/users/search", &query)?;
        let users = session.get::<Vec<CloudUser>>(&url).await?.data;
        if users.is_empty() {
            return Ok(());
        }
        start += users.len();
        // Whoever is unknown has all but that in common with others who are.
        let is_known = |user: &CloudUser| user.account_id != "unknown";
        let is_wanted =
            |user: &CloudUser| is_known(user) && (settings.include_customers || user.account_type != "customer");
        session.accounts_of(users.into_iter().map(|user| (is_wanted(&user), Account::from(user)))).await?;
    }
}

/// All users, as Data Center lists them since 10.3; of one that cannot, those that its search shows.
async fn read_list(session: &mut Session<'_>) -> Result<(), Error> {
    let mut cursor = None::<String>;
    loop {
        let mut query = vec![("maxResults", PAGE)];
        query.extend(cursor.as_deref().map(|cursor| ("cursor", cursor)));
        let url = session.url("rest/api/2/user/list", &query)?;
        let list = match session.get::<UserList>(&url).await {
            // The list itself never answers so.
            Err(error) if error.kind() == ErrorKind::NotFound && cursor.is_none() => return search(session).await,
            page => page?.data,
        };
        session.accounts(list.values.into_iter().map(Account::from).collect()).await?;
        match list.next_cursor.filter(|_| !list.is_last) {
            Some(next) => {
                session.turn(&next)?;
                cursor = Some(next);
            }
            None => return Ok(()),
        }
    }
}

async fn search(session: &mut Session<'_>) -> Result<(), Error> {
    let mut start = 0;
    loop {
        let at = start.to_string();
        let query = [("username", "."), ("includeInactive", "true"), ("startAt", &at), ("maxResults", PAGE)];
        let url = session.url("rest/api/2/user/search", &query)?;
        let Page { data: users, .. } = session.get::<Vec<ServerUser>>(&url).await?;
        if users.is_empty() {
            break;
        }
        start += users.len();
        session.accounts(users.into_iter().map(Account::from).collect()).await?;
    }
    if CAPS.contains(&session.seen()) {
        let message = format!("Jira shows {} users, which is the most that its search shows", session.seen());
        let mend = "bring Jira to 10.3 or later, which lists them all, or report them by `syncIntegrationAccounts`";
        return Err(Error::new(ErrorKind::TooLarge, message, mend));
    }
    Ok(())
}

impl From<CloudUser> for Account {
    fn from(user: CloudUser) -> Self {
        Self {
            external_id: user.account_id,
            username: None,
            email: user.email_address,
            display_name: user.display_name,
            is_bot: user.account_type == "app",
            is_gone: !user.active,
        }
    }
}

impl From<ServerUser> for Account {
    fn from(user: ServerUser) -> Self {
        Self {
            external_id: user.key,
            username: Some(user.name),
            email: user.email_address,
            display_name: user.display_name,
            is_bot: false,
            is_gone: !user.active || user.deleted,
        }
    }
}
