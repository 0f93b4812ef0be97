//! Who held the virtual addresses from when to when, and what that says of the service: times with two holders,
//! times with none. Must not know who ought to have held them.

use std::time::Duration;

use vipkit_core::units::Mono;

use super::Id;

/// One host's time with the addresses.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Tenure {
    /// The host.
    pub id: Id,
    /// Since when.
    pub from: Mono,
    /// Until when, if it is over.
    pub until: Option<Mono>,
}

/// All tenures, in the order of their beginnings.
#[derive(Clone, Debug, Default)]
pub struct Tenures(Vec<Tenure>);

impl Tenures {
    /// A host holds the addresses now, or does not.
    pub fn note(&mut self, id: Id, holds: bool, now: Mono) {
        let open = self.0.iter_mut().rev().find(|tenure| tenure.id == id && tenure.until.is_none());
        match (open, holds) {
            (None, true) => self.0.push(Tenure { id, from: now, until: None }),
            (Some(tenure), false) => tenure.until = Some(now),
            _ => {}
        }
    }

    /// True while the host holds the addresses.
    #[must_use]
    pub fn is_open(&self, id: Id) -> bool {
        self.0.iter().any(|tenure| tenure.id == id && tenure.until.is_none())
    }

    /// How often a host took the addresses.
    #[must_use]
    pub fn count(&self, id: Id) -> usize {
        self.0.iter().filter(|tenure| tenure.id == id).count()
    }

    /// The longest time after a moment for which two hosts held the addresses at once.
    #[must_use]
    pub fn longest_overlap(&self, since: Mono, now: Mono) -> Duration {
        let pairs = self.0.iter().enumerate().flat_map(|(n, a)| self.0[..n].iter().map(move |b| (a, b)));
        let overlap = |(a, b): (&Tenure, &Tenure)| {
            let until = a.until.unwrap_or(now).min(b.until.unwrap_or(now));
            until - a.from.max(b.from).max(since)
        };
        pairs.map(overlap).max().unwrap_or_default()
    }

    /// The longest time after a moment for which nobody held the addresses.
    #[must_use]
    pub fn longest_gap(&self, since: Mono, now: Mono) -> Duration {
        let (mut gap, mut covered) = (Duration::ZERO, since);
        for tenure in &self.0 {
            gap = gap.max(tenure.from.min(now) - covered);
            covered = covered.max(tenure.until.unwrap_or(now));
        }
        gap.max(now - covered)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn overlaps_and_gaps() {
        let mut tenures = Tenures::default();
        for (id, holds, at) in [(0, true, 10), (1, true, 30), (0, false, 35), (1, false, 50), (0, true, 70)] {
            tenures.note(id, holds, Mono(at));
        }
        let us = Duration::from_micros;
        assert_eq!(tenures.longest_overlap(Mono(0), Mono(100)), us(5));
        assert_eq!(tenures.longest_overlap(Mono(33), Mono(100)), us(2));
        assert_eq!(tenures.longest_overlap(Mono(40), Mono(100)), us(0));
        assert_eq!(tenures.longest_gap(Mono(0), Mono(100)), us(20));
        assert_eq!(tenures.longest_gap(Mono(0), Mono(60)), us(10));
        assert_eq!(tenures.longest_gap(Mono(60), Mono(100)), us(10));
        assert_eq!((tenures.count(0), tenures.count(1), tenures.is_open(1)), (2, 1, false));
    }
}
