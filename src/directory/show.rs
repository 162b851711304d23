//! A record of the log as clients see it: a whitelist, with the names and ids that the API uses.

use chrono::{DateTime, SecondsFormat, Utc};
use entity::attribute::AttributeType;
use serde_json::{Value as Json, json};

use super::Directory;
use super::error::Result;
use super::org_unit::generate::{Origin, Source};
use super::org_unit::read_stored;
use crate::access::Role;
use crate::index::Index;
use crate::record::Record;
use crate::value::{GlobalId, Value};

/// The members that say when a record was changed, and not what it is.
pub(super) const STAMPS: [&str; 2] = ["version", "updatedAt"];

impl Directory {
    /// A record of the log as JSON, with the names that the API uses, as far as it is seen; null for an attribute that is not.
    ///
    /// # Errors
    /// `Internal`, where the log holds what cannot be read.
    pub fn show(&self, record: &Record) -> Result<Json> {
        show(&self.index(), self.role(), record)
    }
}

fn show(index: &Index, role: Role, record: &Record) -> Result<Json> {
    let is_admin = role == Role::Admin;
    Ok(match record {
        Record::Attribute(row) if !(row.is_readable_by(role) && index.sees(row)) => Json::Null,
        Record::Attribute(row) => {
            let mut shown = json!({
            "id": row.id.to_global(),
            "key": row.key,
            "title": row.title,
            "description": row.description,
            "type": row.r#type,
            "options": row.options,
            "isRequired": row.is_required,
            "isUnique": row.is_unique,
            "isBuiltIn": row.is_built_in,
            "position": row.position,
            "version": row.version,
            "createdAt": time(row.created_at),
            "updatedAt": time(row.updated_at),
            });
            // Most can be read by everybody.
            if let Some(roles) = &row.readable_by {
                shown["readableBy"] = roles.clone();
            }
            shown
        }
        Record::Integration(row) => {
            let mut shown = json!({
                "id": row.id.to_global(),
                "kind": row.kind,
                "name": row.name,
                "version": row.version,
                "createdAt": time(row.created_at),
                "updatedAt": time(row.updated_at),
            });
            // Those whose accounts are only reported have no such members.
            if let Some(settings) = row.settings.as_ref().filter(|_| is_admin) {
                shown["settings"] = settings.clone();
            }
            if let Some(minutes) = row.schedule_minutes {
                shown["scheduleMinutes"] = json!(minutes);
            }
            shown
        }
        Record::User(record) => {
            let mut shown = json!({
                "id": record.row.id.to_global(),
                "name": record.row.name,
                "email": record.row.email,
                "furtherEmails": record.further_emails,
                "isAutomatic": record.row.is_automatic,
                "attributes": values(index, is_admin, &record.row.attributes),
                "version": record.row.version,
                "createdAt": time(record.row.created_at),
                "updatedAt": time(record.row.updated_at),
            });
            // Of few users there is more to say.
            if !record.merged_ids.is_empty() {
                shown["mergedIds"] = record.merged_ids.iter().map(|id| id.to_global()).collect();
            }
            if record.row.is_locked {
                shown["isLocked"] = true.into();
            }
            if let Some(at) = record.row.reviewed_at {
                shown["reviewedAt"] = time(at).into();
                shown["reviewedBy"] = record.row.reviewed_by.clone().into();
            }
            shown
        }
        Record::IntegrationAccount(row) => json!({
            "id": row.id.to_global(),
            "integrationId": row.integration_id.to_global(),
            "externalId": row.external_id,
            "username": row.username,
            "email": row.email,
            "displayName": row.display_name,
            "isBot": row.is_bot,
            "status": row.status,
            "userId": row.user_id.map(GlobalId::to_global),
            "rule": row.rule,
            "evidence": row.evidence,
            "associatedBy": row.associated_by,
            "associatedAt": time(row.associated_at),
            "version": row.version,
            "createdAt": time(row.created_at),
            "updatedAt": time(row.updated_at),
        }),
        Record::AssociationRules(row) => json!({
            "id": row.id.to_global(),
            "email": row.rules.email,
            "detected": row.rules.detected,
            "ignorePlusTags": row.rules.ignores_plus_tags,
            "aliasDomains": row.rules.alias_domains,
            "excludedEmails": row.rules.excluded_emails,
            "excludedNames": row.rules.excluded_names,
            "botNames": row.rules.bot_names,
            "integrations": row.rules.integrations.iter().map(|own| json!({
                "integrationId": own.integration_id.to_global(),
                "email": own.email,
                "detected": own.detected,
                "isTrusted": own.is_trusted,
            })).collect::<Vec<_>>(),
            "version": row.version,
            "createdAt": time(row.created_at),
            "updatedAt": time(row.updated_at),
        }),
        Record::OrgUnit(record) => {
            let is_hidden = !is_admin && index.names_unseen(record);
            let filter = record.row.filter.clone().filter(|_| !is_hidden);
            let mut shown = json!({
                "id": record.row.id.to_global(),
                "parentId": record.row.parent_id.map(GlobalId::to_global),
                "name": record.row.name,
                "description": record.row.description,
                "scope": record.row.scope,
                "filter": filter.map(read_stored).transpose()?,
                "pinned": record.pinned.iter().map(|id| id.to_global()).collect::<Vec<_>>(),
                "excluded": record.excluded.iter().map(|id| id.to_global()).collect::<Vec<_>>(),
                "version": record.row.version,
                "createdAt": time(record.row.created_at),
                "updatedAt": time(record.row.updated_at),
            });
            if is_hidden {
                shown["isFilterHidden"] = true.into();
            } else if let Some(Origin { source, .. }) = Origin::of(record) {
                shown["generatedFrom"] = show_source(&source);
            }
            shown
        }
    })
}

/// What an org unit was generated from. Units that a person has made have no such member.
fn show_source(source: &Source) -> Json {
    match source {
        Source::Values(values) => json!({ "values": values }),
        Source::Supervisor { attribute, user } => {
            json!({ "supervisorAttribute": attribute, "supervisorId": user.to_global() })
        }
    }
}

/// Values by attribute key, in the order of the attributes, which not every database keeps; those that name users as
/// global ids. Of an attribute deleted since, which may have been private, ADMIN sees the value as it stands, at the end.
fn values(index: &Index, is_admin: bool, document: &Json) -> Json {
    let mut stored: Vec<(&String, &Json)> = document.as_object().into_iter().flatten().collect();
    stored.retain(|(key, _)| is_admin || index.attribute(key).is_some());
    stored.sort_by_key(|(key, _)| (index.attribute(key).map_or(i32::MAX, |attribute| attribute.position), *key));
    let shown = stored.into_iter().map(|(key, stored)| {
        let names_users = index.attribute(key).is_some_and(|attribute| attribute.r#type == AttributeType::User);
        let value = match Value::from_stored(AttributeType::User, stored).filter(|_| names_users) {
            Some(Value::User(id)) => Json::String(id.to_global()),
            _ => stored.clone(),
        };
        (key.clone(), value)
    });
    Json::Object(shown.collect())
}

fn time(time: DateTime<Utc>) -> String {
    time.to_rfc3339_opts(SecondsFormat::AutoSi, true)
}
