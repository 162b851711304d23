//! Text to tree, tree to text, and what is said of texts that are wrong.

mod complete;
mod draw;
mod laws;
mod refused;

use std::collections::BTreeSet;
use std::sync::Arc;

use chrono::{DateTime, NaiveDate};
use entity::attribute::AttributeType;
use entity::integration::{self, IntegrationKind};
use entity::{AttributeId, IntegrationId};
use serde_json::{Value as Json, json};
use uuid::Uuid;

use super::*;
use crate::filter::{CONDITIONS, Filter, VALUES, normalise};

fn attribute(number: u128, title: &str, r#type: AttributeType) -> Arc<attribute::Model> {
    let key = fold(title).replace(' ', "_");
    Arc::new(attribute::Model {
        id: AttributeId(Uuid::from_u128(number)),
        is_built_in: ["name", "email", "integration"].contains(&key.as_str()),
        readable_by: None,
        key,
        title: title.to_owned(),
        title_key: fold(title),
        description: String::new(),
        r#type,
        options: json!(["Rust", "Go", "SQL"]),
        is_required: false,
        is_unique: false,
        position: 0,
        version: 1,
        created_at: DateTime::UNIX_EPOCH,
        updated_at: DateTime::UNIX_EPOCH,
    })
}

fn integration(number: u128, name: &str) -> Arc<integration::Model> {
    Arc::new(integration::Model {
        id: IntegrationId(Uuid::from_u128(number)),
        kind: IntegrationKind::GitHub,
        name: name.to_owned(),
        name_key: fold(name),
        settings: None,
        schedule_minutes: None,
        version: 1,
        created_at: DateTime::UNIX_EPOCH,
        updated_at: DateTime::UNIX_EPOCH,
    })
}

fn user(number: u128) -> UserId {
    UserId(Uuid::from_u128(number))
}

fn unit(number: u128) -> OrgUnitId {
    OrgUnitId(Uuid::from_u128(number))
}

/// The paths of the units; each unit's number is its place here. The last is called as the first one's id is.
fn paths() -> [String; 4] {
    ["Platform".to_owned(), "Platform/SRE".to_owned(), "The \"best\" \\ Größe".to_owned(), unit(0).to_global()]
}

/// The users' emails; each user's number is its place here. The second has an email that is somebody else's.
const EMAILS: [&str; 3] = ["ann@corp.com", "ann@corp.com", "o'\"neil@corp.com"];

fn today() -> NaiveDate {
    "2026-03-31".parse().unwrap()
}

/// With attributes, an integration whose name is another one's id, `paths` and `EMAILS`.
fn with_names<T>(with: impl FnOnce(&Names<'_>) -> T) -> T {
    let attributes = [
        attribute(1, "Name", AttributeType::Text),
        attribute(2, "Email", AttributeType::Email),
        attribute(3, "Integration", AttributeType::Integration),
        attribute(4, "Department", AttributeType::Text),
        attribute(5, "Level", AttributeType::Number),
        attribute(6, "Start date", AttributeType::Date),
        attribute(7, "Manager", AttributeType::User),
        attribute(8, "Skills", AttributeType::MultiSelect),
        attribute(9, "Role", AttributeType::Select),
        attribute(10, "Remote", AttributeType::Boolean),
        attribute(11, "Not", AttributeType::Text),
        attribute(12, "2FA", AttributeType::Boolean),
    ];
    let integrations = [
        integration(1, "GitHub"),
        integration(2, "Acme \"Inc\""),
        integration(3, &IntegrationId(Uuid::from_u128(1)).to_global()),
    ];
    let paths = paths();
    let at =
        |path: &str| (0..).zip(&paths).find(|(_, known)| fold(known) == fold(path)).map(|(number, _)| unit(number));
    let number_of = |id: OrgUnitId| usize::try_from(id.0.as_u128()).unwrap();
    with(&Names {
        catalogue: &Catalogue {
            attributes: &attributes,
            integrations: &integrations,
            has_org_unit: &|id| number_of(id) < paths.len(),
            find_user: &|reference| {
                let known = (0..)
                    .zip(EMAILS)
                    .find(|(number, email)| user(*number).to_global() == reference || *email == reference);
                known.map(|(number, _)| user(number))
            },
            today: today(),
        },
        org_unit_at: &at,
        path_of: &|id| paths.get(number_of(id)).cloned(),
        nearest_path: &|path| crate::value::nearest(path, paths.iter().map(String::as_str)).map(str::to_owned),
        email_of: &|id| EMAILS.get(usize::try_from(id.0.as_u128()).unwrap()).map(|email| (*email).to_owned()),
    })
}

fn tree(json: Json) -> Filter {
    serde_json::from_value(json).unwrap()
}

/// What a text is read as, by id.
#[track_caller]
fn read(text: &str) -> Filter {
    with_names(|names| match parse(text, names) {
        Ok(parsed) => normalise(parsed.filter, names),
        Err(violation) => panic!("{text}\n{violation:?}"),
    })
}

fn printed(filter: &Filter) -> String {
    with_names(|names| print(filter, names)).unwrap()
}

/// `text` is read as `json`, which is printed as `text`.
#[track_caller]
fn is_canonical(text: &str, json: Json) {
    let filter = tree(json);
    assert_eq!(read(text), filter, "{text}");
    assert_eq!(printed(&filter), text);
}

fn on(key: &str, is: Json) -> Json {
    let attribute = Json::from_iter([("key", key.into()), ("is", is)]);
    Json::from_iter([("attribute", attribute)])
}

#[test]
fn every_condition_of_the_tree_has_one_text() {
    is_canonical(r#"department eq "Platform""#, on("department", json!({"equals": "Platform"})));
    is_canonical(r#"department ne "Platform""#, json!({"not": on("department", json!({"equals": "Platform"}))}));
    is_canonical("department pr", on("department", json!({"isEmpty": false})));
    is_canonical("department eq null", on("department", json!({"isEmpty": true})));
    is_canonical("department ne null", json!({"not": on("department", json!({"isEmpty": true}))}));
    is_canonical("not (department pr)", json!({"not": on("department", json!({"isEmpty": false}))}));
    is_canonical(r#"department in ["A", "B"]"#, on("department", json!({"in": ["A", "B"]})));
    is_canonical(r#"name co "50%_\"\\\n""#, json!({"name": {"contains": "50%_\"\\\n"}}));
    is_canonical(r#"name sw "van ""#, json!({"name": {"startsWith": "van "}}));
    is_canonical(r#"email ew "@corp.com""#, json!({"email": {"endsWith": "@corp.com"}}));
    is_canonical(r#"email ne "ann@corp.com""#, json!({"not": {"email": {"equals": "ann@corp.com"}}}));
    is_canonical("level lt 3", on("level", json!({"lessThan": 3.0})));
    is_canonical("level le -3.5", on("level", json!({"atMost": -3.5})));
    is_canonical("level gt 1e300", on("level", json!({"greaterThan": 1e300})));
    is_canonical("level ge 0", on("level", json!({"atLeast": 0.0})));
    is_canonical("level in [1, 2.5]", on("level", json!({"in": [1.0, 2.5]})));
    is_canonical("level between 1 and 2", on("level", json!({"between": {"from": 1.0, "to": 2.0}})));
    is_canonical(
        r#"start_date between "2026-01-01" and "2026-06-30""#,
        on("start_date", json!({"between": {"from": "2026-01-01", "to": "2026-06-30"}})),
    );
    is_canonical("start_date gt now-90d", on("start_date", json!({"greaterThan": "now-90d"})));
    is_canonical(
        "start_date between now-1y and now",
        on("start_date", json!({"between": {"from": "now-1y", "to": "now"}})),
    );
    is_canonical(
        r#"start_date in [now, now+2w, "2026-01-01"]"#,
        on("start_date", json!({"in": ["now", "now+2w", "2026-01-01"]})),
    );
    is_canonical("start_date ne now+1m", json!({"not": on("start_date", json!({"equals": "now+1m"}))}));
    assert_eq!(read("start_date LT Now-07D"), tree(on("start_date", json!({"lessThan": "now-7d"}))));
    assert_eq!(read(r#"start_date lt "NOW-07d""#), tree(on("start_date", json!({"lessThan": "now-7d"}))));
    // Only of DATE attributes `now` is a day.
    is_canonical(r#"department eq "now-90d""#, on("department", json!({"equals": "now-90d"})));
    is_canonical("remote eq true", on("remote", json!({"equals": true})));
    is_canonical("remote ne false", json!({"not": on("remote", json!({"equals": false}))}));
    is_canonical(r#"skills hasAny ["Rust", "Go"]"#, on("skills", json!({"hasAny": ["Rust", "Go"]})));
    is_canonical(r#"skills hasAll ["SQL"]"#, on("skills", json!({"hasAll": ["SQL"]})));
    is_canonical(r#""not" eq "x""#, on("not", json!({"equals": "x"})));
    is_canonical(r#""2fa" eq true"#, on("2fa", json!({"equals": true})));
}

#[test]
fn users_units_and_integrations_are_named_where_the_name_leads_back() {
    let ann = user(0).to_global();
    is_canonical(r#"manager eq "ann@corp.com""#, on("manager", json!({ "equals": ann })));
    is_canonical(
        r#"manager in ["ann@corp.com", "o'\"neil@corp.com"]"#,
        on("manager", json!({ "in": [ann, user(2).to_global()] })),
    );
    is_canonical(r#"manager reportsTo "ann@corp.com""#, on("manager", json!({ "reportsTo": ann })));
    let second = user(1).to_global();
    is_canonical(&format!(r#"manager eq "{second}""#), on("manager", json!({ "equals": second })));
    // Only of USER attributes is an id the id of a user.
    is_canonical(&format!(r#"department eq "{ann}""#), on("department", json!({ "equals": ann })));

    let member = |number, descendants| json!({"orgUnit": {"id": unit(number).to_global(), "descendants": descendants}});
    is_canonical(r#"memberOf "Platform/SRE""#, member(1, false));
    is_canonical(r#"memberOf "Platform" withDescendants"#, member(0, true));
    is_canonical(r#"memberOf "The \"best\" \\ Größe""#, member(2, false));
    let namesake = unit(3).to_global();
    is_canonical(&format!(r#"memberOf "{namesake}""#), member(3, false));
    let nowhere = unit(9).to_global();
    is_canonical(&format!(r#"memberOf "{nowhere}""#), member(9, false));

    let integration = |number| IntegrationId(Uuid::from_u128(number)).to_global();
    is_canonical(r#"accounts[integration eq "Acme \"Inc\""]"#, json!({"account": {"integration": integration(2)}}));
    is_canonical(
        &format!(r#"accounts[integration eq "{}"]"#, integration(3)),
        json!({"account": {"integration": integration(3)}}),
    );
}

#[test]
fn conditions_on_one_account_stand_in_square_brackets() {
    is_canonical("accounts pr", json!({"account": {}}));
    is_canonical("not (accounts pr)", json!({"not": {"account": {}}}));
    let github = IntegrationId(Uuid::from_u128(1)).to_global();
    is_canonical(
        r#"accounts[integration eq "GitHub" and username sw "a"]"#,
        json!({"account": {"integration": github, "username": {"startsWith": "a"}}}),
    );
    is_canonical(
        r#"accounts[kind eq "AZURE_DEVOPS" and username in ["a", "b"] and email eq null and displayName pr and isBot eq false]"#,
        json!({"account": {"kind": "AZURE_DEVOPS", "username": {"in": ["a", "b"]}, "email": {"isEmpty": true},
            "displayName": {"isEmpty": false}, "isBot": false}}),
    );
    assert_eq!(
        read(r#"ACCOUNTS [ isbot EQ True AND USERNAME co "x" and Kind eq "github"]"#),
        tree(json!({"account": {"kind": "GITHUB", "username": {"contains": "x"}, "isBot": true}}))
    );
}

#[test]
fn not_binds_tighter_than_and_which_binds_tighter_than_or() {
    let [a, b, c] = ["A", "B", "C"].map(|name| json!({"name": {"equals": name}}));
    let text = r#"name eq "A" or name eq "B" and not name eq "C""#;
    let expected = json!({"any": [a, {"all": [b, {"not": c}]}]});
    assert_eq!(read(text), tree(expected.clone()));
    is_canonical(r#"name eq "A" or (name eq "B" and name ne "C")"#, expected);
    is_canonical(r#"(name eq "A" or name eq "B") and name eq "C""#, json!({"all": [{"any": [a, b]}, c]}));
    is_canonical(r#"not (name eq "A" and name eq "B")"#, json!({"not": {"all": [a, b]}}));
    is_canonical(r#"not (not (name co "A"))"#, json!({"not": {"not": {"name": {"contains": "A"}}}}));
    is_canonical(r#"not (name ne "A")"#, json!({"not": {"not": a}}));
    is_canonical(r#"(name eq "A" and name eq "B") and name eq "C""#, json!({"all": [{"all": [a, b]}, c]}));
    is_canonical("everybody", json!({"all": []}));
    is_canonical(r#"nobody or name eq "A""#, json!({"any": [{"any": []}, a]}));
    assert_eq!(read(r#"(((name eq "A")))"#), tree(a.clone()));
    assert_eq!(printed(&tree(json!({"all": [{"any": [{"not": {"all": [a]}}]}]}))), r#"name ne "A""#);
}

#[test]
fn words_ignore_case_and_blanks_stand_where_they_like() {
    let expected = tree(
        json!({"all": [on("department", json!({"equals": "x"})), {"not": on("level", json!({"isEmpty": true}))}]}),
    );
    for text in [
        "department eq \"x\" and level ne null",
        "DEPARTMENT Eq \"x\"AND(Level NE Null)",
        "\r\n\tdepartment\u{a0}eq\n\"x\" and not\tlevel eq null ",
        "\"Department\" eq \"\\u0078\" and \"LEVEL\" ne null",
    ] {
        assert_eq!(read(text), expected, "{text}");
    }
    let since = on("start_date", json!({"atLeast": "2026-01-01"}));
    assert_eq!(read(r#""Start Date" ge "2026-01-01""#), tree(since));
    assert_eq!(read(r#"reportsTo "ann@corp.com""#), read(r#"manager reportsTo "ann@corp.com""#));
    assert_eq!(read(r#"memberOf "PLATFORM/sre""#), read(r#"memberOf "Platform/SRE""#));
}

#[test]
fn the_grammar_in_the_docs_has_every_word_that_is_read() {
    let (_, page) = include_str!("../../../docs/filters.md").split_once("```ebnf\n").unwrap();
    let (grammar, _) = page.split_once("```").unwrap();
    let shown: BTreeSet<&str> = grammar.split('"').skip(1).step_by(2).collect();
    let operators = OPERATORS.map(|(word, _)| word);
    let others =
        ["withDescendants", "null", "true", "false", "(", ")", "[", "]", ",", "now", "+", "-", "d", "w", "m", "y"];
    let read: BTreeSet<&str> = RESERVED.into_iter().chain(operators).chain(condition::ACCOUNT).chain(others).collect();
    assert_eq!(shown, read);
}

/// The examples of RFC 7644, section 3.4.2.2, with attributes that there are here.
#[test]
fn the_examples_of_the_rfc_are_read() {
    for (text, expected) in [
        (r#"name Eq "bjensen""#, json!({"name": {"equals": "bjensen"}})),
        (r#"name co "O'Malley""#, json!({"name": {"contains": "O'Malley"}})),
        (r#"name sw "J""#, json!({"name": {"startsWith": "J"}})),
        ("department pr", on("department", json!({"isEmpty": false}))),
        (r#"start_date gt "2011-05-13""#, on("start_date", json!({"greaterThan": "2011-05-13"}))),
        (r#"start_date ge "2011-05-13""#, on("start_date", json!({"atLeast": "2011-05-13"}))),
        (r#"start_date lt "2011-05-13""#, on("start_date", json!({"lessThan": "2011-05-13"}))),
        (r#"start_date le "2011-05-13""#, on("start_date", json!({"atMost": "2011-05-13"}))),
        (
            r#"department pr and role eq "Employee""#,
            json!({"all": [on("department", json!({"isEmpty": false})), on("role", json!({"equals": "Employee"}))]}),
        ),
        (
            r#"department pr or role eq "Intern""#,
            json!({"any": [on("department", json!({"isEmpty": false})), on("role", json!({"equals": "Intern"}))]}),
        ),
        (
            r#"role eq "Employee" and (email co "example.com" or email co "example.org")"#,
            json!({"all": [on("role", json!({"equals": "Employee"})),
                {"any": [{"email": {"contains": "example.com"}}, {"email": {"contains": "example.org"}}]}]}),
        ),
        (
            r#"role ne "Employee" and not (email co "example.com" or email co "example.org")"#,
            json!({"all": [{"not": on("role", json!({"equals": "Employee"}))},
                {"not": {"any": [{"email": {"contains": "example.com"}}, {"email": {"contains": "example.org"}}]}}]}),
        ),
        (
            r#"role eq "Employee" and accounts[kind eq "SLACK" and email co "@example.com"]"#,
            json!({"all": [on("role", json!({"equals": "Employee"})),
                {"account": {"kind": "SLACK", "email": {"contains": "@example.com"}}}]}),
        ),
        (
            r#"accounts[kind eq "SLACK" and email co "@example.com"] or accounts[kind eq "JIRA" and username co "@foo.com"]"#,
            json!({"any": [{"account": {"kind": "SLACK", "email": {"contains": "@example.com"}}},
                {"account": {"kind": "JIRA", "username": {"contains": "@foo.com"}}}]}),
        ),
    ] {
        assert_eq!(read(text), tree(expected), "{text}");
    }
}
