//! How many people a handle, an email or a name seems to be of, going by all who have it.

use super::book::Book;
use super::keys;
use super::profile::Profile;
use super::symbols::Symbol;
use super::weigh::Scale;

/// Of more holders than a block may have.
const MANY: usize = usize::MAX;

impl<K: Copy + Ord> Scale<'_, K> {
    /// How many people have the handle, as far as full names tell.
    pub(super) fn holders_of_handle(&self, handle: Symbol) -> usize {
        self.holders(
            handle,
            false,
            |book| keys::of_text(book.symbols.text(handle)),
            |profile| profile.handles.iter().any(|(other, _)| *other == handle),
        )
    }

    /// How many people have the mailbox, as far as full names tell.
    pub(super) fn holders_of_mail(&self, mailbox: Symbol) -> usize {
        self.holders(
            mailbox,
            true,
            |book| keys::of_mail(book.symbols.text(mailbox)),
            |profile| profile.mails.iter().any(|mail| mail.mailbox == mailbox),
        )
    }

    fn holders(
        &self,
        symbol: Symbol,
        is_mail: bool,
        key: impl Fn(&Book<K>) -> keys::Key,
        has: impl Fn(&Profile) -> bool,
    ) -> usize {
        if let Some(known) = self.holders.borrow().get(&(symbol, is_mail)) {
            return *known;
        }
        let count = match self.book.block(key(self.book)) {
            None => MANY,
            Some(members) => {
                let mut people: Vec<Vec<Symbol>> = Vec::new();
                members.for_each(|member| {
                    let is_named = |profile: &&Profile| has(profile) && profile.full_names().next().is_some();
                    if let Some(profile) = self.book.profile(member).filter(is_named) {
                        let mut marks = self.marks(profile);
                        marks.retain(|mark| *mark != symbol);
                        put_together(marks, &mut people);
                    }
                });
                people.len()
            }
        };
        self.holders.borrow_mut().insert((symbol, is_mail), count);
        count
    }

    /// How many people have `word` in their full names, but for `a` and `b` and whoever has a name or an email with one of
    /// them.
    pub(super) fn others_named(&self, word: Symbol, a: &Profile, b: &Profile) -> f32 {
        if self.book.symbols.names(word) == 0 {
            return 0.0;
        }
        let mut known = self.named.borrow_mut();
        let people = known.entry(word).or_insert_with(|| self.people_named(word));
        if people.is_empty() {
            return self.book.symbols.names(word) as f32;
        }
        let mut own = self.marks(a);
        own.extend(self.marks(b));
        let is_other = |person: &&Vec<Symbol>| !person.iter().any(|mark| *mark != word && own.contains(mark));
        people.iter().filter(is_other).count() as f32
    }

    /// Who has `word` in their full names; nobody where they are too many to be looked at.
    fn people_named(&self, word: Symbol) -> Vec<Vec<Symbol>> {
        let mut people = Vec::new();
        let Some(members) = self.book.block(keys::of_text(self.book.symbols.text(word))) else { return people };
        members.for_each(|member| {
            let Some(profile) = self.book.profile(member) else { return };
            if profile.full_names().any(|name| name.contains(&word)) {
                let mut marks = self.marks(profile);
                marks.retain(|mark| *mark != word);
                put_together(marks, &mut people);
            }
        });
        people
    }

    /// What tells `profile` from others of the same name: the words of its full names, and its emails, whatever name goes
    /// with them.
    fn marks(&self, profile: &Profile) -> Vec<Symbol> {
        let words = profile.full_names().flatten().copied();
        let mut marks: Vec<Symbol> = words.filter(|word| self.book.symbols.text(*word).len() > 1).collect();
        marks.extend(profile.mails.iter().filter(|mail| mail.is_own).map(|mail| mail.mailbox));
        marks
    }

    /// Whether two people have all of `words` in their names: whoever has different accounts in one integration.
    pub(super) fn has_namesakes(&self, words: &[Symbol]) -> bool {
        if let Some(known) = self.namesakes.borrow().get(words) {
            return *known;
        }
        let found = self.find_namesakes(words);
        self.namesakes.borrow_mut().insert(words.to_vec(), found);
        found
    }

    fn find_namesakes(&self, words: &[Symbol]) -> bool {
        let mut first: Vec<&str> = words.iter().map(|word| self.book.symbols.text(*word)).collect();
        first.sort_unstable();
        first.truncate(2);
        let Some(members) = self.book.block(keys::of_text(&first.concat())) else { return true };
        let mut accounts: Vec<(u32, u128)> = Vec::new();
        members.for_each(|member| {
            let Some(profile) = self.book.profile(member).filter(|profile| !profile.accounts.is_empty()) else {
                return;
            };
            if profile.full_names().any(|name| words.iter().all(|word| name.contains(word))) {
                accounts.extend(&profile.accounts);
            }
        });
        accounts.sort_unstable();
        accounts.dedup();
        accounts.windows(2).any(|two| two[0].0 == two[1].0)
    }
}

/// Adds somebody with `marks` to the people, of whom no two have a mark in common.
fn put_together(mut marks: Vec<Symbol>, people: &mut Vec<Vec<Symbol>>) {
    if marks.is_empty() {
        return;
    }
    let (same, others): (Vec<_>, Vec<_>) =
        std::mem::take(people).into_iter().partition(|person| person.iter().any(|mark| marks.contains(mark)));
    *people = others;
    marks.extend(same.into_iter().flatten());
    marks.sort_unstable();
    marks.dedup();
    people.push(marks);
}
