use std::fmt::Write;

use async_graphql::parser::parse_query;
use async_graphql::{ServerError, Value, Variables};
use serde_json::json;

use super::*;
use crate::config::Switch;

const LIMITS: Limits = Limits {
    max_depth: 12,
    max_fields: 2_000,
    max_aliases: 50,
    max_directives: 50,
    max_root_fields: 20,
    max_definitions: 50,
    max_cost: 10_000,
    page: 25,
    introspection: Switch::On,
};

#[track_caller]
fn look(query: &str, variables: serde_json::Value) -> Result<Measure, Vec<Refusal>> {
    check(&parse_query(query).unwrap(), &Variables::from_json(variables), &LIMITS)
}

#[track_caller]
fn cost(query: &str) -> u32 {
    look(query, json!({})).unwrap().cost
}

#[track_caller]
fn refused(query: &str) -> Vec<&'static str> {
    refusals(look(query, json!({})))
}

fn refusals(outcome: Result<Measure, Vec<Refusal>>) -> Vec<&'static str> {
    outcome
        .expect_err("it passed")
        .iter()
        .map(|refusal| match refusal {
            Refusal::Limit { what, limit, actual } => {
                assert!(actual > limit);
                *what
            }
            Refusal::Introspection => "introspection",
            Refusal::Cycle { .. } => "cycle",
            Refusal::ForgedUpload => "forged upload",
        })
        .collect()
}

fn bomb(levels: usize, width: usize, last: &str, operation: &str) -> String {
    let mut query = operation.to_owned();
    for level in 0..levels {
        let spreads = format!("...F{} ", level + 1).repeat(width);
        write!(query, " fragment F{level} on Query {{ {spreads} }}").unwrap();
    }
    write!(query, " {last}").unwrap();
    query
}

#[test]
fn fragment_bombs_are_refused_after_looking_at_each_selection_once() {
    for operation in ["{ ...F0 }", "{ a } ", "{ ... on Query { ...F0 } }", "query A { ...F0 @include(if: $x) }"] {
        // Every depth once; the other ways to spread need no more than a few.
        let step = if operation == "{ ...F0 }" { 1 } else { 13 };
        for levels in (5..=31).step_by(step) {
            for width in [2, 3, 5, 10, 25, 50] {
                let expanded = (width as f64).powi(levels as i32);
                for last in [format!("fragment F{levels} on Query {{ value }}"), String::new()] {
                    let query = bomb(levels, width, &last, operation);
                    if query.len() > 16 * 1024 {
                        continue; // Longer ones are refused before they are parsed.
                    }
                    let document = parse_query(&query).unwrap();
                    let variables = Variables::default();
                    let walk = Walk::new(&document, &variables, &LIMITS);
                    let written = levels * width + 4;
                    match walk.run() {
                        Ok(measure) => {
                            assert!(measure.visits as usize <= written, "{levels} {width}: {}", measure.visits);
                            assert!(f64::from(measure.spreads) >= expanded.min(f64::from(u32::MAX)), "{query}");
                        }
                        Err(refusal) => assert!(matches!(refusal, Refusal::Limit { what: "nesting", .. })),
                    }
                    let outcome = check(&document, &Variables::default(), &LIMITS);
                    assert!(outcome.is_err() || expanded <= 2_000.0, "{levels} {width}");
                }
            }
        }
    }
}

#[test]
fn a_fragment_that_spreads_itself_is_refused() {
    assert_eq!(refused("{ ...A } fragment A on Query { a { ...A } }"), ["cycle"]);
    assert_eq!(refused("{ a } fragment A on Query { ...B } fragment B on Query { ... { ...A } }"), ["cycle"]);
}

#[test]
fn depth_counts_fields_and_not_fragments() {
    let nested = |levels: usize| format!("{}a{}", "{ a ".repeat(levels - 1) + "{ ", " }".repeat(levels));
    assert_eq!(look(&nested(12), json!({})).unwrap().depth, 12);
    assert_eq!(refused(&nested(13)), ["depth"]);
    assert_eq!(look("{ ...A } fragment A on Q { ... { ... on Q { a } } }", json!({})).unwrap().depth, 1);
    let inline = format!("{{ {}a{} }}", "... { ".repeat(40), " }".repeat(40));
    assert_eq!(refused(&inline), ["nesting"]);
}

#[test]
fn a_chain_of_fragments_is_refused_for_its_nesting_in_whatever_order_it_is_measured() {
    let mut query = "{ ...F0 }".to_owned();
    for level in 0..40 {
        write!(query, " fragment F{level} on Q {{ ...F{} }}", level + 1).unwrap();
    }
    query.push_str(" fragment F40 on Q { a }");
    for _ in 0..20 {
        assert_eq!(refused(&query), ["nesting"]);
    }
}

#[test]
fn floods_are_refused_wherever_they_stand() {
    let aliases = (0..51).fold(String::new(), |all, at| all + &format!("a{at}: __typename "));
    assert_eq!(refused(&format!("{{ me {{ {aliases} }} }}")), ["number of aliases"]);
    assert_eq!(refused(&format!("{{ {} }}", "a ".repeat(21))), ["number of root fields"]);
    assert_eq!(refused(&format!("{{ me {{ {} }} }}", "a ".repeat(2_000))), ["number of fields"]);
    let mut many = "{ a }".to_owned();
    for at in 0..50 {
        write!(many, " fragment F{at} on Q {{ a }}").unwrap();
    }
    assert_eq!(refused(&many), ["number of operations and fragments"]);
    // A fragment's aliases and fields count once for each spread.
    let spreads = "b { ...A } ".repeat(11);
    assert_eq!(
        refused(&format!("{{ {spreads} }} fragment A on Q {{ a: x b: x c: x d: x e: x }}")),
        ["number of aliases"]
    );
}

#[test]
fn directives_are_counted_at_every_location() {
    let flood = "@d ".repeat(500);
    for query in [
        format!("query {flood} {{ a }}"),
        format!("mutation A {flood} {{ a }}"),
        format!("query A($x: Int {flood}) {{ a }}"),
        format!("{{ a {flood} }}"),
        format!("{{ ...A {flood} }} fragment A on Q {{ a }}"),
        format!("{{ ... {flood} {{ a }} }}"),
        format!("{{ a }} fragment A on Q {flood} {{ a }}"),
        format!("{{ a }} fragment A on Q {{ a {flood} }}"),
        format!("{{ __schema {{ types {{ name {flood} }} }} }}"),
    ] {
        assert_eq!(refused(&query), ["number of directives"], "{}", &query[..40]);
    }
}

#[test]
fn a_point_in_the_past_costs_once_what_five_hundred_objects_do() {
    assert_eq!(cost("{ directory(asOf: {version: 3}) { version } }"), 501);
    let query = "query($a: AsOf) { orgUnits(first: 10) { nodes { members(asOf: $a) { totalCount } } } }";
    assert_eq!(cost(query), 10 * (1 + 1 + 1) + 500);
    assert_eq!(cost("{ unit { membershipChanges(from: {version: 1}) { fromVersion } } }"), 2 + 1_000);
    let fields: String = (0..20).map(|n| format!("f{n}: users(asOf: {{version: {n}}}) {{ totalCount }} ")).collect();
    assert_eq!(refused(&format!("{{ {fields} }}")), ["cost"]);
}

#[test]
fn an_object_costs_one_and_a_page_of_them_as_many_as_it_can_have() {
    assert_eq!(cost("{ a b c }"), 0);
    assert_eq!(cost("{ user { name } }"), 1);
    assert_eq!(cost("{ users(first: 10) { nodes { name } } }"), 20);
    assert_eq!(cost("{ users(last: 10) { nodes { name } } }"), 20);
    assert_eq!(cost("{ users(first: 10, last: 12) { nodes { name } } }"), 24);
    assert_eq!(cost("{ users { nodes { name } } }"), 50, "a connection has a page by default");
    assert_eq!(cost("{ users { ...F } } fragment F on C { ... { edges { cursor } } }"), 50, "through fragments too");
    assert_eq!(cost("{ users(first: -5) { nodes { name } } }"), 2);
    assert_eq!(cost("{ users(first: 0) { nodes { name } } }"), 2);
    assert_eq!(cost("{ users(first: null) { nodes { name } } }"), 50);
    assert_eq!(cost("{ resolve(accounts: [{id: 1}, {id: 2}, {id: 3}]) { user { name } } }"), 6);
    assert_eq!(
        cost("{ preview { conditions { path } warnings { path } } }"),
        26,
        "a list that is not paged has several"
    );
    assert_eq!(cost("{ user { m: memberships { reason conditions { holds } } } }"), 1 + 8 * (1 + 5));
    assert_eq!(cost("{ users(first: 10, orderBy: [A, B]) { nodes { name } } }"), 20, "the page counts, not the order");
}

#[test]
fn what_works_out_every_org_unit_costs_as_much() {
    assert_eq!(cost("{ orgUnitTree { units { memberCount isEmpty } } }"), 2_000);
    assert_eq!(cost("{ orgUnitTree { units { unit { name path } memberCount } } }"), 3_000);
    assert_eq!(cost("{ orgUnitTree { version } }"), 1_000);
    assert_eq!(cost("{ unassignedUsers(first: 10) { edges { node { name } } } }"), 1_030);
    assert_eq!(cost("{ unassignedUsers { totalCount } }"), 1_001);
    assert_eq!(
        cost("{ siblingOverlaps { users { totalCount } pairs(first: 5) { edges { node { memberCount } } } } }"),
        1_017
    );
    assert_eq!(cost("{ previewOrgUnit { inNoOtherUnit { totalCount } } }"), 1_002);
    assert_eq!(cost("{ previewChange { impactCount } }"), 1_001);
    assert_eq!(cost("{ previewGeneratedOrgUnits { units(first: 10) { path } } }"), 1_011);
    assert_eq!(
        refused("{ orgUnitTree { units { unit { members(first: 10) { edges { node { name } } } } } } }"),
        ["cost"]
    );
    let four = "a: orgUnitTree { units { unit { name } } } ".replace("a:", "?");
    let four: String = ["a:", "b:", "c:", "d:"].map(|alias| four.replace('?', alias)).concat();
    assert_eq!(refused(&format!("{{ {four} }}")), ["cost"]);
}

#[test]
fn a_list_that_is_no_connection_is_reckoned_as_long_as_it_is_by_default() {
    let impact = "{ previewChange { impact { joined { id } left(first: 2) { id } } } }";
    assert_eq!(cost(impact), 1_000 + 1 + 25 * (1 + 25 + 2));
    let moved = "{ unit { changes(first: 100) { edges { node { joined { id } left { id } } } } } }";
    assert_eq!(cost(moved), 1 + 100 * (1 + 1 + 1 + 25 + 25));
    assert_eq!(refused(&moved.replace("left {", "left(first: 100) {")), ["cost"]);
}

#[test]
fn a_list_that_is_not_paged_costs_what_it_usually_has_or_was_asked_for() {
    assert_eq!(cost("{ user { attributes { text } accounts { id } orgUnits { id } } }"), 1 + 15 + 4 + 8);
    assert_eq!(cost("{ user { attributes(keys: [\"a\", \"b\"]) { text } } }"), 3);
    assert_eq!(cost("{ unit { children { children { id } } } }"), 1 + 25 * (1 + 25));
    assert_eq!(cost("{ completeFilter(text: \"x\", cursor: 1) { text } }"), 20);
    assert_eq!(cost("{ integration { accounts { totalCount } } }"), 2, "a connection that is only counted");
    let round = "children { ".repeat(4) + "id" + &" }".repeat(4);
    assert_eq!(refused(&format!("{{ unit {{ {round} }} }}")), ["cost"]);
}

#[test]
fn counting_by_several_attributes_costs_a_page_of_values_each() {
    let facets =
        "facets(keys: [\"a\", \"b\", \"c\"]) { values(first: 10) { edges { node { count value { text } } } } }";
    let of_facets = 3 * (1 + 10 * 4);
    assert_eq!(cost(&format!("{{ users {{ {facets} }} }}")), 1 + of_facets);
    assert_eq!(cost(&format!("{{ users(first: 50) {{ edges {{ node {{ name }} }} {facets} }} }}")), 150 + of_facets);
    assert_eq!(cost(&format!("{{ users(first: 50) {{ ...F }} }} fragment F on C {{ {facets} }}")), 50 + of_facets);
    let of_units = format!("{{ orgUnits(first: 10) {{ edges {{ node {{ members {{ {facets} }} }} }} }} }}");
    assert_eq!(cost(&of_units), 10 * (3 + 1 + of_facets));
    assert_eq!(cost("{ attributeValues(key: \"a\") { edges { node { count } } } }"), 75);
}

#[test]
fn pages_and_lists_in_variables_count_and_so_do_their_defaults() {
    let query = "query($n: Int = 7, $ids: [ID!]) { users(first: $n) { nodes { a } } resolve(ids: $ids) { a } }";
    let cost = |variables| look(query, variables).unwrap().cost;
    assert_eq!(cost(json!({})), 14 + 1);
    assert_eq!(cost(json!({ "n": 3, "ids": ["a", "b"] })), 6 + 2);
    assert_eq!(cost(json!({ "n": null })), 50 + 1);
    assert_eq!(refusals(look(query, json!({ "n": 4_294_967_296_u64 }))), ["cost"]);
    assert_eq!(refusals(look(query, json!({ "n": 1e30 }))), ["cost"]);
    let shared = "query A($n: Int = 1) { ...F } query B($n: Int = 900) { ...F } \
                  fragment F on Q { users(first: $n) { nodes { accounts(first: $n) { a } } } }";
    assert_eq!(refused(shared), ["cost"], "the largest default counts");
}

#[test]
fn cost_does_not_overflow() {
    let nested = |first: &str| {
        let open = format!("a(first: {first}) {{ ").repeat(4);
        format!("{{ {open} b {} }}", "} ".repeat(4))
    };
    for first in ["65536", "2147483647", "9223372036854775807", "18446744073709551615", "99999999999999999999999"] {
        assert_eq!(refused(&nested(first)), ["cost"], "{first}");
    }
    assert_eq!(refused(&nested("100")), ["cost"]);
}

#[test]
fn a_page_of_fifty_people_with_their_attributes_accounts_and_org_units_fits() {
    let query = "query Page($after: String) { users(first: 50, after: $after, orderBy: [{by: NAME}]) {
        totalCount pageInfo { hasNextPage endCursor }
        edges { cursor node { id name email attributes { key title value }
            accounts(first: 20) { edges { node { id username integration { id name kind } } } }
            orgUnits { id name } manager { id name } } } } }";
    assert!(cost(query) < 8_000, "{}", cost(query));
}

#[test]
fn the_standard_introspection_query_passes() {
    let measure = look(INTROSPECTION, json!({})).unwrap();
    assert_eq!((measure.depth, measure.cost), (1, 1));
    assert!(measure.introspection.depth >= 13, "{:?}", measure.introspection);
    assert!(measure.introspection.fields < INTROSPECTION_FIELDS / 2, "{:?}", measure.introspection);
}

#[test]
fn introspection_that_goes_round_is_refused() {
    let round = "{ __schema { types { fields { type { fields { type { fields { name } } } } } } } }";
    assert_eq!(refused(round), ["nesting of introspection lists"]);
    let mixed = "{ __type(name: \"Q\") { interfaces { possibleTypes { inputFields { name } } } } }";
    assert_eq!(refused(mixed), ["nesting of introspection lists"]);
    let wide = format!("{{ __schema {{ types {{ {} }} }} }}", "name ".repeat(1_000));
    assert_eq!(refused(&wide), ["number of introspection fields"]);
}

#[test]
fn a_text_that_poses_as_an_uploaded_file_is_refused_wherever_it_stands() {
    for query in [
        r##"{ a(x: "#__graphql_file__:0") }"##,
        r##"{ a(x: [{y: "#__graphql_file__:x"}]) }"##,
        r##"{ a @include(if: "#__graphql_file__:") }"##,
        r##"query($x: String = "#__graphql_file__:-1") { a }"##,
        r##"query @d(x: "#__graphql_file__:1") { a }"##,
        r##"{ a } fragment F on Q @d(x: "#__graphql_file__:1") { b(x: """#__graphql_file__:1""") }"##,
    ] {
        assert_eq!(refused(query), ["forged upload"], "{query}");
    }
    for variables in [json!({ "x": "#__graphql_file__:0" }), json!({ "x": [{ "y": ["#__graphql_file__:9"] }] })] {
        assert_eq!(refusals(look("{ a }", variables)), ["forged upload"]);
    }
    assert!(look(r#"{ a(x: "a #__graphql_file__:0") }"#, json!({})).is_ok());
}

#[test]
fn a_refusal_carries_its_code_and_numbers() {
    let error = ServerError::from(Refusal::Limit { what: "depth", limit: 12, actual: 13 });
    let extensions = error.extensions.unwrap();
    assert_eq!(extensions.get("code"), Some(&Value::from("LIMIT_EXCEEDED")));
    assert_eq!(extensions.get("limit"), Some(&Value::from(12)));
    assert_eq!(extensions.get("actual"), Some(&Value::from(13)));
    assert_eq!(error.message, "the request's depth is limited to 12; it is 13");
    let error = ServerError::from(Refusal::ForgedUpload);
    assert_eq!(error.extensions.unwrap().get("code"), Some(&Value::from("BAD_REQUEST")));
}

#[test]
fn the_operation_to_run_is_the_named_or_the_only_one() {
    let document = parse_query("query A { a } mutation B { b }").unwrap();
    assert!(operation(&document, Some("B")).is_some());
    assert!(operation(&document, None).is_none());
    assert!(operation(&document, Some("C")).is_none());
    assert!(operation(&parse_query("query A { a }").unwrap(), None).is_some());
    assert!(operation(&parse_query("{ a }").unwrap(), Some("A")).is_none());
}

const INTROSPECTION: &str = "query IntrospectionQuery {
  __schema { description queryType { name kind } mutationType { name kind } subscriptionType { name kind }
    types { ...FullType } directives { name description isRepeatable locations args(includeDeprecated: true) { ...InputValue } } } }
fragment FullType on __Type { kind name description specifiedByURL isOneOf
  fields(includeDeprecated: true) { name description args(includeDeprecated: true) { ...InputValue }
    type { ...TypeRef } isDeprecated deprecationReason }
  inputFields(includeDeprecated: true) { ...InputValue } interfaces { ...TypeRef }
  enumValues(includeDeprecated: true) { name description isDeprecated deprecationReason } possibleTypes { ...TypeRef } }
fragment InputValue on __InputValue { name description type { ...TypeRef } defaultValue isDeprecated deprecationReason }
fragment TypeRef on __Type { kind name ofType { kind name ofType { kind name ofType { kind name ofType { kind name
  ofType { kind name ofType { kind name ofType { kind name ofType { kind name ofType { kind name } } } } } } } } } }";
