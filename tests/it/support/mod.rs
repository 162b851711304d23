//! What tests share: a database each, a named cast, and ways to see all that a directory holds.

mod cast;
mod database;
mod dump;
mod http;
mod invariants;
mod process;
mod script;

pub(crate) use cast::{Cast, cast};
pub(crate) use database::{Site, is_required, on_both, on_each, on_empty_places, on_places, on_sqlite, say_skipped};
pub(crate) use dump::{answers, export, tables};
pub(crate) use http::Server;
pub(crate) use process::{Ended, Home, Served, ended, in_each_home, repository};
pub(crate) use script::{
    account, attribute, file, filter, import, integration, me, new_unit, problems, unit, user, user_of, violations,
};
