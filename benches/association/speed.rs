//! How long suggestions take, and how much memory a book: on made-up accounts, of which each person has four.

use std::time::{Duration, Instant};

use roster::demo;
use roster::identity::{ACCEPT, Account, Book, Identity, SUGGEST};

/// What the made-up accounts come of.
const SEED: u64 = 7;

/// Prints the table of times.
pub(crate) fn measure() {
    println!("| work | target | measured |\n|---|---|---|");
    let (book, filled) = fill(100_000);
    println!("| {} identities put into a book | | {filled:.1?}, {} MB |", book.len(), resident_mb());
    let (started, cpu_before) = (Instant::now(), cpu_seconds());
    let found = book.clusters(ACCEPT);
    let (took, cpu) = (started.elapsed(), cpu_seconds() - cpu_before);
    println!(
        "| all of them compared: {} accepted, {} people of more than one | ≤ 60 s on 2 cores | {took:.1?}, {cpu:.1} s of \
         CPU; at most {} MB |",
        found.links.len(),
        found.clusters.len(),
        peak_mb()
    );
    drop((book, found));
    let (mut book, filled) = fill(1_000_000);
    let size = book.size();
    println!(
        "| {} identities put into a book: {} texts, {} keys, {} full names | | {filled:.1?}, {} MB |",
        size.identities,
        size.texts,
        size.keys,
        size.full_names,
        resident_mb()
    );
    let new: Vec<Identity> = made_up(4_000).step_by(4).take(1_000).collect();
    let mut times = [Vec::new(), Vec::new(), Vec::new()];
    for (number, identity) in (u64::MAX / 2..).zip(&new) {
        // The fastest of five: what else runs on the machine is not to be measured.
        let mut fastest = [Duration::MAX; 3];
        for _ in 0..5 {
            fastest[0] = fastest[0].min(timed(|| book.insert(number, identity)));
            fastest[1] = fastest[1].min(timed(|| book.suggestions(number, SUGGEST)));
            fastest[2] = fastest[2].min(timed(|| book.remove(number)));
        }
        times.iter_mut().zip(fastest).for_each(|(times, time)| times.push(time));
    }
    for (what, times) in ["put in", "compared with the book", "taken out"].iter().zip(&mut times) {
        times.sort_unstable();
        let (median, p99) = (times[times.len() / 2], times[times.len() * 99 / 100]);
        println!("| one new identity {what} | milliseconds | median {median:.1?}, p99 {p99:.1?} |");
    }
}

/// A book of about so many identities, and how long it took to fill.
fn fill(identities: u64) -> (Book<u64>, Duration) {
    let all: Vec<Identity> = made_up(identities).collect();
    let mut book = Book::new();
    let started = Instant::now();
    for (number, identity) in (0..).zip(&all) {
        book.insert(number, identity);
    }
    (book, started.elapsed())
}

/// About so many accounts, each by itself.
fn made_up(identities: u64) -> impl Iterator<Item = Identity> {
    let people = identities / demo::TOOLS.len() as u64;
    (0..).zip(demo::TOOLS).flat_map(move |(integration, tool)| {
        (0..).zip(demo::accounts(tool, people, SEED)).map(move |(number, account)| Identity {
            names: account.display_name.into_iter().collect(),
            emails: account.email.into_iter().collect(),
            accounts: vec![Account { one_of: Some((integration, number)), username: account.username }],
            is_bot: account.is_bot,
        })
    })
}

fn timed<T>(work: impl FnOnce() -> T) -> Duration {
    let started = Instant::now();
    std::hint::black_box(work());
    started.elapsed()
}

fn resident_mb() -> u64 {
    status("VmRSS:")
}

fn peak_mb() -> u64 {
    status("VmHWM:")
}

/// How much CPU time this process has had, on Linux; 0 elsewhere.
fn cpu_seconds() -> f64 {
    let stat = std::fs::read_to_string("/proc/self/stat").unwrap_or_default();
    // After the name, which may have blanks: the 12th and 13th field, in hundredths of a second.
    let fields = stat.rsplit(')').next().unwrap_or_default().split_whitespace().skip(11).take(2);
    fields.filter_map(|ticks| ticks.parse::<f64>().ok()).sum::<f64>() / 100.0
}

/// A line of what Linux says of this process, in MB; 0 elsewhere.
fn status(line: &str) -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let found = status.lines().find_map(|status| status.strip_prefix(line));
    found.and_then(|rest| rest.trim().trim_end_matches(" kB").parse::<u64>().ok()).unwrap_or_default() / 1024
}
