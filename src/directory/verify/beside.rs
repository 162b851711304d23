//! What refers to what is not there, and the tables beside the directory: drafts, runs, credentials, decisions.

use entity::{
    column_mapping, erased_record, import_draft, import_draft_change, import_draft_chunk, import_draft_problem,
    integration_credential, integration_run, integration_state, merge_decision, token,
};
use sea_orm::{ConnectionTrait, Statement};

use super::rows::{Rows, as_text, shown};
use super::{Result, Verify};

/// A column that names a row of another table.
struct Reference {
    table: &'static str,
    /// The table's key.
    key: &'static [&'static str],
    column: &'static str,
    to: (&'static str, &'static str),
    mend: &'static str,
}

const fn reference(
    table: &'static str,
    key: &'static [&'static str],
    column: &'static str,
    to: (&'static str, &'static str),
    mend: &'static str,
) -> Reference {
    Reference { table, key, column, to, mend }
}

const TAKE_OUT: &str = "delete the row, or restore the last backup that is sound";
const EMPTY: &str = "empty the column, or restore the last backup that is sound";
const RESTORE: &str = "restore the last backup that is sound";

const REFERENCES: &[Reference] = &[
    reference("user_email", &["email"], "user_id", ("user", "id"), TAKE_OUT),
    reference("user_merged_id", &["merged_id"], "user_id", ("user", "id"), TAKE_OUT),
    reference("integration_account", &["id"], "user_id", ("user", "id"), EMPTY),
    reference("integration_account", &["id"], "integration_id", ("integration", "id"), RESTORE),
    reference("org_unit", &["id"], "parent_id", ("org_unit", "id"), EMPTY),
    reference("org_unit_pin", &["org_unit_id", "user_id"], "org_unit_id", ("org_unit", "id"), TAKE_OUT),
    reference("org_unit_pin", &["org_unit_id", "user_id"], "user_id", ("user", "id"), TAKE_OUT),
    reference("import_draft_chunk", &["draft_id", "position"], "draft_id", ("import_draft", "id"), TAKE_OUT),
    reference("import_draft_change", &["draft_id", "position"], "draft_id", ("import_draft", "id"), TAKE_OUT),
    reference("import_draft_problem", &["draft_id", "position"], "draft_id", ("import_draft", "id"), TAKE_OUT),
    reference("import_draft", &["id"], "applied_version", ("changeset", "number"), RESTORE),
    reference("integration_credential", &["integration_id"], "integration_id", ("integration", "id"), TAKE_OUT),
    reference("integration_state", &["integration_id"], "integration_id", ("integration", "id"), TAKE_OUT),
    reference("integration_run", &["id"], "integration_id", ("integration", "id"), TAKE_OUT),
    reference("integration_run", &["id"], "changeset_number", ("changeset", "number"), EMPTY),
    reference("merge_decision", &["low", "high"], "changeset_number", ("changeset", "number"), EMPTY),
];

impl Verify {
    /// Looks at what is left.
    pub(super) async fn beside(&mut self) -> Result<()> {
        for reference in REFERENCES {
            self.reference(reference).await?;
        }
        self.merged_ids().await?;
        self.readable::<import_draft::Entity>().await?;
        self.readable::<integration_run::Entity>().await?;
        self.readable::<import_draft_chunk::Entity>().await?;
        self.readable::<import_draft_change::Entity>().await?;
        self.readable::<import_draft_problem::Entity>().await?;
        self.readable::<integration_credential::Entity>().await?;
        self.readable::<integration_state::Entity>().await?;
        self.readable::<erased_record::Entity>().await?;
        self.readable::<token::Entity>().await?;
        self.readable::<column_mapping::Entity>().await?;
        self.readable::<merge_decision::Entity>().await
    }

    async fn reference(&mut self, reference: &Reference) -> Result<()> {
        let Reference { table, key, column, to: (other, other_key), mend } = reference;
        let backend = self.transaction.get_database_backend();
        let key: Vec<String> = key.iter().map(|column| as_text(backend, column)).collect();
        let sql = format!(
            "SELECT {} AS row FROM \"{table}\" AS own WHERE \"{column}\" IS NOT NULL AND NOT EXISTS \
             (SELECT 1 FROM \"{other}\" AS other WHERE other.\"{other_key}\" = own.\"{column}\") LIMIT 1000",
            key.join(" || '/' || ")
        );
        for row in self.transaction.query_all_raw(Statement::from_string(backend, sql)).await? {
            let row: String = row.try_get("", "row")?;
            let message = format!("its {column} names a row of {other} that is not there");
            self.said.add(table, shown(table, &row), "ORPHAN", message, mend);
        }
        Ok(())
    }

    /// Ids that stand for a user, and are another's own.
    async fn merged_ids(&mut self) -> Result<()> {
        let backend = self.transaction.get_database_backend();
        let sql = format!(
            "SELECT {} AS row FROM user_merged_id WHERE EXISTS (SELECT 1 FROM \"user\" WHERE \"user\".id = merged_id)",
            as_text(backend, "merged_id")
        );
        for row in self.transaction.query_all_raw(Statement::from_string(backend, sql)).await? {
            let row: String = row.try_get("", "row")?;
            let message = "it is the id of a user who is there, and stands for another";
            self.said.add("user_merged_id", shown("user", &row), "MERGED", message, TAKE_OUT);
        }
        Ok(())
    }

    /// Reads a table that has nothing to look at but that it can be read.
    async fn readable<E: sea_orm::EntityTrait>(&mut self) -> Result<()> {
        let mut rows = Rows::<E>::all();
        while !rows.next(self).await?.is_empty() {}
        Ok(())
    }
}
