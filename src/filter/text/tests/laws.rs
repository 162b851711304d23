//! What holds of every tree and of every text.

use proptest::prelude::*;

use super::draw::{damaged, filter, soup};
use super::*;
use crate::filter::check::examine;
use crate::filter::{Condition, DEPTH, Scalar};

proptest! {
    #[test]
    fn a_tree_that_was_printed_is_read_back(filter in filter(1)) {
        prop_assert_eq!(read(&printed(&filter)), filter);
    }

    #[test]
    fn text_is_printed_in_one_way(filter in filter(usize::MAX)) {
        let text = printed(&filter);
        prop_assert_eq!(printed(&read(&text)), text);
    }

    #[test]
    fn any_text_is_read_or_refused_at_a_place_in_it(text in prop_oneof![any::<String>(), soup(), damaged()]) {
        with_names(|names| {
            let violations = match parse(&text, names) {
                Ok(parsed) => {
                    let canonical = print(&parsed.filter, names).unwrap();
                    let again = parse(&canonical, names).unwrap();
                    assert_eq!(print(&again.filter, names).unwrap(), canonical);
                    parsed.check(names).err().unwrap_or_default()
                }
                Err(violation) => vec![violation],
            };
            for violation in violations {
                let before = text.get(..violation.span.start).unwrap();
                assert!(text.get(violation.span.clone()).is_some() && !violation.message.is_empty());
                let lines: Vec<&str> = before.split('\n').collect();
                let column = lines[lines.len() - 1].chars().count() + 1;
                assert_eq!((violation.line, violation.column), (lines.len(), column));
            }
        });
    }

    #[test]
    fn what_the_check_says_of_a_text_is_what_it_says_of_the_tree(filter in filter(1)) {
        with_names(|names| {
            let text = print(&filter, names).unwrap();
            let parsed = parse(&text, names).unwrap();
            let of_tree = examine(&parsed.filter, names.catalogue, None).map_err(|findings| {
                findings.into_iter().map(|finding| finding.violation.code).collect::<Vec<_>>()
            });
            let of_text = parsed.check(names).map_err(|violations| {
                violations.into_iter().map(|violation| violation.code).collect::<Vec<_>>()
            });
            assert_eq!(of_text, of_tree);
        });
    }
}

/// The code of what is wrong with the grammar or the size of a text, and where.
fn refusal(text: &str) -> Option<(&'static str, usize)> {
    with_names(|names| parse(text, names).err()).map(|violation| (violation.code, violation.span.start))
}

#[test]
fn limits_are_spent_while_reading() {
    let name = r#"name eq "x""#;
    assert_eq!(refusal(&[name; CONDITIONS].join(" or ")), None);
    assert_eq!(refusal(&[name; CONDITIONS + 1].join(" or ")), Some(("LIMIT_EXCEEDED", CONDITIONS * (name.len() + 4))));
    let three = r#"accounts[username pr and email pr and displayName pr]"#;
    assert_eq!(refusal(&[three; CONDITIONS / 3].join(" and ")), None);
    assert_eq!(refusal(&[three; CONDITIONS / 3 + 1].join(" and ")).unwrap().0, "LIMIT_EXCEEDED");

    let list = |values: usize| format!("level in [{}]", vec!["1"; values].join(","));
    assert_eq!(refusal(&list(VALUES)), None);
    assert_eq!(refusal(&list(VALUES + 1)), Some(("LIMIT_EXCEEDED", "level in [".len() + 2 * VALUES)));

    for (open, close) in [("(", ")"), ("not (", ")"), ("not ", "")] {
        let deep = |levels: usize| format!("{}name co \"x\"{}", open.repeat(levels), close.repeat(levels));
        assert_eq!(refusal(&deep(DEPTH - 1)), None, "{open}");
        assert_eq!(refusal(&deep(DEPTH + 1)).unwrap().0, "LIMIT_EXCEEDED", "{open}");
    }
    let negated = |levels: usize| format!("{}name ne \"x\"{}", "not (".repeat(levels), ")".repeat(levels));
    assert_eq!(refusal(&negated(DEPTH - 2)), None);
    assert_eq!(refusal(&negated(DEPTH - 1)).unwrap().0, "LIMIT_EXCEEDED");

    let long = |bytes: usize| format!("name eq \"{}\"", "x".repeat(bytes - 10));
    assert_eq!(refusal(&long(TEXT)), None);
    assert_eq!(refusal(&long(TEXT + 1)), Some(("LIMIT_EXCEEDED", TEXT)));
}

proptest! {
    #[test]
    fn any_bytes_that_are_text_are_read_or_refused(bytes in prop::collection::vec(any::<u8>(), 0..400)) {
        let text = String::from_utf8_lossy(&bytes);
        with_names(|names| {
            if let Err(wrong) = parse(&text, names) {
                assert!(text.get(wrong.span).is_some());
            }
        });
    }
}

#[test]
fn the_largest_texts_of_any_one_piece_are_answered() {
    for piece in
        ["(", "[", "\"", "\\", "not ", "not(", "accounts[", "a eq \"b\" and ", "a in [1,", "1", "-", "é", "\n", ", "]
    {
        assert!(refusal(&piece.repeat(TEXT / piece.len())).is_some(), "{piece}");
    }
}

#[test]
fn what_could_not_be_read_back_is_not_printed() {
    let deep = |levels: usize| (1..levels).fold(Filter::All(vec![]), |inner, _| Filter::Not(inner.into()));
    let long = |bytes: usize| Filter::Name(Condition::Equals(Scalar::Text("x".repeat(bytes - 10))));
    with_names(|names| {
        assert!(print(&deep(DEPTH), names).is_some_and(|text| parse(&text, names).is_ok()));
        assert_eq!(print(&deep(DEPTH + 1), names), None);
        assert!(print(&long(TEXT), names).is_some_and(|text| text.len() == TEXT));
        assert_eq!(print(&long(TEXT + 1), names), None);
    });
}
