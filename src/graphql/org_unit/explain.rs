//! Why somebody is a member of an org unit, or is not.

use std::sync::Arc;

use async_graphql::{Context, Description, Enum, ID, Object, SimpleObject};
use entity::integration_account;

use super::OrgUnit;
use crate::directory::ExplainedBy;
use crate::graphql::as_of::At;
use crate::graphql::context::ContextExt;
use crate::graphql::error::{Failure, Result};
use crate::graphql::filter::UserFilter;
use crate::graphql::scalar::parse_id;
use crate::graphql::user::User;
use crate::index::{Explanation, Outcome, Reason};
use crate::record::{OrgUnitRecord, UserRecord};

/// Why a user is a member of an org unit, or is not.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Enum)]
#[graphql(remote = "crate::index::Reason")]
pub(crate) enum MembershipReason {
    /// A member, since the filter selects the user.
    Filter,
    /// A member, since the user is pinned; the filter alone would not select the user.
    Pinned,
    /// No member, since the user is excluded.
    Excluded,
    /// No member, since the filter does not select the user.
    NotSelected,
    /// No member, since the unit selects among the members of its parent, and the user is none of them.
    NotInScope,
    /// No member, since the unit has no filter.
    NoFilter,
    /// No member, since the unit's filter names what is no longer there, and so selects nobody.
    InvalidFilter,
    /// No member, since the unit's members would depend on themselves, and so it has none.
    Circular,
}

/// What came of one node of a filter for one user.
#[derive(Debug, SimpleObject)]
#[graphql(serial)]
pub(crate) struct ConditionOutcome {
    /// Where it stands, as in violations: `filter.all[0].attribute.is.equals`.
    path: String,
    /// How many nodes it stands in; 0 for the whole filter.
    depth: usize,
    /// What it says, as text in its canonical form; null where that is longer than 64 KiB.
    text: Option<String>,
    /// Whether it holds.
    holds: bool,
    /// The values that it looked at, as people read them, at most 100: the user's value, each option of a `MULTI_SELECT`,
    /// a USER value by email; for `reportsTo` the chain of managers, the nearest first; accounts of the integration asked
    /// about, such as `GitHub: ann`; for an org unit the paths of the units asked about that the user is a member of. Empty
    /// without a value, and for `all`, `any` and `not`, whose parts follow.
    saw: Vec<String>,
}

impl ConditionOutcome {
    fn new(outcome: Outcome) -> Self {
        let Outcome { path, depth, text, holds, saw } = outcome;
        Self { path, depth, text, holds, saw }
    }
}

/// Why a user is a member of an org unit, or is not; or whether a filter selects the user.
#[derive(Debug, Description)]
pub(crate) struct MembershipExplanation {
    user: Arc<UserRecord>,
    explanation: Explanation,
}

#[Object(use_type_description)]
impl MembershipExplanation {
    /// The user.
    async fn user(&self) -> User {
        User::new(self.user.clone())
    }

    /// The org unit; null where a filter was given.
    async fn org_unit(&self) -> Option<OrgUnit> {
        self.explanation.org_unit.clone().map(OrgUnit::new)
    }

    /// Whether the user is a member; of a filter alone, whether it selects the user.
    async fn is_member(&self) -> bool {
        self.explanation.reason.is_member()
    }

    /// Why.
    async fn reason(&self) -> MembershipReason {
        self.explanation.reason.into()
    }

    /// Whether the user is pinned to the unit. Such a user may be selected by the filter, too.
    async fn is_pinned(&self) -> bool {
        self.explanation.is_pinned
    }

    /// Whether the user is excluded from the unit.
    async fn is_excluded(&self) -> bool {
        self.explanation.is_excluded
    }

    /// The nodes of the filter, each before its parts, with what came of each for the user; the first is the whole filter.
    /// Empty without a filter, and where that is hidden.
    async fn conditions(&self, ctx: &Context<'_>) -> Result<Vec<ConditionOutcome>> {
        let index = ctx.directory()?.index();
        if self.explanation.org_unit.as_ref().is_some_and(|unit| index.conceals(unit)) {
            return Ok(Vec::new());
        }
        Ok(self.explanation.outcomes.iter().cloned().map(ConditionOutcome::new).collect())
    }

    /// The same of the parent, where the unit selects among the parent's members; null where it selects among all users.
    async fn scope(&self) -> Option<MembershipExplanation> {
        let explanation = self.explanation.scope.as_deref()?.clone();
        Some(Self { user: self.user.clone(), explanation })
    }
}

/// An org unit that a user is a member of, and why.
#[derive(Debug, Description)]
pub(crate) struct Membership {
    at: At,
    user: Arc<UserRecord>,
    unit: Arc<OrgUnitRecord>,
    reason: Reason,
}

impl Membership {
    pub(crate) fn new(at: At, user: Arc<UserRecord>, unit: Arc<OrgUnitRecord>, reason: Reason) -> Self {
        Self { at, user, unit, reason }
    }
}

#[Object(use_type_description)]
impl Membership {
    /// The org unit.
    async fn org_unit(&self) -> OrgUnit {
        OrgUnit(self.unit.clone(), self.at)
    }

    /// Why the user is a member: `FILTER` or `PINNED`.
    async fn reason(&self) -> MembershipReason {
        self.reason.into()
    }

    /// The nodes of the unit's filter, each before its parts, with what came of each for the user. Empty without a filter,
    /// and where that is hidden.
    async fn conditions(&self, ctx: &Context<'_>) -> Result<Vec<ConditionOutcome>> {
        if self.at.index(ctx).await?.conceals(&self.unit) {
            return Ok(Vec::new());
        }
        let accounts = self.at.accounts_of(ctx, self.user.row.id).await?;
        let accounts: Vec<&integration_account::Model> = accounts.iter().map(Arc::as_ref).collect();
        let outcomes = self.at.index(ctx).await?.unit_outcomes(&self.unit, &self.user, &accounts);
        Ok(outcomes.into_iter().map(ConditionOutcome::new).collect())
    }
}

/// Queries about who is a member, and why.
#[derive(Debug, Default)]
pub(crate) struct ExplainQuery;

#[Object]
impl ExplainQuery {
    /// Why a user is a member of an org unit, or is not; or whether a filter that need not be saved selects the user, and
    /// why. Exactly one of `orgUnitId` and `filter` is given.
    async fn explain_membership(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "The user's id.")] user_id: ID,
        #[graphql(desc = "The org unit's id.")] org_unit_id: Option<ID>,
        #[graphql(desc = "A filter.")] filter: Option<UserFilter>,
    ) -> Result<MembershipExplanation> {
        let user = parse_id(&user_id, "userId")?;
        let by = match (org_unit_id, filter) {
            (Some(id), None) => ExplainedBy::OrgUnit(parse_id(&id, "orgUnitId")?),
            (None, Some(filter)) => ExplainedBy::Filter(filter.into()),
            _ => {
                let message = "give exactly one of `orgUnitId` and `filter`";
                return Err(Failure::invalid("orgUnitId", "EXACTLY_ONE", message));
            }
        };
        let (user, explanation) = ctx.directory()?.explain_membership(user, &by).await?;
        Ok(MembershipExplanation { user: Arc::new(user), explanation })
    }
}
