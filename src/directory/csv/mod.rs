//! CSV. How a file of users is read into cells and written from them.
//!
//! A file goes through three steps, each of which knows nothing of the next: bytes become text in which every byte was
//! understood (`decode`), text becomes rows with true line numbers ([`Reader`]), and the header row becomes a target for
//! every column ([`Columns`]). What is wrong is data: a [`Problem`] names the line, the column and the way to mend it.
//! The way back is [`Writer`]. What single cells need, formula safety and lists of accounts, is in [`cell`].
//!
//! All of it is pure and synchronous. What does not live here: what values mean (`crate::value`), which users the rows
//! stand for, the database.

pub mod cell;
mod claim;
mod decode;
mod export;
mod header;
mod import;
mod plan;
mod problem;
mod read;
mod rows;
mod scan;
mod write;

pub use decode::Encoding;
pub use export::Export;
pub use header::{Columns, Mapping, Source, Target};
pub use import::{ImportMode, ImportOptions, ImportReport, Problems};
pub use problem::Problem;
pub use read::{Detected, Limits, Options, Reader};
pub use scan::Row;
pub use write::{Style, Writer};

#[cfg(test)]
mod tests;
