//! The life of a router, event by event, and what it owes its neighbours in each of them.

use std::time::Duration;

use proptest::prelude::*;
use vipkit_core::units::{Mono, Wall};
use vipkit_core::vrrp::Sequence;
use vipkit_tests::conformance::arrival::Arrival;
use vipkit_tests::conformance::packet::Packet;
use vipkit_tests::host::{Host, Seen};
use vrrpd::fsm::State;

use super::{Kind, any_arrival, any_packet, believed, neighbour, sent};

/// No two answers to others are closer together: 100 ms, or the interval.
const ANSWER_GAP: Duration = Duration::from_millis(100);

/// Something that happens to a router.
#[derive(Clone, Debug)]
pub enum Happening {
    Start,
    Stop,
    Carrier(bool),
    Address(bool),
    Tentative,
    Restart,
    /// The clock steps by so many seconds.
    Clock(i8),
    Advert(Packet),
    /// So many adverts of one kind, 10 ms apart.
    Flood(Packet, u8),
    Arrival(Arrival),
    Reload(u8, bool, u8),
    /// Its timers are served on time until so many milliseconds passed.
    Pass(u16),
    /// Nothing of it runs for so many milliseconds.
    Sleep(u16),
    /// Its timer is called though nothing is due.
    Spurious,
}

pub fn happening(v6: bool) -> impl Strategy<Value = Happening> {
    prop_oneof![
        4 => Just(Happening::Start),
        1 => Just(Happening::Stop),
        1 => prop::bool::weighted(0.8).prop_map(Happening::Carrier),
        1 => prop::bool::weighted(0.8).prop_map(Happening::Address),
        1 => Just(Happening::Tentative),
        1 => Just(Happening::Restart),
        1 => any::<i8>().prop_map(Happening::Clock),
        8 => any_packet(v6).prop_map(Happening::Advert),
        1 => (any_packet(v6), 2..40u8).prop_map(|(packet, times)| Happening::Flood(packet, times)),
        1 => any_arrival().prop_map(Happening::Arrival),
        1 => (1..=255u8, any::<bool>(), 1..4u8).prop_map(|(p, preempt, n)| Happening::Reload(p, preempt, n)),
        4 => (0..3000u16).prop_map(Happening::Pass),
        4 => (0..150u16).prop_map(Happening::Pass),
        1 => (0..6000u16).prop_map(Happening::Sleep),
        1 => Just(Happening::Spurious),
    ]
}

/// A host, its clock, and what it has sent.
pub struct Life {
    kind: Kind,
    host: Host,
    now: Mono,
    started: bool,
    /// Times it left the election while Active.
    left: usize,
    /// Adverts of priority 0 sent.
    said_goodbye: usize,
    /// When it last answered somebody.
    answered: Option<Mono>,
    /// The latest sequence that it signed.
    signed: Option<Sequence>,
}

impl Life {
    /// Not started.
    pub fn new(kind: Kind, host: Host, now: Mono) -> Self {
        Self { kind, host, now, started: false, left: 0, said_goodbye: 0, answered: None, signed: None }
    }

    pub fn live(&mut self, happening: &Happening) {
        match happening {
            Happening::Start if !self.started => {
                self.started = true;
                self.turn(Host::start);
            }
            Happening::Start => {}
            Happening::Stop => {
                self.started = false;
                self.turn(Host::stop);
            }
            Happening::Carrier(carrier) => self.turn(|host, now| host.set_carrier(*carrier, now)),
            Happening::Address(present) => self.turn(|host, now| host.set_address(*present, now)),
            Happening::Tentative => self.turn(Host::set_tentative),
            Happening::Restart => {
                self.started = true;
                self.answered = None;
                self.turn(Host::restart);
            }
            Happening::Clock(seconds) => {
                let span = Duration::from_secs(seconds.unsigned_abs().into());
                let clock = self.host.clock(self.now).0;
                let clock = if *seconds < 0 { clock - span } else { clock + span };
                self.host.set_clock(Wall(clock), self.now);
            }
            Happening::Advert(packet) => self.hear(&self.kind.to_it(packet)),
            Happening::Flood(packet, times) => {
                for _ in 0..*times {
                    self.hear(&self.kind.to_it(packet));
                    self.pass(Duration::from_millis(10));
                }
            }
            Happening::Arrival(packet) => self.hear(packet),
            Happening::Reload(priority, preempt, addresses) => {
                let preempt = *preempt || *priority == 255;
                let (v6, prefix) = (self.kind.v6, if self.kind.v6 { 64 } else { 24 });
                let list: Vec<_> =
                    (0..*addresses).map(|n| format!("'{}/{prefix}'", neighbour(v6, 5 + n))).collect();
                let list = list.join(", ");
                let others = self
                    .kind
                    .keys
                    .lines()
                    .filter(|line| !["priority", "preempt"].iter().any(|key| line.starts_with(key)));
                let others: Vec<_> = others.collect();
                let keys = format!(
                    "addresses = [{list}]\npriority = {priority}\npreempt = {preempt}\n{}",
                    others.join("\n")
                );
                self.turn(|host, now| host.reload(&keys, now).unwrap());
            }
            Happening::Pass(ms) => self.pass(Duration::from_millis(u64::from(*ms))),
            Happening::Sleep(ms) => {
                self.now = self.now + Duration::from_millis(u64::from(*ms));
                self.turn(Host::timer);
            }
            Happening::Spurious => self.turn(Host::timer),
        }
    }

    fn pass(&mut self, span: Duration) {
        let end = self.now + span;
        while let Some(due) = self.host.deadline(self.now).filter(|due| *due <= end) {
            self.now = self.now.max(due);
            self.turn(Host::timer);
        }
        self.now = end;
    }

    /// Answers to what others send are bounded, however often they do; and what has an HMAC is believed once.
    fn hear(&mut self, packet: &Arrival) {
        let was_active = self.host.state() == State::Active;
        let (mut answers, before) = (0, believed(&self.host));
        self.turn(|host, now| {
            let seen = host.packet(&packet.received(), now);
            answers = sent(&seen).count();
            seen
        });
        if answers > 0 {
            assert!(was_active && answers == self.kind.copies(), "{answers} answers");
            assert!(self.answered.is_none_or(|at| self.now - at >= ANSWER_GAP), "answers too close together");
            self.answered = Some(self.now);
        }
        if self.kind.keys.contains("hmac") && believed(&self.host) > before {
            self.turn(|host, now| host.packet(&packet.received(), now));
            assert_eq!(believed(&self.host), before + 1, "believed again");
        }
    }

    fn turn(&mut self, take: impl FnOnce(&mut Host, Mono) -> Vec<Seen>) {
        let before = self.host.state();
        let seen = take(&mut self.host, self.now);
        let after = self.host.state();
        let goodbyes = sent(&seen).filter(|message| message[2] == 0).count();
        self.said_goodbye += goodbyes / self.kind.copies();
        self.left +=
            usize::from(before == State::Active && matches!(after, State::Initialize | State::Fault));
        if after != State::Active {
            self.answered = None;
        }
        self.check_sequences(&seen);
        let fsm = self.host.router().fsm();
        assert_eq!(fsm.deadline().is_some(), matches!(after, State::Backup | State::Active), "{after}");
        assert_eq!(!self.host.held().is_empty(), after == State::Active, "{after}");
        assert!(self.said_goodbye <= self.left, "priority 0 from who does not leave");
        let speaks = before == State::Active || after == State::Active;
        assert!(speaks || sent(&seen).next().is_none(), "{before} -> {after}: an advert");
        assert!(self.started || after == State::Initialize, "{after} without a start");
        let announced = seen.iter().any(|seen| matches!(seen, Seen::Announce(_)));
        assert!(!announced || after == State::Active, "{after}: announced what it does not hold");
    }

    /// Copies of an advert have one sequence. By order alone, each is after the one before, in spite of restarts and clocks.
    fn check_sequences(&mut self, seen: &[Seen]) {
        if !self.kind.keys.contains("hmac") {
            return;
        }
        for copies in sent(seen).collect::<Vec<_>>().chunks(self.kind.copies()) {
            let sequences = copies.iter().map(|message| {
                let trailer: [u8; 8] = message[message.len() - 24..message.len() - 16].try_into().unwrap();
                Sequence(u64::from_be_bytes(trailer))
            });
            let sequences: Vec<_> = sequences.collect();
            let next = sequences[0];
            assert!(sequences.iter().all(|sequence| *sequence == next), "copies of one advert differ");
            let goes_on = self.signed.is_none_or(|last| next.is_after(last));
            assert!(goes_on || !self.kind.keys.contains("monotonic"), "{next:?} after {:?}", self.signed);
            self.signed = Some(next);
        }
    }
}
