//! When the table is to be read next: how long after a reading depends on what came of it, and nothing that happens
//! meanwhile puts it off. Must not read a clock or wait.

use std::time::Duration;

use tokio::time::Instant;

/// From one attempt at a kernel without IPVS to the next.
const NO_IPVS_PAUSE: Duration = Duration::from_secs(5);
/// From something that failed to the next attempt, doubled with each in a row, `resync_interval` at most.
const PAUSE: Duration = Duration::from_millis(100);

/// What came of a round.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Ended {
    /// The table is as it should be.
    Level,
    /// Something failed.
    Failed,
    /// The kernel has no IPVS.
    NoIpvs,
}

/// The pace of readings.
#[derive(Debug)]
pub struct Pace {
    due: Instant,
    failures: u32,
}

impl Pace {
    /// The first is due at once.
    #[must_use]
    pub const fn from(now: Instant) -> Self {
        Self { due: now, failures: 0 }
    }

    /// When the next reading is due.
    #[must_use]
    pub const fn due(&self) -> Instant {
        self.due
    }

    /// A round has ended `now`, which began with a reading or did not.
    pub fn ended(&mut self, ended: Ended, began_with_reading: bool, interval: Duration, now: Instant) {
        self.failures = if ended == Ended::Failed { self.failures.saturating_add(1) } else { 0 };
        let pause = match ended {
            Ended::Level => interval,
            Ended::Failed => PAUSE.saturating_mul(1 << self.failures.min(16)).min(interval),
            Ended::NoIpvs => NO_IPVS_PAUSE,
        };
        self.due = if began_with_reading { now + pause } else { self.due.min(now + pause) };
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const INTERVAL: Duration = Duration::from_secs(10);

    fn after(rounds: &[(Ended, bool, u64)]) -> Duration {
        let began = Instant::now();
        let mut pace = Pace::from(began);
        let mut now = began;
        for (ended, read, milliseconds) in rounds {
            now = began + Duration::from_millis(*milliseconds);
            pace.ended(*ended, *read, INTERVAL, now);
        }
        pace.due() - now
    }

    #[test]
    fn a_reading_follows_a_reading_after_the_interval() {
        assert_eq!(after(&[(Ended::Level, true, 0)]), INTERVAL);
        assert_eq!(after(&[(Ended::NoIpvs, true, 0)]), NO_IPVS_PAUSE);
    }

    #[test]
    fn what_fails_is_tried_again_soon_and_later_and_later() {
        let mut rounds = Vec::new();
        for pause in [200, 400, 800, 1600, 3200, 6400, 10_000, 10_000] {
            rounds.push((Ended::Failed, true, 0));
            assert_eq!(after(&rounds), Duration::from_millis(pause));
        }
        rounds.extend([(Ended::Level, true, 0), (Ended::Failed, false, 1)]);
        assert_eq!(after(&rounds), 2 * PAUSE, "forgotten once it was level");
    }

    #[test]
    fn rounds_in_between_put_no_reading_off() {
        let mut rounds = vec![(Ended::Level, true, 0)];
        for second in 1..=9 {
            rounds.push((Ended::Level, false, second * 1000));
            assert_eq!(after(&rounds), INTERVAL - Duration::from_secs(second));
        }
        let mut rounds = vec![(Ended::Failed, true, 0); 20];
        for second in 1..=9 {
            rounds.push((Ended::Failed, false, second * 1000));
            assert_eq!(after(&rounds), INTERVAL - Duration::from_secs(second));
        }
    }
}
