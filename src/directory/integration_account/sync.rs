//! What integrations report of their accounts, in a call or by a run.
//!
//! What does not live here: whose accounts are (`association`), and how tools are read (`connector`).

use std::collections::{HashMap, HashSet};

use entity::changeset::ChangesetKind;
use entity::integration_account::{self, AccountStatus, AssociationRule};
use entity::{IntegrationAccountId, IntegrationId};
use sea_orm::{ColumnTrait, Condition, EntityTrait, PaginatorTrait, QueryFilter, QueryOrder, QuerySelect};

use super::LONGEST;
use crate::directory::association::is_sticky;
use crate::directory::changeset::Changeset;
use crate::directory::error::Result;
use crate::directory::user::refuse;
use crate::directory::{Actor, Directory, Error, missing};
use crate::filter::Violation;
use crate::record::Record;
use crate::value::{Email, fold, nfc, shorten};

/// The most accounts in one call.
const ACCOUNTS: usize = 50_000;

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
    /// Whether the tool has deactivated it.
    pub is_gone: bool,
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
    /// Accounts that the tool no longer has, or has deactivated.
    pub gone: u64,
    /// Users made from accounts.
    pub users_created: u64,
    /// Automatic users that lost their last account and went.
    pub users_removed: u64,
    /// What was left out of accounts that are otherwise taken, such as an email that is none.
    pub warnings: Vec<Violation>,
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
        if accounts.len() > ACCOUNTS {
            return Err(Error::LimitExceeded { what: "the number of accounts in one call", limit: ACCOUNTS as u64 });
        }
        let mut checked = check(accounts, |at, _| format!("accounts[{at}]"));
        refuse(std::mem::take(&mut checked.violations))?;
        let mut outcome = SyncOutcome { warnings: std::mem::take(&mut checked.warnings), ..SyncOutcome::default() };
        let mut changeset = self.begin(ChangesetKind::Sync, actor).await?;
        if self.index().integration(integration).is_none() {
            return Err(missing(integration));
        }
        changeset.take_accounts(integration, &checked, mode, &mut outcome).await?;
        outcome.version = changeset.commit().await?;
        Ok(outcome)
    }
}

impl Changeset {
    /// Takes what an integration reports, in the form in which [`check`] gives it.
    pub(in crate::directory) async fn take_accounts(
        &mut self,
        integration: IntegrationId,
        checked: &Checked,
        mode: SyncMode,
        outcome: &mut SyncOutcome,
    ) -> Result<()> {
        let mut claims = Claims::load(self, integration).await?;
        for some in checked.accounts.chunks(1_000) {
            let known = by_external_id(self, integration, some).await?;
            for reported in some {
                let known = known.get(&reported.external_id).cloned();
                sync_one(self, integration, known, claims.take(reported), reported, outcome);
            }
            self.flush_if_large().await?;
        }
        if mode == SyncMode::Full {
            mark_gone(self, integration, checked, outcome).await?;
        }
        let made = self.associate_with_detected().await?;
        let settled = self.settle().await?;
        outcome.users_created = (made + settled.made) as u64;
        outcome.users_removed = settled.removed as u64;
        let kept_out = self.directory().tell_kept_out(&self.kept_out, &checked.accounts);
        outcome.warnings.extend(kept_out);
        Ok(())
    }

    /// How many accounts of an integration are there, as far as its tool has said, before this changeset.
    pub(in crate::directory) async fn count_active(&self, integration: IntegrationId) -> Result<u64> {
        let active = integration_account::Entity::find()
            .filter(integration_account::Column::IntegrationId.eq(integration))
            .filter(integration_account::Column::Status.eq(AccountStatus::Active));
        Ok(active.count(self.transaction()).await?)
    }
}

/// Reported accounts in the form they are stored.
pub(in crate::directory) struct Checked {
    /// Those that can be taken, and those of which the first of several can be.
    pub(in crate::directory) accounts: Vec<SyncedAccount>,
    /// What stands in the way of accounts, each of which is left out.
    pub(in crate::directory) violations: Vec<Violation>,
    /// What is left out of accounts that are otherwise taken: an email that is none.
    pub(in crate::directory) warnings: Vec<Violation>,
    /// The external ids of accounts that are left out: their tool has them all the same.
    left_out: Vec<String>,
    /// How many different accounts there were.
    pub(in crate::directory) seen: u64,
}

/// Brings accounts into the form they are stored in. `name` says of an account, by its place and its external id, what
/// problems call it.
pub(in crate::directory) fn check(accounts: Vec<SyncedAccount>, name: impl Fn(usize, &str) -> String) -> Checked {
    let (mut violations, mut warnings, mut left_out, mut twice) = (Vec::new(), Vec::new(), Vec::new(), 0);
    let count = accounts.len();
    let mut seen: HashMap<String, usize> = HashMap::with_capacity(accounts.len());
    let mut checked = Vec::with_capacity(accounts.len());
    for (at, account) in accounts.into_iter().enumerate() {
        let before = violations.len();
        let external_id = account.external_id.trim().to_owned();
        let path = |field: &str| format!("{}.{field}", name(at, &external_id));
        let mut refuse = |field: &str, code, message: String| {
            violations.push(Violation::new(path(field), code, message));
        };
        if external_id.is_empty() {
            refuse("externalId", "REQUIRED", "an account needs the id that its tool gives it".into());
        } else if let Some(first) = seen.get(&external_id) {
            let message = format!("`{}` is also the id of {}", shorten(&external_id), name(*first, &external_id));
            refuse("externalId", "DUPLICATE", message);
            twice += 1;
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
        seen.entry(external_id.clone()).or_insert(at);
        let text = |text: Option<String>| text.map(|text| nfc(text.trim())).filter(|text| !text.is_empty());
        let email = text(account.email).and_then(|email| match Email::parse(&email) {
            Ok(email) => Some(email.into_string()),
            Err(message) => {
                warnings.push(Violation::new(path("email"), "NOT_AN_EMAIL", format!("{message}; left out")));
                None
            }
        });
        if violations.len() == before {
            checked.push(SyncedAccount {
                external_id,
                username: text(account.username),
                email,
                display_name: text(account.display_name),
                is_bot: account.is_bot,
                is_gone: account.is_gone,
            });
        } else {
            left_out.push(external_id);
        }
    }
    Checked { accounts: checked, violations, warnings, left_out, seen: (count - twice) as u64 }
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
        evidence: None,
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
    after.status = if reported.is_gone { AccountStatus::Gone } else { AccountStatus::Active };
    for claim in claims {
        if !is_sticky(after.rule) && claim.user_id.is_some() {
            changeset.associate(&mut after, claim.user_id, claim.rule, None);
        } else if claim.user_id.is_some_and(|user| Some(user) != after.user_id) {
            continue; // One word against another: both stay, for a person to decide.
        }
        changeset.put(Some(Record::IntegrationAccount(claim)), None);
    }
    changeset.associate_automatically(&mut after);
    match &before {
        None => outcome.created += 1,
        Some(before) if *before == after => outcome.unchanged += 1,
        Some(before) if before.status == AccountStatus::Active && reported.is_gone => outcome.gone += 1,
        Some(_) => outcome.updated += 1,
    }
    changeset.put_account(before, after);
}

/// Marks the accounts of an integration that it no longer reports.
async fn mark_gone(
    changeset: &mut Changeset,
    integration: IntegrationId,
    reported: &Checked,
    outcome: &mut SyncOutcome,
) -> Result<()> {
    changeset.flush().await?;
    let taken = reported.accounts.iter().map(|account| &account.external_id);
    let reported: HashSet<&str> = taken.chain(&reported.left_out).map(String::as_str).collect();
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
