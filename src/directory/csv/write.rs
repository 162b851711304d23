//! From cells to a file that spreadsheets and programs read alike.
//!
//! Lines end with LF: spreadsheets take it as they take CRLF, and to `diff`, `grep` and version control a CR is part of
//! the last cell. A cell is quoted where it must be; titles always are, so that one such as `Level; Grade` does not decide
//! which delimiter a reader finds.
//!
//! What does not live here: what the cells are.

use std::borrow::Cow;
use std::io::{self, Write};
use std::str::FromStr;

use super::cell::neutralise;

/// How a file is written.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Style {
    /// Whether cells that a spreadsheet would run as formulas are written as they are. Such a file is for programs; it
    /// reads back the same only where no value begins with `'` before a formula.
    pub raw: bool,
    /// Whether the file begins with a byte-order mark, without which Excel opens a file of UTF-8 as one of the
    /// machine's older encoding. Programs may take the mark for a part of the first title.
    pub mark: bool,
    /// What stands between cells.
    pub delimiter: Delimiter,
}

/// What stands between cells.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Delimiter {
    /// `,`
    #[default]
    Comma,
    /// `;`, as spreadsheets write and expect where numbers have a decimal comma.
    Semicolon,
    /// A TAB.
    Tab,
}

impl Delimiter {
    fn byte(self) -> u8 {
        match self {
            Self::Comma => b',',
            Self::Semicolon => b';',
            Self::Tab => b'\t',
        }
    }
}

impl FromStr for Delimiter {
    type Err = &'static str;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        match text {
            "," => Ok(Self::Comma),
            ";" => Ok(Self::Semicolon),
            "tab" | "\t" | r"\t" => Ok(Self::Tab),
            _ => Err("a file is written with `,` or `;` between cells, or with `tab`"),
        }
    }
}

/// Writes a file row by row: UTF-8, LF after each row.
pub struct Writer<W: Write> {
    rows: csv::Writer<W>,
    raw: bool,
}

impl<W: Write> Writer<W> {
    /// Begins a file with its header.
    ///
    /// # Errors
    /// Those of the sink.
    pub fn open<'a>(mut sink: W, style: Style, titles: impl IntoIterator<Item = &'a str>) -> io::Result<Self> {
        if style.mark {
            sink.write_all("\u{FEFF}".as_bytes())?;
        }
        // Quotes also keep Excel from taking a file whose first two bytes are `ID` for one of another format (SYLK).
        let mut header = Self::lines(sink, style, csv::QuoteStyle::Always);
        header.write_row(titles)?;
        Ok(Self::resume(header.finish()?, style))
    }

    /// Goes on with a file after its header, or after any row.
    pub(super) fn resume(sink: W, style: Style) -> Self {
        Self::lines(sink, style, csv::QuoteStyle::Necessary)
    }

    /// Writes lines by the `csv` crate; rows are our own to keep at one width.
    fn lines(sink: W, style: Style, quotes: csv::QuoteStyle) -> Self {
        let rows = csv::WriterBuilder::new()
            .delimiter(style.delimiter.byte())
            .terminator(csv::Terminator::Any(b'\n'))
            .quote_style(quotes)
            .flexible(true)
            .from_writer(sink);
        Self { rows, raw: style.raw }
    }

    /// Writes one row.
    ///
    /// # Errors
    /// Those of the sink.
    pub fn write_row<'a>(&mut self, cells: impl IntoIterator<Item = &'a str>) -> io::Result<()> {
        cells.into_iter().try_for_each(|cell| self.write_cell(cell))?;
        self.end_row()
    }

    /// Writes the next cell of a row.
    pub(super) fn write_cell(&mut self, cell: &str) -> io::Result<()> {
        let cell = if self.raw { Cow::Borrowed(cell) } else { neutralise(cell) };
        Ok(self.rows.write_field(cell.as_bytes())?)
    }

    /// Ends a row whose cells are written.
    pub(super) fn end_row(&mut self) -> io::Result<()> {
        Ok(self.rows.write_record(None::<&[u8]>)?)
    }

    /// Flushes the sink and gives it back.
    ///
    /// # Errors
    /// Those of the sink.
    pub fn finish(self) -> io::Result<W> {
        self.rows.into_inner().map_err(csv::IntoInnerError::into_error)
    }
}
