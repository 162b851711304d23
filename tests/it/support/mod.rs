//! What tests share: a database each, a named cast, and ways to see all that a directory holds.

mod ask;
mod cast;
mod client;
mod database;
mod dump;
mod http;
mod invariants;
mod issuer;
mod node;
mod process;
mod random;
mod script;
mod tool;

pub(crate) use ask::{Asker, Root, innermost};
pub(crate) use cast::{Cast, cast};
pub(crate) use client::Client;
pub(crate) use database::{
    Site, check_log, check_sqlite, goes_on, has, on_both, on_each, on_empty_places, on_places, on_sqlite, query_sql,
    run_sql, say_skipped, size,
};
pub(crate) use dump::{answers, export, export_as, records, tables};
pub(crate) use http::{Events, Server, limits};
pub(crate) use issuer::{Issuer, Signer, encode};
pub(crate) use node::{node, node_in};
pub(crate) use process::{Answer, Ended, Home, Served, ended, in_each_home, repository};
pub(crate) use random::Random;
pub(crate) use script::{
    account, attribute, file, filter, import, integration, me, new_unit, problems, unit, user, user_of, violations,
};
pub(crate) use tool::{Tool, commit_by, tool_user};
