//! Writers that get in each other's way, and records that others need: who wins, and what the others are told.

use std::collections::BTreeSet;
use std::time::Duration;

use entity::attribute::AttributeType;
use entity::integration::IntegrationKind;
use entity::org_unit::OrgUnitScope;
use entity::{OrgUnitId, UserId};
use roster::database::{Database, Options};
use roster::directory::csv::ImportOptions;
use roster::directory::{
    AttributeChange, Clock, Directory, Error, IntegrationChange, Merge, NewUser, OrgUnitChange, OrgUnitDraft, Subject,
    SyncMode, UserChange,
};
use roster::index::AccountBy;
use serde_json::{Value as Json, json};

use crate::support::{
    Site, account, attribute, cast, export, filter, import, integration, me, new_unit, on_both, on_each, tables, unit,
    user, violations,
};

fn named(name: &str) -> UserChange {
    UserChange { name: Some(name.into()), ..UserChange::default() }
}

#[test]
fn a_change_to_a_record_that_moved_on_is_refused_whatever_the_record() {
    on_both(async |site: &Site| {
        let cast = cast(site).await;
        let before = tables(site).await;
        let old = Some(1);
        let key = site.attribute("department").unwrap().id;
        let account = site.index().resolve(cast.jira, AccountBy::ExternalId("j1")).unwrap().account;
        let me = me();
        let refusals = [
            site.update_user(&me, cast.empty, UserChange { expected_version: old, ..named("Z") }).await,
            site.delete_user(&me, cast.empty, old).await,
            site.update_attribute(&me, key, AttributeChange { expected_version: old, ..AttributeChange::default() })
                .await,
            site.delete_attribute(&me, key, old).await,
            site.update_integration(
                &me,
                cast.jira,
                IntegrationChange { expected_version: old, ..IntegrationChange::default() },
            )
            .await,
            site.delete_integration(&me, cast.jira, old).await,
            site.link_account(&me, account, cast.empty, old).await,
            site.unlink_account(&me, account, old).await,
            site.update_org_unit(&me, cast.guests, OrgUnitChange { expected_version: old, ..OrgUnitChange::default() })
                .await,
            site.move_org_unit(&me, cast.guests, Some(cast.engineering), old).await,
            site.delete_org_unit(&me, cast.guests, old).await,
        ];
        for refusal in refusals {
            let error = refusal.unwrap_err();
            assert_eq!(error.code(), "CONFLICT");
            assert!(!error.is_retryable());
            let Error::Conflict { expected, actual, .. } = error else { panic!("{error}") };
            assert!(expected == 1 && actual > 1);
        }
        assert_eq!(tables(site).await, before);
        let version = site.find_users(&[cast.empty]).await.unwrap()[&cast.empty].row.version;
        let change = UserChange { expected_version: Some(version), ..named("Zoë") };
        site.update_user(&me, cast.empty, change).await.unwrap();
    });
}

#[test]
fn of_many_who_make_the_same_user_at_once_one_does() {
    on_each(async |site: &Site| {
        let other = site.another_process().await;
        let mut tasks = tokio::task::JoinSet::new();
        for number in 0..32 {
            let directory: Directory = if number % 2 == 0 { (*site).clone() } else { other.clone() };
            let email = match number % 4 {
                0 => "jürgen@müller.example",
                1 => "JÜRGEN@xn--mller-kva.example",
                2 => " ju\u{308}rgen@Müller.Example ",
                _ => "Jürgen@MÜLLER.example",
            };
            let new = NewUser { name: format!("Task {number}"), email: email.into(), ..NewUser::default() };
            tasks.spawn(async move { directory.create_user(&me(), new).await });
        }
        let results = tasks.join_all().await;
        let made: Vec<&UserId> = results.iter().flatten().collect();
        assert_eq!(made.len(), 1);
        for error in results.iter().filter_map(|result| result.as_ref().err()) {
            assert_eq!(error.code(), "ALREADY_EXISTS", "{error:?}");
            assert!(error.to_string().contains("Task "), "the error says whose it is: {error}");
        }
        site.refresh().await.unwrap();
        assert_eq!(site.index().user_count(), 1);
        other.database().clone().close().await.unwrap();
    });
}

#[test]
fn no_update_is_lost_where_writers_say_which_version_they_read() {
    on_each(async |site: &Site| {
        attribute(site, "Count", AttributeType::Number, &[]).await;
        let id = user(site, "Counter", "counter@corp.example", json!({ "count": 0 })).await;
        let other = site.another_process().await;
        let mut tasks = tokio::task::JoinSet::new();
        for number in 0..8 {
            let directory: Directory = if number % 2 == 0 { (*site).clone() } else { other.clone() };
            tasks.spawn(async move {
                let mut successes = 0;
                for _ in 0..10 {
                    let record = directory.find_users(&[id]).await.unwrap().remove(&id).unwrap();
                    let count = record.row.attributes["count"].as_i64().unwrap();
                    let change = UserChange {
                        expected_version: Some(record.row.version),
                        attributes: vec![("count".into(), json!(count + 1))],
                        ..UserChange::default()
                    };
                    match directory.update_user(&me(), id, change).await {
                        Ok(()) => successes += 1,
                        Err(error) => assert_eq!(error.code(), "CONFLICT", "{error:?}"),
                    }
                }
                successes
            });
        }
        let successes: i64 = tasks.join_all().await.into_iter().sum();
        let record = &site.find_users(&[id]).await.unwrap()[&id];
        assert_eq!(record.row.attributes["count"], successes);
        assert!(successes >= 10, "somebody always succeeds");
        other.database().clone().close().await.unwrap();
    });
}

#[test]
fn writers_of_all_kinds_and_readers_never_see_an_error_of_the_database() {
    on_each(async |site: &Site| {
        let cast = cast(site).await;
        let other = site.another_process().await;
        let mut tasks = tokio::task::JoinSet::new();
        for number in 0..12_u32 {
            let directory: Directory = if number % 2 == 0 { (*site).clone() } else { other.clone() };
            tasks.spawn(async move {
                let mut codes = BTreeSet::new();
                let mut note = |result: Result<(), Error>| {
                    codes.extend(result.err().map(|error| error.code()));
                };
                for round in 0..6_u32 {
                    let email = format!("u{}@corp.example", (number + round) % 5);
                    let new = NewUser { name: email.clone(), email: email.clone(), ..NewUser::default() };
                    note(directory.create_user(&me(), new).await.map(|_| ()));
                    let accounts = vec![account(&format!("x{}", round % 3), "x", &email)];
                    note(directory.sync_accounts(&me(), cast.slack, accounts, SyncMode::Delta).await.map(|_| ()));
                    note(
                        directory.create_org_unit(&me(), new_unit(&format!("U{round}"), None, None)).await.map(|_| ()),
                    );
                    directory.refresh().await.unwrap();
                    let found = directory.find_user(&email);
                    if let Ok(id) = found {
                        note(directory.update_user(&me(), id, named(&format!("{number}/{round}"))).await);
                        let manager = UserChange {
                            attributes: vec![("supervisor".into(), json!(email))],
                            ..UserChange::default()
                        };
                        note(directory.update_user(&me(), cast.formula, manager).await);
                        note(directory.delete_user(&me(), id, None).await);
                    }
                    note(directory.export_users(&Default::default()).await.map(|_| ()));
                    note(directory.list_changesets(Default::default()).await.map(|_| ()));
                }
                codes
            });
        }
        let codes: BTreeSet<&str> = tasks.join_all().await.into_iter().flatten().collect();
        let expected = BTreeSet::from(["ALREADY_EXISTS", "INVALID_INPUT", "NOT_FOUND"]);
        assert!(codes.is_subset(&expected), "{codes:?}");
        other.database().clone().close().await.unwrap();
    });
}

#[test]
fn a_writer_waits_for_a_bounded_time_and_readers_do_not_wait() {
    on_each(async |site: &Site| {
        user(site, "Ann", "ann@corp.example", json!({})).await;
        let patience = Duration::from_millis(200);
        let options = Options { patience, ..Options::to(site.url()) };
        let hasty = Directory::open(Database::open(&options).await.unwrap(), Clock::default()).await.unwrap();
        let long_write = site.database().begin_write().await.unwrap();
        let new = NewUser { name: "Bob".into(), email: "bob@corp.example".into(), ..NewUser::default() };
        let error = hasty.create_user(&me(), new.clone()).await.unwrap_err();
        assert_eq!((error.code(), error.is_retryable()), ("UNAVAILABLE", true), "{error:?}");
        assert_eq!(error.to_string(), "the database is busy or away; try again");
        assert_eq!(hasty.refresh().await.unwrap(), site.version(), "a reader does not wait");
        let ann = hasty.find_user("ann@corp.example").unwrap();
        assert_eq!(hasty.find_users(&[ann]).await.unwrap().len(), 1);
        long_write.rollback().await.unwrap();
        hasty.create_user(&me(), new).await.unwrap();
        hasty.database().clone().close().await.unwrap();
    });
}

#[test]
fn whoever_writes_waits_for_one_at_most_who_tries_something_out() {
    on_each(async |site: &Site| {
        let many = (0..400).map(|n| format!("U {n},u{n}@corp.example\n")).collect::<String>();
        import(site, &format!("Name,Email\n{many}"), ImportOptions::default()).await;
        let patience = Duration::from_millis(1_000);
        let options = Options { patience, ..Options::to(site.url()) };
        let hasty = Directory::open(Database::open(&options).await.unwrap(), Clock::default()).await.unwrap();
        let ids: Vec<UserId> = hasty.index().user_ids().collect();
        let tried = ids.chunks_exact(2).map(|two| {
            let subjects = two.iter().copied().map(Subject::User).collect();
            let merge =
                Merge { survivor: None, subjects, choices: vec![], expected_versions: vec![], is_suggested: false };
            let hasty = hasty.clone();
            tokio::spawn(async move { hasty.preview_merge(&me(), &merge).await.map(drop) })
        });
        let tried: Vec<_> = tried.collect();
        // They are at it by then.
        tokio::time::sleep(Duration::from_millis(20)).await;
        let new = NewUser { name: "Bob".into(), email: "bob@corp.example".into(), ..NewUser::default() };
        hasty.create_user(&me(), new).await.unwrap();
        let mut done = 0;
        for one in tried {
            match one.await.unwrap() {
                Ok(()) => done += 1,
                Err(Error::Unavailable(_)) => {}
                Err(error) => panic!("{error}"),
            }
        }
        assert!(done > 0, "whose turn does not come in time is refused; the others have theirs");
        hasty.database().clone().close().await.unwrap();
    });
}

/// The error's code, and by what the record is used.
fn in_use(result: Result<(), Error>) -> String {
    match result.unwrap_err() {
        Error::InUse { noun, key, by } => format!("{noun} {key}: {by}"),
        other => panic!("{other:?}"),
    }
}

#[test]
fn what_an_org_units_filter_names_cannot_go() {
    let told = on_both(async |site: &Site| {
        let cast = cast(site).await;
        let conditions: Vec<Json> = vec![
            json!({ "attribute": { "key": "level", "is": { "equals": "senior" } } }),
            json!({ "attribute": { "key": "supervisor", "is": { "reportsTo": "ann@corp.example" } } }),
            json!({ "account": { "integration": "slack" } }),
            json!({ "orgUnit": { "id": roster::value::GlobalId::to_global(cast.guests) } }),
        ];
        unit(site, "Names everything", Some(cast.engineering), Some(filter(json!({ "any": conditions })))).await;
        let before = tables(site).await;
        let id = |key: &str| site.attribute(key).unwrap().id;
        let level = AttributeChange { options: Some(vec!["Junior".into()]), ..AttributeChange::default() };
        let teams = AttributeChange { options: Some(vec!["Platform".into()]), ..AttributeChange::default() };
        let me = me();
        let told = [
            in_use(site.delete_attribute(&me, id("level"), None).await),
            in_use(site.update_attribute(&me, id("level"), level).await),
            in_use(site.update_attribute(&me, id("teams"), teams).await),
            in_use(site.delete_user(&me, cast.two_teams, None).await),
            in_use(site.delete_integration(&me, cast.slack, None).await),
            in_use(site.delete_org_unit(&me, cast.guests, None).await),
            in_use(site.delete_org_unit(&me, cast.engineering, None).await),
        ];
        assert_eq!(tables(site).await, before);
        told
    });
    let unit = "`Engineering/Names everything`";
    assert_eq!(
        told,
        [
            format!("attribute level: the filter of {unit}"),
            format!("option Senior: {unit}, 2 users"),
            "option Payments: 2 users".to_owned(),
            format!("user ann@corp.example: the filter of {unit}"),
            format!("integration Slack: the filter of {unit}"),
            format!("org unit Guests: the filter of {unit}"),
            format!("org unit Engineering: the units below it: {unit}, `Engineering/Platform`"),
        ]
    );
}

#[test]
fn what_nothing_names_goes_with_all_that_refers_to_it() {
    on_both(async |site: &Site| {
        let cast = cast(site).await;
        site.delete_user(&me(), cast.no_email, None).await.unwrap();
        site.delete_user(&me(), cast.empty, None).await.unwrap();
        let percent = &site.find_users(&[cast.percent]).await.unwrap()[&cast.percent];
        assert_eq!(percent.row.attributes.get("supervisor"), None, "a value that named the user is emptied");
        assert!(site.members(cast.guests).unwrap().is_empty(), "pins go");
        let supervisor = site.attribute("supervisor").unwrap().id;
        site.delete_attribute(&me(), supervisor, None).await.unwrap();
        let umlaut = &site.find_users(&[cast.umlaut]).await.unwrap()[&cast.umlaut];
        assert_eq!(umlaut.row.attributes.get("supervisor"), None);
        site.delete_attribute(&me(), site.attribute("level").unwrap().id, None).await.unwrap();
        site.delete_integration(&me(), cast.github, None).await.unwrap();
        assert!(site.find_user("dee@home.example").is_err());
    });
}

#[test]
fn a_user_whom_a_required_value_names_cannot_go() {
    on_both(async |site: &Site| {
        attribute(site, "Buddy", AttributeType::User, &[]).await;
        let ann = user(site, "Ann", "ann@corp.example", json!({})).await;
        let bob = user(site, "Bob", "bob@corp.example", json!({ "buddy": "ann@corp.example" })).await;
        site.update_user(
            &me(),
            ann,
            UserChange { attributes: vec![("buddy".into(), json!(null))], ..UserChange::default() },
        )
        .await
        .unwrap();
        let buddy = site.attribute("buddy").unwrap().id;
        let required = AttributeChange { is_required: Some(true), ..AttributeChange::default() };
        let error = site.update_attribute(&me(), buddy, required.clone()).await.unwrap_err();
        assert_eq!(violations(&error), ["isRequired: VALUES_MISSING"]);
        let cy = user(site, "Cy", "cy@corp.example", json!({})).await;
        for id in [ann, cy] {
            let change = UserChange { attributes: vec![("buddy".into(), json!("x"))], ..UserChange::default() };
            let error = site.update_user(&me(), id, change).await.unwrap_err();
            assert_eq!(violations(&error), ["attributes[0].value: UNKNOWN_USER"]);
        }
        site.delete_user(&me(), cy, None).await.unwrap();
        // Ann cannot be her own buddy, so a first user without one is what keeps it from being required.
        let change =
            UserChange { attributes: vec![("buddy".into(), json!("ann@corp.example"))], ..UserChange::default() };
        let error = site.update_user(&me(), ann, change).await.unwrap_err();
        assert_eq!(violations(&error), ["attributes: CYCLE"]);
        site.delete_user(&me(), ann, None).await.unwrap();
        let record = &site.find_users(&[bob]).await.unwrap()[&bob];
        assert_eq!(record.row.attributes, json!({}));
    });
}

/// What a unit's place would be refused for.
fn refused(result: Result<(), Error>) -> String {
    violations(&result.unwrap_err()).join(", ")
}

#[test]
fn an_org_unit_cannot_come_to_stand_below_itself_or_depend_on_itself() {
    on_both(async |site: &Site| {
        let member_of = |unit: OrgUnitId, descendants: bool| {
            let id = roster::value::GlobalId::to_global(unit);
            filter(json!({ "orgUnit": { "id": id, "descendants": descendants } }))
        };
        let top = unit(site, "Top", None, None).await;
        let middle = unit(site, "Middle", Some(top), Some(filter(json!({ "all": [] })))).await;
        let low = unit(site, "Low", Some(middle), Some(filter(json!({ "all": [] })))).await;
        let me = me();
        let before = tables(site).await;
        let change = |filter| OrgUnitChange { filter: Some(Some(filter)), ..OrgUnitChange::default() };
        for to in [top, middle, low] {
            assert_eq!(refused(site.move_org_unit(&me, top, Some(to), None).await), "parentId: CYCLE");
        }
        assert_eq!(refused(site.update_org_unit(&me, top, change(member_of(top, false))).await), "filter: CYCLE");
        assert_eq!(refused(site.update_org_unit(&me, top, change(member_of(top, true))).await), "filter: CYCLE");
        let among_parents = OrgUnitChange { scope: Some(OrgUnitScope::Parent), ..OrgUnitChange::default() };
        assert_eq!(refused(site.update_org_unit(&me, top, among_parents.clone()).await), "scope: NO_PARENT");
        assert_eq!(tables(site).await, before);

        // Low selects among Middle, which selects among Top; so Top must not ask about either.
        site.update_org_unit(&me, low, among_parents.clone()).await.unwrap();
        site.update_org_unit(&me, middle, among_parents).await.unwrap();
        let before = tables(site).await;
        for unit in [middle, low] {
            assert_eq!(refused(site.update_org_unit(&me, top, change(member_of(unit, false))).await), "filter: CYCLE");
        }
        let draft =
            OrgUnitDraft { id: Some(top), filter: Some(Some(member_of(low, false))), ..OrgUnitDraft::default() };
        assert_eq!(refused(site.preview_org_unit(draft).map(|_| ())), "filter: CYCLE");
        assert_eq!(refused(site.move_org_unit(&me, low, None, None).await), "scope: NO_PARENT");
        assert_eq!(tables(site).await, before);

        // A unit elsewhere may ask about all below Top; then nothing below Top may ask about it, nor may it go there.
        let aside = unit(site, "Aside", None, Some(member_of(top, true))).await;
        assert_eq!(refused(site.move_org_unit(&me, aside, Some(top), None).await), "filter: CYCLE");
        let not = filter(json!({ "not": { "orgUnit": { "id": roster::value::GlobalId::to_global(aside) } } }));
        assert_eq!(refused(site.update_org_unit(&me, middle, change(not)).await), "filter: CYCLE");
        // Low selects among Aside once it stands there, and no longer counts as one of those below Top.
        site.move_org_unit(&me, low, Some(aside), None).await.unwrap();
    });
}

#[test]
fn siblings_have_different_names_in_any_case_and_roots_are_siblings() {
    on_both(async |site: &Site| {
        let top = unit(site, "Straße", None, None).await;
        let below = unit(site, "Straße", Some(top), None).await;
        for (name, parent) in [("STRASSE", None), (" strasse ", Some(top))] {
            let error = site.create_org_unit(&me(), new_unit(name, parent, None)).await.unwrap_err();
            assert_eq!(error.code(), "ALREADY_EXISTS", "{error}");
        }
        let error = site.move_org_unit(&me(), below, None, None).await.unwrap_err();
        assert_eq!(error.code(), "ALREADY_EXISTS", "{error}");
        unit(site, "Strasse", Some(below), None).await;
    });
}

#[test]
fn headings_of_attributes_and_names_of_integrations_share_one_space() {
    on_both(async |site: &Site| {
        attribute(site, "Cost centre", AttributeType::Text, &[]).await;
        integration(site, IntegrationKind::Jira, "Jira").await;
        for title in ["ID", "name", "COST CENTRE", "cost_centre", "jira", "Integration"] {
            let new = roster::directory::NewIntegration { kind: IntegrationKind::Other, name: title.into() };
            let error = site.create_integration(&me(), new).await.unwrap_err();
            assert_eq!(error.code(), "ALREADY_EXISTS", "{title}: {error}");
        }
    });
}

#[test]
fn lists_longer_than_they_can_usefully_be_are_refused_before_they_are_looked_at() {
    on_both(async |site: &Site| {
        let id = user(site, "Ann", "ann@corp.example", json!({})).await;
        let values = UserChange {
            attributes: (0..201).map(|n| (format!("unknown {n}"), Json::Null)).collect(),
            ..UserChange::default()
        };
        assert_eq!(site.update_user(&me(), id, values).await.unwrap_err().code(), "LIMIT_EXCEEDED");
        let emails = UserChange {
            further_emails: Some((0..101).map(|n| format!("u{n}@corp.example")).collect()),
            ..UserChange::default()
        };
        assert_eq!(site.update_user(&me(), id, emails).await.unwrap_err().code(), "LIMIT_EXCEEDED");
    });
}

/// The users whose emails begin with `prefix`, without their ids and that prefix.
async fn users_of(site: &Site, prefix: &str) -> BTreeSet<String> {
    let text = export(site).await;
    let rows = text.lines().skip(1).filter(|row| row.contains(&format!(",{prefix}-")));
    rows.map(|row| row.split_once(',').unwrap().1.replace(&format!("{prefix}-"), "")).collect()
}

#[test]
fn two_imports_at_once_end_as_one_after_the_other() {
    import_two_at_once(10);
}

/// Imports two files at once, as often as it is asked to.
pub(crate) fn import_two_at_once(rounds: usize) {
    on_each(async |site: &Site| {
        attribute(site, "Department", AttributeType::Text, &[]).await;
        attribute(site, "Level", AttributeType::Text, &[]).await;
        integration(site, IntegrationKind::GitHub, "GitHub").await;
        let other = site.another_process().await;
        // Half of the users are in both files, which give the same accounts to others.
        let one = |prefix: &str| {
            let row = |n: usize| format!("One {n},{prefix}-u{n}@corp.example,Data,{prefix}-a{n}\n");
            format!("Name,Email,Department,GitHub\n{}", (0..20).map(row).collect::<String>())
        };
        let two = |prefix: &str| {
            let row = |n: usize| format!("Two {n},{prefix}-u{n}@corp.example,Senior,{prefix}-a{}\n", n - 10);
            format!("Name,Email,Level,GitHub\n{}", (10..30).map(row).collect::<String>())
        };
        for file in [one("first"), two("first"), two("second"), one("second")] {
            assert!(import(site, file, ImportOptions::default()).await.applied);
        }
        let orders = [users_of(site, "first").await, users_of(site, "second").await];
        assert_ne!(orders[0], orders[1]);
        for round in 0..rounds {
            let prefix = format!("r{round}");
            let (one, two) = (one(&prefix), two(&prefix));
            let both = tokio::join!(
                import(site, one, ImportOptions::default()),
                import(&other, two, ImportOptions::default()),
            );
            assert!(both.0.applied && both.1.applied, "{both:?}");
            site.refresh().await.unwrap();
            assert!(orders.contains(&users_of(site, &prefix).await), "one after the other");
            assert_eq!(both.0.created + both.1.created, 30, "each user is made once");
        }
        other.database().clone().close().await.unwrap();
    });
}
