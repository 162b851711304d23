//! The long form of `kill`, of random drafts and of imports that race, the memory that large files take, and a database that
//! restarts. `make soak` says how large; without that nothing is done here.

mod memory;
mod random;
mod restart;

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::process::Command;
use std::time::Instant;

use crate::kill::{Figures, Rig, WAYS};
use crate::support::{Home, check_log, check_sqlite, in_each_home, say_skipped, size};

/// Kills of one directory: its log becomes longer with each.
const KILLS: usize = 20;

/// A size that `make soak` sets.
fn wanted(name: &str) -> Option<usize> {
    let size = size(name);
    if size.is_none() {
        say_skipped(&format!("make soak ({name})"));
    }
    size
}

/// Prints a line of a table.
#[expect(clippy::print_stdout, reason = "the figures are what was asked for")]
fn row(cells: &[&str]) {
    println!("| {} |", cells.join(" | "));
}

fn kind(home: &Home) -> &'static str {
    if home.database_url().starts_with("sqlite:") { "SQLite" } else { "PostgreSQL" }
}

fn tell(figures: &Figures, what: &str, begun: Instant) {
    let Figures { kills, before, after, restart } = figures;
    let outcome = format!("{kills} kills: {before} as before, {after} as after, 0 half applied, 0 files left");
    row(&[what, &outcome, &format!("ready again within {restart:.1?}"), &format!("{:.0?}", begun.elapsed())]);
}

/// What can be checked of the database without knowing what it is for.
fn check_database(home: &Home) {
    if kind(home) == "SQLite" {
        check_sqlite(&home.database_url());
    }
}

#[test]
fn killed_imports() {
    let (Some(kills), Some(rows)) = (wanted("SOAK_KILLS"), wanted("SOAK_ROWS")) else { return };
    let begun = Instant::now();
    let all: RefCell<BTreeMap<_, Figures>> = RefCell::default();
    let mut left = kills;
    while left > 0 {
        let some = left.min(KILLS);
        in_each_home(|home| {
            let mut rig = Rig::begin(home, rows);
            for kill in 0..some {
                rig.kill(WAYS[kill % WAYS.len()]);
                check_database(home);
            }
            let figures = rig.end();
            check_log(&home.database_url());
            all.borrow_mut().entry(kind(home)).or_default().add(&figures);
        });
        left -= some;
    }
    for (kind, figures) in all.into_inner() {
        assert_eq!((figures.kills, figures.before + figures.after), (kills, kills));
        tell(&figures, &format!("import of {rows} rows killed at random, {kind}"), begun);
    }
}

#[test]
fn imports_killed_at_a_system_call() {
    let (Some(step), Some(rows)) = (wanted("SOAK_STEP"), wanted("SOAK_ROWS")) else { return };
    assert!(Command::new("strace").arg("-V").output().is_ok(), "install strace");
    for (call, step) in [("pwrite64", step), ("fsync", 1)] {
        let begun = Instant::now();
        let home = Home::new();
        let mut rig = Rig::begin(&home, rows);
        let mut number = 1;
        while rig.kill_at(call, number) {
            check_database(&home);
            number = if step > 1 && number == 1 { step } else { number + step };
        }
        assert!(number > 1, "no {call} was ever made");
        tell(&rig.end(), &format!("import of {rows} rows killed at every {step}th {call}, SQLite"), begun);
        check_log(&home.database_url());
    }
}
