//! All that is held on one person, as one document.

use entity::{UserId, change, changeset, import_draft, merge_decision};
use sea_orm::{ColumnTrait, Condition, EntityTrait, QueryFilter, QueryOrder};
use serde_json::{Value as Json, json};
use uuid::Uuid;

use super::{beside, person::Person};
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
        let user = fetch::users(&from, &[id]).await?.remove(&id).ok_or_else(|| missing(id))?;
        let person = Person::find(self, &from, &user).await?;
        let mut accounts = Vec::new();
        let rows = fetch::accounts_of(&from, &[id]).await?;
        for account in rows {
            accounts.push(self.show(&Record::IntegrationAccount(account))?);
        }
        let own: Vec<Uuid> = person.users.union(&person.accounts).copied().collect();
        let (mut history, mut mentions) = (Vec::new(), Vec::new());
        let rows = change::Entity::find()
            .filter(change::Column::RecordId.is_in(own))
            .order_by_asc(change::Column::ChangesetNumber)
            .order_by_asc(change::Column::Position);
        for row in rows.all(&from).await? {
            let made = changeset::Entity::find_by_id(row.changeset_number).one(&from).await?;
            let shown = |json: &Option<String>| -> Result<Option<Json>> {
                let Some(json) = json else { return Ok(None) };
                self.show(&Record::from_json(row.noun, json).map_err(Error::internal)?).map(Some)
            };
            history.push(json!({
                "changeset": row.changeset_number,
                "kind": made.as_ref().map(|made| made.kind),
                "actor": made.as_ref().map(|made| &made.actor),
                "createdAt": made.as_ref().map(|made| made.created_at),
                "noun": row.noun,
                "recordId": RecordId::new(row.noun, row.record_id).to_global(),
                "before": shown(&row.before)?,
                "after": shown(&row.after)?,
            }));
        }
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
}
