//! The directory: users, attributes, accounts, org units, and the log of changesets.

use sea_orm_migration::prelude::*;
use sea_orm_migration::schema::{big_integer, boolean, integer, json_binary, text, timestamp_with_time_zone, uuid};

#[derive(DeriveMigrationName)]
pub(crate) struct Migration;

fn table(name: &'static str) -> TableCreateStatement {
    Table::create().table(name).to_owned()
}

fn versioned(table: &mut TableCreateStatement) -> &mut TableCreateStatement {
    table
        .col(big_integer("version"))
        .col(timestamp_with_time_zone("created_at"))
        .col(timestamp_with_time_zone("updated_at"))
}

fn foreign_key(
    from: (&'static str, &'static str),
    to: &'static str,
    action: ForeignKeyAction,
) -> ForeignKeyCreateStatement {
    ForeignKey::create().from(from.0, from.1).to(to, "id").on_delete(action).to_owned()
}

fn index(name: &'static str, table: &'static str, columns: &[&'static str]) -> IndexCreateStatement {
    let mut index = Index::create().name(name).table(table).to_owned();
    for column in columns {
        index.col(*column);
    }
    index
}

#[async_trait::async_trait]
impl MigrationTrait for Migration {
    fn use_transaction(&self) -> Option<bool> {
        Some(true)
    }

    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        let tables = [
            versioned(
                table("user")
                    .col(uuid("id").primary_key())
                    .col(text("name"))
                    .col(text("email"))
                    .col(json_binary("attributes"))
                    .col(boolean("is_automatic")),
            )
            .to_owned(),
            table("user_email")
                .col(text("email").primary_key())
                .col(uuid("user_id"))
                .col(boolean("is_primary"))
                .foreign_key(&mut foreign_key(("user_email", "user_id"), "user", ForeignKeyAction::Cascade))
                .to_owned(),
            versioned(
                table("attribute")
                    .col(uuid("id").primary_key())
                    .col(text("key").unique_key())
                    .col(text("title"))
                    .col(text("title_key").unique_key())
                    .col(text("description"))
                    .col(text("type"))
                    .col(json_binary("options"))
                    .col(boolean("is_required"))
                    .col(boolean("is_unique"))
                    .col(boolean("is_built_in"))
                    .col(integer("position")),
            )
            .to_owned(),
            versioned(
                table("integration")
                    .col(uuid("id").primary_key())
                    .col(text("kind"))
                    .col(text("name"))
                    .col(text("name_key").unique_key()),
            )
            .to_owned(),
            versioned(
                table("integration_account")
                    .col(uuid("id").primary_key())
                    .col(uuid("integration_id"))
                    .col(text("external_id").null())
                    .col(text("username").null())
                    .col(text("email").null())
                    .col(text("display_name").null())
                    .col(boolean("is_bot"))
                    .col(text("status"))
                    .col(uuid("user_id").null())
                    .col(text("rule"))
                    .col(text("associated_by"))
                    .col(timestamp_with_time_zone("associated_at"))
                    .foreign_key(&mut foreign_key(
                        ("integration_account", "integration_id"),
                        "integration",
                        ForeignKeyAction::Restrict,
                    ))
                    .foreign_key(&mut foreign_key(
                        ("integration_account", "user_id"),
                        "user",
                        ForeignKeyAction::Restrict,
                    )),
            )
            .to_owned(),
            versioned(
                table("org_unit")
                    .col(uuid("id").primary_key())
                    .col(uuid("parent_id").null())
                    .col(text("name"))
                    .col(text("name_key"))
                    .col(text("description"))
                    .col(text("scope"))
                    .col(json_binary("filter").null())
                    .foreign_key(&mut foreign_key(("org_unit", "parent_id"), "org_unit", ForeignKeyAction::Restrict)),
            )
            .to_owned(),
            table("org_unit_pin")
                .col(uuid("org_unit_id"))
                .col(uuid("user_id"))
                .col(boolean("is_member"))
                .primary_key(Index::create().col("org_unit_id").col("user_id"))
                .foreign_key(&mut foreign_key(("org_unit_pin", "org_unit_id"), "org_unit", ForeignKeyAction::Cascade))
                .foreign_key(&mut foreign_key(("org_unit_pin", "user_id"), "user", ForeignKeyAction::Restrict))
                .to_owned(),
            table("changeset")
                .col(big_integer("number").primary_key())
                .col(text("kind"))
                .col(text("actor"))
                .col(big_integer("change_count"))
                .col(timestamp_with_time_zone("created_at"))
                .to_owned(),
            table("change")
                .col(big_integer("changeset_number"))
                .col(big_integer("position"))
                .col(text("noun"))
                .col(uuid("record_id"))
                .col(text("before").null())
                .col(text("after").null())
                .primary_key(Index::create().col("changeset_number").col("position"))
                .to_owned(),
        ];
        for table in tables {
            manager.create_table(table).await?;
        }
        let indexes = [
            index("user_email_user", "user_email", &["user_id"]),
            index("integration_account_external", "integration_account", &["integration_id", "external_id"])
                .unique()
                .to_owned(),
            index("integration_account_user", "integration_account", &["user_id"]),
            index("integration_account_email", "integration_account", &["email"]),
            index("org_unit_name", "org_unit", &["parent_id", "name_key"]).unique().to_owned(),
            // Two roots have no parent in common, and NULLs never clash: their names need an index of their own.
            index("org_unit_root_name", "org_unit", &["name_key"])
                .unique()
                .and_where(Expr::col("parent_id").is_null())
                .to_owned(),
            index("org_unit_pin_user", "org_unit_pin", &["user_id"]),
            index("change_record", "change", &["record_id", "changeset_number"]),
        ];
        for index in indexes {
            manager.create_index(index).await?;
        }
        Ok(())
    }

    async fn down(&self, _manager: &SchemaManager) -> Result<(), DbErr> {
        Err(DbErr::Migration("the first step has nothing to go back to".into()))
    }
}
