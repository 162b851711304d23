//! Whether a file that is declared as Windows-1252 is of another encoding: the bytes of every file can be read as that.
//!
//! What does not live here: what is told of it, and files whose bytes their encoding does not have (`decode`).

/// Watches the bytes of a file from its first to its last.
#[derive(Debug)]
pub(super) struct Doubt {
    /// The line that is being read, from 1.
    line: u64,
    last: u8,
    /// The bytes that a character of UTF-8 has so far, and how many are still to come.
    character: Vec<u8>,
    missing: usize,
    /// Whether all bytes so far can be UTF-8.
    can_be_utf8: bool,
    /// The first character of more than one byte, with its line, if the file is UTF-8.
    utf8: Option<(u64, String)>,
    /// The first sign where no text has it, with its line.
    odd: Option<(u64, u8)>,
}

/// Why a file seems to be of another encoding, and the line where that is first seen.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Reason {
    /// It is UTF-8 to its end, and has this character.
    Utf8(u64, String),
    /// It has this sign where no text has it.
    Odd(u64, char),
}

impl Doubt {
    pub(super) fn new() -> Self {
        Self { line: 1, last: 0, character: Vec::new(), missing: 0, can_be_utf8: true, utf8: None, odd: None }
    }

    /// Takes the next bytes of the file.
    pub(super) fn look(&mut self, bytes: &[u8]) {
        for &byte in bytes {
            match byte {
                b'\r' => self.line += 1,
                b'\n' if self.last != b'\r' => self.line += 1,
                _ => {}
            }
            if self.odd.is_none() && is_odd(self.last, byte) {
                self.odd = Some((self.line, byte));
            }
            if self.can_be_utf8 {
                self.can_be_utf8 = self.go_on(byte);
            }
            self.last = byte;
        }
    }

    /// Whether the file can still be UTF-8 with one byte more.
    fn go_on(&mut self, byte: u8) -> bool {
        if self.missing > 0 {
            self.missing -= 1;
            if self.utf8.is_none() {
                self.character.push(byte);
                if self.missing == 0 {
                    self.utf8 = std::str::from_utf8(&self.character).ok().map(|text| (self.line, text.to_owned()));
                }
            }
            return matches!(byte, 0x80..=0xBF);
        }
        self.missing = match byte {
            0xC2..=0xDF => 1,
            0xE0..=0xEF => 2,
            0xF0..=0xF4 => 3,
            _ => return byte.is_ascii(),
        };
        self.character = vec![byte];
        true
    }

    /// Whether what was read so far is UTF-8 in which not all is ASCII.
    pub(super) fn seems_utf8(&self) -> bool {
        self.can_be_utf8 && (self.utf8.is_some() || self.missing > 0)
    }

    /// What there is to doubt, of all that was read.
    pub(super) fn reason(&self) -> Option<Reason> {
        let utf8 = self.utf8.as_ref().filter(|_| self.can_be_utf8 && self.missing == 0);
        match (utf8, self.odd) {
            (Some((line, character)), _) => Some(Reason::Utf8(*line, character.clone())),
            (None, Some((line, byte))) => {
                let byte = [byte];
                let (sign, _) = encoding_rs::WINDOWS_1252.decode_without_bom_handling(&byte);
                Some(Reason::Odd(line, sign.chars().next()?))
            }
            (None, None) => None,
        }
    }
}

/// Whether `byte` is a sign that does not follow `last` in text: one such as `ƒ`, `„` or `‡` right after a letter, or a
/// capital `Š`, `Œ` or `Ž` after a small one. The letters of MS-DOS and the bytes of Japanese are read so.
fn is_odd(last: u8, byte: u8) -> bool {
    match byte {
        0x82..=0x84 | 0x86..=0x89 | 0x8B | 0x98 => last.is_ascii_alphabetic() || last >= 0xC0,
        0x8A | 0x8C | 0x8E => last.is_ascii_lowercase() || last >= 0xDF,
        _ => false,
    }
}
