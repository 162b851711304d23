//! The contract as a whole.

use async_graphql::parser::parse_schema;
use async_graphql::parser::types::{InputValueDefinition, TypeKind, TypeSystemDefinition};
use async_graphql::{Positioned, Request, Value, Variables};
use serde_json::json;

use super::{schema, sdl, without_schema};

fn undescribed_inputs(place: &str, inputs: &[Positioned<InputValueDefinition>]) -> Vec<String> {
    let bare = inputs.iter().filter(|input| input.node.description.is_none());
    bare.map(|input| format!("{place}.{}", input.node.name.node)).collect()
}

#[test]
fn everything_in_the_schema_has_a_description() {
    let mut bare = Vec::new();
    for definition in parse_schema(sdl()).unwrap().definitions {
        let TypeSystemDefinition::Type(definition) = definition else { continue };
        let name = definition.node.name.node.to_string();
        if definition.node.description.is_none() {
            bare.push(name.clone());
        }
        match definition.node.kind {
            TypeKind::Scalar | TypeKind::Union(_) => {}
            TypeKind::Object(object) => {
                bare.extend(object.fields.iter().flat_map(|field| undescribed(&name, &field.node)));
            }
            TypeKind::Interface(interface) => {
                bare.extend(interface.fields.iter().flat_map(|field| undescribed(&name, &field.node)));
            }
            TypeKind::Enum(items) => bare.extend(
                items
                    .values
                    .iter()
                    .filter(|item| item.node.description.is_none())
                    .map(|item| format!("{name}.{}", item.node.value.node)),
            ),
            TypeKind::InputObject(input) => bare.extend(undescribed_inputs(&name, &input.fields)),
        }
    }
    assert_eq!(bare, Vec::<String>::new());
}

fn undescribed(name: &str, field: &async_graphql::parser::types::FieldDefinition) -> Vec<String> {
    let place = format!("{name}.{}", field.name.node);
    let mut bare = undescribed_inputs(&place, &field.arguments);
    if field.description.is_none() {
        bare.push(place);
    }
    bare
}

/// Introspection is what tools read, and it is told apart from the SDL by what the library adds.
#[tokio::test]
async fn introspection_agrees_that_everything_has_a_description() {
    let query = "{ __schema { types { name kind description fields { name description args { name description } }
        inputFields { name description } enumValues { name description } } } }";
    let answer = schema().execute(query).await.into_result().unwrap().data;
    let mut bare = Vec::new();
    walk(&answer, "", &mut bare);
    assert_eq!(bare, Vec::<String>::new());
}

fn walk(value: &Value, place: &str, bare: &mut Vec<String>) {
    match value {
        Value::Object(fields) => {
            let place = match fields.get("name") {
                // The language's own, which every schema has.
                Some(Value::String(name)) if name.starts_with("__") || name == "ID" => return,
                Some(Value::String(name)) => format!("{place}/{name}"),
                _ => place.to_owned(),
            };
            if fields.get("description") == Some(&Value::Null) {
                bare.push(place.clone());
            }
            fields.values().for_each(|value| walk(value, &place, bare));
        }
        Value::List(items) => items.iter().for_each(|item| walk(item, place, bare)),
        _ => {}
    }
}

#[test]
fn a_filter_that_was_read_can_be_sent_back() {
    use super::filter::UserFilter;
    use crate::filter::Filter;
    use async_graphql::InputType;

    let written = serde_json::json!({ "all": [
        { "any": [] },
        { "not": { "name": { "startsWith": "a" } } },
        { "email": { "in": ["a@example.org", "b@example.org"] } },
        { "attribute": { "key": "level", "is": { "between": { "from": 3, "to": 4.5 } } } },
        { "attribute": { "key": "remote", "is": { "equals": true } } },
        { "attribute": { "key": "skills", "is": { "hasAll": ["rust"] } } },
        { "attribute": { "key": "manager", "is": { "reportsTo": "usr_00000000000000000000000000000000" } } },
        { "account": { "integration": "acme", "kind": "AZURE_DEVOPS", "displayName": { "isEmpty": false }, "isBot": false } },
        { "account": {} },
        { "orgUnit": { "id": "org_00000000000000000000000000000000", "descendants": true } },
    ] });
    let stored: Filter = serde_json::from_value(written.clone()).unwrap();
    let shown = async_graphql::ScalarType::to_value(&super::scalar::Filter(stored.clone()));
    assert_eq!(shown.clone().into_json().unwrap(), written);
    let input = <UserFilter as InputType>::parse(Some(shown)).map_err(|_| "not accepted").unwrap();
    assert_eq!(Filter::from(input), stored);
}

#[test]
fn an_answer_has_the_order_of_its_document() {
    let document = async_graphql::parser::parse_query(
        "query Other { z } query Q { b: x { y ...F } a ... { c } a }  fragment F on T { x y w { v u } }",
    );
    let mut answer = async_graphql::value!({
        "c": { "z": 1, "a": 2 },
        "a": 1,
        "b": [{ "w": { "u": 1, "v": 2 }, "x": 1, "y": 2 }],
    });
    super::order::Order::of(&document.unwrap(), Some("Q")).sort(&mut answer);
    let expected = r#"{"b":[{"y":2,"x":1,"w":{"v":2,"u":1}}],"a":1,"c":{"z":1,"a":2}}"#;
    assert_eq!(serde_json::to_string(&answer).unwrap(), expected);
}

#[tokio::test]
async fn errors_without_the_schema_name_nothing_of_it() {
    for document in [
        "{ userz { id } }",
        "{ users(frist: 1) { totalCount } }",
        "{ users(first: ONE) { totalCount } }",
        "{ users }",
        "{ users(orderBy: { field: NAM }) { totalCount } }",
        "{ users(filter: { nam: { empty: true } }) { totalCount } }",
        "{ directory @skp(if: true) { version } }",
        "{ directory @skip(iff: true) { version } }",
        "{ node(id: \"x\") { ... on Usr { id } } }",
        "query($f: UserFiltr) { users(filter: $f) { totalCount } }",
        "query($f: UserFilter) { users(filter: $f) { totalCount } }",
    ] {
        let ask = || Request::new(document).variables(Variables::from_json(json!({ "f": { "nam": 1 } })));
        let told = schema().execute(ask()).await;
        let untold = without_schema(schema().execute(ask()).await);
        assert_eq!(told.errors.len(), untold.errors.len());
        assert!(!untold.errors.is_empty());
        for error in &untold.errors {
            assert_eq!(error.message, "the document does not fit this server's schema", "{document}");
        }
    }
}
