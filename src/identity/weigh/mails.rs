//! Emails that two identities have in common, and their domains.

use super::{Found, Scale, found};
use crate::identity::keys;
use crate::identity::profile::{Mail, Profile};
use crate::identity::reason::Evidence;
use crate::identity::symbols::Symbol;

impl<K: Copy + Ord> Scale<'_, K> {
    pub(super) fn mails(&self, a: &Profile, b: &Profile) -> Vec<Found> {
        let mut all = Vec::new();
        for mine in &a.mails {
            for theirs in b.mails.iter().filter(|theirs| theirs.mailbox == mine.mailbox) {
                let is_exact = mine.exact == theirs.exact;
                if !mine.is_own {
                    all.extend(self.shared_mail(mine));
                    continue;
                }
                all.push(if self.holders_of_mail(mine.mailbox) > 2 {
                    found(Evidence::SameSharedEmail, 0.3, &[mine.exact])
                } else if is_exact {
                    found(Evidence::SameEmail, 1.0, &[mine.exact])
                } else {
                    found(Evidence::SameMailbox, 0.98, &[mine.exact])
                });
            }
        }
        all
    }

    /// Emails at one organisation's domain that differ by a number alone: so it tells apart who has the same name. Fewer than
    /// three letters are no name.
    pub(super) fn numbered(&self, a: &Profile, b: &Profile) -> Option<Vec<Symbol>> {
        let parts = |mail: &Mail| {
            let text = self.book.symbols.text(mail.mailbox);
            text.split_once('@').filter(|_| mail.is_own && mail.domain.is_some())
        };
        a.mails.iter().find_map(|mine| {
            let (local, domain) = parts(mine)?;
            let name = keys::without_digits(local);
            if name.chars().count() < 3 {
                return None;
            }
            let theirs = b.mails.iter().find(|theirs| {
                parts(theirs).is_some_and(|(other, there)| {
                    there == domain && other != local && keys::without_digits(other) == name
                })
            })?;
            Some(vec![mine.mailbox, theirs.mailbox])
        })
    }

    /// An email that is a task's, at a domain of few.
    fn shared_mail(&self, mail: &Mail) -> Option<Found> {
        let uses = self.book.symbols.uses(mail.domain?);
        (uses < 5).then(|| found(Evidence::SameSharedEmail, 0.85, &[mail.exact]))
    }

    pub(super) fn domain(&self, a: &Profile, b: &Profile) -> Option<Found> {
        let theirs = |domain| b.mails.iter().any(|mail| mail.domain == Some(domain));
        let shared = a.mails.iter().filter_map(|mail| mail.domain).filter(|domain| theirs(*domain));
        let weight = |uses: u32| match uses {
            0..=2 => 0.4,
            3..=5 => 0.3,
            6..=20 => 0.15,
            _ => 0.05,
        };
        let rarest = shared.min_by_key(|domain| (self.book.symbols.uses(*domain), self.book.symbols.text(*domain)))?;
        Some(found(Evidence::SameDomain, weight(self.book.symbols.uses(rarest)), &[rarest]))
    }
}
