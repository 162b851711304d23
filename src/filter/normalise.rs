//! The form in which a filter is stored: every reference by an id that does not change.

use entity::attribute::AttributeType;

use super::check::find_integration;
use super::{Catalogue, Condition, DEPTH, Filter, Scalar};
use crate::value::{GlobalId, fold};

/// `filter` with user references as `usr_…`, integrations as `int_…` and attributes by their own key.
///
/// What cannot be found stays as it is, so call it with a filter that [`super::check`] accepted.
#[must_use]
pub fn normalise(filter: Filter, catalogue: &Catalogue<'_>) -> Filter {
    node(filter, catalogue, 1)
}

fn node(filter: Filter, catalogue: &Catalogue<'_>, depth: usize) -> Filter {
    if depth > DEPTH {
        return filter;
    }
    let list = |parts: Vec<Filter>| parts.into_iter().map(|part| node(part, catalogue, depth + 1)).collect();
    match filter {
        Filter::All(parts) => Filter::All(list(parts)),
        Filter::Any(parts) => Filter::Any(list(parts)),
        Filter::Not(part) => Filter::Not(Box::new(node(*part, catalogue, depth + 1))),
        Filter::Attribute(mut filter) => {
            let wanted = fold(&filter.key);
            if let Some(attribute) = catalogue.attributes.iter().find(|attribute| attribute.key == wanted) {
                filter.key.clone_from(&attribute.key);
                if attribute.r#type == AttributeType::User {
                    filter.is = users(filter.is, catalogue);
                }
            }
            Filter::Attribute(filter)
        }
        Filter::Account(mut filter) => {
            if let Some(found) = filter.integration.as_deref().and_then(|wanted| find_integration(catalogue, wanted)) {
                filter.integration = Some(found.id.to_global());
            }
            Filter::Account(filter)
        }
        Filter::Name(_) | Filter::Email(_) | Filter::OrgUnit(_) => filter,
    }
}

fn users(condition: Condition, catalogue: &Catalogue<'_>) -> Condition {
    let reference = |text: String| match (catalogue.find_user)(text.trim()) {
        Some(id) => id.to_global(),
        None => text,
    };
    let scalar = |value: Scalar| match value {
        Scalar::Text(text) => Scalar::Text(reference(text)),
        Scalar::Boolean(_) | Scalar::Number(_) => value,
    };
    match condition {
        Condition::Equals(value) => Condition::Equals(scalar(value)),
        Condition::In(values) => Condition::In(values.into_iter().map(scalar).collect()),
        Condition::ReportsTo(text) => Condition::ReportsTo(reference(text)),
        other => other,
    }
}
