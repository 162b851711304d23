//! The log without a person: rows about their records say no more than that there was a record, and rows about others' no
//! longer have their emails.

use entity::{change, erased_change};
use sea_orm::sea_query::{Expr, ExprTrait};
use sea_orm::{ColumnTrait, Condition, ConnectionTrait, EntityTrait, QueryFilter, QueryOrder, QuerySelect, Statement};
use uuid::Uuid;

use super::person::Person;
use crate::database::Transaction;
use crate::directory::changeset::{Changeset, Statements, digest_of};
use crate::directory::error::{Error, Result};

/// Rows that are read and rewritten at a time.
const ROWS: u64 = 200;

/// The next rows of the log after a place that are about some records, in their order.
pub(super) async fn about(
    from: &Transaction,
    records: &[Uuid],
    after: Option<(i64, i64)>,
) -> Result<Vec<change::Model>> {
    let place = Expr::tuple([change::Column::ChangesetNumber, change::Column::Position].map(Expr::column));
    let (number, position) = after.unwrap_or((0, -1));
    let rows = change::Entity::find()
        .filter(change::Column::RecordId.is_in(records.iter().copied()))
        .filter(place.gt(Expr::tuple([number, position].map(Expr::value))))
        .order_by_asc(change::Column::ChangesetNumber)
        .order_by_asc(change::Column::Position)
        .limit(ROWS);
    Ok(rows.all(from).await?)
}

/// Whether the log says anything of a record.
pub(super) async fn tells_of(from: &Transaction, record: Uuid) -> Result<bool> {
    let says = Condition::any().add(change::Column::Before.is_not_null()).add(change::Column::After.is_not_null());
    let rows = change::Entity::find().filter(change::Column::RecordId.eq(record)).filter(says);
    Ok(rows.one(from).await?.is_some())
}

/// Rewrites the log, with what the changeset that erases has logged itself. Gives how many rows that were, and the digest
/// of what it left of them.
pub(super) async fn rewrite(changeset: &Changeset, person: &Person) -> Result<(u64, chain::Digest)> {
    let from = changeset.transaction();
    let own: Vec<Uuid> = person.users.union(&person.accounts).copied().collect();
    for ids in own.chunks(1_000) {
        let mut place = None;
        loop {
            let rows = about(from, ids, place).await?;
            let Some(last) = rows.last() else { break };
            place = Some((last.changeset_number, last.position));
            let rows = rows.into_iter().filter(|row| row.before.is_some() || row.after.is_some());
            let rows = rows.map(|row| change::Model { before: None, after: None, ..row });
            write(changeset, rows.collect()).await?;
        }
    }
    let mut place = None;
    loop {
        let rows = person.page(from, place, false).await?;
        let Some(last) = rows.last() else { break };
        place = Some((last.changeset_number, last.position));
        let mut redacted = Vec::with_capacity(rows.len());
        for row in rows {
            let without = |json: &Option<String>| json.as_deref().map_or(Ok(None), |json| person.without(json));
            let (before, after) = (without(&row.before)?, without(&row.after)?);
            if before.is_some() || after.is_some() {
                redacted.push(change::Model { before: before.or(row.before), after: after.or(row.after), ..row });
            }
        }
        write(changeset, redacted).await?;
    }
    digest(from, changeset.number()).await
}

/// Writes rows over those that stood there, each with a salt of its own, and notes what their digests are since.
async fn write(changeset: &Changeset, rows: Vec<change::Model>) -> Result<()> {
    let (to, erasure) = (changeset.transaction(), changeset.number());
    let salts = changeset.directory().clock().salts(rows.len())?;
    let mut notes = Vec::with_capacity(rows.len());
    let backend = to.get_database_backend();
    for (mut row, salt) in rows.into_iter().zip(salts.chunks(chain::SALT)) {
        row.salt = salt.to_vec();
        let digest = digest_of(&row).to_vec();
        let (changeset_number, position) = (row.changeset_number, row.position);
        let sql = "UPDATE change SET before = $1, after = $2, salt = $3 WHERE changeset_number = $4 AND position = $5";
        let values = [row.before.into(), row.after.into(), row.salt.into(), changeset_number.into(), position.into()];
        to.execute_raw(Statement::from_sql_and_values(backend, sql, values)).await?;
        notes.push(erased_change::Model { erasure, changeset_number, position, digest });
    }
    let mut statements = Statements { backend, list: Vec::new() };
    statements.insert::<erased_change::Entity>(&notes);
    for statement in statements.list {
        to.execute_raw(statement).await?;
    }
    Ok(())
}

/// The digest of what an erasure left of rows of the log, and how many they are.
pub(in crate::directory) async fn digest(from: &impl ConnectionTrait, erasure: i64) -> Result<(u64, chain::Digest)> {
    let (mut digests, mut count) = (chain::Rows::default(), 0);
    let mut place = (0, -1);
    loop {
        let sql = format!(
            "SELECT * FROM erased_change WHERE erasure = {erasure} AND (changeset_number, position) > ({}, {}) \
             ORDER BY changeset_number, position LIMIT 1000",
            place.0, place.1
        );
        let statement = Statement::from_string(from.get_database_backend(), sql);
        let rows = erased_change::Entity::find().from_raw_sql(statement).all(from).await?;
        let Some(last) = rows.last() else { return Ok((count, digests.finish())) };
        place = (last.changeset_number, last.position);
        for row in rows {
            digests.add(&chain::erased(row.changeset_number, row.position, &row.digest));
            count += 1;
        }
    }
}

/// Refuses to undo a changeset where that would bring somebody back who was erased.
pub(in crate::directory) async fn refuse_erased(from: &impl ConnectionTrait, number: i64) -> Result<()> {
    let sql = format!(
        "SELECT count(*) FROM change WHERE changeset_number = {number} AND before IS NULL AND after IS NULL AND EXISTS \
         (SELECT 1 FROM erased_change AS erased WHERE erased.changeset_number = change.changeset_number AND \
         erased.position = change.position)"
    );
    let row = from.query_one_raw(Statement::from_string(from.get_database_backend(), sql)).await?;
    let count: i64 = row.map(|row| row.try_get_by_index(0)).transpose()?.unwrap_or_default();
    if count == 0 {
        return Ok(());
    }
    let message = format!(
        "changeset {number} changed {count} records of people who have been erased since, which nothing brings back; set \
         skipBlocked to undo the rest"
    );
    Err(Error::invalid("number", "ERASED", message))
}
