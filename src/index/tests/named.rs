//! A cast of a few people, and lists of their names.

use entity::attribute::AttributeType;
use entity::integration::IntegrationKind;
use entity::org_unit::OrgUnitScope;
use serde_json::{Value as Json, json};

use super::directory::*;
use super::laws::counted;
use crate::filter::Filter;
use crate::index::{AccountBy, Cursor, FacetWindow, Index, Members, NotACursor, Order, OrderBy, PageError, Window};
use crate::record::{Change, Record, RecordId};
use crate::value::GlobalId;

/// Ann leads; Bob and Cleo report to her, Dan to Bob; Änne has an umlaut; Flo has next to nothing.
pub(super) fn cast() -> Directory {
    let reports_to = |number: usize| user_id(number).0.simple().to_string();
    let mut github = account(1, 1, Some(2));
    github.username = Some("Bobby".to_owned());
    let mut bot = account(2, 1, Some(1));
    bot.username = Some("deploy".to_owned());
    bot.is_bot = true;
    let mut slack = account(3, 2, Some(2));
    slack.email = Some("bob@corp.com".to_owned());
    let mut stray = account(4, 1, None);
    stray.username = Some("bobby".to_owned());
    let mut pinned = unit(2, Some(1), OrgUnitScope::Parent, Some(read(json!({"name": {"contains": "o"}}))));
    pinned.pinned.insert(user_id(6));
    pinned.excluded.insert(user_id(2));
    let platform = read(json!({"attribute": {"key": "department", "is": {"equals": "platform"}}}));
    Directory::of([
        Record::Attribute(attribute(0, "name", AttributeType::Text, &[])),
        Record::Attribute(attribute(1, "department", AttributeType::Select, &["Platform", "Mobile"])),
        Record::Attribute(attribute(2, "level", AttributeType::Number, &[])),
        Record::Attribute(attribute(3, "manager", AttributeType::User, &[])),
        Record::Attribute(attribute(4, "skills", AttributeType::MultiSelect, &["Go", "Rust", "SQL"])),
        Record::Integration(integration(1, "acme", IntegrationKind::GitHub)),
        Record::Integration(integration(2, "Acme chat", IntegrationKind::Slack)),
        Record::User(user(1, "Ann", "ann@corp.com", &[], json!({"department": "Platform", "level": 9}))),
        Record::User(user(
            2,
            "Bob",
            "bob@corp.com",
            &["bob@home.org"],
            json!({"department": "Platform", "level": 5, "manager": reports_to(1), "skills": ["Go", "Rust"]}),
        )),
        Record::User(user(
            3,
            "Cleo",
            "cleo@corp.com",
            &[],
            json!({"department": "Mobile", "level": 5.5, "manager": reports_to(1), "skills": ["Rust"]}),
        )),
        Record::User(user(4, "Dan", "dan@corp.com", &[], json!({"level": -2, "manager": reports_to(2)}))),
        Record::User(user(5, "Änne", "aenne@corp.com", &[], json!({"department": "Platform"}))),
        Record::User(user(6, "Flo", "flo@home.org", &[], json!({}))),
        Record::IntegrationAccount(github),
        Record::IntegrationAccount(bot),
        Record::IntegrationAccount(slack),
        Record::IntegrationAccount(stray),
        Record::OrgUnit(unit(1, None, OrgUnitScope::All, Some(platform))),
        Record::OrgUnit(pinned),
    ])
}

fn read(filter: Json) -> Filter {
    serde_json::from_value(filter).unwrap()
}

fn all(by: OrderBy, descending: bool) -> Order {
    Order { by, descending }
}

fn names(directory: &Directory, index: &Index, members: &Members, order: &Order) -> String {
    let page = index.page(members, order, &Window::default()).unwrap();
    page.ids.iter().map(|(id, _)| directory.users[id].row.name.as_str()).collect::<Vec<_>>().join(" ")
}

#[track_caller]
fn selects(filter: Json, expected: &str) {
    let directory = cast();
    let index = directory.index();
    let members = index.select(&index.check(&read(filter)).unwrap());
    assert_eq!(names(&directory, &index, &members, &all(OrderBy::Created, false)), expected);
}

#[test]
fn filters_select_the_people_that_they_describe() {
    let attribute = |key: &str, is: Json| json!({"attribute": {"key": key, "is": is}});
    selects(json!({"all": []}), "Ann Bob Cleo Dan Änne Flo");
    selects(json!({"any": []}), "");
    selects(attribute("department", json!({"equals": "PLATFORM"})), "Ann Bob Änne");
    selects(json!({"not": attribute("department", json!({"equals": "platform"}))}), "Cleo Dan Flo");
    selects(attribute("department", json!({"isEmpty": true})), "Dan Flo");
    selects(attribute("department", json!({"in": ["mobile", "platform"]})), "Ann Bob Cleo Änne");
    selects(attribute("department", json!({"endsWith": "ILE"})), "Cleo");
    selects(attribute("level", json!({"between": {"from": 5, "to": 5.5}})), "Bob Cleo");
    selects(attribute("level", json!({"lessThan": 5})), "Dan");
    selects(attribute("level", json!({"greaterThan": 5})), "Ann Cleo");
    selects(attribute("skills", json!({"hasAny": ["go", "sql"]})), "Bob");
    selects(attribute("skills", json!({"hasAll": ["rust"]})), "Bob Cleo");
    selects(attribute("manager", json!({"equals": "ann@corp.com"})), "Bob Cleo");
    selects(attribute("manager", json!({"reportsTo": "ann@corp.com"})), "Bob Cleo Dan");
    selects(json!({"name": {"startsWith": "ä"}}), "Änne");
    selects(json!({"name": {"contains": "NN"}}), "Ann Änne");
    selects(json!({"email": {"endsWith": "@home.org"}}), "Bob Flo");
    selects(json!({"email": {"equals": "Bob@HOME.org"}}), "Bob");
    selects(json!({"account": {}}), "Ann Bob");
    selects(json!({"account": {"kind": "SLACK"}}), "Bob");
    selects(json!({"account": {"integration": "ACME", "isBot": false}}), "Bob");
    selects(json!({"account": {"username": {"isEmpty": true}}}), "Bob");
    selects(json!({"account": {"kind": "SLACK", "username": {"equals": "bobby"}}}), "");
    selects(json!({"orgUnit": {"id": unit_id(1).to_global()}}), "Ann Bob Änne");
    selects(json!({"orgUnit": {"id": unit_id(2).to_global()}}), "Flo");
    selects(json!({"orgUnit": {"id": unit_id(1).to_global(), "descendants": true}}), "Ann Bob Änne Flo");
}

#[test]
fn orders_put_users_without_a_value_last_and_reverse_exactly() {
    let directory = cast();
    let index = directory.index();
    let everybody = index.everybody();
    for (by, expected) in [
        (OrderBy::Name, "Ann Bob Cleo Dan Flo Änne"),
        (OrderBy::Email, "Änne Ann Bob Cleo Dan Flo"),
        (OrderBy::Attribute("level".to_owned()), "Dan Bob Cleo Ann Flo Änne"),
        (OrderBy::Attribute("department".to_owned()), "Cleo Ann Bob Änne Dan Flo"),
    ] {
        assert_eq!(names(&directory, &index, &everybody, &all(by.clone(), false)), expected);
        let reversed = expected.split(' ').rev().collect::<Vec<_>>().join(" ");
        assert_eq!(names(&directory, &index, &everybody, &all(by, true)), reversed);
    }
    let skills = all(OrderBy::Attribute("skills".to_owned()), false);
    assert_eq!(index.page(&everybody, &skills, &Window::default()), Err(PageError::NotSortable("skills".to_owned())));
}

#[test]
fn a_cursor_outlives_its_user_and_belongs_to_one_order() {
    let directory = cast();
    let mut index = directory.index();
    let order = all(OrderBy::Name, false);
    let first = index.page(&index.everybody(), &order, &Window { first: Some(2), ..Window::default() }).unwrap();
    assert!(first.has_next && !first.has_previous);
    let text = first.ids[1].1.encode();
    index.apply(2, vec![Change { id: RecordId::User(user_id(2)), after: None }]);
    let cursor = Cursor::decode(&text, &order).unwrap();
    let window = Window { first: Some(2), after: Some(&cursor), ..Window::default() };
    let next = index.page(&index.everybody(), &order, &window).unwrap();
    assert_eq!(next.ids.iter().map(|(id, _)| *id).collect::<Vec<_>>(), [user_id(3), user_id(4)]);
    assert!(next.has_next && next.has_previous);
    assert_eq!(Cursor::decode(&text, &all(OrderBy::Email, false)), Err(NotACursor::OtherOrder));
    assert_eq!(Cursor::decode("bm9uc2Vuc2U", &order), Err(NotACursor::Unreadable));
}

#[test]
fn accounts_resolve_to_their_owners() {
    let index = cast().index();
    let resolve = |integration, by| {
        index.resolve(integration_id(integration), by).map(|found| (found.account, found.owner, found.ambiguous))
    };
    assert_eq!(resolve(1, AccountBy::ExternalId("x1")), Some((account_id(1), Some(user_id(2)), false)));
    assert_eq!(resolve(2, AccountBy::ExternalId("x1")), None);
    assert_eq!(resolve(1, AccountBy::Username("BOBBY")), Some((account_id(1), Some(user_id(2)), true)));
    assert_eq!(resolve(2, AccountBy::Email("bob@corp.com")), Some((account_id(3), Some(user_id(2)), false)));
    assert_eq!(resolve(1, AccountBy::ExternalId("x4")), Some((account_id(4), None, false)));
}

#[test]
fn facets_count_each_option_and_those_without() {
    let index = cast().index();
    let facets = |key: &str| {
        let (facets, without) = counted(&index, &index.everybody(), key).unwrap();
        let facets: Vec<String> =
            facets.iter().map(|(key, count)| format!("{} {count}", String::from_utf8_lossy(key.as_bytes()))).collect();
        format!("{} ({without})", facets.join(", "))
    };
    assert_eq!(facets("department"), "platform 3, mobile 1 (2)");
    assert_eq!(facets("skills"), "rust 2, go 1 (4)");
    assert_eq!(counted(&index, &index.everybody(), "nothing"), None);
}

#[test]
fn units_that_go_round_in_a_circle_are_named_and_have_nobody() {
    let mut directory = cast();
    let asks = |number| Some(read(json!({"not": {"orgUnit": {"id": unit_id(number).to_global()}}})));
    for record in [unit(3, None, OrgUnitScope::All, asks(4)), unit(4, None, OrgUnitScope::All, asks(3))] {
        directory.change(&Change { id: RecordId::OrgUnit(record.row.id), after: Some(Record::OrgUnit(record)) });
    }
    let index = directory.index();
    assert_eq!(index.member_counts(&[unit_id(3), unit_id(4), unit_id(1)]), [0, 0, 3]);
    let mut circle = index.org_unit_cycle(&[]);
    circle.sort();
    assert_eq!(circle, [unit_id(3), unit_id(4)]);
}

#[test]
fn a_circle_through_the_units_below_is_a_circle() {
    let mut directory = cast();
    let asks = read(json!({"orgUnit": {"id": unit_id(1).to_global(), "descendants": true}}));
    let below = unit(3, Some(2), OrgUnitScope::All, Some(asks));
    directory.change(&Change { id: RecordId::OrgUnit(unit_id(3)), after: Some(Record::OrgUnit(below)) });
    let index = directory.index();
    assert_eq!(index.org_unit_cycle(&[]), [unit_id(3)]);
    assert_eq!(index.member_counts(&[unit_id(1), unit_id(2), unit_id(3)]), [3, 1, 0]);
}

#[test]
fn losing_the_only_account_in_a_tool_is_seen() {
    let mut directory = cast();
    let mut index = directory.index();
    let kind = read(json!({"account": {"kind": "SLACK"}}));
    let few = read(json!({"all": [{"name": {"equals": "bob"}}, {"account": {"username": {"isEmpty": true}}}]}));
    let select = |index: &Index, filter: &Filter| index.select(&index.check(filter).unwrap()).len();
    assert_eq!((select(&index, &kind), select(&index, &few)), (1, 1));
    let gone = Change { id: RecordId::IntegrationAccount(account_id(3)), after: None };
    directory.change(&gone);
    index.apply(2, vec![gone]);
    assert_eq!((select(&index, &kind), select(&index, &few)), (0, 0));
}

#[test]
fn members_of_another_build_are_refused() {
    let index = cast().index();
    let other = crate::index::Loader::new(1, Vec::new(), Vec::new()).finish(Vec::new());
    let order = all(OrderBy::Name, false);
    assert!(matches!(other.page(&index.everybody(), &order, &Window::default()), Err(PageError::OtherEpoch(_))));
    assert!(index.everybody().union(&other.everybody()).is_err());
}

#[test]
fn a_user_and_accounts_may_come_in_any_order_of_one_changeset() {
    let mut index = cast().index();
    let mut slack = account(9, 2, Some(9));
    slack.username = Some("zed".to_owned());
    let zed = user(9, "Zed", "zed@corp.com", &[], json!({"manager": user_id(10).0.simple().to_string()}));
    let change = |record: Record| Change { id: record.id(), after: Some(record) };
    let boss = user(10, "Boss", "boss@corp.com", &[], json!({}));
    index.apply(
        2,
        vec![change(Record::IntegrationAccount(slack)), change(Record::User(zed)), change(Record::User(boss))],
    );
    assert_eq!(index.resolve(integration_id(2), AccountBy::Username("zed")).unwrap().owner, Some(user_id(9)));
    let filter = json!({"attribute": {"key": "manager", "is": {"reportsTo": "boss@corp.com"}}});
    let below = index.select(&index.check(&read(filter)).unwrap());
    assert_eq!(below, index.these(&[user_id(9)]));
    assert_eq!(index.org_units_of(&[user_id(9), user_id(6)]), [vec![], vec![unit_id(2)]]);
}

#[test]
fn a_copy_says_what_the_members_would_be() {
    let index = cast().index();
    let units = [unit_id(1), unit_id(2)];
    let change = |record: Record| Change { id: record.id(), after: Some(record) };
    let mut after = index.clone();
    let in_platform =
        |name: &str, number| user(number, name, &format!("u{number}@corp.com"), &[], json!({"department": "platform"}));
    after.apply(2, vec![change(Record::User(in_platform("Zoe", 9))), change(Record::User(in_platform("Dan", 4)))]);
    after.apply(2, vec![Change { id: RecordId::User(user_id(1)), after: None }]);
    assert_eq!(after.member_counts(&units), [4, 2]);
    assert_eq!(index.member_counts(&units), [3, 1]);
    assert_eq!((index.user_count(), index.version(), after.version()), (6, 0, 2));
}

#[test]
fn members_of_a_copy_that_has_changed_are_refused() {
    let mut index = cast().index();
    let mut copy = index.clone();
    let before = index.everybody();
    assert_eq!(before.union(&copy.everybody()), Ok(before.clone()));
    let change = |record: Record| Change { id: record.id(), after: Some(record) };
    copy.apply(2, vec![change(Record::User(user(8, "Here", "here@corp.com", &[], json!({}))))]);
    index.apply(2, vec![change(Record::User(user(9, "There", "there@corp.com", &[], json!({}))))]);
    let again = copy.clone();
    assert!(index.everybody().union(&copy.everybody()).is_err());
    assert!(copy.ids_by_name(&before).is_err());
    assert!(copy.facets(&index.everybody(), "department", &FacetWindow::ALL).is_err());
    assert_eq!(index.ids_by_name(&before).unwrap().len(), 6);
    assert_eq!(again.everybody(), copy.everybody());
}
