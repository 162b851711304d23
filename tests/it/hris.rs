//! The HR export of a customer, as it comes: 22 columns, days written dd/mm/yy, a manager's email, an empty one for the
//! root. What must come out of it is a table of figures; each of them is asserted here.

use entity::attribute::AttributeType;
use roster::directory::Directory;
use roster::directory::csv::{ColumnSource, ImportMode, ImportOptions, ImportReport, Mapping};
use roster::value::DateFormat;
use serde_json::{Value as Json, json};

use crate::support::{Site, attribute, filter, import, on_both, problems, tables};

const FIRST: &[u8] = include_bytes!("../data/hris/developers.csv");
const SECOND: &[u8] = include_bytes!("../data/hris/developers-next-month.csv");

/// The columns that become attributes of text, under their own titles.
const TEXTS: [&str; 14] = [
    "role",
    "team",
    "site",
    "location",
    "business unit",
    "department",
    "squad",
    "tribe",
    "vendor",
    "job-function",
    "executive",
    "status",
    "sub role",
    "sub-team",
];

async fn attributes(directory: &Directory) {
    for title in TEXTS {
        attribute(directory, title, AttributeType::Text, &[]).await;
    }
    attribute(directory, "start date", AttributeType::Date, &[]).await;
    attribute(directory, "Manager", AttributeType::User, &[]).await;
}

fn options(mode: ImportMode) -> ImportOptions {
    let ignored = ["full_name", "manager name", "most common manager", "most common manager email"];
    let mut columns: Vec<(String, ColumnSource)> =
        ignored.into_iter().map(|title| (title.to_owned(), ColumnSource::Ignore)).collect();
    let manager = ColumnSource::Attribute { key: "manager".into(), date_format: None };
    let date_format = Some(DateFormat::parse("dd/mm/yy").unwrap());
    columns.push(("manager email".into(), manager));
    columns.push(("start date".into(), ColumnSource::Attribute { key: "start date".into(), date_format }));
    ImportOptions {
        mode,
        mapping: Mapping { columns, ignore_unknown: false, ..Mapping::default() },
        ..ImportOptions::default()
    }
}

/// Created, updated, unchanged and removed users.
fn figures(report: &ImportReport) -> [u64; 4] {
    assert_eq!(problems(&report.errors), [""; 0]);
    // The first file writes a role in two ways; whoever has it already is not warned of again.
    let expected: &[&str] = if report.created == 128 { &["line 29, role: OTHER_SPELLING"] } else { &[] };
    assert_eq!(problems(&report.warnings), expected);
    [report.created, report.updated, report.unchanged, report.removed]
}

fn count(directory: &Directory, json: Json) -> u64 {
    directory.select(Some(&filter(json))).unwrap().len()
}

fn is(key: &str, condition: Json) -> Json {
    json!({ "attribute": { "key": key, "is": condition } })
}

async fn first_month(site: &Site) -> ImportReport {
    attributes(site).await;
    import(site, FIRST, options(ImportMode::Merge)).await
}

#[test]
fn the_first_month_gives_the_figures_that_the_customer_counts() {
    on_both(async |site: &Site| {
        let report = first_month(site).await;
        assert_eq!((report.applied, report.rows, figures(&report)), (true, 128, [128, 0, 0, 0]));
        assert_eq!(site.index().user_count(), 128);
        let departments = ["Platform", "Payments", "Data", "Reliability"];
        let counts = departments.map(|name| count(site, is("department", json!({ "equals": name }))));
        assert_eq!(counts, [35, 33, 33, 26]);
        assert_eq!(count(site, is("department", json!({ "isEmpty": true }))), 1);
        let payments_in_america = json!({ "all": [
            is("location", json!({ "equals": "AMER" })), is("department", json!({ "equals": "Payments" })),
        ]});
        assert_eq!(count(site, payments_in_america), 7);
        assert_eq!(count(site, is("role", json!({ "equals": "contractor" }))), 17);
        assert_eq!(count(site, is("role", json!({ "equals": "Senior Software Engineer I" }))), 37);
        assert_eq!(count(site, is("status", json!({ "equals": "inactive" }))), 5);
        let keiko = "keiko.tanaka@lumenworks.example";
        assert_eq!(count(site, is("manager", json!({ "equals": keiko }))), 2);
        assert_eq!(count(site, is("manager", json!({ "reportsTo": keiko }))), 32);
        assert_eq!(count(site, is("manager", json!({ "isEmpty": true }))), 1);
        assert_eq!(count(site, is("team", json!({ "contains": ", " }))), 2, "cells that name two teams");
    });
}

#[test]
fn days_of_two_digit_years_are_read_by_the_declared_format() {
    on_both(async |site: &Site| {
        first_month(site).await;
        let root = site.find_user("aoife.ibanez@lumenworks.example").unwrap();
        let record = &site.find_users(&[root]).await.unwrap()[&root];
        assert_eq!(record.row.name, "Aoife Ibáñez");
        assert_eq!(record.row.attributes["start_date"], "2019-06-11");
        assert_eq!(count(site, is("start_date", json!({ "isEmpty": true }))), 0);
    });
}

#[test]
fn the_second_month_merges_over_the_first() {
    on_both(async |site: &Site| {
        first_month(site).await;
        let report = import(site, SECOND, options(ImportMode::Merge)).await;
        assert_eq!((report.applied, report.rows, figures(&report)), (true, 129, [6, 7, 116, 0]));
        assert_eq!(site.index().user_count(), 134, "those whom the file lacks stay");
    });
}

#[test]
fn the_second_month_replaces_the_first() {
    on_both(async |site: &Site| {
        first_month(site).await;
        let report = import(site, SECOND, options(ImportMode::Replace)).await;
        assert_eq!((report.applied, report.rows, figures(&report)), (true, 129, [6, 7, 116, 5]));
        assert_eq!(site.index().user_count(), 129);
    });
}

#[test]
fn the_same_file_again_changes_nothing() {
    on_both(async |site: &Site| {
        first_month(site).await;
        for (file, mode) in [(FIRST, ImportMode::Merge), (FIRST, ImportMode::Replace), (SECOND, ImportMode::Replace)] {
            import(site, file, options(mode)).await;
            let before = (site.version(), tables(site).await);
            let report = import(site, file, options(mode)).await;
            assert_eq!(figures(&report), [0, 0, report.rows, 0]);
            assert_eq!((report.version, tables(site).await), before);
        }
    });
}

#[test]
fn a_dry_run_of_the_second_month_says_what_it_would_do_and_does_nothing() {
    on_both(async |site: &Site| {
        first_month(site).await;
        let before = (site.version(), tables(site).await);
        let options = ImportOptions { dry_run: true, ..options(ImportMode::Replace) };
        let report = import(site, SECOND, options).await;
        assert_eq!((report.applied, figures(&report)), (false, [6, 7, 116, 5]));
        assert_eq!((report.version, tables(site).await), before);
    });
}
