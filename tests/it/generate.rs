//! Generated org units: one for each value that users have, kept in step with them, and what a person changes stays.

use std::collections::{BTreeMap, BTreeSet};

use entity::OrgUnitId;
use entity::attribute::AttributeType;
use entity::org_unit::OrgUnitScope;
use proptest::prelude::*;
use roster::database::{Database, Options};
use roster::directory::csv::{ImportOptions, Style};
use roster::directory::generate::{Action, Basis, Generated, GeneratedUnit, Generation, Source};
use roster::directory::{Clock, Directory, OrgUnitChange, UndoOptions, UserChange};
use roster::value::{GlobalId, fold};
use serde_json::{Value as Json, json};

use crate::support::{
    Site, attribute, file, filter, import, me, on_both, on_places, on_sqlite, records, unit, user, violations,
};

fn by(keys: &[&str]) -> Generation {
    Generation {
        basis: Basis::Values(keys.iter().map(|key| (*key).to_owned()).collect()),
        parent_id: None,
        scope: OrgUnitScope::All,
        filter: None,
        min_members: 1,
        remove_vanished: false,
        skip: Vec::new(),
        expected_version: None,
    }
}

fn by_supervisor() -> Generation {
    let basis = Basis::Supervisor { attribute: None, depth: None, includes_supervisor: true };
    Generation { basis, ..by(&[]) }
}

async fn generate(directory: &Directory, generation: Generation) -> Generated {
    directory.generate_org_units(&me(), generation).await.unwrap()
}

/// What becomes of each unit, one a text: action, path, what changes, and how many users it is for.
fn spelled(generated: &Generated) -> Vec<String> {
    let spell = |unit: &GeneratedUnit| {
        let changes: String = unit.changes.iter().map(|change| format!(" {change}")).collect();
        format!("{:?} {}{changes}: {}", unit.action, unit.path, unit.count)
    };
    generated.units.iter().map(spell).collect()
}

async fn preview(directory: &Directory, generation: Generation) -> Vec<String> {
    spelled(&directory.preview_generated_org_units(generation).await.unwrap())
}

/// Says what a user's value is.
async fn set(directory: &Directory, email: &str, values: Json) {
    let id = directory.find_user(email).unwrap();
    let attributes = values.as_object().unwrap().iter().map(|(key, value)| (key.clone(), value.clone())).collect();
    let change = UserChange { attributes, ..UserChange::default() };
    directory.update_user(&me(), id, change).await.unwrap();
}

fn at(directory: &Directory, path: &str) -> OrgUnitId {
    let path: Vec<&str> = path.split('/').collect();
    directory.index().org_unit_at(&path).unwrap_or_else(|| panic!("no unit at {path:?}")).row.id
}

/// The emails of a unit's members, up to the `@`.
fn members(directory: &Directory, path: &str) -> Vec<String> {
    let (unit, index) = (at(directory, path), directory.index());
    let ids = index.ids_by_name(&index.members_of_unit(unit)).unwrap();
    ids.iter().map(|id| index.email_of(*id).unwrap().split('@').next().unwrap().to_owned()).collect()
}

/// Four users in two departments and three teams.
async fn teams(site: &Site) {
    attribute(site, "Department", AttributeType::Text, &[]).await;
    attribute(site, "Team", AttributeType::Text, &[]).await;
    attribute(site, "Boss", AttributeType::User, &[]).await;
    let file = "Name,Email,Department,Team,Boss\n\
                Ann,ann@corp.example,Platform,,\n\
                Bob,bob@corp.example,PLATFORM,SRE,ann@corp.example\n\
                Cy,cy@corp.example,Platform,Data,ann@corp.example\n\
                Di,di@corp.example,Sales,Data,bob@corp.example\n\
                Ed,ed@corp.example,,,\n";
    assert!(import(site, file, Default::default()).await.applied);
}

#[test]
fn each_value_is_a_unit_and_what_a_person_changes_stays() {
    on_both(async |site: &Site| {
        teams(site).await;
        let first = ["Platform: 3", "Platform/Data: 1", "Platform/SRE: 1", "Sales: 1", "Sales/Data: 1"];
        let created = first.map(|unit| format!("Create {unit}"));
        let version = site.version();
        let seen = site.preview_generated_org_units(by(&["department", "team"])).await.unwrap();
        assert_eq!((spelled(&seen), seen.unplaced, seen.version), (created.to_vec(), 1, version));
        assert_eq!(site.index().org_units().count(), 0, "a preview changes nothing");
        let done = generate(site, by(&["Department", "team"])).await;
        assert_eq!((spelled(&done), done.version), (created.to_vec(), version + 1));
        assert_eq!(members(site, "Platform"), ["ann", "bob", "cy"]);
        assert_eq!(members(site, "Platform/Data"), ["cy"]);
        assert_eq!(members(site, "Sales/Data"), ["di"]);

        // The same again does nothing, and by the department alone the teams are none of its business.
        let kept = first.map(|unit| format!("Keep {unit}"));
        assert_eq!(spelled(&generate(site, by(&["department", "team"])).await), kept);
        assert_eq!(spelled(&generate(site, by(&["department"])).await), ["Keep Platform: 3", "Keep Sales: 1"]);
        assert_eq!(site.version(), version + 1);

        // A person renames one, moves one, and gives one another filter and a pin.
        let change = |name: &str| OrgUnitChange { name: Some(name.into()), ..OrgUnitChange::default() };
        site.update_org_unit(&me(), at(site, "Platform/SRE"), change("Reliability")).await.unwrap();
        let elsewhere = unit(site, "Elsewhere", None, None).await;
        let everybody = OrgUnitChange {
            filter: Some(Some(filter(json!({ "all": [] })))),
            pinned: Some(BTreeSet::from([site.find_user("ed@corp.example").unwrap()])),
            scope: Some(OrgUnitScope::All),
            ..OrgUnitChange::default()
        };
        site.update_org_unit(&me(), at(site, "Sales/Data"), everybody).await.unwrap();
        site.move_org_unit(&me(), at(site, "Sales/Data"), Some(elsewhere), None).await.unwrap();
        set(site, "ed@corp.example", json!({ "department": "Sales", "team": "North" })).await;
        let expected = [
            "Keep Platform: 3",
            "Keep Platform/Data: 1",
            "Keep Platform/Reliability: 1",
            "Keep Sales: 2",
            "Keep Elsewhere/Data: 1",
            "Create Sales/North: 1",
        ];
        assert_eq!(spelled(&generate(site, by(&["department", "team"])).await), expected);
        assert_eq!(members(site, "Elsewhere/Data").len(), 5);

        // Two departments become one: what was generated for the other has vanished, and goes if that is asked for.
        set(site, "di@corp.example", json!({ "department": "platform" })).await;
        set(site, "ed@corp.example", json!({ "department": null })).await;
        let vanished = [
            "Keep Platform: 4",
            "Keep Platform/Data: 2",
            "Keep Platform/Reliability: 1",
            "Vanished Elsewhere/Data: 5",
            "Vanished Sales: 0",
            "Vanished Sales/North: 0",
        ];
        assert_eq!(spelled(&generate(site, by(&["department", "team"])).await), vanished);
        let removing = || Generation { remove_vanished: true, ..by(&["department", "team"]) };
        let asks = filter(json!({ "orgUnit": { "id": at(site, "Sales/North").to_global() } }));
        let leaning = unit(site, "Leaning", None, Some(asks)).await;
        let error = site.generate_org_units(&me(), removing()).await.unwrap_err();
        assert_eq!(error.to_string(), "org unit `Sales/North` is used by the filter of `Leaning`");
        let skip = Generation { skip: vec!["sales / north".into()], ..removing() };
        let error = site.generate_org_units(&me(), skip).await.unwrap_err();
        assert_eq!(error.to_string(), "org unit `Sales` is used by the unit below it: `North`");
        let skip = vec!["Sales".into(), "Sales/North".into(), "Elsewhere/Data".into()];
        let version = site.version();
        generate(site, Generation { skip, ..removing() }).await;
        assert_eq!(site.version(), version);
        site.delete_org_unit(&me(), leaning, None).await.unwrap();
        let done = generate(site, removing()).await;
        let removed = ["Remove Elsewhere/Data: 5", "Remove Sales: 0", "Remove Sales/North: 0"];
        assert_eq!(spelled(&done)[3..], removed);
        assert_eq!(site.index().org_units().count(), 4);

        // One that was generated and deleted by hand comes again.
        site.delete_org_unit(&me(), at(site, "Platform/Reliability"), None).await.unwrap();
        let expected = ["Keep Platform: 4", "Keep Platform/Data: 2", "Create Platform/SRE: 1"];
        assert_eq!(preview(site, by(&["department", "team"])).await, expected);
    });
}

#[test]
fn names_are_made_of_what_values_hold_and_told_apart() {
    on_both(async |site: &Site| {
        attribute(site, "Group", AttributeType::Text, &[]).await;
        attribute(site, "Remote", AttributeType::Boolean, &[]).await;
        attribute(site, "Level", AttributeType::Number, &[]).await;
        let long = "x".repeat(150);
        for (n, group) in ["R/D", "R-D", "r&d\nlab", &long].into_iter().enumerate() {
            let values = json!({ "group": group, "remote": n % 2 == 0, "level": n as f64 / 2.0 });
            user(site, &format!("U{n}"), &format!("u{n}@corp.example"), values).await;
        }
        let seen = site.preview_generated_org_units(by(&["group"])).await.unwrap();
        let named: BTreeMap<&str, bool> =
            seen.units.iter().map(|unit| (unit.name.as_str(), unit.note.is_some())).collect();
        let cut = "x".repeat(100);
        let expected = BTreeMap::from([("R-D", false), ("R-D (2)", true), ("r&d lab", true), (cut.as_str(), true)]);
        assert_eq!(named, expected);
        generate(site, by(&["group"])).await;
        assert_eq!((members(site, "R-D"), members(site, "R-D (2)")), (vec!["u1".to_owned()], vec!["u0".to_owned()]));
        // The name that has become free is not taken: names stay.
        set(site, "u1@corp.example", json!({ "group": null })).await;
        let seen = preview(site, Generation { remove_vanished: true, ..by(&["group"]) }).await;
        assert_eq!([&seen[1], &seen[3]], ["Keep R-D (2): 1", "Remove R-D: 0"]);
        let kinds = preview(site, by(&["remote", "level"])).await;
        let expected = [
            "Create Remote: false: 2",
            "Create Remote: false/Level: 0.5: 1",
            "Create Remote: false/Level: 1.5: 1",
            "Create Remote: true: 2",
            "Create Remote: true/Level: 0: 1",
            "Create Remote: true/Level: 1: 1",
        ];
        assert_eq!(kinds, expected);
        generate(site, by(&["remote", "level"])).await;
        assert_eq!(members(site, "Remote: false/Level: 1.5"), ["u3"]);
    });
}

#[test]
fn a_unit_that_is_there_already_is_taken_over_or_in_the_way() {
    on_both(async |site: &Site| {
        teams(site).await;
        let equals = |value: &str| filter(json!({ "attribute": { "key": "department", "is": { "equals": value } } }));
        let platform = unit(site, "PLATFORM", None, Some(equals("Platform"))).await;
        unit(site, "Sales", None, Some(equals("Marketing"))).await;
        let seen = preview(site, by(&["department"])).await;
        assert_eq!(seen, ["Update PLATFORM generatedFrom: 3", "Blocked Sales: 1"]);
        let error = site.generate_org_units(&me(), by(&["department"])).await.unwrap_err();
        assert_eq!((error.code(), error.to_string().contains("`Sales` already exists")), ("ALREADY_EXISTS", true));
        generate(site, Generation { skip: vec!["sales".into()], ..by(&["department"]) }).await;
        assert_eq!(at(site, "platform"), platform);
        let stale = Generation { expected_version: Some(site.version() - 1), ..by(&["department"]) };
        assert_eq!(site.generate_org_units(&me(), stale).await.unwrap_err().code(), "CONFLICT");
    });
}

#[test]
fn each_supervisor_is_a_unit_that_follows_who_reports_to_whom() {
    on_both(async |site: &Site| {
        teams(site).await;
        let done = generate(site, by_supervisor()).await;
        assert_eq!((spelled(&done), done.unplaced), (vec!["Create Ann: 4".into(), "Create Ann/Bob: 2".into()], 1));
        assert_eq!(members(site, "Ann"), ["ann", "bob", "cy", "di"]);
        assert_eq!(members(site, "Ann/Bob"), ["bob", "di"]);
        // Another Ann becomes the boss of all, and the first one gets another name.
        user(site, "Ann", "top@corp.example", json!({})).await;
        user(site, "Ann", "last@corp.example", json!({ "boss": "top@corp.example" })).await;
        set(site, "ann@corp.example", json!({ "boss": "top@corp.example" })).await;
        set(site, "ed@corp.example", json!({ "boss": "last@corp.example" })).await;
        let ann = site.find_user("ann@corp.example").unwrap();
        let renamed = UserChange { name: Some("Ann/Ä".into()), ..UserChange::default() };
        site.update_user(&me(), ann, renamed).await.unwrap();
        let expected = [
            "Create Ann: 7",
            "Create Ann/Ann: 2",
            "Update Ann/Ann-Ä name parentId scope generatedFrom: 4",
            "Keep Ann/Ann-Ä/Bob: 2",
        ];
        assert_eq!(spelled(&generate(site, by_supervisor()).await), expected);
        assert_eq!(members(site, "Ann").len(), 7);
        // A unit names its supervisor, so that the user stays until nobody reports to them and the unit is gone.
        let bob = site.find_user("bob@corp.example").unwrap();
        assert_eq!(site.delete_user(&me(), bob, None).await.unwrap_err().code(), "IN_USE");
        set(site, "di@corp.example", json!({ "boss": null })).await;
        let done = generate(site, Generation { remove_vanished: true, ..by_supervisor() }).await;
        assert_eq!(spelled(&done).last().unwrap(), "Remove Ann/Ann-Ä/Bob: 1");
        site.delete_user(&me(), bob, None).await.unwrap();
    });
}

#[test]
fn more_than_can_be_generated_is_refused_with_the_number() {
    on_sqlite(async |site: &Site| {
        attribute(site, "Badge", AttributeType::Text, &[]).await;
        attribute(site, "Boss", AttributeType::User, &[]).await;
        let row = |n: usize| {
            let boss = if (1..40).contains(&n) { format!("u{}@corp.example", n - 1) } else { String::new() };
            format!("U{n},u{n}@corp.example,b{n},{boss}\n")
        };
        let file: String = std::iter::once("Name,Email,Badge,Boss\n".to_owned()).chain((0..10_050).map(row)).collect();
        assert!(import(site, file, Default::default()).await.applied);
        let error = site.preview_generated_org_units(by(&["badge"])).await.unwrap_err();
        assert_eq!(violations(&error), ["minMembers: LIMIT_EXCEEDED"]);
        assert!(error.to_string().contains("at least 10050 units"), "{error}");
        assert_eq!(preview(site, Generation { min_members: 2, ..by(&["badge"]) }).await, [""; 0]);
        // Chains of supervisors that are longer than the tree of org units may be deep.
        let error = site.preview_generated_org_units(by_supervisor()).await.unwrap_err();
        assert_eq!(error.code(), "LIMIT_EXCEEDED");
        let basis = Basis::Supervisor { attribute: None, depth: Some(32), includes_supervisor: false };
        assert_eq!(preview(site, Generation { basis, ..by_supervisor() }).await.len(), 32);
    });
}

#[test]
fn thousands_of_units_are_generated_in_one_changeset() {
    on_places(async |url: &str| {
        let options = Options::to(url);
        let directory = Directory::open(Database::open(&options).await.unwrap(), Clock::stepped()).await.unwrap();
        attribute(&directory, "Badge", AttributeType::Text, &[]).await;
        let rows = (0..4_500).map(|n| format!("U{n},u{n}@corp.example,b{n}\n"));
        let file: String = std::iter::once("Name,Email,Badge\n".to_owned()).chain(rows).collect();
        assert!(import(&directory, file, Default::default()).await.applied);
        let done = generate(&directory, by(&["badge"])).await;
        assert_eq!((done.units.len(), done.unplaced), (4_500, 0));
        assert_eq!(members(&directory, "b4321"), ["u4321"]);
        let again = generate(&directory, Generation { remove_vanished: true, ..by(&["badge"]) }).await;
        assert!(again.units.iter().all(|unit| unit.action == Action::Keep));
        assert_eq!(again.version, done.version);
        directory.database().clone().close().await.unwrap();
    });
}

/// All records without when they were last changed.
async fn content(directory: &Directory) -> BTreeSet<String> {
    let plain = |(noun, mut row): (&str, Json)| {
        let members = row.as_object_mut().unwrap();
        members.remove("version");
        members.remove("updated_at");
        format!("{noun} {row}")
    };
    records(directory).await.into_iter().map(plain).collect()
}

#[test]
fn files_of_units_leave_what_a_unit_was_generated_from_alone() {
    on_both(async |site: &Site| {
        teams(site).await;
        generate(site, by(&["department", "team"])).await;
        let before = content(site).await;
        let exported = String::from_utf8(site.export_org_units(Style::default()).await.unwrap()).unwrap();
        let imported = async |content: &str| {
            let report = site.import_org_units(&me(), file(content), ImportOptions::default()).await.unwrap();
            assert!(report.applied, "{:?}", report.errors);
        };
        imported(&exported).await;
        assert_eq!(content(site).await, before);
        imported(&exported.replace("Platform/SRE", "Platform/Reliability")).await;
        let kept = preview(site, by(&["department", "team"])).await;
        assert!(kept.contains(&"Keep Platform/Reliability: 1".to_owned()), "{kept:?}");
    });
}

/// Values of one user: department, teams, and whom of those before the user reports to.
type Drawn = (Option<usize>, BTreeSet<usize>, Option<bool>, Option<usize>);

const DEPARTMENTS: [&str; 5] = ["Platform", "PLATFORM", "Data/ML", "data-ml", "Straße"];
const TEAMS: [&str; 3] = ["Red", "Green", "Blue"];

async fn fill(site: &Site, drawn: &[Drawn]) {
    attribute(site, "Department", AttributeType::Text, &[]).await;
    attribute(site, "Teams", AttributeType::MultiSelect, &TEAMS).await;
    attribute(site, "Remote", AttributeType::Boolean, &[]).await;
    attribute(site, "Boss", AttributeType::User, &[]).await;
    for (n, (department, teams, remote, boss)) in drawn.iter().enumerate() {
        let values = json!({
            "department": department.map(|at| DEPARTMENTS[at]),
            "teams": teams.iter().map(|at| TEAMS[*at]).collect::<Vec<_>>(),
            "remote": remote,
            "boss": boss.filter(|_| n > 0).map(|boss| format!("u{}@corp.example", boss % n.max(1))),
        });
        user(site, &format!("U{n}"), &format!("u{n}@corp.example"), values).await;
    }
}

/// The values of one level that a user has, folded.
fn values(drawn: &Drawn, key: &str) -> Vec<String> {
    match key {
        "department" => drawn.0.map(|at| fold(DEPARTMENTS[at])).into_iter().collect(),
        "teams" => drawn.1.iter().map(|at| fold(TEAMS[*at])).collect(),
        _ => drawn.2.map(|remote| remote.to_string()).into_iter().collect(),
    }
}

/// Whom each unit should have, by the values down to it.
fn expected(drawn: &[Drawn], keys: &[&str]) -> BTreeMap<Vec<String>, BTreeSet<String>> {
    let mut units: BTreeMap<Vec<String>, BTreeSet<String>> = BTreeMap::new();
    for (n, of) in drawn.iter().enumerate() {
        let mut paths: Vec<Vec<String>> = vec![Vec::new()];
        for key in keys {
            let longer = |path: &Vec<String>| {
                values(of, key).into_iter().map(|value| [path.clone(), vec![value]].concat()).collect::<Vec<_>>()
            };
            paths = paths.iter().flat_map(longer).collect();
            for path in &paths {
                units.entry(path.clone()).or_default().insert(format!("u{n}@corp.example"));
            }
        }
    }
    units
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 16, ..ProptestConfig::default() })]

    #[test]
    fn everybody_is_in_exactly_the_units_of_their_values_and_the_same_again_changes_nothing(
        drawn in prop::collection::vec(
            (
                prop::option::of(0..DEPARTMENTS.len()),
                prop::collection::btree_set(0..TEAMS.len(), 0..3),
                prop::option::of(any::<bool>()),
                prop::option::of(0..100_usize),
            ),
            1..9,
        ),
        keys in Just(vec!["department", "teams", "remote"]).prop_shuffle(),
        levels in 1..4_usize,
        below in any::<bool>(),
    ) {
        let keys = &keys[..levels];
        on_sqlite(async |site: &Site| {
            fill(site, &drawn).await;
            let parent = match below {
                true => Some(unit(site, "Company", None, None).await),
                false => None,
            };
            let before = content(site).await;
            let started = site.version();
            let of = || Generation { parent_id: parent, ..by(keys) };
            let seen = site.preview_generated_org_units(of()).await.unwrap();
            let done = generate(site, of()).await;
            assert_eq!(spelled(&seen), spelled(&done));
            let mut units = BTreeMap::new();
            for generated in &done.units {
                let index = site.index();
                let Source::Values(values) = &generated.source else { panic!() };
                let path: Vec<String> = values.iter().map(|value| fold(&value.value)).collect();
                let unit = index.org_unit(generated.id).unwrap();
                assert_eq!(index.path(unit.row.id), generated.path);
                let members = index.members_of_unit(generated.id);
                assert_eq!(members.len(), generated.count);
                let ids = index.ids_by_name(&members).unwrap();
                let emails: BTreeSet<String> = ids.iter().map(|id| index.email_of(*id).unwrap().to_owned()).collect();
                units.insert(path, emails);
            }
            assert_eq!(units, expected(&drawn, keys));
            // The same again, also with what is gone, does nothing.
            let again = generate(site, Generation { remove_vanished: true, ..of() }).await;
            assert!(again.units.iter().all(|unit| unit.action == Action::Keep));
            assert_eq!(again.version, done.version);

            let by_values = content(site).await;
            let supervised = || Generation { parent_id: parent, ..by_supervisor() };
            let bosses = generate(site, supervised()).await;
            for generated in &bosses.units {
                assert_eq!(site.index().members_of_unit(generated.id).len(), generated.count, "{}", generated.path);
            }
            assert_eq!(generate(site, supervised()).await.version, bosses.version);

            let undo = async |number: i64| {
                let report = site.undo_changeset(&me(), UndoOptions { number, ..UndoOptions::default() }).await.unwrap();
                assert_eq!(report.blocked_count, 0);
            };
            if bosses.version > done.version {
                undo(bosses.version).await;
            }
            assert_eq!(content(site).await, by_values);
            if done.version > started {
                undo(done.version).await;
            }
            assert_eq!(content(site).await, before);
        });
    }
}

#[test]
fn what_a_generation_changed_can_be_undone_and_done_again() {
    on_both(async |site: &Site| {
        teams(site).await;
        generate(site, by(&["department"])).await;
        let first = content(site).await;
        set(site, "ed@corp.example", json!({ "department": "Legal" })).await;
        set(site, "di@corp.example", json!({ "department": null })).await;
        let changed = content(site).await;
        let second = generate(site, Generation { remove_vanished: true, ..by(&["department"]) }).await;
        let units = content(site).await;
        let undo = async |number: i64| {
            let report = site.undo_changeset(&me(), UndoOptions { number, ..UndoOptions::default() }).await.unwrap();
            assert_eq!(report.blocked_count, 0, "{:?}", report.blocked);
            report.version
        };
        let undone = undo(second.version).await;
        assert_eq!(content(site).await, changed);
        assert_ne!(first, changed);
        undo(undone).await;
        assert_eq!(content(site).await, units);
    });
}
