//! THE TEXT FORM. A filter in the grammar of RFC 7644, section 3.4.2.2, with few additions: text to tree and tree to
//! text.
//!
//! `lex` cuts text into tokens, `parse` and `condition` make the tree of them, `place` remembers where each part of the
//! tree stands in the text, and `print` goes the other way. `expect` is what the parser looks for at each place, which
//! `complete` offers to whoever writes. What does not live here: what is right in a filter, which the check of the tree
//! says for both forms.

mod complete;
mod condition;
mod expect;
mod lex;
mod parse;
mod place;
mod print;
mod violation;

pub use complete::{Completion, CompletionKind, Offer, Offers, Spelling, complete};
pub use expect::About;
pub use parse::{Parsed, parse};
pub use print::print;
pub use violation::{TextPlace, TextViolation};

use entity::attribute::{self, AttributeType};
use entity::{OrgUnitId, UserId};

use self::lex::is_word;
use super::Catalogue;
use crate::value::{GlobalId, fold};

/// The longest text of a filter, in bytes.
pub const TEXT: usize = 64 * 1024;

/// Words that begin a condition or stand between conditions; an attribute of such a name is written in quotes.
const RESERVED: [&str; 8] = ["and", "or", "not", "accounts", "memberOf", "reportsTo", "everybody", "nobody"];

/// The operators as text has them, each with its name in the tree.
const OPERATORS: [(&str, &str); 15] = [
    ("eq", "equals"),
    ("ne", "equals"),
    ("in", "in"),
    ("co", "contains"),
    ("sw", "startsWith"),
    ("ew", "endsWith"),
    ("lt", "lessThan"),
    ("le", "atMost"),
    ("gt", "greaterThan"),
    ("ge", "atLeast"),
    ("between", "between"),
    ("hasAny", "hasAny"),
    ("hasAll", "hasAll"),
    ("reportsTo", "reportsTo"),
    ("pr", "isEmpty"),
];

/// What stands in a text for an id, and back: the catalogue, and the names of org units and users.
pub struct Names<'a> {
    /// What filters can refer to.
    pub catalogue: &'a Catalogue<'a>,
    /// The org unit at a path such as `Engineering/Platform`.
    pub org_unit_at: &'a dyn Fn(&str) -> Option<OrgUnitId>,
    /// The path of an org unit.
    pub path_of: &'a dyn Fn(OrgUnitId) -> Option<String>,
    /// The path that was probably meant by one that leads nowhere.
    pub nearest_path: &'a dyn Fn(&str) -> Option<String>,
    /// The primary email of a user.
    pub email_of: &'a dyn Fn(UserId) -> Option<String>,
}

impl Names<'_> {
    /// The attribute of a key or title.
    fn attribute(&self, name: &str) -> Option<&attribute::Model> {
        let wanted = fold(name);
        let known = self.catalogue.attributes.iter();
        known.map(|attribute| &**attribute).find(|known| known.key == wanted || known.title_key == wanted)
    }

    /// The attributes of type USER.
    fn user_attributes(&self) -> impl Iterator<Item = &attribute::Model> {
        let known = self.catalogue.attributes.iter().map(|attribute| &**attribute);
        known.filter(|attribute| attribute.r#type == AttributeType::User)
    }

    /// The org unit that an id or a path names.
    fn org_unit(&self, reference: &str) -> Option<OrgUnitId> {
        let by_id = OrgUnitId::parse(reference).ok().filter(|id| (self.catalogue.has_org_unit)(*id));
        by_id.or_else(|| (self.org_unit_at)(reference))
    }
}

/// The one of `words` that `word` is, ignoring case.
fn keyword(words: &[&'static str], word: &str) -> Option<&'static str> {
    words.iter().find(|known| known.eq_ignore_ascii_case(word)).copied()
}

/// `text` in quotes.
fn quoted(text: &str) -> String {
    serde_json::Value::from(text).to_string()
}

/// An attribute's key as it begins a condition: in quotes where it would be read as something else.
fn named(key: &str) -> String {
    if is_word(key) && keyword(&RESERVED, key).is_none() { key.to_owned() } else { quoted(key) }
}

#[cfg(test)]
mod tests;
