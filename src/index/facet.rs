//! Facets: how many members have each value of an attribute, the most frequent values first.
//!
//! What does not live here: how often each code of a column is there (`column`), and the spelling of values.

use std::cmp::Ordering;
use std::ops::RangeInclusive;

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use entity::attribute::{self, AttributeType};
use entity::{IntegrationId, UserId};
use roaring::RoaringBitmap;
use rustc_hash::{FxHashMap, FxHashSet};
use uuid::Uuid;

use super::attributes::{AttributeColumn, stored_form};
use super::column::{Column, options};
use super::cursor::{put, take};
use super::{Index, Members, OtherEpoch, ordinal};
use crate::value::{Key, Value, fold, nfc};

/// Which of the values of an attribute are wanted.
#[derive(Clone, Debug)]
pub struct FacetWindow<'a> {
    /// Only values in which this stands, ignoring case: as they are shown, and of a user name and email.
    pub search: Option<&'a str>,
    /// Only what comes after this place.
    pub after: Option<&'a FacetCursor>,
    /// Only what comes before this place.
    pub before: Option<&'a FacetCursor>,
    /// At most so many, at least 1.
    pub limit: usize,
    /// Whether to take the last rather than the first.
    pub from_end: bool,
}

impl FacetWindow<'_> {
    /// All values.
    pub const ALL: Self = Self { search: None, after: None, before: None, limit: usize::MAX, from_end: false };
}

/// A place in a list of values, the most frequent first. It outlives the value that it was taken from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FacetCursor {
    attribute: String,
    count: u64,
    text: Vec<u8>,
}

impl FacetCursor {
    /// The cursor as text for a URL.
    #[must_use]
    pub fn encode(&self) -> String {
        let mut bytes = vec![1];
        put(&mut bytes, self.attribute.as_bytes());
        bytes.extend_from_slice(&self.count.to_be_bytes());
        bytes.extend_from_slice(&self.text);
        URL_SAFE_NO_PAD.encode(bytes)
    }

    /// Reads a cursor that is to be used with the values of the attribute of this key.
    #[must_use]
    pub fn decode(text: &str, key: &str) -> Option<Self> {
        let bytes = URL_SAFE_NO_PAD.decode(text).ok()?;
        let [1, rest @ ..] = bytes.as_slice() else { return None };
        let mut rest = rest;
        let attribute = String::from_utf8(take(&mut rest)?.to_vec()).ok().filter(|attribute| attribute == key)?;
        let (count, text) = rest.split_first_chunk::<8>()?;
        Some(Self { attribute, count: u64::from_be_bytes(*count), text: text.to_vec() })
    }

    fn cmp(&self, candidate: &Candidate<'_>) -> Ordering {
        candidate.count.cmp(&self.count).then_with(|| self.text.as_slice().cmp(candidate.text))
    }
}

/// One value of an attribute among some members.
#[derive(Clone, Debug, PartialEq)]
pub struct Facet {
    /// The value, as bytes that compare as values do; of `MULTI_SELECT` one option, of `integration` the id.
    pub key: Key,
    /// How many of the members have it.
    pub count: u64,
    /// One of them, whose record spells the value as people write it; none where the key tells all of the value.
    pub example: Option<UserId>,
    /// The place of the value in the list.
    pub cursor: FacetCursor,
}

impl Facet {
    /// The value, as far as the key tells: text is folded, and options are.
    #[must_use]
    pub fn value(&self, r#type: AttributeType) -> Option<Value> {
        Value::from_stored(r#type, &stored_form(r#type, self.key.as_bytes())?)
    }

    /// The integration that the key names, of the attribute `integration`.
    #[must_use]
    pub fn integration(&self) -> Option<IntegrationId> {
        Uuid::from_slice(self.key.as_bytes()).ok().map(IntegrationId)
    }
}

/// The values of an attribute among some members: a stretch of the list of them.
#[derive(Clone, Debug, PartialEq)]
pub struct Facets {
    /// The values, the most frequent first; those that are as frequent in their own order, users in that of their
    /// emails.
    pub values: Vec<Facet>,
    /// Whether there are values after the last of them.
    pub has_next: bool,
    /// Whether there are values before the first of them.
    pub has_previous: bool,
    /// How many values there are that the search finds.
    pub distinct: u64,
    /// How many members were counted.
    pub members: u64,
    /// How many of them have no value.
    pub without: u64,
}

impl Index {
    /// The values of an attribute among the members, the most frequent first; none where there is no attribute of this
    /// key.
    ///
    /// Of the attribute `email` the values are all emails, and of `integration` the integrations in which members have
    /// accounts.
    ///
    /// # Errors
    /// [`OtherEpoch`] where the members were selected from another build of the index.
    pub fn facets(&self, members: &Members, key: &str, window: &FacetWindow<'_>) -> Result<Option<Facets>, OtherEpoch> {
        let members = self.living(members)?;
        let Some(attribute) = self.attribute(key) else { return Ok(None) };
        let search = window.search.map(Search::new).filter(|search| !search.text.is_empty());
        let search = search.as_ref();
        let top = Top::new(window);
        let (top, without) = match (attribute.r#type, self.attributes.find(key)) {
            (AttributeType::MultiSelect, Some(found)) => choices(found, &members, self, search, top),
            (AttributeType::User, Some(found)) => self.people(found, &members, search, top),
            (_, Some(found)) => column(&found.column, Some(attribute.r#type), &members, self, search, top),
            (AttributeType::Integration, None) => self.tools(&members, search, top),
            (_, None) if key == "name" => column(&self.users.names, None, &members, self, search, top),
            (_, None) => self.addresses(&members, search, top),
        };
        let examples = self.examples(attribute, &members, &top.kept);
        let values = top.kept.iter().zip(examples).map(|(candidate, example)| Facet {
            key: Key::verbatim(candidate.value),
            count: candidate.count,
            example,
            cursor: FacetCursor { attribute: key.to_owned(), count: candidate.count, text: candidate.text.to_vec() },
        });
        let values = values.collect();
        let Top { has_next, has_previous, distinct, .. } = top;
        Ok(Some(Facets { values, has_next, has_previous, distinct, members: members.len(), without }))
    }

    /// Values that are users, found by name or email and in the order of their emails.
    fn people<'a>(
        &'a self,
        found: &'a AttributeColumn,
        members: &RoaringBitmap,
        search: Option<&Search>,
        mut top: Top<'a>,
    ) -> (Top<'a>, u64) {
        let counts = found.column.tally(members, &self.users.live);
        for (code, count) in there(&counts) {
            let (person, value) = (found.manager(code), found.column.values.value(code));
            let is_found = |search: &Search| {
                person.is_some_and(|at| {
                    contains(self.users.email(at), &search.email) || contains(self.users.name(at), &search.text)
                })
            };
            if search.is_none_or(is_found) {
                let text = person.map_or(value, |at| self.users.email(at));
                top.offer(Candidate { count, text, value });
            }
        }
        (top.finish(), without(members, &counts))
    }

    /// The emails of members, each of which is one user's.
    fn addresses<'a>(&'a self, members: &RoaringBitmap, search: Option<&Search>, mut top: Top<'a>) -> (Top<'a>, u64) {
        let emails = &self.users.emails;
        let mut offer = |code: u32| {
            if emails.owner(code).is_some_and(|owner| members.contains(owner)) {
                let email = emails.values.value(code);
                top.offer(Candidate { count: 1, text: email, value: email });
            }
        };
        match search {
            Some(search) => emails.values.containing(&search.email).into_iter().for_each(&mut offer),
            None => (1..ordinal(emails.values.len())).for_each(&mut offer),
        }
        (top.finish(), 0)
    }

    /// The integrations in which members have accounts.
    fn tools<'a>(&'a self, members: &RoaringBitmap, search: Option<&Search>, mut top: Top<'a>) -> (Top<'a>, u64) {
        let owners = &self.accounts.owners.by_integration;
        for (integration, owners) in self.integrations.iter().zip(owners) {
            let Some(integration) = integration else { continue };
            let (count, name) = (owners.intersection_len(members), integration.name_key.as_bytes());
            if count > 0 && search.is_none_or(|search| contains(name, &search.text)) {
                top.offer(Candidate { count, text: name, value: integration.id.0.as_bytes() });
            }
        }
        let with = roaring::MultiOps::union(owners.iter());
        (top.finish(), members.len() - with.intersection_len(members))
    }

    /// For each value one of the members who have it, where only a record tells how it is written.
    fn examples(
        &self,
        attribute: &attribute::Model,
        members: &RoaringBitmap,
        wanted: &[Candidate<'_>],
    ) -> Vec<Option<UserId>> {
        let column = match (attribute.r#type, self.attributes.find(&attribute.key)) {
            (AttributeType::Text | AttributeType::Url | AttributeType::Email, Some(found)) => &found.column,
            (_, None) if attribute.key == "name" => &self.users.names,
            _ => return vec![None; wanted.len()],
        };
        let codes: Vec<u32> =
            wanted.iter().map(|candidate| column.values.find(candidate.value).unwrap_or_default()).collect();
        let mut open: FxHashSet<u32> = codes.iter().copied().collect();
        let mut found: FxHashMap<u32, UserId> = FxHashMap::default();
        // Frequent values are met soon, and unique ones come in about the order in which users do.
        for at in members {
            if open.is_empty() {
                break;
            }
            let code = column.codes.code(at);
            if open.remove(&code) {
                found.insert(code, self.users.id(at));
            }
        }
        codes.iter().map(|code| found.get(code).copied()).collect()
    }
}

/// The values of a column, each of which is one value; `type` says how they are shown, text if it says nothing.
fn column<'a>(
    column: &'a Column,
    r#type: Option<AttributeType>,
    members: &RoaringBitmap,
    index: &Index,
    search: Option<&Search>,
    mut top: Top<'a>,
) -> (Top<'a>, u64) {
    let counts = column.tally(members, &index.users.live);
    let shown =
        r#type.filter(|r#type| matches!(r#type, AttributeType::Number | AttributeType::Date | AttributeType::Boolean));
    let candidate = |code: u32, count: u64| {
        let value = column.values.value(code);
        Candidate { count, text: value, value }
    };
    match (search, shown) {
        (None, _) if !column.sorted().is_empty() => {
            // In their order, from the window's end: of values that are as frequent the first are shown, and the others
            // need not be looked at.
            let from_end = top.window.from_end;
            let offer = |code: &u32| {
                let count = u64::from(counts[*code as usize]);
                if top.worth.contains(&count) {
                    top.offer(candidate(*code, count));
                }
            };
            let in_order = column.sorted().iter();
            if from_end {
                in_order.rev().for_each(offer);
            } else {
                in_order.for_each(offer);
            }
            top.distinct = there(&counts).count() as u64;
        }
        (None, _) => there(&counts).for_each(|(code, count)| top.offer(candidate(code, count))),
        (Some(search), None) => {
            let found = column.values.containing(&search.text).into_iter();
            let found = found.map(|code| (code, counts[code as usize])).filter(|(_, count)| *count > 0);
            found.for_each(|(code, count)| top.offer(candidate(code, count.into())));
        }
        (Some(search), Some(r#type)) => there(&counts)
            .filter(|(code, _)| show(r#type, column.values.value(*code)).contains(&search.text))
            .for_each(|(code, count)| top.offer(candidate(code, count))),
    }
    (top.finish(), without(members, &counts))
}

/// The options of a `MULTI_SELECT`, each counted wherever it is chosen.
fn choices<'a>(
    found: &'a AttributeColumn,
    members: &RoaringBitmap,
    index: &Index,
    search: Option<&Search>,
    mut top: Top<'a>,
) -> (Top<'a>, u64) {
    let counts = found.column.tally(members, &index.users.live);
    let mut by_option: FxHashMap<&[u8], u64> = FxHashMap::default();
    for (code, count) in there(&counts) {
        for option in options(found.column.values.value(code)) {
            *by_option.entry(option).or_default() += count;
        }
    }
    for (option, count) in by_option {
        if search.is_none_or(|search| contains(option, &search.text)) {
            top.offer(Candidate { count, text: option, value: option });
        }
    }
    (top.finish(), without(members, &counts))
}

/// The codes that are there, each with how often.
fn there(counts: &[u32]) -> impl Iterator<Item = (u32, u64)> {
    (0..).zip(counts).skip(1).filter(|(_, count)| **count > 0).map(|(code, count)| (code, u64::from(*count)))
}

/// How many members have none of the values.
fn without(members: &RoaringBitmap, counts: &[u32]) -> u64 {
    members.len() - counts.iter().skip(1).map(|count| u64::from(*count)).sum::<u64>()
}

fn contains(text: &[u8], search: &str) -> bool {
    memchr::memmem::find(text, search.as_bytes()).is_some()
}

/// A value as people see it, where its bytes are not text.
fn show(r#type: AttributeType, value: &[u8]) -> String {
    let value = stored_form(r#type, value).and_then(|stored| Value::from_stored(r#type, &stored));
    value.map(|value| crate::value::show(&value, |_| None)).unwrap_or_default()
}

/// A text that is looked for, in the forms in which texts and emails are kept.
struct Search {
    text: String,
    email: String,
}

impl Search {
    fn new(text: &str) -> Self {
        Self { text: fold(text), email: nfc(text.trim()).to_lowercase() }
    }
}

/// A value that may be wanted.
#[derive(Clone, Copy)]
struct Candidate<'a> {
    count: u64,
    /// What it is sorted by among those that are as frequent; no other value has the same.
    text: &'a [u8],
    value: &'a [u8],
}

impl Candidate<'_> {
    fn cmp(&self, other: &Self) -> Ordering {
        other.count.cmp(&self.count).then_with(|| self.text.cmp(other.text))
    }
}

/// Picks out of any number of values those that a window shows, without sorting the others.
struct Top<'a> {
    window: FacetWindow<'a>,
    kept: Vec<Candidate<'a>>,
    /// Nothing beyond this one will be shown.
    bound: Option<Candidate<'a>>,
    /// How frequent a value must be to be shown, if values are offered in the order in which the window takes those that
    /// are as frequent.
    worth: RangeInclusive<u64>,
    has_next: bool,
    has_previous: bool,
    distinct: u64,
}

impl<'a> Top<'a> {
    fn new(window: &FacetWindow<'a>) -> Self {
        let window = window.clone();
        let worth = 1..=u64::MAX;
        Self { window, kept: Vec::new(), bound: None, worth, has_next: false, has_previous: false, distinct: 0 }
    }

    /// How two candidates follow each other, from the end at which the window is.
    fn order(from_end: bool, a: &Candidate<'_>, b: &Candidate<'_>) -> Ordering {
        if from_end { b.cmp(a) } else { a.cmp(b) }
    }

    fn offer(&mut self, candidate: Candidate<'a>) {
        self.distinct += 1;
        if self.window.after.is_some_and(|after| after.cmp(&candidate).is_ge()) {
            self.has_previous = true;
        } else if self.window.before.is_some_and(|before| before.cmp(&candidate).is_le()) {
            self.has_next = true;
        } else if self.bound.is_none_or(|bound| Self::order(self.window.from_end, &candidate, &bound).is_lt()) {
            self.kept.push(candidate);
            if self.kept.len() >= self.window.limit.saturating_mul(2) {
                self.cut();
            }
        }
    }

    /// Leaves no more than the window shows.
    fn cut(&mut self) {
        let FacetWindow { limit, from_end, .. } = self.window;
        if self.kept.len() > limit {
            self.kept.select_nth_unstable_by(limit.saturating_sub(1), |a, b| Self::order(from_end, a, b));
            self.kept.truncate(limit);
            self.bound = self.kept.last().copied();
            let count = self.kept.last().map_or(0, |last| last.count);
            self.worth = if from_end { 1..=count.saturating_sub(1) } else { count + 1..=u64::MAX };
        }
    }

    fn finish(mut self) -> Self {
        self.cut();
        self.kept.sort_unstable_by(Candidate::cmp);
        // Whatever is neither shown nor outside of the window was cut off.
        if self.bound.is_some() {
            *(if self.window.from_end { &mut self.has_previous } else { &mut self.has_next }) = true;
        }
        self
    }
}
