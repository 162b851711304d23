//! What a book answers depends on what is in it alone.

use proptest::prelude::*;

use super::*;

const GIVEN: [&str; 6] = ["Jelena", "Tomislav", "Maria", "Zoë", "Jürgen", "Bob"];
const FAMILY: [&str; 5] = ["Markovac", "Tannhof", "Smith", "Grünspan", "van Obrecht"];
const DOMAINS: [&str; 4] = ["one.example", "two.example", "gmail.com", "users.noreply.github.com"];

/// Identities that often have something in common.
fn an_identity() -> impl Strategy<Value = Identity> {
    let name = (0..GIVEN.len(), 0..FAMILY.len(), 0..5_u8).prop_map(|(given, family, form)| {
        let (given, family) = (GIVEN[given], FAMILY[family]);
        match form {
            0 => format!("{given} {family}"),
            1 => format!("{family}, {given}"),
            2 => given.to_owned(),
            3 => format!("{given}{family}"),
            _ => format!("{}. {family}", &given[..1]),
        }
    });
    let email =
        (0..GIVEN.len(), 0..FAMILY.len(), 0..DOMAINS.len(), 0..4_u8).prop_map(|(given, family, domain, form)| {
            let (given, family) = (GIVEN[given].to_lowercase(), FAMILY[family].to_lowercase().replace(' ', ""));
            let local = match form {
                0 => format!("{given}.{family}"),
                1 => format!("{}{family}", given.chars().next().unwrap()),
                2 => given,
                _ => format!("{given}.{family}2"),
            };
            format!("{local}@{}", DOMAINS[domain])
        });
    let account = (0..2_u32, 0..6_u128, 0..FAMILY.len()).prop_map(|(tool, number, family)| Account {
        one_of: Some((tool, number)),
        username: Some(FAMILY[family].replace(' ', "-").to_lowercase()),
    });
    let many = |least| proptest::collection::vec(name.clone(), least..3);
    (many(0), proptest::collection::vec(email, 0..3), proptest::collection::vec(account, 0..2), 0..12_u8)
        .prop_map(|(names, emails, accounts, bot)| Identity { names, emails, accounts, is_bot: bot == 0 })
}

fn everything(book: &Book<u64>) -> (Vec<Pair<u64>>, Clusters<u64>, Size) {
    (book.pairs(std::ops::Bound::Unbounded, 0.0).collect(), book.clusters(ACCEPT), book.size())
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn what_a_book_answers_does_not_depend_on_what_came_first_or_went_again(
        identities in proptest::collection::vec(an_identity(), 2..30),
        order in any::<u64>(),
        gone in proptest::collection::vec(an_identity(), 0..10),
    ) {
        let mut book = Book::new();
        for (key, identity) in (0..).zip(&identities) {
            book.insert(key, identity);
        }
        let mut other = Book::new();
        for (key, identity) in (500..).zip(&gone) {
            other.insert(key, identity);
        }
        let mut shuffled: Vec<usize> = (0..identities.len()).collect();
        shuffled.sort_by_key(|at| (*at as u64).wrapping_mul(order | 1).rotate_left(17));
        for at in shuffled {
            // What was there before under the key is replaced.
            other.insert(at as u64, &identities[(at + 1) % identities.len()]);
            other.insert(at as u64, &identities[at]);
        }
        for key in 500..500 + gone.len() as u64 {
            prop_assert!(other.remove(key));
        }
        prop_assert_eq!(everything(&book), everything(&other));
        // The first may go and come back.
        other.remove(0);
        other.insert(0, &identities[0]);
        prop_assert_eq!(everything(&book), everything(&other));
    }

    #[test]
    fn whoever_is_compared_with_one_has_it_compared_with_oneself(
        identities in proptest::collection::vec(an_identity(), 2..30),
    ) {
        let mut book = Book::new();
        for (key, identity) in (0..).zip(&identities) {
            book.insert(key, identity);
        }
        let count = identities.len() as u64;
        let mut pairs = Vec::new();
        for a in 0..count {
            for b in book.candidates(a) {
                prop_assert!(book.candidates(b).contains(&a));
            }
            for pair in book.suggestions(a, SUGGEST) {
                let other = if pair.a == a { pair.b } else { pair.a };
                prop_assert!(book.suggestions(other, SUGGEST).contains(&pair));
                prop_assert!((0.0..=1.0).contains(&pair.score) && pair.a < pair.b && !pair.reasons.is_empty());
                pairs.push((pair.a, pair.b));
            }
        }
        pairs.sort_unstable();
        pairs.dedup();
        let listed: Vec<_> = book.pairs(std::ops::Bound::Unbounded, SUGGEST).map(|pair| (pair.a, pair.b)).collect();
        prop_assert_eq!(&pairs, &listed);
        // A list goes on where a page ended.
        let middle = count / 2;
        let rest: Vec<_> = book.pairs(std::ops::Bound::Included(middle), SUGGEST).map(|pair| (pair.a, pair.b)).collect();
        prop_assert_eq!(listed.into_iter().filter(|(a, _)| *a >= middle).collect::<Vec<_>>(), rest);
    }
}

#[test]
fn an_empty_book_and_an_unknown_key_have_nobody() {
    let mut book: Book<u64> = Book::new();
    assert!(book.is_empty() && !book.contains(1) && !book.remove(1));
    assert!(book.suggestions(1, 0.0).is_empty() && book.candidates(1).is_empty() && book.compare(1, 2).is_none());
    assert_eq!(book.clusters(ACCEPT).clusters, []);
    book.insert(1, &Identity::default());
    assert!(book.compare(1, 1).is_none() && book.suggestions(1, 0.0).is_empty());
    assert_eq!(book.size(), Size { identities: 1, texts: 0, keys: 0, full_names: 0 });
}

#[test]
fn a_blocking_key_of_too_many_is_not_followed() {
    let mut book = Book::new();
    for key in 0..2_000_u64 {
        book.insert(key, &author("Maria Smith", &format!("u{key}@host{key}.example")));
    }
    assert!(book.candidates(0).is_empty());
    book.insert(5_000, &author("Jelena Markovac", "jm@one.example"));
    book.insert(5_001, &author("Markovac Jelena", "x@two.example"));
    assert_eq!(book.candidates(5_000), [5_001]);
}
