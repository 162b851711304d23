//! IMPORT DRAFTS: imports that are read and compared first, looked at, and then applied.

mod impact;
mod mutation;
mod subscription;

pub(crate) use mutation::ImportDraftMutation;
pub(crate) use subscription::ImportDraftSubscription;

use async_graphql::{Context, Description, Enum, ID, Object, SimpleObject};
use entity::import_draft;
use entity::{ImportDraftId, OrgUnitId, UserId};

use impact::ImportImpact;

use super::context::ContextExt;
use super::error::Result;
use super::import::{ImportEncoding, ImportKind, ImportProblem};
use super::org_unit::OrgUnit;
use super::page::{Connection, Edge, Paging, Slice, Total};
use super::scalar::{DateTime, parse_id, to_id};
use super::user::User;
use crate::directory::csv::{self, RowChange};
use crate::directory::{self, DraftReport, Error};
use crate::value::GlobalId;

/// How far a draft is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Enum)]
#[graphql(remote = "entity::import_draft::DraftState")]
pub(crate) enum ImportDraftState {
    /// Its file is being read and compared, or waits for that.
    Comparing,
    /// It can be looked at and applied.
    Ready,
    /// It is being applied.
    Applying,
    /// The directory has it.
    Applied,
    /// Somebody has given it up.
    Cancelled,
    /// The comparison could not be brought to its end; `message` says why.
    Interrupted,
}

/// What an import makes of a user or an org unit.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Enum)]
#[graphql(remote = "crate::directory::csv::ChangeKind")]
pub(crate) enum ImportChangeKind {
    /// It is made.
    Created,
    /// It, or what accounts it has, changes.
    Updated,
    /// It goes, since the file does not have it.
    Removed,
    /// It was made automatically, and becomes part of another user.
    Absorbed,
}

/// An import that is read and compared with the directory, and changes nothing before it is applied. Drafts are kept
/// for 7 days after they last changed.
#[derive(Clone, Debug, Description)]
pub(crate) struct ImportDraft(pub directory::Draft);

/// How far the comparison of a draft is.
#[derive(Clone, Copy, Debug, SimpleObject)]
pub(crate) struct ImportProgress {
    /// Rows compared.
    rows_done: u64,
    /// Rows in the file; null as long as they are not known.
    rows_total: Option<u64>,
    /// How much of the work is done, from 0 to 100.
    percent: u64,
    /// Rows compared in a second; null where another process does it, or nothing is being compared.
    rows_per_second: Option<f64>,
}

/// A column of a draft's file.
#[derive(Clone, Debug, SimpleObject)]
pub(crate) struct ImportColumn {
    /// Its header.
    header: String,
    /// What its cells are, by the title of that column in an export: that of an attribute, the name of an integration,
    /// `ID`, or of org units such as `Path`; null for a column that is not read.
    holds: Option<String>,
}

/// A row that would do something else than the draft says, since the directory has moved.
#[derive(Clone, Debug, SimpleObject)]
pub(crate) struct ImportMoved {
    /// The line of the row; null where it is about a user or an org unit that the file does not have.
    line: Option<u64>,
    /// The email of the user that it is about; null for an org unit.
    email: Option<String>,
    /// The path of the org unit that it is about; null for a user.
    path: Option<String>,
    /// What is different.
    message: String,
}

/// What a draft would make of one user or org unit.
#[derive(Clone, Debug, Description)]
pub(crate) struct ImportChange {
    change: RowChange,
    kind: import_draft::ImportKind,
}

/// What a draft would make of one column of a user or an org unit, as cells of an export.
#[derive(Clone, Debug, SimpleObject)]
pub(crate) struct ImportCellChange {
    /// The column's title.
    column: String,
    /// What stands there; null for nothing.
    before: Option<String>,
    /// What would stand there; null for nothing.
    after: Option<String>,
}

#[Object(use_type_description)]
impl ImportChange {
    /// The line of its row; null if the file does not have it.
    async fn line(&self) -> Option<u64> {
        self.change.line
    }

    /// What becomes of it.
    async fn kind(&self) -> ImportChangeKind {
        self.change.kind.into()
    }

    /// The user as it is now; null for one that is to be made, or is gone, and for an org unit.
    async fn user(&self, ctx: &Context<'_>) -> Result<Option<User>> {
        match self.change.record.as_deref().and_then(|id| UserId::parse(id).ok()) {
            Some(id) => User::find(ctx, id).await,
            None => Ok(None),
        }
    }

    /// The org unit as it is now; null for one that is to be made, or is gone, and for a user.
    async fn org_unit(&self, ctx: &Context<'_>) -> Result<Option<OrgUnit>> {
        let id = self.change.record.as_deref().and_then(|id| OrgUnitId::parse(id).ok());
        let index = ctx.directory()?.index();
        Ok(id.and_then(|id| index.org_unit(id)).cloned().map(OrgUnit::new))
    }

    /// The name afterwards; of what goes, the name it has.
    async fn name(&self) -> &str {
        &self.change.label
    }

    /// A user's primary email afterwards; of one that goes, the email it has. Null for an org unit.
    async fn email(&self) -> Option<&str> {
        (self.kind == import_draft::ImportKind::Users).then_some(self.change.detail.as_str())
    }

    /// The path at which an org unit would stand; of one that goes, the path that it has. Null for a user.
    async fn path(&self) -> Option<&str> {
        (self.kind == import_draft::ImportKind::OrgUnits).then_some(self.change.detail.as_str())
    }

    /// The columns that change.
    async fn cells(&self) -> Vec<ImportCellChange> {
        let show = |cell: &csv::CellChange| {
            let csv::CellChange { column, before, after } = cell.clone();
            ImportCellChange { column, before, after }
        };
        self.change.cells.iter().map(show).collect()
    }

    /// What else happens for it, in words: whose accounts it gets, whom it becomes one with.
    async fn notes(&self) -> &[String] {
        &self.change.notes
    }
}

impl ImportDraft {
    fn report(&self) -> Option<&DraftReport> {
        self.0.report.as_deref()
    }

    fn count(&self, of: impl Fn(&DraftReport) -> u64) -> u64 {
        self.report().map(of).unwrap_or_default()
    }

    async fn problems(&self, ctx: &Context<'_>, is_error: bool, paging: &Paging) -> Result<Connection<ImportProblem>> {
        let directory = ctx.directory()?;
        let page = directory.list_draft_problems(self.0.row.id, is_error, paging.numbers()?).await?;
        let total = self.count(|report| if is_error { report.errors } else { report.warnings });
        let slice = Slice { items: page.rows, has_previous: page.has_previous, has_next: page.has_next };
        Ok(Connection::new(slice, Total::Known(total), directory.version(), |(position, problem)| Edge {
            cursor: position.to_string(),
            node: ImportProblem(problem),
        }))
    }
}

#[Object(use_type_description)]
impl ImportDraft {
    /// The draft's id.
    async fn id(&self) -> ID {
        to_id(self.0.row.id)
    }

    /// What the rows of its file are.
    async fn kind(&self) -> ImportKind {
        self.0.row.kind.into()
    }

    /// How far it is.
    async fn state(&self) -> ImportDraftState {
        self.0.row.state.into()
    }

    /// Who made it.
    async fn actor(&self) -> &str {
        &self.0.row.actor
    }

    /// What its file is called.
    async fn file_name(&self) -> &str {
        &self.0.row.file_name
    }

    /// How many bytes its file has.
    async fn file_bytes(&self) -> i64 {
        self.0.row.file_bytes
    }

    /// A sentence for people: why it was interrupted, or what stood in the way of applying it.
    async fn message(&self) -> Option<&str> {
        self.0.row.message.as_deref()
    }

    /// The version of the directory that it was compared with; null before that.
    async fn base_version(&self) -> Option<i64> {
        self.0.row.base_version
    }

    /// The version of the directory that has it applied; null before that.
    async fn applied_version(&self) -> Option<i64> {
        self.0.row.applied_version
    }

    /// When it was made.
    async fn created_at(&self) -> DateTime {
        DateTime(self.0.row.created_at)
    }

    /// When its state last changed.
    async fn updated_at(&self) -> DateTime {
        DateTime(self.0.row.updated_at)
    }

    /// How far its comparison is.
    async fn progress(&self, ctx: &Context<'_>) -> Result<ImportProgress> {
        let progress = ctx.directory()?.draft_progress(&self.0.row);
        Ok(ImportProgress {
            rows_done: progress.rows_done,
            rows_total: progress.rows_total,
            percent: progress.percent(),
            rows_per_second: progress.rows_per_second,
        })
    }

    /// How the characters of its file are written as bytes; null before that is known.
    async fn encoding(&self) -> Option<ImportEncoding> {
        Some(self.report()?.detected?.encoding.into())
    }

    /// What stands between cells; null before that is known.
    async fn delimiter(&self) -> Option<String> {
        Some(char::from(self.report()?.detected?.delimiter).to_string())
    }

    /// The columns of its file, in their order, and what they hold.
    async fn columns(&self) -> Vec<ImportColumn> {
        let columns = self.report().map(|report| report.columns.clone()).unwrap_or_default();
        let show =
            |(header, holds): (String, String)| ImportColumn { header, holds: Some(holds).filter(|s| !s.is_empty()) };
        columns.into_iter().map(show).collect()
    }

    /// How many rows its file has.
    async fn rows(&self) -> u64 {
        self.count(|report| report.rows)
    }

    /// How many users, or org units, would be made.
    async fn created(&self) -> u64 {
        self.count(|report| report.created)
    }

    /// How many would change; users themselves or in their accounts.
    async fn updated(&self) -> u64 {
        self.count(|report| report.updated)
    }

    /// How many rows say what is so already.
    async fn unchanged(&self) -> u64 {
        self.count(|report| report.unchanged)
    }

    /// How many would be removed because the file does not have them.
    async fn removed(&self) -> u64 {
        self.count(|report| report.removed)
    }

    /// How many automatically made users would become part of others.
    async fn absorbed(&self) -> u64 {
        self.count(|report| report.absorbed)
    }

    /// How many accounts would come to another user, or to a user at all.
    async fn accounts_moved(&self) -> u64 {
        self.count(|report| report.accounts_moved)
    }

    /// How many accounts are named that no integration has reported yet.
    async fn accounts_claimed(&self) -> u64 {
        self.count(|report| report.accounts_claimed)
    }

    /// How many accounts their users would no longer have.
    async fn accounts_unlinked(&self) -> u64 {
        self.count(|report| report.accounts_unlinked)
    }

    /// How many rows cannot be imported. The counts above are of the others.
    async fn bad_rows(&self) -> u64 {
        self.count(|report| report.bad_rows)
    }

    /// Whether something is wrong with the file as a whole, so that no row of it can be imported.
    async fn is_refused(&self) -> bool {
        self.report().is_some_and(|report| report.is_refused)
    }

    /// How many removals must be confirmed, since they are more than a tenth of all; null where none must.
    async fn removals_to_confirm(&self) -> Option<u64> {
        self.report()?.removals_to_confirm
    }

    /// The org units that would come, go, or have other members, by their paths.
    async fn impact(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "The most nodes, from the start; 1 to 100. 25 if `last` is not given either.")] first: Option<
            i32,
        >,
        #[graphql(desc = "Only nodes after this cursor.")] after: Option<String>,
        #[graphql(desc = "The most nodes, from the end; 1 to 100. Not together with `first`.")] last: Option<i32>,
        #[graphql(desc = "Only nodes before this cursor.")] before: Option<String>,
    ) -> Result<Connection<ImportImpact>> {
        let window = Paging { first, after, last, before }.window(|cursor| cursor.parse::<usize>().ok())?;
        let index = ctx.directory()?.index();
        let impact = self.report().map(|report| report.impact.as_slice()).unwrap_or_default();
        let slice = window.cut(impact.iter().enumerate().collect(), |(position, _)| *position);
        Ok(Connection::new(slice, Total::Known(impact.len() as u64), index.version(), |(position, impact)| Edge {
            cursor: position.to_string(),
            node: ImportImpact(impact.clone()),
        }))
    }

    /// The first rows that would do something else, when the draft was last refused for that.
    async fn moved(&self) -> Vec<ImportMoved> {
        let moved = self.report().map(|report| report.moved.clone()).unwrap_or_default();
        let is_user = self.0.row.kind == import_draft::ImportKind::Users;
        let show = |directory::Moved { line, detail, message }| {
            let (email, path) = if is_user { (Some(detail), None) } else { (None, Some(detail)) };
            ImportMoved { line, email, path, message }
        };
        moved.into_iter().map(show).collect()
    }

    /// What it would change, record by record, in the order of its file.
    async fn changes(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "Only changes of this kind.")] kind: Option<ImportChangeKind>,
        #[graphql(desc = "The most nodes, from the start; 1 to 100. 25 if `last` is not given either.")] first: Option<
            i32,
        >,
        #[graphql(desc = "Only nodes after this cursor.")] after: Option<String>,
        #[graphql(desc = "The most nodes, from the end; 1 to 100. Not together with `first`.")] last: Option<i32>,
        #[graphql(desc = "Only nodes before this cursor.")] before: Option<String>,
    ) -> Result<Connection<ImportChange>> {
        let range = Paging { first, after, last, before }.numbers()?;
        let directory = ctx.directory()?;
        let kind = kind.map(csv::ChangeKind::from);
        let page = directory.list_draft_changes(self.0.row.id, kind, range).await?;
        let total = self.count(|report| report.changes(kind));
        let slice = Slice { items: page.rows, has_previous: page.has_previous, has_next: page.has_next };
        Ok(Connection::new(slice, Total::Known(total), directory.version(), |(position, change)| Edge {
            cursor: position.to_string(),
            node: ImportChange { change, kind: self.0.row.kind },
        }))
    }

    /// What is wrong with its file, by line: at most the first 100,000 mistakes.
    async fn errors(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "The most nodes, from the start; 1 to 100. 25 if `last` is not given either.")] first: Option<
            i32,
        >,
        #[graphql(desc = "Only nodes after this cursor.")] after: Option<String>,
        #[graphql(desc = "The most nodes, from the end; 1 to 100. Not together with `first`.")] last: Option<i32>,
        #[graphql(desc = "Only nodes before this cursor.")] before: Option<String>,
    ) -> Result<Connection<ImportProblem>> {
        self.problems(ctx, true, &Paging { first, after, last, before }).await
    }

    /// What is worth a look in its file, by line.
    async fn warnings(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "The most nodes, from the start; 1 to 100. 25 if `last` is not given either.")] first: Option<
            i32,
        >,
        #[graphql(desc = "Only nodes after this cursor.")] after: Option<String>,
        #[graphql(desc = "The most nodes, from the end; 1 to 100. Not together with `first`.")] last: Option<i32>,
        #[graphql(desc = "Only nodes before this cursor.")] before: Option<String>,
    ) -> Result<Connection<ImportProblem>> {
        self.problems(ctx, false, &Paging { first, after, last, before }).await
    }
}

/// What the columns of a kind of file hold, remembered under a name.
#[derive(Clone, Debug, SimpleObject)]
pub(crate) struct ColumnMapping {
    /// The name.
    name: String,
    /// The headers of the columns.
    headers: Vec<String>,
}

/// Queries about imports.
#[derive(Debug, Default)]
pub(crate) struct ImportDraftQuery;

#[Object]
impl ImportDraftQuery {
    /// An import draft; null where there is none of this id.
    async fn import_draft(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "Its id.")] id: ID,
    ) -> Result<Option<ImportDraft>> {
        let id: ImportDraftId = parse_id(&id, "id")?;
        match ctx.directory()?.draft(id).await {
            Ok(draft) => Ok(Some(ImportDraft(draft))),
            Err(Error::NotFound { .. }) => Ok(None),
            Err(error) => Err(error.into()),
        }
    }

    /// The latest import drafts, newest first: at most 100.
    async fn import_drafts(&self, ctx: &Context<'_>) -> Result<Vec<ImportDraft>> {
        Ok(ctx.directory()?.list_drafts().await?.into_iter().map(ImportDraft).collect())
    }

    /// The remembered column mappings, by name.
    async fn column_mappings(&self, ctx: &Context<'_>) -> Result<Vec<ColumnMapping>> {
        let show = |mapping: directory::ColumnMapping| {
            let headers = mapping.columns.into_iter().map(|(header, _)| header).collect();
            ColumnMapping { name: mapping.name, headers }
        };
        Ok(ctx.directory()?.list_column_mappings().await?.into_iter().map(show).collect())
    }
}
