//! Documents made of the schema: a request for every field that can be asked for, with arguments of the smallest kind.

use std::collections::HashMap;

use async_graphql::parser::parse_schema;
use async_graphql::parser::types::{
    BaseType, FieldDefinition, InputValueDefinition, Type, TypeDefinition, TypeKind, TypeSystemDefinition,
};
use roster::access::{Role, matrix};

/// The types of the schema, by name.
pub(crate) struct Asker(HashMap<String, TypeDefinition>);

/// A field of one of the three root types.
#[derive(Clone)]
pub(crate) struct Root {
    /// `query`, `mutation` or `subscription`.
    pub(crate) operation: &'static str,
    pub(crate) name: String,
    field: FieldDefinition,
}

impl Root {
    /// The line of the matrix that is about it.
    pub(crate) fn place(&self) -> String {
        let on = match self.operation {
            "query" => "Query",
            "mutation" => "Mutation",
            _ => "Subscription",
        };
        format!("{on}.{}", self.name)
    }
}

impl Asker {
    pub(crate) fn new() -> Self {
        let definitions = parse_schema(roster::graphql::sdl()).unwrap().definitions;
        let types = definitions.into_iter().filter_map(|definition| match definition {
            TypeSystemDefinition::Type(found) => Some((found.node.name.node.to_string(), found.node)),
            _ => None,
        });
        Self(types.collect())
    }

    /// The fields of the root types, in the order of the schema.
    pub(crate) fn roots(&self) -> Vec<Root> {
        let roots = [("query", "Query"), ("mutation", "Mutation"), ("subscription", "Subscription")];
        let fields = roots.into_iter().flat_map(|(operation, on)| {
            let root = move |field: FieldDefinition| Root { operation, name: field.name.node.to_string(), field };
            self.fields(on).into_iter().map(root)
        });
        fields.collect()
    }

    /// The smallest document that asks for a field, and for nothing of what it gives.
    pub(crate) fn smallest(&self, root: &Root) -> String {
        let arguments = self.arguments(&root.field.arguments);
        let below = if self.is_leaf(&root.field) { "" } else { " { __typename }" };
        format!("{} {{ {}{arguments}{below} }}", root.operation, root.name)
    }

    /// A document that asks for all that a field gives and `role` may ask for, `depth` objects deep. `arguments` are the field's, such as
    /// `(first: 1)`; the smallest where there are none.
    pub(crate) fn all_of(&self, root: &Root, arguments: Option<&str>, depth: usize, role: Role) -> String {
        let own = self.arguments(&root.field.arguments);
        let arguments = arguments.unwrap_or(&own);
        let below = self.selection(innermost(&root.field.ty.node), (depth, role), &mut Vec::new());
        format!("{} {{ {}{arguments} {below} }}", root.operation, root.name)
    }

    /// The fields of an object or interface.
    pub(crate) fn fields(&self, on: &str) -> Vec<FieldDefinition> {
        let fields = match &self.0[on].kind {
            TypeKind::Object(object) => &object.fields,
            TypeKind::Interface(interface) => &interface.fields,
            _ => return Vec::new(),
        };
        fields.iter().map(|field| field.node.clone()).collect()
    }

    /// Whether nothing can be selected of what a field gives.
    pub(crate) fn is_leaf(&self, field: &FieldDefinition) -> bool {
        let kind = self.0.get(innermost(&field.ty.node)).map(|found| &found.kind);
        !matches!(kind, Some(TypeKind::Object(_) | TypeKind::Interface(_) | TypeKind::Union(_)))
    }

    /// The objects that a union or an interface may be; none of an object itself.
    pub(crate) fn members(&self, on: &str) -> Vec<String> {
        match self.0.get(on).map(|found| &found.kind) {
            Some(TypeKind::Union(union)) => union.members.iter().map(|member| member.node.to_string()).collect(),
            Some(TypeKind::Interface(_)) => {
                let implements = |found: &&TypeDefinition| {
                    matches!(&found.kind, TypeKind::Object(object)
                    if object.implements.iter().any(|interface| interface.node == *on))
                };
                let mut names: Vec<String> =
                    self.0.values().filter(implements).map(|found| found.name.node.to_string()).collect();
                names.sort();
                names
            }
            _ => Vec::new(),
        }
    }

    /// All fields of a type, each under a name of its own, so that those of several types can stand together.
    fn selection(&self, on: &str, (depth, role): (usize, Role), above: &mut Vec<String>) -> String {
        if !matches!(
            self.0.get(on).map(|found| &found.kind),
            Some(TypeKind::Union(_) | TypeKind::Interface(_) | TypeKind::Object(_))
        ) {
            return String::new();
        }
        let members = self.members(on);
        if !members.is_empty() {
            let parts = members
                .iter()
                .map(|member| format!("... on {member} {}", self.selection(member, (depth, role), above)));
            return format!("{{ __typename {} }}", parts.collect::<String>());
        }
        above.push(on.to_owned());
        let mut parts = String::from("__typename ");
        for field in self.fields(on) {
            let to = innermost(&field.ty.node);
            if role < matrix::least(&format!("{on}.{}", field.name.node)) {
                continue;
            }
            // A connection and its edges are no objects of their own.
            let costs = usize::from(!["Connection", "Edge", "PageInfo"].iter().any(|end| to.ends_with(end)));
            if !self.is_leaf(&field) && (depth < costs || above.iter().any(|known| known == to)) {
                continue;
            }
            let arguments = self.arguments(&field.arguments);
            let below =
                if self.is_leaf(&field) { String::new() } else { self.selection(to, (depth - costs, role), above) };
            parts.push_str(&format!("{on}_{name}: {name}{arguments} {below} ", name = field.name.node));
        }
        above.pop();
        format!("{{ {parts} }}")
    }

    /// The arguments that have to be given.
    fn arguments(&self, arguments: &[async_graphql::Positioned<InputValueDefinition>]) -> String {
        let needed: Vec<String> = self.needed(arguments);
        if needed.is_empty() { String::new() } else { format!("({})", needed.join(", ")) }
    }

    fn needed(&self, inputs: &[async_graphql::Positioned<InputValueDefinition>]) -> Vec<String> {
        let needed = inputs.iter().filter(|input| !input.node.ty.node.nullable && input.node.default_value.is_none());
        needed
            .map(|input| {
                format!("{}: {}", input.node.name.node, self.value(&input.node.name.node, &input.node.ty.node))
            })
            .collect()
    }

    /// A value of a type, as small as it can be.
    pub(crate) fn value(&self, name: &str, r#type: &Type) -> String {
        let BaseType::Named(to) = &r#type.base else {
            return if name == "keys" { "[\"name\"]".to_owned() } else { "[]".to_owned() };
        };
        match (to.as_str(), self.0.get(to.as_str()).map(|found| &found.kind)) {
            ("Int" | "Float", _) => "1".to_owned(),
            ("Boolean", _) => "true".to_owned(),
            ("ID", _) => "\"usr_00000000000000000000000000000000\"".to_owned(),
            ("Date", _) => "\"2026-01-01\"".to_owned(),
            ("DateTime", _) => "\"2026-01-01T00:00:00Z\"".to_owned(),
            (_, Some(TypeKind::Enum(values))) => values.values[0].node.value.node.to_string(),
            (_, Some(TypeKind::InputObject(input))) => {
                let is_one_of =
                    self.0[to.as_str()].directives.iter().any(|directive| directive.node.name.node == "oneOf");
                let first = &input.fields[0].node;
                if is_one_of {
                    return format!("{{ {}: {} }}", first.name.node, self.value(&first.name.node, &first.ty.node));
                }
                format!("{{ {} }}", self.needed(&input.fields).join(", "))
            }
            _ => "\"x\"".to_owned(),
        }
    }
}

/// The name of a type without its lists.
pub(crate) fn innermost(r#type: &Type) -> &str {
    match &r#type.base {
        BaseType::Named(name) => name,
        BaseType::List(item) => innermost(item),
    }
}
