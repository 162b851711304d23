//! A part of a user made into a user of its own: the change, and what it would lead to.

use std::sync::Arc;

use async_graphql::{Context, Description, ID, InputObject, Object, SimpleObject};
use entity::{OrgUnitId, UserId};

use super::User;
use super::merge::users;
use super::mutation::{AttributeValueInput, read, values};
use super::value::AttributeValue;
use crate::directory::{self, Actor, Directory, Split, SplitOutcome};
use crate::graphql::as_of::At;
use crate::graphql::change_preview::{ChangePreview, at_most, in_its_own_task};
use crate::graphql::context::ContextExt;
use crate::graphql::error::Result;
use crate::graphql::integration_account::IntegrationAccount;
use crate::graphql::org_unit::OrgUnit;
use crate::graphql::scalar::{parse_id, to_id};

/// The most users who are named of those whose values name the new user again.
const REFERENCES: usize = 100;

/// What is to become a user of its own.
#[derive(Debug, InputObject)]
pub(crate) struct SplitUserInput {
    /// The id of the user whose part it is.
    user_id: ID,
    /// The version of the user that you read. If the user has changed since, the split is refused with `CONFLICT`.
    expected_version: Option<i64>,
    /// One of the user's `mergedIds`: who is given back, under that id, with the emails, accounts, values, pins and
    /// references it had, as far as nobody has changed them since. What else is listed goes, too.
    merged_id: Option<ID>,
    /// Accounts that go, at most 1,000.
    #[graphql(default)]
    account_ids: Vec<ID>,
    /// Emails that go, at most 1,000, with the accounts that are the user's by them.
    #[graphql(default)]
    emails: Vec<String>,
    /// The name of the new user. If left out, what one of its accounts shows.
    name: Option<String>,
    /// The primary email of the new user, one that goes or one that nobody has. If left out, the first that goes.
    email: Option<String>,
    /// The keys of custom attributes whose values go.
    #[graphql(default)]
    move_attributes: Vec<String>,
    /// The keys of custom attributes whose values both have.
    #[graphql(default)]
    copy_attributes: Vec<String>,
    /// Other values of the new user.
    #[graphql(default)]
    attributes: Vec<AttributeValueInput>,
}

/// The two users after the split.
#[derive(Debug, SimpleObject)]
pub(crate) struct SplitUserPayload {
    /// The user.
    user: User,
    /// The new user.
    new_user: User,
    /// The version of the directory after the change, which is the number of the changeset, for `undoChangeset`.
    version: i64,
}

/// Mutations that make one user into two.
#[derive(Debug, Default)]
pub(crate) struct SplitMutation;

#[Object]
impl SplitMutation {
    /// Makes accounts, emails and values of a user into a user of its own, or gives back one who became part of it. Refused
    /// while the user is locked, and where one of the two would be without an email.
    async fn split_user(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "What is to become a user of its own.")] input: SplitUserInput,
    ) -> Result<SplitUserPayload> {
        let directory = ctx.directory()?;
        let SplitOutcome { user, new_user, version } = input.make(directory, &ctx.actor()).await?;
        let (user, new_user) = (read(directory, user).await?, read(directory, new_user).await?);
        Ok(SplitUserPayload { user, new_user, version })
    }
}

impl SplitUserInput {
    /// Makes the change.
    pub(crate) async fn make(self, directory: &Directory, actor: &Actor) -> Result<SplitOutcome> {
        Ok(directory.split_user(actor, &self.read()?).await?)
    }

    fn read(self) -> Result<Split> {
        Ok(Split {
            user: parse_id(&self.user_id, "userId")?,
            expected_version: self.expected_version,
            merged_id: self.merged_id.map(|id| parse_id(&id, "mergedId")).transpose()?,
            accounts: self
                .account_ids
                .iter()
                .enumerate()
                .map(|(at, id)| parse_id(id, &format!("accountIds[{at}]")))
                .collect::<Result<_>>()?,
            emails: self.emails,
            name: self.name,
            email: self.email,
            moved: self.move_attributes,
            copied: self.copy_attributes,
            attributes: values(self.attributes),
        })
    }
}

/// What a split would lead to. Where it is not even known what it is about, all but `outcome` is null or empty.
#[derive(Debug, Description)]
pub(crate) struct SplitPreview {
    user: Option<SplitSide>,
    new_user: Option<SplitSide>,
    referring: Vec<UserId>,
    org_units: Vec<OrgUnitId>,
    outcome: ChangePreview,
}

#[Object(use_type_description)]
impl SplitPreview {
    /// Whether it would be refused and why, which records would change, and which org units would have other members.
    async fn outcome(&self) -> &ChangePreview {
        &self.outcome
    }

    /// The user as it would be.
    async fn user(&self) -> Option<&SplitSide> {
        self.user.as_ref()
    }

    /// The new user as it would be.
    async fn new_user(&self) -> Option<&SplitSide> {
        self.new_user.as_ref()
    }

    /// The org units that would pin, exclude or name again the user who is given back.
    async fn org_units(&self, ctx: &Context<'_>) -> Result<Vec<OrgUnit>> {
        let index = ctx.directory()?.index();
        let units = self.org_units.iter().filter_map(|unit| index.org_unit(*unit).cloned());
        Ok(units.map(OrgUnit::new).collect())
    }

    /// How many users have a value that would name again the user who is given back.
    async fn reference_count(&self) -> usize {
        self.referring.len()
    }

    /// Those users, the longest known first.
    async fn references(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "At most so many; 1 to 100.", default = 25)] first: i32,
    ) -> Result<Vec<User>> {
        users(ctx, self.referring.iter().copied().take(at_most(first, REFERENCES)?).collect()).await
    }
}

/// One of the two users that a split would make.
#[derive(Clone, Debug, Description)]
pub(crate) struct SplitSide {
    side: directory::SplitSide,
    /// Whether there is or was a user of this id; that of a new one is not known before it is made.
    has_id: bool,
}

#[Object(use_type_description)]
impl SplitSide {
    /// The user's id; null of a user who would be made.
    async fn id(&self) -> Option<ID> {
        self.has_id.then(|| to_id(self.side.record.row.id))
    }

    /// The name.
    async fn name(&self) -> &str {
        &self.side.record.row.name
    }

    /// The primary email.
    async fn email(&self) -> &str {
        &self.side.record.row.email
    }

    /// Further emails.
    async fn further_emails(&self) -> Vec<&str> {
        self.side.record.further_emails.iter().map(String::as_str).collect()
    }

    /// The values of custom attributes, in the order of the attributes, empty ones included.
    async fn attributes(&self, ctx: &Context<'_>) -> Result<Vec<AttributeValue>> {
        let index = ctx.directory()?.index();
        let custom = index.attributes().iter().filter(|attribute| !attribute.is_built_in);
        Ok(custom.map(|attribute| AttributeValue::of(At::Now, &index, attribute, &self.side.record)).collect())
    }

    /// The accounts, as they are now.
    async fn accounts(&self) -> Vec<IntegrationAccount> {
        self.side.accounts.iter().map(Arc::clone).map(IntegrationAccount::new).collect()
    }
}

/// Queries about splits that are not made.
#[derive(Debug, Default)]
pub(crate) struct SplitQuery;

#[Object]
impl SplitQuery {
    /// What a split would lead to. It is made and taken back, in its turn with other changes.
    async fn preview_split(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "What is to become a user of its own.")] split: SplitUserInput,
    ) -> Result<SplitPreview> {
        let (directory, actor) = (ctx.directory()?.clone(), ctx.actor());
        let split = split.read()?;
        let is_restored = split.merged_id.is_some();
        let preview = in_its_own_task(async move { directory.preview_split(&actor, &split).await }).await?;
        let outcome = ChangePreview::of(preview.rehearsal, preview.refusal).await?;
        let Some(plan) = preview.plan else {
            return Ok(SplitPreview {
                user: None,
                new_user: None,
                referring: Vec::new(),
                org_units: Vec::new(),
                outcome,
            });
        };
        Ok(SplitPreview {
            user: Some(SplitSide { side: plan.rest, has_id: true }),
            new_user: Some(SplitSide { side: plan.new, has_id: is_restored }),
            referring: plan.referring,
            org_units: plan.org_units,
            outcome,
        })
    }
}
