//! Texts that differ from others only in case: probably one value written in two ways.

use std::collections::HashMap;

use crate::value::{fold, shorten};

/// The most different texts of one column that are watched: a column with more of them has no fixed set of values.
const WATCHED: usize = 1_000;

/// One way to spell a text.
struct Way {
    text: String,
    line: u64,
    /// Whether the row brings the text, rather than repeat what is so.
    is_new: bool,
}

/// How the texts of a file are spelled, by attribute and folded text.
#[derive(Default)]
pub(super) struct Spellings {
    of: HashMap<usize, HashMap<String, Vec<Way>>>,
}

impl Spellings {
    /// Notes a text of the attribute at a place. Gives a line and what to say of it, if a row brings another way to
    /// spell what stands there already: once for each way.
    pub(super) fn note(&mut self, attribute: usize, text: &str, line: u64, is_new: bool) -> Option<(u64, String)> {
        let of = self.of.entry(attribute).or_default();
        let folded = fold(text);
        if of.len() >= WATCHED && !of.contains_key(&folded) {
            return None;
        }
        let ways = of.entry(folded).or_default();
        if ways.iter().any(|way| way.text == text) {
            return None;
        }
        ways.push(Way { text: text.to_owned(), line, is_new });
        let [first, .., last] = ways.as_slice() else { return None };
        let (one, other) = if is_new { (last, first) } else { (first, last) };
        one.is_new.then(|| (one.line, other_spelling(&format!("line {}", other.line), &other.text)))
    }

    /// The texts that rows bring, of attributes with a fixed set of values: attribute, text and first line.
    pub(super) fn new_texts(&self) -> impl Iterator<Item = (usize, &str, u64)> {
        let fixed = self.of.iter().filter(|(_, of)| of.len() < WATCHED);
        fixed.flat_map(|(at, of)| {
            let single = of.values().filter_map(|ways| match ways.as_slice() {
                [way] if way.is_new => Some(way),
                _ => None,
            });
            single.map(|way| (*at, way.text.as_str(), way.line))
        })
    }
}

/// What to say of a text that stands at `place` in another case.
pub(super) fn other_spelling(place: &str, text: &str) -> String {
    format!("{place} spells it `{}`; filters take both for one value, people may not", shorten(text))
}
