//! The accounts that are with nobody, as a list of their own.

use entity::IntegrationAccountId;

pub use crate::index::UnmatchedQuery;

use super::part::{Part, part};
use crate::directory::Directory;
use crate::directory::error::{Error, Result};
use crate::directory::history::Range;

impl Directory {
    /// Some of the accounts that are with nobody, in the order of their ids, and how many there are. All of it comes from the
    /// index, in one pass.
    ///
    /// # Errors
    /// A fault of the server.
    pub async fn unmatched_accounts(
        &self,
        query: UnmatchedQuery,
        range: Range<IntegrationAccountId>,
    ) -> Result<Part<IntegrationAccountId>> {
        let index = self.snapshot();
        let list = move || part(index.unmatched_accounts(&query), |id| *id, &range);
        tokio::task::spawn_blocking(list).await.map_err(Error::internal)
    }
}
