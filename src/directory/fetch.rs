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
        ("version", Kind::Plain),
        ("created_at", Kind::Plain),
        ("updated_at", Kind::Plain),
        ("SELECT email FROM user_email WHERE user_id = \"user\".id AND NOT is_primary", Kind::Emails),
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
    i64,
    DateTime<Utc>,
    DateTime<Utc>,
    Option<BTreeSet<String>>,
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
        let Self(id, name, email, attributes, is_automatic, version, created_at, updated_at, further_emails) = self;
        let is_automatic = is_automatic.holds();
        let row = user::Model { id, name, email, attributes, is_automatic, version, created_at, updated_at };
        (id, UserRecord { row, further_emails: further_emails.unwrap_or_default() })
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
            associated_by: self.10,
            associated_at: self.11,
            version: self.12,
            created_at: self.13,
            updated_at: self.14,
        }
    }
}
