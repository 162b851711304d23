//! CSV. How a file of users is read into cells and written from them; of org units: `unit`.
//!
//! A file goes through three steps, each of which knows nothing of the next: bytes become text in which every byte was
//! understood (`decode`), text becomes rows with true line numbers ([`Reader`]), and the header row becomes a target for
//! every column ([`Columns`]). What is wrong is data: a [`Problem`] names the line, the column and the way to mend it.
//! The way back is [`Writer`]. What single cells need, formula safety and lists of accounts, is in [`cell`].
//!
//! All of it is pure and synchronous. What does not live here: what values mean (`crate::value`), which users the rows
//! stand for, the database.

pub mod cell;
mod change;
mod claim;
mod compare;
mod decode;
mod doubt;
mod errors;
mod export;
mod header;
mod heir;
mod import;
mod known;
mod layout;
mod lines;
mod links;
mod parameters;
mod plan;
mod problem;
mod read;
mod reference;
mod rename;
mod rows;
mod scan;
mod spelling;
mod template;
mod unit;
mod write;

pub use change::{CellChange, ChangeKind, RowChange};
pub(in crate::directory) use compare::{Outcome, Output, Source};
pub use decode::Encoding;
pub use errors::write_error_rows;
pub use export::{Export, ExportOptions};
pub use header::{ColumnSource, Columns, Mapping, Target};
pub use import::{ImportMode, ImportOptions, ImportReport};
pub(in crate::directory) use import::{compare_file, settle};
pub use layout::split_columns;
pub use links::LinksExport;
pub(in crate::directory) use plan::Step;
pub use problem::{Problem, Problems};
pub use read::{Detected, Limits, Options, Reader};
pub use scan::Row;
pub use unit::OrgUnitColumn;
pub use write::{Delimiter, Style, Writer};

#[cfg(test)]
mod tests;
