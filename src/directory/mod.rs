//! DOMAIN. The directory and its verbs: everything that can be asked of it and done to it.
//!
//! A verb reads the index, or is one changeset. What does not live here: GraphQL, HTTP, how a filter is evaluated.

mod association;
mod attribute;
mod changeset;
mod clock;
pub mod csv;
mod error;
mod fetch;
mod history;
mod integration;
mod integration_account;
mod org_unit;
mod scan;
mod user;

pub use attribute::{AttributeChange, NewAttribute};
pub use clock::Clock;
pub use error::{Error, Result, Source};
pub use history::{ChangePage, HistoryEntry, Range};
pub use integration::{IntegrationChange, NewIntegration};
pub use integration_account::{AccountQuery, IdRange, SyncMode, SyncOutcome, SyncedAccount};
pub(crate) use org_unit::read_stored;
pub use org_unit::{NewOrgUnit, OrgUnitChange, OrgUnitDraft, OrgUnitPreview};
pub use user::{NewUser, UserChange};

use std::sync::{Arc, PoisonError, RwLock, RwLockReadGuard};

use entity::change;
use sea_orm::{ColumnTrait, ConnectionTrait, EntityTrait, QueryFilter, QueryOrder, QuerySelect};

use crate::database::Database;
use crate::index::Index;
use crate::record::{Change, Record};
use crate::value::GlobalId;
use changeset::Changeset;

/// Who makes a change, as the log names them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Actor(pub String);

/// The people directory: one handle to its database and its index. Cheap to clone.
#[derive(Clone)]
pub struct Directory(Arc<Inner>);

struct Inner {
    database: Database,
    index: RwLock<Index>,
    /// Held while the index follows the log, so that two requests do not both apply the same changes.
    following: tokio::sync::Mutex<()>,
    clock: Clock,
}

impl Directory {
    /// Opens the directory in `database`: makes the built-in attributes where there are none, and loads the index.
    ///
    /// # Errors
    /// Where the database cannot be read or written.
    pub async fn open(database: Database, clock: Clock) -> Result<Self> {
        let index = scan::load(&database).await?;
        let directory = Self(Arc::new(Inner {
            database,
            index: RwLock::new(index),
            following: tokio::sync::Mutex::new(()),
            clock,
        }));
        if directory.version() == 0 {
            directory.create_built_in_attributes().await?;
        }
        Ok(directory)
    }

    /// The database.
    #[must_use]
    pub fn database(&self) -> &Database {
        &self.0.database
    }

    pub(crate) fn clock(&self) -> &Clock {
        &self.0.clock
    }

    /// The index, of the version that the last [`Directory::refresh`] brought. Not to be held across an await.
    pub fn index(&self) -> RwLockReadGuard<'_, Index> {
        self.0.index.read().unwrap_or_else(PoisonError::into_inner)
    }

    /// The version of the index: the number of the last changeset it has followed.
    #[must_use]
    pub fn version(&self) -> i64 {
        self.index().version()
    }

    /// Brings the index to the database's version, so that what any process has written before this call is seen
    /// after it. Gives the version.
    ///
    /// # Errors
    /// Where the database cannot be read.
    pub async fn refresh(&self) -> Result<i64> {
        let version = last_number(self.database().readers()).await?;
        if version <= self.version() {
            return Ok(self.version());
        }
        self.follow(self.database().readers()).await
    }

    /// Follows the log as `connection` sees it, to its end. Gives the version.
    async fn follow(&self, connection: &impl ConnectionTrait) -> Result<i64> {
        let _following = self.0.following.lock().await;
        let from = self.version();
        let behind = entity::changeset::Entity::find()
            .filter(entity::changeset::Column::Number.gt(from))
            .order_by_asc(entity::changeset::Column::Number)
            .all(connection)
            .await?;
        let Some(last) = behind.last() else { return Ok(from) };
        let much = i64::try_from(changeset::FOLLOW).unwrap_or(i64::MAX);
        if behind.iter().map(|changeset| changeset.change_count).sum::<i64>() > much {
            return self.reload().await;
        }
        let rows = change::Entity::find()
            .filter(change::Column::ChangesetNumber.gt(from))
            .filter(change::Column::ChangesetNumber.lte(last.number))
            .order_by_asc(change::Column::ChangesetNumber)
            .order_by_asc(change::Column::Position)
            .all(connection)
            .await?;
        let mut rows = rows.into_iter().peekable();
        for changeset in &behind {
            let mut changes = Vec::new();
            while let Some(row) = rows.next_if(|row| row.changeset_number == changeset.number) {
                changes.push(read_change(&row)?);
            }
            self.apply(changeset.number, changes);
        }
        if self.index().is_worn() { self.reload().await } else { Ok(last.number) }
    }

    /// Lets the index follow a changeset that this process has just committed; without its changes, from the tables.
    async fn committed(&self, number: i64, changes: Option<Vec<Change>>) -> Result<()> {
        let following = self.0.following.lock().await;
        match changes {
            Some(changes) if self.version() == number - 1 => {
                self.apply(number, changes);
                if self.index().is_worn() {
                    self.reload().await?;
                }
            }
            Some(_) if self.version() >= number => {}
            _ => {
                drop(following);
                self.refresh().await?;
            }
        }
        Ok(())
    }

    fn apply(&self, number: i64, changes: Vec<Change>) {
        self.0.index.write().unwrap_or_else(PoisonError::into_inner).apply(number, changes);
    }

    /// Loads the index afresh beside the one in use, and puts it in its place.
    async fn reload(&self) -> Result<i64> {
        let fresh = scan::load(self.database()).await?;
        let version = fresh.version();
        *self.0.index.write().unwrap_or_else(PoisonError::into_inner) = fresh;
        Ok(version)
    }

    async fn begin(&self, kind: entity::changeset::ChangesetKind, actor: &Actor) -> Result<Changeset> {
        Changeset::begin(self, kind, actor.clone()).await
    }
}

/// The number of the last changeset in the database; 0 before the first.
async fn last_number(connection: &impl ConnectionTrait) -> Result<i64> {
    let number: Option<Option<i64>> = entity::changeset::Entity::find()
        .select_only()
        .column_as(entity::changeset::Column::Number.max(), "number")
        .into_tuple()
        .one(connection)
        .await?;
    Ok(number.flatten().unwrap_or(0))
}

fn read_change(row: &change::Model) -> Result<Change> {
    use crate::record::RecordId as Id;
    use entity::change::Noun;
    let id = match row.noun {
        Noun::Attribute => Id::Attribute(GlobalId::from_uuid(row.record_id)),
        Noun::Integration => Id::Integration(GlobalId::from_uuid(row.record_id)),
        Noun::User => Id::User(GlobalId::from_uuid(row.record_id)),
        Noun::IntegrationAccount => Id::IntegrationAccount(GlobalId::from_uuid(row.record_id)),
        Noun::OrgUnit => Id::OrgUnit(GlobalId::from_uuid(row.record_id)),
    };
    let after = row.after.as_deref().map(|json| Record::from_json(row.noun, json)).transpose();
    Ok(Change { id, after: after.map_err(Error::internal)? })
}

/// The error that there is no record with this id.
fn missing<I: GlobalId>(id: I) -> Error {
    Error::not_found(I::NOUN, id.to_global())
}

/// Refuses a change to a record that has moved on since the client read it.
fn expect_version<I: GlobalId>(id: I, expected: Option<i64>, actual: i64) -> Result<()> {
    match expected {
        Some(expected) if expected != actual => {
            Err(Error::Conflict { noun: I::NOUN, key: id.to_global(), expected, actual })
        }
        _ => Ok(()),
    }
}
