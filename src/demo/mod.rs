//! DEMO. A made-up organisation of any size, the same for the same size and seed: to look at, and to measure with.
//!
//! Everything about a user is reckoned from the user's number, the size and the seed, so that nothing is kept however
//! many there are. It fills a directory through the directory's own verbs: an import, syncs, org units one by one.
//!
//! What does not live here: any other way into the directory, the clock, chance.

mod accounts;
mod fill;
mod names;
mod org_units;
mod organisation;
mod progress;
mod random;
mod user;

pub use accounts::{TOOLS, accounts};
pub use fill::{FillError, Filled, Progress, Step, fill};
pub(crate) use progress::watch;

use std::io::{self, Write};

use crate::directory::csv::{Style, Writer};
use user::{HEADINGS, Population};

/// Writes a file of `users` made-up users: their names, emails and custom values, a row each, supervisors before those
/// who report to them. Each row is one write.
///
/// # Errors
/// Those of `to`.
pub fn write_users_csv(users: u64, seed: u64, to: impl Write) -> io::Result<()> {
    let population = Population::new(users, seed);
    let mut writer = Writer::open(to, Style::default(), HEADINGS)?;
    for user in 0..users {
        writer.write_row(population.cells(user).iter().map(String::as_str))?;
    }
    writer.finish()?;
    Ok(())
}

#[cfg(test)]
mod tests;
