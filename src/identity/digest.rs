//! What an identity says of somebody, in comparable form: names as words, handles, addresses.

use super::address::{self, Address, Kind};
use super::text::{mend_encoding, spell_umlauts, squeeze, words};
use super::{Identity, generic};

/// A name as words in lower-case ASCII.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Named {
    pub(super) words: Vec<String>,
    pub(super) from: NameFrom,
}

/// Where a name was read; what is more sure comes first.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum NameFrom {
    /// A name of two words or more, as somebody wrote it.
    Full,
    /// The same in another spelling, or what stood in brackets.
    Spelling,
    /// A name of one word.
    Single,
    /// A login whose parts are told apart, such as `jane-doe` or `JaneDoe`.
    Login,
    /// The local part of an email, such as `jane.doe`.
    Local,
    /// A local part and the name of its domain, such as `jane@doe.example`.
    Domain,
}

/// A name by which somebody is known to machines, squeezed.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Handle {
    pub(super) text: String,
    pub(super) from: HandleFrom,
}

/// Where a handle was read.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum HandleFrom {
    /// The login of an account.
    Login,
    /// A forge's no-reply address.
    NoReply,
    /// The local part of an email.
    Local,
    /// A name of one word.
    Single,
    /// The domain of an email whose local part is anybody's, such as `me@doe.example`.
    Domain,
}

/// An email, as far as it is evidence.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Mail {
    pub(super) exact: String,
    pub(super) mailbox: String,
    /// The domain as registered; empty where it says nothing.
    pub(super) domain: String,
    /// Whether two who have it are one person.
    pub(super) is_own: bool,
}

/// What an identity says.
#[derive(Debug, Default)]
pub(super) struct Digest {
    pub(super) names: Vec<Named>,
    pub(super) handles: Vec<Handle>,
    pub(super) mails: Vec<Mail>,
    pub(super) accounts: Vec<(u32, u128)>,
    pub(super) is_bot: bool,
    /// Whether names were written in another script than the words they are compared by.
    pub(super) is_romanised: bool,
}

/// How many words of a name, and how many names, handles and emails of an identity are looked at. More say no more.
pub(super) const MOST_WORDS: usize = 6;
const MOST: usize = 64;

/// Reads `identity`.
pub(super) fn digest(identity: &Identity) -> Digest {
    let mut digest = Digest { is_bot: identity.is_bot, ..Digest::default() };
    for name in identity.names.iter().take(MOST) {
        digest.read_name(name);
    }
    for email in identity.emails.iter().take(MOST) {
        digest.read_email(email);
    }
    for account in identity.accounts.iter().take(MOST) {
        digest.accounts.extend(account.one_of);
        if let Some(username) = &account.username {
            digest.read_login(username);
        }
    }
    digest.names.retain(|name| !name.words.is_empty());
    digest.names.sort();
    digest.names.dedup_by(|a, b| a.words == b.words);
    digest.handles.sort();
    digest.handles.dedup_by(|a, b| a.text == b.text);
    digest.mails.sort();
    digest.mails.dedup();
    digest.accounts.sort_unstable();
    digest.accounts.dedup();
    digest
}

/// Whether a letter is a Latin one, with or without marks.
fn is_latin(letter: char) -> bool {
    matches!(letter, '\0'..='\u{24f}' | '\u{1e00}'..='\u{1eff}')
}

impl Digest {
    fn read_name(&mut self, name: &str) {
        let mended = mend_encoding(name);
        let name = mended.as_deref().unwrap_or(name).trim();
        self.is_romanised |= name.chars().any(|c| c.is_alphabetic() && !is_latin(c));
        if name.contains("[bot]") {
            self.is_bot = true;
        }
        if name.contains('@') && !name.contains(char::is_whitespace) {
            return self.read_email(name);
        }
        let (outside, inside) = unbracket(&name.replace(" '", " \"").replace("' ", "\" "));
        let name = without_channel(&outside);
        self.read_plain_name(name);
        if let Some(spelled) = spell_umlauts(name) {
            self.push_name(&spelled, false, NameFrom::Spelling);
        }
        for alias in inside {
            let words_inside = words(&alias, false);
            let last = words(name, false).pop();
            match (words_inside.len(), last) {
                (1, Some(last)) => {
                    self.push_handle(squeeze(&alias), HandleFrom::Single);
                    self.push_words(vec![words_inside[0].clone(), last], NameFrom::Spelling);
                }
                (2..=4, _) => self.push_words(words_inside, NameFrom::Spelling),
                _ => {}
            }
        }
    }

    fn read_plain_name(&mut self, name: &str) {
        if name.contains(|c: char| c.is_whitespace() || c == ',') {
            let found = proper(words(name, false));
            if found.len() > 1 {
                return self.push_words(found, NameFrom::Full);
            }
            // One word with a number beside it.
            if found.is_empty() {
                return;
            }
            return self.push_single(&found[0]);
        }
        let name = name.rsplit('\\').next().unwrap_or(name);
        let cut = words(name, true);
        if cut.len() > 1 {
            self.push_words(cut, NameFrom::Login);
        }
        self.push_single(name);
    }

    fn push_single(&mut self, name: &str) {
        let handle = squeeze(name);
        if generic::is_nobody(&handle) {
            return;
        }
        let letters = words(name, false);
        if letters.len() == 1 {
            self.push_words(letters, NameFrom::Single);
        }
        self.push_handle(handle, HandleFrom::Single);
    }

    fn read_login(&mut self, login: &str) {
        if login.contains('@') {
            return self.read_email(login);
        }
        if login.contains("[bot]") {
            self.is_bot = true;
        }
        self.push_handle(squeeze(login), HandleFrom::Login);
        self.push_name(login, true, NameFrom::Login);
    }

    fn read_email(&mut self, email: &str) {
        // A name and an email in one, as some tools were set up with.
        if let Some((name, email)) =
            email.trim().rsplit_once(char::is_whitespace).filter(|(_, last)| last.contains('@'))
        {
            if !name.contains('@') {
                self.read_name(name);
            }
            return self.read_email(email.trim_matches(['<', '>']));
        }
        let Some(address) = address::read(email) else { return };
        if address.local.contains("[bot]") {
            self.is_bot = true;
        }
        let squeezed = squeeze(&address.local);
        match address.kind {
            Kind::NoReply => {
                self.push_handle(squeezed, HandleFrom::NoReply);
                self.push_name(&address.local, true, NameFrom::Login);
            }
            Kind::Personal => {
                self.push_handle(squeezed, HandleFrom::Local);
                self.push_name(&address.local, false, NameFrom::Local);
                let mut both = words(&address.local, false);
                if both.len() == 1 && !generic::is_public(&address.domain) {
                    both.extend(words(generic::label(&address.domain), false));
                    self.push_words(both, NameFrom::Domain);
                }
            }
            Kind::Machine => {
                self.push_handle(squeezed, HandleFrom::Local);
                self.push_name(&address.local, false, NameFrom::Local);
            }
            Kind::Shared if !generic::is_public(&address.domain) && !generic::is_machine(&address.domain) => {
                let label = generic::label(&address.domain);
                self.push_handle(squeeze(label), HandleFrom::Domain);
                self.push_name(label, false, NameFrom::Domain);
            }
            Kind::Shared => {}
        }
        self.push_mail(address);
    }

    fn push_mail(&mut self, address: Address) {
        let is_own = matches!(address.kind, Kind::Personal | Kind::NoReply);
        let says_nothing = address.kind == Kind::NoReply
            || generic::is_public(&address.domain)
            || generic::is_machine(&address.domain);
        let domain = if says_nothing { String::new() } else { generic::registered(&address.domain).to_owned() };
        self.mails.push(Mail { exact: address.exact, mailbox: address.mailbox, domain, is_own });
    }

    fn push_handle(&mut self, text: String, from: HandleFrom) {
        if text.len() > 1 && text.len() <= 64 && !generic::is_nobody(&text) {
            self.handles.push(Handle { text, from });
        }
    }

    /// A name of two words or more that stands in one piece.
    fn push_name(&mut self, text: &str, camel: bool, from: NameFrom) {
        let found = words(text, camel);
        if found.len() < 2 {
            return;
        }
        // `jdoe-laptop` is `jdoe`.
        let mut own = found.clone();
        own.retain(|word| !generic::is_nobody(word));
        if own.len() < found.len() && !own.is_empty() {
            self.push_handle(own.concat(), HandleFrom::Local);
        }
        self.push_words(found, from);
    }

    fn push_words(&mut self, mut words: Vec<String>, from: NameFrom) {
        if words.iter().map(String::len).sum::<usize>() > 1 && words.iter().any(|word| !generic::is_nobody(word)) {
            words.truncate(MOST_WORDS);
            self.names.push(Named { words, from });
        }
    }
}

/// `words` without titles.
fn proper(mut words: Vec<String>) -> Vec<String> {
    words.retain(|word| !generic::is_title(word));
    words
}

/// What stands outside of brackets, and what inside.
fn unbracket(name: &str) -> (String, Vec<String>) {
    let (mut outside, mut inside) = (String::with_capacity(name.len()), Vec::new());
    let mut open: Option<(char, String)> = None;
    for c in name.chars() {
        match (&mut open, c) {
            (Some((close, text)), c) if c == *close => {
                inside.push(std::mem::take(text));
                open = None;
                outside.push(' ');
            }
            (Some((_, text)), c) => text.push(c),
            (None, '(') => open = Some((')', String::new())),
            (None, '[') => open = Some((']', String::new())),
            (None, '"') => open = Some(('"', String::new())),
            (None, c) => outside.push(c),
        }
    }
    // A bracket without an end is none.
    if let Some((_, text)) = open {
        outside.push(' ');
        outside.push_str(&text);
    }
    if outside.trim().is_empty() && !inside.is_empty() {
        return (inside.remove(0), inside);
    }
    (outside.trim().to_owned(), inside)
}

/// `name` without what says which way it came: `Jane Doe via announce-list`, `jdoe on chat`.
fn without_channel(name: &str) -> &str {
    let lower = name.to_ascii_lowercase();
    if let Some(at) = lower.find(" via ") {
        return name[..at].trim();
    }
    match lower.rfind(" on ") {
        Some(at) if !lower[at + 4..].trim().contains(' ') => name[..at].trim(),
        _ => name.trim(),
    }
}
