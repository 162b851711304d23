//! What people decided of suggested merges.

use sea_orm_migration::prelude::*;
use sea_orm_migration::schema::{big_integer_null, text, timestamp_with_time_zone};

#[derive(DeriveMigrationName)]
pub(crate) struct Migration;

#[async_trait::async_trait]
impl MigrationTrait for Migration {
    fn use_transaction(&self) -> Option<bool> {
        Some(true)
    }

    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        let table = Table::create()
            .table("merge_decision")
            .col(text("low"))
            .col(text("high"))
            .col(text("decision"))
            .col(text("decided_by"))
            .col(timestamp_with_time_zone("decided_at"))
            .col(big_integer_null("changeset_number"))
            .primary_key(Index::create().col("low").col("high"))
            .to_owned();
        manager.create_table(table).await?;
        // Lists are of one decision, the latest first.
        let listed = Index::create()
            .name("merge_decision_listed")
            .table("merge_decision")
            .col("decision")
            .col("decided_at")
            .to_owned();
        manager.create_index(listed).await?;
        let undone =
            Index::create().name("merge_decision_changeset").table("merge_decision").col("changeset_number").to_owned();
        manager.create_index(undone).await
    }

    async fn down(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        manager.drop_table(Table::drop().table("merge_decision").to_owned()).await
    }
}
