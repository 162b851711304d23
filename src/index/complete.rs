//! What can stand at a place of a filter that is being written as text: the values that users have.
//!
//! What does not live here: what the grammar takes at the place (`filter::text`).

use std::cmp::Reverse;
use std::collections::BinaryHeap;
use std::ops::Range;
use std::sync::Arc;

use entity::attribute::AttributeType;
use entity::{UserId, attribute};

use super::Index;
use super::attributes::stored_form;
use super::column::{Column, options};
use crate::filter::Scalar;
use crate::filter::text::{About, Completion, CompletionKind, Offer, Spelling, complete};
use crate::record::OrgUnitRecord;
use crate::value::{GlobalId, split_path};

/// The most values whose counts are compared. Of more, the most frequent come from those that many users have, and the
/// others are the first in order.
const COMPARED: usize = if cfg!(test) { 4 } else { 2_000 };

impl Index {
    /// What can stand at the byte `cursor` of a filter as text, at most `most` of it.
    #[must_use]
    pub fn complete_filter(&self, text: &str, cursor: usize, most: usize) -> Vec<Completion> {
        self.with_names(|names| {
            complete(text, cursor, names, &|about, typed, most| self.offers(about, typed, most), most)
        })
    }

    /// The values of something that begin as `typed` does, which is folded; the most frequent first.
    fn offers(&self, about: About<'_>, typed: &str, most: usize) -> Vec<Offer> {
        match about {
            About::Attribute(attribute) if attribute.r#type == AttributeType::User => self.users(typed, most),
            About::Attribute(attribute) => self.values(attribute, typed, most),
            About::Name => self.by_name(typed, most).into_iter().map(|at| self.name_offer(at)).collect(),
            About::Email => self.by_email(typed, most).into_iter().map(|at| self.user_offer(at)).collect(),
            About::Integration => {
                let named = self.integrations().into_iter().filter(|known| known.name_key.starts_with(typed));
                named.map(|known| Offer::new(Scalar::Text(known.name.clone()), CompletionKind::Integration)).collect()
            }
            About::OrgUnit => self.units_below(typed, most),
            About::Unknown | About::Account(_) | About::Kind => Vec::new(),
        }
    }

    /// Distinct values of an attribute that is not USER; of `MULTI_SELECT` the options.
    fn values(&self, attribute: &attribute::Model, typed: &str, most: usize) -> Vec<Offer> {
        let Some(found) = self.attributes.find(&attribute.key) else { return Vec::new() };
        let column = &*found.column;
        let r#type = attribute.r#type;
        if r#type == AttributeType::MultiSelect {
            return options_of(column);
        }
        // What is written of a number or a day is no prefix of its bytes.
        let is_text = !matches!(r#type, AttributeType::Number | AttributeType::Date | AttributeType::Boolean);
        let shown = |code: u32| match stored_form(r#type, column.values.value(code))? {
            serde_json::Value::String(text) => Some(Scalar::Text(text)),
            serde_json::Value::Number(number) => number.as_f64().map(Scalar::Number),
            serde_json::Value::Bool(truth) => Some(Scalar::Boolean(truth)),
            _ => None,
        };
        let begins = |code: u32| match shown(code) {
            _ if is_text || typed.is_empty() => true,
            Some(Scalar::Text(text)) => text.starts_with(typed),
            Some(Scalar::Number(number)) => number.to_string().starts_with(typed),
            Some(Scalar::Boolean(_)) | None => false,
        };
        let codes = column.most_frequent(if is_text { typed.as_bytes() } else { b"" }, most, begins);
        let examples = if is_text { column.examples(&codes) } else { vec![None; codes.len()] };
        let offers = codes.iter().zip(examples).filter_map(|(&code, example)| {
            let offer = Offer::new(shown(code)?, CompletionKind::Value);
            let spelling = example.map(|at| Spelling::Value(self.users.id(at), attribute.key.clone()));
            Some(Offer { count: Some(column.count(code)), spelling, ..offer })
        });
        offers.collect()
    }

    /// Users by name or email, to be named by email.
    fn users(&self, typed: &str, most: usize) -> Vec<Offer> {
        let mut found = self.by_name(typed, most);
        found.extend(self.by_email(typed, most));
        let mut offers: Vec<Offer> = Vec::new();
        for at in found {
            let offer = self.user_offer(at);
            if offers.len() < most && !offers.contains(&offer) {
                offers.push(offer);
            }
        }
        offers
    }

    fn user_offer(&self, at: u32) -> Offer {
        let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
        let email = text(self.users.email(at));
        let offer = Offer::new(Scalar::Text(email.clone()), CompletionKind::User);
        let spelling = Some(Spelling::User(self.users.id(at)));
        Offer { label: Some(text(self.users.name(at))), detail: Some(email), spelling, ..offer }
    }

    fn name_offer(&self, at: u32) -> Offer {
        let name = String::from_utf8_lossy(self.users.name(at)).into_owned();
        let offer = Offer::new(Scalar::Text(name), CompletionKind::Value);
        let count = self.users.names.count(self.users.names.codes.code(at));
        Offer { count: Some(count), spelling: Some(Spelling::Name(self.users.id(at))), ..offer }
    }

    /// Users whose name begins so, in order, each name once.
    fn by_name(&self, typed: &str, most: usize) -> Vec<u32> {
        let list = self.users.by_name.list();
        let mut found: Vec<u32> = Vec::new();
        let mut at = list.partition_point(|&user| self.users.name(user) < typed.as_bytes());
        while let Some(&user) = list.get(at)
            && self.users.name(user).starts_with(typed.as_bytes())
            && found.len() < most
        {
            found.push(user);
            let name = self.users.name(user);
            at += list[at..].partition_point(|&other| self.users.name(other) <= name);
        }
        found
    }

    /// Users whose primary email begins so, in order.
    fn by_email(&self, typed: &str, most: usize) -> Vec<u32> {
        let list = self.users.by_email.list();
        let from = list.partition_point(|&user| self.users.email(user) < typed.as_bytes());
        let begins = |user: &&u32| self.users.email(**user).starts_with(typed.as_bytes());
        list[from..].iter().take_while(begins).take(most).copied().collect()
    }

    /// Org units by path: below the names before the last one, or anywhere, those whose name begins as the last one does.
    fn units_below(&self, typed: &str, most: usize) -> Vec<Offer> {
        let names = split_path(typed);
        let names: Vec<&str> = names.iter().map(String::as_str).collect();
        let (name, above) = names.split_last().map_or(("", &names[..]), |(name, above)| (*name, above));
        let begins = |unit: &&Arc<OrgUnitRecord>| unit.row.name_key.starts_with(name);
        let mut found: Vec<_> = if above.is_empty() {
            self.org_units().filter(begins).collect()
        } else {
            let parent = self.org_unit_at(above).map(|unit| unit.row.id);
            let below = parent.map(|parent| self.org_unit_children(Some(parent))).unwrap_or_default();
            below.iter().filter_map(|id| self.org_unit(*id)).filter(begins).collect()
        };
        found.sort_unstable_by(|a, b| a.row.name_key.cmp(&b.row.name_key).then(a.row.id.cmp(&b.row.id)));
        let offers = found.into_iter().take(most).map(|unit| {
            let id = unit.row.id;
            let path = self.path(id);
            // A name that reads as an id leads elsewhere.
            let leads_back = entity::OrgUnitId::parse(&path).is_err()
                && self.find_org_unit(&path).is_some_and(|found| found.row.id == id);
            let value = if leads_back { path.clone() } else { id.to_global() };
            Offer { label: Some(path), ..Offer::new(Scalar::Text(value), CompletionKind::OrgUnit) }
        });
        offers.collect()
    }
}

/// The options that values of a `MULTI_SELECT` attribute have, folded, with how many users have each; nothing where
/// there are too many sets of options to count.
fn options_of(column: &Column) -> Vec<Offer> {
    let mut counts: std::collections::BTreeMap<&[u8], u64> = std::collections::BTreeMap::new();
    if column.values.len() <= COMPARED {
        for code in 1..super::ordinal(column.values.len()) {
            for option in options(column.values.value(code)) {
                *counts.entry(option).or_default() += column.count(code);
            }
        }
    }
    let offers = counts.into_iter().map(|(option, count)| {
        let value = Scalar::Text(String::from_utf8_lossy(option).into_owned());
        Offer { count: Some(count), ..Offer::new(value, CompletionKind::Option) }
    });
    offers.collect()
}

/// How many users have a value, the value, and its code: the most frequent is the least, and of those alike the first.
type Ranked<'a> = Reverse<(u64, Reverse<&'a [u8]>, u32)>;

impl Column {
    /// The codes of values that begin so, that `passes` accepts and that users have: the most frequent first, and those
    /// of the same count in order.
    ///
    /// Of very many such values not all counts are looked at, but all that many users have are; the rest is the first in
    /// order.
    fn most_frequent(&self, prefix: &[u8], most: usize, passes: impl Fn(u32) -> bool) -> Vec<u32> {
        let sorted = self.sorted();
        let Range { start, end } = self.with_prefix(prefix);
        let inside = &sorted[start..end];
        let value = |code: u32| self.values.value(code);
        // The least of those that are kept is on top.
        let mut best: BinaryHeap<Ranked<'_>> = BinaryHeap::new();
        let mut consider = |code: u32| {
            let count = self.count(code);
            let is_better = best.len() < most || best.peek().is_some_and(|Reverse((least, ..))| count >= *least);
            if count > 0 && is_better && passes(code) {
                best.push(Reverse((count, Reverse(value(code)), code)));
                if best.len() > most {
                    best.pop();
                }
            }
        };
        if inside.len() <= COMPARED {
            inside.iter().for_each(|code| consider(*code));
        } else {
            self.frequent().filter(|code| value(*code).starts_with(prefix)).for_each(&mut consider);
            inside[..COMPARED].iter().filter(|code| !self.is_frequent(**code)).for_each(|code| consider(*code));
        }
        let mut best = best.into_vec();
        best.sort_unstable();
        best.into_iter().map(|Reverse((_, _, code))| code).collect()
    }

    /// Where among the codes in order those of values stand that begin so.
    fn with_prefix(&self, prefix: &[u8]) -> Range<usize> {
        let sorted = self.sorted();
        let start = sorted.partition_point(|&code| self.values.value(code) < prefix);
        let len = sorted[start..].partition_point(|&code| self.values.value(code).starts_with(prefix));
        start..start + len
    }

    /// A user for each code who has its value.
    fn examples(&self, codes: &[u32]) -> Vec<Option<u32>> {
        let rare: Vec<u32> = codes.iter().copied().filter(|code| self.bitmap(*code).is_none()).collect();
        let of_rare = self.users(&rare);
        let holder = |code: u32| match self.bitmap(code) {
            Some(bitmap) => bitmap.min(),
            None => of_rare.iter().find(|&at| self.codes.code(at) == code),
        };
        codes.iter().map(|&code| holder(code)).collect()
    }
}

/// Who is to be looked up for the spelling of a completion.
impl Spelling {
    /// The user.
    #[must_use]
    pub fn user(&self) -> UserId {
        match self {
            Self::Name(user) | Self::User(user) | Self::Value(user, _) => *user,
        }
    }
}
