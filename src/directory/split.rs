//! SPLIT. A part of a user made into a user of its own: accounts, emails and values; or somebody who became part of it given
//! back, as the log has it.
//!
//! What is to come of it is worked out first (`plan`), for the split and its preview alike; `restore` says what a merge
//! once changed and what of that goes back.

mod plan;
mod restore;

use std::sync::Arc;

use entity::changeset::ChangesetKind;
use entity::{IntegrationAccountId, OrgUnitId, UserId, integration_account};
use serde_json::Value as Json;

use super::changeset::Changeset;
use super::error::{Error, Result};
use super::rehearsal::Rehearsal;
use super::user::refuse;
use super::{Actor, Directory, expect_version, suggestion};
use crate::record::{OrgUnitRecord, Record, UserRecord};

/// The most accounts, emails or attributes in one call.
const PARTS: usize = 1_000;

/// What is to become a user of its own.
#[derive(Clone, Debug)]
pub struct Split {
    /// Whose part it is.
    pub user: UserId,
    /// The version that the client read.
    pub expected_version: Option<i64>,
    /// Who became part of the user once, and is to be given back with all that is left of it.
    pub merged_id: Option<UserId>,
    /// Accounts that go.
    pub accounts: Vec<IntegrationAccountId>,
    /// Emails that go, with the accounts that are the user's by them.
    pub emails: Vec<String>,
    /// The name of the new user; that of its accounts if none is given.
    pub name: Option<String>,
    /// The primary email of the new user; the first that goes if none is given.
    pub email: Option<String>,
    /// The keys of attributes whose values go.
    pub moved: Vec<String>,
    /// The keys of attributes whose values both have.
    pub copied: Vec<String>,
    /// Other values of the new user, by attribute key.
    pub attributes: Vec<(String, Json)>,
}

/// One of the two users that a split makes.
#[derive(Clone, Debug)]
pub struct SplitSide {
    /// The user.
    pub record: UserRecord,
    /// The accounts, as they are before the split.
    pub accounts: Vec<Arc<integration_account::Model>>,
}

/// What comes of a split.
#[derive(Clone, Debug)]
pub struct SplitPlan {
    /// The user as it will be.
    pub rest: SplitSide,
    /// The new user.
    pub new: SplitSide,
    /// Who will name the new user again.
    pub referring: Vec<UserId>,
    /// Org units that will pin, exclude or name the new user again.
    pub org_units: Vec<OrgUnitId>,
    changes: Vec<(Option<Record>, Option<Record>)>,
    users: Vec<(UserRecord, UserRecord)>,
    units: Vec<(OrgUnitRecord, OrgUnitRecord)>,
}

/// What a split did.
#[derive(Clone, Copy, Debug)]
pub struct SplitOutcome {
    /// The user.
    pub user: UserId,
    /// The new user.
    pub new_user: UserId,
    /// The directory's version after it.
    pub version: i64,
}

/// A split that is tried out.
#[derive(Debug)]
pub struct SplitPreview {
    /// What comes of it; none where it is not even known what it is about.
    pub plan: Option<SplitPlan>,
    /// Why it would be refused.
    pub refusal: Option<Error>,
    /// What it would change.
    pub rehearsal: Rehearsal,
}

impl Directory {
    /// Makes a part of a user into a user of its own.
    ///
    /// # Errors
    /// `NotFound`; `Conflict`; `LimitExceeded`; `AlreadyExists` for the email or a unique value; `Invalid` where parts are
    /// not the user's, one of the two would be without an email or a required value, or the user is locked.
    pub async fn split_user(&self, actor: &Actor, split: &Split) -> Result<SplitOutcome> {
        let (_, done) = self.make_split(actor, split).await?;
        done
    }

    /// What a split would lead to. It is made and taken back, in its turn with other changes.
    ///
    /// # Errors
    /// Where the database cannot be read; what the split would be refused for is data.
    pub async fn preview_split(&self, actor: &Actor, split: &Split) -> Result<SplitPreview> {
        let rehearsal = Rehearsal::begin(self);
        let (plan, refusal) = match rehearsal.directory().make_split(actor, split).await {
            Ok((plan, done)) => (Some(plan), done.err()),
            Err(error) => (None, Some(error)),
        };
        match refusal {
            Some(error @ (Error::Internal(_) | Error::Unavailable(_) | Error::DiskFull(_))) => Err(error),
            refusal => Ok(SplitPreview { plan, refusal, rehearsal }),
        }
    }

    /// Makes the split, if nothing is in the way, and gives the plan in either case.
    async fn make_split(&self, actor: &Actor, split: &Split) -> Result<(SplitPlan, Result<SplitOutcome>)> {
        let lengths =
            [split.accounts.len(), split.emails.len(), split.moved.len(), split.copied.len(), split.attributes.len()];
        if lengths.into_iter().any(|length| length > PARTS) {
            return Err(Error::LimitExceeded { what: "the number of parts in one split", limit: PARTS as u64 });
        }
        let mut changeset = self.begin(ChangesetKind::Split, actor).await?;
        let before = changeset.user(self.current_user(split.user)).await?;
        expect_version(before.row.id, split.expected_version, before.row.version)?;
        let mut violations = Vec::new();
        let plan = self.plan_split(&changeset, split, before, &mut violations).await?;
        let checked = refuse(violations).and_then(|()| self.check_free(&plan));
        if let Err(refused) = checked {
            return Ok((plan, Err(refused)));
        }
        let (user, new_user) = (plan.rest.record.row.id, plan.new.record.row.id);
        let done = match write(&mut changeset, &plan, actor).await {
            Ok(()) => changeset.commit().await,
            Err(error) => Err(error),
        };
        Ok((plan, done.map(|version| SplitOutcome { user, new_user, version })))
    }
}

async fn write(changeset: &mut Changeset, plan: &SplitPlan, actor: &Actor) -> Result<()> {
    for (before, after) in plan.changes.iter().cloned() {
        changeset.put(before, after);
    }
    for (before, after) in plan.units.iter().cloned() {
        changeset.put(Some(Record::OrgUnit(before)), Some(Record::OrgUnit(after)));
    }
    for (before, after) in plan.users.iter().cloned() {
        changeset.put(Some(Record::User(before)), Some(Record::User(after)));
    }
    changeset.flush().await?;
    // Or they would be suggested as one again.
    suggestion::reject(changeset, [plan.rest.record.row.id, plan.new.record.row.id], actor).await
}
