//! Accounts: what integrations report of them, and what people say whose they are.

use std::collections::{HashMap, HashSet};

use entity::changeset::ChangesetKind;
use entity::integration_account::{self, AccountStatus, AssociationRule};
use entity::{IntegrationAccountId, IntegrationId, UserId};
use sea_orm::{ColumnTrait, Condition, EntityTrait, PaginatorTrait, QueryFilter, QueryOrder, QuerySelect, Select};

use super::association::is_sticky;
use super::changeset::Changeset;
use super::error::Result;
use super::history::ChangePage;
use super::user::refuse;
use super::{Actor, Directory, expect_version, fetch, missing};
use crate::filter::Violation;
use crate::record::Record;
use crate::value::{Email, fold, nfc, shorten};

/// The most accounts in one call.
const ACCOUNTS: usize = 50_000;
/// The longest external id, username or display name, in bytes.
pub(super) const LONGEST: usize = 500;

/// An account as an integration reports it.
#[derive(Clone, Debug, Default)]
pub struct SyncedAccount {
    /// The tool's own key for it.
    pub external_id: String,
    /// The login.
    pub username: Option<String>,
    /// The email, where the tool shows it.
    pub email: Option<String>,
    /// The name that the tool shows.
    pub display_name: Option<String>,
    /// Whether a program uses it.
    pub is_bot: bool,
}

/// Whether the accounts of one call are all that there are.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum SyncMode {
    /// Others stay as they are.
    #[default]
    Delta,
    /// Others are marked as gone.
    Full,
}

/// What a sync did.
#[derive(Clone, Debug, Default)]
pub struct SyncOutcome {
    /// The directory's version after it.
    pub version: i64,
    /// Accounts seen for the first time.
    pub created: u64,
    /// Accounts that differ from before.
    pub updated: u64,
    /// Accounts that are as before.
    pub unchanged: u64,
    /// Accounts that the tool no longer has.
    pub gone: u64,
    /// Users made from accounts.
    pub users_created: u64,
    /// Automatic users that lost their last account and went.
    pub users_removed: u64,
    /// What was left out of accounts that are otherwise taken, such as an email that is none.
    pub warnings: Vec<Violation>,
}

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
    /// Takes what an integration reports: makes and updates accounts, associates them, makes users from them.
    /// The same call again changes nothing.
    ///
    /// # Errors
    /// `NotFound`; `Invalid` where an account has no external id, or two have the same.
    pub async fn sync_accounts(
        &self,
        actor: &Actor,
        integration: IntegrationId,
        accounts: Vec<SyncedAccount>,
        mode: SyncMode,
    ) -> Result<SyncOutcome> {
        let mut outcome = SyncOutcome::default();
        let accounts = check(accounts, &mut outcome.warnings)?;
        let mut changeset = self.begin(ChangesetKind::Sync, actor).await?;
        if self.index().integration(integration).is_none() {
            return Err(missing(integration));
        }
        let mut claims = Claims::load(&changeset, integration).await?;
        for some in accounts.chunks(1_000) {
            let known = by_external_id(&changeset, integration, some).await?;
            for reported in some {
                let known = known.get(&reported.external_id).cloned();
                sync_one(&mut changeset, integration, known, claims.take(reported), reported, &mut outcome);
            }
            changeset.flush_if_large().await?;
        }
        if mode == SyncMode::Full {
            mark_gone(&mut changeset, integration, &accounts, &mut outcome).await?;
        }
        outcome.users_created = changeset.detected.len() as u64;
        changeset.associate_with_detected().await?;
        outcome.users_removed = changeset.settle().await? as u64;
        outcome.version = changeset.commit().await?;
        Ok(outcome)
    }

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
        changeset.associate(&mut after, user, AssociationRule::Manual);
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

/// The accounts in the form they are stored; an email that is none is left out with a warning.
fn check(accounts: Vec<SyncedAccount>, warnings: &mut Vec<Violation>) -> Result<Vec<SyncedAccount>> {
    if accounts.len() > ACCOUNTS {
        return Err(super::Error::LimitExceeded { what: "the number of accounts in one call", limit: ACCOUNTS as u64 });
    }
    let mut violations = Vec::new();
    let mut seen: HashMap<String, usize> = HashMap::with_capacity(accounts.len());
    let mut checked = Vec::with_capacity(accounts.len());
    for (at, account) in accounts.into_iter().enumerate() {
        let mut refuse = |field: &str, code, message: String| {
            violations.push(Violation::new(format!("accounts[{at}].{field}"), code, message));
        };
        let external_id = account.external_id.trim().to_owned();
        if external_id.is_empty() {
            refuse("externalId", "REQUIRED", "an account needs the id that its tool gives it".into());
        } else if let Some(first) = seen.insert(external_id.clone(), at) {
            let message = format!("`{}` is also the id of accounts[{first}]", shorten(&external_id));
            refuse("externalId", "DUPLICATE", message);
        }
        let fields = [
            ("externalId", Some(&account.external_id)),
            ("username", account.username.as_ref()),
            ("displayName", account.display_name.as_ref()),
        ];
        for (field, text) in fields {
            match text {
                Some(text) if text.len() > LONGEST => {
                    refuse(field, "TOO_LONG", format!("this has at most {LONGEST} bytes"));
                }
                Some(text) if text.contains('\0') => {
                    refuse(field, "NOT_TEXT", "this cannot hold the character NUL".into());
                }
                _ => {}
            }
        }
        let text = |text: Option<String>| text.map(|text| nfc(text.trim())).filter(|text| !text.is_empty());
        let email = text(account.email).and_then(|email| match Email::parse(&email) {
            Ok(email) => Some(email.into_string()),
            Err(message) => {
                let path = format!("accounts[{at}].email");
                warnings.push(Violation::new(path, "NOT_AN_EMAIL", format!("{message}; left out")));
                None
            }
        });
        checked.push(SyncedAccount {
            external_id,
            username: text(account.username),
            email,
            display_name: text(account.display_name),
            is_bot: account.is_bot,
        });
    }
    refuse(violations)?;
    Ok(checked)
}

/// Accounts that people or imports named before the tool reported them, by what they named them by.
#[derive(Default)]
struct Claims {
    by_username: HashMap<String, Vec<integration_account::Model>>,
    by_email: HashMap<String, Vec<integration_account::Model>>,
}

impl Claims {
    async fn load(changeset: &Changeset, integration: IntegrationId) -> Result<Self> {
        let condition = Condition::all()
            .add(integration_account::Column::IntegrationId.eq(integration))
            .add(integration_account::Column::Status.eq(AccountStatus::Claimed));
        let mut claims = Self::default();
        for claim in changeset.accounts(condition).await? {
            if let Some(username) = claim.username.as_deref().map(fold) {
                claims.by_username.entry(username).or_default().push(claim);
            } else if let Some(email) = claim.email.clone() {
                claims.by_email.entry(email).or_default().push(claim);
            }
        }
        Ok(claims)
    }

    /// The claims that name this account, the earliest first: from now on they are the account.
    fn take(&mut self, reported: &SyncedAccount) -> Vec<integration_account::Model> {
        let mut taken = Vec::new();
        if let Some(username) = &reported.username {
            taken.extend(self.by_username.remove(&fold(username)).unwrap_or_default());
            // A username that could be an email was taken for one, since nobody knew better.
            let email = Email::parse(username).ok();
            taken.extend(email.and_then(|email| self.by_email.remove(email.as_str())).unwrap_or_default());
        }
        taken.extend(reported.email.as_ref().and_then(|email| self.by_email.remove(email)).unwrap_or_default());
        taken.sort_by_key(|claim| claim.id);
        taken
    }
}

async fn by_external_id(
    changeset: &Changeset,
    integration: IntegrationId,
    reported: &[SyncedAccount],
) -> Result<HashMap<String, integration_account::Model>> {
    let condition = Condition::all()
        .add(integration_account::Column::IntegrationId.eq(integration))
        .add(integration_account::Column::ExternalId.is_in(reported.iter().map(|account| &account.external_id)));
    let rows = changeset.accounts(condition).await?;
    Ok(rows.into_iter().filter_map(|row| Some((row.external_id.clone()?, row))).collect())
}

fn sync_one(
    changeset: &mut Changeset,
    integration: IntegrationId,
    known: Option<integration_account::Model>,
    claims: Vec<integration_account::Model>,
    reported: &SyncedAccount,
    outcome: &mut SyncOutcome,
) {
    let mut claims = claims.into_iter();
    let before = known.or_else(|| claims.next());
    let mut after = before.clone().unwrap_or_else(|| integration_account::Model {
        id: changeset.directory().clock().id(),
        integration_id: integration,
        external_id: None,
        username: None,
        email: None,
        display_name: None,
        is_bot: false,
        status: AccountStatus::Active,
        user_id: None,
        rule: AssociationRule::Unmatched,
        associated_by: changeset.actor().0.clone(),
        associated_at: changeset.now(),
        version: changeset.number(),
        created_at: changeset.now(),
        updated_at: changeset.now(),
    });
    after.external_id = Some(reported.external_id.clone());
    after.username.clone_from(&reported.username);
    after.email.clone_from(&reported.email);
    after.display_name.clone_from(&reported.display_name);
    after.is_bot = reported.is_bot;
    after.status = AccountStatus::Active;
    for claim in claims {
        if !is_sticky(after.rule) && claim.user_id.is_some() {
            changeset.associate(&mut after, claim.user_id, claim.rule);
        }
        changeset.put(Some(Record::IntegrationAccount(claim)), None);
    }
    changeset.associate_automatically(&mut after);
    match &before {
        None => outcome.created += 1,
        Some(before) if *before == after => outcome.unchanged += 1,
        Some(_) => outcome.updated += 1,
    }
    changeset.put_account(before, after);
}

/// Marks the accounts of an integration that it no longer reports.
async fn mark_gone(
    changeset: &mut Changeset,
    integration: IntegrationId,
    reported: &[SyncedAccount],
    outcome: &mut SyncOutcome,
) -> Result<()> {
    changeset.flush().await?;
    let reported: HashSet<&str> = reported.iter().map(|account| account.external_id.as_str()).collect();
    let mut last: Option<IntegrationAccountId> = None;
    loop {
        let rows = integration_account::Entity::find()
            .filter(
                Condition::all()
                    .add(integration_account::Column::IntegrationId.eq(integration))
                    .add(integration_account::Column::Status.eq(AccountStatus::Active))
                    .add_option(last.map(|last| integration_account::Column::Id.gt(last))),
            )
            .order_by_asc(integration_account::Column::Id)
            .limit(1_000)
            .all(changeset.transaction())
            .await?;
        let Some(end) = rows.last() else { return Ok(()) };
        last = Some(end.id);
        for before in rows {
            if before.external_id.as_deref().is_some_and(|id| reported.contains(id)) {
                continue;
            }
            let mut after = before.clone();
            after.status = AccountStatus::Gone;
            outcome.gone += 1;
            changeset.put_account(Some(before), after);
        }
        changeset.flush_if_large().await?;
    }
}
