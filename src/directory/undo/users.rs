//! Whether the directory takes users as they go back: their emails and values, and who needs those that go.

use std::collections::{HashMap, HashSet};
use std::sync::Arc;

use entity::attribute::{self, AttributeType};
use entity::{IntegrationAccountId, OrgUnitId, UserId};

use super::Undo;
use super::plan::{Block, Plan};
use crate::directory::changeset::Changeset;
use crate::directory::error::Result;
use crate::directory::fetch;
use crate::index::Index;
use crate::record::{Record, RecordId, UserRecord};
use crate::value::{GlobalId, Key, Value, shorten};

/// What a user gets back that another user has now.
struct Wanted {
    by: UserId,
    of: UserId,
    what: What,
}

enum What {
    Email(String),
    /// An id, as its own or that of somebody who became part of it.
    Id(UserId),
    Value(Arc<attribute::Model>, Key),
}

impl What {
    fn is_of(&self, user: &UserRecord) -> bool {
        match self {
            Self::Email(email) => user.emails().any(|own| own == email),
            Self::Id(id) => user.row.id == *id || user.merged_ids.contains(id),
            Self::Value(attribute, key) => user
                .row
                .attributes
                .get(&attribute.key)
                .is_some_and(|stored| Key::of_stored(attribute.r#type, stored).contains(key)),
        }
    }

    fn taken(&self, by: &UserRecord) -> Block {
        let message = match self {
            Self::Email(email) => format!("`{email}` is an email of {}", by.row.email),
            Self::Id(id) => format!("{} has become part of {}", id.to_global(), by.row.email),
            Self::Value(attribute, _) => {
                format!("{} has the same `{}`, whose values are unique", by.row.email, attribute.title)
            }
        };
        Block::new("ALREADY_EXISTS", message, Some(by.row.version))
    }
}

impl Undo {
    /// Checks the users among the plans.
    pub(super) async fn check_users(&mut self, changeset: &Changeset, plans: &[Plan]) -> Result<()> {
        let mut wanted = Vec::new();
        let mut leaving: HashMap<UserId, &Plan> = HashMap::new();
        for plan in plans.iter().filter(|plan| plan.is_change()) {
            match plan.users() {
                (Some(now), None) => {
                    leaving.insert(now.row.id, plan);
                }
                (now, Some(then)) => {
                    let mut own = Vec::new();
                    let block = self.check_user(&changeset.directory().index(), now, then, &mut own);
                    match block.or_else(|| self.claim(&own)) {
                        Some(block) => self.block(plan, block),
                        None => wanted.extend(own),
                    }
                }
                (None, None) => {}
            }
        }
        self.check_wanted(changeset, wanted, plans).await?;
        if !leaving.is_empty() {
            self.check_leaving(changeset, &leaving).await?;
        }
        Ok(())
    }

    /// Checks a user by itself; what it gets back is added to `wanted` with whoever has it now.
    fn check_user(
        &self,
        index: &Index,
        now: Option<&UserRecord>,
        then: &UserRecord,
        wanted: &mut Vec<Wanted>,
    ) -> Option<Block> {
        let id = then.row.id;
        for email in then.emails() {
            if let Some(owner) = index.user_with_email(email).filter(|owner| *owner != id) {
                wanted.push(Wanted { by: id, of: owner, what: What::Email(email.to_owned()) });
            }
        }
        for own in then.merged_ids.iter().copied().chain([id]) {
            let holder = index.merged_into(own).or_else(|| Some(own).filter(|own| index.has_user(*own)));
            wanted.extend(holder.filter(|of| *of != id).map(|of| Wanted { by: id, of, what: What::Id(own) }));
        }
        for attribute in self.world.attributes.iter().filter(|attribute| !attribute.is_built_in) {
            let stored = then.row.attributes.get(&attribute.key);
            // Those who had no value of an attribute that was required already are as they were; and accounts make users
            // without values.
            let is_new_rule = attribute.is_required && !self.required_before.contains(&attribute.id);
            if stored.is_none() && is_new_rule && !then.row.is_automatic {
                let message = format!("`{}` must have a value", attribute.title);
                return Some(Block::new("REQUIRED", message, Some(attribute.version)));
            }
            if stored == now.and_then(|now| now.row.attributes.get(&attribute.key)) {
                continue;
            }
            let Some(value) = stored.and_then(|stored| Value::from_stored(attribute.r#type, stored)) else { continue };
            if let Value::User(named) = value
                && !self.has_user(index, named)
            {
                let message = format!("`{}` names the user {}, who is gone", attribute.title, named.to_global());
                return Some(Block::new("NOT_FOUND", message, None));
            }
            for key in value.keys().into_iter().filter(|_| attribute.is_unique) {
                // The user itself stands for whoever gets the same value back.
                let holders = index.other_holders(&attribute.key, &key, id).into_iter().chain([id]);
                wanted.extend(holders.map(|of| Wanted {
                    by: id,
                    of,
                    what: What::Value(attribute.clone(), key.clone()),
                }));
            }
        }
        None
    }

    /// Notes the unique values that a user gets back, unless another user gets the same.
    fn claim(&mut self, wanted: &[Wanted]) -> Option<Block> {
        for Wanted { by, what, .. } in wanted {
            let What::Value(attribute, key) = what else { continue };
            let first = *self.tally.unique.entry((attribute.id, key.clone())).or_insert(*by);
            if first != *by {
                let message = format!(
                    "{} gets the same `{}` back, whose values are unique by now",
                    first.to_global(),
                    shorten(&attribute.title)
                );
                return Some(Block::new("ALREADY_EXISTS", message, Some(attribute.version)));
            }
        }
        None
    }

    /// Blocks those who want back what its holder keeps.
    async fn check_wanted(&mut self, changeset: &Changeset, wanted: Vec<Wanted>, plans: &[Plan]) -> Result<()> {
        let holders: HashSet<RecordId> =
            wanted.iter().filter(|wanted| wanted.of != wanted.by).map(|wanted| RecordId::User(wanted.of)).collect();
        if holders.is_empty() {
            return Ok(());
        }
        let holders: Vec<RecordId> = holders.into_iter().collect();
        let states = self.states(changeset, &holders).await?;
        let plans: HashMap<RecordId, &Plan> = plans.iter().map(|plan| (plan.id, plan)).collect();
        for Wanted { by, of, what } in wanted.into_iter().filter(|wanted| wanted.of != wanted.by) {
            match states.get(&RecordId::User(of)) {
                Some(Some(Record::User(holder))) if what.is_of(holder) => {
                    if let Some(plan) = plans.get(&RecordId::User(by)) {
                        self.block(plan, what.taken(holder));
                    }
                }
                _ => {
                    if let What::Email(email) = what {
                        self.tally.moved_emails.push(email);
                    }
                }
            }
        }
        Ok(())
    }

    /// Blocks those who would go and whom others will still refer to: accounts, values, pins, filters.
    async fn check_leaving(&mut self, changeset: &Changeset, leaving: &HashMap<UserId, &Plan>) -> Result<()> {
        let ids: HashSet<UserId> = leaving.keys().copied().collect();
        let (referring, naming, pinning, user_attributes, accounts) = {
            let index = changeset.directory().index();
            let mut referring = index.referring_to(&ids);
            // Those go, too; should one be blocked, another round sees it.
            referring.retain(|user| !self.log.made.contains(user) || self.blocks.has(RecordId::User(*user)));
            let user_attributes: Vec<Arc<attribute::Model>> =
                index.attributes().iter().filter(|row| row.r#type == AttributeType::User).cloned().collect();
            let naming: Vec<(UserId, OrgUnitId)> = index.org_units_naming_users(&ids).into_iter().collect();
            let accounts: Vec<IntegrationAccountId> = ids.iter().flat_map(|user| index.accounts_of(*user)).collect();
            (referring, naming, index.org_units_pinning(&ids), user_attributes, accounts)
        };
        let mut wanted: Vec<RecordId> = referring.into_iter().map(RecordId::User).collect();
        for account in fetch::accounts(changeset.transaction(), &accounts).await? {
            // What has not been changed since goes back, and before the changeset there was no such user.
            let id = RecordId::IntegrationAccount(account.id);
            if account.version != self.number || self.blocks.has(id) {
                wanted.push(id);
            }
        }
        let mut found: Vec<(UserId, Block)> = Vec::new();
        let needed = |by: &Record| {
            Block::new("IN_USE", format!("the {} {} refers to it", by.id().word(), by.label()), Some(by.version()))
        };
        for record in self.states(changeset, &wanted).await?.into_values().flatten() {
            match &record {
                Record::User(user) => {
                    let values = user_attributes
                        .iter()
                        .filter_map(|row| Value::from_stored(row.r#type, user.row.attributes.get(&row.key)?));
                    for value in values {
                        if let Value::User(named) = value
                            && ids.contains(&named)
                        {
                            found.push((named, needed(&record)));
                        }
                    }
                }
                Record::IntegrationAccount(account) => {
                    found.extend(account.user_id.filter(|user| ids.contains(user)).map(|user| (user, needed(&record))));
                }
                Record::Attribute(_) | Record::Integration(_) | Record::OrgUnit(_) | Record::AssociationRules(_) => {}
            }
        }
        {
            let index = changeset.directory().index();
            for unit in pinning.iter().filter_map(|unit| self.world.unit(&index, unit.row.id)) {
                let pinned = unit.pinned.iter().chain(&unit.excluded).filter(|user| ids.contains(user));
                found.extend(pinned.map(|user| (*user, needed(&Record::OrgUnit(unit.clone())))));
            }
            for (user, unit) in naming {
                found.extend(self.world.named_by(&index, vec![unit]).map(|block| (user, block)));
            }
        }
        found.sort_by(|(a, x), (b, y)| (a, &x.message, x.by).cmp(&(b, &y.message, y.by)));
        for (user, block) in found {
            if let Some(plan) = leaving.get(&user) {
                self.block(plan, block);
            }
        }
        Ok(())
    }
}
