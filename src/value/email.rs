//! Email addresses: one normal form, so that one person's address is one key.

use std::fmt;

use serde::{Deserialize, Serialize};

use super::fold::{is_invisible, nfc};

/// An email in its normal form: trimmed, NFC, lower case, the domain in IDNA's ASCII form. Plus-tags stay.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Email(String);

/// The longest address that mail can carry, in bytes (RFC 5321).
const LONGEST: usize = 254;

impl Email {
    /// Reads an email as people and tools write it.
    ///
    /// The rule is permissive, since tools are: something before and something after the last `@`, a domain that IDNA
    /// accepts, no blanks, no control characters and none that cannot be seen, at most 254 bytes.
    ///
    /// # Errors
    /// A sentence that says what is wrong with `text`.
    pub fn parse(text: &str) -> Result<Self, String> {
        let text = nfc(text.trim());
        let refuse = |why: &str| Err(format!("`{}` is not an email: {why}", crate::value::shorten(&text)));
        let Some((local, domain)) = text.rsplit_once('@') else {
            return refuse("it has no @");
        };
        if local.is_empty() || domain.is_empty() {
            return refuse("something must stand before and after the @");
        }
        if text.chars().any(|c| c.is_whitespace() || c.is_control() || matches!(c, '<' | '>' | ',' | ';' | '"')) {
            return refuse("it has blanks or characters that no email has");
        }
        // With one, an email looks like another that it is not.
        if text.chars().any(is_invisible) {
            return refuse("it has characters that cannot be seen; type it anew");
        }
        if local.contains('@') {
            return refuse("it has more than one @");
        }
        let domain = if domain.is_ascii() {
            domain.to_ascii_lowercase()
        } else {
            match idna::domain_to_ascii(domain) {
                Ok(domain) => domain,
                Err(_) => return refuse("its domain is not one"),
            }
        };
        let well_formed =
            domain.split('.').all(|label| !label.is_empty() && !label.starts_with('-') && !label.ends_with('-'));
        if !well_formed {
            return refuse("its domain is not one");
        }
        let normal = nfc(&format!("{}@{domain}", local.to_lowercase()));
        if normal.len() > LONGEST {
            return refuse("it is longer than 254 bytes");
        }
        Ok(Self(normal))
    }

    /// The normal form.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The normal form, as a string of its own.
    #[must_use]
    pub fn into_string(self) -> String {
        self.0
    }
}

impl fmt::Display for Email {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}
