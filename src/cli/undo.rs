//! `roster undo`.

use std::fmt::Write;

use clap::Args;
use entity::change::Noun;
use serde::Serialize;

use super::report::{count, grouped, printable};
use super::{Outcome, Setup, actor, open_directory, print};
use crate::directory::{Blocked, UndoOptions, UndoReport};

/// What `--help` says of exit codes.
const EXIT_CODES: &str = "Exit codes:
  0  it is done; with --dry-run: it could be
  1  records are blocked by later changes, and nothing was changed
  2  wrong usage; the database cannot be read or written, and nothing was changed";

/// The most blocked records that are listed for people.
const LINES: usize = 100;

/// Which changeset to undo, and how.
#[derive(Args, Clone, Copy, Debug)]
#[command(after_help = EXIT_CODES)]
pub struct UndoArgs {
    /// The number of the changeset.
    #[arg(value_name = "NUMBER")]
    pub number: i64,

    /// Only say what would be done.
    #[arg(long)]
    pub dry_run: bool,

    /// Undo the rest where later changes stand in the way of some records.
    #[arg(long)]
    pub skip_blocked: bool,

    /// Print the report as JSON.
    #[arg(long)]
    pub json: bool,
}

pub(super) async fn run(args: UndoArgs, setup: &Setup<'_>) -> anyhow::Result<Outcome> {
    let UndoArgs { number, dry_run, skip_blocked, json } = args;
    let directory = open_directory(setup).await?;
    let options = UndoOptions { number, dry_run, skip_blocked };
    let report = Box::pin(directory.undo_changeset(&actor(), options)).await?;
    print(&if json { as_json(&report, args)? } else { as_text(&report, args) })?;
    let is_done = report.blocked_count == 0 || skip_blocked;
    Ok(if is_done { Outcome::Done } else { Outcome::Refused })
}

/// The report as text.
pub(super) fn as_text(report: &UndoReport, args: UndoArgs) -> String {
    let records = count(report.undone, "record");
    let mut text = match (report.applied, report.changeset) {
        (true, Some(changeset)) => {
            format!("Undone; {records} went back, in changeset {changeset}.\n")
        }
        (true, None) => "Nothing to undo; everything is as it was before.\n".to_owned(),
        (false, _) if report.blocked_count > 0 && !args.skip_blocked => {
            format!("Nothing was changed. {records} could go back, with --skip-blocked.\n")
        }
        (false, _) => format!("A dry run: nothing was changed. {records} would go back.\n"),
    };
    if report.dropped_values > 0 {
        text += &format!("Left out: {} of attributes deleted since.\n", count(report.dropped_values, "value"));
    }
    if report.blocked_count > 0 {
        text += &format!("Blocked: {}.\n", count(report.blocked_count, "record"));
    }
    for Blocked { id, label, code, message, changeset } in report.blocked.iter().take(LINES) {
        let by = changeset.map(|changeset| format!(", by changeset {changeset}")).unwrap_or_default();
        let line = format!("{} {label} ({}): {code} {message}{by}", id.word(), id.to_global());
        // Writing to a string does not fail.
        let _ = writeln!(text, "{}", printable(&line));
    }
    let rest = report.blocked_count.saturating_sub(LINES as u64);
    if rest > 0 {
        text += &format!("… and {} more; --json lists up to 1,000\n", grouped(rest));
    }
    text
}

/// A report as JSON has it: the words are those of the GraphQL payload.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Report<'a> {
    applied: bool,
    dry_run: bool,
    changeset: Option<i64>,
    version: i64,
    undone_count: u64,
    dropped_value_count: u64,
    blocked_count: u64,
    blocked: Vec<BlockedLine<'a>>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct BlockedLine<'a> {
    noun: Noun,
    record_id: String,
    label: &'a str,
    code: &'a str,
    message: &'a str,
    changeset: Option<i64>,
}

impl<'a> From<&'a Blocked> for BlockedLine<'a> {
    fn from(Blocked { id, label, code, message, changeset }: &'a Blocked) -> Self {
        Self { noun: id.noun(), record_id: id.to_global(), label, code, message, changeset: *changeset }
    }
}

/// The report as one JSON object.
fn as_json(report: &UndoReport, args: UndoArgs) -> serde_json::Result<String> {
    let report = Report {
        applied: report.applied,
        dry_run: args.dry_run,
        changeset: report.changeset,
        version: report.version,
        undone_count: report.undone,
        dropped_value_count: report.dropped_values,
        blocked_count: report.blocked_count,
        blocked: report.blocked.iter().map(Into::into).collect(),
    };
    serde_json::to_string_pretty(&report).map(|json| json + "\n")
}
