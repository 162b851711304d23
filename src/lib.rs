//! Roster: a people directory for engineering insight, served over one GraphQL API.

pub mod cli;
pub mod config;
pub mod database;
pub mod demo;
pub mod directory;
pub mod filter;
pub mod graphql;
pub mod http;
pub mod index;
pub mod record;
pub mod serve;
pub mod telemetry;
pub mod value;
