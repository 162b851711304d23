//! What can stand at a place of a text, for whoever writes it: what the parser expects there, in the words of this
//! directory.
//!
//! What does not live here: which values there are, which is asked of whoever knows.

use std::ops::Range;

use entity::UserId;
use entity::attribute::{self, AttributeType};
use entity::integration::IntegrationKind;
use sea_orm::ActiveEnum;

use super::expect::{About, Item};
use super::lex::{Kind, Lexer, is_of_word};
use super::parse::Parser;
use super::print::show;
use super::{Names, OPERATORS, TEXT, named, quoted};
use crate::filter::Scalar;
use crate::filter::condition::options;
use crate::filter::day::RelativeDay;
use crate::value::fold;

/// Days relative to today that are offered.
const DAYS: [&str; 7] = ["now", "now-7d", "now-30d", "now-90d", "now-1y", "now+30d", "now+90d"];

/// Something that can stand at a place of a text.
#[derive(Clone, Debug, PartialEq)]
pub struct Completion {
    /// What to put there.
    pub insert: String,
    /// What it takes the place of, in bytes of the text.
    pub replaces: Range<usize>,
    /// What it is.
    pub kind: CompletionKind,
    /// What to show.
    pub label: String,
    /// What to show beside it.
    pub detail: Option<String>,
    /// How many users have the value.
    pub count: Option<u64>,
    /// Where the value stands as people write it.
    pub spelling: Option<Spelling>,
}

/// What a completion is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum CompletionKind {
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

/// Who has a value, in whose record it stands as people write it.
#[derive(Clone, Debug, PartialEq)]
pub enum Spelling {
    /// It is the name of the user, and to be written so.
    Name(UserId),
    /// It is the user of this name, who is written otherwise.
    User(UserId),
    /// It is the user's value of the attribute of this key.
    Value(UserId, String),
}

/// A value that can be compared with.
#[derive(Clone, Debug, PartialEq)]
pub struct Offer {
    /// The value.
    pub value: Scalar,
    /// What it is.
    pub kind: CompletionKind,
    /// What to show, if not the value.
    pub label: Option<String>,
    /// What to show beside it.
    pub detail: Option<String>,
    /// How many users have it.
    pub count: Option<u64>,
    /// Where it stands as people write it.
    pub spelling: Option<Spelling>,
}

impl Offer {
    /// One of which nothing but the value is known.
    #[must_use]
    pub fn new(value: Scalar, kind: CompletionKind) -> Self {
        Self { value, kind, label: None, detail: None, count: None, spelling: None }
    }
}

/// Says which values of something begin as a folded text does, at most so many, the best first.
pub type Offers<'a> = dyn Fn(About<'_>, &str, usize) -> Vec<Offer> + 'a;

/// What can stand at the byte `cursor` of `text`, at most `most` of it. Nothing where something is wrong before it.
///
/// A word or text that the cursor is in, or right behind, is what everything begins with, and is replaced.
#[must_use]
pub fn complete(text: &str, cursor: usize, names: &Names<'_>, offers: &Offers<'_>, most: usize) -> Vec<Completion> {
    let Some(typed) = Typed::at(text, cursor).filter(|_| text.len() <= TEXT) else { return Vec::new() };
    let before = &text[..typed.replaces.start];
    let Ok(mut parser) = Parser::new(before, names) else { return Vec::new() };
    let is_right = parser.whole().err().is_none_or(|wrong| wrong.span.start == before.len());
    if !is_right || parser.token.kind != Kind::End {
        return Vec::new();
    }
    let room = TEXT - before.len();
    let mut list = List { typed, before, names, offers, most, found: Vec::new() };
    for item in parser.expected {
        list.add(item);
    }
    list.found.retain(|found| found.insert.len() <= room);
    list.found
}

/// What stands at the cursor already.
struct Typed {
    /// Without quotes, folded.
    folded: String,
    is_quoted: bool,
    replaces: Range<usize>,
}

impl Typed {
    /// None where the text before the cursor has something in it that is no token.
    fn at(text: &str, cursor: usize) -> Option<Self> {
        let before = text.get(..cursor)?;
        let mut lexer = Lexer::new(before);
        loop {
            match lexer.token() {
                Ok(token) if token.kind == Kind::End => {
                    return Some(Self { folded: String::new(), is_quoted: false, replaces: cursor..cursor });
                }
                Ok(token) if token.span.end == cursor && matches!(token.kind, Kind::Word(_) | Kind::Number(_)) => {
                    let rest = &text[cursor..];
                    let end = cursor + rest.find(|c| !is_of_word(c)).unwrap_or(rest.len());
                    let folded = fold(&before[token.span.clone()]);
                    return Some(Self { folded, is_quoted: false, replaces: token.span.start..end });
                }
                Ok(_) => {}
                // A quote that has no end yet.
                Err(wrong) if before[wrong.span.clone()] == *"\"" => {
                    let start = wrong.span.start;
                    let folded = fold(&unfinished(&before[start..]));
                    return Some(Self { folded, is_quoted: true, replaces: start..end_of_quote(text, start, cursor) });
                }
                Err(_) => return None,
            }
        }
    }
}

/// What a text in quotes says that breaks off.
fn unfinished(quoted: &str) -> String {
    // At most a pair of escapes, twelve characters, is cut through.
    let ends = quoted.char_indices().rev().map(|(at, c)| at + c.len_utf8()).take(12);
    ends.filter_map(|end| serde_json::from_str(&format!("{}\"", &quoted[..end])).ok()).next().unwrap_or_default()
}

/// Where the text in quotes ends that begins at `start`, if the whole text can be cut into tokens: else the quote that
/// seems to end it begins another.
fn end_of_quote(text: &str, start: usize, cursor: usize) -> usize {
    let mut lexer = Lexer::new(text);
    let mut end = cursor;
    while let Ok(token) = lexer.token() {
        if token.kind == Kind::End {
            return end;
        }
        if token.span.start == start {
            end = token.span.end;
        }
    }
    cursor
}

/// Completions that are being gathered.
struct List<'a> {
    typed: Typed,
    before: &'a str,
    names: &'a Names<'a>,
    offers: &'a Offers<'a>,
    most: usize,
    found: Vec<Completion>,
}

impl List<'_> {
    fn add(&mut self, item: Item<'_>) {
        match item {
            Item::End => {}
            Item::Literal(word) => self.literal(word),
            Item::Attribute => {
                let names = self.names;
                names.catalogue.attributes.iter().for_each(|attribute| self.attribute(attribute));
            }
            Item::Text(about) => self.texts(about),
            Item::Number(about) => self.values(about, |value| matches!(value, Scalar::Number(_))),
            Item::Day(about) => {
                let typed = self.typed.folded.clone();
                ["", "d", "w", "m", "y"].iter().for_each(|unit| self.day(&format!("{typed}{unit}")));
                DAYS.iter().for_each(|day| self.day(day));
                self.values(about, is_text);
            }
        }
    }

    fn put(&mut self, insert: &str, kind: CompletionKind, label: &str, detail: Option<String>) {
        self.put_all(Completion {
            insert: insert.to_owned(),
            replaces: self.typed.replaces.clone(),
            kind,
            label: label.to_owned(),
            detail,
            count: None,
            spelling: None,
        });
    }

    fn put_all(&mut self, mut completion: Completion) {
        // A word in place of an unfinished quote that stands right behind a word.
        if self.before.ends_with(is_of_word) && completion.insert.starts_with(is_of_word) {
            completion.insert.insert(0, ' ');
        }
        if self.found.len() < self.most && self.found.iter().all(|found| found.insert != completion.insert) {
            self.found.push(completion);
        }
    }

    /// Whether something that is not in quotes could be what is being written.
    fn begins(&self, word: &str) -> bool {
        !self.typed.is_quoted && fold(word).starts_with(&self.typed.folded)
    }

    fn literal(&mut self, word: &'static str) {
        if !self.begins(word) {
            return;
        }
        let operator = OPERATORS.iter().find(|(known, _)| *known == word);
        let kind = match word {
            "true" | "false" | "null" => CompletionKind::Value,
            _ if operator.is_some() => CompletionKind::Operator,
            _ if word.len() == 1 => CompletionKind::Sign,
            _ => CompletionKind::Keyword,
        };
        let detail = match (word, operator) {
            ("ne", _) => Some("not equals".to_owned()),
            ("pr", _) => Some("has a value".to_owned()),
            ("null", _) => Some("no value".to_owned()),
            (_, Some((_, name))) if *name != word => Some((*name).to_owned()),
            _ => None,
        };
        // Right behind a quote or a bracket a word is read, but hard to read.
        let is_close = self.typed.replaces.start == self.before.len() && self.before.ends_with(['"', ')', ']']);
        let insert = if is_close && kind != CompletionKind::Sign { format!(" {word}") } else { word.to_owned() };
        self.put(&insert, kind, word, detail);
    }

    fn attribute(&mut self, attribute: &attribute::Model) {
        let is_near = [&attribute.key, &attribute.title_key].iter().any(|name| name.starts_with(&self.typed.folded));
        if is_near && attribute.r#type != AttributeType::Integration {
            let detail = attribute.r#type.to_value();
            self.put(&named(&attribute.key), CompletionKind::Attribute, &attribute.title, Some(detail));
        }
    }

    fn day(&mut self, day: &str) {
        let today = self.names.catalogue.today;
        if self.begins(day)
            && let Some(Ok(read)) = RelativeDay::read(day)
        {
            self.put(day, CompletionKind::Day, day, read.on(today).map(|day| day.to_string()));
        }
    }

    fn texts(&mut self, about: About<'_>) {
        match about {
            About::Attribute(attribute)
                if matches!(attribute.r#type, AttributeType::Select | AttributeType::MultiSelect) =>
            {
                let known = (self.offers)(about, &self.typed.folded, usize::MAX);
                let count = |option: &str| {
                    let is_same = |offer: &&Offer| matches!(&offer.value, Scalar::Text(text) if *text == fold(option));
                    known.iter().find(is_same).and_then(|offer| offer.count)
                };
                let chosen = options(attribute).filter(|option| fold(option).starts_with(&self.typed.folded));
                let mut chosen: Vec<(&str, u64)> = chosen.map(|option| (option, count(option).unwrap_or(0))).collect();
                chosen.sort_by_key(|(_, count)| std::cmp::Reverse(*count));
                for (option, count) in chosen {
                    let offer = Offer::new(Scalar::Text(option.to_owned()), CompletionKind::Option);
                    self.offer(Offer { count: Some(count), ..offer });
                }
            }
            About::Kind => {
                for kind in IntegrationKind::values() {
                    if fold(&kind).starts_with(&self.typed.folded) {
                        self.offer(Offer::new(Scalar::Text(kind), CompletionKind::Integration));
                    }
                }
            }
            _ => self.values(about, is_text),
        }
    }

    /// Values there are, of those that fit the place: an operator on texts may stand behind an attribute without texts.
    fn values(&mut self, about: About<'_>, fits: fn(&Scalar) -> bool) {
        for offer in (self.offers)(about, &self.typed.folded, self.most) {
            if fits(&offer.value) {
                self.offer(offer);
            }
        }
    }

    fn offer(&mut self, offer: Offer) {
        let Offer { value, kind, label, detail, count, spelling } = offer;
        let (insert, shown) = match value {
            Scalar::Text(text) => (quoted(&text), text),
            Scalar::Number(_) | Scalar::Boolean(_) if self.typed.is_quoted => return,
            Scalar::Number(number) => (show(number), show(number)),
            Scalar::Boolean(truth) => (truth.to_string(), truth.to_string()),
        };
        let replaces = self.typed.replaces.clone();
        self.put_all(Completion { insert, replaces, kind, label: label.unwrap_or(shown), detail, count, spelling });
    }
}

fn is_text(value: &Scalar) -> bool {
    matches!(value, Scalar::Text(_))
}

impl Completion {
    /// With the value as people write it, where `spelled` is the same but for what makes no difference.
    pub(crate) fn spell(&mut self, spelled: &str) {
        if fold(spelled) == fold(&self.label) {
            self.insert = quoted(spelled);
            self.label = spelled.to_owned();
        }
    }
}
