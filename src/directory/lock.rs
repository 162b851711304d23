//! What people say of users as a whole: that automation leaves one alone, and that a record is right.

use std::collections::HashSet;

use entity::UserId;
use entity::changeset::ChangesetKind;

use super::error::{Error, Result};
use super::integration_account::SyncedAccount;
use super::{Actor, Directory, expect_version, missing};
use crate::filter::Violation;
use crate::record::Record;
use crate::value::GlobalId;

/// The most users that are marked in one call.
const USERS: usize = 10_000;

/// An account that an integration has reported with the email of a locked user, to whom it does not come.
#[derive(Clone, Debug)]
pub(super) struct KeptOut {
    pub(super) external_id: String,
    pub(super) user: UserId,
}

impl Directory {
    /// Locks a user, so that automation neither gives it accounts nor takes any, and it neither goes nor becomes part of
    /// another; or unlocks it. People and imports change a locked user as any other. A person relies on a user who has
    /// been locked, which is automatic no longer.
    ///
    /// # Errors
    /// `NotFound`; `Conflict`.
    pub async fn lock_user(
        &self,
        actor: &Actor,
        id: UserId,
        is_locked: bool,
        expected_version: Option<i64>,
    ) -> Result<UserId> {
        let mut changeset = self.begin(ChangesetKind::Review, actor).await?;
        let id = self.current_user(id);
        let before = changeset.user(id).await?;
        expect_version(id, expected_version, before.row.version)?;
        let mut after = before.clone();
        after.row.is_locked = is_locked;
        after.row.is_automatic &= !is_locked;
        changeset.put(Some(Record::User(before)), Some(Record::User(after)));
        changeset.commit().await?;
        Ok(id)
    }

    /// Notes that the records of users are right, now and by whom; or takes that back. Gives their ids.
    ///
    /// # Errors
    /// `NotFound`; `LimitExceeded`.
    pub async fn mark_reviewed(&self, actor: &Actor, ids: &[UserId], is_reviewed: bool) -> Result<Vec<UserId>> {
        if ids.len() > USERS {
            return Err(Error::LimitExceeded { what: "the number of users in one call", limit: USERS as u64 });
        }
        let mut changeset = self.begin(ChangesetKind::Review, actor).await?;
        let mut seen = HashSet::new();
        let ids: Vec<UserId> = ids.iter().map(|id| self.current_user(*id)).filter(|id| seen.insert(*id)).collect();
        for some in ids.chunks(1_000) {
            let mut users = changeset.users(some).await?;
            for id in some {
                let before = users.remove(id).ok_or_else(|| missing(*id))?;
                let mut after = before.clone();
                after.row.reviewed_at = is_reviewed.then(|| changeset.now());
                after.row.reviewed_by = is_reviewed.then(|| actor.0.clone());
                changeset.put(Some(Record::User(before)), Some(Record::User(after)));
            }
            changeset.flush_if_large().await?;
        }
        changeset.commit().await?;
        Ok(ids)
    }

    /// The user that an id stands for, which may have become part of another; of an unknown one the id itself.
    #[must_use]
    pub fn current_user(&self, id: UserId) -> UserId {
        self.index().current_user(id).unwrap_or(id)
    }

    /// The error that there is no user of this id, who may have become part of another.
    pub(super) fn gone_user(&self, id: UserId) -> Error {
        let hint = self.index().merged_into(id);
        let hint = hint.map(|user| format!(": it has become part of {}", user.to_global())).unwrap_or_default();
        Error::NotFound { noun: UserId::NOUN, key: id.to_global(), hint }
    }

    /// What a report of accounts is told of those that did not come to locked users.
    pub(super) fn tell_kept_out(&self, kept_out: &[KeptOut], accounts: &[SyncedAccount]) -> Vec<Violation> {
        let index = self.index();
        let tell = |kept: &KeptOut| {
            let at = accounts.iter().position(|account| account.external_id == kept.external_id)?;
            let message = format!(
                "this is an email of {}, who is locked; the account stays unmatched until somebody links it",
                index.email_of(kept.user).unwrap_or_default()
            );
            Some(Violation::new(format!("accounts[{at}].email"), "LOCKED", message))
        };
        kept_out.iter().filter_map(tell).collect()
    }
}
