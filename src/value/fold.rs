//! How text is compared: one function for all of it.

use unicode_normalization::{IsNormalized, UnicodeNormalization, is_nfc_quick};

/// `text` in the form in which it is compared: trimmed, NFC, full case folding.
///
/// Two texts that people take for the same (`"SRE"` and `"sre "`, `"STRASSE"` and `"straße"`, composed and decomposed
/// `"é"`) fold to the same string.
#[must_use]
pub fn fold(text: &str) -> String {
    let text = text.trim();
    if text.is_ascii() {
        return text.to_ascii_lowercase();
    }
    caseless::default_case_fold_str(&nfc(text)).nfc().collect()
}

/// `text` in Unicode's composed form, as it is stored.
#[must_use]
pub fn nfc(text: &str) -> String {
    if text.is_ascii() || is_nfc_quick(text.chars()) == IsNormalized::Yes {
        text.to_owned()
    } else {
        text.nfc().collect()
    }
}
