//! What the check accepts, and what it says of what it refuses.

use std::sync::Arc;

use chrono::DateTime;
use entity::attribute::{self, AttributeType};
use entity::integration::{self, IntegrationKind};
use entity::{AttributeId, IntegrationId, OrgUnitId, UserId};
use serde_json::{Value as Json, json};
use uuid::Uuid;

use super::*;
use crate::value::GlobalId;

fn attribute(number: u128, key: &str, r#type: AttributeType) -> Arc<attribute::Model> {
    Arc::new(attribute::Model {
        id: AttributeId(Uuid::from_u128(number)),
        key: key.to_owned(),
        title: key.to_owned(),
        title_key: key.to_owned(),
        description: String::new(),
        r#type,
        options: json!(["Platform", "Mobile"]),
        is_required: false,
        is_unique: false,
        is_built_in: ["name", "integration"].contains(&key),
        position: 0,
        version: 1,
        created_at: DateTime::UNIX_EPOCH,
        updated_at: DateTime::UNIX_EPOCH,
    })
}

fn with_catalogue<T>(with: impl FnOnce(&Catalogue<'_>) -> T) -> T {
    let ann = UserId(Uuid::from_u128(1));
    let attributes = [
        attribute(1, "name", AttributeType::Text),
        attribute(2, "integration", AttributeType::Integration),
        attribute(3, "department", AttributeType::Select),
        attribute(4, "level", AttributeType::Number),
        attribute(5, "started", AttributeType::Date),
        attribute(6, "manager", AttributeType::User),
        attribute(7, "skills", AttributeType::MultiSelect),
        attribute(8, "remote", AttributeType::Boolean),
    ];
    let acme = integration::Model {
        id: IntegrationId(Uuid::from_u128(1)),
        kind: IntegrationKind::GitHub,
        name: "Acme".to_owned(),
        name_key: "acme".to_owned(),
        version: 1,
        created_at: DateTime::UNIX_EPOCH,
        updated_at: DateTime::UNIX_EPOCH,
    };
    with(&Catalogue {
        attributes: &attributes,
        integrations: &[Arc::new(acme)],
        has_org_unit: &|id| id == OrgUnitId(Uuid::from_u128(1)),
        find_user: &|reference| (reference == "ann@corp.com" || reference == ann.to_global()).then_some(ann),
    })
}

fn read(filter: Json) -> Filter {
    serde_json::from_value(filter).unwrap()
}

/// The violations of a filter, a line each: path, code, message.
fn complaints(filter: &Filter) -> Vec<String> {
    let violations = with_catalogue(|catalogue| check(filter, catalogue)).err().unwrap_or_default();
    violations.iter().map(|violation| format!("{} {} {}", violation.path, violation.code, violation.message)).collect()
}

#[track_caller]
fn refuses(filter: Json, expected: &str) {
    let complaints = complaints(&read(filter));
    assert!(complaints.len() == 1 && complaints[0].starts_with(expected), "{complaints:#?}");
}

fn on(key: &str, is: Json) -> Json {
    let attribute = Json::from_iter([("key", key.into()), ("is", is)]);
    Json::from_iter([("attribute", attribute)])
}

#[test]
fn every_mistake_is_told_with_its_place_and_what_would_be_right() {
    refuses(
        on("departmnet", json!({"equals": "x"})),
        "filter.attribute.key UNKNOWN_ATTRIBUTE there is no attribute `departmnet`; did you mean `department`?",
    );
    refuses(
        on("name", json!({"equals": "x"})),
        "filter.attribute.key BUILT_IN_ATTRIBUTE `name` is built in; write `name:`",
    );
    refuses(
        on("integration", json!({"equals": "x"})),
        "filter.attribute.key BUILT_IN_ATTRIBUTE `integration` is built in; write `account:`",
    );
    refuses(
        on("department", json!({"in": ["mobile", "platfrom"]})),
        "filter.attribute.is.in[1] UNKNOWN_OPTION `platfrom` is not an option of `department`; did you mean `Platform`?",
    );
    refuses(
        on("level", json!({"contains": "5"})),
        "filter.attribute.is.contains WRONG_OPERATOR `level` does not take contains; it takes equals, in, lessThan",
    );
    refuses(on("level", json!({"equals": "5"})), "filter.attribute.is.equals WRONG_TYPE `level` takes a number");
    refuses(
        on("remote", json!({"equals": "yes"})),
        "filter.attribute.is.equals WRONG_TYPE `remote` takes true or false",
    );
    refuses(on("started", json!({"atLeast": "1.2.2020"})), "filter.attribute.is.atLeast NOT_A_DATE");
    refuses(
        on("level", json!({"between": {"from": 3, "to": 1}})),
        "filter.attribute.is.between EMPTY_RANGE `from` is greater than `to`",
    );
    refuses(on("manager", json!({"reportsTo": "bob@corp.com"})), "filter.attribute.is.reportsTo UNKNOWN_USER");
    refuses(on("skills", json!({"hasAny": []})), "filter.attribute.is.hasAny EMPTY_LIST");
    refuses(
        on("department", json!({"in": []})),
        "filter.attribute.is.in EMPTY_LIST the list is empty; name at least one",
    );
    refuses(json!({"name": {"contains": ""}}), "filter.name.contains EMPTY_TEXT");
    refuses(json!({"email": {"equals": "ann"}}), "filter.email.equals NOT_AN_EMAIL");
    refuses(
        json!({"account": {"integration": "acmee"}}),
        "filter.account.integration UNKNOWN_INTEGRATION there is no integration `acmee`; did you mean `Acme`?",
    );
    refuses(json!({"account": {"integration": "acme", "kind": "SLACK"}}), "filter.account.integration CONTRADICTION");
    refuses(json!({"account": {"username": {"lessThan": 3}}}), "filter.account.username.lessThan WRONG_OPERATOR");
    refuses(json!({"orgUnit": {"id": "usr_1"}}), "filter.orgUnit.id UNKNOWN_ORG_UNIT expected an org unit id");
}

#[test]
fn all_mistakes_are_told_at_once() {
    let filter =
        json!({"all": [on("level", json!({"equals": true})), {"not": {"any": [{"name": {"hasAny": ["x"]}}]}}]});
    let complaints = complaints(&read(filter));
    let places: Vec<&str> = complaints.iter().filter_map(|line| line.split(' ').next()).collect();
    assert_eq!(places, ["filter.all[0].attribute.is.equals", "filter.all[1].not.any[0].name.hasAny"]);
}

#[test]
fn filters_are_bounded_in_depth_conditions_and_values() {
    let deep = |levels: usize| (1..levels).fold(Filter::All(vec![]), |inner, _| Filter::Not(inner.into()));
    assert_eq!(complaints(&deep(DEPTH)), [""; 0]);
    assert!(complaints(&deep(DEPTH + 1))[0].contains("LIMIT_EXCEEDED a filter nests at most 12 deep"));
    let wide = |parts: usize| Filter::Any(vec![Filter::Name(Condition::IsEmpty(true)); parts]);
    assert_eq!(complaints(&wide(CONDITIONS)), [""; 0]);
    let complaint = complaints(&wide(CONDITIONS + 2_000));
    assert!(complaint.len() == 1 && complaint[0].contains("LIMIT_EXCEEDED a filter has at most 200"), "{complaint:?}");
    let long = |values: usize| Filter::Name(Condition::In(vec![Scalar::Text("x".to_owned()); values]));
    assert_eq!(complaints(&long(VALUES)), [""; 0]);
    assert!(complaints(&long(VALUES + 1))[0].contains("LIMIT_EXCEEDED a list has at most 1000"));
}

#[test]
fn a_checked_filter_tells_what_it_refers_to() {
    let filter = read(json!({"all": [
        on("Department", json!({"in": ["MOBILE"]})),
        on("manager", json!({"reportsTo": "ann@corp.com"})),
        {"orgUnit": {"id": OrgUnitId(Uuid::from_u128(1)).to_global(), "descendants": true}},
        {"account": {"integration": "ACME"}},
    ]}));
    let checked = with_catalogue(|catalogue| check(&filter, catalogue)).unwrap();
    assert_eq!(checked.attribute_keys().collect::<Vec<_>>(), ["department", "manager"]);
    assert_eq!(
        checked.options().map(|(key, option)| (key, option.as_bytes())).collect::<Vec<_>>(),
        [("department", b"mobile".as_slice())]
    );
    assert_eq!(checked.org_units().collect::<Vec<_>>(), [(OrgUnitId(Uuid::from_u128(1)), true)]);
    assert_eq!(checked.users().collect::<Vec<_>>(), [UserId(Uuid::from_u128(1))]);
    assert_eq!(checked.integrations().collect::<Vec<_>>(), [IntegrationId(Uuid::from_u128(1))]);
}

#[test]
fn the_stored_form_refers_by_id_and_reads_back() {
    let written = read(json!({"any": [
        on("Manager", json!({"in": ["ann@corp.com"]})),
        {"account": {"integration": "acme", "isBot": false}},
    ]}));
    let normal = with_catalogue(|catalogue| normalise(written.clone(), catalogue));
    let expected = json!({"any": [
        on("manager", json!({"in": [UserId(Uuid::from_u128(1)).to_global()]})),
        {"account": {"integration": IntegrationId(Uuid::from_u128(1)).to_global(), "isBot": false}},
    ]});
    assert_eq!(serde_json::to_value(&normal).unwrap(), expected);
    assert_eq!(read(expected), normal);
    with_catalogue(|catalogue| assert_eq!(check(&normal, catalogue), check(&written, catalogue)));
}

#[test]
fn a_filter_full_of_mistakes_is_not_looked_at_to_its_end() {
    let options: Vec<String> = (0..1_000).map(|n| format!("Option {n}")).collect();
    let mut chosen = attribute(1, "chosen", AttributeType::Select).as_ref().clone();
    chosen.options = options.clone().into();
    let catalogue = Catalogue {
        attributes: &[Arc::new(chosen)],
        integrations: &[],
        has_org_unit: &|_| false,
        find_user: &|_| None,
    };
    let all = |values: Vec<String>| {
        let filter = on("chosen", json!({ "in": values }));
        check(&read(json!({ "all": vec![filter; CONDITIONS] })), &catalogue)
    };
    // To search what was meant by each of 200,000 values among 1,000 options would take minutes.
    let wrong = all((0..1_000).map(|n| format!("option number {n}")).collect());
    assert_eq!(wrong.map_err(|violations| violations.len()), Err(100));
    assert!(all(options).is_ok());
}
