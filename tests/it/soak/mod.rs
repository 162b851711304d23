//! The long form of what others do in small, the memory that large files take, what a server does under load, and a database
//! that restarts. `make soak` says how large; without that nothing is done here.

mod load;
mod memory;
mod random;
mod restart;

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::time::Instant;

use crate::cost;
use crate::dropped::drop_requests;
use crate::kill::{FAULTS, Figures, Rig, WAYS, can_trace, keep_journals, kill_migrations};
use crate::slow::{PACES, begin, besiege};
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
    if !can_trace() {
        return;
    }
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

#[test]
fn disks_that_fail() {
    let (Some(step), Some(rows)) = (wanted("SOAK_STEP"), wanted("SOAK_ROWS")) else { return };
    if !can_trace() {
        return;
    }
    for fault in FAULTS {
        let begun = Instant::now();
        let home = Home::new();
        let mut rig = Rig::begin(&home, rows);
        let mut number = 1;
        while rig.fail_at(fault, number, number % 2 == 0) {
            check_database(&home);
            number += if fault.call == "fsync" { 1 } else { step * 10 + 1 };
        }
        let Figures { before, .. } = rig.end();
        let outcome = format!("{before} failed and changed nothing; the same succeeded next");
        let what = format!("import of {rows} rows into a server with {fault:?}, SQLite");
        row(&[&what, &outcome, "", &format!("{:.0?}", begun.elapsed())]);
        check_log(&home.database_url());
    }
}

#[test]
fn writers_with_a_journal() {
    let Some(kills) = wanted("SOAK_KILLS") else { return };
    in_each_home(|home| {
        let begun = Instant::now();
        let writes = keep_journals(home, kills / 2);
        let what = format!("server of 8 writers killed at random, {}", kind(home));
        let outcome = format!("{} kills: of {writes} writes 0 lost, 0 half visible", kills / 2);
        row(&[&what, &outcome, "", &format!("{:.0?}", begun.elapsed())]);
    });
}

#[test]
fn killed_migrations() {
    let (Some(kills), Some(rows)) = (wanted("SOAK_KILLS"), wanted("SOAK_ROWS")) else { return };
    in_each_home(|home| {
        let begun = Instant::now();
        let done = kill_migrations(home, rows, kills / 4);
        let what = format!("migration of {rows} users killed at random, {}", kind(home));
        let outcome = format!("{} kills: {} as before, {done} as after", kills / 4, kills / 4 - done);
        row(&[&what, &outcome, "", &format!("{:.0?}", begun.elapsed())]);
    });
}

#[test]
fn clients_that_go_away() {
    let Some(requests) = wanted("SOAK_REQUESTS") else { return };
    in_each_home(|home| {
        let begun = Instant::now();
        drop_requests(home, requests);
        let what = format!("{requests} requests dropped within 20 ms, {}", kind(home));
        row(&[&what, "0 half done, 0 open transactions", "", &format!("{:.0?}", begun.elapsed())]);
    });
}

#[test]
fn slow_clients() {
    let Some(clients) = wanted("SOAK_CLIENTS") else { return };
    let home = Home::new();
    let server = begin(&home, &[]);
    for pace in PACES {
        let siege = besiege(&server, pace, clients);
        let outcome = format!("all gone after {:.0?}, a good one answered {} times", siege.gone, siege.answers);
        row(&[&format!("{clients} clients, slow in {:?}", siege.pace), &outcome, &format!("p99 {:.1?}", siege.p99)]);
    }
}

#[test]
fn random_documents() {
    let Some(documents) = wanted("SOAK_DOCUMENTS") else { return };
    let begun = Instant::now();
    let [answered, failed, refused] = cost::try_documents(documents);
    let outcome = format!("{answered} answered, {failed} failed, {refused} refused, 0 above their cost");
    row(&[
        &format!("{documents} random documents on every database"),
        &outcome,
        "",
        &format!("{:.0?}", begun.elapsed()),
    ]);
}
