//! Undo puts back what a changeset changed and leaves what others have changed since; the difference between two
//! versions is what differs between them.

use std::collections::{BTreeMap, BTreeSet};

use entity::attribute::AttributeType;
use entity::change::Noun;
use entity::integration::IntegrationKind;
use entity::org_unit::OrgUnitScope;
use proptest::prelude::*;
use roster::directory::csv::{ImportMode, ImportOptions};
use roster::directory::{
    AttributeChange, Directory, IntegrationChange, Merge, MergeChoice, MergePart, NewAttribute, NewIntegration,
    NewUser, OrgUnitChange, Range, Split, SyncMode, UndoOptions, UndoReport, UserChange,
};
use roster::index::AccountBy;
use serde_json::{Value as Json, json};

use crate::merge::{give_back, merge, take};
use crate::support::{
    Site, account, attribute, cast, export, filter, import, integration, me, new_unit, on_both, on_sqlite, records,
    tables, unit, user,
};

/// All records without when they were last changed, by their ids.
async fn content(directory: &Directory) -> BTreeMap<String, Vec<String>> {
    let mut content: BTreeMap<String, Vec<String>> = BTreeMap::new();
    for (noun, mut row) in records(directory).await {
        let key = match noun {
            "user_email" | "user_merged_id" => "user_id",
            "org_unit_pin" => "org_unit_id",
            _ => "id",
        };
        let id = row[key].as_str().unwrap().to_owned();
        let members = row.as_object_mut().unwrap();
        members.remove("version");
        members.remove("updated_at");
        content.entry(id).or_default().push(format!("{noun} {row}"));
    }
    content
}

async fn undo(directory: &Directory, number: i64) -> UndoReport {
    directory.undo_changeset(&me(), UndoOptions { number, ..UndoOptions::default() }).await.unwrap()
}

pub(crate) async fn undo_rest(directory: &Directory, number: i64) -> UndoReport {
    let options = UndoOptions { number, skip_blocked: true, ..UndoOptions::default() };
    directory.undo_changeset(&me(), options).await.unwrap()
}

/// What is blocked, one a text: noun, label, code, and the changeset in the way.
fn blocked(report: &UndoReport) -> Vec<String> {
    assert_eq!(report.blocked_count, report.blocked.len() as u64);
    report
        .blocked
        .iter()
        .map(|blocked| {
            let by = blocked.changeset.map(|by| format!(" by {by}")).unwrap_or_default();
            format!("{} {}: {}{by}", blocked.id.word(), blocked.label, blocked.code)
        })
        .collect()
}

/// The ids of the records that differ, page by page.
async fn differing(directory: &Directory, from: i64, to: i64, limit: u64, from_end: bool) -> Vec<String> {
    let query = directory.diff(from, Some(to), None).unwrap();
    let mut range = Range { limit, from_end, ..Range::default() };
    let mut found = Vec::new();
    loop {
        let page = directory.list_diff(query, range).await.unwrap();
        let ids: Vec<String> = page.rows.iter().map(|diff| diff.id.uuid().to_string()).collect();
        if from_end {
            range.before = page.rows.first().map(|diff| diff.id.uuid());
            found.splice(0..0, ids);
        } else {
            range.after = page.rows.last().map(|diff| diff.id.uuid());
            found.extend(ids);
        }
        if !(if from_end { page.has_previous } else { page.has_next }) {
            assert_eq!(found.len() as u64, directory.count_diff(query).await.unwrap());
            return found;
        }
    }
}

/// What no verb would leave behind.
async fn assert_sound(directory: &Directory) {
    let content = content(directory).await;
    let rows = |noun: &str| -> Vec<Json> {
        let lines = content.values().flatten().filter_map(|line| line.strip_prefix(&format!("{noun} ")));
        lines.map(|row| serde_json::from_str(row).unwrap()).collect()
    };
    let index = directory.index();
    for account in rows("integration_account") {
        assert!(account["status"] != "CLAIMED" || account["user_id"].is_string(), "a claim is somebody's: {account}");
    }
    let users = rows("user");
    for (position, attribute) in (0..).zip(index.attributes()) {
        assert_eq!(attribute.position, position, "attributes have their places");
        if attribute.is_built_in {
            continue;
        }
        let key = &attribute.key;
        assert!(!attribute.is_unique || !index.has_duplicates(key), "`{key}` is unique");
        let mut named: BTreeMap<&str, &str> = BTreeMap::new();
        for user in &users {
            let value = &user["attributes"][key];
            match attribute.r#type {
                AttributeType::Select if !value.is_null() => {
                    assert!(
                        attribute.options.as_array().unwrap().contains(value),
                        "{value} of {:?}",
                        attribute.options
                    );
                }
                AttributeType::User if !value.is_null() => {
                    let id = |json: &Json| json.as_str().unwrap().replace('-', "");
                    let Some(holder) = users.iter().find(|other| id(&other["id"]) == id(value)) else {
                        panic!("`{key}` of {user} names a user who is gone");
                    };
                    named.insert(user["id"].as_str().unwrap(), holder["id"].as_str().unwrap());
                }
                _ => {}
            }
        }
        for start in named.keys() {
            let mut at = *start;
            for _ in 0..=named.len() {
                let Some(next) = named.get(at) else { break };
                assert_ne!(next, start, "nobody reports to itself by `{key}`");
                at = next;
            }
        }
    }
    for user in &users {
        for key in user["attributes"].as_object().unwrap().keys() {
            assert!(index.attribute(key).is_some(), "a value of `{key}`, which is no attribute");
        }
    }
    for unit in index.org_units() {
        assert_eq!(index.org_unit_violations(unit.row.id), []);
    }
    assert_eq!(index.org_unit_cycle(&[]), []);
    let mut headings = BTreeSet::new();
    for attribute in index.attributes() {
        for heading in BTreeSet::from([&attribute.key, &attribute.title_key]) {
            assert!(headings.insert(heading.clone()), "two columns are headed `{heading}`");
        }
    }
    for integration in index.integrations() {
        assert!(headings.insert(integration.name_key.clone()), "two columns are headed `{}`", integration.name);
    }
}

/// One of all verbs on few names, so that they get in each other's way. Many are refused.
pub(crate) async fn act(site: &Site, (verb, a, b, c): (u8, u8, u8, u8)) {
    let email = |n: u8| format!("u{}@corp.example", n % 5);
    let me = me();
    let key = ["note", "boss", "team", "code"][usize::from(b % 4)];
    let value = match key {
        "boss" if c % 4 > 0 => json!(email(c)),
        "team" if c % 4 > 0 => json!(["Red", "Blue", "Green"][usize::from(c % 3)]),
        "note" | "code" if c % 4 > 0 => json!(format!("v{}", c % 3)),
        _ => Json::Null,
    };
    let user = site.find_user(&email(a));
    let found = site.index().attribute(key).cloned();
    let tool = site.find_integration(["GitHub", "Jira"][usize::from(a % 2)]);
    let name = ["One", "Two", "Three"][usize::from(b % 3)];
    let one = site.index().org_units().map(|unit| unit.row.id).min();
    let any = site.index().org_units().map(|unit| unit.row.id).max();
    match verb % 26 {
        0 | 1 => {
            let new = NewUser {
                name: format!("User {a}"),
                email: email(a),
                further_emails: (c % 3 == 0).then(|| email(b)).into_iter().collect(),
                attributes: vec![(key.into(), value)],
            };
            drop(site.create_user(&me, new).await);
        }
        2..=4 => {
            let Ok(user) = user else { return };
            let change = UserChange {
                name: (c % 3 == 0).then(|| format!("Name {b}")),
                email: (c % 5 == 0).then(|| email(b)),
                further_emails: (c % 7 == 0).then(Vec::new),
                attributes: vec![(key.into(), value)],
                ..UserChange::default()
            };
            drop(site.update_user(&me, user, change).await);
        }
        5 => {
            let Ok(user) = user else { return };
            drop(site.delete_user(&me, user, None).await);
        }
        6..=8 => {
            let Ok(tool) = tool else { return };
            let accounts = [(a, b), (b.wrapping_add(1), c)].map(|(id, mail)| {
                account(
                    &format!("x{}", id % 3),
                    &format!("login{}", c % 3),
                    &if mail % 3 > 0 { email(mail) } else { String::new() },
                )
            });
            let mode = if c % 2 == 0 { SyncMode::Full } else { SyncMode::Delta };
            drop(site.sync_accounts(&me, tool, accounts.into(), mode).await);
        }
        9..=11 => {
            let header = ["Note", "Boss", "Team", "GitHub"][usize::from(b % 4)];
            let cell = |n: u8| match (header, n % 3) {
                (_, 0) => String::new(),
                ("Boss", _) => email(n),
                ("Team", _) => "Blue".into(),
                ("GitHub", _) => format!("login{}", n % 3),
                _ => format!("v{n}"),
            };
            let text = format!("Name,Email,{header}\nA{a},{},{}\nB{b},{},{}\n", email(a), cell(b), email(b), cell(c));
            let mode = if c % 2 == 0 { ImportMode::Merge } else { ImportMode::Replace };
            let options = ImportOptions { mode, confirm_removals: Some(u64::from(c % 4)), ..ImportOptions::default() };
            import(site, text, options).await;
        }
        12 => {
            let (r#type, options) = match key {
                "boss" => (AttributeType::User, vec![]),
                "team" => (AttributeType::Select, vec!["Red".to_owned(), "Blue".to_owned()]),
                _ => (AttributeType::Text, vec![]),
            };
            let new = NewAttribute {
                title: key.into(),
                key: None,
                r#type,
                description: String::new(),
                options,
                is_required: c % 5 == 0,
                is_unique: key == "code",
                readable_by: None,
                position: Some(usize::from(a)),
            };
            drop(site.create_attribute(&me, new).await);
        }
        13 | 14 => {
            let Some(found) = found else { return };
            let options = [vec!["RED", "Blue"], vec!["Green", "blue"], vec!["Blue", "Red", "Green"]];
            let change = AttributeChange {
                title: (c % 3 == 0).then(|| ["Title", "GitHub", key][usize::from(a % 3)].to_owned()),
                options: (key == "team").then(|| options[usize::from(c % 3)].iter().map(|&o| o.to_owned()).collect()),
                is_required: (c % 4 == 0).then_some(a % 2 == 0),
                is_unique: (c % 4 == 1 && key != "boss").then_some(a % 2 == 0),
                position: (c % 2 == 0).then_some(usize::from(a % 7)),
                ..AttributeChange::default()
            };
            drop(site.update_attribute(&me, found.id, change).await);
        }
        15 => {
            let Some(found) = found else { return };
            drop(site.delete_attribute(&me, found.id, None).await);
        }
        16 => match tool {
            Ok(tool) if c % 2 == 0 => drop(site.delete_integration(&me, tool, None).await),
            Ok(tool) => {
                let change = IntegrationChange { name: Some("title".into()), ..IntegrationChange::default() };
                drop(site.update_integration(&me, tool, change).await);
            }
            Err(_) => {
                let name = ["GitHub", "Jira"][usize::from(a % 2)].to_owned();
                drop(site.create_integration(&me, NewIntegration { kind: IntegrationKind::Jira, name }).await);
            }
        },
        17 => {
            let Ok(tool) = tool else { return };
            let found = site.index().resolve(tool, AccountBy::ExternalId(&format!("x{}", b % 3)));
            let Some(found) = found else { return };
            drop(match user {
                Ok(user) => site.link_account(&me, found.account, user, None).await,
                Err(_) => site.unlink_account(&me, found.account, None).await,
            });
        }
        18 => {
            let condition = match c % 4 {
                0 => json!({ "attribute": { "key": key, "is": { "isEmpty": true } } }),
                1 => json!({ "attribute": { "key": "team", "is": { "in": ["Red"] } } }),
                2 => json!({ "attribute": { "key": "boss", "is": { "reportsTo": email(a) } } }),
                _ => json!({ "account": { "integration": "Jira" } }),
            };
            let new = new_unit(name, any.filter(|_| a % 2 == 0), Some(filter(condition)));
            drop(site.create_org_unit(&me, new).await);
        }
        19 => {
            let Some(id) = one else { return };
            let members = user.ok().into_iter().collect::<BTreeSet<_>>();
            let asks = any.map(|any| json!({ "orgUnit": { "id": roster::value::GlobalId::to_global(any) } }));
            let change = OrgUnitChange {
                name: (c % 3 == 0).then(|| name.to_owned()),
                scope: (c % 5 == 0).then_some(OrgUnitScope::Parent),
                filter: (c % 4 == 0).then(|| asks.map(filter)),
                pinned: (c % 2 == 0).then(|| members.clone()),
                excluded: (c % 2 == 1).then_some(members),
                ..OrgUnitChange::default()
            };
            drop(site.update_org_unit(&me, id, change).await);
        }
        20 => {
            let Some(id) = one else { return };
            drop(site.move_org_unit(&me, id, any.filter(|_| b % 2 == 0), None).await);
        }
        22 | 23 => {
            let (Ok(survivor), Ok(other)) = (user, site.find_user(&email(b))) else { return };
            let part =
                [MergePart::Name, MergePart::Email, MergePart::Attribute(key.into())][usize::from(c % 3)].clone();
            let choices = (c % 4 == 0).then_some(MergeChoice { part, from: other }).into_iter().collect();
            drop(site.merge_users(&me, &Merge { choices, ..merge(survivor, &[other]) }).await);
        }
        24 => {
            let Ok(user) = user else { return };
            let merged = site.find_users(&[user]).await.unwrap()[&user].merged_ids.first().copied();
            let split = match merged {
                Some(merged) if c % 4 > 0 => give_back(user, merged),
                _ => Split { emails: vec![email(b)], moved: vec![key.into()], ..take(user) },
            };
            drop(site.split_user(&me, &split).await);
        }
        25 => {
            let Ok(user) = user else { return };
            if c % 3 == 0 {
                drop(site.mark_reviewed(&me, &[user], b % 2 == 0).await);
            } else {
                drop(site.lock_user(&me, user, b % 3 == 0, None).await);
            }
        }
        _ => {
            let Some(id) = [one, any][usize::from(a % 2)] else { return };
            drop(site.delete_org_unit(&me, id, None).await);
        }
    }
}

/// Three attributes, two tools and a few users, before anything is drawn.
pub(crate) async fn begin(site: &Site) {
    attribute(site, "note", AttributeType::Text, &[]).await;
    attribute(site, "boss", AttributeType::User, &[]).await;
    attribute(site, "team", AttributeType::Select, &["Red", "Blue"]).await;
    integration(site, IntegrationKind::GitHub, "GitHub").await;
    integration(site, IntegrationKind::Jira, "Jira").await;
    for n in 0..3 {
        user(site, &format!("User {n}"), &format!("u{n}@corp.example"), json!({ "team": "Red" })).await;
    }
}

pub(crate) type Act = (u8, u8, u8, u8);

/// Does what was drawn; gives the content at each version, by number.
async fn run(site: &Site, acts: &[Act]) -> BTreeMap<i64, BTreeMap<String, Vec<String>>> {
    begin(site).await;
    let mut states = BTreeMap::from([(site.version(), content(site).await)]);
    for act_drawn in acts {
        act(site, *act_drawn).await;
        states.insert(site.version(), content(site).await);
    }
    states
}

pub(crate) fn acts() -> impl Strategy<Value = Vec<Act>> {
    prop::collection::vec(any::<Act>(), 1..25)
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 24, ..ProptestConfig::default() })]

    #[test]
    fn undoing_the_last_changesets_one_by_one_goes_back_through_every_state(acts in acts()) {
        on_sqlite(async |site: &Site| {
            let states = run(site, &acts).await;
            let exported = export(site).await;
            let numbers: Vec<i64> = states.keys().copied().collect();
            for pair in numbers.windows(2).rev() {
                let report = undo(site, pair[1]).await;
                assert_eq!(blocked(&report), [""; 0], "undoing {}", pair[1]);
                assert_eq!(content(site).await, states[&pair[0]], "undoing {}", pair[1]);
                assert_sound(site).await;
            }
            // And each undo can be undone, the last one first.
            let last = numbers[numbers.len() - 1];
            let undos = site.version() - last;
            let top = site.version();
            for number in (0..undos).map(|n| top - n) {
                let report = undo(site, number).await;
                assert_eq!(blocked(&report), [""; 0], "undoing the undo {number}");
            }
            assert_eq!(content(site).await, states[&last]);
            assert_eq!(export(site).await, exported);
        });
    }

    #[test]
    fn undoing_any_changeset_leaves_nothing_that_a_verb_would_refuse(
        acts in acts(),
        picks in prop::collection::vec(any::<prop::sample::Index>(), 1..8),
    ) {
        on_sqlite(async |site: &Site| {
            run(site, &acts).await;
            for pick in &picks {
                let number = 2 + pick.index(usize::try_from(site.version() - 1).unwrap()) as i64;
                let options = UndoOptions { number, dry_run: true, ..UndoOptions::default() };
                let before = tables(site).await;
                let dry = site.undo_changeset(&me(), options).await.unwrap();
                assert_eq!(tables(site).await, before, "a dry run changes nothing");
                let done = undo_rest(site, number).await;
                assert!(done.applied);
                assert_eq!((dry.undone, blocked(&dry)), (done.undone, blocked(&done)));
                assert_sound(site).await;
                // Only attributes, whose places depend on each other, may change theirs again.
                let unplaced = |content: BTreeMap<String, Vec<String>>| {
                    content.into_iter().filter(|(_, rows)| !rows[0].starts_with("attribute ")).collect::<Vec<_>>()
                };
                let before = unplaced(content(site).await);
                undo_rest(site, number).await;
                assert_eq!(unplaced(content(site).await), before, "what is undone has nothing left to undo");
            }
        });
    }

    #[test]
    fn the_difference_of_two_versions_is_what_differs(acts in acts(), pick in any::<prop::sample::Index>()) {
        on_sqlite(async |site: &Site| {
            let mut states = run(site, &acts).await;
            undo_rest(site, site.version()).await;
            states.insert(site.version(), content(site).await);
            let numbers: Vec<i64> = states.keys().copied().collect();
            let from = numbers[pick.index(numbers.len())];
            for to in numbers.into_iter().filter(|to| *to >= from) {
                let (before, after) = (&states[&from], &states[&to]);
                let ids: BTreeSet<&String> = before.keys().chain(after.keys()).collect();
                let expected: Vec<&String> = ids.into_iter().filter(|id| before.get(*id) != after.get(*id)).collect();
                for (limit, from_end) in [(100, false), (1, false), (2, true)] {
                    assert_eq!(differing(site, from, to, limit, from_end).await.iter().collect::<Vec<_>>(), expected);
                }
            }
        });
    }
}

/// Changes values of a user.
async fn set(directory: &Directory, email: &str, values: Json) -> i64 {
    let attributes = values.as_object().into_iter().flatten().map(|(key, value)| (key.clone(), value.clone()));
    let change = UserChange { attributes: attributes.collect(), ..UserChange::default() };
    let user = directory.find_user(email).unwrap();
    directory.update_user(&me(), user, change).await.unwrap();
    directory.version()
}

async fn update(directory: &Directory, email: &str, change: UserChange) -> i64 {
    let user = directory.find_user(email).unwrap();
    directory.update_user(&me(), user, change).await.unwrap();
    directory.version()
}

async fn delete(directory: &Directory, email: &str) -> i64 {
    let user = directory.find_user(email).unwrap();
    directory.delete_user(&me(), user, None).await.unwrap();
    directory.version()
}

fn named(name: &str) -> UserChange {
    UserChange { name: Some(name.into()), ..UserChange::default() }
}

/// Name, email and values of a user.
async fn shown(directory: &Directory, email: &str) -> String {
    let id = directory.find_user(email).unwrap();
    let record = directory.find_users(&[id]).await.unwrap().remove(&id).unwrap();
    let values: BTreeMap<String, Json> = serde_json::from_value(record.row.attributes).unwrap();
    format!("{} {} {:?} {}", record.row.name, record.row.email, record.further_emails, json!(values))
}

#[test]
fn what_others_have_changed_since_stays() {
    on_both(async |site: &Site| {
        cast(site).await;
        let moved = set(site, "bob@corp.example", json!({ "department": "Data", "level": "Senior" })).await;
        update(site, "bob@corp.example", UserChange { email: Some("robert@corp.example".into()), ..named("Robert") })
            .await;
        set(site, "robert@corp.example", json!({ "capacity": 0.25, "number": null })).await;
        let report = undo(site, moved).await;
        assert_eq!((report.applied, report.undone, report.changeset), (true, 1, Some(site.version())));
        assert_eq!(
            shown(site, "robert@corp.example").await,
            r#"Robert robert@corp.example {"bob@corp.example"} {"capacity":0.25,"department":"platform","level":"Junior","start_date":"2024-02-29","supervisor":"REF","teams":["Platform"]}"#
                .replace("REF", &site.find_user("ann@corp.example").unwrap().0.simple().to_string())
        );
        // What somebody has put back already is no obstacle.
        let again = undo(site, moved).await;
        assert_eq!((again.applied, again.undone, again.changeset), (true, 0, None));
    });
}

#[test]
fn a_member_that_was_changed_since_blocks_its_record_and_only_the_rest_can_go_back() {
    on_both(async |site: &Site| {
        cast(site).await;
        let rows = [("Ann Two-Teams", "ann"), ("Bob No-Email", "bob"), ("Zoë Empty", "empty")]
            .map(|(name, email)| format!("{name},{email}@corp.example,X\n"));
        let file = format!("Name,Email,Department\n{}", rows.concat());
        let report = import(site, file, ImportOptions::default()).await;
        assert!(report.applied, "{:?}", report.errors);
        let imported = report.version;
        let later = set(site, "bob@corp.example", json!({ "department": "Y" })).await;
        let gone = delete(site, "empty@corp.example").await;
        let before = tables(site).await;
        let report = undo(site, imported).await;
        let expected = [
            format!("user bob@corp.example: CHANGED_SINCE by {later}"),
            format!("user empty@corp.example: DELETED_SINCE by {gone}"),
        ];
        assert_eq!((report.applied, report.changeset, report.undone), (false, None, 1));
        assert_eq!(blocked(&report), expected);
        assert_eq!(tables(site).await, before, "nothing was done");
        let report = undo_rest(site, imported).await;
        assert_eq!((report.applied, report.undone, blocked(&report)), (true, 1, expected.to_vec()));
        assert!(shown(site, "ann@corp.example").await.contains(r#""department":"Platform""#));
        assert!(shown(site, "bob@corp.example").await.contains(r#""department":"Y""#));
    });
}

#[test]
fn an_automatic_user_that_became_part_of_another_comes_back_with_account_and_email() {
    on_both(async |site: &Site| {
        let cast = cast(site).await;
        let before = content(site).await;
        let emails = Some(vec!["dee@home.example".into()]);
        let taken =
            update(site, "ann@corp.example", UserChange { further_emails: emails, ..UserChange::default() }).await;
        let after = content(site).await;
        assert_eq!(site.find_user("dee@home.example").unwrap(), cast.two_teams);
        assert_eq!(undo(site, taken).await.undone, 3);
        assert_eq!(content(site).await, before);
        assert_eq!(site.find_user("dee@home.example").unwrap(), cast.detected);
        let undone = site.version();
        let of = site.list_changesets(Range { limit: 1, ..Range::default() }).await.unwrap().rows.remove(0);
        assert_eq!(
            (of.undoes, site.undone_by(&[taken, undone]).await.unwrap()),
            (Some(taken), [(taken, undone)].into())
        );
        undo(site, undone).await;
        assert_eq!(content(site).await, after, "the undo is undone");
        assert_eq!(site.undone_by(&[undone]).await.unwrap(), [(undone, site.version())].into());
    });
}

#[test]
fn whom_others_refer_to_by_now_stays() {
    on_both(async |site: &Site| {
        let cast = cast(site).await;
        let mut made = Vec::new();
        for name in ["supervisor", "pinned", "filtered", "linked", "free"] {
            user(site, name, &format!("{name}@corp.example"), json!({})).await;
            made.push(site.version());
        }
        let boss = set(site, "empty@corp.example", json!({ "supervisor": "supervisor@corp.example" })).await;
        let pinned = BTreeSet::from([site.find_user("pinned@corp.example").unwrap()]);
        let change = OrgUnitChange { pinned: Some(pinned), ..OrgUnitChange::default() };
        site.update_org_unit(&me(), cast.guests, change).await.unwrap();
        let pin = site.version();
        let below = json!({ "attribute": { "key": "supervisor", "is": { "reportsTo": "filtered@corp.example" } } });
        unit(site, "Below", None, Some(filter(below))).await;
        let filtered = site.version();
        let account = site.index().resolve(cast.jira, AccountBy::ExternalId("j1")).unwrap().account;
        let linked = site.find_user("linked@corp.example").unwrap();
        site.link_account(&me(), account, linked, None).await.unwrap();
        let link = site.version();
        let mut outcomes = Vec::new();
        for number in made {
            outcomes.push(blocked(&undo(site, number).await).join(", "));
        }
        assert_eq!(
            outcomes,
            [
                format!("user supervisor@corp.example: IN_USE by {boss}"),
                format!("user pinned@corp.example: IN_USE by {pin}"),
                format!("user filtered@corp.example: IN_USE by {filtered}"),
                format!("user linked@corp.example: IN_USE by {link}"),
                String::new(),
            ]
        );
        assert!(site.find_user("free@corp.example").is_err());
    });
}

#[test]
fn a_deleted_user_comes_back_to_its_accounts_pins_and_reports() {
    on_both(async |site: &Site| {
        let cast = cast(site).await;
        let before = content(site).await;
        for email in ["ann@corp.example", "empty@corp.example", "dee@home.example", "percent@corp.example"] {
            let deleted = delete(site, email).await;
            assert_eq!(blocked(&undo(site, deleted).await), [""; 0]);
            assert_eq!(content(site).await, before, "{email}");
        }
        let deleted = delete(site, "ann@corp.example").await;
        let id = user(site, "Another Ann", "ann@corp.example", json!({})).await;
        let made = site.version();
        let github = site.index().resolve(cast.github, AccountBy::ExternalId("g1")).unwrap().account;
        site.link_account(&me(), github, id, None).await.unwrap();
        let linked = site.version();
        let set = set(site, "bob@corp.example", json!({ "supervisor": "umlaut@müller.example" })).await;
        // Her accounts and who reported to her cannot come back either, since she does not.
        let report = undo(site, deleted).await;
        let expected = [
            format!("user ann@corp.example: ALREADY_EXISTS by {made}"),
            format!("user bob@corp.example: CHANGED_SINCE by {set}"),
            "user umlaut@xn--mller-kva.example: NOT_FOUND".to_owned(),
            // Another Ann got them with the email.
            format!("integration account ann: CHANGED_SINCE by {made}"),
            format!("integration account ann: CHANGED_SINCE by {made}"),
            format!("integration account ann-two: CHANGED_SINCE by {linked}"),
        ];
        let (mut found, mut expected) = (blocked(&report), expected.to_vec());
        found.sort();
        expected.sort();
        assert_eq!((report.applied, found), (false, expected));
    });
}

#[test]
fn a_chain_of_records_that_need_each_other_is_blocked_to_its_end() {
    let found = on_both(async |site: &Site| {
        attribute(site, "Boss", AttributeType::User, &[]).await;
        let mut above = Json::Null;
        for n in 0..6 {
            user(site, &format!("U{n}"), &format!("u{n}@corp.example"), json!({ "boss": above })).await;
            above = json!(format!("u{n}@corp.example"));
        }
        user(site, "Stays", "stays@corp.example", json!({})).await;
        let options =
            ImportOptions { mode: ImportMode::Replace, confirm_removals: Some(6), ..ImportOptions::default() };
        let removed = import(site, "Name,Email\nStays,stays@corp.example\n", options).await.version;
        user(site, "Taker", "u2@corp.example", json!({})).await;
        let report = undo_rest(site, removed).await;
        assert_eq!((report.applied, report.undone), (true, 2));
        let mut found: Vec<String> = blocked(&report);
        found.sort();
        found
    });
    let taken = "user u2@corp.example: ALREADY_EXISTS by 11".to_owned();
    let others = (3..6).map(|n| format!("user u{n}@corp.example: NOT_FOUND"));
    assert_eq!(found, [taken].into_iter().chain(others).collect::<Vec<_>>());
}

#[test]
fn attributes_go_back_as_far_as_users_and_filters_let_them() {
    on_both(async |site: &Site| {
        attribute(site, "Squad", AttributeType::Select, &["Red", "Blue"]).await;
        let made = site.version();
        let squad = site.attribute("squad").unwrap().id;
        user(site, "Ann", "ann@corp.example", json!({ "squad": "Red" })).await;
        let red = filter(json!({ "attribute": { "key": "squad", "is": { "equals": "Red" } } }));
        let unit = unit(site, "Reds", None, Some(red)).await;
        let filtered = site.version();
        assert_eq!(
            blocked(&undo(site, made).await),
            [format!("attribute Squad: CHANGED_SINCE by {filtered}").replace("CHANGED_SINCE", "IN_USE")]
        );
        site.delete_org_unit(&me(), unit, None).await.unwrap();
        assert_eq!(blocked(&undo(site, made).await), ["attribute Squad: IN_USE"]);

        // Options that came stay while users have them; those that are written otherwise are written back everywhere.
        let options = |options: &[&str]| AttributeChange {
            options: Some(options.iter().map(|option| (*option).to_owned()).collect()),
            ..AttributeChange::default()
        };
        site.update_attribute(&me(), squad, options(&["RED", "Blue", "Green"])).await.unwrap();
        let respelt = site.version();
        user(site, "Ben", "ben@corp.example", json!({ "squad": "red" })).await;
        set(site, "ann@corp.example", json!({ "squad": "Green" })).await;
        let report = undo(site, respelt).await;
        assert_eq!(blocked(&report), ["attribute Squad: IN_USE"]);
        set(site, "ann@corp.example", json!({ "squad": "Blue" })).await;
        assert_eq!(undo_rest(site, respelt).await.undone, 1);
        assert!(shown(site, "ben@corp.example").await.contains(r#""squad":"Red""#));

        // A deleted attribute comes back with its values, in its place; if it can.
        let before = content(site).await;
        site.delete_attribute(&me(), squad, None).await.unwrap();
        let deleted = site.version();
        assert_eq!(undo(site, deleted).await.undone, 3);
        assert_eq!(content(site).await, before);
        site.delete_attribute(&me(), squad, None).await.unwrap();
        let deleted = site.version();
        integration(site, IntegrationKind::Jira, "SQUAD").await;
        let report = undo_rest(site, deleted).await;
        assert_eq!(blocked(&report), ["attribute Squad: ALREADY_EXISTS"]);
        assert_eq!((report.undone, report.dropped_values), (0, 0));

        // Values of an attribute that has gone since are left out, and counted.
        attribute(site, "Note", AttributeType::Text, &[]).await;
        set(site, "ann@corp.example", json!({ "note": "old" })).await;
        let gone = delete(site, "ann@corp.example").await;
        let note = site.attribute("note").unwrap().id;
        site.delete_attribute(&me(), note, None).await.unwrap();
        let report = undo(site, gone).await;
        assert_eq!((report.applied, report.undone, report.dropped_values), (true, 1, 1));
        assert_eq!(shown(site, "ann@corp.example").await, "Ann ann@corp.example {} {}");
    });
}

#[test]
fn what_is_required_or_unique_by_now_holds_of_what_comes_back() {
    on_both(async |site: &Site| {
        attribute(site, "Code", AttributeType::Text, &[]).await;
        let code = site.attribute("code").unwrap().id;
        let change = |required, unique| AttributeChange {
            is_required: Some(required),
            is_unique: Some(unique),
            ..AttributeChange::default()
        };
        user(site, "Ann", "ann@corp.example", json!({ "code": "1" })).await;
        user(site, "Ben", "ben@corp.example", json!({ "code": "1" })).await;
        user(site, "Cem", "cem@corp.example", json!({})).await;
        let ben = delete(site, "ben@corp.example").await;
        let cem = delete(site, "cem@corp.example").await;
        site.update_attribute(&me(), code, change(true, true)).await.unwrap();
        let tightened = site.version();
        let ann = site.find_users(&[site.find_user("ann@corp.example").unwrap()]).await.unwrap();
        let ann = ann.into_values().next().unwrap().row.version;
        assert_eq!(blocked(&undo(site, ben).await), [format!("user ben@corp.example: ALREADY_EXISTS by {ann}")]);
        assert_eq!(blocked(&undo(site, cem).await), [format!("user cem@corp.example: REQUIRED by {tightened}")]);
        site.update_attribute(&me(), code, change(false, false)).await.unwrap();
        let loosened = site.version();
        user(site, "Dee", "dee@corp.example", json!({ "code": "1" })).await;
        assert_eq!(blocked(&undo(site, loosened).await), ["attribute Code: VALUES_NOT_UNIQUE"]);
        set(site, "dee@corp.example", json!({ "code": null })).await;
        assert_eq!(blocked(&undo(site, loosened).await), ["attribute Code: VALUES_MISSING"]);
        set(site, "dee@corp.example", json!({ "code": "2" })).await;
        assert_eq!(undo(site, loosened).await.undone, 1);
    });
}

#[test]
fn nobody_comes_to_report_to_itself() {
    on_both(async |site: &Site| {
        attribute(site, "Boss", AttributeType::User, &[]).await;
        user(site, "Ann", "ann@corp.example", json!({})).await;
        user(site, "Ben", "ben@corp.example", json!({ "boss": "ann@corp.example" })).await;
        let freed = set(site, "ben@corp.example", json!({ "boss": null })).await;
        set(site, "ann@corp.example", json!({ "boss": "ben@corp.example" })).await;
        assert_eq!(blocked(&undo(site, freed).await), ["user ben@corp.example: CYCLE"]);
    });
}

#[test]
fn org_units_go_back_where_the_tree_has_room() {
    on_both(async |site: &Site| {
        let cast = cast(site).await;
        let before = content(site).await;
        site.delete_org_unit(&me(), cast.platform, None).await.unwrap();
        let deleted = site.version();
        assert_eq!(undo(site, deleted).await.undone, 1);
        assert_eq!(content(site).await, before);

        site.delete_org_unit(&me(), cast.platform, None).await.unwrap();
        let deleted = site.version();
        let twin = unit(site, "PLATFORM", Some(cast.engineering), None).await;
        let made = site.version();
        assert_eq!(blocked(&undo(site, deleted).await), ["org unit Platform: ALREADY_EXISTS"]);
        unit(site, "Below", Some(twin), None).await;
        let below = site.version();
        assert_eq!(blocked(&undo(site, made).await), [format!("org unit PLATFORM: IN_USE by {below}")]);

        let asks = |id| filter(json!({ "orgUnit": { "id": roster::value::GlobalId::to_global(id) } }));
        let change = |filter| OrgUnitChange { filter: Some(filter), ..OrgUnitChange::default() };
        site.update_org_unit(&me(), cast.guests, change(Some(asks(twin)))).await.unwrap();
        site.update_org_unit(&me(), cast.guests, change(None)).await.unwrap();
        let emptied = site.version();
        site.update_org_unit(&me(), twin, change(Some(asks(cast.guests)))).await.unwrap();
        assert_eq!(blocked(&undo(site, emptied).await), ["org unit Guests: CYCLE"]);

        // Pins are looked at one by one; those of users who have gone are left out.
        let pins = |ids: &[entity::UserId]| OrgUnitChange {
            pinned: Some(ids.iter().copied().collect()),
            ..OrgUnitChange::default()
        };
        site.update_org_unit(&me(), cast.guests, pins(&[])).await.unwrap();
        let unpinned = site.version();
        site.update_org_unit(&me(), cast.guests, pins(&[cast.quote])).await.unwrap();
        assert_eq!(undo(site, unpinned).await.undone, 1);
        let pinned = site.index().org_unit(cast.guests).unwrap().pinned.clone();
        assert_eq!(pinned, BTreeSet::from([cast.quote, cast.empty]));
        delete(site, "empty@corp.example").await;
        site.delete_org_unit(&me(), cast.engineering, None).await.unwrap_err();
        let report = undo(site, unpinned).await;
        assert_eq!((report.applied, report.undone), (true, 0));
    });
}

#[test]
fn integrations_go_back_with_their_accounts_and_the_users_made_from_them() {
    on_both(async |site: &Site| {
        let cast = cast(site).await;
        let before = content(site).await;
        let exported = export(site).await;
        site.delete_integration(&me(), cast.github, None).await.unwrap();
        let deleted = site.version();
        assert!(site.find_user("dee@home.example").is_err());
        assert_eq!(undo(site, deleted).await.undone, 6);
        assert_eq!((content(site).await, export(site).await), (before, exported));
        let back = site.version();
        site.sync_accounts(&me(), cast.github, vec![account("g9", "new", "")], SyncMode::Delta).await.unwrap();
        assert_eq!(blocked(&undo(site, back).await), ["integration GitHub: IN_USE"]);

        site.delete_integration(&me(), cast.slack, None).await.unwrap();
        let deleted = site.version();
        integration(site, IntegrationKind::Slack, "Slack").await;
        let mut found = blocked(&undo(site, deleted).await);
        found.sort();
        let accounts = ["integration account =cmd: NOT_FOUND", "integration account ann: NOT_FOUND"];
        assert_eq!(found, [["integration Slack: ALREADY_EXISTS"].as_slice(), &accounts].concat());
    });
}

#[test]
fn whose_an_account_is_and_what_it_is_go_back_each_for_itself() {
    on_both(async |site: &Site| {
        let cast = cast(site).await;
        let id = site.index().resolve(cast.jira, AccountBy::ExternalId("j2")).unwrap().account;
        site.link_account(&me(), id, cast.quote, None).await.unwrap();
        let linked = site.version();
        let renamed = vec![account("j2", "robert", "")];
        site.sync_accounts(&me(), cast.jira, renamed, SyncMode::Full).await.unwrap();
        let synced = site.version();
        assert_eq!(undo(site, linked).await.undone, 1);
        let row = site.find_accounts(&[id]).await.unwrap().remove(&id).unwrap();
        assert_eq!((row.user_id, row.username.as_deref()), (Some(cast.no_email), Some("robert")));
        assert_eq!(blocked(&undo(site, synced).await), [""; 0]);
        let row = site.find_accounts(&[id]).await.unwrap().remove(&id).unwrap();
        assert_eq!((row.user_id, row.username.as_deref()), (Some(cast.no_email), Some("bob")));
    });
}

#[test]
fn the_first_changeset_and_those_that_are_none_cannot_be_undone() {
    on_both(async |site: &Site| {
        for (number, code) in [(1, "INVALID_INPUT"), (0, "NOT_FOUND"), (-1, "NOT_FOUND"), (2, "NOT_FOUND")] {
            let error = site
                .undo_changeset(&me(), UndoOptions { number, skip_blocked: true, ..UndoOptions::default() })
                .await
                .unwrap_err();
            assert_eq!(error.code(), code);
        }
    });
}

/// The ids of users by the numbers in their emails, as an export has them.
fn rows_with_ids(directory: &Directory, count: usize, row: impl Fn(usize, String) -> String) -> String {
    let id = |n| roster::value::GlobalId::to_global(directory.find_user(&format!("u{n}@corp.example")).unwrap());
    (0..count).map(|n| row(n, id(n))).collect()
}

#[test]
fn a_changeset_that_was_written_in_parts_is_undone_in_parts() {
    const USERS: usize = 4_100;
    on_both(async |site: &Site| {
        attribute(site, "Boss", AttributeType::User, &[]).await;
        let github = integration(site, IntegrationKind::GitHub, "GitHub").await;
        let accounts =
            (0..USERS).map(|n| account(&format!("g{n}"), &format!("login{n}"), &format!("g{n}@home.example")));
        site.sync_accounts(&me(), github, accounts.collect(), SyncMode::Full).await.unwrap();
        let mut states = vec![content(site).await];
        // Each reports to the one before, and gets an account whose automatic user becomes part of it.
        let boss = |n: usize| if n == 0 { String::new() } else { format!("u{}@corp.example", n - 1) };
        let rows: String = (0..USERS).map(|n| format!("U{n},u{n}@corp.example,{},login{n}\n", boss(n))).collect();
        let report = import(site, format!("Name,Email,Boss,GitHub\n{rows}"), ImportOptions::default()).await;
        assert_eq!((report.created, report.absorbed), (USERS as u64, USERS as u64));
        states.push(content(site).await);
        // Each gets the email of the next, and the last that of the first.
        let rows = rows_with_ids(site, USERS, |n, id| format!("{id},V{n},u{}@corp.example\n", (n + 1) % USERS));
        let report = import(site, format!("ID,Name,Email\n{rows}"), ImportOptions::default()).await;
        assert_eq!((report.applied, report.updated), (true, USERS as u64), "{:?}", report.errors.listed.first());
        states.push(content(site).await);
        let options = ImportOptions {
            mode: ImportMode::Replace,
            confirm_removals: Some(USERS as u64 - 1),
            ..ImportOptions::default()
        };
        let report = import(site, "Name,Email\nV0,u1@corp.example\n", options).await;
        assert_eq!((report.applied, report.removed), (true, USERS as u64 - 1));
        let last = site.version();
        for (back, state) in (0..3).zip(states.iter().rev()) {
            let report = undo(site, last - back).await;
            assert_eq!(blocked(&report), [""; 0]);
            assert!(content(site).await == *state, "undoing {}", last - back);
        }
        // Far more records than a page passes over have come back.
        assert_eq!(differing(site, last - 3, site.version(), 1, false).await, [""; 0]);
    });
}

#[test]
fn many_records_are_read_in_pages_whichever_way_they_are_found() {
    on_both(async |site: &Site| {
        let rows: String = (0..20_001).map(|n| format!("U{n},u{n}@corp.example\n")).collect();
        import(site, format!("Name,Email\n{rows}"), ImportOptions::default()).await;
        let one = user(site, "One", "one@corp.example", json!({})).await;
        let many = site.diff(0, None, Some(Noun::User)).unwrap();
        assert_eq!(site.count_diff(many).await.unwrap(), 20_002);
        let last = site.list_diff(many, Range { limit: 2, from_end: true, ..Range::default() }).await.unwrap();
        assert_eq!(last.rows.last().unwrap().id.uuid(), one.0);
        assert!(last.has_previous && !last.has_next);
        let report = undo(site, 2).await;
        assert_eq!((report.applied, report.undone, site.index().user_count()), (true, 20_001, 1));
        assert_eq!(differing(site, 1, site.version(), 100, false).await, [one.0.to_string()]);
    });
}

#[test]
fn versions_that_there_are_not_are_refused() {
    on_both(async |site: &Site| {
        for (from, to) in [(-1, None), (2, None), (1, Some(0)), (0, Some(2))] {
            assert_eq!(site.diff(from, to, None).unwrap_err().code(), "INVALID_INPUT");
        }
        assert_eq!(site.count_diff(site.diff(0, None, None).unwrap()).await.unwrap(), 3);
    });
}
