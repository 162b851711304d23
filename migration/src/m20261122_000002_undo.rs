//! Undo: which changeset another one has undone.

use sea_orm_migration::prelude::*;

#[derive(DeriveMigrationName)]
pub(crate) struct Migration;

#[async_trait::async_trait]
impl MigrationTrait for Migration {
    fn use_transaction(&self) -> Option<bool> {
        Some(true)
    }

    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        let column = ColumnDef::new("undoes").big_integer().null().to_owned();
        manager.alter_table(Table::alter().table("changeset").add_column(column).to_owned()).await?;
        // Nearly all changesets undo nothing, and need no entry.
        let mut index = Index::create();
        index.name("changeset_undoes").table("changeset").col("undoes").and_where(Expr::col("undoes").is_not_null());
        manager.create_index(index).await
    }

    async fn down(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        manager.drop_index(Index::drop().name("changeset_undoes").table("changeset").to_owned()).await?;
        manager.alter_table(Table::alter().table("changeset").drop_column("undoes").to_owned()).await
    }
}
