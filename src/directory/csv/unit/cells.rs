//! Single cells of a unit: how each is read, and how it is shown.

use std::collections::BTreeSet;

use entity::org_unit::OrgUnitScope;
use entity::{OrgUnitId, UserId};
use sea_orm::{ActiveEnum, Iterable};

use crate::directory::org_unit::read_stored;
use crate::filter::text::{Names, TextViolation, parse};
use crate::filter::{Checked, Filter, Violation, check_with_texts, normalise};
use crate::index::Index;
use crate::value::{GlobalId, shorten};

/// A code, and what is wrong and how to mend it.
pub(super) type Wrong = (&'static str, String);

/// The filter of a cell, in the form in which it is stored: written as JSON, or as text. In JSON, too, a unit may be named
/// by its path.
pub(super) fn read_filter(cell: &str, names: &Names<'_>) -> Result<(Filter, Checked), Vec<Wrong>> {
    let (filter, checked) = if cell.starts_with('{') {
        let filter = serde_json::from_str(cell).map_err(|why| {
            let example = r#"{"attribute":{"key":"department","is":{"equals":"Platform"}}}"#;
            vec![("NOT_A_FILTER", format!("this is not a filter: {why}; write one such as {example}"))]
        })?;
        let filter = by_id(filter, names);
        let in_place = |wrong: Violation| (wrong.code, format!("{}: {}", wrong.path, wrong.message));
        let checked = check_with_texts(&filter, names);
        (filter, checked.map_err(|all| all.into_iter().map(in_place).collect::<Vec<Wrong>>())?)
    } else {
        let in_place = |wrong: TextViolation| {
            (wrong.code, format!("line {}, character {} of the cell: {}", wrong.line, wrong.column, wrong.message))
        };
        let parsed = parse(cell, names).map_err(|wrong| vec![in_place(wrong)])?;
        let checked = parsed.check(names);
        (parsed.filter, checked.map_err(|all| all.into_iter().map(in_place).collect::<Vec<Wrong>>())?)
    };
    Ok((normalise(filter, names), checked))
}

/// A filter as its cell shows it: as text, or as JSON where it is too long for that.
pub(super) fn show_filter(filter: &Filter, text: &dyn Fn(&Filter) -> Option<String>) -> String {
    text(filter).or_else(|| serde_json::to_string(filter).ok()).unwrap_or_default()
}

/// A filter in the form of the database as its cell shows it; empty for none.
pub(super) fn show_stored(stored: Option<&serde_json::Value>, text: &dyn Fn(&Filter) -> Option<String>) -> String {
    let filter = stored.and_then(|stored| read_stored(stored.clone()).ok());
    filter.map(|filter| show_filter(&filter, text)).unwrap_or_default()
}

/// The same filter with the org units that it names by path named by id.
fn by_id(filter: Filter, names: &Names<'_>) -> Filter {
    let list = |parts: Vec<Filter>| parts.into_iter().map(|part| by_id(part, names)).collect();
    match filter {
        Filter::All(parts) => Filter::All(list(parts)),
        Filter::Any(parts) => Filter::Any(list(parts)),
        Filter::Not(part) => Filter::Not(Box::new(by_id(*part, names))),
        Filter::OrgUnit(mut unit) => {
            if OrgUnitId::parse(&unit.id).is_err()
                && let Some(id) = (names.org_unit_at)(&unit.id)
            {
                unit.id = id.to_global();
            }
            Filter::OrgUnit(unit)
        }
        Filter::Name(_) | Filter::Email(_) | Filter::Attribute(_) | Filter::Account(_) | Filter::Text(_) => filter,
    }
}

/// The scope of a cell; an empty one is `ALL`.
pub(super) fn read_scope(cell: &str) -> Result<OrgUnitScope, Wrong> {
    if cell.is_empty() {
        return Ok(OrgUnitScope::All);
    }
    OrgUnitScope::iter().find(|scope| scope.to_value().eq_ignore_ascii_case(cell)).ok_or_else(|| {
        let known: Vec<String> = OrgUnitScope::iter().map(|scope| format!("`{}`", scope.to_value())).collect();
        ("NOT_A_SCOPE", format!("`{}` is not a scope; write {}", shorten(cell), known.join(" or ")))
    })
}

/// The users that a cell names by email or id between `;`, and those that nobody is called, each as it stands there.
pub(super) fn read_users<'a>(cell: &'a str, index: &Index) -> (BTreeSet<UserId>, Vec<&'a str>) {
    let (mut users, mut unknown) = (BTreeSet::new(), Vec::new());
    for name in cell.split(';').map(str::trim).filter(|name| !name.is_empty()) {
        match index.find_user(name) {
            Some(user) => {
                users.insert(user);
            }
            None => unknown.push(name),
        }
    }
    (users, unknown)
}

/// Users as their cell shows them: by their primary emails, in order.
pub(super) fn show_users(users: &BTreeSet<UserId>, index: &Index) -> String {
    let mut names: Vec<String> =
        users.iter().map(|user| index.email_of(*user).map_or_else(|| user.to_global(), str::to_owned)).collect();
    names.sort_unstable();
    names.join("; ")
}
