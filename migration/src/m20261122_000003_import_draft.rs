//! Imports that are read and compared before they are applied, remembered mappings of columns, and a short way to further
//! emails.

use sea_orm_migration::prelude::*;
use sea_orm_migration::schema::{big_integer, boolean, integer, text, timestamp_with_time_zone, uuid};

#[derive(DeriveMigrationName)]
pub(crate) struct Migration;

fn table(name: &'static str) -> TableCreateStatement {
    Table::create().table(name).to_owned()
}

fn part_of_draft(table: &'static str) -> ForeignKeyCreateStatement {
    ForeignKey::create()
        .from(table, "draft_id")
        .to("import_draft", "id")
        .on_delete(ForeignKeyAction::Cascade)
        .to_owned()
}

#[async_trait::async_trait]
impl MigrationTrait for Migration {
    fn use_transaction(&self) -> Option<bool> {
        Some(true)
    }

    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        let tables = [
            table("import_draft")
                .col(uuid("id").primary_key())
                .col(text("state"))
                .col(text("actor"))
                .col(text("client_mutation_id").null().unique_key())
                .col(text("file_name"))
                .col(big_integer("file_bytes"))
                .col(text("file_sha256"))
                .col(text("options"))
                .col(text("report").null())
                .col(text("message").null())
                .col(big_integer("base_version").null())
                .col(big_integer("applied_version").null())
                .col(big_integer("rows_done"))
                .col(big_integer("rows_total"))
                .col(uuid("worker").null())
                .col(timestamp_with_time_zone("leased_until").null())
                .col(integer("attempts"))
                .col(timestamp_with_time_zone("created_at"))
                .col(timestamp_with_time_zone("updated_at"))
                .to_owned(),
            table("import_draft_chunk")
                .col(uuid("draft_id"))
                .col(big_integer("position"))
                .col(ColumnDef::new("bytes").blob().not_null())
                .primary_key(Index::create().col("draft_id").col("position"))
                .foreign_key(&mut part_of_draft("import_draft_chunk"))
                .to_owned(),
            table("import_draft_change")
                .col(uuid("draft_id"))
                .col(big_integer("position"))
                .col(text("kind"))
                .col(text("change"))
                .primary_key(Index::create().col("draft_id").col("position"))
                .foreign_key(&mut part_of_draft("import_draft_change"))
                .to_owned(),
            table("import_draft_problem")
                .col(uuid("draft_id"))
                .col(boolean("is_error"))
                .col(big_integer("position"))
                .col(big_integer("line"))
                .col(text("problem"))
                .primary_key(Index::create().col("draft_id").col("is_error").col("position"))
                .foreign_key(&mut part_of_draft("import_draft_problem"))
                .to_owned(),
            table("column_mapping")
                .col(text("name_key").primary_key())
                .col(text("name"))
                .col(text("mapping"))
                .col(timestamp_with_time_zone("updated_at"))
                .to_owned(),
        ];
        for table in tables {
            manager.create_table(table).await?;
        }
        let by_kind = Index::create()
            .name("import_draft_change_kind")
            .table("import_draft_change")
            .col("draft_id")
            .col("kind")
            .col("position")
            .to_owned();
        manager.create_index(by_kind).await?;
        // Few users have further emails, and each user that is read is asked for them.
        let further = Index::create()
            .name("user_email_further")
            .table("user_email")
            .col("user_id")
            .and_where(Expr::col("is_primary").not())
            .to_owned();
        manager.create_index(further).await
    }

    async fn down(&self, _manager: &SchemaManager) -> Result<(), DbErr> {
        Err(DbErr::Migration("drafts are not taken out again".into()))
    }
}
