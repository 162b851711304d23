//! The comparison of a file of org units with the directory: what every row changes, worked out without changing anything.
//!
//! The file is read twice: for whose the rows are and where their units will stand, and then to compare. All units that
//! change come in one step, since names and places that some leave are taken by others.

use std::cell::Cell;
use std::sync::Arc;
use std::sync::atomic::Ordering;

use entity::OrgUnitId;
use entity::org_unit::{self, OrgUnitScope};
use sea_orm::ActiveEnum;

use super::cells::{Wrong, read_filter, read_scope, read_users, show_filter, show_stored, show_users};
use super::check::{check_tree, remove};
use super::header::{Column, Columns};
use super::rows::{Kind, Node, read_rows};
use super::tree::Tree;
use crate::directory::association::Stamp;
use crate::directory::attribute::{LONGEST_DESCRIPTION, check_text};
use crate::directory::csv::change::{CellChange, ChangeKind, RowChange};
use crate::directory::csv::compare::{Outcome, Output, Source, blocking};
use crate::directory::csv::import::ImportReport;
use crate::directory::csv::plan::Step;
use crate::directory::csv::problem::Findings;
use crate::directory::csv::rows::{each_row, open};
use crate::directory::csv::{Limits, Problem, Reader, Row};
use crate::directory::org_unit::{ORG_UNITS, read_stored};
use crate::directory::{Directory, Result};
use crate::filter::Filter;
use crate::filter::Stored;
use crate::filter::text::{Names, print};
use crate::index::{Index, OrgUnitShape};
use crate::record::{OrgUnitRecord, Record};
use crate::value::{GlobalId, fold, shorten};

/// The longest cell, in bytes, and row: a filter of many values, or ten thousand pinned users.
const LONGEST: usize = 16 << 20;

/// What a file of org units may be at most, of which so much is said.
pub(in crate::directory::csv) fn unit_limits(limits: Limits) -> Limits {
    Limits { record: LONGEST, cell: LONGEST, rows: ORG_UNITS as u64, ..limits }
}

/// What one row makes of its unit.
pub(super) struct Planned {
    line: u64,
    pub(super) shape: OrgUnitShape,
    /// The unit after, and before unless it is new; none where nothing changes.
    change: Option<(Option<Arc<OrgUnitRecord>>, OrgUnitRecord)>,
}

/// Compares a file with the directory as `index` has it.
///
/// What is wrong with the file is data in the findings, not an error.
pub(in crate::directory::csv) async fn compare_units<O: Output>(
    directory: &Directory,
    (index, stamp): (Index, Stamp),
    source: &Source,
    kept: usize,
    output: &mut O,
) -> Result<Outcome> {
    let mut comparison = Comparison {
        source: source.clone(),
        clock: directory.clock().clone(),
        report: ImportReport { version: index.version(), ..ImportReport::default() },
        findings: Findings::keeping(kept),
        tells: O::TELLS,
        index,
        stamp,
    };
    let (outcome, step) = blocking(move || {
        let step = comparison.run();
        (Outcome { report: comparison.report, findings: comparison.findings }, step)
    })
    .await?;
    if O::TELLS || outcome.findings.errors.is_empty() {
        output.take(step).await?;
    }
    Ok(outcome)
}

/// A comparison under way.
struct Comparison {
    source: Source,
    clock: crate::directory::Clock,
    index: Index,
    stamp: Stamp,
    tells: bool,
    report: ImportReport,
    findings: Findings,
}

impl Comparison {
    fn run(&mut self) -> Step {
        let Some((mut reader, columns)) = self.open() else { return Step::default() };
        let rows = read_rows(&mut reader, &columns, &self.index, &self.source.skip, &mut self.findings);
        self.report.rows = rows.by_number.len() as u64;
        self.source.options.total.store(self.report.rows, Ordering::Relaxed);
        let mode = self.source.options.mode;
        let tree = Tree::settle(rows, (&columns, &self.index, &self.clock), mode, &mut self.findings);
        let planned = self.plan(&columns, &tree);
        let shapes = planned.iter().map(|planned| planned.shape.clone()).collect();
        check_tree(&tree, &self.index, &columns, shapes, &mut self.findings);
        self.source.options.progress.fetch_add(self.report.rows, Ordering::Relaxed);
        let confirmed = self.source.options.confirm_removals;
        let may_remove =
            remove(&tree, &self.index, confirmed, self.source.guards_removals, &mut self.report, &mut self.findings);
        let index = self.index.clone();
        index.with_org_units(&|path| Some(tree.at(path)?.0), &|id| tree.path_of(id), |names| {
            let mut step = self.step(planned, &tree, names);
            if may_remove {
                self.leave(&tree, names, &mut step);
            }
            step
        })
    }

    /// The file at its first row, and its columns; none where it cannot be read at all.
    fn open(&mut self) -> Option<(Reader, Columns)> {
        let reader = self.reader()?;
        self.report.detected = Some(reader.detected());
        let header = reader.header();
        for (title, _) in &self.source.options.new_attributes {
            let message = "a file of org units makes no attributes; take this one out of the options";
            self.findings.refuse(Problem::new(header.line(), "NEW_ATTRIBUTE", message).in_column(Some(title)));
        }
        match Columns::find(header, &self.source.options.mapping) {
            Ok(columns) => {
                self.report.columns = columns.describe();
                (!self.findings.is_refused).then_some((reader, columns))
            }
            Err(problems) => {
                problems.into_iter().for_each(|problem| self.findings.refuse(problem));
                None
            }
        }
    }

    fn reader(&mut self) -> Option<Reader> {
        open(&self.source.file, &self.source.options).map_err(|problem| self.findings.refuse(problem)).ok()
    }

    /// Reads the file once more, for what each row makes of its unit.
    fn plan(&mut self, columns: &Columns, tree: &Tree) -> Vec<Planned> {
        let Some(mut reader) = self.reader() else { return Vec::new() };
        let Self { index, stamp, findings, .. } = self;
        let mut planned = Vec::new();
        let mut seen = 0;
        let uses_old_path = Cell::new(false);
        let at = |path: &str| {
            let (unit, is_old) = tree.at(path)?;
            uses_old_path.set(uses_old_path.get() || is_old);
            Some(unit)
        };
        index.with_org_units(&at, &|id| tree.path_of(id), |names| {
            let uses_old_path = &uses_old_path;
            let mut planner = Planner { columns, tree, index, stamp, names, uses_old_path, findings };
            each_row(&mut reader, |number, row| {
                seen += 1;
                if let (Some(row), Some(node)) = (row, tree.of_row(number)) {
                    planned.extend(planner.plan(row, node));
                }
                true
            });
        });
        if seen != self.report.rows && !self.findings.is_refused {
            let message = "the file could not be read to its end a second time; send it again";
            self.findings.refuse(Problem::new(1, "UNREADABLE", message));
        }
        planned
    }

    /// Counts what changes, and gives it.
    fn step(&mut self, planned: Vec<Planned>, tree: &Tree, names: &Names<'_>) -> Step {
        let mut step = Step::default();
        for Planned { line, change, .. } in planned.into_iter().filter(|row| !self.findings.is_bad(row.line)) {
            let Some((before, after)) = change else {
                self.report.unchanged += 1;
                continue;
            };
            let before = before.map(|before| before.as_ref().clone());
            let kind = if before.is_some() { ChangeKind::Updated } else { ChangeKind::Created };
            match kind {
                ChangeKind::Created => self.report.created += 1,
                _ => self.report.updated += 1,
            }
            if self.tells {
                let place = (Some(line), tree.path(after.row.id));
                step.changes.push(self.tell(kind, place, (before.as_ref(), Some(&after)), (tree, names)));
            }
            step.records.push((before.map(Record::OrgUnit), Some(Record::OrgUnit(after))));
        }
        step
    }

    /// Puts the units that go.
    fn leave(&self, tree: &Tree, names: &Names<'_>, step: &mut Step) {
        for before in tree.removed.iter().filter_map(|id| self.index.org_unit(*id)) {
            if self.tells {
                let place = (None, self.index.path(before.row.id));
                step.changes.push(self.tell(ChangeKind::Removed, place, (Some(before), None), (tree, names)));
            }
            step.records.push((Some(Record::OrgUnit(before.as_ref().clone())), None));
        }
    }

    fn tell(
        &self,
        kind: ChangeKind,
        (line, path): (Option<u64>, String),
        (before, after): States<'_>,
        (tree, names): (&Tree, &Names<'_>),
    ) -> RowChange {
        let name = after.or(before).map(|unit| unit.row.name.clone()).unwrap_or_default();
        let record = before.map(|before| before.row.id.to_global());
        let cells = cells((before, after), &self.index, (tree, names));
        RowChange { line, kind, record, label: name, detail: path, cells, notes: Vec::new() }
    }
}

/// A unit before and after.
type States<'a> = (Option<&'a OrgUnitRecord>, Option<&'a OrgUnitRecord>);

/// The columns in which two states of a unit differ. Units are named by the paths at which they stand before, and after;
/// where both are the same path of two units, by those at which they stand after.
fn cells((before, after): States<'_>, index: &Index, (tree, names): (&Tree, &Names<'_>)) -> Vec<CellChange> {
    let both = |show: &dyn Fn(&OrgUnitRecord) -> String| (before.map(show), after.map(show));
    let columns = [
        (Column::Name, both(&|unit| unit.row.name.clone())),
        (Column::Description, both(&|unit| unit.row.description.clone())),
        (Column::Scope, both(&|unit| unit.row.scope.to_value())),
        (Column::Filter, filters((before, after), index, names)),
        (Column::Pinned, both(&|unit| show_users(&unit.pinned, index))),
        (Column::Excluded, both(&|unit| show_users(&unit.excluded, index))),
        (Column::Parent, parents((before, after), index, tree)),
    ];
    let text = |cell: Option<String>| cell.filter(|cell| !cell.is_empty());
    let cells = columns.into_iter().map(|(column, (before, after))| CellChange {
        column: column.title().to_owned(),
        before: text(before),
        after: text(after),
    });
    cells.filter(|cell| cell.before != cell.after).collect()
}

/// The filters of two states of a unit as text; none where they are the same.
fn filters((before, after): States<'_>, index: &Index, names: &Names<'_>) -> (Option<String>, Option<String>) {
    let stored = |unit: Option<&OrgUnitRecord>| unit.and_then(|unit| unit.row.filter.clone());
    let (old, new) = (stored(before), stored(after));
    if old == new {
        return (None, None);
    }
    let now = |filter: &Filter| print(filter, names);
    let after = show_stored(new.as_ref(), &now);
    let before = show_stored(old.as_ref(), &|filter| index.filter_text(filter));
    let before = if before == after { show_stored(old.as_ref(), &now) } else { before };
    (Some(before), Some(after))
}

/// The paths of the units above in two states of a unit; none where that is the same unit.
fn parents((before, after): States<'_>, index: &Index, tree: &Tree) -> (Option<String>, Option<String>) {
    let above = |unit: Option<&OrgUnitRecord>| unit.and_then(|unit| unit.row.parent_id);
    let (old, new) = (above(before), above(after));
    if old == new {
        return (None, None);
    }
    let (before, after) = (old.map(|unit| index.path(unit)), new.map(|unit| tree.path(unit)));
    let before = if before == after { old.map(|unit| tree.path(unit)) } else { before };
    (before, after)
}

/// What is needed to compare a row.
struct Planner<'a> {
    columns: &'a Columns,
    tree: &'a Tree,
    index: &'a Index,
    stamp: &'a Stamp,
    names: &'a Names<'a>,
    /// Set where a path is read as one of the tree before.
    uses_old_path: &'a Cell<bool>,
    findings: &'a mut Findings,
}

impl Planner<'_> {
    fn plan(&mut self, row: &Row, node: &Node) -> Option<Planned> {
        let id = node.id.filter(|_| node.kind != Kind::Untouched)?;
        let before = self.index.org_unit(id).cloned();
        let mut after = before.as_deref().cloned().unwrap_or_else(|| new_unit(id, self.stamp));
        after.row.name.clone_from(&node.name);
        after.row.name_key = fold(&node.name);
        after.row.parent_id = self.tree.parent(id);
        if let Some(cell) = self.columns.cell(row, Column::Description) {
            let mut violations = Vec::new();
            after.row.description = check_text(cell, "description", 0, LONGEST_DESCRIPTION, &mut violations);
            for violation in violations {
                self.refuse(row, &[Column::Description], (violation.code, violation.message), cell);
            }
        }
        match self.columns.cell(row, Column::Scope).map(|cell| (cell, read_scope(cell))) {
            None => {}
            Some((_, Ok(scope))) => after.row.scope = scope,
            Some((cell, Err(wrong))) => self.refuse(row, &[Column::Scope], wrong, cell),
        }
        let is_bad = self.findings.is_bad(row.line());
        if after.row.parent_id.is_none() && after.row.scope == OrgUnitScope::Parent && !is_bad {
            let message = "a root has no parent to select among; write `ALL` in the column `Scope`".to_owned();
            let columns = [Column::Scope, Column::Path, Column::Parent, Column::Id];
            self.refuse(row, &columns, ("NO_PARENT", message), &after.row.scope.to_value());
        }
        let asks = self.filter(row, &mut after);
        self.users(row, &mut after);
        let shape = OrgUnitShape { id, parent_id: after.row.parent_id, scope: after.row.scope, asks };
        let change = (before.as_deref() != Some(&after)).then_some((before, after));
        Some(Planned { line: row.line(), shape, change })
    }

    /// Sets the filter that the row gives; gives the units that the filter asks about.
    fn filter(&mut self, row: &Row, after: &mut OrgUnitRecord) -> Vec<(OrgUnitId, bool)> {
        let stored = self.index.org_unit_filter(after.row.id);
        let asked = || stored.iter().flat_map(|filter| filter.org_units()).collect();
        let Some(cell) = self.columns.cell(row, Column::Filter) else { return asked() };
        let before = after.row.filter.take();
        // What an export says means no change: neither where units that it names by their paths leave these, nor where a
        // filter that was right when it was stored is so no more.
        if cell == show_stored(before.as_ref(), &|filter| self.index.filter_text(filter)) {
            after.row.filter = before;
            let now = show_stored(after.row.filter.as_ref(), &|filter| print(filter, self.names));
            if now != cell {
                self.warn_of_old_path(row, cell, &now);
            }
            return asked();
        }
        if cell.is_empty() {
            return Vec::new();
        }
        self.uses_old_path.set(false);
        match read_filter(cell, self.names) {
            Ok((filter, checked)) => {
                let now = show_filter(&filter, &|filter| print(filter, self.names));
                if self.uses_old_path.get() {
                    self.warn_of_old_path(row, cell, &now);
                }
                let is_same = |stored: &serde_json::Value| {
                    let old = read_stored(stored.clone()).ok();
                    old.is_some_and(|old| show_filter(&old, &|filter| print(filter, self.names)) == now)
                };
                after.row.filter = match before.filter(is_same) {
                    Some(before) => Some(before),
                    None => serde_json::to_value(Stored { v: 1, filter }).ok(),
                };
                checked.org_units().collect()
            }
            Err(wrong) => {
                for wrong in wrong {
                    self.refuse(row, &[Column::Filter], wrong, cell);
                }
                Vec::new()
            }
        }
    }

    fn warn_of_old_path(&mut self, row: &Row, cell: &str, now: &str) {
        let message = format!(
            "the filter names an org unit by the path at which it stood before, and keeps naming that unit: write `{}`",
            shorten(now)
        );
        self.findings.warn(self.columns.problem(row.line(), &[Column::Filter], ("OLD_PATH", message), cell));
    }

    /// Sets the pinned and excluded users that the row gives.
    fn users(&mut self, row: &Row, after: &mut OrgUnitRecord) {
        for column in [Column::Pinned, Column::Excluded] {
            let Some(cell) = self.columns.cell(row, column) else { continue };
            let (users, unknown) = read_users(cell, self.index);
            for name in unknown {
                let message = "there is no such user; write emails or user ids, with `;` between them".to_owned();
                self.refuse(row, &[column], ("UNKNOWN_USER", message), name);
            }
            match column {
                Column::Pinned => after.pinned = users,
                _ => after.excluded = users,
            }
        }
        let both = after.pinned.intersection(&after.excluded).copied().collect();
        let both = show_users(&both, self.index);
        if !both.is_empty() {
            let message = "a user cannot be pinned and excluded; take it out of one of the two".to_owned();
            let columns = [Column::Excluded, Column::Pinned, Column::Path, Column::Name, Column::Id];
            self.refuse(row, &columns, ("CONTRADICTION", message), &both);
        }
    }

    fn refuse(&mut self, row: &Row, columns: &[Column], wrong: Wrong, value: &str) {
        self.findings.error(self.columns.problem(row.line(), columns, wrong, value));
    }
}

/// A unit that is to be made, without what its row says.
fn new_unit(id: OrgUnitId, stamp: &Stamp) -> OrgUnitRecord {
    OrgUnitRecord {
        row: org_unit::Model {
            id,
            parent_id: None,
            name: String::new(),
            name_key: String::new(),
            description: String::new(),
            scope: OrgUnitScope::All,
            filter: None,
            origin: None,
            version: stamp.number,
            created_at: stamp.now,
            updated_at: stamp.now,
        },
        pinned: Default::default(),
        excluded: Default::default(),
    }
}
