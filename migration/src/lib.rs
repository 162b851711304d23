//! The history of Roster's database schema: frozen steps, each in a transaction of its own.
//!
//! A step never imports `entity`: rows move on, history does not.

pub use sea_orm_migration::prelude::{MigrationTrait, MigratorTrait};

mod m20261122_000001_directory;
mod m20261122_000002_undo;
mod m20261122_000003_import_draft;
mod m20261122_000004_draft_of_org_units;
mod m20261122_000005_org_unit_origin;
mod m20261122_000006_integration_run;
mod m20261122_000007_merge;
mod m20261122_000008_association_rules;
mod m20261122_000009_merge_decision;
mod m20261122_000010_token;
mod m20261122_000011_private_attribute;
mod m20261122_000012_chain;
mod m20261122_000013_erasure;
mod m20261122_000014_erased_record;

/// All steps, oldest first.
#[derive(Debug)]
pub struct Migrator;

impl MigratorTrait for Migrator {
    fn migrations() -> Vec<Box<dyn MigrationTrait>> {
        vec![
            Box::new(m20261122_000001_directory::Migration),
            Box::new(m20261122_000002_undo::Migration),
            Box::new(m20261122_000003_import_draft::Migration),
            Box::new(m20261122_000004_draft_of_org_units::Migration),
            Box::new(m20261122_000005_org_unit_origin::Migration),
            Box::new(m20261122_000006_integration_run::Migration),
            Box::new(m20261122_000007_merge::Migration),
            Box::new(m20261122_000008_association_rules::Migration),
            Box::new(m20261122_000009_merge_decision::Migration),
            Box::new(m20261122_000010_token::Migration),
            Box::new(m20261122_000011_private_attribute::Migration),
            Box::new(m20261122_000012_chain::Migration),
            Box::new(m20261122_000013_erasure::Migration),
            Box::new(m20261122_000014_erased_record::Migration),
        ]
    }
}
