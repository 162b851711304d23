//! When two emails are one: what they have in common, under rules that can be chosen.
//!
//! What does not live here: the normal form of one email (`email`), which emails there are (`index`).

use std::borrow::Cow;
use std::collections::HashMap;

/// Gives emails in their normal form the key that they are compared by.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct EmailKeys {
    ignores_plus_tags: bool,
    /// The domain that stands for each other one that means the same.
    domains: HashMap<String, String>,
}

impl EmailKeys {
    /// Keys without what follows a `+`, if that is wanted, and with the first domain of each group for all of the group.
    #[must_use]
    pub fn new(ignores_plus_tags: bool, alias_domains: &[Vec<String>]) -> Self {
        let mut domains = HashMap::new();
        for group in alias_domains {
            let Some((first, others)) = group.split_first() else { continue };
            domains.extend(others.iter().map(|other| (other.clone(), first.clone())));
        }
        Self { ignores_plus_tags, domains }
    }

    /// Whether every email is its own key.
    #[must_use]
    pub fn is_plain(&self) -> bool {
        !self.ignores_plus_tags && self.domains.is_empty()
    }

    /// The key of an email; the email itself where nothing is to be left out or replaced.
    #[must_use]
    pub fn key<'a>(&self, email: &'a str) -> Cow<'a, str> {
        let Some((local, domain)) = email.rsplit_once('@') else { return Cow::Borrowed(email) };
        let base = match local.find('+') {
            // Nothing stands before it, so it is no tag.
            Some(at) if at > 0 && self.ignores_plus_tags => &local[..at],
            _ => local,
        };
        let first = self.domains.get(domain).map_or(domain, String::as_str);
        if base.len() == local.len() && first == domain {
            Cow::Borrowed(email)
        } else {
            Cow::Owned(format!("{base}@{first}"))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn emails_have_one_key_that_differ_in_a_tag_or_in_domains_that_mean_the_same() {
        let group = |domains: &[&str]| domains.iter().map(|domain| (*domain).to_owned()).collect::<Vec<_>>();
        let keys = EmailKeys::new(true, &[group(&["corp.com", "corp.io", "corp.net"]), group(&["a.org", "b.org"])]);
        for (email, key) in [
            ("ann@corp.com", "ann@corp.com"),
            ("ann+git@corp.com", "ann@corp.com"),
            ("ann+git+x@corp.io", "ann@corp.com"),
            ("ann@sub.corp.io", "ann@sub.corp.io"),
            ("+ann@corp.net", "+ann@corp.com"),
            ("ann+@b.org", "ann@a.org"),
        ] {
            assert_eq!(keys.key(email), key);
            assert_eq!(keys.key(key), key, "a key is its own");
        }
        let plain = EmailKeys::default();
        assert!(plain.is_plain() && !keys.is_plain());
        assert_eq!(plain.key("ann+git@corp.io"), "ann+git@corp.io");
    }
}
