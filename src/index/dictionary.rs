//! Byte strings by number: each stored once, in one arena that is searched as a whole.
//!
//! What does not live here: who has which value.

use std::hash::BuildHasher;

use memchr::memmem;
use rustc_hash::FxBuildHasher;

use super::slots::{CODES, Slots};

/// Stands between values; no UTF-8 text has this byte.
const SEPARATOR: u8 = 0xff;

/// Distinct byte strings, each with a code. Code 0 is "no value".
///
/// Codes are never freed; a value that nobody has any more stays until the index is built anew. Beyond 4 GiB of distinct
/// values, or 2^27 of them, further ones read as empty.
#[derive(Clone)]
pub(super) struct Dictionary {
    /// Every value with a separator before and after it.
    bytes: Vec<u8>,
    /// Where the value of each code ends.
    ends: Vec<u32>,
    codes: Slots,
}

impl Default for Dictionary {
    fn default() -> Self {
        Self { bytes: vec![SEPARATOR], ends: vec![0], codes: Slots::default() }
    }
}

impl Dictionary {
    /// How many codes there are, "no value" included.
    pub(super) fn len(&self) -> usize {
        self.ends.len()
    }

    pub(super) fn value(&self, code: u32) -> &[u8] {
        value(&self.bytes, &self.ends, code)
    }

    pub(super) fn find(&self, value_wanted: &[u8]) -> Option<u32> {
        let hash = FxBuildHasher.hash_one(value_wanted);
        self.codes.find(hash, |code| self.value(code) == value_wanted)
    }

    /// The code of a value, which is added if it is new.
    pub(super) fn intern(&mut self, wanted: &[u8]) -> u32 {
        if let Some(code) = self.find(wanted) {
            return code;
        }
        if self.ends.len() >= CODES {
            return 0;
        }
        let code = super::ordinal(self.ends.len());
        self.bytes.extend_from_slice(wanted);
        self.ends.push(u32::try_from(self.bytes.len()).unwrap_or(0));
        self.bytes.push(SEPARATOR);
        let (bytes, ends) = (&self.bytes, &self.ends);
        self.codes
            .insert(FxBuildHasher.hash_one(wanted), code, |code| FxBuildHasher.hash_one(value(bytes, ends, code)));
        code
    }

    /// Gives back what was reserved for growth.
    pub(super) fn shrink(&mut self) {
        self.bytes.shrink_to_fit();
        self.ends.shrink_to_fit();
        let (bytes, ends) = (&self.bytes, &self.ends);
        self.codes.shrink(|code| FxBuildHasher.hash_one(value(bytes, ends, code)));
    }

    /// The codes of the texts in which `pattern` stands, in ascending order.
    pub(super) fn containing(&self, pattern: &str) -> Vec<u32> {
        self.search(pattern.as_bytes(), 0)
    }

    /// The codes of the texts that begin with `pattern`, in ascending order.
    pub(super) fn starting(&self, pattern: &str) -> Vec<u32> {
        let needle: Vec<u8> = std::iter::once(SEPARATOR).chain(pattern.bytes()).collect();
        self.search(&needle, 1)
    }

    /// The codes of the texts that end with `pattern`, in ascending order.
    pub(super) fn ending(&self, pattern: &str) -> Vec<u32> {
        let needle: Vec<u8> = pattern.bytes().chain(std::iter::once(SEPARATOR)).collect();
        self.search(&needle, 0)
    }

    /// One pass over the arena; `skip` is where in the needle the value begins.
    fn search(&self, needle: &[u8], skip: usize) -> Vec<u32> {
        let finder = memmem::Finder::new(needle);
        let mut found = Vec::new();
        let (mut at, mut code) = (0, 1);
        while let Some(hit) = self.bytes.get(at..).and_then(|rest| finder.find(rest)) {
            let place = at + hit + skip;
            while self.ends.get(code).is_some_and(|&end| (end as usize) < place) {
                code += 1;
            }
            let Some(&end) = self.ends.get(code) else { break };
            found.push(super::ordinal(code));
            // The next value: one hit in each is enough. Its separator may begin the next hit.
            at = end as usize;
            code += 1;
        }
        found
    }
}

fn value<'a>(bytes: &'a [u8], ends: &[u32], code: u32) -> &'a [u8] {
    let at = code as usize;
    match (at.checked_sub(1).and_then(|before| ends.get(before)), ends.get(at)) {
        (Some(&before), Some(&end)) => bytes.get(before as usize + 1..end as usize).unwrap_or_default(),
        _ => &[],
    }
}
