//! What stands beside the directory and names a person: import drafts with their files, decisions, reports of runs.

use std::collections::HashSet;

use entity::{ImportDraftId, import_draft, import_draft_chunk, integration_run, merge_decision};
use futures_util::TryStreamExt;
use memchr::memmem;
use sea_orm::sea_query::Expr;
use sea_orm::{ColumnTrait, Condition, ConnectionTrait, EntityTrait, QueryFilter, QueryOrder};
use uuid::Uuid;

use super::lower;
use super::person::Person;
use crate::database::Transaction;
use crate::directory::error::Result;

/// Takes the person out. Gives how many drafts went.
pub(super) async fn erase(from: &Transaction, person: &Person) -> Result<u64> {
    let ids = person.global_ids();
    for some in ids.chunks(500) {
        let either =
            Condition::any().add(merge_decision::Column::Low.is_in(some)).add(merge_decision::Column::High.is_in(some));
        merge_decision::Entity::delete_many().filter(either).exec(from).await?;
    }
    let texts: Vec<String> = person.emails.iter().chain(&person.usernames).cloned().collect();
    for run in rows(from, "integration_run", "id", &["report", "message", "waiting"], &texts).await? {
        integration_run::Entity::update_many()
            .col_expr(integration_run::Column::Report, Expr::value(None::<String>))
            .col_expr(integration_run::Column::Message, Expr::value(None::<String>))
            .col_expr(integration_run::Column::Waiting, Expr::value(None::<String>))
            .filter(integration_run::Column::Id.eq(run))
            .exec(from)
            .await?;
    }
    let drafts = drafts(from, person).await?;
    for draft in &drafts {
        import_draft::Entity::delete_by_id(*draft).exec(from).await?;
    }
    Ok(drafts.len() as u64)
}

/// The drafts whose files, rows or problems name the person.
pub(super) async fn drafts(from: &Transaction, person: &Person) -> Result<HashSet<ImportDraftId>> {
    let mut texts: Vec<String> = person.emails.iter().cloned().collect();
    for id in &person.users {
        texts.extend([id.to_string(), id.simple().to_string()]);
    }
    let mut found = HashSet::new();
    for (table, key, columns) in [
        ("import_draft", "id", &["file_name", "options", "report", "message"][..]),
        ("import_draft_change", "draft_id", &["change"]),
        ("import_draft_problem", "draft_id", &["problem"]),
    ] {
        found.extend(rows(from, table, key, columns, &texts).await?.into_iter().map(ImportDraftId));
    }
    let needles = Needles::new(&texts);
    let mut chunks = import_draft_chunk::Entity::find()
        .order_by_asc(import_draft_chunk::Column::DraftId)
        .order_by_asc(import_draft_chunk::Column::Position)
        .stream(from)
        .await?;
    // What may go on in the next piece of the same file.
    let (mut of, mut tail) = (None, Vec::new());
    while let Some(chunk) = chunks.try_next().await? {
        if of != Some(chunk.draft_id) {
            (of, tail) = (Some(chunk.draft_id), Vec::new());
        }
        tail.extend(chunk.bytes);
        tail.make_ascii_lowercase();
        if needles.are_in(&tail) {
            found.insert(chunk.draft_id);
        }
        let kept = tail.len().saturating_sub(needles.longest);
        tail.drain(..kept);
    }
    Ok(found)
}

/// The keys of rows in which one of some texts stands, in any letter case.
async fn rows(from: &Transaction, table: &str, key: &str, columns: &[&str], texts: &[String]) -> Result<HashSet<Uuid>> {
    let backend = from.get_database_backend();
    let columns: Vec<String> = columns.iter().map(|column| lower(backend, column)).collect();
    Ok(super::rows(from, table, key, &columns, texts).await?.into_iter().collect())
}

/// Texts as a file may have them: in UTF-8, and in UTF-16 of either order.
struct Needles {
    bytes: Vec<Vec<u8>>,
    longest: usize,
}

impl Needles {
    fn new(texts: &[String]) -> Self {
        let mut bytes = Vec::new();
        for text in texts {
            bytes.push(text.as_bytes().to_vec());
            bytes.push(text.encode_utf16().flat_map(u16::to_le_bytes).collect());
            bytes.push(text.encode_utf16().flat_map(u16::to_be_bytes).collect());
        }
        Self { longest: bytes.iter().map(Vec::len).max().unwrap_or(0), bytes }
    }

    fn are_in(&self, bytes: &[u8]) -> bool {
        self.bytes.iter().any(|needle| memmem::find(bytes, needle).is_some())
    }
}
