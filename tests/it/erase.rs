//! Erasing a person: what is held on them is told whole, and then it is nowhere, and the log still holds.

use std::collections::BTreeSet;

use entity::attribute::AttributeType;
use entity::integration_run::{self, RunState};
use entity::{UserId, change};
use roster::directory::csv::ImportOptions;
use roster::directory::{
    Directory, Error, NewAttribute, NewOrgUnit, OrgUnitChange, Range, Subject, SyncMode, UndoOptions, UserChange,
};
use roster::index::AccountBy;
use roster::value::GlobalId;
use sea_orm::{ColumnTrait, ConnectionTrait, DbBackend, EntityTrait, IntoActiveModel, QueryFilter, Statement};
use serde_json::{Value as Json, json};

use crate::draft::draft;
use crate::merge::{give_back, merge};
use crate::support::{
    Home, Site, account, cast, ended, export, filter, in_each_home, me, on_each, on_sqlite, tables, unit, user,
    violations,
};

/// What only the person's values have in them.
const NEEDLES: [&str; 3] = ["perdita", "perdy", "quill"];

const EMAIL: &str = "perdita@quill.example";

/// A person of whom every table that can knows something.
async fn person(site: &Site) -> UserId {
    let cast = cast(site).await;
    let values = json!({ "department": "Quill Dept", "number": "quill-7", "supervisor": "ann@corp.example" });
    let id = user(site, "Perdita Oldname", "old.perdita@quill.example", values).await;
    let change = UserChange {
        name: Some("Perdita Quillfeather".into()),
        email: Some(EMAIL.into()),
        further_emails: Some(vec!["pq@quill.example".into()]),
        ..UserChange::default()
    };
    site.update_user(&me(), id, change).await.unwrap();
    let mut accounts = vec![account("q1", "quill77", EMAIL), account("q2", "perdita-x", "")];
    site.sync_accounts(&me(), cast.jira, accounts.clone(), SyncMode::Delta).await.unwrap();
    let account = site.index().resolve(cast.jira, AccountBy::ExternalId("q2")).unwrap().account;
    site.link_account(&me(), account, id, None).await.unwrap();
    accounts[0].username = Some("quill78".into());
    site.sync_accounts(&me(), cast.jira, accounts, SyncMode::Delta).await.unwrap();
    let perdy = user(site, "Perdy Quillfeather", "perdy@quill.example", json!({})).await;
    site.merge_users(&me(), &merge(id, &[perdy])).await.unwrap();
    site.mark_reviewed(&me(), &[id], true).await.unwrap();
    // What others have of her.
    let theirs = UserChange {
        attributes: vec![
            ("private_email".into(), json!(EMAIL)),
            ("home_page".into(), json!(format!("https://corp.example/?of={EMAIL}"))),
            ("supervisor".into(), json!(id.to_global())),
        ],
        ..UserChange::default()
    };
    site.update_user(&me(), cast.empty, theirs).await.unwrap();
    let had = UserChange { attributes: vec![("department".into(), json!(EMAIL))], ..UserChange::default() };
    site.update_user(&me(), cast.umlaut, had).await.unwrap();
    let has = UserChange { attributes: vec![("department".into(), json!("Other"))], ..UserChange::default() };
    site.update_user(&me(), cast.umlaut, has).await.unwrap();
    let guests = NewOrgUnit {
        parent_id: None,
        name: "Her guests".into(),
        description: format!("Ask {EMAIL}"),
        scope: entity::org_unit::OrgUnitScope::All,
        filter: None,
        pinned: BTreeSet::from([id]),
        excluded: BTreeSet::new(),
    };
    site.create_org_unit(&me(), guests).await.unwrap();
    site.reject_suggestion(&me(), [Subject::User(id), Subject::User(cast.quote)]).await.unwrap();
    draft(site, format!("Name,Email\nPerdita Newname,{EMAIL}\n"), ImportOptions::default()).await;
    draft(site, "Name,Email\nSomebody Else,else@corp.example\n", ImportOptions::default()).await;
    let now = "2026-01-02T00:00:00Z".parse().unwrap();
    let run = integration_run::Model {
        id: entity::IntegrationRunId(uuid::Uuid::from_u128(0xbeef)),
        integration_id: cast.jira,
        state: RunState::Failed,
        actor: "schedule".into(),
        is_scheduled: true,
        confirm_gone: None,
        accounts_read: 1,
        accounts_total: None,
        requests: 1,
        waits: 0,
        waiting: None,
        report: None,
        changeset_number: None,
        code: Some("ODD".into()),
        message: Some("`quill78` is odd".into()),
        is_retryable: false,
        gone_to_confirm: None,
        worker: None,
        leased_until: None,
        attempts: 1,
        created_at: now,
        started_at: None,
        updated_at: now,
    };
    let write = site.database().begin_side_write().await.unwrap();
    integration_run::Entity::insert(run.into_active_model()).exec_without_returning(&write).await.unwrap();
    site.database().commit(write).await.unwrap();
    id
}

/// Where one of the needles stands: in the bytes of SQLite's files, or in the rows of PostgreSQL's tables.
async fn hits(site: &Site) -> Vec<String> {
    let mut places: Vec<(String, Vec<u8>)> = Vec::new();
    if site.database().backend() == DbBackend::Sqlite {
        let file = site.url().strip_prefix("sqlite:").unwrap();
        for name in [file.to_owned(), format!("{file}-wal"), format!("{file}-shm")] {
            places.extend(std::fs::read(&name).ok().map(|bytes| (name, bytes)));
        }
        assert!(places.len() > 1, "the database and its WAL are looked at");
    } else {
        for table in roster::directory::backup_tables() {
            let sql = match table {
                "import_draft_chunk" => "SELECT encode(bytes, 'escape') AS row FROM import_draft_chunk".to_owned(),
                table => format!("SELECT own::text AS row FROM \"{table}\" AS own"),
            };
            let rows = site.database().readers().query_all_raw(Statement::from_string(DbBackend::Postgres, sql)).await;
            for row in rows.unwrap() {
                places.push((table.to_owned(), row.try_get::<String>("", "row").unwrap().into_bytes()));
            }
        }
    }
    let mut hits = Vec::new();
    for (name, mut bytes) in places {
        bytes.make_ascii_lowercase();
        for needle in NEEDLES {
            if let Some(at) = bytes.windows(needle.len()).position(|some| some == needle.as_bytes()) {
                let near = &bytes[at.saturating_sub(60)..bytes.len().min(at + 60)];
                hits.push(format!("{name}: {}", String::from_utf8_lossy(near)));
            }
        }
    }
    hits
}

#[test]
fn all_that_is_held_on_a_person_is_told_and_then_nowhere() {
    on_each(async |site: &Site| {
        let id = person(site).await;
        assert!(!hits(site).await.is_empty());
        let data = site.personal_data(id).await.unwrap();
        let text = data.to_string();
        for held in [
            "Perdita Oldname",
            "old.perdita@quill.example",
            "pq@quill.example",
            "Perdy Quillfeather",
            "quill77",
            "quill78",
            "perdita-x",
            "quill-7",
            "Her guests",
        ] {
            assert!(text.contains(held), "{held} is not in {data:#}");
        }
        assert_eq!(data["user"]["email"], EMAIL);
        assert_eq!(data["accounts"].as_array().unwrap().len(), 2);
        let units: Vec<_> =
            data["orgUnits"].as_array().unwrap().iter().map(|unit| (&unit["path"], &unit["isPinned"])).collect();
        assert_eq!(units, [(&json!("Engineering"), &json!(false)), (&json!("Her guests"), &json!(true))]);
        assert_eq!(data["decisions"].as_array().unwrap().len(), 1);
        assert_eq!(data["importDrafts"].as_array().unwrap().len(), 1);
        assert!(data["mentions"].as_array().unwrap().len() >= 4, "{data:#}");
        // A name, an email and a filter say whom it is about, and a slip of the hand does not.
        let refused = site.erase_user(&me(), id, "ann@corp.example").await.unwrap_err();
        assert_eq!(violations(&refused), ["confirmEmail: NOT_THEIRS"]);
        let named = json!({ "email": { "equals": EMAIL } });
        let unit = unit(site, "Herself", None, Some(filter(named))).await;
        let refused = site.erase_user(&me(), id, EMAIL).await.unwrap_err();
        assert!(matches!(&refused, Error::InUse { by, .. } if by.contains(&unit.to_global())), "{refused}");
        let change = OrgUnitChange { filter: Some(None), ..OrgUnitChange::default() };
        site.update_org_unit(&me(), unit, change).await.unwrap();
        let before = site.version();

        let erased = site.erase_user(&me(), id, "PQ@quill.example").await.unwrap();
        assert_eq!((erased.version, erased.accounts, erased.drafts, erased.is_scrubbed), (before + 1, 2, 1, true));
        assert_eq!(erased.reported_by.iter().map(|tool| &*tool.name).collect::<Vec<_>>(), ["Jira"]);
        assert_eq!(hits(site).await, Vec::<String>::new());
        let said = Directory::verify(site.database(), "2026-01-02T00:00:00Z".parse().unwrap(), None).await.unwrap();
        assert!(said.is_sound(), "{:#?}", said.findings);
        let exported = export(site).await;
        assert!(!NEEDLES.iter().any(|needle| exported.to_lowercase().contains(needle)), "{exported}");
        assert!(exported.contains("https://corp.example/?of=erased@erased.invalid"), "{exported}");
        assert!(matches!(site.personal_data(id).await, Err(Error::NotFound { .. })));
        assert!(matches!(site.find_user(EMAIL), Err(Error::NotFound { .. })));

        // The past has nobody of that id either, and nothing brings her back.
        let range = Range { limit: 1_000, ..Range::default() };
        for entry in site.list_history(id.0, range, true).await.unwrap().rows {
            assert_eq!((entry.change.before, entry.change.after), (None, None));
        }
        let guests = site.index().org_unit_at(&["Her guests"]).unwrap().row.id;
        let moves = site.members_changes(guests, 0, erased.version, 1_000).await.unwrap().rows;
        assert!(moves.iter().all(|moved| moved.joined.first.is_empty()), "{moves:?}");
        let mut refusals = BTreeSet::new();
        for number in 2..=erased.version {
            let options = UndoOptions { number, dry_run: true, skip_blocked: false };
            if let Err(error) = site.undo_changeset(&me(), options).await {
                refusals.extend(violations(&error));
            }
        }
        assert_eq!(refusals, BTreeSet::from(["number: ERASED".to_owned(), "number: NOT_POSSIBLE".to_owned()]));
        for number in (2..erased.version).rev() {
            let options = UndoOptions { number, dry_run: false, skip_blocked: true };
            site.undo_changeset(&me(), options).await.unwrap();
            assert!(site.find_user(&id.to_global()).is_err(), "after the undo of changeset {number}");
        }
        assert_eq!(hits(site).await, Vec::<String>::new());
    });
}

#[test]
fn what_an_erasure_left_is_part_of_the_chain() {
    on_each(async |site: &Site| {
        let id = person(site).await;
        let erased = site.erase_user(&me(), id, EMAIL).await.unwrap();
        let verify = async || {
            let said = Directory::verify(site.database(), "2026-01-02T00:00:00Z".parse().unwrap(), None).await.unwrap();
            said.findings.into_iter().map(|finding| (finding.table, finding.code)).collect::<BTreeSet<_>>()
        };
        assert_eq!(verify().await, BTreeSet::new());
        let last = "(SELECT max(changeset_number) FROM erased_change)";
        let edited = format!("UPDATE change SET after = '{{}}' WHERE changeset_number = {last} AND after IS NULL");
        let forgotten = format!("DELETE FROM erased_change WHERE changeset_number = {last}");
        let invented = "INSERT INTO erased_change SELECT erasure, 1, 0, digest FROM erased_change LIMIT 1".to_owned();
        for (sql, found) in [(edited, "EDITED"), (forgotten, "EDITED"), (invented, "CHAIN")] {
            let write = site.database().begin_side_write().await.unwrap();
            for table in ["change", "erased_change"] {
                write.execute_unprepared(&format!("CREATE TABLE kept_{table} AS SELECT * FROM {table}")).await.unwrap();
            }
            assert!(write.execute_unprepared(&sql).await.unwrap().rows_affected() > 0, "{sql}");
            site.database().commit(write).await.unwrap();
            let codes: BTreeSet<_> = verify().await.into_iter().map(|(_, code)| code).collect();
            assert!(codes.contains(found), "{sql}: {codes:?}");
            let write = site.database().begin_side_write().await.unwrap();
            for table in ["change", "erased_change"] {
                for sql in [
                    format!("DELETE FROM {table}"),
                    format!("INSERT INTO {table} SELECT * FROM kept_{table}"),
                    format!("DROP TABLE kept_{table}"),
                ] {
                    write.execute_unprepared(&sql).await.unwrap();
                }
            }
            site.database().commit(write).await.unwrap();
        }
        assert_eq!(verify().await, BTreeSet::new());
        // Another person, of whom the same rows speak.
        let ann = site.find_user("ann@corp.example").unwrap();
        site.erase_user(&me(), ann, "ann@corp.example").await.unwrap();
        assert_eq!(verify().await, BTreeSet::new());
        assert_eq!(site.version(), erased.version + 1);
    });
}

#[test]
fn a_person_of_whom_the_log_says_more_than_is_read_at_a_time_is_told_and_erased_whole() {
    on_each(async |site: &Site| {
        let id = person(site).await;
        for number in 0..210 {
            let change = UserChange { name: Some(format!("Perdita {number}")), ..UserChange::default() };
            site.update_user(&me(), id, change).await.unwrap();
        }
        let data = site.personal_data(id).await.unwrap();
        let history: Vec<i64> =
            data["history"].as_array().unwrap().iter().map(|entry| entry["changeset"].as_i64().unwrap()).collect();
        assert!(history.len() > 210 && history.is_sorted(), "{history:?}");
        let erased = site.erase_user(&me(), id, EMAIL).await.unwrap();
        assert!(erased.changes >= history.len() as u64);
        assert_eq!(hits(site).await, Vec::<String>::new());
    });
}

#[test]
fn an_erasure_takes_as_long_as_it_takes() {
    on_each(async |site: &Site| {
        if site.database().backend() != DbBackend::Postgres {
            return;
        }
        let id = person(site).await;
        let write = site.database().begin_side_write().await.unwrap();
        for sql in [
            "CREATE FUNCTION no_timeout() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN ASSERT \
             current_setting('statement_timeout') = '0'; RETURN NEW; END $$",
            "CREATE TRIGGER no_timeout BEFORE INSERT ON erased_change FOR EACH ROW EXECUTE FUNCTION no_timeout()",
        ] {
            write.execute_unprepared(sql).await.unwrap();
        }
        site.database().commit(write).await.unwrap();
        assert!(site.erase_user(&me(), id, EMAIL).await.unwrap().is_scrubbed);
        let other = site.database().begin_write().await.unwrap();
        let timeout = Statement::from_string(DbBackend::Postgres, "SHOW statement_timeout");
        let timeout = other.query_one_raw(timeout).await.unwrap().unwrap();
        assert_eq!(timeout.try_get_by_index::<String>(0).unwrap(), "1min");
        other.rollback().await.unwrap();
    });
}

#[test]
fn what_readers_kept_in_the_files_goes_when_they_are_done() {
    on_sqlite(async |site: &Site| {
        let id = person(site).await;
        let reader = site.database().begin_read().await.unwrap();
        let count = Statement::from_string(DbBackend::Sqlite, "SELECT count(*) FROM change");
        reader.query_one_raw(count).await.unwrap();
        let home = Home::new();
        let mut command = home.command(&["erase", &id.to_global(), "--confirm", EMAIL]);
        command.env("ROSTER_DATABASE_URL", site.url());
        let erasing = tokio::task::spawn_blocking(move || ended(command, b""));
        let erased = erasing.await.unwrap();
        assert_eq!(erased.code, Some(3), "{}", erased.error);
        assert!(erased.error.starts_with("the database's files still hold what was erased"), "{}", erased.error);
        assert_ne!(hits(site).await, Vec::<String>::new());
        site.tend_erasures().await.unwrap();
        assert_ne!(site.database().scrub_due().await.unwrap(), 0);
        reader.rollback().await.unwrap();
        site.tend_erasures().await.unwrap();
        assert_eq!(site.database().scrub_due().await.unwrap(), 0);
        assert_eq!(hits(site).await, Vec::<String>::new());
        // There is nothing to do any more.
        let before = site.database().statement_count();
        site.tend_erasures().await.unwrap();
        assert_eq!(site.database().statement_count(), before + 1);
    });
}

#[test]
fn what_is_unique_stays_so_where_emails_are_erased() {
    on_each(async |site: &Site| {
        let cast = cast(site).await;
        let emails = ["perdita@quill.example", "pq@quill.example"];
        let id = user(site, "Perdita", emails[0], json!({})).await;
        let change = UserChange { further_emails: Some(vec![emails[1].into()]), ..UserChange::default() };
        site.update_user(&me(), id, change).await.unwrap();
        let others = [cast.empty, cast.umlaut];
        let mut accounts = Vec::new();
        for (other, email) in others.into_iter().zip(emails) {
            let change = UserChange { attributes: vec![("number".into(), json!(email))], ..UserChange::default() };
            site.update_user(&me(), other, change).await.unwrap();
            accounts.push(account(email, &format!("of{}", other.0.simple()), ""));
        }
        site.sync_accounts(&me(), cast.slack, accounts, SyncMode::Delta).await.unwrap();
        for (other, email) in others.into_iter().zip(emails) {
            let account = site.index().resolve(cast.slack, AccountBy::ExternalId(email)).unwrap().account;
            site.link_account(&me(), account, other, None).await.unwrap();
        }
        site.erase_user(&me(), id, emails[0]).await.unwrap();
        for user in site.find_users(&others).await.unwrap().values() {
            assert_eq!(user.row.attributes.get("number"), None);
            assert_eq!(site.index().accounts_of(user.row.id).len(), if user.row.id == cast.umlaut { 2 } else { 1 });
        }
        assert_eq!(hits(site).await, Vec::<String>::new());
    });
}

#[test]
fn a_required_value_that_would_be_empty_is_for_a_person_to_change() {
    on_each(async |site: &Site| {
        let contact = NewAttribute {
            title: "Contact".into(),
            key: None,
            r#type: AttributeType::Email,
            description: String::new(),
            options: Vec::new(),
            is_required: true,
            is_unique: true,
            readable_by: None,
            position: None,
        };
        site.create_attribute(&me(), contact).await.unwrap();
        let ann = user(site, "Ann", "ann@corp.example", json!({ "contact": "desk@corp.example" })).await;
        let bob = user(site, "Bob", "bob@corp.example", json!({ "contact": "ann@corp.example" })).await;
        let refused = site.erase_user(&me(), ann, "ann@corp.example").await.unwrap_err();
        assert!(matches!(&refused, Error::InUse { by, .. } if by.contains(&bob.to_global())), "{refused}");
        let change =
            UserChange { attributes: vec![("contact".into(), json!("else@corp.example"))], ..UserChange::default() };
        site.update_user(&me(), bob, change).await.unwrap();
        site.erase_user(&me(), ann, "ann@corp.example").await.unwrap();
    });
}

#[test]
fn a_person_is_erased_over_graphql_and_from_the_command_line() {
    in_each_home(|home: &Home| {
        home.run(&["demo", "--users", "30"]);
        let server = home.serve();
        let first = server.ask("{ users(first: 2) { edges { node { id email } } } }", Json::Null);
        let [one, other] = [0, 1].map(|at| first["users"]["edges"][at]["node"].clone());
        let data = server.ask("query($id: ID!) { personalData(userId: $id) }", json!({ "id": one["id"] }));
        assert_eq!(data["personalData"]["user"]["email"], one["email"]);
        let erase = "mutation($id: ID!, $email: String!) {
            eraseUser(input: { id: $id, confirmEmail: $email }) {
                erasedUserId version changeCount isScrubbed reportedBy { name }
            }
        }";
        let wrong = server.refusal(&server.operation(erase, json!({ "id": one["id"], "email": other["email"] })));
        assert_eq!(wrong["extensions"]["code"], "INVALID_INPUT");
        let done = server.ask(erase, json!({ "id": one["id"], "email": one["email"] }));
        assert_eq!(done["eraseUser"]["erasedUserId"], one["id"]);
        assert_eq!(done["eraseUser"]["isScrubbed"], true);
        assert!(done["eraseUser"]["reportedBy"][0]["name"].is_string(), "{done}");
        assert_eq!(
            server.ask("query($id: ID!) { user(id: $id) { id } }", json!({ "id": one["id"] }))["user"],
            Json::Null
        );
        assert_eq!(server.stop().0, Some(0));
        let email = other["email"].as_str().unwrap();
        let told: Json = serde_json::from_str(&home.output_of(&["subject", email])).unwrap();
        assert_eq!(told["user"]["email"], email);
        let refused = home.run(&["erase", email, "--confirm", one["email"].as_str().unwrap()]);
        assert_eq!((refused.code, refused.output.as_str()), (Some(2), ""));
        let erased = home.output_of(&["erase", email, "--confirm", email]);
        assert!(erased.starts_with("Erased, in changeset "), "{erased}");
        assert!(erased.contains("\nErase the accounts in "), "{erased}");
        assert!(home.output_of(&["verify"]).starts_with("Sound: "));
        assert!(!home.exported(&[]).contains(email));
    });
}

#[test]
fn whoever_has_a_longer_email_keeps_all_of_theirs() {
    on_each(async |site: &Site| {
        let tool = cast(site).await.jira;
        let ann = user(site, "Perdita", "perdita@quill.example", json!({})).await;
        for (at, email) in
            ["superdita@x.example", "so.perdita@quill.example", "perdita@quill.example.org"].iter().enumerate()
        {
            let other = user(site, "Somebody Else", email, json!({ "department": format!("of {email}") })).await;
            let change = UserChange { name: Some("Renamed".into()), ..UserChange::default() };
            site.update_user(&me(), other, change).await.unwrap();
            let theirs = account(&format!("o{at}"), &format!("other{at}"), email);
            site.sync_accounts(&me(), tool, vec![theirs], SyncMode::Delta).await.unwrap();
        }
        let by_text = filter(json!({ "email": { "equals": "so.perdita@quill.example" } }));
        unit(site, "Of another", None, Some(by_text)).await;
        let said = UserChange {
            attributes: vec![("department".into(), json!("Ask\nperdita@quill.example, or so.perdita@quill.example"))],
            ..UserChange::default()
        };
        let other = site.find_user("so.perdita@quill.example").unwrap();
        site.update_user(&me(), other, said).await.unwrap();
        let of_others = |file: String| -> Vec<String> {
            file.lines()
                .filter(|line| !line.starts_with(&ann.to_global()) && !line.contains("Ask"))
                .map(str::to_owned)
                .collect()
        };
        let before = of_others(export(site).await);

        site.erase_user(&me(), ann, "perdita@quill.example").await.unwrap();

        assert_eq!(
            of_others(export(site).await).join("\n").replace("erased@erased.invalid", "perdita@quill.example"),
            before.join("\n")
        );
        let said = &site.find_users(&[other]).await.unwrap()[&other].row.attributes["department"];
        assert_eq!(said, "Ask\nerased@erased.invalid, or so.perdita@quill.example");
        for row in entity::change::Entity::find().all(site.database().readers()).await.unwrap() {
            for json in [row.before, row.after].into_iter().flatten() {
                let is_damaged =
                    ["superased", "so.erased", "erased.invalid.org"].iter().any(|damage| json.contains(damage));
                assert!(!is_damaged, "{json}");
                assert!(!json.contains("\"perdita@quill.example\""), "{json}");
            }
        }
    });
}

#[test]
fn whoever_was_merged_by_mistake_and_is_somebody_else_again_keeps_all() {
    on_each(async |site: &Site| {
        let cast = cast(site).await;
        let mut others = Vec::new();
        for (number, is_undone) in [true, false].into_iter().enumerate() {
            let ann = user(site, "Ann Quill", &format!("ann{number}@quill.example"), json!({})).await;
            let email = format!("bob{number}@corp.example");
            let bob = user(site, "Bob", &email, json!({ "number": format!("b{number}") })).await;
            let accounts = vec![account(&format!("bob{number}"), "bob", &email)];
            site.sync_accounts(&me(), cast.jira, accounts, SyncMode::Delta).await.unwrap();
            let merged = site.merge_users(&me(), &merge(ann, &[bob])).await.unwrap();
            if is_undone {
                let options = UndoOptions { number: merged.version, ..UndoOptions::default() };
                assert!(site.undo_changeset(&me(), options).await.unwrap().applied);
            } else {
                site.split_user(&me(), &give_back(ann, bob)).await.unwrap();
            }
            others.push((ann, bob));
        }
        // What is held on somebody, and what the log says of them.
        let held = async |id: UserId| {
            let log = change::Entity::find().filter(change::Column::RecordId.eq(id.0)).all(site.database().readers());
            let (log, users) = (log.await.unwrap(), site.find_users(&[id]).await.unwrap());
            (format!("{log:?} {users:?}"), site.index().accounts_of(id).len())
        };
        for (number, (ann, bob)) in others.into_iter().enumerate() {
            let before = held(bob).await;
            assert_eq!(before.1, 1);
            site.erase_user(&me(), ann, &format!("ann{number}@quill.example")).await.unwrap();
            assert_eq!(held(bob).await, before);
        }
    });
}

#[test]
fn an_email_goes_however_it_is_written() {
    on_each(async |site: &Site| {
        let cast = cast(site).await;
        let id = user(site, "Perdita", "\u{f6}zil@m\u{fc}ller.example", json!({})).await;
        let texts = [
            "\u{d6}ZIL@M\u{dc}LLER.example",
            "\u{f6}zil@m\u{fc}ller.example",
            "\u{d6}zil@xn--mller-kva.example",
            "\u{d6}zil@m\u{fc}ller.example",
        ];
        for text in texts {
            let has = UserChange {
                attributes: vec![("department".into(), json!(format!("Ask {text}")))],
                ..UserChange::default()
            };
            site.update_user(&me(), cast.empty, has).await.unwrap();
            draft(site, format!("Name,Email,Department\nAnn,ann@corp.example,Ask {text}\n"), ImportOptions::default())
                .await;
        }
        let erased = site.erase_user(&me(), id, "\u{d6}zil@m\u{fc}ller.example").await.unwrap();
        assert_eq!(erased.drafts, 4);
        let left = tables(site).await.to_lowercase();
        assert!(!left.contains("zil@") && !left.contains("ller.example"), "{left}");
    });
}
