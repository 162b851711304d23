//! How values are read from text and shown as text: one reader for the API, CSV and account sync.

use chrono::{Datelike, NaiveDate};
use entity::attribute::AttributeType;
use entity::{UserId, attribute};
use serde::{Deserialize, Serialize};

use super::{Email, LONGEST_TEXT, Value, fold, is_blank, nearest, nfc, shorten};

/// How the days of a file are written.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct DateFormat(Option<String>);

impl DateFormat {
    /// A format in the letters people use: `YYYY` or `YY`, `MM` or `M`, `DD` or `D`, `MMM` for a short English month,
    /// with any separators: `dd/mm/yy`, `MM-DD-YYYY`. Letter case does not matter.
    ///
    /// # Errors
    /// A sentence, where day, month or year is missing or stands twice.
    pub fn parse(text: &str) -> Result<Self, String> {
        let mut format = String::new();
        let mut seen = [0; 3];
        let lower = text.trim().to_lowercase();
        let mut rest = lower.as_str();
        while let Some(first) = rest.chars().next() {
            let run = rest.len() - rest.trim_start_matches(first).len();
            let (part, written) = match (first, run) {
                ('y', 4) => (0, "%Y"),
                ('y', 2) => (0, "%y"),
                ('m', 1 | 2) => (1, "%m"),
                ('m', 3) => (1, "%b"),
                ('d', 1 | 2) => (2, "%d"),
                (c, _) if !c.is_alphanumeric() && c != '%' => {
                    format.push(c);
                    rest = &rest[c.len_utf8()..];
                    continue;
                }
                _ => return Err(format!("`{}` is not a date format; write one like DD/MM/YYYY", shorten(text))),
            };
            seen[part] += 1;
            format.push_str(written);
            rest = &rest[run..];
        }
        if seen == [1; 3] {
            Ok(Self(Some(format)))
        } else {
            Err(format!("`{}` must name day, month and year once each, like DD/MM/YYYY", shorten(text)))
        }
    }

    pub(super) fn read(&self, text: &str) -> Option<NaiveDate> {
        let day = match &self.0 {
            None => {
                let shape: Vec<usize> = text.split('-').map(str::len).collect();
                if shape != [4, 2, 2] {
                    return None;
                }
                text.parse().ok()?
            }
            Some(format) => NaiveDate::parse_from_str(text, format).ok()?,
        };
        (1000..=9999).contains(&day.year()).then_some(day)
    }
}

/// Reads one cell as a value of `attribute`; `None` for an empty one, also where it has characters that cannot be seen.
///
/// `find_user` finds the user that a reference (an id or an email) names. `MULTI_SELECT` takes options between `;`.
///
/// # Errors
/// A code and a sentence that say what is wrong and what would be right.
pub fn parse(
    attribute: &attribute::Model,
    text: &str,
    dates: &DateFormat,
    find_user: impl FnOnce(&str) -> Option<UserId>,
) -> Result<Option<Value>, (&'static str, String)> {
    let text = text.trim();
    if is_blank(text) {
        return Ok(None);
    }
    if text.len() > LONGEST_TEXT {
        return Err(("TOO_LONG", format!("a value has at most {LONGEST_TEXT} bytes; this has {}", text.len())));
    }
    if text.contains('\0') {
        return Err(("NOT_TEXT", "a value cannot hold the character NUL".into()));
    }
    let quoted = shorten(text);
    let value = match attribute.r#type {
        AttributeType::Text => Value::Text(nfc(text)),
        AttributeType::Number => match text.parse::<f64>() {
            Ok(number) if number.is_finite() => Value::Number(number + 0.0),
            _ => return Err(("NOT_A_NUMBER", format!("`{quoted}` is not a number; write one like 12 or -3.5"))),
        },
        AttributeType::Boolean => match fold(text).as_str() {
            "true" | "yes" | "1" => Value::Boolean(true),
            "false" | "no" | "0" => Value::Boolean(false),
            _ => return Err(("NOT_A_BOOLEAN", format!("`{quoted}` is neither true nor false; write one of these"))),
        },
        AttributeType::Date => match dates.read(text) {
            Some(day) => Value::Date(day),
            None => {
                let wanted = match &dates.0 {
                    None => "write it as YYYY-MM-DD, or give the column a date format".to_owned(),
                    Some(format) => format!("the column's date format is {}", spell(format)),
                };
                return Err(("NOT_A_DATE", format!("`{quoted}` is not a date; {wanted}")));
            }
        },
        AttributeType::Select => Value::Text(option(attribute, text)?),
        AttributeType::MultiSelect => {
            let mut chosen = Vec::new();
            for part in text.split(';').map(str::trim).filter(|part| !part.is_empty()) {
                let option = option(attribute, part)?;
                if !chosen.contains(&option) {
                    chosen.push(option);
                }
            }
            if chosen.is_empty() {
                return Ok(None);
            }
            let options = options(attribute);
            chosen.sort_by_key(|option| options.iter().position(|known| known == option));
            Value::Options(chosen)
        }
        AttributeType::User => match find_user(text) {
            Some(id) => Value::User(id),
            None => {
                return Err((
                    "UNKNOWN_USER",
                    format!("`{quoted}` is no user's email or id; add that user first, or in the same file"),
                ));
            }
        },
        AttributeType::Email => Value::Text(Email::parse(text).map_err(|why| ("NOT_AN_EMAIL", why))?.into_string()),
        AttributeType::Url => {
            let rest = ["https://", "http://"].iter().find_map(|scheme| {
                text.get(..scheme.len())
                    .filter(|start| start.eq_ignore_ascii_case(scheme))
                    .map(|_| &text[scheme.len()..])
            });
            match rest {
                Some(rest) if !rest.is_empty() && !rest.starts_with('/') && !text.contains(char::is_whitespace) => {
                    Value::Text(nfc(text))
                }
                _ => {
                    return Err(("NOT_A_URL", format!("`{quoted}` is not a web address; write one like https://…")));
                }
            }
        }
        AttributeType::Integration => {
            return Err(("NOT_A_VALUE", "accounts stand in one column per integration".into()));
        }
    };
    Ok(Some(value))
}

/// The options of an attribute, in their order.
fn options(attribute: &attribute::Model) -> Vec<&str> {
    attribute.options.as_array().into_iter().flatten().filter_map(serde_json::Value::as_str).collect()
}

/// The option that `text` names, as the attribute spells it.
fn option(attribute: &attribute::Model, text: &str) -> Result<String, (&'static str, String)> {
    let options = options(attribute);
    let folded = fold(text);
    if let Some(known) = options.iter().find(|known| fold(known) == folded) {
        return Ok((*known).to_owned());
    }
    let hint = match nearest(text, options.iter().copied()) {
        Some(near) => format!("did you mean `{near}`?"),
        None => format!(
            "the options of `{}` are {}",
            attribute.title,
            shorten(&options.iter().map(|option| format!("`{option}`")).collect::<Vec<_>>().join(", "))
        ),
    };
    Err(("UNKNOWN_OPTION", format!("`{}` is not an option; {hint}", shorten(text))))
}

fn spell(format: &str) -> String {
    format.replace("%Y", "YYYY").replace("%y", "YY").replace("%b", "MMM").replace("%m", "MM").replace("%d", "DD")
}

/// A value as text that [`parse`] reads back; `email_of` gives the email of the user that a USER value names.
pub fn show(value: &Value, email_of: impl FnOnce(UserId) -> Option<String>) -> String {
    match value {
        Value::Text(text) => text.clone(),
        Value::Number(number) => number.to_string(),
        Value::Boolean(truth) => truth.to_string(),
        Value::Date(day) => day.to_string(),
        Value::Options(options) => options.join("; "),
        Value::User(id) => email_of(*id).unwrap_or_default(),
    }
}
