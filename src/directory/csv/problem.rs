//! What is wrong with a file, as data for whoever mends it.

use crate::value::shorten;

/// One thing that is wrong with a file.
///
/// Codes that the reader gives: of the whole file `EMPTY_FILE`, `NOT_TEXT` (bytes that the encoding does not have, or
/// NUL), `WRONG_ENCODING`, `WRONG_DELIMITER`, `AMBIGUOUS_DELIMITER`, `TOO_MANY_COLUMNS`, `TOO_MANY_ROWS`, `TOO_LARGE`,
/// `UNREADABLE`; of quoting `UNCLOSED_QUOTE`, `TEXT_AFTER_QUOTE`, `BARE_QUOTE`; of a row `WRONG_CELL_COUNT`, `TOO_LONG`.
/// Codes of the header: `MISSING_COLUMN`, `UNKNOWN_COLUMN`, `EMPTY_HEADER`, `AMBIGUOUS_COLUMN`, `DUPLICATE_COLUMN`,
/// `DUPLICATE_TARGET`, `UNKNOWN_MAPPING`, `DUPLICATE_MAPPING`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Problem {
    /// The physical line, from 1, as an editor counts it: LF, CRLF and CR each end one, within quotes too.
    pub line: u64,
    /// The title of the column, as the header has it.
    pub column: Option<String>,
    /// What kind of problem it is, in a word that does not change.
    pub code: &'static str,
    /// What stands there, shortened.
    pub value: Option<String>,
    /// What is wrong and how to mend it.
    pub message: String,
}

impl Problem {
    /// A problem with a line as a whole.
    #[must_use]
    pub fn new(line: u64, code: &'static str, message: impl Into<String>) -> Self {
        Self { line, column: None, code, value: None, message: message.into() }
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
