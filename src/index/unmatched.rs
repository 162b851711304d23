//! Accounts that are with nobody, found by what tools know of them.
//!
//! Names and emails are searched in the dictionaries, which hold each text once and folded. What does not live here: whole
//! external ids, of which the index has no text; one is found as a whole (`resolve`).

use entity::integration::IntegrationKind;
use entity::{IntegrationAccountId, IntegrationId};
use roaring::RoaringBitmap;

use super::Index;
use super::dictionary::Dictionary;
use crate::value::fold;

/// Which unmatched accounts to list; what is `None` is not asked.
#[derive(Clone, Debug, Default)]
pub struct UnmatchedQuery {
    /// In this integration.
    pub integration: Option<IntegrationId>,
    /// In integrations of this kind.
    pub kind: Option<IntegrationKind>,
    /// Whose username, email or display name contains this, ignoring case, or whose external id it is.
    pub search: Option<String>,
    /// Whether a program uses it.
    pub is_bot: Option<bool>,
    /// Whether its tool no longer has it.
    pub is_gone: Option<bool>,
    /// Whether the tool shows its email.
    pub has_email: Option<bool>,
}

/// Where a text was found.
struct Found {
    usernames: RoaringBitmap,
    emails: RoaringBitmap,
    names: RoaringBitmap,
    /// The accounts whose external id it is.
    accounts: RoaringBitmap,
}

impl Index {
    /// The accounts that are with nobody and that the query asks for, in no order.
    pub fn unmatched_accounts(&self, query: &UnmatchedQuery) -> impl Iterator<Item = IntegrationAccountId> {
        let wanted: Vec<bool> = self
            .integrations
            .iter()
            .map(|row| {
                row.as_ref().is_some_and(|row| {
                    query.integration.is_none_or(|id| row.id == id) && query.kind.is_none_or(|kind| row.kind == kind)
                })
            })
            .collect();
        let text = query.search.as_deref().map(str::trim).filter(|text| !text.is_empty());
        let found = text.map(|text| self.find_text(text));
        let (is_bot, is_gone, has_email) = (query.is_bot, query.is_gone, query.has_email);
        let known = &self.accounts.identities;
        let is_asked = move |at: &u32| {
            let at = *at;
            let is = |asked: Option<bool>, answer: bool| asked.is_none_or(|asked| asked == answer);
            self.accounts.is_live(at)
                && wanted.get(usize::from(known.integration[at as usize])).copied().unwrap_or_default()
                && is(is_bot, known.bots.contains(at))
                && is(is_gone, known.gone.contains(at))
                && is(has_email, known.email.code(at) != 0)
                && found.as_ref().is_none_or(|found| found.has(self, at))
                && self.owner_at(at).is_none()
        };
        let asked = self.accounts.ordinals().filter(is_asked);
        asked.map(|at| IntegrationAccountId(self.accounts.ids.id(at)))
    }

    fn find_text(&self, text: &str) -> Found {
        let folded = fold(text);
        let containing = |values: &Dictionary| RoaringBitmap::from_iter(values.containing(&folded));
        let numbers = 0..u16::try_from(self.integrations.len()).unwrap_or(u16::MAX);
        Found {
            usernames: containing(&self.accounts.identities.usernames),
            emails: containing(&self.users.emails.values),
            names: containing(&self.users.names.values),
            accounts: numbers.flat_map(|number| self.accounts.by_external_id(number, text)).collect(),
        }
    }
}

impl Found {
    fn has(&self, index: &Index, at: u32) -> bool {
        let known = &index.accounts.identities;
        let is_in = |codes: &RoaringBitmap, code: u32| code != 0 && codes.contains(code);
        is_in(&self.usernames, known.username.code(at))
            || is_in(&self.emails, known.email.code(at))
            || is_in(&self.names, known.display_name.code(at))
            || self.accounts.contains(at)
    }
}
