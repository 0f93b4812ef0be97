//! The state machine of one virtual router (RFC 9568 §6.4, RFC 3768 §6.4): events in, actions out.
//! Must not know a clock, a socket, a log or chance; what an address or a packet is, is others' business.
//!
//! | state      | Startup          | Advert                  | timer               | Fault     | Shutdown          |
//! |------------|------------------|-------------------------|---------------------|-----------|-------------------|
//! | Initialize | Active if owner, else Backup | –           | –                   | Fault     | –                 |
//! | Backup     | –                | learn, or let it run    | Active              | Fault     | Initialize        |
//! | Active     | –                | yield, or assert        | send                | Fault (1) | Initialize (1)    |
//! | Fault      | as in Initialize | –                       | –                   | –         | Initialize        |
//! | Leaving    | reserved: an Active router that goes keeps its addresses until somebody else answers for them |
//!
//! (1) after one advert of priority 0. To yield is to send one more advert first: see `advert_in_active`.

use std::fmt;
use std::net::IpAddr;
use std::time::Duration;

use vipkit_core::units::{Interval, Mono, Priority, Version};
use vipkit_core::vrrp::Accepted;

/// Shortest time between two adverts that answer others' adverts, unless the interval is shorter still.
const ANSWER_GAP: Duration = Duration::from_millis(100);

/// What an administrator decides about a virtual router.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Settings {
    /// Priority in elections.
    pub priority: Priority,
    /// Advertisement_Interval; its kind is the version.
    pub interval: Interval,
    /// Preempt_Mode: take over from a router of lower priority.
    pub preempt: bool,
}

/// The state that others see.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum State {
    /// Not started.
    Initialize,
    /// Listening to the Active router.
    Backup,
    /// Holding the addresses.
    Active,
    /// Held out of the election by something local.
    Fault,
}

impl State {
    /// Every state.
    pub const ALL: [Self; 4] = [Self::Initialize, Self::Backup, Self::Active, Self::Fault];
}

impl fmt::Display for State {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Self::Initialize => "Initialize",
            Self::Backup => "Backup",
            Self::Active => "Active",
            Self::Fault => "Fault",
        })
    }
}

/// What happens to a virtual router.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Event<'a> {
    /// It may take part.
    Startup,
    /// It was Active a moment ago in another life of this program, its addresses are in place: it goes on.
    Adopt,
    /// An advert that passed every check. `local` is the address our own adverts come from.
    Advert {
        /// What was received.
        accepted: &'a Accepted,
        /// Our primary address.
        local: IpAddr,
    },
    /// The moment [`Fsm::deadline`] named has come. Early or repeated calls do no harm.
    Timer,
    /// It must not take part.
    Fault,
    /// The administrator decided anew; the interval's version stays.
    Settings(Settings),
    /// It stops.
    Shutdown,
}

/// What the router must do, in this order.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Action {
    /// Send an advert of this priority.
    Send(Priority),
    /// Put the addresses on the interface and announce them.
    Hold,
    /// Take the addresses off the interface.
    Withdraw,
    /// Announce the addresses again: somebody else spoke for them.
    Reassert,
    /// It changed state.
    Transition {
        /// State before.
        from: State,
        /// State now.
        to: State,
        /// Why.
        reason: Reason,
    },
}

/// Why a router changed state.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Reason {
    /// It was started and waits for adverts.
    Started,
    /// It owns the addresses (priority 255).
    Owner,
    /// It was Active before the program was started again.
    Adopted,
    /// Nobody was heard for this long.
    NoAdvert(Duration),
    /// The Active router said that it leaves.
    PeerLeft(IpAddr),
    /// The Active router has a lower priority.
    Preempts(IpAddr, Priority),
    /// A router of higher priority is there.
    HigherPriority(IpAddr, Priority),
    /// A router of the same priority and a higher address is there.
    HigherAddress(IpAddr),
    /// Something local is wrong; the faults say what.
    Fault,
    /// All faults are gone.
    FaultsGone,
    /// The program or the instance was told to stop.
    Shutdown,
}

impl fmt::Display for Reason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Started => write!(f, "started"),
            Self::Owner => write!(f, "owner of the addresses (priority 255)"),
            Self::Adopted => write!(f, "was Active before the restart"),
            Self::NoAdvert(span) => write!(f, "no advert for {:.3} s", span.as_secs_f64()),
            Self::PeerLeft(peer) => write!(f, "{peer} left (priority 0)"),
            Self::Preempts(peer, priority) => write!(f, "preempts {peer} (priority {priority})"),
            Self::HigherPriority(peer, priority) => write!(f, "{peer} has priority {priority}"),
            Self::HigherAddress(peer) => write!(f, "{peer} has the same priority and the higher address"),
            Self::Fault => write!(f, "fault"),
            Self::FaultsGone => write!(f, "all faults gone"),
            Self::Shutdown => write!(f, "stopped"),
        }
    }
}

/// A state with what only it has.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Phase {
    Initialize,
    Backup { active_down_timer: Mono, expects: Reason },
    Active { adver_timer: Mono, answers_from: Mono },
    Fault,
}

impl Phase {
    const fn state(self) -> State {
        match self {
            Self::Initialize => State::Initialize,
            Self::Backup { .. } => State::Backup,
            Self::Active { .. } => State::Active,
            Self::Fault => State::Fault,
        }
    }
}

/// A virtual router's state machine.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Fsm {
    settings: Settings,
    phase: Phase,
    active_adver_interval: Interval,
}

impl Fsm {
    /// In Initialize.
    #[must_use]
    pub const fn new(settings: Settings) -> Self {
        Self { settings, phase: Phase::Initialize, active_adver_interval: settings.interval }
    }

    /// The state.
    #[must_use]
    pub const fn state(&self) -> State {
        self.phase.state()
    }

    /// The settings in force.
    #[must_use]
    pub const fn settings(&self) -> Settings {
        self.settings
    }

    /// Active_Adver_Interval: our own until an advert taught another (RFC 9568 §6.1).
    #[must_use]
    pub const fn active_adver_interval(&self) -> Interval {
        self.active_adver_interval
    }

    /// Skew_Time now (RFC 9568 §6.1).
    #[must_use]
    pub fn skew_time(&self) -> Duration {
        self.active_adver_interval.skew_time(self.settings.priority)
    }

    /// Active_Down_Interval now (RFC 9568 §6.1).
    #[must_use]
    pub fn active_down_interval(&self) -> Duration {
        self.active_adver_interval.active_down_interval(self.settings.priority)
    }

    /// When it wants [`Event::Timer`].
    #[must_use]
    pub const fn deadline(&self) -> Option<Mono> {
        match self.phase {
            Phase::Backup { active_down_timer, .. } => Some(active_down_timer),
            Phase::Active { adver_timer, .. } => Some(adver_timer),
            Phase::Initialize | Phase::Fault => None,
        }
    }

    /// Takes one event.
    pub fn step(&mut self, event: &Event<'_>, now: Mono, out: &mut Vec<Action>) {
        match (event, self.phase) {
            (Event::Startup, Phase::Initialize) => self.startup(Reason::Started, now, out),
            (Event::Startup, Phase::Fault) => self.startup(Reason::FaultsGone, now, out),
            (Event::Adopt, Phase::Initialize) => self.become_active(Reason::Adopted, now, out),

            (Event::Advert { accepted, .. }, Phase::Backup { active_down_timer, .. }) => {
                self.advert_in_backup(accepted, active_down_timer, now);
            }
            (Event::Advert { accepted, local }, Phase::Active { adver_timer, answers_from }) => {
                self.advert_in_active(accepted, *local, adver_timer, answers_from, now, out);
            }

            (Event::Timer, Phase::Backup { active_down_timer, expects }) if active_down_timer <= now => {
                self.become_active(expects, now, out);
            }
            (Event::Timer, Phase::Active { adver_timer, answers_from }) if adver_timer <= now => {
                out.push(Action::Send(self.settings.priority));
                let interval = self.settings.interval.length();
                // From the deadline, so that lateness does not add up; from now after a long stop: no burst.
                let next = adver_timer + interval;
                let adver_timer = if next > now { next } else { now + interval };
                self.phase = Phase::Active { adver_timer, answers_from };
            }

            (Event::Settings(settings), _) => self.change_settings(*settings, now, out),

            (Event::Fault, Phase::Initialize | Phase::Backup { .. } | Phase::Active { .. }) => {
                self.stop(Phase::Fault, Reason::Fault, out);
            }
            (Event::Shutdown, Phase::Backup { .. } | Phase::Active { .. } | Phase::Fault) => {
                self.stop(Phase::Initialize, Reason::Shutdown, out);
            }

            (Event::Startup | Event::Adopt | Event::Advert { .. } | Event::Timer, _)
            | (Event::Fault, Phase::Fault)
            | (Event::Shutdown, Phase::Initialize) => {}
        }
    }

    fn startup(&mut self, reason: Reason, now: Mono, out: &mut Vec<Action>) {
        if self.settings.priority.is_owner() {
            self.become_active(Reason::Owner, now, out);
        } else {
            self.become_backup(self.settings.interval, reason, now, out);
        }
    }

    /// RFC 9568 §6.4.2: what a Backup makes of an advert.
    fn advert_in_backup(&mut self, accepted: &Accepted, active_down_timer: Mono, now: Mono) {
        let priority = accepted.advert.priority;
        self.phase = if priority == Priority::LEAVING {
            Phase::Backup {
                active_down_timer: now + self.skew_time(),
                expects: Reason::PeerLeft(accepted.source),
            }
        } else if !self.preempts() || priority >= self.settings.priority {
            self.learn(accepted.advert.interval);
            self.listening(now)
        } else {
            Phase::Backup { active_down_timer, expects: Reason::Preempts(accepted.source, priority) }
        };
    }

    /// RFC 9568 §6.4.3: what the Active router makes of an advert.
    fn advert_in_active(
        &mut self,
        accepted: &Accepted,
        local: IpAddr,
        adver_timer: Mono,
        answers_from: Mono,
        now: Mono,
        out: &mut Vec<Action>,
    ) {
        let (priority, ours) = (accepted.advert.priority, self.settings.priority);
        let yields_to = if priority > ours {
            Some(Reason::HigherPriority(accepted.source, priority))
        } else {
            (priority == ours && accepted.source > local).then_some(Reason::HigherAddress(accepted.source))
        };
        if let Some(reason) = yields_to {
            // As if Adver_Timer had fired a moment before. Without it, the other would not know that we held the
            // addresses too, and would not announce them again: clients would go on asking us.
            out.push(Action::Send(ours));
            return self.become_backup(accepted.advert.interval, reason, now, out);
        }
        // However often others speak: answers are spaced, and only an advert that was sent moves the timer.
        if answers_from <= now {
            let leaving = priority == Priority::LEAVING;
            out.push(Action::Send(ours));
            if !leaving {
                out.push(Action::Reassert);
            }
            let interval = self.settings.interval.length();
            self.phase = Phase::Active {
                adver_timer: if leaving { now + interval } else { adver_timer },
                answers_from: now + interval.min(ANSWER_GAP),
            };
        }
    }

    fn change_settings(&mut self, settings: Settings, now: Mono, out: &mut Vec<Action>) {
        let before = self.active_down_interval();
        if self.active_adver_interval == self.settings.interval {
            self.active_adver_interval = settings.interval;
        }
        self.settings = settings;
        match self.phase {
            Phase::Backup { .. } if settings.priority.is_owner() => {
                self.become_active(Reason::Owner, now, out)
            }
            Phase::Backup { active_down_timer, expects } => {
                // The pending expiry moves by the difference, it does not start again.
                let left = (active_down_timer - now + self.active_down_interval()).saturating_sub(before);
                self.phase =
                    Phase::Backup { active_down_timer: now + left, expects: self.expectation(expects) };
            }
            Phase::Active { adver_timer, answers_from } => {
                let adver_timer = adver_timer.min(now + settings.interval.length());
                self.phase = Phase::Active { adver_timer, answers_from };
            }
            Phase::Initialize | Phase::Fault => {}
        }
    }

    fn become_backup(&mut self, interval: Interval, reason: Reason, now: Mono, out: &mut Vec<Action>) {
        self.learn(interval);
        let next = self.listening(now);
        self.change(next, reason, out);
    }

    fn become_active(&mut self, reason: Reason, now: Mono, out: &mut Vec<Action>) {
        let adver_timer = now + self.settings.interval.length();
        self.change(Phase::Active { adver_timer, answers_from: now }, reason, out);
    }

    fn stop(&mut self, next: Phase, reason: Reason, out: &mut Vec<Action>) {
        if self.state() == State::Active {
            out.push(Action::Send(Priority::LEAVING));
        }
        self.change(next, reason, out);
    }

    /// The edge: leave the old state, then enter the new one.
    fn change(&mut self, next: Phase, reason: Reason, out: &mut Vec<Action>) {
        let (from, to) = (self.state(), next.state());
        if from == State::Active {
            out.push(Action::Withdraw);
        }
        self.phase = next;
        out.push(Action::Transition { from, to, reason });
        if to == State::Active {
            out.push(Action::Send(self.settings.priority));
            out.push(Action::Hold);
        }
    }

    /// A Backup with its whole Active_Down_Interval before it.
    fn listening(&self, now: Mono) -> Phase {
        let span = self.active_down_interval();
        Phase::Backup { active_down_timer: now + span, expects: Reason::NoAdvert(span) }
    }

    /// What the timer's expiry will mean after the Active_Down_Interval changed.
    fn expectation(&self, expects: Reason) -> Reason {
        match expects {
            Reason::NoAdvert(_) => Reason::NoAdvert(self.active_down_interval()),
            other => other,
        }
    }

    /// Active_Adver_Interval is learned in version 3; in version 2 all routers share one interval.
    fn learn(&mut self, interval: Interval) {
        if interval.version() == Version::V3 && self.settings.interval.version() == Version::V3 {
            self.active_adver_interval = interval;
        }
    }

    /// An owner preempts whatever Preempt_Mode says (RFC 9568 §6.1).
    fn preempts(&self) -> bool {
        self.settings.preempt || self.settings.priority.is_owner()
    }
}
