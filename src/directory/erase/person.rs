//! Who a person is in the records: the user, those who became part of it or were there before it, the accounts, and the
//! emails by which others may name them.

use std::collections::{BTreeSet, HashSet};

use entity::UserId;
use entity::change::{self, Noun};
use sea_orm::{ConnectionTrait, EntityTrait, Statement};
use serde_json::Value as Json;
use uuid::Uuid;

use super::log::about;
use super::{ERASED, holds, lower};
use crate::database::Transaction;
use crate::directory::Directory;
use crate::directory::error::{Error, Result};
use crate::record::{Record, UserRecord};
use crate::value::{GlobalId, fold};

/// Rows of the log that are read at a time.
const ROWS: u64 = 500;

/// How often what is found is looked for in turn.
const ROUNDS: usize = 5;

/// All by which the records know a person.
#[derive(Default)]
pub(super) struct Person {
    /// The user, and those who are none any more and were this person.
    pub(super) users: HashSet<Uuid>,
    /// Accounts that are theirs, or were when they went.
    pub(super) accounts: HashSet<Uuid>,
    /// Emails that are theirs and nobody else's, in their normal form and as else they may be written.
    pub(super) emails: BTreeSet<String>,
    /// Usernames of their accounts.
    pub(super) usernames: BTreeSet<String>,
}

impl Person {
    /// What a user's record says, and which accounts the user has.
    pub(super) fn of(directory: &Directory, user: &UserRecord) -> Self {
        let mut person = Self::default();
        person.users.insert(user.row.id.0);
        person.users.extend(user.merged_ids.iter().map(|id| id.0));
        person.emails.extend(user.emails().flat_map(spellings));
        person.accounts.extend(directory.index().accounts_of(user.row.id).into_iter().map(|id| id.0));
        person
    }

    /// Finds all else that is theirs, now and in the log.
    pub(super) async fn search(self, directory: &Directory, from: &Transaction) -> Result<Self> {
        let mut person = self;
        for _ in 0..ROUNDS {
            let known = (person.users.len(), person.accounts.len(), person.emails.len());
            let own: Vec<Uuid> = person.users.union(&person.accounts).copied().collect();
            for some in own.chunks(1_000) {
                let mut place = None;
                loop {
                    let rows = about(from, some, place).await?;
                    let Some(last) = rows.last() else { break };
                    place = Some((last.changeset_number, last.position));
                    for row in &rows {
                        person.learn(directory, row)?;
                    }
                }
            }
            let mut place = None;
            loop {
                let rows = person.page(from, place, true).await?;
                let Some(last) = rows.last() else { break };
                place = Some((last.changeset_number, last.position));
                for row in rows {
                    person.recognise(directory, &row)?;
                }
            }
            if known == (person.users.len(), person.accounts.len(), person.emails.len()) {
                break;
            }
        }
        Ok(person)
    }

    /// Whether a row of the log is about one of their records.
    pub(super) fn owns(&self, row: &change::Model) -> bool {
        match row.noun {
            Noun::User => self.users.contains(&row.record_id),
            Noun::IntegrationAccount => self.accounts.contains(&row.record_id),
            Noun::Attribute | Noun::Integration | Noun::OrgUnit | Noun::AssociationRules => false,
        }
    }

    /// Rows of the log after a place that may say something of them: that hold one of their emails, or, if asked for, the
    /// id of one of their users.
    pub(super) async fn page(
        &self,
        from: &Transaction,
        after: Option<(i64, i64)>,
        with_ids: bool,
    ) -> Result<Vec<change::Model>> {
        let backend = from.get_database_backend();
        let ids: Vec<String> = self.users.iter().filter(|_| with_ids).map(Uuid::to_string).collect();
        let states = [lower(backend, "before"), lower(backend, "after")];
        let (condition, values) = holds(backend, &states, self.emails.iter().chain(&ids));
        let (number, position) = after.unwrap_or((0, 0));
        let comes_after = match after {
            None => String::new(),
            Some(_) => format!(" AND (changeset_number, position) > ({number}, {position})"),
        };
        let sql = format!(
            "SELECT * FROM change WHERE {condition}{comes_after} ORDER BY changeset_number, position LIMIT {ROWS}"
        );
        let statement = Statement::from_sql_and_values(backend, sql, values);
        Ok(change::Entity::find().from_raw_sql(statement).all(from).await?)
    }

    /// Learns what a row about one of their records says of them.
    fn learn(&mut self, directory: &Directory, row: &change::Model) -> Result<()> {
        for json in [&row.before, &row.after].into_iter().flatten() {
            match Record::from_json(row.noun, json).map_err(Error::internal)? {
                Record::User(user) => {
                    let emails: Vec<String> = user.emails().map(str::to_owned).collect();
                    emails.iter().for_each(|email| self.add_email(directory, email));
                    // One who became part of this one by mistake may be somebody else again.
                    let merged = user.merged_ids.iter().filter(|id| self.is_nobody_else(directory, **id));
                    let merged: Vec<Uuid> = merged.map(|id| id.0).collect();
                    self.users.extend(merged);
                }
                Record::IntegrationAccount(account) => {
                    if let Some(email) = account.email {
                        self.add_email(directory, &email);
                    }
                    self.usernames.extend(account.username.map(|name| name.to_lowercase()));
                }
                Record::Attribute(_) | Record::Integration(_) | Record::OrgUnit(_) | Record::AssociationRules(_) => {}
            }
        }
        Ok(())
    }

    /// Whether the user of an id is no other person by now, nor a part of one.
    fn is_nobody_else(&self, directory: &Directory, id: UserId) -> bool {
        directory.index().current_user(id).is_none_or(|user| self.users.contains(&user.0))
    }

    /// An email that another user has by now names that one.
    fn add_email(&mut self, directory: &Directory, email: &str) {
        let owner = directory.index().user_with_email(email);
        if email != ERASED && owner.is_none_or(|owner| self.users.contains(&owner.0)) {
            self.emails.extend(spellings(email));
        }
    }

    /// Recognises a record that is not known to be theirs: a user or an account that is gone, or with nobody, and had
    /// their email, or was an account of theirs when it went.
    fn recognise(&mut self, directory: &Directory, row: &change::Model) -> Result<()> {
        if self.owns(row) {
            return Ok(());
        }
        let index = directory.index();
        for json in [&row.before, &row.after].into_iter().flatten() {
            match row.noun {
                Noun::User => {
                    let Record::User(user) = Record::from_json(row.noun, json).map_err(Error::internal)? else {
                        continue;
                    };
                    let had_theirs = user.emails().any(|email| self.emails.contains(email));
                    if had_theirs && self.is_nobody_else(directory, UserId(row.record_id)) {
                        self.users.insert(row.record_id);
                    }
                }
                Noun::IntegrationAccount => {
                    let Record::IntegrationAccount(account) =
                        Record::from_json(row.noun, json).map_err(Error::internal)?
                    else {
                        continue;
                    };
                    let owner = index.owner_of(account.id);
                    let is_free = owner.is_none_or(|owner| self.users.contains(&owner.0));
                    let has_email = account.email.is_some_and(|email| self.emails.contains(&email));
                    let is_gone = index.account_place(account.id).is_none();
                    let was_theirs = account.user_id.is_some_and(|user| self.users.contains(&user.0));
                    if is_free && has_email || is_gone && was_theirs {
                        self.accounts.insert(row.record_id);
                    }
                }
                Noun::Attribute | Noun::Integration | Noun::OrgUnit | Noun::AssociationRules => {}
            }
        }
        Ok(())
    }

    /// The ids of their users and accounts as clients see them.
    pub(super) fn global_ids(&self) -> Vec<String> {
        let users = self.users.iter().map(|id| UserId(*id).to_global());
        let accounts = self.accounts.iter().map(|id| entity::IntegrationAccountId(*id).to_global());
        users.chain(accounts).collect()
    }

    /// A record's JSON with [`ERASED`] where one of their emails stood; from a list the email goes. None where there is none.
    pub(super) fn without(&self, json: &str) -> Result<Option<String>> {
        let before: Json = serde_json::from_str(json).map_err(Error::internal)?;
        let mut after = before.clone();
        self.redact(&mut after);
        if after == before { Ok(None) } else { serde_json::to_string(&after).map(Some).map_err(Error::internal) }
    }

    fn redact(&self, json: &mut Json) {
        match json {
            Json::String(text) => {
                for email in &self.emails {
                    *text = replace(text, email);
                }
            }
            Json::Array(items) => {
                items.retain(|item| item.as_str().is_none_or(|item| !self.emails.contains(&fold(item))));
                items.iter_mut().for_each(|item| self.redact(item));
            }
            Json::Object(members) => members.values_mut().for_each(|member| self.redact(member)),
            Json::Null | Json::Bool(_) | Json::Number(_) => {}
        }
    }
}

/// Whether what stands at `at` of a text is not a part of something longer, such as another's email: `ann@corp.example` is
/// not in `jo.ann@corp.example` or `o'ann@corp.example` and not in `ann@corp.example.org`, and is in a sentence that ends with
/// it.
fn is_whole(text: &str, at: usize, len: usize) -> bool {
    !joins(text[..at].chars().rev(), &['.', '-', '+', '_', '\'']) && !joins(text[at + len..].chars(), &['.', '-'])
}

/// Whether what stands beside a word, from there on, makes one of both: a letter or digit, or one behind a sign that joins.
fn joins(mut beside: impl Iterator<Item = char>, signs: &[char]) -> bool {
    match beside.next() {
        Some(sign) if signs.contains(&sign) => beside.next().is_some_and(char::is_alphanumeric),
        next => next.is_some_and(char::is_alphanumeric),
    }
}

/// Whether `word` stands in a text in lower case, and not as a part of something longer.
pub(super) fn stands_in(text: &str, word: &str) -> bool {
    text.match_indices(word).any(|(at, _)| is_whole(text, at, word.len()))
}

/// An email as it may be found in a text whose ASCII letters are small: in its normal form, with the domain as people write
/// it, and with large letters where they are not ASCII, which SQLite leaves as they are.
fn spellings(email: &str) -> Vec<String> {
    let large = |text: &str| -> String {
        text.chars().map(|c| if c.is_ascii() { c.to_string() } else { c.to_uppercase().to_string() }).collect()
    };
    let Some((local, domain)) = email.rsplit_once('@') else { return vec![email.to_owned()] };
    let (written, _) = idna::domain_to_unicode(domain);
    let domains = [domain.to_owned(), large(&written), written];
    [local.to_owned(), large(local)]
        .iter()
        .flat_map(|local| domains.iter().map(move |of| format!("{local}@{of}")))
        .collect()
}

/// `text` with [`ERASED`] in place of `email`, in whatever letter case it stands there.
fn replace(text: &str, email: &str) -> String {
    let lower = text.to_lowercase();
    if !stands_in(&lower, email) {
        return text.to_owned();
    }
    // A letter may be longer in lower case; then the text is kept as it is in lower case.
    let text = if lower.len() == text.len() { text } else { &lower };
    let mut rest = 0;
    let mut redacted = String::new();
    for (at, _) in lower.match_indices(email).filter(|(at, _)| is_whole(&lower, *at, email.len())) {
        redacted += &text[rest..at];
        redacted += ERASED;
        rest = at + email.len();
    }
    redacted + &text[rest..]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn emails_are_replaced_in_any_letter_case_and_leave_lists() {
        let person = Person { emails: BTreeSet::from(["ann@corp.example".to_owned()]), ..Person::default() };
        let cases = [
            (r#"{"a":"ann@corp.example"}"#, r#"{"a":"erased@erased.invalid"}"#),
            (r#"{"a":"ask Ann@Corp.example!"}"#, r#"{"a":"ask erased@erased.invalid!"}"#),
            (r#"{"a":["b@c.example","ann@corp.example"]}"#, r#"{"a":["b@c.example"]}"#),
            (r#"{"a":["mail ANN@corp.example"]}"#, r#"{"a":["mail erased@erased.invalid"]}"#),
            (r#"{"a":"İ ann@corp.example Ä","n":1}"#, r#"{"a":"i̇ erased@erased.invalid ä","n":1}"#),
            (r#"{"a":"bob@corp.example"}"#, r#"{"a":"bob@corp.example"}"#),
            // Others' emails that hold it.
            (r#"{"a":"joann@corp.example"}"#, r#"{"a":"joann@corp.example"}"#),
            (r#"{"a":"jo.ann@corp.example"}"#, r#"{"a":"jo.ann@corp.example"}"#),
            (
                r#"{"a":["jo+ann@corp.example","ann@corp.example.org"]}"#,
                r#"{"a":["jo+ann@corp.example","ann@corp.example.org"]}"#,
            ),
            (r#"{"a":"ann@corp.example-two.org"}"#, r#"{"a":"ann@corp.example-two.org"}"#),
            (r#"{"a":"o'ann@corp.example"}"#, r#"{"a":"o'ann@corp.example"}"#),
            (
                r#"{"a":"ann@corp.example's, to=ann@corp.example"}"#,
                r#"{"a":"erased@erased.invalid's, to=erased@erased.invalid"}"#,
            ),
            (
                r#"{"a":"joann@corp.example, 'ann@corp.example', -ann@corp.example."}"#,
                r#"{"a":"joann@corp.example, 'erased@erased.invalid', -erased@erased.invalid."}"#,
            ),
        ];
        for (before, after) in cases {
            assert_eq!(person.without(before).unwrap().as_deref(), Some(after).filter(|after| *after != before));
        }
    }
}
