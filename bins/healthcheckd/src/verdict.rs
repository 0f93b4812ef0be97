//! The verdict of a run: what one outcome after another makes of it, and when it is to be run again.
//! Must not read a clock, and must not know what a kind of check does.

use std::fmt;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use serde::{Deserialize, Serialize};
use vipkit_control::health::{Judgement, State};

/// What came of running a check once. Reasons are short, for people, and the same when the same happens again: another
/// reason is news.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// The target is well.
    Passed {
        /// What it did.
        reason: String,
    },
    /// The target is not.
    Failed {
        /// What it did, or failed to do.
        reason: String,
    },
    /// Something on this host was in the way, which says nothing about the target.
    CouldNotRun {
        /// What.
        reason: String,
        /// What to do about it.
        remedy: String,
    },
}

/// What is known of the target of a run.
///
/// A run that cannot be done hides the state, not the judgement: whoever acts on it goes on with what was found last.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Verdict {
    judged: Option<Judgement>,
    /// The latest run could not be done.
    hindered: bool,
    since: SystemTime,
    reason: String,
    generation: u64,
    #[serde(skip)]
    failures: u32,
    #[serde(skip)]
    found: Option<Found>,
}

/// When a verdict was found that a run did not find itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Found {
    /// By an earlier life of the daemon.
    BeforeRestart,
    /// By the run that this one replaced.
    BeforeReload,
}

/// A moment by another clock: what one calls `from`, the other calls `to`. None is before 1970.
#[must_use]
pub fn moved(moment: SystemTime, from: SystemTime, to: SystemTime) -> SystemTime {
    let moved = match to.duration_since(from) {
        Ok(forth) => moment.checked_add(forth),
        Err(back) => moment.checked_sub(back.duration()),
    };
    moved.unwrap_or(UNIX_EPOCH).max(UNIX_EPOCH)
}

impl fmt::Display for Found {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::BeforeRestart => "found before the restart",
            Self::BeforeReload => "found before the reload",
        })
    }
}

/// What an outcome led to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Step {
    /// When to run next.
    pub next: Next,
    /// Something that is shown changed, other than by the run itself.
    pub news: bool,
    /// The state changed.
    pub change: Option<Change>,
}

/// When to run next.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Next {
    /// In the next round.
    Round,
    /// After the retry delay.
    Retry,
}

/// A change of state.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Change {
    /// The state before.
    pub from: State,
    /// How long it lasted.
    pub lasted: Duration,
    /// The judgement changed too, so others act on it.
    pub rejudged: bool,
}

impl Verdict {
    /// Nothing is known.
    #[must_use]
    pub const fn unknown(now: SystemTime) -> Self {
        Self {
            judged: None,
            hindered: false,
            since: now,
            reason: String::new(),
            generation: 0,
            failures: 0,
            found: None,
        }
    }

    /// The same, for a run that did not find it and that had come to this generation itself. A time to come is none: the
    /// clock was set.
    #[must_use]
    pub fn inherit(&self, found: Found, generation: u64, now: SystemTime) -> Self {
        let generation = self.generation.max(generation);
        Self { since: self.since.min(now), generation, failures: 0, found: Some(found), ..self.clone() }
    }

    /// The time of day was set: what was called `from` is called `to` now.
    pub fn set_time(&mut self, from: SystemTime, to: SystemTime) {
        self.since = moved(self.since, from, to);
    }

    /// Takes in what came of a run, at the moment `now`; so many `retries` come before a failure counts. One success
    /// counts at once; so does a failure of what is down already.
    pub fn step(&mut self, outcome: Outcome, retries: u32, now: SystemTime) -> Step {
        let before = self.clone();
        let next = match outcome {
            Outcome::Passed { reason } => self.judge(Judgement::Up, reason),
            Outcome::Failed { reason } if self.judged != Some(Judgement::Down) && self.failures < retries => {
                self.failures += 1;
                // Nothing is in the way any more, and nothing better is known than this.
                if self.hindered || self.judged.is_none() {
                    self.hindered = false;
                    self.reason = format!("{reason}: being retried");
                }
                Next::Retry
            }
            Outcome::Failed { reason } => self.judge(Judgement::Down, reason),
            Outcome::CouldNotRun { reason, remedy } => {
                self.hindered = true;
                self.found = None;
                self.reason = format!("{reason}: {remedy}");
                Next::Round
            }
        };
        let change = (self.state() != before.state()).then(|| Change {
            from: before.state(),
            lasted: now.duration_since(before.since).unwrap_or_default(),
            rejudged: self.judged != before.judged,
        });
        if change.is_some() {
            self.since = now;
            self.generation = self.generation.saturating_add(1);
        }
        Step { next, news: *self != before, change }
    }

    fn judge(&mut self, judgement: Judgement, reason: String) -> Next {
        self.judged = Some(judgement);
        self.hindered = false;
        self.failures = 0;
        self.found = None;
        self.reason = reason;
        Next::Round
    }

    /// The state.
    #[must_use]
    pub const fn state(&self) -> State {
        match self.judged {
            _ if self.hindered => State::CouldNotRun,
            Some(Judgement::Up) => State::Up,
            Some(Judgement::Down) => State::Down,
            None => State::Unknown,
        }
    }

    /// What was found last, if anything.
    #[must_use]
    pub const fn judged(&self) -> Option<Judgement> {
        self.judged
    }

    /// When it entered the state.
    #[must_use]
    pub const fn since(&self) -> SystemTime {
        self.since
    }

    /// Why it is in the state.
    #[must_use]
    pub fn reason(&self) -> String {
        match (self.found, self.state()) {
            (_, State::Unknown) if self.failures == 0 => "not run yet".to_owned(),
            (Some(found), _) => format!("{} ({found})", self.reason),
            (None, _) => self.reason.clone(),
        }
    }

    /// Changes of state so far.
    #[must_use]
    pub const fn generation(&self) -> u64 {
        self.generation
    }

    /// Failures in a row that do not count yet.
    #[must_use]
    pub const fn failures(&self) -> u32 {
        self.failures
    }
}

#[cfg(test)]
pub(crate) mod tests {
    use std::time::UNIX_EPOCH;

    use proptest::prelude::*;

    use super::*;

    pub(crate) fn passed() -> Outcome {
        Outcome::Passed { reason: "connected".to_owned() }
    }

    pub(crate) fn failed() -> Outcome {
        Outcome::Failed { reason: "refused".to_owned() }
    }

    pub(crate) fn hindered() -> Outcome {
        Outcome::CouldNotRun { reason: "no route".to_owned(), remedy: "add one".to_owned() }
    }

    fn at(seconds: u64) -> SystemTime {
        UNIX_EPOCH + Duration::from_secs(seconds)
    }

    /// A verdict that these outcomes lead to, with one retry.
    fn after(outcomes: &[fn() -> Outcome]) -> Verdict {
        let mut verdict = Verdict::unknown(at(0));
        for outcome in outcomes {
            verdict.step(outcome(), 1, at(10));
        }
        verdict
    }

    #[test]
    fn every_state_and_every_outcome() {
        use Judgement as J;
        use Next::{Retry, Round};
        use State::{CouldNotRun, Down, Unknown, Up};
        type Act = fn() -> Outcome;
        type Row<'a> = (&'a [Act], Act, State, Option<J>, u32, Next);
        let (p, f, h): (Act, Act, Act) = (passed, failed, hindered);
        // what came before, outcome; state, judgement, failures, when next
        #[rustfmt::skip]
        let table: &[Row<'_>] = &[
            (&[],           p, Up,          Some(J::Up),   0, Round),
            (&[],           f, Unknown,     None,          1, Retry),
            (&[],           h, CouldNotRun, None,          0, Round),
            (&[f],          p, Up,          Some(J::Up),   0, Round),
            (&[f],          f, Down,        Some(J::Down), 0, Round),
            (&[f],          h, CouldNotRun, None,          1, Round),
            (&[p],          p, Up,          Some(J::Up),   0, Round),
            (&[p],          f, Up,          Some(J::Up),   1, Retry),
            (&[p],          h, CouldNotRun, Some(J::Up),   0, Round),
            (&[p, f],       p, Up,          Some(J::Up),   0, Round),
            (&[p, f],       f, Down,        Some(J::Down), 0, Round),
            (&[p, f],       h, CouldNotRun, Some(J::Up),   1, Round),
            (&[f, f],       p, Up,          Some(J::Up),   0, Round),
            (&[f, f],       f, Down,        Some(J::Down), 0, Round),
            (&[f, f],       h, CouldNotRun, Some(J::Down), 0, Round),
            (&[h],          p, Up,          Some(J::Up),   0, Round),
            (&[h],          f, Unknown,     None,          1, Retry),
            (&[h],          h, CouldNotRun, None,          0, Round),
            (&[h, f],       f, Down,        Some(J::Down), 0, Round),
            (&[p, h],       p, Up,          Some(J::Up),   0, Round),
            (&[p, h],       f, Up,          Some(J::Up),   1, Retry),
            (&[p, h],       h, CouldNotRun, Some(J::Up),   0, Round),
            (&[p, f, h],    f, Down,        Some(J::Down), 0, Round),
            (&[f, f, h],    p, Up,          Some(J::Up),   0, Round),
            (&[f, f, h],    f, Down,        Some(J::Down), 0, Round),
            (&[f, f, h],    h, CouldNotRun, Some(J::Down), 0, Round),
        ];
        for (number, (before, act, state, judged, failures, next)) in table.iter().enumerate() {
            let mut verdict = after(before);
            let was = verdict.clone();
            let step = verdict.step(act(), 1, at(12));
            assert_eq!(
                (verdict.state(), verdict.judged(), verdict.failures(), step.next),
                (*state, *judged, *failures, *next),
                "row {number}"
            );
            let changes = was.state() != *state;
            assert_eq!(step.change.is_some(), changes, "row {number}");
            assert_eq!(verdict.generation(), was.generation() + u64::from(changes), "row {number}");
            assert_eq!(verdict.since(), if changes { at(12) } else { was.since() }, "row {number}");
        }
    }

    #[test]
    fn a_change_says_what_was_and_for_how_long() {
        let mut verdict = after(&[passed]);
        verdict.step(failed(), 1, at(11));
        let step = verdict.step(failed(), 1, at(15));
        let change = Change { from: State::Up, lasted: Duration::from_secs(5), rejudged: true };
        assert_eq!(step.change, Some(change));
        let step = verdict.step(hindered(), 1, at(16));
        assert!(!step.change.unwrap().rejudged);
        assert_eq!(verdict.reason(), "no route: add one");
        // a clock that was set back
        assert_eq!(verdict.step(passed(), 1, at(2)).change.unwrap().lasted, Duration::ZERO);
    }

    #[test]
    fn a_failure_that_is_retried_is_the_reason_while_nothing_better_is_known() {
        type Row<'a> = (&'a [fn() -> Outcome], State, &'a str);
        let rows: [Row<'_>; 4] = [
            (&[], State::Unknown, "refused: being retried"),
            (&[hindered], State::Unknown, "refused: being retried"),
            (&[passed, hindered], State::Up, "refused: being retried"),
            (&[passed], State::Up, "connected"),
        ];
        for (before, state, reason) in rows {
            let mut verdict = after(before);
            verdict.step(failed(), 1, at(12));
            assert_eq!((verdict.state(), verdict.reason().as_str()), (state, reason));
        }
        assert_eq!(Verdict::unknown(at(0)).reason(), "not run yet");
    }

    #[test]
    fn times_follow_the_clock_when_it_is_set() {
        let mut verdict = after(&[passed]);
        verdict.set_time(at(100), at(1_000_100));
        assert_eq!(verdict.since(), at(1_000_010));
        verdict.set_time(at(1_000_100), at(100));
        assert_eq!(verdict.since(), at(10));
        verdict.set_time(at(100), at(50));
        assert_eq!(verdict.since(), at(0), "not before 1970");
    }

    #[test]
    fn the_same_again_is_no_news_and_another_reason_is() {
        for act in [passed, failed, hindered] {
            let mut verdict = Verdict::unknown(at(0));
            assert!(verdict.step(act(), 0, at(1)).news);
            assert!(!verdict.step(act(), 0, at(2)).news);
        }
        let mut verdict = after(&[failed, failed]);
        let other = Outcome::Failed { reason: "no answer within 3s".to_owned() };
        assert!(verdict.step(other, 1, at(11)).news);
        assert_eq!(verdict.reason(), "no answer within 3s");
    }

    #[test]
    fn what_was_inherited_holds_until_a_run_found_something_itself() {
        let mut verdict = after(&[failed, failed]).inherit(Found::BeforeRestart, 0, at(50));
        assert_eq!((verdict.state(), verdict.generation(), verdict.since()), (State::Down, 1, at(10)));
        assert_eq!(verdict.reason(), "refused (found before the restart)");
        let step = verdict.step(failed(), 1, at(60));
        assert!(step.news && step.change.is_none());
        assert_eq!((verdict.reason().as_str(), verdict.since()), ("refused", at(10)));
        let heir = verdict.inherit(Found::BeforeReload, 7, at(5));
        assert_eq!(
            (heir.since(), heir.generation()),
            (at(5), 7),
            "the clock was set back; it had changed itself"
        );
    }

    proptest! {
        /// Whatever happens: up takes one success, down takes more failures in a row than there are retries, nothing
        /// else changes a judgement, and generations count the changes.
        #[test]
        fn judgements_are_earned(acts in proptest::collection::vec(0_u8..3, 0..60), retries in 0_u32..4) {
            let mut verdict = Verdict::unknown(at(0));
            let (mut in_a_row, mut changes) = (0_u32, 0);
            for (second, act) in acts.into_iter().enumerate() {
                let was = verdict.clone();
                let outcome = [passed, failed, hindered][usize::from(act)]();
                let step = verdict.step(outcome, retries, at(second as u64));
                match act {
                    0 => in_a_row = 0,
                    1 => in_a_row += 1,
                    _ => {}
                }
                let expected = match act {
                    0 => Some(Judgement::Up),
                    1 if in_a_row > retries => Some(Judgement::Down),
                    _ => was.judged(),
                };
                prop_assert_eq!(verdict.judged(), expected);
                prop_assert_eq!(verdict.state() == State::CouldNotRun, act == 2);
                prop_assert!(verdict.failures() <= retries);
                changes += u64::from(step.change.is_some());
                prop_assert_eq!(verdict.generation(), changes);
                prop_assert_eq!(step.next == Next::Retry, verdict.failures() > was.failures());
            }
        }
    }
}
