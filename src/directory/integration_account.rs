//! Accounts: what people say whose they are, and lists of them. What their integrations report is in `sync`.

mod sync;

pub(super) use sync::{Checked, check};
pub use sync::{SyncMode, SyncOutcome, SyncedAccount};

use std::collections::HashMap;

use entity::changeset::ChangesetKind;
use entity::integration_account::{self, AccountStatus, AssociationRule};
use entity::{IntegrationAccountId, IntegrationId, UserId};
use sea_orm::{ColumnTrait, Condition, EntityTrait, PaginatorTrait, QueryFilter, QueryOrder, QuerySelect, Select};

use super::changeset::Changeset;
use super::error::Result;
use super::history::ChangePage;
use super::{Actor, Directory, expect_version, fetch, missing};
use crate::record::Record;

/// The longest external id, username or display name, in bytes.
pub(super) const LONGEST: usize = 500;

/// Which accounts to list.
#[derive(Clone, Debug, Default)]
pub struct AccountQuery {
    /// Of this integration.
    pub integration: Option<IntegrationId>,
    /// With a user, or with nobody.
    pub is_matched: Option<bool>,
    /// Used by a program, or by a person.
    pub is_bot: Option<bool>,
    /// With this status.
    pub status: Option<AccountStatus>,
}

/// Which part of a list in order of ids.
#[derive(Clone, Copy, Debug, Default)]
pub struct IdRange {
    /// Only ids after this one.
    pub after: Option<IntegrationAccountId>,
    /// Only ids before this one.
    pub before: Option<IntegrationAccountId>,
    /// The most rows.
    pub limit: u64,
    /// Whether to take the last rows rather than the first.
    pub from_end: bool,
}

impl Directory {
    /// Gives an account to a user because a person says so; automation leaves it there.
    ///
    /// # Errors
    /// `NotFound`; `Conflict`.
    pub async fn link_account(
        &self,
        actor: &Actor,
        account: IntegrationAccountId,
        user: UserId,
        expected_version: Option<i64>,
    ) -> Result<()> {
        let mut changeset = self.begin(ChangesetKind::Association, actor).await?;
        let user = self.current_user(user);
        let holder = changeset.user(user).await?;
        if holder.row.is_automatic {
            // A person relies on this record from now on.
            let mut known = holder.clone();
            known.row.is_automatic = false;
            changeset.put(Some(Record::User(holder)), Some(Record::User(known)));
        }
        self.say_whose(changeset, account, Some(user), expected_version).await
    }

    /// Takes an account from its user because a person says so; automation does not give it to anybody again.
    ///
    /// # Errors
    /// `NotFound`; `Conflict`.
    pub async fn unlink_account(
        &self,
        actor: &Actor,
        account: IntegrationAccountId,
        expected_version: Option<i64>,
    ) -> Result<()> {
        let changeset = self.begin(ChangesetKind::Association, actor).await?;
        self.say_whose(changeset, account, None, expected_version).await
    }

    async fn say_whose(
        &self,
        mut changeset: Changeset,
        account: IntegrationAccountId,
        user: Option<UserId>,
        expected_version: Option<i64>,
    ) -> Result<()> {
        let condition = Condition::all().add(integration_account::Column::Id.eq(account));
        let before = changeset.accounts(condition).await?.pop().ok_or_else(|| missing(account))?;
        expect_version(account, expected_version, before.version)?;
        let mut after = before.clone();
        changeset.associate(&mut after, user, AssociationRule::Manual, None);
        changeset.put_account(Some(before), after);
        changeset.settle().await?;
        changeset.commit().await?;
        Ok(())
    }

    /// Accounts by id; those that do not exist are left out.
    ///
    /// # Errors
    /// Where the database cannot be read.
    pub async fn find_accounts(
        &self,
        ids: &[IntegrationAccountId],
    ) -> Result<HashMap<IntegrationAccountId, integration_account::Model>> {
        let mut found = HashMap::with_capacity(ids.len());
        for ids in ids.chunks(1_000) {
            let rows = integration_account::Entity::find()
                .filter(integration_account::Column::Id.is_in(ids.iter().copied()))
                .all(self.database().readers())
                .await?;
            found.extend(rows.into_iter().map(|row| (row.id, row)));
        }
        Ok(found)
    }

    /// The accounts of users, of each in order of their integrations' names and of ids. One statement a thousand users.
    ///
    /// # Errors
    /// Where the database cannot be read.
    pub async fn accounts_of(&self, users: &[UserId]) -> Result<HashMap<UserId, Vec<integration_account::Model>>> {
        let mut found: HashMap<UserId, Vec<integration_account::Model>> = HashMap::with_capacity(users.len());
        for account in fetch::accounts_of(self.database().readers(), users).await? {
            if let Some(user) = account.user_id {
                found.entry(user).or_default().push(account);
            }
        }
        let places: HashMap<IntegrationId, usize> = self
            .index()
            .integrations()
            .iter()
            .enumerate()
            .map(|(place, integration)| (integration.id, place))
            .collect();
        for accounts in found.values_mut() {
            accounts.sort_by_key(|account| (places.get(&account.integration_id).copied(), account.id));
        }
        Ok(found)
    }

    /// A page of accounts in the order they came.
    ///
    /// # Errors
    /// Where the database cannot be read.
    pub async fn list_accounts(
        &self,
        query: &AccountQuery,
        range: IdRange,
    ) -> Result<ChangePage<integration_account::Model>> {
        let mut select = query.select();
        if let Some(after) = range.after {
            select = select.filter(integration_account::Column::Id.gt(after));
        }
        if let Some(before) = range.before {
            select = select.filter(integration_account::Column::Id.lt(before));
        }
        let select = if range.from_end {
            select.order_by_desc(integration_account::Column::Id)
        } else {
            select.order_by_asc(integration_account::Column::Id)
        };
        let mut rows = select.limit(range.limit + 1).all(self.database().readers()).await?;
        let more = rows.len() as u64 > range.limit;
        rows.truncate(usize::try_from(range.limit).unwrap_or(usize::MAX));
        if range.from_end {
            rows.reverse();
            return Ok(ChangePage { rows, has_next: range.before.is_some(), has_previous: more });
        }
        Ok(ChangePage { rows, has_next: more, has_previous: range.after.is_some() })
    }

    /// How many accounts there are.
    ///
    /// # Errors
    /// Where the database cannot be read.
    pub async fn count_accounts(&self, query: &AccountQuery) -> Result<u64> {
        Ok(query.select().count(self.database().readers()).await?)
    }

    /// How many accounts integrations have; those without any are left out. One statement.
    ///
    /// # Errors
    /// Where the database cannot be read.
    pub async fn account_counts(&self, integrations: &[IntegrationId]) -> Result<HashMap<IntegrationId, u64>> {
        use integration_account::Column;
        let counts: Vec<(IntegrationId, i64)> = integration_account::Entity::find()
            .select_only()
            .column(Column::IntegrationId)
            .column_as(Column::Id.count(), "count")
            .filter(Column::IntegrationId.is_in(integrations.iter().copied()))
            .group_by(Column::IntegrationId)
            .into_tuple()
            .all(self.database().readers())
            .await?;
        Ok(counts.into_iter().map(|(id, count)| (id, u64::try_from(count).unwrap_or_default())).collect())
    }
}

impl AccountQuery {
    fn select(&self) -> Select<integration_account::Entity> {
        use integration_account::Column;
        let matched = match self.is_matched {
            Some(true) => Some(Column::UserId.is_not_null()),
            Some(false) => Some(Column::UserId.is_null()),
            None => None,
        };
        integration_account::Entity::find().filter(
            Condition::all()
                .add_option(self.integration.map(|id| Column::IntegrationId.eq(id)))
                .add_option(matched)
                .add_option(self.is_bot.map(|is_bot| Column::IsBot.eq(is_bot)))
                .add_option(self.status.map(|status| Column::Status.eq(status))),
        )
    }
}
