//! All that is held on one person, as one document.

use std::collections::{HashMap, HashSet};

use entity::{UserId, change, changeset, import_draft, merge_decision};
use sea_orm::{ColumnTrait, Condition, EntityTrait, QueryFilter};
use serde_json::{Value as Json, json};
use uuid::Uuid;

use super::{beside, log::about, person::Person};
use crate::database::{Transaction, without_timeout};
use crate::directory::error::{Error, Result};
use crate::directory::{Directory, fetch, missing};
use crate::index::Reason;
use crate::record::{Record, RecordId};
use crate::value::GlobalId;

impl Directory {
    /// All that is held on a user: the record, the accounts, the org units and why, the history of all of these, what was
    /// decided of them, and the drafts and other records that name them.
    ///
    /// # Errors
    /// `NotFound`.
    pub async fn personal_data(&self, id: UserId) -> Result<Json> {
        let id = self.current_user(id);
        let (from, index) = self.begin_read_at().await?;
        without_timeout(&from).await?;
        let user = fetch::users(&from, &[id]).await?.remove(&id).ok_or_else(|| missing(id))?;
        let person = Person::of(self, &user).search(self, &from).await?;
        let mut accounts = Vec::new();
        let rows = fetch::accounts_of(&from, &[id]).await?;
        for account in rows {
            accounts.push(self.show(&Record::IntegrationAccount(account))?);
        }
        let own: Vec<Uuid> = person.users.union(&person.accounts).copied().collect();
        let (mut history, mut mentions) = (Vec::new(), Vec::new());
        for ids in own.chunks(1_000) {
            let mut place = None;
            loop {
                let rows = about(&from, ids, place).await?;
                let Some(last) = rows.last() else { break };
                place = Some((last.changeset_number, last.position));
                history.extend(self.told(&from, &rows).await?);
            }
        }
        history.sort_by_key(|(place, _)| *place);
        let history: Vec<Json> = history.into_iter().map(|(_, entry)| entry).collect();
        let mut place = None;
        loop {
            let rows = person.page(&from, place, true).await?;
            let Some(last) = rows.last() else { break };
            place = Some((last.changeset_number, last.position));
            let others = rows.iter().filter(|row| !person.owns(row));
            mentions.extend(others.map(|row| {
                json!({ "changeset": row.changeset_number, "recordId": RecordId::new(row.noun, row.record_id).to_global() })
            }));
        }
        let ids = person.global_ids();
        let either =
            Condition::any().add(merge_decision::Column::Low.is_in(&ids)).add(merge_decision::Column::High.is_in(&ids));
        let decisions = merge_decision::Entity::find().filter(either).all(&from).await?;
        let drafts = beside::drafts(&from, &person).await?;
        let drafts = import_draft::Entity::find().filter(import_draft::Column::Id.is_in(drafts)).all(&from).await?;
        from.rollback().await?;
        let units = index.memberships_of(&[id]).into_iter().flatten().map(|(unit, reason)| {
            json!({
                "orgUnitId": unit.to_global(),
                "path": index.path(unit),
                "isPinned": reason == Reason::Pinned,
            })
        });
        let units: Vec<Json> = units.collect();
        Ok(json!({
            "user": self.show(&Record::User(user))?,
            "accounts": accounts,
            "orgUnits": units,
            "history": history,
            "mentions": mentions,
            "decisions": decisions.iter().map(|row| json!({
                "ids": [row.low, row.high],
                "decidedBy": row.decided_by,
                "decidedAt": row.decided_at,
                "changeset": row.changeset_number,
            })).collect::<Vec<_>>(),
            "importDrafts": drafts.iter().map(|row| json!({
                "id": row.id.to_global(),
                "fileName": row.file_name,
                "createdAt": row.created_at,
            })).collect::<Vec<_>>(),
        }))
    }

    /// Rows of the log as they are told, each with its place.
    async fn told(&self, from: &Transaction, rows: &[change::Model]) -> Result<Vec<((i64, i64), Json)>> {
        let numbers: HashSet<i64> = rows.iter().map(|row| row.changeset_number).collect();
        let made = changeset::Entity::find().filter(changeset::Column::Number.is_in(numbers)).all(from).await?;
        let made: HashMap<i64, changeset::Model> = made.into_iter().map(|made| (made.number, made)).collect();
        let shown = |noun, json: &Option<String>| -> Result<Option<Json>> {
            let Some(json) = json else { return Ok(None) };
            self.show(&Record::from_json(noun, json).map_err(Error::internal)?).map(Some)
        };
        let told = rows.iter().map(|row| {
            let made = made.get(&row.changeset_number);
            let entry = json!({
                "changeset": row.changeset_number,
                "kind": made.map(|made| made.kind),
                "actor": made.map(|made| &made.actor),
                "createdAt": made.map(|made| made.created_at),
                "noun": row.noun,
                "recordId": RecordId::new(row.noun, row.record_id).to_global(),
                "before": shown(row.noun, &row.before)?,
                "after": shown(row.noun, &row.after)?,
            });
            Ok(((row.changeset_number, row.position), entry))
        });
        told.collect()
    }
}
