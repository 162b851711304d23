use async_graphql::parser::parse_query;
use std::collections::HashSet;
use std::fmt::Write;

use super::*;
use crate::graphql::guard;

fn permissions() -> &'static Permissions {
    Permissions::of_schema().unwrap()
}

/// The fields that are denied, as `Type.field`.
#[track_caller]
fn denied(query: &str, name: Option<&str>, role: Role) -> Vec<String> {
    let document = parse_query(query).unwrap();
    let operation = guard::operation(&document, name).unwrap();
    match permissions().check(&document, operation, role) {
        Ok(()) => Vec::new(),
        Err(denied) => denied.fields.into_iter().map(|field| field.field).collect(),
    }
}

fn all_fields() -> Vec<(String, Role)> {
    let field = |on: &Name, (name, field): (&Name, &Field)| (format!("{on}.{name}"), field.least);
    permissions().0.iter().flat_map(|(on, fields)| fields.iter().map(move |pair| field(on, pair))).collect()
}

#[test]
fn every_field_has_one_line_in_the_matrix_and_no_line_is_left_over() {
    let fields: HashSet<String> = all_fields().into_iter().map(|(field, _)| field).collect();
    let lines: Vec<&str> = matrix::lines().map(|(place, _)| place).filter(|place| !place.starts_with('/')).collect();
    let missing: Vec<&String> = fields.iter().filter(|field| !lines.contains(&field.as_str())).collect();
    assert_eq!(missing, Vec::<&String>::new(), "say in src/access/matrix.txt which role these fields take");
    let left: Vec<&&str> = lines.iter().filter(|line| !fields.contains(**line)).collect();
    assert_eq!(left, Vec::<&&str>::new(), "these lines of src/access/matrix.txt are of no field");
    assert_eq!(lines.len(), fields.len(), "src/access/matrix.txt names a field twice");
    let written = include_str!("../../access/matrix.txt").lines().count();
    assert_eq!(matrix::lines().count(), written, "a line of src/access/matrix.txt is not `Type.field  ROLE`");
}

#[test]
fn the_matrix_has_the_order_of_the_schema() {
    let mut expected = Vec::new();
    for definition in parse_schema(crate::graphql::sdl()).unwrap().definitions {
        let TypeSystemDefinition::Type(definition) = definition else { continue };
        let fields = match definition.node.kind {
            TypeKind::Object(object) => object.fields,
            TypeKind::Interface(interface) => interface.fields,
            _ => continue,
        };
        let on = definition.node.name.node;
        expected.extend(fields.into_iter().map(|field| format!("{on}.{}", field.node.name.node)));
    }
    let lines: Vec<&str> = matrix::lines().map(|(place, _)| place).filter(|place| !place.starts_with('/')).collect();
    assert_eq!(lines, expected);
}

#[test]
fn an_interface_asks_for_what_the_strictest_of_its_types_does() {
    let mut found = 0;
    for definition in parse_schema(crate::graphql::sdl()).unwrap().definitions {
        let TypeSystemDefinition::Type(definition) = definition else { continue };
        let TypeKind::Object(object) = definition.node.kind else { continue };
        for interface in object.implements {
            for (name, field) in &permissions().0[&interface.node] {
                let own = &permissions().0[&definition.node.name.node][name];
                assert!(own.least <= field.least, "{}.{name} of {}", interface.node, definition.node.name.node);
                found += 1;
            }
        }
    }
    assert!(found > 0);
}

#[test]
fn every_field_is_denied_to_whom_the_matrix_says_however_it_is_asked_for() {
    for (place, least) in all_fields() {
        let (on, field) = place.split_once('.').unwrap();
        for role in Role::ALL {
            // Each of these leads to the field by what everybody may ask for.
            for query in [
                format!("{{ node(id: 1) {{ ... on {on} {{ {field} }} }} }}"),
                format!("{{ node(id: 1) {{ ... on {on} {{ innocent: {field} {{ __typename }} }} }} }}"),
                format!(
                    "{{ a: node(id: 1) {{ ... on Node {{ ... @include(if: true) {{ ...F }} }} }} }} fragment F on {on} {{ {field} }}"
                ),
                format!(
                    "query A {{ nodes(ids: []) {{ ...F }} }} query B {{ user {{ id }} }} fragment F on Node {{ ...G }} fragment G on {on} {{ ... {{ {field} }} }}"
                ),
            ] {
                let expected = if role < least { vec![place.clone()] } else { Vec::new() };
                assert_eq!(
                    denied(&query, query.starts_with("query").then_some("A"), role),
                    expected,
                    "{query} {role:?}"
                );
            }
        }
    }
}

#[test]
fn nested_fields_are_those_of_the_types_that_they_are_of() {
    let nested = "{ resolveAccounts(accounts: []) { user { orgUnits { parent { name members { totalCount } } } } } }";
    assert_eq!(denied(nested, None, Role::Resolver), ["OrgUnit.members", "UserConnection.totalCount"]);
    assert!(denied(nested, None, Role::Reader).is_empty());
    let through_a_union = "{ mergeClusters { edges { node { subjects { ... on User { name email } } } } } }";
    assert!(denied(through_a_union, None, Role::Resolver).contains(&"User.email".to_owned()));
    assert!(!denied(through_a_union, None, Role::Resolver).contains(&"User.name".to_owned()));
    let own = "{ user { ... on Node { id } ... on Attribute { title } } }";
    assert_eq!(denied(own, None, Role::Resolver), ["Node.id", "Attribute.title"]);
    assert_eq!(denied("mutation { createUser { user { id } } }", None, Role::Reader).len(), 2);
    assert_eq!(denied("subscription { directoryChanged { __typename } }", None, Role::Resolver).len(), 1);
}

#[test]
fn what_is_free_is_free_and_only_what_runs_counts() {
    for role in Role::ALL {
        assert!(denied("{ __typename __schema { types { name } } user { __typename } }", None, role).is_empty());
        let two = "query A { user { id } } mutation B { undoChangeset { version } } fragment F on User { email }";
        assert!(denied(two, Some("A"), role).is_empty());
        assert_eq!(denied(two, Some("B"), role).is_empty(), role == Role::Admin);
    }
}

#[test]
fn fragment_bombs_are_walked_once() {
    for width in [2, 10, 50] {
        let mut query = "{ ...F0 }".to_owned();
        for level in 0..30 {
            let spreads = format!("...F{} ", level + 1).repeat(width);
            write!(query, " fragment F{level} on Query {{ {spreads} }}").unwrap();
        }
        query.push_str(" fragment F30 on Query { users { totalCount } }");
        let document = parse_query(&query).unwrap();
        let operation = guard::operation(&document, None).unwrap();
        let mut walk = Walk {
            types: &permissions().0,
            document: &document,
            role: Role::Resolver,
            walked: HashSet::new(),
            path: Vec::new(),
            denied: Vec::new(),
            visits: 0,
        };
        walk.operation(operation);
        assert_eq!(walk.visits, 1 + 30 * width + 2);
        assert_eq!(walk.denied.len(), 2, "once each");
    }
}

#[test]
fn a_refusal_names_field_role_and_place() {
    let document = parse_query("{\n  user(id: 1) { mail: email ...F } }\nfragment F on User { version }").unwrap();
    let operation = guard::operation(&document, None).unwrap();
    let denied = permissions().check(&document, operation, Role::Resolver).unwrap_err();
    let error = ServerError::from(denied);
    assert_eq!(error.message, "`User.email` needs the role READER; yours is RESOLVER (and 1 more)");
    assert_eq!(error.locations, [Pos { line: 2, column: 17 }, Pos { line: 3, column: 22 }]);
    let extensions = serde_json::to_value(error.extensions.unwrap()).unwrap();
    assert_eq!(extensions["code"], "FORBIDDEN");
    assert_eq!(extensions["violations"][0]["path"], "user.mail");
    assert_eq!(extensions["violations"][1]["path"], "user.version");
    assert_eq!(extensions["violations"][1]["message"], "`User.version` needs the role READER; yours is RESOLVER");
    let many: String = (0..30).map(|at| format!("a{at}: email ")).collect();
    let document = parse_query(format!("{{ user {{ {many} }} }}")).unwrap();
    let denied =
        permissions().check(&document, guard::operation(&document, None).unwrap(), Role::Resolver).unwrap_err();
    let error = ServerError::from(denied);
    assert_eq!(error.locations.len(), 20);
    let extensions = serde_json::to_value(error.extensions.unwrap()).unwrap();
    assert_eq!(extensions["violations"].as_array().unwrap().len(), 20);
}

#[test]
fn what_is_not_known_is_refused_whoever_asks() {
    for role in Role::ALL {
        for (query, field) in [
            ("{ nothing { at { all } } }", "Query.nothing"),
            ("{ user(id: 1) { __schema { types { name } } } }", "User.__schema"),
            ("{ node(id: 1) { ... on Nothing { id } } }", "Nothing.id"),
            ("{ node(id: 1) { ...F } } fragment F on Role { id }", "Role.id"),
            ("mutation { nothing }", "Mutation.nothing"),
            ("subscription { nothing }", "Subscription.nothing"),
        ] {
            assert_eq!(denied(query, None, role), [field], "{query}");
        }
    }
    let error = |query: &str| {
        let document = parse_query(query).unwrap();
        let denied = permissions().check(&document, guard::operation(&document, None).unwrap(), Role::Resolver);
        let denied = denied.unwrap_err();
        let untold = denied.without_schema();
        let error = ServerError::from(denied);
        (error.message, serde_json::to_value(error.extensions.unwrap()).unwrap()["code"].clone(), untold)
    };
    let (message, code, unknown) = error("{ user(id: 1) { nme } }");
    assert_eq!(
        (message.as_str(), code),
        ("Unknown field \"nme\" on type \"User\". Did you mean \"name\"?", "BAD_REQUEST".into())
    );
    let (message, code, forbidden) = error("{ user(id: 1) { nme email } }");
    assert_eq!((message.as_str(), code), ("`User.email` needs the role READER; yours is RESOLVER", "FORBIDDEN".into()));
    assert_eq!(unknown, forbidden, "nobody finds out what there is by what is said");
    assert!(Permissions::read("type Query {").is_err());
}
