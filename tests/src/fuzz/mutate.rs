//! A new input from those there are. Must not know what they mean: only that lengths, counts and times like to break at
//! the same few values.

use crate::lan::dice::Dice;

/// Longest input, in bytes: a datagram of an Ethernet, and then some.
pub const INPUT_MAX: usize = 2048;
/// Most changes of one input.
const CHANGES_MAX: usize = 8;
/// Longest piece that a change puts in or takes out.
const PIECE_MAX: usize = 64;

/// Where signs, lengths and counts turn over.
const INTERESTING: [u64; 12] = [
    0,
    1,
    0x7f,
    0x80,
    0xff,
    0x7fff,
    0x8000,
    0xffff,
    0x7fff_ffff_ffff_ffff,
    0x8000_0000_0000_0000,
    0xffff_ffff_0000_0000,
    u64::MAX,
];

/// Makes an input of those in a corpus that is not empty: one of them with up to 8 changes.
#[must_use]
pub fn mutate(corpus: &[Vec<u8>], dice: &mut Dice) -> Vec<u8> {
    let mut input = one_of(corpus, dice).clone();
    for _ in 0..=below(CHANGES_MAX, dice) {
        change(&mut input, corpus, dice);
    }
    input.truncate(INPUT_MAX);
    input
}

fn change(input: &mut Vec<u8>, corpus: &[Vec<u8>], dice: &mut Dice) {
    let at = below(input.len() + 1, dice);
    let end = at + below(PIECE_MAX.min(input.len() - at) + 1, dice);
    match dice.below(9) {
        0 => over(input, at, |byte| byte ^ (1 << (at % 8)), 1),
        1 => {
            let value = byte(dice);
            over(input, at, |_| value, 1);
        }
        2 => {
            let by = byte(dice) % 16;
            over(input, at, |byte| byte.wrapping_add(by).wrapping_sub(8), 1);
        }
        3 => {
            let (value, length) = (one_of(&INTERESTING, dice).to_be_bytes(), 1 << dice.below(4));
            let mut value = value[8 - length..].iter();
            over(input, at, |byte| value.next().copied().unwrap_or(byte), length);
        }
        4 => drop(input.drain(at..end)),
        5 => {
            let piece: Vec<u8> = (at..end).map(|_| byte(dice)).collect();
            input.splice(at..at, piece);
        }
        6 => {
            let piece = input[at..end].to_vec();
            input.splice(at..at, piece);
        }
        7 => {
            let other = one_of(corpus, dice);
            let from = below(other.len() + 1, dice);
            let to = other.len().min(from + below(PIECE_MAX, dice));
            input.splice(at..end, other[from..to].iter().copied());
        }
        _ => {
            let other = one_of(corpus, dice);
            input.truncate(at);
            input.extend_from_slice(&other[at.min(other.len())..]);
        }
    }
}

/// Changes so many bytes from there on, as far as there are any.
fn over(input: &mut [u8], at: usize, mut change: impl FnMut(u8) -> u8, length: usize) {
    input.iter_mut().skip(at).take(length).for_each(|byte| *byte = change(*byte));
}

fn below(end: usize, dice: &mut Dice) -> usize {
    usize::try_from(dice.below(u64::try_from(end).unwrap_or(u64::MAX))).unwrap_or_default()
}

fn byte(dice: &mut Dice) -> u8 {
    u8::try_from(dice.below(256)).unwrap_or_default()
}

fn one_of<'a, T>(list: &'a [T], dice: &mut Dice) -> &'a T {
    &list[below(list.len(), dice)]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_same_seed_makes_the_same_inputs_and_another_others() {
        let corpus = [vec![0; 40], (0..200).collect()];
        let inputs = |seed| {
            let mut dice = Dice::new(seed);
            (0..2000).map(|_| mutate(&corpus, &mut dice)).collect::<Vec<_>>()
        };
        let some = inputs(1);
        assert_eq!(some, inputs(1));
        assert_ne!(some, inputs(2));
        assert!(some.iter().all(|input| input.len() <= INPUT_MAX));
        let distinct: std::collections::BTreeSet<_> = some.iter().collect();
        assert!(distinct.len() > 1500, "{} of 2000 differ", distinct.len());
    }
}
