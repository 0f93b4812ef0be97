//! Fuzz target of the state machine: bytes give settings and a list of events with their times, and after each event
//! what must always hold is looked at. Must not panic itself: a panic is a find.

use std::net::{IpAddr, Ipv4Addr};
use std::num::NonZeroU8;
use std::time::Duration;

use vipkit_core::units::{Centis, Interval, Mono, Priority, Vrid};
use vipkit_core::vrrp::{Accepted, Advert};

use crate::fsm::{Action, Event, Fsm, Settings, State};

/// Our own address; those of the others are around it.
const LOCAL: u8 = 128;
/// No two answers to others are closer together, unless the interval is shorter.
const ANSWER_GAP: Duration = Duration::from_millis(100);
/// Bytes of the settings at the start.
const SETTINGS_LENGTH: usize = 4;
/// Bytes of an event: its kind, the wait before it (how, and two bytes), and four of what is in it.
const EVENT_LENGTH: usize = 8;

/// Ends the target with what does not hold.
macro_rules! hold {
    ($holds:expr, $($what:tt)+) => {
        if !$holds {
            return Err(format!($($what)+));
        }
    };
}

/// A state machine under any events at any times.
///
/// # Errors
/// What did not hold, and after which event.
pub fn state_machine(input: &[u8]) -> Result<(), String> {
    let Some((&start, events)) = input.split_first_chunk::<SETTINGS_LENGTH>() else { return Ok(()) };
    let version_2 = matches!(start, [flags, ..] if flags & 2 != 0);
    let mut watched = Watched {
        fsm: Fsm::new(settings(start, version_2)?),
        now: Mono(1_000_000),
        holds: false,
        answers_from: Mono(0),
    };
    for (at, &[kind, how, high, low, event @ ..]) in events.as_chunks::<EVENT_LENGTH>().0.iter().enumerate() {
        watched.wait(how, u16::from_be_bytes([high, low]));
        let [high, priority, low, source] = event;
        let accepted = accepted(priority, source, interval([high, low], version_2)?)?;
        let event = match kind % 16 {
            0 => Event::Startup,
            1 => Event::Adopt,
            2 => Event::Fault,
            3 => Event::Shutdown,
            4 | 5 => Event::Settings(settings(event, version_2)?),
            6..=9 => Event::Timer,
            _ => Event::Advert { accepted: &accepted, local: address(LOCAL) },
        };
        let before = watched.clone();
        watched.take(&event).map_err(|what| format!("event {at}: {what}\nbefore: {before:?}"))?;
    }
    Ok(())
}

/// A state machine, its clock, and what its actions so far have made of the world.
#[derive(Clone, Debug)]
struct Watched {
    fsm: Fsm,
    now: Mono,
    /// The addresses are on the interface.
    holds: bool,
    /// When it may answer others again.
    answers_from: Mono,
}

impl Watched {
    /// Not at all, to just before, at or after what it waits for, some milliseconds, or some seconds.
    fn wait(&mut self, how: u8, length: u16) {
        let length = u64::from(length);
        let due = self.fsm.deadline().unwrap_or(self.now);
        let to = match how % 8 {
            0 => self.now,
            1 => Mono(due.0.saturating_sub(1)),
            2 | 3 => due,
            4 => due + Duration::from_micros(length),
            5 => due + Duration::from_secs(length),
            6 => self.now + Duration::from_micros(length),
            _ => self.now + Duration::from_millis(length),
        };
        self.now = to.max(self.now);
    }

    fn take(&mut self, event: &Event<'_>) -> Result<(), String> {
        let before = self.fsm.clone();
        let mut actions = Vec::new();
        self.fsm.step(event, self.now, &mut actions);
        self.state(event, &before, &actions)?;
        self.timers(event, &before, &actions)?;
        self.actions(event, &before, &actions)
    }

    /// The state goes only where the event lets it (RFC 9568 §6.4), and says so once.
    fn state(&self, event: &Event<'_>, before: &Fsm, actions: &[Action]) -> Result<(), String> {
        let (from, to, priority) = (before.state(), self.fsm.state(), before.settings().priority);
        let told: Vec<(State, State)> = actions.iter().filter_map(transition).collect();
        let due: &[(State, State)] = if from == to { &[] } else { &[(from, to)] };
        hold!(told == due, "{event:?} told {told:?} of {from} to {to}");

        let expired = before.deadline().is_some_and(|timer| timer <= self.now);
        let started = if priority.is_owner() { State::Active } else { State::Backup };
        let right = match (event, from) {
            (Event::Startup, State::Initialize | State::Fault) => started,
            (Event::Adopt, State::Initialize) => State::Active,
            (Event::Timer, State::Backup) if expired => State::Active,
            (Event::Settings(settings), State::Backup) if settings.priority.is_owner() => State::Active,
            (Event::Advert { accepted, local }, State::Active) => {
                let theirs = (accepted.advert.priority, accepted.source);
                if theirs > (priority, *local) { State::Backup } else { State::Active }
            }
            (Event::Fault, _) => State::Fault,
            (Event::Shutdown, _) => State::Initialize,
            _ => from,
        };
        hold!(to == right, "{event:?} from {from} led to {to}, not to {right}");
        Ok(())
    }

    /// Each state has its timer, which is near enough and never stands still in the past.
    fn timers(&self, event: &Event<'_>, before: &Fsm, actions: &[Action]) -> Result<(), String> {
        let fsm = &self.fsm;
        let timer = fsm.deadline();
        let most = match fsm.state() {
            State::Initialize | State::Fault => None,
            State::Backup => Some(self.now + fsm.active_down_interval()),
            State::Active => Some(self.now + fsm.settings().interval.length()),
        };
        hold!(timer.is_some() == most.is_some(), "{event:?} left {} with timer {timer:?}", fsm.state());
        hold!(timer <= most, "{event:?} set {timer:?}, later than {most:?}");
        if matches!(event, Event::Timer) {
            hold!(timer.is_none_or(|timer| timer > self.now), "{event:?} left a timer that is due");
            let early = before.deadline() > Some(self.now);
            hold!(!early || *fsm == *before && actions.is_empty(), "too early, and it did something");
        }
        let version = fsm.settings().interval.version();
        hold!(fsm.active_adver_interval().version() == version, "learned the other version's interval");
        let silent = !actions.iter().any(|action| matches!(action, Action::Send(_)));
        let is_advert = matches!(event, Event::Advert { .. });
        let still = before.state() == State::Active && fsm.state() == State::Active;
        hold!(!(is_advert && still && silent) || timer == before.deadline(), "an advert moved Adver_Timer");
        let learned = fsm.active_adver_interval() != before.active_adver_interval();
        hold!(!(is_advert && still && learned), "learned another's interval and stayed Active");
        Ok(())
    }

    /// Adverts and addresses are an Active router's, and only it says that it leaves.
    fn actions(&mut self, event: &Event<'_>, before: &Fsm, actions: &[Action]) -> Result<(), String> {
        let (was, is) = (before.state() == State::Active, self.fsm.state() == State::Active);
        let ours = self.fsm.settings().priority;
        let stops = matches!(event, Event::Fault | Event::Shutdown);
        let mut sent = 0;
        for action in actions {
            match *action {
                Action::Send(Priority::LEAVING) => {
                    hold!(was && !is && stops && self.holds, "{event:?} sent priority 0");
                    sent += 1;
                }
                Action::Send(priority) => {
                    hold!(was || is, "{event:?} sent an advert in {}", before.state());
                    hold!(priority == ours, "{event:?} sent priority {priority}, not {ours}");
                    sent += 1;
                }
                Action::Hold => {
                    hold!(is && !self.holds, "{event:?} held what was held");
                    self.holds = true;
                }
                Action::Withdraw => {
                    hold!(was && self.holds, "{event:?} withdrew what was not held");
                    self.holds = false;
                }
                Action::Reassert => hold!(was && is && self.holds, "{event:?} announced what is not held"),
                Action::Transition { .. } => {}
            }
        }
        hold!(self.holds == is, "{event:?}: addresses and state {} disagree", self.fsm.state());
        hold!(sent <= 1, "{event:?} sent {sent} adverts");
        hold!(sent == 1 || was == is, "{event:?} changed the holder without an advert");
        if is && !was {
            self.answers_from = self.now;
        }
        if was && is && sent == 1 && matches!(event, Event::Advert { .. }) {
            hold!(self.answers_from <= self.now, "two answers too close together");
            self.answers_from = self.now + self.fsm.settings().interval.length().min(ANSWER_GAP);
        }
        Ok(())
    }
}

fn transition(action: &Action) -> Option<(State, State)> {
    match *action {
        Action::Transition { from, to, .. } => Some((from, to)),
        Action::Send(_) | Action::Hold | Action::Withdraw | Action::Reassert => None,
    }
}

fn settings(
    [flags, priority, high, low]: [u8; SETTINGS_LENGTH],
    version_2: bool,
) -> Result<Settings, String> {
    let interval = interval([high, low], version_2)?;
    Ok(Settings { priority: Priority(priority.max(1)), interval, preempt: flags & 1 == 0 })
}

/// The nearest interval that the version's wire format has.
fn interval(bytes: [u8; 2], version_2: bool) -> Result<Interval, String> {
    let number = u16::from_be_bytes(bytes);
    let interval = if version_2 {
        NonZeroU8::new(u8::try_from(number & 0xff).unwrap_or_default().max(1)).map(Interval::Seconds)
    } else {
        Centis::new((number & 0x0fff).max(1)).map(Interval::Centis)
    };
    interval.ok_or_else(|| format!("no interval of {number}"))
}

fn accepted(priority: u8, source: u8, interval: Interval) -> Result<Accepted, String> {
    let vrid = Vrid::new(1).ok_or("no VRID")?;
    let advert = Advert { vrid, priority: Priority(priority), interval, addresses: vec![address(0)] };
    Ok(Accepted { source: address(source), advert, checksum: None, signature: None })
}

fn address(last: u8) -> IpAddr {
    Ipv4Addr::new(10, 0, 1, last).into()
}
