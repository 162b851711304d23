//! Long changesets, which are twenty-one changes here.

use std::collections::BTreeSet;
use std::fmt::Write as _;
use std::io::{Seek, Write};
use std::ops::Range;
use std::path::Path;

use entity::attribute::AttributeType;
use entity::integration::IntegrationKind;
use entity::org_unit::OrgUnitScope;
use serde_json::json;

use super::*;
use crate::database::{Database, Options};
use crate::directory::csv::{ImportMode, ImportOptions};
use crate::directory::{Actor, Clock, NewAttribute, NewIntegration, NewOrgUnit};
use crate::filter::Filter;
use crate::index::FacetWindow;

pub(in crate::directory) async fn open(folder: &Path) -> Directory {
    let url = format!("sqlite:{}?mode=rwc", folder.join("roster.db").display());
    let database = Database::open(&Options::to(url)).await.unwrap();
    Directory::open(database, Clock::default()).await.unwrap()
}

pub(in crate::directory) fn me() -> Actor {
    Actor("me".to_owned())
}

/// Imports rows; gives the version after that.
pub(in crate::directory) async fn import(
    directory: &Directory,
    options: ImportOptions,
    header: &str,
    rows: Vec<String>,
) -> i64 {
    let mut file = tempfile::tempfile().unwrap();
    writeln!(file, "{header}\n{}", rows.join("\n")).unwrap();
    file.rewind().unwrap();
    let report = directory.import_users(&me(), file, options).await.unwrap();
    assert!(report.errors.is_empty(), "{:?}", report.errors.listed);
    report.version
}

pub(in crate::directory) const HEADER: &str = "Name,Email,Level,GitHub";

pub(in crate::directory) fn rows(numbers: Range<u32>, name: &str, level: u32) -> Vec<String> {
    let row = |number| format!("{name} {number},u{number}@corp.example,{level},login-{number}");
    numbers.map(row).collect()
}

/// What an index answers.
pub(in crate::directory) fn answers(index: &Index) -> String {
    let everybody = index.everybody();
    let mut answers = format!("{} {:?}\n", index.version(), index.account_counts());
    for id in index.ids_by_name(&everybody).unwrap() {
        let mut accounts = index.accounts_of(id);
        accounts.sort_unstable();
        let found = index.email_of(id).and_then(|email| index.user_with_email(email));
        writeln!(answers, "{id:?} {:?} {:?} {found:?} {accounts:?}", index.folded_name_of(id), index.email_of(id))
            .unwrap();
    }
    for attribute in index.attributes() {
        let facets = index.facets(&everybody, &attribute.key, &FacetWindow::ALL).unwrap().unwrap();
        let counts: Vec<_> = facets.values.iter().map(|facet| (&facet.key, facet.count)).collect();
        writeln!(answers, "{} {counts:?} {}", attribute.key, facets.without).unwrap();
    }
    let units: Vec<_> = index.org_units().map(|unit| unit.row.id).collect();
    writeln!(answers, "{:?}", index.member_counts(&units)).unwrap();
    answers
}

/// Lets another process see what one has written; both must answer as a fresh one does. Gives how many statements it
/// took.
async fn agree(folder: &Path, step: &str, one: &Directory, other: &Directory) -> u64 {
    let before = other.database().statement_count();
    assert_eq!(other.refresh().await.unwrap(), one.version(), "{step}");
    let statements = other.database().statement_count() - before;
    let fresh = answers(&open(folder).await.index());
    assert_eq!(answers(&one.index()), fresh, "{step}, by whom it was done");
    assert_eq!(answers(&other.index()), fresh, "{step}, as another process sees it");
    statements
}

#[tokio::test(flavor = "multi_thread")]
async fn a_long_changeset_is_followed_on_a_copy_by_whom_it_was_done_and_by_others() {
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path();
    let (one, other) = (open(folder).await, open(folder).await);
    let level = NewAttribute {
        title: "Level".into(),
        key: None,
        r#type: AttributeType::Number,
        description: String::new(),
        options: Vec::new(),
        is_required: false,
        is_unique: false,
        readable_by: None,
        position: None,
    };
    let level = one.create_attribute(&me(), level).await.unwrap();
    let github = NewIntegration { kind: IntegrationKind::GitHub, name: "GitHub".into() };
    let github = one.create_integration(&me(), github).await.unwrap();
    let filter: Filter = serde_json::from_value(json!({ "name": { "contains": "2" } })).unwrap();
    let unit = NewOrgUnit {
        parent_id: None,
        name: "Two".into(),
        description: String::new(),
        scope: OrgUnitScope::All,
        filter: Some(filter),
        pinned: [].into(),
        excluded: [].into(),
    };
    one.create_org_unit(&me(), unit).await.unwrap();
    agree(folder, "the start", &one, &other).await;

    import(&one, ImportOptions::default(), HEADER, rows(0..100, "User", 1)).await;
    agree(folder, "what is longer than everything before it", &one, &other).await;
    import(&other, ImportOptions::default(), HEADER, rows(0..30, "Other", 2)).await;
    // The version, the changesets, and thirty changes, seven at a time until there are no more.
    assert_eq!(agree(folder, "a change of some", &other, &one).await, 2 + 6);
    let options = ImportOptions { mode: ImportMode::Replace, confirm_removals: Some(40), ..ImportOptions::default() };
    import(&one, options, HEADER, rows(0..60, "User", 3)).await;
    agree(folder, "a replacement", &one, &other).await;
    let options = ImportOptions { mode: ImportMode::Replace, confirm_removals: Some(55), ..ImportOptions::default() };
    import(&one, options, HEADER, rows(55..60, "User", 5)).await;
    agree(folder, "a replacement that leaves few", &one, &other).await;
    for (version, number) in (one.version() + 1..).zip(200..225) {
        let row = rows(number..number + 1, "Late", 4);
        assert_eq!(import(&one, ImportOptions::default(), HEADER, row).await, version);
    }
    agree(folder, "many short changesets", &one, &other).await;
    one.delete_attribute(&me(), level, None).await.unwrap();
    agree(folder, "an attribute with many values that is deleted", &one, &other).await;
    one.delete_integration(&me(), github, None).await.unwrap();
    agree(folder, "an integration with many accounts that is deleted", &one, &other).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn nobody_sees_half_of_a_long_changeset() {
    let folder = tempfile::tempdir().unwrap();
    let (one, other) = (open(folder.path()).await, open(folder.path()).await);
    let users = |numbers: Range<u32>| numbers.map(|number| format!("User {number},u{number}@corp.example")).collect();
    let dry_run = ImportOptions { dry_run: true, ..ImportOptions::default() };
    assert_eq!(import(&one, dry_run, "Name,Email", users(0..60)).await, 1);
    assert_eq!(one.index().user_count(), 0, "a changeset that is not committed");
    import(&one, ImportOptions::default(), "Name,Email", users(0..60)).await;
    let before = one.snapshot();
    let writing = {
        let (one, rows) = (one.clone(), users(60..90));
        tokio::spawn(async move { import(&one, ImportOptions::default(), "Name,Email", rows).await })
    };
    let mut seen = BTreeSet::from([(before.version(), before.user_count())]);
    while !writing.is_finished() {
        other.refresh().await.unwrap();
        for directory in [&one, &other] {
            let index = directory.index();
            seen.insert((index.version(), index.user_count()));
        }
    }
    assert_eq!(writing.await.unwrap(), 3);
    seen.insert((one.refresh().await.unwrap(), one.index().user_count()));
    assert_eq!(seen.into_iter().collect::<Vec<_>>(), [(2, 60), (3, 90)]);
    assert_eq!((before.version(), before.user_count()), (2, 60));
}

#[tokio::test(flavor = "multi_thread")]
async fn whoever_listens_is_told_of_a_long_changeset_once_the_index_has_followed_it() {
    let folder = tempfile::tempdir().unwrap();
    let (one, other) = (open(folder.path()).await, open(folder.path()).await);
    let mut listeners = [one.versions(), other.versions()];
    // The first is loaded anew, the second followed on a copy.
    for (numbers, count) in [(0..100, 100), (80..130, 130)] {
        let rows = numbers.map(|number| format!("User {number},u{number}@corp.example")).collect();
        let version = import(&one, ImportOptions::default(), "Name,Email", rows).await;
        for (listener, directory) in listeners.iter_mut().zip([&one, &other]) {
            listener.wait_for(|told| *told == version).await.unwrap();
            assert_eq!(directory.index().user_count(), count);
        }
    }
}
