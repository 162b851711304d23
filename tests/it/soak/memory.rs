//! How much memory large files take, above what the directory takes that comes of them.

use std::io::{self, Write};

use serde_json::{Value as Json, json};

use super::{row, wanted};
use crate::kill::{APPLY, CREATE, IMPORT, settled};
use crate::support::{Served, in_each_home};

/// Megabytes that an import and an export may take.
const LARGE: f64 = 150.0;
/// Megabytes that a file may take that is refused.
const REFUSED: f64 = 32.0;
/// The longest row that the tests write at once.
const PIECE: usize = 1 << 16;

const COLUMNS: usize = 8;

/// Megabytes of a process now, and at the most since the last [`forget`].
pub(super) fn memory(server: &Served) -> (f64, f64) {
    (status(server, "VmRSS:") / 1024.0, status(server, "VmHWM:") / 1024.0)
}

/// How many threads a process has.
pub(super) fn threads(server: &Served) -> usize {
    status(server, "Threads:") as usize
}

/// What the system says of a process.
fn status(server: &Served, name: &str) -> f64 {
    let status = std::fs::read_to_string(format!("/proc/{}/status", server.id())).unwrap();
    let line = status.lines().find(|line| line.starts_with(name)).unwrap();
    line.split_whitespace().nth(1).unwrap().parse().unwrap()
}

/// Counts what a process takes at the most from now on.
fn forget(server: &Served) {
    std::fs::write(format!("/proc/{}/clear_refs", server.id()), "5").unwrap();
}

fn tell(what: &str, grown: f64, limit: f64) -> bool {
    row(&[what, &format!("{grown:.0} MB above the directory"), &format!("≤ {limit} MB")]);
    grown <= limit
}

#[test]
fn a_file_of_many_long_rows() {
    let Some(rows) = wanted("SOAK_MEMORY_ROWS") else { return };
    in_each_home(|home| {
        let server = home.serve();
        for column in 0..COLUMNS {
            let title = json!({ "title": format!("Column {column}") });
            server.ask(
                "mutation($title: String!) { createAttribute(input: {title: $title, type: TEXT}) { version } }",
                title,
            );
        }
        let titles: String = (0..COLUMNS).map(|column| format!(",Column {column}")).collect();
        let write = |to: &mut dyn Write| {
            writeln!(to, "Name,Email{titles}")?;
            for user in 0..rows {
                write!(to, "User {user:07},user{user:07}@corp.example")?;
                for column in 0..COLUMNS {
                    write!(to, ",{:0>115}", user * (column + 1) % 1_000)?;
                }
                writeln!(to)?;
            }
            Ok(())
        };
        let made = server.upload_of(CREATE, json!({}), write);
        let id = made["createImportDraft"]["draft"]["id"].clone();
        assert_eq!(settled(&server, &id)["state"], "READY");
        let compared = memory(&server).1;
        server.ask(APPLY, json!({ "id": id }));
        assert_eq!(settled(&server, &id)["state"], "APPLIED");
        let applied = memory(&server).1;
        assert_eq!(server.stop().0, Some(0));

        let server = home.serve();
        let loaded = memory(&server).0;
        forget(&server);
        let exported = server.count_lines("/export/users.csv");
        assert_eq!(exported, rows + 1);
        let grown = [
            ("compared as a draft", compared - loaded),
            ("compared and applied", applied - loaded),
            ("exported", memory(&server).1 - loaded),
        ];
        let kind = super::kind(home);
        let met = grown.map(|(what, grown)| tell(&format!("{rows} rows of 1 kB {what}, {kind}"), grown, LARGE));
        assert_eq!(met, [true; 3]);
    });
}

/// Writes a text `count` times.
fn repeat(to: &mut dyn Write, text: &str, count: usize) -> io::Result<()> {
    let piece = text.repeat((PIECE / text.len()).min(count));
    let whole = count / (piece.len() / text.len());
    for _ in 0..whole {
        to.write_all(piece.as_bytes())?;
    }
    to.write_all(text.repeat(count - whole * (piece.len() / text.len())).as_bytes())
}

#[test]
fn files_of_odd_shapes_are_refused() {
    let Some(rows) = wanted("SOAK_MEMORY_ROWS") else { return };
    in_each_home(|home| {
        let server = home.serve();
        // The first import loads what all of them need.
        server.upload(IMPORT, json!({}), b"Name,Email\nAnn,\n");
        type File<'a> = (&'a str, &'a str, usize, &'a str);
        let files: [(&str, File<'_>); 4] = [
            ("one quoted cell of 1 kB a row", ("Name,Email\nAnn,\"", "x", 1_000 * rows, "\"\n")),
            ("300 empty cells a row, in one row", ("Name,Email\n", ",", 300 * rows, "\n")),
            ("a column a row", ("Name", ",x", rows, "\nAnn\n")),
            ("1 kB a row, without a line break", ("Name,Email\n", "x", 1_000 * rows, "")),
        ];
        let kind = super::kind(home);
        let met = files.map(|(what, (begin, text, count, end))| {
            forget(&server);
            let before = memory(&server).0;
            let report = server.upload_of(IMPORT, json!({}), |to| {
                to.write_all(begin.as_bytes())?;
                repeat(to, text, count)?;
                to.write_all(end.as_bytes())
            });
            let report: &Json = &report["importUsers"];
            assert_eq!(report["applied"], false);
            assert!(report["errorCount"].as_u64().unwrap() > 0, "{report}");
            tell(&format!("{rows} x {what}, {kind}"), memory(&server).1 - before, REFUSED)
        });
        assert_eq!(met, [true; 4]);
    });
}
