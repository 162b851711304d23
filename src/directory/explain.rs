//! Why a user is a member of an org unit, or is not.
//!
//! What does not live here: the answer, which the index and the plain evaluator give.

use entity::{OrgUnitId, UserId, integration_account};

use super::error::Result;
use super::org_unit::check;
use super::{Directory, fetch, missing};
use crate::filter::Filter;
use crate::index::Explanation;
use crate::record::UserRecord;

/// By what a user may be selected.
#[derive(Clone, Debug)]
pub enum ExplainedBy {
    /// A saved org unit: its filter within its scope, and its pins.
    OrgUnit(OrgUnitId),
    /// A filter alone.
    Filter(Filter),
}

impl Directory {
    /// Why a user is a member, or is not, with the user. Values and answer are of one version.
    ///
    /// # Errors
    /// `NotFound` for the user or the org unit; `Invalid` for the filter.
    pub async fn explain_membership(&self, user: UserId, by: &ExplainedBy) -> Result<(UserRecord, Explanation)> {
        let (transaction, index) = self.begin_read_at().await?;
        let record = fetch::users(&transaction, &[user]).await?.remove(&user).ok_or_else(|| missing(user))?;
        let accounts = fetch::accounts_of(&transaction, &[user]).await?;
        let accounts: Vec<&integration_account::Model> = accounts.iter().collect();
        let explanation = match by {
            ExplainedBy::OrgUnit(id) => index.explain_unit(*id, &record, &accounts).ok_or_else(|| missing(*id))?,
            ExplainedBy::Filter(filter) => {
                let checked = check(&index, filter)?;
                index.explain_filter(&index.normalise(filter.clone()), &checked, &record, &accounts)
            }
        };
        Ok((record, explanation))
    }
}
