//! From bytes to text, a piece at a time: a byte that the encoding does not have ends the text there.
//!
//! What does not live here: lines and cells.

use std::io::Read;

use memchr::memchr;
use serde::{Deserialize, Serialize};

use super::doubt::{Doubt, Reason};

/// How the characters of a file are written as bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Encoding {
    /// UTF-8, with or without a byte-order mark; what a file is that has no mark and declares nothing.
    Utf8,
    /// UTF-16, little end first, as spreadsheets save "Unicode text".
    Utf16Le,
    /// UTF-16, big end first.
    Utf16Be,
    /// Windows-1252, whose letters and signs are a superset of Latin-1's; only where it is declared, since every
    /// file looks like it.
    Windows1252,
}

impl Encoding {
    /// As it is written in a message.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Utf8 => "UTF-8",
            Self::Utf16Le => "UTF-16 LE",
            Self::Utf16Be => "UTF-16 BE",
            Self::Windows1252 => "Windows-1252",
        }
    }

    /// The encoding that a file's first bytes declare, and how many bytes the mark has.
    fn of_mark(bytes: &[u8]) -> Option<(Self, usize)> {
        match bytes {
            [0xEF, 0xBB, 0xBF, ..] => Some((Self::Utf8, 3)),
            [0xFF, 0xFE, ..] => Some((Self::Utf16Le, 2)),
            [0xFE, 0xFF, ..] => Some((Self::Utf16Be, 2)),
            _ => None,
        }
    }

    fn decoder(self) -> Option<encoding_rs::Decoder> {
        match self {
            Self::Utf8 => None,
            Self::Utf16Le => Some(encoding_rs::UTF_16LE),
            Self::Utf16Be => Some(encoding_rs::UTF_16BE),
            Self::Windows1252 => Some(encoding_rs::WINDOWS_1252),
        }
        .map(encoding_rs::Encoding::new_decoder_without_bom_handling)
    }
}

/// Why there is no text after what was decoded.
#[derive(Clone, Debug)]
pub(super) struct Flaw {
    pub(super) code: &'static str,
    pub(super) message: String,
}

/// How many characters of UTF-16 show in which order their bytes are.
const LOOKED_AT: usize = 1_000;

/// How many bytes are read at once. Tests read few, so that whatever can be split between two reads is.
const PIECE: usize = if cfg!(test) { 16 } else { 64 * 1024 };

/// A source of bytes as a window of text, which its reader moves on.
pub(super) struct Decoder {
    source: Box<dyn Read + Send>,
    encoding: Encoding,
    /// For all but UTF-8, which the standard library checks faster.
    decoder: Option<encoding_rs::Decoder>,
    /// For Windows-1252, which the bytes of every file can be read as.
    doubt: Option<Doubt>,
    /// Bytes that were read and not decoded: the start of a character.
    bytes: Vec<u8>,
    /// Where in the file `bytes` begins.
    offset: u64,
    most_bytes: u64,
    text: String,
    /// Where in `text` that begins which was not taken yet.
    start: usize,
    is_ended: bool,
    /// What stands right after `text`.
    flaw: Option<Flaw>,
}

impl Decoder {
    /// Reads the byte-order mark, if there is one, and the first piece.
    pub(super) fn open(
        source: Box<dyn Read + Send>,
        declared: Option<Encoding>,
        most_bytes: u64,
    ) -> Result<Self, Flaw> {
        let mut this = Self {
            source,
            encoding: declared.unwrap_or(Encoding::Utf8),
            decoder: None,
            doubt: None,
            bytes: Vec::new(),
            offset: 0,
            most_bytes,
            text: String::new(),
            start: 0,
            is_ended: false,
            flaw: None,
        };
        let is_last = this.read(PIECE)?;
        if let Some((marked, length)) = Encoding::of_mark(&this.bytes) {
            if let Some(declared) = declared
                && declared != marked
            {
                let (declared, marked) = (declared.name(), marked.name());
                return Err(Flaw {
                    code: "WRONG_ENCODING",
                    message: format!("the file is declared as {declared} and begins with the mark of {marked}"),
                });
            }
            this.encoding = marked;
            this.bytes.drain(..length);
            this.offset += length as u64;
        } else {
            this.check_order()?;
        }
        this.decoder = this.encoding.decoder();
        this.doubt = (this.encoding == Encoding::Windows1252).then(Doubt::new);
        this.decode(is_last);
        Ok(this)
    }

    pub(super) fn encoding(&self) -> Encoding {
        self.encoding
    }

    /// Why what was read seems to be of another encoding, though it has all of its bytes.
    pub(super) fn doubt(&self) -> Option<Reason> {
        self.doubt.as_ref().and_then(Doubt::reason)
    }

    /// Refuses a file without a mark whose first bytes are UTF-16 and of another order than they are read in, or are not
    /// and are read as such: read so, not even a line break is found.
    fn check_order(&self) -> Result<(), Flaw> {
        let seen = order(&self.bytes);
        let (code, message) = match (self.encoding, seen) {
            (Encoding::Utf8 | Encoding::Windows1252, Some(order)) => {
                let name = order.name();
                ("NOT_TEXT", format!("the file is {name} without a byte-order mark; declare that, or save it as UTF-8"))
            }
            (Encoding::Utf16Le | Encoding::Utf16Be, Some(order)) if order != self.encoding => {
                let (declared, order) = (self.encoding.name(), order.name());
                (
                    "WRONG_ENCODING",
                    format!("the file is declared as {declared}, and its bytes are {order}; declare that"),
                )
            }
            (Encoding::Utf16Le | Encoding::Utf16Be, None) if !self.bytes.is_empty() && !self.bytes.contains(&0) => {
                let declared = self.encoding.name();
                let message = format!(
                    "the file is declared as {declared}, and is not; declare its encoding, or save it as UTF-8"
                );
                ("WRONG_ENCODING", message)
            }
            _ => return Ok(()),
        };
        Err(Flaw { code, message })
    }

    /// The text that was not taken yet, as far as it was read.
    pub(super) fn text(&self) -> &str {
        &self.text[self.start..]
    }

    /// Whether the file ends with [`Self::text`], and ends well.
    pub(super) fn is_ended(&self) -> bool {
        self.is_ended && self.flaw.is_none()
    }

    /// Takes the first `count` bytes of the text.
    pub(super) fn advance(&mut self, count: usize) {
        self.start += count;
    }

    /// Reads more behind the text, at most `most` bytes and as much as there is already, so that reading a long record
    /// anew after each piece costs twice its length and not its square.
    pub(super) fn fill(&mut self, most: usize) -> Result<(), Flaw> {
        if let Some(flaw) = &self.flaw {
            return Err(flaw.clone());
        }
        self.text.drain(..self.start);
        self.start = 0;
        let is_last = self.read(self.text.len().max(PIECE).min(most).max(1))?;
        self.decode(is_last);
        Ok(())
    }

    /// Reads `count` bytes; whether they are the last.
    fn read(&mut self, count: usize) -> Result<bool, Flaw> {
        let read = self.source.by_ref().take(count as u64).read_to_end(&mut self.bytes).map_err(|error| Flaw {
            code: "UNREADABLE",
            message: format!("the file could not be read to its end: {}; send it again", error.kind()),
        })?;
        if self.offset + self.bytes.len() as u64 > self.most_bytes {
            let message = format!("a file has at most {} bytes; split this one", self.most_bytes);
            return Err(Flaw { code: "TOO_LARGE", message });
        }
        Ok(read < count)
    }

    fn decode(&mut self, is_last: bool) {
        self.is_ended = is_last;
        let before = self.text.len();
        match self.decoder.take() {
            None => self.decode_utf8(is_last),
            Some(mut decoder) => {
                self.decode_with(&mut decoder, is_last);
                self.decoder = Some(decoder);
            }
        }
        if let Some(at) = memchr(0, &self.text.as_bytes()[before..]) {
            self.text.truncate(before + at);
            self.flaw = Some(Flaw {
                code: "NOT_TEXT",
                message: "the character NUL stands here, so this is no text file; if it is UTF-16, save it with a \
                          byte-order mark, or as UTF-8"
                    .into(),
            });
        }
    }

    fn decode_utf8(&mut self, is_last: bool) {
        let (valid, is_broken) = match std::str::from_utf8(&self.bytes) {
            Ok(text) => (text, false),
            Err(error) => {
                let valid = std::str::from_utf8(&self.bytes[..error.valid_up_to()]).unwrap_or_default();
                (valid, is_last || error.error_len().is_some())
            }
        };
        let length = valid.len();
        self.text.push_str(valid);
        if is_broken {
            self.flaw = Some(self.not_in_encoding(length));
        }
        self.bytes.drain(..length);
        self.offset += length as u64;
    }

    fn decode_with(&mut self, decoder: &mut encoding_rs::Decoder, is_last: bool) {
        // The encoding standard reads the five bytes that Windows-1252 leaves free as control characters; such a file
        // is of another encoding.
        let free = match self.encoding {
            Encoding::Windows1252 => {
                self.bytes.iter().position(|byte| matches!(byte, 0x81 | 0x8D | 0x8F | 0x90 | 0x9D))
            }
            Encoding::Utf8 | Encoding::Utf16Le | Encoding::Utf16Be => None,
        };
        let source = &self.bytes[..free.unwrap_or(self.bytes.len())];
        if let Some(doubt) = &mut self.doubt {
            doubt.look(source);
        }
        self.text.reserve(decoder.max_utf8_buffer_length_without_replacement(source.len()).unwrap_or_default());
        let (result, read) = decoder.decode_to_string_without_replacement(source, &mut self.text, is_last);
        let bad = match result {
            encoding_rs::DecoderResult::Malformed(length, after) => {
                Some((read, usize::from(length) + usize::from(after)))
            }
            encoding_rs::DecoderResult::InputEmpty | encoding_rs::DecoderResult::OutputFull => free.map(|at| (at, 0)),
        };
        if let Some((read, back)) = bad {
            // The character may have begun in the piece before.
            let at = (self.offset + read as u64).saturating_sub(back as u64);
            self.flaw = Some(self.not_in_encoding_at(at, None));
        }
        self.offset += self.bytes.len() as u64;
        self.bytes.clear();
    }

    fn not_in_encoding(&self, at: usize) -> Flaw {
        self.not_in_encoding_at(self.offset + at as u64, self.bytes.get(at).copied())
    }

    fn not_in_encoding_at(&self, offset: u64, byte: Option<u8>) -> Flaw {
        let byte = byte.map(|byte| format!(" (0x{byte:02X})")).unwrap_or_default();
        let mend = match self.encoding {
            Encoding::Utf8 => "save the file as \"CSV UTF-8\", or declare its encoding",
            Encoding::Utf16Le | Encoding::Utf16Be => "the file is cut off or damaged; save it anew",
            Encoding::Windows1252 if self.doubt.as_ref().is_some_and(Doubt::seems_utf8) => {
                "it seems to be UTF-8; declare that"
            }
            Encoding::Windows1252 => "declare another encoding, or save the file as UTF-8",
        };
        let name = self.encoding.name();
        Flaw { code: "NOT_TEXT", message: format!("byte {offset} of the file{byte} is not {name}; {mend}") }
    }
}

/// The order of the bytes, where what `bytes` begin with is UTF-16: of the first characters, among which there are titles
/// and delimiters, many have a byte that is zero, and always the same one of the two.
fn order(bytes: &[u8]) -> Option<Encoding> {
    let pairs = || bytes.chunks_exact(2).take(LOOKED_AT);
    let zeros = |at: usize| pairs().filter(|pair| pair[at] == 0).count();
    match (zeros(0), zeros(1)) {
        (0, low) if low * 4 > pairs().len() => Some(Encoding::Utf16Le),
        (high, 0) if high * 4 > pairs().len() => Some(Encoding::Utf16Be),
        _ => None,
    }
}
