//! `roster verify`.

use std::fmt::Write;

use clap::Args;
use serde::Serialize;

use super::report::{count, grouped, printable};
use super::{Outcome, Setup, print, read_database};
use crate::directory::{Clock, Directory, Finding, Head, Verification};

/// What `--help` says of exit codes.
const EXIT_CODES: &str = "Exit codes:
  0  the directory is sound
  2  it is not, or nobody can tell: wrong usage, or a database that cannot be read";

/// What to compare with, and how to report.
#[derive(Args, Clone, Debug)]
#[command(after_help = EXIT_CODES)]
pub struct VerifyArgs {
    /// The head of the log as it once was: a number and a digest, such as `12:9f86d0…`, as the server logs it with each
    /// changeset. That changeset must still be there, and be the same.
    #[arg(long, value_name = "NUMBER:DIGEST")]
    pub head: Option<Head>,

    /// Print the report as JSON.
    #[arg(long)]
    pub json: bool,
}

pub(super) async fn run(args: VerifyArgs, setup: &Setup<'_>) -> anyhow::Result<Outcome> {
    let database = read_database(setup).await?;
    let said = Box::pin(Directory::verify(&database, Clock::System.look(), args.head.as_ref())).await?;
    database.close().await?;
    print(&if args.json { as_json(&said)? } else { as_text(&said) })?;
    Ok(if said.is_sound() { Outcome::Done } else { Outcome::Broken })
}

/// The report as text.
pub(super) fn as_text(said: &Verification) -> String {
    let (records, changes) = (count(said.records, "record"), count(said.changes, "change"));
    let head = said.head.as_ref().map_or_else(|| "none".to_owned(), ToString::to_string);
    let mut text = match said.finding_count {
        0 => format!("Sound: {records}, and {changes} in the log.\n"),
        found => format!("Not sound: {} in {records}, and {changes} in the log.\n", count(found, "finding")),
    };
    text += &format!("Head: {head}\n");
    text + &findings(said)
}

/// What is wrong, a line each.
pub(super) fn findings(said: &Verification) -> String {
    let mut text = String::new();
    for Finding { table, row, code, message, mend } in &said.findings {
        let line = format!("{table} {row}: {code} {message}; mend: {mend}");
        // Writing to a string does not fail.
        let _ = writeln!(text, "{}", printable(&line));
    }
    let rest = said.finding_count.saturating_sub(said.findings.len() as u64);
    if rest > 0 {
        text += &format!("… and {} more\n", grouped(rest));
    }
    text
}

/// A report as JSON has it.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Report<'a> {
    is_sound: bool,
    head: Option<String>,
    record_count: u64,
    change_count: u64,
    finding_count: u64,
    findings: Vec<Line<'a>>,
}

#[derive(Serialize)]
struct Line<'a> {
    table: &'a str,
    row: &'a str,
    code: &'a str,
    message: &'a str,
    mend: &'a str,
}

impl<'a> From<&'a Finding> for Line<'a> {
    fn from(Finding { table, row, code, message, mend }: &'a Finding) -> Self {
        Self { table, row, code, message, mend }
    }
}

/// The report as one JSON object.
fn as_json(said: &Verification) -> serde_json::Result<String> {
    let report = Report {
        is_sound: said.is_sound(),
        head: said.head.as_ref().map(ToString::to_string),
        record_count: said.records,
        change_count: said.changes,
        finding_count: said.finding_count,
        findings: said.findings.iter().map(Into::into).collect(),
    };
    serde_json::to_string_pretty(&report).map(|json| json + "\n")
}
