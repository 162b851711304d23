//! ORDER of the fields in an answer: that of the document, as the specification asks, since people and snapshots read it.
//!
//! The library answers in the order in which resolvers happen to finish. What does not live here: the values.

use async_graphql::parser::types::{ExecutableDocument, Selection, SelectionSet};
use async_graphql::{Name, Value};

/// The response keys of a selection set in their order, each with the order of what is selected below it.
#[derive(Debug, Default)]
pub(crate) struct Order(Vec<(Name, Order)>);

impl Order {
    /// The order of the answer to an operation. Call it with a document that passed validation: a fragment that spreads
    /// itself has no order.
    pub(crate) fn of(document: &ExecutableDocument, operation: Option<&str>) -> Self {
        let mut order = Self::default();
        let chosen =
            document.operations.iter().find(|(name, _)| operation.is_none() || name.map(Name::as_str) == operation);
        if let Some((_, operation)) = chosen {
            order.add(document, &operation.node.selection_set.node);
        }
        order
    }

    fn add(&mut self, document: &ExecutableDocument, selected: &SelectionSet) {
        for selection in &selected.items {
            match &selection.node {
                Selection::Field(field) => {
                    let key = &field.node.response_key().node;
                    let place = self.0.iter().position(|(known, _)| known == key).unwrap_or_else(|| {
                        self.0.push((key.clone(), Self::default()));
                        self.0.len() - 1
                    });
                    if let Some((_, below)) = self.0.get_mut(place) {
                        below.add(document, &field.node.selection_set.node);
                    }
                }
                Selection::InlineFragment(fragment) => self.add(document, &fragment.node.selection_set.node),
                Selection::FragmentSpread(spread) => {
                    if let Some(fragment) = document.fragments.get(&spread.node.fragment_name.node) {
                        self.add(document, &fragment.node.selection_set.node);
                    }
                }
            }
        }
    }

    /// Puts the fields of an answer in order. JSON values within it stay as they are.
    pub(crate) fn sort(&self, answer: &mut Value) {
        match answer {
            Value::List(items) => items.iter_mut().for_each(|item| self.sort(item)),
            Value::Object(fields) if !self.0.is_empty() => {
                let place = |key: &Name| self.0.iter().position(|(known, _)| known == key);
                // Most objects are in order already, and sorting builds their table anew.
                if !fields.keys().is_sorted_by_key(place) {
                    fields.sort_by(|a, _, b, _| place(a).cmp(&place(b)));
                }
                let mut orders = self.0.iter();
                for (key, value) in fields {
                    if let Some((_, below)) = orders.find(|(known, _)| known == key) {
                        below.sort(value);
                    }
                }
            }
            _ => {}
        }
    }
}
