//! Precision, recall and F1 of a partition: of pairs, and B-cubed. They are counted, not enumerated.

use std::collections::HashMap;
use std::hash::Hash;

use crate::truth::Truth;

/// Precision and recall.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Score {
    pub(crate) precision: f64,
    pub(crate) recall: f64,
}

impl Score {
    pub(crate) fn f1(self) -> f64 {
        let sum = self.precision + self.recall;
        if sum > 0.0 { 2.0 * self.precision * self.recall / sum } else { 0.0 }
    }
}

/// The closure of `links`: of each identity, which cluster it is in.
pub(crate) fn close(identities: usize, links: impl IntoIterator<Item = (usize, usize)>) -> Vec<usize> {
    let mut parent: Vec<usize> = (0..identities).collect();
    for (a, b) in links {
        let (a, b) = (root(&mut parent, a), root(&mut parent, b));
        parent[a] = b;
    }
    (0..identities).map(|at| root(&mut parent, at)).collect()
}

fn root(parent: &mut [usize], mut at: usize) -> usize {
    while parent[at] != at {
        parent[at] = parent[parent[at]];
        at = parent[at];
    }
    at
}

fn count<T: Eq + Hash>(of: impl Iterator<Item = T>) -> HashMap<T, u64> {
    let mut counts = HashMap::new();
    of.for_each(|key| *counts.entry(key).or_insert(0) += 1);
    counts
}

fn pairs<T: Eq + Hash>(of: impl Iterator<Item = T>) -> u64 {
    count(of).values().map(|n| n * (n - 1) / 2).sum()
}

fn ratio(part: u64, whole: u64) -> f64 {
    if whole == 0 { 1.0 } else { part as f64 / whole as f64 }
}

/// Of all pairs of which the truth is known.
pub(crate) fn pairwise(truth: &Truth, predicted: &[usize]) -> Score {
    let all = || predicted.iter().zip(&truth.clusters).zip(&truth.groups).map(|((p, c), g)| (*p, *c, *g));
    let right = pairs(all().map(|(p, c, _)| (p, c)));
    let said = pairs(all().map(|(p, _, _)| p)) - (pairs(all().map(|(p, _, g)| (p, g))) - right);
    let true_pairs = pairs(all().map(|(_, c, _)| c));
    Score { precision: ratio(right, said), recall: ratio(right, true_pairs) }
}

/// The mean over the identities.
pub(crate) fn b_cubed(truth: &Truth, predicted: &[usize]) -> Score {
    let all = || predicted.iter().zip(&truth.clusters).zip(&truth.groups).map(|((p, c), g)| (*p, *c, *g));
    let both = count(all().map(|(p, c, _)| (p, c)));
    let with_group = count(all().map(|(p, _, g)| (p, g)));
    let said = count(all().map(|(p, _, _)| p));
    let clusters = count(all().map(|(_, c, _)| c));
    let (mut precision, mut recall) = (0.0, 0.0);
    for (p, c, g) in all() {
        let same = both[&(p, c)];
        precision += ratio(same, same + said[&p] - with_group[&(p, g)]);
        recall += ratio(same, clusters[&c]);
    }
    let identities = truth.ids.len().max(1) as f64;
    Score { precision: precision / identities, recall: recall / identities }
}
