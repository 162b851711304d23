//! A handle and a full name: whether the handle could be made of the name.

use super::digest::MOST_WORDS;
use super::keys::{CUT_LOGIN, without_digits};
use super::name::{Frequency, is_spelled_by};
use super::symbols::Symbol;

/// How a handle is made of a full name.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Made {
    /// Two words of the name or all of them, in any order: `janedoe`.
    Whole,
    /// Initials and the last word: `jdoe`, `doej`, `jmdoe`.
    Initials,
    /// The beginning of a word, and the last: `jandoe`, or a login that was cut short.
    Parts,
    /// The last word: `doe`.
    Last,
    /// Another word and an initial: `janed`.
    Given,
    /// Another word: `jane`.
    Word,
}

/// How a handle is like a name.
#[derive(Clone, Copy, Debug)]
pub(super) struct Making {
    pub(super) made: Made,
    /// How many of the book's names would give the same handle by chance.
    pub(super) chance: f32,
    /// Whether the handle has digits at its ends, too.
    pub(super) has_digits: bool,
    /// How many letters it has.
    pub(super) letters: usize,
}

/// How many names begin with the same few letters.
const SAME_BEGINNING: f32 = 0.02;
/// How many names begin with the same letter.
const SAME_INITIAL: f32 = 0.08;

/// How `handle` could be made of the words of a full name; the likeliest.
pub(super) fn made_of(frequency: Frequency<'_>, handle: &str, words: &[Symbol]) -> Option<Making> {
    let letters = without_digits(handle);
    if letters.len() < 3 {
        return None;
    }
    let has_digits = letters.len() < handle.len();
    let mut texts = [""; MOST_WORDS];
    for (text, word) in texts.iter_mut().zip(words) {
        *text = frequency.symbols.text(*word);
    }
    let texts = &texts[..words.len().min(MOST_WORDS)];
    let mut best: Option<(Made, f32)> = None;
    let mut found = |made: Made, chance: f32| {
        if best.is_none_or(|(so_far, _)| made < so_far) {
            best = Some((made, chance));
        }
    };
    if is_spelled_by(letters, texts) {
        found(Made::Whole, frequency.expected(words.iter().map(|word| frequency.share(*word))));
    }
    let end = texts.len() - 1;
    // A login that was cut short, of two words that are one name.
    let cut_of_two = letters.len() == CUT_LOGIN
        && (1..end).any(|at| {
            letters.strip_prefix(texts[at]).is_some_and(|rest| rest.len() > 1 && texts[at + 1].starts_with(rest))
        });
    if cut_of_two {
        found(Made::Parts, 0.0);
    }
    for (i, word) in texts.iter().enumerate() {
        if word.len() < 2 {
            continue;
        }
        let share = frequency.share(words[i]);
        let (alone, with_initial) = if i == end { (Made::Last, Made::Initials) } else { (Made::Word, Made::Given) };
        if letters == *word || letters.len() == CUT_LOGIN && word.starts_with(letters) {
            found(alone, frequency.expected([share].into_iter()));
            continue;
        }
        let rest = match (letters.strip_prefix(word), letters.strip_suffix(word)) {
            (Some(rest), _) | (None, Some(rest)) => rest,
            (None, None) => "",
        };
        for (j, other) in texts.iter().enumerate() {
            if i == j || other.is_empty() {
                continue;
            }
            if rest == *other && rest.len() > 1 && i.max(j) == end {
                let shares = [share, frequency.share(words[j])];
                found(Made::Whole, frequency.expected(shares.into_iter()));
            } else if rest == *other && rest.len() > 1 {
                // `janemary` of Jane Mary Doe.
                found(Made::Word, frequency.expected([share].into_iter()));
            } else if rest.len() == 1 && other.starts_with(rest) {
                found(with_initial, frequency.expected([share, SAME_INITIAL].into_iter()));
            } else if rest.len() > 1 && word.len() > 3 && i == end && other.starts_with(rest) {
                found(Made::Parts, frequency.expected([share, SAME_BEGINNING].into_iter()));
            }
            // A login that was cut short: an initial, and as much of the word as there is room for.
            let is_cut = letters.len() == CUT_LOGIN
                && letters.as_bytes()[0] == other.as_bytes()[0]
                && word.starts_with(&letters[1..]);
            if is_cut {
                found(Made::Parts, frequency.expected([share, SAME_INITIAL].into_iter()));
            }
        }
        // Several initials: those of all other words, in their order.
        if texts.len() > 2 && rest.len() == texts.len() - 1 {
            let others = texts.iter().enumerate().filter(|(j, _)| *j != i).map(|(_, word)| word.as_bytes()[0]);
            if others.eq(rest.bytes()) {
                found(Made::Initials, frequency.expected([share, SAME_BEGINNING].into_iter()));
            }
        }
    }
    best.map(|(made, chance)| Making { made, chance, has_digits, letters: letters.len() })
}
