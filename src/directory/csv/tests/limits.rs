use std::io::Read;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use super::*;

fn limited(limits: Limits) -> Options {
    Options { limits, ..Options::default() }
}

#[test]
fn a_long_cell_is_a_problem_of_its_row() {
    let options = limited(Limits { cell: 5, ..Limits::default() });
    let outcome = read_all(b"a,b\n1,\"12\"\"456\"\n1,\"\"\"\"\"\"\"\"\"\"\"\"\n123456,2\n1,2\n".to_vec(), options);
    assert_eq!(
        outcome.problems,
        [
            "2 TOO_LONG [b] <12\"456> a cell has at most 5 bytes; this has 6; shorten it",
            "4 TOO_LONG [a] <123456> a cell has at most 5 bytes; this has 6; shorten it",
        ]
    );
    assert_eq!(outcome.rows.iter().map(|(line, _)| *line).collect::<Vec<_>>(), [3, 5]);
    let header = read_all(b"a,title\n".to_vec(), limited(Limits { cell: 4, ..Limits::default() }));
    assert_eq!(header.problems, ["1 TOO_LONG <title> a title has at most 4 bytes; this has 5"]);
}

#[test]
fn a_file_over_a_limit_is_refused() {
    let bytes = b"a,b\n1,2\n3,4\n".to_vec();
    for (limits, rows, problem) in [
        (Limits { rows: 1, ..Limits::default() }, 1, "3 TOO_MANY_ROWS a file has at most 1 rows; split this one"),
        (
            Limits { columns: 1, ..Limits::default() },
            0,
            "1 TOO_MANY_COLUMNS a file has at most 1 columns; this has 2; take some out",
        ),
        (Limits { bytes: 11, ..Limits::default() }, 0, "1 TOO_LARGE a file has at most 11 bytes; split this one"),
        (Limits { record: 2, ..Limits::default() }, 0, "1 TOO_LONG <a,b> a row has at most 2 bytes; shorten this one"),
    ] {
        let outcome = read_all(bytes.clone(), limited(limits));
        assert_eq!(outcome.problems, [problem]);
        assert_eq!((outcome.rows.len(), outcome.is_broken), (rows, true), "{problem}");
    }
    let exact = Limits { record: 3, cell: 1, columns: 2, bytes: 12, rows: 2 };
    assert_eq!(read_all(bytes, limited(exact)).problems, [""; 0]);
}

/// A gigabyte that begins with `head` and goes on with one byte, and how much of it was read.
struct Flood {
    head: Cursor<&'static [u8]>,
    byte: u8,
    left: usize,
    read: Arc<AtomicU64>,
}

impl Read for Flood {
    fn read(&mut self, buffer: &mut [u8]) -> std::io::Result<usize> {
        let mut count = self.head.read(buffer)?;
        if count == 0 {
            count = buffer.len().min(self.left);
            buffer[..count].fill(self.byte);
            self.left -= count;
        }
        self.read.fetch_add(count as u64, Ordering::Relaxed);
        Ok(count)
    }
}

#[test]
fn a_record_without_end_is_refused_after_its_first_mebibyte() {
    for (head, byte, problem) in [
        ("Name,Email\n", b'a', "2 TOO_LONG "),
        ("Name,Email\n", b',', "2 TOO_LONG "),
        ("Name,Email\n\"", b'a', "2 TOO_LONG "),
        (
            "Name,Email\n\n\"",
            b'\n',
            "3 UNCLOSED_QUOTE [Name] <\"> the double quote that opens cell 1 is not closed within",
        ),
        ("", b'a', "1 TOO_LONG "),
        ("", b',', "1 TOO_LONG "),
        ("", b'"', "1 TOO_LONG "),
    ] {
        let read = Arc::new(AtomicU64::new(0));
        let flood = Flood { head: Cursor::new(head.as_bytes()), byte, left: 1_000_000_000, read: read.clone() };
        let problem_of = |reader: Result<Reader, Problem>| reader?.next(&mut Row::default());
        let found = spell(&problem_of(Reader::open(flood, Options::default())).unwrap_err());
        assert!(found.starts_with(problem), "{found}");
        assert!(read.load(Ordering::Relaxed) <= (1 << 20) + 64, "{head:?} {}", read.load(Ordering::Relaxed));
    }
}

#[test]
fn a_row_of_a_million_cells_is_counted_and_not_kept() {
    let file = format!("a,b\n\"x\"\"\"{},\"y\"\"\"\n1,2\n", ",".repeat(999_999));
    let mut reader = Reader::open(Cursor::new(file), Options::default()).unwrap();
    let mut row = Row::default();
    let problem = spell(&reader.next(&mut row).unwrap_err());
    assert!(problem.starts_with("2 WRONG_CELL_COUNT <x\"> the header has 2 cells, this row 1000001;"), "{problem}");
    assert_eq!((row.len(), row.get(0)), (1_000_001, Some("x\"")));
    assert!(row.cells.capacity() < 100_000, "{}", row.cells.capacity());
    assert_eq!(reader.next(&mut row), Ok(true));
    assert_eq!(row.cells().collect::<Vec<_>>(), ["1", "2"]);
}

#[test]
fn a_source_that_fails_is_not_the_end_of_the_file() {
    struct Failing;
    impl Read for Failing {
        fn read(&mut self, _: &mut [u8]) -> std::io::Result<usize> {
            Err(std::io::ErrorKind::ConnectionReset.into())
        }
    }
    let source = Cursor::new("Name,Email\nAnn,ann@corp.example\nBo,b").chain(Failing);
    let mut reader = Reader::open(source, Options::default()).unwrap();
    let mut row = Row::default();
    assert_eq!(reader.next(&mut row), Ok(true));
    let problem = spell(&reader.next(&mut row).unwrap_err());
    assert_eq!(problem, "3 UNREADABLE the file could not be read to its end: connection reset; send it again");
    assert!(reader.is_broken());
    assert_eq!(reader.next(&mut row), Ok(false));
}
