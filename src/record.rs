//! RECORDS. A row with what belongs to it, as the log keeps it before and after a change, and as the index follows it.

use std::collections::BTreeSet;

use chrono::{DateTime, Utc};
use entity::change::Noun;
use entity::{AttributeId, IntegrationAccountId, IntegrationId, OrgUnitId, UserId};
use entity::{attribute, integration, integration_account, org_unit, user};
use serde::{Deserialize, Serialize};

/// A user with all emails.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct UserRecord {
    /// The row.
    #[serde(flatten)]
    pub row: user::Model,
    /// The further emails, in their normal form; `row.email` is not among them.
    #[serde(default, skip_serializing_if = "BTreeSet::is_empty")]
    pub further_emails: BTreeSet<String>,
}

/// An org unit with its pinned and excluded users.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct OrgUnitRecord {
    /// The row.
    #[serde(flatten)]
    pub row: org_unit::Model,
    /// Members whatever the filter says.
    #[serde(default, skip_serializing_if = "BTreeSet::is_empty")]
    pub pinned: BTreeSet<UserId>,
    /// Never members.
    #[serde(default, skip_serializing_if = "BTreeSet::is_empty")]
    pub excluded: BTreeSet<UserId>,
}

/// Any record.
#[derive(Clone, Debug, PartialEq)]
pub enum Record {
    /// An attribute.
    Attribute(attribute::Model),
    /// An integration.
    Integration(integration::Model),
    /// A user.
    User(UserRecord),
    /// An account.
    IntegrationAccount(integration_account::Model),
    /// An org unit.
    OrgUnit(OrgUnitRecord),
}

/// The id of any record.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum RecordId {
    /// Of an attribute.
    Attribute(AttributeId),
    /// Of an integration.
    Integration(IntegrationId),
    /// Of a user.
    User(UserId),
    /// Of an account.
    IntegrationAccount(IntegrationAccountId),
    /// Of an org unit.
    OrgUnit(OrgUnitId),
}

/// What became of one record in a changeset.
#[derive(Clone, Debug, PartialEq)]
pub struct Change {
    /// Which record.
    pub id: RecordId,
    /// Its state after; none if it was deleted.
    pub after: Option<Record>,
}

impl Record {
    /// The record's id.
    #[must_use]
    pub fn id(&self) -> RecordId {
        match self {
            Self::Attribute(row) => RecordId::Attribute(row.id),
            Self::Integration(row) => RecordId::Integration(row.id),
            Self::User(record) => RecordId::User(record.row.id),
            Self::IntegrationAccount(row) => RecordId::IntegrationAccount(row.id),
            Self::OrgUnit(record) => RecordId::OrgUnit(record.row.id),
        }
    }

    /// The record as the log's JSON text.
    ///
    /// # Errors
    /// Where the record cannot be written as JSON.
    pub fn to_json(&self) -> serde_json::Result<String> {
        match self {
            Self::Attribute(row) => serde_json::to_string(row),
            Self::Integration(row) => serde_json::to_string(row),
            Self::User(record) => serde_json::to_string(record),
            Self::IntegrationAccount(row) => serde_json::to_string(row),
            Self::OrgUnit(record) => serde_json::to_string(record),
        }
    }

    /// Reads a record from the log's JSON text.
    ///
    /// # Errors
    /// Where the text is not a record of this noun.
    pub fn from_json(noun: Noun, json: &str) -> serde_json::Result<Self> {
        Ok(match noun {
            Noun::Attribute => Self::Attribute(serde_json::from_str(json)?),
            Noun::Integration => Self::Integration(serde_json::from_str(json)?),
            Noun::User => Self::User(serde_json::from_str(json)?),
            Noun::IntegrationAccount => Self::IntegrationAccount(serde_json::from_str(json)?),
            Noun::OrgUnit => Self::OrgUnit(serde_json::from_str(json)?),
        })
    }
}

impl Record {
    /// Marks the record as changed by changeset `number`.
    pub fn stamp(&mut self, number: i64, now: DateTime<Utc>) {
        let (version, updated_at) = match self {
            Self::Attribute(row) => (&mut row.version, &mut row.updated_at),
            Self::Integration(row) => (&mut row.version, &mut row.updated_at),
            Self::User(record) => (&mut record.row.version, &mut record.row.updated_at),
            Self::IntegrationAccount(row) => (&mut row.version, &mut row.updated_at),
            Self::OrgUnit(record) => (&mut record.row.version, &mut record.row.updated_at),
        };
        (*version, *updated_at) = (number, now);
    }

    fn changed(&self) -> (i64, DateTime<Utc>) {
        match self {
            Self::Attribute(row) => (row.version, row.updated_at),
            Self::Integration(row) => (row.version, row.updated_at),
            Self::User(record) => (record.row.version, record.row.updated_at),
            Self::IntegrationAccount(row) => (row.version, row.updated_at),
            Self::OrgUnit(record) => (record.row.version, record.row.updated_at),
        }
    }

    /// Whether nothing differs but when and by which changeset the record was last changed.
    #[must_use]
    pub fn same_content(&self, other: &Self) -> bool {
        let mut other = other.clone();
        let (version, updated_at) = self.changed();
        other.stamp(version, updated_at);
        *self == other
    }
}

impl UserRecord {
    /// All emails, the primary one first.
    pub fn emails(&self) -> impl Iterator<Item = &str> {
        std::iter::once(self.row.email.as_str()).chain(self.further_emails.iter().map(String::as_str))
    }
}
