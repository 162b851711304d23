//! The rows of Roster's tables: one file a table, plain data, no logic.
//!
//! What does not live here: validation, queries, the shape of the API.

pub mod association_rules;
pub mod attribute;
pub mod change;
pub mod changeset;
pub mod column_mapping;
pub mod erased_change;
pub mod erased_record;
pub mod id;
pub mod import_draft;
pub mod import_draft_change;
pub mod import_draft_chunk;
pub mod import_draft_problem;
pub mod integration;
pub mod integration_account;
pub mod integration_credential;
pub mod integration_run;
pub mod integration_state;
pub mod merge_decision;
pub mod org_unit;
pub mod org_unit_pin;
mod sorted;
pub mod token;
pub mod user;
pub mod user_email;
pub mod user_merged_id;

pub use id::{
    AssociationRulesId, AttributeId, ImportDraftId, IntegrationAccountId, IntegrationId, IntegrationRunId, OrgUnitId,
    TokenId, UserId,
};
