//! What is offered to whoever writes a filter as text.

use proptest::prelude::*;

use super::draw::{damaged, filter, soup};
use super::*;
use crate::filter::Scalar;
use crate::filter::text::lex::{Kind, Lexer};

/// Values that there are of everything that is not a number.
const WORDS: [&str; 4] = ["Platform", "Plants \"R\" us", "Größe", "2026-01-01"];

fn offers(about: About<'_>, typed: &str, most: usize) -> Vec<Offer> {
    if about.r#type() == Some(AttributeType::Number) {
        let known = [5.0, 50.0, -1.5].map(Scalar::Number);
        return known.into_iter().map(|value| Offer::new(value, CompletionKind::Value)).collect();
    }
    let known = WORDS.iter().filter(|word| fold(word).starts_with(typed)).take(most);
    known.map(|word| Offer::new(Scalar::Text((*word).to_owned()), CompletionKind::Value)).collect()
}

/// What is offered at the first `|`, each as it would be put there.
fn offered(text: &str) -> Vec<String> {
    let cursor = text.find('|').unwrap();
    let text = text.replacen('|', "", 1);
    with_names(|names| complete(&text, cursor, names, &offers, 100)).into_iter().map(|found| found.insert).collect()
}

/// What the text is after the only completion at the first `|`.
#[track_caller]
fn completed(text: &str) -> String {
    let cursor = text.find('|').unwrap();
    let text = text.replacen('|', "", 1);
    let found = with_names(|names| complete(&text, cursor, names, &offers, 100));
    let [only] = found.as_slice() else { panic!("{text}: {found:?}") };
    let mut text = text;
    text.replace_range(only.replaces.clone(), &only.insert);
    text
}

const ATTRIBUTES: [&str; 9] =
    ["name", "email", "department", "level", "start_date", "manager", "skills", "role", "remote"];

#[test]
fn what_is_offered_is_what_the_grammar_and_the_types_take() {
    let mut beginnings: Vec<&str> = ATTRIBUTES.to_vec();
    beginnings.extend(["\"not\"", "\"2fa\"", "accounts", "memberOf", "reportsTo", "everybody", "nobody", "not", "("]);
    assert_eq!(offered("|"), beginnings);
    assert_eq!(offered("name pr and |"), beginnings);
    assert_eq!(offered("name pr or not (|"), beginnings);
    assert_eq!(offered("n|"), ["name", "\"not\"", "nobody", "not"]);
    assert_eq!(offered("START|"), ["start_date"]);
    assert_eq!(offered("\"start d|"), ["start_date"]);

    assert_eq!(offered("department |"), ["eq", "ne", "in", "co", "sw", "ew", "pr"]);
    assert_eq!(offered("level |"), ["eq", "ne", "in", "lt", "le", "gt", "ge", "between", "pr"]);
    assert_eq!(offered("remote |"), ["eq", "ne", "pr"]);
    assert_eq!(offered("skills |"), ["hasAny", "hasAll", "pr"]);
    assert_eq!(offered("manager |"), ["eq", "ne", "in", "reportsTo", "pr"]);
    assert_eq!(offered("level g|"), ["gt", "ge"]);

    assert_eq!(offered("remote eq |"), ["null", "true", "false"]);
    assert_eq!(offered("level gt |"), ["5", "50", "-1.5"]);
    assert_eq!(offered("role eq |"), ["null", "\"Rust\"", "\"Go\"", "\"SQL\""]);
    assert_eq!(offered("skills hasAny |"), ["["]);
    assert_eq!(offered("skills hasAny [\"go\", |"), ["\"Rust\"", "\"Go\"", "\"SQL\""]);
    assert_eq!(offered("skills hasAny [\"go\"|"), [",", "]"]);
    assert_eq!(offered("department eq pl|"), ["\"Platform\"", "\"Plants \\\"R\\\" us\""]);
    assert_eq!(offered("department eq \"Plants \\\"|"), ["\"Plants \\\"R\\\" us\""]);
    assert_eq!(offered("department eq \"Gr\\u00f6\\u00|"), ["\"Größe\""]);
    assert_eq!(offered("start_date lt now-9|"), ["now-9d", "now-9w", "now-9m", "now-9y", "now-90d"]);
    assert_eq!(offered("start_date lt now-45d|"), ["now-45d"]);
    assert_eq!(offered("start_date lt \"2|"), ["\"2026-01-01\""]);
    assert_eq!(offered("level between 1 |"), ["and"]);
    // The check says that the operator does not fit; what is read there is text all the same.
    assert_eq!(offered("level hasAny [|"), [""; 0]);
    assert_eq!(offered("level co |"), [""; 0]);
    assert_eq!(offered("remote in [|"), ["true", "false"]);

    assert_eq!(offered("name pr |"), ["and", "or"]);
    assert_eq!(offered("(name pr |"), ["and", "or", ")"]);
    assert_eq!(offered("name eq \"x\"|"), [" and", " or"]);
    assert_eq!(offered("memberOf \"Platform\" |"), ["withDescendants", "and", "or"]);
    assert_eq!(offered("accounts |"), ["pr", "["]);
    assert_eq!(offered("accounts[|"), ["integration", "kind", "username", "email", "displayName", "isBot"]);
    assert_eq!(offered("accounts[username pr and i|"), ["integration", "isBot"]);
    assert_eq!(offered("accounts[username |"), ["eq", "in", "co", "sw", "ew", "pr"]);
    assert_eq!(offered("accounts[kind eq \"a|"), ["\"AZURE_DEVOPS\""]);
    assert_eq!(offered("accounts[isBot eq |"), ["true", "false"]);
}

#[test]
fn nothing_is_offered_where_something_before_is_wrong() {
    for text in ["name |pr".replace('|', "x |"), "= |".into(), "name pr) |".into(), "name eq 'x' |".into()] {
        assert_eq!(offered(&text), [""; 0], "{text}");
    }
    assert_eq!(offered("integration |"), [""; 0]);
    assert_eq!(offered("name eq \"\\x\" |"), [""; 0]);
}

#[test]
fn what_the_cursor_is_in_is_replaced_as_a_whole() {
    assert_eq!(completed("depa|rt eq \"x\""), "department eq \"x\"");
    assert_eq!(completed("department eq \"Platf|\""), "department eq \"Platform\"");
    assert_eq!(completed("department eq \"Platf|orms\" and name pr"), "department eq \"Platform\" and name pr");
    // The quote is open: what seems to end it begins the next text.
    assert_eq!(completed("department eq \"Platf| and name eq \"x\""), "department eq \"Platform\" and name eq \"x\"");
    assert_eq!(completed("é eq \"x\" or memb|"), "é eq \"x\" or memberOf");
    assert_eq!(completed("name pr and\"depart|"), "name pr and department");
    assert_eq!(completed("name pr and (depart|)"), "name pr and (department)");
}

#[test]
fn no_more_is_offered_than_there_is_room_for() {
    let many = |count: usize| format!("{} |", vec!["name pr"; count].join(" or "));
    assert_eq!(offered(&many(CONDITIONS - 1)), ["and", "or"]);
    assert_eq!(offered(&many(CONDITIONS)), [""; 0]);
    let list = |values: usize| format!("level in [{} |", vec!["1"; values].join(","));
    assert_eq!(offered(&list(VALUES - 1)), [",", "]"]);
    assert_eq!(offered(&list(VALUES)), ["]"]);
    let deep = |levels: usize, rest: &str| format!("{}{rest}", "not (".repeat(levels));
    assert!(offered(&deep(10, "|")).contains(&"not".to_owned()));
    assert!(!offered(&deep(11, "|")).contains(&"not".to_owned()));
    assert!(offered(&deep(10, "name |")).contains(&"ne".to_owned()));
    assert!(!offered(&deep(11, "name |")).contains(&"ne".to_owned()));
    assert_eq!(offered(&deep(11, "name pr |")), [")"]);
    let long = format!("name eq \"{}\" |", "x".repeat(TEXT - 13));
    assert_eq!(offered(&long), ["or"]);
    assert_eq!(with_names(|names| complete("name ", 5, names, &offers, 2)).len(), 2);
    assert_eq!(with_names(|names| complete("é", 1, names, &offers, 2)), []);
    assert_eq!(with_names(|names| complete("", 9, names, &offers, 2)), []);
}

/// Conditions that the check accepts.
const RIGHT: [&str; 27] = [
    "name eq \"Platform\"",
    "name ne \"Größe\"",
    "email sw \"Platform\"",
    "department in [\"Platform\", \"Größe\"]",
    "department co \"Größe\"",
    "department ew \"Plants \\\"R\\\" us\"",
    "department eq null",
    "department ne null",
    "level lt 5",
    "level le 50",
    "level in [5, -1.5]",
    "level between -1.5 and 50",
    "start_date gt now-90d",
    "start_date ge now-45m",
    "start_date between \"2026-01-01\" and now+36500y",
    "manager pr",
    "skills hasAny [\"Rust\"]",
    "skills hasAll [\"Rust\", \"Go\", \"SQL\"]",
    "role ne \"SQL\"",
    "remote eq true",
    "\"2fa\" ne false",
    "everybody",
    "nobody",
    "accounts pr",
    "accounts[username eq \"Platform\" and isBot eq false]",
    "accounts[kind eq \"AZURE_DEVOPS\" and email pr and displayName in [\"Größe\"]]",
    "\"not\" eq \"Platform\"",
];

fn right() -> impl Strategy<Value = String> {
    let leaf = prop::sample::select(&RIGHT[..]).prop_map(str::to_owned);
    leaf.prop_recursive(3, 12, 3, |inner| {
        let list = || prop::collection::vec(inner.clone().prop_map(|part| format!("({part})")), 2..4);
        prop_oneof![
            list().prop_map(|parts| parts.join(" and ")),
            list().prop_map(|parts| parts.join(" or ")),
            inner.clone().prop_map(|part| format!("not ({part})")),
        ]
    })
}

proptest! {
    #[test]
    fn whatever_is_offered_may_stand_there(
        text in prop_oneof![filter(1).prop_map(|filter| printed(&filter)), soup(), damaged(), right()],
        place in any::<prop::sample::Index>(),
    ) {
        let places: Vec<usize> = text.char_indices().map(|(at, _)| at).chain([text.len()]).collect();
        let cursor = places[place.index(places.len())];
        with_names(|names| {
            for found in complete(&text, cursor, names, &offers, 100) {
                assert!(found.replaces.start <= cursor && cursor <= found.replaces.end && found.replaces.end <= text.len());
                let begun = format!("{}{}", &text[..found.replaces.start], found.insert);
                if let Err(wrong) = parse(&begun, names) {
                    assert_eq!(wrong.span.start, begun.len(), "{begun}\n{wrong:?}");
                }
            }
        });
    }

    #[test]
    fn every_filter_can_be_written_by_taking_what_is_offered(text in right()) {
        with_names(|names| {
            let parsed = parse(&text, names).unwrap();
            assert!(parsed.check(names).is_ok(), "{text}");
            let text = print(&parsed.filter, names).unwrap();
            let mut lexer = Lexer::new(&text);
            loop {
                let token = lexer.token().unwrap();
                if token.kind == Kind::End {
                    break;
                }
                let wanted = &text[token.span.clone()];
                // Of days relative to today only some are offered before anything of one is written.
                let is_day = wanted.starts_with("now");
                let cursor = if is_day { token.span.end } else { token.span.start };
                // A sign that follows a word is offered once a blank says that the word is whole.
                let blank = if text[..cursor].ends_with(|c: char| c.is_alphanumeric()) && !is_day { " " } else { "" };
                let before = format!("{}{blank}", &text[..cursor]);
                let found = complete(&before, before.len(), names, &offers, usize::MAX);
                assert!(found.iter().any(|found| found.insert.trim_start() == wanted), "{before}| {wanted}\n{found:?}");
            }
        });
    }

    /// Each token once and forwards: a parser that has nothing but this takes no more steps than a text has bytes.
    #[test]
    fn tokens_stand_one_behind_the_other(text in prop_oneof![any::<String>(), soup(), damaged()]) {
        let mut lexer = Lexer::new(&text);
        let (mut end, mut count) = (0, 0);
        while let Ok(token) = lexer.token() {
            assert!(token.span.start >= end && text.get(token.span.clone()).is_some());
            (end, count) = (token.span.end, count + 1);
            if token.kind == Kind::End {
                break;
            }
            assert!(!token.span.is_empty());
        }
        assert!(count <= text.len() + 1);
    }
}
