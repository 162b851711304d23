//! WHAT IF. A change that is tried out: what it would change, and whose membership.
//!
//! What does not live here: imports, whose drafts say it, undo, which has a dry run, and org units as they are edited
//! (`org_unit::preview`), with their members.

use async_graphql::{Context, Description, Object, OneofObject, SimpleObject};
use entity::UserId;

use super::attribute::{ChangeAttributeTypeInput, DeleteAttributeInput, RenameValueInput, UpdateAttributeInput};
use super::changeset::Noun;
use super::context::ContextExt;
use super::error::{Failure, Result};
use super::integration::DeleteIntegrationInput;
use super::integration_account::{LinkIntegrationAccountInput, UnlinkIntegrationAccountInput};
use super::merge_suggestion::AcceptMergeSuggestionInput;
use super::org_unit::{DeleteOrgUnitInput, MoveOrgUnitInput, OrgUnit, UpdateOrgUnitInput};
use super::user::{DeleteUserInput, MergeUsersInput, SplitUserInput, UpdateUserInput, User};
use crate::directory::{Actor, ChangeCount, Directory, Error, Rehearsal};
use crate::filter;
use crate::index::UnitDifference;

/// The most users that are named of those who join or leave one unit.
const WHO: usize = 100;
/// The most org units in one answer.
const UNITS: usize = 1_000;

/// A change to the directory: the input of exactly one mutation.
#[derive(Debug, OneofObject)]
pub(crate) enum ChangeInput {
    /// As by `updateUser`.
    UpdateUser(UpdateUserInput),
    /// As by `deleteUser`.
    DeleteUser(DeleteUserInput),
    /// As by `mergeUsers`.
    MergeUsers(MergeUsersInput),
    /// As by `acceptMergeSuggestion`.
    AcceptMergeSuggestion(AcceptMergeSuggestionInput),
    /// As by `splitUser`.
    SplitUser(SplitUserInput),
    /// As by `updateAttribute`.
    UpdateAttribute(UpdateAttributeInput),
    /// As by `changeAttributeType`.
    ChangeAttributeType(ChangeAttributeTypeInput),
    /// As by `deleteAttribute`.
    DeleteAttribute(DeleteAttributeInput),
    /// As by `renameValue`.
    RenameValue(RenameValueInput),
    /// As by `deleteIntegration`.
    DeleteIntegration(DeleteIntegrationInput),
    /// As by `linkIntegrationAccount`.
    LinkIntegrationAccount(LinkIntegrationAccountInput),
    /// As by `unlinkIntegrationAccount`.
    UnlinkIntegrationAccount(UnlinkIntegrationAccountInput),
    /// As by `updateOrgUnit`.
    UpdateOrgUnit(UpdateOrgUnitInput),
    /// As by `moveOrgUnit`.
    MoveOrgUnit(MoveOrgUnitInput),
    /// As by `deleteOrgUnit`.
    DeleteOrgUnit(DeleteOrgUnitInput),
}

impl ChangeInput {
    async fn make(self, directory: &Directory, actor: &Actor) -> Result<()> {
        match self {
            Self::UpdateUser(input) => input.make(directory, actor).await.map(drop),
            Self::DeleteUser(input) => input.make(directory, actor).await.map(drop),
            Self::MergeUsers(input) => input.make(directory, actor).await.map(drop),
            Self::AcceptMergeSuggestion(input) => input.make(directory, actor).await.map(drop),
            Self::SplitUser(input) => input.make(directory, actor).await.map(drop),
            Self::UpdateAttribute(input) => input.make(directory, actor).await.map(drop),
            Self::ChangeAttributeType(input) => input.make(directory, actor).await.map(drop),
            Self::DeleteAttribute(input) => input.make(directory, actor).await.map(drop),
            Self::RenameValue(input) => input.make(directory, actor).await.map(drop),
            Self::DeleteIntegration(input) => input.make(directory, actor).await.map(drop),
            Self::LinkIntegrationAccount(input) => input.make(directory, actor).await.map(drop),
            Self::UnlinkIntegrationAccount(input) => input.make(directory, actor).await.map(drop),
            Self::UpdateOrgUnit(input) => input.make(directory, actor).await.map(drop),
            Self::MoveOrgUnit(input) => input.make(directory, actor).await.map(drop),
            Self::DeleteOrgUnit(input) => input.make(directory, actor).await.map(drop),
        }
    }
}

/// What a change would lead to.
#[derive(Debug, Description)]
pub(crate) struct ChangePreview {
    rehearsal: Rehearsal,
    refusal: Option<ChangeRefusal>,
    impact: Vec<UnitDifference>,
}

impl ChangePreview {
    /// What a change that was tried out has led to.
    ///
    /// # Errors
    /// Where the comparison of org units fails.
    pub(crate) async fn of(rehearsal: Rehearsal, refused: Option<Error>) -> Result<Self> {
        let impact = if refused.is_none() { rehearsal.impact(WHO).await? } else { Vec::new() };
        Ok(Self { rehearsal, refusal: refused.map(refusal), impact })
    }
}

#[Object(use_type_description)]
impl ChangePreview {
    /// The version of the directory that the change was tried on.
    async fn version(&self) -> i64 {
        self.rehearsal.version()
    }

    /// Why the change would be refused; null if it would be made. What follows is empty then.
    async fn refusal(&self) -> Option<&ChangeRefusal> {
        self.refusal.as_ref()
    }

    /// How many records would change, by kind.
    async fn changes(&self) -> Vec<ChangeTotal> {
        let counts = if self.refusal.is_none() { self.rehearsal.counts() } else { Vec::new() };
        let total = |(noun, count): (entity::change::Noun, ChangeCount)| ChangeTotal {
            noun: noun.into(),
            created: count.created,
            updated: count.updated,
            deleted: count.deleted,
        };
        counts.into_iter().map(total).collect()
    }

    /// How many org units would go, or have other members.
    async fn impact_count(&self) -> usize {
        self.impact.len()
    }

    /// The org units that would go, or have other members, by their paths.
    async fn impact(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "At most so many; 1 to 1,000.", default = 25)] first: i32,
    ) -> Result<Vec<OrgUnitImpact>> {
        OrgUnitImpact::list(ctx, &self.impact, first)
    }
}

/// Has work done in a task of its own, as mutations are: a client that goes away leaves no transaction open.
///
/// # Errors
/// Those of the work.
pub(crate) async fn in_its_own_task<T: Send + 'static>(
    work: impl Future<Output = Result<T, Error>> + Send + 'static,
) -> Result<T> {
    Ok(tokio::spawn(work).await.map_err(Error::internal)??)
}

/// How many items a list is to have at most.
pub(crate) fn at_most(first: i32, most: usize) -> Result<usize> {
    match usize::try_from(first) {
        Ok(first) if (1..=most).contains(&first) => Ok(first),
        _ => Err(Failure::invalid("first", "OUT_OF_BOUNDS", format!("`first` is from 1 to {most}, not {first}"))),
    }
}

/// Why a change would be refused, as the mutation would say it.
#[derive(Debug, SimpleObject)]
pub(crate) struct ChangeRefusal {
    /// The code of the error.
    code: &'static str,
    /// The error in words.
    message: String,
    /// What breaks the rules, and where: at most 100.
    violations: Vec<ChangeViolation>,
}

/// Something in a change that breaks a rule.
#[derive(Debug, SimpleObject)]
pub(crate) struct ChangeViolation {
    /// Where, such as `options[2]`.
    path: String,
    /// What kind of mistake, in capitals. It does not change.
    code: &'static str,
    /// What is wrong and what would be right.
    message: String,
}

/// How many records of one kind a change makes, changes and deletes.
#[derive(Debug, SimpleObject)]
pub(crate) struct ChangeTotal {
    /// The kind.
    noun: Noun,
    /// Records that would be made.
    created: u64,
    /// Records that would change.
    updated: u64,
    /// Records that would be deleted.
    deleted: u64,
}

/// An org unit whose members a change would change.
#[derive(Debug, Description)]
pub(crate) struct OrgUnitImpact {
    unit: OrgUnit,
    difference: UnitDifference,
}

impl OrgUnitImpact {
    /// The first of some differences.
    ///
    /// # Errors
    /// `Invalid`, where `first` is out of bounds.
    pub(super) fn list(ctx: &Context<'_>, impact: &[UnitDifference], first: i32) -> Result<Vec<Self>> {
        let (index, first) = (ctx.directory()?.index(), at_most(first, UNITS)?);
        let show = |difference: &UnitDifference| {
            let unit = OrgUnit::new(index.org_unit(difference.org_unit)?.clone());
            Some(Self { unit, difference: difference.clone() })
        };
        Ok(impact.iter().take(first).filter_map(show).collect())
    }
}

#[Object(use_type_description)]
impl OrgUnitImpact {
    /// The unit as it is now.
    async fn org_unit(&self) -> &OrgUnit {
        &self.unit
    }

    /// How many members it has.
    async fn members_before(&self) -> u64 {
        self.difference.before.unwrap_or_default()
    }

    /// How many members it would have; null if the unit would be deleted.
    async fn members_after(&self) -> Option<u64> {
        self.difference.after
    }

    /// How many members it would gain.
    async fn joined_count(&self) -> u64 {
        self.difference.joined_count
    }

    /// How many members it would lose.
    async fn left_count(&self) -> u64 {
        self.difference.left_count
    }

    /// Members it would gain, the longest known first.
    async fn joined(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "At most so many; 1 to 100.", default = 25)] first: i32,
    ) -> Result<Vec<User>> {
        users(ctx, &self.difference.joined, first).await
    }

    /// Members it would lose, the longest known first.
    async fn left(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "At most so many; 1 to 100.", default = 25)] first: i32,
    ) -> Result<Vec<User>> {
        users(ctx, &self.difference.left, first).await
    }
}

async fn users(ctx: &Context<'_>, ids: &[UserId], first: i32) -> Result<Vec<User>> {
    let some = ids.iter().take(at_most(first, WHO)?).copied();
    Ok(ctx.load_all(some).await?.into_iter().map(User::new).collect())
}

/// Queries about changes that are not made.
#[derive(Debug, Default)]
pub(crate) struct ChangePreviewQuery;

#[Object]
impl ChangePreviewQuery {
    /// What a change would lead to. It is made and taken back, in its turn with other changes. `updateAttribute` is for the
    /// role ADMIN: whether a title is free tells of attributes that others may not see.
    async fn preview_change(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "The change.")] change: ChangeInput,
    ) -> Result<ChangePreview> {
        if let ChangeInput::UpdateAttribute(_) = change {
            ctx.admin("to try out `updateAttribute` needs the role ADMIN")?;
        }
        let directory = ctx.directory()?;
        let (rehearsal, actor) = (Rehearsal::begin(directory), ctx.actor());
        let made = in_its_own_task(async move {
            match change.make(rehearsal.directory(), &actor).await {
                Ok(()) => Ok((rehearsal, None)),
                Err(Failure(error @ (Error::Internal(_) | Error::Unavailable(_) | Error::DiskFull(_)))) => Err(error),
                Err(Failure(error)) => Ok((rehearsal, Some(error))),
            }
        });
        let (rehearsal, refused) = made.await?;
        ChangePreview::of(rehearsal, refused).await
    }
}

fn refusal(error: Error) -> ChangeRefusal {
    let (code, message) = (error.code(), error.to_string());
    let violations = if let Error::Invalid(violations) = error { violations } else { Vec::new() };
    let show = |filter::Violation { path, code, message, .. }| ChangeViolation { path, code, message };
    ChangeRefusal { code, message, violations: violations.into_iter().take(100).map(show).collect() }
}
