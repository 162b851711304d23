//! VALUES. What a cell can hold: its types, how each is read, stored, shown and compared; emails; ids; folding; paths.
//!
//! The lowest room: it knows the rows' types and nothing else. What does not live here: which attributes exist.

mod email;
mod email_key;
mod fold;
mod id;
mod key;
mod parse;
mod path;
mod pattern;

pub use email::Email;
pub use email_key::EmailKeys;
pub use fold::{fold, is_blank, nfc};
pub use id::{GlobalId, noun_of};
pub use key::Key;
pub use parse::{DateFormat, parse, show};
pub use path::{join_path, split_path};
pub use pattern::Patterns;

use chrono::NaiveDate;
use entity::UserId;

/// One value of a custom attribute, in canonical form.
#[derive(Clone, Debug, PartialEq)]
pub enum Value {
    /// Of TEXT, SELECT, EMAIL and URL.
    Text(String),
    /// Of NUMBER; finite.
    Number(f64),
    /// Of BOOLEAN.
    Boolean(bool),
    /// Of DATE.
    Date(NaiveDate),
    /// Of `MULTI_SELECT`, in the order of the attribute's options; never empty.
    Options(Vec<String>),
    /// Of USER.
    User(UserId),
}

/// The longest text value, in bytes.
pub const LONGEST_TEXT: usize = 32 * 1024;

/// Bytes as clients see them, two digits each.
#[must_use]
pub fn hex(bytes: &[u8]) -> String {
    bytes.iter().fold(String::with_capacity(2 * bytes.len()), |mut text, byte| {
        for digit in [byte >> 4, byte & 15] {
            text.extend(char::from_digit(digit.into(), 16));
        }
        text
    })
}

/// `text`, cut for a message to at most 80 characters.
#[must_use]
pub fn shorten(text: &str) -> String {
    match text.char_indices().nth(80) {
        Some((at, _)) => format!("{}…", &text[..at]),
        None => text.to_owned(),
    }
}

/// Of `names` the one that differs least from `wanted` (edit distance, ignoring case), if it is near enough to be
/// worth naming in a message.
pub fn nearest<'a>(wanted: &str, names: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    let wanted: Vec<char> = fold(wanted).chars().take(64).collect();
    let reach = 1 + wanted.len() / 3;
    names
        .into_iter()
        .map(|name| (distance(&wanted, &fold(name).chars().take(64).collect::<Vec<_>>()), name))
        .min_by_key(|(distance, _)| *distance)
        .filter(|(distance, _)| *distance <= reach)
        .map(|(_, name)| name)
}

fn distance(a: &[char], b: &[char]) -> usize {
    let mut row: Vec<usize> = (0..=b.len()).collect();
    for (i, x) in a.iter().enumerate() {
        let mut diagonal = row[0];
        row[0] = i + 1;
        for (j, y) in b.iter().enumerate() {
            let above = row[j + 1];
            row[j + 1] = (diagonal + usize::from(x != y)).min(above + 1).min(row[j] + 1);
            diagonal = above;
        }
    }
    row[b.len()]
}

#[cfg(test)]
mod tests;
