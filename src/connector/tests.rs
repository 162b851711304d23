#![expect(clippy::needless_pass_by_value, reason = "JSON is written where it is used")]

use entity::integration::IntegrationKind;
use sea_orm::Iterable;
use serde_json::{Value as Json, json};

use super::*;

fn policy() -> Policy {
    Policy { repositories: Some("repositories".into()), ..Policy::default() }
}

fn wrong(kind: IntegrationKind, settings: Json) -> Vec<String> {
    let violations = Settings::parse(kind, &settings, &policy()).unwrap_err();
    violations
        .into_iter()
        .map(|violation| format!("{} {}: {}", violation.path, violation.code, violation.message))
        .collect()
}

#[test]
fn settings_have_defaults_and_are_read_back_from_what_they_are_written_as() {
    use IntegrationKind::{Git, GitHub, GitLab, Harness, Jira, Slack};
    let cases = [
        (
            GitHub,
            json!({ "organization": " acme " }),
            json!({ "organization": "acme", "baseUrl": "https://github.com" }),
        ),
        (
            Jira,
            json!({ "baseUrl": "https://acme.atlassian.net/", "email": "ann@corp.example" }),
            json!({ "baseUrl": "https://acme.atlassian.net", "deployment": "CLOUD", "email": "ann@corp.example",
                    "includeCustomers": false }),
        ),
        (
            Jira,
            json!({ "baseUrl": "https://corp.example/jira/" }),
            json!({ "baseUrl": "https://corp.example/jira", "deployment": "DATA_CENTER", "includeCustomers": false }),
        ),
        (Slack, Json::Null, json!({ "includeGuests": true, "baseUrl": "https://slack.com/api" })),
        (
            Harness,
            json!({ "accountId": "a_B-1" }),
            json!({ "accountId": "a_B-1", "baseUrl": "https://app.harness.io" }),
        ),
        (
            GitLab,
            json!({ "group": "/acme/platform/", "baseUrl": null }),
            json!({ "group": "acme/platform", "baseUrl": "https://gitlab.com" }),
        ),
        (Git, json!({ "repository": "a/b.git" }), json!({ "repository": "a/b.git", "includeCommitters": true })),
    ];
    for (kind, given, written) in cases {
        let settings = Settings::parse(kind, &given, &policy()).unwrap();
        assert_eq!(serde_json::to_value(&settings).unwrap(), written);
        assert_eq!(Settings::parse(kind, &written, &policy()).unwrap(), settings);
        assert_eq!(settings.needs_credential(), kind != Git);
    }
}

#[test]
fn every_mistake_in_settings_is_told_with_its_path_and_the_mend() {
    use IntegrationKind::{Git, GitHub, GitLab, Harness, Jira, Slack};
    assert_eq!(
        wrong(GitHub, json!({ "organisation": "acme", "baseUrl": 7, "x": 1 })),
        [
            "settings.baseUrl NOT_TEXT: this is a text",
            "settings.organization REQUIRED: this is the organisation's login, such as acme",
            "settings.organisation UNKNOWN_SETTING: there is no such setting; `organization` is one",
            "settings.x UNKNOWN_SETTING: there is no such setting; there are `baseUrl`, `organization`",
        ]
    );
    assert_eq!(
        wrong(Jira, json!({ "baseUrl": "acme.atlassian.net" })),
        ["settings.baseUrl NOT_A_URL: `acme.atlassian.net` is no address; write it in full, such as \
          https://acme.atlassian.net"]
    );
    let one = |kind, settings, start: &str| {
        let all = wrong(kind, settings);
        assert!(all.iter().any(|violation| violation.starts_with(start)), "{start}: {all:?}");
    };
    one(GitHub, json!([]), "settings NOT_AN_OBJECT");
    one(GitHub, json!({ "organization": "a/b" }), "settings.organization NOT_A_NAME");
    one(GitHub, json!({ "organization": "a".repeat(501) }), "settings.organization NOT_A_NAME");
    one(GitHub, json!({ "organization": "" }), "settings.organization REQUIRED");
    one(Jira, json!({}), "settings.baseUrl REQUIRED");
    one(Jira, json!({ "baseUrl": "https://acme.atlassian.net" }), "settings.email REQUIRED");
    one(Jira, json!({ "baseUrl": "https://j.example", "email": "a@b.example" }), "settings.email NOT_FOR_THIS");
    one(Jira, json!({ "baseUrl": "https://j.example", "deployment": "Cloud" }), "settings.deployment NOT_AN_OPTION");
    one(Jira, json!({ "baseUrl": "https://j.atlassian.net", "email": "a:b@c.example" }), "settings.email NOT_AN_EMAIL");
    one(Slack, json!({ "includeGuests": "no" }), "settings.includeGuests NOT_A_BOOLEAN");
    one(Slack, json!({ "team": "../x" }), "settings.team NOT_A_NAME");
    one(Harness, json!({ "accountId": "a&b=c" }), "settings.accountId NOT_A_NAME");
    one(GitLab, json!({}), "settings.group REQUIRED");
    one(GitLab, json!({ "group": "a/../b" }), "settings.group NOT_A_NAME");
    for url in
        ["ftp://x.example", "https://", "https://u:p@x.example", "https://x.example/?a=b", "https://x.example/#a"]
    {
        one(GitLab, json!({ "baseUrl": url }), "settings.baseUrl NOT_A_URL");
    }
    one(Git, json!({ "repository": "../secrets" }), "settings.repository PATH_REFUSED");
    let violations = Settings::parse(Git, &json!({ "repository": "a" }), &Policy::default()).unwrap_err();
    assert_eq!(violations[0].code, "NO_REPOSITORIES");
}

#[test]
fn kinds_without_a_connector_say_how_their_accounts_come() {
    let mut without = 0;
    for kind in IntegrationKind::iter() {
        let Err(violations) = Settings::parse(kind, &json!({}), &policy()) else { continue };
        if violations[0].code == "NO_CONNECTOR" {
            assert!(violations[0].message.contains("syncIntegrationAccounts"));
            without += 1;
        }
    }
    assert_eq!(without, 5);
}

#[test]
fn the_settings_that_the_docs_show_are_taken() {
    let page = include_str!("../../docs/connectors.md");
    let mut taken = 0;
    for section in page.split("\n## ").skip(1) {
        let kind = IntegrationKind::iter().find(|kind| json!(kind) == section.lines().next().unwrap());
        for block in section.split("```json\n").skip(1) {
            let settings: Json = serde_json::from_str(block.split("```").next().unwrap()).unwrap();
            Settings::parse(kind.unwrap(), &settings, &policy()).unwrap();
            taken += 1;
        }
    }
    assert_eq!(taken, 7);
}
