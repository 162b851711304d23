use clap::{CommandFactory, Parser};

use super::report::{grouped, json, text};
use super::*;
use crate::directory::csv::{ColumnSource, Detected, Encoding, ImportReport, Problem, Problems};
use crate::filter::Filter;
use crate::value::DateFormat;

#[derive(Debug, Parser)]
struct Line {
    #[command(subcommand)]
    command: Command,
}

fn parse(line: &str) -> Result<Command, String> {
    Line::try_parse_from(["roster"].into_iter().chain(line.split(' ')))
        .map(|line| line.command)
        .map_err(|error| error.to_string())
}

fn import(line: &str) -> ImportArgs {
    match parse(line).unwrap() {
        Command::Import(args) => args,
        other => panic!("{other:?}"),
    }
}

fn column(text: &str) -> Result<(String, ColumnSource), String> {
    text.parse::<Column>().map(|Column(header, source)| (header, source))
}

#[test]
fn the_command_line_is_well_formed_and_documents_its_exit_codes() {
    Line::command().debug_assert();
    for command in Line::command().get_subcommands() {
        let help = command.clone().render_long_help().to_string();
        assert!(help.contains("Exit codes:"), "{help}");
    }
}

#[test]
fn an_import_is_a_merge_unless_it_says_otherwise() {
    let args = import("import people.csv");
    assert_eq!(args.mode, ModeName::Merge);
    assert!(!args.dry_run && !args.json);
    let args = import("import - --mode replace --confirm-removals 7 --delimiter tab --encoding windows-1252");
    let options = args.options().unwrap();
    assert_eq!(options.confirm_removals, Some(7));
    assert_eq!(options.delimiter, Some(b'\t'));
    assert_eq!(options.encoding, Some(Encoding::Windows1252));
}

#[test]
fn confirming_removals_of_a_merge_is_a_mistake_that_is_named() {
    let error = import("import a.csv --confirm-removals 7").options().unwrap_err();
    assert_eq!(error.to_string(), "--confirm-removals goes with --mode replace; --mode merge removes nobody");
}

#[test]
fn a_column_is_mapped_to_an_attribute_an_integration_the_id_or_nothing() {
    let attribute = |key: &str, format: Option<&str>| ColumnSource::Attribute {
        key: key.to_owned(),
        date_format: format.map(|format| DateFormat::parse(format).unwrap()),
    };
    let cases = [
        ("Dept=attribute:department", "Dept", attribute("department", None)),
        ("Joined = attribute:start_date:DD/MM/YYYY", "Joined", attribute("start_date", Some("DD/MM/YYYY"))),
        ("Login=integration:GitHub: EMEA", "Login", ColumnSource::Integration("GitHub: EMEA".to_owned())),
        ("Key=id", "Key", ColumnSource::Id),
        ("Notes=ignore", "Notes", ColumnSource::Ignore),
        ("a=b=ignore", "a=b", ColumnSource::Ignore),
        ("Tool=integration:a=b", "Tool", ColumnSource::Integration("a=b".to_owned())),
    ];
    for (text, header, source) in cases {
        assert_eq!(column(text), Ok((header.to_owned(), source)), "{text}");
    }
}

#[test]
fn a_mistake_in_a_column_names_its_mend() {
    let forms = "`ignore`, `id`, `attribute:KEY`, `attribute:KEY:DATEFORMAT` or `integration:NAME`";
    let cases = [
        ("Department", format!("`=` is missing; write HEADER={forms}")),
        ("=ignore", "the header before `=` is missing; write it as the file's first row has it".to_owned()),
        ("Dept=department", format!("`department` says nothing of a column; after `=` write {forms}")),
        ("Dept=attribute:", "the key is missing; write attribute:KEY".to_owned()),
        ("Login=integration:", "the name is missing; write integration:NAME".to_owned()),
        ("Joined=attribute:start:DD/MM", "`DD/MM` must name day, month and year once each, like DD/MM/YYYY".to_owned()),
    ];
    for (text, message) in cases {
        assert_eq!(column(text), Err(message), "{text}");
    }
    assert!(parse("import a.csv --column Dept").unwrap_err().contains("`=` is missing"));
}

#[test]
fn a_delimiter_is_one_sign() {
    assert_eq!(import("import a.csv --delimiter ;").delimiter, Some(b';'));
    for wrong in ["ab", "é", "\"", "x"] {
        let error = parse(&format!("import a.csv --delimiter {wrong}")).unwrap_err();
        assert!(error.contains("one ASCII sign"), "{error}");
    }
}

#[test]
fn a_filter_that_is_none_is_refused_before_anything_is_opened() {
    let error = parse("export --filter {").unwrap_err();
    assert!(error.contains("this is not a filter: EOF while parsing"), "{error}");
    let error = parse(r#"export --filter {"attribut":{}}"#).unwrap_err();
    assert!(error.contains("this is not a filter") && error.contains("\"department\""), "{error}");
    assert!(parse(r#"export - --filter {"all":[]}"#).is_ok());
    let Ok(Command::Export(args)) = parse("export --filter everybody") else { panic!() };
    assert_eq!(args.filter, Some(Filter::Text("everybody".to_owned())));
    assert!(parse(r#"export --sample --filter {"all":[]}"#).is_err());
}

#[test]
fn a_demo_has_a_thousand_users_unless_it_says_otherwise() {
    let Ok(Command::Demo(DemoArgs { users: 1_000, seed: 1 })) = parse("demo") else { panic!() };
    let Ok(Command::Demo(DemoArgs { users: 50, seed: 9 })) = parse("demo --users 50 --seed 9") else { panic!() };
    assert!(parse("demo --users 0").is_err());
}

fn report() -> ImportReport {
    ImportReport {
        applied: true,
        version: 12,
        detected: Some(Detected { encoding: Encoding::Utf8, delimiter: b';' }),
        rows: 1_234,
        created: 1_000,
        unchanged: 234,
        ..ImportReport::default()
    }
}

#[test]
fn the_report_of_an_import_says_what_it_did() {
    assert_eq!(
        text(&report(), "Users", "people.csv", false),
        "people.csv: 1,234 rows (UTF-8, `;` between cells)\n\
         Applied; the directory is at version 12.\n\
         Users: 1,000 created, 0 updated, 0 removed; 234 unchanged.\n"
    );
    let linked = ImportReport { applied: false, absorbed: 2, accounts_moved: 3, ..report() };
    let text = text(&linked, "Users", "people.csv", true);
    assert!(text.contains("A dry run: nothing was changed."), "{text}");
    assert!(text.contains("Accounts: 3 moved, 0 claimed before they were reported, 0 unlinked.\n"), "{text}");
    assert!(text.ends_with("Automatic users that became part of another: 2.\n"), "{text}");
}

#[test]
fn the_report_of_a_file_with_errors_lists_them_by_line_and_column() {
    let of_cell = Problem::new(7, "NOT_A_DATE", "`31/12` is not a date; write it as YYYY-MM-DD");
    let listed = vec![
        of_cell.in_column(Some("Start date")).of_value("31/12"),
        Problem::new(9, "WRONG_CELL_COUNT", "3 cells\u{1b}[31m"),
    ];
    let mut errors = Problems::default();
    (errors.listed, errors.count) = (listed, 150);
    let refused = ImportReport { applied: false, errors, ..report() };
    assert_eq!(
        text(&refused, "Users", "-", false),
        "-: 1,234 rows (UTF-8, `;` between cells)\n\
         150 errors, so nothing was changed.\n\
         line 7, Start date: NOT_A_DATE `31/12` is not a date; write it as YYYY-MM-DD\n\
         line 9: WRONG_CELL_COUNT 3 cells\\u{1b}[31m\n\
         … and 50 more; --json lists up to 1,000\n"
    );
    let json: serde_json::Value = serde_json::from_str(&json(&refused, false).unwrap()).unwrap();
    assert_eq!(json["errorCount"], 150);
    assert_eq!(json["errors"][0]["column"], "Start date");
    assert_eq!(json["errors"][0]["value"], "31/12");
    assert_eq!(json["errors"][1]["column"], serde_json::Value::Null);
    assert_eq!(json["applied"], false);
}

#[test]
fn numbers_have_commas_between_thousands() {
    for (number, text) in [(0, "0"), (999, "999"), (1_000, "1,000"), (1_234_567, "1,234,567")] {
        assert_eq!(grouped(number), text);
    }
}

fn setup<'a>(url: &'a str, folder: &'a Path) -> Setup<'a> {
    Setup { database_url: url, data_dir: folder, sdl: || "type Query\n".to_owned() }
}

async fn outcome(line: &[&str], setup: &Setup<'_>) -> anyhow::Result<Outcome> {
    let command = Line::try_parse_from(["roster"].iter().chain(line)).unwrap().command;
    dispatch(command, setup).await
}

#[tokio::test(flavor = "multi_thread")]
async fn importing_the_export_of_a_demo_changes_nothing_and_a_file_with_errors_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    let data = folder.path().join("new/data");
    let url = format!("sqlite://{}?mode=rwc", data.join("roster.db").display());
    let setup = setup(&url, &data);
    let path = |name: &str| folder.path().join(name).display().to_string();

    assert_eq!(outcome(&["demo", "--users", "40"], &setup).await.unwrap(), Outcome::Done);
    let again = outcome(&["demo", "--users", "40"], &setup).await.unwrap_err();
    assert!(again.to_string().contains("only fills an empty one"), "{again}");

    let (whole, again) = (path("whole.csv"), path("again.csv"));
    assert_eq!(outcome(&["export", &whole], &setup).await.unwrap(), Outcome::Done);
    assert_eq!(outcome(&["import", &whole], &setup).await.unwrap(), Outcome::Done);
    assert_eq!(outcome(&["export", &again], &setup).await.unwrap(), Outcome::Done);
    assert_eq!(std::fs::read(&whole).unwrap(), std::fs::read(&again).unwrap());

    let wrong = path("wrong.csv");
    std::fs::write(&wrong, "Name,Email\nAnn,ann\n").unwrap();
    assert_eq!(outcome(&["import", &wrong, "--json"], &setup).await.unwrap(), Outcome::Refused);
    assert!(outcome(&["import", &path("missing.csv")], &setup).await.is_err());
    assert!(outcome(&["import", folder.path().to_str().unwrap()], &setup).await.is_err());
}

#[tokio::test(flavor = "multi_thread")]
async fn an_export_takes_the_place_of_a_file_only_when_it_is_whole() {
    let folder = tempfile::tempdir().unwrap();
    let data = folder.path().join("data");
    let url = format!("sqlite://{}?mode=rwc", data.join("roster.db").display());
    let setup = setup(&url, &data);
    let file = folder.path().join("out.csv");
    std::fs::write(&file, "as it was").unwrap();
    let filter = r#"{"attribute":{"key":"nothing","is":{"isEmpty":true}}}"#;
    let target = file.to_str().unwrap();
    assert!(outcome(&["export", target, "--filter", filter], &setup).await.is_err());
    assert_eq!(std::fs::read_to_string(&file).unwrap(), "as it was");
    assert_eq!(outcome(&["export", target, "--sample"], &setup).await.unwrap(), Outcome::Done);
    assert!(std::fs::read_to_string(&file).unwrap().contains("Ann Example"));
    // The folder has the file and the data directory, and nothing that was under way.
    assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 2);
}
