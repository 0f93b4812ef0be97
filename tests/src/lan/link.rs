//! One direction between two hosts. Must not look into packets.

use std::time::Duration;

use vipkit_core::units::Mono;

use super::dice::Dice;

/// How packets travel from one host to another.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Link {
    /// Anything passes at all.
    pub up: bool,
    /// Packets lost, in per cent.
    pub loss: u8,
    /// Packets that arrive twice, in per cent.
    pub doubled: u8,
    /// Least time on the way.
    pub delay: Duration,
    /// Greatest time beyond that: packets may overtake each other.
    pub jitter: Duration,
}

impl Default for Link {
    /// Everything arrives, once, after [`DELAY`].
    fn default() -> Self {
        Self { up: true, loss: 0, doubled: 0, delay: DELAY, jitter: Duration::ZERO }
    }
}

impl Link {
    /// When a packet that is sent now arrives: not at all, once or twice.
    pub fn arrivals(self, now: Mono, dice: &mut Dice) -> Vec<Mono> {
        if !self.up || dice.falls(self.loss) {
            return Vec::new();
        }
        let copies = if dice.falls(self.doubled) { 2 } else { 1 };
        let jitter = self.jitter.as_micros() as u64;
        let mut late = || Duration::from_micros(dice.below(jitter + 1));
        (0..copies).map(|_| now + self.delay + late()).collect()
    }
}

/// Time on the way through a switch.
pub const DELAY: Duration = Duration::from_micros(100);
