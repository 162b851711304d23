//! Whole records as they were: from the tables what has not changed since, and else from the log.

use std::collections::{BTreeMap, HashMap, HashSet};

use entity::change::{self, Column, Noun};
use entity::{IntegrationAccountId, UserId, integration_account};
use sea_orm::ConnectionTrait;
use sea_orm::sea_query::{Alias, Expr, ExprTrait, Query, SelectStatement, UnionType};
use uuid::Uuid;

use crate::directory::error::{Error, Result};
use crate::directory::{Directory, fetch};
use crate::record::{Record, UserRecord};

/// Records of one version that are looked for at a time.
const RECORDS: usize = 1_000;
/// Versions that are looked for at a time.
const VERSIONS: usize = 50;

impl Directory {
    /// Users as they were, each at a version; those that there were not are left out. Two statements, where they are not
    /// very many.
    ///
    /// # Errors
    /// Where the database cannot be read.
    pub async fn users_at(&self, wanted: &[(i64, UserId)]) -> Result<HashMap<(i64, UserId), UserRecord>> {
        let ids: HashSet<UserId> = wanted.iter().map(|(_, id)| *id).collect();
        let ids: Vec<UserId> = ids.into_iter().collect();
        let now = fetch::users(self.database().readers(), &ids).await?;
        let mut found = HashMap::with_capacity(wanted.len());
        let mut changed = Vec::new();
        for &(version, id) in wanted {
            match now.get(&id).filter(|user| user.row.version <= version) {
                Some(user) => drop(found.insert((version, id), user.clone())),
                None => changed.push((version, id.0)),
            }
        }
        for (version, record) in self.before_next_change(&changed).await? {
            if let Record::User(user) = record {
                found.insert((version, user.row.id), user);
            }
        }
        Ok(found)
    }

    /// Accounts as they were, each at a version; those that there were not are left out. Two statements, where they are
    /// not very many.
    ///
    /// # Errors
    /// Where the database cannot be read.
    pub async fn accounts_at(
        &self,
        wanted: &[(i64, IntegrationAccountId)],
    ) -> Result<HashMap<(i64, IntegrationAccountId), integration_account::Model>> {
        let ids: HashSet<IntegrationAccountId> = wanted.iter().map(|(_, id)| *id).collect();
        let ids: Vec<IntegrationAccountId> = ids.into_iter().collect();
        let rows = fetch::accounts(self.database().readers(), &ids).await?;
        let now: HashMap<IntegrationAccountId, integration_account::Model> =
            rows.into_iter().map(|row| (row.id, row)).collect();
        let mut found = HashMap::with_capacity(wanted.len());
        let mut changed = Vec::new();
        for &(version, id) in wanted {
            match now.get(&id).filter(|row| row.version <= version) {
                Some(row) => drop(found.insert((version, id), row.clone())),
                None => changed.push((version, id.0)),
            }
        }
        for (version, record) in self.before_next_change(&changed).await? {
            if let Record::IntegrationAccount(row) = record {
                found.insert((version, row.id), row);
            }
        }
        Ok(found)
    }

    /// The states before their next change of records, each at a version that it has changed after; those that did not
    /// exist are left out.
    async fn before_next_change(&self, wanted: &[(i64, Uuid)]) -> Result<Vec<(i64, Record)>> {
        let mut by_version: BTreeMap<i64, Vec<Uuid>> = BTreeMap::new();
        for (version, id) in wanted {
            by_version.entry(*version).or_default().push(*id);
        }
        let parts: Vec<SelectStatement> = by_version
            .iter()
            .flat_map(|(version, ids)| ids.chunks(RECORDS).map(|ids| next_changes(*version, ids)))
            .collect();
        // Of one version many records; of many versions, those that one changeset has moved, and names.
        let mut found = Vec::with_capacity(wanted.len());
        for parts in parts.chunks(if by_version.len() == 1 { 1 } else { VERSIONS }) {
            let Some((first, rest)) = parts.split_first() else { continue };
            let mut select = first.clone();
            for part in rest {
                select.union(UnionType::All, part.clone());
            }
            let mut rows: Vec<(i64, i64, Noun, Uuid, Option<String>)> = Vec::new();
            for row in self.database().readers().query_all(&select).await? {
                let place = (row.try_get("", "version")?, row.try_get("", "position")?);
                rows.push((
                    place.0,
                    place.1,
                    row.try_get("", "noun")?,
                    row.try_get("", "record_id")?,
                    row.try_get("", "before")?,
                ));
            }
            // A long changeset may come back to a record that it has written.
            rows.sort_unstable_by_key(|(version, position, ..)| (*version, *position));
            let mut met = HashSet::new();
            for (version, _, noun, record, before) in rows {
                let is_first = met.insert((version, record));
                if let Some(json) = before.filter(|_| is_first) {
                    found.push((version, Record::from_json(noun, &json).map_err(Error::internal)?));
                }
            }
        }
        Ok(found)
    }
}

/// The first changes of records after a version.
fn next_changes(version: i64, ids: &[Uuid]) -> SelectStatement {
    let other = Alias::new("other");
    let number = |table: &Alias| Expr::col((table.clone(), Column::ChangesetNumber));
    let next = Query::select()
        .expr(number(&other).min())
        .from_as(change::Entity, other.clone())
        .and_where(Expr::col((other.clone(), Column::RecordId)).equals((change::Entity, Column::RecordId)))
        .and_where(number(&other).gt(version))
        .take();
    let condition = Expr::col((change::Entity, Column::ChangesetNumber)).in_subquery(next);
    Query::select()
        .expr_as(Expr::val(version), Alias::new("version"))
        .columns([Column::Position, Column::Noun, Column::RecordId, Column::Before])
        .from(change::Entity)
        .and_where(Expr::col((change::Entity, Column::RecordId)).is_in(ids.iter().copied()))
        .and_where(condition)
        .take()
}
