//! What holds of every directory at any time, whatever was done to it; checked after every test.

use std::collections::HashMap;

use entity::change::{self, Noun};
use entity::{
    association_rules, attribute, changeset, integration, integration_account, org_unit, org_unit_pin, user,
    user_email, user_merged_id,
};
use sea_orm::{EntityTrait, QueryOrder};
use serde_json::{Value as Json, json};
use uuid::Uuid;

use super::{Site, answers};

/// Checks that the log is whole and tells how the tables came to be, and that an index that followed it answers as one
/// that is loaded from the tables.
pub(super) async fn check(site: &Site) {
    log_is_whole(site).await;
    let fresh = site.another_process().await;
    let (followed, loaded) = (answers(site).await, answers(&fresh).await);
    for (followed, loaded) in followed.lines().zip(loaded.lines()) {
        assert_eq!(followed, loaded, "the answers of an index that followed the log, and of a fresh one");
    }
    assert_eq!(followed, loaded);
    fresh.database().clone().close().await.unwrap();
}

pub(super) async fn log_is_whole(site: &Site) {
    let from = site.database().readers();
    let changesets = changeset::Entity::find().order_by_asc(changeset::Column::Number).all(from).await.unwrap();
    let changes = change::Entity::find()
        .order_by_asc(change::Column::ChangesetNumber)
        .order_by_asc(change::Column::Position)
        .all(from)
        .await
        .unwrap();
    let mut rest = changes.as_slice();
    for (number, changeset) in (1..).zip(&changesets) {
        assert_eq!(changeset.number, number, "changesets are numbered without gaps");
        let length = rest.iter().take_while(|change| change.changeset_number == number).count();
        assert_eq!(changeset.change_count, length as i64, "changeset {number} counts its changes");
        assert!(length > 0, "changeset {number} changes something");
        for (position, change) in (0..).zip(&rest[..length]) {
            assert_eq!(change.position, position, "changes of changeset {number} are numbered without gaps");
        }
        rest = &rest[length..];
    }
    assert!(rest.is_empty(), "changes without a changeset");

    let mut states: HashMap<(Noun, Uuid), Json> = HashMap::new();
    for change in &changes {
        let state = |json: &Option<String>| json.as_deref().map(|json| serde_json::from_str::<Json>(json).unwrap());
        let key = (change.noun, change.record_id);
        assert_eq!(state(&change.before), states.remove(&key), "the state before {change:?}");
        if let Some(after) = state(&change.after) {
            if let Some(before) = state(&change.before) {
                assert_ne!(before, after, "a change that changes nothing");
            }
            assert_eq!(after["version"], json!(change.changeset_number), "the version of {change:?}");
            states.insert(key, after);
        }
    }
    for (key, row) in records(site).await {
        assert_eq!(states.remove(&key), Some(row), "the log's last state of a record, and its row");
    }
    assert!(states.is_empty(), "records that the log has and the tables do not: {states:?}");
}

/// Every record as the log would write it.
async fn records(site: &Site) -> Vec<((Noun, Uuid), Json)> {
    let from = site.database().readers();
    let mut records = Vec::new();
    for row in attribute::Entity::find().all(from).await.unwrap() {
        records.push(((Noun::Attribute, row.id.0), serde_json::to_value(row).unwrap()));
    }
    for row in integration::Entity::find().all(from).await.unwrap() {
        records.push(((Noun::Integration, row.id.0), serde_json::to_value(row).unwrap()));
    }
    for row in integration_account::Entity::find().all(from).await.unwrap() {
        records.push(((Noun::IntegrationAccount, row.id.0), serde_json::to_value(row).unwrap()));
    }
    for row in association_rules::Entity::find().all(from).await.unwrap() {
        records.push(((Noun::AssociationRules, row.id.0), serde_json::to_value(row).unwrap()));
    }
    let emails = user_email::Entity::find().order_by_asc(user_email::Column::Email).all(from).await.unwrap();
    let mut merged = user_merged_id::Entity::find().all(from).await.unwrap();
    merged.sort_by_key(|row| row.merged_id);
    for row in user::Entity::find().all(from).await.unwrap() {
        assert!(!merged.iter().any(|known| known.merged_id == row.id), "a merged id is no user's own");
        let own = emails.iter().filter(|email| email.user_id == row.id);
        let primary: Vec<&str> = own.clone().filter(|email| email.is_primary).map(|row| row.email.as_str()).collect();
        assert_eq!(primary, [row.email.as_str()], "a user has one primary email");
        let mut further: Vec<&str> = own.filter(|email| !email.is_primary).map(|row| row.email.as_str()).collect();
        further.sort_unstable();
        let mut record = serde_json::to_value(&row).unwrap();
        if !further.is_empty() {
            record["further_emails"] = json!(further);
        }
        let merged: Vec<_> = merged.iter().filter(|known| known.user_id == row.id).map(|row| row.merged_id).collect();
        if !merged.is_empty() {
            record["merged_ids"] = json!(merged);
        }
        records.push(((Noun::User, row.id.0), record));
    }
    let mut pins = org_unit_pin::Entity::find().all(from).await.unwrap();
    pins.sort_by_key(|pin| pin.user_id);
    for row in org_unit::Entity::find().all(from).await.unwrap() {
        let mut record = serde_json::to_value(&row).unwrap();
        for (name, is_member) in [("pinned", true), ("excluded", false)] {
            let own = pins.iter().filter(|pin| pin.org_unit_id == row.id && pin.is_member == is_member);
            let users: Vec<_> = own.map(|pin| pin.user_id).collect();
            if !users.is_empty() {
                record[name] = json!(users);
            }
        }
        records.push(((Noun::OrgUnit, row.id.0), record));
    }
    records
}
