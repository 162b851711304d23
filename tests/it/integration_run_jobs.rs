//! Runs that nobody waits for: those that another process has left, those that are due, and those that are killed.

use std::time::Duration;

use chrono::{DateTime, TimeDelta, Utc};
use entity::integration_account::AccountStatus;
use entity::integration_run::{self, Column, RunState};
use entity::{IntegrationId, IntegrationRunId};
use roster::directory::{AccountQuery, Directory, IntegrationChange, Run, RunOptions};
use sea_orm::sea_query::Expr;
use sea_orm::{ColumnTrait, EntityTrait, QueryFilter};
use serde_json::{Value as Json, json};
use uuid::Uuid;

use crate::integration_run::{KEY, connect, connecting, ended, run};
use crate::support::{Home, Served, Site, Tool, check_log, commit_by, in_each_home, me, on_each, run_sql, tool_user};

fn people(count: u64) -> Vec<Json> {
    (1..=count).map(|id| tool_user(id, &format!("u{id}"), &format!("u{id}@corp.example"))).collect()
}

/// Sets columns of the runs that are under way or have failed, past everybody who works on them.
async fn set(site: &Site, columns: Vec<(Column, Expr)>) {
    let mut update = integration_run::Entity::update_many().filter(Column::State.ne(RunState::Succeeded));
    for (column, value) in columns {
        update = update.col_expr(column, value);
    }
    let transaction = site.database().begin_side_write().await.unwrap();
    assert_eq!(update.exec(&transaction).await.unwrap().rows_affected, 1);
    site.database().commit(transaction).await.unwrap();
}

/// A run that was begun, made to look as if its process had stopped.
async fn left(site: &Site, directory: &Directory, of: IntegrationId, tool: &Tool, attempts: i32) -> IntegrationRunId {
    tool.fails_with(403);
    let id = run(directory, of, None).await.row.id;
    tool.fails_with(200);
    let columns = vec![
        (Column::State, Expr::value(RunState::Running)),
        (Column::Worker, Expr::value(Uuid::from_u128(7))),
        (Column::LeasedUntil, Expr::value(DateTime::<Utc>::UNIX_EPOCH)),
        (Column::Attempts, Expr::value(attempts)),
    ];
    set(site, columns).await;
    id
}

#[test]
fn a_run_that_stopped_is_done_by_another_process_and_given_up_after_three_attempts() {
    on_each(async |site: &Site| {
        let tool = Tool::new(people(3));
        let directory = connecting(site, None);
        let of = connect(&directory, &tool, None).await;
        let other = connecting(&site.another_process().await, None);
        let id = left(site, &directory, of, &tool, 2).await;
        other.tend_runs().await.unwrap();
        let done = ended(&other, id).await;
        assert_eq!((done.row.state, done.row.attempts, done.report.unwrap().created), (RunState::Succeeded, 3, 3));
        let id = left(site, &directory, of, &tool, 3).await;
        other.tend_runs().await.unwrap();
        let given_up = ended(&other, id).await.row;
        let message = "the servers that ran it stopped again and again; nothing was changed, so run it once more";
        assert_eq!((given_up.state, given_up.message.as_deref()), (RunState::Interrupted, Some(message)));
        assert_eq!(run(&other, of, None).await.row.state, RunState::Succeeded);
        other.database().clone().close().await.unwrap();
    });
}

#[test]
fn a_process_whose_run_was_taken_over_applies_nothing() {
    on_each(async |site: &Site| {
        let tool = Tool::new(people(3));
        let directory = connecting(site, None);
        let of = connect(&directory, &tool, None).await;
        tool.hold();
        let id = directory.run_integration(&me(), of, RunOptions::default()).await.unwrap();
        while tool.requests().is_empty() {
            tokio::task::yield_now().await;
        }
        set(site, vec![(Column::Worker, Expr::value(Uuid::from_u128(7)))]).await;
        let taken = directory.run(id).await.unwrap().row;
        tool.release();
        directory.finish_run(id).await;
        assert_eq!((directory.run(id).await.unwrap().row, directory.version()), (taken, 2));
        // Nobody else takes it over as long as the lease holds.
        directory.tend_runs().await.unwrap();
        assert!(directory.run(id).await.unwrap().is_active());
        set(site, vec![(Column::LeasedUntil, Expr::value(DateTime::<Utc>::UNIX_EPOCH))]).await;
        directory.tend_runs().await.unwrap();
        assert_eq!(ended(&directory, id).await.row.state, RunState::Succeeded);
    });
}

/// The runs of an integration, newest first, when none is under way.
async fn history(directory: &Directory, other: &Directory, of: IntegrationId) -> Vec<Run> {
    let range = roster::directory::Range { after: None, before: None, limit: 100, from_end: false };
    let runs = directory.list_runs(of, range).await.unwrap().rows;
    let mut over = Vec::new();
    for run in runs {
        directory.finish_run(run.row.id).await;
        over.push(ended(other, run.row.id).await);
    }
    over
}

#[test]
fn of_all_processes_one_starts_a_due_run_and_it_is_due_again_after_its_time() {
    on_each(async |site: &Site| {
        let tool = Tool::new(people(3));
        let directory = connecting(site, None);
        let other = connecting(&site.another_process().await, None);
        let of = connect(&directory, &tool, Some(60)).await;
        let tend = async || {
            for _ in 0..3 {
                let (here, there) = tokio::join!(directory.tend_runs(), other.tend_runs());
                here.unwrap();
                there.unwrap();
            }
            let runs = history(&directory, &other, of).await;
            runs.iter().map(|run| (run.row.state, run.row.is_scheduled)).collect::<Vec<_>>()
        };
        let done = (RunState::Succeeded, true);
        assert_eq!(tend().await, [done], "the first is due at once");
        site.pass(TimeDelta::minutes(59));
        assert_eq!(tend().await, [done]);
        site.pass(TimeDelta::minutes(1));
        assert_eq!(tend().await, [done; 2]);
        assert_eq!(tool.requests().len(), 2, "the tool was asked once for each");
        assert_eq!(directory.run(history(&directory, &other, of).await[0].row.id).await.unwrap().row.actor, "schedule");

        // A time that passes while nobody serves is not made up for.
        site.pass(TimeDelta::days(3));
        assert_eq!(tend().await, [done; 3]);
        let change = IntegrationChange { schedule_minutes: Some(None), ..IntegrationChange::default() };
        directory.update_integration(&me(), of, change).await.unwrap();
        site.pass(TimeDelta::days(3));
        assert_eq!(tend().await, [done; 3], "by hand from now on");
        let change = IntegrationChange { schedule_minutes: Some(Some(5)), ..IntegrationChange::default() };
        directory.update_integration(&me(), of, change).await.unwrap();
        assert_eq!(tend().await, [done; 4]);
        site.pass(TimeDelta::days(91));
        assert_eq!(tend().await, [done; 1], "older ones are forgotten");
        directory.delete_integration(&me(), of, None).await.unwrap();
        site.pass(TimeDelta::days(1));
        assert_eq!(tend().await, []);
        other.database().clone().close().await.unwrap();
    });
}

#[test]
fn a_scheduled_run_that_failed_for_what_may_pass_is_tried_again_sooner_and_later_each_time() {
    on_each(async |site: &Site| {
        let tool = Tool::new(people(3));
        let directory = connecting(site, None);
        let of = connect(&directory, &tool, Some(60)).await;
        let runs = async || {
            directory.tend_runs().await.unwrap();
            history(&directory, &directory, of).await.len()
        };
        // Longer than one run tries by itself.
        let nobody = json!({ "baseUrl": "http://127.0.0.1:1" });
        let change = IntegrationChange {
            settings: Some(Some(nobody)),
            credential: Some(Some(roster::directory::NewCredential::Environment("ROSTER_CREDENTIAL_TOOL".into()))),
            ..IntegrationChange::default()
        };
        directory.update_integration(&me(), of, change).await.unwrap();
        assert_eq!(runs().await, 1);
        let failed = history(&directory, &directory, of).await.remove(0).row;
        assert!(failed.is_retryable && failed.state == RunState::Failed, "{failed:?}");
        for (minutes, count) in [(1, 2), (1, 2), (1, 3), (2, 3), (2, 4)] {
            site.pass(TimeDelta::minutes(minutes));
            assert_eq!(runs().await, count, "after {minutes} more");
        }
    });
}

const CONNECT: &str = "mutation($settings: JSON!, $secret: String!, $schedule: Int) { createIntegration(input: {
    kind: GITLAB, name: \"Tool\", settings: $settings, scheduleMinutes: $schedule, credential: { secret: $secret } }) {
    integration { id } } }";
const RUN: &str = "mutation($id: ID!) { runIntegration(input: { id: $id }) { run { id } } }";
const LAST: &str = "query($id: ID!) { directory { version } node(id: $id) { ... on Integration {
    accountCount lastRun { id state created message changeset { number } } runs { totalCount } } } }";

/// A server that reads tools of this machine.
fn serve(home: &Home) -> Served {
    let mut command = home.command(&["serve", "--listen", "127.0.0.1:0", "--connector-allow", "127.0.0.1"]);
    command.env("ROSTER_SECRET_KEY", KEY).env("ROSTER_REPOSITORIES", home.path("repositories"));
    Served::start(command)
}

/// Nobody waits for the leases of a killed server to run out.
fn let_leases_run_out(home: &Home) {
    let past =
        "UPDATE integration_run SET leased_until = '2000-01-01T00:00:00+00:00' WHERE state IN ('QUEUED', 'RUNNING')";
    run_sql(&home.database_url(), past);
}

fn last(server: &Served, id: &Json) -> Json {
    server.ask(LAST, json!({ "id": id }))
}

fn settled(server: &Served, id: &Json) -> Json {
    loop {
        let now = last(server, id);
        if !matches!(now["node"]["lastRun"]["state"].as_str(), Some("QUEUED" | "RUNNING") | None) {
            // It may have ended while this was answered.
            return last(server, id);
        }
        std::thread::sleep(Duration::from_millis(50));
    }
}

#[test]
fn a_run_whose_server_is_killed_while_it_reads_is_brought_to_its_end_by_the_next() {
    in_each_home(|home| {
        let tool = Tool::new(people(50));
        let server = serve(home);
        let variables = json!({ "settings": tool.settings(), "secret": "hush", "schedule": Json::Null });
        let made = server.ask(CONNECT, variables);
        let id = made["createIntegration"]["integration"]["id"].clone();
        tool.hold();
        server.ask(RUN, json!({ "id": id }));
        tool.wait_for_requests(1);
        drop(server);
        let_leases_run_out(home);
        tool.release();
        let server = serve(home);
        let now = settled(&server, &id);
        assert_eq!(now["node"]["lastRun"]["state"], "SUCCEEDED", "{now}");
        assert_eq!((&now["directory"]["version"], &now["node"]["accountCount"]), (&json!(3), &json!(50)));
        assert_eq!(now["node"]["runs"]["totalCount"], 1);
        assert_eq!(server.stop().0, Some(0));
        check_log(&home.database_url());
    });
}

#[test]
fn a_run_whose_server_is_killed_at_any_moment_is_applied_as_a_whole_or_not_at_all() {
    in_each_home(|home| {
        let names: Vec<(String, String)> =
            (0..3_000).map(|n| (format!("Person {n}"), format!("p{n}@corp.example"))).collect();
        let people: Vec<(&str, &str)> = names.iter().map(|(name, email)| (name.as_str(), email.as_str())).collect();
        commit_by(&home.path("repositories/product"), &people, None);
        let mut server = serve(home);
        let create = "mutation { createIntegration(input: { kind: GIT, name: \"Product\",
            settings: { repository: \"product\" } }) { integration { id } } }";
        let id = server.ask(create, Json::Null)["createIntegration"]["integration"]["id"].clone();
        let mut before = 0;
        for kill in 0..6_u64 {
            server.ask(RUN, json!({ "id": id }));
            std::thread::sleep(Duration::from_millis(100 + 350 * kill));
            drop(server);
            server = serve(home);
            let now = last(&server, &id);
            let is_applied = now["directory"]["version"] == 3;
            let found = [&now["node"]["accountCount"], &now["node"]["lastRun"]["created"]].map(Json::as_u64);
            assert_eq!(found, if is_applied { [Some(3_000); 2] } else { [Some(0); 2] }, "{now}");
            if is_applied {
                break;
            }
            before += 1;
            let cancel = "mutation($id: ID!) { cancelIntegrationRun(id: $id) { run { state } } }";
            server.ask(cancel, json!({ "id": now["node"]["lastRun"]["id"] }));
        }
        assert!(before > 0, "one was killed in time");
        server.ask(RUN, json!({ "id": id }));
        let now = settled(&server, &id);
        assert_eq!((&now["directory"]["version"], &now["node"]["accountCount"]), (&json!(3), &json!(3_000)), "{now}");
        assert_eq!(server.stop().0, Some(0));
        check_log(&home.database_url());
    });
}

#[test]
fn a_server_that_stops_leaves_its_runs_to_the_next_and_a_schedule_needs_nobody() {
    in_each_home(|home| {
        let tool = Tool::new(people(5));
        let server = serve(home);
        tool.hold();
        let variables = json!({ "settings": tool.settings(), "secret": "hush", "schedule": 5 });
        let made = server.ask(CONNECT, variables);
        let id = made["createIntegration"]["integration"]["id"].clone();
        tool.wait_for_requests(1);
        assert_eq!(server.stop().0, Some(0));
        tool.release();
        let server = serve(home);
        let now = settled(&server, &id);
        assert_eq!((&now["node"]["lastRun"]["created"], &now["node"]["runs"]["totalCount"]), (&json!(5), &json!(1)));
    });
}

#[test]
fn the_shell_runs_an_integration_and_says_how_it_ended() {
    in_each_home(|home| {
        let tool = Tool::new(people(12));
        let server = serve(home);
        let variables = json!({ "settings": tool.settings(), "secret": "hush", "schedule": Json::Null });
        server.ask(CONNECT, variables);
        let run = |arguments: &[&str]| {
            let mut command = home.command(&[&["run"], arguments].concat());
            command.env("ROSTER_SECRET_KEY", KEY).env("ROSTER_CONNECTOR_ALLOW", "127.0.0.1");
            crate::support::ended(command, b"")
        };
        let done = run(&["tool"]);
        let says = "tool: 12 accounts, all that there are.\nApplied; the directory is at version 3.\nAccounts: 12 \
                    created, 0 updated, 0 gone; 0 unchanged.\nUsers: 12 created, 0 removed.\n";
        assert_eq!((done.code, done.output.as_str(), done.error.as_str()), (Some(0), says, ""));
        tool.has(people(2));
        let refused = run(&["Tool", "--json"]);
        let report: Json = serde_json::from_str(&refused.output).unwrap();
        assert_eq!((refused.code, &report["state"], &report["goneToConfirm"]), (Some(1), &json!("FAILED"), &json!(10)));
        let confirmed = run(&["Tool", "--confirm-gone", "10", "--json"]);
        let report: Json = serde_json::from_str(&confirmed.output).unwrap();
        assert_eq!((confirmed.code, &report["gone"], &report["changeset"]), (Some(0), &json!(10), &json!(4)));
        let unknown = run(&["Tol"]);
        let says = "roster: integration `Tol` does not exist; did you mean `Tool`?\n";
        assert_eq!((unknown.code, unknown.error.as_str()), (Some(2), says));
        let version = server.ask("{ directory { version } }", Json::Null);
        assert_eq!(version["directory"]["version"], 4, "the server sees what the shell did");
    });
}

#[test]
fn accounts_that_are_gone_can_be_listed() {
    on_each(async |site: &Site| {
        let tool = Tool::new(people(3));
        let directory = connecting(site, None);
        let of = connect(&directory, &tool, None).await;
        run(&directory, of, None).await;
        tool.has(people(2));
        run(&directory, of, None).await;
        let gone = AccountQuery { status: Some(AccountStatus::Gone), ..AccountQuery::default() };
        assert_eq!(site.count_accounts(&gone).await.unwrap(), 1);
    });
}
