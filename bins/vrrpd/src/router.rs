//! One virtual router, whole but for its hands: packet bytes, time and what was seen of the host come in; adverts
//! to send, addresses to hold and lines to log come out. The daemon, the conformance rows and the virtual LAN run
//! this same code. Must not know a clock, a socket or a log.

use std::net::{IpAddr, Ipv4Addr};

use ipnet::IpNet;
use vipkit_config::Instance;
use vipkit_core::ipv4;
use vipkit_core::limit::Limiter;
use vipkit_core::units::{Mono, Priority};
use vipkit_core::vrrp::{self, Accepted, Advert, Expectation, GROUP_V4, Reject, Route};

use crate::announce::Announcer;
use crate::counters::{self, Counters};
use crate::fault::Local;
use crate::fsm::{Action, Event, Fsm, Reason, Settings, State};
use crate::peers::Peers;
use crate::refused::Refused;

/// How much a log line matters.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Level {
    /// A state changed.
    Info,
    /// Somebody should look.
    Warning,
}

/// What the router wants done.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Output {
    /// Send this whole IPv4 packet.
    Transmit {
        /// Where to.
        destination: Ipv4Addr,
        /// IPv4 header and advert.
        packet: Vec<u8>,
    },
    /// The addresses to hold changed: see [`Router::holds`].
    Reconcile,
    /// Announce these addresses by gratuitous ARP, in this order.
    Announce(Vec<Ipv4Addr>),
    /// Write a line to the log.
    Log(Level, String),
    /// Something that people watch changed.
    Changed,
}

/// A virtual router.
#[derive(Clone, Debug)]
pub struct Router {
    name: String,
    config: Instance,
    fsm: Fsm,
    local: Local,
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
            fsm: Fsm::new(settings(&config)),
            local: Local::default(),
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

    /// The addresses that must be on its interface now.
    #[must_use]
    pub fn holds(&self) -> &[IpNet] {
        if self.fsm.state() == State::Active { &self.config.addresses } else { &[] }
    }

    /// When it wants [`Router::timer`].
    #[must_use]
    pub fn deadline(&self, now: Mono) -> Option<Mono> {
        [self.fsm.deadline(), self.announcer.deadline(now)].into_iter().flatten().min()
    }

    /// Takes part from now on, unless a fault holds it. `adopt`: it was Active a moment ago, in the program's life
    /// before this one, and its addresses are in place.
    pub fn start(&mut self, local: Local, adopt: bool, now: Mono, out: &mut Vec<Output>) {
        self.local = local;
        let event = match (self.local.faults.is_empty(), adopt) {
            (false, _) => Event::Fault,
            (true, true) => Event::Adopt,
            (true, false) => Event::Startup,
        };
        self.step(&event, now, out);
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
        out.push(Output::Changed);
        match (self.local.faults.is_empty(), self.fsm.state()) {
            (false, State::Backup | State::Active) => self.step(&Event::Fault, now, out),
            (true, State::Fault) => self.step(&Event::Startup, now, out),
            (false, State::Fault) => self.reason = self.explain(Reason::Fault),
            (true, State::Backup | State::Active) | (_, State::Initialize) => {}
        }
    }

    /// An IPv4 packet came in on its interface. Only one that passes every check can change anything.
    pub fn packet(&mut self, packet: &[u8], now: Mono, out: &mut Vec<Output>) {
        let judged = ipv4::parse(packet).map_err(|reject| (None, reject)).and_then(|datagram| {
            vrrp::receive(&self.expectation(), &datagram).map_err(|r| (Some(datagram.route.source), r))
        });
        match judged {
            Ok(accepted) => self.advert(&accepted, now, out),
            Err((source, reject)) => self.refuse(source, reject, now, out),
        }
    }

    /// The moment that [`Router::deadline`] named has come. Early or repeated calls do no harm.
    pub fn timer(&mut self, now: Mono, out: &mut Vec<Output>) {
        self.step(&Event::Timer, now, out);
        let addresses = self.announcer.turn(now);
        if !addresses.is_empty() {
            out.push(Output::Announce(addresses));
        }
    }

    /// These of its addresses are on the interface now, all that it [`Router::holds`].
    pub fn held(&mut self, now: Mono) {
        let v4 = |net: &IpNet| match net.addr() {
            IpAddr::V4(address) => Some(address),
            IpAddr::V6(_) => None,
        };
        self.announcer.hold(self.holds().iter().filter_map(v4).collect(), now);
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
        let addresses = config.addresses != self.config.addresses;
        let understood = config.authentication == self.config.authentication;
        self.config = config;
        self.step(&Event::Settings(settings(&self.config)), now, out);
        if !understood && self.fsm.state() == State::Active {
            // Another holder, who refused our adverts until now, may yield to the next without a word.
            self.announcer.reassert(now);
        }
        out.push(Output::Changed);
        if addresses && self.fsm.state() == State::Active {
            out.push(Output::Reconcile);
        }
    }

    /// True if this configuration is for the same virtual router, so that it can be changed in place.
    #[must_use]
    pub fn is_same_router(&self, config: &Instance) -> bool {
        self.config.interface == config.interface
            && self.config.virtual_router_id == config.virtual_router_id
            && self.config.advertisement_interval.version() == config.advertisement_interval.version()
    }

    /// Stops taking part.
    pub fn stop(&mut self, now: Mono, out: &mut Vec<Output>) {
        self.step(&Event::Shutdown, now, out);
    }

    /// Counts something that its hands did or failed to do.
    pub fn count(&mut self, name: &'static str, count: u64) {
        self.counters.add(name, count);
    }

    fn advert(&mut self, accepted: &Accepted, now: Mono, out: &mut Vec<Output>) {
        let Some(local) = self.local.source else { return };
        let ours: Vec<IpAddr> = self.config.addresses.iter().map(IpNet::addr).collect();
        self.refused.forgive(accepted.source);
        if self.peers.heard(accepted, &ours, now) {
            out.push(Output::Changed);
        }
        self.counters.add(counters::ADVERTISEMENTS_RECEIVED, 1);
        self.step(&Event::Advert { accepted, local: local.into() }, now, out);
        self.note_oddities(accepted, now, out);
    }

    /// What is odd about an accepted advert is counted and logged, never acted on.
    fn note_oddities(&mut self, accepted: &Accepted, now: Mono, out: &mut Vec<Output>) {
        let (source, advert) = (accepted.source, &accepted.advert);
        let priority = advert.priority;
        if priority == Priority::LEAVING {
            let text = || format!("{source} leaves (priority 0)");
            self.note(counters::PRIORITY_ZERO_RECEIVED, Level::Info, text, now, out);
        } else if self.fsm.state() == State::Active {
            self.counters.add(counters::CONFLICTS, 1);
            // Nothing to say in the first moments: whoever yields to us sends one last advert.
            if now - self.since > advert.interval.length() {
                let text = || format!("{source} (priority {priority}) is Active too, and should yield to us");
                self.say(counters::CONFLICTS, Level::Warning, text, now, out);
            }
        }
        if priority.is_owner() && self.config.priority.is_owner() {
            let text =
                || format!("{source} claims to own the addresses too: only one router may have priority 255");
            self.note(counters::OTHER_OWNER, Level::Warning, text, now, out);
        }
        if self.peers.iter().any(|(address, peer)| *address == source && peer.other_addresses) {
            let text = || format!("{source} advertises other addresses than ours: the configurations differ");
            self.note(counters::OTHER_ADDRESSES, Level::Warning, text, now, out);
        }
        if advert.interval != self.config.advertisement_interval {
            let text = || format!("{source} advertises every {:?}, we do not", advert.interval.length());
            self.note(counters::OTHER_INTERVAL, Level::Warning, text, now, out);
        }
        if let Some(form) = accepted.checksum.filter(|form| *form != self.config.checksum) {
            let text = || format!("{source} sends checksum form {form}: it may refuse ours");
            self.note(counters::OTHER_CHECKSUM_FORM, Level::Warning, text, now, out);
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
        let more = if kept_back > 0 { format!(" ({kept_back} more like this)") } else { String::new() };
        out.push(Output::Log(level, format!("{}: {}{more}", self.name, text())));
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
                let text = format!("{}: {from} -> {to}: {}", self.name, self.reason);
                out.extend([Output::Log(Level::Info, text), Output::Changed]);
            }
        }
    }

    fn send(&mut self, priority: Priority, out: &mut Vec<Output>) {
        let Some(source) = self.local.source else { return };
        let advert = Advert {
            vrid: self.config.virtual_router_id,
            priority,
            interval: self.config.advertisement_interval,
            addresses: self.config.addresses.iter().map(IpNet::addr).collect(),
        };
        let route = Route { source: source.into(), destination: GROUP_V4.into() };
        let message = vrrp::emit(&advert, route, self.config.checksum, &self.config.authentication);
        self.counters.add(counters::ADVERTISEMENTS_SENT, 1);
        if priority == Priority::LEAVING {
            self.counters.add(counters::PRIORITY_ZERO_SENT, 1);
        }
        out.push(Output::Transmit { destination: GROUP_V4, packet: ipv4::emit(source, GROUP_V4, &message) });
    }

    fn expectation(&self) -> Expectation {
        Expectation {
            vrid: self.config.virtual_router_id,
            interval: self.config.advertisement_interval,
            authentication: self.config.authentication.clone(),
            group: GROUP_V4.into(),
            own_source: self.local.source.map(IpAddr::V4),
        }
    }

    fn explain(&self, reason: Reason) -> String {
        match reason {
            Reason::Fault => {
                let faults: Vec<_> =
                    self.local.faults.iter().map(|f| f.what(&self.config.interface)).collect();
                faults.join("; ")
            }
            other => other.to_string(),
        }
    }
}

fn settings(config: &Instance) -> Settings {
    Settings { priority: config.priority, interval: config.advertisement_interval, preempt: config.preempt }
}
