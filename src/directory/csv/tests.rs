use std::io::Cursor;
use std::path::Path;

use super::*;

mod cell;
mod header;
mod limits;
mod read;
mod round_trip;

fn bytes_of(name: &str) -> Vec<u8> {
    std::fs::read(Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/data/hostile").join(name)).unwrap()
}

/// A problem as `line CODE [column] <value> message`.
fn spell(problem: &Problem) -> String {
    let column = problem.column.as_ref().map(|column| format!(" [{column}]")).unwrap_or_default();
    let value = problem.value.as_ref().map(|value| format!(" <{value}>")).unwrap_or_default();
    format!("{} {}{column}{value} {}", problem.line, problem.code, problem.message)
}

/// A file read to its end: header, rows with their lines, problems, whether it is broken, how it is written.
#[derive(Debug, Default)]
struct Outcome {
    header: Vec<String>,
    rows: Vec<(u64, Vec<String>)>,
    problems: Vec<String>,
    is_broken: bool,
    detected: Option<Detected>,
}

fn read_all(bytes: Vec<u8>, options: Options) -> Outcome {
    let mut outcome = Outcome::default();
    let mut reader = match Reader::open(Cursor::new(bytes), options) {
        Ok(reader) => reader,
        Err(problem) => return Outcome { problems: vec![spell(&problem)], is_broken: true, ..outcome },
    };
    outcome.detected = Some(reader.detected());
    outcome.header = reader.header().cells().map(str::to_owned).collect();
    let mut row = Row::default();
    loop {
        match reader.next(&mut row) {
            Ok(false) => break,
            Ok(true) => outcome.rows.push((row.line(), row.cells().map(str::to_owned).collect())),
            Err(problem) => outcome.problems.push(spell(&problem)),
        }
    }
    outcome.is_broken = reader.is_broken();
    outcome
}

fn read_file(name: &str) -> Outcome {
    read_all(bytes_of(name), Options::default())
}
