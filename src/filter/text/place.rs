//! Where each part of a tree stands in the text that it was read from.

use std::ops::Range;

/// Where a node and what is below it stand. It has the shape of the tree.
#[derive(Clone, Debug)]
pub(super) enum Place {
    /// Of `all` and `any`.
    List { span: Range<usize>, parts: Vec<Place> },
    /// Of `not`.
    Not { span: Range<usize>, part: Box<Place> },
    /// Of one condition.
    Condition(Spans),
    /// Of an account, each condition with its name in the tree.
    Account { span: Range<usize>, conditions: Vec<(&'static str, Spans)> },
}

/// Where the pieces of one condition stand.
#[derive(Clone, Debug)]
pub(super) struct Spans {
    pub(super) subject: Range<usize>,
    pub(super) operator: Range<usize>,
    pub(super) values: Vec<Range<usize>>,
}

impl Place {
    pub(super) fn span(&self) -> Range<usize> {
        match self {
            Self::List { span, .. } | Self::Not { span, .. } | Self::Account { span, .. } => span.clone(),
            Self::Condition(spans) => spans.whole(),
        }
    }

    /// The condition that a violation's path leads to, such as `filter.all[1].attribute.is.in[2]`, with what of the path
    /// is below it.
    ///
    /// # Errors
    /// Where the path ends before a condition: where that part stands.
    pub(super) fn find<'p>(&self, path: &'p str) -> Result<(&Spans, &'p str), Range<usize>> {
        let mut rest = path.strip_prefix("filter").unwrap_or(path);
        let mut place = self;
        loop {
            let below = match place {
                Self::Condition(spans) => return Ok((spans, rest)),
                Self::List { parts, .. } => element(parts, rest),
                Self::Not { part, .. } => rest.strip_prefix(".not").map(|rest| (&**part, rest)),
                Self::Account { conditions, .. } => {
                    let below = rest.strip_prefix(".account.").unwrap_or_default();
                    let name = &below[..below.find('.').unwrap_or(below.len())];
                    let found = conditions.iter().find(|(known, _)| *known == name);
                    return found.map(|(_, spans)| (spans, below)).ok_or_else(|| place.span());
                }
            };
            match below {
                Some(below) => (place, rest) = below,
                None => return Err(place.span()),
            }
        }
    }
}

/// The part that the first `[…]` of a path names, and what follows it.
fn element<'a, 'p>(parts: &'a [Place], path: &'p str) -> Option<(&'a Place, &'p str)> {
    let (_, rest) = path.split_once('[')?;
    let (at, rest) = rest.split_once(']')?;
    Some((parts.get(at.parse::<usize>().ok()?)?, rest))
}

impl Spans {
    fn whole(&self) -> Range<usize> {
        self.subject.start..self.values.last().unwrap_or(&self.operator).end
    }

    /// The piece that the end of a path names: the key, one value, or all that the operator has.
    pub(super) fn at(&self, path: &str) -> Range<usize> {
        let value = |at: usize| self.values.get(at).cloned();
        let one = match path.rsplit_once(['.', '[']) {
            Some((_, "key")) => Some(self.subject.clone()),
            Some((_, "from")) => value(0),
            Some((_, "to")) => value(1),
            Some((_, last)) => last.strip_suffix(']').and_then(|at| value(at.parse().ok()?)),
            None => None,
        };
        one.unwrap_or_else(|| match (self.values.first(), self.values.last()) {
            (Some(first), Some(last)) => first.start..last.end,
            _ => self.operator.clone(),
        })
    }
}
