//! The chain: a digest of each change and of each changeset with the one before it. The log that there is gets them here,
//! a page at a time; where the step is stopped it begins anew.

use chain::{Change, Changeset, Digest, Rows, SALT, START};
use sea_orm_migration::prelude::*;
use sea_orm_migration::sea_orm::prelude::{DateTimeUtc, Uuid};
use sea_orm_migration::sea_orm::{DbBackend, QueryResult, Statement, Value};

/// Rows that are read and written at a time.
const ROWS: i64 = 200;

#[derive(DeriveMigrationName)]
pub(crate) struct Migration;

#[async_trait::async_trait]
impl MigrationTrait for Migration {
    fn use_transaction(&self) -> Option<bool> {
        Some(true)
    }

    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        // SQLite adds one column a statement.
        for (table, name) in [("changeset", "digest"), ("change", "salt"), ("change", "digest")] {
            let column = ColumnDef::new(name).blob().not_null().default(Vec::<u8>::new()).to_owned();
            manager.alter_table(Table::alter().table(table).add_column(column).to_owned()).await?;
        }
        let database = manager.get_connection();
        let (mut after, mut head) = (0_i64, START);
        loop {
            let sql = "SELECT number, kind, actor, change_count, undoes, created_at FROM changeset WHERE number > $1 \
                       ORDER BY number LIMIT $2";
            let changesets = rows(database, sql, [after.into(), ROWS.into()]).await?;
            for row in &changesets {
                after = row.try_get("", "number")?;
                head = seal(row, head, changes(database, after).await?)?;
                let values = [head.to_vec().into(), after.into()];
                run(database, "UPDATE changeset SET digest = $1 WHERE number = $2", values).await?;
            }
            if changesets.is_empty() {
                return Ok(());
            }
        }
    }

    async fn down(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        for (table, name) in [("change", "digest"), ("change", "salt"), ("changeset", "digest")] {
            manager.alter_table(Table::alter().table(table).drop_column(name).to_owned()).await?;
        }
        Ok(())
    }
}

fn seal(row: &QueryResult, before: Digest, changes: Rows) -> Result<Digest, DbErr> {
    let (kind, actor): (String, String) = (row.try_get("", "kind")?, row.try_get("", "actor")?);
    let created_at: DateTimeUtc = row.try_get("", "created_at")?;
    let changeset = Changeset {
        number: row.try_get("", "number")?,
        kind: &kind,
        actor: &actor,
        created_at: created_at.timestamp_micros(),
        change_count: row.try_get("", "change_count")?,
        undoes: row.try_get("", "undoes")?,
        erased: None,
    };
    Ok(changes.seal(&before, &changeset))
}

/// Gives each change of a changeset its digest.
async fn changes(database: &SchemaManagerConnection<'_>, changeset: i64) -> Result<Rows, DbErr> {
    let mut digests = Rows::default();
    let mut last = -1_i64;
    loop {
        let sql = "SELECT position, noun, record_id, before, after FROM change WHERE changeset_number = $1 \
                   AND position > $2 ORDER BY position LIMIT $3";
        let changes = rows(database, sql, [changeset.into(), last.into(), ROWS.into()]).await?;
        if changes.is_empty() {
            return Ok(digests);
        }
        let salts = chain::salts(changes.len()).map_err(|_| DbErr::Custom("the system gives no randomness".into()))?;
        let mut values: Vec<Value> = Vec::with_capacity(changes.len() * 3 + 1);
        for (row, salt) in changes.iter().zip(salts.chunks(SALT)) {
            last = row.try_get("", "position")?;
            let (noun, record): (String, Uuid) = (row.try_get("", "noun")?, row.try_get("", "record_id")?);
            let (before, after): (Option<String>, Option<String>) =
                (row.try_get("", "before")?, row.try_get("", "after")?);
            let digest = Change {
                changeset,
                position: last,
                noun: &noun,
                record: record.as_bytes(),
                salt,
                before: before.as_deref(),
                after: after.as_deref(),
            }
            .digest();
            digests.add(&digest);
            values.extend([last.into(), salt.to_vec().into(), digest.to_vec().into()]);
        }
        values.push(changeset.into());
        run(database, &update(database.get_database_backend(), changes.len()), values).await?;
    }
}

/// The statement that writes so many salts and digests, of one changeset.
fn update(backend: DbBackend, count: usize) -> String {
    let (place, salt) = match backend {
        DbBackend::Postgres => ("bigint", "bytea"),
        _ => ("integer", "blob"),
    };
    let row =
        |at: usize| format!("(CAST(${} AS {place}), CAST(${} AS {salt}), CAST(${} AS {salt}))", at, at + 1, at + 2);
    let list: Vec<String> = (0..count).map(|number| row(number * 3 + 1)).collect();
    format!(
        "WITH new(place, salt, digest) AS (VALUES {}) UPDATE change SET salt = new.salt, digest = new.digest FROM new \
         WHERE changeset_number = ${} AND change.position = new.place",
        list.join(", "),
        count * 3 + 1
    )
}

async fn rows(
    database: &SchemaManagerConnection<'_>,
    sql: &str,
    values: impl IntoIterator<Item = Value>,
) -> Result<Vec<QueryResult>, DbErr> {
    database.query_all_raw(Statement::from_sql_and_values(database.get_database_backend(), sql, values)).await
}

async fn run(
    database: &SchemaManagerConnection<'_>,
    sql: &str,
    values: impl IntoIterator<Item = Value>,
) -> Result<(), DbErr> {
    database.execute_raw(Statement::from_sql_and_values(database.get_database_backend(), sql, values)).await?;
    Ok(())
}
