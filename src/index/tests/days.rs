//! What the index answers when the day changes.

use chrono::NaiveDate;
use entity::attribute::AttributeType;
use entity::org_unit::OrgUnitScope;
use proptest::prelude::*;
use serde_json::json;

use super::directory::*;
use super::laws::{changesets, follow};
use crate::filter::Filter;
use crate::index::Index;
use crate::record::{Change, Record};

fn day(text: &str) -> NaiveDate {
    text.parse().unwrap()
}

fn on(text: &str) -> Filter {
    Filter::Text(text.to_owned())
}

fn counts(index: &Index) -> Vec<u64> {
    index.member_counts(&[unit_id(0), unit_id(1), unit_id(2)])
}

/// A unit of those who came within 30 days, one of its complement, and one of those on a day that is past.
fn newcomers() -> Index {
    let started = |number, date: &str| {
        Record::User(user(number, "Ann", &format!("u{number}@example.com"), &[], json!({ "started": date })))
    };
    let attributes = [Record::Attribute(attribute(0, "started", AttributeType::Date, &[]))];
    let users = [started(0, "2026-01-01"), started(1, "2026-01-31"), started(2, "2026-03-01")];
    let index = Directory::of(attributes.into_iter().chain(users)).index();
    let unit = |number, filter: Filter| {
        let record = Record::OrgUnit(unit(number, None, OrgUnitScope::All, Some(index.normalise(filter))));
        Change { id: record.id(), after: Some(record) }
    };
    let mut index = index.clone();
    let units = vec![
        unit(0, on("started between now-30d and now")),
        unit(1, Filter::Not(on("started between now-30d and now").into())),
        unit(2, on("started between \"2026-01-31\" and now")),
    ];
    index.apply(1, units);
    index
}

#[test]
fn members_follow_the_day_without_a_change() {
    let mut index = newcomers();
    let mut on_day = |today| {
        index.begin_day(day(today));
        assert_eq!(index.version(), 1);
        assert!([0, 1, 2].iter().all(|number| index.org_unit_violations(unit_id(*number)).is_empty()));
        counts(&index)
    };
    assert_eq!(on_day("2026-01-01"), [1, 2, 0]);
    assert_eq!(on_day("2026-01-31"), [2, 1, 1]);
    assert_eq!(on_day("2026-02-01"), [1, 2, 1]);
    assert_eq!(on_day("2026-03-02"), [2, 1, 2]);
    assert_eq!(on_day("2026-01-30"), [1, 2, 0]);
}

#[test]
fn a_copy_is_on_a_day_of_its_own() {
    let mut index = newcomers();
    index.begin_day(day("2026-01-31"));
    let mut copy = index.clone();
    copy.begin_day(day("2026-03-02"));
    assert_eq!((counts(&index), counts(&copy)), (vec![2, 1, 1], vec![2, 1, 2]));
    let newest = on("started gt now-5d");
    let selected = |index: &Index| index.select(&index.check(&newest).unwrap()).len();
    assert_eq!((selected(&index), selected(&copy)), (2, 1));
    assert_eq!((index.today(), copy.today()), (day("2026-01-31"), day("2026-03-02")));
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn an_index_whose_day_has_changed_is_one_that_was_made_that_day(changesets in changesets(), days in 0..60_i32) {
        let (directory, mut index) = follow(&changesets);
        let today = day("2020-01-01") + chrono::Days::new(days.unsigned_abs().into());
        index.begin_day(today);
        let mut fresh = directory.index();
        fresh.begin_day(today);
        for unit in directory.units.keys() {
            prop_assert_eq!(index.org_unit_filter(*unit), fresh.org_unit_filter(*unit));
            prop_assert_eq!(index.org_unit_violations(*unit), fresh.org_unit_violations(*unit));
            let expected: u64 =
                directory.users.keys().filter(|id| directory.is_member(&index, *unit, **id)).count() as u64;
            prop_assert_eq!(index.member_counts(&[*unit]), [expected]);
        }
    }
}
