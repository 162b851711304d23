//! Each tool, page by page: who comes out, and what was asked.

use entity::integration::IntegrationKind::{GitHub, GitLab, Harness, Jira, Slack};
use roster::connector::{Account, ErrorKind};
use serde_json::json;

use super::stand_in::{EMAIL, PEOPLE, Reading, StandIn, TOKEN, instead, policy, reading, reading_as};

/// That everybody came once, in one full reading, and how many are bots and gone.
#[track_caller]
fn check(read: &Reading, [accounts, bots, gone]: [usize; 3], requests: u32) {
    let outcome = read.outcome.as_ref().unwrap();
    let ids: std::collections::HashSet<&str> =
        read.accounts.iter().map(|account| account.external_id.as_str()).collect();
    assert_eq!(ids.len(), read.accounts.len(), "each account once");
    let count = |is: fn(&Account) -> bool| read.accounts.iter().filter(|account| is(account)).count();
    assert_eq!([read.accounts.len(), count(|one| one.is_bot), count(|one| one.is_gone)], [accounts, bots, gone]);
    assert_eq!((outcome.is_full, outcome.cursor.as_deref(), outcome.waits), (true, None, 0));
    assert_eq!(outcome.requests, requests);
}

fn account(id: &str, username: Option<&str>, email: Option<&str>, name: Option<&str>) -> Account {
    Account {
        external_id: id.into(),
        username: username.map(Into::into),
        email: email.map(Into::into),
        display_name: name.map(Into::into),
        ..Account::default()
    }
}

#[tokio::test]
async fn the_members_of_a_github_organisation() {
    let tools = StandIn::start().await;
    let settings = json!({ "baseUrl": tools.url("github"), "organization": "acme" });
    let read = reading(GitHub, settings.clone()).await;
    check(&read, [PEOPLE, 1, 0], 5);
    assert_eq!(read.total, Some(PEOPLE as u64));
    // The email of a verified domain goes before the one that is shown to everybody.
    let expected = account("583010", Some("person-10"), Some("person-10@corp.example"), Some("Dörte Brook"));
    assert_eq!(read.account("583010"), &expected);
    let expected = account("583005", Some("person-5"), Some("person-5@home.example"), Some("Farid Abel"));
    assert_eq!(read.account("583005"), &expected);
    assert_eq!(read.account("583003"), &account("583003", Some("person-3"), None, None));
    assert!(read.account("583007").is_bot);

    // A server without verified domains, and a token that may not see them.
    let unknown = json!({ "errors": [{ "message": "Field 'organizationVerifiedDomainEmails' doesn't exist on type 'User'",
        "path": ["query", "organization"], "locations": [{ "line": 1, "column": 9 }],
        "extensions": { "code": "undefinedField", "typeName": "User" } }] });
    let forbidden = json!({ "data": { "organization": null }, "errors": [{ "type": "FORBIDDEN",
        "path": ["organization", "membersWithRole", "nodes", 0, "organizationVerifiedDomainEmails"],
        "message": "Resource not accessible by personal access token" }] });
    for refused in [unknown, forbidden] {
        tools.instead([instead(200, &[], refused.to_string())]);
        let read = reading(GitHub, settings.clone()).await;
        check(&read, [PEOPLE, 1, 0], 6);
        assert_eq!(read.account("583010").email.as_deref(), Some("person-10@home.example"));
    }
    let asked = tools.seen();
    assert!(asked.iter().all(|seen| seen.method == "POST" && seen.uri == "/github/api/graphql"));
    assert!(asked[0].headers["user-agent"].to_str().unwrap().starts_with("roster/"));
    assert!(!asked[0].headers.contains_key("accept-encoding"));

    let read = reading(GitHub, json!({ "baseUrl": tools.url("github"), "organization": "nobody" })).await;
    assert_eq!(read.error().kind(), ErrorKind::NotFound);
    assert_eq!(
        read.error().to_string(),
        format!(
            "GitHub says: Could not resolve to an Organization with the login of 'nobody'. (POST {}/github/api/graphql); \
             check `settings.organization` (`nobody`), and that the token may see it",
            tools.address
        )
    );
}

#[tokio::test]
async fn the_users_of_a_jira_site() {
    let tools = StandIn::start().await;
    let cloud = json!({ "baseUrl": tools.url("jira"), "deployment": "CLOUD", "email": EMAIL });
    let read = reading(Jira, cloud.clone()).await;
    let shown = PEOPLE - PEOPLE / 50;
    let (customers, apps) = ((0..PEOPLE).filter(|at| at % 20 == 19 && at % 50 != 49), PEOPLE / 20);
    let customers = customers.count();
    let gone = (0..PEOPLE).filter(|at| at % 11 == 10 && at % 50 != 49 && at % 20 != 19).count();
    let requests = read.outcome.as_ref().unwrap().requests;
    check(&read, [shown - customers, apps, gone], requests);
    let id = "712020:00000015-aaaa-bbbb-cccc-0123456789ab";
    assert_eq!(read.account(id), &account(id, None, Some("person-15@corp.example"), Some("Ben Demir")));
    let mut with_customers = cloud;
    with_customers["includeCustomers"] = json!(true);
    assert_eq!(reading(Jira, with_customers).await.accounts.len(), shown);

    let gone = (0..PEOPLE).filter(|at| at % 11 == 10).count();
    let read = reading(Jira, json!({ "baseUrl": tools.url("jira-dc") })).await;
    check(&read, [PEOPLE, 0, gone], 3);
    let expected = account("JIRAUSER10001", Some("person-1"), Some("person-1@corp.example"), Some("Ben Abel"));
    assert_eq!(read.account("JIRAUSER10001"), &expected);
    // One that has no list is searched.
    let read = reading(Jira, json!({ "baseUrl": tools.url("jira-9") })).await;
    check(&read, [PEOPLE, 0, gone], 5);
    // One whose search ends at a hundred has told some, and not that the others are gone.
    let read = reading(Jira, json!({ "baseUrl": tools.url("jira-capped") })).await;
    assert_eq!((read.accounts.len(), read.error().kind()), (100, ErrorKind::TooLarge));
    assert!(read.error().mend().contains("10.3"), "{}", read.error());
}

#[tokio::test]
async fn the_members_of_a_slack_workspace() {
    let tools = StandIn::start().await;
    let settings = json!({ "baseUrl": tools.url("slack") });
    let read = reading(Slack, settings.clone()).await;
    let (bots, gone) = (1 + PEOPLE / 40, (0..PEOPLE).filter(|at| at % 11 == 10).count());
    check(&read, [PEOPLE, bots, gone], 3);
    assert!(read.account("USLACKBOT").is_bot);
    let expected = account("U00000001", Some("person-1"), Some("person-1@corp.example"), Some("Ben Abel"));
    assert_eq!(read.account("U00000001"), &expected);

    let without_guests = json!({ "baseUrl": tools.url("slack"), "includeGuests": false, "team": "T0000001" });
    assert_eq!(reading(Slack, without_guests).await.accounts.len(), PEOPLE - PEOPLE / 25);
    assert!(tools.seen().last().unwrap().uri.contains("team_id=T0000001"));

    let refusals = [
        ("account_inactive", ErrorKind::Unauthenticated),
        ("token_revoked", ErrorKind::Unauthenticated),
        ("missing_scope", ErrorKind::Forbidden),
        ("missing_argument", ErrorKind::NotFound),
        ("internal_error", ErrorKind::Unavailable),
        ("something_new", ErrorKind::Refused),
    ];
    for (word, kind) in refusals {
        let body = json!({ "ok": false, "error": word, "needed": "users:read", "provided": "chat:write" });
        tools.instead([instead(200, &[], body.to_string())]);
        let read = reading(Slack, settings.clone()).await;
        assert_eq!(read.error().kind(), kind, "{word}");
        assert!(read.error().message().contains(word));
    }
    // It may tell of its limit with 200, too.
    tools.instead([instead(200, &[("retry-after", "0")], r#"{"ok":false,"error":"ratelimited"}"#)]);
    let read = reading(Slack, settings).await;
    assert_eq!((read.waits.len(), read.accounts.len()), (1, PEOPLE));
}

#[tokio::test]
async fn the_users_of_a_harness_account() {
    let tools = StandIn::start().await;
    let read = reading(Harness, json!({ "baseUrl": tools.url("harness"), "accountId": "acc-1" })).await;
    check(&read, [PEOPLE, 0, (0..PEOPLE).filter(|at| at % 11 == 10).count()], 5);
    assert_eq!(read.total, Some(PEOPLE as u64));
    let id = "uuid000000000000000001";
    assert_eq!(read.account(id), &account(id, None, Some("person-1@corp.example"), Some("Ben Abel")));
}

#[tokio::test]
async fn the_users_of_a_gitlab_server_and_the_members_of_a_group() {
    let tools = StandIn::start().await;
    let gone = (0..PEOPLE).filter(|at| at % 11 == 10).count();
    let read = reading(GitLab, json!({ "baseUrl": tools.url("gitlab") })).await;
    check(&read, [PEOPLE, PEOPLE / 30, gone], 5);
    let expected = account("2", Some("person-1"), Some("person-1@corp.example"), Some("Ben Abel"));
    assert_eq!(read.account("2"), &expected);

    let group = json!({ "baseUrl": tools.url("gitlab"), "group": "acme/platform" });
    let read = reading(GitLab, group.clone()).await;
    check(&read, [PEOPLE, 1, gone], 5);
    assert_eq!(read.total, Some(PEOPLE as u64));
    assert_eq!(read.account("2"), &account("2", Some("person-1"), None, Some("Ben Abel")));
    assert!(read.account("30").is_bot);
    assert!(tools.seen().last().unwrap().uri.starts_with("/gitlab/api/v4/groups/acme%2Fplatform/members/all?"));

    // A server that gives the number of the next page and no link.
    let first: Vec<_> =
        (1..=100).map(|id| json!({ "id": id, "username": format!("u{id}"), "state": "active" })).collect();
    tools.instead([instead(200, &[("x-next-page", "2")], json!(first).to_string())]);
    assert_eq!(reading(GitLab, group).await.accounts.len(), PEOPLE);

    let read = reading(GitLab, json!({ "baseUrl": tools.url("gitlab"), "group": "acme/other" })).await;
    assert_eq!(read.error().kind(), ErrorKind::NotFound);
    assert!(read.error().message().ends_with("says: 404 Group Not Found"), "{}", read.error());
}

#[tokio::test]
async fn a_wrong_token_is_told_with_what_is_right_and_without_the_token() {
    let tools = StandIn::start().await;
    let all = [
        (GitHub, json!({ "baseUrl": tools.url("github"), "organization": "acme" }), "read:org"),
        (Jira, json!({ "baseUrl": tools.url("jira"), "deployment": "CLOUD", "email": EMAIL }), "API token"),
        (Jira, json!({ "baseUrl": tools.url("jira-dc") }), "personal access token"),
        (Slack, json!({ "baseUrl": tools.url("slack") }), "xoxb-"),
        (Harness, json!({ "baseUrl": tools.url("harness"), "accountId": "acc-1" }), "API key"),
        (GitLab, json!({ "baseUrl": tools.url("gitlab") }), "access token"),
    ];
    for (kind, settings, mend) in all {
        let wrong = "wr0ng-t0ken-0123456789";
        let read = reading_as(policy(), kind, settings.clone(), wrong, None).await;
        let error = read.error();
        assert_eq!((error.kind(), error.is_retryable()), (ErrorKind::Unauthenticated, false), "{kind:?}: {error}");
        assert!(error.mend().contains(mend), "{kind:?}: {error}");
        // A tool that sends back what it was sent.
        let echo = format!("no such token: {wrong}, {TOKEN}");
        tools.instead([instead(401, &[], json!({ "message": echo }).to_string())]);
        let read = reading_as(policy(), kind, settings.clone(), wrong, None).await;
        let shown = format!("{} {:?}", read.error(), read.error());
        assert!(!shown.contains(wrong) && shown.contains("no such token: …"), "{shown}");
        for empty in ["", "  "] {
            let read = reading_as(policy(), kind, settings.clone(), empty, None).await;
            assert!(read.error().message().contains("no credential"), "{}", read.error());
        }
        let read = reading_as(policy(), kind, settings, "a\nb\u{7f}", None).await;
        assert_eq!(read.error().kind(), ErrorKind::Unauthenticated);
    }
}
