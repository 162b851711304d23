//! Reading one changeset of the log: each record once, as it was before and after, some at a time.

use std::collections::HashMap;
use std::ops::Range;

use entity::UserId;
use entity::change::{self, Column, Noun};
use rustc_hash::{FxHashMap, FxHashSet};
use sea_orm::sea_query::ExprTrait;
use sea_orm::{
    ActiveEnum, ColumnTrait, Condition, ConnectionTrait, DbBackend, EntityTrait, Iterable, QueryFilter, QueryOrder,
    QuerySelect, QueryTrait, Select, Statement,
};
use uuid::Uuid;

use crate::directory::error::{Error, Result};
use crate::directory::scan;
use crate::record::{Record, RecordId};

/// Places that are read at a time.
const ROWS: i64 = if cfg!(test) { 3 } else { 1_000 };

/// Rows that are read at a time where their states are not.
const HEADS: i64 = 20_000;

/// Pairs of a record and a changeset that are looked for at a time.
const ENDS: usize = 200;

/// What one changeset made of one record.
pub(super) struct Logged {
    pub(super) id: RecordId,
    place: i64,
    before: Option<String>,
    after: Option<String>,
}

impl Logged {
    /// Where it stands in the changeset.
    pub(super) fn place(&self) -> i64 {
        self.place
    }

    /// Whether the changeset deleted the record.
    pub(super) fn is_deleted(&self) -> bool {
        self.after.is_none()
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

/// The log of one changeset.
pub(super) struct Log {
    number: i64,
    /// The place after its last.
    end: i64,
    /// The first and the last place of records that it wrote more than once: a long changeset writes as it goes, and
    /// may come back to a record.
    repeated: FxHashMap<Uuid, (i64, i64)>,
    /// Users that it made.
    pub(super) made: FxHashSet<UserId>,
    /// Users that it deleted.
    pub(super) deleted: FxHashSet<UserId>,
    /// Among which places records of a noun stand that it made, `true`, or found.
    kinds: FxHashMap<(Noun, bool), Range<i64>>,
    /// Records that later changesets have changed.
    later: FxHashSet<Uuid>,
    /// Whether a row has no state before nor after: it was made and gone within the changeset, or was erased.
    has_nothing: bool,
}

impl Log {
    /// Finds what must be known of a changeset before it is read in parts.
    pub(super) async fn open(from: &impl ConnectionTrait, number: i64) -> Result<Self> {
        let mut log = Self {
            number,
            end: 0,
            repeated: FxHashMap::default(),
            made: FxHashSet::default(),
            deleted: FxHashSet::default(),
            kinds: FxHashMap::default(),
            later: FxHashSet::default(),
            has_nothing: false,
        };
        let mut places: Vec<(Uuid, i64)> = Vec::new();
        let heads = |from: i64| {
            let range = Column::Position.gte(from).and(Column::Position.lt(from + HEADS));
            change::Entity::find().filter(Column::ChangesetNumber.eq(number)).filter(range)
        };
        for from_place in (0..).step_by(usize::try_from(HEADS).unwrap_or(1)) {
            let text = lines(from, &heads(from_place), States::Whether).await?;
            if text.is_empty() {
                break;
            }
            for line in text.lines() {
                let Line { place, noun, record, before, after } = Line::parse(line)?;
                let kind = log.kinds.entry((noun, before.is_none())).or_insert(place..place);
                *kind = Ord::min(kind.start, place)..Ord::max(kind.end, place + 1);
                log.end = Ord::max(log.end, place + 1);
                log.has_nothing |= before.is_none() && after.is_none();
                if noun == Noun::User && before.is_none() {
                    log.made.insert(UserId(record));
                }
                if noun == Noun::User && after.is_none() {
                    log.deleted.insert(UserId(record));
                }
                places.push((record, place));
            }
        }
        places.sort_unstable();
        for same in places.chunk_by(|(one, _), (other, _)| one == other).filter(|same| same.len() > 1) {
            if let (Some((record, first)), Some((_, last))) = (same.first(), same.last()) {
                log.repeated.insert(*record, (*first, *last));
            }
        }
        let later = change::Entity::find().select_only().column(Column::RecordId).distinct();
        let later: Vec<Uuid> = later.filter(Column::ChangesetNumber.gt(number)).into_tuple().all(from).await?;
        log.later.extend(later);
        Ok(log)
    }

    /// Whether some record has no state before nor after.
    pub(super) fn has_nothing(&self) -> bool {
        self.has_nothing
    }

    /// Whether a later changeset has changed a record.
    pub(super) fn is_changed_later(&self, id: RecordId) -> bool {
        self.later.contains(&id.uuid())
    }

    /// All places.
    pub(super) fn places(&self) -> Range<i64> {
        0..self.end
    }

    /// Among which places records of a noun stand that it made, or those that it found; none where there are none.
    pub(super) fn places_of(&self, noun: Noun, made: bool) -> Option<Range<i64>> {
        self.kinds.get(&(noun, made)).cloned()
    }

    /// The records of which `condition` holds where they first stand, of the first of some places, and the places that
    /// are left. A number of places, and not of records: to find those, a planner that does not know how many there are
    /// sorts all the rest.
    pub(super) async fn read(
        &self,
        from: &impl ConnectionTrait,
        condition: Condition,
        places: Range<i64>,
    ) -> Result<(Vec<Logged>, Option<Range<i64>>)> {
        let rest = places.start + ROWS..places.end;
        let here = Column::Position.gte(places.start).and(Column::Position.lt(Ord::min(rest.start, rest.end)));
        let rows = self.parse(&lines(from, &self.rows().filter(here).filter(condition), States::Text).await?)?;
        Ok((self.whole(from, rows).await?, Some(rest).filter(|rest| !rest.is_empty())))
    }

    /// The records of these ids; those that the changeset did not touch are left out.
    pub(super) async fn find(&self, from: &impl ConnectionTrait, ids: &[RecordId]) -> Result<Vec<Logged>> {
        let mut found = Vec::new();
        for ids in ids.chunks(1_000) {
            let query = self.rows().filter(Column::RecordId.is_in(ids.iter().map(|id| id.uuid())));
            let rows = self.parse(&lines(from, &query, States::Text).await?)?;
            found.extend(self.whole(from, rows).await?);
        }
        Ok(found)
    }

    fn rows(&self) -> Select<change::Entity> {
        change::Entity::find().filter(Column::ChangesetNumber.eq(self.number))
    }

    fn parse(&self, text: &str) -> Result<Vec<Logged>> {
        let mut rows = Vec::new();
        for line in text.lines() {
            let Line { place, noun, record, before, after } = Line::parse(line)?;
            let (before, after) = (before.map(str::to_owned), after.map(str::to_owned));
            rows.push(Logged { id: RecordId::new(noun, record), place, before, after });
        }
        rows.sort_by_key(|row| row.place);
        Ok(rows)
    }

    /// Makes records of rows: of a record that has several, the first with the state after the last.
    async fn whole(&self, from: &impl ConnectionTrait, mut rows: Vec<Logged>) -> Result<Vec<Logged>> {
        let places = |row: &Logged| self.repeated.get(&row.id.uuid());
        rows.retain(|row| places(row).is_none_or(|(first, _)| *first == row.place));
        let last: Vec<i64> = rows.iter().filter_map(|row| Some(places(row)?.1)).collect();
        if !last.is_empty() {
            let query = self.rows().filter(Column::Position.is_in(last));
            let ends = self.parse(&lines(from, &query, States::Text).await?)?;
            let mut ends: HashMap<RecordId, Option<String>> = ends.into_iter().map(|row| (row.id, row.after)).collect();
            for row in &mut rows {
                if let Some(after) = ends.remove(&row.id) {
                    row.after = after;
                }
            }
        }
        // Made and gone again within the changeset: nothing to undo.
        rows.retain(|row| row.before.is_some() || row.after.is_some());
        Ok(rows)
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

/// The records of a noun that the changeset made, or those that it found.
pub(super) fn of(noun: Noun, made: bool) -> Condition {
    let is_made = if made { Column::Before.is_null() } else { Column::Before.is_not_null() };
    Condition::all().add(Column::Noun.eq(noun)).add(is_made)
}

/// What is read of the states of records.
#[derive(Clone, Copy)]
enum States {
    /// All of them.
    Text,
    /// Whether there are any.
    Whether,
}

/// Rows of the log as one text, a line each: a fraction of what as many rows of columns cost.
async fn lines(from: &impl ConnectionTrait, rows: &Select<change::Entity>, states: States) -> Result<String> {
    let backend = from.get_database_backend();
    let state = |column: &str| match states {
        States::Text => format!("coalesce({column}, '')"),
        States::Whether => format!("CASE WHEN {column} IS NULL THEN '' ELSE '-' END"),
    };
    let (record, tab, concatenate, line_break) = match backend {
        DbBackend::Postgres => ("record_id::text", "chr(9)", "string_agg", "chr(10)"),
        _ => ("hex(record_id)", "char(9)", "group_concat", "char(10)"),
    };
    let columns = ["position".to_owned(), "noun".to_owned(), record.to_owned(), state("before"), state("after")];
    let line = columns.join(&format!(" || {tab} || "));
    let inner = rows.clone().select_only().columns(Column::iter()).build(backend);
    let sql = format!("SELECT {concatenate}({line}, {line_break}) AS lines FROM ({}) AS part", inner.sql);
    scan::read(from, Statement { sql, ..inner }).await
}

/// A row of the log. Its states are JSON, in which neither a tab nor a line break stands as it is.
struct Line<'a> {
    place: i64,
    noun: Noun,
    record: Uuid,
    before: Option<&'a str>,
    after: Option<&'a str>,
}

impl<'a> Line<'a> {
    fn parse(line: &'a str) -> Result<Self> {
        let mut cells = line.split('\t');
        let mut cell = || cells.next().ok_or_else(|| Error::internal("a row of the log lacks a column"));
        let place = cell()?.parse().map_err(Error::internal)?;
        let noun = Noun::try_from_value(&cell()?.to_owned())?;
        let record = Uuid::try_parse(cell()?).map_err(Error::internal)?;
        let mut state = || Ok::<_, Error>(Some(cell()?).filter(|state| !state.is_empty()));
        Ok(Self { place, noun, record, before: state()?, after: state()? })
    }
}
