//! PERMISSION. What a document asks for that whoever asks may not see or do; checked before anything runs.
//!
//! The least role for each field stands in the [`matrix`]. A document is walked with the types of the
//! schema, so aliases, fragments and interfaces make no difference: a field is what it is where its type is known. Each
//! fragment has one type and is walked once, however often it is spread, so the work is linear in the length of the
//! document; [`guard`](super::guard) has seen to it before that no fragment spreads itself. A field that is not known here is
//! refused, too: nothing runs that was not looked up. What does not live here: which values a role sees (`Directory::seen_by`).

#[cfg(test)]
mod tests;

use std::collections::{BTreeMap, HashMap, HashSet};
use std::sync::LazyLock;

use async_graphql::parser::types::{
    BaseType, ExecutableDocument, FieldDefinition, OperationDefinition, OperationType, Selection, SelectionSet, Type,
    TypeKind, TypeSystemDefinition,
};
use async_graphql::parser::{self, parse_schema};
use async_graphql::{Name, Pos, Positioned, ServerError, Value};

use crate::access::{Role, matrix};
use crate::value::nearest;

/// The most fields that a refusal lists, and places that it names.
pub const LISTED: usize = 20;

/// A field as it may be asked for.
struct Field {
    least: Role,
    /// The name of the type of what it gives.
    r#type: Name,
}

/// What each field of the schema takes, by type and field.
pub struct Permissions(HashMap<Name, BTreeMap<Name, Field>>);

impl Permissions {
    /// Those of the fields of this server's schema.
    ///
    /// # Errors
    /// Where it cannot be read.
    pub fn of_schema() -> Result<&'static Self, &'static parser::Error> {
        static PERMISSIONS: LazyLock<Result<Permissions, parser::Error>> =
            LazyLock::new(|| Permissions::read(&super::sdl()));
        PERMISSIONS.as_ref()
    }

    fn read(sdl: &str) -> Result<Self, parser::Error> {
        let types = parse_schema(sdl)?.definitions.into_iter().filter_map(|definition| {
            let TypeSystemDefinition::Type(definition) = definition else { return None };
            let name = definition.node.name.node;
            let fields = match definition.node.kind {
                TypeKind::Object(object) => object.fields,
                TypeKind::Interface(interface) => interface.fields,
                TypeKind::Union(_) => Vec::new(),
                TypeKind::Scalar | TypeKind::Enum(_) | TypeKind::InputObject(_) => return None,
            };
            let fields = fields.into_iter().map(|field| field_of(&name, field)).collect();
            Some((name, fields))
        });
        Ok(Self(types.collect()))
    }

    /// Checks that everything that `operation`, which is one of `document`, asks for is for `role`.
    ///
    /// # Errors
    ///
    /// All fields that are not, and those that there are not.
    pub fn check(
        &self,
        document: &ExecutableDocument,
        operation: &OperationDefinition,
        role: Role,
    ) -> Result<(), Denied> {
        let (walked, path, denied) = (HashSet::new(), Vec::new(), Vec::new());
        let mut walk = Walk { types: &self.0, document, role, walked, path, denied, visits: 0 };
        walk.operation(operation);
        tracing::trace!(visits = walk.visits, "checked what a document asks for");
        if walk.denied.is_empty() { Ok(()) } else { Err(Denied { fields: walk.denied, role }) }
    }
}

fn field_of(on: &Name, field: Positioned<FieldDefinition>) -> (Name, Field) {
    let name = field.node.name.node;
    let least = matrix::least(&format!("{on}.{name}"));
    let r#type = innermost(&field.node.ty.node);
    (name, Field { least, r#type })
}

/// Whether a field is the library's own. [`guard`](super::guard) says whether it may be asked for.
fn is_of_introspection(on: &str, field: &str) -> bool {
    field == "__typename" || (on == "Query" && matches!(field, "__schema" | "__type"))
}

/// The name of a type, without its lists.
fn innermost(r#type: &Type) -> Name {
    match &r#type.base {
        BaseType::Named(name) => name.clone(),
        BaseType::List(item) => innermost(item),
    }
}

/// Why an operation is refused: it has fields that are not for whoever asks, or that there are not.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Denied {
    /// Each with its place, in the order of the document; a field of a fragment once.
    pub fields: Vec<DeniedField>,
    /// The role of whoever asks.
    pub role: Role,
}

/// A field that is not for whoever asks, or that there is not.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DeniedField {
    /// `Type.field`.
    pub field: String,
    /// The least role that it takes; none where the schema has no such field.
    pub least: Option<Role>,
    /// The name of a field that is probably meant, where there is no such field.
    near: Option<Name>,
    /// Where it would stand in the answer, such as `users.edges.node.email`.
    pub path: String,
    /// Where it stands in the document.
    pub place: Pos,
}

impl DeniedField {
    fn message(&self, role: Role) -> String {
        if let Some(least) = self.least {
            return format!("`{}` needs the role {}; yours is {}", self.field, least.name(), role.name());
        }
        let (on, field) = self.field.split_once('.').unwrap_or_default();
        let hint = self.near.as_ref().map(|near| format!(" Did you mean \"{near}\"?")).unwrap_or_default();
        format!("Unknown field \"{field}\" on type \"{on}\".{hint}")
    }
}

impl Denied {
    /// The refusal for those who are told nothing of the schema: it does not tell what is for others from what is not
    /// there.
    #[must_use]
    pub fn without_schema(&self) -> ServerError {
        let message = "the document asks for what this server's schema does not have, or has for other roles";
        let mut error = ServerError::new(message, None);
        error.extensions.get_or_insert_default().set("code", "FORBIDDEN");
        error
    }
}

impl From<Denied> for ServerError {
    fn from(Denied { mut fields, role }: Denied) -> Self {
        let is_forbidden = |field: &DeniedField| field.least.is_some();
        let code = if fields.iter().any(is_forbidden) { "FORBIDDEN" } else { "BAD_REQUEST" };
        fields.retain(|field| is_forbidden(field) == (code == "FORBIDDEN"));
        let mut message = fields.first().map(|field| field.message(role)).unwrap_or_default();
        if fields.len() > 1 {
            message.push_str(&format!(" (and {} more)", fields.len() - 1));
        }
        let mut error = ServerError::new(message, None);
        error.locations = fields.iter().take(LISTED).map(|field| field.place).collect();
        let violations = fields.into_iter().take(LISTED).map(|field| {
            let members = [("path", field.path.clone()), ("code", code.to_owned()), ("message", field.message(role))];
            Value::Object(members.map(|(name, text)| (Name::new(name), Value::String(text))).into_iter().collect())
        });
        let violations = Value::List(violations.collect());
        let extensions = error.extensions.get_or_insert_default();
        extensions.set("code", code);
        extensions.set("violations", violations);
        extensions.set("retryable", false);
        error
    }
}

struct Walk<'d> {
    types: &'d HashMap<Name, BTreeMap<Name, Field>>,
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
                // What stands below these are types of the library.
                Selection::Field(field) if is_of_introspection(on, &field.node.name.node) => {}
                Selection::Field(field) => {
                    let (fields, name) = (self.types.get(on), &field.node.name.node);
                    let known = fields.and_then(|fields| fields.get(name));
                    let near = || nearest(name, fields?.keys().map(Name::as_str)).map(Name::new);
                    self.path.push(field.node.response_key().node.as_str());
                    if known.is_none_or(|known| self.role < known.least) {
                        self.denied.push(DeniedField {
                            field: format!("{on}.{name}"),
                            least: known.map(|known| known.least),
                            near: if known.is_none() { near() } else { None },
                            path: self.path.join("."),
                            place: item.pos,
                        });
                    }
                    if let Some(known) = known {
                        self.set(&field.node.selection_set.node, &known.r#type);
                    }
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
