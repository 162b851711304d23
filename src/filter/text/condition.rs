//! From tokens to the tree: one condition, on an attribute, an account or an org unit.

use std::ops::Range;

use entity::integration::IntegrationKind;
use sea_orm::ActiveEnum;

use super::lex::Kind;
use super::parse::{Branch, Parser, Result};
use super::place::{Place, Spans};
use super::violation::TextViolation;
use super::{OPERATORS, keyword, quoted};
use crate::filter::check::hint;
use crate::filter::{AccountFilter, AttributeFilter, Between, Condition, Filter, OrgUnitFilter, Scalar, VALUES};
use crate::value::{GlobalId, fold, nearest, shorten};

/// What can be asked of an account.
pub(super) const ACCOUNT: [&str; 6] = ["integration", "kind", "username", "email", "displayName", "isBot"];

/// What can stand for a value.
const VALUE: [&str; 4] = ["a text in quotes", "a number", "true", "false"];

/// A condition that was read.
struct Reading {
    condition: Condition,
    /// `ne` stood for the complement of `eq`.
    is_negated: bool,
    spans: Spans,
}

/// The operators of the tree as text has them; `ne` is not for accounts.
pub(super) fn spelled(operators: &[&str], is_of_account: bool) -> Vec<&'static str> {
    let known = OPERATORS.iter().filter(|(word, _)| !is_of_account || *word != "ne");
    known.filter(|(_, operator)| operators.contains(operator)).map(|(word, _)| *word).collect()
}

impl Parser<'_, '_> {
    /// A condition on the name, the email or a custom attribute.
    pub(super) fn attribute(&mut self) -> Result<Branch> {
        self.count()?;
        let token = self.take()?;
        let written = match token.kind {
            Kind::Word(word) => word.to_owned(),
            Kind::Text(text) => text,
            Kind::Number(_) | Kind::Sign(_) | Kind::End => return Err(self.expected(&["an attribute"])),
        };
        let key = self.names.attribute(&written).map(|attribute| attribute.key.clone()).unwrap_or(written);
        let folded = fold(&key);
        if folded == "integration" {
            let message = "`integration` is built in; write `accounts[integration eq \"…\"]`";
            return Err(TextViolation::new(self.text, token.span, "BUILT_IN_ATTRIBUTE", message));
        }
        let Reading { condition, is_negated, spans } = self.condition(token.span)?;
        let filter = match folded.as_str() {
            "name" => Filter::Name(condition),
            "email" => Filter::Email(condition),
            _ => Filter::Attribute(AttributeFilter { key, is: condition }),
        };
        let place = Place::Condition(spans);
        let span = place.span();
        let branch = Branch::leaf(filter, place);
        if is_negated { self.not(branch, span) } else { Ok(branch) }
    }

    /// `reportsTo` without an attribute: by the only one that names a user.
    pub(super) fn reports_to(&mut self) -> Result<Branch> {
        self.count()?;
        let names = self.names;
        let mut by = names.user_attributes();
        let key = match (by.next(), by.next()) {
            (Some(only), None) => only.key.clone(),
            (None, _) => {
                let message = "no attribute is of type USER, so nobody reports to anybody";
                return Err(self.refuse("UNKNOWN_ATTRIBUTE", message));
            }
            (Some(_), Some(_)) => {
                let each: Vec<String> =
                    names.user_attributes().map(|attribute| format!("{} reportsTo", attribute.key)).collect();
                return Err(self.expected(&each));
            }
        };
        let word = self.take()?.span;
        let mut values = Vec::new();
        let is = Condition::ReportsTo(self.string(&mut values)?);
        let spans = Spans { subject: word.clone(), operator: word, values };
        Ok(Branch::leaf(Filter::Attribute(AttributeFilter { key, is }), Place::Condition(spans)))
    }

    /// `memberOf "A/B"`, and `withDescendants`.
    pub(super) fn member_of(&mut self) -> Result<Branch> {
        self.count()?;
        let word = self.take()?.span;
        let mut values = Vec::new();
        let written = self.string(&mut values)?;
        let id = self.names.org_unit(&written).map(GlobalId::to_global).unwrap_or(written);
        let descendants = self.is_word("withDescendants");
        if descendants {
            self.take()?;
        }
        let spans = Spans { subject: word.clone(), operator: word, values };
        Ok(Branch::leaf(Filter::OrgUnit(OrgUnitFilter { id, descendants }), Place::Condition(spans)))
    }

    /// `accounts pr`, or `accounts[…]`.
    pub(super) fn accounts(&mut self) -> Result<Branch> {
        let start = self.take()?.span.start;
        let mut account = AccountFilter::default();
        let mut conditions = Vec::new();
        if self.is_word("pr") {
            self.count()?;
            let span = start..self.take()?.span.end;
            return Ok(Branch::leaf(Filter::Account(account), Place::Account { span, conditions }));
        }
        if self.token.kind != Kind::Sign('[') {
            return Err(self.expected(&["[", "pr"]));
        }
        self.take()?;
        loop {
            let condition = self.of_account(&mut account, &conditions)?;
            conditions.push(condition);
            if self.is_word("or") {
                let message = "conditions on one account have `and` between them; for either, write \
                               `accounts[…] or accounts[…]`";
                return Err(TextViolation {
                    expected: vec!["and".into(), "]".into()],
                    ..self.refuse("SYNTAX", message)
                });
            }
            if !self.is_word("and") {
                break;
            }
            self.take()?;
        }
        if self.token.kind != Kind::Sign(']') {
            return Err(self.expected(&["and", "]"]));
        }
        if [&account.username, &account.email, &account.display_name].iter().all(|condition| condition.is_none()) {
            self.count()?;
        }
        let span = start..self.take()?.span.end;
        Ok(Branch::leaf(Filter::Account(account), Place::Account { span, conditions }))
    }

    /// One of the conditions within `accounts[…]`.
    fn of_account(
        &mut self,
        account: &mut AccountFilter,
        before: &[(&'static str, Spans)],
    ) -> Result<(&'static str, Spans)> {
        let Kind::Word(word) = self.token.kind else { return Err(self.expected(&ACCOUNT)) };
        if word.eq_ignore_ascii_case("not") {
            return Err(self.no_complement());
        }
        let Some(name) = keyword(&ACCOUNT, word) else {
            let message = format!("an account has no `{}`", shorten(word));
            let violation = self.refuse("UNKNOWN_ATTRIBUTE", message).meant(nearest(word, ACCOUNT));
            return Err(TextViolation { expected: ACCOUNT.map(str::to_owned).to_vec(), ..violation });
        };
        if before.iter().any(|(known, _)| *known == name) {
            return Err(self.refuse("SYNTAX", format!("`{name}` was asked already; `accounts[…]` asks each once")));
        }
        let subject = self.take()?.span;
        if let "integration" | "kind" | "isBot" = name {
            let mut spans = Spans { subject, operator: self.token.span.clone(), values: Vec::new() };
            if !self.is_word("eq") {
                return Err(self.expected(&["eq"]));
            }
            self.take()?;
            match name {
                "integration" => account.integration = Some(self.string(&mut spans.values)?),
                "kind" => account.kind = Some(self.kind(&mut spans.values)?),
                _ => account.is_bot = Some(self.truth(&mut spans.values)?),
            }
            return Ok((name, spans));
        }
        self.count()?;
        if self.is_word("ne") {
            return Err(self.no_complement());
        }
        let Reading { condition, spans, .. } = self.condition(subject)?;
        match name {
            "username" => account.username = Some(condition),
            "email" => account.email = Some(condition),
            _ => account.display_name = Some(condition),
        }
        Ok((name, spans))
    }

    fn no_complement(&self) -> TextViolation {
        let message = "within `accounts[…]` there is no complement; `not (accounts[…])` is that of the whole";
        self.refuse("SYNTAX", message)
    }

    /// An operator, and what it compares with.
    fn condition(&mut self, subject: Range<usize>) -> Result<Reading> {
        let words = OPERATORS.map(|(word, _)| word);
        let Kind::Word(word) = self.token.kind else { return Err(self.expected(&words)) };
        let Some(name) = keyword(&words, word) else {
            return Err(self.expected(&words).meant(nearest(word, words)));
        };
        let operator = self.take()?.span;
        let mut values = Vec::new();
        let condition = match name {
            "pr" => Condition::IsEmpty(false),
            "eq" | "ne" if self.is_word("null") => {
                values.push(self.take()?.span);
                Condition::IsEmpty(true)
            }
            "eq" | "ne" => Condition::Equals(self.scalar(&mut values)?),
            "co" => Condition::Contains(self.string(&mut values)?),
            "sw" => Condition::StartsWith(self.string(&mut values)?),
            "ew" => Condition::EndsWith(self.string(&mut values)?),
            "lt" => Condition::LessThan(self.scalar(&mut values)?),
            "le" => Condition::AtMost(self.scalar(&mut values)?),
            "gt" => Condition::GreaterThan(self.scalar(&mut values)?),
            "ge" => Condition::AtLeast(self.scalar(&mut values)?),
            "between" => {
                let from = self.scalar(&mut values)?;
                if !self.is_word("and") {
                    return Err(self.expected(&["and"]));
                }
                self.take()?;
                Condition::Between(Between { from, to: self.scalar(&mut values)? })
            }
            "in" => Condition::In(self.list(&mut values, Self::scalar)?),
            "hasAny" => Condition::HasAny(self.list(&mut values, Self::string)?),
            "hasAll" => Condition::HasAll(self.list(&mut values, Self::string)?),
            _ => Condition::ReportsTo(self.string(&mut values)?),
        };
        Ok(Reading { condition, is_negated: name == "ne", spans: Spans { subject, operator, values } })
    }

    /// Values in square brackets.
    fn list<T>(
        &mut self,
        spans: &mut Vec<Range<usize>>,
        read: fn(&mut Self, &mut Vec<Range<usize>>) -> Result<T>,
    ) -> Result<Vec<T>> {
        self.sign('[')?;
        let mut values = Vec::new();
        if self.token.kind != Kind::Sign(']') {
            values.push(read(self, spans)?);
        }
        while self.token.kind == Kind::Sign(',') && !values.is_empty() {
            self.take()?;
            if values.len() == VALUES {
                return Err(self.refuse("LIMIT_EXCEEDED", format!("a list has at most {VALUES} values")));
            }
            values.push(read(self, spans)?);
        }
        if self.token.kind != Kind::Sign(']') {
            return Err(self.expected(&[",", "]"]));
        }
        self.take()?;
        Ok(values)
    }

    /// A value of any type.
    fn scalar(&mut self, spans: &mut Vec<Range<usize>>) -> Result<Scalar> {
        let value = match &mut self.token.kind {
            Kind::Text(text) => Scalar::Text(std::mem::take(text)),
            Kind::Number(number) => Scalar::Number(*number),
            Kind::Word(word) => {
                let word = *word;
                let truth = keyword(&["true", "false"], word).ok_or_else(|| self.no_value(word, &VALUE))?;
                Scalar::Boolean(truth == "true")
            }
            Kind::Sign(_) | Kind::End => return Err(self.expected(&VALUE)),
        };
        spans.push(self.take()?.span);
        Ok(value)
    }

    /// A text.
    fn string(&mut self, spans: &mut Vec<Range<usize>>) -> Result<String> {
        let text = match &mut self.token.kind {
            Kind::Text(text) => std::mem::take(text),
            Kind::Word(word) => {
                let word = *word;
                return Err(self.no_value(word, &VALUE[..1]));
            }
            Kind::Number(_) | Kind::Sign(_) | Kind::End => return Err(self.expected(&VALUE[..1])),
        };
        spans.push(self.take()?.span);
        Ok(text)
    }

    fn kind(&mut self, spans: &mut Vec<Range<usize>>) -> Result<IntegrationKind> {
        let span = self.token.span.clone();
        let written = self.string(spans)?;
        IntegrationKind::try_from_value(&written.to_uppercase()).map_err(|_| {
            let known = IntegrationKind::values();
            let near = nearest(&written, known.iter().map(String::as_str));
            let message = format!("there is no kind `{}`{}", shorten(&written), hint(near));
            let suggestion = near.map(quoted);
            let expected = known.iter().map(|kind| quoted(kind)).collect();
            TextViolation { suggestion, expected, ..TextViolation::new(self.text, span, "UNKNOWN_OPTION", message) }
        })
    }

    fn truth(&mut self, spans: &mut Vec<Range<usize>>) -> Result<bool> {
        let truth = match self.token.kind {
            Kind::Word(word) => keyword(&["true", "false"], word),
            _ => None,
        };
        let Some(truth) = truth else { return Err(self.expected(&["true", "false"])) };
        spans.push(self.take()?.span);
        Ok(truth == "true")
    }

    /// What is wrong with a word where a value is expected.
    fn no_value(&self, word: &str, expected: &[&str]) -> TextViolation {
        let lower = word.to_ascii_lowercase();
        let violation = if lower == "null" {
            self.refuse("SYNTAX", "`null` stands only after `eq` and `ne`")
        } else if lower == "now" || lower.starts_with("now-") {
            self.refuse("NOT_A_DATE", "a date is a day, and written \"YYYY-MM-DD\"; none is relative to now")
        } else {
            let is_short = shorten(word) == word;
            self.expected(expected).meant(is_short.then(|| quoted(word)).as_deref())
        };
        TextViolation { expected: expected.iter().map(|item| (*item).to_owned()).collect(), ..violation }
    }
}
