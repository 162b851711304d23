//! Conditions that can never both hold, whoever is in the directory.

use std::cmp::Ordering;
use std::ops::Bound;

use entity::attribute::AttributeType;

use super::matches::holds;
use super::{Node, Test};
use crate::value::Key;

/// Whether no user can ever meet both, as far as that shows from the two alone: one is the other's complement, or they
/// ask of one value what no value is. False says nothing.
#[must_use]
pub fn contradict(a: &Node, b: &Node) -> bool {
    let is_complement = |a: &Node, b: &Node| matches!(a, Node::Not(part) if **part == *b);
    if is_complement(a, b) || is_complement(b, a) {
        return true;
    }
    match (a, b) {
        (Node::Name(a), Node::Name(b)) => exclude(a, b, true),
        // A user has several emails, and each condition may be met by another one.
        (Node::Email(a), Node::Email(b)) => exclude(a, b, false),
        (Node::Attribute { key, r#type, test }, Node::Attribute { key: other, test: b, .. }) if key == other => {
            exclude(test, b, *r#type != AttributeType::MultiSelect)
        }
        _ => false,
    }
}

/// Whether no value passes both tests; `is_single` if there is at most one value.
fn exclude(a: &Test, b: &Test, is_single: bool) -> bool {
    match (a, b) {
        (Test::IsEmpty(a), Test::IsEmpty(b)) => a != b,
        (Test::IsEmpty(is_empty), _) | (_, Test::IsEmpty(is_empty)) => *is_empty,
        // Who reports to whom does not show from a value alone.
        (Test::ReportsTo(_), _) | (_, Test::ReportsTo(_)) => false,
        _ if !is_single => false,
        (Test::In(a), Test::In(b)) => have_nothing_in_common(a, b),
        (Test::In(keys), other) | (other, Test::In(keys)) => {
            !keys.iter().any(|key| holds(other, std::slice::from_ref(key)))
        }
        (Test::Range { from, to }, Test::Range { from: other_from, to: other_to }) => {
            ends_before(to, other_from) || ends_before(other_to, from)
        }
        (Test::StartsWith(a), Test::StartsWith(b)) => !a.starts_with(b.as_str()) && !b.starts_with(a.as_str()),
        (Test::EndsWith(a), Test::EndsWith(b)) => !a.ends_with(b.as_str()) && !b.ends_with(a.as_str()),
        _ => false,
    }
}

/// Whether two lists in order share no key. One walk along both: a filter may have many long lists.
fn have_nothing_in_common(a: &[Key], b: &[Key]) -> bool {
    let (mut a, mut b) = (a.iter().peekable(), b.iter().peekable());
    while let (Some(x), Some(y)) = (a.peek(), b.peek()) {
        match x.cmp(y) {
            Ordering::Less => a.next(),
            Ordering::Greater => b.next(),
            Ordering::Equal => return false,
        };
    }
    true
}

/// Whether everything up to `to` lies before everything from `from` on.
fn ends_before(to: &Bound<Key>, from: &Bound<Key>) -> bool {
    match (to, from) {
        (Bound::Unbounded, _) | (_, Bound::Unbounded) => false,
        (Bound::Included(to), Bound::Included(from)) => to < from,
        (Bound::Included(to) | Bound::Excluded(to), Bound::Included(from) | Bound::Excluded(from)) => to <= from,
    }
}
