//! Ids that stand for others, and users who are marked: an index that follows changes, in one part or many, is the index
//! built anew.

use std::collections::BTreeSet;

use entity::UserId;
use entity::attribute::AttributeType;
use serde_json::json;

use super::directory::*;
use super::named::cast;
use crate::index::{Follower, Index};
use crate::record::{Change, Record, RecordId, UserRecord};

fn changed(record: UserRecord) -> Change {
    Change { id: RecordId::User(record.row.id), after: Some(Record::User(record)) }
}

fn gone(number: usize) -> Change {
    Change { id: RecordId::User(user_id(number)), after: None }
}

/// Whom each id stands for, and who is marked.
fn seen(index: &Index) -> String {
    let whom: Vec<Option<UserId>> = (1..=6).map(|number| index.current_user(user_id(number))).collect();
    let everybody = index.everybody();
    let marked = |locked, reviewed| index.ids_by_name(&index.marked(&everybody, locked, reviewed)).unwrap();
    let reports = index.select(&index.check(&reporting_to(2)).unwrap());
    format!(
        "{whom:?} locked {:?} not {:?} reviewed {:?} reports {:?}",
        marked(Some(true), None),
        marked(Some(false), None).len(),
        marked(None, Some(true)),
        index.ids_by_name(&reports).unwrap()
    )
}

fn reporting_to(number: usize) -> crate::filter::Filter {
    use crate::value::GlobalId;
    serde_json::from_value(
        json!({ "attribute": { "key": "manager", "is": { "reportsTo": user_id(number).to_global() } } }),
    )
    .unwrap()
}

#[test]
fn an_id_stands_for_whoever_its_user_has_become_part_of() {
    let mut directory = cast();
    assert!(directory.attributes.values().any(|row| row.r#type == AttributeType::User));
    let mut followed = directory.index();
    let mut ann = directory.users[&user_id(1)].clone();
    ann.merged_ids = BTreeSet::from([user_id(2)]);
    ann.row.is_locked = true;
    let mut dan = directory.users[&user_id(4)].clone();
    dan.row.attributes = json!({ "manager": user_id(1).0.simple().to_string() });
    let mut cleo = directory.users[&user_id(3)].clone();
    cleo.merged_ids = BTreeSet::from([user_id(1), user_id(2)]);
    cleo.row.reviewed_at = Some(cleo.row.created_at);
    let mut split = cleo.clone();
    split.merged_ids = BTreeSet::from([user_id(1)]);
    let bob = directory.users[&user_id(2)].clone();
    let steps = [
        vec![changed(ann), gone(2), changed(dan)],
        // Through others, in either order.
        vec![changed(cleo), gone(1)],
        // And back.
        vec![changed(bob), changed(split)],
        vec![gone(3)],
    ];
    let mut expected = vec![];
    for (version, changes) in (1..).zip(steps) {
        for change in &changes {
            directory.change(change);
        }
        let fresh = seen(&directory.index());
        let mut parts = Follower::new(followed.clone());
        for change in changes.iter().rev().cloned() {
            parts.follow(vec![change]);
        }
        assert_eq!(seen(&parts.finish(version).unwrap()), fresh, "in parts, the other way round");
        followed.apply(version, changes);
        assert_eq!(seen(&followed), fresh);
        expected.push((1..=3).map(|number| followed.current_user(user_id(number))).collect::<Vec<_>>());
    }
    let id = |number| Some(user_id(number));
    assert_eq!(
        expected,
        [vec![id(1), id(1), id(3)], vec![id(3), id(3), id(3)], vec![id(3), id(2), id(3)], vec![None, id(2), None]]
    );
}
