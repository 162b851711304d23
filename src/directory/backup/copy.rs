//! All rows of all tables, from one database to another of either kind.

use std::collections::HashSet;

use entity::{
    OrgUnitId, association_rules, attribute, change, changeset, column_mapping, erased_change, erased_record,
    import_draft, import_draft_change, import_draft_chunk, import_draft_problem, integration, integration_account,
    integration_credential, integration_run, integration_state, merge_decision, org_unit, org_unit_pin, token, user,
    user_email, user_merged_id,
};
use futures_util::TryStreamExt;
use sea_orm::{ConnectionTrait, EntityName, EntityTrait};

use crate::database::{Transaction, without_timeout};
use crate::directory::changeset::Statements;
use crate::directory::error::Result;
use crate::directory::verify::as_text;

/// Rows that are written at a time.
const ROWS: usize = 200;
/// Of the pieces of files, each of which is large.
const PIECES: usize = 4;

/// Calls `$each` with every table but that of org units, those first to which others refer.
macro_rules! tables {
    ($each:ident) => {
        $each!(changeset, ROWS);
        $each!(change, ROWS);
        $each!(erased_change, ROWS);
        $each!(erased_record, ROWS);
        $each!(attribute, ROWS);
        $each!(association_rules, ROWS);
        $each!(integration, ROWS);
        $each!(integration_credential, ROWS);
        $each!(integration_state, ROWS);
        $each!(integration_run, ROWS);
        $each!(user, ROWS);
        $each!(user_email, ROWS);
        $each!(user_merged_id, ROWS);
        $each!(integration_account, ROWS);
        $each!(org_unit_pin, ROWS);
        $each!(merge_decision, ROWS);
        $each!(token, ROWS);
        $each!(column_mapping, ROWS);
        $each!(import_draft, ROWS);
        $each!(import_draft_chunk, PIECES);
        $each!(import_draft_change, ROWS);
        $each!(import_draft_problem, ROWS);
    };
}

/// The names of all tables, those first to which others refer.
pub(super) fn names() -> Vec<&'static str> {
    let mut names = vec![org_unit::Entity.table_name()];
    macro_rules! name {
        ($table:ident, $rows:expr) => {
            names.push($table::Entity.table_name());
        };
    }
    tables!(name);
    names
}

/// Copies everything into tables with nothing in them.
pub(super) async fn all(from: &Transaction, to: &Transaction) -> Result<()> {
    without_timeout(from).await?;
    without_timeout(to).await?;
    org_units(from, to).await?;
    macro_rules! copy {
        ($table:ident, $rows:expr) => {
            table::<$table::Entity>(from, to, $rows).await?;
        };
    }
    tables!(copy);
    Ok(())
}

/// Takes all rows out of all tables.
pub(super) async fn clear(to: &Transaction) -> Result<()> {
    without_timeout(to).await?;
    // A unit stands in the way of the one above it, and as roots all need names of their own.
    let name = as_text(to.get_database_backend(), "id");
    to.execute_unprepared(&format!("UPDATE org_unit SET parent_id = NULL, name_key = ' ' || {name}")).await?;
    for name in names().into_iter().rev() {
        to.execute_unprepared(&format!("DELETE FROM \"{name}\"")).await?;
    }
    Ok(())
}

async fn table<E: EntityTrait>(from: &Transaction, to: &Transaction, rows: usize) -> Result<()> {
    let mut stream = E::find().stream(from).await?;
    let mut waiting = Vec::with_capacity(rows);
    while let Some(row) = stream.try_next().await? {
        waiting.push(row);
        if waiting.len() == rows {
            insert::<E>(to, &waiting).await?;
            waiting.clear();
        }
    }
    insert::<E>(to, &waiting).await
}

async fn insert<E: EntityTrait>(to: &Transaction, rows: &[E::Model]) -> Result<()> {
    let mut statements = Statements { backend: to.get_database_backend(), list: Vec::new() };
    statements.insert::<E>(rows);
    for statement in statements.list {
        to.execute_raw(statement).await?;
    }
    Ok(())
}

/// Copies the org units, each after the one above it.
async fn org_units(from: &Transaction, to: &Transaction) -> Result<()> {
    let mut left = org_unit::Entity::find().all(from).await?;
    let mut there: HashSet<OrgUnitId> = HashSet::new();
    while !left.is_empty() {
        let (next, rest): (Vec<_>, Vec<_>) =
            left.into_iter().partition(|unit| unit.parent_id.is_none_or(|parent| there.contains(&parent)));
        if next.is_empty() {
            // A circle, which verify has told of.
            return insert::<org_unit::Entity>(to, &rest).await;
        }
        insert::<org_unit::Entity>(to, &next).await?;
        there.extend(next.iter().map(|unit| unit.id));
        left = rest;
    }
    Ok(())
}
