//! What can be done with changesets: undo them.

use async_graphql::{Context, ID, InputObject, Object, SimpleObject};

use super::{Changeset, Noun};
use crate::directory::{Blocked, UndoOptions};
use crate::graphql::context::ContextExt;
use crate::graphql::error::Result;

/// Which changeset to undo, and how.
#[derive(Debug, InputObject)]
pub(crate) struct UndoChangesetInput {
    /// The number of the changeset. One that undid another can be undone, too.
    number: i64,
    /// Whether to undo the rest where some records cannot go back. Else nothing is done then.
    #[graphql(default)]
    skip_blocked: bool,
    /// Whether to only say what would be done.
    #[graphql(default)]
    dry_run: bool,
}

/// What an undo did, or would do.
#[derive(Debug, SimpleObject)]
pub(crate) struct UndoChangesetPayload {
    /// Whether it was done. It was not in a dry run, and where records are blocked and `skipBlocked` is not set.
    applied: bool,
    /// The changeset that the undo is; null where nothing was changed.
    changeset: Option<Changeset>,
    /// The version of the directory after it.
    version: i64,
    /// How many records went back; where nothing was done, how many could.
    undone_count: u64,
    /// How many values are left out, since their attributes have been deleted since.
    dropped_value_count: u64,
    /// The records that cannot go back, because of what was done since; at most 1,000, in the order of kinds and ids.
    blocked: Vec<BlockedRecord>,
    /// How many records cannot go back.
    blocked_count: u64,
}

/// A record that cannot go back to what it was before a changeset.
#[derive(Debug, SimpleObject)]
pub(crate) struct BlockedRecord {
    /// What kind of record it is.
    noun: Noun,
    /// The id of the record.
    record_id: ID,
    /// What people know it by: the email of a user, the title of an attribute, the name of anything else.
    label: String,
    /// What stands in the way, such as `CHANGED_SINCE`; codes do not change.
    code: String,
    /// The same in words.
    message: String,
    /// The number of the later changeset that stands in the way, where there is one to name.
    changeset: Option<i64>,
}

impl From<Blocked> for BlockedRecord {
    fn from(Blocked { id, label, code, message, changeset }: Blocked) -> Self {
        let (noun, record_id) = (id.noun().into(), ID(id.to_global()));
        Self { noun, record_id, label, code: code.to_owned(), message, changeset }
    }
}

/// Mutations of the log, which only ever grows.
#[derive(Debug, Default)]
pub(crate) struct ChangesetMutation;

#[Object]
impl ChangesetMutation {
    /// Returns each record that a changeset changed to what it was before, as a changeset of its own. What was changed
    /// since by others stays: a record goes back in those of its members that the changeset changed. Where that cannot
    /// be, the record is listed as blocked.
    async fn undo_changeset(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "Which changeset to undo, and how.")] input: UndoChangesetInput,
    ) -> Result<UndoChangesetPayload> {
        let directory = ctx.directory()?;
        let options = UndoOptions { number: input.number, skip_blocked: input.skip_blocked, dry_run: input.dry_run };
        let report = directory.undo_changeset(&ctx.actor(), options).await?;
        let changeset = match report.changeset {
            Some(number) => directory.find_changeset(number).await?.map(Changeset),
            None => None,
        };
        Ok(UndoChangesetPayload {
            applied: report.applied,
            changeset,
            version: report.version,
            undone_count: report.undone,
            dropped_value_count: report.dropped_values,
            blocked: report.blocked.into_iter().map(Into::into).collect(),
            blocked_count: report.blocked_count,
        })
    }
}
