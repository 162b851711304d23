//! PERMISSION. What a document asks for that whoever asks may not see or do; checked before anything runs.
//!
//! The least role for each field stands in the [`matrix`]. A document is walked with the types of the
//! schema, so aliases, fragments and interfaces make no difference: a field is what it is where its type is known. Each
//! fragment has one type and is walked once, however often it is spread, so the work is linear in the length of the
//! document; [`guard`](super::guard) has seen to it before that no fragment spreads itself. Fields that do not exist are
//! validation's to report. What does not live here: which values a role sees (`Directory::seen_by`).

#[cfg(test)]
mod tests;

use std::collections::{HashMap, HashSet};
use std::sync::LazyLock;

use async_graphql::parser::parse_schema;
use async_graphql::parser::types::{
    BaseType, ExecutableDocument, FieldDefinition, OperationDefinition, OperationType, Selection, SelectionSet, Type,
    TypeKind, TypeSystemDefinition,
};
use async_graphql::{Name, Pos, Positioned, ServerError, Value};

use crate::access::{Role, matrix};

/// The most fields that a refusal lists, and places that it names.
pub const LISTED: usize = 20;

/// A field as it may be asked for.
struct Field {
    least: Role,
    /// The name of the type of what it gives.
    r#type: Name,
}

/// The fields of each object and interface, by type and field.
static TYPES: LazyLock<HashMap<Name, HashMap<Name, Field>>> = LazyLock::new(|| {
    let definitions = parse_schema(super::sdl()).map(|schema| schema.definitions).unwrap_or_default();
    let types = definitions.into_iter().filter_map(|definition| {
        let TypeSystemDefinition::Type(definition) = definition else { return None };
        let name = definition.node.name.node;
        let fields = match definition.node.kind {
            TypeKind::Object(object) => object.fields,
            TypeKind::Interface(interface) => interface.fields,
            TypeKind::Scalar | TypeKind::Union(_) | TypeKind::Enum(_) | TypeKind::InputObject(_) => return None,
        };
        let fields = fields.into_iter().map(|field| field_of(&name, field)).collect();
        Some((name, fields))
    });
    types.collect()
});

fn field_of(on: &Name, field: Positioned<FieldDefinition>) -> (Name, Field) {
    let name = field.node.name.node;
    let least = matrix::least(&format!("{on}.{name}"));
    let r#type = innermost(&field.node.ty.node);
    (name, Field { least, r#type })
}

/// The name of a type, without its lists.
fn innermost(r#type: &Type) -> Name {
    match &r#type.base {
        BaseType::Named(name) => name.clone(),
        BaseType::List(item) => innermost(item),
    }
}

/// Why an operation is refused: it has fields that are not for whoever asks.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Denied {
    /// Each with its place, in the order of the document; a field of a fragment once.
    pub fields: Vec<DeniedField>,
    /// The role of whoever asks.
    pub role: Role,
}

/// A field that is not for whoever asks.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DeniedField {
    /// `Type.field`.
    pub field: String,
    /// The least role that it takes.
    pub least: Role,
    /// Where it would stand in the answer, such as `users.edges.node.email`.
    pub path: String,
    /// Where it stands in the document.
    pub place: Pos,
}

impl DeniedField {
    fn message(&self, role: Role) -> String {
        format!("`{}` needs the role {}; yours is {}", self.field, self.least.name(), role.name())
    }
}

impl From<Denied> for ServerError {
    fn from(Denied { fields, role }: Denied) -> Self {
        let mut message = fields.first().map(|field| field.message(role)).unwrap_or_default();
        if fields.len() > 1 {
            message.push_str(&format!(" (and {} more)", fields.len() - 1));
        }
        let mut error = ServerError::new(message, None);
        error.locations = fields.iter().take(LISTED).map(|field| field.place).collect();
        let violations = fields.into_iter().take(LISTED).map(|field| {
            let members =
                [("path", field.path.clone()), ("code", "FORBIDDEN".into()), ("message", field.message(role))];
            Value::Object(members.map(|(name, text)| (Name::new(name), Value::String(text))).into_iter().collect())
        });
        let violations = Value::List(violations.collect());
        let extensions = error.extensions.get_or_insert_default();
        extensions.set("code", "FORBIDDEN");
        extensions.set("violations", violations);
        extensions.set("retryable", false);
        error
    }
}

/// Checks that everything that `operation`, which is one of `document`, asks for is for `role`.
///
/// # Errors
///
/// All fields that are not.
pub fn check(document: &ExecutableDocument, operation: &OperationDefinition, role: Role) -> Result<(), Denied> {
    let mut walk = Walk { document, role, walked: HashSet::new(), path: Vec::new(), denied: Vec::new(), visits: 0 };
    walk.operation(operation);
    tracing::trace!(visits = walk.visits, "checked what a document asks for");
    if walk.denied.is_empty() { Ok(()) } else { Err(Denied { fields: walk.denied, role }) }
}

struct Walk<'d> {
    document: &'d ExecutableDocument,
    role: Role,
    /// The fragments that have been walked.
    walked: HashSet<&'d str>,
    /// The names in the answer from the root down to where the walk is.
    path: Vec<&'d str>,
    denied: Vec<DeniedField>,
    /// Selections looked at.
    visits: usize,
}

impl<'d> Walk<'d> {
    fn operation(&mut self, operation: &'d OperationDefinition) {
        let root = match operation.ty {
            OperationType::Query => "Query",
            OperationType::Mutation => "Mutation",
            OperationType::Subscription => "Subscription",
        };
        self.set(&operation.selection_set.node, root);
    }

    fn set(&mut self, set: &'d SelectionSet, on: &str) {
        for item in &set.items {
            self.visits += 1;
            match &item.node {
                Selection::Field(field) => {
                    let known = TYPES.get(on).and_then(|fields| fields.get(&field.node.name.node));
                    let Some(known) = known else { continue };
                    self.path.push(field.node.response_key().node.as_str());
                    if self.role < known.least {
                        self.denied.push(DeniedField {
                            field: format!("{on}.{}", field.node.name.node),
                            least: known.least,
                            path: self.path.join("."),
                            place: item.pos,
                        });
                    }
                    self.set(&field.node.selection_set.node, &known.r#type);
                    self.path.pop();
                }
                Selection::InlineFragment(inline) => {
                    let on = inline.node.type_condition.as_ref().map_or(on, |condition| &condition.node.on.node);
                    self.set(&inline.node.selection_set.node, on);
                }
                Selection::FragmentSpread(spread) => {
                    let name = &spread.node.fragment_name.node;
                    if let Some(fragment) = self.document.fragments.get(name)
                        && self.walked.insert(name)
                    {
                        self.set(&fragment.node.selection_set.node, &fragment.node.type_condition.node.on.node);
                    }
                }
            }
        }
    }
}
