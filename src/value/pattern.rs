//! Simple patterns of names and emails: text in which `*` stands for any text, or for none.

use std::collections::HashMap;

use super::fold;

/// Patterns, compared ignoring case.
#[derive(Clone, Debug, Default)]
pub struct Patterns {
    /// Those without a `*`, folded, each with how it was written.
    exact: HashMap<String, String>,
    wild: Vec<Wild>,
}

/// A pattern with at least one `*`.
#[derive(Clone, Debug)]
struct Wild {
    written: String,
    /// What stands between the stars, folded; at least two parts.
    parts: Vec<String>,
}

impl Patterns {
    /// Patterns of names.
    #[must_use]
    pub fn of_names(patterns: &[String]) -> Self {
        let mut all = Self::default();
        patterns.iter().for_each(|pattern| all.add(pattern, pattern));
        all
    }

    /// Patterns of emails: `build@` is of any domain, and `@lists.corp.example` of anybody there.
    #[must_use]
    pub fn of_emails(patterns: &[String]) -> Self {
        let mut all = Self::default();
        for written in patterns {
            let pattern = written.trim();
            let before = if pattern.starts_with('@') { "*" } else { "" };
            let after = if pattern.ends_with('@') { "*" } else { "" };
            all.add(&format!("{before}{pattern}{after}"), written);
        }
        all
    }

    fn add(&mut self, pattern: &str, written: &str) {
        let folded = fold(pattern);
        if folded.contains('*') {
            let parts = folded.split('*').map(str::to_owned).collect();
            self.wild.push(Wild { written: written.to_owned(), parts });
        } else {
            self.exact.insert(folded, written.to_owned());
        }
    }

    /// The pattern, as it was written, that a text matches.
    #[must_use]
    pub fn matching(&self, text: &str) -> Option<&str> {
        if self.exact.is_empty() && self.wild.is_empty() {
            return None;
        }
        let folded = fold(text);
        let wild = || self.wild.iter().find(|wild| wild.matches(&folded)).map(|wild| wild.written.as_str());
        self.exact.get(&folded).map(String::as_str).or_else(wild)
    }
}

impl Wild {
    fn matches(&self, text: &str) -> bool {
        let [first, middle @ .., last] = self.parts.as_slice() else { return false };
        let Some(mut rest) = text.strip_prefix(first.as_str()).and_then(|rest| rest.strip_suffix(last.as_str())) else {
            return false;
        };
        for part in middle {
            match rest.split_once(part.as_str()) {
                Some((_, after)) => rest = after,
                None => return false,
            }
        }
        true
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_star_stands_for_any_text_and_nothing_else_is_special() {
        for (pattern, text, is_matched) in [
            ("*[bot]", "dependabot[bot]", true),
            ("*[bot]", "robot", false),
            ("root", "ROOT ", true),
            ("root", "rooter", false),
            ("ci-*-runner*", "CI-eu-runner-2", true),
            ("ci-*-runner*", "ci-runner", false),
            ("a*a", "a", false),
            ("*", "", true),
        ] {
            let patterns = Patterns::of_names(&[pattern.to_owned()]);
            assert_eq!(patterns.matching(text).is_some(), is_matched, "{pattern} {text}");
        }
        for (pattern, email, is_matched) in [
            ("build@", "build@corp.example", true),
            ("build@", "rebuild@corp.example", false),
            ("@lists.corp.example", "all@lists.corp.example", true),
            ("*@lists.corp.example", "all@lists.corp.example", true),
            ("no-reply@corp.example", "no-reply@corp.example", true),
            ("no-reply@corp.example", "no-reply@corp.example.org", false),
        ] {
            let patterns = Patterns::of_emails(&[pattern.to_owned()]);
            assert_eq!(patterns.matching(email), is_matched.then_some(pattern), "{pattern} {email}");
        }
    }
}
