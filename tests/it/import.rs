//! What an import refuses, and that it then changes nothing; and what it takes although it looks wrong.

use entity::IntegrationId;
use entity::attribute::AttributeType;
use entity::integration::IntegrationKind;
use proptest::prelude::*;
use roster::directory::csv::{ImportMode, ImportOptions, ImportReport, Mapping};
use roster::directory::{Directory, NewAttribute, NewOrgUnit, SyncMode, UserChange};
use roster::index::AccountBy;
use roster::value::GlobalId;
use serde_json::json;

use crate::draft::{changes, draft};
use crate::support::{
    Site, account, attribute, export, file, filter, import, integration, me, new_unit, on_both, on_each, problems,
    tables, unit, user,
};

/// Three users, attributes of every type that can be wrong, and accounts of which two share a username.
pub(crate) async fn directory(site: &Site) -> IntegrationId {
    attribute(site, "Department", AttributeType::Text, &[]).await;
    attribute(site, "Level", AttributeType::Select, &["Junior", "Senior"]).await;
    attribute(site, "Start date", AttributeType::Date, &[]).await;
    attribute(site, "Capacity", AttributeType::Number, &[]).await;
    attribute(site, "Remote", AttributeType::Boolean, &[]).await;
    attribute(site, "Home page", AttributeType::Url, &[]).await;
    attribute(site, "Private email", AttributeType::Email, &[]).await;
    attribute(site, "Supervisor", AttributeType::User, &[]).await;
    let new = |title: &str, is_required, is_unique| NewAttribute {
        title: title.into(),
        key: None,
        r#type: AttributeType::Text,
        description: String::new(),
        options: Vec::new(),
        is_required,
        is_unique,
        readable_by: None,
        position: None,
    };
    site.create_attribute(&me(), new("Number", false, true)).await.unwrap();
    site.create_attribute(&me(), new("Cost centre", true, false)).await.unwrap();
    let values = |number: &str| json!({ "number": number, "cost_centre": "C1", "level": "Senior" });
    user(site, "Ann", "ann@corp.example", values("1")).await;
    user(site, "Bob", "bob@corp.example", values("2")).await;
    user(site, "Cy", "cy@corp.example", values("3")).await;
    let github = integration(site, IntegrationKind::GitHub, "GitHub").await;
    let accounts = vec![account("g1", "octo", ""), account("g2", "twin", ""), account("g3", "Twin", "")];
    site.sync_accounts(&me(), github, accounts, SyncMode::Full).await.unwrap();
    github
}

pub(crate) async fn state(directory: &Directory) -> (i64, String, String) {
    (directory.version(), export(directory).await, tables(directory).await)
}

/// Imports `content`, which must be refused for exactly these problems, and checks that nothing changed.
async fn refuse_with(site: &Site, content: &[u8], options: ImportOptions, expected: &[&str]) -> ImportReport {
    let before = state(site).await;
    let report = import(site, content, options).await;
    assert_eq!(problems(&report.errors), expected, "{}", String::from_utf8_lossy(content));
    assert!(!report.applied);
    assert_eq!(report.version, before.0);
    assert_eq!(state(site).await, before, "a refused import changes nothing");
    report
}

async fn refuse(site: &Site, content: impl AsRef<[u8]>, expected: &[&str]) {
    refuse_with(site, content.as_ref(), ImportOptions::default(), expected).await;
}

/// Created, updated, unchanged and removed users of an import that must be applied.
async fn apply(site: &Site, content: impl AsRef<[u8]>, mode: ImportMode) -> [u64; 4] {
    let report = import(site, content, ImportOptions { mode, ..ImportOptions::default() }).await;
    assert_eq!(problems(&report.errors), [""; 0]);
    assert!(report.applied);
    [report.created, report.updated, report.unchanged, report.removed]
}

/// The ids of Ann, Bob and Cy as a file names them.
fn ids(directory: &Directory) -> [String; 3] {
    ["ann", "bob", "cy"].map(|name| directory.find_user(&format!("{name}@corp.example")).unwrap().to_global())
}

#[test]
fn a_header_that_does_not_say_what_is_what_is_refused_before_any_row() {
    on_both(async |site: &Site| {
        directory(site).await;
        let row = "not an email,x,y,z\n";
        refuse(site, format!("Email\n{row}"), &["line 1, Name: MISSING_COLUMN"]).await;
        refuse(site, format!("Name\n{row}"), &["line 1, Email: MISSING_COLUMN"]).await;
        refuse(site, format!("ID\n{row}"), &["line 1, Name: MISSING_COLUMN", "line 1, Email: MISSING_COLUMN"]).await;
        refuse(site, format!("Name,Email,Department,department \n{row}"), &["line 1, department: DUPLICATE_COLUMN"])
            .await;
        refuse(site, format!("Name,Email,Start date,start_date\n{row}"), &["line 1, start_date: DUPLICATE_TARGET"])
            .await;
        refuse(site, format!("Name,Email,Departement\n{row}"), &["line 1, Departement: UNKNOWN_COLUMN"]).await;
        refuse(
            site,
            format!("Name,Email,,Integration\n{row}"),
            &["line 1, -: EMPTY_HEADER", "line 1, Integration: UNKNOWN_COLUMN"],
        )
        .await;
        refuse(site, format!("\n\n\"Name,Email\"\n{row}"), &["line 3, -: WRONG_DELIMITER `Name,Email`"]).await;
        refuse(site, "", &["line 1, -: EMPTY_FILE"]).await;
    });
}

#[test]
fn a_message_names_what_was_probably_meant() {
    on_both(async |site: &Site| {
        directory(site).await;
        let report = import(site, "Name,E-mail,Departement\n", ImportOptions::default()).await;
        let messages: Vec<&str> = report.errors.listed.iter().map(|problem| problem.message.as_str()).collect();
        assert!(messages[0].contains("did you mean `Email`?"), "{messages:?}");
        assert!(messages[1].contains("did you mean `Department`?"), "{messages:?}");
        let bad = "Name,Email,Level\nDi,di@corp.example,Senor\n";
        let report = import(site, bad, ImportOptions::default()).await;
        assert!(report.errors.listed[0].message.contains("did you mean `Senior`?"), "{report:?}");
    });
}

#[test]
fn bytes_that_are_no_text_and_quotes_in_wrong_places_refuse_the_file() {
    on_both(async |site: &Site| {
        directory(site).await;
        let unclosed =
            "Name,Email,Cost centre\nAnn,ann@corp.example,C2\n\"Bob,bob@corp.example,C2\nCy,cy@corp.example,C2\n";
        refuse(site, unclosed, &["line 3, Name: UNCLOSED_QUOTE `\"Bob,bob@corp.example,C2`"]).await;
        let text = "Name,Email,Cost centre\n\"Ann\"x,ann@corp.example,C2\n";
        refuse(site, text, &["line 2, Name: TEXT_AFTER_QUOTE `Ann`"]).await;
        let bare = "Name,Email,Cost centre\nAnn,ann@corp.example,5\" disk\n";
        refuse(site, bare, &["line 2, Cost centre: BARE_QUOTE `5\" disk`"]).await;
        let bytes = b"Name,Email,Cost centre\nAnn,ann@corp.example,C2\nB\xf6b,bob@corp.example,C2\n";
        refuse(site, bytes, &["line 3, -: NOT_TEXT"]).await;
        refuse(site, "Name,Email\nAnn,ann@corp.example\0\n", &["line 2, -: NOT_TEXT"]).await;
        let ragged = "Name,Email,Cost centre\nAnn,ann@corp.example\nBob,bob@corp.example,C2,C3\n";
        refuse(site, ragged, &["line 2, -: WRONG_CELL_COUNT `Ann`", "line 3, -: WRONG_CELL_COUNT `Bob`"]).await;
    });
}

#[test]
fn a_value_that_its_attribute_does_not_take_is_named_with_line_and_column() {
    on_both(async |site: &Site| {
        directory(site).await;
        for (column, cell, code) in [
            ("Level", "Boss", "UNKNOWN_OPTION"),
            ("Start date", "31/12/24", "NOT_A_DATE"),
            ("Start date", "2023-02-29", "NOT_A_DATE"),
            ("Capacity", "half", "NOT_A_NUMBER"),
            ("Capacity", "inf", "NOT_A_NUMBER"),
            ("Remote", "maybe", "NOT_A_BOOLEAN"),
            ("Home page", "javascript:alert(1)", "NOT_A_URL"),
            ("Private email", "ann at home", "NOT_AN_EMAIL"),
            ("Supervisor", "nobody@corp.example", "UNKNOWN_USER"),
            ("Supervisor", "Bob", "UNKNOWN_USER"),
            ("Cost centre", "", "REQUIRED"),
            ("GitHub", "\"\"\"octo\"", "NOT_A_LIST"),
            ("GitHub", "id:", "NOT_A_LIST"),
            ("GitHub", "twin", "AMBIGUOUS_ACCOUNT"),
        ] {
            let content = format!("Name,Email,{column}\nBob,bob@corp.example,\n\nAnn,ann@corp.example,{cell}\n");
            let value = if cell.starts_with('"') { "\"octo" } else { cell };
            let expected = format!("line 4, {column}: {code} `{value}`");
            if column == "Cost centre" {
                let both = [format!("line 2, {column}: {code} ``"), expected];
                refuse(site, content, &both.each_ref().map(String::as_str)).await;
            } else {
                refuse(site, content, &[&expected]).await;
            }
        }
    });
}

#[test]
fn every_wrong_row_is_reported_at_once() {
    on_both(async |site: &Site| {
        directory(site).await;
        let content = "Email,Name,Level,Capacity,Cost centre\n\
                       ann@corp.example,,Boss,x,C2\n\
                       bob,Bob,,,C2\n\
                       ,Nobody,,,C2\n\
                       cy@corp.example,Cy,,,C2\n\
                       di@corp.example,Di,,,\n";
        refuse(
            site,
            content,
            &[
                "line 2, Level: UNKNOWN_OPTION `Boss`",
                "line 2, Capacity: NOT_A_NUMBER `x`",
                "line 2, Name: REQUIRED ``",
                "line 3, Email: NOT_AN_EMAIL `bob`",
                "line 4, Email: REQUIRED ``",
                "line 6, Cost centre: REQUIRED ``",
            ],
        )
        .await;
    });
}

#[test]
fn two_rows_of_one_user_are_refused_however_they_name_it() {
    on_both(async |site: &Site| {
        directory(site).await;
        let [ann, ..] = ids(site);
        let header = "ID,Name,Email,Cost centre\n";
        for (one, other) in [
            (",Di,di@corp.example,C1".to_owned(), ",Di,di@corp.example,C1".to_owned()),
            (",Di,di@corp.example,C1".to_owned(), ",Di,\" DI@Corp.Example \",C1".to_owned()),
            (",Ann,ann@corp.example,C1".to_owned(), ",Ann,ANN@corp.example,C1".to_owned()),
            (format!("{ann},Ann,ann@corp.example,C1"), ",Ann,ann@corp.example,C1".to_owned()),
            (format!("{ann},Ann,ann@corp.example,C1"), format!("{ann},Ann,new@corp.example,C1")),
        ] {
            let email = other.split(',').find(|part| part.contains('@')).unwrap().trim_matches('"');
            let expected = match other.split_once(',') {
                Some((id, _)) if !id.is_empty() => format!("line 3, ID: DUPLICATE_USER `{id}`"),
                _ => format!("line 3, Email: DUPLICATE_USER `{email}`"),
            };
            refuse(site, format!("{header}{one}\n{other}\n"), &[&expected]).await;
        }
    });
}

#[test]
fn an_email_that_another_user_keeps_is_refused_in_any_case() {
    on_both(async |site: &Site| {
        directory(site).await;
        let [_, bob, _] = ids(site);
        let taken = format!("ID,Name,Email\n{bob},Bob,ANN@corp.example\n");
        refuse(site, taken, &["line 2, Email: EMAIL_TAKEN `ann@corp.example`"]).await;
        let unknown = "ID,Name,Email\nusr_00000000000070008000000000000000,Di,di@corp.example\n";
        refuse(site, unknown, &["line 2, ID: UNKNOWN_ID `usr_00000000000070008000000000000000`"]).await;
        refuse(site, "ID,Name,Email\n17,Di,di@corp.example\n", &["line 2, ID: UNKNOWN_ID `17`"]).await;
    });
}

#[test]
fn two_users_swap_emails_in_one_file() {
    on_both(async |site: &Site| {
        directory(site).await;
        let [ann, bob, cy] = ids(site);
        let round =
            format!("ID,Name,Email\n{ann},Ann,bob@corp.example\n{bob},Bob,cy@corp.example\n{cy},Cy,ann@corp.example\n");
        assert_eq!(apply(site, round, ImportMode::Merge).await, [0, 3, 0, 0]);
        let rows: Vec<String> = export(site).await.lines().skip(1).map(|row| row[37..].to_owned()).collect();
        let starts: Vec<&str> = rows.iter().map(|row| row.split(",,").next().unwrap()).collect();
        assert!(starts[0].starts_with("Ann,bob@corp.example"), "{starts:?}");
        assert!(starts[1].starts_with("Bob,cy@corp.example"), "{starts:?}");
        assert!(starts[2].starts_with("Cy,ann@corp.example"), "{starts:?}");
        let back =
            format!("ID,Name,Email\n{bob},Bob,bob@corp.example\n{ann},Ann,ann@corp.example\n{cy},Cy,cy@corp.example\n");
        assert_eq!(apply(site, back, ImportMode::Replace).await, [0, 3, 0, 0]);
        for name in ["ann", "bob", "cy"] {
            assert_eq!(ids(site).len(), 3, "{name} has its email again");
        }
        assert_eq!(ids(site), [ann, bob, cy]);
    });
}

#[test]
fn two_users_cannot_have_one_new_email() {
    on_both(async |site: &Site| {
        directory(site).await;
        let [ann, bob, _] = ids(site);
        let header = "ID,Name,Email,Cost centre\n";
        for other in ["new@corp.example", "NEW@corp.example"] {
            let rows = format!("{ann},Ann,new@corp.example,C1\n{bob},Bob,{other},C1\n");
            refuse(site, format!("{header}{rows}"), &[&format!("line 3, Email: DUPLICATE_EMAIL `{other}`")]).await;
        }
        let rows = format!("{ann},Ann,new@corp.example,C1\n,Di,new@corp.example,C1\n");
        refuse(site, format!("{header}{rows}"), &["line 3, Email: DUPLICATE_USER `new@corp.example`"]).await;
        // Who keeps an email does not share it either, wherever the row stands.
        let rows = format!("{ann},Ann,ann@corp.example,C1\n{bob},Bob,ann@corp.example,C1\n");
        refuse(site, format!("{header}{rows}"), &["line 3, Email: DUPLICATE_EMAIL `ann@corp.example`"]).await;
        let rows = format!("{bob},Bob,ann@corp.example,C1\n{ann},Ann,ann@corp.example,C1\n");
        let expected =
            ["line 2, Email: EMAIL_TAKEN `ann@corp.example`", "line 3, Email: DUPLICATE_EMAIL `ann@corp.example`"];
        refuse(site, format!("{header}{rows}"), &expected).await;
    });
}

#[test]
fn a_further_email_is_not_taken_from_a_user_whose_row_says_nothing_of_it() {
    on_both(async |site: &Site| {
        directory(site).await;
        let [ann, bob, _] = ids(site);
        let further = UserChange { further_emails: Some(vec!["b@home.example".into()]), ..UserChange::default() };
        site.update_user(&me(), site.find_user("bob@corp.example").unwrap(), further).await.unwrap();
        let rows = format!("ID,Name,Email\n{ann},Ann,b@home.example\n{bob},Bob,bob@corp.example\n");
        refuse(site, rows, &["line 2, Email: EMAIL_TAKEN `b@home.example`"]).await;
    });
}

#[test]
fn a_row_that_changes_an_automatic_user_keeps_its_email_from_others() {
    on_both(async |site: &Site| {
        let github = directory(site).await;
        let accounts = vec![account("g9", "dee", "dee@home.example")];
        let outcome = site.sync_accounts(&me(), github, accounts, SyncMode::Delta).await.unwrap();
        assert_eq!(outcome.users_created, 1);
        let [ann, ..] = ids(site);
        let dee = site.find_user("dee@home.example").unwrap().to_global();
        let rows = format!("ID,Name,Email\n{ann},Ann,dee@home.example\n{dee},Dee,dee@home.example\n");
        refuse(
            site,
            rows,
            &["line 2, Email: EMAIL_TAKEN `dee@home.example`", "line 3, Email: DUPLICATE_EMAIL `dee@home.example`"],
        )
        .await;
    });
}

#[test]
fn replace_removes_more_users_than_are_removed_at_a_time_with_all_that_names_them() {
    on_both(async |site: &Site| {
        attribute(site, "Supervisor", AttributeType::User, &[]).await;
        let boss = user(site, "Ann", "ann@corp.example", json!({})).await;
        // Each reports to the next, so that who names somebody is not always removed at the same time.
        let rows: String = (0..2_500).map(|n| format!("U{n},u{n}@corp.example,u{}@corp.example\n", n + 1)).collect();
        let rows = format!("Name,Email,Supervisor\n{rows}U2500,u2500@corp.example,ann@corp.example\n");
        assert_eq!(apply(site, rows, ImportMode::Merge).await, [2_501, 0, 0, 0]);
        let supervisor = site.attribute("supervisor").unwrap().id;
        let top = UserChange { attributes: vec![("supervisor".into(), json!(null))], ..UserChange::default() };
        site.update_user(&me(), boss, top).await.unwrap();
        let guests = NewOrgUnit {
            pinned: site.index().user_ids().filter(|user| *user != boss).collect(),
            ..new_unit("Guests", None, None)
        };
        let guests = site.create_org_unit(&me(), guests).await.unwrap();
        let options =
            ImportOptions { mode: ImportMode::Replace, confirm_removals: Some(2_501), ..ImportOptions::default() };
        let report = import(site, "Name,Email\nAnn,ann@corp.example\n", options).await;
        assert_eq!((problems(&report.errors), report.removed), (vec![], 2_501));
        assert_eq!(site.members(guests).unwrap().len(), 0);
        site.delete_attribute(&me(), supervisor, None).await.unwrap();
    });
}

#[test]
fn a_claim_that_one_row_takes_back_and_a_row_far_below_names_is_kept() {
    on_both(async |site: &Site| {
        let github = integration(site, IntegrationKind::GitHub, "GitHub").await;
        let between: String = (0..1_000).map(|n| format!("U{n},u{n}@corp.example,\n")).collect();
        let file = |ann: &str, zoe: &str| {
            format!("Name,Email,GitHub\nAnn,ann@corp.example,{ann}\n{between}Zoe,zoe@corp.example,{zoe}\n")
        };
        apply(site, file("octo", ""), ImportMode::Merge).await;
        apply(site, file("", "octo"), ImportMode::Merge).await;
        let index = site.index();
        let found = index.resolve(github, AccountBy::Username("octo")).expect("the claim is there");
        assert_eq!(found.owner.and_then(|owner| index.email_of(owner)), Some("zoe@corp.example"));
    });
}

#[test]
fn a_name_of_an_account_that_no_tool_could_report_is_refused() {
    on_both(async |site: &Site| {
        directory(site).await;
        // Not one letter, which a database that compresses long values could still take into an index.
        let long: String = (0..4_000_u32).map(|n| char::from(b'a' + (n.wrapping_mul(n) / 7 % 26) as u8)).collect();
        for token in [format!("id:{long}"), long.clone()] {
            let shown = format!("{}…", &long[..80]);
            let content = format!("Name,Email,GitHub\nAnn,ann@corp.example,{token}\n");
            refuse(site, content, &[&format!("line 2, GitHub: TOO_LONG `{shown}`")]).await;
        }
    });
}

#[test]
fn two_users_cannot_claim_one_account() {
    on_both(async |site: &Site| {
        directory(site).await;
        let rows = |one: &str, other: &str| {
            format!("Name,Email,GitHub\nAnn,ann@corp.example,{one}\nBob,bob@corp.example,{other}\n")
        };
        refuse(site, rows("octo", "OCTO"), &["line 3, GitHub: CLAIMED_TWICE `OCTO`"]).await;
        refuse(site, rows("octo", "id:g1"), &["line 3, GitHub: CLAIMED_TWICE `g1`"]).await;
        refuse(site, rows("not-seen-yet", "Not-Seen-Yet"), &["line 3, GitHub: CLAIMED_TWICE `Not-Seen-Yet`"]).await;
        // One that already has it, and keeps it, cannot be robbed by a row that also names it.
        assert_eq!(apply(site, rows("octo", ""), ImportMode::Merge).await, [0, 1, 1, 0]);
        assert_eq!(apply(site, rows("", "octo"), ImportMode::Merge).await, [0, 2, 0, 0]);
    });
}

#[test]
fn a_username_and_an_id_of_the_same_letters_are_two_accounts() {
    on_both(async |site: &Site| {
        directory(site).await;
        let content = "Name,Email,GitHub\nAnn,ann@corp.example,42\nBob,bob@corp.example,id:42\n";
        assert_eq!(apply(site, content, ImportMode::Merge).await, [0, 2, 0, 0]);
        let content = "Name,Email,GitHub\nAnn,ann@corp.example,id:aB\nBob,bob@corp.example,id:Ab\n";
        assert_eq!(apply(site, content, ImportMode::Merge).await, [0, 2, 0, 0]);
    });
}

#[test]
fn supervisors_may_stand_further_down_and_must_not_come_full_circle() {
    on_both(async |site: &Site| {
        directory(site).await;
        let header = "Name,Email,Supervisor,Cost centre\n";
        let down = format!("{header}Di,di@corp.example,Ed@corp.example,C1\nEd,ed@corp.example,ann@corp.example,C1\n");
        assert_eq!(apply(site, &down, ImportMode::Merge).await, [2, 0, 0, 0]);
        assert_eq!(apply(site, &down, ImportMode::Merge).await, [0, 0, 2, 0]);
        refuse(site, format!("{header}Ann,ann@corp.example,ann@corp.example,C1\n"), &["line 2, Supervisor: CYCLE"])
            .await;
        // Ann -> Di -> Ed -> Ann, of which the file has one edge and the directory two.
        refuse(site, format!("{header}Ann,ann@corp.example,di@corp.example,C1\n"), &["line 2, Supervisor: CYCLE"])
            .await;
        // Turning the whole chain round in one file is no circle.
        let turned = format!(
            "{header}Ann,ann@corp.example,ed@corp.example,C1\nEd,ed@corp.example,di@corp.example,C1\n\
             Di,di@corp.example,,C1\n"
        );
        assert_eq!(apply(site, turned, ImportMode::Merge).await, [0, 3, 0, 0]);
    });
}

#[test]
fn a_supervisor_whom_replace_removes_is_unknown() {
    on_both(async |site: &Site| {
        directory(site).await;
        let content = "Name,Email,Supervisor\nAnn,ann@corp.example,cy@corp.example\nBob,bob@corp.example,\n";
        let options =
            ImportOptions { mode: ImportMode::Replace, confirm_removals: Some(1), ..ImportOptions::default() };
        let expected = ["line 2, Supervisor: UNKNOWN_USER `cy@corp.example`"];
        refuse_with(site, content.as_bytes(), options, &expected).await;
        assert_eq!(apply(site, content, ImportMode::Merge).await, [0, 1, 1, 0]);
    });
}

#[test]
fn replace_removes_many_users_only_where_their_number_is_confirmed() {
    on_both(async |site: &Site| {
        directory(site).await;
        let content = "Name,Email\nAnn,ann@corp.example\n";
        let confirmed = |confirm_removals| ImportOptions {
            mode: ImportMode::Replace,
            confirm_removals,
            ..ImportOptions::default()
        };
        for number in [None, Some(1), Some(3)] {
            let report =
                refuse_with(site, content.as_bytes(), confirmed(number), &["line 1, -: REMOVALS_NOT_CONFIRMED"]).await;
            assert!(report.errors.listed[0].message.ends_with(": 2"), "{report:?}");
        }
        refuse_with(site, b"Name,Email\n", confirmed(None), &["line 1, -: REMOVALS_NOT_CONFIRMED"]).await;
        let report = import(site, content, confirmed(Some(2))).await;
        assert_eq!((report.applied, report.removed, report.unchanged), (true, 2, 1));
        assert_eq!(site.index().user_count(), 1);
    });
}

#[test]
fn replace_does_not_remove_a_user_whom_a_filter_names() {
    on_both(async |site: &Site| {
        directory(site).await;
        let reports = json!({ "attribute": { "key": "supervisor", "is": { "reportsTo": "cy@corp.example" } } });
        unit(site, "Reports of Cy", None, Some(filter(reports))).await;
        let content = b"Name,Email\nAnn,ann@corp.example\nBob,bob@corp.example\n";
        let options =
            ImportOptions { mode: ImportMode::Replace, confirm_removals: Some(1), ..ImportOptions::default() };
        let report = refuse_with(site, content, options, &["line 1, -: IN_USE"]).await;
        assert!(report.errors.listed[0].message.contains("Reports of Cy"), "{report:?}");
    });
}

#[test]
fn unique_values_are_compared_as_they_will_be() {
    on_both(async |site: &Site| {
        directory(site).await;
        let rows = |one: &str, other: &str| {
            format!("Name,Email,Number\nAnn,ann@corp.example,{one}\nBob,bob@corp.example,{other}\n")
        };
        refuse(site, rows("9", "9"), &["line 3, Number: NOT_UNIQUE `9`"]).await;
        refuse(site, rows("9", "3"), &["line 3, Number: NOT_UNIQUE `3`"]).await;
        assert_eq!(apply(site, rows("2", "1"), ImportMode::Merge).await, [0, 2, 0, 0], "two users swap their values");
        assert_eq!(apply(site, rows("", ""), ImportMode::Merge).await, [0, 2, 0, 0], "nothing is not a value");
    });
}

#[test]
fn a_new_user_needs_a_value_of_every_required_attribute() {
    on_both(async |site: &Site| {
        directory(site).await;
        refuse(site, "Name,Email\nDi,di@corp.example\n", &["line 2, -: REQUIRED"]).await;
        let known = "Name,Email\nAnn B.,ann@corp.example\n";
        assert_eq!(apply(site, known, ImportMode::Merge).await, [0, 1, 0, 0], "who is there already has one");
    });
}

#[test]
fn blank_lines_are_nothing_and_rows_of_empty_cells_are_wrong() {
    on_both(async |site: &Site| {
        directory(site).await;
        let blank = "Name,Email\r\n\r\nAnn,ann@corp.example\r\n\r\n\r\nBob,bob@corp.example";
        assert_eq!(apply(site, blank, ImportMode::Merge).await, [0, 0, 2, 0]);
        refuse(site, "Name,Email\n,\n , \n", &["line 2, Email: REQUIRED ``", "line 3, Email: REQUIRED ` `"]).await;
    });
}

#[test]
fn a_column_is_the_truth_for_its_attribute_and_one_that_is_not_there_is_left_alone() {
    on_both(async |site: &Site| {
        directory(site).await;
        let header = "Name,Email,Department,Level\n";
        assert_eq!(apply(site, format!("{header}Ann,ann@corp.example,R&D,\n"), ImportMode::Merge).await, [0, 1, 0, 0]);
        let ann = site.find_user("ann@corp.example").unwrap();
        let attributes = site.find_users(&[ann]).await.unwrap()[&ann].row.attributes.clone();
        assert_eq!(attributes, json!({ "number": "1", "cost_centre": "C1", "department": "R&D" }));
    });
}

#[test]
fn headers_match_titles_and_keys_in_any_case_and_unknown_ones_can_be_ignored() {
    on_both(async |site: &Site| {
        directory(site).await;
        let content = " NAME ;eMail;START_DATE;cost CENTRE;Shoe size\nDi;di@corp.example;2024-02-29;C1;43\n";
        let mapping = Mapping { columns: Vec::new(), ignore_unknown: true, ..Mapping::default() };
        let report = import(site, content, ImportOptions { mapping, ..ImportOptions::default() }).await;
        assert_eq!((problems(&report.errors), report.created), (Vec::new(), 1));
        let di = site.find_user("di@corp.example").unwrap();
        let attributes = site.find_users(&[di]).await.unwrap()[&di].row.attributes.clone();
        assert_eq!(attributes, json!({ "start_date": "2024-02-29", "cost_centre": "C1" }));
    });
}

#[test]
fn an_import_counts_its_rows_as_they_are_done() {
    on_both(async |site: &Site| {
        directory(site).await;
        let options = ImportOptions::default();
        let progress = options.progress.clone();
        let rows: String = (0..2_500).map(|n| format!("User {n},u{n}@corp.example,C1\n")).collect();
        let content = file(format!("Name,Email,Cost centre\n{rows}"));
        let report = site.import_users(&me(), content, options).await.unwrap();
        assert_eq!((report.rows, report.created), (2_500, 2_500));
        assert_eq!(progress.load(std::sync::atomic::Ordering::Relaxed), 2_500);
    });
}

/// A row of the three users or of three others, by email or by a wrong one, with values that may be wrong.
pub(crate) fn row() -> impl Strategy<Value = String> {
    let email = prop_oneof![
        4 => prop::sample::select(vec!["ann@corp.example", "bob@corp.example", "cy@corp.example"]),
        4 => prop::sample::select(vec!["di@corp.example", "ed@corp.example", "fay@corp.example"]),
        1 => prop::sample::select(vec!["", "x", "ANN@corp.example"]),
    ];
    let supervisor = prop::sample::select(vec!["", "", "", "ann@corp.example", "ed@corp.example", "gus@corp.example"]);
    let level = prop::sample::select(vec!["", "Junior", "senior", "Boss"]);
    let accounts = prop::sample::select(vec!["", "", "", "octo", "id:g1", "unseen", "id:g2; id:g3", "twin"]);
    let number = prop::sample::select(vec!["", "1", "2", "7"]);
    (email, supervisor, level, number, accounts).prop_map(|(email, supervisor, level, number, accounts)| {
        format!("N,{email},{supervisor},{level},{number},C1,{accounts}\n")
    })
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 24, ..ProptestConfig::default() })]

    #[test]
    fn a_dry_run_tells_what_the_import_then_does_and_does_nothing(
        rows in prop::collection::vec(row(), 1..6),
        replace in any::<bool>(),
    ) {
        on_both(async |site: &Site| {
            directory(site).await;
            let mode = if replace { ImportMode::Replace } else { ImportMode::Merge };
            let removals = ["ann", "bob", "cy"].iter().filter(|name| !rows.concat().contains(&format!(",{name}@"))).count();
            let options = |dry_run| ImportOptions {
                mode,
                dry_run,
                confirm_removals: Some(removals as u64),
                ..ImportOptions::default()
            };
            let content = format!("Name,Email,Supervisor,Level,Number,Cost centre,GitHub\n{}", rows.concat());
            let before = state(site).await;
            let said = import(site, &content, options(true)).await;
            assert!(!said.applied);
            // What is left of the file without its wrong rows is what a draft counts.
            let drafted = draft(site, &content, options(true)).await;
            let report = drafted.report.clone().unwrap();
            let confirm_removals = report.removals_to_confirm;
            let valid = ImportOptions { valid_rows: true, confirm_removals, ..options(true) };
            let valid = import(site, &content, valid).await;
            assert_eq!(
                [valid.rows, valid.created, valid.updated, valid.unchanged, valid.removed, valid.absorbed],
                [report.rows, report.created, report.updated, report.unchanged, report.removed, report.absorbed]
            );
            assert_eq!(
                [valid.accounts_moved, valid.accounts_claimed, valid.accounts_unlinked],
                [report.accounts_moved, report.accounts_claimed, report.accounts_unlinked]
            );
            assert_eq!([valid.errors.count, valid.warnings.count], [report.errors, report.warnings]);
            assert_eq!(changes(site, &drafted).await.len() as u64, report.changes(None));
            assert_eq!(state(site).await, before, "a dry run and a draft do nothing");
            let done = import(site, &content, options(false)).await;
            let counts = |report: &ImportReport| {
                [
                    report.rows,
                    report.created,
                    report.updated,
                    report.unchanged,
                    report.removed,
                    report.absorbed,
                    report.accounts_moved,
                    report.accounts_claimed,
                    report.accounts_unlinked,
                ]
            };
            assert_eq!(counts(&said), counts(&done));
            assert_eq!(problems(&said.errors), problems(&done.errors));
            assert_eq!(problems(&said.warnings), problems(&done.warnings));
            assert_eq!(done.applied, done.errors.is_empty());
            if done.applied {
                let after = state(site).await;
                let again = import(site, &content, options(false)).await;
                assert_eq!([again.created, again.updated, again.removed], [0, 0, 0]);
                assert_eq!(state(site).await, after, "the same file again changes nothing");
            } else {
                assert_eq!(state(site).await, before, "a refused import changes nothing");
            }
            counts(&done)
        });
    }
}

#[test]
fn whose_row_is_left_out_stays_and_so_does_whom_that_user_names() {
    on_both(async |site: &Site| {
        for title in ["Team", "Level"] {
            attribute(site, title, AttributeType::Number, &[]).await;
        }
        attribute(site, "Lead", AttributeType::User, &[]).await;
        let lead = |email: &str| json!({ "lead": email });
        let bob = user(site, "Bob", "bob@corp.example", json!({})).await.to_global();
        let ann = user(site, "Ann", "ann@corp.example", lead("bob@corp.example")).await.to_global();
        for number in 0..30 {
            user(site, "Somebody", &format!("u{number}@corp.example"), json!({})).await;
        }
        let others: String = (0..30).map(|number| format!(",Somebody,u{number}@corp.example,1\n")).collect();
        let options = || ImportOptions { mode: ImportMode::Replace, valid_rows: true, ..ImportOptions::default() };
        let header = "ID,Name,Email,Team\n";

        // A comma too many: its row cannot be imported, and says whose it is.
        let ragged = format!("{header}{ann},Ann,ann@corp.example,1,\n{bob},Bob,bob@corp.example,1\n{others}");
        let report = import(site, ragged, options()).await;
        assert_eq!((report.applied, report.removed), (true, 0), "{:?}", problems(&report.errors));
        assert!(site.find_user("ann@corp.example").is_ok(), "whose row is left out stays");

        // Ann's row is left out, so she stays and names Bob; then Bob cannot go.
        let dangling = format!("{header}{ann},Ann,ann@corp.example,x\n{others}");
        let report = import(site, dangling, options()).await;
        assert!(!report.applied && site.find_user("bob@corp.example").is_ok());
        assert!(
            problems(&report.errors).iter().any(|problem| problem.contains("IN_USE")),
            "{:?}",
            problems(&report.errors)
        );

        // Of a row that cannot be told whose it is, somebody must say that those who are lacking may go.
        let typo = format!("{header},Ann,ann(at)corp.example,1\n{bob},Bob,bob@corp.example,1\n{others}");
        let report = import(site, typo.clone(), options()).await;
        assert_eq!((report.applied, report.removals_to_confirm), (false, Some(1)));
        let confirmed = ImportOptions { confirm_removals: Some(1), ..options() };
        assert!(import(site, typo, confirmed).await.applied);
        assert!(site.find_user("ann@corp.example").is_err());
    });
}

#[test]
fn an_import_that_panics_at_any_point_changes_nothing_and_keeps_nobody_from_the_next() {
    on_each(async |site: &Site| {
        directory(site).await;
        let content = "Name,Email,Cost centre,GitHub\nDee,dee@corp.example,C2,octo\nAnn Abel,ann@corp.example,C1,\n";
        let clock = site.stepped();
        let mut panicked = 0;
        let report = loop {
            let before = state(site).await;
            clock.break_at(clock.count() + panicked);
            let (other, content) = (Directory::clone(site), file(content));
            let options = ImportOptions::default();
            let import = tokio::spawn(async move { other.import_users(&me(), content, options).await });
            let ended = import.await;
            clock.break_at(u64::MAX);
            // A panic on a thread of the import's own is an error of it.
            if let Ok(Ok(report)) = ended {
                break report;
            }
            assert_eq!(state(site).await, before, "the clock broke at {panicked}");
            panicked += 1;
        };
        assert!(panicked >= 2, "it makes a user");
        assert_eq!((report.created, report.updated, report.applied), (1, 1, true));
    });
}
