//! Many accounts linked to users at once: all of them in one changeset, or nothing.

use std::collections::{HashMap, HashSet};

use entity::changeset::ChangesetKind;
use entity::integration_account::{self, AssociationRule};
use entity::{IntegrationAccountId, UserId};

use crate::directory::changeset::Changeset;
use crate::directory::error::{Error, Result};
use crate::directory::{Actor, Directory, expect_version, fetch, missing};
use crate::record::Record;

/// The most links in one call.
const LINKS: usize = 10_000;

/// Whose an account is to be.
#[derive(Clone, Copy, Debug)]
pub struct AccountLink {
    /// The account.
    pub account: IntegrationAccountId,
    /// The user who is to have it.
    pub user: UserId,
    /// The version of the account that the client read.
    pub expected_version: Option<i64>,
}

/// Why one link cannot be made.
#[derive(Clone, Debug)]
pub struct LinkRefusal {
    /// Its place in the list, from 0.
    pub index: usize,
    /// Which part of it is wrong: `accountId` or `userId`.
    pub field: &'static str,
    /// What is wrong.
    pub error: Error,
}

/// What became of a list of links.
#[derive(Clone, Debug, Default)]
pub struct LinkReport {
    /// Whether the accounts are the users' now. With one refusal none is.
    pub applied: bool,
    /// The directory's version after it.
    pub version: i64,
    /// Links that were made.
    pub linked: u64,
    /// Links that were there already, by a person's word.
    pub unchanged: u64,
    /// Those that cannot be made.
    pub refusals: Vec<LinkRefusal>,
}

impl Directory {
    /// Gives accounts to users because a person says so; automation leaves them there. All in one changeset; with one link
    /// that cannot be made, nothing.
    ///
    /// # Errors
    /// `LimitExceeded`.
    pub async fn link_accounts(&self, actor: &Actor, links: Vec<AccountLink>) -> Result<LinkReport> {
        if links.len() > LINKS {
            return Err(Error::LimitExceeded { what: "the number of links in one call", limit: LINKS as u64 });
        }
        let mut changeset = self.begin(ChangesetKind::Association, actor).await?;
        let ids: Vec<IntegrationAccountId> = links.iter().map(|link| link.account).collect();
        let rows = fetch::accounts(changeset.transaction(), &ids).await?;
        let mut rows: HashMap<IntegrationAccountId, integration_account::Model> =
            rows.into_iter().map(|row| (row.id, row)).collect();
        let mut report = LinkReport { version: changeset.number() - 1, ..LinkReport::default() };
        let mut accepted = Vec::with_capacity(links.len());
        let mut seen: HashSet<IntegrationAccountId> = HashSet::new();
        for (index, link) in links.into_iter().enumerate() {
            let mut refuse = |field, error| report.refusals.push(LinkRefusal { index, field, error });
            if !self.index().has_user(link.user) {
                refuse("userId", missing(link.user));
            }
            if !seen.insert(link.account) {
                let path = format!("links[{index}].accountId");
                refuse(
                    "accountId",
                    Error::invalid(path, "DUPLICATE", "an account is linked to one user, so name it once"),
                );
                continue;
            }
            let Some(row) = rows.remove(&link.account) else {
                refuse("accountId", missing(link.account));
                continue;
            };
            match expect_version(link.account, link.expected_version, row.version) {
                Ok(()) => accepted.push((row, link.user)),
                Err(error) => refuse("accountId", error),
            }
        }
        if !report.refusals.is_empty() {
            return Ok(report);
        }
        let count = accepted.len() as u64;
        report.linked = changeset.link(accepted, AssociationRule::Manual).await?;
        report.unchanged = count - report.linked;
        changeset.settle().await?;
        report.version = changeset.commit().await?;
        report.applied = true;
        Ok(report)
    }
}

impl Changeset {
    /// Gives accounts to users who exist, by a rule that automation leaves alone; users who were made from accounts are a
    /// person's from now on. Gives how many accounts changed.
    pub(in crate::directory) async fn link(
        &mut self,
        links: Vec<(integration_account::Model, UserId)>,
        rule: AssociationRule,
    ) -> Result<u64> {
        let mut changed = 0;
        for some in links.chunks(1_000) {
            let holders: Vec<UserId> = some.iter().map(|(_, user)| *user).collect::<HashSet<_>>().into_iter().collect();
            let mut holders: Vec<_> = self.users(&holders).await?.into_values().collect();
            holders.retain(|holder| holder.row.is_automatic);
            holders.sort_unstable_by_key(|holder| holder.row.id);
            for holder in holders {
                let mut known = holder.clone();
                known.row.is_automatic = false;
                self.put(Some(Record::User(holder)), Some(Record::User(known)));
            }
            for (before, user) in some {
                let mut after = before.clone();
                self.associate(&mut after, Some(*user), rule, None);
                if after != *before {
                    changed += 1;
                    self.put_account(Some(before.clone()), after);
                }
            }
            self.flush_if_large().await?;
        }
        Ok(changed)
    }
}
