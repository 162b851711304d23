//! From tokens to the tree: how conditions are put together.
//!
//! Each token is looked at once, brackets nest as deep as a filter and no deeper, and the limits of a filter are spent
//! while reading, so that no text takes more than its length. Whatever the next token is compared with is noted, so that
//! after any beginning of a filter it is known what may follow. What does not live here: single conditions (`condition`).

use std::ops::Range;

use super::condition::spelled;
use super::expect::Item;
use super::lex::{Kind, Lexer, Token};
use super::place::Place;
use super::violation::TextViolation;
use super::{Names, RESERVED, TEXT, keyword, named, quoted};
use crate::filter::check::{Finding, examine, hint};
use crate::filter::{CONDITIONS, Checked, DEPTH, Filter};
use crate::value::{nearest, shorten};

/// A result of reading.
pub(super) type Result<T> = std::result::Result<T, TextViolation>;

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
    let branch = Parser::new(text, names)?.whole()?;
    Ok(Parsed { filter: branch.filter, text, place: branch.place })
}

impl Parsed<'_> {
    /// Checks the filter against what there is.
    ///
    /// # Errors
    /// Everything that is wrong, each with its place in the text; at most 100 of them.
    pub fn check(&self, names: &Names<'_>) -> std::result::Result<Checked, Vec<TextViolation>> {
        examine(&self.filter, names.catalogue, None)
            .map_err(|findings| findings.into_iter().map(|finding| self.locate(finding, names)).collect())
    }

    /// A finding in the tree as one in the text, in the words of the text.
    pub(in crate::filter) fn locate(&self, finding: Finding, names: &Names<'_>) -> TextViolation {
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

    /// The complement of a part.
    pub(super) fn not(part: Self, span: Range<usize>) -> Self {
        let Self { filter, place, height } = part;
        let place = Place::Not { span, part: Box::new(place) };
        Self { filter: Filter::Not(Box::new(filter)), place, height: height + 1 }
    }
}

/// One reading under way.
pub(super) struct Parser<'t, 'n> {
    pub(super) text: &'t str,
    lexer: Lexer<'t>,
    /// The next token.
    pub(super) token: Token<'t>,
    /// What it has been compared with.
    pub(super) expected: Vec<Item<'n>>,
    pub(super) names: &'n Names<'n>,
    conditions: usize,
    /// Brackets and complements around the next token.
    nesting: usize,
    /// Nodes of the tree that are known to be around the next token.
    depth: usize,
}

impl<'t, 'n> Parser<'t, 'n> {
    pub(super) fn new(text: &'t str, names: &'n Names<'n>) -> Result<Self> {
        let mut lexer = Lexer::new(text);
        let token = lexer.token()?;
        Ok(Self { text, lexer, token, expected: Vec::new(), names, conditions: 0, nesting: 0, depth: 0 })
    }

    /// Reads a filter to the end of the text.
    pub(super) fn whole(&mut self) -> Result<Branch> {
        let branch = self.any()?;
        self.expected.push(Item::End);
        if self.token.kind == Kind::End { Ok(branch) } else { Err(self.misspelt()) }
    }

    /// Takes the next token.
    pub(super) fn take(&mut self) -> Result<Token<'t>> {
        let next = self.lexer.token()?;
        self.expected.clear();
        Ok(std::mem::replace(&mut self.token, next))
    }

    /// Whether the next token is `word`, without expecting it.
    pub(super) fn has_word(&self, word: &str) -> bool {
        matches!(self.token.kind, Kind::Word(next) if next.eq_ignore_ascii_case(word))
    }

    /// Whether the next token is `word`, which may stand here.
    pub(super) fn is_word(&mut self, word: &'static str) -> bool {
        self.expected.push(Item::Literal(word));
        self.has_word(word)
    }

    /// Whether the next token is `sign`, which may stand here.
    pub(super) fn is_sign(&mut self, sign: &'static str) -> bool {
        self.expected.push(Item::Literal(sign));
        matches!(self.token.kind, Kind::Sign(next) if sign.starts_with(next))
    }

    /// Takes `word`, which must stand here.
    pub(super) fn word(&mut self, word: &'static str) -> Result<Token<'t>> {
        if self.is_word(word) { self.take() } else { Err(self.misspelt()) }
    }

    /// Takes `sign`, which must stand here.
    pub(super) fn sign(&mut self, sign: &'static str) -> Result<Token<'t>> {
        if self.is_sign(sign) { self.take() } else { Err(self.misspelt()) }
    }

    pub(super) fn refuse(&self, code: &'static str, message: impl Into<String>) -> TextViolation {
        TextViolation::new(self.text, self.token.span.clone(), code, message)
    }

    /// What is wrong where the next token is nothing that could stand there.
    pub(super) fn unexpected(&self) -> TextViolation {
        let expected: Vec<&str> = self.expected.iter().map(Item::describe).collect();
        TextViolation::expected(self.text, self.token.span.clone(), &expected)
    }

    /// [`Self::unexpected`], with the word that was probably meant.
    pub(super) fn misspelt(&self) -> TextViolation {
        let words = self.expected.iter().filter_map(|item| match item {
            Item::Literal(word) => Some(*word),
            _ => None,
        });
        let near = match self.token.kind {
            Kind::Word(word) => nearest(word, words),
            _ => None,
        };
        self.unexpected().meant(near)
    }

    /// Whether there may be one more condition.
    pub(super) fn has_room(&self) -> bool {
        self.conditions < CONDITIONS
    }

    /// Whether a complement may stand here.
    pub(super) fn has_depth(&self) -> bool {
        self.depth + 2 <= DEPTH
    }

    /// Counts one condition, which the next token belongs to.
    pub(super) fn count(&mut self) -> Result<()> {
        if !self.has_room() {
            return Err(self.too_many());
        }
        self.conditions += 1;
        Ok(())
    }

    fn too_many(&self) -> TextViolation {
        self.refuse("LIMIT_EXCEEDED", format!("a filter has at most {CONDITIONS} conditions"))
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
        word: &'static str,
        join: fn(Vec<Filter>) -> Filter,
        part: fn(&mut Self) -> Result<Branch>,
    ) -> Result<Branch> {
        let first = part(self)?;
        let is_room = self.depth + 1 + first.height <= DEPTH;
        if !self.goes_on(word, is_room) {
            return Ok(first);
        }
        if !is_room {
            return Err(self.refuse("LIMIT_EXCEEDED", too_deep()));
        }
        let (mut filters, mut parts, mut height) = (vec![first.filter], vec![first.place], first.height);
        self.depth += 1;
        loop {
            self.take()?;
            let next = part(self)?;
            height = height.max(next.height);
            filters.push(next.filter);
            parts.push(next.place);
            if !self.goes_on(word, true) {
                break;
            }
        }
        self.depth -= 1;
        let end = parts.last().map_or(0, |part| part.span().end);
        let span = parts.first().map_or(0, |part| part.span().start)..end;
        Ok(Branch { filter: join(filters), place: Place::List { span, parts }, height: height + 1 })
    }

    /// Whether a list has a further part. It is expected only where there would be room for it.
    fn goes_on(&mut self, word: &'static str, is_room: bool) -> bool {
        if is_room && self.has_room() { self.is_word(word) } else { self.has_word(word) }
    }

    fn term(&mut self) -> Result<Branch> {
        if !self.has_room() {
            return Err(self.too_many());
        }
        self.expected.push(Item::Attribute);
        let is_nestable = self.nesting < DEPTH;
        let begins = [
            ("accounts", true),
            ("memberOf", true),
            ("reportsTo", self.names.user_attributes().count() == 1),
            ("everybody", true),
            ("nobody", true),
            ("not", is_nestable && self.has_depth()),
            ("(", is_nestable),
        ];
        self.expected.extend(begins.into_iter().filter(|(_, may)| *may).map(|(word, _)| Item::Literal(word)));
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
                Some(_) => Err(self.unexpected()),
            },
            Kind::Number(_) | Kind::Sign(_) | Kind::End => Err(self.unexpected()),
        }
    }

    fn constant(&mut self, filter: Filter) -> Result<Branch> {
        self.count()?;
        let span = self.take()?.span;
        Ok(Branch::leaf(filter, Place::List { span, parts: Vec::new() }))
    }

    fn negation(&mut self) -> Result<Branch> {
        if !self.has_depth() {
            return Err(self.refuse("LIMIT_EXCEEDED", too_deep()));
        }
        let start = self.take()?.span.start;
        self.depth += 1;
        let part = if self.token.kind == Kind::Sign('(') { self.brackets()? } else { self.nested(Self::term)? };
        self.depth -= 1;
        let span = start..part.place.span().end;
        Ok(Branch::not(part, span))
    }

    fn brackets(&mut self) -> Result<Branch> {
        self.nested(|parser| {
            parser.take()?;
            let inner = parser.any()?;
            parser.sign(")")?;
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

pub(super) fn too_deep() -> String {
    format!("a filter nests at most {DEPTH} deep")
}
