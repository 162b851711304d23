//! The log as clients read it: changesets, and what became of one record.

use std::collections::HashMap;
use std::collections::hash_map::Entry;

use entity::{change, changeset};
use sea_orm::sea_query::Expr;
use sea_orm::{
    ColumnTrait, EntityTrait, IdenStatic, Order, PaginatorTrait, QueryFilter, QueryOrder, QuerySelect, Select,
};
use uuid::Uuid;

use super::{Directory, Result};

/// One page of changesets or of a record's history, in the order asked for.
#[derive(Clone, Debug)]
pub struct ChangePage<T> {
    /// The rows, newest first.
    pub rows: Vec<T>,
    /// Whether there are more after the last one.
    pub has_next: bool,
    /// Whether there are more before the first one.
    pub has_previous: bool,
}

/// What one changeset made of one record, with that changeset.
#[derive(Clone, Debug)]
pub struct HistoryEntry {
    /// The changeset.
    pub changeset: changeset::Model,
    /// The state before the changeset and the one after it, whatever was between.
    pub change: change::Model,
}

/// Which part of a list. One that is numbered is read newest first: lower numbers stand after higher ones.
#[derive(Clone, Copy, Debug, Default)]
pub struct Range<C = i64> {
    /// Only rows that stand after this one.
    pub after: Option<C>,
    /// Only rows that stand before this one.
    pub before: Option<C>,
    /// The most rows.
    pub limit: u64,
    /// Whether to take the last rows rather than the first.
    pub from_end: bool,
}

/// Rows of the log. Each state is a whole record, so they are not read for those who do not ask for them.
fn changes(with_states: bool) -> Select<change::Entity> {
    use change::Column::{After, Before, ChangesetNumber, Digest, Noun, Position, RecordId, Salt};
    let all = change::Entity::find();
    if with_states {
        return all;
    }
    let some = all.select_only().columns([ChangesetNumber, Position, Noun, RecordId, Salt, Digest]);
    some.column_as(Expr::value(None::<String>), Before.as_str()).column_as(Expr::value(None::<String>), After.as_str())
}

impl Directory {
    /// A page of changesets, newest first.
    ///
    /// # Errors
    /// Where the database cannot be read.
    pub async fn list_changesets(&self, range: Range) -> Result<ChangePage<changeset::Model>> {
        let mut query = changeset::Entity::find();
        if let Some(after) = range.after {
            query = query.filter(changeset::Column::Number.lt(after));
        }
        if let Some(before) = range.before {
            query = query.filter(changeset::Column::Number.gt(before));
        }
        let order = if range.from_end { Order::Asc } else { Order::Desc };
        let rows = query
            .order_by(changeset::Column::Number, order)
            .limit(range.limit + 1)
            .all(self.database().readers())
            .await?;
        Ok(page(rows, &range))
    }

    /// A page of the changesets that changed one record, newest first, and what each made of it; the states before and after
    /// only with `with_states`.
    ///
    /// # Errors
    /// Where the database cannot be read.
    pub async fn list_history(
        &self,
        record: Uuid,
        range: Range,
        with_states: bool,
    ) -> Result<ChangePage<HistoryEntry>> {
        let mut query = change::Entity::find()
            .select_only()
            .column(change::Column::ChangesetNumber)
            .distinct()
            .filter(change::Column::RecordId.eq(record));
        if let Some(after) = range.after {
            query = query.filter(change::Column::ChangesetNumber.lt(after));
        }
        if let Some(before) = range.before {
            query = query.filter(change::Column::ChangesetNumber.gt(before));
        }
        let order = if range.from_end { Order::Asc } else { Order::Desc };
        let numbers: Vec<i64> = query
            .order_by(change::Column::ChangesetNumber, order)
            .limit(range.limit + 1)
            .into_tuple()
            .all(self.database().readers())
            .await?;
        let ChangePage { rows: numbers, has_next, has_previous } = page(numbers, &range);
        if numbers.is_empty() {
            return Ok(ChangePage { rows: Vec::new(), has_next, has_previous });
        }
        let changes = changes(with_states)
            .filter(change::Column::RecordId.eq(record))
            .filter(change::Column::ChangesetNumber.is_in(numbers.iter().copied()))
            .order_by_asc(change::Column::Position)
            .all(self.database().readers())
            .await?;
        // A long changeset writes as it goes, and may come back to a record that it has written.
        let mut whole: HashMap<i64, change::Model> = HashMap::with_capacity(numbers.len());
        for change in changes {
            match whole.entry(change.changeset_number) {
                Entry::Vacant(entry) => {
                    entry.insert(change);
                }
                Entry::Occupied(mut entry) => entry.get_mut().after = change.after,
            }
        }
        let changesets = changeset::Entity::find()
            .filter(changeset::Column::Number.is_in(numbers.iter().copied()))
            .all(self.database().readers())
            .await?;
        let mut changesets: HashMap<i64, changeset::Model> =
            changesets.into_iter().map(|row| (row.number, row)).collect();
        let entry =
            |number| Some(HistoryEntry { changeset: changesets.remove(&number)?, change: whole.remove(&number)? });
        Ok(ChangePage { rows: numbers.into_iter().filter_map(entry).collect(), has_next, has_previous })
    }
}

impl Directory {
    /// A changeset.
    ///
    /// # Errors
    /// Where the database cannot be read.
    pub async fn find_changeset(&self, number: i64) -> Result<Option<changeset::Model>> {
        Ok(changeset::Entity::find_by_id(number).one(self.database().readers()).await?)
    }

    /// The last changesets that undid these; those that none has are left out. One statement.
    ///
    /// # Errors
    /// Where the database cannot be read.
    pub async fn undone_by(&self, numbers: &[i64]) -> Result<HashMap<i64, i64>> {
        let rows: Vec<(i64, i64)> = changeset::Entity::find()
            .select_only()
            .column(changeset::Column::Undoes)
            .column_as(changeset::Column::Number.max(), "last")
            .filter(changeset::Column::Undoes.is_in(numbers.iter().copied()))
            .group_by(changeset::Column::Undoes)
            .into_tuple()
            .all(self.database().readers())
            .await?;
        Ok(rows.into_iter().collect())
    }

    /// How many changesets changed a record.
    ///
    /// # Errors
    /// Where the database cannot be read.
    pub async fn count_history(&self, record: Uuid) -> Result<u64> {
        let changes = change::Entity::find()
            .select_only()
            .column(change::Column::ChangesetNumber)
            .distinct()
            .filter(change::Column::RecordId.eq(record));
        Ok(changes.count(self.database().readers()).await?)
    }

    /// A page of one changeset's changes, in the order in which they were made. The range is of their positions, and
    /// `after` means a higher one here. The states before and after come only with `with_states`.
    ///
    /// # Errors
    /// Where the database cannot be read.
    pub async fn list_changes(
        &self,
        number: i64,
        range: Range,
        with_states: bool,
    ) -> Result<ChangePage<change::Model>> {
        let mut query = changes(with_states).filter(change::Column::ChangesetNumber.eq(number));
        if let Some(after) = range.after {
            query = query.filter(change::Column::Position.gt(after));
        }
        if let Some(before) = range.before {
            query = query.filter(change::Column::Position.lt(before));
        }
        let order = if range.from_end { Order::Desc } else { Order::Asc };
        let rows = query
            .order_by(change::Column::Position, order)
            .limit(range.limit + 1)
            .all(self.database().readers())
            .await?;
        Ok(page(rows, &range))
    }
}

/// Cuts the one row too many that tells whether there are more, and puts the rows in order.
pub(super) fn page<T, C>(mut rows: Vec<T>, range: &Range<C>) -> ChangePage<T> {
    let more = rows.len() as u64 > range.limit;
    rows.truncate(usize::try_from(range.limit).unwrap_or(usize::MAX));
    if range.from_end {
        rows.reverse();
        ChangePage { rows, has_next: range.before.is_some(), has_previous: more }
    } else {
        ChangePage { rows, has_next: more, has_previous: range.after.is_some() }
    }
}
