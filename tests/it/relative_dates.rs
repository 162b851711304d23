//! Days that are told from today: who is selected changes at midnight, and nothing else.

use chrono::TimeDelta;
use entity::attribute::AttributeType;
use roster::directory::csv::{ExportOptions, ImportOptions};
use roster::directory::{Directory, Error};
use roster::filter::Filter;
use roster::value::GlobalId;
use serde_json::json;

use crate::support::{Server, Site, attribute, export_as, file, filter, me, on_both, on_sqlite, unit, user};

fn text(text: &str) -> Filter {
    Filter::Text(text.to_owned())
}

/// The names of those whom a text selects; of one who is asked anew, so as a request would be answered.
async fn selected(directory: &Directory, written: &str) -> Vec<String> {
    directory.refresh().await.unwrap();
    let members = directory.select(Some(&text(written))).unwrap();
    let index = directory.index();
    let ids = index.ids_by_name(&members).unwrap();
    ids.into_iter().map(|id| index.folded_name_of(id).unwrap().to_owned()).collect()
}

#[test]
fn members_are_right_after_midnight_in_every_process_without_a_changeset() {
    on_both(async |site: &Site| {
        attribute(site, "Start date", AttributeType::Date, &[]).await;
        for (name, day) in [("Ann", "2025-12-01"), ("Ben", "2025-12-31"), ("Cem", "2026-01-02")] {
            user(site, name, &format!("{name}@corp.example"), json!({ "start_date": day })).await;
        }
        let newcomers = unit(site, "Newcomers", None, Some(text("start_date gt now-31d and start_date le now"))).await;
        let others = filter(json!({ "not": { "orgUnit": { "id": newcomers.to_global() } } }));
        let others = unit(site, "Others", None, Some(others)).await;
        let other_process = site.another_process().await;
        let server = Server::new(site);
        let query =
            "query($ids: [ID!]!) { nodes(ids: $ids) { ... on OrgUnit { name filterText members { totalCount } } } }";
        let count = async |directory: &Directory| {
            directory.refresh().await.unwrap();
            let index = directory.index();
            assert!(index.org_unit_violations(newcomers).is_empty());
            index.member_counts(&[newcomers, others])
        };
        let version = site.version();
        // 2026-01-01, and a day further each time.
        let expected: [([u64; 2], &[&str]); 4] =
            [([1, 2], &["ben"]), ([2, 1], &["ben", "cem"]), ([2, 1], &["ben", "cem"]), ([2, 1], &["ben", "cem"])];
        for (counts, names) in expected {
            for directory in [&**site, &other_process] {
                assert_eq!(count(directory).await, counts);
                assert_eq!(selected(directory, "memberOf \"Newcomers\"").await, names);
                assert_eq!(selected(directory, "start_date gt now-31d and start_date le now").await, names);
            }
            let ids = json!({ "ids": [newcomers.to_global()] });
            let answer = server.execute(query, ids, None).await.json();
            let node = &answer["data"]["nodes"][0];
            assert_eq!(node["members"]["totalCount"], counts[0], "{answer:#}");
            assert_eq!(node["filterText"], "start_date gt now-31d and start_date le now");
            site.pass(TimeDelta::days(1));
        }
        site.pass(TimeDelta::days(26));
        assert_eq!(count(&other_process).await, [1, 2]);
        assert_eq!(selected(site, "start_date eq now-29d").await, ["cem"]);
        assert_eq!((site.refresh().await.unwrap(), other_process.version()), (version, version));
        // What is loaded afresh is of the same day.
        assert_eq!(count(&site.another_process().await).await, [1, 2]);
    });
}

#[test]
fn a_range_that_is_empty_on_some_days_keeps_the_unit_as_it_is() {
    on_sqlite(async |site: &Site| {
        attribute(site, "Start date", AttributeType::Date, &[]).await;
        user(site, "Ann", "ann@corp.example", json!({ "start_date": "2026-01-15" })).await;
        let started = unit(site, "Started", None, Some(text("start_date between \"2026-01-10\" and now"))).await;
        let others = unit(site, "Others", None, Some(text("not (start_date between now and \"2026-01-20\")"))).await;
        let mut counts = Vec::new();
        for _ in 0..4 {
            site.refresh().await.unwrap();
            counts.push(site.index().member_counts(&[started, others]));
            site.pass(TimeDelta::days(10));
        }
        assert_eq!(counts, [[0, 0], [0, 0], [1, 1], [1, 1]]);
        let swapped = site.select(Some(&text("start_date between \"2026-01-10\" and \"2026-01-09\""))).unwrap_err();
        assert!(matches!(&swapped, Error::Invalid(all) if all[0].code == "EMPTY_RANGE"), "{swapped}");
    });
}

#[test]
fn an_export_and_a_file_of_org_units_take_either_form() {
    on_both(async |site: &Site| {
        attribute(site, "Start date", AttributeType::Date, &[]).await;
        for (name, day) in [("Ann", "2025-12-01"), ("Ben", "2025-12-31")] {
            user(site, name, &format!("{name}@corp.example"), json!({ "start_date": day })).await;
        }
        for written in [
            "start_date ge now-1d",
            r#"{"attribute": {"key": "start_date", "is": {"atLeast": "now-1d"}}}"#,
            r#"{"all": [{"text": "start_date ge now-1d"}]}"#,
        ] {
            let parameters = [("filter", written), ("columns", "Name")].map(|(a, b)| (a.to_owned(), b.to_owned()));
            let options = ExportOptions::from_parameters(&parameters).unwrap();
            assert_eq!(export_as(site, &options).await, "\"Name\"\nBen\n", "{written}");
        }
        let options =
            ExportOptions { filter: Some(text("name pr and\n start_date ge now-1")), ..ExportOptions::default() };
        let wrong = site.export_users(&options).await.err().unwrap();
        let message = wrong.to_string();
        assert!(message.starts_with("filter.text, line 2, character 16: a day relative to today"), "{message}");
        let wrong = ExportOptions::from_parameters(&[("filter".into(), "{\"al\":[]}".into())]).unwrap_err().to_string();
        assert!(wrong.starts_with("filter: this is not a filter: unknown variant `al`"), "{wrong}");

        let rows = "Path,Filter\nNew,start_date ge NOW-001d\nOld,\"{\"\"not\"\":{\"\"text\"\":\"\"start_date ge now-1d\"\"}}\"\n";
        let report = site.import_org_units(&me(), file(rows), ImportOptions::default()).await.unwrap();
        assert_eq!((report.created, report.errors.count), (2, 0), "{:?}", report.errors);
        assert_eq!(selected(site, "memberOf \"New\"").await, ["ben"]);
        assert_eq!(selected(site, "memberOf \"Old\"").await, ["ann"]);
        let index = site.index();
        let stored = |name| index.org_unit_at(&[name]).unwrap().row.filter.clone().unwrap()["filter"].clone();
        let at_least = json!({"attribute": {"key": "start_date", "is": {"atLeast": "now-1d"}}});
        assert_eq!((stored("New"), stored("Old")), (at_least.clone(), json!({ "not": at_least })));
    });
}
