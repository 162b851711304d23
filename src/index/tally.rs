//! A filter counted node by node: whom each condition selects, and what it does within the whole.
//!
//! Each condition is evaluated once, and all numbers come of these sets. What does not live here: what a client is told
//! of them.

use std::borrow::Cow;
use std::rc::Rc;

use entity::{OrgUnitId, UserId};
use roaring::RoaringBitmap;

use super::Index;
use super::evaluate::Evaluation;
use crate::filter::{Checked, Node};

/// The most pairs of parts that have nobody in common which are told.
const DISJOINT: usize = 100;

/// A filter in numbers, within the scope of an org unit.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Tally {
    /// How many users the filter chooses among.
    pub in_scope: u64,
    /// One for each node of the filter, in the order of [`crate::filter::outline`].
    pub nodes: Vec<NodeTally>,
    /// Parts of one `all` that select somebody each and nobody together; at most 100 pairs.
    pub disjoint: Vec<(usize, usize)>,
}

/// One node of a filter in numbers.
///
/// To leave a node out is to leave it out of the list that it stands in, `all: []` being everybody and `any: []` nobody.
/// What stands in a `not` is left out together with it, and the whole filter as if it stood alone in an `all`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct NodeTally {
    /// How many users in scope it selects by itself.
    pub selects: u64,
    /// How many users would become members if it were left out.
    pub excludes: u64,
    /// How many users would no longer be members if it were left out.
    pub adds: u64,
}

impl Index {
    /// A filter in numbers, for a unit that chooses among the members of `within` (none: everybody). Users who are pinned
    /// or excluded stay what they are whatever the filter says, so they count in what a node selects and in nothing else.
    #[must_use]
    pub fn tally(&self, filter: &Checked, within: Option<OrgUnitId>, pinned: &[UserId], excluded: &[UserId]) -> Tally {
        let evaluation = Evaluation::new(self, None);
        let within = within.map(|id| evaluation.unit(id));
        let mut count = Count { evaluation: &evaluation, within: within.as_ref(), nodes: Vec::new(), sets: Vec::new() };
        count.gather(filter.root());
        let mut open = count.scope().clone();
        for at in pinned.iter().chain(excluded).filter_map(|id| self.users.find(*id)) {
            open.remove(at);
        }
        let mut nodes: Vec<NodeTally> =
            count.sets.iter().map(|set| NodeTally { selects: set.len(), ..NodeTally::default() }).collect();
        if let Some(root) = nodes.first_mut() {
            root.excludes = open.len() - open.intersection_len(&count.sets[0]);
        }
        count.weigh(0, &open, &mut nodes);
        Tally { in_scope: count.scope().len(), nodes, disjoint: count.disjoint() }
    }
}

/// One count under way.
struct Count<'a> {
    evaluation: &'a Evaluation<'a>,
    within: Option<&'a RoaringBitmap>,
    /// The nodes in the order in which they are read, each with the places of its parts.
    nodes: Vec<(&'a Node, Vec<usize>)>,
    /// Whom each node selects. A list of one and what is negated twice share the set of their part.
    sets: Vec<Rc<Cow<'a, RoaringBitmap>>>,
}

impl<'a> Count<'a> {
    fn scope(&self) -> &'a RoaringBitmap {
        self.within.unwrap_or_else(|| self.evaluation.everybody())
    }

    fn gather(&mut self, node: &'a Node) -> usize {
        let at = self.nodes.len();
        self.nodes.push((node, Vec::new()));
        self.sets.push(Rc::default());
        let parts: Vec<usize> = match node {
            Node::All(parts) | Node::Any(parts) => parts.iter().map(|part| self.gather(part)).collect(),
            Node::Not(part) => vec![self.gather(part)],
            Node::Name(_) | Node::Email(_) | Node::Attribute { .. } | Node::Account(_) | Node::OrgUnit { .. } => {
                Vec::new()
            }
        };
        self.sets[at] = self.set(node, &parts);
        self.nodes[at].1 = parts;
        at
    }

    fn set(&self, node: &Node, parts: &[usize]) -> Rc<Cow<'a, RoaringBitmap>> {
        let sets = || parts.iter().map(|part| self.sets[*part].as_ref().as_ref());
        match (node, parts) {
            (Node::All(_) | Node::Any(_), [only]) => Rc::clone(&self.sets[*only]),
            (Node::All(_), []) => Rc::new(Cow::Borrowed(self.scope())),
            (Node::All(_), _) => Rc::new(Cow::Owned(roaring::MultiOps::intersection(sets()))),
            (Node::Any(_), _) => Rc::new(Cow::Owned(roaring::MultiOps::union(sets()))),
            (Node::Not(_), &[part]) => match self.nodes[part] {
                (Node::Not(_), ref below) => Rc::clone(&self.sets[below[0]]),
                _ => Rc::new(Cow::Owned(self.scope() - self.sets[part].as_ref().as_ref())),
            },
            _ => Rc::new(self.evaluation.node(node, self.within)),
        }
    }

    /// Works out what the parts below a node do; `critical` has the users for whom the whole filter turns on this node.
    ///
    /// A part that is left out is as one that every other part outvotes: one that holds in an `all`, one that does not in
    /// an `any`. So leaving it out changes the list for the users whom this part alone decides.
    fn weigh(&self, at: usize, critical: &RoaringBitmap, nodes: &mut [NodeTally]) {
        let (node, parts) = &self.nodes[at];
        let is_all = match node {
            Node::All(_) => true,
            Node::Any(_) => false,
            Node::Not(_) => {
                for part in parts {
                    (nodes[*part].excludes, nodes[*part].adds) = (nodes[at].excludes, nodes[at].adds);
                    self.weigh(*part, critical, nodes);
                }
                return;
            }
            Node::Name(_) | Node::Email(_) | Node::Attribute { .. } | Node::Account(_) | Node::OrgUnit { .. } => return,
        };
        let decided_by = |part: usize, among: &RoaringBitmap| {
            let set = self.sets[part].as_ref().as_ref();
            if is_all { among - set } else { among & set }
        };
        let (mut decided, mut twice) = (RoaringBitmap::new(), RoaringBitmap::new());
        for part in parts {
            let by_this = decided_by(*part, critical);
            twice |= &decided & &by_this;
            decided |= by_this;
        }
        let undecided = critical - &decided;
        let once = decided - twice;
        for part in parts {
            let by_this = decided_by(*part, &once);
            nodes[*part].adds = by_this.intersection_len(&self.sets[0]);
            nodes[*part].excludes = by_this.len() - nodes[*part].adds;
            if !self.nodes[*part].1.is_empty() {
                self.weigh(*part, &(by_this | &undecided), nodes);
            }
        }
    }

    fn disjoint(&self) -> Vec<(usize, usize)> {
        let lists = self.nodes.iter().filter(|(node, _)| matches!(node, Node::All(_)));
        let pairs = lists.flat_map(|(_, parts)| {
            (0..).zip(parts).flat_map(|(at, second)| parts[..at].iter().map(|first| (*first, *second)))
        });
        let has_nobody = |&(first, second): &(usize, usize)| {
            let (first, second) = (&self.sets[first], &self.sets[second]);
            !first.is_empty() && !second.is_empty() && first.is_disjoint(second)
        };
        pairs.filter(has_nobody).take(DISJOINT).collect()
    }
}
