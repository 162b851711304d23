//! Roster: a people directory for engineering insight, served over one GraphQL API.

// The layout of a query has the layouts of all its fields in it.
#![recursion_limit = "256"]

pub mod access;
pub mod cli;
pub mod config;
pub mod connector;
pub mod database;
pub mod demo;
pub mod directory;
pub mod filter;
pub mod graphql;
pub mod http;
pub mod identity;
pub mod index;
pub mod record;
pub mod serve;
pub mod stop;
pub mod telemetry;
pub mod value;
