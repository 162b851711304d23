//! The rows of Roster's tables: one file a table, plain data, no logic.
//!
//! What does not live here: validation, queries, the shape of the API.

pub mod attribute;
pub mod change;
pub mod changeset;
pub mod id;
pub mod integration;
pub mod integration_account;
pub mod org_unit;
pub mod org_unit_pin;
pub mod user;
pub mod user_email;

pub use id::{AttributeId, IntegrationAccountId, IntegrationId, OrgUnitId, UserId};
