//! What an instance tracks: checks, as healthcheckd judges them, and interfaces of this host. What they add to its
//! priority, what of them keeps it out of the election, and how long it waits for first verdicts. Must not know a state
//! of VRRP, a clock or a socket.

mod check;
mod interface;

use std::collections::BTreeMap;
use std::time::Duration;

use vipkit_config::{Effect, Instance, OnHealthLoss, Track, Tracked};
use vipkit_control::health::{Judgement, State, Weight, WeightUnit};
use vipkit_control::vrrp::{Tracker as Shown, TrackerKind};
use vipkit_core::epoch::Epoch;
use vipkit_core::units::{Mono, Priority};

use crate::fault::Fault;
use crate::heard::Heard;

pub use check::Check;
pub use interface::Interface;

/// What is wrong with each tracked interface; none: it is up.
pub type Found = BTreeMap<String, Option<Fault>>;

/// Everything that an instance tracks.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Trackers {
    all: Vec<Tracker>,
    /// How long a verdict that stands may be missing; none: the last one is held.
    patience: Option<Duration>,
    startup_timeout: Duration,
    /// Until then, an instance that starts waits for first verdicts.
    waits_until: Option<Mono>,
}

/// One of them.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Tracker {
    what: What,
    effect: Effect,
    /// What it added when that was told last.
    told: i64,
}

#[derive(Clone, Debug, PartialEq, Eq)]
enum What {
    Check(Check),
    Interface(Interface),
}

impl Trackers {
    /// Of an instance of this configuration, before anything was heard or seen.
    #[must_use]
    pub fn new(config: &Instance) -> Self {
        let mut trackers = Self {
            all: Vec::new(),
            patience: None,
            startup_timeout: config.startup_timeout,
            waits_until: None,
        };
        trackers.configure(config);
        trackers
    }

    /// The configuration was read anew: what is tracked still goes on as it is.
    pub fn configure(&mut self, config: &Instance) {
        self.startup_timeout = config.startup_timeout;
        self.patience = match config.on_health_loss {
            OnHealthLoss::Hold => None,
            OnHealthLoss::Fault => Some(config.startup_timeout),
        };
        let mut old = std::mem::take(&mut self.all);
        let mut take = |track: &Track| {
            let kept = old.iter().position(|tracker| tracker.what.is(&track.what));
            let kept = kept.map(|at| old.swap_remove(at));
            let told = kept.as_ref().map_or(0, |tracker| tracker.told);
            let what = kept.map_or_else(|| What::new(&track.what), |tracker| tracker.what);
            Tracker { what: what.with(&track.what), effect: track.effect, told }
        };
        self.all = config.track.iter().map(&mut take).collect();
    }

    /// Takes over what was heard of checks.
    pub fn hear(&mut self, heard: &Heard, now: Mono) {
        self.checks_mut().for_each(|check| check.hear(heard, now));
    }

    /// Interfaces were looked at.
    pub fn observe(&mut self, found: &Found, now: Mono) {
        for tracker in &mut self.all {
            if let What::Interface(interface) = &mut tracker.what
                && let Some(trouble) = found.get(&interface.name)
            {
                interface.observe(trouble.as_ref(), now);
            }
        }
    }

    /// The instance starts, and waits for first verdicts, or goes on with what it did a moment ago.
    pub fn start(&mut self, waits: bool, now: Mono) {
        self.checks_mut().for_each(|check| check.await_verdict(now));
        self.waits_until = waits.then_some(now + self.startup_timeout);
        self.settle(now);
    }

    /// The instance stops.
    pub const fn stop(&mut self) {
        self.waits_until = None;
    }

    /// Time passed.
    pub fn settle(&mut self, now: Mono) {
        let patience = self.patience;
        for tracker in &mut self.all {
            match &mut tracker.what {
                What::Check(check) => check.settle(patience, now),
                What::Interface(interface) => interface.settle(now),
            }
        }
        let all_judged = self.not_judged().next().is_none();
        self.waits_until = self.waits_until.filter(|until| !all_judged && *until > now);
    }

    /// When it wants [`Trackers::settle`].
    #[must_use]
    pub fn deadline(&self) -> Option<Mono> {
        let each = self.all.iter().filter_map(|tracker| match &tracker.what {
            What::Check(check) => check.deadline(self.patience),
            What::Interface(interface) => interface.deadline(),
        });
        each.chain(self.waits_until).min()
    }

    /// What it waits for before it takes part, in words.
    #[must_use]
    pub fn waits_for(&self) -> Option<String> {
        self.waits_until?;
        let names: Vec<_> = self.not_judged().map(|check| check.name.as_str()).collect();
        let noun = if names.len() == 1 { "check" } else { "checks" };
        Some(format!("waits for {noun} {}", names.join(", ")))
    }

    /// The priority to take part with: within 1-254, and an owner stays one.
    #[must_use]
    pub fn priority(&self, base: Priority) -> Priority {
        if base.is_owner() {
            return base;
        }
        let sum = self.all.iter().map(Tracker::change).fold(i64::from(base.0), i64::saturating_add);
        Priority(u8::try_from(sum.clamp(1, 254)).unwrap_or(base.0))
    }

    /// What changed of what they add since this was asked last, in words.
    pub fn news(&mut self) -> Vec<String> {
        let mut news = Vec::new();
        for tracker in &mut self.all {
            let change = tracker.change();
            if std::mem::replace(&mut tracker.told, change) != change {
                news.push(tracker.words());
            }
        }
        news
    }

    /// What keeps the instance out of the election.
    #[must_use]
    pub fn faults(&self) -> Vec<Fault> {
        self.all.iter().flat_map(Tracker::faults).collect()
    }

    /// What does not, but should be looked at. What is waited for is not.
    #[must_use]
    pub fn warnings(&self) -> Vec<Fault> {
        let waits = self.waits_until.is_some();
        let warnings = |tracker: &Tracker| {
            let down = tracker.what.down().filter(|_| tracker.effect != Effect::Fault);
            let silence = match &tracker.what {
                What::Check(check) if !check.is_overdue() && !waits => check.silence(),
                What::Check(_) | What::Interface(_) => None,
            };
            down.into_iter().chain(silence)
        };
        self.all.iter().flat_map(warnings).collect()
    }

    /// As they are shown, of an instance of this priority.
    pub fn shown(&self, base: Priority, epoch: Epoch) -> impl Iterator<Item = Shown> {
        let show = move |tracker: &Tracker| Shown {
            change: if base.is_owner() { 0 } else { tracker.change() },
            ..tracker.shown(epoch)
        };
        self.all.iter().map(show)
    }

    fn checks_mut(&mut self) -> impl Iterator<Item = &mut Check> {
        self.all.iter_mut().filter_map(|tracker| match &mut tracker.what {
            What::Check(check) => Some(check),
            What::Interface(_) => None,
        })
    }

    fn not_judged(&self) -> impl Iterator<Item = &Check> {
        self.all.iter().filter_map(|tracker| match &tracker.what {
            What::Check(check) => Some(check).filter(|check| check.judged().is_none()),
            What::Interface(_) => None,
        })
    }
}

impl Tracker {
    /// What it adds to the priority now. What was never judged adds nothing.
    fn change(&self) -> i64 {
        match (self.effect, self.what.judged()) {
            (Effect::Fault, _) | (Effect::Weight(_), None) => 0,
            (Effect::Weight(weight), Some(Judgement::Down)) => i64::from(weight).min(0),
            (Effect::Weight(weight), Some(Judgement::Up)) => while_up(i64::from(weight), self.what.weight()),
        }
    }

    fn faults(&self) -> impl Iterator<Item = Fault> {
        let down = self.what.down().filter(|_| self.effect == Effect::Fault);
        let overdue = match &self.what {
            What::Check(check) if check.is_overdue() => check.silence(),
            What::Check(_) | What::Interface(_) => None,
        };
        down.into_iter().chain(overdue)
    }

    /// What it adds, and why.
    fn words(&self) -> String {
        let (kind, name) = match &self.what {
            What::Check(check) => ("check", &check.name),
            What::Interface(interface) => ("interface", &interface.name),
        };
        let judged = match self.what.judged() {
            None => "not judged",
            Some(Judgement::Up) => "up",
            Some(Judgement::Down) => "down",
        };
        format!("{kind} {name} {judged} ({:+}): {}", self.change(), self.what.reason())
    }

    fn shown(&self, epoch: Epoch) -> Shown {
        let (kind, name, since) = match &self.what {
            What::Check(check) => (TrackerKind::Check, &check.name, check.since().map(str::to_owned)),
            What::Interface(interface) => {
                (TrackerKind::Interface, &interface.name, interface.since().map(|since| epoch.time(since)))
            }
        };
        Shown {
            kind,
            name: name.clone(),
            weight: match self.effect {
                Effect::Fault => None,
                Effect::Weight(weight) => Some(weight.into()),
            },
            state: self.what.state(),
            judged: self.what.judged(),
            stale: matches!(&self.what, What::Check(check) if check.is_stale()),
            change: self.change(),
            fault: self.faults().next().is_some(),
            since,
            reason: self.what.reason(),
        }
    }
}

impl What {
    fn new(tracked: &Tracked) -> Self {
        match tracked {
            Tracked::Check(name) => Self::Check(Check::new(name.clone())),
            Tracked::Interface { name, .. } => Self::Interface(Interface::new(name.clone())),
        }
    }

    fn is(&self, tracked: &Tracked) -> bool {
        match (self, tracked) {
            (Self::Check(check), Tracked::Check(name)) => check.name == *name,
            (Self::Interface(interface), Tracked::Interface { name, .. }) => interface.name == *name,
            (Self::Check(_), Tracked::Interface { .. }) | (Self::Interface(_), Tracked::Check(_)) => false,
        }
    }

    /// With the delays of this configuration.
    fn with(self, tracked: &Tracked) -> Self {
        match (self, tracked) {
            (Self::Interface(interface), Tracked::Interface { up_delay, down_delay, .. }) => {
                Self::Interface(interface.with_delays(*up_delay, *down_delay))
            }
            (other, _) => other,
        }
    }

    fn judged(&self) -> Option<Judgement> {
        match self {
            Self::Check(check) => check.judged(),
            Self::Interface(interface) => interface.judged(),
        }
    }

    fn state(&self) -> State {
        match self {
            Self::Check(check) => check.state(),
            Self::Interface(interface) => interface.state(),
        }
    }

    fn weight(&self) -> Option<Weight> {
        match self {
            Self::Check(check) => check.weight(),
            Self::Interface(_) => None,
        }
    }

    fn reason(&self) -> String {
        match self {
            Self::Check(check) => check.reason().to_owned(),
            Self::Interface(interface) => interface.reason(),
        }
    }

    fn down(&self) -> Option<Fault> {
        match self {
            Self::Check(check) => check.down(),
            Self::Interface(interface) => interface.down(),
        }
    }
}

/// What a weight adds while its check is up: all of a positive and nothing of a negative one, unless the check itself says
/// how much of it is there.
fn while_up(weight: i64, share: Option<Weight>) -> i64 {
    match share {
        None => weight.max(0),
        Some(Weight { unit: WeightUnit::Absolute, number }) => weight.saturating_mul(number),
        Some(Weight { unit: WeightUnit::Percent, number }) => {
            let there = number.clamp(0, 100);
            let counts = if weight > 0 { there } else { 100 - there };
            weight * counts / 100
        }
    }
}

#[cfg(test)]
mod tests;
