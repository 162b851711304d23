use super::*;

#[test]
fn a_path_leads_down_or_is_none() {
    for path in ["a", "platform/api.git", "a/./b", "ä b/c", "a//b"] {
        assert!(repository::parts(path).is_some(), "{path}");
    }
    for path in ["", "/", "/etc", "..", "../a", "a/../../b", "a/..", "./a", "a\\..\\b", "a\0b"] {
        assert!(repository::parts(path).is_none(), "{path}");
    }
}

#[test]
fn a_cursor_is_read_back_and_any_other_text_is_none() {
    let (a, b) = ("a".repeat(40), "0".repeat(64));
    for mailmap in ["-", a.as_str()] {
        let cursor = Cursor { mailmap: mailmap.to_owned(), heads: vec![a.clone(), b.clone()] };
        let text = format!("{mailmap} {a} {b}");
        assert_eq!(Cursor::parse(&text), Some(cursor));
        assert_eq!(Cursor::parse(&text).map(Cursor::into_text), Some(text));
    }
    let wrong = [String::new(), "-".into(), format!("- {a} --all"), format!("x {a}"), format!("- {}", "A".repeat(40))];
    for text in wrong {
        assert_eq!(Cursor::parse(&text), None, "{text}");
    }
}

#[test]
fn an_account_is_an_email_or_else_a_name() {
    let of = |name: &str, email: &str| account(&Ident { name: name.as_bytes(), email: email.as_bytes() });
    let ann = of(" Ann  Abel", "Ann@Corp.Example ").unwrap();
    assert_eq!((ann.external_id.as_str(), ann.email.as_deref()), ("ann@corp.example", Some("ann@corp.example")));
    assert_eq!((ann.display_name.as_deref(), ann.username, ann.is_bot), (Some("Ann  Abel"), None, false));
    // What is no email is an id all the same.
    let local = of("root", "root@").unwrap();
    assert_eq!((local.external_id.as_str(), local.email), ("root@", None));
    let nameless = of("", "x@y.example").unwrap();
    assert_eq!((nameless.external_id.as_str(), nameless.display_name), ("x@y.example", None));
    let no_email = of("Ann Abel", "").unwrap();
    assert_eq!((no_email.external_id.as_str(), no_email.email), ("Ann Abel", None));
    assert_eq!(of(" ", "\u{7}"), None);
    for (name, email) in [
        ("dependabot[bot]", "d@x.example"),
        ("x", "49699333+dependabot[bot]@users.noreply.github.com"),
        ("GitHub", "noreply@github.com"),
    ] {
        assert!(of(name, email).unwrap().is_bot, "{name}");
    }
    let latin = account(&Ident { name: b"J\xf6rg", email: b"j@x.example" }).unwrap();
    assert_eq!(latin.display_name.as_deref(), Some("J\u{fffd}rg"));
    let (long, other) = ("ä".repeat(300), "ä".repeat(299) + "b");
    let ids = [of("x", &long).unwrap().external_id, of("x", &other).unwrap().external_id];
    assert!(ids.iter().all(|id| id.len() < 450) && ids[0] != ids[1]);
}
