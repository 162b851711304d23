//! What was done in a directory and must not be undone by a backup that takes its place: revoked tokens and erased people.

use entity::{UserId, token};
use sea_orm::{ColumnTrait, ConnectionTrait, EntityTrait, QueryFilter, Statement};
use uuid::Uuid;

use super::BackupError;
use crate::database::Database;
use crate::directory::error::Error;
use crate::directory::{Actor, Clock, Directory};

/// What a backup got from the directory that it replaces.
#[derive(Clone, Debug, Default)]
pub struct Since {
    /// Tokens that are revoked there, and were not in the backup.
    pub revoked: u64,
    /// Those who are erased there, and were not in the backup.
    pub erased: Vec<ErasedSince>,
}

/// Somebody who was erased after a backup was made, and is in it.
#[derive(Clone, Debug)]
pub struct ErasedSince {
    /// The id that they have in the backup.
    pub id: UserId,
    /// Why they could not be erased from it.
    pub refusal: Option<Error>,
}

/// Revokes and erases in the backup `to` what is revoked and erased in `from`.
pub(super) async fn take_over(
    from: &Database,
    to: &Database,
    clock: &Clock,
) -> std::result::Result<Since, BackupError> {
    let mut since = Since::default();
    let revoked = token::Entity::find().filter(token::Column::RevokedAt.is_not_null()).all(from.readers()).await?;
    let write = to.begin_write().await?;
    for row in revoked {
        let done = token::Entity::update_many()
            .col_expr(token::Column::RevokedAt, row.revoked_at.into())
            .col_expr(token::Column::RevokedBy, row.revoked_by.into())
            .filter(token::Column::Id.eq(row.id))
            .filter(token::Column::RevokedAt.is_null())
            .exec(&write)
            .await?;
        since.revoked += done.rows_affected;
    }
    to.commit(write).await?;
    let erased = erased(from).await?;
    if erased.is_empty() {
        return Ok(since);
    }
    let directory = Directory::open(to.clone(), clock.clone()).await?;
    for id in erased {
        // One whom another has become part of went with that one, or goes with it.
        let Some(email) = directory.index().email_of(id).map(str::to_owned) else { continue };
        let ended = Box::pin(directory.erase_user(&Actor("restore".to_owned()), id, &email)).await;
        since.erased.push(ErasedSince { id, refusal: ended.err() });
    }
    Ok(since)
}

/// The users whom a directory has erased.
async fn erased(from: &Database) -> std::result::Result<Vec<UserId>, BackupError> {
    let sql = "SELECT DISTINCT record_id FROM change JOIN erased_change AS erased ON erased.changeset_number = \
               change.changeset_number AND erased.position = change.position WHERE noun = 'USER' AND before IS NULL AND \
               after IS NULL ORDER BY record_id";
    let rows = from.readers().query_all_raw(Statement::from_string(from.backend(), sql)).await?;
    let ids = rows.iter().map(|row| row.try_get_by_index::<Uuid>(0).map(UserId));
    Ok(ids.collect::<std::result::Result<_, _>>()?)
}
