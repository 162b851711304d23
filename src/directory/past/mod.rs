//! THE PAST. The directory as it was at any version or time, told by the log.
//!
//! An index of then is a copy of one at hand that travels along the log: back, by the state that each record had before
//! its first change after that version, or on. So filters mean what they meant, on the attributes, options, integrations
//! and units of then. Whole records come from the tables where they have not changed since, and else from the log
//! (`records`). What does not live here: how the members of a unit changed from then to then (`members`).

mod members;
mod records;

pub use members::{MembersChange, Moved, NAMED};

use std::cmp::{max, min};
use std::collections::HashSet;
use std::sync::{Arc, Mutex, PoisonError, Weak};
use std::time::Duration;

use chrono::{DateTime, NaiveDate, NaiveTime, SecondsFormat, SubsecRound, TimeDelta, Utc};
use entity::change::Noun;
use entity::{change, changeset};
use sea_orm::sea_query::{Expr, ExprTrait};
use sea_orm::{ColumnTrait, EntityTrait, QueryFilter, QueryOrder, QuerySelect};
use tokio::task::spawn_blocking;
use uuid::Uuid;

use super::error::{Error, Result};
use super::follow::{ROWS, Successor};
use super::{Directory, Inner};
use crate::index::{Index, Loader};
use crate::record::{Change, Record, RecordId};

/// How many indexes of the past are kept at hand.
const KEPT: usize = 3;
/// For how long one is kept that nobody asks, at least; twice as long at most.
const IDLE: Duration = Duration::from_secs(60);
/// How many walks along the log there are at a time; each has an index of its own.
const WALKS: usize = 2;

/// The nouns in the order in which a traveller must meet them: attributes before users who have values, users before
/// their accounts.
const NOUNS: [&[Noun]; 3] = [
    &[Noun::Attribute, Noun::Integration, Noun::OrgUnit, Noun::AssociationRules],
    &[Noun::User],
    &[Noun::IntegrationAccount],
];

/// A point in the directory's past.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum AsOf {
    /// After the changeset of this number; 0 is the empty directory before the first.
    Version(i64),
    /// After the last changeset that was made at this time or before it.
    Time(DateTime<Utc>),
    /// At the end of this day in UTC.
    Date(NaiveDate),
}

/// A version of the directory, and the day that it is seen on.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Moment {
    /// The version.
    pub version: i64,
    /// The day in UTC: what was today then.
    pub day: NaiveDate,
}

/// What is kept of the past.
pub(super) struct Past {
    /// The indexes at hand, the one that was asked last at the end.
    kept: Mutex<Vec<Kept>>,
    /// Held while an index travels, so that two requests do not both send one to the same version.
    travelling: tokio::sync::Mutex<()>,
    walks: tokio::sync::Semaphore,
}

struct Kept {
    index: Arc<Index>,
    /// Whether it was asked since the last sweep.
    is_used: bool,
}

impl Past {
    pub(super) fn new() -> Self {
        Self {
            kept: Mutex::default(),
            travelling: tokio::sync::Mutex::default(),
            walks: tokio::sync::Semaphore::new(WALKS),
        }
    }

    /// Keeps nothing any more: what was kept has values that were erased.
    pub(super) fn forget(&self) {
        self.kept.lock().unwrap_or_else(PoisonError::into_inner).clear();
    }

    fn at(&self, version: i64) -> Option<Arc<Index>> {
        let mut kept = self.kept.lock().unwrap_or_else(PoisonError::into_inner);
        let place = kept.iter().position(|kept| kept.index.version() == version)?;
        let mut found = kept.remove(place);
        found.is_used = true;
        let index = found.index.clone();
        kept.push(found);
        Some(index)
    }

    fn all(&self) -> Vec<Arc<Index>> {
        let kept = self.kept.lock().unwrap_or_else(PoisonError::into_inner);
        kept.iter().map(|kept| kept.index.clone()).collect()
    }

    /// Keeps an index. Says whether it is the only one.
    fn keep(&self, index: Arc<Index>) -> bool {
        let mut kept = self.kept.lock().unwrap_or_else(PoisonError::into_inner);
        let is_first = kept.is_empty();
        if kept.len() == KEPT {
            drop_aside(kept.remove(0).index);
        }
        kept.push(Kept { index, is_used: true });
        is_first
    }

    /// Lets go of what nobody has asked since the last sweep. Says whether anything is left.
    fn sweep(&self) -> bool {
        let mut kept = self.kept.lock().unwrap_or_else(PoisonError::into_inner);
        for old in kept.extract_if(.., |kept| !std::mem::take(&mut kept.is_used)) {
            drop_aside(old.index);
        }
        !kept.is_empty()
    }
}

/// Letting go of a large index takes a while.
fn drop_aside(index: Arc<Index>) {
    spawn_blocking(move || drop(index));
}

/// Sweeps from time to time for as long as something is kept.
async fn sweep(directory: Weak<Inner>) {
    loop {
        tokio::time::sleep(IDLE).await;
        let Some(inner) = directory.upgrade() else { return };
        if !inner.past.sweep() {
            return;
        }
    }
}

impl Directory {
    /// The version that the directory had at a point in its past, and the day that it was; `path` says where in the input
    /// the point stands. The day of a version is that of its changeset.
    ///
    /// # Errors
    /// `Invalid`, where there is no such version, or the time is yet to come.
    pub async fn moment(&self, point: AsOf, path: &str) -> Result<Moment> {
        let refused =
            |place: &str, message: String| Error::invalid(format!("{path}.{place}"), "OUT_OF_BOUNDS", message);
        let (place, until) = match point {
            AsOf::Version(wanted) => {
                let version = self.version();
                let is_known = (0..=version).contains(&wanted);
                let message = || format!("the directory has the versions 0 to {version}, not {wanted}");
                if !is_known {
                    return Err(refused("version", message()));
                }
                return Ok(Moment { version: wanted, day: self.day_of(wanted).await? });
            }
            // Both databases keep microseconds.
            AsOf::Time(time) => ("time", Some(time.trunc_subsecs(6))),
            AsOf::Date(day) => ("date", end_of(day)),
        };
        let now = self.clock().now();
        let is_to_come = || {
            let now = now.to_rfc3339_opts(SecondsFormat::Secs, true);
            refused(place, format!("that is yet to come; it is {now} now"))
        };
        // No other machine's clock is a day ahead of this one's.
        let until = until.filter(|until| *until < now + TimeDelta::days(1)).ok_or_else(is_to_come)?;
        let last: Option<(i64, DateTime<Utc>)> = changeset::Entity::find()
            .select_only()
            .columns([changeset::Column::Number, changeset::Column::CreatedAt])
            // Nothing was made before the epoch, and not every time before it can be asked of a database.
            .filter(changeset::Column::CreatedAt.lte(max(until, DateTime::UNIX_EPOCH)))
            .order_by_desc(changeset::Column::Number)
            .limit(1)
            .into_tuple()
            .one(self.database().readers())
            .await?;
        let (version, made) = last.unwrap_or_default();
        match point {
            AsOf::Date(day) if day > now.date_naive() => Err(is_to_come()),
            AsOf::Time(_) if until > max(now, made) => Err(is_to_come()),
            _ => Ok(Moment { version, day: until.date_naive() }),
        }
    }

    /// The day on which the changeset of a version was made.
    async fn day_of(&self, version: i64) -> Result<NaiveDate> {
        let changeset = self.find_changeset(version).await?;
        Ok(changeset.map(|changeset| changeset.created_at.date_naive()).unwrap_or_default())
    }

    /// The index of the directory as it was at `version`; which [day](Index::begin_day) it is must be told of it.
    ///
    /// The last few are kept for a minute or two; any other is a copy of the nearest at hand, and takes as long as the
    /// changes between the two take to read. It is made to its end even if nobody waits any longer, so that whoever asks
    /// again finds it.
    ///
    /// # Errors
    /// Where the database cannot be read, or there is no such version.
    pub async fn index_at(&self, version: i64) -> Result<Arc<Index>> {
        let directory = self.whole();
        let index = match directory.at_hand(version) {
            Some(index) => index,
            None => tokio::spawn(async move { directory.bring(version).await }).await.map_err(Error::internal)??,
        };
        Ok(self.see(index))
    }

    async fn bring(&self, version: i64) -> Result<Arc<Index>> {
        let _travelling = self.0.past.travelling.lock().await;
        if version > self.version() {
            self.refresh().await?;
        }
        if let Some(index) = self.at_hand(version) {
            return Ok(index);
        }
        let base = self.nearest(version).await?;
        let index = Arc::new(self.travel(base, version).await?);
        if self.0.past.keep(index.clone()) {
            tokio::spawn(sweep(Arc::downgrade(&self.0)));
        }
        Ok(index)
    }

    fn at_hand(&self, version: i64) -> Option<Arc<Index>> {
        let index = self.index();
        if index.version() == version { Some(Arc::new(index.clone())) } else { self.0.past.at(version) }
    }

    /// Of the index of now, those that are kept, and that of the empty directory, the one from which the fewest changes
    /// lead to `version`.
    async fn nearest(&self, version: i64) -> Result<Index> {
        let now = self.snapshot();
        if !(0..=now.version()).contains(&version) {
            return Err(Error::internal(format!("there is no version {version}")));
        }
        let empty = Loader::new(0, Vec::new(), Vec::new()).finish(Vec::new());
        let kept = self.0.past.all();
        let mut nearest = (self.distance(version, now.version()).await?, &now);
        for index in kept.iter().map(Arc::as_ref).chain([&empty]) {
            let distance = self.distance(version, index.version()).await?;
            if distance < nearest.0 {
                nearest = (distance, index);
            }
        }
        Ok(nearest.1.clone())
    }

    /// How many changes lie between two versions.
    async fn distance(&self, one: i64, other: i64) -> Result<i64> {
        let count: Option<Option<i64>> = changeset::Entity::find()
            .select_only()
            .column_as(changeset::Column::ChangeCount.sum().cast_as("bigint"), "count")
            .filter(changeset::Column::Number.gt(min(one, other)))
            .filter(changeset::Column::Number.lte(max(one, other)))
            .into_tuple()
            .one(self.database().readers())
            .await?;
        Ok(count.flatten().unwrap_or(0))
    }

    /// Takes an index along the log to another version, back or on.
    async fn travel(&self, index: Index, to: i64) -> Result<Index> {
        let is_back = to < index.version();
        let (low, high) = (min(to, index.version()), max(to, index.version()));
        let state = if is_back { change::Column::Before } else { change::Column::After };
        let traveller = Successor::begin(index);
        for nouns in NOUNS {
            let mut met = HashSet::new();
            let place = || Expr::tuple([change::Column::ChangesetNumber, change::Column::Position].map(Expr::column));
            let (mut number, mut position) = (low, i64::MAX);
            loop {
                let mut rows: Vec<(i64, i64, Noun, Uuid, Option<String>)> = change::Entity::find()
                    .select_only()
                    .columns([change::Column::ChangesetNumber, change::Column::Position, change::Column::Noun])
                    .columns([change::Column::RecordId, state])
                    .filter(place().gt(Expr::tuple([number, position].map(Expr::value))))
                    .filter(change::Column::ChangesetNumber.lte(high))
                    .filter(change::Column::Noun.is_in(nouns.iter().copied()))
                    .order_by_asc(change::Column::ChangesetNumber)
                    .order_by_asc(change::Column::Position)
                    .limit(ROWS)
                    .into_tuple()
                    .all(self.database().readers())
                    .await?;
                let Some(&(last_number, last_position, ..)) = rows.last() else { break };
                (number, position) = (last_number, last_position);
                if is_back {
                    // What a record was then stands before its first change since.
                    rows.retain(|(_, _, _, record, _)| met.insert(*record));
                }
                let read = spawn_blocking(move || {
                    rows.into_iter().map(|(_, _, noun, record, state)| read(noun, record, state)).collect::<Result<_>>()
                });
                traveller.follow(read.await.map_err(Error::internal)??).await;
            }
        }
        traveller.finish(to).await?.ok_or_else(|| Error::internal("an attribute came after users"))
    }
}

/// The last moment of a day that both databases know.
fn end_of(day: NaiveDate) -> Option<DateTime<Utc>> {
    let next = day.succ_opt()?.and_time(NaiveTime::MIN).and_utc();
    next.checked_sub_signed(TimeDelta::microseconds(1))
}

fn read(noun: Noun, record: Uuid, state: Option<String>) -> Result<Change> {
    let state = state.map(|json| Record::from_json(noun, &json)).transpose();
    Ok(Change { id: RecordId::new(noun, record), after: state.map_err(Error::internal)? })
}

#[cfg(test)]
mod tests;
