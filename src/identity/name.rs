//! Two full names: whether they can be one person's, and how many others would have as much in common.

use super::nickname::are_forms_of_one;
use super::symbols::{Symbol, Symbols};
use super::text::is_typo;

/// What two names have in common.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Relation {
    /// The same words, in any order, however they are cut.
    Same,
    /// All words of one, with its first and last, and the other has more between them or more initials.
    Fewer,
    /// All words of one, and the other has more at its ends.
    Part,
    /// The same but for words that are written otherwise and sound alike.
    Sound,
    /// The same but for a short form of a given name.
    ShortForm,
    /// The same but for slips of the pen.
    Similar,
    /// The same but for initials.
    Initials,
    /// A word, and another differs.
    Shared,
    /// Nothing.
    Different,
}

/// How two names are alike.
#[derive(Clone, Copy, Debug)]
pub(super) struct Likeness {
    pub(super) relation: Relation,
    /// How many others in the book would have as much in common with either by chance.
    pub(super) chance: f32,
}

/// How frequent words are in the full names of a book.
#[derive(Clone, Copy)]
pub(super) struct Frequency<'a> {
    pub(super) symbols: &'a Symbols,
    /// How many different full names there are.
    pub(super) names: u32,
}

/// What is taken for granted of names that are not in the book: so many, and no word of the book among them. It keeps a
/// small book from taking what it has once for common.
const ELSEWHERE: f32 = 200.0;

/// How many names begin with one letter.
const SAME_INITIAL: f32 = 0.08;

impl Frequency<'_> {
    /// The share of full names that have `word`.
    pub(super) fn share(self, word: Symbol) -> f32 {
        self.symbols.names(word).max(1) as f32 / (self.names as f32 + ELSEWHERE)
    }

    /// How many of the book's names have all of what has these `shares`.
    pub(super) fn expected(self, shares: impl Iterator<Item = f32>) -> f32 {
        shares.product::<f32>() * self.names as f32
    }
}

/// How `a` and `b`, of two words or more, are alike.
pub(super) fn relate(frequency: Frequency<'_>, a: &[Symbol], b: &[Symbol]) -> Likeness {
    let (few, many) = if a.len() <= b.len() { (a, b) } else { (b, a) };
    let text = |word: Symbol| frequency.symbols.text(word);
    let has_equal = few.iter().any(|word| many.contains(word));
    if !has_equal && !are_as_long(frequency.symbols, few, many) {
        return Likeness { relation: Relation::Different, chance: 0.0 };
    }
    let mut taken = [false; 8];
    let mut left: Vec<Symbol> = Vec::new();
    let mut shares: Vec<f32> = Vec::with_capacity(few.len());
    for word in few {
        let same = (0..many.len()).find(|at| !taken[*at] && many[*at] == *word);
        match same {
            Some(at) => {
                taken[at] = true;
                shares.push(if text(*word).len() == 1 { SAME_INITIAL } else { frequency.share(*word) });
            }
            None => left.push(*word),
        }
    }
    let chance = |shares: &[f32]| frequency.expected(shares.iter().copied());
    let equal = shares.len();
    if left.is_empty() {
        let has_ends = taken[0] && taken[many.len() - 1];
        let relation = match many.len() - few.len() {
            0 => Relation::Same,
            _ if has_ends || (0..many.len()).all(|at| taken[at] || text(many[at]).len() == 1) => Relation::Fewer,
            _ => Relation::Part,
        };
        let letters: usize = few.iter().map(|word| text(*word).len()).sum();
        // `J S` says next to nothing.
        let relation = if letters <= few.len() + 1 { Relation::Initials } else { relation };
        return Likeness { relation, chance: chance(&shares) };
    }
    if spelled_alike(frequency.symbols, few, many) {
        let of = |words: &[Symbol]| frequency.expected(words.iter().map(|word| frequency.share(*word)));
        return Likeness { relation: Relation::Same, chance: of(few).max(of(many)) };
    }
    let shared = few.iter().any(|word| !left.contains(word) && text(*word).len() > 1);
    if equal == 0 || !shared {
        return Likeness { relation: Relation::Different, chance: 0.0 };
    }
    let mut relation = Relation::Sound;
    for word in &left {
        let Some((at, how)) = (0..many.len())
            .filter(|at| !taken[*at])
            .filter_map(|at| Some((at, resembles(frequency, *word, many[at])?)))
            .min_by_key(|(at, how)| (how.relation, *at))
        else {
            return Likeness { relation: Relation::Shared, chance: chance(&shares) };
        };
        taken[at] = true;
        shares.push(how.share);
        relation = relation.max(how.relation);
    }
    // A slip of the pen, or a short form, and a word more, is a doubt too many.
    let has_more = (0..many.len()).any(|at| !taken[at] && text(many[at]).len() > 1);
    if relation < Relation::Initials && has_more {
        return Likeness { relation: Relation::Initials, chance: chance(&shares) };
    }
    // Two words and an initial are as good as a name.
    if relation == Relation::Initials && equal > 1 {
        relation = Relation::Part;
    }
    Likeness { relation, chance: chance(&shares) }
}

struct Resemblance {
    relation: Relation,
    share: f32,
}

/// Whether `a` and `b` can be one word: an initial, a short form, a slip of the pen.
fn resembles(frequency: Frequency<'_>, a: Symbol, b: Symbol) -> Option<Resemblance> {
    let (x, y) = (frequency.symbols.text(a), frequency.symbols.text(b));
    let (short, long) = if x.len() <= y.len() { (x, y) } else { (y, x) };
    if short.len() == 1 {
        let relation = Relation::Initials;
        return long.starts_with(short).then_some(Resemblance { relation, share: SAME_INITIAL });
    }
    let share = frequency.share(a) + frequency.share(b);
    if short.len() > 3 && frequency.symbols.sound_alike(a, b) {
        return Some(Resemblance { relation: Relation::Sound, share });
    }
    if are_forms_of_one(short, long) {
        return Some(Resemblance { relation: Relation::ShortForm, share });
    }
    // Two words that both are in the names of several are two names.
    if frequency.symbols.names(a).min(frequency.symbols.names(b)) > 1 {
        return None;
    }
    let is_cut = short.len() > 3 && long.starts_with(short);
    let is_slip = short.len() > 4 && short.as_bytes()[0] == long.as_bytes()[0] && is_typo(short, long, short.len() > 8);
    (is_cut || is_slip).then_some(Resemblance { relation: Relation::Similar, share })
}

/// Whether both are the same letters, cut into words in other places, with the words in any order.
fn spelled_alike(symbols: &Symbols, a: &[Symbol], b: &[Symbol]) -> bool {
    if !are_as_long(symbols, a, b) {
        return false;
    }
    let texts = |words: &[Symbol]| words.iter().map(|word| symbols.text(*word)).collect::<Vec<_>>();
    let (a, b) = (texts(a), texts(b));
    is_spelled_by(&a.concat(), &b) || is_spelled_by(&b.concat(), &a)
}

/// Whether both have as many letters.
fn are_as_long(symbols: &Symbols, a: &[Symbol], b: &[Symbol]) -> bool {
    let letters = |words: &[Symbol]| words.iter().map(|word| symbols.text(*word).len()).sum::<usize>();
    letters(a) == letters(b)
}

/// Whether `text` is all of `words`, one after the other, in any order.
pub(super) fn is_spelled_by(text: &str, words: &[&str]) -> bool {
    fn rest(text: &str, words: &[&str], used: u8) -> bool {
        if text.is_empty() {
            return used.count_ones() as usize == words.len();
        }
        words.iter().enumerate().any(|(at, word)| {
            used & (1 << at) == 0 && text.strip_prefix(word).is_some_and(|text| rest(text, words, used | 1 << at))
        })
    }
    words.len() <= 8 && rest(text, words, 0)
}
