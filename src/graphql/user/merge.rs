//! Users made into one: the change, and what it would lead to.

use std::sync::Arc;

use async_graphql::{Context, Description, Enum, ID, InputObject, Object, SimpleObject};
use entity::UserId;

use super::User;
use super::mutation::read;
use crate::directory::{self, Actor, Directory, Merge, MergeChoice, MergePart, MergePlan, Merged, Subject};
use crate::graphql::as_of::At;
use crate::graphql::attribute::Attribute;
use crate::graphql::change_preview::{ChangePreview, at_most, in_its_own_task};
use crate::graphql::context::ContextExt;
use crate::graphql::error::{Failure, Result};
use crate::graphql::integration::Integration;
use crate::graphql::integration_account::IntegrationAccount;
use crate::graphql::org_unit::OrgUnit;
use crate::graphql::scalar::parse_id;
use crate::record::UserRecord;

/// The most users who are named of those whose values name somebody else from then on.
const REFERENCES: usize = 100;

/// A part of a user's record that is no custom attribute.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Enum)]
pub(crate) enum UserPart {
    /// The name.
    Name,
    /// The primary email. The other users' emails become further emails.
    Email,
}

/// Whose part of the record is kept. Exactly one of `field`, `attribute` and `orgUnitId` is given.
#[derive(Debug, InputObject)]
pub(crate) struct MergeChoiceInput {
    /// The name or the primary email.
    field: Option<UserPart>,
    /// The key of a custom attribute. Where that user has no value, none is kept.
    attribute: Option<String>,
    /// An org unit that pins some of the users, or excludes them.
    org_unit_id: Option<ID>,
    /// The id of the user whose part is kept.
    from: ID,
}

/// The version of a user that you read.
#[derive(Debug, InputObject)]
pub(crate) struct ExpectedVersionInput {
    /// The user's id.
    id: ID,
    /// The version. If the user has changed since, the change is refused with `CONFLICT`.
    version: i64,
}

/// Users to be made into one.
#[derive(Debug, InputObject)]
pub(crate) struct MergeUsersInput {
    /// The id of the user who stays.
    survivor_id: ID,
    /// The ids of the users who become part of the survivor, and of accounts that are nobody's and become the survivor's;
    /// at most 100. The survivor may be among them.
    ids: Vec<ID>,
    /// Whose part is kept, where that is not to be the survivor's. Without a choice the survivor's value stays, and where
    /// it has none that of whoever was changed last; options of a `MULTI_SELECT` come together.
    #[graphql(default)]
    choices: Vec<MergeChoiceInput>,
    /// The versions of users that you read.
    #[graphql(default)]
    expected_versions: Vec<ExpectedVersionInput>,
}

/// The user that others have become part of.
#[derive(Debug, SimpleObject)]
pub(crate) struct MergeUsersPayload {
    /// The user.
    user: User,
    /// The number of the changeset, for `undoChangeset`; null where all of them were part of the user already.
    changeset: Option<i64>,
    /// The version of the directory after the change.
    version: i64,
}

/// Mutations that make users into one.
#[derive(Debug, Default)]
pub(crate) struct MergeMutation;

#[Object]
impl MergeMutation {
    /// Makes users into one, who keeps their emails, accounts, values and pins. What names them names the survivor, and
    /// their ids stand for it for ever. Refused while one of them is locked, or where somebody would come to report to
    /// themselves. The same call again changes nothing.
    async fn merge_users(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "Whom to merge.")] input: MergeUsersInput,
    ) -> Result<MergeUsersPayload> {
        let directory = ctx.directory()?;
        let Merged { survivor, version, changeset } = input.make(directory, &ctx.actor()).await?;
        Ok(MergeUsersPayload { user: read(directory, survivor).await?, changeset, version })
    }
}

impl MergeUsersInput {
    /// Makes the change.
    pub(crate) async fn make(self, directory: &Directory, actor: &Actor) -> Result<Merged> {
        let merge = Merge {
            survivor: Some(parse_id(&self.survivor_id, "survivorId")?),
            subjects: subjects(&self.ids)?,
            choices: choices(self.choices)?,
            expected_versions: self
                .expected_versions
                .iter()
                .enumerate()
                .map(|(at, expected)| {
                    Ok((parse_id(&expected.id, &format!("expectedVersions[{at}].id"))?, expected.version))
                })
                .collect::<Result<_>>()?,
            is_suggested: false,
        };
        Ok(directory.merge_users(actor, &merge).await?)
    }
}

/// Users and accounts by their ids.
pub(crate) fn subjects(ids: &[ID]) -> Result<Vec<Subject>> {
    Ok(ids.iter().enumerate().map(|(at, id)| Subject::parse(id, &format!("ids[{at}]"))).collect::<Result<_, _>>()?)
}

pub(crate) fn choices(inputs: Vec<MergeChoiceInput>) -> Result<Vec<MergeChoice>> {
    let choice = |(at, input): (usize, MergeChoiceInput)| {
        let part = match (input.field, input.attribute, input.org_unit_id) {
            (Some(UserPart::Name), None, None) => MergePart::Name,
            (Some(UserPart::Email), None, None) => MergePart::Email,
            (None, Some(key), None) => MergePart::Attribute(key),
            (None, None, Some(unit)) => MergePart::OrgUnit(parse_id(&unit, &format!("choices[{at}].orgUnitId"))?),
            _ => {
                let message = "give exactly one of `field`, `attribute` and `orgUnitId`";
                return Err(Failure::invalid(format!("choices[{at}]"), "EXACTLY_ONE", message));
            }
        };
        Ok(MergeChoice { part, from: parse_id(&input.from, &format!("choices[{at}].from"))? })
    };
    inputs.into_iter().enumerate().map(choice).collect()
}

/// What a merge would lead to. Where it is not even known whom it is about, and where nothing is left to be merged, all but
/// `outcome` is null or empty.
#[derive(Debug, Description)]
pub(crate) struct MergePreview {
    plan: Option<MergePlan>,
    outcome: ChangePreview,
}

impl MergePreview {
    fn user(&self, id: UserId) -> Option<User> {
        let users = self.plan.iter().flat_map(|plan| &plan.users);
        users.into_iter().find(|user| user.row.id == id).cloned().map(User::new)
    }
}

#[Object(use_type_description)]
impl MergePreview {
    /// Whether it would be refused and why, which records would change, and which org units would have other members.
    async fn outcome(&self) -> &ChangePreview {
        &self.outcome
    }

    /// The user who stays, as it is now.
    async fn survivor(&self) -> Option<User> {
        self.plan.as_ref()?.users.first().cloned().map(User::new)
    }

    /// The users who become part of the survivor, as they are now.
    async fn merged(&self) -> Vec<User> {
        self.plan.iter().flat_map(|plan| plan.users.iter().skip(1)).cloned().map(User::new).collect()
    }

    /// The name, the primary email, and every custom attribute that any of them has a value of: what each has, and what
    /// would be kept.
    async fn fields(&self) -> Vec<MergeField> {
        let fields = self.plan.iter().flat_map(|plan| &plan.fields).filter(|field| !field.candidates.is_empty());
        fields
            .map(|field| MergeField {
                field: field.clone(),
                candidates: field
                    .candidates
                    .iter()
                    .filter_map(|(user, value)| Some(MergeCandidate { user: self.user(*user)?, value: value.clone() }))
                    .collect(),
            })
            .collect()
    }

    /// All emails that the survivor would have, the primary one first.
    async fn emails(&self) -> Vec<&str> {
        self.plan.iter().flat_map(|plan| plan.after.emails()).collect()
    }

    /// The accounts that would come to the survivor. Why each is theirs stays as it is.
    async fn accounts(&self) -> Vec<IntegrationAccount> {
        self.plan.iter().flat_map(|plan| &plan.accounts).cloned().map(IntegrationAccount::new).collect()
    }

    /// Accounts that are nobody's and would be the survivor's, because a person said so.
    async fn linked(&self) -> Vec<IntegrationAccount> {
        self.plan.iter().flat_map(|plan| &plan.linked).cloned().map(IntegrationAccount::new).collect()
    }

    /// Integrations in which several of them have an account. They may be two people: look before you merge them.
    async fn shared_integrations(&self, ctx: &Context<'_>) -> Result<Vec<SharedIntegration>> {
        let index = ctx.directory()?.index();
        let show = |shared: &directory::SharedIntegration| {
            Some(SharedIntegration {
                integration: Integration::new(index.integration(shared.integration)?.clone()),
                accounts: shared.accounts.iter().cloned().map(IntegrationAccount::new).collect(),
            })
        };
        Ok(self.plan.iter().flat_map(|plan| &plan.shared).filter_map(show).collect())
    }

    /// Org units that pin or exclude any of the users.
    async fn pins(&self, ctx: &Context<'_>) -> Result<Vec<MergePin>> {
        let index = ctx.directory()?.index();
        let users = |ids: &[UserId]| ids.iter().filter_map(|id| self.user(*id)).collect();
        let show = |pin: &directory::MergePin| {
            Some(MergePin {
                org_unit: OrgUnit::new(index.org_unit(pin.unit)?.clone()),
                pinned: users(&pin.pinned),
                excluded: users(&pin.excluded),
                is_pinned: pin.is_pinned,
                is_excluded: pin.is_excluded,
                is_conflict: pin.is_conflict,
            })
        };
        Ok(self.plan.iter().flat_map(|plan| &plan.pins).filter_map(show).collect())
    }

    /// The org units whose filter names one of the merged users, and would name the survivor.
    async fn filters(&self, ctx: &Context<'_>) -> Result<Vec<OrgUnit>> {
        let index = ctx.directory()?.index();
        let units = self.plan.iter().flat_map(|plan| &plan.filters);
        Ok(units.filter_map(|unit| index.org_unit(*unit).cloned()).map(OrgUnit::new).collect())
    }

    /// How many other users have a value that names one of the merged users, and would name the survivor.
    async fn reference_count(&self) -> usize {
        self.plan.as_ref().map_or(0, |plan| plan.referring.len())
    }

    /// Those users, the longest known first.
    async fn references(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "At most so many; 1 to 100.", default = 25)] first: i32,
    ) -> Result<Vec<User>> {
        let ids = self.plan.iter().flat_map(|plan| plan.referring.iter().copied());
        users(ctx, ids.take(at_most(first, REFERENCES)?).collect()).await
    }
}

/// Users by their ids.
pub(super) async fn users(ctx: &Context<'_>, ids: Vec<UserId>) -> Result<Vec<User>> {
    Ok(ctx.load_all(ids).await?.into_iter().map(|record: Arc<UserRecord>| User::at(At::Now, record)).collect())
}

/// One part of the record that a merge would make.
#[derive(Debug, Description)]
pub(crate) struct MergeField {
    field: directory::MergeField,
    candidates: Vec<MergeCandidate>,
}

#[Object(use_type_description)]
impl MergeField {
    /// Whether it is the name or the primary email; null where it is the value of an attribute.
    async fn field(&self) -> Option<UserPart> {
        match self.field.part {
            MergePart::Name => Some(UserPart::Name),
            MergePart::Email => Some(UserPart::Email),
            MergePart::Attribute(_) | MergePart::OrgUnit(_) => None,
        }
    }

    /// The attribute; null where it is the name or the primary email.
    async fn attribute(&self) -> Option<Attribute> {
        self.field.attribute.clone().map(Attribute)
    }

    /// What would be kept, as text.
    async fn kept(&self) -> Option<&str> {
        self.field.kept.as_deref()
    }

    /// Whether something would be lost that nobody has chosen between.
    async fn is_conflict(&self) -> bool {
        self.field.is_conflict
    }

    /// What each user has, the survivor first, then whoever was changed last.
    async fn candidates(&self) -> &[MergeCandidate] {
        &self.candidates
    }
}

/// What one user has.
#[derive(Clone, Debug, SimpleObject)]
pub(crate) struct MergeCandidate {
    /// The user.
    user: User,
    /// The value as text.
    value: String,
}

/// An integration in which several users have an account.
#[derive(Debug, SimpleObject)]
pub(crate) struct SharedIntegration {
    /// The integration.
    integration: Integration,
    /// The accounts.
    accounts: Vec<IntegrationAccount>,
}

/// An org unit that pins or excludes some of the users.
#[derive(Debug, SimpleObject)]
pub(crate) struct MergePin {
    /// The unit.
    org_unit: OrgUnit,
    /// Those whom it pins.
    pinned: Vec<User>,
    /// Those whom it excludes.
    excluded: Vec<User>,
    /// Whether it would pin the survivor.
    is_pinned: bool,
    /// Whether it would exclude the survivor.
    is_excluded: bool,
    /// Whether it pins one and excludes another, so that a choice is needed.
    is_conflict: bool,
}

/// Queries about merges that are not made.
#[derive(Debug, Default)]
pub(crate) struct MergeQuery;

#[Object]
impl MergeQuery {
    /// What a merge would lead to. It is made and taken back, in its turn with other changes.
    async fn preview_merge(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "The ids of users, and of accounts that are nobody's; at most 100.")] ids: Vec<ID>,
        #[graphql(
            desc = "The id of the user who stays. If left out, one whom a person knows rather than one that was \
                          made from an account, then who has most values and accounts, then who has been there longest."
        )]
        survivor_id: Option<ID>,
        #[graphql(desc = "Whose part is kept, where that is not to be the survivor's.")] choices: Option<
            Vec<MergeChoiceInput>,
        >,
    ) -> Result<MergePreview> {
        let (directory, actor) = (ctx.directory()?.clone(), ctx.actor());
        let subjects = subjects(&ids)?;
        let survivor = survivor_id.map(|id| parse_id(&id, "survivorId")).transpose()?;
        let choices = self::choices(choices.unwrap_or_default())?;
        let merge = Merge { survivor, subjects, choices, expected_versions: Vec::new(), is_suggested: false };
        let preview = in_its_own_task(async move { directory.preview_merge(&actor, &merge).await }).await?;
        let outcome = ChangePreview::of(preview.rehearsal, preview.refusal).await?;
        Ok(MergePreview { plan: preview.plan, outcome })
    }
}
