use proptest::prelude::*;

use super::super::cell::{neutralise, restore};
use super::*;

fn write(style: Style, titles: &[&str], rows: &[Vec<String>]) -> Vec<u8> {
    let mut writer = Writer::open(Vec::new(), style, titles.iter().copied()).unwrap();
    for row in rows {
        writer.write_row(row.iter().map(String::as_str)).unwrap();
    }
    writer.finish().unwrap()
}

#[test]
fn a_file_is_written_as_spreadsheets_and_diff_take_it() {
    let rows = vec![
        vec!["usr_1".into(), "Lee, Ann".into(), "-3.5".into(), "=1+1".into()],
        vec![String::new(), "'t Hooft".into(), "say \"hi\"".into(), "a; b\n".into()],
        vec!["x".into(), "a; b".into(), String::new(), String::new()],
    ];
    let titles = ["ID", "Name", "Level; Grade", "@Role"];
    let text = "\"ID\",\"Name\",\"Level; Grade\",\"'@Role\"\nusr_1,\"Lee, Ann\",-3.5,'=1+1\n,'t Hooft,\"say \"\"hi\"\"\",\"a; b\n\"\nx,a; b,,\n";
    assert_eq!(String::from_utf8(write(Style::default(), &titles, &rows)).unwrap(), text);
    let marked = write(Style { raw: true, mark: true, ..Style::default() }, &titles, &rows);
    let marked = String::from_utf8(marked).unwrap();
    assert_eq!(marked, format!("\u{FEFF}{}", text.replace("'@", "@").replace("'=", "=")));
}

#[test]
fn a_row_of_one_empty_cell_is_not_a_blank_line() {
    let rows = vec![vec![String::new()], vec!["a".into()]];
    let outcome = read_all(write(Style::default(), &["Name"], &rows), Options::default());
    assert_eq!(outcome.rows, [(2, vec![String::new()]), (3, vec!["a".into()])]);
}

#[test]
fn titles_do_not_decide_the_delimiter_of_what_we_write() {
    let titles = ["ID", "a;b;c;d", "e|f\t|g", "\"x\";;;", "sep=;"];
    let outcome = read_all(write(Style::default(), &titles, &[]), Options::default());
    assert_eq!(outcome.header, titles);
    assert!(outcome.problems.is_empty());
}

/// Any text but NUL, which no value has.
fn text() -> impl Strategy<Value = String> {
    let special =
        prop::sample::select(vec!["'", "=", "\"", "\r", "\n", ",", ";", " ", "\u{FEFF}", "a", "é", "\u{1F680}"]);
    prop_oneof![
        any::<String>().prop_map(|text| text.replace('\0', "")),
        prop::collection::vec(special, 0..8).prop_map(|parts| parts.concat())
    ]
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(1_024))]

    #[test]
    fn what_was_written_is_read_back(
        table in (1usize..5).prop_flat_map(|width| {
            let rows = prop::collection::vec(prop::collection::vec(text(), width), 0..6);
            (Just(width), rows)
        }),
        raw: bool,
        mark: bool,
        delimiter in prop::sample::select(vec![Delimiter::Comma, Delimiter::Semicolon, Delimiter::Tab]),
    ) {
        let (width, rows) = table;
        let titles = &["ID", "Name", "Email", "Level; Grade"][..width];
        // A header of one column does not show what stands between cells.
        let delimiter = if width == 1 { Delimiter::Comma } else { delimiter };
        let read_raw = Options { raw, ..Options::default() };
        let outcome = read_all(write(Style { raw, mark, delimiter }, titles, &rows), read_raw);
        prop_assert_eq!(&outcome.problems, &Vec::<String>::new());
        prop_assert_eq!(&outcome.header, titles);
        let read: Vec<Vec<String>> = outcome.rows.into_iter().map(|(_, cells)| cells).collect();
        prop_assert_eq!(read, rows);
    }

    #[test]
    fn a_safe_file_has_no_cell_that_runs(rows in prop::collection::vec(prop::collection::vec(text(), 3), 0..6)) {
        let raw = Options { raw: true, ..Options::default() };
        let outcome = read_all(write(Style::default(), &["ID", "Name", "Email"], &rows), raw);
        for cell in outcome.rows.iter().flat_map(|(_, cells)| cells) {
            prop_assert_eq!(&*neutralise(restore(cell)), cell.as_str());
        }
    }
}
