//! How long the latest runs took that passed, for percentiles. Must not grow.

use std::time::Duration;

use vipkit_control::health;

/// How many runs are remembered.
const RUNS: usize = 64;

/// The latest of them.
#[derive(Clone, Debug, Default)]
pub struct Latencies {
    /// In microseconds; a ring once it is full.
    took: Vec<u32>,
    oldest: usize,
}

impl Latencies {
    /// A run passed.
    pub fn push(&mut self, took: Duration) {
        let micros = u32::try_from(took.as_micros()).unwrap_or(u32::MAX);
        match self.took.get_mut(self.oldest) {
            Some(slot) if self.oldest < RUNS => *slot = micros,
            _ => self.took.push(micros),
        }
        self.oldest = (self.oldest + 1) % RUNS;
    }

    /// Percentiles; none if no run passed yet.
    #[must_use]
    pub fn percentiles(&self) -> Option<health::Latency> {
        let mut sorted = self.took.clone();
        sorted.sort_unstable();
        let seconds = |percent: usize| {
            let rank = (sorted.len() * percent).div_ceil(100).saturating_sub(1);
            sorted.get(rank).map(|micros| f64::from(*micros) / 1e6)
        };
        Some(health::Latency {
            p50: seconds(50)?,
            p90: seconds(90)?,
            p99: seconds(99)?,
            samples: sorted.len() as u64,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn percentiles_are_of_the_latest_runs() {
        let mut latencies = Latencies::default();
        assert_eq!(latencies.percentiles(), None);
        latencies.push(Duration::from_millis(7));
        let one = latencies.percentiles().unwrap();
        assert_eq!((one.p50, one.p99, one.samples), (0.007, 0.007, 1));
        (0..1000).for_each(|_| latencies.push(Duration::from_secs(9)));
        (1..=64).for_each(|millis| latencies.push(Duration::from_millis(millis)));
        let many = latencies.percentiles().unwrap();
        assert_eq!((many.p50, many.p90, many.p99, many.samples), (0.032, 0.058, 0.064, 64));
    }
}
