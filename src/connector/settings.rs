//! What an integration's settings may be, kind by kind: read once, with every mistake named by its path and its mend.

use entity::integration::IntegrationKind;
use serde::{Serialize, Serializer};
use serde_json::{Map, Value as Json};
use url::{Host, Url};

use super::Policy;
use super::error::{Error, ErrorKind};
use super::git::GitSettings;
use super::github::GitHubSettings;
use super::gitlab::GitLabSettings;
use super::harness::HarnessSettings;
use super::http::Allowed;
use super::jira::JiraSettings;
use super::slack::SlackSettings;
use crate::filter::Violation;
use crate::value::{nearest, shorten};

/// The flag that opens addresses which are not public.
const FLAG: &str = "--connector-allow";

/// What to read of which tool. Written as JSON, it is what `parse` reads.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(untagged)]
pub enum Settings {
    /// The members of an organisation.
    GitHub(GitHubSettings),
    /// The users of a site.
    Jira(JiraSettings),
    /// The members of a workspace.
    Slack(SlackSettings),
    /// The users of an account.
    Harness(HarnessSettings),
    /// The users of a server, or the members of a group.
    GitLab(GitLabSettings),
    /// The authors and committers of a repository.
    Git(GitSettings),
}

impl Settings {
    /// Reads the settings of an integration of this kind.
    ///
    /// # Errors
    /// Every mistake, with its path and what would be right.
    pub fn parse(kind: IntegrationKind, settings: &Json, policy: &Policy) -> Result<Self, Vec<Violation>> {
        let empty = Map::new();
        let object = match settings {
            Json::Object(object) => object,
            Json::Null => &empty,
            _ => {
                let message = "settings are an object, such as {\"organization\": \"acme\"}";
                return Err(vec![Violation::new("settings", "NOT_AN_OBJECT", message)]);
            }
        };
        let mut fields =
            Fields { object, known: Vec::new(), violations: Vec::new(), allowed: Allowed::new(&policy.allowed_hosts) };
        let read = match kind {
            IntegrationKind::GitHub => GitHubSettings::read(&mut fields).map(Self::GitHub),
            IntegrationKind::Jira => JiraSettings::read(&mut fields).map(Self::Jira),
            IntegrationKind::Slack => SlackSettings::read(&mut fields).map(Self::Slack),
            IntegrationKind::Harness => HarnessSettings::read(&mut fields).map(Self::Harness),
            IntegrationKind::GitLab => GitLabSettings::read(&mut fields).map(Self::GitLab),
            IntegrationKind::Git => GitSettings::read(&mut fields, policy).map(Self::Git),
            IntegrationKind::Bitbucket
            | IntegrationKind::AzureDevOps
            | IntegrationKind::PagerDuty
            | IntegrationKind::ServiceNow
            | IntegrationKind::Other => {
                let message = "accounts of this kind are not fetched; report them by `syncIntegrationAccounts`, and leave \
                               the settings out";
                return Err(vec![Violation::new("settings", "NO_CONNECTOR", message)]);
            }
        };
        fields.refuse_unknown();
        match read {
            Some(settings) if fields.violations.is_empty() => Ok(settings),
            _ => Err(fields.violations),
        }
    }

    /// Whether the tool is asked with a credential.
    #[must_use]
    pub fn needs_credential(&self) -> bool {
        !matches!(self, Self::Git(_))
    }

    /// The host of the tool; none where it is this machine's disk.
    #[must_use]
    pub fn host(&self) -> Option<&str> {
        let base = match self {
            Self::GitHub(settings) => &settings.base_url,
            Self::Jira(settings) => &settings.base_url,
            Self::Slack(settings) => &settings.base_url,
            Self::Harness(settings) => &settings.base_url,
            Self::GitLab(settings) => &settings.base_url,
            Self::Git(_) => return None,
        };
        base.0.host_str()
    }
}

/// Where a tool's API is: an address without a user, a query or a fragment.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct BaseUrl(pub(super) Url);

impl Serialize for BaseUrl {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.0.as_str().trim_end_matches('/'))
    }
}

impl BaseUrl {
    pub(super) fn is_host(&self, host: &str) -> bool {
        self.0.host_str() == Some(host)
    }

    pub(super) fn is_below(&self, domain: &str) -> bool {
        self.0.host_str().and_then(|host| host.strip_suffix(domain)).is_some_and(|host| host.ends_with('.'))
    }
}

/// The members of the settings, and what is wrong with them.
pub(super) struct Fields<'a> {
    object: &'a Map<String, Json>,
    known: Vec<&'static str>,
    violations: Vec<Violation>,
    allowed: Allowed,
}

impl<'a> Fields<'a> {
    pub(super) fn violation(&mut self, name: &str, code: &'static str, message: impl Into<String>) {
        self.violations.push(Violation::new(format!("settings.{name}"), code, message));
    }

    fn get(&mut self, name: &'static str) -> Option<&'a Json> {
        self.known.push(name);
        self.object.get(name).filter(|value| !value.is_null())
    }

    /// A text, trimmed; one with nothing in it is none.
    pub(super) fn text(&mut self, name: &'static str) -> Option<String> {
        match self.get(name)? {
            Json::String(text) if text.trim().is_empty() => None,
            Json::String(text) if text.len() > 500 || text.chars().any(char::is_control) => {
                self.violation(name, "NOT_A_NAME", "this has at most 500 bytes, and no control characters");
                None
            }
            Json::String(text) => Some(text.trim().to_owned()),
            _ => {
                self.violation(name, "NOT_TEXT", "this is a text");
                None
            }
        }
    }

    /// A text that must be there; `what` says what it is.
    pub(super) fn required(&mut self, name: &'static str, what: &str) -> Option<String> {
        let before = self.violations.len();
        let text = self.text(name);
        if text.is_none() && self.violations.len() == before {
            self.violation(name, "REQUIRED", format!("this is {what}"));
        }
        text
    }

    pub(super) fn flag(&mut self, name: &'static str, default: bool) -> bool {
        match self.get(name) {
            None => default,
            Some(Json::Bool(flag)) => *flag,
            Some(_) => {
                self.violation(name, "NOT_A_BOOLEAN", "this is true or false");
                default
            }
        }
    }

    /// The address of the tool; without one, `default`.
    pub(super) fn base_url(&mut self, default: Option<&str>, example: &str) -> Option<BaseUrl> {
        let name = "baseUrl";
        let text = match default {
            Some(default) => self.text(name).unwrap_or_else(|| default.to_owned()),
            None => self.required(name, &format!("the address of the tool, such as {example}"))?,
        };
        let Some(mut url) =
            Url::parse(&text).ok().filter(|url| url.has_host() && matches!(url.scheme(), "https" | "http"))
        else {
            let message = format!("`{}` is no address; write it in full, such as {example}", shorten(&text));
            self.violation(name, "NOT_A_URL", message);
            return None;
        };
        if !url.username().is_empty() || url.password().is_some() || url.query().is_some() || url.fragment().is_some() {
            let message = "an address has no user, `?` or `#` here; what the tool is asked with is the credential";
            self.violation(name, "NOT_A_URL", message);
            return None;
        }
        if !self.allowed.url(&url) || !is_scheme_allowed(&url, &self.allowed) {
            let error = not_public(&url);
            self.violation(name, "ADDRESS_REFUSED", format!("{}; {}", error.message(), error.mend()));
            return None;
        }
        let path = url.path().trim_end_matches('/').to_owned();
        url.set_path(&path);
        Some(BaseUrl(url))
    }

    fn refuse_unknown(&mut self) {
        for name in self.object.keys() {
            if self.known.contains(&name.as_str()) {
                continue;
            }
            let hint = match nearest(name, self.known.iter().copied()) {
                Some(nearest) => format!("; `{nearest}` is one"),
                None => format!("; there are `{}`", self.known.join("`, `")),
            };
            let path = format!("settings.{}", shorten(name));
            self.violations.push(Violation::new(path, "UNKNOWN_SETTING", format!("there is no such setting{hint}")));
        }
    }
}

/// Whether a URL's scheme may be used: plain HTTP is for hosts that the policy opens.
pub(super) fn is_scheme_allowed(url: &Url, allowed: &Allowed) -> bool {
    let host = match url.host() {
        Some(Host::Domain(name)) => Host::Domain(name),
        Some(Host::Ipv4(address)) => Host::Ipv4(address),
        Some(Host::Ipv6(address)) => Host::Ipv6(address),
        None => return false,
    };
    url.scheme() == "https" || allowed.opens(&host)
}

/// That an address may not be asked.
pub(super) fn not_public(url: &Url) -> Error {
    let host = shorten(url.host_str().unwrap_or_default());
    let message = if url.scheme() == "http" {
        format!("`{host}` is not asked by plain HTTP, or at an address that is not public")
    } else {
        format!("`{host}` is not a public address")
    };
    let mend =
        format!("write https:// and a public host, or start the server with `{FLAG} {host}` if this one is meant");
    Error::new(ErrorKind::AddressRefused, message, mend)
}
