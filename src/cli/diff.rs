//! `roster diff`.

use std::fmt::Write;

use clap::Args;
use entity::change::Noun;
use serde::Serialize;

use super::report::printable;
use super::{EXIT_CODES, Outcome, Setup, open_directory, print};
use crate::directory::{DiffKind, FieldChange, Range, RecordDiff};

/// Records that are read at a time.
const PAGE: u64 = 100;

/// Which versions to compare.
#[derive(Args, Clone, Copy, Debug)]
#[command(after_help = EXIT_CODES)]
pub struct DiffArgs {
    /// The first version: the number of a changeset, or 0 for the empty directory.
    #[arg(value_name = "FROM")]
    pub from: i64,

    /// The second version; the current one if left out.
    #[arg(value_name = "TO")]
    pub to: Option<i64>,

    /// Print each record as a line of JSON.
    #[arg(long)]
    pub json: bool,
}

pub(super) async fn run(args: DiffArgs, setup: &Setup<'_>) -> anyhow::Result<Outcome> {
    let directory = open_directory(setup).await?;
    let query = directory.diff(args.from, args.to, None)?;
    let mut range = Range { limit: PAGE, ..Range::default() };
    loop {
        let page = directory.list_diff(query, range).await?;
        let mut text = String::new();
        for diff in &page.rows {
            let changes = directory.field_changes(diff)?;
            text += &if args.json { as_json(diff, &changes)? } else { as_text(diff, &changes) };
        }
        print(&text)?;
        range.after = page.rows.last().map(|diff| diff.id.uuid());
        if !page.has_next {
            return Ok(Outcome::Done);
        }
    }
}

/// A record in a line, and in another line each member that differs.
pub(super) fn as_text(diff: &RecordDiff, changes: &[FieldChange]) -> String {
    let sign = match diff.kind {
        DiffKind::Created => '+',
        DiffKind::Updated => '~',
        DiffKind::Deleted => '-',
    };
    let line = format!("{sign} {} {} ({})", diff.id.word(), diff.label(), diff.id.to_global());
    let mut text = printable(&line) + "\n";
    for FieldChange { path, before, after } in changes {
        let line = match diff.kind {
            DiffKind::Created => format!("    {path}: {after}"),
            DiffKind::Updated => format!("    {path}: {before} -> {after}"),
            DiffKind::Deleted => format!("    {path}: {before}"),
        };
        // Writing to a string does not fail.
        let _ = writeln!(text, "{}", printable(&line));
    }
    text
}

/// A record as JSON has it: the words are those of GraphQL.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Line<'a> {
    noun: Noun,
    record_id: String,
    label: &'a str,
    kind: DiffKind,
    changeset: i64,
    changes: &'a [FieldChange],
}

fn as_json(diff: &RecordDiff, changes: &[FieldChange]) -> serde_json::Result<String> {
    let line = Line {
        noun: diff.id.noun(),
        record_id: diff.id.to_global(),
        label: diff.label(),
        kind: diff.kind,
        changeset: diff.changeset,
        changes,
    };
    serde_json::to_string(&line).map(|json| json + "\n")
}
