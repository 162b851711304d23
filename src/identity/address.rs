//! An email as evidence: whose it can be, and what it says beside that.

use super::generic;
use super::text::squeeze;
use crate::value::Email;

/// An email, taken apart.
pub(super) struct Address {
    /// What makes two emails one: the normal form; without plus-tag, and at Gmail without dots, in `mailbox`.
    pub(super) exact: String,
    /// The mailbox that it arrives in.
    pub(super) mailbox: String,
    /// What stands before the `@`, without a plus-tag; of a forge's no-reply address the login.
    pub(super) local: String,
    /// What stands after the `@`.
    pub(super) domain: String,
    pub(super) kind: Kind,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    /// One person's, as far as one can see.
    Personal,
    /// The one that a forge (GitHub, GitLab and others) gives to one of its users.
    NoReply,
    /// A task's, a list's, or whoever's.
    Shared,
    /// One that only one machine knows, or none at all.
    Machine,
}

/// Takes apart what stands where an email should; `None` if it is blank.
pub(super) fn read(text: &str) -> Option<Address> {
    let text = text.trim();
    if text.is_empty() {
        return None;
    }
    let parsed = Email::parse(text);
    let is_email = parsed.is_ok();
    let exact = parsed.map_or_else(|_| text.to_lowercase(), Email::into_string);
    // Its own case tells where the words of a local part begin.
    let (local, _) = text.rsplit_once('@').unwrap_or((text, ""));
    let domain = exact.rsplit_once('@').map_or("", |(_, domain)| domain).to_owned();
    if let Some(login) = no_reply(local, &domain) {
        let (id, login) = login;
        let forge = domain.trim_start_matches("users.").trim_start_matches("noreply.");
        let mailbox = match id {
            Some(id) => format!("{id}#{forge}"),
            None => format!("{}@{forge}", login.to_lowercase()),
        };
        return Some(Address { exact, mailbox, local: login.to_owned(), domain, kind: Kind::NoReply });
    }
    let untagged = match local.find('+') {
        Some(at) if at > 0 => &local[..at],
        _ => local,
    };
    let kind = if generic::is_nobody(&squeeze(untagged)) {
        // `me@` at somebody's own domain is somebody's, yet who could tell.
        Kind::Shared
    } else if !is_email || generic::is_machine(&domain) {
        Kind::Machine
    } else {
        Kind::Personal
    };
    let lower = untagged.to_lowercase();
    let mailbox = match domain.as_str() {
        "gmail.com" | "googlemail.com" => format!("{}@gmail.com", lower.replace('.', "")),
        _ => format!("{lower}@{domain}"),
    };
    Some(Address { exact, mailbox, local: untagged.to_owned(), domain, kind })
}

/// The number and login that a forge's no-reply address carries.
fn no_reply<'a>(local: &'a str, domain: &str) -> Option<(Option<&'a str>, &'a str)> {
    if !(domain.starts_with("users.noreply.") || domain.starts_with("noreply.")) {
        return None;
    }
    let numbered = local
        .split_once(['+', '-'])
        .filter(|(id, login)| !login.is_empty() && !id.is_empty() && id.bytes().all(|b| b.is_ascii_digit()));
    let (id, login) = match numbered {
        Some((id, login)) => (Some(id), login),
        None => (None, local),
    };
    (!generic::is_nobody(&squeeze(login))).then_some((id, login))
}
