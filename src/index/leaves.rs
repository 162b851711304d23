//! Single conditions: by bitmap, by one pass over a column, or user by user, whichever is least work.

use std::borrow::Cow;

use entity::attribute::AttributeType;
use roaring::RoaringBitmap;

use super::attributes::AttributeColumn;
use super::codes::Codes;
use super::codes::pack;
use super::column::{Column, holds};
use super::evaluate::Evaluation;
use crate::filter::{Account, Node, Test};

/// So few candidates are tested one by one rather than by a pass over the codes.
const FEW: u64 = if cfg!(test) { 3 } else { 4_000 };
/// So few candidates are tested one by one rather than by a pass over all texts.
const FEW_TEXTS: u64 = if cfg!(test) { 3 } else { 50_000 };
/// So few accounts are visited one by one rather than by a pass over all accounts.
const FEW_ACCOUNTS: usize = if cfg!(test) { 3 } else { 50_000 };

impl<'a> Evaluation<'a> {
    /// About how many users a node selects; what is dear to work out counts as many, so that it comes late.
    pub(super) fn estimate(&self, node: &Node) -> u64 {
        let all = self.everybody().len();
        let column = |column: &Column, test: &Test| match test {
            Test::In(keys) => {
                keys.iter().filter_map(|key| column.values.find(key.as_bytes())).map(|code| column.count(code)).sum()
            }
            Test::IsEmpty(true) => all.saturating_sub(column.present_count()),
            Test::IsEmpty(false) => column.present_count(),
            Test::HasAny(_) | Test::HasAll(_) | Test::Range { .. } => all / 3,
            Test::ReportsTo(_) => all / 2,
            Test::Contains(_) | Test::StartsWith(_) | Test::EndsWith(_) => all,
        };
        let estimate = match node {
            Node::All(parts) => parts.iter().map(|part| self.estimate(part)).min().unwrap_or(all),
            Node::Any(parts) => parts.iter().map(|part| self.estimate(part)).sum(),
            Node::Not(part) => all.saturating_sub(self.estimate(part)),
            Node::Name(test) => column(&self.index.users.names, test),
            Node::Email(Test::In(keys)) => keys.len() as u64,
            Node::Email(_) | Node::Account(_) => all,
            Node::Attribute { key, test, .. } => {
                self.index.attributes.find(key).map_or(0, |found| column(&found.column, test))
            }
            Node::OrgUnit { .. } => all / 2,
        };
        estimate.min(all)
    }

    /// The users within `within` of whom one condition holds.
    pub(super) fn leaf(&self, node: &Node, within: Option<&RoaringBitmap>) -> Cow<'a, RoaringBitmap> {
        match node {
            Node::Name(test) => self.column(&self.index.users.names, AttributeType::Text, test, within),
            Node::Email(test) => Cow::Owned(self.email(test, within)),
            Node::Attribute { key, r#type, test } => match self.index.attributes.find(key) {
                // A filter that was checked before the attribute changed its type selects nobody.
                Some(found) if found.row.r#type == *r#type => match test {
                    Test::ReportsTo(_) => Cow::Owned(self.reports(found, test, within)),
                    _ => self.column(&found.column, *r#type, test, within),
                },
                _ => Cow::default(),
            },
            Node::Account(wanted) => self.accounts(wanted, within),
            Node::All(_) | Node::Any(_) | Node::Not(_) | Node::OrgUnit { .. } => Cow::default(),
        }
    }

    fn column(
        &self,
        column: &'a Column,
        r#type: AttributeType,
        test: &Test,
        within: Option<&RoaringBitmap>,
    ) -> Cow<'a, RoaringBitmap> {
        if let Test::IsEmpty(truth) = test {
            if let Some(candidates) = within.filter(|within| within.len() <= FEW) {
                return Cow::Owned(candidates.iter().filter(|&at| column.value(at).is_none() == *truth).collect());
            }
            let present = column.present();
            let found = if *truth { &*self.index.users.live - present } else { present };
            return Self::cut(Cow::Owned(found), within);
        }
        let few = match test {
            Test::Contains(_) | Test::StartsWith(_) | Test::EndsWith(_) => FEW_TEXTS,
            _ => FEW,
        };
        // One frequent value has its answer ready, however few the candidates are.
        if let Test::In(keys) = test
            && let [key] = keys.as_slice()
        {
            let Some(code) = column.values.find(key.as_bytes()) else { return Cow::default() };
            if let Some(bitmap) = column.bitmap(code) {
                return Self::cut(Cow::Borrowed(bitmap), within);
            }
        }
        if let Some(candidates) = within.filter(|within| within.len() <= few) {
            let passes = |&at: &u32| column.value(at).is_some_and(|value| holds(test, value));
            return Cow::Owned(candidates.iter().filter(passes).collect());
        }
        let (codes, _) = column.passing(test, r#type);
        Self::cut(Cow::Owned(column.users(&codes)), within)
    }

    fn email(&self, test: &Test, within: Option<&RoaringBitmap>) -> RoaringBitmap {
        let users = &self.index.users;
        if let Some(candidates) = within.filter(|within| within.len() <= FEW_TEXTS) {
            return candidates.iter().filter(|&at| users.all_emails(at).any(|email| holds(test, email))).collect();
        }
        let codes = match test {
            // Everybody has an email.
            Test::IsEmpty(true) => return RoaringBitmap::new(),
            Test::IsEmpty(false) => return within.unwrap_or_else(|| self.everybody()).clone(),
            Test::In(keys) => keys.iter().filter_map(|key| users.emails.values.find(key.as_bytes())).collect(),
            Test::Contains(pattern) => users.emails.values.containing(pattern),
            Test::StartsWith(pattern) => users.emails.values.starting(pattern),
            Test::EndsWith(pattern) => users.emails.values.ending(pattern),
            Test::Range { .. } | Test::HasAny(_) | Test::HasAll(_) | Test::ReportsTo(_) => Vec::new(),
        };
        let mut marks = vec![false; users.ids.len()];
        for owner in codes.into_iter().filter_map(|code| users.emails.owner(code)) {
            marks[owner as usize] = true;
        }
        let found = pack(&marks, |mark| *mark);
        Self::cut(Cow::Owned(found), within).into_owned()
    }

    fn reports(&self, found: &AttributeColumn, test: &Test, within: Option<&RoaringBitmap>) -> RoaringBitmap {
        let Test::ReportsTo(manager) = test else { return RoaringBitmap::new() };
        let Some(code) = found.column.values.find(manager.0.as_bytes()) else { return RoaringBitmap::new() };
        if let Some(candidates) = within.filter(|within| within.len() <= FEW) {
            return found.reporting(candidates, code);
        }
        Self::cut(Cow::Owned(found.reports(code, usize::MAX)), within).into_owned()
    }

    fn accounts(&self, wanted: &Account, within: Option<&RoaringBitmap>) -> Cow<'a, RoaringBitmap> {
        let (accounts, users) = (&self.index.accounts, &self.index.users);
        let identities = &accounts.identities;
        let is_wanted: Vec<bool> = self
            .index
            .integrations
            .iter()
            .map(|known| {
                known.as_ref().is_some_and(|known| {
                    wanted.integration.is_none_or(|id| id == known.id)
                        && wanted.kind.is_none_or(|kind| kind == known.kind)
                })
            })
            .collect();
        let texts = [
            (&wanted.username, &identities.usernames, &identities.username),
            (&wanted.email, &users.emails.values, &identities.email),
            (&wanted.display_name, &users.names.values, &identities.display_name),
        ];
        if wanted.is_bot.is_none() && texts.iter().all(|(test, ..)| test.is_none()) {
            let chosen = is_wanted.iter().zip(&accounts.owners.by_integration).filter(|(is_wanted, _)| **is_wanted);
            let owners: Vec<&'a RoaringBitmap> = chosen.map(|(_, owners)| owners).collect();
            let found = match owners.as_slice() {
                [owners] => Cow::Borrowed(*owners),
                _ => Cow::Owned(roaring::MultiOps::union(owners.into_iter())),
            };
            return Self::cut(found, within);
        }
        let in_scope = |at: u32| {
            is_wanted.get(usize::from(identities.integration[at as usize])).copied().unwrap_or(false)
                && wanted.is_bot.is_none_or(|is_bot| is_bot == identities.bots.contains(at))
        };
        let by_value = |at: u32| {
            in_scope(at)
                && texts.iter().all(|(test, values, codes)| match (test, codes.code(at)) {
                    (None, _) => true,
                    (Some(test), 0) => matches!(test, Test::IsEmpty(true)),
                    (Some(test), code) => holds(test, values.value(code)),
                })
        };
        if let Some(candidates) = within.filter(|within| within.len() <= FEW) {
            let has = |&at: &u32| accounts.owners.of_user.items(at).any(by_value);
            return Cow::Owned(candidates.iter().filter(has).collect());
        }
        // Values are tested once each; a table says of every code whether it passed.
        let mut tables: Vec<(Vec<bool>, &Codes)> = Vec::new();
        for (test, values, codes) in texts {
            let Some(test) = test else { continue };
            let mut table = vec![matches!(test, Test::IsEmpty(false)); values.len()];
            table[0] = matches!(test, Test::IsEmpty(true));
            let passing = match test {
                Test::In(keys) => keys.iter().filter_map(|key| values.find(key.as_bytes())).collect(),
                Test::Contains(pattern) => values.containing(pattern),
                Test::StartsWith(pattern) => values.starting(pattern),
                Test::EndsWith(pattern) => values.ending(pattern),
                _ => Vec::new(),
            };
            for code in passing {
                table[code as usize] = true;
            }
            tables.push((table, codes));
        }
        let mut marks = vec![false; users.ids.len()];
        let mut visit = |at: u32| {
            if in_scope(at)
                && tables.iter().all(|(table, codes)| table[codes.code(at) as usize])
                && let Some(owner) = accounts.owner(at)
            {
                marks[owner as usize] = true;
            }
        };
        match self.account_candidates(wanted) {
            Some(candidates) => candidates.into_iter().for_each(&mut visit),
            None => accounts.ordinals().for_each(&mut visit),
        }
        Self::cut(Cow::Owned(pack(&marks, |mark| *mark)), within)
    }

    /// The accounts that can match, where a look-up says that they are few.
    fn account_candidates(&self, wanted: &Account) -> Option<Vec<u32>> {
        let (identities, emails) = (&self.index.accounts.identities, &self.index.users.emails.values);
        let found: Vec<u32> = if let Some(Test::In(keys)) = &wanted.username {
            let codes = keys.iter().filter_map(|key| identities.usernames.find(key.as_bytes()));
            codes.flat_map(|code| identities.by_username.items(code)).take(FEW_ACCOUNTS + 1).collect()
        } else if let Some(Test::In(keys)) = &wanted.email {
            let codes = keys.iter().filter_map(|key| emails.find(key.as_bytes()));
            codes.flat_map(|code| identities.by_email.items(code)).take(FEW_ACCOUNTS + 1).collect()
        } else if wanted.is_bot == Some(true) {
            identities.bots.iter().take(FEW_ACCOUNTS + 1).collect()
        } else {
            return None;
        };
        (found.len() <= FEW_ACCOUNTS).then_some(found)
    }
}
