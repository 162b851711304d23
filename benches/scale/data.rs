//! What is measured: made-up users in a file, and accounts and org units beside them, the same each time.

use std::fs::File;
use std::io::{BufWriter, Write};
use std::path::Path;

use entity::attribute::AttributeType;
use entity::integration::IntegrationKind;
use entity::org_unit::{self, OrgUnitScope};
use entity::{IntegrationId, OrgUnitId};
use roster::database::{Database, Options};
use roster::directory::{Actor, Clock, Directory, NewAttribute, NewIntegration, NewOrgUnit};
use roster::filter::Stored;
use roster::index::Index;
use roster::record::{Change, OrgUnitRecord, Record, RecordId};
use sea_orm::{ConnectionTrait, DbBackend};
use serde_json::{Value, json};

/// How many org units there are.
pub(crate) const UNITS: u64 = 1_000;
/// How many of them are roots.
const DIVISIONS: usize = 10;

/// The custom attributes, in the order of the file's columns.
pub(crate) const ATTRIBUTES: [(&str, AttributeType); 8] = [
    ("Department", AttributeType::Text),
    ("Team", AttributeType::Text),
    ("Role", AttributeType::Text),
    ("Location", AttributeType::Text),
    ("Level", AttributeType::Number),
    ("Start date", AttributeType::Date),
    ("Employee number", AttributeType::Text),
    ("On call", AttributeType::Boolean),
];

const INTEGRATIONS: [(&str, IntegrationKind); 3] =
    [("Jira", IntegrationKind::Jira), ("GitHub", IntegrationKind::GitHub), ("Slack", IntegrationKind::Slack)];

/// A number that depends on nothing but its arguments.
pub(crate) fn draw(what: u64, number: u64, below: u64) -> u64 {
    let mut x = (what << 40 | number).wrapping_mul(0x9e37_79b9_7f4a_7c15);
    x = (x ^ x >> 31).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    x = (x ^ x >> 27).wrapping_mul(0x94d0_49bb_1331_11eb);
    (x ^ x >> 31) % below
}

fn word(what: u64, number: u64, syllables: u64) -> String {
    const SYLLABLES: [&str; 16] =
        ["an", "bo", "ce", "dor", "el", "fi", "gu", "ha", "ik", "jo", "ka", "li", "mer", "no", "ri", "ta"];
    (0..syllables).map(|at| SYLLABLES[usize::try_from(draw(what + at, number, 16)).unwrap()]).collect()
}

/// Writes the file of users that is imported; or the one that comes after it, in which one in a hundred has another role.
pub(crate) fn write_csv(users: u64, to: &Path, is_next: bool) {
    let mut file = BufWriter::new(File::create(to).unwrap());
    writeln!(file, "Name,Email,{}", ATTRIBUTES.map(|(title, _)| title).join(",")).unwrap();
    for user in 0..users {
        let (given, family) = (word(10, draw(8, user, 3_000), 2), word(20, draw(9, user, 400_000), 4));
        writeln!(
            file,
            "{given} {family},{given}.{family}{user}@corp.example,Department {},Team {},Role {},Location {},{},\
             20{:02}-{:02}-{:02},E{user:07},{}",
            draw(1, user, 40),
            draw(2, user, 5_000),
            draw(3, user, 200) + if is_next && user % 100 == 7 { 200 } else { 0 },
            draw(4, user, 60),
            1 + draw(5, user, 9),
            6 + draw(6, user, 20),
            1 + draw(7, user, 12),
            1 + draw(11, user, 28),
            draw(12, user, 3) == 0,
        )
        .unwrap();
    }
    file.flush().unwrap();
}

pub(crate) fn me() -> Actor {
    Actor("bench".to_owned())
}

/// Opens the directory at `url`.
pub(crate) async fn open(url: &str) -> Directory {
    let options = Options { readers: 8, patience: std::time::Duration::from_secs(5), ..Options::to(url) };
    Directory::open(Database::open(&options).await.unwrap(), Clock::System).await.unwrap()
}

/// Makes the custom attributes.
pub(crate) async fn create_attributes(directory: &Directory) {
    for (title, r#type) in ATTRIBUTES {
        let new = NewAttribute {
            title: title.to_owned(),
            key: None,
            r#type,
            description: String::new(),
            options: Vec::new(),
            is_required: false,
            is_unique: false,
            readable_by: None,
            position: None,
        };
        directory.create_attribute(&me(), new).await.unwrap();
    }
}

/// The keys of the custom attributes.
pub(crate) fn keys() -> [String; 8] {
    ATTRIBUTES.map(|(title, _)| title.to_lowercase().replace(' ', "_"))
}

/// A condition on an attribute.
pub(crate) fn is(key: &str, is: &Value) -> Value {
    json!({"attribute": {"key": key, "is": is}})
}

/// The values of the filter of [`three_conditions`]: departments, roles, and the location that is left out.
pub(crate) fn three_values(number: u64) -> (Vec<String>, Vec<String>, String) {
    (
        vec![format!("Department {}", number % 39), "Department 39".to_owned()],
        (0..20).map(|at| format!("Role {}", (number + at) % 200)).collect(),
        format!("Location {}", number % 60),
    )
}

/// A filter as people write them; another one for each number.
pub(crate) fn three_conditions(number: u64) -> Value {
    let (departments, roles, location) = three_values(number);
    json!({"all": [
        is("department", &json!({"in": departments})),
        is("role", &json!({"in": roles})),
        {"not": is("location", &json!({"equals": location}))},
    ]})
}

/// The values of a filter that a third of the users pass.
pub(crate) fn broad_roles() -> Vec<String> {
    (0..66).map(|role| format!("Role {role}")).collect()
}

/// The values of the filter of a unit below a division: its role, its locations, and the team that is left out.
pub(crate) fn unit_values(number: u64) -> (String, [String; 2], String) {
    (
        format!("Role {}", number % 200),
        [format!("Location {}", number % 60), "Location 7".to_owned()],
        format!("Team {}", number % 5_000),
    )
}

/// A unit: one of the first is a division, by departments; the others stand below one, with three conditions, every
/// other one among its members.
pub(crate) fn unit(number: u64, divisions: &[OrgUnitId]) -> NewOrgUnit {
    let parent_id = (divisions.len() == DIVISIONS).then(|| divisions[usize::try_from(number).unwrap() % DIVISIONS]);
    let filter = if parent_id.is_none() {
        let departments: Vec<String> = (0..4).map(|at| format!("Department {}", number * 4 + at)).collect();
        is("department", &json!({"in": departments}))
    } else {
        let (role, locations, team) = unit_values(number);
        json!({"all": [
            is("role", &json!({"equals": role})),
            {"any": locations.map(|location| is("location", &json!({"equals": location})))},
            {"not": is("team", &json!({"equals": team}))},
        ]})
    };
    NewOrgUnit {
        parent_id,
        name: format!("Unit {number}"),
        description: String::new(),
        scope: if number % 2 == 1 && parent_id.is_some() { OrgUnitScope::Parent } else { OrgUnitScope::All },
        filter: Some(serde_json::from_value(filter).unwrap()),
        pinned: Default::default(),
        excluded: Default::default(),
    }
}

/// The index as it would be with more units, `all` of them together.
pub(crate) fn with_units(directory: &Directory, all: u64) -> Index {
    let mut index = directory.snapshot();
    let divisions = index.org_unit_children(None).to_vec();
    let more = (UNITS..all).map(|number| {
        let NewOrgUnit { parent_id, name, description, scope, filter, pinned, excluded } = unit(number, &divisions);
        let now = chrono::DateTime::UNIX_EPOCH;
        let filter = filter.map(|filter| serde_json::to_value(Stored { v: 1, filter }).unwrap());
        let id = OrgUnitId(uuid::Uuid::from_u128(number.into()));
        let row = org_unit::Model {
            id,
            parent_id,
            name_key: name.to_lowercase(),
            name,
            description,
            scope,
            filter,
            version: 1,
            origin: None,
            created_at: now,
            updated_at: now,
        };
        let unit = Record::OrgUnit(OrgUnitRecord { row, pinned, excluded });
        Change { id: RecordId::OrgUnit(id), after: Some(unit) }
    });
    index.apply(index.version() + 1, more.collect());
    index
}

/// Gives every user an account in each integration, straight in the table, and makes the org units.
pub(crate) async fn fill(url: &str) {
    let directory = open(url).await;
    for (at, (name, kind)) in INTEGRATIONS.into_iter().enumerate() {
        let id = directory.create_integration(&me(), NewIntegration { kind, name: name.to_owned() }).await.unwrap();
        insert_accounts(&directory, at, id).await;
    }
    let mut divisions = Vec::new();
    for number in 0..UNITS {
        let id = directory.create_org_unit(&me(), unit(number, &divisions)).await.unwrap();
        if divisions.len() < DIVISIONS {
            divisions.push(id);
        }
    }
    let analyze = directory.database().begin_write().await.unwrap();
    analyze.execute_unprepared("ANALYZE").await.unwrap();
    directory.database().commit(analyze).await.unwrap();
}

/// Two of three accounts have the user's email, and each user has two usernames.
async fn insert_accounts(directory: &Directory, at: usize, integration: IntegrationId) {
    let (digit, integration) = (["8", "9", "a"][at], integration.0);
    let transaction = directory.database().begin_write().await.unwrap();
    let (settings, id, hex, integration, local) = match directory.database().backend() {
        DbBackend::Postgres => (
            "SET LOCAL statement_timeout = 0",
            format!("overlay(id::text placing '{digit}' from 15 for 1)::uuid"),
            "replace(id::text, '-', '')",
            format!("'{integration}'::uuid"),
            "substr(email, 1, strpos(email, '@') - 1)",
        ),
        _ => (
            "PRAGMA cache_size = -1000000",
            format!("unhex(substr(hex(id), 1, 12) || '{digit}' || substr(hex(id), 14))"),
            "lower(hex(id))",
            format!("x'{}'", integration.simple()),
            "substr(email, 1, instr(email, '@') - 1)",
        ),
    };
    let external_id = format!("substr({hex}, 1, 12) || substr({hex}, 17, 12)");
    let (username, email) = match at {
        1 => (format!("replace({local}, '.', '-')"), "NULL"),
        _ => (local.to_owned(), "email"),
    };
    transaction.execute_unprepared(settings).await.unwrap();
    transaction
        .execute_unprepared(&format!(
            "INSERT INTO integration_account (id, integration_id, external_id, username, email, display_name, is_bot, \
             status, user_id, rule, associated_by, associated_at, version, created_at, updated_at) \
             SELECT {id}, {integration}, {external_id}, {username}, {email}, name, false, \
             'ACTIVE', id, 'EMAIL', 'bench', created_at, version, created_at, updated_at FROM \"user\" ORDER BY id"
        ))
        .await
        .unwrap();
    directory.database().commit(transaction).await.unwrap();
}
