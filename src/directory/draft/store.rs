//! The rows of drafts.

use std::fs::File;
use std::io::{Read, Seek, SeekFrom, Write};
use std::path::Path;
use std::sync::Arc;

use chrono::{DateTime, Duration, Utc};
use entity::ImportDraftId;
use entity::import_draft::{self, DraftState};
use entity::{import_draft_change, import_draft_chunk, import_draft_problem};
use sea_orm::{
    ColumnTrait, ConnectionTrait, EntityTrait, IntoActiveModel, Order, PaginatorTrait, QueryFilter, QueryOrder,
    QuerySelect,
};
use sha2::{Digest, Sha256};
use uuid::Uuid;

use crate::database::Database;
use crate::directory::csv::{ChangeKind, Problem, RowChange};
use crate::directory::history::{ChangePage, Range, page};
use crate::directory::{Directory, Error, Result, lease};
use crate::value::hex;

/// The bytes of one piece of a file.
const CHUNK: usize = 1 << 20;
/// Rows in one statement.
const ROWS: usize = 500;

/// A page of what a comparison found.
pub type DraftPage<T> = ChangePage<(i64, T)>;

/// How many bytes a file has, and their SHA-256 in hex.
pub(super) async fn measure(file: Arc<File>) -> Result<(u64, String)> {
    blocking(move || {
        let mut file: &File = &file;
        file.seek(SeekFrom::Start(0))?;
        let mut digest = Sha256::new();
        let mut buffer = vec![0; CHUNK];
        let mut bytes = 0;
        loop {
            let read = file.read(&mut buffer)?;
            if read == 0 {
                return Ok((bytes, hex(&digest.finalize())));
            }
            digest.update(&buffer[..read]);
            bytes += read as u64;
        }
    })
    .await
}

async fn blocking<T: Send + 'static>(work: impl FnOnce() -> std::io::Result<T> + Send + 'static) -> Result<T> {
    Ok(tokio::task::spawn_blocking(work).await.map_err(Error::internal)??)
}

/// Makes a draft with its file, a piece at a time, so that no other write waits long. The row comes first: should the
/// process stop in between, the draft is found to be incomplete. Whether the draft is still this process's work then.
pub(super) async fn insert(directory: &Directory, row: import_draft::Model, file: Arc<File>) -> Result<bool> {
    let (database, id, worker) = (directory.database(), row.id, directory.worker());
    let transaction = database.begin_side_write().await?;
    import_draft::Entity::insert(row.into_active_model()).exec_without_returning(&transaction).await?;
    database.commit(transaction).await?;
    for position in 0.. {
        let file = file.clone();
        let bytes = blocking(move || read_piece(&file, position)).await?;
        if bytes.is_empty() {
            break;
        }
        let position = i64::try_from(position).unwrap_or(i64::MAX);
        let transaction = database.begin_side_write().await?;
        let until = directory.clock().now() + lease::LEASE;
        let lease = Update::of(id, DraftState::Comparing).leased_by(worker).lease(worker, until);
        if !lease.run(&transaction).await? {
            transaction.rollback().await?;
            return Ok(false);
        }
        let piece = import_draft_chunk::Model { draft_id: id, position, bytes };
        import_draft_chunk::Entity::insert(piece.into_active_model()).exec_without_returning(&transaction).await?;
        database.commit(transaction).await?;
    }
    Ok(true)
}

fn read_piece(mut file: &File, position: u64) -> std::io::Result<Vec<u8>> {
    file.seek(SeekFrom::Start(position * CHUNK as u64))?;
    let mut bytes = Vec::with_capacity(CHUNK);
    file.take(CHUNK as u64).read_to_end(&mut bytes)?;
    Ok(bytes)
}

/// The file of a draft, in a file without a name in `folder`; none where pieces of it are missing.
pub(super) async fn file(database: &Database, draft: &import_draft::Model, folder: &Path) -> Result<Option<File>> {
    let folder = folder.to_owned();
    let mut file = blocking(move || {
        std::fs::create_dir_all(&folder)?;
        tempfile::tempfile_in(&folder)
    })
    .await?;
    let mut length = 0;
    for position in 0.. {
        let piece = import_draft_chunk::Entity::find_by_id((draft.id, position)).one(database.readers()).await?;
        let Some(piece) = piece else { break };
        length += i64::try_from(piece.bytes.len()).unwrap_or(i64::MAX);
        file = blocking(move || file.write_all(&piece.bytes).map(|()| file)).await?;
    }
    Ok((length == draft.file_bytes).then_some(file))
}

pub(super) async fn find(database: &Database, id: ImportDraftId) -> Result<Option<import_draft::Model>> {
    Ok(import_draft::Entity::find_by_id(id).one(database.readers()).await?)
}

pub(super) async fn by_client_id(database: &Database, id: &str) -> Result<Option<import_draft::Model>> {
    let query = import_draft::Entity::find().filter(import_draft::Column::ClientMutationId.eq(id));
    Ok(query.one(database.readers()).await?)
}

/// How many drafts are neither applied nor given up.
pub(super) async fn count_open(database: &Database) -> Result<u64> {
    let open = [DraftState::Comparing, DraftState::Ready, DraftState::Applying];
    let query = import_draft::Entity::find().filter(import_draft::Column::State.is_in(open));
    Ok(query.count(database.readers()).await?)
}

/// A change to a draft's row.
pub(super) type Update = lease::Update<import_draft::Entity>;

impl lease::Job for import_draft::Entity {
    type Id = ImportDraftId;
    type State = DraftState;
    const ID: Self::Column = import_draft::Column::Id;
    const STATE: Self::Column = import_draft::Column::State;
    const WORKER: Self::Column = import_draft::Column::Worker;
    const LEASED_UNTIL: Self::Column = import_draft::Column::LeasedUntil;
    const UPDATED_AT: Self::Column = import_draft::Column::UpdatedAt;
}

/// A change to a draft that is still to be read as it was here.
pub(super) fn change(draft: &import_draft::Model, state: DraftState) -> Update {
    Update::of(draft.id, state).having(import_draft::Column::Options, draft.options.clone())
}

/// Has a draft compared again.
pub(super) async fn begin_again(
    database: &Database,
    draft: &import_draft::Model,
    options: Option<String>,
    worker: Uuid,
    now: DateTime<Utc>,
) -> Result<()> {
    for state in [DraftState::Ready, DraftState::Interrupted] {
        let mut update = change(draft, state)
            .state(DraftState::Comparing, now)
            .lease(worker, now + lease::LEASE)
            .set(import_draft::Column::Attempts, 1)
            .set(import_draft::Column::Report, None::<String>)
            .set(import_draft::Column::Message, None::<String>)
            .set(import_draft::Column::RowsDone, 0_i64);
        if let Some(options) = &options {
            update = update.set(import_draft::Column::Options, options.clone());
        }
        if update.commit(database).await? {
            return Ok(());
        }
    }
    Err(Error::invalid("id", "WRONG_STATE", "the draft has just been taken up by somebody else"))
}

/// Marks a draft as given up.
pub(super) async fn cancel(database: &Database, draft: &import_draft::Model, now: DateTime<Utc>) -> Result<()> {
    for state in [DraftState::Comparing, DraftState::Ready, DraftState::Interrupted] {
        if change(draft, state).state(DraftState::Cancelled, now).commit(database).await? {
            return Ok(());
        }
    }
    Err(Error::invalid("id", "WRONG_STATE", "the draft has just been taken up by somebody else"))
}

/// Removes what a comparison has found so far, if the draft is still this process's work.
pub(super) async fn start_over(database: &Database, (id, worker): (ImportDraftId, Uuid)) -> Result<bool> {
    let transaction = database.begin_side_write().await?;
    if !is_mine(&transaction, (id, worker)).await? {
        transaction.rollback().await?;
        return Ok(false);
    }
    forget_findings(&transaction, id).await?;
    database.commit(transaction).await?;
    Ok(true)
}

/// Whether the draft is this process's work, and stays so until the transaction ends.
async fn is_mine(transaction: &impl ConnectionTrait, (id, worker): (ImportDraftId, Uuid)) -> Result<bool> {
    let lease = Update::of(id, DraftState::Comparing).leased_by(worker);
    lease.set(import_draft::Column::Worker, worker).run(transaction).await
}

async fn forget_findings(transaction: &impl ConnectionTrait, id: ImportDraftId) -> Result<()> {
    import_draft_change::Entity::delete_many()
        .filter(import_draft_change::Column::DraftId.eq(id))
        .exec(transaction)
        .await?;
    import_draft_problem::Entity::delete_many()
        .filter(import_draft_problem::Column::DraftId.eq(id))
        .exec(transaction)
        .await?;
    Ok(())
}

/// Removes the file of a draft and what was found in it.
pub(super) async fn empty(database: &Database, id: ImportDraftId) -> Result<()> {
    let transaction = database.begin_side_write().await?;
    forget_findings(&transaction, id).await?;
    database.commit(transaction).await?;
    forget_file(database, id).await
}

/// Removes the file of a draft.
pub(super) async fn forget_file(database: &Database, id: ImportDraftId) -> Result<()> {
    let transaction = database.begin_side_write().await?;
    import_draft_chunk::Entity::delete_many()
        .filter(import_draft_chunk::Column::DraftId.eq(id))
        .exec(&transaction)
        .await?;
    Ok(database.commit(transaction).await?)
}

/// Removes drafts that have not changed for long.
pub(super) async fn expire(database: &Database, now: DateTime<Utc>) -> Result<()> {
    let old = import_draft::Entity::find()
        .select_only()
        .column(import_draft::Column::Id)
        .filter(import_draft::Column::UpdatedAt.lt(now - Duration::days(super::KEPT_DAYS)))
        .filter(import_draft::Column::State.ne(DraftState::Applying))
        .limit(100)
        .into_tuple::<ImportDraftId>()
        .all(database.readers())
        .await?;
    for id in old {
        empty(database, id).await?;
        let transaction = database.begin_side_write().await?;
        import_draft::Entity::delete_by_id(id).exec(&transaction).await?;
        database.commit(transaction).await?;
    }
    Ok(())
}

/// Drafts that are being worked on and whose lease has run out.
pub(super) async fn abandoned(database: &Database, now: DateTime<Utc>) -> Result<Vec<import_draft::Model>> {
    let query = import_draft::Entity::find()
        .filter(import_draft::Column::State.is_in([DraftState::Comparing, DraftState::Applying]))
        .filter(import_draft::Column::LeasedUntil.lt(now));
    Ok(query.all(database.readers()).await?)
}

/// Adds changes to those that were found, if the draft is still this process's work.
pub(super) async fn add_changes(
    database: &Database,
    (id, worker): (ImportDraftId, Uuid),
    first: i64,
    changes: &[RowChange],
) -> Result<bool> {
    let mut rows = Vec::with_capacity(changes.len());
    for (position, change) in (first..).zip(changes) {
        rows.push(import_draft_change::Model {
            draft_id: id,
            position,
            kind: name(change.kind)?,
            change: serde_json::to_string(change).map_err(Error::internal)?,
        });
    }
    let transaction = database.begin_side_write().await?;
    if !is_mine(&transaction, (id, worker)).await? {
        transaction.rollback().await?;
        return Ok(false);
    }
    for some in rows.chunks(ROWS) {
        let some = some.iter().cloned().map(IntoActiveModel::into_active_model);
        import_draft_change::Entity::insert_many(some).exec_without_returning(&transaction).await?;
    }
    database.commit(transaction).await?;
    Ok(true)
}

/// A kind of change as it stands in the table.
fn name(kind: ChangeKind) -> Result<String> {
    let json = serde_json::to_value(kind).map_err(Error::internal)?;
    Ok(json.as_str().unwrap_or_default().to_owned())
}

/// Adds the problems that were found.
pub(super) async fn add_problems(
    connection: &impl ConnectionTrait,
    id: ImportDraftId,
    is_error: bool,
    problems: &[Problem],
) -> Result<()> {
    for (at, some) in problems.chunks(ROWS).enumerate() {
        let mut rows = Vec::with_capacity(some.len());
        for (position, problem) in (at * ROWS..).zip(some) {
            rows.push(import_draft_problem::ActiveModel::from(import_draft_problem::Model {
                draft_id: id,
                is_error,
                position: i64::try_from(position).unwrap_or(i64::MAX),
                line: i64::try_from(problem.line).unwrap_or(i64::MAX),
                problem: serde_json::to_string(problem).map_err(Error::internal)?,
            }));
        }
        import_draft_problem::Entity::insert_many(rows).exec_without_returning(connection).await?;
    }
    Ok(())
}

impl Directory {
    /// A page of what a draft would change, in the order of its file; of one kind if it is given. The range is of
    /// positions, and `after` means a higher one.
    ///
    /// # Errors
    /// Where the database cannot be read.
    pub async fn list_draft_changes(
        &self,
        id: ImportDraftId,
        kind: Option<ChangeKind>,
        range: Range,
    ) -> Result<DraftPage<RowChange>> {
        use import_draft_change::Column;
        let mut query = import_draft_change::Entity::find().filter(Column::DraftId.eq(id));
        if let Some(kind) = kind {
            query = query.filter(Column::Kind.eq(name(kind)?));
        }
        if let Some(after) = range.after {
            query = query.filter(Column::Position.gt(after));
        }
        if let Some(before) = range.before {
            query = query.filter(Column::Position.lt(before));
        }
        let order = if range.from_end { Order::Desc } else { Order::Asc };
        let rows =
            query.order_by(Column::Position, order).limit(range.limit + 1).all(self.database().readers()).await?;
        read(page(rows, &range), |row| (row.position, row.change))
    }

    /// A page of what is wrong with a draft's file, or of what is worth a look, by line. The range is of positions.
    ///
    /// # Errors
    /// Where the database cannot be read.
    pub async fn list_draft_problems(
        &self,
        id: ImportDraftId,
        is_error: bool,
        range: Range,
    ) -> Result<DraftPage<Problem>> {
        use import_draft_problem::Column;
        let mut query =
            import_draft_problem::Entity::find().filter(Column::DraftId.eq(id)).filter(Column::IsError.eq(is_error));
        if let Some(after) = range.after {
            query = query.filter(Column::Position.gt(after));
        }
        if let Some(before) = range.before {
            query = query.filter(Column::Position.lt(before));
        }
        let order = if range.from_end { Order::Desc } else { Order::Asc };
        let rows =
            query.order_by(Column::Position, order).limit(range.limit + 1).all(self.database().readers()).await?;
        read(page(rows, &range), |row| (row.position, row.problem))
    }

    /// The latest drafts, newest first, at most a hundred.
    ///
    /// # Errors
    /// Where the database cannot be read.
    pub async fn list_drafts(&self) -> Result<Vec<super::Draft>> {
        let query = import_draft::Entity::find().order_by_desc(import_draft::Column::CreatedAt).limit(100);
        let rows = query.all(self.database().readers()).await?;
        let mut drafts = Vec::with_capacity(rows.len());
        for row in rows {
            let draft = super::Draft::read(row)?;
            if self.sees_import(&draft.options()?) {
                drafts.push(draft);
            }
        }
        Ok(drafts)
    }
}

fn read<M, T: serde::de::DeserializeOwned>(
    found: ChangePage<M>,
    parts: impl Fn(M) -> (i64, String),
) -> Result<DraftPage<T>> {
    let ChangePage { rows, has_next, has_previous } = found;
    let read = |row| {
        let (position, json) = parts(row);
        Ok((position, serde_json::from_str(&json).map_err(Error::internal)?))
    };
    Ok(ChangePage { rows: rows.into_iter().map(read).collect::<Result<_>>()?, has_next, has_previous })
}
