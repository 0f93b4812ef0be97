//! Chance that a seed repeats (SplitMix64). Must not be used for anything secret.

/// A sequence of numbers.
#[derive(Clone, Debug)]
pub struct Dice(u64);

impl Dice {
    /// The sequence of a seed.
    #[must_use]
    pub const fn new(seed: u64) -> Self {
        Self(seed)
    }

    /// True once in so many per cent of all throws.
    pub fn falls(&mut self, per_cent: u8) -> bool {
        self.below(100) < u64::from(per_cent)
    }

    /// A number below a bound that is not zero.
    pub fn below(&mut self, bound: u64) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ z >> 30).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ z >> 27).wrapping_mul(0x94d0_49bb_1331_11eb);
        (z ^ z >> 31) % bound
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn falls_as_often_as_it_says() {
        let mut dice = Dice::new(1);
        let fallen = (0..10_000).filter(|_| dice.falls(10)).count();
        assert!((900..1100).contains(&fallen), "{fallen}");
        assert!((0..100).all(|_| dice.falls(100) && !dice.falls(0)));
    }
}
