//! The values that are offered to whoever writes a filter as text, against counting them one by one.

use std::cmp::Reverse;
use std::collections::BTreeMap;

use entity::attribute::{self, AttributeType};
use entity::integration::IntegrationKind;
use entity::org_unit::OrgUnitScope;
use proptest::prelude::*;
use serde_json::json;

use super::directory::*;
use super::draw::ATTRIBUTES;
use super::laws::{changesets, follow};
use crate::filter::text::{Completion, CompletionKind};
use crate::index::Index;
use crate::record::Record;
use crate::value::{GlobalId, Key};

fn offered(index: &Index, text: &str, most: usize) -> Vec<Completion> {
    index.complete_filter(text, text.len(), most)
}

/// What is offered, each with how many users have it.
fn counted(index: &Index, text: &str) -> Vec<(String, Option<u64>)> {
    offered(index, text, 100).into_iter().map(|found| (found.insert, found.count)).collect()
}

fn inserts(index: &Index, text: &str) -> Vec<String> {
    offered(index, text, 100).into_iter().map(|found| found.insert).collect()
}

/// How many users have each value of an attribute.
fn counts(directory: &Directory, row: &attribute::Model) -> BTreeMap<Key, u64> {
    let mut counts = BTreeMap::new();
    for record in directory.users.values() {
        let value = record.row.attributes.get(&row.key);
        for key in value.map(|value| Key::of_stored(row.r#type, value)).unwrap_or_default() {
            *counts.entry(key).or_default() += 1;
        }
    }
    counts
}

/// The key of a value as it was offered.
fn key(r#type: AttributeType, insert: &str) -> Key {
    let read: serde_json::Value = serde_json::from_str(insert).unwrap();
    match r#type {
        AttributeType::Number => Key::number(read.as_f64().unwrap()),
        AttributeType::Date => Key::date(read.as_str().unwrap().parse().unwrap()),
        _ => Key::text(read.as_str().unwrap()),
    }
}

/// Holds what is offered of an attribute's values to counting them. An index that followed changes has values, too, that
/// nobody has any more; they count where very many are compared.
fn check(index: &Index, directory: &Directory, row: &attribute::Model, typed: &str, is_fresh: bool) {
    let counts = counts(directory, row);
    let begins = |key: &Key| key.as_bytes().starts_with(typed.as_bytes());
    let known: Vec<(&Key, &u64)> = counts.iter().filter(|(key, _)| begins(key)).collect();
    let text = format!("{} eq {}{typed}", row.key, if typed.is_empty() { "" } else { "\"" });
    let offered = offered(index, &text, 100).into_iter();
    let found: Vec<(Key, u64)> =
        offered.filter_map(|found| found.count.map(|count| (key(row.r#type, &found.insert), count))).collect();
    assert!(found.iter().all(|(key, count)| known.contains(&(key, count))), "{text}: {found:?}");
    assert!(found.is_sorted_by_key(|(key, count)| (Reverse(*count), key.clone())), "{text}: {found:?}");
    // Values that many have are never left out.
    let is_offered = |key: &Key| found.iter().any(|(other, _)| other == key);
    assert!(known.iter().all(|(key, count)| **count <= 2 || is_offered(key)), "{text}: {found:?}");
    if is_fresh && known.len() <= 4 {
        assert_eq!(found.len(), known.len(), "{text}: {found:?}");
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(128))]

    #[test]
    fn values_are_offered_with_the_most_frequent_first(changesets in changesets()) {
        let (directory, index) = follow(&changesets);
        let fresh = directory.index();
        for row in directory.attributes.values() {
            let typed: &[&str] = match row.r#type {
                AttributeType::Text => &["", "r", "g", "red", "z"],
                AttributeType::Number | AttributeType::Date => &[""],
                _ => continue,
            };
            for typed in typed {
                check(&index, &directory, row, typed, false);
                check(&fresh, &directory, row, typed, true);
            }
        }
        for (key, _) in ATTRIBUTES {
            // Nothing that is asked for fails, whatever the types are by now.
            for text in ["eq ", "gt now", "hasAny [", "in [\"r", "reportsTo \"u1"] {
                let found = offered(&index, &format!("{key} {text}"), 3);
                prop_assert!(found.len() <= 3 && found.iter().all(|found| !found.insert.is_empty()));
            }
        }
    }
}

fn acme() -> Directory {
    let mut units = Vec::new();
    for (number, parent, name) in
        [(0, None, "Engineering"), (1, Some(0), "Platform"), (2, Some(1), "SRE"), (3, None, "Sales")]
    {
        let mut record = unit(number, parent, OrgUnitScope::All, None);
        record.row.name = name.to_owned();
        record.row.name_key = name.to_lowercase();
        units.push(Record::OrgUnit(record));
    }
    let mut odd = unit(4, None, OrgUnitScope::All, None);
    odd.row.name = unit_id(0).to_global();
    odd.row.name_key.clone_from(&odd.row.name);
    units.push(Record::OrgUnit(odd));
    let attributes = [
        attribute(1, "name", AttributeType::Text, &[]),
        attribute(2, "email", AttributeType::Email, &[]),
        attribute(3, "department", AttributeType::Text, &[]),
        attribute(4, "level", AttributeType::Number, &[]),
        attribute(5, "started", AttributeType::Date, &[]),
        attribute(6, "manager", AttributeType::User, &[]),
        attribute(7, "skills", AttributeType::MultiSelect, &["Rust", "Go", "SQL"]),
        attribute(8, "role", AttributeType::Select, &["Engineer", "Manager"]),
    ];
    let user = |number, name: &str, email: &str, attributes| Record::User(user(number, name, email, &[], attributes));
    let users = [
        user(
            0,
            "Ann",
            "ann@corp.com",
            json!({"department": "Größe", "level": 5, "skills": ["Go", "SQL"], "role": "Manager"}),
        ),
        user(
            1,
            "Anna",
            "lee@corp.com",
            json!({"department": "GRÖSSE", "level": 50, "skills": ["Go"], "role": "Manager"}),
        ),
        user(2, "Bob", "anton@corp.com", json!({"department": "Data", "level": 5, "started": "2026-01-31"})),
        user(3, "Ann", "ann2@corp.com", json!({"department": "Data", "started": "2025-01-31"})),
        user(4, "Zoe", "zoe@corp.com", json!({"department": "Design", "role": "Engineer"})),
    ];
    let integrations =
        [integration(1, "GitHub", IntegrationKind::GitHub), integration(2, "GitLab", IntegrationKind::GitLab)];
    let attributes = attributes.into_iter().map(Record::Attribute);
    let integrations = integrations.into_iter().map(Record::Integration);
    Directory::of(attributes.chain(integrations).chain(units).chain(users))
}

#[test]
fn values_users_units_and_integrations_are_offered_by_name() {
    let index = acme().index();
    let some = |values: &[(&str, u64)]| {
        values.iter().map(|(value, count)| ((*value).to_owned(), Some(*count))).collect::<Vec<_>>()
    };
    assert_eq!(counted(&index, "department eq \""), some(&[("\"data\"", 2), ("\"grösse\"", 2), ("\"design\"", 1)]));
    assert_eq!(counted(&index, "department sw GRÖ"), some(&[("\"grösse\"", 2)]));
    assert_eq!(counted(&index, "department sw \"GRÖß"), some(&[("\"grösse\"", 2)]));
    assert_eq!(counted(&index, "department in [d"), some(&[("\"data\"", 2), ("\"design\"", 1)]));
    assert_eq!(counted(&index, "level gt "), some(&[("5", 2), ("50", 1)]));
    assert_eq!(counted(&index, "level gt 50"), some(&[("50", 1)]));
    assert_eq!(counted(&index, "started eq \"2025"), some(&[("\"2025-01-31\"", 1)]));
    assert_eq!(counted(&index, "skills hasAny ["), some(&[("\"Go\"", 2), ("\"SQL\"", 1), ("\"Rust\"", 0)]));
    assert_eq!(counted(&index, "role eq \""), some(&[("\"Manager\"", 2), ("\"Engineer\"", 1)]));
    assert_eq!(counted(&index, "name sw \"an"), some(&[("\"ann\"", 2), ("\"anna\"", 1)]));
    assert_eq!(inserts(&index, "email eq \"an"), ["\"ann2@corp.com\"", "\"ann@corp.com\"", "\"anton@corp.com\""]);

    // By name and by email, each user once.
    let users = offered(&index, "manager reportsTo \"an", 100);
    let told: Vec<(&str, &str)> =
        users.iter().map(|found| (found.label.as_str(), found.detail.as_deref().unwrap())).collect();
    assert_eq!(
        told,
        [("ann", "ann@corp.com"), ("anna", "lee@corp.com"), ("ann", "ann2@corp.com"), ("bob", "anton@corp.com")]
    );
    assert!(users.iter().all(|found| found.kind == CompletionKind::User));

    let odd = unit_id(4).to_global();
    assert_eq!(
        inserts(&index, "memberOf "),
        [
            "\"Engineering\"".to_owned(),
            format!("\"{odd}\""),
            "\"Engineering/Platform\"".into(),
            "\"Sales\"".into(),
            "\"Engineering/Platform/SRE\"".into()
        ]
    );
    assert_eq!(inserts(&index, "memberOf \"s"), ["\"Sales\"", "\"Engineering/Platform/SRE\""]);
    assert_eq!(inserts(&index, "memberOf \"engineering/"), ["\"Engineering/Platform\""]);
    assert_eq!(inserts(&index, "memberOf \"engineering/platform/s"), ["\"Engineering/Platform/SRE\""]);
    assert_eq!(inserts(&index, "memberOf \"nowhere/"), [""; 0]);
    assert_eq!(inserts(&index, "accounts[integration eq \"gitl"), ["\"GitLab\""]);
    assert_eq!(inserts(&index, "accounts[kind eq \"git"), ["\"GITHUB\"", "\"GITLAB\"", "\"GIT\""]);
    assert_eq!(inserts(&index, "accounts[username eq "), ["null"]);
    assert_eq!(offered(&index, "name eq \"", 1).len(), 1);
}

#[test]
fn a_unit_whose_name_has_a_slash_is_offered_by_its_path_and_so_are_those_below_it() {
    let mut units = Vec::new();
    for (number, parent, name) in [(0, None, "R/D"), (1, Some(0), "A\\B"), (2, Some(0), "Odd \\")] {
        let mut record = unit(number, parent, OrgUnitScope::All, None);
        record.row.name = name.to_owned();
        record.row.name_key = name.to_lowercase();
        units.push(Record::OrgUnit(record));
    }
    let index = Directory::of(units).index();
    // A text is a string of JSON, so each backslash of a path stands twice.
    let (root, below, odd) = (r#""R\\/D""#, r#""R\\/D/A\\B""#, r#""R\\/D/Odd \\\\""#);
    assert_eq!(inserts(&index, "memberOf \"r"), [root]);
    assert_eq!(inserts(&index, r#"memberOf "r\\/"#), [root]);
    assert_eq!(inserts(&index, r#"memberOf "r\\/d/"#), [below, odd]);
    assert_eq!(inserts(&index, r#"memberOf "r\\/d/a\\b"#), [below]);
    assert_eq!(inserts(&index, r#"memberOf "r/d/"#), [""; 0]);
    for (number, text) in [(0, root), (1, below), (2, odd)] {
        let filter = crate::filter::Filter::Text(format!("memberOf {text}"));
        let checked = index.check(&filter).unwrap();
        assert_eq!(checked.org_units().map(|(id, _)| id).collect::<Vec<_>>(), [unit_id(number)]);
    }
}
