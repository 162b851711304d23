//! Text as names and logins are compared: in plain Latin letters, cut into words.

use any_ascii::any_ascii_char;

/// `text` in lower-case ASCII letters and digits, whatever its script; all else is gone.
pub(super) fn squeeze(text: &str) -> String {
    let mut squeezed = String::with_capacity(text.len());
    for c in text.chars() {
        push_latin(c, &mut squeezed);
    }
    squeezed.retain(|c| c.is_ascii_alphanumeric());
    squeezed
}

fn push_latin(c: char, to: &mut String) {
    if c.is_ascii() {
        to.push(c.to_ascii_lowercase());
    } else if c.is_alphanumeric() {
        to.extend(any_ascii_char(c).chars().map(|c| c.to_ascii_lowercase()));
    }
}

/// The words of `text` in lower-case ASCII letters: cut where there is anything but letters, and at the ends of digits.
/// With `camel`, cut before a capital that follows a small letter, too.
///
/// A character of a script without letters, such as a Chinese one, is a word.
pub(super) fn words(text: &str, camel: bool) -> Vec<String> {
    let mut words = vec![String::new()];
    let mut before = ' ';
    let mut chars = text.chars().peekable();
    while let Some(c) = chars.next() {
        let humps = camel
            && c.is_uppercase()
            && (before.is_lowercase() || before.is_uppercase() && chars.peek().is_some_and(|next| next.is_lowercase()));
        if is_apostrophe(c) || is_mark(c) {
            continue;
        }
        if !c.is_alphabetic() || humps || is_ideograph(c) || is_ideograph(before) {
            words.push(String::new());
        }
        if c.is_alphabetic()
            && let Some(word) = words.last_mut()
        {
            push_latin(c, word);
        }
        before = c;
    }
    for word in &mut words {
        word.retain(|c| c.is_ascii_lowercase());
    }
    words.retain(|word| !word.is_empty());
    words
}

fn is_apostrophe(c: char) -> bool {
    matches!(c, '\'' | '’' | '‘' | 'ʼ' | '`' | '´' | 'ʻ' | '′')
}

/// Whether `c` is a mark over the letter before it, as decomposed text has them.
fn is_mark(c: char) -> bool {
    matches!(c, '\u{300}'..='\u{36F}' | '\u{1AB0}'..='\u{1AFF}' | '\u{1DC0}'..='\u{1DFF}')
}

fn is_ideograph(c: char) -> bool {
    matches!(c, '\u{3400}'..='\u{9FFF}' | '\u{AC00}'..='\u{D7AF}' | '\u{F900}'..='\u{FAFF}' | '\u{20000}'..='\u{3FFFF}')
}

/// `text` with umlauts spelled as two letters, as German and its neighbours do without the dots; `None` if it has none.
pub(super) fn spell_umlauts(text: &str) -> Option<String> {
    let spelled = |c: char| match c {
        'ä' | 'Ä' | 'æ' | 'Æ' => Some("ae"),
        'ö' | 'Ö' | 'ø' | 'Ø' | 'œ' | 'Œ' => Some("oe"),
        'ü' | 'Ü' => Some("ue"),
        'å' | 'Å' => Some("aa"),
        _ => None,
    };
    if text.is_ascii() {
        return None;
    }
    let text = crate::value::nfc(text);
    if !text.chars().any(|c| spelled(c).is_some()) {
        return None;
    }
    let mut out = String::with_capacity(text.len() + 2);
    for c in text.chars() {
        match spelled(c) {
            Some(two) => out.push_str(two),
            None => out.push(c),
        }
    }
    Some(out)
}

/// `text` as it was before UTF-8 was taken for Latin-1 (`GaÃ«l` for `Gaël`); `None` where that did not happen.
pub(super) fn mend_encoding(text: &str) -> Option<String> {
    if text.is_ascii() {
        return None;
    }
    let bytes: Option<Vec<u8>> = text.chars().map(|c| u8::try_from(u32::from(c)).ok()).collect();
    String::from_utf8(bytes?).ok()
}

/// Whether `a` becomes `b` by one letter more, less or other, or two neighbours swapped; by two such where `twice`.
pub(super) fn is_typo(a: &str, b: &str, twice: bool) -> bool {
    let (mut a, mut b) = (a.as_bytes(), b.as_bytes());
    if a.len().abs_diff(b.len()) > if twice { 2 } else { 1 } {
        return false;
    }
    let alike = a.iter().zip(b).take_while(|(x, y)| x == y).count();
    (a, b) = (&a[alike..], &b[alike..]);
    let alike = a.iter().rev().zip(b.iter().rev()).take_while(|(x, y)| x == y).count();
    (a, b) = (&a[..a.len() - alike], &b[..b.len() - alike]);
    match (a, b) {
        ([] | [_], [] | [_]) => true,
        ([x, y], [p, q]) if x == q && y == p => true,
        _ if !twice => false,
        // Two, of which each is at an end of what differs or beside the other.
        ([_, rest @ ..], [_, others @ ..]) => {
            let is_one = |a: &[u8], b: &[u8]| match (a, b) {
                ([] | [_], [] | [_]) => true,
                ([x, y], [p, q]) => x == q && y == p,
                _ => false,
            };
            let inner = |a: &[u8], b: &[u8]| {
                let alike = a.iter().zip(b).take_while(|(x, y)| x == y).count();
                is_one(&a[alike..], &b[alike..])
            };
            inner(rest, others) || inner(rest, b) || inner(a, others)
        }
        (rest, []) | ([], rest) => rest.len() < 3,
    }
}

/// `word` with one spelling for what scripts and languages spell in many: `Guenter` and `Gunter`, `Andrey` and `Andrei`.
pub(super) fn sound(word: &str) -> String {
    let mut sound = String::with_capacity(word.len());
    let mut letters = word.bytes().peekable();
    while let Some(letter) = letters.next() {
        let next = letters.peek().copied();
        let spelled = match (letter, next) {
            // The sign of an umlaut, and of an aspirate.
            (b'a' | b'o' | b'u', Some(b'e')) => {
                letters.next();
                letter
            }
            (b'p', Some(b'h')) => b'f',
            (b'h', _) => continue,
            (b'c' | b'q' | b'x', _) => b'k',
            (b'y' | b'j', _) => b'i',
            (b'w', _) => b'v',
            (b'z', _) => b's',
            _ => letter,
        };
        if !sound.ends_with(char::from(spelled)) {
            sound.push(char::from(spelled));
        }
        if letter == b'x' {
            sound.push('s');
        }
    }
    sound
}
