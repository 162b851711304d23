//! MERGE. Several users made into one, who keeps their emails, accounts, values and pins; their ids stand for it from then on.
//!
//! What is to come of each part is worked out first (`plan`), for the merge and its preview alike. What does not live
//! here: how a part of a user becomes a user again (`split`).

mod plan;
mod values;

use std::collections::HashSet;
use std::sync::Arc;

use entity::changeset::ChangesetKind;
use entity::integration_account::AssociationRule;
use entity::{IntegrationAccountId, IntegrationId, OrgUnitId, UserId, attribute, integration_account};

pub(super) use values::union;

use super::changeset::Changeset;
use super::error::{Error, Result};
use super::rehearsal::Rehearsal;
use super::repoint::Repoint;
use super::suggestion::{self, Subject};
use super::user::refuse;
use super::{Actor, Directory, expect_version};
use crate::filter::Violation;
use crate::record::{OrgUnitRecord, Record, UserRecord};

/// The most users and accounts in one call.
const SUBJECTS: usize = 100;
/// The most choices in one call.
const CHOICES: usize = 1_000;

/// Users to be made into one.
#[derive(Clone, Debug)]
pub struct Merge {
    /// Who stays; if nobody is named, whoever of them is known best.
    pub survivor: Option<UserId>,
    /// Users who become part of the survivor, who may be among them, and accounts that are nobody's and become the
    /// survivor's.
    pub subjects: Vec<Subject>,
    /// Whose part is kept, where that is not to be the survivor's.
    pub choices: Vec<MergeChoice>,
    /// The versions of users that the client read.
    pub expected_versions: Vec<(UserId, i64)>,
    /// Whether a suggestion is accepted with it: it is remembered, and refused where somebody said that two of them are two
    /// persons.
    pub is_suggested: bool,
}

/// Whose part of the record is kept.
#[derive(Clone, Debug)]
pub struct MergeChoice {
    /// Which part.
    pub part: MergePart,
    /// Whose.
    pub from: UserId,
}

/// A part of a record that one of several users gives.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum MergePart {
    /// The name.
    Name,
    /// The primary email; the others become further emails.
    Email,
    /// The value of the attribute of this key.
    Attribute(String),
    /// Whether an org unit pins or excludes the user.
    OrgUnit(OrgUnitId),
}

/// What comes of a merge.
#[derive(Clone, Debug)]
pub struct MergePlan {
    /// The users as they are: the survivor first.
    pub users: Vec<Arc<UserRecord>>,
    /// The survivor as it will be.
    pub after: UserRecord,
    /// The name, the primary email and the values, each with what every user has.
    pub fields: Vec<MergeField>,
    /// The accounts of those who become part of the survivor.
    pub accounts: Vec<Arc<integration_account::Model>>,
    /// Accounts that were nobody's.
    pub linked: Vec<Arc<integration_account::Model>>,
    /// Integrations in which several of the users have an account.
    pub shared: Vec<SharedIntegration>,
    /// Org units that pin or exclude any of them.
    pub pins: Vec<MergePin>,
    /// Who else names those who become part of the survivor.
    pub referring: Vec<UserId>,
    /// The org units whose filter names them.
    pub filters: Vec<OrgUnitId>,
    /// All org units that change.
    units: Vec<(OrgUnitRecord, OrgUnitRecord)>,
}

/// One part of the record that a merge makes.
#[derive(Clone, Debug)]
pub struct MergeField {
    /// Which part.
    pub part: MergePart,
    /// The attribute, where it is a value.
    pub attribute: Option<Arc<attribute::Model>>,
    /// What each user has, as text; those who have nothing are left out.
    pub candidates: Vec<(UserId, String)>,
    /// What is kept, as text.
    pub kept: Option<String>,
    /// Whether something is lost that nobody has chosen between.
    pub is_conflict: bool,
}

/// An integration in which several of the users have an account: two people, perhaps.
#[derive(Clone, Debug)]
pub struct SharedIntegration {
    /// The integration.
    pub integration: IntegrationId,
    /// The accounts.
    pub accounts: Vec<Arc<integration_account::Model>>,
}

/// An org unit that pins or excludes some of the users.
#[derive(Clone, Debug)]
pub struct MergePin {
    /// The unit.
    pub unit: OrgUnitId,
    /// Those whom it pins.
    pub pinned: Vec<UserId>,
    /// Those whom it excludes.
    pub excluded: Vec<UserId>,
    /// Whether the survivor will be pinned.
    pub is_pinned: bool,
    /// Whether the survivor will be excluded.
    pub is_excluded: bool,
    /// Whether it pins one and excludes another, and nobody has chosen between them.
    pub is_conflict: bool,
}

/// What a merge did.
#[derive(Clone, Copy, Debug)]
pub struct Merged {
    /// Who stays.
    pub survivor: UserId,
    /// The directory's version after it.
    pub version: i64,
    /// The changeset; none where all of them were part of the survivor already.
    pub changeset: Option<i64>,
}

/// A merge that is tried out.
#[derive(Debug)]
pub struct MergePreview {
    /// What comes of it; none where it is not even known whom it is about, or nothing is left to be merged.
    pub plan: Option<MergePlan>,
    /// Why it would be refused.
    pub refusal: Option<Error>,
    /// What it would change.
    pub rehearsal: Rehearsal,
}

impl Directory {
    /// Makes several users into one. Users who are part of the survivor already are passed over, so that the same call
    /// again changes nothing.
    ///
    /// # Errors
    /// `NotFound`; `Conflict`; `LimitExceeded`; `Invalid` where users are locked, would come to report to themselves, are
    /// pinned and excluded in one unit, none of them is a user, or choices are wrong.
    pub async fn merge_users(&self, actor: &Actor, merge: &Merge) -> Result<Merged> {
        let (_, merged) = self.make_merge(actor, merge).await?;
        merged
    }

    /// What a merge would lead to. It is made and taken back, in its turn with other changes.
    ///
    /// # Errors
    /// Where the database cannot be read; what the merge would be refused for is data.
    pub async fn preview_merge(&self, actor: &Actor, merge: &Merge) -> Result<MergePreview> {
        let rehearsal = Rehearsal::begin(self);
        let (mut plan, refusal) = match rehearsal.directory().make_merge(actor, merge).await {
            Ok((plan, merged)) => (plan, merged.err()),
            Err(error) => (None, Some(error)),
        };
        if let Some(plan) = &mut plan {
            let gone = plan.users.iter().skip(1).map(|user| user.row.id).collect();
            let seen: HashSet<UserId> = self.index().referring_to(&gone).into_iter().collect();
            plan.referring.retain(|user| seen.contains(user));
        }
        match refusal {
            Some(error @ (Error::Internal(_) | Error::Unavailable(_) | Error::DiskFull(_))) => Err(error),
            refusal => Ok(MergePreview { plan, refusal, rehearsal }),
        }
    }

    /// Whom of several users it is best to keep: one whom a person knows before an automatic one, then who has most
    /// values and accounts, then who has been there longest.
    async fn best_survivor(&self, merge: &Merge) -> Result<UserId> {
        let mut ids = Vec::new();
        for subject in &merge.subjects {
            if let Subject::User(id) = self.standing(*subject)? {
                ids.push(id);
            }
        }
        let users = self.find_users(&ids).await?;
        let accounts = self.accounts_of(&ids).await?;
        let rank = |user: &UserRecord| {
            let values = user.row.attributes.as_object().map_or(0, serde_json::Map::len);
            (
                !user.row.is_automatic,
                values + accounts.get(&user.row.id).map_or(0, Vec::len),
                std::cmp::Reverse(user.row.id),
            )
        };
        let best = users.values().max_by_key(|user| rank(user)).map(|user| user.row.id);
        match (best, ids.first()) {
            (Some(best), _) => Ok(best),
            (None, Some(first)) => Err(self.gone_user(*first)),
            (None, None) if merge.subjects.is_empty() => Err(too_few()),
            (None, None) => {
                let message = "none of these is a user; make a user first, or link the accounts to one";
                Err(Error::invalid("ids", "REQUIRED", message))
            }
        }
    }

    /// Makes the merge, if nothing is in the way, and gives the plan in either case.
    async fn make_merge(&self, actor: &Actor, merge: &Merge) -> Result<(Option<MergePlan>, Result<Merged>)> {
        if merge.subjects.len() > SUBJECTS {
            return Err(Error::LimitExceeded { what: "the number of ids in one merge", limit: SUBJECTS as u64 });
        }
        if merge.choices.len() > CHOICES {
            return Err(Error::LimitExceeded { what: "the number of choices in one merge", limit: CHOICES as u64 });
        }
        let survivor = match merge.survivor {
            Some(survivor) => survivor,
            None => self.best_survivor(merge).await?,
        };
        let mut changeset = self.begin(ChangesetKind::Merge, actor).await?;
        let standing = self.standing_to_merge(survivor, merge)?;
        let survivor = standing.users[0];
        if standing.users.len() < 2 && standing.accounts.is_empty() {
            if !standing.is_done {
                return Err(too_few());
            }
            let version = changeset.number() - 1;
            return Ok((None, Ok(Merged { survivor, version, changeset: None })));
        }
        let users = self.users_to_merge(&changeset, merge, &standing.users).await?;
        let mut violations = Vec::new();
        if merge.is_suggested {
            suggestion::refuse_rejected(&changeset, merge, &mut violations).await?;
        }
        let plan = self.plan_merge(&changeset, merge, users, &standing.accounts, &mut violations).await?;
        if let Err(refused) = refuse(violations) {
            return Ok((Some(plan), Err(refused)));
        }
        let number = changeset.number();
        let written = write(&mut changeset, &plan, actor, merge.is_suggested).await;
        let merged = match written {
            Ok(()) => changeset.commit().await,
            Err(error) => Err(error),
        };
        // Where nothing was left to be written, the last version is somebody else's changeset.
        let merged =
            merged.map(|version| Merged { survivor, version, changeset: Some(version).filter(|made| *made == number) });
        Ok((Some(plan), merged))
    }

    /// Who those that a merge names are now.
    fn standing_to_merge(&self, survivor: UserId, merge: &Merge) -> Result<Standing> {
        let mut standing = Standing { users: Vec::new(), accounts: Vec::new(), is_done: false };
        for named in std::iter::once(&Subject::User(survivor)).chain(&merge.subjects) {
            match self.standing(*named)? {
                Subject::User(user) => {
                    standing.is_done |= *named != Subject::User(user) && standing.users.first() == Some(&user);
                    if !standing.users.contains(&user) {
                        standing.users.push(user);
                    }
                }
                Subject::Account(account) if standing.accounts.contains(&account) => {}
                Subject::Account(account) => standing.accounts.push(account),
            }
        }
        Ok(standing)
    }

    /// The records of the users that a merge is of.
    async fn users_to_merge(&self, changeset: &Changeset, merge: &Merge, ids: &[UserId]) -> Result<Vec<UserRecord>> {
        let mut found = changeset.users(ids).await?;
        let users: Vec<UserRecord> = ids.iter().filter_map(|id| found.remove(id)).collect();
        for (at, (id, expected)) in merge.expected_versions.iter().enumerate() {
            let user = self.current_user(*id);
            let Some(record) = users.iter().find(|record| record.row.id == user) else {
                let message = "this is not one of the users to be merged";
                return Err(Error::invalid(format!("expectedVersions[{at}].id"), "UNKNOWN_USER", message));
            };
            expect_version(user, Some(*expected), record.row.version)?;
        }
        Ok(users)
    }
}

/// Who those that a merge names are now.
struct Standing {
    /// The users, the survivor first.
    users: Vec<UserId>,
    /// The accounts that are nobody's.
    accounts: Vec<IntegrationAccountId>,
    /// Whether something that was named has become part of the survivor.
    is_done: bool,
}

fn too_few() -> Error {
    Error::invalid("ids", "REQUIRED", "give at least two that are to be one, users or accounts that are nobody's")
}

async fn write(changeset: &mut Changeset, plan: &MergePlan, actor: &Actor, is_suggested: bool) -> Result<()> {
    let [survivor, merged @ ..] = plan.users.as_slice() else { return Ok(()) };
    let user = |record: &UserRecord| Some(Record::User(record.clone()));
    changeset.put(user(survivor), user(&plan.after));
    for record in merged {
        changeset.put(user(record), None);
    }
    for account in &plan.accounts {
        let mut after = account.as_ref().clone();
        // Why it is theirs stays: those to whom it was given have become the survivor.
        after.user_id = Some(survivor.row.id);
        changeset.put_account(Some(account.as_ref().clone()), after);
    }
    for account in &plan.linked {
        let mut after = account.as_ref().clone();
        changeset.associate(&mut after, Some(survivor.row.id), AssociationRule::Manual, None);
        changeset.put_account(Some(account.as_ref().clone()), after);
    }
    for (before, after) in &plan.units {
        changeset.put(Some(Record::OrgUnit(before.clone())), Some(Record::OrgUnit(after.clone())));
    }
    changeset.flush_if_large().await?;
    let gone: Vec<UserId> = merged.iter().map(|user| user.row.id).collect();
    let index = changeset.directory().snapshot();
    let to = Repoint::new(&index, |named| if gone.contains(&named) { survivor.row.id } else { named });
    for some in plan.referring.chunks(1_000) {
        let mut users: Vec<(UserId, UserRecord)> = changeset.users(some).await?.into_iter().collect();
        users.sort_by_key(|(id, _)| *id);
        for (_, before) in users {
            let mut after = before.clone();
            to.values(&mut after.row.attributes);
            changeset.put(user(&before), user(&after));
        }
        changeset.flush_if_large().await?;
    }
    if is_suggested {
        let others = merged.iter().map(|user| Subject::User(user.row.id));
        let others = others.chain(plan.linked.iter().map(|account| Subject::Account(account.id)));
        suggestion::accept(changeset, Subject::User(survivor.row.id), others.collect(), actor).await?;
    }
    Ok(())
}

/// A violation at a place of the input.
fn violation(path: impl Into<String>, code: &'static str, message: impl Into<String>) -> Violation {
    Violation::new(path, code, message)
}
