//! One code per ordinal, as narrow as the codes allow: scans are bound by memory.

use roaring::RoaringBitmap;

/// A vector of codes that widens when a code needs it.
#[derive(Clone)]
pub(super) enum Codes {
    /// Codes below 256.
    Byte(Vec<u8>),
    /// Codes below 65,536.
    Short(Vec<u16>),
    /// Codes below 16,777,216: what nearly every long column needs, for three quarters of the room.
    Triple(Vec<Triple>),
    /// Any code.
    Word(Vec<u32>),
}

/// A number of three bytes, the lowest first.
#[derive(Clone, Copy, Default, PartialEq)]
pub(super) struct Triple([u8; 3]);

impl From<Triple> for u32 {
    fn from(Triple([low, middle, high]): Triple) -> Self {
        Self::from_le_bytes([low, middle, high, 0])
    }
}

impl TryFrom<u32> for Triple {
    type Error = u32;

    fn try_from(code: u32) -> Result<Self, u32> {
        match code.to_le_bytes() {
            [low, middle, high, 0] => Ok(Self([low, middle, high])),
            _ => Err(code),
        }
    }
}

impl Default for Codes {
    fn default() -> Self {
        Self::Byte(Vec::new())
    }
}

/// Runs one expression on whichever vector there is.
macro_rules! each {
    ($codes:expr, $vector:ident => $body:expr) => {
        match $codes {
            Codes::Byte($vector) => $body,
            Codes::Short($vector) => $body,
            Codes::Triple($vector) => $body,
            Codes::Word($vector) => $body,
        }
    };
}

impl Codes {
    pub(super) fn len(&self) -> usize {
        each!(self, vector => vector.len())
    }

    #[expect(clippy::useless_conversion, reason = "one arm for four widths, the widest of which needs none")]
    pub(super) fn code(&self, ordinal: u32) -> u32 {
        each!(self, vector => vector.get(ordinal as usize).map_or(0, |&code| u32::from(code)))
    }

    /// Makes room for `len` ordinals; new ones have no value.
    pub(super) fn resize(&mut self, len: usize) {
        each!(self, vector => vector.resize(len, Default::default()));
    }

    pub(super) fn shrink(&mut self) {
        each!(self, vector => vector.shrink_to_fit());
    }

    pub(super) fn reserve(&mut self, more: usize) {
        each!(self, vector => vector.reserve_exact(more));
    }

    pub(super) fn set(&mut self, ordinal: u32, code: u32) {
        let at = ordinal as usize;
        if at >= self.len() {
            self.resize(at + 1);
        }
        if let (Self::Byte(vector), Err(_)) = (&*self, u8::try_from(code)) {
            *self = Self::Short(widened(vector, u16::from));
        }
        if let (Self::Short(vector), Err(_)) = (&*self, u16::try_from(code)) {
            *self = Self::Triple(widened(vector, |code| Triple::try_from(u32::from(code)).unwrap_or_default()));
        }
        if let (Self::Triple(vector), Err(_)) = (&*self, Triple::try_from(code)) {
            *self = Self::Word(widened(vector, u32::from));
        }
        match self {
            Self::Byte(vector) => vector[at] = u8::try_from(code).unwrap_or_default(),
            Self::Short(vector) => vector[at] = u16::try_from(code).unwrap_or_default(),
            Self::Triple(vector) => vector[at] = Triple::try_from(code).unwrap_or_default(),
            Self::Word(vector) => vector[at] = code,
        }
    }

    /// The ordinals whose code has a mark in `table`.
    #[expect(clippy::useless_conversion, reason = "one arm for four widths, the widest of which needs none")]
    pub(super) fn scan(&self, table: &[bool]) -> RoaringBitmap {
        each!(self, vector => pack(vector, |&code| table.get(u32::from(code) as usize).copied().unwrap_or(false)))
    }

    /// The ordinals with one code.
    pub(super) fn scan_one(&self, wanted: u32) -> RoaringBitmap {
        match self {
            Self::Byte(vector) => match u8::try_from(wanted) {
                Ok(wanted) => pack(vector, |&code| code == wanted),
                Err(_) => RoaringBitmap::new(),
            },
            Self::Short(vector) => match u16::try_from(wanted) {
                Ok(wanted) => pack(vector, |&code| code == wanted),
                Err(_) => RoaringBitmap::new(),
            },
            Self::Triple(vector) => match Triple::try_from(wanted) {
                Ok(wanted) => pack(vector, |&code| code == wanted),
                Err(_) => RoaringBitmap::new(),
            },
            Self::Word(vector) => pack(vector, |&code| code == wanted),
        }
    }

    /// Adds up how many of some ordinals have each code.
    #[expect(clippy::useless_conversion, reason = "one arm for four widths, the widest of which needs none")]
    pub(super) fn tally(&self, ordinals: &RoaringBitmap, counts: &mut [u32]) {
        each!(self, vector => {
            for at in ordinals {
                if let Some(&code) = vector.get(at as usize) {
                    counts[u32::from(code) as usize] += 1;
                }
            }
        });
    }

    /// Calls `visit` with every ordinal and its code.
    #[expect(clippy::useless_conversion, reason = "one arm for four widths, the widest of which needs none")]
    pub(super) fn for_each(&self, mut visit: impl FnMut(u32, u32)) {
        each!(self, vector => {
            for (ordinal, &code) in (0..).zip(vector) {
                visit(ordinal, u32::from(code));
            }
        });
    }
}

/// The same codes at another width, with as much room to spare.
fn widened<T: Copy, U>(narrow: &Vec<T>, widen: impl Fn(T) -> U) -> Vec<U> {
    let mut wide = Vec::with_capacity(narrow.capacity());
    wide.extend(narrow.iter().map(|&code| widen(code)));
    wide
}

/// The places at which `holds`, as a bitmap.
pub(super) fn pack<T>(items: &[T], holds: impl Fn(&T) -> bool) -> RoaringBitmap {
    // Chunks of a fixed size are what the compiler turns into vector instructions.
    let (chunks, rest) = items.as_chunks::<8>();
    let mut bytes = Vec::with_capacity(chunks.len() + 1);
    bytes.extend(chunks.iter().map(|chunk| byte(chunk, &holds)));
    bytes.push(byte(rest, &holds));
    RoaringBitmap::from_lsb0_bytes(0, &bytes)
}

/// A bit for each of at most eight items.
#[inline(always)]
fn byte<T>(items: &[T], holds: impl Fn(&T) -> bool) -> u8 {
    items.iter().enumerate().fold(0, |byte, (bit, item)| byte | u8::from(holds(item)) << bit)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn codes_stay_what_they_are_at_every_width() {
        let mut codes = Codes::default();
        let written = [7, 255, 256, 65_535, 65_536, 16_777_215, 16_777_216, u32::MAX - 1];
        for (at, code) in (0..).zip(written) {
            codes.set(at * 2, code);
            for (at, code) in (0..=at).zip(written) {
                assert_eq!((codes.code(at * 2), codes.code(at * 2 + 1)), (code, 0));
                assert_eq!(codes.scan_one(code).iter().collect::<Vec<_>>(), [at * 2]);
            }
        }
    }
}
