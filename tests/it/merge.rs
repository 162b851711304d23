//! Users made into one and split again: what moves, what is refused, and that old ids and undo find the way back.

use std::collections::BTreeSet;

use entity::attribute::AttributeType;
use entity::integration::IntegrationKind;
use entity::integration_account::AssociationRule;
use entity::{IntegrationAccountId, IntegrationId, OrgUnitId, UserId};
use proptest::prelude::*;
use proptest::test_runner::{Config, TestRunner};
use roster::directory::csv::ImportOptions;
use roster::directory::{
    Directory, Error, Merge, MergeChoice, MergePart, NewAttribute, NewOrgUnit, OrgUnitChange, Split, Subject, SyncMode,
    SyncedAccount, UndoOptions, UserChange,
};
use roster::index::AccountBy;
use roster::record::UserRecord;
use roster::value::GlobalId;
use serde_json::{Value as Json, json};

use crate::support::{
    Server, Site, account, attribute, export, filter, import, integration, me, new_unit, on_both, on_sqlite, problems,
    records, tables, unit, user, user_of, violations,
};

/// Ann, who is in the directory three times, and those around her.
struct World {
    /// The record that stays.
    ann: UserId,
    /// Whom HR knows by another email.
    double: UserId,
    /// Made from an account.
    detected: UserId,
    bob: UserId,
    cal: UserId,
    jira: IntegrationId,
    github: IntegrationId,
    reports: OrgUnitId,
    pinned: OrgUnitId,
    excluded: OrgUnitId,
}

async fn world(site: &Site) -> World {
    attribute(site, "Department", AttributeType::Text, &[]).await;
    attribute(site, "Teams", AttributeType::MultiSelect, &["Data", "Ops", "Web"]).await;
    attribute(site, "Supervisor", AttributeType::User, &[]).await;
    let number = NewAttribute {
        title: "Number".into(),
        key: None,
        r#type: AttributeType::Text,
        description: String::new(),
        options: Vec::new(),
        is_required: false,
        is_unique: true,
        readable_by: None,
        position: None,
    };
    site.create_attribute(&me(), number).await.unwrap();
    let jira = integration(site, IntegrationKind::Jira, "Jira").await;
    let github = integration(site, IntegrationKind::GitHub, "GitHub").await;
    let cal = user(site, "Cal", "cal@corp.example", json!({})).await;
    let ann = user(site, "Ann", "ann@corp.example", json!({ "department": "R&D", "teams": ["Web"] })).await;
    let values = json!({ "department": "Sales", "teams": ["Data"], "supervisor": "cal@corp.example", "number": "7" });
    let double = user(site, "Ann B.", "ann.b@corp.example", values).await;
    let bob = user(site, "Bob", "bob@corp.example", json!({ "supervisor": "ann.b@corp.example" })).await;
    sync(site, jira, vec![account("j1", "ann", "ann@corp.example"), account("j2", "annb", "ann.b@corp.example")]).await;
    sync(site, github, vec![account("g1", "octo", "ann@home.example"), account("g2", "nn", "")]).await;
    let manual = found(site, github, "g2");
    site.link_account(&me(), manual, double, None).await.unwrap();
    let detected = site.find_user("ann@home.example").unwrap();
    let by_double = json!({ "attribute": { "key": "supervisor", "is": { "reportsTo": "ann.b@corp.example" } } });
    let reports = unit(site, "Reports", None, Some(filter(by_double))).await;
    let pinned = pins(site, "Pinned", [double], []).await;
    let excluded = pins(site, "Excluded", [cal], [detected]).await;
    World { ann, double, detected, bob, cal, jira, github, reports, pinned, excluded }
}

async fn pins<const P: usize, const E: usize>(
    site: &Site,
    name: &str,
    pinned: [UserId; P],
    excluded: [UserId; E],
) -> OrgUnitId {
    let new = NewOrgUnit { pinned: pinned.into(), excluded: excluded.into(), ..new_unit(name, None, None) };
    site.create_org_unit(&me(), new).await.unwrap()
}

async fn sync(directory: &Directory, integration: IntegrationId, accounts: Vec<SyncedAccount>) {
    directory.sync_accounts(&me(), integration, accounts, SyncMode::Delta).await.unwrap();
}

fn found(directory: &Directory, integration: IntegrationId, id: &str) -> IntegrationAccountId {
    directory.index().resolve(integration, AccountBy::ExternalId(id)).unwrap().account
}

pub(crate) fn merge(survivor: UserId, ids: &[UserId]) -> Merge {
    Merge {
        survivor: Some(survivor),
        subjects: ids.iter().copied().map(Subject::User).collect(),
        choices: Vec::new(),
        expected_versions: Vec::new(),
        is_suggested: false,
    }
}

pub(crate) fn give_back(user: UserId, merged: UserId) -> Split {
    Split { merged_id: Some(merged), ..take(user) }
}

pub(crate) fn take(user: UserId) -> Split {
    Split {
        user,
        expected_version: None,
        merged_id: None,
        accounts: Vec::new(),
        emails: Vec::new(),
        name: None,
        email: None,
        moved: Vec::new(),
        copied: Vec::new(),
        attributes: Vec::new(),
    }
}

async fn record(directory: &Directory, id: UserId) -> UserRecord {
    directory.find_users(&[id]).await.unwrap().remove(&id).unwrap()
}

/// Every row of the tables of records, but for when it was changed, and the version of the directory.
async fn state(directory: &Directory) -> Vec<(&'static str, Json)> {
    let mut rows = records(directory).await;
    for (_, row) in &mut rows {
        for stamp in ["version", "updated_at"] {
            row.as_object_mut().unwrap().remove(stamp);
        }
    }
    rows
}

#[test]
fn merged_users_are_one_with_all_that_they_had() {
    on_both(async |site: &Site| {
        let World { ann, double, detected, bob, cal, jira, github, reports, pinned, excluded } = world(site).await;
        let before = state(site).await;
        let version = site.version();
        let merged = site.merge_users(&me(), &merge(ann, &[double, detected])).await.unwrap();
        assert_eq!((merged.survivor, merged.version, merged.changeset), (ann, version + 1, Some(version + 1)));

        let survivor = record(site, ann).await;
        assert_eq!(survivor.row.name, "Ann");
        assert_eq!(
            survivor.emails().collect::<Vec<_>>(),
            ["ann@corp.example", "ann.b@corp.example", "ann@home.example"]
        );
        assert_eq!(survivor.merged_ids, BTreeSet::from([double, detected]));
        assert_eq!(
            survivor.row.attributes,
            json!({ "department": "R&D", "teams": ["Data", "Web"], "supervisor": cal.0.simple().to_string(), "number": "7" }),
            "its own value, options together, and what it lacked"
        );
        for (integration, id) in [(jira, "j1"), (jira, "j2"), (github, "g1"), (github, "g2")] {
            assert_eq!(user_of(site, integration, id).await, "ann@corp.example");
        }
        let rules: Vec<AssociationRule> = {
            let ids = [found(site, jira, "j2"), found(site, github, "g1"), found(site, github, "g2")];
            let accounts = site.find_accounts(&ids).await.unwrap();
            ids.iter().map(|id| accounts[id].rule).collect()
        };
        assert_eq!(rules, [AssociationRule::Email, AssociationRule::Detected, AssociationRule::Manual]);
        assert_eq!(site.index().refers_to("supervisor", bob), Some(ann));
        assert_eq!(
            site.members(reports).unwrap(),
            site.select(Some(&filter(json!({ "email": { "equals": "bob@corp.example" } })))).unwrap()
        );
        {
            let index = site.index();
            assert_eq!(index.org_unit(pinned).unwrap().pinned, BTreeSet::from([ann]));
            assert_eq!(index.org_unit(excluded).unwrap().excluded, BTreeSet::from([ann]));
            let stored = index.org_unit(reports).unwrap().row.filter.clone().unwrap();
            assert_eq!(stored["filter"]["attribute"]["is"], json!({ "reportsTo": ann.to_global() }), "{stored}");
        }

        // The tools report the same again, and nothing changes.
        let version = site.version();
        sync(site, jira, vec![account("j1", "ann", "ann@corp.example"), account("j2", "annb", "ann.b@corp.example")])
            .await;
        sync(site, github, vec![account("g1", "octo", "ann@home.example"), account("g2", "nn", "")]).await;
        let again = site.merge_users(&me(), &merge(ann, &[double, detected])).await.unwrap();
        assert_eq!((site.version(), again.changeset), (version, None), "the same merge again does nothing");

        let options = UndoOptions { number: version, ..UndoOptions::default() };
        let undone = site.undo_changeset(&me(), options).await.unwrap();
        assert!(undone.applied, "{:?}", undone.blocked);
        assert_eq!(state(site).await, before, "undone as one");
        let options = UndoOptions { number: undone.version, ..UndoOptions::default() };
        let redone = site.undo_changeset(&me(), options).await.unwrap();
        assert!(redone.applied, "{:?}", redone.blocked);
        assert_eq!(record(site, ann).await.merged_ids, BTreeSet::from([double, detected]));
        let merged = state(site).await;
        let given = site.split_user(&me(), &give_back(ann, detected)).await.unwrap();
        assert_eq!(given.new_user, detected, "also of a merge that was undone and done again");
        let options = UndoOptions { number: given.version, ..UndoOptions::default() };
        let undone = site.undo_changeset(&me(), options).await.unwrap();
        assert!(undone.applied, "{:?}", undone.blocked);
        assert_eq!(state(site).await, merged, "a split is undone as one, too");
    });
}

#[test]
fn whose_part_is_kept_can_be_chosen() {
    on_both(async |site: &Site| {
        let World { ann, double, detected, pinned, .. } = world(site).await;
        let change = OrgUnitChange { excluded: Some(BTreeSet::from([ann])), ..OrgUnitChange::default() };
        site.update_org_unit(&me(), pinned, change).await.unwrap();
        let refused = site.merge_users(&me(), &merge(ann, &[double])).await.unwrap_err();
        assert_eq!(violations(&refused), ["choices: CONTRADICTION"]);
        let choice = |part, from| MergeChoice { part, from };
        let choices = vec![
            choice(MergePart::Name, double),
            choice(MergePart::Email, detected),
            choice(MergePart::Attribute("Teams".into()), double),
            choice(MergePart::Attribute("department".into()), detected),
            choice(MergePart::OrgUnit(pinned), ann),
        ];
        let wanted = Merge { choices, ..merge(ann, &[ann, double, detected, double]) };
        site.merge_users(&me(), &wanted).await.unwrap();
        let survivor = record(site, ann).await;
        assert_eq!((survivor.row.name.as_str(), survivor.row.email.as_str()), ("Ann B.", "ann@home.example"));
        assert_eq!(survivor.row.attributes["teams"], json!(["Data"]));
        assert_eq!(survivor.row.attributes.get("department"), None, "whoever was chosen has none");
        let unit = site.index().org_unit(pinned).unwrap().clone();
        assert_eq!((unit.pinned.len(), unit.excluded.clone()), (0, BTreeSet::from([ann])));
    });
}

#[test]
fn what_cannot_be_merged_is_refused_with_the_place_and_the_mend() {
    on_both(async |site: &Site| {
        let World { ann, double, detected, bob, cal, .. } = world(site).await;
        let before = tables(site).await;
        let refused = async |merge: Merge| site.merge_users(&me(), &merge).await.unwrap_err();
        assert_eq!(violations(&refused(merge(ann, &[])).await), ["ids: REQUIRED"]);
        assert_eq!(violations(&refused(merge(ann, &[ann, ann])).await), ["ids: REQUIRED"]);
        let nobody = UserId(uuid::Uuid::from_u128(7));
        assert!(matches!(refused(merge(ann, &[nobody])).await, Error::NotFound { .. }));
        assert!(matches!(refused(merge(nobody, &[ann])).await, Error::NotFound { .. }));
        assert!(matches!(refused(merge(ann, &[double; 101])).await, Error::LimitExceeded { .. }));
        let stale = Merge { expected_versions: vec![(double, 1)], ..merge(ann, &[double]) };
        assert!(matches!(refused(stale).await, Error::Conflict { .. }));
        let choice = |part| MergeChoice { part, from: cal };
        let choices = vec![
            choice(MergePart::Name),
            MergeChoice { part: MergePart::Attribute("departmnt".into()), from: ann },
            MergeChoice { part: MergePart::Attribute("email".into()), from: ann },
            MergeChoice { part: MergePart::Email, from: ann },
            MergeChoice { part: MergePart::Email, from: double },
        ];
        let wrong = refused(Merge { choices, ..merge(ann, &[double]) }).await;
        assert_eq!(
            violations(&wrong),
            [
                "choices[0].from: UNKNOWN_USER",
                "choices[1].attribute: UNKNOWN_ATTRIBUTE",
                "choices[2].attribute: BUILT_IN_ATTRIBUTE",
                "choices[4]: DUPLICATE"
            ]
        );
        // Bob reports to the double, who reports to Cal: were Bob and Cal one, that one would report to itself.
        let circle = refused(merge(bob, &[cal])).await;
        assert_eq!(violations(&circle), ["choices: CYCLE"], "{circle}");
        let change = UserChange { attributes: vec![("supervisor".into(), Json::Null)], ..UserChange::default() };
        assert_eq!(tables(site).await, before, "nothing is half done");
        site.update_user(&me(), double, change).await.unwrap();
        site.lock_user(&me(), detected, true, None).await.unwrap();
        site.lock_user(&me(), cal, true, None).await.unwrap();
        let locked = refused(merge(cal, &[ann, detected])).await;
        assert_eq!(
            violations(&locked),
            ["survivorId: LOCKED", "ids[1]: LOCKED", "choices: CONTRADICTION"],
            "all at once"
        );
    });
}

#[test]
fn a_choice_opens_a_circle_of_managers() {
    on_both(async |site: &Site| {
        let World { bob, cal, .. } = world(site).await;
        let choices = vec![MergeChoice { part: MergePart::Attribute("supervisor".into()), from: cal }];
        site.merge_users(&me(), &Merge { choices, ..merge(bob, &[cal]) }).await.unwrap();
        assert_eq!(site.index().refers_to("supervisor", bob), None);
    });
}

#[test]
fn an_old_id_stands_for_the_survivor_wherever_an_id_is_asked_for() {
    on_both(async |site: &Site| {
        let World { ann, double, detected, bob, cal, github, pinned, .. } = world(site).await;
        let before = site.version();
        site.merge_users(&me(), &merge(double, &[detected])).await.unwrap();
        site.merge_users(&me(), &merge(ann, &[detected])).await.unwrap();
        assert_eq!(record(site, ann).await.merged_ids, BTreeSet::from([double, detected]), "through others, too");
        let server = Server::new(site);
        let ask = async |document: &str, variables: Json| {
            let reply = server.execute(document, variables, None).await.json();
            assert!(reply["errors"].is_null(), "{reply}");
            reply["data"].clone()
        };
        let (old, new) = (detected.to_global(), ann.to_global());
        let read = "query($id: ID!, $then: Int!, $filter: UserFilter) {
            node(id: $id) { id } user(id: $id) { id mergedIds history { totalCount edges { node { changeset { kind } } } }
                old: history(mergedId: $id) { edges { node { kind: changeset { kind } } } } }
            then: user(id: $id, asOf: { version: $then }) { id email history { totalCount } }
            users(filter: $filter) { edges { node { email } } }
        }";
        let by_old = json!({ "attribute": { "key": "supervisor", "is": { "equals": double.to_global() } } });
        let answer = ask(read, json!({ "id": old, "then": before, "filter": by_old })).await;
        assert_eq!((&answer["node"]["id"], &answer["user"]["id"]), (&json!(new), &json!(new)));
        assert_eq!(answer["user"]["mergedIds"], json!([double.to_global(), old]));
        assert_eq!(answer["user"]["history"]["edges"][0]["node"]["changeset"]["kind"], "MERGE");
        assert_eq!(answer["user"]["old"]["edges"][0]["node"]["kind"]["kind"], "MERGE", "how it went");
        assert_eq!(answer["then"]["email"], "ann@home.example", "it was somebody of its own then");
        assert_eq!(answer["users"]["edges"], json!([{ "node": { "email": "bob@corp.example" } }]));

        let change = UserChange { name: Some("Ann Old".into()), ..UserChange::default() };
        site.update_user(&me(), double, change).await.unwrap();
        assert_eq!(record(site, ann).await.row.name, "Ann Old");
        let values = vec![("supervisor".to_owned(), json!(old))];
        site.update_user(&me(), cal, UserChange { attributes: values, ..UserChange::default() }).await.unwrap_err();
        let values = vec![("supervisor".to_owned(), json!(double.to_global()))];
        site.update_user(&me(), bob, UserChange { attributes: values, ..UserChange::default() }).await.unwrap();
        let change = OrgUnitChange { pinned: Some(BTreeSet::from([cal, double])), ..OrgUnitChange::default() };
        site.update_org_unit(&me(), pinned, change).await.unwrap();
        assert_eq!(site.index().org_unit(pinned).unwrap().pinned, BTreeSet::from([cal, ann]));
        sync(site, github, vec![account("g9", "new", "")]).await;
        let linked = found(site, github, "g9");
        site.link_account(&me(), linked, detected, None).await.unwrap();
        assert_eq!(user_of(site, github, "g9").await, "ann@corp.example");
        let gone = site.delete_user(&me(), double, None).await.unwrap_err();
        assert!(gone.to_string().contains(&format!("it has become part of {new}")), "{gone}");

        let csv =
            format!("ID,Name,Email,Department,Supervisor\n{old},Ann Old,ann@corp.example,Desk,{}\n", cal.to_global());
        let report = import(site, &csv, ImportOptions::default()).await;
        assert_eq!((report.updated, report.created), (1, 0), "{:?}", problems(&report.errors));
        assert_eq!(record(site, ann).await.row.attributes["department"], "Desk");
        let exported = export(site).await;
        let again = import(site, &exported, ImportOptions::default()).await;
        assert_eq!((again.updated, again.created), (0, 0));
    });
}

#[test]
fn an_export_of_before_the_merge_can_be_imported() {
    on_both(async |site: &Site| {
        let World { ann, double, .. } = world(site).await;
        let exported = export(site).await;
        site.merge_users(&me(), &merge(ann, &[double])).await.unwrap();
        let report = import(site, &exported, ImportOptions::default()).await;
        assert_eq!(report.created, 0, "{:?}", problems(&report.errors));
        assert_eq!(site.find_user("ann.b@corp.example").unwrap(), ann, "nobody comes back by a file");
    });
}

#[test]
fn a_merge_of_somebody_whom_very_many_name_is_one_changeset() {
    on_both(async |site: &Site| {
        attribute(site, "Supervisor", AttributeType::User, &[]).await;
        let mut csv = String::from("Name,Email,Supervisor\nBoss,boss@corp.example,\nBoss Two,two@corp.example,\n");
        for number in 0..4_500 {
            csv += &format!("U{number},u{number}@corp.example,two@corp.example\n");
        }
        import(site, &csv, ImportOptions::default()).await;
        let (boss, two) = (site.find_user("boss@corp.example").unwrap(), site.find_user("two@corp.example").unwrap());
        let (before, version) = (state(site).await, site.version());
        site.merge_users(&me(), &merge(boss, &[two])).await.unwrap();
        assert_eq!((site.version(), site.index().referring_to(&[boss].into()).len()), (version + 1, 4_500));
        let report =
            site.undo_changeset(&me(), UndoOptions { number: version + 1, ..UndoOptions::default() }).await.unwrap();
        assert!(report.applied);
        assert!(state(site).await == before);
        site.merge_users(&me(), &merge(boss, &[two])).await.unwrap();
        site.split_user(&me(), &give_back(boss, two)).await.unwrap();
        assert!(state(site).await == before, "and split as well");
    });
}

#[test]
fn an_undo_tells_what_stands_in_its_way() {
    on_both(async |site: &Site| {
        let World { ann, double, detected, .. } = world(site).await;
        let first = site.merge_users(&me(), &merge(ann, &[double])).await.unwrap().changeset.unwrap();
        site.merge_users(&me(), &merge(ann, &[detected])).await.unwrap();
        let report = site.undo_changeset(&me(), UndoOptions { number: first, ..UndoOptions::default() }).await.unwrap();
        assert!(!report.applied);
        let blocked: Vec<_> = report.blocked.iter().map(|blocked| (blocked.label.as_str(), blocked.code)).collect();
        assert!(blocked.contains(&("ann@corp.example", "CHANGED_SINCE")), "{blocked:?}");
        // Somebody is given back all the same.
        site.split_user(&me(), &give_back(ann, double)).await.unwrap();
        assert_eq!(record(site, ann).await.merged_ids, BTreeSet::from([detected]));
        assert_eq!(site.find_user("ann.b@corp.example").unwrap(), double);
    });
}

#[test]
fn what_is_split_off_is_a_user_of_its_own() {
    on_both(async |site: &Site| {
        let World { ann, double, detected, jira, github, cal, .. } = world(site).await;
        site.merge_users(&me(), &merge(ann, &[double, detected])).await.unwrap();
        let split = Split {
            accounts: vec![found(site, github, "g2")],
            emails: vec!["Ann.B@Corp.example".into()],
            moved: vec!["number".into()],
            copied: vec!["Department".into()],
            ..take(ann)
        };
        let done = site.split_user(&me(), &split).await.unwrap();
        let (rest, new) = (record(site, done.user).await, record(site, done.new_user).await);
        assert_eq!((done.user, rest.row.email.as_str()), (ann, "ann@corp.example"));
        assert_eq!((new.row.name.as_str(), new.row.email.as_str()), ("annb", "ann.b@corp.example"));
        assert_eq!(new.row.attributes, json!({ "department": "R&D", "number": "7" }));
        assert_eq!(rest.row.attributes.get("number"), None);
        assert_eq!(user_of(site, jira, "j2").await, "ann.b@corp.example", "it goes with its email");
        assert_eq!(user_of(site, github, "g2").await, "ann.b@corp.example");
        assert_eq!(user_of(site, github, "g1").await, "ann@corp.example");
        let version = site.version();
        sync(site, jira, vec![account("j2", "annb", "ann.b@corp.example")]).await;
        assert_eq!(site.version(), version, "and stays there");

        let refused = async |split: Split| violations(&site.split_user(&me(), &split).await.unwrap_err());
        assert_eq!(refused(take(ann)).await, ["accountIds: REQUIRED", "email: REQUIRED"]);
        let all = vec!["ann@corp.example".into(), "ann@home.example".into()];
        assert_eq!(refused(Split { emails: all, ..take(ann) }).await, ["emails: REQUIRED"]);
        let theirs = Split {
            accounts: vec![found(site, github, "g2")],
            emails: vec!["cal@corp.example".into(), "ann@home.example".into()],
            moved: vec!["nmber".into()],
            ..take(ann)
        };
        assert_eq!(
            refused(theirs).await,
            ["emails[0]: NOT_THEIRS", "accountIds[0]: NOT_THEIRS", "moveAttributes[0]: UNKNOWN_ATTRIBUTE"]
        );
        assert_eq!(refused(give_back(ann, cal)).await, ["mergedId: UNKNOWN_USER", "email: REQUIRED"]);
        let taken = Split { email: Some("cal@corp.example".into()), ..give_back(ann, detected) };
        let taken = site.split_user(&me(), &taken).await.unwrap_err();
        assert!(matches!(taken, Error::AlreadyExists { .. }), "{taken}");
        site.lock_user(&me(), ann, true, None).await.unwrap();
        assert_eq!(refused(give_back(ann, detected)).await, ["userId: LOCKED"]);
    });
}

/// Users with values, emails, accounts, pins and filters that name each other, made from numbers.
async fn draw_world(site: &Site, seed: &[usize]) -> Vec<UserId> {
    let World { ann, double, detected, bob, cal, jira, github, .. } = world(site).await;
    let mut users = vec![cal, ann, double, bob, detected];
    let at = |place: usize| seed[place % seed.len()];
    for number in 0..4 {
        let email = format!("x{number}@corp.example");
        users.push(user(site, &format!("X{number}"), &email, json!({})).await);
        sync(site, jira, vec![account(&format!("x{number}"), "", &email)]).await;
    }
    for (place, id) in users.clone().into_iter().enumerate() {
        let pool = [json!(null), json!("A"), json!("B"), json!("C")];
        let teams = [json!(null), json!(["Data"]), json!(["Ops", "Web"])];
        let mut values = vec![
            ("department".to_owned(), pool[at(place) % 4].clone()),
            ("teams".to_owned(), teams[at(place + 1) % 3].clone()),
        ];
        // Upwards alone, so that no circle is drawn.
        if place > 0 {
            let above = users[at(place + 2) % place];
            values.push(("supervisor".to_owned(), json!(above.to_global())));
        }
        let further =
            if at(place + 3).is_multiple_of(3) { vec![format!("more{place}@corp.example")] } else { Vec::new() };
        let change = UserChange { attributes: values, further_emails: Some(further), ..UserChange::default() };
        // A circle with what was drawn before is left out.
        drop(site.update_user(&me(), id, change).await);
    }
    for number in 0..3 {
        let of = |offset: usize| users[at(number * 7 + offset) % users.len()];
        let name = format!("Drawn {number}");
        let named = json!({ "any": [
            { "attribute": { "key": "supervisor", "is": { "in": [of(0).to_global(), of(1).to_global()] } } },
            { "not": { "attribute": { "key": "supervisor", "is": { "reportsTo": of(2).to_global() } } } },
        ] });
        let (pinned, excluded) = (BTreeSet::from([of(3)]), BTreeSet::from([of(4)]));
        let excluded = excluded.difference(&pinned).copied().collect();
        let new = NewOrgUnit { pinned, excluded, ..new_unit(&name, None, Some(filter(named))) };
        site.create_org_unit(&me(), new).await.unwrap();
    }
    let given = found(site, github, "g2");
    site.link_account(&me(), given, users[at(11) % users.len()], None).await.unwrap();
    users.into_iter().filter(|id| site.index().has_user(*id)).collect()
}

/// Merges users of random directories, and splits them again one by one, or undoes it.
pub(crate) fn merge_and_split(cases: u32) {
    let config = Config { cases, failure_persistence: None, ..Config::default() };
    let seeds = (proptest::collection::vec(0usize..100, 24), 2usize..5, any::<bool>());
    let mut runner = TestRunner::new(config);
    let outcome = runner.run(&seeds, |(seed, count, is_undone)| {
        on_sqlite(async |site: &Site| {
            let users = draw_world(site, &seed).await;
            let mut some: Vec<UserId> = Vec::new();
            for number in &seed {
                let id = users[number % users.len()];
                if some.len() < count && !some.contains(&id) {
                    some.push(id);
                }
            }
            let before = state(site).await;
            let merged = match site.merge_users(&me(), &merge(some[0], &some[1..])).await {
                Ok(merged) => merged,
                Err(Error::Invalid(violations)) => {
                    let known = ["CYCLE", "CONTRADICTION"];
                    assert!(violations.iter().all(|violation| known.contains(&violation.code)), "{violations:?}");
                    return;
                }
                Err(other) => panic!("{other}"),
            };
            for id in &some[1..] {
                assert_eq!(site.index().current_user(*id), Some(some[0]));
            }
            if is_undone {
                let options = UndoOptions { number: merged.version, ..UndoOptions::default() };
                assert!(site.undo_changeset(&me(), options).await.unwrap().applied);
            } else {
                for id in &some[1..] {
                    site.split_user(&me(), &give_back(some[0], *id)).await.unwrap();
                }
            }
            let after = state(site).await;
            for (was, is) in before.iter().zip(&after) {
                assert_eq!(was, is, "merged {some:?} of {users:?}");
            }
            assert_eq!(before, after);
        });
        Ok(())
    });
    outcome.unwrap();
}

#[test]
fn split_again_all_is_as_before_the_merge() {
    merge_and_split(24);
}

#[test]
fn automation_keeps_away_from_a_locked_user() {
    on_both(async |site: &Site| {
        let World { ann, detected, jira, github, .. } = world(site).await;
        site.lock_user(&me(), ann, true, None).await.unwrap();
        let id = site.lock_user(&me(), detected, true, None).await.unwrap();
        assert!(!record(site, id).await.row.is_automatic, "a person relies on it");
        // Ann's account has another email, and another account has hers.
        let accounts = vec![account("j1", "ann", "new@corp.example"), account("j7", "seven", "ann@corp.example")];
        let outcome = site.sync_accounts(&me(), jira, accounts, SyncMode::Delta).await.unwrap();
        let warnings: Vec<_> = outcome.warnings.iter().map(|warning| (warning.path.as_str(), warning.code)).collect();
        assert_eq!(warnings, [("accounts[1].email", "LOCKED")]);
        assert_eq!(outcome.users_created, 0);
        assert_eq!(user_of(site, jira, "j1").await, "ann@corp.example", "not taken");
        assert_eq!(user_of(site, jira, "j7").await, "-", "not given");
        sync(site, github, vec![account("g1", "octo", "")]).await;
        assert_eq!(user_of(site, github, "g1").await, "ann@home.example", "does not lose its last account");
        let change = UserChange { further_emails: Some(vec!["ann@home.example".into()]), ..UserChange::default() };
        let refused = site.update_user(&me(), ann, change).await.unwrap_err();
        assert!(matches!(refused, Error::AlreadyExists { .. }), "does not become part of another");

        // People and imports go on.
        site.link_account(&me(), found(site, jira, "j7"), ann, None).await.unwrap();
        let csv = "Email,Name,Department\nann@corp.example,Ann Locked,Desk\n";
        assert_eq!(import(site, csv, ImportOptions::default()).await.updated, 1);
        assert!(record(site, ann).await.row.is_locked);

        site.lock_user(&me(), ann, false, None).await.unwrap();
        sync(site, jira, vec![account("j1", "ann", "new@corp.example")]).await;
        assert_eq!(user_of(site, jira, "j1").await, "new@corp.example", "unlocked, the rules hold again");
    });
}
