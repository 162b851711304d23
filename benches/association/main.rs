//! Who is one person: how right the suggestions are on identities of which it is known, and how fast they come.
//!
//! `ROSTER_IDENTITY_DATA` names a folder with a folder for each set of identities, each with a `truth.csv`. Without it the
//! times are measured alone. What was suggested for each set is written to `ROSTER_IDENTITY_PREDICTIONS`, else to a
//! temporary folder of the build, so that another program can score it.
#![expect(
    clippy::unwrap_used,
    clippy::print_stdout,
    clippy::disallowed_methods,
    reason = "a bench fails loudly, reads its own settings, and prints what it measured"
)]

mod quality;
mod score;
mod speed;
mod truth;

use std::path::{Path, PathBuf};

#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() {
    match std::env::var_os("ROSTER_IDENTITY_DATA") {
        Some(data) => {
            let written = std::env::var_os("ROSTER_IDENTITY_PREDICTIONS")
                .map_or_else(|| Path::new(env!("CARGO_TARGET_TMPDIR")).join("association"), PathBuf::from);
            quality::measure(Path::new(&data), &written);
        }
        None => println!("ROSTER_IDENTITY_DATA names no folder of identities with truth: only times are measured.\n"),
    }
    speed::measure();
}
