//! `verify` finds what is wrong in the database, and names the row. That it finds nothing wrong in what a directory leaves
//! is checked after every test of this binary.

use entity::attribute::AttributeType;
use entity::integration::IntegrationKind;
use entity::{TokenId, UserId};
use roster::database::{Database, Options};
use roster::directory::csv::ImportOptions;
use roster::directory::{Clock, Directory, Finding, Head, NewAttribute, Range, SyncMode};
use roster::index::AccountBy;
use roster::value::GlobalId;
use sea_orm::{
    ColumnTrait, ConnectOptions, ConnectionTrait, DatabaseConnection, DbBackend, EntityTrait, QueryFilter, QueryOrder,
    Statement,
};
use serde_json::{Value as Json, json};
use uuid::Uuid;

use crate::support::{Served, Site, account, cast, import, in_each_home, integration, me, on_each, on_places, user};

/// The tables that tests damage.
const TABLES: [&str; 16] = [
    "user",
    "user_email",
    "user_merged_id",
    "attribute",
    "integration",
    "integration_account",
    "org_unit",
    "org_unit_pin",
    "association_rules",
    "changeset",
    "change",
    "erased_change",
    "import_draft",
    "integration_run",
    "merge_decision",
    "token",
];

/// A connection past Roster that no foreign key holds back, and what the tables held when it was made.
struct Vandal(DatabaseConnection);

impl Vandal {
    async fn new(url: &str) -> Self {
        let mut options = ConnectOptions::new(url);
        options.max_connections(1).sqlx_logging(false);
        let vandal = Self(sea_orm::Database::connect(options).await.unwrap());
        match vandal.0.get_database_backend() {
            DbBackend::Postgres => vandal.run("SET session_replication_role = replica").await,
            _ => vandal.run("PRAGMA foreign_keys = OFF").await,
        };
        for table in TABLES {
            vandal.run(&format!("CREATE TABLE kept_{table} AS SELECT * FROM \"{table}\"")).await;
        }
        vandal
    }

    async fn run(&self, sql: &str) -> u64 {
        let done = self.0.execute_unprepared(sql).await;
        done.unwrap_or_else(|error| panic!("{sql}: {error}")).rows_affected()
    }

    /// Puts back what was there.
    async fn mend(&self) {
        for table in TABLES {
            self.run(&format!("DELETE FROM \"{table}\"")).await;
            self.run(&format!("INSERT INTO \"{table}\" SELECT * FROM kept_{table}")).await;
        }
    }

    /// An id as the database writes it.
    fn id(&self, id: Uuid) -> String {
        match self.0.get_database_backend() {
            DbBackend::Postgres => format!("'{id}'"),
            _ => format!("x'{}'", id.simple()),
        }
    }

    async fn number(&self, sql: &str) -> i64 {
        let statement = Statement::from_string(self.0.get_database_backend(), sql);
        self.0.query_one_raw(statement).await.unwrap().unwrap().try_get_by_index(0).unwrap()
    }

    async fn close(self) {
        for table in TABLES {
            self.run(&format!("DROP TABLE kept_{table}")).await;
        }
        self.0.close().await.unwrap();
    }
}

async fn findings(site: &Site, head: Option<&Head>) -> Vec<Finding> {
    let said = Directory::verify(site.database(), "2026-01-02T00:00:00Z".parse().unwrap(), head).await.unwrap();
    assert_eq!(said.finding_count, said.findings.len() as u64);
    assert!(said.findings.iter().all(|finding| !finding.mend.is_empty() && !finding.message.is_empty()));
    said.findings
}

const NOBODY: Uuid = Uuid::from_u128(0xdead);

#[test]
fn each_damage_is_found_and_its_row_is_named() {
    on_each(async |site: &Site| {
        let cast = cast(site).await;
        let ann = cast.two_teams;
        let vandal = Vandal::new(site.url()).await;
        let id = |id: UserId| vandal.id(id.0);
        let (nobody, new) = (vandal.id(NOBODY), vandal.id(Uuid::from_u128(0xbeef)));
        let hex = |id: UserId| id.0.simple().to_string();
        let account = site.index().accounts_of(ann)[0];
        let values =
            |of: UserId, values: Json| format!("UPDATE \"user\" SET attributes = '{values}' WHERE id = {}", id(of));
        let unit =
            |set: &str, id: entity::OrgUnitId| format!("UPDATE org_unit SET {set} WHERE id = {}", vandal.id(id.0));
        let gone = json!({ "v": 1, "filter": { "attribute": { "key": "gone", "is": { "isEmpty": false } } } });
        let one = |column: &str, value: &str| {
            format!("UPDATE integration_account SET {column} = {value} WHERE id = {}", vandal.id(account.0))
        };
        let slack = vandal.id(cast.slack.0);
        let decision = "INSERT INTO merge_decision (low, high, decision, decided_by, decided_at, changeset_number) VALUES \
                        ('a', 'b', 'ACCEPTED', 'x', '2020-01-01 00:00:00+00:00', 900)";
        let token = format!(
            "INSERT INTO token (id, name, role, hash, created_by, created_at) VALUES \
             ({new}, 'x', 'OWNER', {new}, 'x', '2020-01-01 00:00:00+00:00')"
        );
        let cases: Vec<(String, &str, String, &str)> = vec![
            (format!("UPDATE \"user\" SET name = ' ' WHERE id = {}", id(ann)), "user", ann.to_global(), "NAME"),
            (
                format!("UPDATE \"user\" SET email = 'Ann@Corp.example' WHERE id = {}", id(ann)),
                "user",
                ann.to_global(),
                "NOT_NORMAL",
            ),
            (
                format!("UPDATE \"user\" SET email = 'bob@corp.example' WHERE id = {}", id(ann)),
                "user",
                ann.to_global(),
                "EMAIL_KEY",
            ),
            ("DELETE FROM user_email WHERE email = 'ann@corp.example'".into(), "user", ann.to_global(), "EMAIL_KEY"),
            (
                "UPDATE user_email SET email = 'Dee@home.example' WHERE email = 'dee@home.example'".into(),
                "user_email",
                "Dee@home.example".into(),
                "NOT_NORMAL",
            ),
            (
                format!("INSERT INTO user_email VALUES ('a-b@c.example', {}, true)", id(ann)),
                "user_email",
                "a-b@c.example".into(),
                "EMAIL_KEY",
            ),
            (
                format!("INSERT INTO user_email VALUES ('a-b@c.example', {}, false)", id(ann)),
                "user",
                ann.to_global(),
                "DIFFERENT",
            ),
            (
                format!("UPDATE user_email SET user_id = {nobody} WHERE email = 'ann@corp.example'"),
                "user_email",
                "ann@corp.example".into(),
                "ORPHAN",
            ),
            (one("user_id", &nobody), "integration_account", account.to_global(), "ORPHAN"),
            (
                format!("DELETE FROM integration WHERE id = {slack}"),
                "integration_account",
                site.index().accounts_of(cast.formula)[0].to_global(),
                "ORPHAN",
            ),
            (format!("DELETE FROM integration WHERE id = {slack}"), "integration", cast.slack.to_global(), "MISSING"),
            (one("rule", "'UNMATCHED'"), "integration_account", account.to_global(), "RULE"),
            (one("status", "'ODD'"), "integration_account", account.to_global(), "UNREADABLE"),
            (one("username", "'odd'"), "integration_account", account.to_global(), "DIFFERENT"),
            (
                format!("UPDATE org_unit_pin SET user_id = {nobody} WHERE user_id = {}", id(cast.empty)),
                "org_unit_pin",
                format!("{}/{}", cast.guests.0.simple(), NOBODY.simple()),
                "ORPHAN",
            ),
            (
                format!("INSERT INTO user_merged_id VALUES ({new}, {nobody})"),
                "user_merged_id",
                Uuid::from_u128(0xbeef).simple().to_string(),
                "ORPHAN",
            ),
            (
                format!("INSERT INTO user_merged_id VALUES ({}, {})", id(cast.empty), id(ann)),
                "user_merged_id",
                cast.empty.to_global(),
                "MERGED",
            ),
            (values(ann, json!({ "capacity": "much" })), "user", ann.to_global(), "VALUE"),
            (values(ann, json!({ "level": "King" })), "user", ann.to_global(), "VALUE"),
            (values(ann, json!({ "start_date": "2019-6-1" })), "user", ann.to_global(), "VALUE"),
            (values(ann, json!({ "teams": ["Payments", "Platform"] })), "user", ann.to_global(), "VALUE"),
            (values(ann, json!({ "shoe": "44" })), "user", ann.to_global(), "UNKNOWN_ATTRIBUTE"),
            (values(ann, json!([])), "user", ann.to_global(), "VALUES"),
            (values(ann, json!({ "supervisor": NOBODY.simple().to_string() })), "user", ann.to_global(), "VALUE"),
            (values(ann, json!({ "supervisor": hex(cast.no_email) })), "user", ann.to_global(), "CYCLE"),
            (values(cast.empty, json!({ "number": "001" })), "user", cast.empty.to_global(), "NOT_UNIQUE"),
            (
                "UPDATE attribute SET is_required = true WHERE key = 'level'".into(),
                "attribute",
                site.index().attribute("level").unwrap().id.to_global(),
                "DIFFERENT",
            ),
            ("DELETE FROM attribute WHERE key = 'email'".into(), "attribute", "email".into(), "MISSING"),
            (
                "UPDATE attribute SET title_key = 'other' WHERE key = 'level'".into(),
                "attribute",
                site.index().attribute("level").unwrap().id.to_global(),
                "KEY",
            ),
            (
                "UPDATE attribute SET type = 'COLOUR' WHERE key = 'remote'".into(),
                "attribute",
                site.index().attribute("remote").unwrap().id.to_global(),
                "UNREADABLE",
            ),
            (
                "UPDATE attribute SET options = '[\"a\", \"A\"]' WHERE key = 'level'".into(),
                "attribute",
                site.index().attribute("level").unwrap().id.to_global(),
                "OPTIONS",
            ),
            (
                format!("UPDATE integration SET name = 'Slick', name_key = 'slick' WHERE id = {slack}"),
                "integration",
                cast.slack.to_global(),
                "DIFFERENT",
            ),
            (format!("UPDATE \"user\" SET version = 900 WHERE id = {}", id(ann)), "user", ann.to_global(), "VERSION"),
            (format!("DELETE FROM \"user\" WHERE id = {}", id(ann)), "user", ann.to_global(), "MISSING"),
            (
                format!("UPDATE \"user\" SET id = {nobody} WHERE id = {}", id(ann)),
                "user",
                UserId(NOBODY).to_global(),
                "UNLOGGED",
            ),
            (
                unit(&format!("parent_id = {}", vandal.id(cast.platform.0)), cast.engineering),
                "org_unit",
                cast.engineering.to_global(),
                "CYCLE",
            ),
            (unit(&format!("parent_id = {nobody}"), cast.guests), "org_unit", cast.guests.to_global(), "ORPHAN"),
            (unit(&format!("filter = '{gone}'"), cast.guests), "org_unit", cast.guests.to_global(), "FILTER"),
            (unit("filter = '{\"v\": 9}'", cast.guests), "org_unit", cast.guests.to_global(), "FILTER"),
            (unit("scope = 'PARENT'", cast.guests), "org_unit", cast.guests.to_global(), "SCOPE"),
            (unit("name_key = 'other'", cast.guests), "org_unit", cast.guests.to_global(), "KEY"),
            (unit("name = 'Engineering'", cast.guests), "org_unit", cast.guests.to_global(), "DOUBLE"),
            (decision.into(), "merge_decision", "a/b".into(), "ORPHAN"),
            (token, "token", TokenId(Uuid::from_u128(0xbeef)).to_global(), "UNREADABLE"),
            ("UPDATE changeset SET undoes = 9 WHERE number = 2".into(), "changeset", "2".into(), "UNDOES"),
            ("UPDATE changeset SET kind = 'ODD' WHERE number = 2".into(), "changeset", "2".into(), "UNREADABLE"),
            ("UPDATE change SET noun = 'ODD' WHERE changeset_number = 2".into(), "change", "2/0".into(), "UNREADABLE"),
        ];
        assert!(findings(site, None).await.is_empty());
        for (sql, table, row, code) in cases {
            assert!(vandal.run(&sql).await > 0, "{sql}");
            let found = findings(site, None).await;
            let is_it = |found: &&Finding| (found.table, &*found.row, found.code) == (table, &*row, code);
            assert!(found.iter().any(|found| is_it(&found)), "{sql}: {table} {row} {code} is not in {found:#?}");
            vandal.mend().await;
        }
        assert!(findings(site, None).await.is_empty());
        vandal.close().await;
    });
}

/// Numbers that look drawn.
struct Draw(u64);

impl Draw {
    fn below(&mut self, end: i64) -> i64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        (self.0 % end as u64) as i64
    }
}

#[test]
fn whatever_is_done_to_the_log_is_found() {
    const ROUNDS: usize = 200;
    on_each(async |site: &Site| {
        cast(site).await;
        let vandal = Vandal::new(site.url()).await;
        let last = site.version();
        let head = site.list_changesets(Range { limit: 1, ..Range::default() }).await.unwrap().rows.remove(0);
        let digest = head.digest.iter().map(|byte| format!("{byte:02x}")).collect();
        let head = Head { number: last, digest };
        assert!(findings(site, Some(&head)).await.is_empty());
        let changes = vandal.number("SELECT count(*) FROM change").await;
        let mut draw = Draw(0x2545_f491_4f6c_dd1d);
        let at = |nth: i64| {
            format!(
                "(changeset_number, position) IN (SELECT changeset_number, position FROM kept_change ORDER BY \
                 changeset_number, position LIMIT 1 OFFSET {nth})"
            )
        };
        for round in 0..ROUNDS {
            let (number, nth) = (1 + draw.below(last), draw.below(changes));
            let columns = ["actor = 'nobody'", "change_count = change_count + 1", "digest = ''"];
            let statements = match draw.below(12) {
                0 => vec![format!("UPDATE change SET after = coalesce(after, '') || ' ' WHERE {}", at(nth))],
                1 => vec![format!("UPDATE change SET before = coalesce(before, '') || '{{}}' WHERE {}", at(nth))],
                2 => vec![format!(
                    "UPDATE change SET noun = CASE noun WHEN 'USER' THEN 'ORG_UNIT' ELSE 'USER' END WHERE {}",
                    at(nth)
                )],
                3 => vec![format!("UPDATE change SET record_id = {} WHERE {}", vandal.id(NOBODY), at(nth))],
                4 => vec![format!("UPDATE change SET salt = digest WHERE {}", at(nth))],
                5 => vec![format!("UPDATE change SET digest = salt WHERE {}", at(nth))],
                6 => vec![format!("DELETE FROM change WHERE {}", at(nth))],
                7 => vec![format!("DELETE FROM changeset WHERE number = {number}")],
                8 => {
                    let column = columns[draw.below(3) as usize];
                    vec![format!("UPDATE changeset SET {column} WHERE number = {number}")]
                }
                9 => vec![format!(
                    "UPDATE changeset SET created_at = '2001-01-01 00:00:00+00:00' WHERE number = {number}"
                )],
                10 => {
                    let (one, other) = (1 + draw.below(last - 1), last);
                    let swap = |table: &str, column: &str| {
                        vec![
                            format!("UPDATE {table} SET {column} = -1 WHERE {column} = {one}"),
                            format!("UPDATE {table} SET {column} = {one} WHERE {column} = {other}"),
                            format!("UPDATE {table} SET {column} = {other} WHERE {column} = -1"),
                        ]
                    };
                    [swap("changeset", "number"), swap("change", "changeset_number")].concat()
                }
                _ => vec![
                    format!("DELETE FROM change WHERE changeset_number >= {number}"),
                    format!("DELETE FROM changeset WHERE number >= {number}"),
                ],
            };
            for sql in &statements {
                assert!(vandal.run(sql).await > 0, "{sql}");
            }
            let found = findings(site, Some(&head)).await;
            let is_of_log = |found: &Finding| ["change", "changeset"].contains(&found.table);
            assert!(found.iter().any(is_of_log), "round {round}: {statements:#?} is not found: {found:#?}");
            vandal.mend().await;
        }
        vandal.close().await;
    });
}

#[test]
fn no_note_of_an_erasure_hides_an_edit() {
    on_each(async |site: &Site| {
        let cast = cast(site).await;
        let bob = user(site, "Bob", "bob-two@corp.example", json!({})).await;
        let erasure = site.erase_user(&me(), bob, "bob-two@corp.example").await.unwrap().version;
        user(site, "Late", "late@corp.example", json!({})).await;
        let last = site.version();
        let vandal = Vandal::new(site.url()).await;
        let edited = |noun, record: Uuid, changeset| {
            let change = chain::Change {
                changeset,
                position: 0,
                noun,
                record: record.as_bytes(),
                salt: b"salt",
                before: None,
                after: Some("{}"),
            };
            let digest = change.digest().map(|byte| format!("{byte:02x}")).concat();
            let (salt, digest) = match vandal.0.get_database_backend() {
                DbBackend::Postgres => ("'\\x73616c74'".to_owned(), format!("'\\x{digest}'")),
                _ => ("x'73616c74'".to_owned(), format!("x'{digest}'")),
            };
            let edit = format!(
                "UPDATE change SET before = NULL, after = '{{}}', salt = {salt} WHERE changeset_number = {changeset} AND \
                 position = 0"
            );
            (edit, digest)
        };
        let late = site.find_user("late@corp.example").unwrap();
        let ann = entity::change::Entity::find()
            .filter(entity::change::Column::RecordId.eq(cast.two_teams.0))
            .order_by_asc(entity::change::Column::ChangesetNumber)
            .one(site.database().readers())
            .await
            .unwrap()
            .unwrap();
        let early = ann.changeset_number;
        assert!(early < erasure && erasure < last && ann.position == 0);
        for (record, number, by, table, row, code) in [
            (cast.two_teams, early, 0, "erased_change", format!("0/{early}/0"), "STRAY"),
            (cast.two_teams, early, last + 9, "erased_change", format!("{}/{early}/0", last + 9), "STRAY"),
            // One that erased nobody.
            (cast.two_teams, early, last, "erased_change", format!("{last}/{early}/0"), "STRAY"),
            // One that erased somebody before.
            (late, last, erasure, "erased_change", format!("{erasure}/{last}/0"), "STRAY"),
            // One that erased somebody else: it has a digest of whom.
            (cast.two_teams, early, erasure, "changeset", erasure.to_string(), "CHAIN"),
        ] {
            let (edit, digest) = edited("USER", record.0, number);
            assert_eq!(vandal.run(&edit).await, 1);
            let hide = format!("INSERT INTO erased_change VALUES ({by}, {number}, 0, {digest})");
            assert_eq!(vandal.run(&hide).await, 1);
            let found = findings(site, None).await;
            let has = |table, row: &str, code| {
                found.iter().any(|found| (found.table, &*found.row, found.code) == (table, row, code))
            };
            assert!(has(table, &row, code), "{table} {row} {code} is not in {found:#?}");
            if code == "STRAY" {
                assert!(has("change", &format!("{number}/0"), "EDITED"), "{found:#?}");
            }
            vandal.mend().await;
        }
        assert!(findings(site, None).await.is_empty());
        vandal.close().await;
    });
}

#[test]
fn users_made_from_accounts_need_no_values_also_when_a_person_takes_them() {
    on_each(async |site: &Site| {
        let badge = NewAttribute {
            title: "Badge".into(),
            key: None,
            r#type: AttributeType::Text,
            description: String::new(),
            options: Vec::new(),
            is_required: true,
            is_unique: false,
            readable_by: None,
            position: None,
        };
        site.create_attribute(&me(), badge).await.unwrap();
        let jira = integration(site, IntegrationKind::Jira, "Jira").await;
        let accounts = vec![
            account("1", "dee", "dee@corp.example"),
            account("2", "eve", "eve@corp.example"),
            account("3", "x", ""),
        ];
        site.sync_accounts(&me(), jira, accounts, SyncMode::Full).await.unwrap();
        let [dee, eve] = ["dee@corp.example", "eve@corp.example"].map(|email| site.find_user(email).unwrap());
        site.lock_user(&me(), dee, true, None).await.unwrap();
        let loose = site.index().resolve(jira, AccountBy::ExternalId("3")).unwrap().account;
        site.link_account(&me(), loose, eve, None).await.unwrap();
        for user in site.find_users(&[dee, eve]).await.unwrap().values() {
            assert_eq!((user.row.is_automatic, &user.row.attributes), (false, &json!({})));
        }
        assert_eq!(findings(site, None).await, []);
    });
}

#[test]
fn a_log_that_was_cut_off_is_found_by_the_head_that_somebody_kept() {
    in_each_home(|home| {
        home.run(&["demo", "--users", "30"]);
        let server = home.serve();
        let says: Json = serde_json::from_str(&home.output_of(&["verify", "--json"])).unwrap();
        let last = server.ask("{ changesets(first: 1) { edges { node { number digest } } } }", Json::Null);
        let last = &last["changesets"]["edges"][0]["node"];
        let head = format!("{}:{}", last["number"], last["digest"].as_str().unwrap());
        assert_eq!((&says["isSound"], &says["head"]), (&json!(true), &json!(head)));
        server.ask(
            "mutation { createUser(input: { name: \"New\", email: \"new@corp.example\" }) { user { id } } }",
            Json::Null,
        );
        assert!(home.output_of(&["verify", "--head", &head]).starts_with("Sound: "));
        let one = "0".repeat(64);
        let ended = home.run(&["verify", "--head", &format!("1:{one}")]);
        assert_eq!(ended.code, Some(2));
        assert!(ended.output.contains("changeset 1: REPLACED its digest was 000"), "{}", ended.output);
        let ended = home.run(&["verify", "--head", &format!("900:{one}")]);
        assert_eq!((ended.code, ended.error.as_str()), (Some(2), ""));
        assert!(ended.output.starts_with("Not sound: 1 finding in "), "{}", ended.output);
        assert!(ended.output.contains("changeset 900: TRUNCATED "), "{}", ended.output);
        let ended = home.run(&["verify", "--head", "12"]);
        assert_eq!((ended.code, ended.output.as_str()), (Some(2), ""));
        assert_eq!(server.stop().0, Some(0));
    });
}

#[test]
fn the_head_is_logged_with_each_changeset() {
    in_each_home(|home| {
        let log = home.path("log.txt");
        let server = Served::start_logging(home.command(&["serve", "--listen", "127.0.0.1:0"]), &log);
        server.ask(
            "mutation { createUser(input: { name: \"New\", email: \"new@corp.example\" }) { user { id } } }",
            Json::Null,
        );
        let last = server.ask("{ changesets(first: 1) { edges { node { number digest } } } }", Json::Null);
        let last = &last["changesets"]["edges"][0]["node"];
        assert_eq!(server.stop().0, Some(0));
        let line = format!("the head of the log is {}:{}", last["number"], last["digest"].as_str().unwrap());
        assert!(std::fs::read_to_string(&log).unwrap().contains(&line), "{line}");
    });
}

#[test]
fn what_is_not_there_or_not_up_to_date_is_not_made_by_looking_at_it() {
    in_each_home(|home| {
        let ended = home.run(&["verify"]);
        assert_eq!((ended.code, ended.output.as_str()), (Some(2), ""), "{}", ended.error);
        assert!(!home.data_dir().exists());
    });
}

#[test]
fn a_log_from_before_the_chain_gets_it_and_is_not_looked_at_before() {
    on_places(async |url| {
        let options = Options::to(url);
        let now = "2026-01-02T00:00:00Z".parse().unwrap();
        let clock = Clock::stepped();
        let directory = Directory::open(Database::open(&options).await.unwrap(), clock.clone()).await.unwrap();
        cast(&directory).await;
        // More changes than are read at a time.
        let rows: String = (0..450).map(|number| format!("User {number},u{number}@corp.example\n")).collect();
        import(&directory, format!("Name,Email\n{rows}"), ImportOptions::default()).await;
        let write = directory.database().begin_write().await.unwrap();
        for sql in [
            "ALTER TABLE changeset DROP COLUMN digest",
            "ALTER TABLE change DROP COLUMN salt",
            "ALTER TABLE change DROP COLUMN digest",
            "DROP TABLE erased_change",
            "DELETE FROM seaql_migrations WHERE version LIKE '%_000012_%' OR version LIKE '%_000013_%'",
        ] {
            write.execute_unprepared(sql).await.unwrap();
        }
        directory.database().commit(write).await.unwrap();
        directory.database().clone().close().await.unwrap();
        let error = Database::open_to_read(&options).await.unwrap_err();
        assert_eq!(error.to_string(), "the database's schema is not up to date; run roster migrate first");
        let database = Database::open(&options).await.unwrap();
        let said = Directory::verify(&database, now, None).await.unwrap();
        assert!(said.is_sound(), "{:#?}", said.findings);
        assert!(said.changes > 450);
        // It goes on from there.
        let directory = Directory::open(database, clock).await.unwrap();
        user(&directory, "New", "new@corp.example", json!({})).await;
        let said = Directory::verify(directory.database(), now, said.head.as_ref()).await.unwrap();
        assert!(said.is_sound(), "{:#?}", said.findings);
        directory.database().clone().close().await.unwrap();
    });
}
