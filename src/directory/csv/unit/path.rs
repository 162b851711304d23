//! Paths: the names from a root down to a unit, with `/` between them.
//!
//! Within a name, `\/` stands for `/`, and `\\` for `\` where another would misread it: before `/` or `\`, and at the end.

use std::collections::HashMap;

use crate::value::fold;

/// The names of a path, trimmed.
pub(super) fn split(path: &str) -> Vec<String> {
    let mut names = vec![String::new()];
    let mut rest = path.chars().peekable();
    while let Some(c) = rest.next() {
        let escaped = if c == '\\' { rest.next_if(|next| matches!(next, '/' | '\\')) } else { None };
        match (c, escaped, names.last_mut()) {
            ('/', ..) => names.push(String::new()),
            (_, Some(escaped), Some(name)) => name.push(escaped),
            (_, _, Some(name)) => name.push(c),
            (_, _, None) => {}
        }
    }
    names.iter().map(|name| name.trim().to_owned()).collect()
}

/// The path of some names: what [`split`] makes them of again.
pub(super) fn join<'a>(names: impl IntoIterator<Item = &'a str>) -> String {
    let mut path = String::new();
    for (at, name) in names.into_iter().enumerate() {
        if at > 0 {
            path.push('/');
        }
        let mut rest = name.chars().peekable();
        while let Some(c) = rest.next() {
            let is_misread = c == '/' || c == '\\' && matches!(rest.peek(), None | Some('/' | '\\'));
            path.extend(is_misread.then_some('\\'));
            path.push(c);
        }
    }
    path
}

/// A path by number, which two paths that differ in case alone share.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) struct Key(usize);

/// Above all roots.
pub(super) const TOP: Key = Key(0);

/// The numbers of paths.
#[derive(Default)]
pub(super) struct Keys(HashMap<(Key, String), Key>);

impl Keys {
    /// The number of the path one name further down.
    pub(super) fn below(&mut self, above: Key, name: &str) -> Key {
        let next = Key(self.0.len() + 1);
        *self.0.entry((above, fold(name))).or_insert(next)
    }

    /// The number of a path that has one.
    pub(super) fn find(&self, names: &[String]) -> Option<Key> {
        names.iter().try_fold(TOP, |above, name| self.0.get(&(above, fold(name))).copied())
    }
}
