//! Many org units at once: the whole tree with its counts, whom units share, and who is in none.

use async_graphql::{Context, Description, ID, Object, SimpleObject};
use entity::OrgUnitId;

use super::OrgUnit;
use crate::directory::{self, OrgUnitTree as Tree};
use crate::graphql::context::ContextExt;
use crate::graphql::error::{Failure, Result};
use crate::graphql::page::{Connection, Edge, Paging, Total};
use crate::graphql::scalar::{parse_id, to_id};
use crate::graphql::user::{UserConnection, UserOrder, Users, page};
use crate::index::{self, CountedUnit, Members};
use crate::value::GlobalId;

/// Org units with their counts, all of one version of the directory.
#[derive(Debug, Description)]
pub(crate) struct OrgUnitTree {
    tree: Tree,
    only_empty: bool,
}

#[Object(use_type_description)]
impl OrgUnitTree {
    /// The units, each before those below it and siblings by name: all of them, however many there are.
    async fn units(&self) -> Vec<OrgUnitTreeNode<'_>> {
        let units = self.tree.units.iter();
        units.filter(|unit| !self.only_empty || unit.members == 0).map(OrgUnitTreeNode).collect()
    }

    /// How many units there are, empty or not.
    async fn unit_count(&self) -> usize {
        self.tree.units.len()
    }

    /// The version of the directory that all counts are of.
    async fn version(&self) -> i64 {
        self.tree.version
    }
}

/// An org unit in its tree, with its counts.
#[derive(Debug, Description)]
pub(crate) struct OrgUnitTreeNode<'a>(&'a CountedUnit);

#[Object(use_type_description, serial)]
impl OrgUnitTreeNode<'_> {
    /// The unit.
    async fn unit(&self) -> OrgUnit {
        OrgUnit::new(self.0.record.clone())
    }

    /// The id of the unit above; null for a root.
    async fn parent_id(&self) -> Option<ID> {
        self.0.record.row.parent_id.map(to_id)
    }

    /// How many units are above it; 0 for a root.
    async fn depth(&self) -> usize {
        self.0.depth
    }

    /// How many members it has.
    async fn member_count(&self) -> u64 {
        self.0.members
    }

    /// How many users are members of it or of any unit below it, each counted once.
    async fn subtree_member_count(&self) -> u64 {
        self.0.members_of_subtree
    }

    /// How many units are right below it.
    async fn child_count(&self) -> usize {
        self.0.children
    }

    /// How many units are below it, at any depth.
    async fn descendant_count(&self) -> usize {
        self.0.descendants
    }

    /// Whether it has no members. `unit { filterViolations { message } }` tells whether that is because its filter asks
    /// for something that there is no more.
    async fn is_empty(&self) -> bool {
        self.0.members == 0
    }
}

/// Something wrong in the filter of an org unit.
#[derive(Debug, SimpleObject)]
pub(crate) struct OrgUnitFilterViolation {
    /// Where in the filter it is.
    path: String,
    /// What kind of mistake, in capitals; stable.
    code: &'static str,
    /// What is wrong and what would be right.
    message: String,
}

impl From<&crate::filter::Violation> for OrgUnitFilterViolation {
    fn from(violation: &crate::filter::Violation) -> Self {
        Self { path: violation.path.clone(), code: violation.code, message: violation.message.clone() }
    }
}

/// Whom two org units share, and whom not.
#[derive(Debug, Description)]
pub(crate) struct OrgUnitOverlap(directory::OrgUnitOverlap);

#[Object(use_type_description)]
impl OrgUnitOverlap {
    /// The members of both.
    async fn common(
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
        set(ctx, &self.0.common, order_by, &Paging { first, after, last, before }).await
    }

    /// The members of the first unit who are not in the second.
    async fn only_a(
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
        set(ctx, &self.0.only_a, order_by, &Paging { first, after, last, before }).await
    }

    /// The members of the second unit who are not in the first.
    async fn only_b(
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
        set(ctx, &self.0.only_b, order_by, &Paging { first, after, last, before }).await
    }
}

/// Whom sibling org units share.
#[derive(Debug, Description)]
pub(crate) struct SiblingOverlaps(index::SiblingOverlaps);

/// Two org units with one parent, and how many members they share.
#[derive(Debug, SimpleObject)]
pub(crate) struct SiblingOverlap {
    /// The one that comes first by name.
    unit_a: OrgUnit,
    /// The other.
    unit_b: OrgUnit,
    /// How many users are members of both.
    member_count: u64,
}

#[Object(use_type_description)]
impl SiblingOverlaps {
    /// The users who are members of more than one of the siblings.
    async fn users(
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
        set(ctx, &self.0.users, order_by, &Paging { first, after, last, before }).await
    }

    /// The pairs of siblings that share members, those that share the most first. Where more than 100 siblings share
    /// members, the pairs are those among the 100 that share the most.
    async fn pairs(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "The most nodes, from the start; 1 to 100. 25 if `last` is not given either.")] first: Option<
            i32,
        >,
        #[graphql(desc = "Only nodes after this cursor.")] after: Option<String>,
        #[graphql(desc = "The most nodes, from the end; 1 to 100. Not together with `first`.")] last: Option<i32>,
        #[graphql(desc = "Only nodes before this cursor.")] before: Option<String>,
    ) -> Result<Connection<SiblingOverlap>> {
        let window = Paging { first, after, last, before }.window(|cursor| {
            let (a, b) = cursor.split_once('.')?;
            Some((OrgUnitId::parse(a).ok()?, OrgUnitId::parse(b).ok()?))
        })?;
        let index = ctx.directory()?.index();
        let total = Total::Known(self.0.pairs.len() as u64);
        let slice = window.cut(self.0.pairs.clone(), |(a, b, _)| (*a, *b)).filter_map(|(a, b, member_count)| {
            let unit = |id| index.org_unit(id).cloned().map(OrgUnit::new);
            let cursor = format!("{}.{}", a.to_global(), b.to_global());
            Some((cursor, SiblingOverlap { unit_a: unit(a)?, unit_b: unit(b)?, member_count }))
        });
        Ok(Connection::new(slice, total, self.0.users.version(), |(cursor, node)| Edge { cursor, node }))
    }
}

/// A page of a set of users.
async fn set(
    ctx: &Context<'_>,
    members: &Members,
    order: Option<UserOrder>,
    paging: &Paging,
) -> Result<UserConnection> {
    page(ctx, &Users::Set(members.clone()), order, paging).await
}

/// Queries about many org units at once.
#[derive(Debug, Default)]
pub(crate) struct TreeQuery;

#[Object]
impl TreeQuery {
    /// The whole tree of org units, or what stands below one, with all counts in one answer. It is reckoned as 1,000
    /// objects, times what is selected of each unit.
    async fn org_unit_tree(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "Only this unit and those below it.")] root_id: Option<ID>,
        #[graphql(desc = "Only units without members.", default)] only_empty: bool,
    ) -> Result<OrgUnitTree> {
        let root = root_id.map(|id| parse_id(&id, "rootId")).transpose()?;
        Ok(OrgUnitTree { tree: ctx.directory()?.org_unit_tree(root).await?, only_empty })
    }

    /// The users who are in no org unit.
    #[expect(clippy::too_many_arguments, reason = "they are the field's arguments")]
    async fn unassigned_users(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "Rather the members of this unit who are in no unit below it.")] under_id: Option<ID>,
        #[graphql(desc = "In which order; by name if left out.")] order_by: Option<UserOrder>,
        #[graphql(desc = "The most nodes, from the start; 1 to 100. 25 if `last` is not given either.")] first: Option<
            i32,
        >,
        #[graphql(desc = "Only nodes after this cursor.")] after: Option<String>,
        #[graphql(desc = "The most nodes, from the end; 1 to 100. Not together with `first`.")] last: Option<i32>,
        #[graphql(desc = "Only nodes before this cursor.")] before: Option<String>,
    ) -> Result<UserConnection> {
        let under = under_id.map(|id| parse_id(&id, "underId")).transpose()?;
        let members = ctx.directory()?.unassigned(under).await?;
        set(ctx, &members, order_by, &Paging { first, after, last, before }).await
    }

    /// Whom two org units share. `common { totalCount }` alone reads no user records.
    async fn overlaps(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "The id of the first unit.")] unit_a: ID,
        #[graphql(desc = "The id of the second unit.")] unit_b: ID,
    ) -> Result<OrgUnitOverlap> {
        let (a, b): (OrgUnitId, OrgUnitId) = (parse_id(&unit_a, "unitA")?, parse_id(&unit_b, "unitB")?);
        if a == b {
            return Err(Failure::invalid("unitB", "DUPLICATE", "give two different org units"));
        }
        Ok(OrgUnitOverlap(ctx.directory()?.overlap(a, b)?))
    }

    /// Who is a member of more than one of the org units with one parent, and which of these share members.
    async fn sibling_overlaps(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "The units right below this one; the roots if left out.")] parent_id: Option<ID>,
    ) -> Result<SiblingOverlaps> {
        let parent = parent_id.map(|id| parse_id(&id, "parentId")).transpose()?;
        Ok(SiblingOverlaps(ctx.directory()?.sibling_overlaps(parent).await?))
    }
}
