//! RULES OF ASSOCIATION in the API: what they are and how they are changed. What does not live here: what a change would do
//! (`simulate`), why an account is whose it is (`why`), conflicts, accounts that are with nobody, and files that link them.

mod conflicts;
mod links;
mod simulate;
mod unmatched;
mod why;

pub(crate) use conflicts::ConflictQuery;
pub(crate) use links::AccountLinksMutation;
pub(crate) use simulate::SimulateQuery;
pub(crate) use unmatched::{LinkAccountsMutation, UnmatchedQuery};
pub(crate) use why::WhyQuery;

use std::sync::Arc;

use async_graphql::{Context, Description, InputObject, Object, SimpleObject};
use entity::association_rules::{self, IntegrationRules, Rules};

use super::context::ContextExt;
use super::error::Result;
use super::integration::Integration;
use super::scalar::DateTime;
use crate::directory::{Directory, IntegrationChoice, RulesChange};

/// By which rules accounts are associated with users where nobody has said whose they are.
#[derive(Clone, Debug, Description)]
pub(crate) struct AssociationRules {
    rules: Rules,
    row: Option<Arc<association_rules::Model>>,
}

impl AssociationRules {
    fn read(directory: &Directory) -> Self {
        let (rules, row) = directory.association_rules();
        Self { rules, row }
    }
}

#[Object(use_type_description, serial)]
impl AssociationRules {
    /// Whether an account comes to the user who has its email (rule `EMAIL`), where `integrations` says nothing else.
    async fn email(&self) -> bool {
        self.rules.email
    }

    /// Whether a user is made from an account whose email nobody has (rule `DETECTED`), where `integrations` says nothing
    /// else.
    async fn detected(&self) -> bool {
        self.rules.detected
    }

    /// Whether emails are one that differ in what follows a `+`, as `ann+git@corp.example` and `ann@corp.example`.
    async fn ignore_plus_tags(&self) -> bool {
        self.rules.ignores_plus_tags
    }

    /// Groups of domains that mean the same.
    async fn alias_domains(&self) -> &[Vec<String>] {
        &self.rules.alias_domains
    }

    /// Patterns of emails that several people share; they decide nothing.
    async fn excluded_emails(&self) -> &[String] {
        &self.rules.excluded_emails
    }

    /// Patterns of usernames and display names that several people share; the emails of such accounts decide nothing.
    async fn excluded_names(&self) -> &[String] {
        &self.rules.excluded_names
    }

    /// Patterns of usernames and display names of bots, beside what tools say.
    async fn bot_names(&self) -> &[String] {
        &self.rules.bot_names
    }

    /// What differs in single integrations, by their names.
    async fn integrations(&self, ctx: &Context<'_>) -> Result<Vec<IntegrationAssociationRules>> {
        let directory = ctx.directory()?;
        let index = directory.index();
        let all = index.integrations().into_iter();
        let own = |row: &Arc<entity::integration::Model>| {
            self.rules.integrations.iter().find(|own| own.integration_id == row.id)
        };
        Ok(all
            .filter_map(|row| own(&row).map(|own| IntegrationAssociationRules::new(Integration::new(row), own)))
            .collect())
    }

    /// The version of the directory at which the rules last changed, for `expectedVersion`; 0 while nobody has changed them.
    async fn version(&self) -> i64 {
        self.row.as_ref().map_or(0, |row| row.version)
    }

    /// When they last changed; null while nobody has changed them.
    async fn updated_at(&self) -> Option<DateTime> {
        self.row.as_ref().map(|row| DateTime(row.updated_at))
    }
}

/// What differs in one integration.
#[derive(Clone, Debug, SimpleObject)]
pub(crate) struct IntegrationAssociationRules {
    /// The integration.
    integration: Integration,
    /// Whether the rule `EMAIL` is on here; null is as everywhere.
    email: Option<bool>,
    /// Whether the rule `DETECTED` is on here; null is as everywhere.
    detected: Option<bool>,
    /// Whether its emails are those of the people behind the accounts. If not, they decide nothing.
    is_trusted: bool,
}

impl IntegrationAssociationRules {
    fn new(integration: Integration, own: &IntegrationRules) -> Self {
        Self { integration, email: own.email, detected: own.detected, is_trusted: own.is_trusted }
    }
}

/// Rules of association. What is left out stays as it is.
#[derive(Debug, Default, InputObject)]
pub(crate) struct AssociationRulesInput {
    /// Whether an account comes to the user who has its email, where `integrations` says nothing else.
    email: Option<bool>,
    /// Whether a user is made from an account whose email nobody has, where `integrations` says nothing else.
    detected: Option<bool>,
    /// Whether emails are one that differ in what follows a `+`.
    ignore_plus_tags: Option<bool>,
    /// All groups of domains that mean the same, such as `[["corp.example", "corp.test"]]`; at most 1,000 domains.
    alias_domains: Option<Vec<Vec<String>>>,
    /// All patterns of emails that several people share: `build@` at any domain, `@lists.corp.example` for all of one,
    /// `*-ci@corp.example`; at most 1,000.
    excluded_emails: Option<Vec<String>>,
    /// All patterns of usernames and display names that several people share, such as `root`; at most 1,000.
    excluded_names: Option<Vec<String>>,
    /// All patterns of usernames and display names of bots, such as `*[bot]`; at most 1,000.
    bot_names: Option<Vec<String>>,
    /// All integrations in which something differs.
    integrations: Option<Vec<IntegrationAssociationRulesInput>>,
}

/// What differs in one integration.
#[derive(Debug, InputObject)]
pub(crate) struct IntegrationAssociationRulesInput {
    /// The integration, by name or id.
    integration: String,
    /// Whether the rule `EMAIL` is on here; null is as everywhere.
    email: Option<bool>,
    /// Whether the rule `DETECTED` is on here; null is as everywhere.
    detected: Option<bool>,
    /// Whether its emails are those of the people behind the accounts. If not, they decide nothing.
    #[graphql(default = true)]
    is_trusted: bool,
}

impl AssociationRulesInput {
    fn into_change(self, expected_version: Option<i64>) -> RulesChange {
        let choice = |own: IntegrationAssociationRulesInput| IntegrationChoice {
            integration: own.integration,
            email: own.email,
            detected: own.detected,
            is_trusted: own.is_trusted,
        };
        RulesChange {
            expected_version,
            email: self.email,
            detected: self.detected,
            ignores_plus_tags: self.ignore_plus_tags,
            alias_domains: self.alias_domains,
            excluded_emails: self.excluded_emails,
            excluded_names: self.excluded_names,
            bot_names: self.bot_names,
            integrations: self.integrations.map(|all| all.into_iter().map(choice).collect()),
        }
    }
}

/// What a change of the rules did.
#[derive(Debug, SimpleObject)]
pub(crate) struct UpdateAssociationRulesPayload {
    /// The rules after the change.
    rules: AssociationRules,
    /// The version of the directory after the change.
    version: i64,
    /// How many accounts came to another user, to a user at all, or to nobody.
    accounts_moved: u64,
    /// How many users were made from accounts.
    users_created: u64,
    /// How many automatically made users went, or became part of others.
    users_removed: u64,
}

/// Queries about the rules of association.
#[derive(Debug, Default)]
pub(crate) struct AssociationRulesQuery;

#[Object]
impl AssociationRulesQuery {
    /// The rules of association.
    async fn association_rules(&self, ctx: &Context<'_>) -> Result<AssociationRules> {
        Ok(AssociationRules::read(ctx.directory()?))
    }
}

/// Mutations of the rules of association.
#[derive(Debug, Default)]
pub(crate) struct AssociationRulesMutation;

#[Object]
impl AssociationRulesMutation {
    /// Changes the rules of association. In the same changeset every account comes to whom it would have come, had the rules
    /// always been so, but for those of which a person or an import has spoken. `simulateAssociation` says beforehand what
    /// would happen.
    async fn update_association_rules(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "What changes of the rules.")] input: AssociationRulesInput,
        #[graphql(
            desc = "The version of the rules that you read, 0 while nobody has changed them. If they have changed \
                          since, the change is refused with `CONFLICT`."
        )]
        expected_version: Option<i64>,
    ) -> Result<UpdateAssociationRulesPayload> {
        let directory = ctx.directory()?;
        let outcome = directory.update_association_rules(&ctx.actor(), input.into_change(expected_version)).await?;
        Ok(UpdateAssociationRulesPayload {
            rules: AssociationRules::read(directory),
            version: outcome.version,
            accounts_moved: outcome.accounts_moved,
            users_created: outcome.users_created,
            users_removed: outcome.users_removed,
        })
    }
}
