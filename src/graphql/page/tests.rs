//! Arguments and parts of lists.

use super::*;
use crate::directory::Error;

fn paging(first: Option<i32>, last: Option<i32>) -> Paging {
    Paging { first, last, ..Paging::default() }
}

/// The path and code of the one violation.
#[track_caller]
fn refused<T: std::fmt::Debug>(result: Result<T>) -> (String, &'static str) {
    match result {
        Err(Failure(Error::Invalid(violations))) => (violations[0].path.clone(), violations[0].code),
        other => panic!("{other:?}"),
    }
}

#[track_caller]
fn cut(paging: &Paging) -> (Vec<i64>, bool, bool) {
    let window = paging.window(|cursor| cursor.parse::<i64>().ok()).unwrap();
    let slice = window.cut((1..=9).collect(), |item| *item);
    (slice.items, slice.has_previous, slice.has_next)
}

#[test]
fn a_page_has_25_nodes_from_the_start_unless_told() {
    let range = paging(None, None).numbers().unwrap();
    assert_eq!((range.limit, range.from_end, range.after, range.before), (25, false, None, None));
    assert!(paging(None, Some(100)).numbers().unwrap().from_end);
}

#[test]
fn sizes_out_of_bounds_are_refused() {
    assert_eq!(refused(paging(Some(0), None).numbers()), ("first".into(), "OUT_OF_BOUNDS"));
    assert_eq!(refused(paging(Some(101), None).numbers()), ("first".into(), "OUT_OF_BOUNDS"));
    assert_eq!(refused(paging(None, Some(-1)).numbers()), ("last".into(), "OUT_OF_BOUNDS"));
    assert_eq!(refused(paging(Some(1), Some(1)).numbers()), ("last".into(), "CONTRADICTION"));
}

#[test]
fn a_cursor_of_another_list_is_refused() {
    let after = Paging { after: Some("x".into()), ..Paging::default() };
    assert_eq!(refused(after.numbers()), ("after".into(), "NOT_A_CURSOR"));
    let before = Paging { before: Some("usr_00000000000000000000000000000000".into()), ..Paging::default() };
    assert_eq!(refused(before.accounts()), ("before".into(), "NOT_A_CURSOR"));
    let number = Paging { before: Some("17".into()), ..Paging::default() };
    assert_eq!(number.numbers().unwrap().before, Some(17));
}

#[test]
fn a_list_at_hand_is_cut_from_either_end() {
    assert_eq!(cut(&paging(Some(2), None)), (vec![1, 2], false, true));
    assert_eq!(cut(&paging(None, Some(2))), (vec![8, 9], true, false));
    let after = Paging { after: Some("7".into()), ..paging(Some(5), None) };
    assert_eq!(cut(&after), (vec![8, 9], true, false));
    let before = Paging { before: Some("3".into()), ..paging(None, Some(5)) };
    assert_eq!(cut(&before), (vec![1, 2], false, true));
    let crossed = Paging { after: Some("7".into()), before: Some("3".into()), ..paging(None, None) };
    assert_eq!(cut(&crossed).0, Vec::<i64>::new());
    let gone = Paging { after: Some("70".into()), ..paging(None, None) };
    assert_eq!(cut(&gone), (vec![], true, false));
}
