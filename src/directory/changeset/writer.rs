//! Writing: from records before and after to statements, into the tables, into the log, and on to the index.
//!
//! A long changeset is written beside whoever makes it: the statements of one part are made while those of the part
//! before are carried out, and the next records are worked out meanwhile.

use std::sync::Arc;

use chain::{Rows, SALT};
use entity::change;
use sea_orm::{ActiveEnum, ConnectionTrait, DbBackend, Statement};
use tokio::sync::mpsc;
use tokio_util::task::AbortOnDropHandle;

use super::batch::{Batch, Statements};
use crate::database::Transaction;
use crate::directory::Directory;
use crate::directory::error::{Error, Result};
use crate::directory::follow::Pursuit;
use crate::record::{Change, Record};

/// Records so few that the thread which serves the request may make their statements.
const FEW: usize = 100;

/// The first state before and the last state after of one record.
pub(super) struct Entry {
    pub(super) before: Option<Record>,
    pub(super) after: Option<Record>,
}

/// What some records come to.
struct Part {
    statements: Vec<Statement>,
    changes: Vec<Change>,
    /// The digests of what is logged, after those of the parts before.
    digests: Rows,
}

/// Writes and logs records in the changeset's transaction.
pub(super) struct Writer {
    directory: Directory,
    transaction: Arc<Transaction>,
    number: i64,
    /// How many records are logged, or about to be: the place of the next one.
    count: usize,
    /// The digests of what is logged, in its order.
    digests: Box<Rows>,
    /// What is written and logged, on its way into the index.
    pursuit: Pursuit,
}

/// Where the writer is.
pub(super) enum Writing {
    /// With the changeset: nothing is being written.
    Here(Writer),
    /// In a task of its own, which ends when it gets no more parts.
    Beside { parts: mpsc::Sender<Vec<Entry>>, task: AbortOnDropHandle<Result<Writer>> },
    /// Nowhere: something could not be written.
    Failed,
}

impl Writing {
    /// Writes records after all those that were to be written before; returns when all of them are in the tables.
    pub(super) async fn write(&mut self, entries: Vec<Entry>) -> Result<()> {
        let mut writer = std::mem::replace(self, Self::Failed).end().await?;
        writer.write(entries).await?;
        *self = Self::Here(writer);
        Ok(())
    }

    /// Has records written; returns as soon as not many are waiting.
    pub(super) async fn write_beside(&mut self, entries: Vec<Entry>) -> Result<()> {
        let (parts, task) = match std::mem::replace(self, Self::Failed) {
            Self::Beside { parts, task } => (parts, task),
            Self::Here(writer) => {
                let (parts, waiting) = mpsc::channel(1);
                (parts, AbortOnDropHandle::new(tokio::spawn(writer.run(waiting))))
            }
            Self::Failed => return Err(lost()),
        };
        if parts.send(entries).await.is_err() {
            // The task takes parts until it fails.
            task.await.map_err(Error::internal)??;
            return Err(lost());
        }
        *self = Self::Beside { parts, task };
        Ok(())
    }

    /// The writer, when it has written everything.
    pub(super) async fn end(self) -> Result<Writer> {
        match self {
            Self::Here(writer) => Ok(writer),
            Self::Beside { parts, task } => {
                drop(parts);
                task.await.map_err(Error::internal)?
            }
            Self::Failed => Err(lost()),
        }
    }

    /// Whether nothing has been written or is being written.
    pub(super) fn is_empty(&self) -> bool {
        matches!(self, Self::Here(writer) if writer.count == 0)
    }
}

fn lost() -> Error {
    Error::internal("a changeset that could not be written is written on")
}

impl Writer {
    pub(super) fn new(directory: &Directory, transaction: Arc<Transaction>, number: i64) -> Self {
        Self {
            directory: directory.clone(),
            transaction,
            number,
            count: 0,
            digests: Box::default(),
            pursuit: Pursuit::begin(),
        }
    }

    /// How many records it has logged.
    pub(super) fn count(&self) -> usize {
        self.count
    }

    /// The digests of what it has logged, and what the index has to follow.
    pub(super) fn into_parts(self) -> (Rows, Pursuit) {
        (*self.digests, self.pursuit)
    }

    async fn write(&mut self, entries: Vec<Entry>) -> Result<()> {
        if entries.is_empty() {
            return Ok(());
        }
        let part = self.prepare(entries).await?;
        carry_out(&self.transaction, part.statements).await?;
        self.pursuit.add(&self.directory, part.changes).await;
        Ok(())
    }

    /// Writes the parts that come, until no more do.
    async fn run(mut self, mut parts: mpsc::Receiver<Vec<Entry>>) -> Result<Self> {
        let mut next = self.next(&mut parts).await?;
        while let Some(part) = next {
            let transaction = self.transaction.clone();
            (next, ()) = tokio::try_join!(self.next(&mut parts), carry_out(&transaction, part.statements))?;
            self.pursuit.add(&self.directory, part.changes).await;
        }
        Ok(self)
    }

    async fn next(&mut self, parts: &mut mpsc::Receiver<Vec<Entry>>) -> Result<Option<Part>> {
        match parts.recv().await {
            Some(entries) => self.prepare(entries).await.map(Some),
            None => Ok(None),
        }
    }

    /// Makes the statements for records, without those of which nothing changes.
    async fn prepare(&mut self, entries: Vec<Entry>) -> Result<Part> {
        let is_small = entries.len() < FEW;
        let to = Log {
            backend: self.directory.database().backend(),
            number: self.number,
            first: self.count,
            salts: self.directory.clock().salts(entries.len())?,
            digests: Rows::clone(&self.digests),
        };
        let part = if is_small {
            prepare(entries, to)?
        } else {
            tokio::task::spawn_blocking(move || prepare(entries, to)).await.map_err(Error::internal)??
        };
        self.count += part.changes.len();
        *self.digests = part.digests.clone();
        Ok(part)
    }
}

async fn carry_out(to: &Transaction, statements: Vec<Statement>) -> Result<()> {
    for statement in statements {
        to.execute_raw(statement).await?;
    }
    Ok(())
}

/// Where and how some records are logged.
struct Log {
    backend: DbBackend,
    number: i64,
    /// The place of the first of them.
    first: usize,
    /// One for each of them.
    salts: Vec<u8>,
    /// The digests of what is logged before them.
    digests: Rows,
}

fn prepare(mut entries: Vec<Entry>, to: Log) -> Result<Part> {
    let Log { backend, number, first, salts, mut digests } = to;
    entries.retain(|entry| !entry.is_nothing());
    let mut batch = Batch::default();
    for entry in &entries {
        batch.add(entry);
    }
    let mut statements = Statements { backend, list: batch.statements(backend) };
    let mut log = Vec::with_capacity(entries.len());
    for (entry, salt) in entries.iter().zip(salts.chunks(SALT)) {
        let Some(id) = entry.before.as_ref().or(entry.after.as_ref()).map(Record::id) else { continue };
        let json = |record: &Option<Record>| record.as_ref().map(Record::to_json).transpose().map_err(Error::internal);
        let mut row = change::Model {
            changeset_number: number,
            position: i64::try_from(first + log.len()).unwrap_or(i64::MAX),
            noun: id.noun(),
            record_id: id.uuid(),
            before: json(&entry.before)?,
            after: json(&entry.after)?,
            salt: salt.to_vec(),
            digest: Vec::new(),
        };
        let digest = digest_of(&row);
        digests.add(&digest);
        row.digest = digest.to_vec();
        log.push(row);
    }
    statements.insert::<change::Entity>(&log);
    let changes = entries.into_iter().filter_map(|entry| {
        let id = entry.before.as_ref().or(entry.after.as_ref()).map(Record::id)?;
        Some(Change { id, after: entry.after })
    });
    Ok(Part { statements: statements.list, changes: changes.collect(), digests })
}

/// The digest of what a row of the log says.
pub(in crate::directory) fn digest_of(row: &change::Model) -> chain::Digest {
    chain::Change {
        changeset: row.changeset_number,
        position: row.position,
        noun: &row.noun.to_value(),
        record: row.record_id.as_bytes(),
        salt: &row.salt,
        before: row.before.as_deref(),
        after: row.after.as_deref(),
    }
    .digest()
}

impl Entry {
    /// Whether nothing but the stamp differs.
    pub(super) fn is_nothing(&self) -> bool {
        match (&self.before, &self.after) {
            (None, None) => true,
            (Some(before), Some(after)) => before.same_content(after),
            _ => false,
        }
    }
}
