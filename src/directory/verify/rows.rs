//! Rows of a table in the order of their keys, some at a time. One that is no row of Roster's is told, and left out.

use std::marker::PhantomData;

use entity::{
    AttributeId, ImportDraftId, IntegrationAccountId, IntegrationId, IntegrationRunId, OrgUnitId, TokenId, UserId,
};
use sea_orm::sea_query::{Expr, ExprTrait};
use sea_orm::{
    ConnectionTrait, DbBackend, EntityTrait, IdenStatic, Iterable, ModelTrait, PrimaryKeyToColumn, QueryFilter,
    QueryOrder, QuerySelect, QueryTrait, Select, Statement, Value,
};

use uuid::Uuid;

use super::{Result, Verify};
use crate::value::GlobalId;

/// Rows that are read at a time.
pub(super) const ROWS: u64 = if cfg!(test) { 3 } else { 500 };

/// A place in a table.
pub(super) struct Rows<E: EntityTrait> {
    /// The key of the last row that could be read.
    after: Option<Vec<Value>>,
    /// Rows after it that could not.
    unreadable: u64,
    entity: PhantomData<E>,
}

impl<E: EntityTrait> Rows<E> {
    /// The start of a table.
    pub(super) fn all() -> Self {
        Self { after: None, unreadable: 0, entity: PhantomData }
    }

    /// The next rows; none at the end.
    pub(super) async fn next(&mut self, verify: &mut Verify) -> Result<Vec<E::Model>> {
        loop {
            let query = self.query().limit(ROWS);
            let (rows, was_whole) = match query.all(&verify.transaction).await {
                Ok(rows) => (rows, true),
                Err(_) => (self.one_by_one(verify).await?, false),
            };
            if let Some(last) = rows.last() {
                self.after = Some(keys::<E>().map(|key| last.get(key)).collect());
                self.unreadable = if was_whole { 0 } else { self.unreadable };
            }
            if !rows.is_empty() || was_whole {
                return Ok(rows);
            }
        }
    }

    /// Up to as many rows, those left out that cannot be read. Nothing that the database says of them is told: it may be
    /// anything.
    async fn one_by_one(&mut self, verify: &mut Verify) -> Result<Vec<E::Model>> {
        let mut rows = Vec::new();
        let mut unreadable = 0;
        for at in 0..ROWS {
            match self.query().offset(self.unreadable + at).limit(1).one(&verify.transaction).await {
                Ok(Some(row)) => {
                    unreadable = 0;
                    rows.push(row);
                }
                Ok(None) => break,
                Err(_) => {
                    unreadable += 1;
                    let row = self.key_at(verify, self.unreadable + at).await?;
                    let message = "a column holds what it cannot";
                    let mend = "restore it from a backup that is sound";
                    let table = E::default().table_name();
                    verify.said.add(table, shown(table, &row), "UNREADABLE", message, mend);
                }
            }
        }
        self.unreadable = if rows.is_empty() { self.unreadable + unreadable } else { unreadable };
        Ok(rows)
    }

    fn query(&self) -> Select<E> {
        let mut query = E::find();
        if let Some(after) = &self.after {
            let place = Expr::tuple(keys::<E>().map(|key| Expr::col((E::default(), key))));
            query = query.filter(place.gt(Expr::tuple(after.iter().cloned().map(Expr::value))));
        }
        for key in keys::<E>() {
            query = query.order_by_asc(key);
        }
        // PostgreSQL and SQLite take an offset of none alike.
        query.offset(self.unreadable)
    }

    /// The key of a row, as text, whatever stands in it.
    async fn key_at(&self, verify: &Verify, offset: u64) -> Result<String> {
        let backend = verify.transaction.get_database_backend();
        let parts: Vec<String> = keys::<E>().map(|key| as_text(backend, key.as_str())).collect();
        let inner = self.query().offset(offset).limit(1).build(backend);
        let sql = format!("SELECT {} AS row FROM ({}) AS part", parts.join(" || '/' || "), inner.sql);
        let row = verify.transaction.query_one_raw(Statement { sql, ..inner }).await?;
        let text: Option<Option<String>> = row.map(|row| row.try_get("", "row")).transpose()?;
        Ok(text.flatten().unwrap_or_default())
    }
}

fn keys<E: EntityTrait>() -> impl Iterator<Item = E::Column> {
    E::PrimaryKey::iter().map(PrimaryKeyToColumn::into_column)
}

/// A column as text: that of an id as its hexadecimal digits.
pub(in crate::directory) fn as_text(backend: DbBackend, column: &str) -> String {
    match backend {
        DbBackend::Postgres => format!(
            "coalesce(CASE WHEN pg_typeof(\"{column}\") = 'uuid'::regtype THEN replace(\"{column}\"::text, '-', '') ELSE \
             \"{column}\"::text END, '')"
        ),
        _ => format!(
            "coalesce(CASE typeof(\"{column}\") WHEN 'blob' THEN lower(hex(\"{column}\")) ELSE \
             CAST(\"{column}\" AS text) END, '')"
        ),
    }
}

/// A key of a table as people see it: an id as clients do.
pub(in crate::directory) fn shown(table: &str, key: &str) -> String {
    let Ok(id) = Uuid::try_parse(key) else { return key.to_owned() };
    match table {
        "user" => UserId(id).to_global(),
        "attribute" => AttributeId(id).to_global(),
        "integration" | "integration_credential" | "integration_state" => IntegrationId(id).to_global(),
        "integration_account" => IntegrationAccountId(id).to_global(),
        "org_unit" => OrgUnitId(id).to_global(),
        "import_draft" => ImportDraftId(id).to_global(),
        "integration_run" => IntegrationRunId(id).to_global(),
        "token" => TokenId(id).to_global(),
        _ => key.to_owned(),
    }
}
