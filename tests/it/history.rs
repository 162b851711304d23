//! The log: every write is a changeset, numbered without gaps, with each record before and after; and every process's
//! index follows it. That the log is whole, and that following it is as good as loading afresh, is checked after every
//! test of this binary; what is here makes sure that every verb has been through it.

use std::collections::BTreeSet;

use entity::attribute::AttributeType;
use entity::changeset::ChangesetKind;
use entity::integration::IntegrationKind;
use entity::org_unit::OrgUnitScope;
use roster::directory::csv::{ImportMode, ImportOptions};
use roster::directory::{AttributeChange, Directory, IntegrationChange, OrgUnitChange, Range, SyncMode, UserChange};
use roster::index::AccountBy;
use serde_json::{Value as Json, json};

use crate::support::{
    Site, account, answers, attribute, cast, export, filter, import, integration, me, on_both, tables, unit, user,
};

/// Lets both processes answer everything; they must agree, and `writer` must have made one changeset more.
async fn agree(step: &str, writer: &Directory, reader: &Directory) {
    let before = reader.version();
    assert_eq!(reader.refresh().await.unwrap(), before + 1, "{step} is one changeset");
    assert_eq!(writer.version(), before + 1, "{step} is seen by the process that did it");
    let (written, read) = (answers(writer).await, answers(reader).await);
    for (written, read) in written.lines().zip(read.lines()) {
        assert_eq!(written, read, "after {step}");
    }
    assert_eq!(export(writer).await, export(reader).await, "after {step}");
}

#[test]
fn what_one_process_writes_another_sees_whichever_the_verb() {
    on_both(async |one: &Site| {
        cast(one).await;
        let other = one.another_process().await;
        let (a, b): (&Directory, &Directory) = (one, &other);

        let key = attribute(a, "Squad", AttributeType::Select, &["Red", "Blue"]).await;
        agree("making an attribute", a, b).await;
        let change = AttributeChange {
            title: Some("Colour".into()),
            options: Some(vec!["Blue".into(), "Red".into(), "Green".into()]),
            position: Some(0),
            ..AttributeChange::default()
        };
        b.update_attribute(&me(), key, change).await.unwrap();
        agree("changing an attribute", b, a).await;

        let gitlab = integration(a, IntegrationKind::GitLab, "GitLab").await;
        agree("making an integration", a, b).await;
        let change = IntegrationChange { name: Some("A GitLab".into()), ..IntegrationChange::default() };
        b.update_integration(&me(), gitlab, change).await.unwrap();
        agree("changing an integration", b, a).await;

        let new = user(a, "New", "new@corp.example", json!({ "squad": "green", "teams": ["Data"] })).await;
        agree("making a user", a, b).await;
        let change = UserChange {
            name: Some("Newer".into()),
            email: Some("newer@corp.example".into()),
            further_emails: Some(vec!["n@home.example".into(), "new@corp.example".into()]),
            attributes: vec![
                ("squad".into(), json!("red")),
                ("teams".into(), Json::Null),
                ("supervisor".into(), json!("ann@corp.example")),
            ],
            ..UserChange::default()
        };
        b.update_user(&me(), new, change).await.unwrap();
        agree("changing a user", b, a).await;

        let accounts = vec![account("l1", "new", "n@home.example"), account("l2", "odd", "odd@home.example")];
        a.sync_accounts(&me(), gitlab, accounts, SyncMode::Full).await.unwrap();
        agree("syncing accounts", a, b).await;
        let id =
            |directory: &Directory, id| directory.index().resolve(gitlab, AccountBy::ExternalId(id)).unwrap().account;
        b.link_account(&me(), id(b, "l2"), new, None).await.unwrap();
        agree("linking an account", b, a).await;
        a.unlink_account(&me(), id(a, "l1"), None).await.unwrap();
        agree("unlinking an account", a, b).await;

        let red = filter(json!({ "any": [
            { "attribute": { "key": "squad", "is": { "equals": "red" } } },
            { "account": { "kind": "GITLAB" } },
        ]}));
        let unit_one = unit(b, "Red", None, Some(red)).await;
        agree("making an org unit", b, a).await;
        let two = unit(a, "Two", Some(unit_one), None).await;
        agree("making an org unit below", a, b).await;
        let change = OrgUnitChange {
            scope: Some(OrgUnitScope::Parent),
            filter: Some(Some(filter(json!({ "all": [] })))),
            pinned: Some(BTreeSet::from([new])),
            excluded: Some(BTreeSet::from([b.find_user("ann@corp.example").unwrap()])),
            ..OrgUnitChange::default()
        };
        b.update_org_unit(&me(), two, change).await.unwrap();
        agree("changing an org unit", b, a).await;
        let guests = a.index().org_unit_at(&["guests"]).unwrap().row.id;
        a.move_org_unit(&me(), two, Some(guests), None).await.unwrap();
        agree("moving an org unit", a, b).await;
        b.delete_user(&me(), new, None).await.unwrap();
        agree("deleting a user", b, a).await;
        a.delete_org_unit(&me(), two, None).await.unwrap();
        agree("deleting an org unit", a, b).await;
        b.delete_org_unit(&me(), unit_one, None).await.unwrap();
        agree("deleting another", b, a).await;

        let content = "Name,Email,Colour,GitHub\nZed,zed@corp.example,red,ghost\nAnn,ann@corp.example,blue,zzz\n";
        assert!(import(a, content, ImportOptions::default()).await.applied);
        agree("importing", a, b).await;
        b.delete_attribute(&me(), key, None).await.unwrap();
        agree("deleting an attribute", b, a).await;
        a.delete_integration(&me(), gitlab, None).await.unwrap();
        agree("deleting an integration", a, b).await;
        other.database().clone().close().await.unwrap();
    });
}

#[test]
fn a_process_that_slept_through_many_changesets_catches_up_in_one_go() {
    on_both(async |one: &Site| {
        let other = one.another_process().await;
        cast(one).await;
        let rows: String = (0..300).map(|n| format!("User {n},u{n}@corp.example\n")).collect();
        import(one, format!("Name,Email\n{rows}"), ImportOptions::default()).await;
        other.refresh().await.unwrap();
        assert_eq!(answers(one).await, answers(&other).await);
        other.database().clone().close().await.unwrap();
    });
}

#[test]
fn a_changeset_too_long_to_follow_in_place_is_in_the_next_answers() {
    on_both(async |one: &Site| {
        let other = one.another_process().await;
        let rows: String = (0..20_001).map(|n| format!("User {n},u{n}@corp.example\n")).collect();
        let report = import(one, format!("Name,Email\n{rows}"), ImportOptions::default()).await;
        assert_eq!((report.created, report.version), (20_001, 2));
        for directory in [one as &Directory, &other] {
            directory.refresh().await.unwrap();
            assert_eq!((directory.version(), directory.index().user_count()), (2, 20_001));
            assert!(directory.find_user("u20000@corp.example").is_ok());
        }
        let id = one.find_user("u7@corp.example").unwrap();
        other.delete_user(&me(), id, None).await.unwrap();
        one.refresh().await.unwrap();
        assert_eq!(one.index().user_count(), 20_000);
        other.database().clone().close().await.unwrap();
    });
}

#[test]
fn the_log_is_read_page_by_page_both_ways() {
    on_both(async |site: &Site| {
        cast(site).await;
        let last = site.version();
        let all = site.list_changesets(Range { limit: 1_000, ..Range::default() }).await.unwrap();
        let numbers: Vec<i64> = all.rows.iter().map(|row| row.number).collect();
        assert_eq!(numbers, (1..=last).rev().collect::<Vec<_>>(), "newest first, without gaps");
        assert_eq!((all.has_next, all.has_previous), (false, false));
        assert_eq!(all.rows.last().unwrap().kind, ChangesetKind::Initialize);
        for limit in [1, 3, 7] {
            let (mut forward, mut after) = (Vec::new(), None);
            loop {
                let page = site.list_changesets(Range { after, limit, ..Range::default() }).await.unwrap();
                assert_eq!(page.has_previous, after.is_some());
                after = page.rows.last().map(|row| row.number);
                forward.extend(page.rows.iter().map(|row| row.number));
                if !page.has_next {
                    break;
                }
            }
            assert_eq!(forward, numbers);
            let (mut backward, mut before) = (Vec::new(), None);
            loop {
                let range = Range { before, limit, from_end: true, ..Range::default() };
                let page = site.list_changesets(range).await.unwrap();
                assert_eq!(page.has_next, before.is_some());
                before = page.rows.first().map(|row| row.number);
                backward.splice(0..0, page.rows.iter().map(|row| row.number));
                if !page.has_previous {
                    break;
                }
            }
            assert_eq!(backward, numbers);
        }
    });
}

#[test]
fn the_history_of_a_user_tells_every_state() {
    let states = on_both(async |site: &Site| {
        attribute(site, "Department", AttributeType::Text, &[]).await;
        let id = user(site, "Ann", "ann@corp.example", json!({ "department": "R&D" })).await;
        let change = UserChange {
            email: Some("anna@corp.example".into()),
            attributes: vec![("department".into(), Json::Null)],
            ..UserChange::default()
        };
        site.update_user(&me(), id, change).await.unwrap();
        let version = site.version();
        let nothing = UserChange { name: Some("Ann ".into()), ..UserChange::default() };
        site.update_user(&me(), id, nothing).await.unwrap();
        assert_eq!(site.version(), version, "what changes nothing is no changeset");
        site.delete_user(&me(), id, None).await.unwrap();
        let page = site.list_history(id.0, Range { limit: 10, ..Range::default() }, true).await.unwrap();
        let state = |json: &Option<String>| {
            let state: Json = json.as_deref().map_or(Json::Null, |json| serde_json::from_str(json).unwrap());
            json!([state["email"], state["further_emails"], state["attributes"], state["version"]])
        };
        page.rows
            .iter()
            .map(|entry| {
                assert_eq!(entry.changeset.actor, "ann@corp.example");
                assert_eq!(entry.changeset.kind, ChangesetKind::User);
                format!("{} {} -> {}", entry.changeset.number, state(&entry.change.before), state(&entry.change.after))
            })
            .collect::<Vec<_>>()
    });
    let first = r#"["ann@corp.example",null,{"department":"R&D"},3]"#;
    let second = r#"["anna@corp.example",["ann@corp.example"],{},4]"#;
    let none = "[null,null,null,null]";
    assert_eq!(
        states,
        [format!("5 {second} -> {none}"), format!("4 {first} -> {second}"), format!("3 {none} -> {first}"),]
    );
}

#[test]
fn a_record_has_one_entry_for_each_changeset_however_often_it_changed_in_it() {
    on_both(async |site: &Site| {
        let github = integration(site, IntegrationKind::GitHub, "GitHub").await;
        let ann = user(site, "Ann", "ann@corp.example", json!({})).await;
        let accounts = vec![account("g1", "octo", "ann@home.example")];
        site.sync_accounts(&me(), github, accounts, SyncMode::Delta).await.unwrap();
        // The row changes Ann, and then she gets the email of the user who goes.
        let file = "Name,Email,GitHub\nAnna,ann@corp.example,octo\n";
        let imported = import(site, file, ImportOptions::default()).await.version;
        let whole = site.list_history(ann.0, Range { limit: 10, ..Range::default() }, true).await.unwrap();
        let state = |json: &Option<String>| {
            json.as_deref().map(|json| serde_json::from_str::<Json>(json).unwrap()).map(|state| {
                (state["name"].as_str().unwrap().to_owned(), state["further_emails"][0].as_str().map(str::to_owned))
            })
        };
        let entry = &whole.rows[0];
        assert_eq!(entry.changeset.number, imported);
        assert_eq!(state(&entry.change.before), Some(("Ann".into(), None)));
        assert_eq!(state(&entry.change.after), Some(("Anna".into(), Some("ann@home.example".into()))));
        let numbers: Vec<i64> = whole.rows.iter().map(|entry| entry.changeset.number).collect();
        assert_eq!(numbers.len() as u64, site.count_history(ann.0).await.unwrap());
        assert_eq!(numbers.len(), 2);
        for from_end in [false, true] {
            let (mut read, mut at) = (Vec::new(), None);
            loop {
                let (after, before) = if from_end { (None, at) } else { (at, None) };
                let range = Range { after, before, limit: 1, from_end };
                let page = site.list_history(ann.0, range, false).await.unwrap();
                let states = page.rows.iter().flat_map(|entry| [&entry.change.before, &entry.change.after]);
                assert_eq!(states.flatten().count(), 0, "nobody asked for them");
                at = page.rows.first().map(|entry| entry.changeset.number);
                read.extend(at);
                if !(if from_end { page.has_previous } else { page.has_next }) {
                    break;
                }
            }
            if from_end {
                read.reverse();
            }
            assert_eq!(read, numbers);
        }
    });
}

#[test]
fn an_index_that_many_changes_have_worn_is_built_anew() {
    on_both(async |one: &Site| {
        let other = one.another_process().await;
        let rows: String = (0..10_002).map(|n| format!("User {n},u{n}@corp.example\n")).collect();
        import(one, format!("Name,Email\n{rows}"), ImportOptions::default()).await;
        other.refresh().await.unwrap();
        let options =
            ImportOptions { mode: ImportMode::Replace, confirm_removals: Some(10_001), ..ImportOptions::default() };
        import(one, "Name,Email\nUser 0,u0@corp.example\n", options).await;
        other.refresh().await.unwrap();
        for directory in [one as &Directory, &other] {
            assert_eq!((directory.version(), directory.index().user_count()), (3, 1));
            assert!(!directory.index().is_worn());
        }
        other.database().clone().close().await.unwrap();
    });
}

#[test]
fn opening_a_directory_again_changes_nothing() {
    on_both(async |site: &Site| {
        cast(site).await;
        let before = tables(site).await;
        for _ in 0..2 {
            let again = site.another_process().await;
            assert_eq!(again.version(), site.version());
            again.database().clone().close().await.unwrap();
        }
        assert_eq!(tables(site).await, before);
    });
}

#[test]
fn a_user_who_goes_while_another_takes_a_further_email_is_logged_with_that_email() {
    on_both(async |site: &Site| {
        let ann = user(site, "Ann", "ann@corp.example", json!({})).await;
        let further = UserChange { further_emails: Some(vec!["ann@home.example".into()]), ..UserChange::default() };
        site.update_user(&me(), ann, further).await.unwrap();
        let ben = user(site, "Ben", "ben@corp.example", json!({})).await;
        let options =
            ImportOptions { mode: ImportMode::Replace, confirm_removals: Some(1), ..ImportOptions::default() };
        let file = format!("ID,Name,Email\n{},Ben,ann@home.example\n", roster::value::GlobalId::to_global(ben));
        let report = import(site, file, options).await;
        assert_eq!((report.applied, report.removed), (true, 1), "{:?}", report.errors);
        let page = site.list_history(ann.0, Range { limit: 1, ..Range::default() }, true).await.unwrap();
        assert!(page.rows[0].change.before.as_ref().unwrap().contains("ann@home.example"));
    });
}

#[test]
fn both_databases_chain_the_same_log_by_the_same_digests() {
    on_both(async |site: &Site| {
        cast(site).await;
        let ann = site.index().user_with_email("ann@corp.example").unwrap();
        for name in ["Ann B", "Ann C"] {
            let change = UserChange { name: Some(name.into()), ..UserChange::default() };
            site.update_user(&me(), ann, change).await.unwrap();
        }
        let range = Range { limit: 100, ..Range::default() };
        let rows = site.list_changesets(range).await.unwrap().rows;
        rows.into_iter().map(|row| (row.number, row.kind, row.digest)).collect::<Vec<_>>()
    });
}
