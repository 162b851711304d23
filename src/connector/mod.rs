//! CONNECTORS. Reads the accounts of a tool: who has one, by what name and email, whether it is a bot's or gone.
//!
//! One file a tool, which knows its addresses, its pages and its errors; `http` is the one way out: it holds every request
//! to the policy (addresses, time, size, waiting). `settings` says what an integration's settings may be. What does not
//! live here: when to read, what becomes of the accounts, where credentials are kept. Nothing here knows the directory.

mod error;
mod git;
mod github;
mod gitlab;
mod harness;
mod http;
mod jira;
mod session;
mod settings;
mod slack;

use std::path::PathBuf;
use std::time::Duration;

pub use error::{Error, ErrorKind};
pub use git::GitSettings;
pub use github::GitHubSettings;
pub use gitlab::GitLabSettings;
pub use harness::HarnessSettings;
pub use http::Client;
pub use jira::{JiraDeployment, JiraSettings};
pub use settings::Settings;
pub use slack::SlackSettings;
use tokio::sync::mpsc;

use session::Session;

/// An account as a tool has it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Account {
    /// The tool's own key for it, which stays when its owner takes another name.
    pub external_id: String,
    /// The login, where the tool has logins.
    pub username: Option<String>,
    /// The email, where the tool shows it.
    pub email: Option<String>,
    /// The name that the tool shows.
    pub display_name: Option<String>,
    /// Whether a program uses it.
    pub is_bot: bool,
    /// Whether it is deactivated in the tool.
    pub is_gone: bool,
}

/// What a tool is asked with: a token, or a password. It is sent to the tool alone, and shown nowhere.
#[derive(Clone, PartialEq, Eq)]
pub struct Credential(String);

impl Credential {
    /// A secret; blanks around it are no part of it.
    #[must_use]
    pub fn new(secret: String) -> Self {
        let trimmed = secret.trim();
        if trimmed.len() == secret.len() { Self(secret) } else { Self(trimmed.to_owned()) }
    }

    fn expose(&self) -> &str {
        &self.0
    }
}

impl std::fmt::Debug for Credential {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("…")
    }
}

/// What connectors may reach, and how long and how much they may take.
#[derive(Clone, Debug)]
pub struct Policy {
    /// Hosts, addresses and networks (`10.2.0.0/16`) that may be asked although they are not public. Plain HTTP is for
    /// these alone.
    pub allowed_hosts: Vec<String>,
    /// The folder below which GIT may read repositories; without it, none.
    pub repositories: Option<PathBuf>,
    /// How long a connection may take to be made.
    pub connect_timeout: Duration,
    /// How long a reply may make no progress.
    pub silence_timeout: Duration,
    /// How long a request may take, with its reply.
    pub request_timeout: Duration,
    /// The largest reply.
    pub max_reply: usize,
    /// The most replies of one reading.
    pub max_pages: u32,
    /// How long one reading may wait in all: for rate limits, and before it tries again.
    pub max_waiting: Duration,
    /// How long to wait before the first retry; each further wait is twice as long.
    pub first_backoff: Duration,
    /// How long `git` may run.
    pub git_timeout: Duration,
}

impl Default for Policy {
    fn default() -> Self {
        Self {
            allowed_hosts: Vec::new(),
            repositories: None,
            connect_timeout: Duration::from_secs(5),
            silence_timeout: Duration::from_secs(10),
            request_timeout: Duration::from_secs(30),
            max_reply: 4 << 20,
            max_pages: 20_000,
            max_waiting: Duration::from_mins(15),
            first_backoff: Duration::from_millis(500),
            git_timeout: Duration::from_mins(30),
        }
    }
}

/// What a reading tells while it is under way.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Event {
    /// Accounts that were read, each once in a reading.
    Accounts(Vec<Account>),
    /// The tool is asked again after a while.
    Waiting {
        /// After how long.
        for_: Duration,
        /// Why, in words.
        why: String,
    },
    /// How many accounts the tool says it has.
    Total(u64),
}

/// What a reading came to.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Outcome {
    /// Whether accounts that were not told are gone.
    pub is_full: bool,
    /// Where to go on next time.
    pub cursor: Option<String>,
    /// How often it waited.
    pub waits: u32,
    /// How many requests it sent.
    pub requests: u32,
}

/// Reads the accounts of the tool that `settings` name, and tells them as they come. With the cursor of an earlier
/// reading, only what is new since, where the tool allows it.
///
/// # Errors
/// Whatever the tool, the network or the policy has against it, with the mend.
pub async fn read(
    client: &Client,
    settings: &Settings,
    credential: Option<&Credential>,
    cursor: Option<&str>,
    tell: &mpsc::Sender<Event>,
) -> Result<Outcome, Error> {
    let mut session = Session::new(client, credential, tell);
    match settings {
        Settings::GitHub(settings) => github::read(settings, &mut session).await?,
        Settings::Jira(settings) => jira::read(settings, &mut session).await?,
        Settings::Slack(settings) => slack::read(settings, &mut session).await?,
        Settings::Harness(settings) => harness::read(settings, &mut session).await?,
        Settings::GitLab(settings) => gitlab::read(settings, &mut session).await?,
        Settings::Git(settings) => {
            let (cursor, is_full) = git::read(settings, cursor, &mut session).await?;
            return Ok(session.finish_at(cursor.into_text(), is_full));
        }
    }
    session.finish()
}

#[cfg(test)]
mod tests;
