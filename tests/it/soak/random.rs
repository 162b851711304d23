//! Random drafts, and imports that race, in numbers.

use std::time::Instant;

use super::{row, wanted};
use crate::{conflicts, draft_properties, merge, order};

#[test]
fn drafts_of_random_files() {
    let Some(cases) = wanted("SOAK_CASES") else { return };
    let begun = Instant::now();
    draft_properties::try_many(u32::try_from(cases).unwrap());
    let outcome = format!("{cases} of {cases} do what they say, or are refused, on every database");
    row(&[
        "drafts of random edits, and of files while others write",
        &outcome,
        "",
        &format!("{:.0?}", begun.elapsed()),
    ]);
}

#[test]
fn imports_at_once() {
    let Some(rounds) = wanted("SOAK_ROUNDS") else { return };
    let begun = Instant::now();
    conflicts::import_two_at_once(rounds);
    let outcome = format!("{rounds} of {rounds} end as one after the other, on every database");
    row(&["two imports at once, half of the users in both", &outcome, "", &format!("{:.0?}", begun.elapsed())]);
}

#[test]
fn accounts_in_any_order() {
    let Some(cases) = wanted("SOAK_SEQUENCES") else { return };
    let begun = Instant::now();
    order::play_many(u32::try_from(cases).unwrap());
    let outcome = format!("{cases} of {cases} end as what was said last says, in both of two orders");
    row(&["random accounts seen, changed and gone", &outcome, "", &format!("{:.0?}", begun.elapsed())]);
}

#[test]
fn merged_and_split() {
    let Some(cases) = wanted("SOAK_MERGES") else { return };
    let begun = Instant::now();
    merge::merge_and_split(u32::try_from(cases).unwrap());
    let outcome = format!("{cases} of {cases} are as before, or are refused");
    row(&["random users merged, and split again or undone", &outcome, "", &format!("{:.0?}", begun.elapsed())]);
}
