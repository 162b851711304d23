//! What holds of every directory, every filter and every run of changes.

use std::collections::BTreeSet;

use entity::UserId;
use proptest::prelude::*;

use super::directory::*;
use super::draw::{ATTRIBUTES, Step, filter, step};
use crate::filter::Filter;
use crate::index::{AccountBy, Cursor, FacetWindow, Index, Members, Order, OrderBy, Window};
use crate::value::{Key, fold};

/// A directory and its index after it has followed the changes, each changeset in an order of its own.
pub(super) fn follow(changesets: &[(Vec<Step>, bool)]) -> (Directory, Index) {
    let mut directory = Directory::start();
    let mut index = directory.index();
    for (version, (steps, is_reversed)) in (1..).zip(changesets) {
        let before = directory.clone();
        steps.iter().for_each(|step| directory.take(step));
        let mut changes = directory.changes_since(&before);
        if *is_reversed {
            changes.reverse();
        }
        index.apply(version, changes);
    }
    (directory, index)
}

pub(super) fn changesets() -> impl Strategy<Value = Vec<(Vec<Step>, bool)>> {
    prop::collection::vec((prop::collection::vec(step(), 1..14), any::<bool>()), 1..6)
}

pub(super) fn ids(index: &Index, members: &Members) -> Vec<UserId> {
    listed(index, members, &Order { by: OrderBy::Created, descending: false })
}

pub(super) fn listed(index: &Index, members: &Members, order: &Order) -> Vec<UserId> {
    let page = index.page(members, order, &Window::default()).unwrap();
    page.ids.into_iter().map(|(id, _)| id).collect()
}

/// The values of an attribute among members, each with its count, and how many have none.
pub(super) fn counted(index: &Index, members: &Members, key: &str) -> Option<(Vec<(Key, u64)>, u64)> {
    let facets = index.facets(members, key, &FacetWindow::ALL).unwrap()?;
    Some((facets.values.into_iter().map(|facet| (facet.key, facet.count)).collect(), facets.without))
}

/// A list read two at a time, forwards or backwards, through encoded cursors.
fn paged(index: &Index, members: &Members, order: &Order, forward: bool) -> Vec<UserId> {
    let mut pages: Vec<Vec<UserId>> = Vec::new();
    let mut cursor: Option<Cursor> = None;
    loop {
        let window = if forward {
            Window { first: Some(2), after: cursor.as_ref(), ..Window::default() }
        } else {
            Window { last: Some(2), before: cursor.as_ref(), ..Window::default() }
        };
        let page = index.page(members, order, &window).unwrap();
        assert_eq!(if forward { page.has_previous } else { page.has_next }, !pages.is_empty());
        let has_more = if forward { page.has_next } else { page.has_previous };
        let edge = if forward { page.ids.last() } else { page.ids.first() };
        let next = edge.map(|(_, cursor)| Cursor::decode(&cursor.encode(), order).unwrap());
        pages.push(page.ids.into_iter().map(|(id, _)| id).collect());
        if !has_more {
            break;
        }
        cursor = next;
    }
    if !forward {
        pages.reverse();
    }
    pages.concat()
}

/// What an order sorts by: users without a value last, then the value, then the name or email, then the id.
type SortKey = (bool, Option<Key>, Vec<u8>, UserId);

fn sort_key(directory: &Directory, by: &OrderBy, id: UserId) -> SortKey {
    let row = &directory.users[&id].row;
    let name = fold(&row.name).into_bytes();
    match by {
        OrderBy::Name => (false, None, name, id),
        OrderBy::Email => (false, None, row.email.clone().into_bytes(), id),
        OrderBy::Created => (false, None, Vec::new(), id),
        OrderBy::Attribute(key) => {
            let attribute = directory.attributes.values().find(|attribute| attribute.key == *key).unwrap();
            let stored = row.attributes.get(key);
            let value = stored.and_then(|stored| Key::of_stored(attribute.r#type, stored).pop());
            (value.is_none(), value, name, id)
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(192))]

    #[test]
    fn following_the_log_a_fresh_index_and_the_plain_evaluator_agree(
        changesets in changesets(),
        filters in prop::collection::vec(filter(), 8),
    ) {
        let (directory, index) = follow(&changesets);
        let fresh = directory.index();
        for filter in &filters {
            let (checked, again) = (index.check(filter), fresh.check(filter));
            prop_assert_eq!(&checked, &again);
            let Ok(checked) = checked else { continue };
            prop_assert_eq!(index.check(&index.normalise(filter.clone())), Ok(checked.clone()));
            let expected: Vec<UserId> = directory.selected(&index, &checked).into_iter().collect();
            prop_assert_eq!(&ids(&index, &index.select(&checked)), &expected, "following, {:?}", filter);
            prop_assert_eq!(&ids(&fresh, &fresh.select(&checked)), &expected, "fresh, {:?}", filter);
        }
        for unit in directory.units.keys() {
            let expected: Vec<UserId> =
                directory.users.keys().copied().filter(|id| directory.is_member(&index, *unit, *id)).collect();
            prop_assert_eq!(&ids(&index, &index.members_of_unit(*unit)), &expected);
            prop_assert_eq!(&ids(&fresh, &fresh.members_of_unit(*unit)), &expected);
            prop_assert_eq!(index.member_counts(&[*unit]), [expected.len() as u64]);
        }
        let everybody: Vec<UserId> = directory.users.keys().copied().collect();
        for (id, units) in everybody.iter().zip(index.org_units_of(&everybody)) {
            let expected: Vec<_> =
                directory.units.keys().copied().filter(|unit| directory.is_member(&index, *unit, *id)).collect();
            prop_assert_eq!(units, expected);
        }
    }

    #[test]
    fn the_laws_of_logic_hold(changesets in changesets(), filter in filter()) {
        let (_, index) = follow(&changesets);
        let select = |filter: Filter| index.check(&filter).map(|checked| index.select(&checked));
        prop_assert_eq!(select(Filter::All(vec![])), Ok(index.everybody()));
        prop_assert!(select(Filter::Any(vec![])).is_ok_and(|nobody| nobody.is_empty()));
        if let Ok(chosen) = select(filter.clone()) {
            let others = select(Filter::Not(filter.clone().into())).unwrap();
            prop_assert_eq!(chosen.union(&others), Ok(index.everybody()));
            prop_assert!(chosen.intersection(&others).is_ok_and(|both| both.is_empty()));
            prop_assert_eq!(select(Filter::Not(Filter::Not(filter.into()).into())), Ok(chosen));
        }
    }

    #[test]
    fn paging_either_way_gives_exactly_the_sorted_list(changesets in changesets(), filter in filter()) {
        let (directory, index) = follow(&changesets);
        let chosen = index.check(&filter).map_or_else(|_| index.everybody(), |checked| index.select(&checked));
        let attributes = directory
            .attributes
            .values()
            .filter(|attribute| attribute.r#type != entity::attribute::AttributeType::MultiSelect)
            .map(|attribute| OrderBy::Attribute(attribute.key.clone()));
        for by in [OrderBy::Name, OrderBy::Email, OrderBy::Created].into_iter().chain(attributes) {
            let mut expected = ids(&index, &chosen);
            expected.sort_by_key(|id| sort_key(&directory, &by, *id));
            for descending in [false, true] {
                let order = Order { by: by.clone(), descending };
                prop_assert_eq!(&listed(&index, &chosen, &order), &expected);
                prop_assert_eq!(&paged(&index, &chosen, &order, true), &expected);
                prop_assert_eq!(&paged(&index, &chosen, &order, false), &expected);
                expected.reverse();
            }
        }
    }

    #[test]
    fn look_ups_and_facets_follow_the_log(changesets in changesets()) {
        let (directory, index) = follow(&changesets);
        let fresh = directory.index();
        for (key, _) in ATTRIBUTES {
            let counts = |index: &Index| counted(index, &index.everybody(), key);
            prop_assert_eq!(counts(&index), counts(&fresh), "{}", key);
        }
        for row in directory.accounts.values() {
            prop_assert_eq!(index.owner_of(row.id), row.user_id);
            let by = [
                row.external_id.as_deref().map(AccountBy::ExternalId),
                row.username.as_deref().map(AccountBy::Username),
                row.email.as_deref().map(AccountBy::Email),
            ];
            for by in by.into_iter().flatten() {
                let same: BTreeSet<_> = directory
                    .accounts
                    .values()
                    .filter(|other| other.integration_id == row.integration_id)
                    .filter(|other| match by {
                        AccountBy::ExternalId(id) => other.external_id.as_deref() == Some(id),
                        AccountBy::Username(name) => {
                            other.username.as_deref().is_some_and(|other| fold(other) == fold(name))
                        }
                        AccountBy::Email(email) => other.email.as_deref() == Some(email),
                    })
                    .map(|other| other.id)
                    .collect();
                let found = index.resolve(row.integration_id, by);
                prop_assert_eq!(found.map(|found| found.account), same.first().copied());
                prop_assert_eq!(found.map(|found| found.ambiguous), Some(same.len() > 1));
            }
        }
        for (id, record) in &directory.users {
            prop_assert_eq!(index.email_of(*id), Some(record.row.email.as_str()));
            for email in record.further_emails.iter().chain([&record.row.email]) {
                prop_assert_eq!(index.find_user(email), Some(*id));
            }
            let accounts: BTreeSet<_> = index.accounts_of(*id).into_iter().collect();
            let expected =
                directory.accounts.values().filter(|account| account.user_id == Some(*id)).map(|row| row.id).collect();
            prop_assert_eq!(accounts, expected);
        }
    }
}
