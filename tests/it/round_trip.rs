//! `import(export(directory))` changes nothing, and an export makes the same directory elsewhere.

use entity::attribute::AttributeType;
use entity::integration::IntegrationKind;
use proptest::prelude::*;
use roster::directory::csv::{ColumnSource, ExportOptions, ImportMode, ImportOptions, Mapping, Style};
use roster::directory::{AttributeChange, Directory, NewUser, SyncMode, SyncedAccount};
use roster::filter::Filter;
use roster::index::AccountBy;
use roster::value::Email;
use serde_json::{Value as Json, json};

use crate::kill::settled;
use crate::support::{
    Site, account, attribute, cast, export, export_as, import, in_each_home, integration, me, on_both, problems,
    tables, user,
};

/// Imports what the directory exports, in each mode and style; nothing may change.
async fn round_trip(site: &Site) {
    let before = (site.version(), tables(site).await);
    let users = site.index().user_count();
    for (style, mode) in [
        (Style::default(), ImportMode::Merge),
        (Style::default(), ImportMode::Replace),
        (Style { mark: true, ..Style::default() }, ImportMode::Merge),
        (Style { raw: true, ..Style::default() }, ImportMode::Merge),
    ] {
        let text = export_as(site, &ExportOptions { style, ..ExportOptions::default() }).await;
        let report = import(site, &text, ImportOptions { mode, raw: style.raw, ..ImportOptions::default() }).await;
        assert_eq!(problems(&report.errors), [""; 0], "{text}");
        assert_eq!(problems(&report.warnings), [""; 0], "{text}");
        assert_eq!([report.created, report.updated, report.unchanged], [0, 0, users], "{text}");
        assert_eq!([report.accounts_claimed, report.accounts_moved, report.accounts_unlinked], [0; 3], "{text}");
        assert_eq!((report.version, tables(site).await), before, "{text}");
    }
}

#[test]
fn importing_the_export_of_the_cast_changes_nothing() {
    on_both(async |site: &Site| {
        cast(site).await;
        round_trip(site).await;
        export(site).await
    });
}

#[test]
fn the_export_of_the_cast_is_what_a_spreadsheet_can_open() {
    let text = on_both(async |site: &Site| {
        cast(site).await;
        export(site).await
    });
    insta::assert_snapshot!(text);
}

#[test]
fn importing_the_export_of_nobody_changes_nothing() {
    on_both(async |site: &Site| {
        attribute(site, "Department", AttributeType::Text, &[]).await;
        round_trip(site).await;
        let sample = export_as(site, &ExportOptions { template: true, ..ExportOptions::default() }).await;
        let report = import(site, sample, ImportOptions::default()).await;
        assert_eq!((problems(&report.errors), report.created), (Vec::new(), 2), "the sample is a file that imports");
        round_trip(site).await;
    });
}

#[test]
fn names_that_a_spreadsheet_would_run_leave_as_text_and_come_back_as_they_were() {
    let triggers = ["=", "+", "-", "@", "\t=", "＝", "＋", "－", "＠", " =", "\u{a0}=", "'=", "''=", "\"=", ";=", ",="];
    let tails = ["1+1", "cmd|' /C calc'!A0", "HYPERLINK(\"https://evil.example\")"];
    on_both(async |site: &Site| {
        attribute(site, "Note", AttributeType::Text, &[]).await;
        for (number, (trigger, tail)) in triggers.iter().flat_map(|t| tails.map(|tail| (t, tail))).enumerate() {
            let text = format!("{trigger}{tail}");
            user(site, &text, &format!("u{number}@corp.example"), json!({ "note": text })).await;
        }
        let text = export(site).await;
        for record in csv::Reader::from_reader(text.as_bytes()).records() {
            for cell in &record.unwrap() {
                let first = cell.trim_start().chars().next().unwrap_or('x');
                assert!(!"=+-@＝＋－＠".contains(first), "a cell that runs: {cell}");
            }
        }
        round_trip(site).await;
        // A raw export is for programs: byte for byte what is stored.
        let style = Style { raw: true, ..Style::default() };
        let raw = export_as(site, &ExportOptions { style, ..ExportOptions::default() }).await;
        assert!(csv::Reader::from_reader(raw.as_bytes()).records().any(|row| &row.unwrap()[1] == "=1+1"));
    });
}

#[test]
fn importing_an_export_changes_nothing_after_options_were_respelt_and_reordered() {
    on_both(async |site: &Site| {
        let level = attribute(site, "Level", AttributeType::Select, &["junior", "senior"]).await;
        let teams = attribute(site, "Teams", AttributeType::MultiSelect, &["Data", "Platform", "Web"]).await;
        user(site, "Ann", "ann@corp.example", json!({ "level": "senior", "teams": ["Platform", "Data"] })).await;
        user(site, "Bob", "bob@corp.example", json!({ "level": "junior", "teams": ["Web"] })).await;
        for (id, options) in [(level, ["Senior", "junior", "Chief"]), (teams, ["Platform", "data", "Web"])] {
            let options = Some(options.map(str::to_owned).to_vec());
            site.update_attribute(&me(), id, AttributeChange { options, ..AttributeChange::default() }).await.unwrap();
        }
        round_trip(site).await;
        let text = export(site).await;
        assert!(text.contains("ann@corp.example,Senior,Platform; data"), "{text}");
        assert!(text.contains("bob@corp.example,junior,Web"), "{text}");
    });
}

#[test]
fn numbers_keep_their_last_digit_however_large_or_small() {
    on_both(async |site: &Site| {
        attribute(site, "Number", AttributeType::Number, &[]).await;
        let numbers = [0.1 + 0.2, 1e15, 9.1e15, 1.3e19, -9.1e15, -9.3e18, 1.9e19, 1e300, 5e-324, -0.0, f64::MAX];
        for (at, number) in numbers.into_iter().enumerate() {
            user(site, "N", &format!("n{at}@corp.example"), json!({ "number": number })).await;
        }
        round_trip(site).await;
    });
}

#[test]
fn accounts_that_share_names_are_told_apart() {
    on_both(async |site: &Site| {
        let github = integration(site, IntegrationKind::GitHub, "GitHub").await;
        let users = [
            user(site, "Ann", "ann@corp.example", json!({})).await,
            user(site, "Bob", "bob@corp.example", json!({})).await,
        ];
        let accounts = vec![
            account("1", "twin", ""),
            account("2", "Twin", ""),
            account("3", "twin", "bob@corp.example"),
            account("4", "ann@corp.example", ""),
            account("5", "x", "ann@corp.example"),
            account("6", "1", ""),
            account("7", "id:1", ""),
            account(" 8", "", ""),
            account("9;9", "", ""),
            account("aB", "", ""),
            account("Ab", "", ""),
        ];
        for (number, account) in accounts.iter().enumerate() {
            site.sync_accounts(&me(), github, vec![account.clone()], SyncMode::Delta).await.unwrap();
            let by = AccountBy::ExternalId(account.external_id.trim());
            let id = site.index().resolve(github, by).unwrap().account;
            site.link_account(&me(), id, users[number % 2], None).await.unwrap();
        }
        round_trip(site).await;
    });
}

#[test]
fn what_an_import_claimed_exports_as_it_was_written_once_the_tool_reports_it() {
    on_both(async |site: &Site| {
        let github = integration(site, IntegrationKind::GitHub, "GitHub").await;
        let content = "Name,Email,GitHub\nAnn,ann@corp.example,octo; ann@home.example; id:7\n";
        import(site, content, ImportOptions::default()).await;
        round_trip(site).await;
        site.sync_accounts(&me(), github, vec![account("7", "seven", "")], SyncMode::Delta).await.unwrap();
        round_trip(site).await;
        site.sync_accounts(&me(), github, vec![account("1", "octo", "")], SyncMode::Delta).await.unwrap();
        round_trip(site).await;
    });
}

#[test]
fn a_claim_beside_the_reported_account_of_the_same_email_survives_the_round_trip() {
    on_both(async |site: &Site| {
        let github = integration(site, IntegrationKind::GitHub, "GitHub").await;
        let content = "Name,Email,GitHub\nAnn,ann@corp.example,octo; ann@home.example\n";
        import(site, content, ImportOptions::default()).await;
        site.sync_accounts(&me(), github, vec![account("1", "octo", "ann@home.example")], SyncMode::Delta)
            .await
            .unwrap();
        round_trip(site).await;
    });
}

/// Text that has gone wrong somewhere: signs of spreadsheets, CSV and lists, and any other characters.
fn text() -> impl Strategy<Value = String> {
    let pieces = [
        "=",
        "+",
        "-",
        "@",
        "'",
        "\"",
        "\"\"",
        ";",
        ",",
        "\n",
        "\r\n",
        "\t",
        "|",
        " ",
        "%",
        "_",
        "id:",
        "ID",
        "é",
        "e\u{301}",
        "ß",
        "Σς",
        "İ",
        "日本",
        "👩‍🚀",
        "\u{feff}",
        "\u{200b}",
        "＝",
        "a",
        "B",
        "1",
        "-1.5",
        "true",
    ];
    let piece = prop_oneof![4 => prop::sample::select(pieces.to_vec()).prop_map(str::to_owned), 1 => "\\PC{1,4}"];
    prop::collection::vec(piece, 0..5).prop_map(|pieces| pieces.concat())
}

#[derive(Clone, Debug)]
struct Drawn {
    name: String,
    attributes: Vec<(&'static str, Json)>,
    supervisor: Option<usize>,
    accounts: Vec<(usize, String, Option<usize>)>,
}

fn drawn() -> impl Strategy<Value = Drawn> {
    let number = prop_oneof![
        any::<f64>().prop_filter("finite", |number| number.is_finite()),
        (-1000_i32..1000).prop_map(f64::from),
        Just(9.0e15),
        Just(1e21),
        Just(5e-324),
        Just(-0.0),
    ];
    let teams = prop::sample::subsequence(vec!["=Ops", "R&D", "a, b", "\"quoted\""], 0..=4);
    let level = prop::sample::select(vec!["", "'Junior'", "-Senior"]);
    let date = (1000_i32..=9999, 1_u32..=12, 1_u32..=28).prop_map(|(y, m, d)| format!("{y:04}-{m:02}-{d:02}"));
    let url = prop::option::of("https://[a-z]{1,5}\\.example/[a-z;,\"'=+@-]{0,6}");
    let email = prop::option::of("[a-zé'+=-]{1,5}@(bücher|corp)\\.example");
    let values = (
        text(),
        prop::option::of(number),
        prop::option::of(any::<bool>()),
        prop::option::of(date),
        teams,
        level,
        url,
        email,
    );
    // In a directory that has not seen the account, a username that could be an email is claimed as one.
    let username = text().prop_filter("not an email", |username| Email::parse(username).is_err());
    let accounts = prop::collection::vec((0..2_usize, username, prop::option::of(0..6_usize)), 0..4);
    (text(), values, prop::option::of(0..6_usize), accounts).prop_map(|(name, values, supervisor, accounts)| {
        let (note, number, flag, date, teams, level, url, email) = values;
        let attributes = vec![
            ("note", json!(note)),
            ("capacity", json!(number)),
            ("remote", json!(flag)),
            ("start", json!(date)),
            ("teams", json!(teams)),
            ("level", json!(level)),
            ("home_page", json!(url)),
            ("private", json!(email)),
        ];
        Drawn { name: format!("x{name}"), attributes, supervisor, accounts }
    })
}

async fn catalogue(directory: &Directory) {
    attribute(directory, "Note; or \"notes\"", AttributeType::Text, &[]).await;
    let new = |title: &str, key: &str, r#type, options: &[&str]| roster::directory::NewAttribute {
        title: title.into(),
        key: Some(key.into()),
        r#type,
        description: String::new(),
        options: options.iter().map(|option| (*option).to_owned()).collect(),
        is_required: false,
        is_unique: false,
        readable_by: None,
        position: None,
    };
    for new in [
        new("=Capacity", "capacity", AttributeType::Number, &[]),
        new("Remote?", "remote", AttributeType::Boolean, &[]),
        new("Start", "start", AttributeType::Date, &[]),
        new("Teams", "teams", AttributeType::MultiSelect, &["=Ops", "R&D", "a, b", "\"quoted\""]),
        new("Level", "level", AttributeType::Select, &["'Junior'", "-Senior"]),
        new("Home page", "home_page", AttributeType::Url, &[]),
        new("Private", "private", AttributeType::Email, &[]),
        new("Supervisor", "supervisor", AttributeType::User, &[]),
    ] {
        directory.create_attribute(&me(), new).await.unwrap();
    }
    integration(directory, IntegrationKind::GitHub, "GitHub, main").await;
    integration(directory, IntegrationKind::Jira, "Jira").await;
}

/// Fills a directory with what was drawn; supervisors are earlier users, so that there is no circle.
async fn fill(site: &Site, drawn: &[Drawn]) {
    catalogue(site).await;
    for (number, Drawn { name, attributes, supervisor, accounts }) in drawn.iter().enumerate() {
        let key = |key: &str| if key == "note" { "note_or_notes".to_owned() } else { key.to_owned() };
        let mut attributes: Vec<(String, Json)> =
            attributes.iter().map(|(name, value)| (key(name), value.clone())).collect();
        if let Some(supervisor) = supervisor.filter(|supervisor| *supervisor < number) {
            attributes.push(("supervisor".into(), json!(format!("ü{supervisor}@bücher.example"))));
        }
        let email = format!("Ü{number}@BÜCHER.example");
        let new = NewUser { name: name.clone(), email, further_emails: Vec::new(), attributes };
        let id = site.create_user(&me(), new).await.unwrap();
        for (at, (tool, username, email)) in accounts.iter().enumerate() {
            let tool = site.find_integration(["GitHub, main", "Jira"][*tool]).unwrap();
            let external_id = format!("{number}{at}{username}");
            let account = SyncedAccount {
                external_id: external_id.clone(),
                username: Some(username.clone()),
                email: email.map(|email| format!("account{email}@corp.example")),
                display_name: None,
                is_bot: true,
                is_gone: false,
            };
            site.sync_accounts(&me(), tool, vec![account], SyncMode::Delta).await.unwrap();
            let found =
                site.index().resolve(tool, AccountBy::ExternalId(roster::value::nfc(external_id.trim()).as_str()));
            let found = found.or_else(|| site.index().resolve(tool, AccountBy::ExternalId(external_id.trim())));
            site.link_account(&me(), found.unwrap().account, id, None).await.unwrap();
        }
    }
}

/// The export without its first column.
fn without_ids(text: &str) -> Vec<Vec<String>> {
    let mut reader = csv::ReaderBuilder::new().has_headers(false).from_reader(text.as_bytes());
    reader.records().map(|record| record.unwrap().iter().skip(1).map(str::to_owned).collect()).collect()
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 32, ..ProptestConfig::default() })]

    #[test]
    fn importing_the_export_of_any_directory_changes_nothing_and_makes_the_same_elsewhere(
        drawn in prop::collection::vec(drawn(), 0..5),
        raw: bool,
    ) {
        let style = Style { raw, ..Style::default() };
        let options = ExportOptions { style, ..ExportOptions::default() };
        let text = on_both(async |site: &Site| {
            fill(site, &drawn).await;
            round_trip(site).await;
            export_as(site, &options).await
        });
        on_both(async |site: &Site| {
            catalogue(site).await;
            let mapping = Mapping { columns: vec![("ID".into(), ColumnSource::Ignore)], ignore_unknown: false, ..Mapping::default() };
            let report = import(site, &text, ImportOptions { mapping, raw, ..ImportOptions::default() }).await;
            assert_eq!(problems(&report.errors), [""; 0], "{text}");
            assert_eq!(report.created, drawn.len() as u64);
            assert_eq!(without_ids(&export_as(site, &options).await), without_ids(&text));
            round_trip(site).await;
        });
    }
}

#[test]
fn an_export_of_a_filter_has_those_whom_it_selects_in_order_of_name() {
    on_both(async |site: &Site| {
        cast(site).await;
        let filter: Filter =
            serde_json::from_value(json!({ "attribute": { "key": "teams", "is": { "hasAny": ["platform"] } } }))
                .unwrap();
        let text = export_as(site, &ExportOptions { filter: Some(filter), ..ExportOptions::default() }).await;
        let names: Vec<String> = without_ids(&text).into_iter().skip(1).map(|row| row[0].clone()).collect();
        assert_eq!(names, ["50%_off", "Ann Two-Teams", "Bob No-Email"]);
    });
}

#[test]
fn an_export_is_of_one_state_whatever_is_written_meanwhile() {
    on_both(async |site: &Site| {
        let rows: String = (0..4_100).map(|n| format!("User {n:05},u{n}@corp.example\n")).collect();
        import(site, format!("Name,Email\n{rows}"), ImportOptions::default()).await;
        let whole = export(site).await;
        let mut export = site.export_users(&ExportOptions::default()).await.unwrap();
        let mut all = export.next().await.unwrap().unwrap();
        for n in [1, 2_500, 4_099] {
            let user = site.find_user(&format!("u{n}@corp.example")).unwrap();
            site.delete_user(&me(), user, None).await.unwrap();
        }
        user(site, "AA first", "first@corp.example", json!({})).await;
        while let Some(piece) = export.next().await.unwrap() {
            all.extend(piece);
        }
        assert_eq!(String::from_utf8(all).unwrap(), whole);
    });
}

#[test]
fn a_raw_export_is_imported_as_it_is_over_graphql_as_a_draft_and_from_the_shell() {
    in_each_home(|home| {
        let server = home.serve();
        let safe = b"Name,Email\n''=1,a@corp.example\n'=2,b@corp.example\n'''+3,c@corp.example\n't,d@corp.example\n";
        let import = "mutation($file: Upload!, $raw: Boolean!) { importUsers(input: { file: $file, raw: $raw,
            dryRun: true }) { created updated unchanged } }";
        let made = "mutation($file: Upload!) { importUsers(input: { file: $file }) { created } }";
        assert_eq!(server.upload(made, json!({}), safe)["importUsers"]["created"], 4);
        let raw = server.download("/export/users.csv?raw=true");
        let names: Vec<&str> = raw.lines().skip(1).map(|row| row.split(',').nth(1).unwrap()).collect();
        assert_eq!(names, ["''+3", "'=1", "'t", "=2"]);
        let imported = |raw_or_not: bool| {
            server.upload(import, json!({ "raw": raw_or_not }), raw.as_bytes())["importUsers"].take()
        };
        assert_eq!(imported(true), json!({ "created": 0, "updated": 0, "unchanged": 4 }));
        assert_eq!(imported(false), json!({ "created": 0, "updated": 2, "unchanged": 2 }));

        let create = "mutation($file: Upload!) { createImportDraft(input: { file: $file, options: { raw: true } }) {
            draft { id } } }";
        let id = server.upload(create, json!({}), raw.as_bytes())["createImportDraft"]["draft"]["id"].take();
        let counts = || {
            assert_eq!(settled(&server, &id)["state"], "READY");
            let draft = "query($id: ID!) { importDraft(id: $id) { updated unchanged } }";
            server.ask(draft, json!({ "id": id }))["importDraft"].take()
        };
        assert_eq!(counts(), json!({ "updated": 0, "unchanged": 4 }));
        let rebase = "mutation($id: ID!) { rebaseImportDraft(input: { id: $id }) { draft { id } } }";
        server.ask(rebase, json!({ "id": id }));
        assert_eq!(counts(), json!({ "updated": 0, "unchanged": 4 }), "the draft remembers it");

        let shell = |more: &[&str]| {
            let done = home.run_with(&[&["import", "-", "--json", "--dry-run"], more].concat(), raw.as_bytes());
            let report: Json = serde_json::from_str(&done.output).unwrap();
            (done.code, report["updated"].as_u64(), report["isRefused"].as_bool())
        };
        assert_eq!(shell(&["--raw"]), (Some(0), Some(0), Some(false)));
        assert_eq!(shell(&[]), (Some(0), Some(2), Some(false)));
    });
}
