//! From the header row to what each column holds. The titles are fixed; case and blanks around them do not matter.

use std::collections::HashMap;

use crate::directory::csv::cell::restore;
use crate::directory::csv::{Problem, Row};
use crate::value::{fold, nearest, shorten};

/// What a column holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) enum Column {
    Id,
    Path,
    Name,
    Parent,
    Description,
    Scope,
    Filter,
    Pinned,
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

/// The columns of a file: where each stands, and its title there.
pub(super) struct Columns(HashMap<Column, (usize, String)>);

impl Columns {
    /// Finds what each column holds by its title.
    ///
    /// # Errors
    /// All that is wrong with the header, at once.
    pub(super) fn find(header: &Row, ignore_unknown: bool) -> Result<Self, Vec<Problem>> {
        let mut found = HashMap::new();
        let mut problems = Vec::new();
        let mut refuse = |code, title: &str, message: String| {
            let title = Some(title).filter(|title| !title.is_empty());
            problems.push(Problem::new(header.line(), code, message).in_column(title));
        };
        for (place, cell) in header.cells().enumerate() {
            let title = restore(cell).trim();
            let folded = fold(title);
            let column = Column::ALL.into_iter().find(|column| fold(column.title()) == folded);
            match column {
                Some(column) if found.contains_key(&column) => {
                    let message = format!("the file has more than one column `{title}`; remove or rename one");
                    refuse("DUPLICATE_COLUMN", title, message);
                }
                Some(column) => {
                    found.insert(column, (place, title.to_owned()));
                }
                None if ignore_unknown => {}
                None if title.is_empty() => {
                    let message = format!("column {} has no title; give it one, or have it ignored", place + 1);
                    refuse("EMPTY_HEADER", title, message);
                }
                None => {
                    let near = nearest(title, Column::ALL.map(Column::title));
                    let hint = near.map(|near| format!("; did you mean `{near}`?")).unwrap_or_default();
                    let message = format!(
                        "a file of org units has no column `{}`{hint}; rename it, or have it ignored",
                        shorten(title)
                    );
                    refuse("UNKNOWN_COLUMN", title, message);
                }
            }
        }
        for other in [Column::Name, Column::Parent] {
            if let (Some(_), Some((_, title))) = (found.get(&Column::Path), found.get(&other)) {
                let message = format!("`Path` says what `{title}` says; remove one of the two");
                refuse("DUPLICATE_TARGET", title, message);
            }
        }
        if ![Column::Id, Column::Path, Column::Name].iter().any(|column| found.contains_key(column)) {
            let title = Column::Path.title();
            let message = "the file has no column `Path`, by which units are told apart; add it, or `ID` or `Name`";
            refuse("MISSING_COLUMN", title, message.to_owned());
        }
        if problems.is_empty() { Ok(Self(found)) } else { Err(problems) }
    }

    /// Whether the file has a column.
    pub(super) fn has(&self, column: Column) -> bool {
        self.0.contains_key(&column)
    }

    /// What a row has in a column, trimmed; none where the file has no such column.
    pub(super) fn cell<'a>(&self, row: &'a Row, column: Column) -> Option<&'a str> {
        let (place, _) = self.0.get(&column)?;
        Some(restore(row.get(*place).unwrap_or_default()).trim())
    }

    /// A problem with the cell of a row, in the first of these columns that the file has.
    pub(super) fn problem(
        &self,
        line: u64,
        columns: &[Column],
        (code, message): (&'static str, String),
        value: &str,
    ) -> Problem {
        let title = columns.iter().find_map(|column| self.0.get(column)).map(|(_, title)| title.as_str());
        Problem::new(line, code, message).in_column(title).of_value(value)
    }
}
