//! The rows of Roster's tables: one file a table, plain data, no logic.
//!
//! What does not live here: validation, queries, the shape of the API.

pub mod attribute;
pub mod change;
pub mod changeset;
pub mod column_mapping;
pub mod id;
pub mod import_draft;
pub mod import_draft_change;
pub mod import_draft_chunk;
pub mod import_draft_problem;
pub mod integration;
pub mod integration_account;
pub mod org_unit;
pub mod org_unit_pin;
pub mod user;
pub mod user_email;

pub use id::{AttributeId, ImportDraftId, IntegrationAccountId, IntegrationId, OrgUnitId, UserId};
