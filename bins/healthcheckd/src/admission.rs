//! How many runs may go on against one target: the others wait their turn, first come, first served. Must not start or
//! end any.

use std::collections::{HashMap, VecDeque};

use vipkit_config::Host;

use crate::runs::RunId;

/// What goes on and what waits.
#[derive(Debug)]
pub struct Admission {
    /// At least one.
    most: usize,
    targets: HashMap<Host, Target>,
    /// Of each run that goes on or waits.
    target_of: HashMap<RunId, Host>,
    waiting: usize,
}

#[derive(Debug, Default)]
struct Target {
    going_on: usize,
    waiting: VecDeque<RunId>,
}

impl Default for Admission {
    fn default() -> Self {
        Self { most: 1, targets: HashMap::new(), target_of: HashMap::new(), waiting: 0 }
    }
}

impl Target {
    /// Those that waited and may begin.
    fn next(&mut self, most: usize) -> Vec<RunId> {
        let room = most.saturating_sub(self.going_on).min(self.waiting.len());
        self.going_on += room;
        self.waiting.drain(..room).collect()
    }
}

impl Admission {
    /// From now on at most so many at once; those that may begin by it.
    pub fn bound(&mut self, most: usize) -> Vec<RunId> {
        self.most = most.max(1);
        let most = self.most;
        let begun: Vec<RunId> = self.targets.values_mut().flat_map(|target| target.next(most)).collect();
        self.waiting = self.waiting.saturating_sub(begun.len());
        begun
    }

    /// Whether a run against this target may begin; if not, it waits.
    pub fn admits(&mut self, id: RunId, host: &Host) -> bool {
        self.target_of.insert(id, host.clone());
        let target = self.targets.entry(host.clone()).or_default();
        let has_room = target.going_on < self.most;
        if has_room {
            target.going_on += 1;
        } else {
            target.waiting.push_back(id);
            self.waiting += 1;
        }
        has_room
    }

    /// A run that was admitted has ended; those whose turn it is begin in its place.
    pub fn ended(&mut self, id: RunId) -> Vec<RunId> {
        let Some(host) = self.target_of.remove(&id) else { return Vec::new() };
        let Some(target) = self.targets.get_mut(&host) else { return Vec::new() };
        target.going_on = target.going_on.saturating_sub(1);
        let begun = target.next(self.most);
        self.waiting = self.waiting.saturating_sub(begun.len());
        if target.going_on == 0 {
            self.targets.remove(&host);
        }
        begun
    }

    /// Whether nothing goes on or waits.
    #[cfg(test)]
    pub(crate) fn is_at_rest(&self) -> bool {
        self.targets.is_empty() && self.target_of.is_empty()
    }

    /// How many wait.
    #[must_use]
    pub const fn waiting(&self) -> usize {
        self.waiting
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn host(number: u8) -> Host {
        Host::Address([192, 0, 2, number].into())
    }

    #[test]
    fn who_came_first_begins_first() {
        let mut admission = Admission::default();
        admission.bound(2);
        let admitted: Vec<_> = (0..5).map(|id| admission.admits(RunId(id), &host(1))).collect();
        assert_eq!(admitted, [true, true, false, false, false]);
        assert!(admission.admits(RunId(9), &host(2)), "another target");
        assert_eq!(admission.waiting(), 3);
        assert_eq!(admission.ended(RunId(1)), [RunId(2)]);
        assert_eq!(admission.bound(1), []);
        assert_eq!(admission.ended(RunId(0)), [], "one too many went on");
        assert_eq!(admission.ended(RunId(2)), [RunId(3)]);
        assert_eq!(admission.ended(RunId(3)), [RunId(4)]);
        assert_eq!((admission.ended(RunId(4)), admission.waiting()), (vec![], 0));
        assert_eq!(
            (admission.targets.len(), admission.target_of.len()),
            (1, 1),
            "of targets at rest nothing is kept"
        );
        assert_eq!(admission.ended(RunId(77)), [], "one without a target");
    }

    #[test]
    fn more_begin_at_once_when_more_may() {
        let mut admission = Admission::default();
        (0..6).for_each(|id| assert_eq!(admission.admits(RunId(id), &host(1)), id == 0));
        assert_eq!(admission.bound(3), [RunId(1), RunId(2)]);
        assert!(!admission.admits(RunId(9), &host(1)), "nobody is overtaken");
        assert_eq!(admission.waiting(), 4);
        assert_eq!(admission.bound(100).len(), 4);
        assert_eq!(admission.waiting(), 0);
    }

    proptest! {
        #[test]
        fn all_begin_in_the_end(acts in proptest::collection::vec((0_u8..3, any::<bool>()), 0..100), most in 1_usize..4) {
            let mut admission = Admission::default();
            admission.bound(most);
            let mut going_on: HashMap<u8, Vec<RunId>> = HashMap::new();
            let mut begun = 0;
            for (count, (target, ends)) in acts.iter().enumerate() {
                let going_on = going_on.entry(*target).or_default();
                let id = RunId(count as u64);
                if *ends {
                    let next = going_on.pop().map(|id| admission.ended(id)).unwrap_or_default();
                    begun += next.len();
                    going_on.extend(next);
                } else if admission.admits(id, &host(*target)) {
                    begun += 1;
                    going_on.push(id);
                }
                prop_assert!(going_on.len() <= most);
            }
            let asked = acts.iter().filter(|(_, ends)| !ends).count();
            prop_assert_eq!(asked, begun + admission.waiting());
        }
    }
}
