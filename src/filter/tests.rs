//! What the check accepts, and what it says of what it refuses.

use std::sync::Arc;

use chrono::{DateTime, NaiveDate};
use entity::attribute::{self, AttributeType};
use entity::integration::{self, IntegrationKind};
use entity::{AttributeId, IntegrationId, OrgUnitId, UserId};
use serde_json::{Value as Json, json};
use uuid::Uuid;

use super::text::Names;
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
        readable_by: None,
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
        settings: None,
        schedule_minutes: None,
        version: 1,
        created_at: DateTime::UNIX_EPOCH,
        updated_at: DateTime::UNIX_EPOCH,
    };
    with(&Catalogue {
        attributes: &attributes,
        integrations: &[Arc::new(acme)],
        has_org_unit: &|id| id == OrgUnitId(Uuid::from_u128(1)),
        find_user: &|reference| (reference == "ann@corp.com" || reference == ann.to_global()).then_some(ann),
        today: NaiveDate::default(),
    })
}

fn with_names<T>(with: impl FnOnce(&Names<'_>) -> T) -> T {
    with_catalogue(|catalogue| {
        with(&Names {
            catalogue,
            org_unit_at: &|path| (path == "Platform").then_some(OrgUnitId(Uuid::from_u128(1))),
            path_of: &|_| None,
            nearest_path: &|_| Some("Platform".to_owned()),
            email_of: &|_| None,
        })
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
        on("started", json!({"atLeast": "now-9"})),
        "filter.attribute.is.atLeast NOT_A_DATE a day relative to today",
    );
    refuses(
        on("started", json!({"equals": "now+36501d"})),
        "filter.attribute.is.equals NOT_A_DATE a day is at most 36500 days",
    );
    refuses(on("level", json!({"atLeast": "now-9d"})), "filter.attribute.is.atLeast WRONG_TYPE `level` takes a number");
    refuses(json!({"text": "name pr"}), "filter.text UNREADABLE a filter that is stored has no text in it");
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
    let normal = with_names(|names| normalise(written.clone(), names));
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
        today: NaiveDate::default(),
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

/// The violations of a filter with texts, a line each: path, line and column, code, message.
fn complaints_of_texts(filter: Json) -> Vec<String> {
    let violations = with_names(|names| check_with_texts(&read(filter), names)).err().unwrap_or_default();
    let line = |Violation { path, code, message, place }: Violation| match place {
        Some(place) => format!("{path} {}:{} {code} {message}", place.line, place.column),
        None => format!("{path} {code} {message}"),
    };
    violations.into_iter().map(line).collect()
}

#[test]
fn a_text_stands_for_its_tree_wherever_it_is() {
    let checked = |filter: Json| with_names(|names| check_with_texts(&read(filter), names)).unwrap();
    let tree = json!({"all": [on("department", json!({"equals": "Mobile"})), {"not": {"any": [
        on("level", json!({"greaterThan": 3})), {"orgUnit": {"id": OrgUnitId(Uuid::from_u128(1)).to_global()}}]}}]});
    for written in [
        json!({"text": r#"department eq "Mobile" and not (level gt 3 or memberOf "Platform")"#}),
        json!({"all": [{"text": "department eq \"Mobile\""}, {"not": {"text": "level gt 3 or memberOf \"Platform\""}}]}),
        json!({"all": [on("department", json!({"equals": "Mobile"})), {"not": {"any": [
            {"text": "(level gt 3)"}, {"text": "memberOf \"Platform\""}]}}]}),
    ] {
        assert_eq!(checked(written.clone()), checked(tree.clone()), "{written}");
        let normal = with_names(|names| normalise(read(written), names));
        assert_eq!(normal, with_names(|names| normalise(read(tree.clone()), names)));
        assert!(!serde_json::to_string(&normal).unwrap().contains("text"));
    }
}

#[test]
fn what_is_wrong_in_a_text_has_its_place_in_the_text_and_that_of_the_text_in_the_tree() {
    let filter = json!({"all": [
        on("level", json!({"equals": "5"})),
        {"text": "name pr and\n  department in [\"Mobile\", \"Mobil\"] or memberOf \"Platfrom\""},
        {"not": {"text": "level gt"}},
        {"text": ""},
        {"name": {"contains": ""}},
    ]});
    assert_eq!(
        complaints_of_texts(filter),
        [
            "filter.all[0].attribute.is.equals WRONG_TYPE `level` takes a number, without quotes",
            "filter.all[1].text 2:28 UNKNOWN_OPTION `Mobil` is not an option of `department`; did you mean `Mobile`?",
            "filter.all[1].text 2:49 UNKNOWN_ORG_UNIT there is no org unit `Platfrom`; did you mean `Platform`?",
            "filter.all[2].not.text 1:9 SYNTAX expected a number, not the end",
            "filter.all[3].text 1:1 SYNTAX expected an attribute, `accounts`, `memberOf`, `reportsTo`, `everybody`, \
             `nobody`, `not` or `(`, not the end",
            "filter.all[4].name.contains EMPTY_TEXT the text is empty, which every value would match; \
             write `isEmpty: false`",
        ]
    );
    let places = with_names(|names| check_with_texts(&read(json!({"text": "é co \"x\""})), names)).unwrap_err();
    let place = places[0].place.as_deref().unwrap();
    assert_eq!((place.line, place.column, place.start, place.end), (1, 1, 0, 1));
}

#[test]
fn texts_spend_the_limits_of_the_whole_filter() {
    let codes =
        |filter: Json| complaints_of_texts(filter).into_iter().map(|line| line[..40].to_owned()).collect::<Vec<_>>();
    let names = |count: usize| vec!["name pr"; count].join(" or ");
    let twice = |more: usize| json!({"any": [{"text": names(100)}, {"text": names(100 + more)}]});
    assert_eq!(codes(twice(0)), [""; 0]);
    assert_eq!(codes(twice(1)), ["filter.any[1].text 1:1106 LIMIT_EXCEEDED"]);
    let deep = |levels: usize| {
        let text = json!({"text": "name pr or not (name pr and not name pr)"});
        (0..levels).fold(text, |inner, _| json!({"not": inner}))
    };
    assert_eq!(codes(deep(DEPTH - 5)), [""; 0]);
    assert_eq!(codes(deep(DEPTH - 4)), ["filter.not.not.not.not.not.not.not.not.t"]);
    let wrong = json!({"any": vec![json!({"text": "("}); 1_000]});
    assert_eq!(complaints_of_texts(wrong).len(), 100);
}

#[test]
fn either_form_is_read_from_one_text() {
    assert_eq!("  {\"all\": []}".parse(), Ok(Filter::All(vec![])));
    assert_eq!("name pr".parse(), Ok(Filter::Text("name pr".to_owned())));
    assert_eq!("{\"text\": \"name pr\"}".parse(), Ok(Filter::Text("name pr".to_owned())));
    let wrong = "{\"al\": []}".parse::<Filter>().unwrap_err();
    assert!(wrong.starts_with("this is not a filter: unknown variant `al`, expected"), "{wrong}");
}

#[test]
fn days_relative_to_today_are_those_of_the_catalogue() {
    let filter = |is: Json| read(on("started", is));
    let on_day = |today: &str, is: Json| {
        with_catalogue(|catalogue| {
            check(&filter(is), &Catalogue { today: today.parse().unwrap(), ..*catalogue }).unwrap()
        })
    };
    let test = |checked: &Checked| match checked.root() {
        Node::Attribute { test, .. } => test.clone(),
        other => panic!("{other:?}"),
    };
    let days = on_day("2026-03-31", json!({"in": ["now", "now-1m", "2026-03-31", "now+1w"]}));
    assert!(days.is_relative());
    let Test::In(keys) = test(&days) else { panic!("{days:?}") };
    let shown: Vec<String> = keys.iter().map(|key| key.to_date().unwrap().to_string()).collect();
    assert_eq!(shown, ["2026-02-28", "2026-03-31", "2026-04-07"]);
    assert!(!on_day("2026-03-31", json!({"equals": "2026-03-31"})).is_relative());

    // It is empty on some days only, so it is no mistake.
    let range = json!({"between": {"from": "2026-03-31", "to": "now"}});
    assert!(matches!(test(&on_day("2026-03-30", range.clone())), Test::Range { .. }));
    assert_ne!(on_day("2026-03-30", range.clone()), on_day("2026-03-31", range));
    let normal = with_names(|names| normalise(filter(json!({"atLeast": " NOW-090D "})), names));
    assert_eq!(normal, filter(json!({"atLeast": "now-90d"})));
}
