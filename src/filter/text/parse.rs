//! From tokens to the tree: how conditions are put together.
//!
//! Each token is looked at once, brackets nest as deep as a filter and no deeper, and the limits of a filter are spent
//! while reading, so that no text takes more than its length. What does not live here: single conditions (`condition`).

use std::ops::Range;

use super::condition::spelled;
use super::lex::{Kind, Lexer, Token};
use super::place::Place;
use super::violation::TextViolation;
use super::{Names, RESERVED, TEXT, keyword, named, quoted};
use crate::filter::check::{Finding, examine, hint};
use crate::filter::{CONDITIONS, Checked, DEPTH, Filter};
use crate::value::shorten;

/// A result of reading.
pub(super) type Result<T> = std::result::Result<T, TextViolation>;

/// What can begin a condition.
const CONDITION: [&str; 8] = ["an attribute", "accounts", "memberOf", "reportsTo", "everybody", "nobody", "not", "("];

/// A filter that was read from text, and where everything in it stands.
#[derive(Clone, Debug)]
pub struct Parsed<'t> {
    /// The filter. Attributes stand in it by key and org units by id where there are such, everything else as written.
    pub filter: Filter,
    text: &'t str,
    place: Place,
}

/// Reads a filter from text. Whether it is right is for [`Parsed::check`] to say.
///
/// # Errors
/// The first place at which the text does not follow the grammar or passes a limit.
pub fn parse<'t>(text: &'t str, names: &Names<'_>) -> Result<Parsed<'t>> {
    if text.len() > TEXT {
        let start = text.floor_char_boundary(TEXT);
        let message = format!("a filter has at most {TEXT} bytes of text; this has {}", text.len());
        return Err(TextViolation::new(text, start..text.len(), "LIMIT_EXCEEDED", message));
    }
    let mut lexer = Lexer::new(text);
    let token = lexer.token()?;
    let mut parser = Parser { text, lexer, token, names, conditions: 0, nesting: 0 };
    let branch = parser.any()?;
    match parser.token.kind {
        Kind::End => Ok(Parsed { filter: branch.filter, text, place: branch.place }),
        _ => Err(parser.expected(&["and", "or", "the end"])),
    }
}

impl Parsed<'_> {
    /// Checks the filter against what there is.
    ///
    /// # Errors
    /// Everything that is wrong, each with its place in the text; at most 100 of them.
    pub fn check(&self, names: &Names<'_>) -> std::result::Result<Checked, Vec<TextViolation>> {
        examine(&self.filter, names.catalogue)
            .map_err(|findings| findings.into_iter().map(|finding| self.locate(finding, names)).collect())
    }

    /// A finding in the tree as one in the text, in the words of the text.
    fn locate(&self, finding: Finding, names: &Names<'_>) -> TextViolation {
        let Finding { violation, suggestion, operators } = finding;
        let (spans, rest) = match self.place.find(&violation.path) {
            Ok(found) => found,
            Err(span) => return TextViolation::new(self.text, span, violation.code, violation.message),
        };
        let subject = shorten(&self.text[spans.subject.clone()]);
        let span = if violation.code == "WRONG_OPERATOR" { spans.operator.clone() } else { spans.at(rest) };
        let written = &self.text[span.clone()];
        let located = |message: String| TextViolation::new(self.text, span.clone(), violation.code, message);
        match violation.code {
            "WRONG_OPERATOR" => {
                let expected = spelled(operators, violation.path.contains(".account."));
                let message = format!("`{subject}` does not take `{written}`; it takes {}", expected.join(", "));
                TextViolation { expected: expected.into_iter().map(str::to_owned).collect(), ..located(message) }
            }
            "EMPTY_TEXT" => {
                located(format!("the text is empty; write `{subject} eq null` for no value, or `{subject} pr` for any"))
            }
            "EMPTY_LIST" => located("the list is empty; name at least one value".to_owned()),
            "EMPTY_RANGE" => located("the first value is greater than the second; swap them".to_owned()),
            "UNKNOWN_ORG_UNIT" => {
                let written = unquoted(written);
                let near = (names.nearest_path)(&written);
                let message = format!("there is no org unit `{}`{}", shorten(&written), hint(near.as_deref()));
                TextViolation { suggestion: near.as_deref().map(quoted), ..located(message) }
            }
            "UNKNOWN_ATTRIBUTE" => {
                TextViolation { suggestion: suggestion.as_deref().map(named), ..located(violation.message) }
            }
            _ => TextViolation { suggestion: suggestion.as_deref().map(quoted), ..located(violation.message) },
        }
    }
}

/// What a text in quotes says.
fn unquoted(written: &str) -> String {
    serde_json::from_str(written).unwrap_or_else(|_| written.to_owned())
}

/// A part of the tree, and how deep it is.
pub(super) struct Branch {
    pub(super) filter: Filter,
    pub(super) place: Place,
    height: usize,
}

impl Branch {
    /// A single condition.
    pub(super) fn leaf(filter: Filter, place: Place) -> Self {
        Self { filter, place, height: 1 }
    }
}

/// One reading under way.
pub(super) struct Parser<'t, 'n> {
    pub(super) text: &'t str,
    lexer: Lexer<'t>,
    /// The next token.
    pub(super) token: Token<'t>,
    pub(super) names: &'n Names<'n>,
    conditions: usize,
    nesting: usize,
}

impl<'t> Parser<'t, '_> {
    /// Takes the next token.
    pub(super) fn take(&mut self) -> Result<Token<'t>> {
        let next = self.lexer.token()?;
        Ok(std::mem::replace(&mut self.token, next))
    }

    /// Whether the next token is `word`.
    pub(super) fn is_word(&self, word: &str) -> bool {
        matches!(self.token.kind, Kind::Word(next) if next.eq_ignore_ascii_case(word))
    }

    /// Takes a sign.
    pub(super) fn sign(&mut self, sign: char) -> Result<Range<usize>> {
        if self.token.kind == Kind::Sign(sign) {
            return Ok(self.take()?.span);
        }
        Err(self.expected(&[sign.encode_utf8(&mut [0; 4])]))
    }

    pub(super) fn refuse(&self, code: &'static str, message: impl Into<String>) -> TextViolation {
        TextViolation::new(self.text, self.token.span.clone(), code, message)
    }

    pub(super) fn expected<S: AsRef<str>>(&self, expected: &[S]) -> TextViolation {
        TextViolation::expected(self.text, self.token.span.clone(), expected)
    }

    /// Counts one condition, which the next token belongs to.
    pub(super) fn count(&mut self) -> Result<()> {
        self.conditions += 1;
        if self.conditions > CONDITIONS {
            return Err(self.refuse("LIMIT_EXCEEDED", format!("a filter has at most {CONDITIONS} conditions")));
        }
        Ok(())
    }

    fn any(&mut self) -> Result<Branch> {
        self.joined("or", Filter::Any, Self::all)
    }

    fn all(&mut self) -> Result<Branch> {
        self.joined("and", Filter::All, Self::term)
    }

    /// Parts with `word` between them; a single one stands for itself.
    fn joined(
        &mut self,
        word: &str,
        join: fn(Vec<Filter>) -> Filter,
        part: fn(&mut Self) -> Result<Branch>,
    ) -> Result<Branch> {
        let first = part(self)?;
        if !self.is_word(word) {
            return Ok(first);
        }
        let (mut filters, mut parts, mut height) = (vec![first.filter], vec![first.place], first.height);
        while self.is_word(word) {
            self.take()?;
            let next = part(self)?;
            height = height.max(next.height);
            filters.push(next.filter);
            parts.push(next.place);
        }
        let end = parts.last().map_or(0, |part| part.span().end);
        let span = parts.first().map_or(0, |part| part.span().start)..end;
        self.above(Branch { filter: join(filters), place: Place::List { span, parts }, height })
    }

    /// A branch that is one higher than what it is made of.
    fn above(&self, branch: Branch) -> Result<Branch> {
        if branch.height == DEPTH {
            return Err(TextViolation::new(self.text, branch.place.span(), "LIMIT_EXCEEDED", too_deep()));
        }
        Ok(Branch { height: branch.height + 1, ..branch })
    }

    fn term(&mut self) -> Result<Branch> {
        match &self.token.kind {
            Kind::Sign('(') => self.brackets(),
            Kind::Text(_) => self.attribute(),
            Kind::Word(word) => match keyword(&RESERVED, word) {
                None => self.attribute(),
                Some("not") => self.negation(),
                Some("accounts") => self.accounts(),
                Some("memberOf") => self.member_of(),
                Some("reportsTo") => self.reports_to(),
                Some("everybody") => self.constant(Filter::All(Vec::new())),
                Some("nobody") => self.constant(Filter::Any(Vec::new())),
                Some(_) => Err(self.expected(&CONDITION)),
            },
            Kind::Number(_) | Kind::Sign(_) | Kind::End => Err(self.expected(&CONDITION)),
        }
    }

    fn constant(&mut self, filter: Filter) -> Result<Branch> {
        self.count()?;
        let span = self.take()?.span;
        Ok(Branch::leaf(filter, Place::List { span, parts: Vec::new() }))
    }

    fn negation(&mut self) -> Result<Branch> {
        let start = self.take()?.span.start;
        let part = if self.token.kind == Kind::Sign('(') { self.brackets()? } else { self.nested(Self::term)? };
        let span = start..part.place.span().end;
        self.not(part, span)
    }

    /// The complement of a part.
    pub(super) fn not(&self, part: Branch, span: Range<usize>) -> Result<Branch> {
        let Branch { filter, place, height } = part;
        let place = Place::Not { span, part: Box::new(place) };
        self.above(Branch { filter: Filter::Not(Box::new(filter)), place, height })
    }

    fn brackets(&mut self) -> Result<Branch> {
        self.nested(|parser| {
            parser.take()?;
            let inner = parser.any()?;
            if parser.token.kind != Kind::Sign(')') {
                return Err(parser.expected(&["and", "or", ")"]));
            }
            parser.take()?;
            Ok(inner)
        })
    }

    /// What stands one level deeper. Before descending, so that no text can exhaust the stack.
    fn nested(&mut self, read: fn(&mut Self) -> Result<Branch>) -> Result<Branch> {
        if self.nesting == DEPTH {
            return Err(self.refuse("LIMIT_EXCEEDED", too_deep()));
        }
        self.nesting += 1;
        let branch = read(self)?;
        self.nesting -= 1;
        Ok(branch)
    }
}

fn too_deep() -> String {
    format!("a filter nests at most {DEPTH} deep")
}
