//! Checks as they are run: equal ones once for all who need them, under all of their names, and what a change of the
//! configuration makes of that. Must not run anything or read a clock.

use std::collections::{BTreeMap, BTreeSet};
use std::time::{Duration, SystemTime};

use vipkit_config::Check;
use vipkit_control::common::Changes;
use vipkit_control::health::State;

use crate::kept::{Estate, Kept};
use crate::verdict::{Found, Outcome, Step, Verdict, moved};

/// Identity of a run. Grows, and is never used again.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct RunId(pub u64);

/// A check that is run.
#[derive(Clone, Debug)]
pub struct Run {
    check: Check,
    names: BTreeSet<String>,
    verdict: Verdict,
    /// The verdict before, while a later one must not be told.
    told: Option<Verdict>,
    latest: Option<Latest>,
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

    /// Who needs it, never empty.
    #[must_use]
    pub const fn names(&self) -> &BTreeSet<String> {
        &self.names
    }

    /// What is known.
    #[must_use]
    pub const fn verdict(&self) -> &Verdict {
        &self.verdict
    }

    /// What others are shown of it.
    #[must_use]
    pub fn told(&self) -> &Verdict {
        self.told.as_ref().unwrap_or(&self.verdict)
    }

    /// The latest time that it was run.
    #[must_use]
    pub const fn latest(&self) -> Option<Latest> {
        self.latest
    }

    /// What came of it so far.
    #[must_use]
    pub const fn counters(&self) -> Counters {
        self.counters
    }

    /// Its first name, and how many more there are.
    #[must_use]
    pub fn label(&self) -> String {
        let first = self.names.first().map(String::as_str).unwrap_or_default();
        match self.names.len() {
            0 | 1 => first.to_owned(),
            count => format!("{first} and {} more", count - 1),
        }
    }
}

/// All runs, by identity and by the names of their checks.
#[derive(Debug, Default)]
pub struct Runs {
    runs: BTreeMap<RunId, Run>,
    by_check: BTreeMap<Check, RunId>,
    by_name: BTreeMap<String, RunId>,
    untold: BTreeSet<RunId>,
    next: u64,
}

/// What a configuration changed.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Configured {
    /// In numbers of checks.
    pub changes: Changes,
    /// Runs that are new.
    pub begun: Vec<RunId>,
    /// Runs that nobody needs any more.
    pub ended: Vec<RunId>,
    /// Names of checks that are not shown as before.
    pub touched: BTreeSet<String>,
}

impl Runs {
    /// Goes over to these checks. Runs that are still needed go on as they are; those without a judgement inherit one
    /// from what was `kept`, if they can.
    pub fn configure(
        &mut self,
        checks: BTreeMap<String, Check>,
        kept: &[Kept],
        found: Found,
        now: SystemTime,
    ) -> Configured {
        let mut done = Configured::default();
        let before: BTreeMap<RunId, BTreeSet<String>> =
            self.runs.iter_mut().map(|(id, run)| (*id, std::mem::take(&mut run.names))).collect();
        let old_names = std::mem::take(&mut self.by_name);
        for (name, check) in checks {
            let id = self.take_up(check, now, &mut done);
            if let Some(run) = self.runs.get_mut(&id) {
                run.names.insert(name.clone());
            }
            *match old_names.get(&name) {
                None => &mut done.changes.added,
                Some(old) if *old == id => &mut done.changes.unchanged,
                Some(_) => &mut done.changes.changed,
            } += 1;
            self.by_name.insert(name, id);
        }
        let gone = old_names.into_keys().filter(|name| !self.by_name.contains_key(name));
        let gone: Vec<String> = gone.collect();
        done.changes.removed = gone.len() as u64;
        done.touched.extend(gone);
        done.ended = self.runs.iter().filter(|(_, run)| run.names.is_empty()).map(|(id, _)| *id).collect();
        self.untold.retain(|id| !done.ended.contains(id));
        for run in done.ended.iter().filter_map(|id| self.runs.remove(id)) {
            self.by_check.remove(&run.check);
        }
        let estate = Estate::new(kept);
        for (id, run) in &mut self.runs {
            let before = before.get(id);
            if before == Some(&run.names) {
                continue;
            }
            done.touched.extend(run.names.iter().cloned());
            // Who leaves learns nothing new about the target; who joins may have known it as down.
            let has_joined = before.is_none_or(|before| !run.names.is_subset(before));
            if has_joined
                && run.verdict.judged().is_none()
                && let Some(verdict) = estate.heirloom(&run.check)
            {
                run.verdict = verdict.inherit(found, run.verdict.generation(), now);
            }
        }
        done
    }

    /// The run of a check, which may be new.
    fn take_up(&mut self, check: Check, now: SystemTime, done: &mut Configured) -> RunId {
        if let Some(id) = self.by_check.get(&check) {
            return *id;
        }
        let id = RunId(self.next);
        self.next += 1;
        done.begun.push(id);
        self.by_check.insert(check.clone(), id);
        let (names, verdict) = (BTreeSet::new(), Verdict::unknown(now));
        self.runs.insert(
            id,
            Run { check, names, verdict, told: None, latest: None, counters: Counters::default() },
        );
        id
    }

    /// Takes in what came of a run that ended now; none if nobody needs it any more. A judgement that changed is not told
    /// before [`tell`](Self::tell).
    pub fn finished(&mut self, id: RunId, outcome: Outcome, took: Duration, now: SystemTime) -> Option<Step> {
        let run = self.runs.get_mut(&id)?;
        *match outcome {
            Outcome::Passed { .. } => &mut run.counters.passed,
            Outcome::Failed { .. } => &mut run.counters.failed,
            Outcome::CouldNotRun { .. } => &mut run.counters.could_not_run,
        } += 1;
        run.latest = Some(Latest { ended: now, took });
        let before = run.verdict.clone();
        let mut step = run.verdict.step(outcome, run.check.retries, now);
        run.counters.changes += u64::from(step.change.is_some());
        if run.verdict.judged() != before.judged() {
            run.told.get_or_insert(before);
            self.untold.insert(id);
        }
        step.news &= run.told.is_none();
        Some(step)
    }

    /// Runs with a judgement that is not told yet: whoever takes them keeps it first, then [tells](Self::tell) it.
    #[must_use]
    pub fn take_untold(&mut self) -> BTreeSet<RunId> {
        std::mem::take(&mut self.untold)
    }

    /// From now on others are shown what is known of these runs, unless that changed once more; their names.
    pub fn tell(&mut self, told: &BTreeSet<RunId>) -> Vec<String> {
        let mut names = Vec::new();
        for id in told.difference(&self.untold) {
            if let Some(run) = self.runs.get_mut(id) {
                run.told = None;
                names.extend(run.names.iter().cloned());
            }
        }
        names
    }

    /// The time of day was set: what was called `from` is called `to` now.
    pub fn set_times(&mut self, from: SystemTime, to: SystemTime) {
        for run in self.runs.values_mut() {
            run.verdict.set_time(from, to);
            run.told.iter_mut().for_each(|verdict| verdict.set_time(from, to));
            if let Some(latest) = &mut run.latest {
                latest.ended = moved(latest.ended, from, to);
            }
        }
    }

    /// A run.
    #[must_use]
    pub fn run(&self, id: RunId) -> Option<&Run> {
        self.runs.get(&id)
    }

    /// The run of the check of that name.
    #[must_use]
    pub fn named(&self, name: &str) -> Option<&Run> {
        self.by_name.get(name).and_then(|id| self.runs.get(id))
    }

    /// Names of all checks, in order.
    pub fn names(&self) -> impl Iterator<Item = &String> {
        self.by_name.keys()
    }

    /// How many runs there are.
    #[must_use]
    pub fn count(&self) -> usize {
        self.runs.len()
    }

    /// What is known of each: a copy, for others to make something of.
    #[must_use]
    pub fn verdicts(&self) -> Vec<(Check, Verdict)> {
        self.runs.values().map(|run| (run.check.clone(), run.verdict.clone())).collect()
    }

    /// How many checks are in which state, in a line.
    #[must_use]
    pub fn summary(&self) -> String {
        let count = |state: State| -> usize {
            self.runs.values().filter(|run| run.verdict.state() == state).map(|run| run.names.len()).sum()
        };
        let counted = [
            (State::Up, "up"),
            (State::Down, "down"),
            (State::Unknown, "unknown"),
            (State::CouldNotRun, "could not run"),
        ];
        let counted = counted.map(|(state, name)| (count(state), name)).into_iter();
        let states = counted.filter(|(count, _)| *count > 0).map(|(count, name)| format!(", {count} {name}"));
        let total = self.by_name.len();
        format!("{total} check{}{}", if total == 1 { "" } else { "s" }, states.collect::<String>())
    }
}

#[cfg(test)]
pub(crate) mod tests {
    use std::time::UNIX_EPOCH;

    use vipkit_config::{Kind, Tcp};
    use vipkit_control::health::Judgement;

    use super::*;
    use crate::kept;
    use crate::verdict::tests::{failed, hindered, passed};

    pub(crate) fn tcp(target: &str) -> Check {
        Check {
            kind: Kind::Tcp(Tcp { target: target.parse().unwrap(), source: None }),
            interval: Duration::from_secs(10),
            timeout: Duration::from_secs(3),
            retries: 1,
            retry_delay: Duration::from_secs(1),
        }
    }

    fn at(seconds: u64) -> SystemTime {
        UNIX_EPOCH + Duration::from_secs(seconds)
    }

    fn checks(rows: &[(&str, Check)]) -> BTreeMap<String, Check> {
        rows.iter().map(|(name, check)| ((*name).to_owned(), check.clone())).collect()
    }

    /// Goes over to these checks as a reload does.
    fn reload(runs: &mut Runs, rows: &[(&str, Check)]) -> Configured {
        let kept = kept::of(&runs.verdicts());
        runs.configure(checks(rows), &kept, Found::BeforeReload, at(100))
    }

    fn finish(runs: &mut Runs, name: &str, outcome: Outcome) {
        let id = runs.by_name[name];
        runs.finished(id, outcome, Duration::from_millis(1), at(50)).unwrap();
    }

    fn slower(check: Check) -> Check {
        Check { timeout: check.timeout * 2, ..check }
    }

    fn touched(done: &Configured) -> Vec<&str> {
        done.touched.iter().map(String::as_str).collect()
    }

    #[test]
    fn equal_checks_are_run_once_and_who_joins_sees_the_verdict() {
        let mut runs = Runs::default();
        let (web, dns) = (tcp("192.0.2.1:80"), tcp("192.0.2.1:53"));
        let done = reload(&mut runs, &[("a", web.clone()), ("b", web.clone()), ("c", dns.clone())]);
        assert_eq!((runs.count(), done.begun.len(), done.changes.added), (2, 2, 3));
        finish(&mut runs, "a", passed());
        let done = reload(&mut runs, &[("a", web.clone()), ("b", web.clone()), ("c", dns), ("d", web)]);
        assert_eq!(touched(&done), ["a", "b", "d"], "they are shown as shared by three");
        assert_eq!(done.changes, Changes { added: 1, unchanged: 3, ..Changes::default() });
        assert_eq!((done.begun.len(), done.ended.len()), (0, 0));
        let joined = runs.named("d").unwrap();
        assert_eq!((joined.verdict().state(), joined.label().as_str()), (State::Up, "a and 2 more"));
        assert_eq!(runs.summary(), "4 checks, 3 up, 1 unknown");
    }

    #[test]
    fn a_changed_timeout_does_not_bring_a_dead_server_back() {
        let mut runs = Runs::default();
        let check = tcp("192.0.2.1:80");
        reload(&mut runs, &[("a", check.clone()), ("b", tcp("192.0.2.2:80"))]);
        finish(&mut runs, "a", failed());
        finish(&mut runs, "a", failed());
        let other = runs.by_name["b"];
        let done = reload(&mut runs, &[("a", slower(check)), ("b", tcp("192.0.2.2:80"))]);
        assert_eq!((done.changes.changed, done.changes.unchanged), (1, 1));
        assert_eq!((done.begun.len(), done.ended.len(), touched(&done)), (1, 1, vec!["a"]));
        let verdict = runs.named("a").unwrap().verdict();
        assert_eq!((verdict.state(), verdict.since(), verdict.generation()), (State::Down, at(50), 1));
        assert_eq!(verdict.reason(), "refused (found before the reload)");
        assert_eq!(runs.by_name["b"], other, "not touched");
    }

    #[test]
    fn a_reload_that_changes_nothing_judges_nothing() {
        let mut runs = Runs::default();
        let rows = [("a", tcp("192.0.2.1:80")), ("b", slower(tcp("192.0.2.1:80")))];
        reload(&mut runs, &rows);
        finish(&mut runs, "a", failed());
        finish(&mut runs, "a", failed());
        finish(&mut runs, "b", hindered());
        let done = reload(&mut runs, &rows);
        assert_eq!(touched(&done), Vec::<&str>::new());
        let state = |runs: &Runs, name: &str| runs.named(name).unwrap().verdict().state();
        assert_eq!(state(&runs, "b"), State::CouldNotRun);
        // But a name that was down does not come back by joining a run that was never judged.
        let generation = runs.named("b").unwrap().verdict().generation();
        reload(&mut runs, &[("a", rows[1].1.clone()), rows[1].clone()]);
        assert_eq!(state(&runs, "a"), State::Down);
        assert!(runs.named("b").unwrap().verdict().generation() >= generation);
    }

    #[test]
    fn a_judgement_is_told_once_it_may_be() {
        let mut runs = Runs::default();
        reload(&mut runs, &[("a", tcp("192.0.2.1:80")), ("b", tcp("192.0.2.1:80"))]);
        let told = |runs: &Runs| runs.named("a").unwrap().told().state();
        finish(&mut runs, "a", passed());
        assert_eq!((told(&runs), runs.named("a").unwrap().verdict().state()), (State::Unknown, State::Up));
        let untold = runs.take_untold();
        finish(&mut runs, "a", failed());
        finish(&mut runs, "a", failed());
        assert!(runs.tell(&untold).is_empty(), "it changed once more");
        assert_eq!(told(&runs), State::Unknown);
        let untold = runs.take_untold();
        assert_eq!(runs.tell(&untold), ["a", "b"]);
        assert_eq!(told(&runs), State::Down);
        finish(&mut runs, "a", hindered());
        assert_eq!(told(&runs), State::CouldNotRun, "nobody acts on that");
        assert!(runs.take_untold().is_empty());
    }

    #[test]
    fn times_follow_the_clock_when_it_is_set() {
        let mut runs = Runs::default();
        reload(&mut runs, &[("a", tcp("192.0.2.1:80"))]);
        finish(&mut runs, "a", passed());
        runs.set_times(at(0), at(1000));
        let run = runs.named("a").unwrap();
        assert_eq!((run.verdict().since(), run.latest().unwrap().ended), (at(1050), at(1050)));
    }

    #[test]
    fn another_target_is_another_question() {
        let mut runs = Runs::default();
        reload(&mut runs, &[("a", tcp("192.0.2.1:80"))]);
        finish(&mut runs, "a", passed());
        let done = reload(&mut runs, &[("a", tcp("192.0.2.2:80"))]);
        assert_eq!(done.changes.changed, 1);
        assert_eq!(runs.named("a").unwrap().verdict().state(), State::Unknown);
    }

    #[test]
    fn what_is_gone_is_forgotten_and_its_run_comes_to_nothing() {
        let mut runs = Runs::default();
        let check = tcp("192.0.2.1:80");
        reload(&mut runs, &[("a", check.clone()), ("b", check.clone())]);
        let id = runs.by_name["a"];
        let done = reload(&mut runs, &[("b", check.clone())]);
        assert_eq!((done.changes.removed, touched(&done), done.ended.len()), (1, vec!["a", "b"], 0));
        let done = reload(&mut runs, &[]);
        assert_eq!(done.ended, [id]);
        assert_eq!(runs.finished(id, passed(), Duration::ZERO, at(101)), None);
        let done = reload(&mut runs, &[("b", check)]);
        assert_ne!(done.begun, [id], "an identity is used once");
        assert_eq!(runs.summary(), "1 check, 1 unknown");
    }

    #[test]
    fn a_restart_continues_what_was_judged() {
        let mut before = Runs::default();
        reload(&mut before, &[("a", tcp("192.0.2.1:80")), ("b", tcp("192.0.2.2:80"))]);
        finish(&mut before, "a", failed());
        finish(&mut before, "a", failed());
        let mut after = Runs::default();
        let checks = checks(&[("a", slower(tcp("192.0.2.1:80"))), ("b", tcp("192.0.2.2:80"))]);
        after.configure(checks, &kept::of(&before.verdicts()), Found::BeforeRestart, at(200));
        let state = |name: &str| after.named(name).unwrap().verdict().state();
        assert_eq!((state("a"), state("b")), (State::Down, State::Unknown));
        assert_eq!(after.named("a").unwrap().verdict().judged(), Some(Judgement::Down));
    }

    #[test]
    fn outcomes_are_counted() {
        let mut runs = Runs::default();
        reload(&mut runs, &[("a", tcp("192.0.2.1:80"))]);
        finish(&mut runs, "a", passed());
        finish(&mut runs, "a", failed());
        finish(&mut runs, "a", failed());
        let run = runs.named("a").unwrap();
        assert_eq!(run.counters(), Counters { passed: 1, failed: 2, could_not_run: 0, changes: 2 });
        assert_eq!(run.latest(), Some(Latest { ended: at(50), took: Duration::from_millis(1) }));
    }
}
