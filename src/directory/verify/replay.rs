//! The tables and the log: each record is what its last change made of it.

use std::collections::{HashMap, HashSet};

use entity::change::{self, Noun};
use sea_orm::{ConnectionTrait, DbBackend, EntityTrait, Statement};
use uuid::Uuid;

use super::{Result, Verify};
use crate::record::{Record, RecordId};

const MEND: &str = "save the record anew as it should be, which logs it; or restore the last backup that is sound";

/// The table of the records of a noun.
pub(super) fn table_of(noun: Noun) -> &'static str {
    match noun {
        Noun::Attribute => "attribute",
        Noun::Integration => "integration",
        Noun::User => "user",
        Noun::IntegrationAccount => "integration_account",
        Noun::OrgUnit => "org_unit",
        Noun::AssociationRules => "association_rules",
    }
}

impl Verify {
    /// Finds records that a page of the log says are there, by their last change, and that are not.
    pub(super) async fn replay_missing(&mut self, page: &[change::Model]) -> Result<()> {
        let mut by_noun: HashMap<Noun, HashSet<Uuid>> = HashMap::new();
        for (noun, id) in Self::made(page) {
            by_noun.entry(noun).or_default().insert(id);
        }
        for (noun, ids) in by_noun {
            let ids: Vec<Uuid> = ids.into_iter().collect();
            let there = self.there(table_of(noun), "id", &ids).await?;
            let gone: Vec<Uuid> = ids.into_iter().filter(|id| !there.contains(id)).collect();
            let mut last: Vec<change::Model> = self.last_changes(&gone).await?.into_values().collect();
            last.sort_by_key(|change| (change.changeset_number, change.position));
            for change in last {
                let place = |row: &change::Model| (row.changeset_number, row.position);
                // It is told once, with the page that has its last change.
                if change.after.is_some() && page.iter().any(|row| place(row) == place(&change)) {
                    let row = RecordId::new(noun, change.record_id).to_global();
                    let message = format!("changeset {} left it there, and it is gone", change.changeset_number);
                    self.said.add(table_of(noun), row, "MISSING", message, "restore the last backup that is sound");
                }
            }
        }
        Ok(())
    }

    /// Compares records as the tables have them with what the log says last.
    pub(super) async fn replay(&mut self, records: &[Record]) -> Result<()> {
        self.said.records += records.len() as u64;
        let ids: Vec<Uuid> = records.iter().map(|record| record.id().uuid()).collect();
        let mut last = self.last_changes(&ids).await?;
        for record in records {
            let (table, row) = (table_of(record.id().noun()), record.id().to_global());
            if record.version() > self.version {
                let message = format!("its version is {}, and the last changeset {}", record.version(), self.version);
                self.said.add(table, row.clone(), "VERSION", message, MEND);
            }
            let Some(change) = last.remove(&record.id().uuid()) else {
                self.said.add(table, row, "UNLOGGED", "no changeset made it", MEND);
                continue;
            };
            let number = change.changeset_number;
            let logged = change.after.as_deref().map(|json| Record::from_json(change.noun, json));
            match logged {
                Some(Ok(logged)) if logged == *record => {}
                Some(Ok(_)) => {
                    let message =
                        format!("it is not what changeset {number}, the last one that changed it, made of it");
                    self.said.add(table, row, "DIFFERENT", message, MEND);
                }
                Some(Err(_)) => {
                    let message = format!("what changeset {number} says that it made of it cannot be read");
                    self.said.add(table, row, "DIFFERENT", message, MEND);
                }
                None => {
                    let message = format!("changeset {number} deleted it, and it is there");
                    self.said.add(table, row, "UNLOGGED", message, MEND);
                }
            }
        }
        Ok(())
    }

    /// The last change of each of these records.
    async fn last_changes(&self, ids: &[Uuid]) -> Result<HashMap<Uuid, change::Model>> {
        if ids.is_empty() {
            return Ok(HashMap::new());
        }
        let backend = self.transaction.get_database_backend();
        let sql = format!(
            "SELECT change.* FROM change WHERE record_id IN ({}) AND NOT EXISTS (SELECT 1 FROM change AS later WHERE \
             later.record_id = change.record_id AND (later.changeset_number, later.position) > \
             (change.changeset_number, change.position))",
            places(backend, ids.len())
        );
        let statement = Statement::from_sql_and_values(backend, sql, ids.iter().map(|id| (*id).into()));
        // One that cannot be read is told where the log is looked at.
        let rows = change::Entity::find().from_raw_sql(statement).all(&self.transaction).await.unwrap_or_default();
        Ok(rows.into_iter().map(|row| (row.record_id, row)).collect())
    }

    /// Which of some ids stand in a column of a table.
    pub(super) async fn there(&self, table: &str, column: &str, ids: &[Uuid]) -> Result<HashSet<Uuid>> {
        let mut there = HashSet::new();
        let backend = self.transaction.get_database_backend();
        for ids in ids.chunks(1_000) {
            let sql =
                format!("SELECT \"{column}\" FROM \"{table}\" WHERE \"{column}\" IN ({})", places(backend, ids.len()));
            let statement = Statement::from_sql_and_values(backend, sql, ids.iter().map(|id| (*id).into()));
            for row in self.transaction.query_all_raw(statement).await? {
                there.insert(row.try_get_by_index(0)?);
            }
        }
        Ok(there)
    }
}

/// The places of so many values.
fn places(backend: DbBackend, count: usize) -> String {
    let place = |at| if backend == DbBackend::Postgres { format!("${at}") } else { "?".to_owned() };
    (1..=count).map(place).collect::<Vec<_>>().join(", ")
}
