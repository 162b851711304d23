//! The promises of Roster, one file each, in one binary: one binary compiles and links once.

#![expect(clippy::unwrap_used, clippy::panic, reason = "a test that cannot go on says so at once")]
#![expect(clippy::needless_pass_by_value, reason = "closures and JSON are written where they are used")]

mod support; // a database for each test, the cast, and ways to see what a directory holds

mod association; // whose an account is, what a person says, users that come and go with accounts
mod cases; // runs tests/cases/**.graphql; add a file there rather than a test here
mod conflicts; // writers in each other's way, and records that others need
mod contract; // what is promised in writing: the schema, the codes, the settings, how the code is arranged
mod devlake; // the example that another tool tests its association with
mod history; // the log, and the indexes of several processes that follow it
mod hris; // the HR export of a customer: the figures that must come out of two months of it
mod import; // what an import refuses, and what it does with what it takes
mod limits; // databases that cannot be used, and starts that collide
mod program; // the program itself: what it says, takes, and how it ends
mod readme; // what README.md and docs/ show is done as it stands there
mod round_trip; // import(export(x)) changes nothing
mod statements; // how many statements operations send
mod walkthrough; // the seven steps, with the program itself
