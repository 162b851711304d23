//! A file to fill in: the columns of an export, and made-up users that show what their cells take.
//!
//! What does not live here: the columns (`layout`).

use std::borrow::Cow;

use chrono::{Days, NaiveDate};
use entity::attribute::{self, AttributeType};

use super::layout::Column;
use super::{Style, Writer};
use crate::directory::{Error, Result};

/// The fewest rows, and the most.
const ROWS: (usize, usize) = (2, 50);

/// The names of the first users; further ones have numbers.
const NAMES: [&str; 2] = ["Ann", "Ben"];

/// The file, and how many users it has: as many as it takes to show every option, within bounds, and no more than there
/// are options where each may be chosen once.
pub(super) fn template(columns: &[Column], style: Style) -> Result<(Vec<u8>, usize)> {
    let attributes = || {
        columns.iter().filter_map(|column| match column {
            Column::Attribute(attribute) => Some(attribute.as_ref()),
            Column::Id | Column::Name | Column::Email | Column::Accounts(_) => None,
        })
    };
    let selects = || attributes().filter(|attribute| attribute.r#type == AttributeType::Select);
    let wanted = selects().map(|attribute| options(attribute).len()).max().unwrap_or(0).clamp(ROWS.0, ROWS.1);
    let unique = selects().filter(|attribute| attribute.is_unique);
    let rows = unique.map(|attribute| options(attribute).len()).fold(wanted, usize::min);
    let write = || {
        let mut writer = Writer::open(Vec::new(), style, columns.iter().map(Column::title))?;
        for row in 0..rows {
            columns.iter().try_for_each(|column| writer.write_cell(&cell(column, row)))?;
            writer.end_row()?;
        }
        writer.finish()
    };
    Ok((write().map_err(Error::internal)?, rows))
}

fn options(attribute: &attribute::Model) -> Vec<&str> {
    attribute.options.as_array().into_iter().flatten().filter_map(|option| option.as_str()).collect()
}

fn cell(column: &Column, row: usize) -> Cow<'_, str> {
    let number = row + 1;
    let name = NAMES.get(row).map_or_else(|| format!("User{number}"), |name| (*name).to_owned());
    let login = name.to_lowercase();
    match column {
        Column::Id => "".into(),
        Column::Name => format!("{name} Example").into(),
        Column::Email => format!("{login}@corp.example").into(),
        Column::Attribute(attribute) => value(attribute, row),
        Column::Accounts(_) => login.into(),
    }
}

fn value(attribute: &attribute::Model, row: usize) -> Cow<'_, str> {
    let number = row + 1;
    let option = |row: usize| options(attribute).into_iter().cycle().nth(row).unwrap_or_default();
    match attribute.r#type {
        AttributeType::Text => format!("{} {number}", attribute.title).into(),
        AttributeType::Number => number.to_string().into(),
        AttributeType::Boolean => row.is_multiple_of(2).to_string().into(),
        AttributeType::Date => {
            let day = NaiveDate::from_ymd_opt(2026, 1, 31).and_then(|day| day.checked_sub_days(Days::new(row as u64)));
            day.map(|day| day.to_string()).unwrap_or_default().into()
        }
        AttributeType::Select => option(row).into(),
        // The first user shows how several options stand in one cell.
        AttributeType::MultiSelect if row == 0 => options(attribute).join("; ").into(),
        AttributeType::MultiSelect => option(row).into(),
        AttributeType::Url => format!("https://corp.example/{number}").into(),
        AttributeType::Email => format!("other{number}@corp.example").into(),
        // The first user leads the others; where each value is to be unique, one of them.
        AttributeType::User if row == 1 || row > 1 && !attribute.is_unique => "ann@corp.example".into(),
        AttributeType::User | AttributeType::Integration => "".into(),
    }
}
