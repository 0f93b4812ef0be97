//! Monotonic moments in wall time, as people and programs are shown them. Reads no clock.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use crate::units::Mono;

/// Two clocks are read one after the other; only a greater step means that the wall clock was set.
const CLOCK_STEP: Duration = Duration::from_millis(100);
/// The end of the year 9999: RFC 3339 has no later moment, and none before 1970 is meant.
const LAST: Duration = Duration::from_secs(253_402_300_799);

/// Wall time of the moment zero.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Epoch(SystemTime);

impl Epoch {
    /// From what both clocks say now.
    #[must_use]
    pub fn new(wall: SystemTime, now: Mono) -> Self {
        Self(wall.checked_sub(now.since_start()).unwrap_or(UNIX_EPOCH))
    }

    /// Moves when the wall clock is set, as what is shown should; else not by a millisecond.
    #[must_use]
    pub fn follow(self, read: Self) -> Self {
        let step = read.0.duration_since(self.0).unwrap_or_else(|backward| backward.duration());
        if step > CLOCK_STEP { read } else { self }
    }

    /// A moment in wall time.
    #[must_use]
    pub fn wall(self, moment: Mono) -> SystemTime {
        self.0.checked_add(moment.since_start()).unwrap_or(self.0)
    }

    /// A moment in wall time: RFC 3339, UTC.
    #[must_use]
    pub fn time(self, moment: Mono) -> String {
        let since = self.wall(moment).duration_since(UNIX_EPOCH).unwrap_or_default().min(LAST);
        humantime::format_rfc3339_millis(UNIX_EPOCH + since).to_string()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn wall(millis: u64) -> SystemTime {
        UNIX_EPOCH + Duration::from_millis(millis)
    }

    fn mono(millis: u64) -> Mono {
        Mono::at(Duration::from_millis(millis))
    }

    #[test]
    fn a_moment_is_shown_in_wall_time() {
        let epoch = Epoch::new(wall(1_764_000_010_500), mono(10_000));
        assert_eq!(epoch.time(mono(0)), "2025-11-24T16:00:00.500Z");
        assert_eq!(epoch.time(mono(61_001)), "2025-11-24T16:01:01.501Z");
    }

    #[test]
    fn a_wall_clock_far_from_the_truth_is_no_trouble() {
        assert_eq!(Epoch::new(wall(5), mono(10)).time(mono(1)), "1970-01-01T00:00:00.000Z");
        let late = Epoch::new(UNIX_EPOCH + LAST, Mono(0));
        assert_eq!(late.time(mono(1)), "9999-12-31T23:59:59.000Z");
        assert_eq!(late.time(Mono(u64::MAX)), "9999-12-31T23:59:59.000Z");
    }

    #[test]
    fn it_moves_when_the_wall_clock_was_set_in_either_direction() {
        let kept = Epoch::new(wall(1_000_000), mono(0));
        for (read, moves) in [(1_000_100, false), (999_900, false), (1_000_101, true), (999_899, true)] {
            let read = Epoch::new(wall(read), mono(0));
            assert_eq!(kept.follow(read), if moves { read } else { kept });
        }
    }
}
