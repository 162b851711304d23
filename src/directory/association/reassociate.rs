//! What a change of the rules does: every account of which no person and no import has spoken comes to whom it would have
//! come, had the rules always been so.
//!
//! The index says which accounts may move, so that only their rows are read. Automatic users that no account would make
//! any more, and that nothing else holds, go first in mind: they are nobody's owner while accounts are looked at.

use std::collections::{BTreeMap, HashMap, HashSet};
use std::sync::Arc;

use entity::integration_account::{self, AssociationRule};
use entity::{IntegrationAccountId, UserId, user};
use roaring::RoaringBitmap;
use sea_orm::{ColumnTrait, Condition, EntityTrait, QueryFilter, QueryOrder, QuerySelect};

use super::rules::{Decision, Owner, Rules};
use super::settings::RulesOutcome;
use crate::directory::changeset::Changeset;
use crate::directory::error::{Error, Result};
use crate::index::{AccountIdentity, Index};

/// Accounts that are looked at in one go.
const PLACES: u32 = if cfg!(test) { 3 } else { 50_000 };
/// Rows that are read at a time.
const ROWS: u64 = if cfg!(test) { 2 } else { 20_000 };

/// What the index does not know, by place.
#[derive(Default)]
struct Marks {
    /// Accounts that a person or an import has spoken of.
    sticky: RoaringBitmap,
    /// Users that were made from accounts.
    automatic: RoaringBitmap,
    /// Users that go.
    going: RoaringBitmap,
}

/// Accounts that may move, and keys that several users share.
#[derive(Default)]
struct Suspects {
    accounts: Vec<IntegrationAccountId>,
    contested: Vec<String>,
}

impl Changeset {
    /// Associates anew by the changeset's rules, which are new.
    pub(super) async fn reassociate(&mut self) -> Result<RulesOutcome> {
        let (mut index, rules) = (self.directory().snapshot(), self.ongoing.rules.clone());
        let keys = rules.keys.clone();
        let index = blocking(move || {
            index.compare_emails_by(keys);
            index
        })
        .await?;
        self.ongoing.comparing = Some(index.clone());
        let mut marks = self.mark(&index).await?;
        let loose = {
            let (index, rules) = (index.clone(), rules.clone());
            let (loose, back) = blocking(move || (loose(&index, &rules, &marks), marks)).await?;
            marks = back;
            loose
        };
        for some in loose.chunks(1_000) {
            let held = self.held(some).await?;
            for user in some.iter().filter(|user| !held.contains(user)) {
                marks.going.extend(index.user_place(*user));
                self.ongoing.going.insert(*user);
                // One without any account goes, too.
                self.left.entry(*user).or_insert(None);
            }
        }
        let mut outcome = RulesOutcome::default();
        let marks = Arc::new(marks);
        for first in (0..index.account_places()).step_by(PLACES as usize) {
            let (index, rules, marks) = (index.clone(), rules.clone(), marks.clone());
            let places = first..first.saturating_add(PLACES).min(index.account_places());
            let suspects = blocking(move || suspects(&index, &rules, &marks, places)).await?;
            self.ongoing.contested.extend(suspects.contested);
            for some in suspects.accounts.chunks(1_000) {
                let condition = Condition::all().add(integration_account::Column::Id.is_in(some.iter().copied()));
                let mut rows = self.accounts(condition).await?;
                rows.sort_unstable_by_key(|row| row.id);
                self.ongoing.makers = self.makers(&rows).await?;
                for before in rows {
                    let mut after = before.clone();
                    self.associate_automatically(&mut after);
                    if after != before {
                        outcome.accounts_moved += u64::from(after.user_id != before.user_id);
                        self.put_account(Some(before), after);
                    }
                }
                self.flush_if_large().await?;
            }
        }
        let made = self.associate_with_detected().await?;
        let settled = self.settle().await?;
        outcome.users_created = (made + settled.made) as u64;
        outcome.users_removed = settled.removed as u64;
        Ok(outcome)
    }

    /// The accounts that automatic users are made from by these rules, where those that they were made from no longer
    /// make anybody: the first of `rows` with the user's email. Such a user stays who it is.
    async fn makers(&self, rows: &[integration_account::Model]) -> Result<HashMap<IntegrationAccountId, UserId>> {
        let rules = &self.ongoing.rules;
        let mut first: BTreeMap<UserId, IntegrationAccountId> = BTreeMap::new();
        for row in rows {
            let account = AccountIdentity::from(row);
            if let Some(owner) = account.email.and_then(|email| self.find_owner(email))
                && !self.directory().index().is_locked(owner)
                && rules.detected_obstacle(&account).is_none()
                && rules.email_obstacle(&account).is_some()
            {
                first.entry(owner).or_insert(row.id);
            }
        }
        let owners: Vec<UserId> = first.keys().copied().collect();
        let users = self.users(&owners).await?;
        let made: HashSet<UserId> = self
            .accounts_of(&owners.into_iter().collect())
            .await?
            .into_iter()
            .filter(|row| row.rule == AssociationRule::Detected && rules.may_stay_detected(&AccountIdentity::from(row)))
            .filter_map(|row| row.user_id)
            .collect();
        let is_automatic = |user: &UserId| users.get(user).is_some_and(|user| user.row.is_automatic);
        first.retain(|user, _| is_automatic(user) && !made.contains(user));
        Ok(first.into_iter().map(|(user, account)| (account, user)).collect())
    }

    async fn mark(&self, index: &Index) -> Result<Marks> {
        let mut marks = Marks::default();
        let mut last: Option<IntegrationAccountId> = None;
        loop {
            let ids: Vec<IntegrationAccountId> = integration_account::Entity::find()
                .select_only()
                .column(integration_account::Column::Id)
                .filter(integration_account::Column::Rule.is_in([AssociationRule::Manual, AssociationRule::Import]))
                .filter(Condition::all().add_option(last.map(|last| integration_account::Column::Id.gt(last))))
                .order_by_asc(integration_account::Column::Id)
                .limit(ROWS)
                .into_tuple()
                .all(self.transaction())
                .await?;
            marks.sticky.extend(ids.iter().filter_map(|id| index.account_place(*id)));
            last = ids.last().copied();
            if last.is_none() {
                break;
            }
        }
        let mut last: Option<UserId> = None;
        loop {
            let ids: Vec<UserId> = user::Entity::find()
                .select_only()
                .column(user::Column::Id)
                .filter(user::Column::IsAutomatic.eq(true))
                .filter(Condition::all().add_option(last.map(|last| user::Column::Id.gt(last))))
                .order_by_asc(user::Column::Id)
                .limit(ROWS)
                .into_tuple()
                .all(self.transaction())
                .await?;
            marks.automatic.extend(ids.iter().filter_map(|id| index.user_place(*id)));
            last = ids.last().copied();
            if last.is_none() {
                return Ok(marks);
            }
        }
    }
}

/// The automatic users that no account would make by these rules, and that have no account by anybody's word.
fn loose(index: &Index, rules: &Rules, marks: &Marks) -> Vec<UserId> {
    let mut kept = RoaringBitmap::new();
    for place in 0..index.account_places() {
        let Some(account) = index.account_identity(place) else { continue };
        if marks.sticky.contains(place) {
            kept.extend(account.owner.and_then(|owner| index.user_place(owner)));
        } else if let Some(email) = account.email
            && rules.makes_or_made(&account)
        {
            kept.extend(index.owners_like(email).into_keys().filter_map(|owner| index.user_place(owner)));
        }
    }
    (&marks.automatic - kept).iter().filter_map(|place| index.user_at(place)).collect()
}

fn suspects(index: &Index, rules: &Rules, marks: &Marks, places: std::ops::Range<u32>) -> Suspects {
    let mut found = Suspects::default();
    for place in places.filter(|place| !marks.sticky.contains(*place)) {
        let Some(account) = index.account_identity(place) else { continue };
        let goes = |user: &UserId| index.user_place(*user).is_some_and(|place| marks.going.contains(place));
        let (mut owner, mut is_exact) = (Owner::Nobody, false);
        if let Some(email) = account.email {
            let mut owners = index.owners_like(email);
            owners.retain(|user, _| !goes(user));
            if owners.len() > 1 && rules.email_obstacle(&account).is_none() {
                found.contested.push(rules.keys.key(email).into_owned());
            }
            let exact = index.user_with_email(email).filter(|user| owners.contains_key(user));
            is_exact = exact.is_some();
            owner = exact.map_or_else(|| super::owner::only(owners), |user| Owner::User(user, email.to_owned()));
        }
        let stays = match rules.decide(&account, &owner, None, &|user| index.is_locked(user)) {
            Decision::Give(user, _) => account.owner == Some(user) && rules.may_stay_detected(&account),
            // It may be what the user is made from, from now on.
            Decision::Nobody => account.owner.is_none() && !(is_exact && rules.detected_obstacle(&account).is_none()),
            Decision::Keep => true,
            Decision::Make(_) => false,
        };
        if !stays {
            found.accounts.push(account.id);
        }
    }
    found.contested.sort_unstable();
    found.contested.dedup();
    found
}

async fn blocking<T: Send + 'static>(work: impl FnOnce() -> T + Send + 'static) -> Result<T> {
    tokio::task::spawn_blocking(work).await.map_err(Error::internal)
}
