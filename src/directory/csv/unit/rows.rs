//! The first reading: which unit each row is of, if its `ID` says so, and where the row puts it.

use std::collections::HashMap;

use entity::OrgUnitId;
use roaring::RoaringBitmap;

use super::header::{Column, Columns};
use super::path::{Key, Keys, TOP};
use crate::directory::csv::problem::Findings;
use crate::directory::csv::{Problem, Reader, Row};
use crate::directory::org_unit::{DEPTH, check_name};
use crate::index::Index;
use crate::record::OrgUnitRecord;
use crate::value::{GlobalId, shorten, split_path};

/// More names than any path needs; a bound on what one cell can cost.
const NAMES: usize = 1_000;

/// What the file has of a unit.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    /// A row that makes a unit, or changes one that its path finds.
    Row,
    /// A row that changes the unit of its `ID`.
    Own,
    /// A row that cannot be imported, or is not to be; the unit stays as it is.
    Untouched,
    /// Nothing.
    Absent,
}

/// What stands above a unit.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Above {
    /// Nothing: it is a root.
    Top,
    /// This unit, wherever that stands.
    Unit(OrgUnitId),
    /// The unit at this path, once the file is imported.
    Path(Key),
}

/// A unit as the file leaves it.
#[derive(Clone, Debug)]
pub(super) struct Node {
    pub(super) kind: Kind,
    /// The line of its row; 0 without one.
    pub(super) line: u64,
    /// The unit; none of a row whose path is to find or make it.
    pub(super) id: Option<OrgUnitId>,
    /// An `ID` that names no unit, so that the path must.
    pub(super) stale_id: Option<String>,
    pub(super) above: Above,
    pub(super) name: String,
    /// What the row says of where the unit stands, shortened; empty where it says nothing.
    pub(super) said: String,
}

impl Node {
    /// A unit that stays where it is.
    pub(super) fn standing(kind: Kind, line: u64, unit: &OrgUnitRecord) -> Self {
        Self {
            kind,
            line,
            id: Some(unit.row.id),
            stale_id: None,
            above: unit.row.parent_id.map_or(Above::Top, Above::Unit),
            name: unit.row.name.clone(),
            said: String::new(),
        }
    }
}

/// What the first reading finds.
pub(super) struct Rows {
    pub(super) nodes: Vec<Node>,
    /// By the number of a row its node; rows without cells are not counted.
    pub(super) by_number: Vec<Option<usize>>,
    pub(super) by_unit: HashMap<OrgUnitId, usize>,
    pub(super) keys: Keys,
    /// The units of the directory by where they stand before the import.
    pub(super) before: HashMap<Key, OrgUnitId>,
}

/// Reads the file once. Rows on the lines to `skip` leave their units as they are; problems of syntax are noted here
/// and in no later reading.
pub(super) fn read_rows(
    reader: &mut Reader,
    columns: &Columns,
    index: &Index,
    skip: &RoaringBitmap,
    findings: &mut Findings,
) -> Rows {
    let mut search = Search::new(columns, index, findings);
    let mut row = Row::default();
    let is_in = |line: u64| u32::try_from(line).is_ok_and(|line| skip.contains(line));
    loop {
        let node = match reader.next(&mut row) {
            Ok(false) => break,
            Ok(true) if is_in(row.line()) => search.untouched(&row),
            Ok(true) => match search.node(&row) {
                Ok(node) => Some(node),
                Err(problem) => {
                    search.findings.error(problem);
                    search.untouched(&row)
                }
            },
            Err(problem) if reader.is_broken() => {
                search.findings.refuse(problem);
                break;
            }
            Err(problem) => {
                if !is_in(problem.line) {
                    search.findings.error(problem);
                }
                search.untouched(&row)
            }
        };
        search.add(node);
    }
    reader.warning().into_iter().for_each(|warning| search.findings.warn(warning));
    search.rows
}

struct Search<'a> {
    columns: &'a Columns,
    index: &'a Index,
    findings: &'a mut Findings,
    rows: Rows,
    /// Where each unit stands before the import.
    places: HashMap<OrgUnitId, Key>,
}

impl<'a> Search<'a> {
    fn new(columns: &'a Columns, index: &'a Index, findings: &'a mut Findings) -> Self {
        let (mut keys, mut before, mut places) = (Keys::default(), HashMap::new(), HashMap::new());
        let mut waiting = vec![(TOP, None)];
        while let Some((above, id)) = waiting.pop() {
            for unit in index.org_unit_children(id).iter().filter_map(|id| index.org_unit(*id)) {
                let key = keys.below(above, &unit.row.name);
                before.insert(key, unit.row.id);
                places.insert(unit.row.id, key);
                waiting.push((key, Some(unit.row.id)));
            }
        }
        let rows = Rows { nodes: Vec::new(), by_number: Vec::new(), by_unit: HashMap::new(), keys, before };
        Self { columns, index, findings, rows, places }
    }

    fn add(&mut self, node: Option<Node>) {
        let at = self.rows.nodes.len();
        self.rows.by_number.push(node.is_some().then_some(at));
        if let Some(node) = node {
            self.rows.by_unit.extend(node.id.map(|id| (id, at)));
            self.rows.nodes.push(node);
        }
    }

    fn node(&mut self, row: &Row) -> Result<Node, Problem> {
        let line = row.line();
        let id = self.columns.cell(row, Column::Id).unwrap_or_default();
        let refuse = |code, message: String| Err(self.columns.problem(line, &[Column::Id], (code, message), id));
        let unit = match OrgUnitId::parse(id) {
            _ if id.is_empty() => None,
            Ok(known) => self.index.org_unit(known),
            Err(why) => return refuse("UNKNOWN_ID", why),
        };
        if let Some(first) = unit.and_then(|unit| self.rows.by_unit.get(&unit.row.id)) {
            let first = self.rows.nodes[*first].line;
            return refuse("DUPLICATE_UNIT", format!("line {first} is of the same unit; keep one of the two rows"));
        }
        if let Some(unit) = unit
            && ![Column::Path, Column::Name, Column::Parent].into_iter().any(|column| self.columns.has(column))
        {
            return Ok(Node::standing(Kind::Own, line, unit));
        }
        let (above, name, said) = self.place(row, unit.map(AsRef::as_ref))?;
        let mut violations = Vec::new();
        let name = check_name(&name, &mut violations);
        for violation in violations {
            let about = (violation.code, violation.message);
            let problem = self.columns.problem(line, &[Column::Path, Column::Name, Column::Id], about, &name);
            self.findings.error(problem);
        }
        let (kind, id, stale_id) = match unit {
            Some(unit) => (Kind::Own, Some(unit.row.id), None),
            None => (Kind::Row, None, Some(id.to_owned()).filter(|id| !id.is_empty())),
        };
        Ok(Node { kind, line, id, stale_id, above, name, said })
    }

    /// What stands above the unit of a row, its name, and how the row says so.
    fn place(&mut self, row: &Row, unit: Option<&OrgUnitRecord>) -> Result<(Above, String, String), Problem> {
        if let Some(path) = self.columns.cell(row, Column::Path) {
            let mut names = self.names(row, Column::Path, path)?;
            let name = names.pop().unwrap_or_default();
            return Ok((self.above(&names), name, shorten(path)));
        }
        let name = match (self.columns.cell(row, Column::Name), unit) {
            (Some(name), _) => name.to_owned(),
            (None, Some(unit)) => unit.row.name.clone(),
            (None, None) => {
                let message = "a new unit needs a path or a name; add the column, or correct the id".to_owned();
                return Err(self.columns.problem(row.line(), &[Column::Id], ("REQUIRED", message), ""));
            }
        };
        let Some(parent) = self.columns.cell(row, Column::Parent) else {
            let above = unit.and_then(|unit| unit.row.parent_id).map_or(Above::Top, Above::Unit);
            return Ok((above, name.clone(), shorten(&name)));
        };
        let above = match OrgUnitId::parse(parent) {
            _ if parent.is_empty() => Above::Top,
            Ok(id) if self.index.org_unit(id).is_some() => Above::Unit(id),
            Ok(_) => {
                let about =
                    ("UNKNOWN_PARENT", "there is no org unit with this id; write another id, or a path".to_owned());
                return Err(self.columns.problem(row.line(), &[Column::Parent], about, parent));
            }
            Err(_) => {
                let names = self.names(row, Column::Parent, parent)?;
                self.above(&names)
            }
        };
        let said = if parent.is_empty() { shorten(&name) } else { shorten(parent) };
        Ok((above, name, said))
    }

    fn names(&self, row: &Row, column: Column, path: &str) -> Result<Vec<String>, Problem> {
        let names = split_path(path);
        let about = if path.is_empty() {
            ("REQUIRED", "a unit needs a path, such as `Engineering/Platform`; fill the cell".to_owned())
        } else if names.iter().any(String::is_empty) {
            let message = "a name is missing before, after or between `/`; a `/` within a name is written as `\\/`";
            ("NOT_A_PATH", message.to_owned())
        } else if names.len() > NAMES {
            ("LIMIT_EXCEEDED", format!("org units nest at most {DEPTH} deep; this path has {} names", names.len()))
        } else {
            return Ok(names);
        };
        Err(self.columns.problem(row.line(), &[column], about, path))
    }

    fn above(&mut self, names: &[String]) -> Above {
        let key = names.iter().fold(TOP, |above, name| self.rows.keys.below(above, name));
        if key == TOP { Above::Top } else { Above::Path(key) }
    }

    /// The unit of a row that is not imported, if no other row is of it.
    fn untouched(&mut self, row: &Row) -> Option<Node> {
        let id = self.columns.cell(row, Column::Id).and_then(|id| OrgUnitId::parse(id).ok());
        let unit = id.and_then(|id| self.index.org_unit(id)).map(AsRef::as_ref).or_else(|| self.at_place(row))?;
        let is_taken = self.rows.by_unit.contains_key(&unit.row.id);
        (!is_taken).then(|| Node::standing(Kind::Untouched, row.line(), unit))
    }

    /// The unit that stands where a row puts it already.
    fn at_place(&mut self, row: &Row) -> Option<&'a OrgUnitRecord> {
        let (above, name, _) = self.place(row, None).ok()?;
        let above = match above {
            Above::Top => TOP,
            Above::Path(key) => key,
            Above::Unit(id) => *self.places.get(&id)?,
        };
        let key = self.rows.keys.below(above, &name);
        self.index.org_unit(*self.rows.before.get(&key)?).map(AsRef::as_ref)
    }
}
