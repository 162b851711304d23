//! Integrations that run: what they read and when, their credentials, and the history of their runs.

use sea_orm_migration::prelude::*;
use sea_orm_migration::schema::{big_integer, boolean, integer, text, timestamp_with_time_zone, uuid};

#[derive(DeriveMigrationName)]
pub(crate) struct Migration;

fn table(name: &'static str) -> TableCreateStatement {
    Table::create().table(name).to_owned()
}

fn part_of_integration(table: &'static str) -> ForeignKeyCreateStatement {
    ForeignKey::create()
        .from(table, "integration_id")
        .to("integration", "id")
        .on_delete(ForeignKeyAction::Cascade)
        .to_owned()
}

#[async_trait::async_trait]
impl MigrationTrait for Migration {
    fn use_transaction(&self) -> Option<bool> {
        Some(true)
    }

    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        // SQLite adds one column a statement.
        let settings = ColumnDef::new("settings").json_binary().null().to_owned();
        manager.alter_table(Table::alter().table("integration").add_column(settings).to_owned()).await?;
        let schedule = ColumnDef::new("schedule_minutes").integer().null().to_owned();
        manager.alter_table(Table::alter().table("integration").add_column(schedule).to_owned()).await?;
        let tables = [
            table("integration_credential")
                .col(uuid("integration_id").primary_key())
                .col(text("address"))
                .col(text("environment").null())
                .col(text("key_id").null())
                .col(ColumnDef::new("sealed").blob().null())
                .col(text("set_by"))
                .col(timestamp_with_time_zone("set_at"))
                .foreign_key(&mut part_of_integration("integration_credential"))
                .to_owned(),
            table("integration_state")
                .col(uuid("integration_id").primary_key())
                .col(uuid("last_run_id").null())
                .col(text("cursor").null())
                .col(text("cursor_of").null())
                .col(big_integer("cursor_version"))
                .col(integer("schedule_minutes").null())
                .col(timestamp_with_time_zone("next_at").null())
                .col(integer("failures"))
                .foreign_key(&mut part_of_integration("integration_state"))
                .to_owned(),
            table("integration_run")
                .col(uuid("id").primary_key())
                .col(uuid("integration_id"))
                .col(text("state"))
                .col(text("actor"))
                .col(boolean("is_scheduled"))
                .col(big_integer("confirm_gone").null())
                .col(big_integer("accounts_read"))
                .col(big_integer("accounts_total").null())
                .col(big_integer("requests"))
                .col(big_integer("waits"))
                .col(text("waiting").null())
                .col(text("report").null())
                .col(big_integer("changeset_number").null())
                .col(text("code").null())
                .col(text("message").null())
                .col(boolean("is_retryable"))
                .col(big_integer("gone_to_confirm").null())
                .col(uuid("worker").null())
                .col(timestamp_with_time_zone("leased_until").null())
                .col(integer("attempts"))
                .col(timestamp_with_time_zone("created_at"))
                .col(timestamp_with_time_zone("started_at").null())
                .col(timestamp_with_time_zone("updated_at"))
                .foreign_key(&mut part_of_integration("integration_run"))
                .to_owned(),
        ];
        for table in tables {
            manager.create_table(table).await?;
        }
        let mut history = Index::create();
        history.name("integration_run_history").table("integration_run").col("integration_id").col("id");
        manager.create_index(history).await?;
        let mut old = Index::create();
        old.name("integration_run_created").table("integration_run").col("created_at");
        manager.create_index(old).await?;
        // At most one run of an integration at a time.
        let mut active = Index::create();
        active
            .name("integration_run_active")
            .table("integration_run")
            .col("integration_id")
            .unique()
            .and_where(Expr::col("state").is_in(["QUEUED", "RUNNING"]));
        manager.create_index(active).await
    }

    async fn down(&self, _manager: &SchemaManager) -> Result<(), DbErr> {
        Err(DbErr::Migration("runs of integrations are not taken out again".into()))
    }
}
