//! Names of generated units: made of values, which may hold what names cannot.

use std::collections::HashSet;

use crate::directory::attribute::LONGEST_TITLE;
use crate::value::{fold, nfc};

/// A value as a name: `/` and control characters replaced, and cut to what a name may have.
pub(super) fn to_name(value: &str) -> String {
    let plain = |c: char| match c {
        '/' => '-',
        c if c.is_control() => ' ',
        c => c,
    };
    let name: String = nfc(value).chars().map(plain).collect();
    let words: Vec<&str> = name.split_whitespace().collect();
    let name = cut(&words.join(" "), LONGEST_TITLE);
    if fold(&name).is_empty() { "-".to_owned() } else { name }
}

/// The first characters of a text.
fn cut(text: &str, most: usize) -> String {
    text.chars().take(most).collect::<String>().trim_end().to_owned()
}

/// A name with something behind it that tells it from others.
fn told_apart(name: &str, by: &str) -> String {
    let by = format!(" ({})", cut(by, LONGEST_TITLE / 2));
    format!("{}{by}", cut(name, LONGEST_TITLE - by.chars().count()))
}

/// Whether a unit that was given the name `made` would be given it again for `name`, or for that told apart from others.
pub(super) fn fits(made: &str, name: &str) -> bool {
    let stem = made.strip_suffix(')').and_then(|made| made.rsplit_once(" ("));
    made == name || stem.is_some_and(|(stem, by)| made == told_apart(name, by) && name.starts_with(stem))
}

/// The name, or that told apart by `hint` or a number, whichever no sibling has; it is taken from then on.
pub(super) fn free(name: &str, hint: Option<&str>, taken: &mut HashSet<String>) -> String {
    let hinted = hint.map(|hint| told_apart(name, &to_name(hint)));
    let numbered = (2_usize..).map(|number| told_apart(name, &number.to_string()));
    let all = std::iter::once(name.to_owned()).chain(hinted).chain(numbered);
    // Of ever new names one is free.
    all.into_iter().find(|name| taken.insert(fold(name))).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn whatever_a_value_holds_becomes_a_name() {
        for (value, name) in [
            ("R/D", "R-D"),
            ("a\nb\u{7}c ", "a b c"),
            ("\u{1}", "-"),
            ("e\u{301}", "é"),
            (&"x".repeat(200), &"x".repeat(100)),
        ] {
            assert_eq!(to_name(value), name);
        }
    }

    #[test]
    fn names_that_are_taken_are_told_apart_and_known_again() {
        let mut taken = HashSet::new();
        let long = "y".repeat(100);
        for name in ["R-D", "r-d", "R-D", &long, &long] {
            let given = free(name, None, &mut taken);
            assert!(given.chars().count() <= 100 && fits(&given, name), "{given}");
        }
        assert_eq!(free("R-D", Some("ann@corp.example"), &mut taken), "R-D (ann@corp.example)");
        assert!(!fits("R-D (2)", "R") && !fits("R-D", "R-E") && !fits("S (2)", "R-D"));
    }
}
