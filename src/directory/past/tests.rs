//! Long stretches of the log, which is read seven changes at a time here, and long changesets, which are twenty-one
//! changes.

use std::collections::{BTreeMap, BTreeSet};

use entity::attribute::AttributeType;
use entity::integration::IntegrationKind;
use entity::org_unit::OrgUnitScope;
use entity::{OrgUnitId, UserId};
use serde_json::json;

use futures_util::StreamExt;

use super::*;
use crate::database::{Database, Options};
use crate::directory::csv::{ImportMode, ImportOptions};
use crate::directory::follow::tests::{HEADER, answers, import, me, open, rows};
use crate::directory::{Clock, NewAttribute, NewIntegration, NewOrgUnit};
use crate::filter::Filter;

fn members(index: &Index, unit: OrgUnitId) -> BTreeSet<UserId> {
    index.ids_by_name(&index.members_of_unit(unit)).unwrap().into_iter().collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn an_index_travels_back_and_on_through_long_changesets() {
    let folder = tempfile::tempdir().unwrap();
    let one = open(folder.path()).await;
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
    let unit = NewOrgUnit {
        parent_id: None,
        name: "Two".into(),
        description: String::new(),
        scope: OrgUnitScope::All,
        filter: Some(serde_json::from_value(json!({ "name": { "contains": "2" } })).unwrap()),
        pinned: [].into(),
        excluded: [].into(),
    };
    let unit = one.create_org_unit(&me(), unit).await.unwrap();
    let mut then: BTreeMap<i64, (String, BTreeSet<UserId>)> = BTreeMap::new();
    let mut remember = || {
        let index = one.index();
        then.insert(index.version(), (answers(&index), members(&index, unit)));
    };
    remember();
    let replace = |removals| ImportOptions {
        mode: ImportMode::Replace,
        confirm_removals: Some(removals),
        ..ImportOptions::default()
    };
    for (options, rows) in [
        (ImportOptions::default(), rows(0..100, "User", 1)),
        (ImportOptions::default(), rows(0..30, "Other", 2)),
        (replace(40), rows(0..60, "User 2", 3)),
        (ImportOptions::default(), rows(200..204, "Late", 4)),
        (ImportOptions::default(), rows(40..80, "Back", 5)),
    ] {
        import(&one, options, HEADER, rows).await;
        remember();
    }
    one.delete_attribute(&me(), level, None).await.unwrap();
    remember();
    one.delete_integration(&me(), github, None).await.unwrap();
    remember();
    one.delete_org_unit(&me(), unit, None).await.unwrap();
    remember();

    let versions: Vec<i64> = then.keys().copied().collect();
    // A process that starts now has nothing at hand but the last version; the second time round others are nearer.
    let late = open(folder.path()).await;
    for version in versions.iter().step_by(2).chain(&versions).chain(versions.iter().rev()) {
        assert_eq!(answers(late.index_at(*version).await.unwrap().as_ref()), then[version].0, "at {version}");
    }
    assert_eq!(late.index_at(0).await.unwrap().attributes().len(), 0);
    assert!(late.index_at(versions[versions.len() - 1] + 1).await.is_err());

    let last = versions[versions.len() - 1];
    let changes = late.members_changes(unit, 0, last, 100).await.unwrap().rows;
    let mut now = BTreeSet::new();
    for change in &changes {
        now.extend(&change.joined.first);
        now.retain(|user| !change.left.first.contains(user));
        assert_eq!(now, then[&change.changeset.number].1, "after {}", change.changeset.number);
        assert_eq!(now.len() as u64, change.member_count);
    }
    let told: Vec<i64> = changes.iter().map(|change| change.changeset.number).collect();
    let mut before = BTreeSet::new();
    let expected = then.iter().filter(|(number, (_, members))| {
        let is_told = *members != before || **number == last;
        before.clone_from(members);
        is_told
    });
    assert_eq!(told, expected.map(|(number, _)| *number).collect::<Vec<_>>());
}

#[tokio::test(flavor = "multi_thread")]
async fn whoever_joins_because_a_day_has_passed_is_told_with_the_next_changeset() {
    let folder = tempfile::tempdir().unwrap();
    let url = format!("sqlite:{}?mode=rwc", folder.path().join("roster.db").display());
    let database = Database::open(&Options::to(url)).await.unwrap();
    let clock = Clock::stepped();
    let one = Directory::open(database, clock.clone()).await.unwrap();
    let pass = async |days| {
        let Clock::Stepped(stepped) = &clock else { panic!("it is stepped") };
        stepped.pass(TimeDelta::days(days));
        one.refresh().await.unwrap();
    };
    let write = async |row: &str| {
        import(&one, ImportOptions::default(), "Name,Email,Started", vec![row.to_owned()]).await;
        one.version()
    };
    let started = NewAttribute {
        title: "Started".into(),
        key: None,
        r#type: AttributeType::Date,
        description: String::new(),
        options: Vec::new(),
        is_required: false,
        is_unique: false,
        readable_by: None,
        position: None,
    };
    one.create_attribute(&me(), started).await.unwrap();
    for (name, day) in [("Ann", "03"), ("Ben", "06"), ("Cem", "09")] {
        write(&format!("{name},{name}@corp.example,2026-01-{day}")).await;
    }
    let unit = NewOrgUnit {
        parent_id: None,
        name: "Started".into(),
        description: String::new(),
        scope: OrgUnitScope::All,
        filter: Some(Filter::Text("started le now".to_owned())),
        pinned: [].into(),
        excluded: [].into(),
    };
    let unit = one.create_org_unit(&me(), unit).await.unwrap();
    let created = one.version();
    // The index is on a later day than the last changeset when somebody begins to listen.
    pass(2).await;
    assert_eq!(one.index().member_counts(&[unit]), [1]);
    let mut events = Box::pin(one.members_changes_after(unit, created).await.unwrap());
    let mut next = async || {
        let event = tokio::time::timeout(Duration::from_secs(30), events.next()).await.expect("it is told");
        let event = event.unwrap().unwrap();
        (event.changeset.number, event.joined.count, event.left.count, event.member_count)
    };
    let version = write("Dan,dan@corp.example,").await;
    assert_eq!(next().await, (version, 1, 0, 1));
    // It is while somebody listens.
    pass(3).await;
    let version = write("Eve,eve@corp.example,").await;
    assert_eq!(next().await, (version, 1, 0, 2));
    // A changeset is heard of on a later day.
    write("Fay,fay@corp.example,").await;
    pass(3).await;
    let version = write("Gil,gil@corp.example,").await;
    assert_eq!(next().await, (version, 1, 0, 3));
    let told = one.members_changes(unit, created, version, 100).await.unwrap().rows;
    assert_eq!(told.iter().map(|change| change.joined.count).collect::<Vec<_>>(), [1, 1, 1]);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_nobody_asks_any_more_is_let_go() {
    let past = Past::new();
    for version in 0..5 {
        past.keep(Arc::new(Loader::new(version, Vec::new(), Vec::new()).finish(Vec::new())));
    }
    assert!(past.at(1).is_none(), "of five the last {KEPT} are kept");
    assert!(past.sweep(), "all have just been kept");
    assert!(past.at(3).is_some());
    assert!(past.sweep());
    assert_eq!(past.all().iter().map(|index| index.version()).collect::<Vec<_>>(), [3]);
    assert!(!past.sweep());
}
