//! From text to tokens.
//!
//! What does not live here: which words mean what.

use std::ops::Range;

use unicode_normalization::char::is_combining_mark;

use super::violation::TextViolation;

/// A token, and where it stands.
#[derive(Clone, Debug)]
pub(super) struct Token<'a> {
    pub(super) kind: Kind<'a>,
    pub(super) span: Range<usize>,
}

/// What a token is.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Kind<'a> {
    /// A name, a keyword, or anything else that is written without quotes and is no number.
    Word(&'a str),
    /// Text in quotes, read.
    Text(String),
    /// A number.
    Number(f64),
    /// `(`, `)`, `[`, `]` or `,`.
    Sign(char),
    /// The end of the text.
    End,
}

/// Signs of other languages, each with the word that is written here.
const OTHER_SIGNS: [(&str, &str); 10] = [
    ("==", "eq"),
    ("=", "eq"),
    ("!=", "ne"),
    ("<>", "ne"),
    ("<=", "le"),
    ("<", "lt"),
    (">=", "ge"),
    (">", "gt"),
    ("&&", "and"),
    ("||", "or"),
];

/// Cuts a text into tokens, one at a time and each character once.
pub(super) struct Lexer<'a> {
    text: &'a str,
    at: usize,
}

impl<'a> Lexer<'a> {
    pub(super) fn new(text: &'a str) -> Self {
        Self { text, at: 0 }
    }

    /// The next token; again and again the end after the last one.
    pub(super) fn token(&mut self) -> Result<Token<'a>, TextViolation> {
        let rest = &self.text[self.at..];
        self.at += rest.len() - rest.trim_start().len();
        let rest = &self.text[self.at..];
        let start = self.at;
        let kind = match rest.chars().next() {
            None => Kind::End,
            Some(sign @ ('(' | ')' | '[' | ']' | ',')) => {
                self.at += 1;
                Kind::Sign(sign)
            }
            Some('"') => Kind::Text(self.quoted()?),
            Some(first) if is_of_word(first) => self.word(first)?,
            Some(first) => return Err(self.odd(first)),
        };
        Ok(Token { kind, span: start..self.at })
    }

    /// A word or a number: both go on until something stands there that neither has.
    fn word(&mut self, first: char) -> Result<Kind<'a>, TextViolation> {
        let start = self.at;
        let is_numeric = first == '-' || first.is_ascii_digit();
        let rest = &self.text[start..];
        let goes_on = |c: char| is_of_word(c) || (is_numeric && c == '+');
        let mut len = rest.find(|c| !goes_on(c)).unwrap_or(rest.len());
        // A day to come, `now+2w`, is one word.
        if rest[..len].eq_ignore_ascii_case("now")
            && let Some(after) = rest[len..].strip_prefix('+')
        {
            len += 1 + after.find(|c| !is_of_word(c)).unwrap_or(after.len());
        }
        let word = &rest[..len];
        self.at += len;
        if !is_numeric {
            return Ok(Kind::Word(word));
        }
        match serde_json::from_str::<f64>(word) {
            Ok(number) => Ok(Kind::Number(number)),
            Err(_) if word.parse().is_ok_and(f64::is_infinite) => {
                Err(TextViolation::new(self.text, start..self.at, "SYNTAX", "this number is too large"))
            }
            Err(_) => Ok(Kind::Word(word)),
        }
    }

    /// A text in quotes, which is a string of JSON.
    fn quoted(&mut self) -> Result<String, TextViolation> {
        let start = self.at;
        let mut is_escaped = false;
        for (at, byte) in (start + 1..).zip(self.text[start + 1..].bytes()) {
            match byte {
                0..0x20 => {
                    let message = "a line break, tab or other control character within quotes is written `\\n`, `\\t` \
                                   or `\\u0007`";
                    return Err(TextViolation::new(self.text, at..at + 1, "SYNTAX", message));
                }
                _ if is_escaped => is_escaped = false,
                b'\\' => is_escaped = true,
                b'"' => {
                    self.at = at + 1;
                    return serde_json::from_str(&self.text[start..self.at]).map_err(|_| {
                        let message = "within quotes, `\\` stands only in `\\\"`, `\\\\`, `\\/`, `\\b`, `\\f`, `\\n`, \
                                       `\\r`, `\\t` and `\\u` with four hex digits";
                        TextViolation::new(self.text, start..self.at, "SYNTAX", message)
                    });
                }
                _ => {}
            }
        }
        let message = "the quote that begins here has no end";
        Err(TextViolation::new(self.text, start..start + 1, "SYNTAX", message))
    }

    /// What is wrong where no token begins.
    fn odd(&self, first: char) -> TextViolation {
        let rest = &self.text[self.at..];
        if let Some((sign, word)) = OTHER_SIGNS.iter().find(|(sign, _)| rest.starts_with(sign)) {
            let message = format!("`{sign}` is written `{word}`");
            let violation = TextViolation::new(self.text, self.at..self.at + sign.len(), "SYNTAX", message);
            return TextViolation { suggestion: Some((*word).to_owned()), ..violation };
        }
        let message = match first {
            '\'' | '`' | '“' | '”' | '„' | '‘' | '’' | '«' | '»' => {
                format!("`{first}` is no quote here; text stands between two `\"`")
            }
            _ => format!("`{}` has no meaning outside of quotes", first.escape_debug()),
        };
        TextViolation::new(self.text, self.at..self.at + first.len_utf8(), "SYNTAX", message)
    }
}

/// Whether a word can have this character. Keys have letters, digits, `_` and `-`; names of RFC 7644 `.`, `:` and `$`, too.
pub(super) fn is_of_word(c: char) -> bool {
    c.is_alphanumeric() || matches!(c, '_' | '-' | '.' | ':' | '$') || (!c.is_ascii() && is_combining_mark(c))
}

/// Whether `name` is read as one word, whatever stands around it.
pub(super) fn is_word(name: &str) -> bool {
    name.starts_with(|c: char| c.is_alphabetic() || c == '_') && name.chars().all(is_of_word)
}
