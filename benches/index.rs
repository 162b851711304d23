//! The index at 1,000,000 users x 8 attributes x 3 accounts: what each answer costs, and what it all weighs.
//!
//! Everything is drawn from one fixed seed. `cargo bench --bench index` prints memory first, then the times.
#![expect(clippy::unwrap_used, clippy::print_stdout, reason = "a bench fails loudly, and prints what it measured")]

use std::hint::black_box;
use std::time::Instant;

use chrono::DateTime;
use criterion::{BatchSize, Criterion, criterion_group, criterion_main};
use entity::attribute::{self, AttributeType};
use entity::integration::{self, IntegrationKind};
use entity::org_unit::{self, OrgUnitScope};
use entity::{AttributeId, IntegrationAccountId, IntegrationId, OrgUnitId, UserId, user};
use roster::filter::{Checked, Filter, Stored};
use roster::index::{AccountBy, AccountRow, FacetWindow, Follower, Index, Loader, Order, OrderBy, UserRow, Window};
use roster::record::{Change, OrgUnitRecord, Record, RecordId, UserRecord};
use serde_json::{Value, json};
use uuid::Uuid;

#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

const USERS: u64 = 1_000_000;
const UNITS: u64 = 1_000;
const INTEGRATIONS: [(&str, IntegrationKind); 3] =
    [("jira", IntegrationKind::Jira), ("github", IntegrationKind::GitHub), ("slack", IntegrationKind::Slack)];
const ATTRIBUTES: [(&str, AttributeType); 8] = [
    ("department", AttributeType::Text),
    ("role", AttributeType::Text),
    ("team", AttributeType::Text),
    ("location", AttributeType::Text),
    ("skills", AttributeType::MultiSelect),
    ("started", AttributeType::Date),
    ("manager", AttributeType::User),
    ("badge", AttributeType::Text),
];

/// A number that depends on nothing but its arguments.
fn draw(what: u64, number: u64, below: u64) -> u64 {
    let mut x = (what << 40 | number).wrapping_mul(0x9e37_79b9_7f4a_7c15);
    x = (x ^ x >> 31).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    x = (x ^ x >> 27).wrapping_mul(0x94d0_49bb_1331_11eb);
    (x ^ x >> 31) % below
}

/// Time-ordered like a `UUIDv7`: 1,000 a millisecond, the rest as good as random.
fn id(noun: u64, number: u64) -> Uuid {
    let random = u128::from(draw(noun + 100, number, 1 << 50));
    Uuid::from_u128(u128::from(1_700_000_000_000 + number / 1_000) << 80 | u128::from(number % 1_000) << 64 | random)
}

fn user_id(number: u64) -> UserId {
    UserId(id(1, number))
}

fn word(what: u64, number: u64, syllables: u64) -> String {
    const SYLLABLES: [&str; 16] =
        ["an", "bo", "ce", "dor", "el", "fi", "gu", "ha", "ik", "jo", "ka", "li", "mer", "no", "ri", "ta"];
    (0..syllables).map(|at| SYLLABLES[usize::try_from(draw(what + at, number, 16)).unwrap()]).collect()
}

fn name(number: u64) -> String {
    format!("{} {}", word(10, draw(8, number, 3_000), 2), word(20, draw(9, number, 400_000), 4))
}

fn email(number: u64) -> String {
    format!("{}{number}@corp.example", word(10, draw(8, number, 3_000), 2))
}

fn document(number: u64) -> Value {
    let mut document = json!({
        "department": format!("Department {}", draw(1, number, 40)),
        "role": format!("Role {}", draw(2, number, 200)),
        "team": format!("Team {}", draw(3, number, 5_000)),
        "location": format!("Location {}", draw(4, number, 60)),
        "skills": [format!("Skill {}", draw(5, number, 15)), format!("Skill {}", 15 + draw(6, number, 15))],
        "started": format!("20{:02}-{:02}-{:02}", 6 + draw(7, number, 20), 1 + draw(11, number, 12), 1 + draw(12, number, 28)),
        "badge": format!("B{number:07}"),
    });
    if number > 0 {
        document["manager"] = user_id((number - 1) / 10).0.simple().to_string().into();
    }
    document
}

fn record(number: u64) -> UserRecord {
    let row = user::Model {
        id: user_id(number),
        name: name(number),
        email: email(number),
        attributes: document(number),
        is_automatic: false,
        is_locked: false,
        reviewed_at: None,
        reviewed_by: None,
        version: 1,
        created_at: DateTime::UNIX_EPOCH,
        updated_at: DateTime::UNIX_EPOCH,
    };
    UserRecord { row, further_emails: Default::default(), merged_ids: Default::default() }
}

fn attributes() -> Vec<attribute::Model> {
    let row = |(position, (key, r#type)): (i32, (&str, AttributeType))| attribute::Model {
        id: AttributeId(id(2, position.unsigned_abs().into())),
        key: key.to_owned(),
        title: key.to_owned(),
        title_key: key.to_owned(),
        description: String::new(),
        r#type,
        options: if r#type == AttributeType::MultiSelect {
            (0..30).map(|option| format!("Skill {option}")).collect()
        } else {
            json!([])
        },
        is_required: false,
        is_unique: false,
        is_built_in: false,
        readable_by: None,
        position,
        version: 1,
        created_at: DateTime::UNIX_EPOCH,
        updated_at: DateTime::UNIX_EPOCH,
    };
    (0..).zip(ATTRIBUTES).map(row).collect()
}

fn integrations() -> Vec<integration::Model> {
    let row = |(number, (name, kind)): (u64, (&str, IntegrationKind))| integration::Model {
        id: IntegrationId(id(3, number)),
        kind,
        name: name.to_owned(),
        name_key: name.to_owned(),
        settings: None,
        schedule_minutes: None,
        version: 1,
        created_at: DateTime::UNIX_EPOCH,
        updated_at: DateTime::UNIX_EPOCH,
    };
    (0..).zip(INTEGRATIONS).map(row).collect()
}

fn external_id(integration: u64, number: u64) -> String {
    match integration {
        0 => format!("{:024x}", u128::from(draw(30, number, u64::MAX)) << 20),
        1 => (10_000_000 + number * 7).to_string(),
        _ => format!("U{:010X}", draw(31, number, 1 << 40)),
    }
}

/// A tree of ten divisions: a filter of three conditions each, the lower ones among the members of the division.
fn units_up_to(count: u64) -> Vec<OrgUnitRecord> {
    let equals = |key: &str, value: String| json!({"attribute": {"key": key, "is": {"equals": value}}});
    let row = |number: u64| {
        let parent = (number >= 10).then(|| OrgUnitId(id(4, number % 10)));
        let filter = if parent.is_none() {
            json!({"attribute": {"key": "department", "is": {"in": (0..4).map(|at| format!("Department {}", number * 4 + at)).collect::<Vec<_>>()}}})
        } else {
            json!({"all": [
                equals("role", format!("Role {}", number % 200)),
                {"any": [equals("location", format!("Location {}", number % 60)), equals("location", "Location 7".to_owned())]},
                {"not": equals("team", format!("Team {number}"))},
            ]})
        };
        let filter: Filter = serde_json::from_value(filter).unwrap();
        let row = org_unit::Model {
            id: OrgUnitId(id(4, number)),
            parent_id: parent,
            name: format!("Unit {number}"),
            name_key: format!("unit {number}"),
            description: String::new(),
            scope: if number % 2 == 1 { OrgUnitScope::Parent } else { OrgUnitScope::All },
            filter: Some(serde_json::to_value(Stored { v: 1, filter }).unwrap()),
            origin: None,
            version: 1,
            created_at: DateTime::UNIX_EPOCH,
            updated_at: DateTime::UNIX_EPOCH,
        };
        OrgUnitRecord { row, pinned: Default::default(), excluded: Default::default() }
    };
    (0..count).map(row).collect()
}

fn load() -> Index {
    let mut loader = Loader::new(1, attributes(), integrations());
    loader.reserve(1_000_000, 3_000_000);
    let mut taken = std::time::Duration::ZERO;
    for number in 0..USERS {
        let (name, email, attributes) = (name(number), email(number), document(number).to_string());
        let row =
            UserRow { id: user_id(number), name: &name, email: &email, further_emails: &[], attributes: &attributes };
        let start = Instant::now();
        loader.user(&row).unwrap();
        taken += start.elapsed();
    }
    println!("taking in the users: {:.2} s", taken.as_secs_f64());
    let mut taken = std::time::Duration::ZERO;
    for number in 0..USERS * 3 {
        let (owner, integration) = (number / 3, number % 3);
        let (name, email, external_id) = (name(owner), email(owner), external_id(integration, owner));
        let username = match integration {
            1 => Some(format!("{}{owner}", word(40, owner, 2))),
            2 => email.split('@').next().map(str::to_owned),
            _ => None,
        };
        let row = AccountRow {
            id: IntegrationAccountId(id(5, number)),
            integration_id: IntegrationId(id(3, integration)),
            external_id: Some(&external_id),
            username: username.as_deref(),
            email: (integration != 1).then_some(email.as_str()),
            display_name: Some(&name),
            is_bot: draw(13, number, 500) == 0,
            is_gone: false,
            user_id: (draw(14, number, 50) > 0).then(|| user_id(owner)),
        };
        let start = Instant::now();
        loader.account(&row);
        taken += start.elapsed();
    }
    println!("taking in the accounts: {:.2} s", taken.as_secs_f64());
    let start = Instant::now();
    let index = loader.finish(units_up_to(UNITS));
    println!("sorting: {:.2} s", start.elapsed().as_secs_f64());
    index
}

/// A line of `/proc/self/status`.
fn memory(line: &str) -> String {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    status.lines().find(|known| known.starts_with(line)).unwrap_or(line).to_owned()
}

fn checked(index: &Index, filter: Value) -> Checked {
    index.check(&serde_json::from_value(filter).unwrap()).unwrap()
}

/// An unsaved filter: count, first page, added and removed against what is saved.
fn preview(index: &Index, new: &Checked, old: &Checked) -> (u64, usize, u64, u64) {
    let (new, old) = (index.select(new), index.select(old));
    let by_name = Order { by: OrderBy::Name, descending: false };
    let page = index.page(&new, &by_name, &Window { first: Some(50), ..Window::default() }).unwrap();
    (new.len(), page.ids.len(), new.difference(&old).unwrap().len(), old.difference(&new).unwrap().len())
}

fn everything(criterion: &mut Criterion) {
    let mut index = load();
    println!("{}; {}", memory("VmRSS"), memory("VmHWM"));
    let by_name = Order { by: OrderBy::Name, descending: false };
    let first = Window { first: Some(50), ..Window::default() };
    let is = |key: &str, is: Value| json!({"attribute": {"key": key, "is": is}});
    let three = |number: u64| {
        json!({"all": [
            is("department", json!({"in": [format!("Department {}", number % 40), "Department 7"]})),
            is("role", json!({"in": (0..20).map(|at| format!("Role {}", (number + at) % 200)).collect::<Vec<_>>()})),
            {"not": is("location", json!({"equals": format!("Location {}", number % 60)}))},
        ]})
    };

    let mut times: Vec<f64> = (0..1_000)
        .map(|number| {
            let (new, old) = (checked(&index, three(number)), checked(&index, three(number + 1)));
            let start = Instant::now();
            black_box(preview(&index, &new, &old));
            start.elapsed().as_secs_f64() * 1e3
        })
        .collect();
    times.sort_by(f64::total_cmp);
    println!("1,000 previews: median {:.2} ms, p99 {:.2} ms", times[500], times[990]);

    let mut times: Vec<f64> = (0..1_000)
        .map(|number| {
            let filter = checked(&index, three(number));
            let start = Instant::now();
            black_box(index.tally(&filter, None, &[], &[]));
            start.elapsed().as_secs_f64() * 1e3
        })
        .collect();
    times.sort_by(f64::total_cmp);
    println!("1,000 times the numbers beside three conditions: median {:.2} ms, p99 {:.2} ms", times[500], times[990]);

    let mut bench = |name: &str, run: &mut dyn FnMut()| {
        criterion.bench_function(name, |bencher| bencher.iter(&mut *run));
    };
    for (name, filter) in [
        ("count/three conditions", three(3)),
        ("count/name contains", json!({"name": {"contains": "mer"}})),
        ("count/email contains", json!({"email": {"contains": "an1"}})),
        ("count/one badge", is("badge", json!({"equals": "b0123456"}))),
        ("count/badge contains", is("badge", json!({"contains": "345"}))),
        ("count/started between", is("started", json!({"between": {"from": "2010-01-01", "to": "2015-06-30"}}))),
        ("count/skills hasAll", is("skills", json!({"hasAll": ["Skill 3", "Skill 20"]}))),
        ("count/reportsTo near the top", is("manager", json!({"reportsTo": email(1)}))),
        ("count/reportsTo far down", is("manager", json!({"reportsTo": email(50_000)}))),
        ("count/account of a kind", json!({"account": {"kind": "GITHUB"}})),
        ("count/account username contains", json!({"account": {"kind": "GITHUB", "username": {"contains": "mer"}}})),
        ("count/account bots", json!({"account": {"isBot": true}})),
    ] {
        let filter = checked(&index, filter);
        println!("{name}: {} users", index.select(&filter).len());
        bench(name, &mut || {
            black_box(index.select(&filter).len());
        });
    }

    let everybody = index.everybody();
    let broad = index.select(&checked(&index, is("location", json!({"equals": "Location 3"}))));
    let narrow = index.select(&checked(&index, is("team", json!({"equals": "Team 3"}))));
    for (name, members) in [("everybody", &everybody), ("broad", &broad), ("narrow", &narrow)] {
        bench(&format!("page/by name, {name} ({})", members.len()), &mut || {
            black_box(index.page(members, &by_name, &first).unwrap());
        });
    }
    let deep = index.page(&everybody, &by_name, &Window { first: Some(500_000), ..Window::default() }).unwrap();
    let cursor = deep.ids.last().map(|(_, cursor)| cursor.clone());
    let after = Window { first: Some(50), after: cursor.as_ref(), ..Window::default() };
    bench("page/by name, number 10,000", &mut || drop(black_box(index.page(&everybody, &by_name, &after))));
    for key in ["department", "badge"] {
        let order = Order { by: OrderBy::Attribute(key.to_owned()), descending: false };
        bench(&format!("page/by {key}, everybody"), &mut || drop(black_box(index.page(&everybody, &order, &first))));
    }

    let units: Vec<OrgUnitId> = (0..UNITS).map(|number| OrgUnitId(id(4, number))).collect();
    bench("units/1,000 counts", &mut || drop(black_box(index.member_counts(&units))));
    let people: Vec<UserId> = (0..50).map(|number| user_id(number * 19_999)).collect();
    bench("units/in none of 1,000", &mut || drop(black_box(index.in_no_unit_but(&narrow, None))));
    let ann = record(500_000);
    bench("explain/a unit and its scope", &mut || drop(black_box(index.explain_unit(units[11], &ann, &[]))));
    bench("units/of 50 users", &mut || drop(black_box(index.org_units_of(&people))));

    bench("units/the whole tree of 1,000", &mut || drop(black_box(index.org_unit_tree(None))));
    let change =
        |unit: OrgUnitRecord| Change { id: RecordId::OrgUnit(unit.row.id), after: Some(Record::OrgUnit(unit)) };
    let mut large = index.clone();
    large.apply(2, units_up_to(10_000).into_iter().skip(units.len()).map(change).collect());
    let all: Vec<OrgUnitId> = large.org_units().map(|unit| unit.row.id).collect();
    bench("units/10,000 counts", &mut || drop(black_box(large.member_counts(&all))));
    bench("units/the whole tree of 10,000", &mut || drop(black_box(large.org_unit_tree(None))));
    bench("units/who is in none of 10,000", &mut || drop(black_box(large.unassigned(None))));
    bench("units/overlaps of 1,000 siblings", &mut || {
        drop(black_box(large.sibling_overlaps(Some(OrgUnitId(id(4, 0))))));
    });
    drop(large);

    let under = |key: &str, values: &[String]| index.select(&checked(&index, is(key, json!({"in": values}))));
    let few = under("team", &["Team 1".to_owned(), "Team 2".to_owned()]);
    let some = under("department", &["Department 1".to_owned(), "Department 2".to_owned()]);
    let third = under("role", &(0..66).map(|at| format!("Role {at}")).collect::<Vec<_>>());
    let page = FacetWindow { limit: 25, ..FacetWindow::ALL };
    for (name, members) in [("everybody", &everybody), ("few", &few), ("some", &some), ("a third", &third)] {
        bench(&format!("facets/of 8 attributes, {name} ({})", members.len()), &mut || {
            for (key, _) in ATTRIBUTES {
                drop(black_box(index.facets(members, key, &page)));
            }
        });
    }
    for (key, _) in ATTRIBUTES {
        bench(&format!("facets/of {key}, a third"), &mut || drop(black_box(index.facets(&third, key, &page))));
    }
    let found = FacetWindow { search: Some("345"), ..page };
    bench("facets/of badge with a text, a third", &mut || drop(black_box(index.facets(&third, "badge", &found))));

    let wanted: Vec<(u64, String, String)> = (0..1_000)
        .map(|at| draw(50, at, USERS))
        .map(|number| (number % 3, external_id(number % 3, number), email(number)))
        .collect();
    let tool = |integration: u64| IntegrationId(id(3, integration));
    bench("resolve/1,000 by external id", &mut || {
        for (integration, external_id, _) in &wanted {
            black_box(index.resolve(tool(*integration), AccountBy::ExternalId(external_id)));
        }
    });
    bench("resolve/1,000 by email", &mut || {
        for (_, _, email) in &wanted {
            black_box(index.resolve(tool(0), AccountBy::Email(email)));
        }
    });

    bench("clone", &mut || drop(black_box(index.clone())));

    let changes = |count: u64, round: u64| -> Vec<Change> {
        let changed = (0..count).map(|at| {
            let mut record = record(draw(60 + round % 7, at + round, USERS));
            record.row.name = name(round + at);
            record.row.attributes["department"] = format!("Department {}", (round + at) % 40).into();
            Change { id: RecordId::User(record.row.id), after: Some(Record::User(record)) }
        });
        changed.collect()
    };
    let mut round = 0;
    for (name, count) in [("apply/one user", 1), ("apply/10,000 users", 10_000)] {
        criterion.bench_function(name, |bencher| {
            bencher.iter_batched(
                || {
                    round += 1;
                    changes(count, round)
                },
                |changes| index.apply(2, changes),
                BatchSize::PerIteration,
            );
        });
    }
    let follow = |name: &str, index: Index, parts: &mut dyn Iterator<Item = Vec<Change>>| {
        let mut follower = Follower::new(index);
        let mut taken = std::time::Duration::ZERO;
        for part in parts {
            let start = Instant::now();
            follower.follow(part);
            taken += start.elapsed();
        }
        let start = Instant::now();
        let followed = follower.finish(3).map_or(0, |index| index.user_count());
        let (taken, finished) = (taken.as_secs_f64(), start.elapsed().as_secs_f64());
        println!("following {name}: {taken:.2} s, and {finished:.2} s at the end; {followed} users");
    };
    follow("100,000 changes on a copy", index.clone(), &mut (0..25).map(|round| changes(4_000, round * 4_000)));
    println!("{}", memory("VmRSS"));
    let empty = Loader::new(1, attributes(), integrations()).finish(Vec::new());
    let new = |number| Change { id: RecordId::User(user_id(number)), after: Some(Record::User(record(number))) };
    let mut parts = (0..USERS / 4_000).map(|part| (part * 4_000..(part + 1) * 4_000).map(new).collect());
    follow("1,000,000 new users", empty, &mut parts);
    println!("{}", memory("VmRSS"));
}

criterion_group! {
    name = benches;
    config = Criterion::default().sample_size(20).measurement_time(std::time::Duration::from_secs(2))
        .warm_up_time(std::time::Duration::from_millis(500));
    targets = everything
}
criterion_main!(benches);
