//! All org units in one answer, and counts that are of one version while others write.

use std::collections::BTreeMap;
use std::fmt::Write;

use entity::attribute::AttributeType;
use roster::directory::csv::ImportOptions;
use sea_orm::ConnectionTrait;
use serde_json::{Value as Json, json};

use crate::support::{Server, Site, attribute, file, import, me, on_both, on_each, unit, user};

/// Answers a query, and gives the data and how many statements it took.
async fn ask(site: &Site, query: &str) -> (Json, u64) {
    let reply = Server::new(site).execute(query, json!({}), None).await;
    let mut json = reply.json();
    assert_eq!(json.get("errors"), None, "{json:#}");
    (json["data"].take(), reply.statements)
}

#[test]
fn a_tree_of_two_thousand_units_comes_whole_in_one_answer() {
    on_both(async |site: &Site| {
        attribute(site, "Team", AttributeType::Text, &[]).await;
        let rows = (0..300).fold("Name,Email,Team\n".to_owned(), |mut rows, n| {
            writeln!(rows, "User {n},u{n}@corp.example,T{}", n % 150).unwrap();
            rows
        });
        assert!(import(site, rows, ImportOptions::default()).await.applied);
        let mut rows = "Path,Scope,Filter\n".to_owned();
        for n in 0..20 {
            writeln!(rows, "Division {n},ALL,\"team eq \"\"T{n}\"\"\"").unwrap();
            for below in 0..99 {
                writeln!(rows, "Division {n}/Team {below},ALL,\"team eq \"\"T{}\"\"\"", n + below).unwrap();
            }
        }
        let report = site.import_org_units(&me(), file(rows), ImportOptions::default()).await.unwrap();
        assert_eq!((report.applied, report.created), (true, 2_000), "{:?}", report.errors);

        let query =
            "{ orgUnitTree { unitCount units { unit { path } depth memberCount subtreeMemberCount childCount } }
            unassignedUsers { totalCount } }";
        let (answer, statements) = ask(site, query).await;
        assert_eq!((&answer["orgUnitTree"]["unitCount"], statements), (&json!(2_000), 1));
        let units = answer["orgUnitTree"]["units"].as_array().unwrap();
        assert_eq!(units.len(), 2_000);
        let by_path: BTreeMap<&str, &Json> =
            units.iter().map(|unit| (unit["unit"]["path"].as_str().unwrap(), unit)).collect();
        // Two users in each of 99 teams, one of which is the division's own.
        let division = json!({ "unit": { "path": "Division 7" }, "depth": 0, "memberCount": 2,
            "subtreeMemberCount": 198, "childCount": 99 });
        assert_eq!(*by_path["Division 7"], division);
        assert_eq!(by_path["Division 7/Team 3"]["memberCount"], 2);
        // The teams of all divisions reach from T0 to T117.
        assert_eq!(answer["unassignedUsers"]["totalCount"], 300 - 2 * 118);
    });
}

#[test]
fn a_unit_whose_filter_asks_for_what_is_gone_is_shown_as_such() {
    on_both(async |site: &Site| {
        user(site, "Ann", "ann@corp.example", json!({})).await;
        unit(site, "Stale", None, None).await;
        let set = async |filter: &str| {
            let write = site.database().begin_write().await.unwrap();
            write.execute_unprepared(&format!("UPDATE org_unit SET filter = {filter}")).await.unwrap();
            site.database().commit(write).await.unwrap();
        };
        // No verb leaves such a filter; an older version, or a hand in the database, may.
        set(r#"'{"v":1,"filter":{"attribute":{"key":"gone","is":{"isEmpty":true}}}}'"#).await;
        let other = site.another_process().await;
        let query = "{ orgUnitTree(onlyEmpty: true) { units { unit { name filterViolations { path code message } }
            memberCount } } }";
        let reply = Server::new(&other).execute(query, json!({}), None).await.json();
        let violation = json!({ "path": "filter.attribute.key", "code": "UNKNOWN_ATTRIBUTE",
            "message": "there is no attribute `gone`" });
        assert_eq!(
            reply["data"]["orgUnitTree"]["units"],
            json!([{ "unit": { "name": "Stale", "filterViolations": [violation] }, "memberCount": 0 }]),
            "{reply:#}"
        );
        other.database().clone().close().await.unwrap();
        set("NULL").await;
    });
}

#[test]
fn a_page_its_total_and_its_facets_are_of_one_version_while_others_write() {
    on_each(async |site: &Site| {
        attribute(site, "Team", AttributeType::Text, &[]).await;
        let write = async {
            for n in 0..40 {
                let team = if n % 3 == 0 { json!({}) } else { json!({ "team": format!("T{}", n % 5) }) };
                user(site, &format!("User {n}"), &format!("u{n}@corp.example"), team).await;
            }
        };
        let read = async {
            let mut last = 0;
            while last < 40 {
                let query = "{ users(first: 100) { totalCount edges { node { id } } facets(keys: [\"team\"]) {
                    values { userCount emptyCount edges { node { count } } } } } }";
                let (answer, _) = ask(site, query).await;
                let users = &answer["users"];
                let values = &users["facets"][0]["values"];
                let number = |json: &Json| json.as_u64().unwrap();
                let counts = values["edges"].as_array().unwrap().iter().map(|edge| number(&edge["node"]["count"]));
                last = number(&users["totalCount"]);
                assert_eq!(number(&values["userCount"]), last);
                assert_eq!(counts.sum::<u64>() + number(&values["emptyCount"]), last);
                assert_eq!(users["edges"].as_array().unwrap().len() as u64, last);
            }
        };
        tokio::join!(write, read);
    });
}
