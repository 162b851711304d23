//! The job that Roster is for, in seven steps: the program, a socket, and nothing else, on both databases.

use std::collections::BTreeSet;

use serde_json::{Value as Json, json};

use crate::support::{Home, Served, in_each_home, repository};

#[test]
fn the_seven_steps() {
    in_each_home(|home| {
        let (server, users) = start_with_a_thousand_users(home);
        configure_attributes(&server);
        take_in_accounts(&server);
        export_edit_import(&server, users);
        ask_for_users(&server);
        build_org_units(&server);
        resolve_accounts(&server);
        everything_is_there_after_a_restart(home, server);
    });
}

/// Step 1. Gives how many users the made-up organisation has.
fn start_with_a_thousand_users(home: &Home) -> (Served, u64) {
    let said = home.output_of(&["demo", "--users", "1000"]);
    let figures: Vec<u64> =
        said.split(' ').map(|word| word.replace([',', '('], "")).filter_map(|word| word.parse().ok()).collect();
    let [users, automatic, accounts, unmatched, org_units] = figures[..] else { panic!("{said}") };
    assert_eq!(users, 1_000 + automatic);
    assert!(automatic > 0 && unmatched > 0 && accounts > 2 * users && org_units > 20, "{said}");
    let server = home.serve();
    let counts = server.ask(
        "{ directory { userCount integrationAccountCount orgUnitCount attributeCount integrationCount }
           automatic: integrationAccounts(filter: {isMatched: false}) { totalCount } }",
        Json::Null,
    );
    assert_eq!(
        counts,
        json!({
            "directory": { "userCount": users, "integrationAccountCount": accounts, "orgUnitCount": org_units,
                           "attributeCount": 14, "integrationCount": 4 },
            "automatic": { "totalCount": unmatched },
        })
    );
    (server, users)
}

/// Step 2: an attribute of each type is made, and one more; then they are retitled, described, moved and deleted.
fn configure_attributes(server: &Served) {
    let built_in = server.ask("{ attributes { key isBuiltIn type } }", Json::Null);
    assert_eq!(
        built_in["attributes"].as_array().unwrap()[..3],
        [("name", "TEXT"), ("email", "EMAIL"), ("integration", "INTEGRATION")]
            .map(|(key, r#type)| json!({ "key": key, "isBuiltIn": true, "type": r#type }))
    );
    let new = [
        ("Cost centre", "TEXT", json!([])),
        ("Seats", "NUMBER", json!([])),
        ("Contractor", "BOOLEAN", json!([])),
        ("Review day", "DATE", json!([])),
        ("Shift", "SELECT", json!(["Early", "Late"])),
        ("Languages", "MULTI_SELECT", json!(["English", "Deutsch", "日本語"])),
        ("Mentor", "USER", json!([])),
        ("Pager email", "EMAIL", json!([])),
        ("Calendar", "URL", json!([])),
        ("Scratch", "TEXT", json!([])),
    ];
    let mut made = Vec::new();
    for (title, r#type, options) in new {
        let answer = server.ask(
            "mutation($input: CreateAttributeInput!) {
               createAttribute(input: $input) { attribute { id version key type options } } }",
            json!({ "input": { "title": title, "type": r#type, "options": options } }),
        );
        let attribute = answer["createAttribute"]["attribute"].clone();
        assert_eq!((&attribute["type"], &attribute["options"]), (&json!(r#type), &options));
        made.push(attribute);
    }
    let of = |key: &str| made.iter().find(|attribute| attribute["key"] == key).unwrap();
    let update = |key: &str, change: Json| {
        let mut input = json!({ "id": of(key)["id"], "expectedVersion": of(key)["version"] });
        input.as_object_mut().unwrap().extend(change.as_object().unwrap().clone());
        let query = "mutation($input: UpdateAttributeInput!) { updateAttribute(input: $input) { attribute { key } } }";
        let answer = server.ask(query, json!({ "input": input }));
        assert_eq!(answer["updateAttribute"]["attribute"]["key"], key, "the key never changes");
    };
    update("cost_centre", json!({ "title": "Cost center", "description": "From the ledger, every Monday." }));
    update("shift", json!({ "options": ["Late", "Early", "Night"] }));
    update("languages", json!({ "position": 3 }));
    server.ask(
        "mutation($id: ID!) { deleteAttribute(input: {id: $id}) { deletedAttributeId } }",
        json!({ "id": of("scratch")["id"] }),
    );
    let all = server.ask("{ attributes { key title description options } }", Json::Null);
    let all = all["attributes"].as_array().unwrap();
    let keys: Vec<&str> = all.iter().map(|attribute| attribute["key"].as_str().unwrap()).collect();
    assert_eq!(keys[..5], ["name", "email", "integration", "languages", "department"]);
    assert_eq!(
        keys[15..],
        ["cost_centre", "seats", "contractor", "review_day", "shift", "mentor", "pager_email", "calendar"]
    );
    let options: [&str; 0] = [];
    assert_eq!(
        all[15],
        json!({ "key": "cost_centre", "title": "Cost center", "description": "From the ledger, every Monday.",
                "options": options })
    );
    assert_eq!(all[19]["options"], json!(["Late", "Early", "Night"]));
}

const SYNC: &str = "mutation($input: SyncIntegrationAccountsInput!) { syncIntegrationAccounts(input: $input) {
    created updated unchanged gone usersCreated usersRemoved warnings { path code } } }";

/// Step 3: the same email in Jira and Slack is one user, another email in GitHub a second one.
fn take_in_accounts(server: &Served) {
    let ann = |id: &str, username: &str, email: &str| json!({ "externalId": id, "username": username, "email": email, "displayName": "Ann Abel" });
    let reports = [
        ("Jira", json!([ann("W-5b10", "ann", "ann@corp.example")]), [1, 1]),
        ("Slack", json!([ann("W-U024", "ann.abel", "Ann@Corp.example")]), [1, 0]),
        (
            "GitHub",
            json!([
                { "externalId": "W-583231", "username": "annabel", "email": "ann@home.example" },
                { "externalId": "W-1", "username": "corp-bot", "email": "bot@corp.example", "isBot": true },
                { "externalId": "W-2", "username": "nobody-knows" },
                { "externalId": "W-3", "username": "odd-email", "email": "not an email" },
            ]),
            [4, 1],
        ),
    ];
    for (integration, accounts, [created, users_created]) in &reports {
        let input = json!({ "integration": integration, "accounts": accounts });
        let first = server.ask(SYNC, json!({ "input": input }))["syncIntegrationAccounts"].take();
        assert_eq!([&first["created"], &first["usersCreated"]], [created, users_created], "{integration}: {first}");
        let again = server.ask(SYNC, json!({ "input": input }))["syncIntegrationAccounts"].take();
        let warnings = if *integration == "GitHub" {
            json!([{ "path": "accounts[3].email", "code": "NOT_AN_EMAIL" }])
        } else {
            json!([])
        };
        assert_eq!(first["warnings"], warnings);
        assert_eq!(
            again,
            json!({ "created": 0, "updated": 0, "unchanged": accounts.as_array().unwrap().len(), "gone": 0,
                    "usersCreated": 0, "usersRemoved": 0, "warnings": warnings }),
            "the same report again"
        );
    }
    let both = json!({ "any": [{ "email": { "equals": "ann@corp.example" } },
                               { "email": { "equals": "ann@home.example" } }] });
    let users = server.ask(
        "query($filter: UserFilter) { users(filter: $filter) { edges { node {
           name email isAutomatic accounts { integration { name } username rule status } } } } }",
        json!({ "filter": both }),
    );
    let account = |integration: &str, username: &str, rule: &str| json!({ "integration": { "name": integration }, "username": username, "rule": rule, "status": "ACTIVE" });
    assert_eq!(
        nodes(&users["users"]),
        [
            json!({ "name": "Ann Abel", "email": "ann@corp.example", "isAutomatic": true,
                    "accounts": [account("Jira", "ann", "DETECTED"), account("Slack", "ann.abel", "EMAIL")] }),
            json!({ "name": "annabel", "email": "ann@home.example", "isAutomatic": true,
                    "accounts": [account("GitHub", "annabel", "DETECTED")] }),
        ]
    );
}

const IMPORT: &str = "mutation($file: Upload!, $dryRun: Boolean! = false) {
    importUsers(input: {file: $file, dryRun: $dryRun}) {
      applied rows created updated unchanged removed absorbed accountsMoved accountsClaimed accountsUnlinked
      errorCount warningCount errors { line column code value } } }";

/// Step 4.
fn export_edit_import(server: &Served, users: u64) {
    let exported = Table::read(&server.download("/export/users.csv"));
    assert_eq!(exported.rows.len() as u64, users + 2, "everybody, and the two of step 3");
    assert_eq!(
        exported.header.join(","),
        "ID,Name,Email,Languages,Department,Team,Role,Level,Location,Supervisor,Start date,Skills,On call,\
         Escalation email,Team page,Cost center,Seats,Contractor,Review day,Shift,Mentor,Pager email,Calendar,\
         GitHub,Harness,Jira,Slack"
    );
    let of_ann = exported.row("ann@corp.example");
    assert_eq!(
        ["Name", "GitHub", "Jira", "Slack"].map(|title| exported.cell(of_ann, title)),
        ["Ann Abel", "", "ann", "ann.abel"]
    );

    let mut edited = exported.clone();
    let gives = [
        ("Cost center", "CC-7"),
        ("Seats", "1.5"),
        ("Contractor", "no"),
        ("Review day", "2026-03-01"),
        ("Shift", "night"),
        ("Languages", "日本語; English"),
        ("Mentor", "ben@corp.example"),
        ("Pager email", "Ann.Pager@corp.example"),
        ("Calendar", "https://cal.corp.example/ann"),
        ("GitHub", "ann@home.example"),
    ];
    for (title, value) in gives {
        edited.set("ann@corp.example", title, value);
    }
    let somebody = exported.cell(&exported.rows[500], "Email").to_owned();
    edited.set(&somebody, "Seats", "-3.5");
    edited.add(&[("Name", "Ben Brook"), ("Email", "ben@corp.example"), ("Cost center", "CC-7"), ("Shift", "Late")]);
    edited.add(&[
        ("Name", "Ćem \"C\" Demir, Jr."),
        ("Email", "cem@corp.example"),
        ("Cost center", "CC-8"),
        ("Mentor", "ann@corp.example"),
        ("Languages", "Deutsch"),
    ]);

    let mut wrong = edited.clone();
    wrong.set("cem@corp.example", "Shift", "Nite");
    let line = wrong.rows.len() + 1;
    let before = server.ask("{ directory { version } }", Json::Null);
    let refused = server.upload(IMPORT, json!({}), wrong.text().as_bytes());
    assert_eq!(
        refused["importUsers"]["errors"],
        json!([{ "line": line, "column": "Shift", "code": "UNKNOWN_OPTION", "value": "Nite" }])
    );
    assert_eq!([&refused["importUsers"]["applied"], &refused["importUsers"]["errorCount"]], [&json!(false), &json!(1)]);

    let mut report = json!({
        "applied": false, "rows": users + 4, "created": 2, "updated": 2, "unchanged": users, "removed": 0,
        "absorbed": 1, "accountsMoved": 1, "accountsClaimed": 0, "accountsUnlinked": 0,
        "errorCount": 0, "warningCount": 0, "errors": [],
    });
    let tried = server.upload(IMPORT, json!({ "dryRun": true }), edited.text().as_bytes());
    assert_eq!(tried["importUsers"], report);
    assert_eq!(server.ask("{ directory { version } }", Json::Null), before, "nothing has changed");
    report["applied"] = json!(true);
    assert_eq!(server.upload(IMPORT, json!({}), edited.text().as_bytes())["importUsers"], report);

    let ann = server.ask(
        "query($email: String) {
           user(email: $email) {
             name email furtherEmails isAutomatic
             languages: attribute(key: \"languages\") { options }
             seats: attribute(key: \"seats\") { number text }
             contractor: attribute(key: \"contractor\") { boolean }
             day: attribute(key: \"review_day\") { date }
             mentor: attribute(key: \"mentor\") { user { name } }
             texts: attributes(keys: [\"shift\", \"pager_email\", \"calendar\", \"cost_centre\"]) { text }
             accounts { integration { name } username rule }
           }
           gone: users(filter: {name: {equals: \"annabel\"}}) { totalCount }
           changesets(first: 1) { edges { node { kind changes { edges { node { recordId } } } } } }
         }",
        // The email of the second user is Ann's now.
        json!({ "email": "ANN@home.example" }),
    );
    let account = |integration: &str, username: &str, rule: &str| json!({ "integration": { "name": integration }, "username": username, "rule": rule });
    assert_eq!(
        ann["user"],
        json!({
            "name": "Ann Abel", "email": "ann@corp.example", "furtherEmails": ["ann@home.example"],
            "isAutomatic": false,
            "languages": { "options": ["English", "日本語"] },
            "seats": { "number": 1.5, "text": "1.5" },
            "contractor": { "boolean": false },
            "day": { "date": "2026-03-01" },
            "mentor": { "user": { "name": "Ben Brook" } },
            "texts": [{ "text": "Night" }, { "text": "ann.pager@corp.example" },
                      { "text": "https://cal.corp.example/ann" }, { "text": "CC-7" }],
            "accounts": [account("GitHub", "annabel", "IMPORT"), account("Jira", "ann", "DETECTED"),
                         account("Slack", "ann.abel", "EMAIL")],
        })
    );
    assert_eq!(ann["gone"]["totalCount"], 0);
    let changeset = &nodes(&ann["changesets"])[0];
    let records: BTreeSet<String> =
        nodes(&changeset["changes"]).iter().map(|change| change["recordId"].to_string()).collect();
    assert_eq!(changeset["kind"], "IMPORT");
    assert_eq!(records.len(), 6, "two users are new, two changed, one is gone, and its account has moved");

    let after = server.download("/export/users.csv");
    let table = Table::read(&after);
    assert_eq!(table.rows.len() as u64, users + 3);
    assert_eq!(table.cell(table.row("ann@corp.example"), "GitHub"), "annabel");
    assert_eq!(table.cell(table.row("cem@corp.example"), "Name"), "Ćem \"C\" Demir, Jr.");
    let again = server.upload(IMPORT, json!({}), after.as_bytes());
    assert_eq!(
        ["created", "updated", "unchanged", "errorCount"].map(|name| &again["importUsers"][name]),
        [&json!(0), &json!(0), &json!(users + 3), &json!(0)],
        "an export changes nothing"
    );
}

/// Step 5, held to what the exported file says of the same users.
fn ask_for_users(server: &Served) {
    let filter = json!({ "all": [
        { "any": [
            { "attribute": { "key": "department", "is": { "equals": "platform" } } },
            { "attribute": { "key": "department", "is": { "in": ["Data", "Design"] } } },
        ] },
        { "attribute": { "key": "level", "is": { "atLeast": 3 } } },
        { "not": { "attribute": { "key": "location", "is": { "equals": "Remote" } } } },
        { "account": { "kind": "GITHUB", "isBot": false } },
        { "not": { "email": { "startsWith": "a" } } },
    ] });
    let table = Table::read(&server.download("/export/users.csv"));
    let expected: BTreeSet<&str> = table
        .rows
        .iter()
        .filter(|row| {
            let cell = |title| table.cell(row, title);
            ["Platform", "Data", "Design"].contains(&cell("Department"))
                && cell("Level").parse::<f64>().is_ok_and(|level| level >= 3.0)
                && cell("Location") != "Remote"
                && !cell("GitHub").is_empty()
                && !cell("Email").starts_with('a')
        })
        .map(|row| table.cell(row, "Email"))
        .collect();
    assert!((40..400).contains(&expected.len()), "{} users", expected.len());

    let query = "query($filter: UserFilter, $first: Int, $after: String, $last: Int, $before: String) {
        users(filter: $filter, orderBy: {by: ATTRIBUTE, attribute: \"start_date\", direction: DESC},
              first: $first, after: $after, last: $last, before: $before) {
          totalCount version
          pageInfo { hasNextPage hasPreviousPage startCursor endCursor }
          edges { node {
            name email
            attributes(keys: [\"department\", \"level\", \"start_date\"]) { attribute { title } text }
            accounts { integration { name } username }
            orgUnits { path }
          } }
        } }";
    let page = |position: Json| {
        let mut variables = json!({ "filter": filter });
        variables.as_object_mut().unwrap().extend(position.as_object().unwrap().clone());
        let page = server.ask(query, variables)["users"].take();
        assert_eq!(page["totalCount"], expected.len());
        page
    };
    let mut forward: Vec<Json> = Vec::new();
    let mut position = json!({ "first": 30 });
    loop {
        let page = page(position);
        assert_eq!(page["pageInfo"]["hasPreviousPage"], !forward.is_empty());
        forward.extend(nodes(&page));
        if page["pageInfo"]["hasNextPage"] == false {
            break;
        }
        position = json!({ "first": 30, "after": page["pageInfo"]["endCursor"] });
    }
    let mut backward: Vec<Json> = Vec::new();
    let mut position = json!({ "last": 30 });
    loop {
        let page = page(position);
        backward.splice(0..0, nodes(&page));
        if page["pageInfo"]["hasPreviousPage"] == false {
            break;
        }
        position = json!({ "last": 30, "before": page["pageInfo"]["startCursor"] });
    }
    assert_eq!(forward, backward, "the pages of a list are the list, either way");

    let emails: Vec<&str> = forward.iter().map(|user| user["email"].as_str().unwrap()).collect();
    assert_eq!(emails.iter().copied().collect::<BTreeSet<_>>(), expected);
    assert_eq!(emails.len(), expected.len());
    let days: Vec<&str> = forward.iter().map(|user| user["attributes"][2]["text"].as_str().unwrap()).collect();
    assert!(days.is_sorted_by(|a, b| a >= b), "{days:?}");
    for user in &forward {
        let row = table.row(user["email"].as_str().unwrap());
        let cell = |title: &str| table.cell(row, title);
        assert_eq!(user["name"], cell("Name"));
        for (value, title) in user["attributes"].as_array().unwrap().iter().zip(["Department", "Level", "Start date"]) {
            assert_eq!(*value, json!({ "attribute": { "title": title }, "text": cell(title) }));
        }
        let on_github: Vec<&str> = user["accounts"]
            .as_array()
            .unwrap()
            .iter()
            .filter(|account| account["integration"]["name"] == "GitHub")
            .map(|account| account["username"].as_str().unwrap())
            .collect();
        assert_eq!(on_github.join("; "), cell("GitHub"));
        let paths: Vec<&str> =
            user["orgUnits"].as_array().unwrap().iter().map(|unit| unit["path"].as_str().unwrap()).collect();
        let department = format!("Harbour/{}", cell("Department"));
        assert!(paths.contains(&"Harbour") && paths.contains(&department.as_str()), "{user}");
    }
    let selected = server.download(&format!("/export/users.csv?filter={}", percent_encoded(&filter.to_string())));
    assert_eq!(Table::read(&selected).rows.len(), expected.len(), "the export of the same filter");
}

/// Step 6.
fn build_org_units(server: &Served) {
    let create = "mutation($input: CreateOrgUnitInput!) { createOrgUnit(input: $input) {
        orgUnit { id path version filter members { totalCount } } } }";
    let at_corp = json!({ "email": { "endsWith": "@corp.example" } });
    let root =
        server.ask(create, json!({ "input": { "name": "Corp", "filter": at_corp } }))["createOrgUnit"]["orgUnit"]
            .take();
    assert_eq!(
        [&root["path"], &root["filter"], &root["members"]["totalCount"]],
        [&json!("Corp"), &at_corp, &json!(3)],
        "Ann, Ben and Cem"
    );
    let preview = "query($input: PreviewOrgUnitInput!) { previewOrgUnit(input: $input) {
        members(first: 2) { totalCount edges { node { name } } pageInfo { hasNextPage } }
        added { totalCount edges { node { name } } }
        removed { totalCount edges { node { name } } } } }";
    let by_mentor = json!({ "attribute": { "key": "mentor", "is": { "reportsTo": "ben@corp.example" } } });
    let new = json!({ "parentId": root["id"], "scope": "PARENT", "filter": by_mentor });
    let page = |total: u64, names: &[&str]| json!({ "totalCount": total, "edges": names.iter().map(|name| json!({ "node": { "name": name } })).collect::<Vec<_>>() });
    let before = server.ask("{ directory { version orgUnitCount } }", Json::Null);
    let cem = "Ćem \"C\" Demir, Jr.";
    let mut members = page(2, &["Ann Abel", cem]);
    members["pageInfo"] = json!({ "hasNextPage": false });
    assert_eq!(
        server.ask(preview, json!({ "input": new }))["previewOrgUnit"],
        json!({ "members": members, "added": page(2, &["Ann Abel", cem]), "removed": page(0, &[]) }),
        "Ann reports to Ben, and Cem to Ann"
    );
    assert_eq!(server.ask("{ directory { version orgUnitCount } }", Json::Null), before, "nothing is saved");

    let mut input = new;
    input["name"] = json!("Mentored");
    let saved = server.ask(create, json!({ "input": input }))["createOrgUnit"]["orgUnit"].take();
    assert_eq!([&saved["path"], &saved["members"]["totalCount"]], [&json!("Corp/Mentored"), &json!(2)]);

    let in_budget = json!({ "attribute": { "key": "cost_centre", "is": { "equals": "cc-7" } } });
    let changed = json!({ "id": saved["id"], "filter": in_budget });
    let mut members = page(2, &["Ann Abel", "Ben Brook"]);
    members["pageInfo"] = json!({ "hasNextPage": false });
    assert_eq!(
        server.ask(preview, json!({ "input": changed }))["previewOrgUnit"],
        json!({ "members": members, "added": page(1, &["Ben Brook"]), "removed": page(1, &[cem]) })
    );
    let mut update = changed;
    update["expectedVersion"] = saved["version"].clone();
    server.ask(
        "mutation($input: UpdateOrgUnitInput!) { updateOrgUnit(input: $input) { orgUnit { id } } }",
        json!({ "input": update }),
    );
    let listed = server.ask(
        "{ orgUnit(path: \"corp/mentored\") {
             parent { name } scope filter
             members(orderBy: {by: NAME, direction: DESC}) { totalCount edges { node { name email } } } }
           orgUnits(rootsOnly: true, first: 50) { edges { node { name children { name } } } } }",
        Json::Null,
    );
    assert_eq!(
        listed["orgUnit"],
        json!({
            "parent": { "name": "Corp" }, "scope": "PARENT", "filter": in_budget,
            "members": { "totalCount": 2, "edges": [
                { "node": { "name": "Ben Brook", "email": "ben@corp.example" } },
                { "node": { "name": "Ann Abel", "email": "ann@corp.example" } },
            ] },
        })
    );
    let roots = nodes(&listed["orgUnits"]);
    let names: Vec<&Json> = roots.iter().map(|root| &root["name"]).collect();
    assert_eq!(names, ["Across departments", "Corp", "Harbour"]);
    assert_eq!(roots[1]["children"], json!([{ "name": "Mentored" }]));
}

const RESOLVE: &str = "query($accounts: [AccountReference!]!) { resolveAccounts(accounts: $accounts) {
    status account { username isBot } user { name orgUnits { path } } } }";

/// Step 7.
fn resolve_accounts(server: &Served) {
    let accounts = json!([
        { "integration": "GitHub", "username": "AnnAbel" },
        { "integration": "jira", "externalId": "W-5b10" },
        { "integration": "Slack", "email": "ann@CORP.example" },
        { "integration": "GitHub", "username": "corp-bot" },
        { "integration": "GitHub", "username": "nobody-has-this" },
        { "integration": "Bitbucket", "username": "ann" },
    ]);
    let ann = json!({ "name": "Ann Abel", "orgUnits": [
        // `Harbour` has everybody.
        { "path": "Corp" }, { "path": "Corp/Mentored" }, { "path": "Harbour" },
    ] });
    let found = |username: &str, user: Json| json!({ "status": "FOUND", "account": { "username": username, "isBot": username == "corp-bot" }, "user": user });
    let missing = |status: &str| json!({ "status": status, "account": null, "user": null });
    assert_eq!(
        server.ask(RESOLVE, json!({ "accounts": accounts }))["resolveAccounts"],
        json!([
            found("annabel", ann.clone()),
            found("ann", ann.clone()),
            found("ann.abel", ann),
            found("corp-bot", Json::Null),
            missing("NOT_FOUND"),
            missing("UNKNOWN_INTEGRATION"),
        ])
    );
}

fn everything_is_there_after_a_restart(home: &Home, server: Served) {
    let query = "{ directory { version userCount orgUnitCount }
        users(last: 40) { edges { cursor node { id name version history(first: 1) { totalCount } } } }
        changesets(first: 100) { totalCount edges { node { number kind actor changeCount createdAt } } } }";
    let (before, file) = (server.ask(query, Json::Null), server.download("/export/users.csv"));
    assert_eq!(before["directory"]["version"], before["changesets"]["totalCount"], "numbers have no gaps");
    assert_eq!(server.stop().0, Some(0));
    let server = home.serve();
    assert_eq!(server.ask(query, Json::Null), before);
    assert_eq!(server.download("/export/users.csv"), file);
}

const MONTH: &str = "mutation($file: Upload!, $mode: ImportMode!, $columns: [ImportColumnInput!]!) {
    importUsers(input: {file: $file, mode: $mode, columns: $columns}) {
      applied rows created updated unchanged removed errors { line column code } warnings { line code } } }";

#[test]
fn two_months_of_an_hr_export_give_their_figures() {
    in_each_home(|home| {
        let server = home.serve();
        let texts = ["role", "team", "site", "location", "business unit", "department", "squad", "tribe", "vendor"]
            .into_iter()
            .chain(["job-function", "executive", "status", "sub role", "sub-team"])
            .map(|title| (title, "TEXT"));
        for (title, r#type) in texts.chain([("start date", "DATE"), ("Supervisor", "USER")]) {
            server.ask(
                "mutation($input: CreateAttributeInput!) { createAttribute(input: $input) { version } }",
                json!({ "input": { "title": title, "type": r#type } }),
            );
        }
        let ignored = ["full_name", "manager name", "most common manager", "most common manager email"];
        let mut columns: Vec<Json> =
            ignored.into_iter().map(|header| json!({ "header": header, "ignore": true })).collect();
        columns.push(json!({ "header": "Manager Email", "attribute": "supervisor" }));
        columns.push(json!({ "header": "start date", "attribute": "start_date", "dateFormat": "DD/MM/YY" }));
        let import = |name: &str, mode: &str| {
            let file = std::fs::read(repository("tests/data/hris").join(name)).unwrap();
            server.upload(MONTH, json!({ "mode": mode, "columns": columns }), &file)["importUsers"].take()
        };
        let report = |rows: u64, [created, updated, unchanged, removed]: [u64; 4]| json!({ "applied": true, "rows": rows, "created": created, "updated": updated, "unchanged": unchanged, "removed": removed, "errors": [], "warnings": [] });
        let mut first = report(128, [128, 0, 0, 0]);
        // The file writes a role in two ways.
        first["warnings"] = json!([{ "line": 29, "code": "OTHER_SPELLING" }]);
        assert_eq!(import("developers.csv", "MERGE"), first);

        let is = |key: &str, condition: Json| json!({ "attribute": { "key": key, "is": condition } });
        let of = |department: &str| is("department", json!({ "equals": department }));
        let keiko = "keiko.tanaka@lumenworks.example";
        let questions = [
            (json!({ "all": [] }), 128),
            (of("Platform"), 35),
            (of("Payments"), 33),
            (of("Data"), 33),
            (of("Reliability"), 26),
            (is("department", json!({ "isEmpty": true })), 1),
            (json!({ "all": [is("location", json!({ "equals": "AMER" })), of("Payments")] }), 7),
            (is("role", json!({ "equals": "contractor" })), 17),
            (is("role", json!({ "equals": "senior software engineer i" })), 37),
            (is("status", json!({ "equals": "inactive" })), 5),
            (is("supervisor", json!({ "equals": keiko })), 2),
            (is("supervisor", json!({ "reportsTo": keiko })), 32),
            (is("team", json!({ "contains": ", " })), 2),
        ];
        let count = |filter: &Json| {
            let query = "query($filter: UserFilter) { users(filter: $filter) { totalCount } }";
            server.ask(query, json!({ "filter": filter }))["users"]["totalCount"].as_u64().unwrap()
        };
        for (filter, expected) in &questions {
            assert_eq!(count(filter), *expected, "{filter}");
        }
        assert_eq!(import("developers-next-month.csv", "MERGE"), report(129, [6, 7, 116, 0]));
        assert_eq!(count(&json!({ "all": [] })), 134);
        assert_eq!(import("developers-next-month.csv", "REPLACE"), report(129, [0, 0, 129, 5]));
        assert_eq!(count(&json!({ "all": [] })), 129);
    });
}

/// The nodes of a page.
fn nodes(connection: &Json) -> Vec<Json> {
    connection["edges"].as_array().unwrap().iter().map(|edge| edge["node"].clone()).collect()
}

fn percent_encoded(text: &str) -> String {
    text.bytes().map(|byte| format!("%{byte:02X}")).collect()
}

/// A file as a spreadsheet has it.
#[derive(Clone)]
struct Table {
    header: Vec<String>,
    rows: Vec<Vec<String>>,
}

impl Table {
    fn read(text: &str) -> Self {
        let mut reader = csv::ReaderBuilder::new().has_headers(false).from_reader(text.as_bytes());
        let mut rows = reader.records().map(|row| row.unwrap().iter().map(str::to_owned).collect());
        Self { header: rows.next().unwrap(), rows: rows.collect() }
    }

    fn text(&self) -> String {
        let mut writer = csv::Writer::from_writer(Vec::new());
        for row in [&self.header].into_iter().chain(&self.rows) {
            writer.write_record(row).unwrap();
        }
        String::from_utf8(writer.into_inner().unwrap()).unwrap()
    }

    fn column(&self, title: &str) -> usize {
        self.header.iter().position(|header| header == title).unwrap()
    }

    fn cell<'a>(&self, row: &'a [String], title: &str) -> &'a str {
        &row[self.column(title)]
    }

    fn row(&self, email: &str) -> &[String] {
        self.rows.iter().find(|row| self.cell(row, "Email") == email).unwrap()
    }

    fn set(&mut self, email: &str, title: &str, value: &str) {
        let (of_email, at) = (self.column("Email"), self.column(title));
        let row = self.rows.iter_mut().find(|row| row[of_email] == email).unwrap();
        value.clone_into(&mut row[at]);
    }

    fn add(&mut self, cells: &[(&str, &str)]) {
        let mut row = vec![String::new(); self.header.len()];
        for (title, value) in cells {
            row[self.column(title)] = (*value).to_owned();
        }
        self.rows.push(row);
    }
}
