//! From text to one record: RFC 4180, strictly, over a window of text that holds the record as a whole.
//!
//! What does not live here: where the window comes from, limits, messages.

use memchr::{memchr, memchr2, memchr2_iter};

use super::cell::restore;
/// Cells of one row that are kept, far more than a file may have columns. Of a row with more, which is refused, the rest is
/// only counted: a row that is nothing but delimiters would take many times its own length.
const KEPT: usize = 1 << 14;

/// One row of a file; reused from row to row.
#[derive(Clone, Debug, Default)]
pub struct Row {
    /// The record as it stands in the file, and behind it the cells that had escaped quotes.
    text: String,
    /// Where in `text` each cell begins and ends.
    pub(super) cells: Vec<(usize, usize)>,
    /// Which cells have escaped quotes.
    escaped: Vec<usize>,
    /// How many cells there are beyond those that are kept.
    surplus: usize,
    line: u64,
}

impl Row {
    /// The physical line on which the row begins, from 1.
    #[must_use]
    pub fn line(&self) -> u64 {
        self.line
    }

    /// How many cells it has.
    #[must_use]
    pub fn len(&self) -> usize {
        self.cells.len() + self.surplus
    }

    /// Whether it has no cells, as before the first row and after the last.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.cells.is_empty()
    }

    /// The cell at a place, from 0, not trimmed; a formula that was neutralised is restored, unless the file is raw.
    #[must_use]
    pub fn get(&self, place: usize) -> Option<&str> {
        self.cells.get(place).map(|&(start, end)| &self.text[start..end])
    }

    /// The cells in their order.
    pub fn cells(&self) -> impl ExactSizeIterator<Item = &str> {
        self.cells.iter().map(|&(start, end)| &self.text[start..end])
    }

    /// Empties the row, which now stands for the record that begins on `line`.
    pub(super) fn begin(&mut self, line: u64) {
        self.text.clear();
        self.clear();
        self.line = line;
    }

    fn clear(&mut self) {
        self.cells.clear();
        self.escaped.clear();
        self.surplus = 0;
    }

    /// Adds a cell; where too many are kept, in the place of the last one.
    fn push(&mut self, cell: (usize, usize), has_escapes: bool) {
        if self.cells.len() == KEPT {
            self.cells.pop();
            self.surplus += 1;
        } else if has_escapes {
            self.escaped.push(self.cells.len());
        }
        self.cells.push(cell);
    }

    /// Takes the text of the record that was scanned into the row, with formulas restored unless the file is `raw`.
    pub(super) fn take(&mut self, record: &str, raw: bool) {
        self.text.push_str(record);
        for &place in &self.escaped {
            let (start, end) = self.cells[place];
            let begin = self.text.len();
            for (nth, piece) in record[start..end].split("\"\"").enumerate() {
                if nth > 0 {
                    self.text.push('"');
                }
                self.text.push_str(piece);
            }
            self.cells[place] = (begin, self.text.len());
        }
        if !raw {
            for (start, end) in &mut self.cells {
                *start = *end - restore(&self.text[*start..*end]).len();
            }
        }
    }
}

/// What a look at a window of text found.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Scan {
    /// A record of `length` bytes; with its line break it takes `used` bytes.
    Record { length: usize, used: usize },
    /// The window ends within the record, and in a quoted cell if one `opened`.
    More { opened: Option<usize> },
    /// The text ends within the quoted cell that begins at this byte.
    UnclosedQuote(usize),
    /// Between the quote that closes the cell and the next delimiter stands text, from `after` on.
    TextAfterQuote { opened: usize, after: usize },
    /// A quote stands within an unquoted cell, at the second of these bytes.
    BareQuote { begins: usize, at: usize },
}

/// Which bytes end a run of plain text outside quotes.
pub(super) fn special_bytes(delimiter: u8) -> [bool; 256] {
    let mut special = [false; 256];
    for byte in [delimiter, b'"', b'\r', b'\n'] {
        special[usize::from(byte)] = true;
    }
    special
}

/// Finds the cells of the record with which `text` begins, and where it ends.
///
/// `is_all` says that nothing comes after `text`. All that the row is cut at is ASCII, so the cells are whole
/// characters.
pub(super) fn scan(text: &[u8], delimiter: u8, special: &[bool; 256], is_all: bool, row: &mut Row) -> Scan {
    row.clear();
    let mut at = 0;
    loop {
        let begins = at;
        let is_quoted = text.get(at) == Some(&b'"');
        if is_quoted {
            let mut has_escapes = false;
            at += 1;
            loop {
                match memchr(b'"', &text[at..]) {
                    None if is_all => return Scan::UnclosedQuote(begins),
                    None => return Scan::More { opened: Some(begins) },
                    Some(distance) => at += distance,
                }
                // Where the window ends with the quote, the outer match asks for more of it.
                if text.get(at + 1) != Some(&b'"') {
                    break;
                }
                has_escapes = true;
                at += 2;
            }
            row.push((begins + 1, at), has_escapes);
            at += 1;
        } else {
            at = text[at..].iter().position(|byte| special[usize::from(*byte)]).map_or(text.len(), |run| at + run);
            row.push((begins, at), false);
        }
        match text.get(at) {
            Some(byte) if *byte == delimiter => at += 1,
            Some(b'\n') => return Scan::Record { length: at, used: at + 1 },
            Some(b'\r') => match text.get(at + 1) {
                Some(b'\n') => return Scan::Record { length: at, used: at + 2 },
                None if !is_all => return Scan::More { opened: None },
                _ => return Scan::Record { length: at, used: at + 1 },
            },
            Some(_) if is_quoted => return Scan::TextAfterQuote { opened: begins, after: at },
            // The problem shows the cell, so the cell has to be in the window.
            Some(_) if !is_all && memchr2(b'\n', b'\r', &text[at..]).is_none() => return Scan::More { opened: None },
            Some(_) => return Scan::BareQuote { begins, at },
            None if is_all => return Scan::Record { length: at, used: at },
            None => return Scan::More { opened: None },
        }
    }
}

/// How many line breaks `text` has: LF, CRLF and CR each are one.
pub(super) fn line_breaks(text: &[u8]) -> u64 {
    memchr2_iter(b'\n', b'\r', text).filter(|&at| text[at] == b'\n' || text.get(at + 1) != Some(&b'\n')).count() as u64
}
