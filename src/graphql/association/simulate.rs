//! What a change of the rules would do.

use async_graphql::{Context, Description, Object, SimpleObject};
use entity::{IntegrationAccountId, UserId};

use super::AssociationRulesInput;
use super::conflicts::AssociationConflictKind;
use crate::directory::{ConflictKind, Error, Simulation};
use crate::graphql::change_preview::OrgUnitImpact;
use crate::graphql::context::ContextExt;
use crate::graphql::error::{Failure, Result};
use crate::graphql::integration_account::IntegrationAccount;
use crate::graphql::page::{Connection, Edge, Paging, Slice, Total};
use crate::graphql::user::User;
use crate::index::{Index, MovedAccount, UnitDifference};
use crate::value::GlobalId;

/// The most users that are named of those who join or leave one unit.
const WHO: usize = 100;

/// What a change of the rules of association would do.
#[derive(Description)]
pub(crate) struct AssociationSimulation {
    simulation: Simulation,
    indexes: (Index, Index),
    impact: Vec<UnitDifference>,
    conflicts: Vec<ConflictTotal>,
}

/// How many conflicts of one kind there are, and would be.
#[derive(Clone, Copy, Debug, SimpleObject)]
pub(crate) struct ConflictTotal {
    /// The kind.
    kind: AssociationConflictKind,
    /// How many there are.
    before: u64,
    /// How many there would be.
    after: u64,
}

/// An account that would be another's, or nobody's.
#[derive(Clone, Debug, Description)]
pub(crate) struct SimulatedMove {
    moved: MovedAccount,
    to: SimulatedUser,
}

/// A user whom an account would come to, or who would be made or go.
#[derive(Clone, Debug, Description)]
pub(crate) struct SimulatedUser {
    id: Option<UserId>,
    is_new: bool,
    email: Option<String>,
}

#[Object(use_type_description)]
impl SimulatedUser {
    /// The user as it is now; null for one that would be made.
    async fn user(&self, ctx: &Context<'_>) -> Result<Option<User>> {
        match self.id.filter(|_| !self.is_new) {
            Some(id) => User::find(ctx, id).await,
            None => Ok(None),
        }
    }

    /// The primary email.
    async fn email(&self) -> Option<&str> {
        self.email.as_deref()
    }

    /// Whether the user would be made.
    async fn is_new(&self) -> bool {
        self.is_new
    }
}

#[Object(use_type_description)]
impl SimulatedMove {
    /// The account as it is.
    async fn account(&self, ctx: &Context<'_>) -> Result<Option<IntegrationAccount>> {
        IntegrationAccount::find(ctx, self.moved.account).await
    }

    /// Whose it is; null for nobody.
    async fn from(&self, ctx: &Context<'_>) -> Result<Option<User>> {
        match self.moved.from {
            Some(id) => User::find(ctx, id).await,
            None => Ok(None),
        }
    }

    /// Whose it would be; null for nobody.
    async fn to(&self) -> Option<&SimulatedUser> {
        self.moved.to.map(|_| &self.to)
    }
}

impl AssociationSimulation {
    /// A user of the index before or after.
    fn user(&self, id: Option<UserId>) -> SimulatedUser {
        let (before, after) = &self.indexes;
        let email = id.and_then(|id| after.email_of(id).or_else(|| before.email_of(id))).map(str::to_owned);
        SimulatedUser { id, is_new: id.is_some_and(|id| !before.has_user(id)), email }
    }

    fn page(&self, found: crate::directory::Part<UserId>) -> Connection<SimulatedUser> {
        let slice = Slice { items: found.items, has_previous: found.has_previous, has_next: found.has_next };
        Connection::new(slice, Total::Known(found.total), self.simulation.rehearsal().version(), |id: UserId| Edge {
            cursor: id.to_global(),
            node: self.user(Some(id)),
        })
    }
}

#[Object(use_type_description)]
impl AssociationSimulation {
    /// The version of the directory that the change was tried on.
    async fn version(&self) -> i64 {
        self.simulation.rehearsal().version()
    }

    /// How many accounts would come to another user, to a user at all, or to nobody.
    async fn accounts_moved(&self) -> u64 {
        self.simulation.outcome.accounts_moved
    }

    /// How many users would be made from accounts.
    async fn users_created(&self) -> u64 {
        self.simulation.outcome.users_created
    }

    /// How many automatically made users would go, or become part of others.
    async fn users_removed(&self) -> u64 {
        self.simulation.outcome.users_removed
    }

    /// The accounts that would be another's, or nobody's, in the order in which they came.
    async fn moves(
        &self,
        #[graphql(desc = "The most nodes, from the start; 1 to 100. 25 if `last` is not given either.")] first: Option<
            i32,
        >,
        #[graphql(desc = "Only nodes after this cursor.")] after: Option<String>,
        #[graphql(desc = "The most nodes, from the end; 1 to 100. Not together with `first`.")] last: Option<i32>,
        #[graphql(desc = "Only nodes before this cursor.")] before: Option<String>,
    ) -> Result<Connection<SimulatedMove>> {
        let range = Paging { first, after, last, before }.ids::<IntegrationAccountId>()?;
        let found = self.simulation.moves(range).await?;
        let slice = Slice { items: found.items, has_previous: found.has_previous, has_next: found.has_next };
        let version = self.simulation.rehearsal().version();
        Ok(Connection::new(slice, Total::Known(found.total), version, |moved: MovedAccount| Edge {
            cursor: moved.account.to_global(),
            node: SimulatedMove { moved, to: self.user(moved.to) },
        }))
    }

    /// The users that would be made.
    async fn created(
        &self,
        #[graphql(desc = "The most nodes, from the start; 1 to 100. 25 if `last` is not given either.")] first: Option<
            i32,
        >,
        #[graphql(desc = "Only nodes after this cursor.")] after: Option<String>,
        #[graphql(desc = "The most nodes, from the end; 1 to 100. Not together with `first`.")] last: Option<i32>,
        #[graphql(desc = "Only nodes before this cursor.")] before: Option<String>,
    ) -> Result<Connection<SimulatedUser>> {
        let range = Paging { first, after, last, before }.ids()?;
        Ok(self.page(self.simulation.users_made(range).await?))
    }

    /// The users that would go, or become part of others.
    async fn removed(
        &self,
        #[graphql(desc = "The most nodes, from the start; 1 to 100. 25 if `last` is not given either.")] first: Option<
            i32,
        >,
        #[graphql(desc = "Only nodes after this cursor.")] after: Option<String>,
        #[graphql(desc = "The most nodes, from the end; 1 to 100. Not together with `first`.")] last: Option<i32>,
        #[graphql(desc = "Only nodes before this cursor.")] before: Option<String>,
    ) -> Result<Connection<SimulatedUser>> {
        let range = Paging { first, after, last, before }.ids()?;
        Ok(self.page(self.simulation.users_gone(range).await?))
    }

    /// How many conflicts there are and would be, of each kind.
    async fn conflicts(&self) -> &[ConflictTotal] {
        &self.conflicts
    }

    /// How many org units would have other members.
    async fn impact_count(&self) -> usize {
        self.impact.len()
    }

    /// The org units that would have other members, by their paths.
    async fn impact(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "At most so many; 1 to 1,000.", default = 25)] first: i32,
    ) -> Result<Vec<OrgUnitImpact>> {
        OrgUnitImpact::list(ctx, &self.impact, first)
    }
}

/// Queries about changes of the rules that are not made.
#[derive(Debug, Default)]
pub(crate) struct SimulateQuery;

#[Object]
impl SimulateQuery {
    /// What a change of the rules of association would do. It is made and taken back, in its turn with other changes, so it
    /// does just what `updateAssociationRules` with the same input does then.
    async fn simulate_association(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "What would change of the rules.")] rules: AssociationRulesInput,
    ) -> Result<AssociationSimulation> {
        let (directory, actor) = (ctx.directory()?.clone(), ctx.actor());
        let change = rules.into_change(None);
        // In a task of its own, as mutations are: a client that goes away leaves no transaction open.
        let made = tokio::spawn(async move { directory.simulate_association(&actor, change).await });
        let simulation = made.await.map_err(|error| Failure(Error::internal(error)))??;
        let impact = simulation.rehearsal().impact(WHO).await?;
        let conflict =
            |(kind, before, after): (ConflictKind, u64, u64)| ConflictTotal { kind: kind.into(), before, after };
        let conflicts = simulation.conflicts().await?.into_iter().map(conflict).collect();
        let indexes = simulation.indexes();
        Ok(AssociationSimulation { simulation, indexes, impact, conflicts })
    }
}
