//! From a filter as written to one that can run: every name, type, operator and value is looked at, and everything that
//! is wrong is said at once.
//!
//! What does not live here: what one operator asks of its values (`condition`), and evaluating.

use std::collections::BTreeSet;
use std::sync::Arc;

use chrono::NaiveDate;
use entity::attribute::{self, AttributeType};
use entity::integration::{self, IntegrationKind};
use entity::{IntegrationId, OrgUnitId, UserId};
use serde::Serialize;

use super::condition::Subject;
use super::text::{Names, TextPlace, TextViolation, parse};
use super::{AccountFilter, AttributeFilter, CONDITIONS, Condition, DEPTH, Filter, OrgUnitFilter};
use crate::value::{GlobalId, Key, fold, nearest, shorten};

/// The most violations that one check reports; more would help nobody.
const REPORTED: usize = 100;

/// What filters can refer to, borrowed from whoever knows it.
pub struct Catalogue<'a> {
    /// The attributes, built-in ones included.
    pub attributes: &'a [Arc<attribute::Model>],
    /// The integrations.
    pub integrations: &'a [Arc<integration::Model>],
    /// Whether there is an org unit of this id.
    pub has_org_unit: &'a dyn Fn(OrgUnitId) -> bool,
    /// The user that a global id (`usr_…`) or an email names.
    pub find_user: &'a dyn Fn(&str) -> Option<UserId>,
    /// The day that `now` is.
    pub today: NaiveDate,
}

/// Something wrong in what a client wrote.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Violation {
    /// Where, such as `filter.all[1].attribute.is.equals`.
    pub path: String,
    /// What kind of mistake, in capitals; stable.
    pub code: &'static str,
    /// What is wrong and what would be right.
    pub message: String,
    /// Where in the text at `path`, if that is a filter as text.
    #[serde(flatten, skip_serializing_if = "Option::is_none")]
    pub place: Option<Box<TextPlace>>,
}

impl Violation {
    /// One that has no place but its path.
    #[must_use]
    pub fn new(path: impl Into<String>, code: &'static str, message: impl Into<String>) -> Self {
        Self { path: path.into(), code, message: message.into(), place: None }
    }
}

/// A violation, and what is told of it besides where a place has room for more than a message.
#[derive(Clone, Debug)]
pub(super) struct Finding {
    pub(super) violation: Violation,
    /// The name that was probably meant.
    pub(super) suggestion: Option<String>,
    /// The operators that would be right.
    pub(super) operators: &'static [&'static str],
}

impl Finding {
    pub(super) fn new(path: impl Into<String>, code: &'static str, message: String) -> Self {
        Self { violation: Violation::new(path, code, message), suggestion: None, operators: &[] }
    }

    /// One in the filter that stands as text at `path`.
    fn in_text(path: &str, text: &str, wrong: TextViolation) -> Self {
        let place = Some(Box::new(wrong.place(text)));
        let violation = Violation { place, ..Violation::new(path, wrong.code, wrong.message) };
        Self { violation, suggestion: None, operators: &[] }
    }

    /// With the name that was probably meant, if one is near.
    pub(super) fn meant(self, near: Option<&str>) -> Self {
        Self { suggestion: near.map(str::to_owned), ..self }
    }
}

/// A filter that was found right against a catalogue; only the check makes one. Days that are told from today are in it
/// as they were on the catalogue's day.
#[derive(Clone, Debug, PartialEq)]
pub struct Checked {
    root: Node,
    references: References,
}

/// What a filter refers to.
#[derive(Clone, Debug, Default, PartialEq)]
pub(super) struct References {
    pub(super) attributes: BTreeSet<String>,
    pub(super) options: BTreeSet<(String, Key)>,
    pub(super) org_units: BTreeSet<(OrgUnitId, bool)>,
    pub(super) users: BTreeSet<UserId>,
    pub(super) integrations: BTreeSet<IntegrationId>,
    /// Whether a day is told from today.
    pub(super) is_relative: bool,
}

/// A checked condition tree.
#[derive(Clone, Debug, PartialEq)]
pub enum Node {
    /// Every one of them holds; of none: everybody.
    All(Vec<Node>),
    /// At least one of them holds; of none: nobody.
    Any(Vec<Node>),
    /// The exact complement.
    Not(Box<Node>),
    /// About the folded name.
    Name(Test),
    /// About any of the emails.
    Email(Test),
    /// About the value of a custom attribute.
    Attribute {
        /// The attribute's key.
        key: String,
        /// The type that the test was made for.
        r#type: AttributeType,
        /// What must hold.
        test: Test,
    },
    /// Has an account for which all of this holds.
    Account(Account),
    /// Is a member of an org unit.
    OrgUnit {
        /// The unit.
        id: OrgUnitId,
        /// Whether members of the units below count too.
        descendants: bool,
    },
}

/// Checked conditions on one and the same account; what is none is not asked.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Account {
    /// The integration.
    pub integration: Option<IntegrationId>,
    /// The integration's kind.
    pub kind: Option<IntegrationKind>,
    /// About the folded username.
    pub username: Option<Test>,
    /// About the email.
    pub email: Option<Test>,
    /// About the folded display name.
    pub display_name: Option<Test>,
    /// Whether a program uses it.
    pub is_bot: Option<bool>,
}

/// What must hold of one value. Without a value only `IsEmpty(true)` holds.
#[derive(Clone, Debug, PartialEq)]
pub enum Test {
    /// Whether there is no value.
    IsEmpty(bool),
    /// Is one of these; in order, without duplicates.
    In(Vec<Key>),
    /// This folded text stands in it.
    Contains(String),
    /// Begins with this folded text.
    StartsWith(String),
    /// Ends with this folded text.
    EndsWith(String),
    /// Lies between the two.
    Range {
        /// The lower end.
        from: std::ops::Bound<Key>,
        /// The upper end.
        to: std::ops::Bound<Key>,
    },
    /// Has at least one of these options.
    HasAny(Vec<Key>),
    /// Has each of these options.
    HasAll(Vec<Key>),
    /// The value is this user, or somebody who reports to this user by the same attribute.
    ReportsTo(UserId),
}

impl Checked {
    /// The condition tree.
    #[must_use]
    pub fn root(&self) -> &Node {
        &self.root
    }

    /// Whether it means something else tomorrow: a day in it is told from today.
    #[must_use]
    pub fn is_relative(&self) -> bool {
        self.references.is_relative
    }

    /// The keys of the custom attributes that it asks about.
    pub fn attribute_keys(&self) -> impl Iterator<Item = &str> {
        self.references.attributes.iter().map(String::as_str)
    }

    /// The options it names, folded, each with its attribute's key.
    pub fn options(&self) -> impl Iterator<Item = (&str, &Key)> {
        self.references.options.iter().map(|(attribute, option)| (attribute.as_str(), option))
    }

    /// The org units it asks about, each with whether the units below count too.
    pub fn org_units(&self) -> impl Iterator<Item = (OrgUnitId, bool)> {
        self.references.org_units.iter().copied()
    }

    /// The users it names.
    pub fn users(&self) -> impl Iterator<Item = UserId> {
        self.references.users.iter().copied()
    }

    /// The integrations it names.
    pub fn integrations(&self) -> impl Iterator<Item = IntegrationId> {
        self.references.integrations.iter().copied()
    }
}

/// Checks a filter without texts against what there is.
///
/// # Errors
/// Everything that is wrong, each with its path below `filter`; at most 100 of them.
pub fn check(filter: &Filter, catalogue: &Catalogue<'_>) -> Result<Checked, Vec<Violation>> {
    violations(examine(filter, catalogue, None))
}

/// Checks a filter in which parts may stand as text. What is wrong in those has its place in the text, too.
///
/// # Errors
/// As [`check`].
pub fn check_with_texts(filter: &Filter, names: &Names<'_>) -> Result<Checked, Vec<Violation>> {
    violations(examine(filter, names.catalogue, Some(names)))
}

fn violations(examined: Result<Checked, Vec<Finding>>) -> Result<Checked, Vec<Violation>> {
    examined.map_err(|findings| findings.into_iter().map(|finding| finding.violation).collect())
}

/// The check, with all that is known of each mistake; `names` read the filter's texts.
pub(super) fn examine<'a>(
    filter: &Filter,
    catalogue: &'a Catalogue<'a>,
    names: Option<&'a Names<'a>>,
) -> Result<Checked, Vec<Finding>> {
    let mut checker =
        Checker { catalogue, names, findings: Vec::new(), conditions: 0, references: References::default() };
    match checker.node(filter, "filter", 1) {
        Some(root) if checker.findings.is_empty() => Ok(Checked { root, references: checker.references }),
        _ => Err(checker.findings),
    }
}

/// One check under way. Its methods give none where they have added a violation.
pub(super) struct Checker<'a> {
    pub(super) catalogue: &'a Catalogue<'a>,
    names: Option<&'a Names<'a>>,
    findings: Vec<Finding>,
    conditions: usize,
    pub(super) references: References,
}

impl<'a> Checker<'a> {
    pub(super) fn refuse<T>(&mut self, path: impl Into<String>, code: &'static str, message: String) -> Option<T> {
        self.report(Finding::new(path, code, message))
    }

    pub(super) fn report<T>(&mut self, finding: Finding) -> Option<T> {
        if !self.is_full() {
            self.findings.push(finding);
        }
        None
    }

    /// Whether so much is wrong that nothing more is looked at: to say what was probably meant takes time.
    pub(super) fn is_full(&self) -> bool {
        self.findings.len() >= REPORTED
    }

    fn node(&mut self, filter: &Filter, path: &str, depth: usize) -> Option<Node> {
        // Before descending, so that no filter, however deep, can exhaust the stack.
        if depth > DEPTH {
            return self.refuse(path, "LIMIT_EXCEEDED", format!("a filter nests at most {DEPTH} deep"));
        }
        match filter {
            Filter::All(parts) => self.list(parts, &format!("{path}.all"), depth).map(Node::All),
            Filter::Any(parts) => self.list(parts, &format!("{path}.any"), depth).map(Node::Any),
            Filter::Not(part) => self.node(part, &format!("{path}.not"), depth + 1).map(|node| Node::Not(node.into())),
            Filter::Name(condition) => {
                self.count(path)?;
                self.test(condition, &Subject::text("name"), &format!("{path}.name")).map(Node::Name)
            }
            Filter::Email(condition) => {
                self.count(path)?;
                self.test(condition, &Subject::email("email"), &format!("{path}.email")).map(Node::Email)
            }
            Filter::Attribute(filter) => {
                self.count(path)?;
                self.attribute(filter, &format!("{path}.attribute"))
            }
            Filter::Account(filter) => self.account(filter, &format!("{path}.account")).map(Node::Account),
            Filter::OrgUnit(filter) => {
                self.count(path)?;
                self.org_unit(filter, &format!("{path}.orgUnit"))
            }
            Filter::Text(text) => self.text(text, &format!("{path}.text"), depth),
        }
    }

    /// The tree that a text says, as if it stood in the text's place.
    fn text(&mut self, text: &str, path: &str, depth: usize) -> Option<Node> {
        let Some(names) = self.names else {
            return self.refuse(path, "UNREADABLE", "a filter that is stored has no text in it".to_owned());
        };
        let parsed = match parse(text, names) {
            Ok(parsed) => parsed,
            Err(wrong) => return self.report(Finding::in_text(path, text, wrong)),
        };
        let before = self.findings.len();
        let node = self.node(&parsed.filter, "filter", depth);
        let found = self.findings.split_off(before);
        self.findings.extend(found.into_iter().map(|found| Finding::in_text(path, text, parsed.locate(found, names))));
        node
    }

    fn list(&mut self, parts: &[Filter], path: &str, depth: usize) -> Option<Vec<Node>> {
        if parts.is_empty() {
            self.count(path)?;
        }
        let mut nodes = Some(Vec::new());
        for (at, part) in parts.iter().enumerate() {
            if self.conditions > CONDITIONS || self.is_full() {
                return None;
            }
            match (self.node(part, &format!("{path}[{at}]"), depth + 1), &mut nodes) {
                (Some(node), Some(nodes)) => nodes.push(node),
                _ => nodes = None,
            }
        }
        nodes
    }

    /// Counts one condition; an empty list counts as one, so that the whole tree is bounded.
    fn count(&mut self, path: &str) -> Option<()> {
        self.conditions += 1;
        match self.conditions.cmp(&(CONDITIONS + 1)) {
            std::cmp::Ordering::Less => Some(()),
            std::cmp::Ordering::Equal => {
                self.refuse(path, "LIMIT_EXCEEDED", format!("a filter has at most {CONDITIONS} conditions"))
            }
            std::cmp::Ordering::Greater => None,
        }
    }

    fn attribute(&mut self, filter: &AttributeFilter, path: &str) -> Option<Node> {
        let wanted = fold(&filter.key);
        let catalogue = self.catalogue;
        let Some(attribute) = catalogue.attributes.iter().find(|attribute| attribute.key == wanted) else {
            let near = nearest(&filter.key, catalogue.attributes.iter().map(|attribute| attribute.key.as_str()));
            let message = format!("there is no attribute `{}`{}", shorten(&filter.key), hint(near));
            return self.report(Finding::new(format!("{path}.key"), "UNKNOWN_ATTRIBUTE", message).meant(near));
        };
        if attribute.is_built_in {
            let instead = if attribute.r#type == AttributeType::Integration { "account" } else { &attribute.key };
            let message = format!("`{}` is built in; write `{instead}:` instead of `attribute:`", attribute.key);
            return self.refuse(format!("{path}.key"), "BUILT_IN_ATTRIBUTE", message);
        }
        let test = self.test(&filter.is, &Subject::attribute(attribute), &format!("{path}.is"))?;
        self.references.attributes.insert(attribute.key.clone());
        Some(Node::Attribute { key: attribute.key.clone(), r#type: attribute.r#type, test })
    }

    fn account(&mut self, filter: &AccountFilter, path: &str) -> Option<Account> {
        let conditions = [&filter.username, &filter.email, &filter.display_name];
        for _ in 0..conditions.iter().filter(|condition| condition.is_some()).count().max(1) {
            self.count(path)?;
        }
        let integration = match &filter.integration {
            None => Some(None),
            Some(wanted) => self.integration(wanted, filter.kind, &format!("{path}.integration")).map(Some),
        };
        let mut text = |condition: &Option<Condition>, subject: Subject<'a>, name: &str| match condition {
            None => Some(None),
            Some(condition) => self.test(condition, &subject, &format!("{path}.{name}")).map(Some),
        };
        let username = text(&filter.username, Subject::text("username"), "username");
        let email = text(&filter.email, Subject::email("email"), "email");
        let display_name = text(&filter.display_name, Subject::text("displayName"), "displayName");
        Some(Account {
            integration: integration?,
            kind: filter.kind,
            username: username?,
            email: email?,
            display_name: display_name?,
            is_bot: filter.is_bot,
        })
    }

    fn integration(&mut self, wanted: &str, kind: Option<IntegrationKind>, path: &str) -> Option<IntegrationId> {
        let catalogue = self.catalogue;
        let Some(found) = find_integration(catalogue, wanted) else {
            let near = nearest(wanted, catalogue.integrations.iter().map(|known| known.name.as_str()));
            let message = format!("there is no integration `{}`{}", shorten(wanted), hint(near));
            return self.report(Finding::new(path, "UNKNOWN_INTEGRATION", message).meant(near));
        };
        if kind.is_some_and(|kind| kind != found.kind) {
            let message = format!("`{}` is not of this kind, so nobody could match; leave `kind` out", found.name);
            return self.refuse(path, "CONTRADICTION", message);
        }
        self.references.integrations.insert(found.id);
        Some(found.id)
    }

    fn org_unit(&mut self, filter: &OrgUnitFilter, path: &str) -> Option<Node> {
        match OrgUnitId::parse(&filter.id) {
            Ok(id) if (self.catalogue.has_org_unit)(id) => {
                self.references.org_units.insert((id, filter.descendants));
                Some(Node::OrgUnit { id, descendants: filter.descendants })
            }
            Ok(_) => {
                let message = format!("there is no org unit `{}`", shorten(&filter.id));
                self.refuse(format!("{path}.id"), "UNKNOWN_ORG_UNIT", message)
            }
            Err(message) => self.refuse(format!("{path}.id"), "UNKNOWN_ORG_UNIT", message),
        }
    }
}

/// What a message says of the name that was probably meant, after what it says else.
pub(super) fn hint(near: Option<&str>) -> String {
    near.map(|near| format!("; did you mean `{near}`?")).unwrap_or_default()
}

/// The integration that a global id or a name refers to.
pub(super) fn find_integration<'a>(catalogue: &Catalogue<'a>, wanted: &str) -> Option<&'a integration::Model> {
    let name = fold(wanted);
    let by_id = IntegrationId::parse(wanted).ok();
    catalogue
        .integrations
        .iter()
        .find(|known| Some(known.id) == by_id)
        .or_else(|| catalogue.integrations.iter().find(|known| known.name_key == name))
        .map(|known| &**known)
}
