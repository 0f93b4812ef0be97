//! Checks as they are run: equal ones once for all who need them. Must not run anything, read a clock, or know a name.

use std::collections::{BTreeMap, BTreeSet};
use std::time::{Duration, SystemTime};

use vipkit_config::Check;

use crate::kept::{self, Estate};
use crate::latency::Latencies;
use crate::verdict::{Found, Outcome, Rules, Step, Verdict, moved};

/// Identity of a run. Grows, and is never used again.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct RunId(pub u64);

/// A check that is run.
#[derive(Clone, Debug)]
pub struct Run {
    check: Check,
    identity: String,
    users: BTreeSet<String>,
    verdict: Verdict,
    latest: Option<Latest>,
    latencies: Latencies,
    counters: Counters,
}

/// The latest time that a check was run.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Latest {
    /// When it ended.
    pub ended: SystemTime,
    /// How long it took.
    pub took: Duration,
}

/// What came of a run so far.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Counters {
    /// Runs that passed.
    pub passed: u64,
    /// Runs that failed.
    pub failed: u64,
    /// Runs that something on this host kept from being done.
    pub could_not_run: u64,
    /// Changes of state.
    pub changes: u64,
}

impl Run {
    /// What is run.
    #[must_use]
    pub const fn check(&self) -> &Check {
        &self.check
    }

    /// What it is called where it is kept.
    #[must_use]
    pub fn identity(&self) -> &str {
        &self.identity
    }

    /// Names of the checks that need it, never empty.
    #[must_use]
    pub const fn users(&self) -> &BTreeSet<String> {
        &self.users
    }

    /// What is known.
    #[must_use]
    pub const fn verdict(&self) -> &Verdict {
        &self.verdict
    }

    /// The latest time that it was run.
    #[must_use]
    pub const fn latest(&self) -> Option<Latest> {
        self.latest
    }

    /// How long the latest ones took.
    #[must_use]
    pub const fn latencies(&self) -> &Latencies {
        &self.latencies
    }

    /// What came of it so far.
    #[must_use]
    pub const fn counters(&self) -> Counters {
        self.counters
    }

    /// The first that needs it, and how many more do.
    #[must_use]
    pub fn label(&self) -> String {
        let first = self.users.first().map(String::as_str).unwrap_or_default();
        match self.users.len() {
            0 | 1 => first.to_owned(),
            count => format!("{first} and {} more", count - 1),
        }
    }
}

/// All runs.
#[derive(Debug, Default)]
pub struct Runs {
    runs: BTreeMap<RunId, Run>,
    by_check: BTreeMap<Check, RunId>,
    next: u64,
}

/// What a configuration changed.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Turnover {
    /// Runs that are new.
    pub begun: Vec<RunId>,
    /// Runs that nobody needs any more.
    pub ended: Vec<RunId>,
    /// Runs that others need than before.
    pub shared_anew: BTreeSet<RunId>,
}

impl Runs {
    /// Goes over to these checks, each with the name of who needs it, and says which run each is. Runs that are still
    /// needed go on as they are; others inherit from `estate`, if they can.
    pub fn configure<'c>(
        &mut self,
        checks: impl Iterator<Item = (&'c str, &'c Check)>,
        estate: &Estate<'_>,
        found: Found,
        now: SystemTime,
    ) -> (Vec<RunId>, Turnover) {
        let mut done = Turnover::default();
        let before: BTreeMap<RunId, BTreeSet<String>> =
            self.runs.iter_mut().map(|(id, run)| (*id, std::mem::take(&mut run.users))).collect();
        let mut ids = Vec::new();
        for (user, check) in checks {
            let heirloom = |identity: &str| {
                estate.heirloom(user, check, identity).map(|verdict| verdict.inherit(found, now))
            };
            let id = self.take_up(check, heirloom, now, &mut done);
            if let Some(run) = self.runs.get_mut(&id) {
                run.users.insert(user.to_owned());
            }
            ids.push(id);
        }
        done.ended = self.runs.iter().filter(|(_, run)| run.users.is_empty()).map(|(id, _)| *id).collect();
        for run in done.ended.iter().filter_map(|id| self.runs.remove(id)) {
            self.by_check.remove(&run.check);
        }
        let changed = |(id, run): (&RunId, &Run)| (before.get(id) != Some(&run.users)).then_some(*id);
        done.shared_anew = self.runs.iter().filter_map(changed).collect();
        (ids, done)
    }

    /// The run of a check, which may be new.
    fn take_up(
        &mut self,
        check: &Check,
        heirloom: impl FnOnce(&str) -> Option<Verdict>,
        now: SystemTime,
        done: &mut Turnover,
    ) -> RunId {
        if let Some(id) = self.by_check.get(check) {
            return *id;
        }
        let id = RunId(self.next);
        self.next += 1;
        done.begun.push(id);
        self.by_check.insert(check.clone(), id);
        let identity = kept::identity(check);
        let run = Run {
            check: check.clone(),
            users: BTreeSet::new(),
            verdict: heirloom(&identity).unwrap_or_else(|| Verdict::unknown(now)),
            latest: None,
            latencies: Latencies::default(),
            identity,
            counters: Counters::default(),
        };
        self.runs.insert(id, run);
        id
    }

    /// Takes in what came of a run that ended now; none if nobody needs it any more.
    pub fn finished(&mut self, id: RunId, outcome: Outcome, took: Duration, now: SystemTime) -> Option<Step> {
        let run = self.runs.get_mut(&id)?;
        *match outcome {
            Outcome::Passed(_) => {
                run.latencies.push(took);
                &mut run.counters.passed
            }
            Outcome::Failed { .. } => &mut run.counters.failed,
            Outcome::CouldNotRun { .. } => &mut run.counters.could_not_run,
        } += 1;
        run.latest = Some(Latest { ended: now, took });
        let step = run.verdict.step(outcome, &Rules::of(&run.check), now);
        run.counters.changes += u64::from(step.change.is_some());
        Some(step)
    }

    /// The time of day was set: what was called `from` is called `to` now.
    pub fn set_times(&mut self, from: SystemTime, to: SystemTime) {
        for run in self.runs.values_mut() {
            run.verdict.set_time(from, to);
            if let Some(latest) = &mut run.latest {
                latest.ended = moved(latest.ended, from, to);
            }
        }
    }

    /// A run.
    #[must_use]
    pub fn get(&self, id: RunId) -> Option<&Run> {
        self.runs.get(&id)
    }

    /// All of them.
    pub fn iter(&self) -> impl Iterator<Item = (RunId, &Run)> {
        self.runs.iter().map(|(id, run)| (*id, run))
    }

    /// How many runs there are.
    #[must_use]
    pub fn count(&self) -> usize {
        self.runs.len()
    }
}

#[cfg(test)]
pub(crate) mod tests {
    use std::time::UNIX_EPOCH;

    use vipkit_config::{Close, CouldNotRun, Kind, Path, Tcp};
    use vipkit_control::health::State;

    use super::*;
    use crate::kept::Kept;
    use crate::verdict::tests::{failed, hindered, passed};

    pub(crate) fn tcp(target: &str) -> Check {
        let target = target.parse::<std::net::SocketAddr>().unwrap().into();
        Check {
            kind: Kind::Tcp(Tcp { target, path: Path::default(), close: Close::Fin }),
            interval: Duration::from_secs(10),
            timeout: Duration::from_secs(3),
            retries: 1,
            retry_delay: Duration::from_secs(1),
            rise: 1,
            fall: 1,
            on_could_not_run: CouldNotRun::Hold,
        }
    }

    pub(crate) fn at(seconds: u64) -> SystemTime {
        UNIX_EPOCH + Duration::from_secs(seconds)
    }

    fn reload(runs: &mut Runs, checks: &[(&str, Check)]) -> (Vec<RunId>, Turnover) {
        let checks = checks.iter().map(|(user, check)| (*user, check));
        runs.configure(checks, &Estate::new(&Kept::default()), Found::BeforeReload, at(100))
    }

    fn finish(runs: &mut Runs, id: RunId, outcome: Outcome) {
        runs.finished(id, outcome, Duration::from_millis(1), at(50)).unwrap();
    }

    #[test]
    fn equal_checks_are_run_once() {
        let mut runs = Runs::default();
        let (web, dns) = (tcp("192.0.2.1:80"), tcp("192.0.2.1:53"));
        let (ids, done) = reload(&mut runs, &[("a", web.clone()), ("b", web.clone()), ("c", dns.clone())]);
        assert_eq!((runs.count(), done.begun.len()), (2, 2));
        assert!(ids[0] == ids[1] && ids[0] != ids[2]);
        finish(&mut runs, ids[0], passed());
        let (again, done) =
            reload(&mut runs, &[("a", web.clone()), ("b", web.clone()), ("c", dns), ("d", web)]);
        assert_eq!((done.begun.len(), done.ended.len()), (0, 0));
        assert_eq!(done.shared_anew, [ids[0]].into(), "it is shared by three");
        let run = runs.get(again[3]).unwrap();
        assert_eq!((run.verdict().state(), run.label().as_str()), (State::Up, "a and 2 more"));
    }

    #[test]
    fn one_more_or_less_touches_one() {
        let mut runs = Runs::default();
        let many: Vec<_> = (1..=1000).map(|port| ("many", tcp(&format!("192.0.2.1:{port}")))).collect();
        reload(&mut runs, &many);
        let (_, done) = reload(&mut runs, &many[1..]);
        assert_eq!((done.begun.len(), done.ended.len(), done.shared_anew.len()), (0, 1, 0));
        let (_, done) = reload(&mut runs, &many);
        assert_eq!((done.begun.len(), done.ended.len(), done.shared_anew.len()), (1, 0, 1));
    }

    #[test]
    fn what_is_gone_is_forgotten_and_its_run_comes_to_nothing() {
        let mut runs = Runs::default();
        let check = tcp("192.0.2.1:80");
        let (ids, _) = reload(&mut runs, &[("a", check.clone())]);
        let (_, done) = reload(&mut runs, &[]);
        assert_eq!(done.ended, ids);
        assert_eq!(runs.finished(ids[0], passed(), Duration::ZERO, at(101)), None);
        let (again, _) = reload(&mut runs, &[("a", check)]);
        assert_ne!(again, ids, "an identity is used once");
        assert_eq!(runs.get(again[0]).unwrap().verdict().state(), State::Unknown);
    }

    #[test]
    fn times_follow_the_clock_when_it_is_set() {
        let mut runs = Runs::default();
        let (ids, _) = reload(&mut runs, &[("a", tcp("192.0.2.1:80"))]);
        finish(&mut runs, ids[0], passed());
        runs.set_times(at(0), at(1000));
        let run = runs.get(ids[0]).unwrap();
        assert_eq!((run.verdict().since(), run.latest().unwrap().ended), (at(1050), at(1050)));
    }

    #[test]
    fn outcomes_are_counted() {
        let mut runs = Runs::default();
        let (ids, _) = reload(&mut runs, &[("a", tcp("192.0.2.1:80"))]);
        [passed(), failed(), failed(), hindered()].into_iter().for_each(|o| finish(&mut runs, ids[0], o));
        let run = runs.get(ids[0]).unwrap();
        assert_eq!(run.counters(), Counters { passed: 1, failed: 2, could_not_run: 1, changes: 3 });
        assert_eq!(run.latest(), Some(Latest { ended: at(50), took: Duration::from_millis(1) }));
        assert_eq!(run.latencies().percentiles().unwrap().samples, 1, "of those that passed");
    }
}
