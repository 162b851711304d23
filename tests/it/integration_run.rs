//! Runs of integrations: what they change, what they refuse, and that the same run again changes nothing.

use std::time::Duration;

use entity::integration::IntegrationKind;
use entity::integration_account::{self, AccountStatus};
use entity::integration_run::RunState;
use entity::{IntegrationId, IntegrationRunId};
use roster::connector::Policy;
use roster::directory::{
    Connectors, Directory, IntegrationChange, IntegrationSetup, Keys, NewCredential, NewIntegration, Run, RunOptions,
    Secret, SyncMode, SyncedAccount, UndoOptions,
};
use sea_orm::{ColumnTrait, EntityTrait, QueryFilter, QueryOrder};
use serde_json::{Value as Json, json};

use crate::support::{
    Server, Site, Tool, account, commit_by, integration, me, on_both, on_each, tool_user, user_of, violations,
};

/// A key that credentials are stored with.
pub(crate) const KEY: &str = "AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8=";
/// A secret that must show nowhere.
pub(crate) const SECRET: &str = "glpat-hush-hush-0123456789";

/// A directory that reads tools of this machine, and repositories below `folder`.
pub(crate) fn connecting(directory: &Directory, folder: Option<&std::path::Path>) -> Directory {
    let policy = Policy {
        allowed_hosts: vec!["127.0.0.1".into()],
        repositories: folder.map(Into::into),
        // Nobody waits for what does not come.
        max_waiting: Duration::from_millis(50),
        first_backoff: Duration::from_millis(5),
        ..Policy::default()
    };
    let environment = |name: &str| match name {
        "ROSTER_CREDENTIAL_TOOL" | "ROSTER_CREDENTIAL_FOREIGN" | "ROSTER_CREDENTIAL_HOSTLESS" => {
            Some(Secret::new("from outside"))
        }
        "ROSTER_CREDENTIAL_TOOL_HOST" => Some(Secret::new("127.0.0.1\n")),
        "ROSTER_CREDENTIAL_FOREIGN_HOST" => Some(Secret::new("gitlab.com")),
        _ => None,
    };
    directory.clone().connecting_with(Connectors::new(policy, Keys::parse([KEY]).unwrap(), environment))
}

/// Connects a tool.
pub(crate) async fn connect(directory: &Directory, tool: &Tool, schedule_minutes: Option<i32>) -> IntegrationId {
    let setup = IntegrationSetup {
        settings: Some(tool.settings()),
        schedule_minutes,
        credential: Some(NewCredential::Secret(Secret::new(SECRET))),
    };
    let new = NewIntegration { kind: IntegrationKind::GitLab, name: "Tool".into() };
    directory.connect_integration(&me(), new, setup).await.unwrap()
}

/// Runs an integration to the end.
pub(crate) async fn run(directory: &Directory, of: IntegrationId, confirm_gone: Option<u64>) -> Run {
    let run = directory.run_integration(&me(), of, RunOptions { confirm_gone }).await.unwrap();
    ended(directory, run).await
}

/// A run when it is over.
pub(crate) async fn ended(directory: &Directory, run: IntegrationRunId) -> Run {
    directory.finish_run(run).await;
    directory.run(run).await.unwrap()
}

/// What a run that succeeded did: accounts seen, created, updated, unchanged and gone, users created.
#[track_caller]
fn counts(run: &Run) -> [u64; 6] {
    assert_eq!((run.row.state, &run.row.message), (RunState::Succeeded, &None));
    let report = run.report.as_ref().unwrap();
    [report.seen, report.created, report.updated, report.unchanged, report.gone, report.users_created]
}

fn people(count: u64) -> Vec<Json> {
    (1..=count).map(|id| tool_user(id, &format!("u{id}"), &format!("u{id}@corp.example"))).collect()
}

/// How many accounts of an integration there are, and how many of them are gone.
async fn accounts(directory: &Directory, of: IntegrationId) -> (usize, usize) {
    let rows = integration_account::Entity::find()
        .filter(integration_account::Column::IntegrationId.eq(of))
        .order_by_asc(integration_account::Column::Id)
        .all(directory.database().readers())
        .await
        .unwrap();
    (rows.len(), rows.iter().filter(|row| row.status == AccountStatus::Gone).count())
}

#[test]
fn a_run_of_a_repository_makes_its_authors_and_the_same_run_again_changes_nothing() {
    on_each(async |site: &Site| {
        let folder = tempfile::tempdir().unwrap();
        let repository = folder.path().join("product");
        let mailmap = "Ann Abel <ann@corp.example> <ann@home.example>\n";
        let people = [("Ann", "ann@home.example"), ("Ann Abel", "ann@corp.example"), ("Ben Brook", "ben@corp.example")];
        commit_by(&repository, &people, Some(mailmap));
        let directory = connecting(site, Some(folder.path()));
        let settings = json!({ "repository": "product" });
        let setup = IntegrationSetup { settings: Some(settings), ..IntegrationSetup::default() };
        let new = NewIntegration { kind: IntegrationKind::Git, name: "Product".into() };
        let git = directory.connect_integration(&me(), new, setup).await.unwrap();

        let first = run(&directory, git, None).await;
        assert_eq!(counts(&first), [2, 2, 0, 0, 0, 2]);
        assert_eq!(first.row.changeset_number, Some(3));
        let names = ["ann@corp.example", "ben@corp.example"].map(|email| {
            let user = site.find_user(email).unwrap();
            site.index().folded_name_of(user).unwrap().to_owned()
        });
        assert_eq!(names, ["ann abel", "ben brook"]);

        let again = run(&directory, git, None).await;
        assert_eq!((again.row.state, again.row.changeset_number, directory.version()), (RunState::Succeeded, None, 3));

        commit_by(&repository, &[("Cem Demir", "cem@corp.example")], None);
        let third = run(&directory, git, None).await;
        let report = third.report.clone().unwrap();
        assert_eq!((report.created, report.users_created, third.row.changeset_number), (1, 1, Some(4)));
        assert_eq!(accounts(site, git).await, (3, 0));

        // What an undo takes away is read again, whatever the last run came to.
        let options = UndoOptions { number: 4, dry_run: false, skip_blocked: false };
        assert!(site.undo_changeset(&me(), options).await.unwrap().applied);
        assert_eq!(accounts(site, git).await.0, 2);
        assert_eq!(run(&directory, git, None).await.report.unwrap().created, 1);
        assert!(site.find_user("cem@corp.example").is_ok());
    });
}

#[test]
fn accounts_that_vanish_or_are_deactivated_are_marked_and_come_back() {
    on_each(async |site: &Site| {
        let tool = Tool::new(people(4));
        let directory = connecting(site, None);
        let of = connect(&directory, &tool, None).await;
        let mut told = vec![counts(&run(&directory, of, None).await)];
        let mut fewer = people(3);
        fewer[0]["state"] = "blocked".into();
        tool.has(fewer);
        told.push(counts(&run(&directory, of, None).await));
        assert_eq!(accounts(site, of).await, (4, 2));
        assert_eq!(user_of(site, of, "1").await, "u1@corp.example", "whose it was is not forgotten");
        told.push(counts(&run(&directory, of, None).await));
        tool.has(people(4));
        told.push(counts(&run(&directory, of, None).await));
        assert_eq!(accounts(site, of).await, (4, 0));
        // Nobody is made of who has left before we came to know.
        let mut more = people(5);
        more[4]["state"] = "blocked".into();
        tool.has(more);
        told.push(counts(&run(&directory, of, None).await));
        assert_eq!((user_of(site, of, "5").await.as_str(), accounts(site, of).await), ("-", (5, 1)));
        let expected =
            [[4, 4, 0, 0, 0, 4], [3, 0, 0, 2, 2, 0], [3, 0, 0, 3, 0, 0], [4, 0, 2, 2, 0, 0], [5, 1, 0, 4, 0, 0]];
        assert_eq!(told, expected);
    });
}

#[test]
fn a_run_that_would_mark_most_accounts_as_gone_is_refused_until_the_number_is_confirmed() {
    on_each(async |site: &Site| {
        let tool = Tool::new(people(12));
        let directory = connecting(site, None);
        let of = connect(&directory, &tool, None).await;
        assert_eq!(counts(&run(&directory, of, None).await), [12, 12, 0, 0, 0, 12]);
        let version = directory.version();
        for (left, gone) in [(5, 7), (1, 11)] {
            tool.has(people(left));
            for confirm in [None, Some(gone + 1)] {
                let refused = run(&directory, of, confirm).await;
                let message = format!(
                    "{gone} of 12 accounts would be marked as gone, so nothing was changed; look at what the \
                     credential may see, and if that is meant, run it with confirmGone: {gone}"
                );
                assert_eq!((refused.row.state, refused.row.message), (RunState::Failed, Some(message)));
                assert_eq!(refused.row.code.as_deref(), Some("GONE_NOT_CONFIRMED"));
                assert_eq!(refused.row.gone_to_confirm, i64::try_from(gone).ok());
                assert_eq!((accounts(site, of).await, directory.version()), ((12, 0), version));
            }
        }
        tool.has(people(6));
        assert_eq!(counts(&run(&directory, of, None).await)[4], 6, "half of them may be gone");
        tool.has(Vec::new());
        for confirm in [None, Some(6)] {
            let refused = run(&directory, of, confirm).await.row;
            assert_eq!((refused.state, refused.code.as_deref()), (RunState::Failed, Some("NOT_ALLOWED")));
        }
        assert_eq!(accounts(site, of).await, (12, 6), "who sees nobody may see nothing");
        let mut blocked = people(6);
        blocked.iter_mut().for_each(|user| user["state"] = "blocked".into());
        tool.has(blocked);
        assert_eq!(counts(&run(&directory, of, None).await)[4], 6, "of few accounts any number may be gone");
    });
}

#[test]
fn a_tool_that_fails_changes_nothing_and_says_why() {
    on_each(async |site: &Site| {
        let tool = Tool::new(people(3));
        let directory = connecting(site, None);
        let of = connect(&directory, &tool, None).await;
        tool.fails_with(403);
        let failed = run(&directory, of, None).await;
        assert_eq!((failed.row.state, failed.row.is_retryable), (RunState::Failed, false));
        assert_eq!(failed.row.code.as_deref(), Some("NOT_ALLOWED"));
        assert!(failed.row.message.unwrap().contains("the token needs the scope read_api"));
        assert_eq!((accounts(site, of).await, directory.version()), ((0, 0), 2));
        tool.fails_with(200);
        let told = vec![tool_user(1, "ann", "no email at all"), tool_user(2, &"x".repeat(501), "ben@corp.example")];
        tool.has(told);
        let done = run(&directory, of, None).await;
        assert_eq!(counts(&done), [2, 2, 0, 0, 0, 1]);
        let report = done.report.unwrap();
        let warnings: Vec<(&str, &str)> =
            report.warnings.iter().map(|warning| (warning.path.as_str(), warning.code.as_str())).collect();
        assert_eq!((report.warning_count, warnings), (1, vec![("account `1`.email", "NOT_AN_EMAIL")]));
    });
}

#[test]
fn an_integration_is_run_once_at_a_time_and_can_be_cancelled_by_any_process() {
    on_each(async |site: &Site| {
        let tool = Tool::new(people(3));
        let directory = connecting(site, None);
        let other = connecting(&site.another_process().await, None);
        let of = connect(&directory, &tool, None).await;
        other.refresh().await.unwrap();
        tool.hold();
        let first = directory.run_integration(&me(), of, RunOptions::default()).await.unwrap();
        for process in [&directory, &other] {
            assert_eq!(process.run_integration(&me(), of, RunOptions::default()).await.unwrap(), first);
        }
        assert!(directory.run(first).await.unwrap().is_active());
        other.cancel_run(&me(), first).await.unwrap();
        other.cancel_run(&me(), first).await.unwrap();
        tool.release();
        let cancelled = ended(&directory, first).await;
        let message = "cancelled by ann@corp.example".to_owned();
        assert_eq!((cancelled.row.state, cancelled.row.message), (RunState::Cancelled, Some(message)));
        assert_eq!((accounts(site, of).await, directory.version()), ((0, 0), 2));
        let second = run(&directory, of, None).await;
        assert_eq!(counts(&second)[1], 3);
        let error = other.cancel_run(&me(), second.row.id).await.unwrap_err();
        assert_eq!(error.to_string(), "id: the run has succeeded; undo its changeset instead");
        other.database().clone().close().await.unwrap();
    });
}

#[test]
fn an_integration_that_is_changed_or_deleted_while_it_is_read_takes_nothing() {
    on_each(async |site: &Site| {
        let tool = Tool::new(people(3));
        let directory = connecting(site, None);
        let of = connect(&directory, &tool, None).await;
        tool.hold();
        let first = directory.run_integration(&me(), of, RunOptions::default()).await.unwrap();
        while tool.requests().is_empty() {
            tokio::task::yield_now().await;
        }
        let settings = json!({ "baseUrl": format!("{}/", tool.url()) });
        let change = IntegrationChange { settings: Some(Some(settings)), ..IntegrationChange::default() };
        directory.update_integration(&me(), of, change).await.unwrap();
        tool.release();
        let failed = ended(&directory, first).await;
        let message = "the integration's settings were changed while it was read; run it again";
        assert_eq!((failed.row.state, failed.row.message.as_deref()), (RunState::Failed, Some(message)));
        tool.hold();
        let second = directory.run_integration(&me(), of, RunOptions::default()).await.unwrap();
        directory.delete_integration(&me(), of, None).await.unwrap();
        tool.release();
        directory.finish_run(second).await;
        for run in [first, second] {
            assert_eq!(directory.run(run).await.unwrap_err().code(), "NOT_FOUND", "the history goes along");
        }
        assert!(directory.credentials_of(&[of]).await.unwrap().is_empty());
        assert_eq!((accounts(site, of).await, site.index().user_count()), ((0, 0), 0));
    });
}

#[test]
fn what_cannot_be_run_is_refused_with_its_place_and_the_mend() {
    on_each(async |site: &Site| {
        let tool = Tool::new(Vec::new());
        let directory = connecting(site, None);
        let reported = integration(&directory, IntegrationKind::Other, "Reported").await;
        let error = directory.run_integration(&me(), reported, RunOptions::default()).await.unwrap_err();
        assert_eq!(violations(&error), ["id: NOT_CONNECTED"]);
        let make = async |setup: IntegrationSetup| {
            let new = NewIntegration { kind: IntegrationKind::GitLab, name: "Tool".into() };
            directory.connect_integration(&me(), new, setup).await
        };
        let settings = Some(tool.settings());
        let bare = make(IntegrationSetup { settings: settings.clone(), ..IntegrationSetup::default() }).await.unwrap();
        let error = directory.run_integration(&me(), bare, RunOptions::default()).await.unwrap_err();
        assert_eq!(violations(&error), ["id: NOT_CONNECTED"]);
        let environment = |name: &str| Some(NewCredential::Environment(name.to_owned()));
        let secret = |text: &str| Some(NewCredential::Secret(Secret::new(text)));
        let cases = [
            (None, Some(60), None, "settings: REQUIRED"),
            (None, None, secret(SECRET), "settings: REQUIRED"),
            (settings.clone(), Some(4), None, "scheduleMinutes: OUT_OF_BOUNDS"),
            (settings.clone(), Some(44_641), None, "scheduleMinutes: OUT_OF_BOUNDS"),
            (settings.clone(), None, secret("  "), "credential.secret: REQUIRED"),
            (settings.clone(), None, secret(&"x".repeat(16_385)), "credential.secret: TOO_LONG"),
            (settings.clone(), None, environment("ROSTER_DATABASE_URL"), "credential.environment: NOT_A_VARIABLE"),
            (settings.clone(), None, environment("ROSTER_CREDENTIAL_"), "credential.environment: NOT_A_VARIABLE"),
            (settings.clone(), None, environment("ROSTER_CREDENTIAL_a b"), "credential.environment: NOT_A_VARIABLE"),
        ];
        for (settings, schedule_minutes, credential, says) in cases {
            let error = make(IntegrationSetup { settings, schedule_minutes, credential }).await.unwrap_err();
            assert_eq!(violations(&error), [says]);
        }
        let no_key = site.another_process().await;
        let setup = IntegrationSetup { settings, credential: secret(SECRET), ..IntegrationSetup::default() };
        let new = NewIntegration { kind: IntegrationKind::GitLab, name: "Tool 2".into() };
        let error = no_key.connect_integration(&me(), new, setup).await.unwrap_err();
        assert_eq!(violations(&error).last().unwrap(), "credential.secret: NO_SECRET_KEY");
        no_key.database().clone().close().await.unwrap();
        assert_eq!(site.version(), 3);
    });
}

#[test]
fn a_reported_account_that_is_gone_is_marked_and_the_same_report_changes_nothing() {
    on_both(async |site: &Site| {
        let of = integration(site, IntegrationKind::Other, "Tool").await;
        let gone = |id: &str, email: &str| SyncedAccount { is_gone: true, ..account(id, id, email) };
        let told = vec![account("a", "a", "a@corp.example"), gone("b", "b@corp.example"), gone("c", "a@corp.example")];
        let done = site.sync_accounts(&me(), of, told.clone(), SyncMode::Full).await.unwrap();
        assert_eq!((done.created, done.gone, done.users_created), (3, 0, 1));
        assert_eq!(user_of(site, of, "c").await, "a@corp.example", "whose it was is known by the email");
        let again = site.sync_accounts(&me(), of, told, SyncMode::Full).await.unwrap();
        assert_eq!((again.version, again.unchanged), (done.version, 3));
        let told = vec![gone("a", "a@corp.example"), account("b", "b", "b@corp.example")];
        let done = site.sync_accounts(&me(), of, told, SyncMode::Delta).await.unwrap();
        assert_eq!((done.gone, done.updated, done.users_created, done.users_removed), (1, 1, 1, 0));
        assert_eq!(accounts(site, of).await, (3, 2));
    });
}

const RUN: &str = "mutation($id: ID!) { runIntegration(input: { id: $id }) { run { id state } } }";
const FOLLOW: &str = "subscription($id: ID!) { integrationRun(id: $id) { state progress { accountsRead } created } }";
const SHOW: &str = "query($id: ID!) { integrationRun(id: $id) {
    state startedBy isScheduled progress { accountsRead accountsTotal waiting } isFull seen created updated unchanged gone
    usersCreated usersRemoved warningCount warnings { path code message } rateLimitWaits message isRetryable
    goneToConfirm changeset { number kind actor changeCount }
    integration { name scheduleMinutes nextRunAt credential { source environment setBy } lastRun { state }
        runs(first: 5) { totalCount edges { node { state } } pageInfo { hasNextPage } } }
} }";

#[test]
fn a_run_is_begun_polled_and_followed_through_the_api() {
    on_each(async |site: &Site| {
        let tool = Tool::new(people(3));
        let directory = connecting(site, None);
        let server = Server::new(&directory);
        let create =
            "mutation($settings: JSON!, $secret: String!) { createIntegration(input: { kind: GITLAB, name: \"Tool\",
            settings: $settings, credential: { secret: $secret } }) { integration { id settings } } }";
        let variables = json!({ "settings": tool.settings(), "secret": SECRET });
        let made = server.execute(create, variables, None).await.json();
        let made = &made["data"]["createIntegration"]["integration"];
        assert_eq!(made["settings"], tool.settings());
        tool.hold();
        let begun = server.execute(RUN, json!({ "id": made["id"] }), None).await.json();
        let run = &begun["data"]["runIntegration"]["run"];
        assert!(["QUEUED", "RUNNING"].contains(&run["state"].as_str().unwrap()), "{begun}");
        let mut events = server.subscribe(FOLLOW, json!({ "id": run["id"] })).await;
        let first = events.next().await.unwrap();
        assert_eq!(first["data"]["integrationRun"]["created"], 0, "{first}");
        tool.release();
        let mut last = first;
        while let Some(event) = events.next().await {
            last = event;
        }
        assert_eq!(
            last["data"]["integrationRun"],
            json!({ "state": "SUCCEEDED", "progress": { "accountsRead": 3 }, "created": 3 })
        );
        let id: IntegrationRunId = roster::value::GlobalId::parse(run["id"].as_str().unwrap()).unwrap();
        directory.finish_run(id).await;
        let mut shown = server.execute(SHOW, json!({ "id": run["id"] }), None).await.json();
        assert_eq!(shown["data"]["integrationRun"].take(), shown_run());
    });
}

fn shown_run() -> Json {
    json!({
        "state": "SUCCEEDED", "startedBy": "api", "isScheduled": false,
        "progress": { "accountsRead": 3, "accountsTotal": 3, "waiting": null }, "isFull": true,
        "seen": 3, "created": 3, "updated": 0, "unchanged": 0, "gone": 0, "usersCreated": 3, "usersRemoved": 0,
        "warningCount": 0, "warnings": [], "rateLimitWaits": 0, "message": null, "isRetryable": false,
        "goneToConfirm": null, "changeset": { "number": 3, "kind": "SYNC", "actor": "api", "changeCount": 6 },
        "integration": {
            "name": "Tool", "scheduleMinutes": null, "nextRunAt": null,
            "credential": { "source": "STORED", "environment": null, "setBy": "api" },
            "lastRun": { "state": "SUCCEEDED" },
            "runs": {
                "totalCount": 1, "edges": [{ "node": { "state": "SUCCEEDED" } }], "pageInfo": { "hasNextPage": false },
            },
        },
    })
}
