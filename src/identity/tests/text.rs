//! How text becomes comparable.

use super::super::nickname::are_forms_of_one;
use super::super::text::{is_typo, mend_encoding, sound, spell_umlauts, squeeze, words};
use super::super::{address, generic};

#[test]
fn words_are_cut_where_people_see_them_end() {
    for (text, camel, expected) in [
        ("Jane Q. Doe", false, "jane q doe"),
        ("Doe, Jane", false, "doe jane"),
        ("Jean-Luc O'Dóherty", false, "jean luc odoherty"),
        ("JaneDoe", true, "jane doe"),
        ("JaneDoe", false, "janedoe"),
        ("jane_doe99", true, "jane doe"),
        ("HTTPServer", true, "http server"),
        ("Жанна Доева", false, "zhanna doeva"),
        ("王小明", false, "wang xiao ming"),
        ("e\u{301}lan", false, "elan"),
        ("1234 -- ?", false, ""),
    ] {
        assert_eq!(words(text, camel).join(" "), expected, "{text}");
    }
    assert_eq!(squeeze("Jané.Doe-99!"), "janedoe99");
}

#[test]
fn spellings_and_slips_are_told_from_other_words() {
    assert_eq!(spell_umlauts("Grün").as_deref(), Some("Gruen"));
    assert_eq!(spell_umlauts("Gru\u{308}n").as_deref(), Some("Gruen"));
    assert_eq!(spell_umlauts("Doré"), None);
    assert_eq!(mend_encoding("GaÃ«l").as_deref(), Some("Gaël"));
    assert_eq!(mend_encoding("Gaël"), None);
    assert_eq!(sound("guenter"), sound("gunter"));
    assert_eq!(sound("andrey"), sound("andrei"));
    assert_ne!(sound("anders"), sound("andrei"));
    for (a, b, twice, expected) in [
        ("markovac", "markovac", false, true),
        ("markovac", "markovc", false, true),
        ("markovac", "markvoac", false, true),
        ("markovac", "markovic", false, true),
        ("markovac", "marcovic", false, false),
        ("markovac", "marcovic", true, true),
        ("markovac", "arkovacs", true, true),
        ("markovac", "tannhof", true, false),
        ("", "", false, true),
    ] {
        assert_eq!(is_typo(a, b, twice), expected, "{a} {b}");
        assert_eq!(is_typo(b, a, twice), expected, "{b} {a}");
    }
    assert!(are_forms_of_one("bob", "robert") && !are_forms_of_one("bob", "rita"));
}

#[test]
fn a_domain_is_known_by_what_its_owner_chose() {
    for (domain, label, registered) in [
        ("corp.example", "corp", "corp.example"),
        ("mail.corp.co.uk", "corp", "corp.co.uk"),
        ("a.b.corp.example", "corp", "corp.example"),
        ("corp.corp", "corp", "corp.corp"),
    ] {
        assert_eq!((generic::label(domain), generic::registered(domain)), (label, registered), "{domain}");
    }
    for machine in ["localhost", "box.local", "box.(none)", "192.168.0.3", "", "example.com", "b\u{20}x.de"] {
        assert!(generic::is_machine(machine), "{machine}");
    }
    assert!(generic::is_public("gmail.com") && !generic::is_public("corp.example"));
}

#[test]
fn the_lists_are_searched_as_they_are_sorted() {
    assert!(generic::are_sorted());
    for nobody in ["root", "noreply", "admin", "unknown", "build", "www", "admin12", "mynoreplybox", ""] {
        assert!(generic::is_nobody(nobody), "{nobody}");
    }
    for somebody in ["jdoe", "user234683", "rooter", "builderjane"] {
        assert!(!generic::is_nobody(somebody), "{somebody}");
    }
}

#[test]
fn an_address_is_taken_apart() {
    use address::Kind::{Machine, NoReply, Personal, Shared};
    for (email, kind, mailbox, local) in [
        ("Jane.Doe+ci@Corp.example", Personal, "jane.doe@corp.example", "Jane.Doe"),
        ("Jane.Doe+ci@gmail.com", Personal, "janedoe@gmail.com", "Jane.Doe"),
        ("47+JaneD@users.noreply.github.com", NoReply, "47#github.com", "JaneD"),
        ("JaneD@users.noreply.github.com", NoReply, "janed@github.com", "JaneD"),
        ("root@corp.example", Shared, "root@corp.example", "root"),
        ("jane@laptop", Machine, "jane@laptop", "jane"),
        ("no address", Machine, "no address@", "no address"),
    ] {
        let address = address::read(email).unwrap();
        assert_eq!((address.kind, &*address.mailbox, &*address.local), (kind, mailbox, local), "{email}");
    }
    assert!(address::read("  ").is_none());
}
