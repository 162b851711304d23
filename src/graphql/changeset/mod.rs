//! CHANGESETS in the API: the log, and what became of one record. What does not live here: how a record is shown, which
//! the directory does, the log as it grows (`subscription`).

mod diff;
mod mutation;
mod subscription;

pub(crate) use diff::DiffQuery;
pub(crate) use mutation::ChangesetMutation;
pub(crate) use subscription::ChangesetSubscription;

use async_graphql::{Context, Description, Enum, ID, Object};
use entity::{change, changeset};

use super::context::ContextExt;
use super::error::{Failure, Result};
use super::loader::UndoneBy;
use super::page::{Connection, Edge, Paging, Slice, Total};
use super::scalar::{DateTime, Json};
use crate::directory::Error;
use crate::record::{Record, RecordId};
use crate::value::{GlobalId, hex};

/// What was done in a changeset.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Enum)]
#[graphql(remote = "entity::changeset::ChangesetKind")]
pub(crate) enum ChangesetKind {
    /// The built-in attributes were made.
    Initialize,
    /// A user was created, updated or deleted.
    User,
    /// An attribute was created, updated, moved or deleted.
    Attribute,
    /// An integration was created, updated or deleted.
    Integration,
    /// An account was linked to a user, or unlinked.
    Association,
    /// An integration reported its accounts.
    Sync,
    /// An org unit was created, updated, moved or deleted.
    OrgUnit,
    /// A CSV file was imported.
    Import,
    /// What another changeset had changed was put back.
    Undo,
    /// Org units were made of the values that users have, or brought into step with them.
    Generate,
    /// Users were merged into one.
    Merge,
    /// A part of a user became a user of its own, or a merged one came back.
    Split,
    /// A user was locked or unlocked, or users were marked as reviewed.
    Review,
    /// The rules of association were changed, and accounts and users with them.
    AssociationRules,
    /// A person was erased: user, accounts, and what the log said of them.
    Erase,
}

/// What kind of record a change is of.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Enum)]
#[graphql(remote = "entity::change::Noun")]
pub(crate) enum Noun {
    /// An attribute.
    Attribute,
    /// An integration.
    Integration,
    /// A user, with all emails.
    User,
    /// An account of an integration.
    IntegrationAccount,
    /// An org unit, with its pinned and excluded users.
    OrgUnit,
    /// The rules of association, of which there is one set.
    AssociationRules,
}

/// One atomic change to the directory. Changesets stand in one order, and the number of the last one is the version of
/// the directory.
#[derive(Clone, Debug, Description)]
pub(crate) struct Changeset(pub changeset::Model);

#[Object(use_type_description)]
impl Changeset {
    /// Its place in the order, from 1, without gaps.
    async fn number(&self) -> i64 {
        self.0.number
    }

    /// What was done.
    async fn kind(&self) -> ChangesetKind {
        self.0.kind.into()
    }

    /// Who did it.
    async fn actor(&self) -> &str {
        &self.0.actor
    }

    /// How many records changed.
    async fn change_count(&self) -> i64 {
        self.0.change_count
    }

    /// The number of the changeset that it undid; null where its kind is not `UNDO`.
    async fn undoes(&self) -> Option<i64> {
        self.0.undoes
    }

    /// The number of the last changeset that undid it, wholly or in part; null where none has. That one may be undone in
    /// turn.
    async fn undone_by(&self, ctx: &Context<'_>) -> Result<Option<i64>> {
        ctx.load(UndoneBy(self.0.number)).await
    }

    /// When it was made.
    async fn created_at(&self) -> DateTime {
        DateTime(self.0.created_at)
    }

    /// Its digest, a SHA-256 in hexadecimal: of the digest of the changeset before it, of what is said here, and of its
    /// changes. Whoever has kept the number and the digest of the last changeset can have `roster verify --head` tell
    /// whether anything up to it was altered.
    async fn digest(&self) -> String {
        hex(&self.0.digest)
    }

    /// The records that changed, each before and after.
    async fn changes(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "The most nodes, from the start; 1 to 100. 25 if `last` is not given either.")] first: Option<
            i32,
        >,
        #[graphql(desc = "Only nodes after this cursor.")] after: Option<String>,
        #[graphql(desc = "The most nodes, from the end; 1 to 100. Not together with `first`.")] last: Option<i32>,
        #[graphql(desc = "Only nodes before this cursor.")] before: Option<String>,
    ) -> Result<Connection<Change>> {
        let range = Paging { first, after, last, before }.numbers()?;
        let directory = ctx.directory()?;
        let page = directory.list_changes(self.0.number, range, asks_for_states(ctx)).await?;
        let slice = Slice { items: page.rows, has_previous: page.has_previous, has_next: page.has_next };
        let total = Total::Known(u64::try_from(self.0.change_count).unwrap_or_default());
        Ok(Connection::new(slice, total, directory.version(), |change: change::Model| Edge {
            cursor: change.position.to_string(),
            node: Change { changeset: self.0.clone(), change },
        }))
    }
}

/// What became of one record in a changeset.
#[derive(Clone, Debug, Description)]
pub(crate) struct Change {
    changeset: changeset::Model,
    change: change::Model,
}

impl Change {
    fn read(&self, ctx: &Context<'_>, json: Option<&str>) -> Result<Option<Json>> {
        let Some(json) = json else { return Ok(None) };
        let record = Record::from_json(self.change.noun, json).map_err(|cause| Failure(Error::internal(cause)))?;
        Ok(Some(Json(ctx.directory()?.show(&record)?)))
    }
}

#[Object(use_type_description)]
impl Change {
    /// The changeset that it is part of.
    async fn changeset(&self) -> Changeset {
        Changeset(self.changeset.clone())
    }

    /// What kind of record changed.
    async fn noun(&self) -> Noun {
        self.change.noun.into()
    }

    /// The id of the record, which may be deleted since.
    async fn record_id(&self) -> ID {
        ID(RecordId::new(self.change.noun, self.change.record_id).to_global())
    }

    /// The record before, as JSON with the names that the API uses; null where it was made, or erased since.
    async fn before(&self, ctx: &Context<'_>) -> Result<Option<Json>> {
        self.read(ctx, self.change.before.as_deref())
    }

    /// The record after, as JSON with the names that the API uses; null where it was deleted, or erased
    /// since.
    async fn after(&self, ctx: &Context<'_>) -> Result<Option<Json>> {
        self.read(ctx, self.change.after.as_deref())
    }
}

/// Whether a connection of changes is asked for the records before or after.
fn asks_for_states(ctx: &Context<'_>) -> bool {
    let node = ctx.look_ahead().field("edges").field("node");
    ["before", "after"].iter().any(|state| node.field(state).exists())
}

/// A page of what became of one record, newest first.
///
/// # Errors
/// `Invalid`, for the paging; where the database cannot be read.
pub(crate) async fn history(ctx: &Context<'_>, id: impl GlobalId, paging: &Paging) -> Result<Connection<Change>> {
    let range = paging.numbers()?;
    let directory = ctx.directory()?;
    let page = directory.list_history(id.uuid(), range, asks_for_states(ctx)).await?;
    let slice = Slice { items: page.rows, has_previous: page.has_previous, has_next: page.has_next };
    Ok(Connection::new(slice, Total::History(id.uuid()), directory.version(), |entry| Edge {
        cursor: entry.changeset.number.to_string(),
        node: Change { changeset: entry.changeset, change: entry.change },
    }))
}

/// Queries about the log.
#[derive(Debug, Default)]
pub(crate) struct ChangesetQuery;

#[Object]
impl ChangesetQuery {
    /// Everything that was done to the directory, newest first.
    async fn changesets(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "The most nodes, from the start; 1 to 100. 25 if `last` is not given either.")] first: Option<
            i32,
        >,
        #[graphql(desc = "Only nodes after this cursor.")] after: Option<String>,
        #[graphql(desc = "The most nodes, from the end; 1 to 100. Not together with `first`.")] last: Option<i32>,
        #[graphql(desc = "Only nodes before this cursor.")] before: Option<String>,
    ) -> Result<Connection<Changeset>> {
        let range = Paging { first, after, last, before }.numbers()?;
        let directory = ctx.directory()?;
        let page = directory.list_changesets(range).await?;
        let slice = Slice { items: page.rows, has_previous: page.has_previous, has_next: page.has_next };
        // Numbers begin at 1 and have no gaps, so the last one is also how many there are.
        let version = directory.version();
        let total = Total::Known(u64::try_from(version).unwrap_or_default());
        Ok(Connection::new(slice, total, version, |row: changeset::Model| Edge {
            cursor: row.number.to_string(),
            node: Changeset(row),
        }))
    }
}
