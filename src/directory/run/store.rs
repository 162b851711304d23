//! The rows of runs, and of how far each integration has been read.

use std::collections::HashMap;

use chrono::{DateTime, Duration, Utc};
use entity::integration_run::{self, Column, RunState};
use entity::integration_state::{self, Column as StateColumn};
use entity::{IntegrationId, IntegrationRunId, changeset};
use sea_orm::sea_query::{Expr, ExprTrait, OnConflict, Query};
use sea_orm::{
    ColumnTrait, ConnectionTrait, EntityTrait, IntoActiveModel, Order, PaginatorTrait, QueryFilter, QueryOrder,
    QuerySelect,
};
use uuid::Uuid;

use crate::database::Database;
use crate::directory::history::{ChangePage, Range, page};
use crate::directory::{Result, lease};

/// Days after which a run is removed from the history.
const KEPT_DAYS: i64 = 90;
/// Runs that are removed at a time.
const SOME: u64 = 500;

/// The states of a run that waits or is being worked on.
pub(super) const ACTIVE: [RunState; 2] = [RunState::Queued, RunState::Running];

/// A change to a run's row.
pub(super) type Update = lease::Update<integration_run::Entity>;

impl lease::Job for integration_run::Entity {
    type Id = IntegrationRunId;
    type State = RunState;
    const ID: Self::Column = Column::Id;
    const STATE: Self::Column = Column::State;
    const WORKER: Self::Column = Column::Worker;
    const LEASED_UNTIL: Self::Column = Column::LeasedUntil;
    const UPDATED_AT: Self::Column = Column::UpdatedAt;
}

/// Makes a run, and notes it as the integration's last one.
///
/// # Errors
/// `AlreadyExists` where one is under way; `InUse` where the integration is gone.
pub(super) async fn insert(connection: &impl ConnectionTrait, row: &integration_run::Model) -> Result<()> {
    integration_run::Entity::insert(row.clone().into_active_model()).exec_without_returning(connection).await?;
    let state = integration_state::Model { last_run_id: Some(row.id), ..unread(row.integration_id) };
    let over = OnConflict::column(StateColumn::IntegrationId).update_column(StateColumn::LastRunId).to_owned();
    integration_state::Entity::insert(state.into_active_model())
        .on_conflict(over)
        .exec_without_returning(connection)
        .await?;
    Ok(())
}

/// The state of an integration of which nothing has been read.
pub(super) fn unread(id: IntegrationId) -> integration_state::Model {
    integration_state::Model {
        integration_id: id,
        last_run_id: None,
        cursor: None,
        cursor_of: None,
        cursor_version: 0,
        schedule_minutes: None,
        next_at: None,
        failures: 0,
    }
}

/// The run of an integration that is under way.
pub(super) async fn active(
    connection: &impl ConnectionTrait,
    of: IntegrationId,
) -> Result<Option<integration_run::Model>> {
    let query =
        integration_run::Entity::find().filter(Column::IntegrationId.eq(of)).filter(Column::State.is_in(ACTIVE));
    Ok(query.one(connection).await?)
}

pub(super) async fn find(database: &Database, id: IntegrationRunId) -> Result<Option<integration_run::Model>> {
    Ok(integration_run::Entity::find_by_id(id).one(database.readers()).await?)
}

pub(super) async fn find_many(
    database: &Database,
    ids: &[IntegrationRunId],
) -> Result<HashMap<IntegrationRunId, integration_run::Model>> {
    let query = integration_run::Entity::find().filter(Column::Id.is_in(ids.iter().copied()));
    Ok(query.all(database.readers()).await?.into_iter().map(|row| (row.id, row)).collect())
}

pub(super) async fn list(
    database: &Database,
    of: IntegrationId,
    range: Range<IntegrationRunId>,
) -> Result<ChangePage<integration_run::Model>> {
    let mut query = integration_run::Entity::find().filter(Column::IntegrationId.eq(of));
    if let Some(after) = range.after {
        query = query.filter(Column::Id.lt(after));
    }
    if let Some(before) = range.before {
        query = query.filter(Column::Id.gt(before));
    }
    let order = if range.from_end { Order::Asc } else { Order::Desc };
    let rows = query.order_by(Column::Id, order).limit(range.limit + 1).all(database.readers()).await?;
    Ok(page(rows, &range))
}

pub(super) async fn count(database: &Database, of: IntegrationId) -> Result<u64> {
    Ok(integration_run::Entity::find().filter(Column::IntegrationId.eq(of)).count(database.readers()).await?)
}

/// Runs that are under way and whose lease has run out.
pub(super) async fn abandoned(database: &Database, now: DateTime<Utc>) -> Result<Vec<integration_run::Model>> {
    let query = integration_run::Entity::find().filter(Column::State.is_in(ACTIVE)).filter(Column::LeasedUntil.lt(now));
    Ok(query.all(database.readers()).await?)
}

/// Gives up the leases of a process that is about to end, without counting that as an attempt that failed.
pub(super) async fn leave(database: &Database, worker: Uuid) -> Result<()> {
    let transaction = database.begin_side_write().await?;
    integration_run::Entity::update_many()
        .col_expr(Column::LeasedUntil, Expr::value(Some(DateTime::<Utc>::UNIX_EPOCH)))
        .col_expr(Column::Attempts, Expr::col(Column::Attempts).sub(1))
        .filter(Column::State.is_in(ACTIVE))
        .filter(Column::Worker.eq(worker))
        .exec(&transaction)
        .await?;
    Ok(database.commit(transaction).await?)
}

/// Removes runs that are long over; the last of each integration stays.
pub(super) async fn expire(database: &Database, now: DateTime<Utc>) -> Result<()> {
    let last = Query::select()
        .column(StateColumn::LastRunId)
        .from(integration_state::Entity)
        .and_where(Expr::col(StateColumn::LastRunId).is_not_null())
        .take();
    let old: Vec<IntegrationRunId> = integration_run::Entity::find()
        .select_only()
        .column(Column::Id)
        .filter(Column::CreatedAt.lt(now - Duration::days(KEPT_DAYS)))
        .filter(Column::State.is_not_in(ACTIVE))
        .filter(Column::Id.not_in_subquery(last))
        .limit(SOME)
        .into_tuple()
        .all(database.readers())
        .await?;
    if old.is_empty() {
        return Ok(());
    }
    let transaction = database.begin_side_write().await?;
    integration_run::Entity::delete_many().filter(Column::Id.is_in(old)).exec(&transaction).await?;
    Ok(database.commit(transaction).await?)
}

/// How far integrations have been read; those of which nothing was are left out.
pub(super) async fn states(
    connection: &impl ConnectionTrait,
    ids: &[IntegrationId],
) -> Result<Vec<integration_state::Model>> {
    let query = integration_state::Entity::find().filter(StateColumn::IntegrationId.is_in(ids.iter().copied()));
    Ok(query.all(connection).await?)
}

/// Remembers where the next run goes on, and that this one has succeeded.
pub(super) async fn keep_cursor(
    connection: &impl ConnectionTrait,
    of: IntegrationId,
    cursor: Option<String>,
    (settings, version): (String, i64),
) -> Result<()> {
    integration_state::Entity::update_many()
        .col_expr(StateColumn::Cursor, Expr::value(cursor))
        .col_expr(StateColumn::CursorOf, Expr::value(Some(settings)))
        .col_expr(StateColumn::CursorVersion, Expr::value(version))
        .col_expr(StateColumn::Failures, Expr::value(0))
        .filter(StateColumn::IntegrationId.eq(of))
        .exec(connection)
        .await?;
    Ok(())
}

/// Whether a changeset has been undone since a version, so that the directory may lack what was read before.
pub(super) async fn is_undone_since(connection: &impl ConnectionTrait, version: i64) -> Result<bool> {
    let query = changeset::Entity::find()
        .filter(changeset::Column::Undoes.is_not_null())
        .filter(changeset::Column::Number.gt(version));
    Ok(query.count(connection).await? > 0)
}
