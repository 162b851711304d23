//! The form in which a filter is stored: a tree, every reference by an id that does not change.

use entity::attribute::AttributeType;

use super::check::find_integration;
use super::day::RelativeDay;
use super::text::{Names, parse};
use super::{Between, Catalogue, Condition, DEPTH, Filter, Scalar};
use crate::value::{GlobalId, fold};

/// `filter` with texts as the trees they say, user references as `usr_…`, integrations as `int_…`, attributes by their
/// own key, and days that are relative to today in one spelling.
///
/// What cannot be found stays as it is, so call it with a filter that [`super::check_with_texts`] accepted.
#[must_use]
pub fn normalise(filter: Filter, names: &Names<'_>) -> Filter {
    node(filter, names, 1)
}

fn node(filter: Filter, names: &Names<'_>, depth: usize) -> Filter {
    if depth > DEPTH {
        return filter;
    }
    let catalogue = names.catalogue;
    let list = |parts: Vec<Filter>| parts.into_iter().map(|part| node(part, names, depth + 1)).collect();
    match filter {
        // A tree that was read from text has no texts in it.
        Filter::Text(text) => match parse(&text, names).map(|parsed| parsed.filter) {
            Ok(tree) => node(tree, names, depth),
            Err(_) => Filter::Text(text),
        },
        Filter::All(parts) => Filter::All(list(parts)),
        Filter::Any(parts) => Filter::Any(list(parts)),
        Filter::Not(part) => Filter::Not(Box::new(node(*part, names, depth + 1))),
        Filter::Attribute(mut filter) => {
            let wanted = fold(&filter.key);
            if let Some(attribute) = catalogue.attributes.iter().find(|attribute| attribute.key == wanted) {
                filter.key.clone_from(&attribute.key);
                match attribute.r#type {
                    AttributeType::User => filter.is = users(filter.is, catalogue),
                    AttributeType::Date => filter.is = days(filter.is),
                    _ => {}
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

fn days(condition: Condition) -> Condition {
    let scalar = |value: Scalar| match &value {
        Scalar::Text(text) => match RelativeDay::read(text.trim()) {
            Some(Ok(day)) => Scalar::Text(day.to_string()),
            _ => value,
        },
        Scalar::Boolean(_) | Scalar::Number(_) => value,
    };
    match condition {
        Condition::Equals(value) => Condition::Equals(scalar(value)),
        Condition::In(values) => Condition::In(values.into_iter().map(scalar).collect()),
        Condition::LessThan(value) => Condition::LessThan(scalar(value)),
        Condition::AtMost(value) => Condition::AtMost(scalar(value)),
        Condition::GreaterThan(value) => Condition::GreaterThan(scalar(value)),
        Condition::AtLeast(value) => Condition::AtLeast(scalar(value)),
        Condition::Between(Between { from, to }) => Condition::Between(Between { from: scalar(from), to: scalar(to) }),
        other => other,
    }
}
