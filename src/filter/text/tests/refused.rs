//! What is said of texts that are wrong, in one snapshot.

use super::*;

/// Each text with what is wrong in it underlined.
const WRONG: &str = r#"
departmnet eq "x"
department equals "x"
department eg "x"
department = "x"
department == "x" && level > 3
department eq Platform
department eq 'x'
department eq “x”
department eq "x
department eq "\x"
department eq
department
eq "x"
department eq "x" level pr
department eq "x" and
and department pr
(department pr
department pr)
()
level eq "5"
level co "5"
level eq 1e999
level lt null
level between 3 and 1
level between 3
level in []
level in [1, 2
level in 1
level in [1,]
department eq ""
department co ""
start_date gt now-90
start_date gt now+2h
start_date gt now-36501d
start_date gt now -90d
start_date gt "now-1x"
start_date gt 5
department eq now-90d
level gt now
nowhere gt now-90d
accounts[username eq now]
start_date gt 2026-01-01
start_date gt "01.02.2026"
remote eq "yes"
skills eq "Rust"
skills hasAny ["Rust", "Goo"]
role in ["rust", "x", "sqll"]
email eq "ann"
manager eq "bob@corp.com"
integration eq "GitHub"
memberOf "Platfrom/SRE"
memberOf Platform
memberOf "Platform" withdescendents
accounts eq "x"
accounts[]
accounts[usrname eq "a"]
accounts[username ne "a"]
accounts[not (username eq "a")]
accounts[username eq "a" or username eq "b"]
accounts[username eq "a" and username eq "b"]
accounts[username lt "a"]
accounts[integration eq "GitHubb"]
accounts[integration eq "GitHub" and kind eq "SLACK"]
accounts[kind eq "GITHUBB"]
accounts[integration sw "Git"]
accounts[username eq ""]
urn:ietf:params:scim:schemas:core:2.0:User:userName eq "x"
name.familyName co "x"
"#;

fn explain(text: &str) -> String {
    let violations = with_names(|names| match parse(text, names) {
        Ok(parsed) => parsed.check(names).err().unwrap_or_default(),
        Err(violation) => vec![violation],
    });
    assert!(!violations.is_empty(), "{text}");
    let mut all = format!("{text}\n");
    for violation in violations {
        let width = text[violation.span.clone()].chars().count().max(1);
        all += &format!("{}{}\n", " ".repeat(violation.column - 1), "^".repeat(width));
        all += &format!("  {}: {}\n", violation.code, violation.message);
        if let Some(suggestion) = violation.suggestion {
            all += &format!("  suggestion: {suggestion}\n");
        }
    }
    all
}

#[test]
fn every_mistake_is_shown_with_its_place_and_what_would_be_right() {
    let all: Vec<String> = WRONG.trim().lines().map(explain).collect();
    insta::assert_snapshot!(all.join("\n"));
}

#[test]
fn all_that_the_check_refuses_is_told_at_once_with_line_and_column() {
    let text = "level eq true and\n  not (name hasAny [\"x\"]\n or é eq 1) and role in [\"Rust\", \"Pyhton\", \"goo\"]";
    let violations = with_names(|names| parse(text, names).unwrap().check(names)).unwrap_err();
    let told: Vec<_> = violations
        .iter()
        .map(|violation| (violation.line, violation.column, &text[violation.span.clone()], violation.code))
        .collect();
    assert_eq!(
        told,
        [
            (1, 10, "true", "WRONG_TYPE"),
            (2, 13, "hasAny", "WRONG_OPERATOR"),
            (3, 5, "é", "UNKNOWN_ATTRIBUTE"),
            (3, 34, "\"Pyhton\"", "UNKNOWN_OPTION"),
            (3, 44, "\"goo\"", "UNKNOWN_OPTION"),
        ]
    );
    assert_eq!(violations[1].expected, ["eq", "ne", "in", "co", "sw", "ew", "pr"]);
    assert_eq!(violations[4].suggestion.as_deref(), Some("\"Go\""));
}

#[test]
fn who_reports_to_somebody_is_said_by_the_only_attribute_of_type_user() {
    with_names(|names| {
        let with = |attributes: &[Arc<attribute::Model>]| {
            let catalogue = Catalogue { attributes, ..*names.catalogue };
            let names = Names { catalogue: &catalogue, ..*names };
            parse(r#"reportsTo "ann@corp.com""#, &names).map(|parsed| parsed.filter).map_err(|wrong| wrong.message)
        };
        let manager = attribute(1, "Manager", AttributeType::User);
        let mentor = attribute(2, "Mentor", AttributeType::User);
        assert_eq!(with(std::slice::from_ref(&manager)), Ok(tree(on("manager", json!({"reportsTo": "ann@corp.com"})))));
        let message = "expected `manager reportsTo` or `mentor reportsTo`, not `reportsTo`";
        assert_eq!(with(&[manager, mentor]), Err(message.to_owned()));
        assert_eq!(with(&[]), Err("no attribute is of type USER, so nobody reports to anybody".to_owned()));
    });
}
