//! What was done in a directory and must not be undone by a backup that takes its place: revoked tokens and erased people.

use entity::change::Noun;
use entity::{UserId, erased_record, token};
use sea_orm::{ColumnTrait, EntityTrait, IntoActiveModel, QueryFilter, Statement};
use uuid::Uuid;

use super::BackupError;
use crate::database::Database;
use crate::directory::error::Error;
use crate::directory::{Actor, Clock, Directory};
use crate::record::RecordId;
use crate::value::GlobalId;

/// What a backup got from the directory that it replaces.
#[derive(Clone, Debug, Default)]
pub struct Since {
    /// Tokens of the backup that are revoked there, and were not when it was made.
    pub revoked: u64,
    /// Whoever and whatever is erased there, and was not when the backup was made.
    pub erased: Vec<ErasedSince>,
}

/// Somebody who was erased after a backup was made, and is in it, or an account of theirs.
#[derive(Clone, Debug)]
pub struct ErasedSince {
    /// What was erased: a user, or an account.
    pub id: RecordId,
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
            .col_expr(token::Column::RevokedBy, row.revoked_by.clone().into())
            .filter(token::Column::Id.eq(row.id))
            .filter(token::Column::RevokedAt.is_null())
            .exec(&write)
            .await?;
        since.revoked += done.rows_affected;
        // It may be in a later backup, which takes the place of this one.
        if token::Entity::find_by_id(row.id).one(&write).await?.is_none() {
            token::Entity::insert(row.into_active_model()).exec_without_returning(&write).await?;
        }
    }
    let erased = erased(from).await?;
    for (noun, record_id) in &erased {
        let row = erased_record::Model { noun: *noun, record_id: *record_id };
        erased_record::Entity::insert(row.into_active_model())
            .on_conflict_do_nothing()
            .exec_without_returning(&write)
            .await?;
    }
    to.commit(write).await?;
    if erased.is_empty() {
        return Ok(since);
    }
    let directory = Directory::open(to.clone(), clock.clone()).await?;
    let actor = Actor("restore".to_owned());
    for (noun, id) in &erased {
        let whole = directory.index().merged_into(UserId(*id)).filter(|_| *noun == Noun::User);
        let ended = match whole {
            // One who has become part of another who was erased goes with that one.
            Some(whole) if erased.contains(&(Noun::User, whole.0)) => continue,
            Some(whole) => {
                let by = format!("user {}, whom they have become part of; split them off", whole.to_global());
                Err(Error::InUse { noun: UserId::NOUN, key: "to be erased".into(), by })
            }
            None => Box::pin(directory.erase_record(&actor, *noun, *id)).await,
        };
        let (is_told, refusal) = (ended.as_ref().map_or(true, |done| *done), ended.err());
        if is_told {
            since.erased.push(ErasedSince { id: RecordId::new(*noun, *id), refusal });
        }
    }
    Ok(since)
}

/// The users and accounts that a directory has erased, or that were erased before a backup took its place; users first.
async fn erased(from: &Database) -> std::result::Result<Vec<(Noun, Uuid)>, BackupError> {
    let sql = "SELECT noun, record_id FROM change JOIN erased_change AS erased ON erased.changeset_number = \
               change.changeset_number AND erased.position = change.position WHERE before IS NULL AND after IS NULL \
               UNION SELECT noun, record_id FROM erased_record ORDER BY noun DESC, record_id";
    let statement = Statement::from_string(from.backend(), sql);
    let rows = erased_record::Entity::find().from_raw_sql(statement).all(from.readers()).await?;
    Ok(rows.into_iter().map(|row| (row.noun, row.record_id)).collect())
}
