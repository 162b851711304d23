//! Managers and reports: long chains, circles that stored data should not have, and the plain meaning of both.

use std::collections::BTreeSet;

use entity::UserId;
use entity::attribute::AttributeType;
use proptest::prelude::*;
use serde_json::json;

use super::directory::*;
use crate::filter::Filter;
use crate::index::{Index, Members};
use crate::record::{Change, Record};

/// A directory in which each user reports to the one of this number, if there is one.
fn directory(managers: &[Option<usize>]) -> Directory {
    let mut records = vec![Record::Attribute(attribute(3, "manager", AttributeType::User, &[]))];
    for (number, manager) in managers.iter().enumerate() {
        let values = match manager {
            Some(manager) => json!({ "manager": user_id(*manager).0.simple().to_string() }),
            None => json!({}),
        };
        let (name, email) = (format!("User {number}"), format!("u{number}@corp.com"));
        records.push(Record::User(user(number, &name, &email, &[], values)));
    }
    Directory::of(records)
}

fn ids(index: &Index, members: &Members) -> BTreeSet<UserId> {
    index.ids_by_name(members).unwrap().into_iter().collect()
}

fn reports_to(number: usize) -> Filter {
    serde_json::from_value(json!({
        "attribute": { "key": "manager", "is": { "reportsTo": format!("u{number}@corp.com") } }
    }))
    .unwrap()
}

#[test]
fn a_chain_of_ten_thousand_is_walked_to_both_ends() {
    const LONG: usize = 10_000;
    let chain: Vec<Option<usize>> = (0..LONG).map(|number| number.checked_sub(1)).collect();
    let index = directory(&chain).index();
    assert_eq!(index.managers_of("manager", user_id(LONG - 1)).len(), LONG - 1);
    assert_eq!(index.reports_of("manager", user_id(0), None).len(), LONG as u64 - 1);
    assert_eq!(index.reports_of("manager", user_id(10), Some(3)).len(), 3);
    assert_eq!(index.managers("manager", 5).len(), 5);
    assert_eq!(index.managers("manager", usize::MAX).len(), LONG - 1);
    // As many conditions as a filter may have: of everybody, and of a few who are looked at one by one.
    let conditions: Vec<Filter> = (0..199).map(|at| reports_to(at * 50)).collect();
    let everywhere = index.select(&index.check(&Filter::All(conditions.clone())).unwrap());
    assert_eq!(everywhere.len(), (LONG - 1 - 198 * 50) as u64);
    let last = serde_json::from_value(json!({ "email": { "equals": format!("u{}@corp.com", LONG - 1) } })).unwrap();
    let of_last = index.select(&index.check(&Filter::All([vec![last], conditions].concat())).unwrap());
    assert_eq!(ids(&index, &of_last), BTreeSet::from([user_id(LONG - 1)]));
}

#[test]
fn a_circle_in_stored_data_ends() {
    // 0, 1 and 2 report to each other, and 3 to one of them; 4 is apart.
    let mut index = directory(&[Some(2), Some(0), Some(1), Some(1), None]).index();
    assert_eq!(index.managers_of("manager", user_id(3)), [user_id(1), user_id(0), user_id(2)]);
    assert_eq!(index.managers_of("manager", user_id(0)), [user_id(2), user_id(1)]);
    let circle = BTreeSet::from([0, 1, 2, 3].map(user_id));
    assert_eq!(ids(&index, &index.reports_of("manager", user_id(0), None)), circle);
    assert_eq!(ids(&index, &index.reports_of("manager", user_id(0), Some(2))), BTreeSet::from([1, 2, 3].map(user_id)));
    assert_eq!(index.managers("manager", usize::MAX), []);
    // One who leaves it lets it go.
    let free = Record::User(user(0, "User 0", "u0@corp.com", &[], json!({})));
    index.apply(1, vec![Change { id: free.id(), after: Some(free) }]);
    let above = [(0, None), (1, Some(0)), (2, Some(1))];
    let managers = index.managers("manager", usize::MAX);
    assert_eq!(managers, above[..2].iter().map(|(at, above)| (user_id(*at), above.map(user_id))).collect::<Vec<_>>());
    assert_eq!(ids(&index, &index.reports_of("manager", user_id(0), None)), BTreeSet::from([1, 2, 3].map(user_id)));
}

/// How many steps up it is from each user to a manager, by following one value after the other.
fn plainly(managers: &[Option<usize>], of: usize, depth: Option<u32>) -> BTreeSet<UserId> {
    let is_below = |number: &usize| {
        let (mut at, mut steps) = (*number, 0);
        while let Some(above) = managers.get(at).copied().flatten() {
            steps += 1;
            if above == of {
                return depth.is_none_or(|depth| steps <= depth);
            }
            at = above;
            if steps as usize > managers.len() {
                return false;
            }
        }
        false
    };
    (0..managers.len()).filter(is_below).map(user_id).collect()
}

proptest! {
    #[test]
    fn reports_are_those_whose_way_up_leads_to_the_manager(
        managers in prop::collection::vec(prop::option::of(0..12_usize), 1..10),
        moved in prop::collection::vec((0..10_usize, prop::option::of(0..12_usize)), 0..4),
        depth in prop::option::of(1..5_u32),
    ) {
        let mut managers = managers;
        let mut index = directory(&managers).index();
        for (number, to) in moved {
            let number = number % managers.len();
            managers[number] = to;
            let record = directory(&managers).users[&user_id(number)].clone();
            index.apply(1, vec![Change { id: Record::User(record.clone()).id(), after: Some(Record::User(record)) }]);
        }
        for of in 0..12 {
            let reports = ids(&index, &index.reports_of("manager", user_id(of), depth));
            prop_assert_eq!(reports, plainly(&managers, of, depth), "of {}", of);
            let chain = index.managers_of("manager", user_id(of));
            let mut plain = Vec::new();
            let mut at = managers.get(of).copied().flatten();
            while let Some(above) = at.filter(|above| *above < managers.len() && *above != of && !plain.contains(&user_id(*above))) {
                plain.push(user_id(above));
                at = managers[above];
            }
            prop_assert_eq!(chain, plain, "above {}", of);
        }
    }
}
