//! What accepting every pair above a score comes to.

use super::*;

fn clusters(identities: &[Identity]) -> Vec<Vec<u64>> {
    book_of(identities).clusters(ACCEPT).clusters.into_iter().map(|cluster| cluster.keys).collect()
}

#[test]
fn whoever_is_one_with_the_same_is_one() {
    let people = [
        author("Jelena Markovac", "silverfern@one.example"),
        author("silverfern", "x@two.example"),
        author("Jelena Markovac", "x@three.example"),
        author("Ilse Tannhof", "it@one.example"),
    ];
    assert_eq!(clusters(&people), [[0, 1, 2]]);
}

#[test]
fn no_cluster_has_two_accounts_of_one_integration() {
    // Both accounts have the author's name, so each is a pair with it; one of the two pairs is surer.
    let people = [
        author("Jelena Markovac", "silverfern@one.example"),
        account(1, 5, "silverfern", "Jelena Markovac"),
        account(1, 6, "goldenfern", "Jelena Markovac"),
        author("Jelena Markovac", "goldenfern@two.example"),
    ];
    let found = book_of(&people).clusters(ACCEPT);
    assert_eq!(found.clusters.iter().map(|cluster| &cluster.keys[..]).collect::<Vec<_>>(), [[0, 1], [2, 3]]);
    for cluster in &found.clusters {
        assert!(cluster.score >= ACCEPT);
    }
}

#[test]
fn one_wrong_pair_does_not_make_one_person_of_two_crowds() {
    let mut people = Vec::new();
    for number in 0..4 {
        people.push(author("Jelena Markovac", &format!("jm{number}@one.example")));
        people.push(author("Ilse Tannhof", &format!("it{number}@two.example")));
    }
    // A login of which each crowd has one, and which is rare.
    people.push(author("Jelena Markovac", "silverfern@one.example"));
    people.push(author("Ilse Tannhof", "silverfern@two.example"));
    let found = book_of(&people).clusters(ACCEPT);
    assert_eq!(found.clusters.iter().map(|cluster| cluster.keys.len()).collect::<Vec<_>>(), [5, 5]);
    assert_eq!(found.refused.iter().map(|(a, b, _)| (*a, *b)).collect::<Vec<_>>(), [(8, 9)]);
}
