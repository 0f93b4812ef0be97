//! What keeps a server from coming and going too fast: one that flaps is held down for longer each time, and one that
//! returns gets its share little by little. Reads no clock: the moment is told.

use std::time::{Duration, SystemTime};

use serde::{Deserialize, Serialize};
use vipkit_config::Damping;
use vipkit_control::health::Judgement;

use crate::verdict::moved;

/// Steps from nothing to the whole share.
const STEPS: u32 = 10;

/// The memory of it.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Damper {
    /// Times in a row that it went down soon after it had come up.
    strikes: u32,
    /// Since when it is let up; none: it is down, or nothing is known.
    up_since: Option<SystemTime>,
    /// Since when it is down.
    down_since: Option<SystemTime>,
    /// Since when its share grows.
    growing_since: Option<SystemTime>,
}

/// What comes of it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Damped {
    /// What to act on.
    pub judged: Option<Judgement>,
    /// Percent of its share.
    pub share: u32,
    /// Why it is not what was found.
    pub note: Option<String>,
    /// When something of this changes by itself.
    pub next: Option<SystemTime>,
}

impl Damper {
    /// Takes in what was found, at the moment `now`; the same again changes nothing but what time changes.
    pub fn step(&mut self, damping: &Damping, found: Option<Judgement>, now: SystemTime) -> Damped {
        match found {
            // What was up goes on as it was until more is known.
            None if self.up_since.is_some() => self.come_up(damping, now),
            None => Damped { judged: None, share: 100, note: None, next: None },
            Some(Judgement::Down) => {
                self.go_down(damping, now);
                Damped { judged: found, share: 100, note: None, next: None }
            }
            Some(Judgement::Up) => self.come_up(damping, now),
        }
    }

    fn go_down(&mut self, damping: &Damping, now: SystemTime) {
        if self.down_since.is_some() {
            return;
        }
        let patience = damping.hold_down.map_or(Duration::ZERO, |hold| hold.most);
        let was_up_for_long =
            self.up_since.is_none_or(|since| now.duration_since(since).is_ok_and(|up| up >= patience));
        self.strikes = if was_up_for_long { 1 } else { self.strikes.saturating_add(1) };
        (self.up_since, self.down_since, self.growing_since) = (None, Some(now), None);
    }

    fn come_up(&mut self, damping: &Damping, now: SystemTime) -> Damped {
        let hold = self.hold(damping);
        if let Some(until) =
            self.down_since.and_then(|since| since.checked_add(hold)).filter(|until| now < *until)
        {
            let note = format!(
                "held down for {} after going down {} times",
                humantime::format_duration(hold),
                self.strikes
            );
            return Damped { judged: Some(Judgement::Down), share: 100, note: Some(note), next: Some(until) };
        }
        if self.up_since.is_none() {
            // What was never seen down does not return.
            self.growing_since = self.down_since.and(Some(now));
            (self.up_since, self.down_since) = (Some(now), None);
        }
        let (share, next) = self.share(damping, now);
        if next.is_none() {
            self.growing_since = None;
        }
        let note = next.map(|_| format!("slow start, {share}%"));
        Damped { judged: Some(Judgement::Up), share, note, next }
    }

    /// How long it is held down after it went down: not at all the first time, then twice as long each time.
    fn hold(&self, damping: &Damping) -> Duration {
        match (damping.hold_down, self.strikes.checked_sub(2)) {
            (Some(hold), Some(doublings)) => {
                hold.first.saturating_mul(2_u32.saturating_pow(doublings)).min(hold.most)
            }
            _ => Duration::ZERO,
        }
    }

    /// Percent of its share, and when it grows next.
    fn share(&self, damping: &Damping, now: SystemTime) -> (u32, Option<SystemTime>) {
        let (Some(since), Some(span)) = (self.growing_since, damping.slow_start) else { return (100, None) };
        let step = span / STEPS;
        let grown = now.duration_since(since).unwrap_or_default();
        let steps = (1..=STEPS).find(|steps| grown < step * *steps).unwrap_or(STEPS + 1);
        if steps > STEPS { (100, None) } else { (steps * 100 / STEPS, since.checked_add(step * steps)) }
    }

    /// Whether there is nothing to remember.
    #[must_use]
    pub fn is_blank(&self) -> bool {
        *self == Self::default()
    }

    /// Since when it is down, held or not.
    #[must_use]
    pub const fn down_since(&self) -> Option<SystemTime> {
        self.down_since
    }

    /// The same, read back at the moment `now`. A time to come is none: the clock was set.
    #[must_use]
    pub fn read_back(mut self, now: SystemTime) -> Self {
        self.moments().for_each(|moment| *moment = now.min(*moment));
        self
    }

    /// The time of day was set: what was called `from` is called `to` now.
    pub fn set_time(&mut self, from: SystemTime, to: SystemTime) {
        self.moments().for_each(|moment| *moment = moved(*moment, from, to));
    }

    fn moments(&mut self) -> impl Iterator<Item = &mut SystemTime> {
        [&mut self.up_since, &mut self.down_since, &mut self.growing_since].into_iter().flatten()
    }
}

#[cfg(test)]
mod tests {
    use std::time::UNIX_EPOCH;

    use proptest::prelude::*;
    use vipkit_config::HoldDown;

    use super::*;

    const UP: Option<Judgement> = Some(Judgement::Up);
    const DOWN: Option<Judgement> = Some(Judgement::Down);

    fn at(seconds: u64) -> SystemTime {
        UNIX_EPOCH + Duration::from_secs(1_000_000 + seconds)
    }

    fn damping(hold: Option<(u64, u64)>, slow_start: Option<u64>) -> Damping {
        let seconds = Duration::from_secs;
        Damping {
            hold_down: hold.map(|(first, most)| HoldDown { first: seconds(first), most: seconds(most) }),
            slow_start: slow_start.map(seconds),
        }
    }

    #[test]
    fn without_damping_what_is_found_counts() {
        let mut damper = Damper::default();
        for (second, found) in [(0, None), (1, UP), (2, DOWN), (3, UP), (4, DOWN), (5, UP)] {
            let plain = Damped { judged: found, share: 100, note: None, next: None };
            assert_eq!(damper.step(&damping(None, None), found, at(second)), plain);
        }
    }

    #[test]
    fn who_flaps_is_held_down_twice_as_long_each_time_and_forgiven_in_the_end() {
        let damping = damping(Some((10, 30)), None);
        let mut damper = Damper::default();
        damper.step(&damping, UP, at(0));
        let mut now = 5;
        for held in [0, 10, 20, 30, 30] {
            damper.step(&damping, DOWN, at(now));
            let damped = damper.step(&damping, UP, at(now));
            if held > 0 {
                assert_eq!((damped.judged, damped.next), (DOWN, Some(at(now + held))));
                assert!(damped.note.unwrap().starts_with(&format!("held down for {held}s")));
                assert_eq!(damper.step(&damping, UP, at(now + held - 1)).judged, DOWN);
            }
            assert_eq!(damper.step(&damping, UP, at(now + held)).judged, UP, "{held}");
            now += held + 1;
        }
        damper.step(&damping, DOWN, at(now + 30));
        assert_eq!(damper.step(&damping, UP, at(now + 30)).judged, UP, "it was up for long");
    }

    #[test]
    fn who_stays_down_for_long_is_not_held() {
        let damping = damping(Some((10, 60)), None);
        let mut damper = Damper::default();
        for (second, found) in [(0, UP), (1, DOWN), (2, UP), (3, DOWN)] {
            damper.step(&damping, found, at(second));
        }
        assert_eq!(damper.step(&damping, UP, at(14)).judged, UP);
    }

    #[test]
    fn who_returns_gets_its_share_little_by_little() {
        let damping = damping(None, Some(20));
        let mut damper = Damper::default();
        assert_eq!(damper.step(&damping, UP, at(0)).share, 100, "the first time it does not return");
        damper.step(&damping, DOWN, at(10));
        let shares: Vec<_> = [10, 11, 12, 20, 29, 30].map(|s| damper.step(&damping, UP, at(s))).into();
        assert_eq!(shares.iter().map(|damped| damped.share).collect::<Vec<_>>(), [10, 10, 20, 60, 100, 100]);
        assert_eq!(shares[0].next, Some(at(12)));
        assert_eq!(shares[0].note.as_deref(), Some("slow start, 10%"));
        assert_eq!((shares[5].next, &shares[5].note), (None, &None));
        damper.step(&damping, DOWN, at(40));
        assert_eq!(damper.step(&damping, UP, at(41)).share, 10, "each time");
    }

    #[test]
    fn times_follow_the_clock_when_it_is_set() {
        let damping = damping(Some((10, 30)), Some(20));
        let mut damper = Damper::default();
        for (second, found) in [(0, UP), (1, DOWN), (2, UP), (3, DOWN)] {
            damper.step(&damping, found, at(second));
        }
        damper.set_time(at(0), at(5000));
        assert_eq!(damper.step(&damping, UP, at(5004)).next, Some(at(5013)));
    }

    #[test]
    fn what_is_not_known_for_a_while_neither_hastens_nor_ends_a_slow_start() {
        let damping = damping(None, Some(20));
        let mut damper = Damper::default();
        damper.step(&damping, DOWN, at(0));
        damper.step(&damping, UP, at(10));
        let damped = damper.step(&damping, None, at(12));
        assert_eq!((damped.judged, damped.share, damped.next), (UP, 20, Some(at(14))));
        damper.step(&damping, DOWN, at(13));
        assert_eq!(damper.step(&damping, None, at(14)).judged, None);
    }

    #[test]
    fn times_to_come_are_read_back_as_now() {
        let damping = damping(Some((10, 30)), None);
        let mut damper = Damper::default();
        for (second, found) in [(1000, UP), (1001, DOWN), (1002, UP), (1003, DOWN)] {
            damper.step(&damping, found, at(second));
        }
        assert_eq!(
            damper.clone().read_back(at(5)).step(&damping, UP, at(5)).next,
            Some(at(15)),
            "not held for ever"
        );
        assert_eq!(damper.clone().read_back(at(1005)), damper);
    }

    proptest! {
        /// It never lets up what is down, and what it holds down it lets up in the end.
        #[test]
        fn down_is_down_and_holding_ends(acts in proptest::collection::vec((any::<bool>(), 0_u64..40), 1..40)) {
            let damping = damping(Some((5, 100)), Some(10));
            let mut damper = Damper::default();
            let mut now = 0;
            for (up, wait) in acts {
                now += wait;
                let damped = damper.step(&damping, if up { UP } else { DOWN }, at(now));
                prop_assert!(up || damped.judged == DOWN);
                prop_assert!(damped.next.is_none_or(|next| next > at(now)));
                prop_assert!((1..=100).contains(&damped.share));
            }
            let mut damped = damper.step(&damping, UP, at(now));
            for _ in 0..2 * STEPS {
                let Some(next) = damped.next else { break };
                damped = damper.step(&damping, UP, next);
            }
            prop_assert_eq!((damped.judged, damped.share, damped.next), (UP, 100, None));
        }
    }
}
