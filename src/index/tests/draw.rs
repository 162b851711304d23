//! Random directories, filters and runs of changes, small enough that everything collides with everything.

use std::collections::BTreeSet;

use entity::attribute::AttributeType;
use entity::integration::IntegrationKind;
use entity::org_unit::OrgUnitScope;
use proptest::prelude::*;
use serde_json::{Map, Value as Json, json};

use super::directory::*;
use crate::filter::{AccountFilter, AttributeFilter, Between, Condition, Filter, OrgUnitFilter, Scalar};
use crate::record::{Change, Record, RecordId};
use crate::value::{GlobalId, Value};

const TEXTS: [&str; 6] = ["Red", "GRÖSSE", "50%_off", "2020-01-01", "reddish", "größe "];
const DAYS: [&str; 4] = ["2020-01-01", "1969-12-31", "2020-01-02", "1000-01-01"];
const OPTIONS: [&str; 4] = ["Red", "Green", "größe", "2020-01-01"];
const USERNAMES: [&str; 4] = ["Ann", "ann", "bob-1", "ÄNN"];
/// Each with the type it starts with.
pub(super) const ATTRIBUTES: [(&str, AttributeType); 7] = [
    ("text", AttributeType::Text),
    ("number", AttributeType::Number),
    ("truth", AttributeType::Boolean),
    ("day", AttributeType::Date),
    ("choice", AttributeType::Select),
    ("choices", AttributeType::MultiSelect),
    ("manager", AttributeType::User),
];
const KINDS: [IntegrationKind; 3] = [IntegrationKind::GitHub, IntegrationKind::Slack, IntegrationKind::GitHub];

/// One thing that happens to a directory.
#[derive(Clone, Debug)]
pub(super) enum Step {
    PutUser(usize, [u8; 10]),
    DropUser(usize),
    SwapEmails(usize, usize),
    PutAccount(usize, [u8; 7]),
    DropAccount(usize),
    PutUnit(usize, Option<usize>, bool, Option<Box<Filter>>, BTreeSet<usize>, BTreeSet<usize>),
    DropUnit(usize),
    PutAttribute(usize),
    DropAttribute(usize),
    Retype(usize, usize),
    PutIntegration(usize),
    DropIntegration(usize),
}

pub(super) fn step() -> impl Strategy<Value = Step> {
    let unit = (0..5_usize, prop::option::of(0..5_usize), any::<bool>(), prop::option::weighted(0.8, filter()));
    let users = || prop::collection::btree_set(0..12_usize, 0..3);
    prop_oneof![
        12 => (0..12_usize, any::<[u8; 10]>()).prop_map(|(number, seed)| Step::PutUser(number, seed)),
        3 => (0..12_usize).prop_map(Step::DropUser),
        1 => (0..12_usize, 0..12_usize).prop_map(|(a, b)| Step::SwapEmails(a, b)),
        8 => (0..12_usize, any::<[u8; 7]>()).prop_map(|(number, seed)| Step::PutAccount(number, seed)),
        2 => (0..12_usize).prop_map(Step::DropAccount),
        3 => (unit, users(), users()).prop_map(|((number, parent, scope, filter), pinned, excluded)| {
            // A tree: only an earlier unit can be above.
            Step::PutUnit(number, parent.filter(|parent| *parent < number), scope, filter.map(Box::new), pinned, excluded)
        }),
        1 => (0..5_usize).prop_map(Step::DropUnit),
        1 => (0..7_usize).prop_map(Step::PutAttribute),
        1 => (0..7_usize).prop_map(Step::DropAttribute),
        1 => (0..7_usize, 0..7_usize).prop_map(|(attribute, to)| Step::Retype(attribute, to)),
        1 => (0..3_usize).prop_map(Step::PutIntegration),
        1 => (0..3_usize).prop_map(Step::DropIntegration),
    ]
}

pub(super) fn filter() -> impl Strategy<Value = Filter> {
    leaf().prop_recursive(3, 12, 3, |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..4).prop_map(Filter::All),
            prop::collection::vec(inner.clone(), 0..4).prop_map(Filter::Any),
            inner.prop_map(|part| Filter::Not(Box::new(part))),
        ]
    })
}

fn leaf() -> impl Strategy<Value = Filter> {
    let account = (
        prop::option::of(0..3_usize),
        prop::option::of(0..2_usize),
        prop::option::of(pattern(&USERNAMES)),
        prop::option::of(address()),
        prop::option::of(pattern(&TEXTS)),
        prop::option::of(any::<bool>()),
    );
    prop_oneof![
        1 => pattern(&TEXTS).prop_map(Filter::Name),
        1 => address().prop_map(Filter::Email),
        4 => condition().prop_map(|(key, is)| Filter::Attribute(AttributeFilter { key: key.to_owned(), is })),
        2 => account.prop_map(|(integration, kind, username, email, display_name, is_bot)| {
            let kind = if integration.is_some() { None } else { kind.map(|kind| KINDS[kind]) };
            let integration = integration.map(|number| format!("Tool {number}"));
            Filter::Account(AccountFilter { integration, kind, username, email, display_name, is_bot })
        }),
        1 => (0..5_usize, any::<bool>()).prop_map(|(number, descendants)| {
            Filter::OrgUnit(OrgUnitFilter { id: unit_id(number).to_global(), descendants })
        }),
    ]
}

fn pattern(texts: &'static [&'static str]) -> impl Strategy<Value = Condition> {
    let text = || prop::sample::select(texts).prop_map(str::to_owned);
    let part = prop::sample::select(&["re", "ED", "ö", "n", "ss", "1", "e "][..]).prop_map(str::to_owned);
    prop_oneof![
        text().prop_map(|text| Condition::Equals(Scalar::Text(text))),
        prop::collection::vec(text().prop_map(Scalar::Text), 1..4).prop_map(Condition::In),
        part.clone().prop_map(Condition::Contains),
        part.clone().prop_map(Condition::StartsWith),
        part.prop_map(Condition::EndsWith),
        any::<bool>().prop_map(Condition::IsEmpty),
    ]
}

fn address() -> impl Strategy<Value = Condition> {
    prop_oneof![
        (0..16_usize).prop_map(|number| Condition::Equals(Scalar::Text(email(number)))),
        prop::sample::select(&["1", "u", "E.com", "@example"][..])
            .prop_map(|part| Condition::Contains(part.to_owned())),
        any::<bool>().prop_map(Condition::IsEmpty),
    ]
}

fn condition() -> impl Strategy<Value = (&'static str, Condition)> {
    let number = || (-3..4_i8).prop_map(|number| Scalar::Number(f64::from(number) / 2.0));
    let days = &["2020-01-01", "1969-12-31", "2020-01-02", "1000-01-01", "now", "now+1d", "now-1m", "now-36500y"][..];
    let day = || prop::sample::select(days).prop_map(|day| Scalar::Text(day.to_owned()));
    let options = || prop::collection::vec(prop::sample::select(&OPTIONS[..]).prop_map(str::to_owned), 1..3);
    let person = || (0..12_usize).prop_map(|number| user_id(number).to_global());
    prop_oneof![
        1 => pattern(&TEXTS).prop_map(|is| ("text", is)),
        1 => number().prop_map(|value| ("number", Condition::AtLeast(value))),
        1 => number().prop_map(|value| ("number", Condition::LessThan(value))),
        1 => (number(), number()).prop_map(|(from, to)| ("number", Condition::Between(Between { from, to }))),
        1 => any::<bool>().prop_map(|truth| ("truth", Condition::Equals(Scalar::Boolean(truth)))),
        1 => day().prop_map(|value| ("day", Condition::GreaterThan(value))),
        1 => day().prop_map(|value| ("day", Condition::AtMost(value))),
        1 => prop::sample::select(&OPTIONS[..])
            .prop_map(|option| ("choice", Condition::Equals(Scalar::Text(option.to_uppercase())))),
        1 => options().prop_map(|options| ("choices", Condition::HasAny(options))),
        1 => options().prop_map(|options| ("choices", Condition::HasAll(options))),
        1 => person().prop_map(|person| ("manager", Condition::Equals(Scalar::Text(person)))),
        3 => person().prop_map(|person| ("manager", Condition::ReportsTo(person))),
        1 => (prop::sample::select(&ATTRIBUTES[..]), any::<bool>())
            .prop_map(|((key, _), truth)| (key, Condition::IsEmpty(truth))),
    ]
}

fn email(number: usize) -> String {
    format!("u{number}@example.com")
}

/// A stored value of a type, or none.
fn stored(r#type: AttributeType, seed: u8) -> Option<Json> {
    let at = usize::from(seed);
    if at % 4 == 0 {
        return None;
    }
    Some(match r#type {
        AttributeType::Text | AttributeType::Email | AttributeType::Url => TEXTS[at % TEXTS.len()].trim().into(),
        AttributeType::Number => (f64::from(seed % 7) / 2.0 - 1.5).into(),
        AttributeType::Boolean => (at % 3 == 0).into(),
        AttributeType::Date => DAYS[at % DAYS.len()].into(),
        AttributeType::Select => OPTIONS[at % OPTIONS.len()].into(),
        AttributeType::MultiSelect => {
            let chosen: Vec<&str> =
                OPTIONS.iter().enumerate().filter(|(bit, _)| at >> bit & 1 == 1).map(|(_, option)| *option).collect();
            if chosen.is_empty() {
                return None;
            }
            json!(chosen)
        }
        AttributeType::User => user_id(at % 12).0.simple().to_string().into(),
        AttributeType::Integration => return None,
    })
}

impl Directory {
    /// The attributes and integrations of the start.
    pub(super) fn start() -> Self {
        let mut directory = Self::default();
        (0..7).for_each(|number| directory.take(&Step::PutAttribute(number)));
        (0..3).for_each(|number| directory.take(&Step::PutIntegration(number)));
        directory
    }

    /// What happens, with what the directory sees to besides.
    pub(super) fn take(&mut self, step: &Step) {
        match step {
            Step::PutUser(number, seed) => {
                let mut attributes = Map::new();
                for (row, seed) in self.attributes.values().zip(&seed[3..]) {
                    if let Some(value) = stored(row.r#type, *seed) {
                        attributes.insert(row.key.clone(), value);
                    }
                }
                let further: Vec<String> = (12..16)
                    .filter(|at| seed[1] >> (at - 12) & 1 == 1)
                    .map(email)
                    .filter(|wanted| {
                        let has = |id, record: &crate::record::UserRecord| {
                            id != user_id(*number)
                                && (record.row.email == *wanted || record.further_emails.contains(wanted))
                        };
                        !self.users.iter().any(|(id, record)| has(*id, record))
                    })
                    .collect();
                let primary = self.users.get(&user_id(*number)).map_or(email(*number), |known| known.row.email.clone());
                let taken = |(id, record): (&entity::UserId, &crate::record::UserRecord)| {
                    *id != user_id(*number) && (record.row.email == primary || record.further_emails.contains(&primary))
                };
                if self.users.iter().any(taken) {
                    return;
                }
                let further: Vec<&str> = further.iter().map(String::as_str).filter(|it| *it != primary).collect();
                let name = TEXTS[usize::from(seed[0]) % TEXTS.len()];
                let record = user(*number, name, &primary, &further, Json::Object(attributes));
                self.users.insert(record.row.id, record);
            }
            Step::DropUser(number) => {
                self.users.remove(&user_id(*number));
                for account in self.accounts.values_mut().filter(|account| account.user_id == Some(user_id(*number))) {
                    account.user_id = None;
                }
            }
            Step::SwapEmails(a, b) => {
                let emails = |number| self.users.get(&user_id(number)).map(|record| record.row.email.clone());
                if let (Some(first), Some(second)) = (emails(*a), emails(*b)) {
                    for (number, email) in [(a, second), (b, first)] {
                        if let Some(record) = self.users.get_mut(&user_id(*number)) {
                            record.row.email = email;
                        }
                    }
                }
            }
            Step::PutAccount(number, seed) => {
                let tool = usize::from(seed[0]) % 3;
                if !self.integrations.contains_key(&integration_id(tool)) {
                    return;
                }
                let owner = user_id(usize::from(seed[1]) % 12);
                let mut row = account(*number, tool, None);
                row.user_id = self.users.contains_key(&owner).then_some(owner);
                row.username = USERNAMES.get(usize::from(seed[2]) % 6).map(|text| (*text).to_owned());
                row.email = (seed[3] % 3 > 0).then(|| email(usize::from(seed[3]) % 16));
                row.display_name = TEXTS.get(usize::from(seed[4]) % 8).map(|text| (*text).to_owned());
                row.is_bot = seed[5] % 4 == 0;
                row.external_id = (seed[6] % 4 > 0).then(|| format!("{}-{number}", seed[6] % 3));
                self.accounts.insert(row.id, row);
            }
            Step::DropAccount(number) => drop(self.accounts.remove(&account_id(*number))),
            Step::PutUnit(number, parent, in_parent, filter, pinned, excluded) => {
                let parent = parent.filter(|parent| self.units.contains_key(&unit_id(*parent)));
                let scope = if *in_parent { OrgUnitScope::Parent } else { OrgUnitScope::All };
                let mut record = unit(*number, parent, scope, filter.as_deref().cloned());
                record.pinned = pinned.iter().copied().map(user_id).collect();
                record.excluded = excluded.iter().copied().map(user_id).collect();
                self.units.insert(record.row.id, record);
            }
            Step::DropUnit(number) => {
                self.units.remove(&unit_id(*number));
                for record in self.units.values_mut().filter(|unit| unit.row.parent_id == Some(unit_id(*number))) {
                    record.row.parent_id = None;
                }
            }
            Step::PutAttribute(number) => {
                let (key, r#type) = ATTRIBUTES[*number];
                self.attributes
                    .entry(attribute_id(*number))
                    .or_insert_with(|| attribute(*number, key, r#type, &OPTIONS));
            }
            Step::DropAttribute(number) => {
                if self.attributes.remove(&attribute_id(*number)).is_some() {
                    self.forget(ATTRIBUTES[*number].0, |_| true);
                }
            }
            Step::Retype(number, to) => {
                let to = ATTRIBUTES[*to].1;
                if let Some(row) = self.attributes.get_mut(&attribute_id(*number)) {
                    row.r#type = to;
                    self.forget(ATTRIBUTES[*number].0, |value| Value::from_stored(to, value).is_none());
                }
            }
            Step::PutIntegration(number) => {
                let row = integration(*number, &format!("Tool {number}"), KINDS[*number]);
                self.integrations.insert(row.id, row);
            }
            Step::DropIntegration(number) => {
                self.integrations.remove(&integration_id(*number));
                self.accounts.retain(|_, account| account.integration_id != integration_id(*number));
            }
        }
    }

    fn forget(&mut self, key: &str, is_forgotten: impl Fn(&Json) -> bool) {
        for record in self.users.values_mut() {
            if let Some(values) = record.row.attributes.as_object_mut()
                && values.get(key).is_some_and(&is_forgotten)
            {
                values.remove(key);
            }
        }
    }

    fn records(&self) -> Vec<Record> {
        let attributes = self.attributes.values().cloned().map(Record::Attribute);
        let integrations = self.integrations.values().cloned().map(Record::Integration);
        let users = self.users.values().cloned().map(Record::User);
        let accounts = self.accounts.values().cloned().map(Record::IntegrationAccount);
        let units = self.units.values().cloned().map(Record::OrgUnit);
        attributes.chain(integrations).chain(users).chain(accounts).chain(units).collect()
    }

    /// The changes that lead from an earlier state to this one.
    pub(super) fn changes_since(&self, before: &Self) -> Vec<Change> {
        let (old, new) = (before.records(), self.records());
        let ids: BTreeSet<RecordId> = new.iter().map(Record::id).collect();
        let gone = old.iter().map(Record::id).filter(|id| !ids.contains(id)).map(|id| Change { id, after: None });
        let changed = new.iter().filter(|record| !old.contains(record));
        gone.chain(changed.map(|record| Change { id: record.id(), after: Some(record.clone()) })).collect()
    }
}
