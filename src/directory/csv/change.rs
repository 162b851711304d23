//! What an import makes of one record, as people read it: column by column, before and after.

use serde::{Deserialize, Serialize};
use serde_json::Value as Json;

use entity::integration_account;
use entity::{UserId, attribute};

use super::cell::{Token, push_token};
use crate::index::{AccountKey, Index};
use crate::record::UserRecord;
use crate::value::{Value, show};

/// What becomes of a record.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub enum ChangeKind {
    /// It is made.
    Created,
    /// It, or what accounts it has, changes.
    Updated,
    /// It goes, since the file does not have it.
    Removed,
    /// It was made automatically, and becomes part of another user.
    Absorbed,
}

/// What an import makes of one record.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct RowChange {
    /// The line of the record's row; none if the file does not have the record.
    pub line: Option<u64>,
    /// What becomes of it.
    pub kind: ChangeKind,
    /// Its id as clients see it; none for a record that does not exist yet.
    pub record: Option<String>,
    /// Its name afterwards.
    pub label: String,
    /// What tells it from others of its name: a user's primary email, an org unit's path, afterwards.
    pub detail: String,
    /// The columns that change.
    pub cells: Vec<CellChange>,
    /// What else happens for it: whose accounts it gets, whom it becomes part of.
    pub notes: Vec<String>,
}

/// What an import makes of one column of one record, as cells of an export.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct CellChange {
    /// The column's title.
    pub column: String,
    /// What stands there; none for nothing.
    pub before: Option<String>,
    /// What will stand there; none for nothing.
    pub after: Option<String>,
}

/// The columns in which two states of a user differ. `email_of` finds the email of a user that a value names, before and
/// after.
pub(super) fn cells(
    before: Option<&UserRecord>,
    after: Option<&UserRecord>,
    attributes: &[std::sync::Arc<attribute::Model>],
    email_of: [&dyn Fn(UserId) -> Option<String>; 2],
) -> Vec<CellChange> {
    let mut cells = Vec::new();
    let text = |user: Option<&UserRecord>, of: &dyn Fn(&UserRecord) -> String| user.map(of).filter(|s| !s.is_empty());
    let mut compare = |column: &str, of: &dyn Fn(&UserRecord) -> String| {
        let (before, after) = (text(before, of), text(after, of));
        if before != after {
            cells.push(CellChange { column: column.to_owned(), before, after });
        }
    };
    compare("Name", &|user| user.row.name.clone());
    compare("Email", &|user| user.row.email.clone());
    compare("Further emails", &|user| user.further_emails.iter().cloned().collect::<Vec<_>>().join("; "));
    for attribute in attributes.iter().filter(|attribute| !attribute.is_built_in) {
        let [was, is] = [before, after].map(|user| user.and_then(|user| user.row.attributes.get(&attribute.key)));
        // The email of a user that both name may be another one afterwards.
        if was == is {
            continue;
        }
        let text = |stored: Option<&Json>, email_of: &dyn Fn(UserId) -> Option<String>| {
            let value = stored.and_then(|stored| Value::from_stored(attribute.r#type, stored));
            value.map(|value| show(&value, email_of)).filter(|text| !text.is_empty())
        };
        let (before, after) = (text(was, email_of[0]), text(is, email_of[1]));
        cells.push(CellChange { column: attribute.title.clone(), before, after });
    }
    cells
}

/// The columns of accounts in which two lists differ.
pub(super) fn account_cells(
    before: &[&integration_account::Model],
    after: &[&integration_account::Model],
    index: &Index,
) -> Vec<CellChange> {
    let list = |accounts: &[&integration_account::Model], integration| {
        let mut there: Vec<_> = accounts.iter().filter(|account| account.integration_id == integration).collect();
        there.sort_by_key(|account| account.id);
        let mut cell = String::new();
        for account in there {
            let token = token(account, index);
            push_token(&mut cell, matches!(token, Token::ExternalId(_)), token.text());
        }
        Some(cell).filter(|cell| !cell.is_empty())
    };
    let columns = index.integrations().into_iter().map(|integration| {
        let (before, after) = (list(before, integration.id), list(after, integration.id));
        CellChange { column: integration.name.clone(), before, after }
    });
    columns.filter(|cell| cell.before != cell.after).collect()
}

/// What names an account and no other in its integration, as in an export: its username, else its email, else its id in
/// the tool.
pub(super) fn token(account: &integration_account::Model, index: &Index) -> Token {
    let names = [account.username.as_ref(), account.email.as_ref()].into_iter().flatten();
    let is_one = |name: &&String| index.find_accounts(account.integration_id, AccountKey::Name(name)).len() <= 1;
    match (names.clone().find(is_one), &account.external_id) {
        (Some(name), _) => Token::Name(name.clone()),
        (None, Some(id)) => Token::ExternalId(id.clone()),
        (None, None) => Token::Name(names.chain(account.display_name.as_ref()).next().cloned().unwrap_or_default()),
    }
}
