//! The columns of an export: all that there are, or those that were asked for.
//!
//! What does not live here: what stands in their cells (`lines`), and which column of a file to import is which
//! (`header`).

use std::sync::Arc;

use entity::attribute::AttributeType;
use entity::{attribute, integration};

use super::{ExportOptions, Limits};
use crate::directory::{Error, Result};
use crate::filter::Violation;
use crate::index::Index;
use crate::value::{fold, nearest, shorten};

/// A column of an export.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Column {
    /// The users' ids.
    Id,
    /// Their names.
    Name,
    /// Their primary emails.
    Email,
    /// Their values of a custom attribute.
    Attribute(Arc<attribute::Model>),
    /// Their accounts in an integration.
    Accounts(Arc<integration::Model>),
}

impl Column {
    /// What stands above it.
    pub(super) fn title(&self) -> &str {
        match self {
            Self::Id => "ID",
            Self::Name => "Name",
            Self::Email => "Email",
            Self::Attribute(attribute) => &attribute.title,
            Self::Accounts(integration) => &integration.name,
        }
    }
}

/// The columns that `options` ask for, in their order.
///
/// # Errors
/// `Invalid`, with each column that cannot be had; `LimitExceeded`.
pub(super) fn columns(index: &Index, options: &ExportOptions) -> Result<Vec<Column>> {
    let Some(names) = &options.columns else {
        let mut all = vec![Column::Id, Column::Name, Column::Email];
        let custom = index.attributes().iter().filter(|attribute| !attribute.is_built_in);
        all.extend(custom.cloned().map(Column::Attribute));
        if !options.without_accounts {
            all.extend(accounts(index));
        }
        return Ok(all);
    };
    let most = Limits::default().columns;
    if names.len() > most {
        return Err(Error::LimitExceeded { what: "the number of columns", limit: most as u64 });
    }
    let known = known(index);
    let mut chosen: Vec<Column> = Vec::new();
    let mut violations = Vec::new();
    for (place, name) in names.iter().enumerate() {
        let mut refuse = |code, message| violations.push(Violation::new(format!("columns[{place}]"), code, message));
        let Some(found) = named(index, name) else {
            let near = nearest(name, known.iter().map(String::as_str));
            let hint = near.map(|near| format!("; did you mean `{}`?", shorten(near))).unwrap_or_default();
            refuse("UNKNOWN_COLUMN", format!("no attribute or integration is called `{}`{hint}", shorten(name)));
            continue;
        };
        for column in found {
            let title = column.title();
            if options.without_accounts && matches!(column, Column::Accounts(_)) {
                refuse("CONTRADICTION", format!("`{title}` is a column of accounts, which are left out"));
            } else if chosen.contains(&column) {
                refuse("DUPLICATE", format!("the column `{title}` stands in the list twice"));
            } else {
                chosen.push(column);
            }
        }
    }
    if names.is_empty() {
        let message = "name at least one column, or leave the list out for all".to_owned();
        violations.push(Violation::new("columns", "EMPTY_LIST", message));
    }
    if violations.is_empty() { Ok(chosen) } else { Err(Error::Invalid(violations)) }
}

fn accounts(index: &Index) -> impl Iterator<Item = Column> {
    index.integrations().into_iter().map(Column::Accounts)
}

/// The column that a name stands for, as in a header: `ID`, the title of an attribute, the name of an integration; the
/// key of an attribute. The attribute `integration` stands for one column per integration.
fn named(index: &Index, name: &str) -> Option<Vec<Column>> {
    let folded = fold(name);
    if folded == "id" {
        return Some(vec![Column::Id]);
    }
    let attributes = || index.attributes().iter();
    if let Some(titled) = attributes().find(|attribute| attribute.title_key == folded) {
        return Some(of_attribute(index, titled));
    }
    if let Some(integration) = index.integrations().into_iter().find(|integration| integration.name_key == folded) {
        return Some(vec![Column::Accounts(integration)]);
    }
    attributes().find(|attribute| attribute.key == folded).map(|attribute| of_attribute(index, attribute))
}

fn of_attribute(index: &Index, attribute: &Arc<attribute::Model>) -> Vec<Column> {
    match (attribute.is_built_in, attribute.key.as_str()) {
        _ if attribute.r#type == AttributeType::Integration => accounts(index).collect(),
        (true, "name") => vec![Column::Name],
        (true, "email") => vec![Column::Email],
        _ => vec![Column::Attribute(attribute.clone())],
    }
}

/// All that a column may be called.
fn known(index: &Index) -> Vec<String> {
    let attributes = index.attributes().iter().flat_map(|attribute| [attribute.title.clone(), attribute.key.clone()]);
    let integrations = index.integrations().into_iter().map(|integration| integration.name.clone());
    std::iter::once("ID".to_owned()).chain(attributes).chain(integrations).collect()
}

/// The names that a list of columns holds: cells of one row, with `,` between them, so that a title with `,` stands between
/// double quotes.
#[must_use]
pub fn split_columns(list: &str) -> Vec<String> {
    let mut reader = csv::ReaderBuilder::new();
    let reader = reader.has_headers(false).flexible(true).trim(csv::Trim::All).from_reader(list.as_bytes());
    let rows = reader.into_records().map_while(std::result::Result::ok);
    rows.flat_map(|row| row.iter().map(str::to_owned).collect::<Vec<_>>()).collect()
}
