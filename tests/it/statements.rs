//! The number of statements that an operation sends does not depend on how much it answers.

use entity::attribute::AttributeType;
use entity::integration::IntegrationKind;
use roster::directory::SyncMode;
use roster::directory::csv::ImportOptions;
use serde_json::{Value as Json, json};

use crate::support::{Server, Site, account, attribute, filter, import, integration, me, on_both, unit};

/// Fifty users with every kind of thing that a user has, in a few org units.
async fn fifty(site: &Site) {
    attribute(site, "Department", AttributeType::Text, &[]).await;
    attribute(site, "Supervisor", AttributeType::User, &[]).await;
    for (kind, name) in [(IntegrationKind::Jira, "Jira"), (IntegrationKind::GitHub, "GitHub")] {
        let id = integration(site, kind, name).await;
        let of = |n: usize| account(&format!("x{n}"), &format!("user{n}"), &format!("u{n:02}@corp.example"));
        site.sync_accounts(&me(), id, (0..50).map(of).collect(), SyncMode::Full).await.unwrap();
    }
    // Each reports to the next; the last to nobody.
    let supervisor = |n: usize| if n < 49 { format!("u{:02}@corp.example", n + 1) } else { String::new() };
    let rows: String =
        (0..50).map(|n| format!("User {n:02},u{n:02}@corp.example,D{},{}\n", n % 7, supervisor(n))).collect();
    let report = import(site, format!("Name,Email,Department,Supervisor\n{rows}"), ImportOptions::default()).await;
    assert_eq!((report.applied, report.updated), (true, 50), "{:?}", report.errors);
    for n in 0..7 {
        let condition = json!({ "attribute": { "key": "department", "is": { "equals": format!("D{n}") } } });
        unit(site, &format!("Unit {n}"), None, Some(filter(condition))).await;
    }
}

/// How many statements `query` sends for pages of two and of fifty.
async fn statements(site: &Site, query: &str) -> (u64, u64) {
    let server = Server::new(site);
    let mut counts = Vec::new();
    for first in [2, 50] {
        let reply = server.execute(query, json!({ "first": first }), None).await;
        let json = reply.json();
        assert_eq!(json.get("errors"), None, "{json}");
        let pages = json["data"].as_object().unwrap().values();
        let length: usize = pages.map(|page| page["edges"].as_array().unwrap().len()).sum();
        assert!(length == first || length == 7, "a full page, or all org units");
        counts.push(reply.statements);
    }
    (counts[0], counts[1])
}

#[test]
fn a_page_of_fifty_takes_as_many_statements_as_a_page_of_two() {
    let counts = on_both(async |site: &Site| {
        fifty(site).await;
        let users = "query($first: Int) { users(first: $first) { totalCount
            facets(keys: [\"department\", \"supervisor\", \"name\"]) { values(first: $first) { edges { node {
                count value { text user { name } } filter
            } } } }
            edges { cursor node {
            id name email furtherEmails
            attributes { attribute { key } text user { name accounts { username } } }
            accounts { username integration { name } user { name } }
            orgUnits { name path }
            memberships { reason orgUnit { path } conditions { holds saw } }
        } } } }";
        let accounts = "query($first: Int) { integrationAccounts(first: $first) { totalCount edges { node {
            username integration { name accountCount } user { name orgUnits { name } accounts { externalId } }
        } } } }";
        let units = "query($first: Int) { orgUnits(first: $first) { edges { node {
            name members(first: 1) { totalCount }
        } } } }";
        let values = "query($first: Int) { attributeValues(key: \"name\", first: $first) { edges { node {
            count value { text }
        } } } }";
        let managers = "query($first: Int) { users(first: $first) { totalCount edges { node {
            name manager { name } managers(first: 2) { totalCount edges { node { name } } }
            directReports { totalCount edges { node { name accounts { username } } } }
            reports(first: 2) { totalCount edges { node { name manager { name } } } }
        } } } }";
        // The index of then is at hand before statements are counted.
        let version = site.version() - 1;
        site.index_at(version).await.unwrap();
        let then = format!(
            "query($first: Int) {{ users(first: $first, asOf: {{version: {version}}}) {{ totalCount edges {{ node {{
            name accounts {{ username integration {{ name accountCount }} }} orgUnits {{ path }}
            directReports {{ edges {{ node {{ name }} }} }}
        }} }} }} }}"
        );
        let mut counts = Vec::new();
        for query in [users, accounts, units, values, managers, &then] {
            counts.push(statements(site, query).await);
        }
        counts
    });
    for (two, fifty) in counts {
        assert_eq!(two, fifty);
        assert!(fifty <= 10, "{fifty} statements");
    }
}

#[test]
fn resolving_many_accounts_takes_as_many_statements_as_resolving_one() {
    on_both(async |site: &Site| {
        fifty(site).await;
        let server = Server::new(site);
        let query = "query($accounts: [AccountReference!]!) { resolveAccounts(accounts: $accounts) {
            status account { username } user { name email }
        } }";
        let mut counts = Vec::new();
        for many in [1, 50] {
            let accounts: Vec<Json> =
                (0..many).map(|n| json!({ "integration": "Jira", "externalId": format!("x{n}") })).collect();
            let reply = server.execute(query, json!({ "accounts": accounts }), None).await;
            let json = reply.json();
            let found = json["data"]["resolveAccounts"].as_array().unwrap();
            assert_eq!(found.iter().filter(|account| account["user"]["name"].is_string()).count(), many);
            counts.push(reply.statements);
        }
        assert_eq!(counts[0], counts[1]);
    });
}
