//! Reading whole records by key: as one JSON text, like [`super::scan`], since a page of users with their accounts is
//! two thousand columns.

use std::collections::{BTreeSet, HashMap};

use chrono::{DateTime, Utc};
use entity::integration_account::{self, AccountStatus, AssociationRule};
use entity::{IntegrationAccountId, UserId, user};
use sea_orm::ConnectionTrait;
use serde::Deserialize;

use super::error::Result;
use super::scan::{self, Kind, Owner, Text, Truth};
use crate::record::UserRecord;

const USERS: Text = Text {
    table: "\"user\"",
    columns: &[
        ("id", Kind::Uuid),
        ("name", Kind::Plain),
        ("email", Kind::Plain),
        ("attributes", Kind::Json),
        ("is_automatic", Kind::Plain),
        ("is_locked", Kind::Plain),
        ("reviewed_at", Kind::Plain),
        ("reviewed_by", Kind::Plain),
        ("version", Kind::Plain),
        ("created_at", Kind::Plain),
        ("updated_at", Kind::Plain),
        ("SELECT email FROM user_email WHERE user_id = \"user\".id AND NOT is_primary", Kind::Emails),
        ("SELECT merged_id FROM user_merged_id WHERE user_id = \"user\".id", Kind::Ids),
    ],
    condition: "true",
};

/// The columns of [`USERS`].
#[derive(Deserialize)]
struct UserRow(
    UserId,
    String,
    String,
    serde_json::Value,
    Truth,
    Truth,
    Option<DateTime<Utc>>,
    Option<String>,
    i64,
    DateTime<Utc>,
    DateTime<Utc>,
    Option<BTreeSet<String>>,
    Option<BTreeSet<UserId>>,
);

const ACCOUNTS: Text = Text {
    table: "integration_account",
    columns: &[
        ("id", Kind::Uuid),
        ("integration_id", Kind::Uuid),
        ("external_id", Kind::Plain),
        ("username", Kind::Plain),
        ("email", Kind::Plain),
        ("display_name", Kind::Plain),
        ("is_bot", Kind::Plain),
        ("status", Kind::Plain),
        ("user_id", Kind::Uuid),
        ("rule", Kind::Plain),
        ("evidence", Kind::Plain),
        ("associated_by", Kind::Plain),
        ("associated_at", Kind::Plain),
        ("version", Kind::Plain),
        ("created_at", Kind::Plain),
        ("updated_at", Kind::Plain),
    ],
    condition: "true",
};

/// The columns of [`ACCOUNTS`].
#[derive(Deserialize)]
struct AccountRow(
    IntegrationAccountId,
    entity::IntegrationId,
    Option<String>,
    Option<String>,
    Option<String>,
    Option<String>,
    Truth,
    AccountStatus,
    Owner,
    AssociationRule,
    Option<String>,
    String,
    DateTime<Utc>,
    i64,
    DateTime<Utc>,
    DateTime<Utc>,
);

/// The users of these ids, in no order.
pub(super) async fn users(connection: &impl ConnectionTrait, ids: &[UserId]) -> Result<HashMap<UserId, UserRecord>> {
    let mut users = HashMap::with_capacity(ids.len());
    for ids in ids.chunks(1_000) {
        let text = scan::by_key(connection, &USERS, "id", ids).await?;
        users.extend(scan::parse::<UserRow>(&text)?.into_iter().map(UserRow::into_entry));
    }
    Ok(users)
}

/// The accounts of these ids, in no order.
pub(super) async fn accounts(
    connection: &impl ConnectionTrait,
    ids: &[IntegrationAccountId],
) -> Result<Vec<integration_account::Model>> {
    let mut accounts = Vec::with_capacity(ids.len());
    for ids in ids.chunks(1_000) {
        let text = scan::by_key(connection, &ACCOUNTS, "id", ids).await?;
        accounts.extend(scan::parse::<AccountRow>(&text)?.into_iter().map(AccountRow::into_model));
    }
    Ok(accounts)
}

/// The accounts of these users, in no order.
pub(super) async fn accounts_of(
    connection: &impl ConnectionTrait,
    ids: &[UserId],
) -> Result<Vec<integration_account::Model>> {
    let mut accounts = Vec::new();
    for ids in ids.chunks(1_000) {
        let text = scan::by_key(connection, &ACCOUNTS, "user_id", ids).await?;
        accounts.extend(scan::parse::<AccountRow>(&text)?.into_iter().map(AccountRow::into_model));
    }
    Ok(accounts)
}

impl UserRow {
    fn into_entry(self) -> (UserId, UserRecord) {
        let row = user::Model {
            id: self.0,
            name: self.1,
            email: self.2,
            attributes: self.3,
            is_automatic: self.4.holds(),
            is_locked: self.5.holds(),
            reviewed_at: self.6,
            reviewed_by: self.7,
            version: self.8,
            created_at: self.9,
            updated_at: self.10,
        };
        let further_emails = self.11.unwrap_or_default();
        (row.id, UserRecord { row, further_emails, merged_ids: self.12.unwrap_or_default() })
    }
}

impl AccountRow {
    fn into_model(self) -> integration_account::Model {
        integration_account::Model {
            id: self.0,
            integration_id: self.1,
            external_id: self.2,
            username: self.3,
            email: self.4,
            display_name: self.5,
            is_bot: self.6.holds(),
            status: self.7,
            user_id: self.8.0,
            rule: self.9,
            evidence: self.10,
            associated_by: self.11,
            associated_at: self.12,
            version: self.13,
            created_at: self.14,
            updated_at: self.15,
        }
    }
}
