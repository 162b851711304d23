//! Blocking keys: two identities are compared only where they share one.
//!
//! A handle (`jdoe`) and a name (Jane Doe) from which it could be made share a key, so each is found from the other.

use std::hash::{BuildHasher, Hash};

use rustc_hash::FxBuildHasher;

use super::digest::{Digest, NameFrom};

/// A hash of what two identities have in common.
pub(super) type Key = u32;

/// How many letters of a word stand beside an initial, so that a login that was cut short, and a word that ends
/// otherwise, are found.
const BESIDE_INITIAL: usize = 5;

/// How long logins were on old machines.
pub(super) const CUT_LOGIN: usize = 8;

fn key(kind: u8, parts: impl Hash) -> Key {
    let hash = FxBuildHasher.hash_one((kind, parts));
    // The upper half: the lower is less mixed.
    u32::try_from(hash >> 32).unwrap_or_default()
}

/// Of a text as a whole: a handle, a word of a name, a name without its blanks.
pub(super) fn of_text(text: &str) -> Key {
    key(0, text)
}

/// Of a mailbox or a whole email.
pub(super) fn of_mail(mail: &str) -> Key {
    key(1, mail)
}

/// Of an initial and another word.
pub(super) fn of_initial(initial: u8, word: &str) -> Key {
    let end = word.len().min(BESIDE_INITIAL);
    key(2, (initial, &word.as_bytes()[..end]))
}

/// All keys of `digest`, each once.
pub(super) fn of(digest: &Digest) -> Vec<Key> {
    let mut keys = Vec::with_capacity(16);
    for mail in &digest.mails {
        keys.push(of_mail(&mail.mailbox));
        if !mail.is_own {
            keys.push(of_mail(&mail.exact));
        }
    }
    for name in &digest.names {
        match (name.from, &name.words[..]) {
            (NameFrom::Single, [word]) => keys.push(of_text(word)),
            // Everybody at one domain has its name: it is no word to be found by.
            (NameFrom::Domain, [first, .., last]) => {
                keys.push(of_text(&format!("{first}{last}")));
                keys.push(of_text(&format!("{last}{first}")));
            }
            _ => push_name(&name.words, &mut keys),
        }
    }
    for handle in &digest.handles {
        push_handle(&handle.text, &mut keys);
    }
    keys.sort_unstable();
    keys.dedup();
    keys
}

fn push_name(words: &[String], keys: &mut Vec<Key>) {
    let most = words.len().min(4);
    let mut joined = String::with_capacity(32);
    for (i, first) in words[..most].iter().enumerate() {
        if first.len() > 2 {
            keys.push(of_text(first));
        }
        if first.len() > CUT_LOGIN {
            keys.push(of_text(&first[..CUT_LOGIN]));
        }
        for (j, second) in words[..most].iter().enumerate() {
            if i == j {
                continue;
            }
            if second.len() > 1 {
                keys.push(of_initial(first.as_bytes()[0], second));
            }
            joined.clear();
            joined.push_str(first);
            joined.push_str(second);
            keys.push(of_text(&joined));
            if j == i + 1 && joined.len() > CUT_LOGIN {
                keys.push(of_text(&joined[..CUT_LOGIN]));
            }
        }
    }
    if let [first, .., last] = words {
        // The beginning of the first word, as in `robsmith`.
        for end in 3..first.len().min(5) {
            keys.push(of_text(&format!("{}{last}", &first[..end])));
        }
    }
    if words.len() > 2 {
        // Whole, and all but one word as initials, and initials alone.
        keys.push(of_text(&words.concat()));
        let initials: String = words.iter().map(|word| char::from(word.as_bytes()[0])).collect();
        let last = words.len() - 1;
        keys.push(of_text(&format!("{}{}", &initials[..last], words[last])));
        keys.push(of_text(&format!("{}{}", &initials[1..], words[0])));
        keys.push(of_text(&initials));
    }
}

fn push_handle(handle: &str, keys: &mut Vec<Key>) {
    keys.push(of_text(handle));
    let letters = without_digits(handle);
    if letters.len() < 3 {
        return;
    }
    if letters != handle {
        keys.push(of_text(letters));
    }
    let bytes = letters.as_bytes();
    let last = letters.len() - 1;
    if letters.is_ascii() {
        keys.push(of_initial(bytes[0], &letters[1..]));
        keys.push(of_initial(bytes[last], &letters[..last]));
    }
}

/// `handle` without the digits at its ends; all of it where nothing else is in it.
pub(super) fn without_digits(handle: &str) -> &str {
    let letters = handle.trim_matches(|c: char| c.is_ascii_digit());
    if letters.is_empty() { handle } else { letters }
}
