//! Values that nobody has, and the values that were probably meant.

use entity::attribute::AttributeType;
use proptest::prelude::*;
use serde_json::json;

use super::directory::*;
use super::draw::filter;
use super::laws::{changesets, follow};
use crate::filter::{Filter, Node, Test, contradict, outline};
use crate::index::Index;
use crate::record::{Change, Record};

proptest! {
    #![proptest_config(ProptestConfig::with_cases(192))]

    #[test]
    fn a_value_is_unused_where_a_condition_on_it_alone_selects_nobody(
        changesets in changesets(),
        filters in prop::collection::vec(filter(), 8),
    ) {
        let (directory, index) = follow(&changesets);
        for filter in filters {
            let Ok(checked) = index.check(&filter) else { continue };
            for line in outline(&filter, &checked) {
                let unused = index.unused_values(line.node);
                let alone = |key: &crate::value::Key| match line.node {
                    Node::Name(Test::In(_)) => Some(Node::Name(Test::In(vec![key.clone()]))),
                    Node::Email(Test::In(_)) => Some(Node::Email(Test::In(vec![key.clone()]))),
                    Node::Attribute { key: attribute, r#type, test } => {
                        let (key, r#type, keys) = (attribute.clone(), *r#type, vec![key.clone()]);
                        match test {
                            Test::In(_) => Some(Node::Attribute { key, r#type, test: Test::In(keys) }),
                            _ => Some(Node::Attribute { key, r#type, test: Test::HasAny(keys) }),
                        }
                    }
                    _ => None,
                };
                let (Node::Name(test) | Node::Email(test) | Node::Attribute { test, .. }) = line.node else {
                    prop_assert!(unused.is_empty());
                    continue;
                };
                let (Test::In(keys) | Test::HasAny(keys) | Test::HasAll(keys)) = test else {
                    prop_assert!(unused.is_empty());
                    continue;
                };
                for key in keys {
                    let node = alone(key).unwrap();
                    let is_used = directory.users.keys().any(|id| directory.node_selects(&index, &node, *id));
                    prop_assert_eq!(unused.contains(&key), !is_used, "{}", line.path);
                }
            }
        }
    }

    #[test]
    fn no_user_ever_meets_two_conditions_that_contradict_each_other(
        changesets in changesets(),
        filters in prop::collection::vec(filter(), 8),
    ) {
        let (directory, index) = follow(&changesets);
        let checked: Vec<_> = filters.iter().filter_map(|filter| index.check(filter).ok()).collect();
        for a in &checked {
            for b in &checked {
                prop_assert_eq!(contradict(a.root(), b.root()), contradict(b.root(), a.root()));
                if contradict(a.root(), b.root()) {
                    let meets = |id: &entity::UserId| {
                        directory.selects(&index, a, *id) && directory.selects(&index, b, *id)
                    };
                    prop_assert!(!directory.users.keys().any(meets), "{:?} and {:?}", a, b);
                }
            }
        }
    }
}

#[test]
fn two_values_at_once_of_what_has_one_value_contradict_each_other() {
    let department = |is: serde_json::Value| json!({"attribute": {"key": "department", "is": is}});
    let level = |is: serde_json::Value| json!({"attribute": {"key": "level", "is": is}});
    let skills = |is: serde_json::Value| json!({"attribute": {"key": "skills", "is": is}});
    let email = |is: serde_json::Value| json!({"email": is});
    let index = super::named::cast().index();
    let read = |filter: &serde_json::Value| index.check(&serde_json::from_value(filter.clone()).unwrap()).unwrap();
    for (a, b, expected) in [
        (department(json!({"equals": "Platform"})), department(json!({"equals": "Mobile"})), true),
        (department(json!({"equals": "Platform"})), department(json!({"equals": "platform"})), false),
        (department(json!({"in": ["Platform", "Mobile"]})), department(json!({"startsWith": "m"})), false),
        (department(json!({"in": ["Platform", "Mobile"]})), department(json!({"startsWith": "c"})), true),
        (department(json!({"startsWith": "ab"})), department(json!({"startsWith": "a"})), false),
        (department(json!({"startsWith": "ab"})), department(json!({"startsWith": "b"})), true),
        (department(json!({"endsWith": "ab"})), department(json!({"endsWith": "b"})), false),
        (department(json!({"contains": "x"})), department(json!({"contains": "y"})), false),
        (department(json!({"isEmpty": true})), department(json!({"contains": "y"})), true),
        (department(json!({"isEmpty": false})), department(json!({"contains": "y"})), false),
        (department(json!({"isEmpty": false})), department(json!({"isEmpty": true})), true),
        (department(json!({"equals": "Mobile"})), json!({"not": department(json!({"equals": "Mobile"}))}), true),
        (department(json!({"equals": "Mobile"})), level(json!({"equals": 1})), false),
        (level(json!({"lessThan": 3})), level(json!({"atLeast": 3})), true),
        (level(json!({"atMost": 3})), level(json!({"atLeast": 3})), false),
        (level(json!({"equals": 4})), level(json!({"between": {"from": 1, "to": 3}})), true),
        (skills(json!({"hasAny": ["go"]})), skills(json!({"hasAll": ["rust"]})), false),
        (skills(json!({"hasAny": ["go"]})), skills(json!({"isEmpty": true})), true),
        (email(json!({"equals": "a@b.example"})), email(json!({"equals": "c@d.example"})), false),
    ] {
        assert_eq!(contradict(read(&a).root(), read(&b).root()), expected, "{a} and {b}");
    }
}

#[test]
fn a_value_near_one_that_somebody_has_is_suggested() {
    let mut index = Directory::of([
        Record::Attribute(attribute(1, "team", AttributeType::Text, &[])),
        Record::Attribute(attribute(2, "level", AttributeType::Number, &[])),
        Record::User(user(1, "Ann", "ann@corp.com", &[], json!({"team": "Platform", "level": 5}))),
        Record::User(user(2, "Bob", "bob@corp.com", &[], json!({"team": "Mobile", "level": 6}))),
    ])
    .index();
    let attribute = |key: &str, value: serde_json::Value| json!({"attribute": {"key": key, "is": {"equals": value}}});
    let near = |index: &Index, filter: serde_json::Value, wanted: &str| {
        let checked = index.check(&serde_json::from_value::<Filter>(filter).unwrap()).unwrap();
        assert_eq!(index.unused_values(checked.root()).len(), 1);
        index.near_value(checked.root(), wanted)
    };
    assert_eq!(near(&index, attribute("team", json!("Plattform")), "Plattform").as_deref(), Some("platform"));
    assert_eq!(near(&index, attribute("team", json!("Finance")), "Finance"), None);
    assert_eq!(near(&index, attribute("team", json!("mobil")), "mobil").as_deref(), Some("mobile"));
    assert_eq!(near(&index, attribute("level", json!(7)), "7"), None);
    assert_eq!(near(&index, json!({"name": {"equals": "Anna"}}), "Anna").as_deref(), Some("ann"));
    let email = json!({"email": {"equals": "an@corp.com"}});
    assert_eq!(near(&index, email, "an@corp.com").as_deref(), Some("ann@corp.com"));
    // The last who had it has it no more.
    let bob = Record::User(user(2, "Bob", "bob@corp.com", &[], json!({"team": "Platform"})));
    index.apply(2, vec![Change { id: bob.id(), after: Some(bob) }]);
    assert_eq!(near(&index, attribute("team", json!("mobile")), "mobil"), None);
}
