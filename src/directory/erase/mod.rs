//! ERASE. Takes a person out of the directory for good, and tells all that is held on one.
//!
//! Erasing is a changeset: the user and all accounts that are theirs go, and those rows of the log that say anything of
//! them are rewritten (`log`). The digests of what stood there stay, so the chain still holds; the salts go, so nobody can
//! find out by trying what they were made of. What belongs to others stays theirs: an email of the person in it becomes
//! [`ERASED`]. What is beside the directory goes, too (`beside`). What does not live here: backups that were made before.

mod beside;
mod log;
mod person;
mod subject;

use std::collections::HashSet;
use std::sync::Arc;

use entity::change::Noun;
use entity::changeset::ChangesetKind;
use entity::integration_account::{AccountStatus, AssociationRule};
use entity::{IntegrationAccountId, UserId, integration, integration_account};
use futures_util::TryStreamExt;
use sea_orm::{ColumnTrait, Condition, DbBackend, Statement, StreamTrait};
use uuid::Uuid;

use super::changeset::Changeset;
use super::error::{Error, Result};
use super::verify::sound_value;
use super::{Actor, Directory};
use crate::database::{Transaction, set_scrub_due, without_timeout};
use crate::record::{Record, UserRecord};
use crate::value::{Email, GlobalId};
pub(super) use log::{digest, refuse_erased};
use person::{Person, stands_in};

/// What stands where an email of an erased person stood in what belongs to others: an address that can never be one.
pub const ERASED: &str = "erased@erased.invalid";

/// What was erased.
#[derive(Clone, Debug)]
pub struct Erased {
    /// The changeset.
    pub version: i64,
    /// Rows of the log that were rewritten.
    pub changes: u64,
    /// Accounts that went with the user.
    pub accounts: u64,
    /// Import drafts that went, since their files or rows named the person.
    pub drafts: u64,
    /// Integrations whose tools had an account of theirs when they were last read, in their order. Where the tool still
    /// has it, the next sync makes a user of it again.
    pub reported_by: Vec<Arc<integration::Model>>,
    /// Whether the database has given up what stood in its files. Where it has not, since somebody reads or writes, it
    /// does so later: SQLite when a server finds nobody reading or with the next erasure, PostgreSQL by itself.
    pub is_scrubbed: bool,
}

impl Directory {
    /// Erases a user, with accounts and history, beyond undo. `confirm_email` is one of the user's emails.
    ///
    /// # Errors
    /// `NotFound`; `Invalid` where the email is not one of theirs; `InUse` where a filter names the user or an email of
    /// theirs, where another record that only a person can change does, or where a required value names the user.
    pub async fn erase_user(&self, actor: &Actor, id: UserId, confirm_email: &str) -> Result<Erased> {
        let changeset = self.begin(ChangesetKind::Erase, actor).await?;
        without_timeout(changeset.transaction()).await?;
        let id = self.current_user(id);
        let user = changeset.user(id).await?;
        let is_theirs = Email::parse(confirm_email).is_ok_and(|email| user.emails().any(|own| own == email.as_str()));
        if !is_theirs {
            let message = "this is not an email of the user who is to be erased; nothing was changed";
            return Err(Error::invalid("confirmEmail", "NOT_THEIRS", message));
        }
        let person = Person::of(self, &user);
        self.erase(changeset, vec![user], person).await
    }

    /// Erases a record that was erased in another directory, where there is anything of it: also in the log alone, and also
    /// an account, whoever has it. Gives whether there was.
    pub(super) async fn erase_record(&self, actor: &Actor, noun: Noun, id: Uuid) -> Result<bool> {
        let changeset = self.begin(ChangesetKind::Erase, actor).await?;
        without_timeout(changeset.transaction()).await?;
        if !log::tells_of(changeset.transaction(), id).await? {
            return Ok(false);
        }
        let user = if noun == Noun::User { changeset.users(&[UserId(id)]).await?.remove(&UserId(id)) } else { None };
        let mut person = user.as_ref().map(|user| Person::of(self, user)).unwrap_or_default();
        if noun == Noun::User {
            person.users.insert(id)
        } else {
            person.accounts.insert(id)
        };
        self.erase(changeset, user.into_iter().collect(), person).await?;
        Ok(true)
    }

    async fn erase(&self, mut changeset: Changeset, users: Vec<UserRecord>, person: Person) -> Result<Erased> {
        let person = person.search(self, changeset.transaction()).await?;
        changeset.delete_users(users, AssociationRule::Manual).await?;
        let accounts = changeset.erase_accounts(&person).await?;
        changeset.erase_mentions(&person).await?;
        changeset.flush().await?;
        let drafts = beside::erase(changeset.transaction(), &person).await?;
        let (changes, digest) = log::rewrite(&changeset, &person).await?;
        changeset.erased = Some(digest);
        set_scrub_due(changeset.transaction(), changeset.number()).await?;
        let version = changeset.commit().await?;
        self.forget_past();
        let is_scrubbed = match self.database().scrub().await {
            Ok(is_scrubbed) => is_scrubbed,
            Err(error) => {
                tracing::warn!(?error, "the database cannot give up what was erased from it yet");
                false
            }
        };
        let is_active = |account: &&integration_account::Model| account.status == AccountStatus::Active;
        let tools: HashSet<_> = accounts.iter().filter(is_active).map(|account| account.integration_id).collect();
        let reported_by = self.index().integrations().iter().filter(|row| tools.contains(&row.id)).cloned().collect();
        Ok(Erased { version, changes, accounts: accounts.len() as u64, drafts, reported_by, is_scrubbed })
    }

    /// Has the database give up what was erased where it could not then. To be called every few seconds by whoever serves.
    ///
    /// # Errors
    /// Where the database is busy or away.
    pub async fn tend_erasures(&self) -> Result<()> {
        let due = self.database().scrub_due().await?;
        if due > 0 && self.database().scrub().await? {
            tracing::info!("the database's files no longer hold what was erased up to changeset {due}");
        }
        Ok(())
    }
}

impl Changeset {
    /// Deletes the person's accounts, and gives them.
    async fn erase_accounts(&mut self, person: &Person) -> Result<Vec<integration_account::Model>> {
        let mut erased = Vec::new();
        let ids: Vec<Uuid> = person.accounts.iter().copied().collect();
        for some in ids.chunks(1_000) {
            let ids = some.iter().copied().map(IntegrationAccountId);
            let condition = Condition::all().add(integration_account::Column::Id.is_in(ids));
            for account in self.accounts(condition).await? {
                erased.push(account.clone());
                self.put(Some(Record::IntegrationAccount(account)), None);
            }
        }
        Ok(erased)
    }

    /// Takes the person's emails out of what others have; refuses where only a person can say what is to stand there.
    async fn erase_mentions(&mut self, person: &Person) -> Result<()> {
        for (table, columns) in [
            ("attribute", &["title", "description", "options"][..]),
            ("integration", &["name", "settings"]),
            ("association_rules", &["rules"]),
            ("org_unit", &["filter", "name"]),
        ] {
            if let Some(id) = self.mentions(table, columns, person).await?.first() {
                let key = super::verify::shown(table, &id.simple().to_string());
                let by = format!("{} {key}, which has an email of theirs; change that first", table.replace('_', " "));
                return Err(Error::InUse { noun: UserId::NOUN, key: "to be erased".into(), by });
            }
        }
        let users = self.mentions("user", &["name", "attributes", "reviewed_by"], person).await?;
        let users: Vec<UserId> = users.into_iter().map(UserId).collect();
        let mut changed: Vec<Record> = Vec::new();
        for some in users.chunks(1_000) {
            changed.extend(self.users(some).await?.into_values().map(Record::User));
        }
        let columns = ["external_id", "username", "email", "display_name", "evidence", "associated_by"];
        let accounts = self.mentions("integration_account", &columns, person).await?;
        for some in accounts.chunks(1_000) {
            let ids = some.iter().copied().map(IntegrationAccountId);
            let condition = Condition::all().add(integration_account::Column::Id.is_in(ids));
            changed.extend(self.accounts(condition).await?.into_iter().map(Record::IntegrationAccount));
        }
        let units: HashSet<Uuid> =
            self.mentions("org_unit", &["description", "origin"], person).await?.into_iter().collect();
        let all = super::org_unit::load_all(self.transaction()).await?;
        let units = all.into_iter().filter(|unit| units.contains(&unit.row.id.0)).map(Record::OrgUnit);
        changed.extend(units.filter_map(|unit| self.state(unit)));
        changed.sort_by_key(Record::id);
        for before in changed {
            let json = before.to_json().map_err(Error::internal)?;
            let Some(without) = person.without(&json)? else { continue };
            let mut after = Record::from_json(before.id().noun(), &without).map_err(Error::internal)?;
            match (&before, &mut after) {
                (Record::User(before), Record::User(after)) => self.keep_values_sound(before, after)?,
                (Record::IntegrationAccount(before), Record::IntegrationAccount(after))
                    if before.external_id != after.external_id =>
                {
                    // No two of an integration have the same.
                    after.external_id = Some(format!("{ERASED} {}", after.id.to_global()));
                }
                _ => {}
            }
            self.put(Some(before), Some(after));
        }
        Ok(())
    }

    /// Empties the values of another user in which [`ERASED`] cannot stand, since they are unique, or are none with it.
    fn keep_values_sound(&self, before: &UserRecord, after: &mut UserRecord) -> Result<()> {
        let index = self.directory().index();
        let Some(values) = after.row.attributes.as_object_mut() else { return Ok(()) };
        for attribute in index.attributes() {
            let Some(value) = values.get(&attribute.key) else { continue };
            let is_as_it_was = before.row.attributes.get(&attribute.key) == Some(value);
            if is_as_it_was || !attribute.is_unique && sound_value(attribute, value).is_some() {
                continue;
            }
            if attribute.is_required {
                let by = format!(
                    "user {}, whose required value of `{}` has an email of theirs; change that first",
                    after.row.id.to_global(),
                    attribute.key
                );
                return Err(Error::InUse { noun: UserId::NOUN, key: "to be erased".into(), by });
            }
            values.remove(&attribute.key);
        }
        Ok(())
    }

    /// The ids of rows in which an email of the person stands.
    async fn mentions(&self, table: &str, columns: &[&str], person: &Person) -> Result<Vec<Uuid>> {
        let backend = self.transaction().get_database_backend();
        let emails: Vec<String> = person.emails.iter().cloned().collect();
        let columns: Vec<String> = columns.iter().map(|column| lower(backend, column)).collect();
        rows(self.transaction(), table, "id", &columns, &emails).await
    }
}

/// The keys of rows in which one of some texts stands, and not as a part of something longer; in the order of the keys.
async fn rows(from: &Transaction, table: &str, key: &str, columns: &[String], texts: &[String]) -> Result<Vec<Uuid>> {
    let backend = from.get_database_backend();
    let (condition, values) = holds(backend, columns, texts.iter());
    let all = columns.join(" || ' ' || ");
    let sql = format!("SELECT {key}, {all} FROM \"{table}\" WHERE {condition} ORDER BY {key}");
    let mut found = Vec::new();
    let mut rows = from.stream_raw(Statement::from_sql_and_values(backend, sql, values)).await?;
    while let Some(row) = rows.try_next().await? {
        let text = without_escapes(&row.try_get_by_index::<String>(1)?);
        if texts.iter().any(|word| stands_in(&text, word)) {
            found.push(row.try_get_by_index(0)?);
        }
    }
    Ok(found)
}

/// A text that may be JSON with a blank for each escape: the letter of one must not seem to be a part of what follows.
fn without_escapes(json: &str) -> String {
    let mut parts = json.split("\\u00");
    let mut text = parts.next().unwrap_or_default().to_owned();
    for part in parts {
        text.push(' ');
        text.push_str(part.char_indices().nth(2).map_or("", |(at, _)| &part[at..]));
    }
    ["\\n", "\\t", "\\r", "\\b", "\\f"].iter().fold(text, |text, escape| text.replace(escape, " "))
}

/// A column as text in lower case.
fn lower(backend: DbBackend, column: &str) -> String {
    match backend {
        DbBackend::Postgres => format!("lower(coalesce(\"{column}\"::text, ''))"),
        _ => format!("lower(coalesce(\"{column}\", ''))"),
    }
}

/// The condition that one of some expressions holds one of some texts, and its values.
fn holds<'a>(
    backend: DbBackend,
    expressions: &[String],
    texts: impl Iterator<Item = &'a String>,
) -> (String, Vec<sea_orm::Value>) {
    let (mut conditions, mut values) = (vec!["1 = 0".to_owned()], Vec::new());
    for text in texts {
        for expression in expressions {
            values.push(text.as_str().into());
            conditions.push(match backend {
                DbBackend::Postgres => format!("strpos({expression}, ${}) > 0", values.len()),
                _ => format!("instr({expression}, ?) > 0"),
            });
        }
    }
    (format!("({})", conditions.join(" OR ")), values)
}
