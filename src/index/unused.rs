//! Values that a condition names and nobody has.

use entity::attribute::AttributeType;
use rustc_hash::FxHashSet;

use super::Index;
use super::column::{Column, options};
use super::dictionary::Dictionary;
use crate::filter::{Node, Test};
use crate::value::{Key, nearest};

/// The most distinct values that are looked through for a near one.
const NEAR: usize = 2_000;

impl Index {
    /// The values that a condition names one by one and no user has, as [`Test`] has them.
    #[must_use]
    pub fn unused_values<'n>(&self, node: &'n Node) -> Vec<&'n Key> {
        let users = &self.users;
        let without = |keys: &'n [Key], is_used: &dyn Fn(&[u8]) -> bool| -> Vec<&'n Key> {
            keys.iter().filter(|key| !is_used(key.as_bytes())).collect()
        };
        let has = |column: &Column, value: &[u8]| column.values.find(value).is_some_and(|code| column.count(code) > 0);
        match node {
            Node::Name(Test::In(keys)) => without(keys, &|value| has(&users.names, value)),
            Node::Email(Test::In(keys)) => without(keys, &|value| {
                users.emails.values.find(value).is_some_and(|code| users.emails.owner(code).is_some())
            }),
            Node::Attribute { key, test: Test::In(keys), .. } => match self.attributes.find(key) {
                Some(found) => without(keys, &|value| has(&found.column, value)),
                None => Vec::new(),
            },
            Node::Attribute { key, test: Test::HasAny(keys) | Test::HasAll(keys), .. } => {
                match self.attributes.find(key) {
                    Some(found) => {
                        let open = not_chosen(&found.column, keys);
                        without(keys, &|value| !open.contains(value))
                    }
                    None => Vec::new(),
                }
            }
            _ => Vec::new(),
        }
    }

    /// The value that some user has and a condition probably meant by `wanted`, folded. Where there are very many
    /// values, or only certain ones can be written, none.
    #[must_use]
    pub fn near_value(&self, node: &Node, wanted: &str) -> Option<String> {
        let users = &self.users;
        let near = |values: &Dictionary, is_used: &dyn Fn(u32) -> bool| {
            let codes = (1..super::ordinal(values.len())).filter(|code| is_used(*code));
            let texts = codes.filter_map(|code| std::str::from_utf8(values.value(code)).ok());
            if values.len() > NEAR { None } else { nearest(wanted, texts).map(str::to_owned) }
        };
        match node {
            Node::Name(_) => near(&users.names.values, &|code| users.names.count(code) > 0),
            Node::Email(_) => near(&users.emails.values, &|code| users.emails.owner(code).is_some()),
            Node::Attribute {
                key, r#type: AttributeType::Text | AttributeType::Email | AttributeType::Url, ..
            } => {
                let column = &self.attributes.find(key)?.column;
                near(&column.values, &|code| column.count(code) > 0)
            }
            _ => None,
        }
    }
}

/// Those of some options that no user has. It ends as soon as each is found with somebody.
fn not_chosen<'n>(column: &Column, keys: &'n [Key]) -> FxHashSet<&'n [u8]> {
    let mut open: FxHashSet<&[u8]> = keys.iter().map(Key::as_bytes).collect();
    for code in 1..super::ordinal(column.values.len()) {
        if open.is_empty() {
            break;
        }
        if column.count(code) > 0 {
            for option in options(column.values.value(code)) {
                open.remove(option);
            }
        }
    }
    open
}
