//! Copies of an index: they and the original follow changes of their own, and a long changeset is followed in parts.

use std::fmt::Write;
use std::sync::Arc;

use entity::attribute::AttributeType;
use entity::integration::IntegrationKind;
use proptest::prelude::*;
use serde_json::json;

use super::directory::*;
use super::draw::filter;
use super::laws::{changesets, counted, listed};
use crate::filter::Filter;
use crate::index::{AccountBy, Follower, Index, Order, OrderBy};
use crate::record::{Change, Record, RecordId};

/// What an index answers to every question about the records of a directory.
fn answers(directory: &Directory, index: &Index, filters: &[Filter]) -> String {
    let mut answers = format!("{:?}\n", (index.user_count(), index.account_counts()));
    let everybody = index.everybody();
    for row in directory.attributes.values() {
        writeln!(answers, "{:?}", index.attribute(&row.key)).unwrap();
        writeln!(answers, "{:?}", counted(index, &everybody, &row.key)).unwrap();
        if row.r#type != AttributeType::MultiSelect {
            let order = Order { by: OrderBy::Attribute(row.key.clone()), descending: false };
            writeln!(answers, "{:?}", listed(index, &everybody, &order)).unwrap();
        }
    }
    for by in [OrderBy::Name, OrderBy::Email, OrderBy::Created] {
        writeln!(answers, "{:?}", listed(index, &everybody, &Order { by, descending: false })).unwrap();
    }
    for (id, record) in &directory.users {
        let found: Vec<_> = record.emails().map(|email| index.user_with_email(email)).collect();
        let mut accounts = index.accounts_of(*id);
        accounts.sort_unstable();
        writeln!(answers, "{:?}", (index.folded_name_of(*id), index.email_of(*id), found, accounts)).unwrap();
    }
    for row in directory.accounts.values() {
        let by = |by: Option<AccountBy<'_>>| by.and_then(|by| index.resolve(row.integration_id, by));
        let external = by(row.external_id.as_deref().map(AccountBy::ExternalId));
        let username = by(row.username.as_deref().map(AccountBy::Username));
        let email = by(row.email.as_deref().map(AccountBy::Email));
        writeln!(answers, "{:?}", (index.owner_of(row.id), external, username, email)).unwrap();
    }
    let created = Order { by: OrderBy::Created, descending: false };
    for id in directory.units.keys() {
        let members = listed(index, &index.members_of_unit(*id), &created);
        writeln!(answers, "{:?}", (index.org_unit(*id), index.org_unit_children(Some(*id)), members)).unwrap();
    }
    for filter in filters {
        let selected = index.check(filter).map(|checked| listed(index, &index.select(&checked), &created));
        writeln!(answers, "{selected:?}").unwrap();
    }
    answers
}

#[track_caller]
fn check(what: &str, directory: &Directory, index: &Index, filters: &[Filter]) {
    let (found, expected) = (answers(directory, index, filters), answers(directory, &directory.index(), filters));
    for (found, expected) in found.lines().zip(expected.lines()) {
        assert_eq!(found, expected, "{what}");
    }
}

/// Attributes first, which is all that matters when changes come in parts.
fn attributes_first(mut changes: Vec<Change>) -> Vec<Change> {
    changes.sort_by_key(|change| !matches!(change.id, RecordId::Attribute(_)));
    changes
}

fn change(record: Record) -> Change {
    Change { id: record.id(), after: Some(record) }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(128))]

    #[test]
    fn a_copy_and_the_original_each_follow_their_own_changes(
        before in changesets(),
        one in changesets(),
        other in changesets(),
        filters in prop::collection::vec(filter(), 4),
    ) {
        let mut start = Directory::start();
        before.iter().flat_map(|(steps, _)| steps).for_each(|step| start.take(step));
        let mut original = start.index();
        let mut copy = original.clone();
        let untouched = original.clone();
        let (mut here, mut there) = (start.clone(), start.clone());
        for (version, (one, other)) in (1..).zip(one.iter().zip(&other)) {
            for (directory, index, (steps, _)) in [(&mut here, &mut original, one), (&mut there, &mut copy, other)] {
                let before = directory.clone();
                steps.iter().for_each(|step| directory.take(step));
                index.apply(version, directory.changes_since(&before));
            }
            check("the original", &here, &original, &filters);
            check("the copy", &there, &copy, &filters);
        }
        check("the copy that followed nothing", &start, &untouched, &filters);
    }

    #[test]
    fn changes_that_come_in_parts_lead_to_the_same_index(
        changesets in changesets(),
        size in 1..5_usize,
        filters in prop::collection::vec(filter(), 4),
    ) {
        let mut directory = Directory::start();
        let mut applied = directory.index();
        let mut followed = directory.index();
        for (version, (steps, is_reversed)) in (1..).zip(&changesets) {
            let before = directory.clone();
            steps.iter().for_each(|step| directory.take(step));
            let mut changes = directory.changes_since(&before);
            if *is_reversed {
                changes.reverse();
            }
            let mut follower = Follower::new(followed.clone());
            for part in attributes_first(changes).chunks(size) {
                applied.apply(version, part.to_vec());
                follower.follow(part.to_vec());
            }
            followed = follower.finish(version).unwrap();
            prop_assert_eq!(followed.version(), version);
            check("applied in several calls", &directory, &applied, &filters);
            check("followed in parts", &directory, &followed, &filters);
        }
    }
}

#[test]
fn an_attribute_that_comes_after_users_cannot_be_followed() {
    let directory = Directory::of([Record::Attribute(attribute(1, "level", AttributeType::Number, &[]))]);
    let late = [
        ("new", attribute(2, "team", AttributeType::Text, &[]), false),
        ("retyped", attribute(1, "level", AttributeType::Text, &[]), false),
        ("retitled", attribute(1, "level", AttributeType::Number, &["x"]), true),
        ("built in", attribute(3, "name", AttributeType::Text, &[]), true),
    ];
    let ann = user(1, "Ann", "ann@corp.com", &[], json!({ "level": 1, "team": "Red" }));
    for (what, row, can_be_followed) in late {
        let mut follower = Follower::new(directory.index());
        follower.follow(vec![change(Record::User(ann.clone()))]);
        follower.follow(vec![change(Record::Attribute(row.clone()))]);
        assert_eq!(follower.finish(2).is_some(), can_be_followed, "{what}");
        let mut follower = Follower::new(directory.index());
        follower.follow(vec![change(Record::User(ann.clone())), change(Record::Attribute(row))]);
        assert!(follower.finish(2).is_some(), "{what}, in one part");
    }
}

/// Which of the large parts two indexes share.
fn shared(a: &Index, b: &Index) -> Vec<&'static str> {
    let columns = |index: &Index, at: usize| Arc::clone(&index.attributes.columns[at].column);
    let list = |index: &Index| index.users.by_name.list().as_ptr();
    let parts = [
        ("ids", Arc::ptr_eq(&a.users.ids, &b.users.ids)),
        ("names", Arc::ptr_eq(&a.users.names, &b.users.names)),
        ("emails", Arc::ptr_eq(&a.users.emails, &b.users.emails)),
        ("order", list(a) == list(b)),
        ("level", Arc::ptr_eq(&columns(a, 0), &columns(b, 0))),
        ("team", Arc::ptr_eq(&columns(a, 1), &columns(b, 1))),
        ("accounts", Arc::ptr_eq(&a.accounts.identities, &b.accounts.identities)),
        ("owners", Arc::ptr_eq(&a.accounts.owners, &b.accounts.owners)),
    ];
    parts.into_iter().filter(|(_, is_shared)| *is_shared).map(|(part, _)| part).collect()
}

#[test]
fn a_copy_shares_every_part_that_a_change_does_not_touch() {
    let ann = |level: u32| user(1, "Ann", "ann@corp.com", &[], json!({ "level": level, "team": "Red" }));
    let directory = Directory::of([
        Record::Attribute(attribute(1, "level", AttributeType::Number, &[])),
        Record::Attribute(attribute(2, "team", AttributeType::Text, &[])),
        Record::Integration(integration(1, "acme", IntegrationKind::GitHub)),
        Record::User(ann(1)),
        Record::IntegrationAccount(account(1, 1, None)),
    ]);
    let original = directory.index();
    let mut copy = original.clone();
    let all = ["ids", "names", "emails", "order", "level", "team", "accounts", "owners"];
    assert_eq!(shared(&original, &copy), all);
    copy.apply(2, vec![change(Record::User(ann(2)))]);
    assert_eq!(shared(&original, &copy), ["ids", "names", "emails", "order", "team", "accounts", "owners"]);
    copy.apply(3, vec![change(Record::IntegrationAccount(account(1, 1, Some(1))))]);
    assert_eq!(shared(&original, &copy), ["ids", "names", "emails", "order", "team", "accounts"]);
    copy.apply(4, vec![change(Record::User(user(2, "Bob", "bob@corp.com", &[], json!({}))))]);
    assert_eq!(shared(&original, &copy), ["team", "accounts"]);
}
