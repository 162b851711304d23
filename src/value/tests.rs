use proptest::prelude::*;

use super::*;

#[test]
fn emails_that_name_one_mailbox_are_one_key() {
    for (written, normal) in [
        ("  Ann@Corp.COM ", "ann@corp.com"),
        ("ann+ci@corp.com", "ann+ci@corp.com"),
        ("JÜRGEN@MÜLLER.example", "jürgen@xn--mller-kva.example"),
        ("ju\u{308}rgen@corp.com", "jürgen@corp.com"),
    ] {
        assert_eq!(Email::parse(written).map(Email::into_string), Ok(normal.to_owned()), "{written}");
    }
    for bad in
        ["", "ann", "@corp.com", "ann@", "a b@corp.com", "a@b@c.com", "ann@-corp.com", "ann@corp..com", "a,b@c.d"]
    {
        assert!(Email::parse(bad).is_err(), "{bad}");
    }
}

#[test]
fn text_folds_as_people_read_it() {
    for (a, b) in [("SRE", " sre"), ("STRASSE", "straße"), ("e\u{301}", "É"), ("ΣΊΣΥΦΟΣ", "σίσυφος")] {
        assert_eq!(fold(a), fold(b), "{a} {b}");
    }
}

#[test]
fn keys_compare_as_their_values_do() {
    let numbers = [f64::MIN, -3.5, -1.0, -0.5, 0.0, 0.5, 1.0, 1e10, f64::MAX];
    assert!(numbers.windows(2).all(|pair| Key::number(pair[0]) < Key::number(pair[1])));
    assert_eq!(Key::number(-0.0), Key::number(0.0));
    let days: Vec<NaiveDate> = ["1000-01-01", "1969-12-31", "1970-01-01", "2026-11-22", "9999-12-31"]
        .iter()
        .filter_map(|day| day.parse().ok())
        .collect();
    assert_eq!(days.len(), 5);
    assert!(days.windows(2).all(|pair| Key::date(pair[0]) < Key::date(pair[1])));
}

#[test]
fn a_slip_of_the_pen_finds_its_name() {
    assert_eq!(nearest("departmnet", ["role", "department", "team"]), Some("department"));
    assert_eq!(nearest("xyz", ["role", "department", "team"]), None);
}

#[test]
fn date_formats_are_written_as_people_write_them() {
    let day: Option<NaiveDate> = "2019-06-11".parse().ok();
    for (format, text) in [("dd/mm/yy", "11/06/19"), ("MM-DD-YYYY", "06-11-2019"), ("D MMM YYYY", "11 Jun 2019")] {
        let format = DateFormat::parse(format);
        assert_eq!(format.map(|format| format.read(text)), Ok(day), "{text}");
    }
    for bad in ["dd/mm", "dd/mm/yy yyyy", "hh:mm", "", "%Y"] {
        assert!(DateFormat::parse(bad).is_err(), "{bad}");
    }
    assert_eq!(DateFormat::default().read("2019-6-11"), None);
}

#[test]
fn a_slash_within_a_name_is_told_from_one_between_names() {
    let check = |path: &str, names: &[&str]| {
        assert_eq!(split_path(path), names);
        assert_eq!(join_path(names.iter().copied()), path);
    };
    check("Engineering/Platform", &["Engineering", "Platform"]);
    check(r"Sales\/Marketing/EMEA", &["Sales/Marketing", "EMEA"]);
    check(r"AC\DC", &[r"AC\DC"]);
    check(r"back\\/slash", &[r"back\", "slash"]);
    check(r"a\\\/b", &[r"a\/b"]);
    check(r"end\\", &[r"end\"]);
    check("/a", &["", "a"]);
    assert_eq!(split_path(r" a / b\c "), ["a", r"b\c"]);
    assert_eq!(split_path(r"lone\"), [r"lone\"]);
}

proptest! {
    #[test]
    fn the_path_of_any_names_is_read_as_these_names(names in prop::collection::vec(r"[a/\\é]{1,6}", 1..5)) {
        prop_assert_eq!(split_path(&join_path(names.iter().map(String::as_str))), names);
    }
}
