//! What single cells need: formulas that must not run, and lists of accounts.
//!
//! **Formulas.** A spreadsheet runs a cell that begins with `=`, `+`, `-` or `@`, even after blanks. [`neutralise`] puts
//! one `'` before such a cell and [`restore`] takes exactly that one away again. A cell that begins with `'` gets
//! another only where it would be taken for one of these, so `'t Hooft` stays as it is.
//!
//! **Accounts.** The cell of an integration lists accounts between `;`:
//!
//! ```text
//! octocat; ann@corp.example; id:10042; "odd;name"; "id:not-an-id"; id:" 7"
//! ```
//!
//! A token is a username or an email; after `id:` it is the account's external id. One that holds `;` or `"`, that begins
//! or ends with a blank, that is empty, or that is a username beginning with `id:` stands between double quotes, with
//! those within it doubled. `id:` stands before the quotes, so that what is within them is never read as a prefix.
//!
//! What does not live here: how cells are put into a file (`write`), which accounts the tokens name.

use std::borrow::Cow;

use crate::value::shorten;

/// `cell` as a spreadsheet can be shown it: with a `'` before it if it would run.
///
/// A plain negative number, such as -3.5, runs as itself and stays.
#[must_use]
pub fn neutralise(cell: &str) -> Cow<'_, str> {
    if runs(cell.trim_start_matches('\'')) { Cow::Owned(format!("'{cell}")) } else { Cow::Borrowed(cell) }
}

/// The value of a cell that [`neutralise`] may have written: its exact inverse.
#[must_use]
pub fn restore(cell: &str) -> &str {
    match cell.strip_prefix('\'') {
        // Quotes that come before do not change what runs, so this asks what `neutralise` asked.
        Some(value) if runs(value.trim_start_matches('\'')) => value,
        _ => cell,
    }
}

/// Whether a spreadsheet may take a cell for a formula.
fn runs(cell: &str) -> bool {
    for c in cell.chars() {
        match c {
            // The full-width signs are what some input methods write and some spreadsheets fold.
            '=' | '+' | '@' | '＝' | '＋' | '－' | '＠' => return true,
            '-' => return !is_negative_number(cell),
            // Tools differ in what they take these for when they are at the beginning.
            '\t' | '\r' | '\n' | '\0' => return true,
            c if c.is_whitespace() || c.is_control() || matches!(c, '\u{200B}' | '\u{FEFF}') => {}
            _ => return false,
        }
    }
    false
}

fn is_negative_number(cell: &str) -> bool {
    let is_digits = |digits: &str| !digits.is_empty() && digits.bytes().all(|byte| byte.is_ascii_digit());
    cell.strip_prefix('-').is_some_and(|number| match number.split_once('.') {
        Some((whole, fraction)) => is_digits(whole) && is_digits(fraction),
        None => is_digits(number),
    })
}

/// What names one account in the cell of an integration.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Token {
    /// A username, or the account's email.
    Name(String),
    /// The id that the tool knows the account by.
    ExternalId(String),
}

/// What stands before an external id.
const ID: &str = "id:";

/// Adds a token, a name or an external id, to the cell that lists those before it. The way back is [`split_tokens`].
pub(super) fn push_token(cell: &mut String, is_id: bool, text: &str) {
    if !cell.is_empty() {
        cell.push_str("; ");
    }
    if is_id {
        cell.push_str(ID);
    }
    let is_plain =
        !text.is_empty() && text.trim() == text && !text.contains([';', '"']) && (is_id || after_id(text).is_none());
    if is_plain {
        cell.push_str(text);
    } else {
        cell.push('"');
        cell.push_str(&text.replace('"', "\"\""));
        cell.push('"');
    }
}

/// The tokens that a cell lists; none for an empty one. Nothing between two `;` is no token.
///
/// # Errors
/// The code `NOT_A_LIST` and a sentence, where quotes are in the wrong place or nothing follows `id:`.
pub fn split_tokens(cell: &str) -> Result<Vec<Token>, (&'static str, String)> {
    let refuse = |why: &str| {
        let cell = shorten(cell);
        Err(("NOT_A_LIST", format!("`{cell}` is not a list of accounts like `ann; id:42`: {why}")))
    };
    let mut tokens = Vec::new();
    let mut rest = cell.trim_start();
    while !rest.is_empty() {
        let id = after_id(rest);
        let is_id = id.is_some();
        let text = id.map_or(rest, str::trim_start);
        let (token, after) = if text.starts_with('"') {
            match quoted(text) {
                Some((token, after)) => (Some(token), after.trim_start()),
                None => return refuse("a double quote is not closed"),
            }
        } else {
            let (bare, after) = text.split_at(text.find(';').unwrap_or(text.len()));
            let bare = bare.trim_end();
            if bare.contains('"') {
                return refuse("a name that contains double quotes stands between double quotes, with its own doubled");
            }
            if is_id && bare.is_empty() {
                return refuse("nothing follows `id:`");
            }
            ((!bare.is_empty()).then(|| bare.to_owned()), after)
        };
        tokens.extend(token.map(if is_id { Token::ExternalId } else { Token::Name }));
        rest = match after.strip_prefix(';') {
            Some(next) => next.trim_start(),
            None if after.is_empty() => after,
            None => return refuse("text follows a double quote that closes a name"),
        };
    }
    Ok(tokens)
}

/// What follows the prefix of an external id, in any case.
fn after_id(text: &str) -> Option<&str> {
    text.get(..ID.len()).filter(|prefix| prefix.eq_ignore_ascii_case(ID)).map(|_| &text[ID.len()..])
}

/// The text between the quotes with which `text` begins, and what follows them.
fn quoted(text: &str) -> Option<(String, &str)> {
    let mut token = String::new();
    let mut rest = text.strip_prefix('"')?;
    loop {
        let (piece, after) = rest.split_once('"')?;
        token.push_str(piece);
        match after.strip_prefix('"') {
            Some(after) => {
                token.push('"');
                rest = after;
            }
            None => return Some((token, after)),
        }
    }
}
