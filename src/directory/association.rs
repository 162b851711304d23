//! Association: whose an account is, and why.
//!
//! The order of the rules (docs/association.md): what a person or an import said; else the account's email is one of a
//! user's; else, with an email and no bot, a user is made from it; else the account is unmatched. Automation never
//! overrides a person.

use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};

use entity::integration_account::{self, AccountStatus, AssociationRule};
use entity::{UserId, org_unit_pin, user};
use sea_orm::{ColumnTrait, Condition, EntityTrait, QueryFilter, QuerySelect};

use chrono::{DateTime, Utc};

use super::Actor;
use super::changeset::Changeset;
use super::error::{Error, Result};
use super::user::email_taken;
use crate::record::{Record, UserRecord};
use crate::value::{GlobalId, is_blank};

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

/// Gives `account` to `user`, or to nobody.
pub(super) fn associate(
    account: &mut integration_account::Model,
    user: Option<UserId>,
    rule: AssociationRule,
    stamp: &Stamp,
) {
    if account.user_id == user && account.rule == rule {
        return;
    }
    account.user_id = user;
    account.rule = rule;
    account.associated_by = stamp.actor.0.clone();
    account.associated_at = stamp.now;
}

impl Changeset {
    /// Gives `account` to `user`, or to nobody, and notes whom it left.
    pub(super) fn associate(
        &mut self,
        account: &mut integration_account::Model,
        user: Option<UserId>,
        rule: AssociationRule,
    ) {
        if let Some(old) = account.user_id
            && Some(old) != user
        {
            self.note_left(old, user);
        }
        associate(account, user, rule, &self.stamp());
    }

    /// Associates an account that an integration reports, by the automatic rules; makes a user where they say so.
    pub(super) fn associate_automatically(&mut self, account: &mut integration_account::Model) {
        if is_sticky(account.rule) {
            return;
        }
        let Some(email) = account.email.clone() else {
            self.associate(account, None, AssociationRule::Unmatched);
            return;
        };
        match self.find_email(&email) {
            // A user made from this account keeps saying so.
            Some(owner) if account.user_id == Some(owner) && account.rule == AssociationRule::Detected => {}
            Some(owner) => self.associate(account, Some(owner), AssociationRule::Email),
            None if account.is_bot => self.associate(account, None, AssociationRule::Unmatched),
            None => {
                let user = self.detect_user(account, email);
                self.associate(account, Some(user), AssociationRule::Detected);
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
                version: self.number(),
                created_at: self.now(),
                updated_at: self.now(),
            },
            further_emails: BTreeSet::new(),
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
        self.associate_unmatched(&new, |_| true).await
    }

    /// Associates the accounts that came before the user who was made of another account with their email, such as a
    /// bot's: the order in which tools report does not matter.
    pub(super) async fn associate_with_detected(&mut self) -> Result<()> {
        let emails = std::mem::take(&mut self.detected);
        self.flush().await?;
        self.associate_unmatched(&emails, |account| !is_sticky(account.rule)).await
    }

    async fn associate_unmatched(
        &mut self,
        emails: &[String],
        may: impl Fn(&integration_account::Model) -> bool,
    ) -> Result<()> {
        for some in emails.chunks(1_000) {
            let condition = Condition::all()
                .add(integration_account::Column::Email.is_in(some))
                .add(integration_account::Column::UserId.is_null());
            for before in self.accounts(condition).await? {
                let owner = before.email.as_deref().and_then(|email| self.find_email(email));
                if before.user_id.is_none() && owner.is_some() && may(&before) {
                    let mut after = before.clone();
                    self.associate(&mut after, owner, AssociationRule::Email);
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
            taken.extend(record.emails().map(str::to_owned));
            for before in self.accounts_of(&HashSet::from([owner])).await? {
                let mut after = before.clone();
                let by_email = after.email.as_ref().is_some_and(|theirs| taken.contains(theirs));
                self.associate(&mut after, Some(user), if by_email { AssociationRule::Email } else { rule });
                self.put_account(Some(before), after);
            }
            self.left.remove(&owner);
            self.put(Some(Record::User(record)), None);
        }
        Ok(taken)
    }

    /// Takes an account from its user. A claim goes: nobody but the claim has ever said that there is such an account.
    pub(super) fn unlink(&mut self, before: integration_account::Model, rule: AssociationRule) {
        let mut after = before.clone();
        self.associate(&mut after, None, rule);
        let after = (before.status != AccountStatus::Claimed).then_some(after);
        self.put(Some(Record::IntegrationAccount(before)), after.map(Record::IntegrationAccount));
    }

    /// Puts an account.
    pub(super) fn put_account(
        &mut self,
        before: Option<integration_account::Model>,
        after: integration_account::Model,
    ) {
        self.put(before.map(Record::IntegrationAccount), Some(Record::IntegrationAccount(after)));
    }

    fn note_left(&mut self, owner: UserId, heir: Option<UserId>) {
        let noted = self.left.entry(owner).or_insert(heir);
        // The first heir stays; a later one replaces only "nobody".
        *noted = noted.or(heir);
    }

    /// Removes the automatic users that have lost their last account and that nothing else holds; their emails go to
    /// the user who got the account. To be called once, when everything else of the changeset is put.
    ///
    /// Gives how many it removed.
    pub(super) async fn settle(&mut self) -> Result<usize> {
        let left = std::mem::take(&mut self.left);
        if left.is_empty() {
            return Ok(0);
        }
        self.flush().await?;
        let ids: Vec<UserId> = left.keys().copied().collect();
        let mut removed = 0;
        for ids in ids.chunks(1_000) {
            let mut candidates = self.users(ids).await?;
            candidates.retain(|_, user| user.row.is_automatic);
            let ids: Vec<UserId> = candidates.keys().copied().collect();
            let mut stays: HashSet<UserId> = integration_account::Entity::find()
                .select_only()
                .column(integration_account::Column::UserId)
                .filter(integration_account::Column::UserId.is_in(ids.iter().copied()))
                .distinct()
                .into_tuple::<UserId>()
                .all(self.transaction())
                .await?
                .into_iter()
                .collect();
            stays.extend(self.held(&ids).await?);
            candidates.retain(|id, _| !stays.contains(id));
            let heirs: Vec<UserId> = candidates.keys().filter_map(|id| left.get(id).copied().flatten()).collect();
            let mut heirs: HashMap<UserId, (UserRecord, UserRecord)> =
                self.users(&heirs).await?.into_iter().map(|(id, heir)| (id, (heir.clone(), heir))).collect();
            for (id, user) in BTreeMap::from_iter(candidates) {
                if let Some((_, heir)) = left.get(&id).copied().flatten().and_then(|heir| heirs.get_mut(&heir)) {
                    heir.further_emails.extend(user.emails().map(str::to_owned));
                }
                self.put(Some(Record::User(user)), None);
                removed += 1;
            }
            for (_, (before, after)) in BTreeMap::from_iter(heirs) {
                self.put(Some(Record::User(before)), Some(Record::User(after)));
            }
            self.flush().await?;
        }
        Ok(removed)
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
        held.extend(users.iter().copied().filter(|user| {
            self.referred.contains(user)
                || index.is_referred_to(*user)
                || !index.org_units_naming_user(*user).is_empty()
        }));
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
