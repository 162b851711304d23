//! GIT: the authors and committers of a local repository, as its `.mailmap` names them. No network.
//!
//! `repository` finds it and reads what it points to, `log` has `git` read the commits. An account is an email; commits
//! without one count by the name. A reading goes on from the heads that it came to, unless the mailmap has changed.

mod log;
mod repository;

use std::collections::HashMap;
use std::sync::Arc;

use serde::Serialize;
use tokio::task::spawn_blocking;

use self::log::Ident;
use self::repository::Repository;
use super::error::{Error, ErrorKind};
use super::session::Session;
use super::settings::Fields;
use super::{Account, Policy};
use crate::value::{Email, hex, nfc, shorten};

/// How many heads a cursor has at most. One that is left out is read again, and changes nothing.
const HEADS: usize = 500;
/// How many accounts are told at a time.
const BATCH: usize = 1_000;
/// The most accounts of a repository.
const ACCOUNTS: usize = 1_000_000;
/// The longest id, in bytes.
const LONGEST: usize = 400;

/// What to read of git.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct GitSettings {
    repository: String,
    include_committers: bool,
}

impl GitSettings {
    pub(super) fn read(fields: &mut Fields<'_>, policy: &Policy) -> Option<Self> {
        let what = "the path of a repository below the server's folder of repositories, such as platform/api.git";
        let repository = fields.required("repository", what);
        let include_committers = fields.flag("includeCommitters", true);
        let repository = repository?;
        if repository::parts(&repository).is_none() {
            let message = format!("`{}` leads out of the folder of repositories; this is {what}", shorten(&repository));
            fields.violation("repository", "PATH_REFUSED", message);
        }
        if policy.repositories.is_none() {
            let message = "this server reads no repositories; start it with `--repositories FOLDER`";
            fields.violation("repository", "NO_REPOSITORIES", message);
        }
        Some(Self { repository, include_committers })
    }
}

pub(super) async fn read(
    settings: &GitSettings,
    cursor: Option<&str>,
    session: &mut Session<'_>,
) -> Result<(Cursor, bool), Error> {
    let policy = session.client.policy().clone();
    let Some(folder) = policy.repositories.clone() else {
        let mend = "start the server with `--repositories FOLDER`";
        return Err(Error::new(ErrorKind::Repository, "this server reads no repositories", mend));
    };
    let name = settings.repository.clone();
    let opened = spawn_blocking(move || Repository::open(&folder, &name)).await;
    let stopped = |_| Error::new(ErrorKind::Stopped, "the reading was stopped", "");
    let repository = Arc::new(opened.map_err(stopped)??);
    let mailmap = log::mailmap(&repository, policy.git_timeout).await?;
    let here = Cursor { mailmap, heads: repository.heads.iter().take(HEADS).cloned().collect() };
    let before = cursor.and_then(Cursor::parse).filter(|before| before.mailmap == here.mailmap);
    let seen = before.map(|before| before.heads).unwrap_or_default();
    let mut people = People { with_committers: settings.include_committers, ..People::default() };
    let mut is_full = seen.is_empty();
    match log::read(&repository, &seen, policy.git_timeout, |line| people.take(line)).await {
        // The heads of then may be gone for good, such as those of a branch that was written anew.
        Err(_) if !is_full => {
            people.accounts.clear();
            is_full = true;
            log::read(&repository, &[], policy.git_timeout, |line| people.take(line)).await?;
        }
        done => done?,
    }
    let mut accounts: Vec<Account> = people.accounts.into_values().collect();
    accounts.sort_by(|a, b| a.external_id.cmp(&b.external_id));
    session.total(accounts.len() as u64).await?;
    while !accounts.is_empty() {
        let rest = accounts.split_off(accounts.len().min(BATCH));
        session.accounts(std::mem::replace(&mut accounts, rest)).await?;
    }
    Ok((here, is_full))
}

/// Where a reading came to.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Cursor {
    /// The id of the `.mailmap`, or `-`.
    mailmap: String,
    heads: Vec<String>,
}

impl Cursor {
    /// Reads a cursor; what is none makes the next reading a full one.
    fn parse(text: &str) -> Option<Self> {
        let mut words = text.split(' ').map(str::to_owned);
        let mailmap = words.next().filter(|word| word == "-" || repository::is_id(word))?;
        let heads: Vec<String> = words.collect();
        (!heads.is_empty() && heads.iter().all(|head| repository::is_id(head))).then_some(Self { mailmap, heads })
    }

    pub(super) fn into_text(self) -> String {
        format!("{} {}", self.mailmap, self.heads.join(" "))
    }
}

/// Those who wrote commits; the newest commit says what their names are.
#[derive(Default)]
struct People {
    with_committers: bool,
    accounts: HashMap<String, Account>,
}

impl People {
    fn take(&mut self, idents: [Ident<'_>; 2]) -> Result<(), Error> {
        let wanted = if self.with_committers { 2 } else { 1 };
        for ident in idents.into_iter().take(wanted) {
            let Some(account) = account(&ident) else { continue };
            self.accounts.entry(account.external_id.clone()).or_insert(account);
        }
        if self.accounts.len() > ACCOUNTS {
            let message = format!("the repository has more than {ACCOUNTS} authors");
            return Err(Error::new(ErrorKind::TooLarge, message, "give it a `.mailmap`"));
        }
        Ok(())
    }
}

/// The account that a name and an email in a commit stand for; nothing where there is neither.
fn account(ident: &Ident<'_>) -> Option<Account> {
    let clean = |bytes: &[u8]| {
        let text: String = String::from_utf8_lossy(bytes).chars().filter(|c| !c.is_control()).collect();
        Some(nfc(text.trim())).filter(|text| !text.is_empty())
    };
    let (name, written) = (clean(ident.name), clean(ident.email));
    let email = written.as_deref().and_then(|email| Email::parse(email).ok()).map(Email::into_string);
    let id = email.clone().or_else(|| written.map(|written| written.to_lowercase())).or_else(|| name.clone())?;
    let is_bot = |text: &str| text.to_ascii_lowercase().contains("[bot]");
    // What GitHub itself commits, for whoever presses a button there.
    let is_bot = is_bot(&id) || name.as_deref().is_some_and(is_bot) || id == "noreply@github.com";
    Some(Account { external_id: shortened(id), username: None, email, display_name: name, is_bot, is_gone: false })
}

/// An id that is too long, cut, with a hash of the whole.
fn shortened(id: String) -> String {
    use sha2::{Digest, Sha256};
    if id.len() <= LONGEST {
        return id;
    }
    let hash = hex(&Sha256::digest(&id)[..8]);
    let end = (0..=LONGEST).rev().find(|at| id.is_char_boundary(*at)).unwrap_or(0);
    format!("{}…{hash}", &id[..end])
}

#[cfg(test)]
mod tests;
