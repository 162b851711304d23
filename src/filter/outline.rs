//! A filter line by line: its nodes in the order in which they are read, each list before its parts.
//!
//! What does not live here: what a line says (`text::print`), and whom it selects.

use super::condition::operator;
use super::{Checked, Condition, Filter, Node};

/// One node of a filter.
#[derive(Clone, Debug)]
pub struct Line<'a> {
    /// Where it stands, as in violations: `filter.all[0].attribute.is.equals`. No two lines of a filter have the same.
    pub path: String,
    /// How many nodes it stands in.
    pub depth: usize,
    /// The node as written.
    pub filter: &'a Filter,
    /// The node as checked.
    pub node: &'a Node,
    /// The lines of its parts, by their places in the outline.
    pub parts: Vec<usize>,
}

/// The lines of a filter, its root first. They come in the order in which a walk of the checked tree comes by its nodes.
#[must_use]
pub fn outline<'a>(filter: &'a Filter, checked: &'a Checked) -> Vec<Line<'a>> {
    let mut lines = Vec::new();
    add(&mut lines, "filter", 0, filter, checked.root());
    lines
}

fn add<'a>(lines: &mut Vec<Line<'a>>, path: &str, depth: usize, filter: &'a Filter, node: &'a Node) -> usize {
    let at = lines.len();
    let path = format!("{path}.{}", step(filter));
    lines.push(Line { path: path.clone(), depth, filter, node, parts: Vec::new() });
    lines[at].parts = match (filter, node) {
        (Filter::All(written), Node::All(nodes)) | (Filter::Any(written), Node::Any(nodes)) => (0..)
            .zip(written.iter().zip(nodes))
            .map(|(part, (filter, node))| add(lines, &format!("{path}[{part}]"), depth + 1, filter, node))
            .collect(),
        (Filter::Not(filter), Node::Not(node)) => vec![add(lines, &path, depth + 1, filter, node)],
        _ => Vec::new(),
    };
    at
}

/// What a node adds to the path that leads to it.
fn step(filter: &Filter) -> String {
    let of = |subject: &str, condition: &Condition| format!("{subject}.{}", operator(condition));
    match filter {
        Filter::All(_) => "all".to_owned(),
        Filter::Any(_) => "any".to_owned(),
        Filter::Not(_) => "not".to_owned(),
        Filter::Name(condition) => of("name", condition),
        Filter::Email(condition) => of("email", condition),
        Filter::Attribute(filter) => of("attribute.is", &filter.is),
        Filter::Account(_) => "account".to_owned(),
        Filter::OrgUnit(_) => "orgUnit".to_owned(),
        Filter::Text(_) => "text".to_owned(),
    }
}
