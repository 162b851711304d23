//! From tree to text, in one canonical way.
//!
//! A list within a list stands in brackets, so that nobody needs to know what binds tighter; a list of one is its part.
//! Users, org units and integrations are named where the name leads back to the same one, and else stand by id.

use entity::attribute::AttributeType;
use entity::{IntegrationId, OrgUnitId, UserId};
use sea_orm::ActiveEnum;

use super::{Names, TEXT, named, parse, quoted};
use crate::filter::check::find_integration;
use crate::filter::day::RelativeDay;
use crate::filter::{AccountFilter, AttributeFilter, Condition, DEPTH, Filter, OrgUnitFilter, Scalar};
use crate::value::GlobalId;

/// A filter as text. Reading it gives the same filter, with the same users, org units and integrations.
///
/// None where the text could not be read back: it would be longer than [`TEXT`], or the filter nests deeper than
/// [`DEPTH`].
#[must_use]
pub fn print(filter: &Filter, names: &Names<'_>) -> Option<String> {
    let mut printer = Printer { names, text: String::new() };
    printer.node(filter, 1, false)?;
    Some(printer.text)
}

/// One printing under way. Its methods give none once the text is too long or the filter too deep.
struct Printer<'a> {
    names: &'a Names<'a>,
    text: String,
}

impl Printer<'_> {
    fn put(&mut self, text: &str) -> Option<()> {
        self.text.push_str(text);
        (self.text.len() <= TEXT).then_some(())
    }

    fn quote(&mut self, text: &str) -> Option<()> {
        self.put(&quoted(text))
    }

    fn node(&mut self, filter: &Filter, depth: usize, is_in_list: bool) -> Option<()> {
        if depth > DEPTH {
            return None;
        }
        match essence(filter) {
            Filter::All(parts) if parts.is_empty() => self.put("everybody"),
            Filter::Any(parts) if parts.is_empty() => self.put("nobody"),
            Filter::All(parts) => self.list(parts, " and ", depth, is_in_list),
            Filter::Any(parts) => self.list(parts, " or ", depth, is_in_list),
            Filter::Not(_) if depth == DEPTH => None,
            Filter::Not(part) => match essence(part) {
                Filter::Name(condition) if has_complement(condition) => self.condition("name", None, condition, true),
                Filter::Email(condition) if has_complement(condition) => self.condition("email", None, condition, true),
                Filter::Attribute(filter) if has_complement(&filter.is) => self.attribute(filter, true),
                part => {
                    self.put("not (")?;
                    self.node(part, depth + 1, false)?;
                    self.put(")")
                }
            },
            Filter::Name(condition) => self.condition("name", None, condition, false),
            Filter::Email(condition) => self.condition("email", None, condition, false),
            Filter::Attribute(filter) => self.attribute(filter, false),
            Filter::Account(account) => self.account(account),
            Filter::OrgUnit(filter) => self.org_unit(filter),
            Filter::Text(text) => {
                let tree = parse(text, self.names).ok()?.filter;
                self.node(&tree, depth, is_in_list)
            }
        }
    }

    fn list(&mut self, parts: &[Filter], between: &str, depth: usize, is_in_list: bool) -> Option<()> {
        if is_in_list {
            self.put("(")?;
        }
        for (at, part) in parts.iter().enumerate() {
            if at > 0 {
                self.put(between)?;
            }
            self.node(part, depth + 1, true)?;
        }
        if is_in_list { self.put(")") } else { Some(()) }
    }

    fn attribute(&mut self, filter: &AttributeFilter, is_negated: bool) -> Option<()> {
        let r#type = self.names.attribute(&filter.key).map(|attribute| attribute.r#type);
        self.condition(&named(&filter.key), r#type, &filter.is, is_negated)
    }

    /// A condition on what the text calls `subject`.
    fn condition(
        &mut self,
        subject: &str,
        r#type: Option<AttributeType>,
        condition: &Condition,
        is_negated: bool,
    ) -> Option<()> {
        self.put(subject)?;
        let equals = if is_negated { " ne " } else { " eq " };
        let day = r#type.filter(|r#type| *r#type == AttributeType::Date);
        match condition {
            Condition::IsEmpty(false) => self.put(" pr"),
            Condition::IsEmpty(true) => {
                self.put(equals)?;
                self.put("null")
            }
            Condition::Equals(value) => self.compare(equals, value, r#type),
            Condition::LessThan(value) => self.compare(" lt ", value, day),
            Condition::AtMost(value) => self.compare(" le ", value, day),
            Condition::GreaterThan(value) => self.compare(" gt ", value, day),
            Condition::AtLeast(value) => self.compare(" ge ", value, day),
            Condition::Contains(text) => self.pattern(" co ", text),
            Condition::StartsWith(text) => self.pattern(" sw ", text),
            Condition::EndsWith(text) => self.pattern(" ew ", text),
            Condition::Between(between) => {
                self.compare(" between ", &between.from, day)?;
                self.compare(" and ", &between.to, day)
            }
            Condition::In(values) => self.values(" in [", values, |printer, value| printer.scalar(value, r#type)),
            Condition::HasAny(options) => self.values(" hasAny [", options, |printer, option| printer.quote(option)),
            Condition::HasAll(options) => self.values(" hasAll [", options, |printer, option| printer.quote(option)),
            Condition::ReportsTo(user) => {
                self.put(" reportsTo ")?;
                self.reference(user, r#type)
            }
        }
    }

    fn compare(&mut self, operator: &str, value: &Scalar, r#type: Option<AttributeType>) -> Option<()> {
        self.put(operator)?;
        self.scalar(value, r#type)
    }

    fn pattern(&mut self, operator: &str, text: &str) -> Option<()> {
        self.put(operator)?;
        self.quote(text)
    }

    fn values<T>(
        &mut self,
        operator: &str,
        values: &[T],
        mut print: impl FnMut(&mut Self, &T) -> Option<()>,
    ) -> Option<()> {
        self.put(operator)?;
        for (at, value) in values.iter().enumerate() {
            if at > 0 {
                self.put(", ")?;
            }
            print(self, value)?;
        }
        self.put("]")
    }

    fn scalar(&mut self, value: &Scalar, r#type: Option<AttributeType>) -> Option<()> {
        match value {
            Scalar::Boolean(truth) => self.put(if *truth { "true" } else { "false" }),
            Scalar::Number(number) => self.put(&show(*number)),
            Scalar::Text(text) => self.reference(text, r#type),
        }
    }

    /// A text; a user by email, if that is a way back to the same user; a day relative to today without quotes.
    fn reference(&mut self, reference: &str, r#type: Option<AttributeType>) -> Option<()> {
        match (r#type, RelativeDay::read(reference)) {
            (Some(AttributeType::User), _) => {}
            (Some(AttributeType::Date), Some(Ok(day))) => return self.put(&day.to_string()),
            _ => return self.quote(reference),
        }
        let names = self.names;
        let named = UserId::parse(reference)
            .ok()
            .and_then(|id| (names.email_of)(id).filter(|email| (names.catalogue.find_user)(email) == Some(id)));
        self.quote(named.as_deref().unwrap_or(reference))
    }

    fn account(&mut self, account: &AccountFilter) -> Option<()> {
        let AccountFilter { integration, kind, username, email, display_name, is_bot } = account;
        if *account == AccountFilter::default() {
            return self.put("accounts pr");
        }
        let mut before = "accounts[";
        if let Some(integration) = integration {
            self.put(before)?;
            self.put("integration eq ")?;
            self.integration(integration)?;
            before = " and ";
        }
        if let Some(kind) = kind {
            self.put(before)?;
            self.put("kind eq ")?;
            self.quote(&kind.to_value())?;
            before = " and ";
        }
        for (name, condition) in [("username", username), ("email", email), ("displayName", display_name)] {
            if let Some(condition) = condition {
                self.put(before)?;
                self.condition(name, None, condition, false)?;
                before = " and ";
            }
        }
        if let Some(truth) = is_bot {
            self.put(before)?;
            self.put(if *truth { "isBot eq true" } else { "isBot eq false" })?;
        }
        self.put("]")
    }

    /// An integration by name, if that is a way back to the same one.
    fn integration(&mut self, reference: &str) -> Option<()> {
        let known = &self.names.catalogue.integrations;
        let id = IntegrationId::parse(reference).ok();
        let found = known.iter().find(|known| Some(known.id) == id);
        let leads_back =
            |name: &str| find_integration(self.names.catalogue, name).is_some_and(|known| Some(known.id) == id);
        let name = found.map(|known| known.name.as_str()).filter(|name| leads_back(name));
        self.quote(name.unwrap_or(reference))
    }

    /// An org unit by path, if that is a way back to the same one.
    fn org_unit(&mut self, filter: &OrgUnitFilter) -> Option<()> {
        let names = self.names;
        let path = OrgUnitId::parse(&filter.id)
            .ok()
            .and_then(|id| (names.path_of)(id).filter(|path| names.org_unit(path) == Some(id)));
        self.put("memberOf ")?;
        self.quote(path.as_deref().unwrap_or(&filter.id))?;
        if filter.descendants { self.put(" withDescendants") } else { Some(()) }
    }
}

/// A filter without lists of one around it.
fn essence(mut filter: &Filter) -> &Filter {
    while let Filter::All(parts) | Filter::Any(parts) = filter
        && let [only] = parts.as_slice()
    {
        filter = only;
    }
    filter
}

/// Whether the complement is written `ne`.
fn has_complement(condition: &Condition) -> bool {
    matches!(condition, Condition::Equals(_) | Condition::IsEmpty(true))
}

/// A number with few digits: as it is usually written, or with an exponent where that takes a long row of zeros.
pub(super) fn show(number: f64) -> String {
    if number == 0.0 || (1e-5..1e16).contains(&number.abs()) { number.to_string() } else { format!("{number:e}") }
}
