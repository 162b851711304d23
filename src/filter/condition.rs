//! What one operator asks of its values: which types take it, how its values are read, and the test it becomes.

use std::collections::HashSet;
use std::ops::Bound;

use entity::UserId;
use entity::attribute::{self, AttributeType};

use super::check::{Checker, Finding};
use super::day::RelativeDay;
use super::{Condition, Scalar, Test, VALUES};
use crate::value::{DateFormat, Email, Key, Value, fold, nearest, nfc, parse, shorten};

/// What a condition is about.
pub(super) struct Subject<'a> {
    /// Its name in messages.
    name: &'a str,
    r#type: AttributeType,
    /// Emails of users and accounts are compared in their normal form, everything else that is text folded.
    is_address: bool,
    attribute: Option<&'a attribute::Model>,
    /// The attribute's options, folded: once for all values of a condition.
    options: HashSet<String>,
}

impl<'a> Subject<'a> {
    pub(super) fn text(name: &'a str) -> Self {
        Self { name, r#type: AttributeType::Text, is_address: false, attribute: None, options: HashSet::new() }
    }

    pub(super) fn email(name: &'a str) -> Self {
        Self { name, r#type: AttributeType::Email, is_address: true, attribute: None, options: HashSet::new() }
    }

    pub(super) fn attribute(attribute: &'a attribute::Model) -> Self {
        let options = options(attribute).map(fold).collect();
        Self { name: &attribute.key, r#type: attribute.r#type, is_address: false, attribute: Some(attribute), options }
    }
}

/// The operators that a type takes: for the check, for messages, and to be offered.
pub(super) fn operators(r#type: AttributeType) -> &'static [&'static str] {
    match r#type {
        AttributeType::Text | AttributeType::Email | AttributeType::Url | AttributeType::Select => {
            &["equals", "in", "contains", "startsWith", "endsWith", "isEmpty"]
        }
        AttributeType::Number | AttributeType::Date => {
            &["equals", "in", "lessThan", "atMost", "greaterThan", "atLeast", "between", "isEmpty"]
        }
        AttributeType::Boolean => &["equals", "isEmpty"],
        AttributeType::MultiSelect => &["hasAny", "hasAll", "isEmpty"],
        AttributeType::User => &["equals", "in", "reportsTo", "isEmpty"],
        AttributeType::Integration => &[],
    }
}

/// The options of an attribute.
pub(super) fn options(attribute: &attribute::Model) -> impl Iterator<Item = &str> {
    attribute.options.as_array().into_iter().flatten().filter_map(serde_json::Value::as_str)
}

/// The operator's name as clients write it.
pub(super) fn operator(condition: &Condition) -> &'static str {
    match condition {
        Condition::Equals(_) => "equals",
        Condition::In(_) => "in",
        Condition::Contains(_) => "contains",
        Condition::StartsWith(_) => "startsWith",
        Condition::EndsWith(_) => "endsWith",
        Condition::IsEmpty(_) => "isEmpty",
        Condition::LessThan(_) => "lessThan",
        Condition::AtMost(_) => "atMost",
        Condition::GreaterThan(_) => "greaterThan",
        Condition::AtLeast(_) => "atLeast",
        Condition::Between(_) => "between",
        Condition::HasAny(_) => "hasAny",
        Condition::HasAll(_) => "hasAll",
        Condition::ReportsTo(_) => "reportsTo",
    }
}

impl Checker<'_> {
    /// The test that a condition on `subject` becomes.
    pub(super) fn test(&mut self, condition: &Condition, subject: &Subject<'_>, path: &str) -> Option<Test> {
        let name = operator(condition);
        let path = format!("{path}.{name}");
        let operators = operators(subject.r#type);
        if !operators.contains(&name) {
            let message = format!("`{}` does not take {name}; it takes {}", subject.name, operators.join(", "));
            let finding = Finding::new(path, "WRONG_OPERATOR", message);
            return self.report(Finding { operators, ..finding });
        }
        let range = |from, to| Some(Test::Range { from, to });
        match condition {
            Condition::IsEmpty(truth) => Some(Test::IsEmpty(*truth)),
            Condition::Equals(value) => self.key(value, subject, &path).map(|key| Test::In(vec![key])),
            Condition::In(values) => self
                .keys(values, &path, "to find nobody write `any: []`", |checker, value, path| {
                    checker.key(value, subject, path)
                })
                .map(Test::In),
            Condition::Contains(text) => self.pattern(text, subject, &path).map(Test::Contains),
            Condition::StartsWith(text) => self.pattern(text, subject, &path).map(Test::StartsWith),
            Condition::EndsWith(text) => self.pattern(text, subject, &path).map(Test::EndsWith),
            Condition::LessThan(value) => range(Bound::Unbounded, Bound::Excluded(self.key(value, subject, &path)?)),
            Condition::AtMost(value) => range(Bound::Unbounded, Bound::Included(self.key(value, subject, &path)?)),
            Condition::GreaterThan(value) => range(Bound::Excluded(self.key(value, subject, &path)?), Bound::Unbounded),
            Condition::AtLeast(value) => range(Bound::Included(self.key(value, subject, &path)?), Bound::Unbounded),
            Condition::Between(between) => {
                let from = self.key(&between.from, subject, &format!("{path}.from"));
                let to = self.key(&between.to, subject, &format!("{path}.to"));
                let (from, to) = (from?, to?);
                // A range that moves with today, or one end of which does, may be empty on one day and not on another.
                let moves = [&between.from, &between.to].into_iter().any(|end| is_relative(subject, end));
                if from > to && !moves {
                    let message = "`from` is greater than `to`, so nothing lies between; swap them".to_owned();
                    return self.refuse(path, "EMPTY_RANGE", message);
                }
                range(Bound::Included(from), Bound::Included(to))
            }
            Condition::HasAny(options) => self.options(options, subject, &path, "any: []").map(Test::HasAny),
            Condition::HasAll(options) => self.options(options, subject, &path, "all: []").map(Test::HasAll),
            Condition::ReportsTo(reference) => self.user(reference, &path).map(Test::ReportsTo),
        }
    }

    /// The keys of a list, in order and without duplicates.
    fn keys<T>(
        &mut self,
        values: &[T],
        path: &str,
        instead: &str,
        mut read: impl FnMut(&mut Self, &T, &str) -> Option<Key>,
    ) -> Option<Vec<Key>> {
        if values.is_empty() {
            let message = format!("the list is empty; name at least one value, or {instead}");
            return self.refuse(path, "EMPTY_LIST", message);
        }
        if values.len() > VALUES {
            let message = format!("a list has at most {VALUES} values; this has {}", values.len());
            return self.refuse(path, "LIMIT_EXCEEDED", message);
        }
        let mut keys = Some(Vec::with_capacity(values.len()));
        for (at, value) in values.iter().enumerate() {
            if self.is_full() {
                return None;
            }
            match (read(self, value, &format!("{path}[{at}]")), &mut keys) {
                (Some(key), Some(keys)) => keys.push(key),
                _ => keys = None,
            }
        }
        let mut keys = keys?;
        keys.sort();
        keys.dedup();
        Some(keys)
    }

    fn options(&mut self, options: &[String], subject: &Subject<'_>, path: &str, instead: &str) -> Option<Vec<Key>> {
        self.keys(options, path, &format!("write `{instead}`"), |checker, option, path| {
            checker.option(option, subject, path)
        })
    }

    fn option(&mut self, text: &str, subject: &Subject<'_>, path: &str) -> Option<Key> {
        let attribute = subject.attribute?;
        if subject.options.contains(&fold(text)) {
            let key = Key::text(text);
            self.references.options.insert((attribute.key.clone(), key.clone()));
            return Some(key);
        }
        let near = nearest(text, options(attribute));
        let hint = match near {
            Some(near) => format!("did you mean `{near}`?"),
            None => format!("its options are {}", shorten(&options(attribute).collect::<Vec<_>>().join(", "))),
        };
        let message = format!("`{}` is not an option of `{}`; {hint}", shorten(text), attribute.key);
        self.report(Finding::new(path, "UNKNOWN_OPTION", message).meant(near))
    }

    fn user(&mut self, reference: &str, path: &str) -> Option<UserId> {
        match (self.catalogue.find_user)(reference.trim()) {
            Some(id) => {
                self.references.users.insert(id);
                Some(id)
            }
            None => {
                let message =
                    format!("`{}` is no user; write a user id (usr_…) or one of the user's emails", shorten(reference));
                self.refuse(path, "UNKNOWN_USER", message)
            }
        }
    }

    fn pattern(&mut self, text: &str, subject: &Subject<'_>, path: &str) -> Option<String> {
        if text.is_empty() {
            let message = "the text is empty, which every value would match; write `isEmpty: false`".to_owned();
            return self.refuse(path, "EMPTY_TEXT", message);
        }
        let inner = text.trim();
        let folded = if subject.is_address { nfc(inner).to_lowercase() } else { fold(inner) };
        // Blanks at the ends are part of a pattern ("starts with `van `"), unlike those of a value.
        let lead = &text[..text.len() - text.trim_start().len()];
        let trail = if inner.is_empty() { "" } else { &text[text.trim_end().len()..] };
        Some(format!("{lead}{folded}{trail}"))
    }

    fn key(&mut self, value: &Scalar, subject: &Subject<'_>, path: &str) -> Option<Key> {
        let wanted = match (subject.r#type, value) {
            (AttributeType::Boolean, Scalar::Boolean(truth)) => return Some(Key::boolean(*truth)),
            (AttributeType::Number, Scalar::Number(number)) if number.is_finite() => {
                return Some(Key::number(*number));
            }
            (AttributeType::Select, Scalar::Text(text)) => return self.option(text, subject, path),
            (AttributeType::User, Scalar::Text(text)) => return self.user(text, path).map(|id| Key::user(id.0)),
            (AttributeType::Date, Scalar::Text(text)) => return self.date(text, subject, path),
            (AttributeType::Email, Scalar::Text(text)) => {
                return match Email::parse(text) {
                    Ok(email) if subject.is_address => Some(Key::verbatim(email.as_str().as_bytes())),
                    Ok(email) => Some(Key::text(email.as_str())),
                    Err(message) => self.refuse(path, "NOT_AN_EMAIL", message),
                };
            }
            (AttributeType::Text | AttributeType::Url, Scalar::Text(text)) => {
                if text.trim().is_empty() {
                    let message = "no value is empty text; write `isEmpty: true`".to_owned();
                    return self.refuse(path, "EMPTY_TEXT", message);
                }
                return Some(Key::text(text));
            }
            (AttributeType::Boolean, _) => "true or false, without quotes",
            (AttributeType::Number, _) => "a number, without quotes",
            (AttributeType::Date, _) => "a date as text, YYYY-MM-DD, or one relative to today, such as now-90d",
            (AttributeType::User, _) => "a user id (usr_…) or an email as text",
            (_, Scalar::Boolean(_) | Scalar::Number(_) | Scalar::Text(_)) => "text, in quotes",
        };
        self.refuse(path, "WRONG_TYPE", format!("`{}` takes {wanted}", subject.name))
    }

    fn date(&mut self, text: &str, subject: &Subject<'_>, path: &str) -> Option<Key> {
        match RelativeDay::read(text.trim()) {
            None => {}
            Some(Err(message)) => return self.refuse(path, "NOT_A_DATE", message),
            Some(Ok(day)) => {
                self.references.is_relative = true;
                return day.on(self.catalogue.today).map(Key::date);
            }
        }
        match parse(subject.attribute?, text, &DateFormat::default(), |_| None) {
            Ok(Some(Value::Date(day))) => Some(Key::date(day)),
            // What the reader of values says is about a file's column.
            Ok(_) | Err(("NOT_A_DATE", _)) => {
                let message = format!(
                    "`{}` is not a date; write it as YYYY-MM-DD, or relative to today, such as now-90d",
                    shorten(text)
                );
                self.refuse(path, "NOT_A_DATE", message)
            }
            Err((code, message)) => self.refuse(path, code, message),
        }
    }
}

/// Whether a value is a day that is told from today.
fn is_relative(subject: &Subject<'_>, value: &Scalar) -> bool {
    matches!(value, Scalar::Text(text) if RelativeDay::read(text.trim()).is_some())
        && subject.r#type == AttributeType::Date
}
