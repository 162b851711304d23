//! DIFF. What differs between two versions of the directory, record by record, told by the log alone.

use std::collections::{BTreeSet, HashMap};

use entity::change::{self, Column, Noun};
use entity::changeset;
use sea_orm::sea_query::{Alias, Expr, ExprTrait, Func, Order, Query};
use sea_orm::{ColumnTrait, Condition, ConnectionTrait, EntityTrait, QueryFilter, QueryOrder, QuerySelect};
use serde::Serialize;
use serde_json::Value as Json;
use uuid::Uuid;

use super::Directory;
use super::error::{Error, Result};
use super::history::{ChangePage, Range, page};
use super::show::STAMPS;
use crate::record::{Record, RecordId};

/// Changes up to which all of them are gathered and sorted for each page; of more, the page is found by the index of
/// records.
const FEW: u64 = 20_000;

/// Records that are compared at a time, where a page passes over many that came back to what they were.
const AT_A_TIME: u64 = 200;

/// Which records to compare, and between which versions.
#[derive(Clone, Copy, Debug)]
pub struct DiffQuery {
    from: i64,
    to: i64,
    noun: Option<Noun>,
}

/// What became of a record between two versions.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub enum DiffKind {
    /// It was made.
    Created,
    /// It is otherwise.
    Updated,
    /// It was deleted.
    Deleted,
}

/// A record that differs between two versions.
#[derive(Clone, Debug)]
pub struct RecordDiff {
    /// Which record.
    pub id: RecordId,
    /// What became of it.
    pub kind: DiffKind,
    /// Its state at the first version.
    pub before: Option<Record>,
    /// Its state at the second version.
    pub after: Option<Record>,
    /// The last changeset up to the second version that changed it.
    pub changeset: i64,
}

/// One member of a record that differs.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct FieldChange {
    /// Its name in the API; `attributes.KEY` for a value.
    pub path: String,
    /// What it was; null where there was none.
    pub before: Json,
    /// What it became; null where there is none.
    pub after: Json,
}

/// A record that some changeset between the two versions changed, and the first and the last of those.
type Candidate = (Uuid, i64, i64);

impl RecordDiff {
    /// What people know the record by.
    #[must_use]
    pub fn label(&self) -> &str {
        self.after.as_ref().or(self.before.as_ref()).map(Record::label).unwrap_or_default()
    }
}

impl Directory {
    /// Checks two versions; without `to`, the second is the directory's.
    ///
    /// # Errors
    /// `Invalid`, where there is no such version, or the second comes before the first.
    pub fn diff(&self, from: i64, to: Option<i64>, noun: Option<Noun>) -> Result<DiffQuery> {
        let version = self.version();
        let to = to.unwrap_or(version);
        if !(0..=version).contains(&from) {
            let message = format!("the directory has the versions 0 to {version}, not {from}");
            return Err(Error::invalid("from", "OUT_OF_BOUNDS", message));
        }
        if !(from..=version).contains(&to) {
            let message = format!("this is a version from `from`, {from}, to the last, {version}; not {to}");
            return Err(Error::invalid("to", "OUT_OF_BOUNDS", message));
        }
        Ok(DiffQuery { from, to, noun })
    }

    /// A page of the records that differ, in the order of their ids.
    ///
    /// Three statements, however many changes lie between the versions. Up to 20,000 changes are gathered and sorted
    /// for each page, which takes some milliseconds; of more, the index of changes by record is read from the page's
    /// beginning on, past records that only other changesets have changed. Records that came back to what they were are
    /// read and passed over, two statements more for each 200 of them.
    ///
    /// # Errors
    /// Where the database cannot be read.
    pub async fn list_diff(&self, query: DiffQuery, range: Range<Uuid>) -> Result<ChangePage<RecordDiff>> {
        let is_few = self.is_few(query).await?;
        let wanted = usize::try_from(range.limit).unwrap_or(usize::MAX).saturating_add(1);
        let mut rows = Vec::new();
        let mut rest = range;
        let mut limit = range.limit + 1;
        while rows.len() < wanted {
            let candidates = self.candidates(query, &rest, is_few, limit).await?;
            let Some((last, ..)) = candidates.last() else { break };
            *(if range.from_end { &mut rest.before } else { &mut rest.after }) = Some(*last);
            let is_end = (candidates.len() as u64) < limit;
            rows.extend(self.compare(candidates).await?);
            if is_end {
                break;
            }
            limit = AT_A_TIME;
        }
        Ok(page(rows, &range))
    }

    /// How many records differ. Reads all of them.
    ///
    /// # Errors
    /// Where the database cannot be read.
    pub async fn count_diff(&self, query: DiffQuery) -> Result<u64> {
        let is_few = self.is_few(query).await?;
        let mut rest = Range::default();
        let mut count = 0;
        loop {
            let candidates = self.candidates(query, &rest, is_few, AT_A_TIME).await?;
            let is_end = (candidates.len() as u64) < AT_A_TIME;
            rest.after = candidates.last().map(|(id, ..)| *id);
            count += self.compare(candidates).await?.len() as u64;
            if is_end {
                return Ok(count);
            }
        }
    }

    /// The members in which the states of a record differ; of one that was made or deleted, all that hold something.
    ///
    /// # Errors
    /// `Internal`, where the log holds what cannot be read.
    pub fn field_changes(&self, diff: &RecordDiff) -> Result<Vec<FieldChange>> {
        let members = |record: &Option<Record>| record.as_ref().map(|record| self.show(record)).transpose();
        let mut before = members(&diff.before)?.map(flat).unwrap_or_default();
        let mut changes = Vec::new();
        for (path, after) in members(&diff.after)?.map(flat).unwrap_or_default() {
            let place = before.iter().position(|(known, _)| *known == path);
            let before = place.map_or(Json::Null, |place| before.remove(place).1);
            changes.push(FieldChange { path, before, after });
        }
        changes.extend(before.into_iter().map(|(path, before)| FieldChange { path, before, after: Json::Null }));
        changes.retain(|change| change.before != change.after);
        Ok(changes)
    }

    async fn is_few(&self, query: DiffQuery) -> Result<bool> {
        let counts: Vec<i64> = changeset::Entity::find()
            .select_only()
            .column(changeset::Column::ChangeCount)
            .filter(changeset::Column::Number.gt(query.from))
            .filter(changeset::Column::Number.lte(query.to))
            // As many changesets have as many changes at least.
            .limit(FEW + 1)
            .into_tuple()
            .all(self.database().readers())
            .await?;
        Ok(counts.iter().sum::<i64>().cast_unsigned() <= FEW)
    }

    /// The next records that some changeset between the versions has changed.
    async fn candidates(
        &self,
        query: DiffQuery,
        range: &Range<Uuid>,
        is_few: bool,
        limit: u64,
    ) -> Result<Vec<Candidate>> {
        let number = || Expr::col(Column::ChangesetNumber);
        // A sum is in no index, so that both databases find many changes by the index of records, and in its order.
        let compared = || if is_few { number() } else { number().add(0) };
        let between = Condition::all()
            .add(compared().gt(query.from))
            .add(compared().lte(query.to))
            .add_option(query.noun.map(|noun| Column::Noun.eq(noun)));
        let record = || Expr::col(Column::RecordId);
        let page = Condition::all()
            .add_option(range.after.map(|after| record().gt(after)))
            .add_option(range.before.map(|before| record().lt(before)));
        let mut select = Query::select();
        if is_few {
            // The limit, which is never reached, has both databases gather by number before they look at ids.
            let mut part = Query::select();
            part.columns([Column::RecordId, Column::ChangesetNumber]).from(change::Entity).cond_where(between);
            select.from_subquery(part.limit(FEW + 1).take(), Alias::new("part")).cond_where(page);
        } else {
            select.from(change::Entity).cond_where(between).cond_where(page);
        }
        let order = if range.from_end { Order::Desc } else { Order::Asc };
        select
            .column(Column::RecordId)
            .expr_as(Func::min(number()), Alias::new("first"))
            .expr_as(Func::max(number()), Alias::new("last"))
            .group_by_col(Column::RecordId)
            .order_by(Column::RecordId, order)
            .limit(limit);
        let rows = self.database().readers().query_all(&select).await?;
        let read = |row: &sea_orm::QueryResult| {
            Ok((row.try_get("", "record_id")?, row.try_get("", "first")?, row.try_get("", "last")?))
        };
        rows.iter().map(read).collect()
    }

    /// Those of `candidates`, in their order, that differ.
    async fn compare(&self, candidates: Vec<Candidate>) -> Result<Vec<RecordDiff>> {
        if candidates.is_empty() {
            return Ok(Vec::new());
        }
        let ends = candidates.iter().fold(Condition::any(), |ends, (record, first, last)| {
            let numbers = BTreeSet::from([*first, *last]);
            ends.add(Column::RecordId.eq(*record).and(Column::ChangesetNumber.is_in(numbers)))
        });
        let rows = change::Entity::find()
            .filter(ends)
            .order_by_asc(Column::ChangesetNumber)
            .order_by_asc(Column::Position)
            .all(self.database().readers())
            .await?;
        let mut whole: HashMap<Uuid, change::Model> = HashMap::with_capacity(candidates.len());
        for row in rows {
            match whole.get_mut(&row.record_id) {
                Some(known) => known.after = row.after,
                None => {
                    whole.insert(row.record_id, row);
                }
            }
        }
        let mut diffs = Vec::new();
        for (id, _, changeset) in candidates {
            let Some(row) = whole.remove(&id) else { continue };
            let read = |json: Option<&str>| json.map(|json| Record::from_json(row.noun, json)).transpose();
            let before = read(row.before.as_deref()).map_err(Error::internal)?;
            let after = read(row.after.as_deref()).map_err(Error::internal)?;
            let kind = match (&before, &after) {
                (None, None) => continue,
                (Some(before), Some(after)) if before.same_content(after) => continue,
                (None, Some(_)) => DiffKind::Created,
                (Some(_), Some(_)) => DiffKind::Updated,
                (Some(_), None) => DiffKind::Deleted,
            };
            diffs.push(RecordDiff { id: RecordId::new(row.noun, id), kind, before, after, changeset });
        }
        Ok(diffs)
    }
}

/// The members of a record that hold something, those of its values each for itself.
fn flat(record: Json) -> Vec<(String, Json)> {
    let Json::Object(members) = record else { return Vec::new() };
    let mut flat = Vec::with_capacity(members.len());
    for (name, member) in members {
        match member {
            Json::Object(values) if name == "attributes" => {
                flat.extend(values.into_iter().map(|(key, value)| (format!("{name}.{key}"), value)));
            }
            Json::Null => {}
            Json::Array(items) if items.is_empty() => {}
            member if name != "id" && !STAMPS.contains(&name.as_str()) => flat.push((name, member)),
            _ => {}
        }
    }
    flat
}
