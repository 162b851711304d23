//! RECORDS. A row with what belongs to it, as the log keeps it before and after a change, and as the index follows it.

use std::collections::BTreeSet;

use chrono::{DateTime, Utc};
use entity::change::Noun;
use entity::{AssociationRulesId, AttributeId, IntegrationAccountId, IntegrationId, OrgUnitId, UserId};
use entity::{association_rules, attribute, integration, integration_account, org_unit, user};
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use crate::value::GlobalId;

/// A user with all emails, and the ids of those who became part of it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct UserRecord {
    /// The row.
    #[serde(flatten)]
    pub row: user::Model,
    /// The further emails, in their normal form; `row.email` is not among them.
    #[serde(default, skip_serializing_if = "BTreeSet::is_empty")]
    pub further_emails: BTreeSet<String>,
    /// The ids of users who became part of this one, which stand for it from then on.
    #[serde(default, skip_serializing_if = "BTreeSet::is_empty")]
    pub merged_ids: BTreeSet<UserId>,
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
    /// The rules of association.
    AssociationRules(association_rules::Model),
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
    /// Of the rules of association.
    AssociationRules(AssociationRulesId),
}

/// What became of one record in a changeset.
#[derive(Clone, Debug, PartialEq)]
pub struct Change {
    /// Which record.
    pub id: RecordId,
    /// Its state after; none if it was deleted.
    pub after: Option<Record>,
}

impl RecordId {
    /// The id of a record of `noun`.
    #[must_use]
    pub fn new(noun: Noun, id: Uuid) -> Self {
        match noun {
            Noun::Attribute => Self::Attribute(AttributeId(id)),
            Noun::Integration => Self::Integration(IntegrationId(id)),
            Noun::User => Self::User(UserId(id)),
            Noun::IntegrationAccount => Self::IntegrationAccount(IntegrationAccountId(id)),
            Noun::OrgUnit => Self::OrgUnit(OrgUnitId(id)),
            Noun::AssociationRules => Self::AssociationRules(AssociationRulesId(id)),
        }
    }

    /// What kind of record it is of.
    #[must_use]
    pub fn noun(self) -> Noun {
        match self {
            Self::Attribute(_) => Noun::Attribute,
            Self::Integration(_) => Noun::Integration,
            Self::User(_) => Noun::User,
            Self::IntegrationAccount(_) => Noun::IntegrationAccount,
            Self::OrgUnit(_) => Noun::OrgUnit,
            Self::AssociationRules(_) => Noun::AssociationRules,
        }
    }

    /// The inner UUID.
    #[must_use]
    pub fn uuid(self) -> Uuid {
        match self {
            Self::Attribute(id) => id.0,
            Self::Integration(id) => id.0,
            Self::User(id) => id.0,
            Self::IntegrationAccount(id) => id.0,
            Self::OrgUnit(id) => id.0,
            Self::AssociationRules(id) => id.0,
        }
    }

    /// The id as clients see it.
    #[must_use]
    pub fn to_global(self) -> String {
        match self {
            Self::Attribute(id) => id.to_global(),
            Self::Integration(id) => id.to_global(),
            Self::User(id) => id.to_global(),
            Self::IntegrationAccount(id) => id.to_global(),
            Self::OrgUnit(id) => id.to_global(),
            Self::AssociationRules(id) => id.to_global(),
        }
    }

    /// What kind of record it is of, in words: "user".
    #[must_use]
    pub fn word(self) -> &'static str {
        match self {
            Self::Attribute(_) => AttributeId::NOUN,
            Self::Integration(_) => IntegrationId::NOUN,
            Self::User(_) => UserId::NOUN,
            Self::IntegrationAccount(_) => IntegrationAccountId::NOUN,
            Self::OrgUnit(_) => OrgUnitId::NOUN,
            Self::AssociationRules(_) => AssociationRulesId::NOUN,
        }
    }
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
            Self::AssociationRules(row) => RecordId::AssociationRules(row.id),
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
            Self::AssociationRules(row) => serde_json::to_string(row),
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
            Noun::AssociationRules => Self::AssociationRules(serde_json::from_str(json)?),
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
            Self::AssociationRules(row) => (&mut row.version, &mut row.updated_at),
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
            Self::AssociationRules(row) => (row.version, row.updated_at),
        }
    }

    /// The number of the changeset that last changed it.
    #[must_use]
    pub fn version(&self) -> i64 {
        self.changed().0
    }

    /// What people know the record by: a user's email, the title of an attribute, a name.
    #[must_use]
    pub fn label(&self) -> &str {
        match self {
            Self::Attribute(row) => &row.title,
            Self::Integration(row) => &row.name,
            Self::User(record) => &record.row.email,
            Self::IntegrationAccount(row) => {
                let names = [&row.username, &row.email, &row.external_id, &row.display_name];
                names.into_iter().flatten().next().map(String::as_str).unwrap_or_default()
            }
            Self::OrgUnit(record) => &record.row.name,
            Self::AssociationRules(_) => "association rules",
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
