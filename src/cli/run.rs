//! `roster run`.

use std::fmt::Write;
use std::time::Duration;

use anyhow::Context;
use clap::Args;
use entity::integration_run::RunState;
use futures_util::{StreamExt, TryStreamExt};
use serde::Serialize;

use super::progress::{COUNTER, bar};
use super::report::{count, grouped, printable};
use super::{Outcome, Setup, actor, open_directory, print};
use crate::directory::{Connectors, Directory, Run, RunOptions, RunReport, RunWarning};
use crate::value::GlobalId;

/// What `--help` says of exit codes.
const EXIT_CODES: &str = "Exit codes:
  0  the directory has what the tool said
  1  the run failed, was refused or cancelled, and nothing was changed
  2  wrong usage; there is nothing to run; the database cannot be read or written, and nothing was changed";

/// The most warnings that are listed for people.
const LINES: usize = 20;
/// How often is looked whether the process that works on the run is gone.
const TENDING: Duration = Duration::from_secs(5);

/// Which integration to read.
#[derive(Args, Clone, Debug)]
#[command(after_help = EXIT_CODES)]
pub struct RunArgs {
    /// The integration, by name or id.
    #[arg(value_name = "INTEGRATION")]
    pub integration: String,

    /// How many accounts may be marked as gone. Needed where a run was refused for that, and says the number.
    #[arg(long, value_name = "N")]
    pub confirm_gone: Option<u64>,

    /// Print the report as JSON.
    #[arg(long)]
    pub json: bool,
}

pub(super) async fn run(args: RunArgs, connectors: Connectors, setup: &Setup<'_>) -> anyhow::Result<Outcome> {
    let directory = open_directory(setup).await?.connecting_with(connectors);
    let id = directory.find_integration(&args.integration)?;
    let run = directory.run_integration(&actor(), id, RunOptions { confirm_gone: args.confirm_gone }).await?;
    let (run, name) = (Box::pin(watch(&directory, run)).await?, args.integration.as_str());
    directory.finish_run(run.row.id).await;
    print(&if args.json { as_json(&run)? } else { as_text(&run, name) })?;
    Ok(if run.row.state == RunState::Succeeded { Outcome::Done } else { Outcome::Refused })
}

/// Shows how far a run is until it is over. Whoever interrupts the command ends the run.
async fn watch(directory: &Directory, id: entity::IntegrationRunId) -> anyhow::Result<Run> {
    let bar = bar(None, COUNTER);
    let mut runs = directory.follow_run(id).boxed();
    let mut ticks = tokio::time::interval(TENDING);
    let mut last = directory.run(id).await?;
    loop {
        tokio::select! {
            next = runs.try_next() => match next? {
                Some(run) => last = run,
                None => break,
            },
            _ = ticks.tick() => directory.tend_run(id).await?,
            interrupted = tokio::signal::ctrl_c() => {
                interrupted.context("cannot listen to signals")?;
                // It may just have ended.
                let _ = directory.cancel_run(&actor(), id).await;
            }
        }
        let progress = directory.run_progress(&last.row);
        let total = progress.accounts_total.map(|total| format!(" of {}", grouped(total))).unwrap_or_default();
        let waiting = progress.waiting.map(|waiting| format!(", waiting {waiting}")).unwrap_or_default();
        bar.set_message(printable(&format!("accounts read{total}{waiting}")));
        bar.set_position(progress.accounts_read);
        bar.tick();
    }
    bar.finish_and_clear();
    Ok(last)
}

/// What a run did, as text.
fn as_text(run: &Run, name: &str) -> String {
    let name = printable(name);
    let Some(report) = &run.report else {
        let message = run.row.message.as_deref().unwrap_or("it has not ended");
        return format!("{name}: nothing was changed: {}\n", printable(message));
    };
    let RunReport { seen, created, updated, unchanged, gone, users_created, users_removed, .. } = **report;
    let what = if report.is_full { "all that there are" } else { "those that changed since the last run" };
    let mut text = format!("{name}: {}, {what}.\n", count(seen, "account"));
    text += &match run.row.changeset_number {
        Some(number) => format!("Applied; the directory is at version {number}.\n"),
        None => "Nothing is different from before.\n".to_owned(),
    };
    text += &format!(
        "Accounts: {} created, {} updated, {} gone; {} unchanged.\nUsers: {} created, {} removed.\n",
        grouped(created),
        grouped(updated),
        grouped(gone),
        grouped(unchanged),
        grouped(users_created),
        grouped(users_removed),
    );
    if report.warning_count > 0 {
        text += &format!("{}:\n", count(report.warning_count, "warning"));
    }
    for RunWarning { path, code, message } in report.warnings.iter().take(LINES) {
        // Writing to a string does not fail.
        let _ = writeln!(text, "{}", printable(&format!("{path}: {code} {message}")));
    }
    let rest = report.warning_count.saturating_sub(LINES as u64);
    if rest > 0 {
        text += &format!("… and {} more; --json lists up to 100\n", grouped(rest));
    }
    text
}

/// A run as JSON has it: the words are those of the GraphQL type.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Report<'a> {
    id: String,
    state: String,
    is_full: Option<bool>,
    seen: u64,
    created: u64,
    updated: u64,
    unchanged: u64,
    gone: u64,
    users_created: u64,
    users_removed: u64,
    warning_count: u64,
    warnings: &'a [RunWarning],
    requests: i64,
    rate_limit_waits: i64,
    changeset: Option<i64>,
    code: Option<&'a str>,
    message: Option<&'a str>,
    is_retryable: bool,
    gone_to_confirm: Option<i64>,
}

/// What a run did, as one JSON object.
fn as_json(run: &Run) -> serde_json::Result<String> {
    let nothing = RunReport::default();
    let report = run.report.as_deref();
    let done = report.unwrap_or(&nothing);
    let report = Report {
        id: run.row.id.to_global(),
        state: format!("{:?}", run.row.state).to_uppercase(),
        is_full: report.map(|report| report.is_full),
        seen: done.seen,
        created: done.created,
        updated: done.updated,
        unchanged: done.unchanged,
        gone: done.gone,
        users_created: done.users_created,
        users_removed: done.users_removed,
        warning_count: done.warning_count,
        warnings: &done.warnings,
        requests: run.row.requests,
        rate_limit_waits: run.row.waits,
        changeset: run.row.changeset_number,
        code: run.row.code.as_deref(),
        message: run.row.message.as_deref(),
        is_retryable: run.row.is_retryable,
        gone_to_confirm: run.row.gone_to_confirm,
    };
    serde_json::to_string_pretty(&report).map(|json| json + "\n")
}
