//! Association: the rules that can be chosen, and what decided of each account.

use sea_orm_migration::prelude::*;
use sea_orm_migration::schema::{big_integer, json_binary, timestamp_with_time_zone, uuid};

#[derive(DeriveMigrationName)]
pub(crate) struct Migration;

#[async_trait::async_trait]
impl MigrationTrait for Migration {
    fn use_transaction(&self) -> Option<bool> {
        Some(true)
    }

    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        // Without a row the rules are as they have always been.
        let mut rules = Table::create();
        rules
            .table("association_rules")
            .col(uuid("id").primary_key())
            .col(json_binary("rules"))
            .col(big_integer("version"))
            .col(timestamp_with_time_zone("created_at"))
            .col(timestamp_with_time_zone("updated_at"));
        manager.create_table(rules).await?;
        let evidence = ColumnDef::new("evidence").text().null().to_owned();
        manager.alter_table(Table::alter().table("integration_account").add_column(evidence).to_owned()).await
    }

    async fn down(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        manager.drop_table(Table::drop().table("association_rules").to_owned()).await?;
        manager.alter_table(Table::alter().table("integration_account").drop_column("evidence").to_owned()).await
    }
}
