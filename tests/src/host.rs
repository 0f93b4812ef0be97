//! One virtual router on a host that exists in memory only: it does with the router's outputs what the daemon
//! would, and keeps what a neighbour or an administrator would see. Must not decide anything itself.

use std::net::IpAddr;
use std::time::Duration;

use ipnet::IpNet;
use vipkit_config::{Instance, Source, Tracked};
use vipkit_control::health::{Check, Judgement, Monitor, State as Found, Step};
use vipkit_core::units::{Mono, Wall};
use vipkit_core::vrrp::{Authentication, Key, KeyId, Packet, Received};
use vrrpd::fault::Local;
use vrrpd::fsm::State;
use vrrpd::heard::Heard;
use vrrpd::observed::{Entry, Interface, Interfaces, Present};
use vrrpd::replay::Replay;
use vrrpd::router::{Output, Router};

use crate::conformance::trailer::{CLOCK, key};

/// What a neighbour or an administrator sees of a router.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Seen {
    /// An advert.
    Advert(Packet),
    /// Addresses announced by gratuitous ARP or neighbour advertisements.
    Announce(Vec<IpAddr>),
    /// The state that it is in now.
    State(State),
    /// The addresses that are on its interface now.
    Addresses(Vec<IpNet>),
    /// A line in its log.
    Log(String),
}

/// A host with one interface and one virtual router.
#[derive(Clone, Debug)]
pub struct Host {
    router: Router,
    interfaces: Interfaces,
    /// What its healthcheckd said.
    heard: Heard,
    source: IpAddr,
    held: Vec<IpNet>,
    running: bool,
    /// What its clock shows at the start of time.
    clock: Duration,
}

/// Reads the keys of one instance, with defaults for what every instance needs, of the family of this source. The keys
/// of HMACs, which no configuration holds, are the test keys; a check that is tracked (`{ check = 'NAME'`) exists.
///
/// # Errors
/// The faults of the configuration, as text.
pub fn instance(keys: &str, source: IpAddr) -> Result<Instance, String> {
    let addresses = if source.is_ipv4() { "['10.0.1.5/24']" } else { "['fe80::5/64', '2001:db8::5/64']" };
    let defaults = [("interface", "'eth0'"), ("virtual_router_id", "51"), ("addresses", addresses)];
    let mut text = "[vrrp.dut]\n".to_owned();
    for (key, value) in defaults {
        if !keys.lines().any(|line| line.split('=').next().is_some_and(|word| word.trim() == key)) {
            text.push_str(&format!("{key} = {value}\n"));
        }
    }
    text.push_str(keys);
    for check in keys.split("{ check = '").skip(1).filter_map(|rest| rest.split('\'').next()) {
        text.push_str(&format!("\n[check.{check}]\ntype = 'tcp'\ntarget = '127.0.0.1:80'"));
    }
    let config = vipkit_config::parse(&[Source { name: "vipkit.toml".to_owned(), text }]);
    let mut config = config.map_err(|faults| faults.to_string())?;
    let mut instance = config.vrrp.remove("dut").ok_or_else(|| "no instance".to_owned())?;
    if let Authentication::Hmac(hmac) = &mut instance.authentication {
        hmac.keys.extend(numbers(keys).filter_map(|id| Some((KeyId::new(id)?, Key::new(&key(id))?))));
    }
    Ok(instance)
}

/// The numbers of the keys that a configuration names.
fn numbers(keys: &str) -> impl Iterator<Item = u8> {
    let after = keys.split("{ id = ").skip(1);
    after.filter_map(|rest| rest.split(|c: char| !c.is_ascii_digit()).next()?.parse().ok())
}

/// One interface that works.
fn working(name: &str) -> Interfaces {
    let mac = Some([2, 0, 0, 0, 0, 1]);
    let interface = Interface { index: 2, mac, up: true, carrier: true, ..Interface::default() };
    Interfaces::from([(name.to_owned(), interface)])
}

/// A message of healthcheckd.
fn said(name: &str, judged: Judgement) -> Monitor {
    let check = Check {
        name: name.to_owned(),
        kind: "tcp".to_owned(),
        target: "127.0.0.1:80".to_owned(),
        state: match judged {
            Judgement::Up => Found::Up,
            Judgement::Down => Found::Down,
        },
        judged: Some(judged),
        weight: None,
        since: "2026-01-01T00:00:00.000Z".to_owned(),
        reason: "said so".to_owned(),
        warning: None,
        generation: 1,
        disabled: None,
        used_by: Vec::new(),
        runs: Vec::new(),
    };
    Monitor { step: Step::Change, sequence: 0, daemon: None, checks: vec![check], removed: Vec::new() }
}

impl Host {
    /// Not started, with an interface that works and has this address.
    ///
    /// # Errors
    /// The faults of the configuration, as text.
    pub fn new(keys: &str, source: IpAddr, now: Mono) -> Result<Self, String> {
        let router = Router::new("dut", instance(keys, source)?, now);
        let interfaces = working(&router.config().interface);
        let clock = Duration::from_secs(CLOCK.into());
        let (heard, held) = (Heard::default(), Vec::new());
        let mut host = Self { router, interfaces, heard, source, held, running: false, clock };
        host.set_source(Some(true));
        host.track();
        Ok(host)
    }

    /// Its router.
    #[must_use]
    pub const fn router(&self) -> &Router {
        &self.router
    }

    /// Its own address.
    #[must_use]
    pub const fn source(&self) -> IpAddr {
        self.source
    }

    /// The state of its router.
    #[must_use]
    pub const fn state(&self) -> State {
        self.router.fsm().state()
    }

    /// The virtual addresses on its interface.
    #[must_use]
    pub fn held(&self) -> &[IpNet] {
        &self.held
    }

    /// When it wants [`Host::timer`].
    #[must_use]
    pub fn deadline(&self, now: Mono) -> Option<Mono> {
        self.router.deadline(now)
    }

    /// Its clock shows this now, and goes on from there.
    pub fn set_clock(&mut self, wall: Wall, now: Mono) {
        self.clock = wall.0.saturating_sub(now.since_start());
    }

    /// What its clock shows.
    #[must_use]
    pub fn clock(&self, now: Mono) -> Wall {
        Wall(self.clock + now.since_start())
    }

    /// The daemon starts.
    pub fn start(&mut self, now: Mono) -> Vec<Seen> {
        self.running = true;
        let (local, heard) = (self.judge(), self.heard.clone());
        self.turn(now, |router, out| {
            router.hear(&heard, now, out);
            router.start(local, false, now, out);
        })
    }

    /// The daemon is told to stop.
    pub fn stop(&mut self, now: Mono) -> Vec<Seen> {
        self.running = false;
        self.turn(now, |router, out| router.stop(now, out))
    }

    /// The daemon dies, and starts again with what is in its file of sequences.
    pub fn restart(&mut self, now: Mono) -> Vec<Seen> {
        self.router = self.next_life(now);
        let mut seen = self.start(now);
        if self.state() != State::Active && !self.held.is_empty() {
            self.reconcile(now, &mut seen);
        }
        seen
    }

    /// The machine, without power until now, starts: nothing but files is left.
    pub fn boot(&mut self, now: Mono) -> Vec<Seen> {
        self.router = self.next_life(now);
        self.held.clear();
        self.interfaces = working(&self.router.config().interface);
        self.set_source(Some(true));
        self.heard = Heard::default();
        self.track();
        self.start(now)
    }

    /// A router that knows what an earlier one wrote.
    fn next_life(&self, now: Mono) -> Router {
        let file = serde_json::to_vec(self.router.replay()).expect("sequences are plain data");
        let mut next = Router::new("dut", self.router.config().clone(), now);
        next.remember(serde_json::from_slice::<Replay>(&file).expect("as written").resumed());
        next
    }

    /// A packet arrives.
    pub fn packet(&mut self, packet: &Received<'_>, now: Mono) -> Vec<Seen> {
        self.turn(now, |router, out| router.packet(packet, now, out))
    }

    /// Time passed.
    pub fn timer(&mut self, now: Mono) -> Vec<Seen> {
        self.turn(now, |router, out| router.timer(now, out))
    }

    /// The cable goes or comes.
    pub fn set_carrier(&mut self, carrier: bool, now: Mono) -> Vec<Seen> {
        self.interface().carrier = carrier;
        self.observe(now)
    }

    /// Its own address goes or comes.
    pub fn set_address(&mut self, present: bool, now: Mono) -> Vec<Seen> {
        self.set_source(present.then_some(true));
        self.observe(now)
    }

    /// Its own address is not usable yet: duplicate address detection has not ended.
    pub fn set_tentative(&mut self, now: Mono) -> Vec<Seen> {
        self.set_source(Some(false));
        self.observe(now)
    }

    /// Its interface takes packets of so many bytes.
    pub fn set_mtu(&mut self, mtu: u32, now: Mono) -> Vec<Seen> {
        self.interface().mtu = mtu;
        self.observe(now)
    }

    /// Another interface of the host is there and up, or is not there.
    pub fn set_other(&mut self, name: &str, up: bool, now: Mono) -> Vec<Seen> {
        let other = up.then(|| working(name).remove(name)).flatten();
        match other {
            Some(interface) => drop(self.interfaces.insert(name.to_owned(), interface)),
            None => drop(self.interfaces.remove(name)),
        }
        self.observe(now)
    }

    /// healthcheckd says that a check is up or down.
    pub fn say(&mut self, check: &str, judged: Judgement, now: Mono) -> Vec<Seen> {
        self.heard.hear(said(check, judged));
        self.hear(now)
    }

    /// healthcheckd is gone.
    pub fn lose_health(&mut self, now: Mono) -> Vec<Seen> {
        self.heard.lost();
        self.hear(now)
    }

    /// The configuration is read anew.
    ///
    /// # Errors
    /// The faults of the configuration, as text; then nothing changed.
    pub fn reload(&mut self, keys: &str, now: Mono) -> Result<Vec<Seen>, String> {
        let config = instance(keys, self.source)?;
        let mut seen = self.turn(now, |router, out| router.change_config(config, now, out));
        self.track();
        seen.extend(self.hear(now));
        seen.extend(self.observe(now));
        Ok(seen)
    }

    /// The checks that its router tracks are kept.
    fn track(&mut self) {
        let names = self.router.config().track.iter().filter_map(|track| match &track.what {
            Tracked::Check(name) => Some(name.clone()),
            Tracked::Interface { .. } => None,
        });
        self.heard.track(names.collect());
    }

    fn hear(&mut self, now: Mono) -> Vec<Seen> {
        let heard = self.heard.clone();
        self.turn(now, |router, out| router.hear(&heard, now, out))
    }

    fn interface(&mut self) -> &mut Interface {
        self.interfaces.entry(self.router.config().interface.clone()).or_default()
    }

    fn observe(&mut self, now: Mono) -> Vec<Seen> {
        if !self.running {
            return Vec::new();
        }
        let local = self.judge();
        self.turn(now, |router, out| router.observe(local, now, out))
    }

    /// Its own address is there and usable, there and not, or not there.
    fn set_source(&mut self, usable: Option<bool>) {
        let prefix = if self.source.is_ipv4() { 24 } else { 64 };
        let net = IpNet::new_assert(self.source, prefix);
        let addresses = &mut self.interface().addresses;
        addresses.retain(|present| present.net() != net);
        if let Some(usable) = usable {
            let entry = Entry::plain(net);
            addresses.insert(0, Present { entry, secondary: false, marked: false, unusable: !usable });
        }
    }

    fn judge(&self) -> Local {
        let place = self.router.config().place();
        Local::judge(self.router.config(), &self.interfaces, |name, net| {
            name == place && self.held.contains(&net)
        })
    }

    fn turn(&mut self, now: Mono, take: impl FnOnce(&mut Router, &mut Vec<Output>)) -> Vec<Seen> {
        let (mut out, mut seen, before) = (Vec::new(), Vec::new(), self.state());
        self.router.tell(self.clock(now));
        take(&mut self.router, &mut out);
        if self.state() != before {
            seen.push(Seen::State(self.state()));
        }
        for output in out {
            match output {
                Output::Transmit(packet) => seen.push(Seen::Advert(packet)),
                Output::Announce(addresses) => seen.push(Seen::Announce(addresses)),
                Output::Log(_, line) => seen.push(Seen::Log(line)),
                Output::Reconcile => self.reconcile(now, &mut seen),
                Output::Remember | Output::Changed => {}
            }
        }
        seen
    }

    fn reconcile(&mut self, now: Mono, seen: &mut Vec<Seen>) {
        let place = self.interfaces.entry(self.router.config().place().to_owned()).or_default();
        place.addresses.retain(|present| !self.held.contains(&present.net()));
        let entries: Vec<Entry> = self.router.holds().iter().map(Entry::wanted).collect();
        self.held = entries.iter().map(|entry| entry.net).collect();
        let present = |entry| Present { entry, secondary: true, marked: true, unusable: false };
        place.addresses.extend(entries.into_iter().map(present));
        if !self.held.is_empty() {
            self.router.held(now);
        }
        seen.push(Seen::Addresses(self.held.clone()));
    }
}
