//! Whether the directory takes accounts as they go back.

use std::collections::HashSet;

use entity::integration_account::{self, AccountStatus};

use super::Undo;
use super::plan::{Block, Plan};
use crate::directory::changeset::Changeset;
use crate::directory::error::Result;
use crate::index::{AccountKey, Index};
use crate::record::{Record, RecordId};
use crate::value::GlobalId;

impl Undo {
    /// Checks the accounts among the plans.
    pub(super) async fn check_accounts(&mut self, changeset: &Changeset, plans: &[Plan]) -> Result<()> {
        // An id in its tool that an account gets back, and another has now.
        let mut wanted = Vec::new();
        for plan in plans.iter().filter(|plan| plan.is_change()) {
            let Some(Record::IntegrationAccount(then)) = &plan.then else { continue };
            let index = changeset.directory().index();
            match self.check_account(&index, then) {
                Some(block) => self.block(plan, block),
                None => wanted.extend(holders(&index, then).map(|holder| (plan, then, holder))),
            }
        }
        let ids: HashSet<RecordId> = wanted.iter().map(|(.., holder)| *holder).collect();
        if ids.is_empty() {
            return Ok(());
        }
        let states = self.states(changeset, &ids.into_iter().collect::<Vec<_>>()).await?;
        for (plan, then, holder) in wanted {
            if let Some(Some(Record::IntegrationAccount(holder))) = states.get(&holder)
                && holder.external_id == then.external_id
            {
                let message = "another account has its id in the tool by now";
                self.block(plan, Block::new("ALREADY_EXISTS", message, Some(holder.version)));
            }
        }
        Ok(())
    }

    fn check_account(&self, index: &Index, then: &integration_account::Model) -> Option<Block> {
        if !self.world.has_integration(then.integration_id) {
            let message = format!("its integration {} is gone", then.integration_id.to_global());
            return Some(Block::new("NOT_FOUND", message, None));
        }
        match then.user_id {
            Some(user) if !self.has_user(index, user) => {
                let message = format!("the user {}, whose it was, is gone", user.to_global());
                Some(Block::new("NOT_FOUND", message, None))
            }
            None if then.status == AccountStatus::Claimed => {
                Some(Block::new("CHANGED_SINCE", "it was only claimed, and has been taken from its user since", None))
            }
            _ => None,
        }
    }
}

/// The other accounts that have the account's id in its tool.
fn holders(index: &Index, account: &integration_account::Model) -> impl Iterator<Item = RecordId> {
    let id = account.id;
    let key = account.external_id.as_deref().map(AccountKey::ExternalId);
    let found = key.map(|key| index.find_accounts(account.integration_id, key)).unwrap_or_default();
    found.into_iter().filter(move |holder| *holder != id).map(RecordId::IntegrationAccount)
}
