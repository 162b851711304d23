//! An org unit as somebody edits it: whom it would have, what saving it would change, and what each condition does.

use std::sync::Arc;

use async_graphql::{Context, Description, Enum, ID, InputObject, MaybeUndefined, Object, SimpleObject};
use entity::OrgUnitId;

use super::{OrgUnit, OrgUnitScope};
use crate::directory::{self, OrgUnitDraft};
use crate::graphql::context::ContextExt;
use crate::graphql::error::Result;
use crate::graphql::filter::{UserFilter, told};
use crate::graphql::page::{Connection, Edge, Paging, Total};
use crate::graphql::scalar::{parse_id, parse_ids};
use crate::graphql::user::{User, UserConnection, UserOrder, Users, page};
use crate::record::OrgUnitRecord;
use crate::value::GlobalId;

/// An org unit that is not saved. With `id` it is a change to a saved one, and what is left out is as it is there.
#[derive(Debug, InputObject)]
pub(crate) struct PreviewOrgUnitInput {
    /// The saved unit that it would change; left out for a new one.
    id: Option<ID>,
    /// The unit above; null for a root.
    parent_id: MaybeUndefined<ID>,
    /// Among whom its filter selects; `ALL` for a new unit if left out.
    scope: Option<OrgUnitScope>,
    /// Its filter; null for none.
    filter: MaybeUndefined<UserFilter>,
    /// The ids of all pinned users, at most 10,000.
    pinned: Option<Vec<ID>>,
    /// The ids of all excluded users, at most 10,000.
    excluded: Option<Vec<ID>>,
}

/// Whom an org unit that is not saved would have.
#[derive(Description)]
pub(crate) struct OrgUnitPreview(directory::OrgUnitPreview);

#[Object(use_type_description)]
impl OrgUnitPreview {
    /// The members it would have.
    async fn members(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "In which order; by name if left out.")] order_by: Option<UserOrder>,
        #[graphql(desc = "The most nodes, from the start; 1 to 100. 25 if `last` is not given either.")] first: Option<
            i32,
        >,
        #[graphql(desc = "Only nodes after this cursor.")] after: Option<String>,
        #[graphql(desc = "The most nodes, from the end; 1 to 100. Not together with `first`.")] last: Option<i32>,
        #[graphql(desc = "Only nodes before this cursor.")] before: Option<String>,
    ) -> Result<UserConnection> {
        let users = Users::Set(self.0.members()?);
        page(ctx, &users, order_by, &Paging { first, after, last, before }).await
    }

    /// Those of them whom the saved unit does not have; of a new unit all.
    async fn added(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "In which order; by name if left out.")] order_by: Option<UserOrder>,
        #[graphql(desc = "The most nodes, from the start; 1 to 100. 25 if `last` is not given either.")] first: Option<
            i32,
        >,
        #[graphql(desc = "Only nodes after this cursor.")] after: Option<String>,
        #[graphql(desc = "The most nodes, from the end; 1 to 100. Not together with `first`.")] last: Option<i32>,
        #[graphql(desc = "Only nodes before this cursor.")] before: Option<String>,
    ) -> Result<UserConnection> {
        let users = Users::Set(self.0.added()?);
        page(ctx, &users, order_by, &Paging { first, after, last, before }).await
    }

    /// The members of the saved unit whom it would not have.
    async fn removed(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "In which order; by name if left out.")] order_by: Option<UserOrder>,
        #[graphql(desc = "The most nodes, from the start; 1 to 100. 25 if `last` is not given either.")] first: Option<
            i32,
        >,
        #[graphql(desc = "Only nodes after this cursor.")] after: Option<String>,
        #[graphql(desc = "The most nodes, from the end; 1 to 100. Not together with `first`.")] last: Option<i32>,
        #[graphql(desc = "Only nodes before this cursor.")] before: Option<String>,
    ) -> Result<UserConnection> {
        let users = Users::Set(self.0.removed()?);
        page(ctx, &users, order_by, &Paging { first, after, last, before }).await
    }

    /// The members it would have who are members of no other org unit, as those are saved.
    async fn in_no_other_unit(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "In which order; by name if left out.")] order_by: Option<UserOrder>,
        #[graphql(desc = "The most nodes, from the start; 1 to 100. 25 if `last` is not given either.")] first: Option<
            i32,
        >,
        #[graphql(desc = "Only nodes after this cursor.")] after: Option<String>,
        #[graphql(desc = "The most nodes, from the end; 1 to 100. Not together with `first`.")] last: Option<i32>,
        #[graphql(desc = "Only nodes before this cursor.")] before: Option<String>,
    ) -> Result<UserConnection> {
        let users = Users::Set(self.0.in_no_other_unit().await?);
        page(ctx, &users, order_by, &Paging { first, after, last, before }).await
    }

    /// The siblings that it would share members with: most first, then by name.
    async fn overlaps(
        &self,
        #[graphql(desc = "The most nodes, from the start; 1 to 100. 25 if `last` is not given either.")] first: Option<
            i32,
        >,
        #[graphql(desc = "Only nodes after this cursor.")] after: Option<String>,
        #[graphql(desc = "The most nodes, from the end; 1 to 100. Not together with `first`.")] last: Option<i32>,
        #[graphql(desc = "Only nodes before this cursor.")] before: Option<String>,
    ) -> Result<Connection<PreviewOverlap>> {
        let window = Paging { first, after, last, before }.window(|cursor| OrgUnitId::parse(cursor).ok())?;
        let overlaps = self.0.overlaps()?;
        let total = Total::Known(overlaps.len() as u64);
        let slice = window.cut(overlaps, |(unit, _)| unit.row.id);
        Ok(Connection::new(slice, total, self.0.version(), |(unit, member_count)| Edge {
            cursor: unit.row.id.to_global(),
            node: PreviewOverlap { unit, member_count },
        }))
    }

    /// The nodes of its filter, each before its parts, with what each does: a number for every line of a builder. Empty
    /// without a filter. Every condition is evaluated once, so this costs about as much as the filter does.
    async fn conditions(&self) -> Vec<PreviewCondition> {
        self.0.conditions().into_iter().map(PreviewCondition::new).collect()
    }

    /// What is probably not meant so, at most 100 warnings: those of the filter in the order of its conditions, then those
    /// of pinned and excluded users. It can be saved all the same.
    async fn warnings(&self) -> Result<Vec<PreviewWarning>> {
        Ok(self.0.warnings()?.into_iter().map(PreviewWarning).collect())
    }
}

/// A sibling that an org unit would share members with.
#[derive(Debug, Description)]
pub(crate) struct PreviewOverlap {
    unit: Arc<OrgUnitRecord>,
    member_count: u64,
}

#[Object(use_type_description)]
impl PreviewOverlap {
    /// The sibling.
    async fn org_unit(&self) -> OrgUnit {
        OrgUnit::new(self.unit.clone())
    }

    /// How many of the members are members of the sibling, too.
    async fn member_count(&self) -> u64 {
        self.member_count
    }
}

/// One node of a filter, and what it does. To leave a node out is to leave it out of the list that it stands in, where an
/// empty `all` holds for everybody and an empty `any` for nobody. What stands in a `not` is left out together with it, and
/// the whole filter as if it stood alone in an `all`. The numbers hold however deep it stands: below a `not`, conditions
/// of an `all` are what adds.
#[derive(Debug, SimpleObject)]
#[graphql(serial)]
pub(crate) struct PreviewCondition {
    /// Where it stands, as in violations: `filter.all[0].attribute.is.equals`.
    path: String,
    /// How many nodes it stands in; 0 for the whole filter.
    depth: usize,
    /// What it says, as text in its canonical form; null where that is longer than 64 KiB.
    text: Option<String>,
    /// How many of the users in scope it selects by itself.
    selects: u64,
    /// How many users would become members if it were left out: of a condition in an `all` those who meet all the others
    /// and not this one.
    excludes: u64,
    /// How many users would be members no longer if it were left out: of a condition in an `any` those who meet this one
    /// and none of the others.
    adds: u64,
}

impl PreviewCondition {
    fn new(condition: directory::ConditionCount) -> Self {
        let directory::ConditionCount { path, depth, text, tally } = condition;
        Self { path, depth, text, selects: tally.selects, excludes: tally.excludes, adds: tally.adds }
    }
}

/// What a warning of a preview is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Enum)]
#[graphql(remote = "crate::directory::WarningKind")]
pub(crate) enum PreviewWarningCode {
    /// There is nobody in scope to select.
    EmptyScope,
    /// A condition selects nobody; with the path `filter`, the whole filter.
    SelectsNobody,
    /// A condition selects everybody in scope; with the path `filter`, the whole filter.
    SelectsEverybody,
    /// A condition names a value that no user has.
    UnusedValue,
    /// Two parts of one `all` can never both hold, such as two values of one attribute.
    Contradiction,
    /// Two parts of one `all` select somebody each, and nobody together.
    NobodyInCommon,
    /// A pinned user is selected by the filter anyway.
    NeedlessPin,
    /// An excluded user would be no member anyway.
    NeedlessExclusion,
}

/// Something in an org unit that is probably not meant so.
#[derive(Debug, Description)]
pub(crate) struct PreviewWarning(directory::Warning);

#[Object(use_type_description)]
impl PreviewWarning {
    /// What it is about.
    async fn code(&self) -> PreviewWarningCode {
        self.0.kind.into()
    }

    /// Where, as in violations: the path of a condition or of one of its values, `filter`, `scope`, `pinned` or `excluded`.
    async fn path(&self) -> &str {
        &self.0.path
    }

    /// The path of the other condition, where two have nobody in common.
    async fn other_path(&self) -> Option<&str> {
        self.0.other_path.as_deref()
    }

    /// What is odd, in words.
    async fn message(&self) -> &str {
        &self.0.message
    }

    /// The value that was probably meant, in the form in which text is compared; null where none is near.
    async fn suggestion(&self) -> Option<&str> {
        self.0.suggestion.as_deref()
    }

    /// The user who is pinned or excluded; null where it is about a condition.
    async fn user(&self, ctx: &Context<'_>) -> Result<Option<User>> {
        match self.0.user {
            Some(id) => User::find(ctx, id).await,
            None => Ok(None),
        }
    }
}

/// Trying org units out.
#[derive(Debug, Default)]
pub(crate) struct PreviewQuery;

#[Object]
impl PreviewQuery {
    /// Whom an org unit would have if it were saved so. Nothing is saved.
    async fn preview_org_unit(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "The org unit as it would be saved.")] input: PreviewOrgUnitInput,
    ) -> Result<OrgUnitPreview> {
        let ids = |ids: Option<Vec<ID>>, path| ids.map(|ids| parse_ids(&ids, path)).transpose();
        let parent: Option<Option<OrgUnitId>> = match told(input.parent_id) {
            Some(Some(parent)) => Some(Some(parse_id(&parent, "parentId")?)),
            Some(None) => Some(None),
            None => None,
        };
        let draft = OrgUnitDraft {
            id: input.id.map(|id| parse_id(&id, "id")).transpose()?,
            parent_id: parent,
            scope: input.scope.map(Into::into),
            filter: told(input.filter).map(|filter| filter.map(Into::into)),
            pinned: ids(input.pinned, "pinned")?,
            excluded: ids(input.excluded, "excluded")?,
        };
        Ok(OrgUnitPreview(ctx.directory()?.preview_org_unit(draft)?))
    }
}
