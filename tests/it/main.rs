//! The promises of Roster, one file each, in one binary: one binary compiles and links once.

// The optimised build lays out the futures of a whole query at once.
#![recursion_limit = "256"]
#![expect(clippy::unwrap_used, clippy::panic, reason = "a test that cannot go on says so at once")]
#![expect(clippy::needless_pass_by_value, reason = "closures and JSON are written where they are used")]

mod support; // a database for each test, the cast, and ways to see what a directory holds

mod association; // whose an account is, what a person says, users that come and go with accounts
mod association_rules; // the rules as they are chosen: simulated, explained, and the lists that people work through
mod away; // a database that says nothing for a while, and connections that are lost
mod backup; // backups are whole or refused, made while others write, and the same on either database
mod cases; // runs tests/cases/**.graphql; add a file there rather than a test here
mod change_preview; // a change that is tried out says what it does; values renamed, attributes retyped
mod clock; // a clock that goes back, or far ahead: what stays in order, and what expires
mod conflicts; // writers in each other's way, and records that others need
mod connector; // the accounts of tools, as they are read from servers that speak as the tools do, and from repositories
mod contract; // what is promised in writing: the schema, the codes, the settings, how the code is arranged
mod cost; // no document gives more objects than it is reckoned to cost
mod devlake; // the example that another tool tests its association with
mod disk; // a disk that is full: what is told, that nothing is half done, and that it goes on when there is room
mod download; // files over a socket: whole, cut off, and read slowly
mod draft; // imports that are compared first: what a draft says is what applying it does, or it is refused
mod draft_jobs; // drafts that another process has left
mod draft_properties; // a draft says exactly what was edited, and does that or is refused
mod dropped; // clients that go away while their request is under way
mod erase; // what is held on a person is told, and then nowhere; the log still holds
mod export; // what an export can be asked for, and what can be trusted of it
mod fuzz; // whatever bytes a client sends: the corpus of the fuzz targets, and damaged pieces of it
mod generate; // org units made of the values that users have, and kept in step with them
mod history; // the log, and the indexes of several processes that follow it
mod hostile; // files that are wrong in every way: what an import says of each
mod hris; // the HR export of a customer: the figures that must come out of two months of it
mod import; // what an import refuses, and what it does with what it takes
mod integration_run; // what runs change and refuse, whatever the tool says
mod integration_run_jobs; // runs that others have left, that are due, and that are killed
mod integration_secret; // credentials: used, and never shown
mod kill; // nothing is half applied and nothing left behind, whatever stops the process
mod limits; // databases that cannot be used, and starts that collide
mod manager; // a USER attribute makes a tree, and nobody comes to report to themselves
mod merge; // users made into one and split again, locked and reviewed; old ids, and undo
mod metrics; // what whoever watches the server is told
mod oidc; // tokens that an issuer has signed: whom they let in, and the forged ones that let in nobody
mod order; // in which order accounts are reported does not matter
mod org_unit; // the tree of org units: how deep it may be, and what its names and paths are
mod past; // the directory as it was at any version or time, and how members changed
mod private_attribute; // an attribute that is private to others does not exist, wherever one looks
mod program; // the program itself: what it says, takes, and how it ends
mod readme; // what README.md and docs/ show is done as it stands there
mod relative_dates; // days told from today: members change at midnight, and nothing else
mod roles; // what each role may ask for, by every way in
mod round_trip; // import(export(x)) changes nothing
mod slow; // clients that send and read one byte after the other
mod soak; // what `make soak` does: what others do, longer, and the memory of large files
mod statements; // how many statements operations send
mod stop; // a server that is stopped in the midst of all kinds of work
mod subscription; // what clients hear of as it happens, and over which protocols
mod suggestion; // who is probably one person, and what is decided of it
mod token; // tokens: made, shown once, revoked, and found nowhere
mod undo; // undo puts back what a changeset changed, and what differs between versions
mod unit_csv; // org units as files: their trees, what is refused, and import(export(x))
mod unit_draft; // drafts of files of org units: what a draft says of units and their members, and its undo
mod verify; // what is wrong in the database is found and named, and nothing is where nothing is
mod walkthrough; // the seven steps, with the program itself
mod whole_tree; // all org units in one answer, and counts that are of one version while others write
