//! The example that Apache `DevLake` tests its own association with: ten users, ten accounts, three links by hand.

use std::collections::BTreeMap;

use entity::integration::IntegrationKind;
use roster::directory::csv::ImportOptions;
use roster::directory::{IdRange, SUGGEST, Subject, SuggestionQuery, SyncMode, SyncedAccount};
use roster::index::AccountBy;
use serde_json::json;

use crate::support::{Site, account, import, integration, me, on_both, user};

fn rows(file: &'static str) -> Vec<BTreeMap<String, String>> {
    let mut reader = csv::Reader::from_reader(file.as_bytes());
    reader.deserialize().collect::<Result<_, _>>().unwrap()
}

/// `e4` as an address; nothing for nothing.
fn email(short: &str) -> String {
    if short.is_empty() { String::new() } else { format!("{short}@devlake.example") }
}

fn accounts() -> Vec<SyncedAccount> {
    let rows = rows(include_str!("../data/devlake/accounts.csv"));
    let account = |row: &BTreeMap<String, String>| SyncedAccount {
        display_name: Some(row["full_name"].clone()),
        ..account(&row["id"], &row["user_name"], &email(&row["email"]))
    };
    rows.iter().map(account).collect()
}

/// Loads the users, and the three accounts that a person gave to users who are not among them, and then all accounts.
/// Gives what became of each: its user's name, the rule, and whether the user was made from it.
async fn load(site: &Site) -> Vec<String> {
    let mut file = String::from("Name,Email\n");
    for row in rows(include_str!("../data/devlake/users.csv")) {
        file += &format!("{},{}\n", row["name"], email(&row["email"]));
    }
    assert_eq!(import(site, &file, ImportOptions::default()).await.created, 10);
    let git = integration(site, IntegrationKind::Git, "git").await;
    let linked = rows(include_str!("../data/devlake/linked-before.csv"));
    let by_hand: Vec<&str> = linked.iter().map(|row| row["account_id"].as_str()).collect();
    let first = accounts().into_iter().filter(|account| by_hand.contains(&account.external_id.as_str())).collect();
    site.sync_accounts(&me(), git, first, SyncMode::Delta).await.unwrap();
    for row in &linked {
        let holder = user(site, &row["user_id"], &email(&row["user_id"]), json!({})).await;
        let found = site.index().resolve(git, AccountBy::ExternalId(&row["account_id"])).unwrap();
        site.link_account(&me(), found.account, holder, None).await.unwrap();
    }

    let outcome = site.sync_accounts(&me(), git, accounts(), SyncMode::Full).await.unwrap();
    assert_eq!((outcome.created, outcome.unchanged, outcome.users_created, outcome.users_removed), (7, 3, 3, 0));
    let again = site.sync_accounts(&me(), git, accounts(), SyncMode::Full).await.unwrap();
    assert_eq!((again.unchanged, again.version), (10, outcome.version));

    let all = IdRange { limit: 100, ..IdRange::default() };
    let mut rows = site.list_accounts(&Default::default(), all).await.unwrap().rows;
    rows.sort_by_key(|row| row.external_id.clone());
    let users: Vec<_> = rows.iter().filter_map(|row| row.user_id).collect();
    let users = site.find_users(&users).await.unwrap();
    rows.iter()
        .map(|row| {
            let holder = row.user_id.map(|id| &users[&id].row);
            let name = holder.map_or("nobody", |holder| &holder.name);
            let made = if holder.is_some_and(|holder| holder.is_automatic) { ", made from it" } else { "" };
            format!("{}: {name}, {:?}{made}", row.external_id.as_deref().unwrap_or("-"), row.rule)
        })
        .collect()
}

#[test]
fn links_by_hand_stay_emails_associate_and_names_alone_do_not() {
    let links = on_both(load);
    assert_eq!(
        links,
        [
            "a1: U111, Manual",
            // Nobody has e15, e11 or xy, so each makes a user; that `n10`, `def` and `n8` are names does not matter.
            "a10: pq, Detected, made from it",
            "a2: U112, Manual",
            "a3: U113, Manual",
            "a4: n4, Email",
            "a5: n5, Email",
            "a6: n5, Email",
            // DevLake gives it to n5 by its full name.
            "a7: nobody, Unmatched",
            "a8: n8, Detected, made from it",
            "a9: def, Detected, made from it",
        ]
    );
}

#[test]
fn what_devlake_links_by_name_a_person_can_link_and_it_stays() {
    on_both(async |site: &Site| {
        load(site).await;
        let git = site.find_integration("git").unwrap();
        for row in rows(include_str!("../data/devlake/linked-after.csv")) {
            let number = row["user_id"].trim_start_matches(['U', '0']);
            let email = if number.len() < 3 { format!("e{number}") } else { row["user_id"].clone() };
            let holder = site.find_user(&self::email(&email)).unwrap();
            let found = site.index().resolve(git, AccountBy::ExternalId(&row["account_id"])).unwrap();
            if found.owner != Some(holder) {
                site.link_account(&me(), found.account, holder, None).await.unwrap();
            }
        }
        assert_eq!(site.index().user_count(), 13, "the users made from a8 to a10 have gone");
        let outcome = site.sync_accounts(&me(), git, accounts(), SyncMode::Full).await.unwrap();
        assert_eq!((outcome.unchanged, outcome.users_created), (10, 0));
        assert_eq!(site.index().user_count(), 13);
    });
}

#[test]
fn what_devlake_links_by_name_is_suggested() {
    let told = on_both(async |site: &Site| {
        load(site).await;
        let git = site.find_integration("git").unwrap();
        let all = SuggestionQuery { min_score: SUGGEST, of: None };
        let suggestions = site.list_suggestions(&all, None, 1_000).await.unwrap().rows;
        let mut told = Vec::new();
        for row in rows(include_str!("../data/devlake/linked-after.csv")) {
            let id = &row["account_id"];
            let number = row["user_id"].trim_start_matches(['U', '0']);
            if !["a7", "a8", "a9", "a10"].contains(&id.as_str()) {
                continue;
            }
            let holder = Subject::User(site.find_user(&email(&format!("e{number}"))).unwrap());
            let found = site.index().resolve(git, AccountBy::ExternalId(id)).unwrap();
            let account = site.standing(Subject::Account(found.account)).unwrap();
            let suggestion = suggestions.iter().map(|(_, suggestion)| suggestion).find(|suggestion| {
                suggestion.subjects == [holder, account] || suggestion.subjects == [account, holder]
            });
            told.push(format!("{id}: {}", suggestion.map_or("-".to_owned(), |found| found.reasons[0].to_string())));
        }
        told
    });
    assert_eq!(
        told,
        [
            "a10: name is the login or the email local part (`n10`)",
            "a7: name is the login or the email local part (`n5`)",
            "a8: name is the login or the email local part (`n8`)",
            "a9: name is the login or the email local part (`n9`)",
        ]
    );
}
