//! From a stream of bytes to a header and rows, in bounded memory.
//!
//! What does not live here: how bytes are decoded and records cut (`decode`, `scan`), which column is which (`header`).

use std::io::Read;

use serde::{Deserialize, Serialize};

use super::Problem;
use super::decode::{Decoder, Encoding, Flaw};
use super::doubt::Reason;
use super::scan::{Row, Scan, line_breaks, scan, special_bytes};
use crate::value::LONGEST_TEXT;

/// What a file may cost; each limit holds before the memory is spent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// The longest record, in bytes of UTF-8.
    pub record: usize,
    /// The longest cell, in bytes of UTF-8.
    pub cell: usize,
    /// The most columns.
    pub columns: usize,
    /// The largest file, in bytes.
    pub bytes: u64,
    /// The most rows, without the header.
    pub rows: u64,
}

impl Default for Limits {
    /// 1 MiB a record, 32 KiB a cell, 256 columns, 1 GiB, 5,000,000 rows.
    fn default() -> Self {
        Self { record: 1 << 20, cell: LONGEST_TEXT, columns: 256, bytes: 1 << 30, rows: 5_000_000 }
    }
}

/// How to read a file. By default all that can be seen from the file is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Options {
    /// The encoding; without it that of the byte-order mark, else UTF-8.
    pub encoding: Option<Encoding>,
    /// What stands between cells, an ASCII sign; without it what a line `sep=;` names, else what is most frequent in
    /// the header.
    pub delimiter: Option<u8>,
    /// Whether values are as they stand, with no `'` put before formulas; see [`super::cell`].
    pub raw: bool,
    /// What the file may cost.
    pub limits: Limits,
}

/// How a file turned out to be written.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Detected {
    /// Its encoding.
    pub encoding: Encoding,
    /// What stands between its cells.
    pub delimiter: u8,
}

/// The delimiters that are found without being declared.
const DELIMITERS: [u8; 4] = [b',', b';', b'\t', b'|'];

/// Reads a file row by row.
///
/// A file is RFC 4180 to the letter, with LF, CRLF or CR: a quote in the wrong place may have swallowed rows, so it is
/// an error and never guessed at. Lines without a character are skipped.
pub struct Reader {
    decoder: Decoder,
    delimiter: u8,
    special: [bool; 256],
    raw: bool,
    limits: Limits,
    header: Row,
    /// The line on which the text begins that was not taken yet.
    line: u64,
    rows: u64,
    is_broken: bool,
}

impl Reader {
    /// Reads the beginning of a file, up to its header.
    ///
    /// # Errors
    /// The problem for which no row can be read.
    pub fn open(source: impl Read + Send + 'static, options: Options) -> Result<Self, Problem> {
        let decoder = Decoder::open(Box::new(source), options.encoding, options.limits.bytes)
            .map_err(|flaw| Problem::new(1, flaw.code, flaw.message))?;
        let mut this = Self {
            decoder,
            delimiter: b',',
            special: special_bytes(b','),
            raw: options.raw,
            limits: options.limits,
            header: Row::default(),
            line: 1,
            rows: 0,
            is_broken: false,
        };
        this.delimiter = this.find_delimiter(options.delimiter)?;
        this.special = special_bytes(this.delimiter);
        let mut header = Row::default();
        if !this.record(&mut header)? {
            return Err(Problem::new(1, "EMPTY_FILE", "the file is empty; its first line must name its columns"));
        }
        this.check_header(&header)?;
        this.header = header;
        Ok(this)
    }

    /// The header row.
    #[must_use]
    pub fn header(&self) -> &Row {
        &self.header
    }

    /// How the file is written.
    #[must_use]
    pub fn detected(&self) -> Detected {
        Detected { encoding: self.decoder.encoding(), delimiter: self.delimiter }
    }

    /// What is worth a look of the file as a whole, once it has been read to its end.
    #[must_use]
    pub fn warning(&self) -> Option<Problem> {
        let doubt = self.decoder.doubt().filter(|_| !self.is_broken)?;
        let (line, message) = match doubt {
            Reason::Utf8(line, text) => {
                let (read, _) = encoding_rs::WINDOWS_1252.decode_without_bom_handling(text.as_bytes());
                let message = format!(
                    "the file is declared as Windows-1252, and all of it is UTF-8, in which `{read}` is `{text}`"
                );
                (line, format!("{message}; declare UTF-8"))
            }
            Reason::Odd(line, sign) => {
                let message = format!("read as Windows-1252, `{sign}` stands within a word here");
                (line, format!("{message}; look at the names, and declare another encoding or save the file as UTF-8"))
            }
        };
        Some(Problem::new(line, "OTHER_ENCODING", message))
    }

    /// Whether a problem ended the reading before the end of the file, so that the rows read so far are not all.
    #[must_use]
    pub fn is_broken(&self) -> bool {
        self.is_broken
    }

    /// Reads the next row into `row`; false at the end.
    ///
    /// # Errors
    /// What is wrong with the row or, from there on, with the file. After `WRONG_CELL_COUNT`, and after `TOO_LONG` of
    /// one cell, `row` holds the cells as they stand and the next call reads on; after any other problem
    /// [`Self::is_broken`] and there are no more rows.
    pub fn next(&mut self, row: &mut Row) -> Result<bool, Problem> {
        row.begin(self.line);
        if self.is_broken {
            return Ok(false);
        }
        let read = self.record(row).and_then(|is_row| {
            self.rows += u64::from(is_row);
            if self.rows > self.limits.rows {
                let message = format!("a file has at most {} rows; split this one", self.limits.rows);
                return Err(Problem::new(row.line(), "TOO_MANY_ROWS", message));
            }
            Ok(is_row)
        });
        match read {
            Ok(false) => Ok(false),
            Ok(true) => self.check_row(row).map(|()| true),
            Err(problem) => {
                self.is_broken = true;
                row.begin(self.line);
                Err(problem)
            }
        }
    }

    fn check_row(&self, row: &Row) -> Result<(), Problem> {
        if let Some((place, cell)) = row.cells().enumerate().find(|(_, cell)| cell.len() > self.limits.cell) {
            let message = format!("a cell has at most {} bytes; this has {}; shorten it", self.limits.cell, cell.len());
            return Err(self.in_cell(row.line(), "TOO_LONG", place, cell, message));
        }
        let (expected, got) = (self.header.len(), row.len());
        if got == expected {
            return Ok(());
        }
        let mend = if got < expected {
            "add what is missing, empty cells included"
        } else {
            "put a cell that contains the delimiter between double quotes"
        };
        let message = format!("the header has {expected} cells, this row {got}; {mend}");
        let first = row.get(0).unwrap_or_default();
        Err(Problem::new(row.line(), "WRONG_CELL_COUNT", message).of_value(first))
    }

    fn check_header(&self, header: &Row) -> Result<(), Problem> {
        let line = header.line();
        if header.len() > self.limits.columns {
            let message =
                format!("a file has at most {} columns; this has {}; take some out", self.limits.columns, header.len());
            return Err(Problem::new(line, "TOO_MANY_COLUMNS", message));
        }
        if let Some(title) = header.cells().find(|title| title.len() > self.limits.cell) {
            let message = format!("a title has at most {} bytes; this has {}", self.limits.cell, title.len());
            return Err(Problem::new(line, "TOO_LONG", message).of_value(title));
        }
        // One column whose title has a delimiter in it is a file of many columns, read wrongly.
        let other = |title: &str| title.bytes().find(|byte| DELIMITERS.contains(byte));
        match (header.len(), header.get(0).and_then(other)) {
            (1, Some(other)) => {
                let (used, other) = (spell(self.delimiter), spell(other));
                let message = format!(
                    "with {used} between cells the header is one column that contains {other}; declare the delimiter, \
                     and do not quote the line as a whole"
                );
                Err(Problem::new(line, "WRONG_DELIMITER", message).of_value(header.get(0).unwrap_or_default()))
            }
            _ => Ok(()),
        }
    }

    /// Finds what stands between cells and, where a first line `sep=;` says so, takes that line.
    fn find_delimiter(&mut self, declared: Option<u8>) -> Result<u8, Problem> {
        if let Some(byte) = declared
            && !is_delimiter(byte)
        {
            let message = "a delimiter is a TAB or an ASCII sign other than the double quote";
            return Err(Problem::new(1, "WRONG_DELIMITER", message));
        }
        let (line, counts) = self.first_line()?;
        let named = separator_line(line);
        let length = line.len();
        if named.is_some() {
            self.decoder.advance(length);
        }
        if let Some(delimiter) = declared.or(named) {
            return Ok(delimiter);
        }
        let most = counts.iter().copied().max().unwrap_or_default();
        let mut frequent = DELIMITERS.iter().zip(counts).filter(|(_, count)| *count == most).map(|(byte, _)| *byte);
        match (frequent.next(), frequent.next()) {
            (Some(one), Some(other)) if most > 0 => {
                let (one, other) = (spell(one), spell(other));
                let message = format!("the header has as many {one} as {other}; declare the delimiter");
                Err(Problem::new(self.line, "AMBIGUOUS_DELIMITER", message))
            }
            (Some(one), _) => Ok(one),
            (None, _) => Ok(b','),
        }
    }

    /// The first line that is not blank, and how often each of the [`DELIMITERS`] stands in it outside quotes.
    fn first_line(&mut self) -> Result<(&str, [usize; 4]), Problem> {
        self.skip_blank_lines()?;
        let mut counts;
        let mut end;
        loop {
            let text = self.decoder.text().as_bytes();
            let mut is_quoted = false;
            counts = [0; 4];
            end = None;
            for (at, byte) in text.iter().enumerate() {
                match byte {
                    b'"' => is_quoted = !is_quoted,
                    _ if is_quoted => {}
                    b'\r' | b'\n' => {
                        end = Some(at);
                        break;
                    }
                    byte => {
                        if let Some(which) = DELIMITERS.iter().position(|delimiter| delimiter == byte) {
                            counts[which] += 1;
                        }
                    }
                }
            }
            // A line without an end is refused when it is read as the header.
            if end.is_some() || self.decoder.is_ended() || text.len() > self.limits.record {
                break;
            }
            self.fill()?;
        }
        let text = self.decoder.text();
        Ok((&text[..end.unwrap_or(text.len())], counts))
    }

    /// Reads one record; false at the end. Every problem is one of the file.
    fn record(&mut self, row: &mut Row) -> Result<bool, Problem> {
        if !self.skip_blank_lines()? {
            return Ok(false);
        }
        row.begin(self.line);
        loop {
            let text = self.decoder.text();
            let is_all = self.decoder.is_ended();
            let found = scan(text.as_bytes(), self.delimiter, &self.special, is_all, row);
            match found {
                Scan::Record { length, used } if length <= self.limits.record => {
                    row.take(&text[..length], self.raw);
                    self.line += line_breaks(&text.as_bytes()[..used]);
                    self.decoder.advance(used);
                    return Ok(true);
                }
                Scan::More { .. } if text.len() <= self.limits.record => self.fill()?,
                _ => return Err(self.refuse(found, row)),
            }
        }
    }

    /// What is wrong with the record that was scanned.
    fn refuse(&self, found: Scan, row: &Row) -> Problem {
        let text = self.decoder.text();
        let line_of = |at: usize| self.line + line_breaks(&text.as_bytes()[..at]);
        match found {
            Scan::UnclosedQuote(opened) => self.unclosed_quote(row, opened, "before the end of the file"),
            // Only a quote that was forgotten makes so long a cell of many lines.
            Scan::More { opened: Some(opened) } if line_breaks(&text.as_bytes()[opened..]) > 0 => {
                self.unclosed_quote(row, opened, &format!("within {} bytes", self.limits.record))
            }
            Scan::TextAfterQuote { opened, after } => {
                let (first, last) = (line_of(opened), line_of(after));
                let place = row.len().saturating_sub(1);
                let cell = row.cells.last().map(|&(start, end)| &text[start..end]).unwrap_or_default();
                let where_closed = if first == last { String::new() } else { format!(" on line {last}") };
                let message = format!(
                    "text follows the double quote that closes cell {}{where_closed}; write a double quote within a \
                     cell twice",
                    place + 1
                );
                self.in_cell(first, "TEXT_AFTER_QUOTE", place, cell, message)
            }
            Scan::BareQuote { begins, at } => {
                let place = row.len().saturating_sub(1);
                let line = first_line(&text[begins..]);
                let cell = line.split(char::from(self.delimiter)).next().unwrap_or(line);
                let message = format!(
                    "a double quote stands at character {} of cell {}, which is not quoted; put the cell between \
                     double quotes and write those within it twice",
                    text[begins..at].chars().count() + 1,
                    place + 1
                );
                self.in_cell(self.line, "BARE_QUOTE", place, cell, message)
            }
            Scan::Record { .. } | Scan::More { .. } => {
                let message = format!("a row has at most {} bytes; shorten this one", self.limits.record);
                Problem::new(self.line, "TOO_LONG", message).of_value(first_line(text))
            }
        }
    }

    fn unclosed_quote(&self, row: &Row, opened: usize, until: &str) -> Problem {
        let text = self.decoder.text();
        let line = self.line + line_breaks(&text.as_bytes()[..opened]);
        let place = row.len();
        let message =
            format!("the double quote that opens cell {} is not closed {until}; close it, or take it out", place + 1);
        self.in_cell(line, "UNCLOSED_QUOTE", place, first_line(&text[opened..]), message)
    }

    fn in_cell(&self, line: u64, code: &'static str, place: usize, value: &str, message: String) -> Problem {
        Problem::new(line, code, message).in_column(self.header.get(place)).of_value(value)
    }

    /// Takes line breaks; whether any text follows them.
    fn skip_blank_lines(&mut self) -> Result<bool, Problem> {
        loop {
            let breaks = match self.decoder.text().as_bytes() {
                [] if self.decoder.is_ended() => return Ok(false),
                [] => 0,
                [b'\n', ..] => 1,
                [b'\r', b'\n', ..] => 2,
                [b'\r'] if !self.decoder.is_ended() => 0,
                [b'\r', ..] => 1,
                _ => return Ok(true),
            };
            if breaks == 0 {
                self.fill()?;
            } else {
                self.decoder.advance(breaks);
                self.line += 1;
            }
        }
    }

    fn fill(&mut self) -> Result<(), Problem> {
        // One byte more than a record may have shows that it has too many.
        let most = (self.limits.record + 1).saturating_sub(self.decoder.text().len());
        self.decoder.fill(most).map_err(|Flaw { code, message }| {
            let line = self.line + line_breaks(self.decoder.text().as_bytes());
            Problem::new(line, code, message)
        })
    }
}

fn is_delimiter(byte: u8) -> bool {
    byte == b'\t' || byte.is_ascii_punctuation() && byte != b'"'
}

/// The delimiter that a line `sep=;`, which spreadsheets write and take, names.
fn separator_line(line: &str) -> Option<u8> {
    let line = line.strip_prefix('"').and_then(|line| line.strip_suffix('"')).unwrap_or(line);
    let (name, value) = line.split_once('=')?;
    match value.as_bytes() {
        [delimiter] if name.eq_ignore_ascii_case("sep") && is_delimiter(*delimiter) => Some(*delimiter),
        _ => None,
    }
}

/// What stands before the first line break.
fn first_line(text: &str) -> &str {
    text.split(['\r', '\n']).next().unwrap_or(text)
}

/// A delimiter as it is written in a message.
fn spell(delimiter: u8) -> String {
    match delimiter {
        b'\t' => "TAB".to_owned(),
        other => format!("`{}`", char::from(other)),
    }
}
