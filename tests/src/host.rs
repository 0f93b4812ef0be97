//! One virtual router on a host that exists in memory only: it does with the router's outputs what the daemon
//! would, and keeps what a neighbour or an administrator would see. Must not decide anything itself.

use std::net::Ipv4Addr;

use ipnet::{IpNet, Ipv4Net};
use vipkit_config::{Instance, Source};
use vipkit_core::units::Mono;
use vrrpd::fault::Local;
use vrrpd::fsm::State;
use vrrpd::observed::{Interface, Present};
use vrrpd::router::{Output, Router};

/// Keys of an instance unless its text has them.
const DEFAULTS: [(&str, &str); 3] =
    [("interface", "'eth0'"), ("virtual_router_id", "51"), ("addresses", "['10.0.1.5/24']")];

/// What a neighbour or an administrator sees of a router.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Seen {
    /// An advert: a whole IPv4 packet.
    Advert(Vec<u8>),
    /// Addresses announced by gratuitous ARP.
    Announce(Vec<Ipv4Addr>),
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
    interface: Interface,
    source: Ipv4Addr,
    held: Vec<IpNet>,
    running: bool,
}

/// Reads the keys of one instance, with defaults for what every instance needs.
///
/// # Errors
/// The faults of the configuration, as text.
pub fn instance(keys: &str) -> Result<Instance, String> {
    let mut text = "[vrrp.dut]\n".to_owned();
    for (key, value) in DEFAULTS {
        if !keys.lines().any(|line| line.split('=').next().is_some_and(|word| word.trim() == key)) {
            text.push_str(&format!("{key} = {value}\n"));
        }
    }
    text.push_str(keys);
    let config = vipkit_config::parse(&[Source { name: "vipkit.toml".to_owned(), text }]);
    let mut config = config.map_err(|faults| faults.to_string())?;
    config.vrrp.remove("dut").ok_or_else(|| "no instance".to_owned())
}

impl Host {
    /// Not started, with an interface that works and has this address.
    ///
    /// # Errors
    /// The faults of the configuration, as text.
    pub fn new(keys: &str, source: Ipv4Addr, now: Mono) -> Result<Self, String> {
        let router = Router::new("dut", instance(keys)?, now);
        let interface = Interface { index: 2, up: true, carrier: true, ..Interface::default() };
        let mut host = Self { router, interface, source, held: Vec::new(), running: false };
        host.set_source(true);
        Ok(host)
    }

    /// Its router.
    #[must_use]
    pub const fn router(&self) -> &Router {
        &self.router
    }

    /// Its own address.
    #[must_use]
    pub const fn source(&self) -> Ipv4Addr {
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

    /// The daemon starts.
    pub fn start(&mut self, now: Mono) -> Vec<Seen> {
        self.running = true;
        let local = self.judge();
        self.turn(now, |router, out| router.start(local, false, now, out))
    }

    /// The daemon is told to stop.
    pub fn stop(&mut self, now: Mono) -> Vec<Seen> {
        self.running = false;
        self.turn(now, |router, out| router.stop(now, out))
    }

    /// A packet arrives.
    pub fn packet(&mut self, packet: &[u8], now: Mono) -> Vec<Seen> {
        self.turn(now, |router, out| router.packet(packet, now, out))
    }

    /// Time passed.
    pub fn timer(&mut self, now: Mono) -> Vec<Seen> {
        self.turn(now, |router, out| router.timer(now, out))
    }

    /// The cable goes or comes.
    pub fn set_carrier(&mut self, carrier: bool, now: Mono) -> Vec<Seen> {
        self.interface.carrier = carrier;
        self.observe(now)
    }

    /// Its own address goes or comes.
    pub fn set_address(&mut self, present: bool, now: Mono) -> Vec<Seen> {
        self.set_source(present);
        self.observe(now)
    }

    /// The configuration is read anew.
    ///
    /// # Errors
    /// The faults of the configuration, as text; then nothing changed.
    pub fn reload(&mut self, keys: &str, now: Mono) -> Result<Vec<Seen>, String> {
        let config = instance(keys)?;
        Ok(self.turn(now, |router, out| router.change_config(config, now, out)))
    }

    fn observe(&mut self, now: Mono) -> Vec<Seen> {
        if !self.running {
            return Vec::new();
        }
        let local = self.judge();
        self.turn(now, |router, out| router.observe(local, now, out))
    }

    fn set_source(&mut self, present: bool) {
        let net = Ipv4Net::new_assert(self.source, 24).into();
        self.interface.addresses.retain(|entry| entry.net != net);
        if present {
            self.interface.addresses.insert(0, Present { net, secondary: false, marked: false });
        }
    }

    fn judge(&self) -> Local {
        let config = self.router.config();
        let ours = |net| self.held.contains(&net);
        Local::judge(Some(&self.interface), &config.addresses, config.priority.is_owner(), ours)
    }

    fn turn(&mut self, now: Mono, take: impl FnOnce(&mut Router, &mut Vec<Output>)) -> Vec<Seen> {
        let (mut out, mut seen, before) = (Vec::new(), Vec::new(), self.state());
        take(&mut self.router, &mut out);
        if self.state() != before {
            seen.push(Seen::State(self.state()));
        }
        for output in out {
            match output {
                Output::Transmit { packet, .. } => seen.push(Seen::Advert(packet)),
                Output::Announce(addresses) => seen.push(Seen::Announce(addresses)),
                Output::Log(_, line) => seen.push(Seen::Log(line)),
                Output::Reconcile => self.reconcile(now, &mut seen),
                Output::Changed => {}
            }
        }
        seen
    }

    fn reconcile(&mut self, now: Mono, seen: &mut Vec<Seen>) {
        self.interface.addresses.retain(|entry| !self.held.contains(&entry.net));
        self.held = self.router.holds().to_vec();
        let entries = self.held.iter().map(|&net| Present { net, secondary: true, marked: true });
        self.interface.addresses.extend(entries);
        if !self.held.is_empty() {
            self.router.held(now);
        }
        seen.push(Seen::Addresses(self.held.clone()));
    }
}
