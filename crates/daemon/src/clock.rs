//! The moment it is, and moments in wall time. Must not wait.

use std::cell::Cell;
use std::time::UNIX_EPOCH;

use vipkit_core::epoch::Epoch;
use vipkit_core::units::{Mono, Wall};
use vipkit_linux::clock;

/// The moment it is.
#[must_use]
pub fn now() -> Mono {
    Mono::at(clock::now())
}

/// The time of day; before 1970 it is that.
#[must_use]
pub fn wall() -> Wall {
    Wall(clock::wall().duration_since(UNIX_EPOCH).unwrap_or_default())
}

/// Knows the wall time of moments. What it says of one stays the same until the wall clock is set.
#[derive(Debug)]
pub struct WallClock(Cell<Epoch>);

impl Default for WallClock {
    fn default() -> Self {
        Self(Cell::new(read()))
    }
}

impl WallClock {
    /// Wall time of the moment zero.
    #[must_use]
    pub fn epoch(&self) -> Epoch {
        self.0.set(self.0.get().follow(read()));
        self.0.get()
    }
}

fn read() -> Epoch {
    Epoch::new(clock::wall(), now())
}
