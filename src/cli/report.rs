//! What an import did, for people and for programs.

use std::fmt::Write;

use serde::Serialize;

use crate::directory::csv::{ChangeKind, Detected, ImportReport, Problem, Problems, RowChange};

/// The most problems that are listed for people, who mend a few and try again.
const LINES: usize = 100;

/// The report as text; `nouns` is what the rows of the file are.
pub(super) fn text(report: &ImportReport, nouns: &str, name: &str, dry_run: bool) -> String {
    let mut text = format!(
        "{}: {}{}\n",
        printable(name),
        count(report.rows, "row"),
        report.detected.map_or_else(String::new, |detected| format!(
            " ({}, `{}` between cells)",
            detected.encoding.name(),
            sign(detected.delimiter)
        ),)
    );
    if report.errors.is_empty() {
        text += &match (report.applied, dry_run) {
            (true, _) => format!("Applied; the directory is at version {}.\n", report.version),
            (false, _) => "A dry run: nothing was changed. This is what the import would do.\n".to_owned(),
        };
        text += &changes(report, nouns);
    } else if report.applied {
        text += &format!(
            "{} could not be imported; the others are applied, and the directory is at version {}.\n",
            count(report.bad_lines.len(), "row"),
            report.version
        );
        text += &changes(report, nouns);
        list(&mut text, &report.errors);
    } else {
        let whole = if report.is_refused { "; the file as a whole cannot be imported" } else { "" };
        text += &format!("{}, so nothing was changed{whole}.\n", count(report.errors.count, "error"));
        list(&mut text, &report.errors);
    }
    for change in &report.changes {
        let _ = writeln!(text, "{}", printable(&spell(change)));
    }
    if !report.warnings.is_empty() {
        text += &format!("{}:\n", count(report.warnings.count, "warning"));
        list(&mut text, &report.warnings);
    }
    text
}

fn changes(report: &ImportReport, nouns: &str) -> String {
    let mut text = format!(
        "{nouns}: {} created, {} updated, {} removed; {} unchanged.\n",
        grouped(report.created),
        grouped(report.updated),
        grouped(report.removed),
        grouped(report.unchanged),
    );
    let accounts = [report.accounts_moved, report.accounts_claimed, report.accounts_unlinked];
    if accounts.iter().any(|count| *count > 0) {
        let [moved, claimed, unlinked] = accounts.map(grouped);
        text +=
            &format!("Accounts: {moved} moved, {claimed} claimed before they were reported, {unlinked} unlinked.\n");
    }
    if report.absorbed > 0 {
        text += &format!("Automatic users that became part of another: {}.\n", grouped(report.absorbed));
    }
    text
}

/// A change as one line: what becomes of whom, and each column before and after.
fn spell(change: &RowChange) -> String {
    let place = change.line.map(|line| format!("line {line}: ")).unwrap_or_default();
    let kind = match change.kind {
        ChangeKind::Created => "created",
        ChangeKind::Updated => "updated",
        ChangeKind::Removed => "removed",
        ChangeKind::Absorbed => "part of another",
    };
    let show = |text: &Option<String>| text.as_ref().map_or("nothing".to_owned(), |text| format!("`{text}`"));
    let cells =
        change.cells.iter().map(|cell| format!("{}: {} -> {}", cell.column, show(&cell.before), show(&cell.after)));
    let told: Vec<String> = cells.chain(change.notes.iter().cloned()).collect();
    format!("{place}{} {kind}; {}", change.detail, told.join("; "))
}

fn list(text: &mut String, problems: &Problems) {
    for problem in problems.listed.iter().take(LINES) {
        let column = problem.column.as_ref().map(|column| format!(", {column}")).unwrap_or_default();
        let line = format!("line {}{column}: {} {}", problem.line, problem.code, problem.message);
        // Writing to a string does not fail.
        let _ = writeln!(text, "{}", printable(&line));
    }
    let rest = problems.count.saturating_sub(LINES as u64);
    if rest > 0 {
        *text += &format!("… and {} more; --json lists up to 1,000\n", grouped(rest));
    }
}

/// The text of a file as it may stand in a terminal, which obeys some characters.
pub(super) fn printable(text: &str) -> String {
    let mut safe = String::with_capacity(text.len());
    for character in text.chars() {
        if character.is_control() {
            safe.extend(character.escape_default());
        } else {
            safe.push(character);
        }
    }
    safe
}

fn sign(delimiter: u8) -> String {
    if delimiter == b'\t' { "tab".to_owned() } else { char::from(delimiter).to_string() }
}

/// A number with its thing in the singular or plural.
pub(super) fn count(number: u64, thing: &str) -> String {
    format!("{} {thing}{}", grouped(number), if number == 1 { "" } else { "s" })
}

/// A number with `,` between its thousands.
pub(super) fn grouped(number: u64) -> String {
    let digits = number.to_string();
    let mut text = String::with_capacity(digits.len() + digits.len() / 3);
    for (at, digit) in digits.chars().enumerate() {
        if at > 0 && (digits.len() - at).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

/// A report as JSON has it: the words are those of the GraphQL payload.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Report<'a> {
    applied: bool,
    is_refused: bool,
    dry_run: bool,
    version: i64,
    encoding: Option<&'static str>,
    delimiter: Option<char>,
    rows: u64,
    created: u64,
    updated: u64,
    unchanged: u64,
    removed: u64,
    absorbed: u64,
    accounts_moved: u64,
    accounts_claimed: u64,
    accounts_unlinked: u64,
    error_count: u64,
    errors: Vec<ProblemLine<'a>>,
    warning_count: u64,
    warnings: Vec<ProblemLine<'a>>,
    #[serde(skip_serializing_if = "<[_]>::is_empty")]
    changes: &'a [RowChange],
}

/// A problem as JSON has it.
#[derive(Serialize)]
struct ProblemLine<'a> {
    line: u64,
    column: Option<&'a str>,
    code: &'a str,
    value: Option<&'a str>,
    message: &'a str,
}

impl<'a> From<&'a Problem> for ProblemLine<'a> {
    fn from(problem: &'a Problem) -> Self {
        let Problem { line, column, code, value, message } = problem;
        Self { line: *line, column: column.as_deref(), code, value: value.as_deref(), message }
    }
}

/// The report as one JSON object.
pub(super) fn json(report: &ImportReport, dry_run: bool) -> serde_json::Result<String> {
    let report = Report {
        applied: report.applied,
        is_refused: report.is_refused,
        dry_run,
        version: report.version,
        encoding: report.detected.map(|Detected { encoding, .. }| encoding.name()),
        delimiter: report.detected.map(|Detected { delimiter, .. }| char::from(delimiter)),
        rows: report.rows,
        created: report.created,
        updated: report.updated,
        unchanged: report.unchanged,
        removed: report.removed,
        absorbed: report.absorbed,
        accounts_moved: report.accounts_moved,
        accounts_claimed: report.accounts_claimed,
        accounts_unlinked: report.accounts_unlinked,
        error_count: report.errors.count,
        errors: report.errors.listed.iter().map(Into::into).collect(),
        warning_count: report.warnings.count,
        warnings: report.warnings.listed.iter().map(Into::into).collect(),
        changes: &report.changes,
    };
    serde_json::to_string_pretty(&report).map(|json| json + "\n")
}
