//! The second reading of a file with columns of accounts: whose each account is from now on. A cell lists all that its
//! user has there.
//!
//! Who only repeats what is so gives way to the row that changes it, wherever the two stand.

use std::collections::HashMap;
use std::hash::{BuildHasher, RandomState};

use entity::{IntegrationAccountId, IntegrationId, UserId};
use roaring::RoaringBitmap;

use super::cell::{Token, split_tokens};
use super::problem::Findings;
use super::rows::{Rows, each_row};
use super::{Columns, Problem, Reader, Target};
use crate::directory::integration_account::LONGEST;
use crate::index::{AccountKey, Index};
use crate::value::fold;

/// What the rows say of accounts.
#[derive(Default)]
pub(super) struct Claims {
    /// The row that takes each account.
    taker: HashMap<IntegrationAccountId, u32>,
    /// The accounts that rows take, in the order of the rows.
    taken: Vec<(u32, IntegrationAccountId)>,
    /// The accounts that rows no longer name, in the order of the rows; another row may take one.
    left: Vec<(u32, IntegrationAccountId)>,
    /// The rows whose user's accounts change.
    touched: RoaringBitmap,
}

/// One reading.
struct Reading<'a> {
    index: &'a Index,
    claims: Claims,
    /// The row that named an account that no integration has reported, by a keyed hash of what it is called.
    named: HashMap<u64, u32>,
    hasher: RandomState,
}

/// Reads the file and finds whose its accounts are.
pub(super) fn find_claims(
    reader: &mut Reader,
    columns: &Columns,
    index: &Index,
    rows: &Rows,
    findings: &mut Findings,
) -> Claims {
    let mut reading =
        Reading { index, claims: Claims::default(), named: HashMap::new(), hasher: RandomState::default() };
    let columns: Vec<(usize, IntegrationId)> = columns
        .targets()
        .enumerate()
        .filter_map(|(place, target)| match target {
            Target::Accounts(integration) => Some((place, *integration)),
            _ => None,
        })
        .collect();
    let titles = reader.header().clone();
    each_row(reader, |number, row| {
        if let (Some(row), Some(user)) = (row, rows.found(number).subject()) {
            for (place, integration) in &columns {
                let cell = row.get(*place).unwrap_or_default();
                let read = split_tokens(cell)
                    .map_err(|(code, message)| Problem::new(row.line(), code, message).of_value(cell))
                    .and_then(|tokens| reading.cell(number, user, *integration, &tokens, rows));
                if let Err(problem) = read {
                    let title = titles.get(*place).map(str::trim);
                    findings.error(problem.in_column(title));
                }
            }
        }
        true
    });
    reading.claims
}

impl Reading<'_> {
    /// Compares what a cell names with what its user has.
    fn cell(
        &mut self,
        row: u32,
        user: UserId,
        integration: IntegrationId,
        tokens: &[Token],
        rows: &Rows,
    ) -> Result<(), Problem> {
        let mut kept = Vec::new();
        for token in tokens {
            let found = self.index.find_accounts(integration, token.as_ref());
            let own = found.iter().filter(|account| self.index.owner_of(**account) == Some(user));
            let of_user = kept.len();
            kept.extend(own);
            if kept.len() > of_user {
                continue;
            }
            let refuse =
                |code, message: String| Err(Problem::new(rows.line(row), code, message).of_value(token.text()));
            if token.text().len() > LONGEST {
                return refuse("TOO_LONG", format!("a name or id of an account has at most {LONGEST} bytes"));
            }
            match found.as_slice() {
                [] => {
                    let name = self.hasher.hash_one((integration, token.key()));
                    if let Some(first) = self.named.insert(name, row).filter(|first| *first != row) {
                        let message =
                            format!("line {} names the same account; name it in one of the two rows", rows.line(first));
                        return refuse("CLAIMED_TWICE", message);
                    }
                    self.claims.touched.insert(row);
                }
                [account] => match self.claims.taker.insert(*account, row) {
                    Some(first) if first != row => {
                        let message =
                            format!("line {} names the same account; name it in one of the two rows", rows.line(first));
                        return refuse("CLAIMED_TWICE", message);
                    }
                    Some(_) => {}
                    None => {
                        self.claims.taken.push((row, *account));
                        self.claims.touched.insert(row);
                    }
                },
                several => {
                    let message =
                        format!("this names {} accounts; name one by its id in the tool, as id:…", several.len());
                    return refuse("AMBIGUOUS_ACCOUNT", message);
                }
            }
        }
        for account in self.index.accounts_in(user, integration) {
            if !kept.contains(&account) {
                self.claims.left.push((row, account));
                self.claims.touched.insert(row);
            }
        }
        Ok(())
    }
}

impl Claims {
    /// The accounts that rows take, each with its row, in the order of the rows.
    pub(super) fn taken(&self) -> &[(u32, IntegrationAccountId)] {
        &self.taken
    }

    /// The accounts that a row takes.
    pub(super) fn taken_by(&self, row: u32) -> impl Iterator<Item = IntegrationAccountId> {
        of_row(&self.taken, row)
    }

    /// The accounts that a row no longer names and that no other row takes.
    pub(super) fn left_by(&self, row: u32) -> impl Iterator<Item = IntegrationAccountId> {
        of_row(&self.left, row).filter(|account| !self.taker.contains_key(account))
    }

    /// Whether a row no longer names an account of its user.
    pub(super) fn has_left(&self, row: u32, account: IntegrationAccountId) -> bool {
        of_row(&self.left, row).any(|left| left == account)
    }

    /// Whether a row takes an account.
    pub(super) fn is_taken(&self, account: IntegrationAccountId) -> bool {
        self.taker.contains_key(&account)
    }

    /// Whether the accounts of a row's user change.
    pub(super) fn touches(&self, row: u32) -> bool {
        self.touched.contains(row)
    }
}

fn of_row(list: &[(u32, IntegrationAccountId)], row: u32) -> impl Iterator<Item = IntegrationAccountId> {
    let first = list.partition_point(|(known, _)| *known < row);
    list[first..].iter().take_while(move |(known, _)| *known == row).map(|(_, account)| *account)
}

impl Token {
    /// What stands in the cell.
    pub(super) fn text(&self) -> &str {
        match self {
            Self::Name(text) | Self::ExternalId(text) => text,
        }
    }

    /// What two tokens share that name the same account: a username in any case, or an id to the letter.
    pub(super) fn key(&self) -> Self {
        match self {
            Self::Name(name) => Self::Name(fold(name)),
            Self::ExternalId(id) => Self::ExternalId(id.clone()),
        }
    }

    /// What the index finds accounts by.
    pub(super) fn as_ref(&self) -> AccountKey<'_> {
        match self {
            Self::Name(text) => AccountKey::Name(text),
            Self::ExternalId(text) => AccountKey::ExternalId(text),
        }
    }
}
