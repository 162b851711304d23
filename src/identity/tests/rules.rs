//! What speaks for one person, and what against it, rule by rule. Everybody here is made up.

use super::*;

/// What must be accepted, with the first reason.
#[track_caller]
fn one(a: &Identity, b: &Identity, reason: &str) {
    let pair = compared(a, b).unwrap_or_else(|| panic!("nothing in common: {a:?} {b:?}"));
    let words = in_words(&pair);
    assert!(pair.score >= ACCEPT, "{} {words:?}\n{a:?}\n{b:?}", pair.score);
    assert_eq!(words[0], reason, "{words:?}");
}

/// What may be suggested at most, and is not accepted.
#[track_caller]
fn two(a: &Identity, b: &Identity) {
    if let Some(pair) = compared(a, b) {
        assert!(pair.score < ACCEPT, "{} {:?}\n{a:?}\n{b:?}", pair.score, in_words(&pair));
    }
}

#[test]
fn the_same_email_is_one_person_and_needs_nobody_to_look() {
    let (a, b) = (author("Jelena Markovac", "jelena@corp.example"), author("jm", "Jelena@CORP.example"));
    one(&a, &b, "same email (`jelena@corp.example`)");
    assert!(compared(&a, &b).unwrap().is_certain());
    let tagged = author("Jelena", "jelena+git@corp.example");
    one(&a, &tagged, "emails of one mailbox (`jelena@corp.example`)");
    assert!(!compared(&a, &tagged).unwrap().is_certain());
    one(
        &author("x1", "jelena.markovac@gmail.com"),
        &author("x2", "jelenamarkovac@googlemail.com"),
        "emails of one mailbox (`jelena.markovac@gmail.com`)",
    );
}

#[test]
fn an_email_of_a_task_or_a_machine_is_nobodys() {
    for email in [
        "root@corp.example",
        "noreply@corp.example",
        "build@ci.example",
        "devnull@localhost",
        "root@localhost",
        "user@example.com",
        "none@none",
        "admin2@corp.example",
        "noreply@users.noreply.github.com",
    ] {
        let (a, b) = (author("Jelena Markovac", email), author("Tomislav Perkovic", email));
        two(&a, &b);
        assert!(!compared(&a, &b).is_some_and(|pair| pair.is_certain()), "{email}");
    }
}

#[test]
fn an_email_with_which_many_write_is_shared() {
    let names = ["Jelena Markovac", "Tomislav Perkovic", "Oyelaran Bassett", "Mirela Dragusin"];
    let book = book_of(&names.map(|name| author(name, "crew@ship.example")));
    let pair = book.compare(0, 1).unwrap();
    assert!(pair.score < SUGGEST && !pair.is_certain(), "{pair:?}");
}

#[test]
fn a_forges_no_reply_address_carries_a_login() {
    one(
        &author("Jelena Markovac", "4711+jelmar@users.noreply.github.com"),
        &account(1, 4711, "jelmar", ""),
        "no-reply address carries this login (`jelmar`)",
    );
    one(
        &author("", "4711+jelmar@users.noreply.github.com"),
        &author("Jelena Markovac", "jelmar@posteo.example"),
        "no-reply address carries this login (`jelmar`)",
    );
    // The number stays when a login changes.
    one(
        &author("", "4711-jelmar@users.noreply.gitlab.com"),
        &author("", "4711-markovac@users.noreply.gitlab.com"),
        "emails of one mailbox (`4711-jelmar@users.noreply.gitlab.com`)",
    );
}

#[test]
fn full_names_are_the_same_in_any_order_script_and_case() {
    let a = author("Jelena Markovac", "jm@one.example");
    for name in [
        "jelena markovac",
        "MARKOVAC Jelena",
        "Markovac, Jelena",
        "JelenaMarkovac",
        "jelena.markovac",
        "Jelena Markovač",
        "Jelena Markovac (corp)",
        "Jelena Markovac via list",
        "Dr. Jelena Markovac",
    ] {
        let pair = compared(&a, &author(name, "x@two.example")).unwrap();
        assert!(pair.score >= ACCEPT, "{name}: {} {:?}", pair.score, in_words(&pair));
    }
    for (a, b) in [
        ("Jürgen Grünspan", "Juergen Gruenspan"),
        ("Jürgen Grünspan", "Jurgen Grunspan"),
        ("Søren Blåvand", "Soeren Blaavand"),
        ("Trần Thị Ngọcanh", "Tran Thi Ngocanh"),
        ("Дмитрий Лапшинский", "Dmitriy Lapshinskiy"),
        ("MichaÃ«l Dorleac", "Michaël Dorleac"),
        ("Hye-jin Kwonsu", "Hyejin Kwonsu"),
        ("Wen Jia Luozhou", "Wenjia Luozhou"),
    ] {
        let pair = compared(&author(a, "a1@one.example"), &author(b, "b2@two.example"));
        let pair = pair.unwrap_or_else(|| panic!("{a} {b}"));
        assert!(pair.score >= ACCEPT, "{a} {b}: {} {:?}", pair.score, in_words(&pair));
    }
}

#[test]
fn a_middle_name_or_a_short_form_may_be_left_out() {
    let short = author("Catalina Obrecht", "co@one.example");
    one(
        &short,
        &author("Catalina Maria Obrecht", "x@two.example"),
        "same name, with more of it in one (`catalina obrecht`)",
    );
    one(
        &author("Bob Obrecht", "x@one.example"),
        &author("Robert Obrecht", "y@two.example"),
        "similar name (`bob obrecht`)",
    );
    // An initial alone could be many people's.
    two(&short, &author("C. Obrecht", "x@two.example"));
    two(&short, &author("Katrin Obrecht", "x@two.example"));
}

#[test]
fn a_common_name_is_less_than_a_rare_one() {
    let named = |name: &str| compared(&author(name, "x@one.example"), &author(name, "y@two.example")).unwrap();
    let (rare, common) = (named("Jelena Markovac"), named("Maria Smith"));
    assert!(rare.score > common.score, "{rare:?} {common:?}");
    assert_eq!(in_words(&rare)[0], "same rare name (`jelena markovac`)");
    assert!(in_words(&common)[0].starts_with("same name"), "{common:?}");
}

#[test]
fn a_handle_is_one_persons_if_it_is_rare_and_names_do_not_contradict() {
    let a = author("Jelena Markovac", "silverfern@one.example");
    one(&a, &author("", "silverfern@two.example"), "same email local part (`silverfern`)");
    one(&a, &account(1, 5, "silverfern", ""), "email local part is the login (`silverfern`)");
    one(&a, &account(1, 5, "Silver-Fern", ""), "email local part is the login (`silverfern`)");
    one(&a, &author("silverfern", "x9@two.example"), "name is the login or the email local part (`silverfern`)");
    one(&account(1, 5, "silverfern", ""), &account(2, 9, "silverfern", ""), "same login (`silverfern`)");
    one(
        &author("silverfern", "x@one.example"),
        &author("silverfern", "y@two.example"),
        "same rare single name (`silverfern`)",
    );
    // A given name, a task, a short one.
    two(&author("Jelena Markovac", "maria@one.example"), &author("", "maria@two.example"));
    two(&author("Jelena Markovac", "dev@one.example"), &author("Ilse Tannhof", "dev@two.example"));
    two(&author("Jelena Markovac", "jm@one.example"), &author("", "jm@two.example"));
    two(&author("Jelena Markovac", "fern@one.example"), &author("Ilse Tannhof", "fern@two.example"));
}

#[test]
fn a_handle_is_made_of_a_name() {
    let named = author("Jelena Markovac", "x1@one.example");
    for (handle, reason) in [
        ("jelenamarkovac", "login or email local part is the name (`jelenamarkovac`)"),
        ("markovacjelena", "login or email local part is the name (`markovacjelena`)"),
        ("jmarkovac", "login or email local part is made of initials and a name (`jmarkovac`)"),
        ("markovacj", "login or email local part is made of initials and a name (`markovacj`)"),
        ("jelmarkovac", "login or email local part is made of parts of the name (`jelmarkovac`)"),
        ("jmarkova", "login or email local part is made of parts of the name (`jmarkova`)"),
        ("markovac", "login or email local part is one of the names (`markovac`)"),
        ("jmarkovac77", "login or email local part is made of initials and a name (`jmarkovac77`)"),
    ] {
        one(&named, &account(1, 5, handle, ""), reason);
        one(&named, &author("", &format!("{handle}@two.example")), reason);
    }
    // There are many Smiths, and Marias.
    for (name, handle) in [("Maria Smith", "msmith"), ("Jelena Markovac", "jelena"), ("Maria Smith", "smith")] {
        two(&author(name, "x1@one.example"), &account(1, 5, handle, ""));
    }
}

#[test]
fn digits_at_the_ends_of_a_handle_are_left_out() {
    let pair = compared(&author("", "silverfern@one.example"), &author("", "silverfern88@gmail.com")).unwrap();
    assert!((SUGGEST..=ACCEPT).contains(&pair.score), "{pair:?}");
    // At one organisation a number is another person of that name.
    let pair = compared(
        &author("Jelena Markovac", "jelena.markovac@corp.example"),
        &author("Jelena Markovac", "jelena.markovac2@corp.example"),
    );
    let pair = pair.unwrap();
    assert!(pair.score < ACCEPT, "{pair:?}");
    assert!(in_words(&pair).last().unwrap().starts_with("emails of one domain that differ by a number"), "{pair:?}");
}

#[test]
fn names_that_contradict_each_other_take_most_away() {
    let a = author("Jelena Markovac", "markovac@one.example");
    let b = author("Ilse Tannhof", "markovac@two.example");
    let pair = compared(&a, &b).unwrap();
    assert!(pair.score < SUGGEST, "{pair:?}");
    assert_eq!(in_words(&pair).last().unwrap(), "different full names");
    two(&author("Jelena Markovac", "x@one.example"), &author("Tihana Markovac", "y@one.example"));
}

#[test]
fn a_bot_is_no_person_and_another_bot_only_by_exact_evidence() {
    let bot = |name: &str, email: &str| Identity { is_bot: true, ..author(name, email) };
    assert!(compared(&bot("sweeper", "sweeper@corp.example"), &author("sweeper", "sweeper@corp.example")).is_none());
    let marked = author("sweeper[bot]", "12+sweeper[bot]@users.noreply.github.com");
    assert!(compared(&marked, &author("sweeper", "sweeper@corp.example")).is_none());
    one(&marked, &bot("sweeper[bot]", ""), "same login (`sweeper`)");
    assert!(compared(&bot("Dust Sweeper", "a@corp.example"), &bot("Dust Cleaner", "b@corp.example")).is_none());
}

#[test]
fn different_accounts_in_one_integration_are_two_people() {
    let (a, b) = (account(1, 5, "jmarkovac", "Jelena Markovac"), account(1, 6, "jelenam", "Jelena Markovac"));
    assert_eq!(compared(&a, &b), None);
    assert!(compared(&a, &account(2, 6, "jelenam", "Jelena Markovac")).unwrap().score >= ACCEPT);
    // Whoever has the same account beside another is not excluded.
    let mut both = a.clone();
    both.accounts.push(b.accounts[0].clone());
    assert!(compared(&a, &both).unwrap().score >= ACCEPT);
}

#[test]
fn a_name_of_two_who_are_known_to_be_two_says_less() {
    let people = [
        account(1, 5, "blueheron", "Jelena Markovac"),
        account(1, 6, "greyheron", "Jelena Markovac"),
        author("Jelena Markovac", "x1@one.example"),
    ];
    let book = book_of(&people);
    assert!(book.suggestions(2, ACCEPT).is_empty(), "{:?}", book.suggestions(2, ACCEPT));
    assert_eq!(book.suggestions(2, SUGGEST).len(), 2);
}

#[test]
fn what_is_neither_a_name_nor_an_email_harms_nobody() {
    let odd = [
        "",
        " ",
        "@",
        "?@?",
        "a@",
        "@b",
        "((",
        "\u{0}",
        "👋",
        "unknown",
        "Firstname Lastname",
        "\"\"",
        "via ",
        " on ",
        "李",
        "-",
        "+@gmail.com",
        "x+y+z@gmail.com",
        "[bot]",
        "........",
        "\u{202E}abc",
        "é",
        "ß",
    ];
    let all: Vec<Identity> = odd.iter().flat_map(|name| odd.iter().map(|email| author(name, email))).collect();
    let mut book = book_of(&all);
    let before = book.size();
    for key in 0..all.len() as u64 {
        let _ = book.suggestions(key, 0.0);
    }
    book.insert(5_000, &author(&"long ".repeat(10_000), &"a".repeat(10_000)));
    assert!(book.remove(5_000));
    assert_eq!(book.size(), before);
}

#[test]
fn a_name_in_another_script_is_not_shown_as_it_is_compared() {
    let arabic = |email: &str| author("سلمى أمين الصباغ", email);
    let pair = compared(&arabic("s@one.example"), &arabic("q@two.example")).unwrap();
    assert_eq!(in_words(&pair)[0], "same rare name");
    one(
        &author("Jürgen Größl", "j@one.example"),
        &author("Jürgen Größl", "g@two.example"),
        "same rare name (`jurgen grossl`)",
    );
}
