//! Whose turn it is to be run: what is due and still wanted, as far as all together and each target have room.
//! Must not read a clock, run anything or judge.

use std::collections::VecDeque;
use std::time::Duration;

use vipkit_config::{Health, Host};
use vipkit_core::units::Mono;

use crate::admission::Admission;
use crate::runs::RunId;
use crate::schedule::{Lateness, Schedule};

/// Each run that was taken up is due, waits, or goes on: one of these, and once.
#[derive(Debug, Default)]
pub struct Turns {
    schedule: Schedule,
    admission: Admission,
    /// Runs that waited for their target, and may begin.
    admitted: VecDeque<RunId>,
    in_flight: usize,
    most: usize,
}

impl Turns {
    /// Without runs, for the node of this name.
    #[must_use]
    pub fn new(node: &str) -> Self {
        Self { schedule: Schedule::new(node), ..Self::default() }
    }

    /// From now on at most so many go on at once.
    pub fn bound(&mut self, bounds: &Health) {
        self.most = bounds.in_flight;
        self.admitted.extend(self.admission.bound(bounds.in_flight_per_target));
    }

    /// Takes up a run, if it is not yet.
    pub fn add(&mut self, id: RunId, interval: Duration, now: Mono) {
        self.schedule.add(id, interval, now);
    }

    /// Leaves a run out: one that waits will not begin, and one that goes on is not run again.
    pub fn remove(&mut self, id: RunId) {
        self.schedule.remove(id);
    }

    /// A run is worth it now, whenever it is due.
    pub fn hasten(&mut self, id: RunId, now: Mono) {
        self.schedule.hasten(id, now);
    }

    /// The next run that is due and has room, with the host that it is run against: it goes on from now until it is
    /// [`finished`](Self::finished).
    pub fn start<'h>(&mut self, host_of: impl Fn(RunId) -> Option<&'h Host>, now: Mono) -> Option<RunId> {
        while self.in_flight < self.most {
            let id = match self.admitted.pop_front() {
                Some(id) => id,
                None => self.admit(&host_of, now)?,
            };
            if self.schedule.has(id) {
                self.in_flight += 1;
                return Some(id);
            }
            self.leave(id, None, now);
        }
        None
    }

    fn admit<'h>(&mut self, host_of: impl Fn(RunId) -> Option<&'h Host>, now: Mono) -> Option<RunId> {
        loop {
            let id = self.schedule.start(now)?;
            if host_of(id).is_none_or(|host| self.admission.admits(id, host)) {
                return Some(id);
            }
        }
    }

    /// A run has ended: it is due again after `delay`, or else in its next round.
    pub fn finished(&mut self, id: RunId, delay: Option<Duration>, now: Mono) {
        self.in_flight = self.in_flight.saturating_sub(1);
        self.leave(id, delay, now);
    }

    fn leave(&mut self, id: RunId, delay: Option<Duration>, now: Mono) {
        self.admitted.extend(self.admission.ended(id));
        self.schedule.finished(id, delay, now);
    }

    /// When the next is due that there is room for.
    #[must_use]
    pub fn next(&self) -> Option<Mono> {
        let next = if self.admitted.is_empty() { self.schedule.next() } else { Some(Mono(0)) };
        next.filter(|_| self.in_flight < self.most)
    }

    /// When a run is due; none while it waits or goes on, or if it is left out.
    #[must_use]
    pub fn due(&self, id: RunId) -> Option<Mono> {
        self.schedule.due(id)
    }

    /// How late runs were started.
    #[must_use]
    pub const fn lateness(&self) -> Lateness {
        self.schedule.lateness()
    }

    /// How many go on.
    #[must_use]
    pub const fn in_flight(&self) -> usize {
        self.in_flight
    }

    /// How many are due and held back by a bound.
    #[must_use]
    pub fn waiting(&self) -> usize {
        self.admission.waiting() + self.admitted.len()
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use proptest::prelude::*;

    use super::*;

    const SECOND: Duration = Duration::from_secs(1);

    fn hosts() -> [Host; 2] {
        [1, 2].map(|number| Host::Address([192, 0, 2, number].into()))
    }

    fn bounds(in_flight: usize, in_flight_per_target: usize) -> Health {
        Health { in_flight, in_flight_per_target, scripts: 1 }
    }

    fn at(millis: u64) -> Mono {
        Mono::at(Duration::from_millis(millis))
    }

    /// A run of each number: even ones against one host, odd ones against another, each third against none.
    fn host(hosts: &[Host; 2], id: RunId) -> Option<&Host> {
        hosts.get((id.0 % 2) as usize).filter(|_| id.0 % 3 != 2)
    }

    fn start(turns: &mut Turns, now: Mono) -> Option<RunId> {
        let hosts = hosts();
        turns.start(|id| host(&hosts, id), now)
    }

    #[test]
    fn what_is_left_out_while_it_waits_does_not_begin_unless_it_is_taken_up_again() {
        let mut turns = Turns::new("lvs1");
        turns.bound(&bounds(9, 1));
        [0, 4, 6].iter().for_each(|id| turns.add(RunId(*id), SECOND, at(0)));
        let began: Vec<_> = std::iter::from_fn(|| start(&mut turns, at(1000))).collect();
        assert_eq!((began.as_slice(), turns.waiting()), (&[RunId(0)][..], 2));
        [0, 4, 6].iter().for_each(|id| turns.remove(RunId(*id)));
        [0, 6].iter().for_each(|id| turns.add(RunId(*id), SECOND, at(1000)));
        assert_eq!(start(&mut turns, at(9000)), None, "0 goes on, and its target has no room for another");
        turns.finished(RunId(0), None, at(1010));
        assert_eq!(turns.next(), Some(Mono(0)), "somebody may begin");
        assert_eq!(start(&mut turns, at(1010)), Some(RunId(6)), "4 is not wanted");
        assert_eq!((turns.waiting(), turns.in_flight()), (0, 1));
    }

    #[test]
    fn who_waits_begins_when_a_bound_is_raised() {
        let mut turns = Turns::new("lvs1");
        turns.bound(&bounds(1, 1));
        [0, 4, 6].iter().for_each(|id| turns.add(RunId(*id), SECOND, at(0)));
        assert_eq!((start(&mut turns, at(1000)), start(&mut turns, at(1000))), (Some(RunId(0)), None));
        assert_eq!(turns.next(), None, "there is no room");
        turns.bound(&bounds(9, 1));
        assert_eq!((start(&mut turns, at(1000)), turns.waiting()), (None, 2));
        turns.bound(&bounds(9, 9));
        assert!(start(&mut turns, at(1000)).is_some() && start(&mut turns, at(1000)).is_some());
    }

    proptest! {
        /// Whatever is done in whatever order: no bound is passed, nothing goes on twice, and in the end each run that is
        /// wanted is due, and of the others nothing is left.
        #[test]
        fn nothing_is_lost_or_run_twice(
            acts in proptest::collection::vec((0_u8..7, 0_u64..8, 0_u64..3000), 0..200),
        ) {
            let (mut turns, hosts) = (Turns::new("lvs1"), hosts());
            let (mut wanted, mut running) = (BTreeSet::new(), BTreeSet::new());
            let (mut now, mut bound) = (at(0), bounds(3, 2));
            turns.bound(&bound);
            for (act, number, millis) in acts {
                let id = RunId(number);
                match act {
                    0 => {
                        turns.add(id, SECOND, now);
                        wanted.insert(id);
                    }
                    1 => {
                        turns.remove(id);
                        wanted.remove(&id);
                    }
                    2 | 3 => if let Some(id) = start(&mut turns, now) {
                        prop_assert!(wanted.contains(&id));
                        prop_assert!(running.insert(id), "it goes on already");
                        prop_assert!(running.len() <= bound.in_flight);
                        let same = |other: &&RunId| host(&hosts, **other).is_some() && host(&hosts, **other) == host(&hosts, id);
                        prop_assert!(running.iter().filter(same).count() <= bound.in_flight_per_target);
                    },
                    4 if running.remove(&id) => {
                        turns.finished(id, (millis % 2 == 0).then(|| Duration::from_millis(millis)), now);
                    }
                    5 => {
                        // Who may begin already does, also when fewer may from then on.
                        let [all, each] = [number as usize, millis as usize % 4];
                        bound = bounds(bound.in_flight.max(all), bound.in_flight_per_target.max(each));
                        turns.bound(&bound);
                    }
                    6 => turns.hasten(id, now),
                    _ => now = now + Duration::from_millis(millis),
                }
                prop_assert_eq!(turns.in_flight(), running.len());
            }
            loop {
                while let Some(id) = running.pop_first() {
                    turns.finished(id, None, now);
                }
                let Some(id) = start(&mut turns, now) else { break };
                running.insert(id);
            }
            let due: BTreeSet<_> = (0..8).map(RunId).filter(|id| turns.due(*id).is_some()).collect();
            prop_assert_eq!(due, wanted);
            prop_assert_eq!((turns.waiting(), turns.in_flight()), (0, 0));
            prop_assert!(turns.admission.is_at_rest());
        }
    }
}
