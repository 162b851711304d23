//! From tokens to the tree: one condition, on an attribute, an account or an org unit.

use std::ops::Range;

use entity::attribute::AttributeType;
use entity::integration::IntegrationKind;
use sea_orm::ActiveEnum;

use super::expect::{About, Item};
use super::lex::Kind;
use super::parse::{Branch, Parser, Result, too_deep};
use super::place::{Place, Spans};
use super::violation::TextViolation;
use super::{OPERATORS, keyword, quoted};
use crate::filter::check::hint;
use crate::filter::condition::operators;
use crate::filter::day::RelativeDay;
use crate::filter::{AccountFilter, AttributeFilter, Between, Condition, Filter, OrgUnitFilter, Scalar, VALUES};
use crate::value::{GlobalId, fold, nearest, shorten};

/// What can be asked of an account.
pub(super) const ACCOUNT: [&str; 6] = ["integration", "kind", "username", "email", "displayName", "isBot"];

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

impl<'n> Parser<'_, 'n> {
    /// A condition on the name, the email or a custom attribute.
    pub(super) fn attribute(&mut self) -> Result<Branch> {
        self.count()?;
        let token = self.take()?;
        let written = match token.kind {
            Kind::Word(word) => word.to_owned(),
            Kind::Text(text) => text,
            Kind::Number(_) | Kind::Sign(_) | Kind::End => return Err(self.unexpected()),
        };
        let names = self.names;
        let known = names.attribute(&written);
        let key = known.map(|attribute| attribute.key.clone()).unwrap_or(written);
        let folded = fold(&key);
        let about = match (folded.as_str(), known) {
            ("integration", _) => {
                let message = "`integration` is built in; write `accounts[integration eq \"…\"]`";
                return Err(TextViolation::new(self.text, token.span, "BUILT_IN_ATTRIBUTE", message));
            }
            ("name", _) => About::Name,
            ("email", _) => About::Email,
            (_, Some(attribute)) => About::Attribute(attribute),
            (_, None) => About::Unknown,
        };
        let Reading { condition, is_negated, spans } = self.condition(token.span, about)?;
        let filter = match about {
            About::Name => Filter::Name(condition),
            About::Email => Filter::Email(condition),
            _ => Filter::Attribute(AttributeFilter { key, is: condition }),
        };
        let place = Place::Condition(spans);
        let span = place.span();
        let branch = Branch::leaf(filter, place);
        Ok(if is_negated { Branch::not(branch, span) } else { branch })
    }

    /// `reportsTo` without an attribute: by the only one that names a user.
    pub(super) fn reports_to(&mut self) -> Result<Branch> {
        self.count()?;
        let names = self.names;
        let mut by = names.user_attributes();
        let only = match (by.next(), by.next()) {
            (Some(only), None) => only,
            (None, _) => {
                let message = "no attribute is of type USER, so nobody reports to anybody";
                return Err(self.refuse("UNKNOWN_ATTRIBUTE", message));
            }
            (Some(_), Some(_)) => {
                let each: Vec<String> =
                    names.user_attributes().map(|attribute| format!("{} reportsTo", attribute.key)).collect();
                let each: Vec<&str> = each.iter().map(String::as_str).collect();
                return Err(TextViolation::expected(self.text, self.token.span.clone(), &each));
            }
        };
        let word = self.take()?.span;
        let mut values = Vec::new();
        let is = Condition::ReportsTo(self.string(&mut values, About::Attribute(only))?);
        let spans = Spans { subject: word.clone(), operator: word, values };
        let filter = Filter::Attribute(AttributeFilter { key: only.key.clone(), is });
        Ok(Branch::leaf(filter, Place::Condition(spans)))
    }

    /// `memberOf "A/B"`, and `withDescendants`.
    pub(super) fn member_of(&mut self) -> Result<Branch> {
        self.count()?;
        let word = self.take()?.span;
        let mut values = Vec::new();
        let written = self.string(&mut values, About::OrgUnit)?;
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
        self.sign("[")?;
        loop {
            let condition = self.of_account(&mut account, &conditions)?;
            conditions.push(condition);
            if self.has_word("or") {
                let message = "conditions on one account have `and` between them; for either, write \
                               `accounts[…] or accounts[…]`";
                return Err(TextViolation {
                    expected: vec!["and".into(), "]".into()],
                    ..self.refuse("SYNTAX", message)
                });
            }
            let has_more = self.askable(&conditions).next().is_some();
            if !(if has_more { self.is_word("and") } else { self.has_word("and") }) {
                break;
            }
            self.take()?;
        }
        if [&account.username, &account.email, &account.display_name].iter().all(|condition| condition.is_none()) {
            self.count()?;
        }
        let span = start..self.sign("]")?.span.end;
        Ok(Branch::leaf(Filter::Account(account), Place::Account { span, conditions }))
    }

    /// What can still be asked of an account.
    fn askable(&self, before: &[(&'static str, Spans)]) -> impl Iterator<Item = &'static str> {
        let is_free = |name: &&str| matches!(*name, "integration" | "kind" | "isBot");
        let has_room = self.has_room();
        ACCOUNT
            .into_iter()
            .filter(move |name| has_room || is_free(name))
            .filter(|name| before.iter().all(|(known, _)| known != name))
    }

    /// One of the conditions within `accounts[…]`.
    fn of_account(
        &mut self,
        account: &mut AccountFilter,
        before: &[(&'static str, Spans)],
    ) -> Result<(&'static str, Spans)> {
        let askable: Vec<Item<'n>> = self.askable(before).map(Item::Literal).collect();
        self.expected.extend(askable);
        let Kind::Word(word) = self.token.kind else { return Err(self.unexpected()) };
        if word.eq_ignore_ascii_case("not") {
            return Err(self.no_complement());
        }
        let Some(name) = keyword(&ACCOUNT, word) else {
            let message = format!("an account has no `{}`", shorten(word));
            let violation = self.refuse("UNKNOWN_ATTRIBUTE", message).meant(nearest(word, ACCOUNT));
            return Err(TextViolation { expected: self.unexpected().expected, ..violation });
        };
        if before.iter().any(|(known, _)| *known == name) {
            return Err(self.refuse("SYNTAX", format!("`{name}` was asked already; `accounts[…]` asks each once")));
        }
        if let "integration" | "kind" | "isBot" = name {
            let subject = self.take()?.span;
            let operator = self.word("eq")?.span;
            let mut spans = Spans { subject, operator, values: Vec::new() };
            match name {
                "integration" => account.integration = Some(self.string(&mut spans.values, About::Integration)?),
                "kind" => account.kind = Some(self.kind(&mut spans.values)?),
                _ => account.is_bot = Some(self.truth(&mut spans.values)?),
            }
            return Ok((name, spans));
        }
        self.count()?;
        let subject = self.take()?.span;
        if self.has_word("ne") {
            return Err(self.no_complement());
        }
        let r#type = if name == "email" { AttributeType::Email } else { AttributeType::Text };
        let Reading { condition, spans, .. } = self.condition(subject, About::Account(r#type))?;
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

    /// The operators that can stand behind a subject.
    fn operators(&self, about: About<'n>) -> Vec<&'static str> {
        let is_of_account = matches!(about, About::Account(_));
        let mut fitting = match about.r#type() {
            Some(r#type) => spelled(operators(r#type), is_of_account),
            None => OPERATORS.map(|(word, _)| word).to_vec(),
        };
        fitting.retain(|word| *word != "ne" || self.has_depth());
        fitting
    }

    /// An operator, and what it compares with.
    fn condition(&mut self, subject: Range<usize>, about: About<'n>) -> Result<Reading> {
        let fitting = self.operators(about);
        self.expected.extend(fitting.iter().copied().map(Item::Literal));
        let Kind::Word(word) = self.token.kind else { return Err(self.unexpected()) };
        let words = OPERATORS.map(|(word, _)| word);
        let Some(name) = keyword(&words, word) else {
            // The tree's name of an operator is as good as its own.
            let of_tree = OPERATORS.iter().find(|(_, operator)| operator.eq_ignore_ascii_case(word));
            return Err(self.unexpected().meant(of_tree.map(|(word, _)| *word).or_else(|| nearest(word, fitting))));
        };
        if name == "ne" && !self.has_depth() {
            return Err(self.refuse("LIMIT_EXCEEDED", too_deep()));
        }
        let operator = self.take()?.span;
        let mut values = Vec::new();
        let condition = match name {
            "pr" => Condition::IsEmpty(false),
            "eq" | "ne" if self.is_word("null") => {
                values.push(self.take()?.span);
                Condition::IsEmpty(true)
            }
            "eq" | "ne" => Condition::Equals(self.scalar(&mut values, about)?),
            "co" => Condition::Contains(self.string(&mut values, about)?),
            "sw" => Condition::StartsWith(self.string(&mut values, about)?),
            "ew" => Condition::EndsWith(self.string(&mut values, about)?),
            "lt" => Condition::LessThan(self.scalar(&mut values, about)?),
            "le" => Condition::AtMost(self.scalar(&mut values, about)?),
            "gt" => Condition::GreaterThan(self.scalar(&mut values, about)?),
            "ge" => Condition::AtLeast(self.scalar(&mut values, about)?),
            "between" => {
                let from = self.scalar(&mut values, about)?;
                self.word("and")?;
                Condition::Between(Between { from, to: self.scalar(&mut values, about)? })
            }
            "in" => Condition::In(self.list(&mut values, about, Self::scalar)?),
            "hasAny" => Condition::HasAny(self.list(&mut values, about, Self::string)?),
            "hasAll" => Condition::HasAll(self.list(&mut values, about, Self::string)?),
            _ => Condition::ReportsTo(self.string(&mut values, about)?),
        };
        Ok(Reading { condition, is_negated: name == "ne", spans: Spans { subject, operator, values } })
    }

    /// Values in square brackets.
    fn list<T>(
        &mut self,
        spans: &mut Vec<Range<usize>>,
        about: About<'n>,
        read: fn(&mut Self, &mut Vec<Range<usize>>, About<'n>) -> Result<T>,
    ) -> Result<Vec<T>> {
        self.sign("[")?;
        let mut values = Vec::new();
        // An empty list is read, for the check to say what stands for it.
        if self.token.kind == Kind::Sign(']') {
            self.take()?;
            return Ok(values);
        }
        loop {
            values.push(read(self, spans, about)?);
            if values.len() == VALUES && self.token.kind == Kind::Sign(',') {
                self.take()?;
                return Err(self.refuse("LIMIT_EXCEEDED", format!("a list has at most {VALUES} values")));
            }
            if values.len() == VALUES || !self.is_sign(",") {
                self.sign("]")?;
                return Ok(values);
            }
            self.take()?;
        }
    }

    /// A value of any type.
    fn scalar(&mut self, spans: &mut Vec<Range<usize>>, about: About<'n>) -> Result<Scalar> {
        let (text, number) = (Item::Text(about), Item::Number(about));
        let (yes, no) = (Item::Literal("true"), Item::Literal("false"));
        match about.r#type() {
            None => self.expected.extend([text, number, yes, no]),
            Some(AttributeType::Boolean) => self.expected.extend([yes, no]),
            Some(AttributeType::Number) => self.expected.push(number),
            Some(AttributeType::Date) => self.expected.push(Item::Day(about)),
            Some(_) => self.expected.push(text),
        }
        let value = match &mut self.token.kind {
            Kind::Text(text) => Scalar::Text(std::mem::take(text)),
            Kind::Number(number) => Scalar::Number(*number),
            Kind::Word(word) => {
                let word = *word;
                match (keyword(&["true", "false"], word), RelativeDay::read(word)) {
                    (Some(truth), _) => Scalar::Boolean(truth == "true"),
                    (None, Some(day)) => Scalar::Text(self.relative(word, day, about)?),
                    (None, None) => return Err(self.no_value(word)),
                }
            }
            Kind::Sign(_) | Kind::End => return Err(self.unexpected()),
        };
        spans.push(self.take()?.span);
        Ok(value)
    }

    /// A day that is told from today, as the tree has it.
    fn relative(&self, word: &str, day: std::result::Result<RelativeDay, String>, about: About<'n>) -> Result<String> {
        match (about.r#type(), day) {
            (None | Some(AttributeType::Date), Ok(day)) => Ok(day.to_string()),
            (None | Some(AttributeType::Date), Err(message)) => Err(self.refuse("NOT_A_DATE", message)),
            (Some(_), _) => {
                let message = "only with attributes of type DATE a value is told from today; text stands in quotes";
                let TextViolation { expected, suggestion, .. } = self.no_value(word);
                Err(TextViolation { expected, suggestion, ..self.refuse("WRONG_TYPE", message) })
            }
        }
    }

    /// A text.
    fn string(&mut self, spans: &mut Vec<Range<usize>>, about: About<'n>) -> Result<String> {
        self.expected.push(Item::Text(about));
        let text = match &mut self.token.kind {
            Kind::Text(text) => std::mem::take(text),
            Kind::Word(word) => {
                let word = *word;
                return Err(self.no_value(word));
            }
            Kind::Number(_) | Kind::Sign(_) | Kind::End => return Err(self.unexpected()),
        };
        spans.push(self.take()?.span);
        Ok(text)
    }

    fn kind(&mut self, spans: &mut Vec<Range<usize>>) -> Result<IntegrationKind> {
        let span = self.token.span.clone();
        let written = self.string(spans, About::Kind)?;
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
        let truth = self.is_word("true");
        if !truth && !self.is_word("false") {
            return Err(self.unexpected());
        }
        spans.push(self.take()?.span);
        Ok(truth)
    }

    /// What is wrong with a word where a value is expected.
    fn no_value(&self, word: &str) -> TextViolation {
        let unexpected = self.unexpected();
        if word.eq_ignore_ascii_case("null") {
            let message = "`null` stands only after `eq` and `ne`";
            return TextViolation { expected: unexpected.expected, ..self.refuse("SYNTAX", message) };
        }
        let takes = self.expected.iter().any(|item| match item {
            Item::Text(_) => true,
            Item::Day(_) => word.starts_with(|c: char| c.is_ascii_digit()),
            _ => false,
        });
        let is_meant = takes && shorten(word) == word;
        unexpected.meant(is_meant.then(|| quoted(word)).as_deref())
    }
}
