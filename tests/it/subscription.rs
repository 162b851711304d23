//! What clients hear of as it happens.

use std::time::Duration;

use entity::attribute::AttributeType;
use entity::integration::IntegrationKind;
use serde_json::{Value as Json, json};

use crate::support::{Events, Home, Server, Site, attribute, integration, node, on_both, on_each, on_sqlite, user};

const CHANGED: &str = "subscription($after: Int) { directoryChanged(afterVersion: $after) {
    version changeset { number kind actor changeCount createdAt }
} }";

/// The next change, having checked that nothing went wrong.
async fn next(events: &mut Events) -> Json {
    let Some(mut result) = events.next().await else { panic!("it has ended") };
    assert_eq!(result.get("errors"), None, "{result}");
    result["data"]["directoryChanged"].take()
}

/// The versions of so many changes.
async fn versions(events: &mut Events, count: usize) -> Vec<i64> {
    let mut versions = Vec::new();
    for _ in 0..count {
        versions.push(next(events).await["version"].as_i64().unwrap());
    }
    versions
}

#[test]
fn each_change_is_told_whichever_process_makes_it() {
    let told = on_both(async |site: &Site| {
        let other = site.another_process().await;
        let (here, there) = (Server::new(site), Server::new(&other));
        let mut listeners = [
            here.subscribe(CHANGED, json!({ "after": 1 })).await,
            there.subscribe(CHANGED, json!({ "after": 1 })).await,
        ];
        integration(site, IntegrationKind::Jira, "Jira").await;
        user(&other, "Ann", "ann@corp.example", json!({})).await;
        attribute(site, "Team", AttributeType::Text, &[]).await;
        let mut told = Vec::new();
        for events in &mut listeners {
            told.push([next(events).await, next(events).await, next(events).await]);
        }
        other.database().clone().close().await.unwrap();
        told
    });
    assert_eq!(told[0], told[1], "what listeners of either process hear");
    let kinds = told[0].iter().map(|change| change["changeset"]["kind"].as_str().unwrap());
    assert_eq!(kinds.collect::<Vec<_>>(), ["INTEGRATION", "USER", "ATTRIBUTE"]);
    let first = &told[0][0];
    let changeset = json!({ "number": 2, "kind": "INTEGRATION", "actor": "ann@corp.example", "changeCount": 1,
        "createdAt": first["changeset"]["createdAt"] });
    assert_eq!(first, &json!({ "version": 2, "changeset": changeset }));
}

#[test]
fn a_listener_without_a_version_hears_of_what_comes_next_alone() {
    on_each(async |site: &Site| {
        let server = Server::new(site);
        integration(site, IntegrationKind::Jira, "Jira").await;
        let mut events = server.subscribe(CHANGED, json!({})).await;
        let heard = tokio::spawn(async move { next(&mut events).await["version"].as_i64().unwrap() });
        // It listens at some time from now on.
        for n in 0.. {
            if heard.is_finished() {
                break;
            }
            integration(site, IntegrationKind::Jira, &format!("Jira {n}")).await;
        }
        let heard = heard.await.unwrap();
        assert!((3..=site.version()).contains(&heard), "{heard}");
    });
}

#[test]
fn nothing_is_skipped_or_told_twice_however_slowly_one_listens() {
    on_each(async |site: &Site| {
        let other = site.another_process().await;
        let server = Server::new(site);
        for n in 0..120 {
            integration(site, IntegrationKind::Git, &format!("before {n}")).await;
        }
        let mut events = server.subscribe(CHANGED, json!({ "after": 5 })).await;
        let mut told = versions(&mut events, 10).await;
        // While it does not listen, two processes write; then while it does.
        for n in 0..60 {
            integration(site, IntegrationKind::Git, &format!("here {n}")).await;
            integration(&other, IntegrationKind::Git, &format!("there {n}")).await;
        }
        let writing = async {
            for n in 60..80 {
                integration(&other, IntegrationKind::Git, &format!("there {n}")).await;
                integration(site, IntegrationKind::Git, &format!("here {n}")).await;
            }
        };
        let last = 1 + 120 + 2 * 80;
        let ((), rest) = tokio::join!(writing, versions(&mut events, last - 5 - 10));
        told.extend(rest);
        assert_eq!(told, (6..=last as i64).collect::<Vec<_>>());
        other.database().clone().close().await.unwrap();
    });
}

#[test]
fn a_listener_who_comes_back_goes_on_where_it_was() {
    on_both(async |site: &Site| {
        let server = Server::new(site);
        for n in 0..6 {
            integration(site, IntegrationKind::Git, &format!("{n}")).await;
        }
        let mut told = Vec::new();
        for _ in 0..3 {
            let after = told.last().copied().unwrap_or(0);
            let mut events = server.subscribe(CHANGED, json!({ "after": after })).await;
            told.extend(versions(&mut events, 2).await);
        }
        assert_eq!(told, [1, 2, 3, 4, 5, 6]);
    });
}

#[test]
fn all_of_a_changeset_can_be_asked_for() {
    on_both(async |site: &Site| {
        let server = Server::new(site);
        attribute(site, "Team", AttributeType::Text, &[]).await;
        let query =
            "subscription { directoryChanged(afterVersion: 2) { changeset { changes(first: 5) { totalCount edges {
            node { noun before after changeset { number } }
        } } } version } }";
        user(site, "Ann", "ann@corp.example", json!({ "team": "Blue" })).await;
        let mut events = server.subscribe(query, json!({})).await;
        let change = next(&mut events).await;
        let keys: Vec<&String> = change.as_object().unwrap().keys().collect();
        assert_eq!(keys, ["changeset", "version"], "in the order of the document");
        let node = &change["changeset"]["changes"]["edges"][0]["node"];
        assert_eq!(
            (&node["noun"], &node["before"], &node["after"]["name"], &node["changeset"]["number"]),
            (&json!("USER"), &Json::Null, &json!("Ann"), &json!(3))
        );
    });
}

#[test]
fn a_version_that_never_was_is_refused() {
    on_both(async |site: &Site| {
        let server = Server::new(site);
        for after in [-1, 2] {
            let mut events = server.subscribe(CHANGED, json!({ "after": after })).await;
            let result = events.next().await.unwrap();
            let extensions = &result["errors"][0]["extensions"];
            assert_eq!(extensions["code"], "INVALID_INPUT", "{result}");
            assert_eq!(extensions["violations"][0]["path"], "afterVersion");
            assert_eq!(extensions["violations"][0]["code"], "OUT_OF_BOUNDS");
            assert_eq!(events.next().await, None);
        }
    });
}

#[test]
fn the_database_is_looked_at_only_while_somebody_listens_and_once_for_all_of_them() {
    on_sqlite(async |site: &Site| {
        let other = site.another_process().await;
        let looked = || other.database().statement_count();
        let before = looked();
        let mut listeners: Vec<_> = (0..20).map(|_| other.versions()).collect();
        for n in 0..3 {
            integration(site, IntegrationKind::Git, &format!("{n}")).await;
            for listener in &mut listeners {
                listener.changed().await.unwrap();
                assert_eq!(*listener.borrow_and_update(), n + 2);
            }
        }
        assert_eq!(other.version(), 4, "without a request");
        // One look, and to follow a changeset two statements.
        let statements = looked() - before;
        assert!((9..20).contains(&statements), "{statements}");
        drop(listeners);
        integration(site, IntegrationKind::Git, "unheard").await;
        let before = looked();
        tokio::time::sleep(Duration::from_millis(1_200)).await;
        assert!(looked() - before <= 3, "it may have begun to look before the last listener left");
        let mut listener = other.versions();
        listener.wait_for(|version| *version == 5).await.unwrap();
        other.database().clone().close().await.unwrap();
    });
}

#[test]
fn the_clients_of_both_protocols_are_content() {
    let home = Home::new();
    let server = home.serve();
    let Some(ended) = node(&home, "subscriptions.mjs", &server) else { return };
    let change = |version: usize| {
        let (kind, actor, count) = if version == 1 { ("INITIALIZE", "roster", 3) } else { ("INTEGRATION", "api", 1) };
        let changeset = json!({ "kind": kind, "actor": actor, "changeCount": count });
        json!({ "directoryChanged": { "version": version, "changeset": changeset } })
    };
    let mut expected = String::new();
    for (name, last) in [("ws", 2), ("sse", 3)] {
        expected.extend((1..=last).map(|version| format!("{name} {}\n", change(version))));
        expected += &format!("{name} {}\n", json!({ "directory": { "integrationCount": last - 1 } }));
        expected += &format!("{name} INVALID_INPUT\n{name} BAD_REQUEST\n{name} BAD_REQUEST\n");
    }
    assert_eq!((ended.code, ended.output), (Some(0), expected + "ws pong\n"), "{}", ended.error);
}
