//! The promises of Roster, one file each, in one binary: one binary compiles and links once.

#![expect(clippy::unwrap_used, clippy::panic, reason = "a test that cannot go on says so at once")]
#![expect(clippy::needless_pass_by_value, reason = "closures and JSON are written where they are used")]

mod support; // a database for each test, the cast, and ways to see what a directory holds

mod association; // whose an account is, what a person says, users that come and go with accounts
mod cases; // runs tests/cases/**.graphql; add a file there rather than a test here
mod conflicts; // writers in each other's way, and records that others need
mod contract; // what is promised in writing: the schema, the codes, the settings, how the code is arranged
mod devlake; // the example that another tool tests its association with
mod download; // files over a socket: whole, cut off, and read slowly
mod draft; // imports that are compared first: what a draft says is what applying it does, or it is refused
mod draft_jobs; // drafts that another process has left
mod draft_properties; // a draft says exactly what was edited, and does that or is refused
mod export; // what an export can be asked for, and what can be trusted of it
mod history; // the log, and the indexes of several processes that follow it
mod hostile; // files that are wrong in every way: what an import says of each
mod hris; // the HR export of a customer: the figures that must come out of two months of it
mod import; // what an import refuses, and what it does with what it takes
mod kill; // nothing is half applied and nothing left behind, whatever stops the process
mod limits; // databases that cannot be used, and starts that collide
mod program; // the program itself: what it says, takes, and how it ends
mod readme; // what README.md and docs/ show is done as it stands there
mod round_trip; // import(export(x)) changes nothing
mod soak; // what `make soak` does: the same as `kill`, longer, and the memory of large files
mod statements; // how many statements operations send
mod subscription; // what clients hear of as it happens, and over which protocols
mod undo; // undo puts back what a changeset changed, and what differs between versions
mod unit_csv; // org units as files: their trees, what is refused, and import(export(x))
mod walkthrough; // the seven steps, with the program itself
