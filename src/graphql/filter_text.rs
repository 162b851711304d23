//! FILTERS AS TEXT. What a text is read as, and what is wrong in it.
//!
//! What does not live here: the grammar, which is the filter room's.

use async_graphql::{Context, Object, SimpleObject};

use super::context::ContextExt;
use super::error::Result;
use super::scalar::Filter;
use crate::filter::text::TextViolation;

/// What a text is read as. It is a filter, or there are violations.
#[derive(Debug, SimpleObject)]
pub(crate) struct ParsedFilter {
    /// The filter, in the shape of the input `UserFilter`; null where there are violations.
    filter: Option<Filter>,
    /// The filter as text in its canonical form; null where there are violations, or this form is longer than 64 KiB.
    text: Option<String>,
    /// What is wrong: of the grammar the first thing, else everything, at most 100.
    violations: Vec<FilterTextViolation>,
}

/// Something wrong in a filter that was written as text.
#[derive(Debug, SimpleObject)]
pub(crate) struct FilterTextViolation {
    /// The line on which it begins, from 1.
    line: usize,
    /// The character of the line with which it begins, from 1.
    column: usize,
    /// How many characters of the text are before it.
    start: usize,
    /// How many characters of the text are before its end.
    end: usize,
    /// What kind of mistake, in capitals; stable.
    code: &'static str,
    /// What is wrong and what would be right.
    message: String,
    /// What could stand there instead; empty where that cannot be listed.
    expected: Vec<String>,
    /// What was probably meant, as it would stand there.
    suggestion: Option<String>,
}

impl FilterTextViolation {
    fn new(text: &str, violation: TextViolation) -> Self {
        let TextViolation { line, column, span, code, message, expected, suggestion } = violation;
        let [start, end] = [span.start, span.end].map(|at| text[..at].chars().count());
        Self { line, column, start, end, code, message, expected, suggestion }
    }
}

/// Queries about filters as text.
#[derive(Debug, Default)]
pub(crate) struct FilterTextQuery;

#[Object]
impl FilterTextQuery {
    /// What a filter that is written as text means, and what is wrong with it. Nobody is selected.
    async fn parse_filter(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "The filter, in the grammar of RFC 7644, section 3.4.2.2; at most 64 KiB.")] text: String,
    ) -> Result<ParsedFilter> {
        let index = ctx.directory()?.index();
        Ok(match index.parse_filter(&text) {
            Ok(filter) => {
                ParsedFilter { text: index.filter_text(&filter), filter: Some(Filter(filter)), violations: Vec::new() }
            }
            Err(violations) => {
                let show = |violation| FilterTextViolation::new(&text, violation);
                ParsedFilter { filter: None, text: None, violations: violations.into_iter().map(show).collect() }
            }
        })
    }
}
