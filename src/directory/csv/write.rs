//! From cells to a file that spreadsheets and programs read alike.
//!
//! Lines end with LF: spreadsheets take it as they take CRLF, and to `diff`, `grep` and version control a CR is part of
//! the last cell. A cell is quoted where it must be; titles always are, so that one such as `Level; Grade` does not decide
//! which delimiter a reader finds.
//!
//! What does not live here: what the cells are.

use std::borrow::Cow;
use std::io::{self, Write};

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
}

/// Writes a file row by row: UTF-8, `,` between cells, LF after each row.
pub struct Writer<W: Write> {
    rows: csv::Writer<W>,
    raw: bool,
}

/// A writer of lines by the `csv` crate; rows are our own to keep at one width.
fn lines<W: Write>(sink: W, quotes: csv::QuoteStyle) -> csv::Writer<W> {
    csv::WriterBuilder::new()
        .terminator(csv::Terminator::Any(b'\n'))
        .quote_style(quotes)
        .flexible(true)
        .from_writer(sink)
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
        let mut header = Self { rows: lines(sink, csv::QuoteStyle::Always), raw: style.raw };
        header.write_row(titles)?;
        let sink = header.finish()?;
        Ok(Self { rows: lines(sink, csv::QuoteStyle::Necessary), raw: style.raw })
    }

    /// Writes one row.
    ///
    /// # Errors
    /// Those of the sink.
    pub fn write_row<'a>(&mut self, cells: impl IntoIterator<Item = &'a str>) -> io::Result<()> {
        for cell in cells {
            let cell = if self.raw { Cow::Borrowed(cell) } else { neutralise(cell) };
            self.rows.write_field(cell.as_bytes())?;
        }
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

impl Writer<Vec<u8>> {
    /// What has been written since the last call: a piece of the file.
    ///
    /// # Errors
    /// None that memory can cause.
    pub fn take(&mut self) -> io::Result<Vec<u8>> {
        let rows = std::mem::replace(&mut self.rows, lines(Vec::new(), csv::QuoteStyle::Necessary));
        rows.into_inner().map_err(csv::IntoInnerError::into_error)
    }
}
