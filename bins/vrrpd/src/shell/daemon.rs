//! The routers and their hands: what the kernel, the network and the clock report goes to the routers, what they want
//! is done. Called by the tasks in `shell`, one at a time, on one thread. Nothing here may wait.

use std::cell::RefCell;
use std::collections::{BTreeMap, BTreeSet};
use std::net::Ipv4Addr;
use std::rc::{Rc, Weak};
use std::time::Duration;

use tokio::sync::Notify;
use tokio::task::AbortHandle;
use tracing::{debug, info, warn};
use vipkit_config::{Config, Instance};
use vipkit_control::monitor::Feed;
use vipkit_control::vrrp::Reloaded;
use vipkit_core::limit::Limiter;
use vipkit_core::units::Mono;
use vipkit_core::{arp, ipv4};
use vipkit_daemon::clock::now;
use vipkit_daemon::identity::Identity;
use vipkit_linux::heartbeat::Heartbeat;
use vipkit_linux::packet_socket::PacketSocket;
use vipkit_linux::timer::Deadline;
use vipkit_linux::vrrp_socket::VrrpReceiver;

use super::holdings::Holdings;
use super::host::Host;
use super::ports::Ports;
use crate::counters;
use crate::fault::{Fault, Local};
use crate::fsm::State;
use crate::ledger::Active;
use crate::router::{Level, Output, Router};

/// Packets taken from one socket in a turn.
const PACKETS: usize = 64;
/// Refused changes in a row that are a fault: an Active router without its addresses helps nobody.
const REFUSALS: u32 = 3;
/// Longer than any advert with any IPv4 options.
const PACKET_BYTES: usize = 2048;

/// How late deadlines were served.
#[derive(Clone, Copy, Debug, Default)]
pub struct Lateness {
    /// The latest one.
    pub latest: Duration,
    /// The worst one.
    pub max: Duration,
}

/// A router and its slot in the heartbeat file.
struct Member {
    router: Router,
    slot: usize,
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
    /// Sends ARP.
    pub packets: PacketSocket,
}

/// The daemon.
pub struct Daemon {
    me: Weak<RefCell<Daemon>>,
    pub(super) identity: Identity,
    pub(super) lateness: Lateness,
    members: BTreeMap<String, Member>,
    pub(super) host: Host,
    ports: Ports,
    port_errors: BTreeMap<String, String>,
    packets: PacketSocket,
    pub(super) holdings: Holdings,
    pub(super) last_repair: BTreeMap<String, Mono>,
    /// Interfaces where the kernel refused changes: how often in a row, and what.
    pub(super) refusals: BTreeMap<String, (u32, String)>,
    /// Interfaces whose promote_secondaries cannot be set, by name and index.
    pub(super) not_promoting: BTreeSet<(String, u32)>,
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
                last_repair: BTreeMap::new(),
                refusals: BTreeMap::new(),
                not_promoting: BTreeSet::new(),
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

    pub(super) fn routers_on(&self, interface: &str) -> impl Iterator<Item = &Router> {
        self.routers().filter(move |router| router.config().interface == interface)
    }

    pub(super) fn interfaces_in_use(&self) -> BTreeSet<String> {
        self.routers().map(|router| router.config().interface.clone()).collect()
    }

    /// Goes over to a configuration: routers that it does not change are not touched. Those in `adopt` go on as Active.
    pub fn configure(&mut self, config: Config, adopt: &BTreeSet<String>) -> Reloaded {
        self.refusals.clear();
        self.identity.configured(&config);
        self.rename(&config);
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
        let router = Router::new(&name, instance, now());
        self.feed.touch(&name);
        self.members.insert(name, Member { router, slot });
    }

    fn remove(&mut self, name: &str) {
        self.with(name, |router, now, out| router.stop(now, out));
        if let Some(member) = self.members.remove(name) {
            self.beat(member.slot, Mono(0));
            self.want(&member.router.config().interface.clone(), true);
        }
        self.feed.touch(name);
    }

    /// Stops every router. Its addresses are to be reconciled away.
    pub fn stop(&mut self) {
        for name in self.members.keys().cloned().collect::<Vec<_>>() {
            self.remove(&name);
        }
    }

    /// Takes the packets that wait on an interface, so many at most.
    pub fn receive(&mut self, interface: &str) {
        let mut buffer = [0; PACKET_BYTES];
        for _ in 0..PACKETS {
            let Some(port) = self.ports.on(interface) else { return };
            match port.receiver.try_receive(&mut buffer) {
                Ok(Some(length)) => self.packet(interface, buffer.get(..length).unwrap_or_default()),
                Ok(None) => break,
                Err(error) => {
                    debug!("{interface}: {error}");
                    break;
                }
            }
        }
        self.rearm();
    }

    fn packet(&mut self, interface: &str, packet: &[u8]) {
        let vrid = ipv4::parse(packet).ok().and_then(|datagram| datagram.message.get(1).copied());
        let of_vrid = |router: &&Router| Some(router.config().virtual_router_id.number()) == vrid;
        let Some(name) = self.routers_on(interface).find(of_vrid).map(|router| router.name().to_owned())
        else {
            return;
        };
        self.with(&name, |router, now, out| router.packet(packet, now, out));
    }

    /// Serves what is due. Packets that wait came before the deadline that calls for this, so they go first.
    pub fn serve(&mut self) {
        self.armed = None;
        let interfaces: BTreeSet<String> =
            self.due().map(|router| router.config().interface.clone()).collect();
        for interface in interfaces {
            self.receive(&interface);
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
        self.look_around();
    }

    pub(super) fn look_around(&mut self) {
        let interfaces = self.host.interfaces();
        self.holdings.change(|ledger| ledger.follow_names(interfaces));
        self.prepare_interfaces();
        self.open_ports();
        self.observe();
        self.notice_drift();
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
        let interface = self.host.interfaces().get(&config.interface);
        let index = interface.map_or(0, |interface| interface.index);
        let owns = |net| self.holdings.ledger().owns(&config.interface, index, net);
        let mut local = Local::judge(interface, &config.addresses, config.priority.is_owner(), owns);
        let refused = self.refusals.get(&config.interface).filter(|(count, _)| *count >= REFUSALS);
        local.faults.extend(refused.map(|(_, why)| Fault::Refused(why.clone())));
        let error = self.port_errors.get(&config.interface);
        local.faults.extend(error.map(|error| Fault::Socket(error.clone())));
        local
    }

    /// Sockets on every interface in use that exists, for the VRIDs used there.
    fn open_ports(&mut self) {
        let used = self.interfaces_in_use();
        self.port_errors.clear();
        for name in &used {
            let Some(index) = self.host.interfaces().get(name).map(|interface| interface.index) else {
                continue;
            };
            let vrids: Vec<u8> =
                self.routers_on(name).map(|r| r.config().virtual_router_id.number()).collect();
            let me = self.me.clone();
            let wait = |receiver| wait_for_packets(me, name.clone(), receiver);
            if let Err(error) = self.ports.open(name, index, &vrids, wait) {
                self.port_errors.insert(name.clone(), error.to_string());
            }
        }
        let interfaces = self.host.interfaces();
        self.ports.retain(|name| used.contains(name) && interfaces.contains_key(name));
    }

    /// Lets a router do something, and does what it wants done.
    pub(super) fn with(&mut self, name: &str, act: impl FnOnce(&mut Router, Mono, &mut Vec<Output>)) {
        let mut wanted = Vec::new();
        if let Some(member) = self.members.get_mut(name) {
            act(&mut member.router, now(), &mut wanted);
        }
        for output in wanted {
            match output {
                Output::Transmit { destination, packet } => self.transmit(name, destination, &packet),
                Output::Reconcile => self.holdings_changed(name),
                Output::Announce(addresses) => self.announce(name, &addresses),
                Output::Log(Level::Info, line) => info!("{line}"),
                Output::Log(Level::Warning, line) => warn!("{line}"),
                Output::Changed => {
                    self.feed.touch(name);
                    self.news.notify_one();
                }
            }
        }
    }

    fn transmit(&mut self, name: &str, destination: Ipv4Addr, packet: &[u8]) {
        let Some(member) = self.members.get_mut(name) else { return };
        let port = self.ports.on(&member.router.config().interface);
        let sent = port.map(|port| port.sender.send(packet, destination));
        if let Some(Ok(())) = sent {
            let slot = member.slot;
            return self.beat(slot, now());
        }
        member.router.count(counters::SEND_ERRORS, 1);
        if let Some(Err(error)) = sent {
            debug!("{name}: cannot send an advert: {error}");
        }
    }

    fn announce(&mut self, name: &str, addresses: &[Ipv4Addr]) {
        let Some(member) = self.members.get_mut(name) else { return };
        let interface = self.host.interfaces().get(&member.router.config().interface);
        let station = interface.and_then(|i| Some((i.index, i.mac?)));
        for address in addresses {
            let sent = station.map(|(index, mac)| self.packets.send(index, &arp::gratuitous(mac, *address)));
            let counter = match sent {
                Some(Ok(())) => counters::ANNOUNCEMENTS_SENT,
                Some(Err(_)) | None => counters::SEND_ERRORS,
            };
            member.router.count(counter, 1);
        }
    }

    /// What a router holds changed.
    fn holdings_changed(&mut self, name: &str) {
        let Some(member) = self.members.get(name) else { return };
        let config = member.router.config();
        let interface = config.interface.clone();
        let active = (member.router.fsm().state() == State::Active).then(|| Active {
            slot: member.slot,
            interface: interface.clone(),
            index: self.host.interfaces().get(&interface).map_or(0, |i| i.index),
            virtual_router_id: config.virtual_router_id.number(),
        });
        // Whoever is not Active any more has nothing to be adopted.
        let left = active.is_none().then_some(member.slot);
        left.into_iter().for_each(|slot| self.beat(slot, Mono(0)));
        self.want(&interface, active.is_none());
        self.holdings.note_active(name, active);
    }

    fn want(&mut self, interface: &str, urgent: bool) {
        self.holdings.want(interface, urgent, now());
        self.reconcile.notify_one();
    }

    /// Memory on tmpfs; should it fail, the worst is that a restart does not adopt.
    fn beat(&self, slot: usize, moment: Mono) {
        if let Err(error) = self.heartbeat.beat(slot, moment.0) {
            debug!("heartbeat: {error}");
        }
    }

    /// Sets the timer to the earliest deadline.
    fn rearm(&mut self) {
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

/// Waits for packets on one interface for as long as its port is open.
fn wait_for_packets(daemon: Weak<RefCell<Daemon>>, interface: String, port: Rc<VrrpReceiver>) -> AbortHandle {
    let task = tokio::task::spawn_local(async move {
        while port.readable().await.is_ok() {
            let Some(daemon) = daemon.upgrade() else { return };
            daemon.borrow_mut().receive(&interface);
        }
    });
    task.abort_handle()
}
