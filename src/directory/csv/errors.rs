//! The rows of a file that cannot be imported, with what is wrong with each: to be mended and sent again.

use std::fs::File;
use std::io::{self, Write};

use roaring::RoaringBitmap;

use super::import::ImportOptions;
use super::rows::open;
use super::{Problem, Row, Style, Writer};

/// The titles of the columns that say what is wrong. An import does not read columns of these titles.
pub(super) const TITLES: [&str; 2] = ["Error line", "Errors"];

/// Writes the rows on `lines`, as the file has them, each followed by its line and what is wrong with it. `problems`
/// come in the order of their lines; a row of which there is none was not kept count of any more. Gives the sink back,
/// and how many rows there are.
///
/// # Errors
/// Those of the sink; where the file cannot be read any more.
pub fn write_error_rows<W: Write>(
    file: &File,
    options: &ImportOptions,
    lines: &RoaringBitmap,
    problems: impl IntoIterator<Item = Problem>,
    sink: W,
) -> io::Result<(W, u64)> {
    let unreadable = |problem: Problem| io::Error::new(io::ErrorKind::InvalidData, problem.message);
    let mut reader = open(file, options).map_err(unreadable)?;
    let width = reader.header().len();
    let titles: Vec<String> = reader.header().cells().map(str::to_owned).collect();
    // A file that was an error file itself has the two columns already.
    let is_own = |title: &str| TITLES.iter().any(|own| own.eq_ignore_ascii_case(title.trim()));
    let kept: Vec<usize> = (0..width).filter(|at| !is_own(&titles[*at])).collect();
    let header = kept.iter().map(|at| titles[*at].as_str()).chain(TITLES);
    let mut writer = Writer::open(sink, Style { raw: options.raw, ..Style::default() }, header)?;
    let mut problems = problems.into_iter().peekable();
    let (mut row, mut count) = (Row::default(), 0);
    loop {
        match reader.next(&mut row) {
            Ok(false) => break,
            Err(_) if reader.is_broken() => break,
            Ok(true) | Err(_) => {}
        }
        let line = row.line();
        if !u32::try_from(line).is_ok_and(|line| lines.contains(line)) {
            continue;
        }
        let mut wrong = Vec::new();
        while let Some(problem) = problems.next_if(|problem| problem.line <= line) {
            if problem.line == line {
                let column = problem.column.map(|column| format!("{column}: ")).unwrap_or_default();
                wrong.push(format!("{column}{} ({})", problem.message, problem.code));
            }
        }
        let wrong =
            if wrong.is_empty() { "too many errors; mend the others first".to_owned() } else { wrong.join("\n") };
        let line = line.to_string();
        let cells = kept.iter().map(|at| row.get(*at).unwrap_or_default());
        writer.write_row(cells.chain([line.as_str(), wrong.as_str()]))?;
        count += 1;
    }
    Ok((writer.finish()?, count))
}
