//! When each run is due: starts spread over the interval, each on a grid of its own that never drifts, a little off it by
//! turns, none while the same run still goes on. Rounds that were missed are left out, not made up for.
//! Must not read a clock or run anything.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use vipkit_core::units::Mono;

use crate::runs::RunId;

/// Fraction of the interval between the first starts of one run and the next, in 2^-32: the golden ratio, which spreads
/// any number of runs evenly, and those that come later into the gaps.
const GOLDEN: u32 = 0x9E37_79B9;

/// Part of the interval by which a start may be off its grid: nodes that began together do not go on together.
const JITTER: u32 = 16;

/// A run that is new comes first within this time, however long its interval is: until then, nothing is known.
const FIRST_WITHIN: Duration = Duration::from_secs(10);

/// What is due when.
#[derive(Debug, Default)]
pub struct Schedule {
    slots: BTreeMap<RunId, Slot>,
    due: BTreeSet<(Mono, RunId)>,
    lateness: Lateness,
    /// What tells this node's starts from those of others.
    seed: u64,
}

#[derive(Clone, Copy, Debug)]
struct Slot {
    /// The first point of its grid.
    anchor: Mono,
    interval: Duration,
    /// None while it runs.
    due: Option<Mono>,
    /// It is to be run once more as soon as it has ended.
    again: bool,
    /// It was not removed while it ran.
    wanted: bool,
}

/// How late runs were started.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Lateness {
    /// The latest one.
    pub latest: Duration,
    /// The worst one.
    pub max: Duration,
}

impl Schedule {
    /// Without runs, for the node of this name.
    #[must_use]
    pub fn new(node: &str) -> Self {
        let fold = |hash: u64, byte: u8| mixed(hash ^ u64::from(byte));
        Self { seed: node.bytes().fold(0, fold), ..Self::default() }
    }

    /// Takes up a run: it is due first within an interval from now, or ten seconds if that is less. One that was removed
    /// and still goes on stays on its grid.
    pub fn add(&mut self, id: RunId, interval: Duration, now: Mono) {
        if let Some(slot) = self.slots.get_mut(&id) {
            slot.wanted = true;
            return;
        }
        let first = now + phase(id, interval.min(FIRST_WITHIN));
        let anchor = now + phase(id, interval);
        self.slots.insert(id, Slot { anchor, interval, due: Some(first), again: false, wanted: true });
        self.due.insert((first, id));
    }

    /// Forgets a run; one that goes on, when it has ended.
    pub fn remove(&mut self, id: RunId) {
        let Some(slot) = self.slots.get_mut(&id) else { return };
        (slot.wanted, slot.again) = (false, false);
        if let Some(due) = slot.due {
            self.due.remove(&(due, id));
            self.slots.remove(&id);
        }
    }

    /// When the next run is due.
    #[must_use]
    pub fn next(&self) -> Option<Mono> {
        self.due.first().map(|(due, _)| *due)
    }

    /// The run that has been due for longest, if any is: it runs from now until it is [`finished`](Self::finished).
    pub fn start(&mut self, now: Mono) -> Option<RunId> {
        let (due, id) = *self.due.first().filter(|(due, _)| *due <= now)?;
        self.due.pop_first();
        self.lateness.latest = now - due;
        self.lateness.max = self.lateness.max.max(self.lateness.latest);
        if let Some(slot) = self.slots.get_mut(&id) {
            slot.due = None;
        }
        Some(id)
    }

    /// A run has ended: it is due again after `delay`, or else at the next point of its grid.
    pub fn finished(&mut self, id: RunId, delay: Option<Duration>, now: Mono) {
        let seed = self.seed;
        let Some(slot) = self.slots.get_mut(&id).filter(|slot| slot.due.is_none()) else { return };
        if !slot.wanted {
            self.slots.remove(&id);
            return;
        }
        let due = match delay {
            _ if std::mem::take(&mut slot.again) => now,
            Some(delay) => now + delay,
            None => slot.after(now, mixed(seed ^ id.0)),
        };
        slot.due = Some(due);
        self.due.insert((due, id));
    }

    /// A run is worth it now, whenever it is due; if it goes on, once more when it has ended.
    pub fn hasten(&mut self, id: RunId, now: Mono) {
        let Some(slot) = self.slots.get_mut(&id) else { return };
        match slot.due {
            None => slot.again = slot.wanted,
            Some(due) if due > now => {
                self.due.remove(&(due, id));
                self.due.insert((now, id));
                slot.due = Some(now);
            }
            Some(_) => {}
        }
    }

    /// Whether a run was taken up, and not removed since.
    #[must_use]
    pub fn has(&self, id: RunId) -> bool {
        self.slots.get(&id).is_some_and(|slot| slot.wanted)
    }

    /// When a run is due; none while it goes on, or if it is not known.
    #[must_use]
    pub fn due(&self, id: RunId) -> Option<Mono> {
        self.slots.get(&id)?.due
    }

    /// How late runs were started.
    #[must_use]
    pub const fn lateness(&self) -> Lateness {
        self.lateness
    }
}

impl Slot {
    /// The first point of the grid after a moment, and a little more, which `seed` and the point decide.
    fn after(&self, now: Mono, seed: u64) -> Mono {
        let interval = self.interval.as_micros().max(1);
        let rounds = if now < self.anchor { 0 } else { (now - self.anchor).as_micros() / interval + 1 };
        let jitter = Duration::from_micros(
            mixed(seed ^ u64::try_from(rounds).unwrap_or(u64::MAX))
                % u64::try_from(interval).unwrap_or(u64::MAX).div_ceil(JITTER.into()),
        );
        let span = u64::try_from(rounds.saturating_mul(interval)).unwrap_or(u64::MAX);
        self.anchor + Duration::from_micros(span) + jitter
    }
}

/// Bits that look like chance, the same for the same (SplitMix64).
const fn mixed(bits: u64) -> u64 {
    let bits = bits.wrapping_add(0x9E37_79B9_7F4A_7C15);
    let bits = (bits ^ (bits >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
    let bits = (bits ^ (bits >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
    bits ^ (bits >> 31)
}

/// Where in its interval a run starts.
fn phase(id: RunId, interval: Duration) -> Duration {
    // As intended, only the fraction is kept.
    let fraction = (id.0 as u32).wrapping_mul(GOLDEN);
    let micros = (interval.as_micros().saturating_mul(u128::from(fraction))) >> 32;
    Duration::from_micros(u64::try_from(micros).unwrap_or(u64::MAX))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const SECOND: Duration = Duration::from_secs(1);

    fn ms(millis: u64) -> Mono {
        Mono::at(Duration::from_millis(millis))
    }

    /// Starts of runs that take no time, as milliseconds and run, until `end`.
    fn starts(schedule: &mut Schedule, end: Mono) -> Vec<(u128, RunId)> {
        let mut starts = Vec::new();
        while let Some(now) = schedule.next().filter(|due| *due < end) {
            let id = schedule.start(now).unwrap();
            starts.push((now.since_start().as_millis(), id));
            schedule.finished(id, None, now);
        }
        starts
    }

    /// The next start is at this point of the grid, or a little later.
    fn assert_on_grid(schedule: &Schedule, millis: u64, interval: Duration) {
        let next = schedule.next().unwrap();
        assert!(next >= ms(millis) && next <= ms(millis) + interval / JITTER, "{next:?}, not {millis} ms");
    }

    #[test]
    fn starts_are_spread_also_of_those_that_come_later() {
        let mut schedule = Schedule::default();
        let mut count = 0_usize;
        for batch in [1, 9, 90, 900, 1000] {
            for _ in 0..batch {
                schedule.add(RunId(count as u64), SECOND, ms(0));
                count += 1;
            }
            let mut tenths = [0_usize; 10];
            starts(&mut schedule, ms(1000)).iter().for_each(|(at, _)| tenths[(*at / 100) as usize] += 1);
            let (most, least) = (tenths.iter().max().unwrap(), tenths.iter().min().unwrap());
            assert!(most - least <= 2, "{count} runs: {tenths:?}");
            schedule = Schedule { slots: schedule.slots, ..Schedule::default() };
            for (id, slot) in &mut schedule.slots {
                slot.due = Some(slot.anchor);
                schedule.due.insert((slot.anchor, *id));
            }
        }
    }

    #[test]
    fn a_run_stays_on_its_grid_however_long_it_takes_and_however_late_it_is() {
        let mut schedule = Schedule::default();
        let id = RunId(0);
        schedule.add(id, SECOND, ms(5000));
        // (served at, took); next due
        for (at, took, next) in [
            (5000, 3, 6000),
            (6300, 100, 7000),
            (7100, 899, 8000),
            (8100, 900, 10_000),
            (10_100, 2400, 13_000),
            (73_400, 0, 74_000),
        ] {
            assert_eq!(schedule.start(ms(at)), Some(id));
            assert_eq!(schedule.next(), None, "it runs");
            assert_eq!(schedule.start(ms(at + 90_000)), None);
            schedule.finished(id, None, ms(at + took));
            assert_on_grid(&schedule, next, SECOND);
        }
        let due = schedule.next().unwrap();
        assert_eq!(schedule.start(due + Duration::from_millis(1)), Some(id));
        let lateness = schedule.lateness();
        assert_eq!(lateness.latest, Duration::from_millis(1));
        assert!((60_300..=60_400).contains(&lateness.max.as_millis()), "{lateness:?}");
    }

    #[test]
    fn a_new_run_does_not_wait_long_for_its_first_start() {
        let mut schedule = Schedule::default();
        (0..100).for_each(|id| schedule.add(RunId(id), SECOND * 3600, ms(0)));
        let starts = starts(&mut schedule, ms(3_600_000));
        assert!(starts[99].0 < 10_000 && starts[49].0 > 4000, "spread over ten seconds");
        assert!(starts[100].0 > 10_000);
        assert!(starts.len() >= 180, "then each on its grid, spread over the hour");
        assert!(starts[149].0 > 1_500_000);
    }

    #[test]
    fn a_retry_leaves_the_grid_and_the_next_round_returns_to_it() {
        let mut schedule = Schedule::default();
        let id = RunId(0);
        schedule.add(id, SECOND * 10, ms(0));
        schedule.start(ms(0));
        schedule.finished(id, Some(SECOND), ms(30));
        assert_eq!(schedule.next(), Some(ms(1030)));
        schedule.start(ms(1030));
        schedule.finished(id, None, ms(1060));
        assert_on_grid(&schedule, 10_000, SECOND * 10);
    }

    #[test]
    fn starts_are_a_little_off_the_grid_each_time_and_on_each_node() {
        let off = |node: &str, id: u64| -> Vec<u128> {
            let mut schedule = Schedule::new(node);
            schedule.add(RunId(id), SECOND, ms(0));
            let anchor = schedule.next().unwrap().since_start().as_millis();
            starts(&mut schedule, ms(50_000)).iter().map(|(at, _)| (at - anchor) % 1000).collect()
        };
        let [a, b, other] = [off("lvs1", 0), off("lvs2", 0), off("lvs1", 1)];
        assert_eq!(a, off("lvs1", 0), "deterministic");
        assert!(a != b && a != other);
        assert!(a.iter().all(|millis| *millis <= 63) && a.iter().any(|millis| *millis > 40), "{a:?}");
    }

    #[test]
    fn what_is_hastened_is_due_now_or_once_more_when_it_has_ended() {
        let mut schedule = Schedule::default();
        let id = RunId(0);
        schedule.add(id, SECOND, ms(0));
        schedule.start(ms(0));
        schedule.hasten(id, ms(10));
        assert_eq!(schedule.due(id), None, "it goes on");
        schedule.finished(id, None, ms(20));
        assert_eq!(schedule.due(id), Some(ms(20)));
        schedule.start(ms(20));
        schedule.finished(id, None, ms(30));
        assert_on_grid(&schedule, 1000, SECOND);
        schedule.hasten(id, ms(40));
        assert_eq!(schedule.next(), Some(ms(40)));
        schedule.hasten(id, ms(50));
        assert_eq!(schedule.next(), Some(ms(40)), "it is due already");
    }

    #[test]
    fn what_is_removed_is_not_due_and_does_not_come_back() {
        let mut schedule = Schedule::default();
        schedule.add(RunId(0), SECOND, ms(0));
        schedule.add(RunId(1), SECOND, ms(0));
        assert_eq!(schedule.start(ms(0)), Some(RunId(0)));
        schedule.remove(RunId(0));
        schedule.remove(RunId(1));
        schedule.finished(RunId(0), None, ms(10));
        assert_eq!((schedule.next(), schedule.start(ms(9999)), schedule.slots.len()), (None, None, 0));
    }

    #[test]
    fn what_is_removed_while_it_runs_and_taken_up_again_is_not_run_twice() {
        let mut schedule = Schedule::default();
        let id = RunId(0);
        schedule.add(id, SECOND, ms(0));
        schedule.start(ms(0));
        schedule.remove(id);
        schedule.hasten(id, ms(5));
        assert!(!schedule.has(id));
        schedule.add(id, SECOND, ms(10));
        assert_eq!((schedule.has(id), schedule.start(ms(5000))), (true, None), "it still goes on");
        schedule.finished(id, None, ms(20));
        assert_on_grid(&schedule, 1000, SECOND);
    }

    #[test]
    fn after_a_stop_each_run_is_started_once() {
        let mut schedule = Schedule::default();
        (0..100).for_each(|id| schedule.add(RunId(id), SECOND, ms(0)));
        let mut started = 0;
        while let Some(id) = schedule.start(ms(60_000)) {
            started += 1;
            schedule.finished(id, None, ms(60_000));
        }
        assert_eq!(started, 100);
        let last = starts(&mut schedule, ms(61_000)).last().unwrap().0;
        assert!(last > 60_900, "and they are spread again");
    }

    proptest! {
        /// Whatever is done in whatever order, each run is either due or running, and what runs is not started again.
        #[test]
        fn nothing_is_lost(acts in proptest::collection::vec((0_u8..6, 0_u64..6, 0_u64..5000), 0..200)) {
            let mut schedule = Schedule::default();
            let mut running = BTreeSet::new();
            let mut now = Mono(0);
            for (act, number, millis) in acts {
                let id = RunId(number);
                match act {
                    0 => schedule.add(id, Duration::from_millis(millis), now),
                    1 => schedule.remove(id),
                    2 => {
                        if let Some(id) = schedule.start(now) {
                            prop_assert!(running.insert(id));
                        }
                    }
                    4 => schedule.hasten(id, now),
                    3 if running.remove(&id) => {
                        schedule.finished(id, (millis % 2 == 0).then(|| Duration::from_millis(millis)), now);
                    }
                    _ => now = now + Duration::from_millis(millis),
                }
                let waiting: BTreeSet<_> = schedule.due.iter().map(|(_, id)| *id).collect();
                prop_assert_eq!(waiting.len(), schedule.due.len());
                prop_assert!(waiting.is_disjoint(&running));
                prop_assert_eq!(waiting.len() + running.len(), schedule.slots.len());
            }
        }
    }
}
