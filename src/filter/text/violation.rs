//! What is wrong in a text, and where.

use std::ops::Range;

use serde::Serialize;

use crate::filter::check::hint;
use crate::value::shorten;

/// Where in a text something is wrong, and what would be right there.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct TextPlace {
    /// The line on which it begins, from 1.
    pub line: usize,
    /// The character of the line with which it begins, from 1.
    pub column: usize,
    /// How many characters of the text are before it.
    pub start: usize,
    /// How many characters of the text are before its end.
    pub end: usize,
    /// What could stand there instead; empty where that cannot be listed.
    pub expected: Vec<String>,
    /// What was probably meant, as it would stand there.
    pub suggestion: Option<String>,
}

/// Something wrong in a filter that was written as text.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TextViolation {
    /// The line on which it begins, from 1.
    pub line: usize,
    /// The character of the line with which it begins, from 1.
    pub column: usize,
    /// Where it stands in the text, in bytes.
    pub span: Range<usize>,
    /// What kind of mistake, in capitals; stable.
    pub code: &'static str,
    /// What is wrong and what would be right.
    pub message: String,
    /// What could stand there instead; empty where that cannot be listed.
    pub expected: Vec<String>,
    /// What was probably meant, as it would stand there.
    pub suggestion: Option<String>,
}

impl TextViolation {
    /// One at `span` of `text`, with nothing but a message.
    pub(super) fn new(text: &str, span: Range<usize>, code: &'static str, message: impl Into<String>) -> Self {
        let before = &text[..span.start];
        let line_start = before.rfind('\n').map_or(0, |at| at + 1);
        Self {
            line: 1 + before.matches('\n').count(),
            column: 1 + before[line_start..].chars().count(),
            span,
            code,
            message: message.into(),
            expected: Vec::new(),
            suggestion: None,
        }
    }

    /// Where it is in `text`, which it was found in.
    #[must_use]
    pub fn place(&self, text: &str) -> TextPlace {
        let Self { line, column, span, expected, suggestion, .. } = self;
        let [start, end] = [span.start, span.end].map(|at| text[..at].chars().count());
        let (expected, suggestion) = (expected.clone(), suggestion.clone());
        TextPlace { line: *line, column: *column, start, end, expected, suggestion }
    }

    /// One of the grammar: something else was expected at `span`.
    pub(super) fn expected(text: &str, span: Range<usize>, expected: &[&str]) -> Self {
        let got = match &text[span.clone()] {
            "" => "the end".to_owned(),
            found => format!("`{}`", shorten(found)),
        };
        let message = format!("expected {}, not {got}", alternatives(expected));
        let expected = expected.iter().map(|item| (*item).to_owned()).collect();
        Self { expected, ..Self::new(text, span, "SYNTAX", message) }
    }

    /// With the word that was probably meant, if one is near.
    pub(super) fn meant(mut self, near: Option<&str>) -> Self {
        self.message += &hint(near);
        self.suggestion = near.map(str::to_owned);
        self
    }
}

/// What is expected, in words: a number, `,` or `]`.
fn alternatives(items: &[&str]) -> String {
    let is_described = |item: &str| ["a ", "an ", "the "].iter().any(|article| item.starts_with(article));
    let show = |item: &&str| if is_described(item) { (*item).to_owned() } else { format!("`{item}`") };
    let shown: Vec<String> = items.iter().map(show).collect();
    match shown.split_last() {
        Some((last, first)) if !first.is_empty() => format!("{} or {last}", first.join(", ")),
        _ => shown.concat(),
    }
}
