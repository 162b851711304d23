//! SECRETS of tokens: `rst_`, 30 random characters, and 6 that check them.
//!
//! 30 characters of 62 are 178 random bits, so a fast hash is enough to keep one by. The check is the CRC-32 of the random
//! characters: a text that somebody has mistyped, or made up, is told from a secret without looking for it.

use std::fmt;

use ring::rand::{SecureRandom, SystemRandom};
use sha2::{Digest, Sha256};
use subtle::ConstantTimeEq;

/// What every secret begins with, so that one that got out can be found.
const PREFIX: &str = "rst_";
/// How many random characters there are.
const RANDOM: usize = 30;
/// How many characters check them: as many as 32 bits take.
const CHECK: usize = 6;
/// The digits of a number to the base 62, lowest first.
const DIGITS: &[u8; 62] = b"0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz";

/// The secret of a token: its `Debug` form is three dots.
#[derive(Clone, PartialEq, Eq)]
pub struct TokenSecret(String);

/// The system gives no random numbers.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the system gives no random numbers")]
pub struct NoRandom;

impl TokenSecret {
    /// A new one.
    ///
    /// # Errors
    /// Where the system gives no random numbers.
    pub fn generate() -> Result<Self, NoRandom> {
        let mut secret = PREFIX.to_owned();
        let mut bytes = [0; 2 * RANDOM];
        while secret.len() < PREFIX.len() + RANDOM {
            SystemRandom::new().fill(&mut bytes).map_err(|_| NoRandom)?;
            // Bytes from 248 on would make the first digits likelier than the others.
            let fair = bytes.iter().filter(|byte| **byte < 248).map(|byte| char::from(DIGITS[usize::from(byte % 62)]));
            secret.extend(fair.take(PREFIX.len() + RANDOM - secret.len()));
        }
        let check = check(&secret[PREFIX.len()..]);
        Ok(Self(secret + &check))
    }

    /// The text itself.
    #[must_use]
    pub fn expose(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for TokenSecret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("…")
    }
}

/// What a secret is kept as: its SHA-256.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct TokenHash([u8; 32]);

impl TokenHash {
    /// Of a text that is formed as a secret is; none of any other.
    #[must_use]
    pub fn of(text: &str) -> Option<Self> {
        let rest = text.strip_prefix(PREFIX).filter(|rest| rest.len() == RANDOM + CHECK && rest.is_ascii())?;
        let (random, checks) = rest.split_at(RANDOM);
        let is_plain = random.bytes().all(|byte| byte.is_ascii_alphanumeric());
        (is_plain && bool::from(check(random).as_bytes().ct_eq(checks.as_bytes())))
            .then(|| Self(Sha256::digest(text).into()))
    }

    /// Its bytes.
    #[must_use]
    pub fn as_bytes(&self) -> &[u8] {
        &self.0
    }

    /// Whether these are its bytes, found out in a time that does not depend on them.
    #[must_use]
    pub fn is(&self, bytes: &[u8]) -> bool {
        self.0.ct_eq(bytes).into()
    }
}

/// Whether a text begins as secrets of tokens do.
#[must_use]
pub fn is_of_token(text: &str) -> bool {
    text.starts_with(PREFIX)
}

/// The characters that check these.
fn check(random: &str) -> String {
    let mut rest = crc32fast::hash(random.as_bytes()) as usize;
    let mut checks = [b'0'; CHECK];
    for digit in checks.iter_mut().rev() {
        *digit = DIGITS[rest % DIGITS.len()];
        rest /= DIGITS.len();
    }
    checks.iter().map(|digit| char::from(*digit)).collect()
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use super::*;

    #[test]
    fn a_hundred_thousand_secrets_have_the_form_and_are_all_different() {
        let mut seen = HashSet::new();
        let mut counts = [0_u32; 128];
        for _ in 0..100_000 {
            let secret = TokenSecret::generate().unwrap();
            let text = secret.expose();
            assert_eq!((text.len(), &text[..4]), (40, "rst_"));
            assert!(text[4..].bytes().all(|byte| byte.is_ascii_alphanumeric()), "{text}");
            assert!(TokenHash::of(text).is_some(), "{text}");
            text[4..34].bytes().for_each(|byte| counts[usize::from(byte)] += 1);
            assert!(seen.insert(text.to_owned()), "twice");
        }
        // Each of 62 digits is drawn 48,387 times, give or take 218; eight times that does not happen.
        for digit in DIGITS {
            let count = counts[usize::from(*digit)];
            assert!(count.abs_diff(48_387) < 8 * 218, "{} is drawn {count} times", char::from(*digit));
        }
    }

    #[test]
    fn a_text_that_is_not_a_secret_to_the_last_character_is_none() {
        let secret = TokenSecret::generate().unwrap();
        let text = secret.expose();
        for at in 4..text.len() {
            let other = if text.as_bytes()[at] == b'a' { "b" } else { "a" };
            let changed = format!("{}{other}{}", &text[..at], &text[at + 1..]);
            assert!(TokenHash::of(&changed).is_none(), "changed at {at}");
        }
        let short = &text[..39];
        let signs = format!("rst_{}{}", "-".repeat(30), check(&"-".repeat(30)));
        for wrong in
            ["", "rst_", short, &format!("{text}0"), &text[4..], &text.replace("rst_", "RST_"), &signs, "rst_ä"]
        {
            assert!(TokenHash::of(wrong).is_none(), "{wrong}");
        }
        assert!(is_of_token(short) && !is_of_token("eyJhbGciOi"));
    }

    #[test]
    fn a_check_is_the_crc_to_the_base_62() {
        // 3421780262 is the CRC-32 of the nine digits, as its catalogue has it.
        let number = check("123456789")
            .bytes()
            .fold(0_u64, |number, digit| number * 62 + DIGITS.iter().position(|known| *known == digit).unwrap() as u64);
        assert_eq!(number, 3_421_780_262);
        assert_eq!(check("").as_str(), "000000");
    }

    #[test]
    fn a_hash_is_equal_to_its_own_bytes_alone_and_a_secret_is_not_shown() {
        let (one, other) = (TokenSecret::generate().unwrap(), TokenSecret::generate().unwrap());
        let hash = |secret: &TokenSecret| TokenHash::of(secret.expose()).unwrap();
        assert!(hash(&one).is(hash(&one).as_bytes()));
        assert!(!hash(&one).is(hash(&other).as_bytes()) && !hash(&one).is(&[]));
        assert_eq!(format!("{one:?}"), "…");
    }
}
