//! Who uses what: which users have a value, and which org units' filters lean on a record that is about to change.

use std::collections::{BTreeSet, HashSet};

use entity::attribute::AttributeType;
use entity::{IntegrationAccountId, IntegrationId, OrgUnitId, UserId};
use roaring::RoaringBitmap;

use super::{AccountBy, Index, Members, OtherEpoch};
use crate::filter::{Checked, Test};
use crate::record::OrgUnitRecord;
use crate::value::{Email, Key, join_path};

/// What names an account where a person writes it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum AccountKey<'a> {
    /// A username or an email.
    Name(&'a str),
    /// The tool's own key for it.
    ExternalId(&'a str),
}

impl Index {
    /// All users, in no order.
    pub fn user_ids(&self) -> impl Iterator<Item = UserId> + '_ {
        self.users.live.iter().map(|at| self.users.id(at))
    }

    /// The members in the order of their names.
    ///
    /// # Errors
    /// [`OtherEpoch`] where the members were selected from another build of the index.
    pub fn ids_by_name(&self, members: &Members) -> Result<Vec<UserId>, OtherEpoch> {
        if members.epoch != self.epoch() {
            return Err(OtherEpoch);
        }
        let in_order = self.users.by_name.list().iter().filter(|at| members.bitmap.contains(**at));
        Ok(in_order.map(|at| self.users.id(*at)).collect())
    }

    /// The users other than `user` who have this value of an attribute that takes one value. Looks for them only
    /// where the count of those who have it says that there are any.
    #[must_use]
    pub fn other_holders(&self, key: &str, value: &Key, user: UserId) -> Vec<UserId> {
        let Some(column) = self.attributes.find(key).map(|column| &column.column) else { return Vec::new() };
        let Some(code) = column.values.find(value.as_bytes()) else { return Vec::new() };
        let own = self.users.find(user).is_some_and(|at| column.codes.code(at) == code);
        if column.count(code) == u64::from(own) {
            return Vec::new();
        }
        column.holders(code).into_iter().map(|at| self.users.id(at)).filter(|holder| *holder != user).collect()
    }

    /// The users who have this value of an attribute; of `MULTI_SELECT` this option.
    pub fn holders(&self, key: &str, value: &Key) -> impl Iterator<Item = UserId> + use<'_> {
        self.with_value(key, value).into_iter().map(|at| self.users.id(at))
    }

    /// How many users have this value of an attribute; of `MULTI_SELECT` this option.
    #[must_use]
    pub fn count_with(&self, key: &str, value: &Key) -> u64 {
        self.with_value(key, value).len()
    }

    fn with_value(&self, key: &str, value: &Key) -> RoaringBitmap {
        let Some(column) = self.attributes.find(key) else { return RoaringBitmap::new() };
        let test = match column.row.r#type {
            AttributeType::MultiSelect => Test::HasAny(vec![value.clone()]),
            _ => Test::In(vec![value.clone()]),
        };
        let (codes, _) = column.column.passing(&test, column.row.r#type);
        column.column.users(&codes)
    }

    /// The users who have any value of an attribute.
    #[must_use]
    pub fn users_with(&self, key: &str) -> Vec<UserId> {
        let Some(column) = self.attributes.find(key) else { return Vec::new() };
        let live = self.users.live.iter();
        live.filter(|at| column.column.codes.code(*at) != 0).map(|at| self.users.id(at)).collect()
    }

    /// How many users have no value of an attribute.
    #[must_use]
    pub fn count_without(&self, key: &str) -> u64 {
        self.user_count() - self.users_with(key).len() as u64
    }

    /// Whether two users have the same value of an attribute.
    #[must_use]
    pub fn has_duplicates(&self, key: &str) -> bool {
        let Some(column) = self.attributes.find(key) else { return false };
        column.column.sorted().iter().any(|code| column.column.count(*code) > 1)
    }

    /// Whom a user names by a USER attribute.
    #[must_use]
    pub fn refers_to(&self, key: &str, user: UserId) -> Option<UserId> {
        let value = self.attributes.find(key)?.column.value(self.users.find(user)?)?;
        uuid::Uuid::from_slice(value).ok().map(UserId)
    }

    /// Whether any user names this one by a USER attribute.
    #[must_use]
    pub fn is_referred_to(&self, user: UserId) -> bool {
        let named =
            |column: &super::column::Column| column.values.find(user.0.as_bytes()).map(|code| column.count(code));
        self.user_columns().any(|column| named(column).is_some_and(|count| count > 0))
    }

    /// The users who name one of `users` by a USER attribute.
    #[must_use]
    pub fn referring_to(&self, users: &HashSet<UserId>) -> Vec<UserId> {
        let mut found = RoaringBitmap::new();
        for column in self.user_columns() {
            let codes: Vec<u32> = users.iter().filter_map(|user| column.values.find(user.0.as_bytes())).collect();
            found |= column.users(&codes);
        }
        found.iter().map(|at| self.users.id(at)).collect()
    }

    fn user_columns(&self) -> impl Iterator<Item = &super::column::Column> {
        let columns = self.attributes.columns.iter();
        let is_seen = |key: &str| self.attribute(key).is_some();
        columns
            .filter(move |column| column.row.r#type == AttributeType::User && is_seen(&column.row.key))
            .map(|column| column.column.as_ref())
    }

    /// The accounts of an integration that answer to what a person wrote: one, or several if it is ambiguous.
    #[must_use]
    pub fn find_accounts(&self, integration: IntegrationId, key: AccountKey<'_>) -> Vec<IntegrationAccountId> {
        let mut found = match key {
            AccountKey::ExternalId(id) => self.accounts_by(integration, AccountBy::ExternalId(id)),
            AccountKey::Name(name) => {
                let mut found = self.accounts_by(integration, AccountBy::Username(name));
                if let Ok(email) = Email::parse(name) {
                    found.extend(self.accounts_by(integration, AccountBy::Email(email.as_str())));
                }
                found
            }
        };
        found.sort_unstable();
        found.dedup();
        found.into_iter().map(|at| IntegrationAccountId(self.accounts.ids.id(at))).collect()
    }

    /// Whether at most one account of an integration answers to a name, so that a person may write it for that account.
    #[must_use]
    pub fn is_unambiguous(&self, integration: IntegrationId, name: &str) -> bool {
        let Some(integration) = self.integration_number(integration) else { return true };
        let email = name.contains('@').then(|| Email::parse(name).ok()).flatten();
        let email = email.and_then(|email| self.users.emails.values.find(email.as_str().as_bytes()));
        let named = self.accounts.by_username(integration, name);
        let mut found = named.chain(self.accounts.by_email(integration, email));
        let first = found.next();
        found.all(|other| Some(other) == first)
    }

    /// The number of accounts, and how many of them are with nobody.
    #[must_use]
    pub fn account_counts(&self) -> (u64, u64) {
        let live = || self.accounts.ordinals().filter(|at| self.accounts.is_live(*at));
        let unmatched = live().filter(|at| self.accounts.owner(*at).is_none());
        (live().count() as u64, unmatched.count() as u64)
    }

    /// The org units whose filter asks about an attribute.
    #[must_use]
    pub fn org_units_naming_attribute(&self, key: &str) -> Vec<OrgUnitId> {
        self.org_units_whose(|filter| filter.attribute_keys().any(|named| named == key))
    }

    /// The org units whose filter names an option of an attribute.
    #[must_use]
    pub fn org_units_naming_option(&self, key: &str, option: &str) -> Vec<OrgUnitId> {
        let option = Key::text(option);
        self.org_units_whose(|filter| filter.options().any(|named| named == (key, &option)))
    }

    /// The org units whose filter names a user.
    #[must_use]
    pub fn org_units_naming_user(&self, user: UserId) -> Vec<OrgUnitId> {
        self.org_units_whose(|filter| filter.users().any(|named| named == user))
    }

    /// Which of `users` filters of org units name, each with every such unit.
    #[must_use]
    pub fn org_units_naming_users(&self, users: &HashSet<UserId>) -> BTreeSet<(UserId, OrgUnitId)> {
        let filters = self.units.iter().filter_map(|unit| Some((unit.record.row.id, unit.filter.as_ref()?)));
        filters
            .flat_map(|(unit, filter)| filter.users().filter(|user| users.contains(user)).map(move |user| (user, unit)))
            .collect()
    }

    /// The org units whose filter asks about an integration.
    #[must_use]
    pub fn org_units_naming_integration(&self, integration: IntegrationId) -> Vec<OrgUnitId> {
        self.org_units_whose(|filter| filter.integrations().any(|named| named == integration))
    }

    /// The org units whose filter asks about the members of a unit.
    #[must_use]
    pub fn org_units_naming_unit(&self, unit: OrgUnitId) -> Vec<OrgUnitId> {
        self.org_units_whose(|filter| filter.org_units().any(|(named, _)| named == unit))
    }

    fn org_units_whose(&self, holds: impl Fn(&Checked) -> bool) -> Vec<OrgUnitId> {
        let mut found: Vec<OrgUnitId> = self
            .units
            .iter()
            .filter(|unit| unit.filter.as_ref().is_some_and(|filter| holds(filter)))
            .map(|unit| unit.record.row.id)
            .collect();
        found.sort_unstable();
        found
    }

    /// The org units that pin or exclude one of `users`.
    #[must_use]
    pub fn org_units_pinning(&self, users: &HashSet<UserId>) -> Vec<OrgUnitRecord> {
        let pins = |unit: &OrgUnitRecord| unit.pinned.iter().chain(&unit.excluded).any(|user| users.contains(user));
        self.org_units().filter(|unit| pins(unit)).map(|unit| unit.as_ref().clone()).collect()
    }

    /// The names from the root down to a unit, as one text: what [`Self::find_org_unit`] finds it by.
    #[must_use]
    pub fn path(&self, unit: OrgUnitId) -> String {
        join_path(self.org_unit_path(unit))
    }
}
