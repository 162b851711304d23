//! What README.md and docs/ show is done as it stands there.

use std::collections::BTreeMap;
use std::fmt::Write;
use std::process::Command;

use entity::attribute::AttributeType;
use entity::integration::IntegrationKind;
use entity::org_unit::OrgUnitScope;
use roster::directory::{Directory, SyncMode, SyncedAccount};
use roster::value::GlobalId;
use sea_orm::ActiveEnum;
use serde_json::{Value as Json, json};

use crate::support::{
    Home, Served, Server, Site, account, attribute, ended, filter, has, integration, me, new_unit, on_both, on_each,
    repository, unit, user,
};

/// What stands between ``` and ```, with the language of each.
fn blocks(page: &str) -> Vec<(String, String)> {
    let text = std::fs::read_to_string(repository(page)).unwrap();
    let mut blocks = Vec::new();
    let mut open: Option<(String, String)> = None;
    for line in text.lines() {
        match (line.strip_prefix("```"), open.as_mut()) {
            (Some(language), None) => open = Some((language.to_owned(), String::new())),
            (Some(_), Some(_)) => blocks.extend(open.take()),
            (None, Some((_, block))) => writeln!(block, "{line}").unwrap(),
            (None, None) => {}
        }
    }
    assert!(open.is_none(), "{page} ends within a block");
    blocks
}

/// The blocks of a language that a page has; at least one.
fn blocks_in(page: &str, language: &str) -> Vec<String> {
    let of_language = blocks(page).into_iter().filter(|(named, _)| named == language);
    let found: Vec<String> = of_language.map(|(_, block)| block).collect();
    assert!(!found.is_empty(), "{page} shows no {language}");
    found
}

/// The block that is not run: it builds what is tested here, and runs these tests.
const NOT_RUN: &str = "\
make run     # builds the server, and serves the directory in ./data at http://127.0.0.1:8000
make test    # runs every test
";

/// Whether there is what the pages use. `make test` requires it.
fn has_curl() -> bool {
    has(&["curl", "openssl"], "REQUIRE_CURL")
}

/// Runs a script in `home`, whose server stands for the one that pages name, and gives what it writes.
#[track_caller]
fn shell(home: &Home, server: &Served, script: &str) -> String {
    let roster = home.command(&[]);
    let mut bash = Command::new("bash");
    let define = format!("roster() {{ {:?} \"$@\"; }}\n", roster.get_program());
    let script = define + &script.replace("127.0.0.1:8000", &server.address().to_string());
    bash.args(["-c", &script]).current_dir(home.path(""));
    bash.envs(roster.get_envs().filter_map(|(name, value)| Some((name, value?))));
    bash.envs(server.token().map(|token| ("ROSTER_TOKEN", token)));
    let ended = ended(bash, b"");
    assert_eq!((ended.code, ended.error.as_str()), (Some(0), ""), "{script}\n{}", ended.output);
    ended.output
}

#[test]
fn the_first_session_goes_as_the_readme_says() {
    if !has_curl() {
        return;
    }
    let home = Home::new();
    let server = home.serve_with_tokens();
    let mut prelude = "set -euo pipefail\n".to_owned();
    let shell = |script: &str| shell(&home, &server, script);
    let mut answers: BTreeMap<String, Json> = BTreeMap::new();
    let mut printed = Vec::new();
    for (language, block) in blocks("README.md") {
        match language.as_str() {
            "sh" if block == NOT_RUN => {}
            // The line that the server shows, as `shell` has it.
            "sh" if block == "export ROSTER_TOKEN=rst_…\n" => assert!(server.token().unwrap().starts_with("rst_")),
            "sh" if block.starts_with("ask() {") => prelude += &block,
            "sh" => printed.push(shell(&format!("{prelude}{block}"))),
            "graphql" => {
                let variables = if block.contains("$parentId") {
                    json!({ "parentId": answers["Root"]["createOrgUnit"]["orgUnit"]["id"] })
                } else {
                    json!({})
                };
                let answer = shell(&format!("{prelude}ask '{variables}' <<'EOF'\n{block}EOF\n"));
                answers.insert(name(&block), data(&answer));
            }
            other => panic!("say here what is done with {other}"),
        }
    }

    let automatic = &answers["TwoUsers"]["users"];
    assert_eq!(automatic["totalCount"], 2);
    let accounts = |at: usize| automatic["edges"][at]["node"]["accounts"].as_array().unwrap().len();
    assert_eq!([accounts(0), accounts(1)], [2, 1], "Ann has two accounts, and the second user one");
    let imported = data(printed.iter().find(|text| text.contains("importUsers")).unwrap());
    assert_eq!(
        imported["importUsers"],
        json!({ "applied": true, "created": 2, "updated": 1, "unchanged": 1, "absorbed": 1, "accountsMoved": 1,
                "errors": [] })
    );
    let engineers = &answers["Engineers"]["users"];
    let emails: Vec<&Json> = engineers["edges"].as_array().unwrap().iter().map(|edge| &edge["node"]["email"]).collect();
    assert_eq!(emails, ["ann@corp.example", "cem@corp.example"]);
    assert_eq!(answers["Root"]["createOrgUnit"]["orgUnit"]["members"]["totalCount"], 3);
    assert_eq!(answers["Preview"]["previewOrgUnit"]["members"]["totalCount"], 2);
    assert_eq!(answers["Preview"]["previewOrgUnit"]["added"]["totalCount"], 2);
    assert_eq!(answers["Members"]["orgUnit"]["members"]["totalCount"], 2);
    let statuses: Vec<&Json> =
        answers["WhoIsIt"]["resolveAccounts"].as_array().unwrap().iter().map(|answer| &answer["status"]).collect();
    assert_eq!(statuses, ["FOUND", "FOUND", "NOT_FOUND"]);
    let units = &answers["WhoIsIt"]["resolveAccounts"][0]["user"]["orgUnits"];
    assert_eq!(*units, json!([{ "path": "Engineering" }, { "path": "Engineering/Platform" }]));
    assert_eq!(answers["Log"]["changesets"]["edges"][2]["node"]["kind"], "IMPORT");
    assert_eq!(answers["Log"]["changesets"]["edges"][2]["node"]["number"], 11);
    assert_eq!(answers["WhatIf"]["undoChangeset"], json!({ "undoneCount": 5, "blockedCount": 0, "blocked": [] }));
    assert_eq!(answers["SinceTheImport"]["directoryDiff"]["totalCount"], 2);
}

#[test]
fn nothing_that_the_docs_show_goes_untested() {
    let entries = std::fs::read_dir(repository("docs")).unwrap().map(|entry| entry.unwrap().file_name());
    let pages = entries.map(|name| name.into_string().unwrap()).filter(|name| name.ends_with(".md"));
    let mut shown: Vec<String> = pages
        .flat_map(|page| {
            let languages = blocks(&format!("docs/{page}")).into_iter().map(|(language, _)| language);
            languages.map(|language| format!("{page}: {language}")).collect::<Vec<_>>()
        })
        .collect();
    shown.sort();
    shown.dedup();
    // The one command that no test runs is the one that measures: it takes an optimised build and a quiet machine.
    // The words of the grammar are held to those that are read, where these are.
    let known = [
        "association.md: graphql",
        "changes.md: graphql",
        "connectors.md: json",
        "csv.md: json",
        "csv.md: sh",
        "csv.md: text",
        "erasure.md: sh",
        "errors.md: json",
        "facets.md: graphql",
        "facets.md: json",
        "filters.md: ebnf",
        "filters.md: json",
        "filters.md: text",
        "history.md: graphql",
        "integrations.md: graphql",
        "integrations.md: sh",
        "managers.md: graphql",
        "merge.md: graphql",
        "operations.md: sh",
        "operations.md: text",
        "org-units.md: graphql",
        "org-units.md: json",
        "performance.md: sh",
        "roles.md: json",
        "security.md: graphql",
        "security.md: sh",
        "subscriptions.md: graphql",
        "subscriptions.md: text",
    ];
    assert_eq!(shown, known, "test what is new here");
    assert_eq!(["json", "sh", "text"].map(|language| blocks_in("docs/csv.md", language).len()), [1, 2, 1]);
    assert_eq!(blocks_in("docs/errors.md", "json").len(), 1);
    assert_eq!(
        [blocks_in("docs/subscriptions.md", "graphql").len(), blocks_in("docs/subscriptions.md", "text").len()],
        [2, 1]
    );
}

#[test]
fn backups_checks_and_erasure_go_as_the_docs_say() {
    if !has_curl() {
        return;
    }
    let home = Home::new();
    std::fs::write(home.path("users.csv"), "Name,Email\nAnn Abel,ann@corp.example\nBen Brook,ben@corp.example\n")
        .unwrap();
    home.output_of(&["import", "users.csv"]);
    let server = home.serve();
    let mut said = String::new();
    for page in ["docs/operations.md", "docs/erasure.md"] {
        for script in blocks_in(page, "sh") {
            said += &shell(&home, &server, &format!("set -euo pipefail\nexec 2>&1\n{script}"));
        }
    }
    assert!(!home.exported(&[]).contains("ann@corp.example"));
    assert!(home.exported(&["--data-dir", &home.path("restored").display().to_string()]).contains("ann@corp.example"));
    for says in
        ["roster.backup: 2 users, head 2:", "restored 2 users, head 2:", "Sound: ", "\"isSound\": true", "Erased, "]
    {
        assert!(said.contains(says), "{says} is not in {said}");
    }
    // What the server is shown to log is what it logs.
    let line = blocks_in("docs/operations.md", "text").remove(0);
    assert!(line.contains(" changes=1 the head of the log is 12:"), "{line}");
}

/// The name of a document's operation.
fn name(document: &str) -> String {
    let after = document.split_once(' ').unwrap().1;
    after.split(|c: char| !c.is_alphanumeric()).next().unwrap().to_owned()
}

#[track_caller]
fn data(answer: &str) -> Json {
    let mut json: Json = serde_json::from_str(answer).unwrap();
    assert_eq!(json.get("errors"), None, "{json:#}");
    json["data"].take()
}

/// What docs/filters.md says that its examples use, and the two users that they name.
async fn prepare(site: &Directory) {
    attribute(site, "Department", AttributeType::Text, &[]).await;
    attribute(site, "Role", AttributeType::Select, &["Engineer", "Manager"]).await;
    attribute(site, "Skills", AttributeType::MultiSelect, &["Rust", "Go", "SQL"]).await;
    attribute(site, "Level", AttributeType::Number, &[]).await;
    attribute(site, "Start date", AttributeType::Date, &[]).await;
    attribute(site, "Remote", AttributeType::Boolean, &[]).await;
    attribute(site, "Manager", AttributeType::User, &[]).await;
    integration(site, IntegrationKind::GitHub, "GitHub").await;
    user(site, "Ben", "ben@corp.example", json!({ "department": "Data", "role": "Manager" })).await;
    let ann = json!({
        "department": "Platform", "role": "Engineer", "skills": ["Rust", "SQL"], "level": 3,
        "start_date": "2026-06-30", "manager": "ben@corp.example",
    });
    user(site, "Ann", "ann@corp.example", ann).await;
}

#[test]
fn every_filter_that_the_docs_show_can_be_asked() {
    let answers = on_both(async |site: &Site| {
        prepare(site).await;
        let server = Server::new(site);
        let mut answers = Vec::new();
        for block in blocks_in("docs/filters.md", "json") {
            let filter: Json = serde_json::from_str(&block).unwrap();
            let query = "query($filter: UserFilter) { users(filter: $filter) { edges { node { name } } } }";
            let reply = server.execute(query, json!({ "filter": filter }), None).await.json();
            assert_eq!(reply.get("errors"), None, "{block}\n{reply:#}");
            let users = reply["data"]["users"]["edges"].as_array().unwrap().iter();
            answers.push(users.map(|edge| edge["node"]["name"].as_str().unwrap().to_owned()).collect::<String>());
        }
        answers
    });
    assert_eq!(answers, ["Ann", "Ann", "Ann", "Ann", "Ann", "", "", "", "AnnBen", "Ann"]);
}

#[test]
fn every_filter_that_the_docs_show_as_text_is_canonical_and_can_be_asked() {
    let answers = on_both(async |site: &Site| {
        prepare(site).await;
        let server = Server::new(site);
        let mut answers = Vec::new();
        for block in blocks_in("docs/filters.md", "text") {
            let query = "query($text: String!) { parseFilter(text: $text) { filter text violations { message } } }";
            let reply = server.execute(query, json!({ "text": block }), None).await.json();
            let parsed = &reply["data"]["parseFilter"];
            assert_eq!(parsed["text"], block.trim(), "{reply:#}");
            let query = "query($filter: UserFilter) { users(filter: $filter) { edges { node { name } } } }";
            let reply = server.execute(query, json!({ "filter": parsed["filter"] }), None).await.json();
            let users = reply["data"]["users"]["edges"].as_array().unwrap().iter();
            answers.push(users.map(|edge| edge["node"]["name"].as_str().unwrap().to_owned()).collect::<String>());
        }
        answers
    });
    assert_eq!(answers, ["", "Ann", "Ann", ""]);
}

/// The four users of whom docs/filters.md asks each operator of each type, with accounts and org units.
async fn prepare_types(site: &Directory) {
    attribute(site, "Department", AttributeType::Text, &[]).await;
    attribute(site, "Page", AttributeType::Url, &[]).await;
    attribute(site, "Contact", AttributeType::Email, &[]).await;
    attribute(site, "Role", AttributeType::Select, &["Engineer", "Manager"]).await;
    attribute(site, "Skills", AttributeType::MultiSelect, &["Rust", "Go", "SQL"]).await;
    attribute(site, "Level", AttributeType::Number, &[]).await;
    attribute(site, "Start date", AttributeType::Date, &[]).await;
    attribute(site, "Remote", AttributeType::Boolean, &[]).await;
    attribute(site, "Manager", AttributeType::User, &[]).await;
    let page = std::fs::read_to_string(repository("docs/filters.md")).unwrap();
    let row = |title: &str| -> Vec<String> {
        let line = page.lines().find(|line| line.starts_with(&format!("| {title} |"))).unwrap();
        line.split('|').skip(2).map(|cell| cell.trim().to_owned()).collect()
    };
    let emails = row("email");
    for (at, name) in ["Ben", "Ann", "Cem", "Dua"].into_iter().enumerate() {
        let column = [1, 0, 2, 3][at];
        let cell = |title: &str| row(title)[column].clone();
        let mut values = serde_json::Map::new();
        let keys = [
            "department (TEXT)",
            "page (URL)",
            "contact (EMAIL)",
            "role (SELECT)",
            "skills (MULTI_SELECT)",
            "level (NUMBER)",
            "start_date (DATE)",
            "remote (BOOLEAN)",
        ];
        for title in keys {
            let (key, r#type) = title.split_once(' ').unwrap();
            let text = cell(&format!("`{key}` {type}"));
            let value = match r#type {
                _ if text.is_empty() => continue,
                "(MULTI_SELECT)" => json!(text.split(", ").collect::<Vec<_>>()),
                "(NUMBER)" | "(BOOLEAN)" => serde_json::from_str(&text).unwrap(),
                _ => json!(text),
            };
            values.insert(key.to_owned(), value);
        }
        let manager = cell("`manager` (USER)").to_lowercase();
        if !manager.is_empty() {
            values.insert("manager".into(), json!(format!("{manager}@corp.example")));
        }
        user(site, name, &emails[column], Json::Object(values)).await;
    }
    let github = integration(site, IntegrationKind::GitHub, "GitHub").await;
    let names = row("account on GitHub");
    let accounts = (0..4).filter(|at| !names[*at].is_empty()).map(|at| {
        let (name, is_bot) =
            names[at].split_once(", a bot").map_or((names[at].as_str(), false), |(name, _)| (name, true));
        SyncedAccount { is_bot, ..account(&at.to_string(), name, &emails[at]) }
    });
    site.sync_accounts(&me(), github, accounts.collect(), SyncMode::Full).await.unwrap();
    let by = |key: &str, value: &str| filter(json!({ "attribute": { "key": key, "is": { "equals": value } } }));
    let engineering = unit(site, "Engineering", None, Some(by("role", "Manager"))).await;
    unit(site, "Platform", Some(engineering), Some(by("department", "Platform"))).await;
}

#[test]
fn every_operator_of_every_type_selects_whom_the_docs_say() {
    on_both(async |site: &Site| {
        prepare_types(site).await;
        let server = Server::new(site);
        let page = std::fs::read_to_string(repository("docs/filters.md")).unwrap();
        let rows = page.lines().skip_while(|line| *line != "| type | filter | selects |").skip(2);
        let mut shown: BTreeMap<String, Vec<String>> = BTreeMap::new();
        for row in rows.take_while(|line| line.starts_with('|')) {
            let [_, r#type, written, names, _] = row.split('|').map(str::trim).collect::<Vec<_>>().try_into().unwrap();
            let written = written.trim_matches('`');
            let query = "query($filter: UserFilter) { users(filter: $filter) { edges { node { name } } } }";
            let reply = server.execute(query, json!({ "filter": { "text": written } }), None).await.json();
            assert_eq!(reply.get("errors"), None, "{written}\n{reply:#}");
            let users = reply["data"]["users"]["edges"].as_array().unwrap().iter();
            let found: Vec<&str> = users.map(|edge| edge["node"]["name"].as_str().unwrap()).collect();
            let found = match found.len() {
                0 => "nobody".to_owned(),
                4 => "everybody".to_owned(),
                _ => found.join(", "),
            };
            assert_eq!(found, names, "{written}");
            shown.entry(r#type.to_owned()).or_default().push(written.to_owned());
        }
        let index = site.index();
        for attribute in index.attributes().iter().filter(|attribute| attribute.r#type != AttributeType::Integration) {
            let named = if attribute.is_built_in { attribute.key.clone() } else { attribute.r#type.to_value() };
            let begun = format!("{} ", attribute.key);
            let operators = index.complete_filter(&begun, begun.len(), 100);
            assert!(!operators.is_empty());
            for operator in operators {
                let begins = format!("{begun}{}", operator.insert);
                let is_shown = shown[&named].iter().any(|written| written.starts_with(&begins));
                assert!(is_shown, "show an example of {named} {}", operator.insert);
            }
        }
    });
}

#[test]
fn every_answer_that_the_page_on_org_units_shows_is_given() {
    on_both(async |site: &Site| {
        prepare(site).await;
        let cem = json!({ "department": "Data", "role": "Engineer", "skills": ["Go"], "level": 2 });
        let cem = user(site, "Cem", "cem@corp.example", cem).await;
        let equals = |key: &str, value: &str| filter(json!({ "attribute": { "key": key, "is": { "equals": value } } }));
        let engineering = unit(site, "Engineering", None, Some(equals("role", "Engineer"))).await;
        let mut platform = new_unit("Platform", Some(engineering), Some(equals("department", "Platform")));
        platform.scope = OrgUnitScope::Parent;
        let platform = site.create_org_unit(&me(), platform).await.unwrap();
        let ids = json!({
            "cem": cem.to_global(), "engineering": engineering.to_global(), "platform": platform.to_global(),
        });
        let server = Server::new(site);
        let page = "docs/org-units.md";
        let (queries, answers) = (blocks_in(page, "graphql"), blocks_in(page, "json"));
        assert_eq!(queries.len(), answers.len());
        for (query, answer) in queries.iter().zip(answers) {
            let mut variables = ids.clone();
            variables.as_object_mut().unwrap().retain(|name, _| query.contains(&format!("${name}: ")));
            let given = data(&server.execute(query, variables, None).await.body);
            assert_eq!(given, serde_json::from_str::<Json>(&answer).unwrap(), "{query}\n{given:#}");
        }
    });
}

#[test]
fn every_count_that_the_docs_show_is_what_is_counted() {
    on_both(async |site: &Site| {
        prepare(site).await;
        let department = |is: Json| Some(filter(json!({ "attribute": { "key": "department", "is": is } })));
        let top = unit(site, "Engineering", None, department(json!({ "isEmpty": false }))).await;
        for name in ["Platform", "Data"] {
            unit(site, name, Some(top), department(json!({ "equals": name }))).await;
        }
        unit(site, "Guests", None, None).await;
        let (queries, answers) = (blocks_in("docs/facets.md", "graphql"), blocks_in("docs/facets.md", "json"));
        assert_eq!((queries.len(), answers.len()), (4, 4));
        let server = Server::new(site);
        for (query, shown) in queries.iter().zip(answers) {
            let shown: Json = serde_json::from_str(&shown).unwrap();
            assert_eq!(data(&server.execute(query, json!({}), None).await.body), shown, "{query}");
        }
    });
}

#[test]
fn the_error_that_the_docs_show_is_the_one_that_is_given() {
    on_both(async |site: &Site| {
        prepare(site).await;
        let query = "{ users(filter: {attribute: {key: \"departement\", is: {isEmpty: true}}}) { totalCount } }";
        let reply = Server::new(site).execute(query, json!({}), None).await.json();
        let mut shown: Json = serde_json::from_str(&blocks_in("docs/errors.md", "json")[0]).unwrap();
        shown["extensions"].as_object_mut().unwrap().remove("requestId").unwrap();
        let mut given = reply["errors"][0].clone();
        given.as_object_mut().unwrap().remove("locations");
        assert_eq!(given, shown);
    });
}

#[test]
fn the_columns_and_the_cell_of_accounts_that_the_docs_show_can_be_imported() {
    on_both(async |site: &Site| {
        prepare(site).await;
        let columns: Json = serde_json::from_str(&blocks_in("docs/csv.md", "json")[0]).unwrap();
        let cell = blocks_in("docs/csv.md", "text")[0].trim().replace('"', "\"\"");
        let file =
            format!("Name,work mail,start date,gh,cost centre\nAnn,ann@corp.example,01/02/26,\"{cell}\",whatever\n");
        let query = "mutation($file: Upload!, $columns: [ImportColumnInput!]!) {
            importUsers(input: {file: $file, columns: $columns}) {
              updated accountsClaimed errors { line column code message } } }";
        let server = Server::new(site);
        let reply = server.execute(query, json!({ "columns": columns }), Some(&file)).await.json();
        assert_eq!(
            reply["data"]["importUsers"],
            json!({ "updated": 1, "accountsClaimed": 6, "errors": [] }),
            "{reply:#}"
        );
        let query = "{ user(email: \"ann@corp.example\") { attribute(key: \"start_date\") { date }
            accounts { username email externalId status } } }";
        let user = server.execute(query, json!({}), None).await.json()["data"]["user"].take();
        assert_eq!(user["attribute"]["date"], "2026-02-01");
        let names: Vec<String> = user["accounts"]
            .as_array()
            .unwrap()
            .iter()
            .map(|account| {
                assert_eq!(account["status"], "CLAIMED");
                let given = ["username", "email", "externalId"].map(|kind| account[kind].as_str());
                let (kind, name) = given.iter().enumerate().find_map(|(at, name)| Some((at, (*name)?))).unwrap();
                format!("{}{name}", ["", "mail ", "id "][kind])
            })
            .collect();
        assert_eq!(names, ["octocat", "mail ann@corp.example", "id 10042", "odd;name", "id:not-an-id", "id  7"]);
    });
}

#[test]
fn every_export_that_the_docs_show_can_be_made() {
    if !has_curl() {
        return;
    }
    let home = Home::new();
    let server = home.serve_with_tokens();
    let prepare = r#"mutation {
        a: createAttribute(input: {title: "Department", type: TEXT}) { version }
        b: createAttribute(input: {title: "Cost centre, site", type: TEXT}) { version }
        c: createIntegration(input: {name: "GitHub", kind: GITHUB}) { version }
        d: createUser(input: {name: "Ann", email: "ann@corp.example",
            attributes: [{key: "department", value: "Data"}]}) { version }
        e: createUser(input: {name: "=Ben", email: "ben@corp.example",
            attributes: [{key: "department", value: "Platform"}]}) { version } }"#;
    server.ask(prepare, json!({}));
    let unit = "mutation($name: String!, $parent: ID, $department: String!) {
        createOrgUnit(input: {name: $name, parentId: $parent,
            filter: {attribute: {key: \"department\", is: {equals: $department}}}}) { orgUnit { id } } }";
    let top = server.ask(unit, json!({ "name": "Engineering", "department": "Data" }));
    let top = &top["createOrgUnit"]["orgUnit"]["id"];
    server.ask(unit, json!({ "name": "Platform", "parent": top, "department": "Platform" }));
    let printed: Vec<String> = blocks_in("docs/csv.md", "sh")
        .iter()
        .map(|block| shell(&home, &server, &format!("set -euo pipefail\n{block}")))
        .collect();
    let report: Json = serde_json::from_str(&printed[0]).unwrap();
    assert_eq!((&report["file"], &report["rows"]), (&json!("shell.csv"), &json!(2)));
    let file = |name: &str| std::fs::read_to_string(home.path(name)).unwrap();
    let whole = file("users.csv");
    let rows = |name: &str| file(name).lines().skip(1).map(|row| row[37..].to_owned()).collect::<Vec<_>>();
    let (ann, ben) = ("Ann,ann@corp.example,Data,,", "'=Ben,ben@corp.example,Platform,,");
    assert_eq!(rows("users.csv"), [ben, ann]);
    assert_eq!((rows("data.csv"), rows("unit.csv"), file("below.csv")), (vec![ann.into()], vec![ben.into()], whole));
    let columns =
        "\"Name\",\"Email\",\"Cost centre, site\",\"GitHub\"\n'=Ben,ben@corp.example,,\nAnn,ann@corp.example,,\n";
    assert_eq!(file("columns.csv"), columns);
    assert_eq!(rows("plain.csv"), [ben, ann].map(|row| row.strip_suffix(',').unwrap()));
    assert!(file("template.csv").contains("\n,Ann Example,ann@corp.example,Department 1,"));
    assert!(file("excel.csv").starts_with("\u{feff}\"ID\";\"Name\";"));
    assert_eq!(rows("raw.csv")[0], ben.replace('\'', ""));
    assert_eq!(file("shell.csv"), "\"Name\"\t\"Email\"\n'=Ben\tben@corp.example\nAnn\tann@corp.example\n");
}

#[test]
fn the_subscription_that_the_docs_show_gives_the_event_that_they_show() {
    on_both(async |site: &Site| {
        let server = Server::new(site);
        let mut events =
            server.subscribe(&blocks_in("docs/subscriptions.md", "graphql")[0], json!({ "after": 1 })).await;
        let create = "mutation { createUser(input: {name: \"Ann\", email: \"ann@corp.example\"}) { version } }";
        data(&server.execute(create, json!({}), None).await.body);
        let mut given = events.next().await.unwrap();
        let block = blocks_in("docs/subscriptions.md", "text")[0].clone();
        let mut shown: Json = serde_json::from_str(block.strip_prefix("event: next\ndata: ").unwrap()).unwrap();
        for event in [&mut given, &mut shown] {
            let date = event["data"]["directoryChanged"]["changeset"]["createdAt"].take();
            assert_eq!(date.as_str().unwrap().len(), "2026-11-22T09:30:00.000Z".len());
        }
        assert_eq!(given.to_string(), shown.to_string());
    });
}

#[test]
fn the_changes_that_the_docs_show_are_tried_out_and_made() {
    on_both(async |site: &Site| {
        attribute(site, "Department", AttributeType::Text, &[]).await;
        for (name, department) in [("Ann", "Platform"), ("Ben", "sre"), ("Cid", "Sre")] {
            user(site, name, &format!("{name}@corp.example"), json!({ "department": department })).await;
        }
        let server = Server::new(site);
        let shown = blocks_in("docs/changes.md", "graphql");
        let preview = data(&server.execute(&shown[0], json!({}), None).await.body);
        assert_eq!(
            preview["previewChange"]["changes"],
            json!([{ "noun": "USER", "created": 0, "updated": 1, "deleted": 0 }])
        );
        let renamed = data(&server.execute(&shown[1], json!({}), None).await.body);
        assert_eq!(renamed["renameValue"]["userCount"], 2);
    });
}

#[test]
fn what_association_md_shows_can_be_asked() {
    on_both(async |site: &Site| {
        user(site, "Annegret Zwetschge", "annegret@corp.example", json!({})).await;
        user(site, "Zwetschge, Annegret", "zwetschge@home.example", json!({})).await;
        let server = Server::new(site);
        let [simulate, suggest] = &blocks_in("docs/association.md", "graphql")[..] else { panic!("two") };
        let answer = data(&server.execute(simulate, json!({}), None).await.body);
        assert_eq!(answer["simulateAssociation"]["moves"]["totalCount"], 0);
        let answer = data(&server.execute(suggest, json!({}), None).await.body);
        assert_eq!(answer["mergeSuggestions"]["totalCount"], 1);
        assert_eq!(answer["mergeClusters"]["edges"].as_array().unwrap().len(), 1);
    });
}

#[test]
fn what_the_docs_ask_of_the_past_is_answered() {
    on_both(async |site: &Site| {
        prepare(site).await;
        let server = Server::new(site);
        let create = "mutation { createOrgUnit(input: {name: \"Platform\", filter:
            {attribute: {key: \"department\", is: {equals: \"Platform\"}}}}) { orgUnit { id } version } }";
        let created = data(&server.execute(create, json!({}), None).await.body)["createOrgUnit"].take();
        let (unit, then) = (&created["orgUnit"]["id"], json!({ "version": created["version"] }));
        let variables = json!({ "unit": unit, "after": created["version"] });
        let mut events = server.subscribe(&blocks_in("docs/subscriptions.md", "graphql")[1], variables).await;
        let moves = "mutation { ann: deleteUser(input: {id: \"ANN\"}) { version }
            ben: updateUser(input: {id: \"BEN\", attributes: [{key: \"department\", value: \"platform\"}]}) { version } }";
        let id = |email| roster::value::GlobalId::to_global(site.find_user(email).unwrap());
        let moves = moves.replace("ANN", &id("ann@corp.example")).replace("BEN", &id("ben@corp.example"));
        data(&server.execute(&moves, json!({}), None).await.body);
        let [last_quarter, joined_and_left] = &blocks_in("docs/history.md", "graphql")[..] else { panic!("two") };
        let reply = server.execute(last_quarter, json!({ "unit": unit, "then": then }), None).await;
        let answer = data(&reply.body);
        assert_eq!(answer["orgUnit"]["then"]["edges"][0]["node"]["name"], "Ann");
        assert_eq!(
            (&answer["orgUnit"]["members"]["totalCount"], &answer["users"]["totalCount"]),
            (&json!(1), &json!(1))
        );
        let reply = server.execute(joined_and_left, json!({ "unit": unit, "from": then }), None).await;
        let changes = data(&reply.body)["orgUnit"]["membershipChanges"].take();
        assert_eq!(changes["joined"]["edges"], json!([{ "node": { "name": "Ben" } }]));
        assert_eq!(changes["left"]["edges"], json!([{ "node": { "name": "Ann" } }]));
        assert_eq!(changes["changes"]["edges"].as_array().unwrap().len(), 2);
        for (joined, left) in [(0, 1), (1, 0)] {
            let event = events.next().await.unwrap()["data"]["orgUnitMembersChanged"].take();
            assert_eq!((&event["joinedCount"], &event["leftCount"]), (&json!(joined), &json!(left)));
        }
    });
}

#[test]
fn what_the_docs_show_of_managers_and_generated_units_can_be_asked_and_done() {
    let answers = on_both(async |site: &Site| {
        for title in ["Department", "Team"] {
            attribute(site, title, AttributeType::Text, &[]).await;
        }
        attribute(site, "Supervisor", AttributeType::User, &[]).await;
        for (name, team, supervisor) in
            [("Top", "", ""), ("Ann", "SRE", "top"), ("Ben", "Data", "ann"), ("Cem", "Data", "ben")]
        {
            let department = if name == "Cem" { "Sales" } else { "Platform" };
            let supervisor = Some(format!("{supervisor}@corp.example")).filter(|_| !supervisor.is_empty());
            let values = json!({ "department": department, "team": team, "supervisor": supervisor });
            user(site, name, &format!("{}@corp.example", name.to_lowercase()), values).await;
        }
        let server = Server::new(site);
        let mut answers = BTreeMap::new();
        for block in blocks_in("docs/managers.md", "graphql") {
            answers.insert(name(&block), data(&server.execute(&block, json!({}), None).await.body));
        }
        answers
    });
    let of_ann = &answers["Reports"]["user"];
    assert_eq!(of_ann["manager"]["name"], "Top");
    assert_eq!([&of_ann["directReports"]["totalCount"], &of_ann["reports"]["totalCount"]], [1, 2]);
    let units = |answer: &Json| {
        let unit = |unit: &Json| format!("{} {}", unit["action"].as_str().unwrap(), unit["path"].as_str().unwrap());
        answer["units"].as_array().unwrap().iter().map(unit).collect::<Vec<_>>()
    };
    let paths = ["Platform", "Platform/Data", "Platform/SRE", "Sales", "Sales/Data"];
    assert_eq!(units(&answers["Draft"]["previewGeneratedOrgUnits"]), paths.map(|path| format!("CREATE {path}")));
    let saved = units(&answers["Save"]["generateOrgUnits"]["generated"]);
    assert_eq!((saved.len(), saved[4].as_str()), (5, "SKIP Sales/Data"));
    let counts = json!({ "create": 1, "update": 0, "keep": 4, "remove": 0, "vanished": 0 });
    assert_eq!(answers["InStep"]["generateOrgUnits"]["generated"]["counts"], counts);
}

#[test]
fn users_are_merged_and_split_as_the_docs_show() {
    on_both(async |site: &Site| {
        attribute(site, "Department", AttributeType::Text, &[]).await;
        let ann = user(site, "Ann", "ann@corp.example", json!({ "department": "Platform" })).await;
        let double = user(site, "Ann B.", "ann.b@corp.example", json!({ "department": "SRE" })).await;
        let server = Server::new(site);
        let [merge, split] = &blocks_in("docs/merge.md", "graphql")[..] else { panic!("two") };
        let id = roster::value::GlobalId::to_global;
        let variables = json!({ "ann": id(ann), "double": id(double), "version": site.version() });
        let merged = data(&server.execute(merge, variables, None).await.body)["mergeUsers"].take();
        let user = json!({
            "name": "Ann", "email": "ann.b@corp.example", "furtherEmails": ["ann@corp.example"], "mergedIds": [id(double)],
        });
        assert_eq!((&merged["user"], &merged["changeset"]), (&user, &json!(site.version())));
        let variables = json!({ "ann": id(ann), "double": id(double) });
        let split = data(&server.execute(split, variables, None).await.body)["splitUser"].take();
        assert_eq!(split["user"]["email"], "ann@corp.example");
        assert_eq!(split["newUser"], json!({ "id": id(double), "email": "ann.b@corp.example" }));
    });
}

#[test]
fn the_settings_that_connectors_md_shows_are_taken() {
    let page = std::fs::read_to_string(repository("docs/connectors.md")).unwrap();
    let policy = roster::connector::Policy {
        allowed_hosts: vec!["corp.example".into(), "gitlab.corp.example".into()],
        repositories: Some(".".into()),
        ..Default::default()
    };
    let mut taken = 0;
    for section in page.split("\n## ").skip(1) {
        let kind = serde_json::from_value(json!(section.lines().next().unwrap()));
        for block in section.split("```json\n").skip(1) {
            let settings = serde_json::from_str(block.split("```").next().unwrap()).unwrap();
            let kind = *kind.as_ref().unwrap();
            let read = roster::connector::Settings::parse(kind, &settings, &policy);
            assert!(read.is_ok(), "{settings}: {read:?}");
            taken += 1;
        }
    }
    assert!(taken >= 6, "one for each kind");
}

#[test]
fn what_integrations_md_shows_connects_and_runs() {
    on_each(async |site: &Site| {
        let server = Server::new(site);
        let [connect, run] = &blocks_in("docs/integrations.md", "graphql")[..] else { panic!("two") };
        let made = data(&server.execute(connect, json!({}), None).await.body)["createIntegration"].take();
        let made = &made["integration"];
        assert_eq!([&made["scheduleMinutes"], &made["credential"]["source"]], [&json!(360), &json!("ENVIRONMENT")]);
        let begun = data(&server.execute(run, json!({ "id": made["id"] }), None).await.body)["runIntegration"].take();
        let id: entity::IntegrationRunId =
            roster::value::GlobalId::parse(begun["run"]["id"].as_str().unwrap()).unwrap();
        site.finish_run(id).await;
        // There is no such variable here, so nobody is asked.
        let failed = site.run(id).await.unwrap().row;
        assert_eq!(failed.code.as_deref(), Some("CREDENTIAL_UNREADABLE"));
    });
    let key = blocks_in("docs/integrations.md", "sh").concat() + "printf %s \"$ROSTER_SECRET_KEY\"";
    let made = Command::new("sh").arg("-c").arg(key).output().unwrap();
    assert!(roster::directory::Keys::parse([std::str::from_utf8(&made.stdout).unwrap()]).is_ok());
}

#[test]
fn what_security_md_shows_makes_and_revokes_tokens() {
    let home = Home::new();
    for line in blocks_in("docs/security.md", "sh").concat().lines() {
        let arguments: Vec<&str> = line.strip_prefix("roster ").unwrap().split(' ').collect();
        assert_eq!(home.run(&arguments).code, Some(0), "{line}");
    }
    let server = home.serve();
    let [create, revoke] = &blocks_in("docs/security.md", "graphql")[..] else { panic!("two") };
    let made = server.ask(create, Json::Null)["createToken"].take();
    assert_eq!(made["secret"].as_str().unwrap().len(), 40);
    let revoked = server.ask(revoke, json!({ "id": made["token"]["id"] }));
    assert!(revoked["revokeToken"]["token"]["revokedAt"].is_string());
}
