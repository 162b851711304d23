//! What a change of the rules would do: it is made, in a directory that takes back what it writes, and the index before and
//! after are held against each other. So it cannot say anything else than what the change does.

use entity::{IntegrationAccountId, UserId};

use super::conflicts::ConflictKind;
use super::part::{Part, part};
use super::settings::{RulesChange, RulesOutcome};
use crate::directory::error::{Error, Result};
use crate::directory::history::Range;
use crate::directory::{Actor, Directory, Rehearsal};
use crate::index::{Index, MovedAccount};

/// A change of the rules that is not made.
#[derive(Debug)]
pub struct Simulation {
    rehearsal: Rehearsal,
    /// What the change would do.
    pub outcome: RulesOutcome,
}

impl Directory {
    /// What a change of the rules would do. It takes its turn with those who write.
    ///
    /// # Errors
    /// As [`Directory::update_association_rules`].
    pub async fn simulate_association(&self, actor: &Actor, change: RulesChange) -> Result<Simulation> {
        let rehearsal = Rehearsal::begin(self);
        let outcome = rehearsal.directory().update_association_rules(actor, change).await?;
        Ok(Simulation { rehearsal, outcome })
    }
}

impl Simulation {
    /// The change as any other that is tried out.
    #[must_use]
    pub fn rehearsal(&self) -> &Rehearsal {
        &self.rehearsal
    }

    /// The index as it is, and as it would be.
    #[must_use]
    pub fn indexes(&self) -> (Index, Index) {
        self.rehearsal.indexes()
    }

    /// How many conflicts of each kind there are, and would be.
    ///
    /// # Errors
    /// A fault of the server.
    pub async fn conflicts(&self) -> Result<Vec<(ConflictKind, u64, u64)>> {
        let (before, later) = self.rehearsal.indexes();
        let count = move || ConflictKind::ALL.map(|kind| (kind, kind.count(&before), kind.count(&later))).to_vec();
        tokio::task::spawn_blocking(count).await.map_err(Error::internal)
    }

    /// Accounts that would be another's, or nobody's, in the order of their ids.
    ///
    /// # Errors
    /// A fault of the server.
    pub async fn moves(&self, range: Range<IntegrationAccountId>) -> Result<Part<MovedAccount>> {
        let (before, later) = self.rehearsal.indexes();
        let list = move || part(before.moved_accounts(&later), |moved| moved.account, &range);
        tokio::task::spawn_blocking(list).await.map_err(Error::internal)
    }

    /// Users that would be made, in the order of their ids.
    ///
    /// # Errors
    /// A fault of the server.
    pub async fn users_made(&self, range: Range<UserId>) -> Result<Part<UserId>> {
        let (before, later) = self.rehearsal.indexes();
        let list = move || part(later.users_gone(&before), |user| *user, &range);
        tokio::task::spawn_blocking(list).await.map_err(Error::internal)
    }

    /// Users that would go or become part of others, in the order of their ids.
    ///
    /// # Errors
    /// A fault of the server.
    pub async fn users_gone(&self, range: Range<UserId>) -> Result<Part<UserId>> {
        let (before, later) = self.rehearsal.indexes();
        let list = move || part(before.users_gone(&later), |user| *user, &range);
        tokio::task::spawn_blocking(list).await.map_err(Error::internal)
    }
}
