//! Facets, against the plain evaluator.

use std::collections::{BTreeMap, BTreeSet};

use entity::attribute::AttributeType;
use entity::{UserId, attribute};
use proptest::prelude::*;

use super::directory::*;
use super::draw::filter;
use super::laws::{changesets, follow};
use crate::filter::{AccountFilter, AttributeFilter, Condition, Filter, Scalar};
use crate::index::{Facet, FacetCursor, FacetWindow, Facets, Index, Members};
use crate::record::{Change, Record, UserRecord};
use crate::value::{GlobalId, Key, Value, fold, show};

/// Adds the built-in attributes to a drawn directory and its index.
fn add_built_in(directory: &mut Directory, index: &mut Index) {
    let rows =
        [("name", AttributeType::Text), ("email", AttributeType::Text), ("integration", AttributeType::Integration)];
    let added = (20..).zip(rows).map(|(number, (key, r#type))| {
        let record = Record::Attribute(attribute(number, key, r#type, &[]));
        Change { id: record.id(), after: Some(record) }
    });
    let changes: Vec<Change> = added.collect();
    changes.iter().for_each(|change| directory.change(change));
    index.apply(index.version() + 1, changes);
}

/// What a user has of an attribute: keys as facets have them, each with what it is sorted by and found by.
fn values(directory: &Directory, attribute: &attribute::Model, id: UserId) -> Vec<(Key, Vec<u8>, Vec<String>)> {
    let record = &directory.users[&id];
    let plain = |key: Key, text: String| (key, text.clone().into_bytes(), vec![text]);
    match (attribute.key.as_str(), attribute.r#type) {
        ("name", _) => vec![plain(Key::text(&record.row.name), fold(&record.row.name))],
        ("email", _) => record.emails().map(|email| plain(Key::verbatim(email.as_bytes()), email.to_owned())).collect(),
        ("integration", _) => {
            let own = directory.accounts.values().filter(|account| account.user_id == Some(id));
            let tools: BTreeSet<_> = own.map(|account| account.integration_id).collect();
            let known = tools.iter().filter_map(|tool| directory.integrations.get(tool));
            known.map(|row| plain(Key::user(row.id.0), row.name_key.clone())).collect()
        }
        (key, r#type) => {
            let stored = record.row.attributes.get(key).and_then(|stored| Value::from_stored(r#type, stored));
            let Some(value) = stored else { return Vec::new() };
            match &value {
                Value::User(user) => {
                    let key = Key::user(user.0);
                    vec![match directory.users.get(user) {
                        Some(UserRecord { row, .. }) => {
                            let found_by = vec![row.email.clone(), fold(&row.name)];
                            (key, row.email.clone().into_bytes(), found_by)
                        }
                        None => (key.clone(), key.as_bytes().to_vec(), Vec::new()),
                    }]
                }
                Value::Options(_) | Value::Text(_) => {
                    let keys: BTreeSet<Key> = value.keys().into_iter().collect();
                    keys.into_iter()
                        .map(|key| (key.clone(), String::from_utf8(key.as_bytes().to_vec()).unwrap()))
                        .map(|(key, text)| plain(key, text))
                        .collect()
                }
                Value::Number(_) | Value::Boolean(_) | Value::Date(_) => {
                    let key = value.keys().remove(0);
                    vec![(key.clone(), key.as_bytes().to_vec(), vec![show(&value, |_| None)])]
                }
            }
        }
    }
}

/// The values of an attribute among users in the order in which facets list them, and how many users have none.
fn expected(
    directory: &Directory,
    attribute: &attribute::Model,
    users: &BTreeSet<UserId>,
    search: Option<&str>,
) -> (Vec<(Key, u64)>, u64) {
    let mut counts: BTreeMap<Key, (u64, Vec<u8>, Vec<String>)> = BTreeMap::new();
    let mut without = 0;
    for id in users {
        let values = values(directory, attribute, *id);
        without += u64::from(values.is_empty());
        for (key, sorted_by, found_by) in values {
            counts.entry(key).or_insert((0, sorted_by, found_by)).0 += 1;
        }
    }
    let is_found =
        |found_by: &[String]| search.is_none_or(|search| found_by.iter().any(|by| by.contains(&fold(search))));
    let mut listed: Vec<_> = counts.into_iter().filter(|(_, (_, _, found_by))| is_found(found_by)).collect();
    listed.sort_by(|(a, (m, x, _)), (b, (n, y, _))| n.cmp(m).then_with(|| x.cmp(y)).then_with(|| a.cmp(b)));
    (listed.into_iter().map(|(key, (count, ..))| (key, count)).collect(), without)
}

fn counts(facets: &[Facet]) -> Vec<(Key, u64)> {
    facets.iter().map(|facet| (facet.key.clone(), facet.count)).collect()
}

/// A list of values read two at a time, forwards or backwards, through encoded cursors.
fn paged(index: &Index, members: &Members, key: &str, forward: bool) -> Vec<(Key, u64)> {
    let mut pages: Vec<Vec<(Key, u64)>> = Vec::new();
    let mut cursor: Option<FacetCursor> = None;
    loop {
        let at = cursor.as_ref();
        let window = FacetWindow {
            limit: 2,
            from_end: !forward,
            after: at.filter(|_| forward),
            before: at.filter(|_| !forward),
            ..FacetWindow::ALL
        };
        let Facets { values, has_next, has_previous, .. } = index.facets(members, key, &window).unwrap().unwrap();
        assert_eq!(if forward { has_previous } else { has_next }, !pages.is_empty());
        pages.push(counts(&values));
        if !(if forward { has_next } else { has_previous }) {
            break;
        }
        let edge = if forward { values.last() } else { values.first() };
        cursor = edge.map(|facet| FacetCursor::decode(&facet.cursor.encode(), key).unwrap());
    }
    if !forward {
        pages.reverse();
    }
    pages.concat()
}

/// The filter that selects the users who have a value.
fn having(directory: &Directory, attribute: &attribute::Model, facet: &Facet) -> Filter {
    let text = || Scalar::Text(String::from_utf8(facet.key.as_bytes().to_vec()).unwrap());
    let is = match (attribute.key.as_str(), attribute.r#type) {
        ("name", _) => return Filter::Name(Condition::Equals(text())),
        ("email", _) => return Filter::Email(Condition::Equals(text())),
        ("integration", _) => {
            let integration = directory.integrations[&facet.integration().unwrap()].id.to_global();
            return Filter::Account(AccountFilter { integration: Some(integration), ..Default::default() });
        }
        (_, AttributeType::MultiSelect) => match facet.value(attribute.r#type) {
            Some(Value::Options(options)) => Condition::HasAny(options),
            other => panic!("{other:?} is no option"),
        },
        (_, r#type) => Condition::Equals(match facet.value(r#type).unwrap() {
            Value::Number(number) => Scalar::Number(number),
            Value::Boolean(truth) => Scalar::Boolean(truth),
            Value::User(user) => Scalar::Text(user.to_global()),
            other => Scalar::Text(show(&other, |_| None)),
        }),
    };
    Filter::Attribute(AttributeFilter { key: attribute.key.clone(), is })
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(192))]

    #[test]
    fn facets_count_whom_the_plain_evaluator_finds(
        changesets in changesets(),
        filter in filter(),
        search in prop::option::of(prop::sample::select(&["re", "ED", "ö", "1", "-0", "e", "u1", "tool", "tru"][..])),
    ) {
        let (mut directory, mut index) = follow(&changesets);
        add_built_in(&mut directory, &mut index);
        let checked = index.check(&filter).ok();
        let users = match &checked {
            Some(checked) => directory.selected(&index, checked),
            None => directory.users.keys().copied().collect(),
        };
        let members = checked.map_or_else(|| index.everybody(), |checked| index.select(&checked));
        for attribute in directory.attributes.values() {
            let key = attribute.key.as_str();
            let (all, without) = expected(&directory, attribute, &users, None);
            let facets = index.facets(&members, key, &FacetWindow::ALL).unwrap().unwrap();
            prop_assert_eq!((counts(&facets.values), facets.without), (all.clone(), without), "{}", key);
            prop_assert_eq!(facets.distinct, all.len() as u64);
            prop_assert_eq!(paged(&index, &members, key, true), all.clone(), "{}", key);
            prop_assert_eq!(paged(&index, &members, key, false), all, "{}", key);

            let (found, _) = expected(&directory, attribute, &users, search);
            let window = FacetWindow { search, ..FacetWindow::ALL };
            let searched = index.facets(&members, key, &window).unwrap().unwrap();
            prop_assert_eq!((counts(&searched.values), searched.without), (found, without), "{} {:?}", key, search);

            for facet in &facets.values {
                let has = |id: &UserId| values(&directory, attribute, *id).iter().any(|(key, ..)| *key == facet.key);
                if let Some(example) = &facet.example {
                    prop_assert!(users.contains(example) && has(example), "{} {:?}", key, facet);
                }
                let nobody = facet.cursor.encode();
                prop_assert_eq!(FacetCursor::decode(&nobody, "another"), None);
                // An option or a user that is gone can be counted and not be asked for.
                let Ok(checked) = index.check(&having(&directory, attribute, facet)) else { continue };
                let both = index.select(&checked).intersection(&members).unwrap();
                prop_assert_eq!(both.len(), facet.count, "{} {:?}", key, facet);
            }
        }
    }
}
