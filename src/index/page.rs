//! Pages: a stretch of the members in an order, forwards or backwards from a cursor.

use std::cmp::Ordering;

use entity::UserId;
use roaring::RoaringBitmap;

use super::column::Column;
use super::{Cursor, Index, Members, Order, OrderBy, OtherEpoch};

/// Which stretch of a list is wanted, in Relay's sense.
#[derive(Clone, Debug, Default)]
pub struct Window<'a> {
    /// At most so many, from the start.
    pub first: Option<usize>,
    /// At most so many, from the end (of the first, if both are given).
    pub last: Option<usize>,
    /// Only what comes after this place.
    pub after: Option<&'a Cursor>,
    /// Only what comes before this place.
    pub before: Option<&'a Cursor>,
}

/// A stretch of a list.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Page {
    /// The users, each with its place.
    pub ids: Vec<(UserId, Cursor)>,
    /// Whether there are members after the last of them.
    pub has_next: bool,
    /// Whether there are members before the first of them.
    pub has_previous: bool,
}

/// Why there is no page.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum PageError {
    /// The members are of another build of the index.
    #[error(transparent)]
    OtherEpoch(#[from] OtherEpoch),
    /// The order is by an attribute that there is not.
    #[error("there is no attribute `{0}` to order by")]
    UnknownAttribute(String),
    /// The order is by an attribute with several values a user.
    #[error("`{0}` has several values a user, so users have no order by it")]
    NotSortable(String),
    /// A cursor is of another order.
    #[error(transparent)]
    Cursor(#[from] super::NotACursor),
}

/// An order in terms of ordinals.
struct Sorting<'a> {
    index: &'a Index,
    by: &'a OrderBy,
    /// Everybody in ascending order, where such a list is kept.
    kept: Option<&'a [u32]>,
    column: Option<&'a Column>,
    /// The place of each code of the column among its values.
    ranks: Vec<u32>,
}

/// What a place is compared by first: twice the value's rank and one; an even number lies between values.
const NO_VALUE: u64 = u64::MAX;

impl Index {
    /// A page of the members.
    ///
    /// # Errors
    /// [`PageError`], where members, order and cursors do not belong together.
    pub fn page(&self, members: &Members, order: &Order, window: &Window<'_>) -> Result<Page, PageError> {
        let members = &*self.living(members)?;
        if [window.after, window.before].into_iter().flatten().any(|cursor| cursor.by != order.by) {
            return Err(super::NotACursor::OtherOrder.into());
        }
        let sorting = self.sorting(&order.by)?;
        // In descending order everything is mirrored: the list, the window and the answer.
        let (first, last, after, before) = if order.descending {
            (window.last, window.first, window.before, window.after)
        } else {
            (window.first, window.last, window.after, window.before)
        };
        // Of both, the one that the client's direction takes first is applied first.
        let forward = if order.descending { window.first.is_none() } else { window.first.is_some() || last.is_none() };
        let most = if forward { first } else { last }.unwrap_or(usize::MAX);
        let (mut places, mut more_before, mut more_after) = sorting.stretch(members, after, before, most, forward);
        if let (Some(first), Some(last)) = (window.first, window.last) {
            let keep = last.min(first).min(places.len());
            let cut = places.len() - keep;
            if cut > 0 && order.descending {
                places.truncate(keep);
                more_after = true;
            } else if cut > 0 {
                places.drain(..cut);
                more_before = true;
            }
        }
        if order.descending {
            places.reverse();
            (more_before, more_after) = (more_after, more_before);
        }
        let ids = places.into_iter().map(|at| (self.users.id(at), sorting.cursor(at))).collect();
        Ok(Page { ids, has_next: more_after, has_previous: more_before })
    }

    fn sorting<'a>(&'a self, by: &'a OrderBy) -> Result<Sorting<'a>, PageError> {
        let (kept, column) = match by {
            OrderBy::Name => (Some(self.users.by_name.list()), None),
            OrderBy::Email => (Some(self.users.by_email.list()), None),
            OrderBy::Created => (Some(self.users.by_created.list()), None),
            OrderBy::Attribute(key) => {
                let seen = self.attribute(key).and_then(|_| self.attributes.find(key));
                let found = seen.ok_or_else(|| PageError::UnknownAttribute(key.clone()))?;
                if found.row.r#type == entity::attribute::AttributeType::MultiSelect {
                    return Err(PageError::NotSortable(key.clone()));
                }
                (None, Some(found.column.as_ref()))
            }
        };
        let mut ranks = Vec::new();
        if let Some(column) = column {
            ranks.resize(column.values.len(), 0);
            for (rank, &code) in (0..).zip(column.sorted()) {
                ranks[code as usize] = rank;
            }
        }
        Ok(Sorting { index: self, by, kept, column, ranks })
    }
}

impl Sorting<'_> {
    fn rank(&self, at: u32) -> u64 {
        match self.column.map(|column| column.codes.code(at)) {
            None => 0,
            Some(0) => NO_VALUE,
            Some(code) => u64::from(self.ranks[code as usize]) * 2 + 1,
        }
    }

    fn text(&self, at: u32) -> &[u8] {
        match self.by {
            OrderBy::Name | OrderBy::Attribute(_) => self.index.users.name(at),
            OrderBy::Email => self.index.users.email(at),
            OrderBy::Created => &[],
        }
    }

    fn compare(&self, a: u32, b: u32) -> Ordering {
        (self.rank(a).cmp(&self.rank(b)))
            .then_with(|| self.text(a).cmp(self.text(b)))
            .then_with(|| self.index.users.id(a).cmp(&self.index.users.id(b)))
    }

    fn cursor(&self, at: u32) -> Cursor {
        Cursor {
            by: self.by.clone(),
            value: self.column.and_then(|column| column.value(at)).map(<[u8]>::to_vec),
            text: self.text(at).to_vec(),
            id: self.index.users.id(at),
        }
    }

    fn cursor_rank(&self, cursor: &Cursor) -> u64 {
        let Some(column) = self.column else { return 0 };
        let Some(value) = cursor.value.as_deref() else { return NO_VALUE };
        let sorted = column.sorted();
        let below = sorted.partition_point(|&code| column.values.value(code) < value);
        let is_known = sorted.get(below).is_some_and(|&code| column.values.value(code) == value);
        below as u64 * 2 + u64::from(is_known)
    }

    /// How a user compares with a cursor of this rank.
    fn against(&self, at: u32, cursor: &Cursor, rank: u64) -> Ordering {
        (self.rank(at).cmp(&rank))
            .then_with(|| self.text(at).cmp(cursor.text.as_slice()))
            .then_with(|| self.index.users.id(at).cmp(&cursor.id))
    }

    /// At most `most` members between two places in ascending order, from the lower end (`forward`) or the upper; and
    /// whether there are members before and after them.
    fn stretch(
        &self,
        members: &RoaringBitmap,
        after: Option<&Cursor>,
        before: Option<&Cursor>,
        most: usize,
        forward: bool,
    ) -> (Vec<u32>, bool, bool) {
        if let Some(kept) = self.kept {
            // Walking costs a step for every non-member in between; gathering costs a comparison for every member.
            let (len, wanted) = (members.len(), (most as u64).min(members.len()) + 1);
            if len.saturating_mul(len).saturating_mul(20) > wanted.saturating_mul(kept.len() as u64) {
                return self.walk(kept, members, after, before, most, forward);
            }
        }
        self.gather(members, after, before, most, forward)
    }

    fn walk(
        &self,
        kept: &[u32],
        members: &RoaringBitmap,
        after: Option<&Cursor>,
        before: Option<&Cursor>,
        most: usize,
        forward: bool,
    ) -> (Vec<u32>, bool, bool) {
        let low = after.map_or(0, |cursor| kept.partition_point(|&at| self.against(at, cursor, 0).is_le()));
        let high = before.map_or(kept.len(), |cursor| kept.partition_point(|&at| self.against(at, cursor, 0).is_lt()));
        let high = high.max(low);
        let is_member = |&at: &u32| members.contains(at);
        let inside = &kept[low..high];
        let mut more_before = kept[..low].iter().rev().copied().any(|at| is_member(&at));
        let mut more_after = kept[high..].iter().copied().any(|at| is_member(&at));
        let wanted = most.saturating_add(1);
        let mut found: Vec<u32> = if forward {
            inside.iter().copied().filter(is_member).take(wanted).collect()
        } else {
            inside.iter().rev().copied().filter(is_member).take(wanted).collect()
        };
        if found.len() > most {
            found.truncate(most);
            if forward {
                more_after = true;
            } else {
                more_before = true;
            }
        }
        if !forward {
            found.reverse();
        }
        (found, more_before, more_after)
    }

    fn gather(
        &self,
        members: &RoaringBitmap,
        after: Option<&Cursor>,
        before: Option<&Cursor>,
        most: usize,
        forward: bool,
    ) -> (Vec<u32>, bool, bool) {
        let after = after.map(|cursor| (cursor, self.cursor_rank(cursor)));
        let before = before.map(|cursor| (cursor, self.cursor_rank(cursor)));
        let (mut more_before, mut more_after) = (false, false);
        let mut inside: Vec<u32> = Vec::new();
        for at in members {
            if after.is_some_and(|(cursor, rank)| self.against(at, cursor, rank).is_le()) {
                more_before = true;
            } else if before.is_some_and(|(cursor, rank)| self.against(at, cursor, rank).is_ge()) {
                more_after = true;
            } else {
                inside.push(at);
            }
        }
        let cut = inside.len().saturating_sub(most);
        if cut > 0 && forward {
            inside.select_nth_unstable_by(most, |&a, &b| self.compare(a, b));
            inside.truncate(most);
            more_after = true;
        } else if cut > 0 {
            inside.select_nth_unstable_by(cut - 1, |&a, &b| self.compare(a, b));
            inside.drain(..cut);
            more_before = true;
        }
        inside.sort_unstable_by(|&a, &b| self.compare(a, b));
        (inside, more_before, more_after)
    }
}
