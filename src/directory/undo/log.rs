//! Reading one changeset of the log: each record once, as it was before and after, some at a time.

use std::collections::{HashMap, HashSet};

use entity::change::{self, Column, Noun};
use sea_orm::sea_query::ExprTrait;
use sea_orm::{ColumnTrait, Condition, ConnectionTrait, EntityTrait, QueryFilter, QueryOrder, QuerySelect, Select};
use uuid::Uuid;

use crate::directory::error::{Error, Result};
use crate::record::{Record, RecordId};

/// Rows that are read at a time.
const ROWS: u64 = 1_000;

/// Pairs of a record and a changeset that are looked for at a time.
const ENDS: usize = 200;

/// What one changeset made of one record.
pub(super) struct Logged {
    pub(super) id: RecordId,
    /// Where the state after stands.
    place: i64,
    before: Option<String>,
    is_deleted: bool,
    /// Read only where it is asked for; see [`Log::read_after`].
    after: Option<String>,
}

impl Logged {
    /// Whether the changeset deleted the record.
    pub(super) fn is_deleted(&self) -> bool {
        self.is_deleted
    }

    /// The state before the changeset.
    pub(super) fn before(&self) -> Result<Option<Record>> {
        read(self.id, self.before.as_deref())
    }

    /// The state after it.
    pub(super) fn after(&self) -> Result<Option<Record>> {
        read(self.id, self.after.as_deref())
    }
}

fn read(id: RecordId, json: Option<&str>) -> Result<Option<Record>> {
    json.map(|json| Record::from_json(id.noun(), json)).transpose().map_err(Error::internal)
}

/// A row without the state after, which is seldom needed: place, noun, record, state before, and whether it was deleted.
type Row = (i64, Noun, Uuid, Option<String>, bool);

/// The log of one changeset.
pub(super) struct Log {
    number: i64,
    /// The first and the last place of records that it wrote more than once: a long changeset writes as it goes, and
    /// may come back to a record.
    repeated: HashMap<Uuid, (i64, i64)>,
}

impl Log {
    /// Finds what must be known of a changeset before it is read in parts.
    pub(super) async fn open(from: &impl ConnectionTrait, number: i64) -> Result<Self> {
        let rows: Vec<(Uuid, i64, i64)> = change::Entity::find()
            .select_only()
            .column(Column::RecordId)
            .column_as(Column::Position.min(), "first")
            .column_as(Column::Position.max(), "last")
            .filter(Column::ChangesetNumber.eq(number))
            .group_by(Column::RecordId)
            .having(Column::Position.count().gt(1))
            .into_tuple()
            .all(from)
            .await?;
        let repeated = rows.into_iter().map(|(record, first, last)| (record, (first, last))).collect();
        Ok(Self { number, repeated })
    }

    /// The records of which `condition` holds where they first stand, from the place `from_place` on, and the place to
    /// go on from; none where that is the end.
    pub(super) async fn read(
        &self,
        from: &impl ConnectionTrait,
        condition: Condition,
        from_place: i64,
    ) -> Result<(Vec<Logged>, Option<i64>)> {
        let query = self.rows().filter(Column::Position.gte(from_place)).filter(condition);
        let rows: Vec<Row> = query.order_by_asc(Column::Position).limit(ROWS).into_tuple().all(from).await?;
        let next = rows.last().filter(|_| rows.len() as u64 == ROWS).map(|(place, ..)| place + 1);
        Ok((self.whole(from, rows).await?, next))
    }

    /// The records of these ids; those that the changeset did not touch are left out.
    pub(super) async fn find(&self, from: &impl ConnectionTrait, ids: &[RecordId]) -> Result<Vec<Logged>> {
        let mut found = Vec::new();
        for ids in ids.chunks(1_000) {
            let query = self.rows().filter(Column::RecordId.is_in(ids.iter().map(|id| id.uuid())));
            found.extend(self.whole(from, query.into_tuple().all(from).await?).await?);
        }
        Ok(found)
    }

    fn rows(&self) -> Select<change::Entity> {
        change::Entity::find()
            .select_only()
            .columns([Column::Position, Column::Noun, Column::RecordId, Column::Before])
            .column_as(Column::After.is_null(), "is_deleted")
            .filter(Column::ChangesetNumber.eq(self.number))
    }

    /// Makes records of rows: of a record that has several, the first with the state after the last.
    async fn whole(&self, from: &impl ConnectionTrait, mut rows: Vec<Row>) -> Result<Vec<Logged>> {
        rows.retain(|(place, _, record, ..)| self.repeated.get(record).is_none_or(|(first, _)| first == place));
        let last: Vec<i64> = rows.iter().filter_map(|(_, _, record, ..)| Some(self.repeated.get(record)?.1)).collect();
        let mut deleted: HashSet<i64> = HashSet::new();
        if !last.is_empty() {
            let query = self.rows().filter(Column::Position.is_in(last)).filter(Column::After.is_null());
            let rows: Vec<Row> = query.into_tuple().all(from).await?;
            deleted.extend(rows.into_iter().map(|(place, ..)| place));
        }
        let logged = |(place, noun, record, before, is_deleted): Row| match self.repeated.get(&record) {
            None => Logged { id: RecordId::new(noun, record), place, before, is_deleted, after: None },
            Some((_, last)) => {
                let is_deleted = deleted.contains(last);
                Logged { id: RecordId::new(noun, record), place: *last, before, is_deleted, after: None }
            }
        };
        // Made and gone again within the changeset: nothing to undo.
        let is_change = |logged: &Logged| logged.before.is_some() || !logged.is_deleted;
        Ok(rows.into_iter().map(logged).filter(is_change).collect())
    }

    /// Reads the states after of records.
    pub(super) async fn read_after(
        &self,
        from: &impl ConnectionTrait,
        logged: impl Iterator<Item = &mut Logged>,
    ) -> Result<()> {
        let mut wanted: HashMap<i64, &mut Logged> = logged.map(|logged| (logged.place, logged)).collect();
        let places: Vec<i64> = wanted.keys().copied().collect();
        for places in places.chunks(1_000) {
            let rows: Vec<(i64, Option<String>)> = change::Entity::find()
                .select_only()
                .columns([Column::Position, Column::After])
                .filter(Column::ChangesetNumber.eq(self.number))
                .filter(Column::Position.is_in(places.iter().copied()))
                .into_tuple()
                .all(from)
                .await?;
            for (place, after) in rows {
                if let Some(logged) = wanted.get_mut(&place) {
                    logged.after = after;
                }
            }
        }
        Ok(())
    }

    /// The ids of the records of a noun that the changeset made, or of those that it deleted.
    pub(super) async fn made_or_deleted(
        &self,
        from: &impl ConnectionTrait,
        noun: Noun,
        which: Column,
    ) -> Result<Vec<Uuid>> {
        Ok(change::Entity::find()
            .select_only()
            .column(Column::RecordId)
            .filter(Column::ChangesetNumber.eq(self.number))
            .filter(Column::Noun.eq(noun))
            .filter(which.is_null())
            .into_tuple()
            .all(from)
            .await?)
    }

    /// The states that records had before the first of the later changesets that changed them; those that none has are
    /// left out.
    pub(super) async fn before_later(
        &self,
        from: &impl ConnectionTrait,
        ids: &[RecordId],
    ) -> Result<Vec<(RecordId, Option<Record>)>> {
        let mut found = HashMap::new();
        for ids in ids.chunks(ENDS) {
            let first: Vec<(Uuid, i64)> = change::Entity::find()
                .select_only()
                .column(Column::RecordId)
                .column_as(Column::ChangesetNumber.min(), "first")
                .filter(Column::RecordId.is_in(ids.iter().map(|id| id.uuid())))
                .filter(Column::ChangesetNumber.gt(self.number))
                .group_by(Column::RecordId)
                .into_tuple()
                .all(from)
                .await?;
            if first.is_empty() {
                continue;
            }
            let condition = first.iter().fold(Condition::any(), |any, (record, number)| {
                any.add(Column::RecordId.eq(*record).and(Column::ChangesetNumber.eq(*number)))
            });
            let query = change::Entity::find().filter(condition).order_by_asc(Column::Position);
            for row in query.all(from).await? {
                let id = RecordId::new(row.noun, row.record_id);
                found.entry(id).or_insert(row.before);
            }
        }
        found.into_iter().map(|(id, before)| Ok((id, read(id, before.as_deref())?))).collect()
    }

    /// The last changeset that changed each of these records.
    pub(super) async fn last_changesets(from: &impl ConnectionTrait, ids: &[RecordId]) -> Result<HashMap<Uuid, i64>> {
        if ids.is_empty() {
            return Ok(HashMap::new());
        }
        let rows: Vec<(Uuid, i64)> = change::Entity::find()
            .select_only()
            .column(Column::RecordId)
            .column_as(Column::ChangesetNumber.max(), "last")
            .filter(Column::RecordId.is_in(ids.iter().map(|id| id.uuid())))
            .group_by(Column::RecordId)
            .into_tuple()
            .all(from)
            .await?;
        Ok(rows.into_iter().collect())
    }
}

/// The records of these nouns.
pub(super) fn of(nouns: impl IntoIterator<Item = Noun>) -> Condition {
    Condition::all().add(Column::Noun.is_in(nouns))
}
