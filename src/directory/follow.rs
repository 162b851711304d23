//! Keeping the index at the database's version: few changes are followed in place, many on a copy that then takes the
//! index's place, and where it is less work the index is loaded anew.

use std::sync::PoisonError;

use entity::changeset::ChangesetKind;
use entity::{change, changeset};
use sea_orm::sea_query::{Expr, ExprTrait};
use sea_orm::{ColumnTrait, ConnectionTrait, EntityTrait, QueryFilter, QueryOrder, QuerySelect};
use tokio::sync::mpsc;
use tokio::task::{JoinHandle, spawn_blocking};

use super::error::{Error, Result};
use super::{Directory, read_change, scan};
use crate::database::Transaction;
use crate::index::{Follower, Index};
use crate::record::{Change, RecordId};

/// Changes up to which the index follows in place.
pub(super) const FEW: usize = if cfg!(test) { 20 } else { 20_000 };
/// Rows of the log that are read at a time, where there are many.
pub(super) const ROWS: u64 = if cfg!(test) { 7 } else { 5_000 };
/// Parts that wait for a copy to follow them.
const WAITING: usize = 2;

/// A copy of the index that follows changes on a thread of its own, while more of them are being written or read, and
/// is to take the index's place.
pub(super) struct Successor {
    parts: mpsc::Sender<Vec<Change>>,
    thread: JoinHandle<Follower>,
}

impl Successor {
    pub(super) fn begin(index: Index) -> Self {
        let (parts, mut waiting) = mpsc::channel(WAITING);
        let thread = spawn_blocking(move || {
            let mut follower = Follower::new(index);
            while let Some(part) = waiting.blocking_recv() {
                follower.follow(part);
            }
            follower
        });
        Self { parts, thread }
    }

    /// Hands over some more changes, as soon as few are waiting.
    pub(super) async fn follow(&self, part: Vec<Change>) {
        // Should the thread have failed, then `finish` tells.
        self.parts.send(part).await.ok();
    }

    /// The index of `version`; none where it must be loaded.
    pub(super) async fn finish(self, version: i64) -> Result<Option<Index>> {
        drop(self.parts);
        let follower = self.thread.await.map_err(Error::internal)?;
        spawn_blocking(move || follower.finish(version)).await.map_err(Error::internal)
    }
}

/// What the index has to follow when a changeset is committed.
pub(super) enum Pursuit {
    /// Few changes, which are kept.
    InPlace(Vec<Change>),
    /// Many, which a copy follows meanwhile; and how many users they delete.
    Beside(Successor, u64),
    /// So many users are deleted that what is left is loaded sooner than followed, and without a copy beside it.
    Afresh,
}

impl Pursuit {
    pub(super) fn begin() -> Self {
        Self::InPlace(Vec::new())
    }

    /// Adds changes that have been written.
    pub(super) async fn add(&mut self, directory: &Directory, changes: Vec<Change>) {
        match self {
            Self::Beside(successor, deleted) => {
                *deleted += deleted_users(&changes);
                // What is taken back in the end cannot be loaded.
                if !directory.is_rehearsal() && *deleted > directory.index().user_count() / 2 {
                    *self = Self::Afresh;
                } else {
                    successor.follow(changes).await;
                }
            }
            Self::InPlace(few) => {
                few.extend(changes);
                if few.len() > FEW {
                    let changes = std::mem::take(few);
                    let deleted = deleted_users(&changes);
                    let successor = Successor::begin(directory.whole().snapshot());
                    successor.follow(changes).await;
                    *self = Self::Beside(successor, deleted);
                }
            }
            Self::Afresh => {}
        }
    }
}

fn deleted_users(changes: &[Change]) -> u64 {
    changes.iter().filter(|change| matches!(change.id, RecordId::User(_)) && change.after.is_none()).count() as u64
}

impl Directory {
    /// Follows the log as `connection` sees it, to its end. Gives the version.
    pub(super) async fn follow(&self, connection: &impl ConnectionTrait) -> Result<i64> {
        Ok(self.follow_to_head(connection).await?.0)
    }

    /// Follows the log as `connection` sees it, to its end. Gives the version, and its digest.
    pub(super) async fn follow_to_head(&self, connection: &impl ConnectionTrait) -> Result<(i64, Vec<u8>)> {
        let _following = self.0.following.lock().await;
        self.keep_day();
        let from = self.version();
        // The last one that is followed already comes with the others, for its digest.
        let mut behind = changeset::Entity::find()
            .filter(changeset::Column::Number.gte(from))
            .order_by_asc(changeset::Column::Number)
            .all(connection)
            .await?;
        let head = behind.last().map_or_else(|| chain::START.to_vec(), |last| last.digest.clone());
        behind.retain(|changeset| changeset.number > from);
        Ok((self.follow_changesets(connection, from, &behind).await?, head))
    }

    /// Follows the changesets after version `from`. Gives the version.
    async fn follow_changesets(
        &self,
        connection: &impl ConnectionTrait,
        from: i64,
        behind: &[changeset::Model],
    ) -> Result<i64> {
        let Some(last) = behind.last() else { return Ok(from) };
        if behind.iter().any(|changeset| changeset.kind == ChangesetKind::Erase) {
            self.forget_past();
        }
        let count: i64 = behind.iter().map(|changeset| changeset.change_count).sum();
        let count = usize::try_from(count).unwrap_or(usize::MAX);
        if count <= FEW {
            self.follow_in_place(connection, from, behind).await?;
        } else if count as u64 > self.record_count() / 2 {
            return self.reload().await;
        } else {
            match self.follow_beside(connection, from, last.number).await? {
                Some(index) => self.replace(index),
                None => return self.reload().await,
            }
        }
        if self.index().is_worn() { self.reload().await } else { Ok(last.number) }
    }

    /// How many rows loading reads, about.
    fn record_count(&self) -> u64 {
        let index = self.index();
        index.user_count() + index.account_counts().0
    }

    async fn follow_in_place(
        &self,
        connection: &impl ConnectionTrait,
        from: i64,
        behind: &[changeset::Model],
    ) -> Result<()> {
        let rows = change::Entity::find()
            .filter(change::Column::ChangesetNumber.gt(from))
            .filter(change::Column::ChangesetNumber.lte(behind.last().map_or(from, |last| last.number)))
            .order_by_asc(change::Column::ChangesetNumber)
            .order_by_asc(change::Column::Position)
            .all(connection)
            .await?;
        let mut rows = rows.into_iter().peekable();
        for changeset in behind {
            let mut changes = Vec::new();
            while let Some(row) = rows.next_if(|row| row.changeset_number == changeset.number) {
                changes.push(read_change(&row)?);
            }
            self.apply(changeset.number, changes);
        }
        Ok(())
    }

    /// The index of version `to`, followed on a copy; none where it must be loaded.
    async fn follow_beside(&self, connection: &impl ConnectionTrait, from: i64, to: i64) -> Result<Option<Index>> {
        let successor = Successor::begin(self.whole().snapshot());
        let place = || Expr::tuple([change::Column::ChangesetNumber, change::Column::Position].map(Expr::column));
        let (mut number, mut position) = (from, i64::MAX);
        loop {
            let rows = change::Entity::find()
                .filter(place().gt(Expr::tuple([number, position].map(Expr::value))))
                .filter(change::Column::ChangesetNumber.lte(to))
                .order_by_asc(change::Column::ChangesetNumber)
                .order_by_asc(change::Column::Position)
                .limit(ROWS)
                .all(connection)
                .await?;
            let Some(last) = rows.last() else { return successor.finish(to).await };
            (number, position) = (last.changeset_number, last.position);
            let read = spawn_blocking(move || rows.iter().map(read_change).collect::<Result<Vec<_>>>());
            successor.follow(read.await.map_err(Error::internal)??).await;
        }
    }

    /// Commits changeset `number` and lets the index follow it, before anybody else finds it behind.
    pub(super) async fn commit(&self, transaction: Transaction, number: i64, pursuit: Pursuit) -> Result<()> {
        let is_long = !matches!(pursuit, Pursuit::InPlace(_));
        let (changes, successor) = match pursuit {
            Pursuit::InPlace(changes) => (Some(changes), None),
            Pursuit::Beside(successor, _) => (None, successor.finish(number).await?),
            Pursuit::Afresh => (None, None),
        };
        if self.is_rehearsal() {
            transaction.rollback().await?;
            match (changes, successor) {
                (Some(changes), _) => self.apply(number, changes),
                (None, Some(index)) => self.replace(index),
                (None, None) => return Err(Error::internal("users were changed before an attribute of theirs")),
            }
            return Ok(());
        }
        let following = self.0.following.lock().await;
        self.database().commit(transaction).await?;
        let must_load = match (changes, successor) {
            (Some(changes), _) => {
                self.apply(number, changes);
                self.index().is_worn()
            }
            (None, Some(index)) => {
                let is_worn = index.is_worn();
                self.replace(index);
                is_worn
            }
            (None, None) => true,
        };
        // What is committed is done: should the index not be loaded now, the next request sees that it is behind.
        if must_load && let Err(error) = self.reload().await {
            tracing::warn!(?error, version = number, "the index cannot be loaded yet");
        }
        // It waits for a connection, which may be with somebody who waits to follow.
        drop(following);
        if is_long && let Err(error) = self.database().settle().await {
            tracing::warn!(?error, "the database cannot be tidied up after a long changeset");
        }
        Ok(())
    }

    /// Gives up indexes of the past, which know whoever was erased.
    pub(super) fn forget_past(&self) {
        self.0.past.forget();
    }

    fn apply(&self, number: i64, changes: Vec<Change>) {
        self.0.index.write().unwrap_or_else(PoisonError::into_inner).apply(number, changes);
        self.0.versions.announce(number);
    }

    /// Has filters mean the day that it is: at midnight members change without any changeset.
    pub(super) fn keep_day(&self) {
        let today = self.clock().today();
        if self.index().today() != today {
            self.0.index.write().unwrap_or_else(PoisonError::into_inner).begin_day(today);
        }
    }

    /// Puts another index in the place of the one in use.
    fn replace(&self, mut fresh: Index) {
        fresh.begin_day(self.clock().today());
        let version = fresh.version();
        let old = std::mem::replace(&mut *self.0.index.write().unwrap_or_else(PoisonError::into_inner), fresh);
        self.0.versions.announce(version);
        // That takes a while.
        spawn_blocking(move || drop(old));
    }

    /// Loads the index afresh beside the one in use, and puts it in its place.
    async fn reload(&self) -> Result<i64> {
        let fresh = scan::load(self.database()).await?;
        let version = fresh.version();
        self.replace(fresh);
        Ok(version)
    }
}

#[cfg(test)]
pub(super) mod tests;
