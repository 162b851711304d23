//! Circles: users of whom each would report to the next by a USER attribute, and the last to the first.

use std::collections::{HashMap, HashSet};

use entity::UserId;

use crate::index::Index;

/// The most users of a circle that a message names.
const NAMED: usize = 10;

/// The users of a circle, each of whom names the next; the one who was made first comes first.
pub(in crate::directory) struct Circle(Vec<UserId>);

impl Circle {
    /// The users in it.
    pub(in crate::directory) fn users(&self) -> impl Iterator<Item = UserId> + '_ {
        self.0.iter().copied()
    }

    /// What is wrong, and how it is put right; `name` says what a user is called.
    pub(in crate::directory) fn message(&self, key: &str, name: impl Fn(UserId) -> String) -> String {
        let mut names: Vec<String> = self.0.iter().take(NAMED).map(|user| name(*user)).collect();
        if let [alone] = self.0.as_slice() {
            return format!("by `{key}`, {} would report to itself; name somebody else, or nobody", name(*alone));
        }
        if self.0.len() > NAMED {
            names.push(format!("{} more", self.0.len() - NAMED));
        }
        names.extend(names.first().cloned());
        format!(
            "by `{key}`, each of these would report to the next, in a circle: {}; let one of them report to somebody \
             else, or to nobody",
            names.join(", ")
        )
    }
}

/// The circles that there would be by the USER attribute `key` with `changed` put over the index: it gives whom a user
/// names from now on, where that is new. Only users whom one of `starts` reaches are looked at, each once.
pub(in crate::directory) fn find_circles(
    index: &Index,
    key: &str,
    starts: impl Iterator<Item = UserId>,
    changed: impl Fn(UserId) -> Option<Option<UserId>>,
) -> Vec<Circle> {
    let mut circles = Vec::new();
    let mut done: HashSet<UserId> = HashSet::new();
    for start in starts {
        let mut path = Vec::new();
        let mut places = HashMap::new();
        let mut at = Some(start);
        while let Some(user) = at.filter(|user| !done.contains(user)) {
            if let Some(place) = places.insert(user, path.len()) {
                let mut circle = path[place..].to_vec();
                let first = circle.iter().enumerate().min_by_key(|(_, user)| **user).map_or(0, |(at, _)| at);
                circle.rotate_left(first);
                circles.push(Circle(circle));
                break;
            }
            path.push(user);
            at = changed(user).unwrap_or_else(|| index.refers_to(key, user));
        }
        done.extend(path);
    }
    circles
}
