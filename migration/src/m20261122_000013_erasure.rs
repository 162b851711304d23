//! Erasure: which rows of the log were rewritten by which changeset, and what their digests are since.

use sea_orm_migration::prelude::*;
use sea_orm_migration::schema::big_integer;

#[derive(DeriveMigrationName)]
pub(crate) struct Migration;

#[async_trait::async_trait]
impl MigrationTrait for Migration {
    fn use_transaction(&self) -> Option<bool> {
        Some(true)
    }

    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        let table = Table::create()
            .table("erased_change")
            .col(big_integer("erasure"))
            .col(big_integer("changeset_number"))
            .col(big_integer("position"))
            .col(ColumnDef::new("digest").blob().not_null())
            .primary_key(Index::create().col("erasure").col("changeset_number").col("position"))
            .to_owned();
        manager.create_table(table).await?;
        let mut place = Index::create();
        place.name("erased_change_place").table("erased_change").col("changeset_number").col("position");
        manager.create_index(place).await
    }

    async fn down(&self, _manager: &SchemaManager) -> Result<(), DbErr> {
        Err(DbErr::Migration("what was erased stays erased".into()))
    }
}
