use std::collections::{BTreeMap, BTreeSet, HashSet};
use std::path::Path;
use std::time::Duration;

use entity::integration_account::{AccountStatus, AssociationRule};

use super::*;
use crate::database::{Database, Options};
use crate::directory::csv::ExportOptions;
use crate::directory::{AccountQuery, Actor, Clock, Directory, IdRange};
use crate::value::Email;

async fn open(url: String) -> Directory {
    let database = Database::open(&Options { patience: Duration::from_secs(5), ..Options::to(url) }).await.unwrap();
    Directory::open(database, Clock::stepped()).await.unwrap()
}

async fn filled(folder: &Path, name: &str, users: u64, seed: u64) -> (Directory, Filled) {
    let directory = open(format!("sqlite:{}?mode=rwc", folder.join(name).display())).await;
    let filled = fill(&directory, &Actor("demo".to_owned()), (users, seed), folder, |_| ()).await.unwrap();
    (directory, filled)
}

async fn export(directory: &Directory) -> String {
    let mut export = directory.export_users(&ExportOptions::default()).await.unwrap();
    let mut text = Vec::new();
    while let Some(piece) = export.next().await.unwrap() {
        text.extend(piece);
    }
    String::from_utf8(text).unwrap()
}

fn csv_of(users: u64, seed: u64) -> Vec<Vec<String>> {
    let mut text = Vec::new();
    write_users_csv(users, seed, &mut text).unwrap();
    let mut reader = ::csv::Reader::from_reader(text.as_slice());
    reader.records().map(|row| row.unwrap().iter().map(str::to_owned).collect()).collect()
}

/// The scripts that Roster is shown with; what a letter belongs to.
fn script(letter: char) -> Option<&'static str> {
    Some(match u32::from(letter) {
        0x41..=0x7a | 0xc0..=0x24f | 0x1e00..=0x1eff => "Latin",
        0x370..=0x3ff => "Greek",
        0x400..=0x52f => "Cyrillic",
        0x600..=0x6ff => "Arabic",
        0x900..=0x97f => "Devanagari",
        0x3040..=0x30ff => "Kana",
        0x4e00..=0x9fff => "Han",
        0xac00..=0xd7a3 => "Hangul",
        _ => return None,
    })
}

#[tokio::test(flavor = "multi_thread")]
async fn the_same_size_and_seed_give_the_same_directory_and_another_seed_does_not() {
    let folder = tempfile::tempdir().unwrap();
    let (one, _) = filled(folder.path(), "one", 150, 1).await;
    let (same, _) = filled(folder.path(), "same", 150, 1).await;
    let (other, _) = filled(folder.path(), "other", 150, 2).await;
    let text = export(&one).await;
    assert_eq!(text, export(&same).await);
    assert_ne!(text, export(&other).await);
    let units = |directory: &Directory| -> Vec<String> {
        directory.index().org_units().map(|unit| format!("{unit:?}")).collect()
    };
    assert_eq!(units(&one), units(&same));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_thousand_users_have_everything_that_roster_is_for() {
    let folder = tempfile::tempdir().unwrap();
    let (directory, filled) = filled(folder.path(), "thousand", 1_000, 1).await;

    let types: BTreeSet<String> =
        directory.index().attributes().iter().map(|attribute| format!("{:?}", attribute.r#type)).collect();
    assert_eq!(types.len(), 10, "every type: {types:?}");
    assert!(directory.index().attributes().iter().all(|attribute| !attribute.description.is_empty()));

    let everybody: Vec<_> = directory.index().user_ids().collect();
    let users = directory.find_users(&everybody).await.unwrap();
    let scripts: BTreeSet<_> = users.values().flat_map(|user| user.row.name.chars().filter_map(script)).collect();
    assert_eq!(scripts.len(), 8, "{scripts:?}");
    let automatic = users.values().filter(|user| user.row.is_automatic).count() as u64;
    assert!(automatic >= 20, "{automatic} automatic users");
    assert_eq!(filled.users, 1_000 + automatic);
    assert!(users.values().any(|user| !user.further_emails.is_empty()), "somebody has claimed a second user");

    let range = IdRange { limit: 10_000, ..IdRange::default() };
    let accounts = directory.list_accounts(&AccountQuery::default(), range).await.unwrap().rows;
    assert_eq!(accounts.len() as u64, filled.accounts);
    let with = |rule| accounts.iter().filter(|account| account.rule == rule).count();
    for rule in [
        AssociationRule::Unmatched,
        AssociationRule::Email,
        AssociationRule::Detected,
        AssociationRule::Manual,
        AssociationRule::Import,
    ] {
        assert!(with(rule) > 0, "{rule:?}");
    }
    assert_eq!(with(AssociationRule::Detected) as u64, automatic);
    assert!(accounts.iter().any(|account| account.is_bot && account.user_id.is_none()));
    assert!(accounts.iter().any(|account| account.status == AccountStatus::Claimed));

    let index = directory.index();
    let empty: Vec<_> = index
        .org_units()
        .filter(|unit| index.members_of_unit(unit.row.id).is_empty())
        .map(|unit| index.path(unit.row.id))
        .collect();
    assert_eq!(empty, ["Across departments"]);
    assert!((24..100).contains(&filled.org_units), "{} org units", filled.org_units);
}

#[tokio::test(flavor = "multi_thread")]
async fn ten_users_are_a_directory_too_and_a_filled_one_is_left_alone() {
    let folder = tempfile::tempdir().unwrap();
    let (directory, filled) = filled(folder.path(), "ten", 10, 1).await;
    assert!(filled.users > 10, "somebody has a second email");
    assert!(filled.unmatched > 0);
    let before = directory.version();
    let refused = fill(&directory, &Actor("demo".to_owned()), (10, 1), folder.path(), |_| ()).await.unwrap_err();
    assert!(matches!(refused, FillError::NotEmpty(_)));
    assert_eq!(
        refused.to_string(),
        "the directory has 12 users, and the demo only fills an empty one; choose another database or data directory"
    );
    assert_eq!(directory.version(), before);
}

#[tokio::test(flavor = "multi_thread")]
async fn progress_ends_with_everything_done() {
    let folder = tempfile::tempdir().unwrap();
    let directory = open(format!("sqlite:{}?mode=rwc", folder.path().join("a").display())).await;
    let mut last: BTreeMap<String, Progress> = BTreeMap::new();
    let mut order = Vec::new();
    let note = |progress: Progress| {
        let step = format!("{:?}", progress.step);
        if !order.contains(&step) {
            order.push(step.clone());
        }
        last.insert(step, progress);
    };
    fill(&directory, &Actor("demo".to_owned()), (60, 1), folder.path(), note).await.unwrap();
    assert_eq!(order, ["Users", "Accounts", "OrgUnits"]);
    assert_eq!(last["Users"].done, 60);
    assert!(last.values().all(|progress| progress.done <= progress.total));
    assert_eq!(last["OrgUnits"].done, last["OrgUnits"].total);
}

#[test]
fn the_file_is_the_same_each_time_and_its_emails_are_of_one_user_each() {
    for users in [0, 1, 2, 3, 10, 4_321] {
        let rows = csv_of(users, 9);
        assert_eq!(rows, csv_of(users, 9));
        assert_eq!(rows.len() as u64, users);
        let emails: HashSet<&String> = rows.iter().map(|row| &row[1]).collect();
        assert_eq!(emails.len(), rows.len());
        for email in emails {
            assert!(email.ends_with(".example"));
            assert_eq!(Email::parse(email).unwrap().as_str(), email);
        }
    }
    assert_ne!(csv_of(100, 1), csv_of(100, 2));
}

#[test]
fn supervisors_in_the_file_stand_above_and_in_the_same_department() {
    let rows = csv_of(2_000, 5);
    let mut departments: BTreeMap<&str, &str> = BTreeMap::new();
    let mut roots = 0;
    for row in &rows {
        match row[7].as_str() {
            "" => roots += 1,
            supervisor => {
                let above = departments[supervisor];
                assert!(above == row[2] || above == "Executive Office", "{row:?}");
            }
        }
        departments.insert(&row[1], &row[2]);
    }
    assert_eq!(roots, 1);
}

#[test]
fn every_account_of_a_tool_has_an_id_and_username_of_its_own() {
    for tool in TOOLS {
        let (mut ids, mut usernames) = (HashSet::new(), HashSet::new());
        for account in accounts(tool, 3_000, 4) {
            assert!(usernames.insert(account.username.clone().unwrap()), "{account:?}");
            assert!(ids.insert(account.external_id.clone()), "{account:?}");
        }
        assert!(ids.len() > 1_000, "{tool:?}");
    }
}
