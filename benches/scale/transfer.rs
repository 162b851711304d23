//! Import and export of everybody.

use std::fs::File;
use std::path::Path;
use std::time::Instant;

use roster::directory::UndoOptions;
use roster::directory::csv::{ExportOptions, ImportOptions};

use crate::Place;
use crate::data::{create_attributes, me, open};
use crate::process::{Said, memory, run, say};
use crate::table::Table;

/// Imports the file into an empty directory, and once more.
pub(crate) async fn import(url: &str, file: &Path) {
    let directory = open(url).await;
    create_attributes(&directory).await;
    let at = Instant::now();
    let report = directory.import_users(&me(), File::open(file).unwrap(), ImportOptions::default()).await.unwrap();
    say("seconds", at.elapsed().as_secs_f64());
    assert!(report.applied, "{:?}", report.errors.listed.first());
    say("peak", memory("self", "VmHWM"));
    say("after", memory("self", "VmRSS"));
    let at = Instant::now();
    let again = directory.import_users(&me(), File::open(file).unwrap(), ImportOptions::default()).await.unwrap();
    say("again", at.elapsed().as_secs_f64());
    assert_eq!(again.unchanged, report.created);
}

/// Imports the file into an empty directory, then the one that comes after it, and undoes both.
pub(crate) async fn undo(url: &str, file: &Path, next: &Path) {
    let directory = open(url).await;
    create_attributes(&directory).await;
    let mut made = Vec::new();
    for (name, file) in [("import", file), ("next", next)] {
        let at = Instant::now();
        let report = directory.import_users(&me(), File::open(file).unwrap(), ImportOptions::default()).await.unwrap();
        say(name, at.elapsed().as_secs_f64());
        assert!(report.applied, "{:?}", report.errors.listed.first());
        made.push(report.version);
    }
    std::fs::write("/proc/self/clear_refs", "5").unwrap();
    for (name, number) in ["undo_next", "undo"].into_iter().zip(made.into_iter().rev()) {
        let at = Instant::now();
        let options = UndoOptions { number, ..UndoOptions::default() };
        let report = directory.undo_changeset(&me(), options).await.unwrap();
        say(name, at.elapsed().as_secs_f64());
        assert!(report.applied, "{:?}", report.blocked.first());
    }
    say("peak", memory("self", "VmHWM"));
    assert_eq!(directory.index().user_count(), 0);
}

/// Exports everybody.
pub(crate) async fn export(url: &str) {
    let directory = open(url).await;
    let before = memory("self", "VmHWM");
    let at = Instant::now();
    let mut export = directory.export_users(&ExportOptions::default()).await.unwrap();
    let mut first = None;
    while export.next().await.unwrap().is_some() {
        first.get_or_insert_with(|| at.elapsed().as_secs_f64());
    }
    say("seconds", at.elapsed().as_secs_f64());
    say("first", first.unwrap());
    say("growth", memory("self", "VmHWM") - before);
}

/// Imports, and exports what was imported. Gives the seconds of the import.
pub(crate) fn measure(table: &mut Table, place: &Place, file: &Path, users: u64) -> f64 {
    let said: Said = run(&["import", &place.url, file.to_str().unwrap()]);
    let (seconds, peak) = (said.number("seconds"), said.number("peak"));
    table.row(
        format!("import of {users} rows, {}", place.name),
        "<= 60 s, RSS <= 600 MB with the index",
        format!("{seconds:.1} s, RSS at most {peak:.0} MB, afterwards {:.0} MB", said.number("after")),
        seconds <= 60.0 && peak <= 600.0,
    );
    table.note(
        format!("the same file again, nothing to change, {}", place.name),
        format!("{:.1} s", said.number("again")),
    );
    measure_export(table, place, users, "no accounts");
    seconds
}

/// Imports into an empty directory of its own, changes one row in a hundred, and undoes both.
pub(crate) fn measure_undo(table: &mut Table, place: &Place, (file, next): (&Path, &Path), users: u64) {
    let said = run(&["undo", &place.url, file.to_str().unwrap(), next.to_str().unwrap()]);
    let (import, undo) = (said.number("import"), said.number("undo"));
    table.row(
        format!("the same file with 1 % of its rows changed, {}", place.name),
        "<= 15 s",
        format!("{:.1} s", said.number("next")),
        said.number("next") <= 15.0,
    );
    table.note(format!("undo of those changes, {}", place.name), format!("{:.1} s", said.number("undo_next")));
    table.row(
        format!("undo of the import of {users} rows, {}", place.name),
        "<= 1x the import, RSS <= 600 MB",
        format!("{:.2}x ({undo:.1} s against {import:.1} s), RSS at most {:.0} MB", undo / import, said.number("peak")),
        undo <= import && said.number("peak") <= 600.0,
    );
}

/// Exports everybody, as things are.
pub(crate) fn measure_export(table: &mut Table, place: &Place, users: u64, with: &str) {
    let said = run(&["export", &place.url]);
    let (first, growth) = (said.number("first"), said.number("growth"));
    #[expect(clippy::cast_precision_loss, reason = "a rate")]
    let rate = users as f64 / said.number("seconds");
    table.row(
        format!("export of {users} rows, {with}, {}", place.name),
        "first byte <= 1 s, >= 100,000 rows/s, constant memory over the index",
        format!("first byte {:.0} ms, {rate:.0} rows/s, {growth:.0} MB over the peak before", first * 1e3),
        first <= 1.0 && rate >= 100_000.0 && growth <= 64.0,
    );
}
