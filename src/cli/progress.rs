//! Bars and counters on standard error, where it is a terminal.

use std::io::IsTerminal;

use indicatif::{ProgressBar, ProgressStyle};

/// A bar for work of `total` items; a counter where nobody knows how many.
pub(super) fn bar(total: Option<u64>, template: &str) -> ProgressBar {
    let bar = match total {
        _ if !std::io::stderr().is_terminal() => ProgressBar::hidden(),
        Some(total) => ProgressBar::new(total),
        None => ProgressBar::new_spinner(),
    };
    bar.with_style(ProgressStyle::with_template(template).unwrap_or_else(|_| ProgressStyle::default_bar()))
}

/// How a bar looks.
pub(super) const BAR: &str = "{msg:12} {wide_bar} {human_pos}/{human_len} {eta:>4}";

/// How a counter looks.
pub(super) const COUNTER: &str = "{spinner} {human_pos} {msg} {elapsed:>4}";
