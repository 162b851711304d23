mod book;
mod clusters;
mod rules;
mod text;

use super::*;

/// An identity as a git history has it: a name and an email, of which a blank is none.
fn author(name: &str, email: &str) -> Identity {
    let some = |text: &str| Some(text.to_owned()).filter(|text| !text.is_empty()).into_iter().collect();
    Identity { names: some(name), emails: some(email), accounts: Vec::new(), is_bot: false }
}

/// An account in a tool where everybody has one.
fn account(tool: u32, number: u128, username: &str, name: &str) -> Identity {
    let account = Account { one_of: Some((tool, number)), username: Some(username.to_owned()) };
    Identity { accounts: vec![account], ..author(name, "") }
}

/// A book with `identities` at 0, 1, 2 and so on, and with some other people, so that names are as rare as they seem.
fn book_of(identities: &[Identity]) -> Book<u64> {
    const OTHERS: &str = "Aoife Brannock, Bela Ferenczy, Dario Montefalco, Ewa Sikorowska, Farid Zandieh, Greta Lindqvist, \
        Hamza Qureishi, Ines Carvalhal, Jonas Petterheim, Kofi Asantewaa, Leila Haddadi, Marta Okonska, Nikhil Ramaswami, \
        Olga Vetrova, Pablo Quintero, Rosa Delmonte, Sven Aakerlund, Tove Hagström, Uri Ben-Ezra, Wanda Zielony, \
        Adam Smith, Ben Smith, Carla Smith, Dora Smith, Emma Smith, Finn Smith, Gwen Smith, Hugh Smith, Ida Smith, \
        Jack Smith, Kate Smith, Luke Smith, Maria Smith, Noah Smith, Maria Jones, Maria Brown, Maria Novak, Maria Weber";
    let mut book = Book::new();
    for (key, name) in (1_000..).zip(OTHERS.split(',')) {
        let number = key % 7;
        book.insert(key, &author(name.trim(), &format!("u{key}@host{number}.example")));
    }
    for (key, identity) in (0..).zip(identities) {
        book.insert(key, identity);
    }
    book
}

fn compared(a: &Identity, b: &Identity) -> Option<Pair<u64>> {
    let book = book_of(&[a.clone(), b.clone()]);
    let pair = book.compare(0, 1);
    let listed = book.suggestions(0, 0.0).into_iter().find(|pair| (pair.a, pair.b) == (0, 1));
    let turned = book_of(&[b.clone(), a.clone()]).compare(0, 1);
    assert_eq!(pair.as_ref().map(|pair| pair.score), turned.map(|pair| pair.score), "which is first does not matter");
    // Whoever is probably one person is found by blocking keys, too.
    if pair.as_ref().is_some_and(|pair| pair.score >= SUGGEST) {
        assert_eq!(pair, listed, "{a:?} {b:?}");
    }
    pair
}

fn in_words(pair: &Pair<u64>) -> Vec<String> {
    pair.reasons.iter().map(ToString::to_string).collect()
}
