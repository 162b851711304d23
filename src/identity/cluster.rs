//! Clusters: who is one person once every pair above a score is accepted.
//!
//! Pairs are taken the surest first. One that would put two into one cluster who cannot be one, or that would join two
//! crowds whose names contradict each other, is left out, so that one wrong pair does no more than itself.

use std::num::NonZero;
use std::thread;

use super::block::Ordinal;
use super::book::Book;
use super::weigh::Scale;

/// Identities that are one person.
#[derive(Clone, Debug, PartialEq)]
pub struct Cluster<K> {
    /// Their keys in order: two or more.
    pub keys: Vec<K>,
    /// The score of the weakest pair that was needed.
    pub score: f32,
}

/// What accepting all pairs above a score comes to.
#[derive(Clone, Debug, PartialEq)]
pub struct Clusters<K> {
    /// Whoever is more than one identity, by their first keys.
    pub clusters: Vec<Cluster<K>>,
    /// Pairs that were needed: accepted one by one, they make the clusters.
    pub links: Vec<(K, K, f32)>,
    /// Pairs that were left out, since those whom they would have made one cannot be.
    pub refused: Vec<(K, K, f32)>,
}

struct Scored<K> {
    score: f32,
    a: (K, Ordinal),
    b: (K, Ordinal),
}

/// Of how many pairs between two crowds, at most, more than half may contradict each other.
const LOOKED_AT: usize = 400;

impl<K: Copy + Ord + Send + Sync> Book<K> {
    /// Who is one person once every pair with a score of `above` or more is accepted. All cores are used.
    #[must_use]
    pub fn clusters(&self, above: f32) -> Clusters<K> {
        self.gather(self.scored(above), &|_, _| false)
    }

    /// Who is one person once these pairs are accepted. Nobody comes together with whom `is_apart` keeps them from; it is
    /// asked with the lesser key first. Pairs with a key that is not in the book are passed over.
    #[must_use]
    pub fn clusters_of(
        &self,
        pairs: impl IntoIterator<Item = (K, K, f32)>,
        is_apart: &dyn Fn(K, K) -> bool,
    ) -> Clusters<K> {
        let scored =
            |(a, b, score): (K, K, f32)| Some(Scored { score, a: (a, self.ordinal(a)?), b: (b, self.ordinal(b)?) });
        self.gather(pairs.into_iter().filter_map(scored).collect(), is_apart)
    }

    fn gather(&self, mut pairs: Vec<Scored<K>>, is_apart: &dyn Fn(K, K) -> bool) -> Clusters<K> {
        pairs.sort_unstable_by(|x, y| y.score.total_cmp(&x.score).then_with(|| (x.a.0, x.b.0).cmp(&(y.a.0, y.b.0))));
        let mut crowds = Crowds::new(self);
        let mut done = Clusters { clusters: Vec::new(), links: Vec::new(), refused: Vec::new() };
        for pair in pairs {
            let (a, b) = (crowds.of(pair.a.1), crowds.of(pair.b.1));
            let told = (pair.a.0, pair.b.0, pair.score);
            if a == b {
                continue;
            }
            if crowds.join(a, b, pair.score, is_apart) {
                done.links.push(told);
            } else {
                done.refused.push(told);
            }
        }
        done.clusters = crowds.into_clusters();
        done
    }

    /// All pairs with a score of `above` or more.
    fn scored(&self, above: f32) -> Vec<Scored<K>> {
        let all: Vec<Ordinal> = self.ordinals().collect();
        let cores = thread::available_parallelism().map_or(1, NonZero::get);
        let part = all.len().div_ceil(cores * 16).max(64);
        let next = std::sync::atomic::AtomicUsize::new(0);
        thread::scope(|scope| {
            let workers: Vec<_> = (0..cores)
                .map(|_| {
                    scope.spawn(|| {
                        let (mut found, mut scale) = (Vec::new(), Scale::new(self));
                        loop {
                            let start = next.fetch_add(1, std::sync::atomic::Ordering::Relaxed) * part;
                            let Some(some) = all.get(start..) else { return found };
                            for ordinal in some.iter().take(part) {
                                self.score_one(&mut scale, *ordinal, above, &mut found);
                            }
                            scale.forget();
                        }
                    })
                })
                .collect();
            workers
                .into_iter()
                .flat_map(|worker| worker.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic)))
                .collect()
        })
    }

    fn score_one(&self, scale: &mut Scale<'_, K>, ordinal: Ordinal, above: f32, found: &mut Vec<Scored<K>>) {
        let Some(key) = self.key(ordinal) else { return };
        for other in self.near(ordinal) {
            let Some(other_key) = self.key(other).filter(|other| *other > key) else { continue };
            let score = self.weigh(scale, ordinal, other).map_or(0.0, |weight| weight.score);
            if score >= above {
                found.push(Scored { score, a: (key, ordinal), b: (other_key, other) });
            }
        }
    }
}

/// Identities that were put together so far.
struct Crowds<'a, K> {
    book: &'a Book<K>,
    scale: Scale<'a, K>,
    crowd_of: Vec<u32>,
    members: Vec<Vec<Ordinal>>,
    weakest: Vec<f32>,
}

impl<'a, K: Copy + Ord> Crowds<'a, K> {
    fn new(book: &'a Book<K>) -> Self {
        let last = book.ordinals().max().map_or(0, |last| last as usize + 1);
        Self { book, scale: Scale::new(book), crowd_of: vec![u32::MAX; last], members: Vec::new(), weakest: Vec::new() }
    }

    fn of(&mut self, ordinal: Ordinal) -> u32 {
        let crowd = &mut self.crowd_of[ordinal as usize];
        if *crowd == u32::MAX {
            *crowd = u32::try_from(self.members.len()).unwrap_or(u32::MAX);
            self.members.push(vec![ordinal]);
            self.weakest.push(1.0);
        }
        *crowd
    }

    /// Joins two crowds if they can be one person.
    fn join(&mut self, a: u32, b: u32, score: f32, is_apart: &dyn Fn(K, K) -> bool) -> bool {
        if !self.can_be_one(a, b, score, is_apart) {
            return false;
        }
        let (large, small) =
            if self.members[a as usize].len() >= self.members[b as usize].len() { (a, b) } else { (b, a) };
        let moved = std::mem::take(&mut self.members[small as usize]);
        for ordinal in &moved {
            self.crowd_of[*ordinal as usize] = large;
        }
        self.members[large as usize].extend(moved);
        self.weakest[large as usize] = score.min(self.weakest[large as usize]).min(self.weakest[small as usize]);
        true
    }

    fn can_be_one(&mut self, a: u32, b: u32, score: f32, is_apart: &dyn Fn(K, K) -> bool) -> bool {
        let (few, many) = (&self.members[a as usize], &self.members[b as usize]);
        let (mut looked_at, mut against) = (0, 0);
        for mine in few {
            for theirs in many {
                let (Some(x), Some(y)) = (self.book.profile(*mine), self.book.profile(*theirs)) else { continue };
                let keys = (self.book.key(*mine), self.book.key(*theirs));
                if x.excludes(y) || matches!(keys, (Some(a), Some(b)) if is_apart(a.min(b), a.max(b))) {
                    return false;
                }
                if score < 1.0 && looked_at < LOOKED_AT {
                    looked_at += 1;
                    against += usize::from(self.scale.contradict(x, y));
                }
            }
        }
        // One name against one other is weighed already in the score of the pair.
        few.len() + many.len() < 4 || against * 2 <= looked_at
    }

    fn into_clusters(self) -> Vec<Cluster<K>> {
        let mut clusters: Vec<Cluster<K>> = self
            .members
            .iter()
            .zip(&self.weakest)
            .filter(|(members, _)| members.len() > 1)
            .map(|(members, score)| {
                let mut keys: Vec<K> = members.iter().filter_map(|ordinal| self.book.key(*ordinal)).collect();
                keys.sort_unstable();
                Cluster { keys, score: *score }
            })
            .collect();
        clusters.sort_unstable_by_key(|cluster| cluster.keys.first().copied());
        clusters
    }
}
