//! The verdict of a run: what one outcome after another makes of it, and when it is to be run again.
//! Must not read a clock, and must not know what a kind of check does.

use std::fmt;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use serde::{Deserialize, Serialize};
use vipkit_config::{Check, CouldNotRun};
use vipkit_control::health::{Judgement, State};

use crate::weight::Weight;

/// What came of running a check once. Reasons are short, for people, and the same when the same happens again: another
/// reason is news.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// The target is well.
    Passed(Finding),
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

/// What was found of a target that is well.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Finding {
    /// What it did.
    pub reason: String,
    /// What share it wants.
    pub weight: Option<Weight>,
    /// What will go wrong if nothing is done.
    pub warning: Option<String>,
}

impl Outcome {
    /// The target is well.
    pub fn passed(reason: impl fmt::Display) -> Self {
        Self::Passed(Finding { reason: reason.to_string(), ..Finding::default() })
    }

    /// The target is not.
    pub fn failed(reason: impl fmt::Display) -> Self {
        Self::Failed { reason: reason.to_string() }
    }

    /// Something on this host was in the way.
    pub fn hindered(reason: impl fmt::Display, remedy: impl fmt::Display) -> Self {
        Self::CouldNotRun { reason: reason.to_string(), remedy: remedy.to_string() }
    }

    /// It took longer than it may.
    #[must_use]
    pub fn late(timeout: Duration) -> Self {
        Self::failed(format_args!("no answer within {}", humantime::format_duration(timeout)))
    }
}

/// By which rules outcomes become a verdict.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Rules {
    /// Failures in a row that are retried in a round.
    pub retries: u32,
    /// Rounds in a row that pass before what is down is up.
    pub rise: u32,
    /// Rounds in a row that fail before what is up is down.
    pub fall: u32,
    /// What a run counts for that could not be done.
    pub on_could_not_run: CouldNotRun,
}

impl Rules {
    /// Those of a check.
    #[must_use]
    pub const fn of(check: &Check) -> Self {
        let Check { retries, rise, fall, on_could_not_run, .. } = *check;
        Self { retries, rise, fall, on_could_not_run }
    }
}

/// What is known of the target of a run.
///
/// A run that cannot be done hides the state, not the judgement: whoever acts on it goes on with what was found last,
/// unless the check says otherwise.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Verdict {
    judged: Option<Judgement>,
    /// The latest run could not be done.
    hindered: bool,
    since: SystemTime,
    reason: String,
    weight: Option<Weight>,
    #[serde(skip)]
    warning: Option<String>,
    #[serde(skip)]
    counting: Counting,
    #[serde(skip)]
    found: Option<Found>,
}

/// What does not count yet.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct Counting {
    /// Failures of this round.
    tries: u32,
    /// Rounds in a row that failed.
    failed: u32,
    /// Rounds in a row that passed.
    passed: u32,
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
    pub fn unknown(now: SystemTime) -> Self {
        Self {
            judged: None,
            hindered: false,
            since: now,
            reason: String::new(),
            weight: None,
            warning: None,
            counting: Counting::default(),
            found: None,
        }
    }

    /// The same, for a run that did not find it. A time to come is none: the clock was set.
    #[must_use]
    pub fn inherit(&self, found: Found, now: SystemTime) -> Self {
        let counting = Counting::default();
        Self { since: self.since.min(now), counting, found: Some(found), ..self.clone() }
    }

    /// The time of day was set: what was called `from` is called `to` now.
    pub fn set_time(&mut self, from: SystemTime, to: SystemTime) {
        self.since = moved(self.since, from, to);
    }

    /// Takes in what came of a run, at the moment `now`. What was never judged is judged by the first round; a failure of
    /// what is down already counts at once.
    pub fn step(&mut self, outcome: Outcome, rules: &Rules, now: SystemTime) -> Step {
        let before = self.clone();
        let next = match outcome {
            Outcome::Passed(finding) => self.passed(finding, rules),
            Outcome::Failed { reason } => self.failed(reason, rules),
            Outcome::CouldNotRun { reason, remedy } => self.hindered(format!("{reason}: {remedy}"), rules),
        };
        let change = (self.state() != before.state()).then(|| Change {
            from: before.state(),
            lasted: now.duration_since(before.since).unwrap_or_default(),
            rejudged: self.judged != before.judged,
        });
        if change.is_some() {
            self.since = now;
        }
        Step { next, news: *self != before, change }
    }

    fn passed(&mut self, Finding { reason, weight, warning }: Finding, rules: &Rules) -> Next {
        (self.counting.tries, self.counting.failed) = (0, 0);
        self.warning = warning;
        if self.judged == Some(Judgement::Down) && self.counting.passed + 1 < rules.rise {
            self.counting.passed += 1;
            self.seen(|| format!("{reason}: not up yet"));
            return Next::Round;
        }
        self.weight = weight;
        self.judge(Judgement::Up, reason);
        Next::Round
    }

    fn failed(&mut self, reason: String, rules: &Rules) -> Next {
        self.counting.passed = 0;
        self.warning = None;
        if self.judged == Some(Judgement::Down) {
            self.judge(Judgement::Down, reason);
            return Next::Round;
        }
        if self.counting.tries < rules.retries {
            self.counting.tries += 1;
            self.seen(|| format!("{reason}: being retried"));
            return Next::Retry;
        }
        self.counting.tries = 0;
        self.counting.failed += 1;
        // What was never judged is judged at once: nothing better is known.
        if self.judged.is_some() && self.counting.failed < rules.fall {
            self.seen(|| format!("{reason}: not down yet"));
            return Next::Round;
        }
        self.judge(Judgement::Down, reason);
        Next::Round
    }

    fn hindered(&mut self, reason: String, rules: &Rules) -> Next {
        let next = match rules.on_could_not_run {
            CouldNotRun::Hold => Next::Round,
            CouldNotRun::Down => self.failed(String::new(), rules),
            CouldNotRun::Up => self.passed(Finding { weight: self.weight, ..Finding::default() }, rules),
        };
        self.hindered = true;
        self.found = None;
        self.reason = reason;
        next
    }

    /// It was run, and that does not decide anything: this is the reason if nothing better is known.
    fn seen(&mut self, reason: impl FnOnce() -> String) {
        if self.hindered || self.judged.is_none() {
            self.hindered = false;
            self.reason = reason();
        }
    }

    fn judge(&mut self, judgement: Judgement, reason: String) {
        self.judged = Some(judgement);
        self.hindered = false;
        self.counting = Counting::default();
        self.found = None;
        self.reason = reason;
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

    /// What to act on, if anything is known.
    #[must_use]
    pub const fn judged(&self) -> Option<Judgement> {
        self.judged
    }

    /// What share the target wants while it is up.
    #[must_use]
    pub const fn weight(&self) -> Option<Weight> {
        self.weight
    }

    /// What will go wrong if nothing is done.
    #[must_use]
    pub fn warning(&self) -> Option<&str> {
        self.warning.as_deref()
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
            (_, State::Unknown) if self.reason.is_empty() => "not run yet".to_owned(),
            (Some(found), _) => format!("{} ({found})", self.reason),
            (None, _) => self.reason.clone(),
        }
    }

    /// Failures in a row that do not count yet: retried ones of this round, or rounds.
    #[must_use]
    pub const fn failures(&self) -> u32 {
        if self.counting.tries > 0 { self.counting.tries } else { self.counting.failed }
    }

    /// Rounds in a row that passed and do not count yet.
    #[must_use]
    pub const fn successes(&self) -> u32 {
        self.counting.passed
    }
}

#[cfg(test)]
pub(crate) mod tests;
