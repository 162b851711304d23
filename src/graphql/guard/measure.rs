//! How large a document is when its fragments are expanded, found without expanding them.
//!
//! What does not live here: how large it may be, which is the parent's.

use std::collections::HashMap;

use async_graphql::parser::types::{
    Directive, ExecutableDocument, Field, OperationDefinition, Selection, SelectionSet,
};
use async_graphql::{Name, Positioned, Value, Variables};
use async_graphql_value::Value as Literal;

use super::{NESTING, Refusal, UPLOAD_MARK, poses_as_upload};
use crate::config::Limits;

/// As how many objects a field that works out every org unit is reckoned: a second of work in a tree of ten thousand.
const EVERY_UNIT: u32 = 1_000;
/// What a point in the past costs.
const PAST: u32 = 500;

/// How large a document is: the most of any of its operations. All counts stop at the largest `u32`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Measure {
    /// The deepest nesting of fields.
    pub depth: u32,
    /// Fields, counting a fragment's once for each spread.
    pub fields: u32,
    /// Spreads of fragments, named and inline, counted likewise. Those of a fragment that does not exist count too: the
    /// library walks them.
    pub spreads: u32,
    /// Fields with an alias, counted likewise.
    pub aliases: u32,
    /// Directives, on whatever they stand.
    pub directives: u32,
    /// Fields at the root.
    pub root_fields: u32,
    /// Objects that can be asked for: a field with a selection is one, times its `first`, `last` or list argument or what
    /// a list without one usually has, times what the fields around it are multiplied by; and as many as take as much
    /// work, for what looks at all org units. Each point in the past that is named costs as much as 500 objects,
    /// once: the directory of then is made for it, however many objects are asked for there.
    pub cost: u32,
    /// What stands below `__schema` and `__type`; it counts in none of the above but aliases and directives.
    pub introspection: Introspection,
    /// Selections looked at: the work that measuring took.
    pub visits: u32,
}

/// What stands below `__schema` and `__type`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Introspection {
    /// The deepest nesting of fields.
    pub depth: u32,
    /// Fields.
    pub fields: u32,
    /// How many of the schema's lists stand in each other.
    pub lists: u32,
}

/// The measure of one selection set.
#[derive(Clone, Copy, Default)]
struct Extent {
    depth: u32,
    fields: u32,
    spreads: u32,
    aliases: u32,
    directives: u32,
    /// Fields of this very level.
    here: u32,
    cost: u32,
    /// What of the cost is not multiplied by the page of the list that this is selected of.
    once: u32,
    /// Points in the past that are named.
    past: u32,
    /// Selection sets in each other, fragments included.
    nesting: u32,
    /// The schema's lists in each other, should this stand below `__schema`.
    lists: u32,
    /// Whether this level has `edges` or `nodes`, and so belongs to a connection.
    is_connection: bool,
    /// Whether this level has what else only connections have, and so belongs to one whose nodes may not be asked for.
    is_counted: bool,
    introspection: Introspection,
}

impl Extent {
    fn beside(self, other: Self) -> Self {
        Self {
            depth: self.depth.max(other.depth),
            fields: self.fields.saturating_add(other.fields),
            spreads: self.spreads.saturating_add(other.spreads),
            aliases: self.aliases.saturating_add(other.aliases),
            directives: self.directives.saturating_add(other.directives),
            here: self.here.saturating_add(other.here),
            cost: self.cost.saturating_add(other.cost),
            once: self.once.saturating_add(other.once),
            past: self.past.saturating_add(other.past),
            nesting: self.nesting.max(other.nesting),
            lists: self.lists.max(other.lists),
            is_connection: self.is_connection || other.is_connection,
            is_counted: self.is_counted || other.is_counted,
            introspection: Introspection {
                fields: self.introspection.fields.saturating_add(other.introspection.fields),
                ..self.introspection.or(other.introspection)
            },
        }
    }
}

impl Measure {
    /// Takes in a fragment, spread or not: as much as makes the library's walks long. What it nests and costs depends
    /// on where it is spread, and one on the schema's types may nest more than others.
    fn take_fragment(&mut self, extent: Extent) {
        self.fields = self.fields.max(extent.fields);
        self.spreads = self.spreads.max(extent.spreads);
        self.aliases = self.aliases.max(extent.aliases);
        self.directives = self.directives.max(extent.directives);
    }

    fn take_operation(&mut self, extent: Extent) {
        self.take_fragment(extent);
        self.depth = self.depth.max(extent.depth);
        self.root_fields = self.root_fields.max(extent.here);
        self.cost = self.cost.max(extent.cost.saturating_add(extent.past.saturating_mul(PAST)));
        self.introspection = self.introspection.or(extent.introspection);
    }
}

impl Introspection {
    /// The larger of both in each respect.
    fn or(self, other: Self) -> Self {
        Self {
            depth: self.depth.max(other.depth),
            fields: self.fields.max(other.fields),
            lists: self.lists.max(other.lists),
        }
    }
}

/// A fragment that is being measured, or has been.
enum Fragment {
    UnderWay,
    Done(Extent),
}

/// One walk over one document.
pub(super) struct Walk<'d> {
    document: &'d ExecutableDocument,
    variables: &'d Variables,
    /// What the variables of all operations fall back to: the largest wins, so that one measure of a fragment holds for
    /// every operation that spreads it.
    defaults: HashMap<&'d str, Size>,
    fragments: HashMap<&'d str, Fragment>,
    page: u32,
    visits: u32,
}

/// What a value says about how many objects come back.
#[derive(Clone, Copy, Default)]
struct Size {
    number: Option<u32>,
    length: u32,
}

impl<'d> Walk<'d> {
    pub(super) fn new(document: &'d ExecutableDocument, variables: &'d Variables, limits: &Limits) -> Self {
        let mut defaults: HashMap<&'d str, Size> = HashMap::new();
        for (_, operation) in document.operations.iter() {
            for variable in &operation.node.variable_definitions {
                let size = variable.node.default_value.as_ref().map(|value| size_of(&value.node)).unwrap_or_default();
                let known = defaults.entry(variable.node.name.node.as_str()).or_default();
                *known = Size { number: known.number.max(size.number), length: known.length.max(size.length) };
            }
        }
        Self { document, variables, defaults, fragments: HashMap::new(), page: limits.page, visits: 0 }
    }

    /// Measures every operation and every fragment, spread or not.
    pub(super) fn run(mut self) -> Result<Measure, Refusal> {
        let document = self.document;
        let mut most = Measure::default();
        // Directives on definitions stand once in the document, however often a fragment is spread.
        let mut on_definitions = 0_u32;
        for (name, fragment) in &document.fragments {
            on_definitions = on_definitions.saturating_add(self.directives(&fragment.node.directives)?);
            most.take_fragment(self.fragment(name, 1)?);
        }
        for (_, operation) in document.operations.iter() {
            on_definitions = on_definitions.saturating_add(self.definition_directives(&operation.node)?);
            most.take_operation(self.set(&operation.node.selection_set.node, 1)?);
        }
        most.directives = most.directives.saturating_add(on_definitions);
        most.visits = self.visits;
        Ok(most)
    }

    fn definition_directives(&self, operation: &OperationDefinition) -> Result<u32, Refusal> {
        let mut count = self.directives(&operation.directives)?;
        for variable in &operation.variable_definitions {
            count = count.saturating_add(self.directives(&variable.node.directives)?);
            if variable.node.default_value.as_ref().is_some_and(|value| poses_as_upload(&value.node)) {
                return Err(Refusal::ForgedUpload);
            }
        }
        Ok(count)
    }

    fn set(&mut self, set: &'d SelectionSet, nesting: u32) -> Result<Extent, Refusal> {
        if nesting > NESTING {
            return Err(Refusal::Limit { what: "nesting", limit: NESTING, actual: nesting });
        }
        let mut sum = Extent::default();
        for item in &set.items {
            self.visits = self.visits.saturating_add(1);
            let extent = match &item.node {
                Selection::Field(field) => self.field(&field.node, nesting)?,
                Selection::InlineFragment(inline) => spread(self.set(&inline.node.selection_set.node, nesting + 1)?),
                Selection::FragmentSpread(found) => {
                    let extent = spread(self.fragment(&found.node.fragment_name.node, nesting + 1)?);
                    // A measured fragment is not walked again, so its nesting is checked where it is spread.
                    let deepest = nesting.saturating_add(extent.nesting);
                    if deepest > NESTING {
                        return Err(Refusal::Limit { what: "nesting", limit: NESTING, actual: deepest });
                    }
                    extent
                }
            };
            let directives = self.directives(item.node.directives())?;
            sum = sum.beside(Extent { directives: extent.directives.saturating_add(directives), ..extent });
        }
        Ok(sum)
    }

    fn fragment(&mut self, name: &'d Name, nesting: u32) -> Result<Extent, Refusal> {
        match self.fragments.get(name.as_str()) {
            Some(Fragment::Done(extent)) => return Ok(*extent),
            Some(Fragment::UnderWay) => return Err(Refusal::Cycle { name: name.to_string() }),
            None => {}
        }
        // One that does not exist is validation's to report.
        let Some(fragment) = self.document.fragments.get(name) else { return Ok(Extent::default()) };
        self.fragments.insert(name.as_str(), Fragment::UnderWay);
        let extent = self.set(&fragment.node.selection_set.node, nesting)?;
        self.fragments.insert(name.as_str(), Fragment::Done(extent));
        Ok(extent)
    }

    fn field(&mut self, field: &'d Field, nesting: u32) -> Result<Extent, Refusal> {
        if field.arguments.iter().any(|(_, value)| poses_as_upload_literal(&value.node)) {
            return Err(Refusal::ForgedUpload);
        }
        let name = field.name.node.as_str();
        let is_leaf = field.selection_set.node.items.is_empty();
        let below = if is_leaf { Extent::default() } else { self.set(&field.selection_set.node, nesting + 1)? };
        let mut extent = Extent {
            depth: below.depth.saturating_add(1),
            fields: below.fields.saturating_add(1),
            aliases: below.aliases.saturating_add(u32::from(field.alias.is_some())),
            past: below.past.saturating_add(points_in_the_past(field)),
            here: 1,
            nesting: if is_leaf { 0 } else { below.nesting.saturating_add(1) },
            lists: below.lists.saturating_add(u32::from(is_schema_list(name))),
            is_connection: matches!(name, "edges" | "nodes"),
            is_counted: matches!(name, "totalCount" | "pageInfo" | "facets"),
            ..below
        };
        if matches!(name, "__schema" | "__type") {
            extent.introspection = Introspection { depth: below.depth, fields: below.fields, lists: below.lists };
            (extent.depth, extent.fields, extent.cost) = (1, 1, 1);
        } else if !is_leaf {
            let times = self.multiplier(field, &below);
            let cost = below.cost.saturating_add(1).saturating_mul(times).saturating_add(below.once);
            (extent.cost, extent.once) = match name {
                // All units come at once, each with what is selected of it.
                "orgUnitTree" => (below.cost.saturating_add(1).saturating_mul(EVERY_UNIT), 0),
                "unassignedUsers"
                | "siblingOverlaps"
                | "inNoOtherUnit"
                | "previewChange"
                | "previewMerge"
                | "previewSplit"
                | "simulateAssociation"
                | "previewGeneratedOrgUnits" => (cost.saturating_add(EVERY_UNIT), 0),
                // It is of the whole list, however long the page is.
                "facets" => (0, cost),
                _ => (cost, 0),
            };
        }
        Ok(extent)
    }

    /// How many objects `field` can give: `first` or `last` if there is one; else the length of its longest list
    /// argument (`ids: […]`), and at least a page when it is a connection; else what a list of its name usually has.
    fn multiplier(&self, field: &Field, below: &Extent) -> u32 {
        let mut asked = None;
        let mut longest = 0;
        for (name, value) in &field.arguments {
            let size = self.size_of_literal(&value.node);
            if matches!(name.node.as_str(), "first" | "last") {
                asked = asked.max(size.number);
            } else {
                longest = longest.max(size.length);
            }
        }
        let unasked = match longest {
            _ if below.is_connection => longest.max(self.page),
            0 if !below.is_counted => self.usual(field.name.node.as_str()),
            _ => longest,
        };
        asked.unwrap_or(unasked).max(1)
    }

    /// How many objects a list that is no connection is reckoned to have, where it usually has several.
    fn usual(&self, field: &str) -> u32 {
        match field {
            "importDrafts" => 100,
            "completeFilter" | "warnings" => 20,
            // Those of one user.
            "attributes" => 15,
            "memberships" | "orgUnits" => 8,
            "accounts" => 4,
            // Those of one filter, and of one place among generated units.
            "conditions" | "filterViolations" | "values" => 5,
            // As many as a page, whether or not it can be said how many.
            "candidates" | "cells" | "changes" | "children" | "columnMappings" | "columns" | "conflicts"
            | "excluded" | "excludedUsers" | "fields" | "filters" | "history" | "impact" | "integrations"
            | "joined" | "left" | "linked" | "merged" | "moved" | "pinned" | "pinnedUsers" | "pins" | "reasons"
            | "references" | "rules" | "sharedIntegrations" | "subjects" | "users" | "violations" => self.page,
            _ => 1,
        }
    }

    fn size_of_literal(&self, value: &Literal) -> Size {
        match value {
            Literal::Variable(name) => match self.variables.get(name) {
                Some(value) => size_of(value),
                None => self.defaults.get(name.as_str()).copied().unwrap_or_default(),
            },
            Literal::Number(number) => Size { number: Some(clamp(number)), length: 0 },
            Literal::List(items) => Size { number: None, length: length(items.len()) },
            _ => Size::default(),
        }
    }

    fn directives(&self, directives: &[Positioned<Directive>]) -> Result<u32, Refusal> {
        let mut arguments = directives.iter().flat_map(|directive| &directive.node.arguments);
        if arguments.any(|(_, value)| poses_as_upload_literal(&value.node)) {
            return Err(Refusal::ForgedUpload);
        }
        Ok(length(directives.len()))
    }
}

/// The measure of a fragment, where it is spread.
fn spread(fragment: Extent) -> Extent {
    Extent { spreads: fragment.spreads.saturating_add(1), nesting: fragment.nesting.saturating_add(1), ..fragment }
}

fn size_of(value: &Value) -> Size {
    match value {
        Value::Number(number) => Size { number: Some(clamp(number)), length: 0 },
        Value::List(items) => Size { number: None, length: length(items.len()) },
        _ => Size::default(),
    }
}

/// `number` as a count: nothing below zero, and everything too large the largest there is.
fn clamp(number: &async_graphql::Number) -> u32 {
    match (number.as_u64(), number.as_i64()) {
        (Some(count), _) => u32::try_from(count).unwrap_or(u32::MAX),
        (None, Some(_)) => 0,
        (None, None) => u32::MAX,
    }
}

fn length(items: usize) -> u32 {
    u32::try_from(items).unwrap_or(u32::MAX)
}

/// How many points in the past a field names.
fn points_in_the_past(field: &Field) -> u32 {
    let is_as_of = field.arguments.iter().any(|(name, _)| name.node == "asOf");
    if field.name.node == "membershipChanges" { 2 } else { is_as_of.into() }
}

/// Whether `name`, below `__schema`, is a list that leads back to types.
fn is_schema_list(name: &str) -> bool {
    matches!(name, "fields" | "inputFields" | "interfaces" | "possibleTypes")
}

fn poses_as_upload_literal(value: &Literal) -> bool {
    match value {
        Literal::String(text) => text.starts_with(UPLOAD_MARK),
        Literal::List(items) => items.iter().any(poses_as_upload_literal),
        Literal::Object(fields) => fields.values().any(poses_as_upload_literal),
        _ => false,
    }
}
