//! What is wrong with a file, as data for whoever mends it.

use std::borrow::Cow;

use roaring::RoaringBitmap;
use serde::{Deserialize, Serialize};

use crate::value::shorten;

/// The most problems that a report lists; it counts them all.
pub(super) const LISTED: usize = 1_000;

/// One thing that is wrong with a file.
///
/// Codes that the reader gives: of the whole file `EMPTY_FILE`, `NOT_TEXT` (bytes that the encoding does not have, or
/// NUL), `WRONG_ENCODING`, `WRONG_DELIMITER`, `AMBIGUOUS_DELIMITER`, `TOO_MANY_COLUMNS`, `TOO_MANY_ROWS`, `TOO_LARGE`,
/// `UNREADABLE`; of quoting `UNCLOSED_QUOTE`, `TEXT_AFTER_QUOTE`, `BARE_QUOTE`; of a row `WRONG_CELL_COUNT`, `TOO_LONG`.
/// Codes of the header: `MISSING_COLUMN`, `UNKNOWN_COLUMN`, `EMPTY_HEADER`, `AMBIGUOUS_COLUMN`, `DUPLICATE_COLUMN`,
/// `DUPLICATE_TARGET`, `UNKNOWN_MAPPING`, `DUPLICATE_MAPPING`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Problem {
    /// The physical line, from 1, as an editor counts it: LF, CRLF and CR each end one, within quotes too.
    pub line: u64,
    /// The title of the column, as the header has it.
    pub column: Option<String>,
    /// What kind of problem it is, in a word that does not change.
    pub code: Cow<'static, str>,
    /// What stands there, shortened.
    pub value: Option<String>,
    /// What is wrong and how to mend it.
    pub message: String,
}

impl Problem {
    /// A problem with a line as a whole.
    #[must_use]
    pub fn new(line: u64, code: &'static str, message: impl Into<String>) -> Self {
        Self { line, column: None, code: code.into(), value: None, message: message.into() }
    }

    /// The same, in the column of this title.
    #[must_use]
    pub fn in_column(self, title: Option<&str>) -> Self {
        Self { column: title.map(shorten), ..self }
    }

    /// The same, with what stands there.
    #[must_use]
    pub fn of_value(self, value: &str) -> Self {
        Self { value: Some(shorten(value)), ..self }
    }
}

/// Problems of one file, in the order of their lines: the first of them kept and all of them counted.
#[derive(Clone, Debug)]
pub struct Problems {
    /// The first ones.
    pub listed: Vec<Problem>,
    /// How many there are.
    pub count: u64,
    pub(crate) most: usize,
}

impl Default for Problems {
    /// Of which a thousand are kept.
    fn default() -> Self {
        Self::keeping(LISTED)
    }
}

impl Problems {
    /// Of which the first `most` are kept.
    #[must_use]
    pub fn keeping(most: usize) -> Self {
        Self { listed: Vec::new(), count: 0, most }
    }

    /// Whether there are none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.count == 0
    }

    pub(super) fn add(&mut self, problem: Problem) {
        self.count += 1;
        let place = self.listed.partition_point(|other| other.line <= problem.line);
        if place < self.most {
            self.listed.truncate(self.most - 1);
            self.listed.insert(place, problem);
        }
    }
}

/// What is wrong with a file, and what is worth a look.
#[derive(Clone, Debug, Default)]
pub(in crate::directory) struct Findings {
    /// What is wrong.
    pub(in crate::directory) errors: Problems,
    /// What is worth a look.
    pub(in crate::directory) warnings: Problems,
    /// The lines of rows that cannot be imported.
    pub(in crate::directory) bad: RoaringBitmap,
    /// Whether something is wrong with the file as a whole, so that leaving rows out does not help.
    pub(in crate::directory) is_refused: bool,
}

impl Findings {
    /// Of which the first `most` of each kind are kept.
    pub(super) fn keeping(most: usize) -> Self {
        Self { errors: Problems::keeping(most), warnings: Problems::keeping(most), ..Self::default() }
    }

    /// Something is wrong with the file as a whole.
    pub(super) fn refuse(&mut self, problem: Problem) {
        self.is_refused = true;
        self.errors.add(problem);
    }

    /// Something is wrong with one row.
    pub(super) fn error(&mut self, problem: Problem) {
        self.bad.insert(u32::try_from(problem.line).unwrap_or(u32::MAX));
        self.errors.add(problem);
    }

    /// Something is worth a look.
    pub(super) fn warn(&mut self, problem: Problem) {
        self.warnings.add(problem);
    }

    /// Takes what another reading of the same file has found.
    pub(super) fn join(&mut self, other: Self) {
        let count = self.errors.count + other.errors.count;
        other.errors.listed.into_iter().for_each(|problem| self.errors.add(problem));
        self.errors.count = count;
        // What is worth a look is found anew in every reading.
        self.warnings = other.warnings;
        self.bad |= other.bad;
        self.is_refused |= other.is_refused;
    }

    /// Whether the row on a line cannot be imported.
    pub(super) fn is_bad(&self, line: u64) -> bool {
        u32::try_from(line).is_ok_and(|line| self.bad.contains(line))
    }
}
