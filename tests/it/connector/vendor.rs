//! The vendors' own clients and descriptions, from npm, take what the stand-in says, and read of it whom we read.
//!
//! Of Jira Data Center and of git there is no such client; theirs is documented by Atlassian, and the program itself.

use std::collections::BTreeSet;

use entity::integration::IntegrationKind::{GitHub, GitLab, Harness, Jira, Slack};
use serde_json::{Value, json};

use super::stand_in::{EMAIL, PEOPLE, StandIn, TOKEN, reading};
use crate::support::{Home, node_in};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_vendors_clients_take_what_the_stand_in_says_and_read_whom_we_read() {
    let tools = StandIn::start().await;
    let all = [
        ("github", GitHub, json!({ "baseUrl": tools.url("github"), "organization": "acme" })),
        ("jira", Jira, json!({ "baseUrl": tools.url("jira"), "deployment": "CLOUD", "email": EMAIL })),
        ("slack", Slack, json!({ "baseUrl": tools.url("slack") })),
        ("gitlab", GitLab, json!({ "baseUrl": tools.url("gitlab") })),
        ("members", GitLab, json!({ "baseUrl": tools.url("gitlab"), "group": "acme/platform" })),
        ("harness", Harness, json!({ "baseUrl": tools.url("harness"), "accountId": "acc-1" })),
    ];
    let mut ours = Vec::new();
    for (tool, kind, settings) in all {
        let read = reading(kind, settings).await;
        assert!(read.outcome.is_ok(), "{tool}: {:?}", read.outcome);
        let ids: BTreeSet<String> = read.accounts.into_iter().map(|account| account.external_id).collect();
        ours.push((tool, ids));
    }
    let base = format!("http://{}", tools.address);
    let run = move || node_in(&Home::new(), "tests/vendor", "vendor.mjs", &[&base, TOKEN, EMAIL]);
    let Some(ended) = tokio::task::spawn_blocking(run).await.unwrap() else { return };
    assert_eq!((ended.code, ended.error.as_str()), (Some(0), ""), "{}", ended.output);
    let theirs: Value = serde_json::from_str(&ended.output).unwrap();
    for (tool, ours) in ours {
        let theirs: BTreeSet<String> = serde_json::from_value(theirs[tool].clone()).unwrap();
        if tool == "harness" {
            // Its types are checked on the last page.
            assert!(theirs.len() == PEOPLE % 100 && theirs.is_subset(&ours), "{theirs:?}");
        } else {
            assert_eq!(ours, theirs, "{tool}");
        }
    }
}
