//! Who was erased in a directory whose place a backup has taken, and may be in another backup.

use sea_orm_migration::prelude::*;
use sea_orm_migration::schema::{text, uuid};

#[derive(DeriveMigrationName)]
pub(crate) struct Migration;

#[async_trait::async_trait]
impl MigrationTrait for Migration {
    fn use_transaction(&self) -> Option<bool> {
        Some(true)
    }

    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        let table = Table::create()
            .table("erased_record")
            .col(text("noun"))
            .col(uuid("record_id"))
            .primary_key(Index::create().col("noun").col("record_id"))
            .to_owned();
        manager.create_table(table).await
    }

    async fn down(&self, _manager: &SchemaManager) -> Result<(), DbErr> {
        Err(DbErr::Migration("what was erased stays erased".into()))
    }
}
