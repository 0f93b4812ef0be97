//! A virtual network: hosts that exchange the bytes they send, over links that lose, delay and double them, on one
//! clock that jumps to whatever comes next. The same seed gives the same history. Must not judge who ought to hold
//! an address: tests do, from `tenure`.

pub mod dice;
pub mod link;
pub mod tenure;

use std::collections::BTreeMap;
use std::net::{IpAddr, Ipv4Addr};
use std::time::Duration;

use vipkit_control::health::Judgement;
use vipkit_core::units::{Mono, Wall};
use vipkit_core::vrrp::Packet;
use vrrpd::fsm::State;

use crate::conformance::arrival::Arrival;
use crate::host::{Host, Seen};
use dice::Dice;
use link::Link;
use tenure::Tenures;

/// Events at one moment that no network needs: something answers without end.
const EVENTS_AT_ONCE_MAX: usize = 10_000;

/// Packets kept for who listens in.
const HEARD_MAX: usize = 1000;

/// A host on the network, by the order in which it was added.
pub type Id = usize;

/// A packet on its way.
#[derive(Clone, Debug)]
struct Flight {
    to: Id,
    packet: Arrival,
}

/// The network.
#[derive(Clone, Debug)]
pub struct Lan {
    now: Mono,
    stations: Vec<Station>,
    /// Links that differ from `everywhere`, by sender and receiver.
    links: BTreeMap<(Id, Id), Link>,
    everywhere: Link,
    /// By arrival, then in the order of sending.
    flights: BTreeMap<(Mono, u64), Flight>,
    sent: u64,
    /// The first packets sent since somebody asked, whoever gets them.
    heard: Vec<Arrival>,
    dice: Dice,
    tenures: Tenures,
}

#[derive(Clone, Debug)]
struct Station {
    host: Host,
    powered: bool,
}

impl Lan {
    /// Without hosts, all links perfect.
    #[must_use]
    pub fn new(seed: u64) -> Self {
        Self {
            now: Mono(1_000_000),
            stations: Vec::new(),
            links: BTreeMap::new(),
            everywhere: Link::default(),
            flights: BTreeMap::new(),
            sent: 0,
            heard: Vec::new(),
            dice: Dice::new(seed),
            tenures: Tenures::default(),
        }
    }

    /// Adds a host with address 10.0.1.`last` and one virtual router of these keys, and starts it.
    pub fn add(&mut self, last: u8, keys: &str) -> Id {
        self.add_at(Ipv4Addr::new(10, 0, 1, last).into(), keys)
    }

    /// Adds a host with this address, whose family is that of its virtual router, and starts it.
    pub fn add_at(&mut self, source: IpAddr, keys: &str) -> Id {
        let host = Host::new(keys, source, self.now).expect("a valid configuration");
        self.stations.push(Station { host, powered: true });
        let id = self.stations.len() - 1;
        self.turn(id, Host::start);
        id
    }

    /// How many hosts there are.
    #[must_use]
    pub const fn hosts(&self) -> usize {
        self.stations.len()
    }

    /// The time.
    #[must_use]
    pub const fn now(&self) -> Mono {
        self.now
    }

    /// A host.
    #[must_use]
    pub fn host(&self, id: Id) -> &Host {
        &self.stations[id].host
    }

    /// A counter of a host.
    #[must_use]
    pub fn counter(&self, id: Id, name: &str) -> u64 {
        self.host(id).router().counters().of(name)
    }

    /// Who holds the virtual addresses now.
    #[must_use]
    pub fn holders(&self) -> Vec<Id> {
        (0..self.stations.len()).filter(|&id| self.tenures.is_open(id)).collect()
    }

    /// Who held the virtual addresses when.
    #[must_use]
    pub const fn tenures(&self) -> &Tenures {
        &self.tenures
    }

    /// Makes all links like this.
    pub fn set_links(&mut self, link: Link) {
        self.everywhere = link;
        self.links.clear();
    }

    /// Makes the link from one host to another like this.
    pub fn set_link(&mut self, from: Id, to: Id, link: Link) {
        self.links.insert((from, to), link);
    }

    /// Hosts on different sides do not hear each other.
    pub fn partition(&mut self, side: impl Fn(Id) -> usize) {
        for from in 0..self.stations.len() {
            for to in 0..self.stations.len() {
                let up = side(from) == side(to);
                self.links.insert((from, to), Link { up, ..self.everywhere });
            }
        }
    }

    /// All links are as they are everywhere.
    pub fn heal(&mut self) {
        self.links.clear();
    }

    /// The daemon is told to stop (SIGTERM).
    pub fn stop(&mut self, id: Id) {
        self.turn(id, Host::stop);
    }

    /// The power fails: silence, and the addresses answer no more.
    pub fn power_off(&mut self, id: Id) {
        self.stations[id].powered = false;
        self.tenures.note(id, false, self.now);
    }

    /// True until its power fails.
    #[must_use]
    pub fn is_powered(&self, id: Id) -> bool {
        self.stations[id].powered
    }

    /// The host, after a stop or without power, starts with what is in its files.
    pub fn power_on(&mut self, id: Id) {
        self.stations[id].powered = true;
        self.turn(id, Host::boot);
    }

    /// The cable of a host goes or comes.
    pub fn set_carrier(&mut self, id: Id, carrier: bool) {
        self.turn(id, |host, now| host.set_carrier(carrier, now));
    }

    /// Another interface of a host is there and up, or is not there.
    pub fn set_other(&mut self, id: Id, name: &str, up: bool) {
        self.turn(id, |host, now| host.set_other(name, up, now));
    }

    /// The healthcheckd of a host says that a check is up or down.
    pub fn say(&mut self, id: Id, check: &str, judged: Judgement) {
        self.turn(id, |host, now| host.say(check, judged, now));
    }

    /// The healthcheckd of a host is gone.
    pub fn lose_health(&mut self, id: Id) {
        self.turn(id, Host::lose_health);
    }

    /// The daemon dies, and starts again with what it kept.
    pub fn restart(&mut self, id: Id) {
        self.turn(id, Host::restart);
    }

    /// The configuration of a host is read anew.
    pub fn reload(&mut self, id: Id, keys: &str) {
        self.turn(id, |host, now| host.reload(keys, now).expect("a valid configuration"));
    }

    /// The clock of a host is so many seconds ahead of what it showed.
    pub fn step_clock(&mut self, id: Id, seconds: i64) {
        let (host, now) = (&mut self.stations[id].host, self.now);
        let (clock, span) = (host.clock(now).0, Duration::from_secs(seconds.unsigned_abs()));
        host.set_clock(Wall(if seconds < 0 { clock - span } else { clock + span }), now);
    }

    /// The packets sent since this was asked last, the first of them if there were many.
    pub fn take_heard(&mut self) -> Vec<Arrival> {
        std::mem::take(&mut self.heard)
    }

    /// A packet from nowhere reaches every host now.
    pub fn inject(&mut self, packet: &Arrival) {
        for to in 0..self.stations.len() {
            self.turn(to, |host, now| host.packet(&packet.received(), now));
        }
    }

    /// Lets time pass.
    pub fn run(&mut self, span: Duration) {
        let end = self.now + span;
        let mut at_once = 0;
        while let Some(next) = self.next().filter(|&next| next <= end) {
            at_once = if next > self.now { 0 } else { at_once + 1 };
            assert!(at_once < EVENTS_AT_ONCE_MAX, "no end at {next:?}");
            self.now = self.now.max(next);
            self.serve();
        }
        self.now = end;
    }

    fn next(&self) -> Option<Mono> {
        let powered = self.stations.iter().filter(|station| station.powered);
        let deadlines = powered.filter_map(|station| station.host.deadline(self.now));
        let arrival = self.flights.keys().next().map(|(arrival, _)| *arrival);
        deadlines.chain(arrival).min()
    }

    /// One packet that has arrived, or else every timer that is due: as in the daemon, packets go first.
    fn serve(&mut self) {
        if let Some(entry) = self.flights.first_entry().filter(|entry| entry.key().0 <= self.now) {
            let Flight { to, packet } = entry.remove();
            return self.turn(to, |host, now| host.packet(&packet.received(), now));
        }
        for id in 0..self.stations.len() {
            if self.host(id).deadline(self.now).is_some_and(|deadline| deadline <= self.now) {
                self.turn(id, Host::timer);
            }
        }
    }

    fn turn(&mut self, id: Id, take: impl FnOnce(&mut Host, Mono) -> Vec<Seen>) {
        let station = &mut self.stations[id];
        if !station.powered {
            return;
        }
        let seen = take(&mut station.host, self.now);
        let holds = !station.host.held().is_empty();
        assert_eq!(
            holds,
            station.host.state() == State::Active,
            "host {id}: addresses held by who is not Active"
        );
        self.tenures.note(id, holds, self.now);
        for seen in seen {
            if let Seen::Advert(packet) = seen {
                self.send(id, &Arrival::of(&packet), destination(&packet));
            }
        }
    }

    fn send(&mut self, from: Id, packet: &Arrival, destination: IpAddr) {
        if self.heard.len() < HEARD_MAX {
            self.heard.push(packet.clone());
        }
        for to in (0..self.stations.len()).filter(|&to| to != from) {
            if !destination.is_multicast() && destination != self.host(to).source() {
                continue;
            }
            let link = self.links.get(&(from, to)).copied().unwrap_or(self.everywhere);
            for arrival in link.arrivals(self.now, &mut self.dice) {
                self.sent += 1;
                self.flights.insert((arrival, self.sent), Flight { to, packet: packet.clone() });
            }
        }
    }
}

const fn destination(packet: &Packet) -> IpAddr {
    match packet {
        Packet::V4 { destination, .. } => IpAddr::V4(*destination),
        Packet::V6 { destination, .. } => IpAddr::V6(*destination),
    }
}
