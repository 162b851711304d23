//! Random filters, and random texts that are nearly filters.

use entity::IntegrationId;
use entity::integration::IntegrationKind;
use proptest::prelude::*;

use super::*;
use crate::filter::{AccountFilter, AttributeFilter, Between, Condition, OrgUnitFilter, Scalar};

/// Any text: short and long, of any characters, and such as has a meaning outside of quotes.
fn text() -> impl Strategy<Value = String> {
    prop_oneof![
        2 => any::<String>(),
        1 => prop::sample::select(&["", "null", "\"", "\\", " and ", "Rust", "2026-01-01", "now-90d", "\u{1}\n", "ann@corp.com"][..])
            .prop_map(str::to_owned),
    ]
}

fn scalar() -> impl Strategy<Value = Scalar> {
    let finite = prop::num::f64::NORMAL | prop::num::f64::SUBNORMAL | prop::num::f64::ZERO;
    prop_oneof![
        text().prop_map(Scalar::Text),
        finite.prop_map(Scalar::Number),
        (-5..5_i8).prop_map(|number| Scalar::Number(number.into())),
        any::<bool>().prop_map(Scalar::Boolean),
    ]
}

/// A reference by id to a user whom there is, or who has no email that leads back, or is not there.
fn reference() -> impl Strategy<Value = String> {
    (0..5_u128).prop_map(|number| user(number).to_global())
}

/// Any operator with any values; `value` draws one.
fn condition(value: BoxedStrategy<Scalar>) -> BoxedStrategy<Condition> {
    let texts = || prop::collection::vec(text(), 0..4);
    prop_oneof![
        value.clone().prop_map(Condition::Equals),
        prop::collection::vec(value.clone(), 0..4).prop_map(Condition::In),
        text().prop_map(Condition::Contains),
        text().prop_map(Condition::StartsWith),
        text().prop_map(Condition::EndsWith),
        any::<bool>().prop_map(Condition::IsEmpty),
        value.clone().prop_map(Condition::LessThan),
        value.clone().prop_map(Condition::AtMost),
        value.clone().prop_map(Condition::GreaterThan),
        value.clone().prop_map(Condition::AtLeast),
        (value.clone(), value).prop_map(|(from, to)| Condition::Between(Between { from, to })),
        texts().prop_map(Condition::HasAny),
        texts().prop_map(Condition::HasAll),
        reference().prop_map(Condition::ReportsTo),
    ]
    .boxed()
}

fn leaf() -> impl Strategy<Value = Filter> {
    let any_value = || condition(scalar().boxed());
    let keys = prop_oneof![
        3 => prop::sample::select(&["department", "level", "start_date", "skills", "not", "2fa"][..]).prop_map(str::to_owned),
        1 => prop::sample::select(&["memberOf", "AND", "null", "pr", "-1", "a.b:c", "größe", "x y", ""][..])
            .prop_map(str::to_owned),
        1 => any::<String>().prop_filter("stands for another name", |key| with_names(|names| names.attribute(key).is_none())),
    ];
    let kinds =
        prop::sample::select(&[IntegrationKind::GitHub, IntegrationKind::AzureDevOps, IntegrationKind::Other][..]);
    let integrations = (0..5_u128).prop_map(|number| IntegrationId(Uuid::from_u128(number)).to_global());
    let account = (
        prop::option::of(integrations),
        prop::option::of(kinds),
        prop::option::of(any_value()),
        prop::option::of(any_value()),
        prop::option::of(any_value()),
        prop::option::of(any::<bool>()),
    );
    prop_oneof![
        1 => any_value().prop_map(Filter::Name),
        1 => any_value().prop_map(Filter::Email),
        4 => (keys, any_value()).prop_map(|(key, is)| Filter::Attribute(AttributeFilter { key, is })),
        2 => condition(reference().prop_map(Scalar::Text).boxed())
            .prop_map(|is| Filter::Attribute(AttributeFilter { key: "manager".to_owned(), is })),
        2 => account.prop_map(|(integration, kind, username, email, display_name, is_bot)| {
            Filter::Account(AccountFilter { integration, kind, username, email, display_name, is_bot })
        }),
        1 => (0..6_u128, any::<bool>()).prop_map(|(number, descendants)| {
            Filter::OrgUnit(OrgUnitFilter { id: unit(number).to_global(), descendants })
        }),
    ]
}

/// Any tree whose references are by id, as those that are stored are. No list in it has exactly `but` parts.
pub(super) fn filter(but: usize) -> impl Strategy<Value = Filter> {
    leaf().prop_recursive(6, 24, 4, move |inner| {
        let list = || {
            prop::collection::vec(inner.clone(), 0..5)
                .prop_filter("has a text of its own", move |parts| parts.len() != but)
        };
        prop_oneof![
            list().prop_map(Filter::All),
            list().prop_map(Filter::Any),
            inner.prop_map(|part| Filter::Not(Box::new(part))),
        ]
    })
}

/// Texts of pieces that filters are made of, in any order.
pub(super) fn soup() -> impl Strategy<Value = String> {
    let words: Vec<&str> = RESERVED
        .into_iter()
        .chain(OPERATORS.map(|(word, _)| word))
        .chain(["department", "level", "username", "kind"])
        .collect();
    let pieces = prop_oneof![
        4 => prop::sample::select(words).prop_map(str::to_owned),
        4 => prop::sample::select(&["(", ")", "[", "]", ",", " ", "\n", "\"", "\\", "null", "true", "1", "-1e9", "\"x\"", "é", "="][..])
            .prop_map(str::to_owned),
        1 => any::<String>(),
    ];
    prop::collection::vec(pieces, 0..40).prop_map(|pieces| pieces.join(" "))
}

/// Printed filters with a few characters cut out, doubled, or put in.
pub(super) fn damaged() -> impl Strategy<Value = String> {
    let damage = (
        any::<prop::sample::Index>(),
        0..4_usize,
        prop::sample::select(&["", "(", "\"", "]", " and ", "not", "é", "\\"][..]),
    );
    (filter(1), prop::collection::vec(damage, 1..5)).prop_map(|(filter, damages)| {
        let mut chars: Vec<char> = printed(&filter).chars().collect();
        for (place, cut, put) in damages {
            let at = place.index(chars.len() + 1);
            chars.splice(at..(at + cut).min(chars.len()), put.chars());
        }
        chars.into_iter().collect()
    })
}
