//! A file of org units: one row a unit, compared with the directory and applied as a file of users is.
//!
//! `header` finds what its columns hold, `rows` reads whose each row is and where it puts it, `tree` works out where
//! every unit stands afterwards, `compare` what that changes, and `check` what the tree as a whole must hold to. `cells`
//! reads and shows single cells, `path` the names from a root down. `export` goes the other way.
//!
//! What does not live here: reading a file into rows, problems and reports, which are those of a file of users.

mod cells;
mod check;
mod compare;
mod export;
mod header;
mod path;
mod rows;
mod tree;

pub(super) use compare::{compare_units, unit_limits};
pub use header::Column as OrgUnitColumn;

#[cfg(test)]
mod tests;
