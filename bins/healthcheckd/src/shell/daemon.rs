//! The runs and what is around them: what is due is started, what comes of it is judged, logged and told. Called by the
//! tasks in `shell`, one at a time, on one thread. Nothing here may wait.

use std::cell::RefCell;
use std::collections::BTreeSet;
use std::rc::Rc;
use std::time::{Duration, SystemTime};

use tokio::sync::Notify;
use tracing::{error, info, warn};
use vipkit_config::{Check, Config};
use vipkit_control::common::Changes;
use vipkit_control::health::{ReloadReply, State};
use vipkit_control::monitor::Feed;
use vipkit_core::epoch::Epoch;
use vipkit_core::limit::Limiter;
use vipkit_core::units::Mono;
use vipkit_daemon::clock::now;
use vipkit_daemon::identity::Identity;

use super::kind::{self, Running};
use crate::kept::{self, Kept};
use crate::runs::{Run, RunId, Runs};
use crate::schedule::Schedule;
use crate::status::word;
use crate::verdict::{Change, Found, Next, Outcome, Step, Verdict};

/// Times of at least this length are logged without milliseconds.
const LONG: Duration = Duration::from_secs(10);
/// Checks that start later than this are worth a line in the log.
const LATE: Duration = Duration::from_secs(1);

/// The daemon.
pub struct Daemon {
    identity: Identity,
    runs: Runs,
    schedule: Schedule,
    /// By what hinders checks, and by other things that are not of one target alone.
    limiter: Limiter<String>,
    /// What all times are by.
    epoch: Epoch,
    feed: Feed,
    /// Wakes the task that writes the file.
    changed: Rc<Notify>,
    /// Wakes the task that starts runs.
    rescheduled: Rc<Notify>,
}

impl Daemon {
    /// With these checks, and what an earlier life found out about them.
    #[must_use]
    pub fn new(identity: Identity, config: Config, kept: &[Kept]) -> Rc<RefCell<Self>> {
        let mut daemon = Self {
            epoch: identity.epoch(),
            identity,
            runs: Runs::default(),
            schedule: Schedule::default(),
            limiter: Limiter::default(),
            feed: Feed::default(),
            changed: Rc::default(),
            rescheduled: Rc::default(),
        };
        daemon.configure(config, kept, Found::BeforeRestart);
        Rc::new(RefCell::new(daemon))
    }

    /// Goes over to a configuration: runs that it does not change are not touched.
    pub fn reload(&mut self, config: Config) -> ReloadReply {
        let kept = kept::of(&self.runs.verdicts());
        let checks = self.configure(config, &kept, Found::BeforeReload);
        let digest = self.identity.digest().to_owned();
        info!("configuration {digest}: {checks}");
        ReloadReply { digest, checks }
    }

    fn configure(&mut self, config: Config, kept: &[Kept], found: Found) -> Changes {
        self.identity.configured(&config);
        let wall = self.wall();
        let done = self.runs.configure(config.checks, kept, found, wall);
        done.ended.iter().for_each(|id| self.schedule.remove(*id));
        let now = now();
        for (id, run) in done.begun.iter().filter_map(|id| Some((*id, self.runs.run(*id)?))) {
            self.schedule.add(id, run.check().interval, now);
        }
        done.touched.iter().for_each(|name| self.feed.touch(name));
        self.feed.touch_daemon();
        self.changed.notify_one();
        self.rescheduled.notify_one();
        done.changes
    }

    /// What to run now, if anything is due.
    pub fn start(&mut self) -> Option<(RunId, Running)> {
        let id = self.schedule.start(now())?;
        self.log_lateness();
        let check = self.runs.run(id)?.check();
        Some((id, kind::checker(&check.kind).run(check.timeout)))
    }

    /// When something is due.
    #[must_use]
    pub fn due(&self) -> Option<Mono> {
        self.schedule.next()
    }

    /// Takes in what came of a run.
    pub fn finished(&mut self, id: RunId, outcome: Outcome, took: Duration) {
        let wall = self.wall();
        // Nobody needs it any more.
        let Some(Step { next, news, change }) = self.runs.finished(id, outcome, took, wall) else { return };
        let Some(run) = self.runs.run(id) else { return };
        let delay = (next == Next::Retry).then(|| run.check().retry_delay);
        self.schedule.finished(id, delay, now());
        if news {
            run.names().iter().for_each(|name| self.feed.touch(name));
        }
        if let Some(change) = change {
            log(run, &change, &mut self.limiter);
            self.changed.notify_one();
        }
    }

    /// The verdicts to be kept, and the runs to [tell](Self::tell) of when they are.
    pub fn keep(&mut self) -> (Vec<(Check, Verdict)>, BTreeSet<RunId>) {
        (self.runs.verdicts(), self.runs.take_untold())
    }

    /// Tells what is known of these runs.
    pub fn tell(&mut self, runs: &BTreeSet<RunId>) {
        self.runs.tell(runs).iter().for_each(|name| self.feed.touch(name));
    }

    /// Tells all that is known, kept or not.
    pub fn tell_all(&mut self) {
        let untold = self.runs.take_untold();
        self.tell(&untold);
    }

    /// The time of day. When it is set, all times are set with it: they tell how long ago something was.
    fn wall(&mut self) -> SystemTime {
        let epoch = self.identity.epoch();
        if epoch != self.epoch {
            let [from, to] = [self.epoch, epoch].map(|epoch| epoch.wall(Mono(0)));
            self.runs.set_times(from, to);
            self.epoch = epoch;
            self.runs.names().for_each(|name| self.feed.touch(name));
            self.changed.notify_one();
        }
        epoch.wall(now())
    }

    fn log_lateness(&mut self) {
        let late = self.schedule.lateness().latest;
        if late >= LATE && self.limiter.admit("late".to_owned(), now()).is_some() {
            let late = humantime::format_duration(Duration::from_secs(late.as_secs()));
            warn!(
                "checks start {late} late: this host stood still, or more are due than can run; then raise LimitNOFILE= of \
                 healthcheckd, or give them longer intervals or shorter timeouts"
            );
        }
    }

    /// Verdicts could not be written.
    pub fn not_saved(&mut self, why: &anyhow::Error) {
        if self.limiter.admit("file of verdicts".to_owned(), now()).is_some() {
            error!("{why:#}: after a restart, nothing would be known of what is found now");
        }
    }

    /// The runs.
    #[must_use]
    pub const fn runs(&self) -> &Runs {
        &self.runs
    }

    /// The schedule.
    #[must_use]
    pub const fn schedule(&self) -> &Schedule {
        &self.schedule
    }

    /// What it tells of itself.
    #[must_use]
    pub const fn identity(&self) -> &Identity {
        &self.identity
    }

    /// Where changes are told to those who watch.
    #[must_use]
    pub fn feed(&self) -> Feed {
        self.feed.clone()
    }

    /// Told when the state of a check, or which checks there are, changed.
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

/// One line for a run, whoever shares it. Where this host is the cause, it has the same for all: one of a kind.
fn log(run: &Run, change: &Change, limiter: &mut Limiter<String>) {
    let (verdict, from) = (run.verdict(), word(change.from));
    let state = verdict.state();
    let lasted = match change.lasted {
        lasted if lasted < LONG => {
            Duration::from_millis(u64::try_from(lasted.as_millis()).unwrap_or(u64::MAX))
        }
        lasted => Duration::from_secs(lasted.as_secs()),
    };
    let lasted = humantime::format_duration(lasted);
    let line = format!("{}: {}, was {from} for {lasted}: {}", run.label(), word(state), verdict.reason());
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
