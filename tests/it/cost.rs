//! No document gives more objects than it is reckoned to cost, whatever it is made of.

use std::collections::BTreeMap;
use std::time::Duration;

use async_graphql::Variables;
use async_graphql::parser::parse_query;
use async_graphql::parser::types::{FieldDefinition, InputValueDefinition};
use roster::database::{Database, Options};
use roster::demo;
use roster::directory::{Clock, Directory};
use roster::graphql::guard;
use roster::value::GlobalId;
use serde_json::{Map, Value as Json, json};

use crate::support::{Asker, Random, Server, Site, innermost, limits, me, on_each};

/// What fields have in front of their name whose page is of no size that there is.
const OUTSIDE: &str = "outside";

/// A random document that is valid, with its variables. The same number gives the same one.
struct Author<'a> {
    asker: &'a Asker,
    /// The ids that there are, by what their arguments are called.
    ids: &'a BTreeMap<&'static str, Vec<String>>,
    random: Random,
    /// Whether pages may be of sizes that there are none of.
    is_daring: bool,
    aliases: usize,
    fragments: Vec<(String, String)>,
    definitions: String,
    variables: Map<String, Json>,
}

impl<'a> Author<'a> {
    fn write(asker: &'a Asker, ids: &'a BTreeMap<&'static str, Vec<String>>, number: usize) -> (String, Json) {
        let mut author = Self {
            asker,
            ids,
            random: Random::of_seed(number),
            is_daring: number.is_multiple_of(3),
            aliases: 0,
            fragments: Vec::new(),
            definitions: String::new(),
            variables: Map::new(),
        };
        let depth = 1 + author.random.below(6);
        let below = author.selection("Query", depth);
        let fragments: String =
            (0..).zip(&author.fragments).map(|(at, (on, below))| format!(" fragment F{at} on {on} {below}")).collect();
        let mut document = below + &fragments;
        for (name, value) in [("yes", true), ("no", false)] {
            if document.contains(&format!("${name}")) {
                author.define(name, "Boolean!", json!(value), false);
            }
        }
        if !author.definitions.is_empty() {
            document = format!("query({}) {document}", author.definitions);
        }
        (document, Json::Object(author.variables))
    }

    /// Some of the fields of a type, `depth` objects deep.
    fn selection(&mut self, on: &str, depth: usize) -> String {
        let members = self.asker.members(on);
        if !members.is_empty() {
            let member = self.random.choose(&members).clone();
            return format!("{{ __typename ... on {member} {} }}", self.selection(&member, depth));
        }
        let mut fields = self.asker.fields(on);
        // These hold objects that nobody has asked for one by one.
        fields.retain(|field| {
            (depth > 0 || self.asker.is_leaf(field)) && !["JSON", "Filter"].contains(&innermost(&field.ty.node))
        });
        if fields.is_empty() {
            return "{ __typename }".to_owned();
        }
        let mut parts = "__typename".to_owned();
        for _ in 0..1 + self.random.below(3) {
            // A list is there for what it holds.
            let lists =
                ["edges", "node"].into_iter().find_map(|name| fields.iter().find(|field| field.name.node == name));
            let field = match lists {
                Some(list) if !self.random.one_in(4) => list.clone(),
                _ => self.random.choose(&fields).clone(),
            };
            let part = self.field(on, &field, depth);
            parts.push(' ');
            parts.push_str(&self.wrapped(on, part));
        }
        format!("{{ {parts} }}")
    }

    fn field(&mut self, on: &str, field: &FieldDefinition, depth: usize) -> String {
        let name = field.name.node.as_str();
        let (mut arguments, mut is_outside) = (Vec::new(), false);
        let from_end = self.random.one_in(8);
        for argument in &field.arguments {
            let argument = &argument.node;
            let value = match argument.name.node.as_str() {
                "last" if !from_end => None,
                "first" if from_end && argument.ty.node.nullable => None,
                "first" | "last" => self.page(argument).map(|(value, size)| {
                    is_outside |= size.is_some_and(|size| !(1..=longest(argument)).contains(&size));
                    value
                }),
                _ => self.argument(name, argument),
            };
            arguments.extend(value.map(|value| format!("{}: {value}", argument.name.node)));
        }
        let depth =
            if ["Connection", "Edge"].iter().any(|end| on.ends_with(end)) { depth } else { depth.saturating_sub(1) };
        let below = if self.asker.is_leaf(field) {
            String::new()
        } else {
            format!(" {}", self.selection(innermost(&field.ty.node), depth))
        };
        if arguments.is_empty() {
            return format!("{name}{below}");
        }
        self.aliases += 1;
        let alias = format!("{}{}", if is_outside { OUTSIDE } else { "a" }, self.aliases);
        format!("{alias}: {name}({}){below}", arguments.join(", "))
    }

    /// How long a page is to be: what to write, and which size that is; nothing where it is left out.
    fn page(&mut self, argument: &InputValueDefinition) -> Option<(String, Option<i64>)> {
        let (most, is_nullable) = (if self.is_daring { 12 } else { 5 }, argument.ty.node.nullable);
        let size = match [5, 100, 1, 2, 25, 0, 101, -1, 65_536, i64::from(i32::MAX), 100, 5][self.random.below(most)] {
            25 if is_nullable && self.random.one_in(2) => None,
            size => Some(size),
        };
        let is_required = !is_nullable && argument.default_value.is_none();
        let text = size.map_or("null".to_owned(), |size| size.to_string());
        match self.random.below(5) {
            0 if !is_required => None,
            1 | 2 => {
                self.aliases += 1;
                let (name, is_default) = (format!("n{}", self.aliases), self.random.one_in(2));
                self.define(&name, if is_nullable { "Int" } else { "Int!" }, json!(size), is_default);
                Some((format!("${name}"), size))
            }
            _ => Some((text, size)),
        }
    }

    /// Defines a variable, with a value or a default.
    fn define(&mut self, name: &str, kind: &str, value: Json, is_default: bool) {
        let default = if is_default { format!(" = {value}") } else { String::new() };
        self.definitions.push_str(&format!("${name}: {kind}{default} "));
        if !is_default {
            self.variables.insert(name.to_owned(), value);
        }
    }

    /// The value of any other argument; nothing where it is left out.
    fn argument(&mut self, field: &str, argument: &InputValueDefinition) -> Option<String> {
        let name = argument.name.node.as_str();
        let key = if name == "id" { field } else { name };
        let is_required = !argument.ty.node.nullable && argument.default_value.is_none();
        match name {
            "asOf" => self.random.one_in(20).then(|| "{version: 3}".to_owned()),
            "keys" => self.random.one_in(2).then_some(()).or(is_required.then_some(())).map(|()| {
                let keys: Vec<String> = (0..self.random.below(4)).map(|_| self.id("keys")).collect();
                format!("[{}]", keys.join(", "))
            }),
            "ids" => {
                let ids: Vec<String> = (0..self.random.below(8)).map(|_| self.id("ids")).collect();
                Some(format!("[{}]", ids.join(", ")))
            }
            _ if self.ids.contains_key(key) => {
                (is_required || name == "id" || self.random.one_in(2)).then(|| self.id(key))
            }
            _ => is_required.then(|| self.asker.value(name, &argument.ty.node)),
        }
    }

    fn id(&mut self, argument: &str) -> String {
        format!("\"{}\"", self.random.choose(&self.ids[argument]))
    }

    /// A part of a selection as it is, under a condition, or in a fragment.
    fn wrapped(&mut self, on: &str, part: String) -> String {
        match self.random.below(10) {
            0 => format!("... {{ {part} }}"),
            1 => format!("... on {on} @include(if: $yes) {{ {part} }}"),
            2 => format!("... @skip(if: $no) {{ {part} }}"),
            3 if self.random.one_in(3) => format!("... @include(if: $no) {{ {part} }}"),
            4 => {
                self.fragments.push((on.to_owned(), format!("{{ {part} }}")));
                format!("...F{}", self.fragments.len() - 1)
            }
            5 => {
                let known: Vec<usize> = (0..self.fragments.len()).filter(|at| self.fragments[*at].0 == on).collect();
                if known.is_empty() { part } else { format!("{part} ...F{}", self.random.choose(&known)) }
            }
            _ => part,
        }
    }
}

/// How long a page may be at most, by what the schema says of its argument.
fn longest(argument: &InputValueDefinition) -> i64 {
    let description = argument.description.as_ref().unwrap().node.as_str();
    let (_, most) = description.split_once("1 to ").unwrap();
    most.chars().filter(|c| *c != ',').take_while(char::is_ascii_digit).collect::<String>().parse().unwrap()
}

/// How many objects there are in a reply, below the one that holds it all.
fn objects(json: &Json) -> u64 {
    match json {
        Json::Object(fields) => 1 + fields.values().map(objects).sum::<u64>(),
        Json::Array(items) => items.iter().map(objects).sum(),
        _ => 0,
    }
}

/// Checks that no page of a size that there is none of gives anything.
fn gives_nothing_outside(json: &Json, document: &str) {
    match json {
        Json::Object(fields) => {
            for (name, value) in fields {
                assert!(!name.starts_with(OUTSIDE) || value.is_null(), "{name} gives something: {document}");
                gives_nothing_outside(value, document);
            }
        }
        Json::Array(items) => items.iter().for_each(|item| gives_nothing_outside(item, document)),
        _ => {}
    }
}

/// What came of one document.
enum Outcome {
    Refused,
    /// With an error.
    Failed,
    Answered,
}

async fn try_one(server: &Server, document: &str, variables: Json) -> Outcome {
    let parsed = parse_query(document).unwrap_or_else(|error| panic!("{error}: {document}"));
    let measure = guard::check(&parsed, &Variables::from_json(variables.clone()), &limits());
    let reply = server.execute(document, variables.clone(), None).await.json();
    let errors = reply["errors"].as_array().map(Vec::as_slice).unwrap_or_default();
    let Ok(measure) = measure else {
        assert!(reply.get("data").is_none_or(Json::is_null) && !errors.is_empty(), "{reply}: {document}");
        return Outcome::Refused;
    };
    let work = objects(&reply["data"]).saturating_sub(1);
    let cost = measure.cost;
    assert!(work <= u64::from(cost), "{work} objects, reckoned as {cost}: {document}\nwith {variables}");
    gives_nothing_outside(&reply["data"], document);
    for error in errors {
        let code = error["extensions"]["code"].as_str().unwrap();
        assert!(!["INTERNAL", "BAD_REQUEST", "UNAVAILABLE"].contains(&code), "{error}: {document}\nwith {variables}");
        let last = error["path"].as_array().and_then(|path| path.last()).and_then(Json::as_str).unwrap_or_default();
        assert!(!last.starts_with(OUTSIDE) || code == "INVALID_INPUT", "{error}: {document}");
    }
    if errors.is_empty() { Outcome::Answered } else { Outcome::Failed }
}

/// Tries so many random documents on a made-up organisation, on each database. Gives how many were answered, how many
/// failed and how many were refused.
pub(crate) fn try_documents(count: usize) -> [usize; 3] {
    let asker = Asker::new();
    let seen = std::cell::Cell::new([0; 3]);
    on_each(async |site: &Site| {
        let folder = tempfile::tempdir().unwrap();
        Box::pin(demo::fill(site, &me(), (300, 1), folder.path(), |_| ())).await.unwrap();
        // Whoever waited for a second connection while they have one would wait in vain.
        let options = Options { readers: 1, patience: Duration::from_secs(5), ..Options::to(site.url()) };
        let alone = Directory::open(Database::open(&options).await.unwrap(), Clock::default()).await.unwrap();
        let server = Server::new(&alone);
        let index = site.index();
        let users: Vec<String> = index.user_ids().map(GlobalId::to_global).collect();
        let units: Vec<String> = index.org_units().map(|unit| unit.row.id.to_global()).collect();
        let accounts: Vec<String> =
            index.user_ids().flat_map(|id| index.accounts_of(id)).map(GlobalId::to_global).collect();
        let keys: Vec<String> = index.attributes().iter().map(|row| row.key.clone()).collect();
        let any = [&users[..50], &units[..], &accounts[..50]].concat();
        let mut ids = BTreeMap::from([("ids", any.clone()), ("node", any), ("keys", keys.clone()), ("key", keys)]);
        ids.extend(["user", "userId"].map(|name| (name, users.clone())));
        ids.extend(
            ["orgUnit", "orgUnitId", "unitA", "unitB", "parentId", "rootId", "underId"]
                .map(|name| (name, units.clone())),
        );
        ids.insert("accountId", accounts);
        for number in 0..count {
            let (document, variables) = Author::write(&asker, &ids, number);
            let mut counts = seen.get();
            counts[Box::pin(try_one(&server, &document, variables)).await as usize] += 1;
            seen.set(counts);
        }
        alone.database().clone().close().await.unwrap();
    });
    let [refused, failed, answered] = seen.get();
    [answered, failed, refused]
}

#[test]
fn no_document_gives_more_objects_than_it_is_reckoned_to_cost() {
    let [answered, failed, refused] = try_documents(300);
    assert!(answered > failed && failed > 0 && refused > 0, "{answered} answered, {failed} failed, {refused} refused");
}
