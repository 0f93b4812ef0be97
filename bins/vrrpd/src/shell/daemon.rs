//! The routers and their hands: what the kernel, the network and the clock report goes to the routers, what they want
//! is done. Called by the tasks in `shell`, one at a time, on one thread. Nothing here may wait. The hands are in files
//! of their own: `traffic` sends and receives, `reconcile`, `virtual_macs`, `kernel_settings` and `routing` change the host.

use std::cell::RefCell;
use std::collections::{BTreeMap, BTreeSet};
use std::rc::{Rc, Weak};
use std::time::Duration;

use ipnet::IpNet;
use tokio::sync::Notify;
use tracing::{debug, info, warn};
use vipkit_config::{Config, Instance};
use vipkit_control::common::Notice;
use vipkit_control::monitor::Feed;
use vipkit_control::vrrp::Reloaded;
use vipkit_core::limit::Limiter;
use vipkit_core::units::Mono;
use vipkit_daemon::clock::{now, wall};
use vipkit_daemon::identity::Identity;
use vipkit_daemon::state::StateFile;
use vipkit_linux::heartbeat::Heartbeat;
use vipkit_linux::packet_socket::PacketSocket;
use vipkit_linux::timer::Deadline;

use super::firewall::Firewall;
use super::health::Health;
use super::holdings::Holdings;
use super::host::Host;
use super::ports::{Ports, Wire};
use super::remember::Remembered;
use super::routing::Routing;
use crate::fault::{Fault, Local};
use crate::firewall;
use crate::fsm::State;
use crate::ledger::Active;
use crate::router::{Level, Output, Router};

/// Refused changes in a row that are a fault: an Active router without its addresses helps nobody.
const REFUSALS: u32 = 3;

/// How late deadlines were served.
#[derive(Clone, Copy, Debug, Default)]
pub struct Lateness {
    /// The latest one.
    pub latest: Duration,
    /// The worst one.
    pub max: Duration,
}

/// A router and its slot in the heartbeat file.
pub(super) struct Member {
    pub(super) router: Router,
    pub(super) slot: usize,
}

/// What a daemon is made of.
pub struct Parts {
    /// What it tells of itself.
    pub identity: Identity,
    /// Links and addresses.
    pub host: Host,
    /// The ledger.
    pub holdings: Holdings,
    /// Times of the latest adverts.
    pub heartbeat: Heartbeat,
    /// Sends whole frames.
    pub packets: PacketSocket,
    /// Routes and rules.
    pub routing: Routing,
    /// Addresses that accept no packets.
    pub firewall: Firewall,
    /// Sequences of HMACs of earlier lives.
    pub remembered: Remembered,
}

/// The daemon.
pub struct Daemon {
    pub(super) me: Weak<RefCell<Daemon>>,
    pub(super) identity: Identity,
    pub(super) lateness: Lateness,
    pub(super) members: BTreeMap<String, Member>,
    pub(super) host: Host,
    pub(super) ports: Ports,
    pub(super) port_errors: BTreeMap<Wire, String>,
    pub(super) packets: PacketSocket,
    pub(super) holdings: Holdings,
    pub(super) routing: Routing,
    pub(super) firewall: Firewall,
    pub(super) remembered: Remembered,
    pub(super) health: Health,
    pub(super) last_repair: BTreeMap<String, Mono>,
    /// Interfaces where the kernel refused changes: how often in a row, and what.
    pub(super) refusals: BTreeMap<String, (u32, String)>,
    /// Interfaces for virtual MACs that cannot be made, and why.
    pub(super) link_errors: BTreeMap<String, Fault>,
    /// Kernel settings that do not hold, by interface and name: what is found, and what goes wrong.
    pub(super) unmet: BTreeMap<(String, &'static str), Notice>,
    /// Kernel settings that were looked at since everything was read anew, by index of the interface and name.
    pub(super) looked_at: BTreeSet<(u32, &'static str)>,
    pub(super) limiter: Limiter,
    heartbeat: Heartbeat,
    deadline: Rc<Deadline>,
    armed: Option<Mono>,
    /// Where changes are told to those who watch.
    pub(super) feed: Feed,
    /// Wakes the task that tells systemd.
    pub(super) news: Rc<Notify>,
    /// Wakes the task that reconciles.
    pub(super) reconcile: Rc<Notify>,
}

impl Daemon {
    /// Without routers yet.
    ///
    /// # Errors
    /// What the kernel refuses.
    pub fn new(parts: Parts) -> std::io::Result<Rc<RefCell<Self>>> {
        let deadline = Rc::new(Deadline::new()?);
        Ok(Rc::new_cyclic(|me| {
            RefCell::new(Self {
                me: me.clone(),
                identity: parts.identity,
                lateness: Lateness::default(),
                members: BTreeMap::new(),
                host: parts.host,
                ports: Ports::default(),
                port_errors: BTreeMap::new(),
                packets: parts.packets,
                holdings: parts.holdings,
                routing: parts.routing,
                firewall: parts.firewall,
                remembered: parts.remembered,
                health: Health::default(),
                last_repair: BTreeMap::new(),
                refusals: BTreeMap::new(),
                link_errors: BTreeMap::new(),
                unmet: BTreeMap::new(),
                looked_at: BTreeSet::new(),
                limiter: Limiter::default(),
                heartbeat: parts.heartbeat,
                deadline,
                armed: None,
                feed: Feed::default(),
                news: Rc::new(Notify::new()),
                reconcile: Rc::new(Notify::new()),
            })
        }))
    }

    /// The timer that calls for [`Daemon::serve`].
    #[must_use]
    pub fn deadline(&self) -> Rc<Deadline> {
        self.deadline.clone()
    }

    /// The routers, by name.
    pub fn routers(&self) -> impl Iterator<Item = &Router> {
        self.members.values().map(|member| &member.router)
    }

    /// A router.
    #[must_use]
    pub fn router(&self, name: &str) -> Option<&Router> {
        self.members.get(name).map(|member| &member.router)
    }

    /// How many routers are in which state, in a line.
    #[must_use]
    pub fn summary(&self) -> String {
        let count = |state| self.routers().filter(|router| router.fsm().state() == state).count();
        let counts = State::ALL.map(|state| (state, count(state)));
        let some: Vec<_> =
            counts.iter().filter(|(_, n)| *n > 0).map(|(state, n)| format!("{n} {state}")).collect();
        if some.is_empty() { "no instances".to_owned() } else { some.join(", ") }
    }

    /// The routers that put their addresses on an interface.
    pub(super) fn routers_at(&self, place: &str) -> impl Iterator<Item = &Router> {
        self.routers().filter(move |router| router.config().place() == place)
    }

    /// The interfaces that get addresses.
    pub(super) fn places(&self) -> BTreeSet<String> {
        self.routers().map(|router| router.config().place().to_owned()).collect()
    }

    /// Goes over to a configuration: routers that it does not change are not touched. Those in `adopt` go on as Active.
    pub fn configure(&mut self, config: Config, adopt: &BTreeSet<String>) -> Reloaded {
        self.refusals.clear();
        self.link_errors.clear();
        self.looked_at.clear();
        let closed = firewall::closed(config.vrrp.values());
        self.holdings.change(|ledger| ledger.closed |= !closed.is_empty());
        self.firewall.want(closed);
        self.identity.configured(&config);
        self.rename(&config);
        self.track(&config);
        let mut done = Reloaded::default();
        let gone: Vec<String> =
            self.members.keys().filter(|n| !config.vrrp.contains_key(*n)).cloned().collect();
        for name in gone {
            self.remove(&name);
            done.removed.push(name);
        }
        let mut fresh = Vec::new();
        for (name, instance) in config.vrrp {
            let list = match self.router(&name) {
                Some(router) if *router.config() == instance => &mut done.unchanged,
                Some(router) if router.is_same_router(&instance) => {
                    self.with(&name, |router, now, out| router.change_config(instance, now, out));
                    self.tell_verdicts(&name);
                    &mut done.changed
                }
                Some(_) => {
                    self.remove(&name);
                    fresh.push((name.clone(), instance));
                    &mut done.changed
                }
                None => {
                    fresh.push((name.clone(), instance));
                    &mut done.added
                }
            };
            list.push(name);
        }
        let started: Vec<String> = fresh.iter().map(|(name, _)| name.clone()).collect();
        for (name, instance) in fresh {
            self.add(name, instance);
        }
        for name in self.members.keys().cloned().collect::<Vec<_>>() {
            self.with(&name, |router, now, _| router.forget_silent_peers(now));
        }
        self.make_links();
        self.prepare_interfaces();
        self.open_ports();
        for name in started {
            let local = self.local(&name);
            self.with(&name, |router, now, out| router.start(local, adopt.contains(router.name()), now, out));
        }
        self.observe();
        self.feed.touch_daemon();
        done
    }

    /// A router that the configuration only calls by another name goes on under that.
    fn rename(&mut self, config: &Config) {
        let fresh = |name: &String| !self.members.contains_key(name);
        let new_name = |router: &Router| {
            let mut candidates = config.vrrp.iter().filter(|(name, _)| fresh(name));
            candidates.find(|(_, instance)| router.is_same_router(instance)).map(|(name, _)| name.clone())
        };
        let gone = self.routers().filter(|router| !config.vrrp.contains_key(router.name()));
        let renamed: Vec<(String, String)> =
            gone.filter_map(|router| Some((router.name().to_owned(), new_name(router)?))).collect();
        for (old, new) in renamed {
            let Some(mut member) = self.members.remove(&old) else { continue };
            member.router.rename(&new);
            self.members.insert(new.clone(), member);
            self.holdings.note_active(&old, None);
            self.holdings_changed(&new);
            self.feed.touch(&old);
            self.feed.touch(&new);
        }
    }

    fn add(&mut self, name: String, instance: Instance) {
        let taken: BTreeSet<usize> = self.members.values().map(|member| member.slot).collect();
        let slot = (0..).find(|slot| !taken.contains(slot)).unwrap_or_default();
        let mut router = Router::new(&name, instance, now());
        router.remember(self.remembered.take(router.config()));
        self.feed.touch(&name);
        self.members.insert(name.clone(), Member { router, slot });
        self.tell_verdicts(&name);
    }

    fn remove(&mut self, name: &str) {
        self.with(name, |router, now, out| router.stop(now, out));
        if let Some(member) = self.members.remove(name) {
            self.beat(member.slot, Mono(0));
            self.remembered.put(member.router.config(), member.router.replay().clone());
            self.want(member.router.config().place(), true);
        }
        self.feed.touch(name);
    }

    /// What of the host does not serve a router as it should.
    pub(super) fn unmet(&self, router: &Router) -> Vec<Notice> {
        let config = router.config();
        let its = |interface: &String| {
            *interface == config.place() || (config.virtual_mac.is_some() && *interface == config.interface)
        };
        let settings = self.unmet.iter().filter(|((interface, _), _)| its(interface));
        let closed = self.firewall.notice().filter(|_| !config.accept);
        settings.map(|(_, notice)| notice.clone()).chain(closed).collect()
    }

    /// The file of sequences, and the bytes for it, if there are any.
    #[must_use]
    pub fn sequences(&self) -> Option<(StateFile, Vec<u8>)> {
        self.remembered.snapshot(self.routers().map(|router| (router.config(), router.replay())))
    }

    /// Stops every router. Its addresses are to be reconciled away.
    pub fn stop(&mut self) {
        for name in self.members.keys().cloned().collect::<Vec<_>>() {
            self.remove(&name);
        }
    }

    /// Serves what is due. Packets that wait came before the deadline that calls for this, so they go first.
    pub fn serve(&mut self) {
        self.armed = None;
        let wires: BTreeSet<Wire> = self.due().map(|router| wire(router.config())).collect();
        for wire in wires {
            self.receive(&wire);
        }
        let now = now();
        for name in self.due().map(|router| router.name().to_owned()).collect::<Vec<_>>() {
            let deadline = self.router(&name).and_then(|router| router.fsm().deadline());
            if let Some(deadline) = deadline.filter(|deadline| *deadline <= now) {
                self.lateness.latest = now - deadline;
                self.lateness.max = self.lateness.max.max(self.lateness.latest);
            }
            self.with(&name, |router, now, out| router.timer(now, out));
        }
        self.rearm();
    }

    fn due(&self) -> impl Iterator<Item = &Router> {
        let now = now();
        self.routers().filter(move |router| router.deadline(now).is_some_and(|deadline| deadline <= now))
    }

    /// Takes in what the kernel reported of links and addresses.
    ///
    /// # Errors
    /// The kernel does not answer.
    pub fn host_changed(&mut self) -> anyhow::Result<()> {
        self.host.sync()?;
        if self.host.take_news() {
            self.look_around();
        }
        Ok(())
    }

    /// Reads links and addresses anew, should a report ever be lost.
    pub fn resync(&mut self) {
        self.host.reread();
        self.looked_at.clear();
        self.look_around();
    }

    pub(super) fn look_around(&mut self) {
        let interfaces = self.host.interfaces();
        self.holdings.change(|ledger| ledger.follow_names(interfaces));
        self.make_links();
        self.prepare_interfaces();
        self.open_ports();
        self.observe();
        self.notice_drift();
        self.look_at_routing();
    }

    /// Shows every router what the host looks like.
    pub(super) fn observe(&mut self) {
        for name in self.members.keys().cloned().collect::<Vec<_>>() {
            let local = self.local(&name);
            self.with(&name, |router, now, out| router.observe(local, now, out));
        }
        self.rearm();
    }

    fn local(&self, name: &str) -> Local {
        let Some(config) = self.router(name).map(Router::config) else { return Local::default() };
        let interfaces = self.host.interfaces();
        let index = |name: &str| interfaces.get(name).map_or(0, |interface| interface.index);
        let owns = |name: &str, net: IpNet| self.holdings.ledger().owns(name, index(name), net);
        let mut local = Local::judge(config, interfaces, owns);
        if local.faults.contains(&Fault::NoInterface) {
            return local;
        }
        local.faults.extend(self.link_errors.get(config.place()).cloned());
        let refused = self.refusals.get(config.place()).filter(|(count, _)| *count >= REFUSALS);
        local.faults.extend(refused.map(|(_, why)| Fault::Refused(why.clone())));
        let error = self.port_errors.get(&wire(config));
        local.faults.extend(error.map(|error| Fault::Socket(error.clone())));
        local
    }

    /// Lets a router do something, and does what it wants done.
    pub(super) fn with(&mut self, name: &str, act: impl FnOnce(&mut Router, Mono, &mut Vec<Output>)) {
        let mut wanted = Vec::new();
        if let Some(member) = self.members.get_mut(name) {
            member.router.tell(wall());
            act(&mut member.router, now(), &mut wanted);
        }
        for output in wanted {
            match output {
                Output::Transmit(packet) => self.transmit(name, &packet),
                Output::Reconcile => self.holdings_changed(name),
                Output::Announce(addresses) => self.announce(name, &addresses),
                Output::Log(Level::Info, line) => info!("{line}"),
                Output::Log(Level::Warning, line) => warn!("{line}"),
                Output::Remember => self.remembered.changed(),
                Output::Changed => {
                    self.feed.touch(name);
                    self.news.notify_one();
                }
            }
        }
    }

    /// What a router holds changed.
    fn holdings_changed(&mut self, name: &str) {
        let Some(member) = self.members.get(name) else { return };
        let config = member.router.config();
        let place = config.place().to_owned();
        let active = member.router.is_active().then(|| Active {
            slot: member.slot,
            interface: config.interface.clone(),
            index: self.host.interfaces().get(&config.interface).map_or(0, |i| i.index),
            virtual_router_id: config.virtual_router_id.number(),
        });
        // Whoever is not Active any more has nothing to be adopted.
        let left = active.is_none().then_some(member.slot);
        left.into_iter().for_each(|slot| self.beat(slot, Mono(0)));
        self.want(&place, active.is_none());
        self.holdings.note_active(name, active);
    }

    pub(super) fn want(&mut self, place: &str, urgent: bool) {
        self.holdings.want(place, urgent, now());
        self.routing.want(now());
        self.reconcile.notify_one();
    }

    /// Memory on tmpfs; should it fail, the worst is that a restart does not adopt.
    pub(super) fn beat(&self, slot: usize, moment: Mono) {
        if let Err(error) = self.heartbeat.beat(slot, moment.0) {
            debug!("heartbeat: {error}");
        }
    }

    /// Sets the timer to the earliest deadline.
    pub(super) fn rearm(&mut self) {
        let now = now();
        let earliest = self.routers().filter_map(|router| router.deadline(now)).min();
        if earliest == self.armed && earliest.is_none_or(|deadline| deadline > now) {
            return;
        }
        match self.deadline.set(earliest.map(Mono::since_start)) {
            Ok(()) => self.armed = earliest,
            Err(error) => warn!("timer: {error}"),
        }
    }
}

/// Where a router speaks.
pub(super) fn wire(config: &Instance) -> Wire {
    (config.interface.clone(), config.family())
}
