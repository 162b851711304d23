//! What walks along the log ask of an index of then. What does not live here: two indexes beside each other (`compare`).

use std::collections::HashMap;

use entity::{IntegrationAccountId, IntegrationId, UserId};

use super::{Index, Members};

impl Index {
    /// The first of `members`, at most so many, in the order of their ids, which is that in which they were made. Members
    /// may have been deleted since.
    #[must_use]
    pub fn first_by_id(&self, members: &Members, most: usize) -> Vec<UserId> {
        let mut ids: Vec<UserId> = members.bitmap.iter().map(|at| self.users.id(at)).collect();
        ids.sort_unstable();
        ids.truncate(most);
        ids
    }

    /// The accounts of an integration, in the order of their ids.
    #[must_use]
    pub fn accounts_of_integration(&self, id: IntegrationId) -> Vec<IntegrationAccountId> {
        let found = self.account_ordinals_of(id);
        let mut ids: Vec<IntegrationAccountId> =
            found.map(|at| IntegrationAccountId(self.accounts.ids.id(at))).collect();
        ids.sort_unstable();
        ids
    }

    /// How many accounts an integration has.
    #[must_use]
    pub fn count_accounts_of_integration(&self, id: IntegrationId) -> u64 {
        self.account_ordinals_of(id).count() as u64
    }

    /// How many accounts each integration has that has any.
    #[must_use]
    pub fn count_accounts(&self) -> HashMap<IntegrationId, u64> {
        let mut counts = vec![0; self.integrations.len()];
        for at in self.accounts.ordinals().filter(|at| self.accounts.is_live(*at)) {
            counts[usize::from(self.accounts.identities.integration[at as usize])] += 1;
        }
        let known = self.integrations.iter().zip(counts);
        known.filter_map(|(integration, count)| Some((integration.as_ref()?.id, count))).collect()
    }

    fn account_ordinals_of(&self, id: IntegrationId) -> impl Iterator<Item = u32> {
        let number = self.integration_number(id);
        let is_in = move |at: &u32| number == Some(self.accounts.identities.integration[*at as usize]);
        // None where there is no such integration: then nothing is looked at.
        let all = number.is_some().then(|| self.accounts.ordinals());
        all.into_iter().flatten().filter(is_in)
    }
}
