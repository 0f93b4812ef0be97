//! One virtual router, whole but for its hands: packet bytes, time and what was seen of the host come in; adverts
//! to send, addresses to hold and lines to log come out. The daemon, the conformance rows and the virtual LAN run
//! this same code. Must not know a clock, a socket or a log.

use std::net::IpAddr;

use vipkit_config::{Address, Instance};
use vipkit_core::limit::Limiter;
use vipkit_core::units::{Mono, Priority, Wall};
use vipkit_core::vrrp::{self, Accepted, Authentication, Expectation, Received, Reject, Seal};

use crate::announce::Announcer;
use crate::counters::{self, Counters};
use crate::fault::{Fault, Local};
use crate::fsm::{Action, Event, Fsm, Reason, Settings, State};
use crate::heard::Heard;
use crate::oddities::{self, Oddity};
use crate::peers::Peers;
use crate::refused::Refused;
use crate::replay::Replay;
use crate::trackers::Trackers;
use crate::wire;

pub use crate::output::{Level, Output};

/// Changes of state in a minute that are logged, and changes of the priority: others can cause any number of them.
const CHANGES_TOLD: u64 = 20;

/// A virtual router.
#[derive(Clone, Debug)]
pub struct Router {
    name: String,
    config: Instance,
    fsm: Fsm,
    local: Local,
    trackers: Trackers,
    /// It is to take part as soon as it need not wait for first verdicts.
    starts: bool,
    /// What of the configuration and the host counts for each packet.
    expectation: Expectation,
    replay: Replay,
    peers: Peers,
    refused: Refused,
    announcer: Announcer,
    counters: Counters,
    limiter: Limiter,
    since: Mono,
    reason: String,
    /// Scratch for the state machine's actions, kept to not allocate each time.
    actions: Vec<Action>,
}

impl Router {
    /// In Initialize, before anything was seen of the host.
    #[must_use]
    pub fn new(name: &str, config: Instance, now: Mono) -> Self {
        Self {
            name: name.to_owned(),
            fsm: Fsm::new(settings(&config, config.priority)),
            local: Local::default(),
            trackers: Trackers::new(&config),
            starts: false,
            expectation: wire::expectation(&config, &Local::default(), Wall::default()),
            replay: Replay::default(),
            peers: Peers::default(),
            refused: Refused::default(),
            announcer: Announcer::new(config.garp.clone()),
            counters: Counters::default(),
            limiter: Limiter::default(),
            since: now,
            reason: "not started".to_owned(),
            actions: Vec::new(),
            config,
        }
    }

    /// Gives it another name.
    pub fn rename(&mut self, name: &str) {
        name.clone_into(&mut self.name);
    }

    /// Its name.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The configuration it runs on.
    #[must_use]
    pub const fn config(&self) -> &Instance {
        &self.config
    }

    /// Its state machine.
    #[must_use]
    pub const fn fsm(&self) -> &Fsm {
        &self.fsm
    }

    /// The routers it heard.
    #[must_use]
    pub const fn peers(&self) -> &Peers {
        &self.peers
    }

    /// Whose packets it refused.
    #[must_use]
    pub const fn refused(&self) -> &Refused {
        &self.refused
    }

    /// What it finds on this host.
    #[must_use]
    pub const fn local(&self) -> &Local {
        &self.local
    }

    /// What it tracks.
    #[must_use]
    pub const fn trackers(&self) -> &Trackers {
        &self.trackers
    }

    /// What keeps it out of the election.
    #[must_use]
    pub fn faults(&self) -> Vec<Fault> {
        self.local.faults.iter().cloned().chain(self.trackers.faults()).collect()
    }

    /// When it entered its state.
    #[must_use]
    pub const fn since(&self) -> Mono {
        self.since
    }

    /// Why it is in its state.
    #[must_use]
    pub fn reason(&self) -> &str {
        &self.reason
    }

    /// Its counters.
    #[must_use]
    pub const fn counters(&self) -> &Counters {
        &self.counters
    }

    /// The addresses in its adverts: as many of its own as there is room for.
    #[must_use]
    pub fn advertised(&self) -> &[IpAddr] {
        &self.expectation.addresses
    }

    /// Sequences of HMACs, its own and those heard.
    #[must_use]
    pub const fn replay(&self) -> &Replay {
        &self.replay
    }

    /// It goes on with the sequences of an earlier life.
    pub fn remember(&mut self, replay: Replay) {
        self.replay = replay;
    }

    /// Tells it the time of day.
    pub const fn tell(&mut self, wall: Wall) {
        self.expectation.wall = wall;
    }

    /// True if it holds its addresses, routes and rules.
    #[must_use]
    pub fn is_active(&self) -> bool {
        self.fsm.state() == State::Active
    }

    /// The addresses that must be on its interface now.
    #[must_use]
    pub fn holds(&self) -> &[Address] {
        if self.is_active() { &self.config.addresses } else { &[] }
    }

    /// When it wants [`Router::timer`].
    #[must_use]
    pub fn deadline(&self, now: Mono) -> Option<Mono> {
        [self.fsm.deadline(), self.announcer.deadline(now), self.trackers.deadline()]
            .into_iter()
            .flatten()
            .min()
    }

    /// Takes part from now on, unless a fault holds it: as soon as what it tracks was judged. `adopt`: it was Active a
    /// moment ago, in the program's life before this one, and its addresses are in place: it goes on at once.
    pub fn start(&mut self, local: Local, adopt: bool, now: Mono, out: &mut Vec<Output>) {
        self.local = local;
        self.expect_anew();
        let adopt = adopt && self.local.faults.is_empty();
        self.trackers.observe(&self.local.tracked, now);
        self.trackers.start(!adopt, now);
        self.weigh(now, out);
        if adopt {
            self.step(&Event::Adopt, now, out);
        } else {
            self.starts = true;
        }
        self.decide(now, out);
        if let Some(waits) = self.trackers.waits_for() {
            self.log(Level::Info, &waits, 0, out);
        }
    }

    /// What was seen of the host changed.
    pub fn observe(&mut self, local: Local, now: Mono, out: &mut Vec<Output>) {
        if local == self.local {
            return;
        }
        if local.station != self.local.station && self.fsm.state() == State::Active {
            self.announce_anew();
            out.push(Output::Reconcile);
        }
        self.local = local;
        self.expect_anew();
        out.push(Output::Changed);
        self.trackers.observe(&self.local.tracked, now);
        self.track(now, out);
    }

    /// What was heard of checks changed.
    pub fn hear(&mut self, heard: &Heard, now: Mono, out: &mut Vec<Output>) {
        let before = self.trackers.clone();
        self.trackers.hear(heard, now);
        if self.trackers != before {
            out.push(Output::Changed);
            self.track(now, out);
        }
    }

    /// A packet came in on its interface. Only one that passes every check can change anything.
    pub fn packet(&mut self, received: &Received<'_>, now: Mono, out: &mut Vec<Output>) {
        let datagram = match received.datagram() {
            Ok(datagram) => datagram,
            Err(reject) => return self.refuse(None, reject, now, out),
        };
        let judged = vrrp::receive(&self.expectation, &datagram);
        match judged.and_then(|accepted| self.is_new(accepted, out)) {
            Ok(accepted) => self.advert(&accepted, now, out),
            Err(reject) => self.refuse(Some(datagram.route.source), reject, now, out),
        }
    }

    /// The moment that [`Router::deadline`] named has come. Early or repeated calls do no harm.
    pub fn timer(&mut self, now: Mono, out: &mut Vec<Output>) {
        if self.trackers.deadline().is_some_and(|deadline| deadline <= now) {
            out.push(Output::Changed);
            self.track(now, out);
        }
        self.step(&Event::Timer, now, out);
        let addresses = self.announcer.turn(now);
        if !addresses.is_empty() {
            out.push(Output::Announce(addresses));
        }
    }

    /// These of its addresses are on the interface now, all that it [`Router::holds`].
    pub fn held(&mut self, now: Mono) {
        self.announcer.hold(self.holds().iter().map(|address| address.net.addr()).collect(), now);
    }

    /// The administrator looks anew: peers that are gone are not missed any more.
    pub fn forget_silent_peers(&mut self, now: Mono) {
        self.peers.forget_silent(self.fsm.active_down_interval() * 2, now);
    }

    /// What was announced is true no more: when the addresses are held again, all of them are announced again.
    pub fn announce_anew(&mut self) {
        self.announcer.withdraw();
    }

    /// The configuration was read anew. Interface, virtual router and version stay: another one is another router.
    pub fn change_config(&mut self, config: Instance, now: Mono, out: &mut Vec<Output>) {
        self.announcer.change_settings(config.garp.clone(), now);
        let held =
            |config: &Instance| (config.addresses.clone(), config.routes.clone(), config.rules.clone());
        let other = held(&config) != held(&self.config);
        let understood = config.authentication == self.config.authentication;
        self.config = config;
        self.expect_anew();
        self.trackers.configure(&self.config);
        self.track(now, out);
        if !understood && self.fsm.state() == State::Active {
            // Another holder, who refused our adverts until now, may yield to the next without a word.
            self.announcer.reassert(now);
        }
        out.push(Output::Changed);
        if other && self.is_active() {
            out.push(Output::Reconcile);
        }
    }

    /// True if this configuration is for the same virtual router in the same place, so that it can be changed there.
    #[must_use]
    pub fn is_same_router(&self, config: &Instance) -> bool {
        let identity = |config: &Instance| {
            let version = config.advertisement_interval.version();
            (config.virtual_router_id, config.family(), version, config.place().to_owned())
        };
        self.config.interface == config.interface && identity(&self.config) == identity(config)
    }

    /// Stops taking part.
    pub fn stop(&mut self, now: Mono, out: &mut Vec<Output>) {
        self.starts = false;
        self.trackers.stop();
        self.step(&Event::Shutdown, now, out);
    }

    /// Counts something that its hands did or failed to do.
    pub fn count(&mut self, name: &'static str, count: u64) {
        self.counters.add(name, count);
    }

    /// What it tracks, or what that is worth, may have changed.
    fn track(&mut self, now: Mono, out: &mut Vec<Output>) {
        self.trackers.settle(now);
        self.weigh(now, out);
        self.decide(now, out);
    }

    /// Takes part with the priority that follows from what it tracks.
    fn weigh(&mut self, now: Mono, out: &mut Vec<Output>) {
        let (old, new) = (self.fsm.settings().priority, self.trackers.priority(self.config.priority));
        let news = self.trackers.news();
        let settings = settings(&self.config, new);
        if settings != self.fsm.settings() {
            self.step(&Event::Settings(settings), now, out);
        }
        if old == new {
            return;
        }
        if let Some(kept_back) = self.limiter.admit_up_to(CHANGES_TOLD, "priorities", now) {
            let why = if news.is_empty() { "as configured".to_owned() } else { news.join("; ") };
            self.log(Level::Info, &format!("effective priority {old} -> {new}: {why}"), kept_back, out);
        }
    }

    /// Takes part if nothing stands in the way, else not.
    fn decide(&mut self, now: Mono, out: &mut Vec<Output>) {
        let well = self.faults().is_empty();
        match self.fsm.state() {
            State::Initialize if self.starts => match self.trackers.waits_for() {
                Some(waits) => self.reason = waits,
                None => {
                    self.starts = false;
                    let event = if well { Event::Startup } else { Event::Fault };
                    self.step(&event, now, out);
                }
            },
            State::Backup | State::Active if !well => self.step(&Event::Fault, now, out),
            State::Fault if well => self.step(&Event::Startup, now, out),
            State::Fault => self.reason = self.explain(Reason::Fault),
            State::Initialize | State::Backup | State::Active => {}
        }
    }

    /// An advert that was not heard before.
    fn is_new(&mut self, accepted: Accepted, out: &mut Vec<Output>) -> Result<Accepted, Reject> {
        let (Authentication::Hmac(hmac), Some(signature)) = (&self.config.authentication, accepted.signature)
        else {
            return Ok(accepted);
        };
        let wall = self.expectation.wall;
        if !self.replay.take(accepted.source, signature, hmac.replay_protection, wall) {
            return Err(Reject::HmacReplay);
        }
        out.push(Output::Remember);
        Ok(accepted)
    }

    fn advert(&mut self, accepted: &Accepted, now: Mono, out: &mut Vec<Output>) {
        let Some(local) = self.local.source else { return };
        self.refused.forgive(accepted.source);
        if self.peers.heard(accepted, &self.expectation.addresses, now) {
            out.push(Output::Changed);
        }
        self.counters.add(counters::ADVERTISEMENTS_RECEIVED, 1);
        self.step(&Event::Advert { accepted, local }, now, out);
        let conflict = self.is_active().then(|| now - self.since);
        for Oddity { counter, level, text, told } in
            oddities::of(accepted, &self.config, &self.expectation, conflict)
        {
            self.counters.add(counter, 1);
            if told {
                self.say(counter, level, || text, now, out);
            }
        }
    }

    fn refuse(&mut self, source: Option<IpAddr>, reject: Reject, now: Mono, out: &mut Vec<Output>) {
        if source.is_some_and(|source| self.refused.note(source, reject, now)) {
            out.push(Output::Changed);
        }
        let text = || match source {
            Some(source) => format!("refused an advert from {source}: {reject}"),
            None => format!("refused a packet: {reject}"),
        };
        self.note(reject.name(), Level::Warning, text, now, out);
    }

    /// Counts something that others cause, and logs it at a bounded rate.
    fn note(
        &mut self,
        counter: &'static str,
        level: Level,
        text: impl FnOnce() -> String,
        now: Mono,
        out: &mut Vec<Output>,
    ) {
        self.counters.add(counter, 1);
        self.say(counter, level, text, now, out);
    }

    /// Logs something that others cause, at a bounded rate.
    fn say(
        &mut self,
        kind: &'static str,
        level: Level,
        text: impl FnOnce() -> String,
        now: Mono,
        out: &mut Vec<Output>,
    ) {
        let Some(kept_back) = self.limiter.admit(kind, now) else { return };
        self.log(level, &text(), kept_back, out);
    }

    fn log(&self, level: Level, text: &str, kept_back: u64, out: &mut Vec<Output>) {
        let more = if kept_back > 0 { format!(" ({kept_back} more like this)") } else { String::new() };
        out.push(Output::Log(level, format!("{}: {text}{more}", self.name)));
    }

    fn step(&mut self, event: &Event<'_>, now: Mono, out: &mut Vec<Output>) {
        let mut actions = std::mem::take(&mut self.actions);
        self.fsm.step(event, now, &mut actions);
        for action in actions.drain(..) {
            self.act(&action, now, out);
        }
        self.actions = actions;
    }

    fn act(&mut self, action: &Action, now: Mono, out: &mut Vec<Output>) {
        match action {
            Action::Send(priority) => self.send(*priority, out),
            Action::Hold => out.push(Output::Reconcile),
            Action::Withdraw => {
                self.announcer.withdraw();
                out.push(Output::Reconcile);
            }
            Action::Reassert => self.announcer.reassert(now),
            Action::Transition { from, to, reason } => {
                self.since = now;
                self.reason = self.explain(*reason);
                if *to == State::Active {
                    self.counters.add(counters::BECAME_ACTIVE, 1);
                }
                if let Some(kept_back) = self.limiter.admit_up_to(CHANGES_TOLD, "transitions", now) {
                    self.log(Level::Info, &format!("{from} -> {to}: {}", self.reason), kept_back, out);
                }
                out.push(Output::Changed);
            }
        }
    }

    fn send(&mut self, priority: Priority, out: &mut Vec<Output>) {
        let Some(source) = self.local.source else { return };
        let seal = match &self.config.authentication {
            Authentication::None => Seal::None,
            Authentication::Pass(password) => Seal::Pass(password),
            Authentication::Hmac(hmac) => match hmac.keys.get(&hmac.active_key).filter(|_| hmac.mode.signs())
            {
                Some(key) => {
                    out.push(Output::Remember);
                    let sequence = self.replay.next(source, hmac.replay_protection, self.expectation.wall);
                    Seal::Hmac { id: hmac.active_key, key, sequence }
                }
                None => Seal::None,
            },
        };
        let packets = wire::adverts(&self.config, &self.expectation, source, priority, &seal);
        out.extend(packets.into_iter().map(Output::Transmit));
        self.counters.add(counters::ADVERTISEMENTS_SENT, 1);
        if priority == Priority::LEAVING {
            self.counters.add(counters::PRIORITY_ZERO_SENT, 1);
        }
    }

    fn expect_anew(&mut self) {
        self.expectation = wire::expectation(&self.config, &self.local, self.expectation.wall);
    }

    fn explain(&self, reason: Reason) -> String {
        match reason {
            Reason::Fault => {
                let faults = self.faults();
                let faults: Vec<_> = faults.iter().map(|fault| fault.what(&self.config.interface)).collect();
                faults.join("; ")
            }
            other => other.to_string(),
        }
    }
}

/// The configuration with another priority.
const fn settings(config: &Instance, priority: Priority) -> Settings {
    Settings { priority, interval: config.advertisement_interval, preempt: config.preempt }
}

#[cfg(test)]
mod tests;
