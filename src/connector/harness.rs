//! HARNESS: the users of an account, by the platform's API.

use http::HeaderName;
use serde::{Deserialize, Serialize};
use serde_json::json;

use super::Account;
use super::error::{Error, ErrorKind};
use super::session::{Manners, Session};
use super::settings::{BaseUrl, Fields};

const MANNERS: Manners = Manners {
    name: "Harness",
    unauthenticated: "set an API key (pat.… or sat.…) of this account that has not expired",
    forbidden: "the API key's owner needs the permission to view users of the account (core_user_view)",
    not_found: "check `settings.baseUrl` and `settings.accountId`",
    is_limited: |_| false,
};

/// How many users are asked for at a time.
const PAGE: &str = "100";

/// What to read of Harness.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct HarnessSettings {
    account_id: String,
    pub(super) base_url: BaseUrl,
}

impl HarnessSettings {
    pub(super) fn read(fields: &mut Fields<'_>) -> Option<Self> {
        let base_url = fields.base_url(Some("https://app.harness.io"), "https://app.harness.io");
        let account_id = fields.required("accountId", "the account's id, which stands in Harness's addresses")?;
        if !account_id.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-_".contains(&byte)) {
            fields.violation("accountId", "NOT_A_NAME", "an account's id has letters, digits, `-` and `_`");
        }
        Some(Self { account_id, base_url: base_url? })
    }
}

#[derive(Deserialize)]
struct Answer {
    status: String,
    data: Option<Users>,
    #[serde(default)]
    message: String,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Users {
    total_pages: u64,
    total_items: Option<u64>,
    content: Vec<Aggregate>,
}

#[derive(Deserialize)]
struct Aggregate {
    user: User,
}

#[derive(Deserialize)]
struct User {
    uuid: String,
    name: Option<String>,
    email: Option<String>,
    #[serde(default)]
    disabled: bool,
}

pub(super) async fn read(settings: &HarnessSettings, session: &mut Session<'_>) -> Result<(), Error> {
    let header = HeaderName::from_static("x-api-key");
    session.open(&settings.base_url.0, &MANNERS, header, str::to_owned)?;
    let mut index = 0;
    loop {
        let at = index.to_string();
        let query = [("accountIdentifier", settings.account_id.as_str()), ("pageIndex", &at), ("pageSize", PAGE)];
        let url = session.url("ng/api/user/aggregate", &query)?;
        // An empty filter is everybody.
        let answer = session.post::<Answer>(&url, &json!({})).await?.data;
        let (Some(users), "SUCCESS") = (answer.data, answer.status.as_str()) else {
            let message =
                format!("Harness answers {}: {}", session.scrub(&answer.status), session.scrub(&answer.message));
            return Err(Error::new(ErrorKind::Refused, message, "check the settings").at(&http::Method::POST, &url));
        };
        if let (0, Some(total)) = (index, users.total_items) {
            session.total(total).await?;
        }
        let is_empty = users.content.is_empty();
        session.accounts(users.content.into_iter().map(|aggregate| Account::from(aggregate.user)).collect()).await?;
        index += 1;
        if is_empty || index >= users.total_pages {
            return Ok(());
        }
    }
}

impl From<User> for Account {
    fn from(user: User) -> Self {
        Self {
            external_id: user.uuid,
            username: None,
            email: user.email,
            display_name: user.name,
            is_bot: false,
            is_gone: user.disabled,
        }
    }
}
