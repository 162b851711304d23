//! Why an account is whose it is.

use async_graphql::{Context, Description, Enum, ID, Object, SimpleObject};

use crate::directory::{self, AssociationChange, WhyAssociated};
use crate::graphql::changeset::Changeset;
use crate::graphql::context::ContextExt;
use crate::graphql::error::Result;
use crate::graphql::integration_account::{AssociationRule, IntegrationAccount};
use crate::graphql::scalar::{DateTime, parse_id, to_id};
use crate::graphql::user::User;

/// What came of a rule.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Enum)]
#[graphql(remote = "crate::directory::RuleOutcome")]
pub(crate) enum AssociationRuleOutcome {
    /// It decides.
    Applied,
    /// It does not apply.
    DidNotApply,
    /// A rule before it has decided.
    NotReached,
}

/// A rule, as it was tried.
#[derive(Clone, Debug, SimpleObject)]
pub(crate) struct TriedAssociationRule {
    /// Which.
    rule: AssociationRule,
    /// What came of it.
    outcome: AssociationRuleOutcome,
    /// Why, in capitals. It does not change.
    code: &'static str,
    /// Why, in words.
    message: String,
}

impl From<directory::Tried> for TriedAssociationRule {
    fn from(tried: directory::Tried) -> Self {
        let directory::Tried { rule, outcome, code, message } = tried;
        Self { rule: rule.into(), outcome: outcome.into(), code, message }
    }
}

/// When an account came to somebody, or to nobody.
#[derive(Clone, Debug, Description)]
pub(crate) struct AccountAssociation(AssociationChange);

#[Object(use_type_description)]
impl AccountAssociation {
    /// The changeset that did it.
    async fn changeset(&self) -> Changeset {
        Changeset(self.0.changeset.clone())
    }

    /// The id of the user whose it was, who may be deleted since; null for nobody.
    async fn from_id(&self) -> Option<ID> {
        self.0.from.map(to_id)
    }

    /// The user whose it was, as they are now; null for nobody, and for one that is gone.
    async fn from(&self, ctx: &Context<'_>) -> Result<Option<User>> {
        match self.0.from {
            Some(id) => User::find(ctx, id).await,
            None => Ok(None),
        }
    }

    /// The id of the user whose it became, who may be deleted since; null for nobody.
    async fn to_id(&self) -> Option<ID> {
        self.0.to.map(to_id)
    }

    /// The user whose it became, as they are now; null for nobody, and for one that is gone.
    async fn to(&self, ctx: &Context<'_>) -> Result<Option<User>> {
        match self.0.to {
            Some(id) => User::find(ctx, id).await,
            None => Ok(None),
        }
    }

    /// By which rule.
    async fn rule(&self) -> AssociationRule {
        self.0.rule.into()
    }

    /// The email that decided, where one did.
    async fn evidence(&self) -> Option<&str> {
        self.0.evidence.as_deref()
    }
}

/// Why an account is whose it is, or nobody's.
#[derive(Clone, Debug, Description)]
pub(crate) struct AssociationReason(WhyAssociated);

#[Object(use_type_description)]
impl AssociationReason {
    /// The account.
    async fn account(&self) -> IntegrationAccount {
        IntegrationAccount::new(self.0.account.clone().into())
    }

    /// Whose it is; null while it is unmatched.
    async fn user(&self, ctx: &Context<'_>) -> Result<Option<User>> {
        match self.0.account.user_id {
            Some(id) => User::find(ctx, id).await,
            None => Ok(None),
        }
    }

    /// The rule that decided.
    async fn rule(&self) -> AssociationRule {
        self.0.account.rule.into()
    }

    /// The email that decided, in its normal form; null where a person or a file did, or nobody has it.
    async fn evidence(&self) -> Option<&str> {
        self.0.account.evidence.as_deref()
    }

    /// Who associated it.
    async fn associated_by(&self) -> &str {
        &self.0.account.associated_by
    }

    /// When it was associated.
    async fn associated_at(&self) -> DateTime {
        DateTime(self.0.account.associated_at)
    }

    /// The number of the changeset that associated it; null where that is too long ago to be looked for.
    async fn changeset_number(&self) -> Option<i64> {
        self.0.history.first().map(|change| change.changeset.number)
    }

    /// Whether a person or a file has said so, so that automation leaves it alone.
    async fn is_sticky(&self) -> bool {
        self.0.is_sticky
    }

    /// All rules in their order, with what came of each.
    async fn rules(&self) -> Vec<TriedAssociationRule> {
        self.0.tried.iter().cloned().map(Into::into).collect()
    }

    /// When it came to somebody, to somebody else, or to nobody; newest first, at most 100.
    async fn history(&self) -> Vec<AccountAssociation> {
        self.0.history.iter().cloned().map(AccountAssociation).collect()
    }
}

/// Queries about why.
#[derive(Debug, Default)]
pub(crate) struct WhyQuery;

#[Object]
impl WhyQuery {
    /// Why an account is whose it is, or nobody's: which rules were tried, and what decided.
    async fn why_associated(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "The account's id.")] account_id: ID,
    ) -> Result<AssociationReason> {
        let id = parse_id(&account_id, "accountId")?;
        Ok(AssociationReason(ctx.directory()?.why_associated(id).await?))
    }
}
