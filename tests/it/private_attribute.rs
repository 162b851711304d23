//! An attribute that is private to others does not exist, wherever one looks.

use axum::body::Body;
use http::Request;
use roster::access::{Role, matrix};
use roster::directory::Directory;
use serde_json::{Value as Json, json};

use crate::support::{Asker, Root, Server, on_both, on_sqlite};

/// What nobody may see who may not: keys, titles and values of what is private, in lower case.
const SECRETS: [&str; 6] = ["s3cr3t", "dunkel", "schatten", "verflossen", "privatelon", "settings-secret"];

/// Documents of a thousand fields, which a test may ask for.
const SETTINGS: [&str; 12] = [
    "--max-query",
    "1MiB",
    "--max-fields",
    "100000",
    "--max-aliases",
    "100000",
    "--max-cost",
    "4000000000",
    "--max-depth",
    "40",
    "--deadline",
    "300s",
];

/// How many secrets stand in a text.
fn secrets(text: &str) -> Vec<&'static str> {
    let text = text.to_lowercase();
    SECRETS.into_iter().filter(|secret| text.contains(secret)).collect()
}

/// Asks as ADMIN, for what has to work.
async fn done(admin: &Server, query: &str, variables: Json, file: Option<&str>) -> Json {
    let reply = admin.execute(query, variables, file).await.json();
    assert_eq!(reply.get("errors"), None, "{query}: {reply}");
    reply["data"].clone()
}

/// The ids of what [`fill`] makes.
struct Made {
    ann: String,
    bob: String,
    dunkel: String,
    unit: String,
    draft: String,
    account: String,
}

fn id(json: &Json, path: &str) -> String {
    json.pointer(path).and_then(Json::as_str).unwrap_or_else(|| panic!("{path} in {json}")).to_owned()
}

/// A directory with private attributes, and traces of them wherever there can be some.
async fn fill(admin: &Server) -> Made {
    let attribute = "mutation($i: CreateAttributeInput!) { createAttribute(input: $i) { attribute { id } } }";
    let new = |title: &str, key: &str, r#type: &str, readers: Json| json!({ "i": { "title": title, "key": key, "type": r#type, "readableBy": readers, "description": title } });
    done(admin, attribute, json!({ "i": { "title": "Team", "type": "TEXT" } }), None).await;
    let dunkel = done(admin, attribute, new("Dunkelwort", "dunkel", "TEXT", json!([])), None).await;
    let dunkel = id(&dunkel, "/createAttribute/attribute/id");
    done(admin, attribute, new("Schattenchef", "schatten", "USER", json!(["ADMIN"])), None).await;
    let past = done(admin, attribute, new("Verflossen", "verflossen", "TEXT", json!([])), None).await;
    let user = "mutation($i: CreateUserInput!) { createUser(input: $i) { user { id } } }";
    let new = |name: &str, values: Json| json!({ "i": { "name": name, "email": format!("{name}@corp.example"), "attributes": values } });
    let secret = json!([{ "key": "team", "value": "Blue" }, { "key": "dunkel", "value": "s3cr3t-1" }, { "key": "verflossen", "value": "s3cr3t-0" }]);
    let ann = id(&done(admin, user, new("ann", secret), None).await, "/createUser/user/id");
    let named = json!([{ "key": "dunkel", "value": "s3cr3t-2" }, { "key": "schatten", "value": "ann@corp.example" }]);
    let bob = id(&done(admin, user, new("ann.b", named), None).await, "/createUser/user/id");
    let change = json!({ "i": { "id": ann, "attributes": [{ "key": "dunkel", "value": "s3cr3t-3" }] } });
    done(admin, "mutation($i: UpdateUserInput!) { updateUser(input: $i) { version } }", change, None).await;
    let delete = json!({ "i": { "id": id(&past, "/createAttribute/attribute/id") } });
    done(admin, "mutation($i: DeleteAttributeInput!) { deleteAttribute(input: $i) { version } }", delete, None).await;
    // One that was readable by everybody once.
    let once = json!({ "i": { "title": "Privatelon", "key": "privatelon", "type": "TEXT" } });
    let once = id(&done(admin, attribute, once, None).await, "/createAttribute/attribute/id");
    let hide = json!({ "i": { "id": once, "readableBy": [] } });
    done(admin, "mutation($i: UpdateAttributeInput!) { updateAttribute(input: $i) { version } }", hide, None).await;
    let unit = "mutation($i: CreateOrgUnitInput!) { createOrgUnit(input: $i) { orgUnit { id } } }";
    let filter = json!({ "any": [{ "attribute": { "key": "dunkel", "is": { "startsWith": "s3cr3t" } } }, { "name": { "equals": "x" } }] });
    let above =
        json!({ "i": { "name": "All", "filter": { "attribute": { "key": "schatten", "is": { "isEmpty": true } } } } });
    let above = id(&done(admin, unit, above, None).await, "/createOrgUnit/orgUnit/id");
    let below = json!({ "i": { "name": "Chosen", "parentId": above, "scope": "PARENT", "filter": filter } });
    let unit = id(&done(admin, unit, below, None).await, "/createOrgUnit/orgUnit/id");
    let integration = "mutation { createIntegration(input: { name: \"Git\", kind: GITHUB,
        settings: { organization: \"settings-secret\" } }) { integration { id } } }";
    done(admin, integration, json!({}), None).await;
    let sync = "mutation { syncIntegrationAccounts(input: { integration: \"Git\", accounts: [{ externalId: \"1\", username: \"ann\", email: \"ann@corp.example\" }] }) { created } }";
    done(admin, sync, json!({}), None).await;
    let account = done(admin, "{ integrationAccounts { edges { node { id } } } }", json!({}), None).await;
    let draft = "mutation($file: Upload!) { createImportDraft(input: { file: $file, mapping: \"monthly\", options: { columns: [{ header: \"Dunkelwort\", attribute: \"dunkel\" }] } }) { draft { id } } }";
    let file = "Name,Email,Dunkelwort\nann,ann@corp.example,s3cr3t-4\nbad,,s3cr3t-5\n";
    let draft = id(&done(admin, draft, json!({}), Some(file)).await, "/createImportDraft/draft/id");
    wait(admin, &draft).await;
    Made { ann, bob, dunkel, unit, draft, account: id(&account, "/integrationAccounts/edges/0/node/id") }
}

/// Waits until a draft has been compared.
async fn wait(admin: &Server, draft: &str) {
    let query = format!("{{ importDraft(id: \"{draft}\") {{ state }} }}");
    while done(admin, &query, json!({}), None).await["importDraft"]["state"] == "COMPARING" {
        tokio::time::sleep(std::time::Duration::from_millis(10)).await;
    }
}

/// For each field that takes more than the smallest arguments: what to ask it with.
fn asked_with(field: &str, made: &Made) -> Vec<Option<String>> {
    let Made { ann, bob, dunkel, unit, draft, account } = made;
    let some = |texts: Vec<String>| texts.into_iter().map(Some).collect();
    match field {
        "node" => some([ann, dunkel, unit, account].map(|id| format!("(id: \"{id}\")")).to_vec()),
        "nodes" => some(vec![format!("(ids: [\"{ann}\", \"{dunkel}\", \"{unit}\"])")]),
        "user" => some(vec![format!("(id: \"{ann}\")"), format!("(id: \"{ann}\", asOf: {{ version: 8 }})")]),
        "users" => {
            vec![None, Some("(asOf: { version: 8 })".into()), Some("(filter: { text: \"name co \\\"a\\\"\" })".into())]
        }
        "attributes" => vec![None, Some("(asOf: { version: 8 })".into())],
        "previewMerge" => some(vec![format!("(ids: [\"{bob}\"], survivorId: \"{ann}\")")]),
        "previewSplit" => some(vec![format!(
            "(split: {{ userId: \"{ann}\", accountIds: [\"{account}\"], name: \"New\", email: \"new@corp.example\" }})"
        )]),
        "attribute" | "attributeValues" => some(vec!["(key: \"team\")".into(), "(key: \"name\")".into()]),
        "orgUnit" => some(vec![format!("(id: \"{unit}\")"), format!("(id: \"{unit}\", asOf: {{ version: 12 }})")]),
        "previewOrgUnit" => some(vec![
            format!("(input: {{ id: \"{unit}\" }})"),
            format!("(input: {{ id: \"{unit}\", filter: {{ text: \"name co \\\"a\\\"\" }} }})"),
        ]),
        "explainMembership" => {
            some([ann, bob].map(|user| format!("(userId: \"{user}\", orgUnitId: \"{unit}\")")).to_vec())
        }
        "previewGeneratedOrgUnits" => {
            some(vec!["(input: { by: [\"team\"] })".into(), "(input: { bySupervisor: {} })".into()])
        }
        "parseFilter" => some(vec![
            "(text: \"dunk eq 1\")".into(),
            "(text: \"schaten eq 1\")".into(),
            "(text: \"memberOf eq \\\"Chosen\\\"\")".into(),
        ]),
        "completeFilter" => some(
            ["", "d", "s", "du", "team eq ", "not "]
                .map(|text| format!("(text: \"{text}\", cursor: {}, first: 100)", text.len()))
                .to_vec(),
        ),
        "importDraft" => some(vec![format!("(id: \"{draft}\")")]),
        "directoryDiff" => some(vec!["(from: 0, first: 100)".into(), "(from: 5, first: 100)".into()]),
        "changesets" => some(vec!["(first: 100)".into()]),
        "previewChange" => some(vec![
            format!("(change: {{ updateUser: {{ id: \"{ann}\", attributes: [{{ key: \"dunk\", value: \"1\" }}] }} }})"),
            format!("(change: {{ deleteUser: {{ id: \"{ann}\" }} }})"),
            format!("(change: {{ updateOrgUnit: {{ id: \"{unit}\", name: \"Other\" }} }})"),
            format!("(change: {{ deleteAttribute: {{ id: \"{dunkel}\" }} }})"),
            "(change: { renameValue: { attribute: \"dunk\", from: \"a\", to: \"b\" } })".into(),
        ]),
        "whyAssociated" => some(vec![format!("(accountId: \"{account}\")")]),
        "resolveAccounts" => some(vec!["(accounts: [{ integration: \"Git\", username: \"ann\" }])".into()]),
        "overlaps" => some(vec![format!("(unitA: \"{unit}\", unitB: \"{unit}\")")]),
        _ => vec![None],
    }
}

/// All that `role` can ask for and download, each with what came of it.
async fn everything(server: &Server, role: Role, made: &Made) -> Vec<(String, String)> {
    let asker = Asker::new();
    let mut replies = Vec::new();
    let is_theirs = |root: &Root| root.operation == "query" && matrix::least(&root.place()) <= role;
    for root in asker.roots().into_iter().filter(is_theirs) {
        for arguments in asked_with(&root.name, made) {
            let depth = if matches!(root.name.as_str(), "node" | "nodes") { 2 } else { 3 };
            let query = asker.all_of(&root, arguments.as_deref(), depth, role);
            let reply = server.execute(&query, json!({}), None).await;
            let json = reply.json();
            for error in json["errors"].as_array().into_iter().flatten() {
                let code = error["extensions"]["code"].as_str().unwrap();
                assert!(
                    !matches!(code, "BAD_REQUEST" | "FORBIDDEN" | "INTERNAL" | "LIMIT_EXCEEDED"),
                    "{}: {error}",
                    root.name
                );
            }
            replies.push((format!("{}{}", root.name, arguments.unwrap_or_default()), reply.body));
        }
    }
    for path in ["users.csv", "users.csv?raw=true", "sample.csv", "org-units.csv", "unmatched-accounts.csv"] {
        let request = Request::get(format!("/export/{path}")).body(Body::empty()).unwrap();
        replies.push((path.to_owned(), server.send(request).await.body));
    }
    let request = Request::get(format!("/export/import-errors.csv?draft={}", made.draft)).body(Body::empty()).unwrap();
    replies.push(("import-errors.csv".to_owned(), server.send(request).await.body));
    let query = "subscription { directoryChanged(afterVersion: 0) { version changeset { changes { edges { node { before after } } } } } }";
    let mut events = server.subscribe(query, json!({})).await;
    let versions =
        server.execute("{ directory { version } }", json!({}), None).await.json()["data"]["directory"]["version"]
            .as_i64();
    let mut told = String::new();
    for _ in 0..versions.unwrap() {
        told.push_str(&events.next().await.unwrap().to_string());
    }
    replies.push(("directoryChanged".to_owned(), told));
    replies
}

#[test]
fn what_is_private_stands_in_no_reply_to_whoever_may_not_read_it() {
    on_both(async |site| {
        let admin = Server::signed_in(site, &SETTINGS, Role::Admin);
        let made = fill(&admin).await;
        let shown = everything(&admin, Role::Admin, &made).await;
        let shows =
            |name: &str| shown.iter().any(|(asked, reply)| asked.starts_with(name) && !secrets(reply).is_empty());
        for name in [
            "node",
            "user(",
            "users",
            "previewMerge",
            "attributes",
            "orgUnit(",
            "orgUnits",
            "previewOrgUnit",
            "orgUnitTree",
            "explainMembership",
            "completeFilter",
            "parseFilter",
            "changesets",
            "importDraft(",
            "importDrafts",
            "columnMappings",
            "directoryDiff",
            "users.csv",
            "org-units.csv",
            "import-errors.csv",
            "directoryChanged",
            "sample.csv",
        ] {
            assert!(shows(name), "ADMIN sees it in {name}");
        }
        for role in [Role::Reader, Role::Editor] {
            let server = Server::signed_in(site, &SETTINGS, role);
            for (asked, reply) in everything(&server, role, &made).await {
                // What was asked may come back in a message.
                let found: Vec<&str> = secrets(&reply).into_iter().filter(|secret| !asked.contains(secret)).collect();
                assert_eq!(found, Vec::<&str>::new(), "{role:?} sees it in {asked}: {}", excerpt(&reply, found[0]));
            }
        }
    });
}

/// What stands around a secret.
fn excerpt(reply: &str, secret: &str) -> String {
    let at = reply.to_lowercase().find(secret).unwrap_or_default();
    reply.chars().skip(at.saturating_sub(300)).take(600).collect()
}

async fn ask(directory: &Directory, role: Role, query: &str) -> Json {
    Server::signed_in(directory, &[], role).execute(query, json!({}), None).await.json()
}

#[test]
fn whoever_may_read_it_sees_it_and_members_are_the_same_for_everybody() {
    on_both(async |site| {
        let admin = Server::signed_in(site, &SETTINGS, Role::Admin);
        let made = fill(&admin).await;
        let query = format!(
            "{{ attributes {{ key readableBy }} user(id: \"{ann}\") {{ attribute(key: \"dunkel\") {{ text }} }}
                users(filter: {{ text: \"dunkel sw \\\"s3cr3t\\\"\" }}) {{ totalCount }} }}",
            ann = made.ann
        );
        let unit = format!(
            "{{ orgUnit(id: \"{unit}\") {{ filterText filter isFilterHidden members {{ edges {{ node {{ name }} }} }} }}
                explainMembership(userId: \"{ann}\", orgUnitId: \"{unit}\") {{ isMember reason conditions {{ text }} }} }}",
            unit = made.unit,
            ann = made.ann
        );
        let hidden = ask(site, Role::Reader, &query).await;
        assert_eq!(hidden["errors"][0]["extensions"]["violations"][0]["code"], "UNKNOWN_ATTRIBUTE");
        let seen = ask(site, Role::Reader, &unit).await["data"].clone();
        let whole = ask(site, Role::Admin, &unit).await["data"].clone();
        assert_eq!(seen["orgUnit"]["members"], whole["orgUnit"]["members"]);
        assert_eq!(seen["orgUnit"]["members"]["edges"].as_array().unwrap().len(), 1);
        let of_filter = |json: &Json| {
            [&json["orgUnit"]["filterText"], &json["orgUnit"]["filter"], &json["orgUnit"]["isFilterHidden"]]
                .map(Clone::clone)
        };
        assert_eq!(of_filter(&seen), [Json::Null, Json::Null, json!(true)]);
        assert_eq!(of_filter(&whole)[2], json!(false));
        assert_eq!(seen["explainMembership"], json!({ "isMember": true, "reason": "FILTER", "conditions": [] }));
        assert_eq!(whole["explainMembership"]["conditions"].as_array().unwrap().len(), 3);

        // Who names whom by it is not told either.
        let cy = format!(
            "mutation {{ createUser(input: {{ name: \"cy\", email: \"cy@corp.example\",
                attributes: [{{ key: \"schatten\", value: \"{}\" }}] }}) {{ version }} }}",
            made.bob
        );
        done(&admin, &cy, json!({}), None).await;
        let merge = format!(
            "{{ previewMerge(ids: [\"{}\"], survivorId: \"{}\") {{ referenceCount fields {{ attribute {{ key }} }} }} }}",
            made.bob, made.ann
        );
        for (role, references, fields) in [(Role::Editor, 0, 3), (Role::Admin, 1, 4)] {
            let preview = ask(site, role, &merge).await["data"]["previewMerge"].clone();
            assert_eq!(preview["referenceCount"], references, "{role:?}: {preview}");
            assert_eq!(preview["fields"].as_array().unwrap().len(), fields, "{role:?}: {preview}");
        }

        let share = format!(
            "mutation {{ updateAttribute(input: {{ id: \"{}\", readableBy: [READER] }}) {{ version }} }}",
            made.dunkel
        );
        done(&admin, &share, json!({}), None).await;
        let shared = ask(site, Role::Reader, &query).await;
        assert_eq!(shared["data"]["user"]["attribute"]["text"], "s3cr3t-3");
        assert_eq!(shared["data"]["users"]["totalCount"], 2);
        assert_eq!(shared["data"]["attributes"][4], json!({ "key": "dunkel", "readableBy": ["READER"] }));
        assert_eq!(ask(site, Role::Reader, &unit).await["data"]["orgUnit"], whole["orgUnit"]);
        let hidden = ask(site, Role::Editor, &query).await;
        assert_eq!(hidden["errors"][0]["extensions"]["violations"][0]["code"], "UNKNOWN_ATTRIBUTE");
        // An undo of the change makes it private again, and is told as any other change.
        let last = ask(site, Role::Admin, "{ changesets(first: 1) { edges { node { number } } } }").await;
        let number = last["data"]["changesets"]["edges"][0]["node"]["number"].clone();
        done(
            &admin,
            &format!("mutation {{ undoChangeset(input: {{ number: {number} }}) {{ applied }} }}"),
            json!({}),
            None,
        )
        .await;
        assert!(ask(site, Role::Reader, &query).await.get("errors").is_some());
        let open = format!(
            "mutation {{ updateAttribute(input: {{ id: \"{}\", readableBy: null }}) {{ attribute {{ readableBy }} }} }}",
            made.dunkel
        );
        assert_eq!(
            done(&admin, &open, json!({}), None).await["updateAttribute"]["attribute"]["readableBy"],
            Json::Null
        );
        assert_eq!(ask(site, Role::Editor, &query).await.get("errors"), None);
    });
}

#[test]
fn whoever_may_not_read_it_does_not_change_it() {
    on_both(async |site| {
        let admin = Server::signed_in(site, &SETTINGS, Role::Admin);
        let made = fill(&admin).await;
        let editor = Server::signed_in(site, &[], Role::Editor);
        let import = "mutation($file: Upload!) { importUsers(input: { file: $file }) { applied errors { column code message } } }";
        let reply =
            editor.execute(import, json!({}), Some("Name,Email,Dunkelwort\nann,ann@corp.example,x\n")).await.json();
        let other =
            editor.execute(import, json!({}), Some("Name,Email,Quatschwort\nann,ann@corp.example,x\n")).await.json();
        assert_eq!(reply["data"]["importUsers"]["applied"], false);
        assert_eq!(
            reply["data"].to_string().replace("Dunkelwort", "?"),
            other["data"].to_string().replace("Quatschwort", "?"),
            "as any column that matches nothing"
        );
        let draft = "mutation($file: Upload!) { createImportDraft(input: { file: $file }) { draft { id } } }";
        let draft =
            editor.execute(draft, json!({}), Some("Name,Email,Team\nAnn A,ann@corp.example,Red\n")).await.json();
        let draft = id(&draft, "/data/createImportDraft/draft/id");
        wait(&editor, &draft).await;
        let apply = format!("mutation {{ applyImportDraft(input: {{ id: \"{draft}\" }}) {{ draft {{ state }} }} }}");
        assert_eq!(
            editor.execute(&apply, json!({}), None).await.json()["data"]["applyImportDraft"]["draft"]["state"],
            "APPLIED"
        );
        let reply =
            editor.execute(import, json!({}), Some("Name,Email,Team\nAnn B,ann@corp.example,Green\n")).await.json();
        assert_eq!(reply["data"]["importUsers"]["applied"], true, "{reply}");
        let update =
            format!("mutation {{ updateUser(input: {{ id: \"{}\", name: \"Ann C\" }}) {{ version }} }}", made.ann);
        assert_eq!(editor.execute(&update, json!({}), None).await.json().get("errors"), None);
        let named = update.replace("name: \"Ann C\"", "attributes: [{ key: \"dunkel\", value: \"x\" }]");
        let refused = editor.execute(&named, json!({}), None).await.json();
        assert_eq!(refused["errors"][0]["extensions"]["violations"][0]["code"], "UNKNOWN_ATTRIBUTE");
        // Neither do those who become one lose what is hidden.
        let (ann, bob) = (&made.ann, &made.bob);
        let choose = format!(
            "mutation {{ mergeUsers(input: {{ ids: [\"{bob}\"], survivorId: \"{ann}\", choices: [{{ attribute: \"dunkel\", from: \"{bob}\" }}] }}) {{ version }} }}"
        );
        let refused = editor.execute(&choose, json!({}), None).await.json();
        assert_eq!(refused["errors"][0]["extensions"]["violations"][0]["code"], "UNKNOWN_ATTRIBUTE", "{refused}");
        let merge =
            format!("mutation {{ mergeUsers(input: {{ ids: [\"{ann}\"], survivorId: \"{bob}\" }}) {{ version }} }}");
        let merged = editor.execute(&merge, json!({}), None).await.json();
        assert_eq!(merged.get("errors"), None, "{merged}");
        let values = format!("{{ user(id: \"{bob}\") {{ attributes {{ attribute {{ key }} text }} }} }}");
        ask(site, Role::Admin, &values).await["data"].clone()
    });
}

#[test]
fn a_draft_is_hidden_from_those_to_whom_something_of_it_becomes_private_later() {
    on_both(async |site| {
        let admin = Server::signed_in(site, &SETTINGS, Role::Admin);
        fill(&admin).await;
        let draft = "mutation($file: Upload!) { createImportDraft(input: { file: $file }) { draft { id } } }";
        let editor = Server::signed_in(site, &[], Role::Editor);
        let file = "Name,Email,Team\nann,ann@corp.example,Crimson\n";
        let draft = id(&editor.execute(draft, json!({}), Some(file)).await.json(), "/data/createImportDraft/draft/id");
        wait(&editor, &draft).await;
        let show = format!(
            "{{ importDraft(id: \"{draft}\") {{ changes {{ edges {{ node {{ cells {{ column after }} }} }} }} }} }}"
        );
        for role in [Role::Reader, Role::Editor, Role::Admin] {
            assert!(ask(site, role, &show).await.to_string().contains("Crimson"), "{role:?}");
        }
        let team = id(&done(&admin, "{ attribute(key: \"team\") { id } }", json!({}), None).await, "/attribute/id");
        let hide = "mutation($id: ID!) { updateAttribute(input: { id: $id, readableBy: [] }) { attribute { id } } }";
        done(&admin, hide, json!({ "id": team }), None).await;
        for role in [Role::Reader, Role::Editor] {
            let seen = ask(site, role, &show).await;
            assert!(!seen.to_string().contains("Crimson"), "{role:?}: {seen}");
        }
        assert!(ask(site, Role::Admin, &show).await.to_string().contains("Crimson"));
    });
}

#[test]
fn nobody_finds_out_by_trying_whether_a_hidden_title_or_key_is_taken() {
    on_both(async |site| {
        let admin = Server::signed_in(site, &[], Role::Admin);
        fill(&admin).await;
        let team = id(&done(&admin, "{ attribute(key: \"team\") { id } }", json!({}), None).await, "/attribute/id");
        let draft = "mutation($file: Upload!, $i: ImportOptionsInput) { createImportDraft(input: { file: $file, options: $i }) { draft { id } } }";
        let server = Server::signed_in(site, &[], Role::Editor);
        let mut told = std::collections::HashSet::new();
        for name in ["Dunkelwort", "dunkel", "Nobodyswort"] {
            let change = format!("{{ updateAttribute: {{ id: \"{team}\", title: \"{name}\" }} }}");
            let rename = format!("{{ renameValue: {{ attribute: \"{name}\", from: \"a\", to: \"b\" }} }}");
            for change in [change, rename] {
                let query = format!(
                    "{{ previewChange(change: {change}) {{ refusal {{ code message violations {{ code message }} }} }} }}"
                );
                told.insert(
                    server.execute(&query, json!({}), None).await.json()["data"].to_string().replace(name, "…"),
                );
            }
            let new = json!({ "i": { "newAttributes": [{ "header": name, "type": "TEXT" }] } });
            let file = format!("Name,Email,{name}\nann,ann@corp.example,x\n");
            let refused = server.execute(draft, new, Some(&file)).await.json();
            assert_eq!(refused["errors"][0]["extensions"]["code"], "FORBIDDEN", "{refused}");
            let made = done(&server, draft, json!({ "i": null }), Some(&file)).await;
            let made = id(&made, "/createImportDraft/draft/id");
            wait(&server, &made).await;
            let found = format!(
                "{{ importDraft(id: \"{made}\") {{ errors {{ edges {{ node {{ code message }} }} }} warnings {{ edges {{ node {{ code message }} }} }} }} }}"
            );
            told.insert(done(&server, &found, json!({}), None).await.to_string().replace(name, "…"));
        }
        assert_eq!(told.len(), 3, "{told:#?}");
    });
}

#[test]
fn what_every_user_must_have_is_private_to_nobody_who_makes_users() {
    on_sqlite(async |site| {
        let create = "mutation { createAttribute(input: { title: \"Team\", type: TEXT, isRequired: true, readableBy: [READER] }) { version } }";
        let refused = ask(site, Role::Admin, create).await;
        assert_eq!(refused["errors"][0]["extensions"]["violations"][0]["path"], "readableBy", "{refused}");
        let built_in = ask(site, Role::Admin, "{ attribute(key: \"name\") { id } }").await;
        let hide = format!(
            "mutation {{ updateAttribute(input: {{ id: \"{}\", readableBy: [] }}) {{ version }} }}",
            id(&built_in, "/data/attribute/id")
        );
        assert_eq!(ask(site, Role::Admin, &hide).await["errors"][0]["extensions"]["code"], "INVALID_INPUT");
    });
}
