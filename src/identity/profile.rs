//! An identity as a book keeps it: its digest, with each text as a symbol.

use super::digest::{Digest, HandleFrom, NameFrom};
use super::handle::made_of;
use super::name::Frequency;
use super::symbols::{Symbol, Symbols};

/// An identity as a book keeps it.
#[derive(Debug)]
pub(super) struct Profile {
    words: Box<[Symbol]>,
    names: Box<[Span]>,
    pub(super) handles: Box<[(Symbol, HandleFrom)]>,
    /// Handles that are not made of its own full names, which say something of their own.
    pub(super) own_handles: Box<[Symbol]>,
    pub(super) mails: Box<[Mail]>,
    pub(super) accounts: Box<[(u32, u128)]>,
    pub(super) is_bot: bool,
    pub(super) is_romanised: bool,
}

/// Which of the words are one name.
#[derive(Clone, Copy, Debug)]
struct Span {
    start: u16,
    len: u8,
    from: NameFrom,
}

/// A name of a profile.
#[derive(Clone, Copy, Debug)]
pub(super) struct Name<'a> {
    pub(super) words: &'a [Symbol],
    pub(super) from: NameFrom,
}

/// An email of a profile.
#[derive(Clone, Copy, Debug)]
pub(super) struct Mail {
    pub(super) exact: Symbol,
    pub(super) mailbox: Symbol,
    /// `None` where the domain says nothing.
    pub(super) domain: Option<Symbol>,
    pub(super) is_own: bool,
}

impl Profile {
    pub(super) fn new(digest: &Digest, symbols: &mut Symbols) -> Self {
        let (mut words, mut names) = (Vec::new(), Vec::new());
        for name in &digest.names {
            names.push(Span {
                start: u16::try_from(words.len()).unwrap_or(u16::MAX),
                len: u8::try_from(name.words.len()).unwrap_or(u8::MAX),
                from: name.from,
            });
            words.extend(name.words.iter().map(|word| symbols.keep(word)));
        }
        let handles: Box<[_]> = digest.handles.iter().map(|handle| (symbols.keep(&handle.text), handle.from)).collect();
        let is_made = |handle: &str| {
            let full = digest.names.iter().filter(|name| name.from <= NameFrom::Spelling);
            full.into_iter().any(|name| {
                let words: Vec<Symbol> = name.words.iter().filter_map(|word| symbols.find(word)).collect();
                made_of(Frequency { symbols, names: 0 }, handle, &words).is_some()
            })
        };
        let own = digest.handles.iter().zip(&handles).filter(|(handle, _)| !is_made(&handle.text));
        let own_handles = own.map(|(_, (symbol, _))| *symbol).collect();
        let mails = digest
            .mails
            .iter()
            .map(|mail| Mail {
                exact: symbols.keep(&mail.exact),
                mailbox: symbols.keep(&mail.mailbox),
                domain: (!mail.domain.is_empty()).then(|| symbols.keep(&mail.domain)),
                is_own: mail.is_own,
            })
            .collect();
        Self {
            words: words.into(),
            names: names.into(),
            handles,
            own_handles,
            mails,
            accounts: digest.accounts.as_slice().into(),
            is_bot: digest.is_bot,
            is_romanised: digest.is_romanised,
        }
    }

    /// Gives back what it kept.
    pub(super) fn release(&self, symbols: &mut Symbols) {
        let mails = self.mails.iter().flat_map(|mail| [Some(mail.exact), Some(mail.mailbox), mail.domain]);
        let handles = self.handles.iter().map(|(handle, _)| *handle);
        for symbol in self.words.iter().copied().chain(handles).chain(mails.flatten()) {
            symbols.drop(symbol);
        }
    }

    pub(super) fn names(&self) -> impl Iterator<Item = Name<'_>> {
        self.names.iter().map(|span| {
            let start = usize::from(span.start);
            Name { words: &self.words[start..start + usize::from(span.len)], from: span.from }
        })
    }

    /// Its names of two words or more, as somebody wrote them.
    pub(super) fn full_names(&self) -> impl Iterator<Item = &[Symbol]> {
        self.names().filter(|name| name.from <= NameFrom::Spelling).map(|name| name.words)
    }

    /// Whether a full name of it begins with `word`.
    pub(super) fn has_given(&self, word: Symbol) -> bool {
        self.names().any(|name| name.from == NameFrom::Full && name.words[0] == word)
    }

    /// Whether both have accounts in one integration, and not the same.
    pub(super) fn excludes(&self, other: &Profile) -> bool {
        let is_same = |integration: u32| {
            let theirs = other.accounts.iter().filter(move |(there, _)| *there == integration);
            let mut both = theirs.map(|account| self.accounts.contains(account)).peekable();
            both.peek().is_none() || both.any(|is_same| is_same)
        };
        !self.accounts.iter().all(|(integration, _)| is_same(*integration))
    }
}
