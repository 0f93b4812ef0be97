//! How far a check has come, for whoever looks on (`vipctl health run`). For all others it does nothing.
//! Must not know a kind of check.

use std::cell::RefCell;
use std::rc::Rc;
use std::time::Duration;

use vipkit_core::units::Mono;
use vipkit_daemon::clock::now;

/// Most steps that are kept of one check.
const STEPS_MAX: usize = 64;

/// Told of each step; cloned, it is the same.
#[derive(Clone, Debug, Default)]
pub struct Steps(Option<Rc<RefCell<Seen>>>);

#[derive(Debug)]
struct Seen {
    last: Mono,
    timings: Vec<(&'static str, Duration)>,
}

impl Steps {
    /// Somebody looks on, from now.
    #[must_use]
    pub fn watched() -> Self {
        Self(Some(Rc::new(RefCell::new(Seen { last: now(), timings: Vec::new() }))))
    }

    /// A step is over, with the time since the one before.
    pub fn done(&self, step: &'static str) {
        let Some(mut seen) = self.0.as_ref().map(|seen| seen.borrow_mut()) else { return };
        let now = now();
        let took = now - seen.last;
        seen.last = now;
        if seen.timings.len() < STEPS_MAX {
            seen.timings.push((step, took));
        }
    }

    /// The steps so far, and how long each took.
    #[must_use]
    pub fn timings(&self) -> Vec<(&'static str, Duration)> {
        self.0.as_ref().map(|seen| seen.borrow().timings.clone()).unwrap_or_default()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn steps_are_seen_by_who_looks_on_and_bounded() {
        let steps = Steps::watched();
        let same = steps.clone();
        (0..100).for_each(|_| same.done("connect"));
        assert_eq!(steps.timings().len(), STEPS_MAX);
        let nobody = Steps::default();
        nobody.done("connect");
        assert_eq!(nobody.timings(), []);
    }
}
