//! Numbers that look random and depend on nothing but what they are made from.

/// A number that looks random, always the same for the same seed, topic and index. Two things that must not depend on
/// each other have two topics.
pub(super) fn mix(seed: u64, topic: u64, index: u64) -> u64 {
    // The finaliser of SplitMix64, over a state that tells the three apart.
    let mut state = seed
        .wrapping_add(topic.wrapping_mul(0x9e37_79b9_7f4a_7c15))
        .wrapping_add(index.wrapping_mul(0xd1b5_4a32_d192_ed03))
        .wrapping_add(0x9e37_79b9_7f4a_7c15);
    for factor in [0xbf58_476d_1ce4_e5b9, 0x94d0_49bb_1331_11eb] {
        state = (state ^ (state >> 30)).wrapping_mul(factor);
        state ^= state >> 27;
    }
    state ^ (state >> 31)
}

/// `number`, which may be any, as one below `limit`.
pub(super) fn below(number: u64, limit: u64) -> u64 {
    // The upper half of the product: below `limit`, so that it always fits.
    u64::try_from((u128::from(number) * u128::from(limit)) >> 64).unwrap_or_default()
}

/// One of `choices`, which are not empty.
pub(super) fn choose<'a>(number: u64, choices: &[&'a str]) -> &'a str {
    choices[place(below(number, choices.len() as u64))]
}

/// `number` as a place in a list.
pub(super) fn place(number: u64) -> usize {
    usize::try_from(number).unwrap_or(usize::MAX)
}

/// The place of `index` when the numbers below `count` are shuffled: each gets a place of its own, and no list of them
/// is kept.
pub(super) fn shuffled(seed: u64, topic: u64, index: u64, count: u64) -> u64 {
    let bits = count.max(2).next_power_of_two().ilog2().div_ceil(2);
    let mask = (1 << bits) - 1;
    let mut at = index;
    // A Feistel network shuffles the numbers of an even count of bits; what falls outside goes through it again.
    loop {
        let (mut left, mut right) = (at >> bits, at & mask);
        for round in 0..4 {
            (left, right) = (right, left ^ (mix(seed, topic.wrapping_mul(8).wrapping_add(round), right) & mask));
        }
        at = (left << bits) | right;
        if at < count {
            return at;
        }
    }
}
