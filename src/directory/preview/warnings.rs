//! What is probably not meant so: conditions that do nothing, values that nobody has, conditions that contradict each
//! other, pins that are of no use.
//!
//! Each mistake is told where it is made: a list is not said to select nobody where one of its parts is.

use std::collections::HashSet;

use super::OrgUnitPreview;
use crate::directory::error::{Error, Result};
use crate::filter::{AttributeFilter, Checked, Condition, Filter, Line, Node, Scalar, Test, contradict, outline};
use crate::index::Tally;
use crate::value::{GlobalId, shorten};
use entity::UserId;

/// The most warnings; more would help nobody.
const WARNINGS: usize = 100;
/// The most values that are looked at one by one, to say which of them nobody has.
const VALUES: usize = 2_000;
/// The most values for which a near one is looked for.
const SUGGESTIONS: usize = 10;

/// What a warning is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum WarningKind {
    /// There is nobody in scope.
    EmptyScope,
    /// A condition, or the whole filter, selects nobody.
    SelectsNobody,
    /// A condition, or the whole filter, selects everybody in scope.
    SelectsEverybody,
    /// A condition names a value that no user has.
    UnusedValue,
    /// Two parts of one `all` can never both hold.
    Contradiction,
    /// Two parts of one `all` select somebody each and nobody together.
    NobodyInCommon,
    /// The filter selects a pinned user.
    NeedlessPin,
    /// The filter does not select an excluded user.
    NeedlessExclusion,
}

/// Something that is probably not meant so.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Warning {
    /// What it is about.
    pub kind: WarningKind,
    /// Where, as in violations; `filter` for the whole filter.
    pub path: String,
    /// The other one of two parts that have nobody in common.
    pub other_path: Option<String>,
    /// What is odd.
    pub message: String,
    /// What was probably meant.
    pub suggestion: Option<String>,
    /// The user who is pinned or excluded.
    pub user: Option<UserId>,
}

/// The warnings of a preview.
pub(super) fn of(preview: &OrgUnitPreview) -> Result<Vec<Warning>> {
    let mut warnings = match &preview.filter {
        Some((filter, checked)) => of_filter(preview, filter, checked),
        None => Vec::new(),
    };
    of_pins(preview, &mut warnings)?;
    warnings.truncate(WARNINGS);
    Ok(warnings)
}

fn of_filter(preview: &OrgUnitPreview, filter: &Filter, checked: &Checked) -> Vec<Warning> {
    let mut warner = Warner {
        preview,
        lines: outline(filter, checked),
        tally: preview.tally(checked),
        explained: HashSet::new(),
        values: 0,
        suggestions: 0,
        warnings: Vec::new(),
    };
    if warner.tally.in_scope == 0 {
        let message = match preview.within {
            Some(_) => "the parent has no members, so there is nobody to select among",
            None => "there are no users to select among",
        };
        warner.warn(WarningKind::EmptyScope, "scope".to_owned(), message.to_owned());
    }
    for at in 0..warner.lines.len() {
        if warner.warnings.len() >= WARNINGS {
            break;
        }
        warner.values(at);
        warner.pairs(at);
        if warner.tally.in_scope > 0 {
            warner.extent(at);
        }
    }
    warner.warnings
}

fn of_pins(preview: &OrgUnitPreview, warnings: &mut Vec<Warning>) -> Result<()> {
    let chosen = |users: &[UserId]| preview.index.those_among(users, &preview.chosen).map_err(Error::internal);
    let email = |user: UserId| preview.index.email_of(user).unwrap_or_default();
    let mut warn = |kind, path: &str, user: UserId, message: String| {
        let path = path.to_owned();
        warnings.push(Warning { kind, path, other_path: None, message, suggestion: None, user: Some(user) });
    };
    for user in chosen(&preview.pinned)? {
        let message = format!("{} is pinned, and a member by the filter anyway", email(user));
        warn(WarningKind::NeedlessPin, "pinned", user, message);
    }
    let kept_out: HashSet<UserId> = chosen(&preview.excluded)?.into_iter().collect();
    for user in preview.excluded.iter().filter(|user| !kept_out.contains(user)) {
        let message = format!("{} is excluded, and would be no member anyway", email(*user));
        warn(WarningKind::NeedlessExclusion, "excluded", *user, message);
    }
    Ok(())
}

/// The warnings of one filter under way.
struct Warner<'a> {
    preview: &'a OrgUnitPreview,
    lines: Vec<Line<'a>>,
    tally: &'a Tally,
    /// The lines that select nobody because of what has been told of them.
    explained: HashSet<usize>,
    /// How many values have been looked at, and for how many a near one was looked for.
    values: usize,
    suggestions: usize,
    warnings: Vec<Warning>,
}

impl Warner<'_> {
    fn warn(&mut self, kind: WarningKind, path: String, message: String) {
        let warning = Warning { kind, path, other_path: None, message, suggestion: None, user: None };
        self.warnings.push(warning);
    }

    fn text(&self, at: usize) -> String {
        let text = self.preview.index.filter_text(self.lines[at].filter);
        format!("`{}`", shorten(text.as_deref().unwrap_or(&self.lines[at].path)))
    }

    fn selects(&self, at: usize) -> u64 {
        self.tally.nodes[at].selects
    }

    /// Warns of values that nobody has.
    fn values(&mut self, at: usize) {
        let Line { node, filter, path, .. } = self.lines[at].clone();
        let unused = self.preview.index.unused_values(node);
        if unused.is_empty() {
            return;
        }
        let all_are_unused = keys(node).is_some_and(|keys| keys.len() == unused.len());
        let needs_each = matches!(node, Node::Attribute { test: Test::HasAll(_), .. });
        if all_are_unused || needs_each {
            self.explained.insert(at);
        }
        for (place, single, value) in singles(filter, &path) {
            if self.warnings.len() >= WARNINGS || self.values >= VALUES {
                return;
            }
            self.values += 1;
            // The value is read as the whole condition was, so that it comes to the same key.
            let Ok(checked) = self.preview.index.check(&single) else { continue };
            if !keys(checked.root()).is_some_and(|keys| keys.iter().any(|key| unused.contains(&key))) {
                continue;
            }
            let value = self.named(&value);
            let is_asked = self.suggestions < SUGGESTIONS;
            let suggestion = if is_asked { self.preview.index.near_value(node, &value) } else { None };
            self.suggestions += usize::from(is_asked);
            let hint = suggestion.as_ref().map(|near| format!("; did you mean `{near}`?")).unwrap_or_default();
            let message = format!("no user has the {} `{}`{hint}", subject(node), shorten(&value));
            let kind = WarningKind::UnusedValue;
            self.warnings.push(Warning { kind, path: place, other_path: None, message, suggestion, user: None });
        }
    }

    /// A value as people know it: a user by email.
    fn named(&self, value: &str) -> String {
        let user = UserId::parse(value).ok().and_then(|id| self.preview.index.email_of(id));
        user.unwrap_or(value).to_owned()
    }

    /// Warns of parts of an `all` that have nobody in common.
    fn pairs(&mut self, at: usize) {
        if !matches!(self.lines[at].node, Node::All(_)) {
            return;
        }
        let parts = self.lines[at].parts.clone();
        for (place, second) in parts.iter().enumerate() {
            for first in &parts[..place] {
                let kind = if contradict(self.lines[*first].node, self.lines[*second].node) {
                    WarningKind::Contradiction
                } else if self.tally.disjoint.contains(&(*first, *second)) {
                    WarningKind::NobodyInCommon
                } else {
                    continue;
                };
                self.explained.insert(at);
                if self.warnings.len() >= WARNINGS {
                    return;
                }
                let (one, other) = (self.text(*first), self.text(*second));
                let message = match kind {
                    WarningKind::Contradiction => format!("{one} and {other} can never both hold"),
                    _ => format!("nobody is selected by both {one} and {other}"),
                };
                let (path, other_path) = (self.lines[*second].path.clone(), Some(self.lines[*first].path.clone()));
                self.warnings.push(Warning { kind, path, other_path, message, suggestion: None, user: None });
            }
        }
    }

    /// Warns of a condition that selects nobody or everybody, unless what is told of its parts says so; of the whole
    /// filter in any case.
    fn extent(&mut self, at: usize) {
        let (selects, in_scope) = (self.selects(at), self.tally.in_scope);
        if selects != 0 && selects != in_scope {
            return;
        }
        let is_whole = at == 0;
        if !is_whole && (self.follows_from_parts(at, selects) || selects == 0 && self.explained.contains(&at)) {
            return;
        }
        let (path, what) = if is_whole {
            ("filter".to_owned(), "the filter".to_owned())
        } else {
            (self.lines[at].path.clone(), self.text(at))
        };
        let (kind, whom) = match (selects, self.preview.within) {
            (0, None) => (WarningKind::SelectsNobody, "nobody"),
            (0, Some(_)) => (WarningKind::SelectsNobody, "none of the parent's members"),
            (_, None) => (WarningKind::SelectsEverybody, "everybody"),
            (_, Some(_)) => (WarningKind::SelectsEverybody, "all of the parent's members"),
        };
        self.warn(kind, path, format!("{what} selects {whom}"));
    }

    /// Whether a node selects as many as it does, nobody or everybody, because a part of it does, or its parts do.
    fn follows_from_parts(&self, at: usize, selects: u64) -> bool {
        let parts = &self.lines[at].parts;
        let is_same = |part: &usize| self.selects(*part) == selects;
        match self.lines[at].node {
            Node::All(_) if selects == 0 => parts.iter().any(is_same),
            Node::Any(_) if selects > 0 => parts.iter().any(is_same),
            Node::All(_) | Node::Any(_) => !parts.is_empty() && parts.iter().all(is_same),
            Node::Not(_) => true,
            Node::Name(_) | Node::Email(_) | Node::Attribute { .. } | Node::Account(_) | Node::OrgUnit { .. } => false,
        }
    }
}

/// The values that a condition names one by one.
fn keys(node: &Node) -> Option<&[crate::value::Key]> {
    match node {
        Node::Name(test) | Node::Email(test) | Node::Attribute { test, .. } => match test {
            Test::In(keys) | Test::HasAny(keys) | Test::HasAll(keys) => Some(keys),
            Test::IsEmpty(_)
            | Test::Contains(_)
            | Test::StartsWith(_)
            | Test::EndsWith(_)
            | Test::Range { .. }
            | Test::ReportsTo(_) => None,
        },
        Node::All(_) | Node::Any(_) | Node::Not(_) | Node::Account(_) | Node::OrgUnit { .. } => None,
    }
}

/// What a condition is about, in words.
fn subject(node: &Node) -> &str {
    match node {
        Node::Attribute { key, .. } => key,
        Node::Email(_) => "email",
        _ => "name",
    }
}

/// Each value that a condition names, with its path, and the condition as it would be of this value alone.
fn singles(filter: &Filter, path: &str) -> Vec<(String, Filter, String)> {
    let (condition, make): (&Condition, &dyn Fn(Condition) -> Filter) = match filter {
        Filter::Name(condition) => (condition, &Filter::Name),
        Filter::Email(condition) => (condition, &Filter::Email),
        Filter::Attribute(AttributeFilter { key, is }) => {
            (is, &|is| Filter::Attribute(AttributeFilter { key: key.clone(), is }))
        }
        _ => return Vec::new(),
    };
    let place = |at: usize| format!("{path}[{at}]");
    let equals = |value: &Scalar| make(Condition::Equals(value.clone()));
    match condition {
        Condition::Equals(value) => vec![(path.to_owned(), equals(value), written(value))],
        Condition::In(values) => {
            values.iter().enumerate().map(|(at, value)| (place(at), equals(value), written(value))).collect()
        }
        Condition::HasAny(options) | Condition::HasAll(options) => options
            .iter()
            .enumerate()
            .map(|(at, option)| (place(at), make(Condition::HasAny(vec![option.clone()])), option.clone()))
            .collect(),
        _ => Vec::new(),
    }
}

fn written(value: &Scalar) -> String {
    match value {
        Scalar::Boolean(truth) => truth.to_string(),
        Scalar::Number(number) => number.to_string(),
        Scalar::Text(text) => text.clone(),
    }
}
