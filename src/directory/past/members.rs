//! How the members of an org unit changed, changeset by changeset: one walk along the log, for lists of what was and for
//! those who hear of it as it happens.
//!
//! Any changeset may change the members of any unit: by a user, an attribute, an account, another unit. So a walk takes
//! an index from one version to the next, and looks at the members of the unit after each, on the day on which it was made.
//! Whoever is a member because a day has passed comes with the next changeset.

use chrono::NaiveDate;
use entity::{OrgUnitId, UserId, change, changeset};
use futures_util::{Stream, stream};
use sea_orm::{ColumnTrait, EntityTrait, QueryFilter, QueryOrder, QuerySelect};
use tokio::sync::watch;
use tokio::task::spawn_blocking;

use super::read;
use crate::directory::error::{Error, Result};
use crate::directory::follow::FEW;
use crate::directory::history::ChangePage;
use crate::directory::live::{PAGE, PAUSE};
use crate::directory::{Directory, missing};
use crate::index::{Index, Members};
use crate::record::Change;

/// The most changesets that one question walks along.
const LONGEST: i64 = 10_000;
/// How many of those who joined or left are named.
pub const NAMED: usize = 100;

/// What one changeset made of the members of an org unit.
#[derive(Clone, Debug)]
pub struct MembersChange {
    /// The changeset.
    pub changeset: changeset::Model,
    /// The org unit.
    pub org_unit: OrgUnitId,
    /// Whether there is the unit after it.
    pub exists: bool,
    /// How many members it has after it.
    pub member_count: u64,
    /// Who is a member after it and was not before.
    pub joined: Moved,
    /// Who was a member before it and is not after.
    pub left: Moved,
}

/// Users who joined or left.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Moved {
    /// How many they are.
    pub count: u64,
    /// The first hundred of them, in the order of their ids.
    pub first: Vec<UserId>,
}

/// What is different of the members from one version to another.
struct Difference {
    exists: bool,
    member_count: u64,
    joined: Moved,
    left: Moved,
}

impl Difference {
    /// What is different; none where nothing is. That the unit is gone is different, even if it had no members.
    fn of(unit: OrgUnitId, before: (&Index, &Members), after: (&Index, &Members), existed: bool) -> Option<Self> {
        let moved =
            |index: &Index, members: &Members| Moved { count: members.len(), first: index.first_by_id(members, NAMED) };
        let exists = after.0.org_unit(unit).is_some();
        let joined = moved(after.0, &after.0.without(after.1, before.0, before.1));
        let left = moved(before.0, &before.0.without(before.1, after.0, after.1));
        let is_any = joined.count + left.count > 0 || existed && !exists;
        is_any.then_some(Self { exists, member_count: after.1.len(), joined, left })
    }

    fn by(self, changeset: changeset::Model, org_unit: OrgUnitId) -> MembersChange {
        let Self { exists, member_count, joined, left } = self;
        MembersChange { changeset, org_unit, exists, member_count, joined, left }
    }
}

/// Where a walk has come to.
struct Walk {
    index: Index,
    unit: OrgUnitId,
    members: Members,
    exists: bool,
}

impl Walk {
    fn new(mut index: Index, unit: OrgUnitId, day: NaiveDate) -> Self {
        // From here on it numbers users by itself, and what is selected now can be compared with what comes.
        index.apply(index.version(), Vec::new());
        index.begin_day(day);
        Self { members: index.members_of_unit(unit), exists: index.org_unit(unit).is_some(), index, unit }
    }

    /// Goes on to each of some versions in turn. Gives what was different, and after which.
    fn steps(&mut self, changesets: Vec<(i64, NaiveDate, Vec<Change>)>) -> Vec<(i64, Difference)> {
        let mut found = Vec::new();
        for (number, day, changes) in changesets {
            self.index.apply(number, changes);
            self.index.begin_day(day);
            let members = self.index.members_of_unit(self.unit);
            // Of whom has left, the index still knows the ids.
            let (before, after) = ((&self.index, &self.members), (&self.index, &members));
            found.extend(Difference::of(self.unit, before, after, self.exists).map(|found| (number, found)));
            (self.members, self.exists) = (members, self.index.org_unit(self.unit).is_some());
        }
        found
    }

    /// Goes on to an index that has come to its version in another way.
    fn leap(&mut self, index: Index, day: NaiveDate) -> Option<(i64, Difference)> {
        let next = Self::new(index, self.unit, day);
        let (before, after) = ((&self.index, &self.members), (&next.index, &next.members));
        let found = Difference::of(self.unit, before, after, self.exists);
        *self = next;
        found.map(|found| (self.index.version(), found))
    }
}

impl Directory {
    /// The changesets after version `from`, up to version `to`, that changed who the members of an org unit are, in their
    /// order, and at most so many.
    ///
    /// # Errors
    /// `LimitExceeded`, where so many are not found among the first 10,000 changesets.
    pub async fn members_changes(
        &self,
        unit: OrgUnitId,
        from: i64,
        to: i64,
        limit: u64,
    ) -> Result<ChangePage<MembersChange>> {
        let enough = usize::try_from(limit).unwrap_or(usize::MAX);
        let mut rows = self.walk(unit, from, to, enough.saturating_add(1), LONGEST).await?;
        let has_next = rows.len() > enough;
        rows.truncate(enough);
        Ok(ChangePage { rows, has_next, has_previous: false })
    }

    /// Each changeset after version `after` that changes who the members of an org unit are, in their order: those that
    /// there are, and then each as it is made. It ends with the one that deletes the unit, and with the first error;
    /// while the database is away it waits.
    ///
    /// # Errors
    /// `NotFound`, where there is no such unit, neither then nor now.
    pub async fn members_changes_after(
        &self,
        unit: OrgUnitId,
        after: i64,
    ) -> Result<impl Stream<Item = Result<MembersChange>> + Send + use<>> {
        let exists = |index: &Index| index.org_unit(unit).is_some();
        if !exists(&self.index()) && !exists(self.index_at(after).await?.as_ref()) {
            return Err(missing(unit));
        }
        let mut listener = Listener {
            directory: self.clone(),
            versions: self.versions(),
            unit,
            after,
            known: None,
            found: Vec::new().into_iter(),
            is_over: false,
        };
        listener.known = listener.known_at(after).await?;
        Ok(stream::try_unfold(listener, async |mut listener| {
            Ok(listener.next().await?.map(|change| (change, listener)))
        }))
    }

    /// Walks along the log from one version to another, until so many changes are found, or too many changesets passed.
    async fn walk(
        &self,
        unit: OrgUnitId,
        from: i64,
        to: i64,
        enough: usize,
        longest: i64,
    ) -> Result<Vec<MembersChange>> {
        let _permit = self.0.past.walks.acquire().await.map_err(Error::internal)?;
        let index = self.index_at(from).await?.as_ref().clone();
        let day = self.day_of(from).await?;
        let mut walk = spawn_blocking(move || Walk::new(index, unit, day)).await.map_err(Error::internal)?;
        let mut found = Vec::new();
        let mut at = from;
        while at < to && found.len() < enough {
            if at - from >= longest {
                let what = "the number of changesets between two points in time";
                return Err(Error::LimitExceeded { what, limit: longest.cast_unsigned() });
            }
            let mut changesets = self.some_changesets(at, to).await?;
            let Some((last, day)) = changesets.last().map(|last| (last.number, last.created_at.date_naive())) else {
                break;
            };
            let steps;
            if changesets.len() == 1 && is_long(&changesets) {
                let index = self.travel(walk.index.clone(), last).await?;
                let leap = move || (walk.leap(index, day).into_iter().collect(), walk);
                (steps, walk) = spawn_blocking(leap).await.map_err(Error::internal)?;
            } else {
                let changes = self.changes_of(&changesets).await?;
                let go = move || (walk.steps(changes), walk);
                (steps, walk) = spawn_blocking(go).await.map_err(Error::internal)?;
            }
            for (number, difference) in steps {
                let place = changesets.iter().position(|changeset| changeset.number == number);
                found.extend(place.map(|place| difference.by(changesets.swap_remove(place), unit)));
            }
            at = last;
        }
        Ok(found)
    }

    /// The next changesets after one, up to another: one, or some that have few changes together.
    async fn some_changesets(&self, after: i64, upto: i64) -> Result<Vec<changeset::Model>> {
        let mut changesets = changeset::Entity::find()
            .filter(changeset::Column::Number.gt(after))
            .filter(changeset::Column::Number.lte(upto.min(after + PAGE)))
            .order_by_asc(changeset::Column::Number)
            .all(self.database().readers())
            .await?;
        while changesets.len() > 1 && is_long(&changesets) {
            changesets.pop();
        }
        Ok(changesets)
    }

    /// What each of these changesets, which follow each other, made of records.
    async fn changes_of(&self, changesets: &[changeset::Model]) -> Result<Vec<(i64, NaiveDate, Vec<Change>)>> {
        let number = |changeset: Option<&changeset::Model>| changeset.map_or(0, |changeset| changeset.number);
        let rows: Vec<(i64, change::Noun, uuid::Uuid, Option<String>)> = change::Entity::find()
            .select_only()
            .columns([change::Column::ChangesetNumber, change::Column::Noun, change::Column::RecordId])
            .column(change::Column::After)
            .filter(change::Column::ChangesetNumber.gte(number(changesets.first())))
            .filter(change::Column::ChangesetNumber.lte(number(changesets.last())))
            .order_by_asc(change::Column::ChangesetNumber)
            .order_by_asc(change::Column::Position)
            .into_tuple()
            .all(self.database().readers())
            .await?;
        let mut rows = rows.into_iter().peekable();
        let mut all = Vec::with_capacity(changesets.len());
        for changeset in changesets {
            let mut changes = Vec::new();
            while let Some((_, noun, record, state)) = rows.next_if(|(number, ..)| *number == changeset.number) {
                changes.push(read(noun, record, state)?);
            }
            all.push((changeset.number, changeset.created_at.date_naive(), changes));
        }
        Ok(all)
    }
}

/// Whether the changes of some changesets are too many to be held at once.
fn is_long(changesets: &[changeset::Model]) -> bool {
    let count: i64 = changesets.iter().map(|changeset| changeset.change_count).sum();
    usize::try_from(count).unwrap_or(usize::MAX) > FEW
}

/// The members of a unit, and whether there is the unit.
type Known = (Members, bool);

/// One who hears of the members of a unit. Nothing is queued: it has a place in the log, and reads on from there.
struct Listener {
    directory: Directory,
    versions: watch::Receiver<i64>,
    unit: OrgUnitId,
    /// The last number that is looked at.
    after: i64,
    /// The members after it, where the index in use stood there on the day of that changeset.
    known: Option<Known>,
    /// What is found and not yet given.
    found: std::vec::IntoIter<MembersChange>,
    is_over: bool,
}

impl Listener {
    async fn next(&mut self) -> Result<Option<MembersChange>> {
        loop {
            if self.is_over {
                return Ok(None);
            }
            if let Some(change) = self.found.next() {
                self.is_over = !change.exists;
                return Ok(Some(change));
            }
            let version = *self.versions.borrow_and_update();
            if version > self.after {
                match self.read(version.min(self.after + PAGE)).await {
                    Ok(found) => self.found = found.into_iter(),
                    Err(error) if error.is_retryable() => tokio::time::sleep(PAUSE).await,
                    Err(error) => return Err(error),
                }
            } else if self.versions.changed().await.is_err() {
                return Ok(None);
            }
        }
    }

    /// Looks at the changesets up to one. Where the index in use has just followed the next one, that is all there is to
    /// look at; else it takes a walk.
    async fn read(&mut self, upto: i64) -> Result<Vec<MembersChange>> {
        let Some((difference, known)) = self.look().await? else {
            let found = self.directory.walk(self.unit, self.after, upto, usize::MAX, i64::MAX).await?;
            // An error leaves the listener where it was, so that nothing is lost.
            self.known = self.known_at(upto).await?;
            self.after = upto;
            return Ok(found);
        };
        let mut found = Vec::new();
        if let Some(difference) = difference {
            let changeset = self.directory.find_changeset(self.after + 1).await?;
            found.extend(changeset.map(|changeset| difference.by(changeset, self.unit)));
        }
        self.after += 1;
        self.known = Some(known);
        Ok(found)
    }

    /// What the next changeset made of the members, and the members after it, if the index in use stands right there.
    async fn look(&self) -> Result<Option<(Option<Difference>, Known)>> {
        let Some((known, existed)) = &self.known else { return Ok(None) };
        let version = self.after + 1;
        if self.directory.index().version() != version {
            return Ok(None);
        }
        let day = self.day_of(version).await?;
        let index = self.directory.index();
        if !stands_at(&index, version, day) || index.epoch() != known.epoch() {
            return Ok(None);
        }
        let members = index.members_of_unit(self.unit);
        let difference = Difference::of(self.unit, (&index, known), (&index, &members), *existed);
        Ok(Some((difference, (members, index.org_unit(self.unit).is_some()))))
    }

    /// The members at a version, if the index in use stands there.
    async fn known_at(&self, version: i64) -> Result<Option<Known>> {
        if self.directory.index().version() != version {
            return Ok(None);
        }
        let day = self.day_of(version).await?;
        let index = self.directory.index();
        let known = || (index.members_of_unit(self.unit), index.org_unit(self.unit).is_some());
        Ok(stands_at(&index, version, day).then(known))
    }

    /// The day of a version's changeset; none where members are the same on every day.
    async fn day_of(&self, version: i64) -> Result<Option<NaiveDate>> {
        if !self.directory.index().has_relative_units() {
            return Ok(None);
        }
        self.directory.day_of(version).await.map(Some)
    }
}

/// Whether an index has the members of a version as they were on the day of its changeset. On a later day, whoever is a
/// member because a day has passed would be there too early, and never be told.
fn stands_at(index: &Index, version: i64, day: Option<NaiveDate>) -> bool {
    index.version() == version && (day == Some(index.today()) || !index.has_relative_units())
}
