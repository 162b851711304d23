use proptest::prelude::*;

use crate::directory::csv::unit::path::{join, split};

#[test]
fn a_slash_within_a_name_is_told_from_one_between_names() {
    let check = |path: &str, names: &[&str]| {
        assert_eq!(split(path), names);
        assert_eq!(join(names.iter().copied()), path);
    };
    check("Engineering/Platform", &["Engineering", "Platform"]);
    check(r"Sales\/Marketing/EMEA", &["Sales/Marketing", "EMEA"]);
    check(r"AC\DC", &[r"AC\DC"]);
    check(r"back\\/slash", &[r"back\", "slash"]);
    check(r"a\\\/b", &[r"a\/b"]);
    check(r"end\\", &[r"end\"]);
    check("/a", &["", "a"]);
    assert_eq!(split(r" a / b\c "), ["a", r"b\c"]);
    assert_eq!(split(r"lone\"), [r"lone\"]);
}

proptest! {
    #[test]
    fn the_path_of_any_names_is_read_as_these_names(names in prop::collection::vec(r"[a/\\é]{1,6}", 1..5)) {
        prop_assert_eq!(split(&join(names.iter().map(String::as_str))), names);
    }
}
