//! Hostile files: every file of `tests/data/hostile/` has a snapshot of what an import draft says of it.
//!
//! The directory is the cast. In a file of UTF-8, `{{two_teams}}` is the id of a record of the cast, as in the cases.
//! Beside `name.csv` may stand `name.json`, which says how to import it; the snapshot is `name.snap`. A new file needs no
//! Rust.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

use entity::UserId;
use entity::import_draft::{DraftState, ImportKind};
use roster::directory::csv::{
    ColumnSource, Detected, Encoding, ImportMode, ImportOptions, ImportReport, Mapping, Problem, RowChange,
};
use roster::directory::{ApplyOptions, Directory, Draft, NewDraft, Range};
use roster::value::DateFormat;
use serde::Deserialize;
use serde_json::Value as Json;

use crate::cases::fill;
use crate::support::{Site, cast, export, file, import, me, on_both, tables};

/// More changes and problems than any file has.
const ALL: Range = Range { after: None, before: None, limit: 1_000_000, from_end: false };

/// How a file is to be imported.
#[derive(Default, Deserialize)]
#[serde(default, rename_all = "camelCase", deny_unknown_fields)]
struct Said {
    mode: Option<String>,
    encoding: Option<String>,
    delimiter: Option<char>,
    columns: BTreeMap<String, Json>,
    ignore_unknown_columns: bool,
    raw: bool,
    confirm_removals: Option<u64>,
}

impl Said {
    fn options(&self) -> ImportOptions {
        let encoding = self.encoding.as_deref().map(|name| match name {
            "UTF8" => Encoding::Utf8,
            "UTF16_LE" => Encoding::Utf16Le,
            "UTF16_BE" => Encoding::Utf16Be,
            "WINDOWS_1252" => Encoding::Windows1252,
            other => panic!("no encoding is {other}"),
        });
        let mode = match self.mode.as_deref() {
            None | Some("MERGE") => ImportMode::Merge,
            Some("REPLACE") => ImportMode::Replace,
            Some(other) => panic!("no mode is {other}"),
        };
        let columns = self.columns.iter().map(|(title, holds)| (title.clone(), source(holds))).collect();
        ImportOptions {
            mode,
            encoding,
            raw: self.raw,
            delimiter: self.delimiter.map(|delimiter| u8::try_from(delimiter).unwrap()),
            mapping: Mapping { columns, ignore_unknown: self.ignore_unknown_columns, ..Mapping::default() },
            ..ImportOptions::default()
        }
    }
}

fn source(holds: &Json) -> ColumnSource {
    let text = |name: &str| holds.get(name).and_then(Json::as_str);
    match (holds.as_str(), text("attribute"), text("integration")) {
        (Some("ignore"), ..) => ColumnSource::Ignore,
        (Some("id"), ..) => ColumnSource::Id,
        (_, Some(key), _) => ColumnSource::Attribute {
            key: key.into(),
            date_format: text("dateFormat").map(|format| DateFormat::parse(format).unwrap()),
        },
        (.., Some(name)) => ColumnSource::Integration(name.into()),
        _ => panic!("{holds} is not what a column holds"),
    }
}

#[test]
fn every_hostile_file_does_what_its_snapshot_says_and_nothing_else() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/data/hostile");
    let mut files: Vec<_> = std::fs::read_dir(&root).unwrap().map(|entry| entry.unwrap().path()).collect();
    files.retain(|path| path.extension().is_some_and(|extension| extension == "csv"));
    files.sort();
    assert!(files.len() >= 60, "the files are in {}", root.display());
    // What a file does is mostly to wait for its databases.
    let different = std::thread::scope(|scope| {
        let of = |part: &'_ [PathBuf]| -> Vec<String> {
            let different = part.iter().filter(|path| std::panic::catch_unwind(|| check(path)).is_err());
            different.map(|path| path.file_stem().unwrap().to_string_lossy().into_owned()).collect()
        };
        let parts: Vec<_> = files.chunks(files.len().div_ceil(8)).map(|part| scope.spawn(move || of(part))).collect();
        parts.into_iter().flat_map(|part| part.join().unwrap()).collect::<Vec<_>>()
    });
    assert!(different.is_empty(), "an import of these does otherwise: {}", different.join(", "));
}

fn check(path: &Path) {
    eprintln!("file {}", path.display());
    let content = std::fs::read(path).unwrap();
    let said = std::fs::read_to_string(path.with_extension("json")).ok();
    let said: Said = said.map(|json| serde_json::from_str(&json).unwrap()).unwrap_or_default();
    let told = on_both(async |site: &Site| {
        let cast = cast(site).await;
        let content = match String::from_utf8(content.clone()) {
            Ok(text) => fill(site, &text, Some(&cast), &Json::Null).into_bytes(),
            Err(not_text) => not_text.into_bytes(),
        };
        tell(site, &content, &said).await
    });
    let mut settings = insta::Settings::clone_current();
    settings.set_snapshot_path(path.parent().unwrap());
    settings.set_prepend_module_to_snapshot(false);
    settings.set_omit_expression(true);
    settings.bind(|| insta::assert_snapshot!(path.file_stem().unwrap().to_str().unwrap(), told));
}

/// What a draft says of a file, which must be what an import says and does.
async fn tell(site: &Site, content: &[u8], said: &Said) -> String {
    let before = (site.version(), export(site).await, tables(site).await);
    let draft = draft(site, content, said).await;
    let report = draft.report.clone().unwrap();
    let [errors, warnings] = [problems(site, &draft, true).await, problems(site, &draft, false).await];
    let changes = changes(site, &draft).await;
    assert_eq!((site.version(), export(site).await, tables(site).await), before, "a draft changes nothing");

    let valid_rows = ImportOptions { dry_run: true, valid_rows: true, ..said.options() };
    let dry = import(site, content, ImportOptions { confirm_removals: report.removals_to_confirm, ..valid_rows }).await;
    let counts = [
        report.rows,
        report.created,
        report.updated,
        report.unchanged,
        report.removed,
        report.absorbed,
        report.accounts_moved,
        report.accounts_claimed,
        report.accounts_unlinked,
    ];
    assert_eq!(counts_of(&dry), counts, "a dry run and a draft count the same");
    assert_eq!((dry.errors.count, dry.warnings.count), (report.errors, report.warnings));
    assert_eq!(dry.errors.listed, errors[..errors.len().min(1_000)]);
    let all_rows = ImportOptions { dry_run: true, confirm_removals: report.removals_to_confirm, ..said.options() };
    let all_rows = import(site, content, all_rows).await;
    assert_eq!(all_rows.errors.is_empty(), errors.is_empty(), "one wrong row refuses the file");
    assert_eq!((site.version(), export(site).await, tables(site).await), before, "a dry run changes nothing");

    let [rows, created, updated, unchanged, removed, absorbed, moved, claimed, unlinked] = counts;
    let columns = report.columns.iter().map(|(title, holds)| format!("{title:?} is {holds:?}")).collect::<Vec<_>>();
    let mut lines = vec![
        format!("written: {}", report.detected.map_or("unreadable".to_owned(), written)),
        format!("columns: {}", shortened(&columns.join(", "))),
        format!(
            "rows: {rows} read, {created} created, {updated} updated, {unchanged} unchanged, {removed} removed, \
             {absorbed} absorbed, {} bad",
            report.bad_rows
        ),
        format!("accounts: {moved} moved, {claimed} claimed, {unlinked} unlinked"),
        format!("{} errors{}", report.errors, if report.is_refused { ", and nothing can be imported" } else { "" }),
    ];
    lines.extend(few(errors.iter().map(spell_problem)));
    lines.push(format!("{} warnings", report.warnings));
    lines.extend(few(warnings.iter().map(spell_problem)));
    lines.push(format!("{} changes", changes.len()));
    lines.extend(few(changes.iter().map(spell_change)));
    if report.is_refused {
        let refused = site.apply_draft(&me(), draft.row.id, ApplyOptions::default()).await;
        assert!(refused.is_err(), "a file that cannot be imported is not applied");
    } else {
        apply(site, &draft, said).await;
        lines.push(again(site, content, said, report.errors).await);
    }
    lines.join("\n")
}

async fn draft(site: &Directory, content: &[u8], said: &Said) -> Draft {
    let new = NewDraft {
        kind: ImportKind::Users,
        file: file(content),
        file_name: "hostile.csv".into(),
        options: said.options(),
        client_mutation_id: None,
        mapping: None,
    };
    let id = site.create_draft(&me(), new).await.unwrap();
    site.finish_draft(id).await;
    let draft = site.draft(id).await.unwrap();
    assert_eq!((draft.row.state, draft.row.message.as_deref()), (DraftState::Ready, None));
    draft
}

/// Applies the rows that can be, and compares the users there are then with what the draft counted.
async fn apply(site: &Site, draft: &Draft, said: &Said) {
    let before: BTreeSet<UserId> = site.index().user_ids().collect();
    let version = site.version();
    let report = draft.report.clone().unwrap();
    assert_eq!(report.removals_to_confirm, said.confirm_removals.or(report.removals_to_confirm));
    let options = ApplyOptions { valid_rows: true, confirm_removals: report.removals_to_confirm };
    site.apply_draft(&me(), draft.row.id, options).await.unwrap();
    let after: BTreeSet<UserId> = site.index().user_ids().collect();
    assert_eq!(after.difference(&before).count() as u64, report.created);
    assert_eq!(before.difference(&after).count() as u64, report.removed + report.absorbed);
    assert_eq!(site.version(), version + i64::from(report.changes(None) > 0));
}

/// What the same file changes once more: nothing, unless rows of it were left out.
async fn again(site: &Site, content: &[u8], said: &Said, errors: u64) -> String {
    let same = draft(site, content, said).await;
    let report = same.report.clone().unwrap();
    // A row that was left out may be one that can be imported now.
    assert!(report.changes(None) == 0 || errors > 0, "the same file again changes nothing");
    let changes = changes(site, &same).await;
    let told =
        [format!("once more: {} unchanged, {} errors, {} changes", report.unchanged, report.errors, changes.len())];
    told.into_iter().chain(few(changes.iter().map(spell_change))).collect::<Vec<_>>().join("\n")
}

fn counts_of(report: &ImportReport) -> [u64; 9] {
    [
        report.rows,
        report.created,
        report.updated,
        report.unchanged,
        report.removed,
        report.absorbed,
        report.accounts_moved,
        report.accounts_claimed,
        report.accounts_unlinked,
    ]
}

async fn problems(site: &Directory, draft: &Draft, errors: bool) -> Vec<Problem> {
    let page = site.list_draft_problems(draft.row.id, errors, ALL).await.unwrap();
    page.rows.into_iter().map(|(_, problem)| problem).collect()
}

async fn changes(site: &Directory, draft: &Draft) -> Vec<RowChange> {
    let page = site.list_draft_changes(draft.row.id, None, ALL).await.unwrap();
    assert!(!page.has_next);
    page.rows.into_iter().map(|(_, change)| change).collect()
}

fn written(detected: Detected) -> String {
    format!("{}, {:?} between cells", detected.encoding.name(), char::from(detected.delimiter))
}

fn spell_problem(problem: &Problem) -> String {
    let column = problem.column.as_ref().map(|column| format!(" {column:?}")).unwrap_or_default();
    let value = problem.value.as_ref().map(|value| format!(" = {value:?}")).unwrap_or_default();
    format!("  line {}{column}{value} {}: {}", problem.line, problem.code, problem.message)
}

fn spell_change(change: &RowChange) -> String {
    let line = change.line.map_or("no line".to_owned(), |line| format!("line {line}"));
    let cells = change.cells.iter().map(|cell| match (&cell.before, &cell.after) {
        (None, after) => format!("{} {:?}", cell.column, after.as_deref().unwrap_or_default()),
        (before, after) => format!(
            "{} {:?} -> {:?}",
            cell.column,
            before.as_deref().unwrap_or_default(),
            after.as_deref().unwrap_or_default()
        ),
    });
    let notes = change.notes.iter().map(|note| format!("({note})"));
    let told: Vec<String> = cells.chain(notes).collect();
    shortened(&format!("  {line} {:?} {:?}: {}", change.kind, change.detail, told.join(", ")))
}

/// A text as snapshots have it: its beginning, and how long it is.
fn shortened(text: &str) -> String {
    match text.char_indices().nth(600) {
        Some((end, _)) => format!("{}… ({} bytes)", &text[..end], text.len()),
        None => text.to_owned(),
    }
}

/// The first lines, and how many more there are.
fn few(lines: impl ExactSizeIterator<Item = String>) -> Vec<String> {
    let left = lines.len().saturating_sub(50);
    lines.take(50).chain((left > 0).then(|| format!("  and {left} more"))).collect()
}
