//! What each role may ask for, by every way in.

use axum::body::Body;
use entity::attribute::AttributeType;
use http::{Request, StatusCode};
use roster::access::{Role, matrix};
use roster::value::GlobalId;
use serde_json::{Value as Json, json};

use crate::support::{Asker, Root, Server, attribute, filter, on_both, on_sqlite, unit, user};

fn is_forbidden(body: &str) -> bool {
    let json: Json = serde_json::from_str(body).unwrap();
    json["errors"]
        .as_array()
        .is_some_and(|errors| errors.iter().any(|error| error["extensions"]["code"] == "FORBIDDEN"))
}

fn post(query: &str) -> Request<Body> {
    let request = Request::post("/graphql").header("content-type", "application/json");
    let request = request.header("accept", "application/graphql-response+json");
    request.body(Body::from(json!({ "query": query, "variables": {} }).to_string())).unwrap()
}

#[test]
fn each_root_field_is_for_those_whom_the_matrix_names() {
    on_sqlite(async |site| {
        let asker = Asker::new();
        let mut asked = 0;
        for role in Role::ALL {
            let server = Server::signed_in(site, &[], role);
            for root in asker.roots() {
                let query = asker.smallest(&root);
                let reply = server.send(post(&query)).await;
                let least = matrix::least(&root.place());
                assert_eq!(is_forbidden(&reply.body), role < least, "{role:?} {query}: {}", reply.body);
                assert_eq!(reply.status == StatusCode::FORBIDDEN, role < least, "{role:?} {query}: {}", reply.body);
                if role < least {
                    let message =
                        format!("`{}` needs the role {}; yours is {}", root.place(), least.name(), role.name());
                    assert_eq!(reply.json()["errors"][0]["message"], message.as_str());
                }
                asked += 1;
            }
        }
        assert_eq!(asked, 4 * asker.roots().len());
    });
}

#[test]
fn each_file_is_for_those_whom_the_matrix_names() {
    on_sqlite(async |site| {
        let routes: Vec<(&str, Role)> = matrix::lines().filter(|(place, _)| place.starts_with('/')).collect();
        let router = include_str!("../../src/http/router.rs");
        let in_code = router.matches(".route(\"/export/").count() + router.matches(".route(metrics::PATH").count();
        assert_eq!(routes.len(), in_code, "say in src/access/matrix.txt which role each file takes");
        for role in Role::ALL {
            let server = Server::signed_in(site, &[], role);
            for (path, least) in &routes {
                let reply = server.send(Request::get(*path).body(Body::empty()).unwrap()).await;
                assert_ne!(reply.status, StatusCode::NOT_FOUND, "{path}");
                assert_eq!(reply.status == StatusCode::FORBIDDEN, role < *least, "{role:?} {path}");
                if role < *least {
                    assert!(reply.body.contains("\"FORBIDDEN\""), "{}", reply.body);
                }
            }
        }
    });
}

/// Ways to ask for a field of a type; each leads to it by what a RESOLVER may ask for, but for the last.
fn ways(on: &str, field: &str, id: &str) -> Vec<String> {
    vec![
        format!("{{ node(id: \"{id}\") {{ ... on {on} {{ {field} }} }} }}"),
        format!("{{ node(id: \"{id}\") {{ ... on {on} {{ id: {field} }} }} }}"),
        format!(
            "query Q {{ nodes(ids: [\"{id}\"]) {{ ...F }} }} fragment F on {on} {{ ... @include(if: true) {{ {field} }} }}"
        ),
        format!(
            "{{ node(id: \"{id}\") {{ ... on Node {{ ...F }} }} }} fragment F on Node {{ ...G }} fragment G on {on} {{ x: {field} }}"
        ),
    ]
}

#[test]
fn no_way_leads_a_resolver_to_what_is_not_for_one() {
    on_both(async |site| {
        let team = attribute(site, "Team", AttributeType::Text, &[]).await;
        let ann = user(site, "Ann", "ann@corp.example", json!({ "team": "Blue" })).await;
        let unit = unit(
            site,
            "Blue",
            None,
            Some(filter(json!({ "attribute": { "key": "team", "is": { "equals": "Blue" } } }))),
        )
        .await;
        let (ann, unit, team) = (ann.to_global(), unit.to_global(), team.to_global());
        let (resolver, reader) =
            (Server::signed_in(site, &[], Role::Resolver), Server::signed_in(site, &[], Role::Reader));
        let fields = [
            ("User", &ann, "email"),
            ("User", &ann, "furtherEmails"),
            ("User", &ann, "attributes { text }"),
            ("User", &ann, "memberships { conditions { saw } }"),
            ("User", &ann, "history { edges { node { after } } }"),
            ("User", &ann, "orgUnits { members { totalCount } }"),
            ("OrgUnit", &unit, "members { edges { node { id } } }"),
            ("OrgUnit", &unit, "children { id }"),
            ("OrgUnit", &unit, "filterText"),
            ("OrgUnit", &unit, "parent { history { totalCount } }"),
            ("Attribute", &team, "title"),
        ];
        for (on, id, field) in fields {
            for query in ways(on, field, id) {
                let refused = resolver.send(post(&query)).await;
                assert_eq!(refused.status, StatusCode::FORBIDDEN, "{query}: {}", refused.body);
                assert!(!refused.body.contains("ann@corp"), "{}", refused.body);
                let shown = reader.send(post(&query)).await;
                assert_eq!(
                    (shown.status, is_forbidden(&shown.body)),
                    (StatusCode::OK, false),
                    "{query}: {}",
                    shown.body
                );
            }
        }
        let open = format!(
            "{{ user(id: \"{ann}\") {{ __typename id name mergedIds orgUnits {{ id name path parent {{ id }} }}
                accounts {{ id isBot status integration {{ id name kind }} user {{ id }} }} }}
                byEmail: user(email: \"ann@corp.example\") {{ id }} orgUnit(path: \"Blue\") {{ id }}
                nothing: user(email: \"nobody@corp.example\") {{ id }}
                resolveAccounts(accounts: [{{ integration: \"none\", username: \"ann\" }}]) {{ status account {{ id }} user {{ id }} }} }}"
        );
        let reply = resolver.send(post(&open)).await;
        assert_eq!((reply.status, reply.body.contains("ann@corp")), (StatusCode::OK, false), "{}", reply.body);
        reply.json()["data"]["user"]["orgUnits"][0]["path"].clone()
    });
}

#[test]
fn a_refusal_is_the_same_by_json_and_by_events() {
    on_sqlite(async |site| {
        let server = Server::signed_in(site, &[], Role::Resolver);
        let query = "{ users { edges { node { email } } } }";
        let reply = server.execute(query, json!({}), None).await;
        assert_eq!(reply.status, StatusCode::OK, "what the older media type says of any document");
        let by_json = reply.json()["errors"][0].clone();
        assert_eq!(by_json["extensions"]["violations"][0]["path"], "users");
        assert_eq!(by_json["extensions"]["violations"][3]["path"], "users.edges.node.email");
        assert_eq!(by_json["locations"][0], json!({ "line": 1, "column": 3 }));
        let mut events = server.subscribe(query, json!({})).await;
        let by_events = events.next().await.unwrap()["errors"][0].clone();
        assert_eq!(by_events["message"], by_json["message"]);
        let mut events =
            server.subscribe("subscription { directoryChanged(afterVersion: 0) { version } }", json!({})).await;
        assert_eq!(events.next().await.unwrap()["errors"][0]["extensions"]["code"], "FORBIDDEN");
        assert_eq!(events.next().await, None);
    });
}

#[test]
fn where_introspection_is_off_a_refusal_does_not_tell_what_is_for_others_from_what_is_not_there() {
    on_sqlite(async |site| {
        for role in [Role::Resolver, Role::Reader] {
            let server = Server::signed_in(site, &["--introspection", "off"], role);
            let mut told = std::collections::HashSet::new();
            for query in [
                "{ tokens { totalCount } }",
                "{ tokenz { totalCount } }",
                "{ directory { tokens } }",
                "mutation { createToken(input: { name: \"a\", role: ADMIN }) { secret } }",
                "{ node(id: \"a\") { ... on Token { createdBy } } }",
                "{ node(id: \"a\") { ... on Nothing { createdBy } } }",
            ] {
                let reply = server.send(post(query)).await;
                assert_eq!(reply.status, StatusCode::FORBIDDEN, "{query}: {}", reply.body);
                let mut error = reply.json()["errors"].take();
                error[0]["extensions"].as_object_mut().unwrap().remove("requestId");
                told.insert(error.to_string());
            }
            assert_eq!(told.len(), 1, "{told:?}");
            let told = told.into_iter().next().unwrap();
            assert!(!told.contains("oken") && !told.contains("ADMIN"), "{told}");
            // What the library says of arguments and values names nothing, either.
            for query in
                ["{ user(idd: 1) { id } }", "{ resolveAccounts(accounts: [{ integratio: \"a\" }]) { status } }"]
            {
                let reply = server.send(post(query)).await;
                assert!(!reply.body.contains("integration") && !reply.body.contains("Account"), "{}", reply.body);
                assert!(!reply.body.contains("Did you mean"), "{}", reply.body);
            }
        }
    });
}

const DRAFT: &str = "mutation($file: Upload!, $input: ImportOptionsInput, $kind: ImportKind!) {
    createImportDraft(input: { file: $file, options: $input, kind: $kind }) { draft { id } } }";

#[test]
fn an_editor_imports_users_and_neither_org_units_nor_new_attributes() {
    on_sqlite(async |site| {
        let editor = Server::signed_in(site, &[], Role::Editor);
        let admin = Server::signed_in(site, &[], Role::Admin);
        let made = json!({ "newAttributes": [{ "header": "Team", "type": "TEXT" }] });
        for (variables, file) in [
            (json!({ "kind": "ORG_UNITS" }), "Path\nBlue\n"),
            (json!({ "kind": "USERS", "input": made }), "Name,Email,Team\nAnn,ann@corp.example,Blue\n"),
        ] {
            let refused = editor.execute(DRAFT, variables.clone(), Some(file)).await;
            assert!(is_forbidden(&refused.body), "{}", refused.body);
            let made = admin.execute(DRAFT, variables, Some(file)).await.json();
            let draft = made["data"]["createImportDraft"]["draft"]["id"].as_str().unwrap().to_owned();
            for verb in [
                "applyImportDraft(input: { id: $id })",
                "rebaseImportDraft(input: { id: $id })",
                "cancelImportDraft(id: $id)",
            ] {
                let query = format!("mutation($id: ID!) {{ {verb} {{ draft {{ id }} }} }}");
                let refused = editor.execute(&query, json!({ "id": draft }), None).await;
                assert!(is_forbidden(&refused.body), "{verb}: {}", refused.body);
            }
            let cancel = "mutation($id: ID!) { cancelImportDraft(id: $id) { draft { state } } }";
            let cancelled = admin.execute(cancel, json!({ "id": draft }), None).await.json();
            assert_eq!(cancelled["data"]["cancelImportDraft"]["draft"]["state"], "CANCELLED", "it was still there");
        }
        let query = "mutation($file: Upload!) { importUsers(input: { file: $file, newAttributes: [{ header: \"Team\", type: TEXT }] }) { applied } }";
        let file = "Name,Email,Team\nAnn,ann@corp.example,Blue\n";
        assert!(is_forbidden(&editor.execute(query, json!({}), Some(file)).await.body));
        let query = "mutation($file: Upload!) { importUsers(input: { file: $file }) { applied } }";
        let reply = editor.execute(query, json!({}), Some("Name,Email\nAnn,ann@corp.example\n")).await;
        assert_eq!(reply.json()["data"]["importUsers"]["applied"], true);
    });
}

/// What docs/roles.md has to say of every root field.
fn table() -> String {
    let mut table = String::from("| field | RESOLVER | READER | EDITOR | ADMIN |\n|---|---|---|---|---|\n");
    let exports = matrix::lines().filter(|(place, _)| place.starts_with('/')).map(|(place, _)| place.to_owned());
    for place in Asker::new().roots().iter().map(Root::place).chain(exports) {
        let least = matrix::least(&place);
        let marks = Role::ALL.map(|role| if role < least { "" } else { "x" });
        table.push_str(&format!("| `{place}` | {} |\n", marks.join(" | ")));
    }
    table
}

#[test]
fn the_table_of_roles_is_the_matrix() {
    let docs = include_str!("../../docs/roles.md");
    assert!(docs.contains(&table()), "docs/roles.md has to hold this table:\n{}", table());
}
