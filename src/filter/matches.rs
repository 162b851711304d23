//! The plain evaluator: one user at a time, from the values themselves, with nothing clever in it.
//!
//! It is the meaning of a filter: tests hold the index to it, and it says why somebody is a member.

use std::ops::Bound;

use entity::integration::IntegrationKind;
use entity::{OrgUnitId, UserId, integration_account};

use super::{Account, Checked, Node, Test};
use crate::record::UserRecord;
use crate::value::Key;

/// What is known of one user.
pub struct Facts<'a> {
    /// The user.
    pub record: &'a UserRecord,
    /// The user's accounts, each with its integration's kind.
    pub accounts: &'a [(IntegrationKind, integration_account::Model)],
    /// Whether the user reports to another by the attribute of this key, directly or through others.
    pub reports_to: &'a dyn Fn(&str, UserId) -> bool,
    /// Whether the user is a member of an org unit, or of one below it if the second argument says so.
    pub is_member: &'a dyn Fn(OrgUnitId, bool) -> bool,
}

/// Whether the filter selects the user.
#[must_use]
pub fn matches(filter: &Checked, facts: &Facts<'_>) -> bool {
    node_matches(filter.root(), facts)
}

/// Whether one node of a filter selects the user.
#[must_use]
pub fn node_matches(node: &Node, facts: &Facts<'_>) -> bool {
    match node {
        Node::All(parts) => parts.iter().all(|part| node_matches(part, facts)),
        Node::Any(parts) => parts.iter().any(|part| node_matches(part, facts)),
        Node::Not(part) => !node_matches(part, facts),
        Node::Name(test) => holds(test, &[Key::text(&facts.record.row.name)]),
        Node::Email(test) => std::iter::once(&facts.record.row.email)
            .chain(&facts.record.further_emails)
            .any(|email| holds(test, &[Key::verbatim(email.as_bytes())])),
        Node::Attribute { key, test: Test::ReportsTo(manager), .. } => (facts.reports_to)(key, *manager),
        Node::Attribute { key, r#type, test } => {
            let stored = facts.record.row.attributes.get(key);
            holds(test, &stored.map(|stored| Key::of_stored(*r#type, stored)).unwrap_or_default())
        }
        Node::Account(wanted) => facts.accounts.iter().any(|(kind, account)| account_matches(wanted, *kind, account)),
        Node::OrgUnit { id, descendants } => (facts.is_member)(*id, *descendants),
    }
}

fn account_matches(wanted: &Account, kind: IntegrationKind, account: &integration_account::Model) -> bool {
    let text = |test: &Option<Test>, value: &Option<String>, key: fn(&str) -> Key| match test {
        None => true,
        Some(test) => holds(test, &value.as_deref().map(key).into_iter().collect::<Vec<_>>()),
    };
    wanted.integration.is_none_or(|id| id == account.integration_id)
        && wanted.kind.is_none_or(|wanted| wanted == kind)
        && wanted.is_bot.is_none_or(|wanted| wanted == account.is_bot)
        && text(&wanted.username, &account.username, Key::text)
        && text(&wanted.email, &account.email, |email| Key::verbatim(email.as_bytes()))
        && text(&wanted.display_name, &account.display_name, Key::text)
}

/// Whether a test holds of a value's keys: none without a value, several of `MULTI_SELECT`.
pub(super) fn holds(test: &Test, keys: &[Key]) -> bool {
    let text =
        |holds: &dyn Fn(&str) -> bool| keys.iter().any(|key| std::str::from_utf8(key.as_bytes()).is_ok_and(holds));
    match test {
        Test::IsEmpty(truth) => keys.is_empty() == *truth,
        Test::In(wanted) | Test::HasAny(wanted) => keys.iter().any(|key| wanted.contains(key)),
        Test::HasAll(wanted) => wanted.iter().all(|key| keys.contains(key)),
        Test::Contains(pattern) => text(&|value| value.contains(pattern.as_str())),
        Test::StartsWith(pattern) => text(&|value| value.starts_with(pattern.as_str())),
        Test::EndsWith(pattern) => text(&|value| value.ends_with(pattern.as_str())),
        Test::Range { from, to } => keys.iter().any(|key| {
            let above = match from {
                Bound::Included(from) => key >= from,
                Bound::Excluded(from) => key > from,
                Bound::Unbounded => true,
            };
            let below = match to {
                Bound::Included(to) => key <= to,
                Bound::Excluded(to) => key < to,
                Bound::Unbounded => true,
            };
            above && below
        }),
        // Nobody reports to anybody by a value alone; it takes the other users.
        Test::ReportsTo(user) => keys.contains(&Key::user(user.0)),
    }
}
