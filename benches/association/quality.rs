//! How right the suggestions are: precision, recall and F1 of each set, with those of other programs beside them.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::fs;
use std::ops::Bound;
use std::path::Path;

use roster::identity::{ACCEPT, Book, SUGGEST};

use crate::score::{b_cubed, close, pairwise};
use crate::truth::Truth;

/// What came of one set.
struct Outcome {
    name: String,
    f1: f64,
    precision: f64,
}

/// Measures every set below `data`, prints the tables, and writes what was suggested to `written`.
pub(crate) fn measure(data: &Path, written: &Path) {
    fs::create_dir_all(written).unwrap();
    let mut sets: Vec<_> = fs::read_dir(data).unwrap().map(|entry| entry.unwrap().path()).collect();
    sets.retain(|set| set.join("truth.csv").is_file());
    sets.sort();
    println!(
        "Suggestions with a score of {ACCEPT} or more, all accepted; pairs of which the truth is known. Automatic: the same \
         email alone.\n\n| set | identities | precision | recall | F1 | B-cubed F1 | automatic: precision | recall |\n\
         |---|---|---|---|---|---|---|---|"
    );
    let (mut outcomes, mut tools) = (Vec::new(), String::new());
    for set in &sets {
        let name = set.file_name().unwrap().to_string_lossy().into_owned();
        let truth = Truth::read(set);
        outcomes.push(measure_set(&name, &truth, written, &mut tools));
    }
    println!("\nWritten to {}.\n", written.display());
    if !tools.is_empty() {
        println!("| set | accounts without email | linked right | linked wrong |\n|---|---|---|---|\n{tools}");
    }
    print_others(data, &outcomes);
}

fn measure_set(name: &str, truth: &Truth, written: &Path, tools: &mut String) -> Outcome {
    let mut book = Book::new();
    for (at, identity) in truth.identities.iter().enumerate() {
        book.insert(at, identity);
    }
    let accepted = book.clusters(ACCEPT);
    let predicted = close(truth.ids.len(), accepted.links.iter().map(|(a, b, _)| (*a, *b)));
    let pairs: Vec<_> = book.pairs(Bound::Unbounded, SUGGEST).collect();
    let certain = pairs.iter().filter(|pair| pair.is_certain()).map(|pair| (pair.a, pair.b));
    let automatic = pairwise(truth, &close(truth.ids.len(), certain));
    let score = pairwise(truth, &predicted);
    println!(
        "| {name} | {} | {:.4} | {:.4} | {:.4} | {:.4} | {:.4} | {:.4} |",
        truth.ids.len(),
        score.precision,
        score.recall,
        score.f1(),
        b_cubed(truth, &predicted).f1(),
        automatic.precision,
        automatic.recall
    );
    let mut clusters = csv::Writer::from_path(written.join(format!("{name}.clusters.csv"))).unwrap();
    clusters.write_record(["identity_id", "cluster_id"]).unwrap();
    for (id, cluster) in truth.ids.iter().zip(&predicted) {
        clusters.write_record([id, &cluster.to_string()]).unwrap();
    }
    clusters.flush().unwrap();
    let mut listed = csv::Writer::from_path(written.join(format!("{name}.pairs.csv"))).unwrap();
    listed.write_record(["id_a", "id_b", "score", "reasons"]).unwrap();
    // Pairs that would join two who cannot be one are not accepted, whatever their score.
    for pair in pairs.iter().filter(|pair| pair.score < ACCEPT || predicted[pair.a] == predicted[pair.b]) {
        let reasons: Vec<String> = pair.reasons.iter().map(ToString::to_string).collect();
        let score = pair.score.to_string();
        listed.write_record([&truth.ids[pair.a], &truth.ids[pair.b], &score, &reasons.join("; ")]).unwrap();
    }
    listed.flush().unwrap();
    count_linked(name, truth, &predicted, tools);
    Outcome { name: name.to_owned(), f1: score.f1(), precision: score.precision }
}

/// Of the accounts without an email, by tool, how many came to identities of their person, and how many to others'.
fn count_linked(name: &str, truth: &Truth, predicted: &[usize], tools: &mut String) {
    let mut counts: BTreeMap<&str, (u32, u32, u32)> = BTreeMap::new();
    let is_bare = |at: usize| truth.sources[at] != truth.sources[0] && truth.identities[at].emails.is_empty();
    for account in (0..truth.ids.len()).filter(|at| is_bare(*at)) {
        let count = counts.entry(&truth.sources[account]).or_default();
        count.0 += 1;
        let others = (0..truth.ids.len()).filter(|other| *other != account && predicted[*other] == predicted[account]);
        let said: Vec<bool> =
            others.filter(|at| !is_bare(*at)).filter_map(|other| truth.says(account, other)).collect();
        if said.contains(&false) {
            count.2 += 1;
        } else if said.contains(&true) {
            count.1 += 1;
        }
    }
    for (tool, (all, right, wrong)) in counts {
        let share = |part: u32| 100.0 * f64::from(part) / f64::from(all.max(1));
        writeln!(tools, "| {name}: {tool} | {all} | {:.1} % | {:.1} % |", share(right), share(wrong)).unwrap();
    }
}

/// Prints the table of other programs that stands in the data's README, with our row.
fn print_others(data: &Path, outcomes: &[Outcome]) {
    let readme = fs::read_to_string(data.join("README.md")).unwrap_or_default();
    let table: Vec<&str> =
        readme.lines().skip_while(|line| !line.starts_with("| |")).take_while(|line| line.starts_with('|')).collect();
    let Some(headings) = table.first() else { return };
    let of = |name: &str| outcomes.iter().find(|outcome| outcome.name == name);
    let known: Vec<&Outcome> = headings.split('|').filter_map(|heading| of(heading.trim())).collect();
    if known.is_empty() {
        return;
    }
    println!("F1 of other programs, from the data's README, and ours:\n\n{}", table.join("\n"));
    let mean = |of: fn(&Outcome) -> f64| known.iter().map(|outcome| of(outcome)).sum::<f64>() / known.len() as f64;
    let cells: Vec<String> = known.iter().map(|outcome| format!("{:.3}", outcome.f1)).collect();
    println!("| **Roster** | {} | P {:.3}, F1 {:.4} |\n", cells.join(" | "), mean(|o| o.precision), mean(|o| o.f1));
}
