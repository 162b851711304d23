//! The one way to write: a changeset takes the writer lock, gets the next number, changes the tables, logs every
//! record before and after, and commits. Dropped without [`Changeset::commit`], it leaves no trace.

use std::collections::{HashMap, HashSet};
use std::sync::Arc;

use chrono::{DateTime, Utc};
use entity::attribute::AttributeType;
use entity::changeset::{self, ChangesetKind};
use entity::{IntegrationAccountId, UserId};
use entity::{integration_account, user_email};
use sea_orm::{ActiveEnum, ColumnTrait, Condition, EntityTrait, IntoActiveModel, QueryFilter};
use tokio::sync::OwnedSemaphorePermit;

use super::association::{Ongoing, Stamp};
use super::error::{Error, Result};
use super::lock::KeptOut;
use super::{Actor, Directory};
use crate::database::Transaction;
use crate::record::{Record, RecordId, UserRecord};
use crate::value::hex;

/// Records that wait in memory before they are written.
const PENDING: usize = if cfg!(test) { 5 } else { 2_000 };

mod batch;
mod writer;

use batch::ROWS;
pub(super) use batch::{Statements, as_user};
pub(super) use writer::digest_of;
use writer::{Entry, Writer, Writing};

/// A change to the directory that is being made.
pub(super) struct Changeset {
    directory: Directory,
    transaction: Arc<Transaction>,
    number: i64,
    /// The digest of the changeset before it.
    head: Vec<u8>,
    kind: ChangesetKind,
    actor: Actor,
    /// The changeset that it undoes.
    pub(super) undoes: Option<i64>,
    /// The digest of what it took out of the log.
    pub(super) erased: Option<chain::Digest>,
    now: DateTime<Utc>,
    /// First state before and last state after, of records not yet written. In order of first change.
    pending: Vec<Entry>,
    places: HashMap<RecordId, usize>,
    /// Whose each email is, where this changeset has changed that.
    emails: HashMap<String, Option<UserId>>,
    /// Emails that are freed in the table, and that their users' records still have.
    freed: HashMap<UserId, Vec<String>>,
    writing: Writing,
    /// Users that have lost an account, and who got it.
    pub(super) left: HashMap<UserId, Option<UserId>>,
    /// Users that values put in this changeset name, or are about to.
    pub(super) referred: HashSet<UserId>,
    /// The emails of users that have been made from accounts.
    pub(super) detected: Vec<String>,
    /// Accounts that did not come to the user who has their email, since that one is locked.
    pub(super) kept_out: Vec<KeptOut>,
    /// By which rules accounts are associated, and what that has come to.
    pub(super) ongoing: Box<Ongoing>,
    /// The keys of the attributes whose values name users.
    user_keys: Vec<String>,
    /// Given back when the transaction has ended.
    _turn: Option<OwnedSemaphorePermit>,
}

impl Changeset {
    /// Takes the writer lock, and brings the index to the state that the changeset starts from.
    pub(super) async fn begin(directory: &Directory, kind: ChangesetKind, actor: Actor) -> Result<Self> {
        let directory = &directory.whole();
        let turn = directory.turn().await?;
        let transaction = directory.database().begin_write().await?;
        let (version, head) = directory.follow_to_head(&transaction).await?;
        let number = version + 1;
        directory.note_base();
        let user_keys = directory
            .index()
            .attributes()
            .iter()
            .filter(|attribute| attribute.r#type == AttributeType::User)
            .map(|attribute| attribute.key.clone())
            .collect();
        let transaction = Arc::new(transaction);
        let ongoing = Ongoing::begin(&directory.index());
        Ok(Self {
            directory: directory.clone(),
            writing: Writing::Here(Writer::new(directory, transaction.clone(), number)),
            transaction,
            number,
            head,
            kind,
            actor,
            undoes: None,
            erased: None,
            now: directory.clock().now(),
            pending: Vec::new(),
            places: HashMap::new(),
            emails: HashMap::new(),
            freed: HashMap::new(),
            left: HashMap::new(),
            referred: HashSet::new(),
            detected: Vec::new(),
            kept_out: Vec::new(),
            ongoing: Box::new(ongoing),
            user_keys,
            _turn: turn,
        })
    }

    /// What is being done.
    pub(super) fn kind(&self) -> ChangesetKind {
        self.kind
    }

    /// When the changeset is made: one time for all its records.
    pub(super) fn now(&self) -> DateTime<Utc> {
        self.now
    }

    /// Who makes it.
    pub(super) fn actor(&self) -> &Actor {
        &self.actor
    }

    /// What its records are marked with.
    pub(super) fn stamp(&self) -> Stamp {
        Stamp { number: self.number, now: self.now, actor: self.actor.clone() }
    }

    /// The number it will have.
    pub(super) fn number(&self) -> i64 {
        self.number
    }

    /// The directory it changes; its index stands at the state before the changeset.
    pub(super) fn directory(&self) -> &Directory {
        &self.directory
    }

    /// The transaction, to read what the tables hold.
    pub(super) fn transaction(&self) -> &Transaction {
        &self.transaction
    }

    /// The transaction for whoever reads while this puts; to be given back before the commit.
    pub(super) fn share(&self) -> Arc<Transaction> {
        self.transaction.clone()
    }

    /// Notes that `before` becomes `after`; sets the version and time of `after`. At least one of the two is given.
    ///
    /// In a long changeset an attribute that is new or of another type comes before the users who have values of it: an
    /// index that follows the changeset in parts would have to be loaded anew.
    pub(super) fn put(&mut self, before: Option<Record>, after: Option<Record>) {
        let Some(id) = before.as_ref().or(after.as_ref()).map(Record::id) else { return };
        if let RecordId::User(id) = id {
            self.freed.remove(&id);
            // Only where it changes: long changesets put very many users whose emails stay.
            let (old, new) = (before.as_ref().map(emails), after.as_ref().map(emails));
            let (old, new) = (old.unwrap_or_default(), new.unwrap_or_default());
            for email in old.iter().filter(|email| !new.contains(email)).cloned() {
                // Another user of this changeset may have it by now.
                if self.find_email(&email) == Some(id) {
                    self.emails.insert(email, None);
                }
            }
            for email in new.into_iter().filter(|email| !old.contains(email)) {
                self.note_email(&email);
                self.emails.insert(email, Some(id));
            }
        }
        if let Some(Record::User(user)) = &after {
            self.note_references(user);
        }
        let mut after = after;
        if let Some(after) = &mut after {
            after.stamp(self.number, self.now);
        }
        match self.places.get(&id) {
            Some(place) => self.pending[*place].after = after,
            None => {
                self.places.insert(id, self.pending.len());
                self.pending.push(Entry { before, after });
            }
        }
    }

    /// Puts records that nothing in this changeset looks up again before a [`Self::flush`], and none of them twice;
    /// has them written, while the caller goes on, if they are many.
    pub(super) async fn append(&mut self, records: Vec<(Option<Record>, Option<Record>)>) -> Result<()> {
        for (before, mut after) in records {
            if let Some(after) = &mut after {
                after.stamp(self.number, self.now);
            }
            self.pending.push(Entry { before, after });
        }
        if self.pending.len() < PENDING {
            return Ok(());
        }
        let entries = self.take_pending();
        self.writing.write_beside(entries).await
    }

    /// Notes whom the values of `user`, who will be put, name, so that those stay.
    pub(super) fn note_references(&mut self, user: &UserRecord) {
        let named = self.user_keys.iter().filter_map(|key| user.row.attributes.get(key)?.as_str());
        self.referred.extend(named.filter_map(|id| uuid::Uuid::try_parse(id).ok()).map(UserId));
    }

    /// Writes what is pending, if it is much; to be called between steps of a long change.
    pub(super) async fn flush_if_large(&mut self) -> Result<()> {
        if self.pending.len() >= PENDING { self.flush().await } else { Ok(()) }
    }

    /// Whose `email` is, with what this changeset has done so far.
    pub(super) fn find_email(&self, email: &str) -> Option<UserId> {
        match self.emails.get(email) {
            Some(owner) => *owner,
            None => self.directory.index().user_with_email(email),
        }
    }

    /// Frees emails in the table alone: their users' records, which come later in this changeset, give them up.
    pub(super) async fn free_emails(&mut self, emails: &[String]) -> Result<()> {
        for some in emails.chunks(ROWS) {
            user_email::Entity::delete_many()
                .filter(user_email::Column::Email.is_in(some))
                .exec(self.transaction())
                .await?;
            for email in some {
                if let Some(owner) = self.find_email(email) {
                    self.freed.entry(owner).or_default().push(email.clone());
                }
                self.emails.insert(email.clone(), None);
            }
        }
        Ok(())
    }

    /// Users by id, with what this changeset has done so far; those that do not exist are left out.
    pub(super) async fn users(&self, ids: &[UserId]) -> Result<HashMap<UserId, UserRecord>> {
        let mut found = HashMap::with_capacity(ids.len());
        let mut missing = Vec::new();
        for id in ids {
            match self.pending(RecordId::User(*id)) {
                Some(Some(Record::User(record))) => {
                    found.insert(*id, record.clone());
                }
                Some(_) => {}
                None => missing.push(*id),
            }
        }
        for (id, mut user) in super::fetch::users(self.transaction(), &missing).await? {
            let freed = self.freed.get(&id).into_iter().flatten().filter(|email| **email != user.row.email).cloned();
            user.further_emails.extend(freed.collect::<Vec<_>>());
            found.insert(id, user);
        }
        Ok(found)
    }

    /// One user, with what this changeset has done so far.
    pub(super) async fn user(&self, id: UserId) -> Result<UserRecord> {
        self.users(&[id]).await?.remove(&id).ok_or_else(|| self.directory.gone_user(id))
    }

    /// The accounts that `condition` selects from the table, with what this changeset has done to them so far.
    pub(super) async fn accounts(&self, condition: Condition) -> Result<Vec<integration_account::Model>> {
        let rows = integration_account::Entity::find().filter(condition).all(self.transaction()).await?;
        Ok(rows.into_iter().filter_map(|row| self.current(row)).collect())
    }

    /// The accounts of users, with what this changeset has done so far.
    pub(super) async fn accounts_of(&self, users: &HashSet<UserId>) -> Result<Vec<integration_account::Model>> {
        let mut accounts = Vec::new();
        for some in users.iter().copied().collect::<Vec<_>>().chunks(1_000) {
            let condition = Condition::all().add(integration_account::Column::UserId.is_in(some.iter().copied()));
            accounts.extend(self.accounts(condition).await?);
        }
        let known: HashSet<IntegrationAccountId> = accounts.iter().map(|account| account.id).collect();
        for entry in &self.pending {
            if let Some(Record::IntegrationAccount(account)) = &entry.after
                && !known.contains(&account.id)
            {
                accounts.push(account.clone());
            }
        }
        accounts.retain(|account| account.user_id.is_some_and(|user| users.contains(&user)));
        accounts.sort_by_key(|account| account.id);
        Ok(accounts)
    }

    fn current(&self, row: integration_account::Model) -> Option<integration_account::Model> {
        match self.pending(RecordId::IntegrationAccount(row.id)) {
            None => Some(row),
            Some(Some(Record::IntegrationAccount(account))) => Some(account.clone()),
            Some(_) => None,
        }
    }

    /// A record of the tables with what this changeset has done to it so far; none where it has deleted it.
    pub(super) fn state(&self, record: Record) -> Option<Record> {
        match self.pending(record.id()) {
            None => Some(record),
            Some(state) => state.cloned(),
        }
    }

    fn pending(&self, id: RecordId) -> Option<Option<&Record>> {
        self.places.get(&id).map(|place| self.pending[*place].after.as_ref())
    }

    /// Writes and logs everything, commits, and lets the index follow. Gives the directory's new version, which is
    /// the old one where nothing changed.
    pub(super) async fn commit(mut self) -> Result<i64> {
        self.flush().await?;
        let number = self.number;
        let writer = self.writing.end().await?;
        let change_count = writer.count();
        let (digests, pursuit) = writer.into_parts();
        // An erasure may be of the log alone.
        if change_count == 0 && self.erased.is_none() {
            end(self.transaction)?.rollback().await?;
            return Ok(number - 1);
        }
        let mut row = changeset::Model {
            number,
            kind: self.kind,
            actor: self.actor.0.clone(),
            change_count: i64::try_from(change_count).unwrap_or(i64::MAX),
            undoes: self.undoes,
            created_at: self.now,
            digest: Vec::new(),
        };
        row.digest = seal(digests, &self.head, &row, self.erased).to_vec();
        let head = hex(&row.digest);
        changeset::Entity::insert(row.into_active_model()).exec_without_returning(self.transaction.as_ref()).await?;
        let transaction = end(self.transaction)?;
        self.directory.commit(transaction, number, pursuit).await?;
        if !self.directory.is_rehearsal() {
            tracing::info!(changes = change_count, "the head of the log is {number}:{head}");
        }
        Ok(number)
    }

    /// Whether nothing has been written, and nothing waits to be.
    pub(super) fn is_empty(&self) -> bool {
        self.pending.is_empty() && self.writing.is_empty()
    }

    /// Writes and logs what is pending; all that has been put or appended is in the tables then.
    pub(super) async fn flush(&mut self) -> Result<()> {
        let entries = self.take_pending();
        self.writing.write(entries).await
    }

    fn take_pending(&mut self) -> Vec<Entry> {
        self.places.clear();
        let entries = std::mem::take(&mut self.pending);
        if self.directory.is_rehearsal() {
            let changes = entries.iter().filter(|entry| !entry.is_nothing());
            self.directory.note_changes(changes.map(|entry| (&entry.before, &entry.after)));
        }
        entries
    }
}

/// The digest of a changeset that has these changes, follows one of the digest `before`, and erased what has the digest
/// `erased`.
pub(super) fn seal(
    changes: chain::Rows,
    before: &[u8],
    row: &changeset::Model,
    erased: Option<chain::Digest>,
) -> chain::Digest {
    let says = chain::Changeset {
        number: row.number,
        kind: &row.kind.to_value(),
        actor: &row.actor,
        created_at: row.created_at.timestamp_micros(),
        change_count: row.change_count,
        undoes: row.undoes,
        erased: erased.as_ref().map(<[u8; 32]>::as_slice),
    };
    changes.seal(before, &says)
}

/// The transaction, to end it.
fn end(transaction: Arc<Transaction>) -> Result<Transaction> {
    Arc::into_inner(transaction).ok_or_else(|| Error::internal("the transaction is still being read"))
}

fn emails(record: &Record) -> Vec<String> {
    as_user(Some(record)).map(|user| user.emails().map(str::to_owned).collect()).unwrap_or_default()
}
