//! Tokens that programs and people call the API with.

use sea_orm_migration::prelude::*;
use sea_orm_migration::schema::{text, timestamp_with_time_zone, uuid};

#[derive(DeriveMigrationName)]
pub(crate) struct Migration;

#[async_trait::async_trait]
impl MigrationTrait for Migration {
    fn use_transaction(&self) -> Option<bool> {
        Some(true)
    }

    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        let mut token = Table::create();
        token
            .table("token")
            .col(uuid("id").primary_key())
            .col(text("name"))
            .col(text("role"))
            .col(ColumnDef::new("hash").blob().not_null().unique_key())
            .col(text("created_by"))
            .col(timestamp_with_time_zone("created_at"))
            .col(timestamp_with_time_zone("expires_at").null())
            .col(timestamp_with_time_zone("revoked_at").null())
            .col(text("revoked_by").null())
            .col(timestamp_with_time_zone("last_used_at").null());
        manager.create_table(token).await
    }

    async fn down(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        manager.drop_table(Table::drop().table("token").to_owned()).await
    }
}
