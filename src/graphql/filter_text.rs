//! FILTERS AS TEXT. What a text is read as, what is wrong in it, and what could be written next.
//!
//! What does not live here: the grammar, which is the filter room's.

use async_graphql::{Context, Enum, Object, SimpleObject};

use super::context::ContextExt;
use super::error::{Failure, Result};
use super::scalar::Filter;
use crate::directory::Error;
use crate::filter::text::{self, Completion, TEXT, TextPlace, TextViolation};

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
        let TextPlace { line, column, start, end, expected, suggestion } = violation.place(text);
        Self { line, column, start, end, code: violation.code, message: violation.message, expected, suggestion }
    }
}

/// Something that can stand at a place of a filter as text.
#[derive(Debug, SimpleObject)]
pub(crate) struct FilterCompletion {
    /// What to put there.
    insert: String,
    /// How many characters of the text are before what it replaces.
    start: usize,
    /// How many characters of the text are before the end of what it replaces.
    end: usize,
    /// What it is.
    kind: FilterCompletionKind,
    /// What to show.
    label: String,
    /// What to show beside it, such as an attribute's type or a user's email.
    detail: Option<String>,
    /// Of a value: how many users have it, where that is counted.
    count: Option<u64>,
}

/// What a completion is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Enum)]
#[graphql(remote = "text::CompletionKind")]
pub(crate) enum FilterCompletionKind {
    /// An attribute.
    Attribute,
    /// An operator.
    Operator,
    /// Another word of the grammar.
    Keyword,
    /// A bracket or a comma.
    Sign,
    /// A value that users have, `true`, `false` or `null`.
    Value,
    /// An option of the attribute.
    Option,
    /// A day relative to today.
    Day,
    /// A user, by email.
    User,
    /// An integration, by name, or a kind of them.
    Integration,
    /// An org unit, by path.
    OrgUnit,
}

impl FilterCompletion {
    fn new(text: &str, completion: Completion) -> Self {
        let Completion { insert, replaces, kind, label, detail, count, .. } = completion;
        let [start, end] = [replaces.start, replaces.end].map(|at| text[..at].chars().count());
        Self { insert, start, end, kind: kind.into(), label, detail, count }
    }
}

/// Completions that are given where it is not said how many.
const FEW: i32 = 20;
/// The most completions in one answer.
const MANY: i32 = 100;

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

    /// What can stand at a place of a filter that is being written as text: attributes, operators by the attribute's type,
    /// options, values that users have, users, integrations, org units, and the words of the grammar. What begins at the
    /// cursor already is completed. Nothing where the text before it has a mistake, which `parseFilter` tells.
    async fn complete_filter(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "The filter as far as it is written, at most 64 KiB.")] text: String,
        #[graphql(desc = "How many characters of the text are before the cursor.")] cursor: i32,
        #[graphql(desc = "The most completions; 1 to 100.", default_with = "FEW")] first: i32,
    ) -> Result<Vec<FilterCompletion>> {
        if text.len() > TEXT {
            return Err(Failure(Error::LimitExceeded { what: "the number of bytes of a filter", limit: TEXT as u64 }));
        }
        let most = usize::try_from(first).ok().filter(|_| (1..=MANY).contains(&first)).ok_or_else(|| {
            Failure::invalid("first", "OUT_OF_BOUNDS", format!("`first` is at least 1 and at most {MANY}"))
        })?;
        let ends = text.char_indices().map(|(at, _)| at).chain([text.len()]);
        let at = usize::try_from(cursor).ok().and_then(|cursor| ends.into_iter().nth(cursor)).ok_or_else(|| {
            Failure::invalid("cursor", "OUT_OF_BOUNDS", "`cursor` is at least 0 and at most the length of the text")
        })?;
        let found = ctx.directory()?.complete_filter(&text, at, most).await?;
        Ok(found.into_iter().map(|completion| FilterCompletion::new(&text, completion)).collect())
    }
}
