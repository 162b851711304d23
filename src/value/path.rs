//! Paths: the names from a root of the tree of org units down to a unit, with `/` between them.
//!
//! Within a name, `\/` stands for `/`, and `\\` for `\` where another would misread it: before `/` or `\`, and at the end.

/// The names of a path, trimmed.
#[must_use]
pub fn split_path(path: &str) -> Vec<String> {
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

/// The path of some names: what [`split_path`] makes them of again.
#[must_use]
pub fn join_path<'a>(names: impl IntoIterator<Item = &'a str>) -> String {
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
