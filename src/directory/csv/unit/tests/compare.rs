//! What a comparison tells beside the records, and what becomes of rows that are left out.

use std::io::{Seek, Write};
use std::sync::Arc;

use entity::import_draft::ImportKind;
use roaring::RoaringBitmap;

use crate::database::{Database, Options};
use crate::directory::association::Stamp;
use crate::directory::csv::compare::{Outcome, Output, Source};
use crate::directory::csv::import::{ImportMode, ImportOptions};
use crate::directory::csv::plan::Step;
use crate::directory::csv::unit::compare_units;
use crate::directory::{Actor, Clock, Directory, Result};
use crate::value::GlobalId;

/// Keeps what it is told.
#[derive(Default)]
struct Told(Step);

impl Output for Told {
    const TELLS: bool = true;

    async fn free_emails(&mut self, _: Vec<String>) -> Result<()> {
        Ok(())
    }

    async fn take(&mut self, step: Step) -> Result<()> {
        self.0 = step;
        Ok(())
    }

    async fn begin_again(&mut self) -> Result<()> {
        Ok(())
    }
}

fn source(content: &str, mode: ImportMode, skip: &[u32]) -> Source {
    let mut file = tempfile::tempfile().unwrap();
    file.write_all(content.as_bytes()).unwrap();
    file.rewind().unwrap();
    let options = ImportOptions { mode, ..ImportOptions::default() };
    Source {
        skip: RoaringBitmap::from_iter(skip.iter().copied()),
        guards_removals: false,
        ..Source::new(Arc::new(file), ImportKind::OrgUnits, options)
    }
}

async fn compare(directory: &Directory, source: &Source) -> (Outcome, Step) {
    let stamp = Stamp { number: 0, now: directory.clock().now(), actor: Actor("me".into()) };
    let mut told = Told::default();
    let outcome = compare_units(directory, (directory.snapshot(), stamp), source, 10, &mut told).await.unwrap();
    (outcome, told.0)
}

/// The changes, one a text, with the ids of units as `ID`.
fn changes(directory: &Directory, step: &Step) -> Vec<String> {
    let ids: Vec<String> = directory.index().org_units().map(|unit| unit.row.id.to_global()).collect();
    let text = |change| ids.iter().fold(serde_json::to_string(change).unwrap(), |text, id| text.replace(id, "ID"));
    step.changes.iter().map(text).collect()
}

/// Runs `test` on a directory with the units A, A/B and C.
fn on_units(test: &impl AsyncFn(&Directory)) {
    let folder = tempfile::tempdir().unwrap();
    let url = format!("sqlite:{}", folder.path().join("roster.db").display());
    tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap().block_on(async {
        let options = Options::to(url);
        let directory = Directory::open(Database::open(&options).await.unwrap(), Clock::stepped()).await.unwrap();
        let file = source("Path\nA/B\nA\nC\n", ImportMode::Merge, &[]).file;
        let file = Arc::into_inner(file).unwrap();
        directory.import_org_units(&Actor("me".into()), file, ImportOptions::default()).await.unwrap();
        test(&directory).await;
    });
}

fn id(directory: &Directory, path: &[&str]) -> String {
    directory.index().org_unit_at(path).unwrap().row.id.to_global()
}

#[test]
fn a_comparison_tells_what_changes_column_by_column() {
    on_units(&async |directory: &Directory| {
        let content =
            format!("ID,Path,Scope,Description\n{},D/B,PARENT,new\n,D,,\n,A,ALL,\n", id(directory, &["A", "B"]));
        let (outcome, step) = compare(directory, &source(&content, ImportMode::Replace, &[])).await;
        assert!(outcome.findings.errors.is_empty());
        assert_eq!((outcome.report.removed, outcome.report.removals_to_confirm), (1, Some(1)));
        assert_eq!(step.records.len(), 3);
        let expected = [
            r#"{"line":2,"kind":"UPDATED","record":"ID","label":"B","detail":"D/B","cells":[{"column":"Description","before":null,"after":"new"},{"column":"Scope","before":"ALL","after":"PARENT"},{"column":"Parent","before":"A","after":"D"}],"notes":[]}"#,
            r#"{"line":3,"kind":"CREATED","record":null,"label":"D","detail":"D","cells":[{"column":"Name","before":null,"after":"D"},{"column":"Scope","before":null,"after":"ALL"}],"notes":[]}"#,
            r#"{"line":null,"kind":"REMOVED","record":"ID","label":"C","detail":"C","cells":[{"column":"Name","before":"C","after":null},{"column":"Scope","before":"ALL","after":null}],"notes":[]}"#,
        ];
        assert_eq!(changes(directory, &step), expected);
    });
}

#[test]
fn rows_that_are_left_out_leave_their_units_as_they_are() {
    on_units(&async |directory: &Directory| {
        let content = format!("ID,Path,Scope\n{},X,x\n,A/B,x\n,C,ALL\n,E/F,ALL\n,E,x\n", id(directory, &["A"]));
        let (outcome, step) = compare(directory, &source(&content, ImportMode::Replace, &[])).await;
        assert_eq!(outcome.findings.bad.iter().collect::<Vec<_>>(), [2, 3, 6]);
        assert_eq!(step.changes.iter().filter_map(|change| change.line).collect::<Vec<_>>(), [5]);
        // Without the row of its parent, another row is wrong; without that, the rest is right.
        let (outcome, _) = compare(directory, &source(&content, ImportMode::Replace, &[2, 3, 6])).await;
        assert_eq!(outcome.findings.bad.iter().collect::<Vec<_>>(), [5]);
        let (outcome, step) = compare(directory, &source(&content, ImportMode::Replace, &[2, 3, 5, 6])).await;
        assert!(outcome.findings.errors.is_empty());
        assert_eq!((outcome.report.removed, outcome.report.unchanged, step.records.len()), (0, 1, 0));
    });
}
