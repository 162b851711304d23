//! Who reports to whom by one USER attribute: down from a manager, and up from a user.
//!
//! A manager is the code of the value that names them. Every user names at most one manager, so that whoever walks down
//! comes to each code once, and back to where it began if there is a circle; stored data should have none.

use entity::UserId;
use roaring::RoaringBitmap;
use rustc_hash::{FxHashMap, FxHashSet};

use super::attributes::AttributeColumn;
use super::{Index, Members, ordinal};

/// Gathering so many times fewer users than there are is less work than a pass over all.
const FEWER: usize = 16;

/// Whom each manager has, by the code of the manager.
#[derive(Debug)]
pub(super) struct Reports {
    /// The users.
    users: Groups,
    /// The codes of those of them who are managers themselves.
    managers: Groups,
}

/// Items by group, in one vector.
#[derive(Debug)]
struct Groups {
    /// Where the items of each group begin; those of the last end where the items do.
    starts: Vec<u32>,
    items: Vec<u32>,
}

impl Groups {
    /// Sorts items into `count` groups; `visit` tells of each its group and the item, twice.
    fn new(count: usize, visit: impl Fn(&mut dyn FnMut(u32, u32))) -> Self {
        let mut starts = vec![0_u32; count + 1];
        visit(&mut |group, _| starts[group as usize + 1] += 1);
        for at in 1..starts.len() {
            starts[at] += starts[at - 1];
        }
        let mut next = starts.clone();
        let mut items = vec![0; starts.last().copied().unwrap_or_default() as usize];
        visit(&mut |group, item| {
            items[next[group as usize] as usize] = item;
            next[group as usize] += 1;
        });
        Self { starts, items }
    }

    fn of(&self, group: u32) -> &[u32] {
        let at = group as usize;
        &self.items[self.starts[at] as usize..self.starts[at + 1] as usize]
    }
}

impl Reports {
    pub(super) fn new(found: &AttributeColumn) -> Self {
        let codes = &found.column.codes;
        let count = found.column.values.len();
        let users = Groups::new(count, |tell| {
            codes.for_each(|at, code| {
                if code != 0 {
                    tell(code, at);
                }
            });
        });
        let managers = Groups::new(count, |tell| {
            for code in 1..ordinal(count) {
                match found.above(code) {
                    0 => {}
                    above => tell(above, code),
                }
            }
        });
        Self { users, managers }
    }

    /// The codes of a manager and of the managers at most so many levels below.
    fn below(&self, top: u32, levels: usize) -> Vec<u32> {
        let mut found = vec![top];
        let (mut from, mut level) = (0, 0);
        while from < found.len() && level < levels {
            let to = found.len();
            for at in from..to {
                // In a circle one comes back to the top, and to nobody else.
                found.extend(self.managers.of(found[at]).iter().filter(|code| **code != top));
            }
            (from, level) = (to, level + 1);
        }
        found
    }
}

impl AttributeColumn {
    /// The users who report to the manager of a code, through at most so many others.
    pub(super) fn reports(&self, manager: u32, through: usize) -> RoaringBitmap {
        let reports = self.tree();
        let codes = reports.below(manager, through);
        let count: usize = codes.iter().map(|code| reports.users.of(*code).len()).sum();
        if count * FEWER > self.column.codes.len() {
            return self.column.users(&codes);
        }
        let mut users: Vec<u32> = codes.iter().flat_map(|code| reports.users.of(*code)).copied().collect();
        users.sort_unstable();
        RoaringBitmap::from_sorted_iter(users).unwrap_or_default()
    }

    /// Those of `candidates` who report to the manager of a code, directly or through others. What is on their ways up
    /// is looked at once, however long and however shared the ways are.
    pub(super) fn reporting(&self, candidates: &RoaringBitmap, manager: u32) -> RoaringBitmap {
        let mut known: FxHashMap<u32, bool> = FxHashMap::from_iter([(0, false), (manager, true)]);
        let mut path = Vec::new();
        let mut reports = |at: &u32| {
            let mut code = self.column.codes.code(*at);
            let outcome = loop {
                // Counting a code as outside while its way up is followed ends a circle.
                match known.insert(code, false) {
                    None => path.push(code),
                    Some(outcome) => {
                        known.insert(code, outcome);
                        break outcome;
                    }
                }
                code = self.above(code);
            };
            known.extend(path.drain(..).map(|code| (code, outcome)));
            outcome
        };
        candidates.iter().filter(|at| reports(at)).collect()
    }
}

impl Index {
    /// The manager of a user by a USER attribute, the manager's manager, and so on up to the top; each once.
    #[must_use]
    pub fn managers_of(&self, key: &str, user: UserId) -> Vec<UserId> {
        let mut seen = FxHashSet::from_iter([user]);
        let up = |user: &UserId| self.refers_to(key, *user).filter(|manager| self.has_user(*manager));
        std::iter::successors(up(&user), up).take_while(|manager| seen.insert(*manager)).collect()
    }

    /// The users who report to a manager by a USER attribute, directly or through others; `depth` levels of them, if it
    /// is given.
    #[must_use]
    pub fn reports_of(&self, key: &str, manager: UserId, depth: Option<u32>) -> Members {
        let found = self.attributes.find(key);
        let code = found.and_then(|found| found.column.values.find(manager.0.as_bytes()));
        let through = match depth {
            None => Some(usize::MAX),
            Some(depth) => depth.checked_sub(1).map(|through| through as usize),
        };
        let users = match (found, code, through) {
            (Some(found), Some(code), Some(through)) => found.reports(code, through),
            _ => RoaringBitmap::new(),
        };
        self.members(users)
    }

    /// Everybody who has reports by a USER attribute and, through others, no more than so many managers above: managers
    /// before those below them, each with the manager above.
    ///
    /// Whoever stands in a circle, or below one, has no top and is not among them.
    #[must_use]
    pub fn managers(&self, key: &str, levels: usize) -> Vec<(UserId, Option<UserId>)> {
        let Some(found) = self.attributes.find(key) else { return Vec::new() };
        let reports = found.tree();
        let user = |code: u32| found.manager(code).map(|at| self.users.id(at));
        let mut level: Vec<(u32, Option<UserId>)> = (1..ordinal(found.column.values.len()))
            .filter(|code| found.above(*code) == 0 && found.column.count(*code) > 0)
            .map(|code| (code, None))
            .collect();
        let (mut managers, mut depth) = (Vec::new(), 0);
        while depth < levels && !level.is_empty() {
            depth += 1;
            let mut next = Vec::new();
            for (code, above) in level {
                let Some(id) = user(code) else { continue };
                managers.push((id, above));
                let below = reports.managers.of(code).iter().filter(|code| found.column.count(**code) > 0);
                next.extend(below.map(|code| (*code, Some(id))));
            }
            level = next;
        }
        managers
    }
}
