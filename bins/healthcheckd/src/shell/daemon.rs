//! The runs and what is around them: what is due is started, what comes of it is judged, logged and told. Called by the
//! tasks in `shell`, one at a time, on one thread. Nothing here may wait.

use std::cell::RefCell;
use std::collections::BTreeSet;
use std::rc::Rc;
use std::time::{Duration, SystemTime};

use tokio::sync::Notify;
use tracing::{error, info, warn};
use vipkit_config::{Config, External, Kind};
use vipkit_control::common::Changes;
use vipkit_control::health::{self, Judgement, ReloadReply, State};
use vipkit_control::monitor::Feed;
use vipkit_core::epoch::Epoch;
use vipkit_core::limit::Limiter;
use vipkit_core::units::Mono;
use vipkit_daemon::clock::now;
use vipkit_daemon::identity::Identity;

use super::kind::{self, Means, Running, Steps, Watch};
use crate::checks::{Checks, News};
use crate::kept::Kept;
use crate::runs::{Run, RunId, Turnover};
use crate::standing::{Disabled, Rejudged};
use crate::status::{self, word};
use crate::told::Told;
use crate::turns::Turns;
use crate::verdict::{Change, Found, Next, Outcome};

/// Times of at least this length are logged without milliseconds.
const LONG: Duration = Duration::from_secs(10);
/// Checks that start later than this are worth a line in the log.
const LATE: Duration = Duration::from_secs(1);

/// The daemon.
pub struct Daemon {
    identity: Identity,
    checks: Checks,
    turns: Turns,
    means: Rc<Means>,
    /// Runs that came and went since the runner asked.
    turnover: Turnover,
    /// By what hinders checks, and by other things that are not of one target alone.
    limiter: Limiter<String>,
    /// What all times are by.
    epoch: Epoch,
    feed: Feed,
    /// Wakes the task that writes the file.
    changed: Rc<Notify>,
    /// Wakes who waits for a run of an external check.
    heeded: Rc<Notify>,
    /// Wakes the task that starts runs.
    rescheduled: Rc<Notify>,
}

impl Daemon {
    /// With these checks, and what an earlier life found out about them.
    #[must_use]
    pub fn new(identity: Identity, config: Config, kept: &Kept) -> Rc<RefCell<Self>> {
        let epoch = identity.epoch();
        let told = kept.told.clone().read_back(epoch.wall(now()));
        let mut daemon = Self {
            epoch,
            identity,
            checks: Checks::default(),
            turns: Turns::new(config.node.name.as_deref().unwrap_or_default()),
            means: Rc::new(Means::new(&config.health, told)),
            turnover: Turnover::default(),
            limiter: Limiter::default(),
            feed: Feed::default(),
            changed: Rc::default(),
            heeded: Rc::default(),
            rescheduled: Rc::default(),
        };
        daemon.configure(config, kept, Found::BeforeRestart);
        Rc::new(RefCell::new(daemon))
    }

    /// Goes over to a configuration: runs that it does not change are not touched.
    pub fn reload(&mut self, config: Config) -> ReloadReply {
        let kept = self.checks.keep();
        let checks = self.configure(config, &kept, Found::BeforeReload);
        let digest = self.identity.digest().to_owned();
        info!("configuration {digest}: {checks}");
        ReloadReply { digest, checks }
    }

    fn configure(&mut self, config: Config, kept: &Kept, found: Found) -> Changes {
        self.identity.configured(&config);
        self.turns.bound(&config.health);
        self.means.configured(&config.health);
        let wall = self.wall();
        let mut done = self.checks.configure(config, kept, found, wall);
        self.forget_what_was_told();
        let Turnover { begun, ended, shared_anew } = &mut done.turnover;
        ended.iter().for_each(|id| self.turns.remove(*id));
        begun.iter().chain(shared_anew.iter()).for_each(|id| self.take_up(*id));
        self.turnover.begun.append(begun);
        self.turnover.ended.append(ended);
        self.publish(done.news);
        self.feed.touch_daemon();
        self.changed.notify_one();
        self.rescheduled.notify_one();
        done.changes
    }

    /// Takes up a run, or leaves it out if nobody wants it done now.
    fn take_up(&mut self, id: RunId) {
        let Some(run) = self.checks.runs().get(id) else { return };
        if self.checks.is_idle(run) {
            self.turns.remove(id);
        } else {
            self.turns.add(id, run.check().interval, now());
        }
    }

    /// What was said of checks that are not external any more.
    fn forget_what_was_told(&self) {
        let externals: BTreeSet<&str> =
            self.checks.runs().iter().filter_map(|(_, run)| external(run)).map(|e| e.name.as_str()).collect();
        self.means.told.borrow_mut().keep(|name| externals.contains(name));
    }

    /// What time alone has changed.
    pub fn mature(&mut self) {
        let wall = self.wall();
        if self.checks.next().is_some_and(|next| next <= wall) {
            let news = self.checks.mature(wall);
            self.publish(news);
        }
    }

    /// What to run now, if anything is due.
    pub fn start(&mut self) -> Option<(RunId, Running)> {
        let (runs, waiting) = (self.checks.runs(), self.turns.waiting());
        let started = self.turns.start(|id| runs.get(id)?.check().kind.host(), now());
        if self.turns.waiting() > waiting {
            self.log_waiting();
        }
        let id = started?;
        self.log_lateness();
        let check = self.checks.runs().get(id)?.check();
        Some((id, kind::checker(&check.kind).run(&self.means, &Steps::default(), check.timeout)))
    }

    /// When something is due, or time changes something.
    #[must_use]
    pub fn due(&self) -> Option<Mono> {
        let change = self
            .checks
            .next()
            .map(|next| now() + next.duration_since(self.epoch.wall(now())).unwrap_or_default());
        [self.turns.next(), change].into_iter().flatten().min()
    }

    /// Takes in what came of a run.
    pub fn finished(&mut self, id: RunId, outcome: Outcome, took: Duration) {
        let wall = self.wall();
        let delay = self.checks.runs().get(id).map(|run| run.check().retry_delay);
        let finished = self.checks.finished(id, outcome, took, wall);
        let is_retried = finished.as_ref().is_some_and(|(step, _)| step.next == Next::Retry);
        self.turns.finished(id, delay.filter(|_| is_retried), now());
        // Else nobody needs it any more.
        let Some((step, news)) = finished else { return };
        if let Some(run) = self.checks.runs().get(id) {
            if external(run).is_some() {
                self.heeded.notify_waiters();
            }
            if let Some(change) = step.change {
                log(&self.label(run), run, &change, &mut self.limiter);
                self.changed.notify_one();
            }
        }
        self.publish(news);
    }

    /// Another run of this is worth it now.
    pub fn hasten(&mut self, id: RunId) {
        self.turns.hasten(id, now());
        self.rescheduled.notify_one();
    }

    /// What tells when another run is worth it, for kinds that are told.
    #[must_use]
    pub fn watch(&self, id: RunId) -> Option<Watch> {
        kind::checker(&self.checks.runs().get(id)?.check().kind).watch(&self.means)
    }

    /// Runs that came and went since the last time.
    pub fn take_turnover(&mut self) -> Turnover {
        std::mem::take(&mut self.turnover)
    }

    /// Runs all parts of a check once for somebody who looks on; none if there is no such check. It counts for nothing.
    pub fn try_out(&self, name: &str) -> Option<Vec<Trial>> {
        let entry = self.checks.get(name)?;
        let trial = |(part, id): (&vipkit_config::Part, &RunId)| {
            let check = self.checks.runs().get(*id)?.check();
            let steps = Steps::watched();
            let running = kind::checker(&check.kind).run(&self.means, &steps, check.timeout);
            let (label, kind, target) = (part.label.clone(), check.kind.name(), check.kind.target());
            Some(Trial { label, kind, target, steps, running })
        };
        Some(entry.checked().parts.iter().zip(entry.parts()).filter_map(trial).collect())
    }

    /// The external check of that name.
    ///
    /// # Errors
    /// There is no such check (none), or it is of another kind: this one.
    pub fn external(&self, name: &str) -> Result<External, Option<String>> {
        if let Some((_, external)) = self.run_of_external(name) {
            return Ok(external.clone());
        }
        let first = self.checks.get(name).and_then(|entry| entry.checked().parts.first());
        Err(first.map(|part| part.check.kind.name().to_owned()))
    }

    fn run_of_external(&self, name: &str) -> Option<(RunId, &External)> {
        let mut parts = self.checks.get(name)?.parts().iter();
        parts.find_map(|id| {
            let external = external(self.checks.runs().get(*id)?)?;
            (external.name == name).then_some((*id, external))
        })
    }

    /// Somebody says what an external check is; whether that is another thing than was said before.
    pub fn tell_external(
        &mut self,
        name: &str,
        judged: Judgement,
        weight: Option<u32>,
        ttl: Option<Duration>,
        by: &str,
    ) -> bool {
        let at = self.wall();
        let until = ttl.and_then(|ttl| at.checked_add(ttl));
        let told = Told { up: judged == Judgement::Up, weight, by: by.to_owned(), at, until };
        let is_news = !self.means.told.borrow().get(name).is_some_and(|before| before.says_as(&told));
        self.means.tell(name, told);
        self.changed.notify_one();
        if let Some((id, _)) = self.run_of_external(name) {
            self.hasten(id);
        }
        is_news
    }

    /// Whether what was said last of an external check was heeded by a run, or will not be.
    #[must_use]
    pub fn has_heeded(&self, name: &str) -> bool {
        let told = self.means.told.borrow().get(name).map(|told| told.at);
        let run = self.run_of_external(name).and_then(|(id, _)| self.checks.runs().get(id));
        run.filter(|run| !self.checks.is_idle(run))
            .is_none_or(|run| run.latest().map(|latest| latest.ended) >= told)
    }

    /// Told when a run has heeded what was said of an external check.
    #[must_use]
    pub fn heeded(&self) -> Rc<Notify> {
        self.heeded.clone()
    }

    /// What a run is called in the log: who needs it, and which part it is where that has several.
    fn label(&self, run: &Run) -> String {
        let has_several = |name: &String| self.checks.get(name).is_some_and(|entry| entry.parts().len() > 1);
        let kind = run.check().kind.name();
        if run.users().iter().any(has_several) { format!("{} ({kind})", run.label()) } else { run.label() }
    }

    /// Has a check not run any more, or run again; false if there is no such check.
    pub fn set_disabled(&mut self, name: &str, by: Option<String>) -> bool {
        let wall = self.wall();
        let is_enabled = by.is_none();
        let disabled = by.map(|by| Disabled { by, since: wall });
        let Some(news) = self.checks.set_disabled(name, disabled, wall) else { return false };
        let parts = self.checks.get(name).map(|entry| entry.parts().to_vec()).unwrap_or_default();
        for id in parts {
            self.take_up(id);
            if is_enabled {
                self.turns.hasten(id, now());
            }
        }
        self.publish(news);
        self.changed.notify_one();
        self.rescheduled.notify_one();
        true
    }

    /// What is to be kept, and the checks to [tell](Self::tell) of when it is.
    pub fn keep(&mut self) -> (Kept, BTreeSet<String>) {
        let told = self.means.told.borrow().clone();
        (Kept { told, ..self.checks.keep() }, self.checks.take_untold())
    }

    /// Tells where these checks stand.
    pub fn tell(&mut self, checks: &BTreeSet<String>) {
        self.checks.tell(checks).iter().for_each(|name| self.feed.touch(name));
    }

    /// Tells all that is known, kept or not.
    pub fn tell_all(&mut self) {
        let untold = self.checks.take_untold();
        self.tell(&untold);
    }

    fn publish(&mut self, news: News) {
        news.touched.iter().for_each(|name| self.feed.touch(name));
        for name in &news.kept_in {
            if let Some(entry) = self.checks.get(name) {
                warn!("{name}: found down, {}", entry.standing().reason);
            }
        }
        for rejudged in &news.rejudged {
            self.changed.notify_one();
            if !rejudged.is_plain {
                self.log_rejudged(rejudged);
            }
        }
    }

    /// The time of day. When it is set, all times are set with it: they tell how long ago something was.
    fn wall(&mut self) -> SystemTime {
        let epoch = self.identity.epoch();
        if epoch != self.epoch {
            let [from, to] = [self.epoch, epoch].map(|epoch| epoch.wall(Mono(0)));
            self.checks.set_times(from, to);
            self.means.told.borrow_mut().set_time(from, to);
            self.means.told_news.notify_waiters();
            self.epoch = epoch;
            self.checks.iter().for_each(|(name, _)| self.feed.touch(name));
            self.changed.notify_one();
        }
        epoch.wall(now())
    }

    fn log_rejudged(&self, Rejudged { name, to, lasted, .. }: &Rejudged) {
        let Some(standing) = self.checks.get(name).map(crate::checks::Entry::standing) else { return };
        let line = format!("{name}: found {}, {}", word(standing.state), standing.reason);
        let lasted = span(*lasted);
        match to {
            Some(Judgement::Down) => warn!("{line}: taken for down after {lasted}"),
            Some(Judgement::Up) => info!("{line}: taken for up after {lasted}"),
            None => {}
        }
    }

    fn log_lateness(&mut self) {
        let late = self.turns.lateness().latest;
        if late >= LATE && self.limiter.admit("late".to_owned(), now()).is_some() {
            let late = humantime::format_duration(Duration::from_secs(late.as_secs()));
            warn!(
                "checks start {late} late: this host stood still, or more are due than can run; then raise in_flight in \
                 [health], or give them longer intervals or shorter timeouts"
            );
        }
    }

    fn log_waiting(&mut self) {
        if self.limiter.admit("waiting".to_owned(), now()).is_some() {
            warn!(
                "{} checks wait for others of their target: raise in_flight_per_target in [health], or give them longer \
                 intervals or shorter timeouts",
                self.turns.waiting()
            );
        }
    }

    /// Verdicts could not be written.
    pub fn not_saved(&mut self, why: &anyhow::Error) {
        if self.limiter.admit("file of verdicts".to_owned(), now()).is_some() {
            error!("{why:#}: after a restart, nothing would be known of what is found now");
        }
    }

    /// The checks.
    #[must_use]
    pub const fn checks(&self) -> &Checks {
        &self.checks
    }

    /// A check as it is shown.
    #[must_use]
    pub fn shown(&self, name: &str) -> Option<health::Check> {
        status::check(&self.checks, name, |id| self.turns.due(id).map(|due| self.epoch.wall(due)))
    }

    /// The daemon as it is shown.
    #[must_use]
    pub fn shown_daemon(&self) -> health::Daemon {
        let lateness = self.turns.lateness();
        health::Daemon {
            running: self.identity.running(),
            lateness: lateness.latest.as_secs_f64(),
            lateness_max: lateness.max.as_secs_f64(),
            runs: self.checks.runs().count() as u64,
            in_flight: self.turns.in_flight() as u64,
            waiting: self.turns.waiting() as u64,
        }
    }

    /// Where changes are told to those who watch.
    #[must_use]
    pub fn feed(&self) -> Feed {
        self.feed.clone()
    }

    /// Told when what to act on, or which checks there are, changed.
    #[must_use]
    pub fn changed(&self) -> Rc<Notify> {
        self.changed.clone()
    }

    /// Told when other things are due than were.
    #[must_use]
    pub fn rescheduled(&self) -> Rc<Notify> {
        self.rescheduled.clone()
    }
}

/// A run for somebody who looks on.
pub struct Trial {
    /// What the part is called.
    pub label: String,
    /// Kind of check.
    pub kind: &'static str,
    /// What is checked.
    pub target: String,
    /// How far it has come.
    pub steps: Steps,
    /// What goes on.
    pub running: Running,
}

fn external(run: &Run) -> Option<&External> {
    match &run.check().kind {
        Kind::External(external) => Some(external),
        _ => None,
    }
}

fn span(lasted: Duration) -> humantime::FormattedDuration {
    humantime::format_duration(match lasted {
        lasted if lasted < LONG => {
            Duration::from_millis(u64::try_from(lasted.as_millis()).unwrap_or(u64::MAX))
        }
        lasted => Duration::from_secs(lasted.as_secs()),
    })
}

/// One line for a run, whoever shares it. Where this host is the cause, it has the same for all: one of a kind.
fn log(label: &str, run: &Run, change: &Change, limiter: &mut Limiter<String>) {
    let (verdict, from) = (run.verdict(), word(change.from));
    let state = verdict.state();
    let lasted = span(change.lasted);
    let line = format!("{label}: {}, was {from} for {lasted}: {}", word(state), verdict.reason());
    let kept_back = match (change.rejudged, state) {
        (true, _) => Some(0),
        (false, State::CouldNotRun) => limiter.admit(verdict.reason(), now()),
        (false, _) => limiter.admit("runs again".to_owned(), now()),
    };
    let more = match kept_back {
        None => return,
        Some(0) => String::new(),
        Some(count) => format!(" ({count} more like this)"),
    };
    match state {
        State::Down | State::CouldNotRun => warn!("{line}{more}"),
        State::Up | State::Unknown => info!("{line}{more}"),
    }
}
