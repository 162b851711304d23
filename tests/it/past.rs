//! The directory as it was: at any version what was answered then, and how members came and went.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use async_graphql::{Request, Value};
use entity::{OrgUnitId, UserId};
use futures_util::StreamExt;
use proptest::prelude::*;
use roster::access::{Principal, Role};
use roster::directory::csv::ImportOptions;
use roster::directory::{AsOf, Directory, MembersChange, OrgUnitChange, UserChange};
use roster::graphql;
use roster::value::GlobalId;
use serde_json::{Value as Json, json};

use crate::support::{Events, Server, Site, filter, import, me, on_both, on_each, on_sqlite, run_sql, unit, user};
use crate::undo::{Act, act, acts, begin, undo_rest};

/// Fields that are not of a version: the log, and what stands beside the directory.
const OF_ALL_TIMES: [&str; 5] = ["history", "credential", "lastRun", "nextRunAt", "runs"];

/// What fields of the schema lead to: the type's name, for each object all its fields that need no arguments.
struct Shape(HashMap<String, Vec<(String, String)>>);

impl Shape {
    async fn read() -> Self {
        let query = "{ __schema { types { name kind fields { name args { type { kind } defaultValue }
            type { name ofType { name ofType { name ofType { name ofType { name ofType { name } } } } } } } } } }";
        let types = graphql::schema().execute(query).await.data.into_json().unwrap();
        let name = |mut r#type: &Json| {
            while r#type["name"].is_null() {
                r#type = &r#type["ofType"];
            }
            r#type["name"].as_str().unwrap().to_owned()
        };
        let objects = types["__schema"]["types"].as_array().unwrap().iter().filter(|r#type| r#type["kind"] == "OBJECT");
        let fields = |object: &Json| {
            let fields = object["fields"].as_array().unwrap().iter();
            let is_needed = |arg: &Json| arg["type"]["kind"] == "NON_NULL" && arg["defaultValue"].is_null();
            let free = fields.filter(|field| !field["args"].as_array().unwrap().iter().any(is_needed));
            free.map(|field| (field["name"].as_str().unwrap().to_owned(), name(&field["type"]))).collect()
        };
        Self(objects.map(|object| (object["name"].as_str().unwrap().to_owned(), fields(object))).collect())
    }

    /// Everything below an object, each type at most twice on the way there, but what is of all times.
    fn all(&self, r#type: &str, way: &mut Vec<String>) -> Option<String> {
        let Some(fields) = self.0.get(r#type) else { return Some(String::new()) };
        if way.iter().filter(|known| *known == r#type).count() == 2 || way.len() == 8 {
            return None;
        }
        way.push(r#type.to_owned());
        let below = fields.iter().filter(|(name, _)| !OF_ALL_TIMES.contains(&name.as_str()));
        let below: Vec<String> =
            below.filter_map(|(name, r#type)| Some(format!("{name} {}", self.all(r#type, way)?))).collect();
        way.pop();
        Some(format!("{{ {} }}", below.join(" ")))
    }

    /// All that can be asked of the directory as a whole, with `$at` for `asOf`.
    fn document(&self) -> String {
        let mut document = "query($at: AsOf) {".to_owned();
        for (field, r#type) in [
            ("users(asOf: $at, first: 100)", "UserConnection"),
            ("orgUnits(asOf: $at, first: 100)", "OrgUnitConnection"),
            ("attributes(asOf: $at)", "Attribute"),
            ("integrations(asOf: $at)", "Integration"),
            ("directory(asOf: $at)", "Directory"),
        ] {
            document += &format!("{field} {} ", self.all(r#type, &mut Vec::new()).unwrap());
        }
        document + "}"
    }
}

/// Filters that are wrong at times, since what they name comes and goes.
const FILTERS: [&str; 5] = [
    r#"{ attribute: { key: "team", is: { equals: "Blue" } } }"#,
    r#"{ not: { attribute: { key: "note", is: { isEmpty: true } } } }"#,
    r#"{ attribute: { key: "boss", is: { reportsTo: "u1@corp.example" } } }"#,
    r#"{ account: { integration: "GitHub", username: { contains: "1" } } }"#,
    r#"{ any: [{ name: { contains: "e" } }, { email: { startsWith: "u2" } }] }"#,
];

fn admin() -> Principal {
    Principal { name: "admin".to_owned(), role: Role::Admin }
}

/// What the directory answers, as it is or as it was.
async fn answers(directory: &Directory, document: &str, at: Json) -> Vec<Json> {
    let schema = graphql::schema();
    let mut asked = vec![document.to_owned()];
    asked.extend(FILTERS.map(|filter| {
        let order = r#"{ by: ATTRIBUTE, attribute: "note", direction: DESC }"#;
        format!(
            "query($at: AsOf) {{ a: users(asOf: $at, filter: {filter}) {{ totalCount edges {{ cursor node {{ id }} }} }}
             b: users(asOf: $at, filter: {filter}, orderBy: {order}, last: 2) {{ edges {{ cursor }} pageInfo {{ hasPreviousPage }} }} }}"
        )
    }));
    let mut answers = Vec::new();
    for asked in asked {
        let variables = async_graphql::Variables::from_json(json!({ "at": at }));
        let answer = graphql::execute(&schema, directory, Request::new(asked).variables(variables).data(admin())).await;
        answers.push(serde_json::to_value(answer).unwrap());
    }
    assert_eq!(answers[0].get("errors"), None, "{}", answers[0]["errors"]);
    answers
}

/// Who is in each org unit.
fn members(directory: &Directory) -> BTreeMap<OrgUnitId, BTreeSet<UserId>> {
    let index = directory.index();
    let members = |id| index.ids_by_name(&index.members_of_unit(id)).unwrap().into_iter().collect();
    index.org_units().map(|unit| (unit.row.id, members(unit.row.id))).collect()
}

/// Does what was drawn, and at times undoes something, in one process and then the other.
async fn step(one: &Site, other: &Directory, at: usize, drawn: Act) {
    act(one, drawn).await;
    if at % 5 == 4 && one.version() > 12 {
        other.refresh().await.unwrap();
        undo_rest(other, one.version() - i64::from(drawn.1 % 4)).await;
        one.refresh().await.unwrap();
    }
}

/// Asks at every version what was asked then.
async fn every_version_answers_as_it_did(site: &Site, acts: &[Act], order: &[prop::sample::Index]) {
    let document = Shape::read().await.document();
    let other = site.another_process().await;
    begin(site).await;
    let mut then = vec![(site.version(), answers(site, &document, Json::Null).await)];
    for (at, drawn) in acts.iter().enumerate() {
        step(site, &other, at, *drawn).await;
        if site.version() > then.last().unwrap().0 {
            then.push((site.version(), answers(site, &document, Json::Null).await));
        }
    }
    // In any order, by a process that was there and by one that starts now.
    let late = site.another_process().await;
    let drawn = order.iter().map(|index| index.index(then.len())).collect::<Vec<_>>();
    for (directory, at) in drawn.iter().map(|at| (&late, *at)).chain((0..then.len()).map(|at| (&**site, at))) {
        let (version, expected) = &then[at];
        let found = answers(directory, &document, json!({ "version": version })).await;
        for (found, expected) in found.iter().zip(expected) {
            assert_eq!(found, expected, "at version {version}");
        }
    }
    // By time, between two changesets and at the very time of one.
    for pair in then.windows(2) {
        let (version, next) = (pair[0].0, pair[1].0);
        let made = site.find_changeset(version).await.unwrap().unwrap().created_at;
        let made_next = site.find_changeset(version + 1).await.unwrap().unwrap().created_at;
        for time in
            [made, made_next - chrono::TimeDelta::microseconds(1), made_next - chrono::TimeDelta::nanoseconds(1)]
        {
            assert_eq!(late.moment(AsOf::Time(time), "asOf").await.unwrap().version, version, "{time} before {next}");
        }
    }
    for directory in [other, late] {
        directory.database().clone().close().await.unwrap();
    }
}

/// What became of a set of members, as events tell it.
fn told(changes: &[MembersChange]) -> Vec<(i64, BTreeSet<UserId>, BTreeSet<UserId>, u64)> {
    let set = |moved: &roster::directory::MovedMembers| {
        assert_eq!(moved.count, moved.first.len() as u64);
        moved.first.iter().copied().collect()
    };
    let told = changes
        .iter()
        .map(|change| (change.changeset.number, set(&change.joined), set(&change.left), change.member_count));
    told.collect()
}

/// The same, worked out from who was in the unit at each version; with the deletion of the unit.
fn expected(
    then: &[BTreeMap<OrgUnitId, BTreeSet<UserId>>],
    unit: OrgUnitId,
    from: usize,
    to: usize,
) -> Vec<(i64, BTreeSet<UserId>, BTreeSet<UserId>, u64)> {
    let nobody = BTreeSet::new();
    let mut expected = Vec::new();
    for version in from + 1..=to {
        let (before, after) = (then[version - 1].get(&unit), then[version].get(&unit));
        let (had, has) = (before.unwrap_or(&nobody), after.unwrap_or(&nobody));
        if had != has || before.is_some() && after.is_none() {
            expected.push((version as i64, has - had, had - has, has.len() as u64));
        }
    }
    expected
}

/// Walks from any version to any other, and listens from any.
async fn joins_and_leaves_add_up(site: &Site, acts: &[Act], picks: &[(prop::sample::Index, prop::sample::Index)]) {
    let other = site.another_process().await;
    let mut then = vec![BTreeMap::new(); usize::try_from(site.version()).unwrap() + 1];
    begin(site).await;
    then.resize(usize::try_from(site.version()).unwrap() + 1, BTreeMap::new());
    // Some listen from the start, before there is any unit to listen to.
    let mut listeners = Vec::new();
    for (at, drawn) in acts.iter().enumerate() {
        let known = then.len();
        step(site, &other, at, *drawn).await;
        // Of two changesets made at once the first is asked later on.
        for version in known..=usize::try_from(site.version()).unwrap() {
            let index = site.index_at(version as i64).await.unwrap();
            let members = |id| index.ids_by_name(&index.members_of_unit(id)).unwrap().into_iter().collect();
            then.push(index.org_units().map(|unit| (unit.row.id, members(unit.row.id))).collect());
        }
        assert_eq!(then.last(), Some(&members(site)));
        if let Some(&unit) = then[then.len() - 1].keys().next()
            && at % 3 == 0
        {
            let after = then.len() - 1 - usize::from(drawn.2) % (then.len() - 1);
            let directory: &Directory = if at % 2 == 0 { site } else { &other };
            directory.refresh().await.unwrap();
            let stream = directory.members_changes_after(unit, after as i64).await.unwrap();
            listeners.push((unit, after, Box::pin(stream), Vec::new()));
        }
        // One of them listens as it happens.
        if let Some((unit, after, stream, heard)) = listeners.first_mut() {
            let due = expected(&then, *unit, *after, then.len() - 1);
            let due = due
                .iter()
                .position(|(version, ..)| !then[*version as usize].contains_key(unit))
                .map_or(due.len(), |end| end + 1);
            while heard.len() < due {
                heard.push(stream.next().await.unwrap().unwrap());
            }
        }
    }
    let last = then.len() - 1;
    let units: BTreeSet<OrgUnitId> = then.iter().flat_map(BTreeMap::keys).copied().collect();
    for (from, to) in picks {
        let (from, to) = (from.index(then.len()), to.index(then.len()));
        let (from, to) = (from.min(to), from.max(to));
        for unit in &units {
            let expected = expected(&then, *unit, from, to);
            let all = other_or(site, &other, from).members_changes(*unit, from as i64, to as i64, 1_000).await.unwrap();
            assert_eq!((told(&all.rows), all.has_next), (expected.clone(), false), "from {from} to {to}");
            let first = site.members_changes(*unit, from as i64, to as i64, 1).await.unwrap();
            assert_eq!(
                (told(&first.rows).as_slice(), first.has_next),
                (&expected[..expected.len().min(1)], expected.len() > 1)
            );
        }
    }
    for (unit, after, mut stream, mut heard) in listeners {
        let mut due = expected(&then, unit, after, last);
        let end = due.iter().position(|(version, ..)| {
            !then[*version as usize].contains_key(&unit) && then[*version as usize - 1].contains_key(&unit)
        });
        due.truncate(end.map_or(due.len(), |end| end + 1));
        while heard.len() < due.len() {
            heard.push(stream.next().await.unwrap().unwrap());
        }
        assert_eq!(told(&heard), due, "after {after}");
        if end.is_some() {
            assert!(stream.next().await.is_none(), "it ends with the unit");
        }
    }
    other.database().clone().close().await.unwrap();
}

fn other_or<'a>(site: &'a Site, other: &'a Directory, at: usize) -> &'a Directory {
    if at.is_multiple_of(2) { site } else { other }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 10, ..ProptestConfig::default() })]

    #[test]
    fn every_version_answers_as_it_did_when_it_was_the_last(
        acts in acts(),
        order in prop::collection::vec(any::<prop::sample::Index>(), 6),
    ) {
        on_sqlite(async |site: &Site| every_version_answers_as_it_did(site, &acts, &order).await);
    }

    #[test]
    fn joins_and_leaves_applied_to_an_earlier_set_give_the_later_set(
        acts in acts(),
        picks in prop::collection::vec(any::<(prop::sample::Index, prop::sample::Index)>(), 4),
    ) {
        on_sqlite(async |site: &Site| joins_and_leaves_add_up(site, &acts, &picks).await);
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 3, ..ProptestConfig::default() })]

    #[test]
    fn both_databases_remember_alike(
        acts in acts(),
        order in prop::collection::vec(any::<prop::sample::Index>(), 4),
        picks in prop::collection::vec(any::<(prop::sample::Index, prop::sample::Index)>(), 2),
    ) {
        on_each(async |site: &Site| every_version_answers_as_it_did(site, &acts, &order).await);
        on_each(async |site: &Site| joins_and_leaves_add_up(site, &acts, &picks).await);
    }
}

const DATES: &str = "query($at: AsOf) { directory(asOf: $at) { version day } }";

#[test]
fn a_day_is_its_end_and_a_time_what_was_made_by_then() {
    on_each(async |site: &Site| {
        begin(site).await;
        let last = site.version();
        // As if the first changesets had been made over three days.
        let days = ["2025-11-05T23:59:59.999999", "2025-11-07T00:00:00", "2025-11-07T12:30:00.25"];
        let set = |number: i64, time: String| {
            let sql = format!("UPDATE changeset SET created_at = '{time}' WHERE number = {number}");
            let url = site.url().to_owned();
            std::thread::spawn(move || run_sql(&url, &sql)).join().unwrap();
        };
        let mut made = Vec::new();
        for (number, day) in (1..).zip(days) {
            made.push((number, site.find_changeset(number).await.unwrap().unwrap().created_at.to_rfc3339()));
            set(number, format!("{day}+00:00"));
        }
        let server = Server::new(site);
        let ask = async |at: Json| {
            let reply = server.execute(DATES, json!({ "at": &at }), None).await.json();
            match reply["errors"][0]["extensions"]["violations"][0].as_object() {
                Some(violation) => format!("{} {}", violation["path"], violation["code"]).replace('"', ""),
                None => {
                    let (directory, asked) = (&reply["data"]["directory"], &at["date"]);
                    assert!(asked.is_null() || directory["day"] == *asked, "{reply}");
                    directory["version"].to_string()
                }
            }
        };
        for (date, expected) in [
            ("0001-01-01", 0),
            ("2025-11-04", 0),
            ("2025-11-05", 1),
            ("2025-11-06", 1),
            ("2025-11-07", 3),
            ("2025-12-31", 3),
            // Today, where the clock of tests begins.
            ("2026-01-01", last),
        ] {
            assert_eq!(ask(json!({ "date": date })).await, expected.to_string(), "{date}");
        }
        for (time, expected) in [
            ("2025-11-05T23:59:59.999998Z", 0),
            ("2025-11-05T23:59:59.999999Z", 1),
            ("2025-11-06T23:59:59.9999999Z", 1),
            ("2025-11-07T01:00:00+01:00", 2),
            ("2025-11-07T12:30:00.249Z", 2),
            ("2025-11-07T12:30:00.25Z", 3),
        ] {
            assert_eq!(ask(json!({ "time": time })).await, expected.to_string(), "{time}");
        }
        for version in [0, 1, last] {
            assert_eq!(ask(json!({ "version": version })).await, version.to_string());
        }
        for (at, place) in [
            (json!({ "date": "2026-01-02" }), "date"),
            (json!({ "date": "9999-12-31" }), "date"),
            (json!({ "time": "2026-01-01T01:00:00Z" }), "time"),
            (json!({ "time": "9999-12-31T23:59:59Z" }), "time"),
            (json!({ "version": last + 1 }), "version"),
            (json!({ "version": -1 }), "version"),
        ] {
            assert_eq!(ask(at).await, format!("asOf.{place} OUT_OF_BOUNDS"));
        }
        // The log tells of every change to it.
        made.into_iter().for_each(|(number, time)| set(number, time));
    });
}

#[test]
fn one_answer_is_made_of_a_bounded_number_of_versions() {
    on_both(async |site: &Site| {
        begin(site).await;
        for n in 0..6 {
            user(site, "More", &format!("more{n}@corp.example"), json!({})).await;
        }
        let schema = graphql::schema();
        let ask = async |count: i64, different: i64| {
            let field = |n| format!("v{n}: users(asOf: {{version: {}}}) {{ totalCount }} ", n % different);
            let document: String = (0..count).map(field).collect();
            let request = Request::new(format!("{{ {document} }}"));
            assert_eq!(graphql::execute(&schema, site, request).await.data, Value::Null, "nobody asks");
            let request = Request::new(format!("{{ {document} }}")).data(admin());
            graphql::execute(&schema, site, request).await.errors
        };
        assert_eq!(ask(12, 12).await, []);
        assert_eq!(ask(40, 12).await, []);
        let errors = ask(13, 13).await;
        assert!(errors[0].message.ends_with("is limited to 12"), "{errors:?}");
    });
}

const JOINS: &str =
    "subscription($unit: ID!, $after: Int) { orgUnitMembersChanged(orgUnitId: $unit, afterVersion: $after) {
    version memberCount joinedCount leftCount changeset { kind actor } orgUnit { path members { totalCount } }
    joined(first: 100) { name email attribute(key: \"team\") { text } } left { name orgUnits { path } }
} }";

async fn next(events: &mut Events) -> Json {
    let Some(mut result) = events.next().await else { panic!("it has ended") };
    assert_eq!(result.get("errors"), None, "{result}");
    result["data"]["orgUnitMembersChanged"].take()
}

#[test]
fn who_joins_and_leaves_a_unit_is_told_whatever_makes_it_so() {
    let told = on_both(async |site: &Site| {
        begin(site).await;
        let other = site.another_process().await;
        let blue = filter(json!({ "attribute": { "key": "team", "is": { "equals": "Blue" } } }));
        let blues = unit(site, "Blues", None, Some(blue)).await;
        let asks = json!({ "orgUnit": { "id": blues.to_global() } });
        let both = unit(site, "Both", None, Some(filter(asks))).await;
        let after = site.version();
        let server = Server::new(&other);
        let variables = json!({ "unit": both.to_global(), "after": after });
        let mut events = server.subscribe(JOINS, variables.clone()).await;
        let team = |value| UserChange { attributes: vec![("team".into(), value)], ..UserChange::default() };
        let ann = site.find_user("u0@corp.example").unwrap();
        let mut told = Vec::new();
        // By a value of theirs, in either process.
        site.update_user(&me(), ann, team(json!("Blue"))).await.unwrap();
        told.push(next(&mut events).await);
        // Nothing that they are not concerned by is told.
        user(&other, "Zed", "zed@corp.example", json!({})).await;
        // By another unit that the filter asks about.
        let pinned = [site.find_user("u1@corp.example").unwrap(), site.find_user("u2@corp.example").unwrap()];
        let change = OrgUnitChange { pinned: Some(pinned.into()), ..OrgUnitChange::default() };
        other.update_org_unit(&me(), blues, change).await.unwrap();
        told.push(next(&mut events).await);
        // By many at once, of whom a hundred are named.
        let rows: String = (10..160).map(|n| format!("Many {n},m{n}@corp.example,Blue\n")).collect();
        import(site, format!("Name,Email,team\n{rows}"), ImportOptions::default()).await;
        let mut many = next(&mut events).await;
        assert_eq!(many["joined"].as_array().unwrap().len(), 100);
        assert_eq!(
            many["joined"][99],
            json!({ "name": "Many 109", "email": "m109@corp.example", "attribute": { "text": "Blue" } })
        );
        many["joined"] = Json::Null;
        told.push(many);
        // By the deletion of a user, who is shown as it was.
        site.delete_user(&me(), ann, None).await.unwrap();
        told.push(next(&mut events).await);
        // One who comes back is told what it has not heard.
        drop(events);
        undo_rest(site, site.version()).await;
        let resumed = json!({ "unit": both.to_global(), "after": told[3]["version"] });
        let mut events = server.subscribe(JOINS, resumed).await;
        told.push(next(&mut events).await);
        // With the unit it ends.
        site.delete_org_unit(&me(), both, None).await.unwrap();
        let mut end = next(&mut events).await;
        end["left"] = json!(end["left"].as_array().unwrap().len());
        told.push(end);
        assert_eq!(events.next().await, None);
        let mut again = server.subscribe(JOINS, variables).await;
        assert_eq!(next(&mut again).await, told[0]);
        let mut refused = server.subscribe(JOINS, json!({ "unit": both.to_global() })).await;
        assert_eq!(refused.next().await.unwrap()["errors"][0]["extensions"]["code"], "NOT_FOUND");
        assert_eq!(refused.next().await, None);
        for after in [-1, site.version() + 1] {
            let variables = json!({ "unit": both.to_global(), "after": after });
            let error = server.subscribe(JOINS, variables).await.next().await.unwrap();
            assert_eq!(error["errors"][0]["extensions"]["violations"][0]["path"], "afterVersion");
        }
        other.database().clone().close().await.unwrap();
        told
    });
    let counts: Vec<Json> = told
        .iter()
        .map(|event| {
            json!([event["joinedCount"], event["leftCount"], event["memberCount"], event["changeset"]["kind"]])
        })
        .collect();
    assert_eq!(
        json!(counts),
        json!([
            [1, 0, 1, "USER"],
            [2, 0, 3, "ORG_UNIT"],
            [150, 0, 153, "IMPORT"],
            [0, 1, 152, "USER"],
            [1, 0, 153, "UNDO"],
            [0, 153, 0, "ORG_UNIT"]
        ])
    );
    assert_eq!(
        told[0]["joined"],
        json!([{ "name": "User 0", "email": "u0@corp.example", "attribute": { "text": "Blue" } }])
    );
    assert_eq!(told[0]["orgUnit"], json!({ "path": "Both", "members": { "totalCount": 1 } }));
    assert_eq!(told[3]["left"], json!([{ "name": "User 0", "orgUnits": [{ "path": "Blues" }, { "path": "Both" }] }]));
    assert_eq!((&told[5]["orgUnit"], &told[5]["left"]), (&Json::Null, &json!(25)));
}
