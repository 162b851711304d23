//! From the header row to what each column holds. The titles are fixed, where no mapping says otherwise; case and blanks
//! around them do not matter.

use std::collections::HashSet;

use serde::{Deserialize, Serialize};

use crate::directory::csv::errors::TITLES;
use crate::directory::csv::header::suggest;
use crate::directory::csv::{ColumnSource, Mapping, Problem, Row};
use crate::value::{fold, shorten};

/// What a column of a file of org units holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum Column {
    /// The unit's id, by which the row is matched.
    Id,
    /// The names from the root down to it.
    Path,
    /// Its name.
    Name,
    /// The id or the path of the unit above.
    Parent,
    /// What it is for.
    Description,
    /// Among whom its filter selects.
    Scope,
    /// Its filter.
    Filter,
    /// The users who are members whatever the filter says.
    Pinned,
    /// The users who are never members.
    Excluded,
}

impl Column {
    const ALL: [Self; 9] = [
        Self::Id,
        Self::Path,
        Self::Name,
        Self::Parent,
        Self::Description,
        Self::Scope,
        Self::Filter,
        Self::Pinned,
        Self::Excluded,
    ];

    /// The columns of an export: with the path neither name nor parent need one.
    pub(super) const EXPORTED: [Self; 7] =
        [Self::Id, Self::Path, Self::Description, Self::Scope, Self::Filter, Self::Pinned, Self::Excluded];

    /// The title of the column in an export, and in messages.
    pub(super) fn title(self) -> &'static str {
        match self {
            Self::Id => "ID",
            Self::Path => "Path",
            Self::Name => "Name",
            Self::Parent => "Parent",
            Self::Description => "Description",
            Self::Scope => "Scope",
            Self::Filter => "Filter",
            Self::Pinned => "Pinned",
            Self::Excluded => "Excluded",
        }
    }
}

/// The columns of a file: what each is called and what it holds, if it is read.
pub(super) struct Columns(Vec<(String, Option<Column>)>);

impl Columns {
    /// Finds what each column holds: what `mapping` says of it, or what its title says.
    ///
    /// # Errors
    /// All that is wrong with the header, at once.
    pub(super) fn find(header: &Row, mapping: &Mapping) -> Result<Self, Vec<Problem>> {
        let titles: Vec<String> = header.cells().map(|title| title.trim().to_owned()).collect();
        let mut search = Search { line: header.line(), titles: &titles, problems: Vec::new() };
        let mapped = search.mapped(mapping);
        let found: Vec<Found> = mapped
            .into_iter()
            .enumerate()
            .map(|(place, mapped)| mapped.unwrap_or_else(|| search.by_title(place, mapping.ignore_unknown)))
            .collect();
        search.check(&found);
        if !search.problems.is_empty() {
            return Err(search.problems);
        }
        Ok(Self(titles.into_iter().zip(found.into_iter().map(Found::column)).collect()))
    }

    /// Each column's title, and the title of what it holds in an export; empty for one that is not read.
    pub(super) fn describe(&self) -> Vec<(String, String)> {
        let holds = |column: Option<Column>| column.map(Column::title).unwrap_or_default().to_owned();
        self.0.iter().map(|(title, column)| (title.clone(), holds(*column))).collect()
    }

    fn place(&self, column: Column) -> Option<usize> {
        self.0.iter().position(|(_, held)| *held == Some(column))
    }

    /// Whether the file has a column.
    pub(super) fn has(&self, column: Column) -> bool {
        self.place(column).is_some()
    }

    /// What a row has in a column, trimmed; none where the file has no such column.
    pub(super) fn cell<'a>(&self, row: &'a Row, column: Column) -> Option<&'a str> {
        let place = self.place(column)?;
        Some(row.get(place).unwrap_or_default().trim())
    }

    /// A problem with the cell of a row, in the first of these columns that the file has.
    pub(super) fn problem(
        &self,
        line: u64,
        columns: &[Column],
        (code, message): (&'static str, String),
        value: &str,
    ) -> Problem {
        let title = columns.iter().find_map(|column| self.place(*column)).map(|place| self.0[place].0.as_str());
        Problem::new(line, code, message).in_column(title).of_value(value)
    }
}

/// What a column was found to hold.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Found {
    Column(Column),
    /// Nothing that is read.
    Nothing,
    /// Nothing that could be found out, which was said.
    Refused,
}

impl Found {
    fn column(self) -> Option<Column> {
        match self {
            Self::Column(column) => Some(column),
            Self::Nothing | Self::Refused => None,
        }
    }
}

struct Search<'a> {
    line: u64,
    titles: &'a [String],
    problems: Vec<Problem>,
}

impl Search<'_> {
    /// What the mapping says, per column.
    fn mapped(&mut self, mapping: &Mapping) -> Vec<Option<Found>> {
        let folded: Vec<String> = self.titles.iter().map(|title| fold(title)).collect();
        let mut mapped = vec![None; self.titles.len()];
        let mut seen = HashSet::new();
        for (title, source) in &mapping.columns {
            let wanted = fold(title);
            if !seen.insert(wanted.clone()) {
                self.report("DUPLICATE_MAPPING", title, format!("`{}` is mapped twice", shorten(title)));
                continue;
            }
            let found = resolve(source).unwrap_or_else(|| {
                let known = Column::ALL.map(|column| format!("`{}`", column.title())).join(", ");
                let message = format!("a column of a file of org units holds nothing but {known}");
                self.report("UNKNOWN_MAPPING", title, message);
                Found::Refused
            });
            if !folded.contains(&wanted) {
                let hint = suggest(title, self.titles.iter().map(String::as_str));
                let message = format!("`{}` is mapped, and the file has no such column{hint}", shorten(title));
                self.report("UNKNOWN_MAPPING", title, message);
            }
            for (place, _) in folded.iter().enumerate().filter(|(_, known)| **known == wanted) {
                mapped[place] = Some(found);
            }
        }
        for (title, source) in &mapping.remembered {
            // What was remembered of a file of users says nothing here.
            if let Some(place) = folded.iter().position(|known| *known == fold(title))
                && mapped[place].is_none()
            {
                mapped[place] = resolve(source);
            }
        }
        mapped
    }

    /// What the title of a column that is not mapped stands for.
    fn by_title(&mut self, place: usize, ignore_unknown: bool) -> Found {
        let title = self.titles[place].as_str();
        let folded = fold(title);
        if let Some(column) = Column::ALL.into_iter().find(|column| fold(column.title()) == folded) {
            return Found::Column(column);
        }
        // What an error file says of a row is for people.
        if ignore_unknown || TITLES.iter().any(|own| fold(own) == folded) {
            return Found::Nothing;
        }
        if title.is_empty() {
            let message = format!("column {} has no title; give it one, or have it ignored", place + 1);
            self.report("EMPTY_HEADER", title, message);
        } else {
            let hint = suggest(title, Column::ALL.map(Column::title));
            let message = format!(
                "a file of org units has no column `{}`{hint}; rename it, map it, or have it ignored",
                shorten(title)
            );
            self.report("UNKNOWN_COLUMN", title, message);
        }
        Found::Refused
    }

    /// Refuses columns that say the same, and files that do not tell their units apart.
    fn check(&mut self, found: &[Found]) {
        let titles = self.titles;
        let place = |column: Column| found.iter().position(|held| held.column() == Some(column));
        for (at, column) in found.iter().enumerate().filter_map(|(at, held)| Some((at, held.column()?))) {
            let title = &titles[at];
            match place(column).filter(|before| *before < at).map(|before| &titles[before]) {
                Some(before) if fold(before) == fold(title) => {
                    let message =
                        format!("the file has more than one column `{}`; remove or rename one", shorten(title));
                    self.report("DUPLICATE_COLUMN", title, message);
                }
                Some(before) => {
                    let (one, other) = (shorten(before), shorten(title));
                    let message = format!("`{one}` and `{other}` stand for the same; have one of them ignored");
                    self.report("DUPLICATE_TARGET", title, message);
                }
                None => {}
            }
        }
        for other in [Column::Name, Column::Parent] {
            if let (Some(path), Some(other)) = (place(Column::Path), place(other)) {
                let (path, title) = (&titles[path], &titles[other]);
                let message = format!("`{}` says what `{}` says; remove one of the two", shorten(path), shorten(title));
                self.report("DUPLICATE_TARGET", title, message);
            }
        }
        if [Column::Id, Column::Path, Column::Name].into_iter().all(|column| place(column).is_none()) {
            let message = "the file has no column `Path`, by which units are told apart; add it, or `ID` or `Name`";
            self.report("MISSING_COLUMN", Column::Path.title(), message.to_owned());
        }
    }

    fn report(&mut self, code: &'static str, title: &str, message: String) {
        let title = Some(title).filter(|title| !title.is_empty());
        self.problems.push(Problem::new(self.line, code, message).in_column(title));
    }
}

/// What a column holds that is mapped to `source`; none where no column of org units can hold that.
fn resolve(source: &ColumnSource) -> Option<Found> {
    match source {
        ColumnSource::Ignore => Some(Found::Nothing),
        ColumnSource::Id => Some(Found::Column(Column::Id)),
        ColumnSource::OrgUnit(column) => Some(Found::Column(*column)),
        ColumnSource::Attribute { .. } | ColumnSource::Integration(_) => None,
    }
}
