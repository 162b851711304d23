use proptest::prelude::*;

use super::*;

const PEOPLE: [[&str; 3]; 3] = [
    ["Zoë Åkesson", "zoe@corp.example", "Software Engineer"],
    ["Jürgen Groß", "jurgen@corp.example", "Staff Engineer"],
    ["李小龙", "xiaolong@corp.example", "Manager 🚀"],
];

fn cells_of(outcome: &Outcome) -> Vec<Vec<&str>> {
    outcome.rows.iter().map(|(_, cells)| cells.iter().map(String::as_str).collect()).collect()
}

#[test]
fn every_encoding_and_delimiter_gives_the_same_rows() {
    for (name, encoding, delimiter) in [
        ("utf8.csv", Encoding::Utf8, b','),
        ("bom-quoted-header.csv", Encoding::Utf8, b','),
        ("tab.csv", Encoding::Utf8, b'\t'),
        ("pipe.csv", Encoding::Utf8, b'|'),
        ("utf16-le.csv", Encoding::Utf16Le, b'\t'),
        ("utf16-be.csv", Encoding::Utf16Be, b'\t'),
    ] {
        let outcome = read_file(name);
        assert_eq!(outcome.header, ["Name", "Email", "Role"], "{name}");
        assert_eq!(cells_of(&outcome), PEOPLE, "{name}");
        assert_eq!(outcome.problems, [""; 0], "{name}");
        assert_eq!(outcome.detected, Some(Detected { encoding, delimiter }), "{name}");
    }
}

#[test]
fn a_customer_export_is_read_as_it_comes() {
    for (name, rows, delimiter) in
        [("../hris/developers.csv", 128, b','), ("../hris/developers-next-month.csv", 129, b';')]
    {
        let outcome = read_file(name);
        assert_eq!((outcome.rows.len(), outcome.header.len()), (rows, 22), "{name}");
        assert_eq!(outcome.problems, [""; 0], "{name}");
        assert_eq!(outcome.detected, Some(Detected { encoding: Encoding::Utf8, delimiter }), "{name}");
        assert_eq!(outcome.rows[0].1[0], "Aoife Ibáñez");
    }
}

#[test]
fn utf16_is_taken_without_its_mark_only_where_it_is_declared() {
    let bytes = bytes_of("utf16-no-mark.csv");
    assert_eq!(
        read_all(bytes.clone(), Options::default()).problems,
        ["1 NOT_TEXT the file is UTF-16 LE without a byte-order mark; declare that, or save it as UTF-8"]
    );
    let declared = Options { encoding: Some(Encoding::Utf16Le), ..Options::default() };
    assert_eq!(cells_of(&read_all(bytes, declared)), PEOPLE);
}

#[test]
fn windows_1252_is_taken_only_where_it_is_declared() {
    assert_eq!(
        read_file("windows-1252.csv").problems,
        ["2 NOT_TEXT byte 18 of the file (0xEB) is not UTF-8; save the file as \"CSV UTF-8\", or declare its encoding"]
    );
    let declared = Options { encoding: Some(Encoding::Windows1252), ..Options::default() };
    assert_eq!(
        cells_of(&read_all(bytes_of("windows-1252.csv"), declared)),
        [["Zoë Åkesson", "zoe@corp.example", "“Staff” – 5 €"], ["Jürgen Groß", "jurgen@corp.example", "Führung"]]
    );
    assert_eq!(
        read_all(bytes_of("windows-1252-free-byte.csv"), declared).problems,
        ["2 NOT_TEXT byte 13 of the file is not Windows-1252; declare another encoding, or save the file as UTF-8"]
    );
    assert_eq!(
        read_all(bytes_of("bom-quoted-header.csv"), declared).problems,
        ["1 WRONG_ENCODING the file is declared as Windows-1252 and begins with the mark of UTF-8"]
    );
}

/// The warning of a file that is read to its end as Windows-1252.
fn doubted(bytes: &[u8]) -> Option<String> {
    let declared = Options { encoding: Some(Encoding::Windows1252), ..Options::default() };
    let mut reader = Reader::open(Cursor::new(bytes.to_vec()), declared).unwrap();
    let mut row = Row::default();
    while reader.next(&mut row).unwrap() {}
    reader.warning().map(|warning| spell(&warning))
}

#[test]
fn a_file_that_is_read_as_windows_1252_and_seems_not_to_be_is_told_once_at_its_line() {
    let utf8 = "the file is declared as Windows-1252, and all of it is UTF-8, in which";
    let odd = "look at the names, and declare another encoding or save the file as UTF-8";
    for (text, told) in [
        (
            "Name,Email\r\nAnn,ann\r\nZoë,zoe\r\nJürgen,j\r\n",
            format!("3 OTHER_ENCODING {utf8} `Ã«` is `ë`; declare UTF-8"),
        ),
        ("Name,Email\n\"a\nb\",x\n☃,y", format!("4 OTHER_ENCODING {utf8} `â˜ƒ` is `☃`; declare UTF-8")),
    ] {
        assert_eq!(doubted(text.as_bytes()), Some(told), "{text}");
    }
    // Andr‚ is how MS-DOS writes André; the other is Japanese, in Shift-JIS.
    for (name, sign) in [(b"Andr\x82".as_slice(), "‚"), (b"\x8Cb\x8Eq", "Ž"), (b"\x82\xBD\x82\xC8\x82\xA9", "‚")] {
        let told = format!("2 OTHER_ENCODING read as Windows-1252, `{sign}` stands within a word here; {odd}");
        assert_eq!(doubted(&[b"Name,Email\n", name, b",x\n"].concat()), Some(told), "{sign}");
    }
    for text in [
        "Name,Email\nAnn,ann\n",
        "Name,Email\nZoë Åkesson,“Staff” – 5 €\n",
        "Name,Email\nŠaran Œuvre Žižek,O’Brien\n",
        "Name,Email\nfünf ‚Anführungen‘,„Rücken“ 3\u{2030} ‹x›\n",
        // The second of these is not UTF-8, so the first is what stands there.
        "Name,Email\nÃ«,x\né,y\n",
    ] {
        let (bytes, _, is_lossy) = encoding_rs::WINDOWS_1252.encode(text);
        assert!(!is_lossy);
        assert_eq!(doubted(&bytes), None, "{text}");
    }
}

#[test]
fn utf16_that_is_read_in_the_wrong_order_or_is_none_is_told_before_anything_is_read() {
    let wide =
        |encode: fn(u16) -> [u8; 2]| -> Vec<u8> { "Name,Email\nZoë,zoe\n".encode_utf16().flat_map(encode).collect() };
    let (little, big) = (wide(u16::to_le_bytes), wide(u16::to_be_bytes));
    let problems =
        |bytes: &[u8], encoding| read_all(bytes.to_vec(), Options { encoding, ..Options::default() }).problems;
    let (le, be) = (Some(Encoding::Utf16Le), Some(Encoding::Utf16Be));
    for (bytes, declared, told) in [
        (&little, be, "1 WRONG_ENCODING the file is declared as UTF-16 BE, and its bytes are UTF-16 LE; declare that"),
        (&big, le, "1 WRONG_ENCODING the file is declared as UTF-16 LE, and its bytes are UTF-16 BE; declare that"),
        (&big, None, "1 NOT_TEXT the file is UTF-16 BE without a byte-order mark; declare that, or save it as UTF-8"),
        (
            &big,
            Some(Encoding::Windows1252),
            "1 NOT_TEXT the file is UTF-16 BE without a byte-order mark; declare that, or save it as UTF-8",
        ),
        (
            &b"Name,Email\nAnn,ann\n".to_vec(),
            le,
            "1 WRONG_ENCODING the file is declared as UTF-16 LE, and is not; declare its encoding, or save it as UTF-8",
        ),
    ] {
        assert_eq!(problems(bytes, declared), [told]);
    }
    assert_eq!(problems(&little, le), [""; 0]);
    assert_eq!(problems(&big, be), [""; 0]);
}

#[test]
fn what_is_not_text_is_one_problem_at_its_line_and_byte() {
    let utf8 = "save the file as \"CSV UTF-8\", or declare its encoding";
    for (name, rows, problem) in [
        ("invalid-utf8.csv", 1, format!("3 NOT_TEXT byte 48 of the file (0xFC) is not UTF-8; {utf8}")),
        ("shift-jis.csv", 0, format!("2 NOT_TEXT byte 11 of the file (0x93) is not UTF-8; {utf8}")),
        (
            "nul.csv",
            1,
            "3 NOT_TEXT the character NUL stands here, so this is no text file; if it is UTF-16, save it with a \
             byte-order mark, or as UTF-8"
                .into(),
        ),
        (
            "utf16-cut.csv",
            2,
            "4 NOT_TEXT byte 296 of the file is not UTF-16 LE; the file is cut off or damaged; save it anew".into(),
        ),
    ] {
        let outcome = read_file(name);
        assert_eq!(outcome.problems, [problem], "{name}");
        assert_eq!((outcome.rows.len(), outcome.is_broken), (rows, true), "{name}");
    }
}

#[test]
fn text_is_given_as_it_was_written() {
    let outcome = read_file("nfd-names.csv");
    assert_eq!(outcome.rows[0].1[0], "Zoe\u{308} A\u{30a}kesson");
}

#[test]
fn a_line_that_names_the_separator_is_honoured() {
    let outcome = read_file("sep-line.csv");
    assert_eq!(outcome.header, ["Name", "Email", "Role"]);
    assert_eq!(outcome.rows, [(3, ["Zoë Åkesson", "zoe@corp.example", "Engineer, Staff"].map(String::from).to_vec())]);
    assert_eq!(outcome.detected.map(|detected| detected.delimiter), Some(b';'));
    let declared = Options { delimiter: Some(b','), ..Options::default() };
    let outcome = read_all(b"\"sep=;\"\nName,Email\nAnn,ann@corp.example\n".to_vec(), declared);
    assert_eq!(outcome.header, ["Name", "Email"]);
    assert_eq!(outcome.rows.len(), 1);
}

#[test]
fn decimal_commas_do_not_decide_the_delimiter() {
    let outcome = read_file("semicolon.csv");
    assert_eq!(outcome.header, ["Name", "Email", "Salary, EUR"]);
    assert_eq!(outcome.rows[0].1[2], "61250,50");
    assert_eq!(outcome.problems, [""; 0]);
}

#[test]
fn a_file_of_many_columns_is_never_read_as_one() {
    let declared = |delimiter| Options { delimiter: Some(delimiter), ..Options::default() };
    for (bytes, options, problem) in [
        (
            bytes_of("whole-lines-quoted.csv"),
            Options::default(),
            "1 WRONG_DELIMITER <Name;Email;Role> with `,` between cells the header is one column that contains `;`; \
             declare the delimiter, and do not quote the line as a whole",
        ),
        (
            bytes_of("tab.csv"),
            declared(b';'),
            "1 WRONG_DELIMITER <Name\tEmail\tRole> with `;` between cells the header is one column that contains TAB; \
             declare the delimiter, and do not quote the line as a whole",
        ),
        (
            bytes_of("ambiguous-delimiter.csv"),
            Options::default(),
            "1 AMBIGUOUS_DELIMITER the header has as many `,` as `;`; declare the delimiter",
        ),
        (
            bytes_of("utf8.csv"),
            declared(b'"'),
            "1 WRONG_DELIMITER a delimiter is a TAB or an ASCII sign other than the double quote",
        ),
    ] {
        assert_eq!(read_all(bytes, options).problems, [problem]);
    }
    assert_eq!(read_all(bytes_of("ambiguous-delimiter.csv"), declared(b';')).header, ["Name", "Email,Role"]);
    assert_eq!(read_all(b"Name:Email\n".to_vec(), declared(b':')).header, ["Name", "Email"]);
}

#[test]
fn a_file_without_a_header_is_refused_and_one_without_rows_is_not() {
    let problem = "1 EMPTY_FILE the file is empty; its first line must name its columns";
    assert_eq!(read_file("empty.csv").problems, [problem]);
    assert_eq!(read_file("blank-lines.csv").problems, [problem]);
    let outcome = read_file("header-only.csv");
    assert_eq!(outcome.header, ["Name", "Email"]);
    assert_eq!((outcome.rows.len(), outcome.problems.len(), outcome.is_broken), (0, 0, false));
}

#[test]
fn a_misplaced_quote_ends_the_reading_at_the_line_on_which_its_cell_opens() {
    for (name, rows, problem) in [
        (
            "unclosed-quote.csv",
            0,
            "2 UNCLOSED_QUOTE [Email] <\"zoe@corp.example,Engineer> the double quote that opens cell 2 is not closed \
             before the end of the file; close it, or take it out",
        ),
        (
            "unclosed-quote-among-quoted.csv",
            0,
            "2 TEXT_AFTER_QUOTE [Email] <zoe@corp.example,> text follows the double quote that closes cell 2; write a \
             double quote within a cell twice",
        ),
        (
            "swallowed-line.csv",
            0,
            "2 TEXT_AFTER_QUOTE [Role] <Engineer\n> text follows the double quote that closes cell 3 on line 3; write a \
             double quote within a cell twice",
        ),
        (
            "text-after-quote.csv",
            0,
            "2 TEXT_AFTER_QUOTE [Role] <Software> text follows the double quote that closes cell 3; write a double \
             quote within a cell twice",
        ),
        (
            "bare-quote.csv",
            1,
            "3 BARE_QUOTE [Name] <Ann \"Ant\" Lee> a double quote stands at character 5 of cell 1, which is not quoted; \
             put the cell between double quotes and write those within it twice",
        ),
    ] {
        let outcome = read_file(name);
        assert_eq!(outcome.problems, [problem], "{name}");
        assert_eq!((outcome.rows.len(), outcome.is_broken), (rows, true), "{name}");
    }
}

#[test]
fn a_row_of_the_wrong_width_is_a_problem_of_its_own() {
    let outcome = read_file("ragged.csv");
    assert_eq!(
        outcome.problems,
        [
            "2 WRONG_CELL_COUNT <Zoë Åkesson> the header has 3 cells, this row 2; add what is missing, empty cells \
             included",
            "5 WRONG_CELL_COUNT <Lee> the header has 3 cells, this row 4; put a cell that contains the delimiter \
             between double quotes",
        ]
    );
    assert_eq!(outcome.rows.iter().map(|(line, _)| *line).collect::<Vec<_>>(), [4, 6]);
    assert!(!outcome.is_broken);
}

#[test]
fn the_cells_of_a_bad_row_can_be_given_back() {
    let mut reader = Reader::open(Cursor::new("a,b\n1,2,3\n4,5\n"), Options::default()).unwrap();
    let mut row = Row::default();
    assert!(reader.next(&mut row).is_err());
    assert_eq!((row.line(), row.cells().collect::<Vec<_>>()), (2, vec!["1", "2", "3"]));
    assert_eq!((reader.next(&mut row), row.get(1), row.get(2)), (Ok(true), Some("5"), None));
    assert_eq!((reader.next(&mut row), row.is_empty()), (Ok(false), true));
}

#[test]
fn lines_are_counted_as_editors_count_them() {
    let outcome = read_file("cr-only.csv");
    assert_eq!(
        outcome.rows[0],
        (2, vec!["Zoë Åkesson".into(), "zoe@corp.example".into(), "Software\rEngineer".into()])
    );
    assert_eq!(outcome.problems.len(), 1);
    assert!(outcome.problems[0].starts_with("5 WRONG_CELL_COUNT <Jürgen Groß>"));
    let outcome = read_file("quoted-newlines.csv");
    assert_eq!(outcome.rows.iter().map(|(line, _)| *line).collect::<Vec<_>>(), [3, 9]);
    assert_eq!(outcome.rows[0].1, ["Zoë\r\nÅkesson", "zoe@corp.example", "one\ntwo\rthree"]);
    assert_eq!(outcome.rows[1].1, ["Ann \"The Ant\" Lee", "ann@corp.example", ""]);
    assert!(outcome.problems[0].starts_with("8 WRONG_CELL_COUNT <Jürgen Groß>"));
}

/// What can be planted in a row: its text, and the codes that it may give.
const ERRORS: [(&[u8], &[&str]); 6] = [
    (b"a,b\"c,d", &["BARE_QUOTE"]),
    (b"a,b,\"c\"d", &["TEXT_AFTER_QUOTE"]),
    // What follows decides whether the quote is ever closed.
    (b"a,\"b,c", &["UNCLOSED_QUOTE", "TEXT_AFTER_QUOTE"]),
    (b"a,b", &["WRONG_CELL_COUNT"]),
    (b"a,b\0,c", &["NOT_TEXT"]),
    (b"a,b\xFF,c", &["NOT_TEXT"]),
];

proptest! {
    #![proptest_config(ProptestConfig::with_cases(1_000))]

    #[test]
    fn a_problem_is_reported_on_its_true_line(
        line_break in prop::sample::select(vec!["\n", "\r\n", "\r"]),
        // Per row: blank lines before it, the line breaks in its quoted cell, and whether it is long.
        rows in prop::collection::vec(
            (0u64..3, prop::collection::vec(prop::sample::select(vec!["\n", "\r\n", "\r"]), 0..4), any::<bool>()),
            1..30,
        ),
        place in any::<prop::sample::Index>(),
        error in prop::sample::select(ERRORS.to_vec()),
    ) {
        let place = place.index(rows.len());
        let mut file = format!("Name,Email,Role{line_break}").into_bytes();
        let mut line = 2;
        let mut planted = 0;
        let mut lines = Vec::new();
        for (nth, (blank, breaks, is_long)) in rows.iter().enumerate() {
            file.extend(line_break.repeat(usize::try_from(*blank).unwrap()).bytes());
            line += blank;
            if nth == place {
                planted = line;
                file.extend(error.0);
                file.extend(line_break.bytes());
                line += 1;
            }
            // A letter before each break keeps a CR and an LF that are two breaks apart.
            let text: String = breaks.iter().map(|line_break| format!("é{line_break}")).collect();
            let name = if *is_long { "Åsa ".repeat(20) } else { "Bo".into() };
            file.extend(format!("{name},\"{text}x\",\"\"{line_break}").bytes());
            lines.push(line);
            line += 1 + breaks.len() as u64;
        }
        let outcome = read_all(file, Options::default());
        prop_assert_eq!(outcome.problems.len(), 1);
        let found = error.1.iter().any(|code| outcome.problems[0].starts_with(&format!("{planted} {code} ")));
        prop_assert!(found, "line {}: {:?}", planted, outcome.problems);
        // Where reading goes on after the problem, it goes on at the right line.
        let read: Vec<u64> = outcome.rows.iter().map(|(line, _)| *line).collect();
        let all = if outcome.is_broken { &lines[..place] } else { &lines[..] };
        prop_assert_eq!(read, all);
    }

    #[test]
    fn no_bytes_are_too_odd_to_be_read(
        bytes in prop::collection::vec(prop::sample::select(b"\",;\r\n\0a\xC3\xA9\xFF\xFE=".to_vec()), 0..80),
        encoding in prop::sample::select(vec![
            None, Some(Encoding::Utf8), Some(Encoding::Utf16Le), Some(Encoding::Utf16Be), Some(Encoding::Windows1252),
        ]),
    ) {
        read_all(bytes, Options { encoding, ..Options::default() });
    }

    #[test]
    fn utf16_is_read_as_utf8_is(text in "(a|é|🚀|,|\"\"|\n){0,60}") {
        let text = format!("Name,Email\n{text}");
        let wide: Vec<u8> = text.encode_utf16().flat_map(u16::to_le_bytes).collect();
        let declared = Options { encoding: Some(Encoding::Utf16Le), ..Options::default() };
        let (wide, narrow) = (read_all(wide, declared), read_all(text.into_bytes(), Options::default()));
        prop_assert_eq!((wide.rows, wide.problems), (narrow.rows, narrow.problems));
    }
}
