//! Processes: what one weighs, and running a piece of work in one of its own.

use std::collections::HashMap;
use std::process::{Command, Stdio};

/// Megabytes of a line of a process's status: `VmRSS` now, `VmHWM` at the most.
pub(crate) fn memory(process: &str, line: &str) -> f64 {
    let status = std::fs::read_to_string(format!("/proc/{process}/status")).unwrap_or_default();
    let found = status.lines().find(|known| known.starts_with(line));
    found.and_then(|line| line.split_whitespace().nth(1)?.parse::<f64>().ok()).unwrap_or(0.0) / 1024.0
}

/// What a piece of work says it measured, by name.
pub(crate) struct Said(HashMap<String, String>);

impl Said {
    /// A text.
    pub(crate) fn text(&self, name: &str) -> &str {
        self.0.get(name).map(String::as_str).unwrap_or_default()
    }

    /// A number.
    pub(crate) fn number(&self, name: &str) -> f64 {
        self.text(name).parse().unwrap_or(f64::NAN)
    }
}

/// Says what was measured, to [`run`] in the process that waits for it.
pub(crate) fn say(name: &str, value: impl std::fmt::Display) {
    println!("{name}={value}");
}

/// Runs a piece of work in a process of its own.
pub(crate) fn run(arguments: &[&str]) -> Said {
    let begun = std::time::Instant::now();
    let program = std::env::current_exe().unwrap();
    let output = Command::new(program).args(arguments).stderr(Stdio::inherit()).output().unwrap();
    assert!(output.status.success(), "{arguments:?} failed");
    println!("{} took {:.0} s", arguments[0], begun.elapsed().as_secs_f64());
    let text = String::from_utf8(output.stdout).unwrap();
    let pairs = text.lines().filter_map(|line| line.split_once('='));
    Said(pairs.map(|(name, value)| (name.to_owned(), value.to_owned())).collect())
}
