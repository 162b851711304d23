//! Merging: the ids that users had who became part of others; and what people say of a user: locked, reviewed.

use sea_orm_migration::prelude::*;
use sea_orm_migration::schema::uuid;

#[derive(DeriveMigrationName)]
pub(crate) struct Migration;

#[async_trait::async_trait]
impl MigrationTrait for Migration {
    fn use_transaction(&self) -> Option<bool> {
        Some(true)
    }

    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        let columns = [
            ColumnDef::new("is_locked").boolean().not_null().default(false).to_owned(),
            ColumnDef::new("reviewed_at").timestamp_with_time_zone().null().to_owned(),
            ColumnDef::new("reviewed_by").text().null().to_owned(),
        ];
        // SQLite adds one column a statement.
        for column in columns {
            manager.alter_table(Table::alter().table("user").add_column(column).to_owned()).await?;
        }
        let mut holder = ForeignKey::create();
        holder.from("user_merged_id", "user_id").to("user", "id").on_delete(ForeignKeyAction::Cascade);
        let table = Table::create()
            .table("user_merged_id")
            .col(uuid("merged_id").primary_key())
            .col(uuid("user_id"))
            .foreign_key(&mut holder)
            .to_owned();
        manager.create_table(table).await?;
        let index = Index::create().name("user_merged_id_user").table("user_merged_id").col("user_id").to_owned();
        manager.create_index(index).await?;
        // Few users are marked, and every start reads which.
        let is_marked = Expr::col("is_locked").or(Expr::col("reviewed_at").is_not_null());
        let index = Index::create().name("user_marked").table("user").col("id").and_where(is_marked).to_owned();
        manager.create_index(index).await
    }

    async fn down(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        manager.drop_index(Index::drop().name("user_marked").table("user").to_owned()).await?;
        manager.drop_table(Table::drop().table("user_merged_id").to_owned()).await?;
        for column in ["reviewed_by", "reviewed_at", "is_locked"] {
            manager.alter_table(Table::alter().table("user").drop_column(column).to_owned()).await?;
        }
        Ok(())
    }
}
