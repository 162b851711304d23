//! Managers: a USER attribute makes a tree of users, and no path lets anybody come to report to themselves.

use entity::attribute::AttributeType;
use entity::integration::IntegrationKind;
use entity::user;
use roster::directory::csv::{ImportMode, ImportOptions};
use roster::directory::{
    ApplyOptions, Directory, Error, NewAttribute, NewUser, SyncMode, UndoOptions, UndoReport, UserChange,
};
use sea_orm::{ActiveModelTrait, EntityTrait, IntoActiveModel, Set};
use serde_json::{Value as Json, json};

use crate::draft::draft;
use crate::support::{
    Server, Site, account, attribute, import, integration, me, on_both, on_each, problems, user, violations,
};

/// Four users, of whom each reports to the one before: Ann, Bob, Cy and Di.
async fn chain(site: &Site) {
    attribute(site, "Boss", AttributeType::User, &[]).await;
    user(site, "Ann", "ann@corp.example", json!({})).await;
    for (name, boss) in [("bob", "ann"), ("cy", "bob"), ("di", "cy")] {
        user(site, name, &email(name), json!({ "boss": email(boss) })).await;
    }
}

fn email(name: &str) -> String {
    format!("{name}@corp.example")
}

/// Says who is the boss of a user.
async fn set(directory: &Directory, name: &str, boss: Json) -> Result<(), Error> {
    let id = directory.find_user(&email(name)).unwrap();
    let change = UserChange { attributes: vec![("boss".into(), boss)], ..UserChange::default() };
    directory.update_user(&me(), id, change).await
}

/// The users above one, the nearest first.
fn above(directory: &Directory, name: &str) -> Vec<String> {
    let index = directory.index();
    let managers = index.managers_of("boss", index.find_user(&email(name)).unwrap());
    managers.into_iter().map(|id| index.email_of(id).unwrap().to_owned()).collect()
}

fn message(error: &Error) -> &str {
    match error {
        Error::Invalid(violations) => &violations[0].message,
        other => panic!("{other} has no violations"),
    }
}

async fn undo(directory: &Directory, number: i64, skip_blocked: bool) -> UndoReport {
    let options = UndoOptions { number, skip_blocked, ..UndoOptions::default() };
    directory.undo_changeset(&me(), options).await.unwrap()
}

#[test]
fn a_change_that_closes_a_circle_is_refused_with_the_circle_and_the_mend() {
    on_both(async |site: &Site| {
        chain(site).await;
        let version = site.version();
        let error = set(site, "ann", json!(email("ann"))).await.unwrap_err();
        assert_eq!(violations(&error), ["attributes: CYCLE"]);
        let alone = "by `boss`, ann@corp.example would report to itself; name somebody else, or nobody";
        assert_eq!(message(&error), alone);
        let error = set(site, "ann", json!(email("di"))).await.unwrap_err();
        assert_eq!(
            message(&error),
            "by `boss`, each of these would report to the next, in a circle: ann@corp.example, di@corp.example, \
             cy@corp.example, bob@corp.example, ann@corp.example; let one of them report to somebody else, or to nobody"
        );
        assert_eq!(site.version(), version);
        // Whom nobody below names may take any place.
        set(site, "cy", json!(email("ann"))).await.unwrap();
        set(site, "bob", json!(email("di"))).await.unwrap();
        assert_eq!(above(site, "bob"), ["di", "cy", "ann"].map(email));
    });
}

#[test]
fn a_user_who_is_made_is_in_no_circle() {
    on_both(async |site: &Site| {
        chain(site).await;
        let github = integration(site, IntegrationKind::GitHub, "GitHub").await;
        let accounts = vec![account("g1", "eve", "eve@home.example")];
        site.sync_accounts(&me(), github, accounts, SyncMode::Delta).await.unwrap();
        let new = |email: &str, further: &[&str], boss: &str| NewUser {
            name: "Eve".into(),
            email: email.into(),
            further_emails: further.iter().map(|email| (*email).to_owned()).collect(),
            attributes: vec![("boss".into(), json!(boss))],
        };
        let own = site.create_user(&me(), new("eve@corp.example", &[], "eve@corp.example")).await.unwrap_err();
        assert_eq!(violations(&own), ["attributes[0].value: UNKNOWN_USER"]);
        // The automatic user whose email it takes would be both its boss and itself.
        let taken = new("eve@corp.example", &["eve@home.example"], "eve@home.example");
        assert_eq!(site.create_user(&me(), taken).await.unwrap_err().code(), "ALREADY_EXISTS");
        let id = site.find_user("ann@corp.example").unwrap();
        let change = UserChange {
            further_emails: Some(vec!["eve@home.example".into()]),
            attributes: vec![("boss".into(), json!("eve@home.example"))],
            ..UserChange::default()
        };
        assert_eq!(site.update_user(&me(), id, change).await.unwrap_err().code(), "ALREADY_EXISTS");
        // Without that, the automatic user becomes part of Ann, and an account that comes later changes nothing.
        let change = UserChange { further_emails: Some(vec!["eve@home.example".into()]), ..UserChange::default() };
        site.update_user(&me(), id, change).await.unwrap();
        let accounts = vec![account("g2", "ann", "ann@corp.example"), account("g1", "eve", "eve@home.example")];
        site.sync_accounts(&me(), github, accounts, SyncMode::Full).await.unwrap();
        let error = set(site, "ann", json!("eve@home.example")).await.unwrap_err();
        assert_eq!(violations(&error), ["attributes: CYCLE"]);
        assert_eq!(above(site, "di"), ["cy", "bob", "ann"].map(email));
    });
}

#[test]
fn of_two_changes_at_once_that_would_close_a_circle_one_is_refused() {
    on_each(async |site: &Site| {
        attribute(site, "Boss", AttributeType::User, &[]).await;
        for round in 0..4 {
            let (one, other) = (format!("one{round}"), format!("other{round}"));
            for name in [&one, &other] {
                user(site, name, &email(name), json!({})).await;
            }
            let there = site.another_process().await;
            let (here, there) =
                tokio::join!(set(site, &one, json!(email(&other))), set(&there, &other, json!(email(&one))));
            let refused: Vec<Error> = [here, there].into_iter().filter_map(Result::err).collect();
            assert_eq!(refused.iter().map(violations).collect::<Vec<_>>(), [["attributes: CYCLE"]]);
        }
    });
}

#[test]
fn no_file_closes_a_circle() {
    on_both(async |site: &Site| {
        chain(site).await;
        let valid_rows = ImportOptions { valid_rows: true, ..ImportOptions::default() };
        // Cy's row frees Cy from Bob, and cannot be imported: so Bob cannot report to Cy.
        let freed = "Name,Email,Boss\nBob,bob@corp.example,cy@corp.example\n,cy@corp.example,\nEd,ed@corp.example,\n";
        let report = import(site, freed, valid_rows.clone()).await;
        assert_eq!(problems(&report.errors), ["line 2, Boss: CYCLE", "line 3, Name: REQUIRED ``"]);
        assert_eq!((report.applied, report.created, report.updated), (true, 1, 0));
        // The same by a draft.
        let drafted = draft(site, freed, ImportOptions::default()).await;
        let options = ApplyOptions { valid_rows: true, confirm_removals: None };
        site.apply_draft(&me(), drafted.row.id, options).await.unwrap();
        assert_eq!(above(site, "cy"), ["bob", "ann"].map(email));

        // New users, themselves, and those whom REPLACE leaves.
        let new = "Name,Email,Boss\nFay,fay@corp.example,gus@corp.example\nGus,gus@corp.example,fay@corp.example\n";
        let report = import(site, new, ImportOptions::default()).await;
        assert_eq!(problems(&report.errors), ["line 2, Boss: CYCLE", "line 3, Boss: CYCLE"]);
        assert!(report.errors.listed[0].message.contains("the user of line 2, the user of line 3, the user of line 2"));
        let replace =
            ImportOptions { mode: ImportMode::Replace, confirm_removals: Some(3), ..ImportOptions::default() };
        let left = "Name,Email,Boss\nAnn,ann@corp.example,cy@corp.example\nCy,cy@corp.example,ann@corp.example\n";
        let report = import(site, left, replace).await;
        assert_eq!(problems(&report.errors), ["line 2, Boss: CYCLE", "line 3, Boss: CYCLE"]);

        // By an attribute that the file makes.
        let mentor = NewAttribute {
            title: "Mentor".into(),
            key: None,
            r#type: AttributeType::User,
            description: String::new(),
            options: Vec::new(),
            is_required: false,
            is_unique: false,
            readable_by: None,
            position: None,
        };
        let options = ImportOptions { new_attributes: vec![("Mentor".into(), mentor)], ..ImportOptions::default() };
        let mentors =
            "Name,Email,Mentor\nAnn,ann@corp.example,bob@corp.example\nBob,bob@corp.example,ann@corp.example\n";
        let report = import(site, mentors, options).await;
        assert_eq!(problems(&report.errors), ["line 2, Mentor: CYCLE", "line 3, Mentor: CYCLE"]);
    });
}

#[test]
fn a_draft_that_the_directory_has_moved_into_a_circle_is_not_applied() {
    on_both(async |site: &Site| {
        attribute(site, "Boss", AttributeType::User, &[]).await;
        for name in ["ann", "bob"] {
            user(site, name, &email(name), json!({})).await;
        }
        let drafted =
            draft(site, "Name,Email,Boss\nann,ann@corp.example,bob@corp.example\n", ImportOptions::default()).await;
        set(site, "bob", json!(email("ann"))).await.unwrap();
        let error = site.apply_draft(&me(), drafted.row.id, ApplyOptions::default()).await.unwrap_err();
        assert_eq!(error.code(), "CONFLICT");
        assert_eq!(above(site, "bob"), [email("ann")]);
    });
}

#[test]
fn no_undo_closes_a_circle() {
    on_both(async |site: &Site| {
        chain(site).await;
        // Three users are let go at once; then the order is turned round.
        let free = "Name,Email,Boss\nBob,bob@corp.example,\nCy,cy@corp.example,\nDi,di@corp.example,\n";
        assert!(import(site, free, ImportOptions::default()).await.applied);
        let freed = site.version();
        set(site, "ann", json!(email("cy"))).await.unwrap();
        let report = undo(site, freed, false).await;
        let blocked: Vec<(&str, &str)> =
            report.blocked.iter().map(|blocked| (blocked.label.as_str(), blocked.code)).collect();
        assert_eq!(blocked, [("bob@corp.example", "CYCLE"), ("cy@corp.example", "CYCLE")]);
        assert!(report.blocked[0].message.contains("ann@corp.example, cy@corp.example, bob@corp.example, ann@"));
        // What is not in the circle goes back.
        assert_eq!(undo(site, freed, true).await.undone, 1);
        assert_eq!(above(site, "di"), ["cy"].map(email));
        set(site, "di", json!(null)).await.unwrap();

        // An attribute of another type whose values are the ids of users, and a USER attribute of the same key.
        let id = |name: &str| site.find_user(&email(name)).unwrap().0.simple().to_string();
        let deleted = site.attribute("boss").unwrap().id;
        site.delete_attribute(&me(), deleted, None).await.unwrap();
        let text = attribute(site, "Boss", AttributeType::Text, &[]).await;
        set(site, "ann", json!(id("bob"))).await.unwrap();
        set(site, "bob", json!(id("ann"))).await.unwrap();
        let mut emptied = Vec::new();
        for name in ["ann", "bob"] {
            set(site, name, json!(null)).await.unwrap();
            emptied.push(site.version());
        }
        site.delete_attribute(&me(), text, None).await.unwrap();
        attribute(site, "Boss", AttributeType::User, &[]).await;
        assert!(undo(site, emptied[0], false).await.applied);
        let report = undo(site, emptied[1], false).await;
        assert_eq!(report.blocked.iter().map(|blocked| blocked.code).collect::<Vec<_>>(), ["CYCLE"]);
        assert_eq!(above(site, "ann"), [email("bob")]);
    });
}

#[test]
fn a_circle_that_stands_in_the_tables_is_walked_once_round() {
    on_each(async |site: &Site| {
        chain(site).await;
        let ann = site.find_user(&email("ann")).unwrap();
        let di = site.find_user(&email("di")).unwrap();
        let connection = sea_orm::Database::connect(site.url()).await.unwrap();
        let put = async |attributes: Json| {
            let row = user::Entity::find_by_id(ann).one(&connection).await.unwrap().unwrap();
            let mut row = row.into_active_model();
            row.attributes = Set(attributes);
            row.update(&connection).await.unwrap();
        };
        put(json!({ "boss": di.0.simple().to_string() })).await;
        let there = site.another_process().await;
        assert_eq!(above(&there, "ann"), ["di", "cy", "bob"].map(email));
        let query = "{ user(email: \"ann@corp.example\") { managers { totalCount } directReports { totalCount }
            reports { totalCount } manager { manager { manager { manager { email } } } } } }";
        let reply = Server::new(&there).execute(query, json!({}), None).await.json();
        assert_eq!(
            reply["data"]["user"],
            json!({
                "managers": { "totalCount": 3 },
                "directReports": { "totalCount": 1 },
                "reports": { "totalCount": 4 },
                "manager": { "manager": { "manager": { "manager": { "email": "ann@corp.example" } } } },
            }),
            "{reply:#}"
        );
        put(json!({})).await;
        connection.close().await.unwrap();
    });
}
