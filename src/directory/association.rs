//! Association: whose an account is, and why.
//!
//! The order of the rules (docs/association.md): what a person or an import said; else the account's email is one of a
//! user's; else, with an email and no bot, a user is made from it; else the account is unmatched. Automation never
//! overrides a person.

use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};

use entity::changeset::ChangesetKind;
use entity::integration_account::{self, AccountStatus, AssociationRule};
use entity::{UserId, org_unit_pin, user};
use sea_orm::{ColumnTrait, Condition, EntityTrait, QueryFilter, QuerySelect};

use chrono::{DateTime, Utc};

use super::Actor;
use super::changeset::Changeset;
use super::error::{Error, Result};
use super::lock::KeptOut;
use super::user::email_taken;
use crate::index::AccountIdentity;
use crate::record::{Record, UserRecord};
use crate::value::{GlobalId, is_blank};

mod conflicts;
mod link;
mod owner;
mod part;
mod reassociate;
mod rules;
mod settings;
mod simulate;
mod unmatched;
mod why;

pub use conflicts::{AssociationConflict, ConflictKind, ConflictPlace};
pub use link::{AccountLink, LinkRefusal, LinkReport};
pub(super) use owner::Ongoing;
pub use part::Part;
pub(super) use rules::Rules;
pub use settings::{IntegrationChoice, RulesChange, RulesOutcome};
pub use simulate::Simulation;
pub use unmatched::UnmatchedQuery;
pub use why::{AssociationChange, Outcome, Tried, WhyAssociated};

use rules::{Decision, Owner};

/// Whether a person or an import said so, so that automation leaves it alone.
pub(super) fn is_sticky(rule: AssociationRule) -> bool {
    match rule {
        AssociationRule::Manual | AssociationRule::Import => true,
        AssociationRule::Unmatched | AssociationRule::Email | AssociationRule::Detected => false,
    }
}

/// Which changeset, when and who: what its records are marked with.
#[derive(Clone, Debug)]
pub(super) struct Stamp {
    pub(super) number: i64,
    pub(super) now: DateTime<Utc>,
    pub(super) actor: Actor,
}

/// Gives `account` to `user`, or to nobody. `evidence` is the email that decided, where one did.
pub(super) fn associate(
    account: &mut integration_account::Model,
    user: Option<UserId>,
    rule: AssociationRule,
    evidence: Option<&str>,
    stamp: &Stamp,
) {
    // What was associated before evidence was kept stays without, so that the same report changes nothing.
    let is_other = account.evidence.is_some() && account.evidence.as_deref() != evidence;
    if account.user_id == user && account.rule == rule && !is_other {
        return;
    }
    account.user_id = user;
    account.rule = rule;
    account.evidence = evidence.map(str::to_owned);
    account.associated_by = stamp.actor.0.clone();
    account.associated_at = stamp.now;
}

/// Accounts for which a user was made, or of which a person or an import said whose they are.
fn of_a_person() -> Condition {
    let said = [AssociationRule::Manual, AssociationRule::Import];
    Condition::any()
        .add(integration_account::Column::IsBot.eq(false))
        .add(integration_account::Column::Rule.is_in(said))
}

/// How many users came and went where accounts had left theirs.
pub(super) struct Settled {
    pub(super) removed: usize,
    pub(super) made: usize,
}

impl Changeset {
    /// Gives `account` to `user`, or to nobody, and notes whom it left.
    pub(super) fn associate(
        &mut self,
        account: &mut integration_account::Model,
        user: Option<UserId>,
        rule: AssociationRule,
        evidence: Option<&str>,
    ) {
        if let Some(old) = account.user_id
            && Some(old) != user
        {
            self.note_left(old, user);
        }
        associate(account, user, rule, evidence, &self.stamp());
    }

    /// Associates an account that an integration reports, by the automatic rules; makes a user where they say so.
    ///
    /// A locked user keeps the accounts that it has, and gets none.
    pub(super) fn associate_automatically(&mut self, account: &mut integration_account::Model) {
        if is_sticky(account.rule) || account.user_id.is_some_and(|user| self.directory().index().is_locked(user)) {
            return;
        }
        self.follow_rules(account);
        if let Some(owner) = account.user_id.filter(|_| account.is_bot) {
            // Of a program alone no user is made, so the user may have lost the last account that holds it.
            self.note_left(owner, None);
        }
    }

    fn follow_rules(&mut self, account: &mut integration_account::Model) {
        let owner = match &account.email {
            Some(email) => self.owner_of_email(email),
            None => Owner::Nobody,
        };
        if let (Some(user), Some(email)) = (self.ongoing.makers.remove(&account.id), account.email.clone()) {
            return self.associate(account, Some(user), AssociationRule::Detected, Some(&email));
        }
        let made = account.user_id.filter(|_| account.rule == AssociationRule::Detected);
        let decision = {
            let index = self.directory().index();
            let is_locked = |user| index.is_locked(user);
            self.ongoing.rules.decide(&AccountIdentity::from(&*account), &owner, made, &is_locked)
        };
        if let Owner::User(user, _) = owner
            && self.directory().index().is_locked(user)
        {
            self.kept_out.push(KeptOut { external_id: account.external_id.clone().unwrap_or_default(), user });
        }
        match decision {
            Decision::Keep => {}
            Decision::Give(user, email) => self.associate(account, Some(user), AssociationRule::Email, Some(&email)),
            Decision::Nobody => self.associate(account, None, AssociationRule::Unmatched, None),
            Decision::Make(email) => {
                let user = self.detect_user(account, email.clone());
                self.associate(account, Some(user), AssociationRule::Detected, Some(&email));
            }
        }
    }

    fn detect_user(&mut self, account: &integration_account::Model, email: String) -> UserId {
        let local_part = email.split('@').next().unwrap_or_default();
        let name = [account.display_name.as_deref(), account.username.as_deref(), Some(local_part)]
            .into_iter()
            .flatten()
            .find(|name| !is_blank(name))
            .unwrap_or(local_part)
            .chars()
            .take(200)
            .collect();
        let user = UserRecord {
            row: user::Model {
                id: self.directory().clock().id(),
                name,
                email: email.clone(),
                attributes: serde_json::json!({}),
                is_automatic: true,
                is_locked: false,
                reviewed_at: None,
                reviewed_by: None,
                version: self.number(),
                created_at: self.now(),
                updated_at: self.now(),
            },
            further_emails: BTreeSet::new(),
            merged_ids: BTreeSet::new(),
        };
        let id = user.row.id;
        self.detected.push(email);
        self.put(None, Some(Record::User(user)));
        id
    }

    /// Puts users that a person or an import has made or changed, and associates the accounts that nobody has and
    /// whose email one of them has just been given. What a person said before, that nobody has such an account, is
    /// overtaken by what a person says now.
    pub(super) async fn put_users(&mut self, users: Vec<(Option<UserRecord>, UserRecord)>) -> Result<()> {
        let mut new = Vec::new();
        for (before, after) in users {
            let old: HashSet<&str> = before.iter().flat_map(UserRecord::emails).collect();
            new.extend(after.emails().filter(|email| !old.contains(email)).map(str::to_owned));
            self.put(before.map(Record::User), Some(Record::User(after)));
        }
        new.iter().for_each(|email| self.note_contested(email));
        self.associate_unmatched(&new, |_| true).await
    }

    /// Associates the accounts that came before the user who was made of another account with their email, such as a
    /// bot's: the order in which tools report does not matter.
    ///
    /// Gives how many users were made.
    pub(super) async fn associate_with_detected(&mut self) -> Result<usize> {
        let emails = std::mem::take(&mut self.detected);
        self.flush().await?;
        self.associate_unmatched(&emails, |account| !is_sticky(account.rule)).await?;
        Ok(emails.len())
    }

    async fn associate_unmatched(
        &mut self,
        emails: &[String],
        may: impl Fn(&integration_account::Model) -> bool,
    ) -> Result<()> {
        for some in emails.chunks(1_000) {
            for before in self.unmatched_like(some).await? {
                let Some(email) = before.email.as_deref() else { continue };
                let is_free = self.ongoing.rules.email_obstacle(&AccountIdentity::from(&before)).is_none();
                if let Owner::User(owner, evidence) = self.owner_of_email(email)
                    && !self.directory().index().is_locked(owner)
                    && is_free
                    && may(&before)
                {
                    let mut after = before.clone();
                    self.associate(&mut after, Some(owner), AssociationRule::Email, Some(&evidence));
                    self.put_account(Some(before), after);
                }
            }
        }
        Ok(())
    }

    /// Frees `emails` for `user`: an automatic user that has one of them becomes part of it, if nothing else holds it:
    /// its accounts come along and it goes. Gives all emails of those who went, which are the user's from now on.
    ///
    /// # Errors
    /// `AlreadyExists` where a user that a person knows has the email, or one that cannot go.
    pub(super) async fn take_emails(
        &mut self,
        user: UserId,
        emails: &[String],
        rule: AssociationRule,
    ) -> Result<BTreeSet<String>> {
        let mut taken = BTreeSet::new();
        for email in emails {
            let Some(owner) = self.find_email(email).filter(|owner| *owner != user) else { continue };
            let record = self.user(owner).await?;
            if !record.row.is_automatic {
                return Err(email_taken(email, &record, ""));
            }
            if self.held(&[owner]).await?.contains(&owner) {
                return Err(email_taken(email, &record, ", which others refer to; link its accounts instead"));
            }
            let theirs = self.absorb(record, user, rule, &taken).await?;
            taken.extend(theirs);
        }
        Ok(taken)
    }

    /// Takes an account from its user. A claim goes: nobody but the claim has ever said that there is such an account.
    pub(super) fn unlink(&mut self, before: integration_account::Model, rule: AssociationRule) {
        let mut after = before.clone();
        self.associate(&mut after, None, rule, None);
        let after = (before.status != AccountStatus::Claimed).then_some(after);
        self.put(Some(Record::IntegrationAccount(before)), after.map(Record::IntegrationAccount));
    }

    /// Puts an account.
    pub(super) fn put_account(
        &mut self,
        before: Option<integration_account::Model>,
        after: integration_account::Model,
    ) {
        if let Some(email) = after.email.as_deref().filter(|_| before.is_none()) {
            self.note_email(email);
        }
        self.put(before.map(Record::IntegrationAccount), Some(Record::IntegrationAccount(after)));
    }

    fn note_left(&mut self, owner: UserId, heir: Option<UserId>) {
        let noted = self.left.entry(owner).or_insert(heir);
        // The first heir stays; a later one replaces only "nobody".
        *noted = noted.or(heir);
    }

    /// Removes the automatic users that have lost their last account of a person and that nothing else holds. Where
    /// somebody said whose the account is, their emails go to that user; where a tool reported another email, it says
    /// nothing of the one before, and the outcome does not depend on what is reported first. Accounts that were nobody's
    /// only because such a user had their email are looked at again. To be called once, when everything else of the
    /// changeset is put.
    pub(super) async fn settle(&mut self) -> Result<Settled> {
        let mut settled = Settled { removed: self.settle_contested().await?, made: 0 };
        let left = std::mem::take(&mut self.left);
        if left.is_empty() {
            return Ok(settled);
        }
        self.flush().await?;
        let ids: Vec<UserId> = left.keys().copied().collect();
        for ids in ids.chunks(1_000) {
            let mut candidates = self.users(ids).await?;
            candidates.retain(|_, user| user.row.is_automatic);
            let ids: Vec<UserId> = candidates.keys().copied().collect();
            let mut stays: HashSet<UserId> = integration_account::Entity::find()
                .select_only()
                .column(integration_account::Column::UserId)
                .filter(integration_account::Column::UserId.is_in(ids.iter().copied()))
                .filter(of_a_person())
                .distinct()
                .into_tuple::<UserId>()
                .all(self.transaction())
                .await?
                .into_iter()
                .collect();
            stays.extend(self.held(&ids).await?);
            candidates.retain(|id, _| !stays.contains(id));
            let mut waiting = self.accounts_of(&candidates.keys().copied().collect()).await?;
            let inherits = self.kind() != ChangesetKind::Sync;
            // A program's account may have come to one who goes, too, and is nobody's heir then.
            let is_heir = |heir: &UserId| inherits && !candidates.contains_key(heir);
            let heirs = candidates.keys().filter_map(|id| left.get(id).copied().flatten()).filter(is_heir);
            let heirs: Vec<UserId> = heirs.collect();
            let mut heirs: HashMap<UserId, (UserRecord, UserRecord)> =
                self.users(&heirs).await?.into_iter().map(|(id, heir)| (id, (heir.clone(), heir))).collect();
            let mut freed = Vec::new();
            for (id, user) in BTreeMap::from_iter(candidates) {
                let emails = user.emails().map(str::to_owned);
                match left.get(&id).copied().flatten().and_then(|heir| heirs.get_mut(&heir)) {
                    Some((_, heir)) => heir.further_emails.extend(emails),
                    None => freed.extend(emails),
                }
                self.put(Some(Record::User(user)), None);
                settled.removed += 1;
            }
            for (_, (before, after)) in BTreeMap::from_iter(heirs) {
                self.put(Some(Record::User(before)), Some(Record::User(after)));
            }
            waiting.extend(self.unmatched_like(&freed).await?);
            waiting.sort_unstable_by_key(|account| account.id);
            for before in waiting {
                let mut after = before.clone();
                self.associate_automatically(&mut after);
                if after != before {
                    self.put_account(Some(before), after);
                }
            }
            self.left.clear();
            settled.made += self.associate_with_detected().await?;
            self.flush().await?;
        }
        Ok(settled)
    }

    /// The accounts that nobody has and whose email is one with one of `emails`.
    async fn unmatched_like(&self, emails: &[String]) -> Result<Vec<integration_account::Model>> {
        let like: BTreeSet<String> = emails.iter().flat_map(|email| self.emails_like(email)).collect();
        let mut found = Vec::new();
        for like in like.into_iter().collect::<Vec<_>>().chunks(1_000) {
            let condition = Condition::all()
                .add(integration_account::Column::Email.is_in(like))
                .add(integration_account::Column::UserId.is_null());
            found.extend(self.accounts(condition).await?.into_iter().filter(|account| account.user_id.is_none()));
        }
        Ok(found)
    }

    /// Which of `users` others hold: by a pin, as the value of an attribute, or in an org unit's filter.
    async fn held(&self, users: &[UserId]) -> Result<HashSet<UserId>> {
        let mut held: HashSet<UserId> = org_unit_pin::Entity::find()
            .select_only()
            .column(org_unit_pin::Column::UserId)
            .filter(org_unit_pin::Column::UserId.is_in(users.iter().copied()))
            .distinct()
            .into_tuple::<UserId>()
            .all(self.transaction())
            .await?
            .into_iter()
            .collect();
        let index = self.directory().index();
        let named: HashSet<UserId> =
            index.org_units_naming_users(&users.iter().copied().collect()).into_iter().map(|(user, _)| user).collect();
        held.extend(
            users
                .iter()
                .copied()
                .filter(|user| self.referred.contains(user) || index.is_referred_to(*user) || named.contains(user)),
        );
        Ok(held)
    }

    /// Deletes users: their accounts stay, with nobody; values that name them are emptied; their pins go. All that are
    /// to go are given at once, since the index tells who names them as it was before the changeset.
    ///
    /// # Errors
    /// `InUse` where an org unit's filter names one of them, or a required value would be emptied.
    pub(super) async fn delete_users(&mut self, users: Vec<UserRecord>, rule: AssociationRule) -> Result<()> {
        let ids: HashSet<UserId> = users.iter().map(|user| user.row.id).collect();
        let (referring, units) = {
            let index = self.directory().index();
            let naming = index.org_units_naming_users(&ids);
            if let Some((named, _)) = naming.first() {
                let of_named = naming.iter().filter(|(user, _)| user == named);
                let units: Vec<String> = of_named.map(|(_, unit)| format!("`{}`", index.path(*unit))).collect();
                return Err(Error::InUse {
                    noun: UserId::NOUN,
                    key: index.email_of(*named).unwrap_or_default().to_owned(),
                    by: format!("the filter of {}", units.join(", ")),
                });
            }
            (index.referring_to(&ids), index.org_units_pinning(&ids))
        };
        for some in users.chunks(1_000) {
            for before in self.accounts_of(&some.iter().map(|user| user.row.id).collect()).await? {
                self.unlink(before, rule);
            }
            self.flush_if_large().await?;
        }
        let staying: Vec<UserId> = referring.into_iter().filter(|user| !ids.contains(user)).collect();
        for some in staying.chunks(1_000) {
            for (_, before) in BTreeMap::from_iter(self.users(some).await?) {
                let mut after = before.clone();
                self.forget(&mut after, &ids)?;
                self.put(Some(Record::User(before)), Some(Record::User(after)));
            }
            self.flush_if_large().await?;
        }
        for before in units {
            let mut after = before.clone();
            after.pinned.retain(|user| !ids.contains(user));
            after.excluded.retain(|user| !ids.contains(user));
            self.put(Some(Record::OrgUnit(before)), Some(Record::OrgUnit(after)));
        }
        for user in users {
            self.left.remove(&user.row.id);
            self.put(Some(Record::User(user)), None);
            self.flush_if_large().await?;
        }
        Ok(())
    }

    /// Empties the values of `user` that name one of `gone`.
    fn forget(&self, user: &mut UserRecord, gone: &HashSet<UserId>) -> Result<()> {
        let index = self.directory().index();
        let Some(document) = user.row.attributes.as_object_mut() else { return Ok(()) };
        for attribute in index.attributes() {
            let Some(crate::value::Value::User(named)) = document
                .get(&attribute.key)
                .filter(|_| attribute.r#type == entity::attribute::AttributeType::User)
                .and_then(|stored| crate::value::Value::from_stored(attribute.r#type, stored))
            else {
                continue;
            };
            if gone.contains(&named) {
                if attribute.is_required {
                    return Err(Error::InUse {
                        noun: UserId::NOUN,
                        key: named.to_global(),
                        by: format!("`{}` of {}, which is required", attribute.title, user.row.email),
                    });
                }
                document.remove(&attribute.key);
            }
        }
        Ok(())
    }
}
