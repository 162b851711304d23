//! How the members of an org unit changed: from one point in time to another, and as it happens.

use async_graphql::{Context, Description, ID, Object, Subscription};
use entity::{OrgUnitId, UserId};
use futures_util::Stream;

use super::OrgUnit;
use crate::directory::{self, Moment, MovedMembers};
use crate::graphql::as_of::{AsOf, At};
use crate::graphql::changeset::Changeset;
use crate::graphql::context::ContextExt;
use crate::graphql::error::{Failure, Result};
use crate::graphql::page::{Connection, Edge, Paging, Slice, Total};
use crate::graphql::scalar::parse_id;
use crate::graphql::subscription::events;
use crate::graphql::user::{User, UserConnection, UserOrder, Users, page_at};
use crate::index::Members;

/// How the members of an org unit changed from one version of the directory to another.
#[derive(Debug, Description)]
pub(crate) struct OrgUnitMembershipChanges {
    unit: OrgUnitId,
    from: (Moment, Members),
    to: (Moment, Members),
    joined: Members,
    left: Members,
}

impl OrgUnitMembershipChanges {
    pub(super) async fn find(ctx: &Context<'_>, unit: OrgUnitId, from: AsOf, to: Option<AsOf>) -> Result<Self> {
        let directory = ctx.directory()?;
        let versions = ctx.versions()?;
        let from = versions.find(directory, from.into(), "from").await?;
        let to = match to {
            Some(to) => versions.find(directory, to.into(), "to").await?,
            None => Moment { version: directory.version(), day: directory.clock().now().date_naive() },
        };
        if to.version < from.version {
            let message = format!("version {}, which it stands for, comes before `from`, {}", to.version, from.version);
            return Err(Failure::invalid("to", "OUT_OF_BOUNDS", message));
        }
        let (before, after) = (versions.index(directory, from).await?, versions.index(directory, to).await?);
        let (had, has) = (before.members_of_unit(unit), after.members_of_unit(unit));
        Ok(Self {
            unit,
            joined: after.without(&has, &before, &had),
            left: before.without(&had, &after, &has),
            from: (from, had),
            to: (to, has),
        })
    }
}

#[Object(use_type_description)]
impl OrgUnitMembershipChanges {
    /// The version from which on changes count.
    async fn from_version(&self) -> i64 {
        self.from.0.version
    }

    /// The version until which changes count.
    async fn to_version(&self) -> i64 {
        self.to.0.version
    }

    /// How many members it had at the first of the two.
    async fn members_before(&self) -> u64 {
        self.from.1.len()
    }

    /// How many members it had at the second of the two.
    async fn members_after(&self) -> u64 {
        self.to.1.len()
    }

    /// Who is a member at the second and was not at the first, as they are at the second. Who joined and left in between
    /// stands only in `changes`.
    async fn joined(
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
        let users = Users::Set(self.joined.clone());
        page_at(ctx, At::Then(self.to.0), &users, order_by, &Paging { first, after, last, before }).await
    }

    /// Who was a member at the first and is not at the second, as they were at the first.
    async fn left(
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
        let users = Users::Set(self.left.clone());
        page_at(ctx, At::Then(self.from.0), &users, order_by, &Paging { first, after, last, before }).await
    }

    /// The changesets that changed who the members are, the earliest first. Each page may look at 10,000 changesets; where
    /// that is not enough, the two points in time must be nearer.
    async fn changes(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "The most nodes, from the start; 1 to 100. 25 if left out.")] first: Option<i32>,
        #[graphql(desc = "Only nodes after this cursor.")] after: Option<String>,
    ) -> Result<Connection<OrgUnitMembersChange>> {
        let range = Paging { first, after, ..Paging::default() }.numbers()?;
        let (from, to) = (self.from.0.version, self.to.0.version);
        let after = range.after.unwrap_or(from).clamp(from, to);
        let page = ctx.directory()?.members_changes(self.unit, after, to, range.limit).await?;
        let slice = Slice { items: page.rows, has_previous: after > from, has_next: page.has_next };
        Ok(Connection::new(slice, Total::Members(self.unit, from, to), to, |change| Edge {
            cursor: change.changeset.number.to_string(),
            node: OrgUnitMembersChange(change),
        }))
    }
}

/// What one changeset made of the members of an org unit. Joins and leaves, taken together with those who were members
/// before, are the members after it.
#[derive(Clone, Debug, Description)]
pub(crate) struct OrgUnitMembersChange(directory::MembersChange);

impl OrgUnitMembersChange {
    /// Right after the changeset, or right before it.
    fn at(&self, is_after: bool) -> At {
        let changeset = &self.0.changeset;
        let version = changeset.number - i64::from(!is_after);
        At::Then(Moment { version, day: changeset.created_at.date_naive() })
    }

    async fn named(&self, ctx: &Context<'_>, at: At, moved: &MovedMembers, first: i32) -> Result<Vec<User>> {
        let most = directory::NAMED_MEMBERS;
        let first = usize::try_from(first).ok().filter(|first| (1..=most).contains(first));
        let first = first.ok_or_else(|| {
            Failure::invalid("first", "OUT_OF_BOUNDS", format!("the first 1 to {most} can be asked for here"))
        })?;
        let ids: Vec<UserId> = moved.first.iter().take(first).copied().collect();
        Ok(at.users(ctx, ids).await?.into_iter().map(|record| User::at(at, record)).collect())
    }
}

#[Object(use_type_description)]
impl OrgUnitMembersChange {
    /// The version of the directory after it: the number of the changeset. To go on after a break, give it as
    /// `afterVersion`.
    async fn version(&self) -> i64 {
        self.0.changeset.number
    }

    /// The changeset: of whatever kind, since members change with users, accounts, attributes and other units, too.
    async fn changeset(&self) -> Changeset {
        Changeset(self.0.changeset.clone())
    }

    /// The org unit as it was after it; null where the changeset deleted it.
    async fn org_unit(&self, ctx: &Context<'_>) -> Result<Option<OrgUnit>> {
        if !self.0.exists {
            return Ok(None);
        }
        let at = self.at(true);
        Ok(at.index(ctx).await?.org_unit(self.0.org_unit).map(|record| OrgUnit(record.clone(), at)))
    }

    /// How many members there are after it.
    async fn member_count(&self) -> u64 {
        self.0.member_count
    }

    /// How many became members.
    async fn joined_count(&self) -> u64 {
        self.0.joined.count
    }

    /// How many are no longer members.
    async fn left_count(&self) -> u64 {
        self.0.left.count
    }

    /// The first of those who became members, as they were after it, in the order in which their records were made. All
    /// of them: `membershipChanges` from the version before to this one.
    async fn joined(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "The most of them; 1 to 100.", default = 25)] first: i32,
    ) -> Result<Vec<User>> {
        self.named(ctx, self.at(true), &self.0.joined, first).await
    }

    /// The first of those who are no longer members, as they were before it, in the order in which their records were
    /// made.
    async fn left(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "The most of them; 1 to 100.", default = 25)] first: i32,
    ) -> Result<Vec<User>> {
        self.named(ctx, self.at(false), &self.0.left, first).await
    }
}

/// Subscriptions to org units.
#[derive(Debug, Default)]
pub(crate) struct OrgUnitSubscription;

#[Subscription]
impl OrgUnitSubscription {
    /// Each changeset that changes who the members of an org unit are, whatever it changes and whoever makes it: none is
    /// left out, none comes twice, and they come in their order. Ends after the one that deletes the unit.
    async fn org_unit_members_changed(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "The org unit.")] org_unit_id: ID,
        #[graphql(
            desc = "Begin with the changesets after this version, for a client that knows the members at it. Without \
                          it, with the next one that is made."
        )]
        after_version: Option<i64>,
    ) -> Result<impl Stream<Item = Result<OrgUnitMembersChange>>> {
        let directory = ctx.directory()?;
        let unit = parse_id(&org_unit_id, "orgUnitId")?;
        let version = directory.version();
        let after = after_version.unwrap_or(version);
        if !(0..=version).contains(&after) {
            let message = format!("the directory is at version {version}, and has never been at {after}");
            return Err(Failure::invalid("afterVersion", "OUT_OF_BOUNDS", message));
        }
        Ok(events(directory.members_changes_after(unit, after).await?, OrgUnitMembersChange))
    }
}
