//! The state machine of one virtual router (RFC 9568 §6.4, RFC 3768 §6.4): events in, actions out.
//! Must not know a clock, a socket, a log or chance; what an address or a packet is, is others' business.
//!
//! Each row is an arm of [`Fsm::step`], in this order:
//!
//! | state      | event                                        | actions                                            | next       |
//! |------------|----------------------------------------------|----------------------------------------------------|------------|
//! | Initialize | Startup, own = 255                           | send; hold; start Adver_Timer                      | Active     |
//! | (§6.4.1)   | Startup, else                                | interval := own; start Active_Down_Timer           | Backup     |
//! |            | Adopt (1)                                    | send; hold; start Adver_Timer                      | Active     |
//! |            | Fault (1)                                    |                                                    | Fault      |
//! | Backup     | Shutdown                                     |                                                    | Initialize |
//! | (§6.4.2)   | Active_Down_Timer fires                      | send; hold; start Adver_Timer                      | Active     |
//! |            | advert, P = 0                                | Active_Down_Timer := Skew_Time                     | Backup     |
//! |            | advert, P >= own, or not Preempt_Mode        | learn; start Active_Down_Timer                     | Backup     |
//! |            | advert, else                                 | discard                                            | Backup     |
//! |            | Fault (1)                                    |                                                    | Fault      |
//! | Active     | Shutdown                                     | send 0; withdraw                                   | Initialize |
//! | (§6.4.3)   | Adver_Timer fires                            | send; start Adver_Timer (2)                        | Active     |
//! |            | advert, P = 0                                | send (3); start Adver_Timer                        | Active     |
//! |            | advert, P > own, or = own and sender > local | send (4); learn; start Active_Down_Timer; withdraw | Backup     |
//! |            | advert, else                                 | send (3); announce again                           | Active     |
//! |            | Fault (1)                                    | send 0; withdraw                                   | Fault      |
//! | Fault (1)  | Startup                                      | as in Initialize                                   |            |
//! |            | Shutdown                                     |                                                    | Initialize |
//! | any        | Settings (1)                                 | see `change_settings`                              |            |
//!
//! P is the priority in the advert, own the priority or the Advertisement_Interval of this router. Send: an advert of the
//! own priority, or of 0. Hold: put the addresses on the interface, and announce them. Withdraw: take them off. Start
//! Adver_Timer: to the own interval; Active_Down_Timer: to Active_Down_Interval. Learn: Active_Adver_Interval := that of
//! the advert (version 3), from which Skew_Time and Active_Down_Interval follow.
//!
//! 1. Not of the RFC. Leaving is reserved for an Active router that keeps its addresses until another answers for them.
//! 2. From when it was due, so that lateness does not add up; after a long stop from now, so that there is no burst.
//! 3. At most one in `ANSWER_GAP`, however often others speak; an advert that comes sooner is discarded.
//! 4. Not of the RFC: as if Adver_Timer had fired a moment before. Without it, the other would not know that we held the
//!    addresses too, and would not announce them again: clients would go on asking us.

mod terms;

use std::net::IpAddr;
use std::time::Duration;

use vipkit_core::units::{Interval, Mono, Priority, Version};
use vipkit_core::vrrp::Accepted;

pub use terms::{Action, Event, Reason, Settings, State};

/// Shortest time between two adverts that answer others' adverts, unless the interval is shorter still.
const ANSWER_GAP: Duration = Duration::from_millis(100);

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
    /// Active_Adver_Interval, once an advert taught one.
    learned: Option<Interval>,
}

impl Fsm {
    /// In Initialize.
    #[must_use]
    pub const fn new(settings: Settings) -> Self {
        Self { settings, phase: Phase::Initialize, learned: None }
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
    pub fn active_adver_interval(&self) -> Interval {
        self.learned.unwrap_or(self.settings.interval)
    }

    /// Skew_Time now (RFC 9568 §6.1).
    #[must_use]
    pub fn skew_time(&self) -> Duration {
        self.active_adver_interval().skew_time(self.settings.priority)
    }

    /// Active_Down_Interval now (RFC 9568 §6.1).
    #[must_use]
    pub fn active_down_interval(&self) -> Duration {
        self.active_adver_interval().active_down_interval(self.settings.priority)
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
        let own = self.settings.priority;
        let interval = self.settings.interval.length();
        let answer_gap = interval.min(ANSWER_GAP);
        match (self.phase, *event) {
            // Initialize (RFC 9568 §6.4.1)
            (Phase::Initialize, Event::Startup) if own.is_owner() => {
                self.become_active(Reason::Owner, now, out);
            }
            (Phase::Initialize, Event::Startup) => self.become_backup(Reason::Started, now, out),
            (Phase::Initialize, Event::Adopt) => self.become_active(Reason::Adopted, now, out),
            (Phase::Initialize, Event::Fault) => self.change(Phase::Fault, Reason::Fault, out),

            // Backup (RFC 9568 §6.4.2)
            (Phase::Backup { .. }, Event::Shutdown) => self.change(Phase::Initialize, Reason::Shutdown, out),
            (Phase::Backup { active_down_timer, expects }, Event::Timer) if active_down_timer <= now => {
                self.become_active(expects, now, out);
            }
            (Phase::Backup { .. }, Event::Advert { accepted, .. }) if is_farewell(accepted) => {
                let expects = Reason::PeerLeft(accepted.source);
                self.phase = Phase::Backup { active_down_timer: now + self.skew_time(), expects };
            }
            (Phase::Backup { .. }, Event::Advert { accepted, .. }) if self.follows(accepted) => {
                self.learn(accepted.advert.interval);
                self.phase = self.listening(now);
            }
            (Phase::Backup { active_down_timer, .. }, Event::Advert { accepted, .. }) => {
                let expects = Reason::Preempts(accepted.source, accepted.advert.priority);
                self.phase = Phase::Backup { active_down_timer, expects };
            }
            (Phase::Backup { .. }, Event::Fault) => self.change(Phase::Fault, Reason::Fault, out),

            // Active (RFC 9568 §6.4.3)
            (Phase::Active { .. }, Event::Shutdown) => {
                out.push(Action::Send(Priority::LEAVING));
                self.change(Phase::Initialize, Reason::Shutdown, out);
            }
            (Phase::Active { adver_timer, answers_from }, Event::Timer) if adver_timer <= now => {
                out.push(Action::Send(own));
                let next = adver_timer + interval;
                let adver_timer = if next > now { next } else { now + interval };
                self.phase = Phase::Active { adver_timer, answers_from };
            }
            (Phase::Active { answers_from, .. }, Event::Advert { accepted, .. })
                if is_farewell(accepted) && answers_from <= now =>
            {
                out.push(Action::Send(own));
                self.phase = Phase::Active { adver_timer: now + interval, answers_from: now + answer_gap };
            }
            (Phase::Active { .. }, Event::Advert { accepted, local }) if self.yields(accepted, local) => {
                out.push(Action::Send(own));
                self.learn(accepted.advert.interval);
                self.change(self.listening(now), self.defeat(accepted), out);
            }
            (Phase::Active { adver_timer, answers_from }, Event::Advert { .. }) if answers_from <= now => {
                out.extend([Action::Send(own), Action::Reassert]);
                self.phase = Phase::Active { adver_timer, answers_from: now + answer_gap };
            }
            (Phase::Active { .. }, Event::Fault) => {
                out.push(Action::Send(Priority::LEAVING));
                self.change(Phase::Fault, Reason::Fault, out);
            }

            // Fault
            (Phase::Fault, Event::Startup) if own.is_owner() => self.become_active(Reason::Owner, now, out),
            (Phase::Fault, Event::Startup) => self.become_backup(Reason::FaultsGone, now, out),
            (Phase::Fault, Event::Shutdown) => self.change(Phase::Initialize, Reason::Shutdown, out),

            (_, Event::Settings(settings)) => self.change_settings(settings, now, out),
            (_, Event::Startup | Event::Adopt | Event::Advert { .. } | Event::Timer)
            | (Phase::Initialize, Event::Shutdown)
            | (Phase::Fault, Event::Fault) => {}
        }
    }

    /// Whether a Backup takes a router for the Active one by its advert (RFC 9568 §6.4.2). An owner preempts whatever
    /// Preempt_Mode says (§6.1).
    fn follows(&self, accepted: &Accepted) -> bool {
        let preempts = self.settings.preempt || self.settings.priority.is_owner();
        !preempts || accepted.advert.priority >= self.settings.priority
    }

    /// Whether an Active router leaves the addresses to another by its advert (RFC 9568 §6.4.3).
    fn yields(&self, accepted: &Accepted, local: IpAddr) -> bool {
        (accepted.advert.priority, accepted.source) > (self.settings.priority, local)
    }

    /// Why it yields.
    fn defeat(&self, accepted: &Accepted) -> Reason {
        let (source, priority) = (accepted.source, accepted.advert.priority);
        if priority > self.settings.priority {
            Reason::HigherPriority(source, priority)
        } else {
            Reason::HigherAddress(source)
        }
    }

    /// Active_Adver_Interval is learned in version 3; in version 2 all routers share one interval.
    fn learn(&mut self, interval: Interval) {
        if interval.version() == Version::V3 && self.settings.interval.version() == Version::V3 {
            self.learned = Some(interval);
        }
    }

    /// A Backup with its whole Active_Down_Interval before it.
    fn listening(&self, now: Mono) -> Phase {
        let span = self.active_down_interval();
        Phase::Backup { active_down_timer: now + span, expects: Reason::NoAdvert(span) }
    }

    fn become_backup(&mut self, reason: Reason, now: Mono, out: &mut Vec<Action>) {
        self.learned = None;
        self.change(self.listening(now), reason, out);
    }

    fn become_active(&mut self, reason: Reason, now: Mono, out: &mut Vec<Action>) {
        let adver_timer = now + self.settings.interval.length();
        self.change(Phase::Active { adver_timer, answers_from: now }, reason, out);
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
            out.extend([Action::Send(self.settings.priority), Action::Hold]);
        }
    }

    /// Timers that run are moved, not started again: to where they would be if it had always been so.
    fn change_settings(&mut self, settings: Settings, now: Mono, out: &mut Vec<Action>) {
        let before = self.clone();
        self.settings = settings;
        match self.phase {
            Phase::Backup { .. } if settings.priority.is_owner() => {
                self.become_active(Reason::Owner, now, out);
            }
            Phase::Backup { active_down_timer, expects } => {
                let (was, is) = (before.patience(expects), self.patience(expects));
                let left = (active_down_timer - now + is).saturating_sub(was);
                let expects = match expects {
                    Reason::NoAdvert(_) => Reason::NoAdvert(is),
                    other => other,
                };
                self.phase = Phase::Backup { active_down_timer: now + left, expects };
            }
            Phase::Active { adver_timer, answers_from } => {
                let adver_timer = adver_timer.min(now + settings.interval.length());
                self.phase = Phase::Active { adver_timer, answers_from };
            }
            Phase::Initialize | Phase::Fault => {}
        }
    }

    /// How long a Backup waits before what it expects.
    fn patience(&self, expects: Reason) -> Duration {
        match expects {
            Reason::PeerLeft(_) => self.skew_time(),
            _ => self.active_down_interval(),
        }
    }
}

/// The sender leaves: priority 0 (RFC 9568 §5.2.4).
fn is_farewell(accepted: &Accepted) -> bool {
    accepted.advert.priority == Priority::LEAVING
}

#[cfg(test)]
mod tests {
    use super::*;

    use vipkit_core::units::{Centis, Vrid};
    use vipkit_core::vrrp::Advert;

    const LOCAL: IpAddr = IpAddr::V4(std::net::Ipv4Addr::new(10, 0, 1, 1));

    fn every(centis: u16) -> Interval {
        Interval::Centis(Centis::new(centis).unwrap())
    }

    fn settings(interval: Interval) -> Settings {
        Settings { priority: Priority(100), interval, preempt: true }
    }

    fn at(seconds: u64) -> Mono {
        Mono::at(Duration::from_secs(seconds))
    }

    fn hear(fsm: &mut Fsm, priority: u8, interval: Interval, now: Mono) {
        let advert = Advert {
            vrid: Vrid::new(51).unwrap(),
            priority: Priority(priority),
            interval,
            addresses: vec![[10, 0, 1, 5].into()],
        };
        let accepted = Accepted { source: [10, 0, 1, 2].into(), advert, checksum: None, signature: None };
        fsm.step(&Event::Advert { accepted: &accepted, local: LOCAL }, now, &mut Vec::new());
    }

    fn backup(interval: Interval) -> Fsm {
        let mut fsm = Fsm::new(settings(interval));
        fsm.step(&Event::Startup, at(0), &mut Vec::new());
        fsm
    }

    #[test]
    fn another_interval_of_ours_is_not_that_of_the_active_router() {
        let mut fsm = backup(every(1000));
        hear(&mut fsm, 200, every(1000), at(1));
        let expiry = fsm.deadline();
        fsm.step(&Event::Settings(settings(every(100))), at(9), &mut Vec::new());
        assert_eq!((fsm.active_adver_interval(), fsm.deadline()), (every(1000), expiry));
    }

    #[test]
    fn until_an_advert_is_heard_our_interval_counts() {
        let mut fsm = backup(every(1000));
        fsm.step(&Event::Settings(settings(every(100))), at(1), &mut Vec::new());
        assert_eq!(fsm.active_adver_interval(), every(100));
        assert_eq!(fsm.deadline(), Some(at(0) + every(100).active_down_interval(Priority(100))));
    }

    #[test]
    fn whoever_left_is_not_waited_for_longer_by_another_interval() {
        let mut fsm = backup(every(100));
        hear(&mut fsm, 0, every(100), at(1));
        fsm.step(&Event::Settings(settings(every(1000))), at(1), &mut Vec::new());
        assert_eq!(fsm.deadline(), Some(at(1) + every(1000).skew_time(Priority(100))));
    }
}
