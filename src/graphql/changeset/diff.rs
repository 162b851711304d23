//! What differs between two versions of the directory.

use async_graphql::{Context, Description, Enum, ID, Object, SimpleObject};

use super::Noun;
use crate::directory;
use crate::graphql::context::ContextExt;
use crate::graphql::error::Result;
use crate::graphql::page::{Connection, Edge, Paging, Slice, Total};
use crate::graphql::scalar::Json;
use crate::record::Record;

/// What became of a record between two versions.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Enum)]
#[graphql(remote = "crate::directory::DiffKind")]
pub(crate) enum DiffKind {
    /// It was made.
    Created,
    /// It is otherwise.
    Updated,
    /// It was deleted.
    Deleted,
}

/// A record that differs between two versions of the directory.
#[derive(Clone, Debug, Description)]
pub(crate) struct RecordDiff(directory::RecordDiff);

impl RecordDiff {
    fn show(ctx: &Context<'_>, record: Option<&Record>) -> Result<Option<Json>> {
        let directory = ctx.directory()?;
        Ok(record.map(|record| directory.show(record).map(Json)).transpose()?)
    }
}

#[Object(use_type_description)]
impl RecordDiff {
    /// What kind of record it is.
    async fn noun(&self) -> Noun {
        self.0.id.noun().into()
    }

    /// The id of the record.
    async fn record_id(&self) -> ID {
        ID(self.0.id.to_global())
    }

    /// What became of it.
    async fn kind(&self) -> DiffKind {
        self.0.kind.into()
    }

    /// The record at the first version, as JSON with the names that the API uses; null where there was none.
    async fn before(&self, ctx: &Context<'_>) -> Result<Option<Json>> {
        Self::show(ctx, self.0.before.as_ref())
    }

    /// The record at the second version, as JSON with the names that the API uses; null where there is none.
    async fn after(&self, ctx: &Context<'_>) -> Result<Option<Json>> {
        Self::show(ctx, self.0.after.as_ref())
    }

    /// What differs, member by member. Of a record that was made or deleted: all that it held.
    async fn changes(&self, ctx: &Context<'_>) -> Result<Vec<FieldChange>> {
        let changes = ctx.directory()?.field_changes(&self.0)?;
        Ok(changes.into_iter().map(Into::into).collect())
    }

    /// The number of the last changeset, up to the second version, that changed it.
    async fn changeset(&self) -> i64 {
        self.0.changeset
    }
}

/// One member of a record that differs.
#[derive(Clone, Debug, SimpleObject)]
pub(crate) struct FieldChange {
    /// Its name, such as `email`; `attributes.KEY` for the value of an attribute.
    path: String,
    /// What it was; null where there was nothing.
    before: Option<Json>,
    /// What it became; null where there is nothing.
    after: Option<Json>,
}

impl From<directory::FieldChange> for FieldChange {
    fn from(directory::FieldChange { path, before, after }: directory::FieldChange) -> Self {
        let some = |json: serde_json::Value| (!json.is_null()).then_some(Json(json));
        Self { path, before: some(before), after: some(after) }
    }
}

/// The query for what differs.
#[derive(Debug, Default)]
pub(crate) struct DiffQuery;

#[Object]
impl DiffQuery {
    /// The records that differ between two versions of the directory, in the order of their ids. One that came back to
    /// what it was is not among them, whatever happened in between. Which changesets have changed records is told by the
    /// log alone, so any two versions can be compared.
    #[expect(clippy::too_many_arguments, reason = "arguments of a connection")]
    async fn directory_diff(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "The first version: the number of a changeset, or 0 for the empty directory.")] from: i64,
        #[graphql(desc = "The second version; the current one if left out.")] to: Option<i64>,
        #[graphql(desc = "Only records of this kind.")] noun: Option<Noun>,
        #[graphql(desc = "The most nodes, from the start; 1 to 100. 25 if `last` is not given either.")] first: Option<
            i32,
        >,
        #[graphql(desc = "Only nodes after this cursor.")] after: Option<String>,
        #[graphql(desc = "The most nodes, from the end; 1 to 100. Not together with `first`.")] last: Option<i32>,
        #[graphql(desc = "Only nodes before this cursor.")] before: Option<String>,
    ) -> Result<Connection<RecordDiff>> {
        let range = Paging { first, after, last, before }.records()?;
        let directory = ctx.directory()?;
        let query = directory.diff(from, to, noun.map(Into::into))?;
        let page = directory.list_diff(query, range).await?;
        let slice = Slice { items: page.rows, has_previous: page.has_previous, has_next: page.has_next };
        Ok(Connection::new(slice, Total::Diff(query), directory.version(), |diff: directory::RecordDiff| Edge {
            cursor: diff.id.uuid().simple().to_string(),
            node: RecordDiff(diff),
        }))
    }
}
