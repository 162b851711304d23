//! THE ANSWERS. The directory in memory, by column: who a filter selects, in which order, and whose an account is.
//!
//! An [`Index`] is [loaded](Loader) from the tables once and then [follows](Index::apply) the log. Its large parts are
//! shared with its copies until one of them changes, part by part. It is plain memory: no database, no waiting. What does not live here: what a filter means (`filter`), and the rows' full contents — the
//! index keeps what it needs to choose and to sort, folded.

mod accounts;
mod attributes;
mod codes;
mod column;
mod compare;
mod complete;
mod conflicts;
mod cursor;
mod dictionary;
mod emails;
mod evaluate;
mod explain;
mod facet;
mod follow;
mod groups;
mod identities;
mod ids;
mod leaves;
mod links;
mod load;
mod marks;
mod members;
mod orders;
mod page;
mod past;
mod reports;
mod resolve;
mod sight;
mod slots;
mod tally;
mod text;
mod tree;
mod units;
mod unmatched;
mod unused;
mod usage;
mod users;

pub use accounts::AccountRow;
pub use compare::UnitDifference;
pub use cursor::{Cursor, NotACursor, Order, OrderBy};
pub use explain::{Explanation, Outcome, Reason};
pub use facet::{Facet, FacetCursor, FacetWindow, Facets};
pub use follow::Follower;
pub use groups::Group;
pub use identities::{AccountIdentity, MovedAccount};
pub use load::{Loader, UserRow};
pub use marks::Mark;
pub use members::{Members, OtherEpoch};
pub use page::{Page, PageError, Window};
pub use resolve::{AccountBy, Resolved};
pub use tally::{NodeTally, Tally};
pub use tree::{CountedUnit, SiblingOverlaps};
pub use units::OrgUnitShape;
pub use unmatched::UnmatchedQuery;
pub use usage::AccountKey;

use std::sync::Arc;

use chrono::NaiveDate;
use entity::{IntegrationId, OrgUnitId, UserId, association_rules, attribute, integration};

use crate::filter::{Catalogue, Checked, Filter, Violation, check_with_texts, normalise};
use crate::record::{Change, OrgUnitRecord};
use crate::value::{Email, GlobalId, split_path};

use accounts::Accounts;
use attributes::Attributes;
use members::Epoch;
use units::Units;
use users::Users;

/// No ordinal.
const NONE: u32 = u32::MAX;

/// The directory at one version, by column.
///
/// A clone costs next to nothing. It and the original may both go on to follow changes, each its own.
#[derive(Clone)]
pub struct Index {
    version: i64,
    today: NaiveDate,
    epoch: Epoch,
    attributes: Attributes,
    /// By the number that accounts refer to them by; numbers are not used again.
    integrations: Vec<Option<Arc<integration::Model>>>,
    users: Users,
    accounts: Accounts,
    units: Arc<Units>,
    /// None while nobody has changed them.
    rules: Option<Arc<association_rules::Model>>,
    /// Accounts that have come before their user or integration.
    waiting: Vec<Change>,
}

impl Index {
    /// The number of the last changeset that it has followed.
    #[must_use]
    pub fn version(&self) -> i64 {
        self.version
    }

    /// Which build of the index it is: [`Members`] of one epoch say nothing in another. A clone is a build of its own
    /// from its first change on.
    #[must_use]
    pub fn epoch(&self) -> u64 {
        self.epoch.number()
    }

    /// The day that filters are checked for: `now` in them is this day.
    #[must_use]
    pub fn today(&self) -> NaiveDate {
        self.today
    }

    /// Checks filters for another day from here on; those of org units that tell a day from today are checked anew. A copy
    /// may be on another day than the original.
    pub fn begin_day(&mut self, today: NaiveDate) {
        if self.today != today {
            self.today = today;
            if self.has_relative_units() {
                self.settle_units();
            }
        }
    }

    /// Whether the filter of any org unit tells a day from today, so that members may change when a day passes.
    #[must_use]
    pub fn has_relative_units(&self) -> bool {
        self.units.iter().any(|unit| unit.filter.as_ref().is_some_and(|filter| filter.is_relative()))
    }

    /// How many users there are.
    #[must_use]
    pub fn user_count(&self) -> u64 {
        self.users.live.len()
    }

    /// Whether so much was deleted or replaced that building the index anew would make it notably smaller.
    #[must_use]
    pub fn is_worn(&self) -> bool {
        let dead = self.users.ids.len() as u64 - self.user_count();
        dead > 10_000 && dead > self.user_count() / 2
    }

    /// All attributes that are seen here, in their order, built-in ones included.
    #[must_use]
    pub fn attributes(&self) -> &[Arc<attribute::Model>] {
        self.attributes.seen()
    }

    /// The attribute of a key.
    #[must_use]
    pub fn attribute(&self, key: &str) -> Option<&Arc<attribute::Model>> {
        self.attributes().iter().find(|attribute| attribute.key == key)
    }

    /// All integrations, in the order of their names.
    #[must_use]
    pub fn integrations(&self) -> Vec<Arc<integration::Model>> {
        let mut all: Vec<Arc<integration::Model>> = self.integrations.iter().flatten().cloned().collect();
        all.sort_by(|a, b| a.name_key.cmp(&b.name_key));
        all
    }

    /// The integration of an id.
    #[must_use]
    pub fn integration(&self, id: IntegrationId) -> Option<&Arc<integration::Model>> {
        self.integrations.iter().flatten().find(|integration| integration.id == id)
    }

    fn integration_number(&self, id: IntegrationId) -> Option<u16> {
        let at = self.integrations.iter().position(|known| known.as_ref().is_some_and(|known| known.id == id))?;
        u16::try_from(at).ok()
    }

    /// The org unit of an id.
    #[must_use]
    pub fn org_unit(&self, id: OrgUnitId) -> Option<&Arc<OrgUnitRecord>> {
        self.units.unit(id).map(|unit| &unit.record)
    }

    /// All org units, in no order.
    pub fn org_units(&self) -> impl ExactSizeIterator<Item = &Arc<OrgUnitRecord>> {
        self.units.iter().map(|unit| &unit.record)
    }

    /// The checked filter of an org unit; none without a filter, or with one that no longer passes the check.
    #[must_use]
    pub fn org_unit_filter(&self, id: OrgUnitId) -> Option<&Arc<Checked>> {
        self.units.unit(id)?.filter.as_ref()
    }

    /// What is wrong with the filter of an org unit, since it was stored; it selects nobody then.
    #[must_use]
    pub fn org_unit_violations(&self, id: OrgUnitId) -> &[Violation] {
        self.units.unit(id).map(|unit| unit.violations.as_slice()).unwrap_or_default()
    }

    /// The units right below one, or the roots, in the order of their names.
    #[must_use]
    pub fn org_unit_children(&self, id: Option<OrgUnitId>) -> &[OrgUnitId] {
        self.units.children(id)
    }

    /// The org unit at a path of names from a root down, ignoring case.
    #[must_use]
    pub fn org_unit_at(&self, path: &[&str]) -> Option<&Arc<OrgUnitRecord>> {
        self.units.at_path(path).map(|unit| &unit.record)
    }

    /// The org unit at a path such as `Engineering/Platform`, ignoring case.
    #[must_use]
    pub fn find_org_unit(&self, path: &str) -> Option<&Arc<OrgUnitRecord>> {
        let names = split_path(path);
        self.org_unit_at(&names.iter().map(String::as_str).collect::<Vec<_>>())
    }

    /// The names from the root down to a unit.
    #[must_use]
    pub fn org_unit_path(&self, id: OrgUnitId) -> Vec<&str> {
        let mut path = Vec::new();
        let mut at = Some(id);
        // A unit stands at most once in a path, so more names than units would be a circle.
        while let Some(record) = at.and_then(|id| self.org_unit(id)) {
            if path.len() > self.units.len() {
                break;
            }
            path.push(record.row.name.as_str());
            at = record.row.parent_id;
        }
        path.reverse();
        path
    }

    /// The units of one circle in which filters and scopes would go round if `changed` stood in place of what is
    /// stored, in its order; empty where there is none.
    ///
    /// A unit leans on its parent if its scope is `PARENT`, and on every unit that its filter asks about.
    #[must_use]
    pub fn org_unit_cycle(&self, changed: &[OrgUnitShape]) -> Vec<OrgUnitId> {
        self.units.cycle(changed)
    }

    /// The user that a global id (`usr_…`), also a merged one, or any of the user's emails names.
    #[must_use]
    pub fn find_user(&self, reference: &str) -> Option<UserId> {
        if let Ok(id) = UserId::parse(reference) {
            return self.current_user(id);
        }
        let email = Email::parse(reference).ok()?;
        self.user_with_email(email.as_str())
    }

    /// The user who has an email, given in its normal form.
    #[must_use]
    pub fn user_with_email(&self, email: &str) -> Option<UserId> {
        let code = self.users.emails.values.find(email.as_bytes())?;
        self.users.emails.owner(code).map(|at| self.users.id(at))
    }

    /// Whether there is a user of this id.
    #[must_use]
    pub fn has_user(&self, id: UserId) -> bool {
        self.users.find(id).is_some()
    }

    /// The primary email of a user, in its normal form.
    #[must_use]
    pub fn email_of(&self, id: UserId) -> Option<&str> {
        self.users.find(id).map(|at| std::str::from_utf8(self.users.email(at)).unwrap_or_default())
    }

    /// All emails of a user, in their normal form, the primary one first.
    #[must_use]
    pub fn emails_of(&self, id: UserId) -> Vec<&str> {
        let emails = self.users.find(id).into_iter().flat_map(|at| self.users.all_emails(at));
        emails.map(|email| std::str::from_utf8(email).unwrap_or_default()).collect()
    }

    /// The name of a user, folded.
    #[must_use]
    pub fn folded_name_of(&self, id: UserId) -> Option<&str> {
        self.users.find(id).map(|at| std::str::from_utf8(self.users.name(at)).unwrap_or_default())
    }

    /// Checks a filter against what there is, on the day that it is [here](Self::today). Parts of it may stand as text.
    ///
    /// # Errors
    /// Everything that is wrong with it.
    pub fn check(&self, filter: &Filter) -> Result<Checked, Vec<Violation>> {
        self.with_names(|names| check_with_texts(filter, names))
    }

    /// A filter in the form in which it is stored; see [`normalise`].
    #[must_use]
    pub fn normalise(&self, filter: Filter) -> Filter {
        self.with_names(|names| normalise(filter, names))
    }

    fn with_catalogue<T>(
        &self,
        find_user: &dyn Fn(&str) -> Option<UserId>,
        with: impl FnOnce(&Catalogue<'_>) -> T,
    ) -> T {
        let integrations = self.integrations();
        with(&Catalogue {
            attributes: self.attributes(),
            integrations: &integrations,
            has_org_unit: &|id| self.units.unit(id).is_some(),
            find_user,
            today: self.today,
        })
    }

    /// Checks the filters of all org units anew.
    fn settle_units(&mut self) {
        let mut units = std::mem::take(&mut self.units);
        let known: rustc_hash::FxHashSet<OrgUnitId> = units.iter().map(|unit| unit.record.row.id).collect();
        let integrations = self.integrations();
        Arc::make_mut(&mut units).settle(&Catalogue {
            attributes: self.attributes.all(),
            integrations: &integrations,
            has_org_unit: &|id| known.contains(&id),
            // A stored filter may outlive a user it names; that user is nobody's manager then, and the filter stays.
            find_user: &|reference| self.find_user(reference).or_else(|| UserId::parse(reference).ok()),
            today: self.today,
        });
        self.units = units;
    }
}

/// A place in a vector as an ordinal.
fn ordinal(at: usize) -> u32 {
    u32::try_from(at).unwrap_or(NONE)
}

#[cfg(test)]
mod tests;
