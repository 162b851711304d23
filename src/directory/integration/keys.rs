//! Secrets: texts that are shown to nobody, and the keys with which they are sealed before they are stored.
//!
//! What does not live here: where sealed secrets are kept, and whose they are.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use entity::IntegrationId;
use ring::aead::{Aad, CHACHA20_POLY1305, LessSafeKey, NONCE_LEN, Nonce, UnboundKey};
use ring::rand::{SecureRandom, SystemRandom};
use sha2::{Digest, Sha256};

use crate::directory::{Error, Result};
use crate::value::{GlobalId, hex};

/// A text that is shown to nobody: its `Debug` form is three dots.
#[derive(Clone, PartialEq, Eq)]
pub struct Secret(String);

impl Secret {
    /// Of this text.
    #[must_use]
    pub fn new(text: impl Into<String>) -> Self {
        Self(text.into())
    }

    /// The text itself.
    #[must_use]
    pub fn expose(&self) -> &str {
        &self.0
    }
}

impl std::fmt::Debug for Secret {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("…")
    }
}

/// Why a text is no key. The text itself is not told.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum KeyError {
    /// It is not base64.
    #[error(
        "key {0} is not base64; a key is 32 random bytes as base64, as `head -c 32 /dev/urandom | base64` prints them"
    )]
    NotBase64(usize),
    /// It has another length.
    #[error(
        "key {0} has {1} bytes; a key is 32 random bytes as base64, as `head -c 32 /dev/urandom | base64` prints them"
    )]
    Length(usize, usize),
}

/// The keys that secrets are sealed with. The first seals; all of them open.
#[derive(Clone, Default)]
pub struct Keys(Vec<Key>);

#[derive(Clone)]
struct Key {
    /// Tells keys apart, and tells nothing else of them.
    id: String,
    key: LessSafeKey,
}

/// A secret that only a key opens.
pub(super) struct Sealed {
    pub(super) key_id: String,
    /// Nonce, encrypted text, tag.
    pub(super) bytes: Vec<u8>,
}

/// Why a secret cannot be opened.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Shut {
    /// None of the keys is the one that it was sealed with.
    NoKey,
    /// It was sealed for something else, or has been changed.
    Changed,
}

impl Keys {
    /// Reads keys, each 32 bytes as base64.
    ///
    /// # Errors
    /// Where one of them is none.
    pub fn parse<'a>(texts: impl IntoIterator<Item = &'a str>) -> Result<Self, KeyError> {
        let read = |(at, text): (usize, &str)| {
            let bytes = STANDARD.decode(text.trim()).map_err(|_| KeyError::NotBase64(at))?;
            let wrong = |_| KeyError::Length(at, bytes.len());
            let key = UnboundKey::new(&CHACHA20_POLY1305, &bytes).map_err(wrong)?;
            let digest = Sha256::new().chain_update("roster key id").chain_update(&bytes).finalize();
            let id = hex(&digest[..8]);
            Ok(Key { id, key: LessSafeKey::new(key) })
        };
        (1..).zip(texts).map(read).collect::<Result<_, _>>().map(Self)
    }

    /// Whether there is a key to seal with.
    pub(super) fn can_seal(&self) -> bool {
        !self.0.is_empty()
    }

    /// Whether a secret sealed with this key is sealed as it would be now.
    pub(super) fn is_first(&self, key_id: &str) -> bool {
        self.0.first().is_some_and(|key| key.id == key_id)
    }

    /// Seals a secret for one owner and one purpose; none without a key.
    pub(super) fn seal(&self, owner: IntegrationId, purpose: &str, secret: &Secret) -> Result<Option<Sealed>> {
        let Some(Key { id, key }) = self.0.first() else { return Ok(None) };
        let unspecified = |error: ring::error::Unspecified| Error::internal(error.to_string());
        let mut nonce = [0; NONCE_LEN];
        SystemRandom::new().fill(&mut nonce).map_err(unspecified)?;
        let mut text = secret.expose().as_bytes().to_vec();
        let about = Aad::from(about(owner, purpose));
        key.seal_in_place_append_tag(Nonce::assume_unique_for_key(nonce), about, &mut text).map_err(unspecified)?;
        Ok(Some(Sealed { key_id: id.clone(), bytes: [&nonce, text.as_slice()].concat() }))
    }

    /// Opens a secret that was sealed for this owner and purpose.
    pub(super) fn open(
        &self,
        owner: IntegrationId,
        purpose: &str,
        (key_id, bytes): (&str, &[u8]),
    ) -> Result<Secret, Shut> {
        let key = self.0.iter().find(|key| key.id == key_id).ok_or(Shut::NoKey)?;
        let (nonce, sealed) = bytes.split_first_chunk::<NONCE_LEN>().ok_or(Shut::Changed)?;
        let mut sealed = sealed.to_vec();
        let (nonce, about) = (Nonce::assume_unique_for_key(*nonce), Aad::from(about(owner, purpose)));
        let text = key.key.open_in_place(nonce, about, &mut sealed).map_err(|_| Shut::Changed)?;
        std::str::from_utf8(text).map(Secret::new).map_err(|_| Shut::Changed)
    }
}

impl std::fmt::Debug for Keys {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_list().entries(self.0.iter().map(|key| &key.id)).finish()
    }
}

/// What a secret is bound to: it opens for nothing else.
fn about(owner: IntegrationId, purpose: &str) -> Vec<u8> {
    format!("roster credential\n{}\n{purpose}", owner.to_global()).into_bytes()
}

#[cfg(test)]
mod tests {
    use uuid::Uuid;

    use super::*;

    const ONE: &str = "AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8=";
    const TWO: &str = "//////////////////////////////////////////8=";

    fn id(number: u128) -> IntegrationId {
        IntegrationId(Uuid::from_u128(number))
    }

    #[test]
    fn a_secret_opens_with_its_key_for_its_owner_and_purpose_alone() {
        let (first, second) = (Keys::parse([ONE]).unwrap(), Keys::parse([TWO]).unwrap());
        let sealed = first.seal(id(1), "https://a.example", &Secret::new("hush")).unwrap().unwrap();
        let open = |keys: &Keys, owner, purpose, bytes: &[u8]| keys.open(owner, purpose, (&sealed.key_id, bytes));
        assert_eq!(open(&first, id(1), "https://a.example", &sealed.bytes), Ok(Secret::new("hush")));
        let both = Keys::parse([TWO, ONE]).unwrap();
        assert_eq!(open(&both, id(1), "https://a.example", &sealed.bytes), Ok(Secret::new("hush")));
        assert!(!both.is_first(&sealed.key_id) && first.is_first(&sealed.key_id));
        assert_eq!(open(&second, id(1), "https://a.example", &sealed.bytes), Err(Shut::NoKey));
        assert_eq!(open(&first, id(2), "https://a.example", &sealed.bytes), Err(Shut::Changed));
        assert_eq!(open(&first, id(1), "https://b.example", &sealed.bytes), Err(Shut::Changed));
        for at in 0..sealed.bytes.len() {
            let mut changed = sealed.bytes.clone();
            changed[at] ^= 1;
            assert_eq!(open(&first, id(1), "https://a.example", &changed), Err(Shut::Changed));
            assert_eq!(open(&first, id(1), "https://a.example", &sealed.bytes[..at]), Err(Shut::Changed));
        }
    }

    #[test]
    fn the_same_secret_is_never_sealed_alike_and_shows_nowhere() {
        let keys = Keys::parse([ONE]).unwrap();
        let seal = || keys.seal(id(1), "", &Secret::new("hush-hush")).unwrap().unwrap().bytes;
        let (first, second) = (seal(), seal());
        assert_ne!(first, second);
        assert!(!String::from_utf8_lossy(&first).contains("hush"));
        assert_eq!(format!("{:?}", Secret::new("hush")), "…");
        assert!(!format!("{keys:?}").contains("AAEC"));
        assert!(Keys::default().seal(id(1), "", &Secret::new("hush")).unwrap().is_none());
    }

    #[test]
    fn what_is_no_key_is_told_without_showing_it() {
        let mend = "a key is 32 random bytes as base64, as `head -c 32 /dev/urandom | base64` prints them";
        let says = |texts: &[&str]| Keys::parse(texts.iter().copied()).unwrap_err().to_string();
        assert_eq!(says(&[ONE, "not base64!"]), format!("key 2 is not base64; {mend}"));
        assert_eq!(says(&["aHVzaA=="]), format!("key 1 has 4 bytes; {mend}"));
        assert_eq!(says(&[""]), format!("key 1 has 0 bytes; {mend}"));
        assert!(Keys::parse([format!(" {ONE}\n").as_str()]).is_ok());
    }
}
